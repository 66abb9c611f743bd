/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: configuration, credentials, certificate, file modes
 */
#include <errno.h>
#include <sys/stat.h>

#include "core/config.h"
#include "core/tls_pair.h"
#include "riskhookctl/bar.h"
#include "riskhookctl/certificate_chain.h"
#include "riskhookctl/doctor.h"
#include "riskhookctl/target.h"
#include "util/units.h"

#define DAY_US              (86400 * US_PER_S)
#define CREDENTIAL_SOON_US  (14 * DAY_US)
#define CERTIFICATE_SOON_US (21 * DAY_US)

static long long days_between(int64_t from, int64_t to)
{
	return (to - from) / DAY_US;
}

static const char *days_word(int64_t from, int64_t to)
{
	return PLURAL(days_between(from, to), "day", "days");
}

/* Return: when the last of the endpoint's credentials ends; INT64_MAX: one has no end; 0: none is
 * live */
static int64_t last_end(const struct config *config, const char *endpoint, int64_t now)
{
	int64_t end = 0;

	for (size_t i = 0; i < config->n_credentials; i++) {
		const struct credential_config *c = &config->credentials[i];

		if (strcmp(c->endpoint, endpoint) != 0 ||
		    (c->not_after_us && c->not_after_us <= now))
			continue;
		if (target_is_live(c, now) || end > 0)
			end = MAX_OF(end, c->not_after_us ? c->not_after_us : INT64_MAX);
	}
	return end;
}

static void check_endpoint(struct doctor *d, const struct config *config, const char *endpoint)
{
	int64_t end = last_end(config, endpoint, d->now);

	if (end == 0)
		doctor_tell(d, FINDING_PROBLEM, "credentials",
			    "add one, or correct not_before and not_after",
			    "endpoint %s has no credential that is valid now", endpoint);
	else if (end - d->now < CREDENTIAL_SOON_US)
		doctor_tell(d, FINDING_WARNING, "credentials",
			    "add its successor now, then change it in the RiskOS Dashboard",
			    "the last credential of endpoint %s ends in %lld %s", endpoint,
			    days_between(d->now, end), days_word(d->now, end));
	else
		doctor_tell(d, FINDING_OK, "credentials", NULL, "endpoint %s has a valid one",
			    endpoint);
}

static void check_leftovers(struct doctor *d, const struct config *config)
{
	for (size_t i = 0; i < config->n_credentials; i++) {
		const struct credential_config *c = &config->credentials[i];

		if (c->not_after_us && c->not_after_us <= d->now)
			doctor_tell(d, FINDING_WARNING, "credentials",
				    "remove it from the configuration",
				    "credential %s ended %lld %s ago", c->name,
				    days_between(c->not_after_us, d->now),
				    days_word(c->not_after_us, d->now));
	}
}

/* with the secrets: a file that cannot be read, or by too many, is an error of the configuration */
bool doctor_check_config(struct doctor *d)
{
	_cleanup_(config_freep)
	struct config *config = NULL;
	struct error e = ERROR_INIT;
	int r = config_load(d->ctx->config->path, CONFIG_WITH_SECRETS, &config, &e);

	if (r == -EACCES) {
		doctor_tell(d, FINDING_WARNING, "config", DOCTOR_MAY_NOT, "%s", e.text);
		return true;
	}
	if (r < 0) {
		doctor_tell(d, FINDING_PROBLEM, "config",
			    "correct it; until then riskhookd does not start again", "%s", e.text);
		return !d->ctx->fault;
	}
	doctor_tell(d, FINDING_OK, "config", NULL, "%s is valid, secret files are readable",
		    config->path);
	for (size_t i = 0; i < config->n_endpoints; i++)
		check_endpoint(d, config, config->endpoints[i].name);
	check_leftovers(d, config);
	return true;
}

static void check_pair(struct doctor *d, const struct server_config *server)
{
	_cleanup_(tls_pair_deinit)
	struct tls_pair pair = TLS_PAIR_NULL;
	struct error e = ERROR_INIT;
	int r = tls_pair_read(server, &pair, &e);

	if (r == -EACCES)
		doctor_tell(d, FINDING_WARNING, "certificate", DOCTOR_MAY_NOT, "%s", e.text);
	else if (r < 0)
		doctor_tell(d, FINDING_PROBLEM, "certificate", "put the right files there", "%s",
			    e.text);
	else
		doctor_tell(d, FINDING_OK, "certificate", NULL, "the private key belongs to it");
}

