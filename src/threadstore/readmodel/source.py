"""A thread in tables as a `Source`: the views' questions as SQL, and rows as their answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from threadstore.errors import CorruptRecord, UnsupportedSchema, UpcastFailed
from threadstore.log._schema import seed, sound_rows, unfilled
from threadstore.model.codec import glances, shared_actor
from threadstore.model.events import Event, ThreadDescribed
from threadstore.model.ids import NIL, from_bytes, to_bytes
from threadstore.model.outline import TOP, Node
from threadstore.model.policy import Rules
from threadstore.model.state import Cells, cells_of_facts
from threadstore.model.status import Locks, effective_kinds, is_forgotten, person_cutoffs
from threadstore.model.values import SUPPORT, actor_key
from threadstore.plans import NOTHING, Plan, Row, Sql
from threadstore.readmodel.queries import Unfit, event_in, facts_about, find_node, thread_row
from threadstore.readmodel.rows import (
    COMMENT,
    PARENT,
    PLACED,
    PLACES,
    POST,
    TEXT,
    ThreadRow,
    are_sound,
    fingerprint,
    mentions_in,
    node_in,
    parent_from,
    viewed_node,
)
from threadstore.readmodel.walks import flat, live_top
from threadstore.views.source import Head, Said, Source, Walk
from threadstore.views.types import Counts

__all__ = ["TARGET", "KnownRows", "TableSource", "counts_of", "fit_row", "opened_source"]

#: SQLite nests the loops in the order of the joins, and so keeps the order of the parents without sorting.
_CHILDREN: Final = f"""
    WITH RECURSIVE parents(n) AS (SELECT 1 UNION ALL SELECT n + 16 FROM parents WHERE n + 16 < length(?2))
    SELECT {PLACED} FROM parents CROSS JOIN comments AS c ON c.model = ?1 AND c.parent = substr(?2, n, 16) AND c.dead = 0
        AND c.id <= coalesce((SELECT id FROM comments WHERE model = ?1 AND parent = substr(?2, n, 16) AND dead = 0
            ORDER BY id LIMIT 1 OFFSET ?3 - 1), x'ff')
    LEFT JOIN events AS e ON e.position = c.post"""
_BEHIND: Final = f"""
    SELECT {PLACED} FROM {PLACES} WHERE c.model = ? AND c.parent = ? AND c.dead = 0 AND c.id > ? ORDER BY c.id LIMIT ?"""
_FRONT: Final = "SELECT count(*) FROM comments WHERE model = ? AND parent = ? AND dead = 0 AND id <= ?"
_ABOVE: Final = f"""
    WITH RECURSIVE above(parent, far) AS (
        SELECT parent, 0 FROM comments INDEXED BY comments_by_id WHERE model = ?1 AND id = ?2
        UNION ALL SELECT c.parent, far + 1 FROM above
        CROSS JOIN comments AS c INDEXED BY comments_by_id ON c.model = ?1 AND c.id = above.parent WHERE far < ?3)
    SELECT {PLACED} FROM above CROSS JOIN comments AS c INDEXED BY comments_by_id ON c.model = ?1 AND c.id = above.parent
    LEFT JOIN events AS e ON e.position = c.post WHERE far < ?3 ORDER BY far"""
_DEPTH: Final = """
    WITH RECURSIVE above(parent) AS (
        SELECT parent FROM comments INDEXED BY comments_by_id WHERE model = ?1 AND id = ?2
        UNION ALL SELECT c.parent FROM above
        CROSS JOIN comments AS c INDEXED BY comments_by_id ON c.model = ?1 AND c.id = above.parent)
    SELECT count(*) - 1 FROM above"""
_WITHHELD: Final = f"""
    SELECT {COMMENT} FROM comments INDEXED BY comments_by_withheld WHERE model = ?1 AND withheld IS NOT NULL"""
_WAITING: Final = "comments INDEXED BY comments_by_since WHERE model = ?1 AND since IS NOT NULL"
_CORRECTIONS: Final = f"SELECT {COMMENT} FROM comments WHERE model = ? AND parent = x'00' ORDER BY id"
_TEXTS: Final = """
    SELECT position, revision, crc, data FROM json_each(?) AS wanted CROSS JOIN events ON position = wanted.value"""
#: The facts about a target.
TARGET: Final = """
    SELECT e.position, revision, crc, data FROM facts AS f CROSS JOIN events AS e ON e.position = f.position
    WHERE f.model = ? AND f.target = ?"""
_REACTED: Final = """
    SELECT kind, e.id, given FROM reactions AS r CROSS JOIN events AS e ON e.position = r.event
    WHERE r.model = ? AND r.comment = ? AND r.actor = ?"""
_MANY: Final = 1 << 40
_MISSING: Final = "rows are missing that are counted"

Values = list[Any]
_THREAD: Final = 3


def counts_of(row: ThreadRow) -> Counts:
    """Return the public's figures of a thread."""
    return Counts(row.top, row.total - row.top, row.total, row.pending, row.hidden)


