"""The one algorithm that keeps the tree, the counts and what holds for each comment, over whatever keeps its records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from threadstore.model.events import Event
from threadstore.model.ids import NIL
from threadstore.model.outline import (
    CORRECTIONS,
    EARLY,
    FLAGS,
    HIDES,
    MISSING,
    TOP,
    Missing,
    Node,
    Outline,
    Tally,
    flags_in,
)
from threadstore.model.policy import Policy
from threadstore.model.state import Cells, Reaction, State
from threadstore.model.status import CONCEALMENTS
from threadstore.model.values import actor_key
from threadstore.testing.given import (
    ANN,
    BOB,
    CYD,
    MODERATOR,
    THREAD,
    approved,
    deleted,
    described,
    edited,
    held,
    id_of,
    locked,
    number_of,
    person_erased,
    pinned,
    posted,
    reacted,
    removed,
    reported,
    suggested,
    unlocked,
    unreacted,
)

RULES = Policy(kinds=frozenset({"up", "down", "wow"}), exclusive=(frozenset({"up", "down"}),)).rules


class Records(dict[str, "Node | None"]):
    """All nodes of a thread: what is not here is nowhere."""

    def __missing__(self, key: str) -> None:
        return None


def all_of(records: dict[str, Node | None]) -> dict[str, Any]:
    """Return what an outline over all nodes of a thread is made with."""

    def children(parent: str) -> list[str]:
        return [id for id, node in records.items() if node is not None and node.parent == parent]

    return {"nodes": records, "children": children}


class Followed(State):
    """A state that an outline follows, with what it answered to each change."""

    __slots__ = ("answers", "outline")

    def __init__(self, key: str = THREAD) -> None:
        super().__init__(key)
        self.answers: list[bool] = []
        self.outline = Outline(self, RULES, tally=Tally(), place=lambda fact: fact.id, **all_of(Records()))

    def _changed(self, event: Event, before: Event | None) -> None:
        self.answers.append(self.outline.take(event, before))
        self.outline.settle()


def outlined(*facts: Event) -> Outline:
    """Return the outline that has followed *facts*, each of which it could follow."""
    state = Followed.of(facts, key=THREAD)
    assert all(state.answers)
    return state.outline


def at(outline: Outline, number: int) -> Node:
    node = outline.nodes[id_of(number)]
    assert node is not None
    return node


def follows(*facts: Event) -> bool:
    """Return whether the outline could follow all of *facts*."""
    return all(Followed.of(facts, key=THREAD).answers)


# --- records ------------------------------------------------------------------------------------------------------------------


def test_each_flag_is_one_bit():
    """Flags are told apart, and concealments are read from them in their order, whatever else holds."""
    assert sorted(FLAGS.values()) == [1 << bit for bit in range(len(FLAGS))]
    assert flags_in(0) == flags_in(MISSING | EARLY | FLAGS["pinned"] | FLAGS["complex"]) == ()
    assert flags_in(FLAGS["spoiler"] | FLAGS["held"] | FLAGS["stale"]) == ("held", "spoiler")
    assert flags_in(sum(FLAGS.values())) == CONCEALMENTS


@pytest.mark.parametrize(
    ("flags", "holds"),
    [
        ([], {"shown", "live", "is_comment", "is_place"}),
        (["spoiler", "pinned", "reported", "complex"], {"shown", "live", "is_comment", "is_place"}),
        (["held"], {"is_comment", "is_place", "withheld"}),
        (["removed", "held", "stale"], {"is_comment", "is_place", "withheld"}),
        (["deleted"], {"is_comment", "is_place"}),
        (["erased", "removed"], {"is_comment", "is_place"}),
        (["missing"], {"is_place"}),
        (["missing", "early"], set()),
        (["correction", "removed"], set()),
    ],
)
def test_what_flags_say_of_a_node(flags: list[str], holds: set[str]):
    """The public sees what nothing hides; a placeholder is a place and no comment; what is gone opens to nobody."""
    node = Node(id_of(1), flags=sum(FLAGS[flag] for flag in flags))
    names = ("shown", "live", "is_comment", "is_place", "withheld")
    assert {name for name in names if getattr(node, name)} == holds
    assert Node(id_of(1), flags=node.flags, kids=1).live


def test_a_new_node_is_no_place():
    """Nothing is known of it: no comment, no child, no vote."""
    node = Node(id_of(1))
    assert (node.parent, node.is_place, node.live, node.votes, node.score(RULES)) == (TOP, False, False, {}, (0, 0))


@pytest.mark.parametrize(
    ("votes", "flags", "score"),
    [
        ({}, 0, (0, 0)),
        ({"up": 3, "down": 2, "wow": 5}, 0, (3, 2)),
        ({"up": 3}, FLAGS["spoiler"], (3, 0)),
        ({"up": 3, "down": 2}, FLAGS["held"], (0, 0)),
    ],
)
def test_the_score_of_a_comment(votes: dict[str, int], flags: int, score: tuple[int, int]):
    """Votes for and against it, of the kinds that count so; none while the public does not see it."""
    assert Node(id_of(1), votes=votes, flags=flags).score(RULES) == score


@pytest.mark.parametrize(
    ("flags", "place"),
    [
        ([], "total"),
        (["spoiler"], "total"),
        (["held", "spoiler"], "pending"),
        (["removed", "held"], "hidden"),
        (["deleted"], "hidden"),
        (["erased"], "hidden"),
        (["missing"], None),
        (["missing", "early"], None),
        (["missing", "held"], None),
    ],
)
def test_where_a_comment_counts(flags: list[str], place: str | None):
    """In one place, and a placeholder in none; what was counted can be taken back."""
    bits, tally = sum(FLAGS[flag] for flag in flags), Tally()
    tally.count(bits, 1)
    assert tally == Tally(**({} if place is None else {place: 1}))
    tally.count(bits, -1)
    assert tally == Tally()


# --- following facts ----------------------------------------------------------------------------------------------------------


def test_a_place_in_the_tree():
    """A reply hangs under its parent; both know how many children are live, and the top level who spoke last."""
    outline = outlined(posted(1), posted(2, to=1, by=BOB), posted(3, to=2), posted(4, to=1, held=True))
    assert at(outline, 1) == Node(id_of(1), post=id_of(1), flags=0, kids=1, replies=1, author=actor_key(ANN), active=id_of(3))
    assert at(outline, 2) == Node(id_of(2), parent=id_of(1), post=id_of(2), flags=0, kids=1, replies=1, author=actor_key(BOB))
    assert (at(outline, 3).parent, at(outline, 3).root) == (id_of(2), id_of(1))
    assert (at(outline, 4).flags & HIDES, at(outline, 4).since) == (FLAGS["held"], id_of(4))
    assert outline.tally == Tally(total=3, top=1, pending=1, live=1, waiting=1)


def test_what_is_looked_at_to_be_changed():
    """A node that is asked for counts as touched; one that is not there is none, or is made."""
    outline = outlined(posted(1))
    outline.touched.clear()
    assert outline.node(id_of(2)) is None
    assert outline.node(id_of(1)) is outline.at(id_of(1)) is at(outline, 1)
    assert outline.at(id_of(2)) == Node(id_of(2))
    assert set(outline.touched) == {id_of(1), id_of(2)}


def test_where_facts_stand():
    """A node keeps the places of its post and its text, not the facts themselves, and so does the tally of the description."""
    outline = outlined(posted(1), edited(2, 1), edited(3, 1, by=BOB), described(4, by=MODERATOR), described(5, by=BOB))
    assert (at(outline, 1).post, at(outline, 1).text, outline.tally.described) == (id_of(1), id_of(2), id_of(4))
    assert at(outlined(posted(1), held(2, 1)), 1).text is None


def test_what_is_anonymous():
    """A comment without an author has the key 0, and reactions by nobody do not count."""
    outline = outlined(posted(1, by=None), reacted(2, 1, "up", by=None))
    assert (at(outline, 1).author, at(outline, 1).votes) == (0, {})


def test_void_parents():
    """What answers something later, itself, or a correction hangs under the place with the nil id."""
    outline = outlined(suggested(1), posted(2, to=2), posted(3, to=9), posted(4, to=1))
    assert {number_of(node.id): node.parent for node in outline.nodes.values() if node is not None and node.is_comment} == {
        2: NIL, 3: NIL, 4: NIL,
    }  # fmt: skip
    assert (at(outline, 1).parent, at(outline, 1).kids, outline.nodes[NIL].kids) == (CORRECTIONS, 0, 3)


@pytest.mark.parametrize(
    ("replies", "void", "tally"),
    [
        pytest.param([posted(3, to=1)], (1, 1, 3), Tally(total=1, live=1), id="one"),
        pytest.param(
            [posted(3, to=1), posted(4, to=3), posted(5, to=1, held=True), removed(6, 3)],
            (1, 0, 4),
            Tally(total=1, pending=1, hidden=1, live=1, waiting=1),
            id="a tombstone with a reply, and a held one",
        ),
        pytest.param([posted(2, to=9), posted(3, to=1)], (2, 2, 3), Tally(total=2, live=1), id="beside others"),
    ],
)
def test_replies_to_what_turns_out_to_be_a_correction(replies: list[Event], void: tuple[int, int, int], tally: Tally):
    """They move under the place with the nil id, with all that is below them, as if the correction had come first."""
    late, first = outlined(*replies, suggested(1)), outlined(suggested(1), *replies)
    nil = late.nodes[NIL]
    assert nil is not None
    assert (nil.kids, nil.replies, nil.active) == (*void[:2], id_of(void[2]))
    assert (at(late, 1).parent, at(late, 1).kids, at(late, 1).replies, at(late, 1).active) == (CORRECTIONS, 0, 0, "")
    assert late.tally == first.tally == tally
    assert {id: bare(node) for id, node in late.nodes.items() if node} == {
        id: bare(node) for id, node in first.nodes.items() if node
    }


def test_where_to_look_for_the_latest_word_below_a_correction():
    """Where the latest word below it has gone, the outline says to look below the place with the nil id."""
    assert outlined(posted(3, to=1), deleted(4, 3), suggested(1)).quiet == {NIL}
    assert outlined(posted(3, to=1), suggested(1), deleted(4, 3)).quiet == {NIL}


def test_a_hint_that_leads_to_a_correction():
    """A way up that was shortened before its end turned out to be a correction leads to the place with the nil id."""
    outline = outlined(*(posted(number, to=number - 1) for number in range(9, 1, -1)))
    assert outline.root(at(outline, 9)).id == id_of(1)
    state = outline.facts
    assert isinstance(state, Followed)
    state.apply(suggested(1))
    assert {outline.root(at(outline, number)).id for number in range(2, 10)} == {NIL}


def test_an_anonymous_correction_is_none():
    """It has no place, and what answers it hangs under a placeholder."""
    outline = outlined(suggested(1, by=None), posted(2, to=1))
    assert (at(outline, 1).parent, at(outline, 1).is_place, at(outline, 1).is_comment) == (TOP, True, False)


def test_liveness_travels_as_far_as_it_changes_something():
    """A reply to what is live touches its parent and the top level; the last live one that goes buries all above it."""
    outline = outlined(posted(1), posted(2, to=1), posted(3, to=2), posted(4, to=3), deleted(5, 2), deleted(6, 3))
    outline.touched.clear()
    state = outline.facts
    assert isinstance(state, Followed)
    state.apply(posted(7, to=4))
    assert set(map(number_of, outline.touched)) == {1, 4, 7}
    assert [at(outline, number).kids for number in (1, 2, 3, 4)] == [1, 1, 1, 1]
    state.apply(deleted(8, 4))
    assert outline.tally.live == 1
    state.apply(deleted(9, 7))
    assert [at(outline, number).kids for number in (1, 2, 3, 4)] == [0, 0, 0, 0]
    assert [at(outline, number).live for number in (1, 2, 3, 4)] == [True, False, False, False]
    state.apply(deleted(10, 1))
    assert outline.tally == Tally(hidden=5)


def test_who_spoke_last_has_to_be_looked_for():
    """When the latest word below a top-level comment is no longer seen, the outline says where; when another goes, not."""
    outline = outlined(posted(1), posted(2, to=1), posted(3, to=2), deleted(4, 2))
    assert (at(outline, 1).active, outline.quiet) == (id_of(3), set())
    state = outline.facts
    assert isinstance(state, Followed)
    state.apply(deleted(5, 3))
    assert outline.quiet == {id_of(1)}


def test_an_orphan_brings_its_activity_home():
    """A placeholder that turns out to be a reply gives up its activity to the top-level comment."""
    outline = outlined(posted(1), posted(5, to=3), posted(3, to=1))
    assert (at(outline, 1).active, at(outline, 3).active, at(outline, 3).parent) == (id_of(5), "", id_of(1))
    assert outline.tally == Tally(total=3, top=1, live=1)


def test_the_way_up_is_shortened():
    """Looking for the top-level ancestor once makes the next look shorter, and never wrong."""
    outline = outlined(*(posted(number, to=number - 1) for number in range(30, 1, -1)), posted(1))
    assert {number_of(outline.root(at(outline, number)).id) for number in range(1, 31)} == {1}
    steps, node = 0, at(outline, 30)
    while node.parent:
        steps, node = steps + 1, outline.nodes[node.root or node.parent]
    assert steps <= 15


def test_votes():
    """They count by kind what each actor's reactions amount to, and those against anything are counted together."""
    outline = outlined(
        posted(1), reacted(2, 1, "up"), reacted(3, 1, "up", by=CYD), reacted(4, 1, "down"), reacted(5, 1, "wow"),
        reacted(6, 1, "boo"), reacted(7, 9, "down"), unreacted(8, 1, "up", by=ANN), unreacted(9, 1, "wow"),
    )  # fmt: skip
    assert at(outline, 1).votes == {"up": 1, "down": 1}
    assert at(outline, 9).votes == {"down": 1}
    assert outline.tally.downs == 2
    state = outline.facts
    assert isinstance(state, Followed)
    state.apply(unreacted(10, 1, "down"))
    assert (at(outline, 1).votes, outline.tally.downs) == ({"up": 1}, 1)


