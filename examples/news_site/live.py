"""
Comments that arrive while the page is open: server-sent events.

One thread follows `ThreadStore.subscribe` and wakes those who look at the conversation that has changed. Each connection then
asks `StoredThread.changes` from the revision that its page has, as its reader, so nothing is missed or told twice, and nothing
told that is withheld: an event names ids and nothing else. The page asks for what they look like now (`/parts`), under its own
cookies.

The id of an event is a revision. A browser that lost the connection sends the last one as `Last-Event-ID`, and goes on there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from threading import Event, Thread
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool

from threadstore import (
    Actor,
    Changes,
    CommentApproved,
    CommentNotFound,
    CommentPosted,
    CommentRestored,
    PersonErased,
    StoredThread,
    StoreError,
    ThreadStore,
)

__all__ = ["Hub", "stream"]

_BATCH: Final = 100
_HEARTBEAT_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.2


class Hub:
    """
    Wakes whoever waits for news of a thread. Lives as long as the site does.

    Args:
        limit: How many connections there may be at once.
    """

    def __init__(self, store: ThreadStore, *, limit: int = 500) -> None:
        self._store = store
        self._limit = limit
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._connections = 0
        self._stopping = Event()
        self._follower: Thread | None = None

    @property
    def is_full(self) -> bool:
        return self._connections >= self._limit

    @property
    def is_closed(self) -> bool:
        return self._stopping.is_set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        position = self._store.log.position()
        wake: Callable[[str], object] = lambda key: loop.call_soon_threadsafe(self._wake, key)  # noqa: E731
        self._follower = Thread(target=self._follow, args=(position, wake), name="news", daemon=True)
        self._follower.start()

    def close(self) -> None:
        """End every stream. The thread that follows the store ends when the store is closed, or within a moment."""
        self._stopping.set()
        for key in list(self._waiting):
            self._wake(key)

    def join(self) -> None:
        """Wait for the thread that follows the store."""
        if self._follower is not None:
            self._follower.join()

    def _follow(self, position: int, wake: Callable[[str], object]) -> None:
        while not self._stopping.is_set():
            try:
                for record in self._store.subscribe(after=position, timeout=_LOOK_SECONDS):
                    position = record.position
                    wake(record.thread)
                    if self._stopping.is_set():
                        return
            except StoreError:  # a busy moment; the next look goes on from the same position
                self._stopping.wait(_LOOK_SECONDS)

    def _wake(self, key: str) -> None:
        for event in self._waiting.get(key, ()):
            event.set()

    def enter(self, key: str) -> asyncio.Event:
        event = asyncio.Event()
        self._waiting[key].add(event)
        self._connections += 1
        return event

    def leave(self, key: str, event: asyncio.Event) -> None:
        self._connections -= 1
        self._waiting[key].discard(event)
        if not self._waiting[key]:
            del self._waiting[key]


async def stream(hub: Hub, thread: StoredThread, since: int, reader: Actor) -> AsyncIterator[str]:
    """Yield the events of one connection until it ends."""
    news = hub.enter(thread.key)
    try:
        yield "retry: 1000\n\n"
        while not hub.is_closed:
            news.clear()  # before looking: what comes while we look wakes us again
            changes = await run_in_threadpool(thread.changes, since, limit=_BATCH, reader=reader)
            if changes.events:
                yield await run_in_threadpool(_event, thread, changes)
                since = changes.revision
            if changes.more:
                continue
            try:
                await asyncio.wait_for(news.wait(), _HEARTBEAT_SECONDS)
            except TimeoutError:
                yield ": still here\n\n"
    finally:
        hub.leave(thread.key, news)


def _event(thread: StoredThread, changes: Changes) -> str:
    """
    Return what happened, by ids alone.

    `posted` are comments that may be new to a page, with what each answers (those that were let through or restored among them),
    `changed` comments that look different, `article` says that corrections or the lock have changed, and `everything` that no
    comment may be what it was: somebody's words were erased.
    """
    opened = {event.target for event in changes.events if isinstance(event, CommentApproved | CommentRestored)}
    posted = {event.id: event.parent or "" for event in changes.events if isinstance(event, CommentPosted)}
    changed, article = [], False
    for id in changes.comments:
        if id in posted:
            continue
        try:
            comment = thread.comment(id, replies=0)
        except (CommentNotFound, ValueError):
            article = True  # a correction, or the thread itself
            continue
        if id in opened:
            posted[id] = comment.parent or ""
        else:
            changed.append(id)
    everything = any(isinstance(event, PersonErased) for event in changes.events)
    told = {"posted": posted, "changed": changed, "article": article, "everything": everything, "counts": thread.counts()}
    return f"id: {changes.revision}\nevent: changes\ndata: {msgspec.json.encode(told).decode()}\n\n"
