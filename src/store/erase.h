/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Erasing the contents of events that are older than the configured retention
 *
 * An erased event stays as a tombstone (sql/006_retention.sql). It gets the digest of its body, by
 * which a late copy is told from another body; while the body is there they are compared
 * themselves, and no event's arrival waits for a digest. Never erased is what the router has
 * not passed, or what still has a delivery that is pending, running or held.
 *
 * Threads: erase_find() as the reader; erase_write() in the store thread.
 */
#pragma once

#include <stdbool.h>

#include "core/crypto.h"
#include "core/event_types.h"
#include "store/reader.h"
#include "store/store.h"

#define ERASE_BATCH      64 /* events, or quarantined bodies, in one transaction */
#define ERASE_CATEGORIES (CATEGORY_DOCV + 1)

struct erase_item {
	int64_t seq;
	bool has_digest; /* false: what stands in `events` stays */
	struct sha256 body_sha256;
};

/* one transaction of the store thread; everything in it may be erased at once */
struct erase_op {
	struct store_op op;
	struct erase_item items[ERASE_BATCH];
	size_t n_items;
	int64_t quarantine_before; /* received_at, us: older quarantined bodies go; 0: none */
	/* by category, received_at, us: older bodies that conflict with a tombstone go; 0: none */
	int64_t conflicts_before[ERASE_CATEGORIES];
	int64_t now; /* us */

	/* results */
	int64_t n_erased; /* events; a delivery that was revived meanwhile saves its event */
	bool has_changes; /* is anything gone, be it no event? */
};

/* How far the search in one category has come. Starts with zeros. */
struct erase_search {
	int64_t behind; /* seq: everything up to it is erased; the next pass begins there */
	int64_t at;     /* seq: this pass has looked up to here */
};

/**
 * erase_find() - what of a category may be erased? Goes on where the last call ended
 * @before: received_at, us
 * @op:     `items` is filled; it may stay empty although there is more
 *
 * Reads the bodies, since the digests are computed here.
 *
 * Return: 1 when there may be more, 0 when the pass is over, or a negative errno.
 */
int erase_find(struct reader *reader, enum event_category category, int64_t before,
	       struct erase_search *search, struct erase_op *op) MUST_USE;

struct sqlite3;

/* write the op, in the transaction that is open. Return: 0, or a negative errno. */
int erase_write(struct sqlite3 *db, struct erase_op *op) MUST_USE;
