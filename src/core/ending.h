/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a credential is valid, and when to warn that it or a certificate ends
 *
 * Warnings are due 14, 3 and 1 days before, and when it has ended.
 *
 * Threads: pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* between not_before and not_after? 0: no bound; at @not_after_us itself it is over */
static inline bool ending_is_valid(int64_t now_us, int64_t not_before_us, int64_t not_after_us)
{
	return (not_before_us == 0 || now_us >= not_before_us) &&
	       (not_after_us == 0 || now_us < not_after_us);
}

/* in order of urgency */
enum ending {
	ENDING_FAR, /* or never */
	ENDING_IN_14_DAYS,
	ENDING_IN_3_DAYS,
	ENDING_IN_1_DAY,
	ENDED,
};

/* @end_us: 0: never */
enum ending ending_of(int64_t now_us, int64_t end_us);

/* whole days left, rounded down; negative when it is over */
int64_t ending_days_left(int64_t now_us, int64_t end_us);

/* which end was warned of, and how urgently; all zero at first */
struct ending_memory {
	int64_t end_us;
	enum ending warned;
};

/**
 * ending_warning() - is a warning due now? Each once, and only the most urgent one
 * @memory: updated; another end than before begins anew
 *
 * Return: ENDING_FAR when none is due.
 */
enum ending ending_warning(struct ending_memory *memory, int64_t now_us, int64_t end_us);
