/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random walk through what can happen to the index of ids, beside a model of it: transactions
 * that are committed or rolled back, restarts, newest rows that are lost, an index that is emptied
 */
#include "id_bench.h"

#define STEPS       250
#define ROWS_MAX    600 /* in one transaction */
#define NUMBERS_MAX (STEPS * ROWS_MAX)
#define PROBES      12

struct walk {
	struct world *w;
	uint64_t random;
	int64_t serial; /* of the newest id */
	int64_t last;   /* the newest number */
	int64_t serial_of[NUMBERS_MAX];
};

/* xorshift64; @n: less than that */
static int64_t any(struct walk *k, int64_t n)
{
	k->random ^= k->random << 13;
	k->random ^= k->random >> 7;
	k->random ^= k->random << 17;
	return (int64_t)(k->random % (uint64_t)n);
}

static void add_some(struct walk *k, int64_t n)
{
	struct eval_id id;

	for (int64_t i = 0; i < n; i++) {
		struct slice text = id_of(&id, ++k->serial);

		k->last++;
		k->serial_of[k->last] = k->serial;
		assert_int_equal(add_with_key(k->w, text, id_key(text)), k->last);
	}
}

static void commit_some(struct walk *k)
{
	begin(k->w);
	add_some(k, 1 + any(k, ROWS_MAX));
	commit(k->w);
}

/* few, as one op that fails, or many, over a run's end */
static void roll_back_some(struct walk *k)
{
	int64_t last = k->last;

	begin(k->w);
	add_some(k, 1 + any(k, any(k, 2) ? 3 : ROWS_MAX));
	assert_int_equal(writer_rollback(k->w->writer), 0);
	k->last = last;
}

static void lose_some(struct walk *k)
{
	int64_t n = any(k, 4 * RUN);
	char sql[256];

	k->last = MAX_OF(k->last - n, 0);
	(void)snprintf(sql, sizeof(sql), LOSE("%lld"), (long long)k->last, (long long)k->last,
		       (long long)k->last);
	close_writer(k->w);
	run_sql(&k->w->place, sql);
	start(k->w, MERGE_N);
}

static void empty_one(struct walk *k)
{
	close_writer(k->w);
	run_sql(&k->w->place, any(k, 2) ? EMPTY("evaluation") : EMPTY("event"));
	start(k->w, MERGE_N);
}

static void step(struct walk *k)
{
	int64_t what = any(k, 100);

	if (what < 60)
		commit_some(k);
	else if (what < 85)
		roll_back_some(k);
	else if (what < 95)
		restart(k->w);
	else if (what < 98)
		lose_some(k);
	else
		empty_one(k);
}

/* some anywhere, more of the newer ones, the newest, and one that was rolled back or lost, or is
 * none yet */
static void look(struct walk *k)
{
	for (int i = 0; i < PROBES && k->last > 0; i++) {
		int64_t n = i % 3 == 0 ? k->last : MIN_OF(k->last, 4 * RUN);
		int64_t number = k->last - any(k, n);

		assert_is(k->w, k->serial_of[number], number);
	}
	if (k->last > 0)
		assert_is(k->w, k->serial_of[k->last], k->last);
	if (k->last < k->serial && k->serial_of[k->last] != k->serial)
		assert_unknown(k->w, k->serial);
	assert_unknown(k->w, k->serial + 1);
}

static void test_a_walk(void **state)
{
	struct walk *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	k->w = *state;
	k->random = 20261130;
	for (int i = 0; i < STEPS; i++) {
		step(k);
		look(k);
		if (i % 10 == 0)
			assert_nothing_is_missing(k->w);
	}
	for (int64_t number = 1; number <= k->last; number += 7)
		assert_is(k->w, k->serial_of[number], number);
	assert_true(ask_number(k->w, "SELECT merged FROM event_merge") > 10 * MERGE_N);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_WORLD(test_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
