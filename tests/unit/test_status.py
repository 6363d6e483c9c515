"""What holds for a comment, a correction, or the thread, judged from the facts about it."""

from __future__ import annotations

from typing import Any

import pytest

from threadstore.model.erasure import Erasure
from threadstore.model.events import Event, ReactionGiven
from threadstore.model.policy import Policy
from threadstore.model.status import (
    Locks,
    Status,
    cancellable,
    correction_in,
    correction_status,
    current_decision,
    description,
    effective_kinds,
    erasure_of,
    is_author,
    is_forgotten,
    is_pinned,
    is_simple,
    judge,
    marks_up,
    opened,
    person_cutoffs,
    rivals,
)
from threadstore.model.values import Actor
from threadstore.testing.given import (
    ANN,
    AUTHOR,
    BOB,
    CYD,
    EDITOR,
    MODERATOR,
    SYSTEM,
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
    number_of,
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
from threadstore.views.thread import fold

DEFAULT = Policy()
ANN_AS_AUTHOR = Actor("ann", "Ann Lee", "author")
ANN_AS_MODERATOR = Actor("ann", "Ann Lee", "moderator")
SECOND = Actor("sal", "Sal", "moderator")


def status(*facts: Event, policy: Policy = DEFAULT) -> Status:
    """Return what holds for comment 1 after *facts*, in whatever order they came."""
    found = []
    for order in (facts, facts[::-1]):
        thread = fold(order)
        cells = thread.cells(id_of(1))
        posted_as: Any = cells["posted"][id_of(1),]
        found.append(judge(cells, posted_as, person_cutoffs(thread.cells(""), policy.rules), policy.rules))
    assert found[0] == found[1]
    return found[0]


def told(found: Status) -> tuple[str, ...]:
    """Return the flags in short, a stale hold as such."""
    return tuple("stale" if flag == "held" and found.stale else flag for flag in found.flags)


# --- authority ----------------------------------------------------------------------------------------------------------------


def test_who_is_the_author():
    """The author is who has the id of the actor who posted, in whatever role; an anonymous actor is nobody."""
    assert is_author(ANN, posted(1))
    assert is_author(ANN_AS_MODERATOR, posted(1))
    assert not is_author(BOB, posted(1))
    assert not is_author(None, posted(1))
    assert not is_author(ANN, posted(1, by=None))
    assert not is_author(None, posted(1, by=None))


@pytest.mark.parametrize(
    ("event", "erasure"),
    [
        (erased(2, 1), Erasure(comment=id_of(1))),
        (erased(2, 1, by=SYSTEM), Erasure(comment=id_of(1))),
        (erased(2, 1, by=ANN), None),
        (erased(2, 1, by=None), None),
        (person_erased(2, ANN), Erasure(person="ann", before=id_of(2))),
        (person_erased(2, ANN, by=ANN), Erasure(person="ann", before=id_of(2))),
        (person_erased(2, ANN, by=BOB), None),
        (person_erased(2, ANN, by=None), None),
        (deleted(2, 1), None),
    ],
)
def test_which_erasures_have_effect(event: Event, erasure: Erasure | None):
    """A moderator erases comments and persons, a person themself; nobody else erases anything."""
    assert erasure_of(event, DEFAULT.rules) == erasure


def test_a_person_is_erased_up_to_the_last_erasure():
    """Of several effective erasures the largest id counts; words with smaller ids are forgotten, others not."""
    thread = fold([person_erased(3, ANN), person_erased(5, ANN, by=ANN), person_erased(9, ANN, by=BOB), person_erased(4, BOB)])
    cutoffs = person_cutoffs(thread.cells(""), DEFAULT.rules)
    assert cutoffs == {"ann": id_of(5), "bob": id_of(4)}
    assert is_forgotten(posted(4), cutoffs)
    assert not is_forgotten(posted(6), cutoffs)
    assert not is_forgotten(posted(1, by=None), cutoffs)
    assert not is_forgotten(posted(1, by=CYD), cutoffs)


# --- the text -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edits", "text"),
    [
        ([], 1),
        ([edited(2, 1), edited(3, 1)], 3),
        ([edited(2, 1), edited(3, 1, by=BOB)], 2),
        ([edited(2, 1, by=None)], 1),
        ([edited(2, 1), edited(3, 1, by=ANN_AS_AUTHOR)], 3),
        ([edited(2, 1, by=MODERATOR), edited(3, 1, by=SECOND)], 3),
        ([edited(2, 1), edited(3, 1, by=MODERATOR)], 3),
        ([edited(2, 1, by=MODERATOR), edited(3, 1)], 2),
        ([edited(2, 1, by=MODERATOR), edited(3, 1, seen=2)], 3),
        ([edited(2, 1, by=MODERATOR), edited(3, 1, seen=2), edited(4, 1, seen=1)], 2),
        ([edited(2, 1, by=MODERATOR), edited(3, 1, seen=2), edited(4, 1, seen=3)], 4),
        ([edited(2, 1, by=MODERATOR), edited(3, 1, seen=2), edited(4, 1, by=SECOND)], 4),
        ([edited(3, 1, by=MODERATOR), edited(2, 1, seen=3)], 3),
        ([edited(2, 1, by=MODERATOR), edited(3, 1, by=ANN_AS_MODERATOR)], 3),
    ],
)
def test_which_text_stands(edits: list[Event], text: int):
    """The author's last text stands, unless a moderator's edit had not been seen by it."""
    assert number_of(status(posted(1), *edits).text.id) == text


