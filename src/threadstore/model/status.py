"""
What holds for one comment or one correction: a pure function of its cells and the rules.

Who may do what is judged here and nowhere else, from the set of facts, so an unauthorised event changes nothing that
anybody sees:

- The author of a comment is whoever bears the id of the actor who posted it. An anonymous actor equals nobody.
- A cancel reaches the marks that it names, of its own kind and target, whose ids are below its own: whoever had seen a
  mark has a larger id. A mark that it had not seen stays up: the safe side wins, and no clock decides.
- A moderator's edit stands against an author's edit that had not seen it; otherwise the larger id wins.
- Approving or restoring opens exactly one text. A mark that was lifted stays down only for the texts that an approval or a
  restore naming it had *seen*: any other text by the author is held again, and `stale` says so. A moderator's edit needs no
  approval.
- Deletion and erasure are terminal: no later edit, restore or clock beats them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, Literal

from msgspec import Struct

from threadstore.model.erasure import Erasure
from threadstore.model.events import CommentEdited, CommentErased, CommentPosted, CorrectionSuggested, Event, PersonErased
from threadstore.model.policy import Rules
from threadstore.model.registers import Cell
from threadstore.model.values import Actor

__all__ = [
    "CONCEALMENTS",
    "FORBIDS",
    "Concealment",
    "Given",
    "Locks",
    "Status",
    "cancellable",
    "correction_in",
    "correction_status",
    "current_decision",
    "description",
    "effective_kinds",
    "erasure_of",
    "is_author",
    "is_forgotten",
    "is_pinned",
    "is_simple",
    "judge",
    "marks_up",
    "opened",
    "person_cutoffs",
    "rivals",
]

Cells = Mapping[str, Cell]

_EMPTY: Final[Cell] = {}
_SIMPLE: Final = frozenset({"posted"})
_GONE: Final = ("erased", "deleted", "removed")

Concealment = Literal["erased", "deleted", "removed", "held", "spoiler", "missing"]

#: In the order in which they are looked at: the first that holds conceals the body.
CONCEALMENTS: Final[tuple[Concealment, ...]] = ("erased", "deleted", "removed", "held", "spoiler")

#: Which flags of a comment or a correction forbid what somebody wants to do with it.
FORBIDS: Final[Mapping[str, tuple[Concealment, ...]]] = {
    "reply": ("erased", "deleted", "removed"),
    "edit": ("erased", "deleted"),
    "delete": ("erased",),
    "react": ("erased", "deleted", "removed", "held"),
    "spoiler": ("erased", "deleted"),
    "report": ("erased", "deleted", "removed"),
    "held": ("erased", "deleted"),
    "removed": ("erased", "deleted"),
    "pinned": ("erased", "deleted", "removed", "held"),
    "open": ("erased", "deleted"),
}

Text = CommentPosted | CommentEdited


class Status(Struct, frozen=True, gc=False):
    """
    What holds for a comment or a correction, whoever looks.

    Args:
        text: The fact whose text is current.
        flags: Those that hold, in the order of `CONCEALMENTS`.
        stale: It is held only because its text is another than the one let through.
        reported: Open reports, oldest first.
        since: The id of the oldest fact for which it waits for a moderator; empty if it does not wait.
    """

    text: CommentPosted | CommentEdited | CorrectionSuggested
    flags: tuple[Concealment, ...] = ()
    stale: bool = False
    reported: tuple[Event, ...] = ()
    since: str = ""


# --- authority ----------------------------------------------------------------------------------------------------------------


def is_author(actor: Actor | None, posted: Event) -> bool:
    """Return whether *actor* made *posted*; an anonymous actor equals nobody, not even themselves."""
    return actor is not None and posted.actor is not None and actor.id == posted.actor.id


def _by_moderators(cell: Cell, rules: Rules) -> list[Event]:
    return [event for event in cell.values() if rules.moderates(event.actor)]


def erasure_of(event: Event, rules: Rules) -> Erasure | None:
    """
    Return what *event* erases if it is an effective erasure; it can be judged by itself alone.

    A moderator may erase a comment or a person's words; a person their own.
    """
    if isinstance(event, CommentErased) and rules.moderates(event.actor):
        return Erasure(comment=event.comment)
    if isinstance(event, PersonErased) and _may_erase(event.actor, event.person, rules):
        return Erasure(person=event.person, before=event.id)
    return None


def _may_erase(actor: Actor | None, person: str, rules: Rules) -> bool:
    return actor is not None and (rules.moderates(actor) or actor.id == person)


def person_cutoffs(thread_cells: Cells, rules: Rules) -> dict[str, str]:
    """Return, for each person with an effective erasure, the id below which their words are forgotten."""
    cutoffs: dict[str, str] = {}
    for event in thread_cells.get("person", _EMPTY).values():
        erasure = erasure_of(event, rules)
        if erasure is not None and erasure.person is not None and erasure.before is not None:
            cutoffs[erasure.person] = max(erasure.before, cutoffs.get(erasure.person, ""))
    return cutoffs


def is_forgotten(event: Event, cutoffs: Mapping[str, str]) -> bool:
    """Return whether the event's texts are forgotten because of who wrote them."""
    return event.actor is not None and event.id < cutoffs.get(event.actor.id, "")


