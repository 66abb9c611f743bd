/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts that `init` writes. Private to cmd_init.c.
 */
#pragma once

#define INIT_USER  "riskhookd" /* of the unit */
#define INIT_STATE "/var/lib/riskhookd/"

/* with @LISTEN@, @DIR@ (in double quotes), @PLACES@, @STATE@ and @DEMO@ */
extern const char init_config_text[];
/* @PLACES@: everything in one folder, or where the unit has it */
extern const char init_local_text[];
extern const char init_service_text[];
/* lines of the handler `append` for a demonstration */
extern const char init_demo_text[];
/* the example hook, a shell script */
extern const char init_hook_text[];
