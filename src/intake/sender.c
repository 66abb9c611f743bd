/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/sender.h"

#include "core/clock.h"
#include "core/log.h"
#include "util/units.h"

static const struct {
	enum watch_news news;
	enum log_level level;
	const char *text;
} words[] = {
	{WATCH_FAILING, LOG_LEVEL_ERROR,
	 "3 authenticated requests in a row were not answered 200; RiskOS deletes a watchlist "
	 "webhook after 5 failures"},
	{WATCH_WORKS_AGAIN, LOG_LEVEL_NOTICE, "requests are answered 200 again"},
	{WATCH_UNAUTHORIZED, LOG_LEVEL_WARNING,
	 "3 requests in a row were answered 401; if RiskOS sent them, its credential is wrong, and "
	 "it deletes a watchlist webhook after 5 failures"},
	{WATCH_HEARD_AGAIN, LOG_LEVEL_NOTICE, "events come again"},
};

static void say(const struct endpoint *endpoint, unsigned news)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (news & words[i].news)
			log_with(words[i].level,
				 &(struct log_ids){.endpoint = slice_of(endpoint->config->name)},
				 "%s", words[i].text);
}

void sender_note(const struct intake *in, const struct admission *a, unsigned int status)
{
	struct watched *credential = NULL;

	if (!a->endpoint)
		return;
	if (a->credential && status != 401) /* 401 with a name: outside its validity */
		credential = intake_watched_credential(in, a->credential);
	say(a->endpoint, watch_note(a->endpoint->watched, credential, status, clock_now_us()));
}

int64_t sender_check_silence(const struct intake *in, int64_t now_us)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < in->n_endpoints; i++) {
		const struct endpoint *endpoint = &in->endpoints[i];
		int64_t alarm_ms = endpoint->config->silence_alarm_ms, check_at;
		char text[UNIT_TEXT_SIZE];

		if (watch_silence(endpoint->watched, alarm_ms * US_PER_MS, now_us, &check_at))
			log_with(LOG_LEVEL_WARNING,
				 &(struct log_ids){.endpoint = slice_of(endpoint->config->name)},
				 "no event has come for %s (silence_alarm); is the webhook still "
				 "registered in RiskOS?",
				 duration_format(alarm_ms, text));
		next = MIN_OF(next, check_at);
	}
	return next;
}
