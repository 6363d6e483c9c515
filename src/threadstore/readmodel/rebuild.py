"""
The read model of a thread made anew from its log: after an import, a change of rules, an upgrade, damage.

There is no second fold. A `Builder` is a `Part` of which everything was read and nothing was there;
what it comes to are the rows. `built` writes them at once, in the transaction of whoever needs them:
for small threads, and for what a merge brings. A large thread is built under another number while
the old rows are shown and written: `portions` writes a few rows at a time, `caught_up` brings them
up to what was appended meanwhile and shows them in the end, `cleared` takes the old ones away.

A record that cannot be read is left out and counted (`ThreadRow.unreadable`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from itertools import islice
from typing import Final

from msgspec.structs import force_setattr

from threadstore.model.events import CommentEdited, CommentPosted, Event, ReactionGiven
from threadstore.model.ids import to_bytes
from threadstore.model.mentions import MAX_ABOVE, Names
from threadstore.model.outline import FLAGS, MISSING, TOP, Node
from threadstore.model.policy import Rules
from threadstore.model.values import SUPPORT, actor_key
from threadstore.plans import Many, Plan, Row, Sql
from threadstore.readmodel.part import Loaded, Part
from threadstore.readmodel.projection import projected, set_thread
from threadstore.readmodel.queries import readable, thread_row
from threadstore.readmodel.rows import COLUMNS, COMMENT, ThreadRow, comment_row, fingerprint, mentions_of, name_key

__all__ = [
    "ADD",
    "Builder",
    "built",
    "caught_up",
    "claimed",
    "cleared",
    "name_rows",
    "own_model",
    "portion_cleared",
    "portions",
    "read_on",
    "records_behind",
    "shadow_of",
    "still_claimed",
    "written",
]

_ERASED: Final = FLAGS["erased"]
_CORRECTION: Final = FLAGS["correction"]
_CHUNK: Final = 1_000
_CATCH_UP: Final = 40

_READ: Final = """
    SELECT position, revision, crc, data FROM events WHERE thread = ? AND revision > ? ORDER BY revision LIMIT ?"""
#: The statements that add a row, by table.
ADD: Final = {
    "comments": f"INSERT INTO comments (model, {COMMENT}) VALUES (?{', ?' * len(COLUMNS)})",
    "reactions": "INSERT INTO reactions (model, comment, actor, kind, event, given) VALUES (?, ?, ?, ?, ?, ?)",
    "facts": "INSERT OR IGNORE INTO facts (model, target, position) VALUES (?, ?, ?)",
    "authors": "INSERT OR IGNORE INTO authors (author, model, id) VALUES (?, ?, ?)",
    "names": "INSERT INTO names (model, length, name, actor, first, last) VALUES (?, ?, ?, ?, ?, ?)",
}
_DROP_AUTHOR: Final = "DELETE FROM authors WHERE author = ? AND model = ? AND id = ?"
_DROP_AUTHORS: Final = """
    DELETE FROM authors WHERE (author, model, id) IN (SELECT author, model, id FROM comments WHERE model = ?)"""
_DROP_COMMENT: Final = "DELETE FROM comments WHERE model = ? AND parent = ? AND dead = ? AND id = ?"
#: The tables beside `comments` and `authors`, with the columns of their keys behind `model`.
_KEYS: Final = {"reactions": "comment, actor, kind", "facts": "target, position", "names": "length, name, actor"}
_TEXTS: Final = "SELECT position, revision, crc, data FROM events WHERE position IN (SELECT value FROM json_each(?))"


class Builder:
    """
    A whole thread, folded for its rows.

    Args:
        key: The thread's key.
        rules: Who may do what.
        today: Tells what holds today for a comment, if the thread is folded as it was (`threadstore.readmodel.past`).
    """

    def __init__(self, key: str, rules: Rules, *, today: Callable[[str], Node | None] | None = None) -> None:
        self.key = key
        self.rules = rules
        self.part = Part(Loaded.nothing(key), rules, today=today)
        #: The revision up to which the thread was folded, and how many records up to there could not be read.
        self.revision = self.unreadable = 0
        self._forgotten = False
        self._calling: set[str] = set()

    def take(self, position: int, revision: int, event: Event) -> None:
        """Fold in the next record."""
        if revision <= self.revision:  # a damaged index may tell of a row twice
            return
        self.unreadable += revision - self.revision - 1
        self.revision = revision
        if isinstance(event, CommentPosted | CommentEdited) and "@" in event.body:
            self._calling.add(event.target)
        self._forgotten = not self.part.take(event, position) or self._forgotten

    def finish(self, revision: int) -> Plan[None]:
        """Judge what can be judged only in the end, and find who is addressed; *revision* is where the stream ends."""
        self.unreadable += revision - self.revision
        self.revision = revision
        self.settle()
        if self._forgotten:
            for node in list(self.nodes):
                self.part.outline.judge(node)
        self.look_home()
        yield from self._resolve()

    def settle(self) -> None:
        """Judge what the records that were taken are about."""
        self.part.outline.settle()

    def look_home(self) -> None:
        """Shorten every way up, and find the latest word below each top-level node where it may have been hidden."""
        outline = self.part.outline
        for place in sorted(self.nodes, key=_by_id):  # parents first, so that every way up is short
            if not place.flags & _CORRECTION:
                outline.root(place)
        quiet = {outline.root(self._node(id)).id for id in outline.quiet}
        latest: dict[str, str] = {}
        if quiet:
            for node in list(self.nodes):
                if node.is_comment and node.shown and (root := outline.root(node).id) in quiet:
                    latest[root] = max(latest.get(root, ""), node.id)
        for id in quiet:
            self._node(id).active = latest.get(id, "")
        outline.quiet.clear()

    @property
    def nodes(self) -> Iterator[Node]:
        """The nodes of the thread."""
        return (node for node in self.part.outline.nodes.values() if node is not None)

    # --- mentions -------------------------------------------------------------------------------------------------------------

    def _resolve(self) -> Plan[None]:
        self.names = Names()
        for posted in self.part.posted:
            if not self._node(posted.id).flags & _ERASED:
                self.names.add(posted.id, posted.actor)
        calling = [node for id in self._calling if (node := self.part.outline.nodes[id]) is not None and node.post is not None]
        for start in range(0, len(calling), _CHUNK):
            some = calling[start : start + _CHUNK]
            [rows] = yield [Sql(_TEXTS, (str([node.text or node.post for node in some]),))]
            texts = {position: event for position, _, event in readable(self.key, rows)}
            for node in some:
                text = texts.get(node.text or node.post)
                if isinstance(text, CommentPosted | CommentEdited) and "@" in text.body and not node.flags & _ERASED:
                    node.mentions = mentions_of(self.names.find(text.body, comment=text.id, above=partial(self._above, node)))

    def _node(self, id: str) -> Node:
        node = self.part.outline.nodes[id]
        assert node is not None, id
        return node

    def _above(self, node: Node) -> list[int]:
        authors: list[int] = []
        for _ in range(MAX_ABOVE):
            if node.parent == TOP:
                break
            node = self._node(node.parent)
            if not node.flags & MISSING:
                authors.append(node.author)
        return authors

    # --- rows -----------------------------------------------------------------------------------------------------------------

    def rows(self, model: int) -> Iterator[tuple[str, list[Row]]]:
        """Yield the rows of each table, under a number, in the order of their keys."""
        yield from self.viewed(model)
        posts = self.part.posted
        yield "authors", sorted((actor_key(posted.actor), model, to_bytes(posted.id)) for posted in posts)
        yield "names", sorted((model, *use) for use in name_rows(self.names))

    def viewed(self, model: int) -> Iterator[tuple[str, list[Row]]]:
        """Yield the rows of the tables that views of one thread are read from."""
        part = self.part
        yield "comments", sorted((model, *comment_row(node, self.rules)) for node in self.nodes)
        yield (
            "reactions",
            sorted(
                (
                    model,
                    to_bytes(comment),
                    actor_key(actor),
                    "" if kind == SUPPORT else kind,
                    part.places[event.id],
                    int(isinstance(event, ReactionGiven)),
                )
                for (comment, actor, kind), event in part.reacted.items()
                if actor is not None
            ),
        )
        yield "facts", sorted((model, _target(fact), part.places[fact.id]) for fact in part.noted)

    def thread(self, row: ThreadRow, model: int) -> ThreadRow:
        """Set in a thread's row what the rows amount to, which stand under a number."""
        row.take(self.part.outline.tally)
        row.model, row.projected, row.rules = model, self.revision, fingerprint(self.rules)
        row.unreadable, row.building = self.unreadable, 0
        row.since = min((to_bytes(node.since) for node in self.nodes if node.since), default=None)
        return row


