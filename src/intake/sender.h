/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says in the log when the sender's luck turns (watch.h): the words
 *
 * Threads: any.
 */
#pragma once

#include "intake/intake.h"

/* a request of @a was answered with @status */
void sender_note(const struct intake *in, const struct admission *a, unsigned int status);

/**
 * sender_check_silence() - warn about endpoints that have been silent for too long. Main thread.
 *
 * Return: when to ask again, us; INT64_MAX: need not.
 */
int64_t sender_check_silence(const struct intake *in, int64_t now_us);
