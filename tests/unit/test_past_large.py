"""The past of a large thread, which is kept in temporary tables: whatever is asked of it, the answer is that of the fold."""

from __future__ import annotations

import gc
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

import threadstore
from threadstore import (
    Actor,
    CommentNotFound,
    CommentPosted,
    Counts,
    Event,
    Policy,
    StoreClosed,
    StoredThread,
    ThreadStore,
    fold,
)
from threadstore.model.ids import time_of
from threadstore.model.ranking import ORDERS
from threadstore.plans import Plan, run
from threadstore.readmodel import past as tables
from threadstore.readmodel.queries import Unfit
from threadstore.store import past as past_module
from threadstore.store.thread import PastThread
from threadstore.testing.given import (
    ANN,
    BOB,
    EPOCH,
    MODERATOR,
    THREAD,
    described,
    edited,
    erased,
    id_of,
    locked,
    moment,
    person_erased,
    pinned,
    posted,
    reacted,
    removed,
    suggested,
    unpinned,
)
from threadstore.testing.histories import random_history
from threadstore.views.queue import queue_page
from threadstore.views.source import Source
from threadstore.views.thread import Thread

T = TypeVar("T")
LATER = EPOCH + 1_000_000_000


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every thread for a large one."""
    monkeypatch.setattr(past_module, "LARGE", 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ThreadStore]:
    """Return a store in a file, whose clock is behind all that the tests tell of."""
    with threadstore.open(tmp_path / "store.db", durability="off", now=lambda: LATER) as opened:
        yield opened


@pytest.fixture
def folds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the size of each past that is folded into tables."""
    found: list[int] = []
    written = tables.written

    def noted(builder: Any, then: Any) -> Any:
        found.append(then.row.total)
        return written(builder, then)

    monkeypatch.setattr(past_module, "written", noted)
    return found


class Folded:
    """A past that is folded in memory from a list of events."""

    def __init__(self, thread: Thread, policy: Policy, revision: int) -> None:
        self.thread, self.policy, self.revision = thread, policy, revision

    def ask(self, plan: Callable[[Source], Plan[T]]) -> T:
        """Return what a plan answers."""
        return run(plan(self.thread.source(self.policy, revision=self.revision)))


def answer(ask: Callable[[], Any]) -> Any:
    """Return an answer, or which error it is."""
    try:
        return ask()
    except CommentNotFound as error:
        return repr(error)


def pages(ask: Callable[..., Any]) -> list[Any]:
    """Return all pages that follow one another."""
    found = [ask()]
    while found[-1].next is not None:
        found.append(ask(after=found[-1].next))
    return found


def told(past: PastThread, events: list[Event], random: Random) -> dict[str, Any]:
    """Return what several readers get of a past."""
    answers: dict[str, Any] = {"counts": past.counts()}
    authors = [event.actor for event in events if event.actor is not None and isinstance(event, CommentPosted)]
    author = random.choice(authors or [ANN])
    limit, replies, rows = random.randint(1, 4), random.randint(0, 3), random.randint(1, 9)
    for reader in (None, author.id, author, MODERATOR):
        for order in ORDERS:
            for with_pins in (False, True):
                ask = partial(
                    past.view, order=order, pinned=with_pins, reader=reader, limit=limit, replies=replies, rows=rows, now=LATER
                )
                answers[f"{order} {with_pins} {reader}"] = pages(ask)
            answers[f"flat {order} {reader}"] = pages(partial(past.flat, order=order, reader=reader, limit=limit, now=LATER))
        answers[f"corrections {reader}"] = past.corrections(reader=reader)
        for id in {event.target or event.id for event in events}:
            for context in (0, 2):
                answers[f"{id} {context} {reader}"] = answer(partial(past.comment, id, context=context, reader=reader))
            answers[f"below {id} {reader}"] = answer(lambda id=id, reader=reader: pages(partial(past.replies, id, reader=reader)))
    answers["queue"] = past._ask(partial(queue_page, limit=limit, after=None))
    return answers


