"""Given a thread, when this command comes, then these events follow, or this rejection."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, Final

import msgspec
import pytest
from attrs import field, frozen

from threadstore import errors
from threadstore.decide.decide import Decision, Mint, decide, is_same_request, resolve
from threadstore.decide.questions import SYSTEM, ask_hooks
from threadstore.model import commands as c
from threadstore.model.erasure import redact
from threadstore.model.events import (
    CommentApproved,
    CommentDeleted,
    CommentEdited,
    CommentErased,
    CommentHeld,
    CommentPinned,
    CommentPosted,
    CommentRemoved,
    CommentReported,
    CommentRestored,
    CommentUnpinned,
    CorrectionDecided,
    CorrectionSuggested,
    Event,
    PersonErased,
    ReactionGiven,
    ReactionWithdrawn,
    ReportsResolved,
    SpoilerCleared,
    SpoilerMarked,
    ThreadDescribed,
    ThreadLocked,
    ThreadUnlocked,
)
from threadstore.model.ids import NIL, id_for, make_id, time_of
from threadstore.model.policy import Policy, Verdict
from threadstore.model.values import MAX_CANCELS, Actor, TextQuote
from threadstore.testing.given import (
    ANN,
    AUTHOR,
    BOB,
    CYD,
    EDITOR,
    MODERATOR,
    THREAD,
    approved,
    cleared,
    decided,
    deleted,
    described,
    edited,
    erased,
    held,
    id_of,
    locked,
    marked,
    moment,
    person_erased,
    pinned,
    posted,
    reacted,
    removed,
    reported,
    resolved,
    restored,
    suggested,
    unlocked,
    unpinned,
    unreacted,
)
from threadstore.views.thread import Thread, fold

LATER: Final = 100  # the number of the moment at which commands come, unless a test says otherwise
NEW: Final = id_of(LATER)
SKEW: Final = Policy().max_clock_skew

ANN_AS_AUTHOR: Final = Actor("ann", "Ann Lee", "author")
ANN_AS_MODERATOR: Final = Actor("ann", "Ann Lee", "moderator")
SECOND: Final = Actor("sal", "Sal", "moderator")
UP_OR_DOWN: Final = Policy(kinds=frozenset({"up", "down"}), exclusive=(frozenset({"up", "down"}),))


def ask(command: type[c.Command], about: int | None = None, *, by: Actor | None = None, **fields: Any) -> Any:
    """Return the command of *by* about the comment (for a decision: the correction) with this number."""
    if about is not None:
        fields["correction" if command is c.DecideCorrection else "comment"] = id_of(about)
    return command(thread=THREAD, by=by, **fields)


def say(body: str = "hello", *, to: int | None = None, by: Actor | None = ANN, **fields: Any) -> c.Post:
    """Return the command to post *body*."""
    return c.Post(thread=THREAD, by=by, parent=None if to is None else id_of(to), body=body, **fields)


def ids(*numbers: int) -> tuple[str, ...]:
    return tuple(map(id_of, numbers))


def suggest(by: Actor | None = ANN, **fields: Any) -> c.SuggestCorrection:
    fields = {"quote": TextQuote("teh"), "suggestion": "the", **fields}
    return c.SuggestCorrection(thread=THREAD, by=by, **fields)


def with_id(command: c.Command, id: str) -> c.Command:
    return msgspec.structs.replace(command, id=id)


def answer(command: c.Command, thread: Thread, *, policy: Policy, now: int, mint: Mint | None = None) -> Decision:
    """Return what a command comes to, the application's hooks asked as `decide` asks them."""
    return resolve(command, thread, policy=policy, now=now, screened=lambda: ask_hooks(command, policy, thread), mint=mint)


@frozen
class Given:
    """A thread's facts and the application's policy; `when` a command comes, something follows."""

    facts: tuple[Event, ...] = field(converter=tuple)
    policy: Policy = field(default=Policy())

    def thread(self) -> Thread:
        return fold(self.facts, key=THREAD)

    def when(self, command: c.Command, *, at: int = LATER) -> tuple[Event, ...]:
        return decide(command, self.thread(), policy=self.policy, now=moment(at))

    def answer(self, command: c.Command, *, at: int = LATER) -> str:
        """Return the id that the caller gets where nothing is to be done."""
        decision = answer(command, self.thread(), policy=self.policy, now=moment(at))
        assert decision.events == ()
        return decision.id


def given(*facts: Event, policy: Policy = Policy()) -> Given:  # noqa: B008 - a policy is immutable
    return Given(facts, policy)


def facts_of(events: Iterable[Event]) -> list[tuple[type[Event], Actor | None, dict[str, Any]]]:
    """Return what events say, without their ids."""
    skip = {"id", "thread", "actor", "extra"}
    return [
        (type(event), event.actor, {name: getattr(event, name) for name in event.__struct_fields__ if name not in skip})
        for event in events
    ]


@frozen
class Case:
    """
    One kind of command in a thread where it is accepted.

    Args:
        facts: The thread.
        command: The command.
        makes: The kinds of the events that follow.
        floor: The largest number that the new id has to exceed; None if there is none.
        outsider: How Bob, a reader who wrote nothing of it, is refused; None if he is not.
        anonymous: How an anonymous actor is refused; None if not.
        gone: In which states of comment 1 it is refused.
        policy: The application's policy.
        repeatable: Whether saying it twice is saying two things.
    """

    facts: tuple[Event, ...]
    command: Any
    makes: tuple[type[Event], ...]
    floor: int | None
    outsider: type[errors.Rejected] | None = errors.NotAllowed
    anonymous: type[errors.Rejected] | None = errors.NotAllowed
    gone: tuple[str, ...] = ()
    policy: Policy = field(default=Policy())
    repeatable: bool = False

    @property
    def given(self) -> Given:
        return Given(self.facts, self.policy)


GONE: Final = ("erased", "deleted")
HELD: Final = (posted(1), reported(2, 1), held(3, 1))
STRICT: Final = errors.NotTheAuthor

