"""Every log keeps the contract, and the contract notices every log that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import BrokenBarrierError, current_thread, main_thread
from typing import Any

import pytest
from msgspec.structs import replace

from threadstore.errors import ConflictingEvent, StoreClosed, StoreError, StoreUnavailable
from threadstore.log.batch import check_expected
from threadstore.log.protocol import ANY, Appended, Damage, EventLog, Record
from threadstore.model.codec import encode
from threadstore.model.erasure import Erasure, is_redacted, redact
from threadstore.model.events import Event, UnknownEvent
from threadstore.testing import contract
from threadstore.testing.contract import CHECKS, Check, check_event_log
from threadstore.testing.memory_log import MemoryLog


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_log_keeps_its_promise(check: Check, kind: Any):
    """Each of our logs keeps each of the promises."""
    check(kind.make(), kind.reopen)


def test_the_checks_run_together(kind: Any):
    """`check_event_log` is content with our logs, and closes each that it was given."""
    made: list[EventLog] = []

    def make() -> EventLog:
        made.append(kind.make())
        return made[-1]

    check_event_log(make, reopen=kind.reopen)
    assert len(made) == len(CHECKS)
    for log in made:
        with pytest.raises(StoreClosed):
            log.position()


def test_a_log_without_storage_needs_no_reopen():
    """Without `reopen` a log is checked as it is."""
    check_event_log(MemoryLog)


# --- logs that break a promise ------------------------------------------------------------------------------------------------


class Mutant(MemoryLog):
    """The reference, which each mutant breaks in one place; the options of `append` are gathered for those that change them."""

    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        return super().append(thread, events, **options)


class ListsAThreadThatIsNotThere(Mutant):
    def threads(self) -> Iterator[str]:
        return iter([*super().threads(), "ghost"])


class CountsPositionsByThread(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        answer = super().append(thread, events, **options)
        return replace(answer, positions=tuple(range(1, len(answer.positions) + 1)))


class ChangesTheBytes(Mutant):
    def _add(self, thread: str, id: str, data: bytes) -> None:
        super()._add(thread, id, data + b"\xc0")


class ExpectsOfNothing(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        if not events:
            check_expected(thread, options.get("expected", ANY), self.revision(thread))
        return super().append(thread, events, **options)


class TakesAnyThread(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        return super().append(thread, [replace(event, thread=thread) for event in events], **options)


class IncludesAfter(Mutant):
    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        return super().read(thread, after=after - 1)


class ForgetsTheLimit(Mutant):
    def read_all(self, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        return super().read_all(after=after)


class ReadsOneChunk(Mutant):
    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        return (record for record, _ in zip(super().read(thread, after=after), range(1_000), strict=False))


class ReadsAsItGoes(Mutant):
    def read_all(self, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        self.position()  # raises if closed
        return iter(self._records) if after == 0 and limit is None else super().read_all(after=after, limit=limit)


class FindsInAnyCase(Mutant):
    def find(self, id: str) -> Record | None:
        return super().find(id.lower())


class ListsThreadsByName(Mutant):
    def threads(self) -> Iterator[str]:
        return iter(sorted(super().threads()))


class ComparesWithoutCase(Mutant):
    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        self.position()
        return iter([record for record in self._records if record.thread.lower() == thread.lower() and record.revision > after])


class StoresARetryAgain(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        if events and all(event.id in self._positions for event in events):
            for event in events:
                self._add(thread, event.id, encode(event))
        return super().append(thread, events, **options)


class StoresRepeats(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        answer = super().append(thread, events, **options)
        return replace(answer, new=len(events)) if answer.new else answer


class AllOrNothingNew(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        known = [event for event in events if event.id in self._positions]
        return super().append(thread, known or events, **options)


class IsNotAtomic(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        options |= {"expected": ANY} if len(events) > 1 else {}
        answers = [super(IsNotAtomic, self).append(thread, [event], **options) for event in events]
        answers = answers or [super().append(thread, events, **options)]
        return Appended(sum((answer.positions for answer in answers), ()), sum(a.new for a in answers), answers[-1].revision)


class KnowsIdsByThread(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        known = {id: place for id, place in self._positions.items() if self._records[place - 1].thread != thread}
        for id in known:
            del self._positions[id]
        try:
            return super().append(thread, events, **options)
        finally:
            self._positions = known | self._positions


class KeepsTheFirstOfABatch(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        first = {event.id: event for event in reversed(events)}
        return super().append(thread, [first[event.id] for event in events], **options)


class ComparesBytes(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        for event in events:
            if event.id in self._positions and encode(event) != self._records[self._positions[event.id] - 1].data:
                raise ConflictingEvent(event.id)
        return super().append(thread, events, **options)


class RefusesUnknownKinds(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        return super().append(thread, [event for event in events if not isinstance(event, UnknownEvent)], **options)


class IgnoresExpectations(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        return super().append(thread, events, **options | {"expected": ANY})


class ExpectsOfRetries(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        if events:
            check_expected(thread, options.get("expected", ANY), self.revision(thread))
        return super().append(thread, events, **options)


class ChecksBeforeItLocks(Mutant):
    """Everybody who meets at one revision is served."""

    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        if options.get("expected") == self.revision(thread) - 1:
            options = {}
        return super().append(thread, events, **options)


class ReusesPositions(Mutant):
    def redact(self, thread: str, erasures: Sequence[Erasure]) -> int:
        changed = super().redact(thread, erasures)
        if changed and self._records[-1].event == redact(self._records[-1].event):
            gone = self._records.pop()
            self._threads[gone.thread].pop()
        return changed


class CommitsLate(Mutant):
    """Shows odd positions later than even ones, like transactions that commit out of order (eventsourcing, Marten)."""

    def read_all(self, *, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        with self._lock:
            last = len(self._records)
        records = super().read_all(after=after, limit=limit)
        return iter([record for record in records if record.position % 2 == 0 or record.position < last - 9])


class FindsDamage(Mutant):
    """Takes what was erased for what is damaged."""

    def verify(self) -> Iterator[Damage]:
        return (Damage("record", record.position, "t", "no words") for record in self.read_all() if is_redacted(record.event))


class ErasesForGood(Mutant):
    """Takes the person's later words too."""

    def redact(self, thread: str, erasures: Sequence[Erasure]) -> int:
        return super().redact(thread, [erasure._replace(before="f" * 36) for erasure in erasures])


