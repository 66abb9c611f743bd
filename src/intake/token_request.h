/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /oauth/token, from its headers to its answer
 *
 *	headers -> receive the body -> token_decide() -> make a token -> store -> answer
 *
 * The path exists exactly when an endpoint has a credential of type oauth_client. While the store
 * commits the token the connection is suspended: nobody gets one that a crash could lose.
 *
 * Threads: libmicrohttpd's, one at a time for each request; done() in the store thread.
 */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

#include "intake/exchange.h"
#include "intake/intake.h"

/* is there a token endpoint, and is this its path? */
bool token_request_is_for(const struct intake *in, const char *url);

/* Return: a new exchange, or NULL when out of memory */
struct exchange *token_request_new(struct intake *in, struct MHD_Connection *mhd);