CASES: Final[dict[str, Case]] = {
    "post": Case((), say(), (CommentPosted,), None, None, None, repeatable=True),
    "reply": Case((posted(1),), say(to=1), (CommentPosted,), 1, None, None, (*GONE, "removed"), repeatable=True),
    "edit": Case((posted(1),), ask(c.Edit, 1, by=ANN, body="new"), (CommentEdited,), 1, STRICT, STRICT, GONE),
    "edit again": Case((posted(1), edited(2, 1)), ask(c.Edit, 1, by=ANN, body="new"), (CommentEdited,), 2, STRICT, STRICT, GONE),
    "edit in another role": Case(
        (posted(1), edited(4, 1, by=ANN_AS_AUTHOR)),
        ask(c.Edit, 1, by=ANN, body="new", seen=id_of(1)),
        (CommentEdited,),
        4,
        STRICT,
        STRICT,
        GONE,
    ),
    "edit unseen": Case(  # Ann's edit 5 lost to the moderator's 4, which she had not seen, and still stands under her key
        (posted(1), edited(4, 1, by=MODERATOR), edited(5, 1, seen=1)),
        ask(c.Edit, 1, by=ANN, body="new"),
        (CommentEdited,),
        5,
        STRICT,
        STRICT,
        GONE,
    ),
    "edit as moderator": Case(
        (posted(1), edited(4, 1, by=SECOND), edited(5, 1, seen=4)),
        ask(c.Edit, 1, by=MODERATOR, body="new", seen=id_of(1)),
        (CommentEdited,),
        5,
        STRICT,
        STRICT,
        GONE,
    ),
    "edit after a moderator": Case(
        (posted(1), edited(4, 1, by=SECOND)),
        ask(c.Edit, 1, by=MODERATOR, body="new", seen=id_of(1)),
        (CommentEdited,),
        4,
        STRICT,
        STRICT,
        GONE,
    ),
    "delete": Case((posted(1),), ask(c.Delete, 1, by=ANN), (CommentDeleted,), 1, STRICT, STRICT, ("erased",)),
    "delete a correction": Case((suggested(1),), ask(c.Delete, 1, by=ANN), (CommentDeleted,), 1, STRICT, STRICT, ("erased",)),
    "react": Case((posted(1),), ask(c.React, 1, by=BOB), (ReactionGiven,), 1, None, gone=(*GONE, "removed", "held")),
    "react again": Case(
        (posted(1), reacted(2, 1), unreacted(4, 1)),
        ask(c.React, 1, by=BOB),
        (ReactionGiven,),
        4,
        None,
        gone=(*GONE, "removed", "held"),
    ),
    "react the other way": Case(
        (posted(1), reacted(4, 1, "down")),
        ask(c.React, 1, by=BOB, kind="up"),
        (ReactionGiven,),
        4,
        None,
        gone=(*GONE, "removed", "held"),
        policy=UP_OR_DOWN,
    ),
    "unreact": Case((posted(1), reacted(2, 1)), ask(c.Unreact, 1, by=BOB), (ReactionWithdrawn,), 2, None),
    "mark a spoiler": Case((posted(1),), ask(c.MarkSpoiler, 1, by=ANN), (SpoilerMarked,), 1, STRICT, STRICT, GONE),
    "clear a spoiler": Case(
        (posted(1, spoiler=True), marked(3, 1)),
        ask(c.ClearSpoiler, 1, by=ANN),
        (SpoilerCleared,),
        3,
        STRICT,
        STRICT,
        GONE,
    ),
    "report": Case((posted(1),), ask(c.Report, 1, by=BOB), (CommentReported,), 1, None, None, (*GONE, "removed")),
    "report an edit": Case(
        (posted(1), edited(2, 1)), ask(c.Report, 1, by=BOB), (CommentReported,), 2, None, None, (*GONE, "removed")
    ),
    "report a correction": Case((suggested(1),), ask(c.Report, 1, by=BOB), (CommentReported,), 1, None, None, (*GONE, "removed")),
    "report, and hold": Case(
        (posted(1), reported(3, 1, by=CYD)),
        ask(c.Report, 1, by=BOB),
        (CommentReported, CommentHeld),
        1,
        None,
        None,
        (*GONE, "removed"),
        Policy(report_threshold=2),
    ),
    "resolve reports": Case(
        (posted(1), reported(2, 1), reported(3, 1, by=None)), ask(c.ResolveReports, 1, by=MODERATOR), (ReportsResolved,), 3
    ),
    "hold": Case((posted(1),), ask(c.Hold, 1, by=MODERATOR), (CommentHeld,), 1, gone=GONE),
    "approve": Case((posted(1), held(3, 1)), ask(c.Approve, 1, by=MODERATOR), (CommentApproved,), 3, gone=GONE),
    "approve what was reported": Case(HELD, ask(c.Approve, 1, by=MODERATOR), (CommentApproved, ReportsResolved), 3, gone=GONE),
    "approve what is only reported": Case(
        (posted(1), reported(3, 1)), ask(c.Approve, 1, by=MODERATOR), (CommentApproved, ReportsResolved), 1, gone=GONE
    ),
    "approve another text": Case(
        (posted(1), held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1)),
        ask(c.Approve, 1, by=MODERATOR),
        (CommentApproved,),
        4,
        gone=GONE,
    ),
    "approve an older text": Case(
        (posted(1), edited(2, 1), held(3, 1)),
        ask(c.Approve, 1, by=MODERATOR, seen=id_of(1)),
        (CommentApproved,),
        3,
        gone=GONE,
    ),
    "remove": Case((posted(1),), ask(c.Remove, 1, by=MODERATOR), (CommentRemoved,), 1, gone=GONE),
    "remove a correction": Case((suggested(1),), ask(c.Remove, 1, by=MODERATOR), (CommentRemoved,), 1, gone=GONE),
    "restore": Case((posted(1), removed(3, 1)), ask(c.Restore, 1, by=MODERATOR), (CommentRestored,), 3, gone=GONE),
    "restore a correction": Case(
        (suggested(1), removed(3, 1)), ask(c.Restore, 1, by=MODERATOR), (CommentRestored,), 3, gone=GONE
    ),
    "pin": Case((posted(1),), ask(c.Pin, 1, by=MODERATOR), (CommentPinned,), 1, gone=(*GONE, "removed", "held")),
    "unpin": Case((posted(1), pinned(3, 1)), ask(c.Unpin, 1, by=MODERATOR), (CommentUnpinned,), 3),
    "lock": Case((), ask(c.Lock, by=MODERATOR), (ThreadLocked,), None),
    "unlock": Case((locked(3),), ask(c.Unlock, by=MODERATOR), (ThreadUnlocked,), 3),
    "describe": Case((), ask(c.Describe, by=AUTHOR, title="Drones"), (ThreadDescribed,), None),
    "describe again": Case((described(3, by=EDITOR),), ask(c.Describe, by=AUTHOR, title="Drones"), (ThreadDescribed,), 3),
    "suggest a correction": Case((), suggest(), (CorrectionSuggested,), None, None, repeatable=True),
    "decide a correction": Case(
        (suggested(1),),
        ask(c.DecideCorrection, 1, by=EDITOR, outcome="accepted"),
        (CorrectionDecided,),
        1,
        gone=(*GONE, "removed"),
    ),
    "decide again": Case(
        (suggested(1), decided(3, 1, "declined")),
        ask(c.DecideCorrection, 1, by=MODERATOR, outcome="accepted"),
        (CorrectionDecided,),
        3,
        gone=(*GONE, "removed"),
    ),
    "erase": Case((posted(1),), ask(c.Erase, 1, by=MODERATOR), (CommentErased,), 1),
    "erase a correction": Case((suggested(1),), ask(c.Erase, 1, by=MODERATOR), (CommentErased,), 1),
    "erase a person": Case(
        (posted(1), reacted(4, 1, by=ANN)), ask(c.ErasePerson, by=MODERATOR, person="ann"), (PersonErased,), 4
    ),
    "erase oneself": Case((posted(1),), ask(c.ErasePerson, by=ANN, person="ann"), (PersonErased,), 1),
    "erase a person again": Case(
        (posted(1), person_erased(3, ANN), posted(4)), ask(c.ErasePerson, by=ANN, person="ann"), (PersonErased,), 4
    ),
}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def cases(condition: Callable[[Case], bool]) -> pytest.MarkDecorator:
    chosen = {name: case for name, case in CASES.items() if condition(case)}
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen.keys())


def told(thread: Thread, policy: Policy) -> bytes:
    """Return all that a moderator sees of a thread."""
    page = thread.view(reader=MODERATOR, reveal="all", policy=policy)
    return msgspec.json.encode([page, thread.queue(policy=policy), thread.corrections(reader=MODERATOR, policy=policy)])


# --- laws, for every kind of command ------------------------------------------------------------------------------------------


def test_every_command_has_a_case():
    """No kind of command is left out of what follows."""
    assert {type(case.command) for case in CASES.values()} == set(typing.get_args(c.AnyCommand))


@every_case
def test_an_accepted_command_becomes_events(case: Case):
    """The event that the command is named after comes first, and all are by their actor, in their thread."""
    events = case.given.when(case.command)
    assert tuple(map(type, events)) == case.makes
    assert {event.thread for event in events} == {THREAD}
    assert events[0].actor == case.command.by


@every_case
def test_an_accepted_event_has_effect(case: Case):
    """Something that a moderator sees is different afterwards."""
    thread = case.given.thread()
    before = told(thread, case.policy)
    for event in case.given.when(case.command):
        assert thread.apply(event)
    assert told(thread, case.policy) != before


@every_case
def test_asking_again_changes_nothing(case: Case):
    """Once a command was carried out, the same comes to nothing and is answered with what stands; only speech can be repeated."""
    events = case.given.when(case.command)
    after = Given((*case.facts, *events), case.policy)
    again = answer(case.command, after.thread(), policy=case.policy, now=moment(LATER + 1))
    if case.repeatable:
        assert facts_of(again.events) == facts_of(events)
        assert again.id > events[0].id
    else:
        assert again == (events[0].id, ())


@every_case
def test_deciding_is_pure(case: Case):
    """Equal arguments give equal events, and the thread is as it was."""
    thread = case.given.thread()
    digest, known = thread.digest(), list(thread.facts())
    first = decide(case.command, thread, policy=case.policy, now=moment(LATER))
    assert decide(case.command, thread, policy=case.policy, now=moment(LATER)) == first == case.given.when(case.command)
    assert (thread.digest(), list(thread.facts())) == (digest, known)


@every_case
def test_new_ids_ascend(case: Case):
    """Ids that are not given lie above all that the thread has seen, each above the one before, at the moment of deciding."""
    events = case.given.when(case.command)
    chain = [case.given.thread().latest, *(event.id for event in events)]
    assert chain == sorted(set(chain))
    assert {time_of(event.id) for event in events} == {moment(LATER)}


@every_case
def test_ids_may_be_minted(case: Case):
    """A store's clock is asked for one id, above all that the thread has seen; the other ids derive from it."""
    asked = []

    def mint(after: str) -> str:
        asked.append(after)
        return NEW

    decision = answer(case.command, case.given.thread(), policy=case.policy, now=moment(LATER), mint=mint)
    assert asked == [case.given.thread().latest]
    assert decision.id == decision.events[0].id == NEW
    assert all(event.id > NEW for event in decision.events[1:])
    assert decision.events == answer(case.command, case.given.thread(), policy=case.policy, now=moment(LATER), mint=mint).events


