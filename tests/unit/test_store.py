"""A store decides, appends and shows, whoever else does so at the same time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

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
    MergeRefused,
    NotAllowed,
    Policy,
    Rejected,
    StaleId,
    StoreClosed,
    StoredThread,
    StoreUnavailable,
    ThreadIsLocked,
    ThreadStore,
)
from threadstore.log._schema import event_checksum, seed
from threadstore.log.sqlite import SqliteLog
from threadstore.model import commands as c
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


def test_a_store_that_can_not_be_made_leaves_nothing_open(tmp_path: Path):
    """A policy that is none is told of, and the file that was opened for it is closed again."""
    with pytest.raises(AttributeError) as refusal:
        threadstore.open(tmp_path / "comments.db", policy=None)
    assert refusal.tb
    assert not list(tmp_path.glob("*-wal"))


def test_what_can_not_be_written_to_says_so(store: ThreadStore):
    """An error of the database reaches the caller as the library's, and the store goes on with what is stored."""
    store.thread("a").post("I was there.")
    writer = store.log.database._writer
    writer.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable, match="read-only"):
        store.thread("a").post("So was I.")
    with pytest.raises(StoreUnavailable, match="read-only"):
        store.merge([posted(1)])
    assert bodies(store.thread("a")) == ["I was there."]
    writer.execute("PRAGMA query_only = OFF")
    store.thread("a").post("So was I.")
    assert bodies(store.thread("a")) == ["I was there.", "So was I."]


def test_a_store_says_what_it_is(place: Place):
    """A store shows where it keeps its threads."""
    assert repr(place.open()) == f"<ThreadStore on {str(place.path or ':memory:')!r}>"


def test_leaving_the_context_closes_the_store(place: Place):
    """The context manager lends the store itself, and closes it also after an error; closing again does nothing."""
    with pytest.raises(CommentNotFound), place.open() as store:
        store.thread("a").reply(id_of(1), "To whom?")
    store.close()
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
        lambda store, path: store.overview(),
        lambda store, path: store.rebuild(),
        lambda store, path: store.rebuild_thread("a"),
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
    """A process that has inherited the store is told so at once."""
    store = threadstore.open(":memory:")
    id = store.thread("a").post("I was there.")
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    for use in (store.thread("a").view, lambda: store.thread("a").post("Me too.")):
        with pytest.raises(StoreUnavailable, match="before the process forked"):
            use()
    monkeypatch.undo()
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
    assert article.comment(comment).flags == ("held",)
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


def test_chance_that_repeats_itself_does_no_harm(place: Place):
    """Two processes that draw the same numbers at the same time have two facts all the same: each id is above all before it."""
    meanwhile = Meanwhile()
    article = place.open(policy=Policy(may=meanwhile), random=lambda bits: 0).thread(THREAD)
    other = place.open(random=lambda bits: 0).thread(THREAD)
    meanwhile.happens = lambda: other.post("theirs", by=ANN)
    article.post("ours", by=ANN)
    assert bodies(other) == ["theirs", "ours"]


def test_a_request_that_was_idle_and_is_no_longer(place: Place, monkeypatch: pytest.MonkeyPatch):
    """What need not be asked when nothing would change is asked when something would, which another process saw to meanwhile."""
    asked: list[c.Command] = []
    store = place.open(policy=Policy(may=lambda command, thread: asked.append(command) or True))
    other = place.open().thread(THREAD)
    comment = other.post("first", by=ANN)
    other.react(comment, by=BOB)
    write = store._writer.write

    def meanwhile(make: object, **options: object) -> object:
        monkeypatch.setattr(store._writer, "write", write)
        other.unreact(comment, by=BOB)
        return write(make, **options)

    store.thread(THREAD).react(comment, by=BOB)
    assert asked == []
    monkeypatch.setattr(store._writer, "write", meanwhile)
    store.thread(THREAD).react(comment, by=BOB)
    assert len(asked) == 1
    assert other.comment(comment).reactions == {SUPPORT: 1}


