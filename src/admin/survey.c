/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"
#include "core/metric_family.h"
#include "intake/intake.h"
#include "store/gauge.h"
#include "store/probe.h"
#include "store/reader.h"
#include "store/store.h"
#include "util/buf.h"
#include "util/units.h"

#define QUEUES_MAX 512 /* handlers, those that are no longer configured included */
#define STATES     (DELIVERY_HELD + 1)

struct survey {
	const struct admin_subject *subject;
	const char *store_path;
	int64_t min_free;
	struct reader *reader;
	struct probe *probe;
};

/* what a handler has in the store, by state */
struct queue {
	char handler[CONFIG_NAME_MAX + 1];
	int64_t n[STATES];
	int64_t oldest_at; /* us; 0: nothing is pending */
};

struct queues {
	size_t n;
	struct queue items[QUEUES_MAX];
};

int survey_new(const struct admin_subject *subject, const char *store_path, int64_t min_free,
	       struct survey **ret_survey, struct error *e)
{
	_cleanup_(survey_freep)
	struct survey *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(e, -ENOMEM, "out of memory");
	s->subject = subject;
	s->store_path = store_path;
	s->min_free = min_free;
	s->probe = probe_new(subject->store);
	if (!s->probe)
		return error_set(e, -ENOMEM, "out of memory");
	r = reader_open(store_path, &s->reader, e);
	if (r < 0)
		return r;
	*ret_survey = steal_ptr(&s);
	return 0;
}

void survey_free(struct survey *s)
{
	if (!s)
		return;
	probe_free(s->probe);
	reader_close(s->reader);
	free(s);
}

/* ---- readiness ---- */

static void add_reason(json_t *reasons, const char *text)
{
	(void)json_array_append_new(reasons, json_string(text)); /* no memory: one reason less */
}

void survey_add_reasons(struct survey *s, json_t *reasons)
{
	struct file_gauge files;
	char text[160];
	int r;

	if (!s->subject->is_listening(s->subject->arg))
		add_reason(reasons, "the listener accepts no connections");
	r = probe_ask(s->probe);
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "the store cannot commit: %s", error_name(r));
		add_reason(reasons, text);
	}
	r = gauge_files(s->store_path, &files);
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "the store's disk cannot be asked: %s",
			       error_name(r));
		add_reason(reasons, text);
	} else if (files.free < s->min_free) {
		(void)snprintf(text, sizeof(text),
			       "the store's disk has %lld MiB left, fewer than min_free",
			       (long long)(files.free >> 20));
		add_reason(reasons, text);
	}
}

/* ---- queues ---- */

/* Return: the queue of this handler, a new one if need be, or NULL: there are too many */
static struct queue *find_queue(struct queues *queues, const char *handler)
{
	struct queue *queue;

	for (size_t i = 0; i < queues->n; i++)
		if (strcmp(queues->items[i].handler, handler) == 0)
			return &queues->items[i];
	if (queues->n == QUEUES_MAX)
		return NULL;
	queue = &queues->items[queues->n++];
	*queue = (struct queue){.oldest_at = 0};
	/* no longer than the configuration allows, unless somebody wrote it by hand */
	(void)snprintf(queue->handler, sizeof(queue->handler), "%s", handler);
	return queue;
}

/* handlers that the daemon runs are shown even when they have nothing to do */
static void add_running_handler(const char *handler, const char *unused, int64_t value, void *arg)
{
	(void)unused;
	(void)value;
	(void)find_queue(arg, handler);
}

static int add_gauge(const struct queue_gauge *gauge, void *arg)
{
	struct queue *queue = find_queue(arg, gauge->handler);

	if (!queue)
		return 0;
	queue->n[gauge->state] = gauge->n;
	if (gauge->state == DELIVERY_PENDING)
		queue->oldest_at = gauge->oldest_at;
	return 0;
}

/* Return: the queues, or NULL; the caller frees them */
static struct queues *read_queues(struct survey *s)
{
	struct queues *queues = malloc(sizeof(*queues));

	if (!queues)
		return NULL;
	queues->n = 0;
	metric_family_each(FAMILY_HANDLER_DURATION, add_running_handler, queues);
	if (gauge_queues(s->reader, add_gauge, queues) < 0) {
		free(queues);
		return NULL;
	}
	return queues;
}

static double age_s(int64_t at, int64_t now)
{
	return at > 0 && now > at ? (double)(now - at) / US_PER_S : 0;
}

static bool is_shown(enum delivery_state state)
{
	return state != DELIVERY_DONE;
}

