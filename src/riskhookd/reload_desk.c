/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookd/reload_desk.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "util/thread.h"

void reload_desk_init(struct reload_desk *desk)
{
	*desk = (struct reload_desk){.mx = PTHREAD_MUTEX_INITIALIZER};
	cond_init(&desk->changed);
}

void reload_desk_deinit(struct reload_desk *desk)
{
	(void)pthread_cond_destroy(&desk->changed); /* nobody waits any more */
	(void)pthread_mutex_destroy(&desk->mx);
}

int reload_desk_ask(struct reload_desk *desk, struct error *remark)
{
	int64_t ticket;
	int r = -ESHUTDOWN;

	mutex_lock(&desk->mx);
	ticket = ++desk->asked;
	if (!desk->is_closed)
		(void)kill(getpid(), SIGHUP); /* one may always signal oneself */
	while (!desk->is_closed && desk->answered < ticket)
		cond_wait(&desk->changed, &desk->mx);
	if (desk->answered >= ticket) {
		r = desk->result;
		if (remark)
			*remark = desk->remark;
	} else {
		(void)error_set(remark, r, "the daemon is stopping");
	}
	mutex_unlock(&desk->mx);
	return r;
}

int64_t reload_desk_begin(struct reload_desk *desk)
{
	int64_t ticket;

	mutex_lock(&desk->mx);
	ticket = desk->asked;
	mutex_unlock(&desk->mx);
	return ticket;
}

void reload_desk_answer(struct reload_desk *desk, int64_t ticket, int result,
			const struct error *remark)
{
	mutex_lock(&desk->mx);
	desk->answered = ticket;
	desk->result = result;
	desk->remark = *remark;
	(void)pthread_cond_broadcast(&desk->changed); /* cannot fail */
	mutex_unlock(&desk->mx);
}

void reload_desk_close(struct reload_desk *desk)
{
	mutex_lock(&desk->mx);
	desk->is_closed = true;
	(void)pthread_cond_broadcast(&desk->changed); /* cannot fail */
	mutex_unlock(&desk->mx);
}
