"""
What a store does in one transaction, as plans: decide a command, append events and bring the rows up to them.

The thread's row is read first, then whatever the command is known to need, in one step; what turns
out to be missing is read, and the decision made again. A decision rests on nothing that is not
stored. The events are appended and the read model is brought up to them in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Final, NamedTuple

from threadstore.decide.decide import Decision, Mint, resolve
from threadstore.log._appending import (
    Stream,
    added,
    begun,
    erased,
    inserted,
    stream_of,
    without_words,
)
from threadstore.model import commands as c
from threadstore.model.erasure import Erasure
from threadstore.model.events import CommentErased, Event, PersonErased
from threadstore.model.ids import all_to_bytes, last_id_at, to_bytes
from threadstore.model.outline import Missing
from threadstore.model.policy import Policy, Rules, Verdict
from threadstore.model.status import erasure_of
from threadstore.plans import Plan, Row, Sql
from threadstore.readmodel.part import Loaded, Part
from threadstore.readmodel.projection import projected, set_thread
from threadstore.readmodel.queries import Unfit, loading, thread_in, thread_query, thread_row
from threadstore.readmodel.rebuild import Builder, written
from threadstore.readmodel.rows import COLUMNS, ID, ThreadRow, fingerprint

__all__ = [
    "AskAgain",
    "Outcome",
    "accepted",
    "admitted",
    "append_to",
    "ask_again",
    "begin",
    "commanded",
    "decided",
    "erasures_in",
    "unminted",
]

_A, _B = (", ".join(f"{table}.{name}" for name in COLUMNS) for table in "ab")
_WITH_ROOT: Final = f"""
    SELECT {_A}, {_B} FROM (SELECT model FROM threads WHERE key = ?1) AS t
    CROSS JOIN comments AS a INDEXED BY comments_by_id ON a.model = t.model AND a.id = ?2
    LEFT JOIN comments AS b INDEXED BY comments_by_id ON b.model = t.model AND b.id = iif(a.root = x'', a.parent, a.root)"""


#: Of a command that is about no comment; None is what somebody may take for one.
_NONE: Final = object()


class Outcome(NamedTuple):
    """What a command came to: the id that answers it, and how many events were appended."""

    id: str
    new: int = 0


def erasures_in(events: Sequence[Event], rules: Rules) -> list[Erasure]:
    """Return what is erased by some events."""
    found = (erasure_of(event, rules) for event in events if isinstance(event, CommentErased | PersonErased))
    return [erasure for erasure in found if erasure is not None]


# --- commands -----------------------------------------------------------------------------------------------------------------


def _opened(command: c.Command, rules: Rules) -> Plan[Loaded]:
    """Read a thread's row, and what the command is about with what stands at the head of it."""
    about: Any = command.parent if isinstance(command, c.Post) else getattr(command, "comment", _NONE)
    if isinstance(command, c.DecideCorrection):
        about = command.correction
    found: list[Row] = []
    if about is _NONE or (about is None and isinstance(command, c.Post)):
        about = _NONE
        [rows] = yield [thread_query(command.thread)]
    else:
        rows, found = yield [thread_query(command.thread), Sql(_WITH_ROOT, (command.thread, _key_of(about)))]
    row = thread_in(rows)
    if row is not None and not row.fits(fingerprint(rules)):
        raise Unfit(command.thread, "they are of other rules, of a part of the stream, or damaged")
    loaded = Loaded(command.thread, row)
    if about is not _NONE and not found:
        loaded.nodes[about] = None
    for both in found:
        loaded.put(both[: len(COLUMNS)])
        if both[len(COLUMNS) + ID] is not None:
            loaded.put(both[len(COLUMNS) :])
    return loaded


def _key_of(id: str) -> bytes:
    """Return the bytes of what may be no id at all, which is for the decision to say."""
    try:
        return to_bytes(id)
    except (ValueError, AttributeError, TypeError):
        return b""


