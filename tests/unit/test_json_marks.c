/* SPDX-License-Identifier: Apache-2.0 */
/* The marks against a look at each byte, wherever it stands and wherever the text ends. */
#include "intake/json_marks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guarded.h"
#include "util/macros.h"

#define ROOM (2 * JSON_MARKS_STRETCH + 256)

static bool is_marked(unsigned char c)
{
	return c == '"' || c == '\\' || c < 0x20 || c >= 0x80;
}

static uint64_t expected_marks(const char *p, const char *end)
{
	uint64_t marks = 0;

	for (size_t i = 0; i < JSON_MARKS_MIN; i++)
		if (p + i >= end || is_marked((unsigned char)p[i]))
			marks |= 1ULL << i;
	return marks;
}

static void assert_marks(struct json_marks *m, const char *p, const char *end)
{
	const uint64_t told = (1ULL << JSON_MARKS_MIN) - 1;
	uint64_t marks = json_marks_at(m, p), above = marks & ~told;

	assert_int_equal(marks & told, expected_marks(p, end));
	/* what is told of more than was promised is right as well */
	for (; above; above = json_marks_rest(above)) {
		const char *at = p + json_marks_first(above);

		assert_true(at >= end || is_marked((unsigned char)*at));
	}
}

static void test_every_byte_everywhere(void **state)
{
	char text[JSON_MARKS_BLOCK];
	struct json_marks m;

	(void)state;
	for (size_t at = 0; at < sizeof(text); at++) {
		for (unsigned c = 0; c < 0x100; c++) {
			memset(text, 'a', sizeof(text));
			text[at] = (char)c;
			json_marks_make(&m, text, text + sizeof(text));
			assert_marks(&m, text, text + sizeof(text));
			assert_int_equal(json_marks_at(&m, text + at) & 1,
					 is_marked((unsigned char)c));
		}
	}
}

/* xorshift64*; the test must see the same texts on every machine */
static size_t next_random(uint64_t *random, size_t bound)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return (size_t)(*random * 0x2545F4914F6CDD1DULL >> 33) % bound;
}

/* some with marks close to each other, some with none for hundreds of bytes */
static void fill(uint64_t *random, char *p, size_t n)
{
	static const char others[] = "\"\\\x01\x1f\x80\xff !#[]^\x7f";
	size_t every = 1 + next_random(random, 300);

	for (size_t i = 0; i < n; i++)
		p[i] = next_random(random, every) ? 'a'
						  : others[next_random(random, sizeof(others))];
}

/* a reader that comes by every place, and one that leaps */
static void assert_text(uint64_t *random, const char *text, const char *end)
{
	struct json_marks m;

	json_marks_make(&m, text, end);
	for (const char *p = text; p <= end; p++)
		assert_marks(&m, p, end);
	json_marks_make(&m, text, end);
	for (const char *p = text; p <= end; p += 1 + next_random(random, 1000))
		assert_marks(&m, p, end);
}

static void test_every_length(void **state)
{
	struct guarded g = guarded_new(ROOM);
	uint64_t random = 1;

	(void)state;
	for (size_t n = 0; n < 300; n++) {
		fill(&random, g.end - n, n);
		assert_text(&random, g.end - n, g.end);
	}
	for (size_t n = JSON_MARKS_STRETCH - 130; n < JSON_MARKS_STRETCH + 130; n += 13) {
		fill(&random, g.end - n, n);
		assert_text(&random, g.end - n, g.end);
	}
	for (size_t n = ROOM - 64; n < ROOM; n += 9) {
		fill(&random, g.end - n, n);
		assert_text(&random, g.end - n, g.end);
	}
	guarded_free(&g);
}

static void test_near(void **state)
{
	static const size_t lengths[] = {
		0, 1, 67, 68, 69, 200, JSON_MARKS_STRETCH, JSON_MARKS_STRETCH + 67, ROOM - 1,
	};
	struct guarded g = guarded_new(ROOM);
	uint64_t random = 1;
	struct json_marks m;

	(void)state;
	fill(&random, g.end - ROOM, ROOM);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		const char *text = g.end - lengths[i];

		json_marks_make(&m, text, g.end);
		assert_true(m.near >= text && m.near <= g.end);
		assert_true(lengths[i] <= 69 || m.near > text);
		for (const char *p = text; p < m.near; p++) {
			assert_true(g.end - p >= JSON_MARKS_NEAR);
			assert_true(p + 1 <= m.until);
		}
	}
	guarded_free(&g);
}

static void test_blanks(void **state)
{
	static const char others[] = "a\"\n\t\r\x21\xa0\x00";
	struct guarded g = guarded_new(JSON_BLANKS_MAX);
	char *p = g.end - JSON_BLANKS_MAX;

	(void)state;
	for (size_t n = 0; n <= JSON_BLANKS_MAX; n++) {
		for (size_t i = 0; i < sizeof(others); i++) {
			memset(p, ' ', JSON_BLANKS_MAX);
			if (n < JSON_BLANKS_MAX)
				p[n] = others[i];
			assert_int_equal(json_blanks_at(p), n);
		}
	}
	guarded_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_everywhere),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_blanks),
	};

	return cmocka_run_group_tests_name("json_marks", tests, NULL, NULL);
}
