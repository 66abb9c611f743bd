/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration
 *
 * A `struct config` is one validated snapshot: riskhookd.conf, then conf.d/(star).conf beside it in
 * name order; a later file replaces a single value and adds to a list. options.c holds the one
 * table of every section and option; config.c parses text through libinih and applies the table,
 * config_load.c reads the files, config_check.c checks what concerns several options. Any unknown
 * section or key and any bad value is an error that names file and line.
 *
 * Secrets are read from their files by secret.c (bounded, mode checked) and kept in the snapshot
 * until the credential set has digested them; config_free() wipes them.
 *
 * Threads: built by one thread, read-only from then on; config_ref() and config_free() from any.
 * Ownership: the snapshot owns all it points to, and lives as long as somebody holds it: a reload
 * makes a new one, and what still works with the old one keeps it. All strings are NUL-terminated.
 * Paths are absolute: a relative path counts from the folder of the main configuration file.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/address.h"
#include "core/command.h"
#include "core/log.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/slice.h"

struct buf;

#ifndef CONFIG_DEFAULT_PATH /* make SYSCONFDIR= */
#define CONFIG_DEFAULT_PATH "/etc/riskhookd/riskhookd.conf"
#endif
#define CONFIG_LINE_MAX 8189 /* bytes of a line */
#define CONFIG_NAME_MAX 32   /* bytes of an endpoint's, credential's or handler's name */

/* where an option was given, for messages; file is borrowed from the snapshot */
struct origin {
	const char *file;
	int line;
};

enum dedup_mode {
	DEDUP_EVENT,      /* eval_id, canonical type and identity */
	DEDUP_EVALUATION, /* eval_id and canonical type */
};

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_ZSTD,
};

enum credential_type {
	CREDENTIAL_BASIC,
	CREDENTIAL_BEARER,
	CREDENTIAL_OAUTH_CLIENT, /* tokens of our own token endpoint */
	CREDENTIAL_JWT,
	CREDENTIAL_INTROSPECTION,
};

#define CONFIG_TOKEN_PATH "/oauth/token" /* of the token endpoint; no [endpoint] may have it */

enum handler_type {
	HANDLER_EXEC,
	HANDLER_UNIX,
};

enum handler_mode {
	MODE_EVENT,  /* one run of the program for each attempt */
	MODE_WORKER, /* the program is kept running and speaks the line protocol */
};

enum handler_order {
	ORDER_EVALUATION,
	ORDER_NONE,
};

/* where a handler begins that was never configured before */
enum handler_start {
	START_NEW,
	START_ALL,
};

struct server_config {
	struct listen_address listen;
	char *tls_certificate; /* path, PEM chain */
	char *tls_private_key; /* path, PEM */
	char *tls_priorities;  /* GnuTLS priority string */
	char *tls_client_ca;   /* path, PEM; NULL: clients need no certificate */
	struct tls_origins {
		struct origin certificate, private_key, priorities, client_ca;
	} tls_given;        /* for messages about what the files hold */
	bool insecure_http; /* plain HTTP; only with a loopback listen address */
	struct prefix_list trusted_proxies;
	int64_t max_body; /* bytes */
	int64_t request_timeout_ms;
	int64_t idle_timeout_ms;
	int64_t stop_timeout_ms;
	int64_t max_connections;
	int64_t max_connections_per_address;
	int64_t threads; /* 0: one per processor */
	int64_t auth_failures_max;
	int64_t auth_failures_window_ms;
};

struct store_config {
	char *path;
	int64_t max_pending;       /* events */
	int64_t max_pending_bytes; /* bodies being received or waiting for a commit */
	int compression;           /* enum compression, of payloads */
	int64_t quarantine_max;    /* rows kept; the oldest go first */
	int64_t min_free;          /* bytes of the disk; below it /readyz says no */

	/* age at which contents are erased; 0: never, of a category: as retention_ms */
	int64_t retention_ms;
	int64_t retention_evaluation_ms;
	int64_t retention_case_ms;
	int64_t retention_watchlist_ms;
	int64_t retention_docv_ms;
	int64_t retention_unknown_ms;
};

struct admin_config {
	char *socket;
	struct listen_address listen; /* text NULL: none */
};

struct log_config {
	int level;  /* enum log_level */
	int format; /* enum log_format */
};

struct endpoint_config {
	char *name;
	struct origin origin;
	char *path;                    /* URL path, starts with / */
	char *environment;             /* or NULL: any */
	struct prefix_list allow_from; /* empty: everybody */
	int dedup;                     /* enum dedup_mode */
	int64_t silence_alarm_ms;      /* 0: none */
};

