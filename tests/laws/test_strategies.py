"""Histories are what they promise: repeatable, well formed, and full of what the laws are about."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadstore.model.codec import decode, encode
from threadstore.model.erasure import redact, same_fact
from threadstore.model.events import REGISTERS, CommentPosted, Event, UnknownEvent
from threadstore.model.ids import time_of
from threadstore.model.policy import Policy
from threadstore.model.values import Actor
from threadstore.testing.given import EPOCH, THREAD
from threadstore.testing.histories import (
    ACTORS,
    BOUNDS,
    COMMENTS,
    FAMILIES,
    KINDS,
    WIDTH,
    World,
    history,
    kinds_of,
    random_history,
)
from threadstore.testing.spec import Spec
from threadstore.testing.strategies import READERS, Shuffle, histories, policies, readers, shuffles

CODES = st.lists(st.integers(0, 400), max_size=60)


def texts(event: Event) -> list[str]:
    """Return the tokens in the texts of *event*."""
    full, skeleton = encode(event), encode(redact(event))
    return [token.decode() for token in re.findall(rb"[mnqrstw]\d{4}", full) if token not in skeleton]


@given(CODES, st.booleans())
def test_codes_tell_one_history(codes: list[int], twins: bool):
    """The same codes tell the same events, one for every op-code that was begun; all of one thread, all fit for the wire."""
    events = history(codes, twins=twins)
    assert events == history(codes, twins=twins)
    assert len(events) == -(-len(codes) // WIDTH)
    assert {event.thread for event in events} <= {THREAD}
    assert [decode(encode(event)) for event in events] == events


@given(CODES)
def test_an_id_is_one_fact(codes: list[int]):
    """Unless twins are asked for, two events under one id are one fact and perhaps its redacted copy."""
    first: dict[str, Event] = {}
    for event in history(codes):
        assert same_fact(first.setdefault(event.id, event), event)


@given(CODES)
def test_every_text_is_unique(codes: list[int]):
    """No two facts share a token, so a text that leaks can be traced."""
    facts = {event.id: event for event in reversed(history(codes)) if event != redact(event)}
    assert [token for token, count in Counter(t for event in facts.values() for t in texts(event)).items() if count > 1] == []


@given(CODES, st.integers(1, 6))
def test_the_world_is_small(codes: list[int], comments: int):
    """There are no more comments than asked for, and few milliseconds."""
    events = history(codes, comments=comments)
    assert len({event.id for event in events if isinstance(event, CommentPosted)}) <= comments
    assert {time_of(event.id) for event in events} <= {EPOCH, EPOCH + 1, EPOCH + 2}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_happens(kind: str):
    """Each kind can be the only one; what there is nothing for yet becomes something else."""
    world = World(kinds=[kind])
    event = world.step(0, 1, 0, 9, 0)
    assert world.events == [event]
    assert event.kind_tag == kind or (kind in ("again", "redacted", "unknown") and isinstance(event, UnknownEvent))


def test_all_kinds_are_there():
    """Every kind of event belongs to a family, and comments are posted in each."""
    assert {kind.__struct_config__.tag for kind in REGISTERS} - {"unknown"} == set(KINDS) - {"again", "redacted", "unknown"}
    assert set(kinds_of(FAMILIES)) == set(KINDS)
    assert kinds_of(["pin", "text", "hold"]).count("comment.edited") == 1
    assert len(set(KINDS)) == len(KINDS) == BOUNDS[0]


def test_twins_share_an_id():
    """With twins, some ids have two facts, of one kind and of two; comments, too."""
    twins = [(one, two) for seed in range(30) for one, two in clashes(random_history(seed, 24, twins=True))]
    assert {type(one) is type(two) for one, two in twins} == {True, False}
    assert any(isinstance(one, CommentPosted) and isinstance(two, CommentPosted) for one, two in twins)
    assert [clash for seed in range(30) for clash in clashes(random_history(seed, 24))] == []


def clashes(events: list[Event]) -> list[tuple[Event, Event]]:
    """Return the pairs of different facts under one id."""
    return [(one, two) for at, one in enumerate(events) for two in events[:at] if one.id == two.id and not same_fact(one, two)]


def test_nobody_alone():
    """A world in which only anonymous actors act has somebody to erase all the same."""
    events = history([1, 0, 0, 0, 0], kinds=kinds_of(["erasure"])[1:], actors=[None])
    assert [event.person for event in events] == ["a"]


def test_random_histories_repeat():
    """A seed tells one history of the size that was asked for, in the thread that was asked for."""
    assert random_history(3, 24) == random_history(3, 24)
    assert random_history(3, 24) != random_history(4, 24)
    assert len(random_history(3, 500, comments=100)) == 500
    assert {event.thread for event in random_history(3, 24, thread="another")} == {"another"}


def sights(spec: Spec) -> set[str]:
    """Return words for all that can be seen of a thread."""
    page = [*spec.traversal(reader=Actor("m", "Mo", "moderator"), reveal="all"), *spec.traversal(reader="a")]
    seen = {f"hidden by {view.concealed}" for _, view in page} | {"shown"}
    seen |= {f"flag {flag}" for _, view in page for flag in view.flags}
    seen |= {f"depth {min(depth, 3)}" for depth, _ in page}
    seen |= {f"edited by {view.edited_by.role}" for _, view in page if view.edited_by}
    for word in ("stale", "late", "pinned", "mentions", "reactions", "reacted", "meta", "marks"):
        seen |= {word for _, view in page if getattr(view, word)}
    seen |= {f"{correction.state} correction" for correction in spec.corrections()}
    seen |= {f"correction {flag}" for correction in spec.corrections() for flag in correction.flags}
    seen |= {f"waits as {why}" for item in spec.queue() for why in item.waiting}
    seen |= {"outdated report" for item in spec.queue() for report in item.reports if report.outdated}
    counts = spec.counts()
    seen |= {word for word in ("top_level", "replies", "pending", "hidden") if getattr(counts, word)}
    return seen | ({"locked"} if spec.locked() else set()) | ({"title"} if spec.title() else set())


def test_random_histories_show_everything():
    """A few hundred histories show all that there is to see: nothing that the laws speak of is out of their reach."""
    policy = Policy(kinds=frozenset({"support", "up", "down"}), exclusive=(frozenset({"up", "down"}),))
    seen = set[str]().union(*(sights(Spec(random_history(seed, 24), policy=policy)) for seed in range(400)))
    assert seen >= {
        *(f"hidden by {flag}" for flag in ("erased", "deleted", "removed", "held", "spoiler", "missing", "None")),
        *(f"flag {flag}" for flag in ("erased", "deleted", "removed", "held", "spoiler", "missing")),
        *(f"depth {depth}" for depth in range(4)),
        *(f"edited by {role}" for role in ("reader", "author", "moderator", "editor", "system")),
        *(f"correction {flag}" for flag in ("erased", "deleted", "removed")),
        *(f"{state} correction" for state in ("open", "accepted", "declined")),
        *(f"waits as {why}" for why in ("held", "stale", "reported")),
        *("stale", "late", "pinned", "mentions", "reactions", "reacted", "meta", "marks", "outdated report"),
        *("top_level", "replies", "pending", "hidden", "locked", "title"),
    }


@given(histories(min_size=12, max_size=14))
def test_histories_have_a_least_size(events: list[Event]):
    """Short histories find little, so there is a least size."""
    assert 12 <= len(events) <= 14
    assert len({event.id for event in events if isinstance(event, CommentPosted)}) <= max(COMMENTS)


@given(histories(families=["pin"], thread="another"))
def test_histories_of_one_family(events: list[Event]):
    """Families and thread can be chosen."""
    assert {event.kind_tag for event in events} <= set(kinds_of(["pin"]))
    assert {event.thread for event in events} == {"another"}


@given(histories(twins=True), shuffles(), policies(), readers())
def test_the_specification_takes_them_all(events: list[Event], shuffle: Shuffle, policy: Policy, reader: Actor | str | None):
    """Whatever happened, in whatever order it is told, everybody sees one thread."""
    told, retold = Spec(events, policy=policy), Spec(shuffle(events), policy=policy)
    assert told.traversal(reader=reader, reveal="all") == retold.traversal(reader=reader, reveal="all")
    assert told.counts() == retold.counts()


@given(shuffles(), st.lists(st.integers()))
def test_a_shuffle_is_an_order(shuffle: Shuffle, items: list[int]):
    """A shuffle keeps every item, leaves its argument alone, and is the same each time."""
    before = list(items)
    assert shuffle(items) == shuffle(items)
    assert sorted(shuffle(items)) == sorted(items)
    assert items == before


def test_readers_are_everybody():
    """Readers come with a role, as a bare id and as nobody; no two are alike."""
    assert {type(reader) for reader in READERS} == {Actor, str, type(None)}
    assert len(set(READERS)) == len(READERS)
    assert set(ACTORS) <= set(READERS)
