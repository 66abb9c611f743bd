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

#include "intake/connections.h"
#include "intake/intake.h"

/* MHD_AccessHandlerCallback; @cls is the struct intake */
enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload_data,
			       size_t *upload_data_size, void **req_cls);

/* MHD_RequestCompletedCallback: frees the request */
void request_completed(void *cls, struct MHD_Connection *connection, void **req_cls,
		       enum MHD_RequestTerminationCode how);
