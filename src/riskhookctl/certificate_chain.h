/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Will a client trust the configured certificate? For doctor
 *
 * Threads: any.
 */
#pragma once

#include <stdbool.h>

#include "util/err.h"

struct chain_facts {
	int n_certificates;
	bool self_signed;  /* the first */
	bool in_order;     /* each is issued by the next */
	bool trusted;      /* leads to an authority that this system knows */
	char problem[128]; /* why not; "" when trusted */
};

/**
 * certificate_chain_read() - look at a PEM file with the server's certificate and its chain
 *
 * Return: 0, or a negative errno with the sentence in @e.
 */
int certificate_chain_read(const char *path, struct chain_facts *ret, struct error *e) MUST_USE;
