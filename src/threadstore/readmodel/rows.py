"""
The rows of the read model: what their columns mean, and how nodes and counts become rows and back.

========  =========================================================================================
table     a row
========  =========================================================================================
threads   one thread: where its log stands (up to `earliest`), which rows show it (`model`), what
          these reflect (`projected`, a revision; `rules`, the fingerprint of fold and policy), its
          counts (`Tally`), and where a rebuild is under way (`building`)
comments  one node of the outline: a comment, a placeholder, or a correction. Clustered by parent,
          so a page reads neighbours. `dead`, `rank`, `bucket`, `active`, `since`, `withheld` and
          `pinned` follow from the rest; each is the key of one order or list, NULL outside it
reactions one actor's last reaction of one kind: the fact's position, and whether it was given
facts     one fact about a target that is more than its post: whatever has to be judged
authors   one comment of one author
names     one name of one actor, by its hash, with the first and the last comment that used it
========  =========================================================================================

Ids are 16 bytes, facts are named by their position in the log, actors and names by a hash of 64
bits. No column holds words. `crc` covers what a page shows of a comment, so that a row that was
damaged is not shown; `verify` holds all columns against a fold of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Final
from zlib import crc32

from msgspec import Struct, msgpack
from msgspec.structs import astuple

from threadstore.log._schema import bucket_of
from threadstore.model.ids import from_bytes, to_bytes
from threadstore.model.mentions import Mention
from threadstore.model.outline import CORRECTIONS, FLAGS, HIDES, TOP, Node, Tally
from threadstore.model.policy import Rules
from threadstore.model.values import SUPPORT
from threadstore.plans import Row

__all__ = [
    "COLUMNS",
    "COMMENT",
    "DOWN_BITS",
    "ID",
    "PARENT",
    "PLACED",
    "PLACES",
    "POST",
    "TEXT",
    "THREAD_COLUMNS",
    "VIEWED",
    "ThreadRow",
    "Unfit",
    "are_sound",
    "columns_of",
    "comment_row",
    "fingerprint",
    "fits",
    "mentions_in",
    "mentions_of",
    "name_key",
    "node_in",
    "parent_from",
    "thread_values",
    "viewed_node",
]


class Unfit(Exception):  # a signal to whoever can make the rows anew, never an error that is told
    """The rows of a thread cannot be used: they are of other rules, do not reflect the whole stream, or are damaged."""

    def __init__(self, thread: str, why: str) -> None:
        super().__init__(thread, why)
        self.thread, self.why = thread, why


#: What a page shows of a comment, and the checksum over it.
VIEWED: Final = (
    "id",
    "parent",
    "post",
    "text",
    "flags",
    "kids",
    "replies",
    "up",
    "down",
    "kinds",
    "mentions",
    "author",
    "active",
    "crc",
)
#: The same with the row of the post behind them, for `PLACES`.
PLACED: Final = ", ".join([*(f"c.{name}" for name in VIEWED), "e.revision", "e.crc", "e.data"])
PLACES: Final = "comments AS c LEFT JOIN events AS e ON e.position = c.post"
PARENT: Final = VIEWED.index("parent")
POST: Final = VIEWED.index("post")
TEXT: Final = VIEWED.index("text")
_CRC: Final = VIEWED.index("crc")
#: The columns of `comments` behind `model`, as `comment_row` gives them.
COLUMNS: Final = (
    "parent",
    "dead",
    "id",
    "root",
    "post",
    "text",
    "flags",
    "kids",
    "replies",
    "up",
    "down",
    "kinds",
    "mentions",
    "author",
    "rank",
    "bucket",
    "active",
    "since",
    "withheld",
    "pinned",
    "crc",
)
COMMENT: Final = ", ".join(COLUMNS)
ID: Final = COLUMNS.index("id")

#: A rank is the votes for a comment, shifted by so many bits, and those against it.
DOWN_BITS: Final = 31
_MAX_VOTES: Final = (1 << DOWN_BITS) - 1
_PINNED: Final = FLAGS["pinned"]
_CORRECTION: Final = FLAGS["correction"]
_TOP: Final = b""
_CORRECTIONS: Final = b"\0"

_encode = msgpack.Encoder().encode
_kinds = msgpack.Decoder(dict[str, int]).decode
_spans = msgpack.Decoder(list[tuple[int, int, str]]).decode

#: Raised whenever the fold, the rules of judgement or the rows change their meaning: rows of another are made anew.
_FOLD: Final = 1


@lru_cache(maxsize=16)
def fingerprint(rules: Rules) -> int:
    """Return what rows are marked with that were made by this release under *rules*. Complexity: O(1)."""
    said = [
        _FOLD,
        sorted(rules.moderators),
        sorted(rules.editors),
        sorted(rules.describers),
        sorted(rules.kinds),
        sorted(map(sorted, rules.exclusive)),
        sorted(rules.positive),
        sorted(rules.negative),
    ]
    return _hash(_encode(said)) or 1


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big", signed=True)


@lru_cache(maxsize=4096)
def name_key(name: str) -> int:
    """Return the hash by which a name is looked up."""
    return _hash(name.encode())


# --- comments -----------------------------------------------------------------------------------------------------------------


def _parent_to(parent: str) -> bytes:
    if parent == TOP:
        return _TOP
    return _CORRECTIONS if parent == CORRECTIONS else to_bytes(parent)


def parent_from(parent: bytes) -> str:
    """Return the parent that a column stands for."""
    if len(parent) == 16:
        return from_bytes(parent)
    return CORRECTIONS if parent == _CORRECTIONS else TOP


def _some(id: str) -> bytes:
    return to_bytes(id) if id else b""


def _votes_to(votes: Mapping[str, int], rules: Rules) -> tuple[int, int, bytes | None]:
    """Return the votes for and against, and all by kind unless they are "support" alone."""
    up = sum(count for kind, count in votes.items() if kind in rules.positive)
    down = sum(count for kind, count in votes.items() if kind in rules.negative)
    is_plain = not votes or (up and votes.keys() == {SUPPORT})
    return up, down, None if is_plain else _encode(dict(sorted(votes.items())))


def _votes_from(up: int, kinds: bytes | None) -> dict[str, int]:
    if kinds is None:
        return {SUPPORT: up} if up else {}
    return _kinds(kinds)


def comment_row(node: Node, rules: Rules) -> Row:
    """Return a node as a row of `comments`, in the order of `COLUMNS`."""
    id, parent = to_bytes(node.id), _parent_to(node.parent)
    up, down, kinds = _votes_to(node.votes, rules) if node.votes else (0, 0, None)
    is_correction = parent == _CORRECTIONS
    is_dead = not is_correction and not node.live
    is_top = not parent and not is_dead
    shown = not node.flags & HIDES
    active = to_bytes(node.active) if is_top and node.active else None
    said = (node.post or 0, node.text or 0, node.flags, node.kids, node.replies, up, down, kinds, node.mentions, node.author)
    return (
        parent,
        int(is_dead),
        id,
        _some(node.root),
        *said,
        None if not is_top else (min(up, _MAX_VOTES) << DOWN_BITS | min(down, _MAX_VOTES)) if shown else 0,
        None if active is None else bucket_of(active),
        active,
        to_bytes(node.since) if node.since else None,
        node.author if node.withheld else None,
        1 if is_top and shown and node.flags & _PINNED else None,
        crc32(_encode((id, parent, *said, active))),
    )


def node_in(key: str, row: Row) -> Node:
    """
    Return the node of a row of `comments`, of the thread *key*.

    Raises:
        Unfit: It does not match its checksum.
    """
    parent, _, id, root, *said, _, _, active, since, _, _, crc = row
    if crc32(_encode((id, parent, *said, active))) != crc:
        raise Unfit(key, "a row does not match its checksum")
    post, text, flags, kids, replies, up, _, kinds, mentions, author = said
    return Node(
        from_bytes(id),
        parent_from(parent),
        from_bytes(root) if root else "",
        post or None,
        text or None,
        flags,
        kids,
        replies,
        _votes_from(up, kinds) if up or kinds else {},
        author,
        from_bytes(since) if since else "",
        from_bytes(active) if active else "",
        mentions,
    )


def are_sound(rows: Iterable[Row]) -> bool:
    """Return whether rows of the `PLACED` columns match their checksums."""
    return all(crc32(_encode(row[:_CRC])) == row[_CRC] for row in rows)


def viewed_node(row: Row, parent: str) -> Node:
    """Return the node of a row of the `PLACED` columns, which hangs under *parent*, as far as a page needs it."""
    id, _, post, text, flags, kids, replies, up, _, kinds, mentions, author, active, *_ = row
    return Node(
        from_bytes(id),
        parent,
        "",
        post or None,
        text or None,
        flags,
        kids,
        replies,
        _votes_from(up, kinds) if up or kinds else _NO_VOTES,
        author,
        "",
        from_bytes(active) if active else "",
        mentions,
    )


_NO_VOTES: Final[dict[str, int]] = {}


def mentions_of(found: tuple[Mention, ...]) -> bytes:
    """Return mentions as they are kept."""
    return _encode([astuple(mention) for mention in found])


@lru_cache(maxsize=1024)
def mentions_in(kept: bytes) -> tuple[Mention, ...]:
    """Return mentions that were kept."""
    return tuple(Mention(start, end, actor) for start, end, actor in _spans(kept))


# --- threads ------------------------------------------------------------------------------------------------------------------


class ThreadRow(Struct):
    """
    What is kept of a thread; fields are columns of `threads`, up to `erased`.

    Args:
        id: The number of the thread.
        revision: Where its stream ends.
        latest: Its largest id.
        earliest: Its smallest.
        model: Under which number its rows are.
        projected: The revision that they reflect.
        rules: The fingerprint that they were made under.
        building: Names a rebuild that is under way; 0 for none.
        since: The oldest fact that something waits for.
        unreadable: How many events up to `projected` could not be read.
        crc: Over all from `model` to `unreadable`.
        end: The last position of the whole log.
        erased: Whether an erasure is remembered for the thread.
    """

    id: int
    revision: int
    latest: bytes
    earliest: bytes
    model: int
    projected: int
    rules: int
    building: int
    total: int
    top: int
    pending: int
    hidden: int
    live: int
    downs: int
    waiting: int
    since: bytes | None
    locked: int
    late: int
    cutoffs: int
    described: int | None
    unreadable: int
    crc: int
    end: int = 0
    erased: int = 0

    def checksum(self) -> int:
        """Return the checksum over what the read model keeps here; where it is under way to be made anew is left out."""
        return _thread_checksum(astuple(self))

    def fits(self, rules: int) -> bool:
        """Return whether its rows may be shown: of these rules, of the whole stream, and as they were stored."""
        return fits(astuple(self), rules)

    def tally(self) -> Tally:
        """Return its counts."""
        return Tally(
            self.total,
            self.top,
            self.pending,
            self.hidden,
            self.live,
            self.downs,
            self.waiting,
            bool(self.locked),
            bool(self.late),
            bool(self.cutoffs),
            self.described,
        )

    def take(self, tally: Tally) -> None:
        """Take over counts."""
        self.total, self.top, self.pending, self.hidden = tally.total, tally.top, tally.pending, tally.hidden
        self.live, self.downs, self.waiting, self.described = tally.live, tally.downs, tally.waiting, tally.described
        self.locked, self.late, self.cutoffs = int(tally.locked), int(tally.late), int(tally.cutoffs)


_REVISION, _PROJECTED, _RULES, _THREAD_CRC = (
    ThreadRow.__struct_fields__.index(name) for name in ("revision", "projected", "rules", "crc")
)


def _thread_checksum(row: Row) -> int:
    return crc32(_encode((*row[4:7], *row[8:21])))


def fits(row: Row, rules: int) -> bool:
    """Return whether what a thread's row stands for may be shown; see `ThreadRow.fits`."""
    is_whole: bool = row[_RULES] == rules and row[_PROJECTED] == row[_REVISION]
    return is_whole and row[_THREAD_CRC] == _thread_checksum(row)


#: The columns of `threads` that `thread_values` gives.
THREAD_COLUMNS: Final = ("bucket", *ThreadRow.__struct_fields__[1:-2])


def thread_values(row: ThreadRow) -> Row:
    """Return a thread's row in the order of `THREAD_COLUMNS`."""
    return bucket_of(row.latest), *astuple(row)[1:-2]


def columns_of(table: str) -> str:
    """Return the columns of a `ThreadRow`, up to `crc`, of a table with this alias."""
    return ", ".join(f"{table}.{name}" for name in ThreadRow.__struct_fields__[:-2])
