/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookd/reminder.h"

#include <errno.h>
#include <inttypes.h>

#include "core/clock.h"
#include "core/log.h"
#include "intake/intake.h"
#include "intake/listener.h"
#include "intake/sender.h"
#include "store/reader.h"
#include "util/units.h"

#define INTERVAL_MS 60000
#define SAVE_BATCH  256
#define STEP_US     (60 * US_PER_S) /* of the clock; nobody needs to look at less */

struct recall {
	struct watch *watch;
	int64_t now_us;
};

static int recall_one(const struct use *use, void *arg)
{
	struct recall *recall = arg;

	return watch_remember(recall->watch, use, recall->now_us);
}

int reminder_recall(struct gate *gate, const char *path, struct error *e)
{
	struct recall recall = {.watch = gate->watch, .now_us = clock_now_us()};
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	int r;

	r = reader_open(path, &reader, e);
	if (r < 0)
		return r;
	r = uses_read(reader, recall_one, &recall);
	if (r < 0)
		return error_set(e, r, "cannot read '%s': %s", path, error_name(r));
	return 0;
}

/* @what: "credential", "certificate"; @hint: what to do */
static void warn_of_end(struct ending_memory *memory, int64_t end_us, int64_t now_us,
			const char *what, const char *hint)
{
	enum ending ending = ending_warning(memory, now_us, end_us);
	int64_t days = ending_days_left(now_us, end_us);
	char at[TIME_TEXT_SIZE];

	if (ending == ENDING_FAR)
		return;
	if (ending == ENDED)
		log_error("%s has ended at %s; %s", what, time_format(end_us, at), hint);
	else
		log_warning("%s ends in %" PRId64 " day%s, at %s; %s", what, days,
			    PLURAL(days, "", "s"), time_format(end_us, at), hint);
}

static void warn_of_credentials(const struct intake *in, int64_t now_us)
{
	for (size_t i = 0; i < in->config->n_credentials; i++) {
		const struct credential_config *c = &in->config->credentials[i];
		char what[CONFIG_NAME_MAX + 16];

		(void)snprintf(what, sizeof(what), "credential %s", c->name); /* it fits */
		warn_of_end(&in->watched_credentials[i]->ending, c->not_after_us, now_us, what,
			    "add its successor, and enter that in the RiskOS Dashboard");
	}
}

static void warn_of_clock(struct steady_clock *clock)
{
	int64_t set_us = steady_look(clock, clock_read());

	if (set_us >= STEP_US)
		log_warning("the clock was set forward by %" PRId64 " s; if it is wrong, set it "
			    "right within a day: until then nothing is erased or given up for it",
			    (int64_t)(set_us / US_PER_S));
}

void reminder_save(struct reminder *r)
{
	struct use uses[SAVE_BATCH];
	struct use_op op = {.op = {.kind = STORE_OP_USE}, .uses = uses};
	int result;

	op.n_uses = watch_unsaved(r->gate->watch, uses, SAVE_BATCH);
	if (op.n_uses == 0)
		return;
	result = store_submit_wait(r->store, &op.op);
	if (result == 0)
		watch_saved(r->gate->watch, uses, op.n_uses);
	else /* the store has said so louder */
		log_debug("last uses cannot be saved yet: %s", error_name(result));
}

int64_t reminder_run(struct reminder *r)
{
	int64_t now_us = clock_now_us(), now_ms = clock_monotonic_ms(), silence_at;
	struct intake *in = gate_ref(r->gate);
	int64_t wait_ms = INTERVAL_MS;

	warn_of_clock(&r->clock);
	warn_of_credentials(in, now_us);
	warn_of_end(&r->certificate, listener_not_after(r->listener), now_us, "the TLS certificate",
		    "renew it, then run: riskhookctl reload");
	silence_at = sender_check_silence(in, now_us);
	gate_unref(r->gate, in);
	if (now_ms >= r->save_at_ms) {
		reminder_save(r);
		r->save_at_ms = now_ms + INTERVAL_MS;
	}
	if (silence_at != INT64_MAX)
		wait_ms = MIN_OF(wait_ms, (silence_at - now_us) / US_PER_MS + 1);
	return MAX_OF(wait_ms, 1);
}
