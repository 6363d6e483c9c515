"""
From events to rows: what an append changes in the read model, written in the append's transaction.

`projected` folds new facts into a `Part`, reads what that finds missing until nothing is, and writes
the columns that differ. Who is addressed in a text is found at this moment as well, and again when a
name comes late or goes, or a parent comes late: `_Mentions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from threadstore.model.events import CommentEdited, CommentPosted, CorrectionSuggested, Event, PersonErased, ReactionGiven
from threadstore.model.ids import from_bytes, to_bytes
from threadstore.model.mentions import MAX_ABOVE, Call, Use, calls, is_name, resolve
from threadstore.model.outline import EARLY, FLAGS, HIDES, MISSING, Missing, Node
from threadstore.model.policy import Rules
from threadstore.model.values import SUPPORT, actor_key
from threadstore.plans import Plan, Row, Sql, Step
from threadstore.readmodel.part import Loaded, Part
from threadstore.readmodel.queries import find_node, loading, readable
from threadstore.readmodel.rows import (
    COLUMNS,
    COMMENT,
    THREAD_COLUMNS,
    ThreadRow,
    comment_row,
    mentions_of,
    name_key,
    node_in,
    thread_values,
)

__all__ = ["Placed", "projected", "set_thread"]

#: A fact and the position that it has, or is given in this transaction.
Placed = tuple[int, Event]

_ERASED: Final = FLAGS["erased"]
_CORRECTION: Final = FLAGS["correction"]

_ADD: Final = f"INSERT INTO comments (model, {COMMENT}) VALUES (?{', ?' * len(COLUMNS)})"
_ADD_REACTION: Final = """
    INSERT INTO reactions (model, comment, actor, kind, event, given) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET event = excluded.event, given = excluded.given"""
_ADD_FACT: Final = "INSERT OR IGNORE INTO facts (model, target, position) VALUES (?, ?, ?)"
_ADD_AUTHOR: Final = "INSERT OR IGNORE INTO authors (author, model, id) VALUES (?, ?, ?)"
_ADD_NAME: Final = """
    INSERT INTO names (model, length, name, actor, first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
    ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)"""
_SET_NAME: Final = "INSERT OR REPLACE INTO names (model, length, name, actor, first, last) VALUES (?, ?, ?, ?, ?, ?)"
_DROP_NAME: Final = "DELETE FROM names WHERE model = ? AND length = ? AND name = ? AND actor = ?"
_LENGTHS: Final = """
    WITH RECURSIVE found(length) AS (
        SELECT min(length) FROM names WHERE model = ?1
        UNION ALL SELECT (SELECT min(length) FROM names WHERE model = ?1 AND length > found.length) FROM found
        WHERE found.length IS NOT NULL)
    SELECT length FROM found WHERE length IS NOT NULL"""
_USES: Final = "SELECT actor, first, last FROM names WHERE model = ? AND length = ? AND name = ?"
_SPOKEN: Final = """
    SELECT e.position, e.revision, e.crc, e.data FROM authors AS a CROSS JOIN events AS e ON e.id = a.id
    WHERE a.author = ? AND a.model = ? ORDER BY a.id"""
_CALLING: Final = """
    SELECT id FROM comments INDEXED BY comments_by_mentions WHERE model = ?1 AND mentions IS NOT NULL AND (id > ?2 OR text > 0)"""
_LATEST: Final = f"""
    WITH RECURSIVE below(id, flags) AS (
        SELECT id, flags FROM comments INDEXED BY comments_by_id WHERE model = ?1 AND id = ?2
        UNION ALL SELECT c.id, c.flags FROM below CROSS JOIN comments AS c ON c.model = ?1 AND c.parent = below.id AND c.dead = 0)
    SELECT max(id) FROM below WHERE NOT flags & {HIDES}"""
_SINCE: Final = "SELECT min(since) FROM comments INDEXED BY comments_by_since WHERE model = ? AND since IS NOT NULL"
_EVENTS_OF: Final = "SELECT position, revision, crc, data FROM events WHERE thread = ? ORDER BY revision"
_AT: Final = "SELECT position, revision, crc, data FROM events WHERE position = ?"
_AGAIN: Final = 200


def projected(
    loaded: Loaded,
    row: ThreadRow,
    placed: Sequence[Placed],
    rules: Rules,
    *,
    part: Part | None = None,
    appends: Step = (),
) -> Plan[None]:
    """
    Bring the rows of a thread up to facts that are appended to it.

    Args:
        loaded: What was read of the thread before.
        row: The thread's row; what the facts change in it is set, and is for the caller to write (`set_thread`).
        placed: The facts, none of which the rows reflect, with their positions.
        rules: Who may do what.
        part: The part on which the facts were decided, into which nothing was folded yet.
        appends: The statements that append the facts, if that is still to be done.

    Complexity: O(log n) for each fact, and O(facts about the comment) for those that have to be judged; O(n) for an erased
    person, and for a name or a parent that comes late or goes.
    """
    part = yield from _folded(loaded, placed, rules, part)
    texts = _Mentions(loaded, part, row.model)
    recalled = yield from texts.resolved(placed, _id_of(row.latest))
    writes, waits = _changes(loaded, part, row.model, rules)
    row.take(part.outline.tally)
    yield [*appends, *writes, *texts.writes, *_appended(part, row.model)]
    for id in sorted(part.outline.quiet):
        [[(latest,)]] = yield [Sql(_LATEST, (row.model, to_bytes(id)))]
        node = part.outline.nodes[id]
        assert node is not None, id
        before = comment_row(node, rules)
        node.active = _id_of(latest)
        yield _update(row.model, before, comment_row(node, rules))
    if waits:
        [[(row.since,)]] = yield [Sql(_SINCE, (row.model,))]
    if recalled:
        yield from _recall(texts, recalled, rules)


def _id_of(data: bytes | None) -> str:
    return from_bytes(data) if data else ""


#: What a person says in a comment or a correction.
_WORDS: Final = (CommentPosted, CommentEdited, CorrectionSuggested)


def _folded(loaded: Loaded, placed: Sequence[Placed], rules: Rules, decided: Part | None) -> Plan[Part]:
    """Return the part of the thread with the facts folded in, having read whatever that takes."""
    part = Part(loaded, rules) if decided is None else decided
    forgetting = any(isinstance(event, PersonErased) for _, event in placed)
    targets: Iterable[str] = ()
    if forgetting and loaded.row is not None:
        targets = yield from _targets_of(loaded, {event.person for _, event in placed if isinstance(event, PersonErased)})
    while True:
        missing: list[Missing] = []
        forgotten = False
        for position, event in placed:
            try:
                forgotten = not part.take(event, position) or forgotten
            except Missing as each:  # go on, to learn what else is
                missing.append(each)
        while part.outline.unjudged:
            try:
                part.outline.settle()
            except Missing as each:
                missing.append(each)
        try:
            if forgotten and not missing:
                for target in (*targets, *(event.target for _, event in placed if isinstance(event, _WORDS))):
                    if (node := part.outline.node(target)) is not None:
                        part.outline.judge(node)
            part.outline.quiet = _live_roots(part)
        except Missing as each:
            missing.append(each)
        if not missing:
            return part
        yield from loading(loaded, missing)
        part = Part(loaded, rules)


def _live_roots(part: Part) -> set[str]:
    """Return those top-level nodes that the latest word has to be found below: they may have moved home since."""
    roots = (part.outline.root(node) for id in part.outline.quiet if (node := part.outline.nodes[id]) is not None)
    return {root.id for root in roots if root.live}


def _targets_of(loaded: Loaded, persons: set[str]) -> Plan[list[str]]:
    """Return the comments and corrections in which some persons had a word. Complexity: O(events of the thread)."""
    assert loaded.row is not None
    [rows] = yield [Sql(_EVENTS_OF, (loaded.row.id,))]
    targets: dict[str, None] = {}
    for _, _, event in readable(loaded.key, rows):
        if isinstance(event, _WORDS) and event.actor is not None and event.actor.id in persons:
            targets[event.target] = None
    return list(targets)


# --- writing back -------------------------------------------------------------------------------------------------------------


def _changes(loaded: Loaded, part: Part, model: int, rules: Rules) -> tuple[list[Sql], bool]:
    """Return the statements that bring the nodes' rows to what they are now, and whether something waits since another time."""
    writes: list[Sql] = []
    waits = False
    for id, node in part.outline.touched.items():
        now, read = comment_row(node, rules), loaded.nodes[id]
        if read is None:
            writes.append(Sql(_ADD, (model, *now)))
            waits = waits or bool(node.since)
        else:
            writes += _update(model, loaded.rows[id], now)
            waits = waits or node.since != read.since
    return writes, waits


