/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: looks at everything that can be wrong, and says what to do
 */
#include <errno.h>
#include <stdarg.h>

#include <jansson.h>

#include "core/clock.h"
#include "core/config.h"
#include "riskhookctl/client.h"
#include "riskhookctl/doctor.h"
#include "riskhookctl/print_private.h"
#include "riskhookctl/put.h"

#define ANSWER_MAX (1024 * 1024)
#define TEXT_MAX   1200

static const char *const level_names[FINDING_LEVELS] = {"ok", "warning", "problem"};

static void tell_json(const struct doctor *d, enum finding_level level, const char *check,
		      const char *advice, const char *finding)
{
	struct buf line = BUF_INIT(PRINT_LINE_MAX);

	buf_printf(&line, "{\"check\":\"%s\",\"level\":\"%s\",\"finding\":", check,
		   level_names[level]);
	buf_append_json(&line, slice_of(finding));
	buf_append_str(&line, ",\"advice\":");
	if (advice)
		buf_append_json(&line, slice_of(advice));
	else
		buf_append_str(&line, "null");
	buf_append_char(&line, '}');
	(void)print_json_line(d->target.out, &line); /* main() looks at stdout */
	buf_deinit(&line);
}

static void tell_people(const struct doctor *d, enum finding_level level, const char *check,
			const char *advice, const char *finding)
{
	const char *colour = d->target.colour
				     ? print_colour_of(SLICE("level"), slice_of(level_names[level]))
				     : "";
	struct buf text = BUF_INIT(PRINT_LINE_MAX);

	print_escape(&text, slice_of(finding));
	put(d->target.out, "%s%-8s%s %-12s %s\n", colour, level_names[level],
	    *colour ? COLOUR_RESET : "", check, text.p ? text.p : "");
	if (advice)
		put(d->target.out, "%-8s %-12s -> %s\n", "", "", advice);
	buf_deinit(&text);
}

void doctor_tell(struct doctor *d, enum finding_level level, const char *check, const char *advice,
		 const char *fmt, ...)
{
	char finding[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(finding, sizeof(finding), fmt, ap); /* a cut sentence still helps */
	va_end(ap);
	d->n_found[level]++;
	if (d->ctx->args->json)
		tell_json(d, level, check, advice, finding);
	else
		tell_people(d, level, check, advice, finding);
}

static void tell_reasons(struct doctor *d, const json_t *status)
{
	const json_t *reasons = json_object_get(status, "reasons");
	const char *version = json_string_value(json_object_get(status, "version"));

	for (size_t i = 0; i < json_array_size(reasons); i++)
		doctor_tell(d, FINDING_PROBLEM, "daemon", "see the log of riskhookd",
			    "it is not ready: %s", json_string_value(json_array_get(reasons, i)));
	if (version && strcmp(version, RISKHOOK_VERSION) != 0)
		doctor_tell(d, FINDING_WARNING, "daemon", "restart riskhookd",
			    "version %s runs, riskhookctl is " RISKHOOK_VERSION, version);
	if (json_array_size(reasons) == 0)
		doctor_tell(d, FINDING_OK, "daemon", NULL, "answers, and is ready for events");
}

void doctor_check_daemon(struct doctor *d)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct error e = ERROR_INIT;
	json_t *status;
	int r = client_get_admin(d->ctx->config->admin.socket, "/v1/status", &answer, &e);

	d->daemon_answers = r == 200;
	if (r == -ECONNREFUSED) {
		doctor_tell(d, FINDING_PROBLEM, "daemon",
			    "start it: systemctl start riskhookd; its log says why it ended", "%s",
			    e.text);
	} else if (r == -EACCES) {
		doctor_tell(d, FINDING_WARNING, "daemon", DOCTOR_MAY_NOT, "%s", e.text);
	} else if (r != 200) {
		doctor_tell(d, FINDING_PROBLEM, "daemon", "see the log of riskhookd",
			    "the admin socket answers wrongly (%s)", r < 0 ? e.text : "not 200");
	} else {
		status = json_loadb(answer.p, answer.n, 0, NULL);
		tell_reasons(d, status);
		json_decref(status);
	}
	buf_deinit(&answer);
}

static void check_all(struct doctor *d)
{
	doctor_check_daemon(d);
	if (doctor_check_config(d)) {
		doctor_check_certificate(d);
		doctor_check_files(d);
		doctor_check_providers(d);
	}
	doctor_check_store(d);
}

enum ctl_exit cmd_doctor(const struct context *ctx)
{
	struct doctor d = {.ctx = ctx, .target = print_target_stdout(), .now = clock_now_us()};

	if (ctx->config)
		check_all(&d);
	else
		doctor_tell(&d, FINDING_PROBLEM, "config",
			    "it says where daemon and store are: correct it, or " DOCTOR_MAY_NOT,
			    "%s", ctx->fault);
	if (!ctx->args->json)
		put(d.target.out, "\n%d ok, %d to look at, %d wrong\n", d.n_found[FINDING_OK],
		    d.n_found[FINDING_WARNING], d.n_found[FINDING_PROBLEM]);
	return d.n_found[FINDING_PROBLEM] ? CTL_FAILED : CTL_OK;
}
