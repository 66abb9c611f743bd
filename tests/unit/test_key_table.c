/* SPDX-License-Identifier: Apache-2.0 */
#include "store/key_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define N 5000

/* spread evenly, each once: the finalizer of SplitMix64 is a bijection */
static int64_t key_of(uint64_t i)
{
	i += 0x9e3779b97f4a7c15;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9;
	i = (i ^ i >> 27) * 0x94d049bb133111eb;
	return (int64_t)(i ^ i >> 31);
}

static int setup(void **state)
{
	static struct key_table t;

	t = KEY_TABLE_NULL;
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	key_table_deinit(*state);
	return 0;
}

static void add(struct key_table *t, int64_t key, int64_t number)
{
	assert_int_equal(key_table_add(t, key, number), 0);
}

static int64_t number_of(const struct key_table *t, int64_t key)
{
	const struct key_entry *entry = key_table_find(t, key, NULL);

	if (!entry)
		return 0;
	assert_int_equal(entry->key, key);
	return entry->number;
}

static void test_an_empty_table(void **state)
{
	struct key_table *t = *state;
	size_t at = 0;

	assert_null(key_table_find(t, 0, NULL));
	assert_null(key_table_next(t, &at));
	key_table_drop_behind(t, 2);
	assert_int_equal(key_table_keep_from(t, 1), 0);
	assert_int_equal(t->n, 0);
}

static void test_what_was_added_is_found(void **state)
{
	struct key_table *t = *state;

	for (int i = 1; i <= N; i++) {
		add(t, key_of((uint64_t)i), i);
		assert_int_equal(number_of(t, key_of((uint64_t)i)), i);
	}
	assert_int_equal(t->n, N);
	for (int i = 1; i <= N; i++)
		assert_int_equal(number_of(t, key_of((uint64_t)i)), i);
	for (int i = N + 1; i <= 2 * N; i++)
		assert_int_equal(number_of(t, key_of((uint64_t)i)), 0);
}

/* the lowest and the highest keys, of which the last has its slot beyond the end */
static void test_the_edges(void **state)
{
	static const int64_t keys[] = {INT64_MIN, INT64_MIN + 1, -1,       0,
				       1,         INT64_MAX - 1, INT64_MAX};
	struct key_table *t = *state;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		add(t, keys[i], (int64_t)i + 1);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		assert_int_equal(number_of(t, keys[i]), i + 1);
	assert_null(key_table_find(t, INT64_MAX - 2, NULL));
}

static void test_a_key_with_several_numbers(void **state)
{
	struct key_table *t = *state;
	const struct key_entry *entry = NULL;
	bool seen[4] = {false};

	for (int i = 1; i <= 3; i++) {
		add(t, 7, i);
		add(t, 8, 10 + i);
	}
	for (int i = 1; i <= 3; i++) {
		entry = key_table_find(t, 7, entry);
		assert_non_null(entry);
		assert_false(seen[entry->number]);
		seen[entry->number] = true;
	}
	assert_null(key_table_find(t, 7, entry));
}

/* what merging relies on: each entry once, and keys that are neighbours close together */
static void test_a_walk_meets_the_keys_in_order(void **state)
{
	struct key_table *t = *state;
	const struct key_entry *entry;
	int64_t highest = INT64_MIN;
	int n = 0, n_late = 0;
	size_t at = 0;

	for (int i = 1; i <= N; i++)
		add(t, key_of((uint64_t)i), i);
	while ((entry = key_table_next(t, &at))) {
		assert_int_equal(entry->key, key_of((uint64_t)entry->number));
		n++;
		/* another one was in its slot before: it is a few slots late, of 8192 */
		if (entry->key < highest) {
			n_late++;
			assert_true((uint64_t)highest - (uint64_t)entry->key < UINT64_MAX / 100);
		} else {
			highest = entry->key;
		}
	}
	assert_int_equal(n, N);
	assert_true(n_late < N / 2);
}

