/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the metrics tell of an endpoint's requests
 *
 * Threads: any.   Ownership: of what it counts in, nothing: series live as long as the process, so
 * that a new tally of the same endpoint goes on counting where the old one ended.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/event_types.h"
#include "intake/answer.h"
#include "util/cleanup.h"
#include "util/macros.h"
#include "util/slice.h"

struct tally;

/**
 * tally_new() - count for one endpoint
 * @endpoint: name, or NULL: requests whose path no endpoint has
 *
 * Return: the tally, or NULL when out of memory.
 */
struct tally *tally_new(const char *endpoint);
void tally_free(struct tally *tally);
DEFINE_CLEANUP(struct tally *, tally_free)

/**
 * tally_request() - count a request that gets its answer now
 * @has_credential: a credential matched, valid or not
 * @took_us:        since its headers
 */
void tally_request(struct tally *tally, enum outcome outcome, bool has_credential, int64_t took_us);

/* count an event that is new in the store */
void tally_event(struct slice type, enum event_category category);