@every_case
def test_an_id_may_be_given(case: Case):
    """The named event bears the id that the command brings, and the ids of the others derive from it."""
    events = case.given.when(with_id(case.command, NEW))
    assert events[0].id == NEW
    assert facts_of(events) == facts_of(case.given.when(case.command))
    assert events == case.given.when(with_id(case.command, NEW), at=LATER + 1)


@cases(lambda case: case.floor is not None)
def test_an_id_must_be_above_what_it_follows(case: Case):
    """An id that is not above all that the event refers to or replaces is stale; the next one up is not, and has effect."""
    floor = id_of(case.floor)
    with pytest.raises(errors.StaleId) as caught:
        case.given.when(with_id(case.command, floor[:-1] + "0"))
    assert caught.value.floor == floor
    thread = case.given.thread()
    before = told(thread, case.policy)
    for event in case.given.when(with_id(case.command, id_for(0, "the next", after=floor))):
        assert thread.apply(event)
    assert told(thread, case.policy) != before


@every_case
def test_an_id_must_be_of_now(case: Case):
    """An id that is older than clocks may differ is stale; one from further ahead may be offered again when its time has come."""
    case.given.when(with_id(case.command, make_id(moment(LATER) + SKEW, 0, 0)))
    with pytest.raises(errors.ClockSkew) as early:
        case.given.when(with_id(case.command, make_id(moment(LATER) + SKEW + 7, 0, 0)))
    assert early.value.retry_at == moment(LATER) + 7
    at = LATER + SKEW // 1_000
    case.given.when(with_id(case.command, NEW), at=at)
    with pytest.raises(errors.StaleId) as late:
        case.given.when(with_id(case.command, NEW), at=at + 1)
    assert late.value.floor == make_id(moment(LATER + 1), 0, 0)


@every_case
def test_a_repeated_request_is_the_same_event(case: Case):
    """With the id of an event that it has become, a command is answered with that id, whatever has changed since."""
    command = with_id(case.command, NEW)
    events = case.given.when(command)
    since = (locked(101), deleted(102, 1), removed(103, 1), erased(104, 1), person_erased(105, ANN))
    thread = fold((*case.facts, *events, *since))
    long_after = moment(LATER) + 10 * SKEW
    assert answer(command, thread, policy=Policy(anonymous=False), now=long_after) == (NEW, ())
    assert decide(command, thread, policy=Policy(anonymous=False), now=long_after) == ()


@every_case
def test_a_request_is_recognised_without_its_texts(case: Case):
    """An event that was redacted since is still the one that the command asked for, also from an actor of another name."""
    [event, *_] = case.given.when(with_id(case.command, NEW))
    assert is_same_request(case.command, event)
    assert is_same_request(case.command, redact(event))
    renamed = msgspec.structs.replace(case.command, by=Actor(case.command.by.id, "Somebody", case.command.by.role))
    assert is_same_request(renamed, event)


@every_case
def test_an_id_is_one_event(case: Case):
    """Another command under the same id is a conflict: of another kind, by another actor, or in another role."""
    [event, *_] = case.given.when(with_id(case.command, NEW))
    thread = fold((*case.facts, event))
    other = say("else") if not isinstance(case.command, c.Post) else suggest()
    someone_else = msgspec.structs.replace(case.command, by=CYD)
    nobody = msgspec.structs.replace(case.command, by=None)
    promoted = msgspec.structs.replace(case.command, by=Actor(case.command.by.id, "", "system"))
    for command in (other, someone_else, nobody, promoted):
        with pytest.raises(errors.ConflictingEvent) as caught:
            decide(with_id(command, NEW), thread, now=moment(LATER))
        assert caught.value.id == NEW


@every_case
def test_who_is_nobody_in_particular_is_refused(case: Case):
    """A reader may do with what others wrote only what readers do; an anonymous actor posts and reports, no more."""
    for by, refusal in ((BOB, case.outsider), (None, case.anonymous)):
        command = msgspec.structs.replace(case.command, by=by)
        if refusal is None:
            case.given.when(command)
            continue
        with pytest.raises(refusal) as caught:
            case.given.when(command)
        assert "bob" in caught.value.args or None in caught.value.args


@every_case
@pytest.mark.parametrize(("state", "fact"), [("erased", erased), ("deleted", deleted), ("removed", removed), ("held", held)])
def test_what_is_gone_is_refused(case: Case, state: str, fact: Callable[..., Event]):
    """A comment that is erased, deleted, removed or held takes only what makes sense for it then."""
    given = Given((*case.facts, fact(50, 1)), case.policy)
    if state not in case.gone:
        given.when(case.command)
        return
    with pytest.raises(errors.CommentIsGone) as caught:
        given.when(case.command)
    assert caught.value.args == (id_of(1), state)


@every_case
def test_the_application_has_the_last_word(case: Case):
    """The `may` hook is asked about what the rules allow, with the command and the thread, and what it denies is not allowed."""
    asked = []
    allow = msgspec.structs.replace(case.command)

    def may(answer: bool) -> Policy:
        return Policy(
            kinds=case.policy.kinds,
            exclusive=case.policy.exclusive,
            report_threshold=case.policy.report_threshold,
            may=lambda *arguments: bool(asked.append(arguments)) or answer,
        )

    thread = case.given.thread()
    assert decide(allow, thread, policy=may(True), now=moment(LATER)) == case.given.when(case.command)
    assert asked == [(case.command, thread)]
    with pytest.raises(errors.NotAllowed) as caught:
        decide(allow, thread, policy=may(False), now=moment(LATER))
    assert caught.value.args == (case.command.name, case.command.by.id, case.command.by.role)


@cases(lambda case: isinstance(case.command, c.OnComment))
def test_what_is_not_there_is_not_found(case: Case):
    """A command about a comment that the thread does not have is refused, also about one that a placeholder stands for."""
    strange = msgspec.structs.replace(case.command, comment=id_of(9))
    for facts in (case.facts, (*case.facts, posted(10, to=9))):
        with pytest.raises(errors.CommentNotFound) as caught:
            Given(facts, case.policy).when(strange)
        assert caught.value.args == (THREAD, id_of(9))


# --- the arguments ------------------------------------------------------------------------------------------------------------


def test_a_command_is_for_one_thread():
    """Deciding about another thread is a mistake of the caller's; an empty thread takes its key from the command's events."""
    command = c.Post(thread="elsewhere", by=ANN, body="hello")
    with pytest.raises(ValueError, match="elsewhere"):
        given(posted(1)).when(command)
    [event] = decide(command, Thread(), now=moment(1))
    assert event.thread == "elsewhere"


@pytest.mark.parametrize("id", [NIL, "1", NEW.upper()])
def test_an_id_is_a_uuid(id: str):
    """What is no UUIDv7 in canonical text is refused before anything is decided."""
    with pytest.raises(ValueError, match="UUIDv7"):
        given().when(say(id=id))


def test_the_same_words_at_another_moment_are_another_event():
    """Ids that are derived differ by what the command says, by the moment, and by what the thread has seen."""
    made = [
        given().when(say("a")),
        given().when(say("b")),
        given().when(say("a"), at=LATER + 1),
        given(posted(LATER + 1, by=BOB)).when(say("a")),
    ]
    assert len({events[0].id for events in made}) == 4


def test_equal_commands_make_equal_events():
    """The order in which a mapping was filled is nobody's business."""
    assert given().when(say(meta={"a": "1", "b": "2"})) == given().when(say(meta={"b": "2", "a": "1"}))


@pytest.mark.parametrize(
    "command",
    [
        say(5),
        say(meta={"site": "\ud800"}),
        say(meta={"site": 1}),
        say(spoiler="yes"),
        ask(c.Describe, by=AUTHOR, article_version="\0"),
        ask(c.Describe, by=AUTHOR, url="\ud800"),
        ask(c.Report, 1, by=BOB, reason=b"spam"),
        ask(c.DecideCorrection, 2, by=EDITOR, outcome="perhaps"),
        ask(c.Report, 1, by=BOB, seen="the first"),
        suggest(quote="teh"),
    ],
)
def test_what_can_be_no_event_is_refused(command: c.Command):
    """A field that no event can hold is a mistake of the caller's, and has no event."""
    with pytest.raises((TypeError, ValueError)):
        given(posted(1), suggested(2)).when(command)


