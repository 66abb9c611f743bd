/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/status_page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "riskhookctl/bar.h"
#include "riskhookctl/print_private.h"
#include "riskhookctl/put.h"
#include "util/units.h"

#define NAME_WIDTH 10
#define COLUMNS    6

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "?";
}

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "3 min", or "?" */
static const char *since(const json_t *object, const char *key, int64_t now, char out[NUMBER_SIZE])
{
	int64_t at;

	if (time_parse(slice_of(text_of(object, key)), &at) < 0)
		return "?";
	return age_text(MAX_OF(now - at, 0) / US_PER_S, out);
}

static void put_name(const struct print_target *target, const char *name)
{
	put(target->out, "%s%-*s%s", target->colour ? COLOUR_DIM : "", NAME_WIDTH, name,
	    target->colour ? COLOUR_RESET : "");
}

/* text from the daemon's configuration */
static void put_text(const struct print_target *target, const char *text)
{
	struct buf escaped = BUF_INIT(64 * 1024);

	print_escape(&escaped, slice_of(text));
	if (escaped.p)
		put(target->out, "%s", escaped.p);
	buf_deinit(&escaped);
}

static void print_daemon(const struct print_target *target, const json_t *status, int64_t now)
{
	char age[NUMBER_SIZE];

	put_name(target, "riskhookd");
	put(target->out, "%s, pid %lld, up %s, on ", text_of(status, "version"),
	    (long long)number_of(status, "pid"), since(status, "started_at", now, age));
	put_text(target, text_of(status, "listen"));
	put(target->out, ", log level %s\n", text_of(status, "log_level"));
}

static void print_ready(const struct print_target *target, const json_t *status)
{
	const json_t *reasons = json_object_get(status, "reasons");
	bool ready = json_is_true(json_object_get(status, "ready"));
	const char *colour = ready ? "\033[32m" : "\033[31m";

	put_name(target, "ready");
	put(target->out, "%s%s%s\n", target->colour ? colour : "", ready ? "yes" : "NO",
	    target->colour ? COLOUR_RESET : "");
	for (size_t i = 0; i < json_array_size(reasons); i++) {
		put_name(target, "");
		put_text(target, json_string_value(json_array_get(reasons, i)));
		put(target->out, "\n");
	}
}

static void print_store(const struct print_target *target, const json_t *status)
{
	const json_t *store = json_object_get(status, "store");
	const json_t *counts = json_object_get(status, "since_start");
	char size[NUMBER_SIZE], wal[NUMBER_SIZE], left[NUMBER_SIZE];

	put_name(target, "store");
	put(target->out,
	    "%s, %lld events wait for a commit, %lld for the router; %s and %s of log, %s left\n",
	    json_is_true(json_object_get(store, "healthy")) ? "healthy" : "CANNOT COMMIT",
	    (long long)number_of(store, "pending"), (long long)number_of(store, "unrouted"),
	    bytes_text(number_of(store, "database_bytes"), size),
	    bytes_text(number_of(store, "wal_bytes"), wal),
	    bytes_text(number_of(store, "disk_free_bytes"), left));
	put_name(target, "events");
	put(target->out,
	    "%lld stored, %lld duplicates, %lld delivered, %lld dead since the start\n",
	    (long long)number_of(counts, "stored"), (long long)number_of(counts, "duplicates"),
	    (long long)number_of(counts, "delivered"), (long long)number_of(counts, "dead"));
}

static struct value count_value(const json_t *handler, const char *name)
{
	return (struct value){name, VALUE_INTEGER, number_of(handler, name), SLICE_NULL};
}

static int print_handler(struct printer *printer, const json_t *handler)
{
	int64_t oldest = number_of(handler, "oldest_pending_s");
	char age[NUMBER_SIZE];
	const struct value row[COLUMNS] = {
		{"handler", VALUE_TEXT, 0, slice_of(text_of(handler, "handler"))},
		count_value(handler, "pending"),
		count_value(handler, "running"),
		count_value(handler, "held"),
		count_value(handler, "dead"),
		{"oldest", VALUE_TEXT, 0, slice_of(oldest > 0 ? age_text(oldest, age) : "-")},
	};

	return printer_row(row, COLUMNS, printer);
}

static int print_handlers(const struct print_target *target, const json_t *status)
{
	const json_t *handlers = json_object_get(status, "handlers");
	_cleanup_(printer_freep)
	struct printer *printer = NULL;
	int r = 0;

	if (json_array_size(handlers) == 0)
		return 0;
	printer = printer_new(target, PRINT_TABLE, "handler pending running held dead oldest");
	if (!printer)
		return -ENOMEM;
	put(target->out, "\n");
	for (size_t i = 0; r == 0 && i < json_array_size(handlers); i++)
		r = print_handler(printer, json_array_get(handlers, i));
	return r < 0 ? r : printer_flush(printer);
}

int status_page_print(const struct print_target *target, json_t *status, int64_t now)
{
	static const char *const shown[] = {"version",     "pid",       "started_at", "listen",
					    "ready",       "log_level", "reasons",    "store",
					    "since_start", "handlers"};
	int r;

	print_daemon(target, status, now);
	print_ready(target, status);
	print_store(target, status);
	r = print_handlers(target, status);
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		(void)json_object_del(status, shown[i]); /* it may not have been there */
	return r;
}
