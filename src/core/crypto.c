/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "util/buf.h"
#include "util/cleanup.h"
#include "util/hex.h"

/* Without digests or random numbers nothing that the daemon promises can be kept. */
_Noreturn static void die(const char *what)
{
	(void)fprintf(stderr, "riskhookd: %s failed, giving up\n", what); /* nobody else to tell */
	abort();
}

static EVP_MD *sha256_md;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

/* A fetch searches the providers each time, so it is done once; the reference is kept for ever. */
static void fetch_sha256(void)
{
	sha256_md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
}

static const EVP_MD *sha256_algorithm(void)
{
	if (pthread_once(&sha256_once, fetch_sha256) != 0 || !sha256_md)
		die("libcrypto: fetching SHA-256");
	return sha256_md;
}

struct sha256 sha256_of(const void *p, size_t n)
{
	struct sha256 digest;

	if (EVP_Digest(n ? p : "", n, digest.bytes, NULL, sha256_algorithm(), NULL) != 1)
		die("libcrypto: SHA-256");
	return digest;
}

static bool digest_piece(EVP_MD_CTX *ctx, struct slice piece)
{
	unsigned char length[8];

	for (size_t i = 0; i < sizeof(length); i++)
		length[i] = (unsigned char)((uint64_t)piece.n >> (56 - 8 * i));
	return EVP_DigestUpdate(ctx, length, sizeof(length)) == 1 &&
	       (piece.n == 0 || EVP_DigestUpdate(ctx, piece.p, piece.n) == 1);
}

struct sha256 sha256_of_pieces(const struct slice *pieces, size_t n_pieces)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct sha256 digest;
	bool ok = ctx && EVP_DigestInit_ex(ctx, sha256_algorithm(), NULL) == 1;

	for (size_t i = 0; ok && i < n_pieces; i++)
		ok = digest_piece(ctx, pieces[i]);
	if (!ok || EVP_DigestFinal_ex(ctx, digest.bytes, NULL) != 1)
		die("libcrypto: SHA-256");
	EVP_MD_CTX_free(ctx);
	return digest;
}

bool sha256_eq(const struct sha256 *a, const struct sha256 *b)
{
	return CRYPTO_memcmp(a->bytes, b->bytes, SHA256_SIZE) == 0;
}

void random_bytes(void *p, size_t n)
{
	unsigned char *at = p;

	while (n > 0) {
		ssize_t k = getrandom(at, n, 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			die("getrandom()");
		at += k;
		n -= (size_t)k;
	}
}

static random_source source = random_bytes;

void random_set_source(random_source replacement)
{
	source = replacement ? replacement : random_bytes;
}

uint64_t random_below(uint64_t bound)
{
	/* the largest multiple of bound: what is above would make small results likelier */
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound, value;

	do {
		source(&value, sizeof(value));
	} while (value >= limit);
	return value % bound;
}

void secret_wipe(void *p, size_t n)
{
	if (p)
		explicit_bzero(p, n);
}

static int base64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* without the padding, which has to be complete if it is there */
static bool base64_unpad(struct slice *text)
{
	size_t padding = 0;

	while (padding < 2 && padding < text->n && text->p[text->n - 1 - padding] == '=')
		padding++;
	if (padding && text->n % 4 != 0)
		return false;
	text->n -= padding;
	return text->n % 4 != 1;
}

static bool base64_digits(struct slice text, char *out)
{
	uint32_t bits = 0;
	int n_bits = 0;

	for (size_t i = 0; i < text.n; i++) {
		int value = base64_value((unsigned char)text.p[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		*out++ = (char)(bits >> n_bits);
	}
	return (bits & ((1U << n_bits) - 1)) == 0; /* RFC 4648 section 3.5 */
}

int base64_decode(struct slice text, char **ret_p, size_t *ret_n)
{
	size_t n;
	char *p;

	if (!base64_unpad(&text))
		return -EINVAL;
	n = text.n / 4 * 3 + (text.n % 4 ? text.n % 4 - 1 : 0);
	p = malloc(n + 1);
	if (!p)
		return -ENOMEM;
	if (!base64_digits(text, p)) {
		secret_wipe(p, n);
		free(p);
		return -EINVAL;
	}
	p[n] = '\0';
	*ret_p = p;
	*ret_n = n;
	return 0;
}

void base64url_encode(const void *p, size_t n, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *u = p;
	uint32_t bits = 0;
	int n_bits = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | u[i];
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			*out++ = digits[bits >> (n_bits - 6) & 63];
	}
	if (n_bits > 0)
		*out++ = digits[bits << (6 - n_bits) & 63];
	*out = '\0';
}

#define SCRYPT_PREFIX     "scrypt:"
#define SCRYPT_LOG2N      15
#define SCRYPT_R          8
#define SCRYPT_P          1
#define SCRYPT_MAX_LOG2N  20
#define SCRYPT_MAX_R      64
#define SCRYPT_MAX_P      16
#define SCRYPT_MAX_MEMORY (256ULL << 20)
#define SCRYPT_SALT       16 /* of new hashes */
#define SCRYPT_MIN_SALT   8
#define SCRYPT_MAX_SALT   64
#define SCRYPT_DIGEST     32

struct scrypt {
	uint64_t log2n, r, p;
	unsigned char salt[SCRYPT_MAX_SALT];
	size_t salt_n;
	unsigned char digest[SCRYPT_DIGEST];
};

/* a decimal number in [1, max], up to the next colon */
static bool take_number(struct slice *rest, uint64_t max, uint64_t *ret)
{
	struct slice text;
	uint64_t value = 0;

	if (!slice_split(rest, ':', &text) || text.n == 0 || text.n > 3)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text.p[i] - '0');
	}
	*ret = value;
	return value >= 1 && value <= max;
}

