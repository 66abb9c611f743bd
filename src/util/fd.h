/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors: close once, read whole small files, write everything.
 *
 * Threads: any.   Ownership: what is returned belongs to the caller.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "util/macros.h"

/**
 * fd_close() - close a descriptor, keeping errno
 * @fd: descriptor, or -1 (nothing happens)
 *
 * Return: -1, so that `x->fd = fd_close(x->fd)` cannot close twice.
 */
int fd_close(int fd);

/**
 * fd_write_all() - write every byte to a blocking descriptor
 *
 * EINTR and short writes are taken care of.
 *
 * Return: 0, or a negative errno.
 */
int fd_write_all(int fd, const void *p, size_t n) MUST_USE;

/**
 * fd_read_up_to() - read until @max bytes are there or the file ends
 *
 * EINTR and short reads are taken care of.
 *
 * Return: 0 with the number of bytes in @ret_n, or a negative errno.
 */
int fd_read_up_to(int fd, char *p, size_t max, size_t *ret_n) MUST_USE;

/**
 * fd_read_file() - read a whole file of at most @max bytes
 * @path:    file
 * @max:     most bytes that are accepted
 * @ret_p:   the bytes, with a NUL behind them that @ret_n does not count; the caller frees
 * @ret_n:   number of bytes
 *
 * Return: 0, -EFBIG when the file is larger than @max, or another negative errno.
 */
int fd_read_file(const char *path, size_t max, char **ret_p, size_t *ret_n) MUST_USE;

/** fd_set_nonblock() - set O_NONBLOCK. Return: 0, or a negative errno. */
int fd_set_nonblock(int fd) MUST_USE;
