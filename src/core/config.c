/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From text to a snapshot
 *
 * libinih takes the lines apart. It would split a long line silently, join an indented one to the
 * line before, ignore what follows a section's bracket, and tells no line numbers, so the reader
 * that hands it the lines looks at each of them first, and opens the sections as well.
 */
#include "core/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <ini.h>

#include "core/config_parts.h"
#include "core/nearest.h"

/* one file on its way through libinih */
struct parser {
	struct loader *loader;
	struct section *section; /* the open one, or NULL; valid until the next one is opened */
	struct slice rest;       /* not yet handed to libinih */
	const char *file;
	int line; /* of the last line handed out */
	int result;
	struct error *e;
};

/* the first error counts; @code is returned by the parser */
#define FAIL(p, code, fmt, ...)                                                                    \
	((p)->result =                                                                             \
		 error_set((p)->e, (code), "%s:%d: " fmt, (p)->file, (p)->line, ##__VA_ARGS__))

static bool is_name(struct slice name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_.-";

	if (name.n < 1 || name.n > CONFIG_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!memchr(allowed, name.p[i], sizeof(allowed) - 1))
			return false;
	return true;
}

static void fail_unknown_section(struct parser *p, struct slice word)
{
	struct nearest near = NEAREST_INIT(word);
	char hint[NEAREST_TEXT_SIZE];

	for (int id = 0; id < SECTION_IDS; id++)
		nearest_offer(&near, section_rows[id].word);
	FAIL(p, -EINVAL, "unknown section '%.*s'%s", SLICE_ARG(word), nearest_text(&near, hint));
}

static void open_section(struct parser *p, enum section_id id, struct slice name)
{
	p->section = loader_open_section(p->loader, id, name, (struct origin){p->file, p->line});
	if (!p->section)
		FAIL(p, -ENOMEM, "out of memory");
}

/* @inside: what stands between the brackets */
static void read_section(struct parser *p, struct slice inside)
{
	struct slice name = slice_trim(inside), word = SLICE_NULL;

	if (!slice_split(&name, ' ', &word))
		word = SLICE_NULL;
	name = slice_trim(name);
	for (int id = 0; id < SECTION_IDS; id++) {
		const struct section_row *row = &section_rows[id];

		if (!slice_eq_str(word, row->word))
			continue;
		if (!row->is_named && !slice_is_empty(name))
			FAIL(p, -EINVAL, "section [%s] takes no name", row->word);
		else if (row->is_named && !is_name(name))
			FAIL(p, -EINVAL,
			     "a section [%s NAME] needs a name of 1 to %d letters, digits and _ . "
			     "-",
			     row->word, CONFIG_NAME_MAX);
		else
			open_section(p, (enum section_id)id, name);
		return;
	}
	fail_unknown_section(p, word);
}

static void read_section_line(struct parser *p, struct slice line)
{
	const char *end = memchr(line.p, ']', line.n);
	struct slice behind;

	if (!end) {
		FAIL(p, -EINVAL, "a section needs a closing ']'");
		return;
	}
	behind = slice_trim(slice_make(end + 1, line.n - (size_t)(end + 1 - line.p)));
	if (behind.n && behind.p[0] != ';') {
		FAIL(p, -EINVAL, "nothing but a comment (;) may follow the ']' of a section");
		return;
	}
	read_section(p, slice_make(line.p + 1, (size_t)(end - line.p) - 1));
}

static bool has_control_character(struct slice line)
{
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

/* fgets() for libinih: one line into @out, or NULL at the end and after an error */
static char *next_line(char *out, int size, void *arg)
{
	struct parser *p = arg;
	struct slice line;

	if (p->result < 0 || !slice_split(&p->rest, '\n', &line))
		return NULL;
	p->line++;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	line = slice_trim(line); /* libinih takes an indented line for more of the one before */
	if (line.n + 3 > (size_t)size)
		FAIL(p, -EINVAL, "the line is longer than %d bytes; a list may repeat its key",
		     size - 3);
	else if (has_control_character(line))
		FAIL(p, -EINVAL, "the line holds a control character");
	else if (line.n && line.p[0] == '[')
		read_section_line(p, line);
	if (p->result < 0)
		return NULL;
	if (line.n)
		memcpy(out, line.p, line.n);
	memcpy(out + line.n, "\n", 2);
	return out;
}

static void fail_unknown_option(struct parser *p, const char *name)
{
	const char *section = section_word(p->section);
	struct nearest near = NEAREST_INIT(slice_of(name));
	char hint[NEAREST_TEXT_SIZE];

	for (size_t i = 0; i < n_options; i++)
		if (strcmp(options[i].section, section) == 0)
			nearest_offer(&near, options[i].name);
	FAIL(p, -EINVAL, "unknown option '%s' in section [%s]%s", name, section,
	     nearest_text(&near, hint));
}

static void read_option(struct parser *p, const struct option *o, const char *value)
{
	struct origin *given = &p->section->given[o - options];
	struct error e = ERROR_INIT;
	int r;

	if (given->file == p->file && given->line && !option_is_list(o)) {
		FAIL(p, -EINVAL, "'%s' was already given in line %d", o->name, given->line);
		return;
	}
	r = option_set(o, section_target(p->loader, p->section), slice_of(value),
		       p->loader->config->directory, &e);
	if (r < 0)
		FAIL(p, r, "%s", e.text);
	*given = (struct origin){p->file, p->line};
}

/* libinih's callback; @section is what next_line() has opened */
static int on_option(void *arg, const char *section, const char *name, const char *value)
{
	struct parser *p = arg;
	const struct option *o;

	(void)section; /* cut to 49 bytes; p->section is not */
	if (p->result < 0)
		return 0;
	if (!p->section) {
		FAIL(p, -EINVAL, "'%s' stands before the first section", name);
		return 0;
	}
	o = option_find(section_word(p->section), name);
	if (o)
		read_option(p, o, value);
	else
		fail_unknown_option(p, name);
	p->result = loader_excuse(p->loader, p->section, p->result, p->e);
	return p->result == 0;
}

static struct slice without_byte_order_mark(struct slice text)
{
	if (text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0)
		return slice_make(text.p + 3, text.n - 3);
	return text;
}

/* Debian's build has its limits in variables; 200 bytes a line would be few for a list */
static void set_up_libinih(void)
{
	ini_use_stack = false;
	ini_max_line = CONFIG_LINE_MAX + 3; /* line end and NUL */
}

int loader_add_text(struct loader *l, const char *file, struct slice text, struct error *e)
{
	struct parser p = {.loader = l, .e = e};
	int line;

	if (string_list_append(&l->config->files, slice_of(file)) < 0)
		return error_set(e, -ENOMEM, "%s: out of memory", file);
	p.file = l->config->files.items[l->config->files.n - 1];
	p.rest = without_byte_order_mark(text);
	set_up_libinih();
	line = ini_parse_stream(next_line, &p, on_option, &p);
	/* libinih goes on behind a line that it does not understand; it tells the first one */
	if (line > 0 && (p.result == 0 || line < p.line)) {
		p.line = line;
		FAIL(&p, -EINVAL, "expected 'option = value' or '[section]'");
	} else if (line < 0 && p.result == 0) {
		FAIL(&p, -ENOMEM, "out of memory");
	}
	return p.result;
}
