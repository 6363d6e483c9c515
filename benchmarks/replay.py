"""
How long does a cold process take to fold a thread from its log, beside the least that reading it can cost?

Method: one thread of N events (half comments in a news-like tree, half reactions, 3 % of the comments edited, 2 % orphans) is
written to a SQLite file in bulk. Then, in turn and several times over, so that the machine's moods fall on all alike:

- floor: a bare ``SELECT`` of the thread's rows in order, and msgspec's decoding of each into an untyped list;
- fold: folding events that are in memory already, the codec apart;
- replay: opening the log and folding all of it to the first page, so select, decode, check, fold, tree and page.

The medians are printed in microseconds per event, and as ratios to the floor. Caveats: the file is in the page cache; a figure of
one run says little, the ratios of one run say more. Run it with ``python benchmarks/replay.py [--events N] [--rounds R]``.
"""

from __future__ import annotations

import argparse
import gc
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median

import msgspec

import threadstore
from threadstore import Actor, CommentEdited, CommentPosted, Event, ReactionGiven, fold
from threadstore.ids import make_id
from threadstore.logs.sqlite import SqliteLog

KEY = "2023/05/03/drones"
START = 1_683_072_000_000
WORDS = ("the", "drones", "came", "over", "the", "river", "before", "dawn", "and", "nobody", "slept", "after", "that")


def history(count: int, seed: int = 1) -> Iterator[Event]:
    """Yield *count* events, as ``Method`` above describes them."""
    chance = Random(seed)
    people = [Actor(f"u-{number}", f"Reader {number}") for number in range(max(count // 20, 10))]
    comments: list[CommentPosted] = []
    for number in range(count):
        id = make_id(START + 40 * number, 0, chance.getrandbits(62))
        by = chance.choice(people)
        if not comments or number % 2 == 0:
            yield (posted := _post(id, by, comments, chance))
            comments.append(posted)
        elif number % 66 == 1:
            target = chance.choice(comments)
            yield CommentEdited(id=id, thread=KEY, actor=target.actor, comment=target.id, body=_text(chance))
        else:
            yield ReactionGiven(id=id, thread=KEY, actor=by, comment=chance.choice(comments).id)


def _post(id: str, by: Actor, comments: list[CommentPosted], chance: Random) -> CommentPosted:
    dice = chance.random()
    parent = None
    if comments and dice < 0.6:
        parent = chance.choice(comments[-50:]).id if dice < 0.4 else chance.choice(comments).id
    elif dice > 0.98:
        parent = make_id(START - 1, 0, chance.getrandbits(62))
    return CommentPosted(id=id, thread=KEY, actor=by, parent=parent, body=_text(chance))


def _text(chance: Random) -> str:
    return " ".join(chance.choices(WORDS, k=min(int(chance.lognormvariate(2.8, 1.0)) + 1, 400)))


def floor(path: Path) -> int:
    """Read and decode every row; nothing less can know what the thread holds."""
    decode = msgspec.msgpack.Decoder().decode
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT data FROM events ORDER BY thread, revision")
        return sum(1 for (data,) in rows if decode(bytes(data).lstrip(b"\xc1")))


def replay(path: Path) -> int:
    """Open the log, fold the thread, and show the first page."""
    with closing(SqliteLog.open(path)) as log:
        return fold(record.event for record in log.read(KEY)).view(order="top", limit=50).counts.total


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that *work* takes, the collector's pauses apart."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "replay.db"
        events = list(history(given.events))
        with threadstore.open(path, durability="off") as store:
            write = timed(lambda: store.merge(events))
        contenders = {"floor": lambda: floor(path), "fold": lambda: fold(events), "replay": lambda: replay(path)}
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(given.rounds):
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr)
            for name, work in contenders.items():
                seconds[name].append(timed(work))
    least = median(seconds["floor"])
    print(f"{given.events} events; bulk append {write / given.events * 1e6:.2f} µs per event")
    for name, times in seconds.items():
        print(f"{name:8} {median(times) / given.events * 1e6:6.2f} µs per event, {median(times) / least:5.2f} x the floor")


if __name__ == "__main__":
    main()
