/* SPDX-License-Identifier: Apache-2.0 */
#include "util/thread.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/macros.h"

struct found {
	int policy, nice_value;
};

static void *look(void *arg)
{
	struct found *found = arg;

	found->policy = sched_getscheduler(0);
	found->nice_value = getpriority(PRIO_PROCESS, (id_t)gettid());
	return NULL;
}

/* of the thread itself, and of one that it has started */
struct both {
	void (*become)(void);
	struct found self, child;
};

static void *become_and_look(void *arg)
{
	struct both *both = arg;
	pthread_t child;

	both->become();
	(void)look(&both->self);
	if (thread_start(&child, "child", look, &both->child) == 0)
		thread_join(child);
	return NULL;
}

static struct both look_at(void (*become)(void))
{
	struct both both = {.become = become, .child = {-1, -1}};
	pthread_t thread;

	assert_int_equal(thread_start(&thread, "test", become_and_look, &both), 0);
	thread_join(thread);
	return both;
}

/* a sandbox may forbid it; then the call does nothing, which is all right */
static bool is_allowed(void)
{
	const struct sched_param none = {0};

	return sched_setscheduler(0, SCHED_BATCH, &none) == 0 &&
	       sched_setscheduler(0, SCHED_OTHER, &none) == 0;
}

static void test_one_that_does_not_preempt(void **state)
{
	struct both both = look_at(thread_does_not_preempt);

	(void)state;
	if (!is_allowed())
		skip();
	assert_int_equal(both.self.policy, SCHED_BATCH);
	assert_int_equal(both.child.policy, SCHED_OTHER);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

static void be_both(void)
{
	thread_does_not_preempt();
	thread_preempts();
}

static void test_one_that_preempts_again(void **state)
{
	struct both both = look_at(be_both);

	(void)state;
	assert_int_equal(both.self.policy, SCHED_OTHER);
	assert_int_equal(both.child.policy, SCHED_OTHER);
}

static void yield_more_and_less(void)
{
	thread_yield_to_others(18);
	thread_yield_to_others(17);
}

static void test_one_that_yields(void **state)
{
	struct both both = look_at(yield_more_and_less);

	(void)state;
	assert_int_equal(both.self.policy, SCHED_OTHER);
	assert_in_range(both.self.nice_value, 18, 19);
	assert_int_equal(both.child.nice_value, both.self.nice_value);
}

static void test_waiting_ends_in_time(void **state)
{
	pthread_mutex_t mx = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond;

	(void)state;
	cond_init(&cond);
	mutex_lock(&mx);
	assert_false(cond_wait_until(&cond, &mx, 0));
	mutex_unlock(&mx);
	assert_int_equal(pthread_cond_destroy(&cond), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_that_does_not_preempt),
		cmocka_unit_test(test_one_that_preempts_again),
		cmocka_unit_test(test_one_that_yields),
		cmocka_unit_test(test_waiting_ends_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
