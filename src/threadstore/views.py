"""
The pages: bounded, concealed for their reader, resumable.

A `Lens` is one reader's way of looking: who they are, which spoilers they have opened, and which withheld comments are open
to them. What a page shows is chosen level by level until its bound is reached, and built from the leaves up; nothing recurses,
so a chain of 100,000 replies costs what its page costs.

The first concealment that does not open to the reader withholds the body:

========  =============================================
erased    opens to nobody
deleted   opens to nobody
removed   opens to moderators
held      opens to moderators and to the author
spoiler   opens to whoever has revealed it
========  =============================================

Laws: the pages of an unchanged thread partition its traversal; a comment is on a page if the public sees it, or it opens to
this reader, or something below it is on a page; a body that is withheld is in no field of the page.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Final, Literal

from msgspec.structs import replace

from threadstore.corrections import Article
from threadstore.cursors import read_cursor, write_cursor
from threadstore.errors import CommentNotFound, InvalidCursor
from threadstore.events import (
    Actor,
    CommentEdited,
    CommentPosted,
    CommentReported,
    CorrectionDecided,
    CorrectionSuggested,
    Event,
    ThreadDescribed,
    ThreadLocked,
    check_int,
    redact,
)
from threadstore.ids import NIL, time_of
from threadstore.outline import Node, Outline, SortKey
from threadstore.policy import Rules
from threadstore.ranking import ORDERS, Order, Votes, key
from threadstore.standing import (
    Standing,
    cancellable,
    current_decision,
    description,
    effective_reaction,
    is_absorbed,
    is_author,
    marks_up,
)
from threadstore.state import State
from threadstore.viewmodel import (
    CommentView,
    Concealment,
    CorrectionView,
    ListView,
    Mention,
    QueueItem,
    QueueView,
    RepliesView,
    ReportView,
    ThreadView,
)

__all__ = [
    "Outlined",
    "correction_list",
    "flat_page",
    "queue_page",
    "replies_page",
    "single_comment",
    "thread_page",
    "withholder",
]

MAX_LIMIT: Final = 10_000
MAX_REPLIES: Final = 10_000
MAX_DEPTH: Final = 200
MAX_ROWS: Final = 100_000
MAX_CONTEXT: Final = 100
MAX_REVEAL: Final = 100_000
#: How far up a name that several have is looked for. A page of a deep chain would else cost its rows times its depth.
MAX_ABOVE: Final = 1_000

_FLAGS_WITH_MARKS: Final = ("removed", "held", "spoiler", "reported", "pinned")
_ID_SHAPE: Final = (str,)


class Outlined(State):
    """A state that can be read through an outline; `threadstore.Thread` is one."""

    __slots__ = ()

    def outline(self, rules: Rules) -> Outline:
        """Return what is derived from the state under *rules*."""
        raise NotImplementedError


# --- one reader's way of looking ----------------------------------------------------------------------------------------------


class Lens:
    """
    What one reader sees of a thread.

    Args:
        thread: The thread.
        rules: Whose roles have effect.
        reader: Who looks.
        reveal: The spoilers that the reader has opened: ids, or "all".
        as_moderator: The application looks on a moderator's behalf, whoever that is.
    """

    def __init__(
        self,
        thread: Outlined,
        rules: Rules,
        reader: Actor | str | None,
        reveal: Collection[str] | str,
        *,
        as_moderator: bool = False,
    ) -> None:
        self.thread = thread
        self.rules = rules
        self.outline = thread.outline(rules)
        self.reader = _reader(reader)
        self.moderates = as_moderator or (isinstance(reader, Actor) and rules.moderates(reader))
        self._reveal_all = reveal == "all"
        self._reveal = frozenset[str]() if self._reveal_all else _revealed(reveal)
        self._opened = self.outline.opened_to(self.reader, moderates=self.moderates)
        self._unburied = self.outline.unburied(self._opened)
        self._depths: dict[str, int] = {}

    def concealment(self, standing: Standing, posted: Event) -> Concealment | None:
        """Return why the body is withheld from this reader, or None."""
        for flag in standing.flags:
            if not self._opens(flag, posted):
                return flag
        return None

    def _opens(self, flag: Concealment, posted: Event) -> bool:
        if flag == "spoiler":
            return self._reveal_all or posted.id in self._reveal
        if flag == "held":
            return self.moderates or is_author(self.reader, posted)
        return flag == "removed" and self.moderates

    def top(self, order: Order, pinned: bool, now: int, after: SortKey | None) -> tuple[Iterator[Node], int]:
        """Return the top-level nodes behind *after*, lazily, and how many they are."""
        unburied = map(self._node, self._unburied_below(self.outline.top))
        more = sorted(self.outline.top_key(node, order, pinned, now) for node in unburied)
        return self._behind(after, self.outline.top_keys(order, pinned, now), more)

    def flat(self, order: Order, now: int, after: SortKey | None) -> tuple[Iterator[Node], int]:
        """Return all comments behind *after*, the tree apart, lazily, and how many they are."""
        more = sorted(self.outline.flat_key(node, order, now) for node in self._opened)
        return self._behind(after, self.outline.flat_keys(order, now), more)

    def _behind(self, after: SortKey | None, *listings: list[SortKey]) -> tuple[Iterator[Node], int]:
        """Return what stands behind *after* in some sorted listings, merged into one."""
        starts = [0 if after is None else bisect_right(keys, after) for keys in listings]
        rests = [islice(keys, start, None) for keys, start in zip(listings, starts, strict=True)]
        return (self._node(str(key[-1])) for key in merge(*rests)), sum(map(len, listings)) - sum(starts)

    def children(self, node: Node, after: str = "") -> tuple[Iterator[Node], int]:
        """Return the replies behind *after*, lazily, and how many they are."""
        start = bisect_right(node.children, after)
        more = [id for id in self._unburied_below(node) if id > after]
        ids = merge(islice(node.children, start, None), more)
        return map(self._node, ids), len(node.children) - start + len(more)

    def _unburied_below(self, node: Node) -> list[str]:
        return [id for id in node.buried if id in self._unburied] if self._unburied else []

    def shows(self, node: Node) -> bool:
        """Return whether *node* is on a page for this reader."""
        return node.live or node.id in self._unburied

    def depth(self, node: Node) -> int:
        """
        Return how far below the top level *node* is.

        Complexity: O(depth) for the first node of a branch; only the way to known ones for the others.
        """
        way = [node.id]
        for above in self.outline.ancestors(node):
            if way[-1] in self._depths:
                break
            way.append(above.id)
        depth = self._depths.get(way[-1], 0)
        self._depths.update(zip(reversed(way), range(depth, depth + len(way)), strict=True))
        return depth + len(way) - 1

    def _node(self, id: str) -> Node:
        node = self.outline.node(id)
        assert node is not None, id
        return node

    def comment(
        self, node: Node, depth: int, replies: tuple[CommentView, ...] = (), left: int = 0, more: str | None = None
    ) -> CommentView:
        """Return what this reader sees of one place in the tree."""
        posted, standing = node.posted, node.standing
        if posted is None or standing is None:
            return _placeholder(node, depth, replies, left, more)
        said = self.thread.today.cells(node.id)["posted"][node.id,]
        text = standing.text
        concealed = self.concealment(standing, posted)
        tombstone = concealed is not None and concealed != "spoiler"
        erased = "erased" in standing.flags
        body = None if concealed else text.body  # type: ignore[union-attr]  # a comment's text is a post or an edit
        return CommentView(
            id=node.id,
            parent=posted.parent,
            author=_shown_actor(said.actor, erased),
            posted_at=time_of(node.id) if posted.at is None else posted.at,
            edited_at=time_of(text.id) if text.id != node.id else None,
            edited_by=_shown_actor(text.actor, erased) if text.id != node.id else None,
            text_id=text.id,
            body=body,
            concealed=concealed,
            standing=standing.flags,
            stale=standing.stale,
            spoiler="spoiler" in standing.flags,
            reactions={} if tombstone else {kind: node.votes[kind] for kind in sorted(node.votes)},
            reacted=() if tombstone else self._reacted(node.id),
            mentions=() if body is None or "@" not in body else self._mentions(node, text.id, body),
            pinned=node.pinned and not tombstone,
            late=self._is_late(posted),
            depth=depth,
            replies=replies,
            reply_count=node.replies,
            left=left,
            more=more,
            meta={} if tombstone else dict(said.meta or {}),  # type: ignore[attr-defined]  # this cell holds CommentPosted only
            marks=self._marks(node.id, said, standing) if self.moderates else {},
        )

    def _reacted(self, id: str) -> tuple[str, ...]:
        cell = self.thread.cells(id).get("reaction")
        if self.reader is None or not cell:
            return ()
        me, rules = self.reader.id, self.rules
        return tuple(kind for kind in sorted(rules.kinds) if effective_reaction(cell, me, kind, rules))

    def _mentions(self, node: Node, text: str, body: str) -> tuple[Mention, ...]:
        def nearest() -> Iterator[Actor | None]:
            for above in islice(self.outline.ancestors(node), MAX_ABOVE):
                yield None if above.posted is None else above.posted.actor

        return self.outline.names.find(body, comment=text, nearest=nearest)

    def _is_late(self, posted: Event) -> bool:
        return (posted.actor is None or posted.actor.role == "reader") and self.outline.locks.cover(posted.id)

    def _marks(self, id: str, said: Event, standing: Standing) -> dict[str, tuple[str, ...]]:
        """Return what a moderator's cancels should name, by flag."""
        marks = {}
        for flag in _FLAGS_WITH_MARKS:
            if flag in ("removed", "held") and flag not in standing.flags:
                continue
            cells = self.thread.cells(id) if flag == "pinned" else self.thread.today.cells(id)
            if ids := cancellable(cells, flag, said, self.rules):
                marks[flag] = ids
        return marks


