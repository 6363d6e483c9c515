"""Every test says in one sentence what it holds true."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def unsaid(source: str) -> Iterator[str]:
    """Yield the names of the tests in *source* whose docstring is missing or is not a sentence."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test_"):
                sentence = ast.get_docstring(node) or ""
                if not sentence.endswith((".", "?", "!")):
                    yield name


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.stem)
def test_every_test_has_a_sentence(path: Path):
    """A test without a sentence can not be told from a test without a reason."""
    assert list(unsaid(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("body", ["pass", "'''no sentence'''", "''''''"])
def test_a_missing_sentence_is_noticed(body: str):
    """The test above can not pass vacuously."""
    assert list(unsaid(f"class TestIt:\n    def test_it(self):\n        {body}")) == ["test_it"]
