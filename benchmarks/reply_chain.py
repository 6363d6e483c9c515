"""
What does it cost that two people never stop answering each other?

Method: a thread that is one chain, each comment the answer to the one before, beside a lifelike thread of as many comments:
folding it, showing its first page, showing the last comment with ten of its ancestors, and answering it.

Caveats: the longest chain that was seen has 103 comments. This one is for the worst case.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from content import CACHE, KEY, load, page
from generator import START, Thread
from harness import OURS, Row, Task, interleaved, main, timed

import threadstore
from threadstore import Actor, CommentPosted, Event
from threadstore.model.ids import make_id

LIFELIKE = "lifelike thread"


def links(count: int) -> Iterator[Event]:
    parent = None
    for number in range(count):
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
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        stores: dict[str, threadstore.ThreadStore] = {}
        for number, (who, events) in enumerate(contents.items()):
            stores[who] = store = threadstore.open(Path(folder) / f"{number}.db", durability="off", cache_bytes=1 << 40)
            store.merge(events)
            load(store)
            page(store)
        for what, work in _WORK.items():
            turns = {who: _turn(work, store, last_of(contents[who])) for who, store in stores.items()}
            yield Row(f"deep chain, {what}", task.comments, "s", interleaved(turns, 5 * task.rounds), against=LIFELIKE)
        for store in stores.values():
            store.close()


def _turn(
    work: Callable[[threadstore.ThreadStore, str], object], store: threadstore.ThreadStore, last: str
) -> Callable[[], float]:
    def turn() -> float:
        start = time.perf_counter()
        work(store, last)
        return time.perf_counter() - start

    return turn


def _answer(store: threadstore.ThreadStore, last: str) -> None:
    thread = store.thread(KEY)
    thread.reply(last, "And yet.", by=Actor("u-3"))
    thread.counts()


_WORK: dict[str, Callable[[threadstore.ThreadStore, str], object]] = {
    "page": lambda store, _: page(store),
    "last in its context": lambda store, last: store.thread(KEY).comment(last, context=10),
    "answer": _answer,
}


if __name__ == "__main__":
    main(measure, __doc__)
