/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded when it is first needed
 *
 * With the thirty libraries that it brings along it would be more than half of the time that any
 * command takes to start, and most commands ask the store alone.
 *
 * Threads: one.
 */
#pragma once

#include <curl/curl.h>

#include "util/err.h"
#include "util/macros.h"

/* what we call: <curl/curl.h> declares curl_NAME() */
#define LIBCURL_FUNCTIONS(X)                                                                       \
	X(easy_cleanup)                                                                            \
	X(easy_escape)                                                                             \
	X(easy_getinfo)                                                                            \
	X(easy_init)                                                                               \
	X(easy_perform)                                                                            \
	X(easy_setopt)                                                                             \
	X(easy_strerror)                                                                           \
	X(free)                                                                                    \
	X(global_cleanup)                                                                          \
	X(global_init)                                                                             \
	X(slist_append)                                                                            \
	X(slist_free_all)                                                                          \
	X(version)

struct libcurl {
#define LIBCURL_MEMBER(name) __typeof__(curl_##name) *name;
	LIBCURL_FUNCTIONS(LIBCURL_MEMBER)
#undef LIBCURL_MEMBER
};

/**
 * libcurl_load() - load and initialise it, unless that was done
 *
 * Return: its functions; NULL, with @e set, when it is not there or cannot be initialised.
 */
const struct libcurl *libcurl_load(struct error *e) MUST_USE;

/* after the last use, once; harmless if it was never loaded */
void libcurl_deinit(void);
