"""The core decides and folds; it never looks at the clock, at chance, or at the machine."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "threadstore"
SHELL = {"__init__", "__main__", "commits", "feeds", "fronts", "hot", "store", "stored", "streams", "verify"}
CORE = {path.stem: path for path in sorted(PACKAGE.glob("*.py")) if path.stem not in SHELL}

CLOCKS = {"datetime", "sched", "time"}
CHANCE = {"random", "secrets", "uuid"}
MACHINE = {"io", "os", "pathlib", "shutil", "socket", "sqlite3", "subprocess", "tempfile"}
RUNTIME = {"asyncio", "concurrent", "logging", "multiprocessing", "queue", "threading"}
IMPURE = CLOCKS | CHANCE | MACHINE | RUNTIME

ALLOWED = {"attr", "attrs", "msgspec", "threadstore", "typing_extensions"}
LOADED_BY_IMPORT = """
import sys
before = set(sys.modules)
import threadstore
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(loaded - sys.stdlib_module_names))
"""


def imports(source: str) -> Iterator[str]:
    """Yield the dotted name of everything that *source*, a top-level module of the package, imports anywhere."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = ".".join(filter(None, ["threadstore" if level else "", module]))
                yield from (f"{base}.{alias.name}" for alias in names)


def is_pure(name: str) -> bool:
    """Return whether the core may import *name*: of the package, only the core's own modules."""
    top, _, rest = name.partition(".")
    if top == "threadstore":
        return rest.partition(".")[0] in CORE
    return top not in IMPURE


@pytest.mark.parametrize("module", CORE)
def test_the_core_is_pure(module: str):
    """No module of the core imports a clock, chance, the machine, or a room further out."""
    source = CORE[module].read_text(encoding="utf-8")
    assert [name for name in imports(source) if not is_pure(name)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path as p",
        "from datetime import datetime",
        "def f():\n    from random import Random",
        "import threadstore",
        "from threadstore import open",
        "from threadstore.log.memory import MemoryLog",
        "from . import store",
        "from .store import ThreadStore",
    ],
)
def test_an_impure_import_is_noticed(source: str):
    """Each way to write an impure import is seen, so the test above can not pass vacuously."""
    assert not all(map(is_pure, imports(source)))


@pytest.mark.parametrize("source", ["import re", "import timeit", "from . import ids", "from threadstore.model.ids import NIL"])
def test_a_pure_import_is_allowed(source: str):
    """Whole names are impure, not what merely starts like one, and the core may import itself."""
    assert all(map(is_pure, imports(source)))


def test_importing_loads_only_the_two_dependencies():
    """`import threadstore` loads nothing from outside the standard library but attrs and msgspec."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", LOADED_BY_IMPORT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) - ALLOWED == set()
