/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store over calls that fail: the n-th one, for each n, of each kind
 *
 * Whatever fails, an op that was done with result 0 is in the store, one with an error is not, and
 * when the fault has gone the store works again by itself.
 */
#include <errno.h>
#include <string.h>

#include "../unit/store_bench.h"
#include "disk.h"
#include "store/reader.h"
#include "workload.h"

#define POSTS 16 /* enough for a checkpoint in this build */
#define LASTS 3  /* calls in a row that fail */
#define N_MAX 2000

static const char *const fault_names[DISK_FAULTS] = {
	[FAULT_EIO] = "EIO on write",         [FAULT_ENOSPC] = "ENOSPC on write",
	[FAULT_EDQUOT] = "EDQUOT on write",   [FAULT_EINTR] = "EINTR on write",
	[FAULT_SHORT] = "short write",        [FAULT_SYNC_EIO] = "EIO on fdatasync",
	[FAULT_SYNC_SLOW] = "slow fdatasync", [FAULT_OPEN] = "EMFILE on open",
	[FAULT_READ_EIO] = "EIO on read",     [FAULT_MEMORY] = "out of memory in SQLite",
};

/* does nothing go wrong because of it? */
static bool is_harmless(enum disk_fault fault)
{
	return fault == FAULT_EINTR || fault == FAULT_SHORT || fault == FAULT_SYNC_SLOW;
}

struct scene {
	struct place place;
	struct store *store;
	enum disk_fault fault;
	long nth;
	int n_failed;
	long n_met;
};

#define must(scene, condition)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s, call %ld: %s", fault_names[(scene)->fault], (scene)->nth,    \
				 #condition);                                                      \
	} while (0)

static int submit_event(struct scene *s, int number, int64_t *ret_seq)
{
	static char room[BODY_MAX];
	static struct event event;
	struct slice body = workload_body(number, BODY_EVENT, room);
	struct event_op op = {.op = {.kind = STORE_OP_EVENT},
			      .event = &event,
			      .body = body,
			      .from = {.endpoint = SLICE("riskos"), .received_at = 1}};
	int r;

	must(s, event_recognize(body, &event) == EVENT_OK);
	r = store_submit_wait(s->store, &op.op);
	if (r == 0)
		*ret_seq = op.seq;
	else
		s->n_failed++;
	return r;
}

