/* SPDX-License-Identifier: Apache-2.0 */
/*
 * riskhookd: receives Socure RiskOS webhook events, keeps them, hands them to local handlers
 *
 *	parse the command line -> load the configuration -> start -> wait for a signal -> stop
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <systemd/sd-daemon.h>

#include "core/config.h"
#include "core/log.h"
#include "core/options.h"
#include "core/tls_pair.h"
#include "jq/check.h"
#include "jq/evaluator.h"
#include "riskhookd/arguments.h"
#include "riskhookd/daemon.h"

static int load(const char *path, struct config **ret_config)
{
	struct error e = ERROR_INIT;
	int r;

	r = config_load(path, CONFIG_WITH_SECRETS, ret_config, &e);
	if (r == 0)
		r = jq_check_config(*ret_config, &e);
	if (r < 0)
		fprintf(stderr, "%s\n", e.text);
	return r;
}

static int check_tls(const struct server_config *server)
{
	_cleanup_(tls_pair_deinit)
	struct tls_pair pair = TLS_PAIR_NULL;
	struct error e = ERROR_INIT;
	int r;

	if (server->insecure_http)
		return 0;
	r = tls_pair_read(server->tls_certificate, server->tls_private_key, &pair, &e);
	if (r < 0)
		fprintf(stderr, "%s\n", e.text);
	return r;
}

static int check(const char *path)
{
	_cleanup_(config_freep)
	struct config *config = NULL;

	if (load(path, &config) < 0)
		return EXIT_FAILURE;
	if (check_tls(&config->server) < 0)
		return EXIT_FAILURE;
	printf("%s: ok (%zu endpoints, %zu credentials, %zu handlers)\n", config->path,
	       config->n_endpoints, config->n_credentials, config->n_handlers);
	return EXIT_SUCCESS;
}

/* signals that main waits for; blocked before the first thread, so that no other gets them */
static void block_signals(sigset_t *ret_set)
{
	(void)sigemptyset(ret_set); /* these cannot fail with valid signals */
	(void)sigaddset(ret_set, SIGTERM);
	(void)sigaddset(ret_set, SIGINT);
	(void)sigaddset(ret_set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, ret_set, NULL);
	(void)signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is told by the write's result */
}

static void wait_for_stop(const sigset_t *set)
{
	for (;;) {
		int number = sigwaitinfo(set, NULL);

		if (number < 0)
			continue; /* EINTR */
		if (number == SIGHUP) {
			log_warning("SIGHUP: this version reads its configuration at start only; "
				    "restart it to apply changes");
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
	log_notice("riskhookd " RISKHOOK_VERSION " is ready: listening on %s", daemon_url(daemon));
	(void)sd_notifyf(0, "READY=1\nSTATUS=listening on %s", daemon_url(daemon));
	wait_for_stop(&set);
	(void)sd_notify(0, "STOPPING=1"); /* without systemd there is nobody to tell */
	daemon_stop(daemon);
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
