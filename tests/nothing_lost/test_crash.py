"""
A process that writes is killed with SIGKILL, and nothing that it was promised is lost.

`child_writer.py` writes: it posts, replies, edits, reacts, moderates, merges, snapshots and erases. `child_crash.py`
kills it and looks what is left: every acknowledged event is at its position, no batch is half there, positions are
dense and have not moved, requests that are repeated with their ids change nothing, `verify` finds nothing, each
thread's digest and view are those of a replay, and no erased text is in any file.

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
    [("moment", 20, 600), ("statement", 20, EVERY), ("step", 20, 1_500), ("beside", 6, EVERY)],
    ids=["moment", "statement", "step", "beside"],
)
def test_a_killed_writer_loses_nothing_that_it_was_promised(
    scale: Any, found_by: FoundBy, swift: Path, tmp_path: Path, way: str, short: int, long: int
):
    """
    Killed at a random moment, before or after any SQL statement, amid any write to a file, alone or beside another
    process that has the store open: everything acknowledged is there, nothing is there in part, nothing moves, and
    nothing comes twice.
    """
    seed = random.randrange(1 << 32) if scale.is_long else 2023
    folder = tmp_path if way == "moment" and scale.is_long else swift  # on a disk most of the time goes by while it is synced
    found = found_by("child_crash.py", folder=str(folder), seed=seed, way=way, kills=scale(short, long))
    assert found["complaints"] == [], seed
    assert found["kills"] >= min(short, found.get("boundaries", short))
    assert found.get("snapshots", 0) > 0 or way == "moment"  # chance may kill each writer before it keeps one
    assert found["tokens searched for"] > 0
    assert found["requests repeated whose answer was lost"] > 0
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
    """What is wrong, where, how, and what finds it: a test, or `child_crash.py`."""

    says: str
    path: str
    old: str
    new: str
    what: str | dict[str, Any]


DATABASE, LOG = "log/_connections.py", "log/sqlite.py"

MUTANTS = (
    Mutant(
        "a batch is no transaction",
        DATABASE,
        """\
                self._writer.execute("BEGIN IMMEDIATE")
                self._check_in_place()
                yield self._writer
                self._writer.execute("COMMIT")
""",
        "                yield self._writer\n",
        {"way": "statement", "kills": 60},
    ),
    Mutant(
        "making the tables is no transaction",
        DATABASE,
        'writer.execute("BEGIN IMMEDIATE")\n        if not schema',
        "if not schema",
        {"way": "statement", "kills": EVERY, "upto": 20},
    ),
    Mutant(
        "the WAL is not cut after an erasure",
        DATABASE,
        "                raise\n            self._scrub()",
        "                raise",
        {"way": "statement", "kills": 60},
    ),
    Mutant(
        "nobody sees the erasure of a killed process through",
        "store/store.py",
        "if isinstance(command, c.Erase | c.ErasePerson):",
        "if False:",
        {"way": "beside", "kills": EVERY, "upto": 60},
    ),
    Mutant(
        "a survivor does not notice that something was erased",
        DATABASE,
        "if last > self._scrubbed:",
        "if is_urgent:",
        "test_crash.py::test_an_erasure_is_seen_through_by_whoever_writes_next",
    ),
    Mutant(
        "what is known is stored again",
        LOG,
        "    return {id: position for id, (position, _) in found.items()}\n",
        "    return {}\n",
        {"way": "statement", "kills": 60},
    ),
    Mutant(
        "positions are counted anew",
        LOG,
        "    SELECT ({_GIVEN}),\n",
        "    SELECT 1 + max(({_POSITION}), 0),\n",
        {"way": "statement", "kills": 60},
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_a_missing_guard_is_noticed(
    found_by: FoundBy, without: Callable[..., Path], passes: Callable[..., bool], swift: Path, mutant: Mutant
):
    """Without the guard, a promise is found broken."""
    package = without(mutant.path, mutant.old, mutant.new)
    if isinstance(mutant.what, str):
        assert not passes(mutant.what, package), f"nothing is found wrong though {mutant.says}"
        return
    found = found_by("child_crash.py", package, folder=str(swift), seed=7, **mutant.what)
    assert found["complaints"] != [], f"nothing is found wrong though {mutant.says}"