def _reader(reader: Actor | str | None) -> Actor | None:
    if isinstance(reader, str):
        return Actor(reader)
    if reader is not None and not isinstance(reader, Actor):
        raise TypeError(f"reader must be an Actor, an id or None, not {type(reader).__name__}")
    return reader


def _revealed(reveal: Collection[str] | str) -> frozenset[str]:
    if isinstance(reveal, str):
        raise ValueError(f"reveal must be 'all' or a collection of ids, not {reveal[:64]!r}")  # noqa: TRY004 - "all" is a str
    if len(reveal) > MAX_REVEAL:
        raise ValueError(f"reveal names {len(reveal)} comments where {MAX_REVEAL} are allowed; use 'all'")
    return frozenset(reveal)


def _shown_actor(actor: Actor | None, erased: bool) -> Actor | None:
    return Actor(actor.id, "", actor.role) if erased and actor is not None else actor


def _placeholder(node: Node, depth: int, replies: tuple[CommentView, ...], left: int, more: str | None) -> CommentView:
    return CommentView(
        id=node.id,
        parent=None,
        author=None,
        posted_at=time_of(node.id),
        edited_at=None,
        edited_by=None,
        text_id=node.id,
        body=None,
        concealed="missing",
        standing=("missing",),
        stale=False,
        spoiler=False,
        reactions={},
        reacted=(),
        mentions=(),
        pinned=False,
        late=False,
        depth=depth,
        replies=replies,
        reply_count=node.replies,
        left=left,
        more=more,
        meta={},
        marks={},
    )


