"""
An exception out of nowhere, such as a KeyboardInterrupt or a web server's timeout, at any line of any call.

`sys.settrace` raises it at each line of the package in turn, and signals raise it at any moment. Afterwards nothing is half
done: a command has happened wholly or not at all, the store is sound, the next call works at once, whoever waited for the
interrupted one has its answer exactly once, and the store can be closed.
"""

from __future__ import annotations

import dis
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from threading import Thread
from types import CodeType, FrameType
from typing import Any, Self

import pytest

import threadstore
from threadstore import Actor, ThreadStore
from threadstore.errors import StoreClosed
from threadstore.store import rebuilding
from threadstore.testing.given import EPOCH, id_of, posted

pytestmark = pytest.mark.usefixtures("guard")

PACKAGE = str(Path(threadstore.__file__).parent)
ANN, MODERATOR = Actor("u-ann", "Ann Lee"), Actor("u-mod", "Mo", "moderator")
#: How long a test waits for what should come at once before it fails.
PATIENCE = 10.0


class Interruption(KeyboardInterrupt):
    """What is raised."""


@cache
def leavings(code: CodeType) -> frozenset[int]:
    """
    Return where a block of `with` is left, and where `try` begins.

    A tracer is told of these as of one more line, in which nothing is done. No signal is looked at there.
    """
    steps = [step for step in dis.get_instructions(code) if step.opname != "PRECALL"]
    said = ["None" if step.opname == "LOAD_CONST" and step.argval is None else step.opname for step in steps]
    found = {step.offset for step in steps if step.opname == "NOP"}  # where `try` begins
    for place in range(len(steps)):
        if said[place : place + 4] == ["None", "None", "None", "CALL"] or said[place : place + 2] == _FAILING:
            found.add(steps[place].offset)
            before = place
            while before and said[before - 1] in ("SWAP", "NOP"):
                before -= 1
                found.add(steps[before].offset)
    return frozenset(found)


_FAILING = ["PUSH_EXC_INFO", "WITH_EXCEPT_START"]


class Interrupter:
    """
    Raises an `Interruption` at the *at*-th line of the package that this thread comes to, or of its functions *within*.

    `was` says where it was raised, if it was.
    """

    def __init__(self, at: int, within: str = "") -> None:
        self.left = at
        self.within = within
        self.was = ""

    def __enter__(self) -> Self:
        self._former = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *raised: object) -> None:
        sys.settrace(self._former)

    def _trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if self.within not in ("", frame.f_code.co_name):
            return self._trace
        if event == "line" and frame.f_lasti not in leavings(frame.f_code):
            self.left -= 1
            if self.left == 0:
                self.was = f"{frame.f_code.co_filename.removeprefix(PACKAGE)}:{frame.f_lineno}"
                raise Interruption(self.was)  # which ends the tracing
        return self._trace


