/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers of a request, as libmicrohttpd holds them, in one pass
 *
 * Threads: libmicrohttpd's.   Ownership: borrows; valid as long as the request.
 */
#pragma once

#include <microhttpd.h>

#include "intake/intake.h"

/* @url: the path, without the query */
void request_head_read(struct MHD_Connection *connection, const char *url, const char *method,
		       struct request_head *ret);
