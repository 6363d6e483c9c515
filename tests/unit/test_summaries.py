"""What lists over many threads say, without loading any: summaries are what their threads come to, or are made anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from threadstore import Policy, StoreFull, Thread, ThreadLine, ThreadStore, summaries
from threadstore.errors import InvalidCursor
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import Revision, Summary
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import Event, TextQuote
from threadstore.model.ids import time_of
from threadstore.summaries import Digest, Line, fingerprint, read_summary
from threadstore.testing.given import ANN, BOB, CYD, EDITOR, MODERATOR, THREAD, posted
from threadstore.testing.histories import random_history
from threadstore.testing.places import Place, Wall

RULES = Policy().rules


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let summaries tell of so few comments that a history of a few has more."""
    for name, number in (("LISTED", 2), ("_KEPT", 3)):
        monkeypatch.setattr(summaries, name, number)


def newest(thread: Thread) -> list[Line]:
    """Return how all comments stand that are not gone, newest first, as a moderator's pages have it."""
    views = thread.flat(order="newest", limit=10_000, reader=MODERATOR).comments
    return [Line(view.id, view.text_id, view.standing, view.stale) for view in views]


def check(store: ThreadStore) -> None:
    """Check that the lists of a store say what its threads come to."""
    keys = list(store.threads())
    threads = {key: store.thread(key) for key in keys}
    assert store.counts(keys) == {key: thread.counts() for key, thread in threads.items()}
    lines = {line.thread: line for line in store.overview(limit=100).threads}
    assert sorted(lines) == sorted(keys)
    for key, thread in threads.items():
        view = thread.view()
        with store.using(key) as folded:
            assert lines[key].latest_at == time_of(folded.latest)
        assert (lines[key].title, lines[key].url, lines[key].locked) == (view.title, view.url, view.locked)
        assert lines[key].waiting == len(thread.queue(limit=100).items)
    queues = [thread.queue() for thread in threads.values()]
    wanted = sorted((queue for queue in queues if queue.items), key=lambda queue: queue.items[0].since)
    assert list(store.queue()) == wanted


# --- the digest ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("twins", [False, True])
@pytest.mark.usefixtures("few")
def test_a_digest_is_told_of_each_event(twins: bool):
    """After any history, a digest that was told of each event says what one says that is made of the thread."""
    for seed in range(400):
        thread, digest = Thread(THREAD), Digest(Thread(THREAD), RULES)
        for number, event in enumerate(random_history(seed, 40, twins=twins)):
            if number == 0:
                digest = Digest(thread, RULES)
            thread.apply(event)
            digest.note(event)
            assert digest.state() == Digest(thread, RULES).state(), (seed, event)


@pytest.mark.usefixtures("few")
def test_a_summary_says_what_pages_show():
    """After any history, its figures are those of the pages, and its newest comments those of a moderator's list."""
    seen = set()
    for seed in range(600):
        thread = Thread(THREAD)
        for event in random_history(seed, 40):
            thread.apply(event)
        since, state = Digest(thread, RULES).state()
        said = read_summary(state)
        assert said is not None
        view, queue, all_of_them = thread.view(), thread.queue(limit=100).items, newest(thread)
        assert (said.counts, said.locked, said.latest) == (view.counts, view.locked, thread.latest)
        assert (said.waiting, said.since) == (len(queue), queue[0].since if queue else "")
        assert since == said.since
        assert list(said.newest) == all_of_them[:2]
        assert said.all_listed == (len(all_of_them) <= 2)
        seen |= {flag for line in said.newest for flag in line.flags} | {line.stale for line in said.newest} | {said.all_listed}
    assert seen == {"removed", "held", "spoiler", True, False}


def test_a_large_thread_is_listed_from_its_end():
    """Of many comments the newest are told, also where most of the last ones are gone."""
    store = ThreadStore(MemoryLog(), now=Wall())
    article = store.thread(THREAD)
    ids = [article.post(f"comment {number}", by=ANN) for number in range(300)]
    for id in ids[20:]:
        article.delete(id, by=ANN)
    with store.using(THREAD) as thread:
        said = read_summary(Digest(thread, RULES).state()[1])
    assert said is not None
    assert [line.id for line in said.newest] == ids[19::-1]
    assert said.all_listed


@pytest.mark.parametrize("state", [b"", b"\xc1", b"\x90", b"\x99" + b"\xc0" * 9])
def test_what_is_no_summary_is_none(state: bytes):
    """Bytes that no release of this form has written are as good as none."""
    assert read_summary(state) is None


