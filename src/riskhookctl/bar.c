/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/bar.h"

#include <stdio.h>
#include <string.h>

#include "util/macros.h"

#define BLOCK "\u2588"

const char *bar_text(int64_t n, int64_t max, bool unicode, char out[BAR_SIZE])
{
	const char *block = unicode ? BLOCK : "#";
	size_t width = strlen(block);
	int64_t blocks = n > 0 && max > 0 ? MAX_OF(MIN_OF(n, max) * BAR_WIDTH / max, 1) : 0;

	for (int64_t i = 0; i < blocks; i++)
		memcpy(out + (size_t)i * width, block, width);
	out[(size_t)blocks * width] = '\0';
	return out;
}

const char *bytes_text(int64_t bytes, char out[NUMBER_SIZE])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double n = (double)bytes;
	size_t i = 0;

	while (n >= 1024 && i + 1 < ARRAY_SIZE(units)) {
		n /= 1024;
		i++;
	}
	(void)snprintf(out, NUMBER_SIZE, i == 0 ? "%.0f %s" : "%.1f %s", n, units[i]);
	return out;
}

const char *age_text(int64_t seconds, char out[NUMBER_SIZE])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	size_t i = 0;
	int64_t rest;

	while (i + 1 < ARRAY_SIZE(units) && seconds < units[i].seconds)
		i++;
	rest = i + 1 < ARRAY_SIZE(units) ? seconds % units[i].seconds / units[i + 1].seconds : 0;
	if (rest > 0 && i < 2)
		(void)snprintf(out, NUMBER_SIZE, "%lld %s %lld %s",
			       (long long)(seconds / units[i].seconds), units[i].name,
			       (long long)rest, units[i + 1].name);
	else
		(void)snprintf(out, NUMBER_SIZE, "%lld %s", (long long)(seconds / units[i].seconds),
			       units[i].name);
	return out;
}

const char *rate_text(int64_t n, double seconds, char out[NUMBER_SIZE])
{
	double per_second = seconds > 0 ? (double)n / seconds : 0;

	if (per_second >= 1)
		(void)snprintf(out, NUMBER_SIZE, "%.1f /s", per_second);
	else
		(void)snprintf(out, NUMBER_SIZE, "%.1f /h", per_second * 3600);
	return out;
}
