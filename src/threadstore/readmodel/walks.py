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
from heapq import heapify, heappop, heapreplace, nsmallest
from itertools import groupby
from typing import Final, NamedTuple

from threadstore.log._schema import bucket_of
from threadstore.model.ids import MAX_MILLIS, from_bytes, invert, to_bytes
from threadstore.model.index import SortKey
from threadstore.model.outline import FLAGS, HIDES
from threadstore.model.ranking import Key, Order, Votes, heat, key, longest_age
from threadstore.plans import Plan, Row, Sql
from threadstore.readmodel.rows import DOWN_BITS, PLACED, VIEWED, ThreadRow
from threadstore.views.source import Walk

__all__ = ["flat", "live_top"]

_JOINED: Final = "LEFT JOIN events AS e ON e.position = c.post"
#: Parts of the table: the index that they are read from, and what they are.
_TOP: Final = ("", "c.model = ?1 AND c.parent = x'' AND c.dead = 0")
_RANKED: Final = ("INDEXED BY comments_by_rank", "c.model = ?1 AND c.rank IS NOT NULL")
_ACTIVE: Final = ("INDEXED BY comments_by_bucket", "c.model = ?1 AND c.bucket IS NOT NULL")
_PINNED: Final = ("INDEXED BY comments_by_pin", "c.model = ?1 AND c.pinned IS NOT NULL")
_EVERY: Final = ("INDEXED BY comments_by_id", f"c.model = ?1 AND c.flags & {HIDES | FLAGS['correction']} = 0")


def _placed(part: tuple[str, str], rest: str) -> str:
    """Return a query of `PLACED` rows of a part."""
    index, where = part
    return f"SELECT {PLACED} FROM comments AS c {index} {_JOINED} WHERE {where} {rest}"


def _count(part: tuple[str, str], rest: str) -> str:
    """Return a query that counts rows of a part."""
    index, where = part
    return f"SELECT count(*) FROM comments AS c {index} WHERE {where} {rest}"


_RANKS: Final = """
    WITH RECURSIVE ranks(rank) AS (
        SELECT max(rank) FROM comments INDEXED BY comments_by_rank WHERE model = ?1 AND rank IS NOT NULL
        UNION ALL SELECT (SELECT max(rank) FROM comments INDEXED BY comments_by_rank WHERE model = ?1 AND rank < ranks.rank)
        FROM ranks WHERE ranks.rank IS NOT NULL)
    SELECT rank FROM ranks WHERE rank IS NOT NULL"""
_NEWEST: Final = """
    SELECT id FROM comments INDEXED BY comments_by_rank
    WHERE model = ?1 AND rank IS NOT NULL AND rank = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4"""
_BEHIND_START: Final = """
    FROM comments INDEXED BY comments_by_rank
    WHERE model = ?1 AND rank IS NOT NULL AND rank = r.value AND id < substr(?3, r.key * 16 + 1, 16)"""
#: Of each of some ranks, with the ids that begin its rest packed one behind the other: the two newest of the rest, and how many
#: stand in front of it.
_HEADS: Final = f"""
    SELECT r.value, (SELECT max(id) {_BEHIND_START}), (SELECT id {_BEHIND_START} ORDER BY id DESC LIMIT 1 OFFSET 1)
    FROM json_each(?2) AS r"""
_HOT_FRONT: Final = """
    SELECT coalesce(sum((SELECT count(*) FROM comments INDEXED BY comments_by_rank
        WHERE model = ?1 AND rank IS NOT NULL AND rank = r.value AND id >= substr(?3, r.key * 16 + 1, 16))), 0)
    FROM json_each(?2) AS r"""
_BY_IDS: Final = f"""
    WITH RECURSIVE wanted(n) AS (SELECT 1 UNION ALL SELECT n + 16 FROM wanted WHERE n + 16 < length(?2))
    SELECT {PLACED} FROM wanted CROSS JOIN comments AS c
        ON c.model = ?1 AND c.parent = x'' AND c.dead = 0 AND c.id = substr(?2, n, 16) {_JOINED}"""

_UP: Final = VIEWED.index("up")
_DOWN: Final = VIEWED.index("down")
_ACTIVITY: Final = VIEWED.index("active")

_OLDEST: Final = _placed(_TOP, "AND c.id > ?2 ORDER BY c.id LIMIT ?3")
_NEWEST_TOP: Final = _placed(_TOP, "AND c.id < ?2 ORDER BY c.id DESC LIMIT ?3")
_LATEST: Final = _placed(_ACTIVE, "AND c.bucket <= ?2 AND c.active < ?3 ORDER BY c.bucket DESC, c.active DESC LIMIT ?4")
_IN_GROUP: Final = _placed(_RANKED, "AND c.rank = ?2 AND c.id > ?3 ORDER BY c.id LIMIT ?4")
_GROUP_FRONT: Final = _count(_RANKED, "AND c.rank = ?2 AND c.id <= ?3")

#: Above every id.
_LAST: Final = b"\xff" * 16
#: How many of one group are fetched at once in "hot".
_FEW: Final = 8


