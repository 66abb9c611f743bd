/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/key_source.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "util/fd.h"
#include "util/thread.h"

#define FRESH_MIN_MS  (60 * 1000LL)
#define FRESH_MAX_MS  (24 * 3600 * 1000LL)
#define FRESH_LIMIT_S 1000000000LL
#define RETRY_MIN_MS  1000LL /* after a failure; it doubles */
#define RETRY_MAX_MS  (5 * 60 * 1000LL)
#define CA_MAX_SIZE   (4 * 1024 * 1024) /* bytes; keys that came by a larger file end with it */

struct key_sources {
	struct outbound *outbound; /* constant after new */

	/* shared, under mx */
	pthread_mutex_t mx;
	struct list sources; /* whose origin is known */
};

struct key_source {
	/* constant after new */
	char *name, *uri, *ca_file;
	struct outbound *outbound; /* NULL: from a file */
	struct key_sources *all;   /* NULL: not among them */
	struct key_source_options options;
	struct sha256 origin; /* of what decides whose keys they are; only among all */

	struct list link; /* of all->sources, under all->mx */

	_Atomic uint32_t generation; /* written under mx */

	/* shared, under mx */
	pthread_mutex_t mx;
	struct outbound_request request;
	bool is_reading;     /* the request is under way or due at once */
	bool is_failing;     /* the last reading failed */
	int64_t ended_ms;    /* when the last reading ended */
	int64_t retry_ms;    /* the next delay after a failure */
	int64_t read_ms;     /* when the keys were read */
	int64_t fresh_s;     /* what the answer said of their age; -1: nothing */
	int64_t usable_ms;   /* until when the keys may be used */
	struct jwks *keys;   /* or NULL */
	struct list waiters; /* for the end of the reading */
};

int key_sources_new(struct outbound *outbound, struct key_sources **ret)
{
	struct key_sources *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all->outbound = outbound;
	(void)pthread_mutex_init(&all->mx, NULL); /* cannot fail with default attributes on Linux */
	list_init(&all->sources);
	*ret = all;
	return 0;
}

void key_sources_free(struct key_sources *all)
{
	if (!all)
		return;
	pthread_mutex_destroy(&all->mx);
	free(all);
}

static struct key_source *allocate(void)
{
	struct key_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	(void)pthread_mutex_init(&s->mx, NULL); /* cannot fail with default attributes on Linux */
	atomic_init(&s->generation, 1);
	list_init(&s->waiters);
	s->usable_ms = INT64_MAX;
	s->retry_ms = RETRY_MIN_MS;
	return s;
}

void key_source_free(struct key_source *s)
{
	if (!s)
		return;
	if (s->all) {
		mutex_lock(&s->all->mx);
		list_remove(&s->link);
		mutex_unlock(&s->all->mx);
	}
	if (s->outbound)
		outbound_cancel(s->outbound, &s->request);
	jwks_unref(s->keys);
	pthread_mutex_destroy(&s->mx);
	free(s->name);
	free(s->uri);
	free(s->ca_file);
	free(s);
}

static const char *why_no_keys(int r)
{
	switch (r) {
	case -EFBIG:
		return "the key set is too large";
	case -EINVAL:
		return "the answer is no JWK Set";
	case -ENOKEY:
		return "the key set holds no key of use (RSA of 2048 bits or more, P-256, P-384, "
		       "P-521)";
	default:
		return error_name(r);
	}
}

int key_source_from_file(const char *path, struct key_source **ret, struct error *e)
{
	_cleanup_(key_source_freep)
	struct key_source *s = allocate();
	_cleanup_(freep)
	char *text = NULL;
	size_t n;
	int r;

	if (!s)
		return error_set(e, -ENOMEM, "out of memory");
	r = fd_read_file(path, JWKS_MAX_SIZE, &text, &n);
	if (r == 0)
		r = jwks_parse(slice_make(text, n), &s->keys);
	if (r < 0)
		return error_set(e, r, "cannot take keys from '%s': %s", path, why_no_keys(r));
	*ret = steal_ptr(&s);
	return 0;
}

/* ---- how long is it good? ---- */

/* "max-age=300": the number behind a directive's name. Return: -1 when it is another directive */
static int64_t directive_value(struct slice directive, struct slice name)
{
	int64_t value = 0;

	if (!slice_starts_nocase(directive, name))
		return -1;
	for (size_t i = name.n; i < directive.n; i++) {
		char c = directive.p[i];

		if (c == '"')
			continue;
		if (c < '0' || c > '9')
			return -1;
		value = MIN_OF(value * 10 + (c - '0'), FRESH_LIMIT_S);
	}
	return value;
}

