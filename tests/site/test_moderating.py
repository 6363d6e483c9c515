"""What moderators and editors do, over HTTP: the queue, approving, removing, restoring, pins, locks, history, corrections."""

from __future__ import annotations

from typing import Any

import pytest

WEIR, CLOCK = "/a/lights-over-the-weir", "/a/the-clock-that-ran-ahead"


def thread_of(site: Any, url: str = WEIR) -> Any:
    return site.store.thread(site.by_slug[url.removeprefix("/a/")].key)


def waiting(site: Any, words: str) -> tuple[str, Any]:
    """Return where the item in the queue with these words is, and the item."""
    for page in site.store.queue():
        for item in page.items:
            if item.comment is not None and words in (item.comment.body or ""):
                return site.by_key[page.thread].url, item
    raise AssertionError(f"nothing waits with {words}")


def comment_of(site: Any, words: str, url: str = WEIR) -> Any:
    return next(one for one in thread_of(site, url).flat(limit=100, reveal="all").comments if words in (one.body or ""))


def test_the_queue_is_over_all_articles(moderator: Any):
    """Held and reported comments of all articles wait in one place, the reports beside them."""
    text = moderator.get("/moderation").text
    for words in (
        "Lights over the weir",
        "held reported Grump",
        "You are all fools",
        'Susan "Sue" Park-Holm : Rude.',
        "Ann Lee : (no reason given)",
        "The clock that ran ahead",
        "Cheap watches",
        "Off topic.",
    ):
        assert words in text


def test_the_queue_page_by_page(moderator: Any, site: Any, monkeypatch: pytest.MonkeyPatch):
    """A long queue goes on where the page before ended."""
    from news_site import moderating

    monkeypatch.setattr(moderating, "_THREADS", 1)
    first = moderator.get("/moderation")
    assert "You are all fools" in first.text
    assert "Cheap watches" not in first.text
    more = next(link for link in first.links if link.startswith("/moderation?after="))
    assert "Cheap watches" in moderator.get(more).text


def test_all_conversations(moderator: Any, visit: Any, site: Any, monkeypatch: pytest.MonkeyPatch):
    """Moderators see every conversation with its counts, the one that was busy last first, page by page."""
    from news_site import moderating

    visit().say("Fresh from the weir.")
    page = moderator.get("/moderation/conversations")
    assert page.text.index("Lights over the weir") < page.text.index("Bees on the council roof closed 26")
    assert "Lights over the weir 10 3 1 0 1" in page.text
    monkeypatch.setattr(moderating, "_THREADS", 2)
    first = moderator.get("/moderation/conversations")
    more = next(link for link in first.links if "?after=" in link)
    assert "Lights over the weir" not in moderator.get(more).text
    visit().get("/moderation/conversations", status=403)


@pytest.mark.parametrize("account", ["", "ann", "wim"])
def test_the_queue_is_for_moderators(account: str, visitor: Any):
    """Readers and editors are told to sign in as moderators, and see nothing of it."""
    if account:
        visitor.sign_in(account)
    for url in ("/moderation", f"{WEIR}/history"):
        page = visitor.get(url, status=403)
        assert "for moderators" in page.text
        assert "fools" not in page.source


def test_no_account_of_that_name(visitor: Any, site: Any):
    """Only accounts that there are can be signed in to, and only where the demonstration is on."""
    assert visitor.send("/sign-in", "/sign-in", account="system").status_code == 422
    site.demo = False
    assert visitor.send("/sign-in", "/sign-in", account="noor").status_code == 422


def test_signing_out(moderator: Any):
    """Whoever signs out is somebody new."""
    assert moderator.send("/", "/sign-out").status_code == 303
    moderator.get("/moderation", status=403)


def test_approving(moderator: Any, visit: Any, site: Any):
    """An approved comment is seen by all; it and its reports leave the queue."""
    url, item = waiting(site, "You are all fools")
    answer = moderator.send("/moderation", f"{url}/c/{item.id}/approve")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/moderation#b-{item.id}")
    assert "You are all fools" not in moderator.get("/moderation").text
    assert "You are all fools" in visit().get(WEIR).text


