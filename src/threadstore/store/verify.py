"""
The examination of a whole store: its records, its threads, its snapshots and fronts. It reports and repairs nothing.

A log knows whether its records are sound. Whether they amount to what is shown is asked here: each thread is folded in two
orders, whose digests must agree, and each snapshot must be, byte for byte, what is made of its thread's records up to the
snapshot's revision. A front must say what its thread answers; one of an earlier revision is never shown, so it is not
looked at.

Snapshots and fronts are made under rules. Only those of the rules that are given can be made again; of others the log knows no
more than whether their bytes are sound.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from threadstore import fronts
from threadstore.columns import Columns
from threadstore.dense_orders import shelved
from threadstore.errors import DataError
from threadstore.frozen import Frozen, fingerprint, freeze, thaw
from threadstore.heads import SIZE, Heads, ends
from threadstore.log.protocol import Damage, EventLog, Snapshot
from threadstore.model.events import Event
from threadstore.model.policy import Policy, Rules
from threadstore.views.thread import Thread, fold

__all__ = ["verify_store"]


def verify_store(log: EventLog, policy: Policy) -> Iterator[Damage]:
    """
    Yield what is wrong with the log's records, its threads, and its snapshots and fronts of today's fold under this *policy*.

    Complexity: O(n log n) for n events, and the memory of the largest thread.
    """
    yield from log.verify()
    for key in log.threads():
        yield from _thread(log, policy, key)


def _thread(log: EventLog, policy: Policy, key: str) -> Iterator[Damage]:
    rules = policy.rules
    name = fingerprint(rules)
    kept, ready = log.load_snapshot(key, name), log.fronts(key)
    events: list[Event] = []
    for record in log.read(key):
        try:
            events.append(record.event)
        except DataError:
            return  # the log has told of this record; a thread with a hole in it can not be compared
    thread = fold(events, key=key)
    if fold(reversed(events), key=key).digest() != thread.digest():
        yield Damage("digest", None, key, "its events make different threads in different orders")
    thread.revision = len(events)
    for front in ready:
        if not _is_answered(front, thread, policy) and front in log.fronts(key, front.fingerprint):  # nobody writes meanwhile
            yield Damage("front", None, key, f"its front is not what revision {front.revision} shows")
    if kept is None:
        return
    if thaw(key, rules, kept.state) is None:
        yield Damage("snapshot", None, key, "its snapshot can not be read")
    elif not _is_made_of(log.heads(key), rules, key, kept) and log.load_snapshot(key, name) == kept:  # nobody erases meanwhile
        yield Damage("snapshot", None, key, f"its snapshot is not what revision {kept.revision} amounts to")


def _is_answered(front: Snapshot, thread: Thread, policy: Policy) -> bool:
    """Return whether a front says what the thread answers, if it is of its revision and of this fold."""
    found = fronts.unpack(front.state)
    if found is None:
        return False
    asked, answer = found
    if front.revision != thread.revision or front.fingerprint != fronts.fingerprint(policy.rules, asked):
        return True
    return bool(fronts.ask(thread, asked, policy) == answer)


def _is_made_of(rows: Heads, rules: Rules, key: str, kept: Snapshot) -> bool:
    """Return whether a snapshot is what is made of a thread's records up to the snapshot's revision, of which none is missing."""
    many = bisect_right(rows.revisions, kept.revision)
    if not many or many != kept.revision:
        return False
    rows = Heads(rows.revisions[:many], rows.heads[: SIZE * many])
    columns, rest = Columns.build(rules, rows)
    return freeze(key, Frozen(*ends(rows), rest, columns, shelved(columns))) == kept.state
