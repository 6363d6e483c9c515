"""
What does a process hold in memory after it has shown a thread in every order?

Method: a process opens a store, shows a page of another thread, and notes what it occupies; then it shows the first page of the
large thread in each order, and notes it again. The difference counts, whatever the size of the thread: nothing of it should
stay but the finished pages and what SQLite keeps of the file (its page cache has a bound of its own).

Caveats: what a system counts as occupied includes what was freed and not given back. Peaks are given beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from content import KEY, PAGE, page, settled
from generator import Thread
from harness import OURS, Figure, Row, Task, child, main, resident

import threadstore
from threadstore.model.ranking import ORDERS


def measure(task: Task) -> Iterator[Row]:
    if task.trace is not None:
        return  # traces bring their keys
    path = settled(task)
    seen = [child(Path(__file__), "--child", str(path)) for _ in range(min(task.rounds, 3))]
    figures = {OURS: Figure.of(one["bytes"] for one in seen)}
    facts = {"bytes per comment": figures[OURS].median / task.comments, "peak, MiB": max(one["peak"] for one in seen) / 2**20}
    yield Row("memory after all orders", task.comments, "B", figures, facts=facts)


def occupied(path: Path) -> dict[str, int]:
    with threadstore.open(":memory:") as small:
        small.merge(Thread(10))
        page(small)
    with threadstore.open(path) as store:
        store.thread("another").view(**PAGE)
        before = resident()
        for order in ORDERS:
            page(store, KEY, order)
        return {"bytes": max(resident() - before, 0), "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


if __name__ == "__main__":
    if "--child" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--child", type=Path)
        print(json.dumps(occupied(parser.parse_args().child)))
    else:
        main(measure, __doc__)
