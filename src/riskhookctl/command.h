/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of riskhookctl: what a command is, and the one table of them
 *
 * main() parses the arguments, looks the command up, loads the configuration as far as the command
 * wants it, and calls its function. A command prints its results to stdout, what went wrong to
 * stderr, and returns an exit code.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "riskhookctl/args.h"
#include "util/macros.h"

struct config;

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NOTHING = 3,     /* nothing found */
	CTL_UNREACHABLE = 4, /* the daemon does not answer */
};

enum command_needs {
	NEEDS_NOTHING,
	NEEDS_PLACES,  /* [store] and [admin]; of an error elsewhere people are warned */
	NEEDS_SECRETS, /* all of the configuration, with secrets */
};

struct context {
	const struct config *config; /* NULL for NEEDS_NOTHING, and when only `fault` is known */
	const char *fault;           /* NEEDS_PLACES: what is wrong in the configuration, or NULL */
	const struct arguments *args;
};

struct command {
	const char *name;
	enum ctl_exit (*run)(const struct context *ctx);
	enum command_needs needs;
	bool tells_fault;    /* itself, even without a configuration; otherwise main() does */
	const char *offline; /* options with which no configuration is needed, or NULL */
	int min_operands, max_operands;
	const char *operands; /* for the usage line, "" when there are none */
	const char *accepts;  /* names of the options, separated by blanks */
	const char *help;     /* one line, lower case, no full stop */
	const char *details;  /* further lines, or NULL */
	const char *example;  /* lines to copy */
};

extern const struct command commands[];
extern const size_t n_commands;

/* Return: the row, or NULL */
const struct command *command_find(const char *name);

/* print "riskhookctl: sentence" to stderr; returns @code */
enum ctl_exit ctl_fail(enum ctl_exit code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* cmd_events.c */
enum ctl_exit cmd_events(const struct context *ctx);

/* cmd_show.c */
enum ctl_exit cmd_show(const struct context *ctx);
enum ctl_exit cmd_evaluation(const struct context *ctx);

/* cmd_deliveries.c */
enum ctl_exit cmd_deliveries(const struct context *ctx);
enum ctl_exit cmd_attempts(const struct context *ctx);

/* cmd_drive.c */
enum ctl_exit cmd_pause(const struct context *ctx);
enum ctl_exit cmd_resume(const struct context *ctx);
enum ctl_exit cmd_retry(const struct context *ctx);
enum ctl_exit cmd_hold(const struct context *ctx);
enum ctl_exit cmd_release(const struct context *ctx);
enum ctl_exit cmd_dismiss(const struct context *ctx);

/* cmd_replay.c */
enum ctl_exit cmd_replay(const struct context *ctx);

/* cmd_kept.c */
enum ctl_exit cmd_quarantine(const struct context *ctx);
enum ctl_exit cmd_conflicts(const struct context *ctx);

/* cmd_init.c */
enum ctl_exit cmd_init(const struct context *ctx);

/* cmd_dashboard.c */
enum ctl_exit cmd_dashboard(const struct context *ctx);

/* cmd_setup.c */
enum ctl_exit cmd_check_config(const struct context *ctx);
enum ctl_exit cmd_hash_secret(const struct context *ctx);

/* cmd_trigger.c */
enum ctl_exit cmd_trigger(const struct context *ctx);

/* cmd_token.c */
enum ctl_exit cmd_token(const struct context *ctx);

/* cmd_reload.c */
enum ctl_exit cmd_reload(const struct context *ctx);

/* cmd_status.c */
enum ctl_exit cmd_status(const struct context *ctx);

/* cmd_stats.c */
enum ctl_exit cmd_stats(const struct context *ctx);

/* cmd_doctor.c */
enum ctl_exit cmd_doctor(const struct context *ctx);

/* cmd_upkeep.c */
enum ctl_exit cmd_backup(const struct context *ctx);
enum ctl_exit cmd_vacuum(const struct context *ctx);
enum ctl_exit cmd_log_level(const struct context *ctx);
