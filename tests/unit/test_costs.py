"""
What things cost, counted and not clocked: steps of SQLite's virtual machine, calls of functions, and events made of records.

Each is done in a small thread and in one ten times as large. What readers and writers do all day must cost the same in both; what
must grow, such as reading a thread for the first time, may grow with the thread and no faster. A scan that slips in shows here,
however fast the machine is.
"""

from __future__ import annotations

import gc
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from threadstore import Actor, StoredThread, ThreadStore
from threadstore.log import protocol
from threadstore.log._connections import Database
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import CommentPosted, Event, ReactionGiven
from threadstore.model.ids import make_id
from threadstore.model.ranking import ORDERS
from threadstore.testing.places import Wall

SMALL, LARGE = 1_200, 12_000
EPOCH = 1_700_000_000_000
KEY = "article"
BY = Actor("u-me", "Me")
PAGE: dict[str, Any] = {"limit": 20, "replies": 3, "depth": 1, "rows": 80}
#: What a step may cost more in the large thread: trees and sorted lists are a level deeper there.
DEEPER = 1.35
SLACK = 60


class Cost(NamedTuple):
    """What was counted."""

    steps: int
    calls: int
    made: int


class Counting(sqlite3.Connection):
    """A connection that counts the steps of SQLite's virtual machine."""

    steps = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.set_progress_handler(self._step, 1)

    def _step(self) -> None:
        Counting.steps += 1


