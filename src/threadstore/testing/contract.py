"""
What every log promises, as checks: hand `check_event_log` a way to make a fresh log, and it raises at the first broken promise.

::

    def test_my_log_keeps_the_contract():
        check_event_log(MyLog)

or, with one test for each promise::

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_log(check, tmp_path):
        with closing(MyLog(tmp_path / "log")) as log:
            check(log, reopen)

A check takes a fresh log and *reopen*, which closes a log and opens the same storage again; for a log without storage it gives
the log itself. The promises are those of `threadstore.log.protocol`; what a check's docstring says is broken if it fails.
"""

# Every check has the same parameters, and a promise is a statement:
# ruff: noqa: ARG001, D401
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Barrier
from typing import Any, Final

from threadstore.errors import ConflictingEvent, StoreClosed, WrongRevision
from threadstore.log.protocol import ANY, NONE, EventLog, Record, Revision
from threadstore.model.codec import decode, encode
from threadstore.model.erasure import Erasure, redact
from threadstore.model.events import CommentErased, CommentPosted, Event, PersonErased, ThreadDescribed
from threadstore.model.ids import make_id
from threadstore.model.values import Actor

__all__ = ["CHECKS", "Check", "Reopen", "check_event_log"]

Reopen = Callable[[EventLog], EventLog]
Check = Callable[[EventLog, Reopen], None]

_ANN: Final = Actor("u-ann", "Ann Lee")
_BOB: Final = Actor("u-bob", "Bob Park")
_WORDS: Final = "the words that must go"
#: More records than a log fetches at once, one hopes.
_MANY: Final = 2_500


def check_event_log(make: Callable[[], EventLog], *, reopen: Reopen | None = None) -> None:
    """
    Check that the logs that *make* gives, each fresh and empty, keep every promise.

    Args:
        make: Makes a log; each check gets one of its own, which is closed after it.
        reopen: Closes a log and opens the same storage again; None for a log that lasts no longer than its object.

    Raises:
        AssertionError: A promise is broken; the message says which, and how.
    """
    for check in CHECKS:
        log = make()
        try:
            check(log, reopen or _same)
        except Exception as error:
            promise = " ".join(str(check.__doc__).split())
            raise AssertionError(f"{promise} This is broken: {str(error) or type(error).__name__}") from error
        finally:
            log.close()


def _same(log: EventLog) -> EventLog:
    return log


# --- what the checks are made of ----------------------------------------------------------------------------------------------


def _hold(promise: bool, why: str) -> None:
    """Raise if a promise is not kept; an `assert` would keep silent under ``python -O``."""
    if not promise:
        raise AssertionError(why)


def _equal(found: Any, wanted: Any, what: str) -> None:
    _hold(found == wanted, f"{what} should be {wanted!r:.500}, not {found!r:.500}")


def _raises(error: type[Exception], call: Callable[[], Any], what: str) -> Any:
    """Return the *error* that the call raises, as it must."""
    try:
        call()
    except error as raised:
        return raised
    raise AssertionError(f"{what} should raise {error.__name__}")


def _id(number: int) -> str:
    return make_id(1_700_000_000_000 + number, 0, number)


def _post(number: int, *, thread: str = "t", by: Actor | None = _ANN, body: str = _WORDS) -> CommentPosted:
    """Return an event that differs from others by its number; larger numbers have larger ids."""
    return CommentPosted(id=_id(number), thread=thread, actor=by, body=body)


def _posts(count: int, *, start: int = 1, thread: str = "t") -> list[CommentPosted]:
    return [_post(number, thread=thread, body=f"comment {number}") for number in range(start, start + count)]


def _events(records: Iterable[Record]) -> list[Event]:
    return [record.event for record in records]


def _places(records: Iterable[Record]) -> list[tuple[int, int]]:
    return [(record.position, record.revision) for record in records]


def _content(log: EventLog) -> tuple[list[Record], dict[str, list[Record]]]:
    """Return everything that a log shows, so that "nothing has changed" can be said at once."""
    return list(log.read_all()), {thread: list(log.read(thread)) for thread in log.threads()}


