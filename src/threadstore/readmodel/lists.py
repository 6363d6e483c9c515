"""
Lists over many threads, from their rows: counts, what was said last, who waits, who said what.

A thread whose row cannot be used (another release or other rules made it, or it does not reflect
the whole stream) is never listed as it stands: `Unfit` names it, and it is made anew first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from heapq import nlargest
from typing import Final, NamedTuple

import msgspec

from threadstore.log._schema import bucket_of
from threadstore.model.ids import from_bytes, time_of, to_bytes
from threadstore.model.outline import FLAGS, HIDES, Node
from threadstore.model.policy import Rules
from threadstore.model.values import actor_key
from threadstore.plans import Plan, Row, Sql
from threadstore.readmodel.queries import Unfit
from threadstore.readmodel.rows import COMMENT, ThreadRow, columns_of, fingerprint, fits, node_in
from threadstore.readmodel.source import TableSource
from threadstore.views.lens import Lens
from threadstore.views.request import PageRequest
from threadstore.views.types import CommentView, Counts, FrozenDict, ThreadLine

__all__ = ["FeedItem", "by_person", "counts_in", "latest_in", "overview_of", "unfit_in", "waiting_in"]

#: How many threads are looked at together.
_TOGETHER: Final = 32
_MANY: Final = 500
_ROW: Final = columns_of("t")
#: As bytes: one that is damaged may be no text, and must not stand in the way of the others.
_KEY: Final = "CAST(t.key AS BLOB)"
_COUNTS: Final = f"SELECT {_ROW}, t.key FROM json_each(?) AS wanted CROSS JOIN threads AS t ON t.key = wanted.value"
_RECENT: Final = f"""
    SELECT {_KEY}, {_ROW} FROM threads AS t INDEXED BY threads_by_bucket
    WHERE bucket <= ? AND latest < ? ORDER BY bucket DESC, latest DESC LIMIT ?"""
_WAITING: Final = (
    f"SELECT {_KEY}, since FROM threads AS t INDEXED BY threads_by_since WHERE since IS NOT NULL AND since > ? ORDER BY since"
)
_UNFIT: Final = f"SELECT {_KEY} FROM threads AS t WHERE rules <> ? OR projected <> revision ORDER BY id"
_GONE: Final = FLAGS["missing"] | FLAGS["erased"] | FLAGS["deleted"] | FLAGS["correction"]
_NEWEST: Final = f"SELECT {COMMENT} FROM comments INDEXED BY comments_by_id WHERE model = ?1 AND id < ?2 AND "
#: Without a limit SQLite may leave the order of a subquery out (sqlite.org/optoverview.html), so the newest would not be first.
_SAID_BY: Final = f"""
    SELECT {_KEY}, {_ROW}, {", ".join(f"c.{name}" for name in COMMENT.split(", "))}
    FROM (SELECT model, id FROM authors WHERE author = ?1 AND id < ?2 ORDER BY id DESC LIMIT -1) AS a
    CROSS JOIN threads AS t ON t.id = abs(a.model) AND t.model = a.model
    CROSS JOIN comments AS c INDEXED BY comments_by_id ON c.model = a.model AND c.id = a.id
    WHERE """
_BEYOND: Final = b"\xff" * 17
_TOP, _TOTAL, _PENDING, _HIDDEN = (ThreadRow.__struct_fields__.index(name) for name in ("top", "total", "pending", "hidden"))
_UNFIT_WHY: Final = "they are of other rules, of a part of the stream, or damaged"


class FeedItem(msgspec.Struct, frozen=True):
    """
    One comment in a list over all threads, as one reader sees it.

    Args:
        thread: The key of its thread.
        position: Where it is in the log: what `before=` takes.
        comment: The comment without its thread. Nobody has looked at the tree, so it has no replies and no counts, and
            reactions, mentions, depth, pin, lateness and marks are left out; `StoredThread.comment` has them.
    """

    thread: str
    position: int
    comment: CommentView


def _row_of(key: str, values: Sequence[object], rules: Rules) -> ThreadRow:
    row = ThreadRow(*values)  # type: ignore[arg-type]  # a row of the columns
    if not row.fits(fingerprint(rules)):
        raise Unfit(key, _UNFIT_WHY)
    return row


# --- threads ------------------------------------------------------------------------------------------------------------------


def counts_in(keys: Sequence[str], rules: Rules) -> Plan[dict[str, Counts]]:
    """Return the counts of those threads that have events. Complexity: O(log threads) for each."""
    found: dict[str, Counts] = {}
    wanted = fingerprint(rules)
    for start in range(0, len(keys), _MANY):
        [rows] = yield [Sql(_COUNTS, (msgspec.json.encode(keys[start : start + _MANY]).decode(),))]
        for row in rows:
            if not fits(row, wanted):
                raise Unfit(row[-1], _UNFIT_WHY)
            found[row[-1]] = Counts(row[_TOP], row[_TOTAL] - row[_TOP], row[_TOTAL], row[_PENDING], row[_HIDDEN])
    return found


def overview_of(before: str, limit: int, rules: Rules) -> Plan[list[tuple[str, ThreadLine]]]:
    """Return the threads in which something happened last, each with its latest id, which is below *before* if that is given."""
    rows = yield from _recent(before, limit)
    lines: list[tuple[str, ThreadLine]] = []
    for key, *values in rows:
        row = _row_of(key, values, rules)
        head = yield from TableSource(key, rules, row).head()
        lines.append(
            (
                head.latest,
                ThreadLine(key, head.title, head.url, head.counts, head.locked, time_of(head.latest), row.waiting),
            )
        )
    return lines


def _recent(before: str, limit: int) -> Plan[list[Row]]:
    bound = to_bytes(before) if before else _BEYOND
    [rows] = yield [Sql(_RECENT, (bucket_of(bound), bound, limit))]
    return _keyed(rows)


def _keyed(rows: Iterable[Row]) -> list[Row]:
    """Return rows that begin with a key, as a text; one that is no text is left out, since nothing leads to its thread."""
    found: list[Row] = []
    for key, *values in rows:
        with suppress(UnicodeDecodeError):
            found.append((key.decode(), *values))
    return found


def waiting_in(after: str | None) -> Plan[list[str]]:
    """Return the threads in which something waits for a moderator since a time behind *after*, the longest waiting first."""
    [rows] = yield [Sql(_WAITING, (to_bytes(after) if after else b"",))]
    return [key for key, _ in _keyed(rows)]


def unfit_in(rules: Rules) -> Plan[list[str]]:
    """Return the threads whose rows are of other rules, or of a part of their stream. Complexity: O(threads)."""
    [rows] = yield [Sql(_UNFIT, (fingerprint(rules),))]
    return [key for (key,) in _keyed(rows)]


# --- comments -----------------------------------------------------------------------------------------------------------------


class _Eyes(NamedTuple):
    """What a reader is shown of lists: a condition on rows of `comments`, with its values."""

    condition: str
    values: tuple[int, ...]
    lens: Lens


def _eyes(rules: Rules, request: PageRequest) -> _Eyes:
    lens = Lens(rules, request)
    if lens.moderates:
        return _Eyes(f"flags & {_GONE} = 0", (), lens)
    if request.reader is None:
        return _Eyes(f"flags & {_GONE | HIDES} = 0", (), lens)
    held = FLAGS["removed"] | _GONE
    return _Eyes(f"(flags & {_GONE | HIDES} = 0 OR (author = ?3 AND flags & {held} = 0))", (actor_key(request.reader),), lens)


def latest_in(limit: int, below: str, rules: Rules, request: PageRequest) -> Plan[tuple[FeedItem, ...]]:
    """
    Return the newest comments of all threads that this reader is shown, of those with an id below one if that is given.

    Complexity: O(limit), and O(limit) for each thread in which something has happened since the last of them was posted.
    """
    eyes = _eyes(rules, request)
    bound = to_bytes(below) if below else _BEYOND
    found: list[tuple[str, Node, TableSource]] = []
    before = ""
    while True:
        recent = yield from _recent(before, _TOGETHER)
        if not recent or (len(found) == limit and found[-1][0] > from_bytes(recent[0][3])):
            break
        sources = [TableSource(key, rules, _row_of(key, values, rules)) for key, *values in recent]
        sql = f"{_NEWEST}{eyes.condition} ORDER BY id DESC LIMIT {limit}"
        answers = yield [Sql(sql, (source.model, bound, *eyes.values)) for source in sources]
        for source, rows in zip(sources, answers, strict=True):
            nodes = (node_in(source.key, row) for row in rows)
            found += ((node.id, node, source) for node in nodes)
        found = nlargest(limit, found, key=lambda each: each[0])
        before = from_bytes(recent[-1][3])
    return (yield from _items([(node, source) for _, node, source in found], eyes.lens))


def by_person(id: str, limit: int, below: str, rules: Rules, request: PageRequest) -> Plan[tuple[FeedItem, ...]]:
    """
    Return the newest comments of one person that this reader is shown, in all threads; arguments as for `latest_in`.

    Complexity: O(comments of the person).
    """
    eyes = _eyes(rules, request)
    bound = to_bytes(below) if below else _BEYOND
    [rows] = yield [Sql(f"{_SAID_BY}{eyes.condition} LIMIT {limit}", (actor_key(id), bound, *eyes.values))]
    rows = _keyed(rows)
    width = len(ThreadRow.__struct_fields__) - 2
    sources = [TableSource(row[0], rules, _row_of(row[0], row[1 : 1 + width], rules)) for row in rows]
    found = [(node_in(source.key, row[1 + width :]), source) for source, row in zip(sources, rows, strict=True)]
    items = yield from _items(found, eyes.lens)
    return tuple(item for item in items if item.comment.author is not None and item.comment.author.id == id)


def _items(found: Iterable[tuple[Node, TableSource]], lens: Lens) -> Plan[tuple[FeedItem, ...]]:
    items: list[FeedItem] = []
    for node, source in found:
        [said] = yield from source.said([node])
        bare = msgspec.structs.replace(node, votes=FrozenDict(), kids=0, replies=0, flags=node.flags & ~FLAGS["pinned"])
        view = lens.comment(bare, msgspec.structs.replace(said, mentions=(), view=None), 0, (), 0, frozenset(), None, None)
        items.append(FeedItem(source.key, node.post, view))
    return tuple(items)
