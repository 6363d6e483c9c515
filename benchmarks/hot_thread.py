"""
What does a page, and what does a post cost on the thread that everybody is reading?

Method, pages: the thread is loaded, then each order's page of 50 top-level comments with 3 replies each is shown for
the first time ("first"; one sample per order and per load), and again several times ("repeated"). "Following" are the next pages
of the same order, each of which nobody has seen before. The hand-written table, on a connection that has answered the same
question before, gives the same page by 51 statements and by one; the better one counts.

Method, posts: validate, decide, encode, commit, and bring the view up to date (the thread is counted), one at a time, by many
authors, four of five as replies. Beside it the same row is inserted into the same table with the same indexes, alone in its
transaction at the same durability: the least that keeping it can cost. What is inserted was taken from what the library wrote to
a copy. The write-ahead logs have their full size, as in a store that is in use: while a log grows, each flush takes several
times as long. Both take turns in blocks of ten, shuffled, since the cost of a flush depends on what came before it.

Method, series: thousands of posts without waiting for the disk (durability off) show whether one has to wait for what is done now
and then, such as a snapshot.

Caveats: "first" of one order may profit from what another made. The first order of a load is another one each time. "Hot" is
reckoned for one fixed moment; in life that moves. FULL waits for the disk, whose moods are larger than what is measured here.
"""

from __future__ import annotations

import gc
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from cold_start import best_of
from content import copied, fill_log, key_of, load, page, settled
from handwritten import WAYS, same, table
from harness import OURS, Figure, Row, Task, main

import threadstore
from threadstore import Actor, StoredThread
from threadstore.model.ranking import ORDERS

SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}
BLOCK = 10
SERIES = 800


def measure(task: Task) -> Iterator[Row]:
    yield from pages(task)
    for durability in SYNCHRONOUS:
        yield from posts(task, durability)
    yield from series(task)


# --- pages --------------------------------------------------------------------------------------------------------------------


def pages(task: Task) -> Iterator[Row]:
    path, key, rival = settled(task), key_of(task), table(task)
    samples: dict[tuple[str, str], list[float]] = {}
    shown = dict[str, int]()
    loads = min(task.rounds, 3) if task.comments > 100_000 else task.rounds
    with closing(sqlite3.connect(rival)) as connection:
        for turn in range(loads):
            orders = [*ORDERS[turn % len(ORDERS) :], *ORDERS[: turn % len(ORDERS)]]
            with threadstore.open(path, cache_bytes=1 << 40) as store:
                load(store, key)
                gc.collect()
                for order in orders:
                    for (who, what), seconds in _views(store, key, connection, order).items():
                        samples.setdefault((f"{who}|{what}", order), []).extend(seconds)
                    view = page(store, key, order)
                    shown[order] = len(view.comments) + sum(len(comment.replies) for comment in view.comments)
    for order in ORDERS:
        figures = {name: Figure.of(taken) for (name, of), taken in samples.items() if of == order}
        by_hand = {way: figures[f"{way}|page"] for way in WAYS}
        against = best_of(by_hand)
        for what in ("first", "following", "repeated"):
            if f"{OURS}|{what}" in figures:
                beside = {OURS: figures[f"{OURS}|{what}"], **by_hand}
                facts = {"comments on the page": float(shown[order])}
                name = f"warm page, {what}, {order}"
                yield Row(name, task.comments, "s", beside, against=against, content=task.content, facts=facts)


def _views(
    store: threadstore.ThreadStore, key: str, connection: sqlite3.Connection, order: str
) -> dict[tuple[str, str], list[float]]:
    taken: dict[tuple[str, str], list[float]] = {}

    def clock(who: str, what: str, start: float) -> None:
        taken.setdefault((who, what), []).append(time.perf_counter() - start)

    for ask in WAYS.values():
        ask(connection, order)  # warm
    start = time.perf_counter()
    view = page(store, key, order)
    clock(OURS, "first", start)
    after = view.next
    for _ in range(10):
        start = time.perf_counter()
        page(store, key, order)
        clock(OURS, "repeated", start)
        for way, ask in WAYS.items():
            start = time.perf_counter()
            rows = ask(connection, order)
            clock(way, "page", start)
        if after is not None:
            start = time.perf_counter()
            after = page(store, key, order, after=after).next
            clock(OURS, "following", start)
    same(view.comments, rows)
    return taken


