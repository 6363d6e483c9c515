"""
How fast does an archive come in?

Method: all events of a thread are merged into a new store, in the batches that a program would read them in; only the library's
calls are timed, not the making of the events, and the thread can be shown when they return. Beside it, ``executemany`` writes
the very same rows, of the log and of the read model, into the same tables with the same indexes, with a commit every 10,000
rows as the library does. Durability is NORMAL for both.

Caveats: the rows are ready-made for the rival, and come in the order of their keys; the library also encodes and folds the
events, looks for those that it has, and checks each.
"""

from __future__ import annotations

import gc
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from content import CACHE, LOG_TABLES, batches, settled
from harness import OURS, Row, Task, interleaved, main

import threadstore

_BATCH = 10_000


def ours(task: Task) -> float:
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        threadstore.open(Path(folder) / "import.db", durability="normal") as store,
    ):
        return sum(_timed(lambda batch=batch: store.merge(batch)) for batch in batches(task))  # type: ignore[misc]


def executemany(path: Path) -> float:
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        closing(sqlite3.connect(path)) as source,
        closing(sqlite3.connect(Path(folder) / "import.db")) as target,
    ):
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = NORMAL")
        made = source.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        for _, _, sql in made:
            target.execute(sql)
        tables = [name for kind, name, _ in made if kind == "table"]
        took = 0.0
        for table in sorted(tables, key=lambda name: (name not in LOG_TABLES, name)):
            rows = source.execute(f"SELECT * FROM {table}")
            while batch := rows.fetchmany(_BATCH):
                insert = f"INSERT INTO {table} VALUES ({','.join('?' * len(batch[0]))})"
                took += _timed(lambda insert=insert, batch=batch: _write(target, insert, batch))  # type: ignore[misc]
        return took


def _write(target: sqlite3.Connection, insert: str, batch: list[tuple[object, ...]]) -> None:
    target.executemany(insert, batch)
    target.commit()


def _timed(work: Callable[[], object]) -> float:
    """Without emptying the collector each time: that would cost more than the batch."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(task: Task) -> Iterator[Row]:
    path = settled(task)
    gc.collect()
    rounds = 1 if task.comments > 100_000 else min(task.rounds, 3)
    figures = interleaved({OURS: lambda: ours(task), "executemany": lambda: executemany(path)}, rounds)
    with closing(sqlite3.connect(path)) as connection:
        count, size = connection.execute("SELECT count(*), sum(length(data)) FROM events").fetchone()
    facts = {"events": float(count), "µs per event": 1e6 * figures[OURS].median / count, "bytes per event": size / count}
    yield Row("bulk append", task.comments, "s", figures, against="executemany", content=task.content, facts=facts)


if __name__ == "__main__":
    main(measure, __doc__)
