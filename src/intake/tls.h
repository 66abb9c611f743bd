/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TLS handshake needs: certificate, key, priorities, authorities for client certificates
 *
 * The one room where GnuTLS lives. libmicrohttpd makes a session for each connection; tls_begin()
 * gives it what is valid now, before its handshake. So a reload changes new connections, and those
 * that are open go on with what they began with, which is kept until the last of them is closed.
 *
 * Threads: any.   Ownership: counted references.
 */
#pragma once

#include <stdint.h>

#include "core/config.h"
#include "util/cleanup.h"
#include "util/err.h"

struct tls;

/**
 * tls_new() - read and check the files and the priority string
 * @server: read during the call only
 * @e:      "FILE:LINE: what is wrong"
 *
 * Only TLS 1.2 and 1.3 are accepted in the priorities.
 *
 * Return: 0, or a negative errno.
 */
int tls_new(const struct server_config *server, struct tls **ret, struct error *e) MUST_USE;
struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls *t); /* NULL is fine */
DEFINE_CLEANUP(struct tls *, tls_unref)

/* end of the certificate's validity, us since the epoch; 0: unknown */
int64_t tls_not_after(const struct tls *t);

/**
 * tls_begin() - set up a session that has not begun its handshake
 * @session: gnutls_session_t, as libmicrohttpd gives it; must not outlive @t
 *
 * Return: 0, or -EINVAL; then the handshake will fail.
 */
int tls_begin(const struct tls *t, void *session) MUST_USE;

/**
 * tls_hold() - what is sent from now on waits for tls_release()
 *
 * libmicrohttpd sends the head and the body of an answer one after the other, each in a record of
 * its own, so that the receiver reads, decrypts and looks twice; this way they are one.
 */
void tls_hold(void *session);

/**
 * tls_release() - send it, on @fd
 *
 * Return: 0, or a negative errno: -EAGAIN when the peer does not read what it was sent before. Then
 * the session is of no more use.
 */
int tls_release(void *session, int fd) MUST_USE;

/* for MHD_OPTION_HTTPS_CERT_CALLBACK, which libmicrohttpd wants to start: a session without
 * tls_begin() gets no certificate and fails */
void *tls_no_certificate(void);
