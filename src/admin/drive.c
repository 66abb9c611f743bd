/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/event_types.h"
#include "core/log.h"
#include "store/drive.h"
#include "util/cleanup.h"
#include "util/err.h"

enum { OK = 200, BAD_REQUEST = 400, NOT_FOUND = 404, UNAVAILABLE = 503 };

#define TEXT_MAX 512 /* bytes of a name, type or id */

static unsigned int fail(unsigned int status, const char *sentence, json_t **ret_answer)
{
	*ret_answer = json_pack("{s:s}", "error", sentence);
	return status;
}

static unsigned int fail_store(int error, json_t **ret_answer)
{
	*ret_answer = json_pack("{s:s++}", "error", "the store cannot commit: ", error_name(error),
				"; nothing was changed");
	return UNAVAILABLE;
}

/* Return: the text, "" when it was not given, or NULL when it is no text or too long */
static const char *text_of(const json_t *request, const char *name)
{
	const json_t *value = json_object_get(request, name);

	if (!value || json_is_null(value))
		return "";
	if (!json_is_string(value) || json_string_length(value) > TEXT_MAX)
		return NULL;
	return json_string_value(value);
}

/* 0 when it was not given; Return: false when it is no number or negative */
static bool number_of(const json_t *request, const char *name, int64_t *ret)
{
	const json_t *value = json_object_get(request, name);

	*ret = json_integer_value(value); /* 0 for what is not there */
	return (!value || json_is_integer(value)) && *ret >= 0;
}

static unsigned int set_paused(const struct drive *drive, const json_t *request, bool paused,
			       json_t **ret_answer)
{
	const char *handler = text_of(request, "handler");
	struct pause_op op = {
		.op = {.kind = STORE_OP_PAUSE},
		.handler = handler,
		.paused = paused,
		.now = clock_now_us(),
	};
	struct log_ids ids = {.handler = slice_of(handler)};
	int r;

	if (!handler || !*handler)
		return fail(BAD_REQUEST, "'handler' must be a name", ret_answer);
	r = store_submit_wait(drive->store, &op.op);
	if (r < 0)
		return fail_store(r, ret_answer);
	if (!op.is_known)
		return fail(NOT_FOUND, "there is no such handler", ret_answer);
	if (op.is_changed) {
		drive->on_change(drive->arg);
		log_with(LOG_LEVEL_NOTICE, &ids, "an operator has %s the handler",
			 paused ? "paused" : "resumed");
	}
	*ret_answer = json_pack("{s:s, s:b, s:b}", "handler", handler, "paused", paused, "changed",
				op.is_changed);
	return OK;
}

static unsigned int run_pause(const struct drive *drive, const json_t *request, json_t **ret_answer)
{
	return set_paused(drive, request, true, ret_answer);
}

static unsigned int run_resume(const struct drive *drive, const json_t *request,
			       json_t **ret_answer)
{
	return set_paused(drive, request, false, ret_answer);
}

/* Return: false when it is no list of 1 to DRIVE_ITEMS_MAX numbers */
static bool read_items(const json_t *list, struct change_item *items)
{
	size_t n = json_array_size(list); /* 0 for what is no list */

	if (n == 0 || n > DRIVE_ITEMS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		const json_t *number = json_array_get(list, i);

		if (!json_is_integer(number) || json_integer_value(number) < 1)
			return false;
		items[i].delivery = json_integer_value(number);
	}
	return true;
}

static json_t *change_answer(const struct change_op *op, size_t *ret_n_changed)
{
	json_t *refused = json_array();

	*ret_n_changed = 0;
	for (size_t i = 0; i < op->n_items; i++) {
		const struct change_item *item = &op->items[i];

		*ret_n_changed += item->is_changed;
		if (!item->is_changed) /* out of memory shows in the whole answer */
			(void)json_array_append_new(
				refused,
				json_pack("{s:I, s:s?}", "delivery", (json_int_t)item->delivery,
					  "state",
					  item->is_known ? delivery_state_name(item->was) : NULL));
	}
	return json_pack("{s:I, s:o}", "changed", (json_int_t)*ret_n_changed, "refused", refused);
}

