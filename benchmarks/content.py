"""
Where do the workloads get their threads and stores from?

Method: one thread of so many comments, generated, or the first so many comments of a real trace put into one thread. Stores are
made once and kept in ``benchmarks/.cache``, under a name that holds a hash of the library's and the generator's source: any
change there makes them anew, so no figure comes from a file of another release. Workloads that write get copies.

- settled: the log and the rows of the read model, as any use leaves them.
- bare: the log alone; the tables of the read model are emptied.

Caveats: a trace put into one thread has the lengths, times and trees of its threads, but more top-level comments than one thread
has.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
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
#: What the log itself is made of; everything else in the file is the read model, as are the columns of `threads` from `model` on.
LOG_TABLES: Final = {"threads", "events", "erasures"}
_RESET: Final = "UPDATE threads SET model = 0, projected = 0, rules = 0, building = 0, since = NULL, described = NULL, crc = 0"
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
    "frames",
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


def settled(task: Task, *, bodies: bool = True) -> Path:
    """Return a store that holds the thread, with the rows that show it."""

    def make(path: Path) -> None:
        with threadstore.open(path, durability="off") as store:
            for batch in batches(task, bodies=bodies):
                store.merge(batch)
        _rest(path)

    return cached(f"settled-{label(task, bodies=bodies)}", make)


def bare(task: Task) -> Path:
    """Return a store that holds the log of the thread and nothing else."""
    source = settled(task)

    def make(path: Path) -> None:
        shutil.copyfile(source, path)
        strip(path)

    return cached(f"bare-{label(task)}", make)


def strip(path: Path) -> None:
    """Empty all that is not the log's, and bring everything into the one file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            if table not in LOG_TABLES and not table.startswith("sqlite_"):
                connection.execute(f"DELETE FROM {table}")
        connection.execute(_RESET)
    _rest(path)


def _rest(path: Path) -> None:
    """Bring everything into the one file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


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
    Let the write-ahead log grow, and be begun anew, as in a store that has been open for a while.

    A flush of a file that grows takes the file system several times as long as one of a file that does not.
    """
    store.merge(Thread(8_000, key="filler"))
    store.thread("filler").post("The log is begun anew.", by="u-1")


def frames(path: Path) -> tuple[int, int]:
    """
    Return how many pages the write-ahead log of a file holds in its present run, and how many commits.

    A frame that ends a transaction says so (sqlite.org/fileformat2.html, section 4.1).
    """
    data = path.with_name(path.name + "-wal").read_bytes()
    if len(data) < 32:
        return 0, 0
    [size] = struct.unpack(">I", data[8:12])
    salts = data[16:24]
    heads = [data[place : place + 24] for place in range(32, len(data), 24 + size)]
    mine = [head for head in heads if len(head) == 24 and head[8:16] == salts]
    return len(mine), sum(1 for head in mine if head[4:8] != b"\0\0\0\0")


def page(store: threadstore.ThreadStore, key: str = KEY, order: str = "top", **arguments: Any) -> ThreadView:
    """Return the page that is asked for throughout: 50 top-level comments with 3 replies each."""
    return store.thread(key).view(order=order, **PAGE | arguments)