def test_an_anonymous_comment_has_no_author():
    """Nobody but a moderator edits it."""
    assert status(posted(1, by=None), edited(2, 1, by=None), edited(3, 1)).text.id == id_of(1)
    assert status(posted(1, by=None), edited(2, 1, by=MODERATOR)).text.id == id_of(2)


def test_two_edits_under_one_id():
    """Two roles of one author, or two moderators, with one id: every replica takes the same one."""
    assert status(posted(1), edited(2, 1, "a"), edited(2, 1, "b", by=ANN_AS_AUTHOR)).text.body == "a"
    assert status(posted(1), edited(2, 1, "a", by=MODERATOR), edited(2, 1, "b", by=SECOND)).text.body == "b"


# --- what conceals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "flags"),
    [
        pytest.param([posted(1)], (), id="nothing"),
        pytest.param([posted(1), reacted(2, 1)], (), id="a reaction"),
        pytest.param([posted(1), deleted(2, 1)], ("deleted",), id="deleted"),
        pytest.param([posted(1), deleted(2, 1, by=MODERATOR), deleted(3, 1, by=None)], (), id="deleted by others"),
        pytest.param([posted(1), erased(2, 1), erased(3, 1, by=ANN)], ("erased",), id="erased"),
        pytest.param([posted(1), erased(2, 1, by=ANN)], (), id="erased by its author"),
        pytest.param([posted(1), person_erased(2, ANN)], ("erased",), id="person erased"),
        pytest.param([posted(3), posted(1), person_erased(2, BOB)], (), id="another person erased"),
        pytest.param([posted(1), edited(2, 1, by=SECOND), person_erased(3, ANN)], ("erased",), id="not the writer of the text"),
        pytest.param([posted(1), edited(2, 1, by=SECOND), person_erased(3, SECOND)], ("erased",),
        id="writer of the text erased"),
        pytest.param(
            [posted(1), edited(2, 1, by=SECOND), person_erased(3, SECOND), edited(4, 1, by=MODERATOR)],
            (),
            id="another text since",
        ),
        pytest.param([posted(1), removed(2, 1)], ("removed",), id="removed"),
        pytest.param([posted(1), removed(2, 1, by=ANN), held(3, 1, by=EDITOR), held(4, 1, by=None)], (), id="forged"),
        pytest.param([posted(1), removed(2, 1), restored(3, 1, cancels=[2])], (), id="restored"),
        pytest.param([posted(1), removed(2, 1), restored(3, 1, cancels=[2], by=ANN)], ("removed",),
        id="restored by its author"),
        pytest.param([posted(1), removed(2, 1), removed(3, 1), restored(4, 1, cancels=[2])], ("removed",),
        id="one of two"),
        pytest.param([posted(1), removed(3, 1), restored(2, 1, cancels=[3])], ("removed",), id="restored before"),
        pytest.param([posted(1), removed(2, 1), approved(3, 1, cancels=[2])], ("removed",),
        id="approved, not restored"),
        pytest.param([posted(1, held=True)], ("held",), id="held from the start"),
        pytest.param([posted(1, held=True), approved(2, 1, cancels=[1])], (), id="approved"),
        pytest.param([posted(1), held(2, 1), removed(3, 1), deleted(4, 1), erased(5, 1)],
                     ("erased", "deleted", "removed", "held"), id="all"),
        pytest.param([posted(1, spoiler=True)], ("spoiler",), id="spoiler"),
        pytest.param([posted(1, spoiler=True, held=True)], ("held", "spoiler"), id="held spoiler"),
    ],
)  # fmt: skip
def test_what_conceals(facts: list[Event], flags: tuple[str, ...]):
    """The flags that hold, whoever looks, are told in the order in which they conceal."""
    assert told(status(*facts)) == flags


