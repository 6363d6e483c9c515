"""Records that can be read, and those that cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from threadstore.errors import CorruptRecord, UpcastFailed
from threadstore.log.protocol import Record
from threadstore.model.events import Event

__all__ = ["readable"]


def readable(records: Iterable[Record]) -> Iterator[tuple[Record, Event]]:
    """
    Yield the records that can be read, with their events; those that are damaged are left out.

    Raises:
        UnsupportedSchema: A newer release has written one; that is no damage.
    """
    for record in records:
        try:
            event = record.event
        except (CorruptRecord, UpcastFailed):
            continue
        yield record, event
