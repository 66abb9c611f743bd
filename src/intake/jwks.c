/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/jwks.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <cjose/cjose.h>
#include <jansson.h>

#include "core/crypto.h"

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 8192 /* a larger one makes each request expensive */
#define RSA_MAX_E    4    /* bytes of the public exponent, for the same reason */

enum key_kind {
	KEY_RSA,
	KEY_P256,
	KEY_P384,
	KEY_P521,
};

static const struct {
	const char *name;
	enum key_kind kind;
} algorithms[JWS_ALGORITHMS] = {
	[JWS_RS256] = {"RS256", KEY_RSA},  [JWS_RS384] = {"RS384", KEY_RSA},
	[JWS_RS512] = {"RS512", KEY_RSA},  [JWS_PS256] = {"PS256", KEY_RSA},
	[JWS_PS384] = {"PS384", KEY_RSA},  [JWS_PS512] = {"PS512", KEY_RSA},
	[JWS_ES256] = {"ES256", KEY_P256}, [JWS_ES384] = {"ES384", KEY_P384},
	[JWS_ES512] = {"ES512", KEY_P521},
};

struct jwk {
	char *kid; /* or NULL */
	enum key_kind kind;
	int algorithm;      /* enum jws_algorithm, or -1: any that fits the kind */
	size_t signature_n; /* bytes */
	cjose_jwk_t *key;
};

struct jwks {
	_Atomic size_t references;
	size_t n;
	struct jwk keys[];
};

int jws_algorithm_of(struct slice name)
{
	for (int i = 0; i < JWS_ALGORITHMS; i++)
		if (slice_eq_str(name, algorithms[i].name))
			return i;
	return -1;
}

int base64url_decode(struct slice text, char **ret_p, size_t *ret_n)
{
	_cleanup_(freep)
	char *plain = malloc(text.n + 1);

	if (!plain)
		return -ENOMEM;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '+' || c == '/' || c == '=')
			return -EINVAL;
		plain[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
	}
	return base64_decode(slice_make(plain, text.n), ret_p, ret_n);
}

/* ---- one key ---- */

static struct slice member(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return slice_make(json_string_value(value), json_string_length(value));
}

/* @bits: significant ones of a big-endian number; @is_odd: its last one. Return: is it one? */
static bool read_number(const json_t *json, const char *name, size_t *ret_bits, bool *ret_is_odd)
{
	_cleanup_(freep)
	char *p = NULL;
	size_t n, zeros = 0;

	if (base64url_decode(member(json, name), &p, &n) < 0 || n == 0)
		return false;
	while (zeros < n && p[zeros] == 0)
		zeros++;
	*ret_bits = (n - zeros) * 8;
	for (unsigned top = zeros < n ? (unsigned char)p[zeros] : 0x80; !(top & 0x80); top <<= 1)
		--*ret_bits;
	*ret_is_odd = p[n - 1] & 1;
	return true;
}

static bool is_good_rsa(const json_t *json, size_t *ret_bytes)
{
	size_t n_bits, e_bits;
	bool is_odd, e_is_odd;

	if (!read_number(json, "n", &n_bits, &is_odd) ||
	    !read_number(json, "e", &e_bits, &e_is_odd))
		return false;
	*ret_bytes = (n_bits + 7) / 8;
	return is_odd && e_is_odd && n_bits >= RSA_MIN_BITS && n_bits <= RSA_MAX_BITS &&
	       e_bits >= 2 && e_bits <= 8 * RSA_MAX_E;
}

/*
 * RFC 7518 section 6.2.1.2: the full octets of the field's size, in base64url. Checked here since
 * cjose_jwk_import() ends in an assertion on coordinates that do not decode.
 */
static bool is_good_point(const json_t *json, size_t coordinate_n)
{
	static const char *const coordinates[] = {"x", "y"};

	for (size_t i = 0; i < ARRAY_SIZE(coordinates); i++) {
		_cleanup_(freep)
		char *p = NULL;
		size_t n;

		if (base64url_decode(member(json, coordinates[i]), &p, &n) < 0 || n != coordinate_n)
			return false;
	}
	return true;
}

/* the parts of a public key by its kind; nothing else reaches cjose */
static const struct {
	const char *kty, *crv;
	const char *parts[2];
	size_t signature_n; /* 0: as the modulus */
} kinds[] = {
	[KEY_RSA] = {"RSA", NULL, {"n", "e"}, 0},
	[KEY_P256] = {"EC", "P-256", {"x", "y"}, 64},
	[KEY_P384] = {"EC", "P-384", {"x", "y"}, 96},
	[KEY_P521] = {"EC", "P-521", {"x", "y"}, 132},
};

/* Return: enum key_kind, or -1 */
static int kind_of(const json_t *json)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!slice_eq_str(member(json, "kty"), kinds[i].kty))
			continue;
		if (!kinds[i].crv || slice_eq_str(member(json, "crv"), kinds[i].crv))
			return (int)i;
	}
	return -1;
}

