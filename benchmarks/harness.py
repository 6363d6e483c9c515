"""
How is a figure taken, and what is written down with it?

Method: everything that is compared is compared in one run. The contenders of a row take turns, in an order that is shuffled
anew each round, so that the machine's moods fall on all alike; the collector is emptied before each turn and stays switched on
during it, since an application's does. A row keeps the median and the quartiles of each contender, and its ratio is that of the
medians. Each workload runs in a process of its own, so that none inherits another's memory or caches.

Where the disk is not the point, what is taken is the processor time of the thread (`spent`), which a busy machine does not
lengthen; else it is the time by the clock (`timed`).

Caveats: files are in the page cache of the system throughout: "cold" means a new connection or a new process, not a cold disk.
A figure of one run says little; a ratio of one run says more; small differences say nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import msgspec

import threadstore

OURS: Final = "threadstore"
_LEAST_ROUNDS: Final = 3


class Figure(msgspec.Struct, frozen=True):
    """The median and the quartiles of several turns."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, samples: Iterable[float]) -> Figure:
        ordered = sorted(samples)
        quarter = len(ordered) // 4
        return cls(median(ordered), ordered[quarter], ordered[-1 - quarter], len(ordered))


class Row(msgspec.Struct, frozen=True):
    """
    One comparison.

    Args:
        row: Its name; `targets` says what is wanted of it.
        size: Of how many comments.
        unit: "s" for seconds, "B" for bytes, or what else is counted.
        figures: What each contender took.
        ours: Whose figure is above the line of the ratio, or below it where more is better.
        against: Whose figure it is compared with; None where there is a figure and no comparison.
        content: "generated", or the name of a trace.
        facts: What else was seen, such as how many commits there were.
    """

    row: str
    size: int
    unit: str
    figures: dict[str, Figure]
    ours: str = OURS
    against: str | None = None
    content: str = "generated"
    facts: dict[str, float] = {}

    @property
    def ratio(self) -> float | None:
        """Ours over theirs."""
        if self.against is None or self.against not in self.figures or not self.figures[self.against].median:
            return None
        return self.figures[self.ours].median / self.figures[self.against].median


class Task(msgspec.Struct, frozen=True):
    """What a workload is asked for."""

    comments: int
    rounds: int
    trace: str | None = None

    @property
    def content(self) -> str:
        return "generated" if self.trace is None else Path(self.trace).name.partition(".")[0]


Measure = Callable[[Task], Iterator[Row]]


def say(text: str) -> None:
    """Show progress on stderr."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


# --- time ---------------------------------------------------------------------------------------------------------------------


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that *work* takes."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spent(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that *work* takes of this thread."""
    gc.collect()
    start = time.thread_time()
    work()
    return time.thread_time() - start


def interleaved(
    contenders: Mapping[str, Callable[[], float]], rounds: int, *, seed: int = 1, budget: float = 120
) -> dict[str, Figure]:
    """
    Give each contender a turn per round, in shuffled order; each returns its own seconds, so that it can prepare untimed.

    When *budget* seconds have gone by there are no more than three rounds.
    """
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    chance, begin = Random(seed), time.monotonic()
    for number in range(rounds):
        if number >= _LEAST_ROUNDS and time.monotonic() - begin > budget:
            break
        for name in chance.sample(list(contenders), len(contenders)):
            samples[name].append(contenders[name]())
    return {name: Figure.of(taken) for name, taken in samples.items()}


def clocked(work: Callable[[], object]) -> Callable[[], float]:
    """Return *work* as a contender that needs no preparation, by the clock."""
    return lambda: timed(work)


def computed(work: Callable[[], object]) -> Callable[[], float]:
    """Return *work* as a contender that needs no preparation, in processor time."""
    return lambda: spent(work)


# --- memory -------------------------------------------------------------------------------------------------------------------


def resident() -> int:
    """Return the bytes of memory that this process occupies now; its peak, where the system does not say."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return pages * os.sysconf("SC_PAGE_SIZE")


# --- processes ----------------------------------------------------------------------------------------------------------------


def child(script: Path, *arguments: str, timeout: float = 7_200) -> Any:
    """
    Run *script* in a process of its own, and return the JSON of its last line.

    Raises:
        RuntimeError: It failed; what it wrote last is in the text.
    """
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, cwd=script.parent)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise RuntimeError(f"{script.stem}: {last[0]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def machine() -> dict[str, Any]:
    """Describe the machine, without a name or a path of it."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30) if hasattr(os, "sysconf") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "msgspec": msgspec.__version__,
        "threadstore": threadstore.__version__,
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or "unknown"


def main(measure: Measure, description: str | None) -> None:
    """Run one workload by itself: as a table for people, or as JSON for `run.py`."""
    parser = argparse.ArgumentParser(description=(description or "").strip().splitlines()[0])
    parser.add_argument("--comments", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--trace", help="a file of real discussions, see threadstore.testing.traces, instead of generated content"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    task = Task(given.comments, given.rounds, None if given.trace is None else str(Path(given.trace).resolve()))
    if given.json:
        print(msgspec.json.encode(list(measure(task))).decode())
        return
    for row in measure(task):
        print(shown(row))


def best_of(figures: Mapping[str, Figure], names: Iterable[str]) -> str:
    """Name the fastest of several contenders: that is what a figure is held against."""
    return min(names, key=lambda name: figures[name].median)


def quantile(samples: Iterable[float], share: float) -> float:
    """Return the sample that *share* of all are below."""
    ordered = sorted(samples)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def shown(row: Row) -> str:
    """Return a row as a line for people."""
    parts = [f"{name} {amount(figure.median, row.unit)}" for name, figure in row.figures.items()]
    ratio = "" if row.ratio is None else f"; {row.ratio:.2f} x {row.against}"
    facts = "".join(f"; {name} {value:,.3g}" for name, value in row.facts.items())
    return f"{row.row}, {row.size:,} comments: {', '.join(parts)}{ratio}{facts}"


def amount(value: float, unit: str) -> str:
    """Return *value* with three digits and the unit that suits it."""
    if unit == "s":
        for scale, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if value >= scale:
                return f"{value / scale:.3g} {name}"
        return f"{value * 1e9:.3g} ns"
    if unit == "B" and value >= 1 << 20:
        return f"{value / (1 << 20):,.3g} MiB"
    return f"{value:,.3g} {unit}"
