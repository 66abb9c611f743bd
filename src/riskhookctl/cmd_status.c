/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status: what the running daemon says of itself
 */
#include <errno.h>

#include <jansson.h>

#include "core/config.h"
#include "riskhookctl/client.h"
#include "riskhookctl/command.h"
#include "riskhookctl/print.h"
#include "riskhookctl/put.h"

#define STATUS_MAX     (1024 * 1024)
#define NAME_MAX_BYTES 256

static void print_scalar(const char *name, const json_t *value)
{
	struct buf line = BUF_INIT(STATUS_MAX);
	char *text = NULL;

	buf_printf(&line, "%-28s ", name);
	if (json_is_string(value))
		print_escape(&line, slice_of(json_string_value(value)));
	else
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (text)
		buf_append_str(&line, text);
	if (buf_error(&line) == 0)
		put(stdout, "%s\n", line.p);
	free(text);
	buf_deinit(&line);
}

/* objects become dotted names: "store.healthy  true" */
/* NOLINTNEXTLINE(misc-no-recursion): jansson bounds the depth of what it has parsed */
static void print_members(const char *prefix, json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		char name[NAME_MAX_BYTES];

		(void)snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "",
			       key); /* a cut name still helps */
		if (json_is_object(value))
			print_members(name, value);
		else
			print_scalar(name, value);
	}
}

static enum ctl_exit print_status(const struct context *ctx, json_t *status)
{
	struct buf line = BUF_INIT(STATUS_MAX);
	char *text;

	if (!json_is_object(status))
		return ctl_fail(CTL_FAILED, "the daemon's answer is not a JSON object");
	if (!ctx->args->json) {
		print_members("", status);
		return CTL_OK;
	}
	text = json_dumps(status, JSON_COMPACT);
	if (text) {
		buf_append_str(&line, text);
		(void)print_json_line(stdout, &line); /* main() looks at stdout */
	}
	free(text);
	buf_deinit(&line);
	return CTL_OK;
}

enum ctl_exit cmd_status(const struct context *ctx)
{
	const char *socket = ctx->config->admin.socket;
	struct buf answer = BUF_INIT(STATUS_MAX);
	struct error e = ERROR_INIT;
	enum ctl_exit code;
	json_t *status;
	int r;

	r = client_get_admin(socket, "/v1/status", &answer, &e);
	if (r == 200) {
		status = answer.p ? json_loadb(answer.p, answer.n, 0, NULL) : NULL;
		code = print_status(ctx, status);
		json_decref(status);
	} else if (r < 0) {
		code = ctl_fail(r == -ECONNREFUSED ? CTL_UNREACHABLE : CTL_FAILED, "%s", e.text);
	} else {
		code = ctl_fail(CTL_FAILED, "the daemon answered %d", r);
	}
	buf_deinit(&answer);
	return code;
}
