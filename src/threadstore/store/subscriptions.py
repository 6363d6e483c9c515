"""
Following the log as it grows.

Writers of this process wake whoever waits; what other processes write is found by looking. The
wake-up is a hint, the log is the truth: nothing is missed if it is lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Condition
from typing import Final

from threadstore.log.protocol import EventLog, Record

__all__ = ["News", "records_after"]

_CHUNK: Final = 1_000
_POLL_SECONDS: Final = 0.05


class News:
    """Wakes whoever waits for something to be appended."""

    def __init__(self) -> None:
        self._condition = Condition()

    def spread(self) -> None:
        """Wake all who wait."""
        with self._condition:
            self._condition.notify_all()

    def wait(self, log: EventLog, position: int, seconds: float) -> bool:
        """Wait until the log has gone beyond a position, or for a while; return False if there is no time left to wait."""
        with self._condition:  # a writer who comes now finds us waiting
            if log.position() > position:
                return True
            if seconds <= 0:
                return False
            self._condition.wait(min(seconds, _POLL_SECONDS))
            return True


def records_after(log: EventLog, news: News, after: int, timeout: float) -> Iterator[Record]:
    """Yield records as they come; see `ThreadStore.subscribe`."""
    position = after
    deadline = time.monotonic() + timeout
    while True:
        for record in log.read_all(after=position, limit=_CHUNK):
            yield record
            position = record.position
            deadline = time.monotonic() + timeout
        if not news.wait(log, position, deadline - time.monotonic()):
            return
