/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table in memory from digests to numbers, whose slots lie in the order of the digests
 *
 * Open addressing with linear probing; a key's slot follows from its high bits. So who walks
 * through the slots meets the keys in ascending order, but for the few that found their slot taken,
 * and nothing has to be sorted. Keys must be spread evenly, as digests are. One key may have
 * several numbers. Entries stay where they are until key_table_add() or key_table_keep_from() moves
 * all of them.
 *
 * Private to store/.   Threads: the owner's alone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/macros.h"

struct key_entry {
	int64_t key;
	int64_t number; /* positive; 0: the slot is free; negative: its entry was dropped */
};

struct key_table {
	struct key_entry *slots; /* NULL: none yet */
	unsigned int bits;       /* there are 2^bits slots */
	size_t n;                /* entries, */
	size_t n_dropped;        /* and those that were dropped and still take a slot */
	unsigned int moves;      /* how often all entries were moved */
};

#define KEY_TABLE_NULL ((struct key_table){.slots = NULL})

/* @number: positive. May move all entries into more slots. Return: 0 or -ENOMEM. */
int key_table_add(struct key_table *t, int64_t key, int64_t number) MUST_USE;

/* Return: the next entry of @key behind @before, or the first one if that is NULL; NULL: no more */
const struct key_entry *key_table_find(const struct key_table *t, int64_t key,
				       const struct key_entry *before);

/* Walk: the first entry in slot *@at or behind it; *@at becomes the slot behind that. Begin with 0.
 * Return: NULL at the end. */
const struct key_entry *key_table_next(const struct key_table *t, size_t *at);

/* Drop what is of higher numbers. @last: not negative. Cannot fail, and moves nothing. */
void key_table_drop_behind(struct key_table *t, int64_t last);

/* Drop what is of lower numbers, and slots if there are far too many: all entries move. Return: 0;
 * -ENOMEM: all are still there. */
int key_table_keep_from(struct key_table *t, int64_t first);

void key_table_deinit(struct key_table *t);
