/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of handlers: a handler without a dispatcher, and attempts without a store
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "dispatch/handler.h"
#include "util/thread.h"

#define LONG_MS 120000 /* a time-out that nothing working reaches */

/* a started handler, and the attempts that it has handed back */
struct bench {
	struct handler_config config;
	struct handler *handler;
	pthread_mutex_t mx;
	pthread_cond_t cond;
	struct list done;
	int n_rooms; /* calls of on_room */
};

static void on_done(struct attempt *attempt, void *arg)
{
	struct bench *b = arg;

	mutex_lock(&b->mx);
	list_append(&b->done, &attempt->link);
	(void)pthread_cond_signal(&b->cond);
	mutex_unlock(&b->mx);
}

static void on_room(void *arg)
{
	struct bench *b = arg;

	mutex_lock(&b->mx);
	b->n_rooms++;
	(void)pthread_cond_signal(&b->cond);
	mutex_unlock(&b->mx);
}

static inline struct attempt *wait_done(struct bench *b)
{
	struct list *link;

	mutex_lock(&b->mx);
	while (list_is_empty(&b->done))
		cond_wait(&b->cond, &b->mx);
	link = list_pop(&b->done);
	mutex_unlock(&b->mx);
	return list_entry(link, struct attempt, link);
}

/* @b->config holds the type and its options; the rest is filled in */
static inline void bench_init(struct bench *b)
{
	static char name[] = "hook";
	const struct handler_callbacks callbacks = {on_done, on_room, b};

	b->config.name = name;
	if (b->config.timeout_ms == 0)
		b->config.timeout_ms = LONG_MS;
	b->mx = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	cond_init(&b->cond);
	list_init(&b->done);
	assert_int_equal(handler_new(&b->config, &callbacks, &b->handler, NULL), 0);
	assert_int_equal(handler_start(b->handler, NULL), 0);
}

static inline void bench_stop(struct bench *b)
{
	handler_stop(b->handler);
	handler_free(b->handler);
}

/* the jobs of these tests are not the store's: their memory is the test's */
static inline struct job a_job(const char *payload, size_t n)
{
	static char handler[] = "hook";
	static char none[] = "";

	return (struct job){
		.delivery = 812,
		.seq = 17,
		.attempt = 3,
		.received_at = 1789201800123000,
		.handler = handler,
		.event_id = none,
		.event_type = none,
		.category = none,
		.eval_id = none,
		.customer_id = none,
		.decision = none,
		.workflow = none,
		.environment = none,
		.endpoint = none,
		.payload = (char *)(uintptr_t)payload, /* only read */
		.payload_n = n,
	};
}

static inline struct attempt an_attempt(struct job *job)
{
	struct attempt attempt = {.job = job};

	attempt_result_init(&attempt.result);
	return attempt;
}