# --- choosing what a page shows -----------------------------------------------------------------------------------------------


class _Row:
    """One comment chosen for a page, with its replies on the page and how many of them are not."""

    __slots__ = ("depth", "left", "node", "replies", "view")

    def __init__(self, node: Node, depth: int) -> None:
        self.node = node
        self.depth = depth
        self.replies: list[_Row] = []
        self.left = 0
        self.view: CommentView | None = None


def _tree(lens: Lens, nodes: Iterable[Node], start: int, replies: int, depth: int, rows: int) -> tuple[CommentView, ...]:
    """
    Return the views of *nodes*, with as many replies as the bounds allow, chosen level by level.

    Complexity: O(rows).
    """
    chosen = [_Row(node, start) for node in nodes]
    top = len(chosen)
    budget = rows - top
    for row in chosen:  # grows as it is walked, one level behind the other
        children, count = lens.children(row.node)
        take = min(replies, budget, count) if row.depth - start < depth else 0
        row.replies = [_Row(child, row.depth + 1) for child in islice(children, take)]
        row.left = count - len(row.replies)
        budget -= len(row.replies)
        chosen.extend(row.replies)
    for row in reversed(chosen):
        row.view = _row_view(lens, row)
    return tuple(row.view for row in chosen[:top] if row.view is not None)


