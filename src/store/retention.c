/* SPDX-License-Identifier: Apache-2.0 */
#include "store/retention.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"
#include "core/metric_family.h"
#include "core/metrics.h"
#include "core/steady_clock.h"
#include "store/checkpoint.h"
#include "store/erase.h"
#include "util/thread.h"
#include "util/units.h"

#define PASS_MIN_MS  1000
#define PASS_MAX_MS  (10 * 60 * 1000)
#define PAUSE_MS     20  /* between two transactions */
#define BUSY_MS      100 /* before asking again whether events wait */
#define PATIENCE_MAX 50  /* times; then even a busy store gets a transaction */

struct retention {
	/* constant after start */
	struct store *store;
	char *path;
	int64_t age_ms[ERASE_CATEGORIES]; /* 0: for ever */
	int64_t quarantine_age_ms;
	int64_t pass_ms; /* from the end of one pass to the next */
	pthread_t thread;

	/* owned by the thread */
	struct steady_clock clock; /* says what is old enough */
	struct reader *reader;
	struct erase_search search[ERASE_CATEGORIES];
	bool is_in_wal; /* what was erased */

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t cond;
	bool is_stopping;
};

/* Return: false when it is time to stop */
static bool sleep_for(struct retention *k, int64_t ms)
{
	int64_t until_ms = clock_monotonic_ms() + ms;
	bool in_time = true, is_stopping;

	mutex_lock(&k->mx);
	while (!k->is_stopping && in_time)
		in_time = cond_wait_until(&k->cond, &k->mx, until_ms);
	is_stopping = k->is_stopping;
	mutex_unlock(&k->mx);
	return !is_stopping;
}

/* Return: false when it is time to stop */
static bool wait_until_idle(struct retention *k)
{
	for (int i = 0; i < PATIENCE_MAX && metric_value(METRIC_PENDING_EVENTS) > 0; i++)
		if (!sleep_for(k, BUSY_MS))
			return false;
	return sleep_for(k, PAUSE_MS);
}

/* Return: how many events were erased, or a negative errno; -ESHUTDOWN: stop */
static int64_t commit(struct retention *k, struct erase_op *op)
{
	int r;

	if (!wait_until_idle(k))
		return -ESHUTDOWN;
	op->op.kind = STORE_OP_ERASE;
	op->now = clock_now_us();
	r = store_submit_wait(k->store, &op->op);
	if (r < 0)
		return r;
	k->is_in_wal |= op->has_changes;
	series_add(series_of(FAMILY_EVENTS_ERASED, NULL, NULL), op->n_erased);
	return op->n_erased;
}

/* everything of one category that is old enough. Return: how many, or a negative errno. */
static int64_t erase_category(struct retention *k, int category)
{
	int64_t now = steady_now(&k->clock, clock_read());
	int64_t before = now - k->age_ms[category] * US_PER_MS, total = 0;
	int more = k->age_ms[category] > 0;

	while (more > 0) {
		struct erase_op op = {.n_items = 0};
		int64_t n = 0;

		more = erase_find(k->reader, (enum event_category)category, before,
				  &k->search[category], &op);
		if (more >= 0 && op.n_items > 0)
			n = commit(k, &op);
		if (n < 0)
			return n;
		total += n;
	}
	return more < 0 ? more : total;
}

/* Quarantined bodies, and those that came in conflict with a tombstone. Both are few: one
 * transaction a pass will do. */
static int64_t erase_others(struct retention *k)
{
	struct erase_op op = {.n_items = 0};
	int64_t now = steady_now(&k->clock, clock_read());

	if (k->quarantine_age_ms > 0)
		op.quarantine_before = now - k->quarantine_age_ms * US_PER_MS;
	for (int i = 0; i < ERASE_CATEGORIES; i++) {
		if (k->age_ms[i] > 0)
			op.conflicts_before[i] = now - k->age_ms[i] * US_PER_MS;
	}
	return commit(k, &op);
}

static int64_t pass(struct retention *k)
{
	int64_t total = 0, n;

	(void)steady_look(&k->clock, clock_read()); /* main warns of a step (riskhookd/reminder) */
	n = erase_others(k);
	for (int i = 0; n >= 0 && i < ERASE_CATEGORIES; i++) {
		n = erase_category(k, i);
		total += MAX_OF(n, 0);
	}
	if (total > 0)
		log_info("retention has erased the contents of %lld events", (long long)total);
	return n;
}

/* a reader in the way: after the next pass */
static void empty_wal(struct retention *k)
{
	if (k->is_in_wal)
		k->is_in_wal = checkpoint_empty_wal(k->path) < 0;
}

static void *retention_run(void *arg)
{
	struct retention *k = arg;
	bool was_ok = true;

	do {
		int64_t r = pass(k);

		if (r < 0 && r != -ESHUTDOWN && was_ok)
			log_warning("cannot erase old events: %s; will try again",
				    error_name((int)r));
		was_ok = r >= 0;
		empty_wal(k);
	} while (sleep_for(k, k->pass_ms));
	return NULL;
}

static void set_ages(struct retention *k, const struct store_config *c)
{
	const int64_t given[ERASE_CATEGORIES] = {
		[CATEGORY_UNKNOWN] = c->retention_unknown_ms,
		[CATEGORY_EVALUATION] = c->retention_evaluation_ms,
		[CATEGORY_CASE] = c->retention_case_ms,
		[CATEGORY_WATCHLIST] = c->retention_watchlist_ms,
		[CATEGORY_DOCV] = c->retention_docv_ms,
	};
	int64_t shortest = c->retention_ms ? c->retention_ms : INT64_MAX;

	k->quarantine_age_ms = c->retention_ms;
	for (int i = 0; i < ERASE_CATEGORIES; i++) {
		k->age_ms[i] = given[i] ? given[i] : c->retention_ms;
		if (k->age_ms[i])
			shortest = MIN_OF(shortest, k->age_ms[i]);
	}
	k->pass_ms = MAX_OF(PASS_MIN_MS, MIN_OF(shortest / 10, PASS_MAX_MS));
	if (shortest == INT64_MAX)
		k->pass_ms = 0; /* nothing to do, ever */
}

int retention_start(const struct config *config, struct store *store,
		    struct retention **ret_retention, struct error *e)
{
	struct retention *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return error_set(e, -ENOMEM, "out of memory");
	set_ages(k, &config->store);
	steady_init(&k->clock, clock_read());
	if (!k->pass_ms) {
		free(k);
		return 0;
	}
	k->store = store;
	k->path = strdup(config->store.path);
	(void)pthread_mutex_init(&k->mx, NULL); /* cannot fail with default attributes on Linux */
	cond_init(&k->cond);
	r = k->path ? reader_open(k->path, &k->reader, e) : error_set(e, -ENOMEM, "out of memory");
	if (r == 0) {
		r = thread_start(&k->thread, "retention", retention_run, k);
		if (r < 0)
			(void)error_set(e, r, "cannot start a thread: %s", error_name(r));
	}
	if (r < 0) {
		reader_close(k->reader);
		free(k->path);
		free(k);
		return r;
	}
	*ret_retention = k;
	return 0;
}

void retention_free(struct retention *k)
{
	if (!k)
		return;
	mutex_lock(&k->mx);
	k->is_stopping = true;
	pthread_cond_signal(&k->cond);
	mutex_unlock(&k->mx);
	thread_join(k->thread);
	reader_close(k->reader);
	pthread_cond_destroy(&k->cond);
	pthread_mutex_destroy(&k->mx);
	free(k->path);
	free(k);
}
