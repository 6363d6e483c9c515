"""
Tier 3: three replicas on three logs, cut off from one another, restarted, and healed.

One replica keeps its events in memory, one in a SQLite file, one in a SQLite file whose stores can hold no thread in memory, so
every use starts cold. Each is run by two processes, which take turns. They take commands as an application would, on clocks that
do not agree; what they hold is exchanged through `export` and `merge`.

After every step the replica that was touched is held against the naive specification.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import hypothesis
import msgspec
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from threadstore import Actor, Policy, Rejected, StoredThread, TextQuote, ThreadStore, fold
from threadstore.events import Outcome, is_redacted
from threadstore.standing import erasure_of
from threadstore.testing.laws import ThreadReading
from threadstore.testing.places import Place, Wall
from threadstore.testing.reading import Reading
from threadstore.testing.spec import Spec

KEY = "article"
POLICY = Policy(report_threshold=2, kinds={"support", "up", "down"}, exclusive=[{"up", "down"}])
READERS = (Actor("ann", "Ann Lee"), Actor("jo", "Jo Park"))
MODERATOR = Actor("mo", "Mo", "moderator")
PEOPLE = (*READERS, Actor("leo", "Lee, Highest Level", "author"), MODERATOR, Actor("eve", "Eve", "editor"))

BY_AUTHORS = ("delete", "report", "mark_spoiler", "clear_spoiler")
BY_STAFF = ("hold", "approve", "remove", "restore", "pin", "unpin", "resolve_reports")
OUTCOMES = ("accepted", "declined", "reopened")

actors = st.sampled_from((None, *PEOPLE))
people = st.sampled_from(PEOPLE)
replicas = st.integers(0, 2)

#: How often each thing was done, and how often it was rejected: a machine that does nothing finds nothing.
DONE: Counter[str] = Counter()


class Replica:
    """Two processes that share a log and a wall clock, which is a little off."""

    def __init__(self, path: Path | None, *, cache_bytes: int, skew: int) -> None:
        self.wall = Wall(Wall().ms + skew)
        self._place = Place(path, cache_bytes=cache_bytes, wall=self.wall)
        self._random = Random(skew)
        self._processes = [self._start(), self._start()]
        self.is_checked = False

    def _start(self) -> ThreadStore:
        return self._place.open(policy=POLICY, random=self._random.getrandbits)

    def restart(self) -> None:
        """Let a new process take the place of the one whose turn it is."""
        self._processes[0] = self._start()

    def close(self) -> None:
        """Stop all processes."""
        self._place.__exit__(None, None, None)

    @property
    def store(self) -> ThreadStore:
        """The store of the process whose turn it is."""
        self._processes.reverse()
        return self._processes[0]

    @property
    def thread(self) -> StoredThread:
        """The thread that all replicas are about."""
        return self.store.thread(KEY)

    def take_from(self, other: Replica) -> None:
        """Merge all that *other* holds, in another order than it came there."""
        events = list(other.store.export())
        self._random.shuffle(events)
        self.store.merge(events)
        self.is_checked = False


@frozen
class Said:
    """Something that was said, and who may take it back."""

    id: str
    author: Actor | None

    @classmethod
    def of(cls, id: str | None, author: Actor | None) -> object:
        """Return what goes into a bundle: nothing, where nothing was said."""
        return multiple() if id is None else cls(id, author)


def rarely(strategy: st.SearchStrategy[Actor]) -> st.SearchStrategy[Actor | None]:
    """Return None, for whoever has the right to, three times out of four."""
    return st.one_of(st.none(), st.none(), st.none(), strategy)


def told(reading: Reading) -> list[object]:
    """Return what some readers, and a moderator's page, can learn of a thread."""
    seen = [reading.counts(), reading.title(), reading.locked(), list(reading.queue())]
    for reader in (None, "jo", MODERATOR):
        seen += [list(reading.traversal(reader=reader)), list(reading.corrections(reader=reader))]
    return seen


