/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical type and the category that event_recognize() gives, by shape and by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/event_types.h"
#include "intake/event.h"
#include "util/macros.h"

#define ENVELOPE "\"event_id\":\"e\",\"event_type\":"
#define A10      "aaaaaaaaaa"
#define A100     A10 A10 A10 A10 A10 A10 A10 A10 A10 A10

static void assert_text(struct slice found, struct slice expected, const char *what)
{
	if (!slice_eq(found, expected))
		fail_msg("'%.*s', not '%.*s': %s", SLICE_ARG(found), SLICE_ARG(expected), what);
}

static void assert_type(const char *body, const char *type, enum event_category category)
{
	struct event event;

	assert_int_equal(event_recognize(slice_of(body), &event), EVENT_OK);
	assert_text(event.event_type, slice_of(type), body);
	assert_text(slice_of(event_category_name(event.category)),
		    slice_of(event_category_name(category)), body);
}

static void test_types_of_envelopes(void **state)
{
	static const struct {
		const char *given, *type;
		enum event_category category;
	} cases[] = {
		{"evaluation_completed", "evaluation_completed", CATEGORY_EVALUATION},
		{"Evaluation Completed", "evaluation_completed", CATEGORY_EVALUATION},
		{" EVALUATION-PAUSED\\t", "evaluation_paused", CATEGORY_EVALUATION},
		{"evaluation_resumed", "evaluation_resumed", CATEGORY_EVALUATION},
		{"Reevaluation", "reevaluation", CATEGORY_EVALUATION},
		{"Workflow Execution Failed", "workflow_execution_failed", CATEGORY_EVALUATION},
		{"decision_update", "decision_update", CATEGORY_CASE},
		{"Decision Updated", "decision_update", CATEGORY_CASE},
		{"case_decision_changed", "decision_update", CATEGORY_CASE},
		{"case_assigned", "review_case_assigned", CATEGORY_CASE},
		{"Case Assigned", "review_case_assigned", CATEGORY_CASE},
		{"review_case_assigned", "review_case_assigned", CATEGORY_CASE},
		{"Case Unassigned", "review_case_unassigned", CATEGORY_CASE},
		{"review_case_unassigned", "review_case_unassigned", CATEGORY_CASE},
		{"case_status_changed", "case_status_updated", CATEGORY_CASE},
		{"Case Status Updated", "case_status_updated", CATEGORY_CASE},
		{"Case Notes Added", "case_notes_added", CATEGORY_CASE},
		{"Case Attachment Added", "case_attachment_added", CATEGORY_CASE},
		{"Fraud Confirming", "fraud_confirming", CATEGORY_CASE},
		{"watchlist_notification_monitored_search_updated", "monitored_search_updated",
		 CATEGORY_WATCHLIST},
		{"monitored_search_updated", "monitored_search_updated", CATEGORY_WATCHLIST},
		{"watchlist_monitoring_alert", "monitored_search_updated", CATEGORY_WATCHLIST},
		{"case_management_notification_case_closure", "case_closure", CATEGORY_WATCHLIST},
		{"case-closure", "case_closure", CATEGORY_WATCHLIST},
		{"watchlist_match_found", "watchlist_match_found", CATEGORY_WATCHLIST},
		/* not known: the prefix tells, where it is safe */
		{"evaluation_cancelled", "evaluation_cancelled", CATEGORY_EVALUATION},
		{"watchlist_new", "watchlist_new", CATEGORY_WATCHLIST},
		{"review_case_closed", "review_case_closed", CATEGORY_CASE},
		{"docv_started", "docv_started", CATEGORY_DOCV},
		{"case_new", "case_new", CATEGORY_UNKNOWN},
		{"evaluation", "evaluation", CATEGORY_UNKNOWN},
		{"Some.Thing:New", "some.thing:new", CATEGORY_UNKNOWN},
		/* what must not reach a log or an environment */
		{"a\\u0000b\\nc", "a___b_c", CATEGORY_UNKNOWN},
		{"../\xC3\xA9;$(x)", "..______x_", CATEGORY_UNKNOWN},
		{" ", "unknown", CATEGORY_UNKNOWN},
		{"", "unknown", CATEGORY_UNKNOWN},
		{"x" A100, "x" A10 A10 A10 A10 A10 A10 "aaa", CATEGORY_UNKNOWN},
	};
	char body[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		(void)snprintf(body, sizeof(body), "{" ENVELOPE "\"%s\",\"data\":{}}",
			       cases[i].given);
		assert_type(body, cases[i].type, cases[i].category);
	}
}

static void test_original_type(void **state)
{
	struct event event;

	(void)state;
	assert_int_equal(event_recognize(SLICE("{\"event_type\":\" Decision-Updated\"}"), &event),
			 EVENT_OK);
	assert_text(event.original_type, SLICE(" Decision-Updated"), "original type");
	assert_text(event.event_type, SLICE("decision_update"), "canonical type");
}

