"""
The plain part of a large thread in columns: some 80 bytes a comment, and no object for any of them.

Comments are numbered by id: the *rank* of a comment is how many have smaller ids. A parent has a smaller id than its replies, so it
has a smaller rank, and the replies to a comment stand in the order of their ranks. A comment whose parent is not here hangs
under a placeholder, which has a rank and the revision 0.

What the columns hold is plain: comments without a flag, the reactions to them, and their authors' own edits. Everything else about a
thread is held as ordinary cells of facts, and a comment that it concerns is taken out of the columns' care; `threadstore.dense`
joins the two. Whatever comes in order is added at the end; the rest waits in cells until the columns are built anew.

Texts are not here. A revision says where the fact is in the log.

The columns are built in passes over all rows that Python makes in C: slices, sorts, maps between lists, counts.

Law: columns built of all heads hold what columns hold that were built of some and given the others.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, compress, count, islice, repeat
from operator import eq, ge
from typing import Final, Self

from threadstore.heads import (
    EDIT,
    KIND,
    NAME,
    NO_ID,
    OTHER,
    POST,
    ROLE,
    SIZE,
    WORDS,
    Heads,
    actor_hash,
    reaction_code,
    role_of,
)
from threadstore.ids import is_id, to_bytes
from threadstore.policy import Rules
from threadstore.runs import Pairs

__all__ = ["TOP", "Columns"]

#: The parent of a top-level comment.
TOP: Final = -1

_ACTOR_BITS: Final = 27
_CODE_BITS: Final = 5
_RANK_SHIFT: Final = _ACTOR_BITS + _CODE_BITS
_MOST_ACTORS: Final = 1 << _ACTOR_BITS
#: The lowest bit of a code says that the reaction was withdrawn.
_CODES: Final = 1 << _CODE_BITS
_FIRST_REACTION: Final = reaction_code(WORDS[0], given=True)


def _big_endian(data: bytes) -> array[int]:
    words = array("Q", data)
    if sys.byteorder == "little":
        words.byteswap()
    return words


def _table(codes: Iterable[int]) -> bytes:
    """Return what turns kinds into whether they are among *codes*, for `bytes.translate`."""
    return bytes(code in codes for code in set(codes) and range(256))


class Columns:
    """
    The plain comments of a thread.

    Args:
        rules: Whose edits are a moderator's, and which reactions count. Exclusive kinds are not plain.
    """

    __slots__ = (
        "_codes",
        "_first_kid",
        "_high",
        "_kids",
        "_low",
        "_more_kids",
        "actors",
        "edits",
        "parent",
        "reactions",
        "revision",
        "rules",
        "speaker",
        "speakers",
        "top_count",
        "votes",
    )

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        exclusive = frozenset[str]().union(*rules.exclusive)
        #: The codes of the reactions that are plain, with the kind of those that are given and count.
        self._codes = {
            reaction_code(kind, given=given): kind if given and kind in rules.kinds else None
            for kind in WORDS
            for given in (True, False)
            if kind not in exclusive
        }
        self._high, self._low = array("Q"), array("Q")
        self.parent = array("i")
        #: Where the fact is in the log; 0 for a placeholder.
        self.revision = array("I")
        #: Who said it under which name: an index of `speakers`.
        self.speaker = array("I")
        #: Each actor's number by hash; anonymous is 0.
        self.actors: dict[bytes, int] = {NO_ID: 0}
        #: (actor, name hash) -> (number, rank of the first comment).
        self.speakers: dict[tuple[int, int], tuple[int, int]] = {}
        #: How many reactions of each kind that counts, by rank.
        self.votes: dict[str, array[int]] = {}
        #: (rank, actor, code) -> revision, each actor's last word on each kind.
        self.reactions = Pairs(array("Q"), array("I"))
        #: The revisions of an edited comment's edits, the current text's last.
        self.edits: dict[int, tuple[int, ...]] = {}
        self._kids, self._first_kid = array("I"), array("I", [0])
        self._more_kids: dict[int, array[int]] = {}
        self.top_count = 0

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def nbytes(self) -> int:
        """How much memory they take, roughly."""
        rows = sum(column.itemsize for column in (self._high, self._low, self.parent, self.revision, self.speaker, self._kids))
        rows += 4 + 4 * len(self.votes)
        return (
            rows * len(self)
            + 12 * len(self.reactions)
            + 150 * len(self.actors)
            + 200 * len(self.speakers)
            + 200 * len(self.edits)
        )

    # --- building -------------------------------------------------------------------------------------------------------------

    @classmethod
    def build(cls, rules: Rules, rows: Heads) -> tuple[Self, list[int]]:
        """
        Return the columns of these records, and the revisions of those that are not plain, in order.

        Complexity: O(n log n), O(n) if they came in the order of their ids.
        """
        columns = cls(rules)
        rest = columns._fill(rows)
        return columns, rest

    def _fill(self, rows: Heads) -> list[int]:
        revisions, heads = rows
        kinds = heads[KIND::SIZE]
        places = range(0, len(heads), SIZE)
        is_post = kinds.translate(_table({POST}))
        at = list(compress(places, is_post))
        ids = [heads[place : place + 16] for place in at]
        parents = [heads[place + 16 : place + 32] for place in at]
        if any(map(ge, parents, ids)):
            return self._fill(_without_void(rows, at))
        missing = sorted(set(parents).difference(ids, (NO_ID,)))
        index = self._number(ids, parents, list(compress(revisions, is_post)), missing)
        self._name(
            [heads[place + 32 : place + 48] for place in at],
            list(compress(memoryview(heads).cast("Q")[NAME // 8 :: SIZE // 8], is_post)),
            ids,
            index,
        )
        rest = list(compress(revisions, kinds.translate(_table(set(range(256)) - {POST, EDIT} - self._codes.keys()))))
        self._link()
        rest += self._fill_reactions(rows, kinds, places, index)
        rest += self._fill_edits(rows, kinds, places, index)
        return sorted(rest)

    def _number(self, ids: list[bytes], parents: list[bytes], revisions: list[int], missing: list[bytes]) -> dict[bytes, int]:
        """Give each comment and each placeholder its rank, and return the ranks by id."""
        every = ids + missing
        order = sorted(range(len(every)), key=every.__getitem__)
        in_order = [every[number] for number in order]
        words = _big_endian(b"".join(in_order))
        self._high, self._low = words[0::2], words[1::2]
        index = dict(zip(in_order, count()))
        index[NO_ID] = TOP
        above = parents + [NO_ID] * len(missing)
        self.parent = array("i", map(index.__getitem__, map(above.__getitem__, order)))
        del index[NO_ID]
        where = revisions + [0] * len(missing)
        self.revision = array("I", map(where.__getitem__, order))
        return index

    def _name(self, actors: list[bytes], names: list[int], ids: list[bytes], index: dict[bytes, int]) -> None:
        """Note who said what."""
        self._number_actors(actors)
        said = list(zip(map(self.actors.__getitem__, actors), names, strict=True))
        ranks = list(map(index.__getitem__, ids))
        # Of several under one key the last stays: that with the smallest rank, if the larger ones come first.
        if any(map(ge, ranks, islice(ranks, 1, None))):
            order = sorted(range(len(ranks)), key=ranks.__getitem__)
            said, ranks = [said[number] for number in order], [ranks[number] for number in order]
        first = dict(zip(reversed(said), reversed(ranks)))
        self.speakers = {key: (number, first[key]) for number, key in enumerate(first)}
        numbers = {key: number for key, (number, _) in self.speakers.items()}
        self.speaker = array("I", bytes(4 * len(self.parent)))
        if len(ranks) == len(self.parent):
            self.speaker = array("I", map(numbers.__getitem__, said))
        else:
            for rank, key in zip(ranks, said, strict=True):
                self.speaker[rank] = numbers[key]

    def _number_actors(self, actors: Iterable[bytes]) -> None:
        new = dict.fromkeys(actors)
        for known in self.actors:
            new.pop(known, None)
        self.actors.update(zip(new, count(len(self.actors))))

    def _link(self) -> None:
        """Say which replies each comment has."""
        parent = self.parent
        below = [rank for rank, above in enumerate(parent) if above >= 0]
        self.top_count = len(parent) - len(below)
        self._kids = array("I", sorted(below, key=parent.__getitem__))
        counts = Counter(parent)
        self._first_kid = array("I", accumulate(map(counts.get, range(len(parent)), repeat(0)), initial=0))

    def _fill_reactions(self, rows: Heads, kinds: bytes, places: range, index: dict[bytes, int]) -> list[int]:
        """Take in the reactions; return the revisions of those to nothing that is here."""
        revisions, heads = rows
        is_reaction = kinds.translate(_table(self._codes.keys()))
        at = list(compress(places, is_reaction))
        where = list(compress(revisions, is_reaction))
        codes = list(compress(kinds, is_reaction))
        ranks = [index.get(heads[place + 16 : place + 32], TOP) for place in at]
        here = [rank >= 0 and self.revision[rank] > 0 for rank in ranks] if TOP in ranks or 0 in self.revision else None
        rest: list[int] = []
        if here is not None:
            rest = [revision for revision, is_here in zip(where, here, strict=True) if not is_here]
            at, where, codes, ranks = (list(compress(column, here)) for column in (at, where, codes, ranks))
        actors = [heads[place + 32 : place + 48] for place in at]
        self._number_actors(actors)
        numbers = map(self.actors.__getitem__, actors)
        keys = [
            rank << _RANK_SHIFT | actor << _CODE_BITS | code - _FIRST_REACTION
            for rank, actor, code in zip(ranks, numbers, codes, strict=True)
        ]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        in_order = [keys[number] for number in order]
        registers = [key >> 1 for key in in_order]
        if any(map(eq, registers, islice(registers, 1, None))):
            order = _last_words(order, registers, lambda number: heads[at[number] : at[number] + 16])
            in_order = [keys[number] for number in order]
        self.reactions = Pairs(array("Q", in_order), array("I", map(where.__getitem__, order)))
        self._count_votes(in_order)
        return rest

    def _count_votes(self, keys: list[int]) -> None:
        for kind in {kind for kind in self._codes.values() if kind is not None}:
            code = reaction_code(kind, given=True) - _FIRST_REACTION
            counted = Counter(key >> _RANK_SHIFT for key in keys if key & _CODES - 1 == code)
            if counted:
                column = array("I", bytes(4 * len(self.parent)))
                for rank, votes in counted.items():
                    column[rank] = votes
                self.votes[kind] = column

    def _fill_edits(self, rows: Heads, kinds: bytes, places: range, index: dict[bytes, int]) -> list[int]:
        """Take in the authors' own edits; return the revisions of all edits of comments that somebody else edited as well."""
        revisions, heads = rows
        is_edit = kinds.translate(_table({EDIT}))
        of_comment: dict[int, list[tuple[bytes, int]]] = {}
        rest: list[int] = []
        foreign: set[int] = set()
        author = {number: actor for (actor, _), (number, _) in self.speakers.items()}
        for place, revision in zip(compress(places, is_edit), compress(revisions, is_edit), strict=True):
            rank = index.get(heads[place + 16 : place + 32])
            if rank is None or not self.revision[rank]:
                rest.append(revision)
                continue
            of_comment.setdefault(rank, []).append((heads[place : place + 16], revision))
            by = self.actors.get(heads[place + 32 : place + 48])
            if by != author[self.speaker[rank]] or role_of(heads[place + ROLE]) in self.rules.moderators:
                foreign.add(rank)
        for rank, edits in of_comment.items():
            edits.sort()
            if rank in foreign:
                rest += [revision for _, revision in edits]
            else:
                self.edits[rank] = tuple(revision for _, revision in edits)
        return rest

    # --- adding ---------------------------------------------------------------------------------------------------------------

    def add(self, id: str, parent: int, actor: str | None, name: int, revision: int) -> int:
        """Add a comment whose id is above all others, and return its rank. Complexity: O(1); O(replies) for a parent's first."""
        rank = len(self.parent)
        high, low = _big_endian(to_bytes(id))
        self._high.append(high)
        self._low.append(low)
        self.parent.append(parent)
        self.revision.append(revision)
        key = self.number(actor), name
        number, _ = self.speakers.setdefault(key, (len(self.speakers), rank))
        self.speaker.append(number)
        for column in self.votes.values():
            column.append(0)
        if parent == TOP:
            self.top_count += 1
        return rank

    def add_kid(self, parent: int, rank: int) -> None:
        """Let the last comment be the last reply to *parent*."""
        kids = self._more_kids.get(parent)
        if kids is None:
            kids = self._more_kids[parent] = self.kids(parent)
        kids.append(rank)

    def number(self, actor: str | None) -> int:
        """Return the number of an actor, who gets one."""
        return 0 if actor is None else self.actors.setdefault(actor_hash(actor), len(self.actors))

    def is_plain(self, kind: str) -> bool:
        """Return whether reactions of this kind are held here."""
        return reaction_code(kind, given=True) in self._codes

    def react(self, rank: int, actor: str, kind: str, *, given: bool, revision: int, former: int | None) -> None:
        """Let an actor's reaction take the place of the *former* (its code), and count it."""
        number = self.number(actor)
        if former is not None:
            self.reactions.drop(self._key(rank, number, former))
            self._vote(rank, former, -1)
        code = reaction_code(kind, given=given)
        self.reactions.put(self._key(rank, number, code), revision)
        self._vote(rank, code, 1)

    def renumber(self, rank: int, actor: str, kind: str, *, given: bool, revision: int) -> None:
        """Note where a reaction that is here stands in the log."""
        self.reactions.put(self._key(rank, self.number(actor), reaction_code(kind, given=given)), revision)

    def _vote(self, rank: int, code: int, step: int) -> None:
        kind = self._codes[code]
        if kind is None:
            return
        column = self.votes.get(kind)
        if column is None:
            column = self.votes[kind] = array("I", bytes(4 * len(self.parent)))
        column[rank] += step

    @staticmethod
    def _key(rank: int, actor: int, code: int) -> int:
        return rank << _RANK_SHIFT | actor << _CODE_BITS | code - _FIRST_REACTION

    # --- reading --------------------------------------------------------------------------------------------------------------

    def find(self, id: str) -> int | None:
        """Return the rank of a comment or of a placeholder; *id* may be any text. Complexity: O(log n)."""
        if not is_id(id):
            return None
        high, low = _big_endian(to_bytes(id))
        rank = bisect_left(self._high, high)
        while rank < len(self._high) and self._high[rank] == high:
            if self._low[rank] == low:
                return rank
            rank += 1
        return None

    def below(self, id: str) -> int:
        """Return how many have an id below *id*. Complexity: O(log n)."""
        high, low = _big_endian(to_bytes(id))
        rank = bisect_left(self._high, high)
        while rank < len(self._high) and self._high[rank] == high and self._low[rank] < low:
            rank += 1
        return rank

    def id_of(self, rank: int) -> str:
        """Return the id of a comment or of a placeholder. Complexity: O(1)."""
        text = f"{self._high[rank]:016x}{self._low[rank]:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def last_id(self) -> str:
        """Return the largest id; empty if there is none."""
        return self.id_of(len(self.parent) - 1) if self.parent else ""

    def kids(self, rank: int) -> array[int]:
        """Return the ranks of the replies, in order; not to be changed. Complexity: O(replies)."""
        more = self._more_kids.get(rank)
        if more is not None:
            return more
        if rank + 1 >= len(self._first_kid):
            return array("I")
        return self._kids[self._first_kid[rank] : self._first_kid[rank + 1]]

    def kid_count(self, rank: int) -> int:
        """Return how many replies there are. Complexity: O(1)."""
        more = self._more_kids.get(rank)
        if more is not None:
            return len(more)
        return self._first_kid[rank + 1] - self._first_kid[rank] if rank + 1 < len(self._first_kid) else 0

    def first_kids(self, rank: int, most: int) -> Sequence[int]:
        """Return the ranks of the first replies. Complexity: O(most)."""
        more = self._more_kids.get(rank)
        if more is not None:
            return more[:most]
        if rank + 1 >= len(self._first_kid):
            return ()
        first = self._first_kid[rank]
        return self._kids[first : min(self._first_kid[rank + 1], first + most)]

    def votes_on(self, rank: int) -> dict[str, int]:
        """Return how many actors reacted, by kind. Complexity: O(kinds)."""
        return {kind: column[rank] for kind, column in self.votes.items() if column[rank]}

    def reaction(self, rank: int, actor: str, kind: str) -> tuple[int, int] | None:
        """Return the code and the revision of an actor's last word on a kind. Complexity: O(log n)."""
        number = self.known(actor)
        code = reaction_code(kind, given=True)
        if number is None or code not in self._codes:
            return None
        key = self._key(rank, number, code)
        for found, revision in self.reactions.between(key, key + 2):
            return (found & _CODES - 1) + _FIRST_REACTION, revision
        return None

    def reactions_to(self, rank: int) -> Iterator[int]:
        """Yield the revisions of the reactions to a comment. Complexity: O(log n + reactions)."""
        return (revision for _, revision in self.reactions.between(rank << _RANK_SHIFT, rank + 1 << _RANK_SHIFT))

    def known(self, actor: str | None) -> int | None:
        """Return the number of an actor who has one."""
        return 0 if actor is None else self.actors.get(actor_hash(actor))

    def authors(self) -> list[int]:
        """Return each speaker's actor, by number. Complexity: O(speakers)."""
        author = [0] * len(self.speakers)
        for (actor, _), (speaker, _) in self.speakers.items():
            author[speaker] = actor
        return author or [0]


def _without_void(rows: Heads, at: list[int]) -> Heads:
    """Return the rows with comments that answer no smaller id marked as not plain: they hang nowhere in the tree."""
    heads = bytearray(rows.heads)
    for place in at:
        if heads[place + 16 : place + 32] >= heads[place : place + 16]:
            heads[place + KIND] = OTHER
    return Heads(rows.revisions, bytes(heads))


def _last_words(order: list[int], registers: list[int], id_of: Callable[[int], bytes]) -> list[int]:
    """Return *order* with only the largest id of each register left."""
    kept: dict[int, int] = {}
    for number, register in zip(order, registers, strict=True):
        before = kept.get(register)
        if before is None or id_of(number) > id_of(before):
            kept[register] = number
    return list(kept.values())