class World:
    """A store with a bit of everything, made anew for each interruption."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rebuilding, "LARGE", 5)
        for pace in ("_GENTLE", "_HASTY"):
            monkeypatch.setattr(rebuilding, pace, rebuilding._Pace(4, 0.0, 0.0))
        self.ms = EPOCH + 60_000
        self.count = 0
        self.begin(path)

    def begin(self, path: Path) -> None:
        """Make the store."""
        self.path = path
        self.store = threadstore.open(path, durability="off", now=self.now)
        self.store.merge([posted(1, by=ANN), posted(2, to=1, by=Actor("u-1", "Bob")), posted(3, "hi @Ann Lee", to=2)])
        self.t = self.store.thread(posted(1).thread)
        self.other = self.store.thread("other")
        self.other.post("elsewhere", by=ANN)
        self.store.thread("small").post("hello", by=ANN)
        self.held = self.t.post("wait", by=ANN, held=True)
        self.t.react(id_of(1), by="u-1")

    def renew(self) -> None:
        """Go on with a new store."""
        self.store.close()
        self.begin(self.path.with_name(f"{self.ms}.db"))

    def now(self) -> int:
        self.ms += 1
        return self.ms

    def fresh(self) -> str:
        """Return an id for a request that can be repeated."""
        self.count += 1
        return threadstore.id_for(self.now(), f"{self.count}", after=id_of(50))

    def backup(self) -> None:
        path = self.path.with_name("backup.db")
        path.unlink(missing_ok=True)
        self.store.backup(path)


Call = Callable[[World, str], object]

WRITES: dict[str, Call] = {
    "post": lambda world, id: world.t.post("new", by=ANN, id=id),
    "reply": lambda world, id: world.t.reply(id_of(2), "new", by=ANN, id=id),
    "react": lambda world, id: world.t.react(id_of(2), by="u-1", id=id),
    "edit": lambda world, id: world.t.edit(id_of(1), f"edited {id}", by=ANN, id=id),
    "hold": lambda world, id: world.t.hold(id_of(2), by=MODERATOR, id=id),
    "approve": lambda world, id: world.t.approve(world.held, by=MODERATOR, id=id),
    "erase": lambda world, id: world.t.erase(id_of(3), by=MODERATOR, id=id),
    "begin": lambda world, id: world.store.thread("begun").post("new", by=ANN, id=id),
    "merge": lambda world, id: world.store.merge([posted(7, "new", to=1), posted(8, "newer", to=7), posted(9)]),
}
READS: dict[str, Call] = {
    "view": lambda world, _: world.t.view(order="top"),
    "flat": lambda world, _: world.t.flat(order="newest"),
    "comment": lambda world, _: world.t.comment(id_of(2)),
    "counts": lambda world, _: world.store.counts([world.t.key, "other"]),
    "queue": lambda world, _: world.store.queue(),
    "history": lambda world, _: list(world.t.history()),
    "changes": lambda world, _: world.t.changes(2),
    "overview": lambda world, _: world.store.overview(),
    "latest": lambda world, _: world.store.latest(),
    "by_person": lambda world, _: world.store.by_person("u-ann"),
    "rebuild_thread": lambda world, _: world.store.rebuild_thread(world.t.key),
    "rebuild_thread at once": lambda world, _: world.store.rebuild_thread("small"),
    "verify": lambda world, _: list(world.store.verify()),
    "backup": lambda world, _: world.backup(),
}


@pytest.fixture
def world(swift: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(swift / "interrupted.db", monkeypatch)
    yield made
    made.store.close()


def interrupted(call: Callable[[], object], at: int) -> str:
    """Make a call that is interrupted at its n-th line; return where that was, empty if it ended before."""
    with Interrupter(at) as interrupter:
        try:
            call()
        except Interruption:
            pass
        except Exception as error:
            raise AssertionError(f"interrupted at {interrupter.was}, it raised {error!r}") from error
    return interrupter.was


def places(call: Callable[[], object], scale: Any, *, short: int = 30) -> list[int]:
    """Return at which lines to interrupt a call, having made it once: a sample in the short form, all in the long one."""
    with Interrupter(-1) as counter:
        call()
    lines = range(1, -counter.left)
    return sorted(Random(7).sample(lines, len(lines) if scale.is_long else min(short, len(lines))))


def check_usable(world: World, was: str) -> None:
    """The next reading and the next writing are done at once, and leave no connection behind."""
    database = world.store.log.database
    assert not database._writing.locked(), was
    assert not world.store._writer._lock.locked(), was
    assert len(database._lent) == 0, was
    assert len(world.store._writer._waiting) <= 1, was
    id = world.other.post("goes on", by=ANN)
    assert world.other.comment(id).body == "goes on", was
    assert world.t.counts().total > 0, was


def events(world: World) -> list[str]:
    return [event.id for event in world.store.export()]


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_is_interrupted_has_happened_or_not(
    name: str, world: World, scale: Any, check_whole: Callable[[ThreadStore], None]
):
    """At whatever line a write is interrupted, all of it is there or nothing, and repeated it is there once."""
    chosen = places(lambda: WRITES[name](world, world.fresh()), scale)
    for tried, at in enumerate(chosen):
        world.renew()  # what has happened does not happen again, or costs more
        id, before = world.fresh(), events(world)
        was = interrupted(lambda: WRITES[name](world, id), at)  # noqa: B023
        after = events(world)
        assert after[: len(before)] == before, was
        assert len(after) - len(before) in ({0, 3} if name == "merge" else {0, 1, 2}), was
        check_usable(world, was)
        WRITES[name](world, id)
        again = events(world)
        assert len(set(again)) == len(again), was
        if tried % 10 == 0 or scale.is_long:
            check_whole(world.store)
    check_whole(world.store)
    scale.figure("lines interrupted", len(chosen))


@pytest.mark.parametrize("name", READS)
def test_a_reading_that_is_interrupted_leaves_nothing_behind(
    name: str, world: World, scale: Any, check_whole: Callable[[ThreadStore], None]
):
    """At whatever line a reading, a rebuild or a backup is interrupted, the next call finds everything as it was."""
    chosen = places(lambda: READS[name](world, ""), scale)
    for tried, at in enumerate(chosen):
        if tried % 50 == 49:
            world.renew()
        was = interrupted(lambda: READS[name](world, ""), at)
        check_usable(world, was)
        if tried % 10 == 0 or scale.is_long:
            check_whole(world.store)
    READS[name](world, "")
    check_whole(world.store)
    scale.figure("lines interrupted", len(chosen))


def test_closing_that_is_interrupted_can_be_repeated(swift: Path, monkeypatch: pytest.MonkeyPatch, scale: Any):
    """At whatever line closing is interrupted, closing again ends it, and the file can be opened with all that was written."""
    at = 1
    while True:
        world = World(swift / f"{at}.db", monkeypatch)
        world.t.erase(id_of(3), by=MODERATOR)
        known = events(world)
        was = interrupted(world.store.close, at)
        world.store.close()
        with pytest.raises(StoreClosed):
            world.t.view()
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            world.store.log.database._writer.execute("SELECT 1")
        with threadstore.open(world.path, durability="off") as again:
            assert [event.id for event in again.export()] == known, was
            assert list(again.verify()) == [], was
        if not was:
            break
        at += 1


def test_opening_that_is_interrupted_can_be_repeated(swift: Path, scale: Any):
    """At whatever line opening is interrupted, opening again opens the store."""
    at, stride = 1, scale(5, 1)
    while True:
        path = swift / f"{at}.db"
        stores: list[ThreadStore] = []
        was = interrupted(lambda: stores.append(threadstore.open(path, durability="off")), at)  # noqa: B023
        with threadstore.open(path, durability="off") as store:
            store.thread("t").post("words", by=ANN)
            assert list(store.verify()) == [], was
        for store in stores:
            store.close()
        if not was:
            break
        at += stride


# --- others who wait ----------------------------------------------------------------------------------------------------------


class Beside(Thread):
    """Somebody who posts while others are interrupted, and notes what they were answered."""

    def __init__(self, store: ThreadStore, name: str, posts: int) -> None:
        super().__init__(name=name, daemon=True)
        self.store, self.posts = store, posts
        self.answers: list[str] = []
        self.wrong: list[BaseException] = []

    def run(self) -> None:
        try:
            for number in range(self.posts):
                self.answers.append(self.store.thread("busy").post(f"{self.name} {number}", by=ANN))
        except BaseException as error:  # noqa: BLE001  # it is what the test is to find
            self.wrong.append(error)


@pytest.mark.parametrize("name", ["post", "merge"])
def test_whoever_waits_for_an_interrupted_leader_is_answered_once(
    name: str, world: World, scale: Any, check_whole: Callable[[ThreadStore], None]
):
    """
    At whatever line one writer is interrupted, while others wait to be committed with it: each of these is answered, once, and
    its comment is there once.
    """
    random, hit, tries = Random(name), 0, scale(40, 3_000)
    expected: set[str] = set()
    writer = world.store._writer
    for turn in range(tries):
        others = [Beside(world.store, f"{turn} {n}", 2) for n in range(3)]
        id = world.fresh()
        with writer._lock:  # so that they queue, and whoever comes when it is free leads them
            for other in others:
                other.start()
            while len(writer._waiting) < len(others):
                pass
        within = random.choice(["", "transaction", "_scrub", "note", "_commit", "_lead", "write"])
        with Interrupter(random.randrange(1, 10 if within else 1_000), within) as interrupter, suppress(Interruption):
            WRITES[name](world, id)
        was = interrupter.was
        hit += bool(was)
        for other in others:
            other.join(PATIENCE)
            assert not other.is_alive(), f"one waits for ever after an interruption at {was}"
            assert other.wrong == [], was
            expected |= {*other.answers}
        bodies = [comment.body for comment in world.store.thread("busy").flat(limit=10_000).comments]
        assert len(bodies) == len(set(bodies)) == len(expected), was
        check_usable(world, was)
    check_whole(world.store)
    assert hit > tries // 4
    assert {comment.id for comment in world.store.thread("busy").flat(limit=10_000).comments} == expected
    scale.figure("lines interrupted", hit)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timers")
def test_signals_at_any_moment(swift: Path, monkeypatch: pytest.MonkeyPatch, scale: Any, check_whole: Callable[..., None]):
    """
    Signals interrupt the main thread at random moments while it and others write and read: what was answered is there, once,
    nothing is half there, and the store can be closed.
    """
    world = World(swift / "signals.db", monkeypatch)
    random = Random(11)
    rounds, known, hit = scale(150, 20_000), set[str](), 0
    others = [Beside(world.store, f"beside {n}", rounds) for n in range(2)]
    calls: list[Callable[[], object]] = [
        lambda name=name: READS[name](world, "") for name in ("view", "latest", "rebuild_thread")
    ]  # type: ignore[misc]

    def interrupt(_number: int, _frame: object) -> None:
        raise Interruption

    former = signal.signal(signal.SIGUSR1, interrupt)
    main = threading.main_thread().ident
    assert main is not None
    for other in others:
        other.start()
    try:
        for _ in range(rounds):
            id = world.fresh()
            shooter = threading.Timer(random.random() * 0.003, signal.pthread_kill, (main, signal.SIGUSR1))
            try:
                shooter.start()
                WRITES["post"](world, id)
                known.add(id)
                random.choice(calls)()
                shooter.join()
            except Interruption:
                hit += 1
            while shooter.is_alive():
                try:
                    shooter.join()
                except Interruption:
                    hit += 1
    finally:
        signal.signal(signal.SIGUSR1, former)
    for other in others:
        other.join(PATIENCE)
        assert (other.is_alive(), other.wrong) == (False, [])
    there = events(world)
    assert len(there) == len(set(there))
    assert known | {id for other in others for id in other.answers} <= set(there)
    bodies = [comment.body for comment in world.store.thread("busy").flat(limit=10_000).comments]
    assert len(bodies) == len(set(bodies)) == 2 * rounds
    check_usable(world, "")
    check_whole(world.store)
    assert hit > rounds // 4
    world.store.close()
    scale.figure("signals", hit)