int64_t fresh_for_s(struct slice cache_control, int64_t expires_in_s)
{
	struct slice directive;
	int64_t found_s = -1;

	while (slice_split(&cache_control, ',', &directive)) {
		int64_t value;

		directive = slice_trim(directive);
		if (slice_eq_nocase(directive, SLICE("no-store")) ||
		    slice_eq_nocase(directive, SLICE("no-cache")))
			return 0;
		value = directive_value(directive, SLICE("max-age="));
		found_s = value >= 0 ? value : found_s;
	}
	return found_s >= 0 ? found_s : expires_in_s;
}

/* under mx */
static int64_t refresh_after_ms(const struct key_source *s)
{
	int64_t ms = s->fresh_s < 0 ? s->options.refresh_ms : s->fresh_s * 1000;

	return MAX_OF(MIN_OF(ms, FRESH_MAX_MS), FRESH_MIN_MS);
}

/* under mx: the reference becomes the source's */
static void put_keys(struct key_source *s, struct jwks *keys, int64_t read_ms, int64_t fresh_s)
{
	jwks_unref(s->keys);
	s->keys = keys;
	s->read_ms = read_ms;
	s->fresh_s = fresh_s;
	s->usable_ms = read_ms + refresh_after_ms(s) + s->options.stale_for_ms;
}

/* ---- the end of a reading: outbound thread ---- */

/* under mx */
static int64_t take_keys(struct key_source *s, struct jwks *keys,
			 const struct outbound_answer *answer, int64_t now_ms)
{
	put_keys(s, keys, now_ms, fresh_for_s(answer->cache_control, answer->expires_in_s));
	atomic_fetch_add_explicit(&s->generation, 1, memory_order_relaxed);
	s->is_failing = false;
	s->retry_ms = RETRY_MIN_MS;
	return refresh_after_ms(s);
}

/* under mx */
static int64_t note_failure(struct key_source *s)
{
	int64_t after_ms = s->retry_ms;

	s->is_failing = true;
	s->retry_ms = MIN_OF(s->retry_ms * 2, RETRY_MAX_MS);
	return after_ms;
}

/* one line for each change of state */
static void log_change(const struct key_source *s, bool was_failing, const char *problem,
		       long status)
{
	if (!problem && was_failing)
		log_notice("credential %s: the provider's keys can be read again", s->name);
	if (!problem || was_failing)
		return;
	if (status)
		log_error("credential %s: cannot read the provider's keys: %s (status %ld), will "
			  "try again",
			  s->name, problem, status);
	else
		log_error("credential %s: cannot read the provider's keys: %s, will try again",
			  s->name, problem);
}

/* Return: what is wrong with the answer, or NULL with the keys */
static const char *read_keys(const struct outbound_answer *answer, struct jwks **ret)
{
	int r;

	if (answer->error)
		return answer->error;
	if (answer->status != 200)
		return "unexpected answer";
	r = jwks_parse(answer->body, ret);
	return r < 0 ? why_no_keys(r) : NULL;
}

static void on_answer(struct outbound_request *request, const struct outbound_answer *answer)
{
	struct key_source *s = container_of(request, struct key_source, request);
	struct list woken = LIST_INIT(woken);
	struct jwks *keys = NULL;
	const char *problem = read_keys(answer, &keys);
	int64_t now_ms = clock_monotonic_ms(), after_ms;
	bool was_failing;

	mutex_lock(&s->mx);
	was_failing = s->is_failing;
	after_ms = keys ? take_keys(s, keys, answer, now_ms) : note_failure(s);
	s->ended_ms = now_ms;
	s->is_reading = false;
	list_splice(&woken, &s->waiters);
	mutex_unlock(&s->mx);

	if (!answer->is_stopping)
		log_change(s, was_failing, problem, answer->status);
	if (outbound_schedule(s->outbound, request, now_ms + after_ms) < 0)
		log_debug("credential %s: keys are not read again: stopping", s->name);
	auth_waiters_wake(&woken); /* last: the source may be gone with the requests */
}

/* ---- new, and asking ---- */

static int copy_options(struct key_source *s, const struct key_source_options *options)
{
	s->options = *options;
	s->name = slice_dup(slice_of(options->name));
	s->uri = slice_dup(slice_of(options->uri));
	s->ca_file = options->ca_file ? slice_dup(slice_of(options->ca_file)) : NULL;
	if (!s->name || !s->uri || (options->ca_file && !s->ca_file))
		return -ENOMEM;
	s->request = (struct outbound_request){
		.url = s->uri,
		.ca_file = s->ca_file,
		.max = JWKS_MAX_SIZE,
		.timeout_ms = options->timeout_ms,
		.done = on_answer,
	};
	return 0;
}

