"""
Tier 3: three replicas on three logs, cut off from one another, restarted, and healed.

One replica keeps its events in memory, one in a SQLite file, one in a SQLite file whose stores can hold no thread in memory, so
every use starts cold. Each is run by two processes, which take turns. They take commands as an application would, on clocks that
do not agree; what they hold is exchanged through `export` and `merge`.

After every step the replica that was touched is held against the naive specification. What a step does is drawn from one seed:
left to draw each choice by itself, Hypothesis repeats a few of them and leaves half of the commands out.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import hypothesis
import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from threadstore import (
    Actor,
    CommentPosted,
    CorrectionSuggested,
    Event,
    Policy,
    Rejected,
    StoredThread,
    TextQuote,
    ThreadStore,
    fold,
)
from threadstore.model.erasure import is_redacted
from threadstore.model.status import erasure_of
from threadstore.testing.laws import ThreadReading
from threadstore.testing.places import Place, Wall
from threadstore.testing.reading import Reading
from threadstore.testing.spec import Spec
from threadstore.testing.stored import rows_agree

KEY = "article"
POLICY = Policy(report_threshold=2, kinds={"support", "up", "down"}, exclusive=[{"up", "down"}])
ANN, MODERATOR = Actor("ann", "Ann Lee"), Actor("mo", "Mo", "moderator")
PEOPLE = (ANN, Actor("jo", "Jo Park"), MODERATOR, Actor("leo", "Lee, Highest Level", "author"), Actor("eve", "Eve", "editor"))
FORGETTABLE = tuple(person for person in PEOPLE if person != MODERATOR)
STRANGER = CommentPosted(id="0190163d-8694-739b-aea5-966c26f8ad91", thread=KEY, actor=ANN, body="")

AUTHORS = ("delete", "mark_spoiler", "clear_spoiler", "edit", "edit")
STAFF = ("edit", "hold", "approve", "approve", "remove", "restore", "restore", "pin", "unpin", "resolve_reports", "erase")
THREADS = ("lock", "unlock", "unlock", "describe")
ANYBODY = ("post", "post", "reply", "reply", "reply", "react", "react", "unreact", "report", "report", "suggest")
COMMANDS = (*AUTHORS, *STAFF, *THREADS, *ANYBODY, "decide", "decide")

replicas = st.integers(0, 2)
seeds = st.integers(0, 1 << 30)

#: How often each thing was done, and how often it was rejected: a machine that does nothing finds nothing.
DONE: Counter[str] = Counter()


class Replica:
    """Two processes that share a log and a wall clock, which is a little off."""

    def __init__(self, path: Path | None, *, skew: int) -> None:
        self.wall = Wall(Wall().ms + skew)
        self._place = Place(path, wall=self.wall)
        self._random = Random(skew)
        self._processes = [self._start(), self._start()]
        self.is_checked = False

    def _start(self) -> ThreadStore:
        return self._place.open(policy=POLICY, random=self._random.getrandbits)

    def restart(self) -> None:
        """Let a new process take the place of the one whose turn it was."""
        self._processes[0] = self._start()

    def close(self) -> None:
        """Stop all processes."""
        self._place.close()

    @property
    def store(self) -> ThreadStore:
        """The store of the process whose turn it is."""
        self._processes.reverse()
        return self._processes[0]

    @property
    def thread(self) -> StoredThread:
        """The thread that all replicas are about."""
        return self.store.thread(KEY)

    def said(self, kind: type[CommentPosted | CorrectionSuggested], random: Random) -> Event:
        """Return one of the comments or corrections that are known here, or now and then one that nobody has heard of."""
        known = [event for event in self.store.export() if isinstance(event, kind)]
        return random.choice(known[-6:]) if known and random.random() < 0.95 else STRANGER

    def take_from(self, other: Replica) -> None:
        """Merge all that *other* holds, in another order than it came there."""
        events = list(other.store.export())
        self._random.shuffle(events)
        self.store.merge(events)
        self.is_checked = False


def command(replica: Replica, random: Random, words: str) -> tuple[str, Callable[[StoredThread], str]]:
    """Return the name of something to do, and how: mostly what can be done, by whoever may."""
    name = random.choice(COMMANDS)
    anybody = random.choice(PEOPLE)
    forger = anybody if random.random() < 0.1 else None
    if name == "post":
        return name, lambda thread: thread.post(words, by=random.choice([None, anybody]), **flags(random))
    if name == "suggest":
        return name, lambda thread: thread.suggest_correction(TextQuote("teh"), words, by=anybody)
    if name in THREADS:
        more = {"title": words} if name == "describe" else {}
        return name, lambda thread: getattr(thread, name)(by=forger or MODERATOR, **more)
    if name == "decide":
        correction, outcome = replica.said(CorrectionSuggested, random).id, random.choice(["accepted", "declined", "reopened"])
        return name, lambda thread: thread.decide_correction(correction, outcome, by=forger or MODERATOR, note=words)
    comment = replica.said(CommentPosted, random)
    if name == "reply":
        body = f"@{anybody.name}, {words}"
        return name, lambda thread: thread.reply(comment.id, body, by=random.choice([None, *PEOPLE]), **flags(random))
    if name == "edit":
        editor = forger or random.choice([comment.actor, MODERATOR])
        return name, lambda thread: thread.edit(comment.id, f"{words}e{random.randrange(3)}", by=editor)
    if name in ("react", "unreact"):
        return name, lambda thread: getattr(thread, name)(comment.id, random.choice(["support", "up", "down"]), by=anybody)
    by = anybody if name == "report" else forger or (MODERATOR if name in STAFF else comment.actor)
    return name, lambda thread: getattr(thread, name)(comment.id, by=by)


def flags(random: Random) -> dict[str, bool]:
    """Return what a post is marked with."""
    return random.choice([{}, {}, {"spoiler": True}, {"held": True}])


def told(reading: Reading) -> list[object]:
    """Return what some readers, and a moderator's page, can learn of a thread."""
    seen = [reading.counts(), reading.title(), reading.locked(), list(reading.queue())]
    for reader in (None, "jo", MODERATOR):
        seen += [list(reading.traversal(reader=reader)), list(reading.corrections(reader=reader))]
    return seen


