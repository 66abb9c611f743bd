/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/dispatcher.h"

#include <errno.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/crypto.h"
#include "core/log.h"
#include "dispatch/reload.h"
#include "dispatch/routing.h"
#include "dispatch/running.h"
#include "dispatch/slot.h"
#include "store/queue.h"
#include "store/reader.h"
#include "util/thread.h"
#include "util/units.h"

#define BEGIN_BATCH      64    /* attempts of one handler in one transaction */
#define STORE_RETRY_MS   1000  /* after the store has failed */
#define TIMER_MAX_MS     60000 /* due times follow the wall clock, which may be set meanwhile */
#define ABORT_GIVE_UP_MS 5000  /* after an abort: how long results that cannot be saved are kept */

struct dispatcher {
	struct store *store; /* constant after new */

	/* owned by the thread that made it */
	struct config *accepted; /* the newest configuration; one owner */
	pthread_t thread;
	bool has_thread;

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t cond;
	bool is_woken;
	bool has_finished; /* the thread */
	uint64_t rounds;
	struct list ended;        /* struct running: the handler is through with it */
	struct list saved;        /* struct running: its finish op was done(), for good or bad */
	int64_t stop_at_ms;       /* begin nothing more; abort then. INT64_MAX: not stopping */
	struct reload_plan *plan; /* of a reload that waits for it to be applied; or NULL */
	pthread_cond_t applied;

	/* owned by the dispatcher thread */
	struct config *config; /* one owner */
	struct list slots;
	struct reader *reader;
	struct list unsaved; /* struct running: its finish op has failed */
	size_t n_unsaved;
	size_t n_under_way;        /* of all slots; with the unsaved ones */
	int64_t next_ms;           /* the next round comes no later */
	int64_t store_retry_at_ms; /* do not ask the store before; 0: it works */
	int64_t give_up_at_ms;     /* INT64_MAX: the handlers were not aborted yet */
};

/* for all slots */
#define for_each_slot(link, d) list_for_each (link, &(d)->slots)

static struct slot *slot_of(struct list *link)
{
	return list_entry(link, struct slot, member);
}

/* --- inbox: what other threads bring --- */

struct inbox {
	struct list ended;
	struct list saved;
	int64_t stop_at_ms;
	struct reload_plan *plan;
};

/* under mx */
static void set_woken(struct dispatcher *d)
{
	d->is_woken = true;
	(void)pthread_cond_signal(&d->cond); /* cannot fail */
}

void dispatcher_wake(struct dispatcher *d)
{
	mutex_lock(&d->mx);
	set_woken(d);
	mutex_unlock(&d->mx);
}

uint64_t dispatcher_nudge(struct dispatcher *d)
{
	uint64_t rounds;

	mutex_lock(&d->mx);
	rounds = d->has_finished ? d->rounds++ : d->rounds;
	set_woken(d);
	mutex_unlock(&d->mx);
	return rounds;
}

/* @list: `ended` or `saved`. In one critical section, because the last attempt that is brought may
 * be all that the dispatcher waits for before it is stopped and freed. */
static void bring(struct dispatcher *d, struct list *list, struct attempt *attempt)
{
	mutex_lock(&d->mx);
	list_append(list, &attempt->link);
	set_woken(d);
	mutex_unlock(&d->mx);
}

/* these two in a handler's thread */
static void on_room(void *arg)
{
	struct slot *slot = arg;

	dispatcher_wake(slot->owner);
}

static void on_ended(struct attempt *attempt, void *arg)
{
	struct slot *slot = arg;

	bring(slot->owner, &slot->owner->ended, attempt);
}

/* in the store's thread */
static void on_saved(struct store_op *op)
{
	struct finish_op *finish = container_of(op, struct finish_op, op);
	struct running *running = container_of(finish, struct running, finish);
	struct slot *slot = running->owner;

	bring(slot->owner, &slot->owner->saved, &running->attempt);
}

/* Return: is it time to stop? */
static bool wait_for_inbox(struct dispatcher *d, struct inbox *inbox)
{
	bool in_time = true;

	list_init(&inbox->ended);
	list_init(&inbox->saved);
	mutex_lock(&d->mx);
	while (!d->is_woken && in_time)
		in_time = cond_wait_until(&d->cond, &d->mx, d->next_ms);
	d->is_woken = false;
	d->rounds++;
	list_splice(&inbox->ended, &d->ended);
	list_splice(&inbox->saved, &d->saved);
	inbox->stop_at_ms = d->stop_at_ms;
	inbox->plan = d->plan;
	mutex_unlock(&d->mx);
	return inbox->stop_at_ms != INT64_MAX;
}