static void test_what_is_kept(void **state)
{
	struct key_table *t = *state;

	for (int i = 1; i <= N; i++)
		add(t, key_of((uint64_t)i), i);
	key_table_drop_behind(t, 1999);
	assert_int_equal(key_table_keep_from(t, 1000), 0);
	assert_int_equal(t->n, 1000);
	for (int i = 1; i <= N; i++)
		assert_int_equal(number_of(t, key_of((uint64_t)i)), i >= 1000 && i <= 1999 ? i : 0);
	assert_int_equal(key_table_keep_from(t, N), 0);
	assert_int_equal(t->n, 0);
}

static void test_what_is_dropped(void **state)
{
	struct key_table *t = *state;
	const struct key_entry *entry, *where;
	size_t at = 0;

	for (int i = 1; i <= 100; i++)
		add(t, key_of((uint64_t)i), i);
	add(t, 7, 101); /* in one cluster, of which the first two go */
	add(t, 7, 102);
	add(t, 7, 3);
	where = key_table_find(t, key_of(50), NULL);
	key_table_drop_behind(t, 50);
	assert_int_equal(t->n, 51);
	assert_ptr_equal(key_table_find(t, key_of(50), NULL), where);
	for (int i = 1; i <= 100; i++)
		assert_int_equal(number_of(t, key_of((uint64_t)i)), i <= 50 ? i : 0);
	assert_int_equal(number_of(t, 7), 3);
	for (int n = 0; (entry = key_table_next(t, &at)) || n != 51; n++)
		assert_true(entry && entry->number <= 50);
	add(t, 7, 51);
	assert_int_equal(number_of(t, 7), 51); /* where the first one was */
	assert_int_equal(t->n_dropped, 51);
}

/* slots that were dropped are used again, or cleared out before there are too many */
static void test_what_is_dropped_takes_no_room(void **state)
{
	struct key_table *t = *state;
	unsigned int bits;

	for (int i = 1; i <= 100; i++)
		add(t, key_of((uint64_t)i), i);
	bits = t->bits;
	for (int i = 101; i <= 4 * N; i++) {
		add(t, key_of((uint64_t)i), i);
		key_table_drop_behind(t, 100);
		assert_true(t->n + t->n_dropped <= ((size_t)1 << bits) / 4 * 3);
	}
	assert_int_equal(t->bits, bits);
	assert_int_equal(t->n, 100);
	for (int i = 1; i <= N; i++)
		assert_int_equal(number_of(t, key_of((uint64_t)i)), i <= 100 ? i : 0);
}

/* after very many it is as small as it was, but not after half of them */
static void test_it_shrinks(void **state)
{
	struct key_table *t = *state;
	unsigned int few, many;

	add(t, key_of(1), 1);
	few = t->bits;
	for (int i = 2; i <= 16 * N; i++)
		add(t, key_of((uint64_t)i), i);
	many = t->bits;
	assert_true(many > few);
	key_table_drop_behind(t, 8 * N);
	assert_int_equal(key_table_keep_from(t, 1), 0);
	assert_int_equal(t->bits, many);
	key_table_drop_behind(t, N / 2);
	assert_int_equal(key_table_keep_from(t, 1), 0);
	assert_true(t->bits > few && t->bits < many);
	for (int i = 1; i <= N; i++)
		assert_int_equal(number_of(t, key_of((uint64_t)i)), i <= N / 2 ? i : 0);
	key_table_drop_behind(t, 1);
	assert_int_equal(key_table_keep_from(t, 1), 0);
	assert_int_equal(t->bits, few);
	assert_int_equal(number_of(t, key_of(1)), 1);
	for (int i = 2; i <= N; i++)
		add(t, key_of((uint64_t)i), i);
	assert_int_equal(number_of(t, key_of(N)), N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_empty_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_was_added_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_edges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_key_with_several_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_walk_meets_the_keys_in_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_dropped_takes_no_room, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_it_shrinks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