def test_a_simple_comment():
    """A comment of which nothing is known but that it was posted needs no judgement, unless its author was erased."""
    cells = fold([posted(1), reacted(2, 1)]).cells(id_of(1))
    assert is_simple(cells, posted(1), {})
    assert is_simple(cells, posted(1), {"ann": id_of(1), "bob": id_of(9)})
    assert not is_simple(cells, posted(1), {"ann": id_of(2)})
    assert not is_simple(fold([posted(1), edited(2, 1)]).cells(id_of(1)), posted(1), {})


@pytest.mark.parametrize(
    ("facts", "since"),
    [
        ([], None),
        ([marked(2, 1), pinned(3, 1), edited(4, 1)], None),
        ([held(3, 1), reported(2, 1)], 2),
        ([held(2, 1), reported(3, 1)], 2),
        ([held(2, 1), approved(3, 1, cancels=[2])], None),
        ([held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1), reported(5, 1)], 4),
        ([reported(2, 1), resolved(3, 1, cancels=[2])], None),
        ([held(2, 1), reported(3, 1), removed(4, 1)], None),
        ([held(2, 1), deleted(3, 1)], None),
        ([reported(2, 1), erased(3, 1)], None),
    ],
)
def test_since_when_it_waits(facts: list[Event], since: int | None):
    """A comment waits for a moderator since the oldest hold, report or unseen text; what is gone waits for nobody."""
    assert status(posted(1), *facts).since == ("" if since is None else id_of(since))


@pytest.mark.parametrize(
    ("facts", "flags"),
    [
        pytest.param([held(2, 1), edited(3, 1), approved(4, 1, cancels=[2], seen=3)], (), id="seen"),
        pytest.param([held(2, 1), edited(3, 1), approved(4, 1, cancels=[2], seen=1)], ("stale",), id="unseen"),
        pytest.param([held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1)], ("stale",), id="edited since"),
        pytest.param(
            [held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1), approved(5, 1, cancels=[2], seen=4)], (), id="seen again"
        ),
        pytest.param(
            [held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1), approved(5, 1, cancels=[], seen=4)], ("stale",), id="unnamed"
        ),
        pytest.param(
            [held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1), approved(5, 1, cancels=[2], seen=4, by=ANN)],
            ("stale",),
            id="opened by its author",
        ),
        pytest.param([removed(2, 1), restored(3, 1, cancels=[2]), edited(4, 1)], ("stale",), id="removed before"),
        pytest.param(
            [removed(2, 1), restored(3, 1, cancels=[2]), edited(4, 1), approved(5, 1, cancels=[2], seen=4)],
            (),
            id="then approved",
        ),
        pytest.param([held(2, 1), removed(3, 1), approved(4, 1, cancels=[2]), edited(5, 1)], ("removed", "stale"), id="both"),
        pytest.param(
            [held(2, 1), held(3, 1), approved(4, 1, cancels=[2]), approved(5, 1, cancels=[3], seen=1)], (), id="piece by piece"
        ),
        pytest.param([held(2, 1), approved(3, 1, cancels=[2]), held(4, 1)], ("held",), id="held again"),
        pytest.param([held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1, by=MODERATOR)], (), id="moderator's text"),
        pytest.param([held(2, 1), edited(3, 1, by=MODERATOR)], ("held",), id="moderator's text, not approved"),
        pytest.param(
            [held(2, 1), approved(3, 1, cancels=[2], seen=1), edited(4, 1, by=MODERATOR), edited(5, 1, seen=4)],
            ("stale",),
            id="author's text after the moderator's",
        ),
    ],
)
def test_what_was_let_through(facts: list[Event], flags: tuple[str, ...]):
    """Only the text that was seen is let through, for each mark that was lifted; a moderator's text needs no approval."""
    assert told(status(posted(1), *facts)) == flags


