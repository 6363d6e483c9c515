"""
What is erased is in no file of the store any more, and nothing else is.

Every text is a token that occurs nowhere else, said many times over, so a piece of a page that was left behind anywhere (the
database, its WAL, its shared memory, a backup made afterwards) is found by searching the bytes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

import threadstore
from threadstore import Actor, CommentView, StoredThread, TextQuote, ThreadStore, fold
from threadstore.model.ids import make_id

EPOCH = 1_700_000_000_000
MOD = Actor("u-mod", "", "moderator")
THREADS = ("2023/05/03/drones", "2023/05/04/ships", "2023/05/05/trains")

MUTANTS = {
    "deleted bytes are left where they were": (
        "test_a_comment",
        *("log/_appending.py::_rewritten", "filled(encode(redact(event)), len(data))", "encode(redact(event))"),
        *("log/_connections.py", '"PRAGMA secure_delete = ON",', '"PRAGMA secure_delete = OFF",'),
    ),
    "the WAL is not cut": (
        "test_a_comment",
        "log/_connections.py::Database.transaction",
        "            self._scrub()\n",
        "",
    ),
    "what arrives later is stored with its words": (
        "test_an_older_backup",
        *("store/plans.py::admitted", "events = yield from without_words(key, events)", "pass"),
        *("store/plans.py::begin", "events = yield from without_words(key, events)", "pass"),
    ),
    "a person is forgotten in the first thread alone": (
        "test_a_person",
        "store/store.py::ThreadStore.erase_person",
        "for key in keys)",
        "for key in keys[:1])",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_missing_guard_is_noticed(mutant: str, without: Any, passes: Any):
    """With one guard less, the test that is there for it fails."""
    test, *change = MUTANTS[mutant]
    assert not passes(f"test_erasure.py::{test}", without(*change)), f"nobody notices that {mutant}"


class Text(NamedTuple):
    """A token that was said, and what would take it away: the comment, or the person."""

    token: str
    thread: str
    target: str
    person: str | None


class World:
    """A store whose texts are all known, with what was said in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.path = folder / "comments.db"
        self._ms, self._token = count(EPOCH), count(1)
        self._position = 0
        self.texts: list[Text] = []
        self.store = self.open()

    def open(self) -> ThreadStore:
        return threadstore.open(self.path, durability="off", now=lambda: next(self._ms))

    def fresh_id(self) -> str:
        return make_id(next(self._ms), 0, next(self._token))

    def token(self) -> str:
        return f"<{next(self._token):07}>"

    def actor(self, id: str, role: Any = "reader") -> Actor:
        """Return an actor who goes by a new name, which is a text as well."""
        return Actor(id, self.token(), role)

    def said(self, thread: StoredThread, target: str, by: Actor | None, *texts: str) -> None:
        """Note what was said on a target, if it was stored and not said before; the actor's name is one of the texts."""
        stored = b"".join(record.data for record in self.store.log.read_all(after=self._position))
        self._position = self.store.log.position()
        tokens = [text[:9] for text in texts] + ([by.name] if by is not None and by.name else [])
        self.texts += [Text(token, thread.key, target, by and by.id) for token in tokens if token.encode() in stored]

    def of_comment(self, target: str) -> set[str]:
        """Return the tokens that were said on a comment or correction, and nowhere else."""
        return {text.token for text in self.texts if text.target == target} - {
            text.token for text in self.texts if text.target != target
        }

    def of_person(self, id: str) -> set[str]:
        """Return the tokens that a person has said."""
        return {text.token for text in self.texts if text.person == id}

    def long(self, random: Random) -> str:
        return self.token() * random.choice([1, 1, 3, 10, 20, 50])

    def files(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.path.parent.iterdir()))

    def check_gone(self, gone: set[str]) -> None:
        """
        Check that no file has any of the tokens, that all others are in the log, and that a backup is no different.

        Hashes of names may be left in the read model's tables: words are what is promised.
        """
        backup = self.path.with_name("backup.db")
        self.store.backup(backup)
        held = self.files()
        assert [token for token in sorted(gone) if token.encode() in held] == []
        kept = {text.token for text in self.texts} - gone
        with threadstore.open(backup) as copy:
            for store in (self.store, copy):
                told = repr(list(store.export()))
                assert [token for token in sorted(kept) if token not in told] == []
                assert list(store.verify()) == []
        backup.unlink()