def _row_view(lens: Lens, row: _Row) -> CommentView:
    shown = tuple(reply.view for reply in row.replies if reply.view is not None)
    more = None
    if row.left:
        last = row.replies[-1].node.id if row.replies else ""
        more = _replies_cursor(lens, row.node, last)
    return lens.comment(row.node, row.depth, shown, row.left, more)


def _replies_cursor(lens: Lens, node: Node, last: str) -> str:
    return write_cursor(lens.thread.key, f"replies {node.id}", (last,))


def _check_bounds(limit: int, replies: int = 0, depth: int = 0, rows: int = 1, context: int = 0) -> None:
    for name, value, least, most in (
        ("limit", limit, 1, MAX_LIMIT),
        ("replies", replies, 0, MAX_REPLIES),
        ("depth", depth, 0, MAX_DEPTH),
        ("rows", rows, 1, MAX_ROWS),
        ("context", context, 0, MAX_CONTEXT),
    ):
        if type(value) is not int:
            raise TypeError(f"{name} must be an int, not {type(value).__name__}")
        if not least <= value <= most:
            raise ValueError(f"{name} must be from {least} to {most}, not {value}")


def _check_order(order: str) -> Order:
    for known in ORDERS:
        if order == known:
            return known
    raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r:.80}")


def _shape(order: Order, pinned: bool) -> list[type]:
    parts = [type(part) for part in key(order, Votes(NIL, 0, 0, NIL), now=0)]
    return [int, *parts] if pinned else parts


def _moment(
    thread: State, order: Order, now: int | None, after: str | None, listing: str, shape: Sequence[type]
) -> tuple[int, SortKey | None]:
    """Return the moment that an order is reckoned for, and the key to go on behind."""
    if now is not None:
        check_int(now, "now", 0)
    if after is None:
        return (time_of(thread.latest) if now is None else now) if order == "hot" else 0, None
    mark = read_cursor(after, thread.key, listing, shape)
    if order == "hot" and now is not None and now != mark.now:
        raise InvalidCursor(f"it was made for now={mark.now}, not for now={now}")
    return mark.now, mark.key


# --- pages --------------------------------------------------------------------------------------------------------------------


def thread_page(
    thread: Outlined,
    *,
    order: str,
    limit: int,
    after: str | None,
    reader: Actor | str | None,
    reveal: Collection[str] | str,
    replies: int,
    depth: int,
    rows: int,
    pinned: bool,
    now: int | None,
    rules: Rules,
) -> ThreadView:
    """Return one page of the top level; see `Thread.view`."""
    by = _check_order(order)
    _check_bounds(limit, replies, depth, rows)
    if type(pinned) is not bool:  # listings are kept for each of its values
        raise TypeError(f"pinned must be a bool, not {type(pinned).__name__}")
    lens = Lens(thread, rules, reader, reveal)
    listing = f"view {by} pinned" if pinned else f"view {by}"
    moment, behind = _moment(thread, by, now, after, listing, _shape(by, pinned))
    nodes, count = lens.top(by, pinned, moment, behind)
    chosen = list(islice(nodes, min(limit, rows)))
    left = count - len(chosen)
    last = write_cursor(thread.key, listing, lens.outline.top_key(chosen[-1], by, pinned, moment), now=moment) if left else None
    described = description(thread.today.cells(""), rules)
    title, url = "", ""
    if isinstance(described, ThreadDescribed):
        title, url = "" if is_absorbed(described, lens.outline.horizons) else described.title, described.url
    return ThreadView(
        thread=thread.key,
        title=title,
        url=url,
        revision=thread.revision,
        counts=lens.outline.counts(),
        locked=bool(lens.outline.locks.up),
        order=by,
        comments=_tree(lens, chosen, 0, replies, depth, rows),
        next=last,
        left=left,
    )


