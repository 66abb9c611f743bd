/* SPDX-License-Identifier: Apache-2.0 */
#include "core/option_types.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/config.h"
#include "util/macros.h"
#include "util/units.h"

/* one value on its way into the snapshot */
struct input {
	const struct option *option;
	struct slice text;
	const char *directory;
	struct error *e;
};

/* what a parsing function returns besides 0 and a negative errno with its own sentence in @e */
enum {
	NOT_UNDERSTOOD = 1, /* the caller says what was expected */
};

typedef int (*option_parse)(const struct input *in, void *at);
typedef void (*option_deinit)(void *at);
typedef bool (*option_equal)(const void *a, const void *b);
typedef const char *(*option_format)(int64_t value, char out[UNIT_TEXT_SIZE]);

static int out_of_memory(const struct input *in)
{
	return error_set(in->e, -ENOMEM, "'%s': out of memory", in->option->name);
}

/* takes @value */
static int store_string(const struct input *in, char *value, void *at)
{
	char **string = at;

	if (!value)
		return out_of_memory(in);
	free(*string);
	*string = value;
	return 0;
}

static int parse_string(const struct input *in, void *at)
{
	return store_string(in, slice_dup(in->text), at);
}

static void deinit_string(void *at)
{
	char **string = at;

	free(*string);
	*string = NULL;
}

static int parse_path(const struct input *in, void *at)
{
	struct buf path = BUF_INIT(8192);

	if (in->text.p[0] != '/')
		buf_printf(&path, "%s/", in->directory);
	buf_append_slice(&path, in->text);
	return store_string(in, buf_steal(&path), at);
}

static int parse_url_path(const struct input *in, void *at)
{
	struct slice text = in->text;

	if (text.p[0] != '/')
		return NOT_UNDERSTOOD;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f || strchr("?#%\"<>\\", text.p[i]))
			return NOT_UNDERSTOOD;
	return store_string(in, slice_dup(text), at);
}

static int parse_bool(const struct input *in, void *at)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"yes", true}, {"no", false},  {"true", true}, {"false", false},
		     {"on", true},  {"off", false}, {"1", true},    {"0", false}};
	bool *flag = at;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!slice_eq_nocase(in->text, slice_of(words[i].word)))
			continue;
		*flag = words[i].value;
		return 0;
	}
	return NOT_UNDERSTOOD;
}

static int out_of_bounds(const struct input *in)
{
	struct buf bounds = BUF_INIT(256);

	option_append_bounds(in->option, &bounds);
	error_set(in->e, -ERANGE, "'%s' is %.*s, allowed are %s", in->option->name,
		  SLICE_ARG(in->text), bounds.p ? bounds.p : "other values");
	buf_deinit(&bounds);
	return -ERANGE;
}

static int store_number(const struct input *in, int64_t value, void *at)
{
	const struct option *o = in->option;
	int64_t *number = at;

	if (value < o->min || (o->max && value > o->max))
		return out_of_bounds(in);
	*number = value;
	return 0;
}

static int parse_integer(const struct input *in, void *at)
{
	int64_t value = 0;

	for (size_t i = 0; i < in->text.n; i++) {
		char c = in->text.p[i];

		if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, c - '0', &value))
			return NOT_UNDERSTOOD;
	}
	return store_number(in, value, at);
}

static int parse_size(const struct input *in, void *at)
{
	int64_t value;

	return size_parse(in->text, &value) < 0 ? NOT_UNDERSTOOD : store_number(in, value, at);
}

static int parse_duration(const struct input *in, void *at)
{
	int64_t value;

	return duration_parse(in->text, &value) < 0 ? NOT_UNDERSTOOD : store_number(in, value, at);
}

static int parse_time(const struct input *in, void *at)
{
	int64_t *us = at;

	return time_parse(in->text, us) < 0 ? NOT_UNDERSTOOD : 0;
}

static int parse_address(const struct input *in, void *at)
{
	struct listen_address address;
	int r = listen_address_parse(in->text, &address);

	if (r == -EINVAL)
		return NOT_UNDERSTOOD;
	if (r < 0)
		return out_of_memory(in);
	listen_address_deinit(at);
	*(struct listen_address *)at = address;
	return 0;
}

