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

#include "admin/admin_answer.h"
#include "admin/drive.h"
#include "admin/senders.h"
#include "admin/survey.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/metric_family.h"
#include "core/metrics.h"
#include "core/socket.h"
#include "store/query.h"
#include "store/reader.h"
#include "store/store.h"
#include "util/buf.h"
#include "util/fd.h"
#include "util/units.h"

#define BACKLOG      16
#define ANSWER_MAX   (1024 * 1024)
#define REQUEST_MAX  (64 * 1024) /* bytes of a body */
#define TIMEOUT_S    10
#define JSON_TYPE    "application/json"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* one socket and the daemon that serves it */
struct door {
	struct admin *admin;
	bool is_local; /* the Unix socket: everything may be asked */
	struct MHD_Daemon *daemon;
	struct survey *survey; /* of its own: its reader serves one thread */
};

struct admin {
	struct admin_subject subject;
	struct reader *reader; /* of the local door's thread */
	char *socket_path, *store_path;
	int64_t min_free;
	struct door local, loopback;
	atomic_bool stopping;
};

/* one request between its headers and its end */
struct ask {
	struct buf body;
};

void admin_answer_json(struct admin_answer *answer, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	buf_append_str(&answer->body, text ? text : "{}");
	buf_append_char(&answer->body, '\n');
	free(text);
	json_decref(value);
}

void admin_answer_error(struct admin_answer *answer, unsigned int status, const char *sentence)
{
	answer->status = status;
	admin_answer_json(answer, json_pack("{s:s}", "error", sentence));
}

static void answer_health(struct door *door, struct admin_answer *answer)
{
	(void)door;
	admin_answer_json(answer, json_pack("{s:s}", "status", "ok"));
}

static json_t *reasons_against(struct door *door)
{
	json_t *reasons = json_array();

	if (atomic_load(&door->admin->stopping))
		(void)json_array_append_new(reasons, json_string("the daemon is stopping"));
	survey_add_reasons(door->survey, reasons);
	return reasons;
}

static void answer_ready(struct door *door, struct admin_answer *answer)
{
	json_t *reasons = reasons_against(door);
	json_t *verdict = json_pack("{s:b}", "ready", json_array_size(reasons) == 0);

	if (json_array_size(reasons) > 0) {
		answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
		(void)json_object_set(verdict, "reasons", reasons); /* the status says enough */
	}
	json_decref(reasons);
	admin_answer_json(answer, verdict);
}

static void answer_metrics(struct door *door, struct admin_answer *answer)
{
	answer->content_type = METRICS_TYPE;
	metrics_render(&answer->body);
	metric_families_render(&answer->body);
	survey_add_metrics(door->survey, &answer->body);
	senders_render(&answer->body, door->admin->subject.gate,
		       door->admin->subject.certificate_end(door->admin->subject.arg));
}

static int append_paused(const struct value *values, int n_values, void *paused)
{
	if (n_values > 0) /* out of memory shows in the whole answer */
		(void)json_array_append_new(paused,
					    json_stringn(values[0].text.p, values[0].text.n));
	return 0;
}

/* names of the paused handlers; null when the store cannot tell */
static json_t *paused_handlers(struct admin *a)
{
	json_t *paused = json_array();

	if (paused && query_paused(a->reader, append_paused, paused) < 0) {
		json_decref(paused);
		return json_null();
	}
	return paused;
}

static void answer_status(struct door *door, struct admin_answer *answer)
{
	const struct admin *a = door->admin;
	char started_at[TIME_TEXT_SIZE];
	json_t *reasons = reasons_against(door);
	json_t *status = json_pack(
		"{s:s, s:i, s:s, s:s, s:{s:b, s:I, s:I}, s:{s:I, s:I, s:I, s:I}}", "version",
		RISKHOOK_VERSION, "pid", (int)getpid(), "listen", a->subject.url, "started_at",
		time_format(a->subject.started_at, started_at), "store", "healthy",
		store_is_healthy(a->subject.store), "pending",
		(json_int_t)metric_value(METRIC_PENDING_EVENTS), "commits",
		(json_int_t)metric_value(METRIC_COMMITS), "since_start", "stored",
		(json_int_t)metric_value(METRIC_EVENTS_STORED), "duplicates",
		(json_int_t)metric_value(METRIC_EVENTS_DUPLICATE), "delivered",
		(json_int_t)metric_value(METRIC_DELIVERIES_DONE), "dead",
		(json_int_t)metric_value(METRIC_DELIVERIES_DEAD));

	senders_add_status(status, a->subject.gate, a->subject.certificate_end(a->subject.arg),
			   clock_now_us());
	(void)json_object_set_new(status, "paused",
				  paused_handlers(door->admin)); /* or it is missing */
	(void)json_object_set_new(status, "ready", json_boolean(json_array_size(reasons) == 0));
	(void)json_object_set_new(status, "reasons", reasons); /* without memory it is left out */
	survey_add_status(door->survey, status);
	admin_answer_json(answer, status);
}

