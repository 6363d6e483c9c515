"""
Kill writing processes, and look what is left: ``python child_crash.py '{"folder": …, "seed": …, "way": …, "kills":
…}'``; with "upto" only the first so many steps are tried.

The ways: "moment", a writer is killed after a random time, and the next one goes on with the same file; "statement", it
is killed before or after the n-th SQL statement; "step", before, amid or after the n-th write, truncation, sync or
deletion of a file; "beside", at a step, too, while another process has the store open and goes on with it; "lifted",
before or after a statement, while it opens a file of an older schema.

This process imports the library once and opens no store itself: writers and examiners are forked from it, which takes
milliseconds where starting Python takes a second. It prints ``{"done": n, "of": m}`` as it goes on, and in the end the
figures, `complaints` among them: one for each promise that was found broken.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import select
import signal
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from child_disk import Disk, Fault
from child_writer import MODERATOR, QUIET, SCENARIO, Job, write

import threadstore
from threadstore.errors import Rejected
from threadstore.log.protocol import Record
from threadstore.model import commands as c
from threadstore.model.codec import decode
from threadstore.model.erasure import Erasure, is_redacted, same_fact
from threadstore.model.events import CommentErased, CommentPosted, CorrectionSuggested, Event, PersonErased
from threadstore.store.store import ThreadStore
from threadstore.views.thread import fold

_TOKEN = re.compile(rb"<[0-9a-f]{16}>")
_commands = msgspec.json.Decoder(c.AnyCommand)
#: No writer and no examiner takes longer than so many seconds.
_PATIENCE = 60


# --- processes ----------------------------------------------------------------------------------------------------------------


class Life(NamedTuple):
    """What a forked process wrote into its pipe, and how it ended: "ended", "killed", "failed" or "hung"."""

    said: bytes
    end: str


def run_forked(
    body: Callable[[int], None], kill_after: float | None = None, meanwhile: Callable[[], None] = lambda: None
) -> Life:
    """Run *body* with a pipe to write to in a process of its own, which gets a SIGKILL after *kill_after* seconds."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reading)
            body(writing)
            code = 0
        except BaseException:  # noqa: BLE001 - it is told, and the process ends
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    meanwhile()
    said, is_late = _hear(reading, pid, _PATIENCE if kill_after is None else kill_after)
    os.close(reading)
    _, status = os.waitpid(pid, 0)  # not earlier, so that its number can not pass to another process before it is killed
    if os.WIFSIGNALED(status):
        is_hung = is_late and kill_after is None
        return Life(said, "hung" if is_hung else "killed" if os.WTERMSIG(status) == signal.SIGKILL else "failed")
    return Life(said, "failed" if os.waitstatus_to_exitcode(status) else "ended")


def _hear(pipe: int, pid: int, patience: float) -> tuple[bytes, bool]:
    said, is_late = bytearray(), False
    deadline = time.monotonic() + patience
    while True:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            os.kill(pid, signal.SIGKILL)
            is_late, deadline = True, time.monotonic() + _PATIENCE
            continue
        piece = os.read(pipe, 1 << 16)
        if not piece:
            return bytes(said), is_late
        said += piece


# --- what is known of a file --------------------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """What one transaction appends; *positions* is None as long as it is not known to be committed."""

    operation: int
    events: list[Event]
    erasures: list[tuple[str, Erasure]]
    positions: list[int] | None


class Operation(NamedTuple):
    """What a caller asked for, and whether there was an answer: "done", "refused" or, if none came, None."""

    kind: str
    request: Any
    outcome: str | None
    answer: Any