# --- appending and reading ----------------------------------------------------------------------------------------------------


def a_fresh_log_is_empty(log: EventLog, reopen: Reopen) -> None:
    """A log that nobody has written to has no events, no threads, revision 0 and position 0."""
    _hold(isinstance(log, EventLog), f"{type(log).__name__} lacks methods of EventLog")
    _equal(_content(log), ([], {}), "the content")
    _equal((log.position(), log.revision("t")), (0, 0), "position and revision")
    _equal((list(log.read("t")), list(log.threads()), log.find(_id(1))), ([], [], None), "what is found")
    _equal(list(log.verify()), [], "what verify finds")


def positions_and_revisions_count_from_one(log: EventLog, reopen: Reopen) -> None:
    """Positions count the events of the log, revisions those of a thread, both from 1 and without gaps."""
    first = log.append("t", _posts(2))
    other = log.append("u", _posts(1, start=3, thread="u"))
    again = log.append("t", _posts(1, start=4))
    answers = [(answer.positions, answer.new, answer.revision) for answer in (first, other, again)]
    _equal(answers, [((1, 2), 2, 2), ((3,), 1, 1), ((4,), 1, 3)], "what the appends answer")
    _equal(_places(log.read_all()), [(1, 1), (2, 2), (3, 1), (4, 3)], "the places in the log")
    _equal(_places(log.read("t")), [(1, 1), (2, 2), (4, 3)], "the places in the thread")
    _equal((log.position(), log.revision("t"), log.revision("u")), (4, 3, 1), "position and revisions")


def events_come_back_byte_for_byte(log: EventLog, reopen: Reopen) -> None:
    """What is read is what was appended: thread, order and the codec's bytes."""
    events = [*_posts(3), ThreadDescribed(id=_id(9), thread="t", title="Ω — 🦉", url="https://example.org/")]
    log.append("t", events)
    for read in (log.read("t"), log.read_all()):
        _equal([(record.thread, record.data) for record in read], [("t", encode(event)) for event in events], "the records")


def an_empty_batch_changes_nothing(log: EventLog, reopen: Reopen) -> None:
    """Appending nothing answers with the present revision, whatever was expected."""
    log.append("t", _posts(2))
    for thread, revision in (("t", 2), ("u", 0)):
        answer = log.append(thread, [], expected=Revision(7))
        _equal((answer.positions, answer.new, answer.revision), ((), 0, revision), f"the answer in {thread!r}")
    _equal((log.position(), list(log.threads())), (2, ["t"]), "position and threads")


def an_event_of_another_thread_is_misuse(log: EventLog, reopen: Reopen) -> None:
    """A batch with an event of another thread is a ValueError, and nothing of it is stored."""
    batch = [_post(1), _post(2, thread="u")]
    _raises(ValueError, lambda: log.append("t", batch), "an event of another thread")
    _equal(_content(log), ([], {}), "the content")


def reading_starts_after_a_place(log: EventLog, reopen: Reopen) -> None:
    """`after` excludes the place that it names; beyond the end there is nothing; `limit` bounds how much is read."""
    log.append("t", _posts(5))
    log.append("u", _posts(1, start=6, thread="u"))
    for after in (0, 2, 5, 6, 99):
        _equal(_places(log.read("t", after=after)), [(n, n) for n in range(after + 1, 6)], f"the thread after {after}")
        rest = list(range(after + 1, 7))
        _equal([record.position for record in log.read_all(after=after)], rest, f"the log after {after}")
        for limit in (0, 2, 99):
            found = [record.position for record in log.read_all(after=after, limit=limit)]
            _equal(found, rest[:limit], f"the log after {after}, limited to {limit}")


