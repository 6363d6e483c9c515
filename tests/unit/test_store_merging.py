"""Stores take in what others hold, and say what they refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

import threadstore
from threadstore import (
    ClockSkew,
    CommentEdited,
    CommentErased,
    CommentPosted,
    ConflictingEvent,
    MergeRefused,
    PersonErased,
    Policy,
    StoredThread,
    TextQuote,
    ThreadStore,
    UnknownEvent,
    fold,
)
from threadstore.log.sqlite import SqliteLog
from threadstore.model.ids import make_id, time_of
from threadstore.testing.given import (
    ANN,
    BOB,
    EPOCH,
    MODERATOR,
    THREAD,
    erased,
    id_of,
    moment,
    person_erased,
    posted,
    reacted,
)
from threadstore.testing.places import Place
from threadstore.testing.stored import agree

SKEW = Policy().max_clock_skew
YEAR = 365 * 24 * 3_600_000


def bodies(thread: StoredThread, **reading: object) -> list[str | None]:
    """Return what stands on the first page, the top level alone."""
    return [comment.body for comment in thread.view(**reading).comments]


def fresh_id(number: int, ms: int = EPOCH) -> str:
    """Return an id as a careful client makes it."""
    return make_id(ms, 0, number)


STORY = (
    posted(1),
    posted(2, to=1, by=BOB),
    reacted(3, 1),
    replace(posted(4), thread="another"),
    UnknownEvent(id=id_of(5), thread=THREAD, actor=ANN, kind="poll.opened", schema=1, extra=(b"\x07",)),
)


@pytest.fixture
def later(place: Place) -> Place:
    """Return a place whose clock is past what other replicas wrote."""
    place.wall.ms = moment(10_000)
    return place


def test_a_merge_takes_in_what_is_new(later: Place):
    """Any iterable of events of any threads is taken in, and the answer is how many were new."""
    store = later.open()
    assert store.merge(iter(STORY)) == 5
    assert store.merge(STORY) == 0
    assert store.merge([*STORY, *STORY, posted(6)]) == 1
    assert store.merge([]) == 0
    assert store.thread(THREAD).counts().total == 3
    assert store.thread("another").counts().total == 1
    assert set(store.export()) == {*STORY, posted(6)}


def test_a_replica_shows_what_the_original_shows(later: Place):
    """What one store exports another takes in, in any order: both have the same digests and pages."""
    original = later.open()
    original.merge(STORY)
    article = original.thread(THREAD)
    article.remove(id_of(2), by=MODERATOR, reason="rude")
    article.pin(id_of(1), by=MODERATOR)
    article.suggest_correction(TextQuote("teh"), "the", by=BOB)
    replica = ThreadStore(SqliteLog.open(":memory:"), now=later.wall)
    replica.merge(reversed(list(original.export())))
    for key in original.threads():
        mine, theirs = replica.thread(key), original.thread(key)
        assert mine.digest() == theirs.digest()
        for reader in (None, MODERATOR, BOB):
            assert replace(mine.view(reader=reader), revision=0) == replace(theirs.view(reader=reader), revision=0)
            assert mine.corrections(reader=reader) == theirs.corrections(reader=reader)


def test_a_merge_is_stored_while_it_streams(later: Place):
    """A stream is taken in by batches: what came before it broke off is stored, and it may be sent again."""

    def stream(breaks_off: bool) -> Iterator[CommentPosted]:
        for number in range(1, 10_003):
            yield posted(number)
        if breaks_off:
            raise ConnectionError

    later.wall.ms = moment(10_100)
    store = later.open()
    with pytest.raises(ConnectionError):
        store.merge(stream(breaks_off=True))
    assert store.log.position() == 10_000
    assert store.merge(stream(breaks_off=False)) == 2


def test_what_is_no_event_is_not_merged(store: ThreadStore):
    """A dict, or a base that no event is made of, is misuse."""
    for stranger in ({"type": "comment.posted"}, threadstore.Event(id=id_of(1), thread=THREAD)):
        with pytest.raises(TypeError, match="event is needed"):
            store.merge([stranger])


def test_a_conflict_is_refused_and_all_else_is_stored(later: Place):
    """Another fact under a known id, in any thread, is named; whatever stood beside it in the batch is stored."""
    store = later.open()
    store.merge([posted(1), posted(2)])
    forged = [posted(1, "forged"), replace(posted(2), thread="another")]
    twins = [posted(50), posted(50, "another w50")]
    with pytest.raises(MergeRefused) as refusal:
        store.merge([posted(3), *forged, *twins, *(posted(number) for number in range(4, 20))])
    assert refusal.value.new == 18
    refused = {id: type(error) for id, error in refusal.value.refused}
    assert refused == {id_of(1): ConflictingEvent, id_of(2): ConflictingEvent, id_of(50): ConflictingEvent}
    assert store.thread(THREAD).counts().total == 20
    assert store.thread(THREAD).comment(id_of(1)).body == "w1"
    assert store.thread("another").counts().total == 0


def test_the_future_is_refused_until_its_time_has_come(place: Place):
    """An event from further ahead than clocks may differ is named with the moment at which it is welcome, and is then."""
    store = place.open()
    ahead = replace(posted(2), id=fresh_id(2, EPOCH + SKEW + 5))
    with pytest.raises(MergeRefused) as refusal:
        store.merge([replace(posted(1), id=fresh_id(1, EPOCH + SKEW)), ahead])
    [(id, error)] = refusal.value.refused
    assert (refusal.value.new, id, type(error), error.retry_at) == (1, ahead.id, ClockSkew, EPOCH + 5)
    place.wall.ms = error.retry_at - 1
    with pytest.raises(MergeRefused):
        store.merge([ahead])
    place.wall.ms = error.retry_at
    assert store.merge([ahead]) == 1


def test_the_future_does_not_drag_the_clock(place: Place):
    """A foreign id of the year 10000 is refused and leaves no mark: what is written next has an id near now."""
    store = place.open()
    for ms in (EPOCH + YEAR, (1 << 48) - 1):
        with pytest.raises(MergeRefused):
            store.merge([replace(posted(1), id=fresh_id(1, ms))])
    for key in (THREAD, "another"):
        assert time_of(store.thread(key).post("now")) == EPOCH


def test_a_foreign_clock_that_is_a_little_ahead_is_followed_in_its_thread(place: Place):
    """A reply to a comment from a clock four minutes ahead has the larger id, and no id lies further ahead than clocks may."""
    store = place.open()
    ahead = replace(posted(1), id=fresh_id(1, EPOCH + 240_000))
    store.merge([ahead])
    assert ahead.id < store.thread(THREAD).reply(ahead.id, "Well said.", by=BOB) < fresh_id(0, EPOCH + SKEW)
    assert time_of(store.thread("another").post("elsewhere")) <= EPOCH + SKEW


@pytest.mark.parametrize("erasure", [erased(60, 1), person_erased(60, ANN)])
@pytest.mark.parametrize("split", [0, 1, 2, 3])
def test_an_erasure_within_a_merge_takes_all_texts_with_it(split: int, erasure: CommentErased | PersonErased, later: Place):
    """Whether a text came before the erasure, with it, or after it, no word of it stays."""
    store = later.open()
    texts = [posted(1, "unspeakable"), CommentEdited(id=id_of(2), thread=THREAD, actor=ANN, comment=id_of(1), body="unspeakable")]
    facts = [*texts, posted(3, to=1, by=BOB)]
    facts.insert(split, erasure)
    for batch in (facts[:2], facts[2:]):
        store.merge(batch)
    assert "unspeakable" not in str(list(store.export()))
    assert bodies(store.thread(THREAD), reader=MODERATOR) == [None]
    assert store.merge(facts) == 0
    assert store.thread(THREAD).digest() == fold(facts).digest()


def test_an_erasure_that_nobody_may_make_erases_nothing(later: Place):
    """A forged erasure that a replica passes on is kept, and is without effect here as there."""
    store = later.open()
    store.merge([posted(1), erased(2, 1, by=BOB), person_erased(3, ANN, by=BOB)])
    assert store.thread(THREAD).comment(id_of(1)).body == "w1"
    assert store.log.position() == 3


def test_an_erasure_finds_its_way_between_conflicts(later: Place):
    """Where a merge must be taken apart because of a conflict, its erasures leave no text that they take."""
    store = later.open()
    store.merge([posted(7)])
    facts = [posted(1, "unspeakable"), posted(7, "forged"), *(posted(number) for number in range(10, 14)), erased(60, 1)]
    with pytest.raises(MergeRefused) as refusal:
        store.merge(facts)
    assert [id for id, _ in refusal.value.refused] == [id_of(7)]
    assert "unspeakable" not in str(list(store.export()))
    assert store.thread(THREAD).counts() == threadstore.Counts(5, 0, 5, 0, 1)


def test_a_merge_tells_how_far_it_is(later: Place):
    """After each batch it is told how many events were looked at, and of what was refused, in the place of an error."""
    store = later.open()
    later.wall.ms = moment(20_000)
    told: list[int] = []
    refused: list[tuple[str, type[Exception]]] = []
    facts = [posted(number) for number in range(1, 10_003)]
    ahead = replace(posted(3), id=fresh_id(3, moment(20_000) + SKEW + 1))
    new = store.merge(
        [ahead, *facts, posted(2, "forged")],
        progress=told.append,
        on_refused=lambda id, error: refused.append((id, type(error))),
    )
    assert (new, told) == (10_002, [10_000, 10_003])
    assert refused == [(ahead.id, ClockSkew), (id_of(2), ConflictingEvent)]


def test_a_merge_into_rows_of_other_rules(later: Place):
    """What comes to a thread whose rows are of other rules is folded with all that was there."""
    later.open().merge([posted(1), posted(2, to=1, by=BOB)])
    store = later.open(policy=Policy(moderators={"reader"}, kinds={"up"}))
    assert store.merge([posted(3), reacted(4, 1, "up")]) == 2
    assert store.thread(THREAD).view().comments[0].reactions == {"up": 1}
    assert later.open().thread(THREAD).view().comments[0].reactions == {}
    assert later.open().thread(THREAD).counts().total == 3


def test_a_merge_of_a_thread_with_a_damaged_fact(later: Place):
    """Where a fact that the rows were made of is damaged, they are made anew of what is left, and what comes is taken in."""
    store = later.open()
    store.merge([posted(1), CommentEdited(id=id_of(2), thread=THREAD, actor=ANN, comment=id_of(1), body="again"), posted(3)])
    with store.log.database.writing() as connection:
        connection.execute("UPDATE events SET crc = zeroblob(4) WHERE position = 2")
    edit = CommentEdited(id=id_of(5), thread=THREAD, actor=ANN, comment=id_of(1), body="and again")
    assert store.merge([edit, posted(6)]) == 2
    view = store.thread(THREAD).view()
    assert ([comment.body for comment in view.comments], view.unreadable) == (["and again", "w3", "w6"], 1)


def test_an_export_goes_on_from_a_position(later: Place):
    """What comes behind a position is exported alone, so that a replica need not take in everything each time."""
    store = later.open()
    store.merge(STORY)
    assert [event.id for event in store.export(after=4)] == [[*store.export()][4].id]


def test_a_thread_to_which_more_comes_than_it_had_is_made_anew(later: Place, monkeypatch: pytest.MonkeyPatch):
    """In a large merge the rows follow up to a point; what comes behind it is appended, and the rows are made at the end."""
    monkeypatch.setattr("threadstore.store.merging.BULK", 3)
    monkeypatch.setattr("threadstore.store.store._MERGE_BATCH", 3)
    store = later.open()
    facts = [posted(1), *(posted(n, to=n - 1) for n in range(2, 14))]
    store.merge(facts[:2])
    assert store.merge(facts) == 11
    assert store.log.revision(THREAD) == 13
    agree(store, THREAD, facts)
