/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run one program and see it through
 *
 * The program gets the input on stdin and then EOF, one pipe for stdout and stderr together, no
 * other descriptor, an own process group, `/` as directory, and default signal handling. No shell
 * is involved.
 *
 *   - It need not read its input: a pipe that it closes or leaves full is no error.
 *   - It may write as much as it likes: the beginning and the end are kept (dispatch/attempt.h),
 *     what is between them is read and thrown away.
 *   - Its end is the end: descendants that live on and hold the pipes are not waited for. (After a
 *     time-out or an abort the whole group is killed, too.)
 *   - At the time-out the group gets TERM, and KILL after another EXEC_KILL_AFTER_MS; at an abort
 *     TERM, unless it had that, and KILL after EXEC_ABORT_KILL_AFTER_MS. What survives even that,
 *     such as a process in uninterruptible sleep or of another user, is left alone.
 *
 * Waiting is one poll() on the two pipes, a pidfd and the abort descriptor: no signals, no alarms.
 *
 * Threads: any, many at once. SIGPIPE must be blocked or ignored in the calling thread.
 */
#pragma once

#include <stdint.h>

#include "dispatch/attempt.h"
#include "dispatch/child.h"
#include "util/slice.h"

#define EXEC_KILL_AFTER_MS       5000
#define EXEC_ABORT_KILL_AFTER_MS 1000 /* who aborts is about to end itself */

struct exec_request {
	char *const *argv; /* argv[0]: absolute, or a name that is looked up in PATH of @envp */
	char *const *envp;
	struct slice input;
	int64_t timeout_ms;
	const struct child_limits *limits; /* or NULL */
	int abort_fd; /* readable from the moment on when the program is to be ended */
};

/**
 * exec_run() - run it and wait
 * @result: initialised by the caller; gets outcome, code or signal, reason and output
 *
 * A program that cannot be started is ATTEMPT_FAILED: somebody may be installing it just now.
 */
void exec_run(const struct exec_request *request, struct attempt_result *result);
