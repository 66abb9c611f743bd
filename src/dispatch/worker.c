/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "util/thread.h"

struct worker_pool {
	/* constant after new */
	worker_run run;
	void *arg;
	size_t n_threads;

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t cond;
	struct list queue; /* of struct attempt */
	bool is_stopping;

	pthread_t threads[];
};

/* Return: the next attempt; NULL when the pool is stopping and the queue is empty */
static struct attempt *take(struct worker_pool *pool)
{
	struct list *link;

	mutex_lock(&pool->mx);
	while (list_is_empty(&pool->queue) && !pool->is_stopping)
		cond_wait(&pool->cond, &pool->mx);
	link = list_pop(&pool->queue);
	mutex_unlock(&pool->mx);
	return link ? list_entry(link, struct attempt, link) : NULL;
}

static void *worker_main(void *arg)
{
	struct worker_pool *pool = arg;
	struct attempt *attempt;

	while ((attempt = take(pool)) != NULL)
		pool->run(attempt, pool->arg);
	return NULL;
}

int worker_pool_new(const char *name, size_t n_threads, worker_run run, void *arg,
		    struct worker_pool **ret_pool)
{
	struct worker_pool *pool;
	int r;

	pool = calloc(1, sizeof(*pool) + n_threads * sizeof(pool->threads[0]));
	if (!pool)
		return -ENOMEM;
	pool->run = run;
	pool->arg = arg;
	pool->mx = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	cond_init(&pool->cond);
	list_init(&pool->queue);
	while (pool->n_threads < n_threads) {
		r = thread_start(&pool->threads[pool->n_threads], name, worker_main, pool);
		if (r < 0) {
			worker_pool_free(pool);
			return r;
		}
		pool->n_threads++;
	}
	*ret_pool = pool;
	return 0;
}

void worker_pool_submit(struct worker_pool *pool, struct attempt *attempt)
{
	mutex_lock(&pool->mx);
	list_append(&pool->queue, &attempt->link);
	(void)pthread_cond_signal(&pool->cond); /* cannot fail */
	mutex_unlock(&pool->mx);
}

void worker_pool_free(struct worker_pool *pool)
{
	if (!pool)
		return;
	mutex_lock(&pool->mx);
	pool->is_stopping = true;
	(void)pthread_cond_broadcast(&pool->cond); /* cannot fail */
	mutex_unlock(&pool->mx);
	for (size_t i = 0; i < pool->n_threads; i++)
		thread_join(pool->threads[i]);
	(void)pthread_cond_destroy(&pool->cond); /* nobody waits any more */
	(void)pthread_mutex_destroy(&pool->mx);
	free(pool);
}
