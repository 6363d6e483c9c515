"""
What do real comment threads look like, and how is one of any size made that looks like them?

Method: the figures were taken from public traces (forums, mailing lists, Usenet, a microblog, reddit: 2.5 million comments),
and are copied here as constants, so nothing of the traces is needed or shipped. A thread grows by one comment at a time, with
three forces (Gómez, Kappen, Litvak and Kaltenbrunner, "A likelihood-based framework for the analysis of discussion threads",
World Wide Web 16, 2013; fitted to reddit): comment n answers the article with weight ``alpha * d0 + beta + tau ** n`` and
comment k with ``alpha * d[k] + tau ** (n - k)``, where d counts the answers so far. Lengths, pauses and reactions have the
heavy tails that were measured; extremes that were seen (a chain of 103 replies, a comment with 646, a minute with 162, a body
of 185,637 characters) are planted where a thread is large enough to have had them. Reactions arrive with the comments, one per
comment on average, most of them on those that are answered most. 3 % of the comments are edited and 1 % deleted by their
authors, 2 % answer a comment that is not there, some carry times before 1970 or before their parent's, and one in a thousand is
empty.

It streams: what is kept per comment is its id, its parent and its author (24 bytes), never an event. Equal arguments give equal
events, ids included.

Caveats: the largest thread of the fit has 1,428 comments. Without a bound, popularity would let a few early comments swallow a
thread of a million; so it is reckoned over the last 1,428 comments, which keeps a larger thread like a long row of those. Its
first half takes five hours, as real ones do; at a million comments that is a rate which no site has seen. Words are drawn from
a list: a compressor would find them dull. Reactions are scaled to a mean of one; real sites have more.

    python benchmarks/generator.py --check             generated against real quantiles (the traces are optional)
    python benchmarks/generator.py --comments 1000000  count the events, and say how long that took
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import json
import math
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from threadstore import (
    Actor,
    CommentDeleted,
    CommentEdited,
    CommentPosted,
    CommentRemoved,
    Event,
    ReactionGiven,
    ReactionWithdrawn,
)
from threadstore.model.ids import from_bytes, make_id, time_of, to_bytes

KEY: Final = "2023/05/03/drones"
START: Final = 1_683_072_000_000
#: Raised when the same arguments begin to give other events.
VERSION: Final = 1

LARGEST: Final = 15_127
FITTED: Final = 1_428  # the largest thread that the growth model was fitted to
CHAIN: Final = 103
HUB: Final = 646
PEAK: Final = 162  # comments in one minute
LONGEST: Final = 185_637
REPEATED: Final = 0.008  # of the reactions
CELEBRATED: Final = 9  # replies; about one comment in a hundred has as many
CELEBRATED_SHARE: Final = 0.88  # of the reactions

#: What the README of the traces states, for the check.
REAL: Final[dict[str, dict[str, float]]] = {
    "thread size": {"p50": 3, "p90": 32, "p99": 208, "p99.9": 1_644, "max": LARGEST},
    "body length": {"p50": 90, "p90": 407, "p99": 1_374, "p99.9": 3_111},
    "pause, seconds": {"p50": 76, "p75": 522, "p90": 4_922},
    "depth": {"p99": 9, "max": 14},
    "shares": {
        "largest 1 % of threads": 0.42,
        "reactions on 1 %": 0.85,
        "repeated reactions": 0.008,
        "orphans": 0.02,
        "edits": 0.03,
    },
}


class Growth(NamedTuple):
    """
    Who gets the reply.

    Args:
        alpha: The pull of a comment that has answers already, for each of them.
        beta: The pull of the article.
        tau: How fast the pull of being new fades, from one comment to the next.
        delta: The chance of answering one of the last few replies, whatever the rest says.
        stubs: The exponent of the Pareto law by which a comment is born popular; 0 for none.
    """

    alpha: float = 0.0435
    beta: float = 3.15
    tau: float = 0.867
    delta: float = 0.0
    stubs: float = 0.0


NEWS: Final = Growth()
FORUM: Final = Growth(0.00041, 0.564, 0.2693, delta=0.35)
MICROBLOG: Final = Growth(0.0655, 24.4, 0.842)


class _Tree:
    """Grows parents by the model; ordinals stand for comments, -1 for the article."""

    def __init__(self, chance: Random, growth: Growth, chain: range, hub: range) -> None:
        self.parents = array("i")
        self.replies = array("i")
        self._chance, self._growth = chance, growth
        self._urn = array("i")  # one ball for each answer, and for each stub
        self._fade = math.log(growth.tau)
        self._chain, self._hub = chain, hub
        self._last_link = self._hub_at = -1
        self.is_planted = False

    def grow(self) -> int:
        """Add a comment, and return the ordinal of its parent."""
        parent = self._planted()
        self.is_planted = parent is not None
        if parent is None:
            parent = self._drawn()
        n = len(self.parents)
        self.parents.append(parent)
        self.replies.append(0)
        if parent >= 0:
            self.replies[parent] += 1
        self._urn.append(parent)
        if self._growth.stubs:
            self._urn.extend([n] * min(int(self._chance.paretovariate(self._growth.stubs)), 1_000))
        return parent

    def _planted(self) -> int | None:
        n = len(self.parents)
        if n in self._chain and n % 3 == 0:
            parent, self._last_link = (self._last_link if n > self._chain.start + 2 else -1), n
            return parent
        if n in self._hub and n % 4 == 1:
            if self._hub_at < 0:
                self._hub_at = n
                return -1
            return self._hub_at
        return None

    def _drawn(self) -> int:
        chance, (alpha, beta, tau, delta, _) = self._chance, self._growth
        n = len(self.parents)
        if delta and n > 8 and chance.random() < delta:
            recent = [k for k in range(n - 8, n) if self.parents[k] >= 0]
            if recent:
                return recent[int(chance.random() * len(recent))]
        balls = min(len(self._urn), FITTED)
        popular, novel = alpha * balls, (1 - tau ** (n + 1)) / (1 - tau)
        dice = chance.random() * (popular + beta + novel)
        if dice < popular:
            return self._urn[len(self._urn) - 1 - int(dice / alpha)]
        if dice < popular + beta:
            return -1
        # tau ** (n - k) for k = n - 1, n - 2, …, 0, and the article behind them.
        back = 1 + int(math.log(1 - chance.random() * (1 - tau ** (n + 1))) / self._fade)
        return max(n - back, -1)


_WORDS: Final = """
    the of and to a in that it was is for on with as they at this have from by not but what all were when we there can an your
    which their if said do will each about how up out them then she many some so these would other into has more her two like him
    drones river council before dawn nobody slept after airport police video source because really never people think article
    government again night minutes saw pilot story reporter evidence camera light claim official why
