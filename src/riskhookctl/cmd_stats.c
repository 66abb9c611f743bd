/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats: counts and rates over a window
 */
#include <errno.h>
#include <inttypes.h>

#include "core/clock.h"
#include "riskhookctl/ask.h"
#include "riskhookctl/bar.h"
#include "riskhookctl/print_private.h"
#include "riskhookctl/print_time.h"
#include "riskhookctl/put.h"
#include "store/stats.h"
#include "util/units.h"

#define WINDOW_S (24 * 3600) /* without --since */
#define ROWS_MAX 512

struct row {
	const char *group;
	char *name; /* escaped, for people */
	int64_t count;
};

struct stats {
	struct print_target target;
	bool json;
	double seconds; /* of the window */
	struct row rows[ROWS_MAX];
	size_t n_rows;
};

static int print_json_row(const struct stats *stats, const struct stats_row *row)
{
	struct buf line = BUF_INIT(PRINT_LINE_MAX);
	double per_hour = stats->seconds > 0 ? (double)row->count * 3600 / stats->seconds : 0;
	int r;

	buf_printf(&line, "{\"group\":\"%s\",\"name\":", row->group);
	buf_append_json(&line, slice_of(row->name));
	buf_printf(&line, ",\"count\":%" PRId64 ",\"per_hour\":%.3f}", row->count, per_hour);
	r = print_json_line(stats->target.out, &line);
	buf_deinit(&line);
	return r;
}

static int on_row(const struct stats_row *row, void *arg)
{
	struct stats *stats = arg;
	struct buf name = BUF_INIT(PRINT_LINE_MAX);
	char *text;

	if (stats->json)
		return print_json_row(stats, row);
	if (stats->n_rows == ROWS_MAX)
		return 0;
	print_escape(&name, slice_of(row->name));
	text = buf_steal(&name);
	if (!text)
		return -ENOMEM;
	stats->rows[stats->n_rows++] = (struct row){row->group, text, row->count};
	return 0;
}

static size_t end_of_group(const struct stats *stats, size_t first)
{
	size_t end = first;

	while (end < stats->n_rows && strcmp(stats->rows[end].group, stats->rows[first].group) == 0)
		end++;
	return end;
}

static void print_group(const struct stats *stats, size_t first, size_t end)
{
	bool unicode = MB_CUR_MAX > 1, colour = stats->target.colour;
	int64_t most = 0;
	int width = 12;

	for (size_t i = first; i < end; i++) {
		most = MAX_OF(most, stats->rows[i].count);
		width = MAX_OF(width, print_width(slice_of(stats->rows[i].name)));
	}
	put(stats->target.out, "\n%s%s%s\n", colour ? COLOUR_HEAD : "", stats->rows[first].group,
	    colour ? COLOUR_RESET : "");
	for (size_t i = first; i < end; i++) {
		const struct row *row = &stats->rows[i];
		char bar[BAR_SIZE], rate[NUMBER_SIZE];
		int blanks = width - print_width(slice_of(row->name));

		put(stats->target.out, "  %s%*s %10" PRId64 " %12s  %s\n", row->name, blanks, "",
		    row->count, rate_text(row->count, stats->seconds, rate),
		    bar_text(row->count, most, unicode, bar));
	}
}

static void print_people(const struct stats *stats, int64_t since, int64_t until)
{
	char from[PRINT_TIME_SIZE], to[PRINT_TIME_SIZE];

	put(stats->target.out, "from %s to %s\n", print_time_us(since, false, from),
	    print_time_us(until, false, to));
	for (size_t i = 0, end; i < stats->n_rows; i = end) {
		end = end_of_group(stats, i);
		print_group(stats, i, end);
	}
}

enum ctl_exit cmd_stats(const struct context *ctx)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	int64_t until = ctx->args->until ? ctx->args->until : clock_now_us();
	int64_t since = ctx->args->since ? ctx->args->since : until - WINDOW_S * US_PER_S;
	struct stats stats = {.n_rows = 0};
	enum ctl_exit code;
	int r;

	if (since >= until || since < 0)
		return ctl_fail(CTL_USAGE, "the window ends before it begins");
	code = ask_open(ctx, &reader);
	if (code != CTL_OK)
		return code;
	stats.target = print_target_stdout();
	stats.json = ctx->args->json;
	stats.seconds = (double)(until - since) / US_PER_S;
	r = stats_count(reader, since, until, on_row, &stats);
	if (r == 0 && !stats.json)
		print_people(&stats, since, until);
	for (size_t i = 0; i < stats.n_rows; i++)
		free(stats.rows[i].name);
	return ask_result(r);
}
