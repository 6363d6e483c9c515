"""
What did the last run show, in a form that people read?

Method: reads the JSON that `run.py` wrote, and writes docs/performance.md with its plots beside it. Nothing is measured here, and
nothing is left out: a row that missed its target is in the table like one that met it, and every operation in which another way
was faster is listed.

    python benchmarks/report.py [benchmarks/results/full.json] [--to docs/performance.md]
"""

from __future__ import annotations

import argparse
import ast
import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec
from handwritten import WAYS
from harness import OURS, Row, amount
from long_tail import IN
from other_libraries import OPERATIONS
from posts import PLAIN
from run import RESULTS, Results
from targets import TARGETS, Target

from threadstore.model.ranking import ORDERS

HERE: Final = Path(__file__).parent
#: What the first table tells: the name of a row, and what a reader calls it.
FIRST: Final = {
    **{f"cold page, {order}": f"page in a new connection, {order}" for order in ORDERS},
    **{f"warm page, first, {order}": f"first page, {order}" for order in ORDERS},
    "warm page, following, top": "following page, top",
    "page after another's post, top": "page after another's post, top",
    "warm page, repeated, top": "the same page once more, top",
    "post, NORMAL": "post, NORMAL",
    "post, FULL": "post, FULL",
    "react, NORMAL": "reaction, NORMAL",
    "react, FULL": "reaction, FULL",
}
WORKLOADS: Final = (
    "pages",
    "posts",
    "crowd",
    "long_tail",
    "bulk_import",
    "merges",
    "rebuilds",
    "memory",
    "file_size",
    "reaction_storm",
    "moderation_sweep",
    "reply_chain",
    "other_libraries",
    "generator",
    "content",
    "handwritten",
    "harness",
)
#: What others are that do less: a floor, a statement, an insert.
BOUNDS: Final = {"floor", "executemany", PLAIN, IN, "log", "pycrdt", "loro", *WAYS}
#: A smaller factor says nothing.
NOTABLE: Final = 1.05
_OPERATION: Final = {
    "bulk": "load all comments in bulk",
    "append": "append one, durably",
    "load": "load the thread",
    "cold page": "first page from nothing",
    "page": "page again, oldest first",
    "top page": "page again, most liked first",
    "merge": "merge two replicas",
    "merge and page": "merge, and show the page",
}


# --- text ---------------------------------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def sizes_of(results: Results) -> list[int]:
    return sorted({row.size for row in results.rows if row.content == "generated"})


def wanted(target: Target) -> str:
    sign = "≥" if target.is_least else "≤"
    unit = "" if target.unit == "x" else f" {target.unit}"
    stretch = "" if target.stretch is None else f" ({target.stretch:g})"
    return f"{sign} {target.target:g}{stretch}{unit}"


def cell(target: Target, value: float | None) -> str:
    """Return a value with a sign of what it reaches."""
    if value is None:
        return ""
    sign = {"stretch": "✔✔", "met": "✔", "missed": "✘"}[target.verdict(value)]
    return f"{value:,.3g} {sign}"


def targets(results: Results) -> Iterator[str]:
    sizes = sizes_of(results)
    rows = []
    for target in TARGETS:
        values = [target.read(results.rows, size) for size in sizes]
        if any(value is not None for value in values):
            rows.append([target.what, target.against, wanted(target), *(cell(target, value) for value in values)])
    yield from table(["what", "against", "wanted (wished)", *(f"{size:,}" for size in sizes)], rows)


def first(results: Results) -> Iterator[str]:
    """Yield the table of milliseconds: ours, and in brackets what SQL by hand takes that does a part of it."""
    sizes = sizes_of(results)
    found = {(row.row, row.size): row for row in results.rows if row.content == "generated" and row.row in FIRST}
    sizes = [size for size in sizes if any(size == of for _, of in found)]
    rows = []
    for name, says in FIRST.items():
        cells = [_beside(found.get((name, size))) for size in sizes]
        if any(cells):
            rows.append([says, *cells])
    yield from table(["ms (by hand)", *(f"{size:,} comments" for size in sizes)], rows)


