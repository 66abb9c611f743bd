/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/token_request.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/metrics.h"
#include "intake/request_head.h"
#include "intake/token_endpoint.h"
#include "intake/token_params.h"
#include "intake/tokens.h"
#include "store/token_store.h"
#include "util/macros.h"
#include "util/units.h"

#define TOKEN_TEXT_SIZE (BASE64URL_SIZE(TOKEN_BYTES) + 1)

struct token_request {
	struct exchange exchange;
	struct intake *intake;
	struct MHD_Connection *mhd;
	struct connection *connection;
	struct request_head head; /* its slices live as long as the request */
	struct address client_address;
	const struct client *client; /* NULL: not known */
	enum token_outcome outcome;  /* by the store thread while suspended */
	int64_t wait_ms;             /* with TOKEN_THROTTLED */
	bool is_suspended;

	size_t n; /* bytes of the body; beyond the room they are not kept */
	char body[TOKEN_BODY_MAX];
	char token[TOKEN_TEXT_SIZE];
	struct token_op op;
};

static struct token_request *token_request_of(struct exchange *x)
{
	return container_of(x, struct token_request, exchange);
}

/* ---- the answer ---- */

static void log_outcome(const struct token_request *r)
{
	const struct token_rule *rule = token_rule(r->outcome);

	log_with(rule->level,
		 &(struct log_ids){
			 .endpoint = slice_of(r->client ? r->client->endpoint : NULL),
			 .credential = slice_of(r->client ? r->client->credential : NULL),
			 .address = slice_of(r->client_address.text),
			 .status = (int)rule->status,
		 },
		 "%s", rule->word);
}

