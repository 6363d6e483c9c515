"""
How do other libraries do on the same content? And how do two replicas meet?

Method: the comments of a generated thread, with whom they were liked by, are written to a file that each peer reads (without
edits, deletions and orphans, which not all of them can keep); each then runs in a process of its own, as told in
peers/common.py. For the merge of two replicas the processes of threadstore, pycrdt and loro take turns. A replica holds two
thirds of the comments, half of which the other has too, and gets all of the other's as bytes. Ours is timed up to the first
page, theirs is the import alone.

Caveats: the CRDTs could be sent the difference alone, and so could threadstore. A peer that is not installed is named, and left
out.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from content import CACHE, cached
from generator import Thread
from harness import OURS, Figure, Row, Task, child, main, say

from threadstore import CommentPosted, ReactionGiven
from threadstore.model.ids import time_of

FOLDER: Final = Path(__file__).parent / "peers"
#: name -> (script, distribution, the most comments that it can be asked for in reasonable time)
PEERS: Final[dict[str, tuple[str, str | None, int]]] = {
    OURS: ("threadstore_store.py", None, 1_000_000),
    "adjacency table": ("adjacency_table.py", None, 1_000_000),
    "eventsourcing": ("eventsourcing_aggregate.py", "eventsourcing", 100_000),
    "Isso": ("isso_database.py", "isso", 100_000),
    "django-comments-xtd": ("django_xtd.py", "django-comments-xtd", 2_000),
    "pycrdt": ("pycrdt_document.py", "pycrdt", 1_000_000),
    "loro": ("loro_document.py", "loro", 1_000_000),
}
OPERATIONS: Final = ("bulk", "append", "load", "cold page", "page", "top page", "merge", "merge and page")


def written(count: int) -> Path:
    """Return the file of comments that the peers read."""

    def make(path: Path) -> None:
        comments: list[dict[str, Any]] = []
        numbers: dict[str, int] = {}
        for event in Thread(count, edited=0, deleted=0, orphans=0):
            if isinstance(event, CommentPosted) and event.actor is not None:
                number = numbers[event.id] = len(comments) + 1
                parent = None if event.parent is None else numbers[event.parent]
                said = {"author": event.actor.id, "name": event.actor.name, "at": time_of(event.id), "body": event.body}
                comments.append({"id": number, "uid": event.id, "parent": parent, "likes": [], **said})
            elif isinstance(event, ReactionGiven) and event.actor is not None:
                likes = comments[numbers[event.comment] - 1]["likes"]
                if event.actor.id not in likes[-1:]:
                    likes.append(event.actor.id)
        path.write_bytes(msgspec.msgpack.encode(comments))

    return cached(f"peers-{count}", make)


def version(distribution: str | None) -> str | None:
    """Return the installed version; None if it is not there."""
    if distribution is None:
        return ""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def compared(count: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Return what each peer that is installed took for each operation."""
    content, seen = written(count), dict[str, dict[str, Any]]()
    for name, (script, distribution, most) in PEERS.items():
        found = version(distribution)
        if found is None:
            seen[name] = {"skipped": "not installed"}
        elif count > most:
            seen[name] = {"skipped": f"asked for at most {most:,} comments", "version": found}
        else:
            say(f"peer {name} {found}")
            try:
                seen[name] = {**child(FOLDER / script, str(content), "--rounds", str(rounds)), "version": found}
            except (RuntimeError, OSError) as error:
                seen[name] = {"skipped": f"failed: {error}", "version": found}
    return seen


def measure(task: Task) -> Iterator[Row]:
    """Yield the merge of two replicas, which has a target; the other figures have none and come from `compared`."""
    CACHE.mkdir(exist_ok=True)
    content = written(task.comments * 3 // 2)
    samples: dict[str, list[float]] = {}
    peers = [name for name in (OURS, "pycrdt", "loro") if version(PEERS[name][1]) is not None]
    for _ in range(min(task.rounds, 3)):
        for name in peers:
            seen = child(FOLDER / PEERS[name][0], str(content), "--rounds", "1", "--only-merge")
            samples.setdefault(name, []).append(seen["merge and page" if name == OURS else "merge"])
            samples.setdefault(f"{name}, with a page", []).append(seen["merge and page"])
    del samples[f"{OURS}, with a page"]
    figures = {name: Figure.of(taken) for name, taken in samples.items()}
    rivals = {name: figure.median for name, figure in figures.items() if name in {"pycrdt", "loro"}}
    against = min(rivals, key=rivals.__getitem__, default=None)
    yield Row("merge of two replicas", task.comments, "s", figures, against=against)


if __name__ == "__main__":
    main(measure, __doc__)
