"""
The facts, and the table that says which registers each of them writes.

Every event says what happened, is immutable, and carries `id`, `thread` and `actor` (None for an anonymous one). Its wire tag is
written out, so renaming a class never migrates data. Construction checks every field: an event that exists is well formed.

A **skeleton** is all of an event but its free text (body, name, reason, note, quote, suggestion, title, meta). Identity, conflict
and digest look at skeletons only; `redact` returns an event that is nothing but its skeleton. So a full and a redacted copy of
one fact are the same fact, and erasing somebody's words never changes what happened.

The state of a thread is made of cells, each a mapping of keys to events. Three shapes of cell, and `REGISTERS` says which event
goes where:

========  ============================================================  =================================
shape     of several facts under one key                                used for
========  ============================================================  =================================
ONCE      the smallest id stays                                         posted, suggested, deleted, erased
LATEST    the largest id stays                                          edits, reactions, decisions, …
FLAG      nothing is ever evicted: the keys are the facts' own          marks, and the cancels that name them
========  ============================================================  =================================

A key holds all that authority is judged by: `writer` is the actor's id and role, so an event can only evict its equals. A forged
later edit by somebody else lands under another key, where the view ignores it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final, Literal, NamedTuple, TypeVar, get_args

from msgspec import MsgspecError, Raw, Struct
from msgspec.msgpack import Decoder
from msgspec.structs import force_setattr

from threadstore.model.ids import check_id
from threadstore.model.values import (
    MAX_ACTOR_ID,
    MAX_AT,
    MAX_BODY,
    MAX_CANCELS,
    MAX_EXTRA,
    MAX_KIND,
    MAX_META_ITEMS,
    MAX_META_KEY,
    MAX_META_VALUE,
    MAX_NOTE,
    MAX_QUOTE,
    MAX_TAG,
    MAX_THREAD_KEY,
    MAX_URL,
    MAX_VERSION,
    SUPPORT,
    Actor,
    TextQuote,
    Writer,
    check_choice,
    check_int,
    check_key,
    check_text,
)

__all__ = [
    "REGISTERS",
    "CommentApproved",
    "CommentDeleted",
    "CommentEdited",
    "CommentErased",
    "CommentHeld",
    "CommentPinned",
    "CommentPosted",
    "CommentRemoved",
    "CommentReported",
    "CommentRestored",
    "CommentUnpinned",
    "CorrectionDecided",
    "CorrectionSuggested",
    "Event",
    "PersonErased",
    "ReactionGiven",
    "ReactionWithdrawn",
    "ReportsResolved",
    "Shape",
    "SpoilerCleared",
    "SpoilerMarked",
    "ThreadDescribed",
    "ThreadLocked",
    "ThreadUnlocked",
    "UnknownEvent",
    "Write",
]

_one_object = Decoder(Raw).decode


class Event(Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """
    A fact. The base of all kinds; only its subclasses are made.

    Args:
        id: The event's own id, a UUIDv7.
        thread: The key of the conversation, which never changes.
        actor: Who did it, or None for an anonymous actor.
        extra: Fields that a newer release wrote, as they came; empty for events made here.
    """

    id: str
    thread: str
    actor: Actor | None = None
    extra: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        _check_event(self)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def kind_tag(self) -> str:
        """The wire tag, such as ``"comment.posted"``."""
        return str(self.__struct_config__.tag)

    @property
    def writer(self) -> Writer | None:
        """The actor's id and role: all that authority is judged by. None for an anonymous actor."""
        return None if self.actor is None else (self.actor.id, self.actor.role)

    @property
    def target(self) -> str:
        """What the event is about: a comment's or a correction's id, or ``""`` for the thread as a whole."""
        return ""


# Checks are functions that each kind calls at once: a chain of super() would cost more than what it checks.


def _check_event(event: Event) -> None:
    check_id(event.id)
    check_key(event.thread, "thread", MAX_THREAD_KEY)
    if event.actor is not None and type(event.actor) is not Actor:
        raise TypeError(f"actor must be an Actor or None, not {type(event.actor).__name__}")
    if event.extra != ():
        _check_extra(event.extra)


def _check_extra(extra: tuple[bytes, ...]) -> None:
    if type(extra) is not tuple or not all(type(field) is bytes for field in extra):
        raise TypeError("extra must be a tuple of bytes")
    if sum(map(len, extra)) > MAX_EXTRA:
        raise ValueError(f"extra has more than the {MAX_EXTRA} bytes that the format allows")
    try:
        for field in extra:
            _one_object(field)
    except (MsgspecError, RecursionError) as error:
        raise ValueError(f"extra holds what is not one MessagePack object: {error}") from error


