"""Reading, over HTTP and without a script: the front page, articles, pages of a thread, one comment, spoilers."""

from __future__ import annotations

from typing import Any

import pytest

from threadstore import SPOILER_NOTICE

WEIR, BEES, CLOCK = "/a/lights-over-the-weir", "/a/bees-on-the-council-roof", "/a/the-clock-that-ran-ahead"
SECRET = "It is always the farmer"


def thread_of(site: Any, url: str) -> Any:
    return site.store.thread(site.by_slug[url.removeprefix("/a/")].key)


def spoilers_of(site: Any, url: str) -> list[str]:
    found = thread_of(site, url).flat(limit=100).comments
    return [comment.id for comment in found if comment.spoiler]


def test_the_front_page_counts(visitor: Any):
    """The front page says how many comments each article has, and what was said last."""
    page = visitor.get("/")
    for words in ("Lights over the weir", "Comments (9)", "Comments (26)", "Latest comments", "Jo Park on"):
        assert words in page.text


def test_the_front_page_asks_once(site: Any, visitor: Any, monkeypatch: pytest.MonkeyPatch):
    """All counts come from one question to the store."""
    asked = []
    ask = type(site.store).counts
    monkeypatch.setattr(type(site.store), "counts", lambda store, keys: (asked.append(list(keys)), ask(store, keys))[1])
    visitor.get("/")
    assert asked == [list(site.by_key)]


def test_the_heading_says_nine(visitor: Any):
    """Nine at the top level, and the three replies beside it."""
    page = visitor.get(WEIR)
    assert "Comments (9) 3 replies" in page.text
    assert len([id for id in page.ids if id.startswith("b-")]) == 12


def test_a_reply_stands_below_what_it_answers(visitor: Any):
    """The list of replies is inside the item of the comment, and mentions lead to the person."""
    page = visitor.get(WEIR)
    assert "@Ann Lee , it was a string." in page.text
    assert "/people/u-ann" in page.links


def test_a_spoiler_is_covered_until_it_is_revealed(visitor: Any, site: Any, visit: Any):
    """The notice stands in place of the words, which are nowhere in the page; one form shows one comment, to one browser."""
    covered = visitor.get(WEIR)
    assert covered.text.count(SPOILER_NOTICE) == 3
    assert SECRET not in covered.source
    first = spoilers_of(site, WEIR)[0]
    answer = visitor.send(WEIR, f"{WEIR}/c/{first}/reveal")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{WEIR}#b-{first}")
    shown = visitor.get(WEIR)
    assert SECRET in shown.text
    assert shown.text.count(SPOILER_NOTICE) == 2
    assert SECRET in visitor.get(f"{WEIR}/c/{first}").text, "remembered on every page of the article"
    assert SECRET not in visit().get(WEIR).source, "another browser has revealed nothing"


def test_all_spoilers_at_once(visitor: Any):
    """One form shows them all, and one covers them again."""
    assert visitor.send(WEIR, f"{WEIR}/reveal").status_code == 303
    assert SPOILER_NOTICE not in visitor.get(WEIR).text
    assert visitor.send(WEIR, f"{WEIR}/cover").status_code == 303
    assert visitor.get(WEIR).text.count(SPOILER_NOTICE) == 3


def test_many_revealed_comments_fit_the_cookie(visitor: Any, site: Any):
    """The cookie stays small: of very many the first is forgotten, and one that was tampered with says nothing."""
    from news_site.looking import Revealed

    thread = thread_of(site, WEIR)
    spoilers = spoilers_of(site, WEIR)
    revealed = Revealed()
    for number in range(300):
        revealed = revealed.and_also(f"{number:08x}-0000-7000-8000-000000000000")
    revealed = revealed.and_also(spoilers[0])
    assert len(revealed.ids) == 120
    assert revealed.ids[-1] == spoilers[0]
    visitor.http.cookies.set("revealed", "not base64 of anything!", path=WEIR)
    assert visitor.get(WEIR).text.count(SPOILER_NOTICE) == 3
    assert thread.counts().top_level == 9


@pytest.mark.parametrize(("order", "first"), [("oldest", "I was there"), ("newest", "Odile's list"), ("top", "I was there")])
def test_the_orders(order: str, first: str, visitor: Any):
    """The order is a link; the pinned comment comes first in each."""
    page = visitor.get(f"{WEIR}?order={order}")
    pinned, rest = page.text.index("Bicycle lamps"), page.text.index(first)
    assert pinned < rest < min(page.text.index(words) for words in ("My bees", "The council has bought"))
    assert f'order={order}#comments-section" aria-current="true"' in page.source


