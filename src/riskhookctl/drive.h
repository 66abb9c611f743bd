/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posting to the daemon's admin side, and what went wrong there as an exit code
 *
 * Threads: one.
 */
#pragma once

#include <jansson.h>

#include "riskhookctl/command.h"

/**
 * drive_post() - post one request
 * @request:    taken over; NULL counts as out of memory
 * @ret_answer: on CTL_OK the answer, an object; the caller frees it
 *
 * Return: CTL_OK, or the exit code of what went wrong, which has been printed.
 */
enum ctl_exit drive_post(const struct context *ctx, const char *path, json_t *request,
			 json_t **ret_answer) MUST_USE;

/* Return: CTL_OK, or CTL_NOTHING and the configured names have been printed */
enum ctl_exit drive_check_handler(const struct context *ctx, const char *name) MUST_USE;

/* an object as the one line of --json */
void drive_print_json(const json_t *object);
