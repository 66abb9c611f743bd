/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher over a real store, with real programs and a real consumer
 *
 * Programs report on a FIFO that the test reads, so that nothing here sleeps. dispatcher_stop()
 * with a distant deadline waits until what is under way is committed; then the store tells the
 * outcome.
 */
#include "dispatch/dispatcher.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/config.h"
#include "intake/event.h"
#include "store/query.h"
#include "store/reader.h"
#include "store/store.h"
#include "util/thread.h"

#define N_HANDLERS 2
#define FAR_MS     120000

struct world {
	struct config config;
	struct handler_config handlers[N_HANDLERS];
	struct store *store;
	pthread_mutex_t mx;
	struct dispatcher *dispatcher; /* under mx for the store's thread; NULL: stopped */
	FILE *reports;                 /* the FIFO */
	char folder[32];
	char store_path[64], fifo[64], socket[64];
	char *words[N_HANDLERS][3];
	char scripts[N_HANDLERS][512];
};

static void on_events(void *arg)
{
	struct world *w = arg;

	mutex_lock(&w->mx);
	if (w->dispatcher)
		dispatcher_wake(w->dispatcher);
	mutex_unlock(&w->mx);
}

static void set_defaults(struct handler_config *h, char *name)
{
	h->name = name;
	h->timeout_ms = FAR_MS;
	h->concurrency = 4;
	h->window = 4;
	h->order = ORDER_EVALUATION;
	h->retry_initial_ms = 1;
	h->retry_max_ms = 2;
	h->retry_for_ms = FAR_MS;
}

static void world_init(struct world *w)
{
	static char first[] = "first", second[] = "second";

	*w = (struct world){.config.n_handlers = 0};
	(void)snprintf(w->folder, sizeof(w->folder), "/tmp/riskhook-test.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	(void)snprintf(w->store_path, sizeof(w->store_path), "%s/events.db", w->folder);
	(void)snprintf(w->fifo, sizeof(w->fifo), "%s/fifo", w->folder);
	(void)snprintf(w->socket, sizeof(w->socket), "%s/consumer.sock", w->folder);
	assert_int_equal(mkfifo(w->fifo, 0600), 0);
	w->reports = fopen(w->fifo, "r+e"); /* for writing too, so that it never ends */
	assert_non_null(w->reports);
	w->mx = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	w->config.store.path = w->store_path;
	w->config.store.max_pending = 10000;
	w->config.store.max_pending_bytes = 64 << 20;
	w->config.store.quarantine_max = 10;
	w->config.handlers = w->handlers;
	set_defaults(&w->handlers[0], first);
	set_defaults(&w->handlers[1], second);
	assert_int_equal(store_new(&w->config, on_events, w, &w->store, NULL), 0);
}

/* add a handler that runs a script; in it, %s is the FIFO */
static struct handler_config *add_script(struct world *w, const char *script)
{
	static char sh[] = "/bin/sh", minus_c[] = "-c";
	size_t i = w->config.n_handlers++;
	const char *at = strstr(script, "FIFO");

	assert_true(snprintf(w->scripts[i], sizeof(w->scripts[i]), "%.*s%s%s", (int)(at - script),
			     script, w->fifo, at + 4) < (int)sizeof(w->scripts[i]));
	w->words[i][0] = sh;
	w->words[i][1] = minus_c;
	w->words[i][2] = w->scripts[i];
	w->handlers[i].type = HANDLER_EXEC;
	w->handlers[i].command = (struct string_list){w->words[i], 3};
	return &w->handlers[i];
}

static void set_dispatcher(struct world *w, struct dispatcher *d)
{
	mutex_lock(&w->mx);
	w->dispatcher = d;
	mutex_unlock(&w->mx);
}

static void start(struct world *w)
{
	struct error e = ERROR_INIT;
	struct dispatcher *d = NULL;
	int r = dispatcher_new(&w->config, w->store, &d, &e);

	if (r == 0)
		r = dispatcher_start(d, &e);
	assert_string_equal(e.text, "");
	assert_int_equal(r, 0);
	set_dispatcher(w, d);
}

static void stop(struct world *w, int64_t wait_ms)
{
	struct dispatcher *d = w->dispatcher;

	dispatcher_stop(d, clock_monotonic_ms() + wait_ms);
	set_dispatcher(w, NULL);
	dispatcher_free(d);
}

static void world_deinit(struct world *w)
{
	char path[128];

	store_stop(w->store);
	store_free(w->store);
	(void)fclose(w->reports);
	for (size_t i = 0; i < 4; i++) {
		static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};

		(void)snprintf(path, sizeof(path), "%s%s", w->store_path, suffixes[i]);
		(void)unlink(path); /* some are there only sometimes */
	}
	(void)snprintf(path, sizeof(path), "%s.lock", w->store_path);
	(void)unlink(path);
	(void)unlink(w->socket);
	assert_int_equal(unlink(w->fifo), 0);
	assert_int_equal(rmdir(w->folder), 0);
}

