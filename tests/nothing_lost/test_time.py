"""
Time: whatever the clocks do, ids rise within a thread, and who writes later, having seen what stands, wins.

Clocks are arguments here; no test waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Thread as PythonThread

import pytest

import threadstore
from threadstore import SUPPORT, Actor, Policy, StoredThread, TextQuote, ThreadStore, fold
from threadstore.errors import ClockSkew, MergeRefused
from threadstore.log.sqlite import SqliteLog
from threadstore.model.ids import MAX_MILLIS, time_of
from threadstore.views.types import CorrectionView

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "threadstore"
NOW = 1_700_000_000_000
SECOND, DAY, YEAR = 1_000, 86_400_000, 365 * 86_400_000
SKEW = Policy().max_clock_skew
COUNTERS = 1 << 12
ANN, EDITOR, MODERATOR = Actor("u-ann", "Ann Lee"), Actor("u-eve", "Eve", "editor"), Actor("u-mod", "Mo", "moderator")


class Wall:
    """A wall clock that shows what it is told."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def opened(wall: Wall, path: Path | None = None, *, random: Callable[[int], int] | None = None, **policy: int) -> ThreadStore:
    """Return a store on this clock: in memory, or on a file that others may have open, too."""
    log = SqliteLog.open(":memory:" if path is None else path, durability="off")
    return ThreadStore(log, policy=Policy(**policy), now=wall, random=random or Random(0).getrandbits)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "comments.db"


# --- every register that the latest writer wins -------------------------------------------------------------------------------


class Said:
    """A conversation, and a way to write each of its registers in which the largest id wins, and a mark with its cancel."""

    def __init__(self, article: StoredThread) -> None:
        self.comment = article.post("first", by=ANN)
        self.held = article.post("second", by=ANN)
        self.correction = article.suggest_correction(TextQuote("teh"), "the", by=ANN)
        self.count = 0

    def write(self, article: StoredThread) -> list[str]:
        """Write each register in turn, check that each write is what stands now, and return the ids."""
        self.count += 1
        word = f"word {self.count}"
        return [
            self._edit(article, ANN, word),
            self._edit(article, MODERATOR, f"{word} moderated"),
            self._react(article),
            self._decide(article),
            self._describe(article, word),
            *self._hold(article),
        ]

    def _edit(self, article: StoredThread, by: Actor, body: str) -> str:
        seen = article.comment(self.comment).text_id
        id = article.edit(self.comment, body, by=by, seen=seen)
        shown = article.comment(self.comment)
        assert (shown.body, shown.text_id) == (body, id)
        return id

    def _react(self, article: StoredThread) -> str:
        given = article.comment(self.comment).reactions.get(SUPPORT, 0)
        id = (article.unreact if given else article.react)(self.comment, by="u-bob")
        assert article.comment(self.comment).reactions.get(SUPPORT, 0) == 1 - given
        return id

    def _decide(self, article: StoredThread) -> str:
        before = self._correction(article)
        outcome = "declined" if before.state == "accepted" else "accepted"
        id = article.decide_correction(self.correction, outcome, by=EDITOR)
        assert self._correction(article).state == outcome
        return id

    def _correction(self, article: StoredThread) -> CorrectionView:
        return next(correction for correction in article.corrections() if correction.id == self.correction)

    def _describe(self, article: StoredThread, title: str) -> str:
        id = article.describe(title=title, by=EDITOR)
        assert article.view().title == title
        return id

    def _hold(self, article: StoredThread) -> list[str]:
        held = article.hold(self.held, by=MODERATOR)
        shown = article.comment(self.held, reader=MODERATOR)
        assert shown.flags == ("held",)
        approved = article.approve(self.held, by=MODERATOR, seen=shown.text_id, cancels=shown.marks["held"])
        assert article.comment(self.held).flags == ()
        return [held, approved]


def is_rising(ids: list[str]) -> bool:
    return all(one < other for one, other in pairwise(ids))


def ids_of(store: ThreadStore, key: str = "t") -> list[str]:
    return [record.event.id for record in store.log.read(key)]


# --- jumps --------------------------------------------------------------------------------------------------------------------

JUMPS = (-YEAR, -DAY, -SECOND, -1, 0, 0, 1, SECOND, DAY, YEAR)


def test_a_clock_may_jump_both_ways_between_writes(scale):
    """After each jump every register takes what is written last, and the ids of the thread go on rising."""
    seed = Random().randrange(1 << 30)
    random = Random(seed)
    wall = Wall(NOW + 40 * YEAR)
    store = opened(wall)
    article = store.thread("t")
    jumps = scale(60, 3_000)
    for jump in range(jumps):
        if jump % 30 == 0:
            said = Said(article)
        wall.now += random.choice(JUMPS)
        assert is_rising(said.write(article)), f"seed {seed}"
    assert is_rising(ids_of(store)), f"seed {seed}"
    assert fold(store.export()).digest() == article.digest()
    scale.figure("jumps", jumps)
    scale.figure("events", store.log.position())


