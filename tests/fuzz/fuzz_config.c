/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_parse_text(): a configuration is taken whole and within its bounds, or refused with one
 * printable sentence that names file and line.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/config_parts.h"
#include "util/units.h"

#define PATH "/x/a.conf"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_refusal(const struct error *e)
{
	size_t n = strnlen(e->text, sizeof(e->text));

	require(n > 0 && n < sizeof(e->text));
	require(strncmp(e->text, PATH, strlen(PATH)) == 0);
	for (size_t i = 0; i < n; i++)
		require(!iscntrl((unsigned char)e->text[i]) || e->text[i] == '\t');
}

static void check_server(const struct server_config *s)
{
	require(s->listen.text && s->tls_priorities);
	require(s->insecure_http || (s->tls_certificate && s->tls_private_key));
	require(!s->insecure_http || listen_address_is_loopback(&s->listen));
	require(s->max_body >= 1024 && s->max_body <= 64 << 20);
	require(s->request_timeout_ms >= 100 && s->idle_timeout_ms >= 1000);
	require(s->stop_timeout_ms >= 0 && s->max_connections >= 1);
	require(s->threads >= 0 && s->threads <= 64);
}

static void check_config(const struct config *c)
{
	check_server(&c->server);
	require(c->store.path && c->store.path[0] == '/' && c->store.max_pending >= 1);
	require(c->n_endpoints > 0);
	for (size_t i = 0; i < c->n_endpoints; i++)
		require(c->endpoints[i].name && c->endpoints[i].path &&
			c->endpoints[i].path[0] == '/');
	for (size_t i = 0; i < c->n_credentials; i++)
		require(config_endpoint(c, c->credentials[i].endpoint) != NULL);
	for (size_t i = 0; i < c->n_handlers; i++) {
		const struct handler_config *h = &c->handlers[i];

		require(h->concurrency >= 1 && h->window >= 1 && h->timeout_ms >= 100);
		require(h->type == HANDLER_EXEC ? h->command.n > 0 : h->socket != NULL);
		require(h->retry_initial_ms >= 10 && h->retry_max_ms >= h->retry_initial_ms);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = ERROR_INIT;
	struct config *c = NULL;
	int r;

	r = config_parse_text(PATH, slice_make((const char *)data, size), &c, &e);
	require(r <= 0);
	if (r < 0) {
		require(c == NULL);
		check_refusal(&e);
	} else {
		check_config(c);
		config_free(c);
	}
	return 0;
}
