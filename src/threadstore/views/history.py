"""
What a reader may see of the facts themselves.

Law: a text that the views withhold from a reader is in no event that this reader is shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from threadstore.model.erasure import redact
from threadstore.model.events import (
    CommentEdited,
    CommentPosted,
    CorrectionDecided,
    CorrectionSuggested,
    Event,
    ThreadDescribed,
    ThreadLocked,
)
from threadstore.model.outline import FLAGS, Node
from threadstore.model.status import is_author, is_forgotten
from threadstore.model.values import Actor
from threadstore.plans import Plan
from threadstore.views.lens import Lens
from threadstore.views.request import PageRequest
from threadstore.views.source import Source

__all__ = ["as_seen"]


class _Known(NamedTuple):
    """What has to be known of the thread to judge some events."""

    lens: Lens
    nodes: Mapping[str, Node]
    facts: Mapping[Any, Event]
    cutoffs: Mapping[str, str]


def as_seen(
    source: Source, events: Sequence[Event], *, reader: Actor | str | None, reveal: Collection[str] | str
) -> Plan[list[Event]]:
    """
    Return what this reader may see of some events of the thread.

    Withheld are the texts that a view would withhold, and those that it would no longer show, save from their author and
    moderators.

    Complexity: O(events).
    """
    lens = Lens(source.rules, PageRequest(reader=reader, reveal=reveal))
    nodes = yield from source.nodes({event.target for event in events if event.target})
    places = {place for node in nodes.values() for place in (node.post, node.text) if place is not None}
    known = _Known(lens, nodes, (yield from source.facts(places)), (yield from source.cutoffs()))
    return [_seen(known, event) for event in events]


def _seen(known: _Known, event: Event) -> Event:
    node = known.nodes.get(event.target)
    erased = node is not None and bool(node.flags & FLAGS["erased"])
    if not erased and not is_forgotten(event, known.cutoffs) and _may_read(known, event, node):
        return event
    bare = redact(event)
    if isinstance(event, CommentPosted) and node is not None and node.is_comment and not erased:
        return replace(bare, actor=event.actor)  # whose name the tombstone shows as well
    return bare


def _may_read(known: _Known, event: Event, node: Node | None) -> bool:
    """Return whether all of the event's free text may be shown to this reader."""
    lens = known.lens
    if isinstance(event, CommentPosted | CommentEdited):
        return node is not None and node.is_comment and _may_read_text(known, event, node)
    if isinstance(event, CorrectionSuggested | CorrectionDecided):
        return node is not None and _may_read_correction(known, event, node)
    if isinstance(event, ThreadDescribed):
        return lens.rules.describes(event.actor)
    if isinstance(event, ThreadLocked):
        return lens.rules.moderates(event.actor)
    return lens.moderates


def _may_read_text(known: _Known, event: CommentPosted | CommentEdited, node: Node) -> bool:
    """
    Return whether a text of a comment may be shown.

    The current one is for whoever sees the comment; an older one only for those of them who wrote the comment or moderate.
    """
    lens = known.lens
    if lens.concealment(node) is not None:
        return False
    posted = known.facts[node.post]
    if event == (posted if node.text is None else known.facts[node.text]):
        return True
    authorised = event == posted or (
        isinstance(event, CommentEdited) and (lens.rules.moderates(event.actor) or is_author(event.actor, posted))
    )
    return authorised and (lens.moderates or lens.is_author(node))


def _may_read_correction(known: _Known, event: CorrectionSuggested | CorrectionDecided, node: Node) -> bool:
    if not node.flags & FLAGS["correction"] or known.lens.concealment(node) is not None:
        return False
    if event == known.facts[node.post]:
        return True
    return isinstance(event, CorrectionDecided) and known.lens.rules.edits_article(event.actor)
