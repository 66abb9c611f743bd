/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts, simulated: at any moment, with any subset of the unsynced writes on the disk, the
 * store opens, and everything that it had acknowledged is there exactly once.
 *
 * A round runs the workload on a disk that remembers (disk.h), cuts the power at random moments of
 * its log, and checks each disk that the cut may leave (image.h). The next round begins from one of
 * those disks, so that recoveries are cut as well. So it does with a database whose syncs fail now
 * and then. After that three mistakes are made on purpose, and each must be caught: a test that
 * cannot fail proves nothing.
 *
 * environment: RISKHOOK_POINTS (500) cut points, RISKHOOK_SEED
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "image.h"
#include "util/cleanup.h"
#include "workload.h"

#define POINTS_A_ROUND 100
#define ROUNDS_A_DISK  4 /* then an empty one, so that disks stay small */
#define POSTS_A_THREAD 8
#define BROKEN_POINTS  100
#define BROKEN_ROUNDS  3
#define COMPLAINTS_MAX 10

struct trial {
	const char *name;
	enum disk_honesty honesty;
	bool promise_early;
	bool must_fail;
};

static const struct trial trials[] = {
	{"what was acknowledged survives a power cut", DISK_HONEST, false, false},
	{"and a database whose syncs fail now and then", DISK_FAILS_DATABASE_SYNC, false, false},
	{"a disk that ignores every sync is caught", DISK_IGNORES_SYNC, false, true},
	{"a WAL that is not synced is caught", DISK_IGNORES_WAL_SYNC, false, true},
	{"an acknowledgement before the commit is caught", DISK_HONEST, true, true},
};

struct bench {
	char folder[64], live[96], cut[96];
	uint64_t seed;
	struct dice dice;
	struct ledger carried; /* what the disk that a round begins from has promised */
	struct ledger ledger;  /* the same at the cut at hand */
	size_t n_begin;        /* records of the log that say how it began */
	long n_points, n_broken;
	long n_events[DISK_NOTE + 1]; /* of the logs, by kind */
};

static void remove_store(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
	char file[128];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		(void)snprintf(file, sizeof(file), "%s%s", path, suffixes[i]);
		(void)unlink(file); /* may not be there */
	}
}

static void complain(struct bench *b, const struct trial *trial, const char *broken, size_t cut)
{
	b->n_broken++;
	if (!trial->must_fail && b->n_broken <= COMPLAINTS_MAX)
		(void)printf("# seed %" PRIu64 ", cut after record %zu: %s\n", b->seed, cut,
			     broken);
}

