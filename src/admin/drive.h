/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin side's posts: what operators do to deliveries
 *
 *	POST /v1/pause, /v1/resume	{"handler": NAME}
 *	POST /v1/retry, /v1/hold,
 *	     /v1/release, /v1/dismiss	{"deliveries": [812, ...]}
 *	POST /v1/replay			{"handler": NAME, "first_seq": N, "last_seq": N,
 *					 "since": US, "until": US, "type": TYPE, "eval_id": ID};
 *					all but the first may be left out
 *
 * The answer comes after the commit. An error is {"error": sentence}.
 *
 * Threads: any, one request each.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

struct store;

struct drive {
	struct store *store;
	void (*on_change)(void *arg); /* something was changed and is committed */
	void *arg;
};

/**
 * drive_handle() - do what was posted
 * @path:       "/v1/pause"
 * @request:    the parsed body, an object; borrowed
 * @ret_answer: for the caller to free; NULL when out of memory
 *
 * Return: the HTTP status; 404 also when there is no such path.
 */
unsigned int drive_handle(const struct drive *drive, const char *path, const json_t *request,
			  json_t **ret_answer);
