"""
Threads that nobody wrote in good faith: as deep, as wide, as crowded as somebody can make them, with ids that are made to
collide, and merged from sites that have other rules or claim roles.

Nothing here looks at a clock. What an operation costs is counted: nodes walked, marks looked at, listings sorted. Where the
cost of one operation grows with what somebody has piled up on one comment, the test says how, so that it cannot grow faster
unseen. test_hostile_guards.py takes each guard out and names the test here that notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import force_setattr, replace

import threadstore
from threadstore import (
    Actor,
    ClockSkew,
    CommentErased,
    CommentPosted,
    ConflictingEvent,
    Event,
    MergeRefused,
    PersonErased,
    Policy,
    ReactionGiven,
    StaleId,
    TextQuote,
    Thread,
    ThreadStore,
    UnknownEvent,
    fold,
)
from threadstore.decide.decide import decide
from threadstore.model.codec import encode
from threadstore.model.commands import Post
from threadstore.model.erasure import redact
from threadstore.model.ids import MAX_MILLIS, NIL, id_for, make_id, time_of
from threadstore.model.index import Index
from threadstore.model.mentions import MAX_ABOVE
from threadstore.model.outline import Missing, Node
from threadstore.model.ranking import ORDERS
from threadstore.model.values import MAX_CANCELS
from threadstore.readmodel import projection
from threadstore.readmodel.part import Loaded
from threadstore.readmodel.queries import loading
from threadstore.store import plans
from threadstore.testing.given import (
    ANN,
    BOB,
    EPOCH,
    MODERATOR,
    THREAD,
    approved,
    deleted,
    described,
    edited,
    erased,
    held,
    id_of,
    locked,
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
)

pytestmark = pytest.mark.usefixtures("guard")

RULES = Policy().rules
VOTES = Policy(kinds={"support", "up", "down"}, exclusive=({"up", "down"},))


class Counter:
    """How often something was done."""

    def __init__(self) -> None:
        self.count = 0

    def during(self, call: Callable[[], object]) -> int:
        """Return how often it is done in *call*."""
        before = self.count
        call()
        return self.count - before


@pytest.fixture
def steps_up(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Count the ancestors that are walked."""
    counter = Counter()
    above = Index.above

    def counting(self: Index, node: Node) -> Iterator[Node]:
        for ancestor in above(self, node):
            counter.count += 1
            yield ancestor

    monkeypatch.setattr(Index, "above", counting)
    return counter


