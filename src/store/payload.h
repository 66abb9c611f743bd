/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads as they lie in the store: the raw body, or compressed with zstd (RFC 8878)
 *
 * Bodies are JSON with long keys. A large one repeats them and shrinks to a tenth by itself. A
 * small one repeats little, but nearly all of its keys are the sender's: it is compressed with a
 * dictionary of these (src/store/dictionaries), to a third or less. With a body shrink the pages
 * that a commit must write and sync. What is read back is the body byte for byte; a frame ends with
 * a checksum.
 *
 * Threads: any; each thread keeps its zstd contexts until it ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/macros.h"
#include "util/slice.h"

/* the values are in the column payloads.encoding */
enum payload_encoding {
	PAYLOAD_RAW = 0,
	PAYLOAD_ZSTD = 1,
	PAYLOAD_ZSTD_DICTIONARY_1 = 2, /* a frame without a dictionary ID */
};

#define PAYLOAD_MAX (64 * 1024 * 1024) /* bytes of a body; max_body cannot be more */

extern const char payload_dictionary_1[]; /* made from src/store/dictionaries/1.txt */
extern const size_t payload_dictionary_1_n;

struct payload {
	enum payload_encoding encoding;
	struct slice bytes; /* points into `memory`, or borrows the body */
	char *memory;
};

#define PAYLOAD_NULL ((struct payload){PAYLOAD_RAW, {NULL, 0}, NULL})

/**
 * payload_encode() - choose the form in which a body is stored
 * @body:     borrowed by a raw payload
 * @compress: may it be compressed?
 *
 * Raw when the body is very small, when compression does not pay, or when there is no memory for
 * it.
 *
 * Return: the payload; the caller calls payload_deinit().
 */
struct payload payload_encode(struct slice body, bool compress);
void payload_deinit(struct payload *payload);

/**
 * payload_decode() - the body that was given to payload_encode()
 * @bytes:    as stored; may be damaged
 * @encoding: as stored; not PAYLOAD_RAW, whose bytes are the body
 * @ret_p:    the body; the caller frees
 *
 * Return: 0, -EINVAL (no encoding that this version knows), -EBADMSG (damaged, or larger than
 * PAYLOAD_MAX), or -ENOMEM.
 */
int payload_decode(struct slice bytes, int encoding, char **ret_p, size_t *ret_n) MUST_USE;

/**
 * payload_body() - the body of a payload as it is stored, whatever its encoding
 * @stored:   encoding and bytes, borrowed; `memory` becomes what was decoded, until
 *            payload_deinit()
 * @ret_body: borrows from @stored
 *
 * Return: 0, -EBADMSG (damaged, or an encoding that nobody knows), or -ENOMEM.
 */
int payload_body(struct payload *stored, struct slice *ret_body) MUST_USE;

struct sqlite3;

/**
 * payload_register() - SQL functions for a connection
 *
 *	payload_decode(body, encoding)	of a row of `payloads`: the body
 *	payload(seq)			the body of an event, or NULL
 *
 * The same two come as a loadable extension for the sqlite3 program: .load build/riskhook.
 *
 * Return: an SQLite result code.
 */
int payload_register(struct sqlite3 *db) MUST_USE;
