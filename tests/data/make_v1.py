"""
Write the golden records of schema 1 and of what it lifts from schema 0: ``python tests/data/make_v1.py``.

Each line holds a record in hexadecimal and the event that it stands for, as JSON. What is written once is never written again: a
released file is the proof that old logs can still be read, so this program refuses to touch it. A new schema gets a program and a
folder of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from threadstore.model import events as e
from threadstore.model.codec import encode
from threadstore.model.ids import make_id, to_bytes
from threadstore.model.values import Actor, TextQuote

V1 = Path(__file__).parent / "v1"

THREAD = "2023/05/03/drones"
READER = Actor("u-17", "Ann Lee")
OTHER = Actor("u-18", 'Susan "Sue" Park-Holm')
MODERATOR = Actor("m-1", "The Desk", "moderator")
EDITOR = Actor("e-1", "Ed Itor", "editor")
AUTHOR = Actor("a-1", "Au Thor", "author")
SYSTEM = Actor("import", "", "system")

LONG = "All that is said twice is said once too often. " * 8  # needs a length of two bytes
WORDS = "Grüße, 世界! \N{GRINNING FACE}\n\t\N{RIGHT-TO-LEFT OVERRIDE}e\N{COMBINING ACUTE ACCENT}é"


def nth(number: int) -> str:
    """Return the id of the event with this number."""
    return make_id(1_683_100_800_000 + 1_000 * number, number % 4096, 0x0123_4567_89AB_CDEF * number % (1 << 62))


def events() -> Iterator[e.Event]:
    """Yield events of every kind: the least that can be said, the most, and what lies at an edge."""
    number = count(100)

    def make(kind: type[e.Event], actor: Actor | None = READER, /, **fields: Any) -> e.Event:
        return kind(id=nth(next(number)), thread=THREAD, actor=actor, **fields)

    yield make(e.CommentPosted, body="I was there.")
    yield make(e.CommentPosted, None, body="So was I.", parent=nth(1))
    yield make(e.CommentPosted, OTHER, body="@Ann Lee", parent=nth(1), spoiler=True)
    yield make(e.CommentPosted, body=WORDS, held=True, meta={"web": "https://ann.example", "avatar": "d41d8cd9"})
    yield make(e.CommentPosted, SYSTEM, body=LONG, parent=nth(2), spoiler=True, held=True, at=1_683_100_800_001)
    yield make(
        e.CommentPosted, SYSTEM, body="", at=-86_400_000, meta={"z": "1", "ä": "2", "\uffff": "3", "\N{GRINNING FACE}": ""}
    )
    yield make(e.CommentPosted, Actor("u-17"), body="")
    yield e.CommentPosted(id=make_id(0, 0, 0), thread="t", body="the first id there is", at=-(2**53))
    yield e.CommentPosted(id=make_id((1 << 48) - 1, 4095, (1 << 62) - 1), thread="ü" * 1_000, body="the last", at=2**53)
    yield make(e.CommentEdited, comment=nth(1), body="I was there, twice.")
    yield make(e.CommentEdited, MODERATOR, comment=nth(1), body=WORDS, seen=nth(3))
    yield make(e.CommentDeleted, comment=nth(1))
    yield make(e.CommentErased, MODERATOR, comment=nth(1))
    yield make(e.PersonErased, SYSTEM, person="u-17")
    yield make(e.CommentRemoved, MODERATOR, comment=nth(1))
    yield make(e.CommentRemoved, MODERATOR, comment=nth(1), reason="off topic")
    yield make(e.CommentRestored, MODERATOR, comment=nth(1))
    yield make(e.CommentRestored, MODERATOR, comment=nth(1), cancels=(nth(4), nth(5)), seen=nth(3))
    yield make(e.CommentHeld, SYSTEM, comment=nth(1))
    yield make(e.CommentHeld, SYSTEM, comment=nth(1), reason="three reports")
    yield make(e.CommentApproved, MODERATOR, comment=nth(1))
    yield make(e.CommentApproved, MODERATOR, comment=nth(1), cancels=tuple(map(nth, range(4, 24))), seen=nth(3))
    yield make(e.CommentReported, None, comment=nth(1))
    yield make(e.CommentReported, OTHER, comment=nth(1), reason="rude", seen=nth(3))
    yield make(e.ReportsResolved, MODERATOR, comment=nth(1))
    yield make(e.ReportsResolved, MODERATOR, comment=nth(1), cancels=(nth(6),))
    yield make(e.SpoilerMarked, comment=nth(1))
    yield make(e.SpoilerCleared, comment=nth(1))
    yield make(e.SpoilerCleared, MODERATOR, comment=nth(1), cancels=(nth(7), nth(8)))
    yield make(e.CommentPinned, MODERATOR, comment=nth(1))
    yield make(e.CommentUnpinned, MODERATOR, comment=nth(1))
    yield make(e.CommentUnpinned, MODERATOR, comment=nth(1), cancels=(nth(9),))
    yield make(e.ReactionGiven, comment=nth(1))
    yield make(e.ReactionGiven, OTHER, comment=nth(1), kind="\N{THUMBS UP SIGN}")
    yield make(e.ReactionWithdrawn, comment=nth(1))
    yield make(e.ReactionWithdrawn, OTHER, comment=nth(1), kind="down")
    yield make(e.ThreadLocked, MODERATOR)
    yield make(e.ThreadLocked, MODERATOR, reason="all is said")
    yield make(e.ThreadUnlocked, MODERATOR)
    yield make(e.ThreadUnlocked, MODERATOR, cancels=(nth(10),))
    yield make(e.ThreadDescribed, SYSTEM)
    yield make(e.ThreadDescribed, AUTHOR, title="Drones", url="https://news.example/2023/05/03/drones", article_version="v1")
    yield make(e.ThreadDescribed, EDITOR, title="Drones, again")
    yield make(e.CorrectionSuggested, quote=TextQuote("teh"), suggestion="the")
    yield make(
        e.CorrectionSuggested,
        quote=TextQuote("there house", "They left ", ", and", 70_000),
        suggestion="their house",
        note="a slip",
        article_version="v1",
    )
    yield make(e.CorrectionDecided, EDITOR, correction=nth(11), outcome="accepted")
    yield make(e.CorrectionDecided, EDITOR, correction=nth(11), outcome="declined", note="the house is there")
    yield make(e.CorrectionDecided, MODERATOR, correction=nth(11), outcome="reopened")
    # What a newer release may write: a field more, whatever it holds, and kinds of its own.
    nested = msgspec.msgpack.encode([1.5, float("nan"), {"a": [None, {"b": b"\0"}]}, msgspec.msgpack.Ext(5, b"ext")])
    yield make(e.CommentPosted, body="from tomorrow", extra=(b"\xc3",))
    yield make(e.CommentDeleted, comment=nth(1), extra=(nested, b"\xca\x7f\xc0\x00\x00", b"\xcc\x01", b"\xa1\xff"))
    yield make(e.UnknownEvent, kind="comment.boosted", schema=1)
    yield make(
        e.UnknownEvent, None, kind="poll.opened", schema=7, extra=(nested, b"\x81\x91\x01\x80", b"\xd6\xff\x00\x00\x00\x00")
    )


def old_records() -> Iterator[tuple[list[Any], e.Event]]:
    """Yield records of schema 0, whose approvals, restores and reports did not say which text they were about."""
    number = count(200)

    def make(kind: type[e.Event], /, *fields: Any, **lifted: Any) -> tuple[list[Any], e.Event]:
        id = nth(next(number))
        event = kind(id=id, thread=THREAD, actor=MODERATOR, comment=nth(1), **lifted)
        return [event.kind_tag, 0, to_bytes(id), THREAD, MODERATOR, to_bytes(nth(1)), *fields], event

    marks = [to_bytes(nth(4)), to_bytes(nth(5))]
    yield make(e.CommentApproved)
    yield make(e.CommentApproved, marks, cancels=(nth(4), nth(5)))
    yield make(e.CommentRestored)
    yield make(e.CommentRestored, marks, cancels=(nth(4), nth(5)))
    yield make(e.CommentReported)
    yield make(e.CommentReported, "rude", reason="rude")
    yield make(e.CommentHeld, "three reports", reason="three reports")
    yield make(e.SpoilerMarked)


def write(path: Path, records: Iterable[tuple[bytes, e.Event]]) -> None:
    """Write *records* to *path*, which must not exist."""
    lines = [f"{record.hex()} {msgspec.json.encode(event).decode()}\n" for record, event in records]
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


def main(folder: Path = V1) -> None:
    """Write both files of the corpus."""
    write(folder / "schema-1.txt", ((encode(event), event) for event in events()))
    write(folder / "schema-0.txt", ((msgspec.msgpack.encode(record), event) for record, event in old_records()))


if __name__ == "__main__":
    main()
