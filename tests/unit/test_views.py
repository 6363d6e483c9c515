"""What a reader sees of a thread: bounded, concealed for them, and resumable."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count, permutations
from typing import Any

import msgspec
import pytest

from threadstore.errors import CommentNotFound, InvalidCursor
from threadstore.model.events import CommentPosted, Event
from threadstore.model.ids import NIL, time_of
from threadstore.model.policy import Policy
from threadstore.model.ranking import ORDERS
from threadstore.model.values import Actor, TextQuote
from threadstore.plans import run
from threadstore.testing.given import (
    ANN,
    AUTHOR,
    BOB,
    CYD,
    EDITOR,
    MODERATOR,
    SYSTEM,
    THREAD,
    approved,
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
)
from threadstore.views.pages import flat_page, replies_page, thread_page
from threadstore.views.queue import queue_page
from threadstore.views.request import PageRequest
from threadstore.views.thread import Thread, fold
from threadstore.views.types import CommentView, Counts, Mention, QueueView, ThreadView

UP_OR_DOWN = Policy(kinds=frozenset({"up", "down"}), exclusive=(frozenset({"up", "down"}),))


def see(*facts: Event, of: int = 1, **options: Any) -> CommentView:
    """Return one comment after *facts*."""
    return fold(facts).comment(id_of(of), **options)


def page(*facts: Event, **options: Any) -> ThreadView:
    return fold(facts, key=THREAD).view(**options)


def numbers(comments: tuple[CommentView, ...]) -> list[int]:
    return [number_of(comment.id) for comment in comments]


Tree = dict[int, "Tree"]


def tree(comments: tuple[CommentView, ...]) -> Tree:
    """Return the numbers of comments with those of their replies."""
    return {number_of(comment.id): tree(comment.replies) for comment in comments}


def traversal(thread: Thread, **options: Any) -> Iterator[CommentView]:
    """Yield all comments in preorder, following every cursor that the pages give."""
    bounds = ("limit", "replies", "depth", "rows")
    below = {name: value for name, value in options.items() if name in (*bounds, "reader", "reveal", "policy")}
    pages: list[Iterator[CommentView]] = [all_pages(thread.view, **options)]
    while pages:
        comment = next(pages[-1], None)
        if comment is None:
            pages.pop()
            continue
        yield comment
        if comment.left:
            assert comment.more is not None
            pages.append(all_pages(thread.replies, comment.id, after=comment.more, **below))
        else:
            assert comment.more is None
        pages.append(iter(comment.replies))


def all_pages(read: Callable[..., Any], *arguments: Any, after: str | None = None, **options: Any) -> Iterator[CommentView]:
    """Yield the comments of a page and of those that follow it."""
    while True:
        found = read(*arguments, after=after, **options)
        yield from found.comments
        assert (found.next is None) == (found.left == 0)
        after = found.next
        if after is None:
            return


# --- one comment --------------------------------------------------------------------------------------------------------------


def test_a_plain_comment():
    """A comment shows who said what, when, and where."""
    assert see(posted(1), posted(2, "Yes.", to=1, by=BOB, meta={"site": "b.example"}), posted(3, to=2), of=2) == CommentView(
        id=id_of(2),
        parent=id_of(1),
        author=BOB,
        posted_at=moment(2),
        edited_at=None,
        edited_by=None,
        text_id=id_of(2),
        body="Yes.",
        concealed=None,
        flags=(),
        stale=False,
        spoiler=False,
        reactions={},
        reacted=(),
        mentions=(),
        pinned=False,
        late=False,
        depth=1,
        replies=(see(posted(1), posted(2, to=1), posted(3, to=2), of=3),),
        reply_count=1,
        left=0,
        more=None,
        meta={"site": "b.example"},
        marks={},
    )


def test_an_edited_comment():
    """It says who wrote the text shown, when, and under which id."""
    comment = see(posted(1), edited(2, 1, "w2", by=MODERATOR))
    assert (comment.author, comment.posted_at) == (ANN, moment(1))
    assert (comment.body, comment.text_id, comment.edited_at, comment.edited_by) == ("w2", id_of(2), moment(2), MODERATOR)


def test_an_imported_comment():
    """The time shown is the source's where that differs from the id's."""
    assert see(posted(1, at=-5)).posted_at == -5


def test_an_anonymous_comment():
    """Nobody is its author."""
    assert see(posted(1, by=None)).author is None


def test_what_is_not_there():
    """A comment that the thread does not have is an error, as is a correction."""
    thread = fold([posted(1), suggested(2)])
    for read in (thread.comment, thread.replies):
        for number in (2, 3):
            with pytest.raises(CommentNotFound) as caught:
                read(id_of(number))
            assert caught.value.args == (THREAD, id_of(number))


def test_a_page_cannot_be_changed():
    """What one reader is shown may be shown to the next, so nobody changes it: neither its fields nor its dicts."""
    thread = fold([posted(1, meta={"site": "a.example"}), reacted(2, 1), reported(3, 1)])
    [comment] = thread.view(reader=MODERATOR).comments
    for shown in (comment.meta, comment.reactions, comment.marks):
        with pytest.raises(TypeError, match="views cannot be changed"):
            shown["site"] = "elsewhere"
    with pytest.raises(AttributeError):
        comment.body = "elsewhere"
    assert (comment.meta, comment.reactions) == ({"site": "a.example"}, {"support": 1})


def test_pages_go_straight_to_json():
    """Every view can be encoded as it is, and read back."""
    thread = fold([posted(1), posted(2, to=1, held=True), suggested(3), reported(4, 1)])
    data = msgspec.json.encode(thread.view(reader=MODERATOR))
    assert msgspec.json.decode(data, type=ThreadView) == thread.view(reader=MODERATOR)
    assert msgspec.json.decode(msgspec.json.encode(thread.queue()), type=QueueView) == thread.queue()


# --- concealment --------------------------------------------------------------------------------------------------------------

READERS: dict[str, Actor | str | None] = {
    "nobody": None,
    "stranger": CYD,
    "author": ANN,
    "author's id": "ann",
    "author of the article": AUTHOR,
    "moderator": MODERATOR,
    "system": SYSTEM,
    "moderator's id": "mo",
}
OWN = {"author", "author's id"}
HOUSE = {"moderator", "system"}
EVERYBODY = set(READERS)

CONCEALED: dict[str, tuple[tuple[Event, ...], str, set[str], set[str]]] = {
    # facts, the flag that conceals, to whom it opens, and to whom with the spoiler revealed
    "erased": ((erased(2, 1),), "erased", set(), set()),
    "person erased": ((person_erased(2, ANN),), "erased", set(), set()),
    "deleted": ((deleted(2, 1),), "deleted", set(), set()),
    "removed": ((removed(2, 1),), "removed", HOUSE, HOUSE),
    "held": ((held(2, 1),), "held", HOUSE | OWN, HOUSE | OWN),
    "stale": ((held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1, "w1")), "held", HOUSE | OWN, HOUSE | OWN),
    "spoiler": ((marked(2, 1),), "spoiler", set(), EVERYBODY),
    "erased and deleted": ((erased(2, 1), deleted(3, 1)), "erased", set(), set()),
    "deleted and removed": ((deleted(2, 1), removed(3, 1)), "deleted", set(), set()),
    "removed and held": ((removed(2, 1), held(3, 1)), "removed", HOUSE, HOUSE),
    "held spoiler": ((held(2, 1), marked(3, 1)), "held", set(), HOUSE | OWN),
    "removed spoiler": ((removed(2, 1), marked(3, 1)), "removed", set(), HOUSE),
}


@pytest.mark.parametrize("name", CONCEALED)
@pytest.mark.parametrize("reader", READERS)
def test_who_sees_what(name: str, reader: str):
    """The first flag that does not open to the reader withholds the body, and all flags that hold are told."""
    facts, flag, opens, opens_revealed = CONCEALED[name]
    for reveal, who in (((), opens), ({id_of(9)}, opens), ({id_of(1)}, opens_revealed), ("all", opens_revealed)):
        comment = see(posted(1), *facts, reader=READERS[reader], reveal=reveal)
        assert (comment.body is not None) == (comment.concealed is None) == (reader in who)
        assert comment.flags[0] == flag
        if reader not in opens_revealed:
            assert comment.concealed == flag
        assert comment.body in (None, "w1")


def test_only_an_actor_brings_a_role():
    """Where readers moderate, whoever comes with the role does, and a bare id does not: nobody has vouched for a role of it."""
    policy = Policy(moderators={"reader", "moderator"})
    for reader, opens in ((BOB, True), ("bob", False), ("ann", False), (AUTHOR, False)):
        comment = see(posted(1), removed(2, 1), reader=reader, policy=policy)
        assert (comment.concealed is None, bool(comment.marks)) == (opens, opens)


def test_nobody_is_not_the_anonymous_author():
    """A held anonymous comment opens to moderators only."""
    assert see(posted(1, by=None, held=True)).concealed == "held"


@pytest.mark.parametrize("name", CONCEALED)
@pytest.mark.parametrize("reader", READERS)
def test_a_tombstone_is_bare(name: str, reader: str):
    """A tombstone has no reactions, mentions, pin or strings; a spoiler that is closed has no mentions."""
    facts = CONCEALED[name][0]
    story = (posted(0, by=BOB), posted(1, "@Bob w1", meta={"site": "a.example"}), reacted(10, 1, by=CYD), pinned(11, 1))
    facts = tuple(fact if fact.id != id_of(4) else edited(4, 1, "@Bob w1") for fact in facts)
    comment = see(*story, *facts, reader=READERS[reader])
    shown = (comment.reactions, comment.pinned, comment.meta, bool(comment.reacted))
    if comment.concealed in (None, "spoiler"):
        assert shown == ({"support": 1}, True, {"site": "a.example"}, reader == "stranger")
    else:
        assert shown == ({}, False, {}, False)
    assert bool(comment.mentions) == (comment.concealed is None)
    assert comment.text_id == (id_of(4) if name == "stale" else id_of(1))


def test_the_erased_are_nameless():
    """Of an erased comment the names of all who wrote in it are gone, also for moderators; their opaque ids stay."""
    comment = see(posted(1), edited(2, 1, by=MODERATOR), erased(3, 1), reader=MODERATOR)
    assert (comment.author, comment.edited_by) == (Actor("ann", ""), Actor("mo", "", "moderator"))
    assert see(posted(1, by=None), erased(2, 1)).author is None
    assert see(posted(1), deleted(2, 1)).author == ANN


@pytest.mark.parametrize("reveal", ["everything", "", id_of(1)])
def test_a_text_reveals_nothing_but_all(reveal: str):
    """A single id instead of several is a mistake that is told, not a spoiler that stays closed."""
    with pytest.raises(ValueError, match="reveal must be"):
        page(posted(1), reveal=reveal)


def test_the_reveal_set_is_bounded():
    """So many ids and no more; a reader who has opened all says so."""
    many = [f"{number}" for number in range(100_000)]
    assert page(posted(1), reveal=many).comments
    with pytest.raises(ValueError, match="100001 comments where 100000"):
        page(posted(1), reveal=[*many, "x"])


@pytest.mark.parametrize("reader", [5, b"ann", ("ann", "Ann", "moderator"), {"id": "ann", "role": "moderator"}])
def test_a_reader_is_an_actor_or_an_id(reader: object):
    """Nothing else can bring a role by looking like an actor."""
    with pytest.raises(TypeError, match="reader must be"):
        page(posted(1), reader=reader)


@pytest.mark.parametrize("reader", ["", "ann@example.org"])
def test_a_readers_id_is_an_actors_id(reader: str):
    """What can be no actor's id can be no reader's."""
    with pytest.raises(ValueError, match="id"):
        page(posted(1), reader=reader)


def test_marks_are_for_moderators():
    """They name what a cancel should name: what is up, and holds and removals that must be opened for the present text."""
    facts = (
        posted(1, spoiler=True, held=True), reported(2, 1), pinned(3, 1), removed(4, 1), approved(5, 1, cancels=[1]),
        edited(6, 1),
        held(7, 1), pinned(8, 1, by=ANN), resolved(9, 1, cancels=[2]), reported(10, 1),
    )  # fmt: skip
    marks = {flag: list(map(number_of, ids)) for flag, ids in see(*facts, reader=MODERATOR).marks.items()}
    assert marks == {"removed": [1, 4], "held": [1, 7], "spoiler": [1], "reported": [10], "pinned": [3]}
    assert see(*facts, reader=ANN).marks == see(*facts, reader="mo").marks == {}
    assert see(posted(1), reader=MODERATOR).marks == {}


# --- placeholders -------------------------------------------------------------------------------------------------------------


def test_a_placeholder():
    """It has the missing id and its replies, and nothing else; moderators see no more of it."""
    for reader in (None, MODERATOR):
        found = see(posted(3, to=2), posted(4, to=2, held=True), pinned(5, 2), removed(6, 2), of=2, reader=reader)
        assert (found.id, found.concealed, found.flags) == (id_of(2), "missing", ("missing",))
        assert (found.posted_at, found.text_id, found.reply_count) == (moment(2), id_of(2), 1)
        assert (found.author, found.parent, found.body, found.edited_at, found.edited_by) == (None,) * 5
        assert (found.reactions, found.meta, found.marks) == ({}, {}, {})
        assert not any((found.pinned, found.late, found.stale, found.spoiler, found.mentions, found.reacted, found.depth))
        assert numbers(found.replies) == ([3] if reader is None else [3, 4])


def test_the_nil_placeholder():
    """Replies whose parent is not smaller than they are hang under one place with the nil id."""
    found = page(posted(2, to=2), posted(3, to=4), posted(4))
    assert tree(found.comments) == {0: {2: {}, 3: {}}, 4: {}}
    assert (found.comments[0].id, found.comments[0].posted_at) == (NIL, 0)
    assert found.comments[0].replies[0].parent == id_of(2)
    assert found.counts == Counts(1, 2, 3)


def test_an_orphan_moves_home():
    """When the parent comes, the reply hangs under it, and the placeholder is gone."""
    thread = fold([posted(1), posted(3, to=2), posted(4, to=3)])
    assert tree(thread.view().comments) == {1: {}, 2: {3: {4: {}}}}
    thread.apply(posted(2, to=1))
    assert tree(thread.view().comments) == {1: {2: {3: {4: {}}}}}
    assert thread.comment(id_of(4)).depth == 3


def test_a_reply_to_a_correction():
    """A correction is no comment: what answers one hangs under the nil placeholder, whichever came first."""
    facts = [suggested(1), posted(2, to=1), posted(3, to=2)]
    for order in permutations(facts):
        thread = Thread(THREAD)
        for fact in order:
            thread.view()
            thread.apply(fact)
        assert tree(thread.view().comments) == {0: {2: {3: {}}}}
        assert [number_of(each.id) for each in thread.corrections()] == [1]
        thread.apply(posted(1))
        assert tree(thread.view().comments) == {1: {2: {3: {}}}}
        assert thread.corrections() == ()


# --- counts -------------------------------------------------------------------------------------------------------------------


def test_comments_9_over_12():
    """The article that started this shows "Comments (9)" over 12 comments; both figures are told."""
    facts = [posted(number) for number in range(1, 10)] + [posted(number, to=number - 9) for number in (10, 11, 12)]
    assert page(*facts).counts == Counts(top_level=9, replies=3, total=12)


def test_counts_are_the_publics():
    """The figures are the same for every reader, and in every kind of page."""
    facts = (posted(1), posted(2, held=True), posted(3, to=1, spoiler=True), posted(4, to=3), removed(5, 4), posted(7, to=6))
    assert {page(*facts, reader=reader).counts for reader in READERS.values()} == {Counts(1, 2, 3, 1, 1)}
    assert fold(facts).counts() == Counts(1, 2, 3, 1, 1)
    assert see(*facts, reader=MODERATOR).reply_count == 1
    assert see(*facts, of=3, reader=MODERATOR).reply_count == 0


# --- what is on a page --------------------------------------------------------------------------------------------------------


def test_tombstones_stay_for_their_replies():
    """A tombstone is on the page as long as something visible hangs below it, however deep (Artalk, Waline, xtd)."""
    facts = [posted(1), posted(2, to=1, by=BOB), posted(3, to=2), posted(4), deleted(5, 1), removed(6, 2), deleted(7, 4)]
    assert tree(page(*facts).comments) == {1: {2: {3: {}}}}
    assert tree(page(*facts, deleted(8, 3)).comments) == {}
    assert see(*facts, deleted(8, 3)).concealed == "deleted"


def test_moderators_find_what_is_withheld():
    """What is removed or held is on a moderator's pages, with what is above it; what is deleted or erased is not."""
    facts = (
        posted(1), posted(2, to=1), deleted(3, 2), posted(4, to=2, held=True), posted(5, by=BOB, held=True),
        posted(6), removed(7, 6),
        posted(8), erased(9, 8), posted(10, to=6), deleted(11, 10), posted(12, to=1), removed(13, 12),
        posted(14, to=12),
        posted(16, to=15, held=True),
    )  # fmt: skip
    public = {1: {12: {14: {}}}}
    assert tree(page(*facts).comments) == tree(page(*facts, reader=CYD).comments) == public
    assert tree(page(*facts, reader=MODERATOR).comments) == {
        1: {2: {4: {}}, 12: {14: {}}}, 5: {}, 6: {}, 15: {16: {}},
    }  # fmt: skip
    assert tree(page(*facts, reader=BOB).comments) == tree(page(*facts, reader="bob").comments) == {**public, 5: {}}
    assert tree(page(*facts, reader=ANN).comments) == {1: {2: {4: {}}, 12: {14: {}}}, 15: {16: {}}}


