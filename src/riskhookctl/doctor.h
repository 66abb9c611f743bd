/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of `riskhookctl doctor` share: findings
 *
 * A check tells each thing that it looked at once: ok, or what is wrong and what to do.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "riskhookctl/command.h"
#include "riskhookctl/print.h"

enum finding_level {
	FINDING_OK,
	FINDING_WARNING, /* works, but look at it */
	FINDING_PROBLEM, /* does not work, or will not soon */
	FINDING_LEVELS
};

struct doctor {
	const struct context *ctx;
	struct print_target target;
	int64_t now; /* us */
	bool daemon_answers;
	int n_found[FINDING_LEVELS];
};

/* advice about what this user may not look at */
#define DOCTOR_MAY_NOT "run doctor as root or as the user of riskhookd"

/**
 * doctor_tell() - print a finding and count it
 * @check:  what was looked at, one word
 * @advice: what to do, or NULL
 */
void doctor_tell(struct doctor *doctor, enum finding_level level, const char *check,
		 const char *advice, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* the parts, in the order in which they run; the daemon's first sets daemon_answers */
void doctor_check_daemon(struct doctor *doctor);
/* Return: is what it says complete enough for the checks below? */
bool doctor_check_config(struct doctor *doctor);

/* these look at what the whole configuration names */
void doctor_check_certificate(struct doctor *doctor);
void doctor_check_files(struct doctor *doctor);
void doctor_check_providers(struct doctor *doctor);

void doctor_check_store(struct doctor *doctor);
