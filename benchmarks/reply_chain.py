"""
What does it cost that two people never stop answering each other?

Method: a thread that is one chain, each comment the answer to the one before, beside a lifelike thread of as many comments:
folding it, merging it into a store, showing its first page, showing the last comment with ten of its ancestors, and answering
it. Each page is another reader's, so that it is made and not remembered.

Caveats: the longest chain that was seen has 103 comments. This one is for the worst case.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from content import CACHE, KEY, PAGE
from generator import START, Thread
from harness import OURS, Row, Task, interleaved, main, timed

import threadstore
from threadstore import Actor, CommentPosted, Event
from threadstore.model.ids import make_id

LIFELIKE = "lifelike thread"


def links(most: int) -> Iterator[Event]:
    parent = None
    for number in range(most):
        id = make_id(START + number, 0, number)
        yield CommentPosted(id=id, thread=KEY, actor=Actor(f"u-{number % 2}"), parent=parent, body=f"No, {number} times no.")
        parent = id


def last_of(events: Iterable[Event]) -> str:
    return max(event.id for event in events if isinstance(event, CommentPosted))


def measure(task: Task) -> Iterator[Row]:
    if task.trace is not None:
        return  # the shape is what this is about
    CACHE.mkdir(exist_ok=True)
    contents = {OURS: list(links(task.comments)), LIFELIKE: list(Thread(task.comments, reactions=0, edited=0, deleted=0))}
    folded = {who: (lambda events=events: timed(lambda: threadstore.fold(events))) for who, events in contents.items()}
    yield Row("deep chain, fold", task.comments, "s", interleaved(folded, task.rounds), against=LIFELIKE)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder, ExitStack() as opened:
        paths = {who: Path(folder) / f"{number}.db" for number, who in enumerate(contents)}
        stores = {who: opened.enter_context(threadstore.open(path, durability="off")) for who, path in paths.items()}
        merging = {who: (lambda who=who: timed(lambda: stores[who].merge(contents[who]))) for who in stores}
        yield Row("deep chain, merge", task.comments, "s", interleaved(merging, 1), against=LIFELIKE)
        for what, work in _WORK.items():
            turns = {who: _turn(work, store, last_of(contents[who])) for who, store in stores.items()}
            yield Row(f"deep chain, {what}", task.comments, "s", interleaved(turns, 5 * task.rounds), against=LIFELIKE)


def _turn(
    work: Callable[[threadstore.StoredThread, str, str], object], store: threadstore.ThreadStore, last: str
) -> Callable[[], float]:
    readers = (f"u-{number}" for number in count())

    def turn() -> float:
        thread, reader = store.thread(KEY), next(readers)
        return timed(lambda: work(thread, last, reader))

    return turn


def _answer(thread: threadstore.StoredThread, last: str, reader: str) -> None:
    thread.reply(last, "And yet.", by=Actor(reader))


_WORK: dict[str, Callable[[threadstore.StoredThread, str, str], object]] = {
    "page": lambda thread, _, reader: thread.view(reader=reader, order="top", **PAGE),
    "last in its context": lambda thread, last, reader: thread.comment(last, context=10, reader=reader),
    "answer": _answer,
}


if __name__ == "__main__":
    main(measure, __doc__)
