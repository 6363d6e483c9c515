"""
Rows that are made anew, by whoever is killed amid it, beside writers of other processes, and by stores of other policies.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

import threadstore
from threadstore import Actor, Policy, ThreadStore, fold
from threadstore.store import rebuilding

ANN, MODERATOR = Actor("u-ann", "Ann Lee"), Actor("u-mod", "Mo", "moderator")
STRICT = Policy(report_threshold=1, moderators=("editor",))

KILLED = """
import os, signal, sqlite3, sys
import threadstore
from threadstore.log._connections import Database
from threadstore.store import rebuilding
from threadstore.store.store import ThreadStore
from threadstore.log.sqlite import SqliteLog

class Counted(sqlite3.Connection):
    left = 1 << 60
    def execute(self, sql, *parameters):
        if sql == "COMMIT":
            Counted.left -= 1
            if Counted.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(sql, *parameters)

rebuilding.LARGE = 10
rebuilding._GENTLE = rebuilding._HASTY = rebuilding._Pace(7, 0.0, 0.0)
store = ThreadStore(SqliteLog(Database(sys.argv[1], synchronous="OFF", timeout=1_000, factory=Counted)))
Counted.left = int(sys.argv[2])
store.rebuild_thread("large")
print(int(sys.argv[2]) - Counted.left)
"""


def filled(path: Path, count: int = 40) -> ThreadStore:
    """Return a store with a thread of many comments, reactions and reports."""
    random, store = Random(5), threadstore.open(path, durability="off")
    thread = store.thread("large")
    ids = [thread.post("the first", by=ANN)]
    for number in range(count):
        ids.append(thread.reply(random.choice(ids), f"@Ann Lee {number}", by=Actor(f"u-{number % 5}", f"Reader {number % 5}")))
        thread.react(random.choice(ids), by=f"u-{number}")
    thread.report(ids[3], by="u-3")
    thread.hold(ids[5], by=MODERATOR)
    return store


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_a_killed_rebuild_is_finished_by_the_next(swift: Path, scale: Any, check_whole: Callable[[ThreadStore], None]):
    """
    Killed before any of the commits of a rebuild in portions, the file opens and shows the right thread, to which others
    write, and a later rebuild finishes and leaves no rows behind.
    """
    whole = swift / "whole.db"
    filled(whole).close()
    command = [sys.executable, "-c", KILLED]
    copy = swift / "dry.db"
    copy.write_bytes(whole.read_bytes())
    commits = int(subprocess.run([*command, copy, "1000000"], capture_output=True, check=True).stdout)
    assert commits > 10
    chosen = sorted(Random(3).sample(range(1, commits + 1), scale(5, commits, most=commits)))
    for at in chosen:
        path = swift / f"{at}.db"
        path.write_bytes(whole.read_bytes())
        done = subprocess.run([*command, path, str(at)], capture_output=True, check=False)
        assert done.returncode == -9, done.stderr
        with threadstore.open(path, durability="off") as store:
            check_whole(store)
            store.thread("large").post("it goes on", by=ANN)
            check_whole(store)
            store.rebuild_thread("large")
            check_whole(store)
            with store.log.database.reading() as reader:
                shown = reader.execute("SELECT model FROM threads").fetchone()
                for table in ("comments", "reactions", "facts", "authors", "names"):
                    assert reader.execute(f"SELECT DISTINCT model FROM {table}").fetchall() == [shown], (at, table)
    scale.figure("rebuilds killed", len(chosen))


def test_posts_beside_a_rebuild_in_portions_are_in_its_rows(
    swift: Path, monkeypatch: pytest.MonkeyPatch, check_whole: Callable[[ThreadStore], None]
):
    """Whatever is written between two portions of a rebuild is in the rows that it shows in the end."""
    monkeypatch.setattr(rebuilding, "LARGE", 10)
    for pace in ("_GENTLE", "_HASTY"):
        monkeypatch.setattr(rebuilding, pace, rebuilding._Pace(7, 0.0, 0.0))
    with filled(swift / "x.db") as store:
        thread, said = store.thread("large"), list[str]()

        def post_beside(_seconds: float) -> None:
            if len(said) < 60:
                said.append(thread.post(f"beside {len(said)}", by=ANN))
                thread.react(said[-1], by="u-1")

        monkeypatch.setattr(rebuilding.time, "sleep", post_beside)
        store.rebuild_thread("large")
        monkeypatch.undo()
        assert len(said) > 5
        check_whole(store)
        assert {comment.id for comment in thread.flat(limit=500).comments} >= set(said)


@pytest.mark.parametrize("fit", [True, False], ids=["rows that fit", "rows of other rules"])
def test_a_reader_waits_for_no_writer(swift: Path, fit: bool):
    """While another program holds its transaction, each page is answered before that has ended, from rows or from the log."""
    path = swift / "x.db"
    filled(path).close()
    policy = Policy() if fit else STRICT
    patient = threadstore.open(path, policy=policy, timeout=3_600)
    with patient as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE threads SET revision = revision + 1")
        thread = store.thread("large")
        expected = fold(store.export())
        for order in ("oldest", "top"):
            seen = {"order": order, "limit": 100, "reader": MODERATOR}
            assert thread.view(**seen).comments == expected.view(**seen, policy=policy).comments
        assert thread.counts() == expected.counts(policy=policy)
        assert thread.queue().items == expected.queue(policy=policy).items
        assert other.in_transaction
        other.execute("ROLLBACK")


def test_stores_of_two_policies_share_a_file(swift: Path, scale: Any, check_whole: Callable[[ThreadStore], None]):
    """However posts, reports and pages of two stores with other rules alternate, each shows what a fold shows under its own."""
    path, random = swift / "x.db", Random(9)
    with threadstore.open(path, durability="off") as one, threadstore.open(path, durability="off", policy=STRICT) as other:
        ids = [one.thread("t").post("first", by=ANN)]
        for turn in range(scale(60, 2_000)):
            store = random.choice([one, other])
            thread = store.thread("t")
            match random.randrange(4):
                case 0:
                    ids.append(thread.post(f"{turn}", by=f"u-{turn % 7}"))
                case 1:
                    ids.append(thread.reply(random.choice(ids), f"{turn}", by=f"u-{turn % 7}"))
                case 2:
                    thread.report(random.choice(ids), by=f"u-{turn}")
                case _:
                    shown = fold(store.export())
                    seen = {"limit": 500, "rows": 500, "order": random.choice(["oldest", "top", "active"])}
                    assert thread.view(**seen).comments == shown.view(**seen, policy=store.policy).comments
                    assert thread.counts() == shown.counts(policy=store.policy)
        for store in (one, other):
            store.thread("t").view()
            check_whole(store)
        assert one.thread("t").counts() != other.thread("t").counts()
