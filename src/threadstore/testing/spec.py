"""
The naive specification: what a thread looks like, said as plainly as it can be said.

`Spec` sorts a set of events and answers every question by looking through all of them again. It keeps no running state, knows no
joins and no columns, and may take quadratic time. The fold and the views are tested against it, so it shares no code with them:
it is a second opinion, written from the design alone. Each rule is one small function that names the section of the design for
which it speaks.

Two steps come before every question:

1. The facts are sorted, so "the last" of several is always the one with the largest id. Of two rivals under one id only the
   larger fact is believed (design: The core law).
2. What an effective erasure absorbs is redacted, wherever it stands (design: The core law). From here on nothing knows the
   lost texts, so nothing can show them.

Only the sort keys of the orders are borrowed from `threadstore.model.ranking`, whose formulas have oracles of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeVar
from unicodedata import category

from threadstore.errors import CommentNotFound
from threadstore.model.codec import encode
from threadstore.model.erasure import Erasure, is_redacted, redact
from threadstore.model.events import (
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
)
from threadstore.model.ids import NIL, time_of
from threadstore.model.policy import Policy, Rules
from threadstore.model.ranking import Key, Order, Votes, key
from threadstore.model.values import Actor
from threadstore.views.types import (
    CONCEALMENTS,
    CommentView,
    Concealment,
    CorrectionView,
    Counts,
    Mention,
    QueueItem,
    ReportView,
)

__all__ = ["Reader", "Reveal", "Spec", "find_mentions"]

Reader = Actor | str | None
Reveal = Collection[str] | Literal["all"]
Text = CommentPosted | CommentEdited
Mark = Event
Cancel = CommentRestored | CommentApproved | ReportsResolved | SpoilerCleared | CommentUnpinned | ThreadUnlocked
_Reaction = ReactionGiven | ReactionWithdrawn
E = TypeVar("E", bound=Event)

_DEFAULT: Final = Policy()

#: Each flag with the facts that raise it and those that take it down (design: The core law, the row "Flag").
_FLAGS: Final[Mapping[str, tuple[type[Event], type[Cancel]]]] = {
    "removed": (CommentRemoved, CommentRestored),
    "held": (CommentHeld, CommentApproved),
    "spoiler": (SpoilerMarked, SpoilerCleared),
    "reported": (CommentReported, ReportsResolved),
    "pinned": (CommentPinned, CommentUnpinned),
    "locked": (ThreadLocked, ThreadUnlocked),
}

#: What `as_of` moves: tree, reactions, pins and locks, but never a text or what conceals it (design: Identity and time).
_MOVING: Final = frozenset(
    {CommentPosted, ReactionGiven, ReactionWithdrawn, CommentPinned, CommentUnpinned, ThreadLocked, ThreadUnlocked}
)


class _Eyes(NamedTuple):
    """A reader: their id, whether they moderate, and which spoilers they have revealed."""

    id: str | None
    moderates: bool
    reveal: Reveal

    def reveals(self, comment: str) -> bool:
        return self.reveal == "all" or comment in self.reveal


def _eyes(reader: Reader, reveal: Reveal, rules: Rules) -> _Eyes:
    """Only an Actor brings a role (design: The face)."""
    if isinstance(reader, Actor):
        return _Eyes(reader.id, rules.moderates(reader), reveal)
    return _Eyes(reader, False, reveal)


# --- which facts there are ----------------------------------------------------------------------------------------------------


def _rank(event: Event) -> tuple[str, bytes, bool, bytes]:
    """Return what facts are sorted by: ids; of two under one id skeletons decide, then texts (design: The core law)."""
    return event.id, encode(redact(event)), not is_redacted(event), encode(event)


def _place(event: Event) -> tuple[object, ...]:
    """
    Return where a fact counts: two under one id and in one place are rivals.

    It holds all that authority is judged by, so a forged twin never ousts the true fact (design: The core law).
    """
    match event:
        case CommentPosted() | CorrectionSuggested():
            return type(event), event.id
        case ReactionGiven() | ReactionWithdrawn():
            return "reaction", event.id, event.comment, event.kind, event.actor and event.actor.id
        case PersonErased():
            return type(event), event.id, event.person, event.writer
    return type(event), event.id, event.target, event.writer


def _agreed(events: Iterable[Event]) -> list[Event]:
    """Return the facts in order, without repeats and without the smaller of two rivals."""
    believed: dict[tuple[object, ...], Event] = {}
    for event in sorted(events, key=_rank):
        believed[_place(event)] = event
    return sorted(believed.values(), key=_rank)


def _erasures(events: Iterable[Event], rules: Rules) -> Iterator[Erasure]:
    """Yield the effective erasures: a moderator's, and a person's of themself (design: The core law)."""
    for event in events:
        match event:
            case CommentErased() if rules.moderates(event.actor):
                yield Erasure(comment=event.comment)
            case PersonErased() if rules.moderates(event.actor) or _is(event.actor, event.person):
                yield Erasure(person=event.person, before=event.id)


def _is(actor: Actor | None, id: str | None) -> bool:
    """Return whether the actor has this id; anonymous equals nobody, not even another anonymous (design: The core law)."""
    return actor is not None and actor.id == id


def _same(one: Actor | None, other: Actor | None) -> bool:
    return other is not None and _is(one, other.id)


class Spec:
    """
    What *events*, a set of facts of one thread in any order, mean under *policy*.

    Raises:
        ValueError: The events belong to several threads.
    """

    def __init__(self, events: Iterable[Event], *, policy: Policy = _DEFAULT, moment: int | None = None) -> None:
        self.policy = policy
        self.rules = policy.rules
        self.moment = moment
        agreed = _agreed(events)
        threads = {event.thread for event in agreed}
        if len(threads) > 1:
            raise ValueError(f"the events belong to several threads: {', '.join(sorted(threads))}")
        self.thread = threads.pop() if threads else ""
        self.erasures = list(_erasures(agreed, self.rules))
        self.events = [redact(event) if self._is_absorbed(event) else event for event in agreed]
        self._about: dict[str, list[Event]] = {}
        for event in self.events:
            self._about.setdefault(event.target, []).append(event)
        self._corrections = {event.id for event in self._suggestions() if self._find(event.id) is None}

    def as_of(self, moment: int) -> Spec:
        """Return the thread with the tree, reactions, pins and locks of *moment* (design: Identity and time)."""
        return Spec(self.events, policy=self.policy, moment=moment)

    def _is_absorbed(self, event: Event) -> bool:
        return any(erasure.covers(event) for erasure in self.erasures)

    def _all(self, kind: type[E]) -> list[E]:
        """Return the facts of *kind* in order; those that `as_of` moves only up to the moment."""
        return [event for event in self.events if type(event) is kind and self._had_happened(event)]

    def _facts(self, kind: type[E], target: str) -> list[E]:
        """Return the facts of *kind* about *target*, likewise."""
        return [event for event in self._about.get(target, ()) if type(event) is kind and self._had_happened(event)]

    def _had_happened(self, event: Event) -> bool:
        return self.moment is None or type(event) not in _MOVING or time_of(event.id) <= self.moment

    # --- what comments there are, and where they hang (design: Identity and time) ---

    def _posts(self) -> list[CommentPosted]:
        return self._all(CommentPosted)

    def _find(self, id: str) -> CommentPosted | None:
        posts = self._facts(CommentPosted, id)
        return posts[0] if posts else None

    def _above(self, id: str) -> str | None:
        """Return what the comment hangs under: a comment or a placeholder; None at the top level."""
        post = self._find(id)
        if post is None or post.parent is None:
            return None
        return NIL if post.parent >= post.id or post.parent in self._corrections else post.parent

    def _ancestors(self, id: str) -> list[str]:
        """Return what stands above the comment, nearest first. Parents are smaller than their replies, so this ends."""
        ancestors = []
        above = self._above(id)
        while above is not None:
            ancestors.append(above)
            above = self._above(above)
        return ancestors

    def _replies(self, id: str) -> list[str]:
        return [post.id for post in self._posts() if self._above(post.id) == id]

    def _placeholders(self) -> list[str]:
        above = {self._above(post.id) for post in self._posts()}
        return sorted(id for id in above if id is not None and self._find(id) is None)

    def _roots(self) -> list[str]:
        return sorted([post.id for post in self._posts() if post.parent is None] + self._placeholders())

    # --- who may do what (design: The core law; Policy.rules) ---

    def _author(self, id: str) -> Actor | None:
        """Return who wrote the comment; None as well if it is not there."""
        post = self._find(id)
        return post.actor if post else None

    def _may_mark(self, flag: str, mark: Mark) -> bool:
        if flag == "reported":
            return True
        if flag == "spoiler" and _same(mark.actor, self._author(mark.target)):
            return True
        return self.rules.moderates(mark.actor)

    def _may_cancel(self, flag: str, cancel: Cancel, mark: Mark) -> bool:
        """Return whether the cancel reaches: a moderator's every mark, an author's only their own spoiler marks (as above)."""
        if flag == "spoiler" and _same(cancel.actor, self._author(mark.target)) and _same(cancel.actor, mark.actor):
            return True
        return self.rules.moderates(cancel.actor)

    # --- flags (design: The core law, the row "Flag") ---

    def _marks(self, flag: str, target: str) -> list[Mark]:
        """Return the effective marks; a comment's own flags are marks with its id, whoever posted it (design: The core law)."""
        raises = _FLAGS[flag][0]
        marks: list[Mark] = [mark for mark in self._facts(raises, target) if self._may_mark(flag, mark)]
        own = [post for post in self._facts(CommentPosted, target) if _carries(post, flag)]
        return sorted([*own, *marks], key=_by_id)

    def _cancels(self, flag: str, mark: Mark) -> list[Cancel]:
        """Return the effective cancels: who saw a mark names it and has a larger id (design: Identity and time)."""
        lowers = _FLAGS[flag][1]
        return [
            cancel
            for cancel in self._facts(lowers, mark.target)
            if mark.id in cancel.cancels and mark.id < cancel.id and self._may_cancel(flag, cancel, mark)
        ]

    def _up(self, flag: str, target: str) -> list[Mark]:
        """Return the marks that no cancel had seen: they stay up, the safe side wins (design: The core law)."""
        return [mark for mark in self._marks(flag, target) if not self._cancels(flag, mark)]

    def _lifted(self, flag: str, target: str) -> list[Mark]:
        return [mark for mark in self._marks(flag, target) if self._cancels(flag, mark)]

    def _up_ids(self, target: str) -> dict[str, tuple[str, ...]]:
        """Return what a cancel should name, by flag: the marks that are up, and those that this text must be opened for."""
        unopened = self._unopened(target)
        flags = {
            flag: _distinct([*self._up(flag, target), *(unopened if flag in ("held", "removed") else [])]) for flag in _FLAGS
        }
        standing = self._standing(target) if self._find(target) else ()
        return {
            flag: ids
            for flag, ids in flags.items()
            if ids and (flag not in ("held", "removed") or not self._find(target) or flag in standing)
        }

    # --- the text that stands (design: Events, the paragraph on `seen`) ---

    def _text(self, id: str) -> Text:
        """Return the text: a moderator's edit stands against an author's that had not seen it; else the larger id."""
        post = self._facts(CommentPosted, id)[0]
        edits = self._facts(CommentEdited, id)
        moderators = [edit for edit in edits if self.rules.moderates(edit.actor)]
        authors = [edit for edit in edits if _same(edit.actor, post.actor) and not self.rules.moderates(edit.actor)]
        if not moderators:
            return authors[-1] if authors else post
        if authors and authors[-1].id > moderators[-1].id and authors[-1].seen >= moderators[-1].id:
            return authors[-1]
        return moderators[-1]

    def _is_by_moderator(self, text: Text) -> bool:
        """Return whether the text needs no approval: a moderator's *edit*; what a moderator posted does, once it was held."""
        return isinstance(text, CommentEdited) and self.rules.moderates(text.actor)

    def _is_opened(self, mark: Mark, text: Text) -> bool:
        """Return whether the text was let through after the mark: approving or restoring opens exactly the text seen."""
        openings = [*self._facts(CommentApproved, mark.target), *self._facts(CommentRestored, mark.target)]
        return any(
            self.rules.moderates(opening.actor)
            and mark.id < opening.id
            and mark.id in opening.cancels
            and opening.seen == text.id
            for opening in openings
        )

    def _stale(self, id: str) -> bool:
        """Return whether the comment was let through with another text: it stays held and returns to the queue."""
        return bool(self._unopened(id))

    def _unopened(self, id: str) -> list[Mark]:
        """Return the lifted holds and removals that were not opened for the text that stands."""
        if self._find(id) is None or self._is_by_moderator(text := self._text(id)):
            return []
        lifted = self._lifted("removed", id) + self._lifted("held", id)
        return [mark for mark in lifted if not self._is_opened(mark, text)]

    # --- what stands (design: The core law; Concealment) ---

    def _erased(self, id: str, texts: Iterable[Event]) -> bool:
        """Return whether it was erased by name, or because a person was erased whose text this is."""
        by_name = any(erasure.comment == id for erasure in self.erasures)
        return by_name or any(self._is_absorbed(text) for text in texts)

    def _deleted(self, id: str, author: Actor | None) -> bool:
        """Return whether its author took it back: nobody else can, and it is for good."""
        return any(_same(event.actor, author) for event in self._facts(CommentDeleted, id))

    def _standing(self, id: str) -> tuple[Concealment, ...]:
        """Return the flags of the comment that hold, whoever looks."""
        flags = {
            "erased": self._erased(id, [*self._facts(CommentPosted, id), self._text(id)]),
            "deleted": self._deleted(id, self._author(id)),
            "removed": bool(self._up("removed", id)),
            "held": bool(self._up("held", id)) or self._stale(id),
            "spoiler": bool(self._up("spoiler", id)),
        }
        return tuple(flag for flag in CONCEALMENTS if flags[flag])

    def _standing_of_correction(self, event: CorrectionSuggested) -> tuple[Concealment, ...]:
        """Return likewise for a correction, which can not be held and hides no surprise (design: Events)."""
        flags = {
            "erased": self._erased(event.id, [event]),
            "deleted": self._deleted(event.id, event.actor),
            "removed": bool(self._up("removed", event.id)),
        }
        return tuple(flag for flag in CONCEALMENTS if flags.get(flag))

    def _opens(self, flag: Concealment, id: str, eyes: _Eyes) -> bool:
        """Return whether a flag conceals nothing from this reader; deleted and erased open to nobody (design: Concealment)."""
        match flag:
            case "removed":
                return eyes.moderates
            case "held":
                return eyes.moderates or _is(self._author(id), eyes.id)
            case "spoiler":
                return eyes.reveals(id)
        return False

    def _concealed(self, id: str, standing: tuple[Concealment, ...], eyes: _Eyes) -> Concealment | None:
        """Return the first flag that does not open to this reader (design: Concealment)."""
        closed = [flag for flag in standing if not self._opens(flag, id, eyes)]
        return closed[0] if closed else None

    def _is_public(self, id: str) -> bool:
        """Return whether everybody sees the comment, or its spoiler notice."""
        return set(self._standing(id)) <= {"spoiler"}

    # --- counts (design: Counts) ---

    def counts(self) -> Counts:
        """Return the public's figures: each comment in one place, placeholders in none."""
        posts = self._posts()
        public = [post for post in posts if self._is_public(post.id)]
        pending = [post for post in posts if set(self._standing(post.id)) in ({"held"}, {"held", "spoiler"})]
        top_level = sum(post.parent is None for post in public)
        return Counts(
            top_level=top_level,
            replies=len(public) - top_level,
            total=len(public),
            pending=len(pending),
            hidden=len(posts) - len(public) - len(pending),
        )

    # --- reactions (design: Reactions) ---

    def _given(self, id: str) -> set[tuple[str, str]]:
        """Return who reacted how, as (kind, actor's id): an actor's last word on a kind, or on an exclusive group of kinds."""
        facts: list[_Reaction] = [*self._facts(ReactionGiven, id), *self._facts(ReactionWithdrawn, id)]
        last: dict[tuple[object, str], _Reaction] = {}
        for event in sorted(facts, key=_rank):
            if event.actor is not None and event.kind in self.rules.kinds:
                last[self._group(event.kind), event.actor.id] = event
        return {(event.kind, actor) for (_, actor), event in last.items() if isinstance(event, ReactionGiven)}

    def _group(self, kind: str) -> object:
        groups = [group for group in self.rules.exclusive if kind in group]
        return groups[0] if groups else kind

    def _reactions(self, id: str) -> dict[str, int]:
        """Return how many actors reacted to the comment, by kind."""
        kinds = [kind for kind, _ in self._given(id)]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    def _reacted(self, id: str, actor: str | None) -> tuple[str, ...]:
        """Return how the actor with this id reacted to the comment."""
        return tuple(sorted(kind for kind, by in self._given(id) if by == actor))

    # --- mentions (design: Mentions) ---

    def _mentions(self, id: str) -> tuple[Mention, ...]:
        """
        Return who is addressed in the comment's text, however concealed it is.

        A name must have been used by a smaller id than the text's. A text is today's, so names are too, also in an `as_of`.
        """
        text = self._text(id)
        posts = {event.id: event for event in self.events if isinstance(event, CommentPosted)}
        nearer = [posts[ancestor] for ancestor in reversed(self._ancestors(id)[:_LOOKED_AT]) if ancestor in posts]
        names: dict[str, str] = {}
        for post in [*posts.values(), *nearer]:
            if post.id < text.id and post.actor is not None and post.actor.name.strip():
                names[post.actor.name] = post.actor.id
        return find_mentions(text.body, names)

    # --- the thread as a whole (design: Events; Late) ---

    def _description(self) -> ThreadDescribed | None:
        facts = [event for event in self._all(ThreadDescribed) if self.rules.describes(event.actor)]
        return facts[-1] if facts else None

    def title(self) -> str:
        """Return the article's title."""
        description = self._description()
        return description.title if description else ""

    def url(self) -> str:
        """Return the article's address."""
        description = self._description()
        return description.url if description else ""

    def locked(self) -> bool:
        """Return whether the conversation has ended."""
        return bool(self._up("locked", ""))

    def _late(self, id: str) -> bool:
        """Return whether the comment is a reader's, and a lock with a smaller id had no cancel below the comment's id."""
        actor = self._author(id)
        if actor is not None and actor.role != "reader":
            return False
        locks = [mark for mark in self._marks("locked", "") if mark.id < id]
        return any(not any(cancel.id < id for cancel in self._cancels("locked", lock)) for lock in locks)

    # --- one comment, as one reader sees it (design: The face) ---

    def comment(self, id: str, *, reader: Reader = None, reveal: Reveal = ()) -> CommentView:
        """
        Return one comment (or the placeholder that replies hang under), also if it has gone from pages.

        Raises:
            CommentNotFound: There is neither.
        """
        if self._find(id) is None and id not in self._placeholders():
            raise CommentNotFound(self.thread, id)
        return self._view(id, _eyes(reader, reveal, self.rules))

    def late(self, id: str) -> bool:
        """Return whether the comment came while the thread was locked; errors as for `comment`."""
        return self.comment(id).late

    def mentions(self, id: str, *, reader: Reader = None, reveal: Reveal = ()) -> tuple[Mention, ...]:
        """Return who is addressed in the comment, as far as this reader sees it; errors as for `comment`."""
        return self.comment(id, reader=reader, reveal=reveal).mentions

    def _view(self, id: str, eyes: _Eyes) -> CommentView:
        post = self._find(id)
        if post is None:
            return self._placeholder(id)
        standing = self._standing(id)
        concealed = self._concealed(id, standing, eyes)
        is_tombstone = concealed not in (None, "spoiler")
        text = self._text(id)
        edit = text if isinstance(text, CommentEdited) else None
        is_erased = "erased" in standing
        return CommentView(
            id=id,
            parent=post.parent,
            author=_nameless(post.actor) if is_erased else post.actor,
            posted_at=time_of(id) if post.at is None else post.at,
            edited_at=time_of(edit.id) if edit else None,
            edited_by=None if edit is None else _nameless(edit.actor) if is_erased else edit.actor,
            text_id=text.id,
            body=None if concealed else text.body,
            concealed=concealed,
            flags=standing,
            stale=self._stale(id),
            spoiler="spoiler" in standing,
            reactions={} if is_tombstone else self._reactions(id),
            reacted=() if is_tombstone else self._reacted(id, eyes.id),
            mentions=() if concealed else self._mentions(id),
            pinned=not is_tombstone and bool(self._up("pinned", id)),
            late=self._late(id),
            depth=len(self._ancestors(id)),
            replies=(),
            reply_count=self._reply_count(id),
            left=0,
            more=None,
            meta={} if is_tombstone else dict(post.meta or {}),
            marks=self._up_ids(id) if eyes.moderates else {},
        )

    def _placeholder(self, id: str) -> CommentView:
        """Return what a reply hangs under while its parent is missing or void (design: Identity and time)."""
        return CommentView(
            id=id,
            parent=None,
            author=None,
            posted_at=time_of(id),
            edited_at=None,
            edited_by=None,
            text_id=id,
            body=None,
            concealed="missing",
            flags=("missing",),
            stale=False,
            spoiler=False,
            reactions={},
            reacted=(),
            mentions=(),
            pinned=False,
            late=False,
            depth=0,
            replies=(),
            reply_count=self._reply_count(id),
            left=0,
            more=None,
            meta={},
            marks={},
        )

    def _reply_count(self, id: str) -> int:
        return sum(self._is_public(reply) for reply in self._replies(id))

    # --- the whole thread, as one reader sees it (design: Counts; Orders) ---

    def traversal(
        self,
        order: Order = "oldest",
        *,
        reader: Reader = None,
        reveal: Reveal = (),
        now: int | None = None,
        pinned: bool = False,
    ) -> list[tuple[int, CommentView]]:
        """
        Return all that pages show to this reader, in preorder: each comment once, with its depth, without its replies inside.

        Top-level comments stand in *order*, with *pinned* those first that a moderator pinned; replies are oldest first.

        Raises:
            ValueError: There is no such order, or hot was asked for without saying what time it is.
        """
        eyes = _eyes(reader, reveal, self.rules)
        shown = self._shown(eyes)
        todo = list(reversed(self._ordered(order, now, pinned)))
        seen = []
        while todo:
            id = todo.pop()
            if id in shown:
                view = self._view(id, eyes)
                seen.append((view.depth, view))
                todo.extend(reversed(self._replies(id)))
        return seen

    def _shown(self, eyes: _Eyes) -> set[str]:
        """Visibility is not inherited: what opens to the reader is shown, and so is all that stands above it (design: Counts)."""
        shown: set[str] = set()
        for post in self._posts():
            if self._concealed(post.id, self._standing(post.id), eyes) in (None, "spoiler"):
                shown.update([post.id, *self._ancestors(post.id)])
        return shown

    def _ordered(self, order: Order, now: int | None, pinned: bool) -> list[str]:
        """Orders and pins are the public's, the same for every reader: what the public does not see has no votes and no pin."""
        roots = sorted(self._roots(), key=lambda id: self._key(id, order, now))
        if not pinned:
            return roots
        lead = [id for id in roots if self._find(id) and self._is_public(id) and self._up("pinned", id)]
        return lead + [id for id in roots if id not in lead]

    def _key(self, id: str, order: Order, now: int | None) -> Key:
        """Return what the top-level comment is sorted by, always ending in the id (design: Orders)."""
        if order == "hot" and now is None:
            raise ValueError("the order hot needs to know what time it is now")
        up, down = self._votes(id)
        return key(order, Votes(id, up, down, self._latest(id)), now=now or 0)

    def _votes(self, id: str) -> tuple[int, int]:
        if self._find(id) is None or not self._is_public(id):
            return 0, 0
        reactions = self._reactions(id)
        up = sum(count for kind, count in reactions.items() if kind in self.rules.positive)
        down = sum(count for kind, count in reactions.items() if kind in self.rules.negative)
        return up, down

    def _latest(self, id: str) -> str:
        """Return the largest id in the comment's subtree that the public sees; its own if there is none."""
        subtree = [post.id for post in self._posts() if id in (post.id, *self._ancestors(post.id))]
        return max([each for each in subtree if self._is_public(each)], default=id)

    # --- corrections (design: Corrections) ---

    def _suggestions(self) -> list[CorrectionSuggested]:
        """Anonymous posts and reports, no more (design: The core law)."""
        return [event for event in self._all(CorrectionSuggested) if event.actor is not None]

    def corrections(self, *, reader: Reader = None) -> list[CorrectionView]:
        """Return every suggested correction, oldest first; what is concealed from the reader stays, without its texts."""
        eyes = _eyes(reader, (), self.rules)
        return [self._correction(event, eyes) for event in self._suggestions()]

    def _correction(self, event: CorrectionSuggested, eyes: _Eyes) -> CorrectionView:
        standing = self._standing_of_correction(event)
        concealed = self._concealed(event.id, standing, eyes)
        decision = self._decision(event.id)
        return CorrectionView(
            id=event.id,
            author=event.actor,
            suggested_at=time_of(event.id),
            article_version=event.article_version,
            quote=None if concealed else event.quote,
            suggestion=None if concealed else event.suggestion,
            note="" if concealed else event.note,
            state=_STATES[decision.outcome] if decision else "open",
            decided_by=None if decision is None else _nameless(decision.actor) if "erased" in standing else decision.actor,
            decided_at=time_of(decision.id) if decision else None,
            decision_note=decision.note if decision and not concealed else "",
            concealed=concealed,
            flags=standing,
            span=None,
            orphaned=False,
            marks=self._marks_of_correction(event.id) if eyes.moderates else {},
        )

    def _marks_of_correction(self, id: str) -> dict[str, tuple[str, ...]]:
        return {flag: ids for flag, ids in self._up_ids(id).items() if flag in ("removed", "reported")}

    def _decision(self, id: str) -> CorrectionDecided | None:
        """Return the editors' last word, unless it took the decision back."""
        decisions = [event for event in self._facts(CorrectionDecided, id) if self.rules.edits_article(event.actor)]
        return decisions[-1] if decisions and decisions[-1].outcome != "reopened" else None

    # --- what waits for a moderator (design: The face; Events) ---

    def queue(self) -> list[QueueItem]:
        """
        Return the held, stale and reported comments and the reported corrections, longest waiting first.

        They are shown whole, as to a moderator who has revealed every spoiler; what nobody may see again does not wait.
        """
        items = [self._waiting_comment(post.id) for post in self._posts()]
        items += [self._waiting_correction(event) for event in self._suggestions()]
        return sorted((item for item in items if item), key=lambda item: (item.since, item.id))

    def _waiting_comment(self, id: str) -> QueueItem | None:
        standing = self._standing(id)
        reports = self._reports(id, self._text(id).id)
        since = [mark.id for mark in self._up("held", id)] + [report.id for report in reports]
        waiting = []
        if self._stale(id):
            waiting.append("stale")
            since.append(self._text(id).id)
        elif "held" in standing:
            waiting.append("held")
        if reports:
            waiting.append("reported")
        if not waiting or _is_gone(standing):
            return None
        return QueueItem(
            id=id,
            waiting=tuple(waiting),
            since=min(since),
            comment=self._view(id, _MODERATOR),
            correction=None,
            reports=reports,
        )

    def _waiting_correction(self, event: CorrectionSuggested) -> QueueItem | None:
        reports = self._reports(event.id, event.id)
        if not reports or _is_gone(self._standing_of_correction(event)):
            return None
        return QueueItem(
            id=event.id,
            waiting=("reported",),
            since=reports[0].id,
            comment=None,
            correction=self._correction(event, _MODERATOR),
            reports=reports,
        )

    def _reports(self, id: str, text: str) -> tuple[ReportView, ...]:
        """Return the open reports, oldest first; one on an older text says so (design: Events)."""
        return tuple(
            ReportView(
                id=mark.id,
                actor=mark.actor,
                reason=mark.reason,
                seen=mark.seen,
                outdated=mark.seen != text,
            )
            for mark in self._up("reported", id)
            if isinstance(mark, CommentReported)
        )