def test_what_a_moderator_finds_is_where_it_belongs():
    """Withheld comments take their place in every order, without votes or pin, on pages that are continued."""
    facts = [posted(number) for number in range(1, 8)]
    facts += [reacted(10 + number, number, "up") for number in (2, 3, 5)]
    facts += [held(20, 3), removed(21, 6), pinned(22, 5), pinned(23, 3)]
    thread = fold(facts)
    for order, expected in (("oldest", [5, 1, 2, 3, 4, 6, 7]), ("newest", [5, 7, 6, 4, 3, 2, 1]), ("top", [5, 2, 1, 3, 4, 6, 7])):
        options = {"order": order, "pinned": True, "reader": MODERATOR, "policy": UP_OR_DOWN}
        assert numbers(thread.view(**options).comments) == expected
        for limit in (1, 2, 3):
            assert numbers(tuple(all_pages(thread.view, limit=limit, **options))) == expected


def test_restored_comments_are_back():
    """What was removed and restored with the text that stands is public again."""
    assert tree(page(posted(1), removed(2, 1), restored(3, 1, cancels=[2])).comments) == {1: {}}
    assert time_of(page(posted(1)).comments[0].id) == moment(1)


# --- mentions -----------------------------------------------------------------------------------------------------------------


def mentioned(comment: CommentView) -> list[tuple[str, str]]:
    return [((comment.body or "")[mention.start : mention.end], mention.actor) for mention in comment.mentions]


