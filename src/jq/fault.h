/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can go wrong when a jq program runs, in words that hold nothing of the event
 *
 * jq's own messages quote values: `object ({"ssn":"000-...) and number (1) cannot be added`. They
 * must not reach the log, nor a reason that a list of deliveries shows. So a message is matched
 * against the sentences that jq knows, and only the number of the sentence goes on; its text is
 * one of the constants in fault.c. No byte of a message does.
 *
 * Threads: pure; constant data.
 */
#pragma once

#include "util/slice.h"

/* 0 is no fault; from FAULT_SENTENCES on: one of jq's sentences */
enum {
	FAULT_NONE = 0,
	FAULT_TIME,      /* it used up its processor time */
	FAULT_CRASH,     /* it ended the process: out of memory, or an error in libjq */
	FAULT_SILENT,    /* no answer in time, whatever the reason */
	FAULT_BODY,      /* jq cannot read the body, such as nested too deeply */
	FAULT_EMPTY,     /* a transform without an output */
	FAULT_TOO_LARGE, /* a transform's output */
	FAULT_HALT,      /* halt, halt_error */
	FAULT_ERROR,     /* error(...), or a message that is not known here */
	FAULT_SENTENCES,
};

/* @message: of jq. Return: its fault, FAULT_ERROR when the sentence is not known. */
int fault_of_message(struct slice message);

/* a clause for people: "it needed too much time"; never NULL */
const char *fault_text(int fault);
