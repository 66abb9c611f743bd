/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show, evaluation: one thing with all that belongs to it
 */
#include <errno.h>

#include "riskhookctl/ask.h"
#include "riskhookctl/print_private.h"
#include "riskhookctl/put.h"

/* a question within a question: what is needed to ask it and to print the answer */
struct view {
	struct reader *reader;
	struct print_target target;
	struct buf *json; /* NULL: for people */
	bool needs_comma;
};

static int64_t number_of(const struct value *values, int n_values, const char *name)
{
	const struct value *value = ask_value(values, n_values, name);

	return value ? value->integer : 0;
}

/* one more object of a JSON array, left open for further members */
static void open_object(struct view *view, const struct value *values, int n_values)
{
	buf_append_str(view->json, view->needs_comma ? ",{" : "{");
	view->needs_comma = true;
	print_json_members(view->json, values, n_values);
}

/* a query_visit: one element of a JSON array */
static int json_element(const struct value *values, int n_values, void *arg)
{
	struct view *view = arg;

	open_object(view, values, n_values);
	buf_append_char(view->json, '}');
	return buf_error(view->json);
}

static int json_delivery(const struct value *values, int n_values, void *arg)
{
	struct view *view = arg;
	struct view attempts = *view;
	int r;

	open_object(view, values, n_values);
	buf_append_str(view->json, ",\"history\":[");
	attempts.needs_comma = false;
	r = query_attempts(view->reader, number_of(values, n_values, "delivery"), json_element,
			   &attempts);
	buf_append_str(view->json, "]}");
	return r < 0 ? r : buf_error(view->json);
}

static void put_title(const struct view *view, const char *title)
{
	bool colour = view->target.colour;

	put(view->target.out, "\n%s%s%s\n", colour ? COLOUR_HEAD : "", title,
	    colour ? COLOUR_RESET : "");
}

static int print_values(struct view *view, const struct value *values, int n_values)
{
	_cleanup_(printer_freep)
	struct printer *printer = printer_new(&view->target, PRINT_RECORD, NULL);
	int r;

	if (!printer)
		return -ENOMEM;
	r = printer_row(values, n_values, printer);
	return r < 0 ? r : printer_flush(printer);
}

static int people_attempt(const struct value *values, int n_values, void *arg)
{
	struct view *view = arg;

	put(view->target.out, "\n");
	return print_values(view, values, n_values);
}

static int people_delivery(const struct value *values, int n_values, void *arg)
{
	struct view *view = arg;
	int r;

	put_title(view, "delivery");
	r = print_values(view, values, n_values);
	if (r < 0)
		return r;
	return query_attempts(view->reader, number_of(values, n_values, "delivery"), people_attempt,
			      view);
}

static int show_deliveries(struct view *view, int64_t seq, query_visit visit)
{
	struct delivery_filter filter = {.seq = seq};

	return query_deliveries(view->reader, &filter, visit, view);
}

/* the JSON line of a thing and, as its member @list, of what belongs to it */
static int print_nested(struct view *view, const struct value *values, int n_values,
			const char *list,
			int (*fill)(struct view *view, const struct value *values, int n_values))
{
	struct buf line = BUF_INIT(PRINT_LINE_MAX);
	struct view inner = {.reader = view->reader, .json = &line};
	int r;

	buf_append_char(&line, '{');
	print_json_members(&line, values, n_values);
	buf_printf(&line, ",\"%s\":[", list);
	r = fill(&inner, values, n_values);
	buf_append_str(&line, "]}");
	if (r >= 0)
		r = print_json_line(view->target.out, &line);
	buf_deinit(&line);
	return r;
}

static int fill_deliveries(struct view *view, const struct value *values, int n_values)
{
	return show_deliveries(view, number_of(values, n_values, "seq"), json_delivery);
}

static int fill_timeline(struct view *view, const struct value *values, int n_values)
{
	const struct value *eval_id = ask_value(values, n_values, "eval_id");
	_cleanup_(freep)
	char *id = eval_id ? slice_dup(eval_id->text) : NULL;
	struct event_filter filter = {.eval_id = id};

	return id ? query_events(view->reader, &filter, json_element, view) : -ENOMEM;
}

/* what a command shows of each row: counts them */
struct showing {
	struct view view;
	bool json;
	bool payload;
	int n;
	int n_bodies; /* with `payload`: erased events have none */
};

static int show_event(const struct value *values, int n_values, void *arg)
{
	struct showing *showing = arg;
	int64_t seq = number_of(values, n_values, "seq");
	int r;

	if (showing->payload) {
		showing->n++;
		r = query_payload(showing->view.reader, seq, ask_print_body, &showing->view.target);
		showing->n_bodies += r > 0;
		return r;
	}
	if (showing->json) {
		showing->n++;
		return print_nested(&showing->view, values, n_values, "deliveries",
				    fill_deliveries);
	}
	if (showing->n++ > 0)
		put_title(&showing->view, "event");
	r = print_values(&showing->view, values, n_values);
	return r < 0 ? r : show_deliveries(&showing->view, seq, people_delivery);
}

enum ctl_exit cmd_show(const struct context *ctx)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	struct showing showing = {.json = ctx->args->json, .payload = ctx->args->payload};
	enum ctl_exit code = ask_open(ctx, &reader);
	int r;

	if (code != CTL_OK)
		return code;
	showing.view.reader = reader;
	showing.view.target = print_target_stdout();
	r = query_event(reader, ctx->args->operands[1], show_event, &showing);
	if (r == 0 && showing.n == 0)
		return ctl_fail(CTL_NOTHING, "no event '%s'", ctx->args->operands[1]);
	if (r == 0 && showing.payload && showing.n_bodies == 0)
		return ctl_fail(CTL_NOTHING,
				"the body of event '%s' was erased by [store] retention",
				ctx->args->operands[1]);
	return ask_result(r);
}

static int print_timeline(struct view *view, const char *eval_id)
{
	_cleanup_(printer_freep)
	struct printer *printer =
		printer_new(&view->target, PRINT_TABLE,
			    "seq event_at received_at event_type decision status sub_status test");
	struct event_filter filter = {.eval_id = eval_id};
	int r;

	if (!printer)
		return -ENOMEM;
	put_title(view, "time line, in order of arrival");
	r = query_events(view->reader, &filter, printer_row, printer);
	return r < 0 ? r : printer_flush(printer);
}

static int show_evaluation(const struct value *values, int n_values, void *arg)
{
	struct showing *showing = arg;

	showing->n++;
	if (showing->json)
		return print_nested(&showing->view, values, n_values, "timeline", fill_timeline);
	return print_values(&showing->view, values, n_values);
}

enum ctl_exit cmd_evaluation(const struct context *ctx)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	struct showing showing = {.json = ctx->args->json};
	const char *eval_id = ctx->args->operands[1];
	enum ctl_exit code = ask_open(ctx, &reader);
	int r;

	if (code != CTL_OK)
		return code;
	showing.view.reader = reader;
	showing.view.target = print_target_stdout();
	r = query_evaluation(reader, eval_id, show_evaluation, &showing);
	if (r == 0 && showing.n == 0)
		return ctl_fail(CTL_NOTHING, "no evaluation '%s'", eval_id);
	if (r == 0 && !showing.json)
		r = print_timeline(&showing.view, eval_id);
	return ask_result(r);
}
