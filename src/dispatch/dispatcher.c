/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/dispatcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/crypto.h"
#include "core/log.h"
#include "dispatch/handler.h"
#include "dispatch/inbox.h"
#include "dispatch/pace.h"
#include "dispatch/reload.h"
#include "dispatch/replay.h"
#include "dispatch/routing.h"
#include "dispatch/running.h"
#include "dispatch/slot.h"
#include "store/drive.h"
#include "store/reader.h"
#include "util/thread.h"
#include "util/units.h"

#define ABORT_GIVE_UP_MS 5000 /* after an abort: how long results that cannot be saved are kept */

struct dispatcher {
	struct store *store; /* constant after new */

	/* owned by the thread that made it */
	struct config *accepted; /* the newest configuration; one owner */
	pthread_t thread;
	bool has_thread;

	struct inbox inbox; /* shared */

	/* owned by the dispatcher thread */
	struct config *config; /* one owner */
	struct list slots;
	struct reader *reader;
	struct pace pace;
	struct routing *routing;
	struct list unsaved; /* struct running: its finish op has failed */
	size_t n_unsaved;
	size_t n_under_way;    /* begun or about to, end not yet committed; with the unsaved ones */
	int64_t give_up_at_ms; /* INT64_MAX: the handlers were not aborted yet */
	bool is_registered;    /* the store knows all handlers */
	bool must_refresh;     /* what the store says of handlers and replays */
	bool has_replays;      /* some replay goes on */
	int64_t replay_retry_at_ms; /* the last batch of a replay failed; 0: it did not */
	bool *is_catching_up;       /* one for each handler of the configuration */
};

/* for all slots */
#define for_each_slot(link, d) list_for_each (link, &(d)->slots)

static struct slot *slot_at(struct list *link)
{
	return list_entry(link, struct slot, member);
}

/* --- what other threads bring --- */

void dispatcher_wake(struct dispatcher *d)
{
	inbox_wake(&d->inbox);
}

uint64_t dispatcher_nudge(struct dispatcher *d)
{
	return inbox_nudge(&d->inbox);
}

void dispatcher_refresh(struct dispatcher *d)
{
	inbox_refresh(&d->inbox);
}

static struct inbox *inbox_of(const struct slot *slot)
{
	struct dispatcher *d = slot->owner;

	return &d->inbox;
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

	inbox_bring(inbox_of(slot), INBOX_ENDED, &attempt->link);
}

/* these two in the store's thread */
static void on_begun(struct slot *slot)
{
	inbox_bring(inbox_of(slot), INBOX_BEGUN, &slot->link);
}

static void on_saved(struct store_op *op)
{
	struct finish_op *finish = container_of(op, struct finish_op, op);
	struct running *running = container_of(finish, struct running, finish);

	inbox_bring(inbox_of(running->slot), INBOX_SAVED, &running->attempt.link);
}

/* --- reload --- */

static void apply_plan(struct dispatcher *d, struct reload_plan *plan)
{
	config_free(d->config);
	routing_free(d->routing);
	free(d->is_catching_up);
	d->config = steal_ptr(&plan->config);
	d->routing = steal_ptr(&plan->routing);
	d->is_catching_up = steal_ptr(&plan->is_catching_up);
	reload_plan_apply(plan, d->config, &d->slots);
	d->is_registered = false;
	d->must_refresh = true;
	inbox_plan_is_applied(&d->inbox);
}

/* --- results --- */

static void keep_unsaved(struct dispatcher *d, struct running *running, int error)
{
	pace_store_failed(&d->pace, "save the result of an attempt", error);
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

		running_conclude(running, &d->pace.clock, clock_read(), random_below(UINT64_MAX));
		running->slot->n_held--; /* room for another one while this is committed */
		save(d, running);
	}
}

static void save_unsaved(struct dispatcher *d)
{
	struct list again;
	struct list *link;

	if (pace_must_spare_store(&d->pace))
		return;
	list_init(&again);
	list_splice(&again, &d->unsaved);
	d->n_unsaved = 0;
	while ((link = list_pop(&again)) != NULL)
		save(d, running_of(link));
}

