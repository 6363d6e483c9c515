"""
Real discussions as tests: traces of comment threads become events.

A trace is a file of JSON lines, plain or gzipped, that keeps the structure of a discussion and none of its words: numbers
stand for people, and a text is known by its length alone. Three kinds of line are told apart by what they hold; fields that
are not named here are skipped.

**A comment**::

    {"thread": 1, "id": 7, "parent": 3, "t": 1136074029, "author": 12, "len": 140, "likes": 2}

==============  ====================================================================================================
thread, id      numbers; an id names one comment of the trace
parent          the comment that is answered; null at the top level; an unknown id where the source lost the parent
t               Unix seconds, perhaps negative, equal, or earlier than the parent's; null where unknown
author          a number; null for an anonymous one
len             the length of the text, in characters
likes, rx       how many liked it; how many reacted, by kind
up, down        how many voted for it and against it
score           the votes for it less those against it; next to `reads` a figure of the source's own, which is skipped
edits, edited   how often it was edited; when last, in Unix seconds, or 1
deleted         when it was deleted, in Unix seconds, or 1
hidden          1 for what a moderator took down
pending         1 for what waits for a moderator
dup_of          the id of an earlier line that has the same id as this one in the source
kind            such as "pingback"; kept in `meta`
==============  ====================================================================================================

**A vote**, one of a sequence in which people change their minds: `thread`, `comment`, `author`, `at_ms` (Unix milliseconds), and
`vote`, which is 1, -1, or 0 for neither.

**A line of a log**, told by its `op`: "create" (the line is a comment), "edit" (`id`, `at_ms`, `len`) or "delete" (`id`,
`at_ms`); other words are skipped.

Laws: the same rows give the same events, in every run; every comment is posted, once, whatever its parent, its time or its
id; a comment's id is above its parent's, circles apart.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from gzip import BadGzipFile, GzipFile
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, MsgspecError, Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from threadstore.model.events import (
    CommentDeleted,
    CommentEdited,
    CommentPosted,
    CommentRemoved,
    Event,
    ReactionGiven,
    ReactionWithdrawn,
)
from threadstore.model.ids import MAX_MILLIS, id_for, time_of
from threadstore.model.policy import Policy
from threadstore.model.values import MAX_AT, MAX_BODY, MAX_KIND, MAX_META_VALUE, SUPPORT, Actor

__all__ = [
    "DOWN",
    "MODERATOR",
    "TRACE_POLICY",
    "UP",
    "CommentRow",
    "DeleteRow",
    "EditRow",
    "MalformedTrace",
    "Row",
    "VoteRow",
    "events_of",
    "read_trace",
    "small_thread",
]

UP: Final = "up"
DOWN: Final = "down"

#: Under which the votes of a trace count; kinds in `rx` beyond these are kept, and shown by a policy that offers them.
TRACE_POLICY: Final = Policy(kinds={SUPPORT, UP, DOWN}, exclusive=({UP, DOWN},))

#: Who takes down, deletes and edits where the trace does not know an author who could.
MODERATOR: Final = Actor("trace-moderator", "Moderator", "moderator")

_MAX_EDITS: Final = 50
_MADE_UP_LENGTH: Final = 80
_DAY: Final = 86_400

Count = Annotated[int, Meta(ge=0)]
#: What an event can keep as its time, with room at the end for ids that have to follow.
Seconds = Annotated[int, Meta(ge=-MAX_AT // 1_000 + 1, le=MAX_MILLIS // 1_000 - _DAY)]
Milliseconds = Annotated[int, Meta(ge=-MAX_AT, le=MAX_MILLIS - _DAY * 1_000)]
Kind = Annotated[str, Meta(min_length=1, max_length=MAX_KIND)]


class CommentRow(Struct, frozen=True, gc=False):
    """One comment of a trace; the fields are told above."""

    thread: int
    id: int
    parent: int | None = None
    t: Seconds | None = None
    author: int | None = None
    len: Count = 0
    likes: Count = 0
    rx: dict[Kind, Count] | None = None
    up: Count = 0
    down: Count = 0
    score: int = 0
    edits: Count = 0
    edited: Seconds | None = None
    deleted: Seconds | None = None
    hidden: Count = 0
    pending: Count = 0
    dup_of: int | None = None
    kind: Annotated[str, Meta(max_length=MAX_META_VALUE)] | None = None
    reads: Count | None = None


class VoteRow(Struct, frozen=True, gc=False):
    """One vote of a sequence of votes."""

    thread: int
    at_ms: Milliseconds
    comment: int
    author: int
    vote: Literal[-1, 0, 1]


class EditRow(Struct, frozen=True, gc=False):
    """One edit in a log: the text has another length now."""

    at_ms: Milliseconds
    id: int
    len: Count = 0


class DeleteRow(Struct, frozen=True, gc=False):
    """One deletion in a log."""

    at_ms: Milliseconds
    id: int


Row = CommentRow | VoteRow | EditRow | DeleteRow


# --- reading ------------------------------------------------------------------------------------------------------------------


class MalformedTrace(ValueError):
    """A file that is no trace: `line` can not be read."""

    def __init__(self, path: str, line: int, why: str) -> None:
        super().__init__(path, line, why)
        self.path, self.line, self.why = path, line, why

    def __str__(self) -> str:
        return f"line {self.line} of {self.path} is no line of a trace: {self.why}"


class _Shape(Struct):
    """What tells the kinds of line apart. A number as `op` marks the opening post of some sources."""

    op: str | int | None = None
    vote: int | None = None


_shape_of = Decoder(_Shape).decode
_comment = Decoder(CommentRow).decode
_vote = Decoder(VoteRow).decode
_LOGGED: Final[Mapping[str, Callable[[bytes], Row]]] = {
    "create": _comment,
    "edit": Decoder(EditRow).decode,
    "delete": Decoder(DeleteRow).decode,
}
_GZIP_MAGIC: Final = b"\x1f\x8b"


def read_trace(path: str | os.PathLike[str]) -> Iterator[Row]:
    """
    Yield the rows of a trace, in the order of the file.

    Raises:
        OSError: The file can not be opened or read.
        MalformedTrace: A line is none of those told above, or the file is a damaged archive.

    Complexity: O(size of the file), and constant memory.
    """
    with Path(path).open("rb") as file:
        packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        file.seek(0)
        number = 0
        lines: Iterable[bytes] = GzipFile(fileobj=file) if packed else file
        try:
            for number, line in enumerate(lines, 1):  # noqa: B007 - the errors below need it
                row = None if line.isspace() else _row(line)
                if row is not None:
                    yield row
        except MsgspecError as error:
            raise MalformedTrace(os.fspath(path), number, str(error)) from error
        except (BadGzipFile, EOFError, zlib.error) as error:
            raise MalformedTrace(os.fspath(path), number + 1, str(error)) from error


def _row(line: bytes) -> Row | None:
    shape = _shape_of(line)
    if shape.vote is not None:
        return _vote(line)
    if isinstance(shape.op, str):
        decode = _LOGGED.get(shape.op)
        return None if decode is None else decode(line)
    return _comment(line)


# --- events -------------------------------------------------------------------------------------------------------------------


def events_of(rows: Iterable[Row], *, source: str = "trace", voters: int = 50) -> Iterator[Event]:
    """
    Yield the events that a trace comes to, in the order of its rows: each comment, followed by what happened to it.

    - An id is `id_for` of the time, above the parent's. A time that the id does not show, since it is earlier than the parent's
      or lies before 1970, is kept in `CommentPosted.at`.
    - Where the time is null, the parent's counts, or else that of the row before in the thread.
    - A parent that the thread does not hold has an id all the same, one for all its children and below theirs. Of comments that
      answer one another in a circle, the one with the smallest number gets the smallest id, so its parent is void.
    - A row that repeats another in all but its number (`dup_of`) is the same event again. One that has the number of another,
      and else differs, is a comment of its own.
    - Edits and deletions are the author's, or a moderator's where there is no author; `hidden` is a moderator's removal.
    - Likes, reactions and scores are given by made-up voters, at most *voters* to a comment; kinds keep their proportion.
    - A comment that is voted on and not in the trace is posted by nobody, at the time of its first vote.
    - Names and texts are made up. A text has the length that the row tells, up to the longest that an event can hold.

    Args:
        rows: What `read_trace` yields, or a part of it.
        source: Names the trace: threads are called ``"source/number"``, and another source gives other ids.
        voters: See above; 0 leaves likes and reactions out.

    Complexity: O(n) time and memory, since a parent may come last.
    """
    return _Import(rows, source, voters).events()


class _Comment:
    """A comment of the trace on its way to become one of the thread."""

    __slots__ = ("above", "at", "below", "id", "key", "latest", "missing", "row", "text", "told")

    def __init__(self, row: CommentRow, key: str, at: int) -> None:
        self.row = row
        self.key = key
        #: Its time in Unix milliseconds; where the row has none, that of the row before in the thread.
        self.at = at
        self.above: _Comment | None = None
        self.below: list[_Comment] = []
        #: The id of its parent, where the thread has no such comment.
        self.missing: str | None = None
        self.id = ""
        #: The last event on it, and the one whose text is current.
        self.latest = ""
        self.text = ""
        #: Whether what happened to it was yielded.
        self.told = False

    @property
    def author(self) -> Actor | None:
        return None if self.row.author is None else _actor(self.row.author)


class _Import:
    """
    One trace: first every comment is given an id, then the rows are walked for their events.

    Two walks are needed, because the id of a comment follows from its parent's, which may stand further down.
    """

    def __init__(self, rows: Iterable[Row], source: str, voters: int) -> None:
        self._source = source
        self._voters = voters
        self._rows = list(rows)
        self._here: dict[tuple[int, int], _Comment] = {}
        self._clashes = Counter[tuple[int, int]]()
        self._times: dict[int, int] = {}
        self._votes: dict[tuple[_Comment, int], tuple[str, str | None]] = {}
        self._comments = [self._admit(row) if isinstance(row, CommentRow) else None for row in self._rows]
        self._make_up()
        self._all = list(dict.fromkeys(comment for comment in (*self._comments, *self._here.values()) if comment is not None))
        self._numbered = {comment.row.id: comment for comment in reversed(self._all)}
        self._link()
        self._mint()

    # --- which comments there are ---------------------------------------------------------------------------------------------

    def _admit(self, row: CommentRow) -> _Comment:
        place = (row.thread, row.id)
        twin = self._here.get(place if row.dup_of is None else (row.thread, row.dup_of))
        if twin is not None and replace(row, id=twin.row.id, dup_of=twin.row.dup_of) == twin.row:
            self._here.setdefault(place, twin)
            return twin
        if row.t is not None:
            self._times[row.thread] = row.t * 1_000
        key = f"{self._source} {row.thread} {row.id}"
        if place in self._here:
            self._clashes[place] += 1
            key = f"{key} clash {self._clashes[place]}"
        comment = _Comment(row, key, self._times.get(row.thread, 0))
        self._here.setdefault(place, comment)
        return comment

    def _make_up(self) -> None:
        """Let in the comments that are voted on and not in the trace."""
        for row in self._rows:
            if isinstance(row, VoteRow) and (row.thread, row.comment) not in self._here:
                self._admit(CommentRow(thread=row.thread, id=row.comment, t=row.at_ms // 1_000, len=_MADE_UP_LENGTH))

    # --- ids ------------------------------------------------------------------------------------------------------------------

    def _link(self) -> None:
        """Hang comments below their parents; a parent that is missing gets the time of its first child, less a millisecond."""
        lost: list[tuple[_Comment, tuple[int, int]]] = []
        times: dict[tuple[int, int], int] = {}
        for comment in self._all:
            if comment.row.parent is None:
                continue
            place = (comment.row.thread, comment.row.parent)
            comment.above = self._here.get(place)
            if comment.above is not None:
                comment.above.below.append(comment)
                continue
            lost.append((comment, place))
            times[place] = min(comment.at, times.get(place, comment.at))
        ids = {place: id_for(at - 1, f"{self._source} {place[0]} {place[1]}") for place, at in times.items()}
        for comment, place in lost:
            comment.missing = ids[place]

    def _mint(self) -> None:
        for comment in self._all:
            if comment.above is None:
                _mint_below(comment)
        for comment in self._all:
            if not comment.id:
                _mint_below(_first_of_circle(comment))

    # --- events ---------------------------------------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        """Yield the events, in the order of the rows."""
        for row, comment in zip(self._rows, self._comments, strict=True):
            if comment is not None:
                yield from self._tell(comment)
            elif isinstance(row, VoteRow):
                yield from self._vote(row)
            elif isinstance(row, EditRow | DeleteRow) and row.id in self._numbered:
                yield self._logged(row, self._numbered[row.id])

    def _tell(self, comment: _Comment) -> Iterator[Event]:
        """Yield the post, and, for the first time that the trace tells it, what happened to it."""
        yield self._posted(comment)
        if comment.told:
            return
        comment.told = True
        row = comment.row
        yield from self._reactions(comment)
        edits = min(row.edits, _MAX_EDITS) or (1 if row.edited else 0)
        for number in range(1, edits + 1):
            at = _when(row.edited, comment) if number == edits else comment.at
            yield self._edited(comment, at, f"edit {number}", row.len)
        if row.deleted:
            yield self._deleted(comment, _when(row.deleted, comment))
        if row.hidden:
            yield CommentRemoved(comment=comment.id, **self._next(comment, comment.at, "hidden", MODERATOR))

    def _next(self, comment: _Comment, at: int, deed: str, actor: Actor | None) -> dict[str, Any]:
        """Return what the next event on *comment* has in common with all others."""
        comment.latest = id_for(at, f"{comment.key} {deed}", after=comment.latest)
        return {"id": comment.latest, "thread": self._thread(comment), "actor": actor}

    def _thread(self, comment: _Comment) -> str:
        return f"{self._source}/{comment.row.thread}"

    def _posted(self, comment: _Comment) -> CommentPosted:
        row = comment.row
        at = None if row.t is None or row.t * 1_000 == time_of(comment.id) else row.t * 1_000
        return CommentPosted(
            id=comment.id,
            thread=self._thread(comment),
            actor=comment.author,
            parent=comment.missing if comment.above is None else comment.above.id,
            body=_text(comment.key, row.len),
            held=bool(row.pending),
            at=at,
            meta=None if row.kind is None else {"kind": row.kind},
        )

    def _reactions(self, comment: _Comment) -> Iterator[Event]:
        numbers = count(1)
        for kind, votes in _bounded(_votes_of(comment.row), self._voters).items():
            for number in islice(numbers, votes):
                common = self._next(comment, comment.at, f"reaction {number}", _actor(number, "voter"))
                yield ReactionGiven(comment=comment.id, kind=kind, **common)

    def _edited(self, comment: _Comment, at: int, deed: str, length: int) -> Event:
        seen = comment.text
        common = self._next(comment, at, deed, comment.author or MODERATOR)
        comment.text = comment.latest
        return CommentEdited(comment=comment.id, body=_text(f"{comment.key} {deed}", length), seen=seen, **common)

    def _deleted(self, comment: _Comment, at: int) -> Event:
        common = self._next(comment, at, "deleted", comment.author or MODERATOR)
        return (CommentDeleted if comment.author else CommentRemoved)(comment=comment.id, **common)

    def _logged(self, row: EditRow | DeleteRow, comment: _Comment) -> Event:
        if isinstance(row, EditRow):
            return self._edited(comment, row.at_ms, f"edit at {row.at_ms}", row.len)
        return self._deleted(comment, row.at_ms)

    def _vote(self, row: VoteRow) -> Iterator[Event]:
        """Yield a vote as it was cast; a pass takes back what was given, and is nothing where nothing was."""
        comment = self._here[row.thread, row.comment]
        if not comment.told:
            yield from self._tell(comment)
        voter = (comment, row.author)
        latest, given = self._votes.get(voter, (comment.id, None))
        cast = {1: UP, -1: DOWN}.get(row.vote)
        kind = cast or given
        if kind is None:
            return
        id = id_for(row.at_ms, f"{comment.key} vote {row.author} {row.at_ms}", after=latest)
        self._votes[voter] = (id, cast)
        event = ReactionWithdrawn if cast is None else ReactionGiven
        yield event(id=id, thread=self._thread(comment), actor=_actor(row.author), comment=comment.id, kind=kind)


def _mint_below(comment: _Comment) -> None:
    """Give ids to *comment* and all below it, each above its parent's."""
    waiting = [comment]
    while waiting:
        comment = waiting.pop()
        if comment.id:
            continue
        above = "" if comment.above is None else comment.above.id
        at = time_of(above) if above and comment.row.t is None else comment.at
        comment.id = comment.latest = comment.text = id_for(at, comment.key, after=above or comment.missing)
        waiting.extend(comment.below)


