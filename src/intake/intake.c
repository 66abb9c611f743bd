/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/intake.h"

#include <errno.h>
#include <stdlib.h>

#include "core/metrics.h"
#include "util/thread.h"

int intake_new(const struct config *config, struct store *store, struct tokens *tokens,
	       struct intake **ret, struct error *e)
{
	_cleanup_(intake_freep)
	struct intake *in = calloc(1, sizeof(*in));
	int r;

	if (!in)
		return error_set(e, -ENOMEM, "out of memory");
	(void)pthread_mutex_init(&in->mx, NULL); /* cannot fail with default attributes on Linux */
	cond_init(&in->changed);
	in->config = config;
	in->store = store;
	in->tokens = tokens;
	in->endpoints = calloc(config->n_endpoints, sizeof(in->endpoints[0]));
	if (!in->endpoints)
		return error_set(e, -ENOMEM, "out of memory");
	for (; in->n_endpoints < config->n_endpoints; in->n_endpoints++) {
		struct endpoint *endpoint = &in->endpoints[in->n_endpoints];

		endpoint->config = &config->endpoints[in->n_endpoints];
		r = credential_set_new(config, endpoint->config->name, tokens,
				       &endpoint->credentials);
		if (r < 0)
			return error_set(e, r, "cannot set up the credentials of '%s': %s",
					 endpoint->config->name, error_name(r));
	}
	r = clients_new(config, &in->clients);
	if (r < 0)
		return error_set(e, r, "out of memory");
	r = throttle_new(config->server.auth_failures_max, config->server.auth_failures_window_ms,
			 &in->throttle);
	if (r < 0)
		return error_set(e, r, "out of memory");
	*ret = steal_ptr(&in);
	return 0;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	for (size_t i = 0; i < in->n_endpoints; i++)
		credential_set_free(in->endpoints[i].credentials);
	free(in->endpoints);
	clients_free(in->clients);
	throttle_free(in->throttle);
	pthread_cond_destroy(&in->changed);
	pthread_mutex_destroy(&in->mx);
	free(in);
}

void intake_stop(struct intake *in)
{
	atomic_store(&in->stopping, true);
}

void intake_enter(struct intake *in)
{
	mutex_lock(&in->mx);
	in->requests++;
	mutex_unlock(&in->mx);
}

void intake_leave(struct intake *in)
{
	mutex_lock(&in->mx);
	in->requests--;
	if (in->requests == 0)
		pthread_cond_signal(&in->changed);
	mutex_unlock(&in->mx);
}

bool intake_drain(struct intake *in, int64_t deadline_ms)
{
	bool in_time = true, empty;

	mutex_lock(&in->mx);
	while (in->requests > 0 && in_time)
		in_time = cond_wait_until(&in->changed, &in->mx, deadline_ms);
	empty = in->requests == 0;
	mutex_unlock(&in->mx);
	return empty;
}

static const struct endpoint *find_endpoint(const struct intake *in, struct slice path)
{
	for (size_t i = 0; i < in->n_endpoints; i++)
		if (slice_eq_str(path, in->endpoints[i].config->path))
			return &in->endpoints[i];
	return NULL;
}

static bool is_allowed(const struct endpoint *endpoint, const struct address *client)
{
	const struct prefix_list *allowed = &endpoint->config->allow_from;

	return allowed->n == 0 || prefix_list_contains(allowed, client->bytes);
}

/* RFC 9110 section 8.3: type/subtype, parameters behind a semicolon */
static bool is_json_type(struct slice type)
{
	struct slice essence;

	if (slice_is_empty(type))
		return true; /* not said: the body will tell */
	(void)slice_split(&type, ';', &essence);
	essence = slice_trim(essence);
	if (slice_eq_nocase(essence, SLICE("application/json")))
		return true;
	return essence.n > 5 && slice_starts_nocase(essence, SLICE("application/")) &&
	       slice_eq_nocase(slice_make(essence.p + essence.n - 5, 5), SLICE("+json"));
}

static enum outcome check_credential(struct intake *in, const struct request_head *head,
				     int64_t now_us, int64_t now_ms, struct admission *a)
{
	int r;

	a->wait_ms = throttle_wait_ms(in->throttle, &a->client, now_ms);
	if (a->wait_ms > 0)
		return OUTCOME_THROTTLED;
	r = head->repeated_authorization ? AUTH_E_MALFORMED
					 : auth_check(a->endpoint->credentials, head->authorization,
						      now_us, &a->credential);
	switch (r) {
	case AUTH_OK:
		return OUTCOME_NONE;
	case AUTH_E_MISSING:
		return OUTCOME_NO_CREDENTIAL;
	case AUTH_E_MALFORMED:
	case AUTH_E_UNKNOWN:
		throttle_note_failure(in->throttle, &a->client, now_ms);
		return OUTCOME_WRONG_CREDENTIAL;
	case AUTH_E_EXPIRED:
		return OUTCOME_EXPIRED_CREDENTIAL;
	default:
		return OUTCOME_NO_MEMORY;
	}
}

enum outcome intake_decide(struct intake *in, const struct request_head *head, int64_t now_us,
			   int64_t now_ms, struct admission *ret)
{
	enum outcome outcome;

	*ret = (struct admission){
		.endpoint = find_endpoint(in, head->path),
		.client = address_of_client(&head->peer, &in->config->server.trusted_proxies,
					    head->forwarded_for),
	};
	if (!ret->endpoint)
		return OUTCOME_NOT_FOUND;
	if (!head->is_post)
		return OUTCOME_METHOD_NOT_ALLOWED;
	if (!is_allowed(ret->endpoint, &ret->client))
		return OUTCOME_ADDRESS_FORBIDDEN;
	outcome = check_credential(in, head, now_us, now_ms, ret);
	if (outcome != OUTCOME_NONE)
		return outcome;
	if (head->has_length && head->content_length > (uint64_t)in->config->server.max_body)
		return OUTCOME_TOO_LARGE;
	if (!is_json_type(head->content_type) || head->content_encoding.p)
		return OUTCOME_MEDIA_TYPE;
	if (atomic_load_explicit(&in->stopping, memory_order_relaxed))
		return OUTCOME_STOPPING;
	return OUTCOME_NONE;
}

static bool reserve(_Atomic int64_t *counter, int64_t n, int64_t max, enum metric gauge)
{
	if (atomic_fetch_add_explicit(counter, n, memory_order_relaxed) + n > max) {
		atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
		return false;
	}
	metric_add(gauge, n);
	return true;
}

static void release(_Atomic int64_t *counter, int64_t n, enum metric gauge)
{
	atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);
	metric_add(gauge, -n);
}

bool intake_reserve(struct intake *in, size_t n)
{
	return reserve(&in->pending_bytes, (int64_t)n, in->config->store.max_pending_bytes,
		       METRIC_PENDING_BYTES);
}

void intake_release(struct intake *in, size_t n)
{
	release(&in->pending_bytes, (int64_t)n, METRIC_PENDING_BYTES);
}

bool intake_reserve_event(struct intake *in)
{
	return reserve(&in->pending_events, 1, in->config->store.max_pending,
		       METRIC_PENDING_EVENTS);
}

void intake_release_event(struct intake *in)
{
	release(&in->pending_events, 1, METRIC_PENDING_EVENTS);
}