static void admin_drive(const struct admin_subject *subject, const char *path, struct slice body,
			struct admin_answer *answer)
{
	const struct drive drive = {subject->store, subject->on_change, subject->arg};
	json_t *request = NULL, *reply = NULL;

	if (body.n > 0)
		request = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	answer->status = drive_handle(&drive, path, request, &reply);
	admin_answer_json(answer, reply);
	json_decref(request);
}

/* GET has `answer`, POST has `act` */
static const struct route {
	const char *path;
	bool local_only;
	void (*answer)(struct door *door, struct admin_answer *answer);
	void (*act)(const struct admin_subject *subject, const char *path, struct slice body,
		    struct admin_answer *answer);
} routes[] = {
	{"/healthz", false, answer_health, NULL},
	{"/readyz", false, answer_ready, NULL},
	{"/metrics", false, answer_metrics, NULL},
	{"/v1/status", true, answer_status, NULL},
	{"/v1/log-level", true, NULL, admin_set_log_level},
	{"/v1/tokens/revoke", true, NULL, admin_revoke_tokens},
	{"/v1/pause", true, NULL, admin_drive},
	{"/v1/resume", true, NULL, admin_drive},
	{"/v1/retry", true, NULL, admin_drive},
	{"/v1/hold", true, NULL, admin_drive},
	{"/v1/release", true, NULL, admin_drive},
	{"/v1/dismiss", true, NULL, admin_drive},
	{"/v1/replay", true, NULL, admin_drive},
	{"/v1/reload", true, NULL, admin_reload},
};

static const struct route *find_route(const struct door *door, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (strcmp(path, routes[i].path) == 0 && (door->is_local || !routes[i].local_only))
			return &routes[i];
	return NULL;
}

static void answer_request(struct door *door, const char *url, const char *method,
			   const struct ask *ask, struct admin_answer *answer)
{
	const struct route *route = find_route(door, url);

	if (!route)
		admin_answer_error(answer, MHD_HTTP_NOT_FOUND, "no such path");
	else if (strcmp(method, route->act ? MHD_HTTP_METHOD_POST : MHD_HTTP_METHOD_GET) != 0)
		admin_answer_error(answer, MHD_HTTP_METHOD_NOT_ALLOWED,
				   route->act ? "use POST" : "use GET");
	else if (buf_error(&ask->body) < 0)
		admin_answer_error(answer, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
	else if (route->act)
		route->act(&door->admin->subject, url, buf_slice(&ask->body), answer);
	else
		route->answer(door, answer);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct admin_answer *answer)
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
	struct ask *ask = *req_cls;
	struct admin_answer answer = {
		.status = MHD_HTTP_OK,
		.content_type = JSON_TYPE,
		.body = BUF_INIT(ANSWER_MAX),
	};

	(void)version;
	if (!ask) {
		ask = malloc(sizeof(*ask));
		if (!ask)
			return MHD_NO;
		*ask = (struct ask){.body = BUF_INIT(REQUEST_MAX)};
		*req_cls = ask;
		return MHD_YES;
	}
	if (*upload_data_size > 0) {
		(void)buf_append(&ask->body, upload_data, *upload_data_size); /* remembers */
		*upload_data_size = 0;
		return MHD_YES;
	}
	answer_request(cls, url, method, ask, &answer);
	return send_answer(connection, &answer);
}

static void completed(void *cls, struct MHD_Connection *connection, void **req_cls,
		      enum MHD_RequestTerminationCode how)
{
	struct ask *ask = *req_cls;

	(void)cls;
	(void)connection;
	(void)how;
	if (ask)
		buf_deinit(&ask->body);
	free(ask);
	*req_cls = NULL;
}

static int open_door(struct admin *a, struct door *door, int fd, struct error *e)
{
	int r;

	door->admin = a;
	r = survey_new(&a->subject, a->store_path, a->min_free, &door->survey, e);
	if (r < 0) {
		fd_close(fd);
		return r;
	}
	door->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL, handle, door,
					MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
					(unsigned int)64, MHD_OPTION_CONNECTION_TIMEOUT,
					(unsigned int)TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED,
					completed, NULL, MHD_OPTION_END);
	if (door->daemon)
		return 0;
	fd_close(fd);
	return error_set(e, -EINVAL, "cannot start the admin side");
}

static void close_door(struct door *door)
{
	if (door->daemon)
		MHD_stop_daemon(door->daemon); /* closes the listening socket */
	survey_free(door->survey);
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
	a->store_path = strdup(config->store.path);
	a->min_free = config->store.min_free;
	if (!a->store_path)
		return error_set(e, -ENOMEM, "out of memory");
	r = reader_open(config->store.path, &a->reader, e);
	if (r == 0)
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
	reader_close(a->reader);
	if (a->socket_path)
		(void)unlink(a->socket_path); /* a stale one is replaced at the next start */
	free(a->socket_path);
	free(a->store_path);
	free(a);
}
