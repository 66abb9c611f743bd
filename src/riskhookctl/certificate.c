/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "util/buf.h"
#include "util/cleanup.h"

#define VALID_DAYS 825
#define SUBJECT    "riskhookd" /* clients look at the names alone */
#define CURVE      "P-256"
#define SKEW_S     3600 /* for clients whose clock is behind */

DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free)

static int openssl_fail(struct error *e, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_get_error());

	ERR_clear_error();
	return error_set(e, -EIO, "%s: %s", what, reason ? reason : "unknown error");
}

static bool is_address(const char *name)
{
	unsigned char raw[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, raw) == 1 || inet_pton(AF_INET6, name, raw) == 1;
}

/* "DNS:localhost,IP:127.0.0.1,..." */
static int format_names(const char *const *names, size_t n_names, struct buf *out)
{
	for (size_t i = 0; i < n_names; i++)
		buf_printf(out, "%s%s:%s", i ? "," : "", is_address(names[i]) ? "IP" : "DNS",
			   names[i]);
	return buf_error(out);
}

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	bool ok;

	X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	ok = extension && X509_add_ext(x, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok;
}

static bool add_extensions(X509 *x, const char *const *names, size_t n_names)
{
	struct buf san = BUF_INIT(16 * 1024);
	bool ok = format_names(names, n_names, &san) == 0 &&
		  add_extension(x, NID_subject_alt_name, san.p) &&
		  add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
		  add_extension(x, NID_key_usage, "critical,digitalSignature") &&
		  add_extension(x, NID_ext_key_usage, "serverAuth") &&
		  add_extension(x, NID_subject_key_identifier, "hash");

	buf_deinit(&san);
	return ok;
}

static bool set_serial(X509 *x)
{
	unsigned char raw[8];
	uint64_t serial = 0;

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return false;
	for (size_t i = 0; i < sizeof(raw); i++)
		serial = serial << 8 | raw[i];
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *const *names, size_t n_names)
{
	X509_NAME *subject = X509_get_subject_name(x);

	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -SKEW_S) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), (long)VALID_DAYS * 24 * 3600) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					  (const unsigned char *)SUBJECT, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key) == 1 &&
	       add_extensions(x, names, n_names) && X509_sign(x, key, EVP_sha256()) > 0;
}

static char *bio_text(BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	return n > 0 ? slice_dup(slice_make(p, (size_t)n)) : NULL;
}

static int to_pem(X509 *x, EVP_PKEY *key, char **ret_certificate, char **ret_key)
{
	_cleanup_(BIO_free_allp)
	BIO *certificate = BIO_new(BIO_s_mem());
	_cleanup_(BIO_free_allp)
	BIO *secret = BIO_new(BIO_s_secmem());
	char *certificate_text, *key_text;

	if (!certificate || !secret || PEM_write_bio_X509(certificate, x) != 1 ||
	    PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) != 1)
		return -ENOMEM;
	certificate_text = bio_text(certificate);
	key_text = bio_text(secret);
	if (!certificate_text || !key_text) {
		free(certificate_text);
		free(key_text);
		return -ENOMEM;
	}
	*ret_certificate = certificate_text;
	*ret_key = key_text;
	return 0;
}

int certificate_create(const char *const *names, size_t n_names, char **ret_certificate,
		       char **ret_key, struct error *e)
{
	_cleanup_(EVP_PKEY_freep)
	EVP_PKEY *key = EVP_EC_gen(CURVE);
	_cleanup_(X509_freep)
	X509 *x = X509_new();

	if (!key || !x || !fill(x, key, names, n_names))
		return openssl_fail(e, "cannot make a certificate");
	if (to_pem(x, key, ret_certificate, ret_key) < 0)
		return openssl_fail(e, "cannot write the certificate");
	return 0;
}

/* copy a DNS name; a wildcard label becomes a name that it covers */
static void copy_name(char out[CERTIFICATE_NAME_MAX], struct slice name)
{
	bool is_wildcard = name.n > 2 && name.p[0] == '*' && name.p[1] == '.';

	(void)snprintf(out, CERTIFICATE_NAME_MAX, "%s%.*s", is_wildcard ? "riskhookd" : "",
		       (int)(is_wildcard ? name.n - 1 : name.n),
		       is_wildcard ? name.p + 1 : name.p); /* a DNS name has at most 253 bytes */
}

static void read_names(X509 *x, struct certificate_facts *facts)
{
	_cleanup_(GENERAL_NAMES_freep)
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	bool is_local = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		struct slice text;

		if (name->type != GEN_DNS)
			continue;
		text = slice_make((const char *)ASN1_STRING_get0_data(name->d.dNSName),
				  (size_t)ASN1_STRING_length(name->d.dNSName));
		if (slice_eq_nocase(text, SLICE("localhost")))
			is_local = true;
		else if (!facts->public_name[0])
			copy_name(facts->public_name, text);
	}
	copy_name(facts->local_name, is_local ? SLICE("localhost") : slice_of(facts->public_name));
}

int certificate_read(const char *path, const char *address, struct certificate_facts *ret,
		     struct error *e)
{
	_cleanup_(BIO_free_allp)
	BIO *file = BIO_new_file(path, "r");
	_cleanup_(X509_freep)
	X509 *x = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
	struct certificate_facts facts = {.self_signed = false};

	if (!x) {
		(void)openssl_fail(e, path);
		return error_prefix(e, -EIO, "cannot read the certificate");
	}
	facts.self_signed = X509_self_signed(x, 0) == 1;
	facts.matches_address = X509_check_ip_asc(x, address, 0) == 1;
	read_names(x, &facts);
	*ret = facts;
	return 0;
}