class Replicas(RuleBasedStateMachine):
    """Replicas that have heard of the same events show the same thread, whatever each did on its own."""

    @initialize()
    def start(self) -> None:
        self._drawn: Counter[int] = Counter()
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.replicas = (
            Replica(None, skew=0),
            Replica(folder / "ahead.db", skew=40_000),
            Replica(folder / "behind.db", skew=-40_000),
        )
        for person in PEOPLE:
            self.replicas[0].thread.post(f"Hello from {person.name}.", by=person)
        self.replicas[0].thread.suggest_correction(TextQuote("teh"), "the", by=ANN)
        self.heal()

    def teardown(self) -> None:
        if hasattr(self, "replicas"):
            try:
                self.heal()
            finally:
                for replica in self.replicas:
                    replica.close()
                self._folder.cleanup()

    def _chance(self, seed: int) -> Random:
        """Return another source of chance each time that a seed comes back, as Hypothesis likes it to."""
        self._drawn[seed] += 1
        return Random(f"{seed} {self._drawn[seed]}")

    def heal(self) -> None:
        """Let all hear of all; then all must show the same."""
        for taker, giver in [(0, 1), (0, 2), (1, 0), (2, 0)]:
            self.replicas[taker].take_from(self.replicas[giver])
        pages = [replica.thread.view(limit=100, replies=10, reader="ann") for replica in self.replicas]
        assert len({msgspec.json.encode([page.counts, page.comments, page.locked, page.title]) for page in pages}) == 1
        assert len({replica.thread.digest() for replica in self.replicas}) == 1

    @rule(number=replicas, other=replicas, seed=seeds)
    def step(self, number: int, other: int, seed: int) -> None:
        """Let something happen to one replica: mostly a command, now and then what happens to replicas."""
        replica, random = self.replicas[number], self._chance(seed)
        replica.wall.ms += 7
        replica.is_checked = False
        if random.random() < 0.8:
            self._decide(replica, *command(replica, random, f"w{number}"))
            return
        name = random.choice(["sync"] * 10 + ["heal"] * 4 + ["restart"] * 4 + ["erase_person"])
        DONE[name] += 1
        if name == "sync":
            replica.take_from(self.replicas[other])
        elif name == "heal":
            self.heal()
        elif name == "restart":
            replica.restart()
        else:
            person = random.choice(FORGETTABLE)
            replica.store.erase_person(person.id, by=person)

    def _decide(self, replica: Replica, name: str, do: Callable[[StoredThread], str]) -> None:
        """Let a replica decide; what it rejects must leave no trace."""
        before = replica.store.log.position()
        try:
            do(replica.thread)
        except Rejected:
            DONE[f"{name}, rejected"] += 1
            assert replica.store.log.position() == before
        else:
            DONE[name] += 1

    @invariant()
    def each_shows_what_the_specification_says(self) -> None:
        for replica in getattr(self, "replicas", ()):
            if not replica.is_checked:
                check(replica)
                replica.is_checked = True


def check(replica: Replica) -> None:
    """Hold a replica against the specification, and its log against what has been erased."""
    events = list(replica.store.export())
    thread = fold(events, key=KEY)
    assert replica.thread.digest() == thread.digest()
    reading = ThreadReading(thread, policy=POLICY, limit=100, replies=100, depth=100, rows=1_000)
    assert told(reading) == told(Spec(events, policy=POLICY))
    rows_agree(replica.store, KEY)
    erasures = [erasure for event in events if (erasure := erasure_of(event, POLICY.rules))]
    assert all(is_redacted(event) for event in events if any(erasure.covers(event) for erasure in erasures))


def test_replicas_agree():
    """Whatever replicas do apart, each shows what its events amount to, and all show the same once all have heard of all."""
    DONE.clear()
    present = hypothesis.settings.default
    assert present is not None
    examples = max(present.max_examples // 5, 1)
    run_state_machine_as_test(Replicas, settings=hypothesis.settings(present, max_examples=examples, stateful_step_count=50))
    assert {*COMMANDS, "sync", "heal", "restart", "erase_person"} - set(DONE) == set()
    assert sum(count for name, count in DONE.items() if name.endswith("rejected")) < sum(DONE.values()) / 2