def test_a_post_by_a_moderator_passes_the_same_gate():
    """Only moderators' edits need no approval: what a moderator posted waits if it was held with another text in view."""
    assert told(status(posted(1, by=MODERATOR), held(2, 1), edited(3, 1, by=MODERATOR))) == ("held",)
    assert told(status(posted(1, by=MODERATOR), held(2, 1), approved(4, 1, cancels=[2], seen=3))) == ("stale",)


def test_marks_that_a_comment_carries_are_its_own():
    """The flags of a post that does not stand under its id do not count."""
    twin = posted(1, "a longer text", by=BOB)
    assert status(posted(1, spoiler=True, held=True), twin).flags == ()
    assert status(posted(1, by=None, spoiler=True, held=True)).flags == ("held", "spoiler")


@pytest.mark.parametrize(
    ("facts", "up"),
    [
        ([marked(2, 1), marked(3, 1, by=MODERATOR), marked(4, 1, by=BOB), marked(5, 1, by=None)], [2, 3]),
        ([marked(2, 1), cleared(3, 1, cancels=[2])], []),
        ([marked(2, 1, by=MODERATOR), cleared(3, 1, cancels=[2])], [2]),
        ([marked(2, 1, by=ANN_AS_MODERATOR), cleared(3, 1, cancels=[2])], []),
        ([marked(2, 1), marked(3, 1, by=MODERATOR), cleared(4, 1, cancels=[2, 3], by=MODERATOR)], []),
        ([marked(2, 1), cleared(3, 1, cancels=[2], by=BOB)], [2]),
        ([marked(3, 1), cleared(2, 1, cancels=[3])], [3]),
    ],
)
def test_spoilers(facts: list[Event], up: list[int]):
    """The author and moderators mark; a moderator clears every mark, the author their own ones."""
    thread = fold([posted(1), *facts])
    marks = marks_up(thread.cells(id_of(1)), "spoiler", posted(1), DEFAULT.rules)
    assert sorted(number_of(mark.id) for mark in marks) == up
    assert told(status(posted(1), *facts)) == (("spoiler",) if up else ())


def test_an_author_clears_the_flag_of_their_post():
    """The mark that a post carries is its author's."""
    assert told(status(posted(1, spoiler=True), cleared(2, 1, cancels=[1]))) == ()
    assert told(status(posted(1, by=None, spoiler=True), cleared(2, 1, cancels=[1], by=None))) == ("spoiler",)


def test_open_reports():
    """Anybody's reports count, oldest first, until a moderator answers them."""
    facts = [
        reported(4, 1, by=None),
        reported(2, 1),
        reported(3, 1, by=CYD),
        resolved(5, 1, cancels=[2]),
        resolved(6, 1, cancels=[3], by=BOB),
    ]
    assert [number_of(report.id) for report in status(posted(1), *facts).reported] == [3, 4]


def test_pins():
    """A moderator pins and unpins."""

    def holds(*facts: Event) -> bool:
        return is_pinned(fold([posted(1), *facts]).cells(id_of(1)), posted(1), DEFAULT.rules)

    assert not holds()
    assert holds(pinned(2, 1))
    assert not holds(pinned(2, 1, by=ANN))
    assert not holds(pinned(2, 1), unpinned(3, 1, cancels=[2]))
    assert holds(pinned(2, 1), unpinned(3, 1, cancels=[2], by=ANN))


def test_roles_are_the_policys():
    """Whose marks have effect is for the application to say."""
    facts = [posted(1), removed(2, 1, by=EDITOR), held(3, 1, by=MODERATOR)]
    assert status(*facts, policy=Policy(moderators={"editor"})).flags == ("removed",)
    assert status(*facts, policy=Policy(moderators=())).flags == ()


# --- reactions ----------------------------------------------------------------------------------------------------------------

GROUPS = Policy(kinds=frozenset({"up", "down", "wow"}), exclusive=(frozenset({"up", "down", "sideways"}), frozenset({"sad"})))


@pytest.mark.parametrize(("kind", "kinds"), [("up", {"up", "down"}), ("wow", {"wow"}), ("sad", set()), ("support", set())])
def test_rivals(kind: str, kinds: set[str]):
    """The rivals of a kind are those of its group that are on offer."""
    assert rivals(kind, GROUPS.rules) == kinds


