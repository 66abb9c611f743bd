/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload: the running daemon reads its configuration again
 */
#include <errno.h>

#include <jansson.h>

#include "core/config.h"
#include "riskhookctl/client.h"
#include "riskhookctl/command.h"
#include "riskhookctl/put.h"

#define ANSWER_MAX (64 * 1024)

static enum ctl_exit tell(const json_t *answer, int status)
{
	const char *sentence = json_string_value(json_object_get(answer, "error"));
	const char *fixed = json_string_value(json_object_get(answer, "needs_restart"));

	if (status != 200 && sentence)
		return ctl_fail(CTL_FAILED, "the old configuration stays: %s", sentence);
	if (status != 200)
		return ctl_fail(CTL_FAILED, "the daemon answered %d", status);
	put(stdout, "reloaded\n");
	if (fixed && *fixed)
		put(stdout, "restart riskhookd for these to take effect: %s\n", fixed);
	return CTL_OK;
}

enum ctl_exit cmd_reload(const struct context *ctx)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct error e = ERROR_INIT;
	enum ctl_exit code;
	json_t *object;
	int r;

	if (!ctx->config)
		return ctl_fail(CTL_FAILED, "%s; riskhookd was not asked, its configuration stays",
				ctx->fault);
	r = client_post_admin(ctx->config->admin.socket, "/v1/reload", SLICE_NULL, &answer, &e);
	if (r < 0) {
		code = ctl_fail(r == -ECONNREFUSED ? CTL_UNREACHABLE : CTL_FAILED, "%s", e.text);
	} else {
		object = answer.p ? json_loadb(answer.p, answer.n, 0, NULL) : NULL;
		code = tell(object, r);
		json_decref(object);
	}
	buf_deinit(&answer);
	return code;
}
