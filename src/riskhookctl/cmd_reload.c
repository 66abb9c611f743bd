/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload: the running daemon reads its configuration again
 */
#include "riskhookctl/daemon.h"
#include "riskhookctl/put.h"

static enum ctl_exit tell(const struct daemon_answer *answer)
{
	const char *sentence = json_string_value(json_object_get(answer->object, "error"));
	const char *fixed = json_string_value(json_object_get(answer->object, "needs_restart"));

	if (answer->status != 200 && sentence)
		return ctl_fail(CTL_FAILED, "the old configuration stays: %s", sentence);
	if (answer->status != 200)
		return ctl_fail(CTL_FAILED, "the daemon answered %d", answer->status);
	put(stdout, "reloaded\n");
	if (fixed && *fixed)
		put(stdout, "restart riskhookd for these to take effect: %s\n", fixed);
	return CTL_OK;
}

enum ctl_exit cmd_reload(const struct context *ctx)
{
	struct daemon_answer answer;
	enum ctl_exit code;

	if (!ctx->config)
		return ctl_fail(CTL_FAILED, "%s; riskhookd was not asked, its configuration stays",
				ctx->fault);
	code = daemon_post(ctx, "/v1/reload", SLICE_NULL, &answer);
	if (code != CTL_OK)
		return code;
	code = tell(&answer);
	json_decref(answer.object);
	return code;
}
