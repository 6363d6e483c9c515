"""
Making the rows of threads anew: who does it, when, and how it troubles nobody.

A small thread is made in one transaction of some milliseconds. A large one is folded without any
lock, and its rows are written a few at a time beside those that are shown, which posts go on to
change; the last of these transactions brings the new rows up to what has happened meanwhile and
shows them. Between two portions others have their turn: SQLite's lock is not fair, and neither is
the interpreter's (without pauses a post waited for seconds, measured).

Of two who build one thread at once the later one takes it over (`threads.building`), and the earlier
gives up. A process that is killed leaves rows that nobody is shown; whoever builds the thread next
clears them away.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Final, TypeVar

from threadstore.log._connections import Database
from threadstore.log.sqlite import execute
from threadstore.model.policy import Rules
from threadstore.plans import Many, Plan
from threadstore.readmodel.rebuild import (
    Builder,
    built,
    caught_up,
    claimed,
    portion_cleared,
    portions,
    read_on,
    shadow_of,
    still_claimed,
)
from threadstore.readmodel.rows import ThreadRow, fingerprint
from threadstore.store.writer import Writer

__all__ = ["LARGE", "Rebuilding"]

T = TypeVar("T")

#: A thread of more events than this is made in portions.
LARGE: Final = 2_000
#: How many rows one transaction writes.
_ROWS: Final = 200
#: How long a pause is after a portion, in seconds, and after so many events while folding.
_PAUSE: Final = 0.02
_NAP: Final = 0.0003
_NAP_EVERY: Final = 10
_TRIES: Final = 3


class Rebuilding:
    """
    The rebuilds of one store.

    Args:
        database: Where the threads are.
        writer: Who commits to it.
        rules: Who may do what.
        random: ``random(k)`` returns k random bits.
    """

    def __init__(self, database: Database, writer: Writer, rules: Rules, random: Callable[[int], int]) -> None:
        self._database = database
        self._writer = writer
        self._rules = rules
        self._random = random
        self._fingerprint = fingerprint(rules)

    def rebuild(self, key: str, size: int, *, wait: bool) -> bool:
        """
        Make the rows of a thread anew; return whether that was done, by this or by somebody else.

        Args:
            key: The thread.
            size: How many events it has.
            wait: Whether to wait for other writers; a reader does not.

        Raises:
            StoreError: The database failed.
        """
        if not wait and not self._database.is_free():
            return False
        if size <= LARGE:
            self._writer.write(partial(built, key, self._rules))
            return True
        return any(self._in_portions(key) for _ in range(_TRIES))

    def _in_portions(self, key: str) -> bool:
        token = self._random(62) | 1
        row = self._writer.write(partial(claimed, key, token))
        if row is None:
            return True
        shadow = shadow_of(row)
        self._clear(shadow)
        builder = Builder(key, self._rules)
        self._fold(builder, row)
        with self._database.reading() as reader:
            execute(reader, builder.finish(builder.revision))
        for portion in portions(builder, shadow, _ROWS):
            if not self._writer.write(partial(_written, row.id, token, portion)):
                return False
            time.sleep(_PAUSE)
        shown = builder.thread(copy(row), shadow)
        while True:
            caught = self._writer.write(partial(caught_up, self._rules, builder.key, copy(shown), token))
            if caught is None:
                return False
            shown, done = caught
            if done:
                break
            time.sleep(_PAUSE)
        self._clear(row.model)
        return True

    def _fold(self, builder: Builder, row: ThreadRow) -> None:
        while True:
            with self._database.reading() as reader:
                records = execute(reader, read_on(builder, row.id))
            if not records:
                return
            for number, record in enumerate(records):
                builder.take(*record)
                if number % _NAP_EVERY == 0:
                    time.sleep(_NAP)

    def _clear(self, model: int) -> None:
        if model:
            while self._writer.write(partial(portion_cleared, model, _ROWS)):
                time.sleep(_PAUSE / 10)


def _written(number: int, token: int, portion: Many) -> Plan[bool]:
    if not (yield from still_claimed(number, token)):
        return False
    yield [portion]
    return True
