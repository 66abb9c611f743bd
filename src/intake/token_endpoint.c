/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/token_endpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "intake/form.h"
#include "intake/token_params.h"

#define REFUSED(status_, error_, word_, description_)                                              \
	{                                                                                          \
		.status = (status_), .word = (word_), .error = (error_),                           \
		.description = (description_), .metric = METRIC_TOKENS_REFUSED,                    \
		.level = LOG_LEVEL_WARNING                                                         \
	}
#define INVALID_REQUEST(word_, description_) REFUSED(400, "invalid_request", word_, description_)
#define INVALID_CLIENT(word_)                                                                      \
	REFUSED(401, "invalid_client", word_, "A known client with its secret is required.")
#define UNAVAILABLE(word_, description_, seconds, level_)                                          \
	{                                                                                          \
		.status = 503, .word = (word_), .error = "temporarily_unavailable",                \
		.description = (description_), .metric = METRIC_UNAVAILABLE, .level = (level_),    \
		.retry_after_s = (seconds)                                                         \
	}

static const struct token_rule rules[TOKEN_OUTCOMES] = {
	[TOKEN_ISSUED] = {.status = 200,
			  .word = "token issued",
			  .metric = METRIC_TOKENS_ISSUED,
			  .level = LOG_LEVEL_INFO},
	[TOKEN_WRONG_METHOD] = REFUSED(405, "invalid_request", "token: wrong method",
				       "Tokens are asked for by POST."),
	[TOKEN_BAD_TYPE] = INVALID_REQUEST("token: wrong media type",
					   "Send application/x-www-form-urlencoded or "
					   "application/json without a Content-Encoding."),
	[TOKEN_BAD_BODY] = INVALID_REQUEST("token: malformed body",
					   "The body is neither a form nor an object of strings."),
	[TOKEN_REPEATED] = INVALID_REQUEST("token: a parameter twice",
					   "A parameter or the Authorization header is repeated."),
	[TOKEN_TWO_WAYS] = INVALID_REQUEST("token: client authenticated in two ways",
					   "Authenticate in the header or in the body."),
	[TOKEN_NO_CLIENT] = INVALID_CLIENT("token: no client"),
	[TOKEN_WRONG_CLIENT] = INVALID_CLIENT("token: wrong client"),
	[TOKEN_EXPIRED_CLIENT] = INVALID_CLIENT("token: client outside its validity"),
	[TOKEN_ADDRESS_FORBIDDEN] =
		REFUSED(400, "unauthorized_client", "token: address not allowed",
			"This client may not ask from this address."),
	[TOKEN_NO_GRANT_TYPE] = INVALID_REQUEST("token: no grant_type", "grant_type is missing."),
	[TOKEN_WRONG_GRANT_TYPE] = REFUSED(400, "unsupported_grant_type", "token: other grant_type",
					   "grant_type must be client_credentials."),
	[TOKEN_BAD_SCOPE] =
		REFUSED(400, "invalid_scope", "token: malformed scope",
			"scope must be words of printable ASCII, separated by single blanks."),
	[TOKEN_TOO_LARGE] = {.status = 413,
			     .word = "token: body too large",
			     .error = "invalid_request",
			     .description = "A token request has at most 8192 bytes.",
			     .metric = METRIC_TOKENS_REFUSED,
			     .level = LOG_LEVEL_WARNING,
			     .close = true},
	[TOKEN_THROTTLED] = {.status = 429,
			     .word = "token: throttled",
			     .error = "temporarily_unavailable",
			     .description = "Too many wrong credentials came from this address.",
			     .metric = METRIC_AUTH_THROTTLED,
			     .level = LOG_LEVEL_WARNING},
	[TOKEN_STOPPING] = {.status = 503,
			    .word = "token: stopping",
			    .error = "temporarily_unavailable",
			    .description = "The server is stopping.",
			    .metric = METRIC_UNAVAILABLE,
			    .level = LOG_LEVEL_INFO,
			    .retry_after_s = 5,
			    .close = true},
	[TOKEN_NOT_STORED] = UNAVAILABLE("token: not stored", "The token could not be stored.", 10,
					 LOG_LEVEL_ERROR),
	[TOKEN_NO_MEMORY] = UNAVAILABLE("token: out of memory", "The server is out of memory.", 10,
					LOG_LEVEL_ERROR),
};

