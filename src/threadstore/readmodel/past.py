"""
The past of a large thread, in temporary tables.

They are the tables of the read model that views of one thread are read from, made of the records that
belong to the past. On a connection of its own they stand before the ones of the same names, so the
queries of a `TableSource` find them, while `events` is the log's. The tree, reactions, counts, pins
and locks come from a `Builder`; what holds for each comment besides comes from its row of today. They
hold no words, as the read model does not.

Texts are read from the log, where an erased one is no more. Flags are those of the revision that the
tables were made at: `still_holds` tells whether today's could be others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from copy import copy
from typing import Final

from msgspec import Struct

from threadstore.log._schema import temporary
from threadstore.model.events import CommentPosted, Event, ReactionGiven, ReactionWithdrawn
from threadstore.model.ids import from_bytes, to_bytes
from threadstore.model.outline import Node
from threadstore.model.policy import Rules
from threadstore.model.state import Cells
from threadstore.model.status import person_cutoffs
from threadstore.plans import Many, Plan, Sql
from threadstore.readmodel.queries import Unfit
from threadstore.readmodel.rebuild import ADD, Builder, records_behind
from threadstore.readmodel.rows import PARENT, VIEWED, ThreadRow, are_sound, parent_from, viewed_node
from threadstore.readmodel.source import TARGET, TableSource

__all__ = ["Belongs", "PastSource", "Then", "folded", "still_holds", "written"]

#: Tells of a position and an event whether it belongs to the past.
Belongs = Callable[[int, Event], bool]

_MAKE, _INDEX = temporary(("comments", "reactions", "facts"))
_TODAYS: Final = f"""
    WITH RECURSIVE wanted(n) AS (SELECT 1 UNION ALL SELECT n + 16 FROM wanted WHERE n + 16 < length(?2))
    SELECT {", ".join(f"c.{name}" for name in VIEWED)}, c.since
    FROM wanted CROSS JOIN main.comments AS c INDEXED BY comments_by_id ON c.model = ?1 AND c.id = substr(?2, n, 16)"""
_TARGET_TODAY: Final = TARGET.replace("FROM facts", "FROM main.facts")


class Then(Struct):
    """
    What is kept of a thread of the past, beside its tables.

    Args:
        row: What stands for the thread's row.
        revision: The revision of today's thread that the tables were made at.
        latest: Its largest id.
    """

    row: ThreadRow
    revision: int
    latest: bytes


class _Todays(dict[str, Node]):
    """What holds today, for the comments that are being judged."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key

    def __missing__(self, id: str) -> Node:
        raise Unfit(self._key, f"the row of {id} is missing")

    def read(self, model: int, ids: Iterable[str]) -> Plan[None]:
        """Read what holds for some comments, in the place of all others."""
        [rows] = yield [Sql(_TODAYS, (model, b"".join(map(to_bytes, ids))))]
        if not are_sound(rows):
            raise Unfit(self._key, "a row does not match its checksum")
        self.clear()
        for row in rows:
            node = viewed_node(row, parent_from(row[PARENT]))
            node.since = from_bytes(row[-1]) if row[-1] else ""
            self[node.id] = node


def folded(key: str, rules: Rules, today: ThreadRow, belongs: Belongs, upto: int) -> Plan[tuple[Builder, Then]]:
    """
    Fold the records up to a revision that belong to the past.

    It may be run outside a transaction: if something is appended meanwhile, `still_holds` says whether that matters.

    Raises:
        Unfit: Today's rows cannot be used.

    Complexity: O(n log n).
    """
    todays = _Todays(key)
    builder = Builder(key, rules, today=todays.__getitem__)
    after = 0
    while (found := (yield from records_behind(key, today.id, after))) is not None:
        records, after = found
        chosen = [each for each in records if each[1] <= upto and belongs(each[0], each[2])]
        yield from todays.read(today.model, {event.target for _, _, event in chosen if event.target})
        for record in chosen:
            builder.take(*record)
        builder.settle()
    builder.look_home()
    row = builder.thread(copy(today), today.id)
    row.latest = to_bytes(builder.part.latest)
    return builder, Then(row, today.revision, today.latest)


def written(builder: Builder, then: Then) -> Plan[None]:
    """Write the temporary tables, in the place of any that there are."""
    yield [Sql(statement) for statement in _MAKE]
    for table, rows in builder.viewed(then.row.model):
        yield [Many(ADD[table].replace("INTO ", "INTO temp."), rows)]
    yield [Sql(statement) for statement in _INDEX]


def still_holds(key: str, then: Then, today: ThreadRow) -> Plan[bool]:
    """
    Return whether what tables were made of at an earlier revision holds today, and take it for of today then.

    New comments and reactions do not change what holds for others, as long as no comment comes late: that could be somebody
    whom an older text addresses.

    Complexity: O(1), or O(appended since).
    """
    while then.revision < today.revision:
        found = yield from records_behind(key, today.id, then.revision)
        assert found is not None, key
        records, last = found
        if len(records) < last - then.revision or not all(_is_harmless(event, then.latest) for _, _, event in records):
            return False
        then.revision, then.latest = last, max([then.latest, *(to_bytes(event.id) for _, _, event in records)])
    return True


def _is_harmless(event: Event, latest: bytes) -> bool:
    if isinstance(event, CommentPosted):
        return to_bytes(event.id) > latest
    return isinstance(event, ReactionGiven | ReactionWithdrawn)


class PastSource(TableSource):
    """
    A thread of the past in temporary tables, with today's texts and concealment.

    Args:
        key: Its key.
        rules: Who may do what.
        then: What is kept of it.
        today: Today's row.
    """

    def __init__(self, key: str, rules: Rules, then: Then, today: ThreadRow) -> None:
        row = copy(then.row)
        row.revision, row.unreadable = today.revision, today.unreadable
        row.described, row.cutoffs = today.described, today.cutoffs
        super().__init__(key, rules, row)
        self._today = today

    def cells(self, ids: Collection[str]) -> Plan[Mapping[str, Cells]]:
        """Return today's cells with the pins of then; for the thread as a whole, those of then."""
        then = yield from super().cells(ids)
        today = yield from self.cells_from(_TARGET_TODAY, self._today.model, [id for id in ids if id])
        return {id: _with_pins(today[id], then[id]) if id else then[id] for id in ids}

    def cutoffs(self) -> Plan[Mapping[str, str]]:
        """Return whose words are forgotten today. Complexity: O(facts about the thread)."""
        if not self._today.cutoffs:
            return {}
        cells = yield from self.cells_from(_TARGET_TODAY, self._today.model, [""])
        return person_cutoffs(cells[""], self.rules)


def _with_pins(today: Cells, then: Cells) -> Cells:
    others = {name: cell for name, cell in today.items() if not name.startswith("pinned")}
    return others | {name: cell for name, cell in then.items() if name.startswith("pinned")}
