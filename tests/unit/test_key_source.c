/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How old keys may become, and which of them pass to the source that a reload makes
 */
#include "intake/key_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"

#define URI       "https://idp.example.com/keys"
#define MINUTE_MS (60 * 1000LL)
#define HOUR_MS   (60 * MINUTE_MS)

/* the base point of the curve */
static const char key_set[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\","
			      "\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\","
			      "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}]}";

/* ---- the world around: the linker takes these instead of clock.c and outbound.c ---- */

static int64_t now_ms;
static struct outbound_request *scheduled; /* the last one */

int64_t clock_now_us(void)
{
	return now_ms * 1000;
}

int64_t clock_monotonic_ms(void)
{
	return now_ms;
}

int64_t clock_monotonic_us(void)
{
	return now_ms * 1000;
}

int outbound_schedule(struct outbound *o, struct outbound_request *request, int64_t due_ms)
{
	(void)o;
	scheduled = request;
	request->due_ms = due_ms;
	return 0;
}

void outbound_cancel(struct outbound *o, struct outbound_request *request)
{
	(void)o;
	if (scheduled == request)
		scheduled = NULL;
}

/* ---- */

struct world {
	struct key_sources *all;
	struct key_source_options options;
	char ca[32];
};

static void write_ca(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int make(void **state)
{
	static struct world w;
	int fd;

	now_ms = 1000;
	w = (struct world){
		.options = {.name = "c",
			    .uri = URI,
			    .ca_file = w.ca,
			    .timeout_ms = 1000,
			    .refresh_ms = 10 * MINUTE_MS,
			    .refresh_min_ms = 1000,
			    .stale_for_ms = HOUR_MS},
		.ca = "/tmp/riskhook-ca-XXXXXX",
	};
	fd = mkstemp(w.ca);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	write_ca(w.ca, "one authority");
	assert_int_equal(key_sources_new((struct outbound *)&w, &w.all), 0); /* never looked into */
	*state = &w;
	return 0;
}

static int unmake(void **state)
{
	struct world *w = *state;

	key_sources_free(w->all);
	assert_int_equal(unlink(w->ca), 0);
	return 0;
}

static struct key_source *source(struct world *w)
{
	struct key_source *s = NULL;

	assert_int_equal(key_source_from_uri(&w->options, w->all, &s), 0);
	assert_non_null(scheduled);
	assert_int_equal(scheduled->due_ms, now_ms); /* it begins by reading, whatever it knows */
	return s;
}

/* a reading ends with keys */
static void answer_to(struct outbound_request *request, const char *cache_control)
{
	request->done(request, &(struct outbound_answer){
				       .status = 200,
				       .body = slice_of(key_set),
				       .cache_control = slice_of(cache_control),
				       .expires_in_s = -1,
			       });
}

/* to the reading that was scheduled last */
static void answer(const char *cache_control)
{
	answer_to(scheduled, cache_control);
}

static void answer_nothing(void)
{
	scheduled->done(scheduled, &(struct outbound_answer){.error = "it is down"});
}

static bool has_keys(struct key_source *s)
{
	_cleanup_(jwks_unrefp)
	struct jwks *keys = NULL;
	uint32_t generation;

	keys = key_source_keys(s, &generation);
	assert_true(generation > 0);
	return keys != NULL;
}

/* what a reload does: a new source beside the former one, which then goes */
static struct key_source *reload(struct world *w, struct key_source *former)
{
	struct key_source *s = source(w);

	key_source_free(former);
	return s;
}

static void test_keys_are_used_for_stale_for_beyond_their_age(void **state)
{
	struct world *w = *state;
	struct key_source *s = source(w);

	assert_false(has_keys(s));
	answer("");
	assert_int_equal(scheduled->due_ms, now_ms + 10 * MINUTE_MS);
	now_ms += 10 * MINUTE_MS + HOUR_MS - 1;
	assert_true(has_keys(s));
	now_ms++;
	assert_false(has_keys(s));
	key_source_free(s);
}

static void test_keys_do_not_become_younger_by_reloads(void **state)
{
	struct world *w = *state;
	struct key_source *s = source(w);

	answer("max-age=1200");
	for (int i = 0; i < 8; i++) {
		now_ms += 10 * MINUTE_MS - 1;
		s = reload(w, s);
		answer_nothing();
		assert_true(has_keys(s));
	}
	now_ms += 8;
	assert_false(has_keys(s));
	s = reload(w, s);
	assert_false(has_keys(s));
	key_source_free(s);
}

static void test_options_take_their_new_values(void **state)
{
	struct world *w = *state;
	struct key_source *s = source(w);

	answer("");
	now_ms += 11 * MINUTE_MS; /* fresh for 10 */
	w->options.stale_for_ms = 0;
	s = reload(w, s);
	assert_false(has_keys(s));
	answer("");
	now_ms += 2 * MINUTE_MS;
	w->options.refresh_ms = MINUTE_MS;
	s = reload(w, s);
	assert_false(has_keys(s)); /* the provider did not say more, and we say less now */
	key_source_free(s);
}

static void check_newest(struct world *w, int newest)
{
	struct outbound_request *requests[2];
	struct key_source *sources[2], *s;

	for (int i = 0; i < 2; i++) {
		sources[i] = source(w);
		requests[i] = scheduled;
	}
	answer_to(requests[1 - newest], "max-age=60");
	now_ms += HOUR_MS;
	answer_to(requests[newest], "max-age=60");
	s = source(w);
	now_ms += HOUR_MS;
	assert_true(has_keys(s));
	assert_false(has_keys(sources[1 - newest]));
	key_source_free(sources[0]);
	key_source_free(sources[1]);
	key_source_free(s);
}

static void test_the_newest_keys_pass_on(void **state)
{
	check_newest(*state, 0);
	check_newest(*state, 1);
}

static void expect_nothing(struct world *w, struct key_source *former)
{
	struct key_source *s = source(w);

	assert_true(has_keys(former));
	assert_false(has_keys(s));
	key_source_free(s);
}

static void test_keys_of_another_origin_do_not_pass_on(void **state)
{
	struct world *w = *state;
	struct key_source *former = source(w);

	answer("");
	w->options.uri = URI "2";
	expect_nothing(w, former);
	w->options.uri = URI;
	w->options.ca_file = NULL;
	expect_nothing(w, former);
	w->options.ca_file = w->ca;
	write_ca(w->ca, "another authority");
	expect_nothing(w, former);
	write_ca(w->ca, "one authority");
	former = reload(w, former);
	assert_true(has_keys(former));
	key_source_free(former);
}

static void test_an_authority_that_cannot_be_read_passes_nothing_on(void **state)
{
	struct world *w = *state;
	struct key_source *former, *s;

	w->options.ca_file = "/nonexistent/ca.pem";
	former = source(w);
	answer("");
	s = reload(w, former);
	assert_false(has_keys(s));
	key_source_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)
		TEST(test_keys_are_used_for_stale_for_beyond_their_age),
		TEST(test_keys_do_not_become_younger_by_reloads),
		TEST(test_options_take_their_new_values),
		TEST(test_the_newest_keys_pass_on),
		TEST(test_keys_of_another_origin_do_not_pass_on),
		TEST(test_an_authority_that_cannot_be_read_passes_nothing_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