/* --- reload --- */

static void apply_plan(struct dispatcher *d, struct reload_plan *plan)
{
	config_free(d->config);
	d->config = steal_ptr(&plan->config);
	reload_plan_apply(plan, d->config, &d->slots);
	mutex_lock(&d->mx);
	d->plan = NULL;
	(void)pthread_cond_signal(&d->applied); /* cannot fail */
	mutex_unlock(&d->mx);
}

/* --- timers --- */

static void wake_at(struct dispatcher *d, int64_t at_ms)
{
	d->next_ms = MIN_OF(d->next_ms, at_ms);
}

/* @due_at: wall clock, us; INT64_MAX: never */
static void wake_when_due(struct dispatcher *d, int64_t due_at)
{
	int64_t left_ms;

	if (due_at == INT64_MAX)
		return;
	left_ms = (due_at - clock_now_us()) / US_PER_MS + 1;
	wake_at(d, clock_monotonic_ms() + MAX_OF(MIN_OF(left_ms, TIMER_MAX_MS), 0));
}

/* --- a store that fails --- */

static void store_failed(struct dispatcher *d, const char *what, int error)
{
	if (d->store_retry_at_ms == 0)
		log_error("cannot %s: %s; will try again", what, error_name(error));
	d->store_retry_at_ms = clock_monotonic_ms() + STORE_RETRY_MS;
}

/* after a commit */
static void store_worked(struct dispatcher *d)
{
	if (d->store_retry_at_ms != 0)
		log_notice("the store works again, deliveries go on");
	d->store_retry_at_ms = 0;
}

static bool must_spare_store(const struct dispatcher *d)
{
	return clock_monotonic_ms() < d->store_retry_at_ms;
}

/* --- results --- */

static void keep_unsaved(struct dispatcher *d, struct running *running, int error)
{
	store_failed(d, "save the result of an attempt", error);
	list_append(&d->unsaved, &running->attempt.link);
	d->n_unsaved++;
}

static void save(struct dispatcher *d, struct running *running)
{
	int r;

	running->finish.op.done = on_saved;
	r = store_submit(d->store, &running->finish.op);
	if (r < 0)
		keep_unsaved(d, running, r);
}

static void save_ended(struct dispatcher *d, struct list *ended)
{
	struct list *link;

	while ((link = list_pop(ended)) != NULL) {
		struct running *running = running_of(link);

		running_conclude(running, clock_now_us(), random_below(UINT64_MAX));
		save(d, running);
	}
}

static void save_unsaved(struct dispatcher *d)
{
	struct list again;
	struct list *link;

	if (must_spare_store(d))
		return;
	list_init(&again);
	list_splice(&again, &d->unsaved);
	d->n_unsaved = 0;
	while ((link = list_pop(&again)) != NULL)
		save(d, running_of(link));
}

static void settle(struct dispatcher *d, struct running *running)
{
	struct slot *slot = running->owner;

	store_worked(d);
	running_report(running);
	running_free(running);
	slot->n_under_way--;
	d->n_under_way--;
}

static void settle_saved(struct dispatcher *d, struct list *saved)
{
	struct list *link;

	while ((link = list_pop(saved)) != NULL) {
		struct running *running = running_of(link);

		if (running->finish.op.result < 0)
			keep_unsaved(d, running, running->finish.op.result);
		else
			settle(d, running);
	}
}

/* --- beginnings --- */

/* commit the attempts, and hand over those that began; Return: how many, or a negative errno */
static int begin(struct slot *slot, struct running **batch, size_t n)
{
	struct dispatcher *d = slot->owner;
	int n_begun = 0;
	int r;

	r = running_begin(batch, n, d->store);
	if (r < 0)
		return r;
	store_worked(d);
	for (size_t i = 0; i < n; i++) {
		if (!batch[i]->has_begun)
			continue; /* somebody was quicker: held or given up by an operator */
		slot->n_under_way++;
		d->n_under_way++;
		n_begun++;
		handler_submit(slot->handler, &steal_ptr(&batch[i])->attempt);
	}
	if (n_begun == 0) /* so no result will wake us; and never in a tight loop */
		wake_at(d, clock_monotonic_ms() + STORE_RETRY_MS);
	return n_begun;
}