def test_a_clock_may_jump_while_a_command_is_decided():
    """A clock that shows something else at each look costs no write and no order."""
    random = Random(7)
    store = opened(lambda: NOW + random.choice(JUMPS))
    said = Said(store.thread("t"))
    for _ in range(20):
        said.write(store.thread("t"))
    assert is_rising(ids_of(store))


@pytest.mark.parametrize("ahead", [SECOND, DAY, YEAR], ids=["a second", "a day", "a year"])
def test_two_stores_on_one_file_with_clocks_apart(file, ahead):
    """Whoever writes later wins, whichever clock is ahead; the thread's ids rise, and only its own ids are hurried."""
    one, other = opened(Wall(), file), opened(Wall(NOW - ahead), file)
    said = Said(one.thread("t"))
    for store in (one, other, other, one, other):
        said.write(store.thread("t"))
    assert is_rising(ids_of(one))
    assert one.thread("t").digest() == other.thread("t").digest()
    own = other.thread("elsewhere").post("by my clock", by=ANN)
    assert time_of(own) <= NOW - ahead + (0 if ahead > SKEW else ahead)
    one.close()
    other.close()


# --- standing still, and running out ------------------------------------------------------------------------------------------


def test_a_clock_may_stand_still(scale):
    """Ten thousand comments within a millisecond are in the order in which they were posted, a few milliseconds ahead at most."""
    posts = scale(10_000, 200_000)
    store = opened(Wall())
    posted = [store.thread("t").post(f"{number}", by=ANN) for number in range(posts)]
    assert is_rising(posted)
    assert ids_of(store) == posted
    assert time_of(posted[-1]) - NOW <= posts // COUNTERS + 1
    assert [comment.body for comment in store.thread("t").view(order="newest", limit=2).comments] == [
        f"{posts - 1}",
        f"{posts - 2}",
    ]
    scale.figure("posts in a millisecond", posts)


def test_a_counter_that_runs_out_borrows(scale):
    """With the least of chance, each millisecond gives its last id, and then the next millisecond begins."""
    store = opened(Wall(), random=lambda bits: (1 << bits) - 1)
    posted = [store.thread("t").post(f"{number}", by=ANN) for number in range(COUNTERS)]
    assert is_rising(posted)
    assert {time_of(id) for id in posted} == {NOW, NOW + 1}
    assert f"-7{COUNTERS - 1:03x}-" in max(id for id in posted if time_of(id) == NOW)


def test_the_end_of_time_is_an_error_that_stores_nothing():
    """A clock at the end of what ids can say writes its last, and then complains; a corrected one writes elsewhere."""
    wall = Wall(MAX_MILLIS)
    store = opened(wall, random=lambda bits: (1 << bits) - 1)
    held = COUNTERS // 2 + 1  # as many as the last millisecond has room for
    for number in range(held):
        store.thread("t").post(f"{number}", by=ANN)
    with pytest.raises(ValueError, match="10889"):
        store.thread("t").post("one too many", by=ANN)
    wall.now = NOW
    with pytest.raises(ValueError, match="10889"):
        store.thread("t").post("above the last id", by=ANN)
    assert time_of(store.thread("elsewhere").post("back in time", by=ANN)) == NOW
    assert store.log.position() == held + 1


# --- a year ahead, then corrected ---------------------------------------------------------------------------------------------


@pytest.fixture
def corrected() -> Iterator[tuple[ThreadStore, Said, Wall]]:
    """Give a store whose clock was a year ahead for a while, and is right again."""
    wall = Wall()
    store = opened(wall)
    store.thread("calm").post("never ahead", by=ANN)
    said = Said(store.thread("t"))
    wall.now = NOW + YEAR
    said.write(store.thread("t"))
    wall.now = NOW + SECOND
    return store, said, wall


def test_what_is_written_after_a_correction_wins(corrected):
    """In the thread that has ids of the wrong year, later writes are numbered above them, so the later honest write wins."""
    store, said, _ = corrected
    wrong = ids_of(store)[-1]
    later = [id for _ in range(3) for id in said.write(store.thread("t"))]
    assert is_rising(ids_of(store))
    assert time_of(wrong) == time_of(later[-1]) == NOW + YEAR


def test_a_correction_is_for_all_other_threads_at_once(corrected):
    """Only the thread that has ids of the wrong year goes on there, though one clock serves all, and in either order."""
    store, said, _ = corrected
    for key in ("calm", "new"):
        assert time_of(store.thread(key).post("on time", by=ANN)) == NOW + SECOND
        said.write(store.thread("t"))
        assert time_of(store.thread(key).post("still on time", by=ANN)) <= NOW + SECOND + 1


