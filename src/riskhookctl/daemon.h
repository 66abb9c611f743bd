/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's admin side: asking it, and what went wrong there as an exit code
 *
 * Threads: one.
 */
#pragma once

#include <jansson.h>

#include "riskhookctl/command.h"
#include "util/err.h"
#include "util/slice.h"

/* whatever it is; the caller drops the object */
struct daemon_answer {
	int status;     /* of HTTP */
	json_t *object; /* NULL: the body is none */
};

/* Return: CTL_OK when there is an answer, or the exit code of what went wrong, which has been
 * printed. */
enum ctl_exit daemon_get(const struct context *ctx, const char *path,
			 struct daemon_answer *ret) MUST_USE;
/* the same with a POST of @body, JSON or empty */
enum ctl_exit daemon_post(const struct context *ctx, const char *path, struct slice body,
			  struct daemon_answer *ret) MUST_USE;

/**
 * daemon_change() - post what is to be done; a refusal is printed as the daemon words it
 * @request:    taken over; NULL counts as out of memory
 * @ret_answer: on CTL_OK the answer, an object; the caller frees it
 *
 * Return: CTL_OK, or the exit code of what went wrong, which has been printed.
 */
enum ctl_exit daemon_change(const struct context *ctx, const char *path, json_t *request,
			    json_t **ret_answer) MUST_USE;

/* print why the daemon could not be asked. @r: as client_get_admin(). Return: the exit code. */
enum ctl_exit daemon_fail(int r, const struct error *e) MUST_USE;

/* Return: CTL_OK, or CTL_NOTHING and the configured names have been printed */
enum ctl_exit daemon_check_handler(const struct context *ctx, const char *name) MUST_USE;

/* an object as the one line of --json */
void daemon_print_json(const json_t *object);
