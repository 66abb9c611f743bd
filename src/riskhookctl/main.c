/* SPDX-License-Identifier: Apache-2.0 */
/*
 * riskhookctl: asks the store, helps to set riskhookd up
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/nearest.h"
#include "jq/evaluator.h"
#include "riskhookctl/client.h"
#include "riskhookctl/command.h"
#include "riskhookctl/print.h"
#include "riskhookctl/print_time.h"
#include "riskhookctl/put.h"

enum ctl_exit ctl_fail(enum ctl_exit code, const char *fmt, ...)
{
	va_list ap;

	(void)fflush(stdout); /* keep the order when both go to one place */
	put(stderr, "riskhookctl: ");
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap); /* there is nobody else to tell */
	va_end(ap);
	put(stderr, "\n");
	return code;
}

static enum ctl_exit print_general_help(FILE *out, enum ctl_exit code)
{
	put(out, "usage: riskhookctl [-c FILE] COMMAND ...\n\n"
		 "Asks the store of riskhookd and helps to set it up.\n\n");
	for (size_t i = 0; i < n_commands; i++)
		put(out, "  %-14s %s\n", commands[i].name, commands[i].help);
	put(out, "\noptions of every command:\n");
	args_print_help(out, "");
	put(out, "\n'riskhookctl help COMMAND' tells more, with an example.\n"
		 "exit codes: 0 ok, 1 failed, 2 usage, 3 nothing found, 4 daemon not reachable\n");
	return code;
}

static enum ctl_exit print_command_help(const struct command *command)
{
	put(stdout, "usage: riskhookctl %s%s%s%s\n\n%s\n", command->name,
	    *command->operands ? " " : "", command->operands,
	    *command->accepts ? " [OPTION]..." : "", command->help);
	if (command->details)
		put(stdout, "\n%s\n", command->details);
	put(stdout, "\noptions:\n");
	args_print_help(stdout, command->accepts);
	put(stdout, "\nexample:\n  %s\n", command->example);
	return CTL_OK;
}

static const struct command *find_or_suggest(const char *name)
{
	const struct command *command = command_find(name);
	struct nearest nearest = NEAREST_INIT(slice_of(name));
	char text[NEAREST_TEXT_SIZE];

	if (command)
		return command;
	for (size_t i = 0; i < n_commands; i++)
		nearest_offer(&nearest, commands[i].name);
	(void)ctl_fail(CTL_USAGE, "unknown command '%s'%s; 'riskhookctl help' lists them", name,
		       nearest_text(&nearest, text));
	return NULL;
}

/* "help", "help COMMAND", "COMMAND --help", or no command at all */
static enum ctl_exit help(const struct arguments *args)
{
	bool is_help = args->n_operands > 0 && strcmp(args->operands[0], "help") == 0;
	int place = is_help ? 1 : 0;
	const struct command *command;

	if (args->n_operands <= place)
		return is_help || args->help ? print_general_help(stdout, CTL_OK)
					     : print_general_help(stderr, CTL_USAGE);
	command = find_or_suggest(args->operands[place]);
	return command ? print_command_help(command) : CTL_USAGE;
}

static enum ctl_exit check_usage(const struct command *command, const struct arguments *args)
{
	int n = args->n_operands - 1;
	struct error e = ERROR_INIT;

	if (args_check_accepted(args, command->accepts, &e) < 0)
		return ctl_fail(CTL_USAGE, "%s; 'riskhookctl help %s' lists its options", e.text,
				command->name);
	if (n < command->min_operands || n > command->max_operands)
		return ctl_fail(CTL_USAGE, "usage: riskhookctl %s%s%s", command->name,
				*command->operands ? " " : "", command->operands);
	return CTL_OK;
}

static bool wants_config(const struct command *command, const struct arguments *args)
{
	if (command->needs == NEEDS_NOTHING)
		return false;
	return !command->offline || !args_has_any(args, command->offline);
}

/* @ret_fault: what is wrong, with a configuration or without one; "" when nothing is */
static int load_config(const struct command *command, const char *path, struct config **ret_config,
		       struct error *ret_fault)
{
	struct error e = ERROR_INIT;
	int r;

	if (command->needs == NEEDS_SECRETS)
		return config_load(path, CONFIG_WITH_SECRETS, ret_config, ret_fault);
	r = config_load_places(path, ret_config, ret_fault, &e);
	if (r < 0)
		*ret_fault = e;
	return r;
}

/* Return: CTL_OK when the command can do its work */
static enum ctl_exit tell_fault(const struct command *command, int r, const struct error *fault)
{
	if (!fault->text[0] || command->tells_fault)
		return CTL_OK;
	if (r < 0)
		return ctl_fail(CTL_FAILED, "%s", fault->text);
	return ctl_fail(CTL_OK, "warning: %s; riskhookd will not start with it", fault->text);
}

static enum ctl_exit run_command(const struct command *command, const struct arguments *args)
{
	_cleanup_(config_freep)
	struct config *config = NULL;
	struct context ctx = {.args = args};
	struct error fault = ERROR_INIT;
	enum ctl_exit code = check_usage(command, args);

	if (code != CTL_OK)
		return code;
	if (wants_config(command, args)) {
		int r = load_config(command, args->config, &config, &fault);

		code = tell_fault(command, r, &fault);
		ctx.config = config;
		ctx.fault = fault.text[0] ? fault.text : NULL;
	}
	return code == CTL_OK ? command->run(&ctx) : code;
}

static enum ctl_exit run(const struct arguments *args)
{
	const struct command *command;

	if (args->version) {
		put(stdout, "riskhookctl %s (%s)\n", RISKHOOK_VERSION, client_version());
		return CTL_OK;
	}
	if (args->help || args->n_operands == 0 || strcmp(args->operands[0], "help") == 0)
		return help(args);
	command = find_or_suggest(args->operands[0]);
	return command ? run_command(command, args) : CTL_USAGE;
}

int main(int argc, char **argv)
{
	struct arguments args;
	struct error e = ERROR_INIT;
	enum ctl_exit code;
	int r;

	if (evaluator_is_meant(argc, argv))
		return evaluator_main(argc, argv);
	(void)setlocale(LC_CTYPE, "");  /* for the width of characters; "C" is good enough */
	(void)signal(SIGPIPE, SIG_IGN); /* a closed stdout is an error that print.c reports */
	if (args_parse(argc, argv, clock_now_us(), &args, &e) < 0)
		return ctl_fail(CTL_USAGE, "%s; 'riskhookctl help' lists commands", e.text);
	print_time_use_utc(args.utc);
	code = run(&args);
	client_deinit();
	r = print_flush(stdout);
	if (r < 0 && r != -EPIPE && code == CTL_OK)
		return ctl_fail(CTL_FAILED, "cannot write the output: %s", error_name(r));
	return code;
}