"""


@lru_cache(maxsize=1)
def _prose() -> str:
    chance = Random(7)
    words = _WORDS.split()
    return " ".join(chance.choice(words) for _ in range(80_000))


def _text(length: int, chance: Random) -> str:
    prose = _prose()
    if length > len(prose) // 2:
        return (prose * (length // len(prose) + 1))[:length]
    start = int(chance.random() * (len(prose) - length))
    return prose[start : start + length]


class Thread:
    """
    One thread to be made; iterate over it for its events, in the order of their ids.

    Args:
        comments: How many.
        seed: Equal seeds give equal threads.
        key: The thread's key.
        bodies: Without them each body is one character, so that what is measured is the rest.
        actors: How many people take part; by default one for 20 comments (50,000 for a million).
        reactions: How many per comment, on average.
        moderated: The share of comments that a moderator removes.
        growth: Who gets the reply.
        extremes: Whether what was seen once is planted; by default in threads of 10,000 comments and more.
    """

    def __init__(
        self,
        comments: int,
        *,
        seed: int = 1,
        key: str = KEY,
        bodies: bool = True,
        actors: int | None = None,
        reactions: float = 1.0,
        edited: float = 0.03,
        deleted: float = 0.01,
        orphans: float = 0.02,
        moderated: float = 0.0,
        growth: Growth = NEWS,
        extremes: bool | None = None,
        start: int = START,
    ) -> None:
        self.comments, self.key, self.start = comments, key, start
        self._bodies, self._reactions = bodies, reactions
        self._edited, self._deleted, self._orphans, self._moderated = edited, deleted, orphans, moderated
        self._chance = Random(f"{seed}/{key}")
        self.actors = max(actors if actors is not None else comments // 20, 10)
        planted = comments >= 10_000 if extremes is None else extremes
        third, half = comments // 3 * 3, comments // 2
        chain = range(third // 9 * 3, third // 9 * 3 + 3 * CHAIN) if planted else range(0)
        hub = range(half, half + 4 * (HUB + 1)) if planted else range(0)
        self._peak = range(comments // 3, comments // 3 + PEAK) if comments >= 1_000 else range(0)
        self._longest = comments // 5 if comments >= 100_000 else -2
        self.tree = _Tree(self._chance, growth, chain, hub)
        self._ids = bytearray()
        self._authors = array("i")
        self._tick = 0
        self._celebrated = _Celebrated(self._chance, self.actors)
        self._pending: list[tuple[float, int, str]] = []
        # Half of a thread in its first five hours: pauses grow with the fourth power of the share that is there.
        self._pause = 5 * 3_600_000 / max(comments / 2, 1) / math.exp(2.4**2 / 2)

    def __iter__(self) -> Iterator[Event]:
        chance, now = self._chance, float(self.start)
        for n in range(self.comments):
            pause = self._pause * chance.lognormvariate(0.0, 2.4) * (1 + (2 * n / self.comments) ** 4)
            now += min(pause, 360.0) if n in self._peak else min(pause, 1e9)
            while self._pending and self._pending[0][0] <= now:
                yield self._due(now)
            yield self._post(n, now)
            self._plan(n, now)
            count = int(self._reactions) + (chance.random() < self._reactions % 1)
            for _ in range(count):
                yield from self._reaction(n, now)
        while self._pending:
            yield self._due(max(now, self._pending[0][0]))

    # --- events

    def id(self, n: int) -> str:
        """Return the id of comment *n*, which has been made."""
        return from_bytes(bytes(self._ids[16 * n : 16 * n + 16]))

    def _mint(self, now: float) -> str:
        self._tick = max(int(now) << 12, self._tick + 1)
        return make_id(self._tick >> 12, self._tick & 0xFFF, self._chance.getrandbits(62))

    def _post(self, n: int, now: float) -> CommentPosted:
        chance = self._chance
        parent, author, id = self.tree.grow(), int(chance.random() ** 2 * self.actors), self._mint(now)
        if parent >= 0 and self.tree.replies[parent] == CELEBRATED:
            self._celebrated.add(parent)
        self._ids += to_bytes(id)
        self._authors.append(author)
        dice, above = chance.random(), None
        if dice < self._orphans and not self.tree.is_planted:
            self.tree.parents[n] = -1
            above = make_id(max(int(now) - 1_000, 0), 0, chance.getrandbits(62))
        elif parent >= 0:
            above = self.id(parent)
        at = None
        if dice > 0.99:  # clocks of others: a while before, an hour before the parent, long before 1970
            at = int(now) - (3_600_000 if dice < 0.9995 else 2 * START)
        return CommentPosted(id=id, thread=self.key, actor=_actor(author), parent=above, at=at, body=self._body(n, parent))

    def _body(self, n: int, parent: int) -> str:
        if not self._bodies:
            return "."
        chance = self._chance
        if n == self._longest:
            return _text(LONGEST, chance)
        if chance.random() < 0.001:
            return ""
        text = _text(min(int(chance.lognormvariate(4.5, 1.2)), LONGEST), chance)
        if parent >= 0 and chance.random() < 0.05:
            return f"@{_actor(self._authors[parent]).name}, {text}"
        return text

    def _plan(self, n: int, now: float) -> None:
        """Decide what will become of comment *n* later."""
        chance = self._chance
        if chance.random() < self._edited:
            heapq.heappush(self._pending, (now + 1_000 * chance.lognormvariate(5.0, 1.8), n, "edit"))
        if chance.random() < self._deleted:
            heapq.heappush(self._pending, (now + 1_000 * chance.lognormvariate(6.0, 2.2), n, "delete"))
        if self._moderated and chance.random() < self._moderated:
            heapq.heappush(self._pending, (now + 1_000 * chance.lognormvariate(7.0, 1.5), n, "remove"))

    def _due(self, now: float) -> Event:
        _, n, what = heapq.heappop(self._pending)
        id, comment, author = self._mint(now), self.id(n), _actor(self._authors[n])
        if what == "edit":
            return CommentEdited(id=id, thread=self.key, actor=author, comment=comment, body=self._body(-1, -1))
        if what == "remove":
            return CommentRemoved(id=id, thread=self.key, actor=MODERATOR, comment=comment, reason="off topic")
        return CommentDeleted(id=id, thread=self.key, actor=author, comment=comment)

    def _reaction(self, n: int, now: float) -> Iterator[Event]:
        chance = self._chance
        target, actor = self._celebrated.draw(n)
        given = ReactionGiven(id=self._mint(now), thread=self.key, actor=_actor(actor), comment=self.id(target))
        yield given
        dice = chance.random()
        if dice < REPEATED:  # the same again, or a change of mind
            kind = ReactionWithdrawn if dice < 0.0004 else ReactionGiven
            yield kind(id=self._mint(now), thread=self.key, actor=given.actor, comment=given.comment)


class _Celebrated:
    """
    Draws who reacts to what: most of it goes to the comments with the most replies, and there by a Pareto law.

    Actors of one comment follow one another in steps, so that they differ until all have reacted.
    """

    def __init__(self, chance: Random, actors: int) -> None:
        self._chance, self._actors = chance, actors
        self._step = next(step for step in range(actors // 3 + 1, 2 * actors + 2) if math.gcd(step, actors) == 1)
        self._urn = array("i")
        self._counts: dict[int, int] = {}

    def add(self, comment: int) -> None:
        """Let *comment* be one of the celebrated."""
        self._urn.extend([comment] * min(int(self._chance.paretovariate(1.0)), 100))

    def draw(self, newest: int) -> tuple[int, int]:
        chance = self._chance
        if self._urn and chance.random() < CELEBRATED_SHARE:
            target = self._urn[int(chance.random() * len(self._urn))]
            count = self._counts[target] = self._counts.get(target, 0) + 1
            if count < self._actors:
                return target, (target * 7 + count * self._step) % self._actors
        recent = newest - min(int(chance.expovariate(1 / 500)), newest)
        return recent, int(chance.random() * self._actors)


MODERATOR: Final = Actor("staff-1", "Noor", "moderator")


@lru_cache(maxsize=1 << 17)
def _actor(number: int) -> Actor:
    return Actor(f"u-{number}", f"Reader {number}")


# --- many threads -------------------------------------------------------------------------------------------------------------

#: Sizes are lognormal up to p95, with a Pareto tail above, whose exponent (1.05 fitted) is bent to two quantiles that were seen.
_SIGMA: Final = 1.85


def thread_size(chance: Random, most: int = LARGEST) -> int:
    """Return the size of a thread, by the law of 289,574 threads of one site."""
    share = chance.random()
    size = math.exp(math.log(3) + _SIGMA * _normal(share)) if share < 0.95 else 52 * (0.05 / (1 - share)) ** (1 / 1.12)
    return max(min(int(size + 0.5), most), 1)


def _normal(share: float) -> float:
    """Return the quantile of the normal distribution (Abramowitz and Stegun, 26.2.23)."""
    tail = max(min(share, 1 - share), 1e-12)
    t = math.sqrt(-2 * math.log(tail))
    z = t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t**3)
    return z if share > 0.5 else -z


def many_threads(
    count: int, *, seed: int = 1, most: int = LARGEST, actors: int = 50_000, bodies: bool = True
) -> Iterator[Thread]:
    """Yield *count* threads of lifelike sizes, each to be iterated."""
    chance = Random(seed)
    for number in range(count):
        size = thread_size(chance, most)
        yield Thread(size, seed=seed, key=f"2023/05/{number:06}", actors=actors, bodies=bodies, start=START + number * 60_000)


def disordered(events: Iterable[Event], *, seed: int = 1, window: int = 1_000, repeated: float = 0.01) -> Iterator[Event]:
    """Yield *events* as replicas and retries deliver them: shuffled within a *window*, some of them twice."""
    chance, held = Random(seed), list[Event]()
    for event in events:
        held.append(event)
        if chance.random() < repeated:
            held.append(event)
        while len(held) >= window:
            place = int(chance.random() * len(held))
            held[place], held[-1] = held[-1], held[place]
            yield held.pop()
    chance.shuffle(held)
    yield from held


# --- the check ----------------------------------------------------------------------------------------------------------------


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which *share* of *ordered* lies."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else math.nan


def quantiles(values: Iterable[float], names: Iterable[str]) -> dict[str, float]:
    """Return the named quantiles ("p99.9", "max") of *values*."""
    ordered = sorted(values)
    return {name: ordered[-1] if name == "max" else quantile(ordered, float(name[1:]) / 100) for name in names}


class _Shape(NamedTuple):
    depths: list[int]
    replies: list[int]


def shape(parents: Sequence[int]) -> _Shape:
    """Return the depth and the number of replies of each comment; parents come before their children."""
    depths, replies = [0] * len(parents), [0] * len(parents)
    for n, parent in enumerate(parents):
        if 0 <= parent < n:
            depths[n] = depths[parent] + 1
            replies[parent] += 1
    return _Shape(depths, replies)


def generated(threads: int = 20_000, seed: int = 1) -> dict[str, dict[str, float]]:
    """Return what `REAL` states, of generated content."""
    chance = Random(seed)
    sizes = sorted((thread_size(chance) for _ in range(threads)), reverse=True)
    depths, pauses = list[int](), list[float]()
    for number in range(30):
        thread = Thread(700, seed=seed + number)
        for _ in thread:
            pass
        depths += shape(thread.tree.parents).depths
    for number in range(300):  # a median thread of the fit has 28 comments, a tenth of them 200 and more
        moments = [time_of(event.id) for event in Thread(60, seed=seed + number) if isinstance(event, CommentPosted)]
        pauses += [(b - a) / 1_000 for a, b in pairwise(moments)]
    lengths, votes, kinds, pairs = list[int](), Counter[str](), Counter[str](), set[tuple[str, str]]()
    posted = set[str]()
    for event in Thread(50_000, seed=seed):
        kinds[event.kind_tag] += 1
        if isinstance(event, CommentPosted):
            lengths.append(len(event.body))
            kinds["orphan"] += event.parent is not None and event.parent not in posted
            posted.add(event.id)
        elif isinstance(event, ReactionGiven | ReactionWithdrawn) and event.actor is not None:
            votes[event.comment] += 1
            pairs.add((event.comment, event.actor.id))
    reactions = votes.total()
    celebrated = sum(count for _, count in votes.most_common(kinds["comment.posted"] // 100))
    shares = {
        "largest 1 % of threads": sum(sizes[: threads // 100]) / sum(sizes),
        "reactions on 1 %": celebrated / reactions,
        "repeated reactions": 1 - len(pairs) / reactions,
        "orphans": kinds["orphan"] / kinds["comment.posted"],
        "edits": kinds["comment.edited"] / kinds["comment.posted"],
    }
    return {
        "thread size": quantiles(sizes, REAL["thread size"]),
        "body length": quantiles(lengths, REAL["body length"]),
        "pause, seconds": quantiles(pauses, REAL["pause, seconds"]),
        "depth": quantiles(depths, REAL["depth"]),
        "shares": shares,
    }


def of_trace(path: Path) -> dict[str, dict[str, float]]:
    """Return the shape of the largest threads of a real trace."""
    ordinals: dict[int, dict[int, int]] = {}
    parents: dict[int, list[int]] = {}
    lengths = list[int]()
    with gzip.open(path, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if "id" not in row or "thread" not in row:
                continue
            known = ordinals.setdefault(row["thread"], {})
            parents.setdefault(row["thread"], []).append(known.get(row.get("parent"), -1))
            known[row["id"]] = len(known)
            lengths.append(row.get("len", 0))
    largest = sorted(parents.values(), key=len, reverse=True)[:30]
    shapes = [shape(thread) for thread in largest]
    return {
        "thread size": quantiles([len(thread) for thread in parents.values()], ("p50", "p99", "max")),
        "depth": quantiles([depth for one in shapes for depth in one.depths], ("p50", "p99", "max")),
        "replies": quantiles([count for one in shapes for count in one.replies], ("p90", "p99", "max")),
        "body length": quantiles(lengths, ("p50", "p99")),
    }


def check(traces: Path | None) -> None:
    """Print generated beside real quantiles."""
    made = generated()
    print(f"{'':32}{'generated':>12}{'real':>12}")
    for what, real in REAL.items():
        for name, value in real.items():
            print(f"{what + ', ' + name:32}{made[what][name]:12,.4g}{value:12,.4g}")
    for size in (1_000, 15_000, 200_000):
        thread = Thread(size)
        for _ in thread:
            pass
        one = shape(thread.tree.parents)
        top = sum(1 for parent in thread.tree.parents if parent < 0) / size
        figures = quantiles(one.depths, ("p50", "p99", "max")), quantiles(one.replies, ("p90", "p99", "max"))
        print(f"a thread of {size:,}: top level {top:.0%}, depth {figures[0]}, replies {figures[1]}")
    if traces is None or not traces.is_dir():
        print("the real traces are not here; skipped", file=sys.stderr)
        return
    for path in sorted(traces.glob("*.jsonl.gz")):
        if ".events." not in path.name:
            print(f"{path.name.partition('.')[0]}, the 30 largest threads: {of_trace(path)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[1])
    parser.add_argument("--check", action="store_true", help="print generated against real quantiles")
    parser.add_argument("--comments", type=int, default=100_000)
    parser.add_argument("--traces", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "traces")
    given = parser.parse_args()
    if given.check:
        check(given.traces)
        return
    begin = time.perf_counter()
    events = sum(1 for _ in Thread(given.comments))
    took = time.perf_counter() - begin
    print(f"{given.comments:,} comments, {events:,} events in {took:.1f} s, {took / events * 1e6:.1f} µs per event")


if __name__ == "__main__":
    main()
