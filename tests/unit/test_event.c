/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_recognize(): every fixture against tests/fixtures/index.json, then each rule on its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/crypto.h"
#include "intake/event.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include "util/hex.h"
#include "util/macros.h"
#include "util/units.h"

#define FIXTURES  "tests/fixtures"
#define A10       "aaaaaaaaaa"
#define A100      A10 A10 A10 A10 A10 A10 A10 A10 A10 A10
#define A500      A100 A100 A100 A100 A100
#define A512      A500 A10 "aa"
#define AT(text)  at_of(SLICE(text))
#define ENVELOPE  "\"event_id\":\"e\",\"event_type\":"
#define DIGEST_N  (sizeof("sha256:") - 1 + 2 * SHA256_SIZE)
#define MEMBER(m) offsetof(struct event, m)

/* one event at a time: the slices of the last one borrow from it */
static struct event event;

static const struct event *recognized(struct slice body)
{
	int r = event_recognize(body, &event);

	if (r != EVENT_OK)
		fail_msg("outcome %d at %zu: %.*s", r, event.error_at, SLICE_ARG(body));
	return &event;
}

static void assert_text(struct slice found, struct slice expected, const char *what)
{
	if (!slice_eq(found, expected))
		fail_msg("%s: '%.*s', not '%.*s'", what, SLICE_ARG(found), SLICE_ARG(expected));
}

static int64_t at_of(struct slice text)
{
	int64_t at;

	assert_int_equal(time_parse(text, &at), 0);
	return at;
}

/* --- fixtures --- */

static struct slice json_slice(const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);

	return json_is_string(value)
		       ? slice_make(json_string_value(value), json_string_length(value))
		       : SLICE_NULL;
}

static void assert_identity(const struct event *e, const json_t *row, struct slice body)
{
	struct sha256 digest = sha256_of(body.p, body.n);
	struct slice expected = json_slice(row, "identity_value");
	char derived[DIGEST_N + 1] = "sha256:";

	hex_encode(digest.bytes, SHA256_SIZE, derived + strlen(derived));
	assert_text(slice_of(strchr(derived, ':') + 1), json_slice(row, "sha256"), "sha256");
	assert_int_equal(e->id_derived, slice_is_empty(expected));
	assert_text(e->event_id, e->id_derived ? slice_of(derived) : expected, "identity");
}

static void assert_fixture(const json_t *row)
{
	_cleanup_(freep)
	char *body = NULL;
	const struct event *e;
	char path[512];
	size_t n;

	(void)snprintf(path, sizeof(path), FIXTURES "/%s",
		       json_string_value(json_object_get(row, "file")));
	if (fd_read_file(path, 1 << 20, &body, &n) != 0)
		fail_msg("cannot read %s", path);
	e = recognized(slice_make(body, n));
	if (json_is_string(json_object_get(row, "canonical_type")))
		assert_text(e->event_type, json_slice(row, "canonical_type"), path);
	assert_text(slice_of(event_category_name(e->category)), json_slice(row, "category"), path);
	assert_text(e->original_type, json_slice(row, "event_type"), path);
	assert_text(e->eval_id, json_slice(row, "eval_id"), path);
	assert_text(e->decision, json_slice(row, "decision"), path);
	assert_text(e->environment, json_slice(row, "environment"), path);
	assert_int_equal(e->test, json_is_true(json_object_get(row, "is_test_delivery")));
	assert_identity(e, row, slice_make(body, n));
}

static void test_fixtures(void **state)
{
	json_t *index = json_load_file(FIXTURES "/index.json", 0, NULL);
	const json_t *rows = json_object_get(index, "fixtures");

	(void)state;
	assert_true(json_array_size(rows) >= 45);
	for (size_t i = 0; i < json_array_size(rows); i++)
		assert_fixture(json_array_get(rows, i));
	json_decref(index);
}

/* --- outcomes --- */

static void test_outcomes(void **state)
{
	(void)state;
	assert_int_equal(event_recognize(SLICE_NULL, &event), EVENT_E_NOT_JSON);
	assert_int_equal(event.error_at, 0);
	assert_int_equal(event_recognize(SLICE("{\"a\":tru}"), &event), EVENT_E_NOT_JSON);
	assert_int_equal(event.error_at, 8);
	assert_int_equal(event_recognize(SLICE("[]"), &event), EVENT_E_NOT_OBJECT);
	assert_int_equal(event_recognize(SLICE("\"event_id\""), &event), EVENT_E_NOT_OBJECT);
	assert_int_equal(event_recognize(SLICE("{}"), &event), EVENT_OK);
}

