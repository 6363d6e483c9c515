"""A cold store answers what a large thread is asked first without reading the thread: as the thread would, and never for long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from threadstore import Actor, Policy, StoredThread, StoreFull, ThreadStore, fronts
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import EventLog, Snapshot
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import Event, TextQuote
from threadstore.store.verify import verify_store
from threadstore.testing.given import ANN, BOB, MODERATOR, THREAD, edited, erased, id_of, moment, posted, reacted, removed
from threadstore.testing.places import Place, Wall

RULES = Policy().rules
#: From how many events on a thread is large here.
LEAST = 20
PAGE: dict[str, Any] = {"order": "top", "limit": 5, "replies": 2}
TEXT = "The drone was seen at nine."


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small threads be large."""
    monkeypatch.setattr("threadstore.store.store.SNAPSHOT_FROM", LEAST)


@pytest.fixture
def looked_into(monkeypatch: pytest.MonkeyPatch, place: Place) -> list[str]:
    """Return the keys of the threads that are read."""
    log, keys = type(place.open().log), list[str]()

    def noting(ask: Any) -> Any:
        def noted(self: EventLog, thread: str, *rest: Any, **how: Any) -> Any:
            keys.append(thread)
            return ask(self, thread, *rest, **how)

        return noted

    for method in ("heads", "read", "load_snapshot"):
        monkeypatch.setattr(log, method, noting(getattr(log, method)))
    return keys


def events() -> Iterator[Event]:
    """Yield a thread with replies, edits, reactions, mentions, and what is hidden."""
    yield from (posted(number, body=f"@Ann, for the {number}th time") for number in range(1, LEAST))
    yield from (posted(100 + number, to=number) for number in range(1, 5))
    yield edited(200, 2, "in other words")
    yield removed(201, 3)
    yield from (reacted(300 + number, number, by=BOB) for number in (4, 5))


def fill(place: Place) -> None:
    """Store a large thread with a suggested correction, and let nobody have it in memory."""
    place.wall.ms = moment(100_000)
    store = place.open()
    store.merge(events())
    store.thread(THREAD).suggest_correction(TextQuote(exact="nine"), "ten", by=ANN)


def thread_of(place: Place, **how: Any) -> StoredThread:
    return place.open(**how).thread(THREAD)


ASKED: list[Any] = [
    lambda thread: thread.view(),
    lambda thread: thread.view(**PAGE),
    lambda thread: thread.view(**PAGE, reveal="all", pinned=True),
    lambda thread: thread.flat(order="newest"),
    lambda thread: thread.corrections(text=TEXT),
    lambda thread: thread.counts(),
]


@pytest.mark.parametrize("ask", ASKED)
def test_a_front_is_what_the_thread_answers(place: Place, looked_into: list[str], ask: Any):
    """What a store was asked at first, the next one answers without reading the thread, and answers again from memory."""
    fill(place)
    store = place.open()
    with store.using(THREAD) as hot:
        wanted = ask(hot) if ask is not ASKED[4] else hot.corrections(text=TEXT)
    assert ask(place.open().thread(THREAD)) == wanted
    looked_into.clear()
    thread = thread_of(place)
    assert [ask(thread), ask(thread)] == [wanted, wanted]
    assert looked_into == []
    assert list(verify_store(place.open().log, Policy())) == []


def test_another_question_reads_the_thread(place: Place, looked_into: list[str]):
    """A front answers one question: others, those of one reader, further pages and what depends on the moment are not kept."""
    fill(place)
    first = thread_of(place).view(**PAGE)
    others: list[dict[str, Any]] = [
        {**PAGE, "limit": 4},
        {**PAGE, "pinned": True},
        {**PAGE, "reader": ANN},
        {**PAGE, "reader": "u-ann"},
        {**PAGE, "reveal": {id_of(1)}},
        {**PAGE, "after": first.next},
        {**PAGE, "order": "hot"},
        {**PAGE, "order": "hot", "now": moment(100_000)},
    ]
    for how in others:
        looked_into.clear()
        thread_of(place).view(**how)
        assert THREAD in looked_into, how
    asked = [fronts.unpack(front.state) for front in place.open().log.fronts(THREAD)]
    assert {found and found[0].how for found in asked} == {
        question.how
        for how in (PAGE, *others[:2])
        if (question := fronts.question("view", {"after": None, "reader": None, "reveal": (), **DEFAULTS, **how}))
    }


DEFAULTS = {"depth": 8, "rows": 200, "pinned": False, "now": None}


