/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/print_time.h"

#include <stdio.h>
#include <time.h>

#include "util/macros.h"
#include "util/units.h"

static bool use_utc;

void print_time_use_utc(bool utc)
{
	use_utc = utc;
	tzset(); /* localtime_r() need not */
}

bool print_time_is_column(struct slice name)
{
	static const struct slice words[] = {SLICE("first_seen"), SLICE("last_seen")};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (slice_eq(name, words[i]))
			return true;
	return name.n > 3 && memcmp(name.p + name.n - 3, "_at", 3) == 0;
}

/* "+01:00", or "Z" */
static void format_offset(long seconds, char out[16])
{
	long minutes = labs(seconds) / 60;

	if (seconds == 0)
		(void)snprintf(out, 16, "Z");
	else
		(void)snprintf(out, 16, "%c%02ld:%02ld", seconds < 0 ? '-' : '+',
			       minutes / 60 % 100, minutes % 60);
}

const char *print_time_us(int64_t us, bool brief, char out[PRINT_TIME_SIZE])
{
	time_t seconds = (time_t)(us / US_PER_S);
	char offset[16], text[24];
	struct tm tm;

	if (us < 0 || !(use_utc ? gmtime_r(&seconds, &tm) : localtime_r(&seconds, &tm)))
		return NULL;
	format_offset(tm.tm_gmtoff, offset);
	if (brief) {
		bool is_utc = tm.tm_gmtoff == 0;

		if (strftime(text, sizeof(text), is_utc ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M:%S",
			     &tm) == 0)
			return NULL;
		(void)snprintf(out, PRINT_TIME_SIZE, "%s%s", text, is_utc ? "Z" : "");
		return out;
	}
	if (strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return NULL;
	(void)snprintf(out, PRINT_TIME_SIZE, "%s.%03d%s", text, (int)(us % US_PER_S / US_PER_MS),
		       offset);
	return out;
}

const char *print_time(struct slice text, bool brief, char out[PRINT_TIME_SIZE])
{
	int64_t us;

	return time_parse(text, &us) == 0 ? print_time_us(us, brief, out) : NULL;
}
