/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/outbound.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/metrics.h"
#include "util/buf.h"
#include "util/thread.h"

#define LONGEST_WAIT_MS 60000

enum state {
	IDLE = 0,
	SCHEDULED,
	UNDER_WAY,
	CANCELLED, /* under way, and unwanted */
};

/* owned by the outbound thread */
struct transfer {
	struct outbound_request *request;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
};

struct outbound {
	CURLM *multi; /* the thread's, but for curl_multi_wakeup() */

	/* shared, under mx */
	pthread_mutex_t mx;
	pthread_cond_t changed;
	struct list scheduled, under_way;
	const struct outbound_request *finishing; /* its done() runs; never looked into */
	pthread_t thread;
	bool is_running, stopping;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT); /* without it outbound_new() fails */
}

int outbound_new(struct outbound **ret)
{
	struct outbound *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	(void)pthread_once(&curl_once, init_curl); /* cannot fail with a valid control */
	o->multi = curl_multi_init();
	if (!o->multi) {
		free(o);
		return -ENOMEM;
	}
	(void)pthread_mutex_init(&o->mx, NULL); /* cannot fail with default attributes on Linux */
	cond_init(&o->changed);
	list_init(&o->scheduled);
	list_init(&o->under_way);
	*ret = o;
	return 0;
}

/* ---- one transfer: outbound thread ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	return buf_append(&t->body, p, size * n) < 0 ? 0 : size * n; /* 0 ends the transfer */
}

static void transfer_free(struct outbound *o, struct transfer *t)
{
	if (!t)
		return;
	if (t->easy) {
		(void)curl_multi_remove_handle(o->multi, t->easy); /* fails only if not added */
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->headers);
	secret_wipe(t->body.p, t->body.n);
	buf_deinit(&t->body);
	free(t);
}

static bool add_header(struct transfer *t, const char *line)
{
	struct curl_slist *more = curl_slist_append(t->headers, line);

	if (more)
		t->headers = more;
	return more != NULL;
}

static bool add_headers(struct transfer *t)
{
	return add_header(t, "Accept: application/json") && add_header(t, "Expect:");
}

/* Return: 0, or what libcurl refused; a setting that does not hold must not be gone without */
static int set_safety(CURL *easy, const struct outbound_request *request)
{
	CURLcode failed = CURLE_OK;

	failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
	failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
	failed |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	failed |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (request->ca_file) {
		failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
		failed |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	failed |= curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max);
	return failed;
}

static int set_request(CURL *easy, struct transfer *t)
{
	const struct outbound_request *request = t->request;
	CURLcode failed = CURLE_OK;

	failed |= curl_easy_setopt(easy, CURLOPT_URL, request->url);
	failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
	failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "riskhookd/" RISKHOOK_VERSION);
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	failed |= curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
	if (request->username) {
		failed |= curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		failed |= curl_easy_setopt(easy, CURLOPT_USERNAME, request->username);
		failed |= curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password);
	}
	if (request->form) {
		failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->form_n);
		failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->form);
	}
	return failed;
}

static struct transfer *transfer_new(struct outbound *o, struct outbound_request *request)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->request = request;
	t->body.max = request->max;
	t->easy = curl_easy_init();
	if (t->easy && add_headers(t) && set_safety(t->easy, request) == 0 &&
	    set_request(t->easy, t) == 0 && curl_multi_add_handle(o->multi, t->easy) == CURLM_OK)
		return t;
	transfer_free(o, t);
	return NULL;
}

static struct slice header_of(CURL *easy, const char *name)
{
	struct curl_header *h;

	if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return SLICE_NULL;
	return slice_of(h->value);
}

static int64_t expires_in_s(CURL *easy)
{
	struct slice value = header_of(easy, "Expires");
	time_t at_s;

	if (slice_is_empty(value))
		return -1;
	at_s = curl_getdate(value.p, NULL); /* the value ends with a NUL */
	return at_s < 0 ? 0 : MAX_OF(at_s - clock_now_us() / 1000000, 0);
}

static void read_answer(struct transfer *t, CURLcode result, struct outbound_answer *ret)
{
	if (result == CURLE_WRITE_ERROR || result == CURLE_FILESIZE_EXCEEDED)
		ret->error = "the answer is too large";
	else if (result != CURLE_OK)
		ret->error = curl_easy_strerror(result);
	if (ret->error)
		return;
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &ret->status); /* 0 is wrong too */
	if (ret->status == 200)
		ret->body = buf_slice(&t->body);
	ret->content_type = header_of(t->easy, "Content-Type");
	ret->cache_control = header_of(t->easy, "Cache-Control");
	ret->expires_in_s = expires_in_s(t->easy);
}

/* under mx. Return: does the owner still want to know? */
static bool make_idle(struct outbound *o, struct outbound_request *request)
{
	bool is_wanted = request->state != CANCELLED;

	list_remove(&request->link);
	request->state = IDLE;
	request->transfer = NULL;
	o->finishing = is_wanted ? request : NULL;
	pthread_cond_broadcast(&o->changed);
	return is_wanted;
}

/* done() may schedule the request anew, or free it */
static void finish(struct outbound *o, struct outbound_request *request,
		   const struct outbound_answer *answer)
{
	struct transfer *t = request->transfer;
	bool is_wanted;

	if (answer->error || answer->status != 200)
		metric_inc(METRIC_PROVIDER_FAILURES);
	mutex_lock(&o->mx);
	is_wanted = make_idle(o, request);
	mutex_unlock(&o->mx);
	if (is_wanted)
		request->done(request, answer);
	mutex_lock(&o->mx);
	o->finishing = NULL;
	pthread_cond_broadcast(&o->changed);
	mutex_unlock(&o->mx);
	transfer_free(o, t);
}

