"""The page in a real Chromium: what readers and moderators do, with a script and without, live, and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from threadstore import SPOILER_NOTICE, Actor

WEIR, CLOCK, BEES, RAIL = (
    "/a/lights-over-the-weir",
    "/a/the-clock-that-ran-ahead",
    "/a/bees-on-the-council-roof",
    "/a/maktabat-al-qitar",
)
NOOR = Actor("staff-noor", "Noor", "moderator")


@pytest.fixture
def expect(chromium: Any) -> Callable[..., Any]:
    from playwright.sync_api import expect

    expect.set_options(timeout=15_000)
    return expect


def thread_of(site: Any, url: str = WEIR) -> Any:
    return site.store.thread(site.by_slug[url.removeprefix("/a/")].key)


def comment_of(site: Any, words: str, url: str = WEIR) -> Any:
    return next(one for one in thread_of(site, url).flat(limit=100, reveal="all").comments if words in (one.body or ""))


def mark(page: Any) -> None:
    """Leave a mark in the page that a reload would wipe out."""
    page.evaluate("window.mark = true")


def is_same_page(page: Any) -> bool:
    return bool(page.evaluate("window.mark === true"))


def listening(page: Any) -> Any:
    """Wait until the page hears of what others do."""
    page.wait_for_selector("html[data-listening]")
    return page


def sign_in(page: Any, name: str) -> Any:
    page.goto("/sign-in")
    page.get_by_role("button", name=re.compile(name)).click()
    page.wait_for_url("**/")
    return page


def show_tools(box: Any) -> None:
    """Open what a moderator can do to a comment, where it is closed."""
    if box.locator("details").get_attribute("open") is None:
        box.get_by_text("Moderate").click()


def write(page: Any, body: str, *, name: str = "", spoiler: bool = False) -> None:
    form = page.locator("#f-top form")
    form.get_by_label("Your comment").fill(body)
    if name:
        form.get_by_label("Name").fill(name)
    if spoiler:
        form.get_by_label("Contains spoilers").check()
    form.get_by_role("button", name="Post the comment").click()


# --- spoilers -----------------------------------------------------------------------------------------------------------------


def test_a_spoiler_is_revealed_by_click(open_page: Any, site: Any, expect: Any):
    """A click on the notice shows this one comment in place, and the browser remembers it."""
    page = open_page(WEIR)
    mark(page)
    spoiler = comment_of(site, "It is always the farmer")
    cover = page.locator(f"#b-{spoiler.id}").get_by_role("button", name=SPOILER_NOTICE)
    assert "always the farmer" not in page.content()
    cover.click()
    expect(page.locator(f"#t-{spoiler.id}")).to_have_text("It was the farmer. It is always the farmer.")
    expect(page.get_by_role("button", name=SPOILER_NOTICE)).to_have_count(2)
    assert is_same_page(page)
    page.reload()
    expect(page.locator(f"#t-{spoiler.id}")).to_be_visible()
    expect(page.get_by_role("button", name=SPOILER_NOTICE)).to_have_count(2)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_spoiler_is_revealed_by_key(key: str, open_page: Any, site: Any, expect: Any):
    """The notice is reached and pressed by key, and the focus goes to the words."""
    page = open_page(WEIR)
    spoiler = comment_of(site, "It is always the farmer")
    page.locator(f"#reveal-{spoiler.id}").focus()
    page.keyboard.press(key)
    expect(page.locator(f"#t-{spoiler.id}")).to_be_focused()


def test_all_spoilers_are_revealed_and_covered(open_page: Any, expect: Any):
    """One button shows them all without reload, and remembers; one covers them again."""
    page = open_page(WEIR)
    mark(page)
    page.get_by_role("button", name="Show all spoilers").click()
    expect(page.get_by_role("button", name=SPOILER_NOTICE)).to_have_count(0)
    expect(page.get_by_text("It is always the farmer")).to_be_visible()
    assert is_same_page(page)
    page.reload()
    expect(page.get_by_text("It is always the farmer")).to_be_visible()
    page.get_by_role("button", name="Cover spoilers again").click()
    expect(page.get_by_role("button", name=SPOILER_NOTICE)).to_have_count(3)


# --- writing ------------------------------------------------------------------------------------------------------------------


def test_a_comment_is_written_in_place(open_page: Any, expect: Any):
    """A comment appears without reload, the heading counts it, the focus goes to it, and the live region says so."""
    page = open_page(WEIR)
    mark(page)
    write(page, "The heron saw all of it.", name="Mara")
    box = page.locator("article.box", has_text="The heron saw all of it.")
    expect(box).to_be_focused()
    expect(box.get_by_role("heading")).to_have_text("Mara")
    expect(page.get_by_role("heading", name="Comments (10)")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Your comment is posted.")
    expect(page.locator("#first-top")).to_have_value("")
    assert is_same_page(page)
    assert page.locator("article.box", has_text="The heron").count() == 1


def test_a_spoiler_is_written(open_page: Any, expect: Any):
    """What is ticked as a spoiler comes covered, to its author as well."""
    page = open_page(WEIR)
    write(page, "The butler had the kite.", spoiler=True)
    expect(page.get_by_role("button", name=SPOILER_NOTICE)).to_have_count(4)
    assert "The butler" not in page.content()


def test_a_reply_is_written_below(open_page: Any, site: Any, expect: Any):
    """ "Reply" opens a form that begins with the name, with the focus in it; the reply comes below what it answers."""
    page = open_page(WEIR)
    mark(page)
    to = comment_of(site, "My bees would never")
    page.locator(f"#reply-{to.id}").click()
    area = page.locator(f"#first-{to.id}")
    expect(area).to_be_focused()
    expect(area).to_have_value('@Susan "Sue" Park-Holm, ')
    area.press("End")
    area.type("mine would.")
    area.press("Control+Enter")
    reply = page.locator(f"#r-{to.id} article.box")
    expect(reply).to_contain_text('@Susan "Sue" Park-Holm, mine would.')
    expect(reply.locator("a.mention")).to_have_text('@Susan "Sue" Park-Holm')
    expect(page.locator("#heading")).to_contain_text("4 replies")
    assert is_same_page(page)


def test_what_is_refused_stays(open_page: Any, expect: Any):
    """A refusal is shown above the form, gets the focus, and leaves what was typed."""
    page = open_page(WEIR)
    write(page, "x" * 4_001, name="Mara")
    problem = page.get_by_role("alert")
    expect(problem).to_be_focused()
    expect(problem).to_have_text(re.compile("4,001 characters where 4,000 are allowed"))
    expect(page.locator("#first-top")).to_have_value("x" * 4_001)
    expect(page.locator("#first-top")).to_have_attribute("aria-describedby", "problem-top")
    page.locator("#first-top").fill("Shorter.")
    page.get_by_role("button", name="Post the comment").click()
    expect(page.locator("article.box", has_text="Shorter.")).to_be_visible()


def test_a_cancelled_form_gives_the_focus_back(open_page: Any, site: Any, expect: Any):
    """Cancel closes the form, and the focus is where it was."""
    page = open_page(WEIR)
    to = comment_of(site, "My bees would never")
    page.locator(f"#reply-{to.id}").click()
    expect(page.locator(f"#first-{to.id}")).to_be_focused()
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator(f"#reply-{to.id}")).to_be_focused()
    expect(page.locator(f"#first-{to.id}")).to_have_count(0)


def test_support_is_pressed_and_pressed_again(open_page: Any, site: Any, expect: Any):
    """ "I support" counts and shows one's own state, in place and with the focus kept; pressed again it is taken back."""
    page = open_page(WEIR)
    mark(page)
    id = comment_of(site, "I was there on the fifth night").id
    button = page.locator(f"#support-{id}")
    expect(button).to_have_text("I support 4")
    button.click()
    expect(button).to_have_text("I support 5")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(button).to_have_text("I support 4")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert is_same_page(page)


