"""
Histories from small integers: what the laws are tried on.

Ordering bugs hide from events that are drawn field by field: two random ids are never equal, and a random cancel never names a
mark. Here every event is told by a few small integers, its *op-code*, and happens in a small world: six comments at most, two
corrections, ten actors, three milliseconds. So an edit meets a deletion of the same comment; a cancel names marks that exist, or
some, none, or those of others; a reply finds its parent, or misses it, or is its own. Half of the time whoever acts is entitled
to, else it is anybody. Half of the time an event's id is above all that came before it in the list, as honest clocks mint it;
else it falls anywhere, also below what it refers to.

Few kinds at a time find more than all at once: see `FAMILIES` and `random_history` ("swarm testing", Groce et al., ISSTA 2012).

Every text holds a token of its own such as ``"w0017"``, all of one length, so a text that leaks can be found and traced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Final

from msgspec.structs import replace

from threadstore.model.erasure import redact
from threadstore.model.events import (
    OUTCOMES,
    CommentApproved,
    CommentDeleted,
    CommentEdited,
    CommentErased,
    CommentHeld,
    CommentPinned,
    CommentPosted,
    CommentRemoved,
    CommentReported,
    CommentRestored,
    CommentUnpinned,
    CorrectionDecided,
    CorrectionSuggested,
    Event,
    PersonErased,
    ReactionGiven,
    ReactionWithdrawn,
    ReportsResolved,
    SpoilerCleared,
    SpoilerMarked,
    ThreadDescribed,
    ThreadLocked,
    ThreadUnlocked,
    UnknownEvent,
)
from threadstore.model.ids import make_id, random_bits, time_of
from threadstore.model.values import Actor, TextQuote
from threadstore.testing.given import EPOCH, THREAD

__all__ = ["ACTORS", "BOUNDS", "COMMENTS", "FAMILIES", "KINDS", "WIDTH", "World", "history", "kinds_of", "random_history"]

#: A family is a mark with its cancel and what that looks at, or whatever else meets in one register. Comments are posted in every
#: history.
FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("comment.edited", "comment.deleted"),
    "erasure": ("comment.erased", "person.erased"),
    "removal": ("comment.removed", "comment.restored", "comment.edited"),
    "hold": ("comment.held", "comment.approved", "comment.edited"),
    "report": ("comment.reported", "reports.resolved", "comment.edited"),
    "spoiler": ("spoiler.marked", "spoiler.cleared"),
    "pin": ("comment.pinned", "comment.unpinned"),
    "reaction": ("reaction.given", "reaction.withdrawn"),
    "lock": ("thread.locked", "thread.unlocked"),
    "description": ("thread.described",),
    "correction": ("correction.suggested", "correction.decided", "comment.removed", "comment.deleted"),
    "copy": ("again", "redacted", "unknown"),
}

#: All that a history can be made of: the tags of the events and three words more: a fact comes "again", or without its text
#: ("redacted"), or a newer release wrote one of a kind that is "unknown".
KINDS: Final = ("comment.posted", *dict.fromkeys(kind for family in FAMILIES.values() for kind in family))

#: A moderator, without whom little has effect; names that begin alike, one name that two have, one person in two roles, nobody.
ACTORS: Final[tuple[Actor | None, ...]] = (
    Actor("m", "Mo", "moderator"),
    Actor("a", "Ann"),
    Actor("b", "Ann Lee"),
    None,
    Actor("c", "Ann"),
    Actor("a", "Ann", "moderator"),
    Actor("j", "Joy", "author"),
    Actor("e", "Eda, Editor", "editor"),
    Actor("s", "", "system"),
    Actor("b", "Ann Lee", "author"),
)

#: How many comments there are in a history: the fewer, the more happens to each.
COMMENTS: Final = (1, 2, 3, 6)

#: An op-code: which kind, which actor, which target, when, and what else there is to choose. Larger integers wrap round.
BOUNDS: Final = (len(KINDS), len(ACTORS), 8, 12, 288)
WIDTH: Final = len(BOUNDS)

_BODIES: Final = ("{}", "{}", "@Ann Lee {}", "@Ann, {}", "{} @Ann Leeds", "{} x@Ann", "{} @Eda, Editor", "@Ann Lee@Ann{}")
_BY_ANYBODY: Final = ("comment.posted", "correction.suggested", "comment.reported", "reaction.given", "reaction.withdrawn")
_BY_AUTHORS: Final = ("comment.edited", "comment.deleted", "spoiler.marked", "spoiler.cleared")
_REACTIONS: Final = ("support", "up", "down", "laugh")
_CORRECTIONS: Final = 2
_BUCKETS: Final = 3
_HONEST: Final = 6  # from here on, *when* means: above all that came before

# The upper part of an id's random bits orders the events of a millisecond; the lower part makes ids unique.
_TICK: Final = 1 << 32
_RANK: Final = 1_000
_SLOT: Final = 100


class _Choice:
    """One small integer, taken apart into independent choices."""

    def __init__(self, code: int) -> None:
        self._left = code

    def of(self, count: int) -> int:
        """Choose one of *count*; what has run out of choices chooses the first."""
        self._left, chosen = divmod(self._left, count)
        return chosen


class World:
    """
    A small world in which op-codes happen, one after the other.

    Args:
        kinds: The kinds that can happen, out of `KINDS`.
        actors: Who can act.
        comments: How many comments there can be.
        twins: Whether an id may be used by two different facts, which honest writers never do.
        thread: The key of the conversation.
    """

    def __init__(
        self,
        *,
        kinds: Sequence[str] = KINDS,
        actors: Sequence[Actor | None] = ACTORS,
        comments: int = 6,
        twins: bool = False,
        thread: str = THREAD,
    ) -> None:
        self.kinds = kinds
        self.actors = actors
        self.comments = comments
        self.twins = twins
        self.thread = thread
        self.events: list[Event] = []

    def step(self, kind: int, actor: int, target: int, when: int, detail: int) -> Event:
        """Let one op-code happen and return the event."""
        tag = self.kinds[kind % len(self.kinds)]
        choice = _Choice(detail % BOUNDS[4])
        by = self.actors[actor % len(self.actors)]
        if choice.of(2):
            by = self._entitled(tag, target, by)
        event = _MAKERS[tag](self, by, target, when % BOUNDS[3], choice)
        if self.twins and self.events and choice.of(4) == 1:
            event = replace(event, id=self.events[target % len(self.events)].id)
        self.events.append(event)
        return event

    # --- who acts ---

    def _entitled(self, tag: str, target: int, by: Actor | None) -> Actor | None:
        """Return somebody whose act of this kind has effect: *by*, an author, or the first actor, who should be a moderator."""
        if tag in _BY_ANYBODY:
            return by
        if tag in _BY_AUTHORS:
            about = self._target(target)
            return next((event.actor for event in self.events if event.id == about), by)
        return self.actors[0]

    # --- ids ---

    def comment_id(self, slot: int) -> str:
        """Return the id of a comment; comments are spread over the buckets of time, and there is one that is never posted."""
        slot %= self.comments + 1
        bucket = slot * _BUCKETS // (self.comments + 1)
        return make_id(EPOCH + bucket, 0, (_SLOT + slot) * _TICK)

    def correction_id(self, slot: int) -> str:
        """Return the id of a correction."""
        slot %= _CORRECTIONS
        return make_id(EPOCH + slot, 0, (_SLOT * 2 + slot) * _TICK)

    def _mint(self, when: int) -> str:
        """Return a new id: in one of three milliseconds, or above all ids so far."""
        serial = len(self.events) + 1
        if when < _HONEST:
            return make_id(EPOCH + when % _BUCKETS, 0, (when // _BUCKETS * _RANK) * _TICK + serial)
        last = max((event.id for event in self.events), default=self.comment_id(0))
        return make_id(time_of(last), 0, (random_bits(last) // _TICK + 1) * _TICK + serial)

    # --- what an event is about ---

    def _target(self, target: int) -> str:
        """Return a comment's id or, where corrections are suggested, now and then one of theirs."""
        if "correction.suggested" in self.kinds and target >= BOUNDS[2] - _CORRECTIONS:
            return self.correction_id(target)
        return self.comment_id(target % self.comments)

    def _about(self, kinds: tuple[type[Event], ...], target: str | None = None) -> list[str]:
        """Return the ids of the marks so far, about *target* or about anything."""
        return [event.id for event in self.events if isinstance(event, kinds) and target in (None, event.target)]

    def _cancels(self, kinds: tuple[type[Event], ...], target: str, choice: _Choice) -> tuple[str, ...]:
        """Return all the marks, mostly; or the first, the last, none, or every mark there is, whatever it is about."""
        marks = self._about(kinds, target)
        chosen = choice.of(6)
        if chosen < 2:
            return tuple(marks)
        if chosen == 5:
            return tuple(self._about((Event,)))
        return tuple((marks[:1], marks[-1:], [])[chosen - 2])

    def _seen(self, comment: str, choice: _Choice) -> str:
        """Return which text somebody had seen: the latest, the first, or the one that came last, whatever its id."""
        edits = self._about((CommentEdited,), comment)
        return (max(edits, default=""), "", edits[-1] if edits else "")[choice.of(3)]

    def _token(self, prefix: str = "w") -> str:
        return f"{prefix}{len(self.events):04}"

    # --- the kinds ---

    def _posted(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        taken = {event.id for event in self.events if isinstance(event, CommentPosted)}
        slots = [slot % self.comments for slot in range(target, target + self.comments)]
        free = [slot for slot in slots if self.twins or self.comment_id(slot) not in taken]
        if not free:
            return self._instead(by, target, when, choice)
        parent, flags = choice.of(12), choice.of(8)
        return CommentPosted(
            id=self.comment_id(free[0]),
            thread=self.thread,
            actor=by,
            parent=self._parent(free[0], parent),
            body=_BODIES[when % len(_BODIES)].format(self._token()),
            spoiler=flags in (1, 3),
            held=flags in (2, 3),
            at=EPOCH - when if when > 9 else None,
            meta={"site": self._token("m")} if when % 3 == 1 else None,
        )

    def _parent(self, slot: int, chosen: int) -> str | None:
        """Return a parent: none, the comment before, the first, one halfway, itself, a later one, a missing one, a correction."""
        if chosen < 3 or (slot == 0 and chosen < 8):
            return None
        if chosen < 8:
            return self.comment_id((slot - 1, slot - 1, slot - 1, 0, slot // 2)[chosen - 3])
        others = self.comment_id(slot), self.comment_id(slot + 1), make_id(EPOCH - 1, 0, slot % 2), self.correction_id(slot)
        return others[chosen - 8]

    def _edited(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        comment = self._target(target)
        body = _BODIES[choice.of(len(_BODIES))].format(self._token())
        seen = self._seen(comment, choice)
        return CommentEdited(id=self._mint(when), thread=self.thread, actor=by, comment=comment, body=body, seen=seen)

    def _deleted(self, by: Actor | None, target: int, when: int, _choice: _Choice) -> Event:
        return CommentDeleted(id=self._mint(when), thread=self.thread, actor=by, comment=self._target(target))

    def _erased(self, by: Actor | None, target: int, when: int, _choice: _Choice) -> Event:
        return CommentErased(id=self._mint(when), thread=self.thread, actor=by, comment=self._target(target))

    def _person_erased(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        people = [actor.id for actor in (by, *self.actors) if actor is not None]
        person = people[0 if choice.of(2) else target % len(people)] if people else "a"
        return PersonErased(id=self._mint(when), thread=self.thread, actor=by, person=person)

    def _removed(self, by: Actor | None, target: int, when: int, _choice: _Choice) -> Event:
        comment, reason = self._target(target), self._token("r")
        return CommentRemoved(id=self._mint(when), thread=self.thread, actor=by, comment=comment, reason=reason)

    def _restored(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        comment = self._target(target)
        cancels, seen = self._cancels((CommentRemoved,), comment, choice), self._seen(comment, choice)
        return CommentRestored(id=self._mint(when), thread=self.thread, actor=by, comment=comment, cancels=cancels, seen=seen)

    def _held(self, by: Actor | None, target: int, when: int, _choice: _Choice) -> Event:
        comment, reason = self._target(target), self._token("r")
        return CommentHeld(id=self._mint(when), thread=self.thread, actor=by, comment=comment, reason=reason)

    def _approved(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        comment = self._target(target)
        marks = (CommentHeld, CommentPosted, CommentRemoved)
        cancels, seen = self._cancels(marks, comment, choice), self._seen(comment, choice)
        return CommentApproved(id=self._mint(when), thread=self.thread, actor=by, comment=comment, cancels=cancels, seen=seen)

    def _reported(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        comment, reason = self._target(target), self._token("r")
        seen = self._seen(comment, choice)
        return CommentReported(id=self._mint(when), thread=self.thread, actor=by, comment=comment, reason=reason, seen=seen)

    def _resolved(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        comment = self._target(target)
        cancels = self._cancels((CommentReported,), comment, choice)
        return ReportsResolved(id=self._mint(when), thread=self.thread, actor=by, comment=comment, cancels=cancels)

    def _marked(self, by: Actor | None, target: int, when: int, _choice: _Choice) -> Event:
        return SpoilerMarked(id=self._mint(when), thread=self.thread, actor=by, comment=self._target(target))

    def _cleared(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        comment = self._target(target)
        cancels = self._cancels((SpoilerMarked, CommentPosted), comment, choice)
        return SpoilerCleared(id=self._mint(when), thread=self.thread, actor=by, comment=comment, cancels=cancels)

    def _pinned(self, by: Actor | None, target: int, when: int, _choice: _Choice) -> Event:
        return CommentPinned(id=self._mint(when), thread=self.thread, actor=by, comment=self._target(target))

    def _unpinned(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        comment = self._target(target)
        cancels = self._cancels((CommentPinned,), comment, choice)
        return CommentUnpinned(id=self._mint(when), thread=self.thread, actor=by, comment=comment, cancels=cancels)

    def _given(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        comment, kind = self._target(target), _REACTIONS[choice.of(len(_REACTIONS))]
        return ReactionGiven(id=self._mint(when), thread=self.thread, actor=by, comment=comment, kind=kind)

    def _withdrawn(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        comment, kind = self._target(target), _REACTIONS[choice.of(len(_REACTIONS))]
        return ReactionWithdrawn(id=self._mint(when), thread=self.thread, actor=by, comment=comment, kind=kind)

    def _locked(self, by: Actor | None, _target: int, when: int, _choice: _Choice) -> Event:
        return ThreadLocked(id=self._mint(when), thread=self.thread, actor=by, reason=self._token("r"))

    def _unlocked(self, by: Actor | None, _target: int, when: int, choice: _Choice) -> Event:
        cancels = self._cancels((ThreadLocked,), "", choice)
        return ThreadUnlocked(id=self._mint(when), thread=self.thread, actor=by, cancels=cancels)

    def _described(self, by: Actor | None, target: int, when: int, _choice: _Choice) -> Event:
        title, url, version = self._token("t"), f"https://example.org/{target}", f"v{when}"
        return ThreadDescribed(id=self._mint(when), thread=self.thread, actor=by, title=title, url=url, article_version=version)

    def _suggested(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        taken = {event.id for event in self.events if isinstance(event, CorrectionSuggested)}
        slots = range(target, target + _CORRECTIONS)
        free = [slot for slot in slots if self.twins or self.correction_id(slot) not in taken]
        if not free:
            return self._instead(by, target, when, choice)
        return CorrectionSuggested(
            id=self.correction_id(free[0]),
            thread=self.thread,
            actor=by,
            quote=TextQuote(self._token("q"), start=when),
            suggestion=self._token("s"),
            note=self._token("n"),
            article_version=f"v{when % 2}",
        )

    def _decided(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        outcome, note = OUTCOMES[choice.of(len(OUTCOMES))], self._token("n")
        correction = self.correction_id(target) if choice.of(8) < 7 else self.comment_id(target)
        return CorrectionDecided(
            id=self._mint(when), thread=self.thread, actor=by, correction=correction, outcome=outcome, note=note
        )

    def _instead(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        """Return something else, where all comments or corrections that there can be are there."""
        others = [kind for kind in self.kinds if kind not in ("comment.posted", "correction.suggested")] or ["again"]
        return _MAKERS[others[choice.of(len(others))]](self, by, target, when, choice)

    def _again(self, _by: Actor | None, target: int, _when: int, choice: _Choice) -> Event:
        """Return some earlier event as it was; where there is none yet, something of no consequence."""
        if not self.events:
            return self._unknown(None, target, 0, choice)
        return self.events[(target + choice.of(8)) % len(self.events)]

    def _redacted(self, by: Actor | None, target: int, when: int, choice: _Choice) -> Event:
        return redact(self._again(by, target, when, choice))

    def _unknown(self, by: Actor | None, _target: int, when: int, _choice: _Choice) -> Event:
        return UnknownEvent(id=self._mint(when), thread=self.thread, actor=by, kind="comment.boosted", schema=1)


_Maker = Callable[[World, Actor | None, int, int, _Choice], Event]

_MAKERS: Final[Mapping[str, _Maker]] = {
    "comment.posted": World._posted,
    "comment.edited": World._edited,
    "comment.deleted": World._deleted,
    "comment.erased": World._erased,
    "person.erased": World._person_erased,
    "comment.removed": World._removed,
    "comment.restored": World._restored,
    "comment.held": World._held,
    "comment.approved": World._approved,
    "comment.reported": World._reported,
    "reports.resolved": World._resolved,
    "spoiler.marked": World._marked,
    "spoiler.cleared": World._cleared,
    "comment.pinned": World._pinned,
    "comment.unpinned": World._unpinned,
    "reaction.given": World._given,
    "reaction.withdrawn": World._withdrawn,
    "thread.locked": World._locked,
    "thread.unlocked": World._unlocked,
    "thread.described": World._described,
    "correction.suggested": World._suggested,
    "correction.decided": World._decided,
    "again": World._again,
    "redacted": World._redacted,
    "unknown": World._unknown,
}


def history(
    codes: Sequence[int],
    *,
    kinds: Sequence[str] = KINDS,
    actors: Sequence[Actor | None] = ACTORS,
    comments: int = 6,
    twins: bool = False,
    thread: str = THREAD,
) -> list[Event]:
    """
    Return the events that *codes* tell, `WIDTH` integers each; a last one that is too short is filled with zeros.

    The arguments are those of `World`. The same arguments give the same events.

    >>> [event.kind_tag for event in history([0, 0, 0, 0, 0, 1])]
    ['comment.posted', 'comment.edited']

    Complexity: O(n²): every event looks at all before it.
    """
    world = World(kinds=kinds, actors=actors, comments=comments, twins=twins, thread=thread)
    left = iter(codes)
    while code := list(islice(left, WIDTH)):
        world.step(*code, *[0] * (WIDTH - len(code)))
    return world.events


def random_history(
    seed: int, size: int, *, comments: int | None = None, twins: bool = False, thread: str = THREAD
) -> list[Event]:
    """
    Return a history of *size* events: a few families, a moderator and a few others, few (by default very few) comments.

    The same arguments give the same events.

    Complexity: as `history`.
    """
    random = Random(seed)  # noqa: S311 - made-up data needs no cryptography
    kinds = kinds_of(random.sample(sorted(FAMILIES), random.randint(1, 3)))
    actors = [ACTORS[0], *random.sample(ACTORS[1:], random.randint(1, 4))]
    few = random.choice(COMMENTS)
    codes = [random.randrange(bound) for _ in range(size) for bound in BOUNDS]
    return history(codes, kinds=kinds, actors=actors, comments=comments or few, twins=twins, thread=thread)


def kinds_of(families: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds of these families, each once, and the posting of comments."""
    return ("comment.posted", *dict.fromkeys(kind for family in families for kind in FAMILIES[family]))
