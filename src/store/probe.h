/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can the store commit? Asked by a commit
 *
 * Threads: probe_ask() from any; made and freed by one thread, freed when the store has
 * stopped, so that no probe is under way.
 */
#pragma once

#include <stdbool.h>

#include "util/cleanup.h"
#include "util/macros.h"

struct probe;
struct store;

/* @store: borrowed until probe_free(). Return: the probe, or NULL when out of memory. */
struct probe *probe_new(struct store *store);
void probe_free(struct probe *probe);
DEFINE_CLEANUP(struct probe *, probe_free)

/**
 * probe_ask() - a recent commit answers; without one a transaction that changes nothing is tried
 *
 * Waits for two seconds at most; what takes longer is answered -ETIMEDOUT, and the next question
 * waits for the same transaction.
 *
 * Return: 0, or a negative errno.
 */
int probe_ask(struct probe *probe) MUST_USE;
