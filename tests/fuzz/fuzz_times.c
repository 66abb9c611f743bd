/* SPDX-License-Identifier: Apache-2.0 */
/* Times, sizes and durations as text: what is read can be written, and read again as the same. */
#include <stdint.h>
#include <stdlib.h>

#include "util/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_time(struct slice text)
{
	char out[TIME_TEXT_SIZE];
	int64_t us, again;

	if (time_parse(text, &us) < 0)
		return;
	/* four digits of a year, and an offset of up to a day around them */
	require(us >= -62167219200LL * US_PER_S - 86400 * US_PER_S);
	require(us <= 253402300800LL * US_PER_S + 86400 * US_PER_S);
	time_format(us, out);
	require(out[0] != '\0');
	if (us < -62167219200LL * US_PER_S || us >= 253402300800LL * US_PER_S)
		return; /* the offset led out of the years that can be read */
	require(time_parse(slice_of(out), &again) == 0);
	require(again <= us && us - again < US_PER_MS);
}

static void check_units(struct slice text)
{
	char out[UNIT_TEXT_SIZE];
	int64_t n, again;

	if (size_parse(text, &n) == 0) {
		require(n >= 0);
		require(size_parse(slice_of(size_format(n, out)), &again) == 0 && again == n);
	}
	if (duration_parse(text, &n) == 0) {
		require(n >= 0);
		require(duration_parse(slice_of(duration_format(n, out)), &again) == 0);
		require(again == n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_make((const char *)data, size);

	check_time(text);
	check_units(text);
	return 0;
}
