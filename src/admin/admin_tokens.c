/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/tokens/revoke: {"token": ID} or {"credential": NAME}
 *
 * Whatever becomes of the row on disk, the token opens nothing from now on; if the store cannot
 * commit, the answer says so, since a restart would bring the token back.
 */
#include <microhttpd.h>

#include "admin/admin_answer.h"
#include "core/clock.h"
#include "core/log.h"
#include "intake/tokens.h"
#include "store/token_store.h"
#include "util/hex.h"

static bool read_choice(const json_t *request, struct token_choice *choice)
{
	const char *id = json_string_value(json_object_get(request, "token"));
	const char *credential = json_string_value(json_object_get(request, "credential"));

	choice->credential = slice_of(credential);
	choice->has_id = id && hex_decode(slice_of(id), choice->id, sizeof(choice->id)) == 0;
	if (id)
		return choice->has_id && !credential;
	return credential && *credential;
}

static void revoke_chosen(const struct admin_subject *subject, struct token_revoke_op *op,
			  struct admin_answer *answer)
{
	int r;

	op->op.kind = STORE_OP_TOKEN_REVOKE;
	op->now = clock_now_us();
	(void)tokens_revoke(subject->tokens, &op->choice); /* what is on disk counts below */
	r = store_submit_wait(subject->store, &op->op);
	/* Once more: some that were issued before were perhaps committed in between. One that was
	 * issued in the moment since then goes, too, and its client fetches another. */
	(void)tokens_revoke(subject->tokens, &op->choice);
	if (r < 0) {
		admin_answer_error(answer, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "the tokens open nothing until a restart, but the store cannot "
				   "forget them now: try again");
		return;
	}
	if (op->n_revoked > 0)
		log_notice("%lld access tokens revoked", (long long)op->n_revoked);
	admin_answer_json(answer, json_pack("{s:I}", "revoked", (json_int_t)op->n_revoked));
}

void admin_revoke_tokens(const struct admin_subject *subject, const char *path, struct slice body,
			 struct admin_answer *answer)
{
	struct token_revoke_op op = {.n_revoked = 0};
	json_t *request = json_loadb(body.n ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL);

	(void)path; /* it has one */
	if (json_is_object(request) && read_choice(request, &op.choice))
		revoke_chosen(subject, &op, answer);
	else
		admin_answer_error(answer, MHD_HTTP_BAD_REQUEST,
				   "give either the 12 digits of a token or the name of a "
				   "credential");
	json_decref(request);
}
