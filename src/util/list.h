/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked list
 *
 * The owner embeds a `struct list` as head and each element a `struct list` as link; an
 * initialised head or link that points at itself is empty or unlinked.
 */
#pragma once

#include <stdbool.h>

#include "util/macros.h"

struct list {
	struct list *prev, *next;
};

#define LIST_INIT(l)                                                                               \
	{                                                                                          \
		&(l), &(l)                                                                         \
	}

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_append(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* Return: the first link, unlinked, or NULL */
static inline struct list *list_pop(struct list *head)
{
	struct list *link = head->next;

	if (link == head)
		return NULL;
	list_remove(link);
	return link;
}

/* move every element of @from to the end of @to */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(link, type, member) container_of(link, type, member)

#define list_for_each(l, head) for (struct list *l = (head)->next; l != (head); l = l->next)

/* the element at hand may be removed */
#define list_for_each_safe(l, head)                                                                \
	for (struct list *l = (head)->next, *l##_next = l->next; l != (head);                      \
	     l = l##_next, l##_next = l->next)
