"""
What does a hot thread take in memory?

Method: a process opens a store, shows a page of a thread of ten comments, and notes what it occupies; then it shows a page of
the large thread in each order, and notes it again. The difference, divided by the comments. Every comment has one reaction on
average. Bodies are one character each, which Python keeps once, so what is counted is what the library adds to them.

Caveats: what a system counts as occupied includes what was freed and not given back, so a load that builds large things in
between shows here; that is what a machine must have. Peaks are given beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from content import KEY, PAGE, load, page, settled
from generator import Thread
from harness import OURS, Figure, Row, Task, child, main, resident

import threadstore
from threadstore.model.ranking import ORDERS


def measure(task: Task) -> Iterator[Row]:
    if task.trace is not None:
        return  # traces bring their bodies
    path = settled(task, bodies=False)
    seen = [child(Path(__file__), "--child", str(path)) for _ in range(min(task.rounds, 3))]
    figures = {OURS: Figure.of(one["bytes"] / task.comments for one in seen)}
    facts = {"peak, MiB": max(one["peak"] for one in seen) / 2**20}
    yield Row("memory of a hot thread, per comment", task.comments, "B", figures, facts=facts)


def occupied(path: Path) -> dict[str, int]:
    with threadstore.open(":memory:") as small:
        small.merge(Thread(10))
        page(small)
    with threadstore.open(path, cache_bytes=1 << 40) as store:
        store.thread("another").view(**PAGE)
        before = resident()
        load(store)
        for order in ORDERS:
            page(store, KEY, order)
        return {"bytes": resident() - before, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


if __name__ == "__main__":
    if "--child" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--child", type=Path)
        print(json.dumps(occupied(parser.parse_args().child)))
    else:
        main(measure, __doc__)
