/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/intake.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/clock.h"
#include "util/thread.h"

#define NOW_US   1000000
#define NOW_MS   5000
#define MAX_BODY 1000
#define FAILURES 3

static char n_riskos[] = "riskos", p_riskos[] = "/webhooks/riskos", n_open[] = "open",
	    p_open[] = "/open", n_token[] = "token", token[] = "t0ken";

struct world {
	struct prefix ten, proxy;
	struct endpoint_config endpoints[2];
	struct credential_config credentials[2];
	struct config config;
	struct gate *gate;
	struct intake *intake;
	struct request_head head; /* one that is let in */
	struct admission admission;
};

static void open_gate(struct world *w)
{
	assert_int_equal(intake_new(&w->config, w->gate, &w->intake, NULL), 0);
	gate_open(w->gate, w->intake);
}

static int make(void **state)
{
	static struct world w;

	w = (struct world){
		.endpoints = {{.name = n_riskos, .path = p_riskos, .allow_from = {&w.ten, 1}},
			      {.name = n_open, .path = p_open}},
		.credentials = {{.name = n_token,
				 .endpoint = n_riskos,
				 .type = CREDENTIAL_BEARER,
				 .secret = token,
				 .secret_n = sizeof(token) - 1}},
		.config = {.endpoints = w.endpoints,
			   .n_endpoints = 2,
			   .credentials = w.credentials,
			   .n_credentials = 1,
			   .server = {.max_body = MAX_BODY,
				      .auth_failures_max = FAILURES,
				      .auth_failures_window_ms = 1000,
				      .trusted_proxies = {&w.proxy, 1}},
			   .store = {.max_pending = 2, .max_pending_bytes = 100}},
		.head = {.path = SLICE("/webhooks/riskos"),
			 .is_post = true,
			 .authorization = SLICE("Bearer t0ken"),
			 .content_type = SLICE("application/json"),
			 .has_body = true,
			 .has_length = true,
			 .content_length = MAX_BODY},
	};
	assert_int_equal(prefix_parse(SLICE("10.0.0.0/8"), &w.ten), 0);
	assert_int_equal(prefix_parse(SLICE("127.0.0.1"), &w.proxy), 0);
	assert_int_equal(address_parse(SLICE("10.1.2.3"), &w.head.peer), 0);
	assert_int_equal(gate_new(&w.config, NULL, NULL, &w.gate, NULL), 0);
	open_gate(&w);
	*state = &w;
	return 0;
}

static int unmake(void **state)
{
	gate_free(((struct world *)*state)->gate);
	return 0;
}

static enum outcome decide(struct world *w)
{
	return intake_decide(w->intake, &w->head, (struct moment){NOW_US, NOW_MS}, NULL,
			     &w->admission);
}

static void test_admission(void **state)
{
	struct world *w = *state;

	assert_int_equal(decide(w), OUTCOME_NONE);
	assert_string_equal(w->admission.endpoint->config->name, "riskos");
	assert_string_equal(w->admission.credential, "token");
	assert_string_equal(w->admission.client.text, "10.1.2.3");
}

/* everything is wrong at once, and is put right from the first decision to the last */
static void test_order_of_decisions(void **state)
{
	struct world *w = *state;
	struct request_head good = w->head, *head = &w->head;

	*head = (struct request_head){
		.path = SLICE("/webhooks/riskos/"),
		.authorization = SLICE("Bearer wrong"),
		.content_type = SLICE("text/plain"),
		.has_length = true,
		.content_length = MAX_BODY + 1,
	};
	assert_int_equal(address_parse(SLICE("192.0.2.1"), &head->peer), 0);
	gate_stop(w->gate);

	assert_int_equal(decide(w), OUTCOME_NOT_FOUND);
	assert_null(w->admission.endpoint);
	head->path = good.path;
	assert_int_equal(decide(w), OUTCOME_METHOD_NOT_ALLOWED);
	head->is_post = true;
	assert_int_equal(decide(w), OUTCOME_ADDRESS_FORBIDDEN);
	head->peer = good.peer;
	for (int i = 0; i < FAILURES; i++)
		assert_int_equal(decide(w), OUTCOME_WRONG_CREDENTIAL);
	assert_null(w->admission.credential);
	assert_int_equal(decide(w), OUTCOME_THROTTLED);
	assert_int_equal(w->admission.wait_ms, 1000);
	assert_int_equal(address_parse(SLICE("10.1.2.4"), &head->peer), 0);
	head->authorization = good.authorization;
	assert_int_equal(decide(w), OUTCOME_TOO_LARGE);
	head->content_length = MAX_BODY;
	assert_int_equal(decide(w), OUTCOME_MEDIA_TYPE);
	head->content_type = good.content_type;
	assert_int_equal(decide(w), OUTCOME_STOPPING);
}

