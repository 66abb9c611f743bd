/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failed credentials, counted by address (IPv6: by /64)
 *
 * A table of fixed size: a flood from many addresses costs memory once and can at worst make the
 * table forget the oldest counts. Failures are counted within a window that begins with the first
 * of them; at the limit the address is refused until the window ends, and refusals do not count, so
 * a right credential behind the same address is held up for one window at most.
 *
 * Threads: any.   Times are passed in, milliseconds of the monotonic clock.
 */
#pragma once

#include <stdint.h>

#include "intake/address.h"
#include "util/cleanup.h"

struct throttle;

int throttle_new(int64_t max_failures, int64_t window_ms, struct throttle **ret) MUST_USE;
/* for what comes; failures that were counted stay */
void throttle_set_limits(struct throttle *t, int64_t max_failures, int64_t window_ms);
void throttle_free(struct throttle *t);
DEFINE_CLEANUP(struct throttle *, throttle_free)

/* Return: milliseconds until the address may try again, or 0: it may now */
int64_t throttle_wait_ms(struct throttle *t, const struct address *a, int64_t now_ms);

void throttle_note_failure(struct throttle *t, const struct address *a, int64_t now_ms);
