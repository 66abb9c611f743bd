/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How `trigger` proves who it is: by the secret of a credential, or by an access token, which is
 * fetched as RiskOS would fetch it, or read from a file
 *
 * Threads: one.   Ownership: owns what was read and fetched; the rest is borrowed.
 */
#pragma once

#include "riskhookctl/client.h"
#include "riskhookctl/command.h"
#include "riskhookctl/target.h"

struct access {
	char *token;  /* fetched or read */
	char *secret; /* of --client-secret-file */
};

void access_deinit(struct access *access);

/**
 * access_resolve() - find or fetch what opens the endpoint
 * @to:  url, connect_to and certificate are set; username and password, or token, are filled in,
 *       borrowed from the configuration or @access
 *
 * Return: CTL_OK; otherwise what is wrong has been printed.
 */
enum ctl_exit access_resolve(const struct context *ctx, const struct endpoint_config *endpoint,
			     struct post_target *to, struct access *access);