def test_signing_in_elsewhere(open_page: Any, site: Any, expect: Any):
    """A page that was open before its browser signed in says so once, and then speaks for the account."""
    page = open_page(WEIR)
    other = page.context.new_page()
    sign_in(other, "Jo")
    button = page.locator(f"#support-{comment_of(site, 'My bees would never').id}")
    button.click()
    expect(page.get_by_role("status")).to_have_text(re.compile("send it once more"))
    button.click()
    expect(button).to_have_text("I support 1")
    assert comment_of(site, "My bees would never").id in [
        one.id for one in thread_of(site).view(reader="u-jo").comments if one.reacted
    ]


def test_editing_deleting_and_reporting(open_page: Any, site: Any, expect: Any):
    """One's own comment is changed and deleted in place; another's is reported."""
    page = open_page(WEIR)
    mark(page)
    write(page, "Teh heron.")
    box = page.locator("article.box", has_text="Teh heron.")
    box.get_by_role("link", name="Edit").click()
    page.get_by_role("form", name="Change the comment").get_by_label("Your comment").fill("The heron.")
    page.get_by_role("button", name="Change it").click()
    box = page.locator("article.box", has_text="The heron.")
    expect(box).to_contain_text("changed")
    box.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="Comments (9)")).to_be_visible()
    expect(box).to_have_count(0)
    other = comment_of(site, "My bees would never")
    page.locator(f"#report-{other.id}").click()
    page.get_by_label("What is wrong with this comment?").fill("Bees.")
    page.get_by_role("button", name="Report it").click()
    expect(page.get_by_role("status")).to_have_text("Thank you. A moderator will look at it.")
    assert is_same_page(page)
    assert [item.id for page_ in site.store.queue() for item in page_.items if item.id == other.id] == [other.id]


