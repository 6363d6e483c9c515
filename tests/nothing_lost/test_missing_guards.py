"""
The tests of forks, time, wake-ups and interruptions are good for something: each guard, taken out of a copy of the package,
makes the test named here fail.

The guards of races, crashes and disks are taken out in the modules that test them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest


class Mutant(NamedTuple):
    """What is wrong, the test that shows it, and the changes that make it so."""

    says: str
    test: str
    changes: tuple[str, ...]


DATABASE, STORE, WRITER = "log/_connections.py::Database", "store/store.py::ThreadStore", "store/writer.py::Writer"

MUTANTS = (
    # --- time ---
    Mutant(
        "ids follow the clock alone",
        "test_time.py::test_a_clock_may_jump_both_ways_between_writes",
        ("model/ids.py::HybridClock.mint", "tick = max(tick, _tick(after) + 1)", "tick = fresh"),
    ),
    Mutant(
        "a counter that runs out begins again",
        "test_time.py::test_a_counter_that_runs_out_borrows",
        ("model/ids.py::HybridClock.mint", "_id_at(tick,", "_id_at(ms << _COUNTER_BITS | tick & _COUNTER_MASK,"),
    ),
    Mutant(
        "ids are made of a thread as it was before others wrote to it",
        "test_time.py::test_two_stores_on_one_file_with_clocks_apart[a year]",
        ("decide/decide.py::_give_ids", "id = mint(max(floor, thread.latest))", "id = mint(floor)"),
    ),
    Mutant(
        "the clock follows the wrong year for ever",
        "test_time.py::test_a_correction_is_for_all_other_threads_at_once",
        (f"{STORE}._mint", "self._clock = HybridClock(self._now, self._random)", "pass"),
    ),
    Mutant(
        "the clock never comes back from the end of time",
        "test_time.py::test_the_end_of_time_is_an_error_that_stores_nothing",
        (f"{STORE}._mint", "if self._clock.latest > now", "if time_of(self._clock.mint(after=after)) > now"),
    ),
    Mutant(
        "a text from the wrong year can not have been seen",
        "test_time.py::test_what_is_written_after_a_correction_wins",
        ("decide/questions.py", 'if self.thread.fact(check_id(seen, "seen")) is None:', "if True:"),
    ),
    Mutant(
        "replicas bring in the future",
        "test_time.py::test_other_replicas_refuse_the_wrong_year_and_say_until_when",
        ("store/merging.py::Merge.admitted", "if event.id > self._latest:", "if False:"),
    ),
    Mutant(
        "commands bring in the future",
        "test_time.py::test_an_id_from_ahead_can_not_be_brought_in_by_a_command",
        ("decide/questions.py::check_skew", "if time_of(id) > now + policy.max_clock_skew:", "if False:"),
    ),
    # --- wake-ups ---
    Mutant(
        "a subscriber looks before writers can see it waiting",
        "test_wakeups.py::test_a_write_between_looking_and_sleeping_wakes",
        (
            *(
                "store/subscriptions.py::News.wait",
                "with self._condition:",
                "if log.position() > position:\n            return True\n        with self._condition:",
            ),
            *(
                "store/subscriptions.py::News.wait",
                "            if log.position() > position:\n" + " " * 16 + "return True\n",
                "",
            ),
        ),
    ),
    Mutant(
        "a merge wakes nobody",
        "test_wakeups.py::test_a_write_of_this_process_wakes_its_subscribers[memory]",
        (f"{STORE}.merge", "self._news.spread()", "pass"),
    ),
    # --- forks ---
    Mutant(
        "connections stay open for a fork, and the child opens the file, too",
        "test_fork.py::test_a_child_that_opens_the_file_anew_loses_nothing",
        (f"{DATABASE}.rest", "if self.in_memory:", "if True:"),
    ),
    Mutant(
        "connections stay open for a fork, and the child only ends",
        "test_fork.py::test_the_end_of_a_child_takes_nothing",
        (f"{DATABASE}.rest", "if self.in_memory:", "if True:"),
    ),
    Mutant(
        "a child waits for a leader that it does not have",
        "test_fork.py::test_a_store_is_let_go_of_without_a_lock[file]",
        (f"{WRITER}.write", "self._database.check_open()", "assert not self._lock.locked()"),
    ),
    Mutant(
        "a child closes what its parent has open",
        "test_fork.py::test_a_store_is_let_go_of_without_a_lock[file]",
        (f"{STORE}.close", "if not self.log.database.is_inherited:", "assert not self._pages._lock.locked()\n        if True:"),
    ),
    Mutant(
        "a store in memory is copied by a fork",
        "test_fork.py::test_a_store_says_that_it_was_opened_before_a_fork[used_memory]",
        (f"{DATABASE}.check_open", "if self.is_inherited:", "if self.is_inherited and not self.in_memory:"),
    ),
    # --- interruptions ---
    Mutant(
        "what was committed before its leader was interrupted is done again",
        "test_interruption.py::test_whoever_waits_for_an_interrupted_leader_is_answered_once[post]",
        (f"{WRITER}._commit", "batch.done = transaction is not None and transaction.committed", "batch.done = False"),
    ),
    Mutant(
        "what was not committed when its leader was interrupted is taken for done",
        "test_interruption.py::test_whoever_waits_for_an_interrupted_leader_is_answered_once[post]",
        (f"{WRITER}._commit", "batch.done = transaction is not None and transaction.committed", "batch.done = True"),
    ),
    Mutant(
        "an interrupted transaction is left open",
        "test_interruption.py::test_a_write_that_is_interrupted_has_happened_or_not[post]",
        (
            *(f"{DATABASE}.transaction", "                if self._writer.in_transaction:", "                if False:"),
            *(f"{DATABASE}._settle", "if self._writer.in_transaction:", "if False:"),
        ),
    ),
    Mutant(
        "closing that was interrupted is taken for done",
        "test_interruption.py::test_closing_that_is_interrupted_can_be_repeated",
        (
            f"{DATABASE}.close",
            "            with self._pooling:",
            "            if self._closed:\n                return\n            with self._pooling:",
        ),
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_a_missing_guard_is_noticed(mutant: Mutant, without: Callable[..., Path], passes: Callable[[str, Path], bool]):
    """The named test passes with the guard (or the suite would not), and fails without it."""
    assert not passes(mutant.test, without(*mutant.changes)), f"nothing is noticed though {mutant.says}"
