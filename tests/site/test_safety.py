"""What keeps the page safe, over HTTP: escaping, headers, foreign forms, bounds, pace, and nothing concealed anywhere."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

WEIR, CLOCK = "/a/lights-over-the-weir", "/a/the-clock-that-ran-ahead"
ATTACK = '"\'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}</textarea><a href="javascript:alert(3)">'
SITE = Path(__file__).parents[2] / "examples" / "news_site"


def thread_of(site: Any, url: str = WEIR) -> Any:
    return site.store.thread(site.by_slug[url.removeprefix("/a/")].key)


# --- escaping -----------------------------------------------------------------------------------------------------------------


def test_a_script_in_every_field(visitor: Any, visit: Any, site: Any, moderator: Any):
    """What readers type is shown as they typed it and is markup nowhere, whoever looks and on whichever page."""
    name = ATTACK[:60]
    id = visitor.say(ATTACK, name=name)
    visit().say(f"@{name} {ATTACK}", to=id, name=name)
    visitor.send(f"{WEIR}/correct", f"{WEIR}/correct", passage="a barn owl", suggestion=ATTACK, note=ATTACK)
    on = f"{WEIR}/c/{id}/report"
    visit().send(on, on, reason=ATTACK)
    shown = [visitor.get(url) for url in ("/", WEIR, f"{WEIR}/c/{id}", f"{WEIR}/c/{id}/edit", f"{WEIR}/c/{id}/reply")]
    shown += [moderator.get(url) for url in (WEIR, "/moderation", f"{WEIR}/history", f"{WEIR}/c/{id}/history")]
    refused = visitor.send(WEIR, f"{WEIR}/comments", body=ATTACK + "x" * 5_000)
    sources = [page.source for page in shown] + [refused.text]
    for source in sources:
        assert "<img src=x" not in source
        assert "<script>alert" not in source
        assert "49" not in re.findall(r"onerror=alert\(2\)&gt;(..)", source)
        assert 'href="javascript:' not in source
        assert len(re.findall("<script", source)) == 1
    assert sum("&lt;img src=x" in source for source in sources) == len(sources)


def test_no_template_marks_anything_as_safe():
    """Escaping is on for every template, and switched off in none."""
    for template in sorted((SITE / "templates").iterdir()):
        source = template.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape\s+false|<script(?! src=)|\sstyle=|\son[a-z]+=\"", source), template.name


@pytest.mark.parametrize(
    "url",
    [
        "/people/%00",
        "/people/" + "x" * 3_000,
        f"{WEIR}/correct?start={'9' * 5_000}&end=1",
        f"{WEIR}/correct?start=%c2%b2&end=3",
        f"{WEIR}/parts?c=%00&c={'x' * 2_000}&c=",
        f"{WEIR}?order=%ff&after=%00",
        f"{WEIR}?after={'A' * 5_000}",
        "/people/u-jo?before=99999999999999999999",
        "/people/u-jo?before=-3",
        f"{WEIR}/c/{'0' * 8}-0000-7000-8000-{'0' * 12}?x=%",
        "/sign-in?back=%0d%0aSet-Cookie:x",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/%2e%2e/app.py",
    ],
)
def test_a_strange_address(url: str, visitor: Any):
    """No address, however strange, breaks anything."""
    answer = visitor.http.get(url)
    assert answer.status_code < 500
    assert "set-cookie: x" not in str(answer.headers).lower()


def test_an_attack_in_the_address(visitor: Any):
    """What stands in the address is shown nowhere unescaped."""
    for url in (
        f"{WEIR}?order={ATTACK}",
        f"/people/{ATTACK.replace('/', '')}",
        f"/sign-in?back={ATTACK}",
        f"{WEIR}?after={ATTACK}",
    ):
        answer = visitor.http.get(url)
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text


# --- headers and cookies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["/", WEIR, "/nothing", "/static/page.js", "/feed.atom", f"{WEIR}/thread.json", f"{WEIR}?after=bad", "/moderation"]
)
def test_headers(url: str, visitor: Any):
    """Every answer, refusals too, has the strict policy: no inline script, no frame, no foreign form."""
    headers = visitor.http.get(url).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"


def test_cookies(visitor: Any, site: Any):
    """Cookies are for this site's own pages and out of reach of scripts; personal pages are kept by no cache."""
    answer = visitor.http.get(WEIR)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert answer.headers["cache-control"] == "no-store"
    spoiler = next(one.id for one in thread_of(site).flat(limit=50).comments if one.spoiler)
    cookie = visitor.send(WEIR, f"{WEIR}/c/{spoiler}/reveal").headers["set-cookie"].lower()
    for word in ("httponly", "samesite=lax", f"path={WEIR}"):
        assert word in cookie