def _check_on_comment(event: _OnComment) -> None:
    _check_event(event)
    check_id(event.comment, "comment")


def _set_cancels(event: Event, cancels: Iterable[str]) -> None:
    """Give the ids one canonical form: a sorted tuple without repeats."""
    if isinstance(cancels, str):
        raise TypeError("cancels must be several ids, not one str")
    ids = tuple(sorted({check_id(id, "a cancelled id") for id in cancels}))
    if len(ids) > MAX_CANCELS:
        raise ValueError(f"cancels names {len(ids)} marks where the format allows {MAX_CANCELS}")
    force_setattr(event, "cancels", ids)


def _set_seen(event: _OnComment, seen: str) -> None:
    """Whoever saw no edit saw the comment itself."""
    force_setattr(event, "seen", event.comment if seen == "" else check_id(seen, "seen"))


class _OnComment(Event, frozen=True, kw_only=True):
    comment: str

    def __post_init__(self) -> None:
        _check_on_comment(self)

    @property
    def target(self) -> str:
        """The comment, or the correction."""
        return self.comment


class _WithReason(_OnComment, frozen=True, kw_only=True):
    reason: str = ""

    def __post_init__(self) -> None:
        _check_on_comment(self)
        check_text(self.reason, "reason", MAX_NOTE)


class _Cancel(_OnComment, frozen=True, kw_only=True):
    cancels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_on_comment(self)
        _set_cancels(self, self.cancels)


class _Opening(_Cancel, frozen=True, kw_only=True):
    seen: str = ""

    def __post_init__(self) -> None:
        _check_on_comment(self)
        _set_cancels(self, self.cancels)
        _set_seen(self, self.seen)


# --- comments -----------------------------------------------------------------------------------------------------------------


class CommentPosted(Event, frozen=True, kw_only=True, tag="comment.posted"):
    """
    Somebody said something. The event's id is the comment's id.

    Args:
        parent: The comment that this one answers; None at the top level.
        body: The text.
        spoiler: Raises the spoiler flag with the event's own id as the mark.
        held: Raises the held flag likewise: it waits for a moderator.
        at: The time to show, in Unix milliseconds, where it differs from the id's (imports); None where it does not.
        meta: A few strings of the application's (a website, the hash of an avatar); they are erased with the text.
    """

    parent: str | None = None
    body: str
    spoiler: bool = False
    held: bool = False
    at: int | None = None
    meta: dict[str, str] | None = None

    def __post_init__(self) -> None:
        _check_event(self)
        if self.parent is not None:
            check_id(self.parent, "parent")
        check_text(self.body, "body", MAX_BODY)
        if not (type(self.spoiler) is type(self.held) is bool):
            raise TypeError("spoiler and held must be bools")
        if self.at is not None:
            check_int(self.at, "at", -MAX_AT)
        if self.meta is not None:
            force_setattr(self, "meta", _checked_meta(self.meta))

    @property
    def target(self) -> str:
        """The comment, which bears the event's own id."""
        return self.id


def _checked_meta(meta: Mapping[str, str]) -> dict[str, str] | None:
    """Return a copy of *meta*, which the caller cannot change behind the event's back; None when it is empty."""
    if type(meta) is not dict and not isinstance(meta, Mapping):  # the second test takes 0.2 µs
        raise TypeError(f"meta must map str to str, not be a {type(meta).__name__}")
    if len(meta) > MAX_META_ITEMS:
        raise ValueError(f"meta has {len(meta)} items where the format allows {MAX_META_ITEMS}")
    for key, value in meta.items():
        check_key(key, "a key of meta", MAX_META_KEY)
        check_text(value, "a value of meta", MAX_META_VALUE)
    return dict(sorted(meta.items())) or None


class CommentEdited(_OnComment, frozen=True, kw_only=True, tag="comment.edited"):
    """The text of a comment was rewritten by someone who had the text *seen* before them (the comment's id if unedited)."""

    body: str
    seen: str = ""

    def __post_init__(self) -> None:
        _check_on_comment(self)
        check_text(self.body, "body", MAX_BODY)
        _set_seen(self, self.seen)


class CommentDeleted(_OnComment, frozen=True, kw_only=True, tag="comment.deleted"):
    """The author took the comment back, for good."""


class CommentErased(_OnComment, frozen=True, kw_only=True, tag="comment.erased"):
    """Every text of the comment is to be forgotten, for good."""


