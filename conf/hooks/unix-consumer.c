/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix-consumer SOCKET: take events from riskhookd over a Unix socket, print them, say ok
 *
 *	cc -o unix-consumer unix-consumer.c
 *	./unix-consumer /run/riskhookd-printer/events.sock
 *
 *	[handler printer]
 *	type = unix
 *	socket = /run/riskhookd-printer/events.sock
 *
 * Each line begins with {"delivery":NUMBER, and is answered by {"delivery":NUMBER,"status":"ok"}, or
 * "retry", or "dead". Use a JSON library (jansson, cJSON) for the rest of it. The same delivery can
 * come again: its "seq" tells.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int serve(int fd)
{
	FILE *in = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	long long delivery;
	int ok = in != NULL;

	while (ok && getline(&line, &size, in) > 0) {
		ok = sscanf(line, "{\"delivery\":%lld,", &delivery) == 1 && /* here: do something */
		     fputs(line, stdout) >= 0 && fflush(stdout) == 0 &&
		     dprintf(fd, "{\"delivery\":%lld,\"status\":\"ok\"}\n", delivery) > 0;
	}
	free(line);
	return in ? fclose(in) : close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, listener = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc != 2 || snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]) >=
				 (int)sizeof(address.sun_path)) {
		fputs("usage: unix-consumer SOCKET (at most 107 bytes)\n", stderr);
		return 64;
	}
	unlink(argv[1]); /* left by an earlier run */
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 8) < 0) {
		perror(argv[1]);
		return 1;
	}
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		serve(fd);
	return 1;
}
