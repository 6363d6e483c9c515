"""
Packages lean one way: what decides and folds knows nothing of databases, and never looks at the clock, at chance, or at the
machine.

There is no list of modules here. `PACKAGES` says what each package may know; a new module is held to the rule of its package.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "threadstore"

CLOCKS = {"calendar", "datetime", "sched", "time", "zoneinfo"}
CHANCE = {"random", "secrets", "uuid"}
MACHINE = {"ctypes", "io", "os", "pathlib", "platform", "shutil", "signal", "socket", "subprocess", "sys", "tempfile"}
STORAGE = {"dbm", "shelve", "sqlite3"}
RUNTIME = {"asyncio", "concurrent", "logging", "multiprocessing", "queue", "threading", "weakref"}
IMPURE = CLOCKS | CHANCE | MACHINE | STORAGE | RUNTIME


class Rule(NamedTuple):
    """Which packages, and modules at the top, one of them may import from besides itself, and whether it is pure."""

    below: frozenset[str]
    pure: bool = False


def _rule(*below: str, pure: bool = False) -> Rule:
    return Rule(frozenset(below), pure)


#: errors <- plans, model <- decide, views, log <- readmodel <- store.
PACKAGES: Mapping[str, Rule] = {
    "errors": _rule(pure=True),
    "plans": _rule("errors", pure=True),
    "model": _rule("errors", pure=True),
    "decide": _rule("errors", "plans", "model", pure=True),
    "views": _rule("errors", "plans", "model", pure=True),
    "log": _rule("errors", "plans", "model"),
    "readmodel": _rule("errors", "plans", "model", "decide", "views", "log"),
    "store": _rule("errors", "plans", "model", "decide", "views", "log", "readmodel"),
}
#: Whatever is not told above (the front page, the program, the proofs) may import all of it, and is imported by none of it.
ELSEWHERE = Rule(frozenset(PACKAGES))

MODULES: Mapping[str, Path] = {
    ".".join(("threadstore", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

ALLOWED = {"attr", "attrs", "msgspec", "threadstore", "typing_extensions"}
LOADED_BY_IMPORT = """
import sys
before = set(sys.modules)
import threadstore
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(loaded - sys.stdlib_module_names))
"""


def imports(source: str, module: str, modules: Collection[str] = MODULES) -> Iterator[str]:
    """Yield the dotted name of every module that a module imports anywhere, or of what it imports from one that is not ours."""
    parts = module.split(".")
    package = parts if any(each.startswith(f"{module}.") for each in modules) else parts[:-1]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=name, names=names, level=level):
                base = ".".join([*(package[: len(package) - level + 1] if level else ()), *([name] if name else ())])
                for alias in names:
                    yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base


def room_of(name: str) -> str:
    """Return the package, or the module at the top, that a name of ours is in; empty for the front page."""
    return name.partition(".")[2].partition(".")[0]


def is_allowed(name: str, module: str) -> bool:
    """Return whether a module may import something."""
    rule = PACKAGES.get(room_of(module), ELSEWHERE)
    if name.partition(".")[0] != "threadstore":
        return not rule.pure or name.partition(".")[0] not in IMPURE
    is_above = room_of(module) not in PACKAGES
    return room_of(name) in rule.below or room_of(name) == room_of(module) or (is_above and room_of(name) not in PACKAGES)


def circle_in(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Return the modules of a circle of imports; none if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_what_its_package_may(module: str):
    """Each import in the package leads down, and none in a pure package leads to a clock, chance, the machine or storage."""
    source = MODULES[module].read_text(encoding="utf-8")
    assert [name for name in imports(source, module) if not is_allowed(name, module)] == []


def test_no_modules_import_one_another():
    """Modules can be read in an order in which none needs one that comes later; even imports inside functions count."""
    graph = {module: set(imports(path.read_text(encoding="utf-8"), module)) & set(MODULES) for module, path in MODULES.items()}
    assert sum(map(len, graph.values())) > len(MODULES)
    assert circle_in(graph) == []


def test_every_package_has_a_rule():
    """A folder of the library is told above, but for the proofs; each rule is of something that is there, and names no equal."""
    rooms = {room_of(module) for module in MODULES}
    assert rooms - PACKAGES.keys() == {"", "__main__", "testing"}
    assert PACKAGES.keys() <= rooms
    assert circle_in({name: rule.below for name, rule in PACKAGES.items()}) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        # A pure package at a clock, at chance, at the machine, at storage.
        ("threadstore.model.ids", "import time"),
        ("threadstore.decide.rules", "from datetime import datetime"),
        ("threadstore.views.pages", "def f():\n    from random import Random"),
        ("threadstore.model.ids", "import uuid"),
        ("threadstore.model.codec", "import os.path as p"),
        ("threadstore.views.lens", "from pathlib import Path"),
        ("threadstore.decide.decide", "import sqlite3"),
        ("threadstore.plans", "import threading"),
        # A package at one above or beside it.
        ("threadstore.errors", "from threadstore.model.ids import NIL"),
        ("threadstore.plans", "from threadstore.model.ids import NIL"),
        ("threadstore.model.outline", "from threadstore.views.types import Counts"),
        ("threadstore.model.state", "from threadstore.plans import Plan"),
        ("threadstore.decide.decide", "from threadstore.views.thread import Thread"),
        ("threadstore.views.pages", "if TYPE_CHECKING:\n    from threadstore.decide import known"),
        ("threadstore.log.sqlite", "from threadstore.views import types"),
        ("threadstore.log.sqlite", "from threadstore.readmodel.rows import ThreadRow"),
        ("threadstore.readmodel.walks", "def f():\n    from threadstore.store.store import ThreadStore"),
        ("threadstore.store.store", "from threadstore.testing.given import moment"),
        # However it is written.
        ("threadstore.model.ids", "import threadstore"),
        ("threadstore.model.ids", "from threadstore import open"),
        ("threadstore.model.ids", "import threadstore.store.store"),
        ("threadstore.model.ids", "from .. import plans"),
        ("threadstore.model.ids", "from ..store.store import ThreadStore"),
        ("threadstore.model", "from ..store import store"),
    ],
)
def test_a_forbidden_import_is_noticed(module: str, source: str):
    """Each kind of import that is not allowed is seen, so the tests above can not pass vacuously."""
    assert not all(is_allowed(name, module) for name in imports(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("threadstore.model.ids", "import re"),
        ("threadstore.model.ids", "import timeit"),
        ("threadstore.model.ids", "from . import events"),
        ("threadstore.model.ids", "from .events import NIL"),
        ("threadstore.decide.decide", "from threadstore.model.ids import NIL"),
        ("threadstore.views.pages", "from threadstore import errors"),
        ("threadstore.log.sqlite", "import os, sqlite3"),
        ("threadstore.store.store", "from threadstore.readmodel import lists"),
        ("threadstore.testing.prove", "from threadstore import open"),
        ("threadstore", "from threadstore.store.store import open"),
    ],
)
def test_an_import_that_leads_down_is_allowed(module: str, source: str):
    """Whole names are impure, not what merely starts like one, and a package may import itself and what is below."""
    assert all(is_allowed(name, module) for name in imports(source, module))


def test_a_circle_is_noticed():
    """Three modules that import one another in a row are told, though each of them leads to a package below or its own."""
    sources = {
        "threadstore.model.a": "from threadstore.model import b",
        "threadstore.model.b": "def f():\n    from threadstore.model.c import something",
        "threadstore.model.c": "from .a import something",
        "threadstore.model": "",
    }
    graph = {module: set(imports(source, module, sources)) for module, source in sources.items()}
    assert set(circle_in(graph)) == {"threadstore.model.a", "threadstore.model.b", "threadstore.model.c"}


def test_importing_loads_only_the_two_dependencies():
    """`import threadstore` loads nothing from outside the standard library but attrs and msgspec."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", LOADED_BY_IMPORT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) - ALLOWED == set()