static int compare_cuts(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* cut points of one round in order; half of them right after a promise, where it hurts */
static void choose_cuts(struct bench *b, const struct disk_record *records, size_t n, size_t *cuts,
			size_t n_cuts)
{
	for (size_t i = 0; i < n_cuts; i++) {
		cuts[i] = b->n_begin + dice_below(&b->dice, n + 1 - b->n_begin);
		if (i % 2)
			continue;
		while (cuts[i] < n && records[cuts[i] - 1].event != DISK_NOTE)
			cuts[i]++;
	}
	qsort(cuts, n_cuts, sizeof(cuts[0]), compare_cuts);
}

static void take_promises(struct ledger *ledger, const struct disk_record *records, size_t from,
			  size_t to)
{
	for (size_t i = from; i < to; i++)
		if (records[i].event == DISK_NOTE)
			ledger_take(ledger, records[i].note, records[i].number);
}

static void cut_power(struct bench *b, const struct trial *trial, size_t n_points)
{
	size_t n, at = 0, cuts[POINTS_A_ROUND];
	const struct disk_record *records = disk_stop_recording(&n);
	struct image *image = image_new(records, n);

	for (size_t i = 0; i < n; i++)
		b->n_events[records[i].event]++;
	memcpy(b->ledger.promised, b->carried.promised, sizeof(b->ledger.promised));
	choose_cuts(b, records, n, cuts, n_points);
	for (size_t i = 0; i < n_points; i++) {
		const char *broken;

		image_advance(image, cuts[i]);
		take_promises(&b->ledger, records, at, cuts[i]);
		at = cuts[i];
		image_write(image, &b->dice, b->cut);
		broken = workload_check(b->cut, &b->ledger);
		b->n_points++;
		if (broken)
			complain(b, trial, broken, at);
	}
	image_write(image, &b->dice, b->live); /* the next round begins from here */
	b->carried = b->ledger;
	image_free(image);
	disk_forget();
}

static void begin_anew(struct bench *b)
{
	remove_store(b->live);
	memset(&b->carried, 0, sizeof(b->carried));
}

static int run_round(struct bench *b, const struct trial *trial, size_t n_points)
{
	struct workload workload = {.path = b->live,
				    .n_posts = POSTS_A_THREAD,
				    .seed = dice_below(&b->dice, UINT32_MAX),
				    .promise_early = trial->promise_early};
	int r;

	b->ledger = b->carried;
	b->n_begin = disk_record(b->live, trial->honesty);
	r = workload_run(&workload, &b->ledger);
	if (r == 0)
		cut_power(b, trial, n_points);
	return r;
}

/* Return: did the trial end as it should? */
static bool run_trial(struct bench *b, const struct trial *trial, long points)
{
	long max_rounds = trial->must_fail ? BROKEN_ROUNDS : points; /* at least a point a round */
	int r = 0;

	b->n_points = b->n_broken = 0;
	memset(b->n_events, 0, sizeof(b->n_events));
	for (long round = 0; r == 0 && round < max_rounds && b->n_points < points; round++) {
		/* a disk that was left broken is no start for another round */
		if (round % ROUNDS_A_DISK == 0 || trial->must_fail)
			begin_anew(b);
		r = run_round(b, trial, (size_t)MIN_OF(points - b->n_points, POINTS_A_ROUND));
	}
	(void)printf(
		"# %ld cut points, promises broken at %ld; %ld writes, %ld syncs, %ld failed, %ld "
		"promises\n",
		b->n_points, b->n_broken, b->n_events[DISK_WRITE], b->n_events[DISK_SYNC],
		b->n_events[DISK_SYNC_FAILED], b->n_events[DISK_NOTE]);
	return r == 0 && (b->n_broken > 0) == trial->must_fail;
}

static uint64_t choose_seed(void)
{
	const char *given = getenv("RISKHOOK_SEED");
	uint32_t seed = 0;

	if (given)
		return strtoull(given, NULL, 10);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		abort();
	return seed;
}

static long choose_points(void)
{
	const char *given = getenv("RISKHOOK_POINTS");
	long points = given ? strtol(given, NULL, 10) : 500;

	return MAX_OF(points, 1);
}

/* memory is the better disk here: nobody cuts the power for real */
static void make_folder(struct bench *b)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	(void)snprintf(b->folder, sizeof(b->folder), "%s/riskhook-power-XXXXXX", base);
	if (!mkdtemp(b->folder))
		abort();
	(void)snprintf(b->live, sizeof(b->live), "%s/live.db", b->folder);
	(void)snprintf(b->cut, sizeof(b->cut), "%s/cut.db", b->folder);
}

int main(void)
{
	static struct bench bench;
	struct bench *b = &bench;
	long points = choose_points();
	int n_bad = 0;

	b->seed = choose_seed();
	b->dice = dice_make(b->seed);
	disk_install();
	make_folder(b);
	(void)printf("1..%zu\n# RISKHOOK_SEED=%" PRIu64 "\n", ARRAY_SIZE(trials), b->seed);
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		const struct trial *trial = &trials[i];
		bool good = run_trial(b, trial, trial->must_fail ? BROKEN_POINTS : points);

		(void)printf("%sok %zu - %s\n", good ? "" : "not ", i + 1, trial->name);
		(void)fflush(stdout);
		n_bad += !good;
	}
	remove_store(b->live);
	remove_store(b->cut);
	(void)rmdir(b->folder); /* what is left is for who looks into a failure */
	return n_bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