def counting(facts: list[Event], actor: str, policy: Policy) -> set[str]:
    """Return the kinds of which an actor's reaction to comment 1 counts."""
    thread = fold(facts)
    found = {kind: thread.reaction(id_of(1), actor, kind) for kind in ("support", "up", "down", "wow", "sideways")}
    given = {kind: (last.id, isinstance(last, ReactionGiven)) for kind, last in found.items() if last is not None}
    return set(effective_kinds(given, policy.rules))


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        ([reacted(2, 1), reacted(3, 1), reacted(4, 1, by=CYD)], {"support"}),
        ([reacted(2, 1), unreacted(3, 1)], set()),
        ([unreacted(3, 1), reacted(2, 1)], set()),
        ([unreacted(2, 1), reacted(3, 1)], {"support"}),
        ([reacted(2, 1, by=None)], set()),
        ([reacted(2, 1, "up")], set()),
        ([posted(1)], set()),
    ],
)
def test_reactions(facts: list[Event], kinds: set[str]):
    """An actor's last word on a kind counts; anonymous reactions do not, nor kinds that are not offered."""
    for order in (facts, facts[::-1]):
        assert counting(order, "bob", DEFAULT) == kinds


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        ([reacted(2, 1, "up"), reacted(3, 1, "down")], {"down"}),
        ([reacted(2, 1, "up"), reacted(3, 1, "down"), unreacted(4, 1, "down")], set()),
        ([reacted(2, 1, "up"), reacted(3, 1, "wow")], {"up", "wow"}),
        ([reacted(2, 1, "up"), reacted(3, 1, "sideways")], {"up"}),
        ([reacted(2, 1, "up"), reacted(3, 1, "down", by=CYD)], {"up"}),
        ([reacted(2, 1, "down"), reacted(2, 1, "up")], {"up"}),
    ],
)
def test_exclusive_groups(facts: list[Event], kinds: set[str]):
    """Of a group only the actor's last word counts, given or withdrawn, and of two under one id only one."""
    for order in (facts, facts[::-1]):
        assert counting(order, "bob", GROUPS) == kinds


# --- the thread ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "up", "covered"),
    [
        ([], [], []),
        ([locked(2)], [2], [3, 5, 7, 9]),
        ([locked(2), unlocked(4, cancels=[2])], [], [3]),
        ([locked(2), locked(6), unlocked(4, cancels=[2]), unlocked(8, cancels=[6])], [], [3, 7]),
        ([locked(2), locked(3, by=SECOND), unlocked(6, cancels=[2])], [3], [3, 5, 7, 9]),
        ([locked(2), unlocked(6, cancels=[2]), unlocked(4, cancels=[2], by=SECOND)], [], [3]),
        ([locked(4), unlocked(2, cancels=[4])], [4], [5, 7, 9]),
        ([locked(2, by=AUTHOR), locked(4, by=None)], [], []),
        ([locked(2), unlocked(4, cancels=[2], by=ANN), unlocked(6, cancels=[8])], [2], [3, 5, 7, 9]),
    ],
)
def test_locks(facts: list[Event], up: list[int], covered: list[int]):
    """A lock covers what came after it and before the first unlocking that had seen it."""
    locks = Locks(fold(facts).cells(""), DEFAULT.rules)
    assert [number_of(lock) for lock in locks.up] == up
    assert [number for number in (1, 3, 5, 7, 9) if locks.cover(id_of(number))] == covered


def test_descriptions():
    """The last description by whoever may describe stands; of two under one id every replica takes the same."""
    facts = [described(2), described(4, by=EDITOR), described(6, by=BOB)]
    assert description(fold([*facts, described(3, by=MODERATOR)]).cells(""), DEFAULT.rules) == facts[1]
    assert description(fold([described(6, by=BOB)]).cells(""), DEFAULT.rules) is None
    twins = [described(2, "a"), described(2, "b", by=EDITOR)]
    assert len({description(fold(order).cells(""), DEFAULT.rules).title for order in (twins, twins[::-1])}) == 1


