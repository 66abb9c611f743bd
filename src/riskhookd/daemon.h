/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: owns every subsystem, starts and stops them in order
 *
 *	start: store -> dispatcher -> intake -> listener -> admin
 *	stop:  listener quiesces -> requests get their answers -> dispatcher -> store -> the rest
 *
 * Threads: main alone.
 */
#pragma once

#include "util/cleanup.h"
#include "util/err.h"

struct config;
struct daemon;

/**
 * daemon_new() - start everything; when it returns 0 connections are accepted
 * @config: borrowed until daemon_free()
 */
int daemon_new(const struct config *config, struct daemon **ret_daemon, struct error *e) MUST_USE;

/* "https://127.0.0.1:8443" */
const char *daemon_url(const struct daemon *d);

/* no event that was promised is lost: finish what runs within `stop_timeout`, then stop */
void daemon_stop(struct daemon *d);
void daemon_free(struct daemon *d);
DEFINE_CLEANUP(struct daemon *, daemon_free)
