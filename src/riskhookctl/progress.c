/* SPDX-License-Identifier: Apache-2.0 */
#include "riskhookctl/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "riskhookctl/put.h"

#define INTERVAL_MS 100
#define WIPE        "\r\033[K"

void progress_begin(struct progress *p, const char *what)
{
	const char *term = getenv("TERM");

	*p = (struct progress){
		.what = what,
		.is_shown = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0,
	};
}

void progress_text(const char *what, int64_t done, int64_t total, char out[128])
{
	if (total > 0)
		(void)snprintf(out, 128, "%3lld%%  %lld of %lld %s", /* what is cut is no loss */
			       (long long)(done * 100 / total), (long long)done, (long long)total,
			       what);
	else
		(void)snprintf(out, 128, "%lld %s", (long long)done, what);
}

void progress_show(struct progress *p, int64_t done, int64_t total)
{
	int64_t now_ms;
	char text[128];

	if (!p->is_shown)
		return;
	now_ms = clock_monotonic_ms();
	if (now_ms < p->next_ms)
		return;
	p->next_ms = now_ms + INTERVAL_MS;
	p->is_dirty = true;
	progress_text(p->what, done, total, text);
	put(stderr, WIPE "%s", text);
}

void progress_end(struct progress *p)
{
	if (p->is_dirty)
		put(stderr, WIPE);
	p->is_dirty = false;
}
