"""
Wake-ups: a subscriber learns of what its own process writes at once, and of what other processes write by looking.

An eventsourcing subscriber that missed its notification slept for ever (eventsourcing#305). Here a notification is a hint,
looking is the truth; and the hint itself can not get lost, since a subscriber looks once more when writers can already see it
waiting. To tell the two apart, these tests let a subscriber look either hardly ever or often.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest

import threadstore
from threadstore import Actor, ThreadStore
from threadstore.errors import StoreClosed
from threadstore.log.protocol import Position
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id
from threadstore.store import subscriptions

ANN, MODERATOR = Actor("u-ann", "Ann Lee"), Actor("u-mod", "Mo", "moderator")
#: Longer than any test: a subscriber that sleeps for so long was not woken.
HARDLY_EVER = 3_600.0
OFTEN = 0.005
#: How long a test waits for what should come at once before it fails.
PATIENCE = float(os.environ.get("PATIENCE", "20"))


@pytest.fixture
def hardly_looking(monkeypatch):
    """Let subscribers look by themselves so seldom that only a wake-up helps."""
    monkeypatch.setattr(subscriptions, "_POLL_SECONDS", HARDLY_EVER)


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    target = ":memory:" if request.param == "memory" else tmp_path / "comments.db"
    with threadstore.open(target, durability="off") as store:
        yield store


class Subscriber:
    """Follows a store in a thread of its own; `next` gives what it saw, one by one."""

    def __init__(self, store: ThreadStore, *, timeout: float = HARDLY_EVER, after: int = 0) -> None:
        self._seen: Queue[int | BaseException] = Queue()
        self._thread = Thread(target=self._follow, args=(store, after, timeout), daemon=True)
        self._thread.start()

    def _follow(self, store: ThreadStore, after: int, timeout: float) -> None:
        try:
            for record in store.subscribe(after=after, timeout=timeout):
                self._seen.put(record.position)
        except StoreClosed as error:
            self._seen.put(error)

    def next(self, patience: float = PATIENCE) -> int | BaseException:
        """Return the next position, or the error that ended it."""
        return self._seen.get(timeout=patience)

    def is_waiting(self) -> bool:
        """Return whether nothing has come that was not asked for."""
        return self._seen.empty()

    def join(self) -> bool:
        """Return whether it has come to its end."""
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()


def foreign(number: int) -> CommentPosted:
    return CommentPosted(id=make_id(1_700_000_000_000, 0, number), thread="t", actor=ANN, body=f"{number}")


def ways_to_write(store: ThreadStore) -> list[Callable[[], object]]:
    """Return every way in which this process writes: commands of one event and of several, erasures, merges."""
    t = store.thread("t")
    comment = t.post("first", by=ANN)
    return [
        lambda: t.post("second", by=ANN),
        lambda: t.react(comment, by="u-bob"),
        lambda: t.edit(comment, "third", by=ANN),
        lambda: t.erase(comment, by=MODERATOR),
        lambda: store.thread("elsewhere").post("fourth", by=ANN),
        lambda: store.erase_person("u-ann", by=MODERATOR),
        lambda: store.merge([foreign(1), foreign(2)]),
    ]


def test_a_write_of_this_process_wakes_its_subscribers(store, hardly_looking):
    """However it is written, whoever waits has it at once: both of two subscribers."""
    writes = ways_to_write(store)
    subscribers = [Subscriber(store), Subscriber(store)]
    seen = 0
    for write in writes:
        write()
        while seen < store.log.position():
            seen += 1
            assert [subscriber.next() for subscriber in subscribers] == [seen, seen]
    assert all(subscriber.is_waiting() for subscriber in subscribers)
    store.close()
    assert all(subscriber.join() for subscriber in subscribers)


def test_no_wake_up_is_lost_in_many(store, hardly_looking, scale):
    """Two threads that answer each other's comments through subscriptions alone never wait for long."""
    rounds = scale(300, 20_000)
    wrong: list[str] = []

    def answer(mine: int) -> None:
        """Post whenever the other has posted; one of them begins."""
        for record in store.subscribe(timeout=PATIENCE):
            if record.position > 2 * rounds:
                return
            if record.position % 2 == mine:
                store.thread("t").post(f"{record.position}", by=ANN)
        wrong.append("the other's comment was not noticed")

    players = [Thread(target=answer, args=(mine,), daemon=True) for mine in (0, 1)]
    for player in players:
        player.start()
    store.thread("t").post("begin", by=ANN)
    for player in players:
        player.join(PATIENCE + rounds / 10)
    assert (wrong, store.log.position()) == ([], 2 * rounds + 1)
    scale.figure("comments answered", 2 * rounds)