static void test_refused_before_the_credential_does_not_count(void **state)
{
	struct world *w = *state;

	w->head.authorization = SLICE("Bearer wrong");
	w->head.is_post = false;
	for (int i = 0; i < 10 * FAILURES; i++)
		assert_int_equal(decide(w), OUTCOME_METHOD_NOT_ALLOWED);
	w->head.is_post = true;
	w->head.authorization = SLICE_NULL;
	for (int i = 0; i < 10 * FAILURES; i++)
		assert_int_equal(decide(w), OUTCOME_NO_CREDENTIAL);
	w->head.authorization = SLICE("Bearer t0ken");
	assert_int_equal(decide(w), OUTCOME_NONE);
}

static void test_throttle_holds_up_the_right_credential_too(void **state)
{
	struct world *w = *state;

	w->head.authorization = SLICE("Bearer wrong");
	for (int i = 0; i < FAILURES; i++)
		assert_int_equal(decide(w), OUTCOME_WRONG_CREDENTIAL);
	w->head.authorization = SLICE("Bearer t0ken");
	assert_int_equal(decide(w), OUTCOME_THROTTLED);
	assert_int_equal(intake_decide(w->intake, &w->head, (struct moment){NOW_US, NOW_MS + 1000},
				       NULL, &w->admission),
			 OUTCOME_NONE);
}

static void test_an_endpoint_without_credentials_lets_nobody_in(void **state)
{
	struct world *w = *state;

	w->head.path = SLICE("/open");
	assert_int_equal(decide(w), OUTCOME_WRONG_CREDENTIAL);
	w->head.authorization = SLICE_NULL;
	assert_int_equal(decide(w), OUTCOME_NO_CREDENTIAL);
}

static void test_two_authorization_headers(void **state)
{
	struct world *w = *state;

	w->head.repeated_authorization = true;
	assert_int_equal(decide(w), OUTCOME_WRONG_CREDENTIAL);
}

static void test_expired_credential(void **state)
{
	struct world *w = *state;

	w->credentials[0].not_after_us = NOW_US;
	open_gate(w);
	assert_int_equal(decide(w), OUTCOME_EXPIRED_CREDENTIAL);
	assert_string_equal(w->admission.credential, "token"); /* for the log */
}

static void test_address_behind_a_proxy(void **state)
{
	struct world *w = *state;

	w->head.forwarded_for = SLICE("192.0.2.1"); /* 10.1.2.3 is no proxy: not believed */
	assert_int_equal(decide(w), OUTCOME_NONE);
	assert_int_equal(address_parse(SLICE("127.0.0.1"), &w->head.peer), 0);
	assert_int_equal(decide(w), OUTCOME_ADDRESS_FORBIDDEN);
	w->head.forwarded_for = SLICE("192.0.2.1, 10.9.9.9");
	assert_int_equal(decide(w), OUTCOME_NONE);
	assert_string_equal(w->admission.client.text, "10.9.9.9");
}

static void test_media_types(void **state)
{
	static const struct {
		const char *type;
		enum outcome outcome;
	} cases[] = {
		{NULL, OUTCOME_NONE},
		{"", OUTCOME_NONE},
		{"Application/JSON", OUTCOME_NONE},
		{" application/json ; charset=utf-8", OUTCOME_NONE},
		{"application/cloudevents+json", OUTCOME_NONE},
		{"application/json-seq", OUTCOME_MEDIA_TYPE},
		{"application/jsonp", OUTCOME_MEDIA_TYPE},
		{"text/json", OUTCOME_MEDIA_TYPE},
		{"text/html+json", OUTCOME_MEDIA_TYPE},
		{"application/x-www-form-urlencoded", OUTCOME_MEDIA_TYPE},
		{";", OUTCOME_MEDIA_TYPE},
		{"text/plain; application/json", OUTCOME_MEDIA_TYPE},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		w->head.content_type = slice_of(cases[i].type);
		if (decide(w) != cases[i].outcome)
			fail_msg("'%s'", cases[i].type);
	}
}

