/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a token request gets: RFC 6749 sections 2.3.1, 3.3, 4.4 and 5.2
 */
#include "intake/token_endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "intake/token_params.h"
#include "manual.h"

#define MANUAL     "src/intake/riskhook-http.7"
#define FORM       "application/x-www-form-urlencoded"
#define JSON       "application/json"
#define GRANT      "grant_type=client_credentials"
#define RIGHT      "Basic cmlza29zOnMzY3JldA==" /* riskos:s3cret */
#define N_OF(text) (sizeof(text) - 1)

static char e_riskos[] = "riskos", e_closed[] = "closed";
static char plain_id[] = "riskos", plain_secret[] = "s3cret", next_secret[] = "n3xt";
static char odd_id[] = "Jürgen:100%+x", odd_secret[] = "a+b%3A c:€";
static char closed_id[] = "closed", over_id[] = "over";

#define CLIENT(name_, endpoint_, id_, secret_)                                                     \
	{                                                                                          \
		.name = (name_), .endpoint = (endpoint_), .type = CREDENTIAL_OAUTH_CLIENT,         \
		.client_id = (id_), .secret = (secret_), .secret_n = N_OF(secret_),                \
		.token_ttl_ms = 60000                                                              \
	}

static char c_plain[] = "plain", c_next[] = "next", c_odd[] = "odd", c_closed[] = "closed",
	    c_over[] = "over", c_basic[] = "basic";

static struct credential_config credentials[] = {
	{.name = c_basic,
	 .endpoint = e_riskos,
	 .type = CREDENTIAL_BASIC,
	 .username = plain_id,
	 .secret = odd_secret,
	 .secret_n = N_OF(odd_secret)},
	CLIENT(c_plain, e_riskos, plain_id, plain_secret),
	CLIENT(c_next, e_riskos, plain_id, next_secret),
	CLIENT(c_odd, e_riskos, odd_id, odd_secret),
	CLIENT(c_closed, e_closed, closed_id, plain_secret),
	CLIENT(c_over, e_riskos, over_id, plain_secret),
};

static struct prefix nobody = {.address = {[10] = 0xff, 0xff, 192, 0, 2, 0}, .bits = 120};
static struct endpoint_config endpoints[] = {{.name = e_riskos},
					     {.name = e_closed, .allow_from = {&nobody, 1}}};

static const struct config config = {
	.endpoints = endpoints,
	.n_endpoints = ARRAY_SIZE(endpoints),
	.credentials = credentials,
	.n_credentials = ARRAY_SIZE(credentials),
};

static int make(void **state)
{
	struct clients *clients = NULL;

	credentials[5].not_after_us = 500;
	assert_int_equal(clients_new(&config, &clients), 0);
	assert_true(clients_any(clients));
	*state = clients;
	return 0;
}

static int unmake(void **state)
{
	clients_free(*state);
	return 0;
}

struct asked {
	const char *type, *authorization, *body;
	enum token_outcome outcome;
	const char *credential; /* whose it is, or NULL */
};

static enum token_outcome ask(struct clients *clients, const struct asked *a,
			      const struct client **ret_client)
{
	struct token_post post = {
		.authorization = slice_of(a->authorization),
		.content_type = slice_of(a->type),
		.body = slice_of(a->body),
	};

	return token_decide(clients, &post, 1000, ret_client);
}

static void assert_asked(struct clients *clients, const struct asked *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct client *client = NULL;
		enum token_outcome outcome = ask(clients, &cases[i], &client);
		const char *whose = client ? client->credential : "nobody";

		if (outcome != cases[i].outcome)
			fail_msg("%zu: %s %s: %d (%s)", i, cases[i].authorization, cases[i].body,
				 (int)outcome, token_rule(outcome)->word);
		assert_string_equal(whose, cases[i].credential ? cases[i].credential : "nobody");
	}
}

