/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts that `init` writes. Private to cmd_init.c.
 */
#pragma once

/* with @LISTEN@, @DIR@ (in double quotes) and @DEMO@ */
extern const char init_config_text[];
/* lines of the handler `append` for a demonstration */
extern const char init_demo_text[];
/* the example hook, a shell script */
extern const char init_hook_text[];
