"""
A program that writes to a store, says on a pipe what it is about to do and what it has done, and is killed meanwhile.

What it says, one JSON array a line:

- ``["try", n, kind, request, moment]``: it begins its n-th operation; the request is a command or the events of a
  merge.
- ``["batch", n, events, erasures]``: it is about to commit what it has written to the log; the events in the codec's
  bytes, as hexadecimal digits.
- ``["at", n, positions]``: it was committed.
- ``["done", n, answer]``: the caller has its answer. What was done is acknowledged, and must never be lost.
- ``["refused", n, why]``: the rules forbade it.
- ``["failed", n, error]``: the store could not do it; it is tried again.
- ``["steps", n]``: it ended by itself, after so many steps (statements or steps on the disk, whichever are counted).
"""

from __future__ import annotations

import json
import os
import pickle
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from child_disk import Disk, Fault, die

from threadstore.errors import Rejected
from threadstore.log._connections import Database
from threadstore.log._schema import unfilled
from threadstore.log.sqlite import DURABILITY, SqliteLog
from threadstore.model import commands as c
from threadstore.model.codec import encode
from threadstore.model.events import CommentDeleted, CommentErased, CommentPosted, Event, PersonErased, ReactionGiven
from threadstore.model.ids import NIL, HybridClock, make_id, time_of
from threadstore.model.values import Actor, TextQuote
from threadstore.store import rebuilding
from threadstore.store.store import ThreadStore

EPOCH = 1_700_000_000_000
MODERATOR = Actor("mod", "Mo Derator", "moderator")
READERS = [Actor(f"u-{number}", f"Reader {number}") for number in range(5)]
THREADS = ("2023/05/03/drones", "2023/05/04/owls")
#: The thread that nothing is erased from.
QUIET = "2023/05/05/quiet"

Say = Callable[..., None]


class Job(NamedTuple):
    """
    What to write, and what shall go wrong.

    Args:
        path: The store's file.
        seed: From which everything that is random follows.
        operations: How many, drawn at random; 0 does those of *kinds*, in that order.
        durability: As for `threadstore.open`.
        fault: What befalls the n-th step; None for a writer that is killed from outside, or not at all.
        steps: Which steps the fault counts: "statements" of SQL, or those of the "disk"; or "recorded", to leave all
            that was done to the disk in a file named like the store's, with ".steps" behind it, and what was said among
            it.
        kinds: See *operations*.
    """

    path: str
    seed: int
    operations: int = 0
    durability: str = "full"
    fault: Fault | None = None
    steps: str = "disk"
    kinds: tuple[str, ...] = ()


class Statements:
    """Counts the SQL statements of a process, and ends it before or after the n-th."""

    def __init__(self) -> None:
        self.steps = 0
        self.fault: Fault | None = None

    def run(self, statement: Callable[[], Any]) -> Any:
        self.steps += 1
        is_due = self.fault is not None and self.fault.at == self.steps
        if is_due and self.fault.how == "kill before":
            die()
        result = statement()
        if is_due:
            die()
        return result


class Told:
    """Notes what a transaction appends to the log, and says so before and after it is committed."""

    def __init__(self) -> None:
        self.say: Say = lambda *words: None
        self.operation = 0
        self._clear()

    def _clear(self) -> None:
        self._events: list[str] = []
        self._positions: list[int] = []
        self._erasures: list[Sequence[str | None]] = []

    def note(self, sql: str, values: Sequence[Any]) -> None:
        """Take note of a statement that was executed."""
        if sql.startswith("INSERT INTO events") and values:
            self._positions.append(values[0])
            self._events.append(unfilled(values[-1]).hex())
        elif "INSERT INTO erasures" in sql:
            self._erasures.append(values[:4])
        elif sql == "ROLLBACK":
            self._clear()

    def committing(self, commit: Callable[[], Any]) -> Any:
        """Commit, and say what that stores."""
        events, positions, erasures = self._events, self._positions, self._erasures
        if events:
            self.say("batch", self.operation, events, erasures)
        result = commit()
        self._clear()
        if events:
            self.say("at", self.operation, positions)
        return result