static void test_client_secret_basic(void **state)
{
	static const struct asked cases[] = {
		{FORM, RIGHT, GRANT, TOKEN_ISSUED, "plain"},
		{NULL, RIGHT, GRANT, TOKEN_ISSUED, "plain"},
		{FORM "; charset=UTF-8", "basic  cmlza29zOnMzY3JldA", GRANT, TOKEN_ISSUED, "plain"},
		{FORM, "Basic cmlza29zOm4zeHQ=", GRANT, TOKEN_ISSUED, "next"}, /* rotated */
		/* form-encoded as section 2.3.1 asks for: J%C3%BCrgen%3A100%25%2Bx and the secret
		 */
		{FORM, "Basic SiVDMyVCQ3JnZW4lM0ExMDAlMjUlMkJ4OmElMkJiJTI1M0ErYyUzQSVFMiU4MiVBQw==",
		 GRANT, TOKEN_ISSUED, "odd"},
		{FORM, RIGHT, GRANT "&client_id=riskos", TOKEN_ISSUED, "plain"}, /* 3.2.1 */
		{FORM, RIGHT, GRANT "&client_id=&client_secret=", TOKEN_ISSUED, "plain"},
		{FORM, RIGHT, GRANT "&client_id=other", TOKEN_TWO_WAYS, NULL},
		{FORM, RIGHT, GRANT "&client_secret=s3cret", TOKEN_TWO_WAYS, NULL},
		{FORM, "Basic cmlza29zOnMzY3JlVA==", GRANT, TOKEN_WRONG_CLIENT, NULL},
		{FORM, "Basic cmlza29zOg==", GRANT, TOKEN_WRONG_CLIENT, NULL},
		{FORM, "Basic cmlza29z", GRANT, TOKEN_WRONG_CLIENT, NULL},
		{FORM, "Basic !!!!", GRANT, TOKEN_WRONG_CLIENT, NULL},
		{FORM, "Basic", GRANT, TOKEN_WRONG_CLIENT, NULL},
		{FORM, "Basic ", GRANT, TOKEN_WRONG_CLIENT, NULL},
		{FORM, "", GRANT, TOKEN_WRONG_CLIENT, NULL},
		{FORM, "Bearer s3cret", GRANT, TOKEN_WRONG_CLIENT, NULL},
		/* the password of a Basic credential is no client's secret */
		{FORM, "Basic cmlza29zOmErYiUzQSBjOuKCrA==", GRANT, TOKEN_WRONG_CLIENT, NULL},
	};

	assert_asked(*state, cases, ARRAY_SIZE(cases));
}

static void test_client_secret_post(void **state)
{
	static const struct asked cases[] = {
		{FORM, NULL, GRANT "&client_id=riskos&client_secret=s3cret", TOKEN_ISSUED, "plain"},
		{FORM, NULL, "client%5Fsecret=s3c%72et&client_id=riskos&" GRANT, TOKEN_ISSUED,
		 "plain"},
		{FORM, NULL,
		 GRANT "&client_id=J%C3%BCrgen%3a100%25%2bx&client_secret=a%2Bb%253A+c:%E2%82%AC",
		 TOKEN_ISSUED, "odd"},
		{FORM, NULL, GRANT "&client_id=riskos&client_secret=S3cret", TOKEN_WRONG_CLIENT,
		 NULL},
		{FORM, NULL, GRANT "&client_id=riskos", TOKEN_NO_CLIENT, NULL},
		{FORM, NULL, GRANT "&client_secret=s3cret", TOKEN_NO_CLIENT, NULL},
		{FORM, NULL, "", TOKEN_NO_CLIENT, NULL},
		{JSON, NULL,
		 "{\"grant_type\":\"client_credentials\",\"client_id\":\"riskos\","
		 "\"client_secret\":\"s3cret\"}",
		 TOKEN_ISSUED, "plain"},
		{JSON, NULL,
		 " { \"audience\" : [{\"client_id\":\"x\"}, \"]}\\\"\"] , \"client_\\u0069d\" : "
		 "\"J\\u00fcrgen:100%+x\" ,\"scope\":null,"
		 "\"client_secret\":\"a+b%3A c:\\u20AC\", \"grant_type\":\"client_credentials\" } ",
		 TOKEN_ISSUED, "odd"},
		{"Application/JSON;charset=utf-8", RIGHT, "{\"grant_type\":\"client_credentials\"}",
		 TOKEN_ISSUED, "plain"},
	};

	assert_asked(*state, cases, ARRAY_SIZE(cases));
}

