/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/args.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "core/config.h"
#include "core/nearest.h"
#include "riskhookctl/put.h"
#include "util/units.h"

enum arg_kind {
	ARG_FLAG,   /* bool */
	ARG_TEXT,   /* const char * */
	ARG_NUMBER, /* int64_t, at least 0 */
	ARG_TIME,   /* int64_t, us */
	ARG_SET,    /* one more entry of `sets` */
};

struct arg {
	const char *name;
	enum arg_kind kind;
	size_t offset;
	const char *value; /* what --help calls the value */
	const char *help;
};

#define AT(member) offsetof(struct arguments, member)

static const struct arg table[] = {
	{"config", ARG_TEXT, AT(config), "FILE", "configuration (default " CONFIG_DEFAULT_PATH ")"},
	{"help", ARG_FLAG, AT(help), NULL, "this text"},
	{"version", ARG_FLAG, AT(version), NULL, "print the version"},
	{"utc", ARG_FLAG, AT(utc), NULL, "times in UTC, not in the local zone"},
	{"type", ARG_TEXT, AT(type), "TYPE", "event type, canonical or as the sender spells it"},
	{"category", ARG_TEXT, AT(category), "NAME",
	 "evaluation, case, watchlist, docv or unknown"},
	{"eval-id", ARG_TEXT, AT(eval_id), "ID", "evaluation"},
	{"customer-id", ARG_TEXT, AT(customer_id), "ID", "your own id of the request (data.id)"},
	{"decision", ARG_TEXT, AT(decision), "WORD", "ACCEPT, REJECT, REVIEW, ..."},
	{"status", ARG_TEXT, AT(status), "WORD", "OPEN, ON_HOLD, CLOSED"},
	{"workflow", ARG_TEXT, AT(workflow), "NAME", "workflow"},
	{"environment", ARG_TEXT, AT(environment), "NAME", "Sandbox, Production"},
	{"state", ARG_TEXT, AT(state), "STATE", "pending, running, done, dead or held"},
	{"handler", ARG_TEXT, AT(handler), "NAME", "handler"},
	{"seq", ARG_TEXT, AT(seq), "A[-B]", "event A, or events A to B; A- is all from A on"},
	{"since", ARG_TIME, AT(since), "TIME", "from then on: RFC 3339, or back from now: 2h, 7d"},
	{"until", ARG_TIME, AT(until), "TIME", "before then: RFC 3339, or back from now: 30m"},
	{"test", ARG_FLAG, AT(test), NULL, "only test deliveries of the Dashboard"},
	{"no-test", ARG_FLAG, AT(no_test), NULL, "no test deliveries"},
	{"limit", ARG_NUMBER, AT(limit), "N", "the newest N (default 50); 0: all"},
	{"follow", ARG_FLAG, AT(follow), NULL, "then print new ones as they are stored"},
	{"payload", ARG_FLAG, AT(payload), NULL, "print the raw body alone"},
	{"set", ARG_SET, 0, "PATH=VALUE",
	 "change the body, e.g. data.decision=REVIEW, data.tags.0=x, event_id=null"},
	{"file", ARG_TEXT, AT(file), "FILE", "post this file as it is; - is standard input"},
	{"as", ARG_TEXT, AT(credential), "NAME",
	 "credential (default: the endpoint's first live one)"},
	{"credential", ARG_TEXT, AT(credential), "NAME", "of this credential"},
	{"token-url", ARG_TEXT, AT(token_url), "URL",
	 "fetch an access token there, with --client-id and --client-secret-file"},
	{"client-id", ARG_TEXT, AT(client_id), "ID", "client at the token URL"},
	{"client-secret-file", ARG_TEXT, AT(client_secret_file), "FILE", "file with its secret"},
	{"bearer-file", ARG_TEXT, AT(bearer_file), "FILE", "post with the token in this file"},
	{"endpoint", ARG_TEXT, AT(endpoint), "NAME", "endpoint (default: the first)"},
	{"url", ARG_TEXT, AT(url), "URL", "post there instead of to the local daemon"},
	{"count", ARG_NUMBER, AT(count), "N", "post N events over one connection (default 1)"},
	{"list", ARG_FLAG, AT(list), NULL, "list the types"},
	{"print", ARG_FLAG, AT(print), NULL, "print the body instead of posting it"},
	{"same-id", ARG_FLAG, AT(same_id), NULL,
	 "with --count: the same body each time, so the rest are duplicates"},
	{"listen", ARG_TEXT, AT(listen), "HOST:PORT", "listen address (default 127.0.0.1:8443)"},
	{"url-host", ARG_TEXT, AT(url_host), "NAME",
	 "host name that RiskOS will post to; goes into the certificate and URL"},
	{"demo", ARG_FLAG, AT(demo), NULL,
	 "for a demonstration: handlers get test events too and retry soon"},
	{"service", ARG_FLAG, AT(service), NULL,
	 "for the systemd unit: its folders, and secrets that its user can read"},
	{"token", ARG_FLAG, AT(token), NULL, "a token_hash for a bearer credential"},
	{"force", ARG_FLAG, AT(force), NULL,
	 "replace a file that is there; vacuum even if little is free"},
	{"full", ARG_FLAG, AT(full), NULL, "look at every page and index; takes its time"},
	{"json", ARG_FLAG, AT(json), NULL, "one JSON object a line"},
};

