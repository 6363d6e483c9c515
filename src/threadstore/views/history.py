"""
What a reader may see of the facts themselves.

Law: a text that the views withhold from a reader is in no event that this reader is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec.structs import replace

from threadstore.model.events import (
    Actor,
    CommentEdited,
    CommentPosted,
    CorrectionDecided,
    CorrectionSuggested,
    Event,
    ThreadDescribed,
    ThreadLocked,
    redact,
)
from threadstore.model.policy import Rules
from threadstore.model.status import is_absorbed, is_author
from threadstore.views.lens import Lens, Outlined

__all__ = ["withholder"]


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