def a_long_log_is_read_in_full(log: EventLog, reopen: Reopen) -> None:
    """However much there is, everything comes once, in order, and limits are kept."""
    log.append("t", _posts(_MANY))
    log.append("u", _posts(_MANY, start=_MANY + 1, thread="u"))
    everything = list(range(1, 2 * _MANY + 1))
    _equal([record.position for record in log.read_all()], everything, "the positions")
    _equal([record.position for record in log.read("u")], everything[_MANY:], "the positions of the second thread")
    _equal([record.revision for record in log.read("u")], everything[:_MANY], "the revisions of the second thread")
    most = [record.position for record in log.read_all(after=10, limit=_MANY)]
    _equal(most, everything[10 : 10 + _MANY], "the positions within a limit")


def an_iterator_shows_the_moment_of_its_call(log: EventLog, reopen: Reopen) -> None:
    """What is appended after `read`, `read_all` or `threads` was called is not in their answers, however late these are read."""
    log.append("t", _posts(_MANY))
    reading, reading_all, threads = log.read("t"), log.read_all(), log.threads()
    started = log.read_all()
    next(started)
    log.append("t", _posts(3, start=_MANY + 1))
    log.append("u", _posts(1, start=_MANY + 4, thread="u"))
    found = [sum(1 for _ in iterator) for iterator in (reading, reading_all, started, threads)]
    _equal(found, [_MANY, _MANY, _MANY - 1, 1], "how much the iterators give")


def an_event_is_found_by_its_id(log: EventLog, reopen: Reopen) -> None:
    """`find` gives the very record that reading gives, and None for an id that is no event's."""
    log.append("t", _posts(2))
    log.append("u", _posts(1, start=3, thread="u"))
    for record in log.read_all():
        _equal(log.find(record.event.id), record, "the record found")
    for id in (_id(4), _id(1).upper(), "", "no id"):
        _equal(log.find(id), None, f"what is found under {id!r}")


def threads_come_in_the_order_of_their_first_events(log: EventLog, reopen: Reopen) -> None:
    """A thread is listed once, from its first event on; an erasure or a refused batch makes none."""
    log.redact("b", [Erasure(comment=_id(7))])
    _raises(WrongRevision, lambda: log.append("d", _posts(1, thread="d"), expected=Revision(4)), "a wrong expectation")
    _equal(list(log.threads()), [], "the threads without events")
    for number, thread in enumerate(["z", "c", "b", "z", "a"], 1):
        log.append(thread, [_post(number, thread=thread)])
    _equal(list(log.threads()), ["z", "c", "b", "a"], "the threads")


def threads_do_not_mix(log: EventLog, reopen: Reopen) -> None:
    """Keys are compared exactly: by case, by accent, by white space, and never as patterns."""
    keys = ["a", "A", "á", "a\u0301", "a ", " a", "%", "_", "a/b", "ß", "ss", "0", "00", "🦉"]
    for number, key in enumerate(keys, 1):
        log.append(key, [_post(number, thread=key)])
    _equal(list(log.threads()), keys, "the threads")
    _equal([[record.thread for record in log.read(key)] for key in keys], [[key] for key in keys], "each thread's records")


# --- atomic and idempotent ----------------------------------------------------------------------------------------------------


def a_retry_gives_the_same_positions(log: EventLog, reopen: Reopen) -> None:
    """An event that is already there keeps its place and counts as not new, for ever."""
    events = _posts(3)
    first = log.append("t", events)
    log.append("t", _posts(2, start=4))
    with closing(reopen(log)) as log:
        again = log.append("t", list(reversed(events)))
        _equal((again.positions, again.new, again.revision), (first.positions[::-1], 0, 5), "the answer to a retry")
        _equal(log.position(), 5, "the position")


def repeats_within_a_batch_count_once(log: EventLog, reopen: Reopen) -> None:
    """A fact that a batch holds several times, even redacted, is stored once."""
    one, other = _posts(2)
    answer = log.append("t", [one, other, one, redact(other), decode(encode(one))])
    _equal((answer.positions, answer.new, answer.revision), ((1, 2, 1, 2, 1), 2, 2), "the answer")
    _equal(_events(log.read("t")), [one, other], "the events")


