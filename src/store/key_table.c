/* SPDX-License-Identifier: Apache-2.0 */
#include "store/key_table.h"

#include <errno.h>
#include <stdlib.h>

#define BITS_MIN 10
#define BITS_MAX 40

#define SPARSE_BITS 4 /* with less than a 16th of the slots taken there are too many */

static size_t n_slots(const struct key_table *t)
{
	return t->slots ? (size_t)1 << t->bits : 0;
}

/* where a key would be if nobody else was */
static size_t home_of(const struct key_table *t, int64_t key)
{
	uint64_t place = (uint64_t)key ^ (uint64_t)1 << 63; /* negative keys are the lowest */

	return (size_t)(place >> (64 - t->bits));
}

static size_t after(const struct key_table *t, size_t slot)
{
	return (slot + 1) & (n_slots(t) - 1);
}

static void put(struct key_table *t, struct key_entry entry)
{
	size_t slot = home_of(t, entry.key);

	while (t->slots[slot].number > 0)
		slot = after(t, slot);
	t->n_dropped -= t->slots[slot].number < 0;
	t->slots[slot] = entry;
	t->n++;
}

/* the entries from this number on move into new slots */
static int move(struct key_table *t, unsigned int bits, int64_t first)
{
	struct key_table to = {.bits = bits, .moves = t->moves + 1};
	const struct key_entry *entry;
	size_t at = 0;

	if (bits > BITS_MAX)
		return -ENOMEM;
	to.slots = calloc((size_t)1 << bits, sizeof(*to.slots));
	if (!to.slots)
		return -ENOMEM;
	while ((entry = key_table_next(t, &at))) {
		if (entry->number >= first)
			put(&to, *entry);
	}
	free(t->slots);
	*t = to;
	return 0;
}

/* so that a quarter is free when there is one more: a search ends at a free slot */
static int make_room(struct key_table *t)
{
	if (!t->slots)
		return move(t, BITS_MIN, 1);
	if (t->n + t->n_dropped < n_slots(t) / 4 * 3)
		return 0;
	return move(t, t->n < n_slots(t) / 8 * 3 ? t->bits : t->bits + 1, 1);
}

int key_table_add(struct key_table *t, int64_t key, int64_t number)
{
	int r = make_room(t);

	if (r == 0)
		put(t, (struct key_entry){key, number});
	return r;
}

const struct key_entry *key_table_find(const struct key_table *t, int64_t key,
				       const struct key_entry *before)
{
	size_t slot;

	if (!t->slots)
		return NULL;
	slot = before ? after(t, (size_t)(before - t->slots)) : home_of(t, key);
	while (t->slots[slot].number && (t->slots[slot].number < 0 || t->slots[slot].key != key))
		slot = after(t, slot); /* there is always a free one */
	return t->slots[slot].number ? &t->slots[slot] : NULL;
}

const struct key_entry *key_table_next(const struct key_table *t, size_t *at)
{
	while (*at < n_slots(t)) {
		const struct key_entry *entry = &t->slots[(*at)++];

		if (entry->number > 0)
			return entry;
	}
	return NULL;
}

void key_table_drop_behind(struct key_table *t, int64_t last)
{
	for (size_t slot = 0; slot < n_slots(t); slot++) {
		if (t->slots[slot].number <= last)
			continue;
		t->slots[slot].number = -1;
		t->n--;
		t->n_dropped++;
	}
}

/* Return: how many entries there are from this number on */
static size_t count(const struct key_table *t, int64_t first)
{
	const struct key_entry *entry;
	size_t at = 0, n = 0;

	while ((entry = key_table_next(t, &at)))
		n += entry->number >= first;
	return n;
}

int key_table_keep_from(struct key_table *t, int64_t first)
{
	size_t n = count(t, first);
	unsigned int bits = BITS_MIN;

	if (!t->slots)
		return 0;
	while (bits < t->bits && n >= (size_t)1 << (bits + 1) >> SPARSE_BITS)
		bits++;
	return move(t, bits, first);
}

void key_table_deinit(struct key_table *t)
{
	free(t->slots);
	*t = KEY_TABLE_NULL;
}
