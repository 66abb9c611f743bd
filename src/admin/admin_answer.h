/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answering functions of the admin side share. Private to admin/.
 *
 * Threads: the admin side's own.
 */
#pragma once

#include <jansson.h>

#include "admin/admin.h"
#include "util/buf.h"
#include "util/slice.h"

struct admin_answer {
	unsigned int status;
	const char *content_type;
	struct buf body;
};

/* append a value as a line; it is released */
void admin_answer_json(struct admin_answer *answer, json_t *value);

/* {"error": sentence} with this status */
void admin_answer_error(struct admin_answer *answer, unsigned int status, const char *sentence);

/* admin_reload.c: POST /v1/reload */
void admin_reload(const struct admin_subject *subject, const char *path, struct slice body,
		  struct admin_answer *answer);

/* admin_log.c: POST /v1/log-level */
void admin_set_log_level(const struct admin_subject *subject, const char *path, struct slice body,
			 struct admin_answer *answer);

/* admin_tokens.c: POST /v1/tokens/revoke */
void admin_revoke_tokens(const struct admin_subject *subject, const char *path, struct slice body,
			 struct admin_answer *answer);
