"""A thread's stream: what the log has of it and can be read, up to where somebody looks."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from threadstore.heads import head
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import Record
from threadstore.model.codec import encode
from threadstore.model.events import Event
from threadstore.streams import StreamOf
from threadstore.testing.given import THREAD, id_of, posted

EVENTS: list[Event] = [posted(1), posted(2), posted(3)]


class Damaged(MemoryLog):
    """A log in which the second record of every thread is damaged."""

    def _told(self, record: Record) -> Record:
        return replace(record, damage="it is damaged") if record.revision == 2 else record

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        return map(self._told, super().read(thread, after=after))

    def find(self, id: str) -> Record | None:
        record = super().find(id)
        return None if record is None else self._told(record)


class Foreign(MemoryLog):
    """A log in which the second record of every thread says nothing, and nothing is wrong with it but that."""

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        for record in super().read(thread, after=after):
            yield replace(record, data=b"\xc1") if record.revision == 2 else record


def stream_of(log: MemoryLog) -> StreamOf:
    """Return the stream of a thread, beside which there is another."""
    log.append("another", [replace(posted(9), thread="another")])
    log.append(THREAD, EVENTS)
    return StreamOf(log, THREAD)


def test_a_stream_is_read():
    """All of it, some of it, up to a place, and by id."""
    stream = stream_of(MemoryLog())
    assert stream.heads() == (list(range(1, 4)), b"".join(map(head, EVENTS)))
    assert stream.fetch([3, 1, 7]) == {1: EVENTS[0], 3: EVENTS[2]}
    assert [list(stream.upto(revision)) for revision in (0, 2, 9)] == [[], EVENTS[:2], EVENTS]
    assert [stream.find(id_of(number), 2) for number in (1, 2, 3, 9, 77)] == [*EVENTS[:2], None, None, None]


def test_what_is_damaged_is_left_out():
    """Nobody is told of it but by its absence."""
    stream = stream_of(Damaged())
    assert list(stream.heads().revisions) == [1, 3]
    assert stream.fetch([1, 2]) == {1: EVENTS[0]}
    assert list(stream.upto(3)) == [EVENTS[0], EVENTS[2]]
    assert stream.find(id_of(2), 3) is None


def test_a_glance_is_at_the_bytes():
    """What is said is read without making facts; what is damaged is left out."""
    assert set(stream_of(MemoryLog()).glance([1, 3, 7])) == {1, 3}
    assert set(stream_of(Damaged()).glance([1, 2])) == {1}
    assert set(stream_of(Foreign()).glance([1, 2, 3])) == {1, 3}
    assert bytes.fromhex(id_of(1).replace("-", "")) in encode(EVENTS[0])