def a_batch_may_be_partly_there(log: EventLog, reopen: Reopen) -> None:
    """Of a batch that is partly there the rest is added, in the batch's order."""
    one, two, three, four = _posts(4)
    log.append("t", [two])
    answer = log.append("t", [four, two, one, three], expected=Revision(1))
    _equal((answer.positions, answer.new, answer.revision), ((2, 1, 3, 4), 3, 4), "the answer")
    _equal(_events(log.read("t")), [two, four, one, three], "the events")


def another_fact_under_a_known_id_is_refused(log: EventLog, reopen: Reopen) -> None:
    """A known id with another text, or another skeleton, is a ConflictingEvent that names it; nothing of the batch is stored."""
    known = _post(2)
    log.append("t", [known])
    before = _content(log)
    others = [
        _post(2, body="other words"),
        _post(2, by=_BOB),
        ThreadDescribed(id=known.id, thread="t", actor=_ANN),
        _post(2, thread="u"),
    ]
    for other in others:
        batch = [_post(1, thread=other.thread), other, _post(3, thread=other.thread)]
        error = _raises(ConflictingEvent, lambda batch=batch: log.append(batch[0].thread, batch), "another fact")  # type: ignore[misc]
        _equal(error.id, known.id, "the id that the error names")
        _equal(_content(log), before, "the content")
    log.append("t", [_post(1), _post(3)])


def two_facts_under_one_id_are_refused(log: EventLog, reopen: Reopen) -> None:
    """A batch that contradicts itself is a ConflictingEvent, and nothing of it is stored."""
    batch = [_post(1), _post(2), _post(2, body="other words")]
    error = _raises(ConflictingEvent, lambda: log.append("t", batch), "two facts under one id")
    _equal(error.id, _id(2), "the id that the error names")
    _equal(_content(log), ([], {}), "the content")


def a_redacted_twin_is_already_there(log: EventLog, reopen: Reopen) -> None:
    """A fact and its redacted twin are one fact, whichever came first; what is stored stays as it is."""
    full, blank = _post(1), redact(_post(2))
    log.append("t", [full, blank])
    answer = log.append("t", [redact(full), _post(2)])
    _equal((answer.positions, answer.new), ((1, 2), 0), "the answer to the twins")
    _equal(_events(log.read("t")), [full, blank], "the events")


def unknown_events_are_kept_byte_for_byte(log: EventLog, reopen: Reopen) -> None:
    """What a newer release wrote, kinds and fields that nobody knows here, is stored and given back as it came."""
    # Records as the codec defines them: a kind of the future, and a CommentPosted with two fields more.
    kind = bytes.fromhex("97ab636f6d6d656e742e6e657702c410018bcfe5680f70008000000000000007a174c001c0")
    field = encode(_post(8))
    field = b"\x9d" + field[1:] + b"\xc0" * (12 - (field[0] & 0x0F)) + b"\x2a"
    events = [decode(kind), decode(field)]
    log.append("t", events)
    with closing(reopen(log)) as log:
        _equal([record.data for record in log.read("t")], [kind, field], "the records")
        _equal(log.append("t", [decode(kind), decode(field)]).new, 0, "how many are new when they come again")


# --- expectations -------------------------------------------------------------------------------------------------------------


def an_expectation_that_fails_stores_nothing(log: EventLog, reopen: Reopen) -> None:
    """`expected` is compared with the thread's revision; WrongRevision says what it is, and nothing is stored."""
    log.append("t", _posts(1), expected=NONE)
    log.append("t", _posts(1, start=2), expected=Revision(1))
    log.append("t", _posts(1, start=3), expected=ANY)
    log.append("u", _posts(1, start=4, thread="u"), expected=Revision(0))
    before = _content(log)
    for expected in (NONE, Revision(0), Revision(2), Revision(4)):
        batch = _posts(2, start=5)
        call = lambda batch=batch, expected=expected: log.append("t", batch, expected=expected)  # noqa: E731
        error = _raises(WrongRevision, call, f"expecting {expected} at revision 3")
        _equal((error.thread, error.actual), ("t", 3), "what the error says")
        _equal(_content(log), before, "the content")
    log.append("t", _posts(2, start=5), expected=Revision(3))


