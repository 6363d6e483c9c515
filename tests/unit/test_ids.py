"""Ids are UUIDv7s that sort by time; clocks mint them in order, imports mint them again alike."""

from __future__ import annotations

import random
from collections.abc import Callable
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadstore.model.ids import (
    MAX_MILLIS,
    NIL,
    HybridClock,
    all_to_bytes,
    check_id,
    from_bytes,
    id_for,
    invert,
    is_id,
    last_id_at,
    make_id,
    random_bits,
    time_of,
    to_bytes,
)

RFC_EXAMPLE = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"  # RFC 9562, appendix A.6
NOW = 1_700_000_000_000
YEAR = 365 * 24 * 3_600_000
COUNTERS = 1 << 12
LAST = make_id(MAX_MILLIS, COUNTERS - 1, 0)

millis = st.integers(0, MAX_MILLIS)
counters = st.integers(0, COUNTERS - 1)
chances = st.integers(0, (1 << 62) - 1)
ids = st.builds(make_id, millis, counters, chances)
early_ids = st.builds(make_id, st.integers(0, MAX_MILLIS - 100), counters, chances)  # with room to mint above them


class Wall:
    """A wall clock that shows what it is told."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def seeded(seed: int = 0) -> Callable[[int], int]:
    """Return a source of chance that repeats itself."""
    return random.Random(seed).getrandbits


def zeros(_bits: int) -> int:
    return 0


def ones(bits: int) -> int:
    return (1 << bits) - 1


def counter_of(id: str) -> int:
    return int(id[15:18], 16)


# --- the layout ---------------------------------------------------------------------------------------------------------------


def test_the_example_of_the_rfc():
    """RFC 9562, appendix A.6, shows this id for this time, counter and chance."""
    assert make_id(0x017F22E279B0, 0xCC3, 0x18C4DC0C0C07398F) == RFC_EXAMPLE
    assert time_of(RFC_EXAMPLE) == 1_645_557_742_000  # Tuesday, 22 February 2022, 14:22:22, UTC-5, says the appendix


@given(millis, counters, chances)
def test_the_layout_is_a_uuidv7(ms: int, counter: int, chance: int):
    """The standard library reads the fields where RFC 9562, section 5.7, puts them."""
    id = make_id(ms, counter, chance)
    uuid = UUID(id)
    assert (uuid.version, uuid.variant) == (7, RFC_4122)
    assert uuid.int == ms << 80 | 7 << 76 | counter << 64 | 0b10 << 62 | chance
    assert str(uuid) == id == check_id(id)


@given(millis, counters, chances)
def test_the_fields_can_be_read_back(ms: int, counter: int, chance: int):
    """Time and chance come out of an id as they went in."""
    id = make_id(ms, counter, chance)
    assert (time_of(id), counter_of(id), random_bits(id)) == (ms, counter, chance)


@pytest.mark.parametrize(
    "fields",
    [(-1, 0, 0), (MAX_MILLIS + 1, 0, 0), (0, -1, 0), (0, COUNTERS, 0), (0, 0, -1), (0, 0, 1 << 62)],
)
def test_a_field_out_of_range_is_refused(fields: tuple[int, int, int]):
    """No field spills over into its neighbour."""
    with pytest.raises(ValueError, match="out of range"):
        make_id(*fields)


@given(st.lists(st.tuples(millis, counters, chances), max_size=20))
def test_ids_sort_by_their_fields_as_text_and_as_bytes(fields: list[tuple[int, int, int]]):
    """Time, then counter, then chance decide, whichever form is sorted."""
    expected = [make_id(*each) for each in sorted(fields)]
    minted = [make_id(*each) for each in fields]
    assert sorted(minted) == expected
    assert sorted(minted, key=to_bytes) == expected


def test_the_end_of_time_is_the_year_10889():
    """48 bits of milliseconds is what there is."""
    assert MAX_MILLIS == 2**48 - 1 == time_of("ffffffff-ffff-7fff-bfff-ffffffffffff")


@pytest.mark.parametrize(("ms", "nearest"), [(0, 0), (NOW, NOW), (MAX_MILLIS, MAX_MILLIS), (-1, 0), (MAX_MILLIS + 1, MAX_MILLIS)])
def test_the_last_id_of_a_millisecond_is_above_all_others_of_it(ms: int, nearest: int):
    """And below all of the next."""
    last = last_id_at(ms)
    assert is_id(last)
    assert last == make_id(nearest, ones(12), ones(62))


def test_the_nil_id_is_below_every_id():
    """NIL is the floor of all orders, has the time 0, and is no id of an event."""
    assert make_id(0, 0, 0) > NIL
    assert time_of(NIL) == 0
    assert not is_id(NIL)


# --- forms --------------------------------------------------------------------------------------------------------------------


@given(ids)
def test_text_and_bytes_are_two_forms_of_one_id(id: str):
    """An id becomes the same 16 bytes as in the standard library, and the same text again."""
    assert to_bytes(id) == UUID(id).bytes
    assert from_bytes(to_bytes(id)) == id


@given(st.lists(ids))
def test_several_ids_become_the_bytes_of_each(several: list[str]):
    """Once each, in their order."""
    assert all_to_bytes([*several, NIL]) == [*map(to_bytes, several), bytes(16)]


@given(st.binary(min_size=16, max_size=16))
def test_any_sixteen_bytes_become_canonical_text(data: bytes):
    """The text is the standard library's, whether or not the bytes are an id."""
    assert from_bytes(data) == str(UUID(bytes=data))
    assert to_bytes(from_bytes(data)) == data


