"""
What is read of a thread, as SQL: the row of a thread, and whatever a `Part` found missing.

`loading` turns each `Missing` into its query and puts the answer into what is `Loaded`. All that is
missing at once is asked in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from threadstore.errors import CorruptRecord, UpcastFailed
from threadstore.log._appending import END, HAS_ERASURES, REVISION, record_of
from threadstore.log._schema import seed
from threadstore.model.events import Event, ReactionGiven, ReactionWithdrawn
from threadstore.model.ids import NIL, from_bytes, to_bytes
from threadstore.model.outline import Missing
from threadstore.model.values import SUPPORT, Actor, actor_key
from threadstore.plans import Plan, Row, Sql
from threadstore.readmodel.part import AUTHORS_AT_ONCE, Loaded
from threadstore.readmodel.rows import COMMENT, ThreadRow, Unfit, columns_of

__all__ = ["Unfit", "event_in", "facts_about", "find_node", "loading", "readable", "thread_in", "thread_query", "thread_row"]


_COLUMNS: Final = columns_of("t").replace("t.revision", REVISION, 1)
_THREAD: Final = f"SELECT {_COLUMNS}, {END}, {HAS_ERASURES} FROM threads AS t WHERE t.key = ?1"

_NODE: Final = f"SELECT {COMMENT} FROM comments INDEXED BY comments_by_id WHERE model = ? AND id = ?"
#: Some nodes and those above them, level by level; each once.
_LINES: Final = f"""
    WITH RECURSIVE places(n) AS (SELECT 1 UNION ALL SELECT n + 16 FROM places WHERE n + 16 < length(?2)),
    line(id) AS (
        SELECT substr(?2, n, 16) FROM places
        UNION SELECT c.parent FROM line
        CROSS JOIN comments AS c INDEXED BY comments_by_id ON c.model = ?1 AND c.id = line.id LIMIT ?3)
    SELECT {", ".join(f"c.{name}" for name in COMMENT.split(", "))}
    FROM line CROSS JOIN comments AS c INDEXED BY comments_by_id ON c.model = ?1 AND c.id = line.id"""
_FACTS: Final = """
    SELECT position, revision, crc, data FROM events WHERE id = ?2 AND thread = ?3
    UNION ALL
    SELECT e.position, revision, crc, data FROM facts AS f CROSS JOIN events AS e ON e.position = f.position
    WHERE f.model = ?1 AND f.target = ?2"""
_REACTION: Final = """
    SELECT r.event, r.given, e.id FROM reactions AS r JOIN events AS e ON e.position = r.event
    WHERE r.model = ? AND r.comment = ? AND r.actor = ? AND r.kind = ?"""
_KNOWN: Final = """
    SELECT t.key, position, e.revision, e.crc, data FROM events AS e JOIN threads AS t ON t.id = e.thread WHERE e.id = ?"""
_POSTS: Final = f"""
    SELECT {", ".join(f"c.{name}" for name in COMMENT.split(", "))}
    FROM authors AS a CROSS JOIN comments AS c INDEXED BY comments_by_id ON c.model = a.model AND c.id = a.id
    WHERE a.author = ? AND a.model = ? AND a.id < ? ORDER BY a.id DESC LIMIT {AUTHORS_AT_ONCE}"""
_CHILDREN: Final = f"SELECT {COMMENT} FROM comments WHERE model = ? AND parent = ?"
_ALL_FACTS: Final = "SELECT position, revision, crc, data FROM events WHERE thread = ? ORDER BY revision"
_BEYOND: Final = b"\xff" * 17

#: How many times nodes are read one by one before those above them are read along.
_STEPS: Final = 5
_DOUBLINGS: Final = 20


def thread_row(key: str) -> Plan[ThreadRow | None]:
    """Return the row of a thread; None if it has no events."""
    [rows] = yield [thread_query(key)]
    return thread_in(rows)


def thread_query(key: str) -> Sql:
    """Return the query of a thread's row."""
    return Sql(_THREAD, (key,))


def thread_in(rows: list[Row]) -> ThreadRow | None:
    """Return the row of a thread that was asked for."""
    return ThreadRow(*rows[0]) if rows else None


def find_node(model: int, id: str) -> Sql:
    """Return the query of a node."""
    return Sql(_NODE, (model, to_bytes(id)))


def event_in(key: str, row: Row) -> Event:
    """
    Return the event of a row of position, revision, checksum and bytes.

    Raises:
        CorruptRecord: It is damaged.
        UnsupportedSchema, UpcastFailed: It cannot be read by this release.
    """
    record = record_of(key, seed(key.encode()), *row)
    if record is None:
        raise CorruptRecord(None, "its row is damaged")
    return record.event


def readable(key: str, rows: Iterable[Row]) -> Iterator[tuple[int, int, Event]]:
    """
    Yield position, revision and event of each row of position, revision, checksum and bytes; those that are damaged are left out.

    Raises:
        UnsupportedSchema: A newer release has written one; that is no damage.
    """
    mark = seed(key.encode())
    for row in rows:
        record = record_of(key, mark, *row)
        if record is not None:
            with suppress(CorruptRecord, UpcastFailed):
                yield record.position, record.revision, record.event


