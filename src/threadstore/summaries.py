"""
What a list over many threads says of each, so that it need not load them: a summary, kept beside the thread's events.

A summary has figures and ids, and no words: a title and a body are read from the log when they are shown, so erasing them
there is enough. It is of one revision of its thread, and of one fold under one set of rules, which its fingerprint names. One
that is missing, outdated, or of another fold is made anew from the thread: summaries are a shortcut, like snapshots.

Of the newest comments it says how they stand, save those that are gone for good: `newest` is complete down to the last of them,
or wholly if `all_listed`.

Law: a digest that was told of each event is the digest of the thread.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from operator import itemgetter
from typing import Final

import msgspec
from msgspec.structs import astuple

from threadstore.model.events import CommentPosted, Event, PersonErased, ReactionGiven, ReactionWithdrawn, ThreadDescribed
from threadstore.model.ids import from_bytes, to_bytes
from threadstore.model.outline import Outline
from threadstore.model.policy import Rules
from threadstore.model.status import description, is_absorbed
from threadstore.snapshots import FINGERPRINT, digest_of
from threadstore.views.lens import Outlined
from threadstore.views.queue import waits_since
from threadstore.views.types import CONCEALMENTS, Concealment, Counts

__all__ = ["Digest", "Line", "Summed", "fingerprint", "line_of", "older_lines", "read_summary"]

#: How many of the newest comments a summary tells of.
LISTED: Final = 32
_KEPT: Final = 2 * LISTED
#: Raised by hand when a summary says something else, or the fold changes in a way that its own fingerprint does not show.
_FORM: Final = 1


class Line(msgspec.Struct, frozen=True):
    """How one comment stands: its id, the event that its text is from, its flags, and whether it waits again for its text."""

    id: str
    text: str
    flags: tuple[Concealment, ...] = ()
    stale: bool = False


class Summed(msgspec.Struct, frozen=True):
    """
    What a summary says.

    Args:
        counts: The public's figures.
        locked: Whether a lock is up.
        latest: The largest id of the thread's events.
        described: The event that describes the thread; empty if none does.
        waiting: How many comments and corrections wait for a moderator.
        since: The oldest fact that one of them waits for; empty if none does.
        newest: The newest comments that are not gone, newest first.
        all_listed: Whether those are all.
    """

    counts: Counts
    locked: bool
    latest: str
    described: str
    waiting: int
    since: str
    newest: tuple[Line, ...]
    all_listed: bool


class _Stored(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A summary as it is written: ids in 16 bytes, and of most comments nothing else."""

    counts: tuple[int, int, int, int, int]
    locked: bool
    latest: bytes
    described: bytes
    waiting: int
    since: bytes
    newest: bytes
    marked: list[tuple[int, bytes, int]]
    all_listed: bool


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Stored).decode
_ID: Final = 16
_STALE: Final = 1 << len(CONCEALMENTS)
_GONE: Final = frozenset({"erased", "deleted"})


def fingerprint(rules: Rules) -> str:
    """Name the fold and the rules that a summary depends on."""
    said = [sorted(each) if isinstance(each, frozenset) else sorted(map(sorted, each)) for each in _fields(rules)]
    return digest_of(_FORM, FINGERPRINT, CONCEALMENTS, said)


def _fields(rules: Rules) -> list[frozenset[str] | tuple[frozenset[str], ...]]:
    return [rules.moderators, rules.editors, rules.describers, rules.kinds, rules.exclusive, rules.positive, rules.negative]


def read_summary(state: bytes) -> Summed | None:
    """Return what a summary says, or None if it can not be read."""
    try:
        stored = _decode(state)
        marked = {place: (text, flags) for place, text, flags in stored.marked}
        lines = []
        for place, start in enumerate(range(0, len(stored.newest), _ID)):
            id = stored.newest[start : start + _ID]
            text, flags = marked.get(place, (id, 0))
            raised = tuple(flag for bit, flag in enumerate(CONCEALMENTS) if flags >> bit & 1)
            lines.append(Line(from_bytes(id), from_bytes(text), raised, bool(flags & _STALE)))
        return Summed(
            counts=Counts(*stored.counts),
            locked=stored.locked,
            latest=from_bytes(stored.latest),
            described=from_bytes(stored.described) if stored.described else "",
            waiting=stored.waiting,
            since=from_bytes(stored.since) if stored.since else "",
            newest=tuple(lines),
            all_listed=stored.all_listed,
        )
    except (msgspec.MsgspecError, ValueError):
        return None


_Piece = tuple[str, bytes, tuple[bytes, int] | None]
_id_of, _bytes_of, _mark_of = itemgetter(0), itemgetter(1), itemgetter(2)


