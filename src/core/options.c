/* SPDX-License-Identifier: Apache-2.0 */
#include "core/options.h"

#include "core/config.h"
#include "core/option_types.h"

#define AT(section, member) offsetof(struct section##_config, member)
#define ONLY(type)          (1U << (type))
#define PROVIDED            (ONLY(CREDENTIAL_JWT) | ONLY(CREDENTIAL_INTROSPECTION))

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    1024LL
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)

/* The index is the value of the enum, which for levels begins at 3. */
static const char *const log_levels[] = {"",       "",     "",      "error", "warning",
					 "notice", "info", "debug", NULL};
static const char *const log_formats[] = {"journal", "text", "json", NULL};
static const char *const compressions[] = {"none", "zstd", NULL};
static const char *const dedup_modes[] = {"event", "evaluation", NULL};
static const char *const credential_types[] = {"basic", "bearer",        "oauth_client",
					       "jwt",   "introspection", NULL};
static const char *const jws_algorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
					     "PS512", "ES256", "ES384", "ES512", NULL};
static const char *const handler_types[] = {"exec", "unix", NULL};
static const char *const handler_modes[] = {"event", "worker", NULL};
static const char *const handler_orders[] = {"evaluation", "none", NULL};
static const char *const handler_starts[] = {"new", "all", NULL};
static const char *const categories[] = {"evaluation", "case",    "watchlist",
					 "docv",       "unknown", NULL};