def test_what_comes_meanwhile_waits_again(moderator: Any, visit: Any, site: Any):
    """Approving is about the text and the reports that were on the screen: what came since stays in the queue."""
    author = visit()
    id = author.say("See https://herons.example for more.")
    fields = moderator.get("/moderation").fields(f"{WEIR}/c/{id}/approve")
    on = f"{WEIR}/c/{id}/edit"
    assert author.send(on, on, body="See https://cheap.example for more.").status_code == 303
    assert moderator.post(f"{WEIR}/c/{id}/approve", fields).status_code == 303
    assert "cheap.example" not in visit().get(WEIR).source
    page = moderator.get("/moderation")
    assert "stale" in page.text
    assert "cheap.example" in page.text
    assert moderator.send("/moderation", f"{WEIR}/c/{id}/approve").status_code == 303
    assert "cheap.example" in visit().get(WEIR).text


def test_answering_reports(moderator: Any, site: Any):
    """A reported comment with which nothing is wrong leaves the queue and stays on the page."""
    url, item = waiting(site, "Was it a good watch")
    assert moderator.send("/moderation", f"{url}/c/{item.id}/resolve").status_code == 303
    assert "Was it a good watch" not in moderator.get("/moderation").text
    assert "Was it a good watch" in moderator.get(CLOCK).text


def test_removing_with_a_reason_and_restoring(moderator: Any, visit: Any, site: Any):
    """A removed comment is shown to moderators alone, with its reason in the history; restored, it is back."""
    comment = comment_of(site, "My bees would never")
    on = f"{WEIR}/c/{comment.id}/remove"
    answer = moderator.send(on, on, reason=" ")
    assert answer.status_code == 422
    assert "Please give a reason" in answer.text
    assert moderator.send(on, on, reason="Bees are off topic.").status_code == 303
    assert "My bees" not in visit().get(WEIR).source
    assert "Comments (8)" in visit().get(WEIR).text
    page = moderator.get(WEIR)
    assert "Removed. Only moderators see it." in page.text
    history = moderator.get(f"{WEIR}/c/{comment.id}/history").text
    assert "Noor (moderator) comment.removed reason Bees are off topic." in history
    assert "comment.posted body My bees would never." in history
    assert moderator.send(WEIR, f"{WEIR}/c/{comment.id}/restore").status_code == 303
    assert "My bees would never" in visit().get(WEIR).text


def test_removing_from_the_queue(moderator: Any, site: Any):
    """The queue removes with a reason as well, and asks for one."""
    url, item = waiting(site, "Cheap watches")
    action = f"{url}/c/{item.id}/remove"
    assert moderator.send("/moderation", action, reason="").status_code == 422
    assert moderator.send("/moderation", action, reason="Advertising.").status_code == 303
    assert "Cheap watches" not in moderator.get("/moderation").text


def test_pinning(moderator: Any, visit: Any, site: Any):
    """A pinned comment comes first, and goes back to its place."""
    comment = comment_of(site, "Denied by the club")
    assert moderator.send(WEIR, f"{WEIR}/c/{comment.id}/pin").status_code == 303
    assert "Pinned" in visit().get(f"{WEIR}/c/{comment.id}").text
    assert moderator.send(WEIR, f"{WEIR}/c/{comment.id}/unpin").status_code == 303
    assert "Pinned" not in visit().get(f"{WEIR}/c/{comment.id}").text


def test_holding_and_covering(moderator: Any, visit: Any, site: Any):
    """A moderator holds a comment, and marks one as a spoiler."""
    comment = comment_of(site, "My bees would never")
    assert moderator.send(WEIR, f"{WEIR}/c/{comment.id}/cover").status_code == 303
    assert "My bees" not in visit().get(WEIR).source
    assert "spoilers" in visit().get(f"{WEIR}/c/{comment.id}").text
    assert moderator.send(WEIR, f"{WEIR}/c/{comment.id}/hold").status_code == 303
    assert "This comment waits for a moderator." in visit().get(f"{WEIR}/c/{comment.id}").text