def test_mentions():
    """A name that was used before is a mention: where it stands, and whose it is."""
    comment = see(posted(1), posted(2, "Well, @Ann Lee, no.", by=BOB), of=2)
    assert comment.mentions == (Mention(6, 14, "ann"),)
    assert see(posted(1, "@Bob"), posted(2, by=BOB)).mentions == ()
    assert see(posted(1), posted(2, "Ann Lee", by=BOB), of=2).mentions == ()


def test_equal_names():
    """Of equal names the parent's author is meant, then the nearest ancestor, then the latest speaker."""
    pat, other, third = (Actor(id, "Pat") for id in ("p1", "p2", "p3"))
    facts = (
        posted(1, by=pat), posted(2, to=1, by=other), posted(3, to=2, by=None), posted(4, to=3, by=BOB),
        posted(5, by=third),
        posted(6, "@Pat", to=4), posted(7, "@Pat", to=1), posted(8, "@Pat"), posted(10, "@Pat", to=9),
    )  # fmt: skip
    assert [mentioned(see(*facts, of=of)) for of in (6, 7, 8, 10)] == [[("@Pat", id)] for id in ("p2", "p1", "p3", "p3")]


def test_an_edit_addresses_whoever_had_spoken():
    """Names count that were used before the text was written, and names of the erased do not."""
    facts = (posted(1), posted(2, by=BOB), edited(3, 1, "@Bob, @Cyd"), posted(4, by=CYD))
    assert mentioned(see(*facts)) == [("@Bob", "bob")]
    assert mentioned(see(*facts, erased(5, 2))) == []
    assert mentioned(see(*facts, deleted(5, 2, by=BOB))) == [("@Bob", "bob")]


