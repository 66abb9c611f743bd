/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One conversation in the line protocol (dispatch/protocol.h) over non-blocking descriptors
 *
 * The owner adds attempts, polls, and calls session_read() and session_write(); each attempt that
 * has its result goes to `on_done`. When the conversation ends, for whatever reason,
 * session_deinit() gives a result to all that are left.
 *
 * After anything but a proper answer in time the stream cannot be trusted any more, so the owner
 * must end the session on every outcome that is not SESSION_OK.
 *
 * Threads: one.   Ownership: borrows the descriptors; holds the attempts that were added.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dispatch/handler.h"
#include "util/buf.h"
#include "util/list.h"
#include "util/macros.h"

enum session_outcome {
	SESSION_OK = 0,
	SESSION_E_CLOSED,  /* the consumer closed the connection */
	SESSION_E_GARBAGE, /* a line that is no answer, or is too long */
	SESSION_E_TIMEOUT, /* an answer is overdue */
};

struct session {
	int read_fd, write_fd; /* may be the same */
	int64_t timeout_ms;    /* for one answer, from the moment that its request's turn comes */
	const struct handler_callbacks *callbacks; /* on_done alone is used */
	struct transform *transform;               /* what to do to each payload; NULL: nothing */

	struct list waiting;    /* their turn to be written has not come */
	struct list unanswered; /* in order of their deadlines */
	struct buf out;         /* lines on their way */
	size_t n_written;       /* bytes of `out` */
	struct buf in;          /* the beginning of a line */
	int64_t n_answers;      /* to what was asked, so far */
	bool is_unknown_logged;
};

void session_init(struct session *session, int read_fd, int write_fd, int64_t timeout_ms,
		  const struct handler_callbacks *callbacks);

/**
 * session_deinit() - give every attempt that is left a result
 * @outcome: ATTEMPT_LOST or ATTEMPT_INTERRUPTED; what is overdue becomes ATTEMPT_TIMEOUT
 * @reason:  for people
 */
void session_deinit(struct session *session, int64_t now_ms, enum attempt_outcome outcome,
		    const char *reason);

void session_add(struct session *session, struct attempt *attempt);

/* is there something for session_write() to do? Then poll for POLLOUT, too. */
bool session_has_output(const struct session *session);

/* when the first answer is overdue; INT64_MAX when none is expected */
int64_t session_deadline(const struct session *session);

/**
 * session_write() - write as much as the descriptor takes
 *
 * Return: SESSION_OK or a negative errno.
 */
int session_write(struct session *session, int64_t now_ms) MUST_USE;

/**
 * session_read() - read what is there, once, and take the answers from it
 *
 * An answer to a delivery that is not on its way (any more) is ignored.
 *
 * Return: a session_outcome or a negative errno.
 */
int session_read(struct session *session) MUST_USE;

/* one clause for people on a session_outcome or a negative errno */
const char *session_outcome_text(int outcome);
