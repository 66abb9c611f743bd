/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/query.h"

#include "store/id_key.h"
#include "store/schema.h"
#include "util/buf.h"

/* seq 1 to 4: received at 1 s to 4 s after the epoch */
static const char rows[] =
	"INSERT INTO evaluations SELECT column1, 'E' || column1, '', '', '', '', '', '', '', 0, 0, "
	"0, 0,"
	" 0, 1, 0 FROM (VALUES (1), (2), (3));"
	"INSERT INTO events (evaluation, event_type, dedup_id, event_id, id_derived, original_type,"
	" category, customer_id, decision, status, sub_status, eval_status, workflow, environment,"
	" wrong_environment, test, event_at, decision_at, received_at, endpoint, credential,"
	" address, body_bytes, body_sha256) VALUES"
	" (1, 'evaluation_completed', 'a', 'a', 0, 'Evaluation Completed', 'evaluation', 'C1',"
	"  'REVIEW', 'OPEN', '', '', 'kyc', 'Sandbox', 0, 0, 500000, 0, 1000000, 'riskos', 'c', '',"
	"  2, x'00'),"
	" (1, 'decision_update', 'b', 'b', 0, 'case_decision_changed', 'case', 'C1',"
	"  'ACCEPT', 'CLOSED', '', '', 'kyc', 'Sandbox', 0, 0, 0, 0, 2000000, 'riskos', 'c', '',"
	"  2, x'00'),"
	" (2, 'evaluation_completed', 'b', 'b', 0, '', 'evaluation', '',"
	"  '', '', '', '', 'kyb', 'Production', 0, 0, 0, 0, 3000000, 'riskos', 'c', '', 2, x'00'),"
	" (3, 'evaluation_completed', '1', '1', 0, '', 'evaluation', '',"
	"  'REVIEW', '', '', '', 'kyb', '', 0, 1, 0, 0, 4000000, 'riskos', 'c', '', 2, x'00');"
	"INSERT INTO payloads (seq, body) VALUES (1, x'7b7d');"
	"INSERT INTO deliveries (seq, handler, evaluation, state, due_at, created_at,"
	" retry_since, changed_at, outcome) VALUES"
	" (1, 'h1', 1, 'done', 0, 1000000, 0, 0, 'ok'),"
	" (1, 'h2', 1, 'dead', 0, 1000000, 0, 0, 'dead'),"
	" (2, 'h1', 1, 'done', 0, 2000000, 0, 0, 'ok');"
	"INSERT INTO attempts VALUES (2, 1, 1000000, NULL, 'dead', 65, NULL, '', x'ff0a', 1);"
	"INSERT INTO quarantine VALUES (1, 'riskos', 'c', '', 0, 1, 'not JSON', x'0b', x'5b');";

struct fixture {
	char path[64];
	struct reader *reader;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct error e = ERROR_INIT;
	sqlite3 *db;
	int fd;

