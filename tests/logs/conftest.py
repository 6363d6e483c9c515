"""The logs under test, each with a way to make it and a way to open it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from threadstore.log.protocol import EventLog
from threadstore.log.sqlite import SqliteLog
from threadstore.testing.memory_log import MemoryLog


class Kind:
    """One kind of log: `make` gives a fresh one, `reopen` closes one and opens the same storage again."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._paths = (folder / f"{number}.db" for number in count())
        self._made: list[tuple[EventLog, Path]] = []

    def make(self) -> EventLog:
        return self._open(next(self._paths))

    def _open(self, path: Path) -> EventLog:
        log = MemoryLog() if self.name == "memory" else SqliteLog.open(":memory:" if self.name == ":memory:" else path)
        self._made.append((log, path))
        return log

    def reopen(self, log: EventLog) -> EventLog:
        if self.name != "file":
            return log
        log.close()
        return self._open(next(path for made, path in self._made if made is log))

    def close(self) -> None:
        for log, _ in self._made:
            log.close()


@pytest.fixture(params=["memory", ":memory:", "file"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    """Return each kind of log in turn."""
    kind = Kind(request.param, tmp_path)
    yield kind
    kind.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., SqliteLog]]:
    """Return a function that opens `tmp_path / "log.db"`, or another file; what it opens is closed in the end."""
    logs = []

    def open_log(path: Path = tmp_path / "log.db", **options: str) -> SqliteLog:
        logs.append(SqliteLog.open(path, **{"durability": "off"} | options))
        return logs[-1]

    yield open_log
    for log in logs:
        log.close()
