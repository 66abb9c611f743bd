/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "util/fd.h"
#include "util/thread.h"

#define ROOM   (512 * 1024) /* bytes: a fraction of a second of a flood, with a reader that lags */
#define NAP_MS 5

struct queue {
	char *bytes; /* ROOM */
	size_t n;
};

/* nobody can be told when it fails */
static void write_to_stderr(const char *p, size_t n)
{
	int r = fd_write_all(STDERR_FILENO, p, n);

	(void)r;
}

static struct log_writer {
	pthread_t thread;
	void (*tell_dropped)(int64_t n);
	void (*write)(const char *records, size_t n); /* with the turn */

	/* whoever writes; locked before mx */
	pthread_mutex_t turn;
	struct queue taken; /* under turn */

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t wanted;
	struct queue queue;
	int64_t n_dropped;
	bool is_running;
} writer = {
	.write = write_to_stderr,
	.turn = PTHREAD_MUTEX_INITIALIZER,
	.mx = PTHREAD_MUTEX_INITIALIZER,
};

/* with the turn. Return: how many records were dropped since the last call */
static int64_t write_queued(struct log_writer *w)
{
	struct queue taken;
	int64_t n_dropped;

	mutex_lock(&w->mx);
	taken = w->queue;
	w->queue = w->taken;
	w->queue.n = 0;
	n_dropped = w->n_dropped;
	w->n_dropped = 0;
	mutex_unlock(&w->mx);
	w->taken = taken;
	if (taken.n > 0)
		w->write(taken.bytes, taken.n);
	return n_dropped;
}

/* what is queued, and @record behind it if there is one */
static void write_turn(struct log_writer *w, struct slice record)
{
	int64_t n_dropped;

	mutex_lock(&w->turn);
	n_dropped = write_queued(w);
	if (record.n > 0)
		w->write(record.p, record.n);
	mutex_unlock(&w->turn);
	if (n_dropped > 0)
		w->tell_dropped(n_dropped);
}

static void *run(void *arg)
{
	struct log_writer *w = arg;

	thread_does_not_preempt();
	mutex_lock(&w->mx);
	while (w->is_running) {
		if (w->queue.n == 0) {
			cond_wait(&w->wanted, &w->mx);
			continue;
		}
		/* signalled before its time only by the end */
		(void)cond_wait_until(&w->wanted, &w->mx, clock_monotonic_ms() + NAP_MS);
		mutex_unlock(&w->mx);
		write_turn(w, SLICE_NULL);
		mutex_lock(&w->mx);
	}
	mutex_unlock(&w->mx);
	return NULL;
}

/* with all that whoever logs meanwhile may look at */
static void set_queues(struct log_writer *w, char *queue, char *taken)
{
	mutex_lock(&w->turn);
	mutex_lock(&w->mx);
	free(w->queue.bytes);
	free(w->taken.bytes);
	w->queue = (struct queue){queue, 0};
	w->taken = (struct queue){taken, 0};
	w->is_running = queue && taken;
	mutex_unlock(&w->mx);
	mutex_unlock(&w->turn);
}

void log_writer_to(void (*write)(const char *records, size_t n))
{
	writer.write = write ? write : write_to_stderr;
}

int log_writer_start(void (*tell_dropped)(int64_t n))
{
	struct log_writer *w = &writer;
	char *queue = malloc(ROOM), *taken = malloc(ROOM);
	int r = -ENOMEM;

	w->tell_dropped = tell_dropped; /* of interest once something is queued */
	cond_init(&w->wanted);
	set_queues(w, queue, taken);
	if (queue && taken)
		r = thread_start(&w->thread, "log", run, w);
	if (r < 0) {
		write_turn(w, SLICE_NULL); /* what was queued meanwhile */
		set_queues(w, NULL, NULL);
	}
	return r;
}

void log_writer_stop(void)
{
	struct log_writer *w = &writer;
	bool was_running;

	mutex_lock(&w->mx);
	was_running = w->is_running;
	w->is_running = false;
	if (was_running)
		pthread_cond_signal(&w->wanted);
	mutex_unlock(&w->mx);
	if (!was_running)
		return;
	thread_join(w->thread);
	write_turn(w, SLICE_NULL);
	set_queues(w, NULL, NULL);
	pthread_cond_destroy(&w->wanted);
}

/* Return: false when there is no thread to write it */
static bool enqueue(struct log_writer *w, struct slice record)
{
	bool is_running, is_first;

	mutex_lock(&w->mx);
	is_running = w->is_running;
	is_first = is_running && w->queue.n == 0;
	if (is_running && record.n > ROOM - w->queue.n) {
		w->n_dropped++;
	} else if (is_running) {
		memcpy(w->queue.bytes + w->queue.n, record.p, record.n);
		w->queue.n += record.n;
	}
	if (is_first)
		pthread_cond_signal(&w->wanted);
	mutex_unlock(&w->mx);
	return is_running;
}

void log_writer_put(struct slice record, bool may_wait)
{
	if (!may_wait || !enqueue(&writer, record))
		write_turn(&writer, record);
}
