"""A thread of columns: what it holds where, what comes before the log has it, and what turns out to be damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from threadstore import CommentNotFound, Policy, ThreadStore, dense, dense_lens, fold
from threadstore.dense import DenseThread, Unreadable
from threadstore.dense_outline import DenseOutline, Place
from threadstore.heads import Heads, head
from threadstore.log.memory import MemoryLog
from threadstore.log.protocol import Record, Revision
from threadstore.model.events import Event, ReactionGiven, ReactionWithdrawn
from threadstore.model.ids import NIL, make_id
from threadstore.model.ranking import ORDERS
from threadstore.streams import StreamOf
from threadstore.testing.given import (
    ANN,
    BOB,
    CYD,
    MODERATOR,
    THREAD,
    deleted,
    described,
    edited,
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
    suggested,
    unreacted,
)
from threadstore.views.thread import Thread

POLICY = Policy()


class HalfDamaged(MemoryLog):
    """A log in which some records are damaged, though their heads are whole."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: set[int] = set()

    def _told(self, record: Record) -> Record:
        return replace(record, damage="it is damaged") if record.revision in self.damaged else record

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        return map(self._told, super().read(thread, after=after))

    def find(self, id: str) -> Record | None:
        record = super().find(id)
        return None if record is None else self._told(record)

    def heads(self, thread: str, *, after: int = 0) -> Heads:
        records = list(super().read(thread, after=after))
        return Heads([record.revision for record in records], b"".join(head(record.event) for record in records))


def logged(events: Iterable[Event]) -> HalfDamaged:
    """Return a log with these events of one thread, numbered from 1."""
    log = HalfDamaged()
    log.append(THREAD, list(events))
    return log


def dense_on(log: MemoryLog, policy: Policy = POLICY) -> DenseThread:
    """Return the thread of a log, still to be read."""
    return DenseThread(THREAD, policy.rules, StreamOf(log, THREAD))


def read(events: Iterable[Event], policy: Policy = POLICY) -> DenseThread:
    """Return the thread of these events, read from a log."""
    thread = dense_on(logged(events), policy)
    thread.read()
    return thread


def follow(thread: DenseThread, events: Iterable[Event]) -> None:
    """Let the thread's log have some more events, and the thread follow it."""
    source = thread._source
    assert isinstance(source, StreamOf)
    for event in events:
        revision = source._log.append(THREAD, [event]).revision
        thread.admit(event, revision)


def shown(thread: Thread, policy: Policy = POLICY) -> list[Any]:
    """Return what a moderator and a reader see of it."""
    said: list[Any] = [thread.counts(policy=policy), thread.queue(policy=policy), thread.digest()]
    for reader in (MODERATOR, CYD):
        for order in ORDERS:
            how = {"order": order, "reader": reader, "policy": policy, "now": moment(1_000)}
            page, flat = thread.view(pinned=True, **how), thread.flat(**how)
            said += [page, flat]
    return said


def agree(thread: DenseThread, events: Iterable[Event], policy: Policy = POLICY) -> None:
    """Assert that it shows what an ordinary thread of the same events shows."""
    shown(thread, policy)  # what is damaged is noticed now
    plain = fold(events, key=THREAD)
    plain.revision, plain.unreadable = thread.revision, thread.unreadable
    for one, other in zip(shown(thread, policy), shown(plain, policy), strict=True):
        assert one == other


STORY: list[Event] = [
    posted(1),
    posted(2, to=1, by=BOB),
    reacted(3, 1),
    edited(4, 1),
    posted(5, by=CYD),
    reacted(6, 5, "down", by=ANN),
    unreacted(7, 1),
    reacted(8, 1, by=CYD),
]


# --- what is where ------------------------------------------------------------------------------------------------------------


