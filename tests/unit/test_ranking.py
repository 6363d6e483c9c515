"""Which comment comes first, in every order."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from threadstore.model.ids import MAX_MILLIS, id_for, make_id
from threadstore.model.ranking import _GUESSED, ORDERS, Order, Votes, _cube_root, heat, key, longest_age

HOUR = 3_600_000
NOW = 1_700_000_000_000
MANY = 10**9
BY_VOTES: tuple[Order, ...] = ("top", "best", "hot")


def votes(n: int = 1, up: int = 0, down: int = 0, *, age: int = 0, activity: int | None = None) -> Votes:
    """Return the votes of comment *n*, posted *age* ms ago; the numbers order comments of one moment."""
    id = make_id(NOW - age, n, 0)
    return Votes(id, up, down, id if activity is None else make_id(NOW, activity, 0))


def page(order: Order, *comments: Votes, now: int = NOW) -> list[int]:
    """Return the places of *comments* on a page, as the numbers under which they were given."""
    return sorted(range(len(comments)), key=lambda i: key(order, comments[i], now=now))


def first(order: Order, comment: Votes, *, now: int = NOW) -> int:
    """Return the number that a key begins with."""
    number = key(order, comment, now=now)[0]
    assert isinstance(number, int)
    return number


counts = st.integers(0, 50) | st.integers(0, MANY)
ages = st.integers(0, 48 * HOUR) | st.integers(0, NOW)
tallies = st.builds(
    lambda n, up, down, age, activity: votes(n, up, down, age=age, activity=activity),
    st.integers(0, 4_095),
    st.integers(0, 3) | counts,
    st.integers(0, 3) | counts,
    st.integers(0, 2).map(lambda hours: hours * HOUR) | ages,
    st.none() | st.integers(0, 4_095),
)
orders = st.sampled_from(ORDERS)


# --- each order, by example -----------------------------------------------------------------------------------------------


def test_oldest_and_newest_are_each_other_reversed():
    """Ids ascend in the one and descend in the other."""
    comments = votes(1, age=3), votes(1, age=2), votes(2, age=2)
    assert page("oldest", *comments) == [0, 1, 2]
    assert page("newest", *comments) == [2, 1, 0]


def test_top_goes_by_votes_for_alone():
    """Most votes first, whatever was said against; of equals the oldest first."""
    assert page("top", votes(1, 1), votes(2, 7, 9), votes(3, 7), votes(4, 0)) == [1, 2, 0, 3]


def test_best_weighs_how_sure_the_votes_make_us():
    """Neither the difference nor the share decides: both examples are Evan Miller's."""
    assert page("best", votes(1, 5_500, 4_500), votes(2, 600, 400)) == [1, 0]
    assert page("best", votes(1, 2, 0), votes(2, 100, 1)) == [1, 0]


def test_active_goes_by_the_latest_word_below():
    """A late reply brings an old comment to the top; a comment without any counts from its own time."""
    assert page("active", votes(1, activity=4), votes(2), votes(3)) == [0, 2, 1]


def test_controversial_wants_many_votes_evenly_split():
    """An even split beats a lopsided one, more votes beat fewer, and whoever is not contradicted comes last."""
    comments = votes(1, 90, 10), votes(2, 50, 50), votes(3, 5, 5), votes(4, 900, 0), votes(5, 0, 900)
    assert page("controversial", *comments) == [1, 0, 2, 3, 4]


def test_hot_takes_both_votes_and_time():
    """Half a day cools by 7 ** 1.5 = 18.52: two points now are worth a little more than 37 points then."""
    fresh, liked, cold = votes(1, 1), votes(2, 37, age=12 * HOUR), votes(3, 36, age=12 * HOUR)
    assert page("hot", fresh, liked, cold) == [1, 0, 2]


def test_hot_cools_down():
    """What leads for being fresh is behind a day later, when votes are what is left: hot depends on now."""
    old, new = votes(1, 1, age=9 * HOUR), votes(2, 0, age=4 * HOUR)
    assert page("hot", old, new, now=NOW) == [1, 0]
    assert page("hot", old, new, now=NOW + 24 * HOUR) == [0, 1]


@pytest.mark.parametrize("order", ORDERS)
def test_only_hot_looks_at_the_clock(order: Order):
    """In every other order a page of an unchanged thread stays as it is."""
    comment = votes(1, 5, 3)
    assert (key(order, comment, now=NOW) == key(order, comment, now=NOW + HOUR)) == (order != "hot")