/* ---- metrics ---- */

static void add_number(struct buf *out, enum metric_family family, double number)
{
	metric_family_head(out, family);
	metric_family_sample(out, family, NULL, NULL, number);
}

static void add_queue_metrics(struct buf *out, const struct queues *queues, int64_t now)
{
	metric_family_head(out, FAMILY_HANDLER_QUEUE);
	for (size_t i = 0; i < queues->n; i++)
		for (int state = 0; state < STATES; state++)
			if (is_shown((enum delivery_state)state))
				metric_family_sample(
					out, FAMILY_HANDLER_QUEUE, queues->items[i].handler,
					delivery_state_name((enum delivery_state)state),
					(double)queues->items[i].n[state]);
	metric_family_head(out, FAMILY_HANDLER_OLDEST);
	for (size_t i = 0; i < queues->n; i++)
		metric_family_sample(out, FAMILY_HANDLER_OLDEST, queues->items[i].handler, NULL,
				     age_s(queues->items[i].oldest_at, now));
}

static void add_silence(struct survey *s, struct buf *out)
{
	struct intake *in = gate_ref(s->subject->gate);
	int64_t now = clock_now_us();

	metric_family_head(out, FAMILY_ENDPOINT_SILENCE);
	for (size_t i = 0; i < in->n_endpoints; i++) {
		const struct endpoint *endpoint = &in->endpoints[i];
		int64_t at = atomic_load(&endpoint->watched->used_at);

		if (at > 0) /* there was one */
			metric_family_sample(out, FAMILY_ENDPOINT_SILENCE, endpoint->config->name,
					     NULL, age_s(at, now));
	}
	gate_unref(s->subject->gate, in);
}

static void add_file_metrics(struct survey *s, struct buf *out)
{
	struct file_gauge files;

	if (gauge_files(s->store_path, &files) < 0)
		return;
	add_number(out, FAMILY_STORE_BYTES, (double)files.database);
	add_number(out, FAMILY_STORE_WAL_BYTES, (double)files.wal);
	add_number(out, FAMILY_STORE_FREE_BYTES, (double)files.free);
}

void survey_add_metrics(struct survey *s, struct buf *out)
{
	struct queues *queues = read_queues(s);
	int64_t n;

	metric_family_head(out, FAMILY_BUILD_INFO);
	metric_family_sample(out, FAMILY_BUILD_INFO, RISKHOOK_VERSION, NULL, 1);
	add_number(out, FAMILY_START_TIME, (double)s->subject->started_at / US_PER_S);
	add_silence(s, out);
	add_number(out, FAMILY_STORE_UP, store_is_healthy(s->subject->store));
	add_file_metrics(s, out);
	if (gauge_unrouted(s->reader, &n) == 0)
		add_number(out, FAMILY_UNROUTED, (double)n);
	if (queues)
		add_queue_metrics(out, queues, clock_now_us());
	free(queues);
}

/* ---- status ---- */

static void set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value); /* no memory: one member less */
}

static json_t *json_of_queue(const struct queue *queue, int64_t now)
{
	json_t *object = json_object();

	set(object, "handler", json_string(queue->handler));
	for (int state = 0; state < STATES; state++)
		if (is_shown((enum delivery_state)state))
			set(object, delivery_state_name((enum delivery_state)state),
			    json_integer(queue->n[state]));
	set(object, "oldest_pending_s", json_integer((json_int_t)age_s(queue->oldest_at, now)));
	return object;
}

static void add_files(struct survey *s, json_t *status)
{
	json_t *store = json_object_get(status, "store");
	struct file_gauge files;
	int64_t unrouted;

	if (gauge_unrouted(s->reader, &unrouted) == 0)
		set(store, "unrouted", json_integer(unrouted));
	if (gauge_files(s->store_path, &files) < 0)
		return;
	set(store, "database_bytes", json_integer(files.database));
	set(store, "wal_bytes", json_integer(files.wal));
	set(store, "disk_free_bytes", json_integer(files.free));
}

void survey_add_status(struct survey *s, json_t *status)
{
	json_t *handlers = json_array();
	struct queues *queues = read_queues(s);
	int64_t now = clock_now_us();

	set(status, "log_level", json_string(log_level_name(log_level())));
	add_files(s, status);
	for (size_t i = 0; queues && i < queues->n; i++)
		(void)json_array_append_new(handlers, json_of_queue(&queues->items[i], now));
	if (queues)
		set(status, "handlers", handlers);
	else
		json_decref(handlers);
	free(queues);
}
