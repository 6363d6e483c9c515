"""
The plain part of a large thread in columns: some 80 bytes a comment, and no object for any of them.

Comments are numbered by id: the *rank* of a comment is how many have smaller ids. A parent has a smaller id than its replies, so
it has a smaller rank, and the replies to a comment stand in the order of their ranks. A comment whose parent is not here hangs
under a placeholder, which has a rank and the revision 0.

What the columns hold is plain: comments without a flag, the reactions to them, and their authors' own edits. Everything else
about a thread is held as ordinary cells of facts, and a comment that it concerns is taken out of the columns' care;
`threadstore.dense` joins the two. Whatever comes in order is added at the end; the rest waits in cells until the columns are
built anew.

Texts are not here. A revision says where the fact is in the log.

The columns are built in passes over all rows, nearly all of them made by Python in C: slices, maps between lists, counts.

Law: columns built of all heads hold what columns hold that were built of some and given the others.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, compress, count, islice, repeat
from operator import add, ge, lt
from struct import Struct as Packed
from struct import iter_unpack
from typing import Final, Self

from msgspec import Struct

from threadstore.heads import (
    EDIT,
    KIND,
    NO_ID,
    OTHER,
    POST,
    ROLE,
    SIZE,
    WORDS,
    Heads,
    actor_hash,
    fields,
    reaction_code,
    role_of,
)
from threadstore.model.ids import from_bytes, is_id, to_bytes
from threadstore.model.policy import Rules
from threadstore.reactions import CODE_BITS, Reactions, offsets, tally

__all__ = ["TOP", "Columns", "Table"]

#: The parent of a top-level comment.
TOP: Final = -1
_NOT_HERE: Final = -2

#: How much of the first half of an id is behind its time.
_TIME_SHIFT: Final = 16

#: The rank of the first comment of somebody who has not said anything.
_NEVER: Final = (1 << 32) - 1
#: The numbers of speakers who are not their actors begin here, and go down.
_OTHER: Final = (1 << 32) - 1
#: The bytes of a comment in the arrays of ids, parents, revisions and speakers.
_ROW: Final = 28
_FIRST_REACTION: Final = reaction_code(WORDS[0], given=True)
#: What a code of a reaction says: of which kind it is, as a difference from the first, and whether it was withdrawn.
_KIND_OF: Final = bytes(max(code - _FIRST_REACTION, 0) & ~1 for code in range(256))
_IS_WITHDRAWN: Final = bytes(max(code - _FIRST_REACTION, 0) & 1 for code in range(256))
#: The number of whoever is anonymous, among the speakers that are being read.
_NOBODY: Final = 0


_pack: Final = Packed(">QQ").pack


def _big_endian(data: bytes) -> array[int]:
    words = array("Q", data)
    if sys.byteorder == "little":
        words.byteswap()
    return words


class Columns:
    """
    The plain comments of a thread.

    Args:
        rules: Whose edits are a moderator's, and which reactions count. Exclusive kinds are not plain.
    """

    __slots__ = (
        "_codes",
        "_first_kid",
        "_first_use",
        "_high",
        "_kids",
        "_low",
        "_more_kids",
        "_name",
        "_numbers",
        "_others",
        "_unnumbered",
        "edits",
        "parent",
        "reactions",
        "revision",
        "rules",
        "speaker",
        "tops",
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
        #: Who said it under which name: the actor's number, or one of `_others`.
        self.speaker = array("I")
        self._numbers: dict[bytes, int] = {NO_ID: 0}
        #: The hashes of all actors, while nobody has asked for any.
        self._unnumbered = b""
        #: By an actor's number: the hash of the name that they posted under first, and the rank of the first comment under it.
        self._name, self._first_use = array("Q", [0]), array("I", [_NEVER])
        #: Who posted under another name than that: number -> actor, name, first rank.
        self._others: dict[int, tuple[int, int, int]] = {}
        #: How many reactions of each kind that counts, by rank.
        self.votes: dict[str, array[int]] = {}
        self.reactions = Reactions()
        #: The revisions of an edited comment's edits, the current text's last.
        self.edits: dict[int, tuple[int, ...]] = {}
        self._kids, self._first_kid = array("I"), array("I", [0])
        self._more_kids: dict[int, array[int]] = {}
        #: The top level, in order.
        self.tops = array("I")

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def nbytes(self) -> int:
        """How much memory they take, roughly. Complexity: O(kinds)."""
        many = (_ROW + 4 * len(self.votes)) * len(self.parent) + 4 * (len(self._kids) + len(self._first_kid) + len(self.tops))
        many += self.reactions.nbytes
        return many + 160 * len(self._name) + 200 * (len(self._others) + len(self.edits) + len(self._more_kids))

    @property
    def actors(self) -> dict[bytes, int]:
        """Each actor's number by hash; anonymous is 0. Who only reads a page asks for none, so they are sorted out when asked."""
        if self._unnumbered:
            hashes = chain.from_iterable(iter_unpack("16s", self._unnumbered))
            self._numbers, self._unnumbered = dict(zip(hashes, count(), strict=False)), b""
        return self._numbers

    # --- building -------------------------------------------------------------------------------------------------------------

    @classmethod
    def build(cls, rules: Rules, rows: Heads) -> tuple[Self, list[int]]:
        """
        Return the columns of these records, and the revisions of those that are not plain, in order.

        Complexity: O(n log n), O(n) if they came in the order of their ids.
        """
        columns = cls(rules)
        plain = {POST, EDIT, *columns._codes}
        reading = _Reading(rows, rows.heads[KIND::SIZE].translate(bytes(code if code in plain else OTHER for code in range(256))))
        if void := reading.void():
            reading = _Reading(rows, void)
        columns._fill_comments(reading)
        columns._fill_reactions(reading)
        foreign = columns._fill_edits(reading)
        return columns, sorted([*reading.others(), *foreign])

    def _fill_comments(self, rows: _Reading) -> None:
        """Take in the comments and the placeholders: their ranks, and who said what."""
        words = _big_endian(b"".join(rows.ids))
        self._high, self._low = words[0::2], words[1::2]
        self.revision = array("I", rows.by_rank(rows.of({POST}, rows.revisions), 0))
        above = rows.by_rank(rows.above, TOP)
        self.parent = array("i", above)
        self._link(above)
        self._say(rows.by_rank(rows.of({POST}, rows.speaker), _NOBODY), rows.speakers)

    def _link(self, above: Sequence[int]) -> None:
        """Say which replies each comment has."""
        self._first_kid = offsets(tally(filter(TOP.__ne__, above), len(above)))
        ends, tops, kids = self._first_kid.tolist(), self.tops, array("I", bytes(4 * self._first_kid[-1]))
        for rank, parent in enumerate(above):
            if parent == TOP:
                tops.append(rank)
            else:
                kids[ends[parent]] = rank
                ends[parent] += 1
        self._kids = kids

    def _say(self, said_by: Sequence[int], speakers: Sequence[bytes]) -> None:
        """Note who said what; a speaker is the hash of an actor, and that of a name."""
        # Of several under one key the last stays: that with the smallest rank, if the larger ones come first.
        first = dict(zip(reversed(said_by), reversed(range(len(said_by))), strict=True))
        numbers, names, first_use = dict[int, int](), self._name, self._first_use
        for speaker in sorted(first, key=first.__getitem__):
            key, rank = speakers[speaker], first[speaker]
            actor, name = self._number(key[:16]), int.from_bytes(key[16:], "big")
            if first_use[actor] == _NEVER:
                names[actor], first_use[actor] = name, rank
                numbers[speaker] = actor
            else:
                numbers[speaker] = _OTHER - len(self._others)
                self._others[numbers[speaker]] = actor, name, rank
        self.speaker = array("I", list(map(numbers.__getitem__, said_by)))

    def _fill_reactions(self, rows: _Reading) -> None:
        """Take in the reactions."""
        plain = self._codes.keys()
        ranks, said_by, revisions = rows.of(plain, rows.about), rows.of(plain, rows.speaker), rows.of(plain, rows.revisions)
        codes = bytes(rows.of(plain, rows.kinds))
        actors = {speaker: self._number(rows.speakers[speaker][:16]) << CODE_BITS for speaker in dict.fromkeys(said_by)}
        words = list(map(actors.__getitem__, said_by))
        if (kinds := codes.translate(_KIND_OF)).strip(bytes(1)):
            words = list(map(add, words, kinds))
        registers = _pairs(ranks, words)
        if (withdrawn := codes.translate(_IS_WITHDRAWN)).strip(bytes(1)):
            words = list(map(add, words, withdrawn))
        last = dict(zip(registers, range(len(registers)), strict=True))
        if len(last) < len(registers):
            is_last = _last_words(registers, last, rows.of(plain, range(len(rows.kinds))), rows.id)
            ranks, words, revisions = (list(compress(column, is_last)) for column in (ranks, words, revisions))
            codes = bytes(compress(codes, is_last))
        counts = tally(ranks, len(self.parent))
        self.reactions.fill(counts, ranks, words, revisions)
        self._count(counts, ranks, codes)

    def _count(self, counts: list[int], ranks: list[int], codes: bytes) -> None:
        """Count the votes; *counts* says how many reactions there are of whatever kind."""
        commonest = max(set(codes), key=codes.count, default=OTHER)
        for code in set(codes):
            if (kind := self._codes[code]) is None:
                continue
            if code == commonest:
                votes = list(counts)
                for rank in compress(ranks, codes.translate(_among(set(codes) - {code}))):
                    votes[rank] -= 1
            else:
                votes = tally(compress(ranks, codes.translate(_among({code}))), len(counts))
            self.votes[kind] = array("I", votes)

    def _fill_edits(self, rows: _Reading) -> list[int]:
        """Take in the authors' own edits; return the revisions of all edits of comments that somebody else edited as well."""
        of_comment: dict[int, list[tuple[bytes, int]]] = {}
        rest: list[int] = []
        foreign: set[int] = set()
        for place in rows.places(EDIT):
            rank = rows.about[place]
            of_comment.setdefault(rank, []).append((rows.id(place), rows.revisions[place]))
            by = self.actors.get(rows.speakers[rows.speaker[place]][:16])
            if by != self.author(self.speaker[rank]) or role_of(rows.role(place)) in self.rules.moderators:
                foreign.add(rank)
        for rank, edits in of_comment.items():
            edits.sort()
            if rank in foreign:
                rest += [revision for _, revision in edits]
            else:
                self.edits[rank] = tuple([revision for _, revision in edits])
        return rest

    # --- as bytes -------------------------------------------------------------------------------------------------------------

    def table(self) -> Table:
        """Return the columns as bytes, as they were built: nothing may have been added since. Complexity: O(n), in C."""
        first, words, revisions = self.reactions.columns()
        names = ("_high", "_low", "parent", "revision", "speaker", "_kids", "_first_kid", "tops", "_name", "_first_use")
        return Table(
            columns=[memoryview(getattr(self, name)) for name in names],
            actors=b"".join(self.actors),
            others=sorted(self._others.items()),
            votes=[(kind, memoryview(column)) for kind, column in sorted(self.votes.items())],
            reactions=(memoryview(first), memoryview(words), memoryview(revisions)),
            edits=sorted(self.edits.items()),
        )

    @classmethod
    def of_table(cls, rules: Rules, table: Table) -> Self:
        """
        Return the columns that `table` was made of.

        Raises:
            ValueError: They do not fit together.

        Complexity: O(n), in C.
        """
        made = cls(rules)
        high, low, parent, revision, speaker, kids, first_kid, tops, name, first_use = table.columns
        made._high, made._low, made.parent = _column("Q", high), _column("Q", low), _column("i", parent)
        made.revision, made.speaker, made._kids = _column("I", revision), _column("I", speaker), _column("I", kids)
        made._first_kid, made.tops = _column("I", first_kid), _column("I", tops)
        made._name, made._first_use = _column("Q", name), _column("I", first_use)
        made._unnumbered = table.actors
        made._others = dict(table.others)
        made.votes = {kind: _column("I", column) for kind, column in table.votes}
        made.edits = dict(table.edits)
        first, words, revisions = (_column("I", column) for column in table.reactions)
        made.reactions = Reactions(first, words, revisions)
        many = len(made.parent)
        rows = (made._high, made._low, made.revision, made.speaker, *made.votes.values())
        whole = len(made._kids) + len(made.tops) == many and made._first_kid[-1:] == array("I", [len(made._kids)])
        actors = len(table.actors) == 16 * len(made._name) == 16 * len(made._first_use)
        if not (whole and actors and all(len(row) == many for row in rows) and len(first) == len(made._first_kid) == many + 1):
            raise ValueError("the columns do not fit together")
        return made

    # --- adding ---------------------------------------------------------------------------------------------------------------

    def add(self, id: str, parent: int, actor: str | None, name: int, revision: int) -> int:
        """Add a comment whose id is above all others, and return its rank. Complexity: O(1); O(replies) for a parent's first."""
        rank = len(self.parent)
        high, low = _big_endian(to_bytes(id))
        self._high.append(high)
        self._low.append(low)
        self.parent.append(parent)
        self.revision.append(revision)
        self.speaker.append(self._speaker(self.number(actor), name, rank))
        for column in self.votes.values():
            column.append(0)
        if parent == TOP:
            self.tops.append(rank)
        return rank

    def _speaker(self, actor: int, name: int, rank: int) -> int:
        if self._first_use[actor] == _NEVER:
            self._name[actor], self._first_use[actor] = name, rank
        if self._name[actor] == name:
            return actor
        for speaker, (other, called, _) in self._others.items() if self._others else ():
            if (other, called) == (actor, name):
                return speaker
        speaker = _OTHER - len(self._others)
        self._others[speaker] = actor, name, rank
        return speaker

    def add_kid(self, parent: int, rank: int) -> None:
        """Let the last comment be the last reply to *parent*."""
        kids = self._more_kids.get(parent)
        if kids is None:
            kids = self._more_kids[parent] = self.kids(parent)
        kids.append(rank)

    def number(self, actor: str | None) -> int:
        """Return the number of an actor, who gets one."""
        if actor is None:
            return 0
        return self._number(actor_hash(actor))

    def _number(self, key: bytes) -> int:
        actors = self.actors
        number = actors.setdefault(key, len(actors))
        if number == len(self._name):
            self._name.append(0)
            self._first_use.append(_NEVER)
        return number

    def is_given(self, code: int) -> bool:
        """Return whether a reaction with this code counts."""
        return self._codes[code] is not None

    def is_plain(self, kind: str) -> bool:
        """Return whether reactions of this kind are held here."""
        return reaction_code(kind, given=True) in self._codes

    def react(self, rank: int, actor: str, kind: str, *, given: bool, revision: int, former: int | None) -> None:
        """Let an actor's reaction take the place of the *former* (its code), and count it."""
        if former is not None:
            self._vote(rank, former, -1)
        code = reaction_code(kind, given=given)
        self.reactions.put(rank, self.number(actor), code - _FIRST_REACTION, revision)
        self._vote(rank, code, 1)

    def renumber(self, rank: int, actor: str, kind: str, *, given: bool, revision: int) -> None:
        """Note where a reaction that is here stands in the log."""
        self.reactions.put(rank, self.number(actor), reaction_code(kind, given=given) - _FIRST_REACTION, revision)

    def _vote(self, rank: int, code: int, step: int) -> None:
        kind = self._codes[code]
        if kind is None:
            return
        column = self.votes.get(kind)
        if column is None:
            column = self.votes[kind] = array("I", bytes(4 * len(self.parent)))
        column[rank] += step

    # --- reading --------------------------------------------------------------------------------------------------------------

    def find(self, id: str) -> int | None:
        """Return the rank of a comment or of a placeholder; *id* may be any text. Complexity: O(log n)."""
        if not is_id(id):
            return None
        high, low = _big_endian(to_bytes(id))
        rank = self._place(high, low)
        return rank if rank < len(self._high) and self._high[rank] == high and self._low[rank] == low else None

    def comment(self, id: str) -> int | None:
        """Return the rank of a comment, not of a placeholder; *id* may be any text. Complexity: O(log n)."""
        rank = self.find(id)
        return rank if rank is not None and self.revision[rank] else None

    def below(self, id: str) -> int:
        """Return how many have an id below *id*. Complexity: O(log n)."""
        return self._place(*_big_endian(to_bytes(id)))

    def _place(self, high: int, low: int) -> int:
        rank = bisect_left(self._high, high)
        while rank < len(self._high) and self._high[rank] == high and self._low[rank] < low:
            rank += 1
        return rank

    def id_of(self, rank: int) -> str:
        """Return the id of a comment or of a placeholder. Complexity: O(1)."""
        return from_bytes(_pack(self._high[rank], self._low[rank]))

    def time_of(self, rank: int) -> int:
        """Return the Unix milliseconds in an id. Complexity: O(1)."""
        return self._high[rank] >> _TIME_SHIFT

    def posted_before(self, moment: int) -> int:
        """Return how many have ids of before a moment, in Unix milliseconds. Complexity: O(log n)."""
        return bisect_left(self._high, moment << _TIME_SHIFT)

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

    def first_kids(self, rank: int, most: int) -> tuple[Sequence[int], int]:
        """Return the ranks of the first replies, and how many there are. Complexity: O(most)."""
        more = self._more_kids.get(rank)
        if more is not None:
            return more[:most], len(more)
        if rank + 1 >= len(self._first_kid):
            return (), 0
        first = self._first_kid[rank]
        count = self._first_kid[rank + 1] - first
        return self._kids[first : first + min(most, count)] if count and most else (), count

    def votes_on(self, rank: int) -> dict[str, int]:
        """Return how many actors reacted, by kind. Complexity: O(kinds)."""
        return {kind: column[rank] for kind, column in self.votes.items() if column[rank]}

    def reaction(self, rank: int, actor: str, kind: str) -> tuple[int, int] | None:
        """Return the code and the revision of an actor's last word on a kind. Complexity: O(log n)."""
        number, code = self.known(actor), reaction_code(kind, given=True)
        if number is None or code not in self._codes:
            return None
        found = self.reactions.find(rank, number, code - _FIRST_REACTION)
        return None if found is None else (found[0] + _FIRST_REACTION, found[1])

    def known(self, actor: str | None) -> int | None:
        """Return the number of an actor who has one."""
        return 0 if actor is None else self.actors.get(actor_hash(actor))

    def author(self, speaker: int) -> int:
        """Return a speaker's actor, by number. Complexity: O(1)."""
        return self._others[speaker][0] if speaker in self._others else speaker

    def first_uses(self) -> Iterator[tuple[int, int, int]]:
        """Yield each speaker who has a name, with its hash and the rank of the first comment. Complexity: O(speakers)."""
        others = ((speaker, name, first) for speaker, (_, name, first) in self._others.items() if name)
        return chain(compress(zip(count(), self._name, self._first_use, strict=False), self._name), others)

    def speaker_named(self, actor: str, name: int) -> int | None:
        """Return the speaker that an actor is under a name. Complexity: O(speakers under a second name)."""
        number = self.known(actor)
        if number is None or self._name[number] == name:
            return number
        return next((speaker for speaker, (other, called, _) in self._others.items() if (other, called) == (number, name)), None)


