/* SPDX-License-Identifier: Apache-2.0 */
#include "core/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "util/buf.h"

#define CACHE_LINE 64

/* A line of its own for each: threads that count different things do not slow each other down. */
struct cell {
	_Alignas(CACHE_LINE) _Atomic int64_t value;
};

static struct cell cells[METRIC_COUNT];

static const struct {
	const char *name, *kind, *help;
} rows[METRIC_COUNT] = {
#define ROW(id, name, kind, help) [METRIC_##id] = {name, #kind, help},
	METRICS_TABLE(ROW)
#undef ROW
};

void metric_add(enum metric m, int64_t n)
{
	atomic_fetch_add_explicit(&cells[m].value, n, memory_order_relaxed);
}

int64_t metric_value(enum metric m)
{
	return atomic_load_explicit(&cells[m].value, memory_order_relaxed);
}

void metrics_render(struct buf *out)
{
	for (int m = 0; m < METRIC_COUNT; m++) {
		buf_printf(out, "# HELP %s %s\n", rows[m].name, rows[m].help);
		buf_printf(out, "# TYPE %s %s\n", rows[m].name, rows[m].kind);
		buf_printf(out, "%s %" PRId64 "\n", rows[m].name, metric_value((enum metric)m));
	}
}