def _first_of_circle(comment: _Comment) -> _Comment:
    """Return the smallest of the comments that answer each other in a circle above *comment*."""
    passed = dict[_Comment, int]()
    climber: _Comment | None = comment
    while climber is not None and climber not in passed:
        passed[climber] = len(passed)
        climber = climber.above
    assert climber is not None, "what has no id hangs below a circle"
    return min(islice(passed, passed[climber], None), key=lambda member: member.row.id)


def _when(moment: int | None, comment: _Comment) -> int:
    """Return the milliseconds of a field that holds seconds, or 1 where the source did not say when."""
    return comment.at if moment is None or moment == 1 else moment * 1_000


@lru_cache(maxsize=4096)
def _actor(number: int, kind: str = "reader") -> Actor:
    return Actor(f"{kind}-{number}", f"{kind.title()} {number}")


def _votes_of(row: CommentRow) -> dict[str, int]:
    """Return how many reacted, by kind, from whichever fields the source has."""
    if row.up or row.down:
        return {UP: row.up, DOWN: row.down}
    if row.likes or row.rx:
        return {SUPPORT: row.likes, **(row.rx or {})}
    if row.reads is not None:
        return {}
    return {UP if row.score > 0 else DOWN: abs(row.score)}


def _bounded(votes: dict[str, int], most: int) -> dict[str, int]:
    total = sum(votes.values())
    return votes if total <= most else {kind: votes[kind] * most // total for kind in votes}


_WORDS: Final = (
    "the pilots say that it was a bird and the tower says that it was none of theirs while the field behind the river "
    "had been dry for weeks so what we saw that night may well have been dust or a kite or both as my neighbour holds "
)
_STARTS: Final = tuple(index for index in range(len(_WORDS)) if _WORDS[index - 1] == " ")


def _text(key: str, length: int) -> str:
    """Return a text of *length* characters that the key chooses."""
    wanted = min(length, MAX_BODY)
    start = _STARTS[zlib.crc32(key.encode()) % len(_STARTS)]
    return (_WORDS * ((start + wanted) // len(_WORDS) + 1))[start : start + wanted]


# --- a trace without a file ---------------------------------------------------------------------------------------------------


def small_thread(seed: int = 0, size: int = 60) -> list[CommentRow]:
    """
    Return the rows of one made-up thread, shaped like real ones: the same for the same arguments.

    Some comments answer the article, others a recent or an early comment; lengths and pauses are lognormal. The oddities of
    real threads are there: unknown times, replies older than what they answer, lost parents, anonymous authors, edits, deletions.
    """
    random = Random(seed)  # noqa: S311 - made-up data needs no cryptography
    rows: list[CommentRow] = []
    now = 1_700_000_000
    for number in range(1, size + 1):
        now += int(random.lognormvariate(3, 2.2))  # often 0: equal times are normal
        rows.append(
            CommentRow(
                thread=1,
                id=number,
                parent=_parent(random, number, size),
                t=None if random.random() < 0.02 else now - 90_000 * (random.random() < 0.02),
                author=None if random.random() < 0.05 else 1 + int(random.paretovariate(0.8)) % 20,
                len=1 + int(random.lognormvariate(4.5, 1.2)),
                likes=int(random.paretovariate(1)) - 1,
                edited=now + 60 if random.random() < 0.1 else None,
                deleted=now + 600 if random.random() < 0.04 else None,
                pending=int(random.random() < 0.03),
            )
        )
    return rows


def _parent(random: Random, number: int, size: int) -> int | None:
    chance = random.random()
    if number == 1 or chance < 0.35:
        return None
    if chance < 0.37:
        return size + number  # the trace does not hold it
    back = int(random.expovariate(0.3)) if chance < 0.8 else int(random.uniform(0, number - 1))
    return max(number - 1 - back, 1)
