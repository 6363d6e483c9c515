"""The library `eventsourcing`: a thread is an aggregate, kept in SQLite and cached in memory. See common.py."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from common import LIMIT, REPLIES, Comment, Page, Peer, main
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

THREAD = uuid5(NAMESPACE_URL, "article")
_BATCH = 10_000


class Conversation(Aggregate):
    """State as plain dicts: the least that a page needs."""

    @event("Started")
    def __init__(self) -> None:
        self.comments: dict[int, dict[str, Any]] = {}
        self.replies: dict[int | None, list[int]] = {}
        self.likes: dict[int, set[str]] = {}

    @staticmethod
    def create_id() -> UUID:
        return THREAD

    @event("CommentPosted")
    def post(self, number: int, uid: str, parent: int | None, author: str, name: str, at: int, body: str) -> None:
        self.comments[number] = {"uid": uid, "parent": parent, "author": author, "name": name, "at": at, "body": body}
        self.replies.setdefault(parent, []).append(number)

    @event("Liked")
    def like(self, number: int, author: str) -> None:
        self.likes.setdefault(number, set()).add(author)


class Eventsourcing(Peer):
    notes = (
        "a general library: pages are sorted in Python at each request; the cached aggregate is not copied; its own durability"
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._application: Application[UUID] = Application(
            env={
                "PERSISTENCE_MODULE": "eventsourcing.sqlite",
                "SQLITE_DBNAME": os.fspath(folder / "events.db"),
                "AGGREGATE_CACHE_MAXSIZE": "10",
                "AGGREGATE_CACHE_FASTFORWARD": "n",
                "DEEPCOPY_FROM_AGGREGATE_CACHE": "n",
            }
        )

    def bulk(self, comments: Sequence[Comment]) -> None:
        thread = Conversation()
        for number, comment in enumerate(comments, 1):
            _post(thread, comment)
            for liker in comment.likes:
                thread.like(comment.id, liker)
            if number % _BATCH == 0:
                self._application.save(thread)
        self._application.save(thread)

    def append(self, comment: Comment) -> None:
        thread: Conversation = self._application.repository.get(THREAD)
        _post(thread, comment)
        self._application.save(thread)

    def load(self) -> None:
        self._application.repository.get(THREAD)

    def page(self, order: str) -> Page:
        thread: Conversation = self._application.repository.get(THREAD)
        roots = thread.replies[None]
        if order == "top":
            roots = sorted(roots, key=lambda id: (-len(thread.likes.get(id, ())), id))
        page = [(root, thread.replies.get(root, [])[:REPLIES]) for root in roots[:LIMIT]]
        assert all(thread.comments[root]["body"] is not None for root, _ in page)
        return page

    def close(self) -> None:
        self._application.close()


def _post(thread: Conversation, comment: Comment) -> None:
    thread.post(comment.id, comment.uid, comment.parent, comment.author, comment.name, comment.at, comment.body)


if __name__ == "__main__":
    main(Eventsourcing)
