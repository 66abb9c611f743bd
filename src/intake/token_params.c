/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/token_params.h"

#include "intake/form.h"
#include "intake/json_decode.h"
#include "intake/json_scan.h"

#define NAME_ROOM 32 /* longer than any parameter's name */

static const char *const names[TOKEN_PARAMS] = {
	[PARAM_GRANT_TYPE] = "grant_type",
	[PARAM_CLIENT_ID] = "client_id",
	[PARAM_CLIENT_SECRET] = "client_secret",
	[PARAM_SCOPE] = "scope",
};

/* Return: TOKEN_PARAMS when it is none of ours */
static enum token_param param_of(struct slice name)
{
	for (int i = 0; i < TOKEN_PARAMS; i++)
		if (slice_eq_str(name, names[i]))
			return (enum token_param)i;
	return TOKEN_PARAMS;
}

static int begin_param(struct token_params *params, enum token_param id)
{
	if (params->seen & 1U << id)
		return PARAMS_E_REPEATED;
	params->seen |= 1U << id;
	return PARAMS_OK;
}

/* the bytes at the end of the text that a decoder has just written */
static void end_param(struct token_params *params, enum token_param id, size_t n)
{
	params->values[id] = slice_make(params->text + params->n, n);
	params->n += n;
}

static int take_pair(struct token_params *params, struct slice pair)
{
	struct slice name = SLICE_NULL;
	char room[NAME_ROOM * 3];
	enum token_param id;
	size_t n;
	int r;

	(void)slice_split(&pair, '=', &name); /* an empty pair has an empty name */
	if (name.n > sizeof(room))
		return PARAMS_OK; /* none of ours, however it is encoded */
	if (!form_decode(name, room, &n))
		return PARAMS_E_MALFORMED;
	id = param_of(slice_make(room, n));
	if (id == TOKEN_PARAMS)
		return PARAMS_OK;
	r = begin_param(params, id);
	if (r != PARAMS_OK)
		return r;
	if (!form_decode(pair, params->text + params->n, &n))
		return PARAMS_E_MALFORMED;
	end_param(params, id, n);
	return PARAMS_OK;
}

static void reset(struct token_params *params)
{
	params->seen = 0;
	params->n = 0;
	for (int i = 0; i < TOKEN_PARAMS; i++)
		params->values[i] = SLICE_NULL;
}

int token_params_from_form(struct slice body, struct token_params *ret)
{
	struct slice pair;
	int r = PARAMS_OK;

	reset(ret);
	if (body.n > TOKEN_BODY_MAX)
		return PARAMS_E_MALFORMED;
	while (r == PARAMS_OK && slice_split(&body, '&', &pair))
		r = take_pair(ret, pair);
	return r;
}

/*
 * A walk over the members of an object that json_scan() has accepted: every quote, brace and
 * bracket has its partner, so what follows only has to find them.
 */

struct walk {
	const char *at, *end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char peek(struct walk *w)
{
	while (w->at < w->end && is_space(*w->at))
		w->at++;
	return w->at < w->end ? *w->at : '\0';
}

/* at a quote; Return: what is between it and its partner */
static struct slice take_string(struct walk *w)
{
	const char *start = ++w->at;
	struct slice text;

	while (w->at < w->end && *w->at != '"')
		w->at += *w->at == '\\' ? 2 : 1;
	if (w->at > w->end)
		w->at = w->end;
	text = slice_make(start, (size_t)(w->at - start));
	if (w->at < w->end)
		w->at++;
	return text;
}

/* any value, up to the comma or brace behind it */
static void skip_value(struct walk *w)
{
	int depth = 0;

	while (w->at < w->end) {
		char c = *w->at;

		if (depth == 0 && (c == ',' || c == '}'))
			return;
		if (c == '"') {
			(void)take_string(w);
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		w->at++;
	}
}

/* the walk stands at the value; null counts as not given */
static int take_member(struct token_params *params, struct walk *w, enum token_param id)
{
	struct slice raw;
	size_t n;
	int r;

	r = begin_param(params, id);
	if (r != PARAMS_OK)
		return r;
	if (peek(w) == 'n') {
		skip_value(w);
		return PARAMS_OK;
	}
	if (peek(w) != '"')
		return PARAMS_E_MALFORMED;
	raw = take_string(w);
	if (!json_decode(raw, params->text + params->n, sizeof(params->text) - params->n, &n))
		return PARAMS_E_MALFORMED;
	end_param(params, id, n);
	return PARAMS_OK;
}

static enum token_param param_of_json(struct slice raw)
{
	char room[NAME_ROOM];
	size_t n;

	return json_decode(raw, room, sizeof(room), &n) ? param_of(slice_make(room, n))
							: TOKEN_PARAMS;
}

static int walk_members(struct token_params *params, struct walk *w)
{
	int r = PARAMS_OK;

	while (r == PARAMS_OK && peek(w) == '"') {
		enum token_param id = param_of_json(take_string(w));

		if (peek(w) == ':')
			w->at++;
		if (id != TOKEN_PARAMS)
			r = take_member(params, w, id);
		else
			skip_value(w);
		if (peek(w) == ',')
			w->at++;
	}
	return r;
}

int token_params_from_json(struct slice body, struct token_params *ret)
{
	static const struct json_want wants[] = {JSON_WANT(JSON_ROOT, "")};
	struct json_value root;
	struct walk w;
	size_t error_at;

	reset(ret);
	if (body.n > TOKEN_BODY_MAX ||
	    json_scan(body, wants, ARRAY_SIZE(wants), &root, &error_at) != JSON_OK ||
	    root.kind != KIND_OBJECT)
		return PARAMS_E_MALFORMED;
	w = (struct walk){root.raw.p + 1, root.raw.p + root.raw.n - 1};
	return walk_members(ret, &w);
}