def facts_about(key: str, target: str, rows: Iterable[Row]) -> list[Event]:
    """
    Return the facts of rows of position, revision, checksum and bytes.

    Raises:
        CorruptRecord, UpcastFailed: One is damaged.
        Unfit: One is about something else than *target*.
    """
    facts = [event_in(key, row) for row in rows]
    if any((fact.target or "") != target for fact in facts):
        raise Unfit(key, "a row leads to a fact about something else")
    return facts


class _Query(NamedTuple):
    """How something that is missing is asked for, and how the answer is noted."""

    ask: Callable[[Loaded, Any], Sql]
    note: Callable[[Loaded, Any, list[Row]], None]


def _model(loaded: Loaded) -> int:
    return 0 if loaded.row is None else loaded.row.model


def _number(loaded: Loaded) -> int:
    return 0 if loaded.row is None else loaded.row.id


def _note_node(loaded: Loaded, id: str, rows: list[Row]) -> None:
    if rows:
        loaded.put(rows[0])
    else:
        loaded.nodes[id] = None


def _ask_facts(loaded: Loaded, target: str) -> Sql:
    return Sql(_FACTS, (_model(loaded), to_bytes(target) if target else b"", _number(loaded)))


def _note_facts(loaded: Loaded, target: str, rows: list[Row]) -> None:
    reflected = 0 if loaded.row is None else loaded.row.projected  # what is being appended may be in the log already
    try:
        told = [row for row in rows if row[1] <= reflected]
        facts = facts_about(loaded.key, target, told)
        loaded.facts[target] = [(row[0], event) for row, event in zip(told, facts, strict=True)]
    except (CorruptRecord, UpcastFailed) as error:
        raise Unfit(loaded.key, f"a fact that they were made of is damaged: {error}") from error


def _ask_reaction(loaded: Loaded, key: tuple[str, str, str]) -> Sql:
    comment, actor, kind = key
    return Sql(_REACTION, (_model(loaded), to_bytes(comment), actor_key(actor), "" if kind == SUPPORT else kind))


def _note_reaction(loaded: Loaded, key: tuple[str, str, str], rows: list[Row]) -> None:
    if not rows:
        loaded.reactions[key] = None
        return
    [(position, given, id)] = rows
    comment, actor, kind = key
    made = ReactionGiven if given else ReactionWithdrawn
    event = made(id=from_bytes(id), thread=loaded.key, actor=Actor(actor), comment=comment, kind=kind)
    loaded.reactions[key] = position, event


def _note_known(loaded: Loaded, id: str, rows: list[Row]) -> None:
    loaded.known[id] = event_in(rows[0][0], rows[0][1:]) if rows else None


def _ask_posts(loaded: Loaded, key: tuple[int, str]) -> Sql:
    author, below = key
    return Sql(_POSTS, (author, _model(loaded), to_bytes(below) if below else _BEYOND))


def _note_posts(loaded: Loaded, key: tuple[int, str], rows: list[Row]) -> None:
    loaded.posts[key] = list(map(loaded.put, rows))


def _note_children(loaded: Loaded, parent: str, rows: list[Row]) -> None:
    loaded.children[parent] = [loaded.put(row).id for row in rows]


def _note_act(loaded: Loaded, person: str, rows: list[Row]) -> None:
    own = (event.id for _, _, event in readable(loaded.key, rows) if event.actor is not None and event.actor.id == person)
    loaded.acts[person] = max(own, default=NIL)


_QUERIES: Final[Mapping[str, _Query]] = {
    "node": _Query(lambda loaded, id: find_node(_model(loaded), id), _note_node),
    "facts": _Query(_ask_facts, _note_facts),
    "reaction": _Query(_ask_reaction, _note_reaction),
    "known": _Query(lambda _, id: Sql(_KNOWN, (to_bytes(id),)), _note_known),
    "posts": _Query(_ask_posts, _note_posts),
    "children": _Query(lambda loaded, id: Sql(_CHILDREN, (_model(loaded), to_bytes(id))), _note_children),
    "act": _Query(lambda loaded, _: Sql(_ALL_FACTS, (_number(loaded),)), _note_act),
}


def _lines(loaded: Loaded, ids: Sequence[str]) -> Plan[None]:
    """Read some nodes and those above them: of each, twice as many as the last time."""
    if not ids:
        return
    most = len(ids) << min(loaded.steps - _STEPS, _DOUBLINGS)
    [rows] = yield [Sql(_LINES, (_model(loaded), b"".join(map(to_bytes, ids)), most))]
    loaded.nodes.update(dict.fromkeys(ids))
    for row in rows:
        loaded.put(row)


def loading(loaded: Loaded, missing: Iterable[Missing]) -> Plan[None]:
    """
    Read what is missing.

    A change at the end of a deep chain goes from node to node up, and each is found missing after the one below it. So after a
    few steps the nodes above are read along, each time twice as many.
    """
    wanted = {(each.what, each.key): _QUERIES[each.what] for each in missing}
    loaded.steps += 1
    if loaded.steps > _STEPS:
        ids = [key for what, key in wanted if what == "node"]
        yield from _lines(loaded, ids)
        wanted = {key: query for key, query in wanted.items() if key[0] != "node"}
    answers = yield [query.ask(loaded, key) for (_, key), query in wanted.items()]
    for ((_, key), query), rows in zip(wanted.items(), answers, strict=True):
        query.note(loaded, key, rows)