def test_other_replicas_refuse_the_wrong_year_and_say_until_when(corrected):
    """What was written in the wrong year waits at the door, by name and with a time; all else is let in and works."""
    store, _, _ = corrected
    replica = opened(Wall(NOW + SECOND))
    events = list(store.export())
    wrong = [event for event in events if time_of(event.id) > NOW + DAY]
    with pytest.raises(MergeRefused) as caught:
        replica.merge(events)
    assert 0 < len(wrong) < len(events)
    assert caught.value.new == len(events) - len(wrong)
    assert [(id, type(why), why.retry_at) for id, why in caught.value.refused] == [
        (event.id, ClockSkew, time_of(event.id) - SKEW) for event in wrong
    ]
    assert time_of(replica.thread("t").post("here it is now", by=ANN)) <= NOW + SECOND + 1
    assert [comment.body for comment in replica.thread("t").view().comments] == ["first", "second", "here it is now"]


# --- replicas apart -----------------------------------------------------------------------------------------------------------


def test_a_replica_a_day_ahead_is_let_in_when_its_time_has_come():
    """Its events are refused up to the moment that the refusal names, and taken at that moment."""
    ahead, wall = opened(Wall(NOW + DAY)), Wall()
    here = opened(wall)
    id = ahead.thread("t").post("from tomorrow", by=ANN)
    with pytest.raises(MergeRefused) as caught:
        here.merge(ahead.export())
    [(refused, why)] = caught.value.refused
    assert (refused, why.retry_at) == (id, NOW + DAY - SKEW)
    wall.now = why.retry_at - 1
    with pytest.raises(MergeRefused):
        here.merge(ahead.export())
    assert list(here.threads()) == []
    wall.now = why.retry_at
    assert here.merge(ahead.export()) == 1
    assert here.thread("t").digest() == ahead.thread("t").digest()


def test_replicas_a_day_apart_that_allow_for_it():
    """Where policy allows a day, each takes the other's events, the later write that has seen the other wins, and they agree."""
    stores = [opened(Wall(now), max_clock_skew=2 * DAY, random=Random(now).getrandbits) for now in (NOW + DAY, NOW)]
    said = Said(stores[0].thread("t"))
    for turn in range(6):
        writer, other = stores[turn % 2], stores[1 - turn % 2]
        writer.merge(other.export())
        said.write(writer.thread("t"))
        other.merge(writer.export())
        assert writer.thread("t").digest() == other.thread("t").digest()
        for store in stores:
            assert store.thread("t").comment(said.comment).body == f"word {said.count} moderated"
    assert is_rising(ids_of(stores[0]))
    elsewhere = stores[1].thread("elsewhere").post("by my own clock", by=ANN)
    assert time_of(elsewhere) <= NOW + DAY + 1


def test_an_id_from_ahead_can_not_be_brought_in_by_a_command():
    """A caller's own id is judged by the same clock as a replica's, and by the same moment."""
    wall = Wall()
    store = opened(wall)
    id = threadstore.id_for(NOW + DAY, "from tomorrow")
    with pytest.raises(ClockSkew) as caught:
        store.thread("t").post("too early", by=ANN, id=id)
    wall.now = caught.value.retry_at - 1
    with pytest.raises(ClockSkew):
        store.thread("t").post("too early", by=ANN, id=id)
    wall.now = caught.value.retry_at
    assert store.thread("t").post("in time", by=ANN, id=id) == id


# --- one clock, many threads --------------------------------------------------------------------------------------------------


def test_one_clock_serves_many_threads(scale):
    """Eight Python threads post at once: no id is given twice, even without chance, and in every thread they rise."""
    posts, workers = scale(150, 1_000), 8

    def yielding(_bits: int) -> int:
        time.sleep(0)  # lets another thread run in the middle of minting
        return 0

    store = opened(Wall(), random=yielding)
    minted: list[dict[str, list[str]]] = [{"a": [], "b": [], "c": []} for _ in range(workers)]

    def work(mine: dict[str, list[str]]) -> None:
        for number in range(posts):
            for key, ids in mine.items():
                ids.append(store.thread(key).post(f"{number}", by=ANN))

    threads = [PythonThread(target=work, args=(mine,)) for mine in minted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [id for mine in minted for ids in mine.values() for id in ids]
    assert len(everything) == len(set(everything)) == workers * posts * 3 == store.log.position()
    assert all(is_rising(ids) for mine in minted for ids in mine.values())
    assert all(is_rising(ids_of(store, key)) for key in ("a", "b", "c"))
    scale.figure("ids minted by 8 threads", len(everything))