# --- reactions ----------------------------------------------------------------------------------------------------------------


def test_reactions():
    """How many actors reacted is told by kind, in order, and which of them the reader gave."""
    policy = Policy(kinds={"support", "joy", "anger"})
    facts = (
        posted(1),
        reacted(2, 1),
        reacted(3, 1, "joy"),
        reacted(4, 1, "joy", by=CYD),
        reacted(5, 1, "wow"),
        reacted(6, 1, by=None),
    )
    comment = see(*facts, reader="bob", policy=policy)
    assert list(comment.reactions.items()) == [("joy", 2), ("support", 1)]
    assert comment.reacted == ("joy", "support")
    assert see(*facts, reader=CYD, policy=policy).reacted == ("joy",)
    assert see(*facts, reader=ANN, policy=policy).reacted == see(*facts, policy=policy).reacted == ()
    assert see(*facts).reactions == {"support": 1}


def test_one_of_a_group():
    """In an exclusive group the reader's last word is theirs."""
    comment = see(posted(1), reacted(2, 1, "up"), reacted(3, 1, "down"), reader=BOB, policy=UP_OR_DOWN)
    assert (comment.reactions, comment.reacted) == ({"down": 1}, ("down",))


# --- locks --------------------------------------------------------------------------------------------------------------------


def test_late():
    """A reader's comment that came while the thread was locked is kept and marked, an anonymous one too."""
    facts = (
        posted(1), locked(2), posted(3), posted(4, by=None), posted(5, by=AUTHOR), posted(6, by=MODERATOR),
        posted(7, by=EDITOR),
        unlocked(8, cancels=[2]), posted(9), locked(10, by=BOB), posted(11),
    )  # fmt: skip
    found = page(*facts)
    assert [number_of(comment.id) for comment in found.comments if comment.late] == [3, 4]
    assert not found.locked
    assert page(*facts[:7]).locked


def test_a_description():
    """Title and address are told; of an erased describer's the address alone."""
    assert (page().title, page().url, page().thread, page().revision) == ("", "", THREAD, 0)
    found = page(described(1, "Drones", "https://x.example"))
    assert (found.title, found.url) == ("Drones", "https://x.example")
    found = page(described(1, "Drones", "https://x.example"), person_erased(2, AUTHOR))
    assert (found.title, found.url) == ("", "https://x.example")


# --- orders -------------------------------------------------------------------------------------------------------------------

VOTED = (
    posted(1), posted(2), posted(3), posted(4), posted(5), posted(6, to=2), posted(8, to=7),
    *(reacted(100 + number, 1, "up", by=Actor(f"u{number}")) for number in range(6)),
    *(reacted(200 + number, 1, "down", by=Actor(f"d{number}")) for number in range(4)),
    *(reacted(300 + number, 3, "up", by=Actor(f"u{number}")) for number in range(4)),
    *(reacted(400 + number, 5, kind, by=Actor(f"u{number}")) for number, kind in enumerate(["up", "down"])),
)  # fmt: skip


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("oldest", [1, 2, 3, 4, 5, 7]),
        ("newest", [7, 5, 4, 3, 2, 1]),
        ("top", [1, 3, 5, 2, 4, 7]),
        ("best", [3, 1, 5, 2, 4, 7]),
        ("hot", [3, 1, 7, 5, 4, 2]),
        ("active", [7, 2, 5, 4, 3, 1]),
        ("controversial", [1, 5, 2, 3, 4, 7]),
    ],
)
def test_orders(order: str, expected: list[int]):
    """The top level has seven orders, in which placeholders take part; replies are oldest first in each, pins before all."""
    thread = fold([*VOTED, posted(9, to=2)])
    if order == "active":
        expected = [2, 7, 5, 4, 3, 1]
    found = thread.view(order=order, policy=UP_OR_DOWN)
    assert (found.order, numbers(found.comments)) == (order, expected)
    assert numbers(next(comment for comment in found.comments if comment.id == id_of(2)).replies) == [6, 9]
    thread.apply(pinned(500, 4))
    thread.apply(pinned(501, 6))
    assert numbers(thread.view(order=order, policy=UP_OR_DOWN).comments) == expected
    lead = [4, *(number for number in expected if number != 4)]
    assert numbers(thread.view(order=order, pinned=True, policy=UP_OR_DOWN).comments) == lead
    thread.apply(unpinned(502, 4, cancels=[500]))
    assert numbers(thread.view(order=order, pinned=True, policy=UP_OR_DOWN).comments) == expected


def test_every_order_is_known():
    """There are those orders and no others."""
    for order in ("random", "", None, "OLDEST"):
        with pytest.raises(ValueError, match="order must be one of oldest, newest"):
            page(posted(1), order=order)


def test_hot_is_of_a_moment():
    """By default it is that of the latest event; later, what is new has cooled towards what is liked."""
    thread = fold([posted(1), *(reacted(2, 1, "up", by=Actor(f"u{number}")) for number in range(9)), posted(3_600)])
    assert thread.view(order="hot", policy=UP_OR_DOWN) == thread.view(order="hot", now=moment(3_600), policy=UP_OR_DOWN)
    thread = fold([posted(1), *(reacted(2 + number, 1, by=Actor(f"u{number}")) for number in range(2)), posted(18_000)])
    assert numbers(thread.view(order="hot", now=moment(18_000)).comments) == [18_000, 1]
    assert numbers(thread.view(order="hot", now=moment(180_000)).comments) == [1, 18_000]
    assert page(order="hot").comments == ()


@pytest.mark.parametrize(
    ("now", "error"), [(-1, ValueError), (2**70, ValueError), (1.5, TypeError), ("1", TypeError), (True, TypeError)]
)
def test_a_moment_is_a_number_of_milliseconds(now: Any, error: type[Exception]):
    """What can be no moment is refused, whatever the order."""
    thread = fold([posted(1), posted(2)])
    for read in (thread.view, thread.flat):
        for order in ("hot", "oldest"):
            with pytest.raises(error, match="now must be"):
                read(order=order, now=now, limit=1)


