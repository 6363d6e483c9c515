"""
Every field of free text, and every key and id that the application chooses, with texts that are made to break something.

SQL, markup, format strings, paths, control characters, bidirectional overrides, zero-width characters, twins in NFC and NFD,
and sequences of emoji go through every way in and come out of every way out as they went in, on both logs. What no UTF-8 can
carry is refused, in every field, and leaves nothing behind. test_hostile_guards.py takes each guard out and names the test here
that notices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unicodedata import normalize

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import threadstore
from threadstore import Actor, CommentPosted, Policy, TextQuote, ThreadStore, ThreadView, fold
from threadstore.model import mentions
from threadstore.model.codec import encode
from threadstore.model.mentions import MAX_CALLS, Names
from threadstore.model.values import MAX_BODY, MAX_NAME
from threadstore.testing.given import MODERATOR, THREAD, id_of, moment, posted

pytestmark = pytest.mark.usefixtures("guard")

#: At most 64 characters each, so that they fit into every field.
TEXTS = (
    "'; DROP TABLE events; --",
    '"); DELETE FROM threads WHERE ("1"="1',
    "' UNION SELECT key, 1, 2, 3 FROM threads /*",
    "%_\\%'' [a-z]* ?1 :key @key $key ?",
    "0x00'||(SELECT hex(randomblob(9)))||'",
    "<script>alert(1)</script>&amp;&lt;&#0;",
    "\"><img src=x onerror=alert`1`>",
    "]]><!--#exec cmd='ls'--><?php ?>",
    "{{7*7}} ${7*7} #{7*7} <%= 7*7 %> {0.__class__} %s %n %x",
    "__import__('os').system('true')",
    "${jndi:ldap://x.example/a}",
    "../../../../etc/passwd",
    "C:\\CON\\..\\nul",
    "\r\nSet-Cookie: a=b\r\n\r\n<html>",
    "a\tb\x0bc\x0cd\x1be\x7ff\x80g\x85h\u2028i\u2029j",
    "".join(map(chr, range(1, 32))),
    " \u00a0\u2003\u3000x\u3000 ",
    "\u202eetirw\u202c \u2066ltr\u2069 \u200frtl\u200e \u061c",
    "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\u034fh",
    normalize("NFC", "Ångström é ḍ̇ 각 ﬁ"),
    normalize("NFD", "Ångström é ḍ̇ 각 ﬁ"),
    "\u212b \u00c5 A\u030a \u1e9b\u0323 \u2126 \u03a9",
    "\u0130I\u0131i ßẞ \u017fs ΣΣς ǅ ǆ K\u212a",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 👍🏿 1️⃣ ☺︎ ☺️ 🧑🏽‍🚀 \U000e0067\U000e007f",
    "Z̸̢͉̀a̵l̶g̷o̸ " + "\u0301" * 40,
    "\u0301leading mark",
    "\ufffe\uffff\U0001fffe\U0010ffff\ue000\U000f0000",
    "﷽ ௵ 𒐫 ꧅",
    "漢字 кириллица العربية עברית हिन्दी ไทย",
    "NULL", "null", "None", "true", "NaN", "Infinity", "1e999", "-0", "0x7fffffffffffffff", "[]", "{}", "\\u0000", "\\", "'", '"',
    "`", "@", "@@",
)  # fmt: skip

KINDS = tuple(text for text in TEXTS)
ROOM = Policy(kinds=frozenset(KINDS) | {"support"}, max_name=500, max_reason=10_000, max_quote=10_000)


def opened(path: str | Path, **options: Any) -> ThreadStore:
    return threadstore.open(path, policy=ROOM, **({} if path == ":memory:" else {"durability": "off"}), **options)


def written(store: ThreadStore, text: str) -> dict[str, str]:
    """Write *text* into every field there is, and return the ids of what has it."""
    blank = not text.strip()
    article = store.thread(text)
    by = Actor(text if "@" not in text else "u", text)
    root = article.post(f"{text}." if blank else text, by=by, meta={text: text})
    reply = article.reply(root, f"@{text}", by=by)
    edited = article.edit(reply, f"{text}!", by=by)
    article.react(root, text, by=by)
    report = article.report(root, by=by, reason=text)
    hold = article.hold(reply, by=MODERATOR, reason=text)
    removed = article.remove(reply, by=MODERATOR, reason=text)
    described = article.describe(by=MODERATOR, title=text, url=text, article_version=text)
    quote = TextQuote(f"{text}." if blank else text, text, text, 7)
    suggested = article.suggest_correction(quote, text, by=by, note=text, article_version=text)
    decided = article.decide_correction(suggested, "accepted", by=MODERATOR, note=text)
    locked = article.lock(by=MODERATOR, reason=text)
    return {
        "root": root, "reply": reply, "edited": edited, "report": report, "hold": hold, "removed": removed,
        "described": described, "suggested": suggested, "decided": decided, "locked": locked,
    }  # fmt: skip


def told(store: ThreadStore, text: str, ids: dict[str, str]) -> None:
    """Look for *text* in every field of every answer."""
    article = store.thread(text)
    page = article.view(reader=MODERATOR, reveal="all")
    assert (page.thread, page.title, page.url) == (text, text, text)
    [root] = page.comments
    assert root.author is not None
    assert root.body is not None
    assert root.body.removesuffix(".") == text.removesuffix(".")
    assert (root.author.name, root.meta, root.reactions) == (text, {text: text}, {text: 1})
    [reply] = root.replies
    assert reply.body == f"{text}!"
    [item] = [item for item in article.queue().items if item.id == ids["root"]]
    assert [report.reason for report in item.reports] == [text]
    [correction] = article.corrections(reader=MODERATOR)
    assert correction.quote is not None
    assert (correction.quote.prefix, correction.quote.suffix, correction.suggestion, correction.note) == (text, text, text, text)
    assert (correction.article_version, correction.decision_note) == (text, text)
    assert msgspec.json.decode(msgspec.json.encode(page), type=ThreadView) == page
    assert json.loads(msgspec.json.encode(page))["title"] == text
    events = {event.id: event for event in article.history(reader=MODERATOR)}
    assert [events[ids[name]].reason for name in ("report", "hold", "removed", "locked")] == [text] * 4  # type: ignore[attr-defined]
    assert text in store.threads()
    assert root.body in [item.comment.body for item in store.by_person(root.author.id)]


def rows(store: ThreadStore) -> list[bytes]:
    return [record.data for record in store.log.read_all()]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_texts_come_back_as_they_went_in(kind: str, tmp_path: Path):
    """Each text, in every field there is, comes out of views, history, export, merge and backup byte for byte, on both logs."""
    path = ":memory:" if kind == "memory" else tmp_path / "one.db"
    with opened(path) as store, opened(":memory:") as other, opened(tmp_path / "merged.db") as merged:
        made = {text: written(store, text) for text in TEXTS}
        for text, ids in made.items():
            told(store, text, ids)
        assert list(store.threads()) == list(TEXTS)
        assert other.merge(store.export()) == merged.merge(store.export()) == store.log.position()
        assert rows(other) == rows(merged) == rows(store)
        store.backup(tmp_path / "backup.db")
        assert list(store.verify()) == []
        before = rows(store)
    with opened(tmp_path / "backup.db") as backup, opened(tmp_path / "merged.db") as merged:
        assert rows(backup) == rows(merged) == before
        for text, ids in made.items():
            told(backup, text, ids)
            told(merged, text, ids)
        assert list(backup.verify()) == list(merged.verify()) == []


anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


@given(text=anything)
@settings(max_examples=60)
def test_any_text_comes_back(text: str):
    """So does any text that Hypothesis thinks of."""
    policy = Policy(kinds=frozenset({text}), max_name=500)
    with threadstore.open(":memory:", policy=policy) as store, threadstore.open(":memory:", policy=policy) as other:
        ids = written(store, text)
        told(store, text, ids)
        other.merge(store.export())
        told(other, text, ids)


@given(texts=st.lists(anything, min_size=2, max_size=6, unique=True))
@settings(max_examples=25)
def test_keys_that_look_alike_are_different_threads(texts: list[str], tmp_path_factory: pytest.TempPathFactory):
    """Thread keys are compared exactly: not by case, normal form, width, or what cannot be seen."""
    look_alikes = list(
        dict.fromkeys(
            form for text in texts for form in (text, text.upper(), text + " ", normalize("NFD", text), text + "\u200b")
        )
    )
    with opened(tmp_path_factory.mktemp("keys") / "one.db") as store:
        made = {key: store.thread(key).post(f"in {key}", by="u") for key in look_alikes}
        assert list(store.threads()) == look_alikes
        for key, id in made.items():
            assert [comment.id for comment in store.thread(key).view().comments] == [id]


UNSAFE = ("\0", "a\0b", "\ud800", "a\udfffb", "\udc80", "\ud83d")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("text", UNSAFE, ids=ascii)
def test_unsafe_texts_are_refused_everywhere(kind: str, text: str, tmp_path: Path):
    """NUL and lone surrogates are refused in each field by itself, and nothing is stored of what they came with."""
    with opened(":memory:" if kind == "memory" else tmp_path / "one.db") as store:
        article = store.thread("t")
        ann = Actor("u-1", "Ann")
        root = article.post("words", by=ann)
        correction = article.suggest_correction(TextQuote("x"), "y", by=ann)
        before = rows(store)
        for refused in unsafe_calls(store, text, root, correction):
            with pytest.raises(ValueError, match=r".") as raised:
                refused()
            assert str(raised.value)
        assert rows(store) == before
        assert [comment.body for comment in article.view().comments] == ["words"]


def unsafe_calls(store: ThreadStore, text: str, root: str, correction: str) -> Iterator[Callable[[], object]]:
    """Yield one call for each field of each command."""
    article, ann, mo = store.thread("t"), Actor("u-1", "Ann"), MODERATOR
    yield lambda: store.thread(text).post("words", by=ann)
    yield lambda: article.post("words", by=Actor(text, "x"))
    yield lambda: article.post("words", by=Actor("u", text))
    yield lambda: article.post("words", by=text)
    yield lambda: article.post(f"a{text}", by=ann)
    yield lambda: article.reply(root, f"a{text}", by=ann)
    yield lambda: article.reply(text, "a", by=ann, id=text)
    yield lambda: article.post("words", by=ann, meta={text: "a"})
    yield lambda: article.post("words", by=ann, meta={"a": text})
    yield lambda: article.edit(root, f"a{text}", by=ann)
    yield lambda: article.edit(root, "b", by=ann, seen=text)
    yield lambda: article.report(root, by=ann, reason=text)
    yield lambda: article.report(root, by=ann, seen=text)
    yield lambda: article.hold(root, by=mo, reason=text)
    yield lambda: article.remove(root, by=mo, reason=text)
    yield lambda: article.lock(by=mo, reason=text)
    yield lambda: article.describe(by=mo, title=text)
    yield lambda: article.describe(by=mo, url=text)
    yield lambda: article.describe(by=mo, article_version=text)
    yield lambda: TextQuote(text)
    yield lambda: TextQuote("a", text)
    yield lambda: TextQuote("a", "b", text)
    yield lambda: article.suggest_correction(TextQuote("a"), text, by=ann)
    yield lambda: article.suggest_correction(TextQuote("a"), "b", by=ann, note=text)
    yield lambda: article.suggest_correction(TextQuote("a"), "b", by=ann, article_version=text)
    yield lambda: article.decide_correction(correction, "accepted", by=mo, note=text)
    yield lambda: article.view(reader=text)
    yield lambda: Policy(kinds={text})


def test_huge_texts_are_refused():
    """A name of a million characters, a body of ten, or meta without end is refused by its length, and nothing is stored."""
    with threadstore.open(":memory:") as store:
        article = store.thread("t")
        for call in (
            lambda: article.post("words", by=Actor("u", "n" * 1_000_000)),
            lambda: article.post("words", by=Actor("n" * 1_000_000)),
            lambda: article.post("words", by="n" * 1_000_000),
            lambda: article.post("w" * 10_000_000, by="u"),
            lambda: store.thread("t" * 1_000_000),
            lambda: article.post("words", by="u", meta={str(n): "x" for n in range(100_000)}),
            lambda: article.post("words", by="u", meta={"x": "y" * 1_000_000}),
            lambda: article.post("words", by="u", meta={"x" * 1_000_000: "y"}),
            lambda: article.suggest_correction(TextQuote("q" * 1_000_000), "b", by="u"),
            lambda: article.suggest_correction(TextQuote("q"), "b" * 1_000_000, by="u"),
            lambda: article.describe(by=MODERATOR, url="u" * 1_000_000),
            lambda: article.describe(by=MODERATOR, article_version="u" * 1_000_000),
        ):
            with pytest.raises((ValueError, threadstore.BodyTooLong)):
                call()
        assert store.log.position() == 0


def test_an_error_does_not_repeat_what_it_refuses():
    """What is refused for its length is not in the message, which ends up in a log file."""
    with threadstore.open(":memory:") as store:
        article = store.thread("t")
        root = article.post("words", by="u")
        long = "z" * 1_000_000
        for call in (
            lambda: article.post(long, by="u"),
            lambda: article.view(order=long),
            lambda: article.view(after=long),
            lambda: article.view(reveal=long),
            lambda: article.view(reader=long),
            lambda: article.post("x", by="u", id=long),
            lambda: article.edit(root, "y", by="u", seen=long),
            lambda: article.react(root, long, by="u"),
            lambda: article.comment(long),
            lambda: article.replies(long),
            lambda: article.reply(long, "x", by="u"),
            lambda: article.decide_correction(long, "accepted", by=MODERATOR),
            lambda: article.decide_correction(root, long, by=MODERATOR),
        ):
            with pytest.raises((ValueError, threadstore.ThreadStoreError)) as raised:
                call()
            assert len(str(raised.value)) < 1_000


# --- mentions, by the hundred thousand ----------------------------------------------------------------------------------------


@pytest.fixture
def ends_tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the characters before which it was asked whether a name may end."""
    tried: list[str] = []
    may_end = mentions._may_end

    def counting(following: str) -> bool:
        tried.append(following)
        return may_end(following)

    monkeypatch.setattr(mentions, "_may_end", counting)
    return tried