static void deinit_address(void *at)
{
	listen_address_deinit(at);
}

static int parse_enum(const struct input *in, void *at)
{
	int *value = at;

	for (int i = 0; in->option->words[i]; i++) {
		if (!slice_eq_nocase(in->text, slice_of(in->option->words[i])))
			continue;
		*value = i;
		return 0;
	}
	return out_of_bounds(in);
}

static bool is_allowed(const char *const *words, struct slice word)
{
	for (; words && *words; words++)
		if (slice_eq_nocase(word, slice_of(*words)))
			return true;
	return !words;
}

static int parse_words(const struct input *in, void *at)
{
	struct slice rest = in->text, word;

	while (slice_split(&rest, ',', &word)) {
		word = slice_trim(word);
		if (slice_is_empty(word))
			return NOT_UNDERSTOOD;
		if (!is_allowed(in->option->words, word)) {
			struct input one = *in;

			one.text = word;
			return out_of_bounds(&one);
		}
		if (string_list_append(at, word) < 0)
			return out_of_memory(in);
	}
	return 0;
}

static int parse_line(const struct input *in, void *at)
{
	return string_list_append(at, in->text) < 0 ? out_of_memory(in) : 0;
}

/* "./hook" and "hooks/x" count from the configuration's folder; a plain name is looked up in PATH
 */
static int make_absolute(char **path, const char *directory)
{
	struct buf absolute = BUF_INIT(8192);
	char *p;

	if (**path == '/' || !strchr(*path, '/'))
		return 0;
	buf_printf(&absolute, "%s/%s", directory, *path);
	p = buf_steal(&absolute);
	if (!p)
		return -ENOMEM;
	free(*path);
	*path = p;
	return 0;
}

static int parse_command(const struct input *in, void *at)
{
	struct string_list argv;
	int r = command_split(in->text, &argv);

	if (r == -EINVAL)
		return NOT_UNDERSTOOD;
	if (r < 0)
		return out_of_memory(in);
	if (make_absolute(&argv.items[0], in->directory) < 0) {
		string_list_deinit(&argv);
		return out_of_memory(in);
	}
	string_list_deinit(at);
	*(struct string_list *)at = argv;
	return 0;
}

static void deinit_list(void *at)
{
	string_list_deinit(at);
}

static int append_prefix(struct prefix_list *list, const struct prefix *prefix)
{
	struct prefix *items = reallocarray(list->items, list->n + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	items[list->n++] = *prefix;
	list->items = items;
	return 0;
}

static int parse_prefixes(const struct input *in, void *at)
{
	struct slice rest = in->text, word;
	struct prefix prefix;

	while (slice_split(&rest, ',', &word)) {
		if (prefix_parse(word, &prefix) < 0)
			return NOT_UNDERSTOOD;
		if (append_prefix(at, &prefix) < 0)
			return out_of_memory(in);
	}
	return 0;
}

static void deinit_prefixes(void *at)
{
	struct prefix_list *list = at;

	free(list->items);
	*list = (struct prefix_list){0};
}

static const char *format_integer(int64_t value, char out[UNIT_TEXT_SIZE])
{
	(void)snprintf(out, UNIT_TEXT_SIZE, "%" PRId64, value); /* at most 20 characters */
	return out;
}

static bool equal_string(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return *x && *y ? strcmp(*x, *y) == 0 : *x == *y;
}

static bool equal_bool(const void *a, const void *b)
{
	const bool *x = a, *y = b;

	return *x == *y;
}

static bool equal_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x == *y;
}

static bool equal_enum(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return *x == *y;
}

static bool equal_address(const void *a, const void *b)
{
	const struct listen_address *x = a, *y = b;

	return equal_string(&x->text, &y->text);
}

static bool equal_list(const void *a, const void *b)
{
	const struct string_list *x = a, *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->items[i], y->items[i]) != 0)
			return false;
	return true;
}

static bool equal_prefixes(const void *a, const void *b)
{
	const struct prefix_list *x = a, *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (x->items[i].bits != y->items[i].bits ||
		    memcmp(x->items[i].address, y->items[i].address, 16) != 0)
			return false;
	return true;
}

