"""Feeds, JSON and live events, over HTTP."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as Xml

import msgspec
import pytest

from threadstore import SPOILER_NOTICE, Actor, ThreadView

WEIR = "/a/lights-over-the-weir"
NOOR = Actor("staff-noor", "Noor", "moderator")
ATOM = "{http://www.w3.org/2005/Atom}"


def thread_of(site: Any) -> Any:
    return site.store.thread(site.by_slug["lights-over-the-weir"].key)


@pytest.mark.parametrize("url", ["/feed.atom", f"{WEIR}/feed.atom"])
def test_a_feed(url: str, visitor: Any, base: str):
    """A feed has the newest first, each with id, link, time and author; a spoiler's words are not in it."""
    answer = visitor.http.get(url)
    feed = Xml.fromstring(answer.text)
    entries = feed.findall(f"{ATOM}entry")
    assert answer.headers["content-type"] == "application/atom+xml"
    assert feed.findtext(f"{ATOM}id") == f"{base}{url}"
    published = [entry.findtext(f"{ATOM}published") for entry in entries]
    assert published == sorted(published, reverse=True)
    assert {f"{ATOM}id", f"{ATOM}title", f"{ATOM}updated", f"{ATOM}author", f"{ATOM}link"} <= {one.tag for one in entries[0]}
    assert SPOILER_NOTICE in [entry.findtext(f"{ATOM}content") for entry in entries]
    link = entries[0].find(f"{ATOM}link").get("href")
    assert visitor.http.get(link).status_code == 200


def test_a_feed_of_anything(visitor: Any, site: Any):
    """What XML can not carry does not break the feed."""
    thread_of(site).post("Bell \x07, form feed \x0c, \ufffe, <b> & ]]>, \U0001f41d", by=Actor("u-1", "Esc \x1b[31m"))
    contents = [entry.findtext(f"{ATOM}content") for entry in Xml.fromstring(visitor.http.get(f"{WEIR}/feed.atom").text)]
    assert "Bell �, form feed , �, <b> & ]]>, \U0001f41d" in [text for text in contents if text]


def test_a_thread_as_json(visitor: Any, site: Any):
    """The JSON is the library's own view, of a reader who has revealed nothing; `next` leads on."""
    answer = visitor.http.get(f"{WEIR}/thread.json?order=top")
    page = msgspec.json.decode(answer.content, type=ThreadView)
    assert answer.headers["content-type"] == "application/json"
    assert (page.counts.top_level, page.counts.replies, page.order) == (9, 3, "top")
    assert {comment.body for comment in page.comments if comment.spoiler} == {None}
    url = "/a/bees-on-the-council-roof/thread.json"
    first = visitor.http.get(url).json()
    rest = visitor.http.get(f"{url}?after={first['next']}").json()
    assert len(first["comments"]) + len(rest["comments"]) == first["counts"]["top_level"]


def test_json_shows_nobody_more(visitor: Any, site: Any):
    """Who asks for JSON makes no difference: what a reader has revealed in the browser stays there."""
    visitor.send(WEIR, f"{WEIR}/reveal")
    moderator = visitor.sign_in("noor")
    assert moderator.http.get(f"{WEIR}/thread.json").json()["comments"][2]["body"] is None


def test_nobody_is_known_to_a_cache(visitor: Any):
    """What caches may keep sets no cookie and is the same for everybody."""
    for url in ("/feed.atom", f"{WEIR}/feed.atom", f"{WEIR}/thread.json"):
        answer = visitor.http.get(url)
        assert answer.headers["cache-control"] == "public, max-age=10"
        assert "set-cookie" not in answer.headers


# --- events -------------------------------------------------------------------------------------------------------------------


class Listener:
    """Whoever has the page open."""

    def __init__(self, lines: Any) -> None:
        self.lines = lines

    def next(self) -> tuple[int, dict[str, Any]]:
        """Wait for the next event, and return its id and data."""
        id = 0
        for line in self.lines:
            if line.startswith("id: "):
                id = int(line.removeprefix("id: "))
            if line.startswith("data: "):
                return id, json.loads(line.removeprefix("data: "))
        raise AssertionError("the stream ended")


def test_an_event_comes_without_asking(visit: Any, site: Any):
    """What others do arrives as ids and counts, in the order in which it happened."""
    since = thread_of(site).revision
    with visit().http.stream("GET", f"{WEIR}/events?since={since}") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        listener = Listener(answer.iter_lines())
        one = visit().say("The heron saw all of it.")
        id, data = listener.next()
        assert data["posted"] == {one: ""}
        assert data["counts"]["top_level"] == 10
        two = visit().say("Which heron?", to=one)
        last, data = listener.next()
        assert (data["posted"], data["changed"]) == ({two: one}, [])
        thread_of(site).react(one, by="u-x")
        assert listener.next()[1]["changed"] == [one]
        thread_of(site).lock(by=NOOR)
        assert listener.next()[1]["article"]
        thread_of(site).remove(one, by=NOOR)
        assert listener.next()[1]["changed"] == [one]
        thread_of(site).restore(one, by=NOOR)
        assert listener.next()[1]["posted"] == {one: ""}
        site.store.erase_person("u-jo", by=NOOR)
        assert listener.next()[1]["everything"]
    assert id < last


