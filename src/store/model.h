/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the store: states and outcomes, with the names that SQL, CLI and metrics use
 *
 * Threads: constant data.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/slice.h"

/*
 *	pending --begin--> running --finish--> done
 *	 | ^  ^               |------------->  dead --an operator's retry--> pending
 *	 | |  |<----retry-----|
 *	 v |
 *	 held (hold, release)
 *
 * At the start, and for what a stop has interrupted, running becomes pending, too.
 */
enum delivery_state {
	DELIVERY_PENDING, /* waits for its due time and a free worker */
	DELIVERY_RUNNING, /* an attempt is written and may be under way */
	DELIVERY_DONE,    /* the handler has taken it */
	DELIVERY_DEAD,    /* given up; the reason is in `reason` */
	DELIVERY_HELD,    /* held by an operator */
};

enum attempt_outcome {
	ATTEMPT_OK,          /* the handler has taken it */
	ATTEMPT_RETRY,       /* the handler asks to come again (exit code, status "retry") */
	ATTEMPT_DEAD,        /* the handler says never again */
	ATTEMPT_TIMEOUT,     /* no result within `timeout` */
	ATTEMPT_LOST,        /* connection lost before the answer */
	ATTEMPT_FAILED,      /* could not be started (no such program, no memory, ...) */
	ATTEMPT_INTERRUPTED, /* the daemon stopped or died while it ran */
};

const char *delivery_state_name(enum delivery_state state);

/* the outcome of a dead delivery that an operator wants to hear no more of; no attempt has it */
#define OUTCOME_DISMISSED "dismissed"
/* Return: 0, or -EINVAL; without regard to case */
int delivery_state_parse(struct slice name, enum delivery_state *ret_state);
const char *attempt_outcome_name(enum attempt_outcome outcome);

#define ATTEMPT_OUTPUT_MAX (16 * 1024) /* bytes of a handler's output that are kept */
#define ATTEMPT_MARKER_MAX 64          /* and of a line that says what is left out */

/* What the store has of an event's body. */
enum body_state {
	BODY_THERE = 0,
	BODY_DAMAGED, /* it cannot be decoded, or has not the length that it came with */
	BODY_MISSING, /* nobody has erased it, and yet it is not there */
	BODY_ERASED,  /* by retention, with all that would make a delivery of the event */
};

/* why a delivery is dead whose body is BODY_DAMAGED or BODY_MISSING */
const char *body_fault(enum body_state state);

/* What the router needs to know of an event. */
struct routable {
	int64_t seq;
	struct slice event_type, category, decision, workflow, environment, endpoint;
	bool test;
	bool wrong_environment; /* differs from the endpoint's `environment`: goes to nobody */
};

/* One delivery with all that an attempt needs. Text is NUL-terminated, "" when not given. */
struct job {
	int64_t delivery;
	int64_t seq;
	int attempt;         /* number of the attempt that comes next or is under way, from 1 */
	int64_t received_at; /* us */
	/* us; the first attempt since it was made, or retried by an operator: retry_for counts from
	 * here; 0: there was none yet */
	int64_t first_attempt_at;
	bool test;
	bool replay; /* an operator asked for it again */
	char *handler;
	char *event_id, *event_type, *category, *eval_id, *customer_id, *decision, *workflow,
		*environment, *endpoint;
	enum body_state body; /* not BODY_THERE: there is no payload, the handler is not asked */
	char *payload;        /* raw body */
	size_t payload_n;
};

void job_free(struct job *job);
