"""Finished pages are remembered as long as they are true, and no more of them than there is room for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import threadstore
from threadstore import Actor, ListView, ThreadStore
from threadstore.store.pages import MOST_COMMENTS, MOST_PAGES, FinishedPages

ANN = Actor("u-1", "Ann Lee")


def page_of(size: int) -> ListView:
    """Return a page of so many comments; what they are does not matter here."""
    return ListView(thread="a", revision=1, order="oldest", comments=(None,) * size, next=None, left=0)


def test_a_page_is_found_at_its_revision():
    """A question is answered with what was kept for it, and with nothing once the thread has another revision."""
    pages = FinishedPages()
    pages.keep("front", 3, "the front")
    assert pages.find("front", 3) == "the front"
    assert pages.find("front", 4) is None
    assert pages.find("back", 3) is None


def test_a_newer_page_takes_the_place_of_the_older():
    """Of one question there is one answer, the last."""
    pages = FinishedPages()
    pages.keep("front", 3, "the front")
    pages.keep("front", 4, "another front")
    assert pages.find("front", 3) is None
    assert pages.find("front", 4) == "another front"


def test_what_is_asked_for_again_stays():
    """When there is no more room, the page that nobody asked for longest goes first."""
    pages = FinishedPages()
    for number in range(MOST_PAGES):
        pages.keep(number, 1, number)
    assert pages.find(0, 1) == 0
    pages.keep("one more", 1, "one more")
    assert pages.find(0, 1) == 0
    assert pages.find(1, 1) is None
    assert pages.find("one more", 1) == "one more"


def test_many_comments_count_as_many_pages():
    """The bound is on the comments of all pages as well, and a page that is kept anew counts once."""
    pages = FinishedPages()
    half = MOST_COMMENTS // 2
    for revision in range(1, 5):
        pages.keep("large", revision, page_of(half))
    pages.keep("small", 1, page_of(half))
    assert pages.find("large", 4) is not None
    pages.keep("third", 1, page_of(1))
    assert pages.find("small", 1) is None
    assert pages.find("third", 1) is not None


def test_nothing_is_left_after_clearing():
    """Whoever forgets all pages has room for all again."""
    pages = FinishedPages()
    pages.keep("large", 1, page_of(MOST_COMMENTS))
    pages.clear()
    assert pages.find("large", 1) is None
    pages.keep("another", 1, page_of(MOST_COMMENTS))
    assert pages.find("another", 1) is not None


# --- in a store ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[ThreadStore, ThreadStore]]:
    """Return two stores on one file, as two processes would have them."""
    with threadstore.open(tmp_path / "a.db", durability="off") as ours:
        ours.thread("a").post("First!", by=ANN)
        with threadstore.open(tmp_path / "a.db", durability="off") as theirs:
            yield ours, theirs


def test_a_page_is_made_once(stores: tuple[ThreadStore, ThreadStore]):
    """The same page of an unchanged thread is the very one that was made before; another reader's is not."""
    thread = stores[0].thread("a")
    assert thread.view(reader="u-2") is thread.view(reader="u-2")
    assert thread.view(reader="u-2") is not thread.view(reader="u-3")
    assert thread.view(limit=1) is not thread.view(limit=2)


def test_a_remembered_page_is_never_outdated(stores: tuple[ThreadStore, ThreadStore]):
    """What another store has written to the file is on the next page, though the page was remembered."""
    ours, theirs = (store.thread("a") for store in stores)
    first = ours.view()
    written = theirs.post("Second.", by=ANN)
    assert [comment.id for comment in ours.view().comments] == [first.comments[0].id, written]
    theirs.edit(written, "Second!", by=ANN)
    assert [comment.body for comment in ours.view().comments] == ["First!", "Second!"]
