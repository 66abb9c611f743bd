/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>
#include <microhttpd.h>

#include "core/config.h"
#include "core/metrics.h"
#include "core/socket.h"
#include "store/store.h"
#include "util/buf.h"
#include "util/fd.h"
#include "util/units.h"

#define BACKLOG      16
#define ANSWER_MAX   (1024 * 1024)
#define TIMEOUT_S    10
#define JSON_TYPE    "application/json"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* one socket and the daemon that serves it */
struct door {
	struct admin *admin;
	bool is_local; /* the Unix socket: everything may be asked */
	struct MHD_Daemon *daemon;
};

struct admin {
	struct admin_subject subject;
	char *socket_path;
	struct door local, loopback;
	atomic_bool stopping;
};

struct answer {
	unsigned int status;
	const char *content_type;
	struct buf body;
};

static void append_json(struct buf *out, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	buf_append_str(out, text ? text : "{}");
	buf_append_char(out, '\n');
	free(text);
	json_decref(value);
}

static void answer_health(struct admin *a, struct answer *answer)
{
	(void)a;
	append_json(&answer->body, json_pack("{s:s}", "status", "ok"));
}

static void answer_ready(struct admin *a, struct answer *answer)
{
	bool stopping = atomic_load(&a->stopping), healthy = store_is_healthy(a->subject.store);
	const char *reason = stopping ? "stopping" : healthy ? "" : "the store cannot commit";

	answer->status = *reason ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
	append_json(&answer->body, *reason ? json_pack("{s:b,s:s}", "ready", 0, "reason", reason)
					   : json_pack("{s:b}", "ready", 1));
}

static void answer_metrics(struct admin *a, struct answer *answer)
{
	(void)a;
	answer->content_type = METRICS_TYPE;
	metrics_render(&answer->body);
}

static void answer_status(struct admin *a, struct answer *answer)
{
	char started_at[TIME_TEXT_SIZE];

	append_json(&answer->body,
		    json_pack("{s:s, s:i, s:s, s:s, s:{s:b, s:I, s:I}, s:{s:I, s:I, s:I, s:I}}",
			      "version", RISKHOOK_VERSION, "pid", (int)getpid(), "listen",
			      a->subject.url, "started_at",
			      time_format(a->subject.started_at, started_at), "store", "healthy",
			      store_is_healthy(a->subject.store), "pending",
			      (json_int_t)metric_value(METRIC_PENDING_EVENTS), "commits",
			      (json_int_t)metric_value(METRIC_COMMITS), "since_start", "stored",
			      (json_int_t)metric_value(METRIC_EVENTS_STORED), "duplicates",
			      (json_int_t)metric_value(METRIC_EVENTS_DUPLICATE), "delivered",
			      (json_int_t)metric_value(METRIC_DELIVERIES_DONE), "dead",
			      (json_int_t)metric_value(METRIC_DELIVERIES_DEAD)));
}

static const struct route {
	const char *path;
	bool local_only;
	void (*answer)(struct admin *a, struct answer *answer);
} routes[] = {
	{"/healthz", false, answer_health},
	{"/readyz", false, answer_ready},
	{"/metrics", false, answer_metrics},
	{"/v1/status", true, answer_status},
};

static const struct route *find_route(const struct door *door, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (strcmp(path, routes[i].path) == 0 && (door->is_local || !routes[i].local_only))
			return &routes[i];
	return NULL;
}

static void answer_request(struct door *door, const char *url, const char *method,
			   struct answer *answer)
{
	const struct route *route = find_route(door, url);

	if (!route)
		answer->status = MHD_HTTP_NOT_FOUND;
	else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		answer->status = MHD_HTTP_METHOD_NOT_ALLOWED;
	else
		route->answer(door->admin, answer);
	if (answer->status == MHD_HTTP_NOT_FOUND)
		append_json(&answer->body, json_pack("{s:s}", "error", "no such path"));
	else if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		append_json(&answer->body, json_pack("{s:s}", "error", "use GET"));
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct answer *answer)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	size_t n = answer->body.n;
	char *p = buf_steal(&answer->body);

	if (!p)
		return MHD_NO;
	response = MHD_create_response_from_buffer(n, p, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(p);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				      answer->content_type); /* readers do not insist on it */
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload_data,
			      size_t *upload_data_size, void **req_cls)
{
	static char seen; /* any address will do: "the headers were here" */
	struct answer answer = {
		.status = MHD_HTTP_OK,
		.content_type = JSON_TYPE,
		.body = BUF_INIT(ANSWER_MAX),
	};

	(void)version;
	(void)upload_data;
	if (!*req_cls) {
		*req_cls = &seen;
		return MHD_YES;
	}
	if (*upload_data_size > 0) {
		*upload_data_size = 0; /* nobody wants a body */
		return MHD_YES;
	}
	answer_request(cls, url, method, &answer);
	return send_answer(connection, &answer);
}

static int open_door(struct admin *a, struct door *door, int fd, struct error *e)
{
	door->admin = a;
	door->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, door,
					MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
					(unsigned int)64, MHD_OPTION_CONNECTION_TIMEOUT,
					(unsigned int)TIMEOUT_S, MHD_OPTION_END);
	if (door->daemon)
		return 0;
	fd_close(fd);
	return error_set(e, -EINVAL, "cannot start the admin side");
}

static void close_door(struct door *door)
{
	if (door->daemon)
		MHD_stop_daemon(door->daemon); /* closes the listening socket */
}

static int open_doors(struct admin *a, const struct config *config, struct error *e)
{
	int fd, r;

	r = socket_listen_unix(config->admin.socket, BACKLOG, &fd, e);
	if (r < 0)
		return error_prefix(e, r, "[admin] socket");
	a->socket_path = strdup(config->admin.socket);
	a->local.is_local = true;
	r = open_door(a, &a->local, fd, e);
	if (r < 0 || !config->admin.listen.text)
		return r;
	r = socket_listen(&config->admin.listen, BACKLOG, &fd, e);
	if (r < 0)
		return error_prefix(e, r, "[admin] listen");
	return open_door(a, &a->loopback, fd, e);
}

int admin_new(const struct config *config, const struct admin_subject *subject,
	      struct admin **ret_admin, struct error *e)
{
	_cleanup_(admin_freep)
	struct admin *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return error_set(e, -ENOMEM, "out of memory");
	a->subject = *subject;
	r = open_doors(a, config, e);
	if (r < 0)
		return r;
	*ret_admin = steal_ptr(&a);
	return 0;
}

void admin_note_stopping(struct admin *a)
{
	atomic_store(&a->stopping, true);
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	close_door(&a->local);
	close_door(&a->loopback);
	if (a->socket_path)
		(void)unlink(a->socket_path); /* a stale one is replaced at the next start */
	free(a->socket_path);
	free(a);
}
