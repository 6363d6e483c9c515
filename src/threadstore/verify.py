"""
The examination of a whole store: its records, its threads, its snapshots. It reports and repairs nothing.

A log knows whether its records are sound. Whether they amount to what is shown is asked here: each thread is folded in two
orders, whose digests must agree, and each snapshot must hold exactly what its thread's records amount to at the snapshot's
revision.
"""

from __future__ import annotations

from collections.abc import Iterator

from threadstore.codec import encode
from threadstore.errors import DataError
from threadstore.events import Event
from threadstore.logs.protocol import Damage, EventLog
from threadstore.snapshots import FINGERPRINT, restore
from threadstore.thread import Thread, fold

__all__ = ["verify_store"]


def verify_store(log: EventLog) -> Iterator[Damage]:
    """
    Yield what is wrong with the log's records, its threads, and its snapshots of today's fold.

    Complexity: O(n log n) for n events, and the memory of the largest thread.
    """
    yield from log.verify()
    for key in log.threads():
        yield from _thread(log, key)


def _thread(log: EventLog, key: str) -> Iterator[Damage]:
    kept = log.load_snapshot(key, FINGERPRINT)
    events: list[Event] = []
    before = Thread(key)
    for record in log.read(key):
        try:
            event = record.event
        except DataError:
            return  # the log has told of this record; a thread with a hole in it can not be compared
        events.append(event)
        if kept is not None and record.revision <= kept.revision:
            before.apply(event)
    if fold(reversed(events), key=key).digest() != fold(events, key=key).digest():
        yield Damage("digest", None, key, "its events make different threads in different orders")
    if kept is None:
        return
    restored = restore(key, kept.revision, kept.state)
    if restored is None:
        yield Damage("snapshot", None, key, "its snapshot can not be read")
    elif _standing(restored) != _standing(before):
        yield Damage("snapshot", None, key, f"its snapshot is not what revision {kept.revision} amounts to")


def _standing(thread: Thread) -> set[bytes]:
    return {encode(fact) for fact in thread.standing_facts()}