@pytest.fixture
def world(swift: Path) -> Iterator[World]:
    made = World(swift / "store")
    with closing(made.store):
        yield made


def fill(world: World, random: Random) -> dict[str, str]:
    """Let three people say everything that can be said, in every thread; return a comment of each thread by Ann."""
    of_ann = {}
    for key in THREADS:
        article, mod = world.store.thread(key), world.actor("u-mo", "moderator")
        ann, bob = world.actor("u-ann"), world.actor("u-bob")
        first, second, why, quote, note = (world.long(random) for _ in range(5))
        comment = article.post(first, by=ann, meta={"site": second})
        world.said(article, comment, ann, first, second)
        reply = article.reply(comment, why, by=bob)
        world.said(article, reply, bob, why)
        for by in (ann, mod):
            edited = world.long(random)
            article.edit(comment, edited, by=by)
            world.said(article, comment, by, edited)
        reported, removed = world.long(random), world.long(random)
        reporting = world.actor("u-bob")
        article.report(comment, by=reporting, reason=reported)
        world.said(article, comment, reporting, reported)
        article.react(reply, by="u-ann")
        correction = article.suggest_correction(TextQuote(exact=quote), note * 2, by=ann, note=note)
        world.said(article, correction, ann, quote, note)
        last = world.long(random)
        world.said(article, article.reply(reply, last, by=bob), bob, last)
        article.remove(reply, by=mod, reason=removed)
        world.said(article, reply, mod, removed)
        world.store.rebuild_thread(key)
        of_ann[key] = comment
    return of_ann


def outside(thread: StoredThread) -> list[tuple[str, str | None, int, bool]]:
    """Return the structure of a thread: who answers whom, and how often."""

    def walk(comments: tuple[CommentView, ...]) -> Iterator[tuple[str, str | None, int, bool]]:
        for comment in comments:
            yield comment.id, comment.parent, comment.reply_count, comment.concealed == "missing"
            yield from walk(comment.replies)

    return list(walk(thread.view(limit=100, reader=MOD).comments))


# --- what is erased is gone ---------------------------------------------------------------------------------------------------


def test_a_comment(world: World):
    """A comment is erased with its edits, whoever made them, the reports on it, and its author's name; nothing else is."""
    of_ann = fill(world, Random(1))
    article = world.store.thread(THREADS[0])
    comment = of_ann[article.key]
    assert {text.token.encode() in world.files() for text in world.texts} == {True}
    before, others = outside(article), {key: world.store.thread(key).digest() for key in THREADS[1:]}
    article.erase(comment, by=MOD)
    gone = world.of_comment(comment)
    assert len(gone) == 6  # body, meta, two edits, a report, and who reported; the other names were used elsewhere, too
    world.check_gone(gone)
    assert outside(article) == before
    view = article.comment(comment, reader=MOD)
    assert (view.body, view.concealed, view.author, view.meta) == (None, "erased", Actor("u-ann", ""), {})
    assert {key: world.store.thread(key).digest() for key in THREADS[1:]} == others


def test_a_person(world: World):
    """All that a person wrote is erased in every thread, is theirs to take along before, and leaves the threads as they were."""
    fill(world, Random(2))
    before = {key: outside(world.store.thread(key)) for key in THREADS}
    counts = {key: world.store.thread(key).counts() for key in THREADS}
    told = json.dumps(json.loads(world.store.export_person("u-ann")), ensure_ascii=False)
    gone = world.of_person("u-ann")
    assert len(gone) == 3 * 6
    assert [token for token in gone if token not in told] == []
    assert [text.token for text in world.texts if text.person != "u-ann" and text.token in told] == []
    assert len(world.store.erase_person("u-ann", by=MOD)) == 3
    world.check_gone(gone)
    for key in THREADS:
        article = world.store.thread(key)
        assert outside(article) == before[key]
        assert sum((article.counts().total, article.counts().hidden)) == sum((counts[key].total, counts[key].hidden))
        [correction] = article.corrections(reader=MOD)
        assert (correction.quote, correction.suggestion, correction.note, correction.concealed) == (None, None, "", "erased")
    left = json.loads(world.store.export_person("u-ann"))
    assert {text.token for text in world.texts if text.token in json.dumps(left)} == set()
    assert len(left) == 3 * 4  # the facts stay: that somebody posted, edited, reacted, suggested


