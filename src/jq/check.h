/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are the jq programs of a configuration programs?
 *
 * Threads: any.
 */
#pragma once

#include "core/config.h"

/**
 * jq_check_config() - compile every `filter` and `transform`
 * @e: on failure: "FILE:LINE: [handler NAME]: 'filter': what jq says"
 *
 * Takes some 20 ms a program. For riskhookd's start, --check and reload, and for check-config.
 *
 * Return: 0, -EINVAL, or another negative errno when jq's process cannot be started.
 */
int jq_check_config(const struct config *config, struct error *e) MUST_USE;
