/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line protocol that `unix` handlers speak
 *
 * One line of JSON for each delivery goes out:
 *
 *	{"delivery":812,"attempt":1,"seq":17,"event_id":"...","event_type":"evaluation_completed",
 *	 "category":"evaluation","eval_id":"...","received_at":"...","test":false,
 *	 "replay":false,"payload":{...}}
 *
 * and one line comes back for each, in any order:
 *
 *	{"delivery":812,"status":"ok"}
 *	{"delivery":812,"status":"retry","after":30}          seconds, optional
 *	{"delivery":812,"status":"dead","reason":"..."}       optional, with "retry" too
 *
 * `payload` is the raw body as it came, not parsed and written again: numbers keep their digits and
 * keys their order. Only its line feeds and carriage returns become spaces, because a line must be
 * one line: RFC 8259 allows those two bytes nowhere but between tokens (inside a string they are
 * escaped), and the store keeps only well-formed bodies as events. So the payload has the same
 * length and the same tokens.
 *
 * Threads: pure.   Ownership: borrows what it reads.
 */
#pragma once

#include <stdint.h>

#include "store/model.h"
#include "util/buf.h"
#include "util/macros.h"
#include "util/slice.h"

#define PROTOCOL_LINE_MAX   (64 * 1024) /* an answer, without its newline */
#define PROTOCOL_REASON_MAX 200         /* bytes of a reason that are kept */

/* most bytes of a request line besides the payload: six texts of 512 bytes, escaped six-fold */
#define PROTOCOL_HEAD_MAX (32 * 1024)

/**
 * protocol_append_request() - append the line for one delivery, newline included
 * @out: its maximum must leave room for the payload and PROTOCOL_HEAD_MAX
 *
 * What the sender did not give is null.
 *
 * Return: 0, or a negative errno (buf_error()).
 */
int protocol_append_request(const struct job *job, struct buf *out) MUST_USE;

enum answer_status {
	ANSWER_OK,
	ANSWER_RETRY,
	ANSWER_DEAD,
};

enum protocol_outcome {
	PROTOCOL_OK = 0,
	PROTOCOL_E_MALFORMED, /* not an answer; what follows on the connection cannot be trusted */
};

struct answer {
	int64_t delivery;
	enum answer_status status;
	int64_t after_ms;                     /* RETRY_AFTER_NONE: not given */
	char reason[PROTOCOL_REASON_MAX + 1]; /* UTF-8 without control characters; "": not given */
};

/**
 * protocol_parse_answer() - read one line of a consumer
 * @line: without its newline; a carriage return at the end is white space
 *
 * Unknown members are ignored, so that the protocol can grow; a known one of the wrong type, a
 * missing `delivery` or `status`, a repeated member, or a line over PROTOCOL_LINE_MAX is malformed.
 *
 * Return: PROTOCOL_OK or PROTOCOL_E_MALFORMED; out of memory counts as malformed.
 */
int protocol_parse_answer(struct slice line, struct answer *ret_answer) MUST_USE;
