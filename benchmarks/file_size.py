"""
How much larger is a file for being able to show its threads at once?

Method: the bytes of the file as it is, compacted, beside those of the same file without the rows of the read model: the records
of the log and their indexes.

Caveats: a file that has grown by single posts has pages that are not full; both are without those here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from content import bare, copied, settled
from harness import OURS, Figure, Row, Task, main


def compacted(path: Path) -> int:
    """Return how many bytes a file has when nothing in it is free."""
    with copied(path) as [copy]:
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return copy.stat().st_size


def measure(task: Task) -> Iterator[Row]:
    whole, log = compacted(settled(task)), compacted(bare(task))
    figures = {OURS: Figure.of([whole]), "log": Figure.of([log])}
    facts = {"read model, bytes per comment": (whole - log) / task.comments}
    yield Row("file size", task.comments, "B", figures, against="log", content=task.content, facts=facts)


if __name__ == "__main__":
    main(measure, __doc__)
