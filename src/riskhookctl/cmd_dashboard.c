/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dashboard: what to type into the RiskOS Dashboard
 */
#include <inttypes.h>
#include <string.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/options.h"
#include "riskhookctl/daemon.h"
#include "riskhookctl/print.h"
#include "riskhookctl/put.h"
#include "riskhookctl/target.h"

#define LINE_MAX_BYTES (64 * 1024)

struct card {
	const struct target *target;
	const struct endpoint_config *endpoint;
	const struct credential_config *credential;
	const char *host; /* RiskOS posts to it */
	bool is_live;
};

/* for a shell: in single quotes */
static void append_shell(struct buf *out, const char *text)
{
	buf_append_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_append_str(out, "'\\''");
		else
			buf_append_char(out, *text);
	}
	buf_append_char(out, '\'');
}

static void append_option(struct buf *out, const char *option, const char *value)
{
	if (!value || !*value)
		return;
	buf_printf(out, " %s ", option);
	append_shell(out, value);
}

/* an option with a value made of two texts */
static void append_pair(struct buf *out, const char *option, const char *first, const char *second)
{
	struct buf value = BUF_INIT(LINE_MAX_BYTES);

	buf_printf(&value, "%s%s", first, second);
	append_option(out, option, value.p);
	buf_deinit(&value);
}

static void append_connection(struct buf *out, const struct card *card)
{
	buf_append_str(out, "curl -sS -w '\\n' --noproxy '*'");
	append_option(out, "--cacert", card->target->certificate);
	append_option(out, "--connect-to", card->target->connect_to);
}

/* what sets a shell's $token */
static void append_fetch(struct buf *out, const struct card *card)
{
	buf_append_str(out, "token=$(");
	append_connection(out, card);
	buf_append_str(out, " --data grant_type=client_credentials");
	append_pair(out, "--data-urlencode", "client_id=", card->credential->client_id);
	append_pair(out, "--data-urlencode", "client_secret=", card->credential->secret);
	append_pair(out, "--url", card->target->origin, CONFIG_TOKEN_PATH);
	buf_append_str(out, " | sed -n 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/p') && ");
}

/* a line that posts a sample to the local daemon by curl */
static void append_curl(struct buf *out, const struct card *card)
{
	const struct credential_config *credential = card->credential;
	struct buf user = BUF_INIT(LINE_MAX_BYTES);

	if (credential->type == CREDENTIAL_OAUTH_CLIENT)
		append_fetch(out, card);
	buf_append_str(out, "riskhookctl trigger evaluation_completed --print | ");
	append_connection(out, card);
	if (credential->type == CREDENTIAL_BASIC) {
		buf_printf(&user, "%s:", credential->username);
		append_pair(out, "--user", user.p ? user.p : "", credential->secret);
	} else if (credential->type == CREDENTIAL_BEARER) {
		append_pair(out, "--header", "Authorization: Bearer ", credential->secret);
	} else {
		buf_append_str(out, " --header \"Authorization: Bearer $token\"");
	}
	append_option(out, "--header", "Content-Type: application/json");
	buf_append_str(out, " --data-binary @-");
	append_pair(out, "--url", card->target->origin, card->endpoint->path);
	buf_deinit(&user);
}

static void append_url(struct buf *out, const struct card *card, const char *path)
{
	buf_append_str(out, card->target->certificate ? "https://" : "http://");
	buf_append_str(out, card->host);
	if (card->target->port != 443)
		buf_printf(out, ":%d", card->target->port);
	buf_append_str(out, path);
}

struct field {
	const char *name;  /* JSON key */
	const char *label; /* as the Dashboard calls it */
	const char *text;  /* NULL: left out of the text, null in JSON */
};

/* the operator's own texts, to be copied: nothing is escaped */
static void print_fields(const struct field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fields[i].text)
			put(stdout, "  %-16s %s\n", fields[i].label, fields[i].text);
	}
}

static void print_json(const struct card *card, const struct field *fields, size_t n)
{
	struct buf line = BUF_INIT(LINE_MAX_BYTES);

	buf_append_str(&line, "{\"endpoint\":");
	buf_append_json(&line, slice_of(card->endpoint->name));
	buf_append_str(&line, ",\"credential\":");
	buf_append_json(&line, slice_of(card->credential->name));
	buf_printf(&line, ",\"live\":%s", card->is_live ? "true" : "false");
	for (size_t i = 0; i < n; i++) {
		buf_printf(&line, ",\"%s\":", fields[i].name);
		if (fields[i].text)
			buf_append_json(&line, slice_of(fields[i].text));
		else
			buf_append_str(&line, "null");
	}
	buf_append_char(&line, '}');
	(void)print_json_line(stdout, &line); /* main() looks at stdout */
	buf_deinit(&line);
}