static void test_malformed_requests(void **state)
{
	static const struct asked cases[] = {
		{"text/plain", RIGHT, GRANT, TOKEN_BAD_TYPE, NULL},
		{"multipart/form-data", RIGHT, GRANT, TOKEN_BAD_TYPE, NULL},
		{FORM, RIGHT, "grant_type=%", TOKEN_BAD_BODY, NULL},
		{FORM, RIGHT, "grant_type=%4", TOKEN_BAD_BODY, NULL},
		{FORM, RIGHT, "grant_type=%zz", TOKEN_BAD_BODY, NULL},
		{FORM, RIGHT, GRANT "&%=", TOKEN_BAD_BODY, NULL},
		{FORM, RIGHT, GRANT "&" GRANT, TOKEN_REPEATED, NULL},
		{FORM, RIGHT, GRANT "&scope=&scope=", TOKEN_REPEATED, NULL},
		{FORM, RIGHT, GRANT "&grant%5ftype=password", TOKEN_REPEATED, NULL},
		{FORM, NULL, GRANT "&client_id=a&client_id=b&client_secret=c", TOKEN_REPEATED,
		 NULL},
		{JSON, RIGHT, "", TOKEN_BAD_BODY, NULL},
		{JSON, RIGHT, GRANT, TOKEN_BAD_BODY, NULL},
		{JSON, RIGHT, "[]", TOKEN_BAD_BODY, NULL},
		{JSON, RIGHT, "\"grant_type\"", TOKEN_BAD_BODY, NULL},
		{JSON, RIGHT, "{\"grant_type\":1}", TOKEN_BAD_BODY, NULL},
		{JSON, RIGHT, "{\"grant_type\":[\"client_credentials\"]}", TOKEN_BAD_BODY, NULL},
		{JSON, RIGHT, "{\"grant_type\":\"a\",\"grant_type\":\"a\"}", TOKEN_REPEATED, NULL},
		{JSON, RIGHT, "{\"scope\":null,\"sc\\u006fpe\":null}", TOKEN_REPEATED, NULL},
		{JSON, RIGHT, "{\"grant_type\":\"client_credentials\"", TOKEN_BAD_BODY, NULL},
		{JSON, RIGHT, "{}", TOKEN_NO_GRANT_TYPE, "plain"},
		{FORM, RIGHT, "grant_type=", TOKEN_NO_GRANT_TYPE, "plain"},
		{FORM, RIGHT, "&&=&x", TOKEN_NO_GRANT_TYPE, "plain"},
		{FORM, RIGHT, "grant_type=password&username=a", TOKEN_WRONG_GRANT_TYPE, "plain"},
		{FORM, RIGHT, "grant_type=client_credentials%00", TOKEN_WRONG_GRANT_TYPE, "plain"},
		{FORM, RIGHT, "grant_type=Client_credentials", TOKEN_WRONG_GRANT_TYPE, "plain"},
	};
	struct token_post post = {.authorization = SLICE(RIGHT), .body = SLICE(GRANT)};
	const struct client *client;

	assert_asked(*state, cases, ARRAY_SIZE(cases));
	post.repeated_authorization = true;
	assert_int_equal(token_decide(*state, &post, 1000, &client), TOKEN_REPEATED);
	post.repeated_authorization = false;
	post.is_encoded = true;
	assert_int_equal(token_decide(*state, &post, 1000, &client), TOKEN_BAD_TYPE);
}

static void test_scope(void **state)
{
	static const struct asked cases[] = {
		{FORM, RIGHT, GRANT "&scope=", TOKEN_ISSUED, "plain"},
		{FORM, RIGHT, GRANT "&scope=riskos.events", TOKEN_ISSUED, "plain"},
		{FORM, RIGHT, GRANT "&scope=a+b!%23%5B%5D~", TOKEN_ISSUED, "plain"},
		{FORM, RIGHT, GRANT "&scope=+a", TOKEN_BAD_SCOPE, "plain"},
		{FORM, RIGHT, GRANT "&scope=a+", TOKEN_BAD_SCOPE, "plain"},
		{FORM, RIGHT, GRANT "&scope=a++b", TOKEN_BAD_SCOPE, "plain"},
		{FORM, RIGHT, GRANT "&scope=a%22", TOKEN_BAD_SCOPE, "plain"},
		{FORM, RIGHT, GRANT "&scope=a%5c", TOKEN_BAD_SCOPE, "plain"},
		{FORM, RIGHT, GRANT "&scope=a%0a", TOKEN_BAD_SCOPE, "plain"},
		{FORM, RIGHT, GRANT "&scope=%c3%bc", TOKEN_BAD_SCOPE, "plain"},
	};

	assert_asked(*state, cases, ARRAY_SIZE(cases));
}

static void test_who_may(void **state)
{
	static const struct asked cases[] = {
		{FORM, NULL, GRANT "&client_id=over&client_secret=s3cret", TOKEN_EXPIRED_CLIENT,
		 "over"},
		{FORM, NULL, GRANT "&client_id=closed&client_secret=s3cret",
		 TOKEN_ADDRESS_FORBIDDEN, "closed"},
		{FORM, NULL, GRANT "&client_id=closed&client_secret=wrong", TOKEN_WRONG_CLIENT,
		 NULL},
	};
	struct token_post post = {
		.body = SLICE(GRANT "&client_id=closed&client_secret=s3cret"),
	};
	const struct client *client;

	assert_asked(*state, cases, ARRAY_SIZE(cases));
	assert_int_equal(address_parse(SLICE("192.0.2.9"), &post.from), 0);
	assert_int_equal(token_decide(*state, &post, 1000, &client), TOKEN_ISSUED);
	post.body = SLICE(GRANT "&client_id=over&client_secret=s3cret");
	assert_int_equal(token_decide(*state, &post, 499, &client), TOKEN_ISSUED);
}