class Found(NamedTuple):
    """Rows of the `PLACED` columns, in order, and how many there are behind the beginning."""

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
            Sql(_OLDEST, (model, start, limit)),
            Sql(_count(_TOP, "AND c.id <= ?2"), (model, start)),
        ]
    elif order == "newest":
        start = _LAST if after is None else to_bytes(str(after[-1]))
        rows, front = yield [
            Sql(_NEWEST_TOP, (model, start, limit)),
            Sql(_count(_TOP, "AND c.id >= ?2"), (model, start)),
        ]
    elif order == "active":
        start = _LAST if after is None else to_bytes(invert(str(after[0])))
        rows, front = yield [
            Sql(_LATEST, (model, bucket_of(start), start, limit)),
            Sql(_count(_ACTIVE, "AND c.bucket >= ?2 AND c.active >= ?3"), (model, bucket_of(start), start)),
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
        [rows] = yield [Sql(_placed(_RANKED, "ORDER BY c.rank DESC, c.id LIMIT ?2"), (row.model, limit))]
        return Found(rows, row.live)
    id = to_bytes(str(after[-1]))
    [found] = yield [Sql("SELECT rank FROM comments WHERE model = ? AND parent = x'' AND dead = 0 AND id = ?", (row.model, id))]
    if not found or _value(order, found[0][0]) != after[:-1]:  # it has other votes now
        return (yield from _by_votes(row, order, after, limit))
    at = found[0][0]
    same, below, front, beside = yield [
        Sql(_IN_GROUP, (row.model, at, id, limit)),
        Sql(_placed(_RANKED, "AND c.rank < ?2 ORDER BY c.rank DESC, c.id LIMIT ?3"), (row.model, at, limit)),
        Sql(_count(_RANKED, "AND c.rank > ?2"), (row.model, at)),
        Sql(_GROUP_FRONT, (row.model, at, id)),
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
            counts = yield [Sql(_GROUP_FRONT, (row.model, rank, start)) for rank in ranks]
            front += sum(count for [(count,)] in counts)
        if len(rows) < limit and start != _LAST:
            answers = yield [Sql(_IN_GROUP, (row.model, rank, start, limit - len(rows))) for rank in ranks]
            rows += sorted((each for several in answers for each in several), key=lambda each: each[0])[: limit - len(rows)]
        elif after is None or value > after[:-1]:
            break
    return Found(rows, row.live - front)


# --- hot ----------------------------------------------------------------------------------------------------------------------


class _Head(NamedTuple):
    """The hottest of a group that is left, so that the smallest of several comes first."""

    heat: int
    age: int
    rank: int
    id: bytes


def _hot(row: ThreadRow, now: int, after: SortKey | None, limit: int) -> Plan[Found]:
    """Merge the groups, each from its hottest, which is its newest, down; what stands in front of a cursor is counted."""
    [found] = yield [Sql(_RANKS, (row.model,))]
    ranks = [rank for (rank,) in found]
    starts = b"".join(_hot_start(rank, now, after) for rank in ranks)
    named = str(ranks)
    asked = [Sql(_HEADS, (row.model, named, starts)), Sql(_HOT_FRONT, (row.model, named, starts))]
    newest, *front = yield asked[:1] if after is None else asked
    heap = [_head(rank, id, now) for rank, id, _ in newest if id is not None]
    heapify(heap)
    more = {rank: [second] for rank, _, second in newest if second is not None}
    ids: list[bytes] = []
    while heap and len(ids) < limit:
        _, _, rank, id = heap[0]
        ids.append(id)
        if more.get(rank) == []:
            [below] = yield [Sql(_NEWEST, (row.model, rank, id, _FEW))]
            more[rank] = [each for (each,) in reversed(below)]
        if more.get(rank):
            heapreplace(heap, _head(rank, more[rank].pop(), now))
        else:
            heappop(heap)
    [rows] = yield [Sql(_BY_IDS, (row.model, b"".join(ids)))]
    return Found(rows, row.live - sum(count for [(count,)] in front))


def _head(rank: int, id: bytes, now: int) -> _Head:
    """Return where a comment stands: as its `sort_key` says, in numbers."""
    up, down = _votes(rank)
    return _Head(-heat(up - down, now - int.from_bytes(id[:6], "big")), -int.from_bytes(id, "big"), rank, id)


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
    if hotter <= id:  # whoever is as hot is older still
        return hotter
    as_hot = _ids_from(now, longest_age(up - down, heat_at)) if heat_at else bytes(16)
    return min(hotter, max(id, as_hot))


def _ids_from(now: int, age: int | None) -> bytes:
    """Return a bound that the ids of at most this age are not below."""
    if age is None:
        return _LAST
    return min(max(now - age, 0), MAX_MILLIS).to_bytes(6, "big") + bytes(10)


# --- pins and lists -----------------------------------------------------------------------------------------------------------


def _with_pins(row: ThreadRow, walk: Walk) -> Plan[Found]:
    """Put what is pinned in front, in the same order. Complexity: as for the walk, and O(pinned)."""
    [rows] = yield [Sql(_placed(_PINNED, ""), (row.model,))]
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
            start, order, front = at or b"", "AND c.id > ?2 ORDER BY c.id LIMIT ?3", "AND c.id <= ?2"
        else:
            start, order, front = at or _LAST, "AND c.id < ?2 ORDER BY c.id DESC LIMIT ?3", "AND c.id >= ?2"
        rows, counted = yield [
            Sql(_placed(_EVERY, order), (model, start, limit)),
            Sql(_count(_EVERY, front), (model, start)),
        ]
        return Found(rows, row.total - (0 if at is None else counted[0][0]))
    [every] = yield [Sql(f"SELECT id, up, down FROM comments AS c {_EVERY[0]} WHERE {_EVERY[1]}", (model,))]
    keys = list(_behind(every, walk))
    chosen = nsmallest(limit, keys)
    found = yield [Sql(_placed(_EVERY, "AND c.id = ?2"), (model, to_bytes(str(each[-1])))) for each in chosen]
    return Found([rows[0] for rows in found], len(keys))


def _behind(every: Sequence[Row], walk: Walk) -> Iterator[SortKey]:
    for id, up, down in every:
        text = from_bytes(id)
        ranked = key(walk.order, Votes(text, up, down, text), now=walk.now)
        if walk.after is None or ranked > walk.after:
            yield ranked
