/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/request.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/metrics.h"
#include "intake/event.h"
#include "intake/request_head.h"
#include "intake/sender.h"
#include "store/payload.h"

#define BODY_CHUNK 16384 /* bytes: first room for a body of unknown length */

#define CHALLENGE_MAX 9000 /* a line of the configuration fits */
#define WAITS_MAX     4    /* for providers, one after the other */

enum stage {
	AUTHENTICATING, /* a provider may be asked about the credential */
	RECEIVING,      /* the body is kept */
	PASSING,        /* the answer is decided; the body goes by */
	WAITING,        /* handed to the store, suspended */
	DECIDED,        /* the answer can be sent */
};

/* The waiter may be woken before the connection is suspended: whoever comes second resumes it. */
enum auth_wait {
	AUTH_ASKED,
	AUTH_WOKEN,
	AUTH_SUSPENDED,
};

struct request {
	struct exchange exchange;
	struct intake *intake;
	struct gate *gate; /* of the intake */
	struct MHD_Connection *mhd;
	struct connection *connection;
	enum stage stage;
	struct admission admission;
	int64_t received_at; /* us */
	int64_t began_us;    /* clock_monotonic_us() */
	bool must_close;     /* the connection goes with the answer, whatever it is */

	struct auth_waiter waiter;
	_Atomic int auth_wait; /* enum auth_wait */

	char *body;
	size_t n, capacity; /* capacity is reserved in the gate's budget */
	size_t passed;      /* bytes that were not kept */

	struct event event;
	struct payload payload;
	union {
		struct event_op event_op;
		struct quarantine_op quarantine_op;
	};

	enum outcome outcome; /* by the store thread while WAITING, by libmicrohttpd's otherwise */
	int64_t seq;
};

static struct request *request_of(struct exchange *x)
{
	return container_of(x, struct request, exchange);
}

/* outbound thread, or libmicrohttpd's before it has suspended */
static void auth_woken(struct auth_waiter *waiter)
{
	struct request *r = container_of(waiter, struct request, waiter);

	if (atomic_exchange(&r->auth_wait, AUTH_WOKEN) == AUTH_SUSPENDED)
		MHD_resume_connection(r->mhd); /* from here on it is libmicrohttpd's again */
}

static void drop_body(struct request *r)
{
	payload_deinit(&r->payload);
	free(r->body);
	gate_release(r->gate, r->capacity);
	r->body = NULL;
	r->n = r->capacity = 0;
}

static void request_free(struct exchange *x)
{
	struct request *r = request_of(x);

	drop_body(r);
	free(r);
}

/* decide against a request whose body may still come */
static void refuse(struct request *r, enum outcome outcome)
{
	drop_body(r);
	r->outcome = outcome;
	r->stage = PASSING;
}

/* ---- the answer ---- */

static void add_challenges(struct MHD_Response *response, const struct request *r)
{
	const struct credential_set *set = r->admission.endpoint->credentials;

	if (credential_set_offers(set, SCHEME_BASIC))
		exchange_add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
				    "Basic realm=\"riskhookd\", charset=\"UTF-8\"");
	if (!credential_set_offers(set, SCHEME_BEARER))
		return;
	/* RFC 6750 section 3.1: no error code when no credential was sent */
	exchange_add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
			    r->outcome == OUTCOME_NO_CREDENTIAL
				    ? "Bearer realm=\"riskhookd\""
				    : "Bearer realm=\"riskhookd\", error=\"invalid_token\"");
}

/* RFC 6750 section 3.1; a scope holds neither quotes nor backslashes */
static void add_scope_challenge(struct MHD_Response *response, const struct request *r)
{
	const struct admission *a = &r->admission;
	const char *scope = credential_set_scope(a->endpoint->credentials, a->credential);
	struct buf value = BUF_INIT(CHALLENGE_MAX);

	buf_printf(&value, "Bearer realm=\"riskhookd\", error=\"insufficient_scope\", scope=\"%s\"",
		   scope ? scope : "");
	if (buf_error(&value) == 0)
		exchange_add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, value.p);
	buf_deinit(&value);
}