def test_a_summary_names_its_rules():
    """Policies under which a thread may come to something else have other fingerprints; limits change none."""
    policies = [
        Policy(),
        Policy(moderators={"moderator"}),
        Policy(editors={"editor"}),
        Policy(describers={"editor"}),
        Policy(kinds={"up", "down"}),
        Policy(kinds={"up", "down"}, exclusive=({"up", "down"},)),
        Policy(kinds={"up", "down"}, negative=()),
    ]
    assert len({fingerprint(policy.rules) for policy in policies}) == len(policies)
    assert fingerprint(Policy(max_body=7, kinds={"support"}).rules) == fingerprint(RULES)


# --- the lists ----------------------------------------------------------------------------------------------------------------


def test_lists_say_what_threads_come_to(later: Place):
    """Whatever is written, merged, erased, and by how many stores, the lists of each store say what its threads come to."""
    here = later.open()
    there = later.open() if later.path is not None else here
    random = Random(7)
    for seed in range(12):
        keys = [f"t{random.randrange(4)}" for _ in range(3)]
        store, other = random.sample([here, there], 2)
        first = store.thread(keys[0]).post(f"comment {seed}", by=random.choice([ANN, BOB]), held=seed % 3 == 0)
        other.thread(keys[1]).post(f"another {seed}", by=CYD)
        other.thread(keys[0]).report(first, by=CYD)
        if seed % 4 == 0:
            store.thread(keys[2]).describe(by=EDITOR, title=f"Title {seed}", url=f"https://example.org/{seed}")
            other.merge([replace(posted(seed + 1), thread=f"t{seed % 3}")] if seed < 8 else [])
        if seed % 5 == 1:
            store.thread(keys[0]).erase(first, by=MODERATOR)
            other.thread("locked").lock(by=MODERATOR)
        if seed == 9:
            store.erase_person("editor", by=MODERATOR)
        check(here)
        check(there)


def test_lists_load_no_thread(tmp_path: Path):
    """Counts and the overview of threads that a store has written, or summed up once, use none of them."""
    path = tmp_path / "comments.db"
    with ThreadStore(SqliteLog.open(path, durability="off")) as store:
        for key in "abc":
            store.thread(key).post("I was there.", by=ANN)
        store.merge([replace(posted(1), thread="d")])
    with ThreadStore(SqliteLog.open(path, durability="off")) as store:
        assert [counts.total for counts in store.counts(["a", "b", "c"]).values()] == [1, 1, 1]
        assert store.queue() == ()
        assert len(store._hot) == 1  # "d", which was merged and not yet summed up
    with ThreadStore(SqliteLog.open(path, durability="off")) as store:
        assert {line.thread for line in store.overview().threads} == set("abcd")
        assert store.queue() == ()
        assert len(store._hot) == 0


def test_other_rules_make_other_summaries(tmp_path: Path):
    """A store with other rules does not believe what one has summed up, and neither believes the other."""
    path = tmp_path / "comments.db"
    author = Policy(moderators={"author"})
    with (
        ThreadStore(SqliteLog.open(path, durability="off")) as usual,
        ThreadStore(SqliteLog.open(path, durability="off"), policy=author) as other,
    ):
        comment = usual.thread("a").post("I was there.", by=ANN)
        usual.thread("a").hold(comment, by=MODERATOR)
        for _ in range(2):
            assert [usual.counts(["a"])["a"].pending, other.counts(["a"])["a"].pending] == [1, 0]
            assert (len(usual.queue()), len(other.queue())) == (1, 0)


def test_an_overview_goes_on(place: Place):
    """Pages of the overview follow one another, those first in which something has happened last."""
    store = place.open()
    for key in "abcde":
        store.thread(key).post("I was there.", by=ANN)
        place.wall.ms += 1
    store.thread("b").react(store.thread("b").view().comments[0].id, by=BOB)
    store.thread("c").describe(by=EDITOR, title="On drones", url="https://example.org/c")
    store.thread("c").lock(by=MODERATOR)
    first = store.overview(limit=2)
    assert [line.thread for line in first.threads] == ["c", "b"]
    counts = store.thread("c").counts()
    assert first.threads[0] == ThreadLine("c", "On drones", "https://example.org/c", counts, True, place.wall.ms, 0)
    store.thread("a").post("And I.", by=BOB)
    second = store.overview(limit=2, after=first.next)
    assert [line.thread for line in second.threads] == ["e", "d"]
    assert second.next is None
    assert [line.thread for line in store.overview().threads] == ["a", "c", "b", "e", "d"]
    assert place.open().overview(limit=1) == store.overview(limit=1)


def test_an_empty_store_has_an_overview(store: ThreadStore):
    """Where nothing was written, nothing is listed."""
    assert (store.overview().threads, store.overview().next, store.queue()) == ((), None, ())


