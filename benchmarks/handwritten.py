"""
What would somebody write by hand who wants comment pages from SQLite and nothing more?

Method: an adjacency table, one row per comment, with a covering choice of indexes: one for each order, and one for replies.
Everything a page needs is kept in the row: the number of replies, the votes, and the rank of each order, reckoned when the row
was written. The page is asked for in two ways: 51 statements (the top level, and the replies of each comment), which is what
most people write, and one statement with a correlated subquery, the best of those tried (window functions read all replies of a
hub). Rows come back as tuples; nothing is made of them.

Caveats: this table is faster than what it would be in life. Nobody keeps "hot" up to date in an index, since it decays; "active"
means a write to the top-level comment at every reply; counters drift when two writers race. It can not merge, has no history, no
mentions, no moderation queue, no per-reader concealment. So it is a bound, not a rival.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from content import NOW, cached, events, label
from harness import Task

from threadstore import (
    SUPPORT,
    CommentDeleted,
    CommentEdited,
    CommentPosted,
    CommentRemoved,
    Event,
    ReactionGiven,
    ReactionWithdrawn,
)
from threadstore.model.ids import time_of
from threadstore.model.ranking import ORDERS, Votes, key

SCHEMA: Final = """
    CREATE TABLE comments (
        id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, thread INTEGER NOT NULL, parent INTEGER, author TEXT, name TEXT,
        body TEXT, posted_at INTEGER NOT NULL, edited_at INTEGER, up INTEGER NOT NULL, replies INTEGER NOT NULL,
        best INTEGER NOT NULL, heat INTEGER NOT NULL, active INTEGER NOT NULL, dispute INTEGER NOT NULL, shown INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE reactions (comment INTEGER, author TEXT, kind TEXT, PRIMARY KEY (comment, author, kind)) WITHOUT ROWID;
"""
INDEXES: Final = """
    CREATE INDEX by_id ON comments (thread, parent, id) WHERE shown;
    CREATE INDEX by_up ON comments (thread, up DESC, id) WHERE shown AND parent IS NULL;
    CREATE INDEX by_best ON comments (thread, best DESC, id) WHERE shown AND parent IS NULL;
    CREATE INDEX by_heat ON comments (thread, heat DESC, id DESC) WHERE shown AND parent IS NULL;
    CREATE INDEX by_active ON comments (thread, active DESC, id) WHERE shown AND parent IS NULL;
    CREATE INDEX by_dispute ON comments (thread, dispute DESC, id) WHERE shown AND parent IS NULL;
"""
ORDER_BY: Final = {
    "oldest": "id",
    "newest": "id DESC",
    "top": "up DESC, id",
    "best": "best DESC, id",
    "hot": "heat DESC, id DESC",
    "active": "active DESC, id",
    "controversial": "dispute DESC, id",
}
# Named, since the planner takes `by_id` for all of them, and sorts.
INDEX: Final = {
    "oldest": "by_id",
    "newest": "by_id",
    "top": "by_up",
    "best": "by_best",
    "hot": "by_heat",
    "active": "by_active",
    "controversial": "by_dispute",
}
_COLUMNS: Final = "id, uid, parent, author, name, body, posted_at, edited_at, up, replies"
_ROOTS: Final = {
    order: f"SELECT {_COLUMNS} FROM comments INDEXED BY {INDEX[order]} "
    f"WHERE thread = 1 AND parent IS NULL AND shown ORDER BY {by} LIMIT ?"
    for order, by in ORDER_BY.items()
}
_REPLIES: Final = f"SELECT {_COLUMNS} FROM comments WHERE thread = 1 AND parent = ? AND shown ORDER BY id LIMIT ?"
_INNER: Final = ", ".join(f"c.{column}" for column in _COLUMNS.split(", "))
_WHOLE: Final = {
    order: f"""
    WITH roots AS MATERIALIZED ({sql})
    SELECT 0, * FROM roots UNION ALL
    SELECT 1, {_INNER} FROM roots AS r JOIN comments AS c ON c.id IN (
        SELECT id FROM comments WHERE thread = 1 AND parent = r.id AND shown ORDER BY id LIMIT ?)"""
    for order, sql in _ROOTS.items()
}

Row = tuple[Any, ...]


def by_51_statements(connection: sqlite3.Connection, order: str = "top", limit: int = 50, replies: int = 3) -> list[list[Row]]:
    """Return each top-level comment with its replies behind it."""
    roots = connection.execute(_ROOTS[order], (limit,)).fetchall()
    return [[root, *connection.execute(_REPLIES, (root[0], replies)).fetchall()] for root in roots]


def by_one_statement(connection: sqlite3.Connection, order: str = "top", limit: int = 50, replies: int = 3) -> list[list[Row]]:
    """Return the same."""
    page: dict[int, list[Row]] = {}
    for level, *row in connection.execute(_WHOLE[order], (limit, replies)):
        if level:
            page[row[2]].append(tuple(row))
        else:
            page[row[0]] = [tuple(row)]
    return list(page.values())


WAYS: Final = {"SQL, 51 statements": by_51_statements, "SQL, one statement": by_one_statement}


def table(task: Task) -> Path:
    """Return the file with the table of this content."""
    return cached(f"handwritten-{label(task)}", lambda path: build(path, events(task)))


def build(path: Path, source: Iterable[Event]) -> None:
    """Write the table of a thread."""
    thread = _Folded(source)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
        connection.executemany(f"INSERT INTO comments VALUES ({','.join('?' * 16)})", thread.rows())
        connection.executemany("INSERT OR IGNORE INTO reactions VALUES (?, ?, ?)", thread.reactions())
        connection.commit()
        connection.executescript(INDEXES + "ANALYZE;")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class _Folded:
    """The least that turns events into rows: what is posted, edited, taken away, and reacted to."""

    def __init__(self, source: Iterable[Event]) -> None:
        self.posts: dict[str, CommentPosted] = {}
        self.edits: dict[str, CommentEdited] = {}
        self.gone: set[str] = set()
        self.given: dict[tuple[str, str], bool] = {}
        for event in source:
            match event:
                case CommentPosted():
                    self.posts[event.id] = event
                case CommentEdited():
                    self.edits[event.comment] = event
                case CommentDeleted() | CommentRemoved():
                    self.gone.add(event.comment)
                case ReactionGiven() | ReactionWithdrawn() if event.actor is not None and event.kind == SUPPORT:
                    self.given[event.comment, event.actor.id] = isinstance(event, ReactionGiven)
        missing = {post.parent for post in self.posts.values() if post.parent is not None} - self.posts.keys()
        self.uids = sorted(self.posts.keys() | missing)
        self.number = {uid: number for number, uid in enumerate(self.uids, 1)}
        self.ups = Counter(comment for (comment, _), given in self.given.items() if given)

    def reactions(self) -> Iterable[Row]:
        return ((self.number[uid], actor, SUPPORT) for (uid, actor), given in self.given.items() if given and uid in self.number)

    def rows(self) -> Iterable[Row]:
        shown, active, replies = self._from_below()
        for number, uid in enumerate(self.uids, 1):
            post = self.posts.get(uid)
            is_there = post is not None and uid not in self.gone
            votes = Votes(uid, self.ups[uid] if is_there else 0, 0, self.uids[active[number] - 1])
            ranks = [key(order, votes, now=NOW)[0] for order in ("best", "hot", "controversial")]
            best, heat, dispute = (-int(rank) for rank in ranks)
            parent = None if post is None or post.parent is None else self.number[post.parent]
            edit = self.edits.get(uid)
            author, name = (None, None) if post is None or post.actor is None else (post.actor.id, post.actor.name)
            body = None if not is_there or post is None else post.body if edit is None else edit.body
            at = time_of(uid) if post is None or post.at is None else post.at
            edited = None if edit is None else time_of(edit.id)
            ranked = votes.up, replies[number], best, heat, active[number], dispute
            yield number, uid, 1, parent, author, name, body, at, edited, *ranked, int(shown[number])

    def _from_below(self) -> tuple[list[bool], list[int], list[int]]:
        """Return which comments are shown, the latest visible below each, and how many direct replies are visible."""
        count = len(self.uids) + 1
        shown, active, replies = [False] * count, [0] * count, [0] * count
        for number in range(count - 1, 0, -1):
            uid = self.uids[number - 1]
            post = self.posts.get(uid)
            is_visible = post is not None and uid not in self.gone
            shown[number] = shown[number] or is_visible
            active[number] = max(active[number], number if is_visible else 0)
            if post is not None and post.parent is not None:
                parent = self.number[post.parent]
                replies[parent] += is_visible
                shown[parent] = shown[parent] or shown[number]
                active[parent] = max(active[parent], active[number])
            active[number] = active[number] or number
        return shown, active, replies


def same(page: Iterable[Any], rows: list[list[Row]]) -> None:
    """
    Check that the library's page and the table's are the same page.

    Raises:
        AssertionError: They are not.
    """
    ours = [[(c.id, c.body) for c in (comment, *comment.replies)] for comment in page]
    theirs = [[(row[1], row[5]) for row in several] for several in rows]
    if ours != theirs:
        raise AssertionError(f"the pages differ: {ours[:2]} and {theirs[:2]}")


assert set(ORDER_BY) == set(ORDERS)
