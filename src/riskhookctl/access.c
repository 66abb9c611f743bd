/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/access.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/crypto.h"
#include "riskhookctl/print.h"

#define SECRET_FILE_MAX (16 * 1024) /* a signed token is longer than a password */
#define ANSWER_MAX      (64 * 1024)
#define URL_MAX         4096

static void free_secret(char *secret)
{
	if (secret)
		secret_wipe(secret, strlen(secret));
	free(secret);
}

void access_deinit(struct access *access)
{
	free_secret(access->token);
	free_secret(access->secret);
}

/* the file's first line */
static enum ctl_exit read_line(const char *path, char **ret)
{
	size_t n;
	int r = fd_read_file(path, SECRET_FILE_MAX, ret, &n);

	if (r < 0)
		return ctl_fail(CTL_FAILED, "cannot read '%s': %s", path, error_name(r));
	(*ret)[strcspn(*ret, "\r\n")] = '\0';
	return **ret ? CTL_OK : ctl_fail(CTL_FAILED, "'%s' is empty", path);
}

/* what the token endpoint says is wrong; its text is foreign */
static enum ctl_exit fail_answer(const char *url, int status, const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const char *why = json_string_value(json_object_get(answer, "error_description"));
	struct buf text = BUF_INIT(ANSWER_MAX);
	enum ctl_exit code;

	print_escape(&text, slice_of(error ? error : "no access_token in the answer"));
	if (why) {
		buf_append_str(&text, ": ");
		print_escape(&text, slice_of(why));
	}
	code = ctl_fail(CTL_FAILED, "no token from %s: %d %s", url, status, text.p ? text.p : "");
	buf_deinit(&text);
	return code;
}

static enum ctl_exit fetch(const struct token_source *source, struct access *access)
{
	struct buf text = BUF_INIT(ANSWER_MAX);
	struct error e = ERROR_INIT;
	enum ctl_exit code = CTL_OK;
	const char *token;
	json_t *answer;
	int status;

	status = client_fetch_token(source, &text, &e);
	answer = text.p ? json_loadb(text.p, text.n, 0, NULL) : NULL;
	token = json_string_value(json_object_get(answer, "access_token"));
	if (status < 0)
		code = ctl_fail(status == -ECONNREFUSED ? CTL_UNREACHABLE : CTL_FAILED,
				"no token from %s: %s", source->url, e.text);
	else if (status != 200 || !token)
		code = fail_answer(source->url, status, answer);
	else
		access->token = slice_dup(slice_of(token));
	json_decref(answer);
	buf_deinit(&text);
	return code == CTL_OK && !access->token ? ctl_fail(CTL_FAILED, "out of memory") : code;
}

/* the daemon's token endpoint has the same origin as the endpoint */
static enum ctl_exit fetch_own(const struct credential_config *credential,
			       const struct post_target *to, struct access *access)
{
	const char *authority = strstr(to->url, "://");
	struct token_source source = {.connect_to = to->connect_to,
				      .certificate = to->certificate,
				      .client_id = credential->client_id,
				      .client_secret = credential->secret};
	char url[URL_MAX];
	size_t n;

	if (!authority)
		return ctl_fail(CTL_USAGE, "'%s' is not a URL", to->url);
	n = (size_t)(authority - to->url) + 3;
	n += strcspn(to->url + n, "/?#");
	if (snprintf(url, sizeof(url), "%.*s" CONFIG_TOKEN_PATH, (int)n, to->url) >=
	    (int)sizeof(url))
		return ctl_fail(CTL_USAGE, "the URL is too long");
	source.url = url;
	return fetch(&source, access);
}

/* an identity provider's token endpoint */
static enum ctl_exit fetch_foreign(const struct arguments *args, const struct post_target *to,
				   struct access *access)
{
	struct token_source source = {.url = args->token_url,
				      .certificate = to->certificate,
				      .client_id = args->client_id};
	enum ctl_exit code;

	if (!args->token_url || !args->client_id || !args->client_secret_file)
		return ctl_fail(CTL_USAGE, "--token-url, --client-id and --client-secret-file go "
					   "together");
	code = read_line(args->client_secret_file, &access->secret);
	source.client_secret = access->secret;
	return code == CTL_OK ? fetch(&source, access) : code;
}

static enum ctl_exit use_credential(const struct credential_config *credential,
				    struct post_target *to, struct access *access)
{
	switch ((enum credential_type)credential->type) {
	case CREDENTIAL_BASIC:
		to->username = credential->username;
		to->password = credential->secret;
		return CTL_OK;
	case CREDENTIAL_BEARER:
		to->token = credential->secret;
		return CTL_OK;
	case CREDENTIAL_OAUTH_CLIENT:
		return fetch_own(credential, to, access);
	default: /* target_credential() gives no others */
		return CTL_FAILED;
	}
}

enum ctl_exit access_resolve(const struct context *ctx, const struct endpoint_config *endpoint,
			     struct post_target *to, struct access *access)
{
	const struct arguments *args = ctx->args;
	bool is_foreign = args->token_url || args->client_id || args->client_secret_file;
	const struct credential_config *credential = NULL;
	enum ctl_exit code = CTL_OK;
	struct error e = ERROR_INIT;

	if (args->bearer_file && is_foreign)
		return ctl_fail(CTL_USAGE, "--bearer-file and --token-url exclude each other");
	if (!is_foreign && !args->bearer_file)
		credential = target_credential(ctx->config, endpoint, args->credential,
					       clock_now_us(), &e);
	else if (args->credential) /* whose it is, is the identity provider's; but the name */
		credential = target_find_credential(ctx->config, endpoint, args->credential, &e);
	if (e.text[0])
		return ctl_fail(CTL_FAILED, "%s", e.text);
	if (args->bearer_file)
		code = read_line(args->bearer_file, &access->token);
	else if (is_foreign)
		code = fetch_foreign(args, to, access);
	else
		code = use_credential(credential, to, access);
	if (access->token)
		to->token = access->token;
	return code;
}
