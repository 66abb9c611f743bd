/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of a jq process (jq/evaluator.h)
 *
 * A host holds some programs and the one process that runs them, which is started at the first use
 * and again whenever it is gone. A body is sent and parsed once for all programs.
 *
 * A run may use HOST_RUN_MS of processor time: that, and not the time on the clock, so that a busy
 * machine makes no filter fail. A program that uses it up gets half as much the next time, and so
 * on to HOST_RUN_LEAST_MS, until it succeeds or HOST_RUN_LESS_MS have passed: one that never ends
 * costs little.
 *
 * Threads: any, one run at a time; others wait.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/slice.h"

#define HOST_RUN_MS       1000
#define HOST_RUN_LEAST_MS 60
#define HOST_RUN_LESS_MS  10000 /* on the clock, since it has used up HOST_RUN_MS */
#define HOST_WALL_MS      20000 /* on the clock: then the process is ended */
#define HOST_MEMORY       (768LL * 1024 * 1024)

struct host;

struct host_program {
	const char *text; /* borrowed until host_free() */
	bool is_transform;
};

/**
 * host_new() - a host; starts nothing
 * @programs: the array is copied
 *
 * Return: 0, or -ENOMEM.
 */
int host_new(const struct host_program *programs, size_t n, struct host **ret_host) MUST_USE;
void host_free(struct host *host);
DEFINE_CLEANUP(struct host *, host_free)

/**
 * host_compile() - start the process now, and see whether it takes all programs
 * @ret_index: which one it refuses
 * @e:         jq's message, one line
 *
 * Return: 0; -EINVAL: a program is refused; another negative errno: there is no process.
 */
int host_compile(struct host *host, size_t *ret_index, struct error *e) MUST_USE;

/* a body for all runs that follow, until the next one; borrowed until then */
void host_set_body(struct host *host, struct slice body);

/**
 * host_filter() - does program @index yield true?
 *
 * Return: 0 or 1; -EBADMSG: the program failed, see @ret_fault (jq/fault.h); another negative
 *         errno: it could not be run, for want of a process.
 */
int host_filter(struct host *host, size_t index, int *ret_fault) MUST_USE;

/**
 * host_transform() - the first output of program @index for @body
 * @out: gets it, as compact JSON
 *
 * Return: 0, or a negative errno as host_filter().
 */
int host_transform(struct host *host, size_t index, struct slice body, struct buf *out,
		   int *ret_fault) MUST_USE;
