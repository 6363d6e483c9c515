"""Threads in memory: one of each, locked while used, bounded by what they take."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from threadstore import SUPPORT, ThreadStore
from threadstore.dense import DenseThread
from threadstore.hot import Hot, HotThreads
from threadstore.log.memory import MemoryLog
from threadstore.model.policy import Policy
from threadstore.model.ranking import ORDERS
from threadstore.streams import StreamOf
from threadstore.testing.given import ANN, BOB, EPOCH, posted


class Sized(DenseThread):
    """A thread that takes as much room as it is told, beside what any takes."""

    room = 0

    @property
    def nbytes(self) -> int:
        """How much it takes."""
        return self.room


def unread(key: str) -> DenseThread:
    """Return a thread of an empty log, still to be read."""
    return Sized(key, Policy().rules, StreamOf(MemoryLog(), key))


#: What a thread takes that is told to take nothing.
EMPTY = Hot("a", unread).size


def threads_within(bound: int) -> HotThreads:
    """Return the threads of a store with an empty log."""
    return HotThreads(bound, unread)


def use(hot_threads: HotThreads, key: str, size: int | None = None) -> Hot:
    """Use a thread once, let it take *size* bytes from then on, and return it."""
    with hot_threads.lend(key) as hot:
        if size is not None:
            assert isinstance(hot.thread, Sized)
            hot.thread.room = size - EMPTY
    return hot


def test_a_thread_begins_empty():
    """A thread that nobody used before has its key, no event, and takes some room all the same."""
    hot = use(threads_within(1 << 20), "a")
    assert (hot.thread.key, hot.thread.revision, list(hot.thread.facts())) == ("a", 0, [])
    assert hot.size > 0


def test_a_thread_is_lent_again():
    """Within the bound a thread is kept, and lent to whoever asks next."""
    hot_threads = threads_within(1 << 20)
    assert use(hot_threads, "a") is use(hot_threads, "a") is not use(hot_threads, "b")
    assert len(hot_threads) == 2


def test_the_thread_used_longest_ago_goes_first():
    """What is over the bound is let go in the order of last use."""
    hot_threads = threads_within(100)
    first, second = use(hot_threads, "a", 50), use(hot_threads, "b", 50)
    use(hot_threads, "a")
    use(hot_threads, "c", 50)
    assert use(hot_threads, "a") is first
    assert use(hot_threads, "b", 50) is not second


def test_the_thread_used_last_stays_whatever_its_size():
    """A thread larger than the bound is not read anew each time that it is used."""
    hot_threads = threads_within(100)
    use(hot_threads, "small", 10)
    large = use(hot_threads, "large", 1_000)
    assert len(hot_threads) == 1
    assert use(hot_threads, "large") is large


def test_a_bound_of_zero_keeps_none():
    """Where nothing may be kept, every use starts cold."""
    hot_threads = threads_within(0)
    first = use(hot_threads, "a")
    assert len(hot_threads) == 0
    assert use(hot_threads, "a") is not first


def test_a_thread_that_shrinks_makes_room():
    """The bound is on what threads take now, not on what they once took."""
    hot_threads = threads_within(100)
    kept = use(hot_threads, "a", 90)
    use(hot_threads, "a", 10)
    use(hot_threads, "b", 90)
    assert use(hot_threads, "a") is kept


def test_threads_without_events_are_bounded_too():
    """A stranger who asks for a million keys does not fill the memory with empty threads."""
    hot_threads = threads_within(100_000)
    for number in range(1_000):
        use(hot_threads, str(number))
    assert len(hot_threads) < 100


def test_a_thread_in_use_is_not_let_go():
    """While it is lent there is no second thread of its key, however full the memory is."""
    hot_threads = threads_within(0)
    with hot_threads.lend("a") as hot:
        use(hot_threads, "b", 1_000)
        assert len(hot_threads) == 1
        with hot_threads.lend("a") as again:
            assert again is hot
        assert len(hot_threads) == 1
    assert len(hot_threads) == 0


def test_a_thread_waited_for_is_not_let_go():
    """Whoever waits for their turn gets the thread that is in use, not another of its key; and they do wait."""
    hot_threads = threads_within(0)
    asking, order = Event(), []

    def ask() -> Hot:
        asking.set()
        with hot_threads.lend("a") as hot:
            order.append("second")
        return hot

    with ThreadPoolExecutor(1) as pool:
        with hot_threads.lend("a") as hot:
            waiting = pool.submit(ask)
            assert asking.wait(60)
            while hot.users < 2:
                pass
            order.append("first")
        assert waiting.result() is hot
    assert order == ["first", "second"]
    assert len(hot_threads) == 0


def test_a_thread_is_given_back_after_an_error():
    """An error while a thread is lent neither locks it for ever nor keeps it in memory."""
    hot_threads = threads_within(0)
    with pytest.raises(ZeroDivisionError), hot_threads.lend("a"):
        raise ZeroDivisionError
    assert len(hot_threads) == 0
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(use, hot_threads, "a").result(60)


def test_a_thread_forgets_its_events():
    """What is forgotten is gone from memory, and its room is free."""
    hot_threads = threads_within(1 << 20)
    with hot_threads.lend("2023/05/03/drones") as hot:
        hot.thread.apply(posted(1))
        assert list(hot.thread.facts()) == [posted(1)]
    before = use(hot_threads, "2023/05/03/drones", 50_000).size
    hot_threads.forget("2023/05/03/drones")
    assert list(hot.thread.facts()) == []
    assert hot.size < before


def test_forgetting_an_unknown_thread_does_nothing():
    """A thread that is not in memory has nothing to forget."""
    hot_threads = threads_within(1 << 20)
    hot_threads.forget("a")
    assert len(hot_threads) == 0


def test_closing_lets_go_of_all():
    """Nothing stays in memory: what is in use goes when it is given back."""
    hot_threads = threads_within(1 << 20)
    use(hot_threads, "a")
    with hot_threads.lend("b"):
        hot_threads.close()
        assert len(hot_threads) == 1
    assert len(hot_threads) == 0


def test_what_is_let_go_is_free_at_once():
    """A thread's parts refer to one another; the bound would not hold if they were there until the collector finds them."""
    with ThreadStore(MemoryLog(), cache_bytes=0) as store:
        article = store.thread("a")
        first = article.post("I was there.", by=ANN, spoiler=True)
        article.reply(first, "@Ann Lee, so was I.", by=BOB)
        article.react(first, SUPPORT, by=BOB)
        gc.disable()
        try:
            with store.using("a") as thread:
                assert isinstance(thread, DenseThread)
                for order in ORDERS:
                    thread.view(order=order, now=EPOCH, reveal="all")
                outline = weakref.ref(thread.dense)
            del thread
            assert outline() is None
        finally:
            gc.enable()
