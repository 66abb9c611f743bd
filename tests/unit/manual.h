/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of answers in a manual page, to be held against the table that gives them
 *
 * Each is an item `.It STATUS TEXT`; what stands below it names the headers that go with it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/fd.h"

struct manual {
	const char *page;
	char *section; /* each line of it ends with a newline, and one stands before the first */
};

/* fail_msg() does not return, but does not say so */
__attribute__((noreturn)) static void manual_fail(const char *what, const char *of)
{
	fail_msg("%s %s", what, of);
	abort();
}

/* what keeps mandoc from taking a word for a macro is no text */
static void manual_drop_escapes(char *text)
{
	char *at;

	while ((at = strstr(text, "\\&")))
		memmove(at, at + 2, strlen(at + 2) + 1);
}

/* @heading: of the section, such as "ANSWERS" */
static struct manual manual_open(const char *page, const char *heading)
{
	char start[80], *text, *end;
	const char *found;
	size_t n;

	if (fd_read_file(page, 1024 * 1024, &text, &n) < 0)
		manual_fail("cannot read", page);
	(void)snprintf(start, sizeof(start), "\n.Sh %s\n", heading);
	found = strstr(text, start);
	if (!found)
		manual_fail("no such section:", heading);
	memmove(text, found + strlen(start) - 1, strlen(found + strlen(start) - 1) + 1);
	end = strstr(text, "\n.Sh ");
	if (end)
		end[1] = '\0';
	manual_drop_escapes(text);
	return (struct manual){page, text};
}

static void manual_close(struct manual *m)
{
	free(m->section);
}

/* how many answers it lists: items that begin with a digit */
static size_t manual_count(const struct manual *m)
{
	size_t n = 0;

	for (const char *at = m->section; (at = strstr(at, "\n.It ")); at++)
		n += at[5] >= '0' && at[5] <= '9';
	return n;
}

/* what is below an item; borrowed until the next call */
static const char *manual_item(const struct manual *m, unsigned int status, const char *text)
{
	static char below[4096];
	char tag[512];
	const char *at, *next, *end;

	(void)snprintf(tag, sizeof(tag), "\n.It %u %s\n", status, text);
	at = strstr(m->section, tag);
	if (!at)
		manual_fail("the manual lacks an answer, add:", tag + 1);
	at += strlen(tag) - 1;
	next = strstr(at, "\n.It ");
	end = strstr(at, "\n.El");
	assert_non_null(end);
	if (next && next < end)
		end = next;
	(void)snprintf(below, sizeof(below), "%.*s\n", (int)(end - at), at);
	return below;
}

/* @retry_after_s: 0: none, or none that is known before */
static void manual_check_headers(const struct manual *m, const char *below, int retry_after_s,
				 bool close)
{
	char retry_after[64];

	(void)snprintf(retry_after, sizeof(retry_after), "\n.Ql Retry-After: %d", retry_after_s);
	if ((strstr(below, ".Ql Retry-After: ") != NULL) != (retry_after_s > 0) ||
	    (retry_after_s > 0 && !strstr(below, retry_after)))
		fail_msg("%s: Retry-After is %d, not as here:%s", m->page, retry_after_s, below);
	if ((strstr(below, "\n.Ql Connection: close") != NULL) != close)
		fail_msg("%s: is the connection closed?%s", m->page, below);
}