def conversation(count: int) -> Iterator[Event]:
    """Yield *count* comments, of which every third begins a thread of its own, and a reaction to every second."""
    ids: list[str] = []
    for number in range(count):
        id = make_id(EPOCH + 1_000 * number, 0, 2 * number)
        parent = None if number % 3 == 0 else ids[number * 7 // 8]
        ids.append(id)
        by = Actor(f"u-{number % 200}", f"Reader {number % 200}")
        yield CommentPosted(id=id, thread=KEY, actor=by, parent=parent, body=f"the {number}th thing that was said")
        if number % 2:
            to = ids[number * number % len(ids)]
            reaction = make_id(EPOCH + 1_000 * number + 1, 0, 2 * number + 1)
            yield ReactionGiven(id=reaction, thread=KEY, actor=Actor(f"u-{number % 97}"), comment=to)


class World:
    """A file with a conversation, and what doing something with it costs."""

    def __init__(self, folder: Path, count: int) -> None:
        self.path = folder / f"{count}.db"
        self.wall = Wall(EPOCH + 1_000 * count)
        self.made = 0
        with self.open() as store:
            store.merge(conversation(count))

    def open(self) -> ThreadStore:
        self.wall.ms += 1_000
        log = SqliteLog(Database(str(self.path), synchronous="OFF", timeout=1_000, factory=Counting))
        return ThreadStore(log, cache_bytes=1 << 30, now=self.wall)

    def cost(self, work: Callable[[StoredThread], object], thread: StoredThread) -> Cost:
        """Return what *work* costs."""
        calls = 0

        def note(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        gc.collect()
        self.wall.ms += 1_000
        steps, made = Counting.steps, self.made
        sys.setprofile(note)
        try:
            work(thread)
        finally:
            sys.setprofile(None)
        return Cost(Counting.steps - steps, calls, self.made - made)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    """Return a small thread and a large one; events that are made of records are counted."""
    folder = tmp_path_factory.mktemp("costs")
    worlds = World(folder, SMALL), World(folder, LARGE)
    decode = protocol.decode

    def counted(data: bytes, *, position: int | None = None) -> Event:
        for world in worlds:
            world.made += 1
        return decode(data, position=position)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(protocol, "decode", counted)
        yield worlds


def newest(thread: StoredThread) -> str:
    return thread.flat(order="newest", limit=1).comments[0].id


DAILY: dict[str, Callable[[StoredThread], object]] = {
    "post": lambda thread: thread.post("something new", by=BY),
    "post with an id": lambda thread: thread.post("a request", by=BY, id=make_id(thread._store.now(), 5, 7)),
    "reply": lambda thread: thread.reply(_FIRST, "something else", by=BY),
    "react": lambda thread: thread.react(_SECOND, by=BY),
    "take it back": lambda thread: thread.unreact(_SECOND, by=BY),
    "react again": lambda thread: thread.react(_SECOND, by=BY),
    "repeat a reaction": lambda thread: thread.react(_SECOND, by=BY),
    "count": lambda thread: thread.counts(),
    "one comment": lambda thread: thread.comment(_FIRST, context=5),
    "replies": lambda thread: thread.replies(_FIRST, limit=5, replies=0),
    **{f"page {order}": lambda thread, order=order: thread.view(order=order, **PAGE, now=_NOW) for order in ORDERS},
    **{f"page {order} again": lambda thread, order=order: thread.view(order=order, **PAGE, now=_NOW) for order in ORDERS},
    "newest of all": lambda thread: thread.flat(order="newest", limit=20),
    "what happened since": lambda thread: thread.changes(_LATE, limit=20),
}
_FIRST, _SECOND = make_id(EPOCH, 0, 0), make_id(EPOCH + 1_000, 0, 2)
_NOW = EPOCH + 1_000 * LARGE
_LATE = 500


@pytest.fixture(scope="module")
def daily(worlds: tuple[World, World]) -> dict[str, tuple[Cost, Cost]]:
    """Return what each thing costs in the small thread and in the large one, once both have done all of it before."""
    told: list[dict[str, Cost]] = []
    for world in worlds:
        with world.open() as store:
            with store.using(KEY):
                pass
            thread = store.thread(KEY)
            for work in DAILY.values():
                work(thread)
            told.append({name: world.cost(work, thread) for name, work in DAILY.items()})
    return {name: (told[0][name], told[1][name]) for name in DAILY}


@pytest.mark.parametrize("name", DAILY)
def test_what_is_done_all_day_costs_the_same_in_any_thread(daily: dict[str, tuple[Cost, Cost]], name: str):
    """Ten times as many comments: no more than a level deeper in what is looked up."""
    small, large = daily[name]
    assert large.steps <= DEEPER * small.steps + SLACK, (small, large)
    assert large.calls <= DEEPER * small.calls + SLACK, (small, large)
    assert large.made <= small.made + 2, (small, large)


def test_a_page_that_was_shown_costs_nothing(daily: dict[str, tuple[Cost, Cost]]):
    """No record is read for it again."""
    for order in ORDERS:
        assert all(cost.made == 0 and cost.steps <= 30 for cost in daily[f"page {order} again"])


def begin(world: World, work: Callable[[StoredThread], object]) -> Cost:
    """Return what it costs to do something from nothing."""
    with world.open() as store:
        return world.cost(work, store.thread(KEY))


def test_a_cold_start_reads_each_head_once(tmp_path: Path):
    """Without a snapshot the heads of all events are read and hardly a record is; it grows with the thread and no faster."""
    small, large = (begin(World(tmp_path, count), lambda thread: thread.view(**PAGE)) for count in (SMALL, LARGE))
    assert large.steps <= 1.2 * small.steps * LARGE / SMALL
    assert large.calls <= 1.2 * small.calls * LARGE / SMALL
    assert large.steps <= 60 * LARGE
    assert (small.made, large.made) == (0, 0)


def test_a_snapshot_spares_the_heads(worlds: tuple[World, World]):
    """A thread that begins from its snapshot reads no head, and of its records those on the page."""
    for world in worlds:
        begin(world, lambda thread: thread.view(**PAGE))
        with world.open() as store:
            store.thread(KEY).post("makes the front void", by=BY)
    small, large = (begin(world, lambda thread: thread.view(**PAGE)) for world in worlds)
    assert large.steps <= small.steps + 400, (small, large)


def test_a_front_spares_the_thread(worlds: tuple[World, World]):
    """Who asks what was asked before pays for the answer alone."""
    costs = []
    for world in worlds:
        begin(world, lambda thread: thread.view(order="best", **PAGE))
        costs.append(begin(world, lambda thread: thread.view(order="best", **PAGE)))
    small, large = costs
    assert large.steps <= DEEPER * small.steps + SLACK, (small, large)
    assert large.calls <= DEEPER * small.calls + SLACK, (small, large)
    assert (small.made, large.made) == (0, 0)


def test_the_counts_do_count():
    """The tests above can not pass vacuously: a scan of a table takes steps, a loop takes calls."""
    connection = sqlite3.connect(":memory:", factory=Counting)
    before = Counting.steps
    connection.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) SELECT sum(i) FROM n"
    ).fetchall()
    assert Counting.steps > before + 500
    connection.close()
