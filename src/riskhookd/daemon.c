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
#include "intake/tls.h"
#include "intake/tokens.h"
#include "jq/check.h"
#include "riskhookd/passed_socket.h"
#include "riskhookd/reload_desk.h"
#include "riskhookd/reminder.h"
#include "riskhookd/watchdog.h"
#include "store/reader.h"
#include "store/retention.h"
#include "store/store.h"
#include "store/token_store.h"
#include "util/buf.h"

#define DRAIN_MS          5000 /* connections that are open may take so long over their requests */
#define OTHER_DESCRIPTORS 1024 /* store, admin side, the handlers' pipes and sockets */

struct daemon {
	struct config *config; /* the newest that was accepted; one owner */
	struct config *first;  /* of the start, whose fixed options still hold; one owner */
	struct store *store;
	struct dispatcher *dispatcher;
	struct tokens *tokens;
	struct gate *gate;
	struct listener *listener;
	struct admin *admin;
	struct reload_desk desk;
	struct reminder reminder;
	struct watchdog *watchdog;
	struct retention *retention;
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

static uint64_t nudge_store(void *store)
{
	return store_nudge(store);
}

static uint64_t nudge_dispatcher(void *dispatcher)
{
	return dispatcher_nudge(dispatcher);
}

static int start_watchdog(struct daemon *d, struct error *e)
{
	const struct pulse pulses[] = {
		{"store", nudge_store, d->store},
		{"dispatcher", nudge_dispatcher, d->dispatcher},
	};
	int r = watchdog_new(pulses, ARRAY_SIZE(pulses), &d->watchdog);

	return r < 0 ? error_set(e, r, "cannot start the watchdog: %s", error_name(r)) : 0;
}

/* for the admin side */
static int on_reload(void *arg, struct error *remark)
{
	struct daemon *d = arg;

	return reload_desk_ask(&d->desk, remark);
}

static int64_t on_certificate_end(void *arg)
{
	struct daemon *d = arg;

	return listener_not_after(d->listener);
}

static int start_listener(struct daemon *d, struct error *e)
{
	int fd = -1;
	int r = passed_socket_take(&d->config->server, &fd, e);

	return r < 0 ? r : listener_new(d->config, d->gate, fd, &d->listener, e);
}

static bool is_listening(void *arg)
{
	struct daemon *d = arg;

	return listener_is_up(d->listener);
}

static int start_intake(struct daemon *d, struct error *e)
{
	struct intake *in = NULL;
	int r;

	r = gate_new(d->config, d->store, d->tokens, &d->gate, e);
	if (r == 0)
		r = reminder_recall(d->gate, d->config->store.path, e);
	if (r == 0)
		r = intake_new(d->config, d->gate, &in, e);
	if (r < 0)
		return r;
	gate_open(d->gate, in);
	return start_listener(d, e);
}

static int start_admin(struct daemon *d, struct error *e)
{
	struct admin_subject subject = {
		.store = d->store,
		.gate = d->gate,
		.tokens = d->tokens,
		.url = listener_url(d->listener),
		.started_at = clock_now_us(),
		.on_change = on_change,
		.reload = on_reload,
		.certificate_end = on_certificate_end,
		.is_listening = is_listening,
		.arg = d,
	};

	return admin_new(d->config, &subject, &d->admin, e);
}

static int start(struct daemon *d, struct error *e)
{
	int r;

	r = store_new(d->config, on_events, d, &d->store, e);
	if (r == 0)
		r = dispatcher_new(d->config, d->store, &d->dispatcher, e);
	if (r == 0)
		r = dispatcher_start(d->dispatcher, e);
	if (r == 0)
		r = load_tokens(d, e);
	if (r == 0)
		r = start_intake(d, e);
	if (r == 0)
		r = retention_start(d->config, d->store, &d->retention, e);
	if (r == 0)
		r = start_watchdog(d, e);
	if (r == 0)
		r = start_admin(d, e);
	if (r < 0)
		return r;
	d->reminder =
		(struct reminder){.gate = d->gate, .listener = d->listener, .store = d->store};
	steady_init(&d->reminder.clock, clock_read());
	config_wipe_secrets(d->config);
	return 0;
}

int daemon_new(struct config *config, struct daemon **ret_daemon, struct error *e)
{
	_cleanup_(daemon_freep)
	struct daemon *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return error_set(e, -ENOMEM, "out of memory");
	d->config = config_ref(config);
	d->first = config_ref(config);
	reload_desk_init(&d->desk);
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

static void warn_of_fixed(const struct config *first, const struct config *now,
			  struct error *remark)
{
	struct buf names = BUF_INIT(sizeof(remark->text) - 1);

	config_append_fixed(first, now, &names);
	(void)error_set(remark, 0, "%s", names.n ? names.p : "");
	if (names.n)
		log_warning("these options have changed and need a restart to take effect: %s",
			    remark->text);
	buf_deinit(&names);
}

/* nothing in here can fail */
static void go_on_with(struct daemon *d, struct config *config, struct intake *in, struct tls *tls,
		       struct error *remark)
{
	listener_apply(d->listener, config, tls);
	gate_open(d->gate, in);
	log_set_level((enum log_level)config->log.level);
	warn_of_fixed(d->first, config, remark);
	config_wipe_secrets(config);
	config_free(d->config);
	d->config = config;
}

int daemon_reload(struct daemon *d, struct error *remark)
{
	_cleanup_(config_freep)
	struct config *config = NULL;
	_cleanup_(intake_freep)
	struct intake *in = NULL;
	_cleanup_(tls_unrefp)
	struct tls *tls = NULL;
	int r;

	r = config_load(d->config->path, CONFIG_WITH_SECRETS, &config, remark);
	if (r == 0)
		r = jq_check_config(config, remark);
	if (r == 0)
		r = listener_prepare(d->listener, config, &tls, remark);
	if (r == 0)
		r = intake_new(config, d->gate, &in, remark);
	if (r == 0)
		r = dispatcher_reload(d->dispatcher, config, remark); /* the last that can fail */
	if (r < 0)
		return r;
	go_on_with(d, steal_ptr(&config), steal_ptr(&in), steal_ptr(&tls), remark);
	return 0;
}

int64_t daemon_begin_reload(struct daemon *d)
{
	return reload_desk_begin(&d->desk);
}

void daemon_answer_reload(struct daemon *d, int64_t ticket, int result, const struct error *remark)
{
	reload_desk_answer(&d->desk, ticket, result, remark);
}

int64_t daemon_remind(struct daemon *d)
{
	return reminder_run(&d->reminder);
}

/* accept nothing more, and let everybody who is connected have his answer */
static void stop_intake(struct daemon *d)
{
	int64_t deadline_ms = clock_monotonic_ms() + DRAIN_MS;

	if (d->gate)
		gate_stop_asking(d->gate);
	if (d->listener) {
		listener_quiesce(d->listener);
		if (!listener_drain(d->listener, deadline_ms))
			log_info("some connections are cut off: they sent no request, or too "
				 "slowly");
	}
	if (!d->gate)
		return;
	gate_stop(d->gate);
	if (!gate_drain(d->gate, deadline_ms))
		log_warning("requests were still under way when the daemon stopped");
}

void daemon_stop(struct daemon *d)
{
	int64_t deadline_ms = clock_monotonic_ms() + d->config->server.stop_timeout_ms;

	if (d->stopped) /* do not wait for stop_timeout again */
		return;
	d->stopped = true;
	reload_desk_close(&d->desk);
	if (d->admin)
		admin_note_stopping(d->admin);
	/* handlers may take long to finish; events are stored meanwhile, for the next start */
	if (d->dispatcher)
		dispatcher_stop(d->dispatcher, deadline_ms);
	retention_free(d->retention);
	d->retention = NULL;
	stop_intake(d);
	if (d->reminder.gate)
		reminder_save(&d->reminder);
	watchdog_free(d->watchdog);
	d->watchdog = NULL;
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
	gate_free(d->gate);
	dispatcher_free(d->dispatcher);
	store_free(d->store);
	tokens_free(d->tokens);
	config_free(d->config);
	config_free(d->first);
	reload_desk_deinit(&d->desk);
	free(d);
}
