"""
Ids that are identity, deduplication key and total order at once.

An id is a UUIDv7 (RFC 9562, section 5.7), written in canonical lower-case text; the first 48 bits are Unix milliseconds, so ids
sort by time as text and as bytes alike::

     48 bits        4     12 bits     2     62 bits
    unix_ts_ms | ver=7 | counter | var=10 | random

Within one millisecond the 12 bits behind the version are a counter (RFC 9562, section 6.2, method 1). A counter that runs out
borrows the next millisecond: the time runs ahead of the wall clock rather than backwards or round.

`HybridClock` mints ids like a hybrid logical clock (Kulkarni et al., 2014): never at or below an id that it has minted, nor
one that its caller has seen, whatever the wall clock does. So whoever had seen *e* before writing *f* has ``e.id < f.id``.

`id_for` mints without a clock and without chance: the same source row gives the same id in every run of an import.

Laws: ids are valid and canonical; minting strictly increases; `id_for` is a pure function and never at or below `after`.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final, NewType

__all__ = [
    "NIL",
    "HybridClock",
    "Millis",
    "all_to_bytes",
    "check_id",
    "from_bytes",
    "id_for",
    "invert",
    "is_id",
    "last_id_at",
    "make_id",
    "random_bits",
    "time_of",
    "to_bytes",
]

Millis = NewType("Millis", int)

#: The nil UUID (RFC 9562, section 5.9): below every id, and never the id of an event.
NIL: Final = "00000000-0000-0000-0000-000000000000"

MAX_MILLIS: Final = (1 << 48) - 1
_COUNTER_BITS: Final = 12
_COUNTER_MASK: Final = (1 << _COUNTER_BITS) - 1
_RANDOM_BITS: Final = 62
_RANDOM_MASK: Final = (1 << _RANDOM_BITS) - 1
_MAX_TICK: Final = (MAX_MILLIS << _COUNTER_BITS) | _COUNTER_MASK

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII).fullmatch
_INVERTED: Final = str.maketrans("0123456789abcdef", "fedcba9876543210")


def is_id(text: object) -> bool:
    """Return whether *text* is a canonical UUIDv7."""
    return type(text) is str and _CANONICAL(text) is not None


def check_id(text: str, field: str = "id") -> str:
    """
    Return *text* if it is a canonical UUIDv7.

    Raises:
        TypeError: *text* is no string.
        ValueError: *text* is no canonical, lower-case UUIDv7.
    """
    if type(text) is not str:
        raise TypeError(f"{field} must be a str, not {type(text).__name__}")
    if _CANONICAL(text) is None:
        raise ValueError(f"{field} must be a UUIDv7 in canonical lower-case text, not {text[:64]!r}")
    return text


def make_id(ms: int, counter: int, random: int) -> str:
    """
    Return the UUIDv7 of these fields.

    >>> make_id(0x017F22E279B0, 0xCC3, 0x18C4DC0C0C07398F)  # the example of RFC 9562, appendix A.6
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f'
    """
    if not (0 <= ms <= MAX_MILLIS and 0 <= counter <= _COUNTER_MASK and 0 <= random <= _RANDOM_MASK):
        raise ValueError(f"a field of the id is out of range: ms={ms}, counter={counter}, random={random}")
    high = f"{(ms << 16) | 0x7000 | counter:016x}"
    low = f"{(0b10 << _RANDOM_BITS) | random:016x}"
    return f"{high[:8]}-{high[8:12]}-{high[12:]}-{low[:4]}-{low[4:]}"


def last_id_at(ms: int) -> str:
    """Return the largest id of a millisecond, or of the nearest one that there are ids of."""
    return make_id(min(max(ms, 0), MAX_MILLIS), _COUNTER_MASK, _RANDOM_MASK)


def time_of(id: str) -> int:
    """Return the Unix milliseconds in *id* (0 for the nil id)."""
    return int(id[:8] + id[9:13], 16)


def random_bits(id: str) -> int:
    """Return the 62 random bits of *id*."""
    return int(id[19:23] + id[24:], 16) & _RANDOM_MASK


def to_bytes(id: str) -> bytes:
    """Return the 16 bytes of *id*."""
    return unhexlify(id.replace("-", ""))


def all_to_bytes(ids: Iterable[str]) -> list[bytes]:
    """Return the 16 bytes of each id. Complexity: O(ids), a third of the time of `to_bytes` for each."""
    data = unhexlify("".join(ids).replace("-", ""))
    return [data[start : start + 16] for start in range(0, len(data), 16)]


def from_bytes(data: bytes) -> str:
    """
    Return the canonical text of 16 bytes; whether they are an id is for `check_id` to say.

    Raises:
        ValueError: *data* is not 16 bytes.
    """
    if type(data) is not bytes or len(data) != 16:
        raise ValueError("an id must be 16 bytes")
    return f"{data[:4].hex()}-{data[4:10].hex('-', 2)}-{data[10:].hex()}"


def invert(id: str) -> str:
    """
    Return a text that sorts the other way round.

    For texts of one length, such as ids, ``a < b`` exactly when ``invert(a) > invert(b)``.

    >>> invert("0f")
    'f0'
    """
    return id.translate(_INVERTED)


def _tick(id: str) -> int:
    """Return time and counter of *id* as one number, so that adding one borrows from the next millisecond."""
    return (time_of(id) << _COUNTER_BITS) | int(id[15:18], 16)


def _id_at(tick: int, random: int) -> str:
    if tick > _MAX_TICK:
        raise ValueError("the id would lie beyond the year 10889, the end of UUIDv7 time")
    return make_id(tick >> _COUNTER_BITS, tick & _COUNTER_MASK, random)


def id_for(at: int, key: str | bytes, *, after: str | None = None) -> str:
    """
    Return the id of an event that happened at *at* elsewhere and is called *key* there.

    The same arguments give the same id in every run, so an import that is run again adds nothing. The counter and the random bits
    are a hash (BLAKE2b) of *key*.

    Args:
        at: Unix milliseconds; times before 1970 count as 1970 (keep the original in `CommentPosted.at`).
        key: What the source calls the event, unique within it.
        after: An id that the result must exceed, such as the parent's. A clock that ran backwards at the source is overruled.

    Complexity: O(len(key)).
    """
    data = key.encode() if isinstance(key, str) else key
    digest = int.from_bytes(blake2b(data, digest_size=10).digest(), "big")
    ms = min(max(at, 0), MAX_MILLIS)
    minted = make_id(ms, (digest >> _RANDOM_BITS) & _COUNTER_MASK, digest & _RANDOM_MASK)
    if after is None or minted > after:
        return minted
    return _id_at(_tick(after) + 1, digest & _RANDOM_MASK)


class HybridClock:
    """
    Mints ids that never run backwards.

    Args:
        now: Returns the wall clock in Unix milliseconds.
        random: ``random(k)`` returns k random bits (`random.SystemRandom().getrandbits`, say).

    Not safe for threads: whoever shares a clock guards it.
    """

    __slots__ = ("_last", "_now", "_random")

    def __init__(self, now: Callable[[], int], random: Callable[[int], int]) -> None:
        self._now = now
        self._random = random
        self._last = -1

    def now(self) -> int:
        """Return the wall clock, in Unix milliseconds."""
        return self._now()

    @property
    def latest(self) -> int:
        """The Unix milliseconds of the last id minted; -1 before the first."""
        return self._last >> _COUNTER_BITS

    def mint(self, *, after: str = NIL) -> str:
        """
        Return a new id above *after* and above every id minted before.

        A new millisecond starts its counter at a random number below half of its range (RFC 9562, section 6.2), which leaves room
        to count.

        Complexity: O(1).
        """
        ms = min(max(self._now(), 0), MAX_MILLIS)
        fresh = (ms << _COUNTER_BITS) | self._random(_COUNTER_BITS - 1)
        tick = fresh if ms > self.latest else self._last + 1
        tick = max(tick, _tick(after) + 1)
        minted = _id_at(tick, self._random(_RANDOM_BITS))
        self._last = tick
        return minted
