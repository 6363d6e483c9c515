"""
What things cost, counted and not clocked: statements of SQLite, steps of its virtual machine, rows read, and pages written.

Each is done in a small thread and in one ten times as large. What readers and writers do all day must cost the same in both; what
must grow, such as making a thread's rows anew, may grow with the thread and no faster. A scan that slips in shows here, however
fast the machine is.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from threadstore import Actor, Policy, StoredThread, ThreadStore
from threadstore.log._connections import Database
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import CommentPosted, Event, ReactionGiven
from threadstore.model.ids import make_id
from threadstore.model.ranking import ORDERS
from threadstore.readmodel import queries
from threadstore.testing.places import Wall

SMALL, LARGE = 1_100, 11_000
EPOCH = 1_700_000_000_000
KEY = "article"
BY = Actor("u-me", "Me")
PAGE: dict[str, Any] = {"limit": 20, "replies": 3, "depth": 1, "rows": 80}
#: What a step may cost more in the large thread: trees are a level deeper there.
DEEPER = 1.35
SLACK = 60
#: A frame of the WAL: a page, and what is said of it.
FRAME = 4_096 + 24


class Cost(NamedTuple):
    """What was counted: statements, steps, rows that were given back, and pages written to the WAL."""

    statements: int
    steps: int
    rows: int
    pages: int


class Rows(sqlite3.Cursor):
    """A cursor that counts the rows that it gives back."""

    def fetchall(self) -> list[Any]:
        found = super().fetchall()
        Counting.counts["rows"] += len(found)
        return found


class Counting(sqlite3.Connection):
    """A connection that counts."""

    counts: ClassVar[dict[str, int]] = {"statements": 0, "steps": 0, "rows": 0}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.set_progress_handler(self._step, 1)

    def _step(self) -> None:
        Counting.counts["steps"] += 1

    def cursor(self, factory: Any = Rows) -> Any:
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> Any:
        Counting.counts["statements"] += 1
        return self.cursor().execute(*arguments)


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
        with self.open() as store:
            store.merge(conversation(count))

    def open(self, **options: Any) -> ThreadStore:
        self.wall.ms += 1_000
        log = SqliteLog(Database(str(self.path), synchronous="OFF", timeout=1_000, factory=Counting))
        return ThreadStore(log, now=self.wall, random=lambda bits: 5, **options)

    def cost(self, work: Callable[[StoredThread], object], thread: StoredThread) -> Cost:
        """Return what *work* costs."""
        self.wall.ms += 1_000
        before, length = dict(Counting.counts), os.path.getsize(f"{self.path}-wal")
        work(thread)
        counted = [Counting.counts[name] - before[name] for name in ("statements", "steps", "rows")]
        return Cost(*counted, (os.path.getsize(f"{self.path}-wal") - length) // FRAME)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, World]:
    """Return a small thread and a large one."""
    folder = tmp_path_factory.mktemp("costs")
    return World(folder, SMALL), World(folder, LARGE)


_FIRST, _SECOND = make_id(EPOCH, 0, 0), make_id(EPOCH + 1_000, 0, 2)
_NOW = EPOCH + 1_000 * LARGE
_LATE = 500

WRITES: dict[str, Callable[[StoredThread], object]] = {
    "post": lambda thread: thread.post("something new", by=BY),
    "post with an id": lambda thread: thread.post("a request", by=BY, id=make_id(thread._store.now(), 5, 7)),
    "reply": lambda thread: thread.reply(_FIRST, "something else", by=BY),
    "call somebody": lambda thread: thread.reply(_FIRST, "@Reader 7, look", by=BY),
    "react": lambda thread: thread.react(_SECOND, by=BY),
    "take it back": lambda thread: thread.unreact(_SECOND, by=BY),
    "edit": lambda thread: thread.edit(_FIRST, f"at {thread._store.now()}", by=Actor("u-0")),
    "report": lambda thread: thread.report(_SECOND, by=Actor(f"u-{thread._store.now()}")),
}
READS: dict[str, Callable[[StoredThread], object]] = {
    "count": lambda thread: thread.counts(),
    "one comment": lambda thread: thread.comment(_FIRST, context=5),
    "replies": lambda thread: thread.replies(_FIRST, limit=5, replies=0),
    **{
        f"page {order}": lambda thread, order=order: thread.view(order=order, **PAGE, now=_NOW)
        for order in ORDERS
    },
    "newest of all": lambda thread: thread.flat(order="newest", limit=20),
    "what happened since": lambda thread: thread.changes(_LATE, limit=20),
    "queue": lambda thread: thread.queue(limit=5),
    "latest": lambda thread: thread._store.latest(limit=20),
    "by a person": lambda thread: thread._store.by_person(BY.id, limit=3),
}  # fmt: skip
DAILY = {**WRITES, **READS, **{f"{name} again": READS[name] for name in READS if name.startswith("page")}}


@pytest.fixture(scope="module")
def daily(worlds: tuple[World, World]) -> dict[str, tuple[Cost, Cost]]:
    """Return what each thing costs in the small thread and in the large one, once both have done all of it before."""
    told: list[dict[str, Cost]] = []
    for world in worlds:
        with world.open() as store:
            thread = store.thread(KEY)
            for work in DAILY.values():
                work(thread)
            told.append({name: world.cost(work, thread) for name, work in DAILY.items()})
    return {name: (told[0][name], told[1][name]) for name in DAILY}


@pytest.mark.parametrize("name", DAILY)
def test_what_is_done_all_day_costs_the_same_in_any_thread(daily: dict[str, tuple[Cost, Cost]], name: str):
    """Ten times as many comments: as many statements and rows, and no more than a level deeper in what is looked up."""
    small, large = daily[name]
    assert large.statements <= small.statements + 2, (small, large)
    assert large.rows <= small.rows + 2, (small, large)
    assert large.steps <= DEEPER * small.steps + SLACK, (small, large)
    assert large.pages <= small.pages + 8, (small, large)


#: How many statements and pages a write may take, its transaction included.
BOUNDS = {"post": (12, 16), "reply": (14, 18), "react": (12, 12), "take it back": (12, 12), "edit": (14, 10)}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_write_takes_few_statements_and_pages(daily: dict[str, tuple[Cost, Cost]], name: str):
    """A post or a reaction is some statements, and touches some pages of a file with thousands of comments."""
    statements, pages = BOUNDS[name]
    for cost in daily[name]:
        assert cost.statements <= statements, cost
        assert 0 < cost.pages <= pages, cost


def test_reading_writes_nothing(daily: dict[str, tuple[Cost, Cost]]):
    """A page, a list or a count leaves the file as it is."""
    assert {name for name in READS if any(cost.pages for cost in daily[name])} == set()


def test_a_page_that_was_shown_costs_a_look_at_its_thread(daily: dict[str, tuple[Cost, Cost]]):
    """Nothing but the thread's row is read for it again."""
    for order in ORDERS:
        assert all(cost.rows <= 1 and cost.statements <= 3 and cost.steps <= 150 for cost in daily[f"page {order} again"])