/* begin what is due, at most @room; Return: how many were begun, or a negative errno */
static int begin_due(struct slot *slot, size_t room, int64_t now)
{
	struct dispatcher *d = slot->owner;
	struct running *batch[BEGIN_BATCH];
	struct job *jobs[BEGIN_BATCH];
	size_t n;
	int r;

	r = queue_due(d->reader, slot->config->name, slot->config->order, now,
		      MIN_OF(room, BEGIN_BATCH), jobs);
	if (r <= 0)
		return r;
	n = running_new_all(slot->config, jobs, (size_t)r, slot, batch);
	if (n == 0)
		return -ENOMEM;
	handler_expect(slot->handler);
	r = begin(slot, batch, n);
	for (size_t i = 0; i < n; i++)
		running_free(batch[i]); /* NULL once it is handed over */
	return r;
}

/* --- one round --- */

static void route(struct dispatcher *d)
{
	int r = routing_run(d->config, d->reader, d->store);

	if (r < 0)
		store_failed(d, "route events", r);
	if (r > 0)
		store_worked(d);
	if (r == ROUTING_BATCH)
		wake_at(d, 0);
}

/* @after: wall clock, us; Return: the first due time behind it, INT64_MAX when there is none */
static int64_t next_due(struct slot *slot, int64_t after)
{
	int64_t due_at;
	int r = queue_next_due(slot->owner->reader, slot->config->name, after, &due_at);

	if (r < 0) {
		store_failed(slot->owner, "read the queue", r);
		return INT64_MAX;
	}
	return due_at;
}

/* its consumer cannot be reached: say so only when there is something for it */
static void deliver_later(struct slot *slot, int64_t now)
{
	int64_t due_at = next_due(slot, -1);

	if (due_at <= now)
		handler_expect(slot->handler);
	else
		wake_when_due(slot->owner, due_at);
}

static void deliver(struct slot *slot)
{
	struct dispatcher *d = slot->owner;
	size_t capacity = handler_capacity(slot->handler);
	int64_t now = clock_now_us();
	int r;

	if (capacity == 0) {
		deliver_later(slot, now);
		return;
	}
	if (slot->n_under_way >= capacity)
		return; /* a result will wake us */
	r = begin_due(slot, capacity - slot->n_under_way, now);
	if (r < 0)
		store_failed(d, "begin deliveries", r);
	if (r == BEGIN_BATCH)
		wake_at(d, 0); /* there may be more */
	wake_when_due(d, next_due(slot, now));
}

static void deliver_all(struct dispatcher *d)
{
	for_each_slot(link, d)
	{
		struct slot *slot = slot_of(link);

		if (!slot->is_retired && !reload_holds_up(slot, &d->slots))
			deliver(slot);
	}
}

static void stop_round(struct dispatcher *d, int64_t stop_at_ms)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t next_ms = stop_at_ms;

	if (d->give_up_at_ms == INT64_MAX && now_ms >= stop_at_ms) {
		d->give_up_at_ms = now_ms + ABORT_GIVE_UP_MS;
		for_each_slot(link, d) handler_abort(slot_of(link)->handler);
	}
	if (d->give_up_at_ms != INT64_MAX)
		next_ms = d->give_up_at_ms;
	if (next_ms > now_ms)
		wake_at(d, next_ms);
}

/* nothing is under way any more, or nothing but results that cannot be saved; those deliveries are
 * still `running` in the store and become pending at the next start */
static bool is_finished(const struct dispatcher *d)
{
	if (d->n_under_way == 0)
		return true;
	return d->n_under_way == d->n_unsaved && clock_monotonic_ms() >= d->give_up_at_ms;
}

static void *dispatcher_main(void *arg)
{
	struct dispatcher *d = arg;
	struct inbox inbox;
	bool is_stopping;

	do {
		is_stopping = wait_for_inbox(d, &inbox);
		d->next_ms = INT64_MAX;
		if (inbox.plan)
			apply_plan(d, inbox.plan);
		settle_saved(d, &inbox.saved);
		reload_reap(&d->slots);
		save_ended(d, &inbox.ended);
		save_unsaved(d);
		if (is_stopping) {
			stop_round(d, inbox.stop_at_ms);
		} else if (!must_spare_store(d)) {
			route(d);
			deliver_all(d);
		}
		if (must_spare_store(d))
			wake_at(d, d->store_retry_at_ms);
	} while (!is_stopping || !is_finished(d));
	mutex_lock(&d->mx);
	d->has_finished = true;
	mutex_unlock(&d->mx);
	return NULL;
}