def _by_id(node: Node) -> str:
    return node.id


def _target(fact: Event) -> bytes:
    return to_bytes(fact.target) if fact.target else b""


def name_rows(names: Names) -> Iterator[Row]:
    """Yield what is kept of names, without the number of the model."""
    for name, actor, ids in names.uses():
        yield len(name), name_key(name), actor, to_bytes(ids[0]), to_bytes(ids[-1])


# --- at once ------------------------------------------------------------------------------------------------------------------


def built(key: str, rules: Rules) -> Plan[None]:
    """
    Make the rows of a thread anew, in the present transaction.

    Complexity: O(n log n).
    """
    row = yield from thread_row(key)
    if row is None:
        return
    builder = Builder(key, rules)
    yield from _read_into(builder, row)
    yield from builder.finish(row.revision)
    model = own_model(row) or row.id
    for each in (model, -model):
        yield from cleared(each)
    for table, rows in builder.rows(model):
        yield [Many(ADD[table], rows)]
    yield _set_anew(copy(row), builder.thread(row, model))


def _set_anew(before: ThreadRow, row: ThreadRow) -> list[Sql]:
    """Return the update of what is kept of a thread, and of its revision in any case: a damaged one was not read as it stands."""
    before.revision = -1
    return set_thread(before, row)