def test_votes_are_not_changed_in_place():
    """What somebody has read of a node stays what it was."""
    outline = outlined(posted(1), reacted(2, 1, "up"))
    votes = at(outline, 1).votes
    outline.count_vote(at(outline, 1), "up", 1)
    assert (votes, at(outline, 1).votes) == ({"up": 1}, {"up": 2})
    assert Node(id_of(9)).votes == {}


def test_locks():
    """The tally knows whether one is up, and whether there ever was one."""
    assert outlined(posted(1)).tally == Tally(total=1, top=1, live=1)
    assert (outlined(locked(2)).tally.locked, outlined(locked(2)).tally.late) == (True, True)
    lifted = outlined(locked(2), unlocked(3, cancels=[2])).tally
    assert (lifted.locked, lifted.late) == (False, True)


def test_corrections():
    """They stand beside the tree, wait when they are reported, and count nowhere."""
    outline = outlined(suggested(1), reported(2, 1), suggested(3, by=BOB), removed(4, 3))
    assert (at(outline, 1).parent, at(outline, 1).since, at(outline, 1).author) == (CORRECTIONS, id_of(2), actor_key(ANN))
    assert flags_in(at(outline, 3).flags) == ("removed",)
    assert outline.tally == Tally(waiting=1)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param([posted(1, "a"), posted(1, "b", by=BOB, held=True)], id="two posts"),
        pytest.param([suggested(1), suggested(1, by=BOB)], id="two suggestions"),
        pytest.param([suggested(1), posted(1)], id="a comment in the place of a correction"),
        pytest.param([posted(1), person_erased(2, ANN)], id="an erased person"),
        pytest.param([person_erased(2, ANN, by=BOB)], id="an erasure without effect"),
    ],
)
def test_what_it_cannot_follow(facts: list[Event]):
    """It says so, in one order or the other, and whoever keeps the records makes them anew."""
    assert not (follows(*facts) and follows(*reversed(facts)))


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param([posted(1), suggested(1)], id="a correction under a comment's id"),
        pytest.param([posted(2, to=1), posted(3, to=2), suggested(1)], id="a correction where replies are"),
        pytest.param([suggested(1), suggested(2, by=None)], id="an anonymous suggestion"),
        pytest.param([posted(1), edited(2, 9), pinned(3, 9)], id="what is said of nothing"),
        pytest.param([posted(2), reacted(3, 1, "up"), suggested(1)], id="a correction that was reacted to"),
    ],
)
def test_what_it_can_follow(facts: list[Event]):
    """Everything else, whatever it is about."""
    assert follows(*facts)


