"""
A process that forks while it has a store open; test_fork.py says what must follow.

Usage: child_forker.py SCENE FOLDER. Prints what it found as JSON. Each scene is a function of its name; those who must wait for
one another do so by pipes, and an alarm ends a process that waits for ever.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import threadstore
from threadstore import Actor, ThreadStore
from threadstore.errors import ThreadStoreError
from threadstore.model.commands import Post
from threadstore.model.events import CommentPosted
from threadstore.model.ids import make_id
from threadstore.model.values import TextQuote
from threadstore.views.queue import queue_page

ANN = Actor("u-ann", "Ann Lee")
SOME = make_id(1_700_000_000_000, 0, 1)
POSTS = 10
WAIT = int(os.environ.get("WAIT", "30"))
FORKS = int(os.environ.get("FORKS", "0"))


def calls(store: ThreadStore, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return every call that reaches the log, by name."""
    t = store.thread("t")
    event = CommentPosted(id=SOME, thread="t", actor=ANN, body="b")
    return {
        "StoredThread.approve": lambda: t.approve(SOME, by=ANN),
        "StoredThread.as_known_at": lambda: t.as_known_at(1),
        "StoredThread.as_of": lambda: t.as_of(1),
        "StoredThread.changes": lambda: t.changes(0),
        "StoredThread.clear_spoiler": lambda: t.clear_spoiler(SOME, by=ANN),
        "StoredThread.comment": lambda: t.comment(SOME),
        "StoredThread.corrections": t.corrections,
        "StoredThread.counts": t.counts,
        "StoredThread.decide_correction": lambda: t.decide_correction(SOME, "accepted", by=ANN),
        "StoredThread.delete": lambda: t.delete(SOME, by=ANN),
        "StoredThread.describe": lambda: t.describe(by=ANN),
        "StoredThread.digest": t.digest,
        "StoredThread.edit": lambda: t.edit(SOME, "b", by=ANN),
        "StoredThread.erase": lambda: t.erase(SOME, by=ANN),
        "StoredThread.flat": t.flat,
        "StoredThread.history": lambda: list(t.history()),
        "StoredThread.hold": lambda: t.hold(SOME, by=ANN),
        "StoredThread.lock": lambda: t.lock(by=ANN),
        "StoredThread.mark_spoiler": lambda: t.mark_spoiler(SOME, by=ANN),
        "StoredThread.pin": lambda: t.pin(SOME, by=ANN),
        "StoredThread.post": lambda: t.post("b", by=ANN),
        "StoredThread.queue": t.queue,
        "StoredThread.react": lambda: t.react(SOME, by=ANN),
        "StoredThread.remove": lambda: t.remove(SOME, by=ANN),
        "StoredThread.replies": lambda: t.replies(SOME),
        "StoredThread.reply": lambda: t.reply(SOME, "b", by=ANN),
        "StoredThread.report": lambda: t.report(SOME, by=ANN),
        "StoredThread.resolve_reports": lambda: t.resolve_reports(SOME, by=ANN),
        "StoredThread.restore": lambda: t.restore(SOME, by=ANN),
        "StoredThread.revision": lambda: t.revision,
        "StoredThread.suggest_correction": lambda: t.suggest_correction(TextQuote("b"), "c", by=ANN),
        "StoredThread.unlock": lambda: t.unlock(by=ANN),
        "StoredThread.unpin": lambda: t.unpin(SOME, by=ANN),
        "StoredThread.unreact": lambda: t.unreact(SOME, by=ANN),
        "StoredThread.view": t.view,
        "ThreadStore.backup": lambda: store.backup(folder / "backup.db"),
        "ThreadStore.by_person": lambda: store.by_person("u-ann"),
        "ThreadStore.counts": lambda: store.counts(["t"]),
        "ThreadStore.erase_person": lambda: store.erase_person("u-ann", by=ANN),
        "ThreadStore.execute": lambda: store.execute(Post(thread="t", by=ANN, body="b")),
        "ThreadStore.export": lambda: list(store.export()),
        "ThreadStore.export_person": lambda: store.export_person("u-ann"),
        "ThreadStore.latest": store.latest,
        "ThreadStore.merge": lambda: store.merge([event]),
        "ThreadStore.ask": lambda: store.ask("t", queue_page),
        "ThreadStore.fold": lambda: store.fold("t"),
        "ThreadStore.mended": lambda: store.mended("t"),
        "ThreadStore.overview": store.overview,
        "ThreadStore.queue": store.queue,
        "ThreadStore.subscribe": lambda: list(store.subscribe()),
        "ThreadStore.threads": lambda: list(store.threads()),
        "ThreadStore.rebuild": store.rebuild,
        "ThreadStore.rebuild_thread": lambda: store.rebuild_thread("t"),
        "ThreadStore.verify": lambda: list(store.verify()),
        "EventLog.append": lambda: store.log.append("t", [event]),
        "EventLog.find": lambda: store.log.find(SOME),
        "EventLog.position": store.log.position,
        "EventLog.read": lambda: list(store.log.read("t")),
        "EventLog.read_all": lambda: list(store.log.read_all()),
        "EventLog.redact": lambda: store.log.redact("t", []),
        "EventLog.revision": lambda: store.log.revision("t"),
        "EventLog.threads": lambda: list(store.log.threads()),
        "EventLog.verify": lambda: list(store.log.verify()),
    }


