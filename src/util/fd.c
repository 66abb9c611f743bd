/* SPDX-License-Identifier: Apache-2.0 */
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd); /* Linux frees the descriptor whatever close() says */
	errno = saved;
	return -1;
}

int fd_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t k = write(fd, at, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

int fd_read_up_to(int fd, char *p, size_t max, size_t *ret_n)
{
	size_t n = 0;

	while (n < max) {
		ssize_t k = read(fd, p + n, max - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		n += (size_t)k;
	}
	*ret_n = n;
	return 0;
}

int fd_read_file(const char *path, size_t max, char **ret_p, size_t *ret_n)
{
	size_t n = 0;
	char *p;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	p = malloc(max + 1); /* one more than allowed shows that the file is too large */
	if (!p) {
		fd_close(fd);
		return -ENOMEM;
	}
	r = fd_read_up_to(fd, p, max + 1, &n);
	fd_close(fd);
	if (r == 0 && n > max)
		r = -EFBIG;
	if (r < 0) {
		free(p);
		return r;
	}
	p[n] = '\0';
	*ret_p = p;
	*ret_n = n;
	return 0;
}

int fd_set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}
