/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every command that asks the store does: open it, choose the format, turn the outcome into an
 * exit code
 *
 * Threads: one.
 */
#pragma once

#include "riskhookctl/command.h"
#include "riskhookctl/print.h"
#include "store/reader.h"

/* open the configured store; what is wrong has been printed unless CTL_OK is returned */
enum ctl_exit ask_open(const struct context *ctx, struct reader **ret_reader);

/* a table for people, JSON lines with --json */
struct printer *ask_printer(const struct context *ctx, const struct print_target *target,
			    const char *columns);

/**
 * ask_finish() - flush, and the exit code
 * @r:    what the query returned
 * @what: what was looked for, for "no WHAT"
 *
 * Return: CTL_OK when rows were printed or nobody reads any more, CTL_NOTHING when there were none,
 * CTL_FAILED after an error, which has been printed.
 */
enum ctl_exit ask_finish(struct printer *printer, int r, const char *what);

/* CTL_OK for 0 and -EPIPE; otherwise prints the error */
enum ctl_exit ask_result(int r);

/* a query_visit that prints one value raw; @target is a struct print_target; returns 1 so that the
 * caller knows that there was one */
int ask_print_body(const struct value *values, int n_values, void *target);

/* the exit code of a query with ask_print_body(); prints "no WHAT" */
enum ctl_exit ask_body_result(int r, const char *what);

/* Return: the column's value, or NULL */
const struct value *ask_value(const struct value *values, int n_values, const char *name);
