/* SPDX-License-Identifier: Apache-2.0 */
#include "workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/config.h"
#include "disk.h"
#include "image.h"
#include "intake/event.h"
#include "store/queue.h"
#include "store/reader.h"
#include "store/store.h"
#include "util/thread.h"

#define POSTERS    4
#define IN_FLIGHT  5
#define EVAL_IDS   7
#define JOBS       4
#define HANDLER    "h"
#define LATER_US   60000000 /* deliveries that are due later are due now */
#define PATH_BYTES 256

struct run {
	const struct workload *workload;
	struct ledger *ledger;
	struct store *store;
	struct reader *reader; /* owned by the deliverer */
	atomic_int next_number;
	atomic_int n_posting;
	atomic_int error;
};

void ledger_take(struct ledger *ledger, int promise, int64_t number)
{
	ledger->promised[number] |= (unsigned char)(1u << promise);
}

/* ---- bodies ---- */

struct slice workload_body(int number, enum body_kind kind, char room[BODY_MAX])
{
	struct dice dice = dice_make((uint64_t)number * 3 + kind);
	/* most are small, some go over several pages */
	int n_padding = (int)dice_below(&dice, dice_below(&dice, 8) ? 300 : 9000);
	int n = snprintf(room, BODY_MAX,
			 "{\"event_type\":\"case_closure\",\"event_id\":\"p-%d\",\"data\":"
			 "{\"eval_id\":\"e-%d\",\"kind\":%d},\"padding\":\"",
			 number, number % EVAL_IDS, (int)kind);

	for (int i = 0; i < n_padding; i++)
		room[n++] = (char)('a' + dice_below(&dice, 26));
	if (kind != BODY_RUBBISH) {
		room[n++] = '"';
		room[n++] = '}';
	}
	return slice_make(room, (size_t)n);
}

/* ---- posting ---- */

struct post {
	struct run *run;
	int number;
	enum promise promise;
	union {
		struct event_op event_op;
		struct quarantine_op quarantine_op;
	};
	struct event event;
	char room[BODY_MAX];
};

struct poster {
	struct run *run;
	struct dice dice;
	struct post posts[IN_FLIGHT];
	pthread_mutex_t mx;
	pthread_cond_t changed;
	int n_in_flight;
};

static void note_error(struct run *run, int error)
{
	int none = 0;

	(void)atomic_compare_exchange_strong(&run->error, &none, error); /* the first one counts */
}

/* store thread */
static void on_posted(struct store_op *op)
{
	struct poster *poster = op->arg;
	struct post *post = (op->kind == STORE_OP_EVENT)
				    ? container_of(op, struct post, event_op.op)
				    : container_of(op, struct post, quarantine_op.op);

	if (op->result < 0)
		note_error(post->run, op->result);
	if (op->result == 0 && op->kind == STORE_OP_EVENT)
		post->run->ledger->seq[post->number] = post->event_op.seq;
	if (op->result == 0)
		disk_note((int)post->promise, post->number);
	mutex_lock(&poster->mx);
	poster->n_in_flight--;
	pthread_cond_signal(&poster->changed);
	mutex_unlock(&poster->mx);
}

static struct provenance provenance(void)
{
	return (struct provenance){.endpoint = SLICE("riskos"),
				   .credential = SLICE("c"),
				   .address = SLICE("192.0.2.1"),
				   .received_at = clock_now_us()};
}

static struct store_op *prepare(struct poster *poster, struct post *post, enum body_kind kind)
{
	struct slice body = workload_body(post->number, kind, post->room);
	struct store_op op = {.done = on_posted, .arg = poster};

	if (event_recognize(body, &post->event) != EVENT_OK) {
		op.kind = STORE_OP_QUARANTINE;
		post->promise = PROMISE_QUARANTINE;
		post->quarantine_op =
			(struct quarantine_op){.op = op,
					       .body = body,
					       .from = provenance(),
					       .reason = "rubbish",
					       .body_sha256 = sha256_of(body.p, body.n)};
		return &post->quarantine_op.op;
	}
	op.kind = STORE_OP_EVENT;
	post->promise = kind == BODY_CONFLICT ? PROMISE_CONFLICT : PROMISE_STORED;
	post->event_op = (struct event_op){
		.op = op, .event = &post->event, .body = body, .from = provenance()};
	return &post->event_op.op;
}

