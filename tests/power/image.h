/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks as they could be after a power cut, from the log of disk.h
 *
 * What was synced before the cut is there. Of what was not, anything may be: writes may be there or
 * missing, in any order, whole or torn at the borders of 512-byte sectors; a file that was to grow
 * may have its new size with zeros or old rubbish in it; a file may or may not have its name yet,
 * or still.
 *
 * Threads: one.   Ownership: borrows the log.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "disk.h"

struct image;

/* a xorshift generator: the same numbers on every machine */
struct dice {
	uint64_t state;
};

struct dice dice_make(uint64_t seed);
uint64_t dice_below(struct dice *dice, uint64_t n); /* 0 to n - 1 */

struct image *image_new(const struct disk_record *records, size_t n);
void image_free(struct image *image);

/* move the cut forward: it comes after the first @cut records of the log */
void image_advance(struct image *image, size_t cut);

/* write one possible disk to the files of the store at @path, which are replaced */
void image_write(const struct image *image, struct dice *dice, const char *path);
