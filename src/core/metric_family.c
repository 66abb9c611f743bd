/* SPDX-License-Identifier: Apache-2.0 */
#include "core/metric_family.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "util/buf.h"
#include "util/cleanup.h"
#include "util/thread.h"

#define OTHER      "other"
#define US_PER_SEC 1e6

/* upper bounds of the buckets; the last bucket has none */
static const int64_t duration_bounds[] = {500,     1000,     2500,     5000,     10000,    25000,
					  50000,   100000,   250000,   500000,   1000000,  2500000,
					  5000000, 10000000, 30000000, 60000000, 300000000};
static const int64_t count_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

#define BUCKETS_MAX (ARRAY_SIZE(duration_bounds) + 1)

struct kind {
	const char *type;
	bool is_computed;
	const int64_t *bounds; /* NULL: no histogram */
	size_t n_bounds;
	double scale; /* what is shown is the value divided by it */
};

static const struct kind kind_counter = {.type = "counter", .scale = 1};
static const struct kind kind_computed = {.type = "gauge", .is_computed = true, .scale = 1};
static const struct kind kind_durations = {
	.type = "histogram",
	.bounds = duration_bounds,
	.n_bounds = ARRAY_SIZE(duration_bounds),
	.scale = US_PER_SEC,
};
static const struct kind kind_counts = {
	.type = "histogram",
	.bounds = count_bounds,
	.n_bounds = ARRAY_SIZE(count_bounds),
	.scale = 1,
};

static const struct family {
	const char *name;
	const struct kind *kind;
	const char *labels[METRIC_LABELS_MAX];
	const char *help;
} families[FAMILY_COUNT] = {
#define ROW(id, name, kind, label1, label2, help)                                                  \
	[FAMILY_##id] = {name, &kind_##kind, {label1, label2}, help},
	METRIC_FAMILIES(ROW)
#undef ROW
};

struct series {
	_Atomic(struct series *) next;
	const struct kind *kind;
	char *values[METRIC_LABELS_MAX];      /* NULL where the family has no label */
	_Atomic int64_t sum;                  /* a counter's value, too */
	_Atomic int64_t buckets[BUCKETS_MAX]; /* of a histogram; each counts its own bucket alone */
};

/* Lists only grow, at their end, under mx; they are read without it. */
static _Atomic(struct series *) lists[FAMILY_COUNT];
static size_t lengths[FAMILY_COUNT]; /* under mx */
static pthread_mutex_t mx = PTHREAD_MUTEX_INITIALIZER;

static struct series nowhere = {.kind = &kind_durations}; /* when there is no memory */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static struct series *find(enum metric_family family, const char *value1, const char *value2)
{
	struct series *s = atomic_load_explicit(&lists[family], memory_order_acquire);

	while (s && !(same_text(s->values[0], value1) && same_text(s->values[1], value2)))
		s = atomic_load_explicit(&s->next, memory_order_acquire);
	return s;
}

static void series_free(struct series *s)
{
	if (!s)
		return;
	for (int i = 0; i < METRIC_LABELS_MAX; i++)
		free(s->values[i]);
	free(s);
}
DEFINE_CLEANUP(struct series *, series_free)

static struct series *series_new(enum metric_family family, const char *value1, const char *value2)
{
	const char *const values[METRIC_LABELS_MAX] = {value1, value2};
	_cleanup_(series_freep)
	struct series *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->kind = families[family].kind;
	for (int i = 0; i < METRIC_LABELS_MAX; i++) {
		s->values[i] = values[i] ? strdup(values[i]) : NULL;
		if (values[i] && !s->values[i])
			return NULL;
	}
	return steal_ptr(&s);
}

/* under mx */
static struct series *append(enum metric_family family, const char *value1, const char *value2)
{
	_Atomic(struct series *) *end = &lists[family];
	struct series *s = find(family, value1, value2), *last; /* somebody was quicker? */

	if (s)
		return s;
	s = series_new(family, value1, value2);
	if (!s)
		return &nowhere;
	while ((last = atomic_load_explicit(end, memory_order_relaxed)))
		end = &last->next;
	atomic_store_explicit(end, s, memory_order_release);
	lengths[family]++;
	return s;
}

struct series *series_of(enum metric_family family, const char *value1, const char *value2)
{
	struct series *s = find(family, value1, value2);

	if (s)
		return s;
	mutex_lock(&mx);
	if (lengths[family] < SERIES_MAX - 1)
		s = append(family, value1, value2);
	else
		s = append(family, value1 ? OTHER : NULL, value2 ? OTHER : NULL);
	mutex_unlock(&mx);
	return s;
}

void series_add(struct series *s, int64_t n)
{
	atomic_fetch_add_explicit(&s->sum, n, memory_order_relaxed);
}

int64_t series_value(const struct series *s)
{
	return atomic_load_explicit(&s->sum, memory_order_relaxed);
}

void series_observe(struct series *s, int64_t value)
{
	const struct kind *kind = s->kind;
	size_t i = 0;

	while (i < kind->n_bounds && value > kind->bounds[i])
		i++;
	atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->sum, value, memory_order_relaxed);
}

