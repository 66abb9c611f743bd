/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

static bool has_same(const struct config *config, const struct handler_config *handler)
{
	const struct handler_config *other = config_handler(config, handler->name);

	return other && handler_config_eq(other, handler);
}

static int add_fresh(struct reload_plan *plan, const struct handler_config *config,
		     const struct slot_callbacks *callbacks, struct error *e)
{
	_cleanup_(slot_freep)
	struct slot *slot = NULL;
	int r;

	r = slot_new(plan->config, config, callbacks, &slot, e);
	if (r == 0)
		r = handler_start(slot->handler, e);
	if (r < 0)
		return r;
	list_append(&plan->fresh, &slot->member);
	slot = NULL;
	return 0;
}

static void drop_plan(struct reload_plan *plan)
{
	struct list *link;

	while ((link = list_pop(&plan->fresh)))
		slot_free(list_entry(link, struct slot, member));
	routing_free(plan->routing);
	free(plan->is_catching_up);
	config_free(plan->config);
	*plan = (struct reload_plan){.config = NULL};
}

int reload_plan_make(const struct config *before, struct config *after,
		     const struct slot_callbacks *callbacks, struct reload_plan *ret,
		     struct error *e)
{
	int r;

	*ret = (struct reload_plan){
		.config = config_ref(after),
		.is_catching_up = calloc(after->n_handlers + 1, sizeof(bool)),
	};
	list_init(&ret->fresh);
	r = ret->is_catching_up ? routing_new(after, &ret->routing, e)
				: error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < after->n_handlers; i++)
		if (!has_same(before, &after->handlers[i]))
			r = add_fresh(ret, &after->handlers[i], callbacks, e);
	if (r < 0)
		drop_plan(ret);
	return r;
}

static void retire(struct slot *slot, const struct config *after)
{
	const char *what = config_handler(after, slot->config->name) ? "changed" : "removed";
	const struct log_ids ids = {.handler = slice_of(slot->config->name)};

	slot->is_retired = true;
	if (slot->n_under_way > 0)
		log_with(LOG_LEVEL_NOTICE, &ids,
			 "handler %s; %zu attempts under way end by the old configuration", what,
			 slot->n_under_way);
	else
		log_with(LOG_LEVEL_INFO, &ids, "handler %s", what);
}

void reload_plan_apply(struct reload_plan *plan, const struct config *after, struct list *slots)
{
	list_for_each (link, slots) {
		struct slot *slot = list_entry(link, struct slot, member);

		if (!slot->is_retired && !has_same(after, slot->config))
			retire(slot, after);
	}
	list_splice(slots, &plan->fresh);
}

void reload_reap(struct list *slots)
{
	list_for_each_safe (link, slots) {
		struct slot *slot = list_entry(link, struct slot, member);

		if (!slot->is_retired || slot->n_under_way > 0 || !slot_end(slot))
			continue;
		list_remove(&slot->member);
		slot_free(slot);
	}
}

bool reload_holds_up(const struct slot *slot, struct list *slots)
{
	list_for_each (link, slots) {
		const struct slot *other = list_entry(link, struct slot, member);

		if (other != slot && other->is_retired &&
		    strcmp(other->config->name, slot->config->name) == 0)
			return true;
	}
	return false;
}
