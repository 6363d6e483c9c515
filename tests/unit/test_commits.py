"""Several writers, one commit: who leads, who waits, and what becomes of those who rest on what was not stored."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Barrier, Event, Lock, Thread
from typing import Any

import pytest

from threadstore import Actor, Policy, StoredThread, ThreadStore
from threadstore.errors import ConflictingEvent, DuplicateComment, StoreFull, StoreUnavailable, ThreadStoreError
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import Append, Appended, Revision
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import CommentPosted
from threadstore.model.events import Event as Fact
from threadstore.model.ids import make_id
from threadstore.store.commits import Commit, Commits, Overtaken
from threadstore.testing.given import THREAD

ANN = Actor("u-ann", "Ann Lee")
BOB = Actor("u-bob", "Bob Park")
NOOR = Actor("u-noor", "Noor", "moderator")
WAIT = 10


class Gate(MemoryLog):
    """A log whose commits can be held up, made to fail, and counted."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = Event()
        self.open = Event()
        self.open.set()
        self.fails: list[BaseException] = []
        self.commits: list[list[str]] = []

    def _pass(self, appends: Sequence[Append]) -> None:
        self.arrived.set()
        assert self.open.wait(WAIT)
        if self.fails:
            raise self.fails.pop(0)
        self.commits.append([append[0] for append in appends])

    def append(self, thread: str, events: Sequence[Fact], **more: Any) -> Appended:
        self._pass([Append(thread, events)])
        return super().append(thread, events, **more)

    def append_all(self, appends: Sequence[Append]) -> Sequence[Appended | ThreadStoreError | None]:
        self._pass(appends)
        return [MemoryLog.append(self, thread, events, summary=summary) for thread, events, summary in appends]

    def hold(self) -> None:
        """Let the next commit wait."""
        self.arrived.clear()
        self.open.clear()


