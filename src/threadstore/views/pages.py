"""
The pages: bounded, resumable, and what one reader sees. They are plans over a `Source`.

What a page shows is chosen level by level until its bound is reached, and built from the leaves up;
nothing recurses, so a chain of 100,000 replies costs what its page costs.

A withheld comment that opens to this reader is **dug up**, with the dead nodes above it: a page
shows these at their places among the live ones.

Laws: the pages of an unchanged thread partition its traversal; a comment is on a page if the public
sees it, or it opens to this reader, or something below it is on a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from threadstore.errors import CommentNotFound, InvalidCursor
from threadstore.model.ids import NIL, is_id, time_of
from threadstore.model.index import SortKey, sort_key
from threadstore.model.outline import FLAGS, MISSING, TOP, Node, flags_in
from threadstore.model.ranking import Votes, key
from threadstore.model.values import actor_key
from threadstore.plans import Plan
from threadstore.views.cursors import read_cursor, write_cursor
from threadstore.views.lens import Lens, placeholder
from threadstore.views.request import PageRequest
from threadstore.views.source import Head, Source, Walk
from threadstore.views.types import CommentView, ListView, RepliesView, ThreadView

__all__ = ["alone", "flat_page", "replies_page", "single_comment", "thread_page"]

#: What is dug up for a reader, by parent; in the order of their ids.
Dug = Mapping[str, Sequence[Node]]

_COMPLEX: Final = FLAGS["complex"]
_NO_REACTIONS: Final[frozenset[str]] = frozenset()


class _Look(NamedTuple):
    """A source, and how one reader looks at it."""

    source: Source
    lens: Lens
    dug: Dug


def _look(source: Source, request: PageRequest) -> Plan[_Look]:
    lens = Lens(source.rules, request)
    return _Look(source, lens, (yield from _dug(source, lens)))


def _opened(source: Source, lens: Lens) -> Plan[Sequence[Node]]:
    """Return the withheld comments that this reader sees all the same: moderators all, authors their own while it is held."""
    if lens.moderates:
        return (yield from source.withheld(None))
    if lens.reader is None:
        return ()
    own = yield from source.withheld(actor_key(lens.reader))
    return [node for node in own if flags_in(node.flags)[0] == "held"]


def _dug(source: Source, lens: Lens) -> Plan[Dug]:
    """Return what has to be dug up. Complexity: O(what opens to the reader, and the dead above it)."""
    opened = yield from _opened(source, lens)
    dug: dict[str, Node] = {}
    level = {node.id: node for node in opened if not node.live}
    while level:
        dug |= level
        above = {node.parent for node in level.values()} - dug.keys() - {TOP}
        found = (yield from source.nodes(above)) if above else {}
        level = {id: node for id, node in found.items() if not node.live}
    by_parent: dict[str, list[Node]] = {}
    for id in sorted(dug):
        by_parent.setdefault(dug[id].parent, []).append(dug[id])
    return by_parent


# --- trees --------------------------------------------------------------------------------------------------------------------


def _tree(look: _Look, tops: Sequence[Node], start: int, request: PageRequest) -> Plan[tuple[CommentView, ...]]:
    """
    Return the views of some nodes, with as many replies as the bounds allow, chosen level by level.

    Complexity: O(rows).
    """
    chosen = list(tops)
    shown: list[int] = []  # how many of its replies are on the page, for each node that is chosen
    level = 0
    while len(shown) < len(chosen):
        behind = chosen[len(shown) :]
        most = min(request.replies, request.rows - len(chosen)) if level < request.depth else 0
        below = (yield from _first_replies(look, behind, most)) if most > 0 else {}
        for node in behind:
            first = below.get(node.id, ())[: max(request.rows - len(chosen), 0)]
            shown.append(len(first))
            chosen += first
        level += 1
    return (yield from _views(look, chosen, shown, len(tops), start))


def _first_replies(look: _Look, nodes: Sequence[Node], most: int) -> Plan[Mapping[str, Sequence[Node]]]:
    parents = [node.id for node in nodes if node.kids]
    live = (yield from look.source.children(parents, most)) if parents else {}
    if not look.dug:
        return live
    merged = {node.id: [*live.get(node.id, ()), *look.dug.get(node.id, ())] for node in nodes}
    return {id: sorted(below, key=_by_id)[:most] for id, below in merged.items()}


def _by_id(node: Node) -> str:
    return node.id


def _views(look: _Look, chosen: Sequence[Node], shown: Sequence[int], tops: int, start: int) -> Plan[tuple[CommentView, ...]]:
    """Return the views of nodes that were chosen level by level, built from the last of them up."""
    source, lens, dug = look
    comments = [node for node in chosen if not node.flags & MISSING]
    words = dict(zip([node.id for node in comments], (yield from source.said(comments)), strict=True))
    ids = [node.id for node in comments if node.votes]
    reacted = (yield from source.reacted(ids, lens.reader)) if lens.reader is not None and ids else {}
    locks = yield from source.locks()
    judged = [node.id for node in comments if node.flags & _COMPLEX] if lens.moderates else []
    cells = (yield from source.cells(judged)) if judged else {}
    depths = _depths(shown, tops, start)
    views: list[CommentView] = []  # the last row's first, so the replies of each row are there, behind those of the next
    used = 0
    for place in range(len(chosen) - 1, -1, -1):
        node, count = chosen[place], shown[place]
        below = tuple(reversed(views[used : used + count])) if count else ()
        used += count
        left = node.kids - count + (len(dug.get(node.id, ())) if dug else 0)
        said = words.get(node.id)
        views.append(
            placeholder(node, depths[place], below, left)
            if said is None
            else lens.comment(
                node, said, depths[place], below, left, reacted.get(node.id, _NO_REACTIONS), locks, cells.get(node.id)
            )
        )
    return tuple(reversed(views[used:]))


def _depths(shown: Sequence[int], tops: int, start: int) -> list[int]:
    depths = [start] * tops
    for place, count in enumerate(shown):
        if count:
            depths += [depths[place] + 1] * count
    return depths


def alone(source: Source, lens: Lens, nodes: Sequence[Node], dug: Dug | None = None) -> Plan[tuple[CommentView, ...]]:
    """Return comments without their replies, which `left` counts and `more` leads to."""
    views: list[CommentView] = []
    look = _Look(source, lens, {} if dug is None else dug)
    shown = yield from _views(look, nodes, [0] * len(nodes), len(nodes), 0)
    for node, view in zip(nodes, shown, strict=True):
        depth = yield from source.depth(node)
        views.append(replace(view, depth=depth) if depth else view)
    return tuple(views)


# --- pages --------------------------------------------------------------------------------------------------------------------


def _moment(source: Source, head: Head, request: PageRequest, listing: str, flat: bool) -> tuple[int, SortKey | None]:
    """Return the moment that an order is reckoned for, and the key to go on behind."""
    order, now, after = request.order, request.now, request.after
    if after is None:
        return (time_of(head.latest) if now is None else now) if order == "hot" else 0, None
    parts = [type(part) for part in key(order, Votes(NIL, 0, 0, NIL), now=0)]
    mark = read_cursor(after, source.key, listing, [int, *parts] if request.pinned and not flat else parts)
    if order == "hot" and now is not None and now != mark.now:
        raise InvalidCursor(f"it was made for now={mark.now}, not for now={now}")
    return mark.now, mark.key


def _walk(look: _Look, walk: Walk, dug: Sequence[Node]) -> Plan[tuple[list[Node], int]]:
    """Return what follows in an order, with what is dug up at its places, and how many there are behind the beginning."""
    live, count = yield from look.source.walk(walk)
    if not dug:
        return list(live), count
    keyed = sorted((_key(look, node, walk), node.id, node) for node in dug)
    more = [node for at, _, node in keyed if walk.after is None or at > walk.after]
    merged = sorted((_key(look, node, walk), node.id, node) for node in (*live, *more))
    return [node for _, _, node in merged[: walk.limit]], count + len(more)


def _key(look: _Look, node: Node, walk: Walk) -> SortKey:
    return sort_key(node, walk.order, look.source.rules, walk.now, pinned=walk.pinned, flat=walk.flat)


def thread_page(source: Source, request: PageRequest) -> Plan[ThreadView]:
    """Return one page of the top level; see `Thread.view`."""
    head = yield from source.head()
    look = yield from _look(source, request)
    order, pinned = request.order, request.pinned
    listing = f"view {order} pinned" if pinned else f"view {order}"
    now, after = _moment(source, head, request, listing, flat=False)
    walk = Walk(order, now, min(request.limit, request.rows), after, pinned)
    chosen, count = yield from _walk(look, walk, look.dug.get(TOP, ()))
    left = count - len(chosen)
    return ThreadView(
        thread=source.key,
        title=head.title,
        url=head.url,
        revision=head.revision,
        counts=head.counts,
        locked=head.locked,
        order=order,
        comments=(yield from _tree(look, chosen, 0, request)),
        next=write_cursor(source.key, listing, _key(look, chosen[-1], walk), now=now) if left else None,
        left=left,
        unreadable=head.unreadable,
    )


def replies_page(source: Source, comment: str, request: PageRequest) -> Plan[RepliesView]:
    """Return one page of a comment's replies; see `Thread.replies`."""
    head = yield from source.head()
    look = yield from _look(source, request)
    node = yield from _place(source, comment)
    after = _reply_after(request.after)
    limit = min(request.limit, request.rows)
    chosen, count = yield from source.children_behind(node.id, after, limit)
    if dug := [place for place in look.dug.get(node.id, ()) if place.id > after]:
        chosen, count = sorted((*chosen, *dug), key=_by_id)[:limit], count + len(dug)
    left = count - len(chosen)
    depth = yield from source.depth(node)
    return RepliesView(
        thread=source.key,
        comment=comment,
        revision=head.revision,
        comments=(yield from _tree(look, chosen, depth + 1, request)),
        next=chosen[-1].id if left else None,
        left=left,
    )