class Replicas(RuleBasedStateMachine):
    """Replicas that have heard of the same events show the same thread, whatever each did on its own."""

    comments = Bundle("comments")
    corrections = Bundle("corrections")

    @initialize(target=comments)
    def start(self) -> object:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.replicas = (
            Replica(None, cache_bytes=1 << 20, skew=0),
            Replica(folder / "warm.db", cache_bytes=1 << 20, skew=40_000),
            Replica(folder / "cold.db", cache_bytes=0, skew=-40_000),
        )
        first = self.replicas[0].thread.post("w0", by=READERS[0])
        return multiple(Said(first, READERS[0]), Said("0190163d-8694-739b-aea5-966c26f8ad91", READERS[0]))

    def teardown(self) -> None:
        if hasattr(self, "replicas"):
            for replica in self.replicas:
                replica.close()
            self._folder.cleanup()

    def _try(self, number: int, name: str, do: Callable[[StoredThread], str]) -> str | None:
        """Let a replica decide, and return the id; what it rejects must leave no trace."""
        replica = self.replicas[number]
        replica.wall.ms += 7
        before = replica.store.log.position()
        try:
            id = do(replica.thread)
        except Rejected:
            DONE[f"{name}, rejected"] += 1
            assert replica.store.log.position() == before
            return None
        DONE[name] += 1
        replica.is_checked = False
        return id

    # --- what people do -------------------------------------------------------------------------------------------------------

    @rule(target=comments, number=replicas, by=actors, flag=st.sampled_from(("", "", "spoiler", "held")))
    def post(self, number: int, by: Actor | None, flag: str) -> object:
        flags = {flag: True} if flag else {}
        id = self._try(number, "post", lambda thread: thread.post(f"w{number}", by=by, **flags))
        return Said.of(id, by)

    @rule(target=comments, number=replicas, by=actors, parent=comments, flag=st.sampled_from(("", "", "spoiler", "held")))
    def reply(self, number: int, by: Actor | None, parent: Said, flag: str) -> object:
        flags = {flag: True} if flag else {}
        body = f"@{PEOPLE[number].name}, w{number}x"
        id = self._try(number, "reply", lambda thread: thread.reply(parent.id, body, by=by, **flags))
        return Said.of(id, by)

    @rule(number=replicas, by=people, comment=comments, kind=st.sampled_from(("support", "up", "down")), give=st.booleans())
    def react(self, number: int, by: Actor, comment: Said, kind: str, give: bool) -> None:
        name = "react" if give else "unreact"
        self._try(number, name, lambda thread: getattr(thread, name)(comment.id, kind, by=by))

    @rule(number=replicas, comment=comments, who=rarely(people), turn=st.integers(0, 3))
    def edit(self, number: int, comment: Said, who: Actor | None, turn: int) -> None:
        by = who or comment.author
        self._try(number, "edit", lambda thread: thread.edit(comment.id, f"w{number}e{turn}", by=by))

    @rule(number=replicas, comment=comments, who=rarely(people), name=st.sampled_from(BY_AUTHORS))
    def say_more(self, number: int, comment: Said, who: Actor | None, name: str) -> None:
        by = who or comment.author
        self._try(number, name, lambda thread: getattr(thread, name)(comment.id, by=by))

    @rule(number=replicas, comment=comments, who=rarely(people), name=st.sampled_from(BY_STAFF))
    def moderate(self, number: int, comment: Said, who: Actor | None, name: str) -> None:
        self._try(number, name, lambda thread: getattr(thread, name)(comment.id, by=who or MODERATOR))

    @rule(target=corrections, number=replicas, by=people)
    def suggest(self, number: int, by: Actor) -> object:
        id = self._try(number, "suggest", lambda thread: thread.suggest_correction(TextQuote("teh"), f"c{number}", by=by))
        return Said.of(id, by)

    @rule(number=replicas, who=rarely(people), correction=corrections, outcome=st.sampled_from(OUTCOMES))
    def decide(self, number: int, who: Actor | None, correction: Said, outcome: Outcome) -> None:
        by = who or MODERATOR
        self._try(number, "decide", lambda thread: thread.decide_correction(correction.id, outcome, by=by, note=f"n{number}"))

    @rule(number=replicas, who=rarely(people), name=st.sampled_from(("lock", "unlock", "unlock", "describe")))
    def manage(self, number: int, who: Actor | None, name: str) -> None:
        more = {"title": f"t{number}"} if name == "describe" else {}
        self._try(number, name, lambda thread: getattr(thread, name)(by=who or MODERATOR, **more))

    @rule(number=replicas, said=st.one_of(consumes(comments), consumes(corrections)))
    def erase(self, number: int, said: Said) -> None:
        self._try(number, "erase", lambda thread: thread.erase(said.id, by=MODERATOR))

    @rule(number=replicas, person=people, sure=st.integers(0, 3).map(lambda number: number == 3))
    def erase_person(self, number: int, person: Actor, sure: bool) -> None:
        if sure:
            self._try(number, "erase_person", lambda thread: str(thread._store.erase_person(person.id, by=person)))

    # --- replicas -------------------------------------------------------------------------------------------------------------

    @rule(giver=replicas, taker=replicas)
    def sync(self, giver: int, taker: int) -> None:
        self.replicas[taker].take_from(self.replicas[giver])
        DONE["sync"] += 1

    @rule(number=replicas)
    def restart(self, number: int) -> None:
        self.replicas[number].restart()
        DONE["restart"] += 1

    @rule()
    def heal(self) -> None:
        for taker, giver in [(0, 1), (0, 2), (1, 0), (2, 0)]:
            self.replicas[taker].take_from(self.replicas[giver])
        pages = [replica.thread.view(limit=100, replies=10, reader="ann") for replica in self.replicas]
        assert len({msgspec.json.encode([page.counts, page.comments, page.locked, page.title]) for page in pages}) == 1
        assert len({replica.thread.digest() for replica in self.replicas}) == 1
        DONE["heal"] += 1

    @invariant()
    def each_shows_what_the_specification_says(self) -> None:
        for replica in getattr(self, "replicas", ()):
            if not replica.is_checked:
                check(replica)
                replica.is_checked = True


