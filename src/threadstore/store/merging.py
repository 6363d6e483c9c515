"""
Merging: another replica's events, of any threads, in few transactions.

A batch is stored in one transaction. If something of it is refused, its threads are stored one by one, and what conflicts in a
thread is found by halves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from msgspec import Struct

from threadstore.errors import ClockSkew, ConflictingEvent, CorruptRecord, ThreadStoreError
from threadstore.log._appending import append, checked_known
from threadstore.log.batch import distinct
from threadstore.log.protocol import ANY, EventLog
from threadstore.model.events import REGISTERS, Event
from threadstore.model.ids import last_id_at, time_of
from threadstore.model.policy import Policy, Rules
from threadstore.plans import Plan
from threadstore.readmodel.part import Loaded
from threadstore.readmodel.queries import Unfit, thread_row
from threadstore.readmodel.rows import fingerprint
from threadstore.store.plans import admitted, append_to, begin, erasures_in
from threadstore.store.rebuilding import Rebuilding
from threadstore.store.writer import Writer

__all__ = ["BULK", "Arrival", "Merge", "merged"]

#: How many of a merge's events are folded into the rows of a thread at once.
_PORTION: Final = 500
#: Fewer events than this are never too many for the rows to follow.
BULK: Final = 2_000
#: Of a thread that is new and begins with more than this, more is likely to come.
_MUCH: Final = 5_000

Refusal = tuple[str, ThreadStoreError]


class Merge:
    """
    One merge.

    Args:
        policy: What the application allows.
        now: The wall clock, in Unix milliseconds.
        log: The events of the store.
        writer: Who commits.
        rebuilding: Who makes rows anew.
    """

    def __init__(self, policy: Policy, now: int, log: EventLog, writer: Writer, rebuilding: Rebuilding) -> None:
        self._rules = policy.rules
        self._skew = policy.max_clock_skew
        self._latest = last_id_at(now + self._skew)
        self._log = log
        self._writer = writer
        self._rebuilding = rebuilding
        self._arrivals: dict[str, Arrival] = {}
        #: What was refused, each with its error.
        self.refused: list[Refusal] = []

    def admitted(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield the events whose time has come."""
        for event in events:
            if type(event) not in REGISTERS:
                raise TypeError(f"an event is needed, not {type(event).__name__}")
            if event.id > self._latest:
                self.refused.append((event.id, ClockSkew(event.id, time_of(event.id) - self._skew)))
            else:
                yield event

    def store(self, batch: Sequence[Event]) -> int:
        """Store a batch in one transaction or, if something of it is refused, thread by thread; return how many were new."""
        of_threads: dict[str, list[Event]] = {}
        for event in batch:
            of_threads.setdefault(event.thread, []).append(event)
        try:
            return self._write(of_threads)
        except (ConflictingEvent, CorruptRecord, Unfit):
            return sum(self._store_thread(key, events) for key, events in of_threads.items())

    def _store_thread(self, key: str, events: list[Event]) -> int:
        """Store events of one thread together or, where one conflicts, in halves."""
        try:
            return self._write({key: events})
        except Unfit:
            self._rebuilding.rebuild(key, self._log.revision(key), wait=True)
            return self._store_thread(key, events)
        except (ConflictingEvent, CorruptRecord) as error:
            if isinstance(error, CorruptRecord) and error.position is None:
                raise  # not one record is damaged, but the log
            if len(events) == 1:
                self.refused.append((events[0].id, error))
                return 0
            half = len(events) // 2
            return sum(self._store_thread(key, part) for part in (events[:half], events[half:]))

    def _write(self, of_threads: dict[str, list[Event]]) -> int:
        erases = any(erasures_in(events, self._rules) for events in of_threads.values())
        return self._writer.write(partial(_merged_all, of_threads, self._rules, self._arrivals), erases=erases)

    def tell(self, on_refused: Callable[[str, ThreadStoreError], object] | None) -> None:
        """Tell of what was refused, if somebody wants to be told, and forget it."""
        if on_refused is not None:
            for each in self.refused:
                on_refused(*each)
            self.refused.clear()

    def finish(self) -> None:
        """Make the rows anew that were left behind."""
        for key, arrival in self._arrivals.items():
            if arrival.is_behind:
                self._rebuilding.hurry(key)


def _merged_all(of_threads: dict[str, list[Event]], rules: Rules, arrivals: dict[str, Arrival]) -> Plan[int]:
    new = 0
    for key, events in of_threads.items():
        new += yield from merged(key, events, rules, arrivals)
    return new


class Arrival(Struct):
    """
    What a merge brings to one thread.

    Args:
        before: How many events the thread had when the merge began.
        count: How many came since.
        is_behind: Whether its rows do not follow any more, and are to be made anew when all has come.
    """

    before: int
    count: int = 0
    is_behind: bool = False


def merged(key: str, events: Sequence[Event], rules: Rules, arrivals: dict[str, Arrival]) -> Plan[int]:
    """
    Append another replica's events of one thread, and bring the rows up to them; return how many were new.

    A thread to which more comes than it had is left behind: to make its rows anew takes half as long. Until then they are not
    shown.

    Raises:
        ConflictingEvent, CorruptRecord: One of them cannot be stored.
    """
    facts = distinct(key, events)
    positions = yield from checked_known(facts)
    new: Sequence[Event] = [event for id, event in facts.items() if id not in positions]
    if not new:
        return 0
    row = yield from thread_row(key)
    arrival = arrivals.setdefault(key, Arrival(0 if row is None else row.revision))
    if row is None and len(new) < _MUCH:
        yield from begin(key, new, rules)
    elif row is None or arrival.is_behind:
        arrival.is_behind = True
        yield from append(key, new, ANY, erasures_in(new, rules))
    elif not row.fits(fingerprint(rules)):
        raise Unfit(key, "they are of other rules, of a part of the stream, or damaged")
    elif arrival.count + len(new) > max(arrival.before, BULK):
        yield from append(key, new, ANY, erasures_in(new, rules))
        arrival.is_behind = True
    else:
        stored = yield from admitted(key, new, row, rules)
        for start in range(0, len(stored), _PORTION):
            yield from append_to(Loaded(key, row), row, stored[start : start + _PORTION], rules)
    arrival.count += len(new)
    return len(new)
