"""What a consumer writes, for the type checker alone: `tests/api/test_face.py` has it checked, and nothing runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import assert_type

import threadstore
from threadstore import (
    SUPPORT,
    Actor,
    Changes,
    ClockSkew,
    CommentPosted,
    CommentView,
    CorrectionView,
    Counts,
    Damage,
    Event,
    FeedItem,
    ListView,
    MergeRefused,
    PastThread,
    Policy,
    QueueView,
    Record,
    RepliesView,
    StoredThread,
    TextQuote,
    Thread,
    ThreadStore,
    ThreadStoreError,
    ThreadView,
)
from threadstore.model import commands as c


def screen(command: c.Command, thread: Thread) -> threadstore.model.policy.Verdict:
    """Judge a text by all that is known of the thread."""
    return "hold" if isinstance(command, c.Post) and thread.counts().total > 100 else "accept"


def write(article: StoredThread, ann: Actor) -> None:
    """Say something, and answer it."""
    first = article.post("I was there.", by=ann, spoiler=True, meta={"site": "https://example.org"})
    assert_type(first, str)
    assert_type(article.reply(first, "Me too.", by="u-18", held=True, id=None), str)
    assert_type(article.react(first, SUPPORT, by="u-18"), str)
    assert_type(article.suggest_correction(TextQuote("teh"), "the", by=ann), str)
    assert_type(article.decide_correction(first, "accepted", by=ann), str)
    article.post(17)  # type: ignore[arg-type]
    article.edit(first, "I was not.")  # type: ignore[call-arg]
    article.decide_correction(first, "perhaps", by=ann)  # type: ignore[arg-type]


def read(article: StoredThread, reader: Actor | str | None) -> None:
    """Read all there is."""
    page = article.view(order="top", limit=20, reader=reader, reveal="all", pinned=True, now=0)
    assert_type(page, ThreadView)
    assert_type(page.comments, tuple[CommentView, ...])
    assert_type(page.comments[0].body, str | None)
    assert_type(page.comments[0].author, Actor | None)
    assert_type(page.comments[0].reactions, dict[str, int])
    assert_type(page.next, str | None)
    assert_type(article.replies(page.comments[0].id, after=page.comments[0].more), RepliesView)
    assert_type(article.comment(page.comments[0].id, context=2), CommentView)
    assert_type(article.flat(), ListView)
    assert_type(article.counts(), Counts)
    assert_type(article.corrections(), tuple[CorrectionView, ...])
    assert_type(article.queue(), QueueView)
    assert_type(article.history(), Iterator[Event])
    assert_type(article.changes(since=0), Changes)
    assert_type(article.as_of(0), PastThread)
    assert_type(article.as_known_at(0).view(), ThreadView)
    page.comments[0].body = "mine"  # type: ignore[misc]


def keep(store: ThreadStore, other: ThreadStore) -> None:
    """Use what concerns all threads."""
    assert_type(store.threads(), Iterator[str])
    assert_type(store.counts(["a"])["a"].total, int)
    assert_type(store.overview(limit=10).threads[0].title, str)
    assert_type(store.queue(threads=10, after=None), tuple[QueueView, ...])
    assert_type(store.latest(), tuple[FeedItem, ...])
    assert_type(store.by_person("u-17"), tuple[FeedItem, ...])
    assert_type(store.subscribe(after=0, timeout=1.0), Iterator[Record])
    assert_type(store.export(), Iterator[Event])
    assert_type(store.verify(), Iterator[Damage])
    assert_type(store.export_person("u-17"), bytes)
    assert_type(store.erase_person("u-17", by=Actor("m", role="moderator")), tuple[str, ...])
    assert_type(store.execute(c.Lock(thread="a")), str)
    try:
        assert_type(store.merge(other.export(), progress=print), int)
    except MergeRefused as refusal:
        for id, error in refusal.refused:
            assert_type(id, str)
            assert_type(error, ThreadStoreError)
            if isinstance(error, ClockSkew):
                assert_type(error.retry_at, int)
    store.backup(Path("copy.db"))
    assert_type(store.rebuild(progress=print), int)
    store.rebuild_thread("a")


def think(events: Iterable[Event], command: c.Command) -> None:
    """Use the pure core."""
    thread = threadstore.fold(events)
    assert_type(thread, Thread)
    for event in threadstore.decide(command, thread, policy=Policy(screen=screen), now=0):
        if isinstance(event, CommentPosted):
            assert_type(event.parent, str | None)
        assert_type(thread.apply(event), bool)
    assert_type(thread.merge(Thread()), Thread)
    assert_type(thread.digest(), str)


def main() -> None:
    """Open a store."""
    with threadstore.open("comments.db", policy=Policy(kinds=frozenset({"up", "down"}))) as store:
        assert_type(store, ThreadStore)
        write(store.thread("a"), Actor("u-17", "Ann Lee"))
    threadstore.open(17)  # type: ignore[arg-type]
    threadstore.open("comments.db", cache_bytes=1)  # type: ignore[call-arg]
    Actor("u-17", role="king")  # type: ignore[arg-type]
