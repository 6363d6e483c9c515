"""
One process of a race: several threads write to, read and follow one store at once, and everything they were told is written down.

Started by test_races.py with a plan as JSON. It says "ready" when it has opened the store, "raced" when its threads have done;
after each it waits for a line. What it leaves behind (`plan["out"]`) is for test_races.py to judge: it judges itself only where
nobody else could.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from hashlib import blake2b
from random import Random
from threading import Event, Thread
from typing import Any

import msgspec

import threadstore
from threadstore import Actor, ThreadStore
from threadstore.errors import Rejected, WrongRevision
from threadstore.log.protocol import Revision
from threadstore.model.events import CommentPosted
from threadstore.model.ids import id_for, make_id

THREADS = ("front", "front", "front", "side", "quiet")
CONTEST = "contest"
ORDERS = ("oldest", "newest", "top", "best", "hot", "active", "controversial")
#: How long one round lasts in which all processes make the same request, in milliseconds.
ROUND = 40
MODERATOR = "moderator"


def link(chain: bytes, position: int, data: bytes) -> bytes:
    """Return the hash of all records up to this one."""
    return blake2b(chain + position.to_bytes(8, "big") + data, digest_size=16).digest()


def digest_of(page: msgspec.Struct) -> str:
    return blake2b(msgspec.json.encode(page), digest_size=16).hexdigest()


class Notes:
    """What one thread was told. Each has its own, so that writing it down is no race."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []  # thread, id, body: acknowledged posts, replies and edits
        self.reacted: list[tuple[str, str, str, str]] = []  # thread, id, comment, actor
        self.acts: list[tuple[str, str]] = []  # thread, id: all other acknowledgements
        self.shared: list[tuple[int, str]] = []  # round, id
        self.reads: list[tuple[str, int, str, dict[str, Any], str]] = []  # thread, revision, method, arguments, digest
        self.states: list[tuple[str, int, str]] = []  # thread, revision, digest
        self.won: list[tuple[int, str]] = []  # expected revision, id
        self.lost = 0
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []


