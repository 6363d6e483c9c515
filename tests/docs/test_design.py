"""The design document speaks of the library as it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import threadstore
from threadstore.model.events import REGISTERS, UnknownEvent

ROOT = Path(__file__).parents[2]
PACKAGE = Path(threadstore.__file__).parent
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

#: What the document calls the keys of the table.
KEYS = {
    "_own": "id",
    "_by_writer": "writer",
    "_by_reaction": "actor's id, kind",
    "_by_person": "person, writer",
    "_own_by_writer": "id, writer",
}


def test_the_table_of_registers_is_the_table():
    """Each event is in the rows of the cells that it writes, with their shape and key, and nothing else is."""
    said = set()
    for events, cell, shape, key in re.findall(
        r"^\| (`\w+`.*?) \| (\S+) \| (once|latest|flag) \| (.+?) \|$", DESIGN, re.MULTILINE
    ):
        said |= {(name, bool(if_flagged), cell, shape, key) for name, if_flagged in re.findall(r"`(\w+)`( \(if)?", events)}
    assert said == {
        (kind.__name__, write.when is not None, write.cell, write.shape.value, KEYS[write.key.__name__])
        for kind, writes in REGISTERS.items()
        for write in writes
    }
    assert REGISTERS[UnknownEvent] == ()


def drawn() -> list[str]:
    """Return the modules and packages that the map names, from the top."""
    [map_] = re.findall(r"^```\nsrc/threadstore/\n(.*?)^```$", DESIGN, re.MULTILINE | re.DOTALL)
    return re.findall(r"^  (\w+)", map_, re.MULTILINE)


def imported_by(name: str) -> set[str]:
    """Return the modules and packages from which one imports."""
    files = [path] if (path := PACKAGE / f"{name}.py").is_file() else list((PACKAGE / name).glob("*.py"))
    sources = [file.read_text(encoding="utf-8") for file in files]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    found = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {module.split(".")[1] for module in found if module.startswith("threadstore.")} - {name}


def test_all_is_on_the_map():
    """The map names each module and package, and none that is not there."""
    there = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(drawn()) == sorted(there - {"__init__"})


@pytest.mark.parametrize("name", drawn())
def test_imports_point_upwards(name: str):
    """A package imports only from those above it on the map."""
    assert imported_by(name) <= set(drawn()[: drawn().index(name)])


def test_imports_are_seen():
    """The test above does not pass for want of looking."""
    assert imported_by("decide") >= {"errors", "model"}
    assert imported_by("store") >= {"readmodel", "log", "views"}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(threadstore(?:\.\w+)+)`", DESIGN))))
def test_what_is_named_is_there(name: str):
    """A dotted name in the document leads to a module or to something in one."""
    path = ROOT / "src" / Path(*name.split("."))
    if not (path.is_dir() or path.with_suffix(".py").is_file()):
        module, _, attribute = name.rpartition(".")
        source = (ROOT / "src" / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8")
        assert re.search(rf"^(class |def )?{attribute}\b", source, re.MULTILINE)
