/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "core/ending.h"
#include "riskhookctl/args.h"
#include "riskhookctl/certificate.h"
#include "riskhookctl/client.h"

#define STATUS_MAX (1024 * 1024)

struct address {
	char host[TARGET_HOST_MAX]; /* numeric, without brackets */
	int port;
};

/* "https://127.0.0.1:40123", "https://[::1]:40123" */
static int parse_origin(const char *url, struct address *ret)
{
	const char *host = strstr(url, "://"), *colon = strrchr(url, ':');
	int64_t port;
	size_t n;

	if (!host || !colon || colon <= host || args_number(colon + 1, &port) < 0 || port > 65535)
		return -EPROTO;
	host += 3;
	n = (size_t)(colon - host);
	if (n > 2 && host[0] == '[') {
		host++;
		n -= 2;
	}
	if (n >= sizeof(ret->host))
		return -EPROTO;
	(void)snprintf(ret->host, sizeof(ret->host), "%.*s", (int)n, host); /* fits */
	ret->port = (int)port;
	return 0;
}

static int ask_daemon(const struct config *config, struct address *ret, struct error *e)
{
	struct buf answer = BUF_INIT(STATUS_MAX);
	json_t *status = NULL;
	const char *url;
	int r;

	r = client_get_admin(config->admin.socket, "/v1/status", &answer, e);
	if (r < 0) {
		buf_deinit(&answer);
		return error_prefix(e, r, "cannot ask the daemon for its port");
	}
	status = answer.p ? json_loadb(answer.p, answer.n, 0, NULL) : NULL;
	url = json_string_value(json_object_get(status, "listen"));
	r = url ? parse_origin(url, ret) : -EPROTO;
	json_decref(status);
	buf_deinit(&answer);
	return r < 0 ? error_set(e, r, "the daemon did not say where it listens") : 0;
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* where to connect to for an address that is listened on */
static const char *reachable(const char *host)
{
	if (strcmp(host, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(host, "::") == 0 ? "::1" : host;
}

static void format_host(char *out, size_t n, const char *host)
{
	bool is_v6 = strchr(host, ':') != NULL;

	(void)snprintf(out, n, is_v6 ? "[%s]" : "%s", host); /* names were bounded before */
}

static int use_tls(const struct config *config, const struct address *address,
		   struct target *target, struct error *e)
{
	struct certificate_facts facts;
	char host[TARGET_HOST_MAX + 2];
	int r;

	r = certificate_read(config->server.tls_certificate, address->host, &facts, e);
	if (r < 0)
		return r;
	target->certificate = config->server.tls_certificate;
	target->self_signed = facts.self_signed;
	(void)snprintf(target->public_host, sizeof(target->public_host), "%s", facts.public_name);
	format_host(host, sizeof(host), address->host);
	if (facts.matches_address || !facts.local_name[0]) {
		(void)snprintf(target->origin, sizeof(target->origin), "https://%s:%d", host,
			       address->port);
		return 0;
	}
	(void)snprintf(target->origin, sizeof(target->origin), "https://%s:%d", facts.local_name,
		       address->port);
	(void)snprintf(target->connect_to, sizeof(target->connect_to), "%s:%d:%s:%d",
		       facts.local_name, address->port, host, address->port);
	return 0;
}

int target_resolve(const struct config *config, struct target *ret, struct error *e)
{
	const struct listen_address *listen = &config->server.listen;
	struct target target = {.is_loopback = is_loopback(listen->host)};
	struct address address = {.port = listen->port};
	char host[TARGET_HOST_MAX + 2];
	int r = 0;

	(void)snprintf(address.host, sizeof(address.host), "%s", listen->host); /* fits */
	if (listen->port == 0)
		r = ask_daemon(config, &address, e);
	if (r < 0)
		return r;
	/* the source may not be the destination of snprintf() */
	if (reachable(address.host) != address.host)
		(void)snprintf(address.host, sizeof(address.host), "%s", reachable(address.host));
	target.port = address.port;
	if (config->server.insecure_http) {
		format_host(host, sizeof(host), address.host);
		(void)snprintf(target.origin, sizeof(target.origin), "http://%s:%d", host,
			       address.port);
	} else {
		r = use_tls(config, &address, &target, e);
	}
	if (r == 0)
		*ret = target;
	return r;
}

const struct endpoint_config *target_endpoint(const struct config *config, const char *name,
					      struct error *e)
{
	const struct endpoint_config *endpoint;

	if (name) {
		endpoint = config_endpoint(config, name);
		if (!endpoint)
			error_set(e, -ENOENT, "no [endpoint %s] in '%s'", name, config->path);
		return endpoint;
	}
	if (config->n_endpoints == 0) {
		error_set(e, -ENOENT, "no [endpoint ...] in '%s'", config->path);
		return NULL;
	}
	return &config->endpoints[0];
}

bool target_is_live(const struct credential_config *credential, int64_t now)
{
	return ending_is_valid(now, credential->not_before_us, credential->not_after_us);
}

bool target_is_own_kind(const struct credential_config *credential)
{
	return credential->type == CREDENTIAL_BASIC || credential->type == CREDENTIAL_BEARER ||
	       credential->type == CREDENTIAL_OAUTH_CLIENT;
}

const struct credential_config *target_find_credential(const struct config *config,
						       const struct endpoint_config *endpoint,
						       const char *name, struct error *e)
{
	for (size_t i = 0; i < config->n_credentials; i++) {
		const struct credential_config *credential = &config->credentials[i];

		if (strcmp(credential->name, name) == 0 &&
		    strcmp(credential->endpoint, endpoint->name) == 0)
			return credential;
	}
	error_set(e, -ENOENT, "endpoint '%s' has no credential '%s'", endpoint->name, name);
	return NULL;
}

/* the one asked for; it may be outside its dates, so that one can see what happens then */
static const struct credential_config *named_credential(const struct config *config,
							const struct endpoint_config *endpoint,
							const char *name, struct error *e)
{
	const struct credential_config *credential =
		target_find_credential(config, endpoint, name, e);

	if (!credential)
		return NULL;
	if (!target_is_own_kind(credential)) {
		error_set(e, -EINVAL,
			  "the tokens of credential '%s' come from your identity provider; say "
			  "with --token-url, --client-id and --client-secret-file, or with "
			  "--bearer-file, how to get one",
			  name);
		return NULL;
	}
	if (credential->secret)
		return credential;
	error_set(e, -EINVAL, "of credential '%s' only the hash is configured; use another one",
		  name);
	return NULL;
}

const struct credential_config *target_credential(const struct config *config,
						  const struct endpoint_config *endpoint,
						  const char *name, int64_t now, struct error *e)
{
	if (name)
		return named_credential(config, endpoint, name, e);
	for (size_t i = 0; i < config->n_credentials; i++) {
		const struct credential_config *credential = &config->credentials[i];

		if (strcmp(credential->endpoint, endpoint->name) == 0 && credential->secret &&
		    target_is_own_kind(credential) && target_is_live(credential, now))
			return credential;
	}
	error_set(e, -ENOENT,
		  "endpoint '%s' has no credential that is valid now and whose secret is in a file",
		  endpoint->name);
	return NULL;
}