/* a new event; now and then the last one again, with its body or another, or rubbish */
static struct store_op *choose(struct poster *poster, struct post *post, int last)
{
	uint64_t chance = dice_below(&poster->dice, 20);

	post->run = poster->run;
	post->number = last;
	if (last >= 0 && chance == 0)
		return prepare(poster, post, BODY_EVENT);
	if (last >= 0 && chance == 1)
		return prepare(poster, post, BODY_CONFLICT);
	post->number = atomic_fetch_add(&poster->run->next_number, 1);
	if (post->number >= EVENTS_MAX)
		abort();
	return prepare(poster, post, chance == 2 ? BODY_RUBBISH : BODY_EVENT);
}

static void post_some(struct poster *poster, int n)
{
	int last = -1;

	for (int i = 0; i < n; i++) {
		struct post *post = &poster->posts[i];
		struct store_op *op = choose(poster, post, last);

		last = op->kind == STORE_OP_EVENT ? post->number : -1;
		mutex_lock(&poster->mx);
		poster->n_in_flight++;
		mutex_unlock(&poster->mx);
		if (poster->run->workload->promise_early)
			disk_note((int)post->promise, post->number);
		if (store_submit(poster->run->store, op) < 0)
			abort();
	}
	mutex_lock(&poster->mx);
	while (poster->n_in_flight > 0)
		cond_wait(&poster->changed, &poster->mx);
	mutex_unlock(&poster->mx);
}

static void *poster_main(void *arg)
{
	struct poster *poster = arg;
	struct run *run = poster->run;

	for (int i = 0; i < run->workload->n_posts && atomic_load(&run->error) == 0; i++)
		post_some(poster, 1 + (int)dice_below(&poster->dice, IN_FLIGHT));
	atomic_fetch_sub(&run->n_posting, 1);
	return NULL;
}

/* ---- delivering ---- */

static int number_of(struct slice event_id)
{
	return event_id.n > 2 ? (int)strtol(event_id.p + 2, NULL, 10) : -1;
}

struct batch {
	struct route routes[JOBS];
	size_t n;
	int64_t last;
};

static int collect(const struct routable *event, void *arg)
{
	struct batch *batch = arg;

	batch->routes[batch->n++] = (struct route){.seq = event->seq, .handler = HANDLER};
	batch->last = event->seq;
	return 0;
}

/* the numbers of routed events are told by their deliveries, which come with their jobs */
static int route(struct run *run)
{
	struct batch batch = {.n = 0};
	struct route_op op = {.op = {.kind = STORE_OP_ROUTE}, .routes = batch.routes};
	int r;

	r = queue_unrouted(run->reader, 0, JOBS, collect, &batch);
	if (r < 0 || batch.n == 0)
		return r;
	op.n_routes = batch.n;
	op.routed_seq = batch.last;
	op.now = clock_now_us();
	r = store_submit_wait(run->store, &op.op);
	return r < 0 ? r : (int)batch.n;
}

