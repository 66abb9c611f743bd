/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliveries, attempts: the queue and its history
 */
#include <errno.h>
#include <string.h>

#include "core/config.h"
#include "riskhookctl/ask.h"
#include "store/model.h"

static enum ctl_exit check_state(const char *state)
{
	for (int s = DELIVERY_PENDING; s <= DELIVERY_HELD; s++) {
		if (strcasecmp(state, delivery_state_name((enum delivery_state)s)) == 0)
			return CTL_OK;
	}
	return ctl_fail(CTL_USAGE, "no state '%s'; states are pending, running, done, dead, held",
			state);
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
	return ask_finish(printer, query_deliveries(reader, &filter, printer_row, printer),
			  "matching deliveries");
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
			  "attempts of this delivery");
}