class Pool(ThreadPoolExecutor):
    """Writers of their own threads, who are let go at the end of a test whatever becomes of it."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(8)
        self.gate = gate

    def __exit__(self, *error: object) -> None:
        self.gate.open.set()
        super().__exit__(*error)


def queued(store: ThreadStore, count: int) -> None:
    """Wait until so many appends wait behind the one that is being stored."""
    pause = Event()
    for _ in range(1_000):
        if len(store._commits._queue) >= count:
            return
        pause.wait(0.01)
    raise AssertionError(f"{count} should be queued, not {len(store._commits._queue)}")


def bodies(article: StoredThread) -> list[str | None]:
    return [comment.body for comment in article.view(order="oldest").comments]


def posted(number: int, thread: str = "a") -> CommentPosted:
    return CommentPosted(id=make_id(1_700_000_000_000 + number, 0, number), thread=thread, actor=ANN, body=f"comment {number}")


# --- sharing ------------------------------------------------------------------------------------------------------------------


def test_a_lone_writer_commits_at_once():
    """One post is one commit, by whoever posts."""
    log = Gate()
    article = ThreadStore(log).thread(THREAD)
    for number in range(3):
        article.post(f"comment {number}", by=ANN)
    assert log.commits == [[THREAD]] * 3


def test_those_who_wait_share_a_commit():
    """All that was queued while somebody was committing is stored by the next commit, in the order in which it was decided."""
    log = Gate()
    store = ThreadStore(log)
    with Pool(log) as pool:
        log.hold()
        first = pool.submit(store.thread("a").post, "first", by=ANN)
        assert log.arrived.wait(WAIT)
        others = []
        for number, key in enumerate(["a", "b", "a", "c"], 1):
            others.append(pool.submit(store.thread(key).post, f"later {number}", by=BOB))
            queued(store, number)
        log.open.set()
        ids = [each.result(WAIT) for each in [first, *others]]
    assert log.commits == [["a"], ["a", "b", "a", "c"]]
    assert [record.event.id for record in log.read_all()] == ids == sorted(ids)
    assert bodies(store.thread("a")) == ["first", "later 1", "later 3"]


def test_many_threads_lose_and_repeat_nothing(tmp_path: Path):
    """Eight writers on one file are each acknowledged once for each post, in fewer commits than posts."""
    writers, each = 8, 25
    with ThreadStore(SqliteLog.open(tmp_path / "comments.db")) as store, ThreadPoolExecutor(writers) as pool:
        commits: list[str] = []
        store.log._database._writer.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        start = Barrier(writers)

        def write(writer: int) -> list[str]:
            start.wait(WAIT)
            return [store.thread(f"t{turn % 2}").post(f"{writer}: {turn}", by=ANN) for turn in range(each)]

        told = [id for ids in pool.map(write, range(writers)) for id in ids]
        assert sorted(record.event.id for record in store.log.read_all()) == sorted(told)
        assert len(set(told)) == writers * each
        assert len(commits) < writers * each / 2
        assert sum(counts.total for counts in store.counts(["t0", "t1"]).values()) == writers * each
        assert list(store.verify()) == []


# --- who sees what ------------------------------------------------------------------------------------------------------------


def test_no_reader_sees_what_is_not_stored():
    """A view that is asked for during a commit answers when it is done, and with what was stored."""
    log = Gate()
    store = ThreadStore(log)
    article = store.thread(THREAD)
    article.post("stored", by=ANN)
    with Pool(log) as pool:
        log.hold()
        log.fails = [StoreFull("full")]
        post = pool.submit(article.post, "lost", by=ANN)
        assert log.arrived.wait(WAIT)
        seen = pool.submit(bodies, article)
        assert not seen.done()
        assert bodies(store.thread("another")) == []
        log.open.set()
        with pytest.raises(StoreFull):
            post.result(WAIT)
        assert seen.result(WAIT) == ["stored"]


def test_who_decides_next_sees_what_is_queued():
    """A repeated text is refused while the first is still on its way, and the refusal waits until that is stored."""
    log = Gate()
    store = ThreadStore(log, policy=Policy(duplicate_window=60_000))
    article = store.thread(THREAD)
    with Pool(log) as pool:
        log.hold()
        first = pool.submit(article.post, "the same", by=ANN)
        assert log.arrived.wait(WAIT)
        second = pool.submit(article.post, "the same", by=ANN)
        log.open.set()
        first.result(WAIT)
        with pytest.raises(DuplicateComment):
            second.result(WAIT)
    assert bodies(article) == ["the same"]


def test_a_refusal_for_what_was_not_stored_is_taken_back():
    """A repeated text is let through when the first of the two could not be stored."""
    log = Gate()
    store = ThreadStore(log, policy=Policy(duplicate_window=60_000))
    article = store.thread(THREAD)
    article.post("stored", by=BOB)
    with Pool(log) as pool:
        log.hold()
        log.fails = [StoreFull("full")]
        first = pool.submit(article.post, "the same", by=ANN)
        assert log.arrived.wait(WAIT)
        second = pool.submit(article.post, "the same", by=ANN)
        log.open.set()
        with pytest.raises(StoreFull):
            first.result(WAIT)
        assert second.result(WAIT)
    assert bodies(article) == ["stored", "the same"]


def test_a_retry_is_acknowledged_when_the_first_is_stored():
    """A request that is repeated while the first is on its way is answered with it, and told only when it is stored."""
    log = Gate()
    store = ThreadStore(log, now=lambda: 1_700_000_000_000)
    id = make_id(1_700_000_000_000, 0, 1)
    with Pool(log) as pool:
        log.hold()
        first = pool.submit(store.thread(THREAD).post, "once", by=ANN, id=id)
        assert log.arrived.wait(WAIT)
        again = pool.submit(store.thread(THREAD).post, "once", by=ANN, id=id)
        assert not again.done()
        log.open.set()
        assert first.result(WAIT) == again.result(WAIT) == id
    assert log.position() == 1


# --- failing ------------------------------------------------------------------------------------------------------------------


def test_who_had_decided_on_what_was_lost_decides_anew():
    """A reply to a comment that could not be stored is refused; a post of the same thread is decided again, and stored."""
    log = Gate()
    store = ThreadStore(log, policy=Policy(flood_limit=2))
    article = store.thread(THREAD)
    article.post("stored", by=ANN)
    with Pool(log) as pool:
        log.hold()
        log.fails = [StoreFull("full")]
        lost = pool.submit(article.post, "lost", by=ANN)
        assert log.arrived.wait(WAIT)
        other = pool.submit(article.post, "after it", by=BOB)
        queued(store, 1)
        elsewhere = pool.submit(store.thread("another").post, "elsewhere", by=BOB)
        queued(store, 2)
        log.open.set()
        with pytest.raises(StoreFull):
            lost.result(WAIT)
        assert other.result(WAIT)
        assert elsewhere.result(WAIT)
    assert bodies(article) == ["stored", "after it"]
    assert bodies(store.thread("another")) == ["elsewhere"]
    article.post("one more", by=ANN)
    assert bodies(article) == ["stored", "after it", "one more"]


def test_a_commit_that_fails_is_everybodys():
    """All whose posts were in a commit that failed are told why, each with an error of their own, and none is stored."""
    log = Gate()
    store = ThreadStore(log)
    with Pool(log) as pool:
        log.hold()
        first = pool.submit(store.thread("a").post, "first", by=ANN)
        assert log.arrived.wait(WAIT)
        others = [pool.submit(store.thread(key).post, f"in {key}", by=BOB) for key in "bcd"]
        queued(store, 3)
        failure = StoreUnavailable("gate", "gone")
        failure.__cause__ = OSError("the disk")
        log.fails = []
        log.open.set()
        first.result(WAIT)
        with suppress(ThreadStoreError):
            for each in others:
                each.result(WAIT)
    log.hold()
    with Pool(log) as pool:
        first = pool.submit(store.thread("a").post, "first", by=ANN)
        assert log.arrived.wait(WAIT)
        others = [pool.submit(store.thread(key).post, f"again in {key}", by=BOB) for key in "bcd"]
        queued(store, 3)
        log.fails = []
        one = Lock()
        passed = log._pass

        def fail_the_second(appends: Sequence[Append]) -> None:
            passed(appends)
            if len(appends) == 3 and one.acquire(blocking=False):
                raise failure

        log._pass = fail_the_second  # type: ignore[method-assign]
        log.open.set()
        first.result(WAIT)
        errors = [each.exception(WAIT) for each in others]
    assert [(type(error), str(error)) for error in errors] == [(StoreUnavailable, str(failure))] * 3
    assert len({id(error) for error in errors}) == 3
    assert {repr(error.__cause__) for error in errors if error} == {repr(failure.__cause__)}
    assert store.counts(["a", "b", "c", "d"])["b"].total == 1


def test_one_conflict_does_not_hinder_the_others(tmp_path: Path):
    """Of several appends in one commit, the one under another's id is refused, with what rests on it; the rest is stored."""
    with ThreadStore(SqliteLog.open(tmp_path / "comments.db")) as store:
        store.log.append("z", [posted(1, "z")])
        commits = Commits(store.log)
        other = commits.add(Append("b", [posted(2, "b")]), None)
        refused = commits.add(Append("a", [posted(1)]), None)
        resting = commits.add(Append("a", [posted(3)]), refused)
        known = commits.add(Append("z", [posted(1, "z"), posted(4, "z")]), None)
        commits.drive(resting)
        assert commits.wait(other) == Appended((2,), 1, 1)
        with pytest.raises(ConflictingEvent):
            commits.wait(refused)
        with pytest.raises(Overtaken):
            commits.wait(resting)
        assert commits.wait(known) == Appended((1, 3), 1, 2)
        assert [record.event.id for record in store.log.read_all()] == [posted(n).id for n in (1, 2, 4)]