static int64_t post(struct world *w, const char *eval_id, const char *event_id, const char *type)
{
	static const char body[] = "{\n\"a\":1}";
	struct event *event = calloc(1, sizeof(*event));
	struct event_op op = {.op = {.kind = STORE_OP_EVENT}, .event = event};

	assert_non_null(event);
	event->event_id = slice_of(event_id);
	event->event_type = slice_of(type);
	event->eval_id = slice_of(eval_id);
	event->category = CATEGORY_EVALUATION;
	op.body = slice_make(body, sizeof(body) - 1);
	op.from.endpoint = SLICE("riskos");
	op.from.received_at = clock_now_us();
	assert_int_equal(store_submit_wait(w->store, &op.op), 0);
	assert_int_equal(op.stored, EVENT_STORED);
	free(event);
	return op.seq;
}

static void expect_report(struct world *w, const char *expected)
{
	char line[128];

	assert_non_null(fgets(line, sizeof(line), w->reports));
	line[strcspn(line, "\n")] = '\0';
	assert_string_equal(line, expected);
}

/* the rows of a query as text: "column=value ..." for the columns that are asked for */
struct table {
	const char *const *columns;
	char text[4096];
};

static int print_row(const struct value *values, int n_values, void *arg)
{
	struct table *t = arg;
	size_t n = strlen(t->text);

	for (const char *const *column = t->columns; *column; column++) {
		for (int i = 0; i < n_values; i++) {
			if (strcmp(values[i].name, *column) != 0)
				continue;
			if (values[i].type == VALUE_INTEGER)
				n += (size_t)snprintf(t->text + n, sizeof(t->text) - n,
						      "%" PRId64 " ", values[i].integer);
			else
				n += (size_t)snprintf(t->text + n, sizeof(t->text) - n, "%.*s ",
						      SLICE_ARG(values[i].text));
		}
	}
	assert_true(n + 2 < sizeof(t->text));
	while (n > 0 && (t->text[n - 1] == ' ' || t->text[n - 1] == '\n'))
		n--;
	t->text[n] = '\n';
	t->text[n + 1] = '\0';
	return 0;
}

static void expect_deliveries(struct world *w, const char *expected)
{
	static const char *const columns[] = {"handler", "seq",    "state", "attempts",
					      "outcome", "reason", NULL};
	const struct delivery_filter all = {.limit = 0};
	struct table t = {.columns = columns};
	struct reader *reader;

	assert_int_equal(reader_open(w->store_path, &reader, NULL), 0);
	assert_int_equal(query_deliveries(reader, &all, print_row, &t), 0);
	reader_close(reader);
	assert_string_equal(t.text, expected);
}

static void expect_attempts(struct world *w, int64_t delivery, const char *expected)
{
	static const char *const columns[] = {"attempt", "outcome", "output", NULL};
	struct table t = {.columns = columns};
	struct reader *reader;

	assert_int_equal(reader_open(w->store_path, &reader, NULL), 0);
	assert_int_equal(query_attempts(reader, delivery, print_row, &t), 0);
	reader_close(reader);
	assert_string_equal(t.text, expected);
}

static void test_event_is_delivered(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	add_script(&w, "echo \"$RISKHOOK_SEQ $RISKHOOK_EVENT_TYPE $(wc -c)\" >FIFO; echo out");
	start(&w);
	(void)post(&w, "e-1", "id-1", "evaluation_completed");
	expect_report(&w, "1 evaluation_completed 8");
	stop(&w, FAR_MS);
	expect_deliveries(&w, "first 1 done 1 ok\n");
	expect_attempts(&w, 1, "1 ok out\n");
	world_deinit(&w);
}

static void test_events_from_before_the_start(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	(void)post(&w, "e-1", "id-1", "evaluation_completed");
	(void)post(&w, "e-2", "id-2", "evaluation_completed");
	add_script(&w, "echo $RISKHOOK_SEQ >FIFO")->concurrency = 1;
	start(&w);
	expect_report(&w, "1");
	expect_report(&w, "2");
	stop(&w, FAR_MS);
	world_deinit(&w);
}

