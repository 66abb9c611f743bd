/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, from its headers to its answer
 *
 *	headers -> intake_decide() -+-> receive the body -> event_recognize() -> store -> answer
 *	                            +-> refused: let the body pass by (or not) -> answer
 *
 * While the store commits, the connection is suspended: no thread waits. The store thread's done()
 * writes the outcome and resumes the connection; libmicrohttpd then calls again for the answer.
 *
 * Threads: libmicrohttpd's, one at a time for each request; done() in the store thread.
 */
#pragma once

#include <microhttpd.h>

#include "intake/exchange.h"
#include "intake/intake.h"

/* Return: a new exchange, or NULL when out of memory */
struct exchange *request_new(struct intake *in, struct MHD_Connection *mhd);
