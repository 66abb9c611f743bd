/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/router.h"

#include "core/event_types.h"

/* @word as somebody wrote it in the configuration: any of RiskOS's names for the type */
static bool same_type(struct slice word, struct slice canonical)
{
	struct event_type type = event_type_of(word);

	return slice_eq(slice_make(type.name, type.n), canonical);
}

static bool list_matches(const struct string_list *list, struct slice value,
			 bool (*same)(struct slice a, struct slice b))
{
	if (list->n == 0)
		return true;
	for (size_t i = 0; i < list->n; i++) {
		if (same(slice_of(list->items[i]), value))
			return true;
	}
	return false;
}

bool router_matches(const struct handler_config *handler, const struct routable *event)
{
	if (event->wrong_environment || (event->test && !handler->test_events))
		return false;
	return list_matches(&handler->events, event->event_type, same_type) &&
	       list_matches(&handler->category, event->category, slice_eq_nocase) &&
	       list_matches(&handler->decision, event->decision, slice_eq_nocase) &&
	       list_matches(&handler->workflow, event->workflow, slice_eq_nocase) &&
	       list_matches(&handler->environment, event->environment, slice_eq_nocase) &&
	       list_matches(&handler->endpoint, event->endpoint, slice_eq_nocase);
}
