"""Who is addressed in a text is found anew when something comes late that changes it: rows stay what a fold makes of the log."""

from __future__ import annotations

import threadstore
from threadstore import Actor, CommentEdited, CommentErased, CommentPosted, Event
from threadstore.testing.given import THREAD, id_of

ANN = Actor("ann", "Ann")
BOB = Actor("bob", "Ann")
MODERATOR = Actor("m", "Mo", "moderator")


def said(number: int, by: Actor, body: str = "Well.", to: int | None = None) -> CommentPosted:
    """Return a comment."""
    return CommentPosted(id=id_of(number), thread=THREAD, actor=by, body=body, parent=None if to is None else id_of(to))


def addressed(*merges: list[Event], comment: int) -> list[str]:
    """Merge some events, the lists one after another, and return whom a comment addresses, if all rows are as they should be."""
    with threadstore.open(":memory:") as store:
        for events in merges:
            store.merge(events)
        assert list(store.verify()) == []
        return [mention.actor for mention in store.thread(THREAD).comment(id_of(comment)).mentions]


def test_a_name_is_erased_together_with_who_calls_it():
    """A text that comes in one batch with the erasure of the only comment it could mean addresses nobody."""
    before: list[Event] = [said(1, ANN), said(9, ANN)]
    erased = CommentErased(id=id_of(10), thread=THREAD, actor=MODERATOR, comment=id_of(1))
    assert addressed(before, [erased, said(5, BOB, "@Ann, you were there.")], comment=5) == []


def test_the_parent_comes_late_and_says_nothing_any_more():
    """Of several with one name the nearest above is meant, though the comment above came last, and without its words."""
    erased = CommentErased(id=id_of(8), thread=THREAD, actor=MODERATOR, comment=id_of(1))
    edited = CommentEdited(id=id_of(9), thread=THREAD, actor=ANN, comment=id_of(3), body="@Ann, edited.")
    before: list[list[Event]] = [[said(7, BOB)], [erased], [said(3, ANN, to=1)], [edited]]
    assert addressed(*before, comment=3) == ["bob"]
    assert addressed(*before, [said(1, ANN)], comment=3) == ["ann"]