/* Return: cjose's key, or NULL: not of use, or out of memory */
static cjose_jwk_t *import(const json_t *json, enum key_kind kind)
{
	const char *const *parts = kinds[kind].parts;
	_cleanup_(json_decrefp)
	json_t *public = json_pack("{s:s, s:s*, s:O, s:O}", "kty", kinds[kind].kty, "crv",
				   kinds[kind].crv, parts[0], json_object_get(json, parts[0]),
				   parts[1], json_object_get(json, parts[1]));
	_cleanup_(freep)
	char *text = public ? json_dumps(public, JSON_COMPACT) : NULL;
	cjose_err e;

	return text ? cjose_jwk_import(text, strlen(text), &e) : NULL;
}

/* RFC 7517 sections 4.2 and 4.3: may it verify signatures? */
static bool is_for_signatures(const json_t *json)
{
	const json_t *use = json_object_get(json, "use"), *ops = json_object_get(json, "key_ops");

	if (use && !slice_eq_str(member(json, "use"), "sig"))
		return false;
	if (!ops)
		return true;
	for (size_t i = 0; i < json_array_size(ops); i++) {
		const char *op = json_string_value(json_array_get(ops, i));

		if (op && strcmp(op, "verify") == 0)
			return true;
	}
	return false;
}

/* its own `alg`: one of ours that fits its kind, or none. Return: false for any other */
static bool read_algorithm(const json_t *json, struct jwk *key)
{
	key->algorithm = -1;
	if (!json_object_get(json, "alg"))
		return true;
	key->algorithm = jws_algorithm_of(member(json, "alg"));
	return key->algorithm >= 0 && algorithms[key->algorithm].kind == key->kind;
}

static bool read_kid(const json_t *json, struct jwk *key)
{
	struct slice kid = member(json, "kid");

	key->kid = NULL;
	if (!json_object_get(json, "kid"))
		return true;
	if (kid.n == 0 || kid.n > JWKS_KID_MAX)
		return false;
	key->kid = slice_dup(kid);
	return key->kid != NULL;
}

/* Return: was it of use? */
static bool read_key(const json_t *json, struct jwk *key)
{
	int kind = kind_of(json);

	if (kind < 0 || !is_for_signatures(json))
		return false;
	key->kind = (enum key_kind)kind;
	key->signature_n = kinds[kind].signature_n;
	if (kind == KEY_RSA ? !is_good_rsa(json, &key->signature_n)
			    : !is_good_point(json, key->signature_n / 2))
		return false;
	if (!read_algorithm(json, key) || !read_kid(json, key))
		return false;
	key->key = import(json, key->kind);
	if (key->key)
		return true;
	free(key->kid);
	return false;
}

/* ---- the set ---- */

int jwks_parse(struct slice json, struct jwks **ret)
{
	_cleanup_(json_decrefp)
	json_t *root = NULL;
	_cleanup_(jwks_unrefp)
	struct jwks *set = NULL;
	const json_t *keys;

	if (json.n > JWKS_MAX_SIZE)
		return -EFBIG;
	root = json.n ? json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	keys = json_object_get(root, "keys");
	if (!json_is_array(keys) || json_array_size(keys) > JWKS_MAX_KEYS)
		return -EINVAL;
	set = calloc(1, sizeof(*set) + json_array_size(keys) * sizeof(set->keys[0]));
	if (!set)
		return -ENOMEM;
	atomic_init(&set->references, 1);
	for (size_t i = 0; i < json_array_size(keys); i++)
		set->n += read_key(json_array_get(keys, i), &set->keys[set->n]);
	if (set->n == 0)
		return -ENOKEY;
	*ret = steal_ptr(&set);
	return 0;
}

struct jwks *jwks_ref(struct jwks *set)
{
	if (set)
		atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
	return set;
}

void jwks_unref(struct jwks *set)
{
	if (!set || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < set->n; i++) {
		free(set->keys[i].kid);
		(void)cjose_jwk_release(set->keys[i].key); /* says whether somebody else has it */
	}
	free(set);
}

size_t jwks_count(const struct jwks *set)
{
	return set->n;
}

static bool fits(const struct jwk *key, struct slice kid, enum jws_algorithm algorithm)
{
	if (key->kind != algorithms[algorithm].kind)
		return false;
	if (key->algorithm >= 0 && key->algorithm != (int)algorithm)
		return false;
	return slice_is_empty(kid) || (key->kid && slice_eq_str(kid, key->kid));
}

const struct jwk *jwks_next(const struct jwks *set, struct slice kid, enum jws_algorithm algorithm,
			    const struct jwk *after)
{
	for (size_t i = after ? (size_t)(after - set->keys) + 1 : 0; i < set->n; i++)
		if (fits(&set->keys[i], kid, algorithm))
			return &set->keys[i];
	return NULL;
}

/* cjose ignores what follows a complete ECDSA signature (RFC 7518 section 3.4: exactly so long) */
static bool has_length(struct slice token, size_t n)
{
	const char *dot = memrchr(token.p, '.', token.n);

	return dot && (size_t)(token.p + token.n - dot - 1) == (n * 8 + 5) / 6;
}

bool jwk_verify(const struct jwk *key, struct slice token)
{
	cjose_jws_t *jws;
	cjose_err e;
	bool ok;

	if (!has_length(token, key->signature_n))
		return false;
	jws = cjose_jws_import(token.p, token.n, &e);
	if (!jws)
		return false;
	ok = cjose_jws_verify(jws, key->key, &e);
	cjose_jws_release(jws);
	return ok;
}