const struct token_rule *token_rule(enum token_outcome outcome)
{
	return &rules[outcome];
}

/* ---- the client ---- */

/* What was presented: two readings of a header, one of a body. */
struct presented_client {
	struct client_claim claims[2];
	size_t n_claims;
	char *pair;    /* "id:secret" of the header */
	char *decoded; /* the same form-decoded: id, then secret */
	size_t pair_n;
};

static void presented_client_deinit(struct presented_client *p)
{
	if (p->pair)
		secret_wipe(p->pair, p->pair_n);
	if (p->decoded)
		secret_wipe(p->decoded, p->pair_n);
	free(p->pair);
	free(p->decoded);
}

/* the second reading, when it is another one and can be read so */
static int add_decoded(struct presented_client *p)
{
	const struct client_claim *raw = &p->claims[0];
	size_t id_n, secret_n;

	p->decoded = malloc(p->pair_n ? p->pair_n : 1);
	if (!p->decoded)
		return -ENOMEM;
	if (!form_decode(raw->id, p->decoded, &id_n) ||
	    !form_decode(raw->secret, p->decoded + id_n, &secret_n))
		return 0;
	p->claims[1] = (struct client_claim){slice_make(p->decoded, id_n),
					     slice_make(p->decoded + id_n, secret_n)};
	if (!slice_eq(raw->id, p->claims[1].id) || !slice_eq(raw->secret, p->claims[1].secret))
		p->n_claims = 2;
	return 0;
}

/* Return: TOKEN_UNDECIDED when there is something to check */
static enum token_outcome read_header(struct slice header, struct presented_client *p)
{
	struct slice s = slice_trim(header), scheme = SLICE("Basic ");
	const char *colon;
	size_t id_n;
	int r;

	if (!slice_starts_nocase(s, scheme))
		return TOKEN_WRONG_CLIENT;
	r = base64_decode(slice_trim(slice_make(s.p + scheme.n, s.n - scheme.n)), &p->pair,
			  &p->pair_n);
	if (r < 0)
		return r == -EINVAL ? TOKEN_WRONG_CLIENT : TOKEN_NO_MEMORY;
	colon = memchr(p->pair, ':', p->pair_n);
	if (!colon)
		return TOKEN_WRONG_CLIENT;
	id_n = (size_t)(colon - p->pair);
	p->claims[0] = (struct client_claim){slice_make(p->pair, id_n),
					     slice_make(colon + 1, p->pair_n - id_n - 1)};
	p->n_claims = 1;
	return add_decoded(p) < 0 ? TOKEN_NO_MEMORY : TOKEN_UNDECIDED;
}

/* a client_id beside the header is allowed when it is the same (RFC 6749 section 3.2.1) */
static bool is_same_id(const struct presented_client *p, struct slice id)
{
	for (size_t i = 0; i < p->n_claims; i++)
		if (slice_eq(p->claims[i].id, id))
			return true;
	return slice_is_empty(id);
}

static enum token_outcome read_client(const struct token_post *post,
				      const struct token_params *params, struct presented_client *p)
{
	struct slice id = params->values[PARAM_CLIENT_ID];
	struct slice secret = params->values[PARAM_CLIENT_SECRET];
	enum token_outcome outcome;

	if (post->repeated_authorization)
		return TOKEN_REPEATED;
	if (post->authorization.p) {
		if (!slice_is_empty(secret))
			return TOKEN_TWO_WAYS;
		outcome = read_header(post->authorization, p);
		if (outcome == TOKEN_UNDECIDED && !is_same_id(p, id))
			return TOKEN_TWO_WAYS;
		return outcome;
	}
	if (slice_is_empty(id) || slice_is_empty(secret))
		return TOKEN_NO_CLIENT;
	p->claims[0] = (struct client_claim){id, secret};
	p->n_claims = 1;
	return TOKEN_UNDECIDED;
}

