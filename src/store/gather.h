/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathers the writes of a transaction into few
 *
 * SQLite writes each page of a transaction into the WAL with two calls, one for a header of 24
 * bytes and one for the page, and an event whose ids are random touches half a dozen pages. This
 * VFS lies over the default one, and holds back what is appended to the WAL until SQLite asks for
 * anything else: with synchronous=FULL each commit ends with a sync, so nothing is held back that
 * was promised. A write that fails late is reported by what asked, and SQLite rolls back as it does
 * for a sync that fails. All other files are the default VFS's own.
 *
 * Source: https://www.sqlite.org/c3ref/io_methods.html, https://www.sqlite.org/walformat.html
 *
 * Private to store/.   Threads: any may open; a file belongs to its connection.
 */
#pragma once

/* Return: the name for sqlite3_open_v2(); NULL, which means the default VFS, if SQLite has none to
 * lie over */
const char *gather_vfs(void);