@pytest.mark.parametrize("id", ["", "nonsense", 7])
def test_what_is_no_comment_is_not_found(id: object, article: StoredThread):
    """A command about something that is no id of a comment is refused as one about a comment that is not there."""
    article.post("I was there.", by=ANN)
    with pytest.raises((CommentNotFound, ValueError, TypeError)):
        article.react(id, by=ANN)  # type: ignore[arg-type]


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
    store = ThreadStore(SqliteLog.open(":memory:"), now=wall, random=lambda bits: (1 << bits) - 1)
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


def test_an_edit_that_no_longer_stands_is_still_known(later: Place):
    """A fact that others have covered is found all the same; so its request can be repeated."""
    edits = [edited(number, 1, by=ANN) for number in (2_200, 2_201)]
    later.open().merge([*(posted(number) for number in range(1, 60)), *edits])
    store = later.open()
    assert store.thread(THREAD).edit(id_of(1), "w2200", by=ANN, id=id_of(2_200)) == id_of(2_200)
    with pytest.raises(ConflictingEvent):
        store.thread(THREAD).edit(id_of(1), "another", by=ANN, id=id_of(2_200))
    assert store.log.position() == 61


@pytest.mark.parametrize("way", ["decided", "merged"])
def test_an_erasure_leaves_memory_at_once(way: str, place: Place):
    """The words are in no page that a store remembers when the erasure returns, whether it was decided or merged."""
    store = place.open()
    comment = store.thread(THREAD).post("unspeakable", by=ANN)
    store.thread(THREAD).view()
    place.wall.ms += 2_000
    store.thread(THREAD).erase(comment, by=MODERATOR) if way == "decided" else store.merge([erased(1, comment)])
    assert "unspeakable" not in str(store._pages._pages)
    assert store.thread(THREAD).comment(comment).concealed == "erased"
    assert store.thread(THREAD).counts().hidden == 1


def test_an_erasure_that_a_new_policy_makes_effective(later: Place):
    """Where today's policy lets editors erase, what an editor once wrote conceals."""
    store = later.open()
    store.merge(posted(number) for number in range(1, 60))
    store.thread(THREAD).view()
    store.merge([erased(60, 7, by=EDITOR)])
    assert store.thread(THREAD).comment(id_of(7)).body == "w7"
    today = later.open(policy=Policy(moderators={"moderator", "editor"})).thread(THREAD)
    assert today.comment(id_of(7)).concealed == "erased"
    assert today.counts().total == 58


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


# --- damage ---------------------------------------------------------------------------------------------------------------------


def damage(store: ThreadStore, *positions: int) -> None:
    """Damage the records at some positions."""
    with store.log.database.writing() as connection:
        connection.executemany("UPDATE events SET crc = zeroblob(4) WHERE position = ?", [(position,) for position in positions])


def lose(store: ThreadStore, *positions: int) -> None:
    """Lose the records at some positions, as a damaged page would."""
    with store.log.database.writing() as connection:
        connection.execute("DROP TRIGGER IF EXISTS events_stay")
        connection.executemany("DELETE FROM events WHERE position = ?", [(position,) for position in positions])


def mend(store: ThreadStore, *positions: int) -> None:
    """Take damage back."""
    for position in positions:
        with store.log.database.writing() as connection:
            [row] = connection.execute(
                "SELECT t.key, e.revision, e.data FROM events AS e JOIN threads AS t ON t.id = e.thread WHERE position = ?",
                (position,),
            ).fetchall()
            crc = event_checksum(seed(row[0].encode()), position, row[1], row[2])
            connection.execute("UPDATE events SET crc = ? WHERE position = ?", (crc, position))