def opened_source(key: str, rules: Rules, known: KnownRows | None = None) -> Plan[TableSource]:
    """
    Return a thread, to be read.

    Raises:
        Unfit: Its rows cannot be used.
    """
    return TableSource(key, rules, (yield from fit_row(key, rules)), known)


def fit_row(key: str, rules: Rules) -> Plan[ThreadRow | None]:
    """
    Return the row of a thread, to be read; None if it has no events.

    Raises:
        Unfit: Its rows cannot be used.
    """
    row = yield from thread_row(key)
    if row is not None and not row.fits(fingerprint(rules)):
        raise Unfit(key, "they are of other rules, of a part of the stream, or damaged")
    return row


class TableSource(Source):
    """
    A thread in tables.

    Args:
        key: Its key.
        rules: The rules that its rows are of.
        row: Its row; None for a thread without events.
        known: The nodes of rows that were read before.
    """

    def __init__(self, key: str, rules: Rules, row: ThreadRow | None, known: KnownRows | None = None) -> None:
        self.key = key
        self.rules = rules
        self.row = row
        self._known = KnownRows() if known is None else known
        self._last: Sequence[Node] = ()  # the nodes that were read last
        self.model = 0 if row is None else row.model
        self._mark = seed(key.encode())

    @property
    def revision(self) -> int:
        """The thread's revision."""
        return 0 if self.row is None else self.row.revision

    def head(self) -> Plan[Head]:
        """Return what is known of the thread. Complexity: O(1)."""
        row = self.row
        if row is None:
            return Head(0, Counts(), False, NIL)
        title, url = "", ""
        if row.described is not None:
            facts = yield from self.facts([row.described])
            described = facts[row.described]
            assert isinstance(described, ThreadDescribed)
            forgotten = is_forgotten(described, (yield from self.cutoffs()))
            title, url = "" if forgotten else described.title, described.url
        return Head(row.revision, counts_of(row), bool(row.locked), from_bytes(row.latest), title, url, row.unreadable)

    # --- nodes ----------------------------------------------------------------------------------------------------------------

    def _nodes(self, rows: Sequence[Row]) -> Plan[list[Node]]:
        """Return the nodes of rows of the `PLACED` columns, with their words. One that was read before is not made again."""
        nodes = yield from self._found(rows)
        self._last = nodes
        return nodes

    def _found(self, rows: Sequence[Row]) -> Plan[list[Node]]:
        known = self._known
        nodes = [known.find(row) for row in rows]
        fresh = [row for row, node in zip(rows, nodes, strict=True) if node is None]
        if not fresh:
            return nodes  # type: ignore[return-value]  # none of them is None
        made = yield from self._made(fresh)
        known.keep(fresh, made)
        if len(fresh) == len(rows):
            return made
        rest = iter(made)
        return [next(rest) if node is None else node for node in nodes]

    def _made(self, rows: Sequence[Row]) -> Plan[list[Node]]:
        """Make the nodes of rows, having held each against its checksum, and its words against theirs."""
        if not are_sound(rows):
            raise Unfit(self.key, "a row does not match its checksum")
        edits = [row[TEXT] for row in rows if row[TEXT]]
        [found] = (yield [Sql(_TEXTS, (str(edits),))]) if edits else ([],)
        texts = self._values(found)
        posts = self._values([(row[POST], *row[-3:]) for row in rows if row[POST]])
        try:
            return nodes_with_words(rows, posts, texts)
        except KeyError as error:
            raise Unfit(self.key, f"the text at position {error} is missing or damaged") from error

    def walk(self, walk: Walk) -> Plan[tuple[Sequence[Node], int]]:
        """Return a part of an order; costs as `live_top` and `flat` say."""
        if self.row is None:
            return (), 0
        found = yield from flat(self.row, walk) if walk.flat else live_top(self.row, walk)
        if len(found.rows) < min(walk.limit, found.behind):
            raise Unfit(self.key, _MISSING)
        return (yield from self._nodes(found.rows)), found.behind

    def children(self, parents: Sequence[str], most: int) -> Plan[Mapping[str, Sequence[Node]]]:
        """Return first replies. Complexity: O(log n) for each parent and each reply."""
        [rows] = yield [Sql(_CHILDREN, (self.model, b"".join(map(to_bytes, parents)), most))]
        found: dict[str, list[Node]] = {}
        kids = {node.id: node.kids for node in self._last}
        for node in (yield from self._nodes(rows)):
            found.setdefault(node.parent, []).append(node)
        if any(len(found.get(parent, ())) < min(kids.get(parent, 0), most) for parent in parents):
            raise Unfit(self.key, _MISSING)
        return found

    def children_behind(self, parent: str, after: str, limit: int) -> Plan[tuple[Sequence[Node], int]]:
        """Return replies. Complexity: O(limit), and O(replies in front) to count those that are left."""
        start = to_bytes(after) if after else b""
        id = to_bytes(parent)
        rows, front, [own] = yield [
            Sql(_BEHIND, (self.model, id, start, limit)),
            Sql(_FRONT, (self.model, id, start)),
            find_node(self.model, parent),
        ]
        return (yield from self._nodes(rows)), node_in(self.key, own).kids - front[0][0]

    def nodes(self, ids: Collection[str]) -> Plan[Mapping[str, Node]]:
        """Return nodes. Complexity: O(log n) for each."""
        answers = yield [find_node(self.model, id) for id in ids]
        nodes = (node_in(self.key, rows[0]) for rows in answers if rows)
        return {node.id: node for node in nodes}

    def ancestors(self, node: Node, limit: int | None) -> Plan[Sequence[Node]]:
        """Return the nodes above. Complexity: O(log n) for each."""
        [rows] = yield [Sql(_ABOVE, (self.model, to_bytes(node.id), _MANY if limit is None else limit))]
        return (yield from self._nodes(rows))

    def depth(self, node: Node) -> Plan[int]:
        """Return the depth. Complexity: O(log n) for each node above."""
        if not node.parent:
            return 0
        [[(depth,)]] = yield [Sql(_DEPTH, (self.model, to_bytes(node.id)))]
        return int(depth)

    def withheld(self, author: int | None) -> Plan[Sequence[Node]]:
        """Return what is withheld. Complexity: O(withheld)."""
        own, values = ("", ()) if author is None else (" AND withheld = ?2", (author,))
        [rows] = yield [Sql(_WITHHELD + own, (self.model, *values))]
        return [node_in(self.key, row) for row in rows]

    def corrections(self) -> Plan[Sequence[Node]]:
        """Return the corrections. Complexity: O(corrections)."""
        [rows] = yield [Sql(_CORRECTIONS, (self.model,))]
        return [node_in(self.key, row) for row in rows]

    def waiting(self, after: tuple[str, str] | None, limit: int) -> Plan[tuple[Sequence[Node], int]]:
        """Return what waits. Complexity: O(limit), and O(waiting) behind a cursor."""
        since, id = (b"", b"") if after is None else map(to_bytes, after)
        rows, [(count,)] = yield [
            Sql(f"SELECT {COMMENT} FROM {_WAITING} AND (since, id) > (?2, ?3) ORDER BY since, id LIMIT ?4",
                (self.model, since, id, limit)),
            Sql(f"SELECT count(*) FROM {_WAITING} AND (since, id) > (?2, ?3)", (self.model, since, id)),
        ]  # fmt: skip
        return [node_in(self.key, row) for row in rows], count

    # --- words ----------------------------------------------------------------------------------------------------------------

    def said(self, nodes: Sequence[Node]) -> Plan[Sequence[Said]]:
        """Return words, which most nodes were read with. Complexity: O(log n) for each of the others."""
        wanted = [node for node in nodes if node.words is None]
        if wanted:
            places = [node.post for node in wanted] + [node.text for node in wanted if node.text is not None]
            [rows] = yield [Sql(_TEXTS, (str(places),))]
            values = self._values(rows)
            try:
                for node in wanted:
                    node.words = said_in(node, "", b"", values[node.post], values)
            except KeyError as error:
                raise Unfit(self.key, f"the text at position {error} is missing or damaged") from error
        return [node.words for node in nodes]

    def _values(self, rows: Sequence[Row]) -> dict[int, Values]:
        """Return what sound rows of position, revision, checksum and bytes say, by position; what is of another thread, not."""
        sound = sound_rows(self._mark, rows)
        try:
            said = glances([unfilled(row[3]) for row in sound]) if sound else []
        except (CorruptRecord, UnsupportedSchema, UpcastFailed) as error:
            raise Unfit(self.key, f"a text is damaged: {error}") from error
        return {row[0]: values for row, values in zip(sound, said, strict=True) if values[_THREAD] == self.key}

    def facts(self, places: Collection[Any]) -> Plan[Mapping[Any, Event]]:
        """Return facts by their positions. Complexity: O(log n) for each."""
        if not places:
            return {}
        [rows] = yield [Sql(_TEXTS, (str(sorted(places)),))]
        try:
            found = {row[0]: event_in(self.key, row) for row in rows}
        except (CorruptRecord, UpcastFailed) as error:
            raise Unfit(self.key, f"a fact is damaged: {error}") from error
        if len(found) < len(places):
            raise Unfit(self.key, "a fact is missing")
        return found

    def cells(self, ids: Collection[str]) -> Plan[Mapping[str, Cells]]:
        """Return cells. Complexity: O(facts about each)."""
        return (yield from self.cells_from(TARGET, self.model, ids))

    def cells_from(self, facts: str, model: int, ids: Collection[str]) -> Plan[Mapping[str, Cells]]:
        """Return the cells that the posts and some facts make: those that a query such as `TARGET` finds under a number."""
        wanted = list(ids)
        nodes = yield from self.nodes([id for id in wanted if id])
        answers = yield [Sql(facts, (model, to_bytes(id) if id else b"")) for id in wanted]
        if any(id and id not in nodes for id in wanted):
            raise Unfit(self.key, _MISSING)
        posts = yield from self.facts([node.post for node in nodes.values() if node.post is not None])
        try:
            return {
                id: cells_of_facts((*self._post_of(id, nodes, posts), *facts_about(self.key, id, rows)))
                for id, rows in zip(wanted, answers, strict=True)
            }
        except (CorruptRecord, UpcastFailed) as error:
            raise Unfit(self.key, f"a fact is damaged: {error}") from error

    @staticmethod
    def _post_of(id: str, nodes: Mapping[str, Node], posts: Mapping[Any, Event]) -> Iterator[Event]:
        node = nodes.get(id)
        if node is not None and node.post is not None:
            yield posts[node.post]

    def reacted(self, ids: Sequence[str], reader: str) -> Plan[Mapping[str, frozenset[str]]]:
        """Return a reader's reactions. Complexity: O(log n) for each comment."""
        actor = actor_key(reader)
        answers = yield [Sql(_REACTED, (self.model, to_bytes(id), actor)) for id in ids]
        found: dict[str, frozenset[str]] = {}
        for id, rows in zip(ids, answers, strict=True):
            if rows:
                given = {kind or SUPPORT: (from_bytes(event), bool(is_given)) for kind, event, is_given in rows}
                found[id] = effective_kinds(given, self.rules)
        return found

    # --- the thread as a whole ------------------------------------------------------------------------------------------------

    def locks(self) -> Plan[Locks | None]:
        """Return the locks. Complexity: O(facts about the thread)."""
        if self.row is None or not self.row.late:
            return None
        cells = yield from self.cells([""])
        return Locks(cells[""], self.rules)

    def cutoffs(self) -> Plan[Mapping[str, str]]:
        """Return whose words are forgotten. Complexity: O(facts about the thread)."""
        yield from NOTHING
        if self.row is None or not self.row.cutoffs:
            return {}
        cells = yield from self.cells([""])
        return person_cutoffs(cells[""], self.rules)


