/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: let a handler have events again
 *
 * The daemon does it, batch by batch, whether this command waits for the end or not.
 */
#include <errno.h>

#include "core/config.h"
#include "riskhookctl/ask.h"
#include "riskhookctl/client.h"
#include "riskhookctl/daemon.h"
#include "riskhookctl/follow.h"
#include "riskhookctl/put.h"

/* "A", "A-B" or "A-"; Return: 0, or -EINVAL */
static int parse_range(const char *text, int64_t *ret_first, int64_t *ret_last)
{
	char first[24];
	size_t n = strcspn(text, "-");

	if (n >= sizeof(first))
		return -EINVAL;
	(void)snprintf(first, sizeof(first), "%.*s", (int)n, text); /* has room */
	if (args_number(first, ret_first) < 0 || *ret_first == 0)
		return -EINVAL;
	*ret_last = *ret_first;
	if (text[n] == '\0')
		return 0;
	*ret_last = 0; /* to the end */
	if (text[n + 1] == '\0')
		return 0;
	if (args_number(text + n + 1, ret_last) < 0 || *ret_last < *ret_first)
		return -EINVAL;
	return 0;
}

static enum ctl_exit make_request(const struct arguments *args, json_t **ret_request)
{
	int64_t first = 0, last = 0;

	if (!args->handler)
		return ctl_fail(CTL_USAGE, "name the handler with --handler");
	if (!args_has_any(args, "seq since until type eval-id"))
		return ctl_fail(CTL_USAGE,
				"say which events: --seq A[-B], --since, --until, --type "
				"or --eval-id; '--seq 1-' is all of them");
	if (args->seq && parse_range(args->seq, &first, &last) < 0)
		return ctl_fail(CTL_USAGE, "--seq takes A, A-B or A-, not '%s'", args->seq);
	*ret_request = json_pack("{s:s, s:I, s:I, s:I, s:I, s:s?, s:s?}", "handler", args->handler,
				 "first_seq", (json_int_t)first, "last_seq", (json_int_t)last,
				 "since", (json_int_t)args->since, "until", (json_int_t)args->until,
				 "type", args->type, "eval_id", args->eval_id);
	return CTL_OK;
}

/* what the store says of the replay that was asked for */
struct replay {
	int64_t number, at_seq, last_seq, deliveries;
	bool is_known, has_ended;
};

static int visit_replay(const struct value *values, int n_values, void *arg)
{
	struct replay *replay = arg;
	const struct {
		const char *name;
		int64_t *to;
	} numbers[] = {
		{"at_seq", &replay->at_seq},
		{"last_seq", &replay->last_seq},
		{"deliveries", &replay->deliveries},
	};
	const struct value *ended = ask_value(values, n_values, "ended");

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const struct value *value = ask_value(values, n_values, numbers[i].name);

		*numbers[i].to = value ? value->integer : 0;
	}
	replay->has_ended = ended && ended->integer;
	replay->is_known = true;
	return 0;
}

static bool is_daemon_there(const struct context *ctx)
{
	struct buf answer = BUF_INIT(4096);
	struct error e = ERROR_INIT;
	int r = client_get_admin(ctx->config->admin.socket, "/healthz", &answer, &e);

	buf_deinit(&answer);
	return r == 200;
}

/* Return: CTL_OK when the replay has ended */
static enum ctl_exit wait_for_end(const struct context *ctx, struct reader *reader,
				  struct follow *follow, struct replay *replay)
{
	bool is_terminal = isatty(STDERR_FILENO);
	int r = 1;

	while (r > 0) {
		int64_t before = replay->at_seq;

		r = query_replay(reader, replay->number, visit_replay, replay);
		if (r < 0)
			return ask_result(r);
		if (is_terminal)
			put(stderr, "\rreplay %lld: event %lld of %lld, %lld deliveries ...\r",
			    (long long)replay->number, (long long)replay->at_seq,
			    (long long)replay->last_seq, (long long)replay->deliveries);
		if (replay->has_ended)
			return CTL_OK;
		if (replay->at_seq == before && !is_daemon_there(ctx))
			return ctl_fail(CTL_UNREACHABLE,
					"the daemon has stopped; it goes on with replay %lld when "
					"it is started again",
					(long long)replay->number);
		r = follow_wait(follow);
	}
	put(stderr, "\nriskhookctl: replay %lld goes on without this command\n",
	    (long long)replay->number);
	return r < 0 ? ask_result(r) : CTL_OK;
}

static enum ctl_exit watch(const struct context *ctx, struct replay *replay)
{
	_cleanup_(reader_closep)
	struct reader *reader = NULL;
	struct follow follow = {.inotify = -1, .signals = -1};
	enum ctl_exit code = ask_open(ctx, &reader);
	int r;

	if (code != CTL_OK)
		return code;
	r = follow_open(&follow, ctx->config->store.path);
	if (r < 0)
		return ask_result(r);
	code = wait_for_end(ctx, reader, &follow, replay);
	follow_close(&follow);
	return code;
}

enum ctl_exit cmd_replay(const struct context *ctx)
{
	struct replay replay = {.number = 0};
	json_t *request = NULL, *answer = NULL;
	enum ctl_exit code = make_request(ctx->args, &request);

	if (code == CTL_OK)
		code = daemon_check_handler(ctx, ctx->args->handler);
	if (code != CTL_OK) {
		json_decref(request);
		return code;
	}
	code = daemon_change(ctx, "/v1/replay", request, &answer);
	if (code != CTL_OK)
		return code;
	replay.number = json_integer_value(json_object_get(answer, "replay"));
	json_decref(answer);
	code = watch(ctx, &replay);
	if (code != CTL_OK)
		return code;
	if (ctx->args->json)
		put(stdout, "{\"replay\":%lld,\"deliveries\":%lld,\"ended\":%s}\n",
		    (long long)replay.number, (long long)replay.deliveries,
		    replay.has_ended ? "true" : "false");
	else
		put(stdout, "replay %lld: %lld %s%s\n", (long long)replay.number,
		    (long long)replay.deliveries,
		    PLURAL(replay.deliveries, "delivery", "deliveries"),
		    replay.has_ended ? "" : " so far");
	return replay.deliveries > 0 ? CTL_OK : CTL_NOTHING;
}
