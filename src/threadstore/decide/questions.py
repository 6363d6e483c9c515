"""
What every command is asked, whatever it wants: is there what it is about, who asks, do the texts fit, has the application
anything against it? The rules that differ from command to command are in `threadstore.decide.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from threadstore.decide.known import Known
from threadstore.errors import BodyTooLong, ClockSkew, CommentIsGone, CommentNotFound, EmptyBody, NotAllowed, RefusedByScreen
from threadstore.model import commands as c
from threadstore.model import events as e
from threadstore.model.ids import check_id, time_of
from threadstore.model.outline import Node, flags_in
from threadstore.model.policy import Policy, Verdict
from threadstore.model.state import posted_in
from threadstore.model.status import FORBIDS, Concealment, Status, correction_in, correction_status, is_author, judge
from threadstore.model.values import Actor, check_text

__all__ = ["SYSTEM", "Draft", "Drafts", "Question", "ask_hooks", "check_skew"]

#: Who holds a comment when the policy does.
SYSTEM: Final = Actor("system", "", "system")

_NO_BOUND: Final = 1 << 62


class Draft(NamedTuple):
    """An event that has no id yet; it must be above those *replaced*, or it would have no effect."""

    kind: type[e.Event]
    fields: Mapping[str, Any]
    actor: Actor | None
    replaced: tuple[str, ...] = ()


Drafts = list[Draft]


class Question:
    """One command, and all that is needed to decide it."""

    def __init__(self, command: c.Command, thread: Known, policy: Policy, now: int) -> None:
        self.command = command
        self.thread = thread
        self.policy = policy
        self.rules = policy.rules
        self.now = now
        self.by = command.by

    def heed(self, verdict: Verdict, drafts: Drafts) -> None:
        """Add to the drafts what the application's screen said."""
        if verdict == "hold":
            self._hold_drafted(drafts)

    def _hold_drafted(self, drafts: Drafts) -> None:
        first = drafts[0]
        if first.kind is e.CommentPosted:
            drafts[0] = first._replace(fields={**first.fields, "held": True})
        else:
            drafts.append(self._hold(first.fields["comment"]))

    def _hold(self, comment: str) -> Draft:
        """Return the hold that the policy places by itself, in a role that may: "system" if it does not say otherwise."""
        roles = self.rules.moderators
        role = SYSTEM.role if SYSTEM.role in roles else min(roles, default=SYSTEM.role)
        return Draft(e.CommentHeld, {"comment": comment}, Actor(SYSTEM.id, SYSTEM.name, role))

    # --- what the rules have in common ----------------------------------------------------------------------------------------

    def _draft(self, event: type[e.Event], *, replaced: Iterable[str] = (), **fields: Any) -> Drafts:
        return [Draft(event, fields, self.by, tuple(replaced))]

    def _not_allowed(self) -> NotAllowed:
        return NotAllowed(self.command.name, *((None, None) if self.by is None else (self.by.id, self.by.role)))

    def _require(self, allowed: bool) -> None:
        if not allowed:
            raise self._not_allowed()

    def _actor_id(self) -> str | None:
        return None if self.by is None else self.by.id

    def _identified(self) -> Actor:
        if self.by is None:
            raise self._not_allowed()
        return self.by

    def _moderates(self) -> bool:
        return self.rules.moderates(self.by)

    def _check_name(self) -> None:
        if self.by is not None:
            self._bounded("name", self.by.name, self.policy.max_name)

    @staticmethod
    def _bounded(field: str, text: str, limit: int) -> None:
        check_text(text, field, _NO_BOUND)
        if len(text) > limit:
            raise BodyTooLong(field, len(text), limit)

    def _said(self, field: str, text: str, limit: int) -> None:
        self._bounded(field, text, limit)
        if not text.strip():
            raise EmptyBody(field)

    def _place(self, id: str) -> Node:
        """Return the place of a comment that is there."""
        node = self.thread.node(id, self.rules)
        if node is None or not node.is_comment:
            raise CommentNotFound(self.command.thread, id)
        return node

    def _comment(self, id: str) -> tuple[e.CommentPosted, Status]:
        self._place(id)
        cells = self.thread.cells(id)
        posted = posted_in(cells, id)
        assert posted is not None, id
        return posted, judge(cells, posted, self._cutoffs(), self.rules)

    def _correction(self, id: str) -> Status | None:
        node = self.thread.node(id, self.rules)
        if node is None or node.is_comment:
            return None
        cells = self.thread.cells(id)
        suggested = correction_in(cells, id)
        return None if suggested is None else correction_status(cells, suggested, self._cutoffs(), self.rules)

    def _cutoffs(self) -> Mapping[str, str]:
        return self.thread.cutoffs(self.rules)

    def _target(self, id: str) -> tuple[e.Event, Status]:
        """Return a comment or a correction."""
        correction = self._correction(id)
        return self._comment(id) if correction is None else (correction.text, correction)

    @staticmethod
    def _must_allow(what: str, id: str, flags: Iterable[Concealment]) -> None:
        """Refuse *what* where one of a comment's flags forbids it."""
        for flag in flags:
            if flag in FORBIDS[what]:
                raise CommentIsGone(id, flag)

    def _place_allowing(self, what: str, id: str) -> Node:
        node = self._place(id)
        self._must_allow(what, id, flags_in(node.flags))
        return node

    def _seen(self, seen: str | None, present: str) -> str:
        """Return the text that the actor says they had before them, by default the present one."""
        if not seen:
            return present
        if self.thread.fact(check_id(seen, "seen")) is None:  # one that is there may well be of a clock that was wrong
            check_skew(seen, self.policy, self.now)
        return seen

    def _last_cancel(self, flag: str, target: str, otherwise: str, posted: e.Event | None = None) -> str:
        """Return the id of the last cancel of a flag by a moderator or, given what was *posted*, by its author."""
        cancels = self.thread.cells(target).get(f"{flag}.cancel", {}).values()
        effective = (
            cancel.id
            for cancel in cancels
            if self.rules.moderates(cancel.actor) or (posted is not None and is_author(cancel.actor, posted))
        )
        return max(effective, default=otherwise)


def ask_hooks(command: c.Command, policy: Policy, thread: Any) -> Verdict:
    """
    Return what the application's hooks say of a command: "accept" or "hold".

    Args:
        command: Who wants what.
        policy: Whose hooks are asked.
        thread: What they may read of the thread.

    Raises:
        NotAllowed: `Policy.may` said no.
        RefusedByScreen: `Policy.screen` said "refuse".
        ValueError: It said something else.
    """
    if policy.may is not None and not policy.may(command, thread):
        raise NotAllowed(command.name, *((None, None) if command.by is None else (command.by.id, command.by.role)))
    if policy.screen is None or not isinstance(command, c.Post | c.Edit):
        return "accept"
    verdict = policy.screen(command, thread)
    if verdict == "refuse":
        raise RefusedByScreen(command.name)
    if verdict not in ("accept", "hold"):
        raise ValueError(f"screen must answer 'accept', 'hold' or 'refuse', not {verdict!r}")
    return verdict


def check_skew(id: str, policy: Policy, now: int) -> None:
    """Refuse an id of the far future: to mint above it would drag the clock forward."""
    if time_of(id) > now + policy.max_clock_skew:
        raise ClockSkew(id, time_of(id) - policy.max_clock_skew)
