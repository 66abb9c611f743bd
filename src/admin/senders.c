/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/senders.h"

#include <inttypes.h>

#include "core/ending.h"
#include "core/options.h"
#include "intake/intake.h"
#include "util/buf.h"
#include "util/units.h"

static int64_t value_of(const _Atomic int64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

/* "basic", ... */
static const char *type_name(const struct credential_config *c)
{
	return option_find("credential", "type")->words[c->type];
}

/* ---- status ---- */

/* Return: null for 0 */
static json_t *json_time(int64_t us)
{
	char text[TIME_TEXT_SIZE];

	return us ? json_string(time_format(us, text)) : json_null();
}

static json_t *json_days_left(int64_t now_us, int64_t end_us)
{
	return end_us ? json_integer(ending_days_left(now_us, end_us)) : json_null();
}

static json_t *endpoint_status(const struct endpoint *endpoint)
{
	const struct watched *w = endpoint->watched;

	return json_pack("{s:s, s:o, s:I, s:I, s:b}", "endpoint", endpoint->config->name,
			 "last_event_at", json_time(value_of(&w->used_at)), "failures_in_a_row",
			 (json_int_t)value_of(&w->failures), "unauthorized_in_a_row",
			 (json_int_t)value_of(&w->unauthorized), "silent",
			 (int)atomic_load(&w->is_silent));
}

static json_t *credential_status(const struct credential_config *c, const struct watched *w,
				 int64_t now_us)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "credential", c->name, "type",
			 type_name(c), "endpoint", c->endpoint, "last_used_at",
			 json_time(value_of(&w->used_at)), "not_before",
			 json_time(c->not_before_us), "not_after", json_time(c->not_after_us),
			 "days_left", json_days_left(now_us, c->not_after_us));
}

void senders_add_status(json_t *status, struct gate *gate, int64_t certificate_end, int64_t now_us)
{
	struct intake *in = gate_ref(gate);
	json_t *endpoints = json_array(), *credentials = json_array();

	/* without memory a member is missing; jansson frees what it could not take */
	for (size_t i = 0; i < in->n_endpoints; i++)
		(void)json_array_append_new(endpoints, endpoint_status(&in->endpoints[i]));
	for (size_t i = 0; i < in->config->n_credentials; i++)
		(void)json_array_append_new(credentials,
					    credential_status(&in->config->credentials[i],
							      in->watched_credentials[i], now_us));
	gate_unref(gate, in);
	if (certificate_end)
		(void)json_object_set_new(status, "certificate",
					  json_pack("{s:o, s:o}", "not_after",
						    json_time(certificate_end), "days_left",
						    json_days_left(now_us, certificate_end)));
	(void)json_object_set_new(status, "endpoints", endpoints);
	(void)json_object_set_new(status, "credentials", credentials);
}

/* ---- metrics ---- */

static void begin_family(struct buf *out, const char *name, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* names have no character that would need an escape */
static void render_credentials(struct buf *out, const struct intake *in, const char *name,
			       int64_t (*value)(const struct intake *in, size_t i))
{
	for (size_t i = 0; i < in->config->n_credentials; i++) {
		const struct credential_config *c = &in->config->credentials[i];
		int64_t us = value(in, i);

		if (us) /* never used, or no end: no sample */
			buf_printf(
				out,
				"%s{credential=\"%s\",endpoint=\"%s\",type=\"%s\"} %" PRId64 "\n",
				name, c->name, c->endpoint, type_name(c), (int64_t)(us / US_PER_S));
	}
}

static int64_t used_at(const struct intake *in, size_t i)
{
	return value_of(&in->watched_credentials[i]->used_at);
}

static int64_t not_after(const struct intake *in, size_t i)
{
	return in->config->credentials[i].not_after_us;
}

static void render_endpoints(struct buf *out, const struct intake *in, const char *name,
			     int64_t (*value)(const struct watched *w))
{
	for (size_t i = 0; i < in->n_endpoints; i++)
		buf_printf(out, "%s{endpoint=\"%s\"} %" PRId64 "\n", name,
			   in->endpoints[i].config->name, value(in->endpoints[i].watched));
}

static int64_t failures(const struct watched *w)
{
	return value_of(&w->failures);
}

static int64_t unauthorized(const struct watched *w)
{
	return value_of(&w->unauthorized);
}

static int64_t last_event_s(const struct watched *w)
{
	return value_of(&w->used_at) / US_PER_S;
}

static int64_t is_silent(const struct watched *w)
{
	return atomic_load(&w->is_silent);
}

static const struct {
	const char *name, *help;
	int64_t (*of_credential)(const struct intake *in, size_t i);
	int64_t (*of_endpoint)(const struct watched *w);
} families[] = {
	{"riskhook_credential_last_used_timestamp_seconds",
	 "when a credential last let somebody in", used_at, NULL},
	{"riskhook_credential_not_after_timestamp_seconds", "end of a credential's validity",
	 not_after, NULL},
	{"riskhook_endpoint_last_event_timestamp_seconds", "when an event last came; 0: never",
	 NULL, last_event_s},
	{"riskhook_endpoint_failures_in_a_row",
	 "run of answers other than 200 to authenticated requests", NULL, failures},
	{"riskhook_endpoint_unauthorized_in_a_row", "run of answers 401", NULL, unauthorized},
	{"riskhook_endpoint_silent", "1 when no event has come for longer than silence_alarm", NULL,
	 is_silent},
};

void senders_render(struct buf *out, struct gate *gate, int64_t certificate_end)
{
	static const char certificate[] = "riskhook_certificate_not_after_timestamp_seconds";
	struct intake *in = gate_ref(gate);

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		begin_family(out, families[i].name, families[i].help);
		if (families[i].of_credential)
			render_credentials(out, in, families[i].name, families[i].of_credential);
		else
			render_endpoints(out, in, families[i].name, families[i].of_endpoint);
	}
	gate_unref(gate, in);
	if (!certificate_end)
		return;
	begin_family(out, certificate, "end of the TLS certificate's validity");
	buf_printf(out, "%s %" PRId64 "\n", certificate, (int64_t)(certificate_end / US_PER_S));
}
