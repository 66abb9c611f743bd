/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: a token request. First line: Content-Type; second line: Authorization; the rest: the
 * body. Nobody gets a token who does not say the secret, in one reading or another.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/token_endpoint.h"
#include "intake/token_params.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "broken promise: %s\n", #condition);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct clients *make_clients(void)
{
	static char name[] = "riskos", secret[] = "s:3%+";
	static struct credential_config credential = {
		.name = name,
		.endpoint = name,
		.type = CREDENTIAL_OAUTH_CLIENT,
		.client_id = name,
		.secret = secret,
		.secret_n = sizeof(secret) - 1,
		.token_ttl_ms = 60000,
	};
	static struct endpoint_config endpoint = {.name = name};
	static const struct config config = {.endpoints = &endpoint,
					     .n_endpoints = 1,
					     .credentials = &credential,
					     .n_credentials = 1};
	struct clients *clients = NULL;

	CHECK(clients_new(&config, &clients) == 0);
	return clients;
}

static void check_params(int r, const struct token_params *params, size_t body_n)
{
	if (r != PARAMS_OK)
		return;
	CHECK(params->n <= body_n);
	for (int i = 0; i < TOKEN_PARAMS; i++) {
		struct slice value = params->values[i];

		if (slice_is_empty(value))
			continue;
		CHECK(params->seen & 1U << i);
		CHECK(value.p >= params->text && value.p + value.n <= params->text + params->n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct clients *clients;
	static struct token_params params;
	struct slice rest = slice_make((const char *)data, size);
	struct token_post post = {.authorization = SLICE_NULL};
	const struct client *client = NULL;
	enum token_outcome outcome;

	if (!clients)
		clients = make_clients();
	(void)slice_split(&rest, '\n', &post.content_type);
	(void)slice_split(&rest, '\n', &post.authorization);
	if (slice_is_empty(post.authorization))
		post.authorization = SLICE_NULL;
	post.body = rest;
	outcome = token_decide(clients, &post, 1000, &client);
	CHECK(outcome < TOKEN_OUTCOMES);
	CHECK(outcome != TOKEN_ISSUED || client);
	CHECK(outcome != TOKEN_NO_MEMORY);
	check_params(token_params_from_form(rest, &params), &params, rest.n);
	check_params(token_params_from_json(rest, &params), &params, rest.n);
	return 0;
}
