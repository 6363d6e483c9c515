"""What is read over all threads: as it comes, as a feed, as a queue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Event as Signal
from threading import Thread as PythonThread

import pytest
from msgspec.structs import replace

from threadstore import (
    Actor,
    StoreClosed,
    ThreadStore,
)
from threadstore.testing.given import (
    ANN,
    BOB,
    MODERATOR,
    THREAD,
    id_of,
    moment,
    posted,
    reacted,
)
from threadstore.testing.places import Place

# --- subscribing ----------------------------------------------------------------------------------------------------------------


def test_a_subscriber_goes_on_from_a_checkpoint(store: ThreadStore):
    """A reader that stops and goes on from where it was misses nothing and sees nothing twice."""
    ids = [store.thread(f"article {number % 3}").post("again") for number in range(7)]
    seen, checkpoint = [], 0
    for _ in range(4):
        two = list(islice(store.subscribe(after=checkpoint), 2))
        seen += [record.event.id for record in two]
        checkpoint = two[-1].position
    assert seen == ids
    assert list(store.subscribe(after=checkpoint)) == []


def test_a_subscriber_reads_more_than_one_chunk(later: Place):
    """However much there is, it comes in order and once."""
    store = later.open()
    store.merge(posted(number) for number in range(1, 2_502))
    assert [record.position for record in islice(store.subscribe(), 3_000)] == list(range(1, 2_502))


def test_a_subscriber_hears_what_is_written_while_it_reads(store: ThreadStore):
    """What is said in answer to a record comes in the same reading; it ends when nothing more comes."""
    article = store.thread(THREAD)
    article.post("0")
    heard = []
    for record in store.subscribe():
        heard.append(record.event.body)
        if len(heard) < 5:
            article.post(str(len(heard)))
    assert heard == ["0", "1", "2", "3", "4"]


def must_be_woken(store: ThreadStore, monkeypatch: pytest.MonkeyPatch) -> Signal:
    """Let a subscriber wait until somebody wakes it, and return the signal that it waits."""
    waiting, condition = Signal(), store._news._condition
    wait = condition.wait

    def wait_for_news(timeout: float) -> None:
        waiting.set()
        assert wait(60), "nobody woke the subscriber"

    monkeypatch.setattr(condition, "wait", wait_for_news)
    return waiting


@pytest.mark.parametrize("write", ["execute", "merge"])
def test_a_subscriber_is_woken(write: str, place: Place, monkeypatch: pytest.MonkeyPatch):
    """A waiting reader is woken by whoever writes in this process: it does not have to look by itself."""
    store = place.open()
    waiting = must_be_woken(store, monkeypatch)

    def answer() -> None:
        assert waiting.wait(60)
        store.thread(THREAD).post("There.") if write == "execute" else store.merge([posted(1, "There.")])

    writer = PythonThread(target=answer)
    writer.start()
    place.wall.ms = moment(10)
    record = next(store.subscribe(timeout=600))
    writer.join()
    assert record.event.body == "There."


def test_a_subscriber_finds_what_other_processes_write(place: Place, monkeypatch: pytest.MonkeyPatch):
    """Nobody wakes a reader from another process; it finds the record by looking."""
    store, other = place.open(), place.open()
    looked = []

    def look(timeout: float) -> None:
        looked.append(timeout)
        other.thread(THREAD).post("There.")

    monkeypatch.setattr(store._news._condition, "wait", look)
    assert next(store.subscribe(timeout=600)).event.body == "There."
    assert len(looked) == 1
    assert 0 < looked[0] < 1


def test_a_subscriber_waits_no_longer_than_asked(store: ThreadStore):
    """With nothing to come, a reading ends: at once, or when its time is up."""
    assert list(store.subscribe()) == []
    assert list(store.subscribe(timeout=0.001)) == []
    assert list(store.subscribe(after=99)) == []


def test_a_subscriber_hears_that_the_store_is_closed(place: Place, monkeypatch: pytest.MonkeyPatch):
    """Closing wakes whoever waits, with the reason."""
    store = place.open()
    waiting = must_be_woken(store, monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(list, store.subscribe(timeout=600))
        assert waiting.wait(60)
        with store._news._condition:
            pass  # it does wait by now
        store.close()
        with pytest.raises(StoreClosed):
            reading.result(60)


# --- over all threads -----------------------------------------------------------------------------------------------------------


def test_the_latest_comments(store: ThreadStore):
    """A feed shows the comments of all threads, newest first, without what its reader may not see."""
    ids = [store.thread(key).post(f"w{number}", by=ANN) for number, key in enumerate("abab")]
    store.thread("a").react(ids[0], by=BOB)
    store.thread("b").remove(ids[3], by=MODERATOR)
    held = store.thread("a").reply(ids[2], "wait", by=BOB, held=True)
    assert [(item.thread, item.comment.id) for item in store.latest()] == [("a", ids[2]), ("b", ids[1]), ("a", ids[0])]
    assert [item.comment.id for item in store.latest(reader=BOB, limit=2)] == [held, ids[2]]
    assert [item.comment.id for item in store.latest(reader=MODERATOR)] == [held, *reversed(ids)]


def test_a_feed_keeps_a_spoiler(store: ThreadStore):
    """The body of a spoiler is in no feed (discourse-spoiler-alert#9) but that of a reader who has opened it."""
    comment = store.thread("a").post("The pilot did it.", by=ANN, spoiler=True)
    [item] = store.latest(reader=ANN)
    assert (item.comment.id, item.comment.body, item.comment.concealed) == (comment, None, "spoiler")
    [item] = store.latest(reveal={comment})
    assert item.comment.body == "The pilot did it."


def test_a_feed_goes_on(later: Place):
    """Page follows page without gap or repeat, however many other events lie between two comments."""
    store = later.open()
    numbers = [*range(100, 120), *range(1_100, 1_105)]
    store.merge(reacted(number, 100, by=Actor(f"u-{number}")) for number in range(1, 100))
    for number in numbers[:20]:
        store.merge([replace(posted(number), thread=f"article {number % 7}")])
    store.merge(reacted(number, 100, by=Actor(f"u-{number}")) for number in range(120, 1_100))
    store.merge(posted(number) for number in numbers[20:])
    pages, before = [], None
    for _ in range(7):
        page = store.latest(limit=4, before=before)
        pages += page
        before = page[-1].position if page else before
    assert [item.comment.id for item in pages] == [id_of(number) for number in reversed(numbers)]
    assert [item.position for item in pages] == sorted({item.position for item in pages}, reverse=True)


def test_what_a_person_said(store: ThreadStore):
    """All that one person said is found, in all threads, newest first, and nothing that anybody else or nobody said."""
    mine = [store.thread(key).post(f"w{number}", by=ANN) for number, key in enumerate("abc")]
    store.thread("a").reply(mine[0], "And I.", by=BOB)
    store.thread("a").post("Nobody.")
    store.thread("c").delete(mine[2], by=ANN)
    assert [item.comment.id for item in store.by_person("ann")] == [mine[1], mine[0]]
    assert [item.comment.id for item in store.by_person("ann", limit=1)] == [mine[1]]
    assert store.by_person("cyd") == ()


def test_counts_are_of_several_threads(store: ThreadStore):
    """Threads are counted by their keys; of a single key the letters would be counted."""
    store.thread("a").post("one", by=ANN)
    assert {key: counts.total for key, counts in store.counts(["a", "b"]).items()} == {"a": 1, "b": 0}
    with pytest.raises(TypeError, match="several keys, not one str"):
        store.counts("ab")


def test_the_queue_of_all_threads(place: Place):
    """What waits for a moderator is found in every thread, the thread that waits longest first."""
    store = place.open()
    for key in "abc":
        store.thread(key).post("fine", by=ANN)
        place.wall.ms += 1
    waiting = {}
    for key in "cb":
        waiting[key] = store.thread(key).post("wait", by=BOB, held=True)
        store.thread(key).post("wait too", by=BOB, held=True)
        place.wall.ms += 1
    pages = store.queue(limit=1)
    assert [(page.thread, [item.id for item in page.items], page.left) for page in pages] == [
        ("c", [waiting["c"]], 1),
        ("b", [waiting["b"]], 1),
    ]


def test_a_queue_of_some_threads(place: Place):
    """Of many threads that wait the first are shown, and the rest behind them."""
    store = place.open()
    for key in "abc":
        store.thread(key).post("wait", by=BOB, held=True)
        place.wall.ms += 1
    pages = store.queue(threads=2)
    assert [page.thread for page in pages] == ["a", "b"]
    assert [page.thread for page in store.queue(after=pages[-1].items[0].since)] == ["c"]
    with pytest.raises(ValueError, match="threads"):
        store.queue(threads=0)


def test_what_a_person_said_long_ago(place: Place):
    """What a person said long ago stands as the thread says: edited, erased, withheld from some, or as it was."""
    store = place.open()
    article = store.thread("a")
    said = [article.post(f"w{number}", by=ANN) for number in range(5)]
    article.edit(said[0], "edited", by=ANN)
    article.hold(said[1], by=MODERATOR)
    article.erase(said[2], by=MODERATOR)
    article.react(said[3], "support", by=ANN)
    for number in range(80):
        article.post(f"and {number}", by=BOB)
    for _ in range(2):
        assert [item.comment.body for item in store.by_person("ann")] == ["w4", "w3", "edited"]
        assert [item.comment.body for item in store.by_person("ann", reader=MODERATOR)] == ["w4", "w3", "w1", "edited"]
        [first] = store.by_person("ann", before=2)
        assert (first.position, first.comment.id, first.comment.author) == (1, said[0], ANN)
        assert (first.comment.edited_by, first.thread) == (ANN, "a")
        assert store.by_person("ann", before=1) == store.by_person("ann", limit=0) == ()
        store = place.open()
