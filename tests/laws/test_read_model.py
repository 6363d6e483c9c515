"""
The read model: what a store keeps in tables shows and decides what a fold does, whatever comes, in whatever order.

Histories are merged in shuffled portions, commands are executed, and processes that share a file take turns, under rules that do
not agree; after each step the rows are held against a rebuild, and all that can be read against the fold.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from random import Random

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from threadstore import Event, Policy, ThreadStore, fold
from threadstore.log.sqlite import SqliteLog
from threadstore.model import events as e
from threadstore.model.ids import id_for, time_of
from threadstore.model.values import Actor
from threadstore.testing.given import (
    ANN,
    BOB,
    EPOCH,
    MODERATOR,
    THREAD,
    edited,
    erased,
    moment,
    person_erased,
    posted,
    reacted,
)
from threadstore.testing.histories import random_history
from threadstore.testing.laws import Case, Law
from threadstore.testing.places import Place, Wall
from threadstore.testing.stored import STORE_LAWS, agree, as_command, distinct, is_decided_alike, rows_agree
from threadstore.testing.strategies import POLICIES, histories
from threadstore.testing.universe import STORIES, orders, subsets

#: Rules that views depend on, and limits that commands meet.
ALL_POLICIES = (
    *POLICIES,
    Policy(report_threshold=1, premoderation="newcomers"),
    Policy(flood_limit=2, flood_window=100, duplicate_window=1_000, edit_window=30, closes_after=2_000, anonymous=False),
    Policy(
        premoderation="anonymous", may=lambda command, thread: thread.counts().total < 5, screen=lambda command, thread: "hold"
    ),
)


def without_answers_to_corrections(events: Iterable[Event]) -> list[Event]:
    """Return the events without those comments that answer a correction, which is no place for an answer."""
    told = list(events)
    corrections = {event.id for event in told if isinstance(event, e.CorrectionSuggested)}
    return [event for event in told if not (isinstance(event, e.CommentPosted) and event.parent in corrections)]


# --- histories ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", STORE_LAWS, ids=lambda law: law.__name__)
def test_histories_obey(law: Law):
    """Every law of the store holds for whatever Hypothesis finds, under every policy."""

    @given(history=histories(), policy=st.sampled_from(ALL_POLICIES), seed=st.integers(0, 2**16))
    def holds(history: list[Event], policy: Policy, seed: int) -> None:
        law(Case(without_answers_to_corrections(history), policy=policy, random=Random(seed)))

    present = hypothesis.settings.default
    assert present is not None
    hypothesis.settings(present, max_examples=max(present.max_examples // 4, 1))(holds)()


def of_seed(seed: int) -> Case:
    """Return a history that is the same in every run."""
    history = without_answers_to_corrections(random_history(seed, 10 + seed % 30))
    return Case(history, policy=ALL_POLICIES[seed % len(ALL_POLICIES)], random=Random(seed))


@pytest.mark.parametrize("law", STORE_LAWS, ids=lambda law: law.__name__)
def test_histories_of_fixed_seeds(law: Law):
    """The same histories in every run, so that a change of the code, not of chance, shows."""
    for seed in range(40):
        law(of_seed(seed))


#: What makes a row depend on what came before it, or after.
HARD = {
    "a reply before its parent",
    "an edit that is older than the text that stands",
    "a name that comes after a text that may call it",
    "a comment erased, and a text of it later",
    "a person erased before words of theirs",
    "a person erased behind words of theirs",
}


def hard(events: list[Event]) -> set[str]:
    """Return what is hard about events in this order."""
    found: set[str] = set()
    known: list[Event] = []
    for event in events:
        if isinstance(event, e.CommentPosted):
            if any(isinstance(other, e.CommentPosted) and other.parent == event.id for other in known):
                found.add("a reply before its parent")
            calling = (e.CommentPosted, e.CommentEdited)
            if any(isinstance(other, calling) and "@" in other.body and other.id > event.id for other in known):
                found.add("a name that comes after a text that may call it")
            if any(isinstance(other, e.CommentErased) and other.comment == event.id for other in known):
                found.add("a comment erased, and a text of it later")
            if any(isinstance(other, e.PersonErased) and event.actor and other.person == event.actor.id for other in known):
                found.add("a person erased before words of theirs")
        if isinstance(event, e.CommentEdited) and any(
            isinstance(other, e.CommentEdited) and other.comment == event.comment and other.id > event.id for other in known
        ):
            found.add("an edit that is older than the text that stands")
        if isinstance(event, e.PersonErased) and any(other.actor and other.actor.id == event.person for other in known):
            found.add("a person erased behind words of theirs")
        known.append(event)
    return found


def test_what_is_hard_occurs_in_histories():
    """Late parents, late names, late edits and erasures in any order are in what the laws are tried on, and often."""
    times = Counter(chain.from_iterable(hard(distinct(of_seed(seed).shuffled())) for seed in range(40)))
    assert set(times) == HARD
    assert min(times.values()) >= 3


# --- a small universe ---------------------------------------------------------------------------------------------------------


def merged(facts: Iterable[Event], policy: Policy = Policy()) -> ThreadStore:  # noqa: B008  # it is frozen
    """Return a store in memory that took in some facts, one after the other."""
    store = ThreadStore(SqliteLog.open(":memory:"), policy=policy, now=Wall(1 << 43))
    for fact in facts:
        store.merge([fact])
    return store


def test_every_pair_in_every_order():
    """Any two facts of the small universe, in either order, leave the rows that a rebuild makes and show what a fold shows."""
    for subset in subsets(2):
        for order in orders(subset):
            with merged(order) as store:
                agree(store, THREAD, order)


@pytest.mark.parametrize("story", STORIES)
def test_every_story_in_every_order(story: str):
    """Chains of up to five facts leave the same rows as a rebuild in any order, and the last order shows what a fold shows."""
    facts = distinct(STORIES[story])
    for order in orders(facts):
        with merged(order) as store:
            rows_agree(store, THREAD)
    with merged(order) as store:
        agree(store, THREAD, order)


def test_a_name_that_comes_late_is_found_by_older_texts():
    """Whom a text addresses is told anew when an older comment brings the name, and again when that comment is erased."""
    facts = [
        posted(9, "@Ann Lee, and @Bob?", by=MODERATOR),
        posted(1, "mine", by=ANN),
        posted(2, by=BOB),
        posted(3, by=replace(BOB, id="other-bob")),
        edited(10, 9, "@Bob", by=MODERATOR),
        erased(11, 3),
        person_erased(12, ANN),
    ]
    for order in (facts, facts[::-1], facts[3:] + facts[:3]):
        with merged(order) as store:
            agree(store, THREAD, order)


def test_votes_against_reach_every_order():
    """Orders by votes are the fold's where votes for and against are as many, and few, and taken back."""
    random = Random(5)
    facts: list[Event] = [posted(number) for number in range(1, 25)]
    number = 100
    for _ in range(150):
        number += 1
        kind = random.choice(["up", "down", "up", "support"])
        facts.append(reacted(number, random.randrange(1, 25), kind, by=Actor(f"u-{random.randrange(12)}")))
    policy = Policy(kinds={"up", "down", "support"}, exclusive=[{"up", "down"}])
    random.shuffle(facts)
    with ThreadStore(SqliteLog.open(":memory:"), policy=policy, now=Wall(1 << 43)) as store:
        for start in range(0, len(facts), 58):
            store.merge(facts[start : start + 58])
            agree(store, THREAD, facts[: start + 58], readers=[None])


