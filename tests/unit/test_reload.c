/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/reload.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/config_parts.h"
#include "core/log.h"

#define SERVER "[server]\ntls_certificate = c\ntls_private_key = k\n"
#define SENDER "[endpoint e]\n[credential c]\nendpoint = e\ntype = bearer\ntoken_file = t\n"
#define A      "[handler a]\ntype = exec\ncommand = /bin/true\n"
#define B      "[handler b]\ntype = exec\ncommand = /bin/true\n"
#define U      "[handler u]\ntype = unix\nsocket = s\n"

static struct config *parse(const char *handlers)
{
	struct error e = ERROR_INIT;
	struct config *config = NULL;
	char text[1024];

	(void)snprintf(text, sizeof(text), SERVER SENDER "%s", handlers);
	if (config_parse_text("/etc/riskhookd.conf", slice_of(text), &config, &e) < 0)
		fail_msg("%s", e.text);
	return config;
}

static void on_done(struct attempt *attempt, void *arg)
{
	(void)attempt;
	(void)arg;
}

static sem_t has_ended;

static void on_room(void *arg)
{
	(void)arg;
	(void)sem_post(&has_ended); /* far from its maximum */
}

static const struct slot_callbacks callbacks = {.on_done = on_done, .on_room = on_room};

/* Return: the newest configuration, as the dispatcher holds it */
static struct config *reload(struct config *before, const char *handlers, struct list *slots)
{
	_cleanup_(config_freep)
	struct config *after = parse(handlers);
	struct reload_plan plan;

	assert_int_equal(reload_plan_make(before, after, &callbacks, &plan, NULL), 0);
	config_free(before);
	reload_plan_apply(&plan, after, slots);
	routing_free(plan.routing);
	free(plan.is_catching_up);
	return plan.config;
}

/* "a a! b": the slots in order, ! for those that have retired, ~ for those that must wait */
static void assert_slots(struct list *slots, const char *expected)
{
	char text[128];
	size_t n = 0;

	text[0] = '\0';
	list_for_each (link, slots) {
		const struct slot *slot = list_entry(link, struct slot, member);
		const char *mark = slot->is_retired ? "!" : reload_holds_up(slot, slots) ? "~" : "";

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", n ? " " : "",
				      slot->config->name, mark);
	}
	assert_string_equal(text, expected);
}

static bool is_any_ending(const struct list *slots)
{
	list_for_each (link, slots) {
		if (list_entry(link, struct slot, member)->is_ending)
			return true;
	}
	return false;
}

/* The handlers of those that are empty end in threads of their own; one that was quick has told of
 * it already. */
static void reap(struct list *slots)
{
	reload_reap(slots);
	while (is_any_ending(slots)) {
		assert_int_equal(sem_wait(&has_ended), 0);
		reload_reap(slots);
	}
}

static struct slot *first(struct list *slots)
{
	return list_entry(slots->next, struct slot, member);
}

static void test_changes(void **state)
{
	struct list slots;
	struct config *config;
	struct slot *a;

	(void)state;
	list_init(&slots);
	assert_int_equal(sem_init(&has_ended, 0, 0), 0);
	config = reload(parse(""), A B, &slots);
	assert_slots(&slots, "a b");
	a = first(&slots);
	config = reload(config, B A, &slots); /* the same in another order */
	assert_slots(&slots, "a b");
	config = reload(config, A "timeout = 1s\n" U, &slots);
	assert_slots(&slots, "a! b! a~ u");
	a->n_under_way = 1;
	reap(&slots);
	assert_slots(&slots, "a! a~ u");
	config = reload(config, A U, &slots); /* back, but the first has retired */
	assert_slots(&slots, "a! a! u a~");
	reap(&slots);
	assert_slots(&slots, "a! u a~");
	assert_ptr_equal(first(&slots), a);
	a->n_under_way = 0;
	reap(&slots);
	assert_slots(&slots, "u a");
	config = reload(config, "", &slots);
	reap(&slots);
	assert_slots(&slots, "");
	config_free(config);
	(void)sem_destroy(&has_ended); /* nobody waits */
}

static void test_a_plan_that_cannot_be_made(void **state)
{
	static char long_path[200];
	struct config *before = parse(A), *after = parse(A "timeout = 1s\n" U);
	struct error e = ERROR_INIT;
	struct reload_plan plan;
	char *path = after->handlers[1].socket;

	(void)state;
	memset(long_path, 'x', sizeof(long_path) - 1);
	after->handlers[1].socket = long_path;
	assert_true(reload_plan_make(before, after, &callbacks, &plan, &e) < 0);
	assert_non_null(strstr(e.text, "handler u"));
	after->handlers[1].socket = path;
	config_free(before);
	config_free(after); /* nothing of the plan holds it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_a_plan_that_cannot_be_made),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