class Ledger:
    """All that was promised of one file, over the lives of all its writers."""

    def __init__(self) -> None:
        self.offered: dict[str, Event] = {}
        """Every event that a log was ever given, with its words."""
        self.promised: dict[str, int] = {}
        """The positions of the acknowledged events."""
        self.found: dict[int, Record] = {}
        """What was there at the last look."""
        self.effective: list[Event] = []
        """The acknowledged erasures."""
        self.moment = 0
        """What a writer's clock had come to."""
        self.batches: list[Batch] = []
        self.operations: dict[int, Operation] = {}
        self.steps = 0
        self.is_older = False
        """Whether it was of an older schema, so that rows are made when a thread is first used."""

    def hear(self, said: bytes) -> None:
        """Take in what a writer said in its life."""
        self.batches, self.operations = [], {}
        for line in said.split(b"\n")[:-1]:
            word, number, *rest = json.loads(line)
            match word, rest:
                case "try", [kind, request, moment]:
                    self.operations[number] = Operation(kind, request, None, None)
                    self.moment = moment
                    if kind == "merge":  # what is stored of it may have lost its words before
                        self._offer([decode(bytes.fromhex(event)) for event in request])
                case "batch", [events, erasures]:
                    decoded = [decode(bytes.fromhex(event)) for event in events]
                    self._offer(decoded)
                    erased = [(thread, Erasure(*what)) for thread, *what in erasures]
                    self.batches.append(Batch(number, decoded, erased, None))
                case "at", [positions]:
                    self.batches[-1] = batch = self.batches[-1]._replace(positions=positions)
                    self.promised.update({event.id: place for event, place in zip(batch.events, positions, strict=True)})
                case (("done" | "refused"), [answer]):
                    self.operations[number] = self.operations[number]._replace(outcome=word, answer=answer)
                    self._acknowledge(number)
                case "steps", []:
                    self.steps = number

    def _offer(self, events: Iterable[Event]) -> None:
        self.offered.update({event.id: event for event in events if event.id not in self.offered})

    def _acknowledge(self, number: int) -> None:
        answered = [batch for batch in self.batches if batch.operation == number]
        self.effective += [
            event for batch in answered for event in batch.events if isinstance(event, CommentErased | PersonErased)
        ]

    def forgotten(self, erasures: Iterable[Event]) -> set[bytes]:
        """Return the tokens of the texts that *erasures* absorb, by this program's own reckoning."""
        tokens: set[bytes] = set()
        for erasure in erasures:
            for event in self.offered.values():
                if event.thread == erasure.thread and _absorbs(erasure, event):
                    tokens.update(_TOKEN.findall(msgspec.json.encode(event)))
        return tokens


def _absorbs(erasure: Event, event: Event) -> bool:
    if isinstance(erasure, CommentErased):
        about = getattr(event, "comment", None) or getattr(event, "correction", None)
        is_it = isinstance(event, CommentPosted | CorrectionSuggested) and event.id == erasure.comment
        return is_it or about == erasure.comment
    return event.actor is not None and event.actor.id == erasure.person and event.id < erasure.id


# --- looking ------------------------------------------------------------------------------------------------------------------


class Finding(NamedTuple):
    """What an examination found: broken promises, and the file's records."""

    complaints: list[str]
    records: list[Record]
    figures: Counter[str]


def examine(path: Path, ledger: Ledger, *, erased_when_killed: bool = True) -> Finding:
    """Look at a file whose writer was killed, repeat what was asked for, and look again."""
    look = Look(path, ledger)
    if erased_when_killed:
        look.at_bytes("as it was left", ledger.effective)
    with look.opened() as store:
        look.at_bytes("once opened", filter(is_erasure, store.export()))  # nobody else is there to miss this process's locks
        look.at_records(store)
        look.at_batches(store)
        look.at_threads(store)
        look.repeat_lost(store)
        look.repeat_answered(store)
        look.at_threads(store)
        before = look.records
        erasures = [record.event for record in before if is_erasure(record.event)]
    look.at_bytes("after closing", erasures)
    with look.opened() as store:
        look.expect(list(store.log.read_all()) == before, "closing and opening moves or changes records")
        look.expect(not list(store.verify()), "verify finds damage after opening again")
    return Finding(look.complaints, before, look.figures)


def is_erasure(event: Event) -> bool:
    """Return whether *event* makes the store forget texts."""
    return isinstance(event, CommentErased | PersonErased)


