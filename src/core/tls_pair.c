/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tls_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "core/crypto.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include "util/units.h"

#define PEM_MAX (256 * 1024) /* bytes; a long chain has a tenth of it */

DEFINE_CLEANUP(BIO *, BIO_free)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

int tls_no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* one of the files, and where it was named */
struct source {
	const char *option, *path;
	const struct origin *given;
};

/* the sentence in @e gets its place; Return: @code */
static int fail(const struct source *from, struct error *e, int code)
{
	return from->given->line
		       ? error_prefix(e, code, "%s:%d", from->given->file, from->given->line)
		       : code;
}

static int read_file(const struct source *from, char **ret, struct error *e)
{
	size_t n;
	int r;

	r = fd_read_file(from->path, PEM_MAX, ret, &n);
	if (r == 0)
		return 0;
	(void)error_set(e, r, "cannot read [server] %s '%s': %s", from->option, from->path,
			error_name(r)); /* returns r */
	return fail(from, e, r);
}

static X509 *parse_certificate(const char *pem)
{
	_cleanup_(BIO_freep)
	BIO *bio = BIO_new_mem_buf(pem, -1);

	return bio ? PEM_read_bio_X509(bio, NULL, tls_no_passphrase, NULL) : NULL;
}

static EVP_PKEY *parse_key(const char *pem)
{
	_cleanup_(BIO_freep)
	BIO *bio = BIO_new_mem_buf(pem, -1);

	return bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_no_passphrase, NULL) : NULL;
}

static int64_t time_of(const ASN1_TIME *time)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * US_PER_S : 0;
}

static int check(struct tls_pair *pair, const struct source *chain, const struct source *secret,
		 struct error *e)
{
	_cleanup_(X509_freep)
	X509 *certificate = parse_certificate(pair->certificate);
	_cleanup_(EVP_PKEY_freep)
	EVP_PKEY *key = parse_key(pair->private_key);

	if (!certificate)
		return fail(chain, e,
			    error_set(e, -EINVAL,
				      "[server] tls_certificate '%s' holds no PEM certificate",
				      chain->path));
	if (!key)
		return fail(secret, e,
			    error_set(e, -EINVAL,
				      "[server] tls_private_key '%s' holds no PEM private key "
				      "without a passphrase",
				      secret->path));
	if (X509_check_private_key(certificate, key) != 1)
		return fail(secret, e,
			    error_set(e, -EINVAL,
				      "[server] tls_private_key '%s' does not belong to the first "
				      "certificate in '%s'",
				      secret->path, chain->path));
	pair->not_after = time_of(X509_get0_notAfter(certificate));
	return 0;
}

static int read_client_ca(struct tls_pair *pair, const struct source *from, struct error *e)
{
	_cleanup_(X509_freep)
	X509 *authority = NULL;
	int r;

	if (!from->path)
		return 0;
	r = read_file(from, &pair->client_ca, e);
	if (r < 0)
		return r;
	authority = parse_certificate(pair->client_ca);
	if (authority)
		return 0;
	return fail(from, e,
		    error_set(e, -EINVAL, "[server] tls_client_ca '%s' holds no PEM certificate",
			      from->path));
}

int tls_pair_read(const struct server_config *server, struct tls_pair *ret, struct error *e)
{
	const struct tls_origins *given = &server->tls_given;
	const struct source chain = {"tls_certificate", server->tls_certificate,
				     &given->certificate};
	const struct source secret = {"tls_private_key", server->tls_private_key,
				      &given->private_key};
	const struct source authority = {"tls_client_ca", server->tls_client_ca, &given->client_ca};
	_cleanup_(tls_pair_deinit)
	struct tls_pair pair = TLS_PAIR_NULL;
	int r;

	r = read_file(&chain, &pair.certificate, e);
	if (r == 0)
		r = read_file(&secret, &pair.private_key, e);
	if (r == 0)
		r = check(&pair, &chain, &secret, e);
	if (r == 0)
		r = read_client_ca(&pair, &authority, e);
	if (r < 0)
		return r;
	*ret = pair;
	pair = TLS_PAIR_NULL;
	return 0;
}

/* Return: false when there is none (any more) */
static bool narrow(BIO *chain, struct tls_validity *validity)
{
	_cleanup_(X509_freep)
	X509 *x = PEM_read_bio_X509(chain, NULL, tls_no_passphrase, NULL);

	if (!x)
		return false;
	validity->not_before = MAX_OF(validity->not_before, time_of(X509_get0_notBefore(x)));
	validity->not_after = MIN_OF(validity->not_after, time_of(X509_get0_notAfter(x)));
	return true;
}

int tls_validity_read(const char *path, struct tls_validity *ret)
{
	struct tls_validity validity = {.not_after = INT64_MAX};
	_cleanup_(BIO_freep)
	BIO *chain = NULL;
	_cleanup_(freep)
	char *pem = NULL;
	size_t n;
	int r;

	r = fd_read_file(path, PEM_MAX, &pem, &n);
	if (r < 0)
		return r;
	chain = BIO_new_mem_buf(pem, -1);
	if (!chain)
		return -ENOMEM;
	while (narrow(chain, &validity))
		;
	ERR_clear_error(); /* the end of the file is an error, too */
	if (validity.not_after == INT64_MAX)
		return -EINVAL;
	*ret = validity;
	return 0;
}

void tls_pair_deinit(struct tls_pair *pair)
{
	if (pair->private_key)
		secret_wipe(pair->private_key, strlen(pair->private_key));
	free(pair->private_key);
	free(pair->certificate);
	free(pair->client_ca);
	*pair = TLS_PAIR_NULL;
}
