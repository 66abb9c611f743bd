/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/crypto.h"
#include "util/hex.h"
#include "util/macros.h"

static void assert_digest(struct sha256 digest, const char *hex)
{
	char text[2 * SHA256_SIZE + 1];

	hex_encode(digest.bytes, SHA256_SIZE, text);
	assert_string_equal(text, hex);
}

/* FIPS 180-4's examples */
static void test_sha256(void **state)
{
	struct sha256 a, b;

	(void)state;
	assert_digest(sha256_of(NULL, 0),
		      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_digest(sha256_of("abc", 3),
		      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_digest(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
		      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	a = b = sha256_of("abc", 3);
	assert_true(sha256_eq(&a, &b));
	b.bytes[SHA256_SIZE - 1] ^= 1;
	assert_false(sha256_eq(&a, &b));
}

static void test_pieces_do_not_run_together(void **state)
{
	const struct slice ab_c[] = {SLICE("ab"), SLICE("c")}, a_bc[] = {SLICE("a"), SLICE("bc")};
	const struct slice abc_empty[] = {SLICE("abc"), SLICE_NULL}, abc[] = {SLICE("abc")};
	struct sha256 digests[] = {
		sha256_of_pieces(ab_c, 2),      sha256_of_pieces(a_bc, 2),
		sha256_of_pieces(abc_empty, 2), sha256_of_pieces(abc, 1),
		sha256_of_pieces(abc, 0),       sha256_of("abc", 3),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(digests); i++)
		for (size_t j = 0; j < i; j++)
			assert_false(sha256_eq(&digests[i], &digests[j]));
	/* the length as eight bytes, the most significant first */
	assert_digest(digests[3],
		      "c3494ca1a2cf8eeb8a11ded316fb55b83c3bbbedb6313cd50415251e5d09e12f");
}

static void test_random(void **state)
{
	unsigned char a[32] = {0}, b[32] = {0};
	bool seen[7] = {false};

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_bytes(a, 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t value = random_below(7);

		assert_true(value < 7);
		seen[value] = true;
	}
	for (int i = 0; i < 7; i++)
		assert_true(seen[i]); /* missed once in 10^66 runs */
	assert_int_equal(random_below(1), 0);
	assert_true(random_below(UINT64_MAX) < UINT64_MAX);
	assert_true(random_below((1ULL << 63) + 1) <= 1ULL << 63);
}

static void test_wipe(void **state)
{
	char secret[] = "secret";
	static const char zeros[sizeof(secret)];

	(void)state;
	secret_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, zeros, sizeof(secret));
	secret_wipe(NULL, 0);
}

static void test_base64(void **state)
{
	/* RFC 4648 section 10, with and without padding, and RFC 7617's example */
	static const struct {
		struct slice text, bytes;
	} cases[] = {
		{SLICE(""), SLICE("")},
		{SLICE_NULL, SLICE("")},
		{SLICE("Zg=="), SLICE("f")},
		{SLICE("Zg"), SLICE("f")},
		{SLICE("Zm8="), SLICE("fo")},
		{SLICE("Zm8"), SLICE("fo")},
		{SLICE("Zm9v"), SLICE("foo")},
		{SLICE("Zm9vYg=="), SLICE("foob")},
		{SLICE("Zm9vYmE="), SLICE("fooba")},
		{SLICE("Zm9vYmFy"), SLICE("foobar")},
		{SLICE("+/+/"), SLICE("\xfb\xff\xbf")},
		{SLICE("AAAA"), SLICE("\0\0\0")},
		{SLICE("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), SLICE("Aladdin:open sesame")},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *p = NULL;
		size_t n = 99;

		assert_int_equal(base64_decode(cases[i].text, &p, &n), 0);
		assert_int_equal(n, cases[i].bytes.n);
		assert_memory_equal(p, cases[i].bytes.p, n + 1);
		free(p);
	}
}

static void test_base64_garbage(void **state)
{
	static const struct slice cases[] = {
		SLICE("Z"),        SLICE("Zg="),        SLICE("Zg==="), SLICE("Zm9v="),
		SLICE("="),        SLICE("=="),         SLICE("===="),  SLICE("Z==="),
		SLICE("Zm9v\n"),   SLICE("Zm 9v"),      SLICE("Zm-_"),  SLICE("Zm9v\0"),
		SLICE("Zg==Zg=="), SLICE("Z\xc3\xa4g"), SLICE("Zh=="),  SLICE("Zm9="),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *p = NULL;
		size_t n = 99;

		assert_int_equal(base64_decode(cases[i], &p, &n), -EINVAL);
		assert_null(p);
		assert_int_equal(n, 99);
	}
}

static void test_password_hash(void **state)
{
	char *hash = password_hash_new(SLICE("correct horse"));
	char *other = password_hash_new(SLICE("correct horse"));

	(void)state;
	assert_non_null(hash);
	assert_non_null(other);
	assert_memory_equal(hash, "scrypt:15:8:1:", 14);
	assert_int_equal(strlen(hash), 14 + 32 + 1 + 64);
	assert_string_not_equal(hash, other); /* a salt of its own */
	assert_int_equal(password_hash_check(slice_of(hash)), 0);
	assert_int_equal(password_hash_verify(slice_of(hash), SLICE("correct horse")), 0);
	assert_int_equal(password_hash_verify(slice_of(hash), SLICE("correct horsf")), 1);
	assert_int_equal(password_hash_verify(slice_of(hash), SLICE("correct horse ")), 1);
	assert_int_equal(password_hash_verify(slice_of(hash), SLICE_NULL), 1);
	free(other);
	free(hash);
}

#define SALT   "4e61436c4e61436c" /* "NaCl" twice */
#define DIGEST "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void test_password_hash_of_others(void **state)
{
	/* python3: hashlib.scrypt(b'password', salt=b'NaClNaCl', n=1024, r=8, p=16, dklen=32) */
	static const struct slice hash =
		SLICE("scrypt:10:8:16:" SALT
		      ":5EC0B6653757278CEC7F355D46D4D034D497313A2A7FEB5C4B189317953F116E");

	(void)state;
	assert_int_equal(password_hash_verify(hash, SLICE("password")), 0);
	assert_int_equal(password_hash_verify(hash, SLICE("Password")), 1);
}

static void test_password_hash_form(void **state)
{
	static const struct {
		struct slice text;
		bool good;
	} cases[] = {
		{SLICE("scrypt:15:8:1:" SALT ":" DIGEST), true},
		{SLICE("scrypt:1:1:1:" SALT ":" DIGEST), true},
		{SLICE("scrypt:20:2:1:" SALT ":" DIGEST), true},  /* 256 MiB, the most */
		{SLICE("scrypt:20:3:1:" SALT ":" DIGEST), false}, /* 384 MiB */
		{SLICE("scrypt:21:1:1:" SALT ":" DIGEST), false},
		{SLICE("scrypt:16:1:1:" SALT ":" DIGEST), false}, /* RFC 7914: N < 2^(16 r) */
		{SLICE("scrypt:0:8:1:" SALT ":" DIGEST), false},
		{SLICE("scrypt:15:0:1:" SALT ":" DIGEST), false},
		{SLICE("scrypt:15:8:0:" SALT ":" DIGEST), false},
		{SLICE("scrypt:15:8:17:" SALT ":" DIGEST), false},
		{SLICE("scrypt:15:8:99999999999999999999:" SALT ":" DIGEST), false},
		{SLICE("scrypt:-1:8:1:" SALT ":" DIGEST), false},
		{SLICE("scrypt::8:1:" SALT ":" DIGEST), false},
		{SLICE("scrypt:15:8:1:" SALT ":" DIGEST "00"), false},
		{SLICE("scrypt:15:8:1:" SALT ":" DIGEST ":"), false},
		{SLICE("scrypt:15:8:1:" SALT ":"), false},
		{SLICE("scrypt:15:8:1:" SALT), false},
		{SLICE("scrypt:15:8:1::" DIGEST), false},
		{SLICE("scrypt:15:8:1:4e61:" DIGEST), false}, /* a short salt */
		{SLICE("scrypt:15:8:1:zz61436c4e61436c:" DIGEST), false},
		{SLICE("scrypt:15:8:1:" SALT "4:" DIGEST), false},
		{SLICE("sha256:" DIGEST), false},
		{SLICE("scrypt:"), false},
		{SLICE(""), false},
		{SLICE_NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = password_hash_check(cases[i].text);

		assert_int_equal(r, cases[i].good ? 0 : -EINVAL);
		if (!cases[i].good)
			assert_int_equal(password_hash_verify(cases[i].text, SLICE("x")), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_pieces_do_not_run_together),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_garbage),
		cmocka_unit_test(test_password_hash),
		cmocka_unit_test(test_password_hash_of_others),
		cmocka_unit_test(test_password_hash_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
