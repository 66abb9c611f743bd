/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model.h"

#include <errno.h>
#include <stdlib.h>

#include "util/macros.h"

static const char *const state_names[] = {
	[DELIVERY_PENDING] = "pending", [DELIVERY_RUNNING] = "running", [DELIVERY_DONE] = "done",
	[DELIVERY_DEAD] = "dead",       [DELIVERY_HELD] = "held",
};

const char *delivery_state_name(enum delivery_state state)
{
	return state_names[state];
}

int delivery_state_parse(struct slice name, enum delivery_state *ret_state)
{
	for (size_t i = 0; i < ARRAY_SIZE(state_names); i++) {
		if (slice_eq_nocase(name, slice_of(state_names[i]))) {
			*ret_state = (enum delivery_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *attempt_outcome_name(enum attempt_outcome outcome)
{
	static const char *const names[] = {
		[ATTEMPT_OK] = "ok",
		[ATTEMPT_RETRY] = "retry",
		[ATTEMPT_DEAD] = "dead",
		[ATTEMPT_TIMEOUT] = "timeout",
		[ATTEMPT_LOST] = "lost",
		[ATTEMPT_FAILED] = "failed",
		[ATTEMPT_INTERRUPTED] = "interrupted",
	};

	return names[outcome];
}

const char *body_fault(enum body_state state)
{
	return state == BODY_DAMAGED ? "the stored body is damaged" : "the stored body is missing";
}

void job_free(struct job *job)
{
	free(job); /* one allocation: the strings and the payload lie behind the struct */
}