def test_a_body_of_mentions(scale):
    """Of as many mentions as fit into the longest body the first thousand are found; each costs a look at one place."""
    count = scale(100_000, MAX_BODY // len("@Ann "), most=MAX_BODY // len("@Ann "))
    thread = fold([posted(1, by=Actor("a", "Ann")), posted(2, "@Ann " * count, by=Actor("b", "Bob"))])
    assert len(thread.comment(id_of(2)).mentions) == MAX_CALLS
    scale.figure("mentions in one body", count)


def test_names_that_go_on_cost_a_look_for_each_length(ends_tried: list[str]):
    """A body in which, at every place, the start of every name stands, and none ends properly, costs a thousand places."""
    names = Names()
    for n in range(1, MAX_NAME // 2 + 1):
        names.add(id_of(n), Actor(f"u{n}", "\u0301@" * n))
    for places in (2_000, 20_000):
        ends_tried.clear()
        assert names.find("@\u0301" * places, comment=id_of(999), above=list) == ()
        assert len(ends_tried) <= MAX_CALLS * (MAX_NAME // 2)


def prefixes(count: int) -> list[str]:
    """Return names of which each is the start of others: a tree of the letters a and b, and long chains of one letter."""
    chains = [letter * n for letter in "cdefghijklmnopqrst" for n in range(1, MAX_NAME + 1)]
    tree = [f"{n:b}".replace("0", "a").replace("1", "b") for n in range(1, count)]
    return (tree + chains)[:count]


@pytest.mark.parametrize("order", ["as they come", "longest first", "shortest first"])
def test_names_that_are_starts_of_one_another(order: str, ends_tried: list[str], scale):
    """Ten thousand names, each the start of others: the longest that ends properly is found wherever all of them would fit."""
    called = prefixes(scale(10_000, 100_000))
    if order != "as they come":
        called = sorted(called, key=len, reverse=order == "longest first")
    names = Names()
    for n, name in enumerate(called, 1):
        names.add(id_of(n), Actor(f"u{n}", name))
    known = set(called)
    body = "".join(f"@{name}{tail} " for name in called[:: len(called) // 250] for tail in ("", "!", "x", "\u0301"))
    found = names.find(body, comment=id_of(10**6), above=list)
    assert {body[mention.start + 1 : mention.end] for mention in found} <= known
    assert len(found) >= 500
    for mention in found:
        follows = body[mention.end : mention.end + 1]
        longer = [
            end for end in range(mention.end + 1, body.index(" ", mention.start) + 1) if body[mention.start + 1 : end] in known
        ]
        assert not follows.isalnum()
        assert longer == []
    assert len(ends_tried) <= body.count("@") * len({len(name) for name in called})
    for n in range(1, len(called) + 1):
        names.discard(id_of(n))
    assert names.find(body, comment=id_of(10**6), above=list) == ()


def test_a_page_of_bodies_full_of_mentions():
    """A page is bounded by its bodies: each mention on it stands for at least one character of them."""
    thread = fold(
        [posted(1, by=Actor("a", "A")), *(posted(n, "@A" + "@A" * 500, to=1, by=Actor("b", "B")) for n in range(2, 60))]
    )
    page = thread.view(replies=100)
    bodies = [reply.body or "" for reply in page.comments[0].replies]
    assert 0 < sum(len(reply.mentions) for reply in page.comments[0].replies) <= sum(map(len, bodies))


def test_the_same_words_are_the_same_bytes():
    """Twins in NFC and NFD are two texts with two encodings, and neither is made of the other."""
    composed, decomposed = (CommentPosted(id=id_of(1), thread=THREAD, body=normalize(form, "é")) for form in ("NFC", "NFD"))
    assert encode(composed) != encode(decomposed)
    assert moment(1) > 0
