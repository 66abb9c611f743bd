/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot from files, and what can be asked of it
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/config_parts.h"
#include "core/crypto.h"
#include "util/buf.h"
#include "util/fd.h"

#define CONFIG_FILE_MAX (1024 * 1024) /* bytes of one file */

static int load_file(struct loader *l, const char *path, struct error *e)
{
	_cleanup_(freep)
	char *text = NULL;
	size_t n;
	int r;

	r = fd_read_file(path, CONFIG_FILE_MAX, &text, &n);
	if (r == -EFBIG)
		return error_set(e, r, "%s: larger than %d bytes", path, CONFIG_FILE_MAX);
	if (r < 0)
		return error_set(e, r, "%s: cannot read the configuration: %s", path,
				 error_name(r));
	return loader_add_text(l, path, slice_make(text, n), e);
}

static int is_drop_in(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

/* alphasort() would depend on the locale */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_drop_in(struct loader *l, const char *directory, const char *name, struct error *e)
{
	struct buf path = BUF_INIT(8192);
	int r;

	r = buf_printf(&path, "%s/%s", directory, name);
	if (r == 0)
		r = load_file(l, path.p, e);
	else
		error_set(e, r, "%s/%s: the path is too long", directory, name);
	buf_deinit(&path);
	return r;
}

static int load_drop_ins(struct loader *l, struct error *e)
{
	struct buf directory = BUF_INIT(8192);
	struct dirent **entries = NULL;
	int n, r = 0;

	if (buf_printf(&directory, "%s/conf.d", l->config->directory) < 0)
		return error_set(e, -ENAMETOOLONG, "%s: the path is too long", l->config->path);
	n = scandir(directory.p, &entries, is_drop_in, compare_names);
	if (n < 0 && errno != ENOENT)
		r = error_set(e, -errno, "%s: cannot read the folder: %s", directory.p,
			      error_name(errno));
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = load_drop_in(l, directory.p, entries[i]->d_name, e);
		free(entries[i]);
	}
	free(entries);
	buf_deinit(&directory);
	return r;
}

/* the option of each type that names its secret file */
static const struct {
	const char *option;
	size_t offset;
} secret_files[] = {
	[CREDENTIAL_BASIC] = {"password_file", offsetof(struct credential_config, password_file)},
	[CREDENTIAL_BEARER] = {"token_file", offsetof(struct credential_config, token_file)},
	[CREDENTIAL_OAUTH_CLIENT] = {"client_secret_file",
				     offsetof(struct credential_config, client_secret_file)},
	[CREDENTIAL_JWT] = {NULL, 0},
	[CREDENTIAL_INTROSPECTION] = {"client_secret_file",
				      offsetof(struct credential_config, client_secret_file)},
};

static int read_credential_secret(struct loader *l, const struct section *s, struct error *e)
{
	struct credential_config *credential = section_target(l, s);
	const char *option = secret_files[credential->type].option;
	const char *name =
		option ? *(char **)((char *)credential + secret_files[credential->type].offset)
		       : NULL;
	struct error why = ERROR_INIT;
	int r;

	if (!name)
		return 0; /* a hash, or a type without a secret */
	r = secret_read(l->config->directory, name, credential, &why);
	if (r < 0)
		(void)section_error(s, option, e, "%s", why.text); /* the reason's code says more */
	return r;
}

static int read_secrets(struct loader *l, struct error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n_sections; i++)
		if (l->sections[i].id == SECTION_CREDENTIAL)
			r = read_credential_secret(l, &l->sections[i], e);
	return r;
}

/* Return: @path without a "./" in front and with the working directory if it is relative; the
 * caller frees; NULL when out of memory. Links are kept: what is beside a link counts. */
static char *absolute_path(const char *path)
{
	_cleanup_(freep)
	char *directory = NULL;
	struct buf absolute = BUF_INIT(8192);

	if (path[0] == '/')
		return slice_dup(slice_of(path));
	directory = getcwd(NULL, 0);
	if (!directory)
		return NULL;
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	buf_printf(&absolute, "%s/%s", directory, path);
	return buf_steal(&absolute);
}