static void settle(struct dispatcher *d, struct running *running)
{
	pace_store_worked(&d->pace);
	running_report(running);
	running->slot->n_under_way--;
	running_free(running);
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

/* --- one round --- */

static void hand_over_begun(struct dispatcher *d, const struct slot_round *round,
			    struct list *begun)
{
	struct list *link;

	while ((link = list_pop(begun)) != NULL)
		d->n_under_way -= slot_hand_over(list_entry(link, struct slot, link), round);
}

/* write down handlers that the store has not seen before */
static int register_handlers(struct dispatcher *d)
{
	struct handlers_op op = {
		.op = {.kind = STORE_OP_HANDLERS},
		.handlers = d->config->handlers,
		.n_handlers = d->config->n_handlers,
		.now = clock_now_us(),
	};
	int r = store_submit_wait(d->store, &op.op);

	d->is_registered = r == 0;
	return r;
}

static int visit_paused(const char *handler, void *arg)
{
	struct dispatcher *d = arg;

	for_each_slot(link, d)
	{
		if (strcmp(slot_at(link)->config->name, handler) == 0)
			slot_at(link)->is_paused = true;
	}
	return 0;
}

/* Return: false when the store does not tell; then nothing may be routed or begun */
static bool refresh(struct dispatcher *d)
{
	int r = d->is_registered ? 0 : register_handlers(d);

	for_each_slot(link, d) slot_at(link)->is_paused = false;
	if (r == 0)
		r = drive_paused(d->reader, visit_paused, d);
	if (r == 0)
		r = replay_catching_up(d->config, d->reader, d->is_catching_up);
	if (r < 0)
		pace_store_failed(&d->pace, "read what is paused and replayed", r);
	d->has_replays = r > 0;
	d->must_refresh = r < 0;
	return r >= 0;
}

/* they alone wait: new events and deliveries go on, if the store lets them */
static void put_off_replays(struct dispatcher *d, int error)
{
	if (d->replay_retry_at_ms == 0)
		log_error("cannot replay events: %s; will try again", error_name(error));
	d->replay_retry_at_ms = clock_monotonic_ms() + PACE_STORE_RETRY_MS;
	pace_wake_at(&d->pace, d->replay_retry_at_ms);
}

/* Return: false when nothing may be routed now, because it is not known who gets new events */
static bool replay_batch(struct dispatcher *d)
{
	int r;

	if (clock_monotonic_ms() < d->replay_retry_at_ms) {
		pace_wake_at(&d->pace, d->replay_retry_at_ms);
		return true;
	}
	r = replay_run(d->config, d->routing, d->reader, d->store);
	if (r < 0) {
		put_off_replays(d, r);
		return true;
	}
	if (d->replay_retry_at_ms != 0)
		log_notice("replays go on");
	d->replay_retry_at_ms = 0;
	if (r != REPLAY_NONE)
		pace_wake_at(&d->pace, 0);
	return r != REPLAY_ENDED || refresh(d);
}

static void route(struct dispatcher *d)
{
	bool more;
	int r = routing_run(d->routing, d->is_catching_up, d->reader, d->store, &more);

	if (r < 0)
		pace_store_failed(&d->pace, "route events", r);
	if (r > 0)
		pace_store_worked(&d->pace);
	if (r >= 0 && more)
		pace_wake_at(&d->pace, 0);
}

static void work_round(struct dispatcher *d, const struct slot_round *round)
{
	if (pace_clock_went_back(&d->pace)) {
		d->is_registered = false; /* which looks after the due times, too */
		d->must_refresh = true;
	}
	if (pace_must_spare_store(&d->pace) || (d->must_refresh && !refresh(d)))
		return;
	if (d->has_replays && !replay_batch(d))
		return;
	route(d);
	for_each_slot(link, d)
	{
		struct slot *slot = slot_at(link);

		if (!slot->is_retired && !reload_holds_up(slot, &d->slots))
			d->n_under_way += slot_deliver(slot, round);
	}
}

static void stop_round(struct dispatcher *d, int64_t stop_at_ms)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t next_ms = stop_at_ms;

	if (d->give_up_at_ms == INT64_MAX && now_ms >= stop_at_ms) {
		d->give_up_at_ms = now_ms + ABORT_GIVE_UP_MS;
		for_each_slot(link, d) slot_abort(slot_at(link));
	}
	if (d->give_up_at_ms != INT64_MAX)
		next_ms = d->give_up_at_ms;
	if (next_ms > now_ms)
		pace_wake_at(&d->pace, next_ms);
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
	const struct slot_round round = {d->reader, d->store, &d->pace};
	struct inbox_mail mail;
	bool is_stopping;

	/* who runs may be about to store another event, and a round costs the same for several */
	thread_does_not_preempt();
	do {
		inbox_take(&d->inbox, d->pace.next_ms, &mail);
		is_stopping = mail.stop_at_ms != INT64_MAX;
		d->must_refresh |= mail.is_outdated;
		d->pace.next_ms = INT64_MAX;
		if (mail.plan)
			apply_plan(d, mail.plan);
		hand_over_begun(d, &round, &mail.lists[INBOX_BEGUN]);
		settle_saved(d, &mail.lists[INBOX_SAVED]);
		reload_reap(&d->slots);
		save_ended(d, &mail.lists[INBOX_ENDED]);
		save_unsaved(d);
		if (is_stopping)
			stop_round(d, mail.stop_at_ms);
		else
			work_round(d, &round);
		if (pace_must_spare_store(&d->pace))
			pace_wake_at(&d->pace, d->pace.store_retry_at_ms);
	} while (!is_stopping || !is_finished(d));
	inbox_finish(&d->inbox);
	return NULL;
}