def _update(model: int, before: Row, now: Row) -> list[Sql]:
    """Return the update of the columns that differ: an index is written only if one of its columns is named."""
    changed = tuple([column for column, value in enumerate(now) if value != before[column]])
    if not changed:
        return []
    return [Sql(_setting(changed), (*[now[column] for column in changed], model, *before[:3]))]


@lru_cache(maxsize=512)
def _setting(changed: tuple[int, ...]) -> str:
    columns = ", ".join(f"{COLUMNS[column]} = ?" for column in changed)
    return f"UPDATE comments SET {columns} WHERE model = ? AND parent = ? AND dead = ? AND id = ?"


def _appended(part: Part, model: int) -> Iterator[Sql]:
    """Yield the statements that add the reactions, the facts to be judged, and the authors."""
    for (comment, actor, kind), event in part.reacted.items():
        if actor is not None:
            given = int(isinstance(event, ReactionGiven))
            key = actor_key(actor), "" if kind == SUPPORT else kind
            yield Sql(_ADD_REACTION, (model, to_bytes(comment), *key, part.places[event.id], given))
    for fact in part.noted:
        yield Sql(_ADD_FACT, (model, to_bytes(fact.target) if fact.target else b"", part.places[fact.id]))
    for posted in part.posted:
        yield Sql(_ADD_AUTHOR, (actor_key(posted.actor), model, to_bytes(posted.id)))


