"""
The database layer of Isso 0.14, a comment server on SQLite: what a request for a thread's page does with it. See common.py.

`isso.views.comments.API.fetch` counts the replies of the whole thread, fetches the top level, and then the replies of each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from common import LIMIT, REPLIES, Comment, Page, Peer, main
from isso import config
from isso.db import SQLite3
from isso.utils import Bloomfilter

URI = "/article"


class Isso(Peer):
    notes = (
        "a connection for each statement; replies are one level deep; bulk goes past its own code, which scans the table for each"
    )
    ranks_exactly = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / "isso.db"
        self._database = SQLite3(str(self._file), config.new())
        if URI not in self._database.threads:
            self._database.threads.new(URI, "An article")

    def bulk(self, comments: Sequence[Comment]) -> None:
        voters = memoryview(Bloomfilter(iterable=["127.0.0.1"]).array)
        roots: dict[int, int] = {}
        with closing(sqlite3.connect(self._file)) as connection:
            for comment in comments:
                top = None if comment.parent is None else roots.get(comment.parent, comment.parent)
                if top is not None:
                    roots[comment.id] = top
                at, likes = comment.at / 1_000, len(comment.likes)
                row = (1, comment.id, top, at, None, 1, "127.0.0.1", comment.body, comment.name, None, None, likes, 0, voters, 0)
                connection.execute(f"INSERT INTO comments VALUES ({','.join('?' * len(row))})", row)
            connection.commit()

    def append(self, comment: Comment) -> None:
        fields = {"parent": comment.parent, "created": comment.at / 1_000, "mode": 1, "remote_addr": "127.0.0.1"}
        self._database.comments.add(URI, {**fields, "text": comment.body, "author": comment.name, "notification": 0})

    def load(self) -> None:
        self.page("oldest")

    def page(self, order: str) -> Page:
        fetch = self._database.comments.fetch
        self._database.comments.reply_count(URI)
        by = {"order_by": "likes", "asc": 0} if order == "top" else {"order_by": "id", "asc": 1}
        roots = list(fetch(URI, parent=None, limit=LIMIT, **by))
        replies = [list(fetch(URI, parent=root["id"], limit=REPLIES)) for root in roots]
        return [(root["id"], [reply["id"] for reply in several]) for root, several in zip(roots, replies, strict=True)]

    def close(self) -> None:
        """Nothing is held open."""


if __name__ == "__main__":
    main(Isso)