#define FIRST_LONG 256 /* getopt_long() returns FIRST_LONG + place in the table */
#define N_COMMON   4   /* config, help, version, utc: accepted by all */

_Static_assert(ARRAY_SIZE(table) <= 64, "`given` has one bit an option");

int args_number(const char *text, int64_t *ret)
{
	char *end;
	long long n;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoll(text, &end, 10);
	if (*end || errno)
		return -EINVAL;
	*ret = n;
	return 0;
}

/* RFC 3339, or a duration back from @now ("2h", "30m", "7d"). Return: 0, or -EINVAL. */
static int parse_time(const char *text, int64_t now, int64_t *ret_us)
{
	int64_t ms;

	if (duration_parse(slice_of(text), &ms) == 0) {
		*ret_us = now - ms * US_PER_MS;
		return 0;
	}
	return time_parse(slice_of(text), ret_us);
}

static int store_set(struct arguments *args, const char *value, struct error *e)
{
	if (args->n_sets == ARGS_SET_MAX)
		return error_set(e, -EINVAL, "--set is given more than %d times", ARGS_SET_MAX);
	if (!strchr(value, '='))
		return error_set(e, -EINVAL, "--set takes PATH=VALUE, not '%s'", value);
	args->sets[args->n_sets++] = value;
	return 0;
}

static int store_value(const struct arg *arg, const char *value, int64_t now,
		       struct arguments *args, struct error *e)
{
	void *target = (char *)args + arg->offset;

	switch (arg->kind) {
	case ARG_FLAG:
		*(bool *)target = true;
		return 0;
	case ARG_TEXT:
		*(const char **)target = value;
		return 0;
	case ARG_NUMBER:
		if (args_number(value, target) < 0)
			return error_set(e, -EINVAL, "--%s takes a number, not '%s'", arg->name,
					 value);
		return 0;
	case ARG_TIME:
		if (parse_time(value, now, target) < 0)
			return error_set(e, -EINVAL,
					 "--%s takes a time such as 2026-01-31T08:00:00Z or 2h, "
					 "not '%s'",
					 arg->name, value);
		return 0;
	case ARG_SET:
		return store_set(args, value, e);
	}
	return -EINVAL;
}

static void make_long_options(struct option *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		out[i] = (struct option){
			.name = table[i].name,
			.has_arg = table[i].kind == ARG_FLAG ? no_argument : required_argument,
			.val = FIRST_LONG + (int)i,
		};
	}
	out[ARRAY_SIZE(table)] = (struct option){.name = NULL};
}