static void add_headers(struct MHD_Response *response, const struct token_request *r)
{
	const struct token_rule *rule = token_rule(r->outcome);

	exchange_add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	exchange_add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	exchange_add_header(response, MHD_HTTP_HEADER_PRAGMA, "no-cache");
	exchange_add_retry_after(response, r->outcome == TOKEN_THROTTLED ? (r->wait_ms + 999) / 1000
									 : rule->retry_after_s);
	if (rule->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		exchange_add_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
	/* RFC 9110 section 11.6.1 wants a challenge with every 401 */
	if (rule->status == MHD_HTTP_UNAUTHORIZED)
		exchange_add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
				    "Basic realm=\"riskhookd\", charset=\"UTF-8\"");
	if (rule->close || connection_is_ending(r->connection))
		exchange_add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

static enum MHD_Result send_answer(struct token_request *r)
{
	const struct token_rule *rule = token_rule(r->outcome);
	struct buf body = BUF_INIT(TOKEN_ANSWER_MAX);
	struct MHD_Response *response;

	metric_inc(rule->metric);
	log_outcome(r);
	token_render(r->outcome, r->token,
		     r->client ? r->client->token_ttl_ms * US_PER_MS / US_PER_S : 0, &body);
	response = exchange_response(&body);
	if (!response)
		return MHD_NO;
	add_headers(response, r);
	return exchange_send(&r->exchange, r->mhd, rule->status, response);
}

/* ---- the store ---- */

static void resume_with(struct token_request *r, enum token_outcome outcome)
{
	r->outcome = outcome;
	MHD_resume_connection(r->mhd); /* from here on it is libmicrohttpd's again */
}

/* store thread; the token is good from now on, so that it is before its client knows it */
static void token_committed(struct store_op *op)
{
	struct token_request *r = op->arg;
	const struct token *token = &r->op.token;

	if (op->result < 0)
		resume_with(r, TOKEN_NOT_STORED);
	else if (tokens_add(r->intake->gate->tokens, token, token->issued_at) < 0)
		resume_with(r, TOKEN_NO_MEMORY); /* the row will expire unused */
	else
		resume_with(r, TOKEN_ISSUED);
}

static void make_token(struct token_request *r, int64_t now_us)
{
	const struct client *client = r->client;
	unsigned char bytes[TOKEN_BYTES];

	random_bytes(bytes, sizeof(bytes));
	base64url_encode(bytes, sizeof(bytes), r->token);
	secret_wipe(bytes, sizeof(bytes));
	r->op = (struct token_op){
		.op = {.kind = STORE_OP_TOKEN, .done = token_committed, .arg = r},
		.token = {.digest = sha256_of(r->token, strlen(r->token)),
			  .owner = {slice_of(client->endpoint), slice_of(client->credential),
				    slice_of(client->client_id)},
			  .issued_at = now_us,
			  .expires_at = now_us + client->token_ttl_ms * US_PER_MS},
		.address = slice_of(r->client_address.text),
	};
}

/* suspend first, since the commit may be done before submit returns */
static enum MHD_Result issue(struct token_request *r, int64_t now_us)
{
	make_token(r, now_us);
	r->is_suspended = true;
	connection_waits(r->connection);
	MHD_suspend_connection(r->mhd);
	if (store_submit(r->intake->store, &r->op.op) < 0)
		resume_with(r, TOKEN_STOPPING);
	return MHD_YES;
}

/* ---- the request ---- */

static void note_failure(const struct token_request *r)
{
	if (r->outcome != TOKEN_WRONG_CLIENT)
		return;
	metric_inc(METRIC_AUTH_FAILURES);
	throttle_note_failure(r->intake->gate->throttle, &r->client_address, clock_monotonic_ms());
}

static enum MHD_Result complete(struct exchange *x)
{
	struct token_request *r = token_request_of(x);
	int64_t now_us = clock_now_us();
	struct token_post post = {
		.authorization = r->head.authorization,
		.repeated_authorization = r->head.repeated_authorization,
		.content_type = r->head.content_type,
		.is_encoded = r->head.content_encoding.p != NULL,
		.body = slice_make(r->body, MIN_OF(r->n, sizeof(r->body))),
		.from = r->client_address,
	};

	if (r->is_suspended || r->outcome != TOKEN_UNDECIDED)
		return send_answer(r);
	if (r->n > sizeof(r->body)) {
		r->outcome = TOKEN_TOO_LARGE;
		return send_answer(r);
	}
	r->outcome = token_decide(r->intake->clients, &post, now_us, &r->client);
	note_failure(r);
	return r->outcome == TOKEN_ISSUED ? issue(r, now_us) : send_answer(r);
}

static enum MHD_Result take(struct exchange *x, const char *p, size_t n)
{
	struct token_request *r = token_request_of(x);
	size_t room = r->n < sizeof(r->body) ? sizeof(r->body) - r->n : 0;

	if (r->outcome == TOKEN_UNDECIDED)
		memcpy(r->body + (sizeof(r->body) - room), p, MIN_OF(n, room));
	r->n += n;
	return r->n <= exchange_patience(r->intake) ? MHD_YES : MHD_NO;
}

/* what the headers alone decide */
static enum token_outcome decide_early(struct token_request *r)
{
	if (!r->head.is_post)
		return TOKEN_WRONG_METHOD;
	r->wait_ms = throttle_wait_ms(r->intake->gate->throttle, &r->client_address,
				      clock_monotonic_ms());
	if (r->wait_ms > 0)
		return TOKEN_THROTTLED;
	if (r->head.has_length && r->head.content_length > sizeof(r->body))
		return TOKEN_TOO_LARGE;
	if (atomic_load_explicit(&r->intake->gate->stopping, memory_order_relaxed))
		return TOKEN_STOPPING;
	return TOKEN_UNDECIDED;
}

static enum MHD_Result begin(struct exchange *x, const char *url, const char *method)
{
	struct token_request *r = token_request_of(x);
	const struct request_head *head = &r->head;

	request_head_read(r->mhd, url, method, &r->head);
	r->client_address = address_of_client(
		&head->peer, &r->intake->config->server.trusted_proxies, head->forwarded_for);
	connection_receives(r->connection);
	metric_inc(METRIC_REQUESTS);
	r->outcome = decide_early(r);
	if (r->outcome != TOKEN_UNDECIDED && exchange_can_answer_now(r->intake, head))
		return send_answer(r);
	return MHD_YES;
}

static void token_request_free(struct exchange *x)
{
	struct token_request *r = token_request_of(x);

	secret_wipe(r, sizeof(*r));
	free(r);
}

static const struct exchange_ops token_request_ops = {begin, take, complete, token_request_free};

bool token_request_is_for(const struct intake *in, const char *url)
{
	return strcmp(url, CONFIG_TOKEN_PATH) == 0 && clients_any(in->clients);
}

struct exchange *token_request_new(struct intake *in, struct MHD_Connection *mhd)
{
	struct token_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->exchange.ops = &token_request_ops;
	r->intake = in;
	r->mhd = mhd;
	r->connection = exchange_connection(mhd);
	return &r->exchange;
}
