"""
The orders of the top level, walked in the indexes of the read model.

A row of the top level has its votes as one number (`rank`), so comments with equal votes lie together
in the index, in the order of their ids. "top", "best" and "controversial" are walks from group to
group: of the distinct ranks (some hundreds at a million comments) each is found by one step of a
skip-scan, and Python puts them in order. Where nobody voted against anything, "top" and "best" are
the index itself, and "controversial" is "oldest". "hot" takes the hottest of each group, which is
its newest, and merges the groups. "active" lies in an index of four seconds each (`bucket_of`).

Keys are `threadstore.model.index.sort_key`'s, so a cursor fits whatever answers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush, nsmallest
from itertools import groupby
from typing import Final, NamedTuple

from threadstore.log._schema import bucket_of
from threadstore.model.ids import MAX_MILLIS, from_bytes, invert, to_bytes
from threadstore.model.index import SortKey
from threadstore.model.outline import FLAGS, HIDES
from threadstore.model.ranking import Key, Order, Votes, key, longest_age
from threadstore.plans import Plan, Row, Sql
from threadstore.readmodel.rows import DOWN_BITS, VIEWED, ThreadRow
from threadstore.views.source import Walk

__all__ = ["flat", "live_top"]

_VIEWED: Final = ", ".join(VIEWED)
_TOP: Final = "model = ?1 AND parent = x'' AND dead = 0"
_RANKED: Final = "comments INDEXED BY comments_by_rank WHERE model = ?1 AND rank IS NOT NULL"
_ACTIVE: Final = "comments INDEXED BY comments_by_bucket WHERE model = ?1 AND bucket IS NOT NULL"
_SHOWN: Final = f"flags & {HIDES | FLAGS['correction']} = 0"
_FLAT: Final = "comments INDEXED BY comments_by_id WHERE model = ?1"
_RANKS: Final = """
    WITH RECURSIVE ranks(rank) AS (
        SELECT max(rank) FROM comments INDEXED BY comments_by_rank WHERE model = ?1 AND rank IS NOT NULL
        UNION ALL SELECT (SELECT max(rank) FROM comments INDEXED BY comments_by_rank WHERE model = ?1 AND rank < ranks.rank)
        FROM ranks WHERE ranks.rank IS NOT NULL)
    SELECT rank FROM ranks WHERE rank IS NOT NULL"""
_NEWEST: Final = f"SELECT rank, id FROM {_RANKED} AND rank = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4"
_BY_IDS: Final = f"SELECT {_VIEWED} FROM comments WHERE {_TOP} AND id = ?2"

_PINNED: Final = f"SELECT {_VIEWED} FROM comments INDEXED BY comments_by_pin WHERE model = ?1 AND pinned IS NOT NULL"
_UP: Final = VIEWED.index("up")
_DOWN: Final = VIEWED.index("down")
_ACTIVITY: Final = VIEWED.index("active")

_LAST: Final = b"\xff" * 17
#: How many of one group are fetched at once in "hot".
_FEW: Final = 8


class Found(NamedTuple):
    """Rows of the `VIEWED` columns, in order, and how many there are behind the beginning."""

    rows: list[Row]
    behind: int


def live_top(row: ThreadRow, walk: Walk) -> Plan[Found]:
    """
    Return a part of the live top level.

    Complexity: O(limit + log n), and O(comments in front) to count what is left behind a cursor; for orders by votes, O(distinct
    votes).
    """
    if not walk.pinned:
        return (yield from _walk(row, walk.order, walk.now, walk.after, walk.limit))
    return (yield from _with_pins(row, walk))


def _walk(row: ThreadRow, order: Order, now: int, after: SortKey | None, limit: int) -> Plan[Found]:
    model = row.model
    if order == "controversial" and not row.downs:
        order, after = "oldest", after if after is None else after[-1:]
    if order == "oldest":
        start = b"" if after is None else to_bytes(str(after[-1]))
        rows, front = yield [
            Sql(f"SELECT {_VIEWED} FROM comments WHERE {_TOP} AND id > ?2 ORDER BY id LIMIT ?3", (model, start, limit)),
            Sql(f"SELECT count(*) FROM comments WHERE {_TOP} AND id <= ?2", (model, start)),
        ]
    elif order == "newest":
        start = _LAST if after is None else to_bytes(str(after[-1]))
        rows, front = yield [
            Sql(f"SELECT {_VIEWED} FROM comments WHERE {_TOP} AND id < ?2 ORDER BY id DESC LIMIT ?3", (model, start, limit)),
            Sql(f"SELECT count(*) FROM comments WHERE {_TOP} AND id >= ?2", (model, start)),
        ]
    elif order == "active":
        start = _LAST if after is None else to_bytes(invert(str(after[0])))
        rows, front = yield [
            Sql(
                f"SELECT {_VIEWED} FROM {_ACTIVE} AND bucket <= ?2 AND active < ?3 ORDER BY bucket DESC, active DESC LIMIT ?4",
                (model, bucket_of(start), start, limit),
            ),
            Sql(f"SELECT count(*) FROM {_ACTIVE} AND bucket >= ?2 AND active >= ?3", (model, bucket_of(start), start)),
        ]
    elif order == "hot":
        return (yield from _hot(row, now, after, limit))
    elif row.downs:
        return (yield from _by_votes(row, order, after, limit))
    else:
        return (yield from _by_rank(row, order, after, limit))
    return Found(rows, row.live - (0 if after is None else front[0][0]))


# --- by votes -----------------------------------------------------------------------------------------------------------------


def _by_rank(row: ThreadRow, order: Order, after: SortKey | None, limit: int) -> Plan[Found]:
    """Walk the index of ranks itself, which is "top" and "best" where there are only votes for."""
    if after is None:
        [rows] = yield [Sql(f"SELECT {_VIEWED} FROM {_RANKED} ORDER BY rank DESC, id LIMIT ?2", (row.model, limit))]
        return Found(rows, row.live)
    id = to_bytes(str(after[-1]))
    [found] = yield [Sql(f"SELECT rank FROM comments WHERE {_TOP} AND id = ?2", (row.model, id))]
    if not found or _value(order, found[0][0]) != after[:-1]:  # it has other votes now
        return (yield from _by_votes(row, order, after, limit))
    at = found[0][0]
    same, below, front, beside = yield [
        Sql(f"SELECT {_VIEWED} FROM {_RANKED} AND rank = ?2 AND id > ?3 ORDER BY id LIMIT ?4", (row.model, at, id, limit)),
        Sql(f"SELECT {_VIEWED} FROM {_RANKED} AND rank < ?2 ORDER BY rank DESC, id LIMIT ?3", (row.model, at, limit)),
        Sql(f"SELECT count(*) FROM {_RANKED} AND rank > ?2", (row.model, at)),
        Sql(f"SELECT count(*) FROM {_RANKED} AND rank = ?2 AND id <= ?3", (row.model, at, id)),
    ]
    return Found((same + below)[:limit], row.live - front[0][0] - beside[0][0])


def _votes(rank: int) -> tuple[int, int]:
    return rank >> DOWN_BITS, rank & ((1 << DOWN_BITS) - 1)


def _value(order: Order, rank: int) -> Key:
    """Return the part of a key that depends on the votes alone."""
    return key(order, Votes("", *_votes(rank), ""), now=0)[:-1]


def _by_votes(row: ThreadRow, order: Order, after: SortKey | None, limit: int) -> Plan[Found]:
    """Walk from group to group, those first whose votes put them first; groups of one value are merged by id."""
    [found] = yield [Sql(_RANKS, (row.model,))]
    keyed = sorted((_value(order, rank), rank) for (rank,) in found)
    rows: list[Row] = []
    front = 0
    for value, group in groupby(keyed, key=lambda each: each[0]):
        ranks = [rank for _, rank in group]
        start = b""
        if after is not None and value <= after[:-1]:
            start = to_bytes(str(after[-1])) if value == after[:-1] else _LAST
            counts = yield [
                Sql(f"SELECT count(*) FROM {_RANKED} AND rank = ?2 AND id <= ?3", (row.model, rank, start)) for rank in ranks
            ]
            front += sum(count for [(count,)] in counts)
        if len(rows) < limit and start != _LAST:
            answers = yield [
                Sql(
                    f"SELECT {_VIEWED} FROM {_RANKED} AND rank = ?2 AND id > ?3 ORDER BY id LIMIT ?4",
                    (row.model, rank, start, limit - len(rows)),
                )
                for rank in ranks
            ]
            rows += sorted((each for several in answers for each in several), key=lambda each: each[0])[: limit - len(rows)]
        elif after is None or value > after[:-1]:
            break
    return Found(rows, row.live - front)


# --- hot ----------------------------------------------------------------------------------------------------------------------


def _hot(row: ThreadRow, now: int, after: SortKey | None, limit: int) -> Plan[Found]:
    """
    Merge the groups, each from its hottest, which is its newest, down; what stands in front of a cursor is counted.

    A group is looked into once its turn may have come: none of it is hotter than the newest comment would be with its votes.
    """
    ranks, [newest] = yield [Sql(_RANKS, (row.model,)), Sql(f"SELECT max(id) FROM comments WHERE {_TOP}", (row.model,))]
    if not ranks:
        return Found([], 0)
    starts = {rank: _hot_start(rank, now, after) for (rank,) in ranks}
    last = from_bytes(newest[0])
    waiting = sorted(((int(_hot_key(rank, last, now)[0]), rank) for rank in starts), reverse=True)
    heap: list[tuple[Key, int, bytes]] = []
    more: dict[int, list[bytes]] = {}
    ids: list[bytes] = []
    while len(ids) < limit and (heap or waiting):
        some: list[int] = []
        while waiting and len(some) < _FEW and (not heap or waiting[-1][0] <= int(heap[0][0][0])):
            some.append(waiting.pop()[1])
        if some:
            answers = yield [Sql(_NEWEST, (row.model, rank, starts[rank], _FEW)) for rank in some]
            for rank, found in zip(some, answers, strict=True):
                more[rank] = [id for _, id in reversed(found)]
                _push(heap, more[rank], rank, now)
            continue
        _, rank, id = heappop(heap)
        ids.append(id)
        if not more[rank]:
            [found] = yield [Sql(_NEWEST, (row.model, rank, id, _FEW))]
            more[rank] = [below for _, below in reversed(found)]
        _push(heap, more[rank], rank, now)
    front = 0
    if after is not None:
        count = f"SELECT count(*) FROM {_RANKED} AND rank = ?2 AND id >= ?3"
        counts = yield [Sql(count, (row.model, rank, start)) for rank, start in starts.items()]
        front = sum(number for [(number,)] in counts)
    chosen = yield [Sql(_BY_IDS, (row.model, id)) for id in ids]
    return Found([rows[0] for rows in chosen], row.live - front)


def _push(heap: list[tuple[Key, int, bytes]], ids: list[bytes], rank: int, now: int) -> None:
    """Put the hottest of a group that is left on the heap."""
    if ids:
        id = ids.pop()
        heappush(heap, (_hot_key(rank, from_bytes(id), now), rank, id))


def _hot_key(rank: int, id: str, now: int) -> Key:
    return key("hot", Votes(id, *_votes(rank), id), now=now)


def _hot_start(rank: int, now: int, after: SortKey | None) -> bytes:
    """
    Return what the ids of a group that stand behind *after* are below.

    A group cools with age, so it has those that are hotter on top, then those that are as hot, which stand behind where their
    ids are smaller, then the cooler ones.
    """
    if after is None:
        return _LAST
    up, down = _votes(rank)
    heat_at, id = -int(after[0]), to_bytes(str(after[-1]))
    hotter = _ids_from(now, longest_age(up - down, heat_at + 1))
    as_hot = _ids_from(now, longest_age(up - down, heat_at)) if heat_at else b""
    return min(hotter, max(id, as_hot))


def _ids_from(now: int, age: int | None) -> bytes:
    """Return a bound that the ids of at most this age are not below."""
    if age is None:
        return _LAST
    return min(max(now - age, 0), MAX_MILLIS).to_bytes(6, "big")


# --- pins and lists -----------------------------------------------------------------------------------------------------------


def _with_pins(row: ThreadRow, walk: Walk) -> Plan[Found]:
    """Put what is pinned in front, in the same order. Complexity: as for the walk, and O(pinned)."""
    [rows] = yield [Sql(_PINNED, (row.model,))]
    ids = {row[0] for row in rows}
    keyed = sorted((_pin_key(each, walk), each) for each in rows)
    pins = [each for at, each in keyed if walk.after is None or (0, *at) > walk.after]
    after = None if walk.after is None or walk.after[0] == 0 else walk.after[1:]
    rest = yield from _walk(row, walk.order, walk.now, after, walk.limit + len(ids))
    again = sum(1 for at, _ in keyed if after is None or at > after)
    chosen = [*pins, *(each for each in rest.rows if each[0] not in ids)]
    return Found(chosen[: walk.limit], len(pins) + rest.behind - again)


def _pin_key(row: Row, walk: Walk) -> Key:
    """Return where a pinned comment would stand without its pin."""
    id, active = from_bytes(row[0]), row[_ACTIVITY]
    votes = Votes(id, row[_UP], row[_DOWN], from_bytes(active) if active else id)
    return key(walk.order, votes, now=walk.now)


def flat(row: ThreadRow, walk: Walk) -> Plan[Found]:
    """
    Return a part of all comments that the public sees.

    Complexity: O(limit), and O(comments in front) behind a cursor, for "oldest", "newest" and "active", which of a single
    comment is when it was posted; O(n) for orders by votes.
    """
    model, limit = row.model, walk.limit
    if walk.order in ("oldest", "newest", "active"):
        at = None if walk.after is None else to_bytes(str(walk.after[-1]))
        if walk.order == "oldest":
            start, order, front = at or b"", "id > ?2 ORDER BY id", "id <= ?2"
        else:
            start, order, front = at or _LAST, "id < ?2 ORDER BY id DESC", "id >= ?2"
        rows, counted = yield [
            Sql(f"SELECT {_VIEWED} FROM {_FLAT} AND {_SHOWN} AND {order} LIMIT ?3", (model, start, limit)),
            Sql(f"SELECT count(*) FROM {_FLAT} AND {_SHOWN} AND {front}", (model, start)),
        ]
        return Found(rows, row.total - (0 if at is None else counted[0][0]))
    [every] = yield [Sql(f"SELECT id, up, down FROM {_FLAT} AND {_SHOWN}", (model,))]
    keys = list(_behind(every, walk))
    chosen = nsmallest(limit, keys)
    found = yield [Sql(f"SELECT {_VIEWED} FROM {_FLAT} AND id = ?2", (model, to_bytes(str(each[-1])))) for each in chosen]
    return Found([rows[0] for rows in found], len(keys))


def _behind(every: Sequence[Row], walk: Walk) -> Iterator[SortKey]:
    for id, up, down in every:
        text = from_bytes(id)
        ranked = key(walk.order, Votes(text, up, down, text), now=walk.now)
        if walk.after is None or ranked > walk.after:
            yield ranked
