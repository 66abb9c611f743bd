/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/session.h"

#include <errno.h>
#include <inttypes.h>

#include "core/log.h"
#include "dispatch/protocol.h"

#define CHUNK    (16 * 1024)
#define OUT_FULL (64 * 1024)   /* do not gather more lines than this for one write */
#define OUT_KEEP (1024 * 1024) /* give the memory of larger lines back */

void session_init(struct session *session, int read_fd, int write_fd, int64_t timeout_ms,
		  const struct handler_callbacks *callbacks)
{
	*session = (struct session){
		.read_fd = read_fd,
		.write_fd = write_fd,
		.timeout_ms = timeout_ms,
		.callbacks = callbacks,
		.out = BUF_INIT(0), /* each line brings its own maximum */
		.in = BUF_INIT(PROTOCOL_LINE_MAX + CHUNK),
	};
	list_init(&session->waiting);
	list_init(&session->unanswered);
}

static struct attempt *attempt_of(struct list *link)
{
	return list_entry(link, struct attempt, link);
}

static void done(struct session *session, struct attempt *attempt)
{
	session->callbacks->on_done(attempt, session->callbacks->arg);
}

void session_deinit(struct session *session, int64_t now_ms, enum attempt_outcome outcome,
		    const char *reason)
{
	struct list *link;

	while ((link = list_pop(&session->unanswered)) != NULL) {
		struct attempt *attempt = attempt_of(link);

		if (attempt->deadline_ms <= now_ms)
			attempt_result_set_timeout(&attempt->result, session->timeout_ms);
		else
			attempt_result_set(&attempt->result, outcome, "%s", reason);
		done(session, attempt);
	}
	while ((link = list_pop(&session->waiting)) != NULL) {
		attempt_result_set(&attempt_of(link)->result, outcome, "%s, before it was sent",
				   reason);
		done(session, attempt_of(link));
	}
	buf_deinit(&session->out);
	buf_deinit(&session->in);
}

void session_add(struct session *session, struct attempt *attempt)
{
	list_append(&session->waiting, &attempt->link);
}

bool session_has_output(const struct session *session)
{
	return session->n_written < session->out.n || !list_is_empty(&session->waiting);
}

int64_t session_deadline(const struct session *session)
{
	if (list_is_empty(&session->unanswered))
		return INT64_MAX;
	return attempt_of(session->unanswered.next)->deadline_ms;
}

/* put the lines of the next attempts into `out`, which is empty */
static int gather(struct session *session, int64_t now_ms)
{
	struct list *link;

	buf_clear(&session->out);
	session->n_written = 0;
	if (session->out.cap > OUT_KEEP)
		buf_deinit(&session->out);
	while (session->out.n < OUT_FULL && (link = list_pop(&session->waiting)) != NULL) {
		struct attempt *attempt = attempt_of(link);
		int r;

		if (!transform_apply(session->transform, attempt)) {
			done(session, attempt);
			continue;
		}
		/* from here on the consumer may have seen it */
		attempt->deadline_ms = now_ms + session->timeout_ms;
		list_append(&session->unanswered, link);
		session->out.max = session->out.n + attempt->job->payload_n + PROTOCOL_HEAD_MAX;
		r = protocol_append_request(attempt->job, &session->out);
		if (r < 0)
			return r;
	}
	return SESSION_OK;
}

int session_write(struct session *session, int64_t now_ms)
{
	while (session_has_output(session)) {
		struct buf *out = &session->out;
		ssize_t n;
		int r;

		if (session->n_written == out->n) {
			r = gather(session, now_ms);
			if (r < 0)
				return r;
		}
		n = write(session->write_fd, out->p + session->n_written,
			  out->n - session->n_written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? SESSION_OK : -errno;
		session->n_written += (size_t)n;
	}
	return SESSION_OK;
}

static struct attempt *find(struct session *session, int64_t delivery)
{
	list_for_each (link, &session->unanswered) {
		if (attempt_of(link)->job->delivery == delivery)
			return attempt_of(link);
	}
	return NULL;
}

static void ignore_unknown(struct session *session, const struct answer *answer)
{
	if (session->is_unknown_logged)
		return;
	session->is_unknown_logged = true;
	log_debug("the consumer answered delivery %" PRId64
		  ", which it was not asked about or is no longer; ignored",
		  answer->delivery);
}

static void take_answer(struct session *session, const struct answer *answer)
{
	static const struct {
		enum attempt_outcome outcome;
		const char *text;
	} meanings[] = {
		[ANSWER_OK] = {ATTEMPT_OK, ""},
		[ANSWER_RETRY] = {ATTEMPT_RETRY, "the consumer answered retry"},
		[ANSWER_DEAD] = {ATTEMPT_DEAD, "the consumer answered dead"},
	};
	struct attempt *attempt = find(session, answer->delivery);

	if (!attempt) {
		ignore_unknown(session, answer);
		return;
	}
	session->n_answers++;
	list_remove(&attempt->link);
	attempt->result.is_reason_foreign = answer->reason[0] != '\0';
	attempt->result.after_ms = answer->after_ms;
	attempt_result_set(&attempt->result, meanings[answer->status].outcome, "%s",
			   answer->reason[0] != '\0' ? answer->reason
						     : meanings[answer->status].text);
	done(session, attempt);
}

/* take the whole lines from `in` and leave the beginning of the next one */
static int take_lines(struct session *session)
{
	struct slice rest = buf_slice(&session->in);
	const char *end;

	while ((end = rest.n ? memchr(rest.p, '\n', rest.n) : NULL) != NULL) {
		size_t n = (size_t)(end - rest.p);
		struct answer answer;

		if (protocol_parse_answer(slice_make(rest.p, n), &answer) != PROTOCOL_OK)
			return SESSION_E_GARBAGE;
		take_answer(session, &answer);
		rest = slice_make(end + 1, rest.n - n - 1);
	}
	buf_consume(&session->in, session->in.n - rest.n);
	return session->in.n > PROTOCOL_LINE_MAX ? SESSION_E_GARBAGE : SESSION_OK;
}

int session_read(struct session *session)
{
	char chunk[CHUNK];
	ssize_t n;
	int r;

	n = read(session->read_fd, chunk, sizeof(chunk));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? SESSION_OK : -errno;
	if (n == 0)
		return SESSION_E_CLOSED;
	r = buf_append(&session->in, chunk, (size_t)n);
	return r < 0 ? r : take_lines(session);
}

const char *session_outcome_text(int outcome)
{
	static const char *const texts[] = {
		[SESSION_OK] = "the connection was closed",
		[SESSION_E_CLOSED] = "the consumer closed the connection",
		[SESSION_E_GARBAGE] = "the consumer sent a line that is no answer",
		[SESSION_E_TIMEOUT] = "an answer was overdue, so the connection was closed",
	};

	return outcome < 0 ? error_name(outcome) : texts[outcome];
}
