"""
How do other ways of keeping comments do, on the same content?

Method: each peer runs in a process of its own and gets the same file of comments, with who liked which. It loads them in bulk,
each at its own best way; takes single comments, durable as it does by default; is closed, and opened anew to load the whole
thread ("load"), and to show the first 50 top-level comments with 3 replies each from nothing ("cold page"); shows that page
again when warm, oldest first ("page") and most liked first ("top page"). Replicas that have half of their comments in common
are merged by those that can ("merge", and "merge and page"). Memory is what the process grew by when it loaded the thread, and
its peak.

Caveats: none of them does the same. A row says what an application would wait for, and the notes what it would get. A single
comment waits for the disk, whose moods differ from one process to the next more than the peers do.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import msgspec

POSTS = 30
LIMIT, REPLIES = 50, 3


class Comment(msgspec.Struct, frozen=True):
    """A comment as the peers get it: `id` counts from 1, and a parent comes before its replies."""

    id: int
    uid: str
    parent: int | None
    author: str
    name: str
    at: int
    body: str
    likes: list[str]


Page = list[tuple[int, list[int]]]


class NotOffered(Exception):
    """The peer has nothing of the kind; the text says what it has instead."""


class Peer(ABC):
    """
    One way of keeping comments, in the directory *folder*.

    `notes` says what it does and does not do; `ranks_exactly` whether equal likes are ordered by id.
    """

    notes: ClassVar[str] = ""
    ranks_exactly: ClassVar[bool] = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def bulk(self, comments: Sequence[Comment]) -> None:
        """Store all comments, durably at the end."""

    @abstractmethod
    def append(self, comment: Comment) -> None:
        """Store one more."""

    @abstractmethod
    def load(self) -> None:
        """Bring the thread into memory, as far as it is ever there."""

    @abstractmethod
    def page(self, order: str) -> Page:
        """Return the first top-level comments in the order "oldest" or "top", each with its first replies."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the files."""

    @classmethod
    def prepare_merge(cls, ours: Sequence[Comment], theirs: Sequence[Comment], folder: Path) -> Callable[[], Callable[[], Page]]:
        """Return a function that merges the bytes of *theirs* into *ours*, and returns one that shows the page in order top."""
        raise NotOffered("nothing to merge with")


def first_page(comments: Sequence[Comment], order: str) -> Page:
    """Return the page by looking at all comments: for peers that have no order of their own, and for the check."""
    by_parent: dict[int | None, list[int]] = {}
    for comment in comments:
        by_parent.setdefault(comment.parent, []).append(comment.id)
    likes = {comment.id: len(comment.likes) for comment in comments}
    roots = sorted(by_parent.get(None, ()), key=(lambda id: (-likes[id], id)) if order == "top" else None)
    return [(root, by_parent.get(root, [])[:REPLIES]) for root in roots[:LIMIT]]


def timed(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def resident() -> int:
    gc.collect()
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(kind: type[Peer], comments: list[Comment], rounds: int, folder: Path) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    extra, comments = comments[-POSTS:], comments[:-POSTS]
    peer = kind(folder)
    seen["bulk"] = timed(lambda: peer.bulk(comments))
    expected = {order: first_page(comments, order) for order in ("oldest", "top")}
    for order, page in expected.items():
        shown = peer.page(order)
        if [root for root, _ in shown] != [root for root, _ in page] and (kind.ranks_exactly or order == "oldest"):
            raise AssertionError(f"the page in order {order} is another one: {shown[:3]} instead of {page[:3]}")
    seen["append"] = median([timed(lambda comment=comment: peer.append(comment)) for comment in extra])  # type: ignore[misc]
    peer.close()

    def cold() -> None:
        other = kind(folder)
        other.page("oldest")
        other.close()

    seen["cold page"] = median([timed(cold) for _ in range(rounds)])
    loads = list[float]()
    for turn in range(rounds):
        last = kind(folder)
        loads.append(timed(last.load))
        if turn < rounds - 1:
            last.close()
    seen["load"] = median(loads)
    seen["page"] = median([timed(lambda: last.page("oldest")) for _ in range(3 * rounds)])
    seen["top page"] = median([timed(lambda: last.page("top")) for _ in range(3 * rounds)])
    last.close()
    return seen


def grown(kind: type[Peer], folder: Path) -> int:
    """Return by how much this process grows when it loads the thread and shows a page of it."""
    gc.collect()
    before = resident()
    peer = kind(folder)
    peer.load()
    peer.page("top")
    return max(resident() - before, 0)


def merge(kind: type[Peer], comments: list[Comment], rounds: int, folder: Path) -> dict[str, Any]:
    """Both replicas have two thirds of the comments, one of those in common."""
    third = len(comments) // 3
    alone, whole = list[float](), list[float]()
    for _ in range(rounds):
        try:
            turn = kind.prepare_merge(comments[: 2 * third], comments[third:], folder)
        except NotOffered as error:
            return {"merge": str(error), "merge and page": str(error)}
        gc.collect()
        start = time.perf_counter()
        show = turn()
        alone.append(time.perf_counter() - start)
        page = show()
        whole.append(time.perf_counter() - start)
        if page != first_page(comments, "top"):
            raise AssertionError("the merged page is another one")
    return {"merge": median(alone), "merge and page": median(whole)}


def main(kind: type[Peer]) -> None:
    """Measure one peer, and print what was seen as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("content", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-merge", action="store_true")
    parser.add_argument("--grown", type=Path)
    given = parser.parse_args()
    if given.grown is not None:
        print(grown(kind, given.grown))
        return
    comments = msgspec.msgpack.decode(given.content.read_bytes(), type=list[Comment])
    with tempfile.TemporaryDirectory(dir=given.content.parent) as folder:
        seen = {} if given.only_merge else measure(kind, comments, given.rounds, Path(folder))
        if not given.only_merge:
            again = [sys.executable, sys.argv[0], str(given.content), "--grown", folder]
            seen["memory"] = int(subprocess.run(again, capture_output=True, text=True, check=True).stdout)
    with tempfile.TemporaryDirectory(dir=given.content.parent) as folder:
        seen |= merge(kind, comments, given.rounds, Path(folder))
    seen["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    seen["notes"] = kind.notes
    print(json.dumps(seen))