/* --- texts: which place counts --- */

struct text_case {
	size_t member;
	const char *body;
	const char *expected; /* "": not given */
};

static void assert_cases(const struct text_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct event *e = recognized(slice_of(cases[i].body));
		const char *member = (const char *)e + cases[i].member;

		assert_text(*(const struct slice *)(const void *)member,
			    slice_of(cases[i].expected), cases[i].body);
	}
}

#define ID(body, expected)                                                                         \
	{                                                                                          \
		MEMBER(event_id), body, expected                                                   \
	}

static void test_identity(void **state)
{
	static const struct text_case cases[] = {
		ID("{\"event_id\":\"a\",\"eventReferenceId\":\"b\"}", "a"),
		ID("{\"event_id\":\"\",\"eventReferenceId\":\"b\"}", "b"),
		ID("{\"event_id\":null,\"eventReferenceId\":\"b\"}", "b"),
		ID("{\"event_id\":{},\"eventReferenceId\":\"b\"}", "b"),
		ID("{\"event_id\":true,\"eventReferenceId\":\"b\"}", "b"),
		ID("{\"event_id\":[\"x\"],\"eventReferenceId\":\"b\"}", "b"),
		ID("{\"event_id\":12345678901234567890123}", "12345678901234567890123"),
		ID("{\"event_id\":-1.50}", "-1.50"),
		ID("{\"eventReferenceId\":\"b\",\"data\":{\"eventReferenceId\":\"c\"}}", "b"),
		ID("{\"data\":{\"eventReferenceId\":\"c\"},\"id\":\"d\",\"event\":{}}", "c"),
		ID("{\"id\":\"d\",\"event\":{\"eventReferenceId\":\"f\"}}", "d"),
		ID("{\"id\":\"\",\"event\":{\"eventReferenceId\":\"f\"}}", "f"),
		ID("{\"id\":7,\"event\":{}}", "7"),
		ID("{\"event\":{\"eventReferenceId\":\"f\"}}", "f"),
		/* escapes, also in the key; a NUL becomes U+FFFD */
		ID("{\"\\u0065vent_id\":\"\\u0061\\n\"}", "a\n"),
		ID("{\"event_id\":\"\\u0000\"}", "\xEF\xBF\xBD"),
		/* the last one counts */
		ID("{\"event_id\":\"a\",\"event_id\":\"b\"}", "b"),
		/* up to the limit as it is */
		ID("{\"event_id\":\"" A512 "\"}", A512),
		ID("{\"event_id\":\"\\u0061" A500 A10 "a\"}", A512),
	};

	(void)state;
	assert_cases(cases, ARRAY_SIZE(cases));
}

static void assert_derived(struct slice body)
{
	const struct event *e = recognized(body);
	struct sha256 digest = sha256_of(body.p, body.n);
	char expected[DIGEST_N + 1] = "sha256:";

	hex_encode(digest.bytes, SHA256_SIZE, expected + strlen(expected));
	assert_true(e->id_derived);
	assert_text(e->event_id, slice_of(expected), "derived");
}

static void test_identity_derived(void **state)
{
	(void)state;
	assert_derived(SLICE("{}"));
	assert_derived(SLICE("{\"event_id\":\"\"}"));
	/* `id` is the customer's own unless `event` is an object */
	assert_derived(SLICE("{\"id\":\"x\"}"));
	assert_derived(SLICE("{\"id\":\"x\",\"event\":\"y\"}"));
	assert_derived(SLICE("{\"id\":\"x\",\"data\":{\"id\":\"y\"}}"));
	assert_derived(SLICE("{\"nested\":{\"event_id\":\"x\"}}"));
}

/* --- texts: how long they may be --- */

static struct slice long_id(struct slice body)
{
	static char text[DIGEST_N];
	const struct event *e = recognized(body);