def test_an_overview_is_asked_for_with_care(store: ThreadStore):
    """A cursor of something else and a limit out of range are refused."""
    store.thread("a").post("one", by=ANN)
    store.thread("a").post("two", by=ANN)
    cursor = store.thread("a").view(limit=1).next
    with pytest.raises(InvalidCursor):
        store.overview(after=cursor)
    with pytest.raises(ValueError, match="limit"):
        store.overview(limit=0)
    with pytest.raises(ValueError, match="limit"):
        store.queue(threads=0)


def test_the_queue_goes_on(place: Place):
    """The threads of the queue come page by page, those that wait longest first."""
    store = place.open()
    for key in "dbca":
        store.thread(key).post("wait", by=BOB, held=True)
        store.thread(key).suggest_correction(TextQuote("teh"), "the", by=BOB)
        place.wall.ms += 1
    first = store.queue(threads=3)
    assert [page.thread for page in first] == ["d", "b", "c"]
    assert [page.thread for page in store.queue(threads=3, after=first[-1].items[0].since)] == ["a"]


def test_no_word_is_in_a_summary(later: Place):
    """A title that is erased is in no list any more, and nobody's name or words were ever in a summary."""
    store = later.open()
    article = store.thread("a")
    article.post("the words", by=ANN)
    article.describe(by=EDITOR, title="the title", url="https://example.org/a")
    [state] = [summary.state for summary in store.log.summaries(["a"], fingerprint(store.policy.rules)).values()]
    assert not any(word in state for word in (b"words", b"title", b"example", ANN.name.encode()))
    assert store.overview().threads[0].title == "the title"
    store.erase_person(EDITOR.id, by=MODERATOR)
    assert store.overview().threads[0].title == ""


# --- what goes wrong ----------------------------------------------------------------------------------------------------------


def test_a_damaged_summary_is_made_anew(tmp_path: Path):
    """A summary that is not as it was written is found by verify, and not believed; asking makes it anew."""
    path = tmp_path / "comments.db"
    with ThreadStore(SqliteLog.open(path, durability="off")) as store:
        store.thread("a").post("I was there.", by=ANN)
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("UPDATE summaries SET state = zeroblob(length(state))")
        assert [damage.kind for damage in store.verify()] == ["checksum"]
        check(store)
        assert list(store.verify()) == []
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("UPDATE summaries SET latest = zeroblob(16)")
        assert [damage.kind for damage in store.verify()] == ["summary"]


def test_a_summary_of_another_form_is_made_anew():
    """What can not be read as a summary, though it is of the right revision and rules, counts for nothing."""
    log = MemoryLog()
    store = ThreadStore(log)
    store.thread("a").post("I was there.", by=ANN)
    log.store_summary("a", Summary(fingerprint(RULES), Revision(1), "", b"something else"))
    check(store)


def test_a_thread_that_can_not_be_read_in_full_is_not_summed_up():
    """What a damaged thread comes to is told and not kept, since it would outlast the damage."""
    log = MemoryLog()
    store = ThreadStore(log)
    for number in range(3):
        store.thread("a").post(f"comment {number}", by=ANN)
    log._records[1] = type(log._records[1])(
        *[getattr(log._records[1], name) for name in ("position", "revision", "thread")], b"\xc1"
    )
    store = ThreadStore(log)
    store.thread("a").post("after it", by=BOB)
    assert log.summaries(["a"], fingerprint(RULES)) == {}
    assert store.counts(["a"])["a"].total == 3
    assert log.summaries(["a"], fingerprint(RULES)) == {}


def test_a_summary_that_can_not_be_kept_is_told():
    """Lists answer where there is no room left for what would make them faster."""

    class Full(MemoryLog):
        def store_summary(self, thread: str, summary: Summary) -> None:
            raise StoreFull("full")

    store = ThreadStore(Full(), now=Wall(10**13))
    store.merge([replace(posted(1), thread="a"), replace(posted(3), thread="b")])
    check(store)


def test_a_description_that_is_damaged_is_left_out(monkeypatch: pytest.MonkeyPatch):
    """A title that can not be read is no reason to show nothing."""
    store = ThreadStore(MemoryLog())
    store.thread("a").describe(by=EDITOR, title="On drones")
    monkeypatch.setattr(type(store.log), "find", lambda _self, _id: None)
    assert store.overview().threads[0].title == ""


def histories() -> Iterator[list[Event]]:
    return (random_history(seed, 30) for seed in range(60))


@pytest.mark.usefixtures("few")
def test_any_history_is_listed():
    """Whatever a merge brings, the lists say what the threads come to, before and after they are written to."""
    for number, history in enumerate(histories()):
        store = ThreadStore(MemoryLog(), now=Wall(10**13))
        store.merge(history)
        check(store)
        store.thread(THREAD).describe(by=EDITOR, title=f"Title {number}")
        check(store)
