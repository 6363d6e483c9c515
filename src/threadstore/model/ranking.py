"""
Total-order sort keys for top-level comments.

`key` turns a comment's `Votes` into a tuple; sorted ascending, the first tuple belongs on top. Three laws hold for
every order:

- **Exact.** Keys are integers and texts. No float is involved, so every machine and every release of libm gives the same
  page, and a cursor that carries a key fits the next page without a gap.
- **Total.** A key ends in the comment's id, so no two comments compare equal.
- **Portable.** Every integer fits in 64 bits with a sign, for up to 10**9 votes each way and any age: keys travel in
  cursors.

=============  ===========================================  ==============================================================
order          first                                        key
=============  ===========================================  ==============================================================
oldest         the smallest id                              id
newest         the largest id                               inverted id, id
top            most votes for it                            -up, id
best           surely liked, see `_wilson`                  -lower bound, id
hot            liked and fresh, see `heat`                 -heat, inverted id, id
active         the latest word below it                     inverted activity, id
controversial  many votes, evenly split, see `_dispute`     -dispute, id
=============  ===========================================  ==============================================================

Equals are shown oldest first, except in "hot", where of two comments with equal votes the newer one is always the hotter,
also when the ages are too great, or the score too low, for their heat to differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isqrt
from typing import Final, Literal, NamedTuple, get_args

from threadstore.model.ids import invert, time_of

__all__ = ["ORDERS", "Key", "Order", "Votes", "heat", "key", "longest_age"]

Order = Literal["oldest", "newest", "top", "best", "hot", "active", "controversial"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)

Key = tuple[int | str, ...]

# Binary digits behind the point. 34 and 32 are the most with which 10**9 votes each way stay below 2**63; a share to one
# part in 2**40 is as fine as votes make it.
_BEST_BITS: Final = 40
_HOT_BITS: Final = 34
_CONTROVERSIAL_BITS: Final = 32

_HOUR: Final = 3_600_000


class Votes(NamedTuple):
    """
    What the orders look at, of one top-level comment.

    Args:
        id: The comment's id.
        up: How many reactions count for it.
        down: How many reactions count against it.
        activity: The largest id of a publicly visible comment in its subtree, or its own id when there is none.
    """

    id: str
    up: int
    down: int
    activity: str


def _wilson(up: int, down: int) -> int:
    """
    Return the lower end of the Wilson score interval at z = 1.96, times 2**40, rounded down.

    Given these votes, the share of all readers who like the comment is, with 97.5 % confidence, at least this large. So 1
    of 1 does not beat 99 of 100 (E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    JASA 22, 1927, pages 209-212; Evan Miller, "How Not To Sort By Average Rating", evanmiller.org, 2009). With
    n = up + down and p = up / n it is ::

        (p + z²/2n - z √(p (1 - p)/n + z²/4n²)) / (1 + z²/n)

    Multiplied by 1250 n above and below, with z = 49/25, all but the root is whole::

        (1250 up + 2401 - √(6002500 up down / n + 2401²)) / (1250 n + 4802)

    What is rounded down in the end may be rounded down before it is divided by a whole number. So the root, taken times
    2**40, may be rounded up; that is the root, rounded up, of the rational rounded up; and `math.isqrt` is exact.

    >>> _wilson(1, 0) * 10_000 >> 40, _wilson(99, 1) * 10_000 >> 40
    (2065, 9455)
    """
    if not up:
        return 0
    n = up + down
    square = -(-((6_002_500 * up * down) << 2 * _BEST_BITS) // n) + (2401**2 << 2 * _BEST_BITS)
    root = isqrt(square - 1) + 1
    return (((1250 * up + 2401) << _BEST_BITS) - root) // (1250 * n + 4802)


def heat(score: int, age: int) -> int:
    """
    Return ``points / (hours + 2) ** 1.5``, times 2**34, rounded down.

    Every comment begins with one point, and below none there is nothing to cool.

    Args:
        score: How many more votes are for it than against it.
        age: In milliseconds; below 0 for a comment that counts as posted now.

    This is the formula of Hacker News with gravity 3/2 for 1.8 (news.arc; A. Salihefendic, "How Hacker News ranking
    algorithm works", amix.dk, 2010): a power of 3/2 is the root of a cube, which `math.isqrt` gives exactly on every
    machine, while ``x ** 1.8`` is up to each machine's libm. A comment falls more slowly for it: after a day to 1/47 of
    its heat instead of 1/101.

    >>> heat(7, 0) >> 34, heat(7, 2 * _HOUR) >> 34
    (2, 1)
    """
    return isqrt(_cooling(score) // (max(age, 0) + 2 * _HOUR) ** 3)


def longest_age(score: int, heat: int) -> int | None:
    """
    Return the greatest age at which a comment with this score is at least as hot; None if it never was.

    Heat is the root of a fraction, rounded down; where it is at least a whole number, the fraction is at least its square.

    Args:
        score: As for `heat`.
        heat: More than 0.

    >>> longest_age(7, heat(7, 1_000)) == 1_000, longest_age(7, heat(7, 0) + 1)
    (True, None)
    """
    cube = _cooling(score) // (heat * heat)
    return None if cube < (2 * _HOUR) ** 3 else _cube_root(cube) - 2 * _HOUR


@lru_cache(maxsize=10_000)
def _cooling(score: int) -> int:
    points = max(score + 1, 0)
    return (points * points * _HOUR**3) << 2 * _HOT_BITS


def _cube_root(number: int) -> int:
    """
    Return the whole part of the cube root of a number above 0.

    A float is a first guess, which whole numbers correct: below 10**45 it is wrong by one at most. Beyond, it is Newton's
    method, from above.
    """
    if number < _GUESSED:
        root = round(math.pow(number, 1 / 3))
        while root * root * root > number:
            root -= 1
        while (root + 1) ** 3 <= number:
            root += 1
        return root
    root = 1 << -(-number.bit_length() // 3)
    while (nearer := (2 * root + number // (root * root)) // 3) < root:
        root = nearer
    return root


_GUESSED: Final = 10**45


def _dispute(up: int, down: int) -> int:
    """
    Return ``(up + down) * min / max`` of the votes, times 2**32, rounded down; 0 when nobody contradicts.

    How many votes there are, times how evenly they are split. reddit (`controversy` in the last public _sorts.pyx) and
    lemmy (`controversy_rank`) raise the one to the power of the other, ``(up + down) ** (min / max)``, which takes floats;
    the product, lemmy's own first form (July 2023), is exact. Both agree on even splits; on uneven ones numbers
    count for more here: 100 against 10 is 11, not 1.6.

    >>> _dispute(3, 3) >> 32, _dispute(100, 10) >> 32, _dispute(100, 0)
    (6, 11, 0)
    """
    if not (up and down):
        return 0
    return (((up + down) * min(up, down)) << _CONTROVERSIAL_BITS) // max(up, down)


def _oldest(votes: Votes, _now: int) -> Key:
    return (votes.id,)


def _newest(votes: Votes, _now: int) -> Key:
    return (invert(votes.id), votes.id)


def _top(votes: Votes, _now: int) -> Key:
    return (-votes.up, votes.id)


def _best(votes: Votes, _now: int) -> Key:
    return (-_wilson(votes.up, votes.down), votes.id)


def _hot(votes: Votes, now: int) -> Key:
    # An id above *now* counts as posted now: a clock that runs fast does not jump the queue (lemmy's `hot_rank` guards
    # against posts dated into the future, too).
    return (-heat(votes.up - votes.down, now - time_of(votes.id)), invert(votes.id), votes.id)


def _active(votes: Votes, _now: int) -> Key:
    return (invert(votes.activity), votes.id)


def _controversial(votes: Votes, _now: int) -> Key:
    return (-_dispute(votes.up, votes.down), votes.id)


_KEYS: Final[Mapping[str, Callable[[Votes, int], Key]]] = {
    "oldest": _oldest,
    "newest": _newest,
    "top": _top,
    "best": _best,
    "hot": _hot,
    "active": _active,
    "controversial": _controversial,
}


def key(order: Order, votes: Votes, *, now: int) -> Key:
    """
    Return the sort key of a comment; the smallest key comes first on the page.

    Args:
        order: One of `ORDERS`.
        votes: What is known of the comment.
        now: Unix milliseconds; only "hot" looks at it.

    Raises:
        ValueError: There is no such order.

    Complexity: O(1).

    >>> key("top", Votes("0189", up=2, down=0, activity="0189"), now=0)
    (-2, '0189')
    """
    make = _KEYS.get(order)
    if make is None:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r:.80}")
    return make(votes, now)
