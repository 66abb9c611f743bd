/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads, locks and wake-ups
 *
 * Signals reach the main thread alone: thread_start() starts every other one with all signals
 * blocked. Locks cannot fail in a correct program, so a failing lock call ends it.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

/**
 * thread_start() - run @func(@arg) in a new thread
 * @name: shown by ps and gdb, at most 15 characters
 *
 * Return: 0, or a negative errno.
 */
int thread_start(pthread_t *ret_thread, const char *name, void *(*func)(void *),
		 void *arg) MUST_USE;
void thread_join(pthread_t thread);

/* SCHED_BATCH (sched(7)) for the calling thread, not for those that it starts: when it wakes up it
 * takes an idle processor, but does not preempt a thread that runs */
void thread_does_not_preempt(void);

/* the opposite, for a thread that was so only while a library started others, which inherit it */
void thread_preempts(void);

/* what can wait, while a sender waits for an answer */
#define THREAD_NICE 10

/* at least this nice value for the calling thread alone, and for what it starts: others that want
 * the processor get more of it */
void thread_yield_to_others(int nice_value);

void mutex_lock(pthread_mutex_t *mx);
void mutex_unlock(pthread_mutex_t *mx);

/* a condition variable whose time-outs follow CLOCK_MONOTONIC */
void cond_init(pthread_cond_t *cond);
void cond_wait(pthread_cond_t *cond, pthread_mutex_t *mx);
/**
 * cond_wait_until() - wait for a signal until a point of the monotonic clock
 * @until_ms: milliseconds of clock_monotonic_ms(); INT64_MAX waits for ever
 *
 * Return: false when the time came.
 */
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mx, int64_t until_ms);

/* An eventfd: for threads that wait in poll() and not on a condition. */
int wakeup_open(void) MUST_USE; /* Return: descriptor, or a negative errno */
void wakeup_signal(int fd);
void wakeup_drain(int fd);
