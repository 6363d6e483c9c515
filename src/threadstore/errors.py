"""
Every error that threadstore raises, by blame.

::

    ThreadStoreError
    ├─ Rejected                    the rules forbid it: `.code` is stable, a retry changes nothing
    │  ├─ CommentNotFound          no such comment in this thread
    │  ├─ CorrectionNotFound       no such correction in this thread
    │  ├─ NotTheAuthor             only the author (or a moderator) may do this
    │  ├─ NotAllowed               the actor's role, or the application's `may` hook, forbids it
    │  ├─ ThreadIsLocked           a moderator has ended the conversation
    │  ├─ ThreadIsClosed           the conversation has ended by itself, by age
    │  ├─ EditWindowClosed         too late to edit
    │  ├─ CommentIsGone            the comment was deleted, removed or erased
    │  ├─ EmptyBody                a text that must say something says nothing
    │  ├─ BodyTooLong              a text is over its bound
    │  ├─ UnsafeText               a text holds NUL or a lone surrogate (also a ValueError)
    │  ├─ TooManyPosts             the actor posts faster than the flood limit allows
    │  ├─ DuplicateComment         the actor has just said the same
    │  ├─ UnknownReaction          this kind of reaction is not offered here
    │  ├─ RefusedByScreen          the application's `screen` hook refused the text
    │  └─ StaleId                  the id given is not above all that it refers to
    ├─ StoreError                  the environment
    │  ├─ WrongRevision            somebody else wrote first
    │  ├─ ConflictingEvent         another fact already bears this id
    │  ├─ ClockSkew                the id lies further in the future than clocks may differ
    │  ├─ MergeRefused             some of a merge's events were refused; the others are stored
    │  ├─ StoreClosed              the store was closed
    │  ├─ StoreUnavailable         the target cannot be opened, read or written
    │  └─ StoreFull                no room left on the device
    ├─ DataError                   what is on disk or on the wire
    │  ├─ CorruptRecord            bytes that are no event
    │  ├─ UnsupportedSchema        written by a newer release
    │  └─ UpcastFailed             an old record could not be lifted to today's schema
    └─ InvalidCursor               a cursor that is malformed, or made for another listing

Misuse of the interface itself (a wrong type, an argument out of range, an event of another thread) is a plain `TypeError` or
`ValueError`. Each error's fields are attributes and its positional ``args``, so errors survive pickling; ``str()`` states the
facts and one next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "BodyTooLong",
    "ClockSkew",
    "CommentIsGone",
    "CommentNotFound",
    "ConflictingEvent",
    "CorrectionNotFound",
    "CorruptRecord",
    "DataError",
    "DuplicateComment",
    "EditWindowClosed",
    "EmptyBody",
    "InvalidCursor",
    "MergeRefused",
    "NotAllowed",
    "NotTheAuthor",
    "RefusedByScreen",
    "Rejected",
    "StaleId",
    "StoreClosed",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "ThreadIsClosed",
    "ThreadIsLocked",
    "ThreadStoreError",
    "TooManyPosts",
    "UnknownReaction",
    "UnsafeText",
    "UnsupportedSchema",
    "UpcastFailed",
    "WrongRevision",
]


class ThreadStoreError(Exception):
    """Base of all errors of this library."""


# --- the rules forbid it ------------------------------------------------------------------------------------------------------


class Rejected(ThreadStoreError):
    """The rules forbid the command; repeating it unchanged never helps. `code` is stable and safe to show to programs."""

    code: ClassVar[str] = "rejected"


class CommentNotFound(Rejected):
    """The thread holds no such comment."""

    code = "comment_not_found"

    def __init__(self, thread: str, comment: str) -> None:
        super().__init__(thread, comment)
        self.thread, self.comment = thread, comment

    def __str__(self) -> str:
        return f"thread {self.thread!r} has no comment {self.comment!r:.80}; check the id, it may belong to another thread"


class CorrectionNotFound(Rejected):
    """The thread holds no such correction."""

    code = "correction_not_found"

    def __init__(self, thread: str, correction: str) -> None:
        super().__init__(thread, correction)
        self.thread, self.correction = thread, correction

    def __str__(self) -> str:
        return f"thread {self.thread!r} has no correction {self.correction!r:.80}; list them with corrections()"


class NotTheAuthor(Rejected):
    """The actor did not write the comment and has no role that would allow it all the same."""

    code = "not_the_author"

    def __init__(self, comment: str, actor: str | None) -> None:
        super().__init__(comment, actor)
        self.comment, self.actor = comment, actor

    def __str__(self) -> str:
        who = "an anonymous actor" if self.actor is None else f"{self.actor!r}"
        return f"{who} did not write {self.comment!r}; only its author or a moderator may do this"


class NotAllowed(Rejected):
    """The actor's role, or the application's `may` hook, forbids the command."""

    code = "not_allowed"

    def __init__(self, command: str, actor: str | None, role: str | None) -> None:
        super().__init__(command, actor, role)
        self.command, self.actor, self.role = command, actor, role

    def __str__(self) -> str:
        who = "an anonymous actor" if self.actor is None else f"{self.actor!r} as {self.role}"
        return f"{self.command!r} is not allowed to {who}; the application decides who has which role"


class ThreadIsLocked(Rejected):
    """A moderator has locked the thread."""

    code = "thread_is_locked"

    def __init__(self, thread: str) -> None:
        super().__init__(thread)
        self.thread = thread

    def __str__(self) -> str:
        return f"thread {self.thread!r} is locked; a moderator may unlock it"


class ThreadIsClosed(Rejected):
    """The thread is older than the policy lets it be discussed."""

    code = "thread_is_closed"

    def __init__(self, thread: str, closed_at: int) -> None:
        super().__init__(thread, closed_at)
        self.thread, self.closed_at = thread, closed_at

    def __str__(self) -> str:
        return f"thread {self.thread!r} closed at {self.closed_at} ms; Policy.closes_after sets how long threads stay open"


class EditWindowClosed(Rejected):
    """The time in which an author may edit has passed."""

    code = "edit_window_closed"

    def __init__(self, comment: str, closed_at: int) -> None:
        super().__init__(comment, closed_at)
        self.comment, self.closed_at = comment, closed_at

    def __str__(self) -> str:
        return f"comment {self.comment!r} could be edited until {self.closed_at} ms; reply to it instead"


class CommentIsGone(Rejected):
    """The comment was deleted, removed or erased, so it cannot be changed or answered."""

    code = "comment_is_gone"

    def __init__(self, comment: str, state: str) -> None:
        super().__init__(comment, state)
        self.comment, self.state = comment, state

    def __str__(self) -> str:
        return f"comment {self.comment!r} is {self.state}; post a new comment instead"


class EmptyBody(Rejected):
    """A text that must say something is empty or white space."""

    code = "empty_body"

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field} is empty; write something"


class BodyTooLong(Rejected):
    """A text is longer than the policy allows; lengths are in characters."""

    code = "body_too_long"

    def __init__(self, field: str, length: int, limit: int) -> None:
        super().__init__(field, length, limit)
        self.field, self.length, self.limit = field, length, limit

    def __str__(self) -> str:
        return f"{self.field} has {self.length} characters where {self.limit} are allowed; shorten it"


class UnsafeText(Rejected, ValueError):
    """A text holds NUL, or a lone surrogate, which no UTF-8 can carry; `index` says where."""

    code = "unsafe_text"

    def __init__(self, field: str, index: int) -> None:
        super().__init__(field, index)
        self.field, self.index = field, index

    def __str__(self) -> str:
        return f"{self.field} holds NUL or a lone surrogate at {self.index}; send it as plain Unicode text"


class TooManyPosts(Rejected):
    """The actor has posted as often as the flood limit allows; try again at `retry_at` (ms)."""

    code = "too_many_posts"

    def __init__(self, actor: str | None, limit: int, retry_at: int) -> None:
        super().__init__(actor, limit, retry_at)
        self.actor, self.limit, self.retry_at = actor, limit, retry_at

    def __str__(self) -> str:
        who = "anonymous actors have" if self.actor is None else f"{self.actor!r} has"
        return f"{who} reached the limit of {self.limit} posts in the window; try again at {self.retry_at} ms"


class DuplicateComment(Rejected):
    """The actor posted the same text in the same place a moment ago."""

    code = "duplicate_comment"

    def __init__(self, comment: str) -> None:
        super().__init__(comment)
        self.comment = comment

    def __str__(self) -> str:
        return f"the same text was just posted as {self.comment!r}; edit that comment instead"


class UnknownReaction(Rejected):
    """The policy offers no such reaction."""

    code = "unknown_reaction"

    def __init__(self, kind: str, offered: Sequence[str]) -> None:
        super().__init__(kind, tuple(offered))
        self.kind, self.offered = kind, tuple(offered)

    def __str__(self) -> str:
        return f"reaction {self.kind!r:.80} is not offered here; Policy.kinds offers {', '.join(self.offered) or 'none'}"


class RefusedByScreen(Rejected):
    """The application's `screen` hook refused the text."""

    code = "refused_by_screen"

    def __init__(self, command: str) -> None:
        super().__init__(command)
        self.command = command

    def __str__(self) -> str:
        return f"the application's screen refused this {self.command!r}; change the text"


