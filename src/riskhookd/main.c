/* SPDX-License-Identifier: Apache-2.0 */
/*
 * riskhookd: receives Socure RiskOS webhook events, keeps them, hands them to local handlers
 *
 *	parse the command line -> load the configuration -> start -> wait for a signal -> stop
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <systemd/sd-daemon.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"
#include "core/options.h"
#include "intake/auth.h"
#include "intake/tls.h"
#include "jq/check.h"
#include "jq/evaluator.h"
#include "riskhookd/arguments.h"
#include "riskhookd/daemon.h"
#include "util/macros.h"

static int load(const char *path, struct config **ret_config)
{
	struct error e = ERROR_INIT;
	int r;

	r = config_load(path, CONFIG_WITH_SECRETS, ret_config, &e);
	if (r == 0)
		r = jq_check_config(*ret_config, &e);
	if (r < 0)
		(void)fprintf(stderr, "%s\n", e.text); /* nowhere else to say it */
	return r;
}

static int check_tls(const struct server_config *server)
{
	_cleanup_(tls_unrefp)
	struct tls *tls = NULL;
	struct error e = ERROR_INIT;
	int r;

	if (server->insecure_http)
		return 0;
	r = tls_new(server, &tls, &e);
	if (r < 0)
		(void)fprintf(stderr, "%s\n", e.text); /* nowhere else to say it */
	return r;
}

static int check_credentials(const struct config *config)
{
	struct error e = ERROR_INIT;
	int r = credential_sets_check(config, &e);

	if (r < 0)
		(void)fprintf(stderr, "%s\n", e.text); /* the exit code says it too */
	return r;
}

static int check(const char *path)
{
	_cleanup_(config_freep)
	struct config *config = NULL;

	if (load(path, &config) < 0)
		return EXIT_FAILURE;
	if (check_tls(&config->server) < 0 || check_credentials(config) < 0)
		return EXIT_FAILURE;
	config_warn_of_end(config, clock_now_us());
	printf("%s: ok (%zu endpoint%s, %zu credential%s, %zu handler%s)\n", config->path,
	       config->n_endpoints, PLURAL(config->n_endpoints, "", "s"), config->n_credentials,
	       PLURAL(config->n_credentials, "", "s"), config->n_handlers,
	       PLURAL(config->n_handlers, "", "s"));
	return EXIT_SUCCESS;
}

/* signals that main waits for; blocked before the first thread, so that no other gets them */
static void block_signals(sigset_t *ret_set)
{
	(void)sigemptyset(ret_set); /* these cannot fail with valid signals */
	(void)sigaddset(ret_set, SIGTERM);
	(void)sigaddset(ret_set, SIGINT);
	(void)sigaddset(ret_set, SIGHUP);
	(void)sigaddset(ret_set, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, ret_set, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is told by the write's result */
}

static void notify_ready(const struct daemon *daemon, const char *remark, const char *detail)
{
	/* without systemd there is nobody to tell */
	(void)sd_notifyf(0, "READY=1\nSTATUS=listening on %s%s%s", daemon_url(daemon), remark,
			 detail);
}

static void reload(struct daemon *daemon)
{
	int64_t ticket = daemon_begin_reload(daemon);
	struct error remark = ERROR_INIT;
	int r;

	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reloading",
			 clock_monotonic_us());
	r = daemon_reload(daemon, &remark);
	if (r < 0) {
		log_error("reload refused, the old configuration stays: %s", remark.text);
		notify_ready(daemon, "; the last reload was refused: ", remark.text);
	} else {
		log_notice("configuration reloaded");
		notify_ready(daemon, remark.text[0] ? "; need a restart: " : "", remark.text);
	}
	daemon_answer_reload(daemon, ticket, r, &remark);
}

static void wait_for_stop(struct daemon *daemon, const sigset_t *set)
{
	for (;;) {
		int64_t wait_ms = daemon_remind(daemon);
		struct timespec wait = {.tv_sec = wait_ms / 1000,
					.tv_nsec = wait_ms % 1000 * 1000000};
		int number = sigtimedwait(set, NULL, &wait);

		if (number < 0)
			continue; /* EAGAIN: time for reminders; EINTR */
		if (number == SIGUSR1) {
			log_notice("SIGUSR1: the log level is %s now",
				   log_level_name(log_toggle_debug()));
			continue;
		}
		if (number == SIGHUP) {
			reload(daemon);
			continue;
		}
		log_notice("%s: stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
		return;
	}
}

static int run(const char *path)
{
	_cleanup_(config_freep)
	struct config *config = NULL;
	_cleanup_(daemon_freep)
	struct daemon *daemon = NULL;
	struct error e = ERROR_INIT;
	sigset_t set;

	if (load(path, &config) < 0)
		return EXIT_FAILURE;
	log_init((enum log_format)config->log.format, (enum log_level)config->log.level);
	block_signals(&set);
	if (daemon_new(config, &daemon, &e) < 0) {
		log_error("%s", e.text);
		return EXIT_FAILURE;
	}
	log_start();
	log_notice("riskhookd " RISKHOOK_VERSION " is ready: listening on %s", daemon_url(daemon));
	notify_ready(daemon, "", "");
	config_free(steal_ptr(&config)); /* the daemon has it, until the first reload */
	wait_for_stop(daemon, &set);
	(void)sd_notify(0, "STOPPING=1"); /* without systemd there is nobody to tell */
	daemon_stop(daemon);
	log_stop();
	log_notice("stopped");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct arguments a;

	if (evaluator_is_meant(argc, argv))
		return evaluator_main(argc, argv);
	a = arguments_parse(argc, argv);
	switch (a.action) {
	case ACTION_HELP:
		arguments_print_help();
		return EXIT_SUCCESS;
	case ACTION_VERSION:
		(void)puts("riskhookd " RISKHOOK_VERSION);
		return EXIT_SUCCESS;
	case ACTION_DUMP_OPTIONS:
		options_dump(stdout);
		return EXIT_SUCCESS;
	case ACTION_CHECK:
		return check(a.config_path);
	case ACTION_USAGE_ERROR:
		(void)fputs("riskhookd --help shows the usage\n", stderr);
		return 2;
	default:
		return run(a.config_path);
	}
}
