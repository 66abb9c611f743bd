/* SPDX-License-Identifier: Apache-2.0 */
#include "jq/check.h"

#include <errno.h>
#include <stdlib.h>

#include "jq/host.h"

/* a program, and where it stands */
struct place {
	const struct handler_config *handler;
	const char *option;
	const struct origin *origin;
};

struct list_of_programs {
	struct host_program *programs;
	struct place *places;
	size_t n;
};

static void add(struct list_of_programs *list, const char *text, struct place place)
{
	if (!text)
		return;
	list->programs[list->n].text = text;
	list->places[list->n++] = place;
}

static int fail(const struct list_of_programs *list, size_t index, int r, struct error *e)
{
	const struct place *place = &list->places[index];

	return error_prefix(e, r, "%s:%d: [handler %s]: '%s'", place->origin->file,
			    place->origin->line, place->handler->name, place->option);
}

static int compile_all(const struct list_of_programs *list, struct error *e)
{
	_cleanup_(host_freep)
	struct host *host = NULL;
	size_t index;
	int r;

	if (host_new(list->programs, list->n, &host) < 0)
		return error_set(e, -ENOMEM, "out of memory");
	r = host_compile(host, &index, e);
	return r < 0 ? fail(list, index, r, e) : 0;
}

int jq_check_config(const struct config *config, struct error *e)
{
	size_t most = 2 * config->n_handlers;
	struct list_of_programs list = {
		.programs = calloc(most + 1, sizeof(*list.programs)),
		.places = calloc(most + 1, sizeof(*list.places)),
	};
	int r = 0;

	for (size_t i = 0; list.programs && list.places && i < config->n_handlers; i++) {
		const struct handler_config *h = &config->handlers[i];

		add(&list, h->filter, (struct place){h, "filter", &h->filter_origin});
		add(&list, h->transform, (struct place){h, "transform", &h->transform_origin});
	}
	if (!list.programs || !list.places)
		r = error_set(e, -ENOMEM, "out of memory");
	else if (list.n > 0)
		r = compile_all(&list, e);
	free(list.programs);
	free(list.places);
	return r;
}
