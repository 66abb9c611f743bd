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

/* the daemon's own sentence, or a general one */
static enum ctl_exit fail_with(const struct buf *answer, int status)
{
	json_t *object = answer->p ? json_loadb(answer->p, answer->n, 0, NULL) : NULL;
	const char *sentence = json_string_value(json_object_get(object, "error"));
	enum ctl_exit code;

	code = sentence ? ctl_fail(CTL_FAILED, "the old configuration stays: %s", sentence)
			: ctl_fail(CTL_FAILED, "the daemon answered %d", status);
	json_decref(object);
	return code;
}

enum ctl_exit cmd_reload(const struct context *ctx)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct error e = ERROR_INIT;
	enum ctl_exit code = CTL_OK;
	int r;

	r = client_post_admin(ctx->config->admin.socket, "/v1/reload", SLICE_NULL, &answer, &e);
	if (r == 200)
		put(stdout, "reloaded\n");
	else if (r < 0)
		code = ctl_fail(r == -ECONNREFUSED ? CTL_UNREACHABLE : CTL_FAILED, "%s", e.text);
	else
		code = fail_with(&answer, r);
	buf_deinit(&answer);
	return code;
}
