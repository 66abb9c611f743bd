/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the configuration share (config*.c, secret.c)
 *
 * A loader is a snapshot under construction, and beside it what only messages and checks need:
 * which section and option was given where.
 *
 * Threads: one.   Ownership: the loader owns the snapshot until somebody steals it from `config`.
 */
#pragma once

#include "core/config.h"
#include "core/options.h"
#include "util/spawn.h"

enum section_id {
	SECTION_SERVER,
	SECTION_STORE,
	SECTION_ADMIN,
	SECTION_LOG,
	SECTION_ENDPOINT,
	SECTION_CREDENTIAL,
	SECTION_HANDLER,
	SECTION_IDS
};

extern const struct section_row {
	const char *word; /* "server", "endpoint", ... */
	bool is_named;
	size_t offset; /* unnamed: of its struct in struct config */
} section_rows[SECTION_IDS];

struct section {
	enum section_id id;
	size_t index;         /* of a named section in the snapshot's array */
	const char *name;     /* of a named section, borrowed from the snapshot; otherwise NULL */
	struct origin origin; /* where it was opened first; line 0: nowhere */
	struct origin *given; /* per row of the option table: where last; line 0: nowhere */
};

struct loader {
	struct config *config;
	struct section *sections; /* the unnamed ones first, at their id */
	size_t n_sections;
	struct error *fault; /* takes the first error that is excused; NULL: none is */
};

/* Return: 0 or -ENOMEM; loader_deinit() is due in either case. @path: main file, absolute */
int loader_init(struct loader *l, const char *path) MUST_USE;
void loader_deinit(struct loader *l);

/**
 * loader_add_text() - take over what one file says; no I/O
 * @file: its name for messages; copied into the snapshot's list of files
 * @text: its bytes, whatever they are
 *
 * Return: 0, or a negative errno with "FILE:LINE: sentence" in @e.
 */
int loader_add_text(struct loader *l, const char *file, struct slice text,
		    struct error *e) MUST_USE;

/* Return: the section, new with its defaults or known from before; NULL when out of memory. Valid
 * until the next call. */
struct section *loader_open_section(struct loader *l, enum section_id id, struct slice name,
				    struct origin origin);
/* the struct that a section's options are stored in */
void *section_target(const struct loader *l, const struct section *s);
/**
 * loader_excuse() - may loading go on behind an error?
 * @s: the section that it is in, or NULL: it does not make another place of store or daemon
 * @r: what is to be returned; @e: its sentence
 *
 * Return: 0 when it may; @r when not.
 */
int loader_excuse(struct loader *l, const struct section *s, int r, struct error *e) MUST_USE;

/* "server", "endpoint", ... */
const char *section_word(const struct section *s);
/* where was the option given? line 0: nowhere */
struct origin section_given(const struct section *s, const char *option);

/**
 * section_error() - "FILE:LINE: [section]: sentence"
 * @option: where it was given is where the error is; NULL or not given: where the section is
 *
 * Return: -EINVAL.
 */
int section_error(const struct section *s, const char *option, struct error *e, const char *fmt,
		  ...) PRINTF_LIKE(4, 5);

/* fill in what depends on other options, then check all that a single option cannot know */
int config_check(struct loader *l, struct error *e) MUST_USE;
/* the types of credentials whose tokens another server vouches for */
int config_check_jwt(const struct credential_config *c, const struct section *s,
		     struct error *e) MUST_USE;
int config_check_introspection(const struct credential_config *c, const struct section *s,
			       struct error *e) MUST_USE;
/* warn about what is allowed but odd; secrets have been read */
void config_warn(const struct loader *l, int64_t now_us);

#define CONFIG_PROGRAM_PATH SPAWN_PATH

/* the same about the program of each handler, as far as this user can tell */
void config_warn_programs(const struct loader *l);

/* is `user` of every handler there, and may this process become it? */
int config_check_users(const struct loader *l, struct error *e) MUST_USE;

/**
 * config_parse_text() - a snapshot from memory alone: parse, apply defaults, check; no I/O
 * @path: as if the text were in this file
 *
 * For tests and fuzzing.
 */
int config_parse_text(const char *path, struct slice text, struct config **ret_config,
		      struct error *e) MUST_USE;

#define SECRET_MAX 4096 /* bytes of a secret file */

/**
 * secret_read() - find and read a secret file
 * @directory:  of the main configuration file
 * @name:       as configured
 * @credential: secret, secret_n and secret_path are filled
 *
 * Return: 0, or a negative errno with a sentence that names the file in @e.
 */
int secret_read(const char *directory, const char *name, struct credential_config *credential,
		struct error *e) MUST_USE;
