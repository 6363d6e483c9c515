"""What a log remembers of its threads while nobody else writes: it must never answer otherwise than the tables would."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random

import pytest

from threadstore.errors import ConflictingEvent, StoreUnavailable
from threadstore.log import _connections as databases
from threadstore.log import _sqlite_standings as standings
from threadstore.log._connections import Database
from threadstore.log._sqlite_standings import Standing, Standings
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import Append, Revision, Summary
from threadstore.log.sqlite import SqliteLog
from threadstore.model.events import CommentPosted, Erasure
from threadstore.model.ids import make_id

Open = Callable[..., SqliteLog]


def post(number: int, thread: str = "t", body: str = "words") -> CommentPosted:
    return CommentPosted(id=make_id(number, 0, 0), thread=thread, body=body)


def summary(revision: int) -> Summary:
    return Summary("rules", Revision(revision), "", b"figures")


def say(log: SqliteLog, number: int, revision: int) -> tuple[int, ...]:
    """Append as a post does: one event, with the summary that will be true."""
    return log.append("t", [post(number)], summary=summary(revision)).positions


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[SqliteLog, SqliteLog]]:
    """Return two logs on one file, as two processes have them."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(closing(SqliteLog.open(tmp_path / "log.db", durability="off"))) for _ in range(2))
        say(one, 1, 1)
        say(one, 2, 2)
        yield one, other


def statements_of(log: SqliteLog, act: Callable[[], object]) -> list[str]:
    """Return what the writing connection is told meanwhile."""
    told: list[str] = []
    log._database._writer.set_trace_callback(told.append)
    act()
    log._database._writer.set_trace_callback(None)
    return told


# --- what it is good for ------------------------------------------------------------------------------------------------------


def test_a_post_asks_the_tables_nothing(pair: tuple[SqliteLog, SqliteLog]):
    """Who has written last knows where the thread stands, and adds to it."""
    told = statements_of(pair[0], lambda: say(pair[0], 3, 3))
    assert [sql.split(maxsplit=1)[0] for sql in told] == ["BEGIN", "PRAGMA", "INSERT", "UPDATE", "INSERT", "COMMIT"]


def test_the_end_of_a_thread_is_read_once(opened: Open):
    """Who has seen the end of a thread is told that nothing has come, until somebody writes."""
    log = opened()
    log.append("t", [post(1)])
    reads: list[str] = []
    with log._database.reading() as connection:
        connection.set_trace_callback(reads.append)
    for _ in range(3):
        assert list(log.read("t", after=1)) == []
    assert reads == []
    log.append("u", [post(2, "u")])
    assert list(log.read("t", after=1)) == []
    assert reads == []
    with log._database.writing():
        pass
    for _ in range(3):
        assert list(log.read("t", after=1)) == []
    assert len(reads) == 1


# --- others write -------------------------------------------------------------------------------------------------------------


def test_what_others_write_is_read(pair: tuple[SqliteLog, SqliteLog]):
    """An append of another process is there at the next look, however often nothing was before."""
    one, other = pair
    for _ in range(3):
        assert list(one.read("t", after=2)) == []
    say(other, 3, 3)
    assert [record.event for record in one.read("t", after=2)] == [post(3)]
    assert say(one, 4, 4) == (4,)
    assert [record.revision for record in other.read("t", after=2)] == [3, 4]


def test_what_others_erase_stays_erased(pair: tuple[SqliteLog, SqliteLog]):
    """A text that another process has erased beforehand is stored without its words."""
    one, other = pair
    say(one, 3, 3)
    other.redact("t", [Erasure(comment=post(4).id)])
    say(one, 4, 4)
    assert [record.event.body for record in one.read("t", after=3)] == [""]  # type: ignore[attr-defined]
    say(one, 5, 5)
    other.redact("t", [Erasure(comment=post(6).id)])
    one.append_all([Append("t", [post(6)], summary(6)), Append("t", [post(7)], summary(7))])
    assert [record.event.body for record in other.read("t", after=5)] == ["", "words"]  # type: ignore[attr-defined]


