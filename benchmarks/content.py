"""
Where do the workloads get their threads and stores from?

Method: one thread of so many comments, generated, or the first so many comments of a real trace put into one thread. Stores are
made once and kept in ``benchmarks/.cache``, under a name that holds a hash of the library's and the generator's source: any
change there makes them anew, so no figure comes from a file of another release. Workloads that write get copies.

- bare: the log alone, as an import leaves it; all other tables are emptied, so nothing derived is left to start from.
- settled: the same after somebody has looked at it, so with whatever the library keeps to start faster.

Caveats: a trace put into one thread has the lengths, times and trees of its threads, but more top-level comments than one thread
has.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Final

from generator import KEY, Thread
from harness import Task, say

import threadstore
from threadstore import Event, ThreadView
from threadstore.testing.traces import CommentRow, events_of, read_trace

HERE: Final = Path(__file__).parent
CACHE: Final = HERE / ".cache"
#: What the log itself is made of; everything else in the file is a shortcut.
LOG_TABLES: Final = {"threads", "events", "erasures"}
#: The moment that "hot" is reckoned for: long after the last comment, the same for all contenders.
NOW: Final = 1_700_000_000_000
#: The page that is asked for throughout.
PAGE: Final[dict[str, Any]] = {"limit": 50, "replies": 3, "depth": 1, "rows": 200, "now": NOW}

__all__ = [
    "CACHE",
    "KEY",
    "LOG_TABLES",
    "NOW",
    "PAGE",
    "bare",
    "batches",
    "cached",
    "copied",
    "events",
    "fill_log",
    "page",
    "settled",
]


def events(task: Task, *, bodies: bool = True) -> Iterator[Event]:
    """Yield the events of the thread that *task* is about."""
    if task.trace is None:
        yield from Thread(task.comments, bodies=bodies)
    else:
        yield from events_of(_one_thread(Path(task.trace), task.comments), source=KEY)


def _one_thread(path: Path, most: int) -> Iterator[CommentRow]:
    rows = (row for row in read_trace(path) if isinstance(row, CommentRow))
    for row in islice(rows, most):
        fields = {name: getattr(row, name) for name in CommentRow.__struct_fields__}
        # The votes of a microblog or a forum are figures of their own kind; every other comment gets one reaction instead.
        yield CommentRow(**fields | {"thread": 1, "score": 0, "up": 0, "down": 0, "rx": None, "likes": 2 * (row.id % 2)})


def key_of(task: Task) -> str:
    """Return the key of the thread."""
    return KEY if task.trace is None else next(events(task)).thread


def batches(task: Task, size: int = 50_000, *, bodies: bool = True) -> Iterator[list[Event]]:
    """Yield the events in lists, so that making them can stay outside of what is timed, and out of memory."""
    source = events(task, bodies=bodies)
    while batch := list(islice(source, size)):
        yield batch


# --- files --------------------------------------------------------------------------------------------------------------------


@cache
def _source() -> str:
    """Return a hash of all that decides how a store looks."""
    state = blake2b(digest_size=6)
    for path in sorted([*Path(threadstore.__file__).parent.rglob("*.py"), HERE / "generator.py", HERE / "handwritten.py"]):
        state.update(path.read_bytes())
    return state.hexdigest()


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """Return the file called *name*, which *make* makes if it is not there; those of former sources are removed."""
    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"{name}-{_source()}.db"
    if not path.exists():
        for stale in CACHE.glob(f"{name}-{'?' * len(_source())}.db"):
            stale.unlink(missing_ok=True)
        say(f"making {name}")
        draft = CACHE / f"{name}.{os.getpid()}.draft.db"
        _unlink(draft)
        make(draft)
        draft.replace(path)
    return path


def _unlink(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def label(task: Task, *, bodies: bool = True) -> str:
    """Return what a file of this content is called."""
    return f"{task.content}-{task.comments}{'' if bodies else '-bodiless'}"


def bare(task: Task, *, bodies: bool = True) -> Path:
    """Return a store that holds the log of the thread and nothing else."""

    def make(path: Path) -> None:
        with threadstore.open(path, durability="off") as store:
            for batch in batches(task, bodies=bodies):
                store.merge(batch)
        strip(path)

    return cached(f"bare-{label(task, bodies=bodies)}", make)


def strip(path: Path) -> None:
    """Empty all tables that are not the log's, and bring everything into the one file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            if table not in LOG_TABLES and not table.startswith("sqlite_"):
                connection.execute(f"DELETE FROM {table}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def settled(task: Task, *, bodies: bool = True) -> Path:
    """Return a store that was looked at before."""
    source = bare(task, bodies=bodies)

    def make(path: Path) -> None:
        shutil.copyfile(source, path)
        for _ in range(2):
            with threadstore.open(path, durability="off") as store:
                page(store, key_of(task))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    return cached(f"settled-{label(task, bodies=bodies)}", make)


@contextmanager
def copied(path: Path, count: int = 1) -> Iterator[list[Path]]:
    """Lend copies of a file, in a directory that is removed at the end."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        copies = [Path(folder) / f"{number}.db" for number in range(count)]
        for copy in copies:
            shutil.copyfile(path, copy)
            with copy.open("r+b") as file:
                os.fsync(file.fileno())  # or the first commits of whoever is measured would wait for it
        yield copies


def fill_log(store: threadstore.ThreadStore) -> None:
    """
    Let the write-ahead log grow to its full size, and be begun anew, as in a store that has been open for a while.

    A flush of a file that grows takes the file system several times as long as one of a file that does not.
    """
    store.merge(Thread(8_000, key="filler"))
    store.thread("filler").post("The log is begun anew.", by="u-1")


def load(store: threadstore.ThreadStore, key: str = KEY) -> None:
    """Bring the thread into memory, whatever could be shown of it without that."""
    with store.using(key):
        pass


def page(store: threadstore.ThreadStore, key: str = KEY, order: str = "top", **arguments: Any) -> ThreadView:
    """Return the page that is asked for throughout: 50 top-level comments with 3 replies each."""
    return store.thread(key).view(order=order, **PAGE | arguments)
