/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which value of a body becomes which member of `struct event` is decided by the tables below; the
 * code only follows them. Shapes that are known:
 *
 *	envelope	{"event_id", "event_at", "event_type", "data": {...}}	RiskOS
 *	bare		{"eval_id", "eval_status", "decision", ...}		the API's answer
 *	legacy		{"id", "environmentName", "event": {"eventType", ...}}	ID+
 *	flat		{"eventType", "eventTime", "decision", ...}		catalogues only
 */
#include "intake/event.h"

#include <assert.h>

#include "core/crypto.h"
#include "intake/json_decode.h"
#include "intake/json_scan.h"
#include "util/hex.h"
#include "util/macros.h"
#include "util/units.h"

enum want {
	WHOLE = JSON_ROOT,
	DATA,
	EVENT,
	TOP_EVENT_ID,
	TOP_EVENT_REFERENCE_ID,
	TOP_ID,
	TOP_EVENT_TYPE,
	TOP_EVENT_AT,
	TOP_EVENT_GROUP,
	TOP_REASON,
	TOP_LEGACY_TYPE,
	TOP_EVENT_TIME,
	TOP_PROFILE_ID,
	TOP_ALERT_ID,
	TOP_CUSTOMER_USER_ID,
	TOP_ENVIRONMENT_NAME,
	TOP_ENVIRONMENT_NAME_LEGACY,
	TOP_EVAL_ID,
	TOP_WORKFLOW,
	TOP_DECISION,
	TOP_STATUS,
	TOP_SUB_STATUS,
	TOP_EVAL_STATUS,
	TOP_EVALUATION_STATUS,
	TOP_DECISION_AT,
	TOP_UPDATED_AT,
	TOP_EVAL_AT,
	TOP_EVAL_END_TIME,
	DATA_EVENT_REFERENCE_ID,
	DATA_ID,
	DATA_ENVIRONMENT_NAME,
	DATA_ENVIRONMENT_NAME_LEGACY,
	DATA_EVAL_ID,
	DATA_WORKFLOW,
	DATA_DECISION,
	DATA_STATUS,
	DATA_SUB_STATUS,
	DATA_EVAL_STATUS,
	DATA_EVALUATION_STATUS,
	DATA_DECISION_AT,
	DATA_UPDATED_AT,
	DATA_EVAL_AT,
	DATA_EVAL_END_TIME,
	DATA_CREATED_AT,
	DATA_TIMESTAMP,
	DATA_REVIEWER_ID,
	DATA_DECISION_TAGS,
	DATA_THIRD_PARTY_EXECUTIONS,
	DATA_ENRICHMENTS,
	EVENT_EVENT_REFERENCE_ID,
	EVENT_LEGACY_TYPE,
	EVENT_CREATED,
	EVENT_CUSTOMER_USER_ID,
	EVENT_DATA,
	EVENT_DOCV,
	EVENT_DOCV_DECISION,
	EVENT_DOCV_DECISION_VALUE,
	N_WANTS,
	/* what the top-level `id` is depends on its neighbours */
	LEGACY_ID = N_WANTS, /* the identity */
	BARE_ID,             /* the customer's own id */
	N_VALUES,
};