def test_what_it_erases_itself_stays_erased(pair: tuple[SqliteLog, SqliteLog]):
    """An erasure of one's own, alone or with its event, is no less remembered."""
    one, _ = pair
    one.redact("t", [Erasure(comment=post(3).id)])
    say(one, 3, 3)
    one.append("t", [post(4)], erasures=[Erasure(comment=post(5).id)], summary=summary(4))
    say(one, 5, 5)
    assert [record.event.body for record in one.read("t", after=2)] == ["", "words", ""]  # type: ignore[attr-defined]


def test_a_summary_is_kept_only_where_it_is_true(pair: tuple[SqliteLog, SqliteLog]):
    """One for another revision than the thread will have is of something else."""
    one, _ = pair
    say(one, 3, 2)
    assert one.summaries(["t"], "rules") == {}
    say(one, 4, 4)
    assert one.summaries(["t"], "rules") == {"t": summary(4)}


# --- what is there already ----------------------------------------------------------------------------------------------------


def test_a_retry_is_stored_once(pair: tuple[SqliteLog, SqliteLog]):
    """The table refuses what it has, and no position is lost by that."""
    one, _ = pair
    say(one, 3, 3)
    answer = one.append("t", [post(2)], summary=summary(4))
    assert (answer.positions, answer.new, answer.revision) == ((2,), 0, 3)
    with pytest.raises(ConflictingEvent):
        one.append("t", [post(1, body="others")], summary=summary(4))
    assert say(one, 4, 4) == (4,)
    assert list(one.verify()) == []


def test_an_id_of_another_thread_is_refused(pair: tuple[SqliteLog, SqliteLog]):
    """Ids are unique in the whole log."""
    one, _ = pair
    one.append("u", [post(9, "u")])
    with pytest.raises(ConflictingEvent):
        say(one, 9, 3)
    assert say(one, 10, 3) == (4,)


# --- failures and forks -------------------------------------------------------------------------------------------------------


class Failing(sqlite3.Connection):
    """A connection that can refuse to commit."""

    fails = False

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if self.fails and sql == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return super().execute(sql, *parameters)  # type: ignore[arg-type]


def test_what_was_not_stored_is_not_remembered(tmp_path: Path):
    """A transaction that fails at its end leaves the thread where it was."""
    with closing(SqliteLog(Database(str(tmp_path / "log.db"), synchronous="OFF", timeout=0, factory=Failing))) as log:
        say(log, 1, 1)
        say(log, 2, 2)
        writer = log._database._writer
        assert isinstance(writer, Failing)
        writer.fails = True
        for act in (lambda: say(log, 3, 3), lambda: log.append_all([Append("t", [post(3)])])):
            with pytest.raises(StoreUnavailable):
                act()
        writer.fails = False
        assert (list(log.read("t", after=2)), log.revision("t")) == ([], 2)
        assert say(log, 4, 3) == (3,)
        assert [record.revision for record in log.read("t")] == [1, 2, 3]


def test_a_mark_that_can_not_be_had_is_none(opened: Open):
    """Who is not told whether others have written asks the tables."""
    log = opened()
    log.append("t", [post(1)])
    database = log._database
    with database.writing():
        assert database.mark() is None
        assert [record.revision for record in log.read("t")] == [1]
        assert list(log.read("t", after=1)) == []
    databases._before_fork()
    databases._after_fork()
    assert database.mark() is None  # the writing connection is not open
    assert list(log.read("t", after=1)) == []
    log.append("t", [post(2)])
    assert [record.revision for record in log.read("t", after=1)] == [2]
    database._writer.close()
    assert database.mark() is None
    assert list(log.read("t", after=2)) == []


