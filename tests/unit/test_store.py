"""A store loads, decides and appends; it keeps threads in memory, and is none the worse for keeping none."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec.structs import replace

import threadstore
from threadstore import (
    SUPPORT,
    Actor,
    ClockSkew,
    CommentNotFound,
    ConflictingEvent,
    CorruptRecord,
    Event,
    MergeRefused,
    NotAllowed,
    Policy,
    Record,
    Rejected,
    StaleId,
    StoreClosed,
    StoredThread,
    StoreUnavailable,
    ThreadIsLocked,
    ThreadStore,
)
from threadstore.dense_outline import DenseOutline
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import Appended, EventLog, Revision
from threadstore.model import commands as c
from threadstore.model.events import Erasure
from threadstore.model.ids import make_id, time_of
from threadstore.testing.given import (
    ANN,
    BOB,
    EDITOR,
    EPOCH,
    MODERATOR,
    THREAD,
    edited,
    erased,
    id_of,
    posted,
)
from threadstore.testing.places import Place, Wall

SKEW = Policy().max_clock_skew
YEAR = 365 * 24 * 3_600_000


def bodies(thread: StoredThread, **reading: object) -> list[str | None]:
    """Return what stands on the first page, the top level alone."""
    return [comment.body for comment in thread.view(**reading).comments]


def fresh_id(number: int, ms: int = EPOCH) -> str:
    """Return an id as a careful client makes it."""
    return make_id(ms, 0, number)


# --- opening and closing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [":memory:", "comments.db"])
def test_the_example_of_the_design(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What the design shows first works word for word, in memory and in a file."""
    ann = Actor("u-17", "Ann Lee")
    with threadstore.open(target if target == ":memory:" else tmp_path / target) as store:
        article = store.thread("2023/05/03/drones")
        first = article.post("I was there.", by=ann, spoiler=True)
        reply = article.reply(first, "@Ann Lee, same here.", by=Actor("u-18", "Jo Park"))
        article.react(first, SUPPORT, by="u-18")
        page = article.view(order="top", limit=20, reader="u-18", reveal={first})
        assert (page.counts.top_level, page.counts.total, page.next) == (1, 2, None)
        for comment in page.comments:
            print(comment.author, comment.body, comment.reactions, len(comment.replies))  # noqa: T201 - the design prints it
    assert capsys.readouterr().out == "Actor(id='u-17', name='Ann Lee', role='reader') I was there. {'support': 1} 1\n"
    assert page.comments[0].replies[0].id == reply


def test_a_file_keeps_what_was_said(tmp_path: Path):
    """What was written is there when the file is opened again, by a path or by its name."""
    with threadstore.open(tmp_path / "comments.db") as store:
        store.thread("a").post("I was there.")
    with threadstore.open(str(tmp_path / "comments.db"), durability="normal") as store:
        assert bodies(store.thread("a")) == ["I was there."]