def test_what_is_plain_takes_no_cells():
    """Comments, reactions and authors' edits are in the columns alone, and are shown as ever."""
    thread = read(STORY)
    assert thread._cells == {}
    agree(thread, STORY)
    assert thread._cells == {}


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        (edited(9, 1, by=MODERATOR), [1]),
        (removed(9, 2), [1, 2]),
        (pinned(9, 5), [5]),
        (deleted(9, 1), [1]),
        (posted(9, to=1, held=True), [1]),
        (posted(9, to=1, spoiler=True), [1]),
        (reported(9, 2), [1, 2]),
        (reacted(9, 2, "moved"), [2]),
        (person_erased(9, ANN), [1]),
        (locked(9), []),
        (described(9), []),
        (suggested(9), []),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_what_is_not_plain_is_kept(event: Event, kept: list[int]):
    """What it concerns is kept, whether it is found in the log, comes from there later, or comes before; all else is not."""
    found = read([*STORY, event])
    followed, ahead = read(STORY), read(STORY)
    follow(followed, [event])
    ahead.apply(event)
    for thread in (found, followed, ahead):
        outline = thread.outline(POLICY.rules)
        assert isinstance(outline, DenseOutline)
        assert [id_of(number) for number in kept] == [
            thread.columns.id_of(rank) for rank in range(len(thread.columns)) if outline.is_kept(rank)
        ]
        assert set(thread._cells) <= {event.target, *map(id_of, kept)}
        agree(thread, [*STORY, event])


def test_a_late_comment_waits_in_cells():
    """What comes behind all others goes into the columns; what should stand before some of them does not."""
    events = [posted(1), posted(5), posted(3), posted(6), posted(4, to=3)]
    thread = read(events[:2])
    follow(thread, events[2:])
    assert sorted(thread._cells) == [id_of(3), id_of(4)]
    agree(thread, events)
    assert read(events)._cells == {}


def test_what_an_erasure_takes_beforehand_is_not_shown():
    """A comment that comes after its writer's erasure, and was written before it, is no plain one."""
    events = [posted(1, by=BOB), person_erased(9, ANN), posted(5), posted(12)]
    thread = read(events[:2])
    follow(thread, events[2:])
    assert sorted(thread._cells) == ["", id_of(5)]
    agree(thread, events)


def test_an_erased_name_is_told_no_longer():
    """Whoever is erased is not addressed any longer, in whatever they said; others of that name are."""
    events = [posted(1), posted(2, by=CYD), posted(3, "@Ann Lee and @Cyd", by=BOB), posted(4, "@Ann Lee, @Cyd", by=BOB)]
    thread = read(events)
    agree(thread, events)
    assert [mention.actor for mention in thread.comment(id_of(3)).mentions] == [ANN.id, CYD.id]
    follow(thread, [person_erased(9, ANN)])
    agree(thread, [*events, person_erased(9, ANN)])
    assert [mention.actor for mention in thread.comment(id_of(3)).mentions] == [CYD.id]


@pytest.mark.parametrize(("patience", "read_then"), [(1_000, [1]), (5, [1, 2])])
def test_a_name_is_read_when_somebody_may_say_it(patience: int, read_then: list[int], monkeypatch: pytest.MonkeyPatch):
    """Of what was said under names that a body does not say nothing is read; all of it if bodies may say very many."""
    events = [
        posted(1, by=ANN),
        posted(2, by=BOB),
        posted(3, "@Nobody, @Ann Lee, how are you?"),
        posted(4, "@nobody"),
        posted(5, "hm"),
    ]
    thread, read_so_far = read(events), list[int]()
    glance = thread._source.glance
    monkeypatch.setattr(StreamOf, "glance", lambda self, revisions: read_so_far.extend(revisions) or glance(revisions))
    names = thread.dense.names
    names.meet(["no names"])
    names._patience = patience
    assert names.find("no names", comment=id_of(9), nearest=list) == ()
    assert names.find("mail@Ann Lee", comment=id_of(9), nearest=list) == ()
    assert not read_so_far
    for _ in range(2):
        assert [mention.actor for mention in names.find(events[2].body, comment=id_of(9), nearest=list)] == [ANN.id]
    assert sorted(read_so_far) == read_then
    agree(thread, events)