class Table(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Columns as bytes; see `Columns.table`. They are views, so that no bytes are copied but into their place."""

    columns: list[memoryview]
    actors: bytes
    others: list[tuple[int, tuple[int, int, int]]]
    votes: list[tuple[str, memoryview]]
    reactions: tuple[memoryview, memoryview, memoryview]
    edits: list[tuple[int, tuple[int, ...]]]


def _column(code: str, data: memoryview) -> array[int]:
    column = array(code)
    column.frombytes(data)
    return column


class _Numbers(dict[bytes, int]):
    """Numbers for whatever is looked up, in the order in which it is."""

    def __missing__(self, key: bytes) -> int:
        number = self[key] = len(self)
        return number


class _Reading:
    """
    Heads, as numbers: what each record is about, and whose it is.

    Args:
        rows: The heads.
        kinds: The kind of each, `OTHER` for whatever is not to be taken for plain.
    """

    def __init__(self, rows: Heads, kinds: bytes) -> None:
        self._rows = rows
        self.revisions = list(rows.revisions)
        self.kinds = bytearray(kinds)
        posts = list(compress(chain.from_iterable(fields(rows.heads, "16s48x")), kinds.translate(_among({POST}))))
        places = dict(zip(posts, range(len(posts)), strict=True))
        places[NO_ID] = TOP
        speakers = _Numbers({NO_ID + bytes(8): _NOBODY})
        #: By record: the rank of the comment that it is about, or `TOP`.
        self.about = list(map(places.get, chain.from_iterable(fields(rows.heads, "16x16s32x")), repeat(_NOT_HERE)))
        #: By record: who is its actor, under which name.
        self.speaker = list(map(speakers.__getitem__, chain.from_iterable(fields(rows.heads, "32x24s8x"))))
        #: Their hashes.
        self.speakers = list(speakers)
        missing = self._missing(len(posts))
        self._many_missing = len(missing)
        #: The ids of the comments and of what is missing above them, in order.
        self.ids = [*posts, *missing]
        #: Which of these came when, if they came in another order, and where each of them is now.
        self._order: list[int] | None = None
        self._ranks: Sequence[int] = range(len(self.ids))
        if not all(map(lt, self.ids, islice(self.ids, 1, None))):
            self._bring_in_order()

    def _missing(self, many: int) -> dict[bytes, int]:
        """
        Return what is missing above so many posts, with the places behind these that they have now.

        What else is about nothing that is here is not plain.
        """
        missing = dict[bytes, int]()
        place = -1
        with suppress(ValueError):  # there is no other
            while True:
                place = self.about.index(_NOT_HERE, place + 1)
                if self.kinds[place] == POST:
                    id = self._rows.heads[SIZE * place + 16 : SIZE * place + 32]
                    self.about[place] = missing.setdefault(id, many + len(missing))
                else:
                    self.kinds[place] = OTHER
        return missing

    def _bring_in_order(self) -> None:
        order = sorted(range(len(self.ids)), key=self.ids.__getitem__)
        self._order, self._ranks = order, sorted(range(len(order)), key=order.__getitem__)
        ranks = [*self._ranks, _NOT_HERE, TOP]  # these two in their places from the end
        self.about = list(map(ranks.__getitem__, self.about))
        self.ids = list(map(self.ids.__getitem__, order))

    @cached_property
    def above(self) -> list[int]:
        """What the comments are replies to, as they came."""
        return self.of({POST}, self.about)

    def void(self) -> bytes | None:
        """Return the kinds without the comments that answer no smaller id, if there are any: they hang nowhere in the tree."""
        if not any(map(ge, self.above, self._ranks)):
            return None
        kinds = self.kinds.copy()
        for place, parent, rank in zip(self.places(POST), self.above, self._ranks, strict=False):
            if parent >= rank:
                kinds[place] = OTHER
        return bytes(kinds)

    def places(self, code: int) -> Iterator[int]:
        """Yield which records are of a kind. Complexity: O(found), and a search in C."""
        place = self.kinds.find(code)
        while place >= 0:
            yield place
            place = self.kinds.find(code, place + 1)

    def others(self) -> list[int]:
        """Return the revisions of what is not plain."""
        return [self.revisions[place] for place in self.places(OTHER)]

    def of(self, codes: Collection[int], column: Iterable[int]) -> list[int]:
        """Return what a column has for the records of some kinds."""
        return list(compress(column, self.kinds.translate(_among(codes))))

    def by_rank(self, column: list[int], missing: int) -> list[int]:
        """Return what a column has for the comments, with a value for those that are missing, in the order of their ids."""
        column = [*column, *repeat(missing, self._many_missing)]
        return column if self._order is None else list(map(column.__getitem__, self._order))

    def id(self, place: int) -> bytes:
        """Return the id of a record."""
        return self._rows.heads[SIZE * place : SIZE * place + 16]

    def role(self, place: int) -> int:
        """Return the role of a record's actor."""
        return self._rows.heads[SIZE * place + ROLE]


def _among(codes: Collection[int]) -> bytes:
    """Return the table that makes 1 of these codes, and 0 of all others."""
    return bytes(code in codes for code in range(256))


def _pairs(ranks: Sequence[int], words: Sequence[int]) -> list[int]:
    """Return a number for each pair of numbers of 32 bits; equal ones for equal pairs."""
    pairs = array("I", bytes(8 * len(ranks)))
    with memoryview(pairs) as view:
        view[0::2], view[1::2] = array("I", ranks), array("I", words)
        return view.cast("B").cast("Q").tolist()


def _last_words(registers: list[int], last: dict[int, int], places: list[int], id_of: Callable[[int], bytes]) -> bytes:
    """Return which records have the largest id of their register; *last* is the last record of each, *places* are theirs."""
    is_last = bytearray(len(registers))
    for place in last.values():
        is_last[place] = 1
    for place in [place for place, is_it in enumerate(is_last) if not is_it]:
        standing = last[registers[place]]
        winner = standing if id_of(places[place]) < id_of(places[standing]) else place
        last[registers[place]] = winner
        is_last[standing], is_last[winner] = 0, 1
    return bytes(is_last)
