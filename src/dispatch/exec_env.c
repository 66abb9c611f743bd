/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/exec_env.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/units.h"

struct variable {
	const char *name;
	const char *value;
};

/* an environment under construction: room for all, filled from the front */
struct builder {
	char **envp;
	size_t n;
};

/* length of NAME in "NAME=value" */
static size_t name_length(const char *line)
{
	return strcspn(line, "=");
}

/* take over @line; it replaces one of the same name */
static int add_line(struct builder *b, char *line)
{
	size_t n;

	if (!line)
		return -ENOMEM;
	n = name_length(line);
	for (size_t i = 0; i < b->n; i++) {
		if (name_length(b->envp[i]) == n && memcmp(b->envp[i], line, n) == 0) {
			free(b->envp[i]);
			b->envp[i] = line;
			return 0;
		}
	}
	b->envp[b->n++] = line;
	return 0;
}

static void make_printable(char *s)
{
	for (; *s != '\0'; s++) {
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
	}
}

static int add_variable(struct builder *b, const struct variable *v)
{
	char *line;

	if (asprintf(&line, "%s=%.*s", v->name, EXEC_ENV_VALUE_MAX, v->value) < 0)
		return -ENOMEM;
	make_printable(line);
	return add_line(b, line);
}

static int add_variables(struct builder *b, const struct variable *variables, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = add_variable(b, &variables[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

#define VARIABLES_MAX 19 /* of add_fixed() and add_event() */

/* what does not depend on the event */
static int add_fixed(struct builder *b, const struct handler_config *handler)
{
	const struct variable variables[] = {
		{"PATH", EXEC_ENV_PATH},
		{"LANG", "C.UTF-8"},
		{"HOME", "/"},
		{"RISKHOOK_HANDLER", handler->name},
	};

	return add_variables(b, variables, ARRAY_SIZE(variables));
}

static int add_event(struct builder *b, const struct job *job)
{
	char seq[24], delivery[24], attempt[16], received_at[TIME_TEXT_SIZE];
	const struct variable variables[] = {
		{"RISKHOOK_SEQ", seq},
		{"RISKHOOK_EVENT_ID", job->event_id},
		{"RISKHOOK_EVENT_TYPE", job->event_type},
		{"RISKHOOK_CATEGORY", job->category},
		{"RISKHOOK_EVAL_ID", job->eval_id},
		{"RISKHOOK_CUSTOMER_ID", job->customer_id},
		{"RISKHOOK_DECISION", job->decision},
		{"RISKHOOK_WORKFLOW", job->workflow},
		{"RISKHOOK_ENVIRONMENT", job->environment},
		{"RISKHOOK_ENDPOINT", job->endpoint},
		{"RISKHOOK_DELIVERY_ID", delivery},
		{"RISKHOOK_ATTEMPT", attempt},
		{"RISKHOOK_RECEIVED_AT", time_format(job->received_at, received_at)},
		{"RISKHOOK_TEST", job->test ? "1" : "0"},
		{"RISKHOOK_REPLAY", job->replay ? "1" : "0"},
	};

	/* each array holds the longest number of its type */
	(void)snprintf(seq, sizeof(seq), "%" PRId64, job->seq);
	(void)snprintf(delivery, sizeof(delivery), "%" PRId64, job->delivery);
	(void)snprintf(attempt, sizeof(attempt), "%d", job->attempt);
	return add_variables(b, variables, ARRAY_SIZE(variables));
}

static int add_all(struct builder *b, const struct handler_config *handler, const struct job *job)
{
	int r = add_fixed(b, handler);

	if (r == 0 && job)
		r = add_event(b, job);
	for (size_t i = 0; r == 0 && i < handler->env.n; i++)
		r = add_line(b, strdup(handler->env.items[i]));
	return r;
}

int exec_env_new(const struct handler_config *handler, const struct job *job, char ***ret_envp)
{
	struct builder b = {NULL, 0};
	int r;

	b.envp = calloc(VARIABLES_MAX + handler->env.n + 1, sizeof(*b.envp));
	if (!b.envp)
		return -ENOMEM;
	r = add_all(&b, handler, job);
	if (r < 0) {
		exec_env_free(b.envp);
		return r;
	}
	*ret_envp = b.envp;
	return 0;
}

void exec_env_free(char **envp)
{
	for (size_t i = 0; envp && envp[i]; i++)
		free(envp[i]);
	free(envp);
}

const char *exec_env_value(char *const *envp, const char *name)
{
	size_t n = strlen(name);

	for (; *envp; envp++) {
		if (name_length(*envp) == n && memcmp(*envp, name, n) == 0 && (*envp)[n] == '=')
			return *envp + n + 1;
	}
	return NULL;
}