def decided(
    command: c.Command, policy: Policy, now: int, mint: Mint, screened: Callable[[], Verdict]
) -> Plan[tuple[Loaded, Part, Decision]]:
    """
    Return what a command comes to, and what was read of the thread for it; errors as for `decide`.

    Raises:
        Unfit: The thread's rows cannot be used.
    """
    loaded = yield from _opened(command, policy.rules)
    while True:
        part = Part(loaded, policy.rules)
        try:
            return loaded, part, resolve(command, part, policy=policy, now=now, screened=screened, mint=mint)
        except Missing as missing:
            yield from loading(loaded, [missing])


def commanded(command: c.Command, policy: Policy, now: int, mint: Mint, screened: Callable[[], Verdict]) -> Plan[Outcome]:
    """Decide a command, append what it comes to, and bring the rows up to it; errors as for `decided`."""
    rules = policy.rules
    loaded, part, decision = yield from decided(command, policy, now, mint, screened)
    if not decision.events:
        if isinstance(command, c.Erase | c.ErasePerson):
            yield from _see_through(loaded, decision.id, rules)
        return Outcome(decision.id)
    row = loaded.row
    if row is None:
        yield from begin(command.thread, decision.events, rules)
        return Outcome(decision.id, len(decision.events))
    events = yield from admitted(command.thread, decision.events, row, rules)
    for event in events:
        if event.target == event.id:
            loaded.expect_new(event.id)
    yield from append_to(loaded, row, events, rules, part)
    return Outcome(decision.id, len(events))


def _see_through(loaded: Loaded, id: str, rules: Rules) -> Plan[None]:
    """Erase once more what was erased before: a process that is killed amid it may have left words behind."""
    if id not in loaded.known:
        yield from loading(loaded, [Missing("known", id)])
    done = loaded.known[id]
    assert done is not None, id
    assert loaded.row is not None, id
    yield from erased(loaded.key, erasures_in([done], rules), loaded.row.revision + 1)


def admitted(key: str, events: Sequence[Event], row: ThreadRow, rules: Rules) -> Plan[Sequence[Event]]:
    """Erase what the events erase, and return them without the words that were to be forgotten."""
    erasures = erasures_in(events, rules)
    if erasures:
        yield from erased(key, erasures, row.revision + len(events))
    if erasures or row.erased:
        events = yield from without_words(key, events)
    return events


def append_to(loaded: Loaded, row: ThreadRow, events: Sequence[Event], rules: Rules, part: Part | None = None) -> Plan[None]:
    """Append events to a thread that has some, and bring its rows up to them."""
    before = copy(row)
    ids = all_to_bytes(event.id for event in events)
    stream = Stream(row.end, row.id, row.revision, bool(row.erased), row.latest, row.earliest)
    appends = [inserted(loaded.key, stream, row.id, events, ids)]
    yield from projected(loaded, row, list(enumerate(events, row.end + 1)), rules, part=part, appends=appends)
    row.revision += len(events)
    row.projected, row.end = row.revision, row.end + len(events)
    row.latest, row.earliest = max(row.latest, *ids), min(row.earliest, *ids)
    yield set_thread(before, row)


def begin(key: str, events: Sequence[Event], rules: Rules) -> Plan[None]:
    """Append the first events of a thread, and make its rows."""
    stream = yield from stream_of(key)
    erasures = erasures_in(events, rules)
    if erasures:
        yield from erased(key, erasures, len(events))
    if erasures or stream.erased:
        events = yield from without_words(key, events)
    number = stream.number if stream.number is not None else (yield from begun(key))
    yield added(key, stream, number, events)
    row = yield from thread_row(key)
    assert row is not None, key
    before = copy(row)
    yield from written(Builder(key, rules), row, enumerate(events, stream.end + 1))
    yield set_thread(before, row)


# --- hooks --------------------------------------------------------------------------------------------------------------


class AskAgain(Exception):  # a signal to whoever asks the hooks
    """The rules allow a command that they did not allow a moment ago, so the hooks were not asked."""


def accepted() -> Verdict:
    """Tell what is said of a command where no hook is set."""
    return "accept"


def ask_again() -> Verdict:
    """Raise `AskAgain`, in the place of an answer that nobody was asked for."""
    raise AskAgain


def unminted(now: int) -> Callable[[str], str]:
    """Return what makes ids for a decision that is only tried."""
    return lambda after: max(last_id_at(now), after)