def test_what_rests_on_a_failure_of_an_earlier_commit_is_not_tried():
    """An append whose forerunner failed fails too, whatever it holds, and so does what rests on it."""
    log = Gate()
    commits = Commits(log)
    first = commits.add(Append("a", [posted(1)]), None)
    log.fails = [StoreFull("full")]
    commits.drive(first)
    second = commits.add(Append("a", [posted(2)]), first)
    third = commits.add(Append("a", [posted(3)]), second)
    for commit, error in ((first, StoreFull), (second, Overtaken), (third, Overtaken)):
        with pytest.raises(error):
            commits.wait(commit)
    assert log.position() == 0
    assert third.before is None


def test_an_interrupted_leader_leaves_nobody_waiting():
    """Who leads and is interrupted raises it; the others of that commit are told, and the next in line leads."""
    log = Gate()
    commits = Commits(log)
    ours = commits.add(Append("a", [posted(1)]), None)
    others = commits.add(Append("b", [posted(2, "b")]), None)
    log.fails = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        commits.wait(ours)
    with pytest.raises(StoreUnavailable, match="interrupted"):
        commits.wait(others)
    assert commits.wait(commits.add(Append("b", [posted(2, "b")]), None)).new == 1


def test_after_company_a_leader_waits_for_company(monkeypatch: pytest.MonkeyPatch):
    """Whose commits were shared are about to come again, so the first gives the others a turn; then nobody is waited for."""
    log = Gate()
    log.open.set()
    commits = Commits(log)
    late: list[Append] = []
    monkeypatch.setattr("threadstore.store.commits.time.sleep", lambda _: late and commits.add(late.pop(), None))
    for first, meanwhile in (("a", "b"), ("c", "d"), ("e", ""), ("f", "g")):
        commit = commits.add(Append(first, [posted(ord(first), first)]), None)
        late[:] = [Append(meanwhile, [posted(ord(meanwhile), meanwhile)])] if meanwhile else []
        if first == "a":
            commits.add(late.pop(), None)
        commits.wait(commit)
    assert log.commits == [["a", "b"], ["c", "d"], ["e"], ["f"]]