# --- flags --------------------------------------------------------------------------------------------------------------------


def _reach(cancels: Iterable[Event]) -> dict[str, str]:
    """Return, for each mark id that some cancel names, the largest id of those cancels."""
    reach: dict[str, str] = {}
    for cancel in cancels:
        for id in cancel.cancels:  # type: ignore[attr-defined]  # cells named "….cancel" hold nothing else
            if cancel.id > reach.get(id, ""):
                reach[id] = cancel.id
    return reach


def _split(marks: Iterable[Event], cancels: Iterable[Event]) -> tuple[list[Event], list[Event]]:
    """Return the marks that are up and those that are lifted."""
    marks = list(marks)
    down = _lifted({mark.id for mark in marks}, cancels)
    up: list[Event] = []
    lifted: list[Event] = []
    for mark in marks:
        (lifted if mark.id in down else up).append(mark)
    return up, lifted


def _lifted(marks: set[str], cancels: Iterable[Event]) -> set[str]:
    """
    Return those of the *marks* that a cancel with a larger id names; *marks* keeps the others.

    The last cancel is asked first: it mostly names all that there was to name. A comment that is held, approved and edited n
    times has n approvals that name up to n holds each, and to ask them all would cost n² each time.
    """
    lifted: set[str] = set()
    waiting = sorted(marks, reverse=True)  # the least one last
    for cancel in sorted(cancels, key=attrgetter("id"), reverse=True):
        while waiting and waiting[-1] in lifted:
            waiting.pop()
        if not waiting or cancel.id <= waiting[-1]:
            break
        named = {id for id in marks.intersection(cancel.cancels) if id < cancel.id}  # type: ignore[attr-defined]  # as in _reach
        lifted |= named
        marks -= named
    return lifted


def marks_of(cells: Cells, flag: str, posted: Event, rules: Rules) -> list[Event]:
    """
    Return the effective marks of a flag, lifted or not: a moderator's, those that came with the comment itself, and, for a
    spoiler, the author's. Anybody may report.
    """
    cell = cells.get(flag, _EMPTY)
    if flag == "reported":
        return list(cell.values())
    return [mark for mark in cell.values() if _may_mark(mark, flag, posted, rules)]


def _may_mark(mark: Event, flag: str, posted: Event, rules: Rules) -> bool:
    if isinstance(mark, CommentPosted):
        return mark == posted
    return rules.moderates(mark.actor) or (flag == "spoiler" and is_author(mark.actor, posted))


def marks_up(cells: Cells, flag: str, posted: Event, rules: Rules) -> list[Event]:
    """Return the effective marks of a flag that no effective cancel reaches."""
    if flag not in cells:
        return []
    marks = marks_of(cells, flag, posted, rules)
    cancels = cells.get(f"{flag}.cancel", _EMPTY)
    up, _ = _split(marks, _by_moderators(cancels, rules))
    if flag == "spoiler" and up:
        own = _reach(cancel for cancel in cancels.values() if is_author(cancel.actor, posted))
        up = [mark for mark in up if not (is_author(mark.actor, posted) and own.get(mark.id, "") > mark.id)]
    return up


# --- comments -----------------------------------------------------------------------------------------------------------------


def current_text(cells: Cells, posted: CommentPosted, rules: Rules) -> Text:
    """Return the fact whose text is the comment's, as the rules above choose it."""
    edits = cells.get("edited", _EMPTY).values()
    by_moderator = _last(edit for edit in edits if rules.moderates(edit.actor))
    by_author = _last(edit for edit in edits if is_author(edit.actor, posted) and not rules.moderates(edit.actor))
    if not isinstance(by_moderator, CommentEdited):
        return by_author if isinstance(by_author, CommentEdited) else posted
    if isinstance(by_author, CommentEdited) and by_author.id > by_moderator.id and by_author.seen >= by_moderator.id:
        return by_author
    return by_moderator


