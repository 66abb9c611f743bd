/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/throttle.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "util/thread.h"

#define N_SETS 1024 /* times WAYS entries of 32 bytes: 256 KiB */
#define WAYS   8

struct entry {
	unsigned char network[16];
	int64_t window_start_ms;
	int64_t failures; /* 0: free */
};

struct throttle {
	/* constant after new */
	unsigned char key[16]; /* so that nobody can choose addresses that share a set */

	/* shared, under mx */
	pthread_mutex_t mx;
	int64_t max_failures, window_ms;
	bool has_failures; /* there was a failure ever */
	int64_t newest_ms; /* the newest window's start */
	struct entry sets[N_SETS][WAYS];
};

int throttle_new(int64_t max_failures, int64_t window_ms, struct throttle **ret)
{
	struct throttle *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->max_failures = max_failures;
	t->window_ms = window_ms;
	random_bytes(t->key, sizeof(t->key));
	(void)pthread_mutex_init(&t->mx, NULL); /* cannot fail with default attributes on Linux */
	*ret = t;
	return 0;
}

void throttle_set_limits(struct throttle *t, int64_t max_failures, int64_t window_ms)
{
	mutex_lock(&t->mx);
	t->max_failures = max_failures;
	t->window_ms = window_ms;
	mutex_unlock(&t->mx);
}

void throttle_free(struct throttle *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->mx);
	free(t);
}

static struct entry *set_of(struct throttle *t, const unsigned char network[16])
{
	struct slice pieces[] = {slice_make((const char *)t->key, sizeof(t->key)),
				 slice_make((const char *)network, 16)};
	struct sha256 digest = sha256_of_pieces(pieces, ARRAY_SIZE(pieces));

	return t->sets[(digest.bytes[0] << 8 | digest.bytes[1]) % N_SETS];
}

static bool is_current(const struct throttle *t, const struct entry *e, int64_t now_ms)
{
	return e->failures > 0 && now_ms - e->window_start_ms < t->window_ms;
}

static struct entry *find(const struct throttle *t, struct entry *set,
			  const unsigned char network[16], int64_t now_ms)
{
	for (int i = 0; i < WAYS; i++)
		if (is_current(t, &set[i], now_ms) && memcmp(set[i].network, network, 16) == 0)
			return &set[i];
	return NULL;
}

/* as long as all goes well, no address is looked up */
static bool is_quiet(const struct throttle *t, int64_t now_ms)
{
	return !t->has_failures || now_ms - t->newest_ms >= t->window_ms;
}

int64_t throttle_wait_ms(struct throttle *t, const struct address *a, int64_t now_ms)
{
	unsigned char network[16];
	const struct entry *e = NULL;
	int64_t wait_ms = 0;

	address_network(a, network);
	mutex_lock(&t->mx);
	if (!is_quiet(t, now_ms))
		e = find(t, set_of(t, network), network, now_ms);
	if (e && e->failures >= t->max_failures)
		wait_ms = e->window_start_ms + t->window_ms - now_ms;
	mutex_unlock(&t->mx);
	return wait_ms;
}

/* a free or outdated entry, else the oldest */
static struct entry *make_room(const struct throttle *t, struct entry *set, int64_t now_ms)
{
	struct entry *oldest = &set[0];

	for (int i = 0; i < WAYS; i++) {
		if (!is_current(t, &set[i], now_ms))
			return &set[i];
		if (set[i].window_start_ms < oldest->window_start_ms)
			oldest = &set[i];
	}
	return oldest;
}

void throttle_note_failure(struct throttle *t, const struct address *a, int64_t now_ms)
{
	unsigned char network[16];
	struct entry *set, *e;

	address_network(a, network);
	mutex_lock(&t->mx);
	set = set_of(t, network);
	e = find(t, set, network, now_ms);
	if (!e) {
		e = make_room(t, set, now_ms);
		*e = (struct entry){.window_start_ms = now_ms};
		memcpy(e->network, network, sizeof(e->network));
		t->has_failures = true;
		t->newest_ms = MAX_OF(t->newest_ms, now_ms);
	}
	e->failures++;
	mutex_unlock(&t->mx);
}
