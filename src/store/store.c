/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inbox and the group commit
 *
 * store_submit() appends under the lock; the store thread swaps the whole inbox out and writes it
 * as one transaction. While it waits for the disk the next batch gathers, so batches grow with the
 * load and a lone request waits for nobody.
 */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"
#include "core/metric_family.h"
#include "core/metrics.h"
#include "store/checkpoint.h"
#include "store/db.h"
#include "store/store_file.h"
#include "store/writer.h"
#include "util/thread.h"

#define ROUTED_LAG_MS 100 /* how late the router's mark may be on disk */

/* While many posts come, what can wait goes with them, and gets a sixth of their time; alone it
 * goes when none has come for a while. */
#define PATIENT_SHARE       6
#define PATIENT_MAX_US      5000  /* saved up at the most */
#define PATIENT_DEBT_MAX_US 20000 /* a disk that hangs is not their fault */
#define PATIENT_MS          5     /* more than threads wait for a processor in a flood */
#define MANY                8     /* in one transaction */

struct store {
	/* constant after new */
	store_on_events on_events;
	void *on_events_arg;
	int lock_fd; /* held as long as the store is open: one daemon for one store */
	pthread_t thread;
	bool started;

	/* owned by the store thread once it runs */
	sqlite3 *db;
	struct writer *writer;
	struct checkpointer *checkpointer;
	char failure[128]; /* what SQLite said of the last transaction that failed */
	int64_t taken_seq; /* `routed_seq` when the inbox was taken */
	int64_t moved_seq; /* the one that was written last */
	bool is_move_due;
	bool has_new_events; /* since the inbox was taken */
	int64_t patient_us;  /* what the patient ops may take; below 0: they have taken more */
	int64_t quiet_at_ms; /* from then on they need not wait for company */

	atomic_bool healthy;
	_Atomic int64_t committed_at_ms; /* clock_monotonic_ms() */

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t wanted;
	struct list inbox;
	struct list patient; /* ops that no post's answer waits for */
	bool stopping;
	bool nudged;
	uint64_t rounds;    /* of the thread */
	int64_t routed_seq; /* store_note_routed() */
	int64_t move_at_ms; /* when it is written at the latest; INT64_MAX: there is none */
};

/* The router's mark goes with what may look at it, which events do not, and alone when it is due.
 */
static bool must_move(const struct store *s, const struct list *batch)
{
	if (s->taken_seq <= s->moved_seq)
		return false;
	list_for_each (link, batch) {
		if (list_entry(link, struct store_op, link)->kind != STORE_OP_EVENT)
			return true;
	}
	return s->is_move_due;
}

/* All that is about deliveries, so that it stays in order: who notices that the clock was set back
 * relies on being behind the results that he has saved before. */
static bool is_patient(const struct store_op *op)
{
	static const bool patient[STORE_OP_KINDS] = {
		[STORE_OP_ROUTE] = true,  [STORE_OP_BEGIN] = true,    [STORE_OP_FINISH] = true,
		[STORE_OP_PAUSE] = true,  [STORE_OP_HANDLERS] = true, [STORE_OP_CHANGE] = true,
		[STORE_OP_REPLAY] = true, [STORE_OP_ERASE] = true,
	};

	return patient[op->kind];
}

/* what the @n_others ops before the patient ones have taken, and these */
static void keep_accounts(struct store *s, int64_t n_others, int64_t others_us, int64_t patient_us)
{
	int64_t left_us = s->patient_us + others_us / PATIENT_SHARE - patient_us;

	left_us = MAX_OF(MIN_OF(left_us, PATIENT_MAX_US), -PATIENT_DEBT_MAX_US);
	s->patient_us = n_others == 0 ? PATIENT_MAX_US : left_us;
	if (n_others >= MANY)
		s->quiet_at_ms = clock_monotonic_ms() + PATIENT_MS;
}

/* @moves: the router's mark first; @ret_n: how many were written */
static int write_ops(struct store *s, const struct list *batch, bool moves, int64_t *ret_n)
{
	int64_t began_us = clock_monotonic_us(), patient_from_us = 0, ended_us, n_others = 0;
	int r = 0;

	*ret_n = 0;
	if (moves) {
		r = writer_move_router(s->writer, s->taken_seq);
		++*ret_n;
	}
	list_for_each (link, batch) {
		struct store_op *op = list_entry(link, struct store_op, link);

		if (r < 0)
			break;
		if (!is_patient(op))
			n_others++;
		else if (patient_from_us == 0)
			patient_from_us = clock_monotonic_us();
		r = writer_run(s->writer, op);
		++*ret_n;
	}
	ended_us = clock_monotonic_us();
	if (patient_from_us == 0)
		patient_from_us = ended_us;
	keep_accounts(s, n_others, patient_from_us - began_us, ended_us - patient_from_us);
	return r;
}