def set_thread(before: ThreadRow, row: ThreadRow) -> list[Sql]:
    """Return the update of what is kept of a thread, as far as it differs from *before*."""
    row.crc = row.checksum()
    former, now = thread_values(before), thread_values(row)
    changed = tuple([column for column, value in enumerate(now) if value != former[column]])
    return [Sql(_setting_thread(changed), (*[now[column] for column in changed], row.id))] if changed else []


@lru_cache(maxsize=512)
def _setting_thread(changed: tuple[int, ...]) -> str:
    columns = ", ".join(f"{THREAD_COLUMNS[column]} = ?" for column in changed)
    return f"UPDATE threads SET {columns} WHERE id = ?"


# --- names and mentions -------------------------------------------------------------------------------------------------------


class _Text(NamedTuple):
    """A text in which somebody may be addressed: its comment, its own id, and its words."""

    node: Node
    id: str
    body: str


class _Mentions:
    """
    Who is addressed in the texts that changed, and whom that concerns besides.

    A name that is used for the first time, or no longer, by a comment that is older than some text may change whom that
    text addresses, and so may a comment that comes behind its replies. So such texts are looked at again.
    """

    def __init__(self, loaded: Loaded, part: Part, model: int) -> None:
        self._loaded = loaded
        self._part = part
        self.model = model
        #: What has to be written of the names.
        self.writes: list[Sql] = []

    def resolved(self, placed: Sequence[Placed], latest: str) -> Plan[str]:
        """
        Resolve the mentions in new texts, and note names.

        Return the id of the oldest comment that matters to texts that were there before; empty if there is none.
        """
        oldest = yield from self._note_names(latest)
        texts = [text for text in self._new_texts(dict(placed)) if "@" in text.body]
        yield from self.resolve(texts)
        return oldest

    def _new_texts(self, placed: Mapping[int, Event]) -> Iterator[_Text]:
        """Yield the texts of the nodes that have another than before."""
        for id, node in self._part.outline.touched.items():
            read = self._loaded.nodes[id]
            if node.post is None or node.flags & _CORRECTION:
                continue
            if node.flags & _ERASED:
                node.mentions = None
                continue
            if read is not None and (read.post, read.text) == (node.post, node.text):
                continue
            event = placed.get(node.text or node.post) or self._fact_at(node)
            assert isinstance(event, CommentPosted | CommentEdited), id
            node.mentions = mentions_of(()) if "@" in event.body else None
            yield _Text(node, event.id, event.body)

    def _fact_at(self, node: Node) -> Event:
        """Return the fact whose text is a comment's, which was judged and so was read."""
        where = node.text or node.post
        return next(event for position, event in self._loaded.facts[node.id] if position == where)

    def resolve(self, texts: Sequence[_Text]) -> Plan[None]:
        """Find who is addressed in some texts. Names of comments in this part count, whether they are written yet or not."""
        if not texts:
            return
        [lengths] = yield [Sql(_LENGTHS, (self.model,))]
        new = [(posted, posted.actor) for posted in self._part.posted if posted.actor and is_name(posted.actor.name)]
        known = {length for (length,) in lengths} | {len(actor.name) for _, actor in new}
        found = [(text, calls(text.body, known)) for text in texts]
        names = sorted({name for _, several in found for call in several for name in call.names})
        answers = yield [Sql(_USES, (self.model, len(name), name_key(name))) for name in names]
        used = {name: [tuple(row) for row in rows] for name, rows in zip(names, answers, strict=True)}
        for posted, actor in new:
            if actor.name in used and not self._is_erased(posted.id):
                id = to_bytes(posted.id)
                used[actor.name].append((actor.id, id, id))
        for text, several in found:
            text.node.mentions = yield from self._resolved(text, several, used)

    def again(self, ids: Sequence[str], oldest: str, rules: Rules) -> Plan[None]:
        """Resolve anew the mentions in those texts of some comments that are newer than *oldest*."""
        rows = [found[0] for found in (yield [find_node(self.model, id) for id in ids])]
        nodes = [node_in(self._loaded.key, row) for row in rows]
        facts = yield [Sql(_AT, (node.text or node.post,)) for node in nodes]
        texts = [
            _Text(node, event.id, event.body)
            for node, found in zip(nodes, facts, strict=True)
            for _, _, event in readable(self._loaded.key, found)
            if isinstance(event, CommentPosted | CommentEdited) and event.id > oldest
        ]
        yield from self.resolve(texts)
        yield [
            write for node, row in zip(nodes, rows, strict=True) for write in _update(self.model, row, comment_row(node, rules))
        ]

    def _is_erased(self, id: str) -> bool:
        node = self._part.outline.nodes[id]
        return node is None or bool(node.flags & _ERASED)

    def _resolved(self, text: _Text, several: Sequence[Call], used: Mapping[str, Sequence[Row]]) -> Plan[bytes]:
        below = to_bytes(text.id)
        uses: dict[str, list[Use]] = {}
        for name in {name for call in several for name in call.names}:
            for actor, first, last in used[name]:
                if first < below:
                    key = actor_key(actor)
                    spoken = last if last < below else (yield from self._last_use(name, key, below))
                    if spoken is not None:
                        uses.setdefault(name, []).append(Use(actor, key, from_bytes(spoken)))
        merged = {name: list(_latest_of_each(found)) for name, found in uses.items()}
        above: list[int] = []
        if any(len(found) > 1 for found in merged.values()):
            above = yield from self._authors_above(text.node)
        return mentions_of(resolve(several, merged, lambda: above))

    def _last_use(self, name: str, author: int, below: bytes) -> Plan[bytes | None]:
        """
        Return the last comment below a text in which an author used a name.

        None where the only ones were erased together with what is written now, and the name is not taken out of the rows yet.

        Complexity: O(their comments in the thread).
        """
        [rows] = yield [Sql(_SPOKEN, (author, self.model))]
        spoken = [event for _, _, event in readable(self._loaded.key, rows)] + list(self._part.posted)
        ids = [
            to_bytes(event.id)
            for event in spoken
            if event.actor is not None and actor_key(event.actor) == author and event.actor.name == name
        ]
        return max((id for id in ids if id < below), default=None)

    def _authors_above(self, node: Node) -> Plan[list[int]]:
        """Return the keys of the authors above a comment, the parent's first: of nodes in this part, then of rows."""
        authors: list[int] = []
        while node.parent and len(authors) < MAX_ABOVE:
            try:
                above = self._part.outline.nodes[node.parent]
            except Missing as missing:
                yield from loading(self._loaded, [missing])
                above = self._part.outline.nodes[node.parent]
            assert above is not None, node.parent
            authors += [] if above.flags & MISSING else [above.author]
            node = above
        return authors

    def _note_names(self, latest: str) -> Plan[str]:
        """Note which names are used and which no longer; return the oldest comment that matters to older texts."""
        late: list[CommentPosted] = []
        above: list[str] = []
        for posted in self._part.posted:
            actor = posted.actor
            read = self._loaded.nodes[posted.id]
            if actor is not None and read is not None and read.is_place:  # those below it have another above them now
                above.append(posted.id)
            if actor is None or not is_name(actor.name) or self._is_erased(posted.id):
                continue
            key = self.model, len(actor.name), name_key(actor.name), actor.id
            self.writes.append(Sql(_ADD_NAME, (*key, to_bytes(posted.id))))
            if posted.id < latest:
                late.append(posted)
        oldest = yield from self._oldest_that_matters(late)
        oldest = min(filter(None, (oldest, *above)), default="")
        for id, node in self._part.outline.touched.items():
            read = self._loaded.nodes[id]
            if read is None or node.post is None or node.flags & _CORRECTION:
                continue
            if read.post is None:  # it came behind what answers it, which has another line above it now
                oldest = oldest if read.flags & EARLY else min(oldest or id, id)
            elif (read.flags ^ node.flags) & _ERASED:
                yield from self._unname(node)
                oldest = min(oldest or id, id)
        return oldest

    def _oldest_that_matters(self, late: Sequence[CommentPosted]) -> Plan[str]:
        """Return the oldest of some late comments that brings a name, or one that several have; empty if none does."""
        if not late:
            return ""
        names = {posted.actor.name for posted in late if posted.actor is not None}
        answers = yield [Sql(_USES, (self.model, len(name), name_key(name))) for name in names]
        used = dict(zip(names, answers, strict=True))
        oldest = ""
        for posted in late:
            assert posted.actor is not None
            uses = used[posted.actor.name]
            is_known = len(uses) == 1 and uses[0][0] == posted.actor.id and uses[0][1] < to_bytes(posted.id)
            oldest = oldest if is_known else min(oldest or posted.id, posted.id)
        return oldest

    def _unname(self, node: Node) -> Plan[None]:
        """Note anew which names the author of an erased comment uses. Complexity: O(their comments in the thread)."""
        rows, names = yield [
            Sql(_SPOKEN, (node.author, self.model)),
            Sql("SELECT length, name, actor FROM names WHERE model = ?", (self.model,)),
        ]
        uses: dict[tuple[int, int, str], list[bytes]] = {
            (length, name, actor): [] for length, name, actor in names if actor_key(actor) == node.author
        }
        spoken = [event for _, _, event in readable(self._loaded.key, rows)]
        spoken += [posted for posted in self._part.posted if actor_key(posted.actor) == node.author]
        for event in spoken:
            if event.actor is not None and is_name(event.actor.name) and not (yield from self._was_erased(event.id)):
                key = len(event.actor.name), name_key(event.actor.name), event.actor.id
                uses.setdefault(key, []).append(to_bytes(event.id))
        for key, ids in uses.items():
            if ids:
                self.writes.append(Sql(_SET_NAME, (self.model, *key, min(ids), max(ids))))
            else:
                self.writes.append(Sql(_DROP_NAME, (self.model, *key)))

    def _was_erased(self, id: str) -> Plan[bool]:
        if id not in self._part.outline.nodes and id not in self._loaded.nodes:
            yield from loading(self._loaded, [Missing("node", id)])
        return self._is_erased(id)


def _latest_of_each(found: Iterable[Use]) -> Iterator[Use]:
    """Yield the last use of each actor."""
    latest: dict[int, Use] = {}
    for use in found:
        if use.key not in latest or latest[use.key].last < use.last:
            latest[use.key] = use
    yield from latest.values()


def _recall(texts: _Mentions, oldest: str, rules: Rules) -> Plan[None]:
    """Resolve anew the mentions in texts that are newer than a comment that came late or went. Complexity: O(such texts)."""
    [rows] = yield [Sql(_CALLING, (texts.model, to_bytes(oldest)))]
    ids = [from_bytes(id) for (id,) in rows]
    for start in range(0, len(ids), _AGAIN):
        yield from texts.again(ids[start : start + _AGAIN], oldest, rules)