static void check_trust(struct doctor *d, const struct chain_facts *facts)
{
	if (facts->self_signed)
		doctor_tell(d, FINDING_WARNING, "certificate",
			    "get one of a public authority before RiskOS posts here",
			    "it is self-signed: RiskOS will not trust it");
	else if (!facts->in_order)
		doctor_tell(d, FINDING_PROBLEM, "certificate",
			    "in the file: the server's first, then each issuer",
			    "the certificates of the chain are not in order");
	else if (!facts->trusted)
		doctor_tell(d, FINDING_WARNING, "certificate",
			    "add the intermediate certificates to tls_certificate",
			    "it does not lead to an authority that this system trusts: %s",
			    facts->problem);
	else
		doctor_tell(d, FINDING_OK, "certificate", NULL,
			    "it leads to an authority that this system trusts");
}

static void check_validity(struct doctor *d, const struct tls_validity *valid)
{
	if (valid->not_after <= d->now)
		doctor_tell(d, FINDING_PROBLEM, "certificate", "renew it", "it ended %lld %s ago",
			    days_between(valid->not_after, d->now),
			    days_word(valid->not_after, d->now));
	else if (valid->not_before > d->now)
		doctor_tell(d, FINDING_PROBLEM, "certificate", "wait, or look at the clock",
			    "it is not valid yet");
	else if (valid->not_after - d->now < CERTIFICATE_SOON_US)
		doctor_tell(d, FINDING_WARNING, "certificate", "renew it", "it ends in %lld %s",
			    days_between(d->now, valid->not_after),
			    days_word(d->now, valid->not_after));
	else
		doctor_tell(d, FINDING_OK, "certificate", NULL, "%lld %s left",
			    days_between(d->now, valid->not_after),
			    days_word(d->now, valid->not_after));
}

void doctor_check_certificate(struct doctor *d)
{
	const struct server_config *server = &d->ctx->config->server;
	struct chain_facts facts;
	struct tls_validity valid;
	struct error e = ERROR_INIT;
	int r;

	if (server->insecure_http) {
		doctor_tell(d, FINDING_OK, "certificate", NULL,
			    "plain HTTP on loopback; the proxy in front has the certificate");
		return;
	}
	r = certificate_chain_read(server->tls_certificate, &facts, &e);
	if (r == -EACCES) {
		doctor_tell(d, FINDING_WARNING, "certificate", DOCTOR_MAY_NOT, "%s", e.text);
		return;
	}
	if (r < 0) {
		doctor_tell(d, FINDING_PROBLEM, "certificate", "correct tls_certificate", "%s",
			    e.text);
		return;
	}
	if (tls_validity_read(server->tls_certificate, &valid) == 0)
		check_validity(d, &valid);
	check_trust(d, &facts);
	check_pair(d, server);
}

static void check_mode(struct doctor *d, const char *path, mode_t wrong, enum finding_level level)
{
	struct stat st;

	if (!path || stat(path, &st) < 0)
		return; /* other checks tell of a file that is not there */
	if (st.st_mode & wrong)
		doctor_tell(d, level, "files", "take the access away with chmod",
			    "'%s' has mode %04o", path, (unsigned int)(st.st_mode & 07777));
	else
		doctor_tell(d, FINDING_OK, "files", NULL, "'%s' has mode %04o", path,
			    (unsigned int)(st.st_mode & 07777));
}

void doctor_check_files(struct doctor *d)
{
	const struct config *c = d->ctx->config;

	if (!c->server.insecure_http) /* a group that manages certificates is common */
		check_mode(d, c->server.tls_private_key, S_IRWXO | S_IWGRP, FINDING_PROBLEM);
	check_mode(d, c->store.path, S_IRWXO, FINDING_PROBLEM);
	check_mode(d, c->path, S_IWOTH, FINDING_PROBLEM);
	check_mode(d, c->admin.socket, S_IRWXO, FINDING_PROBLEM);
}
