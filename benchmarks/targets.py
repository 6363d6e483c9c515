"""
What is wanted, as data: each row of the table that this suite exists for, and how its value is read from what was measured.

Every value is a ratio of two figures of one run, or counts pages, bytes or seconds. A target is a promise, a stretch is a wish.
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
        against: What it is compared with, if anything.
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


def ratio(name: str, *, but: str | None = None) -> Reading:
    """Read the ratio; of several rows (a name that ends in ``*``) the worst, *but* those whose name ends so."""

    def read(rows: Sequence[Row], size: int) -> float | None:
        found = (row for row in _rows(rows, name, size) if row.ratio is not None and (but is None or not row.row.endswith(but)))
        return max((row.ratio for row in found if row.ratio is not None), default=None)

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


def mebibytes(name: str) -> Reading:
    """Read our own figure of bytes."""

    def read(rows: Sequence[Row], size: int) -> float | None:
        value = figure(name)(rows, size)
        return None if value is None else value / 2**20

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
_BY_HAND: Final = "SQL by hand, the better of two ways"
_ANOTHER: Final = "the same SQL, another connection having written"

#: The pages that are compared, and what is wanted of them in the worst order; "hot", which no index can hold, is apart.
_PAGES: Final = (
    ("cold page in a new connection", "cold page", _BY_HAND, 2.5, 1.6),
    ("cold page after a post", "cold page after a post", _BY_HAND, 2.5, 1.6),
    ("first page of an order", "warm page, first", _BY_HAND, 2.2, 1.6),
    ("following page", "warm page, following", _BY_HAND, 2.2, 1.6),
    ("page after another's post", "page after another's post", _ANOTHER, 2.2, 1.3),
)

TARGETS: Final[tuple[Target, ...]] = (
    *(
        Target(f"{what}, worst order", against, at, wish, ratio(f"{name}, *", but="hot"))
        for what, name, against, at, wish in _PAGES
    ),
    *(Target(f"{what}, hot", against, 3.5, None, ratio(f"{name}, hot")) for what, name, against, _, _ in _PAGES),
    Target("page once more, worst order", _BY_HAND, 0.1, 0.05, ratio("warm page, repeated, *")),
    Target("first page in order top, per comment", "itself at 1,000", 1.5, 1.2, growth("warm page, first, top", each=SHOWN)),
    Target("one post, NORMAL", "a plain insert of the record", 6.0, 4.5, ratio("post, NORMAL")),
    Target("one reaction, NORMAL", "a plain insert of the record", 6.0, 4.5, ratio("react, NORMAL")),
    Target("one post, FULL", "a plain insert of the record", 2.0, 1.6, ratio("post, FULL")),
    Target("one reaction, FULL", "a plain insert of the record", 2.0, 1.6, ratio("react, FULL")),
    Target("one post, NORMAL", "itself at 1,000", 1.5, 1.2, growth("post, NORMAL")),
    Target("pages written for a post", "", 10, 8, figure("pages written, post"), "pages"),
    Target("pages written for a reaction", "", 8.5, 6, figure("pages written, react"), "pages"),
    Target("10,000 posts in a row, NORMAL: p99", "their p50", 4.0, 2.5, fact("posts in a row, NORMAL", "p99 / p50")),
    Target("posts of eight threads at once, FULL", "each alone", 1.0, 2.5, faster("eight threads"), "x faster", is_least=True),
    Target("posts of eight threads at once, FULL", "commits", 0.25, None, fact("eight threads", "commits per post"), "per post"),
    Target("counts of 1,000 threads", "one IN statement", 3.0, 1.5, ratio("counts of many threads")),
    Target("bulk append of one thread", "executemany of the same rows", 1.6, 1.3, ratio("bulk append")),
    Target("20,000 events merged into 5,000 threads", "into 10 threads", 3.0, 2.0, ratio("merge over many threads")),
    Target(
        "longest wait of a post beside a rebuild, another process",
        "",
        0.05,
        0.02,
        figure("longest post beside a rebuild, another process"),
        "s",
    ),
    Target(
        "longest wait of a post beside a rebuild, same process",
        "",
        0.1,
        0.05,
        figure("longest post beside a rebuild, same process"),
        "s",
    ),
    Target("memory after the first page of all orders", "", 16, 4, mebibytes("memory after all orders"), "MiB"),
    Target("file with the rows that show it", "the log's records and indexes alone", 1.35, 1.2, ratio("file size")),
    Target(
        "merge of two replicas, with a page",
        "import by the faster CRDT",
        1.0,
        1.5,
        faster("merge of*"),
        "x faster",
        is_least=True,
    ),
)