def test_a_mark_that_came_with_another_fact_under_the_id():
    """A post that does not stand leaves its marks all the same; they are judged, and are not the comment's own."""
    state = Followed.of([posted(1, by=CYD), posted(1, by=ANN, held=True)], key=THREAD)
    assert all(state.answers)
    assert state.cells(id_of(1)).keys() == {"posted", "held"}
    assert (at(state.outline, 1).flags, state.outline.tally) == (FLAGS["complex"], Tally(total=1, top=1, live=1))


def test_whose_words_are_forgotten():
    """It is looked up once, and again after the next erasure; without any nobody has to look."""
    outline = outlined(posted(1))
    assert outline.cutoffs == {}
    state = outline.facts
    assert isinstance(state, Followed)
    state.apply(person_erased(2, ANN))
    assert (outline.cutoffs, outline.tally.cutoffs) == ({"ann": id_of(2)}, True)
    state.apply(person_erased(3, BOB))
    assert outline.cutoffs == {"ann": id_of(2), "bob": id_of(3)}
    state.apply(posted(0))
    assert flags_in(at(outline, 0).flags) == ("erased",)
    state.apply(posted(4, by=CYD))
    assert flags_in(at(outline, 4).flags) == ()


# --- the past -----------------------------------------------------------------------------------------------------------------


