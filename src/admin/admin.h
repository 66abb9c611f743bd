/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin side: health, metrics and status over HTTP/1.1
 *
 * On the admin Unix socket (mode 0660): GET /healthz, /readyz, /metrics, /v1/status; POST
 * /v1/log-level, /v1/tokens/revoke, the posts of admin/drive.h, and /v1/reload, which is answered
 * when it is done. On the optional loopback TCP listener the first three alone: nothing there says
 * what was received.
 *
 * Threads: made and freed by one; one thread of its own a socket.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/err.h"

struct admin;
struct config;
struct gate;
struct store;
struct tokens;

/* What the admin side tells of; all of it is borrowed until admin_free(). */
struct admin_subject {
	struct store *store;
	struct tokens *tokens;
	struct gate *gate;
	const char *url;    /* of the listener */
	int64_t started_at; /* us */

	void (*on_change)(void *arg); /* an operator has changed deliveries or handlers */
	/* and wait for its end. @remark: of an error the sentence, of a success the options that
	 * need a restart, or "" */
	int (*reload)(void *arg, struct error *remark);
	int64_t (*certificate_end)(void *arg); /* us; 0: there is none */
	bool (*is_listening)(void *arg);
	void *arg;
};

int admin_new(const struct config *config, const struct admin_subject *subject,
	      struct admin **ret_admin, struct error *e) MUST_USE;

/* /readyz says no from now on */
void admin_note_stopping(struct admin *a);
void admin_free(struct admin *a);
DEFINE_CLEANUP(struct admin *, admin_free)
