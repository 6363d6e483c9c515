"""
Forks: a store that is carried into another process says so, and takes nothing from the process that opened it.

SQLite's connections do not survive a fork (sqlite.org/howtocorrupt.html, section 2.6): the child believes that it holds its parent's locks.
Two ways to lose acknowledged words follow, and both were seen before connections were closed for the moment of the fork: a child that opens
the file for itself shares those locks in name, so the parent's closing deletes the WAL that it writes to; and a child that only
ends closes what it inherited, which deletes the WAL that somebody else has left to be recovered. Both happen in SQLite 3.40.

Mutants: without `rest` in `threadstore.logs._sqlite_database`, both scenes below lose 10 events; without the check in `ThreadStore`, the child of
the first waits for ever for a thread that it does not have.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from threadstore import ThreadStore
from threadstore.logs.protocol import EventLog
from threadstore.stored import StoredThread

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "src" / "threadstore"
POSTS = 10

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def play(scene: str, folder: Path, *, package: Path = PACKAGE, forks: int = 0) -> dict:
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1", "FORKS": str(forks)}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(HERE / "child_forker.py"), scene, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150 + forks, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("scene", ["used_file", "used_memory"])
def test_a_store_says_that_it_was_opened_before_a_fork(scene, tmp_path):
    """Whatever a child asks of its parent's store is refused at once, and the parent goes on undisturbed."""
    found = play(scene, tmp_path)
    outcomes = found.pop("outcomes")
    assert found == {"status": 0, "events": 3 * POSTS, "damages": []}
    assert {outcomes.pop("close"), outcomes.pop("close again")} == {"it was done"}
    assert {name: said for name, said in outcomes.items() if not said.startswith("StoreUnavailable: the store")} == {}
    assert {name: said for name, said in outcomes.items() if "before the process forked" not in said} == {}
    assert set(outcomes) == _calls(ThreadStore, "close", "now", "thread") | _calls(StoredThread) | _calls(EventLog, "close")


def _calls(kind: type, *without: str) -> set[str]:
    """Return what can be asked of a *kind* of object, save what needs no log."""
    return {f"{kind.__name__}.{name}" for name in dir(kind) if not name.startswith("_") and name not in without}


def test_a_child_that_opens_the_file_anew_loses_nothing(tmp_path):
    """What parent and child write, each with a store of its own, is all there, in whatever order they close."""
    assert play("opened_anew", tmp_path) == {"status": 0, "events": 4 * POSTS, "damages": []}


def test_the_end_of_a_child_takes_nothing(tmp_path):
    """A child that only ends leaves alone what a third process wrote and was killed before it could tidy up."""
    assert play("outlived", tmp_path) == {"status": 0, "events": 2 * POSTS, "damages": []}


def test_a_process_may_fork_while_its_threads_write(scale, tmp_path):
    """Threads that write and read while their process forks notice nothing, and no word is lost on either side."""
    forks = scale(15, 1_000)
    found = play("forked_often", tmp_path, forks=forks)
    assert (set(found["statuses"]), found["wrong"], found["damages"]) == ({0}, [], [])
    assert found["events"] == found["expected"] > 2 * forks
    scale.figure("forks", forks)
    scale.figure("events", found["events"])
