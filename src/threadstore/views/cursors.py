"""
Cursors: where a page ended, as an opaque text that any process can take up.

A cursor carries the whole sort key of the last comment shown, so the next page starts right behind it however the thread
has changed; no offset can slip. It is bound to its thread and its listing by a checksum, which catches mistakes; it is no
secret, and holds nothing that the page did not show.

Law: `read_cursor` answers only to the very texts that `write_cursor` makes; any other text is an `InvalidCursor`.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec

from threadstore.errors import InvalidCursor

__all__ = ["Mark", "read_cursor", "write_cursor"]

MAX_CURSOR: Final = 2_000
_CHECK: Final = 6  # bytes of the checksum, which come first

Part = int | str


class Mark(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a cursor says: which listing, the moment that it is reckoned for (0 if none), and the last key shown."""

    listing: str
    now: int
    key: tuple[Part, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Mark)


def write_cursor(thread: str, listing: str, key: Sequence[Part], *, now: int = 0) -> str:
    """Return the cursor for what follows *key*; its integers must fit in 64 bits."""
    payload = _encoder.encode(Mark(listing, now, tuple(key)))
    return urlsafe_b64encode(_checksum(thread, payload) + payload).rstrip(b"=").decode()


def read_cursor(cursor: str, thread: str, listing: str, shape: Sequence[type]) -> Mark:
    """
    Return what *cursor* says.

    Args:
        cursor: A text from anywhere.
        thread: The key of the thread that it must have been made for.
        listing: The listing that it must have been made for.
        shape: The types of the parts of a key in this listing.

    Raises:
        InvalidCursor: It is malformed, of another thread, or of another listing.

    Complexity: O(1), since a cursor's length is bounded.
    """
    if not isinstance(cursor, str):
        raise InvalidCursor(f"it is a {type(cursor).__name__}, not a str")
    if len(cursor) > MAX_CURSOR:
        raise InvalidCursor("it is too long")
    try:
        data = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        mark = _decoder.decode(data[_CHECK:])
    except (ValueError, msgspec.MsgspecError) as error:  # not ASCII, not base64, not UTF-8; not a mark
        raise InvalidCursor("it is malformed") from error
    if data[:_CHECK] != _checksum(thread, data[_CHECK:]):
        raise InvalidCursor("it was made for another thread, or damaged")
    if mark.listing != listing:
        raise InvalidCursor(f"it was made for {mark.listing!r}, not for {listing!r}")
    # Base64 and MessagePack can write one mark in several ways, of which `write_cursor` knows one.
    if [type(part) for part in mark.key] != list(shape) or write_cursor(thread, listing, mark.key, now=mark.now) != cursor:
        raise InvalidCursor("it is malformed")
    return mark


def _checksum(thread: str, payload: bytes) -> bytes:
    state = _keyed(thread).copy()
    state.update(payload)
    return state.digest()


@lru_cache(maxsize=128)
def _keyed(thread: str) -> blake2b:
    """Return the state that the checksums of a thread's cursors begin with."""
    return blake2b(digest_size=_CHECK, key=blake2b(thread.encode(), digest_size=32).digest())
