/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: the store, its disk, the clock, the queues
 */
#include <errno.h>
#include <inttypes.h>

#include "core/config.h"
#include "riskhookctl/bar.h"
#include "riskhookctl/doctor.h"
#include "store/check.h"
#include "store/gauge.h"
#include "util/macros.h"
#include "util/units.h"

#define FUTURE_US  (60 * US_PER_S)
#define OLD_US     (3600 * US_PER_S)
#define MANY_TRIES 5
#define SANE_CLOCK (1767225600 * US_PER_S) /* 2026-01-01: riskhookd is younger */
#define RESTORE_HOW                                                                                \
	"stop riskhookd, keep a copy of the file, restore a backup; see 'Operate' in the README"

static int on_rule(const struct check_rule *rule, int64_t n_broken, void *arg)
{
	struct doctor *d = arg;

	if (n_broken == 0 || (rule->when_stopped && d->daemon_answers))
		return 0;
	doctor_tell(d, FINDING_PROBLEM, "queue", rule->advice, "%" PRId64 " %s", n_broken,
		    rule->what);
	return 0;
}

static void check_rules_of(struct doctor *d, struct reader *reader)
{
	int before = d->n_found[FINDING_PROBLEM];
	int r = check_rules(reader, on_rule, d);

	if (r < 0)
		doctor_tell(d, FINDING_PROBLEM, "queue", RESTORE_HOW, "cannot be checked: %s",
			    error_name(r));
	else if (d->n_found[FINDING_PROBLEM] == before)
		doctor_tell(d, FINDING_OK, "queue", NULL, "everything belongs to something");
}

static int on_gauge(const struct queue_gauge *gauge, void *arg)
{
	struct doctor *d = arg;
	char age[NUMBER_SIZE];

	if (gauge->state == DELIVERY_DEAD)
		doctor_tell(d, FINDING_WARNING, "handler",
			    "riskhookctl deliveries --state dead tells why; retry or dismiss them",
			    "%s: %" PRId64 " %s given up", gauge->handler, gauge->n,
			    PLURAL(gauge->n, "delivery was", "deliveries were"));
	if (gauge->state == DELIVERY_PENDING && d->now - gauge->oldest_at > OLD_US)
		doctor_tell(d, FINDING_WARNING, "handler",
			    "riskhookctl deliveries --state pending; does its consumer run?",
			    "%s: %" PRId64 " %s, the oldest for %s", gauge->handler, gauge->n,
			    PLURAL(gauge->n, "delivery waits", "deliveries wait"),
			    age_text((d->now - gauge->oldest_at) / US_PER_S, age));
	if (gauge->state == DELIVERY_PENDING && !config_handler(d->ctx->config, gauge->handler))
		doctor_tell(d, FINDING_WARNING, "handler",
			    "configure it again, or: riskhookctl dismiss --handler NAME --state "
			    "pending",
			    "%s: %" PRId64 " %s, but it is not configured", gauge->handler,
			    gauge->n, PLURAL(gauge->n, "delivery waits", "deliveries wait"));
	return 0;
}

static int on_streak(const struct check_streak *streak, void *arg)
{
	struct doctor *d = arg;

	if (streak->most >= MANY_TRIES)
		doctor_tell(d, FINDING_WARNING, "handler",
			    "riskhookctl attempts DELIVERY shows what it printed",
			    "%s: %" PRId64 " %s failing, one of them %" PRId64 " times",
			    streak->handler, streak->failed,
			    PLURAL(streak->failed, "delivery keeps", "deliveries keep"),
			    streak->most);
	return 0;
}

static void check_handlers(struct doctor *d, struct reader *reader)
{
	int before = d->n_found[FINDING_WARNING];
	int r = gauge_queues(reader, on_gauge, d);

	if (r == 0)
		r = check_streaks(reader, on_streak, d);
	if (r < 0)
		doctor_tell(d, FINDING_PROBLEM, "handler", RESTORE_HOW, "cannot be checked: %s",
			    error_name(r));
	else if (d->n_found[FINDING_WARNING] == before)
		doctor_tell(d, FINDING_OK, "handler", NULL,
			    "no delivery is dead, old or failing again and again");
}

static void check_clock(struct doctor *d, struct reader *reader)
{
	int64_t newest;

	if (check_newest_event(reader, &newest) < 0)
		return; /* the store's own check has told */
	if (d->now < SANE_CLOCK)
		doctor_tell(d, FINDING_PROBLEM, "clock", "set it; chrony or systemd-timesyncd",
			    "this machine's clock is years behind");
	else if (newest > d->now + FUTURE_US)
		doctor_tell(d, FINDING_PROBLEM, "clock", "set it; chrony or systemd-timesyncd",
			    "the newest event came in the future: the clock was set back by %lld s",
			    (long long)((newest - d->now) / US_PER_S));
	else
		doctor_tell(d, FINDING_OK, "clock", NULL, "no event came in the future");
}

static void check_disk(struct doctor *d)
{
	const struct store_config *store = &d->ctx->config->store;
	struct file_gauge files;
	char free_text[NUMBER_SIZE], size[NUMBER_SIZE];
	int r = gauge_files(store->path, &files);

	if (r < 0)
		return; /* without a store there is nothing to say */
	(void)bytes_text(files.free, free_text);
	(void)bytes_text(files.database + files.wal, size);
	if (files.free < store->min_free)
		doctor_tell(d, FINDING_PROBLEM, "disk",
			    "make room, or set [store] retention; soon posts are answered 503",
			    "%s left, fewer than min_free; the store takes %s", free_text, size);
	else if (files.free < 2 * store->min_free)
		doctor_tell(d, FINDING_WARNING, "disk", "make room, or set [store] retention",
			    "%s left; the store takes %s", free_text, size);
	else
		doctor_tell(d, FINDING_OK, "disk", NULL, "%s left; the store takes %s", free_text,
			    size);
}

static const char *how_to_get_a_store(const struct doctor *d, int r)
{
	if (r != -ENOENT)
		return RESTORE_HOW;
	return d->daemon_answers ? "riskhookd uses another file: correct [store] path, or put this "
				   "one back"
				 : "start riskhookd, which makes it";
}

void doctor_check_store(struct doctor *d)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	const char *path = d->ctx->config->store.path;
	bool full = d->ctx->args->full;
	struct error e = ERROR_INIT;
	int r;

	check_disk(d);
	r = reader_open(path, &reader, &e);
	if (r == -EACCES) {
		doctor_tell(d, FINDING_WARNING, "store", DOCTOR_MAY_NOT, "%s", e.text);
		return;
	}
	if (r < 0) {
		doctor_tell(d, FINDING_PROBLEM, "store", how_to_get_a_store(d, r), "%s", e.text);
		return;
	}
	r = check_reader_integrity(reader, path, full, &e);
	if (r < 0) {
		doctor_tell(d, FINDING_PROBLEM, "store", RESTORE_HOW, "%s", e.text);
		return;
	}
	doctor_tell(d, FINDING_OK, "store", NULL, "%s",
		    full ? "every page and index is as it should be"
			 : "its pages are as they should be (--full looks at the indexes, too)");
	check_rules_of(d, reader);
	check_clock(d, reader);
	check_handlers(d, reader);
}
