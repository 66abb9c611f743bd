/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init: writes a configuration that works as it is
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config.h"
#include "core/crypto.h"
#include "core/options.h"
#include "riskhookctl/certificate.h"
#include "riskhookctl/command.h"
#include "riskhookctl/init_text.h"
#include "riskhookctl/put.h"
#include "riskhookctl/sample_fill.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/hex.h"

#define PASSWORD_BYTES 16
#define DEFAULT_LISTEN "127.0.0.1:8443"
#define SERVICE_LISTEN "[::]:8443" /* as riskhookd.socket */
#define CONFIG_MAX     (64 * 1024)
#define SAN_NAMES_MAX  6

struct init {
	char *dir; /* absolute */
	const struct arguments *args;
	bool has_owner; /* of what not everybody may read */
	uid_t uid;
	gid_t gid;
};

/* With --service, and as root: the user of the unit, if there is one yet. */
static void find_owner(struct init *init)
{
	struct passwd entry, *user = NULL;
	char texts[4096];

	if (!init->args->service || geteuid() != 0)
		return;
	if (getpwnam_r(INIT_USER, &entry, texts, sizeof(texts), &user) != 0 || !user)
		return;
	init->has_owner = true;
	init->uid = user->pw_uid;
	init->gid = user->pw_gid;
}

/* a file that not everybody may read belongs to who must read it */
static int give_away(const struct init *init, int fd, mode_t mode)
{
	if (!init->has_owner || mode & 0004)
		return 0;
	return fchown(fd, init->uid, init->gid) < 0 ? -errno : 0;
}

static int make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* a new file in the folder; one that is there is never touched */
static int write_file(const struct init *init, const char *name, mode_t mode, struct slice text)
{
	char path[PATH_MAX];
	_cleanup_(fd_closep)
	int fd = -1;
	int r;

	r = snprintf(path, sizeof(path), "%s/%s", init->dir, name);
	if (r >= (int)sizeof(path))
		r = -ENAMETOOLONG;
	if (r >= 0)
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode & 0600);
	if (r >= 0 && fd < 0)
		r = -errno;
	if (r >= 0)
		r = fd_write_all(fd, text.p, text.n);
	if (r >= 0 && fchmod(fd, mode) < 0) /* whatever the umask is */
		r = -errno;
	if (r >= 0)
		r = give_away(init, fd, mode);
	if (r < 0) {
		(void)ctl_fail(CTL_FAILED, "cannot write '%s/%s': %s", init->dir, name,
			       error_name(r));
		return r;
	}
	put(stdout, "  %s/%s\n", init->dir, name);
	return 0;
}

/* names for the certificate: what RiskOS may use first, then what is local */
static size_t collect_names(const struct init *init, char hostname[HOST_NAME_MAX + 1],
			    const char *names[SAN_NAMES_MAX])
{
	size_t n = 0;

	if (init->args->url_host)
		names[n++] = init->args->url_host;
	if (gethostname(hostname, HOST_NAME_MAX) == 0 && *hostname &&
	    strcmp(hostname, "localhost") != 0 && (n == 0 || strcmp(hostname, names[0]) != 0))
		names[n++] = hostname;
	names[n++] = "localhost";
	names[n++] = "127.0.0.1";
	names[n++] = "::1";
	return n;
}

static int write_certificate(const struct init *init)
{
	char hostname[HOST_NAME_MAX + 1] = "";
	const char *names[SAN_NAMES_MAX];
	size_t n_names = collect_names(init, hostname, names);
	_cleanup_(freep)
	char *certificate = NULL;
	_cleanup_(freep)
	char *key = NULL;
	struct error e = ERROR_INIT;
	int r;

	r = certificate_create(names, n_names, &certificate, &key, &e);
	if (r < 0) {
		(void)ctl_fail(CTL_FAILED, "%s", e.text);
		return r;
	}
	r = write_file(init, "tls/fullchain.pem", 0644, slice_of(certificate));
	if (r == 0)
		r = write_file(init, "tls/privkey.pem", 0600, slice_of(key));
	secret_wipe(key, strlen(key));
	return r;
}

