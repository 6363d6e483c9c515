"""
How soon does the first reader after a restart see the page?

Method: from a new connection, with nothing cached by the library or by SQLite: open the file, show the first 50 top-level
comments in the order top with 3 replies each, close it. The store was looked at before, so that it has whatever the library
keeps to start faster. The hand-written table is opened in the same way and asked by 51 statements and by one. That all show the
same comments with the same texts is checked first. What the file holds for this beside the log is told in bytes per comment.

The first row is a thread in which nothing has happened since somebody saw that page, as in most of an archive: the library has
the page ready. In the second row somebody has posted since, so the thread has to be loaded from its snapshot.

Caveats: the process is warm (modules are imported, and msgspec's types are known), and so is the system's page cache. The library
also says what SQL does not: who is mentioned, what may be withheld, how many are left, and the cursor of the next page.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from content import bare, copied, key_of, page, settled
from handwritten import WAYS, same, table
from handwritten import Row as SqlRow
from harness import OURS, Figure, Row, Task, clocked, interleaved, main, timed

import threadstore
from threadstore import ThreadView


def ours(path: Path, key: str) -> ThreadView:
    with threadstore.open(path) as store:
        return page(store, key)


def by_hand(path: Path, way: str) -> list[list[SqlRow]]:
    with closing(sqlite3.connect(path)) as connection:
        return WAYS[way](connection)


def measure(task: Task) -> Iterator[Row]:
    path, key, rival = settled(task), key_of(task), table(task)
    for way in WAYS:
        same(ours(path, key).comments, by_hand(rival, way))
    contenders = {OURS: clocked(lambda: ours(path, key))}
    contenders |= {way: clocked(lambda way=way: by_hand(rival, way)) for way in WAYS}  # type: ignore[misc]  # lambda defaults
    figures = interleaved(contenders, 21)
    yield Row("cold page", task.comments, "s", figures, against=best_of(figures), content=task.content)
    with copied(path) as [written]:
        contenders[OURS] = lambda: _after_a_post(written, key)
        figures = interleaved(contenders, 9)
    yield Row("cold page, after a post", task.comments, "s", figures, against=best_of(figures), content=task.content)
    kept = Figure.of([(_used(path) - _used(bare(task))) / task.comments])
    yield Row("snapshot, per comment", task.comments, "B", {OURS: kept}, content=task.content)


def _after_a_post(path: Path, key: str) -> float:
    with threadstore.open(path, durability="off") as store:
        store.thread(key).post("Something else.", by="u-1")
    return timed(lambda: ours(path, key))


def _used(path: Path) -> int:
    """Return how many bytes of a file are in use."""
    with closing(sqlite3.connect(path)) as connection:
        [[pages]], [[free]], [[size]] = (
            connection.execute(f"PRAGMA {name}").fetchall() for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def best_of(figures: dict[str, Figure]) -> str:
    """Name the faster of the two hand-written ways: that is what a figure is held against."""
    return min(WAYS, key=lambda way: figures[way].median)


if __name__ == "__main__":
    main(measure, __doc__)