def a_retry_succeeds_whatever_it_expects(log: EventLog, reopen: Reopen) -> None:
    """Events that are already there are not late: an outdated expectation matters only if something is new."""
    events = _posts(2)
    first = log.append("t", events, expected=NONE)
    log.append("t", _posts(1, start=3))
    for expected in (NONE, Revision(2), Revision(99)):
        _equal(log.append("t", events, expected=expected).positions, first.positions, f"the answer, expecting {expected}")
    batch = [*events, _post(4)]
    _raises(WrongRevision, lambda: log.append("t", batch, expected=NONE), "something new with an outdated expectation")


def of_two_writers_with_one_expectation_one_wins(log: EventLog, reopen: Reopen) -> None:
    """However writers meet, exactly one of those that expect the same revision is served."""
    rounds, writers = 20, 4
    with ThreadPoolExecutor(writers) as pool:
        for turn in range(rounds):
            together = Barrier(writers)

            def write(writer: int, turn: int = turn, together: Barrier = together) -> bool:
                together.wait()
                try:
                    log.append("t", [_post(turn * writers + writer)], expected=Revision(turn))
                except WrongRevision:
                    return False
                return True

            won = list(pool.map(write, range(writers)))
            _equal((won.count(True), log.revision("t")), (1, turn + 1), "how many won, and the revision")


# --- positions ----------------------------------------------------------------------------------------------------------------


def positions_are_never_reused(log: EventLog, reopen: Reopen) -> None:
    """A place is given once: not again after a refused batch, an erasure, or reopening."""
    log.append("t", _posts(3))
    _raises(ConflictingEvent, lambda: log.append("t", [_post(4), _post(3, by=_BOB)]), "another fact")
    _raises(WrongRevision, lambda: log.append("t", [_post(4)], expected=NONE), "an outdated expectation")
    log.redact("t", [Erasure(comment=_id(3))])
    _equal(_places(log.read_all()), [(1, 1), (2, 2), (3, 3)], "the places")
    _equal(log.append("t", [_post(5)]).positions, (4,), "the next position")
    with closing(reopen(log)) as log:
        _equal((log.position(), log.revision("t")), (4, 4), "position and revision after reopening")
        _equal(log.append("u", [_post(6, thread="u")]).positions, (5,), "the next position after reopening")


_WRITERS, _TURNS, _BATCHES, _SIZE = 4, 5, 5, 3


def no_position_shows_before_a_smaller_one(log: EventLog, reopen: Reopen) -> None:
    """A reader that follows the log while many write misses nothing, and nothing that was acknowledged is lost."""
    together = Barrier(_WRITERS + 1)
    with ThreadPoolExecutor(_WRITERS) as pool:
        writing = [pool.submit(_write_in_turns, log, writer, together) for writer in range(_WRITERS)]
        followed = _follow_in_turns(log, together)
    followed += _beyond(followed, log)
    _equal(followed, list(log.read_all()), "what a follower saw")
    given = sorted(position for future in writing for position in future.result())
    _equal(given, list(range(1, _WRITERS * _TURNS * _BATCHES * _SIZE + 1)), "the positions given")
    for thread in log.threads():
        revisions = [record.revision for record in log.read(thread)]
        _equal(revisions, list(range(1, len(revisions) + 1)), f"the revisions of {thread}")


def _write_in_turns(log: EventLog, writer: int, together: Barrier) -> list[int]:
    positions: list[int] = []
    with _taking_part(together):
        for turn in range(_TURNS):
            together.wait()
            for batch in range(_BATCHES):
                number, thread = (writer * _TURNS + turn) * _BATCHES + batch, f"t{(writer + batch) % 2}"
                positions += log.append(thread, _posts(_SIZE, start=number * _SIZE, thread=thread)).positions
    return positions


