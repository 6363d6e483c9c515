"""
What does it cost to say something, or to support it, and does anybody ever have to wait for more than that?

Method, posts and reactions: the whole command (validate, decide, encode, append, bring the rows up to it, commit), one at a
time, by many actors, four of five posts as replies. Beside it the same record is inserted into the same table of events with
the same indexes, alone in its transaction at the same durability: the least that keeping it can cost. What is inserted was
taken from what the library wrote to a copy. Both take turns in blocks of ten, shuffled, since the cost of a flush depends on
what came before it. The write-ahead logs have been begun anew before, as in a store that is in use. By the clock, since the
disk is a part of it; the processor time is told beside it.

Method, pages: how many frames the write-ahead log has grown by, for each post and each reaction.

Method, in a row: 10,000 posts one after the other, the checkpoints in between included. The slowest say whether one of them
pays for others.

Caveats: FULL waits for the disk, whose moods are larger than what is measured here.
"""

from __future__ import annotations

import gc
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from content import copied, fill_log, frames, key_of, settled
from harness import OURS, Figure, Row, Task, main, quantile

import threadstore
from threadstore import Actor, StoredThread

SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}
BLOCK = 10
PLAIN = "plain insert"
SERIES = 10_000


class Speakers:
    """Say something, mostly in reply to what is there, or support it; equal seeds do the same."""

    def __init__(self, thread: StoredThread, seed: int = 1) -> None:
        self._chance, self._thread, self._turn = Random(seed), thread, 0
        self._targets = [comment.id for comment in thread.view(order="newest", limit=100, depth=0).comments if comment.body]

    def post(self) -> None:
        chance = self._chance
        number = chance.randrange(50_000)
        body = (
            f"What {number} says, for the {chance.randrange(1 << 40)}th time, is of about a hundred characters or so, like this."
        )
        to, by = (chance.choice(self._targets) if chance.random() < 0.8 else None), Actor(f"u-{number}", f"Reader {number}")
        if to is None:
            self._thread.post(body, by=by)
        else:
            self._thread.reply(to, body, by=by)

    def react(self) -> None:
        self._turn += 1
        self._thread.react(self._chance.choice(self._targets), by=f"supporter-{self._turn}")


ACTS: dict[str, Callable[[Speakers], None]] = {"post": Speakers.post, "react": Speakers.react}


def measure(task: Task) -> Iterator[Row]:
    for act in ACTS:
        for durability in SYNCHRONOUS:
            yield acted(task, act, durability)
        yield written(task, act)
    for durability in SYNCHRONOUS:
        yield in_a_row(task, durability)


def acted(task: Task, act: str, durability: str) -> Row:
    key, blocks, work = key_of(task), max(8 * task.rounds, 4), ACTS[act]
    with copied(settled(task), 3) as (ours, plain, sample):
        rows = _records_of(sample, plain, key, work, BLOCK * blocks)
        samples: dict[str, list[float]] = {OURS: [], PLAIN: []}
        computing: dict[str, list[float]] = {OURS: [], PLAIN: []}
        chance = Random(1)
        with threadstore.open(ours, durability=durability) as store, closing(_opened(plain, durability)) as connection:
            fill_log(store)
            speakers, waiting = Speakers(store.thread(key)), iter(rows)
            insert = _insert(rows)
            work(speakers)
            gc.collect()
            for _ in range(blocks):
                for who in chance.sample(list(samples), len(samples)):
                    for _ in range(BLOCK):
                        row = None if who == OURS else next(waiting)
                        start, begun = time.perf_counter(), time.thread_time()
                        if row is None:
                            work(speakers)
                        else:
                            connection.execute(insert, row)
                        computing[who].append(time.thread_time() - begun)
                        samples[who].append(time.perf_counter() - start)
    facts = {"p99, ms": 1e3 * quantile(samples[OURS], 0.99), "slowest, ms": 1e3 * max(samples[OURS])}
    facts |= {
        "processor, ms": 1e3 * Figure.of(computing[OURS]).median,
        "plain insert, ms": 1e3 * Figure.of(computing[PLAIN]).median,
    }
    figures = {who: Figure.of(taken) for who, taken in samples.items()}
    name = f"{act}, {durability.upper()}"
    return Row(name, task.comments, "s", figures, against=PLAIN, content=task.content, facts=facts)


def written(task: Task, act: str) -> Row:
    """Count the pages that one post or reaction writes."""
    key, work, count = key_of(task), ACTS[act], BLOCK * task.rounds
    with copied(settled(task), 3) as (ours, plain, sample):
        rows = _records_of(sample, plain, key, work, count)
        with threadstore.open(ours, durability="off") as store:
            speakers = Speakers(store.thread(key))
            work(speakers)
            before, _ = frames(ours)
            for _ in range(count):
                work(speakers)
            mine = (frames(ours)[0] - before) / count
        with closing(sqlite3.connect(plain, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            for row in rows:
                connection.execute(_insert(rows), row)
            theirs = frames(plain)[0] / count
    figures = {OURS: Figure.of([mine]), PLAIN: Figure.of([theirs])}
    return Row(f"pages written, {act}", task.comments, "pages", figures, against=PLAIN, content=task.content)


def in_a_row(task: Task, durability: str) -> Row:
    """Post many times in a row, and look for the one that had to wait for something that is done now and then."""
    key, samples = key_of(task), list[float]()
    count = SERIES if task.comments >= 1_000 else 10 * task.comments
    with copied(settled(task)) as [path], threadstore.open(path, durability=durability) as store:
        speakers = Speakers(store.thread(key))
        speakers.post()
        for _ in range(count):
            start = time.perf_counter()
            speakers.post()
            samples.append(time.perf_counter() - start)
    facts = {f"p{share:g}, ms": 1e3 * quantile(samples, share / 100) for share in (50, 99, 99.9)}
    facts |= {"slowest, ms": 1e3 * max(samples), "p99 / p50": quantile(samples, 0.99) / quantile(samples, 0.5)}
    name = f"posts in a row, {durability.upper()}"
    return Row(name, task.comments, "s", {OURS: Figure.of(samples)}, content=task.content, facts=facts)


def _records_of(sample: Path, before: Path, key: str, work: Callable[[Speakers], None], count: int) -> list[tuple[object, ...]]:
    """Return the rows that *count* posts or reactions add to the events."""
    with threadstore.open(sample, durability="off") as store:
        speakers = Speakers(store.thread(key), seed=2)
        for _ in range(count):
            work(speakers)
    with closing(sqlite3.connect(before)) as connection:
        [last] = connection.execute("SELECT max(position) FROM events").fetchone()
    with closing(sqlite3.connect(sample)) as connection:
        return connection.execute("SELECT * FROM events WHERE position > ? ORDER BY position", (last,)).fetchall()


def _insert(rows: list[tuple[object, ...]]) -> str:
    return f"INSERT INTO events VALUES ({','.join('?' * len(rows[0]))})"


def _opened(path: Path, durability: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
    connection.execute("CREATE TABLE filler (data BLOB)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO filler VALUES (?)", [(bytes(1_000),)] * 6_000)
    connection.execute("COMMIT")
    connection.execute("INSERT INTO filler VALUES (NULL)")
    return connection


if __name__ == "__main__":
    main(measure, __doc__)