# --- pages --------------------------------------------------------------------------------------------------------------------


def forest() -> Thread:
    """Return a thread with branches of all shapes: wide, deep, buried, orphaned, voted for."""
    number = count(1)
    facts: list[Event] = []
    for root in range(7):
        top = next(number)
        facts.append(posted(top))
        for reply in range(root):
            below = next(number)
            facts.append(posted(below, to=top, held=reply == 2))
            facts += [posted(next(number), to=below if reply % 2 else below - reply) for _ in range(reply)]
    chain = next(number)
    facts += [posted(chain), *(posted(next(number), to=chain + each) for each in range(6))]
    last = next(number)
    facts += [
        deleted(last + 1, 1),
        removed(last + 2, 2),
        deleted(last + 3, chain),
        posted(last + 5, to=last + 4),
        pinned(last + 6, 8),
    ]
    facts += [reacted(last + 10 + each, each, by=Actor(f"u{each % 3}")) for each in range(1, 30)]
    return fold(facts)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("reader", [None, ANN, MODERATOR], ids=["public", "author", "moderator"])
def test_pages_partition_the_thread(order: str, reader: Actor | None):
    """However small the pages, each comment is on one of them, once, and in the same order."""
    thread = forest()
    options = {"order": order, "reader": reader, "pinned": True, "now": moment(999) if order == "hot" else None}
    whole = [comment.id for comment in traversal(thread, limit=100, replies=100, depth=100, rows=1_000, **options)]
    assert len(whole) == len(set(whole)) > thread.counts().total
    for bounds in (
        {"limit": 1, "replies": 0},
        {"limit": 2, "replies": 1, "depth": 1},
        {"limit": 3, "rows": 2},
        {"limit": 5, "rows": 7},
    ):
        assert [comment.id for comment in traversal(thread, **bounds, **options)] == whole


@pytest.mark.parametrize("order", ORDERS)
def test_a_changing_thread_skips_and_repeats_nothing(order: str):
    """While others post, vote and delete between pages, what has kept its own key and place is shown once (Coral)."""
    thread = fold([posted(number) for number in range(1, 13)] + [reacted(20, 3), reacted(21, 9), reacted(22, 9, by=CYD)])
    options = {"order": order, "limit": 4}
    expected = numbers(thread.view(order=order, limit=100).comments)
    first = thread.view(**options)
    seen = numbers(first.comments)
    changed = {seen[0], expected[-1], expected[-2]}
    for fact in (deleted(30, seen[0]), deleted(31, expected[-1]), reacted(34, seen[1]), reacted(35, expected[-2])):
        thread.apply(fact)
    for fact in (posted(32), posted(0)):
        thread.apply(fact)
    second = thread.view(after=first.next, **options)
    assert set(numbers(second.comments)) <= {*expected, 0, 32} - set(seen)
    vanished = number_of(second.comments[-1].id)
    thread.apply(deleted(33, vanished))
    rest = numbers(tuple(all_pages(thread.view, after=second.next, **options)))
    told = [*seen, *numbers(second.comments), *rest]
    assert len(told) == len(set(told))
    assert set(told) | changed >= set(expected)
    assert [number for number in told if number in expected] == [number for number in expected if number in told]


def test_a_hot_page_goes_on_in_its_moment():
    """A cursor carries the moment that its order was reckoned for, so newer events do not reshuffle what is left."""
    thread = fold([posted(number) for number in range(1, 6)])
    first = thread.view(order="hot", limit=2)
    thread.apply(posted(500_000))
    second = thread.view(order="hot", limit=3, after=first.next)
    assert numbers(first.comments) + numbers(second.comments) == [5, 4, 3, 2, 1]
    assert thread.view(order="hot", limit=3, after=first.next, now=moment(5)) == second
    with pytest.raises(InvalidCursor, match="now="):
        thread.view(order="hot", after=first.next, now=moment(6))


def test_bounds_of_a_page():
    """Rows are given out level by level, so a page is wide before it is deep; every cut says how many are left."""
    facts = [
        posted(1),
        posted(2),
        *(posted(number, to=1) for number in (3, 4, 5)),
        posted(6, to=2),
        posted(7, to=3),
        posted(8, to=6),
    ]
    thread = fold([*facts, posted(9)])
    for rows, expected, left in (
        (1, {1: {}}, 2),
        (2, {1: {}, 2: {}}, 1),
        (3, {1: {}, 2: {}, 9: {}}, 0),
        (4, {1: {3: {}}, 2: {}, 9: {}}, 0),
        (6, {1: {3: {}, 4: {}}, 2: {6: {}}, 9: {}}, 0),
        (7, {1: {3: {7: {}}, 4: {}}, 2: {6: {}}, 9: {}}, 0),
        (8, {1: {3: {7: {}}, 4: {}}, 2: {6: {8: {}}}, 9: {}}, 0),
    ):
        found = thread.view(rows=rows, replies=2)
        assert (tree(found.comments), found.left) == (expected, left)
        assert (found.next is None) == (left == 0)
    first = thread.view(rows=4, replies=2).comments[0]
    assert (first.left, first.reply_count) == (2, 3)
    assert tree(thread.replies(first.id, after=first.more).comments) == {4: {}, 5: {}}


def test_depth_of_a_page():
    """Below so many levels of replies a page says how many are left."""
    thread = fold([posted(1), posted(2, to=1), posted(3, to=2)])
    assert tree(thread.view(depth=0).comments) == {1: {}}
    assert tree(thread.view(depth=1).comments) == {1: {2: {}}}
    assert tree(thread.view(replies=0).comments) == {1: {}}
    cut = thread.view(depth=1).comments[0].replies[0]
    assert (cut.left, cut.depth) == (1, 1)
    assert tree(thread.replies(cut.id, after=cut.more, depth=0).comments) == {3: {}}


BOUNDS = {"limit": (1, 10_000), "replies": (0, 10_000), "depth": (0, 200), "rows": (1, 100_000), "context": (0, 100)}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_are_bounded(name: str):
    """What is asked for is checked in every kind of page, and refused by its name."""
    thread = fold([posted(1), posted(2, to=1)])
    least, most = BOUNDS[name]
    reads: dict[str, tuple[Callable[..., Any], set[str]]] = {
        "view": (thread.view, {"limit", "replies", "depth", "rows"}),
        "replies": (lambda **options: thread.replies(id_of(1), **options), {"limit", "replies", "depth", "rows"}),
        "comment": (lambda **options: thread.comment(id_of(1), **options), {"replies", "depth", "rows", "context"}),
        "flat": (thread.flat, {"limit"}),
        "queue": (thread.queue, {"limit"}),
    }
    for read, names in reads.values():
        if name in names:
            read(**{name: least})
            read(**{name: most})
            for value in (least - 1, most + 1):
                with pytest.raises(ValueError, match=f"{name} must be from {least} to {most}"):
                    read(**{name: value})
            for thing in (None, "3", 3.0, True):
                with pytest.raises(TypeError, match=f"{name} must be an int"):
                    read(**{name: thing})


