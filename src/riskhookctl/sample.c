/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/sample.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/nearest.h"
#include "riskhookctl/sample_fill.h"
#include "util/slice.h"

#define PATH_PART_MAX  256
#define NAME_MAX_BYTES 128

#define LEGACY(type, text)                                                                         \
	{                                                                                          \
		"event.eventType=" type, "reason=" type, "event.message=" text                     \
	}

const struct sample_type sample_types[] = {
	{"evaluation_completed", "evaluation_completed", NULL, "an evaluation has ended", {NULL}},
	{"evaluation_paused", "evaluation_paused", NULL, "waits for a document or a code", {NULL}},
	{"evaluation_resumed",
	 "evaluation_paused",
	 NULL,
	 "a paused evaluation got new data",
	 {"event_type=evaluation_resumed", "data.eval_status=evaluation_in_progress",
	  "data.status=OPEN", "data.sub_status=Under Review"}},
	{"reevaluation", "reevaluation", NULL, "a case was run again", {NULL}},
	{"workflow_execution_failed",
	 "workflow_execution_failed",
	 NULL,
	 "the workflow could not run",
	 {NULL}},
	{"decision_update", "case_decision", NULL, "a reviewer changed the decision", {NULL}},
	{"case_decision_changed",
	 "case_decision",
	 NULL,
	 "decision_update as another page spells it",
	 {"event_type=case_decision_changed", "data.decision=REJECT", "data.sub_status=Reject"}},
	{"case_status_updated",
	 "case_decision",
	 NULL,
	 "a case changed its status",
	 {"event_type=case_status_updated", "data.updated_at={{now}}", "data.decision=REVIEW",
	  "data.status=OPEN", "data.sub_status=Awaiting Documentation"}},
	{"case_status_changed",
	 "case_decision",
	 NULL,
	 "case_status_updated as another page spells it",
	 {"event_type=case_status_changed", "data.updated_at={{now}}", "data.decision=REVIEW",
	  "data.status=ON_HOLD", "data.sub_status=Further Analysis"}},
	{"review_case_assigned", "case_assignment", NULL, "a reviewer got the case", {NULL}},
	{"case_assigned",
	 "case_assignment",
	 NULL,
	 "review_case_assigned as another page spells it",
	 {"event_type=case_assigned"}},
	{"review_case_unassigned",
	 "case_assignment",
	 NULL,
	 "a reviewer gave the case back",
	 {"event_type=review_case_unassigned"}},
	{"case_unassigned",
	 "case_assignment",
	 NULL,
	 "review_case_unassigned as another page spells it",
	 {"event_type=case_unassigned"}},
	{"case_notes_added", "case_note", NULL, "a reviewer wrote a note", {NULL}},
	{"case_notes_added_docv",
	 "case_note",
	 NULL,
	 "progress of a document verification",
	 {"data.reviewer_id=Webhook", "data.notes=Document Front Uploaded"}},
	{"case_attachment_added", "case_attachment", NULL, "a file was added to the case", {NULL}},
	{"fraud_confirming", "fraud_confirming", NULL, "marked as fraud; no eval_id", {NULL}},
	{"watchlist_notification_monitored_search_updated",
	 "watchlist_monitoring",
	 NULL,
	 "a monitored entity changed",
	 {NULL}},
	{"monitored_search_updated",
	 "watchlist_monitoring",
	 NULL,
	 "the same, short spelling",
	 {"event_type=monitored_search_updated"}},
	{"watchlist_monitoring_alert",
	 "watchlist_monitoring",
	 NULL,
	 "the same as another page spells it",
	 {"event_type=watchlist_monitoring_alert"}},
	{"watchlist_match_found",
	 "watchlist_monitoring",
	 NULL,
	 "a new match in a screening",
	 {"event_type=watchlist_match_found"}},
	{"case_management_notification_case_closure",
	 "case_closure",
	 NULL,
	 "a watchlist case was closed",
	 {NULL}},
	{"case_closure",
	 "case_closure",
	 NULL,
	 "the same, short spelling",
	 {"event_type=case_closure"}},
	{"bare_evaluation",
	 "evaluation_completed",
	 "data",
	 "an evaluation without envelope",
	 {"eval_status=evaluation_completed"}},
	{"test_ping", "test_ping", NULL, "the Dashboard's \"Continue to Test\"", {NULL}},
	{"test_ping_paused",
	 "test_ping",
	 NULL,
	 "the same for evaluation_paused",
	 {"event_type=evaluation_paused"}},
	{"legacy_watchlist", "legacy_watchlist", NULL, "ID+ watchlist monitoring", {NULL}},
	{"docv_waiting_for_user_to_redirect", "legacy_docv", NULL, "ID+ DocV",
	 LEGACY("WAITING_FOR_USER_TO_REDIRECT", "Waiting For User To Redirect")},
	{"docv_waiting_for_upload", "legacy_docv", NULL, "ID+ DocV",
	 LEGACY("WAITING_FOR_UPLOAD", "Waiting For Upload")},
	{"docv_app_opened", "legacy_docv", NULL, "ID+ DocV",
	 LEGACY("APP_OPENED", "Capture App Opened")},
	{"docv_document_front_uploaded", "legacy_docv", NULL, "ID+ DocV",
	 LEGACY("DOCUMENT_FRONT_UPLOADED", "Document Front Uploaded")},
	{"docv_document_back_uploaded", "legacy_docv", NULL, "ID+ DocV",
	 LEGACY("DOCUMENT_BACK_UPLOADED", "Document Back Uploaded")},
	{"docv_document_selfie_uploaded", "legacy_docv", NULL, "ID+ DocV",
	 LEGACY("DOCUMENT_SELFIE_UPLOADED", "Document Selfie Uploaded")},
	{"docv_documents_uploaded", "legacy_docv", NULL, "ID+ DocV",
	 LEGACY("DOCUMENTS_UPLOADED", "Documents Upload Successful")},
	{"docv_verification_completed",
	 "legacy_docv",
	 NULL,
	 "ID+ DocV, with a decision",
	 {"event.eventType=VERIFICATION_COMPLETED", "reason=VERIFICATION_COMPLETED",
	  "event.message=Verification Completed",
	  "event.data={\"documentVerification\":{\"decision\":{\"name\":\"standard\","
	  "\"value\":\"accept\"},\"reasonCodes\":[\"I831\",\"I836\"]}}"}},
	{"docv_session_complete", "legacy_docv", NULL, "ID+ DocV",
	 LEGACY("SESSION_COMPLETE", "Session Complete")},
	{"docv_session_expired", "legacy_docv", NULL, "ID+ DocV",
	 LEGACY("SESSION_EXPIRED", "Session Expired")},
};

