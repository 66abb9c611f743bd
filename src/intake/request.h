/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, from its headers to its answer
 *
 *	           +-> a provider is asked -+
 *	           |                        |
 *	headers -> intake_decide() <--------+
 *	                            |
 *	                            +-> receive the body -> event_recognize() -> store -> answer
 *	                            +-> refused: let the body pass by (or not) -> answer
 *
 * While the store commits, the connection is suspended: no thread waits. The store thread's done()
 * writes the outcome and resumes the connection; libmicrohttpd then calls again for the answer.
 *
 * A request whose token only an identity provider can judge is suspended as well, in
 * libmicrohttpd's first call, before a byte of the body is read. When it is resumed, that first
 * call comes again and the decision is made anew, now that the provider has spoken.
 *
 * Threads: libmicrohttpd's, one at a time for each request; done() in the store thread,
 * wake() in the outbound thread.
 */
#pragma once

#include <microhttpd.h>

#include "intake/exchange.h"
#include "intake/intake.h"

/* Return: a new exchange, or NULL when out of memory */
struct exchange *request_new(struct intake *in, struct MHD_Connection *mhd);