@pytest.mark.parametrize("pinned", [None, 1, "yes"])
def test_pins_are_first_or_not(pinned: object):
    """Whether pinned comments come first is a bool and nothing like it."""
    with pytest.raises(TypeError, match="pinned must be a bool"):
        page(posted(1), pinned=pinned)


def test_replies():
    """The replies of one comment, page by page, with their own."""
    thread = fold([posted(1), *(posted(number, to=1) for number in range(2, 7)), posted(7, to=2), posted(8, to=7)])
    first = thread.replies(id_of(1), limit=2, depth=1)
    assert (first.thread, first.comment, first.revision, first.left) == (THREAD, id_of(1), 0, 3)
    assert tree(first.comments) == {2: {7: {}}, 3: {}}
    assert (first.comments[0].depth, first.comments[0].replies[0].left) == (1, 1)
    assert numbers(tuple(all_pages(thread.replies, id_of(1), after=first.next, limit=2))) == [4, 5, 6]
    assert numbers(thread.replies(id_of(1), rows=2).comments) == [2, 3]
    assert thread.replies(id_of(8)).comments == ()
    assert numbers(fold([posted(3, to=2)]).replies(id_of(2)).comments) == [3]


def test_replies_go_on_behind_any_id():
    """They stand in the order of their ids, so each id is a place to go on from: a reply's, the comment's own, a stranger's."""
    thread = fold([posted(1), *(posted(number, to=1) for number in (3, 5, 7)), posted(4)])
    for after, expected in ((NIL, [3, 5, 7]), (id_of(1), [3, 5, 7]), (id_of(3), [5, 7]), (id_of(4), [5, 7]), (id_of(9), [])):
        assert numbers(thread.replies(id_of(1), after=after).comments) == expected
    orphans = fold([posted(2, to=2), posted(3, to=3)])
    assert orphans.view(replies=0).comments[0].more == NIL
    assert numbers(orphans.replies(NIL, after=NIL).comments) == [2, 3]


@pytest.mark.parametrize("after", ["", "x", id_of(3).upper(), id_of(3)[:-1], "../etc", "\0", b"x", 7, ("a",)])
def test_what_is_no_id_is_no_place_to_go_on_from(after: Any):
    """A cursor of another listing, or something that is no cursor at all, is refused as such."""
    thread = fold([posted(1), posted(2, to=1), posted(3, to=1), posted(4)])
    with pytest.raises(InvalidCursor):
        thread.replies(id_of(1), after=after)
    with pytest.raises(InvalidCursor):
        thread.replies(id_of(1), after=thread.view(limit=1).next)


def test_cursors_fit_one_listing():
    """A cursor of a page of the top level, a list or a queue is good for its thread, its order and its pins alone."""
    facts = [posted(1), posted(2), posted(3, to=1), posted(4, held=True), posted(5, held=True)]
    thread = fold(facts)
    other = fold([msgspec.structs.replace(fact, thread="elsewhere") for fact in facts])
    cursors = {
        **{
            (order, is_pinned): thread.view(order=order, pinned=is_pinned, limit=1).next
            for order in ORDERS
            for is_pinned in (False, True)
        },
        **{("flat", order): thread.flat(order=order, limit=1).next for order in ORDERS},
        "queue": thread.queue(limit=1).next,
    }

    def read(of: Thread, place: Any, cursor: str) -> object:
        if place == "queue":
            return of.queue(after=cursor)
        if place[0] == "flat":
            return of.flat(order=place[1], after=cursor)
        return of.view(order=place[0], pinned=place[1], after=cursor)

    assert len(set(cursors.values())) == len(cursors)
    for place in cursors:
        for made_for, cursor in cursors.items():
            if place == made_for:
                read(thread, place, cursor)
                with pytest.raises(InvalidCursor):
                    read(other, place, cursor)
            else:
                with pytest.raises(InvalidCursor):
                    read(thread, place, cursor)


def test_a_cursor_outlives_what_it_points_to():
    """When the last comment of a page goes, the next page still starts behind where it stood."""
    thread = fold([posted(number) for number in range(1, 6)])
    first = thread.view(limit=2)
    thread.apply(deleted(9, 2))
    assert numbers(thread.view(after=first.next).comments) == [3, 4, 5]


def test_a_moderators_cursor_is_nobodys_key():
    """A cursor brings no rights: the public goes on with it where the public may."""
    thread = fold([posted(1), posted(2, held=True), posted(3, held=True), posted(4)])
    cursor = thread.view(limit=2, reader=MODERATOR).next
    assert numbers(thread.view(after=cursor).comments) == [4]
    assert numbers(thread.view(after=cursor, reader=MODERATOR).comments) == [3, 4]


def test_a_page_says_where_its_thread_stands_in_a_log():
    """What reads a thread from a log says at which revision, and how much of it could not be read; every page repeats it."""
    source = fold([posted(1), posted(2, to=1), posted(3, held=True)]).source(None, revision=7, unreadable=2)
    found = run(thread_page(source, PageRequest()))
    assert (found.revision, found.unreadable) == (7, 2)
    assert run(replies_page(source, id_of(1), PageRequest())).revision == 7
    assert run(flat_page(source, PageRequest())).revision == 7
    assert run(queue_page(source, limit=1, after=None)).revision == 7


# --- a comment in its context -------------------------------------------------------------------------------------------------


def test_context():
    """A link to a comment shows the line of descent down to it, alone at each step, and its replies."""
    thread = fold(
        [posted(1), posted(2, to=1), posted(3, to=2), posted(4, to=3), posted(5, to=2), posted(6, to=1), posted(7, to=4)]
    )
    assert tree((thread.comment(id_of(3)),)) == {3: {4: {7: {}}}}
    assert tree((thread.comment(id_of(3), depth=1),)) == {3: {4: {}}}
    found = thread.comment(id_of(3), context=1, depth=0)
    assert tree((found,)) == {2: {3: {}}}
    assert (found.left, found.depth, found.replies[0].depth, found.replies[0].left) == (1, 1, 2, 1)
    assert numbers(thread.replies(id_of(2), after=found.more).comments) == [3, 5]
    for context in (2, 9):
        found = thread.comment(id_of(3), context=context, depth=0)
        assert tree((found,)) == {1: {2: {3: {}}}}
        assert (found.depth, found.left, found.replies[0].left) == (0, 1, 1)
    only = fold([posted(1), posted(2, to=1)]).comment(id_of(2), context=1)
    assert (only.left, only.more) == (0, None)


