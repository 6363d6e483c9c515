"""
A small universe of facts that exhausts what can meet: every subset, every order, every cut.

`UNIVERSE` is one thread of hand-picked facts, in which each meets what it could be confused by: a reply before its parent, an
edit by the author, by a moderator and by a forger, two removals and a restore that had seen the first, and so on. Nothing is left
to chance. All subsets up to three in all orders and all cuts found 21 of 21 seeded bugs; events drawn field by field found 2.

`STORIES` are the chains that need more than three of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations
from typing import Final, TypeVar

from threadstore.model.events import Event
from threadstore.model.values import Actor
from threadstore.testing.given import (
    ANN,
    AUTHOR,
    BOB,
    EDITOR,
    MODERATOR,
    SYSTEM,
    approved,
    cleared,
    decided,
    deleted,
    described,
    edited,
    erased,
    held,
    locked,
    marked,
    person_erased,
    pinned,
    posted,
    reacted,
    removed,
    reported,
    resolved,
    restored,
    suggested,
    unlocked,
    unpinned,
    unreacted,
)

__all__ = ["STORIES", "UNIVERSE", "cuts", "orders", "subsets"]

T = TypeVar("T")

_FORGER: Final = Actor("bob", "Bob", "author")

_ROOT: Final = posted(10, spoiler=True, held=True)
_REPLY: Final = posted(20, "@Ann Lee w20", to=10, by=BOB)
_VOID: Final = posted(15, to=20)
_SELF: Final = posted(16, to=16, by=None)
_EDIT: Final = edited(30, 10)
_TIDIED: Final = edited(29, 10, by=MODERATOR)
_FORGED: Final = edited(90, 10, by=_FORGER)
_DELETED: Final = deleted(31, 10)
_ERASED: Final = erased(80, 10)
_PERSON: Final = person_erased(81, ANN, by=ANN)
_REMOVED: Final = removed(40, 10)
_REMOVED_AGAIN: Final = removed(41, 10)
_RESTORED: Final = restored(42, 10, cancels=[40], seen=30)
_RESTORED_BOTH: Final = restored(43, 10, cancels=[40, 41])
_HELD: Final = held(44, 20)
_APPROVED: Final = approved(45, 10, cancels=[10], seen=10)
_APPROVED_EDIT: Final = approved(46, 10, cancels=[10, 40], seen=30)
_MARKED: Final = marked(47, 10, by=MODERATOR)
_CLEARED_BY_AUTHOR: Final = cleared(48, 10, cancels=[10, 47])
_CLEARED: Final = cleared(49, 10, cancels=[10, 47], by=MODERATOR)
_REACTED: Final = reacted(50, 10)
_REACTED_AGAIN: Final = reacted(52, 10)
_UNREACTED: Final = unreacted(51, 10)
_LOCKED: Final = locked(14)
_UNLOCKED: Final = unlocked(21, cancels=[14])
_FORGED_REMOVAL: Final = removed(53, 20, by=BOB)
_REPORTED: Final = reported(54, 10, seen=10)
_RESOLVED: Final = resolved(55, 10, cancels=[54])
_PINNED: Final = pinned(56, 20)
_UNPINNED: Final = unpinned(57, 20, cancels=[56])
_SUGGESTED: Final = suggested(60)
_ACCEPTED: Final = decided(61, 60, "accepted")
_DECLINED: Final = decided(62, 60, "declined", by=SYSTEM)
_DESCRIBED: Final = described(70, by=AUTHOR)
_DESCRIBED_AGAIN: Final = described(71, by=EDITOR)

#: The facts, in the order of their names above, which is none in particular.
UNIVERSE: Final[tuple[Event, ...]] = (
    _ROOT,
    _REPLY,
    _VOID,
    _SELF,
    _EDIT,
    _TIDIED,
    _FORGED,
    _DELETED,
    _ERASED,
    _PERSON,
    _REMOVED,
    _REMOVED_AGAIN,
    _RESTORED,
    _HELD,
    _APPROVED,
    _APPROVED_EDIT,
    _MARKED,
    _CLEARED_BY_AUTHOR,
    _REACTED,
    _UNREACTED,
    _LOCKED,
    _UNLOCKED,
    _FORGED_REMOVAL,
    _REPORTED,
    _RESOLVED,
    _PINNED,
    _UNPINNED,
    _SUGGESTED,
    _ACCEPTED,
    _DECLINED,
    _DESCRIBED,
    _DESCRIBED_AGAIN,
)

#: Chains of at most five facts, by what they are about: few enough for every order (120) and every cut.
STORIES: Final[Mapping[str, tuple[Event, ...]]] = {
    "reply before its parent": (_ROOT, _REPLY, _VOID, _SELF),
    "reply to a correction": (_SUGGESTED, posted(63, to=60), posted(64, to=63)),
    "edits and a forged one": (_ROOT, _EDIT, _TIDIED, _FORGED, _APPROVED_EDIT),
    "moderator's edit, seen": (posted(10), _TIDIED, edited(32, 10, seen=29), _EDIT, _FORGED),
    "delete, then sent again": (_ROOT, _DELETED, _EDIT, _ROOT, _REPLY),
    "deleted and restored": (posted(10), _REMOVED, _DELETED, _RESTORED, _REPLY),
    "delete of a delete": (_ROOT, _DELETED, deleted(33, 31), deleted(34, 10, by=BOB)),
    "own edit from 2100": (posted(10), _DELETED, edited(2_402_444_800, 10)),
    "erased in parts": (_ROOT, _EDIT, _ERASED, _PERSON, _REPLY),
    "person erased, then writes": (posted(10), edited(82, 10), _PERSON, posted(83), _REACTED),
    "two removals, one seen": (posted(10), _REMOVED, _REMOVED_AGAIN, _RESTORED, _EDIT),
    "two removals, both seen": (posted(10), _REMOVED, _REMOVED_AGAIN, _RESTORED_BOTH, _EDIT),
    "cancel of a cancel": (posted(10), _REMOVED, restored(42, 10, cancels=[40]), restored(43, 10, cancels=[42])),
    "approved, then edited": (_ROOT, _APPROVED, _EDIT, _APPROVED_EDIT),
    "hold that no one saw": (_ROOT, held(39, 10), _APPROVED, _APPROVED_EDIT, _EDIT),
    "spoiler by two": (posted(10, spoiler=True), _MARKED, _CLEARED_BY_AUTHOR, _CLEARED),
    "react, react, unreact": (posted(10), _REACTED, _REACTED_AGAIN, _UNREACTED, _REACTED),
    "lock and a late reply": (posted(10), _LOCKED, posted(20, to=10, by=BOB), _UNLOCKED, posted(22, to=10, by=BOB)),
    "reports": (_ROOT, _REPORTED, _RESOLVED, reported(58, 10, seen=30), _EDIT),
    "pins": (_REPLY, _PINNED, _UNPINNED, pinned(58, 20)),
    "correction": (_SUGGESTED, _ACCEPTED, _DECLINED, decided(63, 60, "reopened"), removed(64, 60)),
    "description by two writers": (_DESCRIBED, _DESCRIBED_AGAIN, described(72, by=BOB)),
    "same id, two payloads": (posted(10, "a", held=True), posted(10, "b", by=BOB), _APPROVED, _EDIT),
}


def subsets(most: int, facts: Sequence[Event] = UNIVERSE) -> Iterator[tuple[Event, ...]]:
    """
    Yield every subset of up to *most* facts, the smallest first.

    >>> len(list(subsets(2))) == 1 + len(UNIVERSE) + len(UNIVERSE) * (len(UNIVERSE) - 1) // 2
    True
    """
    for size in range(most + 1):
        yield from combinations(facts, size)


def orders(subset: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Yield every order of the facts; there are n! of them."""
    return permutations(subset)


def cuts(story: Sequence[T]) -> Iterator[tuple[tuple[T, ...], tuple[T, ...]]]:
    """
    Yield every way to cut the story into what came first and what came then, in its order.

    >>> list(cuts("ab"))
    [((), ('a', 'b')), (('a',), ('b',)), (('a', 'b'), ())]
    """
    for at in range(len(story) + 1):
        yield tuple(story[:at]), tuple(story[at:])