	assert_non_null(fixture);
	(void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/test_query.XXXXXX");
	fd = mkstemp(fixture->path);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	assert_int_equal(id_key_register(db), SQLITE_OK);
	assert_int_equal(schema_migrate(db, fixture->path, &e), 0);
	assert_int_equal(sqlite3_exec(db, rows, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(reader_open(fixture->path, &fixture->reader, &e), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	reader_close(fixture->reader);
	assert_int_equal(unlink(fixture->path), 0);
	free(fixture);
	return 0;
}

/* the first column of each row, with blanks between */
static int collect_first(const struct value *values, int n_values, void *arg)
{
	assert_true(n_values > 0);
	assert_int_equal(values[0].type, VALUE_INTEGER);
	return buf_printf(arg, "%lld ", (long long)values[0].integer);
}

static void assert_events(struct reader *reader, const struct event_filter *filter,
			  const char *expected)
{
	struct buf found = BUF_INIT(1024);

	assert_int_equal(query_events(reader, filter, collect_first, &found), 0);
	assert_string_equal(found.p ? found.p : "", expected);
	buf_deinit(&found);
}

static void test_event_filters(void **state)
{
	static const struct {
		struct event_filter filter;
		const char *seqs;
	} cases[] = {
		{{.limit = 0}, "1 2 3 4 "},
		{{.limit = 2}, "3 4 "},
		{{.limit = 2, .oldest_first = true}, "1 2 "},
		{{.after_seq = 1, .limit = 2, .oldest_first = true}, "2 3 "},
		{{.after_seq = 4}, ""},
		{{.event_type = "evaluation_completed"}, "1 3 4 "},
		{{.event_type = "Evaluation Completed"}, "1 "},
		{{.event_type = "CASE_DECISION_CHANGED"}, "2 "},
		{{.category = "Case"}, "2 "},
		{{.eval_id = "E1"}, "1 2 "},
		{{.eval_id = "e1"}, ""}, /* ids are compared exactly */
		{{.customer_id = "C1"}, "1 2 "},
		{{.decision = "review"}, "1 4 "},
		{{.decision = "review", .test = -1}, "1 "},
		{{.test = 1}, "4 "},
		{{.status = "closed"}, "2 "},
		{{.workflow = "KYB"}, "3 4 "},
		{{.environment = "sandbox"}, "1 2 "},
		{{.since = 2000000}, "2 3 4 "},
		{{.until = 2000000}, "1 "},
		{{.since = 2000000, .until = 4000000, .limit = 1}, "3 "},
		{{.eval_id = "' OR 1 --"}, ""},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_events(fixture->reader, &cases[i].filter, cases[i].seqs);
}

static void test_event_by_key(void **state)
{
	static const char *const cases[][2] = {
		{"1", "1 "},   /* a seq goes before an event_id that looks like one */
		{"b", "2 3 "}, /* one id, two types */
		{"99", ""},    {"x", ""}, {"", ""}, {"1x", ""},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf found = BUF_INIT(1024);

		assert_int_equal(query_event(fixture->reader, cases[i][0], collect_first, &found),
				 0);
		assert_string_equal(found.p ? found.p : "", cases[i][1]);
		buf_deinit(&found);
	}
}

static void test_deliveries(void **state)
{
	static const struct {
		struct delivery_filter filter;
		const char *deliveries;
	} cases[] = {
		{{.limit = 0}, "1 2 3 "},
		{{.limit = 1}, "3 "},
		{{.state = "DEAD"}, "2 "},
		{{.handler = "h1"}, "1 3 "},
		{{.seq = 1}, "1 2 "},
		{{.since = 2000000}, "3 "},
		{{.seq = 1, .state = "done"}, "1 "},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf found = BUF_INIT(1024);

		assert_int_equal(
			query_deliveries(fixture->reader, &cases[i].filter, collect_first, &found),
			0);
		assert_string_equal(found.p ? found.p : "", cases[i].deliveries);
		buf_deinit(&found);
	}
}

static int check_attempt(const struct value *values, int n_values, void *arg)
{
	static const char *const names[] = {"attempt", "delivery",  "started_at", "ended_at",
					    "outcome", "code",      "signal",     "reason",
					    "output",  "output_cut"};
	(void)arg;
	assert_int_equal(n_values, 10);
	for (int i = 0; i < n_values; i++)
		assert_string_equal(values[i].name, names[i]);
	assert_true(slice_eq_str(values[2].text, "1970-01-01T00:00:01.000Z"));
	assert_int_equal(values[3].type, VALUE_NULL);
	assert_int_equal(values[5].integer, 65);
	assert_int_equal(values[8].type, VALUE_BYTES);
	assert_int_equal(values[8].text.n, 2);
	assert_int_equal(values[9].type, VALUE_BOOL);
	return 17;
}

static void test_what_the_visitor_returns_ends_the_query(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(query_attempts(fixture->reader, 2, check_attempt, NULL), 17);
	assert_int_equal(query_attempts(fixture->reader, 1, check_attempt, NULL), 0);
}

static int check_bytes(const struct value *values, int n_values, void *arg)
{
	assert_int_equal(n_values, 1);
	assert_int_equal(values[0].type, VALUE_BYTES);
	assert_true(slice_eq_str(values[0].text, arg));
	return 1;
}

static void test_bodies(void **state)
{
	char event[] = "{}", quarantined[] = "[";
	struct fixture *fixture = *state;
	int64_t last_seq;

	assert_int_equal(query_payload(fixture->reader, 1, check_bytes, event), 1);
	assert_int_equal(query_payload(fixture->reader, 2, check_bytes, event), 0);
	assert_int_equal(query_quarantine_body(fixture->reader, 1, check_bytes, quarantined), 1);
	assert_int_equal(query_conflict_body(fixture->reader, 1, check_bytes, event), 0);
	assert_int_equal(query_last_seq(fixture->reader, &last_seq), 0);
	assert_int_equal(last_seq, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_event_filters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_event_by_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deliveries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_the_visitor_returns_ends_the_query, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
