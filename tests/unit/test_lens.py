"""A view of a comment that was made before is shown again, and only where it is like the one that would be made."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from random import Random

import pytest

from threadstore.model.events import Event
from threadstore.model.outline import FLAGS, Node
from threadstore.model.policy import Policy
from threadstore.model.status import Locks
from threadstore.model.values import Actor
from threadstore.plans import Plan, run
from threadstore.testing.given import (
    ANN,
    BOB,
    CYD,
    MODERATOR,
    THREAD,
    deleted,
    edited,
    erased,
    held,
    id_of,
    locked,
    marked,
    pinned,
    posted,
    reacted,
    removed,
    reported,
    unreacted,
)
from threadstore.views.lens import Lens
from threadstore.views.memory import MemorySource
from threadstore.views.pages import flat_page, replies_page, single_comment, thread_page
from threadstore.views.request import By, PageRequest
from threadstore.views.source import Said
from threadstore.views.thread import Thread, fold
from threadstore.views.types import CommentView

RULES = Policy().rules
NOTHING: frozenset[str] = frozenset()
REPLY = CommentView(
    id=id_of(2), parent=id_of(1), author=None, posted_at=0, edited_at=None, edited_by=None, text_id=id_of(2), body="a reply",
    concealed=None, flags=(), stale=False, spoiler=False, reactions={}, reacted=(), mentions=(), pinned=False, late=False,
    depth=1, replies=(), reply_count=0, left=0, more=None, meta={}, marks={},
)  # fmt: skip


def said() -> Said:
    return Said(None, ANN, None, None, id_of(1), "words", None, ())


def node(*flags: str) -> Node:
    return Node(id_of(1), post=id_of(1), flags=sum(FLAGS[flag] for flag in flags), kids=1, replies=1)


def seen(
    node: Node,
    said: Said,
    *,
    reader: By = None,
    reveal: Sequence[str] | str = (),
    depth: int = 0,
    replies: tuple[CommentView, ...] = (),
    left: int = 1,
    reacted: frozenset[str] = NOTHING,
    locks: Locks | None = None,
    marks: bool = False,
) -> CommentView:
    """Return what a reader sees of a comment."""
    lens = Lens(RULES, PageRequest(reader=reader, reveal=reveal))
    cells = fold([posted(1), reported(2, 1)]).cells(id_of(1)) if marks else None
    return lens.comment(node, said, depth, replies, left, reacted, locks, cells)


def test_a_view_is_shown_again():
    """Whoever looks at a comment of which nothing holds, and that stands in the same place, is shown the very same view."""
    words, place = said(), node()
    first = seen(place, words)
    assert words.view is first
    for reader in (None, "u", ANN, BOB, MODERATOR):
        assert seen(place, words, reader=reader) is first
    below = (REPLY,)
    second = seen(place, words, replies=below, left=0)
    assert seen(place, words, replies=(REPLY,), left=0) is second
    assert (second.replies, second.left, second.more) == (below, 0, None)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"depth": 3}, id="another depth"),
        pytest.param({"left": 2}, id="more replies that are left"),
        pytest.param({"replies": (REPLY,), "left": 0}, id="replies"),
        pytest.param({"reader": "u", "reacted": frozenset({"support"})}, id="a reader's reactions"),
        pytest.param({"locks": Locks(fold([locked(0)], key=THREAD).cells(""), RULES)}, id="locks"),
        pytest.param({"reader": MODERATOR, "marks": True}, id="a moderator's marks"),
    ],
)
def test_another_view_is_made(other: dict[str, object]):
    """Where something differs the view does, and it equals the one that is made where there was none before."""
    words, place = said(), node()
    first = seen(place, words)
    second = seen(place, words, **other)  # type: ignore[arg-type]
    assert second != first
    assert second == seen(place, said(), **other)  # type: ignore[arg-type]
    assert seen(place, words) == first


@pytest.mark.parametrize("flag", ["erased", "deleted", "removed", "held", "spoiler", "stale", "pinned"])
def test_what_holds_for_a_comment_keeps_no_view(flag: str):
    """A comment of which something holds is looked at anew by each reader, and nothing of the view is left for the next."""
    words, place = said(), node(flag)
    for reader, reveal in ((MODERATOR, "all"), (None, ()), (ANN, ()), (None, "all")):
        assert seen(place, words, reader=reader, reveal=reveal) == seen(place, said(), reader=reader, reveal=reveal)
        assert words.view is None


def test_a_spoiler_that_one_reader_has_opened_stays_closed_for_the_next():
    """What was opened for one reader is in no view that another is shown."""
    words, place = said(), node("spoiler")
    assert seen(place, words, reveal=[id_of(1)]).body == "words"
    assert seen(place, words).body is None


def test_what_only_a_queue_shows_changes_no_view():
    """A reported comment is shown to all but moderators as if it were not."""
    words = said()
    assert seen(node("reported", "complex"), words) is seen(node("reported", "complex"), words)


class Remembering(MemorySource):
    """A thread in memory that hands out the same words each time, with the view that was made of them last."""

    def __init__(self, thread: Thread, kept: dict[str, tuple[Node, Said]]) -> None:
        super().__init__(thread, thread.index(RULES))
        self._kept = kept

    def said(self, nodes: Sequence[Node]) -> Plan[Sequence[Said]]:
        found = yield from super().said(nodes)
        return [self._known(node, words) for node, words in zip(nodes, found, strict=True)]

    def _known(self, node: Node, words: Said) -> Said:
        bare = Node(*(getattr(node, name) for name in Node.__struct_fields__))
        known = self._kept.get(node.id)
        if known is None or known[0] != bare:
            known = self._kept[node.id] = bare, words
        return known[1]


STORY: list[Event] = [
    posted(1), posted(2, to=1, by=BOB), posted(3, "@Bob, no", to=2), posted(4, to=1, by=CYD), reacted(5, 2, by=CYD),
    posted(6, to=4, by=BOB, spoiler=True), edited(7, 3), held(8, 4), posted(9, by=CYD), pinned(10, 9), reported(11, 3),
    unreacted(12, 2, by=CYD), removed(13, 2), locked(14), posted(15, to=3), deleted(16, 15), marked(17, 1), posted(18, to=17),
    erased(19, 3), posted(20, to=9, by=Actor("dot", "Dot")),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_with_and_without_views_that_are_shown_again(seed: int):
    """Whoever looked before, at whatever page, every page is what it would be if nobody had."""
    chance = Random(seed)
    thread = Thread(THREAD)
    kept: dict[str, tuple[Node, Said]] = {}
    readers: tuple[By, ...] = (None, "u", ANN, BOB, CYD, MODERATOR)
    for fact in STORY:
        thread.apply(fact)
        looks = list(itertools.product(readers, ((), "all"), (0, 1, 8), (1, 3)))
        for reader, reveal, depth, replies in chance.sample(looks, 12):
            request = PageRequest(reader=reader, reveal=reveal, depth=depth, replies=replies, order="newest", context=depth and 1)
            for page in (thread_page, flat_page):
                assert run(page(Remembering(thread, kept), request)) == run(page(thread.source(None), request))
            known, fresh = Remembering(thread, kept), thread.source(None)
            assert run(single_comment(known, id_of(1), request)) == run(single_comment(fresh, id_of(1), request))
            request = PageRequest(reader=reader, reveal=reveal, depth=depth, replies=replies)
            known, fresh = Remembering(thread, kept), thread.source(None)
            assert run(replies_page(known, id_of(1), request)) == run(replies_page(fresh, id_of(1), request))
