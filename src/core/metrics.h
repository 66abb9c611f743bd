/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters
 *
 * Every metric without labels that the daemon counts is one row of METRICS_TABLE: C name,
 * Prometheus name, kind, help. Those with labels are in metric_family.h, those that are asked for
 * when somebody scrapes in admin/survey and admin/senders.
 *
 * Threads: any; relaxed atomics.
 */
#pragma once

#include <stdint.h>

struct buf;

/*     id                       name                                       kind     help */
#define METRICS_TABLE(ROW)                                                                         \
	ROW(REQUESTS, "riskhook_requests_total", counter, "HTTP requests on the intake side")      \
	ROW(EVENTS_STORED, "riskhook_events_stored_total", counter, "events committed")            \
	ROW(EVENTS_DUPLICATE, "riskhook_events_duplicate_total", counter,                          \
	    "posts of an event that was already stored")                                           \
	ROW(EVENTS_CONFLICT, "riskhook_events_conflict_total", counter,                            \
	    "posts of a stored event's key with a different body")                                 \
	ROW(EVENTS_QUARANTINED, "riskhook_events_quarantined_total", counter,                      \
	    "bodies that are not one JSON object")                                                 \
	ROW(AUTH_FAILURES, "riskhook_auth_failures_total", counter,                                \
	    "requests with a missing or wrong credential, or a token without its scope")           \
	ROW(AUTH_THROTTLED, "riskhook_auth_throttled_total", counter,                              \
	    "requests refused for too many failed credentials from their address")                 \
	ROW(TOKENS_ISSUED, "riskhook_tokens_issued_total", counter, "OAuth 2.0 tokens issued")     \
	ROW(TOKENS_REFUSED, "riskhook_tokens_refused_total", counter,                              \
	    "OAuth 2.0 token requests answered 4xx, but for 429")                                  \
	ROW(AUTH_WAITS, "riskhook_auth_waits_total", counter,                                      \
	    "times that a request waited for a provider to vouch for its token")                   \
	ROW(PROVIDER_REQUESTS, "riskhook_provider_requests_total", counter,                        \
	    "requests to identity providers: keys and introspection")                              \
	ROW(PROVIDER_FAILURES, "riskhook_provider_failures_total", counter,                        \
	    "requests to identity providers that failed")                                          \
	ROW(REFUSED, "riskhook_requests_refused_total", counter,                                   \
	    "requests answered 404, 405, 413 or 415, or 403 for their address")                    \
	ROW(UNAVAILABLE, "riskhook_requests_unavailable_total", counter, "requests answered 503")  \
	ROW(TIMEOUTS, "riskhook_requests_timeout_total", counter,                                  \
	    "connections cut off because a request took too long")                                 \
	ROW(CONNECTIONS, "riskhook_connections", gauge, "open connections")                        \
	ROW(PENDING_EVENTS, "riskhook_pending_events", gauge, "events waiting for a commit")       \
	ROW(PENDING_BYTES, "riskhook_pending_bytes", gauge,                                        \
	    "bytes of bodies being received or waiting for a commit")                              \
	ROW(INBOX, "riskhook_store_inbox_operations", gauge,                                       \
	    "operations of all kinds handed to the store and not committed yet")                   \
	ROW(COMMITS, "riskhook_store_commits_total", counter, "transactions committed")            \
	ROW(COMMIT_FAILURES, "riskhook_store_commit_failures_total", counter,                      \
	    "transactions that failed and were rolled back")                                       \
	ROW(EVENTS_ROUTED, "riskhook_events_routed_total", counter,                                \
	    "events matched against the handlers")                                                 \
	ROW(DELIVERIES_CREATED, "riskhook_deliveries_created_total", counter,                      \
	    "deliveries made, by the router or a replay")                                          \
	ROW(DELIVERIES_DONE, "riskhook_deliveries_done_total", counter,                            \
	    "deliveries that a handler has taken")                                                 \
	ROW(DELIVERIES_DEAD, "riskhook_deliveries_dead_total", counter, "deliveries given up")     \
	ROW(ATTEMPTS, "riskhook_attempts_total", counter, "attempts started")                      \
	ROW(ATTEMPTS_FAILED, "riskhook_attempts_failed_total", counter,                            \
	    "attempts that will be repeated")                                                      \
	ROW(WORKER_STARTS, "riskhook_worker_starts_total", counter,                                \
	    "programs started for handlers with mode = worker")                                    \
	ROW(FILTERED, "riskhook_events_filtered_total", counter,                                   \
	    "deliveries not made because a handler's filter did not yield true")                   \
	ROW(FILTER_FAILURES, "riskhook_filter_failures_total", counter,                            \
	    "events on which a handler's filter failed")                                           \
	ROW(TRANSFORM_FAILURES, "riskhook_transform_failures_total", counter,                      \
	    "deliveries given up because a handler's transform failed")

enum metric {
#define ROW(id, name, kind, help) METRIC_##id,
	METRICS_TABLE(ROW)
#undef ROW
		METRIC_COUNT
};

void metric_add(enum metric m, int64_t n);
int64_t metric_value(enum metric m);

static inline void metric_inc(enum metric m)
{
	metric_add(m, 1);
}

/* append all in the Prometheus text format 0.0.4 */
void metrics_render(struct buf *out);