def test_a_fork_is_a_time_to_look_again(pair: tuple[SqliteLog, SqliteLog]):
    """The connection that is opened behind it counts versions from the beginning, so its numbers say nothing of those before."""
    one, other = pair
    for revision in range(3, 7):
        databases._before_fork()
        databases._after_fork()
        assert say(other if revision % 2 else one, revision, revision) == (revision,)
        assert [record.revision for record in one.read("t", after=2)] == [*range(3, revision + 1)]


# --- the rules of remembering -------------------------------------------------------------------------------------------------


def test_only_the_next_transaction_carries_on():
    """What is remembered is of one mark; whoever finds another in between begins with nothing."""
    known = Standings()
    for begun, version, carried in [(1, 5, False), (2, 5, True), (4, 5, False), (5, 6, False), (6, 6, True)]:
        known.carry_on((begun, version))
        assert (known.of("t") is not None) == carried
        known.note("t", Standing(begun, 1, begun, False, 0))
    assert known.end("t") == (6, (6, 6))


def test_a_position_counts_for_all_threads():
    """An append to one thread moves the end of the log for each."""
    known = Standings()
    known.carry_on((1, 1))
    known.note("t", Standing(1, 1, 1, False, 0))
    known.note("u", Standing(2, 2, 1, False, 0))
    assert known.of("t") == (2, 1, 1, False, 0)
    assert known.of("u") == (2, 2, 1, False, 0)


def test_what_is_seen_late_is_not_remembered():
    """The end of a thread under an older mark may lie behind what was added since."""
    known = Standings()
    known.carry_on((2, 1))
    known.note("t", Standing(1, 1, 7, False, 0))
    known.note_end("t", 6, (1, 1))
    assert known.end("t") == (7, (2, 1))
    known.note_end("t", 8, (2, 2))
    assert (known.end("t"), known.of("t")) == ((8, (2, 2)), None)


def test_little_is_remembered(monkeypatch: pytest.MonkeyPatch):
    """After so many threads it begins anew."""
    monkeypatch.setattr(standings, "_MANY", 2)
    known = Standings()
    for begun in range(1, 4):
        known.carry_on((begun, 1))
        known.note(f"t{begun}", Standing(begun, begun, 1, False, 0))
    known.carry_on((4, 1))
    assert known.end("t1") == (None, (4, 1))


@pytest.mark.parametrize("seed", range(20))
def test_it_answers_as_the_reference_does(pair: tuple[SqliteLog, SqliteLog], seed: int):
    """Whoever of two writes, erases, repeats or is refused, in whatever order: all logs agree after each step."""
    chance, reference = Random(seed), MemoryLog()
    for number in (1, 2):
        reference.append("t", [post(number)])
    for _ in range(40):
        log = chance.choice(pair)
        thread = chance.choice(["t", "u"])
        numbers = [chance.randrange(1, 30) for _ in range(chance.choice([1, 1, 1, 3]))]
        events = [post(2 * number + (thread == "u"), thread, chance.choice(["words", "words", "others"])) for number in numbers]
        erasures = [Erasure(comment=post(chance.randrange(60)).id)] if chance.random() < 0.2 else []
        told = summary(reference.revision(thread) + len(events))
        how = chance.random()
        for each in (log, reference):
            answers = []
            try:
                if how < 0.1:
                    answers.append(each.redact(thread, erasures))
                elif how < 0.3:
                    answers.append(each.append_all([Append(thread, events, told), Append("v", [post(99, "v")], None)]))
                else:
                    answers.append(each.append(thread, events, erasures=erasures, summary=told))
            except ConflictingEvent as error:
                answers.append(error.id)
            if each is log:
                given = answers
        assert repr(given) == repr(answers)
        for each in pair:
            for after in (0, reference.revision("t") - 1, reference.revision("t")):
                assert list(each.read("t", after=after)) == list(reference.read("t", after=after))
    assert list(pair[0].read_all()) == list(reference.read_all())
    assert list(pair[1].verify()) == []
