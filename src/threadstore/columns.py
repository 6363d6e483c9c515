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

The columns are built in passes over all rows that Python makes in C: slices, sorts, maps between lists, counts.

Law: columns built of all heads hold what columns hold that were built of some and given the others.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import compress, islice, pairwise, repeat
from operator import add, eq, ge, mul, ne, rshift, sub
from typing import Final, NamedTuple, Self

from msgspec import Struct

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
from threadstore.reactions import CODE_BITS, Reactions, offsets

__all__ = ["TOP", "Columns", "Table"]

#: The parent of a top-level comment.
TOP: Final = -1
_NOT_HERE: Final = -2

#: The rank of the first comment of somebody who has not said anything.
_NEVER: Final = (1 << 32) - 1
#: The numbers of speakers who are not their actors begin here, and go down.
_OTHER: Final = (1 << 32) - 1
#: The bytes of a comment in the arrays of ids, parents, revisions and speakers.
_ROW: Final = 28
_FIRST_REACTION: Final = reaction_code(WORDS[0], given=True)


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
        "_others",
        "actors",
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
        #: Each actor's number by hash; anonymous is 0.
        self.actors: dict[bytes, int] = {NO_ID: 0}
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
        return many + 160 * len(self.actors) + 200 * (len(self._others) + len(self.edits) + len(self._more_kids))

    # --- building -------------------------------------------------------------------------------------------------------------

    @classmethod
    def build(cls, rules: Rules, rows: Heads) -> tuple[Self, list[int]]:
        """
        Return the columns of these records, and the revisions of those that are not plain, in order.

        Complexity: O(n log n), O(n) if they came in the order of their ids.
        """
        columns = cls(rules)
        rest = columns._fill(_Reading(rows))
        return columns, rest

    def _fill(self, rows: _Reading) -> list[int]:
        posts = rows.of({POST})
        ids, parents = posts.ids(0), posts.ids(2)
        if any(map(ge, parents.words, ids.words)) and (void := _void(ids, parents)):
            return self._fill(rows.without([posts.places()[place] for place in void]))
        index = self._number(ids, parents, posts.revisions())
        self._say(posts, ids, index)
        self._link()
        rest = rows.of(set(range(256)) - {POST, EDIT} - self._codes.keys()).revisions()
        rest += self._fill_reactions(rows.of(self._codes.keys()), index)
        rest += self._fill_edits(rows.of({EDIT}), index)
        return sorted(rest)

    def _number(self, ids: _Ids, parents: _Ids, revisions: list[int]) -> _Index:
        """Give each comment and each placeholder its rank."""
        words, lows, above, places = ids.words, ids.lows, parents, revisions
        missing = sorted(_missing(ids, parents))
        if missing:
            words, lows = words + [word for word, _ in missing], lows + [low for _, low in missing]
            above = _Ids(parents.words + [0] * len(missing), parents.lows + [0] * len(missing))
            places = revisions + [0] * len(missing)
        if missing or any(map(ge, words, islice(words, 1, None))):
            order = sorted(range(len(words)), key=words.__getitem__)
            _order_alike(order, words, lows)
            words, lows, places = ([column[place] for place in order] for column in (words, lows, places))
            above = _Ids([above.words[place] for place in order], [above.lows[place] for place in order])
        self._high, self._low, self.revision = array("Q", words), array("Q", lows), array("I", places)
        index = _Index(words, lows)
        self.parent = array("i", index.ranks(above))
        return index

    def _numbers(self, hashes: _Ids) -> list[int]:
        """Return the numbers of the actors, who get new ones where they have none."""
        lows = dict(zip(hashes.words, hashes.lows, strict=True))
        if any(map(ne, hashes.lows, map(lows.__getitem__, hashes.words))):  # two begin alike
            keys = [_hash(pair) for pair in zip(hashes.words, hashes.lows, strict=True)]
            numbers = [self.actors.setdefault(key, len(self.actors)) for key in keys]
        else:
            known = {pair[0]: self.actors.setdefault(_hash(pair), len(self.actors)) for pair in lows.items()}
            numbers = list(map(known.__getitem__, hashes.words))
        new = len(self.actors) - len(self._name)
        self._name.extend(repeat(0, new))
        self._first_use.extend(repeat(_NEVER, new))
        return numbers

    def _say(self, posts: _Rows, ids: _Ids, index: _Index) -> None:
        """Note who said what."""
        ranks, names, actors = index.ranks(ids), posts.column(NAME // 8), self._numbers(posts.ids(4))
        if any(map(ge, ranks, islice(ranks, 1, None))):
            order = sorted(range(len(ranks)), key=ranks.__getitem__)
            ranks, names, actors = ([column[place] for place in order] for column in (ranks, names, actors))
        # Of several under one key the last stays: that with the smallest rank, if the larger ones come first.
        first = dict(zip(reversed(actors), reversed(range(len(ranks))), strict=True))
        for actor, place in first.items():
            self._name[actor], self._first_use[actor] = names[place], ranks[place]
        speakers = actors
        if any(map(ne, names, map(self._name.__getitem__, actors))):
            others = dict[tuple[int, int], int]()
            speakers = list(actors)
            for place, (actor, name) in enumerate(zip(actors, names, strict=True)):
                if name != self._name[actor]:
                    speakers[place] = others.setdefault((actor, name), _OTHER - len(others))
                    self._others.setdefault(speakers[place], (actor, name, ranks[place]))
        if len(ranks) == len(self.parent):
            self.speaker = array("I", speakers)
        else:
            said = dict(zip(ranks, speakers, strict=True))
            self.speaker = array("I", map(said.get, range(len(self.parent)), repeat(0)))

    def _link(self) -> None:
        """Say which replies each comment has."""
        parent = self.parent
        below = [rank for rank, above in enumerate(parent) if above >= 0]
        self.tops = array("I", [rank for rank, above in enumerate(parent) if above < 0])
        self._kids = array("I", sorted(below, key=parent.__getitem__))
        self._first_kid = offsets(Counter(parent), len(parent))

    def _fill_reactions(self, rows: _Rows, index: _Index) -> list[int]:
        """Take in the reactions; return the revisions of those to nothing that is here."""
        ranks, actors, codes, revisions = index.ranks(rows.ids(2)), rows.ids(4), rows.codes(), rows.revisions()
        posted = [*self.revision, 0, 0]  # neither the top nor what is not here was posted
        is_here = list(map(posted.__getitem__, ranks))
        rest = list[int]()
        if 0 in is_here:
            rest = [revision for revision, here in zip(revisions, is_here, strict=True) if not here]
            ranks, codes, revisions = (list(compress(column, is_here)) for column in (ranks, codes, revisions))
            actors = _Ids(*(list(compress(column, is_here)) for column in actors))
        words = list(map(mul, self._numbers(actors), repeat(1 << CODE_BITS)))
        if set(codes) - {_FIRST_REACTION}:
            words = list(map(add, words, map(sub, codes, repeat(_FIRST_REACTION))))
        registers = list(map(add, map(mul, ranks, repeat(1 << 32)), map(rshift, words, repeat(1))))
        last = dict(zip(registers, range(len(registers)), strict=True))
        if len(last) < len(registers):
            ids = _Ids(*(list(compress(column, is_here)) for column in rows.ids(0)))
            is_last = _last_words(registers, last, ids)
            ranks, words, codes, revisions = (list(compress(column, is_last)) for column in (ranks, words, codes, revisions))
        self.reactions.fill(len(self.parent), ranks, words, revisions)
        for code in set(codes):
            if (kind := self._codes[code]) is not None:
                counted = Counter(compress(ranks, map(eq, codes, repeat(code))))
                self.votes[kind] = array("I", map(counted.get, range(len(self.parent)), repeat(0)))
        return rest

    def _fill_edits(self, rows: _Rows, index: _Index) -> list[int]:
        """Take in the authors' own edits; return the revisions of all edits of comments that somebody else edited as well."""
        of_comment: dict[int, list[tuple[bytes, int]]] = {}
        rest: list[int] = []
        foreign: set[int] = set()
        for place, rank, revision in zip(rows.places(), index.ranks(rows.ids(2)), rows.revisions(), strict=True):
            if rank < 0 or not self.revision[rank]:
                rest.append(revision)
                continue
            of_comment.setdefault(rank, []).append((rows.heads[place : place + 16], revision))
            by = self.actors.get(rows.heads[place + 32 : place + 48])
            if by != self.author(self.speaker[rank]) or role_of(rows.heads[place + ROLE]) in self.rules.moderators:
                foreign.add(rank)
        for rank, edits in of_comment.items():
            edits.sort()
            if rank in foreign:
                rest += [revision for _, revision in edits]
            else:
                self.edits[rank] = tuple(revision for _, revision in edits)
        return rest

    # --- as bytes -------------------------------------------------------------------------------------------------------------

    def table(self) -> Table:
        """Return the columns as bytes, as they were built: nothing may have been added since. Complexity: O(n), in C."""
        first, words, revisions = self.reactions.columns()
        names = ("_high", "_low", "parent", "revision", "speaker", "_kids", "_first_kid", "tops", "_name", "_first_use")
        return Table(
            columns=[getattr(self, name).tobytes() for name in names],
            actors=b"".join(self.actors),
            others=sorted(self._others.items()),
            votes=[(kind, column.tobytes()) for kind, column in sorted(self.votes.items())],
            reactions=(first.tobytes(), words.tobytes(), revisions.tobytes()),
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
        made._high, made._low, made.parent = array("Q", high), array("Q", low), array("i", parent)
        made.revision, made.speaker, made._kids = array("I", revision), array("I", speaker), array("I", kids)
        made._first_kid, made.tops = array("I", first_kid), array("I", tops)
        made._name, made._first_use = array("Q", name), array("I", first_use)
        keys = [table.actors[start : start + 16] for start in range(0, len(table.actors), 16)]
        made.actors = dict(zip(keys, range(len(keys)), strict=True))
        made._others = dict(table.others)
        made.votes = {kind: array("I", column) for kind, column in table.votes}
        made.edits = dict(table.edits)
        first, words, revisions = (array("I", column) for column in table.reactions)
        made.reactions = Reactions(first, words, revisions)
        many = len(made.parent)
        rows = (made._high, made._low, made.revision, made.speaker, *made.votes.values())
        whole = len(made._kids) + len(made.tops) == many and made._first_kid[-1:] == array("I", [len(made._kids)])
        actors = len(made.actors) == len(made._name) == len(made._first_use)
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
        number = self.actors.setdefault(actor_hash(actor), len(self.actors))
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

    def first_uses(self) -> Iterator[tuple[int, int]]:
        """Yield each speaker who has a name, with the rank of the first comment. Complexity: O(speakers)."""
        for actor, (name, first) in enumerate(zip(self._name, self._first_use, strict=True)):
            if name:
                yield actor, first
        for speaker, (_, name, first) in self._others.items():
            if name:
                yield speaker, first

    def speaker_named(self, actor: str, name: int) -> int | None:
        """Return the speaker that an actor is under a name. Complexity: O(speakers under a second name)."""
        number = self.known(actor)
        if number is None or self._name[number] == name:
            return number
        return next((speaker for speaker, (other, called, _) in self._others.items() if (other, called) == (number, name)), None)


class Table(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Columns as bytes; see `Columns.table`."""

    columns: list[bytes]
    actors: bytes
    others: list[tuple[int, tuple[int, int, int]]]
    votes: list[tuple[str, bytes]]
    reactions: tuple[bytes, bytes, bytes]
    edits: list[tuple[int, tuple[int, ...]]]


class _Ids(NamedTuple):
    """Ids, or hashes, as integers that sort as they do: their first halves, and their second halves."""

    words: list[int]
    lows: list[int]


def _hash(pair: tuple[int, int]) -> bytes:
    return pair[0].to_bytes(8, "big") + pair[1].to_bytes(8, "big")


class _Reading:
    """Heads, cut into columns."""

    def __init__(self, rows: Heads) -> None:
        self.rows = rows
        self.kinds = rows.heads[KIND::SIZE]
        self.words = _big_endian(rows.heads)

    def of(self, codes: Collection[int]) -> _Rows:
        """Return the records of some kinds."""
        return _Rows(self, self.kinds.translate(bytes(code in codes for code in range(256))))

    def without(self, places: list[int]) -> _Reading:
        """Return the same with some records marked as not plain."""
        heads = bytearray(self.rows.heads)
        for place in places:
            heads[place + KIND] = OTHER
        return _Reading(Heads(self.rows.revisions, bytes(heads)))


class _Rows:
    """Some of the records."""

    def __init__(self, reading: _Reading, chosen: bytes) -> None:
        self._reading = reading
        self._chosen = chosen
        self.heads = reading.rows.heads

    def column(self, number: int) -> list[int]:
        """Return one of the eight words of each head."""
        return list(compress(self._reading.words[number :: SIZE // 8], self._chosen))

    def ids(self, number: int) -> _Ids:
        """Return the ids, or hashes, of which the first half is the word with this number."""
        return _Ids(self.column(number), self.column(number + 1))

    def codes(self) -> list[int]:
        """Return the kinds."""
        return list(compress(self._reading.kinds, self._chosen))

    def revisions(self) -> list[int]:
        """Return where the records are in the log."""
        return list(compress(self._reading.rows.revisions, self._chosen))

    def places(self) -> list[int]:
        """Return where the heads begin."""
        return list(compress(range(0, len(self.heads), SIZE), self._chosen))


class _Index:
    """
    The ranks of ids.

    Looked up by the first half of an id, which is its own mostly; those that begin alike are looked up as a whole.
    """

    def __init__(self, words: list[int], lows: list[int]) -> None:
        self._ranks = dict(zip(words, range(len(words)), strict=True))
        self._ranks[0] = TOP
        self._lows = [*lows, 0, 0]  # the last but one belongs to what is not here, and the last to the top
        self._alike: dict[tuple[int, int], int] = {}
        if len(self._ranks) <= len(words):
            alike = {word for word, after in pairwise(words) if word == after}
            self._alike = {(word, lows[rank]): rank for rank, word in enumerate(words) if word in alike}

    def ranks(self, ids: _Ids) -> list[int]:
        """Return the ranks; `TOP` for the nil id, and one below it for what is not here."""
        ranks = list(map(self._ranks.get, ids.words, repeat(_NOT_HERE)))
        same = map(eq, ids.lows, map(self._lows.__getitem__, ranks))
        for place in [place for place, is_same in enumerate(same) if not is_same]:
            ranks[place] = self._alike.get((ids.words[place], ids.lows[place]), _NOT_HERE)
        return ranks


def _order_alike(order: list[int], words: list[int], lows: list[int]) -> None:
    """Put those in order that begin alike; *order* is by the first halves already."""
    in_order = [words[place] for place in order]
    for place in [place for place, (word, after) in enumerate(pairwise(in_order)) if word == after]:
        start = bisect_left(in_order, in_order[place])
        stop = bisect_right(in_order, in_order[place])
        order[start:stop] = sorted(order[start:stop], key=lows.__getitem__)


def _missing(ids: _Ids, parents: _Ids) -> set[tuple[int, int]]:
    """Return the parents that are not among the comments."""
    lows = dict(zip(ids.words, ids.lows, strict=True))
    lows[0] = 0
    same = map(eq, parents.lows, map(lows.get, parents.words))
    candidates = {(parents.words[place], parents.lows[place]) for place, is_same in enumerate(same) if not is_same}
    if candidates and len(lows) <= len(ids.words):
        candidates.difference_update(zip(ids.words, ids.lows, strict=True))
    return candidates


def _void(ids: _Ids, parents: _Ids) -> list[int]:
    """Return the places of the comments that answer no smaller id: they hang nowhere in the tree."""
    pairs = zip(zip(*parents, strict=True), zip(*ids, strict=True), strict=True)
    return [place for place, (above, own) in enumerate(pairs) if above >= own]


def _last_words(registers: list[int], last: dict[int, int], ids: _Ids) -> bytes:
    """Return which records have the largest id of their register; *last* is the last record of each."""
    is_last = bytearray(repeat(1, len(registers)))
    for place in [place for place, register in enumerate(registers) if last[register] != place]:
        standing = last[registers[place]]
        is_less = (ids.words[place], ids.lows[place]) < (ids.words[standing], ids.lows[standing])
        loser = place if is_less else standing
        last[registers[place]] = place + standing - loser
        is_last[loser] = 0
    return bytes(is_last)
