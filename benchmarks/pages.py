"""
What does a page cost: in a new connection, for the first time, the next one, once more, and after somebody else has posted?

Method: the first 50 top-level comments of each order with 3 replies each, in processor time of the thread. That all contenders
show the same comments with the same texts is checked first. The hand-written table is asked by 51 statements and by one, on a
connection in the same state; the better one counts.

- cold: a new connection; opening and closing it is in the figure. "After a post": somebody has posted since the last time.
- first: an open store in which this order was not asked for yet. The first order of a round is another one each time.
- following: the next page of the order, which nobody has seen before.
- repeated: the same page again, while the thread is unchanged: what nearly all readers of a busy page get.
- after another's post: the same page, which was seen before, after another connection has posted to the thread. By hand,
  another connection inserts a row.

Caveats: the process is warm (modules are imported, and msgspec's types are known), and so is the system's page cache. The
library also says what SQL does not: who is mentioned, what may be withheld, how many are left, and the cursor of the next page.
"Hot" is reckoned for one fixed moment; by hand it stands in an index, where nobody could keep it up to date.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from content import copied, key_of, page, settled
from handwritten import WAYS, same, table
from handwritten import Row as SqlRow
from harness import OURS, Figure, Row, Task, best_of, computed, interleaved, main, spent

import threadstore
from threadstore import ThreadView
from threadstore.model.ranking import ORDERS

#: How often a page is shown for each time that its order is asked for the first time.
_AGAIN = 5
_INSERT = """
    INSERT INTO comments
    SELECT max(id) + 1, 'another ' || max(id), 1, NULL, 'u-1', '', 'Something.', 0, NULL, 0, 0, 0, 0, 0, 0, 1 FROM comments"""


def measure(task: Task) -> Iterator[Row]:
    yield from cold(task)
    yield from warm(task)
    yield from shared(task)


def _row(name: str, order: str, task: Task, figures: dict[str, Figure], **facts: float) -> Row:
    against = best_of(figures, WAYS)
    return Row(f"{name}, {order}", task.comments, "s", figures, against=against, content=task.content, facts=facts)


# --- cold ---------------------------------------------------------------------------------------------------------------------


def ours(path: Path, key: str, order: str) -> ThreadView:
    with threadstore.open(path) as store:
        return page(store, key, order)


def by_hand(path: Path, way: str, order: str) -> list[list[SqlRow]]:
    with closing(sqlite3.connect(path)) as connection:
        return WAYS[way](connection, order)


def cold(task: Task) -> Iterator[Row]:
    path, key, rival = settled(task), key_of(task), table(task)
    with copied(path) as [written]:
        for order in ORDERS:
            hands: dict[str, Callable[[], float]] = {}
            for way in WAYS:
                same(ours(path, key, order).comments, by_hand(rival, way, order))
                hands[way] = computed(lambda way=way, order=order: by_hand(rival, way, order))  # type: ignore[misc]
            before = computed(lambda order=order: ours(path, key, order))  # type: ignore[misc]  # lambda defaults
            yield _row("cold page", order, task, interleaved({OURS: before, **hands}, 2 * task.rounds))
            after = lambda order=order: _after_a_post(written, key, order)  # noqa: E731
            yield _row("cold page after a post", order, task, interleaved({OURS: after, **hands}, 2 * task.rounds))


def _after_a_post(path: Path, key: str, order: str) -> float:
    with threadstore.open(path, durability="off") as store:
        store.thread(key).post("Something else.", by="u-1")
    return spent(lambda: ours(path, key, order))


# --- warm ---------------------------------------------------------------------------------------------------------------------


def warm(task: Task) -> Iterator[Row]:
    path, key, rival = settled(task), key_of(task), table(task)
    samples: dict[tuple[str, str], list[float]] = {}
    shown = dict[str, int]()
    with closing(sqlite3.connect(rival)) as connection:
        for turn in range(2 * task.rounds):
            orders = [*ORDERS[turn % len(ORDERS) :], *ORDERS[: turn % len(ORDERS)]]
            with threadstore.open(path) as store:
                store.thread("another").view()
                for order in orders:
                    gc.collect()
                    view = _look(store, key, connection, order, samples)
                    shown[order] = len(view.comments) + sum(len(comment.replies) for comment in view.comments)
    for order in ORDERS:
        hands = {way: Figure.of(samples[way, order]) for way in WAYS}
        for what in ("first", "following", "repeated"):
            if (what, order) in samples:
                figures = {OURS: Figure.of(samples[what, order]), **hands}
                facts = {"comments on the page": float(shown[order])}
                yield _row(f"warm page, {what}", order, task, figures, **facts)


def _look(
    store: threadstore.ThreadStore,
    key: str,
    connection: sqlite3.Connection,
    order: str,
    samples: dict[tuple[str, str], list[float]],
) -> ThreadView:
    views: list[ThreadView] = []
    rows: list[list[list[SqlRow]]] = []

    def take(what: str, work: Callable[[], object]) -> None:
        samples.setdefault((what, order), []).append(spent(work))

    for ask in WAYS.values():
        ask(connection, order)  # warm
    take("first", lambda: views.append(page(store, key, order)))
    [first] = views
    for _ in range(_AGAIN):
        take("repeated", lambda: page(store, key, order))
        for way, ask in WAYS.items():
            take(way, lambda ask=ask: rows.append(ask(connection, order)))  # type: ignore[misc]  # lambda defaults
        if (after := views[-1].next) is not None:
            take("following", lambda after=after: views.append(page(store, key, order, after=after)))  # type: ignore[misc]
    same(first.comments, rows[-1])
    return first


# --- shared -------------------------------------------------------------------------------------------------------------------


def shared(task: Task) -> Iterator[Row]:
    """Show the same page again and again, while another connection posts."""
    key = key_of(task)
    with (
        copied(settled(task)) as [path],
        copied(table(task)) as [rival],
        threadstore.open(path, durability="off") as store,
        threadstore.open(path, durability="off") as other,
        closing(sqlite3.connect(rival, isolation_level=None)) as connection,
        closing(sqlite3.connect(rival, isolation_level=None)) as stranger,
    ):
        for order in ORDERS:

            def shown_again(order: str = order) -> float:
                other.thread(key).post("Something else.", by="u-1")
                return spent(lambda: page(store, key, order))

            def asked_again(way: str, order: str = order) -> float:
                stranger.execute(_INSERT)
                return spent(lambda: WAYS[way](connection, order))

            contenders = {OURS: shown_again} | {way: lambda way=way: asked_again(way) for way in WAYS}  # type: ignore[misc]
            yield _row("page after another's post", order, task, interleaved(contenders, 2 * task.rounds))


if __name__ == "__main__":
    main(measure, __doc__)
