/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "intake/request.h"
#include "intake/token_request.h"

static struct exchange *exchange_new(struct gate *gate, struct MHD_Connection *mhd, const char *url)
{
	struct intake *in = gate_enter(gate);
	struct exchange *x =
		token_request_is_for(in, url) ? token_request_new(in, mhd) : request_new(in, mhd);

	if (x)
		x->intake = in;
	else
		gate_leave(gate, in);
	return x;
}

enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url,
				const char *method, const char *version, const char *upload_data,
				size_t *upload_data_size, void **req_cls)
{
	struct exchange *x = *req_cls;

	(void)version;
	if (!x) {
		x = exchange_new(cls, mhd, url);
		*req_cls = x;
		return x ? x->ops->begin(x, url, method) : MHD_NO;
	}
	if (*upload_data_size > 0) {
		size_t n = *upload_data_size;

		*upload_data_size = 0;
		return x->ops->take(x, upload_data, n);
	}
	return x->ops->complete(x);
}

/* gnutls_session_t; NULL on plain HTTP */
static void *tls_session(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info ? info->tls_session : NULL;
}

static void hold_answer(struct MHD_Connection *mhd)
{
	void *session = tls_session(mhd);

	if (session)
		tls_hold(session);
}

/* who does not read is cut off: libmicrohttpd, for which all is sent, will not try again */
static void release_answer(struct MHD_Connection *mhd)
{
	void *session = tls_session(mhd); /* first: the next question may take the place of info */
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (session && info && tls_release(session, info->connect_fd) < 0)
		(void)shutdown(info->connect_fd, SHUT_RDWR); /* fails when the peer has gone */
}

void exchange_completed(void *cls, struct MHD_Connection *mhd, void **req_cls,
			enum MHD_RequestTerminationCode how)
{
	struct exchange *x = *req_cls;
	struct intake *in;

	(void)cls;
	if (!x)
		return;
	*req_cls = NULL;
	if (x->is_answered && how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		release_answer(mhd);
	connection_idles(exchange_connection(mhd));
	in = x->intake;
	x->ops->free(x);
	gate_leave(in->gate, in);
}

struct connection *exchange_connection(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

struct MHD_Response *exchange_response(struct buf *body)
{
	struct MHD_Response *response;
	size_t n = body->n;
	char *p = buf_steal(body);

	if (!p)
		return NULL;
	response = MHD_create_response_from_buffer(n, p, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(p);
	return response;
}

void exchange_add_header(struct MHD_Response *response, const char *name, const char *value)
{
	(void)MHD_add_response_header(response, name, value); /* fails only without memory */
}

void exchange_add_retry_after(struct MHD_Response *response, int64_t seconds)
{
	char text[24];

	if (seconds <= 0)
		return;
	(void)snprintf(text, sizeof(text), "%" PRId64, seconds); /* fits */
	exchange_add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, text);
}

enum MHD_Result exchange_send(struct exchange *x, struct MHD_Connection *mhd, unsigned int status,
			      struct MHD_Response *response)
{
	enum MHD_Result result;

	connection_sends(exchange_connection(mhd));
	x->is_answered = true;
	hold_answer(mhd);
	result = MHD_queue_response(mhd, status, response);
	MHD_destroy_response(response);
	return result;
}

size_t exchange_patience(const struct intake *in)
{
	return 2 * (size_t)in->config->server.max_body;
}

bool exchange_can_answer_now(const struct intake *in, const struct request_head *head)
{
	return head->has_body &&
	       (head->expects_continue ||
		(head->has_length && head->content_length > exchange_patience(in)));
}