@pytest.fixture
def steps_read(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Count how many times a command finds that something has to be read."""
    counter = Counter()

    def counting(loaded: Loaded, missing: Iterable[Missing]) -> Iterator[Any]:
        counter.count += 1
        return loading(loaded, missing)

    for module in (plans, projection):
        monkeypatch.setattr(module, "loading", counting)
    return counter


# --- deep ---------------------------------------------------------------------------------------------------------------------


def chain(length: int, *, say: str = "so", by: Actor | None = BOB) -> list[Event]:
    return [posted(1, by=by), *(posted(n, say, to=n - 1, by=by) for n in range(2, length + 1))]


@pytest.mark.parametrize("order", ["as they come", "backwards", "shuffled"])
def test_a_chain_of_a_hundred_thousand(order: str, scale):
    """A chain of 100,000 replies, in any order of arrival, is folded and read, from the top, the middle and the end."""
    length = scale(20_000 if order != "as they come" else 100_000, 100_000)
    facts = chain(length)
    if order == "backwards":
        facts.reverse()
    elif order == "shuffled":
        Random(7).shuffle(facts)
    thread = fold(facts)
    assert thread.counts().total == length
    for by in ORDERS:
        assert [comment.id for comment in thread.view(order=by).comments] == [id_of(1)]
    last = thread.comment(id_of(length), context=100)
    assert last.id == id_of(length - 100)
    assert last.depth == length - 101
    assert thread.replies(id_of(length // 2)).comments[0].id == id_of(length // 2 + 1)
    assert thread.view(depth=100, rows=10_000).comments[0].reply_count == 1
    scale.figure("depth of a chain", length)


def test_a_chain_that_comes_backwards_keeps_its_index():
    """
    An index that takes in a chain from its end on, so that every comment is a placeholder first, is what a new one would be.
    """
    thread = Thread(THREAD)
    thread.view(order="active")
    facts = chain(600)
    Random(3).shuffle(facts)
    for fact in facts:
        thread.apply(fact)
    thread.index(RULES).check()
    assert thread.counts().total == 600


def test_a_chain_whose_end_comes_and_goes(scale):
    """
    Where only the last of a chain of tombstones is alive, it is shown with all of them; without it none is, and counts are
    right.
    """
    length = scale(3_000, 100_000)
    thread = fold([*chain(length), *(removed(length + n, n) for n in range(1, length))])
    assert (thread.counts().total, thread.counts().hidden) == (1, length - 1)
    [top] = thread.view(order="active").comments
    assert (top.id, top.concealed) == (id_of(1), "removed")
    thread.apply(held(3 * length, length))
    assert thread.view().comments == ()
    assert [comment.id for comment in thread.view(reader=MODERATOR).comments] == [id_of(1)]
    assert thread.counts().pending == 1
    thread.apply(approved(3 * length + 1, length, cancels=[3 * length]))
    assert [comment.id for comment in thread.view().comments] == [id_of(1)]


def test_a_name_that_two_have_below_a_deep_chain(steps_up: Counter):
    """Whom "@Ann" means, where two have the name, is looked for among the thousand nearest ancestors and no further up."""
    for length in (3_000, 6_000):
        facts = [posted(n, by=Actor(f"a{n}", "Ann")) for n in (1, 2)]
        facts += [posted(n, "@Ann", to=n - 1 if n > 3 else 1, by=BOB) for n in range(3, length)]
        thread = fold(facts)
        pages = []
        steps = steps_up.during(lambda: pages.append(thread.view(limit=1, rows=1)))  # noqa: B023
        assert steps == 0
        steps = steps_up.during(lambda: pages.append(thread.flat(order="newest", limit=20)))  # noqa: B023
        assert steps <= 20 * (MAX_ABOVE + 1) + 20 * length, "who is meant, and how deep each is"
        pages.pop(0)
        assert {mention.actor for comment in pages[0].comments for mention in comment.mentions} == {"a2"}
        assert thread.comment(id_of(900)).mentions[0].actor == "a1"


@pytest.mark.parametrize("order", ["as they come", "backwards", "shuffled"])
def test_a_stored_chain(order: str, steps_read: Counter, scale):
    """
    A chain of 100,000 replies, merged in any order, is shown, replied to, edited and deleted at its end in a few steps, and its
    rows are what its log amounts to.
    """
    length = scale(3_000, 100_000)
    facts = chain(length)
    if order == "backwards":
        facts.reverse()
    elif order == "shuffled":
        Random(7).shuffle(facts)
    with threadstore.open(":memory:", now=lambda: moment(10 * length)) as store:
        store.merge(facts)
        article = store.thread(THREAD)
        assert article.counts().total == length
        for by in ORDERS:
            assert [comment.id for comment in article.view(order=by).comments] == [id_of(1)]
        last = article.comment(id_of(length), context=100)
        assert (last.id, last.depth) == (id_of(length - 100), length - 101)
        assert article.replies(id_of(length // 2)).comments[0].id == id_of(length // 2 + 1)
        assert article.view(depth=100, rows=10_000).comments[0].reply_count == 1
        made: list[str] = []
        steps = steps_read.during(lambda: made.append(article.reply(id_of(length), "@Bob", by=ANN)))
        steps += steps_read.during(lambda: article.edit(made[0], "so?", by=ANN))
        steps += steps_read.during(lambda: article.delete(made[0], by=ANN))
        assert steps <= 30
        assert article.counts().total == length
        assert list(store.verify()) == []


def test_a_stored_chain_whose_end_comes_and_goes(steps_read: Counter, scale):
    """
    Whether the last of a chain of tombstones is seen changes all above it: they are read in few steps, twice as many each time.
    """
    length = scale(2_000, 100_000)
    with threadstore.open(":memory:", now=lambda: moment(10 * length)) as store:
        store.merge([*chain(length), *(removed(length + n, n) for n in range(1, length))])
        article = store.thread(THREAD)
        assert (article.counts().total, article.counts().hidden) == (1, length - 1)
        assert [comment.id for comment in article.view(order="active").comments] == [id_of(1)]
        steps = steps_read.during(lambda: article.hold(id_of(length), by=MODERATOR))
        assert article.view().comments == ()
        assert [comment.id for comment in article.view(reader=MODERATOR).comments] == [id_of(1)]
        steps += steps_read.during(lambda: article.approve(id_of(length), by=MODERATOR))
        assert [comment.id for comment in article.view().comments] == [id_of(1)]
        assert steps <= 60
        assert list(store.verify()) == []


def test_replies_that_come_before_their_correction():
    """What answers something that turns out to be a correction is shown under the placeholder with the nil id, in a store too."""
    for facts in (
        [posted(3, to=1), deleted(4, 3), suggested(1)],
        [posted(3, to=1), posted(5, to=1), deleted(6, 5), suggested(1)],
    ):
        shown = [comment.id for comment in fold(facts).view().comments]
        for batches in ([facts], [[fact] for fact in facts], [facts[:1], facts[1:]]):
            with threadstore.open(":memory:") as store:
                for batch in batches:
                    store.merge(batch)
                assert [comment.id for comment in store.thread(THREAD).view(order="active").comments] == shown
                assert list(store.verify()) == []


# --- wide ---------------------------------------------------------------------------------------------------------------------


def test_a_million_reactions(scale):
    """
    A comment with a million reactions, up and down exclusively, counts each actor once, and one more reaction costs the same as
    ever.
    """
    count = scale(100_000, 1_000_000)
    facts: list[Event] = [posted(1), posted(2)]
    for n in range(count):
        facts.append(reacted(n + 3, 1, ("up", "down", "support")[n % 3], by=Actor(f"u{n // 3}")))
        if n % 100_000 == 0:
            scale.progress(n, count, "reactions made")
    thread = fold(facts)
    voters = -(-count // 3)
    [one, two] = thread.view(policy=VOTES, reader="u1").comments
    assert one.reactions == {"down": voters - (count % 3 == 1), "support": count // 3} | ({"up": 1} if count % 3 == 1 else {})
    assert one.reacted == ("down", "support")
    assert two.reactions == {}
    for n in range(100):
        thread.apply(reacted(count + 10 + n, 1, "up", by=Actor(f"u{n}")))
    [one, _] = thread.view(policy=VOTES, order="best").comments[::-1]
    assert thread.comment(id_of(1), policy=VOTES).reactions["up"] == 100 + (count % 3 == 1)
    scale.figure("reactions on one comment", count)


def test_a_reaction_costs_the_same_on_a_crowded_comment(monkeypatch: pytest.MonkeyPatch):
    """A reaction looks at the actor's own reactions, not at those of others."""
    counter = Counter()
    reaction = Thread.reaction

    def counting(self: Thread, *key: str) -> Any:
        counter.count += 1
        return reaction(self, *key)

    monkeypatch.setattr(Thread, "reaction", counting)
    taken = []
    for crowd in (10, 10_000):
        thread = fold([posted(1), *(reacted(n + 2, 1, "up", by=Actor(f"u{n}")) for n in range(crowd))])
        thread.view(policy=VOTES)
        taken.append(counter.during(lambda: thread.apply(reacted(crowd + 5, 1, "down", by=Actor("u1")))))  # noqa: B023
    assert taken[0] == taken[1] <= 8


def test_a_hundred_thousand_reports(scale):
    """A comment with 100,000 open reports is read, queued, and its reports resolved, ten thousand at a time."""
    count = scale(20_000, 100_000)
    thread = fold([posted(1), *(reported(n + 2, 1, by=Actor(f"u{n}")) for n in range(count))])
    [item] = thread.queue().items
    assert len(item.reports) == count
    left = [id_of(n + 2) for n in range(count)]
    at = count + 2
    while left:
        thread.apply(resolved(at, 1, cancels=left[:MAX_CANCELS]))
        left = left[MAX_CANCELS:]
        at += 1
    assert thread.queue().items == ()
    assert thread.view(reader=MODERATOR).comments[0].marks == {}
    scale.figure("reports on one comment", count)


def test_a_stored_crowd(scale):
    """
    A million reactions to one comment of a store, and a hundred thousand reports of another, are merged, shown and added to, and
    its rows are what its log amounts to.
    """
    reactions, reports = scale(6_000, 1_000_000), scale(3_000, 100_000)
    facts: list[Event] = [posted(1), posted(2)]
    facts += [reacted(n + 3, 1, by=Actor(f"u{n}")) for n in range(reactions)]
    facts += [reported(reactions + n + 3, 2, by=Actor(f"u{n}")) for n in range(reports)]
    with threadstore.open(":memory:", now=lambda: moment(2 * len(facts))) as store:
        store.merge(facts)
        article = store.thread(THREAD)
        [one, _] = article.view(reader="u1").comments
        assert (one.reactions, one.reacted) == ({"support": reactions}, ("support",))
        article.react(id_of(1), by="another")
        article.unreact(id_of(1), by="u1")
        assert article.comment(id_of(1)).reactions == {"support": reactions}
        article.report(id_of(2), by="another")
        [item] = article.queue().items
        assert len(item.reports) == reports + 1
        article.resolve_reports(id_of(2), by=MODERATOR)
        assert len(article.queue().items) == (reports >= MAX_CANCELS)
        assert list(store.verify()) == []


def test_moderators_resolve_what_one_event_cannot_name(scale):
    """Resolving a crowd of reports through a store takes as many events as their number needs, and then none is open."""
    count = scale(10_500, 30_000)
    with threadstore.open(":memory:") as store:
        store.merge([posted(1), *(reported(n + 2, 1, by=None, reason="") for n in range(count))])
        article = store.thread(THREAD)
        resolutions = [article.resolve_reports(id_of(1), by=MODERATOR) for _ in range(-(-count // MAX_CANCELS))]
        assert article.queue().items == ()
        assert article.resolve_reports(id_of(1), by=MODERATOR) == resolutions[-1], "nothing is left to do"
        named = [store.log.find(id).event.cancels for id in resolutions]  # type: ignore[union-attr]
        assert sum(map(len, named)) == count
        assert max(map(len, named)) == MAX_CANCELS


def test_what_a_report_costs_on_a_crowded_comment(monkeypatch: pytest.MonkeyPatch):
    """
    One more report looks at each open report a few times, and no more: the cost of n reports one by one grows with n², known
    and bounded.
    """
    from threadstore.model import status

    looked = Counter()
    marks_of = status.marks_of

    def counting(*arguments: Any) -> list[Event]:
        marks = marks_of(*arguments)
        looked.count += len(marks)
        return marks

    monkeypatch.setattr(status, "marks_of", counting)
    taken = []
    for crowd in (500, 1_000):
        thread = fold([posted(1), *(reported(n + 2, 1, by=Actor(f"u{n}")) for n in range(crowd))])
        thread.view()
        taken.append(looked.during(lambda: thread.apply(reported(crowd + 5, 1))))  # noqa: B023
    assert taken[1] <= 2 * taken[0] + 2
    assert taken[1] <= 2 * 1_001


class Named(tuple):
    """The ids that a cancel names, which counts how many of them are looked at."""

    __slots__ = ()
    looked = 0

    def __iter__(self) -> Iterator[str]:
        Named.looked += len(self)
        return super().__iter__()


def rounds(count: int) -> Iterator[Event]:
    """Yield *count* rounds of hold, approve, edit, approve; each approval names every hold so far, since the text is another."""
    yield posted(1)
    holds, text = [], 1
    for at in range(2, 2 + 4 * count, 4):
        holds.append(at)
        yield held(at, 1)
        for opening, seen in ((at + 1, text), (at + 3, at + 2)):
            approval = approved(opening, 1, cancels=holds, seen=seen)
            force_setattr(approval, "cancels", Named(approval.cancels))
            yield approval
            if opening == at + 1:
                yield edited(at + 2, 1)
        text = at + 2


def test_holds_approvals_and_edits_in_turns(scale):
    """A comment that is held, approved and edited n times costs what its approvals name, a few times over: n² in all, not n³."""
    looked = {}
    for count in (40, 80, scale(160, 1_000)):
        facts = list(rounds(count))
        thread = Thread(THREAD)
        thread.view()
        Named.looked = 0
        for fact in facts:
            thread.apply(fact)
        looked[count] = Named.looked
        named = sum(len(getattr(fact, "cancels", ())) for fact in facts)
        assert Named.looked <= 8 * named
        assert thread.counts().total == 1
        assert thread.view().comments[0].body == facts[-2].body  # type: ignore[attr-defined]
    assert looked[80] <= 5 * looked[40]
    scale.figure("rounds of hold, approve, edit on one comment", max(looked))


def test_ten_thousand_holds_and_approvals(scale):
    """Ten thousand holds of one comment, each approved, end with a comment that is seen, and one more that is not."""
    count = scale(1_000, 10_000)
    facts: list[Event] = [posted(1)]
    for n in range(count):
        facts += [held(2 * n + 2, 1), approved(2 * n + 3, 1, cancels=[2 * n + 2])]
    thread = fold(facts)
    assert thread.counts().total == 1
    thread.apply(held(3 * count, 1))
    assert (thread.counts().total, thread.counts().pending) == (0, 1)
    assert thread.view(reader=MODERATOR).comments[0].marks["held"] == (id_of(3 * count),)


def test_marks_beyond_what_one_event_can_name():
    """A comment with more holds than one approval can name is let through by several."""
    holds = MAX_CANCELS + 50
    with threadstore.open(":memory:", now=lambda: moment(60_000)) as store:
        store.merge([posted(1), *(held(n, 1, "", by=Actor(f"m{n % 9}", "", "moderator")) for n in range(2, holds + 2))])
        article = store.thread(THREAD)
        article.approve(id_of(1), by=MODERATOR)
        assert article.counts().pending == 1
        article.approve(id_of(1), by=MODERATOR)
        assert article.counts() == threadstore.Counts(top_level=1, total=1)


def test_cancels_at_their_bound():
    """As many marks as an event may name are named by one, and one more is refused before an event exists."""
    ids = [id_of(n) for n in range(2, MAX_CANCELS + 2)]
    thread = fold([posted(1), resolved(MAX_CANCELS + 9, 1, cancels=ids)])
    thread.view()
    with pytest.raises(ValueError, match="10001"):
        resolved(MAX_CANCELS + 9, 1, cancels=[*ids, id_of(MAX_CANCELS + 3)])
    with threadstore.open(":memory:") as store:
        store.merge([posted(1)])
        with pytest.raises(ValueError, match="10001"):
            store.thread(THREAD).resolve_reports(id_of(1), by=MODERATOR, cancels=[*ids, id_of(1)])


def test_twins_by_the_thousand(monkeypatch: pytest.MonkeyPatch):
    """A pure fold of many facts under one id keeps each once, and does not compare each with each."""
    compared = Counter()
    equal = CommentPosted.__eq__

    def counting(self: Event, other: object) -> bool:
        compared.count += 1
        return equal(self, other)

    monkeypatch.setattr(CommentPosted, "__eq__", counting)
    taken = []
    for count in (200, 400):
        thread = Thread(THREAD)
        facts = [posted(1, f"twin {n}") for n in range(count)]
        taken.append(compared.during(lambda: [thread.apply(fact) for fact in facts * 2]))  # noqa: B023
        assert sum(1 for _ in thread.facts()) == count
        best = max(facts, key=encode)
        assert thread.view().comments[0].body == best.body
    assert taken[1] <= 3 * taken[0]


def test_posting_and_deleting_below_a_crowded_root(monkeypatch: pytest.MonkeyPatch):
    """A reply that is posted and deleted again below a crowded root does not have all of the crowd looked at for "active"."""
    noted = Counter()
    shown_below = Index._shown_below

    def counting(self: Index, root: Node) -> Iterator[str]:
        for id in shown_below(self, root):
            noted.count += 1
            yield id

    monkeypatch.setattr(Index, "_shown_below", counting)
    for crowd in (500, 1_000):
        thread = fold([posted(1), *(posted(n, to=1) for n in range(2, crowd))])
        thread.view(order="active")

        def turn(start: int) -> None:
            for n in range(start, start + 40, 2):
                thread.apply(posted(n, to=1))  # noqa: B023
                thread.apply(deleted(n + 1, n))  # noqa: B023
            thread.view(order="active")  # noqa: B023

        assert noted.during(lambda: turn(crowd)) <= crowd, "once, when the first of them goes"  # noqa: B023
        assert noted.during(lambda: turn(2 * crowd)) == 0  # noqa: B023
        thread.index(RULES).check()


def test_the_top_level_by_the_hundred_thousand(scale):
    """A hundred thousand comments at the top level are read in every order, a page at a time, and the pages end."""
    count = scale(20_000, 100_000)
    thread = fold([posted(n, "so", by=Actor(f"u{n % 50}")) for n in range(1, count + 1)])
    for order in ORDERS:
        page = thread.view(order=order, limit=1_000, rows=10_000, policy=VOTES)
        assert page.left == count - 1_000
        page = thread.view(order=order, limit=1_000, rows=10_000, policy=VOTES, after=page.next)
        assert page.left == count - 2_000


# --- ids ----------------------------------------------------------------------------------------------------------------------


def test_ids_with_one_high_half(tmp_path: Path):
    """Ids that share their time, their counter and more, and differ in the last bits alone, are as different as any."""
    ids = [make_id(EPOCH, 7, n) for n in range(500)]
    facts = [CommentPosted(id=id, thread=THREAD, actor=Actor(f"u{n}"), body=f"b{n}") for n, id in enumerate(ids)]
    facts += [
        CommentPosted(id=make_id(EPOCH, 7, 1_000 + n), thread=THREAD, parent=id, body=f"re {n}") for n, id in enumerate(ids)
    ]
    Random(1).shuffle(facts)
    with threadstore.open(tmp_path / "one.db", durability="off") as store:
        assert store.merge(facts) == 1_000
        article = store.thread(THREAD)
        page = article.view(limit=500, rows=1_000)
        assert [comment.id for comment in page.comments] == ids
        assert [(comment.body, comment.replies[0].body) for comment in page.comments] == [
            (f"b{n}", f"re {n}") for n in range(500)
        ]
        assert all(store.log.find(fact.id).event == fact for fact in facts)  # type: ignore[union-attr]


def test_other_facts_under_one_id_are_refused(tmp_path: Path):
    """Another fact under a known id, of whatever kind, in whatever thread, is named and refused; the same fact again is not."""
    first = posted(1, "words", by=ANN)
    with threadstore.open(tmp_path / "one.db", durability="off") as store:
        store.merge([first])
        for other in (
            replace(first, body="other words"),
            replace(first, thread="elsewhere"),
            replace(first, actor=BOB),
            replace(first, actor=None),
            replace(first, spoiler=True),
            replace(first, parent=id_of(0)),
            replace(first, at=5),
            replace(first, meta={"a": "b"}),
            replace(first, actor=Actor("ann", "Another Name")),
            ReactionGiven(id=first.id, thread=THREAD, actor=ANN, comment=id_of(0)),
            UnknownEvent(id=first.id, thread=THREAD, kind="poll", schema=1),
        ):
            with pytest.raises(MergeRefused) as raised:
                store.merge([posted(2, by=BOB), other])
            [(id, error)] = raised.value.refused
            assert (id, type(error)) == (first.id, ConflictingEvent)
        assert store.merge([first, redact(first), first]) == 0
        assert [record.event for record in store.log.read_all()] == [first, posted(2, by=BOB)]


def test_the_conflicts_of_a_merge_are_all_named():
    """Of a merge in which every second fact conflicts, the others are stored, and each that is refused is named once."""
    with threadstore.open(":memory:") as store:
        store.merge([posted(n, "mine") for n in range(1, 400, 2)])
        with pytest.raises(MergeRefused) as raised:
            store.merge([posted(n, "theirs") for n in range(1, 401)])
        assert raised.value.new == 200
        assert sorted(id for id, _ in raised.value.refused) == [id_of(n) for n in range(1, 400, 2)]
        assert store.log.position() == 400


def test_equal_times(tmp_path: Path):
    """Ten thousand facts of one millisecond keep the order of their ids, and what is minted after them lies above."""
    with threadstore.open(tmp_path / "one.db", durability="off", now=lambda: EPOCH) as store:
        article = store.thread("t")
        ids = [article.post(f"b{n}", by="u") for n in range(300)]
        assert ids == sorted(ids)
        assert [comment.id for comment in article.view(limit=300, rows=300).comments] == ids
        crowd = [CommentPosted(id=make_id(EPOCH + 1, 4095, n), thread="t", body="x") for n in range(2_000)]
        store.merge(crowd)
        assert article.post("last", by="u") > crowd[-1].id


@pytest.mark.parametrize("ahead", [300_001, 10**9, MAX_MILLIS - EPOCH])
def test_ids_of_the_far_future_are_refused_at_the_door(ahead: int):
    """
    An id further ahead than clocks may differ is refused, with the moment when it may be offered again, and drags no clock
    along.
    """
    id = make_id(EPOCH + ahead, 4095, (1 << 62) - 1)
    with threadstore.open(":memory:", now=lambda: EPOCH) as store:
        article = store.thread("t")
        with pytest.raises(MergeRefused) as raised:
            store.merge([CommentPosted(id=id, thread="t", body="x")])
        [(_, error)] = raised.value.refused
        assert isinstance(error, ClockSkew)
        assert error.retry_at == EPOCH + ahead - 300_000
        with pytest.raises((ClockSkew, StaleId)):
            article.post("x", by="u", id=id)
        root = article.post("now", by="u")
        with pytest.raises(ClockSkew):
            article.edit(root, "later", by="u", seen=id)
        assert time_of(root) <= EPOCH + 1


def test_a_fold_of_the_far_future():
    """A pure fold takes ids from the first to the last moment there is, and reads the thread in every order."""
    first, last = make_id(0, 0, 0), make_id(MAX_MILLIS, 4095, (1 << 62) - 1)
    thread = fold(
        [
            CommentPosted(id=last, thread=THREAD, actor=ANN, body="@Bob", at=-(1 << 53)),
            CommentPosted(id=first, thread=THREAD, actor=BOB, body="@Ann Lee", at=1 << 53),
            ReactionGiven(id=last[:-1] + "e", thread=THREAD, actor=BOB, comment=first),
        ]
    )
    for order in ORDERS:
        ids = set()
        page = thread.view(order=order, limit=1)
        while True:
            ids |= {comment.id for comment in page.comments}
            if page.next is None:
                break
            page = thread.view(order=order, limit=1, after=page.next)
        assert ids == {first, last}
    with pytest.raises(ValueError, match="10889"):
        decide(Post(thread=THREAD, by=ANN, body="x"), thread, now=EPOCH)


def test_parents_that_cannot_be():
    """
    A comment that answers itself, one that answers a later one, a pair that answer each other, and the nil id: each has one
    place.
    """
    thread = fold([posted(1, to=1), posted(2, to=3), posted(3, to=2), posted(4, to=99), posted(5, to=4), posted(6, to=5)])
    page = thread.view(depth=10)
    seen = []

    def walk(comments: Iterable[Any]) -> None:
        for comment in comments:
            seen.append(comment.id)
            walk(comment.replies)

    walk(page.comments)
    assert sorted(seen) == sorted({NIL, *(id_of(n) for n in range(1, 7))} | ({id_of(99)} if id_of(99) in seen else set()))
    assert len(seen) == len(set(seen))
    assert page.counts.total == 6


def test_cross_posted_ids():
    """An id that is a comment in one thread is unknown in another, whoever asks."""
    with threadstore.open(":memory:") as store:
        mine = store.thread("a").post("x", by="u")
        other = store.thread("b")
        other.post("y", by="u")
        for call in (
            lambda: other.reply(mine, "z", by="u"),
            lambda: other.edit(mine, "z", by="u"),
            lambda: other.react(mine, by="u"),
            lambda: other.remove(mine, by=MODERATOR),
            lambda: other.erase(mine, by=MODERATOR),
            lambda: other.comment(mine),
        ):
            with pytest.raises(threadstore.CommentNotFound):
                call()
        with pytest.raises(ConflictingEvent):
            other.post("z", by="u", id=mine)


# --- merges from elsewhere ----------------------------------------------------------------------------------------------------

ROYAL = Actor("king", "The King", "moderator")
STRICT = Policy(moderators={"system"}, editors={"editor"}, describers={"system"})


def claims() -> list[Event]:
    """Return what a site of other rules says: a moderator there did all that moderators do."""
    return [
        posted(1, "words", by=ANN),
        posted(2, "more", to=1, by=BOB, spoiler=True),
        held(10, 1, by=ROYAL),
        removed(11, 2, by=ROYAL),
        edited(12, 1, "the king's words", by=ROYAL),
        pinned(13, 2, by=ROYAL),
        locked(14, by=ROYAL),
        described(15, title="the king's", by=ROYAL),
        reported(16, 1, by=BOB),
        resolved(17, 1, cancels=[16], by=ROYAL),
        erased(18, 1, by=ROYAL),
        person_erased(19, ANN, by=ROYAL),
        threadstore.SpoilerCleared(id=id_of(20), thread=THREAD, actor=ROYAL, comment=id_of(2), cancels=(id_of(2),)),
        restored(21, 2, cancels=[11], by=ROYAL),
        approved(22, 1, cancels=[10], by=ROYAL),
        deleted(23, 1, by=ROYAL),
    ]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_role_that_the_policy_does_not_know_moderates_nothing(kind: str, tmp_path: Path):
    """
    A merge in which somebody claims a moderator's role changes nothing that anybody sees where the policy grants the role
    nothing.
    """
    path = ":memory:" if kind == "memory" else tmp_path / "one.db"
    honest = [event for event in claims() if event.actor != ROYAL]
    with threadstore.open(path, policy=STRICT) as store, threadstore.open(":memory:", policy=STRICT) as plain:
        assert store.merge(claims()) == len(claims())
        plain.merge(honest)
        for reader in (None, "ann", ROYAL, Actor("s", "", "system")):
            seen, should = (each.thread(THREAD).view(reader=reader) for each in (store, plain))
            assert replace(seen, revision=0) == replace(should, revision=0)
            assert store.thread(THREAD).queue().items == plain.thread(THREAD).queue().items
        assert b"words" in b"".join(record.data for record in store.log.read_all())
        texts = {event.id: event for event in store.thread(THREAD).history(reader="ann")}
        assert texts[id_of(1)] == posted(1, "words", by=ANN)
        assert texts[id_of(12)].body == ""  # type: ignore[attr-defined]  # the king's words are nobody's


def test_a_claimed_erasure_takes_no_words(tmp_path: Path):
    """
    An erasure by a role that the policy does not grant takes nothing from the log, now or later; one by a role that it grants
    does.
    """
    with threadstore.open(tmp_path / "one.db", policy=STRICT, durability="off") as store:
        store.merge([posted(1, "words to keep", by=ANN), erased(5, 1, by=ROYAL), person_erased(6, ANN, by=ROYAL)])
        store.merge([posted(2, "more to keep", by=ANN)])
        store.merge([PersonErased(id=id_of(7), thread=THREAD, actor=None, person="ann")])
        store.merge([CommentErased(id=id_of(8), thread=THREAD, actor=BOB, comment=id_of(1))])
        assert [event.body for event in store.export() if isinstance(event, CommentPosted)] == ["words to keep", "more to keep"]
        store.merge([CommentErased(id=id_of(9), thread=THREAD, actor=Actor("app", "", "system"), comment=id_of(1))])
        assert [event.body for event in store.export() if isinstance(event, CommentPosted)] == ["", "more to keep"]
        assert list(store.verify()) == []


def test_another_sites_log(tmp_path: Path):
    """
    A log of a site with other kinds, other roles and other bounds is taken in whole, shown by this site's rules, and given on
    unchanged.
    """
    theirs = Policy(kinds={"boo", "yay", "support"}, moderators={"reader"}, max_body=1_000_000, max_name=500)
    with threadstore.open(tmp_path / "theirs.db", policy=theirs, durability="off") as site:
        article = site.thread(THREAD)
        root = article.post("w" * 100_000, by=Actor("ann", "n" * 400))
        article.react(root, "boo", by="u1")
        article.react(root, "support", by="u1")
        reply = article.reply(root, "re", by=BOB)
        article.remove(reply, by=Actor("rex", "Rex"))
        unknown = UnknownEvent(
            id=id_for(site.now(), "x"), thread=THREAD, actor=None, kind="poll.opened", schema=9, extra=(b"\x91\x01",)
        )
        site.merge([unknown])
        with threadstore.open(":memory:") as mine, threadstore.open(tmp_path / "on.db", durability="off") as further:
            assert mine.merge(site.export()) == site.log.position()
            page = mine.thread(THREAD).view()
            assert page.comments[0].reactions == {"support": 1}
            assert page.comments[0].body == "w" * 100_000
            assert [comment.id for comment in page.comments[0].replies] == [reply]
            assert article.view().counts.hidden == 1
            further.merge(mine.export())
            assert [record.data for record in further.log.read_all()] == [record.data for record in site.log.read_all()]
            assert mine.thread(THREAD).digest() == further.thread(THREAD).digest() == article.digest()


def test_what_is_no_event_is_not_merged():
    """
    Values that are no facts, subclasses of facts, and facts by duck are refused; what came before may be there, and is whole.
    """

    class Forged(CommentPosted, frozen=True, kw_only=True, tag="comment.posted"):
        pass

    with threadstore.open(":memory:") as store:
        for value in (None, "x", b"x", 5, {}, Forged(id=id_of(3), thread=THREAD, body="x"), Event(id=id_of(3), thread=THREAD)):
            with pytest.raises(TypeError):
                store.merge([posted(1), value])  # type: ignore[list-item]
        assert [record.event for record in store.log.read_all()] in ([], [posted(1)])


def test_crowds_of_threads(scale):
    """A merge of facts of thousands of threads stores each in its own."""
    count = scale(2_000, 50_000)
    with threadstore.open(":memory:") as store:
        facts = [CommentPosted(id=make_id(EPOCH + n, 0, n), thread=f"t{n}", body=f"b{n}") for n in range(count)]
        Random(5).shuffle(facts)
        assert store.merge(facts) == count
        assert sum(1 for _ in store.threads()) == count
        assert [comment.body for comment in store.thread("t7").view().comments] == ["b7"]


# --- what a bound of the policy costs -----------------------------------------------------------------------------------------


def costs(policy: Policy, posts: int, by: Actor | None) -> int:
    """Return how many comments are looked at to decide one more post by somebody who has posted so often."""
    from threadstore.decide.questions import Question

    thread = fold([posted(n, f"b{n}", by=by, held=True) for n in range(1, posts + 1)])
    looked = Counter()
    comment = Question._comment

    def counting(self: Question, id: str) -> Any:
        looked.count += 1
        return comment(self, id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Question, "_comment", counting)
        return looked.during(lambda: decide(Post(thread=THREAD, by=by, body="new"), thread, policy=policy, now=moment(posts + 1)))


@pytest.mark.parametrize("by", [ANN, None], ids=["one actor", "nobody"])
def test_what_the_flood_limit_looks_at(by: Actor | None):
    """The flood limit looks at no comment but the actor's own ids, however many they are."""
    policy = Policy(flood_limit=10**6, flood_window=10**12)
    assert costs(policy, 1_000, by) == costs(policy, 2_000, by) == 0


def test_what_premoderation_of_newcomers_looks_at():
    """Whether somebody has been seen is known without a look at what they posted: a thousand held comments cost what ten do."""
    policy = Policy(premoderation="newcomers")
    assert costs(policy, 10, ANN) == costs(policy, 1_000, ANN) == 0


def test_what_the_watch_for_duplicates_looks_at():
    """The watch for repeated texts looks at the actor's comments within its window, once each, and at no others."""
    window = moment(100) - moment(0)
    assert costs(Policy(duplicate_window=window), 1_000, ANN) == costs(Policy(duplicate_window=window), 2_000, ANN) <= 101


def test_a_page_is_bounded_whatever_the_thread():
    """
    The largest page that can be asked for has as many comments as `rows` allows, in a thread that is wide, deep and crowded.
    """
    facts = [*chain(300), *(posted(1_000 + n, to=1 + n % 300) for n in range(5_000)), *(posted(9_000 + n) for n in range(2_000))]
    thread = fold(facts)
    for rows in (1, 50, 200, 10_000):
        page = thread.view(limit=1_000, replies=1_000, depth=100, rows=rows)
        count = msgspec.json.encode(page).count(b'"text_id"')
        assert 1 <= count <= rows


def test_quotes_are_looked_for_once_each():
    """A thousand suggestions for one article cost a look at it for each, and an article that repeats itself costs no more."""
    text = "ab " * 5_000
    quotes = [TextQuote("b a" * 300, "a", " b", 3 * n) for n in range(50)]
    facts = [
        threadstore.CorrectionSuggested(id=id_of(n + 1), thread=THREAD, actor=ANN, quote=quote, suggestion="x")
        for n, quote in enumerate(quotes)
    ]
    views = fold(facts).corrections(text=text)
    assert len(views) == 50
    assert all(view.orphaned for view in views)


def test_stores_agree_on_a_crowd(tmp_path: Path):
    """A store on either log, and one that came from a backup, agree on a thread with a bit of everything in great number."""
    facts: list[Event] = [*chain(200), *(reacted(1_000 + n, 1 + n % 200, by=Actor(f"u{n}")) for n in range(1_500))]
    facts += [reported(5_000 + n, 1 + n % 9, by=Actor(f"u{n}")) for n in range(500)] + [
        held(6_000 + n, 1 + n % 7) for n in range(100)
    ]
    with threadstore.open(":memory:") as one, threadstore.open(tmp_path / "one.db", durability="off") as other:
        Random(2).shuffle(facts)
        one.merge(facts)
        other.merge(reversed(facts))
        one.backup(tmp_path / "backup.db")
        assert _told(one) == _told(other)
    with threadstore.open(tmp_path / "backup.db") as backup, threadstore.open(tmp_path / "one.db") as other:
        assert _told(backup) == _told(other)


def _told(store: ThreadStore) -> tuple[str, bytes]:
    article = store.thread(THREAD)
    page = article.view(order="best", reader=MODERATOR, replies=50, rows=500)
    return article.digest(), msgspec.json.encode((replace(page, revision=0), replace(article.queue(limit=50), revision=0)))
