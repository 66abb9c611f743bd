/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling a sample's {{words}} with fresh ids and times. Private to sample.c.
 */
#pragma once

#include <stdint.h>

#include <jansson.h>

#define UUID_TEXT_SIZE 37
#define GO_TIME_SIZE   40
#define REQUEST_SIZE   13

/* one body's words */
struct sample_words {
	char event_id[UUID_TEXT_SIZE];
	char eval_id[UUID_TEXT_SIZE];
	char request[REQUEST_SIZE];
	char now[GO_TIME_SIZE];
	char started[GO_TIME_SIZE];
	char today[GO_TIME_SIZE];
};

/* @now: us since the epoch */
void sample_words_init(struct sample_words *words, int64_t now);

/* Return: a copy of @json with the words filled in, a new reference; NULL when out of memory */
json_t *sample_fill(json_t *json, const struct sample_words *words);

/* a random UUID, version 4 (RFC 9562 section 5.4) */
void uuid_make(char out[UUID_TEXT_SIZE]);

/* RFC 3339 UTC as Go's RFC3339Nano prints it: nanoseconds without trailing zeros */
void go_time_format(int64_t us, int nanoseconds, char out[GO_TIME_SIZE]);