# --- processes that share a file ----------------------------------------------------------------------------------------------

#: Two sets of rules that do not agree on who may do what, and on what counts.
TWO = (
    Policy(report_threshold=2, kinds={"support", "up", "down"}, exclusive=[{"up", "down"}]),
    Policy(moderators={"moderator", "author"}, kinds={"up", "laugh"}, premoderation="newcomers"),
)
DONE: Counter[str] = Counter()
KEYS = ("one", "two")
seeds = st.integers(0, 1 << 30)


class Processes(RuleBasedStateMachine):
    """Stores on one file, under two policies, write and rebuild in turns; whoever is asked shows what the log amounts to."""

    @initialize()
    def start(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._drawn: Counter[int] = Counter()
        self.wall = Wall(EPOCH)
        self.place = Place(Path(self._folder.name) / "comments.db", wall=self.wall)
        self.random = Random(1)
        self.processes = [self.process(number) for number in range(3)]
        self.touched: set[tuple[int, str]] = set()

    def process(self, number: int) -> ThreadStore:
        return self.place.open(policy=TWO[number % 2], random=self.random.getrandbits)

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.place.close()
            self._folder.cleanup()

    def chance(self, seed: int) -> Random:
        """Return another source of chance each time that a seed comes back, as Hypothesis likes it to."""
        self._drawn[seed] += 1
        return Random(f"{seed} {self._drawn[seed]}")

    def known(self, key: str) -> list[Event]:
        return [record.event for record in self.processes[0].log.read(key)]

    @rule(number=st.integers(0, 2), key=st.sampled_from(KEYS), seed=seeds)
    def step(self, number: int, key: str, seed: int) -> None:
        """Let a process do something; which, is drawn from the seed, so that nothing is left out."""
        random = self.chance(seed)
        what = random.choice(["execute"] * 6 + ["merge"] * 3 + ["all", "one", "restart", "person"])
        if what == "execute":
            self.execute(number, key, random)
        elif what == "merge":
            self.merge(number, key, random)
        else:
            self.keep(number, key, what)
        self.touched.add((number, key))

    def execute(self, number: int, key: str, random: Random) -> None:
        """Let a process decide some commands, each of which comes to what the fold says."""
        self.wall.ms += random.choice((1, 1, 50))
        history = without_answers_to_corrections(random_history(random.randrange(500), 30, thread=key))
        known = self.known(key)
        posts = [event.id for event in known if isinstance(event, e.CommentPosted)]
        for event in random.sample(history, 4):
            command = as_command(event, named=False)
            if command is None:
                continue
            for name in ("comment", "parent", "correction"):
                if posts and getattr(command, name, None):
                    command = replace(command, **{name: random.choice(posts[-5:])})
            DONE["executed" if is_decided_alike(self.processes[number], command, known) else "not executed"] += 1
            known = self.known(key)

    def merge(self, number: int, key: str, random: Random) -> None:
        """Let a process take in a part of another replica's history, with ids of its own."""
        history = without_answers_to_corrections(random_history(random.randrange(500), 25, thread=key))
        shift = random.randrange(1 << 28)
        events = distinct(moved(history, shift))
        random.shuffle(events)
        known = {event.id for name in KEYS for event in self.known(name)}
        events = [event for event in events if event.id not in known]
        self.wall.ms = max(self.wall.ms, *(time_of(event.id) for event in events), EPOCH)
        assert self.processes[number].merge(events) == len(events)
        DONE["merged"] += 1

    def keep(self, number: int, key: str, what: str) -> None:
        """Let a process rebuild what is not of its rules, or one thread, or begin anew, or forget a person."""
        store = self.processes[number]
        DONE[what] += 1
        if what == "all":
            store.rebuild()
            assert store.rebuild() == 0
        elif what == "one":
            store.rebuild_thread(key)
        elif what == "person":
            store.erase_person("a", by=MODERATOR)
        else:
            self.processes[number] = self.process(number)

    @invariant()
    def each_shows_what_the_log_amounts_to(self) -> None:
        for number, key in getattr(self, "touched", set()):
            for store in (self.processes[number], self.processes[(number + 1) % 3]):
                store.thread(key).counts()  # rows of the other rules are made anew
                agree(store, key, self.known(key))
        self.touched = set()


def moved(events: Iterable[Event], by: int) -> list[Event]:
    """Return the events with other ids, which are as far apart."""
    told = list(events)
    ids = sorted({event.id for event in told} | {id for event in told for id in references(event)})
    new = {id: shifted(id, by) for id in ids}
    return [renamed(event, new) for event in told]


def references(event: Event) -> set[str]:
    """Return the ids that an event names."""
    found = {getattr(event, name, None) for name in ("parent", "comment", "correction", "seen")}
    return {id for id in found if id} | set(getattr(event, "cancels", ()))


def shifted(id: str, by: int) -> str:
    """Return an id of the same millisecond and rank with other random bits."""
    return f"{id[:24]}{(int(id[24:], 16) + (by << 16)) % (1 << 48):012x}"


def renamed(event: Event, new: dict[str, str]) -> Event:
    """Return an event with new ids in the place of all that it names."""
    fields = {name: new[value] for name in ("parent", "comment", "correction", "seen") if (value := getattr(event, name, None))}
    if cancels := getattr(event, "cancels", ()):
        fields["cancels"] = tuple(new[id] for id in cancels)
    return replace(event, id=new[event.id], **fields)


def test_processes_agree():
    """Whatever processes under two policies do to one file, each shows at any moment what the log amounts to under its rules."""
    DONE.clear()
    present = hypothesis.settings.default
    assert present is not None
    examples = max(present.max_examples // 20, 1)
    run_state_machine_as_test(Processes, settings=hypothesis.settings(present, max_examples=examples, stateful_step_count=20))
    assert {"executed", "not executed", "merged", "all", "one", "restart", "person"} - set(DONE) == set()


# --- what is found ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", STORE_LAWS, ids=lambda law: law.__name__)
def test_a_store_that_shows_something_else_is_found(law: Law, monkeypatch: pytest.MonkeyPatch):
    """A law that can not fail proves nothing: a fold that leaves a fact out, and rows that do, are told apart."""
    case = Case([posted(1), posted(2, to=1), reacted(3, 1)], random=Random(1))
    law(case)
    monkeypatch.setattr("threadstore.testing.stored.fold", lambda events, *, key: fold([*events][:-1], key=key))
    monkeypatch.setattr("threadstore.testing.stored.differences", lambda *arguments: iter(["a row is missing"]))
    with pytest.raises(AssertionError):
        law(case)


def test_a_command_that_comes_to_something_else_is_found():
    """What a store appends is held against what the fold of all that it has comes to."""
    with merged([posted(1)]) as store:
        store._now = Wall(moment(2))
        command = as_command(posted(2))
        assert command is not None
        assert as_command(e.UnknownEvent(id=id_for(EPOCH, b"x", after=""), thread=THREAD, kind="poll.opened", schema=1)) is None
        assert is_decided_alike(store, command, [posted(1)])
        assert not is_decided_alike(store, command, [posted(1), posted(2)])
        with pytest.raises(AssertionError, match="saw CommentNotFound"):
            is_decided_alike(store, as_command(reacted(3, 7)), [posted(1), posted(7)])