def test_closing_the_conversation(moderator: Any, visit: Any, site: Any):
    """A closed conversation takes nothing more from readers until it is opened again."""
    assert moderator.send(WEIR, f"{WEIR}/lock", reason="Enough.").status_code == 303
    assert "This conversation has been closed." in visit().get(WEIR).text
    assert "thread.locked reason Enough." in moderator.get(f"{WEIR}/history").text
    assert moderator.send(WEIR, f"{WEIR}/unlock").status_code == 303
    visit().say("Where were we?")


def test_moderating_is_for_moderators(visitor: Any, site: Any):
    """Each act is refused to a reader by the library itself, whatever the page offered."""
    fields = visitor.get(WEIR).fields(f"{WEIR}/comments")
    id, before = comment_of(site, "My bees would never").id, thread_of(site).revision
    for act in ("approve", "restore", "remove", "resolve", "hold", "pin", "unpin"):
        assert visitor.post(f"{WEIR}/c/{id}/{act}", {**fields, "reason": "Because."}).status_code == 403, act
    correction = thread_of(site).corrections()[0].id
    for act in ("decide", "remove", "resolve"):
        answer = visitor.post(f"{WEIR}/corrections/{correction}/{act}", {**fields, "outcome": "declined", "reason": "Because."})
        assert answer.status_code == 403, act
    for act in ("lock", "unlock"):
        assert visitor.post(f"{WEIR}/{act}", fields).status_code == 403, act
    assert not visitor.get(WEIR).offers(f"{WEIR}/c/{id}/remove")
    assert visitor.get(f"{WEIR}/c/{id}/remove", status=403)
    assert thread_of(site).revision == before


def test_history_of_nothing(moderator: Any):
    """What never happened has no history."""
    moderator.get(f"{WEIR}/c/01890000-0000-7000-8000-000000000000/history", status=404)


@pytest.mark.parametrize("account", ["wim", "noor"])
def test_deciding_corrections(account: str, visitor: Any, visit: Any, site: Any):
    """An accepted correction marks its passage in the article for everybody; declined, it is gone."""
    editor = visitor.sign_in(account)
    [open_one] = [one for one in thread_of(site).corrections() if one.state == "open"]
    action = f"{WEIR}/corrections/{open_one.id}/decide"
    page = visit().get(WEIR)
    assert "<del>Febuary</del><ins data-added>February</ins>" in page.source
    assert "Three pilots" not in page.source
    assert "<mark>Two pilots</mark>" in editor.get(WEIR).source
    assert editor.send(WEIR, action, outcome="accepted").status_code == 303
    assert "<del>Two pilots</del><ins data-added>Three pilots</ins>" in visit().get(WEIR).source
    assert editor.send(WEIR, action, outcome="reopened").status_code == 303
    assert editor.send(WEIR, action, outcome="declined").status_code == 303
    assert "Three pilots" not in visit().get(WEIR).source
    assert editor.send(WEIR, action, outcome="perhaps").status_code == 422


def test_a_reported_correction(moderator: Any, visit: Any, site: Any):
    """A correction that was reported waits in the queue, and is let be or removed there."""
    thread = thread_of(site)
    [open_one] = [one for one in thread.corrections() if one.state == "open"]
    thread.report(open_one.id, by="u-x", reason="There were two.")
    assert "There were two." in moderator.get("/moderation").text
    assert moderator.send("/moderation", f"{WEIR}/corrections/{open_one.id}/resolve").status_code == 303
    assert "There were two." not in moderator.get("/moderation").text
    thread.report(open_one.id, by="u-y", reason="I counted.")
    assert moderator.send("/moderation", f"{WEIR}/corrections/{open_one.id}/remove", reason="Wrong.").status_code == 303
    assert "Three pilots" not in visit().sign_in("wim").get(WEIR).source
    assert moderator.send(WEIR, f"{WEIR}/corrections/{open_one.id}/restore").status_code == 303
    assert "Three pilots" in visit().sign_in("wim").get(WEIR).source