def past(today: Outline, *facts: Event) -> Outline:
    """Return the outline of *facts* with what holds today."""
    state = State.of(facts, key=THREAD)
    today_of = today.nodes.__getitem__
    outline = Outline(state, RULES, tally=Tally(), place=lambda fact: fact.id, today=today_of, **all_of(Records()))
    for fact in facts:
        outline.take(fact, None)
    outline.settle()
    return outline


def test_a_past_has_todays_concealment():
    """Texts and what conceals them are today's, the tree and the pins of the time."""
    today = outlined(posted(1), posted(2, to=1), edited(3, 1), removed(4, 2), pinned(5, 1), suggested(6), reported(7, 6))
    then = past(today, posted(1), posted(2, to=1), suggested(6))
    assert (at(then, 1).text, flags_in(at(then, 1).flags), at(then, 1).flags & FLAGS["pinned"]) == (id_of(3), (), 0)
    assert flags_in(at(then, 2).flags) == ("removed",)
    assert then.tally == Tally(total=1, top=1, hidden=1, live=1, waiting=1)
    pinned_then = past(outlined(posted(1)), posted(1), pinned(5, 1))
    assert at(pinned_then, 1).flags & FLAGS["pinned"]


# --- over records that are read one by one ------------------------------------------------------------------------------------


