/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/router.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* a list of one or two words on the test's stack */
#define WORDS(...)                                                                                 \
	((struct string_list){                                                                     \
		.items = (char *[]){__VA_ARGS__},                                                  \
		.n = sizeof((char *[]){__VA_ARGS__}) / sizeof(char *),                             \
	})

static struct routable an_event(void)
{
	return (struct routable){
		.seq = 1,
		.event_type = SLICE("evaluation_completed"),
		.category = SLICE("evaluation"),
		.decision = SLICE("REVIEW"),
		.workflow = SLICE("consumer_onboarding"),
		.environment = SLICE("Production"),
		.endpoint = SLICE("riskos"),
	};
}

static char evaluation_completed[] = "evaluation_completed";
static char as_people_write[] = "Evaluation Completed";
static char with_hyphen[] = "EVALUATION-completed";
static char prefix[] = "evaluation";
static char decision_update[] = "decision_update";
static char review[] = "review";
static char accept[] = "ACCEPT";
static char word_case[] = "case";
static char production[] = "production";
static char sandbox[] = "Sandbox";
static char onboarding[] = "Consumer_Onboarding";
static char riskos[] = "riskos";
static char other[] = "other";

static void test_empty_lists_match_everything(void **state)
{
	const struct handler_config handler = {.type = HANDLER_EXEC};
	const struct routable bare = {.seq = 1};
	const struct routable event = an_event();

	(void)state;
	assert_true(router_matches(&handler, &event));
	assert_true(router_matches(&handler, &bare));
}

static void test_event_types_in_any_spelling(void **state)
{
	static char *const spellings[] = {evaluation_completed, as_people_write, with_hyphen};
	const struct routable event = an_event();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		const struct handler_config handler = {.events = WORDS(other, spellings[i])};

		assert_true(router_matches(&handler, &event));
	}
	assert_false(router_matches(&(struct handler_config){.events = WORDS(prefix)}, &event));
	assert_false(
		router_matches(&(struct handler_config){.events = WORDS(decision_update)}, &event));
}

static void test_each_list_must_agree(void **state)
{
	struct handler_config handler = {
		.events = WORDS(decision_update, evaluation_completed),
		.category = WORDS(word_case, prefix),
		.decision = WORDS(review),
		.workflow = WORDS(onboarding),
		.environment = WORDS(production),
		.endpoint = WORDS(riskos),
	};
	struct string_list *const lists[] = {
		&handler.events,   &handler.category,    &handler.decision,
		&handler.workflow, &handler.environment, &handler.endpoint,
	};
	const struct routable event = an_event();

	(void)state;
	assert_true(router_matches(&handler, &event));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const struct string_list saved = *lists[i];

		*lists[i] = WORDS(other);
		assert_false(router_matches(&handler, &event));
		*lists[i] = saved;
	}
	assert_true(router_matches(&handler, &event));
}

static void test_what_is_not_given_matches_no_word(void **state)
{
	const struct handler_config handler = {.decision = WORDS(review, accept)};
	struct routable event = an_event();

	(void)state;
	event.decision = SLICE_NULL;
	assert_false(router_matches(&handler, &event));
}

static void test_test_events_only_on_request(void **state)
{
	struct handler_config handler = {.type = HANDLER_UNIX};
	struct routable event = an_event();

	(void)state;
	event.test = true;
	assert_false(router_matches(&handler, &event));
	handler.test_events = true;
	assert_true(router_matches(&handler, &event));
	event.test = false;
	assert_true(router_matches(&handler, &event));
}

static void test_wrong_environment_goes_to_nobody(void **state)
{
	const struct handler_config handler = {.test_events = true, .environment = WORDS(sandbox)};
	struct routable event = an_event();

	(void)state;
	event.environment = SLICE("Sandbox");
	assert_true(router_matches(&handler, &event));
	event.wrong_environment = true;
	assert_false(router_matches(&handler, &event));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_lists_match_everything),
		cmocka_unit_test(test_event_types_in_any_spelling),
		cmocka_unit_test(test_each_list_must_agree),
		cmocka_unit_test(test_what_is_not_given_matches_no_word),
		cmocka_unit_test(test_test_events_only_on_request),
		cmocka_unit_test(test_wrong_environment_goes_to_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
