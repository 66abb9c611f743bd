/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the answer lines of a `unix` consumer
 *
 *	clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_protocol.c
 */
#include <stdint.h>
#include <stdlib.h>

#include "dispatch/protocol.h"
#include "dispatch/retry.h"
#include "util/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer answer;
	size_t n, at = 0;

	if (protocol_parse_answer(slice_make((const char *)data, size), &answer) != PROTOCOL_OK)
		return 0;
	require(answer.delivery > 0);
	require(answer.after_ms >= RETRY_AFTER_NONE && answer.after_ms <= RETRY_AFTER_MAX_MS);
	n = strnlen(answer.reason, sizeof(answer.reason));
	require(n <= PROTOCOL_REASON_MAX);
	while (at < n) {
		size_t length = utf8_length(answer.reason + at, n - at);

		require(length > 0 && (unsigned char)answer.reason[at] >= 0x20);
		at += length;
	}
	return 0;
}