def _beside(row: Row | None) -> str:
    if row is None or row.against is None:
        return ""
    ours, theirs = (1e3 * row.figures[who].median for who in (row.ours, row.against))
    return f"{ours:.3g} ({theirs:.3g})"


def slower(results: Results) -> Iterator[str]:
    """Yield where another library was faster, and then where a bound was not reached, the largest difference first."""
    found: list[tuple[float, str]] = []
    for size, peers in results.peers.items():
        ours = peers.get(OURS, {})
        for name, theirs in peers.items():
            for operation in OPERATIONS:
                mine, other = ours.get(operation), theirs.get(operation)
                if name != OURS and isinstance(mine, float) and isinstance(other, float) and mine > NOTABLE * other:
                    found.append((mine / other, f"{_OPERATION[operation]}, {int(size):,} comments: {name}"))
    yield "Other libraries, and a table by hand:"
    yield ""
    yield from _ranked(found)
    largest = {row.row: row.size for row in sorted(results.rows, key=lambda row: row.size) if row.content == "generated"}
    rows = [row for row in results.rows if row.content == "generated" and row.size == largest[row.row]]
    behind = [row for row in rows if row.unit in ("s", "B", "pages") and row.against in BOUNDS and (row.ratio or 0) > NOTABLE]
    yield "Bounds, which do a part of the work and nothing else:"
    yield ""
    yield from _ranked([(row.ratio or 0, f"{row.row}, {row.size:,} comments: {row.against}") for row in behind], "less")


def _ranked(found: list[tuple[float, str]], how: str = "as fast") -> Iterator[str]:
    yield from [f"- {what}, {factor:.3g} times {how}" for factor, what in sorted(found, reverse=True)] or ["- none"]
    yield ""


def peers(results: Results) -> Iterator[str]:
    for size, seen in results.peers.items():
        yield f"### {int(size):,} comments"
        yield ""
        there = {name: figures for name, figures in seen.items() if "skipped" not in figures}
        rows = [[_OPERATION[one], *(_seconds(figures.get(one)) for figures in there.values())] for one in OPERATIONS]
        for what in ("memory", "peak"):
            rows.append([f"memory, {what}" if what == "peak" else "memory, grown by"])
            rows[-1] += [amount(figures[what], "B") for figures in there.values()]
        names = [f"{name} {figures['version']}".strip() for name, figures in there.items()]
        yield from table(["", *names], rows)
        for name, figures in seen.items():
            yield f"- {name}: {figures.get('skipped') or figures.get('notes')}"
        yield ""


def _seconds(value: Any) -> str:
    return amount(value, "s") if isinstance(value, float) else "-"


def everything(results: Results, content: str) -> Iterator[str]:
    """Yield all rows of one content."""
    rows = []
    for row in results.rows:
        if row.content == content:
            figures = "; ".join(f"{name} {amount(figure.median, row.unit)}" for name, figure in row.figures.items())
            facts = "; ".join(f"{name} {value:,.3g}" for name, value in row.facts.items())
            ratio = "" if row.ratio is None else f"{row.ratio:.2f} x {row.against}"
            rows.append([row.row, f"{row.size:,}", figures, ratio, facts])
    yield from table(["row", "comments", "medians", "ratio", "also seen"], rows)


def questions() -> Iterator[str]:
    """Yield the question that each file opens with."""
    rows = []
    for name in WORKLOADS:
        text = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""
        rows.append([f"[{name}.py](../benchmarks/{name}.py)", " ".join(text.partition("\n\n")[0].split())])
    yield from table(["file", "question"], rows)