def _follow_in_turns(log: EventLog, together: Barrier) -> list[Record]:
    """Read on once in each turn, so that the reader has its turns however fast the writers are."""
    followed: list[Record] = []
    with _taking_part(together):
        for _ in range(_TURNS):
            together.wait()
            followed += _beyond(followed, log)
    return followed


def _beyond(followed: list[Record], log: EventLog) -> list[Record]:
    return list(log.read_all(after=followed[-1].position if followed else 0))


@contextmanager
def _taking_part(together: Barrier) -> Iterator[None]:
    """Let nobody wait for one who has failed."""
    try:
        yield
    except BaseException:
        together.abort()
        raise


def what_was_appended_survives(log: EventLog, reopen: Reopen) -> None:
    """Reopening changes nothing."""
    log.append("t", _posts(3))
    log.append("u", _posts(2, start=4, thread="u"))
    log.redact("t", [Erasure(comment=_id(2))])
    before = _content(log)
    with closing(reopen(log)) as log:
        _equal(_content(log), before, "the content")
        _equal(list(log.verify()), [], "what verify finds")


# --- erasure ------------------------------------------------------------------------------------------------------------------


def an_erasure_takes_the_texts_out(log: EventLog, reopen: Reopen) -> None:
    """`redact` leaves the skeletons of what it absorbs in their places, touches nothing else, and says how many it changed."""
    events = [_post(1), _post(2), _post(3, by=_BOB), _post(4, by=None), _post(5)]
    log.append("t", events)
    log.append("u", [_post(6, thread="u")])
    places = _places(log.read_all())
    _equal(log.redact("t", [Erasure(comment=_id(4))]), 1, "how many records the erasure of a comment changes")
    _equal(log.redact("t", [Erasure(person="u-ann", before=_id(5))]), 2, "how many records the erasure of a person changes")
    wanted = [redact(_post(1)), redact(_post(2)), _post(3, by=_BOB), redact(_post(4, by=None)), _post(5), _post(6, thread="u")]
    _equal(_events(log.read_all()), wanted, "the events")
    _equal(_events(log.read("t")), wanted[:5], "the thread's events")
    _equal(log.find(_id(1)), next(log.read("t")), "the record found")
    _equal(_places(log.read_all()), places, "the places")


def erasing_again_changes_nothing(log: EventLog, reopen: Reopen) -> None:
    """The second time there is nothing left to redact, together with others or not, and after reopening too."""
    log.append("t", [_post(1), _post(2, by=_BOB)])
    erasure = Erasure(comment=_id(1))
    _equal((log.redact("t", [erasure, erasure]), log.redact("t", [erasure]), log.redact("t", [])), (1, 0, 0), "the changes")
    with closing(reopen(log)) as log:
        _equal(log.redact("t", [erasure]), 0, "the changes after reopening")
        _equal(log.redact("t", [erasure, Erasure(person="u-bob", before=_id(3))]), 1, "the changes with another erasure")


def an_erasure_is_remembered(log: EventLog, reopen: Reopen) -> None:
    """What an erasure absorbs is stored without its texts when it arrives later, and is still the same fact."""
    log.redact("t", [Erasure(comment=_id(1)), Erasure(person="u-bob", before=_id(3))])
    with closing(reopen(log)) as log:
        batch = [_post(1), _post(2, by=_BOB), _post(4, by=_BOB), _post(5)]
        wanted = [redact(_post(1)), redact(_post(2, by=_BOB)), *batch[2:]]
        _equal(log.append("t", batch).new, 4, "how many are new")
        _equal(_events(log.read("t")), wanted, "the events")
        answer = log.append("t", [redact(event) for event in batch[:2]] + batch)
        _equal((answer.positions, answer.new), ((1, 2, 1, 2, 3, 4), 0), "the answer to a retry")
        log.append("u", [_post(6, thread="u", by=_BOB)])
        _equal(_events(log.read("u")), [_post(6, thread="u", by=_BOB)], "the events of another thread")