def _reply_after(after: str | None) -> str:
    """Return the id behind which replies go on: they stand in the order of their ids, so any id is a place to go on from."""
    if after is None:
        return ""
    if not is_id(after) and after != NIL:
        raise InvalidCursor("it is not the `more` of a comment, nor the `next` of a page of replies")
    return after


def single_comment(source: Source, id: str, request: PageRequest) -> Plan[CommentView]:
    """Return one comment in its context; see `Thread.comment`."""
    look = yield from _look(source, request)
    node = yield from _place(source, id)
    level = yield from source.depth(node)
    [view] = yield from _tree(look, [node], level, request)
    if not request.context:
        return view
    above = yield from source.ancestors(node, request.context)
    line = yield from _views(look, above, [0] * len(above), len(above), 0)
    below = node
    for place, bare in zip(above, line, strict=True):
        level -= 1
        is_counted = below.live or any(below.id == other.id for other in look.dug.get(place.id, ()))
        left = bare.left - is_counted
        view = replace(bare, depth=level, replies=(view,), left=left, more=place.id if left else None)
        below = place
    return view


def _place(source: Source, id: str) -> Plan[Node]:
    node = (yield from source.nodes([id])).get(id) if is_id(id) or id == NIL else None
    if node is None or not node.is_place:
        raise CommentNotFound(source.key, id)
    return node


def flat_page(source: Source, request: PageRequest) -> Plan[ListView]:
    """Return one page of all comments without their tree; see `Thread.flat`."""
    head = yield from source.head()
    look = yield from _look(source, request)
    listing = f"flat {request.order}"
    now, after = _moment(source, head, request, listing, flat=True)
    walk = Walk(request.order, now, request.limit, after, flat=True)
    chosen, count = yield from _walk(look, walk, (yield from _opened(source, look.lens)))
    left = count - len(chosen)
    return ListView(
        thread=source.key,
        revision=head.revision,
        order=request.order,
        comments=(yield from alone(source, look.lens, chosen, look.dug)),
        next=write_cursor(source.key, listing, _key(look, chosen[-1], walk), now=now) if left else None,
        left=left,
    )