class PersonErased(Event, frozen=True, kw_only=True, tag="person.erased"):
    """Every text that the actor with the id *person* wrote in this thread before this event is to be forgotten, for good."""

    person: str

    def __post_init__(self) -> None:
        _check_event(self)
        check_key(self.person, "person", MAX_ACTOR_ID)


# --- moderation ---------------------------------------------------------------------------------------------------------------


class CommentRemoved(_WithReason, frozen=True, kw_only=True, tag="comment.removed"):
    """A moderator took the comment (or the correction) down. The event's id is the mark."""


class CommentRestored(_Opening, frozen=True, kw_only=True, tag="comment.restored"):
    """A moderator put the comment back, with the text *seen*. *cancels* names the removals that were seen."""


class CommentHeld(_WithReason, frozen=True, kw_only=True, tag="comment.held"):
    """The comment waits for a moderator before the public sees it."""


class CommentApproved(_Opening, frozen=True, kw_only=True, tag="comment.approved"):
    """A moderator let the comment through, with the text *seen*. *cancels* names the holds (and past removals) that were seen."""


class CommentReported(_WithReason, frozen=True, kw_only=True, tag="comment.reported"):
    """A reader asked for a moderator, having seen the text *seen*."""

    seen: str = ""

    def __post_init__(self) -> None:
        _check_on_comment(self)
        check_text(self.reason, "reason", MAX_NOTE)
        _set_seen(self, self.seen)


class ReportsResolved(_Cancel, frozen=True, kw_only=True, tag="reports.resolved"):
    """A moderator answered the reports named in *cancels*."""


class SpoilerMarked(_OnComment, frozen=True, kw_only=True, tag="spoiler.marked"):
    """The comment gives something away, so its body is withheld until a reader asks for it."""


class SpoilerCleared(_Cancel, frozen=True, kw_only=True, tag="spoiler.cleared"):
    """The comment gives nothing away after all; *cancels* names the spoiler marks that were seen."""


class CommentPinned(_OnComment, frozen=True, kw_only=True, tag="comment.pinned"):
    """A moderator put the comment at the head of the thread."""


class CommentUnpinned(_Cancel, frozen=True, kw_only=True, tag="comment.unpinned"):
    """A moderator let the comment go back to its place."""


# --- reactions ----------------------------------------------------------------------------------------------------------------


class _Reaction(_OnComment, frozen=True, kw_only=True):
    kind: str = SUPPORT

    def __post_init__(self) -> None:
        _check_on_comment(self)
        check_key(self.kind, "kind", MAX_KIND)


class ReactionGiven(_Reaction, frozen=True, kw_only=True, tag="reaction.given"):
    """An actor reacted to a comment, say with "I support"."""


class ReactionWithdrawn(_Reaction, frozen=True, kw_only=True, tag="reaction.withdrawn"):
    """An actor took a reaction back."""


# --- the thread ---------------------------------------------------------------------------------------------------------------


class ThreadLocked(Event, frozen=True, kw_only=True, tag="thread.locked"):
    """A moderator ended the conversation. The event's id is the mark."""

    reason: str = ""

    def __post_init__(self) -> None:
        _check_event(self)
        check_text(self.reason, "reason", MAX_NOTE)


class ThreadUnlocked(Event, frozen=True, kw_only=True, tag="thread.unlocked"):
    """A moderator opened the conversation again; *cancels* names the locks that were seen."""

    cancels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_event(self)
        _set_cancels(self, self.cancels)


class ThreadDescribed(Event, frozen=True, kw_only=True, tag="thread.described"):
    """The application says what the thread is about: the article's title, address and version."""

    title: str = ""
    url: str = ""
    article_version: str = ""

    def __post_init__(self) -> None:
        _check_event(self)
        check_text(self.title, "title", MAX_NOTE)
        check_text(self.url, "url", MAX_URL)
        check_text(self.article_version, "article_version", MAX_VERSION)


# --- corrections --------------------------------------------------------------------------------------------------------------


class CorrectionSuggested(Event, frozen=True, kw_only=True, tag="correction.suggested"):
    """A reader highlighted a passage of the article and proposed another wording. The event's id is the correction's id."""

    quote: TextQuote
    suggestion: str
    note: str = ""
    article_version: str = ""

    def __post_init__(self) -> None:
        _check_event(self)
        if type(self.quote) is not TextQuote:
            raise TypeError(f"quote must be a TextQuote, not {type(self.quote).__name__}")
        check_text(self.suggestion, "suggestion", MAX_QUOTE)
        check_text(self.note, "note", MAX_NOTE)
        check_text(self.article_version, "article_version", MAX_VERSION)

    @property
    def target(self) -> str:
        """The correction, which bears the event's own id."""
        return self.id