def test_orders_follow_what_happens():
    """Once somebody has looked, lists are kept up with whatever comes to plain comments, and with what ceases to be plain."""
    thread, events = read(STORY), list(STORY)
    more = [
        reacted(9, 5, by=BOB), posted(10, to=5), reacted(11, 1, by=ANN), posted(12), removed(13, 10), posted(14, to=2),
        pinned(15, 1), posted(16, to=5), removed(17, 5), reacted(18, 12), unreacted(19, 12), posted(20, to=12),
        deleted(21, 20, by=ANN),
    ]  # fmt: skip
    for event in more:
        agree(thread, events)
        follow(thread, [event])
        events.append(event)
    agree(thread, events)


def test_a_placeholder_is_no_comment():
    """It counts nowhere, whether the comment comes later or not."""
    events = [posted(5, to=3), posted(6, to=5), posted(8, to=4)]
    thread = read(events)
    agree(thread, events)
    follow(thread, [posted(3), posted(9, to=4)])
    agree(thread, [*events, posted(3), posted(9, to=4)])


def test_votes_against_count_in_orders():
    """Kinds that count against a comment stand in columns as well."""
    policy = Policy(kinds=frozenset({"support", "up", "down", "laugh"}))
    events = [*STORY, reacted(9, 1, "down"), reacted(10, 1, "up", by=CYD), posted(11), reacted(12, 11, "laugh")]
    thread = read(events, policy)
    assert thread._cells == {}
    agree(thread, events, policy)


def test_replies_to_a_kept_comment_come_and_go():
    """Those that the columns know, and those that came too late for them, in one order."""
    events = [posted(1), posted(2, to=1), posted(5, to=1), pinned(6, 1)]
    thread = read(events)
    for event in (posted(3, to=1), removed(7, 2), posted(8, to=1), posted(4, to=1), removed(9, 3), removed(10, 1)):
        follow(thread, [event])
        events.append(event)
        agree(thread, events)
    node = thread.dense.node(id_of(1))
    assert isinstance(node, Place)
    assert node.live
    assert [(list(ids), count) for ids, count in map(node.replies_behind, ("", id_of(4), "zzz"))] == [
        ([id_of(4), id_of(5), id_of(8)], 3),
        ([id_of(5), id_of(8)], 2),
        ([], 0),
    ]
    for number in (4, 5, 8):
        follow(thread, [removed(number + 10, number)])
    assert not node.live


def test_nodes_are_made_when_somebody_looks():
    """A plain comment has the parent and the replies that it would have as a node that is kept; it is no correction."""
    events = [posted(1), posted(2, to=1), posted(3, to=1), posted(4, to=2), posted(5, to=1)]
    dense, plain = read(events).outline(POLICY.rules), fold(events).outline(POLICY.rules)
    for event in events:
        one, other = dense.node(event.id), plain.node(event.id)
        assert one is not None
        assert other is not None
        assert (one.live, one.shown, one.pinned, one.standing) == (other.live, other.shown, other.pinned, other.standing)
        assert getattr(one.parent, "id", None) == getattr(other.parent, "id", None)
        assert [node.id for node in dense.ancestors(one)] == [node.id for node in plain.ancestors(other)]
        for after in ("", id_of(2), id_of(3), make_id(moment(3), 0, 999), id_of(9)):
            (ids, left), (wanted, more) = one.replies_behind(after), other.replies_behind(after)
            assert (list(ids), left) == (list(wanted), more)
        assert dense.correction(event.id) is None


@pytest.mark.parametrize("bound", ["dense._AT_HAND", "dense_lens._VIEWS"])
def test_what_is_at_hand_is_bounded(bound: str, monkeypatch: pytest.MonkeyPatch):
    """However little may be kept, everything is answered."""
    monkeypatch.setattr(f"threadstore.{bound}", 2)
    thread = read([*STORY, edited(9, 5, by=CYD)])
    agree(thread, [*STORY, edited(9, 5, by=CYD)])
    thread.apply(reacted(10, 2))
    assert thread.at_all([1, 2, 3]) == STORY[:3]
    assert thread.at_all([7]) == [STORY[6]]
    assert thread.at_all([8]) == [STORY[7]]
    assert thread.at_all([5]) == [STORY[4]]
    follow(thread, [reacted(10, 2)])
    for number in (1, 5):
        assert set(thread.cells(id_of(number))) == {"posted", "edited", "reaction"}
    agree(thread, [*STORY, edited(9, 5, by=CYD), reacted(10, 2)])
    assert bound != "dense._AT_HAND" or len(thread._at_hand) <= 3


