"""Sorted lists in runs hold what a sorted list would hold, whatever comes and goes."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from operator import neg
from random import Random

import pytest

from threadstore import runs
from threadstore.runs import Pairs, Ranks, Runs


@pytest.fixture(params=[2, 5, runs._FULL])
def full(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how long a run may become: so short that all is cut often, or as long as it is."""
    monkeypatch.setattr(runs, "_FULL", request.param)
    return request.param


class Scored:
    """Numbers, each with a score by which they stand in order; some are gone."""

    def __init__(self) -> None:
        self.score: dict[int, int] = {}
        self.gone: set[int] = set()

    def key(self, number: int) -> tuple[int, int]:
        return self.score[number], number

    def is_here(self, number: int) -> bool:
        return number not in self.gone

    def in_order(self) -> list[int]:
        return sorted((number for number in self.score if self.is_here(number)), key=self.key)

    def listed(self) -> Runs:
        return Runs(array("I", self.in_order()), self.key, self.is_here)


def change(scored: Scored, listed: Runs, random: Random) -> None:
    """Let something come, go, come again or stand elsewhere; sometimes more than once before anybody looks."""
    number = random.choice([len(scored.score), random.randrange(len(scored.score) + 1)])
    if number == len(scored.score):
        scored.score[number] = random.randrange(6)
        listed.note(number)
        return
    if number in scored.gone:
        return
    listed.touch(number)
    if random.random() < 0.3:
        scored.gone.add(number)
    else:
        scored.score[number] = random.randrange(6)


@pytest.mark.parametrize("seed", range(6))
def test_runs_hold_what_a_sorted_list_holds(full: int, seed: int):
    """In its order, from wherever one asks on, and they know how many that is."""
    random, scored = Random(f"runs {seed}"), Scored()
    scored.score = {number: random.randrange(6) for number in range(random.choice([0, 1, 40]))}
    listed = scored.listed()
    for _ in range(200):
        for _ in range(random.choice([0, 1, 1, 5])):
            change(scored, listed, random)
        wanted = scored.in_order()
        everything, count = listed.behind(None)
        assert (list(everything), count) == (wanted, len(wanted))
        after = (random.randrange(-1, 7), random.randrange(50))
        start = bisect_right(wanted, after, key=scored.key)
        some, count = listed.behind(after)
        assert (list(some), count) == (wanted[start:], len(wanted) - start)


def test_runs_may_be_asked_otherwise(full: int):
    """Whatever divides the list in two may be asked for, without a key."""
    listed = Runs(array("I", range(9, -1, -1)), neg, lambda number: True)
    for most in range(-1, 11):
        found, count = listed.since(lambda number, most=most: number <= most)  # type: ignore[misc]
        assert (list(found), count) == (list(range(min(most, 9), -1, -1)), min(most, 9) + 1)


def test_many_run_on(full: int):
    """Thousands that come one by one at the end, and in the middle, are cut into runs."""
    scored = Scored()
    listed = scored.listed()
    for number in range(4_500):
        scored.score[number] = -(number % 2)
        listed.note(number)
    assert list(listed.behind(None)[0]) == scored.in_order()
    assert max(map(len, listed._runs)) <= runs._FULL
    assert len(listed._runs) > 2


def test_what_came_and_went_before_anybody_looked_is_not_there(full: int):
    """It never was in a run, so nothing is looked for that could be taken out."""
    scored = Scored()
    listed = scored.listed()
    scored.score[0] = 3
    listed.note(0)
    listed.touch(0)
    scored.gone.add(0)
    assert list(listed.behind(None)[0]) == []
    assert list(listed.behind((0, 0))[0]) == []


@pytest.mark.parametrize("seed", range(6))
def test_ranks_hold_what_a_sorted_list_holds(full: int, seed: int):
    """Whatever comes and goes, from both ends, from wherever one asks on."""
    random = Random(f"ranks {seed}")
    wanted = sorted(random.sample(range(60), random.choice([0, 1, 40])))
    ranks = Ranks(array("I", wanted))
    for _ in range(400):
        rank = random.randrange(60)
        if rank in wanted:
            wanted.remove(rank)
            ranks.drop(rank)
        else:
            wanted = sorted([*wanted, rank])
            ranks.add(rank)
        bound = random.randrange(-1, 62) + random.choice([0, 0.5])
        above, many = ranks.since(bound)
        below, few = ranks.before(bound)
        assert (list(above), list(below)) == ([r for r in wanted if r > bound], [r for r in wanted[::-1] if r < bound])
        assert (many, few) == (sum(r > bound for r in wanted), sum(r < bound for r in wanted))
        everything, count = ranks.before(None)
        assert (list(ranks), list(everything), count, len(ranks)) == (wanted, wanted[::-1], len(wanted), len(wanted))
        assert not wanted or ranks.last == wanted[-1]


def test_many_ranks_run_on(full: int):
    """Thousands that come in any order are cut into runs."""
    numbers = list(range(4_500))
    Random(1).shuffle(numbers)
    ranks = Ranks(array("I"))
    for number in numbers:
        ranks.add(number)
    assert list(ranks) == list(range(4_500))
    assert max(map(len, ranks._runs)) <= runs._FULL


@pytest.mark.parametrize("seed", range(6))
def test_pairs_hold_what_a_sorted_mapping_holds(full: int, seed: int):
    """Whatever is put, put again and dropped."""
    random = Random(f"pairs {seed}")
    wanted = {random.randrange(60) << 58: random.randrange(1 << 32) for _ in range(random.choice([0, 1, 40]))}
    pairs = Pairs(array("Q", sorted(wanted)), array("I", (wanted[key] for key in sorted(wanted))))
    for _ in range(400):
        key = random.randrange(60) << 58
        if key in wanted and random.random() < 0.6:
            del wanted[key]
            pairs.drop(key)
        else:
            wanted[key] = random.randrange(1 << 32)
            pairs.put(key, wanted[key])
        low, high = sorted(random.randrange(62) << 58 for _ in range(2))
        assert list(pairs.items()) == sorted(wanted.items())
        assert list(pairs.between(low, high)) == sorted((key, wanted[key]) for key in wanted if low <= key < high)
        assert [pairs.get(number << 58) for number in range(60)] == [wanted.get(number << 58) for number in range(60)]
        assert (len(pairs), pairs.nbytes) == (len(wanted), 12 * len(wanted))


def test_many_pairs_run_on(full: int):
    """Thousands that come in any order are cut into runs, and go again to the last."""
    keys = list(range(4_500))
    Random(1).shuffle(keys)
    pairs = Pairs(array("Q"), array("I"))
    for key in keys:
        pairs.put(key, key + 1)
    assert list(pairs.items()) == [(key, key + 1) for key in range(4_500)]
    assert max(map(len, pairs._keys)) <= runs._FULL
    assert list(pairs.between(1_990, 2_010)) == [(key, key + 1) for key in range(1_990, 2_010)]
    for key in keys:
        pairs.drop(key)
    assert (len(pairs), list(pairs.between(0, 9))) == (0, [])