# --- finding one's way --------------------------------------------------------------------------------------------------------


def test_sorting(open_page: Any, expect: Any):
    """The order is changed by a link, which says that it is the present one."""
    page = open_page(WEIR)
    page.get_by_role("link", name="Most supported").click()
    expect(page.locator(".orders a[aria-current]")).to_have_text("Most supported")
    second = page.locator("#comments > li").nth(1)
    expect(second).to_contain_text("I was there on the fifth night")


def test_more_in_place(open_page: Any, site: Any, expect: Any):
    """More comments and more replies come into the page, in their places, and the focus goes to the first of them."""
    page = open_page(BEES)
    mark(page)
    expect(page.locator("#comments > li")).to_have_count(20)
    page.get_by_role("link", name=re.compile("Load more comments")).click()
    expect(page.locator("#comments > li")).to_have_count(26)
    expect(page.locator("#comments > li:nth-child(21) > .box")).to_be_focused()
    expect(page.get_by_role("link", name=re.compile("Load more comments"))).to_have_count(0)
    root = thread_of(site, BEES).view(limit=1).comments[0].id
    page.locator(f"#m-{root} a").click()
    expect(page.locator(f"#r-{root} > li")).to_have_count(8)
    assert is_same_page(page)
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_deep_replies_in_place(open_page: Any, expect: Any):
    """A correspondence deeper than the page is opened step by step, where it is."""
    page = open_page(BEES)
    mark(page)
    for _ in range(6):
        if page.get_by_text("Letter 6 of this").count():
            break
        page.locator("#comments > li:first-child ol ol .more a").first.click()
        page.wait_for_load_state("networkidle")
    expect(page.get_by_text("Letter 6 of this")).to_be_visible()
    assert is_same_page(page)


def test_a_link_to_one_comment(open_page: Any, site: Any, expect: Any):
    """A comment's time is a link to it; there it stands in its context, and a link leads to all."""
    page = open_page(WEIR)
    deep = comment_of(site, "what colour was it")
    page.locator(f"#b-{deep.id} a.when").click()
    expect(page).to_have_url(re.compile(rf"/c/{deep.id}$"))
    expect(page.locator("[data-target]")).to_contain_text("what colour was it")
    expect(page.get_by_text("I was there on the fifth night")).to_be_visible()
    expect(page.get_by_text("My bees would never")).to_have_count(0)
    page.get_by_role("link", name="All comments").click()
    expect(page.get_by_text("My bees would never")).to_be_visible()


# --- corrections --------------------------------------------------------------------------------------------------------------

SELECT = """([start, end]) => {
    const texts = document.createTreeWalker(document.querySelector("#text .text"), NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
        if (node.data.includes(start)) range.setStart(node, node.data.indexOf(start));
        if (node.data.includes(end)) range.setEnd(node, node.data.indexOf(end) + end.length);
    }
    getSelection().removeAllRanges();
    getSelection().addRange(range);
}"""


