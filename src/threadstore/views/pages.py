"""
The pages: bounded, resumable, and what one reader sees.

What a page shows is chosen level by level until its bound is reached, and built from the leaves up; nothing recurses, so a
chain of 100,000 replies costs what its page costs.

Law: the pages of an unchanged thread partition its traversal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Final

from threadstore.errors import CommentNotFound, InvalidCursor
from threadstore.model.events import Actor, ThreadDescribed, check_int
from threadstore.model.ids import NIL, time_of
from threadstore.model.outline import Node, SortKey
from threadstore.model.policy import Rules
from threadstore.model.ranking import ORDERS, Order, Votes, key
from threadstore.model.state import State
from threadstore.model.status import description, is_absorbed
from threadstore.views.cursors import read_cursor, write_cursor
from threadstore.views.lens import Lens, Outlined, Place
from threadstore.views.types import CommentView, ListView, RepliesView, ThreadView

__all__ = ["alone", "check_bounds", "flat_page", "replies_page", "single_comment", "thread_page"]

MAX_LIMIT: Final = 10_000
MAX_REPLIES: Final = 10_000
MAX_DEPTH: Final = 200
MAX_ROWS: Final = 100_000
MAX_CONTEXT: Final = 100

_ID_SHAPE: Final = (str,)


# --- choosing what a page shows -----------------------------------------------------------------------------------------------


def _tree(lens: Lens, places: Iterable[Place], start: int, replies: int, depth: int, rows: int) -> tuple[CommentView, ...]:
    """
    Return the views of *places*, with as many replies as the bounds allow, chosen level by level.

    Complexity: O(rows).
    """
    chosen = list(places)
    #: Of each row: how far down it is, how many of its replies are on the page, and how many are not.
    told: list[tuple[int, int, int]] = []
    level = start
    while len(told) < len(chosen):
        most = replies if level - start < depth else 0
        for place in chosen[len(told) :]:
            first, count = lens.first_replies(place, most and min(most, rows - len(chosen)))
            shown = len(first)
            told.append((level, shown, count - shown))
            if shown:
                chosen += first
        level += 1
    lens.prepare(chosen)
    views: list[CommentView] = []  # the last row's first, so the replies of each row are there, behind those of the next
    used = 0
    for place, (level, shown, left) in zip(reversed(chosen), reversed(told), strict=True):
        below = tuple(reversed(views[used : used + shown])) if shown else ()
        used += shown
        views.append(lens.row(place, level, below, left))
    return tuple(reversed(views[used:]))


def check_bounds(limit: int, replies: int = 0, depth: int = 0, rows: int = 1, context: int = 0) -> None:
    """Refuse bounds of a page that are no ints, or beyond what a page may cost."""
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
    check_bounds(limit, replies, depth, rows)
    if type(pinned) is not bool:  # listings are kept for each of its values
        raise TypeError(f"pinned must be a bool, not {type(pinned).__name__}")
    lens = thread.lens(rules, reader, reveal)
    listing = f"view {by} pinned" if pinned else f"view {by}"
    moment, behind = _moment(thread, by, now, after, listing, _shape(by, pinned))
    places, count = lens.top(by, pinned, moment, behind)
    chosen = list(islice(places, min(limit, rows)))
    left = count - len(chosen)
    last = write_cursor(thread.key, listing, lens.top_key(chosen[-1], by, pinned, moment), now=moment) if left else None
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
        unreadable=thread.unreadable,
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
    check_bounds(limit, replies, depth, rows)
    lens = thread.lens(rules, reader, reveal)
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
        next=lens.replies_cursor(node.id, chosen[-1].id) if left else None,
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
    check_bounds(1, replies, depth, rows, context)
    lens = thread.lens(rules, reader, reveal)
    node = _node_or_raise(lens, id)
    level = lens.depth(node)
    view = _tree(lens, [node], level, replies, depth, rows)[0]
    below = node
    for above in islice(lens.outline.ancestors(node), context):
        level -= 1
        _, count = lens.children(above)
        left = count - lens.shows(below)
        view = lens.comment(above, level, (view,), left, lens.replies_cursor(above.id, "") if left else None)
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
    check_bounds(limit)
    lens = thread.lens(rules, reader, reveal)
    listing = f"flat {by}"
    moment, behind = _moment(thread, by, now, after, listing, _shape(by, False))
    nodes, count = lens.flat(by, moment, behind)
    chosen = list(islice(nodes, limit))
    left = count - len(chosen)
    lens.prepare(chosen)
    return ListView(
        thread=thread.key,
        revision=thread.revision,
        order=by,
        comments=tuple(alone(lens, node) for node in chosen),
        next=write_cursor(thread.key, listing, lens.outline.flat_key(chosen[-1], by, moment), now=moment) if left else None,
        left=left,
    )


def alone(lens: Lens, node: Node) -> CommentView:
    """Return a comment without its replies, which `left` counts and `more` leads to."""
    _, left = lens.first_replies(node, 0)
    return lens.row(node, lens.depth(node), (), left)
