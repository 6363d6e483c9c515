"""
A moderator comes back from the weekend: how long does the queue take, item by item?

Method: readers have reported comments all over a large thread (one in fifty, 1,000 at most). The moderator asks for the queue,
takes the first item, removes it or finds nothing wrong with it, and asks again, until fifty are dealt with. Written at
durability NORMAL. What a reader gets in between, a page in the order top, is taken too.

Caveats: there is nothing to compare this with but itself at another size: see the growth from 1,000 comments on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

from content import copied, events, key_of, page, settled
from generator import MODERATOR
from harness import OURS, Figure, Row, Task, main

import threadstore
from threadstore import Actor, CommentPosted, CommentReported, Event
from threadstore.model.ids import make_id, time_of

_DEALT_WITH = 50


def reports(source: Iterator[Event], most: int) -> Iterator[Event]:
    """Yield reports on comments drawn from the thread."""
    chance = Random(3)
    posts = [event for event in source if isinstance(event, CommentPosted)]
    last = time_of(posts[-1].id)
    for number, post in enumerate(chance.sample(posts, min(len(posts) // 50, most))):
        id = make_id(last + 1_000 + number, 0, chance.getrandbits(62))
        yield CommentReported(id=id, thread=post.thread, actor=Actor(f"u-{number}"), comment=post.id, reason="rude")


def measure(task: Task) -> Iterator[Row]:
    key, samples = key_of(task), {"decision": list[float](), "page": list[float]()}
    with copied(settled(task)) as [path], threadstore.open(path, durability="normal") as store:
        thread = store.thread(key)
        store.merge(reports(events(task), 1_000))
        waiting = len(thread.queue(limit=100).items)
        page(store, key)
        for turn in range(min(_DEALT_WITH, waiting)):
            start = time.perf_counter()
            item = thread.queue(limit=20).items[0]
            if turn % 2:
                thread.remove(item.id, by=MODERATOR, reason="rude")
            else:
                thread.resolve_reports(item.id, by=MODERATOR)
            samples["decision"].append(time.perf_counter() - start)
            start = time.perf_counter()
            page(store, key)
            samples["page"].append(time.perf_counter() - start)
    yield Row("moderation sweep, one decision", task.comments, "s", {OURS: Figure.of(samples["decision"])}, content=task.content)
    yield Row("moderation sweep, a page", task.comments, "s", {OURS: Figure.of(samples["page"])}, content=task.content)


if __name__ == "__main__":
    main(measure, __doc__)
