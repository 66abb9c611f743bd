/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that ends where the next page cannot be read: a step beyond it ends the test
 *
 * Threads: none.   Ownership: guarded_new() allocates, guarded_free() frees.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct guarded {
	char *pages;
	char *end;   /* of what can be read; one page more cannot */
	size_t page; /* size */
};

static inline struct guarded guarded_new(size_t room)
{
	struct guarded g = {.page = (size_t)sysconf(_SC_PAGESIZE)};
	size_t n = (room + g.page - 1) / g.page * g.page;

	g.pages = aligned_alloc(g.page, n + g.page);
	assert_non_null(g.pages);
	g.end = g.pages + n;
	assert_int_equal(mprotect(g.end, g.page, PROT_NONE), 0);
	return g;
}

static inline void guarded_free(struct guarded *g)
{
	assert_int_equal(mprotect(g->end, g->page, PROT_READ | PROT_WRITE), 0);
	free(g->pages);
}

/* a copy of the @n bytes at @p that ends where the memory does */
static inline const char *guarded_copy(struct guarded *g, const char *p, size_t n)
{
	memcpy(g->end - n, p, n);
	return g->end - n;
}
