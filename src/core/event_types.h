/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event types: one canonical name and one category for each, whatever the sender calls it
 *
 * The same event has up to three names in RiskOS's own pages (`case_decision_changed`, `Decision
 * Updated`, `decision_update`). A name is first normalised (ASCII lower case; blanks and hyphens
 * become '_'), then looked up in the table of event_types.c.
 *
 * Threads: pure.
 */
#pragma once

#include <stddef.h>

#include "util/slice.h"

enum event_category {
	CATEGORY_UNKNOWN,
	CATEGORY_EVALUATION,
	CATEGORY_CASE,
	CATEGORY_WATCHLIST,
	CATEGORY_DOCV,
};

/* "evaluation", "case", "watchlist", "docv", "unknown" */
const char *event_category_name(enum event_category category);

#define EVENT_TYPE_MAX 64 /* bytes of a canonical type; what is longer is cut */

#define EVENT_TYPES_MAX 64 /* types that have a row in the table, aliases included */

struct event_type {
	char name[EVENT_TYPE_MAX]; /* [a-z0-9_.:] alone; not terminated */
	size_t n;                  /* 0: no type */
	enum event_category category;
};

/* the type that an envelope's `event_type`, or a bare body's status, stands for */
struct event_type event_type_of(struct slice text);

/**
 * event_type_index() - which known type is this canonical name?
 * @ret_name: its name, static text; only when it is known
 *
 * Return: a number below EVENT_TYPES_MAX, or -1: the sender's invention.
 */
int event_type_index(struct slice name, const char **ret_name);

/* offer every known canonical type to "did you mean ...?" */
struct nearest;
void event_type_offer(struct nearest *nearest);

/* the type that `eventType` of a legacy (ID+) document verification stands for: "docv_" + name */
struct event_type event_type_of_docv(struct slice text);