static void append_label(struct buf *out, const char *sign, const char *label, const char *value)
{
	buf_printf(out, "%s%s=\"", sign, label);
	for (; *value; value++) {
		if (*value == '\n') {
			buf_append_str(out, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			buf_append_char(out, '\\');
		buf_append_char(out, *value);
	}
	buf_append_char(out, '"');
}

/* {endpoint="riskos",le="0.5"}, or nothing */
static void append_labels(struct buf *out, const struct family *family, const char *const *values,
			  const char *le)
{
	const char *sign = "{";

	for (int i = 0; i < METRIC_LABELS_MAX; i++) {
		if (!family->labels[i] || !values[i])
			continue;
		append_label(out, sign, family->labels[i], values[i]);
		sign = ",";
	}
	if (le) {
		append_label(out, sign, "le", le);
		sign = ",";
	}
	if (*sign == ',')
		buf_append_char(out, '}');
}

static void append_bucket(struct buf *out, const struct family *family, const struct series *s,
			  const char *le, int64_t n)
{
	buf_printf(out, "%s_bucket", family->name);
	append_labels(out, family, (const char *const *)s->values, le);
	buf_printf(out, " %" PRId64 "\n", n);
}

static void render_histogram(struct buf *out, const struct family *family, const struct series *s)
{
	const struct kind *kind = family->kind;
	int64_t total = 0;
	char le[32];

	for (size_t i = 0; i < kind->n_bounds; i++) {
		total += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
		(void)snprintf(le, sizeof(le), "%g", (double)kind->bounds[i] / kind->scale);
		append_bucket(out, family, s, le, total);
	}
	total += atomic_load_explicit(&s->buckets[kind->n_bounds], memory_order_relaxed);
	append_bucket(out, family, s, "+Inf", total);
	buf_printf(out, "%s_sum", family->name);
	append_labels(out, family, (const char *const *)s->values, NULL);
	buf_printf(out, " %.10g\n%s_count", (double)series_value(s) / kind->scale, family->name);
	append_labels(out, family, (const char *const *)s->values, NULL);
	buf_printf(out, " %" PRId64 "\n", total);
}

static void render_family(struct buf *out, enum metric_family id)
{
	const struct family *family = &families[id];
	struct series *s;

	if (!family->labels[0])
		(void)series_of(id, NULL, NULL); /* shown as 0 before it is first counted */
	metric_family_head(out, id);
	s = atomic_load_explicit(&lists[id], memory_order_acquire);
	for (; s; s = atomic_load_explicit(&s->next, memory_order_acquire)) {
		if (family->kind->bounds)
			render_histogram(out, family, s);
		else
			metric_family_sample(out, id, s->values[0], s->values[1],
					     (double)series_value(s));
	}
}

void metric_family_each(enum metric_family family, metric_family_visit visit, void *arg)
{
	struct series *s = atomic_load_explicit(&lists[family], memory_order_acquire);

	for (; s; s = atomic_load_explicit(&s->next, memory_order_acquire))
		visit(s->values[0], s->values[1], series_value(s), arg);
}

void metric_families_render(struct buf *out)
{
	for (int i = 0; i < FAMILY_COUNT; i++)
		if (!families[i].kind->is_computed)
			render_family(out, (enum metric_family)i);
}

void metric_family_head(struct buf *out, enum metric_family family)
{
	buf_printf(out, "# HELP %s %s\n", families[family].name, families[family].help);
	buf_printf(out, "# TYPE %s %s\n", families[family].name, families[family].kind->type);
}

void metric_family_sample(struct buf *out, enum metric_family family, const char *value1,
			  const char *value2, double number)
{
	const char *const values[METRIC_LABELS_MAX] = {value1, value2};

	buf_append_str(out, families[family].name);
	append_labels(out, &families[family], values, NULL);
	buf_printf(out, " %.15g\n", number);
}
