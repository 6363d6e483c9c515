"""
The proof, as a program: ``python -m threadstore.testing.prove``.

It needs nothing but the package, so whoever embeds the library can run it on their own Python, under their own policy and in
seconds:

- Tier 1 exhausts a small universe: the examples, and every subset of hand-picked facts in every order and at every cut.
- Tier 2 tries all laws on histories from small integers, a few kinds at a time.
- Tier 3 holds the logs against their contract.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from threadstore.log.protocol import EventLog
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import Event
from threadstore.model.policy import Policy
from threadstore.model.values import Actor
from threadstore.testing.contract import check_event_log
from threadstore.testing.examples import EXAMPLES
from threadstore.testing.histories import random_history
from threadstore.testing.laws import CONVERGENCE_LAWS, LAWS, Case, ThreadReading
from threadstore.testing.memory_log import MemoryLog
from threadstore.testing.spec import Spec
from threadstore.testing.universe import STORIES, cuts, orders, subsets
from threadstore.views.thread import Thread, fold

__all__ = ["examples_hold", "histories_obey", "logs_keep_their_contract", "main", "universe_is_one"]

_DEFAULT: Final = Policy()
_MODERATOR: Final = Actor("some-moderator", "", "moderator")


# --- tier 1 -------------------------------------------------------------------------------------------------------------------


def examples_hold() -> None:
    """
    Hold the fold and the views against every example.

    Raises:
        AssertionError: One does not hold.
    """
    for example in EXAMPLES:
        example.check(ThreadReading(fold(example.events), policy=example.policy))


def universe_is_one(most: int = 2, *, policy: Policy = _DEFAULT) -> None:
    """
    Hold every subset of up to *most* facts, in every order and at every cut, and every story, against the specification.

    Raises:
        AssertionError: Some order, cut or view differs.

    Complexity: O(|universe| ** most * most!).
    """
    for subset in subsets(most):
        _is_one(subset, orders(subset), policy)
    for story in STORIES.values():
        _is_one(story, [story, story[::-1], *_rotated(story)], policy)


def _rotated(story: Sequence[Event]) -> list[Sequence[Event]]:
    return [(*story[at:], *story[:at]) for at in range(1, len(story))]


def _is_one(facts: Sequence[Event], in_orders: Iterable[Sequence[Event]], policy: Policy) -> None:
    """Every order, kept up with as it comes, and every merge shows what the specification says."""
    spec = Spec(facts, policy=policy)
    said = msgspec.json.encode([spec.counts(), spec.traversal(), spec.traversal(reader=_MODERATOR)])
    digest = fold(facts).digest()
    for order in in_orders:
        thread = Thread()
        for fact in order:
            thread.index(policy.rules)
            thread.apply(fact)
        _agree(thread, digest, said, policy, order)
    for before, after in cuts(facts):
        first = fold(before)
        first.index(policy.rules)
        _agree(first.merge(fold(after)), digest, said, policy, (*before, *after))


def _agree(thread: Thread, digest: str, said: bytes, policy: Policy, facts: Sequence[Event]) -> None:
    reading = ThreadReading(thread, policy=policy, limit=100, replies=100, depth=100, rows=1_000)
    told = msgspec.json.encode([reading.counts(), reading.traversal(), reading.traversal(reader=_MODERATOR)])
    if thread.digest() != digest or told != said:
        raise AssertionError(f"in this order another thread came out: {facts}\n     saw {told!r}\nexpected {said!r}")


def _first_tier(most: int) -> None:
    examples_hold()
    universe_is_one(most)


# --- tier 2 -------------------------------------------------------------------------------------------------------------------


def histories_obey(seeds: Iterable[int], *, policies: Sequence[Policy] = (_DEFAULT,), twins: bool = False) -> None:
    """
    Try all laws on the histories of *seeds*, under each policy in turn; with *twins*, those of convergence, where ids are
    used twice.

    Raises:
        AssertionError: A law is broken; the message names the law and the seed.
    """
    for seed in seeds:
        history = random_history(seed, 10 + seed % 30, twins=twins)
        policy = policies[seed % len(policies)]
        for law in CONVERGENCE_LAWS if twins else LAWS:
            try:
                law(Case(history, policy=policy, random=Random(seed)))  # noqa: S311 - shuffling needs no cryptography
            except AssertionError as broken:
                raise AssertionError(f"{law.__name__}, seed {seed}: {broken}") from broken


# --- tier 3 -------------------------------------------------------------------------------------------------------------------


def logs_keep_their_contract() -> None:
    """
    Hold the logs that come with the library against their contract.

    Raises:
        AssertionError: A promise is broken.
    """
    check_event_log(MemoryLog)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        number = iter(range(1_000_000))

        def make() -> EventLog:
            log = SqliteLog.open(str(Path(folder) / f"{next(number)}.db"), durability="off")
            return stack.enter_context(closing(log))

        check_event_log(make)


# --- the program --------------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tiers asked for, say on standard output what each found, and return 1 if one failed."""
    parser = argparse.ArgumentParser(
        prog="python -m threadstore.testing.prove", description="Prove the fold, the views and the logs."
    )
    parser.add_argument("--tier", type=int, choices=(1, 2, 3), action="append", help="run this tier only; may be repeated")
    parser.add_argument("--most", type=int, default=2, help="tier 1: the size of the largest subsets (default 2)")
    parser.add_argument("--histories", type=int, default=100, help="tier 2: how many histories (default 100)")
    given = parser.parse_args(arguments)
    tiers: dict[int, Callable[[], None]] = {
        1: partial(_first_tier, given.most),
        2: partial(histories_obey, range(given.histories)),
        3: logs_keep_their_contract,
    }
    for tier in given.tier or tiers:
        try:
            tiers[tier]()
        except Exception as broken:  # noqa: BLE001 - whatever a broken fold raises is a finding
            sys.stdout.write(f"tier {tier}: {type(broken).__name__}: {broken}\n")
            return 1
        sys.stdout.write(f"tier {tier}: holds\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
