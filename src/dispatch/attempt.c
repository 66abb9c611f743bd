/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/attempt.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "dispatch/retry.h"

void attempt_result_init(struct attempt_result *result)
{
	*result = (struct attempt_result){
		.outcome = ATTEMPT_FAILED,
		.code = -1,
		.after_ms = RETRY_AFTER_NONE,
		.output = BUF_INIT(ATTEMPT_OUTPUT_MAX),
	};
}

void attempt_result_deinit(struct attempt_result *result)
{
	buf_deinit(&result->output);
}

void attempt_result_set(struct attempt_result *result, enum attempt_outcome outcome,
			const char *fmt, ...)
{
	va_list ap;

	result->outcome = outcome;
	va_start(ap, fmt);
	/* a cut sentence is still of use to a person, and nothing but a person reads it */
	(void)vsnprintf(result->reason, sizeof(result->reason), fmt, ap);
	va_end(ap);
}

void attempt_result_set_timeout(struct attempt_result *result, int64_t timeout_ms)
{
	if (timeout_ms % 1000 == 0)
		attempt_result_set(result, ATTEMPT_TIMEOUT, "no result within %" PRId64 " s",
				   timeout_ms / 1000);
	else
		attempt_result_set(result, ATTEMPT_TIMEOUT, "no result within %" PRId64 " ms",
				   timeout_ms);
}

void attempt_result_add_output(struct attempt_result *result, const char *p, size_t n)
{
	size_t room = ATTEMPT_OUTPUT_MAX - result->output.n;

	if (n > room)
		result->output_cut = true;
	/* without memory the output is lost and the attempt's outcome stays right */
	if (buf_append(&result->output, p, MIN_OF(n, room)) < 0)
		result->output_cut = true;
}