/* What the file says, too, and not its name alone: keys of a provider whose authority was replaced
 * vouch for nobody. Return: false when that cannot be known. */
static bool find_origin(const struct key_source_options *options, struct sha256 *ret)
{
	_cleanup_(freep)
	char *ca = NULL;
	size_t n = 0;
	const char *path = options->ca_file ? options->ca_file : "";

	if (*path && fd_read_file(path, CA_MAX_SIZE, &ca, &n) < 0)
		return false;
	*ret = sha256_of_pieces(
		(struct slice[]){slice_of(options->uri), slice_of(path), slice_make(ca, n)}, 3);
	return true;
}

/* the newest keys of the same origin; of @s nobody knows yet */
static void inherit(struct key_source *s, const struct key_sources *all)
{
	list_for_each (link, &all->sources) {
		struct key_source *other = list_entry(link, struct key_source, link);

		if (!sha256_eq(&other->origin, &s->origin))
			continue;
		mutex_lock(&other->mx);
		if (other->keys && (!s->keys || other->read_ms > s->read_ms))
			put_keys(s, jwks_ref(other->keys), other->read_ms, other->fresh_s);
		mutex_unlock(&other->mx);
	}
}

static void join(struct key_source *s, struct key_sources *all)
{
	if (!find_origin(&s->options, &s->origin))
		return;
	mutex_lock(&all->mx);
	inherit(s, all);
	list_append(&all->sources, &s->link);
	mutex_unlock(&all->mx);
	s->all = all;
}

int key_source_from_uri(const struct key_source_options *options, struct key_sources *all,
			struct key_source **ret)
{
	_cleanup_(key_source_freep)
	struct key_source *s = allocate();
	int r;

	if (!s)
		return -ENOMEM;
	s->outbound = all->outbound;
	r = copy_options(s, options);
	if (r < 0)
		return r;
	join(s, all);
	s->is_reading = true;
	r = outbound_schedule(s->outbound, &s->request, clock_monotonic_ms());
	if (r < 0)
		return r;
	*ret = steal_ptr(&s);
	return 0;
}

struct jwks *key_source_keys(struct key_source *s, uint32_t *ret_generation)
{
	int64_t now_ms = clock_monotonic_ms();
	struct jwks *keys;

	mutex_lock(&s->mx);
	if (s->keys && now_ms >= s->usable_ms) {
		jwks_unref(s->keys);
		s->keys = NULL;
		atomic_fetch_add_explicit(&s->generation, 1, memory_order_relaxed);
	}
	keys = jwks_ref(s->keys);
	*ret_generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
	mutex_unlock(&s->mx);
	return keys;
}

uint32_t key_source_generation(struct key_source *s)
{
	return atomic_load_explicit(&s->generation, memory_order_relaxed);
}

/* under mx, while nothing is read: may it be read now? */
static enum key_search may_read(const struct key_source *s, const struct auth_waiter *waiter,
				int64_t now_ms)
{
	int64_t least_ms = s->is_failing ? RETRY_MIN_MS : s->options.refresh_min_ms;

	if (now_ms - s->ended_ms >= least_ms)
		return KEY_SEARCH_WAIT;
	/* This request waited for that reading, so what it has brought is new enough. Of any other
	 * key nothing is known: the sender may come again. */
	return waiter->n_woken > 0 && !s->is_failing ? KEY_SEARCH_NONE : KEY_SEARCH_UNAVAILABLE;
}

enum key_search key_source_search(struct key_source *s, uint32_t generation,
				  struct auth_waiter *waiter)
{
	enum key_search result = KEY_SEARCH_WAIT;
	int64_t now_ms = clock_monotonic_ms();

	if (!s->outbound)
		return KEY_SEARCH_NONE;
	mutex_lock(&s->mx);
	if (atomic_load_explicit(&s->generation, memory_order_relaxed) != generation)
		result = KEY_SEARCH_AGAIN;
	else if (!s->is_reading)
		result = may_read(s, waiter, now_ms);
	if (result != KEY_SEARCH_WAIT) {
		mutex_unlock(&s->mx);
		return result;
	}
	list_append(&s->waiters, &waiter->link);
	if (!s->is_reading && outbound_schedule(s->outbound, &s->request, now_ms) < 0) {
		list_remove(&waiter->link);
		result = KEY_SEARCH_UNAVAILABLE;
	} else {
		s->is_reading = true;
	}
	mutex_unlock(&s->mx);
	return result;
}
