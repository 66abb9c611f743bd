/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's file: one daemon's at a time, private, in WAL mode with synchronous=FULL
 *
 * Private to store/.   Threads: the one that opens the store.
 */
#pragma once

#include "store/db.h"

/**
 * store_file_open_lock() - open the file that is locked by who has the store alone
 * @path:   of the store, which is there. All its names have one lock: links are resolved, as SQLite
 *          does for the names of the WAL.
 * @ret_fd: one owner; -1 on failure
 *
 * Return: 0, or a negative errno with a sentence that says what to do.
 */
int store_file_open_lock(const char *path, int *ret_fd, struct error *e) MUST_USE;

/**
 * store_file_lock() - become the one daemon that uses the store, which is made when it is not there
 * @ret_fd: the lock lasts as long as it is open; -1: none
 *
 * Return: 0, or a negative errno with a sentence that says what to do.
 */
int store_file_lock(const char *path, int *ret_fd, struct error *e) MUST_USE;

/**
 * store_file_open() - open the file of a store that is locked, migrated when it has to be
 * @ret_db: on failure too, and then to be closed
 *
 * Return: 0, or a negative errno with a sentence that says what to do.
 */
int store_file_open(const char *path, sqlite3 **ret_db, struct error *e) MUST_USE;

/* Has the file that is open another name by now, or none? Then what is written there is gone with
 * the process. */
bool store_file_is_lost(sqlite3 *db);
