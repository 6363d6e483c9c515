"""What people write by hand: one table, a parent column, two indexes and a counter, in SQLite. See common.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from common import LIMIT, REPLIES, Comment, Page, Peer, main

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS comments (
        id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, thread INTEGER NOT NULL, parent INTEGER, author TEXT NOT NULL,
        name TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, likes INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS likes (comment INTEGER, author TEXT, PRIMARY KEY (comment, author)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_parent ON comments (thread, parent, id);
    CREATE INDEX IF NOT EXISTS by_likes ON comments (thread, likes DESC, id) WHERE parent IS NULL;
"""
_INSERT = "INSERT INTO comments VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)"
_ROOTS = {
    "oldest": "SELECT * FROM comments INDEXED BY by_parent WHERE thread = 1 AND parent IS NULL ORDER BY id LIMIT ?",
    "top": "SELECT * FROM comments INDEXED BY by_likes WHERE thread = 1 AND parent IS NULL ORDER BY likes DESC, id LIMIT ?",
}
_REPLIES = "SELECT * FROM comments WHERE thread = 1 AND parent = ? ORDER BY id LIMIT ?"


def _row(comment: Comment) -> tuple[object, ...]:
    return (
        comment.id,
        comment.uid,
        comment.parent,
        comment.author,
        comment.name,
        comment.at,
        comment.body,
        len(comment.likes),
    )


class AdjacencyTable(Peer):
    notes = "51 statements a page; no history, moderation, mentions or merging; WAL, synchronous FULL"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._connection = sqlite3.connect(folder / "comments.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(_SCHEMA)

    def bulk(self, comments: Sequence[Comment]) -> None:
        run = self._connection
        run.execute("BEGIN")
        run.executemany(_INSERT, map(_row, comments))
        run.executemany("INSERT OR IGNORE INTO likes VALUES (?, ?)", ((c.id, liker) for c in comments for liker in c.likes))
        run.execute("COMMIT")

    def append(self, comment: Comment) -> None:
        self._connection.execute(_INSERT, _row(comment))

    def load(self) -> None:
        self.page("oldest")

    def page(self, order: str) -> Page:
        run = self._connection.execute
        roots = run(_ROOTS[order], (LIMIT,)).fetchall()
        whole = [(root, run(_REPLIES, (root[0], REPLIES)).fetchall()) for root in roots]
        return [(root[0], [reply[0] for reply in replies]) for root, replies in whole]

    def close(self) -> None:
        self._connection.close()


if __name__ == "__main__":
    main(AdjacencyTable)
