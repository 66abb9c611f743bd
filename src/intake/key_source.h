/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the keys of an identity provider come from: a file, or a URL that is asked in the
 * background
 *
 * The URL is read at the start, then by the answer's cache headers within bounds, and, at most so
 * often, when a token names a key that is not there. When the provider is down, the keys that are
 * there stay in use for `stale_for`.
 *
 * A reload makes new sources. One that reads the same URL and trusts the same authorities as a
 * source that is still there begins with its keys, as old as they are, so that a reload while the
 * provider is down loses nothing; and since it reads at once, as every new source does, one while
 * the provider is up brings the newest.
 *
 * Threads: any, but for new and free; these, of sources with the same struct key_sources, from any.
 * Ownership: a source is its maker's alone; the key set that two have is counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "intake/auth_waiter.h"
#include "intake/jwks.h"
#include "intake/outbound.h"
#include "util/cleanup.h"
#include "util/err.h"

struct key_source;

/* all that read URLs, of the current configuration and of former ones that are still in use */
struct key_sources;

/* @outbound: borrowed */
int key_sources_new(struct outbound *outbound, struct key_sources **ret) MUST_USE;
/* every source was freed */
void key_sources_free(struct key_sources *all);
DEFINE_CLEANUP(struct key_sources *, key_sources_free)

struct key_source_options {
	const char *name; /* of the credential, for the log */
	const char *uri, *ca_file;
	int64_t timeout_ms;
	int64_t refresh_ms;     /* when the answer does not say how long it is good */
	int64_t refresh_min_ms; /* between two readings for the sake of an unknown key */
	int64_t stale_for_ms;
};

/* keys that do not change. Return: 0, or a negative errno with a sentence. */
int key_source_from_file(const char *path, struct key_source **ret, struct error *e) MUST_USE;

/**
 * key_source_from_uri() - begins to read
 * @options: copied
 * @all:     borrowed; the keys of one with the same origin are taken over
 */
int key_source_from_uri(const struct key_source_options *options, struct key_sources *all,
			struct key_source **ret) MUST_USE;
/* nobody waits */
void key_source_free(struct key_source *s);
DEFINE_CLEANUP(struct key_source *, key_source_free)

/**
 * key_source_keys() - what is known now
 * @ret_generation: changes with the keys; never 0
 *
 * Return: a reference that the caller drops, or NULL: none yet, or too old.
 */
struct jwks *key_source_keys(struct key_source *s, uint32_t *ret_generation);
uint32_t key_source_generation(struct key_source *s);

enum key_search {
	KEY_SEARCH_WAIT,        /* the waiter was taken: ask again when it wakes */
	KEY_SEARCH_AGAIN,       /* other keys have come in the meantime: look at them */
	KEY_SEARCH_NONE,        /* the newest keys are known */
	KEY_SEARCH_UNAVAILABLE, /* they are not, and cannot be read now */
};

/**
 * key_source_search() - a token needs a key that is not among those of @generation
 * @waiter: taken with KEY_SEARCH_WAIT
 */
enum key_search key_source_search(struct key_source *s, uint32_t generation,
				  struct auth_waiter *waiter);

/**
 * fresh_for_s() - how long an answer may be used (RFC 9111 sections 4.2.1 and 5.2.2)
 * @expires_in_s: by `Expires`; -1: none
 *
 * Return: seconds, 0 for no-store and no-cache, -1 when it does not say.
 */
int64_t fresh_for_s(struct slice cache_control, int64_t expires_in_s);