def test_an_order_that_there_is_not(visitor: Any):
    """A page in an unknown order is the page in the usual one; JSON says what there is."""
    assert "Comments (9)" in visitor.get(f"{WEIR}?order=sideways").text
    assert "oldest, newest, top, best" in visitor.get(f"{WEIR}/thread.json?order=sideways", status=400).text


def test_more_comments_page_by_page(visitor: Any):
    """Links lead from page to page, and all comments are seen once."""
    seen, url = [], BEES
    while url:
        page = visitor.get(url)
        seen += [id for id in page.ids if id.startswith("c-")]
        url = next((link for link in page.links if "after=" in link and "/c/" not in link), "")
    assert len(seen) == len(set(seen)) >= 26


def test_more_replies(visitor: Any, site: Any):
    """Where a page leaves replies out, a link says how many, and leads to them."""
    root = thread_of(site, BEES).view(limit=1).comments[0].id
    page = visitor.get(BEES)
    assert "Show 5 more replies" in page.text
    more = next(link for link in page.links if link.startswith(f"{BEES}/c/{root}/replies?after="))
    rest = visitor.get(more).text
    assert "I second that, for the 7. time." in rest
    assert "I second that, for the 1. time." not in rest


def test_deep_replies_can_be_reached(visitor: Any):
    """A correspondence deeper than a page is followed by its links to the end."""
    known, ahead = {BEES}, [BEES]
    while "Letter 6 of" not in (page := visitor.get(ahead.pop(0))).text:
        fresh = [link for link in page.links if "/replies?after=" in link and link not in known]
        known.update(fresh)
        ahead += fresh
    assert len(known) > 1


def test_a_link_to_one_comment(visitor: Any, site: Any):
    """A link to a comment shows it below what it answers, and leads back to all."""
    deep = next(one for one in thread_of(site, WEIR).flat(limit=50).comments if "what colour" in (one.body or ""))
    page = visitor.get(f"{WEIR}/c/{deep.id}")
    for words in ("I was there on the fifth night", "it was a string", "what colour was it"):
        assert words in page.text
    assert "My bees" not in page.text
    assert f'id="b-{deep.id}"' in page.source
    assert "data-target" in page.source


def test_a_tombstone_keeps_its_replies(visitor: Any):
    """A deleted comment's words are gone, and what was answered to it stays; a removed comment is not shown at all."""
    page = visitor.get(CLOCK)
    assert "This comment was deleted by its author." in page.text
    assert "give him our regards" in page.text
    for words in ("brother-in-law", "idiot", "Cheap watches"):
        assert words not in page.source


def test_a_person(visitor: Any):
    """A page lists what one person said under all articles; who said nothing has none."""
    page = visitor.get("/people/u-jo")
    assert "Comments by Jo Park" in page.text
    assert "I took the train by mistake" in page.text
    assert SPOILER_NOTICE in page.text
    assert "Nobody has written" in visitor.get("/people/u-none", status=404).text


def test_right_to_left(visitor: Any):
    """An Arabic article reads from right to left, and each comment in its own direction."""
    page = visitor.get("/a/maktabat-al-qitar")
    assert '<main id="main" tabindex="-1" dir="rtl">' in page.source
    assert 'lang="ar" dir="rtl"' in page.source
    assert 'class="body" id="t-' in page.source
    assert page.source.count('tabindex="-1" dir="auto"') == 3


@pytest.mark.parametrize(
    "url",
    [
        "/a/no-such-article",
        f"{WEIR}/c/not-an-id",
        f"{WEIR}/c/01890000-0000-7000-8000-000000000000",
        f"{WEIR}/c/01890000-0000-7000-8000-000000000000/reply",
        f"{WEIR}/c/01890000-0000-7000-8000-000000000000/replies",
        "/nothing",
        "/static/../app.py",
    ],
)
def test_what_there_is_not(url: str, visitor: Any):
    """An address that leads nowhere is answered with 404 and a sentence."""
    assert "There is no such" in visitor.get(url, status=404).text


@pytest.mark.parametrize("url", [f"{WEIR}?after=nonsense", f"{WEIR}?order=top&after=MTIz", f"{WEIR}/thread.json?after=nonsense"])
def test_a_broken_cursor(url: str, visitor: Any):
    """A cursor that does not fit is answered with 400 and a way on."""
    assert "start from the first page" in visitor.get(url, status=400).text


def test_strangers_start_no_threads(visitor: Any, site: Any):
    """Asking for an article that there is not leaves no trace in the store."""
    before = list(site.store.threads())
    visitor.get("/a/made-up", status=404)
    assert list(site.store.threads()) == before