/* a file with a fresh random password */
static int write_password(const struct init *init, const char *name)
{
	unsigned char raw[PASSWORD_BYTES];
	char password[2 * PASSWORD_BYTES + 2];
	int r;

	random_bytes(raw, sizeof(raw));
	hex_encode(raw, sizeof(raw), password);
	password[sizeof(password) - 2] = '\n';
	r = write_file(init, name, 0600, slice_make(password, sizeof(password) - 1));
	secret_wipe(raw, sizeof(raw));
	secret_wipe(password, sizeof(password));
	return r;
}

static int write_secrets(const struct init *init)
{
	char token[UUID_TEXT_SIZE + 1];
	int r;

	uuid_make(token); /* the Dashboard asks for a UUID */
	token[sizeof(token) - 2] = '\n';
	r = write_password(init, "riskos-password");
	if (r == 0)
		r = write_file(init, "riskos-token", 0600, slice_make(token, sizeof(token) - 1));
	if (r == 0)
		r = write_password(init, "riskos-oauth-secret");
	secret_wipe(token, sizeof(token));
	return r;
}

/* for command_split(): a word in double quotes */
static void append_quoted(struct buf *out, const char *text)
{
	buf_append_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_append_char(out, '\\');
		buf_append_char(out, *text);
	}
	buf_append_char(out, '"');
}

/* Return: what stands for a word, or NULL */
static const char *text_of(struct slice word, const struct init *init)
{
	const struct arguments *args = init->args;
	const char *default_listen = args->service ? SERVICE_LISTEN : DEFAULT_LISTEN;
	const struct {
		const char *word, *text;
	} words[] = {
		{"LISTEN", args->listen ? args->listen : default_listen},
		{"PLACES", args->service ? init_service_text : init_local_text},
		{"STATE", args->service ? INIT_STATE : ""},
		{"DEMO", args->demo ? init_demo_text : ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (slice_eq_str(word, words[i].word))
			return words[i].text;
	return NULL;
}

/* the text with each @WORD@ replaced: every second piece between the @ is a word */
static int fill_config(const struct init *init, struct buf *out)
{
	struct slice rest = slice_of(init_config_text), piece;
	bool is_word = false;

	while (slice_split(&rest, '@', &piece)) {
		const char *text = is_word ? text_of(piece, init) : NULL;

		if (is_word && slice_eq_str(piece, "DIR"))
			append_quoted(out, init->dir);
		else if (text)
			buf_append_str(out, text);
		else
			buf_append(out, piece.p, piece.n);
		is_word = !is_word;
	}
	return buf_error(out);
}

static int write_config(const struct init *init)
{
	struct buf text = BUF_INIT(CONFIG_MAX);
	int r = fill_config(init, &text);

	if (r == 0)
		r = write_file(init, "riskhookd.conf", 0640, buf_slice(&text));
	buf_deinit(&text);
	return r;
}

/* the configuration comes last, so that a run that failed half-way can be told by its absence */
static int write_all(const struct init *init)
{
	char tls[PATH_MAX], hooks[PATH_MAX];
	int r = 0;

	if (snprintf(tls, sizeof(tls), "%s/tls", init->dir) >= (int)sizeof(tls) ||
	    snprintf(hooks, sizeof(hooks), "%s/hooks", init->dir) >= (int)sizeof(hooks))
		r = -ENAMETOOLONG;
	if (r == 0)
		r = make_dir(tls, 0755);
	if (r == 0)
		r = make_dir(hooks, 0755);
	if (r < 0) {
		(void)ctl_fail(CTL_FAILED, "cannot make a folder in '%s': %s", init->dir,
			       error_name(r));
		return r;
	}
	if (init->has_owner && chown(init->dir, (uid_t)-1, init->gid) < 0) {
		r = -errno;
		(void)ctl_fail(CTL_FAILED, "cannot give '%s' to the group " INIT_USER ": %s",
			       init->dir, error_name(r));
		return r;
	}
	r = write_certificate(init);
	if (r == 0)
		r = write_secrets(init);
	if (r == 0)
		r = write_file(init, "hooks/append-event", 0755, slice_of(init_hook_text));
	return r < 0 ? r : write_config(init);
}

static void print_next_of_service(const struct init *init)
{
	if (!init->has_owner)
		put(stdout,
		    "\nThere is no user '" INIT_USER
		    "' yet, or you are not root: before the service "
		    "starts, run\n"
		    "  chgrp " INIT_USER " '%s' && chown " INIT_USER " '%s'/riskhookd.conf "
		    "'%s'/riskos-* '%s'/tls/privkey.pem\n",
		    init->dir, init->dir, init->dir, init->dir);
	put(stdout, "\nnext, start the service, and see what to type into the RiskOS Dashboard:\n"
		    "  systemctl enable --now riskhookd.socket riskhookd.service\n"
		    "  riskhookctl dashboard\n");
}

static void print_next(const struct init *init)
{
	if (init->args->service) {
		print_next_of_service(init);
		return;
	}
	put(stdout,
	    "\nnext, start the daemon:\n"
	    "  riskhookd -c '%s/riskhookd.conf'\n\n"
	    "and in another terminal post a sample event, look at it, and see what to type "
	    "into\n"
	    "the RiskOS Dashboard:\n"
	    "  riskhookctl -c '%s/riskhookd.conf' trigger evaluation_completed\n"
	    "  riskhookctl -c '%s/riskhookd.conf' events\n"
	    "  riskhookctl -c '%s/riskhookd.conf' dashboard\n",
	    init->dir, init->dir, init->dir, init->dir);
}

/* Control characters and '\'' would break the files and lines that we write. */
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f || *text == '\'')
			return false;
	}
	return true;
}