def check(replica: Replica) -> None:
    """Hold a replica against the specification, and its log against what has been erased."""
    events = list(replica.store.export())
    with replica.store.using(KEY) as thread:
        assert thread.digest() == fold(events, key=KEY).digest()
        reading = ThreadReading(thread, policy=POLICY, limit=100, replies=100, depth=100, rows=1_000)
        assert told(reading) == told(Spec(events, policy=POLICY))
    erasures = [erasure for event in events if (erasure := erasure_of(event, POLICY.rules))]
    assert all(is_redacted(event) for event in events if any(erasure.absorbs(event) for erasure in erasures))


def test_replicas_agree():
    """Whatever replicas do apart, each shows what its events amount to, and all show the same once all have heard of all."""
    DONE.clear()
    present = hypothesis.settings.default
    assert present is not None
    examples = max(present.max_examples // 2, 1)
    run_state_machine_as_test(Replicas, settings=hypothesis.settings(present, max_examples=examples, stateful_step_count=40))
    others = (
        "post",
        "reply",
        "edit",
        "react",
        "unreact",
        "suggest",
        "decide",
        "lock",
        "unlock",
        "describe",
        "erase",
        "erase_person",
    )
    print(sorted(DONE.items()))
    assert [name for name in (*BY_AUTHORS, *BY_STAFF, *others, "sync", "restart", "heal") if not DONE[name]] == []
    assert sum(count for name, count in DONE.items() if name.endswith("rejected")) < sum(DONE.values()) / 2
