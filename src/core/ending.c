/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ending.h"

#include "util/macros.h"
#include "util/units.h"

#define US_PER_DAY (24 * 3600 * US_PER_S)

enum ending ending_of(int64_t now_us, int64_t end_us)
{
	static const struct {
		int64_t left_us;
		enum ending ending;
	} rows[] = {
		{0, ENDED},
		{1 * US_PER_DAY, ENDING_IN_1_DAY},
		{3 * US_PER_DAY, ENDING_IN_3_DAYS},
		{14 * US_PER_DAY, ENDING_IN_14_DAYS},
	};

	for (size_t i = 0; end_us && i < ARRAY_SIZE(rows); i++)
		if (end_us - now_us <= rows[i].left_us)
			return rows[i].ending;
	return ENDING_FAR;
}

int64_t ending_days_left(int64_t now_us, int64_t end_us)
{
	int64_t left_us = end_us - now_us;

	return left_us >= 0 ? left_us / US_PER_DAY : -((-left_us + US_PER_DAY - 1) / US_PER_DAY);
}

enum ending ending_warning(struct ending_memory *memory, int64_t now_us, int64_t end_us)
{
	enum ending ending = ending_of(now_us, end_us);

	if (memory->end_us != end_us)
		*memory = (struct ending_memory){.end_us = end_us};
	if (ending <= memory->warned)
		return ENDING_FAR;
	memory->warned = ending;
	return ending;
}
