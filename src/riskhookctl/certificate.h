/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates: make a self-signed one, and ask a certificate which names it is for
 *
 * Threads: any.   Ownership: borrows what it reads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "util/err.h"
#include "util/macros.h"

#define CERTIFICATE_NAME_MAX 256

/**
 * certificate_create() - a self-signed X.509 certificate for a TLS server
 * @names:   host names and numeric addresses that it is for
 * @ret_certificate, @ret_key: PEM texts; the caller frees both, and wipes the key
 *
 * EC P-256, SHA-256, valid for 825 days from now (longer ones are refused by some clients).
 *
 * Return: 0, or a negative errno with the sentence in @e.
 */
int certificate_create(const char *const *names, size_t n_names, char **ret_certificate,
		       char **ret_key, struct error *e) MUST_USE;

struct certificate_facts {
	bool self_signed;
	bool matches_address;                  /* the address that was asked for */
	char local_name[CERTIFICATE_NAME_MAX]; /* a name that it is valid for: "localhost" if it is,
						* otherwise the first; "" when there is none */
	char public_name[CERTIFICATE_NAME_MAX]; /* the first name that is not localhost, or "" */
};

/**
 * certificate_read() - the facts of the first certificate in a PEM file
 * @address: numeric address
 *
 * A wildcard stands for one name: "*.example.com" gives "riskhookd.example.com".
 *
 * Return: 0, or a negative errno with the sentence in @e.
 */
int certificate_read(const char *path, const char *address, struct certificate_facts *ret,
		     struct error *e) MUST_USE;
