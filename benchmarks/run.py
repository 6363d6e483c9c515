"""
Run the suite: every workload in a process of its own, one after another.

    python benchmarks/run.py             the quick form, minutes
    python benchmarks/run.py --full      up to a million comments in one thread; hours
    python benchmarks/run.py --sizes 200 300   the quick form at other sizes

Progress goes to stderr; the results go to benchmarks/results/ as JSON: each row with its medians and quartiles, the peers, and
the machine (its kind, never its name or a path). `report.py` makes the table and the plots of them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from harness import Row, child, machine, say, shown
from other_libraries import compared
from targets import TARGETS

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results"
#: A real trace, where there is one: reposts and comments of a microblog.
TRACE: Final = HERE.parents[1] / "shared" / "data" / "traces" / "weibo_ced.jsonl.gz"

#: Workloads that grow: they run at every size, and those marked also on the trace.
GROWING: Final = {
    "pages": True,
    "posts": True,
    "bulk_import": True,
    "file_size": True,
    "memory": False,
    "rebuilds": False,
    "reaction_storm": True,
    "moderation_sweep": True,
}


class Form(NamedTuple):
    """How much of everything."""

    sizes: Sequence[int]
    rounds: int
    tail: int
    merged: int
    peers: Sequence[int]
    chain: Sequence[int]
    traced: int


QUICK: Final = Form((1_000, 10_000), 5, 5_000, 10_000, (1_000,), (10_000,), 10_000)
FULL: Final = Form((1_000, 100_000, 1_000_000), 5, 100_000, 100_000, (1_000, 10_000, 100_000), (10_000, 100_000), 100_000)


class Results(msgspec.Struct):
    """What a run leaves behind."""

    form: str
    machine: dict[str, Any]
    minutes: float
    rows: list[Row]
    #: size -> peer -> operation -> seconds, or why not
    peers: dict[str, dict[str, dict[str, Any]]]
    failures: list[str]


def small(form: Form, sizes: Sequence[int]) -> Form:
    """Return the form with everything at the sizes given."""
    last = max(sizes)
    return Form(sizes, min(form.rounds, 2 if last < 1_000 else 5), last, last, (last,), (last,), last)


def tasks(form: Form, trace: Path | None) -> Iterator[tuple[str, int, Path | None]]:
    """Yield what is to run: a workload, its size, and the trace if it is about one."""
    for size in form.sizes:
        for workload in GROWING:
            yield workload, size, None
    for size in form.chain:
        yield "reply_chain", size, None
    yield "long_tail", form.tail, None
    yield "crowd", form.sizes[0], None
    yield "merges", form.sizes[0], None
    yield "other_libraries", form.merged, None
    if trace is not None:
        for workload, is_traced in GROWING.items():
            if is_traced:
                yield workload, form.traced, trace


def run(name: str, form: Form, trace: Path | None, *, with_peers: bool = True) -> Results:
    """Run all of *form*."""
    begin, rows, failures = time.monotonic(), list[Row](), list[str]()
    todo = list(tasks(form, trace))
    for number, (workload, size, given) in enumerate(todo, 1):
        say(f"{number} of {len(todo)}: {workload}, {size:,}{'' if given is None else ' of a trace'}")
        rounds = form.rounds if size <= 100_000 else min(form.rounds, 3)
        arguments = ["--json", "--comments", str(size), "--rounds", str(rounds)]
        arguments += [] if given is None else ["--trace", str(given)]
        try:
            seen = child(HERE / f"{workload}.py", *arguments)
        except RuntimeError as error:
            failures.append(_without_paths(f"{workload}, {size:,}: {error}"))
            say(f"FAILED {failures[-1]}")
            continue
        several = msgspec.convert(seen, list[Row])
        for row in several:
            print(f"  {shown(row)}", file=sys.stderr)
        rows += several
    peers = {str(size): compared(size, min(form.rounds, 3)) for size in form.peers} if with_peers else {}
    for seen in peers.values():
        for figures in seen.values():
            if "skipped" in figures:
                figures["skipped"] = _without_paths(figures["skipped"])
                failures += [figures["skipped"]] if figures["skipped"].startswith("failed") else []
    return Results(name, machine(), round((time.monotonic() - begin) / 60, 1), rows, peers, failures)


def _without_paths(text: str) -> str:
    for path in (HERE.parent, Path(sys.prefix), Path.home()):
        text = text.replace(str(path), "…")
    return text


def summary(results: Results) -> Iterator[str]:
    """Yield the table of targets for a terminal."""
    for target in TARGETS:
        for size in sorted({row.size for row in results.rows}):
            value = target.read(results.rows, size)
            if value is not None:
                sign = "≥" if target.is_least else "≤"
                wanted = f"{sign} {target.target:g} {target.unit}"
                yield f"{target.verdict(value):8} {value:10.3g} {wanted:18} {target.what} / {target.against}, {size:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the suite.")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", help="sizes instead of those of the form")
    parser.add_argument("--largest", type=int, help="leave out sizes above this")
    parser.add_argument("--trace", type=Path, default=TRACE, help="a file of real discussions")
    parser.add_argument("--out", type=Path, help="where the JSON goes")
    parser.add_argument("--without-peers", action="store_true")
    given = parser.parse_args()
    name, form = ("full", FULL) if given.full else ("quick", QUICK)
    if given.sizes:
        name, form = f"{name}, at sizes of its own", small(form, given.sizes)
    if given.largest:
        least = {field: min(getattr(form, field), given.largest) for field in ("tail", "merged", "traced")}
        cut = {field: [size for size in getattr(form, field) if size <= given.largest] for field in ("sizes", "peers", "chain")}
        name, form = f"{name}, up to {given.largest:,} comments", Form(**{**form._asdict(), **least, **cut})
    trace = given.trace if given.trace.is_file() else None
    if trace is None:
        say("no real trace is here; generated content only")
    results = run(name, form, trace, with_peers=not given.without_peers)
    path = given.out or RESULTS / ("full.json" if given.full else "quick.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    print("\n".join(summary(results)))
    if results.failures:
        print("\n".join(f"FAILED {failure}" for failure in results.failures), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