def test_digests_know_no_texts(world: World, swift: Path):
    """A replica that still has the texts, and learns of the erasures, has the digests of the one that forgot them."""
    of_ann = fill(world, Random(3))
    full = list(world.store.export())
    for key, comment in of_ann.items():
        world.store.thread(key).erase(comment, by=MOD)
    world.store.erase_person("u-bob", by=MOD)
    erasures = list(world.store.export(after=len(full)))
    assert len(erasures) == 6
    for key in THREADS:
        remembering = fold([event for event in [*full, *erasures] if event.thread == key])
        assert remembering.digest() == world.store.thread(key).digest()
        assert remembering.counts() == world.store.thread(key).counts()


def test_a_retry(world: World):
    """A post that is sent again after it was erased is what it was: known, and without its words."""
    article, ann, id = world.store.thread(THREADS[0]), world.actor("u-ann"), world.fresh_id()
    token = world.token()
    world.said(article, id, ann, token * 9)
    assert article.post(token * 9, by=ann, id=id) == id
    article.erase(id, by=MOD)
    for _ in range(3):
        assert article.post(token * 9, by=ann, id=id) == id
        with closing(world.open()) as other:
            assert other.thread(article.key).post(token * 9, by=ann, id=id) == id
            assert other.thread(article.key).comment(id, reader=MOD).concealed == "erased"
    world.check_gone({token, ann.name})
    assert article.counts().hidden == 1


@pytest.mark.parametrize("what", ["comment", "person"])
def test_an_older_backup(world: World, swift: Path, what: str):
    """What is merged in from a backup that is older than the erasure comes without its words, also where it was never known."""
    of_ann, key = fill(world, Random(4)), THREADS[1]
    world.store.backup(swift / "older.db")
    if what == "comment":
        world.store.thread(key).erase(of_ann[key], by=MOD)
        gone = world.of_comment(of_ann[key])
    else:
        world.store.erase_person("u-ann", by=MOD)
        gone = world.of_person("u-ann")
    with threadstore.open(swift / "older.db") as older:
        before = list(older.export())
    assert world.store.merge(before) == 0
    world.check_gone(gone)
    fresh = World(swift / "fresh")
    with closing(fresh.store):
        fresh.store.merge(event for event in world.store.export() if event.kind_tag in {"comment.erased", "person.erased"})
        assert fresh.store.merge(before) == len(before)
        fresh.texts = world.texts
        fresh.check_gone(gone)
        for key in THREADS:
            assert fresh.store.thread(key).digest() == world.store.thread(key).digest()


def test_what_is_in_memory(world: World):
    """Pages that another store remembers are forgotten with the next look at them."""
    of_ann, key = fill(world, Random(5)), THREADS[0]
    gone = world.of_comment(of_ann[key])
    with closing(world.open()) as other:
        article = other.thread(key)
        assert article.comment(of_ann[key], reader=MOD).body
        assert any(token in repr(article.view(reader=MOD, limit=100)) for token in gone)
        world.store.thread(key).erase(of_ann[key], by=MOD)
        assert article.comment(of_ann[key], reader=MOD).body is None
        told = repr(list(article.history(reader=MOD))) + repr(article.view(reader=MOD, limit=100))
        assert [token for token in gone if token in told] == []
        held = repr(other._pages._pages) + repr(list(other.fold(key)[0].facts()))
        assert [token for token in gone if token in held] == []


# --- any history --------------------------------------------------------------------------------------------------------------


