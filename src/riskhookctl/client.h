/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP to the daemon: its admin socket, and posts as RiskOS makes them
 *
 * libcurl is loaded by the first request (libcurl.h). Certificates are always verified.
 *
 * Threads: one.   Ownership: borrows what it is given until the call ends.
 */
#pragma once

#include "util/buf.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/macros.h"
#include "util/slice.h"

/* after the last request; harmless if there was none */
void client_deinit(void);

/* libcurl's version and what it is built with, for --version; that it is missing, when it is */
const char *client_version(void);

/**
 * client_get_admin() - GET from the daemon's admin socket
 * @socket: path of the Unix socket
 * @path:   URL path, "/v1/status"
 * @answer: the body is appended
 *
 * Return: the HTTP status; -ECONNREFUSED when the daemon does not answer; -EACCES when this user
 * may not ask it; another negative errno.
 */
int client_get_admin(const char *socket, const char *path, struct buf *answer,
		     struct error *e) MUST_USE;

/* the same with a POST of a JSON body */
int client_post_admin(const char *socket, const char *path, struct slice body, struct buf *answer,
		      struct error *e) MUST_USE;

/**
 * client_get() - GET from anybody, as riskhookd asks an identity provider
 * @ca:     PEM file of the authority, or NULL for the system's
 * @answer: the body is appended, up to the buffer's maximum
 *
 * Return: the HTTP status; -ECONNREFUSED when nothing answers there; another negative errno.
 */
int client_get(const char *url, const char *ca, struct buf *answer, struct error *e) MUST_USE;

/* where to fetch an access token, and as whom */
struct token_source {
	const char *url;
	const char *connect_to;  /* as in struct post_target */
	const char *certificate; /* the same */
	const char *client_id, *client_secret;
};

/**
 * client_fetch_token() - ask a token endpoint, by the client-credentials grant of RFC 6749
 * @answer: the body is appended; it holds the token
 *
 * The client authenticates by client_secret_basic, as section 2.3.1 has it.
 *
 * Return: the HTTP status; -ECONNREFUSED when nothing answers there; another negative errno.
 */
int client_fetch_token(const struct token_source *source, struct buf *answer,
		       struct error *e) MUST_USE;

/* where and as whom to post */
struct post_target {
	const char *url;
	const char *connect_to;  /* "HOST:PORT:ADDRESS:PORT" to go to another address, or NULL */
	const char *certificate; /* PEM file that is trusted besides the system's, or NULL */
	const char *username;    /* with password: Basic */
	const char *password;
	const char *token; /* Bearer */
};

struct poster;

/**
 * poster_new() - prepare posts of JSON bodies to one URL, over one kept connection
 * @target: copied
 *
 * Return: the poster; NULL, with @e set, when out of memory or without libcurl.
 */
struct poster *poster_new(const struct post_target *target, struct error *e) MUST_USE;
void poster_free(struct poster *poster);
DEFINE_CLEANUP(struct poster *, poster_free)

/**
 * poster_post() - post one body
 * @answer: the answer's body is appended
 *
 * Return: the HTTP status; -ECONNREFUSED when nothing answers there; -EPROTO when TLS or HTTP
 * failed; another negative errno.
 */
int poster_post(struct poster *poster, struct slice body, struct buf *answer,
		struct error *e) MUST_USE;
