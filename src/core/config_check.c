/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a single option cannot know: whether the options of a snapshot agree with each other
 */
#include <errno.h>
#include <sys/un.h>

#include "core/config_parts.h"
#include "core/crypto.h"
#include "core/nearest.h"
#include "util/hex.h"
#include "util/units.h"

#define EXEC_CONCURRENCY  4
#define LINES_CONCURRENCY 1 /* connections, and workers: both have a window */

static bool is_given(const struct section *s, const char *option)
{
	return section_given(s, option).line != 0;
}

/* the type of a credential or handler, as a bit of struct option's `types`; others: every type */
static unsigned type_bit(const struct loader *l, const struct section *s)
{
	if (s->id == SECTION_CREDENTIAL)
		return 1U << l->config->credentials[s->index].type;
	return s->id == SECTION_HANDLER ? 1U << l->config->handlers[s->index].type : ~0U;
}

/* the options that every section of the kind must have */
static int check_required(const struct section *s, struct error *e)
{
	for (size_t i = 0; i < n_options; i++)
		if (options[i].required && !s->given[i].line &&
		    strcmp(options[i].section, section_word(s)) == 0)
			return section_error(s, NULL, e, "'%s' is missing", options[i].name);
	return 0;
}

/* no option that belongs to another type */
static int check_types(const struct loader *l, const struct section *s, struct error *e)
{
	unsigned type = type_bit(l, s);

	for (size_t i = 0; i < n_options; i++)
		if (s->given[i].line && options[i].types && !(options[i].types & type))
			return section_error(s, options[i].name, e,
					     "'%s' has no meaning for this type of %s",
					     options[i].name, section_word(s));
	return 0;
}

static int check_presence(const struct loader *l, const struct section *s, struct error *e)
{
	int r = check_required(s, e);

	return r < 0 ? r : check_types(l, s, e);
}

static int check_server(struct loader *l, const struct section *s, struct error *e)
{
	struct server_config *server = &l->config->server;

	server->tls_given = (struct tls_origins){
		.certificate = section_given(s, "tls_certificate"),
		.private_key = section_given(s, "tls_private_key"),
		.priorities = section_given(s, "tls_priorities"),
		.client_ca = section_given(s, "tls_client_ca"),
	};
	if (server->insecure_http && !listen_address_is_loopback(&server->listen))
		return section_error(s, "insecure_http", e,
				     "'insecure_http' needs a loopback 'listen' such as "
				     "127.0.0.1:8080; it is %s",
				     server->listen.text);
	if (server->insecure_http)
		return 0;
	if (!server->tls_certificate)
		return section_error(s, NULL, e, "'tls_certificate' is missing");
	if (!server->tls_private_key)
		return section_error(s, NULL, e, "'tls_private_key' is missing");
	return 0;
}

static int check_socket_path(const struct section *s, const char *path, struct error *e)
{
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (strlen(path) > max)
		return section_error(s, "socket", e, "'socket' is longer than %zu bytes", max);
	return 0;
}

static int check_admin(struct loader *l, const struct section *s, struct error *e)
{
	const struct admin_config *admin = &l->config->admin;

	if (admin->listen.text && !listen_address_is_loopback(&admin->listen))
		return section_error(s, "listen", e,
				     "'listen' must be a loopback address such as 127.0.0.1:9464; "
				     "it is %s",
				     admin->listen.text);
	return check_socket_path(s, admin->socket, e);
}

static bool has_credential(const struct config *c, const char *endpoint)
{
	for (size_t i = 0; i < c->n_credentials; i++)
		if (strcmp(c->credentials[i].endpoint, endpoint) == 0)
			return true;
	return false;
}

/* it would be unreachable, or its senders' bodies taken for token requests */
static int check_path(const struct endpoint_config *endpoint, const struct section *s,
		      struct error *e)
{
	if (strcmp(endpoint->path, CONFIG_TOKEN_PATH) == 0)
		return section_error(s, "path", e,
				     "'path' is " CONFIG_TOKEN_PATH
				     ", which is the token endpoint's; choose another one");
	return 0;
}

static int check_endpoint(struct loader *l, const struct section *s, struct error *e)
{
	const struct config *c = l->config;
	const struct endpoint_config *endpoint = &c->endpoints[s->index];
	int r = check_path(endpoint, s, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->index; i++)
		if (strcmp(c->endpoints[i].path, endpoint->path) == 0)
			return section_error(s, "path", e,
					     "'path' is %s, which [endpoint %s] has already",
					     endpoint->path, c->endpoints[i].name);
	if (!has_credential(c, endpoint->name))
		return section_error(s, NULL, e,
				     "no credential lets anybody in; add a section [credential "
				     "NAME] with 'endpoint = %s'",
				     endpoint->name);
	return 0;
}