def test_a_listener_rests_between_events(visit: Any, site: Any, monkeypatch: pytest.MonkeyPatch):
    """A connection looks at the store when something has happened, and not again and again."""
    from threadstore import StoredThread

    looks = []
    changes = StoredThread.changes
    monkeypatch.setattr(StoredThread, "changes", lambda *given, **named: (looks.append(given), changes(*given, **named))[1])
    thread = thread_of(site)
    with visit().http.stream("GET", f"{WEIR}/events?since={thread.revision}") as answer:
        listener = Listener(answer.iter_lines())
        for number in range(3):
            thread.post(f"Number {number}.", by=f"u-{number}")
            listener.next()
        for _ in range(20):
            visit().get("/sign-in")
    assert 3 <= len(looks) <= 8


def test_a_lost_connection_is_taken_up(visit: Any, site: Any):
    """With the last id of before, exactly what happened since comes: nothing is missed, nothing told twice."""
    thread = thread_of(site)
    since, told = thread.revision, []
    posted = [thread.post(f"Before, {number}.", by=f"u-{number}") for number in range(3)]
    with visit().http.stream("GET", f"{WEIR}/events?since={since}") as answer:
        last, data = Listener(answer.iter_lines()).next()
        told += data["posted"]
    posted += [thread.post(f"Meanwhile, {number}.", by=f"u-{number}") for number in range(250)]
    with visit().http.stream("GET", f"{WEIR}/events?since={since}", headers={"Last-Event-ID": str(last)}) as answer:
        listener = Listener(answer.iter_lines())
        while len(told) < len(posted):
            _, data = listener.next()
            told += data["posted"]
    assert told == posted


@pytest.mark.parametrize("since", ["", "abc", "-1", "9" * 30])
def test_a_strange_place_to_start_from(since: str, visitor: Any):
    """What is no revision means from the beginning."""
    with visitor.http.stream("GET", f"{WEIR}/events?since={since}", headers={"Last-Event-ID": since}) as answer:
        assert Listener(answer.iter_lines()).next()[1]["posted"]


def test_too_many_listeners(visit: Any, site: Any):
    """Connections are bounded, and given back when their readers go."""
    site.hub._limit = 1
    with visit().http.stream("GET", f"{WEIR}/events") as answer:
        listener = Listener(answer.iter_lines())  # as long as it is kept, so is the connection
        listener.next()
        refused = visit().http.get(f"{WEIR}/events", timeout=5)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")


def test_parts(visitor: Any, site: Any):
    """The page's script gets what a comment looks like now to its reader, what is gone, and the heading."""
    one = visitor.say("The heron saw all of it.")
    parts = visitor.get(f"{WEIR}/parts?c={one}", headers={"X-Fragment": "1"})
    assert "The heron saw all of it." in parts.text
    assert "Comments (10)" in parts.text
    thread_of(site).remove(one, by=Actor("staff-noor", "Noor", "moderator"))
    parts = visitor.get(f"{WEIR}/parts?c={one}&c=nonsense")
    assert f'<i data-gone="c-{one}"></i>' in parts.source
    assert "heron" not in parts.source
    assert "<html" not in parts.source


def test_parts_are_bounded(visitor: Any, site: Any):
    """However many comments are asked for, fifty come."""
    thread = thread_of(site)
    ids = [thread.post(f"Number {number}.", by=f"u-{number}") for number in range(60)]
    assert visitor.get(f"{WEIR}/parts?{'&'.join(f'c={id}' for id in ids)}").source.count('<article class="box"') == 50


def test_a_fragment_of_everything(visitor: Any, site: Any):
    """Each act answers the page's script with parts, and refuses it with a sentence for the live region."""
    script = {"X-Fragment": "1"}
    page = visitor.get(WEIR)
    fields = page.fields(f"{WEIR}/comments")
    posted = visitor.post(f"{WEIR}/comments", {**fields, "body": "Hello."}, **script)
    assert posted.status_code == 200
    assert '<div data-arrived="own">' in posted.text
    assert '<p data-say="status">Your comment is posted.</p>' in posted.text
    refused = visitor.post(f"{WEIR}/comments", {**fields, "body": "", "once": ""}, **script)
    assert refused.status_code == 422
    assert '<i data-focus="problem-top">' in refused.text
    id = thread_of(site).view(limit=1).comments[0].id
    for act in ("reply", "report"):
        assert 'class="slot"' in visitor.get(f"{WEIR}/c/{id}/{act}", headers=script).source
    forbidden = visitor.post(f"{WEIR}/c/{id}/pin", fields, **script)
    assert forbidden.status_code == 403
    assert 'data-say="alert"' in forbidden.text
    covers = visitor.post(f"{WEIR}/reveal", fields, **script)
    assert 'data-refresh="[data-spoiler]"' in covers.text