def test_cookies_over_https(path: Any, make_site: Any, serving_site: Any, new_visitor: Any):
    """Behind HTTPS, cookies are for HTTPS only."""
    with serving_site(make_site(path, secure=True)) as port, new_visitor(f"http://127.0.0.1:{port}").http as http:
        answer = http.get(WEIR)
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_forged_session(visitor: Any):
    """A cookie that was changed is no session: nobody makes themselves a moderator."""
    visitor.sign_in("noor")
    visitor.get("/moderation")
    session = visitor.http.cookies["session"]
    visitor.http.cookies.clear()
    visitor.http.cookies.set("session", "x" + session[1:])
    assert "for moderators" in visitor.get("/moderation", status=403).text


# --- foreign forms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "url"),
    [
        (f"{WEIR}/comments", WEIR),
        (f"{WEIR}/correct", WEIR),
        (f"{WEIR}/reveal", WEIR),
        (f"{WEIR}/lock", WEIR),
        ("/sign-in", "/sign-in"),
        ("/sign-out", "/sign-in"),
    ],
)
@pytest.mark.parametrize("token", ["", "another", None])
def test_forms_of_other_sites(action: str, url: str, token: str | None, visitor: Any, site: Any):
    """Without the token of this browser's session, nothing is done; what was typed comes back with a token that works."""
    before = thread_of(site).revision
    visitor.get(url)
    answer = visitor.post(
        action, {"csrf": token, "body": "Forged.", "account": "noor", "passage": "a barn owl", "suggestion": "x"}
    )
    assert answer.status_code == 403
    assert "send it once more" in answer.text
    assert thread_of(site).revision == before
    if action.endswith("comments"):
        again = type(visitor.get("/"))(answer.text).fields(action)
        assert again["body"] == "Forged."
        assert visitor.post(action, again).status_code == 303


def test_a_foreign_origin(visitor: Any, site: Any):
    """A right token from another site's page is refused as well."""
    fields = visitor.get(WEIR).fields(f"{WEIR}/comments")
    fields["body"] = "From elsewhere."
    answer = visitor.post(f"{WEIR}/comments", fields, Origin="https://elsewhere.example")
    assert answer.status_code == 403
    assert thread_of(site).counts().top_level == 9


def test_reading_changes_nothing(visitor: Any, site: Any):
    """What writes is never done by following a link: each such address answers a GET with a form or with 404 or 405."""
    before = site.store.log.position()
    id = thread_of(site).view(limit=1).comments[0].id
    for act in ("support", "reveal", "delete", "approve", "restore", "remove", "pin", "unpin", "hold", "resolve", "cover"):
        assert visitor.http.get(f"{WEIR}/c/{id}/{act}").status_code in (403, 404, 405)
    for act in ("comments", "lock", "unlock", "reveal", "cover"):
        assert visitor.http.get(f"{WEIR}/{act}").status_code in (404, 405)
    assert site.store.log.position() == before


@pytest.mark.parametrize(
    "back",
    [
        "https://elsewhere.example/",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "javascript:alert(1)",
        "/a b",
        "/" + "x" * 2_000,
    ],
)
def test_the_way_back_stays_here(back: str, visitor: Any):
    """A form leads back to a page of this site, whatever it says."""
    for answer in (
        visitor.send("/sign-in", "/sign-in", account="ann", back=back),
        visitor.send(WEIR, f"{WEIR}/reveal", back=back),
    ):
        assert answer.status_code == 303
        assert answer.headers["location"].partition("#")[0] in ("/", WEIR)


