/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookd/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "admin/admin.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"
#include "dispatch/dispatcher.h"
#include "intake/intake.h"
#include "intake/listener.h"
#include "intake/tokens.h"
#include "store/reader.h"
#include "store/store.h"
#include "store/token_store.h"

#define OTHER_DESCRIPTORS 1024 /* store, admin side, the handlers' pipes and sockets */

struct daemon {
	const struct config *config;
	struct store *store;
	struct dispatcher *dispatcher;
	struct tokens *tokens;
	struct intake *intake;
	struct listener *listener;
	struct admin *admin;
	bool stopped;
};

/* store thread, after a commit that brought events; there is none before the listener runs */
static void on_events(void *arg)
{
	struct daemon *d = arg;

	dispatcher_wake(d->dispatcher);
}

/* The usual soft limit, 1024, is below the default of max_connections: idle connections could keep
 * the handlers from being started. */
static void raise_descriptor_limit(const struct config *config)
{
	rlim_t wanted = (rlim_t)config->server.max_connections + OTHER_DESCRIPTORS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = MIN_OF(wanted, limit.rlim_max);
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < wanted)
		log_warning("%lld connections need %llu descriptors, and fewer are allowed; raise "
			    "LimitNOFILE= or lower [server] max_connections",
			    (long long)config->server.max_connections, (unsigned long long)wanted);
}

/* what clients hold stays good across a restart */
static int load_tokens(struct daemon *d, struct error *e)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	int r;

	r = tokens_new(&d->tokens);
	if (r < 0)
		return error_set(e, r, "out of memory");
	r = reader_open(d->config->store.path, &reader, e);
	if (r < 0)
		return r;
	r = token_store_load(reader, d->tokens, clock_now_us());
	if (r < 0)
		return error_set(e, r, "cannot read the access tokens in '%s': %s",
				 d->config->store.path, error_name(r));
	return 0;
}

/* the admin side's thread */
static void on_change(void *arg)
{
	struct daemon *d = arg;

	dispatcher_refresh(d->dispatcher);
}

static int start(struct daemon *d, struct error *e)
{
	struct admin_subject subject = {
		.started_at = clock_now_us(),
		.on_change = on_change,
		.arg = d,
	};
	int r;

	r = store_new(d->config, on_events, d, &d->store, e);
	if (r == 0)
		r = dispatcher_new(d->config, d->store, &d->dispatcher, e);
	if (r == 0)
		r = dispatcher_start(d->dispatcher, e);
	if (r == 0)
		r = load_tokens(d, e);
	if (r == 0)
		r = intake_new(d->config, d->store, d->tokens, &d->intake, e);
	if (r == 0)
		r = listener_new(d->config, d->intake, &d->listener, e);
	if (r < 0)
		return r;
	subject.store = d->store;
	subject.tokens = d->tokens;
	subject.url = listener_url(d->listener);
	return admin_new(d->config, &subject, &d->admin, e);
}

int daemon_new(const struct config *config, struct daemon **ret_daemon, struct error *e)
{
	_cleanup_(daemon_freep)
	struct daemon *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return error_set(e, -ENOMEM, "out of memory");
	d->config = config;
	raise_descriptor_limit(config);
	r = start(d, e);
	if (r < 0)
		return r;
	*ret_daemon = steal_ptr(&d);
	return 0;
}

const char *daemon_url(const struct daemon *d)
{
	return listener_url(d->listener);
}

void daemon_stop(struct daemon *d)
{
	int64_t deadline_ms = clock_monotonic_ms() + d->config->server.stop_timeout_ms;

	if (d->stopped) /* do not wait for stop_timeout again */
		return;
	d->stopped = true;
	if (d->admin)
		admin_note_stopping(d->admin);
	if (d->intake)
		intake_stop(d->intake);
	if (d->listener)
		listener_quiesce(d->listener);
	if (d->intake && !intake_drain(d->intake, deadline_ms))
		log_warning("requests were still under way when stop_timeout ended");
	if (d->dispatcher)
		dispatcher_stop(d->dispatcher, deadline_ms);
	if (d->store)
		store_stop(d->store); /* after it no connection is suspended */
}

void daemon_free(struct daemon *d)
{
	if (!d)
		return;
	daemon_stop(d);
	admin_free(d->admin);
	listener_free(d->listener);
	intake_free(d->intake);
	dispatcher_free(d->dispatcher);
	store_free(d->store);
	tokens_free(d->tokens);
	free(d);
}
