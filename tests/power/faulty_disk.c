/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For LD_PRELOAD: writes to a store's files fail when the first byte of the file that
 * RISKHOOK_FAULTS names says so
 *
 *	'0' nothing   'i' EIO   'n' ENOSPC   'q' EDQUOT   's' fdatasync() is EIO
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const volatile char *control; /* shared with the test */

static __attribute__((constructor)) void open_control(void)
{
	const char *path = getenv("RISKHOOK_FAULTS");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p != MAP_FAILED)
		control = p;
}

static bool is_of_store(int fd)
{
	char link[64], path[4096];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return strstr(path, "events.db") && !strstr(path, "-shm");
}

/* Return: 0, or the errno with which this write is to fail */
static int write_error(int fd)
{
	int error = 0;

	if (!control || *control == '0')
		return 0;
	if (*control == 'i')
		error = EIO;
	if (*control == 'n')
		error = ENOSPC;
	if (*control == 'q')
		error = EDQUOT;
	return error && is_of_store(fd) ? error : 0;
}

static void *next(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p)
		abort();
	return p;
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) = next("pwrite64");
	int error = write_error(fd);

	if (!error)
		return real(fd, buf, n, offset);
	errno = error;
	return -1;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	ssize_t (*real)(int, const void *, size_t) = next("write");
	int error = write_error(fd);

	if (!error)
		return real(fd, buf, n);
	errno = error;
	return -1;
}

int fdatasync(int fildes)
{
	int (*real)(int) = next("fdatasync");

	if (!control || *control != 's' || !is_of_store(fildes))
		return real(fildes);
	errno = EIO;
	return -1;
}
