"""
Tier 3: three replicas on three logs, cut off from one another, restarted, and healed.

One replica keeps its log in memory, one in a SQLite file, one in a SQLite file whose store can hold no thread in memory, so every
use starts cold. Each takes commands as an application would; what they hold is exchanged through `export` and `merge`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

import threadstore
from threadstore import Actor, Policy, Rejected
from threadstore.ids import NIL
from threadstore.logs.memory import MemoryLog
from threadstore.logs.sqlite import SqliteLog
from threadstore.store import ThreadStore
from threadstore.testing.laws import ThreadReading
from threadstore.testing.spec import Spec
from threadstore.thread import fold

KEY = "article"
POLICY = Policy(report_threshold=2, kinds={"support", "up", "down"}, exclusive=[{"up", "down"}])
ACTORS = (
    Actor("ann", "Ann Lee"),
    Actor("jo", "Jo Park"),
    Actor("leo", "Lee, Highest Level", "author"),
    Actor("mo", "Mo", "moderator"),
    Actor("eve", "Eve", "editor"),
)
EVERYBODY = (None, *ACTORS)
MODERATOR = ACTORS[3]

actors = st.sampled_from(EVERYBODY)
people = st.sampled_from(ACTORS)
numbers = st.integers(0, 2)


class Replica:
    """A store whose wall clock is a few seconds off, and which can be closed and opened again."""

    def __init__(self, name: str, path: Path | None, cache_bytes: int, skew: int) -> None:
        self.name = name
        self._path = path
        self._cache_bytes = cache_bytes
        self._random = Random(name)
        self._skew = skew
        self.wall = 1_700_000_000_000
        self.store = self._open(MemoryLog() if path is None else SqliteLog.open(str(path), durability="off"))

    def _open(self, log: threadstore.EventLog) -> ThreadStore:
        return ThreadStore(
            log,
            policy=POLICY,
            cache_bytes=self._cache_bytes,
            now=lambda: self.wall + self._skew,
            random=self._random.getrandbits,
        )

    def restart(self) -> None:
        """Lose all that is not in the log."""
        if self._path is None:
            self.store = self._open(self.store.log)
        else:
            self.store.close()
            self.store = self._open(SqliteLog.open(str(self._path), durability="off"))

    @property
    def thread(self) -> threadstore.StoredThread:
        return self.store.thread(KEY)

    def take_from(self, other: Replica) -> None:
        """Merge all that *other* holds, in another order than it came there."""
        events = list(other.store.export())
        self._random.shuffle(events)
        self.store.merge(events)


class Replicas(RuleBasedStateMachine):
    """Whatever they did apart, replicas that have heard of the same events show the same thread."""

    comments = Bundle("comments")

    @initialize(target=comments)
    def start(self) -> object:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.replicas = (
            Replica("memory", None, 1 << 20, 0),
            Replica("file", folder / "file.db", 1 << 20, 40_000),
            Replica("cold", folder / "cold.db", 0, -40_000),
        )
        first = self.replicas[0].thread.post("w0", by=ACTORS[0])
        return multiple(first, "0190163d-8694-739b-aea5-966c26f8ad91")

    def teardown(self) -> None:
        if hasattr(self, "replicas"):
            for replica in self.replicas:
                replica.store.close()
            self._folder.cleanup()

    def _try(self, number: int, do: object, comment: str | None = None) -> str:
        """Let a replica decide; what it rejects must leave no trace."""
        replica = self.replicas[number]
        replica.wall += 7
        before = replica.store.log.position()
        try:
            return do(replica.thread)
        except Rejected as rejection:
            assert rejection.code
            assert replica.store.log.position() == before
            return comment or NIL

    @rule(target=comments, number=numbers, by=actors, parent=comments, spoiler=st.booleans(), held=st.booleans())
    def reply(self, number, by, parent, spoiler, held):
        body = f"@{ACTORS[number].name}, w{number}x"
        return self._try(number, lambda thread: thread.reply(parent, body, by=by, spoiler=spoiler, held=held), parent)

    @rule(target=comments, number=numbers, by=actors)
    def post(self, number, by):
        return self._try(number, lambda thread: thread.post(f"w{number}", by=by))

    @rule(number=numbers, by=actors, comment=comments, turn=st.integers(0, 9))
    def edit(self, number, by, comment, turn):
        self._try(number, lambda thread: thread.edit(comment, f"w{number}e{turn}", by=by))

    @rule(number=numbers, by=people, comment=comments, kind=st.sampled_from(("support", "up", "down")), give=st.booleans())
    def react(self, number, by, comment, kind, give):
        self._try(number, lambda thread: (thread.react if give else thread.unreact)(comment, kind, by=by))

    @rule(
        number=numbers,
        by=actors,
        comment=comments,
        what=st.sampled_from(
            "delete mark_spoiler clear_spoiler report resolve_reports hold approve remove restore pin unpin".split()
        ),
    )
    def moderate(self, number, by, comment, what):
        self._try(number, lambda thread: getattr(thread, what)(comment, by=by))

    @rule(number=numbers, lock=st.booleans())
    def lock(self, number, lock):
        self._try(number, lambda thread: (thread.lock if lock else thread.unlock)(by=MODERATOR))

    @rule(number=numbers, comment=consumes(comments))
    def erase(self, number, comment):
        self._try(number, lambda thread: thread.erase(comment, by=MODERATOR))

    @rule(number=numbers, person=people)
    def erase_person(self, number, person):
        self.replicas[number].store.erase_person(person.id, by=MODERATOR)

    @rule(giver=numbers, taker=numbers)
    def sync(self, giver, taker):
        self.replicas[taker].take_from(self.replicas[giver])

    @rule(number=numbers)
    def restart(self, number):
        self.replicas[number].restart()

    @rule()
    def heal(self):
        for _ in range(2):
            for taker in self.replicas:
                for giver in self.replicas:
                    taker.take_from(giver)
        shown = [replica.thread.view(limit=100, replies=10, reader="ann") for replica in self.replicas]
        told = {msgspec.json.encode([view.counts, view.comments, view.locked]) for view in shown}
        assert len({replica.thread.digest() for replica in self.replicas}) == 1
        assert len(told) == 1

    @invariant()
    def each_shows_what_the_specification_says(self):
        if not hasattr(self, "replicas"):
            return
        for replica in self.replicas:
            events = list(replica.store.export())
            spec = Spec(events, policy=POLICY)
            with replica.store.using(KEY) as thread:
                assert thread.digest() == fold(events, key=KEY).digest()
                reading = ThreadReading(thread, policy=POLICY, limit=100, replies=100, depth=100, rows=1_000)
                assert reading.counts() == spec.counts()
                for reader in (None, "jo", MODERATOR):
                    assert reading.traversal(reader=reader) == spec.traversal(reader=reader)


TestReplicas = Replicas.TestCase
