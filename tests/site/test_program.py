"""The program that serves the site, and the page that explains it."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).parents[2] / "examples" / "news_site"


def start(path: Path, port: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-W", "error", "-m", "news_site", "--db", path, "--port", str(port)]
    return subprocess.Popen(arguments, cwd=SITE.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def test_the_program(tmp_path: Path, free_port: int, came_up: Any):
    """It makes the store with the conversations, prints the address, and serves; started again it goes on with both."""
    path = tmp_path / "news.db"
    for first in (True, False):
        with start(path, free_port) as program:
            try:
                printed, page = came_up(program, f"http://127.0.0.1:{free_port}")
                assert "Comments (9)" in page
            finally:
                program.terminate()
                _, err = program.communicate(timeout=30)
        assert ("Making" in printed) is first
        assert err == ""
    secret = tmp_path / "news.db-secret"
    assert secret.stat().st_mode & 0o077 == 0
    assert len(secret.read_text()) > 30


def links(pattern: str) -> list[str]:
    return re.findall(pattern, (SITE / "README.md").read_text(encoding="utf-8"))


def test_the_pictures_and_links_of_the_page():
    """What the README shows and points to is there."""
    found = links(r"\]\((?!https?:)([^)#]+)\)")
    assert len(found) >= 9
    assert [link for link in found if not (SITE / link).exists()] == []


def test_the_map_of_the_page():
    """Each part of the site that the README names is there under that name."""
    named = links(r"`((?:reading|writing|looking|live|once|feeds|safety|people|app|moderating)(?:\.\w+)+)`")
    assert len(named) > 20
    for name in named:
        module, _, rest = name.partition(".")
        if rest != "py":
            assert hasattr(importlib.import_module(f"news_site.{module}"), rest), name


def test_the_library_of_the_map():
    """Each part of the library that the README names is there under that name."""
    import threadstore

    for owner, name in links(r"`(store|thread)\.(\w+)"):
        assert hasattr({"store": threadstore.ThreadStore, "thread": threadstore.StoredThread}[owner], name), name


def test_the_conversations_are_of_the_past(tmp_path: Path):
    """What is made up happened within two days, and nothing of it is still to come."""
    from news_site.seed import seed

    import threadstore
    from threadstore.model.ids import time_of

    now = 1_777_800_000_000
    seed(tmp_path / "news.db", now)
    with threadstore.open(tmp_path / "news.db") as store:
        moments = [time_of(event.id) for event in store.export()]
    assert now - 48 * 3_600_000 <= min(moments) < max(moments) <= now