def nodes_with_words(rows: Sequence[Row], posts: Mapping[int, Values], texts: Mapping[int, Values]) -> list[Node]:
    """Return the nodes of rows of the `PLACED` columns, with their words, from what the records of posts and edits say."""
    nodes: list[Node] = []
    parents = {b"": TOP}
    for row in rows:
        parent = parents.get(row[PARENT])
        if parent is None:
            parent = parents[row[PARENT]] = parent_from(row[PARENT])
        node = viewed_node(row, parent)
        if node.post is not None:
            node.words = said_in(node, parent, row[PARENT], posts[node.post], texts)
        nodes.append(node)
    return nodes


def said_in(node: Node, parent: str, place: bytes, posted: Values, texts: Mapping[int, Values]) -> Said:
    """Return the words of a comment under a parent, of these bytes, from what the records of its post and its edit say."""
    _, _, _, _, actor, above, _, _, at, body, *meta = posted
    text, editor = node.id, None
    if node.text is not None:
        _, _, id, _, by, _, _, body, *_ = texts[node.text]
        text, editor = from_bytes(id), shared_actor(by)
    return Said(
        None if above is None else parent if above == place else from_bytes(above),
        shared_actor(actor),
        at,
        meta[0] if meta else None,
        text,
        body,
        editor,
        () if node.mentions is None else mentions_in(node.mentions),
    )


class KnownRows:
    """
    The nodes of rows that were read before, with their words: a page shows much of what the last one showed.

    Most rows of a page that somebody asks for after a post are what they were, and making a node takes as long as reading
    its row (docs/performance.md). A row that differs in anything is made anew.
    """

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes: dict[bytes, tuple[Row, Node]] = {}

    def find(self, row: Row) -> Node | None:
        """Return the node of a row, if that very row was read before."""
        known = self._nodes.get(row[0])
        return known[1] if known is not None and known[0] == row else None

    def keep(self, rows: Sequence[Row], nodes: Sequence[Node]) -> None:
        """Keep the nodes of some rows; when there are too many, all others are forgotten."""
        if len(self._nodes) > MOST_ROWS:
            self._nodes.clear()
        self._nodes.update((row[0], (row, node)) for row, node in zip(rows, nodes, strict=True))

    def clear(self) -> None:
        """Forget all of them."""
        self._nodes.clear()


#: How many rows are known at most, some 1.5 kB each.
MOST_ROWS: Final = 4_096
