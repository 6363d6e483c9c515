"""The programs that come with the package: examining a store, and proving the laws."""

from __future__ import annotations

import runpy
import sqlite3
import sys
from contextlib import closing

import pytest

import threadstore
import threadstore.__main__
from threadstore.__main__ import main as look_after
from threadstore.testing import prove


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "comments.db"
    with threadstore.open(path) as store:
        first = store.thread("a").post("first", by="u-1")
        store.thread("a").reply(first, "second", by="u-2")
    return path


def change(file, sql):
    """Change a file as no store would."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(sql)
        connection.commit()


def test_a_sound_store_is_told_to_be_sound(file, capsys):
    """One line sums up, and the exit status is 0."""
    assert look_after(["verify", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: 2 events in 1 threads, no damage found\n"


def test_damage_is_told_with_its_place(file, capsys):
    """Each damage has a line with its kind, position and thread, and the exit status is 1."""
    change(file, "UPDATE events SET crc = zeroblob(length(crc)) WHERE position = 2")
    assert look_after(["verify", str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("checksum at position 2 in thread 'a': ")
    assert lines[-1].endswith("1 damage found")


def test_rows_that_say_something_else_are_told(file, capsys):
    """What is shown must be what the records amount to: a row that differs has a line with its thread and its comment."""
    change(file, "UPDATE comments SET up = 7 WHERE parent = x''")
    assert look_after(["verify", str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("model in thread 'a': a row of comments is wrong: ")
    assert lines[1].startswith("model in thread 'a': a row of comments is missing: ")
    with threadstore.open(file) as store:
        store.rebuild_thread("a")
    assert look_after(["verify", str(file)]) == 0


def test_what_can_not_be_examined_is_said(tmp_path, capsys):
    """A missing file is not made, and a file of another program is refused."""
    assert look_after(["verify", str(tmp_path / "none.db")]) == 2
    assert not (tmp_path / "none.db").exists()
    other = tmp_path / "other.db"
    other.write_bytes(b"this is no database, and long enough to be none" * 100)
    assert look_after(["verify", str(other)]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def as_program(module, monkeypatch, *arguments):
    """Run a module as `python -m` does, and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(module.__file__, run_name="__main__")
    return ended.value.code


def test_the_programs_exit_with_what_they_found(file, tmp_path, monkeypatch):
    """A shell hears of damage, and of a proof that holds."""
    assert as_program(threadstore.__main__, monkeypatch, "verify", str(file)) == 0
    assert as_program(threadstore.__main__, monkeypatch, "verify", str(tmp_path / "none.db")) == 2
    assert as_program(prove, monkeypatch, "--tier", "2", "--histories", "1") == 0


def test_the_proof_says_what_each_tier_found(capsys):
    """The program runs the tiers asked for and says what holds."""
    assert prove.main(["--tier", "1", "--most", "1", "--tier", "2", "--histories", "2", "--tier", "3"]) == 0
    assert capsys.readouterr().out == "tier 1: holds\ntier 2: holds\ntier 3: holds\n"


def test_the_proof_says_what_is_wrong(capsys, monkeypatch):
    """A tier that fails is named with what was found, and ends the proof."""
    monkeypatch.setattr(prove, "LAWS", (_broken_law,))
    assert prove.main(["--tier", "2", "--histories", "1"]) == 1
    assert capsys.readouterr().out == "tier 2: AssertionError: _broken_law, seed 0: water runs uphill\n"


def _broken_law(case):
    raise AssertionError("water runs uphill")