def replies_page(
    thread: Outlined,
    comment: str,
    *,
    after: str | None,
    limit: int,
    reader: Actor | str | None,
    reveal: Collection[str] | str,
    replies: int,
    depth: int,
    rows: int,
    rules: Rules,
) -> RepliesView:
    """Return one page of a comment's replies; see `Thread.replies`."""
    _check_bounds(limit, replies, depth, rows)
    lens = Lens(thread, rules, reader, reveal)
    node = _node_or_raise(lens, comment)
    behind = ""
    if after is not None:
        behind = str(read_cursor(after, thread.key, f"replies {comment}", _ID_SHAPE).key[0])
    nodes, count = lens.children(node, behind)
    chosen = list(islice(nodes, min(limit, rows)))
    left = count - len(chosen)
    return RepliesView(
        thread=thread.key,
        comment=comment,
        revision=thread.revision,
        comments=_tree(lens, chosen, lens.depth(node) + 1, replies, depth, rows),
        next=_replies_cursor(lens, node, chosen[-1].id) if left else None,
        left=left,
    )


def single_comment(
    thread: Outlined,
    id: str,
    *,
    context: int,
    reader: Actor | str | None,
    reveal: Collection[str] | str,
    replies: int,
    depth: int,
    rows: int,
    rules: Rules,
) -> CommentView:
    """Return one comment in its context; see `Thread.comment`."""
    _check_bounds(1, replies, depth, rows, context)
    lens = Lens(thread, rules, reader, reveal)
    node = _node_or_raise(lens, id)
    level = lens.depth(node)
    view = _tree(lens, [node], level, replies, depth, rows)[0]
    below = node
    for above in islice(lens.outline.ancestors(node), context):
        level -= 1
        _, count = lens.children(above)
        left = count - lens.shows(below)
        view = lens.comment(above, level, (view,), left, _replies_cursor(lens, above, "") if left else None)
        below = above
    return view


def _node_or_raise(lens: Lens, id: str) -> Node:
    node = lens.outline.node(id)
    if node is None:
        raise CommentNotFound(lens.thread.key, id)
    return node


def flat_page(
    thread: Outlined,
    *,
    order: str,
    limit: int,
    after: str | None,
    reader: Actor | str | None,
    reveal: Collection[str] | str,
    now: int | None,
    rules: Rules,
) -> ListView:
    """Return one page of all comments without their tree; see `Thread.flat`."""
    by = _check_order(order)
    _check_bounds(limit)
    lens = Lens(thread, rules, reader, reveal)
    listing = f"flat {by}"
    moment, behind = _moment(thread, by, now, after, listing, _shape(by, False))
    nodes, count = lens.flat(by, moment, behind)
    chosen = list(islice(nodes, limit))
    left = count - len(chosen)
    return ListView(
        thread=thread.key,
        revision=thread.revision,
        order=by,
        comments=tuple(_alone(lens, node) for node in chosen),
        next=write_cursor(thread.key, listing, lens.outline.flat_key(chosen[-1], by, moment), now=moment) if left else None,
        left=left,
    )


def _alone(lens: Lens, node: Node) -> CommentView:
    """Return a comment without its replies, which `left` counts and `more` leads to."""
    _, left = lens.children(node)
    return lens.comment(node, lens.depth(node), (), left, _replies_cursor(lens, node, "") if left else None)


