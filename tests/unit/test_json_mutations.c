/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scan() compared with jansson: the fixtures as they are, cut at each byte, and mutated.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz/json_oracle.h"
#include "intake/json_scan.h"
#include "util/fd.h"
#include "util/macros.h"

#define FIXTURES    "tests/fixtures"
#define N_MUTATIONS 200000
#define SEED        0x5249534b484f4f4bULL

/* scan a copy that ends where its memory ends, so that a sanitizer sees every step beyond */
static int scan(const char *text, size_t n)
{
	struct json_value values[N_ORACLE_WANTS];
	char *exact = malloc(n ? n : 1);
	size_t error_at = 0;
	int r;

	assert_non_null(exact);
	memcpy(exact, text, n);
	r = json_scan(slice_make(exact, n), oracle_wants, N_ORACLE_WANTS, values, &error_at);
	assert_true(error_at <= n);
	free(exact);
	return r;
}

struct fixture {
	char name[256];
	char *text;
	size_t n;
};

struct fixtures {
	struct fixture list[128];
	size_t n;
};

static int load_fixture(struct fixture *f, const char *name)
{
	char path[512];

	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	(void)snprintf(path, sizeof(path), FIXTURES "/%s", f->name);
	return fd_read_file(path, 1 << 20, &f->text, &f->n);
}

static int is_json(const struct dirent *entry)
{
	return strstr(entry->d_name, ".json") != NULL;
}

/* in the order of their names, so that a seed means the same everywhere */
static int load_fixtures(void **state)
{
	struct fixtures *all = calloc(1, sizeof(*all));
	struct dirent **entries;
	int n = scandir(FIXTURES, &entries, is_json, alphasort), r = 0;

	*state = all;
	if (!all || n <= 0)
		return -1;
	for (int i = 0; i < n; i++) {
		if (r == 0 && all->n < ARRAY_SIZE(all->list))
			r = load_fixture(&all->list[all->n++], entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int free_fixtures(void **state)
{
	struct fixtures *all = *state;

	for (size_t i = 0; i < all->n; i++)
		free(all->list[i].text);
	free(all);
	return 0;
}

static void test_fixtures(void **state)
{
	const struct fixtures *all = *state;

	for (size_t i = 0; i < all->n; i++) {
		assert_int_equal(scan(all->list[i].text, all->list[i].n), JSON_OK);
		assert_null(json_oracle_disagreement(all->list[i].text, all->list[i].n));
	}
}

/* an object is complete only with its last brace */
static void test_fixtures_cut(void **state)
{
	const struct fixtures *all = *state;

	for (size_t i = 0; i < all->n; i++) {
		const struct fixture *f = &all->list[i];
		const char *brace = memrchr(f->text, '}', f->n);

		assert_non_null(brace);
		for (size_t n = 0; f->n < 6000 && n <= (size_t)(brace - f->text); n++)
			assert_int_equal(scan(f->text, n), JSON_E_MALFORMED);
	}
}

/* --- mutations --- */

/* xorshift64*; the test must see the same texts on every machine */
static uint64_t next_random(uint64_t *state, uint64_t bound)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545F4914F6CDD1DULL >> 16) % bound;
}

/* what is put in: bytes and words that matter to the grammar */
static const struct slice insertions[] = {
	SLICE("\""),
	SLICE("\\"),
	SLICE("{"),
	SLICE("}"),
	SLICE("["),
	SLICE("]"),
	SLICE(","),
	SLICE(":"),
	SLICE(" "),
	SLICE("\n         "),
	SLICE("\t"),
	SLICE("0"),
	SLICE("-"),
	SLICE("1e9"),
	SLICE("1e400"),
	SLICE("18446744073709551616"),
	SLICE("."),
	SLICE("0.5"),
	SLICE("true"),
	SLICE("null"),
	SLICE("\\u0000"),
	SLICE("\\ud83d"),
	SLICE("\\ude00"),
	SLICE("\\ud83d\\ude00"),
	SLICE("\\u0061"),
	SLICE("\\n"),
	SLICE("\xC3\xA9"),
	SLICE("\xF0\x9F\x98\x80"),
	SLICE("\xED\xA0\x80"),
	SLICE("\x80"),
	SLICE("\0"),
	SLICE("\x1f"),
	SLICE("\x7f"),
	SLICE("\xEF\xBB\xBF"),
	SLICE("\"data\":{\"eval_id\":\"y\"},"),
	SLICE("\"event_id\":[],"),
	SLICE("\"\\u0064ata\":1,"),
	SLICE("[[[[[[[["),
	SLICE("\"\":"),
};

static size_t replace(char *text, size_t n, size_t at, size_t cut, struct slice with)
{
	memmove(text + at + with.n, text + at + cut, n - at - cut);
	memcpy(text + at, with.p, with.n);
	return n - cut + with.n;
}

static size_t mutate(char *text, size_t n, size_t cap, uint64_t *random)
{
	size_t at = next_random(random, n + 1);
	size_t cut = next_random(random, MIN_OF(n - at, 12) + 1);
	struct slice with = insertions[next_random(random, ARRAY_SIZE(insertions))];
	char copy[64];

	switch (next_random(random, 5)) {
	case 0: /* one other byte */
		if (at < n)
			text[at] = (char)next_random(random, 0x100);
		return n;
	case 1: /* something less */
		return replace(text, n, at, cut, SLICE(""));
	case 2: /* something twice, at another place */
		memcpy(copy, text + at, cut);
		with = slice_make(copy, cut);
		at = next_random(random, n + 1);
		cut = 0;
		break;
	case 3: /* something in place of something */
		break;
	default: /* something more */
		cut = 0;
		break;
	}
	return n + with.n <= cap ? replace(text, n, at, cut, with) : n;
}

static void run_mutation(const struct fixture *f, uint64_t *random, bool *ret_is_accepted)
{
	size_t n_changes = 1 + next_random(random, 4), n = f->n;
	char text[2048];
	const char *wrong;

	memcpy(text, f->text, n);
	while (n_changes-- > 0)
		n = mutate(text, n, sizeof(text), random);
	wrong = json_oracle_disagreement(text, n);
	if (wrong)
		fail_msg("%s in a mutation of %s:\n%.*s", wrong, f->name, (int)n, text);
	*ret_is_accepted = scan(text, n) == JSON_OK;
}

static void test_mutations(void **state)
{
	const struct fixtures *all = *state;
	uint64_t random = SEED;
	size_t n_accepted = 0, n_run = 0;

	print_message("%d mutations from seed 0x%llx\n", N_MUTATIONS, (unsigned long long)SEED);
	while (n_run < N_MUTATIONS) {
		const struct fixture *f = &all->list[next_random(&random, all->n)];
		bool is_accepted;

		if (f->n > 800)
			continue;
		run_mutation(f, &random, &is_accepted);
		n_accepted += is_accepted;
		n_run++;
	}
	print_message("%zu of them well-formed\n", n_accepted);
	assert_in_range(n_accepted, N_MUTATIONS / 20, N_MUTATIONS * 19 / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_fixtures_cut),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests_name("json_mutations", tests, load_fixtures, free_fixtures);
}