static enum ctl_exit check_arguments(const struct arguments *args)
{
	struct server_config server = {.threads = 0};
	struct error e = ERROR_INIT;
	int r;

	if (!is_plain(args->operands[1]))
		return ctl_fail(CTL_USAGE, "control characters and quotes are not allowed in DIR");
	if (args_check_url_host(args, &e) < 0)
		return ctl_fail(CTL_USAGE, "%s", e.text);
	if (!args->listen)
		return CTL_OK;
	r = option_set(option_find("server", "listen"), &server, slice_of(args->listen), "/", &e);
	options_deinit("server", &server);
	return r < 0 ? ctl_fail(CTL_USAGE, "--listen: %s", e.text) : CTL_OK;
}

enum ctl_exit cmd_init(const struct context *ctx)
{
	struct init init = {.args = ctx->args};
	const char *operand = ctx->args->operands[1];
	_cleanup_(freep)
	char *dir = NULL;
	enum ctl_exit code = check_arguments(ctx->args);
	char config[PATH_MAX];
	int r;

	if (code != CTL_OK)
		return code;
	r = make_dir(operand, 0750);
	if (r == 0)
		dir = realpath(operand, NULL);
	if (!dir)
		return ctl_fail(CTL_FAILED, "cannot make the folder '%s': %s", operand,
				error_name(r < 0 ? r : -errno));
	init.dir = dir;
	find_owner(&init);
	if (snprintf(config, sizeof(config), "%s/riskhookd.conf", dir) >= (int)sizeof(config))
		return ctl_fail(CTL_FAILED, "the name of the folder is too long");
	if (access(config, F_OK) == 0)
		return ctl_fail(CTL_FAILED,
				"'%s' exists: init overwrites nothing; choose another folder",
				config);
	put(stdout, "wrote\n");
	if (write_all(&init) < 0)
		return CTL_FAILED;
	print_next(&init);
	return CTL_OK;
}
