/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment of a hook: a clean one, made for each attempt
 *
 * PATH, LANG and HOME have fixed values; nothing is inherited from the daemon. RISKHOOK_SEQ,
 * _EVENT_ID, _EVENT_TYPE, _CATEGORY, _EVAL_ID, _CUSTOMER_ID, _DECISION, _WORKFLOW, _ENVIRONMENT,
 * _ENDPOINT, _HANDLER, _DELIVERY_ID, _ATTEMPT, _RECEIVED_AT (RFC 3339, UTC), _TEST and _REPLAY
 * (1 or 0) describe the event; what the sender did not give is there and empty. The handler's `env`
 * lines come last and replace what has the same name.
 *
 * Values that came from outside are plain printable ASCII: every other byte is a question mark, and
 * what is longer than EXEC_ENV_VALUE_MAX is cut. They may still hold any printable character, so a
 * shell script must quote them. What a hook needs unchanged it reads from stdin.
 *
 * Threads: pure.
 */
#pragma once

#include "core/config.h"
#include "store/model.h"
#include "util/macros.h"
#include "util/spawn.h"

#define EXEC_ENV_VALUE_MAX 1024

/* where programs are looked up, unless an `env` line says otherwise */
#define EXEC_ENV_PATH SPAWN_PATH

/**
 * exec_env_new() - make the environment of one attempt, or of a worker
 * @job:      NULL: a worker's, with RISKHOOK_HANDLER alone of the variables above
 * @ret_envp: NULL-terminated, for execve(); the caller frees it with exec_env_free()
 *
 * Return: 0, or -ENOMEM.
 */
int exec_env_new(const struct handler_config *handler, const struct job *job,
		 char ***ret_envp) MUST_USE;
void exec_env_free(char **envp);

/* Return: the value, borrowed, or NULL */
const char *exec_env_value(char *const *envp, const char *name);
