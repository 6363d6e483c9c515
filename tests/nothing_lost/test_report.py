"""The page of guarantees says what is there: each module of proofs, each missing guard, and figures that a run has left."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"nothing_lost_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REPORT = loaded("report")
CONFTEST = loaded("conftest")
PAGE = " ".join(REPORT.PAGE.read_text(encoding="utf-8").split())


def test_every_module_proves_something():
    """No proof stands aside: each module belongs to a guarantee, and no guarantee names one that is not there."""
    modules = {path.stem for path in HERE.glob("test_*.py")} - {"test_report"}
    assert {module for proofs in REPORT.PROOFS.values() for module in proofs} == modules
    assert [module for module in modules if f"{module}.py" not in PAGE] == []


@pytest.mark.parametrize("module", ["test_crash", "test_power", "test_disk", "test_damage", "test_erasure"])
def test_every_missing_guard_is_named(module: str):
    """What a module takes out is on the page, in the same words."""
    said = [mutant if isinstance(mutant, str) else mutant.says for mutant in loaded(module).MUTANTS]
    assert [words for words in said if words not in PAGE] == []


GUARDED = sorted(path.stem for path in HERE.glob("test_*.py") if "\nMUTANTS = " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", GUARDED)
def test_every_missing_guard_is_there_to_be_taken_out(module: str):
    """The lines that a module takes out stand in the library, once each; which ones are found missing, the long form shows."""
    mutants = loaded(module).MUTANTS
    for mutant in mutants:
        for place, old, new in changes_of(mutants[mutant] if isinstance(mutant, str) else mutant):
            path, _, where = place.partition("::")
            source = (HERE.parents[1] / "src" / "threadstore" / path).read_text(encoding="utf-8")
            assert CONFTEST.changed(source, where, old, new) != source, mutant


def changes_of(mutant: Any) -> Iterator[tuple[str, str, str]]:
    """Yield the changes that a mutant is made of: where, what stands there, and what is to stand there."""
    if hasattr(mutant, "old"):
        yield mutant.path, mutant.old, mutant.new
        return
    changes = getattr(mutant, "changes", None) or mutant[1:]
    yield from zip(changes[::3], changes[1::3], changes[2::3], strict=True)


def test_figures_replace_figures(tmp_path: Path):
    """A run writes its own figures in place of those before, below their own guarantee, and leaves all else as it is."""
    page = REPORT.PAGE.read_text(encoding="utf-8")
    (tmp_path / "test_crash.test_a_kill[moment].json").write_text('{"kills": 1234567, "won": "1 : 2", "seconds": 0.25}')
    (tmp_path / "test_crash.test_a_kill[step].json").write_text('{"kills": 3, "won": "2 : 1"}')
    first = REPORT.tables(page, {"test_crash.test_a_kill": {"kills": 7}})
    written = REPORT.tables(first, REPORT.read(tmp_path))
    [added] = re.findall(r"<!-- figures: crash -->\n(.*?)<!-- end of figures -->", written, re.DOTALL)
    assert added.split("\n") == [
        "",
        "| test | reached |",
        "|---|---|",
        "| `test_a_kill[moment]` | kills: 1,234,567, seconds: 0.2, won: 1 : 2 |",
        "| `test_a_kill[step]` | kills: 3, won: 2 : 1 |",
        "| together | kills: 1,234,570 |",
        "",
        "",
    ]
    assert REPORT.tables(page, REPORT.read(tmp_path)) == written
    marks: Any = re.compile(r"<!-- figures: crash -->\n.*?<!-- end of figures -->", re.DOTALL)
    assert marks.sub("", written) == marks.sub("", page)
    with pytest.raises(ValueError, match="no marks for the figures of 'crash'"):
        REPORT.tables("# Guarantees", {})