class Looked(SqliteLog):
    """A log in which, once, somebody writes between a subscriber's last look and its sleep."""

    write: Callable[[], object] | None = None
    writer: Thread | None = None

    def position(self) -> Position:
        seen = super().position()
        if self.write is not None:
            write, self.write = self.write, None
            self.writer = Thread(target=write)
            self.writer.start()
            while super().position() == seen:
                pass  # it is stored; telling of it may be held up until the subscriber sleeps
            self.writer.join(0.05)
        return seen


def test_a_write_between_looking_and_sleeping_wakes(hardly_looking):
    """The moment in which eventsourcing's subscriber missed its notification: it has looked, and does not sleep yet."""
    log = Looked.open(":memory:")
    store = ThreadStore(log)
    store.thread("t").post("first", by=ANN)
    log.write = lambda: store.thread("t").post("second", by=ANN)
    subscriber = Subscriber(store)
    assert [subscriber.next(), subscriber.next()] == [1, 2]
    log.writer.join()
    store.close()
    assert subscriber.join()


def test_closing_wakes(store, hardly_looking):
    """A subscriber of a store that is closed is told so at once, rather than left to sleep."""
    subscriber = Subscriber(store)
    store.thread("t").post("first", by=ANN)
    assert subscriber.next() == 1
    store.close()
    assert isinstance(subscriber.next(), StoreClosed)
    assert subscriber.join()


def test_a_subscription_ends_when_nothing_comes(store):
    """A subscriber with no patience gets what is there, and one with little waits no longer than that."""
    store.thread("t").post("first", by=ANN)
    assert [record.position for record in store.subscribe()] == [1]
    assert [record.position for record in store.subscribe(after=1, timeout=0.01)] == []


WRITER = """
import sys, threadstore
with threadstore.open(sys.argv[1], durability="off") as store:
    for number in range(int(sys.argv[2])):
        store.thread("t").post(f"{number}", by="u-far")
"""


def test_what_other_processes_write_is_found_by_looking(tmp_path, monkeypatch):
    """Nobody wakes a subscriber for comments of another process, or of another store on the file: it finds them, in order."""
    monkeypatch.setattr(subscriptions, "_POLL_SECONDS", OFTEN)
    path = tmp_path / "comments.db"
    count = 50
    with threadstore.open(path, durability="off") as store, threadstore.open(path, durability="off") as other:
        subscriber = Subscriber(store)
        other.thread("t").post("another store", by=ANN)
        assert subscriber.next() == 1
        environment = {**os.environ, "PYTHONPATH": str(Path(threadstore.__file__).parents[1])}
        subprocess.run([sys.executable, "-c", WRITER, str(path), str(count)], env=environment, check=True, timeout=60)
        assert [subscriber.next() for _ in range(count)] == list(range(2, count + 2))
        assert subscriber.is_waiting()
    assert subscriber.join()


def test_the_truth_does_not_depend_on_the_hint(tmp_path, monkeypatch):
    """With every wake-up lost, a subscriber still gets everything, only later."""
    monkeypatch.setattr(subscriptions, "_POLL_SECONDS", OFTEN)
    monkeypatch.setattr(subscriptions.News, "spread", lambda self: None)
    with threadstore.open(":memory:") as store:
        subscriber = Subscriber(store)
        for number in range(1, 20):
            store.thread("t").post(f"{number}", by=ANN)
            assert subscriber.next() == number
    assert isinstance(subscriber.next(), StoreClosed)


def test_these_tests_know_a_lost_wake_up(hardly_looking, monkeypatch):
    """With every wake-up lost and nobody looking, comments cease to come: what the tests above see are wake-ups."""
    monkeypatch.setattr(subscriptions.News, "spread", lambda self: None)
    store = threadstore.open(":memory:")
    subscriber = Subscriber(store)
    for number in range(1, 1_000):  # as long as it happens to look, since it does not sleep yet
        store.thread("t").post(f"{number}", by=ANN)
        try:
            assert subscriber.next(0.2) == number
        except Empty:
            break
    else:
        pytest.fail("it never slept")
    monkeypatch.undo()
    store.close()
    assert subscriber.join()