def test_what_has_changed_is_not_shown_as_it_was(place: Place, looked_into: list[str]):
    """As soon as the thread has another revision, its fronts are as good as none, in memory as well; new ones replace them."""
    fill(place)
    thread_of(place).view(**PAGE)
    held = thread_of(place)
    assert held.view(**PAGE).counts.total == LEAST + 2
    thread_of(place).post("and another", by=BOB)
    assert held.view(**PAGE).counts.total == LEAST + 3
    looked_into.clear()
    assert thread_of(place).view(**PAGE).counts.total == LEAST + 3
    assert looked_into == []


def test_only_what_is_asked_first_is_kept(place: Place):
    """Each kind of question is kept once for each time that a thread is read: writing costs more than reading."""
    place.cache_bytes = 1 << 20
    fill(place)
    thread = thread_of(place)
    for order in ("top", "newest", "best"):
        thread.view(order=order)
        thread.corrections()
    kinds = [found[0].kind for front in place.open().log.fronts(THREAD) if (found := fronts.unpack(front.state))]
    assert sorted(kinds) == ["corrections", "view"]


def test_nothing_is_kept_of_a_thread_that_has_changed_since_it_was_read(place: Place):
    """Whoever writes has the thread in memory, and will write again."""
    place.cache_bytes = 1 << 20
    fill(place)
    thread = thread_of(place)
    thread.replies(id_of(1))
    thread.post("one more", by=BOB)
    thread.view()
    assert list(place.open().log.fronts(THREAD)) == []


def test_small_threads_have_no_fronts(place: Place):
    """They are read as fast; and the counts of any thread are in its summary."""
    place.wall.ms = moment(100_000)
    place.open().thread(THREAD).post("one", by=ANN)
    assert thread_of(place).view().counts.total == 1
    assert list(place.open().log.fronts(THREAD)) == []
    assert thread_of(place).counts().total == 1


def test_counts_come_from_the_summary(place: Place, looked_into: list[str]):
    """A store that does not have the thread in memory asks its summary, if that is of now."""
    fill(place)
    store = place.open()
    assert store.counts([THREAD])[THREAD].total == LEAST + 2
    looked_into.clear()
    assert thread_of(place).counts().total == LEAST + 2
    assert looked_into == []


def test_counts_of_a_summary_that_can_not_be_read(place: Place):
    """The thread is counted."""
    place.wall.ms = moment(100_000)
    store = place.open()
    store.merge([posted(1), posted(2)])
    store.counts([THREAD])
    summary = store.log.summaries([THREAD], store._fingerprint)[THREAD]
    store.log.store_summary(THREAD, type(summary)(summary.fingerprint, summary.revision, "", b"nonsense"))
    assert thread_of(place).counts().total == 2


def test_other_rules_have_other_fronts(place: Place):
    """A page under other rules is another page."""
    fill(place)
    assert thread_of(place).view(**PAGE).comments[0].id == id_of(4)
    policy = Policy(positive=(), negative=())
    assert thread_of(place, policy=policy).view(**PAGE).comments[0].id == id_of(1)
    assert len(place.open().log.fronts(THREAD)) == 2


def test_an_erasure_drops_the_words(tmp_path: Path, wall: Wall):
    """What was ready to be shown of an erased comment is in no byte of the files, and no longer shown."""
    wall.ms = moment(100_000)
    with ThreadStore(_log(tmp_path), now=wall) as store:
        store.merge([posted(0, body="words to be forgotten"), *events()])
        store.thread(THREAD).view(limit=30)
        [front] = store.log.fronts(THREAD)
        assert b"words to be forgotten" in front.state
        store.thread(THREAD).erase(posted(0).id, by=MODERATOR)
        store.thread(THREAD).view(limit=30)
        assert not [front for front in store.log.fronts(THREAD) if b"to be forgotten" in front.state]
    assert not [path for path in tmp_path.iterdir() if b"to be forgotten" in path.read_bytes()]
    with ThreadStore(_log(tmp_path), now=wall) as store:
        bodies = {comment.body for comment in store.thread(THREAD).view(limit=30).comments}
        assert "words to be forgotten" not in bodies


def _log(folder: Path) -> EventLog:
    return SqliteLog.open(folder / "store.db", durability="off")


def test_a_front_of_somebody_elses_erasure(place: Place):
    """A page that is held in memory is not shown any more once another process has erased something."""
    fill(place)
    thread_of(place).view(**PAGE)
    held = thread_of(place)
    assert "@Ann, for the 4th time" in {comment.body for comment in held.view(**PAGE).comments}
    place.open().merge([erased(400, 4)])
    assert "@Ann, for the 4th time" not in {comment.body for comment in held.view(**PAGE).comments}


