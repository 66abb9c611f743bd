/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/reload: what SIGHUP does, with an answer
 */
#include <errno.h>

#include <microhttpd.h>

#include "admin/admin_answer.h"

void admin_reload(const struct admin_subject *subject, const char *path, struct slice body,
		  struct admin_answer *answer)
{
	struct error remark = ERROR_INIT;
	int r = subject->reload(subject->arg, &remark);

	(void)path; /* it has one */
	(void)body; /* there is nothing to say */
	if (r == 0)
		admin_answer_json(answer, json_pack("{s:s, s:s}", "result", "reloaded",
						    "needs_restart", remark.text));
	else
		admin_answer_error(answer,
				   r == -ESHUTDOWN ? MHD_HTTP_SERVICE_UNAVAILABLE
						   : MHD_HTTP_UNPROCESSABLE_CONTENT,
				   remark.text);
}
