/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sender does: when each credential and endpoint was last used, and how it fares
 *
 * RiskOS gives up on an endpoint that fails, and falls silent without a word; a credential that
 * nobody uses any more can be retired. So there is one record for each name, which outlives every
 * reload, and a few words that are due when something turns: the caller puts them into the log.
 *
 * Threads: watch_new(), watch_free() from one; the rest from any, unless it says otherwise.
 * Ownership: records live as long as the watch. Names come from the configuration, so their number
 * is the operator's.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/ending.h"
#include "store/uses.h"
#include "util/cleanup.h"
#include "util/list.h"
#include "util/macros.h"

#define WATCH_RUN_ALARM 3 /* RiskOS deletes a watchlist webhook after 5 */

struct watch;

struct watched {
	struct list link;
	enum use_kind kind;
	char *name;
	_Atomic int64_t used_at; /* us; a credential let somebody in, an endpoint got an event; 0:
				  * never */

	/* endpoints */
	_Atomic int64_t failures;     /* run of answers other than 200 to authenticated requests */
	_Atomic int64_t unauthorized; /* run of 401s */
	atomic_bool is_silent;        /* and that was said */

	/* the main thread's own */
	int64_t since;    /* us; watched from then on */
	int64_t saved_at; /* used_at as it is in the store */
	struct ending_memory ending;
};

int watch_new(struct watch **ret) MUST_USE;
void watch_free(struct watch *w);
DEFINE_CLEANUP(struct watch *, watch_free)

/* the record of a name; made when there is none. Return: NULL when out of memory. */
struct watched *watch_of(struct watch *w, enum use_kind kind, const char *name, int64_t now_us);

/* what is to be said, bits */
enum watch_news {
	WATCH_FAILING = 1 << 0,      /* WATCH_RUN_ALARM failures in a row, just now */
	WATCH_WORKS_AGAIN = 1 << 1,  /* after that */
	WATCH_UNAUTHORIZED = 1 << 2, /* WATCH_RUN_ALARM 401s in a row, just now */
	WATCH_HEARD_AGAIN = 1 << 3,  /* after WATCH_SILENT */
	WATCH_SILENT = 1 << 4,
};

/**
 * watch_note() - one request was answered
 * @credential: that let it in; NULL: none did
 * @status:     HTTP
 *
 * Return: enum watch_news, bits.
 */
unsigned watch_note(struct watched *endpoint, struct watched *credential, unsigned status,
		    int64_t now_us);

/**
 * watch_silence() - has no event come for too long? Main thread.
 * @alarm_us:     0: never too long
 * @ret_check_at: when to ask again, us; INT64_MAX: need not
 *
 * Return: WATCH_SILENT, once, or 0.
 */
unsigned watch_silence(struct watched *endpoint, int64_t alarm_us, int64_t now_us,
		       int64_t *ret_check_at);

/* what the store remembers. Main thread, before the first request. Return: 0, or -ENOMEM */
int watch_remember(struct watch *w, const struct use *use, int64_t now_us) MUST_USE;

/**
 * watch_unsaved() - what was used since it was last saved. Main thread.
 * @uses: room for @max; the names are the watch's
 *
 * Return: how many.
 */
size_t watch_unsaved(struct watch *w, struct use *uses, size_t max);
/* they are in the store now. Main thread. */
void watch_saved(struct watch *w, const struct use *uses, size_t n);
