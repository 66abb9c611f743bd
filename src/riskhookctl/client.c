/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/client.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "riskhookctl/libcurl.h"

#define CONNECT_TIMEOUT_S 10L
#define ANSWER_TIMEOUT_S  40L /* RiskOS waits 30 s */

struct poster {
	CURL *curl;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	char reason[CURL_ERROR_SIZE];
};

static const struct libcurl *lib; /* set by easy_new() */

/* libcurl's own check of the value's type, and the call */
#define SETOPT(curl, option, value)                                                                \
	((void)sizeof(curl_easy_setopt(curl, option, value)), lib->easy_setopt(curl, option, value))

static CURL *easy_new(struct error *e)
{
	CURL *curl;

	lib = libcurl_load(e);
	curl = lib ? lib->easy_init() : NULL;
	if (lib && !curl)
		error_set(e, -ENOMEM, "out of memory");
	return curl;
}

void client_deinit(void)
{
	libcurl_deinit();
}

const char *client_version(void)
{
	lib = libcurl_load(NULL);
	return lib ? lib->version() : "no libcurl";
}

static size_t on_data(char *p, size_t size, size_t n, void *arg)
{
	return buf_append(arg, p, size * n) == 0 ? size * n : 0;
}

static int set_text(CURL *curl, CURLoption option, const char *value)
{
	if (!value)
		return 0;
	return SETOPT(curl, option, value) == CURLE_OK ? 0 : -ENOMEM;
}

/* what every request has: no proxy, no redirects, bounded in time, HTTP(S) alone */
static int prepare(CURL *curl, const char *url, char *reason)
{
	reason[0] = '\0';
	(void)SETOPT(curl, CURLOPT_ERRORBUFFER, reason); /* constants cannot fail */
	(void)SETOPT(curl, CURLOPT_NOSIGNAL, 1L);
	(void)SETOPT(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	(void)SETOPT(curl, CURLOPT_TIMEOUT, ANSWER_TIMEOUT_S);
	(void)SETOPT(curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)SETOPT(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (set_text(curl, CURLOPT_URL, url) < 0 || set_text(curl, CURLOPT_NOPROXY, "*") < 0 ||
	    set_text(curl, CURLOPT_PROTOCOLS_STR, "http,https") < 0 ||
	    set_text(curl, CURLOPT_USERAGENT, "riskhookctl/" RISKHOOK_VERSION) < 0)
		return -ENOMEM;
	return 0;
}

static int curl_errno(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
		return -ECONNREFUSED;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EPROTO;
	}
}

static int perform(CURL *curl, const char *reason, struct buf *answer, struct error *e)
{
	CURLcode code;
	long status = 0;

	(void)SETOPT(curl, CURLOPT_WRITEDATA, answer); /* cannot fail */
	code = lib->easy_perform(curl);
	if (code != CURLE_OK)
		return error_set(e, curl_errno(code), "%s",
				 reason[0] ? reason : lib->easy_strerror(code));
	(void)lib->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status); /* 0 when it fails */
	return (int)status;
}

