/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where reloads are asked for from other threads, and answered by the main thread
 *
 * An asker raises SIGHUP, so that there is one way by which a reload begins, and waits for its
 * result. Who asks while one is under way waits for the next: the files may have changed since.
 *
 * Threads: reload_desk_ask() from any but main; the rest from main.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/err.h"

struct reload_desk {
	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t changed;
	int64_t asked, answered; /* tickets */
	int result;
	struct error remark; /* reload_desk_ask()'s */
	bool is_closed;
};

void reload_desk_init(struct reload_desk *desk);
void reload_desk_deinit(struct reload_desk *desk);

/**
 * reload_desk_ask() - have the main thread reload, and wait until it has
 *
 * @remark: of a failure the sentence; of a success the options that need a restart, or ""
 *
 * Return: 0, or a negative errno; -ESHUTDOWN when the daemon stops.
 */
int reload_desk_ask(struct reload_desk *desk, struct error *remark) MUST_USE;

/* the requests that the reload which begins now will answer */
int64_t reload_desk_begin(struct reload_desk *desk);
void reload_desk_answer(struct reload_desk *desk, int64_t ticket, int result,
			const struct error *remark);

/* no more; whoever waits is told so */
void reload_desk_close(struct reload_desk *desk);