def test_pages_are_asked_for_as_ever():
    """What only one reader has opened is shown to them alone, and what makes no sense is refused as by any thread."""
    events = [posted(1), posted(2, spoiler=True)]
    thread, plain = read(events), fold(events)
    for reveal in ([id_of(2)], (), "all", {id_of(2)}, [id_of(1)]):
        assert thread.view(reveal=reveal).comments == plain.view(reveal=reveal).comments
    for wrong in ({"order": ["oldest"]}, {"limit": 0}, {"reader": [1]}):
        with pytest.raises((TypeError, ValueError)) as refused:
            plain.view(**wrong)
        with pytest.raises(refused.type):
            thread.view(**wrong)


def test_a_thread_is_empty_before_it_is_read():
    """It knows its key, and nothing else."""
    thread = dense_on(logged(STORY))
    assert (thread.key, thread.revision, thread.unreadable, thread.latest, thread.earliest) == (THREAD, 0, 0, NIL, "")
    assert (list(thread.facts()), list(thread.targets()), thread.counts().total) == ([], [], 0)


def test_a_thread_knows_how_far_it_was_read():
    """Its revision, its first and its last id are those of the log's, whatever their order."""
    thread = read([posted(3), posted(1), posted(2)])
    assert (thread.revision, thread.unreadable, thread.latest, thread.earliest) == (3, 0, id_of(3), id_of(1))
    thread.admit(posted(9), 4)
    assert (thread.revision, thread.latest) == (4, id_of(9))


def test_what_is_in_memory_is_reckoned_with():
    """A thread takes the more room the more it has in columns, in cells, and at hand."""
    sizes = [dense_on(MemoryLog()).nbytes, read(STORY[:2]).nbytes, read(STORY).nbytes, read([*STORY, removed(9, 1)]).nbytes]
    assert sizes == sorted(set(sizes))
    thread = read(STORY)
    before = thread.nbytes
    thread.cells(id_of(1))
    assert thread.nbytes > before


# --- facts --------------------------------------------------------------------------------------------------------------------


def test_the_facts_are_those_of_the_log():
    """All of them are there, also what was overwritten, and those that the log does not have yet."""
    thread = read(STORY)
    thread.apply(posted(9))
    assert list(thread.facts()) == [*STORY, posted(9)]
    assert [thread.fact(event.id) for event in [*STORY, posted(9)]] == [*STORY, posted(9)]
    assert (thread.fact(id_of(10)), thread.fact("no id")) == (None, None)


def test_a_fact_beyond_what_was_read_is_not_known():
    """The log may have it already; the thread does not."""
    log = logged(STORY)
    thread = dense_on(log)
    thread.read()
    log.append(THREAD, [posted(9)])
    log.append("another", [replace(posted(10), thread="another")])
    assert (thread.fact(id_of(9)), thread.fact(id_of(10))) == (None, None)
    assert list(thread.facts()) == STORY


def test_cells_are_made_of_the_log():
    """Those of a plain comment are as an ordinary thread's; a placeholder, and what nobody spoke of, have none."""
    events = [*STORY, edited(9, 1), posted(10, to=99 - 90)]
    thread, plain = read(events), fold(events)
    for number in (1, 2, 5, 10):
        cells, wanted = thread.cells(id_of(number)), plain.cells(id_of(number))
        assert {name: cell for name, cell in cells.items() if name != "reaction"} == {
            name: cell for name, cell in wanted.items() if name != "reaction"
        }
        for actor in (ANN, BOB, CYD):
            for kind in ("support", "down", "moved"):
                assert cells["reaction"].get((actor.id, kind)) == wanted.get("reaction", {}).get((actor.id, kind))
    assert [thread.cells(target) for target in ("", id_of(9), id_of(77), "no id")] == [{}, {}, {}, {}]
    assert sorted(thread.targets()) == sorted(set(plain.targets()) - {id_of(9)}) == [id_of(1), id_of(2), id_of(5), id_of(10)]


