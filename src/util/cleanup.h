/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope-bound clean-up
 *
 *	_cleanup_(freep) char *name = strdup(...);
 *	...
 *	return steal_ptr(&name);
 *
 * A module's own destructor gets its helper by DEFINE_CLEANUP(struct store *, store_free), which
 * makes store_freep().
 */
#pragma once

#include <stdlib.h>

#include "util/fd.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

#define DEFINE_CLEANUP(type, func)                                                                 \
	static inline void func##p(type *p)                                                        \
	{                                                                                          \
		if (*p)                                                                            \
			func(*p);                                                                  \
	}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

static inline void *steal_ptr_impl(void *pp)
{
	void *p = *(void **)pp;

	*(void **)pp = NULL;
	return p;
}

/* move a pointer out of a variable that would otherwise free it */
#define steal_ptr(pp) ((__typeof__(*(pp)))steal_ptr_impl(pp))

static inline int steal_fd(int *fdp)
{
	int fd = *fdp;

	*fdp = -1;
	return fd;
}