/* in one transaction: all or nothing */
static int write_batch(struct store *s, struct list *batch)
{
	int64_t began_us = clock_monotonic_us(), n;
	bool moves = must_move(s, batch);
	int r;

	if (store_file_is_lost(s->db)) {
		(void)snprintf(s->failure, sizeof(s->failure),
			       "its file was deleted, renamed or replaced");
		return -ESTALE;
	}
	r = writer_begin(s->writer);
	if (r < 0)
		return r;
	r = write_ops(s, batch, moves, &n);
	if (r == 0)
		r = writer_commit(s->writer);
	if (r < 0) {
		(void)snprintf(s->failure, sizeof(s->failure), "%s", db_message(s->db));
		(void)writer_rollback(s->writer); /* writer_begin() tries again */
		return r;
	}
	s->moved_seq = moves ? s->taken_seq : s->moved_seq;
	series_observe(series_of(FAMILY_COMMIT_SIZE, NULL, NULL), n);
	series_observe(series_of(FAMILY_COMMIT_DURATION, NULL, NULL),
		       clock_monotonic_us() - began_us);
	atomic_store(&s->committed_at_ms, clock_monotonic_ms());
	return 0;
}

/* tell the operator once when the disk goes away and once when it is back */
static void note_health(struct store *s, int r)
{
	bool healthy = r == 0 || !db_is_outage(r);

	metric_inc(r == 0 ? METRIC_COMMITS : METRIC_COMMIT_FAILURES);
	if (atomic_exchange(&s->healthy, healthy) == healthy)
		return;
	if (healthy)
		log_notice("the store commits again");
	else
		log_error("the store cannot commit: %s (%s); events are answered 503 until it can",
			  error_name(r), s->failure);
}

static bool is_new_event(struct store_op *op)
{
	return op->kind == STORE_OP_EVENT && op->result == 0 &&
	       container_of(op, struct event_op, op)->stored == EVENT_STORED;
}

/* hand every op back. Return: were there new events? */
static bool complete_batch(struct list *batch, int result)
{
	bool any_event = false;
	struct list *link;

	while ((link = list_pop(batch))) {
		struct store_op *op = list_entry(link, struct store_op, link);

		op->result = result;
		any_event |= is_new_event(op);
		metric_add(METRIC_INBOX, -1);
		op->done(op); /* gives the op away */
	}
	return any_event;
}

/* the batch failed, and not for the disk: find the op that is at fault by writing each alone */
static bool commit_one_by_one(struct store *s, struct list *batch)
{
	bool any_event = false;
	struct list *link;

	while ((link = list_pop(batch))) {
		struct list one;
		int r;

		list_init(&one);
		list_append(&one, link);
		r = write_batch(s, &one);
		if (r < 0)
			log_error("an op of kind %d cannot be written: %s (%s)",
				  (int)list_entry(link, struct store_op, link)->kind, error_name(r),
				  s->failure);
		note_health(s, r);
		any_event |= complete_batch(&one, r);
	}
	return any_event;
}

static void commit_batch(struct store *s, struct list *batch)
{
	bool any_event;
	int r;

	r = write_batch(s, batch);
	if (r < 0 && !db_is_outage(r)) {
		any_event = commit_one_by_one(s, batch);
	} else {
		note_health(s, r);
		any_event = complete_batch(batch, r);
	}
	s->has_new_events |= any_event;
	if (any_event && s->on_events)
		s->on_events(s->on_events_arg);
	checkpointer_after_commit(s->checkpointer);
}

/* under mx. New events are soon routed: who waits until then needs no signal. */
static void arm_move(struct store *s)
{
	bool expects = s->has_new_events || s->routed_seq > s->moved_seq;

	if (expects && s->move_at_ms == INT64_MAX)
		s->move_at_ms = clock_monotonic_ms() + ROUTED_LAG_MS;
	s->has_new_events = false;
}

/* under mx */
static void take_move(struct store *s)
{
	s->taken_seq = s->routed_seq;
	s->is_move_due = s->stopping ||
			 (s->move_at_ms != INT64_MAX && clock_monotonic_ms() >= s->move_at_ms);
	if (s->is_move_due)
		s->move_at_ms = INT64_MAX;
}

/* under mx */
static bool may_take_patient(const struct store *s)
{
	if (s->stopping)
		return true;
	if (list_is_empty(&s->patient))
		return false;
	if (!list_is_empty(&s->inbox))
		return s->patient_us > 0;
	return clock_monotonic_ms() >= s->quiet_at_ms;
}

/* under mx. Return: when there is something to do without being woken */
static int64_t next_at_ms(const struct store *s)
{
	return list_is_empty(&s->patient) ? s->move_at_ms : MIN_OF(s->move_at_ms, s->quiet_at_ms);
}

/* Return: false when the store stops and nothing is left. The batch is empty after a nudge, and
 * when the router's mark is due. */
static bool take_inbox(struct store *s, struct list *batch)
{
	bool any, takes_patient, in_time = true;

	mutex_lock(&s->mx);
	arm_move(s);
	while (list_is_empty(&s->inbox) && !may_take_patient(s) && !s->nudged && in_time)
		in_time = cond_wait_until(&s->wanted, &s->mx, next_at_ms(s));
	any = !list_is_empty(&s->inbox) || !list_is_empty(&s->patient) || !s->stopping;
	takes_patient = may_take_patient(s);
	list_splice(batch, &s->inbox);
	if (takes_patient)
		list_splice(batch, &s->patient);
	take_move(s);
	s->nudged = false;
	s->rounds++;
	mutex_unlock(&s->mx);
	return any;
}

