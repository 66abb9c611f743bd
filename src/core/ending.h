/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to warn that a credential or certificate ends: 14, 3 and 1 days before, and when it has
 *
 * Threads: pure.
 */
#pragma once

#include <stdint.h>

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
