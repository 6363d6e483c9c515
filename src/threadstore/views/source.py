"""
`Source`: what the views ask of whatever keeps a thread.

The pages, lists and histories are written once, over this port. `threadstore.views.memory` answers
from a `Thread`, `threadstore.readmodel.source` from tables. Each method is a plan, so that an
answer may take a database's time; those of a thread in memory ask for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from threadstore.model.events import Event
from threadstore.model.index import SortKey
from threadstore.model.mentions import Mention
from threadstore.model.outline import Node
from threadstore.model.policy import Rules
from threadstore.model.ranking import Order
from threadstore.model.state import Cells
from threadstore.model.status import Locks
from threadstore.model.values import Actor
from threadstore.plans import Plan
from threadstore.views.types import CommentView, Counts

__all__ = ["Head", "Said", "Source", "Walk"]


class Head(Struct, frozen=True):
    """What is known of a thread as a whole; `latest` is the largest id seen."""

    revision: int
    counts: Counts
    locked: bool
    latest: str
    title: str = ""
    url: str = ""
    unreadable: int = 0


class Walk(NamedTuple):
    """A part of the top level, or if *flat* of all comments: at most *limit* that follow *after* in *order*."""

    order: Order
    now: int
    limit: int
    after: SortKey | None
    pinned: bool = False
    flat: bool = False


class Said(Struct):
    """
    The words of a comment, and whose they are.

    Args:
        parent: What it answers, whether that is there or not.
        actor: Who posted it.
        at: When, if that differs from its id.
        meta: The application's own strings.
        text: The id of the fact whose text is current.
        body: That text.
        editor: Who wrote it, if it is an edit's.
        mentions: Who is addressed in it.
        view: What was made of it last for somebody to whom it is like to all others; see `Lens.comment`.
    """

    parent: str | None
    actor: Actor | None
    at: int | None
    meta: Mapping[str, str] | None
    text: str
    body: str
    editor: Actor | None
    mentions: tuple[Mention, ...]
    view: CommentView | None = None


class Source(Protocol):
    """One thread under one set of rules, to be read."""

    key: str
    rules: Rules

    def head(self) -> Plan[Head]:
        """Return what is known of the thread as a whole."""
        ...

    def walk(self, walk: Walk) -> Plan[tuple[Sequence[Node], int]]:
        """Return the nodes of a walk, in its order, and how many there are behind its beginning."""
        ...

    def children(self, parents: Sequence[str], most: int) -> Plan[Mapping[str, Sequence[Node]]]:
        """Return the first live children of each of some nodes, at most *most* of each; those without any may be missing."""
        ...

    def children_behind(self, parent: str, after: str, limit: int) -> Plan[tuple[Sequence[Node], int]]:
        """Return the live children above *after*, at most *limit*, and how many there are."""
        ...

    def nodes(self, ids: Collection[str]) -> Plan[Mapping[str, Node]]:
        """Return the nodes with these ids; those that there are."""
        ...

    def ancestors(self, node: Node, limit: int | None) -> Plan[Sequence[Node]]:
        """Return the nodes above *node*, the parent first, at most *limit*."""
        ...

    def depth(self, node: Node) -> Plan[int]:
        """Return how far below the top level a node is."""
        ...

    def withheld(self, author: int | None) -> Plan[Sequence[Node]]:
        """Return what is removed or held: all of it, or what the author with this key posted."""
        ...

    def said(self, nodes: Sequence[Node]) -> Plan[Sequence[Said]]:
        """Return the words of some comments, in their order; placeholders are none of them."""
        ...

    def facts(self, places: Collection[Any]) -> Plan[Mapping[Any, Event]]:
        """Return the facts that stand at these places (`Node.post`, `Node.text`)."""
        ...

    def cells(self, ids: Collection[str]) -> Plan[Mapping[str, Cells]]:
        """Return the cells of some comments and corrections; for the thread as a whole, of ``""``."""
        ...

    def reacted(self, ids: Sequence[str], reader: str) -> Plan[Mapping[str, frozenset[str]]]:
        """Return the kinds of which a reader's reactions to some comments count; those without any may be missing."""
        ...

    def locks(self) -> Plan[Locks | None]:
        """Return when the thread was locked; None if it never was."""
        ...

    def cutoffs(self) -> Plan[Mapping[str, str]]:
        """Return, for each person whose words were erased, the id below which they are forgotten."""
        ...

    def corrections(self) -> Plan[Sequence[Node]]:
        """Return all corrections, oldest first."""
        ...

    def waiting(self, after: tuple[str, str] | None, limit: int) -> Plan[tuple[Sequence[Node], int]]:
        """Return what waits for a moderator behind a pair of `since` and id, longest first, and how many there are."""
        ...
