/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/log-level: {"level": WORD}
 */
#include <microhttpd.h>

#include "admin/admin_answer.h"
#include "core/log.h"

void admin_set_log_level(const struct admin_subject *subject, const char *path, struct slice body,
			 struct admin_answer *answer)
{
	json_t *request = json_loadb(body.n ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(request, "level"));
	enum log_level level;

	(void)subject;
	(void)path;
	if (name && log_level_parse(name, &level) == 0) {
		log_set_level(level);
		log_notice("the log level is %s now", log_level_name(level));
		admin_answer_json(answer, json_pack("{s:s}", "log_level", log_level_name(level)));
	} else {
		admin_answer_error(answer, MHD_HTTP_BAD_REQUEST,
				   "level is one of error, warning, notice, info, debug");
	}
	json_decref(request);
}
