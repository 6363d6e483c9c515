"""
What the tests of the guarantees share: how long to go on, and where to write the figures down.

``make test`` runs a short form. ``make soak`` sets ``THREADSTORE_SOAK`` to a folder: every test then runs its long
form, prints how far it is, and leaves its figures there as JSON, from which ``tests/nothing_lost/report.py`` writes the
tables of docs/guarantees.md. ``SOAK_SCALE`` makes the long form so many times longer.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from threadstore import Actor, Event, StoredThread, Thread, ThreadStore, fold
from threadstore.model.ranking import ORDERS

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / "src" / "threadstore"
SOAK = os.environ.get("THREADSTORE_SOAK", "")
#: How often a long run says how far it is, in seconds.
EVERY = 15


class Scale:
    """How much to do: the short figure in ``make test``, the long one in ``make soak``."""

    def __init__(self, folder: str, test: str) -> None:
        self.is_long = bool(folder)
        self._folder = folder
        self._test = test
        self._factor = float(os.environ.get("SOAK_SCALE", "1"))
        self._told = time.monotonic()

    def __call__(self, short: int, long: int, *, most: int | None = None) -> int:
        """Return how much to do; at *most* so much, where there is a bound."""
        chosen = max(short, int(long * self._factor)) if self.is_long else short
        return chosen if most is None else min(chosen, most)

    def progress(self, done: int, of: int, what: str) -> None:
        """Say on the terminal how far a long run is."""
        if self.is_long and time.monotonic() > self._told + EVERY:
            self._told = time.monotonic()
            print(f"  {self._test}: {done:,} of {of:,} {what}", file=sys.__stderr__, flush=True)

    def figure(self, name: str, value: float | str) -> None:
        """Write down what was reached, for docs/guarantees.md."""
        if not self.is_long:
            return
        path = Path(self._folder) / f"{self._test}.json"
        figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        figures[name] = value
        path.write_text(json.dumps(figures, indent=1, sort_keys=True), encoding="utf-8")


@pytest.fixture
def scale(request):
    return Scale(SOAK, f"{request.node.path.stem}.{request.node.name}".replace("/", "_"))


@pytest.fixture
def guard(scale) -> Iterator[None]:
    """Fail a test that does not end, instead of hanging: a bound on hangs alone, far above what any test takes."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    former = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(scale(60, 3_600))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


def _too_long(number: int, frame: object) -> None:
    raise TimeoutError("this goes on for ever, or nearly so")