static void test_only_what_matches(void **state)
{
	static char type[] = "Decision-Update";
	char *events[] = {type};
	struct world w;

	(void)state;
	world_init(&w);
	add_script(&w, "echo first $RISKHOOK_SEQ >FIFO")->events = (struct string_list){events, 1};
	add_script(&w, "echo second $RISKHOOK_SEQ >FIFO")->test_events = true;
	w.config.n_handlers = 1;
	start(&w);
	(void)post(&w, "e-1", "id-1", "evaluation_completed");
	(void)post(&w, "e-1", "id-2", "decision_update");
	expect_report(&w, "first 2");
	stop(&w, FAR_MS);
	expect_deliveries(&w, "first 2 done 1 ok\n");
	world_deinit(&w);
}

static void test_retry_until_it_works(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	add_script(&w, "echo $RISKHOOK_ATTEMPT >FIFO; test $RISKHOOK_ATTEMPT -ge 3 || exit 75");
	start(&w);
	(void)post(&w, "e-1", "id-1", "evaluation_completed");
	expect_report(&w, "1");
	expect_report(&w, "2");
	expect_report(&w, "3");
	stop(&w, FAR_MS);
	expect_deliveries(&w, "first 1 done 3 ok\n");
	world_deinit(&w);
}

static void test_dead_at_once(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	add_script(&w, "echo $RISKHOOK_ATTEMPT >FIFO; exit 65");
	start(&w);
	(void)post(&w, "e-1", "id-1", "evaluation_completed");
	expect_report(&w, "1");
	stop(&w, FAR_MS);
	expect_deliveries(&w, "first 1 dead 1 dead exit code 65\n");
	world_deinit(&w);
}

static void test_given_up_after_retry_for(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	add_script(&w, "echo $RISKHOOK_ATTEMPT >FIFO; exit 1")->retry_for_ms = 0;
	start(&w);
	(void)post(&w, "e-1", "id-1", "evaluation_completed");
	expect_report(&w, "1");
	stop(&w, FAR_MS);
	expect_deliveries(&w, "first 1 dead 1 retry exit code 1; given up, because retry_for is "
			      "over\n");
	world_deinit(&w);
}

static void test_order_within_an_evaluation(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	add_script(&w, "echo $RISKHOOK_SEQ $RISKHOOK_ATTEMPT >FIFO;"
		       "test $RISKHOOK_SEQ -eq 2 || test $RISKHOOK_ATTEMPT -ge 3 || exit 1");
	(void)post(&w, "e-1", "id-1", "evaluation_paused");
	(void)post(&w, "e-1", "id-2", "evaluation_completed");
	start(&w);
	expect_report(&w, "1 1");
	expect_report(&w, "1 2");
	expect_report(&w, "1 3");
	expect_report(&w, "2 1");
	stop(&w, FAR_MS);
	world_deinit(&w);
}

static void test_many_events(void **state)
{
	enum { MANY = 400 };
	static bool seen[MANY + 1];
	char line[32], id[16];
	struct world w;

	(void)state;
	world_init(&w);
	add_script(&w, "echo $RISKHOOK_SEQ >FIFO");
	start(&w);
	for (int i = 1; i <= MANY; i++) {
		(void)snprintf(id, sizeof(id), "id-%d", i);
		(void)post(&w, id, id, "evaluation_completed");
	}
	for (int i = 0; i < MANY; i++) {
		long seq;

		assert_non_null(fgets(line, sizeof(line), w.reports));
		seq = strtol(line, NULL, 10);
		assert_in_range(seq, 1, MANY);
		assert_false(seen[seq]);
		seen[seq] = true;
	}
	stop(&w, FAR_MS);
	world_deinit(&w);
}

static void test_stop_interrupts_and_the_next_start_goes_on(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	add_script(&w, "echo $RISKHOOK_ATTEMPT >FIFO;"
		       "test $RISKHOOK_ATTEMPT -ge 2 || exec sleep 1000");
	start(&w);
	(void)post(&w, "e-1", "id-1", "evaluation_completed");
	expect_report(&w, "1");
	stop(&w, 0);
	expect_deliveries(&w, "first 1 pending 1 interrupted riskhookd stopped\n");
	start(&w);
	expect_report(&w, "2");
	stop(&w, FAR_MS);
	expect_deliveries(&w, "first 1 done 2 ok\n");
	expect_attempts(&w, 1, "1 interrupted\n2 ok\n");
	world_deinit(&w);
}

static void test_missing_program(void **state)
{
	static char missing[] = "/nonexistent/hook";
	struct world w;

	(void)state;
	world_init(&w);
	add_script(&w, "echo second >FIFO");
	add_script(&w, "echo FIFO")->retry_for_ms = 0;
	w.words[1][0] = missing;
	start(&w);
	(void)post(&w, "e-1", "id-1", "evaluation_completed");
	expect_report(&w, "second");
	stop(&w, FAR_MS);
	expect_deliveries(&w, "first 1 done 1 ok\n"
			      "second 1 dead 1 failed cannot start '/nonexistent/hook': No such "
			      "file or directory; given up, because retry_for is over\n");
	world_deinit(&w);
}

