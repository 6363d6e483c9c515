"""Two logs that are told the same say the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from threadstore.errors import StoreError
from threadstore.log.protocol import ANY, NONE, EventLog, Record, Revision
from threadstore.log.sqlite import SqliteLog
from threadstore.model.erasure import Erasure, redact
from threadstore.model.events import CommentEdited, CommentPosted, Event
from threadstore.model.ids import make_id
from threadstore.model.values import Actor
from threadstore.testing.memory_log import MemoryLog

Step = Callable[[EventLog], Any]


def an_id(random: Random) -> str:
    return make_id(random.randrange(12), 0, 0)


def an_event(random: Random, thread: str) -> Event:
    """Return one of few events, so that repeats, twins and conflicts are common."""
    actor = random.choice([None, Actor("a", "Ann"), Actor("b", "Bob")])
    id, body = an_id(random), random.choice(["one", "one", "one", "two", ""])
    event: Event = CommentPosted(id=id, thread=thread, actor=actor, body=body)
    if random.random() < 0.2:
        event = CommentEdited(id=id, thread=thread, actor=actor, comment=an_id(random), body=body)
    return redact(event) if random.random() < 0.2 else event


def an_erasure(random: Random) -> Erasure:
    return random.choice([Erasure(comment=an_id(random)), Erasure(person=random.choice("abc"), before=an_id(random))])


def a_step(random: Random, kinds: list[str]) -> Step:
    """Return something to do with a log. Every choice is made here, so that all logs do the same."""
    thread, other = random.choice("ttu"), random.choice("tu")
    kind, number = random.choice(kinds), random.randrange(6)
    erasures = [an_erasure(random) for _ in range(random.choice([0, 0, 0, 1, 2]))]
    match kind:
        case "append":
            events = [an_event(random, thread if random.random() < 0.98 else other) for _ in range(random.randrange(4))]
            expected = random.choice([ANY, ANY, NONE, Revision(number)])
            return lambda log: log.append(thread, events, expected=expected, erasures=erasures)
        case "redact":
            return lambda log: log.redact(thread, erasures)
        case _:
            id, limit = an_id(random), random.choice([None, 0, 2])
            return lambda log: (
                list(log.read(thread, after=number - 1)),
                list(log.read_all(after=number - 1, limit=limit)),
                log.find(id),
            )


def outcome(step: Step, log: EventLog) -> Any:
    try:
        return step(log)
    except (StoreError, ValueError) as error:
        return type(error), error.args


def sight(log: EventLog) -> Any:
    """Return everything that the log shows."""
    threads = {thread: (list(log.read(thread)), log.revision(thread)) for thread in log.threads()}
    return list(log.read_all()), log.position(), list(threads.items())


@given(seed=st.integers(0, 1 << 64))
def test_the_logs_agree(seed: int):
    """Whatever is done to them, a log in a file and one in SQLite's memory answer as the reference does, errors included."""
    random = Random(seed)
    kinds = ["append", *random.sample(["append", "redact", "read"], random.randint(1, 3))]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        disk, memory, reference = SqliteLog.open(path, durability="off"), SqliteLog.open(":memory:"), MemoryLog()
        for _ in range(random.choice([10, 40])):
            step = a_step(random, kinds)
            assert outcome(step, disk) == outcome(step, memory) == outcome(step, reference)
        assert sight(disk) == sight(memory) == sight(reference)
        assert list(memory.verify()) == []
        memory.close()
        disk.close()
        with closing(SqliteLog.open(path, durability="off")) as disk:
            assert sight(disk) == sight(reference)
            assert list(disk.verify()) == []


def test_the_steps_do_everything():
    """The test above can not pass vacuously: its steps meet every outcome that there is."""
    random = Random(7)
    log = MemoryLog()
    outcomes = [outcome(a_step(random, ["append", "append", "redact", "read"]), log) for _ in range(2_000)]
    answers = [answer for answer in outcomes if isinstance(answer, tuple)]
    assert {answer[0].__name__ for answer in answers if isinstance(answer[0], type)} == {
        "ConflictingEvent",
        "WrongRevision",
        "ValueError",
    }
    assert {answer for answer in outcomes if isinstance(answer, int)} >= {0, 1}
    assert any(isinstance(answer, Record) for answers_of_one in answers for answer in answers_of_one)