class StaleId(Rejected):
    """An id given by the caller must be above `floor`, the largest id or time that it has to follow."""

    code = "stale_id"

    def __init__(self, id: str, floor: str) -> None:
        super().__init__(id, floor)
        self.id, self.floor = id, floor

    def __str__(self) -> str:
        return f"id {self.id!r} is not above {self.floor!r}; mint a new id for a new event"


# --- the environment ----------------------------------------------------------------------------------------------------------


class StoreError(ThreadStoreError):
    """The environment failed or interfered; the same call may succeed later."""


class WrongRevision(StoreError):
    """An append expected another revision of the thread than the log holds."""

    def __init__(self, thread: str, expected: int, actual: int) -> None:
        super().__init__(thread, expected, actual)
        self.thread, self.expected, self.actual = thread, expected, actual

    def __str__(self) -> str:
        return f"thread {self.thread!r} is at revision {self.actual}, not {self.expected}; read it again and decide anew"


class ConflictingEvent(StoreError):
    """The log holds another fact under this id; nothing of the batch was stored."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"another fact already bears the id {self.id!r}; mint a new id"


class ClockSkew(StoreError):
    """The id lies further in the future than `Policy.max_clock_skew`; it may be offered again at `retry_at` (ms)."""

    def __init__(self, id: str, retry_at: int) -> None:
        super().__init__(id, retry_at)
        self.id, self.retry_at = id, retry_at

    def __str__(self) -> str:
        return f"id {self.id!r} is too far in the future; check the clock of its writer, or offer it again at {self.retry_at} ms"


class MergeRefused(StoreError):
    """A merge stored `new` events and refused others: `refused` holds one (id, error) pair for each."""

    def __init__(self, new: int, refused: Sequence[tuple[str, ThreadStoreError]]) -> None:
        super().__init__(new, tuple(refused))
        self.new, self.refused = new, tuple(refused)

    def __str__(self) -> str:
        first = "".join(f"; the first is {id!r}: {error}" for id, error in self.refused[:1])
        return f"events refused: {len(self.refused)}, stored: {self.new}{first}"


class StoreClosed(StoreError):
    """The store was closed before this call."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target

    def __str__(self) -> str:
        return f"the store {self.target!r} is closed; open it again"