/* --- life --- */

static struct slot_callbacks callbacks_of(struct dispatcher *d)
{
	return (struct slot_callbacks){
		.on_done = on_ended, .on_room = on_room, .on_begun = on_begun, .owner = d};
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
	d->must_refresh = true;
	steady_init(&d->pace.clock, clock_read());
	d->is_catching_up = calloc(config->n_handlers + 1, sizeof(bool));
	inbox_init(&d->inbox);
	list_init(&d->slots);
	list_init(&d->unsaved);
	d->give_up_at_ms = INT64_MAX;
	if (!d->is_catching_up)
		return error_set(e, -ENOMEM, "out of memory");
	r = reader_open(config->store.path, &d->reader, e);
	if (r == 0)
		r = routing_new(config, &d->routing, e);
	for (size_t i = 0; r == 0 && i < config->n_handlers; i++)
		r = add_slot(d, &config->handlers[i], e);
	if (r < 0)
		return r;
	*ret_dispatcher = steal_ptr(&d);
	return 0;
}

/* nothing is under way: the abort tells all of them to end, so that no one waits for another */
static void stop_handlers(struct dispatcher *d)
{
	for_each_slot(link, d) slot_abort(slot_at(link));
	for_each_slot(link, d) slot_stop(slot_at(link));
}

int dispatcher_start(struct dispatcher *d, struct error *e)
{
	int r = 0;

	for_each_slot(link, d) r = r == 0 ? handler_start(slot_at(link)->handler, e) : r;
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
	inbox_apply(&d->inbox, &plan);
	config_free(d->accepted);
	d->accepted = config_ref(config);
	return 0;
}

void dispatcher_stop(struct dispatcher *d, int64_t deadline_ms)
{
	if (!d->has_thread)
		return;
	inbox_stop(&d->inbox, deadline_ms);
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
		slot_free(slot_at(link));
	routing_free(d->routing);
	reader_close(d->reader);
	config_free(d->config);
	config_free(d->accepted);
	inbox_deinit(&d->inbox);
	free(d->is_catching_up);
	free(d);
}