/* as good as a full disk: no file of this process may grow beyond @limit; Return: the old limit */
static rlim_t set_file_size_limit(rlim_t limit)
{
	struct rlimit now;
	rlim_t old;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &now), 0);
	old = now.rlim_cur;
	now.rlim_cur = limit;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	return old;
}

static void test_result_survives_a_full_disk(void **state)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	char script[128];
	rlim_t limit;
	struct world w;
	int held;

	(void)state;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	world_init(&w);
	/* the program waits until the lock file is free */
	(void)snprintf(w.socket, sizeof(w.socket), "%s/lock", w.folder);
	(void)snprintf(script, sizeof(script), "echo started >FIFO; flock %s true", w.socket);
	add_script(&w, script);
	held = open(w.socket, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(held >= 0);
	assert_int_equal(flock(held, LOCK_EX), 0);
	start(&w);
	(void)post(&w, "e-1", "id-1", "evaluation_completed");
	expect_report(&w, "started");
	limit = set_file_size_limit(1);
	(void)fd_close(held);
	while (store_is_healthy(w.store)) /* until saving the result has failed */
		(void)nanosleep(&moment, NULL);
	(void)set_file_size_limit(limit);
	stop(&w, FAR_MS);
	expect_deliveries(&w, "first 1 done 1 ok\n");
	world_deinit(&w);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static FILE *accept_lines(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	FILE *lines;

	assert_true(fd >= 0);
	lines = fdopen(fd, "r");
	assert_non_null(lines);
	return lines;
}

static void expect_request(FILE *lines, const char *start)
{
	char line[1024];

	assert_non_null(fgets(line, sizeof(line), lines));
	assert_memory_equal(line, start, strlen(start));
	assert_non_null(strstr(line, "\"payload\":{ \"a\":1}}\n"));
}

static void say(FILE *lines, const char *text)
{
	assert_int_equal(fd_write_all(fileno(lines), text, strlen(text)), 0);
}

static void test_consumer_gets_the_window_and_no_more(void **state)
{
	struct world w;
	FILE *lines;
	int fd;

	(void)state;
	world_init(&w);
	w.config.n_handlers = 1;
	w.handlers[0].type = HANDLER_UNIX;
	w.handlers[0].socket = w.socket;
	w.handlers[0].concurrency = 1;
	w.handlers[0].window = 2;
	start(&w); /* nobody listens yet: that costs no attempt */
	(void)post(&w, "", "id-1", "evaluation_completed");
	(void)post(&w, "", "id-2", "evaluation_completed");
	(void)post(&w, "", "id-3", "evaluation_completed");
	fd = listen_at(w.socket);
	lines = accept_lines(fd);
	expect_request(lines, "{\"delivery\":1,\"attempt\":1,\"seq\":1,\"event_id\":\"id-1\",");
	expect_request(lines, "{\"delivery\":2,\"attempt\":1,\"seq\":2,");
	say(lines, "{\"delivery\":2,\"status\":\"ok\"}\n");
	expect_request(lines, "{\"delivery\":3,\"attempt\":1,\"seq\":3,");
	say(lines, "{\"delivery\":1,\"status\":\"dead\",\"reason\":\"no account\"}\n");
	(void)fclose(lines); /* without an answer to the third */
	lines = accept_lines(fd);
	expect_request(lines, "{\"delivery\":3,\"attempt\":2,\"seq\":3,");
	say(lines, "{\"delivery\":3,\"status\":\"ok\"}\n");
	stop(&w, FAR_MS);
	(void)fclose(lines);
	(void)fd_close(fd);
	expect_deliveries(&w, "first 1 dead 1 dead no account\n"
			      "first 2 done 1 ok\n"
			      "first 3 done 2 ok\n");
	world_deinit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_is_delivered),
		cmocka_unit_test(test_events_from_before_the_start),
		cmocka_unit_test(test_only_what_matches),
		cmocka_unit_test(test_retry_until_it_works),
		cmocka_unit_test(test_dead_at_once),
		cmocka_unit_test(test_given_up_after_retry_for),
		cmocka_unit_test(test_order_within_an_evaluation),
		cmocka_unit_test(test_many_events),
		cmocka_unit_test(test_stop_interrupts_and_the_next_start_goes_on),
		cmocka_unit_test(test_missing_program),
		cmocka_unit_test(test_result_survives_a_full_disk),
		cmocka_unit_test(test_consumer_gets_the_window_and_no_more),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