/* the Dashboard's name for each type, and ours in JSON */
static const struct kind {
	const char *label, *word;
} kinds[] = {
	[CREDENTIAL_BASIC] = {"Basic", "basic"},
	[CREDENTIAL_BEARER] = {"Bearer token", "bearer"},
	[CREDENTIAL_OAUTH_CLIENT] = {"OAuth 2.0", "oauth_client"},
};

/* an identity provider's tokens: only there is known what to type */
static const char foreign_text[] = "(as your identity provider says)";

static struct kind kind_of(const struct credential_config *credential)
{
	const struct option *type = option_find("credential", "type");

	if (target_is_own_kind(credential))
		return kinds[credential->type];
	return (struct kind){"OAuth 2.0", type->words[credential->type]};
}

/* the value of a field that only some types have */
static const char *when(bool has_it, const char *text)
{
	return has_it ? text : NULL;
}

static void print_card(const struct card *card, bool json)
{
	const struct credential_config *credential = card->credential;
	bool is_basic = credential->type == CREDENTIAL_BASIC;
	bool is_bearer = credential->type == CREDENTIAL_BEARER;
	bool is_client = credential->type == CREDENTIAL_OAUTH_CLIENT;
	bool is_foreign = !target_is_own_kind(credential);
	struct buf url = BUF_INIT(LINE_MAX_BYTES), token_url = BUF_INIT(LINE_MAX_BYTES),
		   curl = BUF_INIT(LINE_MAX_BYTES);
	const char *foreign = json ? NULL : foreign_text;
	const char *secret = credential->secret ? credential->secret
			     : json             ? NULL
						: "(only its hash is configured: cannot be shown)";
	struct kind kind = kind_of(credential);

	append_url(&url, card, card->endpoint->path);
	append_url(&token_url, card, CONFIG_TOKEN_PATH);
	if (credential->secret && !is_foreign)
		append_curl(&curl, card);

	const struct field fields[] = {
		{"url", "URL", url.p},
		{"type", "Authentication", json ? kind.word : kind.label},
		{"username", "Username", when(is_basic, credential->username)},
		{"password", "Password", when(is_basic, secret)},
		{"token", "Token", when(is_bearer, secret)},
		{"client_id", "Client ID",
		 is_client ? credential->client_id : when(is_foreign, foreign)},
		{"client_secret", "Client secret", is_client ? secret : when(is_foreign, foreign)},
		{"token_url", "Token URL", is_client ? token_url.p : when(is_foreign, foreign)},
		{"curl", "Try it with", curl.p},
	};

	if (json) {
		print_json(card, fields, ARRAY_SIZE(fields));
	} else {
		put(stdout, "\nendpoint %s, credential %s%s\n", card->endpoint->name,
		    credential->name,
		    card->is_live ? "" : " (not valid now: not_before, not_after)");
		print_fields(fields, ARRAY_SIZE(fields));
	}
	buf_deinit(&url);
	buf_deinit(&token_url);
	buf_deinit(&curl);
}

static void print_notes(const struct target *target)
{
	if (target->is_loopback)
		put(stdout,
		    "\nnote: riskhookd listens on this machine alone; set [server] listen = "
		    "0.0.0.0:%d\n      (or the address behind your proxy) before RiskOS can "
		    "reach it.\n",
		    target->port);
	if (target->self_signed)
		put(stdout, "\nnote: the certificate is self-signed, which a sender that verifies "
			    "refuses; "
			    "get one\n      from a public CA for the host name in the URL.\n");
}

static const char *choose_host(const struct arguments *args, const struct target *target)
{
	if (args->url_host)
		return args->url_host;
	return target->public_host[0] ? target->public_host : "localhost";
}

enum ctl_exit cmd_dashboard(const struct context *ctx)
{
	const struct config *config = ctx->config;
	struct target target;
	struct error e = ERROR_INIT;
	int64_t now = clock_now_us();
	int r;

	if (args_check_url_host(ctx->args, &e) < 0)
		return ctl_fail(CTL_USAGE, "%s", e.text);
	r = target_resolve(config, &target, &e);
	if (r < 0)
		return daemon_fail(r, &e);
	if (!ctx->args->json)
		put(stdout,
		    "RiskOS Dashboard > Developer Workbench > Webhooks: add one webhook for each "
		    "use\n"
		    "case with one of these.\n");
	for (size_t i = 0; i < config->n_credentials; i++) {
		const struct credential_config *credential = &config->credentials[i];
		struct card card = {
			.target = &target,
			.endpoint = config_endpoint(config, credential->endpoint),
			.credential = credential,
			.host = choose_host(ctx->args, &target),
			.is_live = target_is_live(credential, now),
		};

		if (card.endpoint) /* config_load() has seen to it */
			print_card(&card, ctx->args->json);
	}
	if (!ctx->args->json)
		print_notes(&target);
	return CTL_OK;
}
