/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tls_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
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

/* nobody is there to be asked for a passphrase */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int read_file(const char *option, const char *path, char **ret, struct error *e)
{
	size_t n;
	int r;

	r = fd_read_file(path, PEM_MAX, ret, &n);
	if (r < 0)
		return error_set(e, r, "cannot read [server] %s '%s': %s", option, path,
				 error_name(r));
	return 0;
}

static X509 *parse_certificate(const char *pem)
{
	_cleanup_(BIO_freep)
	BIO *bio = BIO_new_mem_buf(pem, -1);

	return bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
}

static EVP_PKEY *parse_key(const char *pem)
{
	_cleanup_(BIO_freep)
	BIO *bio = BIO_new_mem_buf(pem, -1);

	return bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
}

static int64_t end_of_validity(const X509 *certificate)
{
	struct tm tm = {0};

	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * US_PER_S;
}

static int check(struct tls_pair *pair, const char *certificate_path, const char *private_key_path,
		 struct error *e)
{
	_cleanup_(X509_freep)
	X509 *certificate = parse_certificate(pair->certificate);
	_cleanup_(EVP_PKEY_freep)
	EVP_PKEY *key = parse_key(pair->private_key);

	if (!certificate)
		return error_set(e, -EINVAL,
				 "[server] tls_certificate '%s' holds no PEM certificate",
				 certificate_path);
	if (!key)
		return error_set(e, -EINVAL,
				 "[server] tls_private_key '%s' holds no PEM private key without a "
				 "passphrase",
				 private_key_path);
	if (X509_check_private_key(certificate, key) != 1)
		return error_set(e, -EINVAL,
				 "[server] tls_private_key '%s' does not belong to the first "
				 "certificate in '%s'",
				 private_key_path, certificate_path);
	pair->not_after = end_of_validity(certificate);
	return 0;
}

int tls_pair_read(const char *certificate_path, const char *private_key_path, struct tls_pair *ret,
		  struct error *e)
{
	_cleanup_(tls_pair_deinit)
	struct tls_pair pair = TLS_PAIR_NULL;
	int r;

	r = read_file("tls_certificate", certificate_path, &pair.certificate, e);
	if (r == 0)
		r = read_file("tls_private_key", private_key_path, &pair.private_key, e);
	if (r == 0)
		r = check(&pair, certificate_path, private_key_path, e);
	if (r < 0)
		return r;
	*ret = pair;
	pair = TLS_PAIR_NULL;
	return 0;
}

void tls_pair_deinit(struct tls_pair *pair)
{
	if (pair->private_key)
		secret_wipe(pair->private_key, strlen(pair->private_key));
	free(pair->private_key);
	free(pair->certificate);
	*pair = TLS_PAIR_NULL;
}