@pytest.mark.parametrize("order", ["", "Top", "random", "-id"])
def test_an_unknown_order_is_refused(order: str):
    """The error names what there is to choose from."""
    with pytest.raises(ValueError, match="oldest, newest, top, best, hot, active, controversial, not '" + order):
        key(order, votes(), now=NOW)  # type: ignore[arg-type]


# --- exactness --------------------------------------------------------------------------------------------------------------


def lies_below(share: Fraction, up: int, down: int) -> bool:
    """Return whether *share* is at most the textbook's lower bound, by squaring instead of drawing a root."""
    n, z = up + down, Fraction(196, 100)
    p = Fraction(up, n)
    middle, variance, scale = p + z**2 / (2 * n), p * (1 - p) / n + z**2 / (4 * n**2), 1 + z**2 / n
    rest = middle - share * scale
    return rest >= 0 and z**2 * variance <= rest**2


@given(up=counts, down=counts)
@example(up=MANY, down=MANY)
@example(up=MANY, down=0)
@example(up=1, down=MANY)
@example(up=287, down=647)  # the only pair below 1,500 votes where rounding the root down instead of up shows
def test_best_is_the_wilson_bound_to_the_last_bit(up: int, down: int):
    """The key is the textbook's bound, rounded down to 40 binary digits: it lies below it, and the next number does not."""
    rank = -first("best", votes(1, up, down))
    if up == 0:
        assert rank == 0
    else:
        assert lies_below(Fraction(rank, 2**40), up, down)
        assert not lies_below(Fraction(rank + 1, 2**40), up, down)


@given(up=st.integers(1, 1_000), down=st.integers(0, 1_000))
def test_best_is_what_floats_say(up: int, down: int):
    """The formula as everybody writes it gives the same, as far as floats go."""
    n, z = up + down, 1.96
    p = up / n
    bound = (p + z * z / (2 * n) - z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5) / (1 + z * z / n)
    assert -first("best", votes(1, up, down)) / 2**40 == pytest.approx(bound, abs=1e-9)


@given(up=counts, down=counts, age=ages)
@example(up=MANY, down=0, age=0)
@example(up=MANY, down=0, age=NOW)
def test_hot_is_its_formula_to_the_last_bit(up: int, down: int, age: int):
    """The key is score / (hours + 2) ** 1.5, rounded down to 34 binary digits; compared as squares, so without a root."""
    rank = -first("hot", votes(0, up, down, age=age))
    square = Fraction(max(up - down + 1, 0) ** 2 * 2**68) / (Fraction(age, HOUR) + 2) ** 3
    assert rank**2 <= square < (rank + 1) ** 2


@given(up=counts, down=counts)
def test_controversial_is_its_formula_to_the_last_bit(up: int, down: int):
    """The key is (up + down) * min / max, rounded down to 32 binary digits, and nothing when one side is silent."""
    exact = Fraction((up + down) * min(up, down), max(up, down)) if up and down else Fraction(0)
    assert -first("controversial", votes(1, up, down)) == exact * 2**32 // 1


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("up", "down"), [(0, 0), (MANY, 0), (0, MANY), (MANY, MANY), (MANY, MANY - 1)])
@pytest.mark.parametrize("now", [0, NOW, MAX_MILLIS, 10**30])
def test_keys_travel(order: Order, up: int, down: int, now: int):
    """At every extreme a key goes through MessagePack, whose integers have 64 bits, and comes back equal."""
    made = key(order, votes(1, up, down), now=now)
    assert all(-(2**63) <= part < 2**63 for part in made if isinstance(part, int))
    assert tuple(msgspec.msgpack.decode(msgspec.msgpack.encode(made))) == made


# --- laws -------------------------------------------------------------------------------------------------------------------


@given(order=orders, one=tallies, other=tallies, now=st.integers(0, 2 * NOW))
def test_keys_are_a_total_order(order: Order, one: Votes, other: Votes, now: int):
    """A key ends in the id, keys of one order compare, and only equal ids make equal keys."""
    one_key, other_key = key(order, one, now=now), key(order, other, now=now)
    assert one_key[-1] == one.id
    assert [type(part) for part in one_key] == [type(part) for part in other_key]
    if one.id != other.id:
        assert (one_key < other_key) != (other_key < one_key)


@given(order=st.sampled_from(BY_VOTES), comment=tallies, more=st.integers(1, 5))
def test_a_vote_for_never_lowers(order: Order, comment: Votes, more: int):
    """More votes for a comment leave it where it is or lift it."""
    assert key(order, comment._replace(up=comment.up + more), now=NOW) <= key(order, comment, now=NOW)