def test_context_of_what_is_not_on_pages():
    """A childless tombstone answers too, and is not counted among the replies that its parent has on pages."""
    facts = (posted(1), posted(2, to=1), posted(3, to=1), posted(4, to=3, held=True), deleted(5, 2))
    found = see(*facts, of=2, context=1)
    assert (found.left, found.replies[0].concealed) == (1, "deleted")
    assert numbers(fold(facts).replies(id_of(1), after=found.more).comments) == [3]
    assert see(*facts, of=4, context=2).replies[0].left == 0
    assert see(*facts, of=4, context=2, reader=MODERATOR).left == 0
    assert see(posted(3, to=2), deleted(4, 3), of=3, context=1).concealed == "missing"


# --- without the tree ---------------------------------------------------------------------------------------------------------


def test_flat():
    """All comments, each where its own key puts it, with its depth and how many replies it has; no placeholders or tombstones."""
    thread = fold(
        [posted(1), posted(3, to=1), posted(2), posted(4, to=3), deleted(5, 1), posted(8, to=7), posted(9, spoiler=True)]
    )
    found = thread.flat(order="newest")
    assert (found.thread, found.order, found.revision, found.left, found.next) == (THREAD, "newest", 0, 0, None)
    assert [(number_of(each.id), each.depth, each.left) for each in found.comments] == [
        (9, 0, 0),
        (8, 1, 0),
        (4, 2, 0),
        (3, 1, 1),
        (2, 0, 0),
    ]
    assert {each.replies for each in found.comments} == {()}
    assert numbers(thread.replies(id_of(3), after=found.comments[3].more).comments) == [4]
    assert found.comments[0].body is None


@pytest.mark.parametrize("order", ORDERS)
def test_flat_pages(order: str):
    """They follow one another in every order, for the public and for moderators, who find what is withheld in its place."""
    thread = forest()
    for reader, hidden in ((None, False), (MODERATOR, True)):
        options = {"order": order, "reader": reader, "now": moment(999) if order == "hot" else None}
        whole = numbers(thread.flat(limit=1_000, **options).comments)
        assert len(whole) == len(set(whole))
        assert (len(whole) > thread.counts().total) == hidden
        for limit in (1, 7):
            assert numbers(tuple(all_pages(thread.flat, limit=limit, **options))) == whole
    oldest = numbers(thread.flat(limit=1_000, reader=MODERATOR).comments)
    assert oldest == sorted(oldest)


def test_flat_is_up_to_date():
    """The listing follows every change."""
    thread = fold([posted(1), posted(2)])
    assert numbers(thread.flat(order="top").comments) == [1, 2]
    thread.apply(reacted(3, 2))
    assert numbers(thread.flat(order="top").comments) == [2, 1]
    thread.apply(posted(4, to=1))
    assert numbers(thread.flat(order="top").comments) == [2, 1, 4]
    thread.apply(held(5, 2))
    assert numbers(thread.flat(order="top").comments) == [1, 4]
    assert numbers(thread.flat(order="top", reader=MODERATOR).comments) == [1, 2, 4]


# --- the queue ----------------------------------------------------------------------------------------------------------------


def test_the_queue():
    """What is held, stale or reported waits, longest first, with why and since when."""
    thread = fold(
        [
            posted(1), posted(2, held=True), reported(3, 1, "rude"), posted(4, held=True),
            approved(5, 4, cancels=[4]), edited(6, 4),
            suggested(7), reported(8, 7, "spam", by=None), posted(9), held(10, 9), reported(11, 9),
            reported(12, 9, by=CYD),
            resolved(13, 9, cancels=[11]), posted(14, held=True), deleted(15, 14), posted(16),
        ]
    )  # fmt: skip
    found = thread.queue()
    assert (found.thread, found.revision, found.next, found.left) == (THREAD, 0, None, 0)
    assert [(number_of(item.id), item.waiting, number_of(item.since)) for item in found.items] == [
        (2, ("held",), 2),
        (1, ("reported",), 3),
        (4, ("stale",), 6),
        (7, ("reported",), 8),
        (9, ("held", "reported"), 10),
    ]
    assert [item.comment is None for item in found.items] == [False, False, False, True, False]
    assert found.items[3].correction.suggestion == "w7"
    [report] = found.items[1].reports
    assert (report.id, report.actor, report.reason, report.seen, report.outdated) == (id_of(3), BOB, "rude", id_of(1), False)
    assert found.items[3].reports[0].actor is None


def test_a_stale_comment_with_another_hold_waits_for_both():
    """It waits since the older of the hold and the text."""
    story = (posted(1, held=True), approved(2, 1, cancels=[1]), edited(5, 1))
    [item] = fold([*story, held(4, 1)]).queue().items
    assert (item.waiting, item.since) == (("stale",), id_of(4))
    [item] = fold([*story, held(6, 1)]).queue().items
    assert (item.waiting, item.since) == (("stale",), id_of(5))


def test_the_queue_shows_what_waits_whole():
    """A moderator judges a held spoiler by its text, and takes the marks to cancel from it."""
    [item] = fold([posted(1, spoiler=True, held=True), posted(2, to=1)]).queue().items
    assert (item.comment.body, item.comment.marks["held"], item.comment.left) == ("w1", (id_of(1),), 1)
    [item] = fold([posted(1, held=True)]).queue(policy=Policy(moderators=())).items
    assert item.comment.body == "w1"


def test_an_outdated_report():
    """A report on a text that has changed since says so (Coral); an erased reporter's words are gone."""
    [item] = (
        fold(
            [
                posted(1),
                reported(2, 1, "rude"),
                edited(3, 1),
                reported(4, 1),
                person_erased(5, BOB),
                reported(6, 1, "rude", by=CYD),
            ]
        )
        .queue()
        .items
    )
    assert [(report.reason, report.actor.name, report.outdated) for report in item.reports] == [
        ("", "", True),
        ("", "", True),
        ("rude", "Cyd", True),
    ]


def test_pages_of_the_queue():
    """They go on where the last one ended, also when what stood there was decided meanwhile."""
    thread = fold([posted(number, held=True) for number in range(1, 8)])
    first = thread.queue(limit=3)
    assert ([number_of(item.id) for item in first.items], first.left) == ([1, 2, 3], 4)
    thread.apply(approved(9, 3, cancels=[3]))
    thread.apply(removed(10, 4))
    second = thread.queue(limit=2, after=first.next)
    assert ([number_of(item.id) for item in second.items], second.left) == ([5, 6], 1)
    assert [number_of(item.id) for item in thread.queue(after=second.next).items] == [7]
    assert fold((), key=THREAD).queue().items == ()


# --- corrections --------------------------------------------------------------------------------------------------------------

ARTICLE = "It was teh best of times, it was teh worst of times."


