"""
What does a front page cost, among a hundred thousand small threads of which hardly any is being read?

Method: threads of lifelike sizes (half of them of three comments or fewer, none of more than 100) in one store. "Small thread"
is one drawn at random that nobody has read since the start, shown with its first page. "Counts" are how many comments each of
1,000 threads has, as for a list of articles; by hand, one ``IN`` statement over a table that has the counts of each key.
Processor time of the thread.

Caveats: by hand the counts have to be kept up by whoever writes. `--comments` counts threads here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any

from content import PAGE, cached
from generator import many_threads
from harness import OURS, Figure, Row, Task, computed, interleaved, main, spent

import threadstore

MOST = 100
KEYS = 1_000
IN = "one IN statement"


def threads(count: int) -> Path:
    def make(path: Path) -> None:
        with threadstore.open(path, durability="off") as store:
            source = chain.from_iterable(many_threads(count, most=MOST))
            while batch := list(islice(source, 50_000)):
                store.merge(batch)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    return cached(f"tail-{count}", make)


def by_hand(path: Path, connection: sqlite3.Connection) -> None:
    """Write the counts of all threads into a table of their own."""
    with threadstore.open(path) as store:
        found = store.counts(store.threads())
    connection.execute("CREATE TABLE counts (key TEXT PRIMARY KEY, top, replies, total, pending, hidden) WITHOUT ROWID")
    rows = ((key, each.top_level, each.replies, each.total, each.pending, each.hidden) for key, each in found.items())
    connection.executemany("INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.commit()


def counted(connection: sqlite3.Connection, keys: list[str]) -> dict[str, tuple[Any, ...]]:
    """Ask the table."""
    marks = ",".join("?" * len(keys))
    return {key: tuple(row) for key, *row in connection.execute(f"SELECT * FROM counts WHERE key IN ({marks})", keys)}


def measure(task: Task) -> Iterator[Row]:
    if task.trace is not None:
        return  # the sizes are what this is about
    path, count = threads(task.comments), task.comments
    samples = list[float]()
    with threadstore.open(path) as store:
        keys = list(store.threads())
        for key in Random(1).sample(keys, min(len(keys), 50 * task.rounds)):
            samples.append(spent(lambda key=key: store.thread(key).view(**PAGE)))  # type: ignore[misc]  # lambda defaults
    yield Row("small thread, page", count, "s", {OURS: Figure.of(samples)})
    wanted = Random(2).sample(keys, min(len(keys), KEYS))
    rival = cached(f"counts-{count}", lambda rival: _counts(path, rival))
    with threadstore.open(path) as store, closing(sqlite3.connect(rival)) as connection:
        mine, theirs = store.counts(wanted), counted(connection, wanted)
        if {key: theirs[key][2] for key in wanted} != {key: mine[key].total for key in wanted}:
            raise AssertionError("the counts differ")
        contenders: dict[str, Callable[[], float]] = {
            OURS: computed(lambda: store.counts(wanted)),
            IN: computed(lambda: counted(connection, wanted)),
        }
        figures = interleaved(contenders, 5 * task.rounds)
    yield Row("counts of many threads", count, "s", figures, against=IN, facts={"keys": float(len(wanted))})


def _counts(path: Path, rival: Path) -> None:
    with closing(sqlite3.connect(rival)) as connection:
        by_hand(path, connection)


if __name__ == "__main__":
    main(measure, __doc__)
