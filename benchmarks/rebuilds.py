"""
What is noticed of a thread whose rows are made anew, by those who post to it meanwhile?

Method: the rows of the whole thread are made anew (`rebuild_thread`), while somebody posts to the same thread all the time, at
durability NORMAL: once in a thread of the same process, once in another process. What counts is the longest that any post
waited. Afterwards `counts` is compared with what was posted. Beside the time that it takes alone stands the least that reading
the log can cost: a ``SELECT`` of its records, and msgspec's decoding of each into an untyped list.

Caveats: one round, since what is looked for is the worst of many posts. A thread of up to 2,000 events is made in one
transaction. Not at a million comments, where it goes on for minutes.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import msgspec
from content import bare, copied, key_of, settled
from harness import OURS, Figure, Row, Task, interleaved, main, quantile, timed
from posts import Speakers

import threadstore

_LARGEST = 100_000


def floor(path: Path) -> int:
    """Read and decode every record; nothing less can know what the thread holds."""
    decode = msgspec.msgpack.Decoder().decode
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT data FROM events ORDER BY thread, revision")
        return sum(1 for (data,) in rows if decode(data))


def alone(path: Path, key: str) -> float:
    with copied(path) as [copy], threadstore.open(copy, durability="normal") as store:
        return timed(lambda: store.rebuild_thread(key))


def posting(store: threadstore.ThreadStore, key: str, stop: Event, samples: list[float]) -> None:
    """Post until told to stop."""
    speakers = Speakers(store.thread(key), seed=3)
    while not stop.is_set() or not samples:
        start = time.perf_counter()
        speakers.post()
        samples.append(time.perf_counter() - start)


def beside(path: Path, key: str) -> tuple[float, list[float]]:
    """Return how long it took, and how long each post of another thread of this process did."""
    samples, stop = list[float](), Event()
    with threadstore.open(path, durability="normal") as store:
        before = store.thread(key).counts().total
        poster = Thread(target=posting, args=(store, key, stop, samples))
        poster.start()
        took = timed(lambda: store.rebuild_thread(key))
        stop.set()
        poster.join()
        _check(store, key, before + len(samples))
    return took, samples


def apart(path: Path, key: str) -> tuple[float, list[float]]:
    """Return how long it took, and how long each post of another process did."""
    with threadstore.open(path, durability="normal") as store:
        before = store.thread(key).counts().total
        command = [sys.executable, __file__, "--poster", str(path), "--key", key]
        poster = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert poster.stdout is not None
        poster.stdout.readline()  # it has begun
        took = timed(lambda: store.rebuild_thread(key))
        told, _ = poster.communicate("stop\n")
        samples = json.loads(told)
        _check(store, key, before + len(samples))
    return took, samples


def _check(store: threadstore.ThreadStore, key: str, expected: int) -> None:
    found = store.thread(key).counts().total
    if found != expected:
        raise AssertionError(f"{found} comments are shown where {expected} were posted")


def poster(path: Path, key: str) -> None:
    """Post until a line comes in, then say how long each post took."""
    samples, stop = list[float](), Event()
    with threadstore.open(path, durability="normal") as store:
        worker = Thread(target=posting, args=(store, key, stop, samples))
        worker.start()
        print("begun", flush=True)
        sys.stdin.readline()
        stop.set()
        worker.join()
    print(json.dumps(samples))


def measure(task: Task) -> Iterator[Row]:
    if task.comments > _LARGEST:
        return
    path, key = settled(task), key_of(task)
    log = bare(task)
    figures = interleaved({OURS: lambda: alone(path, key), "floor": lambda: timed(lambda: floor(log))}, 1)
    yield Row("rebuild", task.comments, "s", figures, against="floor", content=task.content)
    for where, run in {"same process": beside, "another process": apart}.items():
        with copied(path) as [copy]:
            took, samples = run(copy, key)
        facts = {f"p{share}, ms": 1e3 * quantile(samples, share / 100) for share in (50, 99)}
        facts |= {"posts": float(len(samples)), "rebuild, s": took}
        longest = {OURS: Figure.of([max(samples)])}
        yield Row(f"longest post beside a rebuild, {where}", task.comments, "s", longest, content=task.content, facts=facts)


if __name__ == "__main__":
    if "--poster" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--poster", type=Path)
        parser.add_argument("--key")
        given = parser.parse_args()
        poster(given.poster, given.key)
    else:
        main(measure, __doc__)