static void test_content_encodings(void **state)
{
	struct world *w = *state;

	w->head.content_encoding = SLICE("gzip");
	assert_int_equal(decide(w), OUTCOME_MEDIA_TYPE);
	w->head.content_encoding = SLICE_NULL;
	assert_int_equal(decide(w), OUTCOME_NONE);
}

static void test_length(void **state)
{
	struct world *w = *state;

	w->head.content_length = UINT64_MAX;
	assert_int_equal(decide(w), OUTCOME_TOO_LARGE);
	w->head.has_length = false; /* chunked: counted as it comes */
	assert_int_equal(decide(w), OUTCOME_NONE);
}

static void test_budgets(void **state)
{
	struct gate *gate = ((struct world *)*state)->gate;

	assert_true(gate_reserve(gate, 60));
	assert_false(gate_reserve(gate, 41));
	assert_true(gate_reserve(gate, 40)); /* what was refused took nothing */
	assert_true(gate_reserve(gate, 0));
	assert_false(gate_reserve(gate, 1));
	gate_release(gate, 60);
	assert_true(gate_reserve(gate, 60));
	gate_release(gate, 100);
	assert_true(gate_reserve_event(gate));
	assert_true(gate_reserve_event(gate));
	assert_false(gate_reserve_event(gate));
	gate_release_event(gate);
	assert_true(gate_reserve_event(gate));
	gate_release_event(gate);
	gate_release_event(gate);
	assert_int_equal(gate->pending_bytes, 0);
	assert_int_equal(gate->pending_events, 0);
}

static void *leave(void *arg)
{
	struct world *w = arg;

	gate_leave(w->gate, w->intake);
	return NULL;
}

static void test_drain(void **state)
{
	struct world *w = *state;
	pthread_t thread;

	assert_true(gate_drain(w->gate, 0));
	assert_ptr_equal(gate_enter(w->gate), w->intake);
	assert_false(gate_drain(w->gate, clock_monotonic_ms()));
	assert_int_equal(thread_start(&thread, "leave", leave, w), 0);
	assert_true(gate_drain(w->gate, INT64_MAX));
	thread_join(thread);
}

/* what is under way keeps what it began with, budgets count both together */
static void test_a_reload_while_a_request_is_under_way(void **state)
{
	struct world *w = *state;
	struct intake *old = gate_enter(w->gate);
	struct config after = w->config;

	after.server.max_body = MAX_BODY / 2;
	assert_true(gate_reserve(w->gate, 60));
	assert_int_equal(intake_new(&after, w->gate, &w->intake, NULL), 0);
	gate_open(w->gate, w->intake);
	assert_int_equal(decide(w), OUTCOME_TOO_LARGE);
	assert_int_equal(
		intake_decide(old, &w->head, (struct moment){NOW_US, NOW_MS}, NULL, &w->admission),
		OUTCOME_NONE);
	assert_false(gate_reserve(w->gate, 41));
	gate_release(w->gate, 60);
	assert_false(gate_drain(w->gate, clock_monotonic_ms()));
	gate_leave(w->gate, old);
	assert_true(gate_drain(w->gate, 0));
	open_gate(w); /* `after` goes out of scope */
}

static void test_throttle_counts_across_a_reload(void **state)
{
	struct world *w = *state;

	w->head.authorization = SLICE("Bearer wrong");
	for (int i = 0; i < FAILURES; i++)
		assert_int_equal(decide(w), OUTCOME_WRONG_CREDENTIAL);
	open_gate(w);
	assert_int_equal(decide(w), OUTCOME_THROTTLED);
	w->config.server.auth_failures_max = FAILURES + 1;
	open_gate(w);
	assert_int_equal(decide(w), OUTCOME_WRONG_CREDENTIAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_admission),
		TEST(test_order_of_decisions),
		TEST(test_refused_before_the_credential_does_not_count),
		TEST(test_throttle_holds_up_the_right_credential_too),
		TEST(test_an_endpoint_without_credentials_lets_nobody_in),
		TEST(test_two_authorization_headers),
		TEST(test_expired_credential),
		TEST(test_address_behind_a_proxy),
		TEST(test_media_types),
		TEST(test_content_encodings),
		TEST(test_length),
		TEST(test_budgets),
		TEST(test_drain),
		TEST(test_a_reload_while_a_request_is_under_way),
		TEST(test_throttle_counts_across_a_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
