/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake_decide(): whatever the headers say, nobody is let in who does not present a secret.
 *
 * Each line of the input is one header's value, in the order of `struct request_head`.
 */
#include <stdint.h>
#include <stdlib.h>

#include "intake/intake.h"

#define TOKEN   "t0ken"
#define BASE64  "cmlza29zOnNlc3JldA" /* riskos:sesret; what follows is padding */
#define BASIC_P "sesret"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char n_riskos[] = "riskos", p_riskos[] = "/webhooks/riskos", n_bearer[] = "bearer",
	    n_basic[] = "basic", token[] = TOKEN, password[] = BASIC_P;

static struct endpoint_config endpoint = {.name = n_riskos, .path = p_riskos};
static struct credential_config credentials[] = {
	{.name = n_bearer,
	 .endpoint = n_riskos,
	 .type = CREDENTIAL_BEARER,
	 .secret = token,
	 .secret_n = sizeof(token) - 1,
	 .lenient = true},
	{.name = n_basic,
	 .endpoint = n_riskos,
	 .type = CREDENTIAL_BASIC,
	 .username = n_riskos,
	 .secret = password,
	 .secret_n = sizeof(password) - 1},
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static struct intake *intake(void)
{
	static struct prefix proxy;
	static struct config config = {.endpoints = &endpoint,
				       .n_endpoints = 1,
				       .credentials = credentials,
				       .n_credentials = ARRAY_SIZE(credentials),
				       .server = {.max_body = 1000,
						  .auth_failures_max = 1000,
						  .auth_failures_window_ms = 1,
						  .trusted_proxies = {&proxy, 1}}};
	static struct gate *gate;
	static struct intake *in;

	if (in)
		return in;
	require(prefix_parse(SLICE("127.0.0.0/8"), &proxy) == 0);
	require(gate_new(&config, NULL, NULL, &gate, NULL) == 0);
	require(intake_new(&config, gate, &in, NULL) == 0);
	return in;
}

static bool holds(struct slice s, const char *what)
{
	return s.n > 0 && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static struct slice line(struct slice *rest)
{
	struct slice s = SLICE_NULL;

	(void)slice_split(rest, '\n', &s); /* nothing left: not given */
	return s.n ? s : SLICE_NULL;
}

static void check(const struct request_head *head, enum outcome outcome, const struct admission *a)
{
	require(outcome <= OUTCOME_NONE);
	require(memchr(a->client.text, '\0', sizeof(a->client.text)) != NULL);
	require((a->endpoint != NULL) == slice_eq_str(head->path, p_riskos));
	if (outcome != OUTCOME_NONE)
		return;
	require(a->endpoint != NULL && a->credential != NULL);
	require(holds(head->authorization, strcmp(a->credential, n_basic) == 0 ? BASE64 : TOKEN));
	require(head->content_encoding.n == 0 && head->content_length <= 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int64_t now_ms;
	struct slice rest = slice_make((const char *)data, size);
	struct request_head head = {.is_post = true, .has_length = true};
	struct admission admission;
	enum outcome outcome;

	require(address_parse(SLICE("127.0.0.1"), &head.peer) == 0);
	head.authorization = line(&rest);
	head.content_type = line(&rest);
	head.forwarded_for = line(&rest);
	head.content_encoding = line(&rest);
	head.path = line(&rest);
	if (slice_is_empty(head.path))
		head.path = slice_of(p_riskos);
	head.content_length = rest.n;
	now_ms += 10; /* longer than the throttle's window */
	outcome = intake_decide(intake(), &head, (struct moment){1, now_ms}, NULL, &admission);
	check(&head, outcome, &admission);
	return 0;
}