class Partial:
    """Records and facts of which only some have been read; asking for another says which."""

    def __init__(self, state: State, kept: dict[str, Node]) -> None:
        self._state = state
        self._kept = kept
        self.read: set[tuple[str, Any]] = set()

    def nodes(self) -> dict[str, Node | None]:
        """Return copies of the nodes that have been read."""
        partial = self

        class Nodes(dict[str, "Node | None"]):
            def __missing__(self, key: str) -> None:
                raise Missing("node", key)

        found = Nodes()
        for what, key in partial.read:
            if what == "node":
                node = self._kept.get(key)
                found[key] = None if node is None else Node(*(getattr(node, name) for name in Node.__struct_fields__))
        return found

    def children(self, parent: str) -> list[str]:
        return self._checked("children", parent, lambda: [id for id, node in self._kept.items() if node.parent == parent])

    def cells(self, target: str) -> Cells:
        return self._checked("cells", target, lambda: self._state.cells(target))

    def reaction(self, comment: str, actor: str, kind: str) -> Reaction | None:
        return self._checked("reaction", (comment, actor, kind), lambda: self._state.reaction(comment, actor, kind))

    def _checked(self, what: str, key: Any, answer: Callable[[], Any]) -> Any:
        if (what, key) not in self.read:
            raise Missing(what, key)
        return answer()


STORY = (
    posted(1), posted(2, to=1, by=BOB), posted(3, to=2), posted(9, to=7), posted(4, to=3, held=True), reacted(5, 2, "up"),
    reacted(6, 2, "down", by=CYD), approved(8, 4, cancels=[4]), posted(7, to=4), deleted(10, 9), removed(11, 7), edited(12, 1),
    suggested(13), reported(14, 13), posted(15, to=13), pinned(16, 1), locked(17), described(18),
    posted(21, to=20), posted(22, to=21), posted(23, to=20, held=True), suggested(20), deleted(24, 22),
)  # fmt: skip


def test_little_has_to_be_read():
    """Whatever comes, reading what is missing and beginning again gives what an outline of everything has kept up."""
    whole = Followed()
    kept: dict[str, Node] = {}
    tally = Tally()
    for fact in STORY:
        whole.apply(fact)
        partial = Partial(whole, kept)
        while True:
            fresh = Tally(*(getattr(tally, name) for name in Tally.__struct_fields__))
            outline = Outline(
                partial, RULES, tally=fresh, nodes=partial.nodes(), place=lambda fact: fact.id, children=partial.children
            )
            try:
                follows_it = outline.take(fact, None)
                outline.settle()
            except Missing as missing:
                partial.read.add((missing.what, missing.key))
            else:
                break
        assert follows_it
        kept |= outline.touched
        tally = outline.tally
        assert len(partial.read) <= 10
    assert tally == whole.outline.tally
    assert {id: bare(node) for id, node in kept.items()} == {
        id: bare(node) for id, node in whole.outline.nodes.items() if node is not None
    }


def bare(node: Node) -> tuple[object, ...]:
    """Return all of a node but the hint that leads up."""
    return tuple(getattr(node, name) for name in Node.__struct_fields__ if name != "root")
