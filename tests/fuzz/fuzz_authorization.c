/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the Authorization header, for an endpoint with a credential of each static type.
 * Nobody gets in whose header does not hold the secret.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "intake/auth.h"

#define TOKEN    "t0ken-abc"
#define PASSWORD "open:sesame"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char name[] = "name", endpoint[] = "riskos", username[] = "riskos", token[] = TOKEN,
	    password[] = PASSWORD;

static struct credential_set *make_set(void)
{
	struct credential_config credentials[] = {
		{.name = name,
		 .endpoint = endpoint,
		 .type = CREDENTIAL_BASIC,
		 .username = username,
		 .secret = password,
		 .secret_n = sizeof(password) - 1},
		{.name = name,
		 .endpoint = endpoint,
		 .type = CREDENTIAL_BEARER,
		 .secret = token,
		 .secret_n = sizeof(token) - 1,
		 .lenient = true},
	};
	struct config config = {.credentials = credentials, .n_credentials = 2};
	struct auth_services services = {.outbound = NULL};
	struct credential_set *set;

	if (credential_set_new(&config, endpoint, &services, &set, NULL) < 0)
		abort();
	return set;
}

static bool ends_with(struct slice s, struct slice end)
{
	return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

/* "riskos:open:sesame" in base64, padded or not */
static bool holds_secret(struct slice header)
{
	struct slice s = slice_trim(header);

	return ends_with(s, SLICE(TOKEN)) || ends_with(s, SLICE("cmlza29zOm9wZW46c2VzYW1l"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice header = slice_make((const char *)data, size);
	static struct credential_set *set;
	const char *who;
	int r;

	if (!set)
		set = make_set();
	r = auth_check(set, header, 1000, NULL, &who);
	if (r < 0 || r == AUTH_PENDING || (r == AUTH_OK && !holds_secret(header))) {
		(void)fprintf(stderr, "broken promise: outcome %d\n", r);
		abort();
	}
	return 0;
}
