# SPDX-License-Identifier: Apache-2.0
"""The store as a program of somebody else's reads it: SQLite, and riskhook.so for payloads."""

import contextlib
import sqlite3

from lib.settings import BUILD, scaled


def open_store(path):
    """A connection that only reads; payload(seq) and payload_decode() are there."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=scaled(10))
    db.row_factory = sqlite3.Row
    db.enable_load_extension(True)
    db.load_extension(str(BUILD / "riskhook.so"))
    return db


def ask(path, sql):
    """The first column of the first row."""
    with contextlib.closing(open_store(path)) as db:
        return db.execute(sql).fetchone()[0]
