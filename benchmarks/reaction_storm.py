"""
Everybody supports one comment at once: what does each of them wait for?

Method: actors who have not reacted yet support one of the ten comments on top, and see the page in the order top right after. By
hand: a row for the reaction and the new count of the comment in one transaction, at the same durability (NORMAL), and the page by
51 statements and by one. Both take turns.

Caveats: by hand nobody looks whether the comment is there, may be reacted to, or is hidden.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from content import copied, key_of, page, settled
from handwritten import WAYS, table
from harness import OURS, Row, Task, best_of, interleaved, main

import threadstore
from threadstore import SUPPORT

_STORM = 100


def measure(task: Task) -> Iterator[Row]:
    key = key_of(task)
    with (
        copied(settled(task)) as [ours],
        copied(table(task)) as [theirs],
        threadstore.open(ours, durability="normal") as store,
        closing(sqlite3.connect(theirs, isolation_level=None)) as hand,
    ):
        hand.execute("PRAGMA synchronous = NORMAL")
        targets = [comment.id for comment in page(store, key).comments if comment.body is not None][:10]
        contenders: dict[str, Callable[[], float]] = {OURS: _Ours(store, key, targets)}
        contenders |= {way: _ByHand(hand, way, targets) for way in WAYS}
        figures = interleaved(contenders, _STORM)
    yield Row("reaction storm, react and see", task.comments, "s", figures, against=best_of(figures, WAYS), content=task.content)


class _Ours:
    def __init__(self, store: threadstore.ThreadStore, key: str, targets: list[str]) -> None:
        self._store, self._key, self._targets, self._turn = store, key, targets, 0

    def __call__(self) -> float:
        self._turn += 1
        target = self._targets[self._turn % len(self._targets)]
        start = time.perf_counter()
        self._store.thread(self._key).react(target, SUPPORT, by=f"storm-{self._turn}")
        page(self._store, self._key)
        return time.perf_counter() - start


class _ByHand:
    def __init__(self, connection: sqlite3.Connection, way: str, targets: list[str]) -> None:
        self._connection, self._way, self._turn = connection, way, 0
        marks = ",".join("?" * len(targets))
        self._targets = [id for (id,) in connection.execute(f"SELECT id FROM comments WHERE uid IN ({marks})", targets)]

    def __call__(self) -> float:
        self._turn += 1
        target, run = self._targets[self._turn % len(self._targets)], self._connection.execute
        start = time.perf_counter()
        run("BEGIN IMMEDIATE")
        run("INSERT INTO reactions VALUES (?, ?, ?)", (target, f"storm-{self._way}-{self._turn}", SUPPORT))
        run("UPDATE comments SET up = up + 1 WHERE id = ?", (target,))
        run("COMMIT")
        WAYS[self._way](self._connection)
        return time.perf_counter() - start


if __name__ == "__main__":
    main(measure, __doc__)