static bool take_salt(struct slice *rest, struct scrypt *s)
{
	struct slice text;

	if (!slice_split(rest, ':', &text))
		return false;
	s->salt_n = text.n / 2;
	return s->salt_n >= SCRYPT_MIN_SALT && s->salt_n <= SCRYPT_MAX_SALT &&
	       hex_decode(text, s->salt, s->salt_n) == 0;
}

static bool scrypt_cost_is_bounded(const struct scrypt *s)
{
	/* RFC 7914 section 2: N < 2^(128 * r / 8) */
	return s->log2n < 16 * s->r && 128 * s->r << s->log2n <= SCRYPT_MAX_MEMORY;
}

static int scrypt_parse(struct slice text, struct scrypt *ret)
{
	struct slice prefix = SLICE(SCRYPT_PREFIX), rest;

	if (text.n < prefix.n || !slice_eq(slice_make(text.p, prefix.n), prefix))
		return -EINVAL;
	rest = slice_make(text.p + prefix.n, text.n - prefix.n);
	if (!take_number(&rest, SCRYPT_MAX_LOG2N, &ret->log2n) ||
	    !take_number(&rest, SCRYPT_MAX_R, &ret->r) ||
	    !take_number(&rest, SCRYPT_MAX_P, &ret->p) || !take_salt(&rest, ret))
		return -EINVAL;
	if (!scrypt_cost_is_bounded(ret))
		return -EINVAL;
	return hex_decode(rest, ret->digest, SCRYPT_DIGEST);
}

/* the digest of @password by the parameters in @s */
static int scrypt_derive(const struct scrypt *s, struct slice password,
			 unsigned char out[SCRYPT_DIGEST])
{
	/* what OpenSSL counts: V, the block for mixing, and B */
	uint64_t memory = (128 * s->r << s->log2n) + 256 * s->r + 128 * s->r * s->p;

	if (EVP_PBE_scrypt(password.n ? password.p : "", password.n, s->salt, s->salt_n,
			   1ULL << s->log2n, s->r, s->p, memory, out, SCRYPT_DIGEST) != 1)
		return -ENOMEM; /* the parameters have been checked */
	return 0;
}

char *password_hash_new(struct slice password)
{
	struct scrypt s = {
		.log2n = SCRYPT_LOG2N, .r = SCRYPT_R, .p = SCRYPT_P, .salt_n = SCRYPT_SALT};
	char salt[2 * SCRYPT_SALT + 1], digest[2 * SCRYPT_DIGEST + 1];
	struct buf text = BUF_INIT(256);

	random_bytes(s.salt, s.salt_n);
	if (scrypt_derive(&s, password, s.digest) < 0)
		return NULL;
	hex_encode(s.salt, s.salt_n, salt);
	hex_encode(s.digest, SCRYPT_DIGEST, digest);
	buf_printf(&text, SCRYPT_PREFIX "%d:%d:%d:%s:%s", SCRYPT_LOG2N, SCRYPT_R, SCRYPT_P, salt,
		   digest);
	return buf_steal(&text);
}

int password_hash_check(struct slice text)
{
	struct scrypt s;

	return scrypt_parse(text, &s);
}

int password_hash_verify(struct slice hash, struct slice password)
{
	unsigned char digest[SCRYPT_DIGEST];
	struct scrypt s;
	int r;

	r = scrypt_parse(hash, &s);
	if (r < 0)
		return r;
	r = scrypt_derive(&s, password, digest);
	if (r < 0)
		return r;
	r = CRYPTO_memcmp(digest, s.digest, SCRYPT_DIGEST) != 0;
	secret_wipe(digest, sizeof(digest));
	return r;
}
