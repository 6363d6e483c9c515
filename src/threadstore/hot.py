"""
Threads in memory: one of each, locked while it is used, let go when all together take too much room.

A thread that somebody is using is never let go of, so there is never a second one of the same key that could disagree with it.
Its lock is held for as long as it is lent, which makes using a thread one step: bringing it up to date, deciding, appending.

The bound is on bytes, roughly. The thread used last stays even where it is larger than the bound by itself; a bound of 0 keeps
none.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import Final

from threadstore.dense import DenseThread
from threadstore.fronts import Front
from threadstore.store.commits import Commit
from threadstore.summaries import Digest

__all__ = ["Hot", "HotThreads"]

#: What a thread without events takes, roughly (measured with tracemalloc after a view).
_EMPTY: Final = 10_000
#: What a front takes in memory for each of its bytes, roughly, with those.
_UNPACKED: Final = 4


class Hot:
    """A thread in memory, and how much room it takes."""

    __slots__ = ("_make", "charged", "digest", "fronts", "key", "lock", "pending", "thread", "unasked", "users")

    def __init__(self, key: str, make: Callable[[str], DenseThread]) -> None:
        self.key = key
        self._make = make
        self.lock = RLock()
        #: How many are using it or waiting for their turn.
        self.users = 0
        #: What the cache reckons with; `size` may have changed since.
        self.charged = 0
        #: The appends that may not be done yet, each with the thread that has its events already.
        self.pending: deque[tuple[Commit, DenseThread]] = deque()
        self.forget()

    def revision_behind_pending(self) -> int:
        """Return the revision that the thread will have when what is pending is stored, if nobody else writes."""
        revision = self.thread.revision
        for commit, _ in self.pending:
            answer = commit.answer
            if answer is None or answer.revision > self.thread.revision:
                revision += len(commit.append.events)
        return revision

    def forget(self) -> None:
        """Let go of all events, so that the thread is read anew."""
        self.thread = self._make(self.key)
        #: What the thread's summary says, once somebody has asked for it.
        self.digest: Digest | None = None
        #: What was shown of the thread without reading it, by the question's words.
        self.fronts: dict[bytes, Front] = {}
        #: What has not been asked since the thread was read, and at which revision that was.
        self.unasked: tuple[int, set[str]] = 0, set()

    @property
    def is_cold(self) -> bool:
        """Whether nothing of the thread is in memory."""
        return not self.thread.revision and not self.pending

    @property
    def size(self) -> int:
        """How much memory it takes, roughly. Complexity: O(1)."""
        return _EMPTY + self.thread.nbytes + _UNPACKED * sum(front.size for front in self.fronts.values())


class HotThreads:
    """
    The threads that a store keeps in memory, those used last at the end.

    Args:
        bound: How many bytes they may take, roughly.
        make: Makes a thread that is still to be read.
    """

    def __init__(self, bound: int, make: Callable[[str], DenseThread]) -> None:
        self._bound = bound
        self._make = make
        self._hot: OrderedDict[str, Hot] = OrderedDict()
        self._total = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._hot)

    @contextmanager
    def lend(self, key: str) -> Iterator[Hot]:
        """
        Lend the thread called *key*, and hold its lock meanwhile.

        Complexity: O(1), and O(1) for each thread that is let go.
        """
        hot = self.take(key)
        try:
            with hot.lock:
                yield hot
        finally:
            self.give_back(hot)

    def take(self, key: str) -> Hot:
        """Keep the thread called *key* in memory until it is given back; whoever looks at it takes its lock."""
        with self._lock:
            hot = self._hot.get(key)
            if hot is None:
                hot = self._hot[key] = Hot(key, self._make)
            hot.users += 1
            self._hot.move_to_end(key)
            return hot

    def give_back(self, hot: Hot) -> None:
        """Let go of what was taken. Complexity: as for `lend`."""
        with self._lock:
            hot.users -= 1
            size = hot.size
            self._total += size - hot.charged
            hot.charged = size
            self._trim()

    def _trim(self) -> None:
        """Let go of the threads used longest ago, until the others keep within the bound."""
        while self._total > self._bound and (idle := self._idle_longest()) is not None:
            del self._hot[idle.key]
            self._total -= idle.charged
            idle.thread.let_go()

    def _idle_longest(self) -> Hot | None:
        last = next(reversed(self._hot)) if self._bound else None
        return next((hot for hot in self._hot.values() if not hot.users and hot.key != last), None)

    def forget(self, key: str) -> None:
        """Let go of the events of the thread called *key*, once whoever uses it has done."""
        if key in self._hot:
            with self.lend(key) as hot:
                hot.forget()

    def close(self) -> None:
        """Let go of all threads: those in use when they are given back."""
        with self._lock:
            self._bound = 0
            self._trim()
