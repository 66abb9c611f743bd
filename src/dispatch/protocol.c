/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/protocol.h"

#include <inttypes.h>

#include <jansson.h>

#include "dispatch/retry.h"
#include "util/cleanup.h"
#include "util/units.h"
#include "util/utf8.h"

static void append_text(struct buf *out, const char *name, const char *value)
{
	(void)buf_printf(out, ",\"%s\":", name);
	if (value[0] != '\0')
		(void)buf_append_json(out, slice_of(value));
	else
		(void)buf_append_str(out, "null");
}

/* see the header: these two bytes can only be white space here */
static void replace_line_breaks(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n' || p[i] == '\r')
			p[i] = ' ';
	}
}

int protocol_append_request(const struct job *job, struct buf *out)
{
	char received_at[TIME_TEXT_SIZE];
	size_t payload_at;

	/* the appends are checked once, at the end */
	(void)buf_printf(out, "{\"delivery\":%" PRId64 ",\"attempt\":%d,\"seq\":%" PRId64,
			 job->delivery, job->attempt, job->seq);
	append_text(out, "event_id", job->event_id);
	append_text(out, "event_type", job->event_type);
	append_text(out, "category", job->category);
	append_text(out, "eval_id", job->eval_id);
	append_text(out, "received_at", time_format(job->received_at, received_at));
	(void)buf_printf(out,
			 ",\"test\":%s,\"replay\":%s,\"payload\":", job->test ? "true" : "false",
			 job->replay ? "true" : "false");
	payload_at = out->n;
	if (buf_append(out, job->payload, job->payload_n) == 0 && job->payload_n > 0)
		replace_line_breaks(out->p + payload_at, job->payload_n);
	(void)buf_append_str(out, "}\n");
	return buf_error(out);
}

static int parse_status(const json_t *value, enum answer_status *ret_status)
{
	static const struct {
		const char *name;
		enum answer_status status;
	} names[] = {
		{"ok", ANSWER_OK},
		{"retry", ANSWER_RETRY},
		{"dead", ANSWER_DEAD},
	};
	const char *text = json_string_value(value);

	for (size_t i = 0; text && i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i].name, text) == 0) {
			*ret_status = names[i].status;
			return PROTOCOL_OK;
		}
	}
	return PROTOCOL_E_MALFORMED;
}

static int parse_delivery(const json_t *value, int64_t *ret_delivery)
{
	if (!json_is_integer(value) || json_integer_value(value) < 1)
		return PROTOCOL_E_MALFORMED;
	*ret_delivery = json_integer_value(value);
	return PROTOCOL_OK;
}

/* seconds, with or without a fraction; more than RETRY_AFTER_MAX_MS counts as that */
static int parse_after(const json_t *value, int64_t *ret_after_ms)
{
	double seconds;

	*ret_after_ms = RETRY_AFTER_NONE;
	if (!value || json_is_null(value))
		return PROTOCOL_OK;
	seconds = json_number_value(value);
	if (!json_is_number(value) || !(seconds >= 0))
		return PROTOCOL_E_MALFORMED;
	if (seconds >= (double)RETRY_AFTER_MAX_MS / 1000)
		*ret_after_ms = RETRY_AFTER_MAX_MS;
	else
		*ret_after_ms = (int64_t)(seconds * 1000);
	return PROTOCOL_OK;
}

/* at most PROTOCOL_REASON_MAX bytes, cut at a character's border, control characters blanked */
static void copy_reason(const char *text, size_t n, char *out)
{
	size_t used = 0;

	while (used < n) {
		size_t length = utf8_length(text + used, n - used);

		if (length == 0 || used + length > PROTOCOL_REASON_MAX)
			break;
		for (size_t i = 0; i < length; i++)
			out[used + i] = text[used + i];
		if (length == 1 && ((unsigned char)out[used] < 0x20 || out[used] == 0x7f))
			out[used] = ' ';
		used += length;
	}
	out[used] = '\0';
}

static int parse_reason(const json_t *value, char *out)
{
	out[0] = '\0';
	if (!value || json_is_null(value))
		return PROTOCOL_OK;
	if (!json_is_string(value))
		return PROTOCOL_E_MALFORMED;
	copy_reason(json_string_value(value), json_string_length(value), out);
	return PROTOCOL_OK;
}

int protocol_parse_answer(struct slice line, struct answer *ret_answer)
{
	_cleanup_(json_decrefp)
	json_t *root = NULL;
	struct answer answer;

	if (line.n == 0 || line.n > PROTOCOL_LINE_MAX)
		return PROTOCOL_E_MALFORMED;
	root = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root))
		return PROTOCOL_E_MALFORMED;
	if (parse_delivery(json_object_get(root, "delivery"), &answer.delivery) != PROTOCOL_OK ||
	    parse_status(json_object_get(root, "status"), &answer.status) != PROTOCOL_OK ||
	    parse_after(json_object_get(root, "after"), &answer.after_ms) != PROTOCOL_OK ||
	    parse_reason(json_object_get(root, "reason"), answer.reason) != PROTOCOL_OK)
		return PROTOCOL_E_MALFORMED;
	*ret_answer = answer;
	return PROTOCOL_OK;
}