#: What stands for a body that was dropped, in which somebody may be addressed.
_DROPPED: Final = "@"


def _without_words(key: str, rows: Iterable[Row]) -> Iterator[tuple[int, int, Event]]:
    """Yield records as `readable` does, without bodies: a million of them would fill the memory, and few are asked for again."""
    for position, revision, event in readable(key, rows):
        if isinstance(event, CommentPosted | CommentEdited):
            force_setattr(event, "body", _DROPPED if "@" in event.body else "")
        yield position, revision, event


def _read_into(builder: Builder, row: ThreadRow) -> Plan[None]:
    after = builder.revision
    while (found := (yield from records_behind(builder.key, row.id, after))) is not None:
        records, after = found
        for record in records:
            builder.take(*record)


def records_behind(key: str, number: int, after: int) -> Plan[tuple[Sequence[tuple[int, int, Event]], int] | None]:
    """
    Return some records behind a revision of the thread with this number, without bodies, and the revision to go on from.

    None at the end of the stream.
    """
    [rows] = yield [Sql(_READ, (number, after, _CHUNK))]
    if not rows:
        return None
    last = max((each[1] for each in rows if type(each[1]) is int), default=after + _CHUNK)
    return list(_without_words(key, rows)), last


def written(builder: Builder, row: ThreadRow, placed: Iterable[tuple[int, Event]]) -> Plan[None]:
    """Make the rows of a thread that had no event before of the facts that were appended to it, in the present transaction."""
    for revision, (position, event) in enumerate(placed, 1):
        builder.take(position, revision, event)
    yield from builder.finish(row.revision)
    for table, rows in builder.rows(row.id):
        yield [Many(ADD[table], rows)]
    builder.thread(row, row.id)


def cleared(model: int) -> Plan[None]:
    """Delete the rows under a number."""
    yield [
        Sql(_DROP_AUTHORS, (model,)),
        *(Sql(f"DELETE FROM {table} WHERE model = ?", (model,)) for table in ("comments", "reactions", "facts", "names")),
    ]


# --- in portions --------------------------------------------------------------------------------------------------------------


