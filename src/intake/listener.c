/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "core/config.h"
#include "core/log.h"
#include "core/socket.h"
#include "intake/acceptor.h"
#include "intake/connections.h"
#include "intake/exchange.h"
#include "intake/gate.h"
#include "intake/tls.h"
#include "util/fd.h"
#include "util/thread.h"

#define BACKLOG           1024
#define CONNECTION_MEMORY (32 * 1024) /* headers and one read of the body, bytes a connection */
#define OPTIONS_MAX       20
#define SPARE_CONNECTIONS 16 /* a thread's: closed for us, not yet for libmicrohttpd */

struct listener {
	struct MHD_Daemon *daemon;
	struct connections *connections;
	struct acceptor *acceptor;
	int fd;
	bool is_tls; /* constant after new */
	char url[128];

	/* shared, under mx */
	pthread_mutex_t mx;
	struct tls *tls; /* for new connections; NULL: plain HTTP */
};

/* Return: a reference, or NULL for plain HTTP */
static struct tls *current_tls(struct listener *l)
{
	struct tls *tls;

	mutex_lock(&l->mx);
	tls = l->tls ? tls_ref(l->tls) : NULL;
	mutex_unlock(&l->mx);
	return tls;
}

/* acceptor's thread */
static bool on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t peer_n)
{
	const struct listener *l = arg;

	/* it closes the socket itself when it does not want it: too many from one address */
	return MHD_add_connection(l->daemon, fd, peer, peer_n) == MHD_YES;
}

/* before the handshake: the connection gets the certificate that is valid now */
static struct connection *open_connection(struct listener *l, struct MHD_Connection *mhd, int fd)
{
	_cleanup_(tls_unrefp)
	struct tls *tls = current_tls(l);
	struct connection *c = connection_open(l->connections, fd, tls);
	const union MHD_ConnectionInfo *info;

	if (!c || !tls)
		return c; /* without a keeper of the certificate there is no handshake */
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (!info || tls_begin(tls, info->tls_session) < 0)
		log_warning("a TLS session cannot be set up; its connection fails");
	return c;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct listener *l = cls;
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		connection_close(*socket_context);
		*socket_context = NULL;
		acceptor_note_closed(l->acceptor);
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info)
		*socket_context = open_connection(l, connection, info->connect_fd);
}

/* libmicrohttpd tells of peers that hang up and the like: interesting to nobody but developers */
static void PRINTF_LIKE(2, 0) on_log(void *cls, const char *fmt, va_list ap)
{
	char text[256];
	size_t n;

	(void)cls;
	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut line will do */
	n = strcspn(text, "\n");
	log_debug("libmicrohttpd: %.*s", (int)n, text);
}

/* A path is a string to us: what is behind a "%00" must not be cut off it. No path that is
 * configured holds what stands in for the NUL. */
static size_t unescape(void *cls, struct MHD_Connection *connection, char *s)
{
	size_t n = MHD_http_unescape(s);
	char *nul = s;

	(void)cls;
	(void)connection;
	while ((nul = memchr(nul, '\0', n - (size_t)(nul - s))))
		*nul = '\1';
	return n;
}

static unsigned int n_threads(const struct server_config *server)
{
	long n = server->threads ? (long)server->threads : sysconf(_SC_NPROCESSORS_ONLN);

	return (unsigned int)MAX_OF(n, 1);
}

struct mhd_options {
	struct MHD_OptionItem items[OPTIONS_MAX];
	int n;
};

static void add_number(struct mhd_options *o, enum MHD_OPTION option, int64_t value)
{
	o->items[o->n++] = (struct MHD_OptionItem){option, (intptr_t)value, NULL};
}

static void add_pointer(struct mhd_options *o, enum MHD_OPTION option, void *value)
{
	o->items[o->n++] = (struct MHD_OptionItem){option, 0, value};
}

static void add_limits(struct mhd_options *o, const struct server_config *server)
{
	unsigned int threads = n_threads(server);

	if (threads > 1) /* a pool of one is refused */
		add_number(o, MHD_OPTION_THREAD_POOL_SIZE, threads);
	/* of each thread; the limit of all together is the acceptor's */
	add_number(o, MHD_OPTION_CONNECTION_LIMIT,
		   (int64_t)threads * (server->max_connections + SPARE_CONNECTIONS));
	add_number(o, MHD_OPTION_PER_IP_CONNECTION_LIMIT, server->max_connections_per_address);
	add_number(o, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY);
	add_number(o, MHD_OPTION_CONNECTION_TIMEOUT, 0); /* connections.c has the deadlines */
}

static int start_daemon(struct listener *l, const struct server_config *server, struct gate *gate,
			struct error *e)
{
	unsigned int flags = MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG |
			     MHD_USE_NO_LISTEN_SOCKET | MHD_USE_POLL_INTERNAL_THREAD;
	struct mhd_options options = {.n = 0};