Outcome = Literal["accepted", "declined", "reopened"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class CorrectionDecided(Event, frozen=True, kw_only=True, tag="correction.decided"):
    """An editor accepted or declined a correction, or took the decision back."""

    correction: str
    outcome: Outcome
    note: str = ""

    def __post_init__(self) -> None:
        _check_event(self)
        check_id(self.correction, "correction")
        check_choice(self.outcome, "outcome", OUTCOMES)
        check_text(self.note, "note", MAX_NOTE)

    @property
    def target(self) -> str:
        """The correction."""
        return self.correction


class UnknownEvent(Event, frozen=True, kw_only=True, tag="unknown"):
    """
    A fact of a kind that a newer release wrote: kept and passed on as it came, skipped by the fold.

    Args:
        kind: Its wire tag.
        schema: Its schema, as written.
    """

    kind: str
    schema: int

    def __post_init__(self) -> None:
        _check_event(self)
        check_key(self.kind, "kind", MAX_TAG)
        check_int(self.schema, "schema", 0)
        if self.kind in _TAGS:
            raise ValueError(f"{self.kind!r} is a kind that this release knows")

    @property
    def kind_tag(self) -> str:
        """The wire tag, as it came."""
        return self.kind


# --- the table ----------------------------------------------------------------------------------------------------------------


class Shape(Enum):
    """How a cell chooses between facts under one key; `threadstore.model.registers` has the joins."""

    ONCE = "once"
    LATEST = "latest"
    FLAG = "flag"


Key = tuple[Any, ...]
E = TypeVar("E", bound="Event")


class Write(NamedTuple):
    """One register that an event writes: the cell's name, its shape, the key within it, and when it is written (None: always)."""

    cell: str
    shape: Shape
    key: Callable[[Any], Key]
    when: Callable[[Any], bool] | None = None


def _own(event: Event) -> Key:
    return (event.id,)


def _by_writer(event: Event) -> Key:
    return (event.writer,)


def _by_reaction(event: _Reaction) -> Key:
    return (None if event.actor is None else event.actor.id, event.kind)


def _by_person(event: PersonErased) -> Key:
    return (event.person, event.writer)


def _own_by_writer(event: Event) -> Key:
    """Return a key that a forged duplicate id does not share: under the id alone it would evict a moderator's mark."""
    return (event.id, event.writer)


def _mark(cell: str, when: Callable[[Any], bool] | None = None) -> Write:
    return Write(cell, Shape.FLAG, _own_by_writer, when)


def _cancel(cell: str) -> Write:
    return Write(f"{cell}.cancel", Shape.FLAG, _own_by_writer)


REGISTERS: Final[Mapping[type[Event], tuple[Write, ...]]] = {
    CommentPosted: (
        Write("posted", Shape.ONCE, _own),
        _mark("spoiler", when=lambda event: bool(event.spoiler)),
        _mark("held", when=lambda event: bool(event.held)),
    ),
    CommentEdited: (Write("edited", Shape.LATEST, _by_writer),),
    CommentDeleted: (Write("deleted", Shape.ONCE, _by_writer),),
    CommentErased: (Write("erased", Shape.ONCE, _by_writer),),
    PersonErased: (Write("person", Shape.LATEST, _by_person),),
    CommentRemoved: (_mark("removed"),),
    CommentRestored: (_cancel("removed"),),
    CommentHeld: (_mark("held"),),
    CommentApproved: (_cancel("held"),),
    CommentReported: (_mark("reported"),),
    ReportsResolved: (_cancel("reported"),),
    SpoilerMarked: (_mark("spoiler"),),
    SpoilerCleared: (_cancel("spoiler"),),
    CommentPinned: (_mark("pinned"),),
    CommentUnpinned: (_cancel("pinned"),),
    ReactionGiven: (Write("reaction", Shape.LATEST, _by_reaction),),
    ReactionWithdrawn: (Write("reaction", Shape.LATEST, _by_reaction),),
    ThreadLocked: (_mark("locked"),),
    ThreadUnlocked: (_cancel("locked"),),
    ThreadDescribed: (Write("described", Shape.LATEST, _by_writer),),
    CorrectionSuggested: (Write("suggested", Shape.ONCE, _own),),
    CorrectionDecided: (Write("decided", Shape.LATEST, _by_writer),),
    UnknownEvent: (),
}

#: What no `UnknownEvent` may be called: its bytes would be read as something that it is not.
_TAGS: Final = frozenset(str(kind.__struct_config__.tag) for kind in REGISTERS if kind is not UnknownEvent)
