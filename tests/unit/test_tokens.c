/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens: in memory, on disk, and that both say the same
 */
#include "store/token_store.h"

#include <string.h>

#include "core/crypto.h"
#include "store/query.h"
#include "store/reader.h"
#include "store_bench.h"

#define HOUR_US (3600LL * 1000000)

static const struct token_owner owner = {SLICE("riskos"), SLICE("oauth"), SLICE("client")};

static struct token token_of(int n, int64_t issued_at)
{
	return (struct token){
		.digest = sha256_of(&n, sizeof(n)),
		.owner = owner,
		.issued_at = issued_at,
		.expires_at = issued_at + HOUR_US,
	};
}

static void add(struct tokens *t, int n, int64_t issued_at)
{
	struct token token = token_of(n, issued_at);

	assert_int_equal(tokens_add(t, &token, issued_at), 0);
}

static enum token_state state_of(struct tokens *t, int n, int64_t now)
{
	struct token token = token_of(n, 0);

	return tokens_find(t, &token.digest, &owner, now);
}

static void test_a_token_is_good_until_it_expires(void **state)
{
	_cleanup_(tokens_freep)
	struct tokens *t = NULL;

	(void)state;
	assert_int_equal(tokens_new(&t), 0);
	assert_int_equal(state_of(t, 1, 0), TOKEN_UNKNOWN);
	add(t, 1, 10);
	assert_int_equal(state_of(t, 1, 10), TOKEN_VALID);
	assert_int_equal(state_of(t, 1, 10 + HOUR_US - 1), TOKEN_VALID);
	assert_int_equal(state_of(t, 1, 10 + HOUR_US), TOKEN_EXPIRED);
	assert_int_equal(state_of(t, 2, 10), TOKEN_UNKNOWN);
	/* remembered for a while, then forgotten when the next one comes */
	add(t, 2, 9 + HOUR_US + TOKEN_MEMORY_US);
	assert_int_equal(state_of(t, 1, HOUR_US * 2), TOKEN_EXPIRED);
	add(t, 3, 10 + HOUR_US + TOKEN_MEMORY_US);
	assert_int_equal(state_of(t, 1, HOUR_US * 2), TOKEN_UNKNOWN);
	assert_int_equal(tokens_count(t), 2);
}

static void test_a_token_opens_nothing_else(void **state)
{
	static const struct token_owner others[] = {
		{SLICE("other"), SLICE("oauth"), SLICE("client")},
		{SLICE("riskos"), SLICE("other"), SLICE("client")},
		{SLICE("riskos"), SLICE("oauth"), SLICE("other")},
		{SLICE("riskos"), SLICE("oauthc"), SLICE("lient")},
	};
	_cleanup_(tokens_freep)
	struct tokens *t = NULL;
	struct token token = token_of(1, 0);

	(void)state;
	assert_int_equal(tokens_new(&t), 0);
	add(t, 1, 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(tokens_find(t, &token.digest, &others[i], 0), TOKEN_UNKNOWN);
}

static void test_the_oldest_of_a_credential_go_first(void **state)
{
	_cleanup_(tokens_freep)
	struct tokens *t = NULL;
	struct token other = token_of(-1, 0);

	(void)state;
	assert_int_equal(tokens_new(&t), 0);
	other.owner.credential = SLICE("other");
	assert_int_equal(tokens_add(t, &other, 0), 0);
	for (int i = 0; i < TOKENS_MAX + 5; i++)
		add(t, i, i);
	assert_int_equal(tokens_count(t), TOKENS_MAX + 1);
	for (int i = 0; i < TOKENS_MAX + 5; i++)
		assert_int_equal(state_of(t, i, 0), i < 5 ? TOKEN_UNKNOWN : TOKEN_VALID);
	assert_int_equal(tokens_find(t, &other.digest, &other.owner, 0), TOKEN_VALID);
}

static void test_revoke(void **state)
{
	_cleanup_(tokens_freep)
	struct tokens *t = NULL;
	struct token token = token_of(2, 20), other = token_of(9, 0);
	struct token_choice one = {.has_id = true};
	struct token_choice all = {.credential = SLICE("oauth")};

	(void)state;
	assert_int_equal(tokens_new(&t), 0);
	other.owner.credential = SLICE("other");
	assert_int_equal(tokens_add(t, &other, 0), 0);
	for (int i = 1; i <= 4; i++)
		add(t, i, i * 10LL);
	memcpy(one.id, token.digest.bytes, TOKEN_ID_BYTES);
	assert_int_equal(tokens_revoke(t, &one), 1);
	assert_int_equal(state_of(t, 2, 0), TOKEN_UNKNOWN);
	assert_int_equal(tokens_revoke(t, &one), 0);
	assert_int_equal(tokens_revoke(t, &all), 3);
	assert_int_equal(state_of(t, 4, 0), TOKEN_UNKNOWN);
	assert_int_equal(tokens_find(t, &other.digest, &other.owner, 0), TOKEN_VALID);
}

/* ---- on disk ---- */

static void store_token(struct store *store, const struct token *token)
{
	struct token_op op = {
		.op = {.kind = STORE_OP_TOKEN}, .token = *token, .address = SLICE("192.0.2.1")};

	assert_int_equal(store_submit_wait(store, &op.op), 0);
}

static struct tokens *load(struct place *p, int64_t now)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	struct tokens *t = NULL;
	struct error e = ERROR_INIT;

	assert_int_equal(reader_open(p->path, &reader, &e), 0);
	assert_int_equal(tokens_new(&t), 0);
	assert_int_equal(token_store_load(reader, t, now), 0);
	return t;
}