# --- posts --------------------------------------------------------------------------------------------------------------------


class Speakers:
    """Says something, mostly in reply to what is there; equal seeds say the same."""

    def __init__(self, thread: StoredThread, seed: int = 1) -> None:
        self._chance, self._thread = Random(seed), thread
        self._targets = [comment.id for comment in thread.view(order="newest", limit=100, depth=0).comments if comment.body]

    def post(self) -> str:
        chance = self._chance
        number = chance.randrange(50_000)
        body = (
            f"What {number} says, for the {chance.randrange(1 << 40)}th time, is of about a hundred characters or so, like this."
        )
        to, by = (chance.choice(self._targets) if chance.random() < 0.8 else None), Actor(f"u-{number}", f"Reader {number}")
        return self._thread.post(body, by=by) if to is None else self._thread.reply(to, body, by=by)


def posts(task: Task, durability: str) -> Iterator[Row]:
    key, blocks = key_of(task), max(8 * task.rounds, 4)
    with copied(settled(task), 3) as (ours, plain, sample):
        rows = _written_by(sample, plain, key, BLOCK * blocks)
        samples: dict[str, list[float]] = {OURS: [], "plain insert": []}
        chance = Random(1)
        with threadstore.open(ours, durability=durability) as store, closing(_opened(plain, durability)) as connection:
            thread = store.thread(key)
            fill_log(store)
            load(store, key)
            thread.view(limit=50)
            speakers, waiting = Speakers(thread), iter(rows)
            insert = f"INSERT INTO events VALUES ({','.join('?' * len(rows[0]))})"
            gc.collect()
            for _ in range(blocks):
                for who in chance.sample(list(samples), len(samples)):
                    for _ in range(BLOCK):
                        row = None if who == OURS else next(waiting)
                        start = time.perf_counter()
                        if row is None:
                            speakers.post()
                            thread.counts()
                        else:
                            connection.execute(insert, row)
                        samples[who].append(time.perf_counter() - start)
    ordered = sorted(samples[OURS])
    facts = {"p99, ms": 1e3 * ordered[int(0.99 * len(ordered))], "slowest, ms": 1e3 * ordered[-1]}
    figures = {who: Figure.of(taken) for who, taken in samples.items()}
    name = f"post, {durability.upper()}"
    yield Row(name, task.comments, "s", figures, against="plain insert", content=task.content, facts=facts)


def series(task: Task) -> Iterator[Row]:
    """Post many times in a row, and look for the one that had to wait for something that the library does now and then."""
    key, samples = key_of(task), list[float]()
    with copied(settled(task)) as [path], threadstore.open(path, durability="off") as store:
        thread = store.thread(key)
        load(store, key)
        page(store, key)
        speakers = Speakers(thread)
        for _ in range(SERIES * task.rounds):
            start = time.perf_counter()
            speakers.post()
            thread.counts()
            samples.append(time.perf_counter() - start)
        start = time.perf_counter()
        page(store, key)
        shown = time.perf_counter() - start
    ordered = sorted(samples)
    facts = {f"p{share}, ms": 1e3 * ordered[int(share / 100 * len(ordered))] for share in (99, 99.9)}
    facts |= {"slowest, ms": 1e3 * ordered[-1], "a page then, ms": 1e3 * shown}
    figures = {OURS: Figure.of(samples)}
    yield Row("post in a long series", task.comments, "s", figures, content=task.content, facts=facts)


def _written_by(sample: Path, before: Path, key: str, count: int) -> list[tuple[object, ...]]:
    """Return the rows that *count* posts add to the events."""
    with threadstore.open(sample, durability="off") as store:
        speakers = Speakers(store.thread(key), seed=2)
        for _ in range(count):
            speakers.post()
    with closing(sqlite3.connect(before)) as connection:
        [last] = connection.execute("SELECT max(rowid) FROM events").fetchone()
    with closing(sqlite3.connect(sample)) as connection:
        return connection.execute("SELECT * FROM events WHERE rowid > ? ORDER BY rowid", (last,)).fetchall()


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
