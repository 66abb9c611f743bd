/* SPDX-License-Identifier: Apache-2.0 */
/* event_recognize(): whatever comes in, what comes out keeps the promises of event.h. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "intake/event.h"
#include "util/macros.h"
#include "util/utf8.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "broken promise: %s\n", #condition);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct slice s, const char *p, size_t n)
{
	return s.p >= p && s.p + s.n <= p + n;
}

static void check_text(const struct event *e, struct slice body, struct slice text)
{
	size_t length;

	CHECK(text.n <= EVENT_TEXT_MAX);
	if (slice_is_empty(text))
		return;
	CHECK(is_within(text, body.p, body.n) || is_within(text, e->scratch, e->scratch_n));
	for (size_t i = 0; i < text.n; i += length) {
		CHECK(text.p[i] != '\0');
		length = utf8_length(text.p + i, text.n - i);
		CHECK(length > 0);
	}
}

static void check_type(struct slice type)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_.:";

	CHECK(type.n > 0 && type.n <= 64);
	for (size_t i = 0; i < type.n; i++)
		CHECK(type.p[i] != '\0' && strchr(allowed, type.p[i]));
}

static void check_event(const struct event *e, struct slice body)
{
	const struct slice texts[] = {
		e->event_id, e->original_type, e->eval_id,     e->customer_id, e->decision,
		e->status,   e->sub_status,    e->eval_status, e->workflow,    e->environment,
	};

	CHECK(e->scratch_n <= sizeof(e->scratch));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		check_text(e, body, texts[i]);
	check_type(e->event_type);
	CHECK(!slice_is_empty(e->event_id));
	CHECK(!e->id_derived || slice_starts_nocase(e->event_id, SLICE("sha256:")));
	CHECK(strlen(event_category_name(e->category)) > 0);
	CHECK(e->state_at != 0 || e->event_at == 0);
	CHECK(e->decision_at != 0 || e->state_at == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice body = slice_make((const char *)data, size);
	static struct event e;

	switch (event_recognize(body, &e)) {
	case EVENT_OK:
		check_event(&e, body);
		break;
	case EVENT_E_NOT_JSON:
		CHECK(e.error_at <= size);
		break;
	case EVENT_E_NOT_OBJECT:
		break;
	default:
		CHECK(!"an outcome that event.h does not know");
	}
	return 0;
}