#: Who looks at the queue: "the queue shows spoilers" (design: Concealment).
_MODERATOR: Final = _Eyes(None, True, "all")

#: How many signs of a text, and how many ancestors, are looked at for mentions (design: Mentions).
_LOOKED_AT: Final = 1_000

_STATES: Final[Mapping[str, Literal["open", "accepted", "declined"]]] = {"accepted": "accepted", "declined": "declined"}


# --- small words --------------------------------------------------------------------------------------------------------------


def _by_id(event: Event) -> str:
    return event.id


def _carries(post: CommentPosted, flag: str) -> bool:
    return {"spoiler": post.spoiler, "held": post.held}.get(flag, False)


def _distinct(marks: Iterable[Mark]) -> tuple[str, ...]:
    return tuple(sorted({mark.id for mark in marks}))


def _nameless(actor: Actor | None) -> Actor | None:
    return None if actor is None else Actor(actor.id, "", actor.role)


def _is_gone(standing: Collection[str]) -> bool:
    return not {"erased", "deleted", "removed"}.isdisjoint(standing)


def find_mentions(body: str, names: Mapping[str, str]) -> tuple[Mention, ...]:
    """
    Return where *body* addresses one of *names* (name -> actor's id), the longest name first (design: Mentions).

    Only the first thousand signs are looked at that could begin a mention.

    >>> find_mentions("@Ann Lee, @Ann Leeds", {"Ann Lee": "u-1"})
    (Mention(start=0, end=8, actor='u-1'),)
    """
    found: list[Mention] = []
    could_begin = [at for at, sign in enumerate(body) if sign == "@" and not body[max(at - 1, 0) : at].isalnum()]
    for start in could_begin[:_LOOKED_AT]:
        if found and start < found[-1].end:
            continue
        for name in sorted(names, key=len, reverse=True):
            end = start + 1 + len(name)
            if body[start + 1 : end] == name and not _goes_on(body[end : end + 1]):
                found.append(Mention(start, end, names[name]))
                break
    return tuple(found)


def _goes_on(following: str) -> bool:
    """Return whether a word goes on with a character: a letter, a digit or a combining mark."""
    return following.isalnum() or (following != "" and category(following)[0] == "M")
