"""
`Known`: what a decision asks of a thread.

A `Thread` in memory answers all of it. What stands for a thread while a store decides knows what
was read of it, and raises `threadstore.model.outline.Missing` for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from threadstore.model.events import Event
from threadstore.model.outline import Node
from threadstore.model.policy import Rules
from threadstore.model.state import Cells, Reaction

__all__ = ["Known"]


class Known(Protocol):
    """A thread, as far as it matters to a command; none of it is to be changed."""

    key: str
    latest: str
    earliest: str

    def fact(self, id: str) -> Event | None:
        """Return the fact with this id, if the thread has it."""
        ...

    def cells(self, target: str) -> Cells:
        """Return the cells of a comment, a correction, or the thread as a whole (``""``), reactions apart."""
        ...

    def reaction(self, comment: str, actor: str, kind: str) -> Reaction | None:
        """Return an actor's last reaction of one kind to a comment."""
        ...

    def node(self, id: str, rules: Rules) -> Node | None:
        """Return the place of a comment or a correction, if there is one."""
        ...

    def is_locked(self, rules: Rules) -> bool:
        """Return whether a lock is up."""
        ...

    def cutoffs(self, rules: Rules) -> Mapping[str, str]:
        """Return, for each person whose words were erased, the id below which they are forgotten."""
        ...

    def posts_by(self, actor: int, rules: Rules) -> Iterator[Node]:
        """Yield an actor's comments, newest first; by their key; 0 for all anonymous ones."""
        ...

    def last_act(self, person: str) -> str:
        """Return the largest id of what a person did in the thread; the nil id if that is nothing."""
        ...
