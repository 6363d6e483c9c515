"""
A process that writes is killed with SIGKILL, and nothing that it was promised is lost.

`child_writer.py` writes: it posts, replies, edits, reacts, moderates, merges, rebuilds and erases. `child_crash.py`
kills it and looks what is left: every acknowledged event is at its position, no batch is half there, positions are
dense and have not moved, requests that are repeated with their ids change nothing, `verify` finds nothing, each
thread's digest and views are those of a replay, from rows that are of all its events, and no erased text is in any file.

A SIGKILL loses nothing that was handed to the operating system, so these files may live in memory; what the loss of
power takes is `test_power.py`'s affair.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import threadstore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL and fork are POSIX's")

FoundBy = Callable[..., dict[str, Any]]
EVERY = 1 << 30


@pytest.mark.parametrize(
    ("way", "short", "long"),
    [("moment", 20, 600), ("statement", 20, EVERY), ("step", 20, 1_500), ("beside", 6, EVERY), ("lifted", 15, EVERY)],
    ids=["moment", "statement", "step", "beside", "lifted"],
)
def test_a_killed_writer_loses_nothing_that_it_was_promised(
    scale: Any, found_by: FoundBy, swift: Path, tmp_path: Path, way: str, short: int, long: int
):
    """
    Killed at a random moment, before or after any SQL statement, amid any write to a file, alone, beside another
    process that has the store open, or while it brings an older release's file up to date: everything acknowledged is
    there, nothing is there in part, nothing moves, and nothing comes twice.
    """
    seed = random.randrange(1 << 32) if scale.is_long else 2023
    folder = tmp_path if way == "moment" and scale.is_long else swift  # on a disk most of the time goes by while it is synced
    found = found_by("child_crash.py", folder=str(folder), seed=seed, way=way, kills=scale(short, long))
    assert found["complaints"] == [], seed
    assert found["kills"] >= min(short, found.get("boundaries", short))
    assert found["threads compared"] > 0
    assert found["tokens searched for"] > 0
    assert found.get("requests repeated whose answer was lost", 0) > 0 or way == "lifted"
    for name in ("kills", "boundaries", "events acknowledged", "batches stored whose answer was lost"):
        if name in found:
            scale.figure(name, found[name])


def test_an_erasure_is_seen_through_by_whoever_writes_next(tmp_path: Path):
    """
    A reader keeps the WAL from being cut, and the process that erased is killed before the reader leaves: another
    process, which has had the file open all along and hears nothing of it, cuts the WAL with its next write.
    """
    path = tmp_path / "log.db"
    with threadstore.open(path) as survivor:
        id = survivor.thread("t").post("a secret", by="u-1")
        subprocess.run([sys.executable, "-c", ERASING, path, id], check=True)
        survivor.thread("t").post("something else", by="u-2")
        # Read only now: closing a file takes its process's locks from it.
        assert not any(b"a secret" in file.read_bytes() for file in tmp_path.iterdir())


ERASING = """
import os, signal, sqlite3, sys
import threadstore

reader = sqlite3.connect(sys.argv[1], isolation_level=None)
reader.execute("BEGIN")
reader.execute("SELECT count(*) FROM events").fetchone()
store = threadstore.open(sys.argv[1])
store.thread("t").erase(sys.argv[2], by=threadstore.Actor("m", "", "moderator"))
with open(sys.argv[1] + "-wal", "rb") as wal:
    assert b"a secret" in wal.read()
os._exit(0)
"""


# --- the tests above can fail -------------------------------------------------------------------------------------------------


class Mutant(NamedTuple):
    """What is wrong, with the changes that make it so, and what finds it: a test, or `child_crash.py`."""

    says: str
    changes: tuple[str, ...]
    what: str | dict[str, Any]


TRANSACTION, WRITER = "log/_connections.py::Database.transaction", "store/writer.py::Writer"

MUTANTS = (
    Mutant(
        "a batch is no transaction",
        (TRANSACTION, 'self._writer.execute("BEGIN IMMEDIATE")', "pass", TRANSACTION, 'self._writer.execute("COMMIT")', "pass"),
        {"way": "statement", "kills": 60},
    ),
    Mutant(
        "bringing an older file up to date is no transaction",
        (
            *("log/_connections.py::Database._establish", 'writer.execute("BEGIN IMMEDIATE")', "pass"),
            *("log/_connections.py::Database._establish", 'writer.execute("COMMIT")', "pass"),
        ),
        {"way": "lifted", "kills": EVERY},
    ),
    Mutant(
        "rows are brought up to an event in a transaction of their own",
        (
            "store/plans.py::append_to",
            "    yield from projected(loaded, row, list(enumerate(events, row.end + 1)), rules, part=part, appends=appends)",
            (
                '    yield [*appends, Sql("COMMIT", ()), Sql("BEGIN", ())]\n'
                "    yield from projected(loaded, row, list(enumerate(events, row.end + 1)), rules, part=part)"
            ),
        ),
        {"way": "statement", "kills": 60},
    ),
    Mutant(
        "the WAL is not cut after an erasure",
        (TRANSACTION, "            self._scrub()\n", ""),
        {"way": "statement", "kills": 60},
    ),
    Mutant(
        "nobody sees the erasure of a killed process through",
        (f"{WRITER}._commit", "self._database.note_erasure(last_erasure(connection), is_urgent=is_urgent)", "pass"),
        {"way": "beside", "kills": EVERY, "upto": 60},
    ),
    Mutant(
        "a survivor does not notice that something was erased",
        ("log/_connections.py::Database.note_erasure", "if last > self._scrubbed", "if is_urgent"),
        "test_crash.py::test_an_erasure_is_seen_through_by_whoever_writes_next",
    ),
    Mutant(
        "what is known is stored again",
        ("store/merging.py::merged", "if id not in positions", "if True"),
        {"way": "statement", "kills": 60},
    ),
    Mutant(
        "a command that is repeated is decided anew",
        ("decide/decide.py::resolve", "if known is not None:", "if False:"),
        {"way": "statement", "kills": 60},
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_a_missing_guard_is_noticed(
    found_by: FoundBy, without: Callable[..., Path], passes: Callable[..., bool], swift: Path, mutant: Mutant
):
    """Without the guard, a promise is found broken."""
    package = without(*mutant.changes)
    if isinstance(mutant.what, str):
        assert not passes(mutant.what, package), f"nothing is found wrong though {mutant.says}"
        return
    found = found_by("child_crash.py", package, folder=str(swift), seed=7, **mutant.what)
    assert found["complaints"] != [], f"nothing is found wrong though {mutant.says}"