class Look:
    """What an examiner looks at."""

    def __init__(self, path: Path, ledger: Ledger) -> None:
        self.path, self.ledger = path, ledger
        self.complaints: list[str] = []
        self.records: list[Record] = []
        self.figures: Counter[str] = Counter()

    def expect(self, holds: bool, complaint: str) -> None:
        if not holds:
            self.complaints.append(complaint)

    def opened(self) -> ThreadStore:
        return threadstore.open(self.path, durability="off", now=lambda: self.ledger.moment)

    def at_bytes(self, when: str, erasures: Iterable[Event]) -> None:
        """
        No file of the store holds a word that was erased.

        Shared memory is not looked at. A process that recovers a WAL without one whole frame copies a buffer into it that
        SQLite has not cleared, so what is found there may be this very process's memory, which knows all words.
        """
        gone = self.ledger.forgotten(erasures)
        self.figures["tokens searched for"] += len(gone)
        for file in set(self.path.parent.glob(f"{self.path.name}*")) - {self.path.with_name(f"{self.path.name}-shm")}:
            left = gone.intersection(_TOKEN.findall(file.read_bytes()))
            self.expect(not left, f"{when}, {file.name} holds {len(left)} erased texts, such as {sorted(left)[:1]}")

    def at_records(self, store: ThreadStore) -> None:
        """Positions and revisions are dense, nothing has moved, nothing acknowledged is missing, and nothing is damaged."""
        ledger = self.ledger
        self.records = list(store.log.read_all())
        self.expect([record.position for record in self.records] == [*range(1, len(self.records) + 1)], "positions are not dense")
        revisions: Counter[str] = Counter()
        for record in self.records:
            revisions[record.thread] += 1
            self.expect(
                record.revision == revisions[record.thread], f"revision {record.revision} of {record.thread} is not dense"
            )
        at = {record.event.id: record.position for record in self.records}
        for id, position in ledger.promised.items():
            self.expect(at.get(id) == position, f"{id} was acknowledged at {position} and is at {at.get(id)}")
        for position, former in ledger.found.items():
            record = self.records[position - 1] if position <= len(self.records) else None
            is_kept = record is not None and record.thread == former.thread and same_fact(record.event, former.event)
            self.expect(is_kept, f"what was at {position} has changed")
            if record is not None and (former.thread == QUIET or is_redacted(former.event)):
                self.expect(record == former, f"bytes at {position} have changed, though nothing of them was erased")
        damage = list(store.verify())
        self.expect(not damage, f"verify finds {damage[:3]}")
        self.figures["events acknowledged"] += sum(len(batch.events) for batch in ledger.batches if batch.positions)

    def at_batches(self, store: ThreadStore) -> None:
        """What one transaction appended is there together, in its order, or not at all."""
        at = {record.event.id: record.position for record in self.records}
        seen = {record.event.id for record in self.ledger.found.values()}
        for batch in self.ledger.batches:
            new = [id for id in dict.fromkeys(event.id for event in batch.events) if id not in seen]
            places = [at[id] for id in new if id in at]
            if new and not places and batch.positions is None:
                self.figures["batches that were not stored"] += 1
                continue
            seen.update(new)
            self.expect(len(places) == len(new), f"of a batch of {len(new)} there are {len(places)}")
            self.expect(not places or places == [*range(places[0], places[0] + len(new))], "a batch is scattered")
            if batch.positions is None:
                self.figures["batches stored whose answer was lost"] += 1

    def at_threads(self, store: ThreadStore) -> None:
        """What the store shows of each thread is what a fold of its events shows, from rows that are of all of them."""
        made = store.rebuild()
        self.expect(made == 0 or self.ledger.is_older, "the rows of a thread are not of all its events")
        threads: dict[str, list[Event]] = {}
        for event in store.export():
            threads.setdefault(event.thread, []).append(event)
        self.expect(list(store.threads()) == list(threads), "the threads are others, or in another order")
        for key, events in threads.items():
            replay, kept = fold(events), store.thread(key)
            self.figures["threads compared"] += 1
            self.expect(kept.digest() == replay.digest(), f"the digest of {key} is not that of a replay")
            seen = {"reader": MODERATOR, "reveal": "all", "limit": 100, "rows": 300}
            self.expect(kept.counts() == replay.counts(), f"the counts of {key} are not those of a replay")
            for order in ("oldest", "top", "active"):
                mine, theirs = kept.view(order=order, **seen), replay.view(order=order, **seen)
                self.expect(mine.comments == theirs.comments, f"the view of {key} by {order} is not that of a replay")
            mine, theirs = kept.flat(limit=100, order="newest"), replay.flat(limit=100, order="newest")
            self.expect(mine.comments == theirs.comments, f"the list of {key} is not that of a replay")
            self.expect(kept.queue().items == replay.queue().items, f"the queue of {key} is not that of a replay")

    # --- repeating ------------------------------------------------------------------------------------------------------------

    def repeat_lost(self, store: ThreadStore) -> None:
        """A request whose answer was lost happens once when it is repeated, wherever it had come to."""
        for number, operation in self.ledger.operations.items():
            if operation.outcome is None:
                self._repeat_lost(store, number, operation)

    def repeat_answered(self, store: ThreadStore) -> None:
        """A request that was answered changes nothing when it is repeated."""
        length = store.log.position()
        for operation in self.ledger.operations.values():
            self._repeat_answered(store, operation)
        for batch in self.ledger.batches:
            if batch.positions is not None:
                at = dict(zip((event.id for event in batch.events), batch.positions, strict=True))
                for key in {event.thread for event in batch.events}:
                    events = [event for event in batch.events if event.thread == key]
                    erasures = [erasure for thread, erasure in batch.erasures if thread == key]
                    again = store.log.append(key, events, erasures=erasures)
                    expected = [at[event.id] for event in events], 0
                    self.expect((list(again.positions), again.new) == expected, f"a batch repeated gave {again}")
        self.expect(store.log.position() == length, "what was acknowledged was stored again when it was repeated")
        self.records = list(store.log.read_all())
        damage = list(store.verify())
        self.expect(not damage, f"after repeating, verify finds {damage[:3]}")

    def _repeat_lost(self, store: ThreadStore, number: int, operation: Operation) -> None:
        given = [batch for batch in self.ledger.batches if batch.operation == number]
        try:
            places = [self._ask(store, operation) and self._places(store, given) for _ in range(2)]
        except Rejected as error:
            self.expect(not given, f"{str(operation.request)[:200]} was decided once, and then refused: {error!r}")
            return
        self.figures["requests repeated whose answer was lost"] += 1
        self.expect(None not in places[0], f"{str(operation.request)[:200]} was repeated, and some of its events are missing")
        self.expect(places[0] == places[1], f"{str(operation.request)[:200]} was repeated, and is at {places}")

    def _ask(self, store: ThreadStore, operation: Operation) -> Any:
        if operation.kind == "command":
            return store.execute(_commands.decode(operation.request))
        return [store.merge([decode(bytes.fromhex(event)) for event in operation.request])]

    def _places(self, store: ThreadStore, batches: list[Batch]) -> list[int | None]:
        found = [store.log.find(event.id) for batch in batches for event in batch.events]
        return [None if record is None else record.position for record in found]

    def _repeat_answered(self, store: ThreadStore, operation: Operation) -> None:
        if operation.outcome != "done":
            return
        if operation.kind == "merge":
            self.expect(self._ask(store, operation) == [0], "a merge repeated stored something")
        elif operation.answer == _commands.decode(operation.request).id:  # else it changed nothing, which later may be otherwise
            self.expect(
                self._ask(store, operation) == operation.answer, f"{str(operation.request)[:200]} repeated has another answer"
            )


