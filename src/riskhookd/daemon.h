/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: owns every subsystem, starts and stops them in order
 *
 *	start: store -> dispatcher -> intake -> listener -> retention -> watchdog -> admin
 *	reload: everything new is made and checked, then put in place; see daemon_reload()
 *	stop:  dispatcher -> listener quiesces -> requests get their answers -> store -> the rest
 *
 * The dispatcher stops first, because it waits for handlers: posts are answered until the last
 * moment, so that a restart leaves the shortest possible gap.
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
 * @config: one more owner
 */
int daemon_new(struct config *config, struct daemon **ret_daemon, struct error *e) MUST_USE;

/* "https://127.0.0.1:8443" */
const char *daemon_url(const struct daemon *d);

/**
 * daemon_reload() - read the configuration again and go on with it
 *
 * Certificate, credentials, endpoints, handlers and limits; nobody is refused meanwhile, and open
 * connections stay. Options that cannot change are warned of, at each reload until the restart.
 * Whoever asked at the admin socket gets the result by daemon_answer_reload().
 *
 * @remark: "FILE:LINE: sentence" of an error; otherwise the options that wait for a restart, or ""
 *
 * Return: 0, or a negative errno; then nothing has changed.
 */
int daemon_reload(struct daemon *d, struct error *remark) MUST_USE;
int64_t daemon_begin_reload(struct daemon *d);
void daemon_answer_reload(struct daemon *d, int64_t ticket, int result, const struct error *remark);

/* remind of what is due. Return: milliseconds after which to call again */
int64_t daemon_remind(struct daemon *d);

/* no event that was promised is lost: finish what runs within `stop_timeout`, then stop */
void daemon_stop(struct daemon *d);
void daemon_free(struct daemon *d);
DEFINE_CLEANUP(struct daemon *, daemon_free)
