/* SPDX-License-Identifier: Apache-2.0 */
#include "core/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/fd.h"

union any_address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

/* Return: the size of the address, or 0 when the host is no number */
static socklen_t fill(const struct listen_address *address, union any_address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, address->host, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = htons((uint16_t)address->port);
		return sizeof(ret->in);
	}
	if (inet_pton(AF_INET6, address->host, &ret->in6.sin6_addr) == 1) {
		ret->in6.sin6_family = AF_INET6;
		ret->in6.sin6_port = htons((uint16_t)address->port);
		return sizeof(ret->in6);
	}
	return 0;
}

static int bind_and_listen(int fd, const union any_address *address, socklen_t n, int backlog)
{
	if (bind(fd, &address->sa, n) < 0 || listen(fd, backlog) < 0)
		return -errno;
	return 0;
}

int socket_listen(const struct listen_address *address, int backlog, int *ret_fd, struct error *e)
{
	_cleanup_(fd_closep)
	int fd = -1;
	union any_address any;
	socklen_t n = fill(address, &any);
	int one = 1, zero = 0, r;

	if (n == 0)
		return error_set(e, -EINVAL, "'%s' is no numeric address", address->text);
	fd = socket(any.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, -errno, "cannot create a socket: %s", error_name(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)); /* a quick restart */
	if (any.sa.sa_family == AF_INET6) /* whatever net.ipv6.bindv6only says */
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	r = bind_and_listen(fd, &any, n, backlog);
	if (r < 0)
		return error_set(e, r, "cannot listen on '%s': %s", address->text, error_name(r));
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* does anybody answer at this socket file? */
static bool is_live(const union any_address *address, socklen_t n)
{
	_cleanup_(fd_closep)
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, &address->sa, n) == 0;
}

/* left behind by one that died; bind() tells if it cannot go, or is something else */
static void remove_stale(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
}

int socket_listen_unix(const char *path, int backlog, int *ret_fd, struct error *e)
{
	_cleanup_(fd_closep)
	int fd = -1;
	union any_address any;
	mode_t mask;
	int r;

	memset(&any, 0, sizeof(any));
	any.un.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(any.un.sun_path))
		return error_set(e, -ENAMETOOLONG, "'%s' is too long for a Unix socket (%zu bytes)",
				 path, sizeof(any.un.sun_path) - 1);
	memcpy(any.un.sun_path, path, strlen(path) + 1);
	if (is_live(&any, sizeof(any.un)))
		return error_set(e, -EADDRINUSE, "another process is listening on '%s'", path);
	remove_stale(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(e, -errno, "cannot create a socket: %s", error_name(errno));
	mask = umask(0117); /* 0660 from the start: no moment in which others could connect */
	r = bind_and_listen(fd, &any, sizeof(any.un), backlog);
	(void)umask(mask); /* always succeeds */
	if (r < 0)
		return error_set(e, r, "cannot listen on '%s': %s", path, error_name(r));
	*ret_fd = steal_fd(&fd);
	return 0;
}

int socket_url(int fd, const char *scheme, char *out, size_t n)
{
	char host[INET6_ADDRSTRLEN];
	union any_address any;
	socklen_t size = sizeof(any);
	bool v6;
	int k;

	memset(&any, 0, sizeof(any));
	if (getsockname(fd, &any.sa, &size) < 0)
		return -errno;
	v6 = any.sa.sa_family == AF_INET6;
	if (!inet_ntop(any.sa.sa_family,
		       v6 ? (const void *)&any.in6.sin6_addr : (const void *)&any.in.sin_addr, host,
		       sizeof(host)))
		return -errno;
	k = snprintf(out, n, v6 ? "%s://[%s]:%d" : "%s://%s:%d", scheme, host,
		     ntohs(v6 ? any.in6.sin6_port : any.in.sin_port));
	return k < 0 || (size_t)k >= n ? -ENOSPC : 0;
}

bool socket_is_loopback(int fd)
{
	static const unsigned char mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
	union any_address any;
	socklen_t size = sizeof(any);

	memset(&any, 0, sizeof(any));
	if (getsockname(fd, &any.sa, &size) < 0)
		return false;
	if (any.sa.sa_family == AF_INET)
		return ntohl(any.in.sin_addr.s_addr) >> 24 == 127;
	if (any.sa.sa_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_LOOPBACK(&any.in6.sin6_addr) ||
	       memcmp(&any.in6.sin6_addr, mapped, sizeof(mapped)) == 0;
}
