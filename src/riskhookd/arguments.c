/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookd/arguments.h"

#include <getopt.h>
#include <stdio.h>

#include "core/config.h"

static const char help_text[] =
	"usage: riskhookd [-c FILE] [--check]\n"
	"\n"
	"Receives Socure RiskOS webhook events over HTTPS, puts each on disk before it says 200,\n"
	"and hands it to local handlers until each has taken it. Stays in the foreground.\n"
	"\n"
	"  -c, --config FILE   configuration (" CONFIG_DEFAULT_PATH ")\n"
	"      --check         validate the configuration and exit\n"
	"      --dump-options  print the table of all options and exit\n"
	"  -h, --help          print this and exit\n"
	"  -V, --version       print the version and exit\n"
	"\n"
	"To make a configuration: riskhookctl init DIR. To ask what came in: riskhookctl events.\n";

enum long_option {
	LONG_CHECK = 256,
	LONG_DUMP_OPTIONS,
};

static const struct {
	int value;
	enum action action;
} actions[] = {
	{LONG_CHECK, ACTION_CHECK}, {LONG_DUMP_OPTIONS, ACTION_DUMP_OPTIONS},
	{'h', ACTION_HELP},         {'V', ACTION_VERSION},
	{'?', ACTION_USAGE_ERROR},
};

struct arguments arguments_parse(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, LONG_CHECK},
		{"dump-options", no_argument, NULL, LONG_DUMP_OPTIONS},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct arguments a = {.config_path = CONFIG_DEFAULT_PATH, .action = ACTION_RUN};
	int value;

	while ((value = getopt_long(argc, argv, "c:hV", long_options, NULL)) != -1) {
		if (value == 'c')
			a.config_path = optarg;
		for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
			if (actions[i].value == value)
				a.action = actions[i].action;
	}
	if (optind < argc) {
		fprintf(stderr, "riskhookd: unexpected argument '%s'\n", argv[optind]);
		a.action = ACTION_USAGE_ERROR;
	}
	return a;
}

void arguments_print_help(void)
{
	(void)fputs(help_text, stdout);
}
