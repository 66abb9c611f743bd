/* SPDX-License-Identifier: Apache-2.0 */
#include "store/model.h"

#include <stdlib.h>

const char *delivery_state_name(enum delivery_state state)
{
	static const char *const names[] = {
		[DELIVERY_PENDING] = "pending", [DELIVERY_RUNNING] = "running",
		[DELIVERY_DONE] = "done",       [DELIVERY_DEAD] = "dead",
		[DELIVERY_HELD] = "held",
	};

	return names[state];
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

void job_free(struct job *job)
{
	free(job); /* one allocation: the strings and the payload lie behind the struct */
}
