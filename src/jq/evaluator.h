/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jq process: compiles and runs jq programs, away from the daemon
 *
 * Why a process of its own: libjq 1.6 ends the process when memory is short and when an assertion
 * fails (`import` without a library path does that while it compiles), it knows no limit of time or
 * memory, and its programs can read the environment. Here a program can do no more than to end a
 * process that has nothing: an empty environment, no descriptor but two pipes and /dev/null, a
 * limit of memory, and a limit of processor time for each run.
 *
 * The process is riskhookd or riskhookctl itself, started with one argument that no person types.
 * It compiles the programs and then forks for the runs: when a run is ended by a limit, the next
 * fork takes its place in an instant, with everything compiled (which takes some 20 ms a program).
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>

/* Is this process started as a jq process? Then main() does nothing but evaluator_main(). */
bool evaluator_is_meant(int argc, char *const *argv);

/* serve standard input until it ends. Return: an exit code. */
int evaluator_main(int argc, char *const *argv);