/* a hash is as good; once it was seen right it needs no second scrypt */
static void test_a_hashed_secret(void **state)
{
	static char hash[256];
	char *made = password_hash_new(SLICE("s3cret"));
	struct credential_config hashed = CLIENT(c_plain, e_riskos, plain_id, plain_secret);
	struct config with_hash = config;
	struct clients *clients = NULL;
	const struct asked right = {FORM, RIGHT, GRANT, TOKEN_ISSUED, "plain"},
			   wrong = {FORM, "Basic cmlza29zOm4zeHQ=", GRANT, TOKEN_WRONG_CLIENT,
				    NULL};

	(void)state;
	assert_non_null(made);
	(void)snprintf(hash, sizeof(hash), "%s", made);
	free(made);
	hashed.secret = NULL;
	hashed.client_secret_hash = hash;
	with_hash.credentials = &hashed;
	with_hash.n_credentials = 1;
	assert_int_equal(clients_new(&with_hash, &clients), 0);
	assert_asked(clients, &wrong, 1);
	for (int i = 0; i < 1000; i++)
		assert_asked(clients, &right, 1);
	assert_asked(clients, &wrong, 1);
	clients_free(clients);
}

static void test_every_outcome_has_its_answer(void **state)
{
	(void)state;
	for (int i = 0; i < TOKEN_OUTCOMES; i++) {
		const struct token_rule *rule = token_rule((enum token_outcome)i);
		struct buf body = BUF_INIT(TOKEN_ANSWER_MAX);

		assert_true(rule->status >= 200 && rule->status < 600 && rule->status != 500);
		assert_non_null(rule->word);
		assert_true(!rule->error == (rule->status == 200));
		token_render((enum token_outcome)i, "t", 60, &body);
		assert_int_equal(buf_error(&body), 0);
		buf_deinit(&body);
	}
}

static void test_the_bounds_of_a_body(void **state)
{
	static char body[TOKEN_BODY_MAX + 1];
	static struct token_params params;

	(void)state;
	memset(body, 'a', sizeof(body));
	memcpy(body, "scope=", 6);
	assert_int_equal(token_params_from_form(slice_make(body, TOKEN_BODY_MAX), &params),
			 PARAMS_OK);
	assert_int_equal(params.values[PARAM_SCOPE].n, TOKEN_BODY_MAX - 6);
	assert_int_equal(token_params_from_form(slice_make(body, sizeof(body)), &params),
			 PARAMS_E_MALFORMED);
	memset(body, '[', sizeof(body));
	assert_int_equal(token_params_from_json(slice_make(body, TOKEN_BODY_MAX), &params),
			 PARAMS_E_MALFORMED);
	memset(body, '&', sizeof(body));
	assert_int_equal(token_params_from_form(slice_make(body, TOKEN_BODY_MAX), &params),
			 PARAMS_OK);
}

/* the three of 401 are one answer to the client */
static bool is_named_before(enum token_outcome outcome)
{
	for (int i = 0; i < (int)outcome; i++)
		if (token_rule((enum token_outcome)i)->error &&
		    strcmp(token_rule((enum token_outcome)i)->description,
			   token_rule(outcome)->description) == 0)
			return true;
	return false;
}

static void test_the_manual_lists_every_answer_and_no_other(void **state)
{
	struct manual manual = manual_open(MANUAL, "THE TOKEN ENDPOINT");
	size_t n = 0;

	(void)state;
	for (int i = 0; i < TOKEN_OUTCOMES; i++) {
		const struct token_rule *rule = token_rule((enum token_outcome)i);
		char name[256];

		if (!rule->error)
			continue; /* a token: it is above the list */
		(void)snprintf(name, sizeof(name), "%s: %s", rule->error, rule->description);
		manual_check_headers(&manual, manual_item(&manual, rule->status, name),
				     rule->retry_after_s, rule->close);
		n += !is_named_before((enum token_outcome)i);
	}
	assert_int_equal(manual_count(&manual), n);
	manual_close(&manual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_secret_basic),
		cmocka_unit_test(test_client_secret_post),
		cmocka_unit_test(test_malformed_requests),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_who_may),
		cmocka_unit_test(test_a_hashed_secret),
		cmocka_unit_test(test_every_outcome_has_its_answer),
		cmocka_unit_test(test_the_bounds_of_a_body),
		cmocka_unit_test(test_the_manual_lists_every_answer_and_no_other),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
