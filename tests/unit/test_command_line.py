"""The program that comes with the package: examining a store."""

from __future__ import annotations

import runpy
import sqlite3
import sys
from contextlib import closing

import pytest

import threadstore
import threadstore.__main__
from threadstore import Policy
from threadstore.__main__ import main as look_after
from threadstore.store import verify
from threadstore.store.verify import verify_store
from threadstore.views.thread import fold


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


def test_rows_that_differ_from_the_log_are_told(file, capsys):
    """A row that shows something else than the log has is named with its thread, whoever finds it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE comments SET replies = 7 WHERE parent = x''")
        connection.commit()
    assert look_after(["verify", str(file)]) == 1
    assert "model in thread 'a': a row of comments is wrong: " in capsys.readouterr().out


def test_a_thread_with_a_hole_is_told_of_once(file):
    """A record that can not be read is the log's to tell; nothing else is concluded from what is left of its thread."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE events SET data = x'c0' WHERE position = 2")
        connection.commit()
    with threadstore.open(file) as store:
        assert {(damage.kind, damage.position) for damage in verify_store(store.log, Policy())} == {("checksum", 2)}


def test_a_fold_that_depends_on_the_order_is_found(monkeypatch):
    """Each thread is folded in two orders, which must make one thread."""
    store = threadstore.open(":memory:")
    first = store.thread("a").post("first", by="u-1")
    store.thread("a").reply(first, "second", by="u-2")
    monkeypatch.setattr(verify, "fold", lambda events, *, key: fold([*events][:1], key=key))
    assert [(damage.kind, damage.thread) for damage in verify_store(store.log, Policy())] == [("digest", "a")]
    store.close()


def as_program(module, monkeypatch, *arguments):
    """Run a module as `python -m` does, and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(module.__file__, run_name="__main__")
    return ended.value.code


def test_the_programs_exit_with_what_they_found(file, tmp_path, monkeypatch):
    """A shell hears of damage."""
    assert as_program(threadstore.__main__, monkeypatch, "verify", str(file)) == 0
    assert as_program(threadstore.__main__, monkeypatch, "verify", str(tmp_path / "none.db")) == 2
