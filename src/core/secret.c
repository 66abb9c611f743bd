/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret files
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config_parts.h"
#include "core/crypto.h"
#include "util/buf.h"
#include "util/fd.h"

/* where the service manager has put credentials for this process alone (systemd.exec(5)) */
static const char *credentials_directory(void)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");

	return directory && directory[0] == '/' ? directory : NULL;
}

static char *join(const char *directory, const char *name)
{
	struct buf path = BUF_INIT(8192);

	buf_printf(&path, "%s/%s", directory, name);
	return buf_steal(&path);
}

static bool is_within(const char *path, const char *directory)
{
	size_t n = directory ? strlen(directory) : 0;

	return n && strncmp(path, directory, n) == 0 && path[n] == '/';
}

/* Return: the path, which the caller frees, or NULL when out of memory */
static char *find_file(const char *directory, const char *name)
{
	const char *credentials = credentials_directory();
	char *path;

	if (name[0] == '/')
		return slice_dup(slice_of(name));
	if (credentials) {
		path = join(credentials, name);
		if (!path || access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return join(directory, name);
}

static int check_file(int fd, const char *path, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(e, -errno, "cannot look at '%s': %s", path, error_name(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(e, -EINVAL, "'%s' is not a regular file", path);
	if (st.st_mode & 077 && !is_within(path, credentials_directory()))
		return error_set(e, -EPERM,
				 "secret file '%s' is open to other users; run: chmod 600 %s", path,
				 path);
	return 0;
}

/* one newline at the end is the editor's, not the secret's */
static size_t without_newline(const char *p, size_t n)
{
	if (n && p[n - 1] == '\n')
		return n - (n > 1 && p[n - 2] == '\r' ? 2 : 1);
	return n;
}

static int check_content(const char *path, struct slice secret, struct error *e)
{
	if (secret.n > SECRET_MAX)
		return error_set(e, -EFBIG, "secret file '%s' is larger than %d bytes", path,
				 SECRET_MAX);
	if (slice_is_empty(secret))
		return error_set(e, -EINVAL, "secret file '%s' is empty; write the secret into it",
				 path);
	for (size_t i = 0; i < secret.n; i++)
		if ((unsigned char)secret.p[i] < 0x20 || secret.p[i] == 0x7f)
			return error_set(e, -EINVAL,
					 "secret file '%s' holds a control character or a second "
					 "line; it must hold the secret alone",
					 path);
	return 0;
}

static int read_open_file(int fd, const char *path, struct credential_config *credential,
			  struct error *e)
{
	char bytes[SECRET_MAX + 3]; /* with a newline, and one more to see that it is too large */
	size_t n;
	int r;

	r = check_file(fd, path, e);
	if (r < 0)
		return r;
	r = fd_read_up_to(fd, bytes, sizeof(bytes), &n);
	if (r < 0)
		return error_set(e, r, "cannot read '%s': %s", path, error_name(r));
	n = without_newline(bytes, n);
	r = check_content(path, slice_make(bytes, n), e);
	if (r == 0) {
		credential->secret = slice_dup(slice_make(bytes, n));
		credential->secret_n = n;
		if (!credential->secret)
			r = error_set(e, -ENOMEM, "out of memory");
	}
	secret_wipe(bytes, sizeof(bytes));
	return r;
}

static int fail_to_open(const char *path, int r, struct error *e)
{
	if (r == -ENOENT)
		return error_set(e, r,
				 "cannot open secret file '%s': %s; write the secret into it and "
				 "run: chmod 600 %s",
				 path, error_name(r), path);
	if (r == -EACCES)
		return error_set(e, r,
				 "cannot open secret file '%s': %s; give it to the user of "
				 "riskhookd, with: chown USER %s",
				 path, error_name(r), path);
	return error_set(e, r, "cannot open secret file '%s': %s", path, error_name(r));
}

int secret_read(const char *directory, const char *name, struct credential_config *credential,
		struct error *e)
{
	_cleanup_(freep)
	char *path = find_file(directory, name);
	_cleanup_(fd_closep)
	int fd = -1;
	int r;

	if (!path)
		return error_set(e, -ENOMEM, "out of memory");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return fail_to_open(path, -errno, e);
	r = read_open_file(fd, path, credential, e);
	if (r < 0)
		return r;
	credential->secret_path = steal_ptr(&path);
	return 0;
}
