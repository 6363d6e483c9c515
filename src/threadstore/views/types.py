"""
What readers see, as immutable values that go straight to JSON. `views` builds them.

Withheld means absent: where a text is concealed from the reader, no field of these objects holds it.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NoReturn, TypeVar

from msgspec import Struct

from threadstore.model.mentions import Mention
from threadstore.model.status import CONCEALMENTS, Concealment
from threadstore.model.values import Actor, TextQuote

__all__ = [
    "CONCEALMENTS",
    "SPOILER_NOTICE",
    "CommentView",
    "Concealment",
    "CorrectionView",
    "Counts",
    "FrozenDict",
    "ListView",
    "Mention",
    "OverviewView",
    "QueueItem",
    "QueueView",
    "RepliesView",
    "ReportView",
    "ThreadLine",
    "ThreadView",
]

#: What a page shows in place of a spoiler's body.
SPOILER_NOTICE: Final = "This comment contains spoilers. Click here if you want to read."

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dict that cannot be changed: views are shared, and nobody may change what somebody else is shown."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("views cannot be changed; make a dict of this one")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[FrozenDict[K, V]], tuple[dict[K, V]]]:
        return FrozenDict, (dict(self),)

    def __copy__(self) -> FrozenDict[K, V]:
        return self

    def __deepcopy__(self, _memo: object) -> FrozenDict[K, V]:
        return self


NO_COUNTS: Final[FrozenDict[str, int]] = FrozenDict()
NO_META: Final[FrozenDict[str, str]] = FrozenDict()
NO_MARKS: Final[FrozenDict[str, tuple[str, ...]]] = FrozenDict()


class Counts(Struct, frozen=True):
    """
    How many comments a thread has: the public's figures, the same for every reader.

    Each comment is counted in one place: in `total` (shown, or behind a spoiler notice), `pending` (held), or `hidden`
    (erased, deleted, removed). ``total == top_level + replies``. Placeholders count nowhere.
    """

    top_level: int = 0
    replies: int = 0
    total: int = 0
    pending: int = 0
    hidden: int = 0


class CommentView(Struct, frozen=True):
    """
    One comment, as one reader sees it. Times are Unix milliseconds.

    Args:
        id: The comment's id; for a placeholder, the id of the missing comment.
        parent: What it answers; None at the top level.
        author: Who wrote it; None for an anonymous author and for a placeholder.
        posted_at: When it was posted, by its author's clock.
        edited_at: When the text shown was written, if that was an edit.
        edited_by: Who wrote the text shown, if it is an edit.
        text_id: The event whose text this is: what `seen=` takes.
        body: The text; None while concealed.
        concealed: Why the body is withheld from this reader, or None.
        flags: All flags that hold, whoever looks, in the order of `CONCEALMENTS`.
        stale: It was approved or restored with another text, and waits again.
        spoiler: Its body was marked as giving something away.
        reactions: How many actors reacted, by kind; kinds without any are absent.
        reacted: The kinds that this reader gave.
        mentions: Who is addressed in the body.
        pinned: A moderator put it at the head of the thread.
        late: A reader posted it while the thread was locked.
        depth: 0 at the top level.
        replies: The replies on this page.
        reply_count: How many direct replies the public sees.
        left: How many direct replies this page leaves out.
        more: The cursor for those, or None.
        meta: The application's own strings.
        marks: For moderators: what a cancel should name (`cancels=`), by flag: the marks that are up, and those that were
            lifted for another text and must be opened for this one.
    """

    id: str
    parent: str | None
    author: Actor | None
    posted_at: int
    edited_at: int | None
    edited_by: Actor | None
    text_id: str
    body: str | None
    concealed: Concealment | None
    flags: tuple[Concealment, ...]
    stale: bool
    spoiler: bool
    reactions: dict[str, int]
    reacted: tuple[str, ...]
    mentions: tuple[Mention, ...]
    pinned: bool
    late: bool
    depth: int
    replies: tuple[CommentView, ...]
    reply_count: int
    left: int
    more: str | None
    meta: dict[str, str]
    marks: dict[str, tuple[str, ...]]


class ThreadView(Struct, frozen=True):
    """
    One page of a thread: its description, its counts, and the top-level comments that follow the cursor.

    Args:
        next: The cursor of the next page, or None.
        left: How many top-level comments follow this page.
        unreadable: How many of the thread's `revision` events could not be read, since the store is damaged: something is
            missing from the thread, which shows all the same what is left. `verify` says what and where.
    """

    thread: str
    title: str
    url: str
    revision: int
    counts: Counts
    locked: bool
    order: str
    comments: tuple[CommentView, ...]
    next: str | None
    left: int
    unreadable: int = 0


class ThreadLine(Struct, frozen=True):
    """
    One thread in a list of many.

    Args:
        latest_at: When something happened in it last, by the writer's clock.
        waiting: How many comments and corrections wait for a moderator.
    """

    thread: str
    title: str
    url: str
    counts: Counts
    locked: bool
    latest_at: int
    waiting: int


class OverviewView(Struct, frozen=True):
    """One page of all threads; `next` is the cursor of the next page."""

    threads: tuple[ThreadLine, ...]
    next: str | None


class RepliesView(Struct, frozen=True):
    """One page of a comment's replies; `next` and `left` as in `ThreadView`."""

    thread: str
    comment: str
    revision: int
    comments: tuple[CommentView, ...]
    next: str | None
    left: int


class ListView(Struct, frozen=True):
    """One page of all comments without their tree; `next` and `left` as in `ThreadView`."""

    thread: str
    revision: int
    order: str
    comments: tuple[CommentView, ...]
    next: str | None
    left: int


class ReportView(Struct, frozen=True):
    """One open report: who asked for a moderator, why, and whether the text has changed since."""

    id: str
    actor: Actor | None
    reason: str
    seen: str
    outdated: bool


class QueueItem(Struct, frozen=True):
    """
    Something that waits for a moderator: a held, stale or reported comment, or a reported correction, whole.

    `waiting` says why ("held", "stale", "reported"); `since` is the id of the oldest fact that it waits for.
    """

    id: str
    waiting: tuple[str, ...]
    since: str
    comment: CommentView | None
    correction: CorrectionView | None
    reports: tuple[ReportView, ...]


class QueueView(Struct, frozen=True):
    """One page of a thread's moderation queue, longest waiting first."""

    thread: str
    revision: int
    items: tuple[QueueItem, ...]
    next: str | None
    left: int


class CorrectionView(Struct, frozen=True):
    """
    A reader's suggestion for a passage of the article, as one reader sees it.

    Args:
        state: "open", "accepted" or "declined".
        concealed: Why the texts are withheld from this reader, or None; "erased", "deleted" or "removed".
        span: Where the passage stands in the text given, as (start, end); None where it was not looked for or not found.
        orphaned: It was looked for in the text given and is not there, or not unmistakably.
    """

    id: str
    author: Actor | None
    suggested_at: int
    article_version: str
    quote: TextQuote | None
    suggestion: str | None
    note: str
    state: Literal["open", "accepted", "declined"]
    decided_by: Actor | None
    decided_at: int | None
    decision_note: str
    concealed: Concealment | None
    flags: tuple[Concealment, ...]
    span: tuple[int, int] | None
    orphaned: bool
    marks: dict[str, tuple[str, ...]]