@pytest.mark.parametrize("below", [None, 1, 3, 9, 20])
def test_the_newest_come_first(below: int | None):
    """What the columns hold and what has cells is listed together, down from an id; a placeholder has no facts."""
    events = [*STORY, edited(9, 1), posted(11, to=10), removed(12, 2), posted(13), locked(14)]
    thread, plain = read(events), fold(events)
    bound = None if below is None else id_of(below)
    wanted = sorted((id for id in set(plain.targets()) - {""} if bound is None or id < bound), reverse=True)
    assert list(thread.newest(bound)) == list(plain.newest(bound)) == wanted


def test_reactions_are_looked_up_one_by_one():
    """Those in columns and those in cells alike; of what is not here there are none."""
    thread = read([*STORY, removed(9, 5)])
    in_columns, in_cells = thread.reactions(id_of(1)), thread.reactions(id_of(5))
    assert in_columns is not None
    assert in_cells is not None
    assert bool(in_columns)
    assert (in_columns.get((CYD.id, "support")), in_columns.get((BOB.id, "support"))) == (STORY[7], STORY[6])
    assert in_cells.get((ANN.id, "down")) == STORY[5]
    assert in_columns.get((ANN.id, "support"), STORY[0]) == STORY[0]
    assert in_columns.get((NIL, 7)) is None  # type: ignore[arg-type]
    assert thread.reactions(id_of(44)) is None


def test_the_standing_facts_make_an_equal_thread():
    """What was overwritten is not among them."""
    thread = read(STORY)
    facts = list(thread.standing_facts())
    assert sorted(facts, key=lambda fact: fact.id) == sorted(fold(STORY).standing_facts(), key=lambda fact: fact.id)
    assert fold(facts).digest() == thread.digest() == fold(STORY).digest()


def test_a_dense_thread_merges_with_others():
    """Either way, dense or ordinary, the outcome is that of all facts."""
    more = [posted(9, to=5), reacted(10, 5), removed(11, 2)]
    into = read(STORY)
    into.merge(fold(more))
    agree(into, [*STORY, *more])
    assert shown(fold(more).merge(read(STORY))) == shown(fold([*STORY, *more]))


def test_a_past_is_an_ordinary_thread():
    """It has today's texts and concealment, and stands where the thread stood."""
    events = [*STORY, removed(9, 5)]
    thread = read(events)
    past = thread.past(events[:5])
    assert type(past) is Thread
    assert (past.revision, past.counts().total, past.counts().hidden) == (9, 2, 1)
    wanted = fold(events).past(events[:5])
    wanted.revision = past.revision
    assert shown(past) == shown(wanted)
    with pytest.raises(ValueError, match="does not know its past"):
        thread.as_of(moment(5))


def test_other_rules_have_an_outline_of_their_own():
    """It is made once, and made anew when something has changed."""
    strict = Policy(moderators=frozenset({"system"}))
    thread = read([*STORY, removed(9, 1)])
    assert thread.counts().hidden == 1
    agree(thread, [*STORY, removed(9, 1)], strict)
    outline = thread.outline(strict.rules)
    assert thread.outline(strict.rules) is outline
    thread.apply(posted(10))
    assert thread.outline(strict.rules) is not outline
    assert thread.counts(policy=strict).total == 4


def test_only_facts_of_the_thread_come_in():
    """What belongs elsewhere is misuse, as for any thread."""
    thread = read(STORY)
    with pytest.raises(ValueError, match="is of thread"):
        thread.apply(replace(posted(9), thread="another"))


def test_two_facts_under_one_id_do_not_come_from_a_log():
    """A log has refused the second; whoever hands it in all the same is told."""
    thread = read([posted(1, held=True)])
    with pytest.raises(ValueError, match="no two facts under one id"):
        thread.apply(posted(1, "other", held=True))


