"""A cursor says where a page ended; whatever is no cursor of this listing is refused."""

from __future__ import annotations

import string
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from threadstore.errors import InvalidCursor
from threadstore.views import cursors
from threadstore.views.cursors import MAX_CURSOR, Mark, read_cursor, write_cursor

THREAD = "2023/05/03/drones"
LISTING = "view top"
SHAPE = (int, str)
CURSOR = write_cursor(THREAD, LISTING, (-3, "a"))

keys = st.lists(st.integers(-(2**63), 2**64 - 1) | st.text(max_size=40), max_size=4)
listings = st.text(max_size=40)
moments = st.integers(0, 2**53)
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "a"]) | st.binary(max_size=2)
objects = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=2), scalars, max_size=2)


def forged(payload: bytes, *, thread: str = THREAD) -> str:
    """Return a cursor of any payload with the right checksum, which is no secret."""
    return urlsafe_b64encode(cursors._checksum(thread, payload) + payload).rstrip(b"=").decode()


def refusal(cursor: object, thread: str = THREAD, listing: str = LISTING, shape: tuple[type, ...] = SHAPE) -> str:
    """Return why a cursor is refused."""
    with pytest.raises(InvalidCursor) as caught:
        read_cursor(cursor, thread, listing, shape)
    return caught.value.why


@given(thread=st.text(max_size=40), listing=listings, key=keys, now=moments)
def test_what_was_written_is_read(thread: str, listing: str, key: list[int | str], now: int):
    """A cursor gives back its whole key, and the moment that it is reckoned for."""
    cursor = write_cursor(thread, listing, key, now=now)
    assert read_cursor(cursor, thread, listing, [type(part) for part in key]) == Mark(listing, now, tuple(key))


@given(key=keys, now=moments)
def test_cursors_are_plain_words(key: list[int | str], now: int):
    """A cursor can stand in an address as it is."""
    assert set(write_cursor(THREAD, LISTING, key, now=now)) <= set(string.ascii_letters + string.digits + "-_")


def test_a_cursor_fits_one_listing_only():
    """A cursor of another thread, another listing or another shape of key does not fit."""
    assert "another thread" in refusal(CURSOR, thread="elsewhere")
    assert refusal(CURSOR, listing="view top pinned") == "it was made for 'view top', not for 'view top pinned'"
    assert refusal(CURSOR, shape=(str, str)) == refusal(CURSOR, shape=(int, str, str)) == "it is malformed"


@pytest.mark.parametrize("cursor", ["", "x", "=", "====", "no cursor", CURSOR + "=", CURSOR[:-1], "ü", "\ud800", "\0"])
def test_what_is_no_cursor_is_refused(cursor: str):
    """A text that nobody wrote as a cursor is an InvalidCursor, whatever it holds."""
    refusal(cursor)


@pytest.mark.parametrize("cursor", [None, b"x", 5, ["x"]])
def test_a_cursor_is_a_text(cursor: object):
    """What is no text is refused by its type."""
    assert refusal(cursor) == f"it is a {type(cursor).__name__}, not a str"


def test_a_cursor_is_bounded():
    """Nobody makes the library decode megabytes."""
    assert refusal("A" * (MAX_CURSOR + 1)) == "it is too long"
    assert refusal("A" * MAX_CURSOR) == "it is malformed"


@pytest.mark.parametrize("place", range(len(CURSOR)))
def test_damage_is_noticed(place: int):
    """No character can be exchanged, left out or repeated."""
    for piece in ("A", "B", "_", "", CURSOR[place] * 2, "\n"):
        damaged = CURSOR[:place] + piece + CURSOR[place + 1 :]
        if damaged != CURSOR:
            refusal(damaged)


def test_base64_has_one_spelling():
    """Padding, white space, the other alphabet and stray bits in the last character are other texts, and refused."""
    cursor = next(
        cursor
        for number in range(1_000)
        if {"-", "_"} <= set(cursor := write_cursor(THREAD, LISTING, (number, "ab"))) and len(cursor) % 4 == 2
    )
    data = urlsafe_b64decode(cursor + "==")
    last = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    stray = last[last.index(cursor[-1]) + 1]
    for other in (f"{cursor}==", f" {cursor}", f"{cursor}\n", b64encode(data).decode().rstrip("="), cursor[:-1] + stray):
        assert urlsafe_b64decode(other.strip().rstrip("=").translate(str.maketrans("+/", "-_")) + "==") == data
        refusal(other)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xc1", id="no MessagePack"),
        pytest.param(b"\x93\xa1\xff\x00\x90", id="no UTF-8"),
        pytest.param(b"\x93\xa8view top\x00\x92\x01\xa1\xff", id="no UTF-8 in the key"),
        pytest.param(b"\x94\xa8view top\x00\x92\x01\xa1a\x00", id="a field too many"),
        pytest.param(b"\x92\xa8view top\x00", id="a field too few"),
        pytest.param(b"\x93\xa8view top\x00\x92\x01\xa1a\x00", id="bytes behind it"),
        pytest.param(b"\x93\xa8view top\x00\x92\xcc\x01\xa1a", id="a long form of 1"),
        pytest.param(b"\x93\xa8view top\x00\x92\xca\x3f\x80\x00\x00\xa1a", id="1.0"),
        pytest.param(b"\x93\xa8view top\x00\x92\xc3\xa1a", id="true"),
        pytest.param(b"\x93\xa8view top\x00\x92\x91\x01\xa1a", id="a key within the key"),
        pytest.param(b"\x91" * 1_400, id="deep"),
    ],
)
def test_a_checksum_is_no_proof(payload: bytes):
    """Anybody can compute a checksum, so what it covers is believed only if it is a mark in the one form that is written."""
    refusal(forged(payload))


def test_the_forgery_of_the_tests_is_good():
    """A forged cursor with the very bytes that are written is a cursor, so the test above cannot pass vacuously."""
    payload = msgspec.msgpack.encode([LISTING, 0, [-3, "a"]])
    assert forged(payload) == CURSOR
    assert read_cursor(CURSOR, THREAD, LISTING, SHAPE).key == (-3, "a")


def check_refused_or_exact(text: str) -> None:
    """Check that *text* is refused, or is the very one that is written for what it says."""
    try:
        mark = read_cursor(text, THREAD, LISTING, SHAPE)
    except InvalidCursor:
        return
    assert write_cursor(THREAD, LISTING, mark.key, now=mark.now) == text


@given(text=st.text(max_size=80) | st.text(string.ascii_letters + string.digits + "-_=+/ \n", max_size=80))
def test_any_text_is_refused_or_exact(text: str):
    """Any text at all is an InvalidCursor, or exactly what is written."""
    check_refused_or_exact(text)


@given(payload=st.binary(max_size=60) | st.lists(st.just(LISTING) | objects, min_size=2, max_size=4).map(msgspec.msgpack.encode))
def test_any_payload_is_refused_or_exact(payload: bytes):
    """So is anything that bears the right checksum."""
    check_refused_or_exact(forged(payload))


@given(key=keys, now=moments, data=st.data())
def test_no_variant_of_a_cursor_is_one(key: list[int | str], now: int, data: st.DataObject):
    """No text that is nearly a cursor is taken for it."""
    cursor = write_cursor(THREAD, LISTING, key, now=now)
    place = data.draw(st.integers(0, len(cursor)))
    cut = data.draw(st.integers(0, 2))
    piece = data.draw(st.text(string.ascii_letters + string.digits + "-_=+/ \n", max_size=2))
    variant = cursor[:place] + piece + cursor[place + cut :]
    assume(variant != cursor)
    refusal(variant, shape=tuple(type(part) for part in key))
