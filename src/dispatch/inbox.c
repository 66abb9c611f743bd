/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/inbox.h"

#include "util/thread.h"

static void mail_init(struct inbox_mail *mail)
{
	*mail = (struct inbox_mail){.stop_at_ms = INT64_MAX};
	for (int kind = 0; kind < INBOX_KINDS; kind++)
		list_init(&mail->lists[kind]);
}

void inbox_init(struct inbox *inbox)
{
	*inbox = (struct inbox){.mx = PTHREAD_MUTEX_INITIALIZER};
	cond_init(&inbox->changed);
	cond_init(&inbox->applied);
	mail_init(&inbox->mail);
}

void inbox_deinit(struct inbox *inbox)
{
	(void)pthread_cond_destroy(&inbox->applied); /* nobody waits any more */
	(void)pthread_cond_destroy(&inbox->changed); /* nobody waits any more */
	(void)pthread_mutex_destroy(&inbox->mx);
}

/* under mx */
static void set_woken(struct inbox *inbox)
{
	inbox->is_woken = true;
	(void)pthread_cond_signal(&inbox->changed); /* cannot fail */
}

void inbox_wake(struct inbox *inbox)
{
	mutex_lock(&inbox->mx);
	set_woken(inbox);
	mutex_unlock(&inbox->mx);
}

void inbox_refresh(struct inbox *inbox)
{
	mutex_lock(&inbox->mx);
	inbox->mail.is_outdated = true;
	set_woken(inbox);
	mutex_unlock(&inbox->mx);
}

void inbox_bring(struct inbox *inbox, enum inbox_kind kind, struct list *link)
{
	mutex_lock(&inbox->mx);
	list_append(&inbox->mail.lists[kind], link);
	set_woken(inbox);
	mutex_unlock(&inbox->mx);
}

uint64_t inbox_nudge(struct inbox *inbox)
{
	uint64_t rounds;

	mutex_lock(&inbox->mx);
	rounds = inbox->has_finished ? inbox->rounds++ : inbox->rounds;
	set_woken(inbox);
	mutex_unlock(&inbox->mx);
	return rounds;
}

void inbox_stop(struct inbox *inbox, int64_t stop_at_ms)
{
	mutex_lock(&inbox->mx);
	inbox->mail.stop_at_ms = stop_at_ms;
	set_woken(inbox);
	mutex_unlock(&inbox->mx);
}

void inbox_apply(struct inbox *inbox, struct reload_plan *plan)
{
	mutex_lock(&inbox->mx);
	inbox->mail.plan = plan;
	set_woken(inbox);
	while (inbox->mail.plan)
		cond_wait(&inbox->applied, &inbox->mx);
	mutex_unlock(&inbox->mx);
}

void inbox_take(struct inbox *inbox, int64_t deadline_ms, struct inbox_mail *ret)
{
	bool in_time = true;

	mail_init(ret);
	mutex_lock(&inbox->mx);
	while (!inbox->is_woken && in_time)
		in_time = cond_wait_until(&inbox->changed, &inbox->mx, deadline_ms);
	inbox->is_woken = false;
	inbox->rounds++;
	for (int kind = 0; kind < INBOX_KINDS; kind++)
		list_splice(&ret->lists[kind], &inbox->mail.lists[kind]);
	ret->is_outdated = inbox->mail.is_outdated;
	inbox->mail.is_outdated = false;
	ret->plan = inbox->mail.plan;
	ret->stop_at_ms = inbox->mail.stop_at_ms;
	mutex_unlock(&inbox->mx);
}

void inbox_plan_is_applied(struct inbox *inbox)
{
	mutex_lock(&inbox->mx);
	inbox->mail.plan = NULL;
	(void)pthread_cond_signal(&inbox->applied); /* cannot fail */
	mutex_unlock(&inbox->mx);
}

void inbox_finish(struct inbox *inbox)
{
	mutex_lock(&inbox->mx);
	inbox->has_finished = true;
	mutex_unlock(&inbox->mx);
}
