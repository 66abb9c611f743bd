/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup, vacuum, log-level: upkeep
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "riskhookctl/bar.h"
#include "riskhookctl/daemon.h"
#include "riskhookctl/progress.h"
#include "riskhookctl/put.h"
#include "store/backup.h"

static void on_progress(int64_t done, int64_t total, void *arg)
{
	progress_show(arg, done, total);
}

enum ctl_exit cmd_backup(const struct context *ctx)
{
	struct progress progress;
	struct backup_request request = {
		.store = ctx->config->store.path,
		.file = ctx->args->operands[1],
		.overwrite = ctx->args->force,
		.progress = on_progress,
		.arg = &progress,
	};
	struct backup_facts facts = {.bytes = 0};
	struct error e = ERROR_INIT;
	char size[NUMBER_SIZE];
	int r;

	if (strcmp(request.file, "-") == 0)
		return ctl_fail(CTL_USAGE, "a backup needs a file, it cannot go to standard "
					   "output; './-' is a file of that name");
	progress_begin(&progress, "pages copied");
	r = backup_make(&request, &facts, &e);
	progress_end(&progress);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "%s", e.text);
	if (ctx->args->json)
		put(stdout,
		    "{\"bytes\":%" PRId64 ",\"events\":%" PRId64 ",\"last_seq\":%" PRId64 "}\n",
		    facts.bytes, facts.events, facts.last_seq);
	else
		put(stdout, "%s: %s, %" PRId64 " %s up to seq %" PRId64 ", checked\n", request.file,
		    bytes_text(facts.bytes, size), facts.events,
		    PLURAL(facts.events, "event", "events"), facts.last_seq);
	return CTL_OK;
}

enum ctl_exit cmd_vacuum(const struct context *ctx)
{
	const char *path = ctx->config->store.path;
	struct vacuum_facts facts;
	struct error e = ERROR_INIT;
	char before[NUMBER_SIZE], after[NUMBER_SIZE];
	int r = vacuum_store(path, ctx->args->force, &facts, &e);

	if (r == -EALREADY) {
		put(stdout, "nothing to do: %s\n", e.text);
		return CTL_OK;
	}
	if (r < 0)
		return ctl_fail(CTL_FAILED, "%s", e.text);
	put(stdout, "%s: %s before, %s now\n", path, bytes_text(facts.before, before),
	    bytes_text(facts.after, after));
	return CTL_OK;
}

enum ctl_exit cmd_log_level(const struct context *ctx)
{
	const char *name = ctx->args->operands[1];
	struct daemon_answer answer;
	enum log_level level;
	enum ctl_exit code;
	char body[64];

	if (log_level_parse(name, &level) < 0)
		return ctl_fail(CTL_USAGE,
				"no level '%s'; levels are error, warning, notice, info, debug",
				name);
	(void)snprintf(body, sizeof(body), "{\"level\":\"%s\"}", log_level_name(level));
	code = daemon_post(ctx, "/v1/log-level", slice_of(body), &answer);
	if (code != CTL_OK)
		return code;
	json_decref(answer.object);
	if (answer.status != 200)
		return ctl_fail(CTL_FAILED, "the daemon answered %d", answer.status);
	put(stdout, "the log level is %s until riskhookd starts again\n", log_level_name(level));
	return CTL_OK;
}