# --- corrections and the queue ------------------------------------------------------------------------------------------------


def correction_list(
    thread: Outlined, *, text: str | None, article_version: str | None, reader: Actor | str | None, rules: Rules
) -> tuple[CorrectionView, ...]:
    """Return the suggested corrections; see `Thread.corrections`."""
    lens = Lens(thread, rules, reader, ())
    article = None if text is None else Article(text)
    return tuple(_correction(lens, id, article, article_version) for id in lens.outline.corrections)


def _correction(lens: Lens, id: str, article: Article | None = None, article_version: str | None = None) -> CorrectionView:
    cells, standing = lens.thread.today.cells(id), lens.outline.correction(id)
    assert standing is not None, id
    suggested = standing.text
    assert isinstance(suggested, CorrectionSuggested), id
    concealed = lens.concealment(standing, suggested)
    erased = "erased" in standing.flags
    decision = current_decision(lens.thread.cells(id), lens.rules)
    state: Literal["open", "accepted", "declined"] = "open"
    decided = decision if isinstance(decision, CorrectionDecided) and decision.outcome != "reopened" else None
    if decided is not None:
        state = "accepted" if decided.outcome == "accepted" else "declined"
    stays = decided is not None and article_version != suggested.article_version
    looked = article is not None and concealed is None and not stays
    span = article.anchor(suggested.quote) if article is not None and looked else None
    forgotten = decided is not None and (erased or is_absorbed(decided, lens.outline.horizons))
    return CorrectionView(
        id=id,
        author=_shown_actor(suggested.actor, erased),
        suggested_at=time_of(id),
        article_version=suggested.article_version,
        quote=None if concealed else suggested.quote,
        suggestion=None if concealed else suggested.suggestion,
        note="" if concealed else suggested.note,
        state=state,
        decided_by=None if decided is None else _shown_actor(decided.actor, forgotten),
        decided_at=None if decided is None else time_of(decided.id),
        decision_note="" if decided is None or forgotten or concealed else decided.note,
        concealed=concealed,
        standing=standing.flags,
        span=span,
        orphaned=looked and span is None,
        marks=_correction_marks(cells, suggested, lens.rules) if lens.moderates else {},
    )


def _correction_marks(
    cells: dict[str, dict[tuple[object, ...], Event]], suggested: Event, rules: Rules
) -> dict[str, tuple[str, ...]]:
    marks = {}
    for flag in ("removed", "reported"):
        up = marks_up(cells, flag, suggested, rules)
        if up:
            marks[flag] = tuple(sorted(mark.id for mark in up))
    return marks


def queue_page(thread: Outlined, *, limit: int, after: str | None, rules: Rules) -> QueueView:
    """Return one page of what waits for a moderator; see `Thread.queue`."""
    _check_bounds(limit)
    lens = Lens(thread, rules, None, "all", as_moderator=True)
    waiting = sorted((_since(lens, id, standing), id) for id, standing in lens.outline.waiting.items())
    start = 0
    if after is not None:
        mark = read_cursor(after, thread.key, "queue", (str, str))
        start = bisect_right(waiting, (str(mark.key[0]), str(mark.key[1])))
    page = waiting[start : start + limit]
    left = len(waiting) - start - len(page)
    return QueueView(
        thread=thread.key,
        revision=thread.revision,
        items=tuple(_queue_item(lens, since, id) for since, id in page),
        next=write_cursor(thread.key, "queue", page[-1]) if left else None,
        left=left,
    )


def _since(lens: Lens, id: str, standing: Standing) -> str:
    """Return the oldest fact that something waits for."""
    facts = [mark.id for mark in standing.reported]
    if "held" in standing.flags:
        held = marks_up(lens.thread.today.cells(id), "held", _said(lens, id), lens.rules)
        facts += [mark.id for mark in held]
        if standing.stale:
            facts.append(standing.text.id)
    return min(facts)