static PRINTF_LIKE(2, 3) int64_t count(const struct scene *s, const char *fmt, ...)
{
	char sql[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(sql, sizeof(sql), fmt, ap);
	va_end(ap);
	return ask(&s->place, sql);
}

/* one delivery through all its states, as far as they come. Return: the last result */
static int deliver(struct scene *s, int64_t seq)
{
	struct route route = {.seq = seq, .handler = "h"};
	struct route_op op = {.op = {.kind = STORE_OP_ROUTE},
			      .routes = &route,
			      .n_routes = 1,
			      .routed_seq = seq,
			      .now = 1};
	struct begin_item item = {.delivery = 1, .attempt = 1};
	struct begin_op begin = {
		.op = {.kind = STORE_OP_BEGIN}, .items = &item, .n_items = 1, .now = 1};
	struct finish_op finish = {.op = {.kind = STORE_OP_FINISH},
				   .delivery = 1,
				   .attempt = 1,
				   .state = DELIVERY_DONE,
				   .now = 1};
	int r;

	r = store_submit_wait(s->store, &op.op);
	if (r == 0)
		r = store_submit_wait(s->store, &begin.op);
	if (r == 0 && item.began)
		r = store_submit_wait(s->store, &finish.op);
	s->n_failed += r < 0;
	return r;
}

static void play(struct scene *s)
{
	int results[POSTS], delivered = -1;
	int64_t seqs[POSTS] = {0}, seq = 0;

	disk_fail(s->fault, s->nth, LASTS);
	for (int i = 0; i < POSTS; i++) {
		results[i] = submit_event(s, i, &seqs[i]);
		if (i == 1 && results[0] == 0)
			delivered = deliver(s, seqs[0]);
	}
	s->n_met = disk_faults_met();
	disk_fail(s->fault, 0, 0);

	must(s, submit_event(s, POSTS, &seq) == 0); /* by itself */
	must(s, store_is_healthy(s->store));
	for (int i = 0; i < POSTS; i++) {
		must(s, count(s, "SELECT count(*) FROM events WHERE event_id = 'p-%d'", i) ==
				(results[i] == 0));
		must(s, results[i] < 0 ||
				count(s,
				      "SELECT count(*) FROM events JOIN payloads USING (seq)"
				      " WHERE seq = %" PRId64 " AND length(body) = body_bytes",
				      seqs[i]) == 1);
	}
	if (delivered == 0)
		must(s, count(s, "SELECT count(*) FROM deliveries WHERE state = 'done'") == 1);
	/* what was refused is posted again by its sender */
	for (int i = 0; i < POSTS; i++)
		must(s, submit_event(s, i, &seq) == 0 && (results[i] < 0 || seq == seqs[i]));
}

static void open_scene(struct scene *s)
{
	struct error e = ERROR_INIT;

	if (store_new(&s->place.config, NULL, NULL, &s->store, &e) < 0)
		fail_msg("%s, call %ld: %s", fault_names[s->fault], s->nth, e.text);
}

static void check_reopened(struct scene *s)
{
	open_scene(s);
	must(s, count(s, "SELECT count(*) = 17 FROM events") == 1);
	must(s, count(s, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") == 1);
	store_free(s->store);
}

/* dense at first, where each call is another one; then they repeat themselves */
static long next_n(long n)
{
	return n + 1 + n / 6;
}

static void run_while_it_works(enum disk_fault fault)
{
	struct scene s = {.fault = fault};
	long n_met = 1, n_tries = 0;
	int n_failed = 0;

	for (s.nth = 1; n_met > 0 && s.nth < N_MAX; s.nth = next_n(s.nth)) {
		s.n_failed = 0;
		place_make(&s.place);
		open_scene(&s);
		play(&s);
		n_met = s.n_met;
		store_free(s.store);
		check_reopened(&s);
		place_remove(&s.place);
		n_failed += s.n_failed;
		n_tries++;
	}
	print_message("# %s: %ld positions, %d ops refused\n", fault_names[fault], n_tries,
		      n_failed);
	if (is_harmless(fault))
		assert_int_equal(n_failed, 0);
}

/* store_new() over failing calls: it works or says why, and works when they do */
static void run_while_it_opens(enum disk_fault fault)
{
	struct scene s = {.fault = fault};
	long n_met = 1, n_refused = 0;

	for (s.nth = 1; n_met > 0 && s.nth < N_MAX; s.nth = next_n(s.nth)) {
		struct error e = ERROR_INIT;
		int64_t seq;
		int r;

		place_make(&s.place);
		disk_fail(fault, s.nth, LASTS);
		r = store_new(&s.place.config, NULL, NULL, &s.store, &e);
		n_met = disk_faults_met();
		disk_fail(fault, 0, 0);
		if (r < 0) {
			must(&s, e.text[0] != '\0');
			n_refused++;
			open_scene(&s);
		}
		must(&s, submit_event(&s, 0, &seq) == 0);
		store_free(s.store);
		must(&s, count(&s, "SELECT count(*) FROM events") == 1);
		place_remove(&s.place);
	}
	print_message("# opening, %s: %ld refusals\n", fault_names[fault], n_refused);
	if (is_harmless(fault))
		assert_int_equal(n_refused, 0);
}

/* a reader gets an error or the right rows, never a part of them */
static int count_jobs(struct reader *reader)
{
	struct job *jobs[POSTS];
	int n = queue_due(reader, "h", ORDER_EVALUATION, INT64_MAX, POSTS, jobs);

	for (int i = 0; i < n; i++)
		job_free(jobs[i]);
	return n;
}

static void run_while_it_reads(enum disk_fault fault)
{
	struct scene s = {.fault = fault};
	struct reader *reader = NULL;
	long n_met = 1;
	int64_t seq = 0;

	place_make(&s.place);
	open_scene(&s);
	must(&s, submit_event(&s, 0, &seq) == 0);
	(void)route_to(s.store, &s.place, seq, "h", 1);
	for (s.nth = 1; n_met > 0 && s.nth < N_MAX; s.nth++) {
		struct error e = ERROR_INIT;
		int n = 1;

		disk_fail(fault, s.nth, 1);
		if (reader_open(s.place.path, &reader, &e) == 0)
			n = count_jobs(reader);
		n_met = disk_faults_met();
		disk_fail(fault, 0, 0);
		must(&s, n == 1 || n < 0);
		if (reader) {
			must(&s, count_jobs(reader) == 1);
			reader_close(reader);
			reader = NULL;
		} else {
			must(&s, e.text[0] != '\0');
		}
	}
	store_free(s.store);
	place_remove(&s.place);
}

static void test_working(void **state)
{
	(void)state;
	for (int fault = 0; fault < DISK_FAULTS; fault++)
		run_while_it_works((enum disk_fault)fault);
}

static void test_opening(void **state)
{
	(void)state;
	for (int fault = 0; fault < DISK_FAULTS; fault++)
		run_while_it_opens((enum disk_fault)fault);
}

static void test_reading(void **state)
{
	static const enum disk_fault faults[] = {FAULT_READ_EIO, FAULT_MEMORY, FAULT_OPEN};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		run_while_it_reads(faults[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_working),
		cmocka_unit_test(test_opening),
		cmocka_unit_test(test_reading),
	};

	disk_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
