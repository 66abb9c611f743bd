/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "core/tls_pair.h"

struct tls {
	_Atomic int refs;

	/* constant after new */
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priorities;
	bool wants_client; /* a client must show a certificate */
	int64_t not_after;
};

struct tls *tls_ref(struct tls *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void tls_unref(struct tls *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (t->priorities)
		gnutls_priority_deinit(t->priorities);
	if (t->credentials)
		gnutls_certificate_free_credentials(t->credentials); /* wipes the key */
	free(t);
}

static gnutls_datum_t datum_of(char *text)
{
	return (gnutls_datum_t){(unsigned char *)text, (unsigned int)strlen(text)};
}

static int load_certificates(struct tls *t, const struct tls_pair *pair, struct error *e)
{
	gnutls_datum_t chain = datum_of(pair->certificate), key = datum_of(pair->private_key);
	gnutls_datum_t authorities;
	int r;

	r = gnutls_certificate_allocate_credentials(&t->credentials);
	if (r < 0)
		return error_set(e, -ENOMEM, "cannot set up TLS: %s", gnutls_strerror(r));
	r = gnutls_certificate_set_x509_key_mem2(t->credentials, &chain, &key, GNUTLS_X509_FMT_PEM,
						 NULL, 0);
	if (r < 0)
		return error_set(e, -EINVAL, "GnuTLS does not take the certificate and key: %s",
				 gnutls_strerror(r));
	if (!pair->client_ca)
		return 0;
	authorities = datum_of(pair->client_ca);
	r = gnutls_certificate_set_x509_trust_mem(t->credentials, &authorities,
						  GNUTLS_X509_FMT_PEM);
	if (r <= 0)
		return error_set(e, -EINVAL, "GnuTLS takes no authority of tls_client_ca: %s",
				 gnutls_strerror(r));
	t->wants_client = true;
	return 0;
}

static int check_versions(gnutls_priority_t priorities, struct error *e)
{
	const unsigned int *versions;
	int n = gnutls_priority_protocol_list(priorities, &versions);

	for (int i = 0; i < n; i++)
		if (versions[i] != GNUTLS_TLS1_2 && versions[i] != GNUTLS_TLS1_3)
			return error_set(e, -EINVAL,
					 "[server] tls_priorities enable %s; only TLS1.2 and "
					 "TLS1.3 may be used",
					 gnutls_protocol_get_name((gnutls_protocol_t)versions[i]));
	if (n <= 0)
		return error_set(e, -EINVAL, "[server] tls_priorities enable no version of TLS");
	return 0;
}

static int load_priorities(struct tls *t, const struct server_config *server, struct error *e)
{
	const char *text = server->tls_priorities, *at = text;
	int r;

	r = gnutls_priority_init(&t->priorities, text, &at);
	if (r < 0)
		r = error_set(e, -EINVAL, "[server] tls_priorities are not understood at '%s': %s",
			      at, gnutls_strerror(r));
	else
		r = check_versions(t->priorities, e);
	if (r < 0 && server->tls_given.priorities.line)
		return error_prefix(e, r, "%s:%d", server->tls_given.priorities.file,
				    server->tls_given.priorities.line);
	return r;
}

int tls_new(const struct server_config *server, struct tls **ret, struct error *e)
{
	_cleanup_(tls_pair_deinit)
	struct tls_pair pair = TLS_PAIR_NULL;
	_cleanup_(tls_unrefp)
	struct tls *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return error_set(e, -ENOMEM, "out of memory");
	atomic_init(&t->refs, 1);
	r = tls_pair_read(server, &pair, e);
	if (r == 0)
		r = load_priorities(t, server, e);
	if (r < 0)
		return r;
	t->not_after = pair.not_after;
	r = load_certificates(t, &pair, e);
	if (r < 0)
		return server->tls_given.certificate.line
			       ? error_prefix(e, r, "%s:%d", server->tls_given.certificate.file,
					      server->tls_given.certificate.line)
			       : r;
	*ret = steal_ptr(&t);
	return 0;
}

int64_t tls_not_after(const struct tls *t)
{
	return t->not_after;
}

/* the handshake fails unless the client shows a certificate that leads to an authority and that is
 * meant for clients */
static void demand_client(gnutls_session_t session)
{
	static char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	static gnutls_typed_vdata_st wanted[] = {
		{.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)purpose},
	};

	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert2(session, wanted, ARRAY_SIZE(wanted), 0);
}

int tls_begin(const struct tls *t, void *session)
{
	if (gnutls_priority_set(session, t->priorities) < 0)
		return -EINVAL;
	if (t->wants_client)
		demand_client(session);
	return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, t->credentials) < 0 ? -EINVAL
											   : 0;
}

void tls_hold(void *session)
{
	gnutls_record_cork(session);
}

int tls_release(void *session, int fd)
{
	const int on = 1;
	int n = gnutls_record_uncork(session, 0);

	if (n < 0)
		return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? -EAGAIN : -EIO;
	/* libmicrohttpd has corked the socket and believes that it has pushed what it sent. Cork or
	 * not, this pushes it (tcp(7)). */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return 0;
}

static int give_nothing(gnutls_session_t session, const gnutls_datum_t *authorities,
			int n_authorities, const gnutls_pk_algorithm_t *algorithms,
			int n_algorithms, gnutls_pcert_st **ret_chain, unsigned int *ret_n,
			gnutls_privkey_t *ret_key)
{
	(void)session;
	(void)authorities;
	(void)n_authorities;
	(void)algorithms;
	(void)n_algorithms;
	(void)ret_chain;
	(void)ret_n;
	(void)ret_key;
	return -1;
}

void *tls_no_certificate(void)
{
	return (void *)give_nothing;
}
