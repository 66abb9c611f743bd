/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the store as it should be? For doctor and backup
 *
 * Threads: as the reader.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/reader.h"

struct sqlite3;

/**
 * check_integrity() - SQLite's own check
 * @full: every index against its table, too (integrity_check); otherwise quick_check
 *
 * Return: 0; -EUCLEAN with what is wrong in @e; another negative errno.
 */
int check_integrity(struct sqlite3 *db, const char *path, bool full, struct error *e) MUST_USE;
int check_reader_integrity(struct reader *reader, const char *path, bool full,
			   struct error *e) MUST_USE;

/* a rule that always holds */
struct check_rule {
	const char *what; /* "attempts without a delivery" */
	const char *advice;
	bool when_stopped; /* holds only while no daemon runs */
};

/* called for each rule, with the number of rows that break it */
typedef int (*check_visit)(const struct check_rule *rule, int64_t n_broken, void *arg);

/* Return: 0, what @visit returned when it was not 0, or a negative errno */
int check_rules(struct reader *reader, check_visit visit, void *arg) MUST_USE;

/* received_at of the newest event, us; 0: none */
int check_newest_event(struct reader *reader, int64_t *ret_at) MUST_USE;

/* what one handler has failed at and not done since */
struct check_streak {
	const char *handler; /* dies with the call */
	int64_t failed;      /* pending and running deliveries with failed attempts */
	int64_t most;        /* attempts of the one that failed most often */
};
typedef int (*check_streak_visit)(const struct check_streak *streak, void *arg);
int check_streaks(struct reader *reader, check_streak_visit visit, void *arg) MUST_USE;