/* @fault: struct loader's */
static int load_text(struct loader *l, const char *path, struct error *fault, struct error *e)
{
	int r;

	r = loader_init(l, path);
	if (r < 0)
		return error_set(e, r, "%s: out of memory", path);
	l->fault = fault;
	r = load_file(l, path, e);
	return r == 0 ? load_drop_ins(l, e) : r;
}

/* @fault: as load_text() */
static int load_all(struct loader *l, const char *path, int flags, struct error *fault,
		    struct error *e)
{
	int r;

	r = load_text(l, path, fault, e);
	if (r == 0)
		r = loader_excuse(l, NULL, config_check(l, e), e);
	if (r == 0 && flags & CONFIG_WITH_SECRETS)
		r = read_secrets(l, e);
	if (r == 0 && flags & CONFIG_WITH_SECRETS)
		r = config_check_users(l, e);
	if (r == 0 && flags & CONFIG_WITH_SECRETS) {
		config_warn(l, clock_now_us());
		config_warn_programs(l);
	}
	return r;
}

/* @fault: as load_text() */
static int load(const char *path, int flags, struct error *fault, struct config **ret_config,
		struct error *e)
{
	_cleanup_(freep)
	char *absolute = absolute_path(path);
	struct loader l = {0};
	int r;

	if (!absolute)
		return error_set(e, -ENOMEM, "%s: out of memory", path);
	r = load_all(&l, absolute, flags, fault, e);
	if (r == 0)
		*ret_config = steal_ptr(&l.config);
	loader_deinit(&l);
	return r;
}

int config_load(const char *path, int flags, struct config **ret_config, struct error *e)
{
	return load(path, flags, NULL, ret_config, e);
}

int config_load_places(const char *path, struct config **ret_config, struct error *ret_fault,
		       struct error *e)
{
	*ret_fault = (struct error)ERROR_INIT;
	return load(path, 0, ret_fault, ret_config, e);
}

int config_parse_text(const char *path, struct slice text, struct config **ret_config,
		      struct error *e)
{
	struct loader l = {0};
	int r;

	r = loader_init(&l, path);
	if (r < 0)
		error_set(e, r, "%s: out of memory", path);
	if (r == 0)
		r = loader_add_text(&l, path, text, e);
	if (r == 0)
		r = config_check(&l, e);
	if (r == 0)
		*ret_config = steal_ptr(&l.config);
	loader_deinit(&l);
	return r;
}

static void wipe_secret(struct credential_config *c)
{
	secret_wipe(c->secret, c->secret_n);
	free(c->secret);
	c->secret = NULL;
	c->secret_n = 0;
}

void config_wipe_secrets(struct config *c)
{
	for (size_t i = 0; i < c->n_credentials; i++)
		wipe_secret(&c->credentials[i]);
}

static void free_credential(struct credential_config *c)
{
	options_deinit("credential", c);
	wipe_secret(c);
	free(c->secret_path);
	free(c->name);
}

struct config *config_ref(struct config *c)
{
	atomic_fetch_add_explicit(&c->further_owners, 1, memory_order_relaxed);
	return c;
}

void config_free(struct config *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->further_owners, 1, memory_order_acq_rel) > 0)
		return;
	options_deinit("server", &c->server);
	options_deinit("store", &c->store);
	options_deinit("admin", &c->admin);
	options_deinit("log", &c->log);
	for (size_t i = 0; i < c->n_endpoints; i++) {
		options_deinit("endpoint", &c->endpoints[i]);
		free(c->endpoints[i].name);
	}
	for (size_t i = 0; i < c->n_credentials; i++)
		free_credential(&c->credentials[i]);
	for (size_t i = 0; i < c->n_handlers; i++) {
		options_deinit("handler", &c->handlers[i]);
		free(c->handlers[i].name);
	}
	free(c->endpoints);
	free(c->credentials);
	free(c->handlers);
	string_list_deinit(&c->files);
	free(c->directory);
	free(c->path);
	free(c);
}

const struct endpoint_config *config_endpoint(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_endpoints; i++)
		if (strcmp(c->endpoints[i].name, name) == 0)
			return &c->endpoints[i];
	return NULL;
}

const struct handler_config *config_handler(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_handlers; i++)
		if (strcmp(c->handlers[i].name, name) == 0)
			return &c->handlers[i];
	return NULL;
}