@given(order=st.sampled_from(BY_VOTES), comment=tallies, more=st.integers(1, 5))
def test_a_vote_against_never_lifts(order: Order, comment: Votes, more: int):
    """More votes against a comment leave it where it is or lower it."""
    assert key(order, comment._replace(down=comment.down + more), now=NOW) >= key(order, comment, now=NOW)


@given(comment=tallies, more=st.integers(1, 5))
def test_controversy_does_not_take_sides(comment: Votes, more: int):
    """Votes for and against may change places, and votes for the weaker side never lower a comment."""
    up, down = sorted((comment.up, comment.down))
    rank = first("controversial", comment)
    assert rank == first("controversial", comment._replace(up=comment.down, down=comment.up))
    assert first("controversial", comment._replace(up=min(up + more, down), down=down)) <= rank


@given(order=st.sampled_from(("top", "best", "controversial")), one=tallies, other=tallies)
def test_equals_stand_oldest_first(order: Order, one: Votes, other: Votes):
    """With equal votes the smaller id comes first."""
    other = other._replace(up=one.up, down=one.down)
    assert (key(order, one, now=NOW) < key(order, other, now=NOW)) == (one.id < other.id)


@given(one=tallies, other=tallies, later=st.integers(0, NOW))
def test_of_equals_the_newer_is_hotter(one: Votes, other: Votes, later: int):
    """With equal votes the larger id comes first, even where both are too cold for their heat to differ."""
    other = other._replace(up=one.up, down=one.down)
    assert (key("hot", one, now=NOW + later) < key("hot", other, now=NOW + later)) == (one.id > other.id)


@given(comment=tallies, later=st.integers(1, 100 * HOUR))
def test_heat_never_rises(comment: Votes, later: int):
    """Time alone makes no comment hotter."""
    assert first("hot", comment, now=NOW + later) >= first("hot", comment)


@given(score=st.integers(-3, 5) | counts, age=ages, more=st.integers(0, 2))
def test_the_longest_age_is_the_last_at_which_it_is_as_hot(score: int, age: int, more: int):
    """At that age a comment is at least as hot, and no longer; what nobody likes never is, nor what is hotter than at first."""
    wanted = heat(score, age) + more
    if wanted > 0:
        longest = longest_age(score, wanted)
        assert longest is None or heat(score, longest) >= wanted > heat(score, longest + 1)
        assert (longest is None) == (heat(score, 0) < wanted)


@given(up=counts, ahead=st.integers(1, 300_000))
def test_a_fast_clock_does_not_jump_the_queue(up: int, ahead: int):
    """An id from the future is as hot as one of this moment and no hotter: one more vote is still more."""
    future, present = votes(1, up, age=-ahead), votes(1, up)
    assert first("hot", future) == first("hot", present)
    assert page("hot", future, present._replace(up=up + 1)) == [1, 0]


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_asking_does_not_matter(order: Order):
    """However the comments are given, the page is the same."""
    comments = [votes(n, up, down, age=n * HOUR) for n, (up, down) in enumerate([(0, 0), (2, 1), (2, 1), (9, 9), (0, 5)])]
    pages = {tuple(sorted(some, key=lambda comment: key(order, comment, now=NOW))) for some in permutations(comments)}
    assert len(pages) == 1


def test_minted_ids_rank():
    """Ids of imports carry their time like any other."""
    early, late = (Votes(id, 0, 0, id) for id in (id_for(NOW - HOUR, "a"), id_for(NOW, "b")))
    assert page("hot", early, late) == [1, 0]


@pytest.mark.parametrize("root", [1, 2, 3, 10**5, 2**26 - 1, 208_063, 10**15 - 1, 10**15, 10**15 + 1, 10**18 + 9, 10**40, 3**70])
def test_cube_roots_are_exact(root: int):
    """The whole part of a cube root is exact beside each cube, where a float guesses it and where the number is too large."""
    assert [_cube_root(root**3 + more) for more in (0, 1)] == [root, root]
    assert root == 1 or _cube_root(root**3 - 1) == root - 1
    assert _cube_root((root + 1) ** 3 - 1) == root


@given(number=st.integers(1, _GUESSED * 1_000))
def test_any_cube_root_is_exact(number: int):
    """It is the largest whole number whose cube is at most the number."""
    root = _cube_root(number)
    assert root**3 <= number < (root + 1) ** 3
