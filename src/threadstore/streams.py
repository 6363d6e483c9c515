"""`StreamOf`: one thread's stream in a log, as the thread reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any

from threadstore.errors import DataError
from threadstore.heads import Heads
from threadstore.log.protocol import EventLog
from threadstore.model.codec import glance, glances
from threadstore.model.events import Event

__all__ = ["StreamOf"]


class StreamOf:
    """
    The stream of one thread: a `threadstore.dense.Source`.

    Args:
        log: The log.
        key: The thread's key.
    """

    __slots__ = ("_key", "_log")

    def __init__(self, log: EventLog, key: str) -> None:
        self._log = log
        self._key = key

    def heads(self) -> Heads:
        """Return the heads of all facts that can be read."""
        return self._log.heads(self._key)

    def fetch(self, revisions: Sequence[int]) -> dict[int, Event]:
        """Return the facts with these revisions; those that can not be read are left out."""
        facts: dict[int, Event] = {}
        for record in self._log.fetch(self._key, revisions):
            with suppress(DataError):
                facts[record.revision] = record.event
        return facts

    def glance(self, revisions: Sequence[int]) -> dict[int, list[Any]]:
        """Return the values of the records with these revisions; those that can not be read are left out."""
        records = [record for record in self._log.fetch(self._key, revisions) if not record.damage]
        with suppress(DataError):
            values = glances([record.data for record in records])
            return dict(zip([record.revision for record in records], values, strict=True))
        found: dict[int, list[Any]] = {}
        for record in records:
            with suppress(DataError):
                found[record.revision] = glance(record.data)
        return found

    def upto(self, revision: int) -> Iterator[Event]:
        """Yield all facts up to a revision that can be read."""
        for record in takewhile(lambda record: record.revision <= revision, self._log.read(self._key)):
            with suppress(DataError):
                yield record.event

    def find(self, id: str, revision: int) -> Event | None:
        """Return the fact with this id if the thread has it up to a revision."""
        record = self._log.find(id)
        if record is None or record.thread != self._key or record.revision > revision:
            return None
        with suppress(DataError):
            return record.event
        return None