# --- corrections --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "flags"),
    [
        ([], ()),
        ([removed(2, 1)], ("removed",)),
        ([removed(2, 1), restored(3, 1, cancels=[2])], ()),
        ([deleted(2, 1), deleted(3, 1, by=BOB)], ("deleted",)),
        ([deleted(3, 1, by=BOB)], ()),
        ([erased(2, 1), removed(3, 1), held(4, 1), marked(5, 1)], ("erased", "removed")),
        ([person_erased(2, ANN)], ("erased",)),
        ([edited(2, 1)], ()),
    ],
)
def test_corrections(facts: list[Event], flags: tuple[str, ...]):
    """A correction is deleted by who suggested it, removed and erased by moderators; it cannot be held, hidden or edited."""
    thread = fold([suggested(1), reported(9, 1), *facts])
    cutoffs = person_cutoffs(thread.cells(""), DEFAULT.rules)
    found = correction_status(thread.cells(id_of(1)), suggested(1), cutoffs, DEFAULT.rules)
    assert (found.text, found.flags, found.stale) == (suggested(1), flags, False)
    assert [number_of(report.id) for report in found.reported] == [9]
    assert found.since == ("" if flags else id_of(9))


def test_which_corrections_there_are():
    """An anonymous suggestion is none, nor is what bears a comment's id, nor what nobody suggested."""
    assert correction_in(fold([suggested(1)]).cells(id_of(1)), id_of(1)) == suggested(1)
    for facts in ([suggested(1, by=None)], [suggested(1), posted(1)], [decided(2, 1)], [posted(1)]):
        assert correction_in(fold(facts).cells(id_of(1)), id_of(1)) is None


def test_decisions():
    """The last decision by whoever may decide stands."""
    facts = [decided(2, 1), decided(4, 1, "declined", by=MODERATOR), decided(6, 1, by=AUTHOR)]
    assert current_decision(fold(facts).cells(id_of(1)), DEFAULT.rules) == facts[1]
    assert current_decision(fold([decided(6, 1, by=ANN)]).cells(id_of(1)), DEFAULT.rules) is None


# --- what cancels should name -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "facts", "named"),
    [
        ("spoiler", [marked(2, 1), marked(3, 1, by=BOB)], [1, 2]),
        ("pinned", [pinned(2, 1), pinned(3, 1), unpinned(4, 1, cancels=[2])], [3]),
        ("held", [held(2, 1), held(3, 1, by=BOB)], [2]),
        ("held", [held(2, 1), approved(3, 1, cancels=[2])], []),
        ("held", [held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1)], [2]),
        ("held", [held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1, by=MODERATOR)], []),
        ("held", [removed(2, 1), restored(3, 1, cancels=[2]), edited(4, 1), held(5, 1)], [2, 5]),
        ("removed", [held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1), removed(5, 1)], [2, 5]),
        ("removed", [removed(2, 1), removed(3, 1), restored(4, 1, cancels=[2])], [3]),
    ],
)
def test_what_a_cancel_should_name(flag: str, facts: list[Event], named: list[int]):
    """The marks that are up, and of holds and removals also those that must be opened for the present text."""
    first = posted(1, spoiler=True)
    cells = fold([first, *facts]).cells(id_of(1))
    assert [number_of(id) for id in cancellable(cells, flag, first, DEFAULT.rules)] == named


def test_what_a_restore_of_a_correction_should_name():
    """A correction has one text only, so what is up is enough."""
    cells = fold([suggested(1), removed(2, 1), restored(3, 1, cancels=[2], seen=9), removed(4, 1)]).cells(id_of(1))
    assert cancellable(cells, "removed", suggested(1), DEFAULT.rules) == (id_of(4),)


def test_what_was_opened():
    """A mark is open for a text if a moderator's approval or restore that had seen it names the mark, the last one counts."""
    cells = fold(
        [
            approved(3, 1, cancels=[2, 4], seen=7),
            restored(5, 1, cancels=[4], seen=7),
            restored(4, 1, cancels=[2, 4], seen=7),
            approved(6, 1, cancels=[8], seen=9),
            approved(6, 1, cancels=[8], seen=7, by=ANN),
        ]
    ).cells(id_of(1))
    assert opened(cells, id_of(7), DEFAULT.rules) == {id_of(2): id_of(4), id_of(4): id_of(5)}
    assert opened(cells, id_of(9), DEFAULT.rules) == {id_of(8): id_of(6)}
    assert opened({}, id_of(7), DEFAULT.rules) == {}
