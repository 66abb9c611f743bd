/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operator must know of the sender's side: last uses, ends, runs of failures, silence
 *
 * Threads: admin.
 */
#pragma once

#include <stdint.h>

#include <jansson.h>

struct buf;
struct gate;

/**
 * senders_add_status() - members `certificate`, `endpoints` and `credentials` of /v1/status
 * @certificate_end: us; 0: none
 */
void senders_add_status(json_t *status, struct gate *gate, int64_t certificate_end, int64_t now_us);

/* the same as metrics with labels, appended in the Prometheus text format */
void senders_render(struct buf *out, struct gate *gate, int64_t certificate_end);
