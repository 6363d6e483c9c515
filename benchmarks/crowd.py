"""
Eight people press "post" at once: does the store make them queue for the disk one after the other?

Method: a web server's eight threads write whole posts (validated, decided, encoded, committed, durability FULL), each into a
conversation of its own, to one store; beside it one thread writes the same posts alone. Both take turns, on new stores whose
write-ahead log has been begun anew before. How many commits there were is read from the write-ahead log.

Caveats: what a shared flush saves depends on the disk: a slow one makes this look better than a fast one. Python runs one
thread at a time, so all that is not waiting is in the figure as it is.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

from content import CACHE, fill_log, frames
from harness import OURS, Row, Task, interleaved, main

import threadstore
from threadstore import Actor

_THREADS = 8
_POSTS = 10  # for each thread; so few that the log is not begun anew meanwhile


def together(posts: int, threads: int, commits: list[float]) -> float:
    """Return the seconds for each post, and note the commits for each."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        path = Path(folder) / "crowd.db"
        with threadstore.open(path, durability="full") as store:
            fill_log(store)
            for number in range(_THREADS):
                store.thread(f"article-{number}").post("First!", by=Actor("u-1"))
            _, before = frames(path)
            ready = Barrier(threads + 1)
            workers = [Thread(target=_write, args=(store, ready, number, threads, posts)) for number in range(threads)]
            for worker in workers:
                worker.start()
            gc.collect()
            ready.wait()
            start = time.perf_counter()
            for worker in workers:
                worker.join()
            took = time.perf_counter() - start
            commits.append((frames(path)[1] - before) / (posts * _THREADS))
        return took / (posts * _THREADS)


def _write(store: threadstore.ThreadStore, ready: Barrier, number: int, threads: int, posts: int) -> None:
    mine = [store.thread(f"article-{one}") for one in range(number, _THREADS, threads)]
    ready.wait()
    for turn in range(posts):
        for thread in mine:
            thread.post(f"This is what number {turn} has to say about it, and it is not little.", by=Actor(f"u-{number}"))


def measure(task: Task) -> Iterator[Row]:
    commits: dict[str, list[float]] = {OURS: [], "alone": []}
    contenders = {
        OURS: lambda: together(_POSTS, _THREADS, commits[OURS]),
        "alone": lambda: together(_POSTS, 1, commits["alone"]),
    }
    figures = interleaved(contenders, max(task.rounds, 3))
    facts = {"commits per post": min(commits[OURS]), "commits per post, alone": min(commits["alone"])}
    yield Row("eight threads", task.comments, "s", figures, against="alone", facts=facts)


if __name__ == "__main__":
    main(measure, __doc__)
