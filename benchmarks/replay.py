"""
How long does a cold process take to fold a thread from its log, beside the least that reading it can cost?

Method: the log of one thread, without snapshot or anything else derived. In turn:

- floor: a bare ``SELECT`` of the thread's rows in order, and msgspec's decoding of each into an untyped list;
- fold: folding events that are in memory already, the codec apart (up to 100,000 comments, for their sake);
- replay: opening the store and showing the first page, so select, decode, check, fold, tree, order, page, and whatever the
  library writes down on the way in order to start faster next time.

Caveats: the file is in the page cache of the system. Each replay gets a fresh copy of the file, made outside of what is timed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from content import bare, copied, events, key_of, page
from harness import Row, Task, clocked, interleaved, main, timed

import threadstore
from threadstore import fold

_FOLDED = 100_000


def floor(path: Path) -> int:
    """Read and decode every row; nothing less can know what the thread holds."""
    decode = msgspec.msgpack.Decoder().decode
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT data FROM events ORDER BY thread, revision")
        return sum(1 for (data,) in rows if decode(data))


def replay(path: Path, key: str) -> None:
    """Open the store, fold the thread, and show the first page."""
    with threadstore.open(path) as store:
        page(store, key)


def on_a_copy(path: Path, key: str) -> float:
    with copied(path) as [copy]:
        return timed(lambda: replay(copy, key))


def measure(task: Task) -> Iterator[Row]:
    path, key = bare(task), key_of(task)
    contenders: dict[str, Callable[[], float]] = {
        "floor": clocked(lambda: floor(path)),
        "threadstore": lambda: on_a_copy(path, key),
    }
    if task.comments <= _FOLDED:
        held = list(events(task))
        contenders["fold"] = clocked(lambda: fold(held))
    figures = interleaved(contenders, task.rounds)
    facts = {"events": float(floor(path))}
    yield Row("replay", task.comments, "s", figures, against="floor", content=task.content, facts=facts)


if __name__ == "__main__":
    main(measure, __doc__)
