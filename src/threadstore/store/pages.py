"""
Finished pages, remembered while their thread has the revision that they were made of.

A front page asks for the same few pages again and again; to find one again costs a look at the
thread's row, a twentieth of making it (docs/performance.md). The bound is on comments, since a page
may have thousands.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any, Final

from threadstore.views.types import ListView, RepliesView, ThreadView

__all__ = ["FinishedPages"]

#: How many pages are remembered, and how many top-level comments they may have together.
MOST_PAGES: Final = 512
MOST_COMMENTS: Final = 10_000


class FinishedPages:
    """The answers to questions about threads. May be used by several Python threads at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pages: OrderedDict[Any, tuple[int, int, Any]] = OrderedDict()
        self._comments = 0

    def find(self, question: Any, revision: int) -> Any:
        """Return the answer that was kept, if it is of this revision; None if there is none. Complexity: O(1)."""
        with self._lock:
            kept = self._pages.get(question)
            if kept is None or kept[0] != revision:
                return None
            self._pages.move_to_end(question)
            return kept[2]

    def keep(self, question: Any, revision: int, answer: Any) -> None:
        """Keep an answer in the place of what was kept longest without use. Complexity: O(1)."""
        size = len(answer.comments) if isinstance(answer, ThreadView | RepliesView | ListView) else 1
        with self._lock:
            _, former, _ = self._pages.pop(question, (0, 0, None))
            self._pages[question] = revision, size, answer
            self._comments += size - former
            while self._pages and (len(self._pages) > MOST_PAGES or self._comments > MOST_COMMENTS):
                _, (_, dropped, _) = self._pages.popitem(last=False)
                self._comments -= dropped
            if not self._pages:  # somebody who was interrupted may have left it too high
                self._comments = 0

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._pages.clear()
            self._comments = 0
