"""loro: a document of two maps. See crdt.py and common.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common import Comment, main
from crdt import Document, Value, value
from loro import ExportMode, LoroDoc


class Loro(Document):
    def start(self, data: bytes) -> None:
        self._doc: Any = LoroDoc()
        self._comments: Any
        self._likes: Any
        self._comments, self._likes = self._doc.get_map("comments"), self._doc.get_map("likes")
        if data:
            self._doc.import_(data)

    def add(self, comments: Sequence[Comment]) -> None:
        for comment in comments:
            self._comments.insert(str(comment.id), value(comment))
            for liker in comment.likes:
                self._likes.insert(f"{comment.id}/{liker}", 1)
        self._doc.commit()

    def whole(self) -> bytes:
        return bytes(self._doc.export(ExportMode.Snapshot()))

    def since(self, work: Callable[[], None]) -> bytes:
        before = self._doc.oplog_vv
        work()
        return bytes(self._doc.export(ExportMode.Updates(before)))

    def take(self, data: bytes) -> None:
        self._doc.import_(data)

    def maps(self) -> tuple[Mapping[str, Value], Mapping[str, Any]]:
        return self._comments.get_deep_value(), self._likes.get_deep_value()


if __name__ == "__main__":
    main(Loro)
