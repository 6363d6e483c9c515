"""
Plans: what needs storage, written once, for every database and for memory.

A plan is a generator. It yields *steps*, lists of queries that need nothing of one another's
answers, and receives the rows of each; it returns its result. So it reads from top to bottom like
a function, with ``yield`` where a database is asked, and knows no driver. A driver is a loop of
ten lines that runs a plan on some connection; where there is a network, a step is one round trip.
A plan that asks for nothing (a `Thread` in memory has it all) runs to its end at once: `run`.

A plan holds no clock, and no state between two runs: to try again is to call the function again.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

__all__ = ["NOTHING", "Answers", "Many", "Plan", "Row", "Sql", "Step", "run"]

T = TypeVar("T")

Row = tuple[Any, ...]


class Sql(NamedTuple):
    """A statement, with a ``?`` for each of its values."""

    text: str
    values: Sequence[Any] = ()


class Many(NamedTuple):
    """A statement that writes, once for each of several lists of values; it has no rows to answer with."""

    text: str
    values: Sequence[Sequence[Any]]


Step = Sequence[Sql | Many]
#: The rows of each query of a step.
Answers = list[list[Row]]
Plan = Generator[Step, Answers, T]

#: What ``yield from NOTHING`` asks for: it makes a generator of a function that has all it needs.
NOTHING: Final[tuple[Step, ...]] = ()


def run(plan: Plan[T]) -> T:
    """
    Return the result of a plan that asks for nothing.

    Raises:
        TypeError: It asks for something.
    """
    try:
        step = next(plan)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # of a Plan[T] it is a T
    raise TypeError(f"a plan without a database asked for {step!r:.200}")