def test_a_cold_start_costs_a_page(worlds: tuple[World, World]):
    """A process that knows nothing reads the rows of the page that it shows, however large the thread is."""
    costs = []
    for world in worlds:
        with world.open() as store:
            costs.append(world.cost(lambda thread: thread.view(order="newest", **PAGE), store.thread(KEY)))
    small, large = costs
    assert large.steps <= DEEPER * small.steps + SLACK, (small, large)
    assert (large.rows, large.statements) == (small.rows, small.statements)


def test_making_rows_anew_grows_with_the_thread_and_no_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Rows of other rules are made anew of the log in steps in proportion to the events."""
    monkeypatch.setattr("threadstore.store.rebuilding.LARGE", 1 << 20)
    costs = []
    for count in (SMALL, LARGE):
        world = World(tmp_path, count)
        with world.open(policy=Policy(kinds={"up"})) as store:
            costs.append(world.cost(lambda thread: thread.counts(), store.thread(KEY)))
    small, large = costs
    assert large.steps <= 1.3 * small.steps * LARGE / SMALL
    assert large.statements <= 1.3 * small.statements * LARGE / SMALL


def test_a_scan_that_is_put_in_is_noticed(worlds: tuple[World, World], monkeypatch: pytest.MonkeyPatch):
    """The tests above can not pass vacuously: a query without its index costs ten times as much in the large thread."""
    monkeypatch.setattr(queries, "_NODE", queries._NODE.replace("INDEXED BY comments_by_id", "NOT INDEXED"))
    costs = []
    for world in worlds:
        with world.open() as store:
            costs.append(world.cost(lambda thread: thread.comment(_FIRST), store.thread(KEY)))
    small, large = costs
    assert large.steps > 4 * small.steps