class Counted(sqlite3.Connection):
    """A connection each of whose statements is counted; many rows are as many statements."""

    statements = Statements()
    told = Told()

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        def run() -> sqlite3.Cursor:
            return self.statements.run(lambda: super(Counted, self).execute(sql, *parameters))

        if sql == "COMMIT":
            return self.told.committing(run)
        cursor = run()
        self.told.note(sql, parameters[0] if parameters else ())
        return cursor

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        cursor = self.cursor()
        for row in rows:
            cursor = self.execute(sql, row)
        return cursor


class Writer:
    """One life of the writing process."""

    def __init__(self, job: Job, say: Say) -> None:
        self.say = say
        self.job = job
        self.rng = random.Random(job.seed)
        self.number = 0
        self.moment = EPOCH
        self.store = self._tried(self._open)
        self._look_round()
        self.clock = HybridClock(self._now, self.rng.getrandbits)

    def _tried(self, call: Callable[[], Any]) -> Any:
        return call()

    def _open(self) -> ThreadStore:
        database = Database(self.job.path, synchronous=DURABILITY[self.job.durability], timeout=10_000, factory=Counted)
        self.told = Counted.told = Told()
        self.told.say = self.say
        self.latest = NIL
        self.log = SqliteLog(database)
        return ThreadStore(self.log, now=self._now, random=self.rng.getrandbits)

    def _now(self) -> int:
        self.moment += self.rng.randrange(3)
        return self.moment

    def _look_round(self) -> None:
        """Learn from the store what there is to write about."""
        self.comments: dict[str, list[CommentPosted]] = {key: [] for key in (*THREADS, QUIET)}
        self.known: list[Event] = []
        for event in self._tried(lambda: list(self.store.export())):
            self._learn(event)

    def _learn(self, event: Event) -> None:
        self.known.append(event)
        self.moment = max(self.moment, time_of(event.id))
        self.latest = max(self.latest, event.id)
        comments = self.comments[event.thread]
        if isinstance(event, CommentPosted):
            comments.append(event)
        elif isinstance(event, CommentErased | CommentDeleted):
            comments[:] = [posted for posted in comments if posted.id != event.comment]
        elif isinstance(event, PersonErased):
            comments[:] = [posted for posted in comments if not (posted.actor and posted.actor.id == event.person)]

    # --- what it does ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Do what the job asks for."""
        for kind in self._kinds():
            getattr(self, f"_do_{kind}")()

    def close(self) -> None:
        """Close the store."""
        self._tried(self.store.close)

    def _kinds(self) -> Iterator[str]:
        if not self.job.operations:
            yield from self.job.kinds
            return
        for _ in range(self.job.operations):
            yield self.rng.choices(list(LIKELY), list(LIKELY.values()))[0]

    def _id(self) -> str:
        return self.clock.mint(after=self.latest)

    def _text(self) -> str:
        """Return a text that occurs nowhere else, some of them long enough for pages of their own."""
        token = f"<{self.rng.getrandbits(64):016x}>"
        return token + " words" * self.rng.choice([1, 1, 10, 100, 900])

    def _begin(self, kind: str, request: Any) -> None:
        self.number += 1
        self.told.operation = self.number
        self.say("try", self.number, kind, request, self.moment)

    def _execute(self, command: c.Command) -> None:
        self._begin("command", msgspec.json.encode(command).decode())
        try:
            answer = self._tried(lambda: self.store.execute(command))
        except Rejected as error:
            self.say("refused", self.number, error.code)
            return
        self.say("done", self.number, answer)
        record = self._tried(lambda: self.log.find(answer))
        if answer == command.id and record is not None:
            self._learn(record.event)

    def _merge(self, events: list[Event]) -> None:
        self._begin("merge", [encode(event).hex() for event in events])
        new = self._tried(lambda: self.store.merge(events))
        self.say("done", self.number, new)
        for event in events:
            self._learn(event)

    def _thread(self) -> str:
        return self.rng.choice((*THREADS, QUIET))

    def _some(self, among: Sequence[str] = (*THREADS, QUIET)) -> CommentPosted | None:
        """Return a comment of one of these threads, or None having posted the first."""
        keys = [key for key in among if self.comments[key]]
        if keys:
            return self.rng.choice(self.comments[self.rng.choice(keys)][-30:])
        self._execute(c.Post(thread=among[0], by=self.rng.choice(READERS), id=self._id(), body=self._text()))
        return None

    def _do_post(self) -> None:
        by = self.rng.choice([None, *READERS])
        held, spoiler = self.rng.random() < 0.2, self.rng.random() < 0.1
        self._execute(c.Post(thread=self._thread(), by=by, id=self._id(), body=self._text(), held=held, spoiler=spoiler))

    def _do_reply(self) -> None:
        if to := self._some():
            by = self.rng.choice(READERS)
            self._execute(c.Post(thread=to.thread, by=by, id=self._id(), parent=to.id, body=self._text()))

    def _do_edit(self) -> None:
        if comment := self._some():
            by = comment.actor or MODERATOR
            self._execute(c.Edit(thread=comment.thread, by=by, id=self._id(), comment=comment.id, body=self._text()))

    def _do_react(self) -> None:
        if comment := self._some():
            by = self.rng.choice(READERS)
            kind = self.rng.choice([c.React, c.React, c.Unreact])
            self._execute(kind(thread=comment.thread, by=by, id=self._id(), comment=comment.id))

    def _do_moderate(self) -> None:
        """Moderate: reports and an approval that resolves them make a batch of several events."""
        if comment := self._some():
            on = {"thread": comment.thread, "comment": comment.id}
            self._execute(c.Report(**on, by=self.rng.choice(READERS), id=self._id(), reason=self._text()[:2_000]))
            self._execute(c.Report(**on, id=self._id(), reason=self._text()[:2_000]))
            self._execute(c.Hold(**on, by=MODERATOR, id=self._id(), reason=self._text()[:2_000]))
            self._execute(c.Approve(**on, by=MODERATOR, id=self._id()))

    def _do_remove(self) -> None:
        if comment := self._some():
            on = {"thread": comment.thread, "comment": comment.id, "by": MODERATOR}
            self._execute(c.Remove(**on, id=self._id(), reason=self._text()[:2_000]))
            if self.rng.random() < 0.5:
                self._execute(c.Restore(**on, id=self._id()))

    def _do_lock(self) -> None:
        key = self._thread()
        self._execute(c.Lock(thread=key, by=MODERATOR, id=self._id(), reason=self._text()[:2_000]))
        self._execute(c.Unlock(thread=key, by=MODERATOR, id=self._id()))

    def _do_correct(self) -> None:
        key, id = self._thread(), self._id()
        quote = TextQuote(exact=self._text()[:60])
        self._execute(c.SuggestCorrection(thread=key, by=READERS[0], id=id, quote=quote, suggestion=self._text()[:500]))
        self._execute(c.DecideCorrection(thread=key, by=MODERATOR, id=self._id(), correction=id, outcome="accepted"))

    def _do_delete(self) -> None:
        if (comment := self._some()) and comment.actor:
            self._execute(c.Delete(thread=comment.thread, by=comment.actor, id=self._id(), comment=comment.id))

    def _do_erase(self) -> None:
        if comment := self._some(THREADS):
            self._execute(c.Erase(thread=comment.thread, by=MODERATOR, id=self._id(), comment=comment.id))

    def _do_erase_person(self) -> None:
        if comment := self._some(THREADS):
            person = (comment.actor or READERS[0]).id
            self._execute(c.ErasePerson(thread=comment.thread, by=MODERATOR, id=self._id(), person=person))

    def _do_merge(self) -> None:
        """Take in another replica's events: of several threads, some known, with an erasure of what comes with it."""
        events: list[Event] = self.rng.sample(self.known, min(3, len(self.known)))
        for key in self.rng.sample((*THREADS, QUIET), 2):
            for number in range(self.rng.choice([2, 5, 30])):
                id = self._id()
                self.latest = id
                by = self.rng.choice(READERS)
                if number % 3 == 2:
                    events.append(ReactionGiven(id=id, thread=key, actor=by, comment=events[-1].id, kind="support"))
                else:
                    events.append(CommentPosted(id=id, thread=key, actor=by, parent=None, body=self._text()))
            if key != QUIET and self.rng.random() < 0.5:
                posted = next(event for event in reversed(events) if isinstance(event, CommentPosted))
                id = self.latest = self._id()
                events.append(CommentErased(id=id, thread=posted.thread, actor=MODERATOR, comment=posted.id))
        self._merge(events)

    def _do_orphan(self) -> None:
        """Take in a reply whose parent is not there yet."""
        missing = make_id(time_of(self._id()) - 5, 0, self.rng.getrandbits(62))
        orphan = CommentPosted(id=self._id(), thread=self._thread(), actor=READERS[1], parent=missing, body=self._text())
        self._merge([orphan])

    def _do_read(self) -> None:
        """Read."""
        for key in (*THREADS, QUIET):
            self._tried(lambda key=key: self.store.thread(key).view(reader=MODERATOR))

    def _do_rebuild(self) -> None:
        """Make the rows of threads anew, of one at once and of the others in portions."""
        for large, key in zip((1 << 60, 1, 1), (QUIET, *THREADS), strict=True):
            rebuilding.LARGE = large
            rebuilding._GENTLE = rebuilding._HASTY = rebuilding._Pace(5, 0.0, 0.0)
            self._tried(lambda key=key: self.store.rebuild_thread(key))

    def _do_reopen(self) -> None:
        self.close()
        self.store = self._tried(self._open)
        self.latest = max([event.id for event in self._tried(lambda: list(self.store.export()))], default=NIL)