# --- killing ------------------------------------------------------------------------------------------------------------------


class Killer:
    """Kills writers in one way, and adds up what was found."""

    def __init__(self, folder: str, seed: int, way: str, kills: int, upto: int = 1 << 30) -> None:
        self.folder, self.seed, self.way, self.kills, self.upto = Path(folder), seed, way, kills, upto
        self.rng = random.Random(seed)
        self.figures: Counter[str] = Counter(kills=0)
        self.complaints: list[str] = []
        self.files = 0

    def run(self) -> dict[str, Any]:
        """Kill as often as was asked for, or until a promise is found broken."""
        ways = {"moment": self._kill_at_moments, "beside": self._kill_beside, "lifted": self._kill_lifting}
        for _ in ways.get(self.way, self._kill_at_steps)():
            self.figures["kills"] += 1
            if self.figures["kills"] % 10 == 0:
                tell({"done": self.figures["kills"], "of": self.kills})
            if self.complaints or self.figures["kills"] >= self.kills:
                break
        return {"complaints": self.complaints[:20], **self.figures}

    def _new_file(self) -> tuple[Path, Ledger]:
        for file in self.folder.glob("*.db*"):
            file.unlink()
        self.files += 1
        return self.folder / f"{self.files}.db", Ledger()

    def _live(self, job: Job, ledger: Ledger, kill_after: float | None = None) -> bool:
        """Let a writer live until it is killed, and look what is left; return whether it was killed at all."""
        life = run_forked(lambda pipe: write(job, pipe), kill_after)
        ledger.hear(life.said)
        if life.end in ("failed", "hung"):
            self.complaints.append(f"{job}: the writer {life.end}")
            return True
        self._examine(job, ledger)
        return life.end == "killed"

    def _examine(self, job: Job, ledger: Ledger) -> None:
        life = run_forked(lambda pipe: _dump(examine(Path(job.path), ledger), pipe))
        if life.end != "ended":
            self.complaints.append(f"{job}: the examiner {life.end}")
            return
        self._take_in(job, ledger, pickle.loads(life.said))

    def _take_in(self, job: Job, ledger: Ledger, finding: Finding) -> None:
        self.complaints += [f"{job}: {complaint}" for complaint in finding.complaints]
        self.figures += finding.figures
        ledger.found = {record.position: record for record in finding.records}
        ledger.promised.update({record.event.id: record.position for record in finding.records})
        ledger.offered.update({e.id: e for e in (r.event for r in finding.records) if e.id not in ledger.offered})

    def _kill_at_moments(self) -> Iterator[None]:
        """Kill one writer after another over the same file, and now and then begin a new file."""
        while True:
            path, ledger = self._new_file()
            for _ in range(self.rng.randrange(1, 21)):
                durability = self.rng.choice(["full", "normal"])
                job = Job(str(path), self.rng.getrandbits(32), 10_000, durability)
                self._live(job, ledger, self.rng.uniform(0.0, 0.06))
                yield

    def _kill_at_steps(self) -> Iterator[None]:
        """Kill at every step of the scenario, in every way, or at as many of them as there are kills."""
        steps = {"statement": "statements", "step": "disk"}[self.way]
        jobs = [Job("", self.seed, 0, durability, _NEVER, steps, SCENARIO) for durability in ("full", "normal")]
        for job, ledger in self._at_each_step(jobs, ()):
            if not self._live(job, ledger):
                self.complaints.append(f"{job}: the writer was to be killed, and was not")
            yield

    def _kill_beside(self) -> Iterator[None]:
        """Kill a writer at each step while another process, which has had the store open all along, takes over."""
        jobs = [Job("", self.seed + 1, 0, "normal", _NEVER, steps, _BESIDE) for steps in ("statements", "disk")]
        for job, ledger in self._at_each_step(jobs, _BEFORE):
            life = run_forked(lambda pipe, job=job, ledger=ledger: _survive(job, ledger, pipe))
            if life.end != "ended":
                self.complaints.append(f"{job}: the survivor {life.end}")
                break
            heard, finding = pickle.loads(life.said)
            ledger.hear(heard)
            self._take_in(job, ledger, finding)
            ledger.batches, ledger.operations = [], {}
            self._examine(job, ledger)
            yield

    def _kill_lifting(self) -> Iterator[None]:
        """Kill at every step of opening a file of an older schema, which brings it up to date."""
        jobs = [Job("", self.seed, 0, "normal", _NEVER, steps, ()) for steps in ("statements", "disk")]
        for job, ledger in self._at_each_step(jobs, (*_BEFORE, "erase", "post"), older=True):
            self._live(job, ledger)
            yield

    def _at_each_step(self, jobs: list[Job], before: tuple[str, ...], *, older: bool = False) -> Iterator[tuple[Job, Ledger]]:
        """
        Yield each of the *jobs* with a fault for each way to die at each of its steps, and what is known of its file.

        If there are to be fewer kills, it is a sample of them. Something is in the file *before*.
        """
        faulty: list[Job] = []
        for job in jobs:
            dry, ledger = self._prepared(job, before, older=older)
            self._live(dry, ledger)
            for at in range(1, min(ledger.steps, self.upto) + 1):
                hows = ("kill before", "kill after", "kill amid") if job.steps == "disk" else ("kill before", "kill after")
                faulty += [job._replace(fault=Fault(at, how)) for how in hows]
        self.figures["boundaries"] = len(faulty)
        self.kills = min(self.kills, len(faulty))
        for job in self.rng.sample(faulty, self.kills):
            yield self._prepared(job, before, older=older)

    def _prepared(self, job: Job, before: tuple[str, ...], *, older: bool = False) -> tuple[Job, Ledger]:
        path, ledger = self._new_file()
        if before:
            self._live(Job(str(path), self.seed, kinds=before), ledger)
        if older:
            ledger.is_older = True
            run_forked(lambda pipe: make_older(path))  # this process never opens a file of a store itself
        return job._replace(path=str(path)), ledger