@pytest.mark.parametrize("state", [b"", b"nonsense", None])
def test_a_front_that_can_not_be_read_is_none(place: Place, state: bytes | None):
    """Neither nonsense nor the answer to something else is shown; verifying tells of both."""
    fill(place)
    wanted = thread_of(place).view(**PAGE)
    other = thread_of(place)
    other.view(limit=1)
    log = other._store.log
    first, second = log.fronts(THREAD)
    for front, state_of in ((first, second.state), (second, first.state)):
        log.store_front(THREAD, Snapshot(front.fingerprint, front.revision, state_of if state is None else state))
    assert thread_of(place).view(**PAGE) == wanted
    found = [damage.kind for damage in verify_store(log, Policy())]
    assert found == [] if state is None else set(found) == {"front"}


def test_a_front_that_says_something_else_is_told_of(place: Place):
    """Sealed or not, a front must be what the thread answers; one of an earlier revision may be what it likes."""
    fill(place)
    thread = thread_of(place)
    page = thread.view(**PAGE)
    log = thread._store.log
    [front] = log.fronts(THREAD)
    found = fronts.unpack(front.state)
    assert found is not None
    forged = fronts.pack(found[0], type(page)(**{name: getattr(page, name) for name in page.__struct_fields__} | {"left": 77}))
    assert forged is not None
    log.store_front(THREAD, Snapshot(front.fingerprint, front.revision, forged))
    assert [damage.kind for damage in verify_store(log, Policy())] == ["front"]
    place.open().thread(THREAD).post("more", by=ANN)
    assert list(verify_store(log, Policy())) == []


def test_a_page_that_is_too_long_is_not_kept(place: Place, monkeypatch: pytest.MonkeyPatch):
    """A front has a bound; the page is shown all the same."""
    monkeypatch.setattr("threadstore.fronts.MAX_FRONT", 100)
    fill(place)
    assert len(thread_of(place).view(**PAGE).comments) == 5
    assert list(place.open().log.fronts(THREAD)) == []


def test_a_log_that_is_full_keeps_no_fronts(wall: Wall):
    """A front is a shortcut only: the reader is shown the page."""

    class Full(MemoryLog):
        def store_front(self, thread: str, front: Snapshot) -> None:
            raise StoreFull("memory")

    wall.ms = moment(100_000)
    log = Full()
    log.append(THREAD, list(events()))
    with ThreadStore(log, now=wall) as store:
        assert len(store.thread(THREAD).view(**PAGE).comments) == 5


def test_a_log_need_not_keep_any(wall: Wall):
    """The port's own methods keep nothing, and stores go without."""

    class Plain(MemoryLog):
        fronts = EventLog.fronts
        store_front = EventLog.store_front

    wall.ms = moment(100_000)
    log = Plain()
    log.append(THREAD, list(events()))
    for _ in range(2):
        assert ThreadStore(log, now=wall).thread(THREAD).view(**PAGE).counts.total == LEAST + 2


def test_arguments_are_checked_as_ever(place: Place):
    """What is no argument of a page is refused, whatever is kept."""
    fill(place)
    thread_of(place).view(**PAGE)
    for how, error in (
        ({"order": "none"}, ValueError),
        ({"limit": 0}, ValueError),
        ({"pinned": 1}, TypeError),
        ({"limit": 5.0}, TypeError),
    ):
        with pytest.raises(error):
            thread_of(place).view(**{**PAGE, **how})


def test_what_is_no_flag_is_refused_beside_a_page_at_hand(place: Place):
    """Python takes 0 for False; a page that is held for the one is not the answer to the other."""
    place.cache_bytes = 1 << 20
    fill(place)
    thread_of(place).view(**PAGE)
    held = thread_of(place)
    held.view(**PAGE)
    with pytest.raises(TypeError, match="pinned must be a bool"):
        held.view(**PAGE, pinned=0)


def test_a_front_takes_its_room(place: Place):
    """What is held of a page counts in the memory that hot threads may take, until the thread itself is read."""
    place.cache_bytes = 1 << 20
    fill(place)
    thread_of(place).view(**PAGE)
    store = place.open()
    sizes = []
    for _ in range(2):
        with store._hot.lend(THREAD) as hot:
            sizes.append(hot.size)
        store.thread(THREAD).view(**PAGE)
    assert sizes[1] > sizes[0] + 1_000
    store.thread(THREAD).replies(id_of(1))
    with store._hot.lend(THREAD) as hot:
        assert hot.fronts == {}


def test_a_question_is_plain():
    """Only what anybody may ask again in the same words is a question that is kept."""
    assert fronts.question("view", {"limit": 5, "reveal": ()}) == fronts.Question("view", (("limit", 5), ("reveal", None)))
    for how in (
        {"reveal": ["x"]},
        {"reveal": "some"},
        {"limit": 5.0},
        {"reader": Actor("u-1")},
        {"after": "x"},
        {"order": "hot"},
    ):
        assert fronts.question("view", how) is None
