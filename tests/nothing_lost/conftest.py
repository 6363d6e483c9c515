"""
What the tests of the guarantees share: how long to go on, and where to write the figures down.

``make test`` runs a short form. ``make soak`` sets ``THREADSTORE_SOAK`` to a folder: every test then runs its long form, prints how far it
is, and leaves its figures there as JSON, from which ``tests/nothing_lost/report.py`` writes the tables of docs/guarantees.md.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

SOAK = os.environ.get("THREADSTORE_SOAK", "")


class Scale:
    """How much to do: the short figure in ``make test``, the long one in ``make soak``."""

    def __init__(self, folder: str, test: str) -> None:
        self.is_long = bool(folder)
        self._folder = folder
        self._test = test

    def __call__(self, short: int, long: int) -> int:
        return long if self.is_long else short

    def progress(self, done: int, of: int, what: str) -> None:
        """Say on the terminal how far a long run is."""
        if self.is_long:
            print(f"\r{self._test}: {done} of {of} {what}", end="\n" if done >= of else "", file=sys.__stderr__, flush=True)

    def figure(self, name: str, value: int | float | str) -> None:
        """Write down what was reached, for docs/guarantees.md."""
        if not self.is_long:
            return
        path = Path(self._folder) / f"{self._test}.json"
        figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        figures[name] = value
        path.write_text(json.dumps(figures, indent=1, sort_keys=True), encoding="utf-8")


@pytest.fixture
def scale(request):
    return Scale(SOAK, request.node.name.replace("/", "_"))