static const struct json_want wants[N_WANTS] = {
	[DATA] = JSON_WANT(WHOLE, "data"),
	[EVENT] = JSON_WANT(WHOLE, "event"),
	[TOP_EVENT_ID] = JSON_WANT(WHOLE, "event_id"),
	[TOP_EVENT_REFERENCE_ID] = JSON_WANT(WHOLE, "eventReferenceId"),
	[TOP_ID] = JSON_WANT(WHOLE, "id"),
	[TOP_EVENT_TYPE] = JSON_WANT(WHOLE, "event_type"),
	[TOP_EVENT_AT] = JSON_WANT(WHOLE, "event_at"),
	[TOP_EVENT_GROUP] = JSON_WANT(WHOLE, "eventGroup"),
	[TOP_REASON] = JSON_WANT(WHOLE, "reason"),
	[TOP_LEGACY_TYPE] = JSON_WANT(WHOLE, "eventType"),
	[TOP_EVENT_TIME] = JSON_WANT(WHOLE, "eventTime"),
	[TOP_PROFILE_ID] = JSON_WANT(WHOLE, "profileId"),
	[TOP_ALERT_ID] = JSON_WANT(WHOLE, "alertId"),
	[TOP_CUSTOMER_USER_ID] = JSON_WANT(WHOLE, "customerUserId"),
	[TOP_ENVIRONMENT_NAME] = JSON_WANT(WHOLE, "environment_name"),
	[TOP_ENVIRONMENT_NAME_LEGACY] = JSON_WANT(WHOLE, "environmentName"),
	[TOP_EVAL_ID] = JSON_WANT(WHOLE, "eval_id"),
	[TOP_WORKFLOW] = JSON_WANT(WHOLE, "workflow"),
	[TOP_DECISION] = JSON_WANT(WHOLE, "decision"),
	[TOP_STATUS] = JSON_WANT(WHOLE, "status"),
	[TOP_SUB_STATUS] = JSON_WANT(WHOLE, "sub_status"),
	[TOP_EVAL_STATUS] = JSON_WANT(WHOLE, "eval_status"),
	[TOP_EVALUATION_STATUS] = JSON_WANT(WHOLE, "evaluation_status"),
	[TOP_DECISION_AT] = JSON_WANT(WHOLE, "decision_at"),
	[TOP_UPDATED_AT] = JSON_WANT(WHOLE, "updated_at"),
	[TOP_EVAL_AT] = JSON_WANT(WHOLE, "eval_at"),
	[TOP_EVAL_END_TIME] = JSON_WANT(WHOLE, "eval_end_time"),
	[DATA_EVENT_REFERENCE_ID] = JSON_WANT(DATA, "eventReferenceId"),
	[DATA_ID] = JSON_WANT(DATA, "id"),
	[DATA_ENVIRONMENT_NAME] = JSON_WANT(DATA, "environment_name"),
	[DATA_ENVIRONMENT_NAME_LEGACY] = JSON_WANT(DATA, "environmentName"),
	[DATA_EVAL_ID] = JSON_WANT(DATA, "eval_id"),
	[DATA_WORKFLOW] = JSON_WANT(DATA, "workflow"),
	[DATA_DECISION] = JSON_WANT(DATA, "decision"),
	[DATA_STATUS] = JSON_WANT(DATA, "status"),
	[DATA_SUB_STATUS] = JSON_WANT(DATA, "sub_status"),
	[DATA_EVAL_STATUS] = JSON_WANT(DATA, "eval_status"),
	[DATA_EVALUATION_STATUS] = JSON_WANT(DATA, "evaluation_status"),
	[DATA_DECISION_AT] = JSON_WANT(DATA, "decision_at"),
	[DATA_UPDATED_AT] = JSON_WANT(DATA, "updated_at"),
	[DATA_EVAL_AT] = JSON_WANT(DATA, "eval_at"),
	[DATA_EVAL_END_TIME] = JSON_WANT(DATA, "eval_end_time"),
	[DATA_CREATED_AT] = JSON_WANT(DATA, "created_at"),
	[DATA_TIMESTAMP] = JSON_WANT(DATA, "timestamp"),
	[DATA_REVIEWER_ID] = JSON_WANT(DATA, "reviewer_id"),
	[DATA_DECISION_TAGS] = JSON_WANT(DATA, "decision_tags"),
	[DATA_THIRD_PARTY_EXECUTIONS] = JSON_WANT(DATA, "third_party_executions"),
	[DATA_ENRICHMENTS] = JSON_WANT(DATA, "data_enrichments"),
	[EVENT_EVENT_REFERENCE_ID] = JSON_WANT(EVENT, "eventReferenceId"),
	[EVENT_LEGACY_TYPE] = JSON_WANT(EVENT, "eventType"),
	[EVENT_CREATED] = JSON_WANT(EVENT, "created"),
	[EVENT_CUSTOMER_USER_ID] = JSON_WANT(EVENT, "customerUserId"),
	[EVENT_DATA] = JSON_WANT(EVENT, "data"),
	[EVENT_DOCV] = JSON_WANT(EVENT_DATA, "documentVerification"),
	[EVENT_DOCV_DECISION] = JSON_WANT(EVENT_DOCV, "decision"),
	[EVENT_DOCV_DECISION_VALUE] = JSON_WANT(EVENT_DOCV_DECISION, "value"),
};

#define MEMBER(name) offsetof(struct event, name)