	assert_false(e->id_derived);
	assert_int_equal(e->event_id.n, DIGEST_N);
	assert_true(slice_starts_nocase(e->event_id, SLICE("sha256:")));
	assert_true(slice_eq(e->eval_id, e->event_id));
	memcpy(text, e->event_id.p, DIGEST_N);
	return slice_make(text, DIGEST_N);
}

/* two long identities that differ stay different, though neither fits */
static void test_long_ids(void **state)
{
	char first[DIGEST_N], body[2048];
	struct slice a, b;

	(void)state;
	a = long_id(SLICE("{\"event_id\":\"" A512 "b\",\"data\":{\"eval_id\":\"" A512 "b\"}}"));
	memcpy(first, a.p, a.n);
	b = long_id(SLICE("{\"event_id\":\"" A512 "c\",\"data\":{\"eval_id\":\"" A512 "c\"}}"));
	assert_memory_not_equal(first, b.p, DIGEST_N);
	b = long_id(SLICE("{\"event_id\":\"\\n" A512 "\",\"data\":{\"eval_id\":\"\\n" A512 "\"}}"));
	assert_memory_not_equal(first, b.p, DIGEST_N);
	(void)snprintf(body, sizeof(body), "{\"event_id\":%0600d,\"data\":{\"eval_id\":%0600d}}", 0,
		       0);
	body[strlen("{\"event_id\":")] = '1';
	*(strstr(body, "eval_id\":") + strlen("eval_id\":")) = '1';
	b = long_id(slice_of(body));
	assert_memory_not_equal(first, b.p, DIGEST_N);
}

/* other text is cut between two characters */
static void test_long_texts(void **state)
{
	const struct event *e;

	(void)state;
	e = recognized(SLICE("{\"data\":{\"decision\":\"" A512 "b\"}}"));
	assert_text(e->decision, SLICE(A512), "decision");
	e = recognized(SLICE("{\"data\":{\"decision\":\"" A500 A10 "\xE2\x82\xAC\"}}"));
	assert_text(e->decision, SLICE(A500 A10), "decision");
	e = recognized(SLICE("{\"data\":{\"decision\":\"" A500 A10 "\\u20AC\"}}"));
	assert_text(e->decision, SLICE(A500 A10), "decision");
	e = recognized(SLICE("{\"data\":{\"decision\":\"" A500 A10 "\\u00e9\"}}"));
	assert_text(e->decision, SLICE(A500 A10 "\xC3\xA9"), "decision");
}

