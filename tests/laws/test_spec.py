"""The specification says what the design says: its examples are told here before anything else is measured by it."""

from __future__ import annotations

import random
import re
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadstore.errors import CommentNotFound
from threadstore.model.erasure import redact
from threadstore.model.events import CommentPosted
from threadstore.model.ids import NIL, time_of
from threadstore.model.ranking import ORDERS, Order
from threadstore.model.values import Actor
from threadstore.testing.examples import EXAMPLES
from threadstore.testing.given import (
    BOB,
    MODERATOR,
    THREAD,
    id_of,
    locked,
    moment,
    number_of,
    pinned,
    posted,
    reacted,
    removed,
)
from threadstore.testing.histories import random_history
from threadstore.testing.reading import Example, Look
from threadstore.testing.spec import Spec, find_mentions
from threadstore.testing.strategies import POLICIES, READERS, Shuffle
from threadstore.views.thread import fold
from threadstore.views.types import Counts

SEEDS = range(60)


def everything(spec: Spec) -> list[object]:
    """Return all that readers of several kinds can see."""
    return [
        spec.counts(),
        spec.title(),
        spec.url(),
        spec.locked(),
        spec.queue(),
        *(spec.traversal(reader=reader, reveal=reveal) for reader in READERS for reveal in ((), "all")),
        *(spec.corrections(reader=reader) for reader in READERS),
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example(example: Example):
    """What the example's sentence says holds for the specification."""
    example.check(Spec(example.events, policy=example.policy))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_in_any_order(example: Example):
    """An example holds as well when its facts come in another order, and some of them twice."""
    for seed in range(4):
        events = Shuffle(seed)([*example.events, *example.events[seed::3]])
        example.check(Spec(events, policy=example.policy))


def test_examples_have_names_of_their_own():
    """A failing example can be told by its name, and each says a sentence."""
    assert [name for name, count in Counter(example.name for example in EXAMPLES).items() if count > 1] == []
    assert [example.name for example in EXAMPLES if not example.sentence.endswith(".")] == []


def test_an_example_can_fail():
    """An example that sees something else says what it saw."""
    wrong = Example("wrong", "Everybody is Bob.", (posted(1),), lambda look: look.see(1).author, BOB)
    with pytest.raises(AssertionError, match=r"Everybody is Bob\.\nexpected Actor\(id='bob'.*\n +saw Actor\(id='ann'"):
        wrong.check(Spec(wrong.events))


def test_counts_that_do_not_add_up_fail():
    """A look at counts whose total is not the sum of its parts is a failure."""

    class Miscounting(Spec):
        def counts(self) -> Counts:
            return Counts(top_level=1, replies=1, total=3)

    with pytest.raises(AssertionError, match="does not add up"):
        Look(Miscounting([])).counts()


def test_one_thread_at_a_time():
    """Facts of two threads have no meaning together."""
    other = msgspec.structs.replace(posted(2), thread="another")
    with pytest.raises(ValueError, match=f"{THREAD}, another"):
        Spec([posted(1), other])


def test_hot_needs_a_time():
    """The order hot is refused unless it is said what time it is."""
    spec = Spec([posted(1)])
    with pytest.raises(ValueError, match="what time it is"):
        spec.traversal("hot")
    assert len(spec.traversal("hot", now=moment(2))) == 1


def test_an_unknown_order_is_refused():
    """There are only the orders that there are."""
    with pytest.raises(ValueError, match="sideways"):
        Spec([posted(1)]).traversal("sideways")


def test_late_and_mentions_by_themselves():
    """Whether a comment is late, and whom it addresses, can be asked without the rest of the view."""
    spec = Spec([posted(1, by=BOB), locked(2), posted(3, "@Bob", spoiler=True)])
    assert (spec.late(id_of(1)), spec.late(id_of(3))) == (False, True)
    assert spec.mentions(id_of(3)) == ()
    assert [mention.actor for mention in spec.mentions(id_of(3), reveal="all")] == ["bob"]
    for ask in (spec.late, spec.mentions, spec.comment):
        with pytest.raises(CommentNotFound):
            ask(id_of(9))


@pytest.mark.parametrize(
    ("body", "names", "found"),
    [
        ("", {"": "u"}, []),
        ("@", {"A": "u"}, []),
        ("@A", {}, []),
        ("@A", {"A": "u"}, [(0, 2)]),
        ("@AB", {"A": "u"}, []),
        ("@A@A", {"A": "u"}, [(0, 2)]),
        ("@A @A", {"A": "u"}, [(0, 2), (3, 5)]),
        ("@A.B", {"A": "u", "A.B": "v"}, [(0, 4)]),
        ("@A.B", {"A": "u", "A.": "v"}, [(0, 2)]),
        ("@@A", {"A": "u", "@A": "v"}, [(0, 3)]),
        ("x@A", {"A": "u"}, []),
        ("_@A_", {"A": "u"}, [(1, 3)]),
        ("@A\u0301", {"A": "u"}, []),
        ("@" * 1_000 + "@A", {"A": "u"}, []),
        ("@" * 999 + "@A", {"A": "u"}, [(999, 1_001)]),
        ("x@A" * 1_000 + " @A", {"A": "u"}, [(3_001, 3_003)]),
    ],
)
def test_find_mentions(body: str, names: dict[str, str], found: list[tuple[int, int]]):
    """A mention is a whole name behind an @ that begins a word."""
    assert [(mention.start, mention.end) for mention in find_mentions(body, names)] == found


@given(body=st.lists(st.sampled_from(["@", "A", "B", " ", "x", "\u0301", "@A ", "@ " * 500]), max_size=12).map("".join))
def test_the_fold_finds_the_same_mentions(body: str):
    """Whatever a text is made of, the page shows the mentions that the specification finds in it."""
    facts = [posted(1, by=Actor("u", "A")), posted(2, by=Actor("v", "A B")), posted(3, by=Actor("w", " ")), posted(4, body)]
    assert fold(facts).comment(id_of(4)).mentions == Spec(facts).mentions(id_of(4))


def test_a_long_chain():
    """A chain of hundreds of replies neither recurses nor takes for ever."""
    length = 400
    spec = Spec([posted(1), *(posted(n, to=n - 1) for n in range(2, length + 1))])
    assert [(depth, number_of(view.id)) for depth, view in spec.traversal()] == [(n, n + 1) for n in range(length)]
    assert spec.counts() == Counts(top_level=1, replies=length - 1, total=length)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_set_alone_counts(seed: int):
    """Neither order nor repetition nor a redacted copy of a fact changes what is seen."""
    events = random_history(seed, 24, twins=seed % 2 == 1)
    policy = POLICIES[seed % len(POLICIES)]
    copies = [redact(event) for event in events[::3]] + events[::2]
    assert everything(Spec(Shuffle(seed)([*events, *copies]), policy=policy)) == everything(Spec(events, policy=policy))


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_are_a_recount(seed: int):
    """The counts equal a recount of the traversal, and every comment is counted in one place."""
    events = random_history(seed, 24)
    for spec in (Spec(events), Spec(events).as_of(time_of(events[0].id))):
        shown = [view for _, view in spec.traversal() if view.concealed in (None, "spoiler")]
        counts = spec.counts()
        assert counts.total == len(shown) == counts.top_level + counts.replies
        assert counts.top_level == sum(view.parent is None for view in shown)
        posts = {event.id for event in events if isinstance(event, CommentPosted)}
        had_happened = {id for id in posts if spec.moment is None or time_of(id) <= spec.moment}
        assert counts.total + counts.pending + counts.hidden == len(had_happened)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_traversal_is_a_preorder(seed: int):
    """In every order each comment is shown once, behind what it hangs under and behind its elder siblings."""
    spec = Spec(random_history(seed, 24))
    everybody = {view.id for _, view in spec.traversal(reader=MODERATOR)}
    for order in ORDERS:
        page = spec.traversal(order, reader=MODERATOR, now=moment(9), pinned=True)
        assert sorted(view.id for _, view in page) == sorted(everybody)
        path: list[str] = []
        youngest: dict[str, str] = {}
        for depth, view in page:
            assert depth == view.depth <= len(path)
            path = [*path[:depth], view.id]
            if depth:
                assert path[-2] == (view.parent if view.parent < view.id else NIL)
                assert youngest.get(path[-2], NIL) < view.id
                youngest[path[-2]] = view.id


@pytest.mark.parametrize("seed", SEEDS)
def test_withheld_means_absent(seed: int):
    """A text that no comment shows to a reader is nowhere in what the reader gets, and neither is a replaced one."""
    token = re.compile(r"w\d{4}")
    for policy in POLICIES[:3]:
        spec = Spec(random_history(seed, 24), policy=policy)
        for reader in READERS:
            page = spec.traversal(reader=reader)
            shown = [view.body for _, view in page if view.concealed is None]
            told = msgspec.json.encode([page, spec.corrections(reader=reader)]).decode()
            assert set(token.findall(told)) == set(token.findall(" ".join(shown)))


@pytest.mark.parametrize("seed", SEEDS)
def test_erasure_is_redaction(seed: int):
    """A thread with an effective erasure looks the same when the absorbed texts were never seen."""
    events = random_history(seed, 24)
    spec = Spec(events)
    redacted = [redact(event) if any(erasure.covers(event) for erasure in spec.erasures) else event for event in events]
    assert everything(Spec(redacted)) == everything(spec)


@pytest.mark.parametrize("order", ORDERS)
def test_pins_keep_the_order(order: Order):
    """Asking for pins moves the pinned ahead and changes nothing else about the order."""
    votes = random.Random(7)
    facts = [posted(n) for n in range(1, 9)]
    facts += [reacted(100 + n, votes.randrange(1, 9), by=Actor(f"u{n % 9}")) for n in range(30)]
    look = Look(Spec([*facts, removed(200, 3), pinned(201, 3), pinned(202, 5), pinned(203, 2)]))
    plain = look.roots(order, now=moment(300))
    assert sorted(plain) == [1, 2, 4, 5, 6, 7, 8]
    lead = [number for number in plain if number in (2, 5)]
    assert look.roots(order, now=moment(300), pinned=True) == lead + [each for each in plain if each not in lead]
