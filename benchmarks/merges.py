"""
What does it cost to take in what another replica has, of many threads or of a few?

Method: 20,000 events over 5,000 threads, and as many over 10, in the order in which they happened, so that the threads take
turns. Half of them are there before, and the other half is merged: nothing is left for a thread to be made anew from. Beside it
the same half of the 10 threads. By the clock, at durability NORMAL. "Again" is the merge of what is there already.

Caveats: `--comments` bounds how many events there are, for trials at tiny sizes; at 1,000 and above they are 20,000.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from content import CACHE
from generator import Thread
from harness import OURS, Row, Task, interleaved, main

import threadstore
from threadstore import Event

EVENTS = 20_000
FEW = "10 threads"


def happened(threads: int, count: int) -> list[Event]:
    """Return so many events of so many threads, in the order of their ids."""
    each = max(count // threads, 2)
    events: list[Event] = []
    for number in range(threads):
        size = each // 2 + 2
        events += islice(Thread(size, key=f"2023/05/{number:06}", seed=number, orphans=0), each)
    return sorted(events, key=lambda event: event.id)[:count]


def merged(events: list[Event], again: list[float]) -> float:
    """Return the seconds that the second half takes, and note those that all take once more."""
    CACHE.mkdir(exist_ok=True)
    half = len(events) // 2
    with (
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        threadstore.open(Path(folder) / "merge.db", durability="normal") as store,
    ):
        store.merge(events[:half])
        gc.collect()
        start = time.perf_counter()
        store.merge(events[half:])
        took = time.perf_counter() - start
        start = time.perf_counter()
        store.merge(events)
        again.append((time.perf_counter() - start) / len(events))
        return took


def measure(task: Task) -> Iterator[Row]:
    if task.trace is not None:
        return  # how many threads there are is what this is about
    count = EVENTS if task.comments >= 1_000 else 20 * task.comments
    again: list[float] = []
    contents = {OURS: happened(count // 4, count), FEW: happened(10, count)}
    contenders = {who: (lambda events=events: merged(events, again)) for who, events in contents.items()}
    figures = interleaved(contenders, min(task.rounds, 3))
    facts = {f"µs per event, {who}": 2e6 * figures[who].median / len(contents[who]) for who in contents}
    facts |= {"µs per event, again": 1e6 * min(again), "threads": float(len({event.thread for event in contents[OURS]}))}
    yield Row("merge over many threads", task.comments, "s", figures, against=FEW, facts=facts)


if __name__ == "__main__":
    main(measure, __doc__)
