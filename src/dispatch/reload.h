/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher's change of handlers by a reload
 *
 * A handler whose configuration is the same before and after keeps its slot and notices nothing.
 * Otherwise its slot retires: it begins nothing more, ends when what is under way has ended and is
 * saved, and goes when its programs have. A new slot of the same name begins only then, so that
 * neither `concurrency` nor `order` is broken in between.
 *
 * Threads: reload_plan_make() from any; the rest from the dispatcher's.
 */
#pragma once

#include "dispatch/routing.h"
#include "dispatch/slot.h"

/* the new configuration, and slots with started handlers for what is new or changed in it */
struct reload_plan {
	struct config *config;   /* one owner */
	struct routing *routing; /* with its filters */
	bool *is_catching_up;    /* one for each handler, all false */
	struct list fresh;
};

/**
 * reload_plan_make() - prepare a reload; changes nothing
 * @before: the configuration that the slots were made or kept by last
 *
 * Return: 0, or a negative errno with a sentence in @e.
 */
int reload_plan_make(const struct config *before, struct config *after,
		     const struct slot_callbacks *callbacks, struct reload_plan *ret,
		     struct error *e) MUST_USE;

/* retire what is not the same in @after, the plan's configuration; add the fresh slots to @slots */
void reload_plan_apply(struct reload_plan *plan, const struct config *after, struct list *slots);

/* end what has retired and is empty, and free what has ended */
void reload_reap(struct list *slots);

/* must it wait for a retired one of the same name? */
bool reload_holds_up(const struct slot *slot, struct list *slots);