def _said(lens: Lens, id: str) -> Event:
    cells = lens.thread.today.cells(id)
    return (cells.get("posted") or cells["suggested"])[id,]


def _queue_item(lens: Lens, since: str, id: str) -> QueueItem:
    standing = lens.outline.waiting[id]
    node = lens.outline.comment(id)
    reasons = [("held" if not standing.stale else "stale")] if "held" in standing.flags else []
    if standing.reported:
        reasons.append("reported")
    return QueueItem(
        id=id,
        waiting=tuple(reasons),
        since=since,
        comment=None if node is None else _alone(lens, node),
        correction=_correction(lens, id) if node is None else None,
        reports=tuple(
            _report(report, standing.text.id, lens.outline.horizons)
            for report in standing.reported
            if isinstance(report, CommentReported)
        ),
    )


def _report(report: CommentReported, text: str, horizons: dict[str, str]) -> ReportView:
    forgotten = is_absorbed(report, horizons)
    return ReportView(
        id=report.id,
        actor=_shown_actor(report.actor, forgotten),
        reason="" if forgotten else report.reason,
        seen=report.seen,
        outdated=report.seen != text,
    )


# --- history ------------------------------------------------------------------------------------------------------------------


def withholder(
    thread: Outlined, *, reader: Actor | str | None, reveal: Collection[str] | str, rules: Rules
) -> Callable[[Event], Event]:
    """
    Return a function that makes of an event what this reader may see of it.

    It withholds the texts that a view would withhold, and those that it would no longer show, save from their author and
    moderators.

    Complexity: O(withheld comments) to make; O(1) for each event, O(facts about it) for one on a correction.
    """
    lens = Lens(thread, rules, reader, reveal)

    def seen(event: Event) -> Event:
        if _may_read(lens, event):
            return event
        node = lens.outline.comment(event.id)
        if node is None or node.standing is None or "erased" in node.standing.flags:
            return redact(event)
        return _named(redact(event), event.actor)

    return seen


def _named(event: Event, actor: Actor | None) -> Event:
    """Give a withheld post its author's name back, which its tombstone shows as well."""
    return replace(event, actor=actor)


def _may_read(lens: Lens, event: Event) -> bool:
    """Return whether all of the event's free text may be shown to this reader."""
    standing = lens.outline.standing(event.target)
    erased = standing is not None and "erased" in standing.flags
    if erased or is_absorbed(event, lens.outline.horizons):
        return False
    if isinstance(event, CommentPosted | CommentEdited):
        return _may_read_text(lens, event)
    if isinstance(event, CorrectionSuggested | CorrectionDecided):
        return _may_read_correction(lens, event)
    if isinstance(event, ThreadDescribed):
        return lens.rules.describes(event.actor)
    if isinstance(event, ThreadLocked):
        return lens.rules.moderates(event.actor)
    return lens.moderates


def _may_read_text(lens: Lens, event: CommentPosted | CommentEdited) -> bool:
    """
    Return whether a text of a comment may be shown.

    The current one is for whoever sees the comment; an older one only for those of them who wrote the comment or moderate.
    """
    node = lens.outline.comment(event.target)
    if node is None or node.posted is None or node.standing is None:
        return False
    posted = lens.thread.today.cells(node.id)["posted"][node.id,]
    if lens.concealment(node.standing, posted) is not None:
        return False
    if event == node.standing.text:
        return True
    authorised = event == posted or (
        isinstance(event, CommentEdited) and (lens.rules.moderates(event.actor) or is_author(event.actor, posted))
    )
    return authorised and (lens.moderates or is_author(lens.reader, posted))


def _may_read_correction(lens: Lens, event: CorrectionSuggested | CorrectionDecided) -> bool:
    standing = lens.outline.correction(event.target)
    if standing is None or lens.concealment(standing, standing.text) is not None:
        return False
    return event == standing.text or (isinstance(event, CorrectionDecided) and lens.rules.edits_article(event.actor))