def test_a_token_of_before_the_sign_in(visitor: Any):
    """Signing in begins with a new token, so that no page from before speaks for the account."""
    old = visitor.get("/sign-in").fields("/sign-in")["csrf"]
    visitor.sign_in("noor")
    assert visitor.post(f"{WEIR}/lock", {"csrf": old}).status_code == 403


# --- bounds -------------------------------------------------------------------------------------------------------------------


def test_a_request_that_is_too_large(visitor: Any, site: Any):
    """A body over the bound is refused with a sentence before it is read."""
    before = thread_of(site).revision
    fields = {**visitor.get(WEIR).fields(f"{WEIR}/comments"), "body": "x" * 200_000}
    answer = visitor.post(f"{WEIR}/comments", fields)
    assert answer.status_code == 413
    assert "at most 128 KB" in answer.text
    assert thread_of(site).revision == before


def test_a_request_that_does_not_say_how_large_it_is(visitor: Any, site: Any):
    """A body that comes in pieces is counted as it comes."""
    csrf = visitor.get(WEIR).fields(f"{WEIR}/comments")["csrf"]
    pieces = (piece for piece in [f"csrf={csrf}&body=".encode(), *[b"x" * 10_000] * 30])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = visitor.http.post(f"{WEIR}/comments", content=pieces, headers=headers)
    assert answer.status_code == 413
    assert thread_of(site).counts().top_level == 9


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"body=%ff%fe", "application/x-www-form-urlencoded", 400),
        (b"body=\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=1"] * 50), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
        (b"", "", 415),
    ],
)
def test_what_is_no_form(content: bytes, kind: str, status: int, visitor: Any, site: Any):
    """Other content is refused with a sentence."""
    answer = visitor.http.post(f"{WEIR}/comments", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert '<p class="problem" role="alert">' in answer.text
    assert thread_of(site).counts().top_level == 9


def test_broken_lengths(base: str):
    """A length that is no number is refused by the server or by the site."""
    address = urlsplit(base)
    for length in (b"-5", b"1e9", b"9" * 40):
        with socket.create_connection((address.hostname, address.port), timeout=10) as raw:
            raw.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + length + b"\r\n\r\n")
            assert raw.recv(100).split()[1] in (b"400", b"413")


def test_a_foreign_host(visitor: Any):
    """The site answers to its own names only, so that no other name can be made to lead here."""
    assert visitor.http.get("/", headers={"Host": "elsewhere.example"}).status_code == 400


def test_the_pace_of_an_address(path: Any, make_site: Any):
    """One address writes only so much within a minute, whatever names and cookies it uses."""
    from news_site.safety import Pace, Refused

    pace = Pace(2, addresses=2)
    pace.check("a", 0.0)
    pace.check("a", 10.0)
    with pytest.raises(Refused) as refused:
        pace.check("a", 20.0)
    assert (refused.value.status, refused.value.retry_after) == (429, 40)
    pace.check("b", 20.0)
    pace.check("a", 60.0)
    for address in "cdefg":
        pace.check(address, 60.0)
    assert len(pace._seen) == 2


def test_many_visitors_from_one_address(visit: Any, site: Any):
    """New cookies do not help whoever writes too much."""
    from news_site.safety import Pace

    site.pace = Pace(3)
    for number in range(3):
        visit().say(f"Number {number}.")
    answer = visit().send(WEIR, f"{WEIR}/comments", body="One more.")
    assert answer.status_code == 429
    assert "Too much comes from your address." in answer.text
    assert "One more.</textarea>" in answer.text


def test_a_page_is_bounded(visitor: Any, site: Any):
    """However large a thread, and however long its comments, the HTML of a page stays below a bound."""
    from threadstore import Actor, CommentPosted, id_for

    key, parent, events = site.by_slug["the-clock-that-ran-ahead"].key, None, []
    for number in range(3_000):
        id = id_for(1_700_000_000_000 + number, str(number), after=parent)
        parent = id if number % 3 else None
        events.append(
            CommentPosted(
                id=id, thread=key, actor=Actor(f"u-{number}", "N"), parent=parent if parent != id else None, body="<" * 4_000
            )
        )
    site.store.merge(events)
    assert len(visitor.get(CLOCK).source) < 1_700_000
    short = [message for message in [visitor.get("/").source] if len(message) < 20_000]
    assert short


