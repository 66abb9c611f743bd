/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/thread.h"
#include "util/units.h"

#define USED_RESOLUTION_US US_PER_S /* threads do not fight for a cache line more often */

struct watch {
	pthread_mutex_t mx;
	struct list all; /* under mx; only ever grows */
};

int watch_new(struct watch **ret)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	(void)pthread_mutex_init(&w->mx, NULL); /* cannot fail with default attributes on Linux */
	list_init(&w->all);
	*ret = w;
	return 0;
}

void watch_free(struct watch *w)
{
	struct list *link;

	if (!w)
		return;
	while ((link = list_pop(&w->all))) {
		struct watched *watched = list_entry(link, struct watched, link);

		free(watched->name);
		free(watched);
	}
	pthread_mutex_destroy(&w->mx);
	free(w);
}

/* under mx */
static struct watched *find(struct watch *w, enum use_kind kind, const char *name)
{
	list_for_each (link, &w->all) {
		struct watched *watched = list_entry(link, struct watched, link);

		if (watched->kind == kind && strcmp(watched->name, name) == 0)
			return watched;
	}
	return NULL;
}

/* under mx */
static struct watched *add(struct watch *w, enum use_kind kind, const char *name, int64_t now_us)
{
	struct watched *watched = calloc(1, sizeof(*watched));
	char *copy = strdup(name);

	if (!watched || !copy) {
		free(watched);
		free(copy);
		return NULL;
	}
	watched->kind = kind;
	watched->name = copy;
	watched->since = now_us;
	list_append(&w->all, &watched->link);
	return watched;
}

struct watched *watch_of(struct watch *w, enum use_kind kind, const char *name, int64_t now_us)
{
	struct watched *watched;

	mutex_lock(&w->mx);
	watched = find(w, kind, name);
	if (!watched)
		watched = add(w, kind, name, now_us);
	mutex_unlock(&w->mx);
	return watched;
}

static void note_use(struct watched *watched, int64_t now_us)
{
	int64_t before = atomic_load_explicit(&watched->used_at, memory_order_relaxed);

	if (now_us - before >= USED_RESOLUTION_US || now_us < before)
		atomic_store_explicit(&watched->used_at, now_us, memory_order_relaxed);
}

/* Return: is it the one that makes the run alarming? */
static bool lengthen(_Atomic int64_t *run)
{
	return atomic_fetch_add_explicit(run, 1, memory_order_relaxed) + 1 == WATCH_RUN_ALARM;
}

/* Return: was the run alarming? */
static bool end_run(_Atomic int64_t *run)
{
	if (atomic_load_explicit(run, memory_order_relaxed) == 0)
		return false;
	return atomic_exchange_explicit(run, 0, memory_order_relaxed) >= WATCH_RUN_ALARM;
}

static unsigned note_success(struct watched *endpoint, int64_t now_us)
{
	unsigned news = end_run(&endpoint->failures) ? WATCH_WORKS_AGAIN : 0;

	note_use(endpoint, now_us);
	if (atomic_load(&endpoint->is_silent) && atomic_exchange(&endpoint->is_silent, false))
		news |= WATCH_HEARD_AGAIN;
	return news;
}

unsigned watch_note(struct watched *endpoint, struct watched *credential, unsigned status,
		    int64_t now_us)
{
	if (!credential)
		return status == 401 && lengthen(&endpoint->unauthorized) ? WATCH_UNAUTHORIZED : 0;
	note_use(credential, now_us);
	(void)end_run(&endpoint->unauthorized); /* attackers begin new ones: not worth a word */
	if (status == 200)
		return note_success(endpoint, now_us);
	return lengthen(&endpoint->failures) ? WATCH_FAILING : 0;
}

unsigned watch_silence(struct watched *endpoint, int64_t alarm_us, int64_t now_us,
		       int64_t *ret_check_at)
{
	int64_t used_at = atomic_load_explicit(&endpoint->used_at, memory_order_relaxed);
	int64_t last = MAX_OF(used_at, endpoint->since);

	*ret_check_at = INT64_MAX;
	if (alarm_us == 0)
		return 0;
	if (now_us - last < alarm_us) {
		*ret_check_at = last + alarm_us;
		return 0;
	}
	return atomic_exchange(&endpoint->is_silent, true) ? 0 : WATCH_SILENT;
}

int watch_remember(struct watch *w, const struct use *use, int64_t now_us)
{
	struct watched *watched = watch_of(w, use->kind, use->name, now_us);

	if (!watched)
		return -ENOMEM;
	atomic_store(&watched->used_at, use->used_at);
	watched->saved_at = use->used_at;
	return 0;
}

size_t watch_unsaved(struct watch *w, struct use *uses, size_t max)
{
	size_t n = 0;

	mutex_lock(&w->mx);
	list_for_each (link, &w->all) {
		struct watched *watched = list_entry(link, struct watched, link);
		int64_t used_at = atomic_load_explicit(&watched->used_at, memory_order_relaxed);

		if (used_at == watched->saved_at || n == max)
			continue;
		uses[n++] = (struct use){watched->kind, watched->name, used_at};
	}
	mutex_unlock(&w->mx);
	return n;
}

void watch_saved(struct watch *w, const struct use *uses, size_t n)
{
	mutex_lock(&w->mx);
	for (size_t i = 0; i < n; i++) {
		struct watched *watched = find(w, uses[i].kind, uses[i].name);

		if (watched)
			watched->saved_at = uses[i].used_at;
	}
	mutex_unlock(&w->mx);
}