# --- the law ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(24))
def test_a_past_in_tables_is_the_past_of_the_fold(store: ThreadStore, seed: int):
    """Whoever looks, at whatever moment or position, sees what the fold says, also after more has happened."""
    random = Random(seed)
    history = random_history(seed, size=random.randint(3, 60), comments=random.randint(2, 12))
    early = random.randint(1, len(history))
    store.merge(history[:early], on_refused=lambda id, error: None)
    first = list(store.export())
    if not first:
        return
    thread = store.thread(THREAD)
    moments = [time_of(random.choice(history).id) for _ in range(2)]
    positions = [random.randint(0, len(first)) for _ in range(2)]
    chosen: list[tuple[PastThread, list[Event]]] = [
        *((thread.as_of(at), [event for event in first if time_of(event.id) <= at]) for at in moments),
        *((thread.as_known_at(position), first[:position]) for position in positions),
    ]
    _compare(store, chosen, first, seed)
    store.merge(history[early:], on_refused=lambda id, error: None)
    _compare(store, chosen, list(store.export()), seed)


def _compare(store: ThreadStore, chosen: list[tuple[PastThread, list[Event]]], events: list[Event], seed: int) -> None:
    today = fold(events)
    for past, then in chosen:
        assert type(past._past).__name__ == "_LargePast"
        naive = PastThread(store, THREAD, Folded(today.past(then), store.policy, len(events)))
        expected = told(naive, events, Random(seed))
        found = told(past, events, Random(seed))
        assert found == expected


def test_a_moment_is_that_of_the_fold(store: ThreadStore):
    """The past in tables as of a moment is `Thread.as_of` of that moment."""
    events = [posted(1), posted(2, to=1), reacted(3, 1), pinned(4, 1), edited(5, 1), locked(6), posted(7)]
    store.merge(events)
    for number in range(8):
        past, naive = store.thread(THREAD).as_of(moment(number)), fold(events).as_of(moment(number))
        assert past.counts() == naive.counts()
        assert past.view(reader=MODERATOR).comments == naive.view(reader=MODERATOR).comments
        assert past.view().locked == naive.view().locked


# --- what is today's ----------------------------------------------------------------------------------------------------------


def test_what_is_withheld_since_is_not_shown(store: ThreadStore):
    """A text that was removed or erased after the past was looked at is in no answer any more."""
    store.merge([posted(1, "first words"), posted(2, "second words"), posted(3, "third words", by=BOB)])
    past = store.thread(THREAD).as_of(moment(3))
    assert [comment.body for comment in past.view().comments] == ["first words", "second words", "third words"]
    store.merge([removed(4, 1), erased(5, 2)])
    assert [(comment.body, comment.concealed) for comment in past.view().comments] == [("third words", None)]
    assert past.comment(id_of(1), reader=MODERATOR).body == "first words"
    assert past.comment(id_of(2), reader=MODERATOR).body is None
    store.merge([person_erased(6, BOB)])
    assert past.counts() == Counts(hidden=3)
    assert past.comment(id_of(3), reader=MODERATOR).body is None


def test_a_title_is_todays_and_forgotten_today(store: ThreadStore):
    """The title is the present one, and is gone when whoever gave it was erased."""
    store.merge([posted(1), described(2, "old title"), described(3, "new title")])
    past = store.thread(THREAD).as_of(moment(1))
    assert past.view().title == "new title"
    store.merge([person_erased(4, described(3, "new title").actor or ANN)])
    assert past.view().title == ""
    assert past.corrections() == ()


def test_pins_are_of_then_and_so_are_their_marks(store: ThreadStore):
    """A moderator who looks at a past is told of the pins of then, and of all other marks as they are."""
    store.merge([posted(1), suggested(2), pinned(3, 1), unpinned(4, 1, cancels=[3]), removed(5, 1)])
    past = store.thread(THREAD).as_of(moment(3))
    marks = past.comment(id_of(1), reader=MODERATOR).marks
    assert marks == {"removed": (id_of(5),), "pinned": (id_of(3),)}
    assert [each.id for each in past.corrections()] == [id_of(2)]


def test_a_mention_is_todays(store: ThreadStore):
    """Whom a text addresses is what it addresses today, also where the comment that it answers was not known then."""
    ann, other = Actor("ann", "Same"), Actor("other", "Same")
    store.merge([posted(1, by=ann), posted(2, by=other), posted(4, "@Same, look", to=1)])
    past = store.thread(THREAD).as_known_at(3)
    assert [each.actor for each in past.comment(id_of(4)).mentions] == ["ann"]
    log = list(store.export())
    late = [log[1], log[2]]
    assert [each.actor for each in fold(log).past(late).comment(id_of(4)).mentions] == ["ann"]


# --- how often it is folded ---------------------------------------------------------------------------------------------------


