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
from typing import Final, NamedTuple, TypeVar

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
from threadstore.readmodel.rows import ThreadRow
from threadstore.store.writer import Writer

__all__ = ["LARGE", "Rebuilding"]

T = TypeVar("T")

#: A thread of more events than this is made in portions.
LARGE: Final = 2_000
#: After so many events, folding may pause.
_NAP_EVERY: Final = 10


class _Pace(NamedTuple):
    """
    How much is done at once.

    Args:
        rows: How many rows one transaction writes.
        pause: How long the pause behind it is, in seconds.
        nap: How long folding pauses behind each few events, in seconds.
    """

    rows: int
    pause: float
    nap: float


_GENTLE: Final = _Pace(1_000, 0.02, 0.0003)
_HASTY: Final = _Pace(5_000, 0.001, 0.0)
_TRIES: Final = 3
#: After so many turns, catching up with what was appended meanwhile takes more at once.
_TURNS: Final = 16
#: How long it leaves the lock to others behind each turn, as a multiple of the turn.
_REST: Final = 2
#: How many portions that were appended meanwhile are folded before the rows are written.
_LATE: Final = 20


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
        return any(self._in_portions(key, _GENTLE) for _ in range(_TRIES))

    def hurry(self, key: str) -> None:
        """
        Make the rows of a thread anew that a merge left behind: in larger portions, with shorter pauses.

        Raises:
            StoreError: The database failed.
        """
        self._in_portions(key, _HASTY)

    def _in_portions(self, key: str, pace: _Pace) -> bool:
        token = self._random(62) | 1
        row = self._writer.write(partial(claimed, key, token))
        if row is None:
            return True
        shadow = shadow_of(row)
        self._clear(shadow, pace)
        builder = Builder(key, self._rules)
        self._fold(builder, row, pace)
        with self._database.reading() as reader:
            execute(reader, builder.finish(builder.revision))
        for portion in portions(builder, shadow, pace.rows):
            if not self._writer.write(partial(_written, row.id, token, portion)):
                return False
            time.sleep(pace.pause)
        shown = builder.thread(copy(row), shadow)
        turn = 0
        while True:
            effort, begun = 1 + turn // _TURNS, time.thread_time()
            caught = self._writer.write(partial(caught_up, self._rules, builder.key, copy(shown), token, effort))
            if caught is None:
                return False
            shown, done = caught
            if done:
                break
            turn += 1
            time.sleep(max(pace.pause / 10, _REST * (time.thread_time() - begun)))  # more may come meanwhile
        self._clear(-shadow, pace)
        return True

    def _fold(self, builder: Builder, row: ThreadRow, pace: _Pace) -> None:
        """Fold what the thread had, and much of what is appended meanwhile."""
        late = 0
        while late < _LATE:
            with self._database.reading() as reader:
                records = execute(reader, read_on(builder, row.id))
            if not records:
                return
            late += builder.revision >= row.revision
            for number, record in enumerate(records):
                builder.take(*record)
                if number % _NAP_EVERY == 0 and pace.nap:
                    time.sleep(pace.nap)

    def _clear(self, model: int, pace: _Pace) -> None:
        while self._writer.write(partial(portion_cleared, model, pace.rows)):
            time.sleep(pace.pause)


def _written(number: int, token: int, portion: Many) -> Plan[bool]:
    if not (yield from still_claimed(number, token)):
        return False
    yield [portion]
    return True