# --- ahead of the log ---------------------------------------------------------------------------------------------------------


def test_what_is_ahead_is_numbered_when_the_log_has_it():
    """Each fact is shown at once, and is read from the log later; nothing is counted twice."""
    more = [posted(9, to=2), reacted(10, 9), reacted(11, 1, by=ANN), edited(12, 9), posted(13), removed(14, 13), reacted(15, 13)]
    log = logged(STORY)
    thread = dense_on(log)
    thread.read()
    for event in more:
        assert thread.apply(event)
        assert not thread.apply(event)
    agree(thread, [*STORY, *more])
    log.append(THREAD, more)
    for revision, event in enumerate(more, len(STORY) + 1):
        thread.admit(event, revision)
        agree(thread, [*STORY, *more])
    assert (thread.revision, thread._ahead, thread._unlogged, thread._numbers) == (15, {}, {}, {})
    thread._at_hand.clear()
    agree(thread, [*STORY, *more])


def test_what_was_read_already_does_not_come_in_again():
    """A fact that is handed over late, below the thread's revision, changes nothing."""
    thread = read(STORY)
    thread.admit(posted(99), 3)
    assert (thread.revision, thread.fact(id_of(99))) == (8, None)


@pytest.mark.parametrize("second", [unreacted(10, 2), reacted(10, 2)])
def test_numbering_a_reaction_does_not_bring_it_back(second: ReactionGiven | ReactionWithdrawn):
    """Of two that are ahead the later one stands, also when the log has the first and not yet the second."""
    first = reacted(9, 2)
    log = logged(STORY)
    thread = dense_on(log)
    thread.read()
    for event in (first, second):
        thread.apply(event)
    log.append(THREAD, [first])
    thread.admit(first, 9)
    reactions = thread.reactions(id_of(2))
    assert reactions is not None
    assert reactions.get((BOB.id, "support")) == second
    log.append(THREAD, [second])
    thread.admit(second, 10)
    thread._at_hand.clear()
    assert reactions.get((BOB.id, "support")) == second


def test_reading_keeps_what_is_ahead():
    """What the log has by then is numbered, and what it does not have stays."""
    log = logged(STORY)
    thread = dense_on(log)
    thread.read()
    thread.apply(posted(9))
    thread.apply(posted(10))
    thread.apply(removed(11, 1))
    log.append(THREAD, [posted(9)])
    thread.read()
    agree(thread, [*STORY, posted(9), posted(10), removed(11, 1)])
    assert sorted(thread._unlogged) == [id_of(10), id_of(11)]
    thread.admit(posted(9), 9)
    assert thread.revision == 9


# --- damage -------------------------------------------------------------------------------------------------------------------


def bodies(thread: Thread) -> list[str | None]:
    """Return what is read on the first page, in the order of the ids."""
    return [comment.body for comment in thread.flat(limit=100).comments]


def test_a_damaged_record_is_noticed_when_it_is_needed():
    """Its head is whole, so nobody knows until then; then it is left out, and counted."""
    log = logged(STORY)
    log.damaged = {2}
    thread = dense_on(log)
    thread.read()
    assert (thread.unreadable, thread.counts().total) == (0, 3)
    view = thread.view()
    assert [comment.body for comment in view.comments] == ["w4", "w5"]
    assert (view.unreadable, view.revision, view.counts.total) == (1, 8, 2)
    agree(thread, [event for event in STORY if event != STORY[1]])


def test_several_are_left_out_at_once_and_one_by_one():
    """Whatever turns out to be damaged, nothing else goes; the last of all is missed as well."""
    log = logged(STORY)
    log.damaged = {1, 4, 8}
    thread = dense_on(log)
    thread.read()
    left = [event for revision, event in enumerate(STORY, 1) if revision not in log.damaged]
    assert thread.fact(id_of(1)) is None
    thread.view(limit=1)
    thread.cells(id_of(5))
    thread.apply(edited(9, 5, by=MODERATOR))
    thread.apply(removed(10, 2))
    assert bodies(thread)[-1:] == ["w9"]
    assert thread.revision == 8
    assert thread.unreadable >= 1
    assert set(thread.facts()) == {*left, edited(9, 5, by=MODERATOR), removed(10, 2)}


