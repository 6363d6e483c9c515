"""
Several writers, one commit: whoever comes first commits for all who wait.

A commit to disk costs the same for one append as for twenty. So appends are queued, and there is a *baton*: a writer who finds
nobody ahead takes all that is queued and stores it in one step; the others wait, and are woken when theirs is done or when it
is their turn to lead. Nobody waits for a thread of its own that writes for all, so a lone writer pays nothing for this.

An append may rest on another that is still queued: it was decided on a thread that held the other's events already. If that one
is not stored, neither is what rests on it: its writer is told with `Overtaken`, and decides anew.

Laws: appends are stored in the order in which they were queued; one that rests on another is stored behind it or not at all;
whoever drives a commit finds it done, whatever became of the writer who queued it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import copy
from threading import Lock

from threadstore.errors import StoreUnavailable
from threadstore.log.protocol import Append, Appended, EventLog

__all__ = ["Commit", "Commits", "Overtaken"]


class Overtaken(Exception):
    """What the writer had decided on was not stored, so nothing of theirs was either."""


class Commit:
    """One append that is queued or done, and what it rests on."""

    __slots__ = ("answer", "append", "before", "done", "error", "sleepers")

    def __init__(self, append: Append, before: Commit | None) -> None:
        self.append = append
        #: The append that this one rests on, while it may still fail.
        self.before = before
        self.done = False
        self.answer: Appended | None = None
        self.error: BaseException | None = None
        #: On what those sleep who wait for it.
        self.sleepers: list[Lock] = []

    def settle(self, answer: Appended | BaseException | None) -> None:
        """Note what became of it; None is for what was not tried."""
        self.before = None
        if isinstance(answer, Appended):
            self.answer = answer
        else:
            self.error = Overtaken() if answer is None else answer
        self.done = True

    def sleeper(self) -> Lock:
        """Return a lock that is taken until whoever sleeps on it is to be woken; it is free if this is done already."""
        lock = Lock()
        if not self.done:
            lock.acquire()
            self.sleepers.append(lock)
        return lock


class Commits:
    """
    The queue of a store's appends.

    Args:
        log: Where they are stored.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lock = Lock()
        self._queue: list[Commit] = []
        self._is_led = False
        #: Whether the last commit was for several.
        self._is_shared = False

    def add(self, append: Append, before: Commit | None) -> Commit:
        """Queue an append that rests on the one *before*; nobody stores it until somebody drives it. Complexity: O(1)."""
        commit = Commit(append, before)
        with self._lock:
            self._queue.append(commit)
        return commit

    def wait(self, commit: Commit) -> Appended:
        """
        Return what came of *commit*.

        Raises:
            Overtaken: What it rests on was not stored.
            ThreadStoreError: What the log raised.
        """
        self.drive(commit)
        if commit.answer is not None:
            return commit.answer
        assert commit.error is not None
        raise _again(commit.error)

    def drive(self, commit: Commit) -> None:
        """See to it that *commit* is done: by leading, or by waiting for whoever leads."""
        has_slept = False
        while not commit.done:
            with self._lock:
                sleeper = commit.sleeper() if self._is_led else None
                self._is_led = True
            if sleeper is None:
                self._lead(in_company=has_slept)
            else:
                self._sleep(commit, sleeper)
                has_slept = True

    def _sleep(self, commit: Commit, sleeper: Lock) -> None:
        try:
            sleeper.acquire()
        except BaseException:  # interrupted, maybe when it was to lead: somebody else must
            with self._lock:
                if sleeper in commit.sleepers:
                    commit.sleepers.remove(sleeper)
                woken = [] if self._is_led else self._next()
            _wake(woken)
            raise

    def _lead(self, *, in_company: bool) -> None:
        """
        Store all that is queued; a leader *in_company* lets those in first who are about to queue theirs.

        So does who leads when the last commit was for several, since all of these are about to come again: without it the first
        of them would go alone, and the others be kept waiting for that.
        """
        batch: list[Commit] = []
        try:
            known = 0 if in_company or self._is_shared else len(self._queue)
            while known < (known := len(self._queue)):
                time.sleep(0)  # no time passes: it is other threads' turn
            with self._lock:
                batch, self._queue = self._queue, batch
            self._is_shared = len(batch) > 1
            self._store(batch)
        finally:
            with self._lock:
                for commit in batch:
                    if not commit.done:
                        commit.settle(StoreUnavailable(type(self._log).__name__, "the commit was interrupted"))
                self._is_led = False
                woken = [sleeper for commit in batch for sleeper in commit.sleepers] + self._next()
            _wake(woken)

    def _next(self) -> list[Lock]:
        """Return on what somebody sleeps who is to lead, since nobody does; the lock is held."""
        return next(([commit.sleepers.pop()] for commit in self._queue if commit.sleepers), [])

    def _store(self, batch: Sequence[Commit]) -> None:
        tried: list[Commit] = []
        for commit in batch:
            if commit.before is not None and commit.before.error is not None:
                commit.settle(None)
            else:
                tried.append(commit)
        try:
            if len(tried) == 1:
                thread, events, summary = tried[0].append
                tried[0].settle(self._log.append(thread, events, summary=summary))
            elif tried:
                answers = self._log.append_all([commit.append for commit in tried])
                for commit, answer in zip(tried, answers, strict=True):
                    commit.settle(answer)
        except Exception as error:  # noqa: BLE001  # each writer is told
            for commit in tried:
                commit.settle(error)


def _wake(sleepers: Sequence[Lock]) -> None:
    for sleeper in sleepers:
        sleeper.release()


def _again(error: BaseException) -> BaseException:
    """Return an error to raise in one thread, where others may raise the same."""
    fresh = copy(error)
    fresh.__cause__ = error.__cause__
    return fresh