static int attempt(struct run *run, const struct job *job, struct dice *dice)
{
	static const struct {
		enum delivery_state state;
		enum attempt_outcome outcome;
	} ends[] = {
		{DELIVERY_DONE, ATTEMPT_OK},      {DELIVERY_DONE, ATTEMPT_OK},
		{DELIVERY_DONE, ATTEMPT_OK},      {DELIVERY_PENDING, ATTEMPT_RETRY},
		{DELIVERY_PENDING, ATTEMPT_LOST}, {DELIVERY_DEAD, ATTEMPT_DEAD},
	};
	struct begin_item item = {.delivery = job->delivery, .attempt = job->attempt};
	struct begin_op begin = {.op = {.kind = STORE_OP_BEGIN},
				 .items = &item,
				 .n_items = 1,
				 .now = clock_now_us()};
	uint64_t end = dice_below(dice, ARRAY_SIZE(ends));
	struct finish_op finish = {.op = {.kind = STORE_OP_FINISH},
				   .delivery = job->delivery,
				   .attempt = job->attempt,
				   .outcome = ends[end].outcome,
				   .state = ends[end].state,
				   .now = clock_now_us(),
				   .due_at = clock_now_us(),
				   .code = 0,
				   .output = SLICE("said")};
	int number = number_of(slice_of(job->event_id));
	int r;

	disk_note(PROMISE_ROUTED, number); /* it was read, so it was committed */
	r = store_submit_wait(run->store, &begin.op);
	if (r < 0)
		return r;
	disk_note(PROMISE_BEGUN, number);
	r = store_submit_wait(run->store, &finish.op);
	if (r == 0 && finish.state != DELIVERY_PENDING)
		disk_note(finish.state == DELIVERY_DONE ? PROMISE_DONE : PROMISE_DEAD, number);
	return r;
}

/* Return: how many, or a negative errno */
static int deliver(struct run *run, struct dice *dice)
{
	struct job *jobs[JOBS];
	int n, r = 0;

	n = queue_due(run->reader, HANDLER, ORDER_EVALUATION, clock_now_us() + LATER_US, JOBS,
		      jobs);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = attempt(run, jobs[i], dice);
		job_free(jobs[i]);
	}
	return r < 0 ? r : n;
}

static void *deliverer_main(void *arg)
{
	struct run *run = arg;
	struct dice dice = dice_make(run->workload->seed);

	while (atomic_load(&run->n_posting) > 0 && atomic_load(&run->error) == 0) {
		int n_routed = route(run);
		int n_delivered = n_routed < 0 ? 0 : deliver(run, &dice);

		if (n_routed < 0 || n_delivered < 0)
			note_error(run, MIN_OF(n_routed, n_delivered));
	}
	return NULL;
}

/* ---- one run ---- */

static int open_store(const char *path, struct store **ret_store)
{
	struct error e = ERROR_INIT;
	char copy[PATH_BYTES];
	struct config config = {.store = {.path = copy, .quarantine_max = EVENTS_MAX}};
	int r;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	r = store_new(&config, NULL, NULL, ret_store, &e);
	if (r < 0)
		(void)fprintf(stderr, "# the store does not open: %s\n", e.text);
	return r;
}

static void work(struct run *run)
{
	static struct poster posters[POSTERS];
	pthread_t threads[POSTERS + 1];

	atomic_store(&run->n_posting, POSTERS);
	for (int i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){.run = run,
					     .dice = dice_make(run->workload->seed + (uint64_t)i),
					     .mx = PTHREAD_MUTEX_INITIALIZER};
		cond_init(&posters[i].changed);
		if (thread_start(&threads[i], "poster", poster_main, &posters[i]) < 0)
			abort();
	}
	if (thread_start(&threads[POSTERS], "deliverer", deliverer_main, run) < 0)
		abort();
	for (int i = 0; i <= POSTERS; i++)
		thread_join(threads[i]);
	for (int i = 0; i < POSTERS; i++)
		(void)pthread_cond_destroy(&posters[i].changed); /* nobody waits any more */
}

int workload_run(const struct workload *workload, struct ledger *ledger)
{
	struct run run = {.workload = workload, .ledger = ledger};
	int r;

	atomic_store(&run.next_number, ledger->n);
	r = open_store(workload->path, &run.store);
	if (r == 0)
		r = reader_open(workload->path, &run.reader, NULL);
	if (r == 0) {
		work(&run);
		r = atomic_load(&run.error);
	}
	ledger->n = atomic_load(&run.next_number);
	reader_close(run.reader);
	store_free(run.store);
	if (r < 0)
		(void)fprintf(stderr, "# the workload failed: %s\n", error_name(r));
	return r;
}