def _last(events: Iterable[Event]) -> Event | None:
    """Return the event with the largest id; of several under one id, which no honest writers make, the same in every replica."""
    return max(events, key=_by_id, default=None)


def _by_id(event: Event) -> tuple[str, tuple[str, str]]:
    return event.id, event.writer or ("", "")


def opened(cells: Cells, text: str, rules: Rules) -> dict[str, str]:
    """Return the marks that an approval or a restore which had seen the text with this id names, with the largest such id."""
    openings = (*cells.get("held.cancel", _EMPTY).values(), *cells.get("removed.cancel", _EMPTY).values())
    return _reach(
        event
        for event in openings
        if rules.moderates(event.actor) and event.seen == text  # type: ignore[attr-defined]  # both kinds have seen
    )


def _unopened(cells: Cells, posted: CommentPosted, text: Text, rules: Rules) -> list[Event]:
    """Return the lifted holds and removals that no approval or restore has opened for *text*; a moderator's edit needs none."""
    if isinstance(text, CommentEdited) and rules.moderates(text.actor):
        return []
    lifted: list[Event] = []
    for flag in ("held", "removed"):
        if f"{flag}.cancel" in cells:
            _, down = _split(marks_of(cells, flag, posted, rules), _by_moderators(cells[f"{flag}.cancel"], rules))
            lifted += down
    reach = opened(cells, text.id, rules) if lifted else {}
    return [mark for mark in lifted if reach.get(mark.id, "") <= mark.id]


def is_simple(cells: Cells, posted: Event, cutoffs: Mapping[str, str]) -> bool:
    """Return whether a comment is simple: nothing has to be judged, since nothing is known of it but that it was posted."""
    return cells.keys() == _SIMPLE and not is_forgotten(posted, cutoffs)


def judge(cells: Cells, posted: CommentPosted, cutoffs: Mapping[str, str], rules: Rules) -> Status:
    """
    Return what holds for a comment.

    Args:
        cells: The cells of the comment.
        posted: The fact that posted it, from those cells.
        cutoffs: Whose words are forgotten, from `person_cutoffs`.
        rules: Whose roles have effect.

    Complexity: O(facts about the comment).
    """
    if is_simple(cells, posted, cutoffs):
        return Status(posted)
    text = current_text(cells, posted, rules)
    stale = bool(_unopened(cells, posted, text, rules))
    held = marks_up(cells, "held", posted, rules)
    holds = {
        "erased": _is_erased(cells, rules) or is_forgotten(posted, cutoffs) or is_forgotten(text, cutoffs),
        "deleted": _is_deleted(cells, posted),
        "removed": bool(marks_up(cells, "removed", posted, rules)),
        "held": stale or bool(held),
        "spoiler": bool(marks_up(cells, "spoiler", posted, rules)),
    }
    waits_for = [*held, text] if stale else held
    return _status(text, holds, stale, _open_reports(cells, posted, rules), waits_for)


def _status(
    text: Text | CorrectionSuggested, holds: Mapping[str, bool], stale: bool, reported: tuple[Event, ...], held: Sequence[Event]
) -> Status:
    flags = tuple(flag for flag in CONCEALMENTS if holds.get(flag, False))
    is_gone = bool(flags) and flags[0] in _GONE
    since = "" if is_gone else min((fact.id for fact in (*held, *reported)), default="")
    return Status(text, flags, stale, reported, since)


def _is_erased(cells: Cells, rules: Rules) -> bool:
    return bool(_by_moderators(cells.get("erased", _EMPTY), rules))


def _is_deleted(cells: Cells, posted: Event) -> bool:
    return any(is_author(event.actor, posted) for event in cells.get("deleted", _EMPTY).values())


def _open_reports(cells: Cells, posted: Event, rules: Rules) -> tuple[Event, ...]:
    return tuple(sorted(marks_up(cells, "reported", posted, rules), key=_by_id))


def is_pinned(cells: Cells, posted: Event, rules: Rules) -> bool:
    """Return whether an effective pin holds."""
    return bool(marks_up(cells, "pinned", posted, rules))


# --- reactions ----------------------------------------------------------------------------------------------------------------

