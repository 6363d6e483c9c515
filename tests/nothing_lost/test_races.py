"""
Races: many processes and threads on one store at once, and what they were told is compared with what is there.

`child_racer.py` is one process of a race. It writes down what was acknowledged, what its pages showed and what its subscribers
saw; `faults` finds what can not be true. The mutants at the end show that it would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any, NamedTuple

import msgspec
import pytest

import threadstore
from threadstore import Actor, Thread, fold
from threadstore.errors import Rejected
from threadstore.log.protocol import Record
from threadstore.model.events import CommentEdited, CommentPosted, ReactionGiven

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "src" / "threadstore"
CONTEST = "contest"


class Race(NamedTuple):
    """
    Who takes part, and for how long.

    With *rounds*, all they do is to append, each expecting revision 0, then 1, and so on.
    """

    processes: int
    threads: int
    seconds: float
    stores: int = 1
    memory: bool = False
    rounds: int = 0


class Result(NamedTuple):
    """What a race left behind."""

    records: list[Record]
    children: list[dict[str, Any]]
    problems: list[str]
    damages: list[object]

    @property
    def racers(self) -> list[dict[str, Any]]:
        return [racer for child in self.children for racer in child["racers"]]

    @property
    def operations(self) -> int:
        return sum(sum(racer["done"].values()) for racer in self.racers)


def run(race: Race, folder: Path, *, seed: int, package: Path = PACKAGE) -> Result:
    """Run the race in processes of its own, all of which are gone when this returns."""
    folder.mkdir()
    file = folder / "race.db"
    plan = race._asdict() | {
        "path": ":memory:" if race.memory else str(file),
        "file": str(file),
        "seed": seed,
        "began": time.time_ns() // 1_000_000,
    }
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    children = []
    for process in range(race.processes):
        mine = plan | {"process": process, "out": str(folder / f"{process}.json")}
        children.append(
            subprocess.Popen(
                [sys.executable, str(HERE / "child_racer.py"), json.dumps(mine)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    guard = Timer(race.seconds * 3 + 90, lambda: [child.kill() for child in children])
    guard.start()
    try:
        problems = _conduct(children)
    finally:
        guard.cancel()
        for child in children:
            child.kill()
            child.communicate()
    left = [msgspec.json.decode(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    behind: list[str] = []
    with threadstore.open(file) as store:
        damages: list[object] = list(store.verify())
        store.rebuild(progress=behind.append)
        damages += [f"the rows of {key!r} are not of all its events" for key in behind if key != CONTEST]  # by the log alone
        return Result(list(store.log.read_all()), left, problems, damages)


def _conduct(children: list[subprocess.Popen[str]]) -> list[str]:
    """Lead the children from one word to the next, together, and return what went wrong with them."""
    problems = []
    for word in ("ready", "raced"):
        for child in children:
            said = child.stdout.readline().strip()
            if said != word:
                problems.append(f"process {child.pid} said {said!r} in place of {word!r}")
        for child in children:
            with suppress(BrokenPipeError):
                child.stdin.write("\n")
                child.stdin.flush()
    for child in children:
        _, complaint = child.communicate()
        if child.returncode:
            problems.append(f"process {child.pid} ended with {child.returncode}: {complaint.strip().splitlines()[-1:]}")
    return problems


# --- what can not be true -----------------------------------------------------------------------------------------------------


def faults(result: Result, *, sample: int, seed: int) -> list[str]:
    """Return what a race shows to be wrong: nothing, if every promise was kept."""
    return [
        *result.problems,
        *(str(damage) for damage in result.damages),
        *(fault for racer in result.racers for fault in racer["faults"]),
        *_order(result),
        *_losses(result),
        *_followed(result),
        *_contested(result),
        *_ends(result),
        *_prefixes(result, sample, seed),
    ]


def _order(result: Result) -> list[str]:
    """Positions and revisions are dense, and no id is there twice."""
    found = []
    if [record.position for record in result.records] != list(range(1, len(result.records) + 1)):
        found.append("positions are not dense")
    for key, records in _by_thread(result).items():
        if [record.revision for record in records] != list(range(1, len(records) + 1)):
            found.append(f"revisions of {key!r} are not dense")
    ids = Counter(record.event.id for record in result.records)
    return found + [f"the id {id} is there {times} times" for id, times in ids.items() if times > 1]


def _losses(result: Result) -> list[str]:
    """What was acknowledged is there as it was said, once, and nothing else is."""
    events = {record.event.id: record.event for record in result.records}
    found = []
    said: Counter[str] = Counter()
    for racer in result.racers:
        for key, id, body in racer["said"]:
            said[body] += 1
            event = events.get(id)
            if not isinstance(event, CommentPosted | CommentEdited) or (event.thread, event.body) != (key, body):
                found.append(f"{body!r} was acknowledged as {id}, which is {event}")
        for key, id, comment, actor in racer["reacted"]:
            event = events.get(id)
            if not isinstance(event, ReactionGiven) or (event.thread, event.comment, event.actor.id) != (key, comment, actor):
                found.append(f"a reaction was acknowledged as {id}, which is {event}")
        for key, id in racer["acts"]:
            if id not in events or events[id].thread != key:
                found.append(f"an act was acknowledged as {id}, which is {events.get(id)}")
    answers = defaultdict(set)
    for racer in result.racers:
        for turn, id in racer["shared"]:
            answers[f"round {turn}"].add(id)
    found += [f"the same request was answered with {ids}" for ids in answers.values() if len(ids) > 1]
    said += Counter(answers.keys())
    there = Counter(e.body for e in events.values() if isinstance(e, CommentPosted | CommentEdited) and e.thread != CONTEST)
    return found + [
        f"{body!r} was said {said[body]} times and is there {there[body]} times"
        for body in there | said
        if there[body] != said[body]
    ]


def _followed(result: Result) -> list[str]:
    """Each subscriber saw each record once, in order, up to the end."""
    chains = [b""]
    for record in result.records:
        data = chains[-1] + record.position.to_bytes(8, "big") + record.data
        chains.append(blake2b(data, digest_size=16).digest())
    found = []
    for child in result.children:
        for position, chain, _, complaints in child["followers"]:
            found += complaints
            if position != len(result.records) or bytes.fromhex(chain) != chains[min(position, len(chains) - 1)]:
                found.append(f"a subscriber ended at {position} of {len(result.records)}, with other records than are there")
    return found


def _contested(result: Result) -> list[str]:
    """Of all who expected one revision, one won, and its event is the next."""
    won = [tuple(win) for racer in result.racers for win in racer["won"]]
    there = [(record.revision - 1, record.event.id) for record in result.records if record.thread == CONTEST]
    return (
        [] if sorted(won) == sorted(there) else [f"{len(won)} appends won against their expectation and {len(there)} are there"]
    )


def _ends(result: Result) -> list[str]:
    """All stores end with the state that a fresh fold of the log gives."""
    fresh = {key: fold(record.event for record in records).digest() for key, records in _by_thread(result).items()}
    digests = [digest for child in result.children for digest in child["digests"]]
    return [f"a store ended with other digests: {digest} in place of {fresh}" for digest in digests if digest != fresh]


def _prefixes(result: Result, sample: int, seed: int) -> list[str]:
    """Every page and every digest that was seen is that of the first so many events of its thread."""
    reads = [tuple(read) for racer in result.racers for read in racer["reads"]]
    chosen = Random(seed).sample(reads, min(sample, len(reads)))
    states = [(key, revision, "digest", {}, digest) for racer in result.racers for key, revision, digest in racer["states"]]
    streams = _by_thread(result)
    threads: dict[str, Thread] = {}
    reached: Counter[str] = Counter()
    found = []
    for key, revision, method, arguments, wanted in sorted(chosen + states, key=lambda read: read[:3]):
        thread = threads.setdefault(key, Thread(key))
        if revision > len(streams.get(key, ())):
            found.append(f"{key!r} was shown at revision {revision}, which is not there")
            continue
        for record in streams.get(key, ())[reached[key] : revision]:
            thread.apply(record.event)
        reached[key] = max(reached[key], revision)
        try:
            shown = _shown(thread, revision, method, arguments)
        except Rejected:
            shown = "it has no such comment"
        if shown != wanted:
            found.append(f"{method} of {key!r} at revision {revision} was not that of its first {revision} events")
    return found


def _shown(thread: Thread, revision: int, method: str, arguments: dict[str, Any]) -> str:
    if method == "digest":
        return thread.digest()
    reader = arguments.get("reader")
    real = {**arguments, "reader": Actor(reader[0], "", reader[1])} if isinstance(reader, list) else arguments
    page = msgspec.structs.replace(getattr(thread, method)(**real), revision=revision)
    return blake2b(msgspec.json.encode(page), digest_size=16).hexdigest()


def _by_thread(result: Result) -> dict[str, list[Record]]:
    streams = defaultdict(list)
    for record in result.records:
        streams[record.thread].append(record)
    return dict(streams)


# --- races --------------------------------------------------------------------------------------------------------------------

#: What is run in `make test`, and in `make soak`.
RACES = {
    "processes": (Race(4, 2, 3), Race(8, 4, 75)),
    "threads of one process": (Race(1, 6, 1), Race(1, 16, 60)),
    "two stores in one process": (Race(1, 4, 1, stores=2), Race(1, 8, 60, stores=2)),
    "threads of one process, in memory": (Race(1, 6, 1, memory=True), Race(1, 16, 30, memory=True)),
}


@pytest.mark.parametrize("name", RACES)
def test_nothing_is_lost_in_a_race(name, scale, tmp_path):
    """
    Whoever writes, reads and follows at once: nothing is lost or doubled, and every page is of some real prefix.

    Each `MUTANTS` entry below makes this fail.
    """
    seed = Random().randrange(1 << 30)
    race = RACES[name][scale.is_long]
    result = run(race, tmp_path / "race", seed=seed)
    sample = scale(300, 5_000)
    assert faults(result, sample=sample, seed=seed) == [], f"seed {seed}"
    done = sum((Counter(racer["done"]) for racer in result.racers), Counter())
    assert {"post", "reply", "react", "unreact", "edit", "approve_or_restore", "read", "repeat", "share", "compete"} <= set(done)
    assert all(child["followers"][0][2] > 1 for child in result.children), "no subscriber was broken off"
    for what, figure in {
        "processes x threads": f"{race.processes} x {race.threads}",
        "seconds": race.seconds,
        "operations": result.operations,
        "events": len(result.records),
        "pages seen": (pages := sum(len(racer["reads"]) for racer in result.racers)),
        "pages made again from their prefix": min(pages, sample),
        "appends that lost against their expectation": sum(racer["lost"] for racer in result.racers),
        "restarts of subscribers": sum(follower[2] for child in result.children for follower in child["followers"]),
    }.items():
        scale.figure(what, figure)


DUELS = {
    "processes": (Race(2, 1, 60, rounds=400), Race(2, 1, 600, rounds=20_000)),
    "threads": (Race(1, 2, 60, rounds=400), Race(1, 2, 600, rounds=20_000)),
    "threads, in memory": (Race(1, 2, 60, memory=True, rounds=400), Race(1, 2, 600, memory=True, rounds=20_000)),
}


@pytest.mark.parametrize("name", DUELS)
def test_of_two_who_expect_the_same_one_wins(name, scale, tmp_path):
    """In each of many rounds, exactly one of two appends with the same expectation is stored (mutant: "nothing is expected")."""
    race = DUELS[name][scale.is_long]
    result = run(race, tmp_path / "race", seed=0)
    assert faults(result, sample=0, seed=0) == []
    won = sorted(expected for racer in result.racers for expected, _ in racer["won"])
    assert won == list(range(race.rounds))
    assert sum(racer["lost"] for racer in result.racers) == race.rounds
    scale.figure("rounds", race.rounds)
    scale.figure("won by each", " : ".join(str(len(racer["won"])) for racer in result.racers))


# --- what these tests are good for --------------------------------------------------------------------------------------------


class Mutant(NamedTuple):
    """What is wrong, the race that shows it and in which words, and the changes that make it so."""

    says: str
    race: Race
    shows: str
    changes: tuple[str, ...]


_SHORT = Race(2, 2, 1)
TRANSACTION = "log/_connections.py::Database.transaction"

MUTANTS = (
    Mutant(
        "a writer's transaction begins by reading",
        _SHORT,
        "StoreUnavailable",
        (TRANSACTION, 'self._writer.execute("BEGIN IMMEDIATE")', 'self._writer.execute("BEGIN")'),
    ),
    Mutant(
        "nothing is expected",
        Race(2, 1, 30, rounds=100),
        "won against their expectation",
        ("log/_appending.py::append", "check_expected(thread, expected, stream.revision)", "pass"),
    ),
    Mutant(
        "a page is remembered whatever happens in its thread",
        _SHORT,
        "was shown when it had",
        ("store/pages.py::FinishedPages.find", "if kept is None or kept[0] != revision:", "if kept is None:"),
    ),
    Mutant(
        "a page is read in several transactions",
        Race(2, 2, 2),
        "was not that of its first",
        ("store/store.py::ThreadStore._read", 'connection.execute("BEGIN")', "pass"),
    ),
    Mutant(
        "a refused command takes those beside it along",
        Race(1, 6, 1),
        "",
        ("store/writer.py::Writer._run", 'connection.execute("ROLLBACK TO command")', 'connection.execute("ROLLBACK")'),
    ),
    Mutant(
        "a subscriber goes on from the end of the log",
        _SHORT,
        "a subscriber saw position",
        ("store/subscriptions.py::records_after", "position = record.position", "position = log.position()"),
    ),
)
#: Chance may spare a mutant; it never has twice.
_TRIES = 3


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_a_race_shows_what_is_wrong(mutant, tmp_path, without):
    """Each seeded fault is found by a race, so that a race without faults says something."""
    package = without(*mutant.changes)
    for attempt in range(_TRIES):
        result = run(mutant.race, tmp_path / str(attempt), seed=attempt, package=package)
        found = faults(result, sample=200, seed=attempt)
        if any(mutant.shows in fault for fault in found):
            return
    pytest.fail(f"it is not found that {mutant.says}; the last race showed {found[:10]}")
