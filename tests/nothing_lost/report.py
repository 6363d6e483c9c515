"""
The long form of the proofs, and its figures: what ``make soak`` runs.

Runs every test of this folder with ``THREADSTORE_SOAK`` set, two at a time, and writes what they reached between the marks of
docs/guarantees.md, each guarantee's figures below its own heading. ``SOAK_SCALE=3`` makes it three times as long. Arguments go to
pytest; with ``--only-write FOLDER`` nothing is run, and the figures of an earlier run are written.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

HERE: Final = Path(__file__).resolve().parent
PAGE: Final = HERE.parents[1] / "docs" / "guarantees.md"

#: Which modules prove which guarantee of the page.
PROOFS: Final[Mapping[str, tuple[str, ...]]] = {
    "crash": ("test_crash", "test_rebuilds"),
    "power": ("test_power", "test_disk"),
    "races": ("test_races", "test_fork", "test_wakeups"),
    "interruption": ("test_interruption",),
    "integrity": ("test_damage",),
    "erasure": ("test_erasure",),
    "hostile": ("test_hostile_arguments", "test_hostile_bytes", "test_hostile_text", "test_hostile_threads"),
    "time": ("test_time",),
    "guards": ("test_missing_guards", "test_hostile_guards"),
}

Figures = Mapping[str, Mapping[str, float | str]]


def tables(page: str, figures: Figures) -> str:
    """
    Return the *page* with new figures: by test (``module.test[parameter]``), then by name.

    Raises:
        ValueError: The page has no marks for a guarantee.
    """
    for guarantee, modules in PROOFS.items():
        rows = {test: reached for test, reached in figures.items() if test.partition(".")[0] in modules}
        marks = re.compile(rf"(<!-- figures: {guarantee} -->\n).*?(<!-- end of figures -->)", re.DOTALL)
        if not marks.search(page):
            raise ValueError(f"the page has no marks for the figures of {guarantee!r}")
        if rows:
            written = _table(rows)
            page = marks.sub(lambda found, written=written: found[1] + written + found[2], page)  # type: ignore[misc]
    return page


def _table(rows: Figures) -> str:
    lines = ["", "| test | reached |", "|---|---|"]
    for test, reached in sorted(rows.items()):
        said = ", ".join(f"{name}: {_shown(value)}" for name, value in sorted(reached.items()))
        lines.append(f"| `{test.partition('.')[2]}` | {said} |")
    several = Counter(name for reached in rows.values() for name in reached)
    if totals := [name for name in sorted(several) if several[name] > 1]:
        sums = {name: sum(value for row in rows.values() if isinstance(value := row.get(name), int)) for name in totals}
        lines.append(f"| together | {', '.join(f'{name}: {_shown(value)}' for name, value in sums.items() if value)} |")
    return "\n".join([*lines, "", ""])


def _shown(value: float | str) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if isinstance(value, float) else value


def read(folder: Path) -> dict[str, dict[str, float | str]]:
    """Return the figures that a run has left in *folder*."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def soak(folder: Path, arguments: list[str]) -> int:
    """Run the long form, leave its figures in *folder*, and return pytest's exit code."""
    options = ["-v", "-n", "2", "--dist", "worksteal", "-p", "no:cov", "-p", "no:cacheprovider", "--durations=25"]
    environment = os.environ | {"THREADSTORE_SOAK": str(folder)}
    command = [sys.executable, "-m", "pytest", *options, str(HERE), *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    """Run the long form, or take an earlier run's figures, and write them down."""
    if arguments[:1] == ["--only-write"]:
        folder, code = Path(arguments[1]), 0
    else:
        folder, started = Path(mkdtemp(prefix="threadstore-soak-")), time.monotonic()
        code = soak(folder, arguments)
        took = f"{(time.monotonic() - started) / 60:.0f} minutes on {os.cpu_count()} cores"
        where = f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.system()}"
        (folder / "run.txt").write_text(f"{took}; {where}", encoding="utf-8")
    page = tables(PAGE.read_text(encoding="utf-8"), read(folder))
    if (folder / "run.txt").exists():
        said = (folder / "run.txt").read_text(encoding="utf-8")
        page = re.sub(r"(<!-- run -->).*?(<!-- end of run -->)", lambda found: found[1] + said + found[2], page)
    PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(f"figures: {folder}; written to {PAGE}" + ("\n" if code == 0 else "; but something failed\n"))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
