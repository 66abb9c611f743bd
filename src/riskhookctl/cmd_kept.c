/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quarantine, conflicts: what was kept besides the events
 */
#include <errno.h>

#include "riskhookctl/ask.h"

/* two tables that are asked the same way */
struct kept {
	const char *what;
	const char *columns;
	int (*list)(struct reader *reader, int64_t id, int64_t limit, query_visit visit, void *arg);
	int (*body)(struct reader *reader, int64_t id, query_visit visit, void *arg);
};

static const struct kept kept_quarantine = {
	.what = "quarantined body",
	.columns = "quarantine received_at endpoint credential address posts bytes reason",
	.list = query_quarantine,
	.body = query_quarantine_body,
};

static const struct kept kept_conflicts = {
	.what = "conflict",
	.columns = "conflict received_at seq event_type eval_id endpoint credential posts bytes",
	.list = query_conflicts,
	.body = query_conflict_body,
};

static enum ctl_exit run(const struct context *ctx, const struct kept *kept)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	_cleanup_(printer_freep)
	struct printer *printer = NULL;
	struct print_target target = print_target_stdout();
	const char *operand = ctx->args->operands[1];
	enum ctl_exit code;
	int64_t id = 0;

	if (operand && (args_number(operand, &id) < 0 || id == 0))
		return ctl_fail(CTL_USAGE, "'%s' is not a number of the list", operand);
	if (ctx->args->payload && !operand)
		return ctl_fail(CTL_USAGE, "--payload needs the number of one");
	code = ask_open(ctx, &reader);
	if (code != CTL_OK)
		return code;
	if (ctx->args->payload)
		return ask_body_result(kept->body(reader, id, ask_print_body, &target), kept->what);
	printer = ask_printer(ctx, &target, kept->columns);
	if (!printer)
		return ask_result(-ENOMEM);
	return ask_finish(printer, kept->list(reader, id, ctx->args->limit, printer_row, printer),
			  kept->what);
}

enum ctl_exit cmd_quarantine(const struct context *ctx)
{
	return run(ctx, &kept_quarantine);
}

enum ctl_exit cmd_conflicts(const struct context *ctx)
{
	return run(ctx, &kept_conflicts);
}
