/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/answer.h"

#include <inttypes.h>

#define REFUSED(status_, word_, title_, detail_)                                                   \
	{                                                                                          \
		.status = (status_), .word = (word_), .title = (title_), .detail = (detail_),      \
		.metric = METRIC_REFUSED, .level = LOG_LEVEL_WARNING                               \
	}
#define UNAUTHORIZED(word_)                                                                        \
	{                                                                                          \
		.status = 401, .word = (word_), .title = "Unauthorized",                           \
		.detail = "A valid credential is required.", .metric = METRIC_AUTH_FAILURES,       \
		.level = LOG_LEVEL_WARNING                                                         \
	}
#define UNAVAILABLE(word_, detail_, seconds, level_)                                               \
	{                                                                                          \
		.status = 503, .word = (word_), .title = "Service Unavailable",                    \
		.detail = (detail_), .metric = METRIC_UNAVAILABLE, .level = (level_),              \
		.retry_after_s = (seconds)                                                         \
	}

static const struct outcome_rule rules[OUTCOMES] = {
	[OUTCOME_STORED] = {.status = 200,
			    .word = "stored",
			    .metric = METRIC_EVENTS_STORED,
			    .level = LOG_LEVEL_INFO},
	[OUTCOME_DUPLICATE] = {.status = 200,
			       .word = "duplicate",
			       .metric = METRIC_EVENTS_DUPLICATE,
			       .level = LOG_LEVEL_INFO},
	[OUTCOME_CONFLICT] = {.status = 200,
			      .word = "conflict",
			      .metric = METRIC_EVENTS_CONFLICT,
			      .level = LOG_LEVEL_WARNING},
	[OUTCOME_NOT_FOUND] =
		REFUSED(404, "no endpoint", "Not Found", "No endpoint has this path."),
	[OUTCOME_METHOD_NOT_ALLOWED] = REFUSED(405, "wrong method", "Method Not Allowed",
					       "Webhooks are posted: use POST."),
	[OUTCOME_ADDRESS_FORBIDDEN] =
		REFUSED(403, "address not allowed", "Forbidden", "This address may not post here."),
	[OUTCOME_THROTTLED] = {.status = 429,
			       .word = "throttled",
			       .title = "Too Many Requests",
			       .detail = "Too many wrong credentials came from this address.",
			       .metric = METRIC_AUTH_THROTTLED,
			       .level = LOG_LEVEL_WARNING},
	[OUTCOME_NO_CREDENTIAL] = UNAUTHORIZED("no credential"),
	[OUTCOME_WRONG_CREDENTIAL] = UNAUTHORIZED("wrong credential"),
	[OUTCOME_EXPIRED_CREDENTIAL] = UNAUTHORIZED("credential outside its validity"),
	[OUTCOME_INSUFFICIENT_SCOPE] = {.status = 403,
					.word = "scope missing",
					.title = "Forbidden",
					.detail = "The token lacks the scope that is required.",
					.metric = METRIC_AUTH_FAILURES,
					.level = LOG_LEVEL_WARNING},
	[OUTCOME_PROVIDER_DOWN] = UNAVAILABLE("identity provider not available",
					      "The credential cannot be checked at the moment.", 5,
					      LOG_LEVEL_WARNING),
	[OUTCOME_TOO_LARGE] = {.status = 413,
			       .word = "body too large",
			       .title = "Content Too Large",
			       .detail = "The body is larger than this server accepts.",
			       .metric = METRIC_REFUSED,
			       .level = LOG_LEVEL_WARNING,
			       .close = true},
	[OUTCOME_MEDIA_TYPE] = REFUSED(415, "not sent as JSON", "Unsupported Media Type",
				       "Send application/json without a Content-Encoding."),
	[OUTCOME_NOT_JSON] = {.status = 400,
			      .word = "quarantined: not JSON",
			      .title = "Bad Request",
			      .detail = "The body is not well-formed JSON.",
			      .metric = METRIC_EVENTS_QUARANTINED,
			      .level = LOG_LEVEL_WARNING},
	[OUTCOME_NOT_OBJECT] = {.status = 400,
				.word = "quarantined: not an object",
				.title = "Bad Request",
				.detail = "The body is JSON, but not an object.",
				.metric = METRIC_EVENTS_QUARANTINED,
				.level = LOG_LEVEL_WARNING},
	[OUTCOME_BUSY] = UNAVAILABLE("too much pending", "Too many events wait to be stored.", 2,
				     LOG_LEVEL_WARNING),
	[OUTCOME_STOPPING] = {.status = 503,
			      .word = "stopping",
			      .title = "Service Unavailable",
			      .detail = "The server is stopping.",
			      .metric = METRIC_UNAVAILABLE,
			      .level = LOG_LEVEL_INFO,
			      .retry_after_s = 5,
			      .close = true}, /* or the drain would wait for busy clients */
	[OUTCOME_NOT_STORED] =
		UNAVAILABLE("not stored", "The event could not be stored.", 10, LOG_LEVEL_ERROR),
	[OUTCOME_NO_MEMORY] =
		UNAVAILABLE("out of memory", "The server is out of memory.", 10, LOG_LEVEL_ERROR),
};

const struct outcome_rule *outcome_rule(enum outcome outcome)
{
	return &rules[outcome];
}

void answer_render(enum outcome outcome, int64_t seq, struct slice event_id, struct buf *out)
{
	const struct outcome_rule *rule = &rules[outcome];

	if (!rule->title) {
		buf_printf(out, "{\"result\":\"%s\",\"seq\":%" PRId64 ",\"event_id\":", rule->word,
			   seq);
		buf_append_json(out, event_id);
		buf_append_str(out, "}\n");
		return;
	}
	buf_printf(out,
		   "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\"}\n",
		   rule->title, rule->status, rule->detail);
}