static const struct type {
	const char *name;
	const char *expected; /* "expected ..." */
	bool is_list;
	option_parse parse;
	option_deinit deinit; /* or NULL */
	option_format format; /* of bounds, or NULL */
	option_equal equal;
} types[] = {
	[OPTION_STRING] = {"string", "text", false, parse_string, deinit_string, NULL,
			   equal_string},
	[OPTION_BOOL] = {"bool", "yes or no", false, parse_bool, NULL, NULL, equal_bool},
	[OPTION_INTEGER] = {"integer", "a whole number", false, parse_integer, NULL, format_integer,
			    equal_number},
	[OPTION_SIZE] = {"size", "a size such as 512, 64KiB or 2MiB", false, parse_size, NULL,
			 size_format, equal_number},
	[OPTION_DURATION] = {"duration", "a duration such as 250ms, 15s, 10m, 24h or 7d", false,
			     parse_duration, NULL, duration_format, equal_number},
	[OPTION_TIME] = {"time", "a time such as 2027-01-01T00:00:00Z", false, parse_time, NULL,
			 NULL, equal_number},
	[OPTION_PATH] = {"path", "a file name", false, parse_path, deinit_string, NULL,
			 equal_string},
	[OPTION_SECRET_PATH] = {"path", "a file name", false, parse_string, deinit_string, NULL,
				equal_string},
	[OPTION_URL_PATH] = {"url-path", "a path that begins with / and has no query and no blank",
			     false, parse_url_path, deinit_string, NULL, equal_string},
	[OPTION_ADDRESS] = {"address",
			    "a numeric address and a port such as 0.0.0.0:8443 or [::]:8443", false,
			    parse_address, deinit_address, NULL, equal_address},
	[OPTION_ENUM] = {"enum", "one word", false, parse_enum, NULL, NULL, equal_enum},
	[OPTION_WORDS] = {"words", "words separated by commas", true, parse_words, deinit_list,
			  NULL, equal_list},
	[OPTION_LINES] = {"lines", "text", true, parse_line, deinit_list, NULL, equal_list},
	[OPTION_PREFIXES] = {"prefixes",
			     "addresses and prefixes without host bits, separated by commas, such "
			     "as 192.0.2.0/24",
			     true, parse_prefixes, deinit_prefixes, NULL, equal_prefixes},
	[OPTION_COMMAND] = {"command", "a program and arguments with all quotes closed", false,
			    parse_command, deinit_list, NULL, equal_list},
};

const char *option_type_name(const struct option *o)
{
	return types[o->type].name;
}

bool option_is_list(const struct option *o)
{
	return types[o->type].is_list;
}

void option_append_bounds(const struct option *o, struct buf *out)
{
	char min[UNIT_TEXT_SIZE], max[UNIT_TEXT_SIZE];
	option_format format = types[o->type].format;

	for (const char *const *word = o->words; word && *word; word++)
		if (**word)
			buf_printf(out, "%s%s", out->n ? ", " : "", *word);
	if (format)
		buf_printf(out, "%s to %s", format(o->min, min), format(o->max, max));
}

int option_set(const struct option *o, void *target, struct slice text, const char *directory,
	       struct error *e)
{
	struct input in = {.option = o, .text = slice_trim(text), .directory = directory, .e = e};
	int r;

	if (slice_is_empty(in.text))
		return error_set(e, -EINVAL, "'%s' is empty, expected %s", o->name,
				 types[o->type].expected);
	r = types[o->type].parse(&in, (char *)target + o->offset);
	if (r == NOT_UNDERSTOOD)
		return error_set(e, -EINVAL, "'%s' is '%.*s', expected %s", o->name,
				 SLICE_ARG(in.text), types[o->type].expected);
	return r;
}

bool option_eq(const struct option *o, const void *a, const void *b)
{
	option_equal equal = types[o->type].equal;

	return equal && equal((const char *)a + o->offset, (const char *)b + o->offset);
}

void options_deinit(const char *section, void *target)
{
	for (size_t i = 0; i < n_options; i++) {
		option_deinit deinit = types[options[i].type].deinit;

		if (deinit && strcmp(options[i].section, section) == 0)
			deinit((char *)target + options[i].offset);
	}
}