LIKELY = {
    "post": 20,
    "reply": 15,
    "edit": 10,
    "react": 15,
    "moderate": 6,
    "remove": 6,
    "lock": 3,
    "correct": 4,
    "delete": 2,
    "erase": 6,
    "erase_person": 2,
    "merge": 6,
    "orphan": 2,
    "read": 5,
    "rebuild": 2,
    "reopen": 2,
}
#: One of each, some of them twice: what every boundary is tried in.
SCENARIO = (
    "post",
    "reply",
    "edit",
    "react",
    "moderate",
    "rebuild",
    "merge",
    "erase",
    "read",
    "lock",
    "remove",
    "correct",
    "delete",
    "orphan",
    "reopen",
    "merge",
    "erase_person",
    "post",
    "rebuild",
    "read",
)


def sayer(pipe: int, mark: Callable[[str], None] = lambda line: None) -> Say:
    """Return a function that says something on a pipe, and to *mark*."""

    def say(*words: Any) -> None:
        line = json.dumps(words)
        os.write(pipe, line.encode() + b"\n")
        mark(line)

    return say


def write(job: Job, pipe: int) -> None:
    """Be the writing process, from opening the store to the end, whichever comes."""
    disk = Disk()
    statements = Counted.statements = Statements()
    if job.steps == "statements":
        statements.fault = job.fault
    elif job.fault is not None or job.steps == "recorded":
        assert disk.install(), "this Python's SQLite can not be reached"
        disk.fault = job.fault
    if job.steps == "recorded":
        disk.recorded = []
    say = sayer(pipe, disk.mark)
    writer = Writer(job, say)
    writer.run()
    writer.close()
    if disk.recorded is not None:
        Path(f"{job.path}.steps").write_bytes(pickle.dumps(disk.recorded))
    say("steps", disk.steps or statements.steps)