def claimed(key: str, token: int) -> Plan[ThreadRow | None]:
    """Note that a thread is about to be built anew, and return its row; None if it has no events."""
    row = yield from thread_row(key)
    if row is not None:
        yield [Sql("UPDATE threads SET building = ? WHERE id = ?", (token, row.id))]
    return row


def own_model(row: ThreadRow) -> int:
    """Return the number under which a thread's rows are; 0 if it has none, or a damaged one, which may be another thread's."""
    return row.model if abs(row.model) == row.id else 0


def shadow_of(row: ThreadRow) -> int:
    """Return the number under which rows are written that are not shown: a thread has two, which take turns."""
    return -own_model(row) or row.id


def read_on(builder: Builder, number: int) -> Plan[list[tuple[int, int, Event]]]:
    """Return the next records, of the thread with this number, that a builder takes; none at the end of the stream."""
    after = builder.revision
    while True:
        [rows] = yield [Sql(_READ, (number, after, _CHUNK))]
        found = list(_without_words(builder.key, rows))
        if found or not rows:
            return found
        after += _CHUNK  # all of these are damaged


def portions(builder: Builder, model: int, size: int) -> Iterator[Many]:
    """Yield the statements that write a builder's rows, a few rows each."""
    for table, rows in builder.rows(model):
        some = iter(rows)
        while portion := list(islice(some, size)):
            yield Many(ADD[table], portion)


def caught_up(rules: Rules, key: str, shadow: ThreadRow, token: int, effort: int) -> Plan[tuple[ThreadRow, bool] | None]:
    """
    Bring the rows under a shadow's number up to some of what was appended meanwhile, and show them if that was all.

    The greater the *effort*, the more is taken at once: however fast a thread grows, it is caught up with.

    Return what is kept of the thread now, and whether it is shown; None if somebody else has begun to build the thread.
    """
    row = yield from thread_row(key)
    assert row is not None, key
    if row.building != token:
        return None
    most = _CATCH_UP * effort
    [rows] = yield [Sql(_READ, (row.id, shadow.projected, most + 1))]
    more, rows = len(rows) > most, rows[:most]
    placed = [(position, event) for position, _, event in readable(key, rows)]
    if placed:
        yield from projected(Loaded(key, shadow), shadow, placed, rules)
    last = max((each[1] for each in rows if type(each[1]) is int), default=shadow.projected)
    shadow.unreadable += last - shadow.projected - len(placed)
    shadow.projected = last
    ids = [to_bytes(event.id) for _, event in placed]
    shadow.latest, shadow.earliest = max([shadow.latest, *ids]), min([shadow.earliest, *ids])
    if more:
        return shadow, False
    shadow.unreadable += row.revision - shadow.projected
    shadow.projected, shadow.building = row.revision, 0
    shadow.revision, shadow.latest, shadow.earliest = row.revision, row.latest, row.earliest
    yield _set_anew(row, shadow)
    return shadow, True


def portion_cleared(model: int, size: int) -> Plan[int]:
    """Delete some of the rows under a number; return how many there were, 0 when none is left."""
    [rows] = yield [
        Sql("SELECT parent, dead, id, author FROM comments WHERE model = ? ORDER BY parent, dead, id LIMIT ?", (model, size))
    ]
    if rows:
        yield [
            Many(_DROP_COMMENT, [(model, *row[:3]) for row in rows]),
            Many(_DROP_AUTHOR, [(author, model, id) for _, _, id, author in rows]),
        ]
        return len(rows)
    for table, columns in _KEYS.items():
        [found] = yield [Sql(f"SELECT {columns} FROM {table} WHERE model = ? ORDER BY {columns} LIMIT ?", (model, size))]
        if found:
            named = " AND ".join(f"{column} = ?" for column in columns.split(", "))
            yield [Many(f"DELETE FROM {table} WHERE model = ? AND {named}", [(model, *row) for row in found])]
            return len(found)
    return 0


def still_claimed(number: int, token: int) -> Plan[bool]:
    """Return whether nobody else has begun to build a thread."""
    [[(building,)]] = yield [Sql("SELECT building FROM threads WHERE id = ?", (number,))]
    return bool(building == token)