/* Where a text comes from: the first that is given. Lists end with WHOLE, which no text is. */
static const struct text_rule {
	size_t member;
	bool is_id; /* a number will do as well, and it must not be cut */
	unsigned char from[6];
} text_rules[] = {
	{MEMBER(event_id),
	 true,
	 {TOP_EVENT_ID, TOP_EVENT_REFERENCE_ID, DATA_EVENT_REFERENCE_ID, LEGACY_ID,
	  EVENT_EVENT_REFERENCE_ID}},
	{MEMBER(eval_id), true, {DATA_EVAL_ID, TOP_EVAL_ID}},
	{MEMBER(customer_id),
	 true,
	 {DATA_ID, EVENT_CUSTOMER_USER_ID, BARE_ID, TOP_CUSTOMER_USER_ID}},
	{MEMBER(decision), false, {DATA_DECISION, EVENT_DOCV_DECISION_VALUE, TOP_DECISION}},
	{MEMBER(status), false, {DATA_STATUS, TOP_STATUS}},
	{MEMBER(sub_status), false, {DATA_SUB_STATUS, TOP_SUB_STATUS}},
	{MEMBER(eval_status),
	 false,
	 {DATA_EVAL_STATUS, DATA_EVALUATION_STATUS, TOP_EVAL_STATUS, TOP_EVALUATION_STATUS}},
	{MEMBER(workflow), false, {DATA_WORKFLOW, TOP_WORKFLOW}},
	{MEMBER(environment),
	 false,
	 {DATA_ENVIRONMENT_NAME, DATA_ENVIRONMENT_NAME_LEGACY, TOP_ENVIRONMENT_NAME,
	  TOP_ENVIRONMENT_NAME_LEGACY}},
};

/* The rules' texts, the original type and the canonical type, each at its longest. */
_Static_assert((ARRAY_SIZE(text_rules) + 2) * EVENT_TEXT_MAX <=
		       sizeof(((struct event *)0)->scratch),
	       "no room for every text of an event");

/* Times: the first that is given and can be read. */
static const unsigned char event_at_from[] = {
	TOP_EVENT_AT,    EVENT_CREATED,      TOP_EVENT_TIME,    DATA_UPDATED_AT, DATA_DECISION_AT,
	DATA_EVAL_AT,    DATA_EVAL_END_TIME, DATA_CREATED_AT,   DATA_TIMESTAMP,  TOP_UPDATED_AT,
	TOP_DECISION_AT, TOP_EVAL_AT,        TOP_EVAL_END_TIME, WHOLE,
};

/* the parts of decision_at and state_at */
static const unsigned char decided_at_from[] = {DATA_DECISION_AT, TOP_DECISION_AT, WHOLE};
static const unsigned char updated_at_from[] = {DATA_UPDATED_AT, TOP_UPDATED_AT, WHOLE};
static const unsigned char other_at_from[] = {
	DATA_EVAL_AT,   TOP_EVAL_AT, DATA_EVAL_END_TIME, TOP_EVAL_END_TIME, DATA_CREATED_AT,
	DATA_TIMESTAMP, WHOLE,
};

enum shape {
	SHAPE_ENVELOPE,
	SHAPE_LEGACY_DOCV,
	SHAPE_LEGACY_WATCHLIST,
	SHAPE_FLAT,
	SHAPE_BARE,
	SHAPE_OTHER,
};

static bool is_given(const struct json_value *value, bool is_id)
{
	return (value->kind == KIND_STRING && value->raw.n > 0) ||
	       (value->kind == KIND_NUMBER && is_id);
}

static const struct json_value *first_given(const struct json_value *values,
					    const unsigned char *from, bool is_id)
{
	while (*from != WHOLE && !is_given(&values[*from], is_id))
		from++;
	return *from == WHOLE ? NULL : &values[*from];
}

/* --- texts --- */

static struct slice keep(struct event *e, const char *p, size_t n)
{
	char *kept = e->scratch + e->scratch_n;

	assert(n <= sizeof(e->scratch) - e->scratch_n);
	memcpy(kept, p, n);
	e->scratch_n += n;
	return slice_make(kept, n);
}

static struct slice keep_digest(struct event *e, struct slice of)
{
	char text[sizeof("sha256:") + 2 * SHA256_SIZE] = "sha256:";
	struct sha256 digest = sha256_of(of.p, of.n);

	hex_encode(digest.bytes, SHA256_SIZE, text + strlen("sha256:"));
	return keep(e, text, strlen(text));
}

