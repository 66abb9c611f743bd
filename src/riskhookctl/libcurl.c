/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/libcurl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SONAME "libcurl.so.4" /* since 2006; the header's functions are found in no other */

static struct libcurl functions;
static void *handle;
static bool loaded; /* and initialised */

static const struct {
	const char *symbol;
	size_t offset;
} symbols[] = {
#define LIBCURL_SYMBOL(name) {"curl_" #name, offsetof(struct libcurl, name)},
	LIBCURL_FUNCTIONS(LIBCURL_SYMBOL)
#undef LIBCURL_SYMBOL
};

/* Return: 0, or -ENOENT when one is missing */
static int find_symbols(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *p = dlsym(handle, symbols[i].symbol);

		if (!p)
			return -ENOENT;
		memcpy((char *)&functions + symbols[i].offset, &p, sizeof(p)); /* dlsym(3) */
	}
	return 0;
}

const struct libcurl *libcurl_load(struct error *e)
{
	if (loaded)
		return &functions;
	handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL); /* never closed: the program ends soon */
	if (!handle || find_symbols() < 0)
		error_set(e, -ENOENT, "cannot load libcurl, which talks HTTP: %s", dlerror());
	else if (functions.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		error_set(e, -EIO, "cannot initialise libcurl");
	else
		loaded = true;
	return loaded ? &functions : NULL;
}

void libcurl_deinit(void)
{
	if (loaded)
		functions.global_cleanup();
	loaded = false;
}