#: What one actor did with each kind of reaction last: the id of that fact, and whether it was given.
Given = Mapping[str, tuple[str, bool]]


def rivals(kind: str, rules: Rules) -> frozenset[str]:
    """Return the kinds on offer of which an actor has one at a time, *kind* among them. Complexity: O(groups)."""
    group = next((group for group in rules.exclusive if kind in group), frozenset({kind}))
    return group & rules.kinds


def effective_kinds(given: Given, rules: Rules) -> frozenset[str]:
    """
    Return the kinds of which an actor's reaction counts: given, on offer, and nothing later in its exclusive group.

    Complexity: O(kinds).
    """
    offered = {kind: last for kind, last in given.items() if kind in rules.kinds}
    return frozenset(kind for kind, (id, is_given) in offered.items() if is_given and _is_last(kind, id, offered, rules))


def _is_last(kind: str, id: str, offered: Given, rules: Rules) -> bool:
    if not rules.exclusive:
        return True
    return all((offered[other][0], other) <= (id, kind) for other in rivals(kind, rules) if other in offered)


# --- the thread as a whole ----------------------------------------------------------------------------------------------------


class Locks:
    """When a thread was locked: each effective lock with the first cancel that reached it."""

    __slots__ = ("_spans",)

    def __init__(self, thread_cells: Cells, rules: Rules) -> None:
        first: dict[str, str] = {}
        for cancel in _by_moderators(thread_cells.get("locked.cancel", _EMPTY), rules):
            for id in cancel.cancels:  # type: ignore[attr-defined]  # this cell holds ThreadUnlocked only
                if id < cancel.id < first.get(id, "g"):  # "g" sorts above every id
                    first[id] = cancel.id
        marks = _by_moderators(thread_cells.get("locked", _EMPTY), rules)
        self._spans = [(mark.id, first.get(mark.id)) for mark in marks]

    @property
    def up(self) -> list[str]:
        """Return the ids of the locks that are up."""
        return sorted(lock for lock, end in self._spans if end is None)

    def cover(self, id: str) -> bool:
        """Return whether the event with this id came while the thread was locked."""
        return bool(self._spans) and any(lock < id and (end is None or end > id) for lock, end in self._spans)


def description(thread_cells: Cells, rules: Rules) -> Event | None:
    """Return the latest effective description of the thread, a `ThreadDescribed`, if there is one."""
    described = thread_cells.get("described", _EMPTY).values()
    return _last(event for event in described if rules.describes(event.actor))


# --- corrections --------------------------------------------------------------------------------------------------------------


def correction_in(cells: Cells, id: str) -> CorrectionSuggested | None:
    """
    Return the fact that suggested the correction *id*, from its cells.

    None if there is none. An anonymous suggestion has no effect, and an id that is a comment's is no correction's.
    """
    suggested = cells.get("suggested", _EMPTY).get((id,))
    if not isinstance(suggested, CorrectionSuggested) or suggested.actor is None or "posted" in cells:
        return None
    return suggested


def correction_status(cells: Cells, suggested: CorrectionSuggested, cutoffs: Mapping[str, str], rules: Rules) -> Status:
    """Return what holds for a correction. Complexity: O(facts about it)."""
    holds = {
        "erased": _is_erased(cells, rules) or is_forgotten(suggested, cutoffs),
        "deleted": _is_deleted(cells, suggested),
        "removed": bool(marks_up(cells, "removed", suggested, rules)),
    }
    return _status(suggested, holds, False, _open_reports(cells, suggested, rules), ())


def current_decision(cells: Cells, rules: Rules) -> Event | None:
    """Return the latest effective decision on a correction, a `CorrectionDecided`, if there is one."""
    return _last(event for event in cells.get("decided", _EMPTY).values() if rules.edits_article(event.actor))


# --- what moderators name -----------------------------------------------------------------------------------------------------


def cancellable(cells: Cells, flag: str, posted: Event, rules: Rules) -> tuple[str, ...]:
    """
    Return the ids that a cancel of *flag* should name to take the flag down, as far as these cells tell.

    Those are the marks that are up. A hold or a removal that was lifted for another text than the present one needs to be
    opened for this one, so an approval or a restore names it as well.
    """
    needed = marks_up(cells, flag, posted, rules)
    if flag in ("held", "removed") and isinstance(posted, CommentPosted):
        needed += _unopened(cells, posted, current_text(cells, posted, rules), rules)
    return tuple(sorted({mark.id for mark in needed}))
