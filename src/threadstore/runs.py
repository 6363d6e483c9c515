"""
Sorted lists of many integers, in runs short enough that to insert one moves little.

`Ranks` keeps the ranks of comments, `Runs` keeps them in the order of a key that is computed when it is needed, and `Pairs`
keeps 64-bit keys, each with a 32-bit value. All are lists of arrays (the two-level form of B. Jenks' "Sorted Containers",
2014-2019), so an item costs its integer and nothing else.

Law: each holds what a sorted list would hold, in its order.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, Final

__all__ = ["Pairs", "Ranks", "Runs"]

_FULL: Final = 2_000

Key = Any


def _cut(items: array[int]) -> list[array[int]]:
    half = _FULL // 2
    return [items[start : start + half] for start in range(0, len(items), half)]


class Ranks:
    """
    Ranks in order.

    Args:
        ranks: The first of them, sorted and without repeats.
    """

    __slots__ = ("_count", "_heads", "_runs")

    def __init__(self, ranks: array[int]) -> None:
        self._runs = _cut(ranks)
        self._heads = array("I", [run[0] for run in self._runs])
        self._count = len(ranks)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self._runs)

    @property
    def last(self) -> int:
        """The largest of them; there must be one."""
        return self._runs[-1][-1]

    def add(self, rank: int) -> None:
        """Put in a rank that is not in. Complexity: O(log n), and a move of memory."""
        self._count += 1
        number = max(bisect_left(self._heads, rank) - 1, 0)
        if not self._runs:
            self._runs.append(array("I"))
            self._heads.append(rank)
        run = self._runs[number]
        run.insert(bisect_left(run, rank), rank)
        self._heads[number] = run[0]
        if len(run) > _FULL:
            cut = _cut(run)
            self._runs[number : number + 1] = cut
            self._heads[number : number + 1] = array("I", [run[0] for run in cut])

    def drop(self, rank: int) -> None:
        """Take out a rank that is in. Complexity: as for `add`."""
        self._count -= 1
        number = bisect_right(self._heads, rank) - 1
        run = self._runs[number]
        del run[bisect_left(run, rank)]
        if run:
            self._heads[number] = run[0]
        else:
            del self._runs[number], self._heads[number]

    def since(self, bound: float) -> tuple[Iterator[int], int]:
        """Return the ranks above *bound*, lazily, and how many they are. Complexity: O(log n), and O(n / 1,000) to count."""
        number, place = self._find(bound, bisect_right)
        behind = self._runs[number + 1 :]
        first = self._runs[number][place:] if self._runs else ()
        return chain(first, chain.from_iterable(behind)), len(first) + sum(map(len, behind))

    def before(self, bound: float | None) -> tuple[Iterator[int], int]:
        """Return the ranks below *bound* (None: all), the last first, and how many they are. Complexity: as for `since`."""
        if bound is None:
            return chain.from_iterable(map(reversed, reversed(self._runs))), self._count
        number, place = self._find(bound, bisect_left)
        before = self._runs[:number]
        last = self._runs[number][:place] if self._runs else ()
        return chain(reversed(last), chain.from_iterable(map(reversed, reversed(before)))), len(last) + sum(map(len, before))

    def _find(self, bound: float, bisect: Callable[[array[int], Any], int]) -> tuple[int, int]:
        """Return the run and the place in it where *bound* belongs; 0 and 0 if there is none."""
        number = max(bisect(self._heads, bound) - 1, 0)
        return number, bisect(self._runs[number], bound) if self._runs else 0


class Runs:
    """
    Ranks in the order of their keys, put in order when somebody looks.

    Args:
        ranks: The first of them, sorted.
        key: The key of a rank; no two are equal.
        belongs: Whether a rank that was touched is still to be listed.
    """

    __slots__ = ("_belongs", "_count", "_former", "_key", "_runs")

    def __init__(self, ranks: array[int], key: Callable[[int], Key], belongs: Callable[[int], bool]) -> None:
        self._runs = _cut(ranks)
        self._count = len(ranks)
        self._key = key
        self._belongs = belongs
        #: The key under which each touched rank still stands; None for one that is not in yet.
        self._former: dict[int, Key | None] = {}

    def touch(self, rank: int) -> None:
        """Say that the key of a rank is about to change, or that it may not belong any longer. Complexity: O(1)."""
        if rank not in self._former:
            self._former[rank] = self._key(rank)

    def note(self, rank: int) -> None:
        """Say that a rank has come. Complexity: O(1)."""
        self._former.setdefault(rank, None)

    def _standing_key(self, rank: int) -> Key:
        former = self._former.get(rank) if self._former else None
        return self._key(rank) if former is None else former

    def _last_key(self, run: array[int]) -> Key:
        return self._standing_key(run[-1])

    def _find(self, key: Key) -> tuple[int, int]:
        """Return the run and the place in it where *key* is or belongs."""
        number = bisect_left(self._runs, key, key=self._last_key)
        if number == len(self._runs):
            return number, 0
        return number, bisect_left(self._runs[number], key, key=self._standing_key)

    def _settle(self) -> None:
        """Bring all that was touched to its place. Complexity: O(log n) keys for each, and a move of memory."""
        if not self._former:
            return
        for key in self._former.values():
            if key is not None:
                self._take(key)
        touched = list(self._former)
        self._former.clear()
        for rank in touched:
            if self._belongs(rank):
                self._add(rank)

    def _take(self, key: Key) -> None:
        number, place = self._find(key)
        run = self._runs[number]
        del run[place]
        self._count -= 1
        if not run:
            del self._runs[number]

    def _add(self, rank: int) -> None:
        number, place = self._find(self._key(rank))
        self._count += 1
        if number == len(self._runs):
            if not number:
                self._runs.append(array("I", [rank]))
                return
            number, place = number - 1, len(self._runs[-1])
        run = self._runs[number]
        run.insert(place, rank)
        if len(run) > _FULL:
            self._runs[number : number + 1] = _cut(run)

    def behind(self, key: Key | None) -> tuple[Iterator[int], int]:
        """
        Return the ranks behind *key* (None: all), lazily, and how many they are.

        Complexity: O(log n) keys, and O(n / 1,000) to count.
        """
        return self.since(None if key is None else lambda rank: self._key(rank) > key)

    def since(self, is_behind: Callable[[int], bool] | None) -> tuple[Iterator[int], int]:
        """
        Return the ranks from the first that *is_behind* on (None: all), lazily, and how many they are.

        Whatever follows a rank that is behind must be behind as well. Complexity: O(log n) questions, and O(n / 1,000) to count.
        """
        self._settle()
        if is_behind is None:
            return chain.from_iterable(self._runs), self._count
        number = bisect_left(self._runs, True, key=lambda run: is_behind(run[-1]))
        if number == len(self._runs):
            return iter(()), 0
        place = bisect_left(self._runs[number], True, key=is_behind)
        before = sum(map(len, islice(self._runs, number))) + place
        return chain(islice(self._runs[number], place, None), *self._runs[number + 1 :]), self._count - before


class Pairs:
    """
    A mapping of 64-bit keys to 32-bit values, in order. Takes 12 bytes an item.

    Args:
        keys: The first keys, sorted and without repeats.
        values: Their values.
    """

    __slots__ = ("_count", "_heads", "_keys", "_values")

    def __init__(self, keys: array[int], values: array[int]) -> None:
        self._count = len(keys)
        self._keys = _cut(keys)
        self._values = _cut(values)
        self._heads = array("Q", [run[0] for run in self._keys])

    def __len__(self) -> int:
        return self._count

    def items(self) -> Iterator[tuple[int, int]]:
        """Yield all keys with their values, in order."""
        return zip(chain.from_iterable(self._keys), chain.from_iterable(self._values), strict=True)

    def between(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Yield the items with low <= key < high, in order. Complexity: O(log n + items)."""
        number = max(bisect_right(self._heads, low) - 1, 0)
        for keys, values in zip(islice(self._keys, number, None), islice(self._values, number, None), strict=True):
            for place in range(bisect_left(keys, low), len(keys)):
                if keys[place] >= high:
                    return
                yield keys[place], values[place]

    def get(self, key: int) -> int | None:
        """Return the value of *key*, if it is in. Complexity: O(log n)."""
        return next((value for _, value in self.between(key, key + 1)), None)

    def put(self, key: int, value: int) -> None:
        """Give *key* a value. Complexity: O(log n), and a move of memory."""
        number = max(bisect_right(self._heads, key) - 1, 0)
        if not self._keys:
            self._keys.append(array("Q"))
            self._values.append(array("I"))
            self._heads.append(key)
        keys, values = self._keys[number], self._values[number]
        place = bisect_left(keys, key)
        if place < len(keys) and keys[place] == key:
            values[place] = value
            return
        self._count += 1
        keys.insert(place, key)
        values.insert(place, value)
        if len(keys) > _FULL:
            cut = _cut(keys)
            self._keys[number : number + 1] = cut
            self._values[number : number + 1] = _cut(values)
            self._heads[number : number + 1] = array("Q", [run[0] for run in cut])
        elif not place:
            self._heads[number] = key

    def drop(self, key: int) -> None:
        """Take *key* out, which must be in. Complexity: as for `put`."""
        number = bisect_right(self._heads, key) - 1
        keys, values = self._keys[number], self._values[number]
        place = bisect_left(keys, key)
        self._count -= 1
        del keys[place], values[place]
        if not keys:
            del self._keys[number], self._values[number], self._heads[number]
        elif not place:
            self._heads[number] = keys[0]

    @property
    def nbytes(self) -> int:
        """How much memory the items take."""
        return 12 * len(self)
