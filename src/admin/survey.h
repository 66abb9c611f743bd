/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the admin side has to find out when it is asked: the queues, the disk, whether the store can
 * commit
 *
 * Threads: one at a time for each survey.   Ownership: owns a reading connection.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/err.h"

struct admin_subject;
struct buf;
struct survey;

/**
 * survey_new() - prepare to be asked
 * @subject:    borrowed until survey_free()
 * @store_path: borrowed, too
 * @min_free:   bytes of the disk
 */
int survey_new(const struct admin_subject *subject, const char *store_path, int64_t min_free,
	       struct survey **ret_survey, struct error *e) MUST_USE;
void survey_free(struct survey *survey);
DEFINE_CLEANUP(struct survey *, survey_free)

/* one sentence for each reason why no event should be sent here now; may wait for a commit */
void survey_add_reasons(struct survey *survey, json_t *reasons);

/* append the computed families of core/metric_family.h */
void survey_add_metrics(struct survey *survey, struct buf *out);

/* members `log_level`, `handlers`, and more of `store`. What cannot be found out is left out. */
void survey_add_status(struct survey *survey, json_t *status);
