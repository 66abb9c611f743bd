/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliveries, attempts: the queue and its history
 */
#include <errno.h>

#include "core/config.h"
#include "riskhookctl/ask.h"
#include "riskhookctl/put.h"
#include "store/model.h"

static enum ctl_exit check_state(const char *name)
{
	enum delivery_state state;

	if (delivery_state_parse(slice_of(name), &state) == 0)
		return CTL_OK;
	return ctl_fail(CTL_USAGE, "no state '%s'; states are pending, running, done, dead, held",
			name);
}

/* so that nobody wonders why nothing moves; to stderr, where it is in no table */
static int print_paused(const struct value *values, int n_values, void *arg)
{
	const struct value *handler = ask_value(values, n_values, "handler");
	const struct value *since = ask_value(values, n_values, "paused_at");
	const struct delivery_filter *filter = arg;

	if (handler && since && (!filter->handler || slice_eq_str(handler->text, filter->handler)))
		put(stderr, "handler %.*s is paused since %.*s; 'riskhookctl resume' ends it\n",
		    SLICE_ARG(handler->text), SLICE_ARG(since->text));
	return 0;
}

enum ctl_exit cmd_deliveries(const struct context *ctx)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	_cleanup_(printer_freep)
	struct printer *printer = NULL;
	struct print_target target = print_target_stdout();
	const struct arguments *args = ctx->args;
	struct delivery_filter filter = {
		.state = args->state,
		.handler = args->handler,
		.since = args->since,
		.eval_id = args->eval_id,
		.limit = args->limit,
	};
	enum ctl_exit code = args->state ? check_state(args->state) : CTL_OK;

	if (code == CTL_OK)
		code = ask_open(ctx, &reader);
	if (code != CTL_OK)
		return code;
	printer = ask_printer(ctx, &target,
			      "delivery handler seq event_type eval_id state attempts due_at "
			      "outcome reason");
	if (!printer)
		return ask_result(-ENOMEM);
	code = ask_finish(printer, query_deliveries(reader, &filter, printer_row, printer),
			  "matching deliveries");
	if (code == CTL_OK && !args->json)
		code = ask_result(query_paused(reader, print_paused, &filter));
	return code;
}

enum ctl_exit cmd_attempts(const struct context *ctx)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	_cleanup_(printer_freep)
	struct printer *printer = NULL;
	struct print_target target = print_target_stdout();
	const char *operand = ctx->args->operands[1];
	enum ctl_exit code;
	int64_t delivery;

	if (args_number(operand, &delivery) < 0)
		return ctl_fail(CTL_USAGE,
				"'%s' is not a delivery's number; 'riskhookctl deliveries' lists "
				"them",
				operand);
	code = ask_open(ctx, &reader);
	if (code != CTL_OK)
		return code;
	printer = printer_new(&target, ctx->args->json ? PRINT_JSON : PRINT_RECORD, NULL);
	if (!printer)
		return ask_result(-ENOMEM);
	return ask_finish(printer, query_attempts(reader, delivery, printer_row, printer),
			  "attempts of this delivery: it was not tried yet, or does not exist");
}