def test_new_comments_and_reactions_leave_the_tables_as_they_are(store: ThreadStore, folds: list[int]):
    """A past is folded once, however many comments and reactions come; it tells the present revision all the same."""
    store.merge([posted(1), posted(2)])
    past = store.thread(THREAD).as_of(moment(2))
    assert past.view().revision == 2
    store.merge([posted(3), reacted(4, 1)])
    assert (past.view().revision, past.counts().total, past.view().comments[0].reactions) == (4, 2, {})
    store.merge([posted(5)])
    assert past.counts().total == 2
    assert folds == [2]


def test_what_may_matter_makes_the_tables_anew(store: ThreadStore, folds: list[int]):
    """An edit, and a comment that comes late, are looked at."""
    store.merge([posted(1), posted(4)])
    past = store.thread(THREAD).as_of(moment(4))
    past.view()
    store.merge([edited(5, 1, "other words")])
    assert past.view().comments[0].body == "other words"
    store.merge([posted(3)])
    assert past.counts().total == 2
    assert folds == [2, 2, 2]


def test_an_edit_while_it_is_folded_is_shown(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """What changes while the tables are made is in the answer, and in the next one."""
    store.merge([posted(1, "old"), posted(2)])
    past = store.thread(THREAD).as_of(moment(2))
    edits = iter([edited(3, 1, "new"), edited(4, 1, "newer")])
    folded = tables.folded

    def interrupted(*arguments: Any) -> Any:
        builder_and_then = yield from folded(*arguments)
        store.merge(islice(edits, 1))
        return builder_and_then

    monkeypatch.setattr(past_module, "folded", interrupted)
    assert past.view().comments[0].body == "new"
    monkeypatch.setattr(past_module, "folded", folded)
    assert past.view().comments[0].body == "newer"


# --- damage -------------------------------------------------------------------------------------------------------------------


def _change(store: ThreadStore, sql: str, *values: Any) -> None:
    with store.log.database.writing() as connection:
        connection.execute(sql, values)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE comments SET flags = 0 WHERE flags > 0",
        "DELETE FROM comments WHERE post = 2",
        "UPDATE threads SET crc = crc + 1",
    ],
)
def test_damaged_rows_are_made_anew_first(store: ThreadStore, sql: str):
    """Rows of today that do not match their checksums, or are missing, are not believed."""
    store.merge([posted(1), posted(2), removed(3, 1)])
    _change(store, sql)
    past = store.thread(THREAD).as_of(moment(2))
    assert [comment.id for comment in past.view().comments] == [id_of(2)]
    assert past.counts() == Counts(1, 0, 1, 0, 1)


def test_a_damaged_record_is_left_out(store: ThreadStore):
    """A past is shown without what is damaged, whenever that is found, and counts it."""
    store.merge([posted(1), posted(2), reacted(3, 1)])
    past = store.thread(THREAD).as_of(moment(2))
    assert past.counts().total == 2
    _change(store, "UPDATE events SET data = x'00' WHERE position = 2")
    page = past.view()
    assert ([comment.id for comment in page.comments], page.unreadable) == ([id_of(1)], 1)
    store.merge([posted(4), reacted(5, 1)])
    _change(store, "UPDATE events SET data = x'00' WHERE position = 4")
    assert past.view().revision == 5


def test_a_past_of_rows_that_cannot_be_made_anew_is_folded(store: ThreadStore, tmp_path: Path):
    """While somebody else writes, a past whose rows are damaged is answered from the log."""
    store.merge([posted(1), posted(2), posted(3)])
    past = store.thread(THREAD).as_of(moment(2))
    _change(store, "UPDATE threads SET crc = crc + 1")
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert past.counts().total == 2
        other.execute("ROLLBACK")
    assert past.counts().total == 2