@pytest.mark.parametrize("data", [b"", b"\0" * 15, b"\0" * 17, "0" * 16, None, 5, [0] * 16])
def test_what_is_not_sixteen_bytes_has_no_text(data: object):
    """A text of the wrong length is never made."""
    with pytest.raises(ValueError, match="16 bytes"):
        from_bytes(data)


@given(ids, ids)
def test_inverted_ids_sort_the_other_way_round(one: str, other: str):
    """So that one ascending sort can order by one key up and by another down."""
    assert (one < other) == (invert(one) > invert(other))


@given(ids)
def test_inverting_twice_changes_nothing(id: str):
    """The inversion is its own inverse and never the identity."""
    assert invert(invert(id)) == id != invert(id)


# --- what is no id ------------------------------------------------------------------------------------------------------------

NO_IDS = {
    "empty": "",
    "nil": NIL,
    "upper case": RFC_EXAMPLE.upper(),
    "version 4": "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
    "wrong variant": "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
    "no dashes": RFC_EXAMPLE.replace("-", ""),
    "braces": "{" + RFC_EXAMPLE + "}",
    "urn": "urn:uuid:" + RFC_EXAMPLE,
    "too short": RFC_EXAMPLE[:-1],
    "too long": RFC_EXAMPLE + "0",
    "trailing newline": RFC_EXAMPLE + "\n",
    "leading space": " " + RFC_EXAMPLE,
    "no hex digit": "g" + RFC_EXAMPLE[1:],
    "digits of another script": "\N{ARABIC-INDIC DIGIT ZERO}" + RFC_EXAMPLE[1:],
    "a huge text": "x" * 1_000_000,
}


@pytest.mark.parametrize("text", NO_IDS.values(), ids=NO_IDS.keys())
def test_what_is_no_canonical_uuidv7_is_refused(text: str):
    """One id has one spelling; the complaint names the field and stays short."""
    assert not is_id(text)
    with pytest.raises(ValueError, match=r"^parent must be a UUIDv7") as raised:
        check_id(text, "parent")
    assert len(str(raised.value)) < 200


class Text(str):
    """A text that is more than a text; no codec writes it."""

    __slots__ = ()


@pytest.mark.parametrize("value", [None, 7, b"", UUID(RFC_EXAMPLE), [RFC_EXAMPLE], Text(RFC_EXAMPLE)])
def test_what_is_no_text_is_refused(value: object):
    """A wrong type is a TypeError, also when its text would be an id."""
    assert not is_id(value)
    with pytest.raises(TypeError, match=r"^id must be a str"):
        check_id(value)


@given(ids)
def test_an_id_is_returned_as_it_is(id: str):
    """Checking hands the id on, so that it can be checked where it is used."""
    assert is_id(id)
    assert check_id(id) is id


# --- clocks -------------------------------------------------------------------------------------------------------------------


def test_an_id_tells_the_time_of_its_minting():
    """A clock that nobody hurries shows the wall's time."""
    clock = HybridClock(Wall(), seeded())
    assert clock.now() == time_of(clock.mint()) == NOW


def test_a_clock_tells_how_far_its_ids_have_come():
    """The wall may show less than the last id does, and before the first there is none."""
    wall = Wall()
    clock = HybridClock(wall, seeded())
    assert clock.latest == -1
    clock.mint()
    assert clock.latest == NOW
    clock.mint(after=make_id(NOW + YEAR, COUNTERS - 1, 0))
    wall.now -= YEAR
    assert (clock.latest, clock.now()) == (NOW + YEAR + 1, NOW - YEAR)


