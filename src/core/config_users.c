/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration says about this system's users
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/config_parts.h"

#define PASSWD_BYTES (64 * 1024)

/* Return: 0, -ENOENT, or another negative errno */
static int find_user(const char *name)
{
	_cleanup_(freep)
	char *room = malloc(PASSWD_BYTES);
	struct passwd entry, *found = NULL;
	int r;

	if (!room)
		return -ENOMEM;
	r = -getpwnam_r(name, &entry, room, PASSWD_BYTES, &found);
	return r == 0 && !found ? -ENOENT : r;
}

static int check_user(const struct handler_config *handler, const struct section *s,
		      struct error *e)
{
	int r;

	if (!handler->user)
		return 0;
	if (geteuid() != 0)
		return section_error(s, "user", e, "'user' needs riskhookd to run as root");
	r = find_user(handler->user);
	if (r == -ENOENT)
		return section_error(s, "user", e, "there is no user '%s'", handler->user);
	if (r < 0)
		return section_error(s, "user", e, "cannot look up the user '%s': %s",
				     handler->user, error_name(r));
	return 0;
}

int config_check_users(const struct loader *l, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_sections; i++)
		if (l->sections[i].id == SECTION_HANDLER)
			r = check_user(section_target(l, &l->sections[i]), &l->sections[i], e);
	return r;
}