@pytest.fixture
def swift(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory where there is one: for what syncs files thousands of times and could not tell the difference."""
    if os.access("/dev/shm", os.W_OK):
        with TemporaryDirectory(dir="/dev/shm") as name:
            yield Path(name)
    else:
        yield tmp_path


def _pages(thread: Thread | StoredThread, **policy: Any) -> dict[str, Any]:
    """Return what a thread shows, from all sides; revisions aside, which only a log knows."""
    seen = {"reader": Actor("m", "", "moderator"), "reveal": "all", **policy}
    pages = {
        "view": thread.view(limit=500, rows=500, **seen),
        "for readers": thread.view(limit=500, replies=2, rows=500, pinned=True, reader="u-1", **policy),
        **{order: thread.view(order=order, limit=500, now=1, **policy) for order in ORDERS},
        "flat": thread.flat(limit=500, order="newest", **seen),
        "queue": thread.queue(limit=500, **policy),
    }
    shown: dict[str, Any] = {name: msgspec.structs.replace(page, revision=0) for name, page in pages.items()}
    return shown | {"counts": thread.counts(**policy), "corrections": thread.corrections(reader="u-1", **policy)}


@pytest.fixture
def check_whole() -> Callable[[ThreadStore], None]:
    """Return a function that fails unless a store is sound, and each of its threads shows what a fold of its events shows."""

    def check(store: ThreadStore) -> None:
        damage = list(store.verify())
        assert damage == [], damage[:3]
        threads: dict[str, list[Event]] = {}
        for event in store.export():
            threads.setdefault(event.thread, []).append(event)
        assert list(store.threads()) == list(threads)
        for key, events in threads.items():
            expected = _pages(fold(events, key=key), policy=store.policy)
            found = _pages(store.thread(key))
            assert {name: page for name, page in found.items() if page != expected[name]} == {}, key
        assert store.rebuild() == 0, "rows were not those of the whole thread"

    return check


@pytest.fixture
def found_by(scale: Scale) -> Callable[..., dict[str, Any]]:
    """
    Return a function that runs a child program which prints its progress and, in the end, what it has found, as lines
    of JSON.
    """

    def run(program: str, package: Path = PACKAGE, /, *, before: tuple[str, ...] = (), **what: Any) -> dict[str, Any]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        environment |= {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        lines = [b"{}"]
        command = [*before, sys.executable, HERE / program, json.dumps(what)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            try:
                for line in child.stdout:
                    lines.append(line)
                    said = json.loads(line)
                    if "of" in said:
                        scale.progress(said["done"], said["of"], program)
            except BaseException:
                child.kill()
                raise
        assert child.returncode == 0
        found: dict[str, Any] = json.loads(lines[-1])
        if "skipped" in found:
            pytest.skip(found["skipped"])
        return found

    return run


def changed(source: str, where: str, old: str, new: str) -> str:
    """
    Return a module's *source* in which *old*, which stands once in the class or function called *where*, is *new*.

    Without *where* it stands once in the module.
    """
    lines = source.splitlines(keepends=True)
    start, end = _lines_of(ast.parse(source), where.split(".")) if where else (0, len(lines))
    part = "".join(lines[start:end])
    assert part.count(old) == 1, f"{where or 'the module'} says {old!r} {part.count(old)} times: name what says it now"
    return "".join(lines[:start]) + part.replace(old, new) + "".join(lines[end:])


def _lines_of(tree: ast.AST, names: list[str]) -> tuple[int, int]:
    """Return where the class or function with these names stands, one in another."""
    start = end = 0
    for name in names:
        found = [each for each in ast.iter_child_nodes(tree) if getattr(each, "name", None) == name]
        assert len(found) == 1, f"there are {len(found)} of the name {name!r}"
        [tree] = found
        start, end = tree.lineno - 1, tree.end_lineno or 0  # type: ignore[attr-defined]
    return start, end


def changed_in(package: Path, place: str, old: str, new: str) -> None:
    """Change one thing in a copy of the package; *place* is a path in it, or that with a class or function: ``path::A.b``."""
    path, _, where = place.partition("::")
    source = (package / path).read_text(encoding="utf-8")
    (package / path).write_text(changed(source, where, old, new), encoding="utf-8")


@pytest.fixture
def without(tmp_path: Path) -> Callable[..., Path]:
    """
    Return a function that makes a copy of the package in which one thing is changed, or several, and returns its folder.

    The arguments are a place as for `changed_in`, what stands there, and what is to stand there; for more changes, again.
    """

    def change(*changes: str) -> Path:
        package = tmp_path / "mutated" / "threadstore"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        for place, old, new in zip(changes[::3], changes[1::3], changes[2::3], strict=True):
            changed_in(package, place, old, new)
        return package

    return change


@pytest.fixture
def passes(tmp_path: Path) -> Callable[[str, Path], bool]:
    """
    Return a function that runs the short form of a test of this folder against a copy of the package, and says whether
    it passes; tests that wait for what does not come give up early.
    """

    def run(test: str, package: Path) -> bool:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST_", "THREADSTORE_"))
        }
        environment |= {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1", "WAIT": "3", "PATIENCE": "2"}
        options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist", "--basetemp", str(tmp_path / "tests")]
        command = [sys.executable, "-m", "pytest", *options, str(HERE / test)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.returncode == 0

    return run