const struct option options[] = {
	/* [server] */
	{"server", "listen", OPTION_ADDRESS, AT(server, listen), "0.0.0.0:8443",
	 .help = "numeric address and port for RiskOS; port 0: the kernel chooses"},
	{"server", "tls_certificate", OPTION_PATH, AT(server, tls_certificate), .reloadable = true,
	 .help = "PEM file with the certificate and its chain"},
	{"server", "tls_private_key", OPTION_PATH, AT(server, tls_private_key), .reloadable = true,
	 .help = "PEM file with the private key"},
	{"server", "tls_priorities", OPTION_STRING, AT(server, tls_priorities),
	 "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", .reloadable = true,
	 .help = "GnuTLS priority string: protocol versions and ciphers"},
	{"server", "tls_client_ca", OPTION_PATH, AT(server, tls_client_ca), .reloadable = true,
	 .help = "PEM file of authorities; clients must show a certificate signed by one of them"},
	{"server", "insecure_http", OPTION_BOOL, AT(server, insecure_http), "no",
	 .help = "plain HTTP; only on a loopback address, behind a proxy that does TLS"},
	{"server", "trusted_proxies", OPTION_PREFIXES, AT(server, trusted_proxies),
	 .reloadable = true, .help = "proxies whose X-Forwarded-For tells the sender's address"},
	{"server", "max_body", OPTION_SIZE, AT(server, max_body), "2MiB", 1 * KIB, 64 * MIB,
	 .reloadable = true, .help = "largest body that is accepted; above it 413"},
	{"server", "request_timeout", OPTION_DURATION, AT(server, request_timeout_ms), "15s", 100,
	 10 * MINUTE, .reloadable = true,
	 .help = "time for one whole request, from its first byte to its last"},
	{"server", "idle_timeout", OPTION_DURATION, AT(server, idle_timeout_ms), "75s", 1 * SECOND,
	 1 * HOUR, .reloadable = true, .help = "time that a connection may be without a request"},
	{"server", "stop_timeout", OPTION_DURATION, AT(server, stop_timeout_ms), "20s", 0,
	 10 * MINUTE, .reloadable = true,
	 .help = "time for handlers to finish when the daemon stops"},
	{"server", "max_connections", OPTION_INTEGER, AT(server, max_connections), "2000", 1,
	 100000, .help = "open connections in total"},
	{"server", "max_connections_per_address", OPTION_INTEGER,
	 AT(server, max_connections_per_address), "200", 1, 100000,
	 .help = "open connections from one address"},
	{"server", "threads", OPTION_INTEGER, AT(server, threads), "0", 0, 64,
	 .help = "threads that serve connections; 0: one for each processor"},
	{"server", "auth_failures_max", OPTION_INTEGER, AT(server, auth_failures_max), "20", 1,
	 1000000, .reloadable = true,
	 .help = "failed credentials of one address within the window before it gets 429"},
	{"server", "auth_failures_window", OPTION_DURATION, AT(server, auth_failures_window_ms),
	 "1m", 1 * SECOND, 1 * DAY, .reloadable = true,
	 .help = "window in which failed credentials are counted"},

	/* [store] */
	{"store", "path", OPTION_PATH, AT(store, path), "/var/lib/riskhookd/events.db",
	 .help = "SQLite database; its folder must be writable"},
	{"store", "max_pending", OPTION_INTEGER, AT(store, max_pending), "10000", 1, 1000000,
	 .help = "events waiting for a commit; above it 503"},
	{"store", "max_pending_bytes", OPTION_SIZE, AT(store, max_pending_bytes), "64MiB", 1 * MIB,
	 4 * GIB, .help = "bodies being received or waiting for a commit; above it 503"},
	{"store", "compression", OPTION_ENUM, AT(store, compression), "zstd", .words = compressions,
	 .help = "form in which bodies are stored"},
	{"store", "quarantine_max", OPTION_INTEGER, AT(store, quarantine_max), "1000", 1, 1000000,
	 .help = "bodies kept that are not one JSON object; the oldest go first"},
	{"store", "min_free", OPTION_SIZE, AT(store, min_free), "256MiB", 0, 1024 * GIB,
	 .help = "free space of the store's disk below which /readyz says no"},
	{"store", "retention", OPTION_DURATION, AT(store, retention_ms), NULL, 1 * SECOND,
	 36500 * DAY, .help = "age at which the contents of events are erased; none: never"},
	{"store", "retention_evaluation", OPTION_DURATION, AT(store, retention_evaluation_ms), NULL,
	 1 * SECOND, 36500 * DAY, .help = "the same for events of category evaluation"},
	{"store", "retention_case", OPTION_DURATION, AT(store, retention_case_ms), NULL, 1 * SECOND,
	 36500 * DAY, .help = "the same for events of category case"},
	{"store", "retention_watchlist", OPTION_DURATION, AT(store, retention_watchlist_ms), NULL,
	 1 * SECOND, 36500 * DAY, .help = "the same for events of category watchlist"},
	{"store", "retention_docv", OPTION_DURATION, AT(store, retention_docv_ms), NULL, 1 * SECOND,
	 36500 * DAY, .help = "the same for events of category docv"},
	{"store", "retention_unknown", OPTION_DURATION, AT(store, retention_unknown_ms), NULL,
	 1 * SECOND, 36500 * DAY, .help = "the same for events of category unknown"},

	/* [admin] */
	{"admin", "socket", OPTION_PATH, AT(admin, socket), "/run/riskhookd/admin.sock",
	 .help = "Unix socket of riskhookctl, mode 0660"},
	{"admin", "listen", OPTION_ADDRESS, AT(admin, listen),
	 .help = "loopback address and port for /healthz, /readyz and /metrics"},

	/* [log] */
	{"log", "level", OPTION_ENUM, AT(log, level), "info", .words = log_levels,
	 .reloadable = true, .help = "least important messages that are logged"},
	{"log", "format", OPTION_ENUM, AT(log, format), "journal", .words = log_formats,
	 .help = "journal: with fields when stderr is the journal, text otherwise"},

	/* [endpoint NAME] */
	{"endpoint", "path", OPTION_URL_PATH, AT(endpoint, path), "/webhooks/riskos",
	 .reloadable = true, .help = "URL path that RiskOS posts to"},
	{"endpoint", "environment", OPTION_STRING, AT(endpoint, environment), .reloadable = true,
	 .help = "RiskOS environment; events of others are stored and flagged, not delivered"},
	{"endpoint", "allow_from", OPTION_PREFIXES, AT(endpoint, allow_from), .reloadable = true,
	 .help = "source addresses that may post; others get 403"},
	{"endpoint", "dedup", OPTION_ENUM, AT(endpoint, dedup), "event", .words = dedup_modes,
	 .reloadable = true,
	 .help = "evaluation: one event of a type per evaluation, whatever its identity"},
	{"endpoint", "silence_alarm", OPTION_DURATION, AT(endpoint, silence_alarm_ms), NULL, 100,
	 30 * DAY, .reloadable = true,
	 .help = "warn in the log when no event has come for so long; none: never"},

	/* [credential NAME] */
	{"credential", "endpoint", OPTION_STRING, AT(credential, endpoint), .required = true,
	 .reloadable = true, .help = "name of the endpoint that accepts it"},
	{"credential", "type", OPTION_ENUM, AT(credential, type), .words = credential_types,
	 .required = true, .reloadable = true, .help = "how the sender proves who it is"},
	{"credential", "username", OPTION_STRING, AT(credential, username),
	 .types = ONLY(CREDENTIAL_BASIC), .reloadable = true, .help = "user name, without a colon"},
	{"credential", "password_file", OPTION_SECRET_PATH, AT(credential, password_file),
	 .types = ONLY(CREDENTIAL_BASIC), .reloadable = true,
	 .help = "file with the password; relative: in $CREDENTIALS_DIRECTORY, then beside the "
		 "configuration"},
	{"credential", "password_hash", OPTION_STRING, AT(credential, password_hash),
	 .types = ONLY(CREDENTIAL_BASIC), .reloadable = true,
	 .help = "scrypt hash of the password, from riskhookctl hash-secret"},
	{"credential", "token_file", OPTION_SECRET_PATH, AT(credential, token_file),
	 .types = ONLY(CREDENTIAL_BEARER), .reloadable = true,
	 .help = "file with the token; relative: in $CREDENTIALS_DIRECTORY, then beside the "
		 "configuration"},
	{"credential", "token_hash", OPTION_STRING, AT(credential, token_hash),
	 .types = ONLY(CREDENTIAL_BEARER), .reloadable = true,
	 .help = "sha256: and the hex digest of the token"},
	{"credential", "client_id", OPTION_STRING, AT(credential, client_id),
	 .types = ONLY(CREDENTIAL_OAUTH_CLIENT) | ONLY(CREDENTIAL_INTROSPECTION),
	 .reloadable = true,
	 .help = "name of the client at our token endpoint, or our name at the provider's"},
	{"credential", "client_secret_file", OPTION_SECRET_PATH, AT(credential, client_secret_file),
	 .types = ONLY(CREDENTIAL_OAUTH_CLIENT) | ONLY(CREDENTIAL_INTROSPECTION),
	 .reloadable = true,
	 .help = "file with the client's secret; relative: in $CREDENTIALS_DIRECTORY, then beside "
		 "the configuration"},
	{"credential", "client_secret_hash", OPTION_STRING, AT(credential, client_secret_hash),
	 .types = ONLY(CREDENTIAL_OAUTH_CLIENT), .reloadable = true,
	 .help = "scrypt hash of the client's secret, from riskhookctl hash-secret"},
	{"credential", "token_ttl", OPTION_DURATION, AT(credential, token_ttl_ms), "1h", 1 * MINUTE,
	 30 * DAY, .types = ONLY(CREDENTIAL_OAUTH_CLIENT), .reloadable = true,
	 .help = "how long a token is accepted"},
	{"credential", "not_before", OPTION_TIME, AT(credential, not_before_us), .reloadable = true,
	 .help = "accepted from this time on"},
	{"credential", "not_after", OPTION_TIME, AT(credential, not_after_us), .reloadable = true,
	 .help = "accepted until this time"},
	{"credential", "lenient", OPTION_BOOL, AT(credential, lenient), "no",
	 .types = ONLY(CREDENTIAL_BEARER) | PROVIDED, .reloadable = true,
	 .help = "accept the bare token, without 'Bearer', too"},
	{"credential", "issuer", OPTION_STRING, AT(credential, issuer), .types = PROVIDED,
	 .reloadable = true, .help = "'iss' of the tokens, character by character"},
	{"credential", "audience", OPTION_STRING, AT(credential, audience), .types = PROVIDED,
	 .reloadable = true, .help = "what 'aud' of the tokens must be or hold"},
	{"credential", "jwks_uri", OPTION_STRING, AT(credential, jwks_uri),
	 .types = ONLY(CREDENTIAL_JWT), .reloadable = true,
	 .help = "https URL of the provider's public keys (JWK Set)"},
	{"credential", "jwks_file", OPTION_PATH, AT(credential, jwks_file),
	 .types = ONLY(CREDENTIAL_JWT), .reloadable = true,
	 .help = "file with the provider's public keys, instead of the URL"},
	{"credential", "algorithms", OPTION_WORDS, AT(credential, algorithms),
	 .words = jws_algorithms, .types = ONLY(CREDENTIAL_JWT), .reloadable = true,
	 .help = "signatures that are accepted; none given: RS256, PS256, ES256"},
	{"credential", "required_scope", OPTION_STRING, AT(credential, required_scope),
	 .types = PROVIDED, .reloadable = true,
	 .help = "scopes that a token must have, separated by blanks; without them 403"},
	{"credential", "leeway", OPTION_DURATION, AT(credential, leeway_ms), "60s", 0, 5 * MINUTE,
	 .types = PROVIDED, .reloadable = true,
	 .help = "how far the provider's clock may be from ours"},
	{"credential", "jwks_refresh", OPTION_DURATION, AT(credential, jwks_refresh_ms), "15m",
	 1 * MINUTE, 1 * DAY, .types = ONLY(CREDENTIAL_JWT), .reloadable = true,
	 .help = "age at which keys are read again when the provider does not say"},
	{"credential", "jwks_refresh_min", OPTION_DURATION, AT(credential, jwks_refresh_min_ms),
	 "30s", 1 * SECOND, 1 * HOUR, .types = ONLY(CREDENTIAL_JWT), .reloadable = true,
	 .help = "shortest time between two readings because of an unknown key"},
	{"credential", "jwks_stale_for", OPTION_DURATION, AT(credential, jwks_stale_for_ms), "24h",
	 0, 30 * DAY, .types = ONLY(CREDENTIAL_JWT), .reloadable = true,
	 .help = "how long keys are used beyond their age while the provider is down"},
	{"credential", "introspection_uri", OPTION_STRING, AT(credential, introspection_uri),
	 .types = ONLY(CREDENTIAL_INTROSPECTION), .reloadable = true,
	 .help = "https URL that says whether a token is active (RFC 7662)"},
	{"credential", "introspection_cache", OPTION_DURATION,
	 AT(credential, introspection_cache_ms), "60s", 1 * SECOND, 1 * HOUR,
	 .types = ONLY(CREDENTIAL_INTROSPECTION), .reloadable = true,
	 .help = "how long the answer about a good token is used, at most"},
	{"credential", "provider_ca", OPTION_PATH, AT(credential, provider_ca), .types = PROVIDED,
	 .reloadable = true,
	 .help = "PEM file with whom to trust instead of the system's authorities"},
	{"credential", "provider_timeout", OPTION_DURATION, AT(credential, provider_timeout_ms),
	 "5s", 100, 30 * SECOND, .types = PROVIDED, .reloadable = true,
	 .help = "time for the provider to answer; then requests that wait get 503"},

	/* [handler NAME] */
	{"handler", "type", OPTION_ENUM, AT(handler, type), .words = handler_types,
	 .required = true, .reloadable = true,
	 .help = "exec: a program for each event; unix: a connection to a socket"},
	{"handler", "command", OPTION_COMMAND, AT(handler, command), .types = ONLY(HANDLER_EXEC),
	 .reloadable = true, .help = "program and arguments, split without a shell"},
	{"handler", "socket", OPTION_PATH, AT(handler, socket), .types = ONLY(HANDLER_UNIX),
	 .reloadable = true, .help = "Unix socket that the consumer listens on"},
	{"handler", "env", OPTION_LINES, AT(handler, env), .types = ONLY(HANDLER_EXEC),
	 .reloadable = true, .help = "NAME=value for the program's environment; once for each"},
	{"handler", "events", OPTION_WORDS, AT(handler, events), .reloadable = true,
	 .help = "canonical event types that it gets; none: all"},
	{"handler", "category", OPTION_WORDS, AT(handler, category), .words = categories,
	 .reloadable = true, .help = "categories that it gets; none: all"},
	{"handler", "decision", OPTION_WORDS, AT(handler, decision), .reloadable = true,
	 .help = "decisions that it gets; none: all"},
	{"handler", "workflow", OPTION_WORDS, AT(handler, workflow), .reloadable = true,
	 .help = "workflows that it gets; none: all"},
	{"handler", "environment", OPTION_WORDS, AT(handler, environment), .reloadable = true,
	 .help = "environments that it gets; none: all"},
	{"handler", "endpoint", OPTION_WORDS, AT(handler, endpoint), .reloadable = true,
	 .help = "endpoints whose events it gets; none: all"},
	{"handler", "test_events", OPTION_BOOL, AT(handler, test_events), "no", .reloadable = true,
	 .help = "deliver the Dashboard's test events, too"},
	{"handler", "timeout", OPTION_DURATION, AT(handler, timeout_ms), "30s", 100, 24 * HOUR,
	 .reloadable = true, .help = "time for one attempt"},
	{"handler", "concurrency", OPTION_INTEGER, AT(handler, concurrency), NULL, 1, 256,
	 .reloadable = true,
	 .help = "programs at once (4, with mode = worker 1, when not given) or connections (1)"},
	{"handler", "window", OPTION_INTEGER, AT(handler, window), "64", 1, 4096,
	 .reloadable = true, .help = "unanswered deliveries on one connection or worker"},
	{"handler", "mode", OPTION_ENUM, AT(handler, mode), "event", .words = handler_modes,
	 .types = ONLY(HANDLER_EXEC), .reloadable = true,
	 .help = "worker: the program is kept running and gets a line for each event"},
	{"handler", "log_stderr", OPTION_BOOL, AT(handler, log_stderr), "yes",
	 .types = ONLY(HANDLER_EXEC), .reloadable = true,
	 .help = "with mode = worker: its standard error goes to the log, a bounded part of it"},
	{"handler", "filter", OPTION_STRING, AT(handler, filter), .reloadable = true,
	 .help = "jq program over the event; the handler gets those for which it yields true"},
	{"handler", "transform", OPTION_STRING, AT(handler, transform), .reloadable = true,
	 .help = "jq program whose first output the handler gets instead of the event"},
	{"handler", "nice", OPTION_INTEGER, AT(handler, nice), "5", 0, 19,
	 .types = ONLY(HANDLER_EXEC), .reloadable = true,
	 .help = "nice value of the program: how much of the processor it leaves to the intake"},
	{"handler", "user", OPTION_STRING, AT(handler, user), .types = ONLY(HANDLER_EXEC),
	 .reloadable = true,
	 .help = "whose rights the program has; only when riskhookd runs as root"},
	{"handler", "limit_cpu", OPTION_DURATION, AT(handler, limit_cpu_ms), NULL, 1 * SECOND,
	 24 * HOUR, .types = ONLY(HANDLER_EXEC), .reloadable = true,
	 .help = "processor time of the program, in whole seconds"},
	{"handler", "limit_memory", OPTION_SIZE, AT(handler, limit_memory), NULL, 1 * MIB,
	 1024 * GIB, .types = ONLY(HANDLER_EXEC), .reloadable = true,
	 .help = "address space of the program"},
	{"handler", "limit_files", OPTION_INTEGER, AT(handler, limit_files), NULL, 8, 1000000,
	 .types = ONLY(HANDLER_EXEC), .reloadable = true,
	 .help = "descriptors that the program may have open"},
	{"handler", "limit_processes", OPTION_INTEGER, AT(handler, limit_processes), NULL, 1,
	 1000000, .types = ONLY(HANDLER_EXEC), .reloadable = true,
	 .help = "processes and threads that its user may have; needs user"},
	{"handler", "order", OPTION_ENUM, AT(handler, order), "evaluation", .words = handler_orders,
	 .reloadable = true,
	 .help = "evaluation: the events of one evaluation one after the other"},
	{"handler", "start", OPTION_ENUM, AT(handler, start), "new", .words = handler_starts,
	 .reloadable = true, .help = "where a handler begins that was never configured before"},
	{"handler", "retry_initial", OPTION_DURATION, AT(handler, retry_initial_ms), "1s", 10,
	 1 * DAY, .reloadable = true, .help = "longest delay before the first retry; it doubles"},
	{"handler", "retry_max", OPTION_DURATION, AT(handler, retry_max_ms), "10m", 10, 30 * DAY,
	 .reloadable = true, .help = "longest delay before any retry"},
	{"handler", "retry_for", OPTION_DURATION, AT(handler, retry_for_ms), "24h", 0, 365 * DAY,
	 .reloadable = true,
	 .help = "time after the first attempt at which a delivery that fails becomes dead"},
};

const size_t n_options = ARRAY_SIZE(options);

const struct option *option_find(const char *section, const char *name)
{
	for (size_t i = 0; i < n_options; i++)
		if (strcmp(options[i].section, section) == 0 && strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

void options_dump(FILE *out)
{
	for (size_t i = 0; i < n_options; i++) {
		const struct option *o = &options[i];
		struct buf bounds = BUF_INIT(256);

		option_append_bounds(o, &bounds);
		(void)fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o->section, o->name,
			      option_type_name(o), o->fallback ? o->fallback : "-",
			      bounds.n ? bounds.p : "-", o->reloadable ? "yes" : "no",
			      o->help); /* the caller looks at ferror() */
		buf_deinit(&bounds);
	}
}
