/* SPDX-License-Identifier: Apache-2.0 */
#include "core/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/fd.h"

struct place {
	char folder[64], path[96];
	struct error e;
};

static int make(void **state)
{
	static struct place p;

	p = (struct place){.folder = "/tmp/riskhook-socket-XXXXXX"};
	assert_non_null(mkdtemp(p.folder));
	(void)snprintf(p.path, sizeof(p.path), "%s/admin.sock", p.folder);
	*state = &p;
	return 0;
}

static int unmake(void **state)
{
	struct place *p = *state;

	(void)unlink(p->path); /* some tests leave it */
	return rmdir(p->folder);
}

static void listen_at(const char *text, int *ret_fd)
{
	struct listen_address address;
	struct error e = ERROR_INIT;

	assert_int_equal(listen_address_parse(slice_of(text), &address), 0);
	if (socket_listen(&address, 4, ret_fd, &e) < 0)
		fail_msg("%s", e.text);
	listen_address_deinit(&address);
}

static void test_knows_loopback(void **state)
{
	static const struct {
		const char *address;
		bool is_loopback;
	} cases[] = {
		{"127.0.0.1:0", true}, {"127.1.2.3:0", true}, {"0.0.0.0:0", false},
		{"[::1]:0", true},     {"[::]:0", false},     {"[::ffff:127.0.0.1]:0", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd;

		listen_at(cases[i].address, &fd);
		assert_int_equal(socket_is_loopback(fd), cases[i].is_loopback);
		fd_close(fd);
	}
	assert_false(socket_is_loopback(-1));
}

static bool can_connect(int fd)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t n = sizeof(address);
	int client;
	bool connected;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	client = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(client >= 0);
	connected = connect(client, (struct sockaddr *)&address, n) == 0;
	fd_close(client);
	return connected;
}

static void test_tcp(void **state)
{
	char url[128], tiny[10];
	int fd = -1;

	(void)state;
	listen_at("127.0.0.1:0", &fd);
	assert_true(can_connect(fd));
	assert_int_equal(socket_url(fd, "https", url, sizeof(url)), 0);
	assert_int_equal(strncmp(url, "https://127.0.0.1:", 18), 0);
	assert_true(strtol(url + 18, NULL, 10) > 0);
	assert_int_equal(socket_url(fd, "https", tiny, sizeof(tiny)), -ENOSPC);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fd_close(fd);
}

static void test_tcp_in_use(void **state)
{
	struct listen_address address;
	struct error e = ERROR_INIT;
	char url[128];
	int fd = -1, second = -1;

	(void)state;
	listen_at("127.0.0.1:0", &fd);
	assert_int_equal(socket_url(fd, "x", url, sizeof(url)), 0);
	assert_int_equal(listen_address_parse(slice_of(url + 4), &address), 0);
	assert_int_equal(socket_listen(&address, 4, &second, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, address.text));
	assert_int_equal(second, -1);
	listen_address_deinit(&address);
	fd_close(fd);
}

static void test_no_address(void **state)
{
	struct listen_address address = {.text = NULL, .host = "example.org", .port = 1};
	char text[] = "example.org:1";
	struct error e = ERROR_INIT;
	int fd = -1;

	(void)state;
	address.text = text;
	assert_int_equal(socket_listen(&address, 4, &fd, &e), -EINVAL);
	assert_non_null(strstr(e.text, "example.org"));
}

static void test_unix(void **state)
{
	struct place *p = *state;
	mode_t mask = umask(0);
	struct stat st;
	int fd = -1, second = -1;

	assert_int_equal(socket_listen_unix(p->path, 4, &fd, &p->e), 0);
	assert_int_equal(umask(mask), 0); /* as it was */
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_true(can_connect(fd));
	assert_int_equal(socket_listen_unix(p->path, 4, &second, &p->e), -EADDRINUSE);
	assert_true(can_connect(fd)); /* it was left alone */
	fd_close(fd);
}

static void test_unix_stale(void **state)
{
	struct place *p = *state;
	int fd = -1;

	assert_int_equal(socket_listen_unix(p->path, 4, &fd, &p->e), 0);
	fd_close(fd); /* the file stays, as after a crash */
	assert_int_equal(socket_listen_unix(p->path, 4, &fd, &p->e), 0);
	assert_true(can_connect(fd));
	fd_close(fd);
}

/* a wrong path in the configuration must not cost a file */
static void test_unix_spares_other_files(void **state)
{
	struct place *p = *state;
	int fd = open(p->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_int_equal(fd_write_all(fd, "precious", 8), 0);
	fd_close(fd);
	assert_int_equal(socket_listen_unix(p->path, 4, &fd, &p->e), -EADDRINUSE);
	assert_int_equal(access(p->path, F_OK), 0);
}

static void test_unix_path_too_long(void **state)
{
	struct place *p = *state;
	char path[200];
	int fd = -1;

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(socket_listen_unix(path, 4, &fd, &p->e), -ENAMETOOLONG);
	assert_non_null(strstr(p->e.text, "107 bytes"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_knows_loopback),
		TEST(test_tcp),
		TEST(test_tcp_in_use),
		TEST(test_no_address),
		TEST(test_unix),
		TEST(test_unix_stale),
		TEST(test_unix_spares_other_files),
		TEST(test_unix_path_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
