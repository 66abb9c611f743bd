/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/retry.h"

#include <stddef.h>
#include <sysexits.h>

#include "util/macros.h"
#include "util/units.h"

enum consequence {
	CONSEQUENCE_DONE,
	CONSEQUENCE_DEAD,
	CONSEQUENCE_AGAIN_NOW,
	CONSEQUENCE_AGAIN_LATER,
};

static const enum consequence consequences[] = {
	[ATTEMPT_OK] = CONSEQUENCE_DONE,
	[ATTEMPT_RETRY] = CONSEQUENCE_AGAIN_LATER,
	[ATTEMPT_DEAD] = CONSEQUENCE_DEAD,
	[ATTEMPT_TIMEOUT] = CONSEQUENCE_AGAIN_LATER,
	[ATTEMPT_LOST] = CONSEQUENCE_AGAIN_LATER,
	[ATTEMPT_FAILED] = CONSEQUENCE_AGAIN_LATER,
	[ATTEMPT_INTERRUPTED] = CONSEQUENCE_AGAIN_NOW,
};

static const struct {
	int code;
	enum attempt_outcome outcome;
} exits[] = {
	{EX_OK, ATTEMPT_OK},       {EX_USAGE, ATTEMPT_DEAD},  {EX_DATAERR, ATTEMPT_DEAD},
	{EX_NOPERM, ATTEMPT_DEAD}, {EX_CONFIG, ATTEMPT_DEAD},
};

enum attempt_outcome retry_outcome_of_exit(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(exits); i++) {
		if (exits[i].code == code)
			return exits[i].outcome;
	}
	return ATTEMPT_RETRY;
}

int64_t retry_delay_ms(const struct handler_config *handler, int attempt, uint64_t random)
{
	int64_t most = handler->retry_initial_ms;

	for (int i = 1; i < attempt && most < handler->retry_max_ms; i++) {
		/* doubling is safe while the half of the limit is not exceeded */
		if (most > handler->retry_max_ms / 2)
			most = handler->retry_max_ms;
		else
			most *= 2;
	}
	most = MAX_OF(MIN_OF(most, handler->retry_max_ms), 0);
	return (int64_t)(random % ((uint64_t)most + 1));
}

static bool is_over(const struct handler_config *handler, const struct retry_question *q)
{
	return q->passed_us >= handler->retry_for_ms * US_PER_MS;
}

static struct retry_verdict again_later(const struct handler_config *handler,
					const struct retry_question *q)
{
	struct retry_verdict verdict = {.state = DELIVERY_PENDING};

	if (is_over(handler, q))
		return (struct retry_verdict){.state = DELIVERY_DEAD, .is_given_up = true};
	if (q->after_ms >= 0)
		verdict.delay_ms = MIN_OF(q->after_ms, RETRY_AFTER_MAX_MS);
	else
		verdict.delay_ms = retry_delay_ms(handler, q->attempt, q->random);
	return verdict;
}

struct retry_verdict retry_decide(const struct handler_config *handler,
				  const struct retry_question *question)
{
	switch (consequences[question->outcome]) {
	case CONSEQUENCE_DONE:
		return (struct retry_verdict){.state = DELIVERY_DONE};
	case CONSEQUENCE_DEAD:
		return (struct retry_verdict){.state = DELIVERY_DEAD};
	case CONSEQUENCE_AGAIN_NOW:
		return (struct retry_verdict){.state = DELIVERY_PENDING};
	case CONSEQUENCE_AGAIN_LATER:
	default:
		return again_later(handler, question);
	}
}