def test_a_new_millisecond_starts_its_counter_in_the_lower_half():
    """RFC 9562, section 6.2, method 1: the highest bit is left for counting."""
    assert counter_of(HybridClock(Wall(), ones).mint()) == COUNTERS // 2 - 1
    assert counter_of(HybridClock(Wall(), zeros).mint()) == 0


def test_one_millisecond_counts():
    """While the wall stands still, the counter tells earlier from later."""
    clock = HybridClock(Wall(), zeros)
    minted = [clock.mint() for _ in range(5)]
    assert [time_of(id) for id in minted] == [NOW] * 5
    assert [counter_of(id) for id in minted] == [0, 1, 2, 3, 4]


def test_a_counter_that_runs_out_borrows_the_next_millisecond():
    """Time runs ahead of the wall rather than round, and the wall catches up with it."""
    wall = Wall()
    clock = HybridClock(wall, zeros)
    minted = [clock.mint() for _ in range(COUNTERS + 2)]
    assert minted == sorted(set(minted))
    assert [(time_of(id), counter_of(id)) for id in minted[-3:]] == [(NOW, COUNTERS - 1), (NOW + 1, 0), (NOW + 1, 1)]
    wall.now = NOW + 1
    assert clock.mint() > minted[-1]
    wall.now = NOW + 2
    assert time_of(clock.mint()) == NOW + 2


@pytest.mark.parametrize("jump", [0, -1, -1_000, -YEAR, -NOW, -2 * NOW], ids=str)
def test_a_wall_clock_that_stands_or_runs_backwards(jump: int):
    """Ids go on rising from the last one, by one count each, until the wall is ahead again."""
    wall = Wall()
    clock = HybridClock(wall, seeded())
    first = clock.mint()
    wall.now += jump
    second, third = clock.mint(), clock.mint()
    assert first < second < third
    assert time_of(third) == NOW
    wall.now = NOW + 1
    assert time_of(clock.mint()) == NOW + 1


def test_a_wall_clock_that_jumps_a_year_ahead_and_back():
    """What was minted in the wrong year stays below what is minted after it."""
    wall = Wall()
    clock = HybridClock(wall, seeded())
    before = clock.mint()
    wall.now = NOW + YEAR
    ahead = clock.mint()
    wall.now = NOW + 1
    back = clock.mint()
    assert before < ahead < back
    assert [time_of(id) for id in (before, ahead, back)] == [NOW, NOW + YEAR, NOW + YEAR]


@pytest.mark.parametrize("now", [-1, -(10**15)])
def test_a_wall_clock_before_1970_shows_1970(now: int):
    """No id has a negative time."""
    assert time_of(HybridClock(Wall(now), seeded()).mint()) == 0


@given(early_ids)
def test_whoever_saw_an_id_mints_above_it(seen: str):
    """The order of ids is the order of cause and effect, however far the one that was seen lies ahead."""
    clock = HybridClock(Wall(), seeded())
    first = clock.mint(after=seen)
    assert first > seen
    assert time_of(first) <= max(NOW, time_of(seen) + 1)
    assert clock.mint() > first


def test_an_id_of_the_past_does_not_hold_the_clock_back():
    """Having seen something old changes nothing."""
    old = make_id(NOW - YEAR, COUNTERS - 1, 0)
    assert HybridClock(Wall(), seeded()).mint(after=old) == HybridClock(Wall(), seeded()).mint()


def test_the_largest_counter_that_was_seen_borrows_too():
    """Above the last count of a millisecond there is only the next millisecond."""
    seen = make_id(NOW + YEAR, COUNTERS - 1, (1 << 62) - 1)
    after = HybridClock(Wall(), zeros).mint(after=seen)
    assert (time_of(after), counter_of(after)) == (NOW + YEAR + 1, 0)


def test_the_end_of_time_is_an_error_that_spoils_nothing():
    """Nothing can be minted above the last id there is, and having tried does not drag the clock to the end of time."""
    clock = HybridClock(Wall(), seeded())
    with pytest.raises(ValueError, match="10889"):
        clock.mint(after=LAST)
    assert clock.latest == -1
    assert time_of(clock.mint()) == NOW