def test_a_correction_by_keys(open_page: Any, site: Any, expect: Any):
    """Mark a passage, press Ctrl+Enter: the form shows the passage; what is sent is marked in the article."""
    page = open_page(WEIR)
    mark(page)
    page.evaluate(SELECT, ["a barn owl", "a barn owl"])
    page.keyboard.press("Control+Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".passage")).to_have_text("a barn owl")
    expect(dialog.get_by_label("How it should read")).to_be_focused()
    dialog.get_by_label("How it should read").fill("an owl")
    dialog.get_by_role("button", name="Send the correction").click()
    expect(page.locator("#text mark")).to_have_text("a barn owl")
    expect(dialog).to_have_count(0)
    assert is_same_page(page)
    [suggested] = [
        one for one in thread_of(site).corrections(text=site.by_slug["lights-over-the-weir"].text) if one.suggestion == "an owl"
    ]
    assert suggested.quote.exact == "a barn owl"


def test_a_passage_behind_an_accepted_correction(open_page: Any, expect: Any):
    """What corrections have added to the page does not count: a passage behind them, across paragraphs, is the one meant."""
    page = open_page(WEIR)
    page.evaluate(SELECT, ["embankment.", "Two pilots"])
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("dialog").locator(".passage")).to_have_text(re.compile(r"^embankment\.\s+Two pilots$"))
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_correction_by_touch(open_page: Any, expect: Any):
    """On a touch screen, a button appears while a passage is marked."""
    page = open_page(WEIR, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    button = page.get_by_role("button", name="Correct this passage")
    expect(button).to_be_hidden()
    page.evaluate(SELECT, ["a barn owl", "a barn owl"])
    expect(button).to_be_visible()
    button.tap()
    expect(page.get_by_role("dialog").locator(".passage")).to_have_text("a barn owl")


# --- live ---------------------------------------------------------------------------------------------------------------------


def test_two_browsers_see_each_other(open_page: Any, expect: Any):
    """What one reader writes, answers and supports the other sees without reload, and the other way round, each once."""
    one, two = (listening(open_page(WEIR)) for _ in range(2))
    for page in (one, two):
        mark(page)
    write(one, "Is anybody here?", name="Mara")
    seen = two.locator("article.box", has_text="Is anybody here?")
    expect(seen).to_be_visible()
    expect(two.get_by_role("heading", name="Comments (10)")).to_be_visible()
    seen.get_by_role("link", name="Reply").click()
    form = two.get_by_role("form", name="Reply to Mara")
    form.get_by_label("Reply to Mara").fill("@Mara, I am.")
    form.get_by_role("button", name="Post the reply").click()
    expect(one.locator("ol.replies article.box", has_text="@Mara, I am.")).to_be_visible()
    one.locator("article.box", has_text="@Mara, I am.").get_by_role("button", name="I support").click()
    expect(two.locator("article.box", has_text="@Mara, I am.").get_by_role("button", name="I support")).to_have_text(
        "I support 1"
    )
    for page in (one, two):
        assert is_same_page(page)
        assert page.locator("article.box", has_text="Is anybody here?").count() == 1
        assert page.locator("article.box", has_text="@Mara, I am.").count() == 1


def test_what_arrives_disturbs_nobody(open_page: Any, site: Any, expect: Any):
    """Whoever is writing keeps their text and the focus while the comment above changes."""
    page = listening(open_page(WEIR))
    to = comment_of(site, "My bees would never")
    page.locator(f"#reply-{to.id}").click()
    area = page.locator(f"#first-{to.id}")
    area.fill("Half a sent")
    thread_of(site).react(to.id, by="u-x")
    expect(page.locator(f"#support-{to.id}")).to_have_text("I support 1")
    expect(area).to_have_value("Half a sent")
    expect(area).to_be_focused()


def test_an_answer_outlives_what_it_answers(open_page: Any, site: Any, expect: Any):
    """Whoever is writing an answer keeps it when the comment is taken down meanwhile, and is told when it is sent."""
    page = listening(open_page(WEIR))
    to = comment_of(site, "My bees would never")
    page.locator(f"#reply-{to.id}").click()
    area = page.locator(f"#first-{to.id}")
    area.fill("Half a sentence")
    thread_of(site).remove(to.id, by=NOOR, reason="Bees.")
    expect(page.locator(f"#b-{to.id}")).to_have_text("This comment is no longer shown.")
    expect(area).to_have_value("Half a sentence")


def test_what_happens_elsewhere_stays_there(open_page: Any, site: Any, expect: Any):
    """A change to a comment that is not on the page, say on a later one, does not bring it here."""
    page = listening(open_page(f"{BEES}?order=newest"))
    first = thread_of(site, BEES).view(limit=1).comments[0].id
    thread_of(site, BEES).react(first, by="u-x")
    seen = thread_of(site, BEES).view(order="newest", limit=1).comments[0].id
    thread_of(site, BEES).react(seen, by="u-x")
    expect(page.locator(f"#support-{seen}")).to_have_text("I support 1")
    expect(page.locator(f"#c-{first}")).to_have_count(0)


def test_a_person_is_erased(open_page: Any, site: Any, expect: Any):
    """When somebody's words are erased, they leave the pages that are open."""
    page = listening(open_page(WEIR))
    expect(page.get_by_text("I was there on the fifth night")).to_be_visible()
    site.store.erase_person("u-ann", by=NOOR)
    expect(page.get_by_text("I was there on the fifth night")).to_have_count(0)
    expect(page.get_by_text("This comment was erased.")).to_be_visible()


def test_what_is_removed_or_held_leaves_the_page(open_page: Any, site: Any, expect: Any):
    """A comment that a moderator takes down vanishes from open pages, and comes back when it is restored."""
    page = listening(open_page(WEIR))
    thread, id = thread_of(site), comment_of(site, "My bees would never").id
    thread.remove(id, by=NOOR, reason="Bees.")
    expect(page.locator(f"#b-{id}")).to_have_count(0)
    expect(page.get_by_role("heading", name="Comments (8)")).to_be_visible()
    thread.restore(id, by=NOOR)
    expect(page.locator(f"#b-{id}")).to_contain_text("My bees would never")
    thread.lock(by=NOOR)
    expect(page.locator("#closed")).to_contain_text("has been closed")


def test_a_spoiler_arrives_covered(open_page: Any, site: Any, expect: Any):
    """What arrives as a spoiler is covered, and its words are nowhere in the page."""
    page = listening(open_page(WEIR))
    id = thread_of(site).post("The butler had the kite.", by=Actor("u-x", "Xenia"), spoiler=True)
    expect(page.locator(f"#b-{id}").get_by_role("button", name=SPOILER_NOTICE)).to_be_visible()
    assert "butler" not in page.content()


@pytest.mark.parametrize(("order", "place"), [("newest", "#comments > li:nth-child(2)"), ("top", "#arrived > li")])
def test_where_a_comment_arrives(order: str, place: str, open_page: Any, site: Any, expect: Any):
    """Newest first means at the head of the list; in an order of merit what is new comes below."""
    page = listening(open_page(f"{WEIR}?order={order}"))
    thread_of(site).post("Fresh from the weir.", by=Actor("u-x", "Xenia"))
    if order == "newest":
        expect(page.locator("#comments > li").first).to_contain_text("Fresh from the weir.")
    else:
        expect(page.locator(place)).to_contain_text("Fresh from the weir.")


def test_what_has_arrived_takes_its_place(open_page: Any, site: Any, expect: Any):
    """A comment that came in below the list moves to its place when the rest is loaded, and is shown once."""
    thread_of(site, BEES).unlock(by=NOOR)
    page = listening(open_page(f"{BEES}?order=oldest"))
    id = thread_of(site, BEES).post("Fresh from the hive.", by=Actor("u-x", "Xenia"))
    expect(page.locator(f"#arrived #c-{id}")).to_have_count(1)
    page.get_by_role("link", name=re.compile("Load more comments")).click()
    expect(page.locator(f"#comments #c-{id}")).to_have_count(1)
    expect(page.locator(f"#c-{id}")).to_have_count(1)


def test_a_lost_connection_is_taken_up(open_page: Any, path: Path, make_site: Any, visit: Any, serve_again: Any, expect: Any):
    """The site goes away and comes back: what was said meanwhile is on the open page, all of it and each once."""
    page = listening(open_page(WEIR))
    mark(page)
    before = visit().say("Before the storm.")
    expect(page.locator(f"#c-{before}")).to_have_count(1)
    posted: list[str] = [before]

    def meanwhile(site: Any) -> None:
        posted.extend(thread_of(site).post(f"In the storm, {number}.", by=f"u-{number}") for number in range(120))

    site = serve_again(meanwhile)
    listening(page)
    posted.append(thread_of(site).post("After the storm.", by="u-x"))
    expect(page.locator(f"#c-{posted[-1]}")).to_have_count(1)
    expect(page.get_by_role("heading", name="Comments (131)")).to_be_visible()
    shown = page.eval_on_selector_all("#comments > li", "all => all.map(one => one.id.slice(2))")
    assert [id for id in shown if id in posted] == posted
    assert len(shown) == len(set(shown))
    assert is_same_page(page)


def test_a_hidden_page_catches_up(open_page: Any, site: Any, expect: Any):
    """A page that nobody looks at gives its connection back, and has everything once when it is looked at again."""
    page = listening(open_page(WEIR))
    hide = "hidden => { Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });"
    page.evaluate(hide + " document.dispatchEvent(new Event('visibilitychange')); }", True)
    posted = [thread_of(site).post(f"Unseen, number {number}.", by=f"u-{number}") for number in range(3)]
    page.evaluate(hide + " document.dispatchEvent(new Event('visibilitychange')); }", False)
    for id in posted:
        expect(page.locator(f"#c-{id}")).to_have_count(1)


# --- moderating ---------------------------------------------------------------------------------------------------------------


def test_a_moderator_at_work(open_page: Any, site: Any, expect: Any):
    """Sign in, look at the queue with its reports, approve, remove with a reason, restore, pin, see the history, close."""
    reader = listening(open_page(WEIR))
    page = sign_in(open_page(), "Noor")
    page.get_by_role("link", name="Moderation").click()
    item = page.locator(".waits", has_text="You are all fools")
    expect(item.get_by_role("complementary")).to_contain_text("Rude, and wrong about the farmer.")
    item.get_by_role("button", name="Approve").click()
    expect(page.locator(".waits", has_text="You are all fools")).to_have_count(0)
    expect(reader.locator("article.box", has_text="You are all fools")).to_be_visible()
    page.goto(WEIR)
    mark(page)
    box = page.locator("article.box", has_text="You are all fools")
    show_tools(box)
    box.get_by_role("link", name="Remove…").click()
    page.get_by_label("Why is it removed?").fill("Rude after all.")
    page.get_by_role("button", name="Remove it").click()
    expect(box).to_contain_text("Removed. Only moderators see it.")
    expect(reader.locator("article.box", has_text="You are all fools")).to_have_count(0)
    show_tools(box)
    box.get_by_role("button", name="Restore").click()
    expect(reader.locator("article.box", has_text="You are all fools")).to_be_visible()
    show_tools(box)
    box.get_by_role("button", name="Pin").click()
    expect(box).to_contain_text("Pinned")
    assert is_same_page(page)
    show_tools(box)
    box.get_by_role("link", name="History").click()
    expect(page.get_by_role("table")).to_contain_text("Rude after all.")
    page.goto(WEIR)
    page.get_by_label("Reason").fill("Enough.")
    page.get_by_role("button", name="Close the conversation").click()
    expect(page.get_by_role("button", name="Open the conversation again")).to_be_visible()
    expect(reader.locator("#closed")).to_contain_text("has been closed")


def test_an_editor_decides(open_page: Any, expect: Any):
    """An accepted correction marks its passage for everybody, in open pages too."""
    reader = listening(open_page(WEIR))
    page = sign_in(open_page(), "Wim")
    page.goto(WEIR)
    expect(page.locator("#text mark")).to_have_text("Two pilots")
    page.get_by_role("button", name="Accept").click()
    expect(page.locator("#text del").nth(1)).to_have_text("Two pilots")
    expect(reader.locator("#text ins").nth(1)).to_have_text("Three pilots")


# --- without a script ---------------------------------------------------------------------------------------------------------


def test_without_javascript(open_page: Any, site: Any, expect: Any):
    """Reading, revealing, posting, replying, reacting and sorting work through plain forms."""
    page = open_page(WEIR, java_script_enabled=False)
    spoiler = comment_of(site, "It is always the farmer")
    page.locator(f"#reveal-{spoiler.id}").click()
    expect(page.locator(f"#t-{spoiler.id}")).to_contain_text("always the farmer")
    page.get_by_label("Your comment").fill("No script here.")
    page.get_by_label("Name").fill("Plain")
    page.get_by_role("button", name="Post the comment").click()
    expect(page.locator("[data-target]")).to_contain_text("No script here.")
    page.get_by_role("link", name="All comments").click()
    id = comment_of(site, "I was there on the fifth night").id
    page.locator(f"#support-{id}").click()
    expect(page.locator(f"#support-{id}")).to_have_text("I support 5")
    expect(page).to_have_url(re.compile(rf"#b-{id}$"))
    page.locator(f"#support-{id}").click()
    expect(page.locator(f"#support-{id}")).to_have_text("I support 4")
    page.locator(f"#reply-{id}").click()
    expect(page.get_by_role("textbox", name="Reply to Ann Lee")).to_have_value("@Ann Lee, ")
    page.get_by_role("textbox", name="Reply to Ann Lee").fill("@Ann Lee, plainly.")
    page.get_by_role("button", name="Post the reply").click()
    expect(page.locator("[data-target]")).to_contain_text("@Ann Lee, plainly.")
    page.goto(BEES)
    page.get_by_role("link", name=re.compile("Load more comments")).click()
    expect(page.get_by_text("the minutes of the 25. meeting")).to_be_visible()


# --- keyboard, screen reader, phone, dark, right to left ----------------------------------------------------------------------


def test_by_keyboard_alone(open_page: Any, expect: Any):
    """From the skip link to a posted comment without a pointer, and the focus is always to be seen."""
    page = open_page(WEIR)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        outlined = page.evaluate("getComputedStyle(document.activeElement).outlineStyle !== 'none'")
        assert outlined, page.evaluate("document.activeElement.outerHTML")
        if page.evaluate("document.activeElement.id") == "first-top":
            break
    page.keyboard.type("Typed by key.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("article.box", has_text="Typed by key.")).to_be_focused()


def test_what_a_screen_reader_is_told(open_page: Any, expect: Any):
    """Landmarks, headings and lists have roles and names; a comment is an article named after its author."""
    page = open_page(WEIR)
    for role, name in (
        ("main", None),
        ("navigation", "Order of the comments"),
        ("region", "Comments (9)"),
        ("list", "Replies to Ann Lee"),
        ("article", "Ann Lee"),
        ("status", None),
    ):
        expect(page.get_by_role(role, name=name, exact=True).first).to_be_attached()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


@pytest.mark.parametrize("url", ["/", WEIR, BEES, RAIL, "/sign-in", f"{WEIR}/correct"])
def test_a_phone(url: str, open_page: Any):
    """Nothing is wider than a phone, down to 320 pixels."""
    page = open_page(url, viewport={"width": 320, "height": 640}, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_phone_of_a_moderator(open_page: Any, site: Any):
    """The queue and the history fit a phone as well."""
    page = sign_in(open_page(viewport={"width": 320, "height": 640}, is_mobile=True), "Noor")
    for url in ("/moderation", "/moderation/conversations", WEIR, f"{WEIR}/history"):
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, url


def test_light_and_dark(open_page: Any):
    """The page follows the reader's choice of light or dark."""
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light, dark = (open_page(WEIR, color_scheme=scheme).evaluate(paper) for scheme in ("light", "dark"))
    assert (light, dark) == ("rgb(255, 253, 249)", "rgb(23, 23, 22)")


def test_right_to_left(open_page: Any, site: Any):
    """In a right-to-left page replies are set in from the right, and a comment in English keeps its own direction."""
    page = open_page(RAIL)
    root = thread_of(site, RAIL).view(limit=1).comments[0]
    outer, inner = (page.locator(f"#b-{id}").bounding_box() for id in (root.id, root.replies[0].id))
    assert inner["x"] + inner["width"] < outer["x"] + outer["width"]
    english = page.locator(".body", has_text="I took the train by mistake")
    assert english.evaluate("one => getComputedStyle(one).direction") == "ltr"


# --- safety -------------------------------------------------------------------------------------------------------------------


def test_a_script_in_every_field_does_not_run(open_page: Any, site: Any, expect: Any):
    """What is typed as markup is read as text: no dialog, no request elsewhere, nothing of it runs, for readers or moderators."""
    attack = '<img src=x onerror="window.hacked=1;alert(1)"><script>window.hacked=1;alert(2)</script><svg onload=alert(3)>\'">'
    page = listening(open_page(WEIR))
    other = listening(open_page(WEIR))
    write(page, attack, name=attack[:50])
    expect(other.locator("article.box", has_text="window.hacked")).to_be_visible()
    id = next(one.id for one in thread_of(site).flat(order="newest", limit=1).comments)
    other.locator(f"#reply-{id}").click()
    other.locator(f"#f-{id} button").click()
    page.evaluate(SELECT, ["a barn owl", "a barn owl"])
    page.keyboard.press("Control+Enter")
    page.get_by_label("How it should read").fill(attack)
    page.get_by_label("Note").fill(attack)
    page.get_by_role("button", name="Send the correction").click()
    expect(page.locator("#text mark")).to_be_visible()
    other.locator(f"#report-{id}").click()
    other.get_by_label("What is wrong with this comment?").fill(attack)
    other.get_by_role("button", name="Report it").click()
    expect(other.get_by_role("status")).to_have_text(re.compile("Thank you"))
    moderator = sign_in(open_page(), "Noor")
    for url in ("/", WEIR, "/moderation", f"{WEIR}/c/{id}/history", f"{WEIR}/c/{id}", f"{WEIR}/c/{id}/edit"):
        moderator.goto(url)
        assert moderator.evaluate("window.hacked") is None, url
        assert moderator.locator("img, svg[onload]").count() == 0
    for open_one in (page, other):
        assert open_one.evaluate("window.hacked") is None


def test_the_policy_is_in_force(chromium: Any, base: str):
    """Were a script to get into the page in spite of all, the browser would not run it."""
    page = chromium.new_page(base_url=base)
    page.goto(WEIR)
    violated = page.evaluate(
        """() => new Promise(done => {
            document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective), { once: true });
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
        })"""
    )
    hacked = page.evaluate("window.hacked")
    page.close()
    assert violated.startswith("script-src")
    assert hacked is None


# --- no barriers --------------------------------------------------------------------------------------------------------------

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


def barriers(page: Any) -> list[str]:
    """Return what axe finds serious or critical."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{rule['id']}: {node['html']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barriers(scheme: str, open_page: Any, site: Any, expect: Any):
    """axe finds nothing serious on any page, with forms open, for readers and moderators, in light and dark."""
    if not AXE.exists():
        pytest.fail("axe-core is needed: npm install --prefix tests/site")
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    found = {}
    to = comment_of(site, "My bees would never").id
    for url in ("/", WEIR, BEES, RAIL, CLOCK, f"{WEIR}/c/{to}", f"{WEIR}/correct", "/sign-in", "/people/u-jo", "/nothing"):
        page.goto(url)
        found[url] = barriers(page)
    page.goto(WEIR)
    page.locator(f"#reply-{to}").click()
    expect(page.locator(f"#first-{to}")).to_be_focused()
    page.locator("#first-top").fill("x" * 5_000)
    page.get_by_role("button", name="Post the comment").click()
    expect(page.get_by_role("alert")).to_be_visible()
    found["forms"] = barriers(page)
    page.goto(WEIR)
    page.evaluate(SELECT, ["a barn owl", "a barn owl"])
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    found["the dialog"] = barriers(page)
    sign_in(page, "Noor")
    for url in ("/moderation", "/moderation/conversations", WEIR, f"{WEIR}/history"):
        page.goto(url)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        found[f"{url}, as a moderator"] = barriers(page)
    assert {url: list_ for url, list_ in found.items() if list_} == {}


# --- a large thread, and pictures ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with a thread of 100,000 comments."""
    from news_site.seed import large, seed

    path = tmp_path_factory.mktemp("large") / "site.db"
    seed(path, 1_777_800_000_000)
    assert large(path, 1_777_800_000_000) > 100_000
    return path


@pytest.fixture
def large_base(large: Path, make_site: Any, serving_site: Any) -> Any:
    with serving_site(make_site(large)) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_hundred_thousand_comments(chromium: Any, large_base: str, expect: Any):
    """The first page of a very long thread is as small as any, in each order, and more comes in place."""
    context = chromium.new_context(base_url=large_base)
    page = context.new_page()
    page.set_default_timeout(60_000)
    for order in ("oldest", "newest", "top", "best"):
        answer = page.goto(f"/a/the-longest-queue?order={order}", timeout=60_000)
        assert answer.ok
        assert len(answer.body()) < 250_000
        expect(page.locator("#comments > li")).to_have_count(20)
    page.get_by_role("link", name=re.compile("Load more comments")).click()
    expect(page.locator("#comments > li")).to_have_count(40)
    expect(page.locator("#heading")).to_contain_text("replies")
    context.close()


@pytest.mark.parametrize(
    ("name", "url", "account", "options"),
    [
        ("desktop", WEIR, "", {}),
        ("phone", WEIR, "", {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}),
        ("dark", WEIR, "", {"color_scheme": "dark"}),
        ("right-to-left", RAIL, "", {}),
        ("front", "/", "", {}),
        ("moderator", "/moderation", "Noor", {}),
        ("moderator-thread", WEIR, "Noor", {}),
        ("correction", WEIR, "", {}),
    ],
)
def test_pictures(name: str, url: str, account: str, options: dict[str, Any], chromium: Any, dated: str, expect: Any):
    """The pictures of the README are what the page looks like."""
    pictures = Path(__file__).parents[2] / "examples" / "news_site" / "screenshots"
    context = chromium.new_context(
        base_url=dated, **{"viewport": {"width": 1000, "height": 800}, "reduced_motion": "reduce", **options}
    )
    page = context.new_page()
    if account:
        sign_in(page, account)
    page.goto(url)
    if name == "correction":
        page.evaluate(SELECT, ["a barn owl", "a barn owl"])
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
    if name == "desktop":
        page.get_by_role("button", name=SPOILER_NOTICE).first.click()
        expect(page.get_by_text("always the farmer")).to_be_visible()
        page.evaluate("document.activeElement.blur()")
    page.screenshot(path=pictures / f"{name}.png", full_page=name not in ("correction", "phone", "moderator-thread"))
    assert (pictures / f"{name}.png").stat().st_size > 10_000
    context.close()


@pytest.fixture(scope="module")
def dated_store(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the invented conversations as of a certain day, so that the pictures stay the same."""
    from news_site.seed import seed

    path = tmp_path_factory.mktemp("dated") / "site.db"
    seed(path, 1_777_800_000_000)
    return path


@pytest.fixture
def dated(dated_store: Path, make_site: Any, serving_site: Any) -> Any:
    from news_site.articles import ARTICLES

    with serving_site(make_site(dated_store, articles=ARTICLES)) as port:
        yield f"http://127.0.0.1:{port}"
