"""
The plain reactions of a large thread: 8 bytes for each that was found in the log, 12 for each that came later.

Those found in the log stand comment by comment, as the comments do; a crowd of more than a thousand below one comment is sorted
by actor. Those that came later are in `Pairs`, and go before the others.

Law: `find` gives an actor's last word on a kind, in whatever part it came.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate, compress
from typing import Final

from threadstore.runs import Pairs

__all__ = ["CODE_BITS", "Reactions", "offsets", "tally"]

CODE_BITS: Final = 5
_CROWD: Final = 1_000


def tally(groups: Iterable[int], many: int) -> list[int]:
    """Return how many there are of each of so many groups. Complexity: O(n)."""
    counts = [0] * many
    for group in groups:
        counts[group] += 1
    return counts


def offsets(counts: Iterable[int]) -> array[int]:
    """Return where each group begins when they stand one behind the other, and where the last ends."""
    return array("I", list(accumulate(counts, initial=0)))


class Reactions:
    """
    Each actor's last word on each kind: (rank of the comment, actor, code) -> revision.

    A *code* is even if the reaction was given, and odd, by one more, if it was withdrawn.
    """

    __slots__ = ("_first", "_later", "_revisions", "_words")

    def __init__(
        self, first: array[int] | None = None, words: array[int] | None = None, revisions: array[int] | None = None
    ) -> None:
        self._first = array("I", [0]) if first is None else first
        self._words = array("I") if words is None else words
        self._revisions = array("I") if revisions is None else revisions
        if not self._first or len(self._words) != len(self._revisions) or self._first[-1] != len(self._words):
            raise ValueError("the reactions do not fit together")
        self._later = Pairs(array("Q"), array("I"))

    def fill(self, counts: Sequence[int], ranks: Sequence[int], words: Sequence[int], revisions: Sequence[int]) -> None:
        """
        Take in what was found, at first: so many for each comment; a word is an actor and a code.

        Complexity: O(n), and O(n log n) for a crowd.
        """
        self._first = offsets(counts)
        self._words, self._revisions = array("I", bytes(4 * len(ranks))), array("I", bytes(4 * len(ranks)))
        ends, said, told = self._first.tolist(), self._words, self._revisions
        for rank, word, revision in zip(ranks, words, revisions, strict=True):
            place = ends[rank]
            ends[rank] = place + 1
            said[place], told[place] = word, revision
        crowded = map(_CROWD.__lt__, counts) if max(counts, default=0) > _CROWD else ()
        for rank in compress(range(len(counts)), crowded):
            crowd = slice(self._first[rank], self._first[rank + 1])
            by_word = sorted(zip(said[crowd], told[crowd], strict=True))
            said[crowd] = array("I", [word for word, _ in by_word])
            told[crowd] = array("I", [revision for _, revision in by_word])

    def columns(self) -> tuple[array[int], array[int], array[int]]:
        """Return what was found in the log, as `Reactions` takes it."""
        return self._first, self._words, self._revisions

    @property
    def nbytes(self) -> int:
        """How much memory they take."""
        return 4 * len(self._first) + 8 * len(self._words) + self._later.nbytes

    def find(self, rank: int, actor: int, code: int) -> tuple[int, int] | None:
        """Return the code and the revision of an actor's last word on the kind of *code*. Complexity: O(log n)."""
        word = actor << CODE_BITS | code & ~1
        key = rank << 32 | word
        for found, revision in self._later.between(key, key + 2):
            return found & (1 << CODE_BITS) - 1, revision
        for said in (word, word + 1):
            place = self._place(rank, said)
            if place is not None:
                return said & (1 << CODE_BITS) - 1, self._revisions[place]
        return None

    def _place(self, rank: int, word: int) -> int | None:
        if rank + 1 >= len(self._first):
            return None
        start, stop = self._first[rank], self._first[rank + 1]
        if stop - start > _CROWD:
            place = bisect_left(self._words, word, start, stop)
            return place if place < stop and self._words[place] == word else None
        try:
            return self._words.index(word, start, stop)
        except ValueError:
            return None

    def put(self, rank: int, actor: int, code: int, revision: int) -> None:
        """Let this be the actor's last word on the kind of *code*. Complexity: O(log n), and a move of memory."""
        key = rank << 32 | actor << CODE_BITS | code
        if self._later.get(key ^ 1) is not None:
            self._later.drop(key ^ 1)
        self._later.put(key, revision)