static bool is_stopping(struct outbound *o)
{
	bool stopping;

	mutex_lock(&o->mx);
	stopping = o->stopping;
	mutex_unlock(&o->mx);
	return stopping;
}

static void fail(struct outbound *o, struct outbound_request *request, const char *error)
{
	finish(o, request,
	       &(struct outbound_answer){
		       .error = error, .is_stopping = is_stopping(o), .expires_in_s = -1});
}

/* ---- the thread ---- */

/* Return: a request that is due, now under way, or NULL; @ret_next_ms: when the next one is */
static struct outbound_request *take_due(struct outbound *o, int64_t now_ms, int64_t *ret_next_ms)
{
	struct outbound_request *due = NULL;

	*ret_next_ms = now_ms + LONGEST_WAIT_MS;
	mutex_lock(&o->mx);
	list_for_each (link, &o->scheduled) {
		struct outbound_request *r = list_entry(link, struct outbound_request, link);

		if (r->due_ms <= now_ms || o->stopping) {
			due = r;
			break;
		}
		*ret_next_ms = MIN_OF(*ret_next_ms, r->due_ms);
	}
	if (due) {
		list_remove(&due->link);
		list_append(&o->under_way, &due->link);
		due->state = UNDER_WAY;
	}
	mutex_unlock(&o->mx);
	return due;
}

/* Return: when the next one is due */
static int64_t begin_due(struct outbound *o)
{
	struct outbound_request *request;
	int64_t next_ms;

	while ((request = take_due(o, clock_monotonic_ms(), &next_ms))) {
		metric_inc(METRIC_PROVIDER_REQUESTS);
		request->transfer = is_stopping(o) ? NULL : transfer_new(o, request);
		if (!request->transfer)
			fail(o, request, "cannot begin");
	}
	return next_ms;
}

/* Return: a request that is under way and, unless all are wanted, cancelled; or NULL */
static struct outbound_request *find_under_way(struct outbound *o, bool only_cancelled)
{
	struct outbound_request *found = NULL;

	mutex_lock(&o->mx);
	list_for_each (link, &o->under_way) {
		struct outbound_request *r = list_entry(link, struct outbound_request, link);

		if (r->state == CANCELLED || !only_cancelled) {
			found = r;
			break;
		}
	}
	mutex_unlock(&o->mx);
	return found;
}

static void end_unwanted(struct outbound *o, bool all)
{
	struct outbound_request *request;

	while ((request = find_under_way(o, !all)))
		fail(o, request, "cancelled");
}

static void take_results(struct outbound *o)
{
	CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(o->multi, &n_left))) {
		struct outbound_answer answer = {.expires_in_s = -1};
		struct transfer *t = NULL;

		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t) !=
			    CURLE_OK)
			continue;
		read_answer(t, message->data.result, &answer);
		finish(o, t->request, &answer);
	}
}

static void *run(void *arg)
{
	struct outbound *o = arg;
	int n_running;

	while (!is_stopping(o)) {
		int64_t next_ms = begin_due(o), wait_ms;

		end_unwanted(o, false);
		(void)curl_multi_perform(o->multi, &n_running); /* failures come as results */
		take_results(o);
		wait_ms = next_ms - clock_monotonic_ms();
		/* libcurl's own timers shorten the wait; it fails only without memory */
		(void)curl_multi_poll(o->multi, NULL, 0, (int)MAX_OF(wait_ms, 0), NULL);
	}
	(void)begin_due(o); /* they fail, as is wanted */
	end_unwanted(o, true);
	return NULL;
}

/* ---- for everybody ---- */

/* under mx */
static int ensure_running(struct outbound *o)
{
	int r;

	if (o->stopping)
		return -ESHUTDOWN;
	if (o->is_running)
		return 0;
	r = thread_start(&o->thread, "outbound", run, o);
	o->is_running = r == 0;
	return r;
}

int outbound_schedule(struct outbound *o, struct outbound_request *request, int64_t due_ms)
{
	int r;

	mutex_lock(&o->mx);
	r = ensure_running(o);
	if (r == 0 && request->state == IDLE) {
		list_append(&o->scheduled, &request->link);
		request->state = SCHEDULED;
		request->due_ms = due_ms;
	} else if (r == 0 && request->state == SCHEDULED) {
		request->due_ms = MIN_OF(request->due_ms, due_ms);
	}
	mutex_unlock(&o->mx);
	if (r == 0)
		(void)curl_multi_wakeup(o->multi); /* fails when one is pending: as good */
	return r;
}

void outbound_cancel(struct outbound *o, struct outbound_request *request)
{
	mutex_lock(&o->mx);
	while (o->finishing == request || request->state != IDLE) {
		if (request->state == SCHEDULED) {
			list_remove(&request->link);
			request->state = IDLE;
			continue;
		}
		if (request->state == UNDER_WAY)
			request->state = CANCELLED;
		(void)curl_multi_wakeup(o->multi); /* as above */
		cond_wait(&o->changed, &o->mx);
	}
	mutex_unlock(&o->mx);
}

void outbound_stop(struct outbound *o)
{
	bool was_running;

	mutex_lock(&o->mx);
	o->stopping = true;
	was_running = o->is_running;
	o->is_running = false;
	mutex_unlock(&o->mx);
	if (!was_running)
		return;
	(void)curl_multi_wakeup(o->multi); /* as above */
	thread_join(o->thread);
}

void outbound_free(struct outbound *o)
{
	if (!o)
		return;
	outbound_stop(o);
	(void)curl_multi_cleanup(o->multi); /* nothing is left that could fail */
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->mx);
	free(o);
}
