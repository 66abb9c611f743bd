/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher's place for one handler
 *
 * Threads: slot_new() and slot_free() from any; the rest is the dispatcher's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/config.h"
#include "dispatch/handler.h"
#include "util/list.h"

struct dispatcher;

/* one handler, and how much is under way there: begun, and its end not yet committed */
struct slot {
	struct list member; /* of the dispatcher's slots */
	struct dispatcher *owner;
	struct config *snapshot; /* that holds `config`; one owner */
	const struct handler_config *config;
	struct handler *handler;
	size_t n_under_way;
	bool is_retired; /* by a reload (reload.h) */
};

/* what a slot's handler reports to; `arg` is the slot */
struct slot_callbacks {
	void (*on_done)(struct attempt *attempt, void *arg);
	void (*on_room)(void *arg);
	struct dispatcher *owner;
};

/* Return: 0, or a negative errno; the handler is not started */
int slot_new(struct config *snapshot, const struct handler_config *config,
	     const struct slot_callbacks *callbacks, struct slot **ret_slot,
	     struct error *e) MUST_USE;
/* stops the handler; nothing may be under way */
void slot_free(struct slot *slot);
DEFINE_CLEANUP(struct slot *, slot_free)