def test_a_thread_may_be_damaged_wholly():
    """Then there is nothing to be seen, and all of it is counted."""
    log = logged(STORY)
    thread = dense_on(log)
    thread.read()
    log.damaged = set(range(1, 9))
    view = thread.view()
    assert (view.comments, view.unreadable, view.revision) == ((), 8, 8)


def test_what_is_not_plain_is_missed_when_the_thread_is_read():
    """It has to be decoded at once, so its damage shows at once."""
    log = logged([*STORY, removed(9, 1), held(10, 5)])
    log.damaged = {9, 10}
    thread = dense_on(log)
    thread.read()
    assert (thread.unreadable, thread.revision, thread.counts().hidden) == (2, 10, 0)
    agree(thread, STORY)


@pytest.mark.parametrize("event", [removed(9, 1), edited(9, 1), edited(9, 1, by=MODERATOR), reacted(9, 1, "support", by=CYD)])
def test_damage_that_is_found_while_something_comes_in(event: Event):
    """The fact is let in all the same, by what is left."""
    for ahead in (True, False):
        log = logged(STORY)
        log.damaged = {1, 8}
        thread = dense_on(log)
        thread.read()
        log.append(THREAD, [event])
        thread.apply(event) if ahead else thread.admit(event, 9)
        left = [told for revision, told in enumerate([*STORY, event], 1) if revision not in log.damaged]
        agree(thread, left)


def test_what_is_ahead_outlives_damage_that_is_found():
    """A writer's own facts are seen by the next decision, whatever has to be read anew before it."""
    log = logged([*STORY, removed(9, 2)])
    thread = dense_on(log)
    thread.read()
    thread.apply(posted(10))
    thread.apply(pinned(11, 10))
    log.damaged = {5, 9}
    left = [event for event in STORY if event.id != id_of(5)]
    agree(thread, [*left, posted(10), pinned(11, 10)])
    assert sorted(thread._unlogged) == [id_of(10), id_of(11)]


def test_the_end_stays_missed_when_something_else_turns_out_to_be_damaged():
    """The thread does not go back behind what it was known to have lost."""
    log = logged(STORY)
    thread = dense_on(log)
    thread.read()
    thread.miss(11)
    assert (thread.revision, thread.unreadable) == (11, 3)
    thread.miss(10)
    log.damaged = {2}
    assert (thread.view().unreadable, thread.revision) == (4, 11)


def test_whoever_asks_for_a_damaged_fact_is_told():
    """Each by its revision; what can be read beside it is not named."""
    log = logged(STORY)
    log.damaged = {2, 5}
    thread = dense_on(log)
    thread.read()
    with pytest.raises(Unreadable) as found:
        thread.at_all([1, 2, 5, 8])
    assert found.value.revisions == {2, 5}
    assert thread.at(8) == STORY[7]


def half_damaged(events: Sequence[Event], damaged: set[int]) -> tuple[ThreadStore, HalfDamaged]:
    """Return a store whose log is damaged below whole heads."""
    log = logged(events)
    log.damaged = damaged
    return ThreadStore(log, now=lambda: moment(1_000)), log


def test_a_decision_goes_by_what_is_left():
    """A command that needs a damaged record is decided as if it were not there."""
    store, log = half_damaged(STORY, {2})
    with store:
        article = store.thread(THREAD)
        with pytest.raises(CommentNotFound):
            article.edit(id_of(2), "better", by=BOB)
        article.reply(id_of(1), "yes", by=BOB)
        assert log.revision(THREAD) == 9
        assert article.view().unreadable == 1


