/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event_types.h"

#include <stdbool.h>
#include <string.h>

#include "core/nearest.h"
#include "util/macros.h"

#define TEXT(lit)                                                                                  \
	{                                                                                          \
		lit, sizeof(lit) - 1                                                               \
	}
#define ITSELF                                                                                     \
	{                                                                                          \
		NULL, 0                                                                            \
	}

/*
 * Sources: the OpenAPI file "RiskOS Webhooks 1.0.0" (event_type enums, and display names as keys of
 * the discriminator), the help center's `webhook-events`, `webhook-configuration-reference`,
 * `watchlist-webhooks-overview` and `integrate-case-management-decisions`.
 */
static const struct {
	struct slice name;      /* normalised spelling */
	struct slice canonical; /* empty: the name itself */
	enum event_category category;
} types[] = {
	{TEXT("evaluation_completed"), ITSELF, CATEGORY_EVALUATION},
	{TEXT("evaluation_paused"), ITSELF, CATEGORY_EVALUATION},
	{TEXT("evaluation_resumed"), ITSELF, CATEGORY_EVALUATION},
	{TEXT("reevaluation"), ITSELF, CATEGORY_EVALUATION},
	{TEXT("re_evaluation"), TEXT("reevaluation"), CATEGORY_EVALUATION},
	{TEXT("workflow_execution_failed"), ITSELF, CATEGORY_EVALUATION},

	{TEXT("decision_update"), ITSELF, CATEGORY_CASE},
	{TEXT("decision_updated"), TEXT("decision_update"), CATEGORY_CASE},
	{TEXT("case_decision_changed"), TEXT("decision_update"), CATEGORY_CASE},
	{TEXT("review_case_assigned"), ITSELF, CATEGORY_CASE},
	{TEXT("case_assigned"), TEXT("review_case_assigned"), CATEGORY_CASE},
	{TEXT("review_case_unassigned"), ITSELF, CATEGORY_CASE},
	{TEXT("case_unassigned"), TEXT("review_case_unassigned"), CATEGORY_CASE},
	{TEXT("case_status_updated"), ITSELF, CATEGORY_CASE},
	{TEXT("case_status_changed"), TEXT("case_status_updated"), CATEGORY_CASE},
	{TEXT("case_notes_added"), ITSELF, CATEGORY_CASE},
	{TEXT("case_attachment_added"), ITSELF, CATEGORY_CASE},
	{TEXT("fraud_confirming"), ITSELF, CATEGORY_CASE},

	{TEXT("monitored_search_updated"), ITSELF, CATEGORY_WATCHLIST},
	{TEXT("watchlist_notification_monitored_search_updated"), TEXT("monitored_search_updated"),
	 CATEGORY_WATCHLIST},
	{TEXT("watchlist_monitoring_alert"), TEXT("monitored_search_updated"), CATEGORY_WATCHLIST},
	{TEXT("case_closure"), ITSELF, CATEGORY_WATCHLIST},
	{TEXT("case_management_notification_case_closure"), TEXT("case_closure"),
	 CATEGORY_WATCHLIST},
	{TEXT("watchlist_match_found"), ITSELF, CATEGORY_WATCHLIST},
};

/*
 * For types that are not known yet. There is no row for "case_": watchlist cases (case_closure)
 * have names that begin so, too, and a wrong category would be worse than none.
 */
static const struct {
	struct slice prefix;
	enum event_category category;
} prefixes[] = {
	{TEXT("evaluation_"), CATEGORY_EVALUATION},
	{TEXT("review_case_"), CATEGORY_CASE},
	{TEXT("watchlist_"), CATEGORY_WATCHLIST},
	{TEXT("docv_"), CATEGORY_DOCV},
};

_Static_assert(ARRAY_SIZE(types) <= EVENT_TYPES_MAX, "event_type_index() promises so");

static char normal_char(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == ':')
		return c;
	return '_';
}

static void set_name(struct event_type *type, struct slice name)
{
	type->n = MIN_OF(name.n, sizeof(type->name));
	memcpy(type->name, name.p, type->n);
}

static void append_normal(struct event_type *type, struct slice text)
{
	text = slice_trim(text);
	for (size_t i = 0; i < text.n && type->n < sizeof(type->name); i++)
		type->name[type->n++] = normal_char(text.p[i]);
}

static bool look_up(struct event_type *type)
{
	struct slice name = slice_make(type->name, type->n);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!slice_eq(name, types[i].name))
			continue;
		type->category = types[i].category;
		if (!slice_is_empty(types[i].canonical))
			set_name(type, types[i].canonical);
		return true;
	}
	return false;
}

int event_type_index(struct slice name, const char **ret_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!slice_is_empty(types[i].canonical) || !slice_eq(name, types[i].name))
			continue;
		*ret_name = types[i].name.p; /* a literal: it ends with a NUL */
		return (int)i;
	}
	return -1;
}

void event_type_offer(struct nearest *nearest)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (slice_is_empty(types[i].canonical))
			nearest_offer(nearest, types[i].name.p); /* a literal, as above */
}

static void guess_category(struct event_type *type)
{
	struct slice name = slice_make(type->name, type->n);

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (slice_starts_nocase(name, prefixes[i].prefix))
			type->category = prefixes[i].category;
}

struct event_type event_type_of(struct slice text)
{
	struct event_type type = {.n = 0, .category = CATEGORY_UNKNOWN};

	append_normal(&type, text);
	if (!look_up(&type))
		guess_category(&type);
	return type;
}

struct event_type event_type_of_docv(struct slice text)
{
	static const struct slice prefix = TEXT("docv_");
	struct event_type type = {.n = 0, .category = CATEGORY_DOCV};

	text = slice_trim(text);
	if (!slice_is_empty(text) && !slice_starts_nocase(text, prefix))
		set_name(&type, prefix);
	append_normal(&type, text);
	return type;
}

const char *event_category_name(enum event_category category)
{
	static const char *const names[] = {
		[CATEGORY_UNKNOWN] = "unknown", [CATEGORY_EVALUATION] = "evaluation",
		[CATEGORY_CASE] = "case",       [CATEGORY_WATCHLIST] = "watchlist",
		[CATEGORY_DOCV] = "docv",
	};

	return names[category];
}