static int fail_unknown_endpoint(const struct config *c, const struct section *s, const char *name,
				 struct error *e)
{
	struct nearest near = NEAREST_INIT(slice_of(name));
	char hint[NEAREST_TEXT_SIZE];

	for (size_t i = 0; i < c->n_endpoints; i++)
		nearest_offer(&near, c->endpoints[i].name);
	return section_error(s, "endpoint", e, "there is no [endpoint %s]%s", name,
			     nearest_text(&near, hint));
}

static int check_basic(const struct credential_config *c, const struct section *s, struct error *e)
{
	if (!c->username)
		return section_error(s, NULL, e, "'username' is missing");
	if (strchr(c->username, ':'))
		return section_error(s, "username", e, "'username' may not contain a colon");
	if (!c->password_file == !c->password_hash)
		return section_error(
			s, NULL, e,
			"exactly one of 'password_file' and 'password_hash' must be given");
	if (c->password_hash && password_hash_check(slice_of(c->password_hash)) < 0)
		return section_error(
			s, "password_hash", e,
			"'password_hash' is not of the form "
			"scrypt:LOG2N:R:P:HEXSALT:HEXDIGEST; make one with: riskhookctl "
			"hash-secret");
	return 0;
}

static bool is_token_hash(struct slice text)
{
	struct slice prefix = SLICE("sha256:");
	struct sha256 digest;

	return slice_starts_nocase(text, prefix) &&
	       hex_decode(slice_make(text.p + prefix.n, text.n - prefix.n), digest.bytes,
			  SHA256_SIZE) == 0;
}

static int check_bearer(const struct credential_config *c, const struct section *s, struct error *e)
{
	if (!c->token_file == !c->token_hash)
		return section_error(s, NULL, e,
				     "exactly one of 'token_file' and 'token_hash' must be given");
	if (c->token_hash && !is_token_hash(slice_of(c->token_hash)))
		return section_error(s, "token_hash", e,
				     "'token_hash' is not sha256: and 64 hexadecimal digits; make "
				     "one with: riskhookctl hash-secret");
	return 0;
}

/* Several secrets of one client are a rotation; but its tokens open one endpoint alone. */
static int check_client_id(const struct config *config, const struct credential_config *c,
			   const struct section *s, struct error *e)
{
	for (size_t i = 0; i < s->index; i++) {
		const struct credential_config *other = &config->credentials[i];

		if (other->type == CREDENTIAL_OAUTH_CLIENT && other->client_id &&
		    strcmp(other->client_id, c->client_id) == 0 &&
		    strcmp(other->endpoint, c->endpoint) != 0)
			return section_error(s, "client_id", e,
					     "'client_id' is that of [credential %s], which is for "
					     "another endpoint; give each endpoint a client of its "
					     "own",
					     other->name);
	}
	return 0;
}

static int check_oauth_client(const struct config *config, const struct credential_config *c,
			      const struct section *s, struct error *e)
{
	if (!c->client_id)
		return section_error(s, NULL, e, "'client_id' is missing");
	if (!c->client_secret_file == !c->client_secret_hash)
		return section_error(
			s, NULL, e,
			"exactly one of 'client_secret_file' and 'client_secret_hash' must be "
			"given");
	if (c->client_secret_hash && password_hash_check(slice_of(c->client_secret_hash)) < 0)
		return section_error(s, "client_secret_hash", e,
				     "'client_secret_hash' is not of the form "
				     "scrypt:LOG2N:R:P:HEXSALT:HEXDIGEST; make one with: "
				     "riskhookctl hash-secret");
	return check_client_id(config, c, s, e);
}

static int check_type(const struct config *config, const struct credential_config *c,
		      const struct section *s, struct error *e)
{
	switch ((enum credential_type)c->type) {
	case CREDENTIAL_BASIC:
		return check_basic(c, s, e);
	case CREDENTIAL_BEARER:
		return check_bearer(c, s, e);
	case CREDENTIAL_OAUTH_CLIENT:
		return check_oauth_client(config, c, s, e);
	case CREDENTIAL_JWT:
		return config_check_jwt(c, s, e);
	case CREDENTIAL_INTROSPECTION:
		return config_check_introspection(c, s, e);
	}
	return -EINVAL;
}

