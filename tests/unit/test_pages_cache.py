"""Finished pages are remembered while their thread has the revision that they were made of, and are bounded."""

from __future__ import annotations

from typing import Any

import pytest

from threadstore import ThreadStore, ThreadView
from threadstore.store import pages
from threadstore.store.pages import FinishedPages
from threadstore.testing.given import THREAD
from threadstore.testing.places import Place


@pytest.fixture
def page(place: Place) -> ThreadView:
    """Return a page of three comments."""
    thread = place.open().thread(THREAD)
    for number in range(3):
        thread.post(f"w{number}")
    return thread.view()


def test_a_page_is_found_while_the_revision_is_the_same():
    """An answer is of one question and of one revision."""
    kept = FinishedPages()
    kept.keep("question", 7, "answer")
    assert kept.find("question", 7) == "answer"
    assert kept.find("question", 8) is None
    assert kept.find("another", 7) is None
    kept.keep("question", 8, "another answer")
    assert kept.find("question", 8) == "another answer"
    kept.clear()
    assert kept.find("question", 8) is None


def test_what_was_used_last_is_kept(monkeypatch: pytest.MonkeyPatch):
    """Beyond the bound on pages the one that was kept longest without use goes."""
    monkeypatch.setattr(pages, "MOST_PAGES", 2)
    kept = FinishedPages()
    for question in ("a", "b"):
        kept.keep(question, 1, question)
    kept.find("a", 1)
    kept.keep("c", 1, "c")
    assert [kept.find(question, 1) for question in "abc"] == ["a", None, "c"]


def test_pages_are_bounded_by_their_comments(page: ThreadView, monkeypatch: pytest.MonkeyPatch):
    """A page that replaces another counts once; one that is larger than all there is room for is not kept."""
    monkeypatch.setattr(pages, "MOST_COMMENTS", 7)
    kept = FinishedPages()
    for _ in range(5):
        kept.keep("a", 1, page)
    kept.keep("b", 1, page)
    assert [kept.find(question, 1) for question in "ab"] == [page, page]
    kept.keep("c", 1, page)
    assert [kept.find(question, 1) for question in "abc"] == [None, page, page]
    monkeypatch.setattr(pages, "MOST_COMMENTS", 2)
    kept.keep("d", 1, page)
    assert [kept.find(question, 1) for question in "abcd"] == [None] * 4


def test_a_page_that_was_shown_is_not_made_again(store: ThreadStore):
    """Asking again costs a look at the thread's row; a change of the thread makes the page anew."""
    thread = store.thread(THREAD)
    thread.post("first")
    reads: list[Any] = []
    store.log.database._writer.set_trace_callback(reads.append) if store.log.database.target == ":memory:" else None
    first = thread.view()
    before = len(reads)
    assert thread.view() is first
    assert len(reads) - before <= 4  # begin, the row of the thread, and the end
    thread.post("second")
    assert [comment.body for comment in thread.view().comments] == ["first", "second"]
    assert thread.view(limit=1) is not thread.view(limit=1, reader="ann")
