/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/auth.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/crypto.h"
#include "util/buf.h"
#include "util/hex.h"
#include "util/thread.h"

/* checks that would outlast the alarm if each computed scrypt */
#define MANY    5000
#define ALARM_S 120

static char e_riskos[] = "riskos", e_other[] = "other";
static char n_basic[] = "basic", n_bearer[] = "bearer", n_lenient[] = "lenient", n_old[] = "old",
	    n_new[] = "new";
static char user[] = "riskos", user_utf8[] = "J\xc3\xbcrgen";
static char password[] = "open:sesame", password_utf8[] = "pa\xc3\x9fwort", token[] = "t0ken-abc";

#define BASIC(name_, user_, password_)                                                             \
	{                                                                                          \
		.name = (name_), .endpoint = e_riskos, .type = CREDENTIAL_BASIC,                   \
		.username = (user_), .secret = (password_), .secret_n = sizeof(password_) - 1      \
	}
#define BEARER(name_, token_)                                                                      \
	{                                                                                          \
		.name = (name_), .endpoint = e_riskos, .type = CREDENTIAL_BEARER,                  \
		.secret = (token_), .secret_n = sizeof(token_) - 1                                 \
	}

static struct credential_set *set_of(struct credential_config *credentials, size_t n,
				     const char *endpoint)
{
	struct config config = {.credentials = credentials, .n_credentials = n};
	struct auth_services services = {.outbound = NULL};
	struct credential_set *set = NULL;

	assert_int_equal(credential_set_new(&config, endpoint, &services, &set, NULL), 0);
	return set;
}

static int check(struct credential_set *set, const char *header)
{
	const char *name;

	return auth_check(set, slice_of(header), 1000, NULL, &name);
}

static int check_name(struct credential_set *set, const char *header, int64_t now_us,
		      const char **ret_name)
{
	*ret_name = NULL;
	return auth_check(set, slice_of(header), now_us, NULL, ret_name);
}

