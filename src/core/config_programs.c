/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration says about this system's programs
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config_parts.h"
#include "core/log.h"

/* Return: 0, or a negative errno as execve() would give it */
static int try_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* where the program of @h is looked up */
static const char *path_of(const struct handler_config *h)
{
	const char *path = CONFIG_PROGRAM_PATH;

	for (size_t i = 0; i < h->env.n; i++)
		if (strncmp(h->env.items[i], "PATH=", 5) == 0)
			path = h->env.items[i] + 5;
	return path;
}

/* no error: programs may be installed later, and this may be asked by another user than runs them
 */
static void warn_program(const struct handler_config *h, const struct section *s)
{
	struct origin given = section_given(s, "command");
	char found[PATH_MAX];
	const char *name;
	int r = 0;

	if (h->type != HANDLER_EXEC || h->user)
		return; /* what another user may run is not ours to see */
	name = h->command.items[0];
	if (name[0] == '/')
		r = try_program(name);
	else if (!strchr(name, '/'))
		r = spawn_find(name, path_of(h), found);
	if (r < 0)
		log_warning("%s:%d: [handler %s]: '%s' cannot be run: %s; its deliveries will fail",
			    given.file, given.line, h->name, name, error_name(r));
}

void config_warn_programs(const struct loader *l)
{
	for (size_t i = 0; i < l->n_sections; i++)
		if (l->sections[i].id == SECTION_HANDLER)
			warn_program(section_target(l, &l->sections[i]), &l->sections[i]);
}