@pytest.mark.parametrize("text", ["nul \0", "half \udc80 a character"])
def test_unsafe_text_is_refused_with_a_reason(text: str):
    """NUL and lone surrogates are refused as such."""
    with pytest.raises(errors.UnsafeText):
        given().when(say(text))


# --- repeated requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (say("a"), say("b")),
        (say("a", to=1), say("a")),
        (say("a"), say("a", spoiler=True)),
        (say("a"), say("a", held=True)),
        (say("a", meta={"k": "v"}), say("a", meta={"k": "w"})),
        (ask(c.Edit, 1, by=ANN, body="a"), ask(c.Edit, 2, by=ANN, body="a")),
        (ask(c.Edit, 1, by=ANN, body="a"), ask(c.Edit, 1, by=ANN, body="a", seen=id_of(2))),
        (ask(c.Report, 1, by=ANN, reason="a"), ask(c.Report, 1, by=ANN, reason="b")),
        (ask(c.ResolveReports, 1, by=MODERATOR), ask(c.ResolveReports, 1, by=MODERATOR, cancels=ids(4))),
        (ask(c.Describe, by=AUTHOR, title="a"), ask(c.Describe, by=AUTHOR, title="a", url="u")),
        (suggest(), suggest(quote=TextQuote("teh", "x"))),
        (
            ask(c.DecideCorrection, 5, by=EDITOR, outcome="accepted"),
            ask(c.DecideCorrection, 5, by=EDITOR, outcome="declined"),
        ),
        (ask(c.ErasePerson, by=MODERATOR, person="ann"), ask(c.ErasePerson, by=MODERATOR, person="bob")),
    ],
)
def test_another_fact_under_an_id_is_a_conflict(first: c.Command, other: c.Command):
    """Whatever else a command says under a known id is another fact, and nothing is written."""
    facts = (posted(1), posted(2), reported(3, 1), reported(4, 1, by=CYD), suggested(5))
    events = given(*facts).when(with_id(first, NEW))
    with pytest.raises(errors.ConflictingEvent):
        given(*facts, *events).when(with_id(other, NEW))


def test_what_was_filled_in_need_not_be_repeated():
    """A retry brings what the first request brought, though deciding has added the text seen, the marks, and the hold."""
    policy = Policy(premoderation="all")
    for facts, command in (
        ((), say()),
        ((posted(1), edited(2, 1)), ask(c.Report, 1, by=BOB)),
        ((posted(1), edited(2, 1), held(3, 1)), ask(c.Approve, 1, by=MODERATOR)),
        ((posted(1), edited(2, 1), held(3, 1)), ask(c.Approve, 1, by=MODERATOR, cancels=ids(3, 9), seen=id_of(2))),
    ):
        events = given(*facts, policy=policy).when(with_id(command, NEW))
        assert given(*facts, *events, policy=policy).answer(with_id(command, NEW)) == NEW


def test_empty_and_absent_are_one():
    """An empty mapping of strings is none."""
    events = given().when(say(meta={}, id=NEW))
    assert given(*events).answer(say(meta=None, id=NEW)) == NEW


# --- posting ------------------------------------------------------------------------------------------------------------------


def test_a_post_says_what_the_command_says():
    """Body, parent, flags and the application's strings go into the event as they are."""
    events = given(posted(1)).when(say("hi", to=1, by=BOB, spoiler=True, held=True, meta={"site": "b.example"}))
    fields = {"parent": id_of(1), "body": "hi", "spoiler": True, "held": True, "at": None, "meta": {"site": "b.example"}}
    assert facts_of(events) == [(CommentPosted, BOB, fields)]


@pytest.mark.parametrize("kind", [say, lambda by: say(to=1, by=by), lambda by: ask(c.Report, 1, by=by)])
def test_anonymous_actors_by_policy(kind: Callable[..., c.Command]):
    """The policy says whether anonymous actors may post and report."""
    assert given(posted(1)).when(kind(by=None))[0].actor is None
    with pytest.raises(errors.NotAllowed) as caught:
        given(posted(1), policy=Policy(anonymous=False)).when(kind(by=None))
    assert caught.value.args[1:] == (None, None)


def test_no_reply_to_what_is_missing():
    """A reply to a missing parent is refused, and nothing is stored (Isso, Lemmy, Waline): also to a correction."""
    for parent in (7, 8):
        with pytest.raises(errors.CommentNotFound) as caught:
            given(posted(1), suggested(7)).when(say(to=parent))
        assert caught.value.args == (THREAD, id_of(parent))


@pytest.mark.parametrize("by", [ANN, AUTHOR, MODERATOR, None])
def test_a_locked_thread_takes_no_comments(by: Actor | None):
    """Locking ends the conversation, whoever asks; unlocking opens it again."""
    with pytest.raises(errors.ThreadIsLocked):
        given(locked(1)).when(say(by=by))
    assert given(locked(1), unlocked(2, cancels=[1])).when(say(by=by))
    assert given(locked(1, by=BOB)).when(say(by=by))


def test_a_locked_thread_takes_the_rest():
    """What was said may still be edited, deleted, reacted to and reported."""
    for name in ("edit", "delete", "react", "report", "hold", "suggest a correction"):
        case = CASES[name]
        assert given(*case.facts, locked(50)).when(case.command)


def test_a_thread_closes_by_age():
    """Some time after its first event a thread takes no more comments; nobody may, and the rejection says since when."""
    policy = Policy(closes_after=60_000)
    assert given(policy=policy).when(say())
    assert given(described(40), posted(41), policy=policy).when(say())
    with pytest.raises(errors.ThreadIsClosed) as caught:
        given(described(39), posted(41), policy=policy).when(say(by=MODERATOR))
    assert caught.value.args == (THREAD, moment(99))
    assert given(posted(1), policy=policy).when(ask(c.Edit, 1, by=ANN, body="new"))


@pytest.mark.parametrize("body", ["", " \n\t", "\u00a0"])
def test_a_comment_says_something(body: str):
    """A body of nothing but white space is empty, in a post and in an edit."""
    for command in (say(body), ask(c.Edit, 1, by=ANN, body=body)):
        with pytest.raises(errors.EmptyBody) as caught:
            given(posted(1)).when(command)
        assert caught.value.field == "body"