/* the first bytes of well-formed UTF-8, up to a character's border */
static struct slice cut_text(struct slice s)
{
	if (s.n <= EVENT_TEXT_MAX)
		return s;
	s.n = EVENT_TEXT_MAX;
	while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xC0) == 0x80)
		s.n--;
	return s;
}

static struct slice text_of(struct event *e, const struct json_value *value, bool is_id)
{
	char text[EVENT_TEXT_MAX];
	bool is_whole;
	size_t n;

	if (value->has_escapes) {
		is_whole = json_decode(value->raw, text, sizeof(text), &n);
		if (is_whole || !is_id)
			return keep(e, text, n);
	} else if (value->raw.n <= EVENT_TEXT_MAX || !is_id) {
		return cut_text(value->raw);
	}
	return keep_digest(e, value->raw);
}

/* Only a body without an identity is digested: it costs more than the scan. */
static void recognize_texts(struct event *e, const struct json_value *values, struct slice body)
{
	for (size_t i = 0; i < ARRAY_SIZE(text_rules); i++) {
		const struct text_rule *rule = &text_rules[i];
		const struct json_value *value = first_given(values, rule->from, rule->is_id);

		if (value)
			*(struct slice *)(void *)((char *)e + rule->member) =
				text_of(e, value, rule->is_id);
	}
	if (slice_is_empty(e->event_id)) {
		e->event_id = keep_digest(e, body);
		e->id_derived = true;
	}
}

/* a text that is of interest only when it is short; decoded to @room when it must be */
static struct slice short_text(const struct json_value *value, char room[64])
{
	size_t n;

	if (value->kind != KIND_STRING)
		return SLICE_NULL;
	if (!value->has_escapes)
		return value->raw;
	return json_decode(value->raw, room, 64, &n) ? slice_make(room, n) : SLICE_NULL;
}

/* --- types --- */

static enum shape shape_of_legacy(const struct json_value *values)
{
	static const unsigned char type_from[] = {EVENT_LEGACY_TYPE, WHOLE};
	char room[64];
	struct slice group = short_text(&values[TOP_EVENT_GROUP], room);

	if (slice_starts_nocase(group, SLICE("watchlist")))
		return SHAPE_LEGACY_WATCHLIST;
	if (slice_starts_nocase(group, SLICE("docv")) || first_given(values, type_from, false))
		return SHAPE_LEGACY_DOCV;
	return is_given(&values[TOP_ID], true) ? SHAPE_LEGACY_WATCHLIST : SHAPE_OTHER;
}

static enum shape shape_of(const struct event *e, const struct json_value *values)
{
	if (is_given(&values[TOP_EVENT_TYPE], false))
		return SHAPE_ENVELOPE;
	if (values[EVENT].kind == KIND_OBJECT)
		return shape_of_legacy(values);
	if (is_given(&values[TOP_LEGACY_TYPE], false))
		return SHAPE_FLAT;
	if (values[DATA].kind != KIND_OBJECT && is_given(&values[TOP_EVAL_ID], true) &&
	    !slice_is_empty(e->eval_status))
		return SHAPE_BARE;
	return SHAPE_OTHER;
}

/* a flat body may be an envelope in other spelling, or a watchlist alert; else it is DocV's */
static struct event_type type_of_flat(struct slice original, const struct json_value *values)
{
	struct event_type type = event_type_of(original);

	if (type.category != CATEGORY_UNKNOWN)
		return type;
	if (values[TOP_PROFILE_ID].kind == KIND_MISSING &&
	    values[TOP_ALERT_ID].kind == KIND_MISSING)
		return event_type_of_docv(original);
	type.category = CATEGORY_WATCHLIST;
	return type;
}

/* DocV reports its progress as notes of a reviewer called Webhook */
static bool is_docv_note(const struct event *e, const struct json_value *values)
{
	char room[64];
	struct slice reviewer = slice_trim(short_text(&values[DATA_REVIEWER_ID], room));

	return slice_eq(e->event_type, SLICE("case_notes_added")) &&
	       slice_eq_nocase(reviewer, SLICE("Webhook"));
}

static struct event_type type_of(const struct event *e, const struct json_value *values,
				 enum shape shape)
{
	struct event_type type;

