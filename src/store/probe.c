/* SPDX-License-Identifier: Apache-2.0 */
#include "store/probe.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "store/store.h"
#include "util/thread.h"

#define RECENT_MS 5000
#define WAIT_MS   2000

struct probe {
	struct store *store;
	struct store_op op; /* the store's while is_under_way */

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t done;
	bool is_under_way;
	int result; /* of the last one */
};

struct probe *probe_new(struct store *store)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->store = store;
	(void)pthread_mutex_init(&p->mx, NULL); /* cannot fail with default attributes on Linux */
	cond_init(&p->done);
	return p;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	pthread_cond_destroy(&p->done);
	pthread_mutex_destroy(&p->mx);
	free(p);
}

/* in the store's thread */
static void on_done(struct store_op *op)
{
	struct probe *p = op->arg;

	mutex_lock(&p->mx);
	p->result = op->result;
	p->is_under_way = false;
	pthread_cond_broadcast(&p->done);
	mutex_unlock(&p->mx);
}

static int begin(struct probe *p)
{
	bool is_mine;
	int r;

	mutex_lock(&p->mx);
	is_mine = !p->is_under_way;
	p->is_under_way = true;
	mutex_unlock(&p->mx);
	if (!is_mine)
		return 0;
	p->op = (struct store_op){.kind = STORE_OP_PROBE, .done = on_done, .arg = p};
	r = store_submit(p->store, &p->op);
	if (r < 0) {
		mutex_lock(&p->mx);
		p->is_under_way = false;
		mutex_unlock(&p->mx);
	}
	return r;
}

int probe_ask(struct probe *p)
{
	int64_t until_ms = clock_monotonic_ms() + WAIT_MS;
	bool in_time = true;
	int r;

	if (store_is_healthy(p->store) &&
	    clock_monotonic_ms() - store_committed_at_ms(p->store) < RECENT_MS)
		return 0;
	r = begin(p);
	if (r < 0)
		return r;
	mutex_lock(&p->mx);
	while (p->is_under_way && in_time)
		in_time = cond_wait_until(&p->done, &p->mx, until_ms);
	r = p->is_under_way ? -ETIMEDOUT : p->result;
	mutex_unlock(&p->mx);
	return r;
}