class Racer(Thread):
    """Does at random what readers and moderators do, until the time is up."""

    def __init__(self, store: ThreadStore, name: str, plan: dict[str, Any]) -> None:
        super().__init__(name=name)
        self.store = store
        self.plan = plan
        self.random = Random(f"{plan['seed']} {name}")
        self.notes = Notes()
        self.actor = Actor(f"u-{name}", f"Racer {name}")
        self.moderator = Actor(f"m-{name}", "", MODERATOR)
        self.known: dict[str, deque[str]] = {key: deque(maxlen=100) for key in THREADS}
        self.mine: dict[str, deque[str]] = {key: deque(maxlen=30) for key in THREADS}
        self.held: dict[str, deque[str]] = {key: deque(maxlen=10) for key in THREADS}
        self.seen: Counter[str] = Counter()
        self.count = 0
        self.is_done = False

    def run(self) -> None:
        deeds: list[tuple[int, Callable[[str], None]]] = [
            (20, self.post),
            (20, self.reply),
            (16, self.react),
            (8, self.unreact),
            (8, self.edit),
            (2, self.delete),
            (6, self.hold_or_remove),
            (6, self.approve_or_restore),
            (3, self.report),
            (14, self.read),
            (2, self.state),
            (3, self.repeat),
            (3, self.share),
            (6, self.compete),
        ]
        if self.plan["rounds"]:
            deeds = [(1, self.duel)]
        weights, actions = zip(*deeds, strict=True)
        end = time.monotonic() + self.plan["seconds"]
        while time.monotonic() < end and not self.is_done:
            [act] = self.random.choices(actions, weights)
            key = self.random.choice(THREADS)
            try:
                act(key)
            except Rejected as error:
                self.notes.done[error.code] += 1
            except Exception as error:  # noqa: BLE001  # whatever else it is, it is what the race is to find
                self.notes.faults.append(f"{act.__name__}: {type(error).__name__}: {error}")
                return
            else:
                self.notes.done[act.__name__] += 1

    # --- writing --------------------------------------------------------------------------------------------------------------

    def _body(self) -> str:
        self.count += 1
        return f"{self.name}.{self.count}"

    def _any(self, key: str) -> str:
        """Return a comment that this racer knows of."""
        if not self.known[key]:
            self.post(key)
        return self.random.choice(self.known[key])

    def _said(self, key: str, id: str, body: str) -> None:
        self.notes.said.append((key, id, body))
        self.known[key].append(id)
        self.mine[key].append(id)
        if self.random.random() < 0.1 and self.store.thread(key).comment(id).id != id:
            self.notes.faults.append(f"{id} does not show after it was acknowledged")

    def post(self, key: str) -> None:
        body = self._body()
        self._said(key, self.store.thread(key).post(body, by=self.actor, held=self.random.random() < 0.1), body)

    def reply(self, key: str) -> None:
        to, body = self._any(key), self._body()
        self._said(key, self.store.thread(key).reply(to, body, by=self.actor, spoiler=self.random.random() < 0.1), body)

    def edit(self, key: str) -> None:
        if self.mine[key]:
            comment, body = self.random.choice(self.mine[key]), self._body()
            self.notes.said.append((key, self.store.thread(key).edit(comment, body, by=self.actor), body))

    def react(self, key: str) -> None:
        comment = self._any(key)
        self.notes.reacted.append((key, self.store.thread(key).react(comment, by=self.actor), comment, self.actor.id))

    def unreact(self, key: str) -> None:
        self._acted(key, self.store.thread(key).unreact(self._any(key), by=self.actor))

    def delete(self, key: str) -> None:
        if self.mine[key]:
            self._acted(key, self.store.thread(key).delete(self.mine[key].popleft(), by=self.actor))

    def report(self, key: str) -> None:
        self._acted(key, self.store.thread(key).report(self._any(key), by=self.actor, reason="look"))

    def hold_or_remove(self, key: str) -> None:
        comment, thread = self._any(key), self.store.thread(key)
        self.held[key].append(comment)
        self._acted(key, self.random.choice([thread.hold, thread.remove])(comment, by=self.moderator))

    def approve_or_restore(self, key: str) -> None:
        if self.held[key]:
            comment, thread = self.held[key].popleft(), self.store.thread(key)
            self._acted(key, thread.approve(comment, by=self.moderator))
            self._acted(key, thread.restore(comment, by=self.moderator))

    def _acted(self, key: str, id: str) -> None:
        self.notes.acts.append((key, id))

    def repeat(self, key: str) -> None:
        """Make one request twice, as after an answer that got lost."""
        id, body = make_id(_now(), 0, self.random.getrandbits(62)), self._body()
        for _ in range(2):
            if self.store.thread(key).post(body, by=self.actor, id=id) != id:
                self.notes.faults.append(f"a request with the id {id} was answered with another")
        self.notes.said.append((key, id, body))

    def share(self, _key: str) -> None:
        """Make the request that everybody else makes, too, in this round."""
        turn = (_now() - self.plan["began"]) // ROUND
        id = id_for(self.plan["began"] + turn * ROUND, f"round {turn}")
        answer = self.store.thread("front").post(f"round {turn}", by=Actor("u-all"), id=id)
        self.notes.shared.append((turn, answer))

    def compete(self, _key: str) -> None:
        """Append to a thread in which one of those who expect the same revision wins."""
        self._expect(self.store.log.revision(CONTEST))

    def _expect(self, expected: int) -> None:
        log = self.store.log
        id = make_id(_now(), 0, self.random.getrandbits(62))
        try:
            log.append(CONTEST, [CommentPosted(id=id, thread=CONTEST, actor=self.actor, body=id)], expected=Revision(expected))
        except WrongRevision:
            self.notes.lost += 1
        else:
            self.notes.won.append((expected, id))

    def duel(self, _key: str) -> None:
        """Expect each revision in turn, as all others do."""
        for expected in range(self.plan["rounds"]):
            self._expect(expected)
        self.is_done = True

    # --- reading --------------------------------------------------------------------------------------------------------------

    def read(self, key: str) -> None:
        thread = self.store.thread(key)
        method = self.random.choice(["view", "view", "view", "flat", "queue", "replies"])
        arguments: dict[str, Any] = {"limit": self.random.randrange(1, 20)}
        if method in ("view", "flat"):
            arguments |= {"order": self.random.choice(ORDERS)}
            if arguments["order"] == "hot":
                arguments |= {"now": _now()}
        if method != "queue":
            arguments |= {"reader": self.random.choice([None, self.actor.id, [self.moderator.id, MODERATOR]])}
        if method == "replies":
            arguments["comment"] = self._any(key)
        for _ in range(2):  # a page, and the next
            least = thread.revision
            page = getattr(thread, method)(**_real(arguments))
            if page.revision < least:
                self.notes.faults.append(f"revision {page.revision} of {key!r} was shown when it had {least}")
            self.notes.reads.append((key, page.revision, method, arguments, digest_of(page)))
            self._notice(key, page)
            if page.next is None:
                return
            arguments = {**arguments, "after": page.next}

    def _notice(self, key: str, page: Any) -> None:
        self._has_seen(key, page.revision)
        self.known[key].extend(comment.id for comment in getattr(page, "comments", ()))

    def _has_seen(self, key: str, revision: int) -> None:
        if revision < self.seen[key]:
            self.notes.faults.append(f"revision {revision} of {key!r} was shown after {self.seen[key]}")
        self.seen[key] = revision

    def state(self, key: str) -> None:
        """Note the digest of a small thread, or of a large one while it is small; now and then make its rows anew."""
        if self.random.random() < 0.3:
            self.store.rebuild_thread(key)
        if self.seen[key] < 2_000:
            thread, revision, _ = self.store.fold(key)
            self.notes.states.append((key, revision, thread.digest()))


