/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/running.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "dispatch/handler_tally.h"
#include "util/units.h"

static struct running *new_running(const struct handler_config *handler, struct job *job,
				   struct slot *slot)
{
	struct running *running = calloc(1, sizeof(*running));

	if (!running) {
		job_free(job);
		return NULL;
	}
	running->handler = handler;
	running->slot = slot;
	running->attempt.job = job;
	running->started_at = clock_now_us();
	list_init(&running->attempt.link);
	attempt_result_init(&running->attempt.result);
	return running;
}

size_t running_new_all(const struct handler_config *handler, struct job **jobs, size_t n,
		       struct slot *slot, struct running **ret_batch)
{
	size_t n_made = 0;

	for (size_t i = 0; i < n; i++) {
		struct running *running = new_running(handler, jobs[i], slot);

		if (running)
			ret_batch[n_made++] = running;
	}
	return n_made;
}

void running_free(struct running *running)
{
	if (!running)
		return;
	attempt_result_deinit(&running->attempt.result);
	job_free(running->attempt.job);
	free(running->attempt.transformed);
	free(running);
}

struct running *running_of(struct list *link)
{
	struct attempt *attempt = list_entry(link, struct attempt, link);

	return container_of(attempt, struct running, attempt);
}

static struct retry_verdict decide(const struct running *running, const struct steady_clock *clock,
				   struct clock_reading now, uint64_t random)
{
	const struct job *job = running->attempt.job;
	/* A delivery whose first attempt came late, because the daemon or the consumer was away for
	 * long, shall not be given up for that: its time begins with the attempt. */
	int64_t since_us = job->first_attempt_at ? job->first_attempt_at : running->started_at;
	struct retry_question question = {
		.outcome = running->attempt.result.outcome,
		.attempt = job->attempt,
		.passed_us = steady_passed(clock, since_us, now),
		.after_ms = running->attempt.result.after_ms,
		.random = random,
	};

	return retry_decide(running->handler, &question);
}

void running_conclude(struct running *running, const struct steady_clock *clock,
		      struct clock_reading now, uint64_t random)
{
	const struct attempt_result *result = &running->attempt.result;
	struct retry_verdict verdict = decide(running, clock, now, random);

	/* the array is large enough for both parts */
	(void)snprintf(running->reason, sizeof(running->reason), "%s%s", result->reason,
		       verdict.is_given_up ? "; given up, because retry_for is over" : "");
	running->delay_ms = verdict.delay_ms;
	running->finish = (struct finish_op){
		.op = {.kind = STORE_OP_FINISH},
		.delivery = running->attempt.job->delivery,
		.attempt = running->attempt.job->attempt,
		.outcome = result->outcome,
		.state = verdict.state,
		.now = now.wall_us,
		.due_at = now.wall_us + verdict.delay_ms * US_PER_MS,
		.code = result->code,
		.signal = result->signal,
		.reason = slice_of(running->reason),
		.output = buf_slice(&result->output),
		.output_cut = result->output_cut,
	};
}

static void report_pending(const struct running *running, const struct log_ids *ids,
			   const char *reason)
{
	const struct attempt_result *result = &running->attempt.result;
	/* what a handler asks for is its daily business; the rest somebody should look at */
	enum log_level level =
		result->outcome == ATTEMPT_RETRY ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;

	metric_inc(METRIC_ATTEMPTS_FAILED);
	if (result->outcome == ATTEMPT_INTERRUPTED)
		log_with(LOG_LEVEL_NOTICE, ids, "attempt %d interrupted, will be made again",
			 running->attempt.job->attempt);
	else
		log_with(level, ids, "attempt %d: %s; will retry in %.1f s",
			 running->attempt.job->attempt, reason, (double)running->delay_ms / 1000);
}

void running_report(const struct running *running)
{
	const struct job *job = running->attempt.job;
	const struct log_ids ids = {
		.seq = job->seq,
		.event_id = slice_of(job->event_id),
		.event_type = slice_of(job->event_type),
		.eval_id = slice_of(job->eval_id),
		.delivery = job->delivery,
		.handler = slice_of(job->handler),
	};
	/* a consumer's own words may hold personal data, which the store may keep and a log not */
	const char *reason = running->attempt.result.is_reason_foreign
				     ? "the consumer gave a reason (riskhookctl attempts)"
				     : running->reason;

	handler_tally_attempt(running->handler->name, running->finish.outcome,
			      running->finish.state, running->finish.now - running->started_at);
	switch (running->finish.state) {
	case DELIVERY_DONE:
		metric_inc(METRIC_DELIVERIES_DONE);
		log_with(LOG_LEVEL_INFO, &ids, "delivered, attempt %d", job->attempt);
		break;
	case DELIVERY_DEAD:
		metric_inc(METRIC_DELIVERIES_DEAD);
		log_with(LOG_LEVEL_WARNING, &ids, "delivery is dead after attempt %d: %s",
			 job->attempt, reason);
		break;
	default:
		report_pending(running, &ids, reason);
		break;
	}
}