/* the short options stand for the common ones */
static int place_of(int c)
{
	static const char shorts[] = "chV"; /* the first places */
	const char *at = c > 0 && c < FIRST_LONG ? strchr(shorts, c) : NULL;

	if (at)
		return (int)(at - shorts);
	return c >= FIRST_LONG ? c - FIRST_LONG : -1;
}

static int fail_unknown(const char *given, struct error *e)
{
	struct slice name = slice_of(given), option = SLICE_NULL;
	struct nearest nearest;

	while (name.n && name.p[0] == '-')
		name = slice_make(name.p + 1, name.n - 1);
	(void)slice_split(&name, '=', &option); /* empty for a mere "--" at most */
	nearest = (struct nearest)NEAREST_INIT(option);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		nearest_offer(&nearest, table[i].name);
	if (!nearest.best)
		return error_set(e, -EINVAL, "unknown or ambiguous option '%s'", given);
	return error_set(e, -EINVAL, "unknown or ambiguous option '%s' (did you mean '--%s'?)",
			 given, nearest.best);
}

int args_parse(int argc, char **argv, int64_t now, struct arguments *ret, struct error *e)
{
	struct option longs[ARRAY_SIZE(table) + 1];
	struct arguments args = {.config = CONFIG_DEFAULT_PATH, .limit = 50, .count = 1};
	int c, r;

	make_long_options(longs);
	opterr = 0; /* our own sentences */
	while ((c = getopt_long(argc, argv, ":c:hV", longs, NULL)) != -1) {
		int place = place_of(c);

		if (c == ':')
			return error_set(e, -EINVAL, "option '%s' needs a value", argv[optind - 1]);
		if (place < 0)
			return fail_unknown(argv[optind - 1], e);
		r = store_value(&table[place], optarg, now, &args, e);
		if (r < 0)
			return r;
		args.given |= UINT64_C(1) << place;
	}
	args.operands = argv + optind;
	args.n_operands = argc - optind;
	*ret = args;
	return 0;
}

static bool has_word(const char *words, const char *word)
{
	struct slice rest = slice_of(words), piece;

	while (slice_split(&rest, ' ', &piece)) {
		if (slice_eq_str(piece, word))
			return true;
	}
	return false;
}

bool args_has_any(const struct arguments *args, const char *names)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if ((args->given & (UINT64_C(1) << i)) && has_word(names, table[i].name))
			return true;
	}
	return false;
}

int args_check_accepted(const struct arguments *args, const char *accepts, struct error *e)
{
	for (size_t i = N_COMMON; i < ARRAY_SIZE(table); i++) {
		if ((args->given & (UINT64_C(1) << i)) && !has_word(accepts, table[i].name))
			return error_set(e, -EINVAL, "'%s' has no option --%s", args->operands[0],
					 table[i].name);
	}
	return 0;
}

/* it goes into URLs, and into a certificate's list of names, where a comma would begin another one
 */
static bool is_host(const char *text)
{
	static const char others[] = ".-:";

	for (const char *at = text; *at; at++) {
		bool is_alnum = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
				(*at >= '0' && *at <= '9');

		if (!is_alnum && !strchr(others, *at))
			return false;
	}
	return *text != '\0';
}

int args_check_url_host(const struct arguments *args, struct error *e)
{
	if (args->url_host && !is_host(args->url_host))
		return error_set(e, -EINVAL, "--url-host takes a host name, not '%s'",
				 args->url_host);
	return 0;
}

void args_print_help(FILE *out, const char *accepts)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct arg *arg = &table[i];
		char left[64];

		if (i >= N_COMMON && !has_word(accepts, arg->name))
			continue;
		(void)snprintf(left, sizeof(left), "%s--%s%s%s", /* the table's names are short */
			       i == 0 ? "-c, " : "", arg->name, arg->value ? " " : "",
			       arg->value ? arg->value : "");
		put(out, "  %-24s %s\n", left, arg->help);
	}
}