/* --- life --- */

static struct slot_callbacks callbacks_of(struct dispatcher *d)
{
	return (struct slot_callbacks){.on_done = on_ended, .on_room = on_room, .owner = d};
}

static int add_slot(struct dispatcher *d, const struct handler_config *config, struct error *e)
{
	struct slot_callbacks callbacks = callbacks_of(d);
	struct slot *slot;
	int r = slot_new(d->config, config, &callbacks, &slot, e);

	if (r == 0)
		list_append(&d->slots, &slot->member);
	return r;
}

int dispatcher_new(struct config *config, struct store *store, struct dispatcher **ret_dispatcher,
		   struct error *e)
{
	_cleanup_(dispatcher_freep)
	struct dispatcher *d = NULL;
	int r;

	d = calloc(1, sizeof(*d));
	if (!d)
		return error_set(e, -ENOMEM, "out of memory");
	d->config = config_ref(config);
	d->accepted = config_ref(config);
	d->store = store;
	d->mx = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	cond_init(&d->cond);
	cond_init(&d->applied);
	list_init(&d->slots);
	list_init(&d->ended);
	list_init(&d->saved);
	list_init(&d->unsaved);
	d->stop_at_ms = INT64_MAX;
	d->give_up_at_ms = INT64_MAX;
	r = reader_open(config->store.path, &d->reader, e);
	for (size_t i = 0; r == 0 && i < config->n_handlers; i++)
		r = add_slot(d, &config->handlers[i], e);
	if (r < 0)
		return r;
	*ret_dispatcher = steal_ptr(&d);
	return 0;
}

static void stop_handlers(struct dispatcher *d)
{
	for_each_slot(link, d) handler_stop(slot_of(link)->handler);
}

int dispatcher_start(struct dispatcher *d, struct error *e)
{
	int r = 0;

	for_each_slot(link, d) r = r == 0 ? handler_start(slot_of(link)->handler, e) : r;
	if (r == 0) {
		r = thread_start(&d->thread, "dispatcher", dispatcher_main, d);
		if (r < 0)
			(void)error_set(e, r, "cannot start a thread: %s", error_name(r));
	}
	if (r < 0)
		stop_handlers(d);
	else
		d->has_thread = true;
	return r;
}

int dispatcher_reload(struct dispatcher *d, struct config *config, struct error *e)
{
	struct slot_callbacks callbacks = callbacks_of(d);
	struct reload_plan plan;
	int r;

	r = reload_plan_make(d->accepted, config, &callbacks, &plan, e);
	if (r < 0)
		return r;
	mutex_lock(&d->mx);
	d->plan = &plan;
	set_woken(d);
	while (d->plan)
		cond_wait(&d->applied, &d->mx);
	mutex_unlock(&d->mx);
	config_free(d->accepted);
	d->accepted = config_ref(config);
	return 0;
}

void dispatcher_stop(struct dispatcher *d, int64_t deadline_ms)
{
	if (!d->has_thread)
		return;
	mutex_lock(&d->mx);
	d->stop_at_ms = deadline_ms;
	mutex_unlock(&d->mx);
	dispatcher_wake(d);
	thread_join(d->thread);
	d->has_thread = false;
	stop_handlers(d);
}

void dispatcher_free(struct dispatcher *d)
{
	struct list *link;

	if (!d)
		return;
	dispatcher_stop(d, 0);
	while ((link = list_pop(&d->unsaved)) != NULL)
		running_free(running_of(link));
	while ((link = list_pop(&d->slots)) != NULL)
		slot_free(slot_of(link));
	reader_close(d->reader);
	config_free(d->config);
	config_free(d->accepted);
	(void)pthread_cond_destroy(&d->applied); /* nobody waits any more */
	(void)pthread_cond_destroy(&d->cond);    /* nobody waits any more */
	(void)pthread_mutex_destroy(&d->mx);
	free(d);
}
