"""
The past of a thread: what had happened by a moment, or what a log held up to a position.

The tree, reactions, counts, pins and locks are of then; texts and what conceals them are today's.
A past is folded from the log when it is first asked, and again when today's thread has changed since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from threadstore.log.protocol import EventLog, Record
from threadstore.model.events import Event
from threadstore.model.policy import Policy
from threadstore.plans import Plan, run
from threadstore.store.reading import readable
from threadstore.views.source import Source
from threadstore.views.thread import Thread

__all__ = ["Past"]

T = TypeVar("T")


class _Owner(Protocol):
    policy: Policy

    @property
    def log(self) -> EventLog: ...

    def fold(self, key: str) -> tuple[Thread, int, int]: ...


class Past:
    """
    A thread as of then.

    Args:
        store: Where it is.
        key: Its key.
        belongs: Tells whether an event had happened, or was known, by then.
    """

    def __init__(self, store: _Owner, key: str, belongs: Callable[[Record, Event], bool]) -> None:
        self._store = store
        self._key = key
        self._belongs = belongs
        self._revision = -1
        self._events: list[Event] = []
        self._thread: Any = None
        self._facts()

    def _facts(self) -> None:
        log = self._store.log
        self._events = [event for record, event in readable(log.read(self._key)) if self._belongs(record, event)]

    def ask(self, plan: Callable[[Source], Plan[T]]) -> T:
        """Return what a plan answers. Complexity: O(n) if today's thread has changed since the last question."""
        revision = self._store.log.revision(self._key)
        if self._thread is None or revision != self._revision:
            today, self._revision, self._unreadable = self._store.fold(self._key)
            self._thread = today.past(self._events)
        source = self._thread.source(self._store.policy, revision=self._revision, unreadable=self._unreadable)
        return run(plan(source))
