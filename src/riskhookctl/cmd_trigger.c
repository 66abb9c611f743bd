/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trigger: posts sample events, as RiskOS would
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#include "core/clock.h"
#include "core/config.h"
#include "riskhookctl/access.h"
#include "riskhookctl/client.h"
#include "riskhookctl/daemon.h"
#include "riskhookctl/print.h"
#include "riskhookctl/progress.h"
#include "riskhookctl/put.h"
#include "riskhookctl/sample.h"
#include "riskhookctl/target.h"
#include "util/units.h"

#define FILE_MAX_BYTES   (64 * 1024 * 1024)
#define ANSWER_MAX_BYTES (64 * 1024)

/* what is posted: bytes as they are, or made afresh each time */
struct body {
	const struct sample_type *type; /* or NULL */
	char *text;
	size_t n;
	char *event_type, *eval_id; /* of the text, for the line that is printed; or NULL */
};

static void body_clear(struct body *body)
{
	free(body->text);
	free(body->event_type);
	free(body->eval_id);
	*body = (struct body){.type = body->type};
}

static int list_types(const struct context *ctx)
{
	struct print_target target = print_target_stdout();
	_cleanup_(printer_freep)
	struct printer *printer = NULL;

	printer = printer_new(&target, ctx->args->json ? PRINT_JSON : PRINT_TABLE, "type about");
	if (!printer)
		return -ENOMEM;
	for (size_t i = 0; i < n_sample_types; i++) {
		const struct value row[] = {
			{"type", VALUE_TEXT, 0, slice_of(sample_types[i].name)},
			{"about", VALUE_TEXT, 0, slice_of(sample_types[i].about)},
		};
		int r = printer_row(row, ARRAY_SIZE(row), printer);

		if (r < 0)
			return r;
	}
	return printer_flush(printer);
}

static const char *first_text(const json_t *root, const char *const paths[], size_t n)
{
	const char *text = NULL;

	for (size_t i = 0; !text && i < n; i++)
		text = sample_text(root, paths[i]);
	return text;
}

/* remember what the printed line says of a body */
static void note_names(struct body *body, const json_t *root)
{
	static const char *const types[] = {"event_type", "event.eventType", "evaluation_status",
					    "eval_status"};
	static const char *const ids[] = {"data.eval_id", "eval_id"};
	const char *type = first_text(root, types, ARRAY_SIZE(types));
	const char *id = first_text(root, ids, ARRAY_SIZE(ids));

	body->event_type = type ? slice_dup(slice_of(type)) : NULL;
	body->eval_id = id ? slice_dup(slice_of(id)) : NULL;
}

/* apply --set and serialise */
static int take_json(struct body *body, json_t *root, const struct arguments *args, struct error *e)
{
	for (size_t i = 0; i < args->n_sets; i++) {
		int r = sample_set(root, args->sets[i], e);

		if (r < 0)
			return r;
	}
	body->text = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!body->text)
		return error_set(e, -ENOMEM, "out of memory");
	body->n = strlen(body->text);
	note_names(body, root);
	return 0;
}

static int read_stdin(struct body *body)
{
	struct buf text = BUF_INIT(FILE_MAX_BYTES);
	char chunk[16 * 1024];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0) {
		int r = buf_append(&text, chunk, n);

		if (r < 0)
			return r;
	}
	if (ferror(stdin)) {
		buf_deinit(&text);
		return -EIO;
	}
	body->n = text.n;
	body->text = text.p ? buf_steal(&text) : slice_dup(SLICE(""));
	return body->text ? 0 : -ENOMEM;
}

static int read_file(struct body *body, const struct arguments *args, struct error *e)
{
	const char *path = args->file ? args->file : "-";
	json_t *root;
	int r;

	if (strcmp(path, "-") == 0)
		r = read_stdin(body);
	else
		r = fd_read_file(path, FILE_MAX_BYTES, &body->text, &body->n);
	if (r < 0 || !body->text)
		return error_set(e, r < 0 ? r : -ENOMEM, "cannot read '%s': %s", path,
				 error_name(r));
	root = json_loadb(body->text, body->n, 0, NULL);
	if (args->n_sets == 0) {
		note_names(body, root);
		json_decref(root);
		return 0;
	}
	body_clear(body);
	r = root ? take_json(body, root, args, e)
		 : error_set(e, -EINVAL, "--set needs JSON, which '%s' is not", path);
	json_decref(root);
	return r;
}