class Follower(Thread):
    """Follows the whole log, and breaks off and goes on from its checkpoint now and then."""

    def __init__(self, store: ThreadStore, name: str, plan: dict[str, Any], stop: Event) -> None:
        super().__init__(name=name)
        self.store = store
        self.random = Random(f"{plan['seed']} {name}")
        self.stop = stop
        self.position = 0
        self.chain = b""
        self.restarts = 0
        self.faults: list[str] = []

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self._follow(self.store.subscribe(after=self.position, timeout=0.02), self.random.randrange(1, 300))
            self._follow(self.store.subscribe(after=self.position), None)
        except Exception as error:  # noqa: BLE001  # as above
            self.faults.append(f"subscribe: {type(error).__name__}: {error}")

    def _follow(self, records: Iterator[Any], patience: int | None) -> None:
        self.restarts += 1
        for number, record in enumerate(records):
            if record.position != self.position + 1:
                self.faults.append(f"a subscriber saw position {record.position} after {self.position}")
            self.position = record.position
            self.chain = link(self.chain, record.position, record.data)
            if number == patience:
                return


def _now() -> int:
    return time.time_ns() // 1_000_000


def _real(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments that were kept as JSON as they are meant."""
    reader = arguments.get("reader")
    return {**arguments, "reader": Actor(reader[0], "", reader[1])} if isinstance(reader, list) else arguments


def tell(word: str) -> None:
    """Say a word and wait for the answer."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main() -> None:
    plan = json.loads(sys.argv[1])
    sys.setswitchinterval(1e-5)
    stores = [threadstore.open(plan["path"], durability="normal") for _ in range(plan["stores"])]
    tell("ready")
    stop = Event()
    name = f"{plan['process']}"
    racers = [Racer(stores[n % len(stores)], f"{name}-{n}", plan) for n in range(plan["threads"])]
    followers = [Follower(store, f"{name}-f{n}", plan, stop) for n, store in enumerate(stores)]
    for thread in (*racers, *followers):
        thread.start()
    for racer in racers:
        racer.join()
    tell("raced")
    stop.set()
    for follower in followers:
        follower.join()
    left = {
        "racers": [vars(racer.notes) for racer in racers],
        "followers": [(follower.position, follower.chain.hex(), follower.restarts, follower.faults) for follower in followers],
        "digests": [{key: store.thread(key).digest() for key in sorted(store.threads())} for store in stores],
    }
    if plan["path"] == ":memory:":
        stores[0].backup(plan["file"])
    for store in stores:
        store.close()
    with open(plan["out"], "wb") as out:
        out.write(msgspec.json.encode(left))


if __name__ == "__main__":
    main()
