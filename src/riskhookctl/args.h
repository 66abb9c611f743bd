/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: one table of every option, one struct that holds their values
 *
 * An option means the same in every command; a command names those that it accepts. Options may
 * stand before and behind the command and its operands.
 *
 * Threads: one.   Ownership: texts are borrowed from argv.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "util/err.h"
#include "util/macros.h"

#define ARGS_SET_MAX 64 /* --set may be given so often */

struct arguments {
	uint64_t given; /* one bit an option, by its place in the table */
	const char *config;
	bool help, version;
	bool utc;
	bool json;

	/* what to look for */
	const char *type, *category, *eval_id, *customer_id, *decision, *status, *workflow,
		*environment;
	const char *state, *handler;
	const char *seq;      /* "A", "A-B" or "A-" */
	int64_t since, until; /* us since the epoch; 0: not given */
	bool test, no_test;
	int64_t limit;
	bool follow, payload;

	/* trigger */
	const char *sets[ARGS_SET_MAX];
	size_t n_sets;
	const char *file, *credential, *endpoint, *url;
	const char *token_url, *client_id, *client_secret_file, *bearer_file;
	int64_t count;
	bool list, print, same_id;

	/* set-up */
	const char *listen, *url_host;
	bool demo, service, token;

	/* upkeep */
	bool force, full;

	char **operands; /* [0] is the command; NULL-terminated */
	int n_operands;  /* the command counts too */
};

/**
 * args_parse() - read the whole command line
 * @argv: reordered: operands go to its end
 * @now:  us; what durations such as "2h" count back from
 *
 * Return: 0, or -EINVAL with the sentence in @e.
 */
int args_parse(int argc, char **argv, int64_t now, struct arguments *ret, struct error *e) MUST_USE;

/**
 * args_check_accepted() - were only options given that the command accepts?
 * @accepts: their names, separated by blanks; --config, --help, --version and --utc always are
 *
 * Return: 0, or -EINVAL with the sentence in @e.
 */
int args_check_accepted(const struct arguments *args, const char *accepts,
			struct error *e) MUST_USE;

/* Return: 0, also when it was not given, or -EINVAL with the sentence in @e */
int args_check_url_host(const struct arguments *args, struct error *e) MUST_USE;

/* was one of these options given? @names: separated by blanks */
bool args_has_any(const struct arguments *args, const char *names);

/* print the options named by @accepts, one a line, with their help */
void args_print_help(FILE *out, const char *accepts);

/* a whole decimal number, at least 0. Return: 0, or -EINVAL. */
int args_number(const char *text, int64_t *ret) MUST_USE;
