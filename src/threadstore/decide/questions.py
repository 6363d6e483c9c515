"""
What every command is asked, whatever it wants: is there what it is about, who asks, do the texts fit, has the application
anything against it? The rules that differ from command to command are in `threadstore.decide.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from threadstore.errors import BodyTooLong, ClockSkew, CommentIsGone, CommentNotFound, EmptyBody, NotAllowed, RefusedByScreen
from threadstore.model import commands as c
from threadstore.model import events as e
from threadstore.model.ids import check_id, time_of
from threadstore.model.outline import Node, Outline
from threadstore.model.policy import Policy
from threadstore.model.status import Standing, is_author
from threadstore.views.thread import Thread

__all__ = ["SYSTEM", "Draft", "Drafts", "Question", "check_skew"]

#: Who holds a comment when the policy does.
SYSTEM: Final = e.Actor("system", "", "system")

_NO_BOUND: Final = 1 << 62


class Draft(NamedTuple):
    """An event that has no id yet; it must be above those *replaced*, or it would have no effect."""

    kind: type[e.Event]
    fields: Mapping[str, Any]
    actor: e.Actor | None
    replaced: tuple[str, ...] = ()


Drafts = list[Draft]


class Question:
    """One command, and all that is needed to decide it."""

    def __init__(self, command: c.Command, thread: Thread, policy: Policy, now: int) -> None:
        self.command = command
        self.thread = thread
        self.policy = policy
        self.rules = policy.rules
        self.now = now
        self.by = command.by
        self.outline: Outline = thread.outline(self.rules)

    def ask_hooks(self, drafts: Drafts) -> None:
        """
        Let the application's hooks have their say.

        Raises:
            NotAllowed: `Policy.may` said no.
            RefusedByScreen: `Policy.screen` said "refuse"; "hold" adds to the drafts.
        """
        if self.policy.may is not None and not self.policy.may(self.command, self.thread):
            raise self._not_allowed()
        if self.policy.screen is None or not isinstance(self.command, c.Post | c.Edit):
            return
        verdict = self.policy.screen(self.command, self.thread)
        if verdict == "refuse":
            raise RefusedByScreen(self.command.name)
        if verdict == "hold":
            self._hold_drafted(drafts)
        elif verdict != "accept":
            raise ValueError(f"screen must answer 'accept', 'hold' or 'refuse', not {verdict!r}")

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
        return Draft(e.CommentHeld, {"comment": comment}, e.Actor(SYSTEM.id, SYSTEM.name, role))

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

    def _identified(self) -> e.Actor:
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
        e.check_text(text, field, _NO_BOUND)
        if len(text) > limit:
            raise BodyTooLong(field, len(text), limit)

    def _said(self, field: str, text: str, limit: int) -> None:
        self._bounded(field, text, limit)
        if not text.strip():
            raise EmptyBody(field)

    def _comment(self, id: str) -> tuple[Node, e.CommentPosted, Standing]:
        node = self.outline.comment(id)
        if node is None or node.posted is None or node.standing is None:
            raise CommentNotFound(self.command.thread, id)
        return node, node.posted, node.standing

    def _target(self, id: str) -> tuple[e.Event, Standing]:
        """Return a comment or a correction."""
        correction = self.outline.correction(id)
        if correction is not None:
            return correction.text, correction
        _, posted, standing = self._comment(id)
        return posted, standing

    @staticmethod
    def _must_not_be(id: str, standing: Standing, *flags: str) -> None:
        for flag in standing.flags:
            if flag in flags:
                raise CommentIsGone(id, flag)

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


def check_skew(id: str, policy: Policy, now: int) -> None:
    """Refuse an id of the far future: to mint above it would drag the clock forward."""
    if time_of(id) > now + policy.max_clock_skew:
        raise ClockSkew(id, time_of(id) - policy.max_clock_skew)
