"""
The orders of a large thread's top level, as far as it is plain: each is found only as far as somebody looks.

- "oldest" and "newest" are the columns' own list.
- What votes decide depends on nothing else: those with equal votes are one *shelf*, in the order of their ids, and an order is a
  way through the shelves. In "hot", of two comments with equal votes the newer is the hotter, so the shelves are merged from
  their ends. A thread that was frozen has its shelves at hand.
- "active" begins at the end of the thread: the last word that the public sees is below the first of them, and so on back.

Places are compared by *marks*: what `ranking.key` gives, with ranks in the place of ids. A comment that the columns do not know
lies between two ranks.

Law: an order is that of the keys of all comments that are in it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from heapq import merge
from itertools import chain, filterfalse, repeat
from typing import Final

from threadstore.columns import Columns
from threadstore.descent import Descent
from threadstore.model.ids import NIL, invert
from threadstore.model.outline import SortKey
from threadstore.model.ranking import Order, Votes, heat, key, longest_age
from threadstore.runs import Ranks

__all__ = ["LastWords", "Mark", "PlainOrders", "Shelves", "shelved"]

#: A number, and a rank: what comes first is smaller. A rank counts downwards where the newer comes first.
Mark = tuple[float, ...]
#: How many votes there are for a comment, and against it.
Pair = tuple[int, int]
#: The ranks of those with equal votes, by these.
Shelves = Mapping[Pair, "array[int]"]

_NONE: Final[Pair] = (0, 0)
#: So many of what is hot are remembered, and a page.
_REMEMBERED: Final = 10_000


class LastWords:
    """
    The top level by the last word below each that the public sees.

    Args:
        columns: The comments.
        descent: What is below what.
        is_hidden: Which ranks the public does not see.
    """

    __slots__ = ("_apart", "_columns", "_descent", "_found", "_is_hidden", "_next", "last")

    def __init__(self, columns: Columns, descent: Descent, is_hidden: Callable[[int], bool]) -> None:
        self._columns = columns
        self._descent = descent
        self._is_hidden = is_hidden
        #: The rank of the last word below each top-level comment that was found, by the latter's.
        self.last: dict[int, int] = {}
        self._found = Ranks(array("I"))
        #: Those that are not in this order.
        self._apart: set[int] = set()
        #: How many comments were not looked at yet: the first ones.
        self._next = len(columns)

    def note(self, rank: int) -> bool:
        """Take in the last comment of all; return whether what it is below is in this order. Complexity: O(log n)."""
        root = self._descent.root(rank)
        if root in self._apart:
            return False
        if root in self.last:
            self._found.drop(self.last[root])
        self.last[root] = rank
        self._found.add(rank)
        return True

    def leave(self, root: int) -> int | None:
        """Take a top-level comment out for ever; return the last word below it. Complexity: as for `behind`."""
        if root in self._apart:
            return None
        while root not in self.last and self._find() is not None:
            pass
        self._apart.add(root)
        last = self.last.pop(root, None)
        if last is not None:
            self._found.drop(last)
        return last

    def behind(self, after: Mark | None) -> tuple[Iterator[int], int]:
        """
        Return the ranks of those behind *after* (None: all), and how many are not among them.

        Complexity: O(log n), and O(comments passed) the first time that somebody gets as far.
        """
        bound = None if after is None else -after[0]
        while bound is not None and self._next > bound and self._find() is not None:
            pass
        lasts, behind = self._found.before(bound)
        return chain(map(self._descent.root, lasts), iter(self._find, None)), len(self._found) - behind

    def _find(self) -> int | None:
        """Return the next one that is not known yet; None if there is none."""
        revision, root_of, last, rank = self._columns.revision, self._descent.root, self.last, self._next
        while rank:
            rank -= 1
            root = root_of(rank)
            if root not in last and root not in self._apart and revision[rank] and not self._is_hidden(rank):
                last[root] = rank
                self._found.add(rank)
                self._next = rank
                return root
        self._next = 0
        return None


class _Flow:
    """
    What is hot at one moment, found as it is asked for, and remembered for whoever goes on behind it.

    Args:
        now: The moment.
        after: What all of it is behind; None if it is the whole.
        marks: The marks, in order.
        count: How many they are.
    """

    __slots__ = ("_after", "_count", "_found", "_rest", "now")

    def __init__(self, now: int, after: Mark | None, marks: Iterator[Mark], count: int) -> None:
        self.now = now
        self._after = after
        self._found: list[Mark] = []
        self._rest = marks
        self._count = count

    def behind(self, after: Mark | None) -> tuple[Iterator[int], int] | None:
        """Return the ranks behind *after*, and how many they are; None if that is not what was found."""
        found, start = self._found, 0
        if after != self._after:
            if after is None or not found or len(found) > _REMEMBERED or not (self._after or after) <= after <= found[-1]:
                return None
            start = bisect_right(found, after)
        return self._ranks(start), self._count - start

    def _ranks(self, start: int) -> Iterator[int]:
        found = self._found
        while True:
            if start == len(found):
                if (mark := next(self._rest, None)) is None:
                    return
                found.append(mark)
            yield -int(found[start][1])
            start += 1


class PlainOrders:
    """
    The plain top level in every order.

    Args:
        columns: The comments.
        kept: The ranks that are not plain.
    """

    def __init__(self, columns: Columns, kept: Container[int]) -> None:
        self._columns = columns
        self._kept = kept
        #: The ranks of the top level that are kept, in order.
        self._kept_tops: list[int] = []
        #: Those with equal votes, by these; made when somebody asks for them.
        self._shelves: dict[Pair, Ranks] | None = None
        self._ways: dict[Order, tuple[list[float], list[list[Pair]]]] = {}
        self._flow: _Flow | None = None
        #: The order by last words, once somebody has asked for it; it is to be told of every comment from then on.
        self.words: LastWords | None = None

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self._columns.tops) - len(self._kept_tops)

    def begin_with(self, shelves: Shelves) -> None:
        """Put the top level, kept or not, on the shelves that `shelved` made of it as it is. Complexity: O(n), in C."""
        self._shelves = {pair: Ranks(ranks) for pair, ranks in shelves.items()}
        self._shelves.setdefault(_NONE, Ranks(array("I")))
        for rank in self._kept_tops:
            self._take(rank, self.votes(rank))

    # --- keeping up -----------------------------------------------------------------------------------------------------------

    def note(self, rank: int) -> None:
        """Take in a new top-level comment, the last of all. Complexity: O(1)."""
        self._flow = None
        if self._shelves is not None:
            self._shelves[_NONE].add(rank)

    def leave(self, rank: int) -> None:
        """Let a top-level comment be kept from now on. Complexity: O(log n), and a move of memory."""
        insort(self._kept_tops, rank)
        self._flow = None
        if self._shelves is not None:
            self._take(rank, self.votes(rank))

    def move(self, rank: int, former: Pair) -> None:
        """Note that a top-level comment has other votes than the *former*. Complexity: O(log n), and a move of memory."""
        votes = self.votes(rank)
        if self._shelves is None or votes == former:
            return
        self._flow = None
        self._take(rank, former)
        shelf = self._shelves.get(votes)
        if shelf is None:
            shelf = self._shelves[votes] = Ranks(array("I"))
            self._ways.clear()
        shelf.add(rank)

    def _take(self, rank: int, votes: Pair) -> None:
        assert self._shelves is not None
        shelf = self._shelves[votes]
        shelf.drop(rank)
        if not shelf and votes != _NONE:
            del self._shelves[votes]
            self._ways.clear()

    # --- marks ----------------------------------------------------------------------------------------------------------------

    def votes(self, rank: int) -> Pair:
        """Return how many votes there are for a comment, and against it."""
        up = down = 0
        rules = self._columns.rules
        for kind, column in self._columns.votes.items():
            if kind in rules.positive:
                up += column[rank]
            elif kind in rules.negative:
                down += column[rank]
        return up, down

    def mark_of(self, order: Order, key: SortKey, rank: int | None = None) -> Mark:
        """Return where a key of *order* belongs, of the comment with this *rank* if it is known. Complexity: O(log n)."""
        first, place = key[0], self._place(str(key[-1])) if rank is None else rank
        if order == "active":
            return -self._place(invert(str(first))), place
        return first if isinstance(first, int) else 0, -place if order in ("newest", "hot") else place

    def _place(self, id: str) -> float:
        """Return where an id, or any text, belongs among the ranks."""
        rank = self._columns.find(id)
        if rank is None:
            return bisect_left(range(len(self._columns)), id, key=self._columns.id_of) - 0.5
        return rank

    def marks(self, order: Order, now: int) -> Callable[[int], Mark]:
        """Return what gives the mark of a rank in *order*."""
        if order == "oldest":
            return lambda rank: (0, rank)
        if order == "newest":
            return lambda rank: (0, -rank)
        if order == "active":
            assert self.words is not None
            last = self.words.last
            return lambda rank: (-last[rank], rank)
        if order == "hot":
            return lambda rank: self._hot_mark(now, self.votes(rank), rank)
        return lambda rank: (_number(order, *self.votes(rank)), rank)

    def _hot_mark(self, now: int, votes: Pair, rank: int) -> Mark:
        return -heat(votes[0] - votes[1], now - self._columns.time_of(rank)), -rank

    # --- reading --------------------------------------------------------------------------------------------------------------

    def behind(self, order: Order, now: int, after: SortKey | None) -> tuple[Iterator[int], int]:
        """
        Return the ranks behind *after* (None: all), lazily, and how many they are, in all orders but "active".

        Complexity: O(log n) for the orders by age; those by votes O(different votes) more, and O(n) the first time.
        """
        mark = None if after is None else self.mark_of(order, after)
        if order == "hot":
            return self._hot_behind(now, mark)
        tops, kept = self._columns.tops, self._kept_tops
        if order == "oldest":
            start = 0 if mark is None else bisect_right(tops, mark[1])
            kept_before = 0 if mark is None else bisect_right(kept, mark[1])
            return self._plain(range(start, len(tops))), len(tops) - start - len(kept) + kept_before
        if order == "newest":
            stop = len(tops) if mark is None else bisect_left(tops, -mark[1])
            kept_behind = len(kept) if mark is None else bisect_left(kept, -mark[1])
            return self._plain(range(stop - 1, -1, -1)), stop - kept_behind
        ranks, passed = self._by_votes(order, mark)
        return ranks, self.count - passed

    def _plain(self, places: Iterable[int]) -> Iterator[int]:
        ranks = map(self._columns.tops.__getitem__, places)
        return filterfalse(self._kept.__contains__, ranks) if self._kept_tops else ranks

    # --- by votes -------------------------------------------------------------------------------------------------------------

    def _by_votes(self, order: Order, after: Mark | None) -> tuple[Iterator[int], int]:
        """Return the ranks behind *after*, and how many are not among them."""
        shelves, (numbers, groups) = self._shelved(), self._way(order)
        start, passed, first = 0, 0, list[Iterator[int]]()
        if after is not None:
            number, place = after
            start = bisect_left(numbers, number)
            passed = sum(len(shelves[pair]) for pairs in groups[:start] for pair in pairs)
            if numbers[start : start + 1] == [number]:
                for shelf in map(shelves.__getitem__, groups[start]):
                    ranks, behind = shelf.since(place)
                    first.append(ranks)
                    passed += len(shelf) - behind
                start += 1
        rest = (merge(*map(shelves.__getitem__, pairs)) for pairs in groups[start:])
        return chain(merge(*first), chain.from_iterable(rest)), passed

    def _way(self, order: Order) -> tuple[list[float], list[list[Pair]]]:
        """Return the shelves in *order*: their numbers, ascending, and those of equal numbers."""
        way = self._ways.get(order)
        if way is None:
            groups = defaultdict[float, list[Pair]](list)
            for pair in self._shelved():
                groups[_number(order, *pair)].append(pair)
            numbers = sorted(groups)
            way = self._ways[order] = numbers, [groups[number] for number in numbers]
        return way

    def _shelved(self) -> dict[Pair, Ranks]:
        if self._shelves is None:
            self.begin_with(shelved(self._columns))
            assert self._shelves is not None
        return self._shelves

    # --- hot ------------------------------------------------------------------------------------------------------------------

    def _hot_behind(self, now: int, after: Mark | None) -> tuple[Iterator[int], int]:
        found = None if self._flow is None or self._flow.now != now else self._flow.behind(after)
        if found is None:
            self._flow = _Flow(now, after, *self._heated(now, after))
            found = self._flow.behind(after)
            assert found is not None
        return found

    def _heated(self, now: int, after: Mark | None) -> tuple[Iterator[Mark], int]:
        flows, behind = list[Iterator[Mark]](), 0
        for votes, shelf in self._shelved().items():
            mark = partial(self._hot_mark, now, votes)
            bound = None
            if after is not None and shelf and mark(shelf.last) <= after:
                bound = self._cooler(votes[0] - votes[1], now, after)
            ranks, many = shelf.before(bound)
            if many:
                flows.append(map(mark, ranks))
                behind += many
        return merge(*flows), behind

    def _cooler(self, score: int, now: int, after: Mark) -> float:
        """Return the rank before which those with this score are behind *after*."""
        hotness, place = -int(after[0]), -after[1]
        return min(self._first_as_hot(hotness + 1, score, now), max(self._first_as_hot(hotness, score, now), place))

    def _first_as_hot(self, hotness: int, score: int, now: int) -> int:
        """Return the rank from which on those with this score are at least as hot."""
        if hotness <= 0:
            return 0
        age = longest_age(score, hotness)
        return len(self._columns) if age is None else self._columns.posted_before(now - age)


def shelved(columns: Columns) -> Shelves:
    """Return the ranks of the top level by their votes, those of each shelf in order. Complexity: O(n)."""
    rules, tops = columns.rules, columns.tops
    ups, downs = (
        _sums([map(column.__getitem__, tops) for kind, column in columns.votes.items() if kind in kinds])
        for kinds in (rules.positive, rules.negative)
    )
    shelves: dict[Pair, array[int]] = defaultdict(partial(array, "I"))
    for rank, votes in zip(tops, zip(ups, downs, strict=False), strict=False):
        shelves[votes].append(rank)
    return shelves


@lru_cache(maxsize=10_000)
def _number(order: Order, up: int, down: int) -> int:
    """Return what the keys of comments with these votes begin with."""
    return int(key(order, Votes(NIL, up, down, NIL), now=0)[0])


def _sums(rows: Sequence[Iterable[int]]) -> Iterable[int]:
    """Return the sums of some columns, line by line; without end if there is none."""
    if len(rows) < 2:
        return rows[0] if rows else repeat(0)
    return map(sum, zip(*rows, strict=True))