static void add_headers(struct MHD_Response *response, const struct request *r)
{
	const struct outcome_rule *rule = outcome_rule(r->outcome);
	int64_t retry_after_s = rule->retry_after_s;

	exchange_add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			    rule->title ? "application/problem+json" : "application/json");
	if (r->outcome == OUTCOME_THROTTLED)
		retry_after_s = (r->admission.wait_ms + 999) / 1000;
	exchange_add_retry_after(response, retry_after_s);
	if (rule->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		exchange_add_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
	if (rule->status == MHD_HTTP_UNAUTHORIZED)
		add_challenges(response, r);
	if (r->outcome == OUTCOME_INSUFFICIENT_SCOPE)
		add_scope_challenge(response, r);
	if (rule->close || r->must_close || connection_is_ending(r->connection))
		exchange_add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* one line per outcome */
static void log_outcome(const struct request *r)
{
	const struct outcome_rule *rule = outcome_rule(r->outcome);
	const struct admission *a = &r->admission;

	if (!log_wants(rule->level))
		return;
	log_with(rule->level,
		 &(struct log_ids){
			 .seq = r->seq,
			 .event_id = r->seq ? r->event.event_id : SLICE_NULL,
			 .event_type = r->seq ? r->event.event_type : SLICE_NULL,
			 .eval_id = r->seq ? r->event.eval_id : SLICE_NULL,
			 .endpoint = a->endpoint ? slice_of(a->endpoint->config->name) : SLICE_NULL,
			 .credential = slice_of(a->credential),
			 .address = slice_of(a->client.text),
			 .status = (int)rule->status,
		 },
		 "%s%s%s", rule->word, a->reason ? ": " : "", a->reason ? a->reason : "");
}

static void count_outcome(const struct request *r)
{
	const struct admission *a = &r->admission;
	struct tally *tally = a->endpoint ? a->endpoint->tally : r->intake->tally;

	metric_inc(outcome_rule(r->outcome)->metric);
	tally_request(tally, r->outcome, a->credential != NULL, clock_monotonic_us() - r->began_us);
	if (r->outcome == OUTCOME_STORED)
		tally_event(r->event.event_type, r->event.category);
}

static enum MHD_Result send_answer(struct request *r)
{
	const struct outcome_rule *rule = outcome_rule(r->outcome);
	struct buf body = BUF_INIT(ANSWER_MAX);
	struct MHD_Response *response;

	count_outcome(r);
	log_outcome(r);
	sender_note(r->intake, &r->admission, rule->status);
	answer_render(r->outcome, r->seq, r->event.event_id, &body);
	response = exchange_response(&body);
	if (!response)
		return MHD_NO;
	add_headers(response, r);
	return exchange_send(&r->exchange, r->mhd, rule->status, response);
}

/* ---- the store ---- */

static struct provenance provenance_of(const struct request *r)
{
	return (struct provenance){
		.endpoint = slice_of(r->admission.endpoint->config->name),
		.credential = slice_of(r->admission.credential),
		.address = slice_of(r->admission.client.text),
		.received_at = r->received_at,
	};
}

/* store thread, after the commit or its failure */
static void resume_with(struct request *r, enum outcome outcome)
{
	r->outcome = outcome;
	r->stage = DECIDED;
	gate_release_event(r->gate);
	MHD_resume_connection(r->mhd); /* from here on it is libmicrohttpd's again */
}

static void event_committed(struct store_op *op)
{
	static const enum outcome outcomes[] = {
		[EVENT_STORED] = OUTCOME_STORED,
		[EVENT_DUPLICATE] = OUTCOME_DUPLICATE,
		[EVENT_CONFLICT] = OUTCOME_CONFLICT,
	};
	struct request *r = op->arg;

	if (op->result < 0) {
		resume_with(r, OUTCOME_NOT_STORED);
		return;
	}
	r->seq = r->event_op.seq;
	resume_with(r, outcomes[r->event_op.stored]);
}

static void quarantine_committed(struct store_op *op)
{
	struct request *r = op->arg;
	bool not_object = r->quarantine_op.reason == outcome_rule(OUTCOME_NOT_OBJECT)->word;

	if (op->result < 0)
		resume_with(r, OUTCOME_NOT_STORED);
	else
		resume_with(r, not_object ? OUTCOME_NOT_OBJECT : OUTCOME_NOT_JSON);
}

static bool is_wrong_environment(const struct request *r)
{
	const char *expected = r->admission.endpoint->config->environment;
	struct slice given = r->event.environment;

	return expected && !slice_is_empty(given) && !slice_eq_nocase(given, slice_of(expected));
}

static struct store_op *make_event_op(struct request *r)
{
	bool compress = r->intake->config->store.compression == COMPRESSION_ZSTD;

	r->payload = payload_encode(slice_make(r->body, r->n), compress);
	r->event_op = (struct event_op){
		.op = {.kind = STORE_OP_EVENT, .done = event_committed, .arg = r},
		.event = &r->event,
		.body = slice_make(r->body, r->n),
		.payload = &r->payload,
		.from = provenance_of(r),
		.dedup = r->admission.endpoint->config->dedup,
		.wrong_environment = is_wrong_environment(r),
	};
	return &r->event_op.op;
}

static struct store_op *make_quarantine_op(struct request *r, enum outcome outcome)
{
	r->quarantine_op = (struct quarantine_op){
		.op = {.kind = STORE_OP_QUARANTINE, .done = quarantine_committed, .arg = r},
		.body = slice_make(r->body, r->n),
		.from = provenance_of(r),
		.reason = outcome_rule(outcome)->word,
		.body_sha256 = sha256_of(r->body, r->n),
	};
	return &r->quarantine_op.op;
}

static struct store_op *make_op(struct request *r)
{
	switch (event_recognize(slice_make(r->body, r->n), &r->event)) {
	case EVENT_OK:
		return make_event_op(r);
	case EVENT_E_NOT_OBJECT:
		return make_quarantine_op(r, OUTCOME_NOT_OBJECT);
	default:
		return make_quarantine_op(r, OUTCOME_NOT_JSON);
	}
}

/* the body is complete: suspend first, since the commit may be done before submit returns */
static enum MHD_Result hand_to_store(struct request *r)
{
	struct store_op *op;

	if (!gate_reserve_event(r->gate)) {
		r->outcome = OUTCOME_BUSY;
		return send_answer(r);
	}
	op = make_op(r);
	r->stage = WAITING;
	connection_waits(r->connection);
	MHD_suspend_connection(r->mhd);
	if (store_submit(r->intake->store, op) < 0)
		resume_with(r, OUTCOME_STOPPING);
	return MHD_YES;
}

/* ---- the body ---- */

/* room for @n more bytes, within max_body and the shared budget */
static enum outcome make_room(struct request *r, size_t n)
{
	size_t max = (size_t)r->intake->config->server.max_body;
	size_t want = r->n + n, capacity = r->capacity ? r->capacity : BODY_CHUNK;
	char *p;

	if (want > max)
		return OUTCOME_TOO_LARGE;
	if (want <= r->capacity)
		return OUTCOME_NONE;
	while (capacity < want)
		capacity *= 2;
	capacity = MIN_OF(capacity, max);
	if (!gate_reserve(r->gate, capacity - r->capacity))
		return OUTCOME_BUSY;
	p = realloc(r->body, capacity);
	if (!p) {
		gate_release(r->gate, capacity - r->capacity);
		return OUTCOME_NO_MEMORY;
	}
	r->body = p;
	r->capacity = capacity;
	return OUTCOME_NONE;
}

static enum outcome make_room_for_length(struct request *r, uint64_t length)
{
	if (!gate_reserve(r->gate, length))
		return OUTCOME_BUSY;
	r->body = malloc(length);
	if (!r->body) {
		gate_release(r->gate, length);
		return OUTCOME_NO_MEMORY;
	}
	r->capacity = length;
	return OUTCOME_NONE;
}

/* Return: MHD_NO ends the connection: the sender goes on and on with a body that was refused */
static enum MHD_Result take_bytes(struct exchange *x, const char *p, size_t n)
{
	struct request *r = request_of(x);
	enum outcome outcome = OUTCOME_NONE;

	if (r->stage == RECEIVING) {
		outcome = make_room(r, n);
		if (outcome != OUTCOME_NONE)
			refuse(r, outcome);
	}
	if (r->stage == RECEIVING) {
		memcpy(r->body + r->n, p, n);
		r->n += n;
		return MHD_YES;
	}
	r->passed += n;
	return r->passed <= exchange_patience(r->intake) ? MHD_YES : MHD_NO;
}

/* ---- the headers ---- */

/* nothing of the body is read until the provider has spoken */
static enum MHD_Result wait_for_provider(struct request *r)
{
	connection_waits(r->connection);
	MHD_suspend_connection(r->mhd);
	if (atomic_exchange(&r->auth_wait, AUTH_SUSPENDED) == AUTH_WOKEN)
		MHD_resume_connection(r->mhd);
	return MHD_YES;
}

static enum outcome decide(struct request *r, const struct request_head *head)
{
	struct moment now = {.us = clock_now_us(), .ms = clock_monotonic_ms()};
	enum outcome outcome;

	if (r->waiter.n_woken > WAITS_MAX)
		return OUTCOME_PROVIDER_DOWN; /* it says nothing that lasts */
	atomic_store(&r->auth_wait, AUTH_ASKED);
	outcome = intake_decide(r->intake, head, now, &r->waiter, &r->admission);
	if (outcome == OUTCOME_PENDING)
		metric_inc(METRIC_AUTH_WAITS);
	return outcome;
}

/* when the headers are in, and again after each wait for a provider */
static enum MHD_Result admit(struct request *r, const char *url, const char *method)
{
	struct request_head head;
	enum outcome outcome;

	request_head_read(r->mhd, url, method, &head);
	/* RFC 9112 section 6.1: a proxy before us may have seen its end elsewhere */
	r->must_close = head.is_chunked && head.has_length;
	connection_receives(r->connection);
	outcome = decide(r, &head);
	if (outcome == OUTCOME_PENDING)
		return wait_for_provider(r);
	if (outcome == OUTCOME_NONE && head.has_length && head.content_length > 0)
		outcome = make_room_for_length(r, head.content_length);
	if (outcome == OUTCOME_NONE) {
		r->stage = RECEIVING;
		return MHD_YES;
	}
	refuse(r, outcome);
	if (exchange_can_answer_now(r->intake, &head)) {
		r->stage = DECIDED;
		return send_answer(r);
	}
	return MHD_YES;
}

static enum MHD_Result begin(struct exchange *x, const char *url, const char *method)
{
	metric_inc(METRIC_REQUESTS);
	return admit(request_of(x), url, method);
}

static enum MHD_Result complete(struct exchange *x)
{
	struct request *r = request_of(x);

	if (r->stage == AUTHENTICATING) { /* a provider was asked: only a post to an endpoint is */
		r->waiter.n_woken++;
		return admit(r, r->admission.endpoint->config->path, MHD_HTTP_METHOD_POST);
	}
	return r->stage == RECEIVING ? hand_to_store(r) : send_answer(r);
}

static const struct exchange_ops request_ops = {begin, take_bytes, complete, request_free};

struct exchange *request_new(struct intake *in, struct MHD_Connection *mhd)
{
	struct request *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	/* the event's scratch room stays as it is: clearing it would cost more than parsing */
	memset(r, 0, offsetof(struct request, event));
	r->exchange.ops = &request_ops;
	r->intake = in;
	r->gate = in->gate;
	r->mhd = mhd;
	r->payload = PAYLOAD_NULL;
	r->outcome = OUTCOME_NONE;
	r->seq = 0;
	r->event.event_id = SLICE_NULL;
	r->received_at = clock_now_us();
	r->waiter.wake = auth_woken;
	r->began_us = clock_monotonic_us();
	r->connection = exchange_connection(mhd);
	return &r->exchange;
}
