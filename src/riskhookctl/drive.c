/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/drive.h"

#include <errno.h>

#include "core/config.h"
#include "riskhookctl/client.h"
#include "riskhookctl/print.h"

#define ANSWER_MAX (1024 * 1024)

/* the daemon's sentence, or its status when it gave none */
static enum ctl_exit refused(int status, const json_t *answer)
{
	const char *sentence = json_string_value(json_object_get(answer, "error"));
	enum ctl_exit code = status == 404 ? CTL_NOTHING : CTL_FAILED;

	if (sentence)
		return ctl_fail(code, "the daemon says: %s", sentence);
	return ctl_fail(code, "the daemon answered %d", status);
}

static enum ctl_exit post(const char *socket, const char *path, const char *body,
			  json_t **ret_answer)
{
	struct buf text = BUF_INIT(ANSWER_MAX);
	struct error e = ERROR_INIT;
	enum ctl_exit code = CTL_OK;
	json_t *answer = NULL;
	int r = client_post_admin(socket, path, slice_of(body), &text, &e);

	if (r < 0) {
		code = ctl_fail(r == -ECONNREFUSED ? CTL_UNREACHABLE : CTL_FAILED, "%s", e.text);
	} else {
		answer = text.p ? json_loadb(text.p, text.n, 0, NULL) : NULL;
		if (r != 200 || !json_is_object(answer))
			code = refused(r, answer);
	}
	buf_deinit(&text);
	if (code == CTL_OK)
		*ret_answer = answer;
	else
		json_decref(answer);
	return code;
}

enum ctl_exit drive_post(const struct context *ctx, const char *path, json_t *request,
			 json_t **ret_answer)
{
	char *body = request ? json_dumps(request, JSON_COMPACT) : NULL;
	enum ctl_exit code;

	json_decref(request);
	if (!body)
		return ctl_fail(CTL_FAILED, "out of memory");
	code = post(ctx->config->admin.socket, path, body, ret_answer);
	free(body);
	return code;
}

enum ctl_exit drive_check_handler(const struct context *ctx, const char *name)
{
	struct buf names = BUF_INIT(4096);
	enum ctl_exit code;

	if (config_handler(ctx->config, name))
		return CTL_OK;
	for (size_t i = 0; i < ctx->config->n_handlers; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", ctx->config->handlers[i].name);
	code = ctl_fail(CTL_NOTHING, "no handler '%s' is configured; there are: %s", name,
			names.n ? names.p : "none");
	buf_deinit(&names);
	return code;
}

void drive_print_json(const json_t *object)
{
	struct buf line = BUF_INIT(ANSWER_MAX);
	char *text = json_dumps(object, JSON_COMPACT);

	if (text) {
		buf_append_str(&line, text);
		(void)print_json_line(stdout, &line); /* main() looks at stdout */
	}
	free(text);
	buf_deinit(&line);
}
