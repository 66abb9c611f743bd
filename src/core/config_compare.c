/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two snapshots side by side: what a reload leaves alone, and what it cannot change
 */
#include "core/config.h"

#include "core/options.h"
#include "util/buf.h"

bool handler_config_eq(const struct handler_config *a, const struct handler_config *b)
{
	if (strcmp(a->name, b->name) != 0)
		return false;
	for (size_t i = 0; i < n_options; i++)
		if (strcmp(options[i].section, "handler") == 0 && !option_eq(&options[i], a, b))
			return false;
	return true;
}

static void append_fixed_of(const char *section, const void *a, const void *b, struct buf *out)
{
	for (size_t i = 0; i < n_options; i++) {
		const struct option *o = &options[i];

		if (!o->reloadable && strcmp(o->section, section) == 0 && !option_eq(o, a, b))
			buf_printf(out, "%s[%s] %s", out->n ? ", " : "", section, o->name);
	}
}

void config_append_fixed(const struct config *a, const struct config *b, struct buf *out)
{
	append_fixed_of("server", &a->server, &b->server, out);
	append_fixed_of("store", &a->store, &b->store, out);
	append_fixed_of("admin", &a->admin, &b->admin, out);
	append_fixed_of("log", &a->log, &b->log, out);
}
