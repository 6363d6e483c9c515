"""
The power fails: the write-ahead log (WAL) ends anywhere, or in garbage, or what was not synced is not on the disk.

`child_power.py` makes what is left, opens it, and compares. A durable commit is one that was synced before it was
acknowledged, and only the third test can see that: it records every write and every sync, and makes of them what a disk
may hold.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the writing process is forked, so that it can be killed")

FoundBy = Callable[..., dict[str, Any]]


def test_a_wal_that_is_cut_gives_a_beginning_of_whole_commits(scale: Any, found_by: FoundBy, swift: Path):
    """Wherever the WAL ends, opening gives exactly the commits that end before, verify finds nothing, and writing goes on."""
    step = 1 if scale.is_long else 331
    found = found_by("child_power.py", folder=str(swift), seed=5, way="cut", step=step)
    assert found["complaints"] == []
    assert found["commits in it"] >= 4
    assert found["losses"] >= found["bytes of the WAL"] // step
    for name in ("losses", "bytes of the WAL", "commits in it"):
        scale.figure(name, found[name])


def test_a_wal_that_is_torn_gives_a_beginning_of_whole_commits(scale: Any, found_by: FoundBy, swift: Path):
    """Whatever bytes of the WAL are overwritten, the commits before them are there, and nothing of those behind."""
    seed = random.randrange(1 << 32) if scale.is_long else 5
    found = found_by("child_power.py", folder=str(swift), seed=seed, way="torn", losses=scale(100, 5_000))
    assert (found["complaints"], found["losses"]) == ([], scale(100, 5_000)), seed
    scale.figure("losses", found["losses"])


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_the_loss_of_power_takes_only_what_may_be_taken(scale: Any, found_by: FoundBy, swift: Path, durability: str):
    """
    At whatever step the power fails, and whatever part of what was not synced is on the disk: with full durability
    everything acknowledged is there, with normal durability a beginning of whole batches, and no text whose erasure is
    there can be found after opening.
    """
    seed = random.randrange(1 << 32) if scale.is_long else 5
    what = {"seed": seed, "way": "lost", "losses": scale(45, 1_800), "durability": durability}
    found = found_by("child_power.py", folder=str(swift), **what)
    assert found["complaints"] == [], seed
    assert found["losses"] >= scale(45, 1_000)
    for name in ("losses", "steps on the disk"):
        scale.figure(name, found[name])


# --- the tests above can fail -------------------------------------------------------------------------------------------------


class Mutant(NamedTuple):
    """What is wrong, with the changes that make it so, and what finds it."""

    says: str
    changes: tuple[str, ...]
    what: dict[str, Any]


MUTANTS = (
    Mutant(
        "full durability is normal",
        ("log/sqlite.py", '"full": "FULL"', '"full": "NORMAL"'),
        {"way": "lost", "losses": 300},
    ),
    Mutant(
        "normal durability is none",
        ("log/sqlite.py", '"normal": "NORMAL"', '"normal": "OFF"'),
        {"way": "lost", "losses": 300, "durability": "normal"},
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
        {"way": "cut", "step": 97},
    ),
    Mutant(
        "the WAL is not cut when the file is opened",
        ("log/_connections.py::Database.__init__", "self.scrub_wait: int | None = 0", "self.scrub_wait: int | None = None"),
        {"way": "lost", "losses": 300},
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_a_missing_guard_is_noticed(found_by: FoundBy, without: Callable[..., Path], swift: Path, mutant: Mutant):
    """Without the guard, a promise is found broken."""
    package = without(*mutant.changes)
    found = found_by("child_power.py", package, folder=str(swift), seed=7, **mutant.what)
    assert found["complaints"] != [], f"nothing is found wrong though {mutant.says}"
