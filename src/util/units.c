/* SPDX-License-Identifier: Apache-2.0 */
#include "util/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

struct unit {
	const char *name;
	int64_t factor;
};

static int parse_with_units(struct slice text, const struct unit *units, int64_t *ret)
{
	int64_t value = 0;
	size_t i = 0;

	for (; i < text.n && isdigit((unsigned char)text.p[i]); i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, text.p[i] - '0', &value))
			return -EINVAL;
	if (i == 0)
		return -EINVAL;
	text = slice_trim(slice_make(text.p + i, text.n - i));
	for (; units->name; units++) {
		if (!slice_eq_nocase(text, slice_of(units->name)))
			continue;
		if (__builtin_mul_overflow(value, units->factor, &value))
			return -EINVAL;
		*ret = value;
		return 0;
	}
	return -EINVAL;
}

/* From the smallest to the largest; of several spellings of one unit the first is printed. */
static const struct unit size_units[] = {
	{"", 1},
	{"B", 1},
	{"KiB", 1LL << 10},
	{"K", 1LL << 10},
	{"MiB", 1LL << 20},
	{"M", 1LL << 20},
	{"GiB", 1LL << 30},
	{"G", 1LL << 30},
	{NULL, 0},
};

static const struct unit duration_units[] = {
	{"ms", 1},      {"s", 1000},          {"m", 60000},
	{"min", 60000}, {"h", 3600 * 1000LL}, {"d", 86400 * 1000LL},
	{NULL, 0},
};

int size_parse(struct slice text, int64_t *ret_bytes)
{
	return parse_with_units(text, size_units, ret_bytes);
}

int duration_parse(struct slice text, int64_t *ret_ms)
{
	return parse_with_units(text, duration_units, ret_ms);
}

static const char *format_with_units(int64_t value, const struct unit *units,
				     char out[UNIT_TEXT_SIZE])
{
	const struct unit *best = units;

	for (const struct unit *u = units; value != 0 && u->name; u++)
		if (u->factor > best->factor && value % u->factor == 0)
			best = u;
	/* at most 20 characters and a unit of 3 */
	(void)snprintf(out, UNIT_TEXT_SIZE, "%" PRId64 "%s", value / best->factor, best->name);
	return out;
}

const char *size_format(int64_t bytes, char out[UNIT_TEXT_SIZE])
{
	return format_with_units(bytes, size_units, out);
}

const char *duration_format(int64_t ms, char out[UNIT_TEXT_SIZE])
{
	return format_with_units(ms, duration_units, out);
}

/* exactly @width digits at *@at; moves *@at */
static bool digits(struct slice s, size_t *at, int width, int *ret)
{
	int value = 0;

	for (int i = 0; i < width; i++, (*at)++) {
		if (*at >= s.n || !isdigit((unsigned char)s.p[*at]))
			return false;
		value = value * 10 + (s.p[*at] - '0');
	}
	*ret = value;
	return true;
}

static bool expect(struct slice s, size_t *at, const char *any_of)
{
	if (*at >= s.n || s.p[*at] == '\0' || !strchr(any_of, s.p[*at]))
		return false;
	(*at)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool parse_date(struct slice s, size_t *at, struct tm *tm)
{
	int year, month, day;

	if (!digits(s, at, 4, &year) || !expect(s, at, "-") || !digits(s, at, 2, &month) ||
	    !expect(s, at, "-") || !digits(s, at, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return true;
}

static bool parse_fraction(struct slice s, size_t *at, int64_t *us)
{
	int64_t unit = 100000;
	size_t start;

	*us = 0;
	if (*at >= s.n || s.p[*at] != '.')
		return true;
	start = ++*at;
	for (; *at < s.n && isdigit((unsigned char)s.p[*at]); (*at)++, unit /= 10)
		*us += (s.p[*at] - '0') * unit;
	return *at > start && *at - start <= 9;
}

static bool parse_offset(struct slice s, size_t *at, int64_t *offset_s)
{
	int hours, minutes, sign;

	*offset_s = 0;
	if (expect(s, at, "Zz"))
		return true;
	if (*at >= s.n || (s.p[*at] != '+' && s.p[*at] != '-'))
		return false;
	sign = s.p[(*at)++] == '-' ? -1 : 1;
	if (!digits(s, at, 2, &hours) || !expect(s, at, ":") || !digits(s, at, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*offset_s = sign * (hours * 3600LL + minutes * 60LL);
	return true;
}

int time_parse(struct slice text, int64_t *ret_us)
{
	struct tm tm = {0};
	int64_t fraction_us = 0, offset_s = 0;
	size_t at = 0;

	if (!parse_date(text, &at, &tm))
		return -EINVAL;
	if (at < text.n) {
		if (!expect(text, &at, "Tt ") || !digits(text, &at, 2, &tm.tm_hour) ||
		    !expect(text, &at, ":") || !digits(text, &at, 2, &tm.tm_min) ||
		    !expect(text, &at, ":") || !digits(text, &at, 2, &tm.tm_sec) ||
		    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60 ||
		    !parse_fraction(text, &at, &fraction_us) || !parse_offset(text, &at, &offset_s))
			return -EINVAL;
	}
	if (at != text.n)
		return -EINVAL;
	*ret_us = ((int64_t)timegm(&tm) - offset_s) * US_PER_S + fraction_us;
	return 0;
}

/* These two are in each line of the log, of which printf() would be the greater part. */

const char *number_format(int64_t n, char out[NUMBER_TEXT_SIZE])
{
	uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
	char *at = out + NUMBER_TEXT_SIZE - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (n < 0)
		*--at = '-';
	return at;
}

/* Return: behind @end_char */
static char *put_digits(char *out, int value, int width, char end_char)
{
	for (int i = width - 1; i >= 0; i--, value /= 10)
		out[i] = (char)('0' + value % 10);
	out[width] = end_char;
	return out + width + 1;
}

static char *put_year(char *out, int year)
{
	int n;

	if (year >= 0 && year <= 9999)
		return put_digits(out, year, 4, '-');
	n = snprintf(out, TIME_TEXT_SIZE, "%04d-", year); /* 64 bits of us: six digits at most */
	return out + MAX_OF(n, 0);
}

const char *time_format(int64_t us, char out[TIME_TEXT_SIZE])
{
	int64_t s = us / US_PER_S, rest = us % US_PER_S;
	struct tm tm;
	time_t t;
	char *at;

	if (rest < 0) {
		rest += US_PER_S;
		s--;
	}
	t = (time_t)s;
	out[0] = '\0';
	if (!gmtime_r(&t, &tm))
		return out;
	at = put_year(out, tm.tm_year + 1900);
	at = put_digits(at, tm.tm_mon + 1, 2, '-');
	at = put_digits(at, tm.tm_mday, 2, 'T');
	at = put_digits(at, tm.tm_hour, 2, ':');
	at = put_digits(at, tm.tm_min, 2, ':');
	at = put_digits(at, tm.tm_sec, 2, '.');
	at = put_digits(at, (int)(rest / US_PER_MS), 3, 'Z');
	*at = '\0';
	return out;
}
