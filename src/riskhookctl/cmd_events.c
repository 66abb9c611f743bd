/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: lists and tails
 */
#include <errno.h>
#include <string.h>

#include "core/config.h"
#include "core/event_types.h"
#include "riskhookctl/ask.h"
#include "riskhookctl/follow.h"

#define BATCH 500 /* rows of one query; between two the store may checkpoint its WAL */

struct listing {
	struct reader *reader;
	struct printer *printer;
	struct event_filter filter;
	int64_t n_batch; /* rows of the last query */
};

static int visit_event(const struct value *values, int n_values, void *arg)
{
	struct listing *listing = arg;
	const struct value *seq = ask_value(values, n_values, "seq");

	listing->n_batch++;
	if (seq)
		listing->filter.after_seq = MAX_OF(listing->filter.after_seq, seq->integer);
	return printer_row(values, n_values, listing->printer);
}

/* everything behind after_seq, in order */
static int print_forward(struct listing *listing)
{
	int r = 0;

	listing->filter.oldest_first = true;
	listing->filter.limit = BATCH;
	do {
		struct event_filter filter = listing->filter;

		listing->n_batch = 0;
		r = query_events(listing->reader, &filter, visit_event, listing);
	} while (r == 0 && listing->n_batch == BATCH);
	return r;
}

static int print_newest(struct listing *listing)
{
	struct event_filter filter = listing->filter;
	int64_t last_seq = 0;
	int r;

	if (filter.limit == 0)
		return print_forward(listing);
	r = query_last_seq(listing->reader,
			   &last_seq); /* before: a later event is in one of both */
	if (r == 0)
		r = query_events(listing->reader, &filter, visit_event, listing);
	listing->filter.after_seq = MAX_OF(listing->filter.after_seq, last_seq);
	return r;
}

static int follow(struct listing *listing, const char *store_path)
{
	struct follow follow = {.inotify = -1, .signals = -1};
	int r = follow_open(&follow, store_path);

	if (r < 0)
		return r;
	do {
		r = print_forward(listing);
		if (r == 0)
			r = printer_flush(listing->printer);
		if (r == 0)
			r = follow_wait(&follow);
	} while (r > 0);
	follow_close(&follow);
	return r;
}

static struct event_filter make_filter(const struct arguments *args)
{
	return (struct event_filter){
		.event_type = args->type,
		.category = args->category,
		.eval_id = args->eval_id,
		.customer_id = args->customer_id,
		.decision = args->decision,
		.status = args->status,
		.workflow = args->workflow,
		.environment = args->environment,
		.since = args->since,
		.until = args->until,
		.test = args->test - args->no_test,
		.limit = args->limit,
	};
}

static enum ctl_exit check_category(const char *name)
{
	for (int c = CATEGORY_UNKNOWN; c <= CATEGORY_DOCV; c++)
		if (strcmp(name, event_category_name((enum event_category)c)) == 0)
			return CTL_OK;
	return ctl_fail(
		CTL_USAGE,
		"no category '%s'; categories are evaluation, case, watchlist, docv, unknown",
		name);
}

enum ctl_exit cmd_events(const struct context *ctx)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	_cleanup_(printer_freep)
	struct printer *printer = NULL;
	struct print_target target = print_target_stdout();
	struct listing listing = {.filter = make_filter(ctx->args)};
	const char *category = ctx->args->category;
	enum ctl_exit code = category ? check_category(category) : CTL_OK;
	int r;

	if (code == CTL_OK)
		code = ask_open(ctx, &reader);
	if (code != CTL_OK)
		return code;
	printer = ask_printer(ctx, &target,
			      "seq received_at event_type category decision eval_id test");
	if (!printer)
		return ask_result(-ENOMEM);
	listing.reader = reader;
	listing.printer = printer;
	r = print_newest(&listing);
	if (!ctx->args->follow)
		return ask_finish(printer, r, "matching events");
	return ask_result(r < 0 ? r : follow(&listing, ctx->config->store.path));
}
