/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sections of a snapshot under construction: their structs, their defaults, where they were given
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/config_parts.h"

/* One more named section in the snapshot. Return: its name, or NULL when out of memory */
static const char *add_endpoint(struct config *c, struct slice name, struct origin origin)
{
	struct endpoint_config *items =
		reallocarray(c->endpoints, c->n_endpoints + 1, sizeof(*items));

	if (!items)
		return NULL;
	c->endpoints = items;
	items[c->n_endpoints] = (struct endpoint_config){.name = slice_dup(name), .origin = origin};
	return items[c->n_endpoints++].name;
}

static const char *add_credential(struct config *c, struct slice name, struct origin origin)
{
	struct credential_config *items =
		reallocarray(c->credentials, c->n_credentials + 1, sizeof(*items));

	if (!items)
		return NULL;
	c->credentials = items;
	items[c->n_credentials] =
		(struct credential_config){.name = slice_dup(name), .origin = origin};
	return items[c->n_credentials++].name;
}

static const char *add_handler(struct config *c, struct slice name, struct origin origin)
{
	struct handler_config *items = reallocarray(c->handlers, c->n_handlers + 1, sizeof(*items));

	if (!items)
		return NULL;
	c->handlers = items;
	items[c->n_handlers] = (struct handler_config){.name = slice_dup(name), .origin = origin};
	return items[c->n_handlers++].name;
}

const struct section_row section_rows[SECTION_IDS] = {
	[SECTION_SERVER] = {"server", false, offsetof(struct config, server)},
	[SECTION_STORE] = {"store", false, offsetof(struct config, store)},
	[SECTION_ADMIN] = {"admin", false, offsetof(struct config, admin)},
	[SECTION_LOG] = {"log", false, offsetof(struct config, log)},
	[SECTION_ENDPOINT] = {"endpoint", true, 0},
	[SECTION_CREDENTIAL] = {"credential", true, 0},
	[SECTION_HANDLER] = {"handler", true, 0},
};

const char *section_word(const struct section *s)
{
	return section_rows[s->id].word;
}

void *section_target(const struct loader *l, const struct section *s)
{
	switch (s->id) {
	case SECTION_ENDPOINT:
		return &l->config->endpoints[s->index];
	case SECTION_CREDENTIAL:
		return &l->config->credentials[s->index];
	case SECTION_HANDLER:
		return &l->config->handlers[s->index];
	default:
		return (char *)l->config + section_rows[s->id].offset;
	}
}

struct origin section_given(const struct section *s, const char *option)
{
	const struct option *o = option_find(section_word(s), option);

	return o ? s->given[o - options] : (struct origin){0};
}

int section_error(const struct section *s, const char *option, struct error *e, const char *fmt,
		  ...)
{
	struct origin origin = option ? section_given(s, option) : s->origin;
	char line[16] = "";
	va_list ap;

	if (!e)
		return -EINVAL;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap); /* a cut sentence is still one */
	va_end(ap);
	if (!origin.line)
		origin = s->origin;
	if (origin.line)
		(void)snprintf(line, sizeof(line), ":%d", origin.line); /* a sign and 10 digits */
	return error_prefix(e, -EINVAL, "%s%s: [%s%s%s]", origin.file, line, section_word(s),
			    s->name ? " " : "", s->name ? s->name : "");
}

int loader_excuse(struct loader *l, const struct section *s, int r, struct error *e)
{
	if (r == 0 || r == -ENOMEM || !l->fault)
		return r;
	if (s && (s->id == SECTION_STORE || s->id == SECTION_ADMIN))
		return r;
	if (!l->fault->text[0])
		*l->fault = *e;
	return 0;
}

static int apply_defaults(struct loader *l, const struct section *s)
{
	struct error e = ERROR_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_options; i++)
		if (options[i].fallback && strcmp(options[i].section, section_word(s)) == 0)
			r = option_set(&options[i], section_target(l, s),
				       slice_of(options[i].fallback), l->config->directory, &e);
	return r;
}

/* Return: the new section with its defaults, or NULL when out of memory */
static struct section *append_section(struct loader *l, const struct section *section)
{
	struct section *items = reallocarray(l->sections, l->n_sections + 1, sizeof(*l->sections));
	struct section *s;

	if (!items)
		return NULL;
	l->sections = items;
	s = &items[l->n_sections];
	*s = *section;
	s->given = calloc(n_options, sizeof(*s->given));
	if (!s->given)
		return NULL;
	l->n_sections++;
	return apply_defaults(l, s) < 0 ? NULL : s;
}

/* the snapshot's side of a named section. Return: 0 or -ENOMEM */
static int add_target(struct config *c, struct section *s, struct slice name)
{
	switch (s->id) {
	case SECTION_ENDPOINT:
		s->index = c->n_endpoints;
		s->name = add_endpoint(c, name, s->origin);
		break;
	case SECTION_CREDENTIAL:
		s->index = c->n_credentials;
		s->name = add_credential(c, name, s->origin);
		break;
	default:
		s->index = c->n_handlers;
		s->name = add_handler(c, name, s->origin);
		break;
	}
	return s->name ? 0 : -ENOMEM;
}

static struct section *find_section(struct loader *l, enum section_id id, struct slice name)
{
	for (size_t i = 0; i < l->n_sections; i++) {
		struct section *s = &l->sections[i];

		if (s->id == id && (!s->name || slice_eq_str(name, s->name)))
			return s;
	}
	return NULL;
}

struct section *loader_open_section(struct loader *l, enum section_id id, struct slice name,
				    struct origin origin)
{
	struct section new_section = {.id = id, .origin = origin};
	struct section *s = find_section(l, id, name);

	if (s && !s->origin.line)
		s->origin = origin;
	if (s)
		return s;
	if (add_target(l->config, &new_section, name) < 0)
		return NULL;
	return append_section(l, &new_section);
}

int loader_init(struct loader *l, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash && slash > path ? (size_t)(slash - path) : 1;

	*l = (struct loader){.config = calloc(1, sizeof(*l->config))};
	if (!l->config)
		return -ENOMEM;
	l->config->path = slice_dup(slice_of(path));
	l->config->directory = slice_dup(slice_make(slash ? path : ".", n));
	if (!l->config->path || !l->config->directory)
		return -ENOMEM;
	for (int id = 0; id < SECTION_IDS; id++) {
		struct section s = {.id = (enum section_id)id, .origin = {l->config->path, 0}};

		if (!section_rows[id].is_named && !append_section(l, &s))
			return -ENOMEM;
	}
	return 0;
}

void loader_deinit(struct loader *l)
{
	for (size_t i = 0; i < l->n_sections; i++)
		free(l->sections[i].given);
	free(l->sections);
	config_free(l->config);
	*l = (struct loader){0};
}
