"""
How fast does an archive come in?

Method: all events of a thread are merged into a new store, in the batches that a program would read them in, and the thread is
counted at the end, so that its state in memory is there; only the library's calls are timed, not the making of the events. Beside
it, ``executemany`` writes the same rows, byte for byte, into the same tables with the same indexes, with a commit every 10,000
rows as the library does. Durability is NORMAL for both. The peak of the memory is that of the process which did only this.

Caveats: the rows are ready-made for the rival; the library also encodes them, looks for those it has, and checks each.
"""

from __future__ import annotations

import gc
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from content import CACHE, LOG_TABLES, bare, batches, key_of
from harness import OURS, Row, Task, interleaved, main

import threadstore

_BATCH = 10_000


def ours(task: Task, key: str) -> float:
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        threadstore.open(Path(folder) / "import.db", durability="normal", cache_bytes=1 << 40) as store,
    ):
        took = 0.0
        for batch in batches(task):
            took += _timed(lambda batch=batch: store.merge(batch))  # type: ignore[misc]  # lambda defaults
        return took + _timed(store.thread(key).counts)


def executemany(path: Path) -> float:
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        closing(sqlite3.connect(path)) as source,
        closing(sqlite3.connect(Path(folder) / "import.db")) as target,
    ):
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = NORMAL")
        for (sql,) in source.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"):
            target.execute(sql)
        took = 0.0
        for table in sorted(LOG_TABLES, reverse=True):
            rows = source.execute(f"SELECT * FROM {table} ORDER BY rowid")
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
    path, key = bare(task), key_of(task)
    gc.collect()
    rounds = min(task.rounds, 3) if task.comments > 100_000 else task.rounds
    figures = interleaved({OURS: lambda: ours(task, key), "executemany": lambda: executemany(path)}, rounds)
    with closing(sqlite3.connect(path)) as connection:
        count, size = connection.execute("SELECT count(*), sum(length(data)) FROM events").fetchone()
    facts = {"events": float(count), "bytes per event": size / count}
    yield Row("bulk append", task.comments, "s", figures, against="executemany", content=task.content, facts=facts)


if __name__ == "__main__":
    main(measure, __doc__)
