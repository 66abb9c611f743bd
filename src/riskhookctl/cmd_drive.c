/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause, resume, retry, hold, release, dismiss: what operators do to handlers and deliveries
 */
#include "core/config.h"
#include "riskhookctl/ask.h"
#include "riskhookctl/daemon.h"
#include "riskhookctl/put.h"

#define BATCH 500 /* deliveries in one request */

/* --- handlers --- */

static enum ctl_exit set_paused(const struct context *ctx, const char *path, const char *done)
{
	const char *handler = ctx->args->operands[1];
	enum ctl_exit code = daemon_check_handler(ctx, handler);
	json_t *answer = NULL;

	if (code == CTL_OK)
		code = daemon_change(ctx, path, json_pack("{s:s}", "handler", handler), &answer);
	if (code != CTL_OK)
		return code;
	if (ctx->args->json)
		daemon_print_json(answer);
	else
		put(stdout, "%s: %s%s\n", handler, done,
		    json_is_true(json_object_get(answer, "changed")) ? "" : " already");
	json_decref(answer);
	return CTL_OK;
}

enum ctl_exit cmd_pause(const struct context *ctx)
{
	return set_paused(ctx, "/v1/pause", "paused");
}

enum ctl_exit cmd_resume(const struct context *ctx)
{
	return set_paused(ctx, "/v1/resume", "not paused");
}

/* --- deliveries --- */

/* what one command does, in batches */
struct change {
	const struct context *ctx;
	const char *path;
	const char *verb;          /* "will be retried" */
	enum delivery_state state; /* that --handler looks for */
	bool is_dismissal;         /* --state may name another one, --handler one that is gone */
	json_t *batch;
	int64_t last; /* the highest delivery of the batch */
	int64_t n_changed, n_refused;
	int64_t n_missing; /* of the refused: there is no such delivery */
};

/* @state: of a delivery that was refused, or NULL: there is none */
static void print_refusal(const struct change *change, long long delivery, const char *state)
{
	if (!state)
		put(stderr, "riskhookctl: delivery %lld does not exist\n", delivery);
	else if (!change->is_dismissal && strcmp(state, "dead") == 0 &&
		 change->state == DELIVERY_DEAD)
		put(stderr, /* otherwise the daemon would have done it */
		    "riskhookctl: delivery %lld is dead and stays so: its body was erased by "
		    "[store] retention\n",
		    delivery);
	else
		put(stderr, "riskhookctl: delivery %lld is %s\n", delivery, state);
}

static void print_refused(struct change *change, const json_t *refused)
{
	size_t i;
	json_t *item;

	json_array_foreach(refused, i, item)
	{
		const char *state = json_string_value(json_object_get(item, "state"));

		change->n_refused++;
		change->n_missing += !state;
		print_refusal(change, json_integer_value(json_object_get(item, "delivery")), state);
	}
}

static enum ctl_exit flush(struct change *change)
{
	json_t *answer = NULL;
	enum ctl_exit code;

	if (json_array_size(change->batch) == 0)
		return CTL_OK;
	code = daemon_change(change->ctx, change->path,
			     json_pack("{s:O}", "deliveries", change->batch), &answer);
	(void)json_array_clear(change->batch); /* cannot fail: it is an array */
	if (code != CTL_OK)
		return code;
	change->n_changed += json_integer_value(json_object_get(answer, "changed"));
	print_refused(change, json_object_get(answer, "refused"));
	json_decref(answer);
	return CTL_OK;
}

static enum ctl_exit add(struct change *change, int64_t delivery)
{
	change->last = delivery;
	if (json_array_append_new(change->batch, json_integer(delivery)) < 0)
		return ctl_fail(CTL_FAILED, "out of memory");
	return json_array_size(change->batch) == BATCH ? flush(change) : CTL_OK;
}

/* the numbers on the command line */
static enum ctl_exit change_operands(struct change *change)
{
	const struct arguments *args = change->ctx->args;
	enum ctl_exit code = CTL_OK;
	int64_t delivery;

