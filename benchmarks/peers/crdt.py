"""What the peers that are CRDT documents have in common: two maps, one of comments and one of likes. See common.py."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from common import LIMIT, REPLIES, Comment, Page, Peer

Value = dict[str, Any]


def value(comment: Comment) -> Value:
    """Return what is kept of a comment: one plain value, which is the cheapest that a map can hold."""
    fields = {"uid": comment.uid, "author": comment.author, "name": comment.name, "at": comment.at, "body": comment.body}
    return fields | {"parent": comment.parent or 0}


def page_of(comments: Mapping[str, Value], likes: Mapping[str, Any], order: str) -> Page:
    """Return the page by looking at all values: a document has no index."""
    counts: dict[int, int] = {}
    for liked in likes:
        id = int(liked.partition("/")[0])
        counts[id] = counts.get(id, 0) + 1
    below: dict[int, list[int]] = {}
    for key, comment in comments.items():
        below.setdefault(int(comment["parent"]), []).append(int(key))
    roots = sorted(below.get(0, ()), key=(lambda id: (-counts.get(id, 0), id)) if order == "top" else None)
    return [(root, sorted(below.get(root, ()))[:REPLIES]) for root in roots[:LIMIT]]


class Document(Peer):
    """A document in a file, with the updates since then behind it."""

    notes = "a general CRDT: two maps; the page reads and sorts all values in Python; no history of people, no moderation"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file, self._log = folder / "document", folder / "updates"
        self._is_loaded = False
        self.start(b"")

    @abstractmethod
    def start(self, data: bytes) -> None:
        """Make the document that *data* describes."""

    @abstractmethod
    def add(self, comments: Sequence[Comment]) -> None:
        """Write comments and likes in one transaction."""

    @abstractmethod
    def whole(self) -> bytes:
        """Return the document as bytes."""

    @abstractmethod
    def since(self, work: Callable[[], None]) -> bytes:
        """Do *work*, and return the update that it comes to."""

    @abstractmethod
    def take(self, data: bytes) -> None:
        """Import bytes."""

    @abstractmethod
    def maps(self) -> tuple[Mapping[str, Value], Mapping[str, Any]]:
        """Return all comments and all likes as plain values."""

    def bulk(self, comments: Sequence[Comment]) -> None:
        self.add(comments)
        _write(self._file, self.whole(), "wb")
        self._is_loaded = True

    def append(self, comment: Comment) -> None:
        update = self.since(lambda: self.add([comment]))
        _write(self._log, len(update).to_bytes(4, "big") + update, "ab")

    def load(self) -> None:
        if self._is_loaded:
            return
        self.start(self._file.read_bytes())
        data, place = self._log.read_bytes() if self._log.exists() else b"", 0
        while place < len(data):
            size = int.from_bytes(data[place : place + 4], "big")
            self.take(data[place + 4 : place + 4 + size])
            place += 4 + size
        self._is_loaded = True

    def page(self, order: str) -> Page:
        self.load()
        return page_of(*self.maps(), order)

    def close(self) -> None:
        """Nothing is held open."""

    @classmethod
    def prepare_merge(cls, ours: Sequence[Comment], theirs: Sequence[Comment], folder: Path) -> Callable[[], Callable[[], Page]]:
        common = {comment.id for comment in ours} & {comment.id for comment in theirs}
        base = cls(folder)
        base.add([comment for comment in ours if comment.id in common])
        here, there = cls(folder), cls(folder)
        for replica, comments in ((here, ours), (there, theirs)):
            replica.start(base.whole())
            replica.add([comment for comment in comments if comment.id not in common])
            replica._is_loaded = True
        data = there.whole()

        def turn() -> Callable[[], Page]:
            here.take(data)
            return lambda: here.page("top")

        return turn


def _write(path: Path, data: bytes, mode: str) -> None:
    with path.open(mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
