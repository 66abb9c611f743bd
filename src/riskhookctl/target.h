/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the configured daemon listens, and which credential opens it
 *
 * Threads: one.   Ownership: what is returned borrows from the configuration.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "util/err.h"
#include "util/macros.h"

#define TARGET_HOST_MAX 300

struct target {
	char origin[TARGET_HOST_MAX + 16];         /* "https://localhost:8443" */
	char connect_to[2 * TARGET_HOST_MAX + 32]; /* for curl's --connect-to, or "" */
	char public_host[TARGET_HOST_MAX];         /* what RiskOS may reach it by; a guess, or "" */
	int port;
	const char *certificate; /* to trust; NULL: plain HTTP */
	bool self_signed;
	bool is_loopback; /* listens on loopback alone */
};

/**
 * target_resolve() - find the local daemon
 *
 * The host of `origin` is one that the configured certificate is valid for, so that verification
 * stays on; `connect_to` leads from there to the listen address. When the kernel chooses the port,
 * the running daemon is asked.
 *
 * Return: 0; -ECONNREFUSED when the daemon had to be asked and does not answer; another negative
 * errno. The sentence is in @e.
 */
int target_resolve(const struct config *config, struct target *ret, struct error *e) MUST_USE;

/**
 * target_endpoint() - the endpoint of that name, or the first
 * @name: or NULL
 *
 * Return: the endpoint, or NULL with the sentence in @e.
 */
const struct endpoint_config *target_endpoint(const struct config *config, const char *name,
					      struct error *e);

/* the credential of that name at an endpoint; NULL with the sentence in @e */
const struct credential_config *target_find_credential(const struct config *config,
						       const struct endpoint_config *endpoint,
						       const char *name, struct error *e);

/* Is the secret ours to know? Otherwise an identity provider issues the tokens. */
bool target_is_own_kind(const struct credential_config *credential);

/* between not_before and not_after? */
bool target_is_live(const struct credential_config *credential, int64_t now);

/**
 * target_credential() - the credential of that name, or the endpoint's first live one with a secret
 * @name: or NULL
 *
 * Return: the credential, whose secret is known; NULL with the sentence in @e.
 */
const struct credential_config *target_credential(const struct config *config,
						  const struct endpoint_config *endpoint,
						  const char *name, int64_t now, struct error *e);
