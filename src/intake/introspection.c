/* SPDX-License-Identifier: Apache-2.0 */
#include "intake/introspection.h"

#include <jansson.h>

#include "util/cleanup.h"

static bool is_json(struct slice content_type)
{
	struct slice essence;

	if (slice_is_empty(content_type))
		return true;
	(void)slice_split(&content_type, ';', &essence); /* there is something */
	return slice_eq_nocase(slice_trim(essence), SLICE("application/json"));
}

enum token_verdict introspection_read(struct slice body, struct slice content_type,
				      const struct claims_expected *expected, int64_t now_s,
				      int64_t *ret_expires_s)
{
	_cleanup_(json_decrefp)
	json_t *answer = NULL;
	const json_t *active;
	enum token_verdict verdict;

	if (!body.n || body.n > INTROSPECTION_ANSWER_MAX || !is_json(content_type))
		return VERDICT_E_UNAVAILABLE;
	answer = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	active = json_object_get(answer, "active");
	if (!json_is_boolean(active))
		return VERDICT_E_UNAVAILABLE;
	if (!json_is_true(active))
		return VERDICT_E_INACTIVE;
	verdict = claims_check(answer, expected, now_s, ret_expires_s);
	return verdict == VERDICT_OK ? claims_check_scope(answer, expected->scope) : verdict;
}