def page(results: Results) -> Iterator[str]:
    """Yield the lines of docs/performance.md."""
    about = results.machine
    yield "# Performance"
    yield ""
    yield "<!-- Made by benchmarks/report.py from benchmarks/results; do not edit. -->"
    yield ""
    yield (
        f"Measured on {about['day']}: {about['processor']}, {about['cores']} cores, {about['memory GB']} GB, {about['system']}, "
        f"{about['python']}, SQLite {about['sqlite']}, threadstore {about['threadstore']}; form: {results.form}, "
        f"{results.minutes:g} minutes. Compare ratios, which were taken in one run, rather than times. `make bench` runs a quick "
        "form on your machine, `make bench-full` the full one."
    )
    yield ""
    yield "## A page and a post"
    yield ""
    yield (
        "Milliseconds, and in brackets those of SQL written by hand, the better of two ways, for the same comments; for posts "
        "and reactions, of a bare insert of the same record. Pages: 50 top-level comments with 3 replies each, in processor time."
    )
    yield ""
    yield from first(results)
    yield "## Targets"
    yield ""
    yield "Ratios of medians by number of comments; ✔ reaches the target, ✔✔ what was wished for, ✘ neither."
    yield ""
    yield from targets(results)
    if results.failures:
        yield "Workloads that failed:"
        yield ""
        yield from (f"- {failure}" for failure in results.failures)
        yield ""
    yield "## What is slower here"
    yield ""
    yield from slower(results)
    yield "## Growth"
    yield ""
    for name, alt in PLOTS.items():
        yield f"![{alt}](performance/{name}.svg)"
        yield ""
    yield "## Beside others"
    yield ""
    yield "The same comments and likes, each in a process of its own. None of them does the same; the notes say what one gets."
    yield ""
    yield from peers(results)
    yield "## All rows"
    yield ""
    for content in dict.fromkeys(row.content for row in results.rows):
        about_it = "Generated content" if content == "generated" else f"A real trace, {content}, as one thread"
        yield f"### {about_it}"
        yield ""
        yield from everything(results, content)
    yield "## How it was measured"
    yield ""
    yield "Each file opens with its question, its method and its caveats."
    yield ""
    yield from questions()


# --- plots --------------------------------------------------------------------------------------------------------------------

PLOTS: Final = {
    "growth-page": "A page in order top, by comments",
    "growth-post": "A post and a reaction, by comments",
    "growth-thread": "Import of a whole thread, by comments",
    "growth-size": "The file, by comments",
    "peers": "Operations beside other libraries (logarithmic)",
}
_COLOURS: Final = ("#2563a8", "#c2571a", "#3d8b3d", "#8a4fae", "#b3283c", "#6b6b6b", "#0f8f8f")
_W, _H, _LEFT, _TOP, _RIGHT, _BOTTOM = 760, 400, 70, 40, 210, 50

Series = dict[str, list[tuple[float, float]]]


