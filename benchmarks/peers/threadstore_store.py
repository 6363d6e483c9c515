"""threadstore itself, asked for the same as the others: see common.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from common import LIMIT, REPLIES, Comment, Page, Peer, main

import threadstore
from threadstore import Actor, CommentPosted, Event, ReactionGiven, ThreadView
from threadstore.model.codec import decode, encode
from threadstore.model.ids import id_for, time_of

KEY = "article"
PAGE: dict[str, Any] = {"limit": LIMIT, "replies": REPLIES, "depth": 1, "rows": LIMIT * (1 + REPLIES)}


def events(comments: Sequence[Comment], uids: dict[int, str]) -> Iterator[Event]:
    for comment in comments:
        uids[comment.id] = comment.uid
    for comment in comments:
        by = Actor(comment.author, comment.name)
        parent = None if comment.parent is None else uids[comment.parent]
        yield CommentPosted(id=comment.uid, thread=KEY, actor=by, parent=parent, body=comment.body)
        at = time_of(comment.uid)
        for liker in comment.likes:
            id = id_for(at, f"{comment.uid}/{liker}", after=comment.uid)
            yield ReactionGiven(id=id, thread=KEY, actor=Actor(liker), comment=comment.uid)


class Threadstore(Peer):
    notes = "events, views, moderation, merging; durability FULL"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._store = threadstore.open(folder / "comments.db")
        self._thread = self._store.thread(KEY)
        self._uids: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def bulk(self, comments: Sequence[Comment]) -> None:
        self._store.merge(events(comments, self._uids))
        self._numbers = {uid: id for id, uid in self._uids.items()}

    def append(self, comment: Comment) -> None:
        by = Actor(comment.author, comment.name)
        if comment.parent is None:
            self._uids[comment.id] = self._thread.post(comment.body or "-", by=by)
        else:
            self._uids[comment.id] = self._thread.reply(self._uids[comment.parent], comment.body or "-", by=by)

    def load(self) -> None:
        self._thread.view(**PAGE)  # nothing is ever in memory but this page

    def page(self, order: str) -> Page:
        view = self._thread.view(order=order, **PAGE)
        return _numbered(view, self._numbers)

    def close(self) -> None:
        self._store.close()

    @classmethod
    def prepare_merge(cls, ours: Sequence[Comment], theirs: Sequence[Comment], folder: Path) -> Callable[[], Callable[[], Page]]:
        uids: dict[int, str] = {}
        replica = threadstore.fold(events(ours, uids))
        data = msgspec.msgpack.encode([encode(event) for event in events(theirs, uids)])
        numbers = {uid: id for id, uid in uids.items()}
        several = msgspec.msgpack.Decoder(list[bytes])

        def turn() -> Callable[[], Page]:
            replica.merge(threadstore.fold(map(decode, several.decode(data))))
            return lambda: _numbered(replica.view(order="top", **PAGE), numbers)

        return turn


def _numbered(view: ThreadView, numbers: dict[str, int]) -> Page:
    """Return the page by the numbers that all peers use; a store that was opened anew does not know them."""
    find = numbers.get
    return [(find(comment.id, 0), [find(reply.id, 0) for reply in comment.replies]) for comment in view.comments]


if __name__ == "__main__":
    main(Threadstore)
