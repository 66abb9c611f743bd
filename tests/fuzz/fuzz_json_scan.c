/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan() against jansson: any disagreement that json_scan.h does not list is a crash. */
#include <stdint.h>

#include "json_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *wrong = json_oracle_disagreement((const char *)data, size);

	if (wrong) {
		(void)fprintf(stderr, "disagreement: %s\n", wrong);
		abort();
	}
	return 0;
}
