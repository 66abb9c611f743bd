/* SPDX-License-Identifier: Apache-2.0 */
#include "jq/fault.h"

#include "util/macros.h"

static const char *const texts[FAULT_SENTENCES] = {
	[FAULT_NONE] = "no error",
	[FAULT_TIME] = "it needed too much time",
	[FAULT_CRASH] = "it needed too much memory, or crashed jq",
	[FAULT_SILENT] = "it gave no result",
	[FAULT_BODY] = "jq cannot read the body",
	[FAULT_EMPTY] = "it has no output",
	[FAULT_TOO_LARGE] = "its output is too large",
	[FAULT_HALT] = "it halted",
	[FAULT_ERROR] = "it raised an error",
};

enum place { AT_START, AT_END, ANYWHERE };

/* What jq 1.6 says, and what becomes of it. The first row that fits counts; only `text` is shown,
 * whatever the message holds. */
static const struct {
	enum place place;
	const char *part, *text;
} sentences[] = {
	{AT_START, "Cannot iterate over null", "cannot iterate over null"},
	{AT_START, "Cannot iterate over boolean", "cannot iterate over a boolean"},
	{AT_START, "Cannot iterate over number", "cannot iterate over a number"},
	{AT_START, "Cannot iterate over string", "cannot iterate over a string"},
	{AT_START, "Cannot iterate over", "cannot iterate over this type"},
	{AT_START, "Cannot index null", "cannot index null"},
	{AT_START, "Cannot index boolean", "cannot index a boolean"},
	{AT_START, "Cannot index number", "cannot index a number"},
	{AT_START, "Cannot index string", "cannot index a string"},
	{AT_START, "Cannot index array", "cannot index an array like this"},
	{AT_START, "Cannot index object", "cannot index an object like this"},
	{AT_START, "Cannot use ", "an object's key is not a string"},
	{AT_START, "Cannot check whether", "cannot check for such a key"},
	{AT_START, "Cannot delete field", "cannot delete such a field"},
	{AT_START, "Cannot update field", "cannot update such a field"},
	{AT_START, "Cannot determine", "types cannot be compared so"},
	{AT_START, "Invalid path expression", "invalid path expression"},
	{AT_START, "Regex failure", "a regular expression is invalid"},
	{AT_START, "Out of bounds negative array index", "array index out of bounds"},
	{AT_START, "Start and end indices of an array slice", "array slice without numbers"},
	{AT_START, "Range bounds must be numeric", "range without numbers"},
	{AT_START, "Object keys must be strings", "an object's key is not a string"},
	{AT_START, "Path must be specified as an array", "a path is not an array"},
	{AT_START, "implode input must be an array", "implode needs an array"},
	{AT_START, "explode input must be a string", "explode needs a string"},
	{AT_START, "split input and separator must be strings", "split needs strings"},
	{AT_START, "date \"", "a date does not match its format"},
	{AT_START, "strptime/1 requires", "strptime needs strings"},
	{AT_END, "cannot be added", "these types cannot be added"},
	{AT_END, "cannot be subtracted", "these types cannot be subtracted"},
	{AT_END, "cannot be multiplied", "these types cannot be multiplied"},
	{AT_END, "because the divisor is zero", "division by zero"},
	{AT_END, "cannot be divided", "these types cannot be divided"},
	{AT_END, "cannot be negated", "this type cannot be negated"},
	{AT_END, "cannot be parsed as a number", "not a number"},
	{AT_END, "cannot be matched, as it is not a string", "only a string can be matched"},
	{AT_END, "is not a string", "not a string"},
	{AT_END, "has no keys", "this type has no keys"},
	{AT_END, "has no length", "this type has no length"},
	{AT_END, "as it is not an array", "not an array"},
	{AT_END, "is not valid base64 data", "not base64"},
	{AT_END, "only strings can be parsed", "only a string can be parsed"},
	{AT_END, "number required", "a number is required"},
	{ANYWHERE, "cannot have their containment checked", "containment of different types"},
	{ANYWHERE, "(while parsing '", "fromjson: no JSON"},
};

static bool fits(struct slice message, enum place place, struct slice part)
{
	if (message.n < part.n)
		return false;
	if (place == AT_START)
		return memcmp(message.p, part.p, part.n) == 0;
	if (place == AT_END)
		return memcmp(message.p + message.n - part.n, part.p, part.n) == 0;
	return memmem(message.p, message.n, part.p, part.n) != NULL;
}

int fault_of_message(struct slice message)
{
	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
		if (fits(message, sentences[i].place, slice_of(sentences[i].part)))
			return FAULT_SENTENCES + (int)i;
	}
	return FAULT_ERROR;
}

const char *fault_text(int fault)
{
	if (fault >= 0 && fault < FAULT_SENTENCES)
		return texts[fault];
	if (fault >= FAULT_SENTENCES && fault < FAULT_SENTENCES + (int)ARRAY_SIZE(sentences))
		return sentences[fault - FAULT_SENTENCES].text;
	return texts[FAULT_ERROR];
}