def curves(title: str, unit: str, series: Series) -> str:
    """Return a plot with logarithmic axes, as SVG."""
    points = [point for line in series.values() for point in line if point[1] > 0]
    if not points:
        return _svg(title, ['<text x="70" y="80">nothing measured</text>'])
    (x0, x1), (y0, y1) = (_decades([point[axis] for point in points]) for axis in (0, 1))

    def at(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + (math.log10(x) - x0) / (x1 - x0) * (_W - _LEFT - _RIGHT)
        return across, _H - _BOTTOM - (math.log10(y) - y0) / (y1 - y0) * (_H - _TOP - _BOTTOM)

    parts = []
    for decade in range(x0, x1 + 1):
        x, bottom = at(10**decade, 10**y0)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom:.1f}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{10**decade:,}</text>')
    for decade in range(y0, y1 + 1):
        left, y = at(10**x0, 10**decade)
        parts.append(f'<line class="grid" x1="{left:.1f}" y1="{y:.1f}" x2="{_W - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(amount(10.0**decade, unit))}</text>')
    parts.append(f'<text x="{(_LEFT + _W - _RIGHT) / 2:.0f}" y="{_H - 10}" text-anchor="middle">comments</text>')
    for number, (name, line) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [at(*point) for point in line if point[1] > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = _TOP + 16 * number + 10
        parts.append(f'<rect x="{_W - _RIGHT + 16}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{_W - _RIGHT + 32}" y="{y}">{escape(name)}</text>')
    return _svg(title, parts)


def _decades(values: list[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def bars(title: str, groups: dict[str, dict[str, float]]) -> str:
    """Return bars on a logarithmic axis of seconds, a group for each operation, as SVG."""
    values = [value for group in groups.values() for value in group.values() if value > 0]
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    if not values:
        return _svg(title, ['<text x="70" y="80">nothing measured</text>'])
    low, high = _decades(values)
    parts, y, left, right = [], float(_TOP), 190, 90
    for operation, group in groups.items():
        parts.append(f'<text x="{left - 10}" y="{y + 6 * len(group) + 4:.0f}" text-anchor="end">{escape(operation)}</text>')
        for name, value in group.items():
            width = max((math.log10(value) - low) / (high - low), 0.004) * (_W - left - right)
            colour = _COLOURS[names.index(name) % len(_COLOURS)]
            parts.append(f'<rect x="{left}" y="{y:.0f}" width="{width:.1f}" height="10" fill="{colour}"/>')
            parts.append(f'<text x="{left + width + 5:.1f}" y="{y + 9:.0f}">{escape(amount(value, "s"))}</text>')
            y += 12
        y += 14
    for number, name in enumerate(names):
        x = 10 + 120 * (number % 6)
        row = y + 16 * (number // 6)
        parts.append(f'<rect x="{x}" y="{row:.0f}" width="10" height="10" fill="{_COLOURS[number % len(_COLOURS)]}"/>')
        parts.append(f'<text x="{x + 15}" y="{row + 9:.0f}">{escape(name)}</text>')
    return _svg(title, parts, int(y + 40))


def _svg(title: str, parts: list[str], height: int = _H) -> str:
    style = "text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd}.title{font-size:14px;font-weight:bold}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_W} {height}" width="{_W}" height="{height}" role="img">'
    back = f'<title>{escape(title)}</title><style>{style}</style><rect width="{_W}" height="{height}" fill="#fff"/>'
    return "\n".join([head, back, f'<text class="title" x="16" y="22">{escape(title)}</text>', *parts, "</svg>", ""])


def line(results: Results, name: str, who: str = OURS) -> list[tuple[float, float]]:
    """Return the medians of one contender by size."""
    found = {row.size: row.figures[who].median for row in results.rows if _is(row, name) and who in row.figures}
    return sorted((float(size), value) for size, value in found.items())


def _is(row: Row, name: str) -> bool:
    return row.row == name and row.content == "generated"


def plots(results: Results) -> Iterator[tuple[str, str]]:
    """Yield the name and the SVG of each plot."""
    shown: Series = {
        "in a new connection": line(results, "cold page, top"),
        "first": line(results, "warm page, first, top"),
        "following": line(results, "warm page, following, top"),
        "once more": line(results, "warm page, repeated, top"),
        "one SQL statement": line(results, "warm page, first, top", "SQL, one statement"),
    }
    yield "growth-page", curves(PLOTS["growth-page"], "s", shown)
    said: Series = {
        "post, NORMAL": line(results, "post, NORMAL"),
        "post, FULL": line(results, "post, FULL"),
        "reaction, NORMAL": line(results, "react, NORMAL"),
        "plain insert, NORMAL": line(results, "post, NORMAL", PLAIN),
        "plain insert, FULL": line(results, "post, FULL", PLAIN),
    }
    yield "growth-post", curves(PLOTS["growth-post"], "s", said)
    whole: Series = {
        "import": line(results, "bulk append"),
        "executemany": line(results, "bulk append", "executemany"),
    }
    yield "growth-thread", curves(PLOTS["growth-thread"], "s", whole)
    kept: Series = {"file": line(results, "file size"), "log alone": line(results, "file size", "log")}
    yield "growth-size", curves(PLOTS["growth-size"], "B", kept)
    largest = max(results.peers, key=int, default=None)
    seen = {} if largest is None else results.peers[largest]
    groups = {
        _OPERATION[operation]: {
            name: figures[operation] for name, figures in seen.items() if isinstance(figures.get(operation), float)
        }
        for operation in OPERATIONS
    }
    title = PLOTS["peers"] if largest is None else f"{PLOTS['peers']}, {int(largest):,} comments"
    yield "peers", bars(title, {operation: group for operation, group in groups.items() if group})


def write(results: Results, target: Path) -> None:
    """Write the page and its plots."""
    folder = target.parent / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in plots(results):
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    target.write_text("\n".join(page(results)).rstrip() + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make docs/performance.md of the results of a run.")
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS / "full.json")
    parser.add_argument("--to", type=Path, default=HERE.parent / "docs" / "performance.md")
    given = parser.parse_args()
    write(msgspec.json.decode(given.results.read_bytes(), type=Results), given.to)


if __name__ == "__main__":
    main()