BOUNDS = Policy(max_body=5, max_name=10, max_reason=4, max_quote=3)
BOUNDED: Final[dict[str, tuple[Callable[[str], c.Command], int]]] = {
    "body": (say, 5),
    "name": (lambda text: say("hi", by=Actor("ann", text)), 10),
    "reason": (lambda text: ask(c.Hold, 1, by=MODERATOR, reason=text), 4),
    "reason of a report": (lambda text: ask(c.Report, 1, by=BOB, reason=text), 4),
    "reason of a lock": (lambda text: ask(c.Lock, by=MODERATOR, reason=text), 4),
    "title": (lambda text: ask(c.Describe, by=AUTHOR, title=text), 4),
    "url": (lambda text: ask(c.Describe, by=AUTHOR, url=text), 4_000),
    "quote": (lambda text: suggest(quote=TextQuote(text)), 3),
    "suggestion": (lambda text: suggest(quote=TextQuote("x"), suggestion=text), 3),
    "note": (lambda text: suggest(quote=TextQuote("x"), note=text), 4),
    "note of a decision": (lambda text: ask(c.DecideCorrection, 2, by=EDITOR, outcome="declined", note=text), 4),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_every_text_is_bounded(name: str):
    """A text may be as long as the policy says, in characters, and no longer."""
    command, limit = BOUNDED[name]
    facts = (posted(1), suggested(2))
    assert given(*facts, policy=BOUNDS).when(command("\U0001f642" * limit))
    with pytest.raises(errors.BodyTooLong) as caught:
        given(*facts, policy=BOUNDS).when(command("x" * (limit + 1)))
    assert caught.value.args == (name.partition(" ")[0], limit + 1, limit)


def test_an_edit_is_bounded_as_a_post():
    """The bound of a body holds for edits, too, and for bodies longer than the format knows."""
    for length in (6, 2_000_000):
        with pytest.raises(errors.BodyTooLong):
            given(posted(1, "hi"), policy=BOUNDS).when(ask(c.Edit, 1, by=MODERATOR, body="x" * length))


@pytest.mark.parametrize(
    ("premoderation", "holds"),
    [("none", []), ("anonymous", [None]), ("newcomers", [None, CYD]), ("all", [None, ANN, BOB, CYD, AUTHOR])],
)
def test_premoderation(premoderation: Any, holds: list[Actor | None]):
    """Whose comments wait for a moderator is the policy's choice; a moderator's own never do."""
    facts = (posted(1), posted(2, by=BOB), posted(3, by=CYD, held=True), posted(4, by=AUTHOR))
    for by in (None, ANN, BOB, CYD, AUTHOR, MODERATOR):
        [event] = given(*facts, policy=Policy(premoderation=premoderation)).when(say(by=by))
        assert event.held == (by in holds), by


def test_a_newcomer_has_no_visible_comment():
    """Who has only comments that the public does not see is still new; one that was let through is enough."""
    policy = Policy(premoderation="newcomers")
    unseen = (posted(1, held=True), posted(2), removed(3, 2), posted(4), deleted(5, 4))
    assert given(*unseen, policy=policy).when(say())[0].held
    assert not given(*unseen, approved(6, 1, cancels=[1]), policy=policy).when(say())[0].held


def test_premoderation_leaves_what_the_poster_says():
    """A poster may hold their own comment where the policy does not."""
    assert given().when(say(held=True))[0].held


@pytest.mark.parametrize("by", [ANN, None])
def test_flood_limit(by: Actor | None):
    """An actor posts only so often in a while, and learns when to try again; all anonymous actors share one limit."""
    policy = Policy(flood_limit=2, flood_window=10_000)
    said = given(posted(91, by=by), posted(93, by=by), posted(95, by=BOB), policy=policy)
    assert said.when(say(by=by), at=101)
    with pytest.raises(errors.TooManyPosts) as caught:
        said.when(say(by=by), at=100)
    assert caught.value.args == (by and by.id, 2, moment(101))
    assert said.when(say(by=CYD), at=100)
    assert said.when(ask(c.React, 95, by=ANN), at=100)


def test_moderators_flood():
    """The limit is not for moderators."""
    policy = Policy(flood_limit=1)
    assert given(posted(99, by=MODERATOR), policy=policy).when(say(by=MODERATOR))


def test_deleted_posts_count_as_posts():
    """Deleting what was said does not make room for more."""
    with pytest.raises(errors.TooManyPosts):
        given(posted(99), deleted(99 + 1, 99), policy=Policy(flood_limit=1)).when(say())


def test_duplicates():
    """The same actor does not say the same in the same place within the window; elsewhere, later or otherwise they may."""
    policy = Policy(duplicate_window=10_000)
    said = given(posted(1), posted(91, "hello"), posted(92, "hello", to=1), posted(93, "bye"), policy=policy)
    for command, former in ((say("hello"), 91), (say("hello", to=1), 92)):
        with pytest.raises(errors.DuplicateComment) as caught:
            said.when(command)
        assert caught.value.comment == id_of(former)
    assert said.when(say("hello"), at=101)
    assert said.when(say("hello", to=91))
    assert said.when(say("hello!"))
    assert said.when(say("hello", by=BOB))
    assert given(posted(99, "hello")).when(say("hello"))


def test_a_duplicate_of_nothing():
    """What was deleted or erased may be said again at once."""
    policy = Policy(duplicate_window=10_000)
    assert given(posted(98, "hello"), deleted(99, 98), policy=policy).when(say("hello"))
    assert given(posted(98, "hello"), erased(99, 98), policy=policy).when(say("hello"))


# --- editing, deleting --------------------------------------------------------------------------------------------------------


def test_an_edit_has_seen_the_present_text():
    """By default an edit says that its author had the text before them that stands now; they may say otherwise."""
    story = given(posted(1), edited(2, 1, "again"))
    edit = {"comment": id_of(1), "body": "new"}
    assert facts_of(story.when(ask(c.Edit, 1, by=ANN, body="new"))) == [(CommentEdited, ANN, {**edit, "seen": id_of(2)})]
    events = story.when(ask(c.Edit, 1, by=ANN, body="new", seen=id_of(1)))
    assert facts_of(events) == [(CommentEdited, ANN, {**edit, "seen": id_of(1)})]


def test_an_edit_that_says_the_same_is_none():
    """The id of the text that stands is the answer."""
    assert given(posted(1, "so")).answer(ask(c.Edit, 1, by=ANN, body="so")) == id_of(1)
    assert given(posted(1, "so"), edited(2, 1, "or so")).answer(ask(c.Edit, 1, by=MODERATOR, body="or so")) == id_of(2)


@pytest.mark.parametrize(
    ("facts", "seen", "unseen"),
    [
        ([edited(4, 1, by=MODERATOR)], 1, 4),
        ([edited(4, 1, by=MODERATOR), edited(5, 1, seen=4)], 1, 4),
        ([edited(2, 1), edited(4, 1, by=MODERATOR), edited(6, 1, by=SECOND)], 4, 6),
    ],
)
def test_an_author_must_have_seen_the_moderators_edit(facts: list[Event], seen: int, unseen: int):
    """An edit that would lose to a moderator's, which it had not seen, is not written; with it in view it is."""
    story = given(posted(1), *facts)
    with pytest.raises(errors.StaleId) as caught:
        story.when(ask(c.Edit, 1, by=ANN, body="new", seen=id_of(seen)))
    assert caught.value.args == (id_of(seen), id_of(unseen))
    for command in (
        ask(c.Edit, 1, by=ANN, body="new"),
        ask(c.Edit, 1, by=ANN, body="new", seen=id_of(unseen)),
        ask(c.Edit, 1, by=MODERATOR, body="new", seen=id_of(seen)),
    ):
        events = story.when(command)
        assert fold((*story.facts, *events)).comment(id_of(1)).body == "new"


@pytest.mark.parametrize(
    "command", [ask(c.Edit, 1, by=ANN, body="new"), ask(c.Report, 1, by=BOB), ask(c.Approve, 1, by=MODERATOR)]
)
def test_nobody_has_seen_the_far_future(command: c.Command):
    """A text seen that lies ahead of all clocks is refused, and one just ahead pulls the new id above itself, no further."""
    story = given(posted(1), held(2, 1))
    ahead = make_id(moment(LATER) + SKEW, 0, 0)
    ahead_of_all = msgspec.structs.replace(command, seen=ahead)
    [event] = story.when(ahead_of_all)
    assert event.id > event.seen == ahead
    after: list[str] = []
    answer(ahead_of_all, story.thread(), policy=Policy(), now=moment(LATER), mint=lambda id: after.append(id) or event.id)
    assert after == [ahead]
    with pytest.raises(errors.StaleId):
        story.when(with_id(ahead_of_all, ahead))
    with pytest.raises(errors.ClockSkew) as caught:
        story.when(msgspec.structs.replace(command, seen=make_id(moment(LATER) + SKEW + 1, 0, 0)))
    assert caught.value.retry_at == moment(LATER) + 1


def test_what_is_there_was_seen():
    """A text that the thread has may have been seen, though a clock that was wrong has dated it far ahead."""
    ahead = posted(LATER + SKEW)
    [report] = given(ahead).when(ask(c.Report, LATER + SKEW, by=BOB, seen=ahead.id))
    assert report.id > report.seen == ahead.id


def test_the_edit_window():
    """An author may edit for a while after posting, to the millisecond; a moderator always."""
    story = given(posted(1), policy=Policy(edit_window=60_000))
    assert story.when(ask(c.Edit, 1, by=ANN, body="new"), at=61)
    with pytest.raises(errors.EditWindowClosed) as caught:
        story.when(ask(c.Edit, 1, by=ANN, body="new"), at=62)
    assert caught.value.args == (id_of(1), moment(61))
    assert story.when(ask(c.Edit, 1, by=MODERATOR, body="new"), at=62)
    assert story.when(ask(c.Edit, 1, by=ANN_AS_MODERATOR, body="new"), at=62)


def test_an_author_may_mend_what_is_withheld():
    """A held or removed comment may be edited by its author."""
    for fact in (held(2, 1), removed(2, 1)):
        assert given(posted(1), fact).when(ask(c.Edit, 1, by=ANN, body="better"))


@pytest.mark.parametrize("kind", [c.Delete, c.Edit, c.MarkSpoiler, c.ClearSpoiler])
def test_an_anonymous_comment_is_nobodys(kind: type[c.Command]):
    """What an anonymous actor wrote is no other anonymous actor's."""
    fields = {"body": "new"} if kind is c.Edit else {}
    with pytest.raises(errors.NotTheAuthor) as caught:
        given(posted(1, by=None, spoiler=True)).when(ask(kind, 1, by=None, **fields))
    assert caught.value.args == (id_of(1), None)


def test_only_the_author_deletes():
    """A moderator removes; deleting is the author's, in whatever role they come."""
    with pytest.raises(errors.NotTheAuthor):
        given(posted(1)).when(ask(c.Delete, 1, by=MODERATOR))
    assert given(posted(1)).when(ask(c.Delete, 1, by=ANN_AS_AUTHOR))


def test_what_is_deleted_stays_deleted():
    """Deleting again is answered with the deletion that has effect, not with one that somebody forged."""
    story = given(posted(1), deleted(2, 1, by=BOB), deleted(3, 1), deleted(4, 1, by=ANN_AS_AUTHOR))
    assert story.answer(ask(c.Delete, 1, by=ANN)) == id_of(3)


# --- reactions ----------------------------------------------------------------------------------------------------------------


def test_reactions_come_to_rest():
    """Giving what is given, and withdrawing what is not, writes nothing and is answered with the actor's own last fact."""
    assert given(posted(1), reacted(2, 1)).answer(ask(c.React, 1, by=BOB)) == id_of(2)
    assert given(posted(1), reacted(2, 1), unreacted(3, 1)).answer(ask(c.Unreact, 1, by=BOB)) == id_of(3)
    assert given(posted(1), reacted(2, 1, by=CYD)).answer(ask(c.Unreact, 1, by=BOB)) == id_of(1)


def test_a_reaction_on_offer():
    """Only the kinds that the application offers can be given or withdrawn."""
    for kind in (c.React, c.Unreact):
        with pytest.raises(errors.UnknownReaction) as caught:
            given(posted(1), policy=UP_OR_DOWN).when(ask(kind, 1, by=BOB, kind="support"))
        assert caught.value.args == ("support", ("down", "up"))


def test_one_of_a_group():
    """In an exclusive group a new reaction takes the place of the other; what was replaced cannot be withdrawn."""
    story = given(posted(1), reacted(2, 1, "up"), reacted(3, 1, "down"), policy=UP_OR_DOWN)
    assert story.answer(ask(c.Unreact, 1, by=BOB, kind="up")) == id_of(2)
    assert [type(event) for event in story.when(ask(c.React, 1, by=BOB, kind="up"))] == [ReactionGiven]
    assert [type(event) for event in story.when(ask(c.Unreact, 1, by=BOB, kind="down"))] == [ReactionWithdrawn]


# --- spoilers -----------------------------------------------------------------------------------------------------------------


def test_who_marks_a_spoiler():
    """The author marks their own comments, and a moderator any; one that is marked stays so."""
    assert given(posted(1)).when(ask(c.MarkSpoiler, 1, by=MODERATOR))
    assert given(posted(1, spoiler=True)).answer(ask(c.MarkSpoiler, 1, by=MODERATOR)) == id_of(1)
    assert given(posted(1, spoiler=True), marked(2, 1, by=MODERATOR)).answer(ask(c.MarkSpoiler, 1, by=ANN)) == id_of(2)


def test_who_clears_a_spoiler():
    """A moderator clears every mark, the author their own ones only, and none at all if there are only a moderator's."""
    story = given(posted(1, spoiler=True), marked(2, 1), marked(3, 1, by=MODERATOR))
    assert story.when(ask(c.ClearSpoiler, 1, by=MODERATOR))[0].cancels == ids(1, 2, 3)
    assert story.when(ask(c.ClearSpoiler, 1, by=MODERATOR, cancels=ids(2, 3, 9)))[0].cancels == ids(2, 3)
    assert story.when(ask(c.ClearSpoiler, 1, by=ANN))[0].cancels == ids(1, 2)
    with pytest.raises(errors.NotAllowed):
        given(posted(1), marked(3, 1, by=MODERATOR)).when(ask(c.ClearSpoiler, 1, by=ANN))


def test_clearing_what_is_no_spoiler():
    """The answer is a moderator's last clearing that stands, else the comment."""
    assert given(posted(1)).answer(ask(c.ClearSpoiler, 1, by=ANN)) == id_of(1)
    cleared_before = (posted(1, spoiler=True), cleared(2, 1, cancels=[1], by=MODERATOR), cleared(3, 1, cancels=[1], by=BOB))
    assert given(*cleared_before).answer(ask(c.ClearSpoiler, 1, by=ANN)) == id_of(2)
    assert given(posted(1, spoiler=True)).answer(ask(c.ClearSpoiler, 1, by=ANN, cancels=())) == id_of(1)


# --- reports ------------------------------------------------------------------------------------------------------------------


def test_a_report_says_which_text():
    """By default it is about the text that stands now; a careful page says which one it showed."""
    story = given(posted(1), edited(2, 1))
    assert story.when(ask(c.Report, 1, by=BOB, reason="rude"))[0].seen == id_of(2)
    assert story.when(ask(c.Report, 1, by=BOB, seen=id_of(1)))[0].seen == id_of(1)


def test_reporting_once_is_enough():
    """An actor's open report of a text stands; a new text, or an answer by a moderator, makes room for another."""
    story = (posted(1), reported(2, 1, by=BOB), reported(3, 1, by=None, reason="rude"))
    assert given(*story).answer(ask(c.Report, 1, by=BOB, reason="still rude")) == id_of(2)
    assert given(*story).when(ask(c.Report, 1, by=CYD))
    assert given(*story, edited(4, 1)).when(ask(c.Report, 1, by=BOB))
    assert given(*story, resolved(4, 1, cancels=[2])).when(ask(c.Report, 1, by=BOB))


def test_anonymous_reports_are_told_apart_by_their_reason():
    """Two anonymous actors with the same reason are taken for one."""
    story = given(posted(1), reported(2, 1, by=None, reason="rude"))
    assert story.answer(ask(c.Report, 1, reason="rude")) == id_of(2)
    assert story.when(ask(c.Report, 1, reason="spam"))


def test_the_report_threshold():
    """So many identified readers' open reports hold a comment, by the application itself; anonymous ones never count."""
    policy = Policy(report_threshold=2)
    anonymous = tuple(reported(number, 1, by=None, reason=str(number)) for number in range(10, 20))
    assert len(given(posted(1), *anonymous, policy=policy).when(ask(c.Report, 1, by=BOB))) == 1
    assert len(given(posted(1), reported(2, 1, by=CYD), policy=policy).when(ask(c.Report, 1))) == 1
    assert len(given(posted(1), reported(2, 1), reported(3, 1, by=CYD), policy=policy).when(ask(c.Report, 1))) == 1
    assert len(given(posted(1), reported(2, 1, by=CYD)).when(ask(c.Report, 1, by=BOB))) == 1
    resolved_before = (posted(1), reported(2, 1, by=CYD), resolved(3, 1, cancels=[2]))
    assert len(given(*resolved_before, policy=policy).when(ask(c.Report, 1, by=BOB))) == 1
    same_again = (posted(1), reported(2, 1, by=BOB), edited(3, 1))
    assert len(given(*same_again, policy=policy).when(ask(c.Report, 1, by=BOB))) == 1
    report, hold = given(posted(1), reported(2, 1, by=CYD), *anonymous, policy=policy).when(ask(c.Report, 1, by=BOB))
    assert facts_of([hold]) == [(CommentHeld, SYSTEM, {"comment": id_of(1), "reason": ""})]
    assert hold.id > report.id


def test_the_threshold_holds_once_and_comments_only():
    """What is held already is not held again, and a correction cannot be held."""
    policy = Policy(report_threshold=1)
    assert len(given(posted(1), held(2, 1), policy=policy).when(ask(c.Report, 1, by=BOB))) == 1
    assert len(given(suggested(1), policy=policy).when(ask(c.Report, 1, by=BOB))) == 1
    let_through = (posted(1), held(2, 1), approved(3, 1, cancels=[2]))
    assert len(given(*let_through, policy=policy).when(ask(c.Report, 1, by=BOB))) == 2


@pytest.mark.parametrize("roles", [{"moderator", "system"}, {"moderator"}, {"editor", "author"}])
def test_the_policys_own_hold_has_effect(roles: set[Any]):
    """Whichever roles moderate, what the policy itself holds is held."""
    policy = Policy(report_threshold=1, moderators=roles, screen=lambda *_: "hold")
    for command in (ask(c.Report, 1, by=BOB), ask(c.Edit, 1, by=ANN, body="new")):
        events = given(posted(1), policy=policy).when(command)
        assert fold([posted(1), *events]).view(policy=policy).counts.pending == 1
        assert events[1].actor.id == SYSTEM.id
    assert given(posted(1), policy=Policy(report_threshold=1, moderators=())).when(ask(c.Report, 1, by=BOB))[1].actor == SYSTEM


def test_resolving_reports():
    """A moderator answers the reports that they name, by default all; those answered already need no answer."""
    story = (posted(1), reported(2, 1), reported(3, 1, by=CYD))
    assert given(*story).when(ask(c.ResolveReports, 1, by=MODERATOR))[0].cancels == ids(2, 3)
    assert given(*story).when(ask(c.ResolveReports, 1, by=MODERATOR, cancels=ids(3, 9)))[0].cancels == ids(3)
    assert given(*story).answer(ask(c.ResolveReports, 1, by=MODERATOR, cancels=ids(9))) == id_of(1)
    after = given(*story, resolved(4, 1, cancels=[2, 3]), resolved(5, 1, cancels=[2], by=BOB))
    assert after.answer(ask(c.ResolveReports, 1, by=MODERATOR)) == id_of(4)


# --- moderation ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "fact"), [(c.Hold, held), (c.Remove, removed), (c.Pin, pinned)])
def test_a_mark_that_is_up_stays_up(kind: type[c.Command], fact: Callable[..., Event]):
    """One mark is enough, and a forged one is none; the answer is the latest that stands."""
    assert given(posted(1), fact(2, 1), fact(3, 1, by=SECOND), fact(4, 1, by=BOB)).answer(ask(kind, 1, by=MODERATOR)) == id_of(3)
    assert given(posted(1), fact(4, 1, by=BOB)).when(ask(kind, 1, by=MODERATOR))


@pytest.mark.parametrize("kind", [c.Hold, c.Approve, c.Pin, c.Unpin, c.Edit, c.React, c.MarkSpoiler, c.ClearSpoiler])
def test_a_correction_is_no_comment(kind: type[c.Command]):
    """A correction can be deleted, removed, restored, reported and erased, and nothing else."""
    fields = {"body": "new"} if kind is c.Edit else {}
    with pytest.raises(errors.CommentNotFound):
        given(suggested(1)).when(ask(kind, 1, by=MODERATOR, **fields))


def test_an_approval_names_what_it_saw():
    """By default all marks, past ones included, the present text, and all reports; or else what a careful page had shown."""
    story = given(
        posted(1, held=True), approved(2, 1, cancels=[1]), removed(3, 1), restored(4, 1, cancels=[3]), edited(5, 1),
        held(6, 1),
        reported(7, 1), reported(8, 1, by=CYD),
    )  # fmt: skip
    approval, answer = story.when(ask(c.Approve, 1, by=MODERATOR))
    assert (approval.cancels, approval.seen, answer.cancels) == (ids(1, 3, 6), id_of(5), ids(7, 8))
    approval, answer = story.when(ask(c.Approve, 1, by=MODERATOR, cancels=ids(1, 6, 8, 9), seen=id_of(1)))
    assert (approval.cancels, approval.seen, answer.cancels) == (ids(1, 6), id_of(1), ids(8))
    [approval] = story.when(ask(c.Approve, 1, by=MODERATOR, cancels=ids(6)))
    assert approval.cancels == ids(6)


def test_a_stale_approval_leaves_the_comment_waiting():
    """Approving a text that has changed since opens that text only; the same approval again opens nothing more."""
    stale = ask(c.Approve, 1, by=MODERATOR, seen=id_of(1))
    story = (posted(1), held(2, 1), edited(3, 1))
    events = given(*story).when(stale)
    [waiting] = fold((*story, *events)).queue().items
    assert waiting.waiting == ("stale",)
    assert given(*story, *events).answer(stale) == events[0].id
    events += given(*story, *events).when(ask(c.Approve, 1, by=MODERATOR))
    assert fold((*story, *events)).view().comments[0].body == "w3"


def test_an_approval_with_nothing_to_approve():
    """The answer is the moderator's last approval, else the comment; an approval that names no mark opens none."""
    assert given(posted(1)).answer(ask(c.Approve, 1, by=MODERATOR)) == id_of(1)
    let_through = (posted(1, held=True), approved(2, 1, cancels=[1]), approved(3, 1, cancels=[1], by=BOB))
    assert given(*let_through).answer(ask(c.Approve, 1, by=MODERATOR)) == id_of(2)
    assert given(posted(1, held=True)).answer(ask(c.Approve, 1, by=MODERATOR, cancels=())) == id_of(1)


def test_approving_what_is_only_reported_says_which_text():
    """The approval takes no mark down; it and the answer to the reports say what was seen."""
    events = given(posted(1), reported(2, 1)).when(ask(c.Approve, 1, by=MODERATOR, seen=id_of(1)))
    assert facts_of(events) == [
        (CommentApproved, MODERATOR, {"comment": id_of(1), "cancels": (), "seen": id_of(1)}),
        (ReportsResolved, MODERATOR, {"comment": id_of(1), "cancels": ids(2)}),
    ]


def test_a_restore_names_what_it_saw():
    """By default all removals and past holds, and the present text; or else what a careful page had shown."""
    story = given(posted(1, held=True), approved(2, 1, cancels=[1]), removed(3, 1), removed(4, 1), edited(5, 1))
    [restore] = story.when(ask(c.Restore, 1, by=MODERATOR))
    assert (restore.cancels, restore.seen) == (ids(1, 3, 4), id_of(5))
    [restore] = story.when(ask(c.Restore, 1, by=MODERATOR, cancels=ids(3, 9), seen=id_of(1)))
    assert (restore.cancels, restore.seen) == (ids(3), id_of(1))
    assert fold((*story.facts, restore)).comment(id_of(1)).flags == ("removed", "held")


def test_a_restore_with_nothing_to_restore():
    """The answer is the moderator's last restore, else the comment; a removal that was lifted is not lifted again."""
    assert given(posted(1)).answer(ask(c.Restore, 1, by=MODERATOR)) == id_of(1)
    assert given(posted(1), held(2, 1)).answer(ask(c.Restore, 1, by=MODERATOR)) == id_of(1)
    story = (posted(1), removed(2, 1), restored(3, 1, cancels=[2]), restored(4, 1, cancels=[2], by=BOB))
    assert given(*story).answer(ask(c.Restore, 1, by=MODERATOR)) == id_of(3)
    assert given(posted(1), removed(2, 1)).answer(ask(c.Restore, 1, by=MODERATOR, cancels=ids(9))) == id_of(1)


def test_unpinning():
    """All pins that are up are taken down, or those named; what is not pinned stays so."""
    story = (posted(1), pinned(2, 1), pinned(3, 1, by=SECOND))
    assert given(*story).when(ask(c.Unpin, 1, by=MODERATOR))[0].cancels == ids(2, 3)
    assert given(*story).when(ask(c.Unpin, 1, by=MODERATOR, cancels=ids(3)))[0].cancels == ids(3)
    assert given(*story, unpinned(4, 1, cancels=[2, 3])).answer(ask(c.Unpin, 1, by=MODERATOR)) == id_of(4)


def test_cancels_are_bounded():
    """A cancel names as many marks as an event can hold; the rest wait for the next one."""
    number = count(2)
    holds = [held(next(number), 1) for _ in range(MAX_CANCELS + 1)]
    at = next(number)
    [approval] = given(posted(1), *holds).when(ask(c.Approve, 1, by=MODERATOR), at=at)
    assert len(approval.cancels) == MAX_CANCELS
    [rest] = given(posted(1), *holds, approval).when(ask(c.Approve, 1, by=MODERATOR), at=at + 1)
    assert id_of(at - 1) in rest.cancels


def test_locking_and_unlocking():
    """One lock is enough; unlocking takes down all that are up, or those named."""
    story = (locked(1), locked(2, by=SECOND), locked(3, by=BOB))
    assert given(*story).answer(ask(c.Lock, by=MODERATOR)) == id_of(2)
    assert given(*story).when(ask(c.Unlock, by=MODERATOR))[0].cancels == ids(1, 2)
    assert given(*story).when(ask(c.Unlock, by=MODERATOR, cancels=ids(2, 3)))[0].cancels == ids(2)
    after = given(*story, unlocked(4, cancels=[1, 2]), unlocked(5, cancels=[1], by=BOB))
    assert after.answer(ask(c.Unlock, by=MODERATOR)) == id_of(4)
    assert given().answer(ask(c.Unlock, by=MODERATOR)) == NIL


# --- the application's hooks --------------------------------------------------------------------------------------------------


def screened(verdict: object) -> Policy:
    return Policy(screen=lambda *_: verdict)


def test_the_screen_sees_what_is_said():
    """The hook gets the command and the thread, for posts and edits, once the rules have allowed them."""
    asked = []
    thread = fold([posted(1)])
    policy = Policy(screen=lambda *arguments: asked.append(arguments) or "accept")
    commands = [say(), say(to=1), ask(c.Edit, 1, by=ANN, body="new")]
    for command in (*commands, ask(c.React, 1, by=BOB), suggest(), ask(c.Edit, 1, by=ANN, body="w1")):
        decide(command, thread, policy=policy, now=moment(LATER))
    with pytest.raises(errors.EmptyBody):
        decide(say(""), thread, policy=policy, now=moment(LATER))
    assert asked == [(command, thread) for command in commands]


def test_a_screened_post_waits():
    """ "hold" holds a post by its own flag, also a moderator's."""
    for by in (ANN, MODERATOR):
        [event] = given(policy=screened("hold")).when(say(by=by))
        assert event.held


def test_a_screened_edit_waits():
    """ "hold" lets the edit be written and the comment be held by the application, in one step."""
    edit, hold = given(posted(1), policy=screened("hold")).when(ask(c.Edit, 1, by=ANN, body="new", id=NEW))
    assert (type(edit), edit.id) == (CommentEdited, NEW)
    assert facts_of([hold]) == [(CommentHeld, SYSTEM, {"comment": id_of(1), "reason": ""})]
    assert hold.id > NEW
    [comment] = fold([posted(1), edit, hold]).view(reader=ANN).comments
    assert (comment.concealed, comment.body, comment.flags) == (None, "new", ("held",))


@pytest.mark.parametrize("command", [say(), ask(c.Edit, 1, by=ANN, body="new")])
def test_a_screened_text_is_refused(command: c.Command):
    """ "refuse" rejects the command by its name."""
    with pytest.raises(errors.RefusedByScreen) as caught:
        given(posted(1), policy=screened("refuse")).when(command)
    assert caught.value.command == command.name


@pytest.mark.parametrize("verdict", [None, True, "Hold"])
def test_a_screen_says_one_of_three_words(verdict: object):
    """Any other verdict is a mistake in the hook, and nothing passes by it."""
    with pytest.raises(ValueError, match="screen"):
        given(policy=screened(verdict)).when(say())


def test_hooks_are_asked_last_and_once():
    """Whoever resolves a command says what the hooks say; it is asked once where something is to be written, and else never."""
    thread, asked = fold([posted(1), removed(2, 1)]), []

    def screen() -> Verdict:
        asked.append("asked")
        return "hold"

    def resolved_as(command: c.Command) -> Decision:
        return resolve(command, thread, policy=Policy(), now=moment(LATER), screened=screen)

    [event] = resolved_as(say()).events
    assert (event.held, asked) == (True, ["asked"])
    assert resolved_as(ask(c.Remove, 1, by=MODERATOR)) == Decision(id_of(2))
    with pytest.raises(errors.CommentIsGone):
        resolved_as(say(to=1))
    assert asked == ["asked"]


def test_what_hooks_say():
    """One answer for both: what is not allowed is an error, what brings no text is accepted, and both see what they are given."""
    seen = []
    policy = Policy(screen=lambda *given: seen.append(given) or "hold", may=lambda *given: seen.append(given) or True)
    assert ask_hooks(say(), Policy(), "a thread") == "accept"
    assert ask_hooks(say(), policy, "a thread") == "hold"
    assert ask_hooks(ask(c.React, 1, by=BOB), policy, "a thread") == "accept"
    assert seen == [(say(), "a thread"), (say(), "a thread"), (ask(c.React, 1, by=BOB), "a thread")]
    for by, who in ((BOB, ("bob", "reader")), (None, (None, None))):
        with pytest.raises(errors.NotAllowed) as caught:
            ask_hooks(say(by=by), Policy(may=lambda *_: False), "a thread")
        assert (caught.value.command, caught.value.actor, caught.value.role) == ("post", *who)


def test_a_hook_cannot_grant():
    """What the rules forbid is not asked about."""
    with pytest.raises(errors.NotAllowed):
        given(posted(1), policy=Policy(may=lambda *_: pytest.fail("asked"))).when(ask(c.Remove, 1, by=BOB))


def test_a_hook_denies_the_anonymous():
    """The rejection names nobody."""
    with pytest.raises(errors.NotAllowed) as caught:
        given(policy=Policy(may=lambda *_: False)).when(say(by=None))
    assert caught.value.args == ("post", None, None)


# --- descriptions, corrections ------------------------------------------------------------------------------------------------


def test_describing():
    """Whoever may describe says title, address and version anew; saying what stands writes nothing."""
    fields = {"title": "Drones", "url": "https://x.example", "article_version": "2"}
    for by in (AUTHOR, EDITOR, MODERATOR):
        assert facts_of(given().when(ask(c.Describe, by=by, **fields))) == [(ThreadDescribed, by, fields)]
    story = (described(2, "Drones", "https://x.example", article_version="2", by=EDITOR), described(3, by=BOB))
    assert given(*story).answer(ask(c.Describe, by=AUTHOR, **fields)) == id_of(2)
    assert given(*story).when(ask(c.Describe, by=AUTHOR, **{**fields, "url": ""}))


def test_describing_again_what_was_forgotten():
    """A title that was erased with its writer may be said again by somebody else."""
    story = (described(2, "Drones"), person_erased(3, AUTHOR))
    assert fold(story).view().title == ""
    events = given(*story).when(ask(c.Describe, by=EDITOR, title="Drones"))
    assert fold((*story, *events)).view().title == "Drones"


def test_suggesting():
    """A correction says what it quotes and proposes; an empty proposal strikes the passage out."""
    quote = TextQuote("teh", "of ", " day", 7)
    events = given().when(suggest(quote=quote, suggestion="", note="typo", article_version="v1"))
    fields = {"quote": quote, "suggestion": "", "note": "typo", "article_version": "v1"}
    assert facts_of(events) == [(CorrectionSuggested, ANN, fields)]
    with pytest.raises(errors.EmptyBody) as caught:
        given().when(suggest(quote=TextQuote(" \n")))
    assert caught.value.field == "quote"


def test_deciding_a_correction():
    """Editors decide and reopen; the same decision with the same note is none, and another note is another decision."""
    story = (suggested(1), decided(2, 1, "accepted", "thanks"), decided(3, 1, "declined", by=BOB))
    for by in (EDITOR, MODERATOR):
        assert given(*story).answer(ask(c.DecideCorrection, 1, by=by, outcome="accepted", note="thanks")) == id_of(2)
        assert given(*story).when(ask(c.DecideCorrection, 1, by=by, outcome="accepted", note="many thanks"))
        assert given(*story).when(ask(c.DecideCorrection, 1, by=by, outcome="reopened"))
    assert given(suggested(1)).answer(ask(c.DecideCorrection, 1, by=EDITOR, outcome="reopened")) == id_of(1)
    with pytest.raises(errors.NotAllowed):
        given(*story).when(ask(c.DecideCorrection, 1, by=AUTHOR, outcome="declined"))


@pytest.mark.parametrize("facts", [(), (posted(1),), (suggested(1, by=None),)])
def test_there_must_be_a_correction(facts: tuple[Event, ...]):
    """A comment is no correction, and an anonymous suggestion has no effect."""
    with pytest.raises(errors.CorrectionNotFound) as caught:
        given(*facts).when(ask(c.DecideCorrection, 1, by=EDITOR, outcome="accepted"))
    assert caught.value.args == (THREAD, id_of(1))


# --- erasing ------------------------------------------------------------------------------------------------------------------


def test_erasing_once_is_enough():
    """The answer is the first erasure that has effect; what only the erasure of a person took may still be erased by itself."""
    story = given(posted(1), erased(2, 1, by=BOB), erased(3, 1), erased(4, 1, by=SECOND))
    assert story.answer(ask(c.Erase, 1, by=MODERATOR)) == id_of(3)
    assert given(posted(1), person_erased(2, ANN)).when(ask(c.Erase, 1, by=MODERATOR))


def test_erasing_a_person_once_is_enough():
    """It is done again only if they have acted since, in any way that carries their name."""
    story = (posted(1), person_erased(3, ANN, by=ANN), person_erased(2, ANN))
    command = ask(c.ErasePerson, by=MODERATOR, person="ann")
    assert given(*story).answer(command) == id_of(3)
    assert given(*story, reacted(4, 1, by=ANN)).when(command)
    assert given(*story, posted(4, by=BOB)).answer(command) == id_of(3)


def test_erasing_who_never_spoke():
    """What such a person wrote elsewhere and is merged later will be absorbed."""
    assert given(posted(1)).when(ask(c.ErasePerson, by=MODERATOR, person="zoe"))


def test_nobody_erases_somebody_else():
    """A person erases themself, a moderator anybody."""
    with pytest.raises(errors.NotAllowed):
        given(posted(1)).when(ask(c.ErasePerson, by=BOB, person="ann"))