static unsigned int change(const struct drive *drive, const json_t *request, enum change what,
			   json_t **ret_answer)
{
	static const char *const done[CHANGES] = {
		[CHANGE_RETRY] = "retries",
		[CHANGE_HOLD] = "holds",
		[CHANGE_RELEASE] = "releases",
		[CHANGE_DISMISS] = "dismisses",
	};
	const json_t *list = json_object_get(request, "deliveries");
	_cleanup_(freep)
	struct change_item *items = calloc(DRIVE_ITEMS_MAX, sizeof(*items));
	struct change_op op = {
		.op = {.kind = STORE_OP_CHANGE},
		.change = what,
		.items = items,
		.n_items = json_array_size(list),
		.now = clock_now_us(),
	};
	size_t n_changed;
	int r;

	if (!items)
		return fail_store(-ENOMEM, ret_answer);
	if (!read_items(list, items))
		return fail(BAD_REQUEST, "'deliveries' must be a list of 1 to 1000 numbers",
			    ret_answer);
	r = store_submit_wait(drive->store, &op.op);
	if (r < 0)
		return fail_store(r, ret_answer);
	*ret_answer = change_answer(&op, &n_changed);
	if (n_changed > 0) {
		drive->on_change(drive->arg);
		log_notice("an operator %s %zu deliveries", done[what], n_changed);
	}
	return OK;
}

static unsigned int run_retry(const struct drive *drive, const json_t *request, json_t **ret_answer)
{
	return change(drive, request, CHANGE_RETRY, ret_answer);
}

static unsigned int run_hold(const struct drive *drive, const json_t *request, json_t **ret_answer)
{
	return change(drive, request, CHANGE_HOLD, ret_answer);
}

static unsigned int run_release(const struct drive *drive, const json_t *request,
				json_t **ret_answer)
{
	return change(drive, request, CHANGE_RELEASE, ret_answer);
}

static unsigned int run_dismiss(const struct drive *drive, const json_t *request,
				json_t **ret_answer)
{
	return change(drive, request, CHANGE_DISMISS, ret_answer);
}

/* Return: false when a value is of the wrong kind */
static bool read_filter(const json_t *request, struct replay_filter *filter)
{
	filter->event_type = text_of(request, "type");
	filter->eval_id = text_of(request, "eval_id");
	return filter->event_type && filter->eval_id &&
	       number_of(request, "first_seq", &filter->first_seq) &&
	       number_of(request, "last_seq", &filter->last_seq) &&
	       number_of(request, "since", &filter->since) &&
	       number_of(request, "until", &filter->until);
}

/* a type as RiskOS writes it, or canonical; returns @out */
static const char *canonical(const char *text, char out[EVENT_TYPE_MAX + 1])
{
	struct event_type type = event_type_of(slice_of(text));

	(void)snprintf(out, EVENT_TYPE_MAX + 1, "%.*s", (int)type.n, type.name); /* has room */
	return out;
}

static unsigned int run_replay(const struct drive *drive, const json_t *request,
			       json_t **ret_answer)
{
	const char *handler = text_of(request, "handler");
	struct replay_op op = {
		.op = {.kind = STORE_OP_REPLAY},
		.handler = handler,
		.now = clock_now_us(),
	};
	struct log_ids ids = {.handler = slice_of(handler)};
	char type[EVENT_TYPE_MAX + 1];
	int r;

	if (!handler || !*handler || !read_filter(request, &op.filter))
		return fail(BAD_REQUEST, "'handler' must be a name, and the rest numbers and texts",
			    ret_answer);
	op.filter.event_type = canonical(op.filter.event_type, type);
	r = store_submit_wait(drive->store, &op.op);
	if (r < 0)
		return fail_store(r, ret_answer);
	if (op.replay == 0)
		return fail(NOT_FOUND, "there is no such handler", ret_answer);
	drive->on_change(drive->arg);
	log_with(LOG_LEVEL_NOTICE, &ids, "an operator has asked for replay %lld",
		 (long long)op.replay);
	*ret_answer = json_pack("{s:I, s:s}", "replay", (json_int_t)op.replay, "handler", handler);
	return OK;
}

static const struct action {
	const char *path;
	unsigned int (*run)(const struct drive *drive, const json_t *request, json_t **ret_answer);
} actions[] = {
	{"/v1/pause", run_pause},   {"/v1/resume", run_resume},   {"/v1/retry", run_retry},
	{"/v1/hold", run_hold},     {"/v1/release", run_release}, {"/v1/dismiss", run_dismiss},
	{"/v1/replay", run_replay},
};

static const struct action *find(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(path, actions[i].path) == 0)
			return &actions[i];
	}
	return NULL;
}

unsigned int drive_handle(const struct drive *drive, const char *path, const json_t *request,
			  json_t **ret_answer)
{
	const struct action *action = find(path);

	if (!action)
		return fail(NOT_FOUND, "no such path", ret_answer);
	if (!json_is_object(request))
		return fail(BAD_REQUEST, "the body must be a JSON object", ret_answer);
	return action->run(drive, request, ret_answer);
}