static void set_body(CURL *curl, struct slice body)
{
	(void)SETOPT(curl, CURLOPT_POST, 1L); /* constants cannot fail */
	(void)SETOPT(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
	(void)SETOPT(curl, CURLOPT_POSTFIELDS, body.n ? body.p : "");
}

/* libcurl would speak of localhost, and does not tell why */
static int refused(const char *socket, struct error *e)
{
	if (access(socket, W_OK) < 0 && errno == EACCES)
		return error_set(e, -EACCES,
				 "may not ask the daemon on '%s': %s; root, the user of riskhookd "
				 "and members of the socket's group may",
				 socket, error_name(-EACCES));
	return error_set(e, -ECONNREFUSED,
			 "the daemon does not answer on '%s'; is riskhookd running with this "
			 "configuration?",
			 socket);
}

/* @body: NULL for GET */
static int ask_admin(const char *socket, const char *path, const struct slice *body,
		     struct buf *answer, struct error *e)
{
	char url[256], reason[CURL_ERROR_SIZE];
	CURL *curl = easy_new(e);
	int r;

	if (!curl)
		return -EIO;
	r = snprintf(url, sizeof(url), "http://localhost%s", path);
	r = r < (int)sizeof(url) ? prepare(curl, url, reason) : -EINVAL;
	if (r == 0)
		r = set_text(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	if (r == 0 && body)
		set_body(curl, *body);
	if (r == 0)
		r = perform(curl, reason, answer, e);
	else
		error_set(e, r, "cannot prepare the request: %s", error_name(r));
	lib->easy_cleanup(curl);
	return r == -ECONNREFUSED ? refused(socket, e) : r;
}

int client_get(const char *url, const char *ca, struct buf *answer, struct error *e)
{
	char reason[CURL_ERROR_SIZE];
	CURL *curl = easy_new(e);
	int r;

	if (!curl)
		return -EIO;
	r = prepare(curl, url, reason);
	if (r == 0 && ca)
		r = set_text(curl, CURLOPT_CAINFO, ca);
	if (r == 0)
		r = perform(curl, reason, answer, e);
	else
		error_set(e, r, "cannot prepare the request: %s", error_name(r));
	lib->easy_cleanup(curl);
	return r;
}

int client_get_admin(const char *socket, const char *path, struct buf *answer, struct error *e)
{
	return ask_admin(socket, path, NULL, answer, e);
}

int client_post_admin(const char *socket, const char *path, struct slice body, struct buf *answer,
		      struct error *e)
{
	return ask_admin(socket, path, &body, answer, e);
}

static int add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = lib->slist_append(*list, line);

	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

static int set_credential(CURL *curl, const struct post_target *target)
{
	if (target->token) {
		(void)SETOPT(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER); /* cannot fail */
		return set_text(curl, CURLOPT_XOAUTH2_BEARER, target->token);
	}
	if (!target->username)
		return 0;
	(void)SETOPT(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC); /* cannot fail */
	if (set_text(curl, CURLOPT_USERNAME, target->username) < 0)
		return -ENOMEM;
	return set_text(curl, CURLOPT_PASSWORD, target->password);
}

static int poster_init(struct poster *poster, const struct post_target *target)
{
	if (prepare(poster->curl, target->url, poster->reason) < 0 ||
	    set_text(poster->curl, CURLOPT_CAINFO, target->certificate) < 0 ||
	    set_credential(poster->curl, target) < 0)
		return -ENOMEM;
	/* no "Expect: 100-continue", which RiskOS is not known to send */
	if (add_line(&poster->headers, "Content-Type: application/json") < 0 ||
	    add_line(&poster->headers, "Expect:") < 0 ||
	    (target->connect_to && add_line(&poster->connect_to, target->connect_to) < 0))
		return -ENOMEM;
	(void)SETOPT(poster->curl, CURLOPT_HTTPHEADER, poster->headers);
	(void)SETOPT(poster->curl, CURLOPT_CONNECT_TO, poster->connect_to);
	return 0;
}

struct poster *poster_new(const struct post_target *target, struct error *e)
{
	_cleanup_(poster_freep)
	struct poster *poster = NULL;
	CURL *curl = easy_new(e);

	if (!curl)
		return NULL;
	poster = calloc(1, sizeof(*poster));
	if (!poster) {
		lib->easy_cleanup(curl);
		error_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	poster->curl = curl;
	if (poster_init(poster, target) < 0) {
		error_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	return steal_ptr(&poster);
}

void poster_free(struct poster *poster)
{
	if (!poster)
		return;
	lib->easy_cleanup(poster->curl);
	lib->slist_free_all(poster->headers);
	lib->slist_free_all(poster->connect_to);
	free(poster);
}

int poster_post(struct poster *poster, struct slice body, struct buf *answer, struct error *e)
{
	set_body(poster->curl, body);
	return perform(poster->curl, poster->reason, answer, e);
}

/* form-encoded: percent escapes will do for all that is not plain */
static int set_client(CURL *curl, const struct token_source *source)
{
	char *id = lib->easy_escape(curl, source->client_id, 0);
	char *secret = lib->easy_escape(curl, source->client_secret, 0);
	int r = -ENOMEM;

	(void)SETOPT(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC); /* cannot fail */
	if (id && secret && set_text(curl, CURLOPT_USERNAME, id) == 0)
		r = set_text(curl, CURLOPT_PASSWORD, secret);
	lib->free(id);
	lib->free(secret);
	return r;
}

int client_fetch_token(const struct token_source *source, struct buf *answer, struct error *e)
{
	struct curl_slist *connect_to = NULL;
	char reason[CURL_ERROR_SIZE];
	CURL *curl = easy_new(e);
	int r = -ENOMEM;

	if (!curl)
		return -EIO;
	if (prepare(curl, source->url, reason) == 0 &&
	    set_text(curl, CURLOPT_CAINFO, source->certificate) == 0 &&
	    set_client(curl, source) == 0 &&
	    (!source->connect_to || add_line(&connect_to, source->connect_to) == 0)) {
		(void)SETOPT(curl, CURLOPT_CONNECT_TO, connect_to); /* cannot fail */
		set_body(curl, SLICE("grant_type=client_credentials"));
		r = perform(curl, reason, answer, e);
	} else {
		error_set(e, r, "out of memory");
	}
	lib->easy_cleanup(curl);
	lib->slist_free_all(connect_to);
	return r;
}
