"""
What is wanted, as data: each row of the table that this suite exists for, and how its value is read from what was measured.

Every value is a ratio of two figures of one run, or a number of bytes. A target is a promise, a stretch is a wish.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from harness import OURS, Row

Reading = Callable[[Sequence[Row], int], float | None]


class Target(NamedTuple):
    """
    A row of the table.

    Args:
        what: What is measured.
        against: What it is compared with.
        target: The value that is promised; at most, or at least if `is_least`.
        stretch: The value that is wished for, if any.
        read: Returns the value at a size, or None where it was not measured.
        unit: What the value counts; "x" for a ratio.
        is_least: Whether more is better.
    """

    what: str
    against: str
    target: float
    stretch: float | None
    read: Reading
    unit: str = "x"
    is_least: bool = False

    def verdict(self, value: float) -> str:
        """Return "stretch", "met" or "missed"."""
        reaches = value.__ge__ if self.is_least else value.__le__
        if self.stretch is not None and reaches(self.stretch):
            return "stretch"
        return "met" if reaches(self.target) else "missed"


def _rows(rows: Sequence[Row], name: str, size: int) -> list[Row]:
    wanted = [row for row in rows if row.size == size and row.content == "generated"]
    return [row for row in wanted if row.row == name or (name.endswith("*") and row.row.startswith(name[:-1]))]


def ratio(name: str) -> Reading:
    """Read the ratio; of several rows (a name that ends in ``*``) the worst."""

    def read(rows: Sequence[Row], size: int) -> float | None:
        return max((row.ratio for row in _rows(rows, name, size) if row.ratio is not None), default=None)

    return read


def faster(name: str) -> Reading:
    """Read how many times faster ours is."""

    def read(rows: Sequence[Row], size: int) -> float | None:
        value = ratio(name)(rows, size)
        return None if not value else 1 / value

    return read


def figure(name: str) -> Reading:
    """Read our own figure."""

    def read(rows: Sequence[Row], size: int) -> float | None:
        return next((row.figures[OURS].median for row in _rows(rows, name, size)), None)

    return read


def fact(name: str, what: str) -> Reading:
    """Read one of the facts that were seen beside."""

    def read(rows: Sequence[Row], size: int) -> float | None:
        return next((row.facts.get(what) for row in _rows(rows, name, size)), None)

    return read


def growth(name: str, *, each: str | None = None, base: int = 1_000) -> Reading:
    """Read our own figure against the one at *base* comments, divided by the fact *each*."""

    def read(rows: Sequence[Row], size: int) -> float | None:
        values = []
        for at in (size, base):
            row = next(iter(_rows(rows, name, at)), None)
            if row is None or size == base:
                return None
            values.append(row.figures[OURS].median / (row.facts[each] if each else 1))
        return values[0] / values[1] if values[1] else None

    return read


SHOWN: Final = "comments on the page"

TARGETS: Final[tuple[Target, ...]] = (
    Target(
        "replay: a cold store without snapshot, to the first page",
        "bare SELECT and decode of each row",
        2.0,
        1.4,
        ratio("replay"),
    ),
    Target("cold page: a new connection, order top", "SQL by hand, the better of two ways", 2.0, 0.8, ratio("cold page")),
    Target("warm page, first view, worst order", "the same SQL on a warm connection", 1.0, 0.6, ratio("warm page, first,*")),
    Target(
        "warm page, following pages, worst order", "the same SQL on a warm connection", 1.0, 0.6, ratio("warm page, following,*")
    ),
    Target("warm page, repeated, worst order", "the same SQL on a warm connection", 0.5, 0.1, ratio("warm page, repeated,*")),
    Target("warm page, per comment returned", "itself at 1,000", 1.3, 1.0, growth("warm page, following, top", each=SHOWN)),
    Target("one post, FULL", "a plain insert", 1.3, 1.2, ratio("post, FULL")),
    Target("one post, NORMAL", "a plain insert", 1.8, 1.5, ratio("post, NORMAL")),
    Target("one post, NORMAL", "itself at 1,000", 1.2, 1.05, growth("post, NORMAL")),
    Target("bulk append, state in memory included", "executemany of the same bytes", 2.0, 1.3, ratio("bulk append")),
    Target("posts of eight threads at once, FULL", "each alone", 1.8, 2.2, faster("eight threads"), "x faster", is_least=True),
    Target("posts of eight threads at once, FULL", "commits", 0.25, None, fact("eight threads", "commits per post"), "per post"),
    Target("memory of a hot thread, bodies apart", "a comment with a reaction", 120, 60, figure("memory of a hot thread*"), "B"),
    Target("memory of many small threads", "the bound of the cache", 1.1, None, ratio("memory with a cache bound")),
    Target(
        "merge of two replicas, with a page",
        "import by the faster CRDT",
        1.5,
        2.8,
        faster("merge of*"),
        "x faster",
        is_least=True,
    ),
)
