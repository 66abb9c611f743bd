/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's file: one daemon's at a time, private, in WAL mode with synchronous=FULL
 *
 * Private to store/.   Threads: the one that opens the store.
 */
#pragma once

#include "store/db.h"

/**
 * store_file_lock() - become the one daemon that uses the store
 * @ret_fd: the lock lasts as long as it is open; -1: none
 *
 * Return: 0, or a negative errno with a sentence that says what to do.
 */
int store_file_lock(const char *path, int *ret_fd, struct error *e) MUST_USE;

/**
 * store_file_open() - open the file, made and migrated when it has to be
 * @ret_db: on failure too, and then to be closed
 *
 * Return: 0, or a negative errno with a sentence that says what to do.
 */
int store_file_open(const char *path, sqlite3 **ret_db, struct error *e) MUST_USE;
