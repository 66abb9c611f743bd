/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to other servers: one thread, libcurl's multi interface
 *
 * Nobody waits for another server but this thread, and it waits for all of them at once. HTTPS
 * alone, TLS 1.2 or later, certificates verified, no redirect followed, no proxy from the
 * environment, no compression, answers cut off at a size, a time limit for the whole.
 *
 * A request is a struct of its owner's. It is idle, or it is scheduled and later under way; done()
 * is called exactly once for each time it was scheduled, unless it was cancelled. The thread starts
 * with the first request.
 *
 * Threads: any may schedule and cancel; done() runs in the outbound thread and must not block.
 * Ownership: borrows the request and all it points to until it is idle again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/list.h"
#include "util/macros.h"
#include "util/slice.h"

struct outbound;
struct outbound_request;

struct outbound_answer {
	const char *error;          /* NULL when there is an answer; a constant otherwise */
	bool is_stopping;           /* with an error: the daemon stops, nobody is to blame */
	long status;                /* HTTP */
	struct slice body;          /* of a 200; otherwise empty */
	struct slice content_type;  /* empty: none */
	struct slice cache_control; /* empty: none */
	int64_t expires_in_s;       /* by `Expires`; -1: none */
};

typedef void (*outbound_done)(struct outbound_request *request,
			      const struct outbound_answer *answer);

struct outbound_request {
	/* the owner's, constant while it is not idle */
	const char *url;                 /* https://... */
	const char *ca_file;             /* whom to trust; NULL: the system's authorities */
	const char *username, *password; /* sent as Basic; NULL: none */
	const char *form; /* posted as application/x-www-form-urlencoded; NULL: GET */
	size_t form_n;
	size_t max; /* bytes of an answer's body */
	int64_t timeout_ms;
	outbound_done done;

	/* outbound.c's */
	int state;
	int64_t due_ms;
	struct list link;
	struct transfer *transfer;
};

int outbound_new(struct outbound **ret) MUST_USE;

/**
 * outbound_stop() - every request ends now: done() is called with an error
 *
 * From then on nothing can be scheduled.
 */
void outbound_stop(struct outbound *o);

/* every request must be idle */
void outbound_free(struct outbound *o);
DEFINE_CLEANUP(struct outbound *, outbound_free)

/**
 * outbound_schedule() - begin a request
 * @due_ms: clock_monotonic_ms() at which it begins; one that is scheduled already is only brought
 *          forward, one that is under way goes on
 *
 * Return: 0; -ESHUTDOWN after outbound_stop(); another negative errno (no thread).
 */
int outbound_schedule(struct outbound *o, struct outbound_request *request,
		      int64_t due_ms) MUST_USE;

/* until it returns done() may run, afterwards it does not. Not from done(), and with no lock held
 * that done() takes. */
void outbound_cancel(struct outbound *o, struct outbound_request *request);