const size_t n_sample_types = ARRAY_SIZE(sample_types);

/* names that stand on no page, but come to mind */
static const struct {
	const char *name, *type;
} aliases[] = {
	{"decision_updated", "decision_update"},
	{"evaluation", "bare_evaluation"},
	{"ping", "test_ping"},
	{"legacy_watchlist_monitoring", "legacy_watchlist"},
};

/* lower case, blanks and hyphens to '_' */
static void normalise(const char *name, char out[NAME_MAX_BYTES])
{
	size_t n = 0;

	for (; n < NAME_MAX_BYTES - 1 && name[n]; n++) {
		char c = name[n];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		out[n] = c == ' ' || c == '-' ? '_' : c;
	}
	out[n] = '\0';
}

static const struct sample_type *find_exactly(const char *name)
{
	for (size_t i = 0; i < n_sample_types; i++) {
		if (strcmp(sample_types[i].name, name) == 0)
			return &sample_types[i];
	}
	return NULL;
}

const struct sample_type *sample_find(const char *name)
{
	const struct sample_type *type;
	char plain[NAME_MAX_BYTES], docv[NAME_MAX_BYTES + 8];

	normalise(name, plain);
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		if (strcmp(aliases[i].name, plain) == 0)
			return find_exactly(aliases[i].type);
	}
	type = find_exactly(plain);
	if (type)
		return type;
	(void)snprintf(docv, sizeof(docv), "docv_%s", plain); /* has room */
	return find_exactly(docv);
}