@pytest.fixture
def damaged(store: ThreadStore) -> ThreadStore:
    """Return a store whose log is damaged: of five comments of one thread, the second can not be read, the last is gone."""
    for number in range(1, 6):
        store.thread("a").post(f"comment {number}", by=ANN)
    store.thread("b").post("I was there.", by=BOB)
    damage(store, 2)
    lose(store, 5)
    return store


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


def test_a_feed_leaves_out_what_can_not_be_read(damaged: ThreadStore):
    """A feed that meets a damaged text makes its thread anew first, and goes on without it."""
    assert [item.comment.body for item in damaged.latest()] == ["I was there.", "comment 4", "comment 3", "comment 1"]
    assert [item.comment.body for item in damaged.by_person(ANN.id)] == ["comment 4", "comment 3", "comment 1"]
    assert [line.counts.total for line in damaged.overview().threads] == [1, 3]


def test_a_damaged_thread_is_written_to(damaged: ThreadStore):
    """Posting goes on, and what is missing is counted once, whether the thread is asked as it is or as a past."""
    article = damaged.thread("a")
    article.view()
    article.post("comment 6", by=ANN)
    for thread in (article, article, article.as_known_at(3)):
        assert thread.view().unreadable == 2
    assert bodies(article) == ["comment 1", "comment 3", "comment 4", "comment 6"]
    article.post("comment 7", by=ANN)
    assert article.view().unreadable == 2


def test_what_can_be_read_again_is_shown_again(damaged: ThreadStore):
    """A thread whose damage was mended is whole once it is made anew."""
    assert damaged.thread("a").view().unreadable == 2
    mend(damaged, 2)
    damaged.rebuild_thread("a")
    assert damaged.thread("a").view().unreadable == 1
    assert bodies(damaged.thread("a")) == ["comment 1", "comment 2", "comment 3", "comment 4"]


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
        except CorruptRecord as error:
            told.append(error.position)
    assert told == ["comment 1", 2, "comment 3", "comment 4", 5, "I was there."]


def test_a_merge_of_what_is_damaged_is_refused_by_name(later: Place):
    """A sound copy of a damaged event can not take its place, and is no reason to refuse the others."""
    store = later.open()
    store.merge([posted(1), posted(2)])
    with store.log.database.writing() as connection:
        connection.execute("UPDATE events SET data = zeroblob(length(data)) WHERE position = 2")
    with pytest.raises(MergeRefused) as refused:
        store.merge([posted(1), posted(2), posted(3), posted(4)])
    assert [(id, type(error)) for id, error in refused.value.refused] == [(posted(2).id, CorruptRecord)]
    assert store.thread(THREAD).view().counts.total == 3
    with pytest.raises(CorruptRecord):
        store.execute(c.Post(thread=THREAD, body="body", id=posted(2).id))


def test_a_log_that_is_damaged_as_a_whole_takes_no_merge(later: Place):
    """Where no single record is to blame, a merge is not tried again and again with less."""
    store = later.open()
    store.merge([posted(1)])
    tried = []

    def ruined(make: object, **options: object) -> int:
        tried.append(make)
        raise CorruptRecord(None, "the tables are damaged")

    store._writer.write = ruined
    with pytest.raises(CorruptRecord):
        store.merge([posted(2), posted(3), posted(4)])
    assert len(tried) == 2  # all together, and the thread by itself


@pytest.mark.parametrize("bad", [None, 5, b"x", "", "nowhere"], ids=repr)
def test_what_is_no_id_names_no_comment(bad: Any):
    """Whatever is given for the id of a comment, it is refused in the words of the rules, and nothing is stored."""
    with threadstore.open(":memory:") as store:
        article = store.thread(THREAD)
        article.post("first", by="u-1")
        for call in (
            lambda: article.react(bad, by="u-2"),
            lambda: article.edit(bad, "second", by="u-1"),
            lambda: article.delete(bad, by="u-1"),
        ):
            with pytest.raises((CommentNotFound, TypeError, ValueError)):
                call()
        assert store.log.position() == 1
