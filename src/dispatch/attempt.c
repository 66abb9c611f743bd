/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/attempt.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dispatch/retry.h"

void attempt_result_init(struct attempt_result *result)
{
	*result = (struct attempt_result){
		.outcome = ATTEMPT_FAILED,
		.code = -1,
		.after_ms = RETRY_AFTER_NONE,
		.output = BUF_INIT(ATTEMPT_OUTPUT_MAX + ATTEMPT_MARKER_MAX),
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

/* While output comes in, the second half of the buffer is a ring once it is full. */
#define HALF (ATTEMPT_OUTPUT_MAX / 2)

/* where in the buffer byte @at of the output has its place */
static size_t place_of(int64_t at)
{
	return at < HALF ? (size_t)at : HALF + (size_t)((at - HALF) % HALF);
}

void attempt_result_add_output(struct attempt_result *result, const char *p, size_t n)
{
	size_t room = ATTEMPT_OUTPUT_MAX - MIN_OF(result->output.n, ATTEMPT_OUTPUT_MAX);
	size_t first = MIN_OF(n, room);

	/* without memory the output is lost and the attempt's outcome stays right */
	if (buf_append(&result->output, p, first) < 0) {
		result->output_cut = true;
		return;
	}
	result->n_output += (int64_t)first;
	while (first < n) {
		size_t place = place_of(result->n_output);
		size_t length = MIN_OF(n - first, ATTEMPT_OUTPUT_MAX - place);

		memcpy(result->output.p + place, p + first, length);
		result->n_output += (int64_t)length;
		first += length;
	}
}

void attempt_result_end_output(struct attempt_result *result)
{
	struct buf *output = &result->output;
	char tail[HALF], marker[ATTEMPT_MARKER_MAX];
	size_t oldest;

	if (result->n_output <= ATTEMPT_OUTPUT_MAX || buf_error(output) < 0)
		return;
	result->output_cut = true;
	oldest = place_of(result->n_output) - HALF;
	memcpy(tail, output->p + HALF + oldest, HALF - oldest);
	memcpy(tail + HALF - oldest, output->p + HALF, oldest);
	/* the array is large enough; the buffer has room for it and cannot fail then */
	(void)snprintf(marker, sizeof(marker), "\n[%" PRId64 " bytes left out]\n",
		       result->n_output - ATTEMPT_OUTPUT_MAX);
	output->n = HALF;
	(void)buf_append_str(output, marker);
	(void)buf_append(output, tail, HALF);
}