class _Interrupted:
    """A lock on which whoever sleeps is interrupted, when they have been woken or before."""

    def __init__(self, lock: Any, *, woken: bool) -> None:
        self.lock, self.woken = lock, woken

    def acquire(self) -> None:
        if self.woken:
            assert self.lock.acquire(timeout=WAIT)
        raise KeyboardInterrupt

    def release(self) -> None:
        self.lock.release()


@pytest.mark.parametrize("woken", [True, False])
def test_an_interrupted_sleeper_passes_the_baton_on(woken: bool):
    """Who is interrupted while waiting, or when it is their turn to lead, leaves their append to be stored by another."""
    log = Gate()
    commits = Commits(log)

    class Sleepy(Commit):
        __slots__ = ()

        def sleeper(self) -> Any:
            sleeper = _Interrupted(super().sleeper(), woken=woken)
            self.sleepers[:] = [sleeper]  # type: ignore[list-item]
            return sleeper

    def interrupted(commit: Commit) -> None:
        with pytest.raises(KeyboardInterrupt):
            commits.drive(commit)

    with ExitStack() as stack:
        stack.callback(log.open.set)
        log.hold()
        leader = Thread(target=commits.drive, args=(commits.add(Append("a", [posted(1)]), None),))
        leader.start()
        assert log.arrived.wait(WAIT)
        sleepy = Sleepy(Append("b", [posted(2, "b")]), None)
        commits._queue.append(sleepy)
        sleeper = Thread(target=interrupted, args=(sleepy,))
        sleeper.start()
        while woken and not sleepy.sleepers:
            Event().wait(0.01)
        if not woken:
            sleeper.join(WAIT)
        last = commits.add(Append("c", [posted(3, "c")]), None)
        waiting = Thread(target=commits.drive, args=(last,))
        waiting.start()
        while not last.sleepers:
            Event().wait(0.01)
        log.open.set()
        for thread in (leader, sleeper, waiting):
            thread.join(WAIT)
            assert not thread.is_alive()
    assert log.commits == [["a"], ["b", "c"]]
    assert sleepy.done


# --- and everything else ------------------------------------------------------------------------------------------------------


def test_an_erasure_goes_alone_and_last():
    """An erasure waits for what is queued of its thread, so nothing that it absorbs is stored behind it."""
    log = Gate()
    store = ThreadStore(log)
    article = store.thread(THREAD)
    comment = article.post("secret", by=ANN)
    with Pool(log) as pool:
        log.hold()
        edit = pool.submit(article.edit, comment, "more secret", by=ANN)
        assert log.arrived.wait(WAIT)
        erase = pool.submit(article.erase, comment, by=NOOR)
        assert not erase.done()
        log.open.set()
        edit.result(WAIT)
        erase.result(WAIT)
    assert not any(b"secret" in record.data for record in log.read_all())
    assert article.comment(comment).concealed == "erased"


def test_a_thread_that_was_forgotten_waits_for_what_was_queued():
    """When a merge lets a thread go that has something queued, the next writer decides on that as well."""
    log = Gate()
    store = ThreadStore(log, policy=Policy(duplicate_window=60_000))
    article = store.thread(THREAD)
    article.post("stored", by=BOB)
    with Pool(log) as pool:
        log.hold()
        first = pool.submit(article.post, "the same", by=ANN)
        assert log.arrived.wait(WAIT)
        store._hot.forget(THREAD)
        second = pool.submit(article.post, "the same", by=ANN)
        log.open.set()
        first.result(WAIT)
        with pytest.raises(DuplicateComment):
            second.result(WAIT)
    assert bodies(article) == ["stored", "the same"]
    assert article.revision == article.view().revision == 2


def test_nobody_sleeps_on_what_is_done():
    """Whoever comes to wait while an append is being settled is not left waiting for it."""
    commit = Commit(Append(THREAD, []), None)
    early = commit.sleeper()
    commit.settle(Appended((), 0, Revision(0)))
    assert (early.locked(), commit.sleeper().locked()) == (True, False)
    assert commit.sleepers == [early]