def suggest(number: int, exact: str, prefix: str = "", suffix: str = "", start: int = 0, **fields: Any) -> Event:
    """Return a suggestion for a passage of the article."""
    return msgspec.structs.replace(suggested(number, **fields), quote=TextQuote(exact, prefix, suffix, start))


def test_a_correction():
    """It shows who suggested what for which passage of which version; without the article's text it is not looked for."""
    [found] = fold([suggested(1, "the", note="typo")]).corrections()
    assert (found.id, found.author, found.suggested_at, found.article_version) == (id_of(1), ANN, moment(1), "v1")
    assert (found.quote, found.suggestion, found.note) == (TextQuote("teh"), "the", "typo")
    assert (found.state, found.decided_by, found.decided_at, found.decision_note) == ("open", None, None, "")
    assert (found.span, found.orphaned, found.concealed, found.flags, found.marks) == (None, False, None, (), {})


def test_anchoring():
    """A quote is found where it is unmistakable, and is orphaned where it is not: never the nearest guess."""
    thread = fold(
        [
            suggest(1, "teh", "was ", " best", 7),
            suggest(2, "best  of"),
            suggest(3, "teh"),
            suggest(4, "night"),
            suggest(5, "teh", start=33),
        ]
    )
    found = thread.corrections(text=ARTICLE)
    assert [(each.span, each.orphaned) for each in found] == [
        ((7, 10), False),
        ((11, 18), False),
        (None, True),
        (None, True),
        ((33, 36), False),
    ]
    assert [(each.span, each.orphaned) for each in thread.corrections()] == [(None, False)] * 5
    assert [each.orphaned for each in thread.corrections(text="")] == [True] * 5


def test_a_decided_correction_stays_with_its_version():
    """Once decided, a quote is looked for in its own version only; reopened, in any again."""
    story = (suggest(1, "best of"), decided(2, 1, "accepted", "thanks"))
    thread = fold(story)
    for version, span in ((None, None), ("v2", None), ("v1", (11, 18))):
        [found] = thread.corrections(text=ARTICLE, article_version=version)
        assert (found.span, found.orphaned) == (span, False)
    assert (found.state, found.decided_by, found.decided_at, found.decision_note) == ("accepted", EDITOR, moment(2), "thanks")
    [found] = fold([*story, decided(3, 1, "declined", by=MODERATOR)]).corrections()
    assert (found.state, found.decided_by) == ("declined", MODERATOR)
    [found] = fold([*story, decided(3, 1, "reopened")]).corrections(text=ARTICLE, article_version="v2")
    assert (found.state, found.decided_by, found.decided_at, found.decision_note) == ("open", None, None, "")
    assert found.span == (11, 18)


@pytest.mark.parametrize(
    ("fact", "flag", "opens"),
    [
        (deleted(3, 1), "deleted", False),
        (removed(3, 1), "removed", True),
        (erased(3, 1), "erased", False),
        (person_erased(3, ANN), "erased", False),
    ],
)
def test_concealed_corrections(fact: Event, flag: str, opens: bool):
    """They stay in the list without their texts, and are not looked for; what is removed opens to moderators."""
    thread = fold([suggest(1, "best of", note="typo"), decided(2, 1, note="thanks"), fact])
    for reader, who in READERS.items():
        [found] = thread.corrections(text=ARTICLE, article_version="v1", reader=who)
        assert found.flags == (flag,)
        assert found.author == (Actor("ann", "") if flag == "erased" else ANN)
        if opens and reader in HOUSE:
            assert (found.concealed, found.suggestion, found.note, found.decision_note) == (None, "w1", "typo", "thanks")
            assert (found.span, found.marks) == ((11, 18), {"removed": (id_of(3),)})
        else:
            assert (found.concealed, found.quote, found.suggestion, found.note, found.decision_note) == (flag, None, None, "", "")
            assert (found.span, found.orphaned, found.marks) == (None, False, {})
        assert found.state == "accepted"


def test_an_erased_editor():
    """The decision stays, without its note and its maker's name."""
    [found] = fold([suggested(1), decided(2, 1, note="thanks"), person_erased(3, EDITOR)]).corrections()
    assert (found.state, found.decided_by, found.decision_note) == ("accepted", Actor("eda", "", "editor"), "")
    [found] = fold([suggested(1), decided(2, 1, note="thanks"), erased(3, 1)]).corrections()
    assert (found.decided_by, found.decision_note) == (Actor("eda", "", "editor"), "")


def test_reported_corrections():
    """Moderators see the marks that are up."""
    [found] = fold([suggested(1), reported(2, 1), reported(3, 1, by=CYD), resolved(4, 1, cancels=[2])]).corrections(
        reader=MODERATOR
    )
    assert found.marks == {"reported": (id_of(3),)}


def test_which_corrections_there_are():
    """All that identified actors suggested, oldest first."""
    thread = fold([suggested(3), suggested(1, by=None), suggested(2, by=BOB), posted(4)])
    assert [number_of(each.id) for each in thread.corrections()] == [2, 3]


# --- deep threads -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deep() -> Thread:
    """Return a chain of 20,000 replies."""
    thread = Thread(THREAD)
    above = None
    for number in range(1, 20_001):
        thread.apply(CommentPosted(id=id_of(number), thread=THREAD, actor=ANN, parent=above, body="w"))
        above = id_of(number)
    return thread


def test_a_deep_chain_is_read_to_its_end(deep: Thread):
    """Following the cursors leads through the whole chain, and neither recurses nor hangs."""
    limit = sys.getrecursionlimit()
    assert deep.counts() == Counts(1, 19_999, 20_000)
    numbers_seen, comments = [], deep.view(depth=100, rows=10_000).comments
    while comments:
        [comment] = comments
        while True:
            numbers_seen.append(number_of(comment.id))
            if not comment.replies:
                break
            [comment] = comment.replies
        comments = deep.replies(comment.id, after=comment.more, depth=100).comments if comment.more else ()
    assert numbers_seen == list(range(1, 20_001))
    assert sys.getrecursionlimit() == limit


def test_a_deep_comment_in_its_context(deep: Thread):
    """A link to the last of them answers with its ancestors, and goes to JSON."""
    found = deep.comment(id_of(20_000), context=100)
    assert (found.depth, number_of(found.id)) == (19_899, 19_900)
    assert msgspec.json.decode(msgspec.json.encode(found), type=CommentView) == found


def test_a_deep_chain_without_its_tree(deep: Thread):
    """A flat page of the deepest tells each one's depth."""
    found = deep.flat(order="newest", limit=1_000)
    assert [comment.depth for comment in found.comments] == list(range(19_999, 18_999, -1))
    assert [comment.depth for comment in deep.flat(limit=3).comments] == [0, 1, 2]