static enum token_outcome check_client(struct clients *clients, const struct token_post *post,
				       const struct token_params *params, int64_t now_us,
				       const struct client **ret_client)
{
	_cleanup_(presented_client_deinit)
	struct presented_client p = {.n_claims = 0};
	enum token_outcome outcome = read_client(post, params, &p);

	if (outcome != TOKEN_UNDECIDED)
		return outcome;
	switch (clients_check(clients, p.claims, p.n_claims, now_us, ret_client)) {
	case AUTH_OK:
		return TOKEN_UNDECIDED;
	case AUTH_E_EXPIRED:
		return TOKEN_EXPIRED_CLIENT;
	case AUTH_E_UNKNOWN:
		return TOKEN_WRONG_CLIENT;
	default:
		return TOKEN_NO_MEMORY;
	}
}

/* ---- the rest ---- */

static enum token_outcome read_params(const struct token_post *post, struct token_params *params)
{
	struct slice type = post->content_type, essence = SLICE_NULL;
	int r;

	(void)slice_split(&type, ';', &essence); /* what is not said is a form */
	essence = slice_trim(essence);
	if (post->is_encoded)
		return TOKEN_BAD_TYPE;
	if (slice_eq_nocase(essence, SLICE("application/json")))
		r = token_params_from_json(post->body, params);
	else if (slice_is_empty(essence) ||
		 slice_eq_nocase(essence, SLICE("application/x-www-form-urlencoded")))
		r = token_params_from_form(post->body, params);
	else
		return TOKEN_BAD_TYPE;
	if (r == PARAMS_E_REPEATED)
		return TOKEN_REPEATED;
	return r == PARAMS_OK ? TOKEN_UNDECIDED : TOKEN_BAD_BODY;
}

/* RFC 6749 section 3.3: words of %x21, %x23-5B and %x5D-7E with one blank between them */
static bool is_scope(struct slice scope)
{
	char before = ' ';

	for (size_t i = 0; i < scope.n; i++) {
		char c = scope.p[i];

		if (c == ' ' ? before == ' ' : c < 0x21 || c > 0x7e || c == '"' || c == '\\')
			return false;
		before = c;
	}
	return scope.n == 0 || before != ' ';
}

static enum token_outcome check_grant(const struct token_params *params)
{
	struct slice grant_type = params->values[PARAM_GRANT_TYPE];

	if (slice_is_empty(grant_type))
		return TOKEN_NO_GRANT_TYPE;
	if (!slice_eq(grant_type, SLICE("client_credentials")))
		return TOKEN_WRONG_GRANT_TYPE;
	return is_scope(params->values[PARAM_SCOPE]) ? TOKEN_ISSUED : TOKEN_BAD_SCOPE;
}

static bool is_allowed(const struct client *client, const struct address *from)
{
	return client->allow_from->n == 0 || prefix_list_contains(client->allow_from, from->bytes);
}

static void token_params_wipe(struct token_params *params)
{
	secret_wipe(params, sizeof(*params));
}

enum token_outcome token_decide(struct clients *clients, const struct token_post *post,
				int64_t now_us, const struct client **ret_client)
{
	_cleanup_(token_params_wipe)
	struct token_params params;
	enum token_outcome outcome;

	*ret_client = NULL;
	outcome = read_params(post, &params);
	if (outcome == TOKEN_UNDECIDED)
		outcome = check_client(clients, post, &params, now_us, ret_client);
	if (outcome != TOKEN_UNDECIDED)
		return outcome;
	if (!is_allowed(*ret_client, &post->from))
		return TOKEN_ADDRESS_FORBIDDEN;
	return check_grant(&params);
}

void token_render(enum token_outcome outcome, const char *token, int64_t ttl_s, struct buf *out)
{
	const struct token_rule *rule = &rules[outcome];

	if (!rule->error)
		buf_printf(out,
			   "{\"access_token\":\"%s\",\"token_type\":\"Bearer\","
			   "\"expires_in\":%" PRId64 "}\n",
			   token, ttl_s);
	else
		buf_printf(out, "{\"error\":\"%s\",\"error_description\":\"%s\"}\n", rule->error,
			   rule->description);
}