/* all texts at their longest and all of them decoded: the event's own room is enough */
static void test_room_for_all(void **state)
{
	const struct event *e = recognized(
		SLICE("{\"event_id\":\"\\n" A500 A10 "a\",\"event_type\":\"\\n" A512 "\",\"data\":{"
		      "\"id\":\"\\n" A500 A10 "a\",\"eval_id\":\"\\n" A500 A10 "a\","
		      "\"decision\":\"\\n" A512 "\",\"status\":\"\\n" A512 "\","
		      "\"sub_status\":\"\\n" A512 "\",\"eval_status\":\"\\n" A512 "\","
		      "\"workflow\":\"\\n" A512 "\",\"environment_name\":\"\\n" A512 "\"}}"));
	const struct slice expected = SLICE("\n" A500 A10 "a");
	const struct slice texts[] = {
		e->event_id, e->original_type, e->eval_id,     e->customer_id, e->decision,
		e->status,   e->sub_status,    e->eval_status, e->workflow,    e->environment,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_text(texts[i], expected, "longest");
	assert_int_equal(e->event_type.n, 64);
}

static void test_places(void **state)
{
	static const struct text_case cases[] = {
		{MEMBER(eval_id), "{\"data\":{\"eval_id\":\"a\"},\"eval_id\":\"b\"}", "a"},
		{MEMBER(eval_id), "{\"eval_id\":\"b\"}", "b"},
		{MEMBER(eval_id), "{\"data\":{\"eval_id\":12}}", "12"},
		{MEMBER(customer_id), "{\"data\":{\"id\":7},\"id\":\"b\"}", "7"},
		{MEMBER(customer_id), "{\"data\":{},\"id\":\"b\"}", ""},
		{MEMBER(customer_id), "{\"id\":\"b\"}", "b"},
		{MEMBER(customer_id), "{\"id\":\"b\",\"event\":{\"customerUserId\":42}}", "42"},
		{MEMBER(customer_id), "{\"id\":\"b\",\"event\":{\"customerUserId\":\"u\"}}", "u"},
		{MEMBER(customer_id), "{\"id\":\"b\",\"event\":{}}", ""},
		{MEMBER(customer_id), "{\"eventType\":\"x\",\"customerUserId\":\"u\"}", "u"},
		{MEMBER(decision), "{\"data\":{\"decision\":\"Manual Review\"}}", "Manual Review"},
		{MEMBER(decision), "{\"data\":{\"decision\":null}}", ""},
		{MEMBER(decision), "{\"data\":{\"decision\":1}}", ""},
		{MEMBER(decision), "{\"data\":{\"decision\":{\"value\":\"a\"}}}", ""},
		{MEMBER(decision), "{\"eval_id\":\"x\",\"decision\":\"ACCEPT\"}", "ACCEPT"},
		{MEMBER(decision),
		 "{\"event\":{\"data\":{\"documentVerification\":{\"decision\":{\"value\":\"r\"}}}}"
		 "}",
		 "r"},
		{MEMBER(status), "{\"data\":{\"status\":\"ON HOLD\"}}", "ON HOLD"},
		{MEMBER(status), "{\"status\":\"OPEN\"}", "OPEN"},
		{MEMBER(sub_status), "{\"data\":{\"sub_status\":\"\\u00e9\"}}", "\xC3\xA9"},
		{MEMBER(sub_status), "{\"sub_status\":\"s\"}", "s"},
		{MEMBER(eval_status),
		 "{\"data\":{\"evaluation_status\":\"a\",\"eval_status\":\"b\"}}", "b"},
		{MEMBER(eval_status), "{\"data\":{\"evaluation_status\":\"a\"}}", "a"},
		{MEMBER(eval_status),
		 "{\"data\":{\"evaluation_status\":\"a\",\"eval_status\":\"\"}}", "a"},
		{MEMBER(eval_status), "{\"evaluation_status\":\"a\"}", "a"},
		{MEMBER(workflow), "{\"data\":{\"workflow\":\"w\"}}", "w"},
		{MEMBER(workflow), "{\"workflow\":\"w\"}", "w"},
		{MEMBER(environment), "{\"data\":{\"environment_name\":\"\"}}", ""},
		{MEMBER(environment), "{\"environmentName\":\"production\"}", "production"},
		{MEMBER(environment),
		 "{\"environmentName\":\"a\",\"data\":{\"environment_name\":\"b\"}}", "b"},
	};

	(void)state;
	assert_cases(cases, ARRAY_SIZE(cases));
}

/* --- times --- */

#define T1 "2099-01-01T00:00:00Z"
#define T2 "2099-01-02T00:00:00Z"
#define T3 "2099-01-03T00:00:00Z"
#define T4 "2099-01-04T00:00:00Z"

static void assert_times(struct slice body, int64_t event_at, int64_t state_at)
{
	const struct event *e = recognized(body);

	if (e->event_at != event_at || e->state_at != state_at)
		fail_msg("event_at %lld, state_at %lld: %.*s", (long long)e->event_at,
			 (long long)e->state_at, SLICE_ARG(body));
}

static void test_event_at(void **state)
{
	(void)state;
	assert_times(SLICE("{\"event_at\":\"2099-01-02T03:04:05.123456789Z\"}"),
		     AT("2099-01-02T03:04:05.123456Z"), AT("2099-01-02T03:04:05.123456Z"));
	assert_times(SLICE("{\"event_at\":\"" T1 "\",\"event\":{\"created\":\"" T2 "\"}}"), AT(T1),
		     AT(T1));
	assert_times(SLICE("{\"event\":{\"created\":\"" T2 "\"}}"), AT(T2), AT(T2));
	assert_times(SLICE("{\"eventTime\":\"" T3 "\"}"), AT(T3), AT(T3));
	assert_times(SLICE("{\"data\":{\"updated_at\":\"" T3 "\"}}"), AT(T3), AT(T3));
	assert_times(SLICE("{\"event_at\":\"\\u0032099-01-01T00:00:00Z\"}"), AT(T1), AT(T1));
	assert_times(SLICE("{\"event_at\":\"2099-01-01\"}"), AT(T1), AT(T1));
	/* one that cannot be read is as good as none */
	assert_times(SLICE("{\"event_at\":\"yesterday\",\"eventTime\":\"" T3 "\"}"), AT(T3),
		     AT(T3));
	assert_times(SLICE("{\"event_at\":4070908800}"), 0, 0);
	assert_times(SLICE("{\"event_at\":\"\\n" A100 "\"}"), 0, 0);
	assert_times(SLICE("{}"), 0, 0);
}

static void assert_state(const char *type, const char *data, int64_t decision_at, int64_t state_at)
{
	char body[512];

	(void)snprintf(body, sizeof(body),
		       "{" ENVELOPE "\"%s\",\"event_at\":\"" T4 "\",\"data\":{%s}}", type, data);
	assert_times(slice_of(body), AT(T4), state_at);
	if (event.decision_at != decision_at)
		fail_msg("decision_at %lld: %s", (long long)event.decision_at, body);
}

static void test_state_at(void **state)
{
	(void)state;
	assert_state("evaluation_completed", "\"decision_at\":\"" T1 "\"", AT(T1), AT(T1));
	assert_state("evaluation_completed",
		     "\"decision_at\":\"" T2 "\",\"eval_end_time\":\"" T1 "\"", AT(T2), AT(T2));
	/* a status that is newer than its decision, and the other way round */
	assert_state("case_status_updated", "\"updated_at\":\"" T2 "\",\"decision_at\":\"" T1 "\"",
		     AT(T1), AT(T2));
	assert_state("decision_update", "\"updated_at\":\"" T1 "\",\"decision_at\":\"" T2 "\"",
		     AT(T2), AT(T2));
	assert_state("review_case_assigned", "\"updated_at\":\"" T2 "\"", AT(T2), AT(T2));
	assert_state("case_status_updated", "\"updated_at\":\"soon\",\"decision_at\":\"" T1 "\"",
		     AT(T1), AT(T1));
	/* neither */
	assert_state("reevaluation", "\"eval_end_time\":\"" T3 "\",\"eval_at\":\"" T1 "\"", AT(T1),
		     AT(T1));
	assert_state("evaluation_paused", "\"eval_end_time\":\"" T3 "\"", AT(T3), AT(T3));
	assert_state("fraud_confirming", "\"created_at\":\"" T1 "\"", AT(T1), AT(T1));
	assert_state("workflow_execution_failed", "\"timestamp\":\"" T1 "\"", AT(T1), AT(T1));
	assert_state("case_notes_added", "\"id\":1", AT(T4), AT(T4));
	/* bare */
	assert_times(SLICE("{\"eval_id\":\"x\",\"eval_status\":\"evaluation_completed\","
			   "\"eval_end_time\":\"" T2 "\",\"decision_at\":\"" T1 "\"}"),
		     AT(T1), AT(T1));
}

/* --- test mark --- */

#define PING "\"eval_at\":\"" T1 "\",\"decision_tags\":[],\"third_party_executions\":[{}]"

static void test_test_mark(void **state)
{
	static const struct {
		const char *data;
		bool is_test;
	} cases[] = {
		{"\"environment_name\":\"\"," PING, true},
		{"\"environment_name\":\"Sandbox\"," PING, false},
		{"\"environment_name\":null," PING, false},
		{PING, false},
		{"\"environment_name\":\"\"," PING ",\"data_enrichments\":[]", false},
		{"\"environment_name\":\"\",\"eval_at\":\"x\",\"decision_tags\":[]", false},
		{"\"environment_name\":\"\",\"decision_tags\":[],\"third_party_executions\":[]",
		 false},
		{"\"environment_name\":\"\",\"eval_at\":\"x\",\"third_party_executions\":[]",
		 false},
		{"\"environment_name\":\"\"", false},
	};
	char body[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		(void)snprintf(body, sizeof(body),
			       "{" ENVELOPE "\"evaluation_paused\",\"data\":{%s}}", cases[i].data);
		assert_int_equal(recognized(slice_of(body))->test, cases[i].is_test);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),     cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_identity),     cmocka_unit_test(test_identity_derived),
		cmocka_unit_test(test_long_ids),     cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_room_for_all), cmocka_unit_test(test_places),
		cmocka_unit_test(test_event_at),     cmocka_unit_test(test_state_at),
		cmocka_unit_test(test_test_mark),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