	switch (shape) {
	case SHAPE_ENVELOPE:
		return event_type_of(e->original_type);
	case SHAPE_LEGACY_DOCV:
		return event_type_of_docv(e->original_type);
	case SHAPE_LEGACY_WATCHLIST:
		return event_type_of(SLICE("watchlist_legacy"));
	case SHAPE_FLAT:
		return type_of_flat(e->original_type, values);
	case SHAPE_BARE:
		type = event_type_of(e->eval_status);
		type.category = CATEGORY_EVALUATION;
		return type;
	case SHAPE_OTHER:
		break;
	}
	return event_type_of(SLICE("unknown"));
}

/* after the texts */
static void recognize_type(struct event *e, const struct json_value *values)
{
	static const unsigned char original_from[][3] = {
		[SHAPE_ENVELOPE] = {TOP_EVENT_TYPE},
		[SHAPE_LEGACY_DOCV] = {EVENT_LEGACY_TYPE, TOP_REASON},
		[SHAPE_LEGACY_WATCHLIST] = {EVENT_LEGACY_TYPE},
		[SHAPE_FLAT] = {TOP_LEGACY_TYPE},
		[SHAPE_BARE] = {WHOLE},
		[SHAPE_OTHER] = {WHOLE},
	};
	enum shape shape = shape_of(e, values);
	const struct json_value *original = first_given(values, original_from[shape], false);
	struct event_type type;

	if (original)
		e->original_type = text_of(e, original, false);
	type = type_of(e, values, shape);
	e->event_type = type.n ? keep(e, type.name, type.n) : SLICE("unknown");
	e->category = is_docv_note(e, values) ? CATEGORY_DOCV : type.category;
}

/* --- times and the test mark --- */

/* one before 1970 is no time of an event, and would look like "not given" to the rest */
static int64_t first_time(const struct json_value *values, const unsigned char *from)
{
	char room[64];
	int64_t at;

	for (; *from != WHOLE; from++)
		if (time_parse(short_text(&values[*from], room), &at) == 0 && at > 0)
			return at;
	return 0;
}

/* A status may be newer than the decision that stands beside it (case_status_updated), so each has
 * a time of its own. */
static void recognize_times(struct event *e, const struct json_value *values)
{
	int64_t decided_at = first_time(values, decided_at_from);
	int64_t updated_at = first_time(values, updated_at_from);

	e->event_at = first_time(values, event_at_from);
	e->state_at = MAX_OF(decided_at, updated_at);
	if (e->state_at == 0)
		e->state_at = first_time(values, other_at_from);
	if (e->state_at == 0)
		e->state_at = e->event_at;
	e->decision_at = decided_at ? decided_at : e->state_at;
}

/* The Dashboard's ping says nowhere that it is one. An empty environment and keys that real events
 * do not have together are all that tells it. */
static bool is_test(const struct json_value *values)
{
	const struct json_value *environment = &values[DATA_ENVIRONMENT_NAME];

	return environment->kind == KIND_STRING && environment->raw.n == 0 &&
	       values[DATA_EVAL_AT].kind != KIND_MISSING &&
	       values[DATA_DECISION_TAGS].kind != KIND_MISSING &&
	       values[DATA_THIRD_PARTY_EXECUTIONS].kind != KIND_MISSING &&
	       values[DATA_ENRICHMENTS].kind == KIND_MISSING;
}

static void assign_top_id(struct json_value *values)
{
	static const struct json_value missing = {.kind = KIND_MISSING};
	bool has_event = values[EVENT].kind == KIND_OBJECT;
	bool has_data = values[DATA].kind == KIND_OBJECT;

	values[LEGACY_ID] = has_event ? values[TOP_ID] : missing;
	values[BARE_ID] = has_event || has_data ? missing : values[TOP_ID];
}

int event_recognize(struct slice body, struct event *ret_event)
{
	struct json_value values[N_VALUES];
	struct event *e = ret_event;

	memset(e, 0, offsetof(struct event, scratch));
	if (json_scan(body, wants, N_WANTS, values, &e->error_at) != JSON_OK)
		return EVENT_E_NOT_JSON;
	if (values[WHOLE].kind != KIND_OBJECT)
		return EVENT_E_NOT_OBJECT;
	assign_top_id(values);
	recognize_texts(e, values, body);
	recognize_type(e, values);
	recognize_times(e, values);
	e->test = is_test(values);
	return EVENT_OK;
}
