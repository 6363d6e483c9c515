"""
The tests of forks, time and wake-ups are good for something: each guard, taken out of a copy of the package, makes the test named
here fail.

The guards of races, crashes and disks are taken out in the modules that test them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "src" / "threadstore"


class Mutant(NamedTuple):
    """What is wrong, the test that shows it, and where and how it is wrong."""

    says: str
    test: str
    path: str
    old: str
    new: str


MUTANTS = (
    # --- time ---
    Mutant(
        "ids follow the clock alone",
        "test_time.py::test_a_clock_may_jump_both_ways_between_writes",
        "model/ids.py",
        "        tick = max(tick, _tick(after) + 1)\n",
        "        tick = fresh\n",
    ),
    Mutant(
        "a counter that runs out begins again",
        "test_time.py::test_a_counter_that_runs_out_borrows",
        "model/ids.py",
        "        minted = _id_at(tick, self._random(_RANDOM_BITS))\n",
        "        minted = _id_at(ms << _COUNTER_BITS | tick & _COUNTER_MASK, self._random(_RANDOM_BITS))\n",
    ),
    Mutant(
        "two threads mint at once",
        "test_time.py::test_one_clock_serves_many_threads",
        "store/store.py",
        "        with self._minting:\n            if",
        "        if True:\n            if",
    ),
    Mutant(
        "the clock follows the wrong year for ever",
        "test_time.py::test_a_correction_is_for_all_other_threads_at_once",
        "store/store.py",
        "                self._clock = HybridClock(self._now, self._random)\n",
        "                pass\n",
    ),
    Mutant(
        "the clock never comes back from the end of time",
        "test_time.py::test_the_end_of_time_is_an_error_that_stores_nothing",
        "store/store.py",
        "            if self._clock.latest > now + self.policy.max_clock_skew:\n",
        "            if time_of(self._clock.mint(after=after)) > now + self.policy.max_clock_skew:\n",
    ),
    Mutant(
        "a text from the wrong year can not have been seen",
        "test_time.py::test_what_is_written_after_a_correction_wins",
        "decide/questions.py",
        '        if self.thread.fact(check_id(seen, "seen")) is None:',
        "        if True:",
    ),
    Mutant(
        "replicas bring in the future",
        "test_time.py::test_other_replicas_refuse_the_wrong_year_and_say_until_when",
        "store/store.py",
        "            if event.id > latest:",
        "            if False:",
    ),
    Mutant(
        "commands bring in the future",
        "test_time.py::test_an_id_from_ahead_can_not_be_brought_in_by_a_command",
        "decide/questions.py",
        "    if time_of(id) > now + policy.max_clock_skew:\n",
        "    if False:\n",
    ),
    # --- wake-ups ---
    Mutant(
        "a subscriber looks before writers can see it waiting",
        "test_wakeups.py::test_a_write_between_looking_and_sleeping_wakes",
        "store/store.py",
        """\
            with self._news:  # a writer who comes now finds us waiting
                if self.log.position() > position:
                    continue
""",
        """\
            if self.log.position() > position:
                continue
            with self._news:
""",
    ),
    Mutant(
        "a merge wakes nobody",
        "test_wakeups.py::test_a_write_of_this_process_wakes_its_subscribers[memory]",
        "store/store.py",
        "            new += self._merge_thread(key, events, refused)\n        self._spread_news()\n",
        "            new += self._merge_thread(key, events, refused)\n",
    ),
    # --- forks ---
    Mutant(
        "connections stay open for a fork, and the child opens the file, too",
        "test_fork.py::test_a_child_that_opens_the_file_anew_loses_nothing",
        "log/_connections.py",
        "        if self._closed:\n            return\n        self._is_resting = True\n",
        "        return\n        self._is_resting = True\n",
    ),
    Mutant(
        "connections stay open for a fork, and the child only ends",
        "test_fork.py::test_the_end_of_a_child_takes_nothing",
        "log/_connections.py",
        "        if self._closed:\n            return\n        self._is_resting = True\n",
        "        return\n        self._is_resting = True\n",
    ),
    Mutant(
        "a child waits for a thread that it does not have",
        "test_fork.py::test_a_store_says_that_it_was_opened_before_a_fork[used_file]",
        "store/store.py",
        "        if self._process != os.getpid():  # a",
        "        if False:  # a",
    ),
    Mutant(
        "a log in memory is copied by a fork",
        "test_fork.py::test_a_store_says_that_it_was_opened_before_a_fork[used_memory]",
        "log/memory.py",
        "        if self._process != os.getpid():\n            raise",
        "        if False:\n            raise",
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_a_missing_guard_is_noticed(mutant, tmp_path):
    """The named test passes with the guard (or the suite would not), and fails without it."""
    package = tmp_path / "mutated" / "threadstore"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    path = package / mutant.path
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, f"{mutant.path} has changed: name the lines that say it now"
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    done = _test(HERE / mutant.test, package, tmp_path)
    assert (done.returncode, " failed" in done.stdout) == (1, True), f"nothing is noticed though {mutant.says}: {done.stdout}"


def _test(test: Path, package: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the short form of a test against this copy of the package."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_", "THREADSTORE_"))}
    environment |= {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1", "WAIT": "3", "PATIENCE": "2"}
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist", "--basetemp", str(folder / "tests")]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(test)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