def outcome(call: Callable[[], Any]) -> str:
    try:
        call()
    except ThreadStoreError as error:
        return f"{type(error).__name__}: {error}"
    return "it was done"


def say(store: ThreadStore, who: str, count: int = POSTS, thread: str = "t") -> None:
    for number in range(count):
        store.thread(thread).post(f"{who} {number}", by=ANN)


class Turns:
    """Two processes that take turns."""

    def __init__(self) -> None:
        self._ends = (os.pipe(), os.pipe())

    def wake(self, whom: int) -> None:
        os.write(self._ends[whom][1], b"x")

    def sleep(self, who: int) -> None:
        os.read(self._ends[who][0], 1)


PARENT, CHILD = 0, 1


def used(folder: Path, target: str) -> dict[str, Any]:
    """The child uses the parent's store in every way, while threads of the parent held whatever lock they may hold then."""
    store = threadstore.open(target)
    say(store, "before")
    taken, release = Event(), Event()

    def hold() -> None:
        with store._writer._lock, store._pages._lock, store._news._condition:
            taken.set()
            release.wait(WAIT)

    holder = Thread(target=hold)
    follower = Thread(target=lambda: list(store.subscribe(timeout=0.3)))
    follower.start()
    holder.start()
    taken.wait(WAIT)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(WAIT)
        found = {name: outcome(call) for name, call in calls(store, folder).items()}
        found["close"] = outcome(store.close)
        found["close again"] = outcome(store.close)
        with os.fdopen(writing, "w") as pipe:
            json.dump(found, pipe)
        del store
        gc.collect()
        sys.exit()  # with all that an interpreter does at its end
    os.close(writing)
    release.set()
    holder.join()
    say(store, "meanwhile")
    with os.fdopen(reading) as pipe:
        found = json.loads(pipe.read() or "{}")
    _, status = os.waitpid(child, 0)
    follower.join()
    say(store, "after")
    damages = [str(damage) for damage in store.verify()]
    events = store.log.position()
    store.close()
    return {"outcomes": found, "status": status, "events": events, "damages": damages}


def used_file(folder: Path) -> dict[str, Any]:
    return used(folder, str(folder / "x.db"))


def used_memory(folder: Path) -> dict[str, Any]:
    return used(folder, ":memory:")


def opened_anew(folder: Path) -> dict[str, Any]:
    """The child opens the file for itself and outlives the parent's store."""
    path = str(folder / "x.db")
    store = threadstore.open(path)
    say(store, "before")
    store.thread("t").view()
    turns = Turns()
    child = os.fork()
    if child == 0:
        signal.alarm(WAIT)
        own = threadstore.open(path)
        say(own, "child")
        turns.wake(PARENT)
        turns.sleep(CHILD)
        say(own, "child later")
        own.close()
        os._exit(0)  # as multiprocessing does
    turns.sleep(PARENT)
    say(store, "parent")
    store.close()
    turns.wake(CHILD)
    _, status = os.waitpid(child, 0)
    return {"status": status, **_found(path)}


def outlived(folder: Path) -> dict[str, Any]:
    """A child that never uses the store ends after the parent has closed it and another process was killed while it wrote."""
    path = str(folder / "x.db")
    store: ThreadStore | None = threadstore.open(path)
    say(store, "before")
    store.thread("t").view()
    turns = Turns()
    child = os.fork()
    if child == 0:
        signal.alarm(WAIT)
        turns.sleep(CHILD)
        store = None
        gc.collect()
        sys.exit()
    store.close()
    subprocess.run([sys.executable, __file__, "killed", str(folder)], check=False)
    turns.wake(CHILD)
    _, status = os.waitpid(child, 0)
    return {"status": status, **_found(path)}


def killed(folder: Path) -> None:
    say(threadstore.open(folder / "x.db"), "killed")
    os.kill(os.getpid(), signal.SIGKILL)


def forked_often(folder: Path) -> dict[str, Any]:
    """Threads write and read all the while that their process forks, and each child writes for itself."""
    path = str(folder / "x.db")
    store = threadstore.open(path, durability="normal")
    done = Event()
    counts: list[int] = []
    wrong: list[str] = []

    def write() -> None:
        count = 0
        try:
            while not done.is_set():
                say(store, "parent", 1)
                store.thread("t").view()
                count += 1
        except Exception as error:  # noqa: BLE001  # it is what the scene is to find
            wrong.append(repr(error))
        counts.append(count)

    writers = [Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    statuses = []
    for _ in range(FORKS):
        child = os.fork()
        if child == 0:
            signal.alarm(WAIT)
            refused = outcome(lambda: store.thread("t").counts())
            own = threadstore.open(path, durability="normal")
            say(own, "child", 2, "a small thread")
            own.close()
            os._exit(0 if refused.startswith("StoreUnavailable") else 3)
        statuses.append(os.waitpid(child, 0)[1])
    done.set()
    for writer in writers:
        writer.join()
    store.close()
    found = _found(path)
    return {"statuses": statuses, "wrong": wrong, "expected": sum(counts) + 2 * len(statuses), **found}


def _found(path: str) -> dict[str, Any]:
    with threadstore.open(path) as store:
        return {"events": store.log.position(), "damages": [str(damage) for damage in store.verify()]}


if __name__ == "__main__":
    signal.alarm(4 * WAIT + FORKS)
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
