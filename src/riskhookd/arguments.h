/* SPDX-License-Identifier: Apache-2.0 */
/*
 * riskhookd's command line
 *
 * Threads: main.   Ownership: borrows argv.
 */
#pragma once

enum action {
	ACTION_RUN,
	ACTION_CHECK,
	ACTION_DUMP_OPTIONS,
	ACTION_HELP,
	ACTION_VERSION,
	ACTION_USAGE_ERROR,
};

struct arguments {
	const char *config_path;
	enum action action;
};

/* says on stderr what is wrong and returns ACTION_USAGE_ERROR for it */
struct arguments arguments_parse(int argc, char **argv);

void arguments_print_help(void);
