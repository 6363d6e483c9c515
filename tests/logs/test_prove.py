"""The proof as a program: what each tier holds up, what it says, and what it makes of a fault."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from typing import Any

import pytest

from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import Event, ReactionGiven
from threadstore.testing import prove
from threadstore.testing.memory_log import MemoryLog
from threadstore.views.thread import Thread


def test_the_proof_says_what_each_tier_found(capsys: pytest.CaptureFixture[str]):
    """The program runs the tiers asked for and says what holds."""
    assert prove.main(["--tier", "1", "--most", "1", "--tier", "2", "--histories", "2", "--tier", "3"]) == 0
    assert capsys.readouterr().out == "tier 1: holds\ntier 2: holds\ntier 3: holds\n"


def test_ids_that_are_used_twice_make_one_thread():
    """The laws of convergence hold also where two facts bear one id."""
    prove.histories_obey(range(2), twins=True)


@pytest.mark.parametrize("log", [MemoryLog, SqliteLog])
def test_each_log_is_held_against_its_contract(log: type[Any], monkeypatch: pytest.MonkeyPatch, capsys: Any):
    """A promise that one of our logs breaks is named, and the program exits with 1."""
    monkeypatch.setattr(log, "position", lambda self: 7)
    assert prove.main(["--tier", "3"]) == 1
    assert "tier 3: AssertionError: A log that nobody has written to has no events" in capsys.readouterr().out


def broken_law(case: object) -> None:
    raise AssertionError("water runs uphill")


def test_a_broken_law_is_named_with_its_seed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """A tier that fails is named with what was found, and ends the proof."""
    monkeypatch.setattr(prove, "LAWS", (broken_law,))
    assert prove.main(["--tier", "2", "--histories", "1", "--tier", "3"]) == 1
    assert capsys.readouterr().out == "tier 2: AssertionError: broken_law, seed 0: water runs uphill\n"


def test_a_thread_that_depends_on_the_order_is_found(monkeypatch: pytest.MonkeyPatch):
    """Where one order makes another thread than the specification says, the proof says which."""
    apply: Callable[..., Any] = Thread.apply
    seen: set[int] = set()

    def forgetful(thread: Thread, event: Event) -> Any:
        if isinstance(event, ReactionGiven) and id(thread) not in seen:
            return seen.add(id(thread))
        return apply(thread, event)

    monkeypatch.setattr(Thread, "apply", forgetful)
    with pytest.raises(AssertionError, match="in this order another thread came out"):
        prove.universe_is_one(2)


def test_the_program_exits_with_what_it_found(monkeypatch: pytest.MonkeyPatch):
    """A shell hears that the proof holds."""
    monkeypatch.setattr(sys, "argv", ["prove", "--tier", "2", "--histories", "1"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(prove.__file__), run_name="__main__")
    assert ended.value.code == 0
