/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks one header once, for tests/lint/timing.sh to count the instructions below probe()
 *
 * What the sender presents is always the same; what is configured differs, in secrets that are
 * wrong at the beginning, at the end, for another user, or right in the first or second place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "intake/auth.h"
#include "util/macros.h"

int probe(struct credential_set *set, struct slice header);
int probe_early(const char *a, const char *b);

#define TOKEN        "abcdefghijklmnopqrstuvwxyz012345"
#define HEADER_BASIC "Basic YWxpY2U6cGFzc3dvcmQtb2YtYWxpY2U=" /* alice:password-of-alice */

static char name[] = "name", endpoint[] = "riskos";

static const struct {
	const char *name;
	const char *user; /* NULL: tokens */
	const char *secrets[2];
	int outcome;
} cases[] = {
	{"basic-first-byte", "alice", {"Xassword-of-alice", "x"}, AUTH_E_UNKNOWN},
	{"basic-last-byte", "alice", {"password-of-alicX", "x"}, AUTH_E_UNKNOWN},
	{"basic-second", "alice", {"x", "password-of-alicX"}, AUTH_E_UNKNOWN},
	{"basic-shorter", "alice", {"password-of-alic", "x"}, AUTH_E_UNKNOWN},
	{"basic-longer", "alice", {"password-of-alice-and-bob", "x"}, AUTH_E_UNKNOWN},
	{"basic-nobody", "clara", {"password-of-alice", "x"}, AUTH_E_UNKNOWN},
	{"bearer-first-byte", NULL, {"Xbcdefghijklmnopqrstuvwxyz012345", "x"}, AUTH_E_UNKNOWN},
	{"bearer-last-byte", NULL, {"abcdefghijklmnopqrstuvwxyz01234X", "x"}, AUTH_E_UNKNOWN},
	{"bearer-second", NULL, {"x", "abcdefghijklmnopqrstuvwxyz01234X"}, AUTH_E_UNKNOWN},
	{"bearer-shorter", NULL, {"abcdefghijklmnopqrstuvwxyz01234", "x"}, AUTH_E_UNKNOWN},
	{"right-basic-1", "alice", {"password-of-alice", "x"}, AUTH_OK},
	{"right-basic-2", "alice", {"x", "password-of-alice"}, AUTH_OK},
	{"right-bearer-1", NULL, {TOKEN, "x"}, AUTH_OK},
	{"right-bearer-2", NULL, {"x", TOKEN}, AUTH_OK},
};

static struct credential_set *make_set(size_t which)
{
	struct credential_config credentials[ARRAY_SIZE(cases[0].secrets)] = {0};
	struct config config = {.credentials = credentials,
				.n_credentials = ARRAY_SIZE(credentials)};
	struct auth_services services = {.outbound = NULL};
	const char *user = cases[which].user;
	struct credential_set *set;

	for (size_t i = 0; i < ARRAY_SIZE(credentials); i++) {
		struct slice secret = slice_of(cases[which].secrets[i]);

		credentials[i] = (struct credential_config){
			.name = name,
			.endpoint = endpoint,
			.type = user ? CREDENTIAL_BASIC : CREDENTIAL_BEARER,
			.username = user ? slice_dup(slice_of(user)) : NULL,
			.secret = slice_dup(secret),
			.secret_n = secret.n,
		};
	}
	if (credential_set_new(&config, endpoint, &services, &set, NULL) < 0)
		exit(EXIT_FAILURE);
	for (size_t i = 0; i < ARRAY_SIZE(credentials); i++) {
		free(credentials[i].username);
		free(credentials[i].secret);
	}
	return set;
}

/* what must not be found in the real thing */
__attribute__((noinline)) int probe_early(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a - *b;
}

__attribute__((noinline)) int probe(struct credential_set *set, struct slice header)
{
	const char *who = NULL;

	if (!set)
		return probe_early(header.p, TOKEN);
	return auth_check(set, header, 1000, NULL, &who);
}

static int run(size_t i)
{
	struct slice header = cases[i].user ? SLICE(HEADER_BASIC) : SLICE("Bearer " TOKEN);
	struct credential_set *set = make_set(i);
	int outcome;

	/* once before it counts: libcrypto fetches its algorithms, the linker its symbols */
	(void)sha256_of("", 0);
	outcome = probe(set, header);
	credential_set_free(set);
	(void)printf("%s: outcome %d\n", cases[i].name, outcome);
	return outcome == cases[i].outcome ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : "";

	if (strcmp(wanted, "early-first") == 0 || strcmp(wanted, "early-last") == 0) {
		const char *text = wanted[6] == 'f' ? "Xbcd" : "abcX";

		(void)printf("%d\n", probe(NULL, slice_of(text)));
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(cases[i].name, wanted) == 0)
			return run(i);
	(void)fprintf(stderr, "usage: %s CASE\n", argv[0]);
	return EXIT_FAILURE;
}