static void test_types_of_notes(void **state)
{
	static const struct {
		const char *reviewer;
		enum event_category category;
	} cases[] = {
		{"\"Webhook\"", CATEGORY_DOCV},
		{"\"webhook\"", CATEGORY_DOCV},
		{"\" WEBHOOK \"", CATEGORY_DOCV},
		{"\"\\u0057ebhook\"", CATEGORY_DOCV},
		{"\"Webhook2\"", CATEGORY_CASE},
		{"\"a@example.invalid\"", CATEGORY_CASE},
		{"null", CATEGORY_CASE},
		{"[\"Webhook\"]", CATEGORY_CASE},
		{"\"\\n" A100 "\"", CATEGORY_CASE},
	};
	char body[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		(void)snprintf(body, sizeof(body),
			       "{" ENVELOPE "\"Case Notes Added\",\"data\":{\"reviewer_id\":%s}}",
			       cases[i].reviewer);
		assert_type(body, "case_notes_added", cases[i].category);
	}
	assert_type("{" ENVELOPE "\"case_status_updated\",\"data\":{\"reviewer_id\":\"Webhook\"}}",
		    "case_status_updated", CATEGORY_CASE);
}

static void test_types_without_event_type(void **state)
{
	static const struct {
		const char *body, *type;
		enum event_category category;
	} cases[] = {
		/* bare Evaluations */
		{"{\"eval_id\":\"x\",\"eval_status\":\"evaluation_paused\"}", "evaluation_paused",
		 CATEGORY_EVALUATION},
		{"{\"eval_id\":\"x\",\"evaluation_status\":\"evaluation_in_progress\"}",
		 "evaluation_in_progress", CATEGORY_EVALUATION},
		{"{\"eval_id\":\"x\",\"eval_status\":\"DONE\"}", "done", CATEGORY_EVALUATION},
		{"{\"eval_id\":\"x\"}", "unknown", CATEGORY_UNKNOWN},
		{"{\"eval_status\":\"evaluation_paused\"}", "unknown", CATEGORY_UNKNOWN},
		/* legacy */
		{"{\"event\":{\"eventType\":\"APP_OPENED\"}}", "docv_app_opened", CATEGORY_DOCV},
		{"{\"event\":{\"eventType\":\"DOCV_X\"}}", "docv_x", CATEGORY_DOCV},
		{"{\"eventGroup\":\"DocvNotification\",\"reason\":\"APP_OPENED\",\"event\":{}}",
		 "docv_app_opened", CATEGORY_DOCV},
		{"{\"eventGroup\":\"DocvNotification\",\"event\":{}}", "unknown", CATEGORY_DOCV},
		{"{\"eventGroup\":\"WatchlistNotification\",\"event\":{\"eventType\":\"X\"}}",
		 "watchlist_legacy", CATEGORY_WATCHLIST},
		{"{\"id\":\"x\",\"event\":{}}", "watchlist_legacy", CATEGORY_WATCHLIST},
		{"{\"event\":{}}", "unknown", CATEGORY_UNKNOWN},
		{"{\"event\":\"x\",\"id\":\"y\"}", "unknown", CATEGORY_UNKNOWN},
		/* flat */
		{"{\"eventType\":\"SESSION_EXPIRED\"}", "docv_session_expired", CATEGORY_DOCV},
		{"{\"eventType\":\"Changed\",\"profileId\":\"p\"}", "changed", CATEGORY_WATCHLIST},
		{"{\"eventType\":\"Changed\",\"alertId\":1}", "changed", CATEGORY_WATCHLIST},
		{"{\"eventType\":\"decision_updated\"}", "decision_update", CATEGORY_CASE},
		/* an envelope wins over everything else */
		{"{\"event_type\":\"case_assigned\",\"eventType\":\"x\",\"event\":{\"eventType\":"
		 "\"y\"}}",
		 "review_case_assigned", CATEGORY_CASE},
		/* not a type */
		{"{}", "unknown", CATEGORY_UNKNOWN},
		{"{\"event_type\":5}", "unknown", CATEGORY_UNKNOWN},
		{"{\"event_type\":null,\"data\":{\"eval_status\":\"x\"}}", "unknown",
		 CATEGORY_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_type(cases[i].body, cases[i].type, cases[i].category);
}

/* the two look-ups on their own */
static void test_names(void **state)
{
	struct event_type type = event_type_of(SLICE_NULL);

	(void)state;
	assert_int_equal(type.n, 0);
	assert_int_equal(type.category, CATEGORY_UNKNOWN);
	type = event_type_of_docv(SLICE(" "));
	assert_int_equal(type.n, 0);
	assert_int_equal(type.category, CATEGORY_DOCV);
	type = event_type_of_docv(SLICE("Session Expired"));
	assert_text(slice_make(type.name, type.n), SLICE("docv_session_expired"), "name");
	type = event_type_of_docv(SLICE(A100));
	assert_int_equal(type.n, EVENT_TYPE_MAX);
}

static void test_known_types_have_a_number(void **state)
{
	const char *name = NULL;
	int first = event_type_index(SLICE("evaluation_completed"), &name);

	(void)state;
	assert_in_range(first, 0, EVENT_TYPES_MAX - 1);
	assert_string_equal(name, "evaluation_completed");
	assert_int_not_equal(event_type_index(SLICE("case_closure"), &name), first);
	assert_int_equal(event_type_index(SLICE("case_assigned"), &name), -1); /* an alias */
	assert_int_equal(event_type_index(SLICE("invented"), &name), -1);
	assert_int_equal(event_type_index(SLICE_NULL, &name), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_types_have_a_number),
		cmocka_unit_test(test_types_of_envelopes),
		cmocka_unit_test(test_original_type),
		cmocka_unit_test(test_types_of_notes),
		cmocka_unit_test(test_types_without_event_type),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("event_types", tests, NULL, NULL);
}
