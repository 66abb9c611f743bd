/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: the access tokens that the token endpoint has issued
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include "core/clock.h"
#include "core/config.h"
#include "riskhookctl/ask.h"
#include "riskhookctl/daemon.h"
#include "riskhookctl/put.h"

#define COLUMNS "token endpoint credential client_id address issued_at expires_at"

/* the rows of one credential, or all */
struct chosen {
	struct printer *printer;
	const char *credential;
};

static int print_chosen(const struct value *values, int n_values, void *arg)
{
	const struct chosen *chosen = arg;
	const struct value *credential = ask_value(values, n_values, "credential");

	if (chosen->credential && credential && !slice_eq_str(credential->text, chosen->credential))
		return 0;
	return printer_row(values, n_values, chosen->printer);
}

static enum ctl_exit list_tokens(const struct context *ctx)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	_cleanup_(printer_freep)
	struct printer *printer = NULL;
	struct print_target target = print_target_stdout();
	struct chosen chosen = {.credential = ctx->args->credential};
	enum ctl_exit code = ask_open(ctx, &reader);

	if (code != CTL_OK)
		return code;
	printer = ask_printer(ctx, &target, COLUMNS);
	if (!printer)
		return ask_result(-ENOMEM);
	chosen.printer = printer;
	return ask_finish(printer, query_tokens(reader, clock_now_us(), print_chosen, &chosen),
			  "access token");
}

static enum ctl_exit print_revoked(const struct context *ctx, const json_t *answer)
{
	json_int_t n = json_integer_value(json_object_get(answer, "revoked"));

	if (n == 0)
		return ctl_fail(CTL_NOTHING, "no such access token");
	put(stdout,
	    ctx->args->json ? "{\"revoked\":%" JSON_INTEGER_FORMAT "}\n"
			    : "%" JSON_INTEGER_FORMAT " revoked\n",
	    n);
	return CTL_OK;
}

static enum ctl_exit ask_daemon(const struct context *ctx, const char *body)
{
	struct daemon_answer answer;
	enum ctl_exit code = daemon_post(ctx, "/v1/tokens/revoke", slice_of(body), &answer);
	const char *why;

	if (code != CTL_OK)
		return code;
	why = json_string_value(json_object_get(answer.object, "error"));
	if (answer.status == 200)
		code = print_revoked(ctx, answer.object);
	else
		code = ctl_fail(CTL_FAILED, "%s", why ? why : "the daemon refused");
	json_decref(answer.object);
	return code;
}

static bool is_id(const char *text)
{
	return strlen(text) == 12 && text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
}

static enum ctl_exit revoke_tokens(const struct context *ctx)
{
	const char *id = ctx->args->operands[2], *credential = ctx->args->credential;
	enum ctl_exit code;
	json_t *request;
	char *body;

	if (!id == !credential)
		return ctl_fail(CTL_USAGE, "give either the ID of one ('riskhookctl token list') "
					   "or --credential NAME");
	if (id && !is_id(id))
		return ctl_fail(CTL_USAGE, "'%s' is not an ID of 12 hexadecimal digits", id);
	request = json_pack("{s:s}", id ? "token" : "credential", id ? id : credential);
	body = json_dumps(request, JSON_COMPACT);
	code = body ? ask_daemon(ctx, body) : ctl_fail(CTL_FAILED, "out of memory");
	free(body);
	json_decref(request);
	return code;
}

enum ctl_exit cmd_token(const struct context *ctx)
{
	const char *verb = ctx->args->operands[1];

	if (strcmp(verb, "list") == 0 && !ctx->args->operands[2])
		return list_tokens(ctx);
	if (strcmp(verb, "revoke") == 0)
		return revoke_tokens(ctx);
	return ctl_fail(CTL_USAGE, "usage: riskhookctl token list, or: token revoke ID");
}