def test_history_and_changes_go_on_without_what_is_damaged():
    """Both leave it out, and the changes count it."""
    store, _ = half_damaged([*STORY, removed(9, 2)], {2, 4})
    with store:
        article = store.thread(THREAD)
        told = list(article.history(reader=MODERATOR))
        assert [event.id for event in told] == [id_of(number) for number in (1, 3, 5, 6, 7, 8, 9)]
        changes = article.changes(0, reader=MODERATOR)
        assert (len(changes.events), changes.unreadable, changes.revision) == (7, 2, Revision(9))


@pytest.mark.parametrize("damaged", [{1}, {2}, {4}, {5}, {1, 2, 4, 5}])
def test_everything_can_be_asked_of_a_damaged_thread(damaged: set[int]):
    """Whichever question comes first, it is answered, and by the thread of what is left."""
    left = [event for revision, event in enumerate(STORY, 1) if revision not in damaged]
    asked = [
        lambda thread: thread.view(now=moment(99)).comments,
        lambda thread: thread.flat(now=moment(99)).comments,
        lambda thread: thread.replies(id_of(5)).comments if 5 not in damaged else None,
        lambda thread: thread.comment(id_of(5)) if 5 not in damaged else None,
        lambda thread: thread.queue().items,
        lambda thread: thread.digest(),
    ]
    for ask in asked:
        log = logged(STORY)
        log.damaged = damaged
        thread = dense_on(log)
        thread.read()
        assert ask(thread) == ask(fold(left, key=THREAD))


def test_a_frozen_thread_of_which_something_is_damaged_now(monkeypatch: pytest.MonkeyPatch):
    """What was frozen names facts that have to be read; where one can not be, the thread is read from its heads."""
    monkeypatch.setattr("threadstore.store.store.SNAPSHOT_FROM", 3)
    events = [*STORY, removed(9, 2)]
    log = logged(events)
    policy = Policy()
    ThreadStore(log, policy=policy).thread(THREAD).counts()
    for damaged in ({9}, {2}, {1, 9}):
        log.damaged = damaged
        article = ThreadStore(log, policy=policy).thread(THREAD)
        article.view()
        left = [event for revision, event in enumerate(events, 1) if revision not in damaged]
        assert article.digest() == fold(left).digest()
        assert article.view().unreadable == len(damaged)


def test_a_past_of_a_damaged_thread_is_shown():
    """Its texts are today's, so what is damaged today is left out of it too, whatever is asked."""
    for ask in (
        lambda past: past.view().comments,
        lambda past: past.counts(),
        lambda past: past.comment(id_of(1)),
        lambda past: past.corrections(),
    ):
        store, _ = half_damaged(STORY, {4})
        with store:
            past = store.thread(THREAD).as_of(moment(6))
            assert ask(past) == ask(fold([event for event in STORY if event != STORY[3]], key=THREAD).as_of(moment(6)))


def test_what_was_shown_is_let_go_of(monkeypatch: pytest.MonkeyPatch):
    """What is kept to be shown again is bounded by its number and by its letters; letting go of it changes nothing."""
    events = [posted(number, body="x" * 100) for number in range(1, 9)]
    thread, plain = read(events), fold(events)
    plain.revision = thread.revision
    for name, bound in (("_VIEWS", 3), ("_LETTERS", 50)):
        with monkeypatch.context() as patch:
            patch.setattr(dense_lens, name, bound)
            for _ in range(2):
                assert thread.view(limit=2) == plain.view(limit=2)
                assert thread.view(limit=2, order="newest") == plain.view(limit=2, order="newest")
            assert len(thread.dense.views) <= 4


def test_long_pages_are_not_kept(monkeypatch: pytest.MonkeyPatch):
    """A page with more letters than may be kept is made anew each time, and pages go when others come."""
    thread = read(posted(number, body="x" * 100) for number in range(1, 9))
    assert thread.view() is thread.view()
    monkeypatch.setattr(dense, "_LETTERS", 700)
    assert thread.view(limit=8) is not thread.view(limit=8)
    first = thread.view(limit=2)
    assert thread.view(limit=2) is first
    assert thread.view(limit=3) is thread.view(limit=3)
    assert thread.view(limit=2) is not first
    assert thread.view(limit=2) == first
