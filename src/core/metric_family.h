/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics with labels
 *
 * Every family is one row of METRIC_FAMILIES: C name, Prometheus name, kind, labels, help. A series
 * is one set of label values of a family; whoever counts often looks it up once and keeps it. A
 * family has at most SERIES_MAX series; what comes later is counted in one whose labels are
 * "other", so that nothing from outside can make it grow.
 *
 * A family of kind `computed` has no series: the admin side works its samples out when it is asked.
 *
 * Adding is one relaxed atomic operation (two for a histogram). At the rates that one machine's
 * disk allows, sharding the cells by thread does not show.
 *
 * Threads: any; looking up a series takes no lock unless it is new.
 * Ownership: series live as long as the process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct series;

#define SERIES_MAX        1024 /* of one family */
#define METRIC_LABELS_MAX 2

/*
 *     id                   name                                       kind
 *     label, label, help
 */
#define METRIC_FAMILIES(ROW)                                                                       \
	ROW(BUILD_INFO, "riskhook_build_info", computed, "version", NULL,                          \
	    "always 1; the version is a label")                                                    \
	ROW(START_TIME, "riskhook_start_time_seconds", computed, NULL, NULL,                       \
	    "when the daemon started, seconds since the epoch")                                    \
	ROW(ENDPOINT_REQUESTS, "riskhook_endpoint_requests_total", counter, "endpoint", "code",    \
	    "requests answered, by endpoint and HTTP status; of no endpoint: (none)")              \
	ROW(ENDPOINT_AUTH, "riskhook_endpoint_auth_total", counter, "endpoint", "outcome",         \
	    "credentials checked: accepted, missing, wrong, expired, insufficient_scope or "       \
	    "throttled")                                                                           \
	ROW(EVENTS, "riskhook_events_total", counter, "type", "category",                          \
	    "events stored, by canonical type (of types that are not known: other) and category")  \
	ROW(ENDPOINT_SILENCE, "riskhook_endpoint_last_event_age_seconds", computed, "endpoint",    \
	    NULL, "seconds since the endpoint's last event came")                                  \
	ROW(ACK_DURATION, "riskhook_ack_duration_seconds", durations, NULL, NULL,                  \
	    "from a request's headers to its 200, body and commit included")                       \
	ROW(COMMIT_SIZE, "riskhook_store_commit_operations", counts, NULL, NULL,                   \
	    "operations in one transaction")                                                       \
	ROW(COMMIT_DURATION, "riskhook_store_commit_duration_seconds", durations, NULL, NULL,      \
	    "time of one transaction, sync to disk included")                                      \
	ROW(EVENTS_ERASED, "riskhook_events_erased_total", counter, NULL, NULL,                    \
	    "events whose contents retention has erased")                                          \
	ROW(STORE_UP, "riskhook_store_up", computed, NULL, NULL, "1 when the store can commit")    \
	ROW(STORE_BYTES, "riskhook_store_database_bytes", computed, NULL, NULL,                    \
	    "size of the database file")                                                           \
	ROW(STORE_WAL_BYTES, "riskhook_store_wal_bytes", computed, NULL, NULL,                     \
	    "size of the write-ahead log file")                                                    \
	ROW(STORE_FREE_BYTES, "riskhook_store_disk_free_bytes", computed, NULL, NULL,              \
	    "space that the daemon may still use on the store's disk")                             \
	ROW(UNROUTED, "riskhook_store_unrouted_events", computed, NULL, NULL,                      \
	    "events that the router has not reached")                                              \
	ROW(HANDLER_DELIVERIES, "riskhook_handler_deliveries_total", counter, "handler",           \
	    "outcome", "deliveries that came to their end: done or dead")                          \
	ROW(HANDLER_ATTEMPTS, "riskhook_handler_attempts_total", counter, "handler", "outcome",    \
	    "attempts that ended, by outcome")                                                     \
	ROW(HANDLER_DURATION, "riskhook_handler_attempt_duration_seconds", durations, "handler",   \
	    NULL, "time from an attempt's beginning to its result")                                \
	ROW(HANDLER_QUEUE, "riskhook_handler_queue_deliveries", computed, "handler", "state",      \
	    "deliveries in the store that are neither done nor dismissed, by state")               \
	ROW(HANDLER_OLDEST, "riskhook_handler_oldest_pending_age_seconds", computed, "handler",    \
	    NULL, "age of the oldest delivery that is pending; 0 without one")

enum metric_family {
#define ROW(id, name, kind, label1, label2, help) FAMILY_##id,
	METRIC_FAMILIES(ROW)
#undef ROW
		FAMILY_COUNT
};

/**
 * series_of() - the series with these label values, made when it is new
 * @value1, @value2: copied; NULL where the family has no such label
 *
 * Return: the series, never NULL: without memory, what is added goes nowhere.
 */
struct series *series_of(enum metric_family family, const char *value1, const char *value2);

/* of a counter or a gauge */
void series_add(struct series *series, int64_t n);
int64_t series_value(const struct series *series);

/* of a histogram; microseconds for `durations` */
void series_observe(struct series *series, int64_t value);

/* all series of a family, in the order in which they were made */
typedef void (*metric_family_visit)(const char *value1, const char *value2, int64_t value,
				    void *arg);
void metric_family_each(enum metric_family family, metric_family_visit visit, void *arg);

/* append every family that is not computed, in the Prometheus text format 0.0.4 */
void metric_families_render(struct buf *out);

/* a computed family: its head, once, then its samples */
void metric_family_head(struct buf *out, enum metric_family family);
void metric_family_sample(struct buf *out, enum metric_family family, const char *value1,
			  const char *value2, double number);
