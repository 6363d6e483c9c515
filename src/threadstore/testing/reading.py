"""
What a story shows: `Reading`, the questions that a thread answers; `Look`, the same in short words; `Example`, story and answer.

`threadstore.testing.spec.Spec` is a `Reading`; anything else becomes one through a small adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec
from attrs import field, frozen

from threadstore.model.events import Event
from threadstore.model.policy import Policy
from threadstore.model.ranking import Order
from threadstore.testing.given import Number, id_of, moment, number_of
from threadstore.testing.spec import Reader, Reveal
from threadstore.views.types import CommentView, CorrectionView, Counts, QueueItem

__all__ = ["Example", "Look", "Reading"]

_DEFAULT: Final = Policy()


class Reading(Protocol):
    """What can be asked of a thread, whoever answers."""

    def counts(self) -> Counts:
        """Return the public's figures."""
        ...

    def traversal(
        self,
        order: Order = "oldest",
        *,
        reader: Reader = None,
        reveal: Reveal = (),
        now: int | None = None,
        pinned: bool = False,
    ) -> Sequence[tuple[int, CommentView]]:
        """Return the whole thread in preorder, as (depth, comment without the replies inside)."""
        ...

    def comment(self, id: str, *, reader: Reader = None, reveal: Reveal = ()) -> CommentView:
        """Return one comment."""
        ...

    def corrections(self, *, reader: Reader = None) -> Sequence[CorrectionView]:
        """Return all corrections, oldest first."""
        ...

    def queue(self) -> Sequence[QueueItem]:
        """Return what waits for a moderator, longest waiting first."""
        ...

    def title(self) -> str:
        """Return the article's title."""
        ...

    def url(self) -> str:
        """Return the article's address."""
        ...

    def locked(self) -> bool:
        """Return whether the conversation has ended."""
        ...

    def as_of(self, moment: int) -> Reading:
        """Return the thread with the tree, reactions, pins and locks of *moment*."""
        ...


@frozen
class Look:
    """What one reader sees, in short words: numbers for ids, as in `threadstore.testing.given`."""

    source: Reading
    reader: Reader = None
    reveal: Reveal = ()

    def see(self, number: Number) -> CommentView:
        """Return one comment."""
        return self.source.comment(id_of(number), reader=self.reader, reveal=self.reveal)

    def tree(self, order: Order = "oldest", *, now: int | None = None, pinned: bool = False) -> list[tuple[int, int]]:
        """Return the thread in preorder, as (depth, number); 0 is the nil id."""
        page = self.source.traversal(order, reader=self.reader, reveal=self.reveal, now=now, pinned=pinned)
        return [(depth, number_of(comment.id)) for depth, comment in page]

    def roots(self, order: Order = "oldest", *, now: int | None = None, pinned: bool = False) -> list[int]:
        """Return the numbers of the top-level comments."""
        return [number for depth, number in self.tree(order, now=now, pinned=pinned) if depth == 0]

    def counts(self) -> tuple[int, int, int, int]:
        """Return how many comments are top level, replies, pending and hidden; the total must be the sum of the first two."""
        counts = self.source.counts()
        if counts.total != counts.top_level + counts.replies:
            raise AssertionError(f"{counts} does not add up")
        return counts.top_level, counts.replies, counts.pending, counts.hidden

    def correction(self, number: Number) -> CorrectionView:
        """Return one correction."""
        [found] = [each for each in self.source.corrections(reader=self.reader) if each.id == id_of(number)]
        return found

    def queue(self) -> list[tuple[int, tuple[str, ...], int]]:
        """Return what waits, as (number, why, since which fact)."""
        return [(number_of(item.id), item.waiting, number_of(item.since)) for item in self.source.queue()]

    def mentions(self, number: Number) -> list[tuple[str, str]]:
        """Return who is addressed in a comment, as (the words, the actor's id)."""
        comment = self.see(number)
        return [((comment.body or "")[each.start : each.end], each.actor) for each in comment.mentions]

    def marks(self, number: Number) -> dict[str, list[int]]:
        """Return the numbers of a comment's marks, by flag."""
        return {flag: list(map(number_of, ids)) for flag, ids in self.see(number).marks.items()}

    def found(self, *texts: str) -> set[str]:
        """Return which of *texts* stand anywhere in what the reader gets."""
        comments = [comment for _, comment in self.source.traversal(reader=self.reader, reveal=self.reveal)]
        single = [self.source.comment(comment.id, reader=self.reader, reveal=self.reveal) for comment in comments]
        corrections = self.source.corrections(reader=self.reader)
        told = msgspec.json.encode([comments, single, corrections, self.source.title()]).decode()
        return {text for text in texts if text in told}

    def back_to(self, number: int) -> Look:
        """Return the same look at the thread as it was when fact *number* had just happened."""
        return Look(self.source.as_of(moment(number)), self.reader, self.reveal)


def _tuple(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(events)


@frozen
class Example:
    """
    One story, and what must be seen at its end.

    Args:
        name: A short name, unique in the table.
        sentence: What holds true.
        events: The facts, in the order of the story; any other order must give the same.
        see: What to look at.
        expect: What must be seen there.
        policy: The application's rules.
        reader: Who looks.
        reveal: Which spoilers they have opened.
    """

    name: str
    sentence: str
    events: tuple[Event, ...] = field(converter=_tuple)
    see: Callable[[Look], object]
    expect: object
    policy: Policy = _DEFAULT
    reader: Reader = None
    reveal: Reveal = ()

    def check(self, source: Reading) -> None:
        """
        Look at *source*, which was made of these events under this policy.

        Raises:
            AssertionError: Something else was seen.
        """
        seen = self.see(Look(source, self.reader, self.reveal))
        if seen != self.expect:
            raise AssertionError(f"{self.name}: {self.sentence}\nexpected {self.expect!r}\n     saw {seen!r}")
