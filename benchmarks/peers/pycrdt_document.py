"""pycrdt, the binding of Yrs: a document of two maps. See crdt.py and common.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common import Comment, main
from crdt import Document, Value, value
from pycrdt import Doc, Map


class Pycrdt(Document):
    def start(self, data: bytes) -> None:
        self._doc: Any = Doc()
        self._comments = self._doc.get("comments", type=Map)
        self._likes = self._doc.get("likes", type=Map)
        if data:
            self._doc.apply_update(data)

    def add(self, comments: Sequence[Comment]) -> None:
        with self._doc.transaction():
            for comment in comments:
                self._comments[str(comment.id)] = value(comment)
                for liker in comment.likes:
                    self._likes[f"{comment.id}/{liker}"] = 1

    def whole(self) -> bytes:
        return bytes(self._doc.get_update())

    def since(self, work: Callable[[], None]) -> bytes:
        before = self._doc.get_state()
        work()
        return bytes(self._doc.get_update(before))

    def take(self, data: bytes) -> None:
        self._doc.apply_update(data)

    def maps(self) -> tuple[Mapping[str, Value], Mapping[str, Any]]:
        return self._comments.to_py(), self._likes.to_py()


if __name__ == "__main__":
    main(Pycrdt)
