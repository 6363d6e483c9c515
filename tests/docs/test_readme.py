"""What the pages say is run: the README's snippets, and the doctests of every module."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import threadstore

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = ["threadstore", *(found.name for found in pkgutil.walk_packages(threadstore.__path__, "threadstore."))]
NEEDS_HYPOTHESIS = {"threadstore.testing.strategies"}


def blocks(page: str) -> Iterator[tuple[str, str, int]]:
    """Yield the language, the content and the line of every fenced block of a page."""
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield found[1], found[2], page.count("\n", 0, found.start()) + 2


def run(code: str, line: int, names: dict[str, Any]) -> str:
    """Run a snippet among *names*, and return what it prints; of a session, what went otherwise than it says."""
    out = StringIO()
    if code.startswith(">>>"):
        session = doctest.DocTestParser().get_doctest(code, names, "README.md", "README.md", line)
        session.globs = names  # the parser made a copy, and what a session assigns is for the next one
        doctest.DocTestRunner().run(session, out=out.write, clear_globs=False)
    else:
        with redirect_stdout(out):
            exec(compile("\n" * (line - 1) + code, "README.md", "exec"), names)
    return out.getvalue()


def test_the_readme_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The snippets run from top to bottom, as one program, and print what the page says."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    printed = ""
    kinds = []
    try:
        for language, content, line in blocks(README):
            kinds.append(language)
            if language == "python":
                printed = run(content, line, names)
                assert printed == "" or not content.startswith(">>>"), printed
            elif language == "text":
                assert content == printed
    finally:
        for name in {"store", "mirror"} & names.keys():
            names[name].close()
    assert kinds.count("python") >= 7
    assert "text" in kinds


def test_a_session_that_is_not_true_is_noticed():
    """A wrong answer in a snippet is printed, so the test above can not pass vacuously."""
    assert "Expected:\n    2\nGot:\n    1\n" in run(">>> one = 1\n>>> one\n2\n", 1, {})


def test_every_link_leads_somewhere():
    """What the README points to within the project is there."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_command_exists():
    """Each make target that the README names is one."""
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = re.findall(r"^\$ make (\w+)", README, re.MULTILINE)
    assert named[:2] == ["demo", "test"]
    assert set(named) <= targets


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name: str):
    """The examples in the docstrings of a module are true."""
    if name in NEEDS_HYPOTHESIS and find_spec("hypothesis") is None:
        pytest.skip("hypothesis is not installed")
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


def test_there_are_doctests():
    """The front page of the package and some of its modules show examples, so the test above does not pass vacuously."""
    for name in ("threadstore", "threadstore.model.ids", "threadstore.model.corrections", "threadstore.model.ranking"):
        assert doctest.testmod(importlib.import_module(name)).attempted > 0
