/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/certificate_chain.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "core/tls_pair.h"
#include "util/cleanup.h"

#define CHAIN_MAX 16

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(X509_STORE *, X509_STORE_free)
DEFINE_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free)

static void free_chain(STACK_OF(X509) * *chain)
{
	sk_X509_pop_free(*chain, X509_free);
}

static int read_all(const char *path, STACK_OF(X509) * chain, struct error *e)
{
	_cleanup_(BIO_free_allp)
	BIO *file = NULL;
	X509 *x;

	if (access(path, R_OK) < 0)
		return error_set(e, -errno, "cannot read '%s': %s", path, error_name(errno));
	file = BIO_new_file(path, "r");
	if (!file) {
		ERR_clear_error();
		return error_set(e, -ENOENT, "cannot read '%s'", path);
	}
	while (sk_X509_num(chain) < CHAIN_MAX &&
	       (x = PEM_read_bio_X509(file, NULL, tls_no_passphrase, NULL)) != NULL) {
		if (sk_X509_push(chain, x) > 0)
			continue;
		X509_free(x);
		return error_set(e, -ENOMEM, "out of memory");
	}
	ERR_clear_error(); /* the end of the file is an error, too */
	if (sk_X509_num(chain) == 0)
		return error_set(e, -EINVAL, "'%s' holds no PEM certificate", path);
	return 0;
}

/* as a client does that has the certificates of this system */
static int verify(STACK_OF(X509) * chain, struct chain_facts *facts)
{
	_cleanup_(X509_STORE_freep)
	X509_STORE *store = X509_STORE_new();
	_cleanup_(X509_STORE_CTX_freep)
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	if (!store || !ctx || X509_STORE_set_default_paths(store) != 1 ||
	    X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain) != 1)
		return -ENOMEM;
	if (X509_STORE_CTX_set_default(ctx, "ssl_server") != 1)
		return -ENOMEM;
	facts->trusted = X509_verify_cert(ctx) == 1;
	if (!facts->trusted)
		(void)snprintf(facts->problem, sizeof(facts->problem), "%s",
			       X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	ERR_clear_error();
	return 0;
}

int certificate_chain_read(const char *path, struct chain_facts *ret, struct error *e)
{
	_cleanup_(free_chain)
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct chain_facts facts = {.in_order = true};
	int r;

	if (!chain)
		return error_set(e, -ENOMEM, "out of memory");
	r = read_all(path, chain, e);
	if (r < 0)
		return r;
	facts.n_certificates = sk_X509_num(chain);
	facts.self_signed = X509_self_signed(sk_X509_value(chain, 0), 0) == 1;
	for (int i = 1; i < facts.n_certificates; i++)
		if (X509_check_issued(sk_X509_value(chain, i), sk_X509_value(chain, i - 1)) !=
		    X509_V_OK)
			facts.in_order = false;
	r = verify(chain, &facts);
	if (r < 0)
		return error_set(e, r, "cannot verify '%s'", path);
	*ret = facts;
	return 0;
}