	for (int i = 1; i < args->n_operands; i++) {
		if (args_number(args->operands[i], &delivery) < 0 || delivery == 0)
			return ctl_fail(CTL_USAGE,
					"'%s' is not a delivery's number; "
					"'riskhookctl deliveries' lists them",
					args->operands[i]);
	}
	for (int i = 1; code == CTL_OK && i < args->n_operands; i++) {
		code = args_number(args->operands[i], &delivery) == 0 ? CTL_OK : CTL_USAGE;
		if (code == CTL_OK)
			code = add(change, delivery);
	}
	return code == CTL_OK ? flush(change) : code;
}

static int visit_stuck(const struct value *values, int n_values, void *arg)
{
	return n_values > 0 && add(arg, values[0].integer) == CTL_OK ? 0 : 1;
}

/* all of a handler's deliveries that are in the state; each batch is read after the one before was
 * changed, so that no snapshot is held open for long */
static enum ctl_exit change_handler(struct change *change)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	const char *handler = change->ctx->args->handler;
	enum ctl_exit code =
		change->is_dismissal ? CTL_OK : daemon_check_handler(change->ctx, handler);
	bool is_terminal = isatty(STDERR_FILENO);
	int64_t before;
	int r;

	if (code == CTL_OK)
		code = ask_open(change->ctx, &reader);
	if (code != CTL_OK)
		return code;
	do {
		before = change->last;
		r = query_stuck(reader, handler, change->state, before, BATCH - 1, visit_stuck,
				change);
		if (r != 0)
			return r > 0 ? CTL_FAILED : ask_result(r);
		code = flush(change);
		if (is_terminal)
			put(stderr, "\r%lld deliveries ...\r", (long long)change->n_changed);
	} while (code == CTL_OK && change->last > before);
	return code;
}

static enum ctl_exit report(const struct change *change)
{
	if (change->ctx->args->json)
		put(stdout, "{\"changed\":%lld,\"refused\":%lld}\n", (long long)change->n_changed,
		    (long long)change->n_refused);
	else
		put(stdout, "%lld %s %s\n", (long long)change->n_changed,
		    PLURAL(change->n_changed, "delivery", "deliveries"), change->verb);
	if (change->n_refused > change->n_missing)
		return CTL_FAILED;
	if (change->n_changed == 0)
		return CTL_NOTHING;
	return change->n_missing > 0 ? CTL_FAILED : CTL_OK;
}

/* @change: path, verb and state */
static enum ctl_exit change_deliveries(const struct context *ctx, struct change change)
{
	const char *wanted = delivery_state_name(change.state);
	const struct arguments *args = ctx->args;
	enum ctl_exit code;

	if ((args->n_operands > 1) == (args->handler != NULL))
		return ctl_fail(CTL_USAGE, "name either deliveries or --handler");
	if (args->state && strcmp(args->state, wanted) != 0)
		return ctl_fail(CTL_USAGE, "'%s' takes --state %s alone", args->operands[0],
				wanted);
	change.ctx = ctx;
	change.batch = json_array();
	if (!change.batch)
		return ctl_fail(CTL_FAILED, "out of memory");
	code = args->handler ? change_handler(&change) : change_operands(&change);
	json_decref(change.batch);
	return code == CTL_OK ? report(&change) : code;
}

enum ctl_exit cmd_retry(const struct context *ctx)
{
	return change_deliveries(ctx, (struct change){
					      .path = "/v1/retry",
					      .verb = "will be retried",
					      .state = DELIVERY_DEAD,
				      });
}

enum ctl_exit cmd_release(const struct context *ctx)
{
	return change_deliveries(ctx, (struct change){
					      .path = "/v1/release",
					      .verb = "released",
					      .state = DELIVERY_HELD,
				      });
}

enum ctl_exit cmd_dismiss(const struct context *ctx)
{
	const char *state = ctx->args->state;
	struct change change = {
		.path = "/v1/dismiss",
		.verb = "dismissed",
		.state = DELIVERY_DEAD,
		.is_dismissal = true,
	};

	if (state && strcmp(state, delivery_state_name(DELIVERY_PENDING)) == 0)
		change.state = DELIVERY_PENDING;
	if (state && strcmp(state, delivery_state_name(DELIVERY_HELD)) == 0)
		change.state = DELIVERY_HELD;
	return change_deliveries(ctx, change);
}

enum ctl_exit cmd_hold(const struct context *ctx)
{
	return change_deliveries(ctx, (struct change){
					      .path = "/v1/hold",
					      .verb = "held",
					      .state = DELIVERY_PENDING,
				      });
}