	add_limits(&options, server);
	if (l->is_tls) {
		flags |= MHD_USE_TLS;
		add_pointer(&options, MHD_OPTION_HTTPS_CERT_CALLBACK, tls_no_certificate());
	}
	add_number(&options, MHD_OPTION_END, 0);
	thread_does_not_preempt(); /* nor do its threads: who wakes them has more for them */
	l->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, exchange_handle, gate, MHD_OPTION_EXTERNAL_LOGGER, on_log,
		NULL, MHD_OPTION_NOTIFY_COMPLETED, exchange_completed, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_UNESCAPE_CALLBACK,
		unescape, NULL, MHD_OPTION_ARRAY, options.items, MHD_OPTION_END);
	thread_preempts();
	if (!l->daemon)
		return error_set(e, -EINVAL,
				 "cannot start libmicrohttpd (log level debug tells more)");
	return 0;
}

/* take the socket that was passed in, or make one */
static int open_socket(struct listener *l, const struct server_config *server, int fd,
		       struct error *e)
{
	int r = 0;

	if (fd >= 0)
		l->fd = fd;
	else
		r = socket_listen(&server->listen, BACKLOG, &l->fd, e);
	if (r < 0)
		return r;
	r = socket_url(l->fd, server->insecure_http ? "http" : "https", l->url, sizeof(l->url));
	if (r < 0)
		return error_set(e, r, "cannot read the listening address: %s", error_name(r));
	return 0;
}

int listener_new(const struct config *config, struct gate *gate, int fd,
		 struct listener **ret_listener, struct error *e)
{
	_cleanup_(listener_freep)
	struct listener *l = calloc(1, sizeof(*l));
	const struct server_config *server = &config->server;
	int r;

	if (!l)
		return error_set(e, -ENOMEM, "out of memory");
	l->fd = -1;
	(void)pthread_mutex_init(&l->mx, NULL); /* cannot fail with default attributes on Linux */
	if (!server->insecure_http) {
		r = tls_new(server, &l->tls, e);
		if (r < 0)
			return r;
		l->is_tls = true;
	}
	r = connections_new(server->request_timeout_ms, server->idle_timeout_ms, &l->connections);
	if (r < 0)
		return error_set(e, r, "cannot start the reaper thread: %s", error_name(r));
	r = open_socket(l, server, fd, e);
	if (r < 0)
		return r;
	r = start_daemon(l, server, gate, e);
	if (r < 0)
		return r;
	r = acceptor_new(l->fd, server->max_connections, on_accept, l, &l->acceptor);
	if (r < 0)
		return error_set(e, r, "cannot start the acceptor thread: %s", error_name(r));
	*ret_listener = steal_ptr(&l);
	return 0;
}

const char *listener_url(const struct listener *l)
{
	return l->url;
}

int64_t listener_not_after(struct listener *l)
{
	_cleanup_(tls_unrefp)
	struct tls *tls = current_tls(l);

	return tls ? tls_not_after(tls) : 0;
}

int listener_prepare(const struct listener *l, const struct config *config, struct tls **ret_tls,
		     struct error *e)
{
	*ret_tls = NULL;
	/* insecure_http itself cannot change: what was started goes on, with the files it has */
	if (!l->is_tls || config->server.insecure_http)
		return 0;
	return tls_new(&config->server, ret_tls, e);
}

void listener_apply(struct listener *l, const struct config *config, struct tls *tls)
{
	struct tls *old = NULL;

	connections_set_timeouts(l->connections, config->server.request_timeout_ms,
				 config->server.idle_timeout_ms);
	if (!tls)
		return;
	mutex_lock(&l->mx);
	old = l->tls;
	l->tls = tls;
	mutex_unlock(&l->mx);
	tls_unref(old);
}

bool listener_is_up(const struct listener *l)
{
	return acceptor_is_accepting(l->acceptor);
}

void listener_quiesce(struct listener *l)
{
	acceptor_stop(l->acceptor);
	/* Our copy of the descriptor: a socket of the service manager's lives on, and keeps who
	 * comes for the next start; our own is gone, and refuses them. */
	l->fd = fd_close(l->fd);
	connections_quiesce(l->connections);
}

bool listener_drain(struct listener *l, int64_t deadline_ms)
{
	return acceptor_drain(l->acceptor, deadline_ms);
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	if (l->acceptor)
		acceptor_stop(l->acceptor);
	if (l->daemon)
		MHD_stop_daemon(l->daemon);
	acceptor_free(l->acceptor); /* after the last connection has told it of its end */
	fd_close(l->fd);
	connections_free(l->connections);
	tls_unref(l->tls);
	pthread_mutex_destroy(&l->mx);
	free(l);
}