/* the next body: a file's stays, a sample is fresh unless --same-id */
static int make_body(struct body *body, const struct arguments *args, struct error *e)
{
	json_t *root;
	int r;

	if (body->text && (!body->type || args->same_id))
		return 0;
	if (!body->type)
		return read_file(body, args, e);
	body_clear(body);
	root = sample_make(body->type, clock_now_us());
	r = root ? take_json(body, root, args, e) : error_set(e, -ENOMEM, "out of memory");
	json_decref(root);
	return r;
}

struct tally {
	int64_t posted;
	int64_t stored, duplicate, conflict, refused;
	int64_t started_at; /* us of the monotonic clock */
};

static void tally_answer(struct tally *tally, int status, const char *result)
{
	tally->posted++;
	if (status != 200)
		tally->refused++;
	else if (strcmp(result, "duplicate") == 0)
		tally->duplicate++;
	else if (strcmp(result, "conflict") == 0)
		tally->conflict++;
	else
		tally->stored++;
}

/* " name=text", escaped; nothing when there is no text */
static void append_pair(struct buf *line, const char *name, const char *text)
{
	if (!text)
		return;
	buf_printf(line, " %s=", name);
	print_escape(line, slice_of(text));
}

static void print_answer(const struct body *body, int status, const json_t *answer)
{
	struct buf line = BUF_INIT(ANSWER_MAX_BYTES);
	const json_t *seq = json_object_get(answer, "seq");
	const char *result = sample_text(answer, "result"), *title = sample_text(answer, "title");

	buf_printf(&line, "%d ", status);
	print_escape(&line, slice_of(result ? result : title ? title : "no JSON answer"));
	if (json_is_integer(seq))
		buf_printf(&line, " seq=%" JSON_INTEGER_FORMAT, json_integer_value(seq));
	append_pair(&line, "event_id", sample_text(answer, "event_id"));
	append_pair(&line, "event_type", body->event_type);
	append_pair(&line, "eval_id", body->eval_id);
	append_pair(&line, "detail", sample_text(answer, "detail"));
	if (buf_error(&line) == 0)
		put(stdout, "%s\n", line.p);
	buf_deinit(&line);
}

/* the answer's members, and what was posted, as one line */
static int print_json_answer(const struct body *body, int status, json_t *answer)
{
	struct buf line = BUF_INIT(ANSWER_MAX_BYTES);
	json_t *object = json_pack("{s:i, s:s?, s:s?}", "status", status, "event_type",
				   body->event_type, "eval_id", body->eval_id);
	char *text;
	int r = -ENOMEM;

	if (object && answer)
		(void)json_object_update_missing(object, answer); /* both are objects */
	text = json_dumps(object, JSON_COMPACT);
	if (text) {
		buf_append_str(&line, text);
		r = print_json_line(stdout, &line);
	}
	free(text);
	json_decref(object);
	buf_deinit(&line);
	return r;
}

static int post_once(struct poster *poster, struct body *body, const struct arguments *args,
		     struct tally *tally, struct error *e)
{
	struct buf text = BUF_INIT(ANSWER_MAX_BYTES);
	const char *result;
	json_t *answer;
	int status, r = 0;

	status = poster_post(poster, slice_make(body->text, body->n), &text, e);
	if (status < 0) {
		buf_deinit(&text);
		return status;
	}
	answer = text.p ? json_loadb(text.p, text.n, 0, NULL) : NULL;
	result = sample_text(answer, "result");
	tally_answer(tally, status, result ? result : "");
	if (args->json)
		r = print_json_answer(body, status, json_is_object(answer) ? answer : NULL);
	else if (args->count == 1 || (status != 200 && tally->refused <= 10))
		print_answer(body, status, answer);
	json_decref(answer);
	buf_deinit(&text);
	return r == -EPIPE ? 0 : r; /* a gone reader does not stop the posts */
}

static void print_summary(const struct tally *tally)
{
	double seconds = (double)(clock_monotonic_us() - tally->started_at) / (double)US_PER_S;

	put(stdout,
	    "%" PRId64 " posted in %.2f s: %" PRId64 " stored, %" PRId64 " duplicate, %" PRId64
	    " conflict, %" PRId64 " refused\n",
	    tally->posted, seconds, tally->stored, tally->duplicate, tally->conflict,
	    tally->refused);
}

