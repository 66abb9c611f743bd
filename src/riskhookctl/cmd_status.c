/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status: what the running daemon says of itself
 */
#include <jansson.h>

#include "core/clock.h"
#include "riskhookctl/daemon.h"
#include "riskhookctl/print.h"
#include "riskhookctl/put.h"
#include "riskhookctl/status_page.h"

#define STATUS_MAX     (1024 * 1024)
#define NAME_MAX_BYTES 256
#define COLUMNS_MAX    16

static void print_scalar(const char *name, const json_t *value)
{
	struct buf line = BUF_INIT(STATUS_MAX);
	char *text = NULL;

	buf_printf(&line, "%-28s ", name);
	if (json_is_string(value))
		print_escape(&line, slice_of(json_string_value(value)));
	else
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (text)
		buf_append_str(&line, text);
	if (buf_error(&line) == 0)
		put(stdout, "%s\n", line.p);
	free(text);
	buf_deinit(&line);
}

/* the lists in it, and the columns of each that a table shows */
static const struct {
	const char *member, *columns;
} lists[] = {
	{"endpoints", "endpoint last_event_at failures_in_a_row unauthorized_in_a_row silent"},
	{"credentials", "credential type endpoint last_used_at not_after days_left"},
};

static struct value value_of(const char *name, const json_t *value)
{
	struct value v = {.name = name, .type = VALUE_NULL};

	if (json_is_string(value)) {
		v.type = VALUE_TEXT;
		v.text = slice_of(json_string_value(value));
	} else if (json_is_integer(value)) {
		v.type = VALUE_INTEGER;
		v.integer = json_integer_value(value);
	} else if (json_is_boolean(value)) {
		v.type = VALUE_TEXT;
		v.text = json_is_true(value) ? SLICE("yes") : SLICE("no");
	}
	return v;
}

static void print_rows(const char *columns, json_t *rows)
{
	struct print_target target = print_target_stdout();
	_cleanup_(printer_freep)
	struct printer *printer = printer_new(&target, PRINT_TABLE, columns);
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		struct value values[COLUMNS_MAX];
		const char *key;
		json_t *value;
		int n = 0;

		json_object_foreach(row, key, value)
		{
			if (n < COLUMNS_MAX)
				values[n++] = value_of(key, value);
		}
		if (printer)
			(void)printer_row(values, n, printer); /* main() looks at stdout */
	}
	if (printer)
		(void)printer_flush(printer); /* the same */
}

static void print_lists(const json_t *status)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		json_t *rows = json_object_get(status, lists[i].member);

		if (json_array_size(rows) == 0)
			continue;
		put(stdout, "\n");
		print_rows(lists[i].columns, rows);
	}
}

/* objects become dotted names: "store.healthy  true" */
/* NOLINTNEXTLINE(misc-no-recursion): jansson bounds the depth of what it has parsed */
static void print_members(const char *prefix, json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		char name[NAME_MAX_BYTES];

		(void)snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "",
			       key); /* a cut name still helps */
		if (json_is_object(value))
			print_members(name, value);
		else if (!json_is_array(value))
			print_scalar(name, value);
	}
}

static enum ctl_exit print_status(const struct context *ctx, json_t *status)
{
	struct print_target target;

	if (!status)
		return ctl_fail(CTL_FAILED, "the daemon's answer is not a JSON object");
	if (ctx->args->json) {
		daemon_print_json(status);
		return CTL_OK;
	}
	target = print_target_stdout();
	(void)status_page_print(&target, status, clock_now_us()); /* main() looks at stdout */
	print_lists(status);
	put(stdout, "\n");
	print_members("", status); /* what the page does not know */
	return CTL_OK;
}

enum ctl_exit cmd_status(const struct context *ctx)
{
	struct daemon_answer answer;
	enum ctl_exit code = daemon_get(ctx, "/v1/status", &answer);

	if (code != CTL_OK)
		return code;
	if (answer.status == 200)
		code = print_status(ctx, answer.object);
	else
		code = ctl_fail(CTL_FAILED, "the daemon answered %d", answer.status);
	json_decref(answer.object);
	return code;
}