static int count_row(const struct value *values, int n_values, void *arg)
{
	assert_string_equal(values[0].name, "token");
	assert_int_equal(values[0].text.n, 2 * TOKEN_ID_BYTES);
	assert_int_equal(n_values, 7);
	(*(int *)arg)++;
	return 0;
}

static int listed(struct place *p, int64_t now)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	struct error e = ERROR_INIT;
	int n = 0;

	assert_int_equal(reader_open(p->path, &reader, &e), 0);
	assert_int_equal(query_tokens(reader, now, count_row, &n), 0);
	return n;
}

static int64_t revoke_stored(struct store *store, const struct token_choice *choice, int64_t now)
{
	struct token_revoke_op op = {
		.op = {.kind = STORE_OP_TOKEN_REVOKE}, .choice = *choice, .now = now};

	assert_int_equal(store_submit_wait(store, &op.op), 0);
	return op.n_revoked;
}

static void test_the_store_follows_the_same_rules(void **state)
{
	struct place p;
	struct store *store;
	struct tokens *t;

	(void)state;
	place_make(&p);
	store = open_store_at(&p);
	for (int i = 0; i < TOKENS_MAX + 3; i++) {
		struct token token = token_of(i, i);

		store_token(store, &token);
	}
	t = load(&p, 0);
	assert_int_equal(tokens_count(t), TOKENS_MAX);
	assert_int_equal(state_of(t, 2, 0), TOKEN_UNKNOWN);
	assert_int_equal(state_of(t, 3, 0), TOKEN_VALID);
	assert_int_equal(state_of(t, TOKENS_MAX + 2, 0), TOKEN_VALID);
	tokens_free(t);
	assert_int_equal(listed(&p, 0), TOKENS_MAX);
	assert_int_equal(listed(&p, HOUR_US + TOKENS_MAX), 2); /* the others have expired */
	store_free(store);
	place_remove(&p);
}

static void test_the_store_forgets_what_expired_and_what_is_revoked(void **state)
{
	struct token old = token_of(1, 0), fresh = token_of(2, HOUR_US + TOKEN_MEMORY_US);
	struct token_choice choice = {.has_id = true};
	struct place p;
	struct store *store;

	(void)state;
	place_make(&p);
	store = open_store_at(&p);
	store_token(store, &old);
	memcpy(choice.id, fresh.digest.bytes, TOKEN_ID_BYTES);
	assert_int_equal(revoke_stored(store, &choice, 0), 0);
	store_token(store, &fresh);
	assert_sql(&p, "count(*) = 1 FROM tokens");
	choice.credential = SLICE("other");
	assert_int_equal(revoke_stored(store, &choice, 0), 0);
	choice.credential = SLICE_NULL;
	assert_int_equal(revoke_stored(store, &choice, 0), 1);
	store_token(store, &old);
	choice = (struct token_choice){.credential = SLICE("oauth")};
	assert_int_equal(revoke_stored(store, &choice, HOUR_US), 0); /* it has expired */
	assert_sql(&p, "count(*) = 0 FROM tokens");
	store_free(store);
	place_remove(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_token_is_good_until_it_expires),
		cmocka_unit_test(test_a_token_opens_nothing_else),
		cmocka_unit_test(test_the_oldest_of_a_credential_go_first),
		cmocka_unit_test(test_revoke),
		cmocka_unit_test(test_the_store_follows_the_same_rules),
		cmocka_unit_test(test_the_store_forgets_what_expired_and_what_is_revoked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