def test_a_past_whose_rows_stay_unfit_is_folded(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """Where making the rows anew does not help, the answer comes from the log."""
    store.merge([posted(1), posted(2)])
    past = store.thread(THREAD).as_of(moment(1))

    def unfit(key: str, *_: Any) -> Any:
        raise Unfit(key, "whatever is done")

    monkeypatch.setattr(past_module, "folded", unfit)
    assert past.counts().total == 1


def test_a_plan_that_fails_leaves_the_tables(store: ThreadStore, folds: list[int]):
    """An error that is told to the caller costs nothing."""
    store.merge([posted(1)])
    past = store.thread(THREAD).as_of(moment(2))
    with pytest.raises(CommentNotFound):
        past.comment(id_of(9))
    assert past.comment(id_of(1)).body == "w1"
    assert folds == [1]


def test_an_interrupt_while_tables_are_written_leaves_none(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """A past that was broken off is folded anew."""
    store.merge([posted(1)])
    past = store.thread(THREAD).as_of(moment(2))
    written = tables.written

    def interrupted(*arguments: Any) -> Any:
        plan = written(*arguments)
        yield next(plan)
        raise KeyboardInterrupt

    monkeypatch.setattr(past_module, "written", interrupted)
    with pytest.raises(KeyboardInterrupt):
        past.view()
    monkeypatch.setattr(past_module, "written", written)
    assert past.counts().total == 1


# --- connections --------------------------------------------------------------------------------------------------------------


def _connection(past: PastThread) -> sqlite3.Connection | None:
    return past._past._apart.connection  # type: ignore[attr-defined]


def _is_closed(connection: sqlite3.Connection | None) -> bool:
    assert connection is not None
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False


@pytest.fixture
def looked_at(store: ThreadStore) -> PastThread:
    """Return a past that has been looked at."""
    store.merge([posted(1), posted(2)])
    past = store.thread(THREAD).as_of(moment(1))
    past.view()
    return past


def test_the_tables_are_not_in_the_file(store: ThreadStore, looked_at: PastThread, tmp_path: Path):
    """A past writes nothing to the store: today's rows stay what they are."""
    assert looked_at.counts().total == 1
    assert store.thread(THREAD).counts().total == 2
    assert list(store.verify()) == []


def test_the_connection_ends_with_the_past(store: ThreadStore):
    """When nobody holds a past any more, its tables are gone."""
    store.merge([posted(1)])
    past = store.thread(THREAD).as_of(moment(1))
    past.view()
    connection = _connection(past)
    del past
    gc.collect()
    assert _is_closed(connection)


def test_the_connection_ends_with_the_store(store: ThreadStore, looked_at: PastThread):
    """A store that is closed leaves no connection, and a past of it says so."""
    connection = _connection(looked_at)
    store.close()
    assert _is_closed(connection)
    with pytest.raises(StoreClosed):
        looked_at.view()


def test_a_store_may_be_closed_while_a_past_is_asked(store: ThreadStore, looked_at: PastThread):
    """A connection that is in use is closed when it is given back."""
    connection = _connection(looked_at)

    def closing_plan(source: Source) -> Plan[int]:
        head = yield from source.head()
        store.close()
        yield from source.corrections()
        return head.counts.total

    assert looked_at._ask(closing_plan) == 1
    assert _is_closed(connection)


def test_a_fork_ends_the_connection(store: ThreadStore, looked_at: PastThread, folds: list[int]):
    """No connection survives a fork, and the past is folded anew on another."""
    connection = _connection(looked_at)
    store.log.database.rest()
    store.log.database.resume()
    assert _is_closed(connection)
    assert looked_at.counts().total == 1
    assert folds == [1]


def test_a_fork_waits_for_a_past(store: ThreadStore, looked_at: PastThread):
    """While a process is about to fork, no past is asked, and afterwards it is."""
    database, begun, found = store.log.database, threading.Event(), []

    def ask() -> None:
        begun.set()
        found.append(looked_at.counts().total)

    database.rest()
    worker = threading.Thread(target=ask)
    worker.start()
    begun.wait()
    assert found == []
    database.resume()
    worker.join()
    assert found == [1]


# --- which threads are large ----------------------------------------------------------------------------------------------------


def test_small_threads_and_those_in_memory_are_folded(store: ThreadStore, monkeypatch: pytest.MonkeyPatch, folds: list[int]):
    """Tables are for large threads in files; all others are folded in memory."""
    store.merge([posted(1), posted(2)])
    monkeypatch.setattr(past_module, "LARGE", 2)
    past = store.thread(THREAD).as_of(moment(1))
    assert [past.counts().total for _ in range(2)] == [1, 1]
    monkeypatch.setattr(past_module, "LARGE", 0)
    with threadstore.open(":memory:", now=lambda: LATER) as other:
        other.merge([posted(1), posted(2)])
        assert other.thread(THREAD).as_of(moment(1)).counts().total == 1
    assert store.thread("empty").as_of(moment(1)).counts().total == 0
    assert folds == []


def test_the_digest_of_a_thread_is_that_of_its_fold(store: ThreadStore):
    """A digest is made of the skeletons alone, and is that of the whole thread."""
    events = random_history(7, size=80)
    store.merge(events, on_refused=lambda id, error: None)
    thread: StoredThread = store.thread(THREAD)
    assert thread.digest() == fold(store.export()).digest()
