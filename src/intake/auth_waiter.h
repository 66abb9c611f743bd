/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that waits for another server to say something about its credential
 *
 * The waiter is the request's; a credential that cannot decide takes it, and wakes it exactly once.
 * What it waited for is known then, so the request just asks auth_check() again.
 *
 * Threads: wake() runs in the outbound thread, or in the one that asks, before auth_check()
 * returns.
 */
#pragma once

#include "util/list.h"

struct auth_waiter {
	void (*wake)(struct auth_waiter *waiter);
	int n_woken;        /* by its owner: how often this request has waited already */
	const char *reason; /* why a token was refused, for the log: a constant, or NULL */
	struct list link;   /* whose waiter it is at the moment */
};

/* wake all of a list that is nobody else's any more; each may be gone at once */
static inline void auth_waiters_wake(struct list *waiters)
{
	struct list *link;

	while ((link = list_pop(waiters))) {
		struct auth_waiter *waiter = list_entry(link, struct auth_waiter, link);

		waiter->wake(waiter);
	}
}
