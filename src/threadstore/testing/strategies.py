"""
Strategies for Hypothesis: histories, their orders, policies and readers.

Histories are drawn as op-codes (`threadstore.testing.histories`), so a failure shrinks to few events and small integers::

    @given(histories(), shuffles())
    def test_any_order_will_do(history, shuffle):
        assert fold(history).digest() == fold(shuffle(history)).digest()

This module alone of the package needs Hypothesis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, TypeVar

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy, composite

from threadstore.model.events import Event
from threadstore.model.policy import Policy
from threadstore.model.values import SUPPORT, Actor
from threadstore.testing.given import THREAD
from threadstore.testing.histories import ACTORS, BOUNDS, COMMENTS, FAMILIES, history, kinds_of, random_history

__all__ = ["POLICIES", "READERS", "Shuffle", "histories", "history", "policies", "random_history", "readers", "shuffles"]

T = TypeVar("T")

#: Who reacts how, and who moderates: the default; votes, of which an actor has one; other hands; nobody; nearly all.
POLICIES: Final = (
    Policy(),
    Policy(kinds=frozenset({SUPPORT, "up", "down"}), exclusive=(frozenset({"up", "down"}),)),
    Policy(
        kinds=frozenset({"up", "laugh"}),
        exclusive=(frozenset({"up", "down"}), frozenset({"laugh", SUPPORT})),
        moderators=frozenset({"moderator", "author"}),
        editors=frozenset({"editor"}),
        describers=frozenset({"moderator"}),
    ),
    Policy(moderators=frozenset(), editors=frozenset(), describers=frozenset(), kinds=frozenset()),
    Policy(moderators=frozenset({"reader", "moderator"}), editors=frozenset({"reader"}), describers=frozenset({"reader"})),
)

#: Everybody who acts, with and without their role, and two who never do.
READERS: Final[tuple[Actor | str | None, ...]] = (
    *dict.fromkeys([None, *ACTORS]),
    *dict.fromkeys(actor.id for actor in ACTORS if actor is not None),
    "nobody",
    Actor("x", "", "moderator"),
)


@frozen
class Shuffle:
    """
    An order, chosen by one integer: `st.permutations` draws one for every item, and Hypothesis reseeds the global `random`.

    >>> Shuffle(7)("abc") == Shuffle(7)("abc")
    True
    """

    seed: int

    def __call__(self, items: Iterable[T]) -> list[T]:
        """Return *items* in this order."""
        shuffled = list(items)
        Random(self.seed).shuffle(shuffled)  # noqa: S311 - made-up data needs no cryptography
        return shuffled


def shuffles() -> SearchStrategy[Shuffle]:
    """Return orders."""
    return st.integers(0, (1 << 32) - 1).map(Shuffle)


@composite
def histories(  # noqa: D417 - Hypothesis itself passes draw
    draw: DrawFn,
    *,
    min_size: int = 10,
    max_size: int = 30,
    families: Sequence[str] = tuple(FAMILIES),
    twins: bool = False,
    thread: str = THREAD,
) -> list[Event]:
    """
    Return histories: of one to three families, by a moderator and up to four others, about one to six comments.

    Short ones find little, so there is a least size (`min_size=10` found 20 seeded bugs of 21, lists of any size 2).

    Args:
        min_size: How many events at least.
        max_size: How many events at most.
        families: Which families to choose from, out of `threadstore.testing.histories.FAMILIES`.
        twins: Whether an id may be used by two different facts, which honest writers never do.
        thread: The key of the conversation.
    """
    chosen = draw(st.lists(st.sampled_from(families), min_size=1, max_size=3, unique=True))
    kinds = kinds_of(chosen)
    actors = [ACTORS[0], *draw(st.lists(st.sampled_from(ACTORS[1:]), min_size=1, max_size=4, unique=True))]
    comments = draw(st.sampled_from(COMMENTS))
    code = st.tuples(*(st.integers(0, bound - 1) for bound in (len(kinds), len(actors), *BOUNDS[2:])))
    codes = draw(st.lists(code, min_size=min_size, max_size=max_size))
    flat = [part for parts in codes for part in parts]
    return history(flat, kinds=kinds, actors=actors, comments=comments, twins=twins, thread=thread)


def policies() -> SearchStrategy[Policy]:
    """Return policies that judge authority and reactions differently."""
    return st.sampled_from(POLICIES)


def readers() -> SearchStrategy[Actor | str | None]:
    """Return readers: anonymous, by id, and as an Actor with a role."""
    return st.sampled_from(READERS)