struct credential_config {
	char *name;
	struct origin origin;
	char *endpoint;
	int type; /* enum credential_type */
	char *username;
	char *password_file;      /* as given */
	char *password_hash;      /* "scrypt:..." */
	char *token_file;         /* as given */
	char *token_hash;         /* "sha256:..." */
	char *client_id;          /* oauth_client: the sender's; introspection: ours */
	char *client_secret_file; /* as given */
	char *client_secret_hash; /* "scrypt:..." */
	int64_t token_ttl_ms;
	char *issuer;                  /* jwt: `iss`; introspection: the same, or NULL */
	char *audience;                /* the same for `aud` */
	char *jwks_uri;                /* jwt: https://..., or NULL */
	char *jwks_file;               /* jwt: path, or NULL */
	struct string_list algorithms; /* jwt: names of RFC 7518; empty: the default ones */
	char *required_scope;          /* separated by blanks, or NULL */
	int64_t leeway_ms;             /* between our clock and the provider's */
	int64_t jwks_refresh_ms, jwks_refresh_min_ms, jwks_stale_for_ms;
	char *introspection_uri; /* https://... */
	int64_t introspection_cache_ms;
	char *provider_ca; /* path, or NULL: the system's authorities */
	int64_t provider_timeout_ms;
	char *secret; /* content of the file, without its trailing newline; or NULL */
	size_t secret_n;
	char *secret_path;     /* the file that was read */
	int64_t not_before_us; /* 0: no bound */
	int64_t not_after_us;  /* 0: no bound */
	bool lenient;          /* bearer: a bare token without a scheme is accepted too */
};

struct handler_config {
	char *name;
	struct origin origin;
	int type;                   /* enum handler_type */
	struct string_list command; /* exec: argv; argv[0] absolute, or a plain name for PATH */
	char *socket;               /* unix: path */
	struct string_list env;     /* exec: NAME=value */
	struct string_list
		events; /* canonical types; empty: all. Compared without regard to case */
	struct string_list category, decision, workflow, environment, endpoint; /* the same */
	bool test_events;
	int64_t timeout_ms;
	int64_t concurrency; /* exec: programs at once; unix: connections */
	int64_t window;      /* unix, worker: unanswered deliveries on one connection */
	int mode;            /* exec: enum handler_mode */
	int order;           /* enum handler_order */
	int start;           /* enum handler_start */
	int64_t retry_initial_ms, retry_max_ms, retry_for_ms;
	char *filter, *transform; /* jq programs, or NULL */
	struct origin filter_origin, transform_origin;
	/* exec: limits of one process; 0: none */
	int64_t limit_cpu_ms, limit_memory, limit_files, limit_processes;
	int64_t nice;    /* exec: nice value of the program, at least */
	char *user;      /* exec: whose rights the program has; NULL: the daemon's */
	bool log_stderr; /* exec, worker: its stderr goes to the log */
};

struct config {
	char *path;               /* main file, absolute */
	char *directory;          /* of the main file */
	struct string_list files; /* all that were read, absolute */
	struct server_config server;
	struct store_config store;
	struct admin_config admin;
	struct log_config log;
	struct endpoint_config *endpoints;
	size_t n_endpoints;
	struct credential_config *credentials;
	size_t n_credentials;
	struct handler_config *handlers;
	size_t n_handlers;
	_Atomic int further_owners; /* besides the first */
};

enum config_flags {
	CONFIG_WITH_SECRETS =
		1 << 0, /* read secret files; the daemon, check-config and trigger do */
};

/**
 * config_load() - read and validate
 * @path:       main file
 * @flags:      enum config_flags
 * @ret_config: the snapshot; the caller frees it with config_free()
 * @e:          on failure: "FILE:LINE: what is wrong; what to do"
 *
 * With CONFIG_WITH_SECRETS it also warns in the log (level warning) about what is allowed but odd,
 * such as a short secret, an expired credential, a handler that no event can match, a program that
 * is not there, or an event type that is nearly a documented one.
 *
 * Return: 0, or a negative errno.
 */
int config_load(const char *path, int flags, struct config **ret_config, struct error *e) MUST_USE;

/**
 * config_load_places() - where the store and the daemon's socket are, even if the rest has an error
 * @ret_fault: the first error outside of [store] and [admin], as config_load() would have told it;
 *             its text is empty when there is none
 *
 * For whoever only asks the store or the daemon: they go on working while somebody edits a file.
 * Besides [store] and [admin] only the names of the sections can be relied on when there is a
 * fault. An error in the head of a section is none of these: who knows which section it is?
 *
 * Return: 0, or a negative errno with the sentence in @e.
 */
int config_load_places(const char *path, struct config **ret_config, struct error *ret_fault,
		       struct error *e) MUST_USE;

/* For who only checks: warn in the log of a TLS certificate that has ended or is about to. A daemon
 * that runs does so by itself, once for each end (riskhookd/reminder). */
void config_warn_of_end(const struct config *config, int64_t now_us);

/* one more owner; Return: @c */
struct config *config_ref(struct config *c);
/* one owner less; the last one's call frees it */
void config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_free)

/* forget the secrets: whoever needs one has digested it */
void config_wipe_secrets(struct config *c);

/**
 * handler_config_eq() - do two sections say the same? By the option table, so new options count
 *
 * Where they stand in the files does not matter.
 */
bool handler_config_eq(const struct handler_config *a, const struct handler_config *b);

/* "[server] listen, [store] path": the options that differ and that a reload cannot change;
 * nothing is appended when there is none */
void config_append_fixed(const struct config *a, const struct config *b, struct buf *out);

const struct endpoint_config *config_endpoint(const struct config *c, const char *name);
const struct handler_config *config_handler(const struct config *c, const char *name);
