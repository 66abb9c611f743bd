/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookd/passed_socket.h"

#include <errno.h>
#include <sys/socket.h>

#include <systemd/sd-daemon.h>

#include "core/config.h"
#include "core/log.h"
#include "core/socket.h"

static int check(const struct server_config *server, int fd, const char *name, struct error *e)
{
	bool is_ip = sd_is_socket(fd, AF_INET, SOCK_STREAM, 1) > 0 ||
		     sd_is_socket(fd, AF_INET6, SOCK_STREAM, 1) > 0;

	if (!is_ip)
		return error_set(e, -EINVAL,
				 "'%s', passed in by the service manager, is no TCP socket that "
				 "listens; give its unit one ListenStream= and Accept=no",
				 name);
	if (server->insecure_http && !socket_is_loopback(fd))
		return error_set(e, -EINVAL,
				 "'%s', passed in by the service manager, can be reached from "
				 "outside, and [server] insecure_http is set; let it listen on a "
				 "loopback address",
				 name);
	return 0;
}

static void free_names(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

int passed_socket_take(const struct server_config *server, int *ret_fd, struct error *e)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names); /* 1: handlers do not inherit the variables */
	int r = 0;

	if (n < 0)
		return error_set(e, n, "cannot take the sockets passed in: %s", error_name(n));
	if (n > 1)
		r = error_set(e, -EINVAL,
			      "%d sockets were passed in ('%s', '%s'...), and riskhookd takes one; "
			      "[::]:8443 serves IPv4, too",
			      n, names[0], names[1]);
	else if (n == 1)
		r = check(server, SD_LISTEN_FDS_START, names[0], e);
	if (r == 0 && n == 1)
		log_info("the listening socket is '%s' of the service manager; [server] listen is "
			 "not used",
			 names[0]);
	if (r == 0)
		*ret_fd = n == 1 ? SD_LISTEN_FDS_START : -1;
	free_names(names);
	return r;
}
