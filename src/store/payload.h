/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads as they lie in the store: the raw body, or compressed with zstd (RFC 8878)
 *
 * Bodies are JSON with long, repeated keys: a large one shrinks to a tenth, and with it the pages
 * that a commit must write and sync. Small ones gain little and stay as they are. What is read back
 * is the body byte for byte.
 *
 * Threads: any; each thread keeps one compression context until it ends.
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
};

#define PAYLOAD_MAX (64 * 1024 * 1024) /* bytes of a body; max_body cannot be more */

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
 * Raw when the body is small, when compression does not pay, or when there is no memory for it.
 *
 * Return: the payload; the caller calls payload_deinit().
 */
struct payload payload_encode(struct slice body, bool compress);
void payload_deinit(struct payload *payload);

/**
 * payload_decode() - the body that was given to payload_encode(), of a PAYLOAD_ZSTD
 * @bytes: as stored; may be damaged
 * @ret_p: the body; the caller frees
 *
 * Return: 0, -EBADMSG (damaged, or larger than PAYLOAD_MAX), or -ENOMEM.
 */
int payload_decode(struct slice bytes, char **ret_p, size_t *ret_n) MUST_USE;

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