const struct sample_type *sample_nearest(const char *name)
{
	char plain[NAME_MAX_BYTES];
	struct nearest nearest;

	normalise(name, plain);
	nearest = (struct nearest)NEAREST_INIT(slice_of(plain));
	for (size_t i = 0; i < n_sample_types; i++)
		nearest_offer(&nearest, sample_types[i].name);
	return nearest.best ? find_exactly(nearest.best) : NULL;
}

/* "0", "17": a place in an array; returns -1 for anything else */
static int array_place(struct slice part)
{
	int place = 0;

	if (part.n == 0 || part.n > 6)
		return -1;
	for (size_t i = 0; i < part.n; i++) {
		if (part.p[i] < '0' || part.p[i] > '9')
			return -1;
		place = place * 10 + (part.p[i] - '0');
	}
	return place;
}

/* put @value (stolen) into @parent; false when there is no such place */
static bool put(json_t *parent, struct slice part, json_t *value)
{
	int place = array_place(part);
	char key[PATH_PART_MAX];

	if (json_is_array(parent) && place >= 0 && (size_t)place < json_array_size(parent))
		return json_array_set_new(parent, (size_t)place, value) == 0;
	if (json_is_array(parent) && place >= 0 && (size_t)place == json_array_size(parent))
		return json_array_append_new(parent, value) == 0;
	if (json_is_object(parent) && part.n > 0 && part.n < sizeof(key)) {
		(void)snprintf(key, sizeof(key), "%.*s", SLICE_ARG(part)); /* fits */
		return json_object_set_new(parent, key, value) == 0;
	}
	json_decref(value);
	return false;
}

static json_t *get(const json_t *parent, struct slice part)
{
	char key[PATH_PART_MAX];

	if (json_is_array(parent))
		return json_array_get(parent,
				      (size_t)array_place(part)); /* -1: far behind the end */
	if (part.n >= sizeof(key))
		return NULL;
	(void)snprintf(key, sizeof(key), "%.*s", SLICE_ARG(part)); /* fits */
	return json_object_get(parent, key);
}

/* the container called @part, made when there is none */
static json_t *descend(json_t *parent, struct slice part)
{
	json_t *child = get(parent, part);

	if (json_is_object(child) || json_is_array(child))
		return child;
	return put(parent, part, json_object()) ? get(parent, part) : NULL;
}

static json_t *parse_value(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	return value ? value : json_string(text);
}

int sample_set(json_t *root, const char *assignment, struct error *e)
{
	const char *equals = strchr(assignment, '=');
	struct slice rest, part;
	json_t *at = root, *value;

	if (!equals || equals == assignment)
		return error_set(e, -EINVAL, "'%s' is not PATH=VALUE", assignment);
	rest = slice_make(assignment, (size_t)(equals - assignment));
	if (!slice_split(&rest, '.', &part))
		return -EINVAL;
	while (rest.p && at) {
		at = descend(at, part);
		(void)slice_split(&rest, '.',
				  &part); /* the condition has seen that there is more */
	}
	value = at ? parse_value(equals + 1) : NULL;
	if (at && !value)
		return error_set(e, -EINVAL, "the value of '%s' is not UTF-8", assignment);
	if (!at || !put(at, part, value))
		return error_set(e, -EINVAL, "there is no place '%.*s' in the body",
				 (int)(equals - assignment), assignment);
	return 0;
}

const char *sample_text(const json_t *root, const char *path)
{
	struct slice rest = slice_of(path), part;
	const json_t *at = root;

	while (at && slice_split(&rest, '.', &part))
		at = get(at, part);
	return json_string_value(at);
}

static json_t *parse_shape(const struct sample_type *type)
{
	for (size_t i = 0; i < n_sample_shapes; i++) {
		if (strcmp(sample_shapes[i].name, type->shape) == 0)
			return json_loads(sample_shapes[i].json, 0, NULL);
	}
	return NULL;
}

json_t *sample_make(const struct sample_type *type, int64_t now)
{
	json_t *shape = parse_shape(type), *body, *filled = NULL;
	struct sample_words words;

	body = type->member ? json_object_get(shape, type->member) : shape;
	for (size_t i = 0; body && type->changes[i]; i++) {
		if (sample_set(body, type->changes[i], NULL) < 0)
			body = NULL;
	}
	sample_words_init(&words, now);
	if (body)
		filled = sample_fill(body, &words);
	json_decref(shape);
	return filled;
}