static void test_header_shapes(void **state)
{
	struct credential_config credentials[] = {BASIC(n_basic, user, password),
						  BASIC(n_basic, user_utf8, password_utf8),
						  BEARER(n_bearer, token)};
	_cleanup_(credential_set_freep)
	struct credential_set *set = set_of(credentials, ARRAY_SIZE(credentials), "riskos");
	static const struct {
		const char *header;
		int outcome;
	} cases[] = {
		{"", AUTH_E_MISSING},
		{" \t ", AUTH_E_MISSING},
		{"Basic cmlza29zOm9wZW46c2VzYW1l", AUTH_OK}, /* riskos:open:sesame */
		{"bAsIc\t  cmlza29zOm9wZW46c2VzYW1l  ", AUTH_OK},
		{" Basic cmlza29zOm9wZW46c2VzYW1l", AUTH_OK},
		{"Basic SsO8cmdlbjpwYcOfd29ydA==", AUTH_OK},
		{"Basic SsO8cmdlbjpwYcOfd29ydA", AUTH_OK},              /* unpadded */
		{"Basic cmlza29zOm9wZW4=", AUTH_E_UNKNOWN},             /* riskos:open */
		{"Basic UklTS09TOm9wZW46c2VzYW1l", AUTH_E_UNKNOWN},     /* RISKOS:... */
		{"Basic cmlza29zOm9wZW46c2VzYW1lAA==", AUTH_E_UNKNOWN}, /* a NUL at the end */
		{"Basic cmlza29zADpvcGVuOnNlc2FtZQ==", AUTH_E_UNKNOWN}, /* a NUL in the user */
		{"Basic Og==", AUTH_E_UNKNOWN},                         /* nobody, nothing */
		{"Basic cmlza29z", AUTH_E_MALFORMED},                   /* no colon */
		{"Basic ****", AUTH_E_MALFORMED},
		{"Basic cmlza29zOm9wZW46c2VzYW1l=", AUTH_E_MALFORMED},
		{"Basic cmlza29z Om9wZW46c2VzYW1l", AUTH_E_MALFORMED},
		{"Basic", AUTH_E_UNKNOWN},
		{"Basic  ", AUTH_E_UNKNOWN},
		{"Bearer t0ken-abc", AUTH_OK},
		{"BEARER \t t0ken-abc ", AUTH_OK},
		{"bearer Bearer t0ken-abc", AUTH_OK},
		{"Bearer Bearer Bearer t0ken-abc", AUTH_E_MALFORMED},
		{"Bearer t0ken-abcd", AUTH_E_UNKNOWN},
		{"Bearer t0ken-ab", AUTH_E_UNKNOWN},
		{"Bearer T0KEN-ABC", AUTH_E_UNKNOWN},
		{"Bearer t0ken-abc x", AUTH_E_MALFORMED},
		{"Bearert0ken-abc", AUTH_E_UNKNOWN},
		{"Bearer", AUTH_E_UNKNOWN},
		{"t0ken-abc", AUTH_E_UNKNOWN}, /* only with lenient = yes */
		{"Digest username=\"riskos\"", AUTH_E_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (check(set, cases[i].header) != cases[i].outcome)
			fail_msg("'%s': not %d", cases[i].header, cases[i].outcome);
	}
}

static void test_lenient_takes_a_bare_token(void **state)
{
	struct credential_config credentials[] = {BEARER(n_lenient, token)};
	struct credential_set *set;

	(void)state;
	credentials[0].lenient = true;
	set = set_of(credentials, 1, "riskos");
	assert_int_equal(check(set, "t0ken-abc"), AUTH_OK);
	assert_int_equal(check(set, "  t0ken-abc\t"), AUTH_OK);
	assert_int_equal(check(set, "Bearer t0ken-abc"), AUTH_OK);
	assert_int_equal(check(set, "t0ken-abd"), AUTH_E_UNKNOWN);
	assert_int_equal(check(set, "Token t0ken-abc"), AUTH_E_MALFORMED);
	credential_set_free(set);
}

static void test_another_endpoints_credential_opens_nothing(void **state)
{
	struct credential_config credentials[] = {BASIC(n_basic, user, password),
						  BEARER(n_bearer, token)};
	struct credential_set *set;

	(void)state;
	credentials[1].endpoint = e_other;
	set = set_of(credentials, 2, "other");
	assert_int_equal(check(set, "Basic cmlza29zOm9wZW46c2VzYW1l"), AUTH_E_UNKNOWN);
	assert_int_equal(check(set, "Bearer t0ken-abc"), AUTH_OK);
	assert_false(credential_set_offers(set, SCHEME_BASIC));
	assert_true(credential_set_offers(set, SCHEME_BEARER));
	credential_set_free(set);

	set = set_of(credentials, 2, "third");
	assert_int_equal(check(set, "Bearer t0ken-abc"), AUTH_E_UNKNOWN);
	assert_false(credential_set_offers(set, SCHEME_BEARER));
	credential_set_free(set);
}

static void test_validity_and_rotation(void **state)
{
	static char second[] = "second";
	struct credential_config credentials[] = {BEARER(n_old, token), BEARER(n_new, second)};
	const char *name;
	struct credential_set *set;

	(void)state;
	credentials[0].not_after_us = 2000;
	credentials[1].not_before_us = 1000;
	set = set_of(credentials, 2, "riskos");
	assert_int_equal(check_name(set, "Bearer second", 999, &name), AUTH_E_EXPIRED);
	assert_string_equal(name, "new");
	assert_int_equal(check_name(set, "Bearer second", 1000, &name), AUTH_OK);
	assert_int_equal(check_name(set, "Bearer t0ken-abc", 1999, &name), AUTH_OK);
	assert_string_equal(name, "old");
	assert_int_equal(check_name(set, "Bearer t0ken-abc", 2000, &name), AUTH_E_EXPIRED);
	assert_int_equal(check_name(set, "Bearer neither", 1500, &name), AUTH_E_UNKNOWN);
	assert_null(name);
	credential_set_free(set);
}

/* the same secret twice, one of them over: it is still live */
static void test_live_wins_over_expired(void **state)
{
	struct credential_config credentials[] = {BEARER(n_new, token), BEARER(n_old, token)};
	const char *name;
	struct credential_set *set;

	(void)state;
	credentials[1].not_after_us = 10;
	set = set_of(credentials, 2, "riskos");
	assert_int_equal(check_name(set, "Bearer t0ken-abc", 500, &name), AUTH_OK);
	assert_string_equal(name, "new");
	credential_set_free(set);
}

static void test_token_hash(void **state)
{
	char hash[7 + 2 * SHA256_SIZE + 1] = "SHA256:";
	struct sha256 digest = sha256_of(token, sizeof(token) - 1);
	struct credential_config credential = {.name = n_bearer,
					       .endpoint = e_riskos,
					       .type = CREDENTIAL_BEARER,
					       .token_hash = hash};
	struct credential_set *set;

	(void)state;
	hex_encode(digest.bytes, SHA256_SIZE, hash + 7);
	set = set_of(&credential, 1, "riskos");
	assert_int_equal(check(set, "Bearer t0ken-abc"), AUTH_OK);
	assert_int_equal(check(set, "Bearer t0ken-abd"), AUTH_E_UNKNOWN);
	/* who reads the configuration cannot log in with what it says */
	assert_int_equal(auth_check(set, slice_of(hash), 1000, NULL, &(const char *){NULL}),
			 AUTH_E_UNKNOWN);
	credential_set_free(set);
}

static struct credential_config hashed_credential(void)
{
	return (struct credential_config){
		.name = n_basic,
		.endpoint = e_riskos,
		.type = CREDENTIAL_BASIC,
		.username = user,
		.password_hash = password_hash_new(slice_of(password)),
	};
}

static void test_password_hash(void **state)
{
	struct credential_config credential = hashed_credential();
	struct credential_set *set = set_of(&credential, 1, "riskos");

	(void)state;
	for (int seen = 0; seen < 2; seen++) {
		assert_int_equal(check(set, "Basic cmlza29zOm9wZW4="), AUTH_E_UNKNOWN);
		/* the right password of another user */
		assert_int_equal(check(set, "Basic cm9vdDpvcGVuOnNlc2FtZQ=="), AUTH_E_UNKNOWN);
		assert_int_equal(check(set, "Bearer t0ken-abc"), AUTH_E_UNKNOWN);
		assert_int_equal(check(set, "Basic cmlza29zOm9wZW46c2VzYW1l"), AUTH_OK);
	}
	credential_set_free(set);
	free(credential.password_hash);
}

/* Seen right once, it is remembered. */
static void test_password_hash_is_computed_once(void **state)
{
	struct credential_config credential = hashed_credential();
	struct credential_set *set = set_of(&credential, 1, "riskos");

	(void)state;
	for (int i = 0; i < MANY; i++)
		assert_int_equal(check(set, "Basic cmlza29zOm9wZW46c2VzYW1l"), AUTH_OK);
	credential_set_free(set);
	free(credential.password_hash);
}

/* Rotation: the next password is there, nobody uses it yet, and the present one stays quick. */
static void test_unused_hash_costs_nothing(void **state)
{
	struct credential_config credentials[] = {hashed_credential(),
						  BASIC(n_old, user_utf8, password_utf8)};
	struct credential_set *set = set_of(credentials, 2, "riskos");
	const char *name;

	(void)state;
	for (int i = 0; i < MANY; i++)
		assert_int_equal(check_name(set, "Basic SsO8cmdlbjpwYcOfd29ydA==", 1000, &name),
				 AUTH_OK);
	assert_string_equal(name, "old");
	credential_set_free(set);
	free(credentials[0].password_hash);
}

struct crowd {
	struct credential_set *set;
	pthread_barrier_t start;
};

static void *crowd_run(void *arg)
{
	struct crowd *crowd = arg;
	int r;

	(void)pthread_barrier_wait(&crowd->start);
	r = check(crowd->set, "Basic cmlza29zOm9wZW46c2VzYW1l");
	return r == AUTH_OK ? NULL : crowd;
}

/* the first requests after a start come at once, and a 401 would lose their events */
static void test_password_hash_first_seen_by_many(void **state)
{
	enum { N = 4 };
	struct credential_config credential = hashed_credential();
	struct crowd crowd = {.set = set_of(&credential, 1, "riskos")};
	pthread_t threads[N];

	(void)state;
	assert_int_equal(pthread_barrier_init(&crowd.start, NULL, N), 0);
	for (int i = 0; i < N; i++)
		assert_int_equal(thread_start(&threads[i], "crowd", crowd_run, &crowd), 0);
	for (int i = 0; i < N; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	pthread_barrier_destroy(&crowd.start);
	credential_set_free(crowd.set);
	free(credential.password_hash);
}

static void test_hostile_sizes(void **state)
{
	enum { N = 1 << 20 };
	struct credential_config credentials[] = {BASIC(n_basic, user, password),
						  BEARER(n_lenient, token)};
	struct credential_set *set;
	const struct slice basic = SLICE("Basic "), bearer = SLICE("Bearer");
	char *header = malloc(N);
	const char *name;

	(void)state;
	assert_non_null(header);
	credentials[1].lenient = true;
	set = set_of(credentials, 2, "riskos");
	memset(header, 'A', N);
	assert_int_equal(auth_check(set, slice_make(header, N), 1000, NULL, &name), AUTH_E_UNKNOWN);
	memcpy(header, basic.p, basic.n);
	assert_int_equal(auth_check(set, slice_make(header, N - 2), 1000, NULL, &name),
			 AUTH_E_MALFORMED);
	memcpy(header, bearer.p, bearer.n);
	memset(header + 6, ' ', N - 6);
	assert_int_equal(auth_check(set, slice_make(header, N), 1000, NULL, &name), AUTH_E_UNKNOWN);
	assert_int_equal(auth_check(set, SLICE("t0ken-abc\0"), 1000, NULL, &name), AUTH_E_UNKNOWN);
	assert_int_equal(auth_check(set, SLICE("\0t0ken-abc"), 1000, NULL, &name), AUTH_E_UNKNOWN);
	assert_int_equal(auth_check(set, SLICE_NULL, 1000, NULL, &name), AUTH_E_MISSING);
	free(header);
	credential_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_shapes),
		cmocka_unit_test(test_lenient_takes_a_bare_token),
		cmocka_unit_test(test_another_endpoints_credential_opens_nothing),
		cmocka_unit_test(test_validity_and_rotation),
		cmocka_unit_test(test_live_wins_over_expired),
		cmocka_unit_test(test_token_hash),
		cmocka_unit_test(test_password_hash),
		cmocka_unit_test(test_password_hash_is_computed_once),
		cmocka_unit_test(test_unused_hash_costs_nothing),
		cmocka_unit_test(test_password_hash_first_seen_by_many),
		cmocka_unit_test(test_hostile_sizes),
	};

	(void)alarm(ALARM_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