class Wandering:
    """Somebody who posts, answers, edits, reports, suggests, reads, makes rows anew, and erases, at random."""

    def __init__(self, world: World, random: Random) -> None:
        self.world, self.random = world, random
        self.said: list[tuple[str, str, str]] = []  # thread, target, author
        self.gone: set[str] = set()
        self.hidden: set[str] = set()
        self.erased = 0

    def step(self) -> None:
        self.random.choices([self.post, self.edit, self.report, self.suggest, self.rebuild, self.erase, self.forget],
                            [40, 20, 10, 6, 10, 6, 1])[0]()  # fmt: skip

    def post(self) -> None:
        key, by, body = self.random.choice(THREADS), self.who(), self.world.long(self.random)
        article = self.world.store.thread(key)
        parents = [target for thread, target, _ in self.said if thread == key and target not in self.hidden]
        parent = self.random.choice(parents) if parents and self.random.random() < 0.6 else None
        id = article.reply(parent, body, by=by) if parent else article.post(body, by=by)
        self.world.said(article, id, by, body)
        self.said.append((key, id, by.id))

    def edit(self) -> None:
        for key, id, author in self.some():
            by = self.world.actor(author) if self.random.random() < 0.7 else self.world.actor("u-mo", "moderator")
            body = self.world.long(self.random)
            self.world.store.thread(key).edit(id, body, by=by)
            self.world.said(self.world.store.thread(key), id, by, body)

    def report(self) -> None:
        for key, id, _ in self.some():
            by, reason = self.who(), self.world.token()
            self.world.store.thread(key).report(id, by=by, reason=reason)
            self.world.said(self.world.store.thread(key), id, by, reason)

    def suggest(self) -> None:
        article, by = self.world.store.thread(self.random.choice(THREADS)), self.who()
        quote, suggestion = self.world.token(), self.world.long(self.random)
        id = article.suggest_correction(TextQuote(exact=quote), suggestion, by=by)
        self.world.said(article, id, by, quote, suggestion)

    def rebuild(self) -> None:
        key = self.random.choice(THREADS)
        self.world.store.rebuild_thread(key)
        self.world.store.thread(key).view(reveal="all", reader=MOD)

    def erase(self) -> None:
        for key, id, _ in self.some():
            self.world.store.thread(key).erase(id, by=MOD)
            self.hidden.add(id)
            self.take(self.world.of_comment(id))

    def forget(self) -> None:
        person = self.who().id
        self.world.store.erase_person(person, by=MOD)
        self.hidden |= {id for _, id, author in self.said if author == person}
        self.take(self.world.of_person(person))

    def take(self, tokens: set[str]) -> None:
        self.gone |= tokens
        self.erased += 1
        self.world.check_gone(self.gone)

    def who(self) -> Actor:
        return self.world.actor(f"u-{self.random.randrange(5)}")

    def some(self) -> list[tuple[str, str, str]]:
        """Return a comment that is not hidden, or none."""
        shown = [said for said in self.said if said[1] not in self.hidden]
        return [self.random.choice(shown)] if shown else []


@pytest.mark.usefixtures("guard")
@pytest.mark.parametrize("part", range(2))
def test_a_history(swift: Path, part: int, scale):
    """Whatever is said, kept, erased, in whatever order and of whatever length: after each erasure, its words are in no file."""
    histories, erasures, tokens = scale(12, 600), 0, 0
    for number in range(histories):
        seed = f"history {part} {number}"
        world = World(swift / f"store{number}")
        with closing(world.store):
            wandering = Wandering(world, Random(seed))
            try:
                for _ in range(60):
                    wandering.step()
            except Exception as error:
                raise AssertionError(seed) from error
        held = world.files()
        assert [token for token in wandering.gone if token.encode() in held] == [], seed
        erasures, tokens = erasures + wandering.erased, tokens + len(wandering.gone)
        shutil.rmtree(world.path.parent)
        scale.progress(number + 1, histories, "histories")
    assert erasures > 10
    scale.figure("erasures", erasures)
    scale.figure("texts erased", tokens)
