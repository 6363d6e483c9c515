"""
What do a hundred thousand small threads cost, of which hardly any is being read?

Method: threads of lifelike sizes (half of them of three comments or fewer, none of more than 100) in one store. "Open one" is a
thread drawn at random that nobody has read since the start, shown with its first page. For the memory, a process with a cache
bound shows threads drawn at random, until all that the bound can hold has been held and let go many times over, and notes by how
much it has grown at most since it began; this growth is divided by the bound.

Caveats: what SQLite's page caches and the interpreter's free lists take is there before, since a store that keeps no threads
has shown some; what they take beyond that is in the growth, and the bound knows nothing of it. With fewer than 20,000 threads
the bound is 8 MB instead of 64, so that it is reached. `--comments` counts threads here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from random import Random

from content import PAGE, cached, strip
from generator import many_threads
from harness import OURS, Figure, Row, Task, child, main, resident

import threadstore

MOST = 100
BOUND = 64 << 20
WHOLE = 100_000


def threads(count: int) -> Path:
    def make(path: Path) -> None:
        with threadstore.open(path, durability="off") as store:
            source = chain.from_iterable(many_threads(count, most=MOST))
            while batch := list(islice(source, 50_000)):
                store.merge(batch)
        strip(path)

    return cached(f"tail-{count}", make)


def measure(task: Task) -> Iterator[Row]:
    if task.trace is not None:
        return  # the sizes are what this is about
    path, count = threads(task.comments), task.comments
    samples = list[float]()
    with threadstore.open(path) as store:
        keys = list(islice(store.threads(), 10 * WHOLE))
        for key in Random(1).sample(keys, min(len(keys), 50 * task.rounds)):
            start = time.perf_counter()
            store.thread(key).view(**PAGE)
            samples.append(time.perf_counter() - start)
    yield Row("small thread, cold", count, "s", {OURS: Figure.of(samples)})
    bound = BOUND if count >= WHOLE // 5 else BOUND // 8
    seen = [child(Path(__file__), "--child", str(path), "--bound", str(bound)) for _ in range(min(task.rounds, 3))]
    grown = {OURS: Figure.of(one["grown"] for one in seen), "bound": Figure.of([bound])}
    facts = {"threads shown": float(seen[0]["shown"])}
    yield Row("memory with a cache bound", count, "B", grown, against="bound", facts=facts)


def grown(path: Path, bound: int) -> dict[str, int]:
    """Return how much memory reading many threads took at most."""
    chance = Random(2)
    with threadstore.open(path, cache_bytes=0) as store:
        keys = list(store.threads())
        show(store, chance.sample(keys, min(500, len(keys))))
    with threadstore.open(path, cache_bytes=bound) as store:
        show(store, keys[:10])
        before, most = resident(), 0
        count = min(2 * len(keys), 40_000)
        for start in range(0, count, max(count // 20, 1)):
            show(store, chance.choices(keys, k=min(max(count // 20, 1), count - start)))
            most = max(most, resident() - before)
    return {"grown": most, "shown": count}


def show(store: threadstore.ThreadStore, keys: list[str]) -> None:
    for key in keys:
        store.thread(key).view(**PAGE)


if __name__ == "__main__":
    if "--child" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--child", type=Path)
        parser.add_argument("--bound", type=int)
        given = parser.parse_args()
        print(json.dumps(grown(given.child, given.bound)))
    else:
        main(measure, __doc__)
