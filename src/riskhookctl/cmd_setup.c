/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check-config, hash-secret: small help with the configuration
 */
#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/crypto.h"
#include "jq/check.h"
#include "riskhookctl/command.h"
#include "riskhookctl/put.h"
#include "util/buf.h"
#include "util/hex.h"
#include "util/macros.h"

#define SECRET_MAX 4096

enum ctl_exit cmd_check_config(const struct context *ctx)
{
	const struct config *config = ctx->config;
	struct error e = ERROR_INIT;

	if (jq_check_config(config, &e) < 0)
		return ctl_fail(CTL_FAILED, "%s", e.text);
	config_warn_of_end(config, clock_now_us());
	put(stdout, "%s: ok, %zu file%s, %zu endpoint%s, %zu credential%s, %zu handler%s\n",
	    config->path, config->files.n, PLURAL(config->files.n, "", "s"), config->n_endpoints,
	    PLURAL(config->n_endpoints, "", "s"), config->n_credentials,
	    PLURAL(config->n_credentials, "", "s"), config->n_handlers,
	    PLURAL(config->n_handlers, "", "s"));
	return CTL_OK;
}

/* standard input up to its end, or a line of the terminal */
static int read_all(char *out, size_t max, bool one_line, size_t *ret_n)
{
	size_t n = 0;

	while (n < max) {
		ssize_t k = read(STDIN_FILENO, out + n, max - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		n += (size_t)k;
		if (k == 0 || (one_line && out[n - 1] == '\n'))
			break;
	}
	*ret_n = n;
	return n < max ? 0 : -EFBIG;
}

static int read_secret(char *out, size_t max, size_t *ret_n)
{
	struct termios old, quiet;
	bool is_terminal = tcgetattr(STDIN_FILENO, &old) == 0;
	int r;

	if (is_terminal) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
			return -errno;
		put(stderr, "secret (is not shown): "); /* what was typed before it is dropped */
	}
	r = read_all(out, max, is_terminal, ret_n);
	if (is_terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old); /* nothing better to do */
		put(stderr, "\n");
	}
	if (r == 0 && *ret_n > 0 && out[*ret_n - 1] == '\n')
		(*ret_n)--; /* as the daemon does with a secret file */
	return r;
}

static int print_hash(struct slice secret, bool is_token)
{
	struct sha256 digest;
	char hex[2 * SHA256_SIZE + 1];
	char *hash;

	if (is_token) {
		digest = sha256_of(secret.p, secret.n);
		hex_encode(digest.bytes, sizeof(digest.bytes), hex);
		put(stdout, "token_hash = sha256:%s\n", hex);
		return 0;
	}
	hash = password_hash_new(secret);
	if (!hash)
		return -ENOMEM;
	put(stdout, "password_hash = %s\n", hash);
	free(hash);
	return 0;
}

enum ctl_exit cmd_hash_secret(const struct context *ctx)
{
	char secret[SECRET_MAX + 2];
	size_t n = 0;
	int r;

	r = read_secret(secret, sizeof(secret), &n);
	if (r == 0 && n == 0)
		return ctl_fail(CTL_USAGE, "the secret is empty");
	if (r == 0)
		r = print_hash(slice_make(secret, n), ctx->args->token);
	secret_wipe(secret, sizeof(secret));
	if (r == -EFBIG)
		return ctl_fail(CTL_FAILED, "the secret is longer than %d bytes", SECRET_MAX);
	return r < 0 ? ctl_fail(CTL_FAILED, "cannot hash the secret: %s", error_name(r)) : CTL_OK;
}
