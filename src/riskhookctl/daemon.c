/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/daemon.h"

#include <errno.h>
#include <stdlib.h>

#include "core/config.h"
#include "riskhookctl/client.h"
#include "riskhookctl/print.h"

#define ANSWER_MAX (1024 * 1024)

enum ctl_exit daemon_fail(int r, const struct error *e)
{
	return ctl_fail(r == -ECONNREFUSED ? CTL_UNREACHABLE : CTL_FAILED, "%s", e->text);
}

/* @r: as client_get_admin(); @body is freed */
static enum ctl_exit read_answer(int r, struct buf *body, const struct error *e,
				 struct daemon_answer *ret)
{
	json_t *json = r >= 0 && body->p ? json_loadb(body->p, body->n, 0, NULL) : NULL;

	buf_deinit(body);
	if (r < 0)
		return daemon_fail(r, e);
	*ret = (struct daemon_answer){.status = r};
	if (json_is_object(json))
		ret->object = json;
	else
		json_decref(json);
	return CTL_OK;
}

enum ctl_exit daemon_get(const struct context *ctx, const char *path, struct daemon_answer *ret)
{
	struct buf body = BUF_INIT(ANSWER_MAX);
	struct error e = ERROR_INIT;
	int r = client_get_admin(ctx->config->admin.socket, path, &body, &e);

	return read_answer(r, &body, &e, ret);
}

enum ctl_exit daemon_post(const struct context *ctx, const char *path, struct slice body,
			  struct daemon_answer *ret)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct error e = ERROR_INIT;
	int r = client_post_admin(ctx->config->admin.socket, path, body, &answer, &e);

	return read_answer(r, &answer, &e, ret);
}

/* the daemon's sentence, or its status when it gave none */
static enum ctl_exit refused(const struct daemon_answer *answer)
{
	const char *sentence = json_string_value(json_object_get(answer->object, "error"));
	enum ctl_exit code = answer->status == 404 ? CTL_NOTHING : CTL_FAILED;

	if (sentence)
		return ctl_fail(code, "the daemon says: %s", sentence);
	return ctl_fail(code, "the daemon answered %d", answer->status);
}

enum ctl_exit daemon_change(const struct context *ctx, const char *path, json_t *request,
			    json_t **ret_answer)
{
	char *body = request ? json_dumps(request, JSON_COMPACT) : NULL;
	struct daemon_answer answer;
	enum ctl_exit code;

	json_decref(request);
	if (!body)
		return ctl_fail(CTL_FAILED, "out of memory");
	code = daemon_post(ctx, path, slice_of(body), &answer);
	free(body);
	if (code != CTL_OK)
		return code;
	if (answer.status == 200 && answer.object) {
		*ret_answer = answer.object;
		return CTL_OK;
	}
	code = refused(&answer);
	json_decref(answer.object);
	return code;
}

enum ctl_exit daemon_check_handler(const struct context *ctx, const char *name)
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

void daemon_print_json(const json_t *object)
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
