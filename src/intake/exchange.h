/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange, of whatever kind: what libmicrohttpd calls
 *
 * The path says which kind it is: a token request (token_request.c), or a webhook's post and all
 * that is refused (request.c). Each is a struct of its own with a `struct exchange` at its head.
 *
 * Threads: libmicrohttpd's, one at a time for each exchange.
 */
#pragma once

#include <microhttpd.h>

#include "intake/connections.h"
#include "intake/intake.h"
#include "util/buf.h"

struct exchange;

struct exchange_ops {
	/* the headers are in */
	enum MHD_Result (*begin)(struct exchange *x, const char *url, const char *method);
	/* bytes of the body; MHD_NO ends the connection */
	enum MHD_Result (*take)(struct exchange *x, const char *p, size_t n);
	/* the body is complete, or the connection was resumed */
	enum MHD_Result (*complete)(struct exchange *x);
	/* after the answer, or the connection's early end */
	void (*free)(struct exchange *x);
};

struct exchange {
	const struct exchange_ops *ops;
	struct intake *intake; /* what was valid when it came */
	bool is_answered;      /* the answer is queued, and held until all of it is sent */
};

/* MHD_AccessHandlerCallback; @cls is the struct gate */
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url,
				const char *method, const char *version, const char *upload_data,
				size_t *upload_data_size, void **req_cls);

/* MHD_RequestCompletedCallback: frees the exchange. libmicrohttpd calls it when it has sent the
 * whole answer, before it ends the connection if it does. */
void exchange_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
			enum MHD_RequestTerminationCode how);

/* the connection's entry in the table of connections, or NULL */
struct connection *exchange_connection(struct MHD_Connection *mhd);

/* a response with this body, which is consumed; NULL when out of memory */
struct MHD_Response *exchange_response(struct buf *body);

/* add a header; when there is no memory the answer goes without it */
void exchange_add_header(struct MHD_Response *response, const char *name, const char *value);
void exchange_add_retry_after(struct MHD_Response *response, int64_t seconds); /* 0: none */

/* queue @response, which is consumed, for exchange_completed() to let it go. Return: for
 * libmicrohttpd; MHD_NO ends the connection. */
enum MHD_Result exchange_send(struct exchange *x, struct MHD_Connection *mhd, unsigned int status,
			      struct MHD_Response *response);

/* A refused body is best let pass, because a client that is still sending may not see an answer
 * that comes with the end of the connection. Up to so many bytes. */
size_t exchange_patience(const struct intake *in);

/* May a refusal be sent before the body has come? A client that waits for "100 Continue" has not
 * sent it; one that is far too long is not worth the wait. */
bool exchange_can_answer_now(const struct intake *in, const struct request_head *head);