def _piece(line: Line) -> _Piece:
    """Return what is written of a comment, ready to be written often: its id, and its text and flags unless it is plain."""
    if line.text == line.id and not line.flags:
        return line.id, to_bytes(line.id), None
    flags = sum(1 << CONCEALMENTS.index(flag) for flag in line.flags) + _STALE * line.stale
    return line.id, to_bytes(line.id), (to_bytes(line.text), flags)


def line_of(thread: Outlined, rules: Rules, id: str) -> Line | None:
    """Return how a comment stands, or None if it is gone, or none. Complexity: O(n) at the first use of a thread."""
    return _line(thread.outline(rules), id)


def _line(outline: Outline, id: str) -> Line | None:
    """Return how a comment stands, or None if it is gone, or none."""
    if outline.is_untouched(id):
        return Line(id, id)
    node = outline.comment(id)
    standing = None if node is None else node.standing
    if standing is None or not _GONE.isdisjoint(standing.flags):
        return None
    return Line(id, standing.text.id, standing.flags, standing.stale)


def older_lines(thread: Outlined, rules: Rules, below: str, limit: int) -> list[Line]:
    """Return how the newest comments below an id stand, save those that are gone. Complexity: that of `State.newest`."""
    outline = thread.outline(rules)
    return list(islice((line for id in thread.newest(below) if (line := _line(outline, id)) is not None), limit))


class Digest:
    """
    What a thread's summary says, kept up to date.

    Args:
        thread: The thread; whoever lets an event into it tells of it by `note`.
        rules: Whose roles have effect.

    Complexity: that of `State.newest` to make.
    """

    def __init__(self, thread: Outlined, rules: Rules) -> None:
        self._thread = thread
        self._rules = rules
        self._begin()

    def _begin(self) -> None:
        self._look_at_description()
        self._look_at_queue()
        self._list()

    def note(self, event: Event) -> None:
        """Take note of an event that was let in. Complexity: O(1), but for what a moderator does O(what waits)."""
        if isinstance(event, ReactionGiven | ReactionWithdrawn):
            return
        if isinstance(event, PersonErased):
            self._begin()
            return
        waiting = self._thread.outline(self._rules).waiting
        if event.target in waiting or len(waiting) != self._waiting or not isinstance(event, CommentPosted):
            self._look_at_queue()
        if isinstance(event, ThreadDescribed):
            self._look_at_description()
        self._look_at(event.target)

    def state(self) -> tuple[str, bytes]:
        """Return the oldest fact that something waits for, and the summary as bytes. Complexity: O(1)."""
        outline = self._thread.outline(self._rules)
        newest = self._lines[: -LISTED - 1 : -1]
        stored = _Stored(
            counts=astuple(outline.counts()),
            locked=bool(outline.locks.up),
            latest=to_bytes(self._thread.latest),
            described=to_bytes(self._described) if self._described else b"",
            waiting=self._waiting,
            since=to_bytes(self._since) if self._since else b"",
            newest=b"".join(map(_bytes_of, newest)),
            marked=[(place, *mark) for place, mark in enumerate(map(_mark_of, newest)) if mark is not None],
            all_listed=self._are_all and len(self._lines) <= LISTED,
        )
        return self._since, _encode(stored)

    def _look_at_description(self) -> None:
        described = description(self._thread.cells(""), self._rules)
        forgotten = described is None or is_absorbed(described, self._thread.outline(self._rules).horizons)
        self._described = "" if described is None or forgotten else described.id

    def _look_at_queue(self) -> None:
        self._waiting = len(self._thread.outline(self._rules).waiting)
        self._since = waits_since(self._thread, self._rules)

    def _list(self) -> None:
        """List the newest comments: more than are told of, so that few of those that go make it necessary to list them again."""
        lines = (line for line in map(self._line, self._thread.newest()) if line is not None)
        found = list(islice(lines, _KEPT + 1))
        self._are_all = len(found) <= _KEPT
        self._lines = [_piece(line) for line in reversed(found[:_KEPT])]

    def _line(self, id: str) -> Line | None:
        return _line(self._thread.outline(self._rules), id)

    def _look_at(self, id: str) -> None:
        """Judge one comment anew."""
        lines = self._lines
        if not self._are_all and id < lines[0][0]:
            return
        at = len(lines) if not lines or id > lines[-1][0] else bisect_left(lines, id, key=_id_of)
        if at < len(lines) and lines[at][0] == id:
            del lines[at]
        if (line := self._line(id)) is not None:
            lines.insert(at, _piece(line))
            if len(lines) > _KEPT:
                del lines[0]
                self._are_all = False
        if not self._are_all and len(lines) <= LISTED:
            self._list()