_OLDER = """
    DROP TRIGGER events_stay;
    ALTER TABLE threads RENAME TO newer_threads;
    ALTER TABLE events RENAME TO newer_events;
    CREATE TABLE threads (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL) STRICT;
    CREATE TABLE events (
        position INTEGER PRIMARY KEY AUTOINCREMENT, thread INTEGER NOT NULL REFERENCES threads (id), revision INTEGER NOT NULL,
        id BLOB NOT NULL UNIQUE, head BLOB NOT NULL, crc BLOB NOT NULL, data BLOB NOT NULL, UNIQUE (thread, revision)) STRICT;
    INSERT INTO threads SELECT id, key, revision FROM newer_threads;
    INSERT INTO events SELECT position, thread, revision, id, x'', crc, data FROM newer_events;
    DROP TABLE newer_events;
    DROP TABLE newer_threads;
    DROP TABLE comments;
    DROP TABLE reactions;
    DROP TABLE facts;
    DROP TABLE authors;
    DROP TABLE names;
    CREATE TABLE snapshots (thread TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;
    INSERT INTO snapshots VALUES ('t', x'00');
    PRAGMA user_version = 2;
"""


def make_older(path: Path) -> None:
    """Make of a store what the release before would have made of its events."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA secure_delete = ON;" + _OLDER)


#: What was written before, and what the writer does that is killed beside a survivor.
_BEFORE = ("post", "reply", "moderate", "merge", "rebuild")
_BESIDE = ("erase", "post", "erase_person", "merge", "edit")
_NEVER = Fault(1 << 60, "kill before")


def _dump(what: object, pipe: int) -> None:
    with os.fdopen(pipe, "wb") as stream:
        pickle.dump(what, stream)


def _survive(job: Job, ledger: Ledger, pipe: int) -> None:
    """
    Have the store open while a writer is killed, then repeat what it had begun; with the store still open, look at the
    files' bytes.

    The writer is forked before the store is opened, and waits until it is.
    """
    waiting, ready = os.pipe()
    os.set_inheritable(ready, False)

    def body(said: int) -> None:
        os.close(ready)
        os.read(waiting, 1)
        write(job, said)

    look = Look(Path(job.path), ledger)
    opened: list[ThreadStore] = []

    def open_meanwhile() -> None:
        opened.append(look.opened())
        opened[0].counts(opened[0].threads())
        os.close(ready)

    life = run_forked(body, meanwhile=open_meanwhile)
    ledger.hear(life.said)
    with opened[0] as store:
        look.at_records(store)
        look.at_batches(store)
        look.at_threads(store)
        look.repeat_lost(store)
        look.at_bytes("while a survivor has it open", filter(is_erasure, store.export()))
        look.repeat_answered(store)
        look.at_threads(store)
    _dump((life.said, Finding(look.complaints, look.records, look.figures)), pipe)


def tell(what: dict[str, Any]) -> None:
    """Print a line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(program: Callable[..., Any]) -> None:
    """Run a program with the arguments of the command line, and print what it finds; or why it can not be run here."""
    what = json.loads(sys.argv[1])
    if what.get("way") in ("moment", "statement", "cut", "torn") or run_forked(_watch).end == "ended":
        found = program(**what).run()
    else:
        found = {"skipped": "this Python's SQLite can not be reached, so its steps on the disk can not be counted"}
    tell(found)


def _watch(pipe: int) -> None:
    assert Disk().install()


if __name__ == "__main__":
    main(Killer)
