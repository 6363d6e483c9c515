"""
What an application allows, as data.

A policy is read in two places. `decide` refuses what it forbids, before an event exists. The views use its roles and kinds to
judge which events have effect, so that a forged or foreign event changes nothing that a reader sees.

The defaults suit an application that has its own sign-in and its own limits: nothing is limited that it did not ask for, save
sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from attrs import field, frozen
from attrs.validators import instance_of, is_callable, optional

from threadstore.model.commands import Command
from threadstore.model.values import MAX_BODY, MAX_KIND, MAX_NAME, MAX_NOTE, MAX_QUOTE, ROLES, SUPPORT, Actor, Role, check_key

__all__ = ["May", "Policy", "Premoderation", "Rules", "Screen", "Verdict"]

Verdict = Literal["accept", "hold", "refuse"]


class Screen(Protocol):
    """Judges a text before it is written; *thread* is the `Thread` as it stands, to be read and not to be changed."""

    def __call__(self, command: Command, thread: Any, /) -> Verdict:
        """Return "accept", "hold" or "refuse"."""
        ...


class May(Protocol):
    """Says whether a command that the rules allow is allowed here; *thread* as for `Screen`."""

    def __call__(self, command: Command, thread: Any, /) -> bool:
        """Return whether it is allowed."""
        ...


Premoderation = Literal["none", "anonymous", "newcomers", "all"]


def _several(value: Any, what: str) -> frozenset[Any]:
    if isinstance(value, str):
        raise TypeError(f"{what} must be several texts, not one str")
    return frozenset(value)


def _roles(value: Any) -> frozenset[Role]:
    roles = _several(value, "roles")
    if unknown := roles - set(ROLES):
        raise ValueError(f"unknown roles: {', '.join(sorted(map(str, unknown)))}; there are {', '.join(ROLES)}")
    return roles


def _kinds(value: Any) -> frozenset[str]:
    kinds = _several(value, "kinds")
    for kind in kinds:
        check_key(kind, "a kind of reaction", MAX_KIND)
    return kinds


def _groups(value: Any) -> tuple[frozenset[str], ...]:
    groups = tuple(_kinds(group) for group in value)
    if len(frozenset[str]().union(*groups)) != sum(map(len, groups)):
        raise ValueError("a kind can be in one exclusive group only")
    return groups


def _between(least: int, most: int | None = None) -> Callable[[Any, Any, int | None], None]:
    def check(_policy: Any, attribute: Any, value: int | None) -> None:
        if value is None and attribute.default is None:
            return
        if type(value) is not int:
            raise TypeError(f"{attribute.name} must be an int, not {type(value).__name__}")
        if value < least or (most is not None and value > most):
            raise ValueError(f"{attribute.name} must be at least {least}" + (f" and at most {most}" if most else ""))

    return check


def _one_of(*choices: str) -> Callable[[Any, Any, str], None]:
    def check(_policy: Any, attribute: Any, value: str) -> None:
        if value not in choices:
            raise ValueError(f"{attribute.name} must be one of {', '.join(choices)}, not {value!r}")

    return check


@frozen(kw_only=True)
class Rules:
    """
    The part of a policy that views depend on: who may do what, and which reactions count.

    Derived state is kept for one set of rules, so this part is hashable and holds no hook.
    """

    moderators: frozenset[Role]
    editors: frozenset[Role]
    describers: frozenset[Role]
    kinds: frozenset[str]
    exclusive: tuple[frozenset[str], ...]
    positive: frozenset[str]
    negative: frozenset[str]

    def moderates(self, actor: Actor | None) -> bool:
        """Return whether *actor* has a role that moderates; an anonymous actor never has."""
        return actor is not None and actor.role in self.moderators

    def edits_article(self, actor: Actor | None) -> bool:
        """Return whether *actor* has a role that decides corrections."""
        return actor is not None and actor.role in self.editors

    def describes(self, actor: Actor | None) -> bool:
        """Return whether *actor* has a role that describes the thread."""
        return actor is not None and actor.role in self.describers


@frozen(kw_only=True)
class Policy:
    """
    The limits, windows and roles of an application. Lengths are in characters, times and windows in milliseconds.

    Args:
        max_body: The longest body of a comment.
        max_name: The longest name of an actor.
        max_reason: The longest reason, note or title.
        max_quote: The longest quoted passage or suggested wording.
        anonymous: Whether an anonymous actor may post and report.
        premoderation: Whose comments are held until a moderator approves them: nobody's, those of anonymous actors, those of
            actors who have no visible comment in the thread yet, or everybody's. Moderators' own are never held.
        edit_window: How long an author may edit after posting; None for ever. Moderators may always.
        report_threshold: How many identified readers' open reports hold a comment; None never does.
        flood_limit: How many comments an actor may post within `flood_window`; None sets no limit. All anonymous actors share
            one.
        flood_window: See `flood_limit`.
        duplicate_window: How long the same actor may not repeat the same text under the same parent; 0 lets them.
        closes_after: How long after its first event a thread takes comments; None for ever.
        max_clock_skew: How far ids of others may lie in the future, and ids given by callers from now.
        kinds: The kinds of reaction that are offered and shown.
        exclusive: Groups of kinds of which an actor has one at a time, such as ``({"up", "down"},)``.
        positive: Kinds that count for a comment in the orders top, best, hot and controversial.
        negative: Kinds that count against it there; no kind does both.
        moderators: Roles that hold, approve, remove, restore, pin, lock, erase, and edit what others wrote.
        editors: Roles that decide corrections.
        describers: Roles that set a thread's title, address and version.
        screen: Called with a command that brings text and the thread; "hold" lets it wait for a moderator, "refuse" rejects it.
        may: Called with every command and the thread, after the rules have allowed it; False rejects it. It cannot grant what
            the rules forbid, since views judge by the rules.
    """

    max_body: int = field(default=20_000, validator=_between(1, MAX_BODY))
    max_name: int = field(default=100, validator=_between(1, MAX_NAME))
    max_reason: int = field(default=2_000, validator=_between(1, MAX_NOTE))
    max_quote: int = field(default=2_000, validator=_between(1, MAX_QUOTE))
    anonymous: bool = field(default=True, validator=instance_of(bool))
    premoderation: Premoderation = field(default="none", validator=_one_of("none", "anonymous", "newcomers", "all"))
    edit_window: int | None = field(default=None, validator=_between(0))
    report_threshold: int | None = field(default=None, validator=_between(1))
    flood_limit: int | None = field(default=None, validator=_between(1))
    flood_window: int = field(default=60_000, validator=_between(1))
    duplicate_window: int = field(default=0, validator=_between(0))
    closes_after: int | None = field(default=None, validator=_between(0))
    max_clock_skew: int = field(default=300_000, validator=_between(0))
    kinds: frozenset[str] = field(default=frozenset({SUPPORT}), converter=_kinds)
    exclusive: tuple[frozenset[str], ...] = field(default=(), converter=_groups)
    positive: frozenset[str] = field(default=frozenset({SUPPORT, "up"}), converter=_kinds)
    negative: frozenset[str] = field(default=frozenset({"down"}), converter=_kinds)
    moderators: frozenset[Role] = field(default=frozenset({"moderator", "system"}), converter=_roles)
    editors: frozenset[Role] = field(default=frozenset({"editor", "moderator", "system"}), converter=_roles)
    describers: frozenset[Role] = field(default=frozenset({"author", "editor", "moderator", "system"}), converter=_roles)
    screen: Screen | None = field(default=None, validator=optional(is_callable()))
    may: May | None = field(default=None, validator=optional(is_callable()))
    rules: Rules = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if both := self.positive & self.negative:
            raise ValueError(f"kinds that are positive and negative at once: {', '.join(sorted(both))}")
        rules = Rules(
            moderators=self.moderators,
            editors=self.editors,
            describers=self.describers,
            kinds=self.kinds,
            exclusive=self.exclusive,
            positive=self.positive & self.kinds,
            negative=self.negative & self.kinds,
        )
        object.__setattr__(self, "rules", rules)