def an_append_erases_in_the_same_step(log: EventLog, reopen: Reopen) -> None:
    """`erasures` of an append redact what is there and what comes with it; doing it again is a retry."""
    log.append("t", [_post(1), _post(2)])
    erasure, comment = CommentErased(id=_id(9), thread="t", comment=_id(1)), Erasure(comment=_id(1))
    answer = log.append("t", [erasure], erasures=[comment])
    _equal((answer.positions, answer.new, answer.revision), ((3,), 1, 3), "the answer")
    _equal(_events(log.read("t")), [redact(_post(1)), _post(2), erasure], "the events")
    _equal(log.append("t", [erasure], erasures=[comment], expected=NONE).new, 0, "how many are new in a retry")
    person, gone = PersonErased(id=_id(8), thread="t", person="u-bob"), Erasure(person="u-bob", before=_id(8))
    log.append("t", [_post(3, by=_BOB), person], erasures=[gone])
    _equal(_events(log.read("t", after=3)), [redact(_post(3, by=_BOB)), person], "the events that came with the erasure")


def a_refused_append_erases_nothing(log: EventLog, reopen: Reopen) -> None:
    """If a batch is refused, so are its erasures, now and for what arrives later."""
    log.append("t", [_post(1), _post(2)])
    erasures = [Erasure(comment=_id(1)), Erasure(comment=_id(4))]
    for batch, error in (([_post(3)], WrongRevision), ([_post(2, by=_BOB)], ConflictingEvent)):
        call = lambda batch=batch: log.append("t", batch, expected=NONE, erasures=erasures)  # noqa: E731
        _raises(error, call, "a batch to be refused")
    log.append("t", [_post(4)])
    _equal(_events(log.read("t")), [_post(1), _post(2), _post(4)], "the events")


# --- the end ------------------------------------------------------------------------------------------------------------------


def a_closed_log_says_so(log: EventLog, reopen: Reopen) -> None:
    """After `close` every other method raises StoreClosed, at the call; closing again does nothing."""
    log.append("t", _posts(1))
    log.close()
    log.close()
    calls: dict[str, Callable[[], Any]] = {
        "append": lambda: log.append("t", _posts(1)),
        "an empty append": lambda: log.append("t", []),
        "read": lambda: log.read("t"),
        "read_all": log.read_all,
        "find": lambda: log.find(_id(1)),
        "threads": log.threads,
        "revision": lambda: log.revision("t"),
        "position": log.position,
        "redact": lambda: log.redact("t", [Erasure(comment=_id(1))]),
        "verify": log.verify,
    }
    for name, call in calls.items():
        _raises(StoreClosed, call, f"{name} after close")


#: Every promise, each a check of its own.
CHECKS: Final[tuple[Check, ...]] = (
    a_fresh_log_is_empty,
    positions_and_revisions_count_from_one,
    events_come_back_byte_for_byte,
    an_empty_batch_changes_nothing,
    an_event_of_another_thread_is_misuse,
    reading_starts_after_a_place,
    a_long_log_is_read_in_full,
    an_iterator_shows_the_moment_of_its_call,
    an_event_is_found_by_its_id,
    threads_come_in_the_order_of_their_first_events,
    threads_do_not_mix,
    a_retry_gives_the_same_positions,
    repeats_within_a_batch_count_once,
    a_batch_may_be_partly_there,
    another_fact_under_a_known_id_is_refused,
    two_facts_under_one_id_are_refused,
    a_redacted_twin_is_already_there,
    unknown_events_are_kept_byte_for_byte,
    an_expectation_that_fails_stores_nothing,
    a_retry_succeeds_whatever_it_expects,
    of_two_writers_with_one_expectation_one_wins,
    positions_are_never_reused,
    no_position_shows_before_a_smaller_one,
    what_was_appended_survives,
    an_erasure_takes_the_texts_out,
    erasing_again_changes_nothing,
    an_erasure_is_remembered,
    an_append_erases_in_the_same_step,
    a_refused_append_erases_nothing,
    a_closed_log_says_so,
)