@pytest.mark.parametrize("at", [-(2**53), -1, 2**53])
def test_dates_beyond_the_calendar(at: int, visitor: Any, site: Any):
    """A comment that was imported with an impossible date breaks no page and no feed."""
    from threadstore import CommentPosted, id_for

    key = site.by_slug["lights-over-the-weir"].key
    old = CommentPosted(id=id_for(1_700_000_000_000, "old"), thread=key, body="From another age.", at=at)
    site.store.merge([old])
    for url in (WEIR, f"{WEIR}/feed.atom", "/", "/feed.atom", f"{WEIR}/c/{old.id}"):
        assert visitor.http.get(url).status_code == 200, url


def test_something_breaks(visitor: Any, site: Any, monkeypatch: pytest.MonkeyPatch):
    """An error of ours is a sentence with status 500, and tells nothing of what is inside."""

    def broken(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError("the inside of the site")

    monkeypatch.setattr(type(site.store), "counts", broken)
    answer = visitor.http.get("/")
    assert answer.status_code == 500
    assert "inside" not in answer.text


def test_the_store_is_away(visitor: Any, site: Any, monkeypatch: pytest.MonkeyPatch):
    """Where the store can not be reached, the page says so and when to come again."""
    from threadstore import StoreUnavailable

    def away(*arguments: Any, **named: Any) -> Any:
        raise StoreUnavailable("site.db", "on leave")

    fields = visitor.get(WEIR).fields(f"{WEIR}/comments")
    monkeypatch.setattr(type(site.store), "execute", away)
    answer = visitor.post(f"{WEIR}/comments", {**fields, "body": "Hello?"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Hello?</textarea>" in answer.text


# --- concealed ----------------------------------------------------------------------------------------------------------------

HIDDEN = {
    "spoiler": "It is always the farmer",
    "held by reports": "You are all fools",
    "held by the screen": "Cheap watches",
    "removed": "Only an idiot",
    "deleted": "brother-in-law",
    "a new spoiler": "newest of all is secret",
    "just held": "herons.example",
}


def test_concealed_words_are_nowhere(visitor: Any, visit: Any, site: Any):
    """The words of a concealed comment are in no page, part, feed or JSON that a reader gets."""
    visitor.say("The newest of all is secret.", name="Mara", spoiler="1")
    visitor.say("Secret, see https://herons.example for more.", name="Mara")
    mara = next(item.comment.author.id for item in site.store.latest(limit=1))
    urls = ["/", "/feed.atom", "/people/u-lee", "/people/u-grump", f"/people/{mara}"]
    for base in (WEIR, CLOCK):
        ids = [event.id for event in thread_of(site, base).history() if event.kind_tag == "comment.posted"]
        urls += [base, f"{base}?order=newest", f"{base}?order=top", f"{base}/feed.atom", f"{base}/thread.json"]
        urls += [f"{base}/parts?{'&'.join(f'c={id}' for id in ids)}"]
        urls += [f"{base}/c/{id}{page}" for id in ids[-6:] for page in ("", "/reply", "/report", "/edit", "/replies")]
        urls += [f"{base}/c/{id}" for id in ids]
    stranger = visit()
    for url in urls:
        for headers in ({}, {"X-Fragment": "1"}):
            source = stranger.http.get(url, headers=headers).text
            assert [why for why, words in HIDDEN.items() if words in source] == [], url


def test_concealed_words_are_in_no_event(visitor: Any):
    """An event names ids and counts; no words of anybody are in it."""
    for url in (WEIR, CLOCK):
        with visitor.http.stream("GET", f"{url}/events?since=0") as answer:
            data = next(line for line in answer.iter_lines() if line.startswith("data: "))
        assert [why for why, words in HIDDEN.items() if words in data] == []
        assert set(json.loads(data.removeprefix("data: "))) == {"posted", "changed", "article", "everything", "counts"}
