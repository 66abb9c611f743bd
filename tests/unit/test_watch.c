/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "util/units.h"

#define NOW (1000 * US_PER_S)

struct world {
	struct watch *watch;
	struct watched *endpoint, *credential;
};

static int make(void **state)
{
	static struct world w;

	assert_int_equal(watch_new(&w.watch), 0);
	w.endpoint = watch_of(w.watch, USE_ENDPOINT, "riskos", NOW);
	w.credential = watch_of(w.watch, USE_CREDENTIAL, "basic", NOW);
	assert_non_null(w.endpoint);
	assert_non_null(w.credential);
	*state = &w;
	return 0;
}

static int unmake(void **state)
{
	watch_free(((struct world *)*state)->watch);
	return 0;
}

static unsigned note(struct world *w, bool is_authenticated, unsigned status)
{
	return watch_note(w->endpoint, is_authenticated ? w->credential : NULL, status, NOW);
}

static void test_records_are_by_kind_and_name(void **state)
{
	struct world *w = *state;

	assert_ptr_equal(watch_of(w->watch, USE_ENDPOINT, "riskos", NOW + 1), w->endpoint);
	assert_ptr_not_equal(watch_of(w->watch, USE_CREDENTIAL, "riskos", NOW), w->endpoint);
	assert_int_equal(w->endpoint->since, NOW);
}

static void test_failures(void **state)
{
	struct world *w = *state;

	assert_int_equal(note(w, true, 503), 0);
	assert_int_equal(note(w, true, 400), 0);
	assert_int_equal(note(w, false, 401), 0); /* neither lengthens nor ends the run */
	assert_int_equal(note(w, false, 404), 0);
	assert_int_equal(note(w, true, 415), WATCH_FAILING);
	assert_int_equal(note(w, true, 503), 0); /* said already */
	assert_int_equal(w->endpoint->failures, 4);
	assert_int_equal(note(w, true, 200), WATCH_WORKS_AGAIN);
	assert_int_equal(w->endpoint->failures, 0);
	assert_int_equal(note(w, true, 503), 0);
	assert_int_equal(note(w, true, 200), 0); /* one failure is nothing to come back from */
}

static void test_unauthorized(void **state)
{
	struct world *w = *state;

	assert_int_equal(note(w, false, 401), 0);
	assert_int_equal(note(w, false, 401), 0);
	assert_int_equal(note(w, false, 401), WATCH_UNAUTHORIZED);
	assert_int_equal(note(w, false, 401), 0);
	assert_int_equal(note(w, false, 429), 0);
	assert_int_equal(w->endpoint->unauthorized, 4);
	assert_int_equal(note(w, true, 503), 0); /* somebody was let in */
	assert_int_equal(w->endpoint->unauthorized, 0);
}

static void test_silence(void **state)
{
	struct world *w = *state;
	int64_t check_at;

	assert_int_equal(watch_silence(w->endpoint, 0, NOW + 1000 * US_PER_S, &check_at), 0);
	assert_int_equal(check_at, INT64_MAX);
	assert_int_equal(watch_silence(w->endpoint, 10, NOW + 9, &check_at), 0);
	assert_int_equal(check_at, NOW + 10); /* since it is watched */
	assert_int_equal(watch_silence(w->endpoint, 10, NOW + 10, &check_at), WATCH_SILENT);
	assert_int_equal(watch_silence(w->endpoint, 10, NOW + 11, &check_at), 0); /* once */
	assert_int_equal(note(w, true, 400), 0); /* that is no event */
	assert_int_equal(note(w, true, 200), WATCH_HEARD_AGAIN);
	assert_int_equal(note(w, true, 200), 0);
	assert_int_equal(watch_silence(w->endpoint, 10, NOW + 9, &check_at), 0);
	assert_int_equal(watch_silence(w->endpoint, 10, NOW + 10, &check_at), WATCH_SILENT);
}

static void test_uses(void **state)
{
	struct world *w = *state;
	struct use uses[4];

	assert_int_equal(watch_unsaved(w->watch, uses, 4), 0);
	assert_int_equal(note(w, true, 400), 0);
	assert_int_equal(watch_unsaved(w->watch, uses, 4), 1);
	assert_string_equal(uses[0].name, "basic");
	assert_int_equal(uses[0].kind, USE_CREDENTIAL);
	assert_int_equal(uses[0].used_at, NOW);
	assert_int_equal(watch_unsaved(w->watch, uses, 4), 1); /* the store had failed */
	watch_saved(w->watch, uses, 1);
	assert_int_equal(watch_unsaved(w->watch, uses, 4), 0);
	assert_int_equal(watch_note(w->endpoint, w->credential, 200, NOW + US_PER_S), 0);
	assert_int_equal(watch_unsaved(w->watch, uses, 1), 1); /* no room for more */
	assert_int_equal(watch_unsaved(w->watch, uses, 4), 2);
	watch_saved(w->watch, uses, 2);
	/* what comes from the store needs not be saved */
	assert_int_equal(watch_remember(w->watch, &(struct use){USE_CREDENTIAL, "old", 7}, NOW), 0);
	assert_int_equal(watch_of(w->watch, USE_CREDENTIAL, "old", NOW)->used_at, 7);
	assert_int_equal(watch_unsaved(w->watch, uses, 4), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_records_are_by_kind_and_name),
		TEST(test_failures),
		TEST(test_unauthorized),
		TEST(test_silence),
		TEST(test_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