class StoreUnavailable(StoreError):
    """The target cannot be opened, read or written."""

    def __init__(self, target: str, why: str) -> None:
        super().__init__(target, why)
        self.target, self.why = target, why

    def __str__(self) -> str:
        return f"the store {self.target!r} is not available: {self.why}"


class StoreFull(StoreError):
    """The device has no room left; what was acknowledged before is safe."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target

    def __str__(self) -> str:
        return f"no room left for the store {self.target!r}; make room and repeat the call"


# --- the data -----------------------------------------------------------------------------------------------------------------


class DataError(ThreadStoreError):
    """What is on disk or on the wire is not what it should be."""


class CorruptRecord(DataError):
    """Bytes that are no event; `position` is None where they did not come from a log."""

    def __init__(self, position: int | None, why: str) -> None:
        super().__init__(position, why)
        self.position, self.why = position, why

    def __str__(self) -> str:
        where = "a record" if self.position is None else f"the record at position {self.position}"
        return f"{where} cannot be read: {self.why}; run verify, and restore it from a backup"


class UnsupportedSchema(DataError):
    """The data was written by a newer release."""

    def __init__(self, what: str, found: int, supported: int) -> None:
        super().__init__(what, found, supported)
        self.what, self.found, self.supported = what, found, supported

    def __str__(self) -> str:
        return f"{self.what} has schema {self.found}, this release reads up to {self.supported}; install a newer threadstore"


class UpcastFailed(DataError):
    """A record of an old schema could not be lifted to today's."""

    def __init__(self, kind: str, schema: int, why: str) -> None:
        super().__init__(kind, schema, why)
        self.kind, self.schema, self.why = kind, schema, why

    def __str__(self) -> str:
        return f"a {self.kind!r} of schema {self.schema} cannot be lifted: {self.why}; run verify to find such records"


class InvalidCursor(ThreadStoreError):
    """A cursor that is malformed, or was made for another thread, order or listing."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"the cursor does not fit: {self.why}; start again from the first page"
