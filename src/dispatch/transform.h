/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A handler's `transform`: what it gets instead of the raw body
 *
 * The program runs at the time of the attempt, in the handler's own thread, in the handler's own jq
 * process (jq/host.h): what it costs is this handler's time alone. libjq 1.6 makes numbers doubles,
 * so a transform's output may have lost digits; without a transform no byte is touched.
 *
 * Threads: any; one attempt at a time, others wait.
 */
#pragma once

#include "core/config.h"
#include "dispatch/attempt.h"
#include "util/cleanup.h"
#include "util/err.h"

struct transform;

/**
 * transform_new() - of a handler
 * @ret_transform: NULL when the handler has none
 *
 * Return: 0, or -ENOMEM.
 */
int transform_new(const struct handler_config *config, struct transform **ret_transform,
		  struct error *e) MUST_USE;
void transform_free(struct transform *transform);
DEFINE_CLEANUP(struct transform *, transform_free)

/**
 * transform_apply() - make the job's payload what the handler shall get
 * @transform: or NULL: the payload stays as it is
 *
 * Return: true; false: it failed, the attempt has its result (dead with the reason, or a retry when
 *         jq could not be run at all).
 */
bool transform_apply(struct transform *transform, struct attempt *attempt) MUST_USE;