@pytest.mark.parametrize(
    ("target", "options", "error", "says"),
    [
        ("postgresql://localhost/comments", {}, ValueError, "no log is known for 'postgresql'"),
        ("", {}, ValueError, "file is needed"),
        ("comments.db", {"durability": "perhaps"}, ValueError, "durability"),
        ("comments.db", {"cache_bytes": -1}, ValueError, "cache_bytes"),
        ("comments.db", {"cache_bytes": 1.5}, ValueError, "cache_bytes"),
        (".", {}, StoreUnavailable, "it is a directory"),
        ("nowhere/comments.db", {}, StoreUnavailable, "its directory does not exist"),
        ("letter.txt", {}, StoreUnavailable, "not a SQLite database"),
        (None, {}, TypeError, "PathLike"),
    ],
)
def test_what_can_not_be_opened(
    target: str, options: dict[str, object], error: type[Exception], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A bad target or option is named, and leaves nothing open behind it."""
    monkeypatch.chdir(tmp_path)
    Path("letter.txt").write_text("Dear Sir,\n" * 1_000, encoding="utf-8")
    with pytest.raises(error, match=says) as refusal:
        threadstore.open(target, **options)
    assert refusal.tb  # which keeps all that was opened, so that a file that is still open has a WAL
    assert not list(tmp_path.glob("*-wal"))
    assert Path("letter.txt").read_text(encoding="utf-8").startswith("Dear Sir,")


def test_what_can_not_be_written_to_says_so():
    """An error of the log reaches the caller as it is, and the store goes on with what is stored."""

    class ReadOnly(MemoryLog):
        def append(self, *arguments: object, **options: object) -> Appended:
            raise StoreUnavailable("comments.db", "it is read-only")

    store = ThreadStore(ReadOnly())
    with pytest.raises(StoreUnavailable, match="read-only"):
        store.thread("a").post("I was there.")
    with pytest.raises(StoreUnavailable, match="read-only"):
        store.merge([posted(1)])
    assert store.thread("a").counts().total == 0


def test_a_store_says_what_it_is(place: Place):
    """A store shows in which kind of log it keeps its threads."""
    store = place.open()
    assert repr(store) == f"<ThreadStore on a {type(store.log).__name__}, threads in memory: 0>"


def test_leaving_the_context_closes_the_store(place: Place):
    """The context manager lends the store itself, and closes it also after an error; closing again does nothing."""
    with pytest.raises(CommentNotFound), place.open() as store:
        store.thread("a").reply(id_of(1), "To whom?")
    store.close()
    assert repr(store).endswith("threads in memory: 0>")
    with pytest.raises(StoreClosed):
        store.thread("a").view()


@pytest.mark.parametrize(
    "use",
    [
        lambda store, path: store.thread("a").post("again"),
        lambda store, path: store.thread("a").react(id_of(1), by=BOB, id=id_of(2)),
        lambda store, path: store.thread("a").view(),
        lambda store, path: store.thread("a").flat(),
        lambda store, path: store.thread("a").comment(id_of(1)),
        lambda store, path: store.thread("a").replies(id_of(1)),
        lambda store, path: store.thread("a").counts(),
        lambda store, path: store.thread("a").corrections(),
        lambda store, path: store.thread("a").queue(),
        lambda store, path: store.thread("a").digest(),
        lambda store, path: store.thread("a").revision,
        lambda store, path: store.thread("a").history(),
        lambda store, path: store.thread("a").changes(0),
        lambda store, path: store.thread("a").as_of(0),
        lambda store, path: store.thread("a").as_known_at(0),
        lambda store, path: store.execute(c.Post(thread="a", body="again")),
        lambda store, path: store.threads(),
        lambda store, path: store.counts(["a"]),
        lambda store, path: store.queue(),
        lambda store, path: store.latest(),
        lambda store, path: store.by_person("ann"),
        lambda store, path: next(store.subscribe()),
        lambda store, path: store.merge([]),
        lambda store, path: store.merge([posted(1)]),
        lambda store, path: store.export(),
        lambda store, path: store.export_person("ann"),
        lambda store, path: store.erase_person("ann", by=MODERATOR),
        lambda store, path: list(store.verify()),
        lambda store, path: store.backup(path),
    ],
)
def test_a_closed_store_does_nothing(use: Callable[[ThreadStore, Path], object], place: Place, tmp_path: Path):
    """Every method of a closed store, and of its threads, says that it is closed."""
    store = place.open()
    store.thread("a").post("I was there.", by=ANN)
    store.close()
    with pytest.raises(StoreClosed):
        use(store, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_past_of_a_closed_store_is_closed(place: Place):
    """A past looks at today's texts, which a closed store can not tell."""
    store = place.open()
    store.thread("a").post("I was there.")
    past = store.thread("a").as_of(EPOCH)
    store.close()
    with pytest.raises(StoreClosed):
        past.view()


def test_a_child_is_refused_and_leaves_the_store_to_its_parent(monkeypatch: pytest.MonkeyPatch):
    """A process that has inherited the store is told so at once; its closing takes nothing from the parent's memory."""
    store = ThreadStore(MemoryLog())
    id = store.thread("a").post("I was there.")
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    for use in (store.thread("a").view, lambda: store.thread("a").post("Me too.")):
        with pytest.raises(StoreUnavailable, match="before the process forked"):
            use()
    store.close()
    monkeypatch.undo()
    assert repr(store).endswith("threads in memory: 1>")
    assert store.thread("a").comment(id).body == "I was there."


@pytest.mark.parametrize(("key", "error"), [("", ValueError), ("a\0b", ValueError), ("k" * 1_001, ValueError), (5, TypeError)])
def test_a_key_that_can_not_be_one(key: str, error: type[Exception], store: ThreadStore):
    """What can not name a thread is refused before anything is asked of it."""
    with pytest.raises(error):
        store.thread(key)


def test_naming_a_thread_does_no_work(store: ThreadStore):
    """A thread that was only named is not stored, and one that was only looked at is not either."""
    store.thread("a")
    assert store.thread("b").view().comments == ()
    assert list(store.threads()) == []


def test_the_threads_of_a_store(store: ThreadStore):
    """Threads are listed in the order of their first events, each with comments of its own."""
    for key in ("b", "a", "b"):
        store.thread(key).post(f"in {key}")
    assert list(store.threads()) == ["b", "a"]
    assert bodies(store.thread("b")) == ["in b", "in b"]
    assert store.counts(["a", "b", "c"]) == {key: store.thread(key).counts() for key in "abc"}
    assert [counts.total for counts in store.counts(["c", "b"]).values()] == [0, 2]


# --- writing --------------------------------------------------------------------------------------------------------------------


def test_a_command_may_come_from_json(store: ThreadStore):
    """A web layer decodes a command, says who acts, and has it executed."""
    asked = msgspec.json.decode(b'{"command": "post", "thread": "a", "body": "I was there."}', type=c.AnyCommand)
    comment = store.execute(replace(asked, by=ANN))
    assert store.thread("a").comment(comment).author == ANN


def test_what_is_rejected_leaves_no_trace(store: ThreadStore, article: StoredThread):
    """A command that the rules forbid stores nothing, and the next one goes well."""
    with pytest.raises(CommentNotFound):
        article.reply(id_of(1), "To whom?", by=ANN)
    with pytest.raises(NotAllowed):
        article.lock(by=BOB)
    assert store.log.position() == 0
    article.post("I was there.", by=ANN)
    assert store.log.position() == 1


def test_a_command_that_says_more_than_one_thing_is_named_after_one(place: Place):
    """A report that makes the policy hold the comment returns the report, and an approval that resolves it the approval."""
    store = place.open(policy=Policy(report_threshold=1))
    article = store.thread(THREAD)
    comment = article.post("I was there.", by=ANN)
    report = article.report(comment, by=BOB, id=fresh_id(7, EPOCH + 1))
    assert article.comment(comment).standing == ("held",)
    approval = article.approve(comment, by=MODERATOR)
    kinds = {event.id: event.kind_tag for event in article.history()}
    assert (kinds[report], kinds[approval], len(kinds)) == ("comment.reported", "comment.approved", 5)
    assert article.report(comment, by=BOB, id=report) == report
    assert store.log.position() == 5


def test_the_policy_is_that_of_the_application(place: Place):
    """What is offered, and who may do what, is decided and shown by the store's own policy."""
    store = place.open(policy=Policy(kinds={"up"}, moderators={"editor"}))
    article = store.thread(THREAD)
    comment = article.post("I was there.", by=ANN)
    article.react(comment, "up", by=BOB)
    article.remove(comment, by=EDITOR)
    with pytest.raises(Rejected):
        article.restore(comment, by=MODERATOR)
    assert (article.counts().hidden, store.thread(THREAD).comment(comment).concealed) == (1, "removed")
    assert place.open().thread(THREAD).counts().total == 1


# --- the same request again -----------------------------------------------------------------------------------------------------


def test_a_request_is_repeated_after_a_restart(place: Place):
    """A client that never heard the answer asks again, of a process that knows nothing of it: once stays once."""
    first = place.open().thread(THREAD).post("I was there.", by=ANN, id=fresh_id(1))
    again = place.open().thread(THREAD)
    assert again.post("I was there.", by=ANN, id=fresh_id(1)) == first == fresh_id(1)
    assert again.counts().total == 1


def test_a_new_request_is_looked_up_once(store: ThreadStore, article: StoredThread, monkeypatch: pytest.MonkeyPatch):
    """That an id is above all of the thread is known; whether another thread has it, the log is asked once."""
    article.post("I was there.", by=ANN, id=fresh_id(1))
    asked: list[str] = []
    find = store.log.find
    monkeypatch.setattr(store.log, "find", lambda id: asked.append(id) or find(id))
    article.post("So was I.", by=BOB, id=fresh_id(2))
    assert asked == [fresh_id(2)]


def test_a_request_is_repeated_after_a_lock(store: ThreadStore, article: StoredThread):
    """A retry is answered before anything else is decided, so a lock that came in between does not refuse it."""
    article.post("I was there.", by=ANN, id=fresh_id(1))
    article.lock(by=MODERATOR)
    assert article.post("I was there.", by=ANN, id=fresh_id(1)) == fresh_id(1)
    with pytest.raises(ThreadIsLocked):
        article.post("So was I.", by=BOB, id=fresh_id(2))
    assert article.counts().total == 1


@pytest.mark.parametrize("forget", ["comment", "person"])
def test_what_was_erased_stays_erased_when_it_is_sent_again(forget: str, place: Place):
    """The retry of a post whose words are forgotten finds it there, and does not bring them back."""
    store = place.open()
    article = store.thread(THREAD)
    article.post("I was there.", by=ANN, id=fresh_id(1))
    article.erase(fresh_id(1), by=MODERATOR) if forget == "comment" else store.erase_person("ann", by=MODERATOR)
    for each in (store, place.open()):
        assert each.thread(THREAD).post("I was there.", by=ANN, id=fresh_id(1)) == fresh_id(1)
        assert each.thread(THREAD).comment(fresh_id(1)).concealed == "erased"
        assert each.log.position() == 2
        assert "I was there." not in str(list(each.export()))


@pytest.mark.parametrize(
    "other",
    [
        lambda store, id: store.thread(THREAD).post("I was not.", by=ANN, id=id),
        lambda store, id: store.thread(THREAD).post("I was there.", by=BOB, id=id),
        lambda store, id: store.thread(THREAD).post("I was there.", id=id),
        lambda store, id: store.thread(THREAD).lock(by=MODERATOR, id=id),
        lambda store, id: store.thread("another").post("I was there.", by=ANN, id=id),
    ],
)
def test_an_id_belongs_to_one_fact(other: Callable[[ThreadStore, str], str], place: Place):
    """Another request under a known id is refused, whether or not the thread is in memory, and stores nothing."""
    place.open().thread(THREAD).post("I was there.", by=ANN, id=fresh_id(1))
    for store in (place.open(), place.open()):
        with pytest.raises(ConflictingEvent) as refusal:
            other(store, fresh_id(1))
        assert refusal.value.id == fresh_id(1)
        assert store.log.position() == 1


@pytest.mark.parametrize("id", ["", "first", fresh_id(1).upper(), "00000000-0000-0000-0000-000000000000"])
def test_an_id_is_a_uuid_of_version_7(id: str, article: StoredThread):
    """What is no id is misuse, and nothing is stored under it."""
    with pytest.raises(ValueError, match="UUIDv7"):
        article.post("I was there.", id=id)
    assert article.counts().total == 0


def test_what_was_evicted_from_memory_is_found_in_the_log(later: Place):
    """A fact that no longer stands in a large thread is found all the same; so its request can be repeated."""
    edits = [edited(number, 1, by=ANN) for number in (2_200, 2_201)]
    later.open().merge([*(posted(number) for number in range(1, 2_200)), *edits])
    later.open().thread(THREAD).counts()
    store = later.open()
    with store.using(THREAD) as thread:
        assert [thread.fact(edit.id) for edit in edits] == edits
        assert thread.cells(id_of(1))["edited"] == {(edits[1].writer,): edits[1]}
    assert store.thread(THREAD).edit(id_of(1), "w2200", by=ANN, id=id_of(2_200)) == id_of(2_200)
    with pytest.raises(ConflictingEvent):
        store.thread(THREAD).edit(id_of(1), "another", by=ANN, id=id_of(2_200))
    assert store.log.position() == 2_201


class Meanwhile:
    """A hook that lets something happen once, between the moment a command is decided and the moment it is stored."""

    def __init__(self) -> None:
        self.happens: Callable[[], object] | None = None

    def __call__(self, command: c.Command, thread: object) -> bool:
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        return True


def test_one_request_sent_to_two_processes_is_one_event(place: Place):
    """Both answer with its id, also where the later one had decided in sight of another text."""
    meanwhile = Meanwhile()
    article = place.open(policy=Policy(may=meanwhile)).thread(THREAD)
    other = place.open().thread(THREAD)
    comment = article.post("first", by=ANN)

    def the_other_is_faster() -> None:
        other.edit(comment, "second", by=MODERATOR)
        other.edit(comment, "third", by=ANN, id=fresh_id(9, EPOCH + 1))

    meanwhile.happens = the_other_is_faster
    assert article.edit(comment, "third", by=ANN, id=fresh_id(9, EPOCH + 1)) == fresh_id(9, EPOCH + 1)
    assert [event.id for event in article.history()].count(fresh_id(9, EPOCH + 1)) == 1
    assert article.revision == 3


def test_two_requests_under_one_id_are_told_apart_also_when_they_race(place: Place):
    """The one that was stored first has the id; the other is refused."""
    meanwhile = Meanwhile()
    article = place.open(policy=Policy(may=meanwhile)).thread(THREAD)
    other = place.open().thread(THREAD)
    meanwhile.happens = lambda: other.post("theirs", by=ANN, id=fresh_id(9))
    with pytest.raises(ConflictingEvent):
        article.post("ours", by=ANN, id=fresh_id(9))
    assert bodies(article) == ["theirs"]


def test_chance_that_repeats_itself_is_noticed(place: Place):
    """Two processes that mint one id for two facts hear of it; neither fact is lost in silence."""
    meanwhile = Meanwhile()
    article = place.open(policy=Policy(may=meanwhile), random=lambda bits: 0).thread(THREAD)
    other = place.open(random=lambda bits: 0).thread(THREAD)
    meanwhile.happens = lambda: other.post("theirs", by=ANN)
    with pytest.raises(ConflictingEvent):
        article.post("ours", by=ANN)
    assert bodies(article) == ["theirs"]
    article.post("ours", by=ANN)
    assert bodies(other) == ["theirs", "ours"]


def test_what_another_process_writes_meanwhile_is_not_overlooked(place: Place):
    """Two that write to one thread at once both have their say, and both read all of it."""
    meanwhile = Meanwhile()
    article = place.open(policy=Policy(may=meanwhile)).thread(THREAD)
    other = place.open().thread(THREAD)
    meanwhile.happens = lambda: other.post("theirs", by=BOB)
    article.post("ours", by=ANN)
    assert sorted(bodies(article)) == sorted(bodies(other)) == ["ours", "theirs"]
    assert article.digest() == other.digest()


# --- ids and clocks -------------------------------------------------------------------------------------------------------------


def test_ids_ascend_whatever_the_clock_does(place: Place):
    """A wall clock that stands still, runs backwards, or begins before 1970 does not disturb the order of comments."""
    article = place.open().thread(THREAD)
    ids = []
    for ms in (EPOCH, EPOCH, EPOCH - 60_000, 0, -5, EPOCH + 1):
        place.wall.ms = ms
        ids.append(article.post(f"at {ms}"))
    assert ids == sorted(set(ids))
    assert [comment.id for comment in article.view().comments] == ids


def test_ids_ascend_across_restarts(place: Place):
    """A process that starts with a clock behind that of the one before goes on above what is there."""
    first = place.open().thread(THREAD).post("yesterday")
    place.wall.ms -= 3_600_000
    assert place.open().thread(THREAD).post("today") > first


def test_a_clock_that_was_a_year_ahead_spoils_one_thread_only(place: Place):
    """Its thread goes on in order; no other thread follows it into the future, not in this process either."""
    store = place.open()
    before = store.thread("before").post("on time")
    place.wall.ms += YEAR
    ahead = store.thread("ahead").post("a year ahead")
    place.wall.ms = EPOCH
    assert store.thread("ahead").post("set right") > ahead
    for key in ("before", "after"):
        assert time_of(store.thread(key).post("on time again")) - EPOCH < 1_000
    assert store.thread("before").post("and again") > before
    assert store.thread("ahead").counts().total == 2


def test_a_counter_that_runs_out_borrows_the_next_millisecond(wall: Wall):
    """More comments within one millisecond than its counter can tell apart still have ids that ascend, and lie near now."""
    store = ThreadStore(MemoryLog(), now=wall, random=lambda bits: (1 << bits) - 1)
    article = store.thread(THREAD)
    ids = [article.post("again") for _ in range(2_100)]
    assert ids == sorted(set(ids))
    assert {time_of(id) for id in ids} == {EPOCH, EPOCH + 1}


def test_an_id_of_the_caller_must_be_of_its_time(article: StoredThread):
    """An id from further away than clocks may differ is refused, not accepted and without effect."""
    with pytest.raises(ClockSkew) as ahead:
        article.post("tomorrow", id=fresh_id(1, EPOCH + SKEW + 1))
    assert ahead.value.retry_at == EPOCH + 1
    with pytest.raises(StaleId):
        article.post("yesterday", id=fresh_id(1, EPOCH - SKEW - 1))
    assert article.post("now", id=fresh_id(1, EPOCH - SKEW)) == fresh_id(1, EPOCH - SKEW)
    assert article.counts().total == 1


def test_the_wall_clock_is_that_of_the_system():
    """Left to itself, a store mints ids of the present."""
    before = time.time_ns() // 1_000_000
    with threadstore.open(":memory:") as store:
        posted_at = time_of(store.thread("a").post("now"))
        assert before <= posted_at <= store.now()


# --- other processes ------------------------------------------------------------------------------------------------------------


def test_two_processes_read_what_the_other_writes(place: Place):
    """Two stores over one log, as two processes would have them, take turns and always show the same."""
    stores = [place.open(), place.open()]
    ids = []
    for turn in range(6):
        ids.append(stores[turn % 2].thread(THREAD).post(f"turn {turn}", by=ANN))
        pages = [store.thread(THREAD).view() for store in stores]
        assert pages[0] == pages[1]
        assert [comment.id for comment in pages[0].comments] == ids == sorted(ids)
        assert pages[0].revision == turn + 1


def test_an_erasure_by_another_process_reaches_memory(place: Place):
    """A thread that was in memory with the words is read anew when another process has erased them."""
    mine, theirs = place.open().thread(THREAD), place.open()
    comment = mine.post("unspeakable", by=ANN)
    mine.edit(comment, "unspeakable as well", by=ANN)
    theirs.thread(THREAD).erase(comment, by=MODERATOR)
    mine.post("later", by=BOB)
    with mine._store.using(THREAD) as thread:
        assert "unspeakable" not in str([*thread.facts(), *thread.standing_facts()])
    assert mine.comment(comment).concealed == "erased"


@pytest.mark.parametrize("way", ["decided", "merged"])
def test_an_erasure_by_this_store_leaves_memory_at_once(way: str, place: Place):
    """The words are not in memory any more when the erasure returns, whether it was decided here or merged."""
    store = place.open()
    comment = store.thread(THREAD).post("unspeakable", by=ANN)
    store.thread(THREAD).view()
    place.wall.ms += 2_000
    store.thread(THREAD).erase(comment, by=MODERATOR) if way == "decided" else store.merge([erased(1, comment)])
    gc.collect()
    alive = [each for each in gc.get_objects() if isinstance(each, threadstore.Thread)]
    assert "unspeakable" not in str([list(thread.facts()) for thread in alive])
    assert store.thread(THREAD).counts().hidden == 1


def test_an_erasure_that_a_new_policy_makes_effective(later: Place):
    """Where today's policy lets editors erase, what an editor once wrote conceals, also behind a snapshot."""
    store = later.open()
    store.merge(posted(number) for number in range(1, 2_200))
    store.thread(THREAD).view()
    store.merge([erased(2_300, 7, by=EDITOR)])
    assert store.thread(THREAD).comment(id_of(7)).body == "w7"
    today = later.open(policy=Policy(moderators={"moderator", "editor"})).thread(THREAD)
    assert today.comment(id_of(7)).concealed == "erased"
    assert today.counts().total == 2_198


# --- several Python threads -----------------------------------------------------------------------------------------------------


def all_at_once(count: int, do: Callable[[int], object]) -> list[object]:
    """Let *count* Python threads begin together, and return what each came to."""
    start = Barrier(count)

    def begin(number: int) -> object:
        start.wait(60)
        return do(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_many_write_to_one_thread(place: Place):
    """Of eight who post fifty comments each at once none loses one, and the log holds them in the order of their ids."""
    article = place.open().thread(THREAD)
    posts = all_at_once(8, lambda number: [article.post(f"{number}: {turn}", by=f"u-{number}") for turn in range(50)])
    stored = [event.id for event in article.history()]
    assert stored == sorted(stored)
    assert sorted(id for ids in posts for id in ids) == stored
    assert article.counts().total == 400
    assert all(ids == sorted(ids) for ids in posts)


def test_many_use_more_threads_than_there_is_room_for(tmp_path: Path):
    """Threads that are let go while others come for them lose nothing and never disagree with themselves."""

    def write(number: int) -> None:
        for turn in range(24):
            article = store.thread(f"article {(number + turn) % 6}")
            comment = article.post("I was there.", by=f"u-{number}")
            article.react(comment, by="ann")
            assert article.comment(comment).reactions == {SUPPORT: 1}

    with Place(tmp_path / "comments.db", cache_bytes=1) as place:
        store = place.open()
        all_at_once(4, write)
        assert [counts.total for counts in store.counts(store.threads()).values()] == [16] * 6
        assert repr(store).endswith("in memory: 1>")


# --- memory ---------------------------------------------------------------------------------------------------------------------


def test_threads_in_memory_are_bounded(wall: Wall):
    """However many threads are written to and looked at, only so many stay in memory, and all still say what was said."""
    store = ThreadStore(MemoryLog(), cache_bytes=50_000, now=wall)
    for key in map(str, range(100)):
        store.thread(key).post(f"in {key}")
    for key in map(str, range(100)):
        assert bodies(store.thread(key)) == [f"in {key}"]
    assert 2 <= len(store._hot) <= 20


def test_what_is_written_counts_as_well(wall: Wall):
    """A thread that grows by what this very store writes takes its room in memory."""
    store = ThreadStore(MemoryLog(), cache_bytes=50_000, now=wall)
    store.thread("small").post("I was there.")
    for _ in range(50):
        store.thread("large").post("x" * 1_000)
    assert len(store._hot) == 1


def test_a_fold_that_breaks_off_is_not_kept(wall: Wall, monkeypatch: pytest.MonkeyPatch):
    """A thread that ran out of memory in the middle of an event is read anew, so nothing half done is ever shown."""
    log = MemoryLog()
    article, elsewhere = ThreadStore(log, now=wall).thread(THREAD), ThreadStore(log, now=wall).thread(THREAD)
    add = DenseOutline.add_plain

    def run_out(*arguments: object) -> None:
        monkeypatch.setattr(DenseOutline, "add_plain", add)
        raise MemoryError

    article.post("first")
    assert bodies(article) == ["first"]
    elsewhere.post("second")
    monkeypatch.setattr(DenseOutline, "add_plain", run_out)
    with pytest.raises(MemoryError):
        article.view()
    assert bodies(article) == ["first", "second"]
    assert article.view().revision == 2


def test_a_post_that_can_not_be_folded_is_not_stored(wall: Wall, monkeypatch: pytest.MonkeyPatch):
    """A writer whose thread ran out of memory has written nothing, and the thread is read anew."""
    article = ThreadStore(MemoryLog(), now=wall).thread(THREAD)
    add = DenseOutline.add_plain

    def run_out(*arguments: object) -> None:
        monkeypatch.setattr(DenseOutline, "add_plain", add)
        raise MemoryError

    article.post("first")
    assert bodies(article) == ["first"]
    monkeypatch.setattr(DenseOutline, "add_plain", run_out)
    with pytest.raises(MemoryError):
        article.post("second")
    assert bodies(article) == ["first"]
    article.post("third")
    assert bodies(article) == ["first", "third"]


class Damaged(MemoryLog):
    """A log in which the rows at some positions are damaged, and those at others are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: set[int] = set()
        self.lost: set[int] = set()

    def told(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            if record.position not in self.lost:
                yield replace(record, damage="it is damaged") if record.position in self.damaged else record

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        return self.told(super().read(thread, after=after))

    def read_all(self, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        return self.told(super().read_all(after=after, limit=limit))

    def find(self, id: str) -> Record | None:
        return next(self.told(iter([record for record in [super().find(id)] if record])), None)

    acts_of = EventLog.acts_of  # looks through what `read_all` tells


@pytest.fixture
def damaged(wall: Wall) -> Iterator[ThreadStore]:
    """Return a store whose log is damaged: of five comments of one thread, the second can not be read, the last is gone."""
    log = Damaged()
    with ThreadStore(log, now=wall, cache_bytes=0) as store:
        for number in range(1, 6):
            store.thread("a").post(f"comment {number}", by=ANN)
        store.thread("b").post("I was there.", by=BOB)
        log.damaged, log.lost = {2}, {5}
        yield store


def test_a_damaged_event_is_all_that_is_missing(damaged: ThreadStore):
    """Its thread goes on and says how many events are missing, at its end as well; other threads are as they were."""
    view = damaged.thread("a").view()
    assert [comment.body for comment in view.comments] == ["comment 1", "comment 3", "comment 4"]
    assert (view.unreadable, view.revision, view.counts.total) == (2, 5, 3)
    assert damaged.thread("b").view().unreadable == 0
    assert [item.comment.body for item in damaged.latest()] == ["I was there.", "comment 4", "comment 3", "comment 1"]
    assert [event["body"] for event in msgspec.json.decode(damaged.export_person(ANN.id))] == [
        "comment 1",
        "comment 3",
        "comment 4",
    ]


def test_a_row_that_is_told_twice_counts_once(wall: Wall):
    """Where a damaged index leads to one row by two ways, the thread has it once, and nothing is taken to be missing."""

    class Twice(MemoryLog):
        def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
            records = list(super().read(thread, after=after))
            return iter([*records, *records[-2:]])

    store = ThreadStore(Twice(), now=wall)
    for number in range(3):
        store.thread("a").post(f"comment {number}", by=ANN)
    view = ThreadStore(store.log, now=wall).thread("a").view()
    assert [comment.body for comment in view.comments] == ["comment 0", "comment 1", "comment 2"]
    assert (view.revision, view.unreadable) == (3, 0)


def test_a_row_that_is_told_twice_is_read_once(wall: Wall):
    """The same holds for what others have written since the thread was read."""

    class Twice(MemoryLog):
        def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
            return iter([record for record in super().read(thread, after=after) for _ in range(2)])

    log = Twice()
    store, other = ThreadStore(log, now=wall), ThreadStore(log, now=wall)
    assert store.thread("a").counts().total == 0
    store.thread("a").post("comment 0", by=ANN)
    for number in range(1, 3):
        other.thread("a").post(f"comment {number}", by=ANN)
    view = store.thread("a").view()
    assert [comment.body for comment in view.comments] == ["comment 0", "comment 1", "comment 2"]
    assert (view.revision, view.unreadable, view.counts.total) == (3, 0, 3)


def test_a_request_that_another_process_has_just_carried_out(wall: Wall):
    """A request whose event came into the log after the thread was read is answered with it, and not made again."""

    class Late(MemoryLog):
        blind = False

        def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
            return iter(()) if self.blind else super().read(thread, after=after)

    log = Late()
    store, other = ThreadStore(log, now=wall), ThreadStore(log, now=wall)
    store.thread("a").post("first", by=ANN)
    id = make_id(wall() + 1, 0, 7)
    other.thread("a").post("second", by=ANN, id=id)
    log.blind = True
    assert store.thread("a").post("second", by=ANN, id=id) == id
    with pytest.raises(ConflictingEvent):
        store.thread("a").post("another", by=ANN, id=id)
    log.blind = False
    assert bodies(store.thread("a")) == ["first", "second"]


def test_a_damaged_thread_is_written_to(damaged: ThreadStore):
    """Posting goes on, and what is missing is counted once, whether the thread is hot, cold, or a past."""
    article = damaged.thread("a")
    article.post("comment 6", by=ANN)
    for thread in (article, article, article.as_known_at(3)):
        assert thread.view().unreadable == 2
    assert bodies(article) == ["comment 1", "comment 3", "comment 4", "comment 6"]
    hot = ThreadStore(damaged.log, now=damaged.now)
    assert hot.thread("a").view().unreadable == 2
    damaged.log.lost |= {7}  # type: ignore[attr-defined]
    hot.thread("a").post("comment 7", by=ANN)
    assert hot.thread("a").view().unreadable == 2
    damaged.log.lost |= {9}  # type: ignore[attr-defined]
    for number in (8, 9):
        article.post(f"comment {number}", by=ANN)
    assert hot.thread("a").view().unreadable == 3


def test_changes_go_on_past_damage(damaged: ThreadStore):
    """A live page is told what is left, how many events are not, and where to go on."""
    article = damaged.thread("a")
    asked = [article.changes(since, limit=limit) for since, limit in ((0, 1), (0, 2), (1, 9), (4, 9), (5, 9), (9, 9))]
    assert [(answer.revision, len(answer.events), answer.more, answer.unreadable) for answer in asked] == [
        (1, 1, True, 0), (3, 2, True, 1), (5, 2, False, 2), (5, 0, False, 1), (5, 0, False, 0), (9, 0, False, 0),
    ]  # fmt: skip
    assert [event.body for event in article.history()] == ["comment 1", "comment 3", "comment 4"]


def test_an_export_is_whole_or_says_what_is_not(damaged: ThreadStore):
    """What is taken for a copy of the log ends at the first event that it could not have; it goes on behind it if asked to."""
    told: list[object] = []
    for after in (0, 2, 5):
        try:
            for event in damaged.export(after=after):
                told.append(event.body)  # noqa: PERF401  # what came before the damage counts
        except CorruptRecord as damage:
            told.append(damage.position)
    assert told == ["comment 1", 2, "comment 3", "comment 4", 5, "I was there."]


def test_a_merge_of_what_is_damaged_is_refused_by_name(damaged: ThreadStore, wall: Wall):
    """A sound copy of a damaged event can not take its place, and is no reason to refuse the others."""

    class Comparing(Damaged):
        def append(self, thread: str, events: Sequence[Event], **how: Any) -> Appended:
            for event in events:
                if (record := self.find(event.id)) is not None and record.damage:
                    raise CorruptRecord(record.position, record.damage)
            return super().append(thread, events, **how)

    log = Comparing()
    with ThreadStore(log, now=wall) as store:
        store.merge([posted(1), posted(2)])
        log.damaged = {2}
        with pytest.raises(MergeRefused) as refused:
            store.merge([posted(1), posted(2), posted(3), posted(4)])
        assert [(id, type(error)) for id, error in refused.value.refused] == [(posted(2).id, CorruptRecord)]
        assert store.thread(THREAD).view().counts.total == 3
        with pytest.raises(CorruptRecord):
            store.execute(c.Post(thread=THREAD, body="body", id=posted(2).id))


def test_a_log_that_is_damaged_as_a_whole_takes_no_merge(wall: Wall):
    """Where no single record is to blame, a merge is not tried again and again with less."""

    class Ruined(MemoryLog):
        tried = 0

        def append(self, thread: str, events: Sequence[Event], **how: Any) -> Appended:
            self.tried += 1
            raise CorruptRecord(None, "the tables are damaged")

    log = Ruined()
    with ThreadStore(log, now=wall) as store, pytest.raises(CorruptRecord):
        store.merge([posted(1), posted(2)])
    assert log.tried == 1


def test_no_snapshot_is_kept_of_a_damaged_thread(wall: Wall, monkeypatch: pytest.MonkeyPatch):
    """It would hide the damage from whoever counts; a sound thread has one, and what is damaged later is missed when needed."""
    monkeypatch.setattr("threadstore.store.store.SNAPSHOT_FROM", 3)
    log = Damaged()
    with ThreadStore(log, now=wall, cache_bytes=0) as store:
        for number in range(1, 9):
            store.merge([posted(number)])
        log.damaged = {2}
        assert store.thread(THREAD).view().unreadable == 1
        assert (log.load_snapshot(THREAD, store._frozen), log.fronts(THREAD)) == (None, [])
        log.damaged = set()
        assert store.thread(THREAD).view().unreadable == 0
        assert log.load_snapshot(THREAD, store._frozen) is not None
        log.damaged = {2}
        front = store.thread(THREAD).view()
        assert (front.unreadable, front.counts.total) == (0, 8)  # a front has its words at hand
        with store.using(THREAD) as thread:
            assert [thread.counts().total, thread.view().unreadable] == [8, 1]


def test_an_erasure_that_comes_while_the_end_is_looked_for(wall: Wall):
    """A thread that learns of an erasure only then is read anew, without the words."""

    class Racing(MemoryLog):
        def revision(self, thread: str) -> Revision:
            if self.others:
                event = self.others.pop()
                self.append(thread, [event], erasures=[Erasure(comment=posted(1).id)])
            return super().revision(thread)

        others: ClassVar[list[Event]] = []

    log = Racing()
    with ThreadStore(log, now=wall, cache_bytes=0) as store:
        store.merge([posted(1), posted(2)])
        log.others.append(erased(3, 1))
        with store.using(THREAD) as thread:
            view = thread.view()
        assert ([comment.body for comment in view.comments], view.counts.hidden, view.unreadable) == ([posted(2).body], 1, 0)


def test_what_comes_while_the_end_is_looked_for_is_not_missed(wall: Wall):
    """What somebody writes when the rest was just read is neither counted as lost nor passed over."""

    class Racing(MemoryLog):
        def revision(self, thread: str) -> Revision:
            if self.others:
                self.append(thread, [self.others.pop()])
            return super().revision(thread)

        others: ClassVar[list[Event]] = []

    log = Racing()
    with ThreadStore(log, now=wall) as store:
        store.merge([posted(1)])
        log.others += [posted(number) for number in (4, 3, 2)]
        views = [store.thread(THREAD).view() for _ in range(4)]
        assert {(view.unreadable, view.counts.total - view.revision) for view in views} == {(0, 0)}
        assert views[-1].counts.total == log.position()
