"""
Facts in short words: the *given* of a test.

A number stands for an id: fact 3 happened three seconds into the story, and `id_of(3)` is its id. Every builder takes the
fact's own number first and then the number of what it is about, so a story reads from top to bottom and its order is plain::

    story = posted(1), posted(2, to=1, by=BOB), removed(3, 1), restored(4, 1, cancels=[3])

Where a number stands, an id may stand as well. A text that is not given is made of the fact's number, as in ``"w17"``, so one
that leaks can be traced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from threadstore.model.events import (
    CommentApproved,
    CommentDeleted,
    CommentEdited,
    CommentErased,
    CommentHeld,
    CommentPinned,
    CommentPosted,
    CommentRemoved,
    CommentReported,
    CommentRestored,
    CommentUnpinned,
    CorrectionDecided,
    CorrectionSuggested,
    Outcome,
    PersonErased,
    ReactionGiven,
    ReactionWithdrawn,
    ReportsResolved,
    SpoilerCleared,
    SpoilerMarked,
    ThreadDescribed,
    ThreadLocked,
    ThreadUnlocked,
)
from threadstore.model.ids import make_id, random_bits
from threadstore.model.values import SUPPORT, Actor, TextQuote

__all__ = [
    "ANN",
    "AUTHOR",
    "BOB",
    "CYD",
    "EDITOR",
    "EPOCH",
    "MODERATOR",
    "SYSTEM",
    "THREAD",
    "Number",
    "approved",
    "cleared",
    "decided",
    "deleted",
    "described",
    "edited",
    "erased",
    "held",
    "id_of",
    "locked",
    "marked",
    "moment",
    "number_of",
    "person_erased",
    "pinned",
    "posted",
    "reacted",
    "removed",
    "reported",
    "resolved",
    "restored",
    "suggested",
    "unlocked",
    "unpinned",
    "unreacted",
]

#: A fact's number in its story, or its whole id.
Number = int | str

THREAD: Final = "2023/05/03/drones"

#: When every story begins, in Unix milliseconds.
EPOCH: Final = 1_700_000_000_000

ANN: Final = Actor("ann", "Ann Lee")
BOB: Final = Actor("bob", "Bob")
CYD: Final = Actor("cyd", "Cyd")
AUTHOR: Final = Actor("joy", "Joy", "author")
EDITOR: Final = Actor("eda", "Eda", "editor")
MODERATOR: Final = Actor("mo", "Mo", "moderator")
SYSTEM: Final = Actor("app", "", "system")


def moment(number: int) -> int:
    """Return when fact *number* happened, in Unix milliseconds."""
    return EPOCH + 1_000 * number


def id_of(number: Number) -> str:
    """
    Return the id of fact *number*; an id is returned as it is.

    >>> id_of(2) < id_of(10)
    True
    """
    return number if isinstance(number, str) else make_id(moment(number), 0, number)


def number_of(id: str) -> int:
    """
    Return the number of the fact with this *id*; 0 for the nil id.

    >>> number_of(id_of(7))
    7
    """
    return random_bits(id)


def _ids(numbers: Iterable[Number]) -> tuple[str, ...]:
    return tuple(map(id_of, numbers))


def _seen(number: Number | None) -> str:
    return "" if number is None else id_of(number)


def _text(number: Number, text: str | None) -> str:
    return f"w{number}" if text is None else text


# --- comments -----------------------------------------------------------------------------------------------------------------


def posted(
    number: Number,
    body: str | None = None,
    *,
    to: Number | None = None,
    by: Actor | None = ANN,
    spoiler: bool = False,
    held: bool = False,
    at: int | None = None,
    meta: Mapping[str, str] | None = None,
) -> CommentPosted:
    """Return: *by* said *body*, in answer to the comment *to*."""
    return CommentPosted(
        id=id_of(number),
        thread=THREAD,
        actor=by,
        parent=None if to is None else id_of(to),
        body=_text(number, body),
        spoiler=spoiler,
        held=held,
        at=at,
        meta=None if meta is None else dict(meta),
    )


def edited(
    number: Number, comment: Number, body: str | None = None, *, by: Actor | None = ANN, seen: Number | None = None
) -> CommentEdited:
    """Return: *by*, who had the text *seen* in front of them, gave *comment* another body."""
    body = _text(number, body)
    return CommentEdited(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), body=body, seen=_seen(seen))


def deleted(number: Number, comment: Number, *, by: Actor | None = ANN) -> CommentDeleted:
    """Return: *by* took *comment* back."""
    return CommentDeleted(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment))


def erased(number: Number, comment: Number, *, by: Actor | None = MODERATOR) -> CommentErased:
    """Return: *by* had every text of *comment* forgotten."""
    return CommentErased(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment))


def person_erased(number: Number, person: Actor, *, by: Actor | None = MODERATOR) -> PersonErased:
    """Return: *by* had every text forgotten that *person* had written."""
    return PersonErased(id=id_of(number), thread=THREAD, actor=by, person=person.id)


# --- moderation ---------------------------------------------------------------------------------------------------------------


def removed(number: Number, comment: Number, reason: str | None = None, *, by: Actor | None = MODERATOR) -> CommentRemoved:
    """Return: *by* took *comment* down."""
    reason = _text(number, reason)
    return CommentRemoved(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), reason=reason)


def restored(
    number: Number,
    comment: Number,
    *,
    cancels: Iterable[Number],
    by: Actor | None = MODERATOR,
    seen: Number | None = None,
) -> CommentRestored:
    """Return: *by* put *comment* back with the text *seen*, having seen the removals *cancels*."""
    return CommentRestored(
        id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), cancels=_ids(cancels), seen=_seen(seen)
    )


def held(number: Number, comment: Number, reason: str | None = None, *, by: Actor | None = MODERATOR) -> CommentHeld:
    """Return: *by* let *comment* wait for a moderator."""
    reason = _text(number, reason)
    return CommentHeld(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), reason=reason)


def approved(
    number: Number,
    comment: Number,
    *,
    cancels: Iterable[Number],
    by: Actor | None = MODERATOR,
    seen: Number | None = None,
) -> CommentApproved:
    """Return: *by* let *comment* through with the text *seen*, having seen the holds (and past removals) *cancels*."""
    return CommentApproved(
        id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), cancels=_ids(cancels), seen=_seen(seen)
    )


def reported(
    number: Number,
    comment: Number,
    reason: str | None = None,
    *,
    by: Actor | None = BOB,
    seen: Number | None = None,
) -> CommentReported:
    """Return: *by* asked a moderator to look at *comment*, having the text *seen* in front of them."""
    reason = _text(number, reason)
    return CommentReported(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), reason=reason, seen=_seen(seen))


def resolved(number: Number, comment: Number, *, cancels: Iterable[Number], by: Actor | None = MODERATOR) -> ReportsResolved:
    """Return: *by* answered the reports *cancels* on *comment*."""
    return ReportsResolved(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), cancels=_ids(cancels))


def marked(number: Number, comment: Number, *, by: Actor | None = ANN) -> SpoilerMarked:
    """Return: *by* said that *comment* gives something away."""
    return SpoilerMarked(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment))


def cleared(number: Number, comment: Number, *, cancels: Iterable[Number], by: Actor | None = ANN) -> SpoilerCleared:
    """Return: *by* said that *comment* gives nothing away after all, having seen the marks *cancels*."""
    return SpoilerCleared(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), cancels=_ids(cancels))


def pinned(number: Number, comment: Number, *, by: Actor | None = MODERATOR) -> CommentPinned:
    """Return: *by* put *comment* at the head of the thread."""
    return CommentPinned(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment))


def unpinned(number: Number, comment: Number, *, cancels: Iterable[Number], by: Actor | None = MODERATOR) -> CommentUnpinned:
    """Return: *by* let *comment* go back to its place, having seen the pins *cancels*."""
    return CommentUnpinned(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), cancels=_ids(cancels))


# --- reactions ----------------------------------------------------------------------------------------------------------------


def reacted(number: Number, comment: Number, kind: str = SUPPORT, *, by: Actor | None = BOB) -> ReactionGiven:
    """Return: *by* reacted to *comment*."""
    return ReactionGiven(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), kind=kind)


def unreacted(number: Number, comment: Number, kind: str = SUPPORT, *, by: Actor | None = BOB) -> ReactionWithdrawn:
    """Return: *by* took a reaction to *comment* back."""
    return ReactionWithdrawn(id=id_of(number), thread=THREAD, actor=by, comment=id_of(comment), kind=kind)


# --- the thread ---------------------------------------------------------------------------------------------------------------


def locked(number: Number, reason: str | None = None, *, by: Actor | None = MODERATOR) -> ThreadLocked:
    """Return: *by* ended the conversation."""
    return ThreadLocked(id=id_of(number), thread=THREAD, actor=by, reason=_text(number, reason))


def unlocked(number: Number, *, cancels: Iterable[Number], by: Actor | None = MODERATOR) -> ThreadUnlocked:
    """Return: *by* opened the conversation again, having seen the locks *cancels*."""
    return ThreadUnlocked(id=id_of(number), thread=THREAD, actor=by, cancels=_ids(cancels))


def described(
    number: Number, title: str | None = None, url: str = "", *, by: Actor | None = AUTHOR, article_version: str = ""
) -> ThreadDescribed:
    """Return: *by* said what the thread is about."""
    return ThreadDescribed(
        id=id_of(number),
        thread=THREAD,
        actor=by,
        title=_text(number, title),
        url=url,
        article_version=article_version,
    )


# --- corrections --------------------------------------------------------------------------------------------------------------


def suggested(
    number: Number,
    suggestion: str | None = None,
    *,
    by: Actor | None = ANN,
    quote: str = "teh",
    note: str = "",
    article_version: str = "v1",
) -> CorrectionSuggested:
    """Return: *by* proposed another wording for the passage *quote*."""
    return CorrectionSuggested(
        id=id_of(number),
        thread=THREAD,
        actor=by,
        quote=TextQuote(quote),
        suggestion=_text(number, suggestion),
        note=note,
        article_version=article_version,
    )


def decided(
    number: Number,
    correction: Number,
    outcome: Outcome = "accepted",
    note: str | None = None,
    *,
    by: Actor | None = EDITOR,
) -> CorrectionDecided:
    """Return: *by* accepted or declined *correction*, or reopened it."""
    note = _text(number, note)
    return CorrectionDecided(id=id_of(number), thread=THREAD, actor=by, correction=id_of(correction), outcome=outcome, note=note)