static void *store_run(void *arg)
{
	struct store *s = arg;
	struct list batch;
	bool goes_on;

	list_init(&batch);
	do {
		goes_on = take_inbox(s, &batch);
		if (!list_is_empty(&batch) || must_move(s, &batch))
			commit_batch(s, &batch);
	} while (goes_on);
	return NULL;
}

int store_submit(struct store *s, struct store_op *op)
{
	int r = 0;

	mutex_lock(&s->mx);
	if (s->stopping) {
		r = -ESHUTDOWN;
	} else {
		list_append(is_patient(op) ? &s->patient : &s->inbox, &op->link);
		metric_inc(METRIC_INBOX);
		pthread_cond_signal(&s->wanted);
	}
	mutex_unlock(&s->mx);
	return r;
}

void store_note_routed(struct store *s, int64_t seq)
{
	mutex_lock(&s->mx);
	s->routed_seq = MAX_OF(s->routed_seq, seq);
	if (s->move_at_ms == INT64_MAX) { /* it came later than the thread has waited for it */
		s->move_at_ms = clock_monotonic_ms() + ROUTED_LAG_MS;
		pthread_cond_signal(&s->wanted);
	}
	mutex_unlock(&s->mx);
}

uint64_t store_nudge(struct store *s)
{
	uint64_t rounds;

	mutex_lock(&s->mx);
	rounds = s->rounds;
	s->nudged = true;
	pthread_cond_signal(&s->wanted);
	mutex_unlock(&s->mx);
	return rounds;
}

struct waiter {
	pthread_mutex_t mx;
	pthread_cond_t done;
	bool is_done;
};

static void wake_waiter(struct store_op *op)
{
	struct waiter *w = op->arg;

	mutex_lock(&w->mx);
	w->is_done = true;
	pthread_cond_signal(&w->done);
	mutex_unlock(&w->mx);
}

int store_submit_wait(struct store *s, struct store_op *op)
{
	struct waiter w = {.mx = PTHREAD_MUTEX_INITIALIZER};
	int r;

	cond_init(&w.done);
	op->done = wake_waiter;
	op->arg = &w;
	r = store_submit(s, op);
	if (r == 0) {
		mutex_lock(&w.mx);
		while (!w.is_done)
			cond_wait(&w.done, &w.mx);
		mutex_unlock(&w.mx);
		r = op->result;
	}
	pthread_cond_destroy(&w.done);
	return r;
}

bool store_is_healthy(struct store *s)
{
	return atomic_load(&s->healthy);
}

int64_t store_committed_at_ms(struct store *s)
{
	return atomic_load(&s->committed_at_ms);
}

static int open_store(struct store *s, const struct config *config, struct error *e)
{
	const char *path = config->store.path;
	int r;

	r = store_file_lock(path, &s->lock_fd, e);
	if (r == 0)
		r = store_file_open(path, &s->db, e);
	if (r == 0)
		r = writer_new(s->db, config->store.quarantine_max, &s->writer, e);
	if (r < 0)
		return r;
	r = writer_recover(s->writer, clock_now_us());
	if (r < 0)
		return error_set(e, r, "cannot recover '%s': %s%s", path, error_name(r),
				 db_advice(r));
	return checkpointer_new(path, s->db, &s->checkpointer, e);
}

int store_new(const struct config *config, store_on_events on_events, void *arg,
	      struct store **ret_store, struct error *e)
{
	_cleanup_(store_freep)
	struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(e, -ENOMEM, "out of memory");
	s->on_events = on_events;
	s->on_events_arg = arg;
	s->lock_fd = -1;
	s->move_at_ms = INT64_MAX;
	atomic_init(&s->healthy, true);
	atomic_init(&s->committed_at_ms, clock_monotonic_ms());
	(void)pthread_mutex_init(&s->mx, NULL); /* cannot fail with default attributes on Linux */
	cond_init(&s->wanted);
	list_init(&s->inbox);
	list_init(&s->patient);
	r = open_store(s, config, e);
	if (r < 0)
		return r;
	r = thread_start(&s->thread, "store", store_run, s);
	if (r < 0)
		return error_set(e, r, "cannot start the store thread: %s", error_name(r));
	s->started = true;
	*ret_store = steal_ptr(&s);
	return 0;
}

void store_stop(struct store *s)
{
	if (!s->started)
		return;
	mutex_lock(&s->mx);
	s->stopping = true;
	pthread_cond_signal(&s->wanted);
	mutex_unlock(&s->mx);
	thread_join(s->thread);
	s->started = false;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	store_stop(s);
	checkpointer_free(s->checkpointer);
	writer_free(s->writer);
	sqlite3_close_v2(s->db);
	fd_close(s->lock_fd);
	pthread_cond_destroy(&s->wanted);
	pthread_mutex_destroy(&s->mx);
	free(s);
}
