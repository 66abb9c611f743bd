/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What riskhookd and its jq process say to each other. Private to jq/.
 *
 * Both are the same binary, so a message is a struct as it lies in memory, and `n` bytes behind it.
 *
 *	riskhookd                            jq process
 *	WIRE_PROGRAM text (for each)   ->
 *	                               <-    WIRE_COMPILED, or WIRE_REFUSED jq's message
 *	WIRE_BODY bytes                ->    (no answer; replaces the body before)
 *	WIRE_RUN program, milliseconds ->
 *	                               <-    WIRE_RESULT value or fault; a transform's output
 */
#pragma once

#include <stdint.h>

enum wire_kind {
	WIRE_PROGRAM = 1,
	WIRE_COMPILED,
	WIRE_REFUSED,
	WIRE_BODY,
	WIRE_RUN,
	WIRE_RESULT,
};

struct wire {
	uint32_t kind;
	uint32_t n; /* bytes that follow */
	/* RUN: number of the program, from 0. RESULT: what a filter yielded (1: exactly true). */
	uint32_t a;
	/* PROGRAM, RUN: 1 for a transform. RESULT: the fault (jq/fault.h). */
	uint32_t b;
	/* RUN: processor time that it may take, ms */
	uint32_t c;
};

#define WIRE_REFUSED_MAX 500
#define WIRE_OUTPUT_MAX  (64 * 1024 * 1024) /* as much as max_body can be */

/* the process is started as: NAME --internal-jq N_PROGRAMS BYTES_OF_MEMORY */
#define WIRE_ARGUMENT "--internal-jq"
