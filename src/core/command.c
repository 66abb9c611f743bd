/* SPDX-License-Identifier: Apache-2.0 */
#include "core/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"

#define COMMAND_MAX (128 * 1024) /* bytes of one word; no more fits an argv anyway */

void string_list_deinit(struct string_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){0};
}

/* takes @item, also on failure; keeps a NULL behind the last, so that the list can be an argv */
static int append_owned(struct string_list *list, char *item)
{
	char **items = item ? reallocarray(list->items, list->n + 2, sizeof(*items)) : NULL;

	if (!items) {
		free(item);
		return -ENOMEM;
	}
	items[list->n++] = item;
	items[list->n] = NULL;
	list->items = items;
	return 0;
}

int string_list_append(struct string_list *list, struct slice s)
{
	return append_owned(list, slice_dup(s));
}

bool string_list_has_nocase(const struct string_list *list, struct slice s)
{
	for (size_t i = 0; i < list->n; i++)
		if (slice_eq_nocase(slice_of(list->items[i]), s))
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct slice *rest)
{
	while (rest->n && is_blank(rest->p[0]))
		*rest = slice_make(rest->p + 1, rest->n - 1);
}

static char take_char(struct slice *rest)
{
	char c = rest->p[0];

	*rest = slice_make(rest->p + 1, rest->n - 1);
	return c;
}

/* what stands between single quotes, from behind the opening one */
static int take_single_quoted(struct slice *rest, struct buf *word)
{
	while (rest->n) {
		char c = take_char(rest);

		if (c == '\'')
			return 0;
		buf_append_char(word, c);
	}
	return -EINVAL;
}

static int take_double_quoted(struct slice *rest, struct buf *word)
{
	while (rest->n) {
		char c = take_char(rest);

		if (c == '"')
			return 0;
		if (c == '\\' && rest->n && (rest->p[0] == '"' || rest->p[0] == '\\'))
			c = take_char(rest);
		buf_append_char(word, c);
	}
	return -EINVAL;
}

static int take_escaped(struct slice *rest, struct buf *word)
{
	if (rest->n == 0)
		return -EINVAL;
	return buf_append_char(word, take_char(rest));
}

/* one word, which starts at the first byte of @rest */
static int take_word(struct slice *rest, struct buf *word)
{
	int r = buf_reserve(word, 0); /* '' is a word, too */

	while (r == 0 && rest->n && !is_blank(rest->p[0])) {
		char c = take_char(rest);

		if (c == '\'')
			r = take_single_quoted(rest, word);
		else if (c == '"')
			r = take_double_quoted(rest, word);
		else if (c == '\\')
			r = take_escaped(rest, word);
		else
			r = buf_append_char(word, c);
	}
	return r;
}

static int append_words(struct slice text, struct string_list *argv)
{
	for (skip_blanks(&text); text.n; skip_blanks(&text)) {
		struct buf word = BUF_INIT(COMMAND_MAX);
		int r = take_word(&text, &word);

		if (r == 0)
			r = append_owned(argv, buf_steal(&word));
		buf_deinit(&word);
		if (r < 0)
			return r;
	}
	return argv->n ? 0 : -EINVAL;
}

int command_split(struct slice text, struct string_list *ret_argv)
{
	struct string_list argv = {0};
	int r;

	if (text.n && memchr(text.p, '\0', text.n))
		return -EINVAL;
	r = append_words(text, &argv);
	if (r < 0) {
		string_list_deinit(&argv);
		return r;
	}
	*ret_argv = argv;
	return 0;
}