class CountsEveryErasure(Mutant):
    def redact(self, thread: str, erasures: Sequence[Erasure]) -> int:
        super().redact(thread, erasures)
        return len(erasures)


class ForgetsErasures(Mutant):
    def redact(self, thread: str, erasures: Sequence[Erasure]) -> int:
        changed = super().redact(thread, erasures)
        self._erasures.pop(thread, None)
        return changed


class ErasesInASecondStep(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        return super().append(thread, events, **options | {"erasures": ()})


class ErasesFirst(Mutant):
    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        if options.get("erasures"):
            self.redact(thread, options["erasures"])
        return super().append(thread, events, **options)


class NeverCloses(Mutant):
    def close(self) -> None:
        pass


class LacksMethods:
    def close(self) -> None:
        pass


MUTANTS: list[tuple[Callable[[], Any], Check]] = [
    (LacksMethods, contract.a_fresh_log_is_empty),
    (ListsAThreadThatIsNotThere, contract.a_fresh_log_is_empty),
    (CountsPositionsByThread, contract.positions_and_revisions_count_from_one),
    (ChangesTheBytes, contract.events_come_back_byte_for_byte),
    (ExpectsOfNothing, contract.an_empty_batch_changes_nothing),
    (TakesAnyThread, contract.an_event_of_another_thread_is_misuse),
    (IncludesAfter, contract.reading_starts_after_a_place),
    (ForgetsTheLimit, contract.reading_starts_after_a_place),
    (ReadsOneChunk, contract.a_long_log_is_read_in_full),
    (ReadsAsItGoes, contract.an_iterator_shows_the_moment_of_its_call),
    (FindsInAnyCase, contract.an_event_is_found_by_its_id),
    (ListsThreadsByName, contract.threads_come_in_the_order_of_their_first_events),
    (ComparesWithoutCase, contract.threads_do_not_mix),
    (StoresARetryAgain, contract.a_retry_gives_the_same_positions),
    (StoresRepeats, contract.repeats_within_a_batch_count_once),
    (AllOrNothingNew, contract.a_batch_may_be_partly_there),
    (IsNotAtomic, contract.another_fact_under_a_known_id_is_refused),
    (KnowsIdsByThread, contract.another_fact_under_a_known_id_is_refused),
    (KeepsTheFirstOfABatch, contract.two_facts_under_one_id_are_refused),
    (ComparesBytes, contract.a_redacted_twin_is_already_there),
    (RefusesUnknownKinds, contract.unknown_events_are_kept_byte_for_byte),
    (IgnoresExpectations, contract.an_expectation_that_fails_stores_nothing),
    (ExpectsOfRetries, contract.a_retry_succeeds_whatever_it_expects),
    (ChecksBeforeItLocks, contract.of_two_writers_with_one_expectation_one_wins),
    (ReusesPositions, contract.positions_are_never_reused),
    (CommitsLate, contract.no_position_shows_before_a_smaller_one),
    (FindsDamage, contract.what_was_appended_survives),
    (ErasesForGood, contract.an_erasure_takes_the_texts_out),
    (CountsEveryErasure, contract.erasing_again_changes_nothing),
    (ForgetsErasures, contract.an_erasure_is_remembered),
    (ErasesInASecondStep, contract.an_append_erases_in_the_same_step),
    (ErasesFirst, contract.a_refused_append_erases_nothing),
    (NeverCloses, contract.a_closed_log_says_so),
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=lambda value: value.__name__)
def test_a_broken_promise_is_noticed(mutant: Callable[[], Any], check: Check):
    """Each of these logs has one fault, which the check of that promise finds."""
    with pytest.raises((AssertionError, StoreError)):
        check(mutant(), lambda log: log)


@pytest.mark.parametrize("mutant", [mutant for mutant, _ in MUTANTS], ids=lambda mutant: mutant.__name__)
def test_a_broken_log_is_refused(mutant: Callable[[], Any]):
    """`check_event_log` raises an AssertionError that says which promise is broken."""
    with pytest.raises(AssertionError, match=r"\. This is broken: .") as found:
        check_event_log(mutant)
    promises = [" ".join(str(check.__doc__).split()) for check in CHECKS]
    assert any(str(found.value).startswith(promise) for promise in promises)


def test_each_check_can_fail():
    """No check passes vacuously: for each there is a log that it refuses."""
    assert {check for _, check in MUTANTS} == set(CHECKS)


def test_an_error_without_words_is_named():
    """A log that dies silently is reported by the name of its error."""

    class Dies(MemoryLog):
        def threads(self) -> Iterator[str]:
            raise KeyError

    with pytest.raises(AssertionError, match="This is broken: KeyError"):
        check_event_log(Dies)


class FailsInThreads(Mutant):
    """Serves only the Python thread that made it, like a connection that must not be shared."""

    def append(self, thread: str, events: Sequence[Event], **options: Any) -> Appended:
        if current_thread() is not main_thread():
            raise StoreUnavailable("here", "made in another thread")
        return super().append(thread, events, **options)


def test_a_writer_that_fails_stops_everybody():
    """If one of several writers fails, the check fails too, and nobody waits for ever."""
    with pytest.raises((BrokenBarrierError, StoreUnavailable)):
        contract.no_position_shows_before_a_smaller_one(FailsInThreads(), lambda log: log)
    with pytest.raises(AssertionError, match="exactly one"):
        check_event_log(FailsInThreads)