static int check_credential(struct loader *l, const struct section *s, struct error *e)
{
	const struct credential_config *c = &l->config->credentials[s->index];
	int r;

	if (!config_endpoint(l->config, c->endpoint))
		return fail_unknown_endpoint(l->config, s, c->endpoint, e);
	r = check_type(l->config, c, s, e);
	if (r < 0)
		return r;
	if (c->not_before_us && c->not_after_us && c->not_before_us >= c->not_after_us)
		return section_error(s, "not_after", e, "'not_after' is not after 'not_before'");
	return 0;
}

/* NAME=value, where NAME is not one of the daemon's own */
static bool is_environment_line(const char *line)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char more[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	if (strncmp(line, "RISKHOOK_", 9) == 0 || !line[0] || !strchr(letters, line[0]))
		return false;
	return line[strspn(line, more)] == '=';
}

static int check_exec(struct handler_config *h, const struct section *s, struct error *e)
{
	if (!h->command.n)
		return section_error(s, NULL, e, "type exec needs 'command'");
	if (h->limit_processes && !h->user)
		return section_error(s, "limit_processes", e,
				     "'limit_processes' counts all processes of a user, so it "
				     "needs 'user'");
	if (h->command.items[0][0] == '\0')
		return section_error(s, "command", e, "'command' begins with an empty word");
	for (size_t i = 0; i < h->env.n; i++)
		if (!is_environment_line(h->env.items[i]))
			return section_error(s, "env", e,
					     "'env' is not of the form NAME=value, or takes a "
					     "name that begins with RISKHOOK_");
	return 0;
}

static int check_unix(struct handler_config *h, const struct section *s, struct error *e)
{
	if (!h->socket)
		return section_error(s, NULL, e, "type unix needs 'socket'");
	return check_socket_path(s, h->socket, e);
}

static int check_handler(struct loader *l, const struct section *s, struct error *e)
{
	struct handler_config *h = &l->config->handlers[s->index];
	bool is_exec = h->type == HANDLER_EXEC;
	bool is_worker = is_exec && h->mode == MODE_WORKER;
	int r;

	h->filter_origin = section_given(s, "filter");
	h->transform_origin = section_given(s, "transform");
	if (!is_given(s, "concurrency"))
		h->concurrency = is_exec && !is_worker ? EXEC_CONCURRENCY : LINES_CONCURRENCY;
	if (is_exec && !is_worker && is_given(s, "window"))
		return section_error(s, "window", e, "'window' needs 'mode = worker'");
	if (is_exec && !is_worker && is_given(s, "log_stderr"))
		return section_error(s, "log_stderr", e, "'log_stderr' needs 'mode = worker'");
	r = is_exec ? check_exec(h, s, e) : check_unix(h, s, e);
	if (r < 0)
		return r;
	if (h->retry_max_ms < h->retry_initial_ms)
		return section_error(s, is_given(s, "retry_max") ? "retry_max" : "retry_initial", e,
				     "'retry_max' is shorter than 'retry_initial'");
	for (size_t i = 0; i < h->endpoint.n; i++)
		if (!config_endpoint(l->config, h->endpoint.items[i]))
			return fail_unknown_endpoint(l->config, s, h->endpoint.items[i], e);
	return 0;
}

typedef int (*section_check)(struct loader *l, const struct section *s, struct error *e);

static const section_check section_checks[SECTION_IDS] = {
	[SECTION_SERVER] = check_server,     [SECTION_ADMIN] = check_admin,
	[SECTION_ENDPOINT] = check_endpoint, [SECTION_CREDENTIAL] = check_credential,
	[SECTION_HANDLER] = check_handler,
};

int config_check(struct loader *l, struct error *e)
{
	int r = 0;

	/* presence first: the other checks of any section may look at required options of another
	 */
	for (size_t i = 0; r == 0 && i < l->n_sections; i++)
		r = check_presence(l, &l->sections[i], e);
	for (size_t i = 0; r == 0 && i < l->n_sections; i++)
		if (section_checks[l->sections[i].id])
			r = section_checks[l->sections[i].id](l, &l->sections[i], e);
	if (r == 0 && l->config->n_endpoints == 0)
		return error_set(e, -EINVAL,
				 "%s: there is no endpoint; add a section [endpoint NAME]",
				 l->config->path);
	return r;
}