def test_a_wall_clock_beyond_the_end_of_time_shows_the_end():
    """The last millisecond counts like any other, and then there is no more."""
    clock = HybridClock(Wall(MAX_MILLIS + YEAR), zeros)
    assert time_of(clock.mint()) == MAX_MILLIS
    clock.mint(after=make_id(MAX_MILLIS, COUNTERS - 2, 0))
    with pytest.raises(ValueError, match="10889"):
        clock.mint()


@given(
    st.lists(st.tuples(st.sampled_from([-YEAR, -1, 0, 1, 2, YEAR]), st.just(NIL) | early_ids), max_size=50),
    st.sampled_from([zeros, ones, seeded()]),
)
def test_minting_strictly_increases_whatever_happens(steps: list[tuple[int, str]], chance: Callable[[int], int]):
    """Whatever the wall shows and whatever was seen, each id is valid, new, and above all before it."""
    wall = Wall()
    clock = HybridClock(wall, chance)
    floor = NIL
    for jump, seen in steps:
        wall.now += jump
        minted = clock.mint(after=seen)
        assert is_id(minted)
        assert minted > max(floor, seen)
        floor = minted


def test_two_clocks_with_their_own_chance_do_not_collide():
    """In one millisecond of two replicas, 62 random bits keep ids apart."""
    one, other = (HybridClock(Wall(), seeded(seed)) for seed in (1, 2))
    minted = [clock.mint() for clock in (one, other) for _ in range(1_000)]
    assert len(set(minted)) == 2_000


# --- imports ------------------------------------------------------------------------------------------------------------------

moments = st.integers(-(1 << 60), 1 << 60)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.binary(max_size=30)


@given(moments, keys, st.none() | early_ids)
def test_an_import_that_is_run_again_mints_the_same_ids(at: int, key: str | bytes, after: str | None):
    """An id depends on the arguments alone, is valid, and lies above what it must follow."""
    id = id_for(at, key, after=after)
    assert id == id_for(at, key, after=after)
    assert is_id(id)
    assert after is None or id > after


def test_this_release_mints_what_every_release_must():
    """An import run by a later release finds what an earlier one has stored."""
    assert id_for(NOW, "news:1234@example.org") == "018bcfe5-6800-7524-aa40-0b1a05891e48"
    assert id_for(NOW, b"\x00\xff") == "018bcfe5-6800-716a-a53b-9e435d00f8e9"


def test_a_source_clock_that_ran_backwards_is_overruled():
    """With bare original times, 15 % of the replies of a Usenet archive would lie below their parent."""
    parent = id_for(NOW, "parent")
    reply = id_for(NOW - YEAR, "reply", after=parent)
    assert reply > parent
    assert (time_of(reply), counter_of(reply)) == (NOW, counter_of(parent) + 1)
    assert random_bits(reply) == random_bits(id_for(NOW - YEAR, "reply"))


def test_an_event_that_follows_itself_is_another_event():
    """Above means above, also when the source gives parent and reply one name and one time."""
    parent = id_for(NOW, "key")
    assert id_for(NOW, "key", after=parent) > parent


def test_a_source_time_above_the_parent_is_kept():
    """What needs no correction is not corrected."""
    parent = id_for(NOW, "parent")
    assert id_for(NOW + 5, "reply", after=parent) == id_for(NOW + 5, "reply")


@pytest.mark.parametrize(("at", "ms"), [(-1, 0), (-(10**18), 0), (0, 0), (MAX_MILLIS, MAX_MILLIS), (10**18, MAX_MILLIS)])
def test_times_beyond_what_an_id_holds_become_the_nearest(at: int, ms: int):
    """A source may say anything of the time; the original is kept in `CommentPosted.at`."""
    assert time_of(id_for(at, "key")) == ms


def test_nothing_can_be_imported_above_the_last_id():
    """The end of time is an error, not a wrap to 1970."""
    with pytest.raises(ValueError, match="10889"):
        id_for(NOW, "key", after=LAST)


@given(st.sets(keys.map(lambda key: key if isinstance(key, bytes) else key.encode()), min_size=2, max_size=30))
def test_different_keys_at_one_moment_are_different_events(keys: set[bytes]):
    """Chance is a hash of the key, so the many events of one millisecond stay apart."""
    assert len({id_for(NOW, key) for key in keys}) == len(keys)


def test_text_and_its_utf8_name_the_same_event():
    """A key may be given in either form."""
    assert id_for(NOW, "Grüße") == id_for(NOW, "Grüße".encode())