static enum ctl_exit post_all(const struct arguments *args, struct body *body,
			      struct poster *poster, const char *url)
{
	struct tally tally = {.started_at = clock_monotonic_us()};
	struct progress progress;
	struct error e = ERROR_INIT;
	int r = 0;

	progress_begin(&progress, "events posted");

	for (int64_t i = 0; r == 0 && i < args->count; i++) {
		r = make_body(body, args, &e);
		if (r < 0) {
			progress_end(&progress);
			return ctl_fail(CTL_FAILED, "%s", e.text);
		}
		r = post_once(poster, body, args, &tally, &e);
		if (args->count > 1 && !args->json)
			progress_show(&progress, i + 1, args->count);
	}
	progress_end(&progress);
	if (args->count > 1 && !args->json)
		print_summary(&tally);
	if (r == -ECONNREFUSED)
		return ctl_fail(CTL_UNREACHABLE, "cannot post to %s: %s; is riskhookd running?",
				url, e.text);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "cannot post to %s: %s", url, e.text);
	return tally.refused ? CTL_FAILED : CTL_OK;
}

static enum ctl_exit post(const struct context *ctx, struct body *body)
{
	const struct arguments *args = ctx->args;
	const struct endpoint_config *endpoint;
	_cleanup_(access_deinit)
	struct access access = {NULL, NULL};
	struct target target = {.port = 0};
	struct post_target to = {.url = args->url};
	char url[sizeof(target.origin) + 2048];
	_cleanup_(poster_freep)
	struct poster *poster = NULL;
	struct error e = ERROR_INIT;
	enum ctl_exit code;
	int r = 0;

	endpoint = target_endpoint(ctx->config, args->endpoint, &e);
	if (!endpoint)
		return ctl_fail(CTL_FAILED, "%s", e.text);
	if (!args->url) {
		r = target_resolve(ctx->config, &target, &e);
		if (r < 0)
			return daemon_fail(r, &e);
		r = snprintf(url, sizeof(url), "%s%s", target.origin, endpoint->path);
		if (r >= (int)sizeof(url))
			return ctl_fail(CTL_FAILED, "the endpoint's path is too long");
		to.url = url;
		to.connect_to = target.connect_to[0] ? target.connect_to : NULL;
	}
	to.certificate = ctx->config->server.tls_certificate;
	code = access_resolve(ctx, endpoint, &to, &access);
	if (code != CTL_OK)
		return code;
	poster = poster_new(&to, &e);
	if (!poster)
		return ctl_fail(CTL_FAILED, "%s", e.text);
	return post_all(args, body, poster, to.url);
}

static enum ctl_exit print_body(struct body *body, const struct arguments *args)
{
	struct print_target target = print_target_stdout();
	struct error e = ERROR_INIT;

	if (make_body(body, args, &e) < 0)
		return ctl_fail(CTL_FAILED, "%s", e.text);
	(void)print_bytes(&target, slice_make(body->text, body->n)); /* main() looks at stdout */
	return CTL_OK;
}

static enum ctl_exit find_type(const char *name, const struct sample_type **ret_type)
{
	const struct sample_type *nearest;

	*ret_type = sample_find(name);
	if (*ret_type)
		return CTL_OK;
	nearest = sample_nearest(name);
	return ctl_fail(CTL_USAGE,
			"no sample of type '%s'%s%s%s; 'riskhookctl trigger --list' "
			"lists them",
			name, nearest ? " (did you mean '" : "", nearest ? nearest->name : "",
			nearest ? "'?)" : "");
}

enum ctl_exit cmd_trigger(const struct context *ctx)
{
	const struct arguments *args = ctx->args;
	const char *name = args->operands[1];
	struct body body = {.type = NULL};
	enum ctl_exit code = CTL_OK;

	if (args->list)
		return list_types(ctx) == -ENOMEM ? CTL_FAILED : CTL_OK;
	if (!name == !args->file)
		return ctl_fail(CTL_USAGE, "give either a TYPE ('riskhookctl trigger --list' lists "
					   "them) or --file FILE");
	if (args->count < 1)
		return ctl_fail(CTL_USAGE, "--count takes a number from 1");
	if (name)
		code = find_type(name, &body.type);
	if (code == CTL_OK)
		code = args->print ? print_body(&body, args) : post(ctx, &body);
	body_clear(&body);
	return code;
}
