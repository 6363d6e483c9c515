"""The benchmarks run, at sizes that show nothing but that they do: no test here looks at a time."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import content
import handwritten
import msgspec
import pytest
import report
import run
from harness import OURS, Figure, Row, Task, amount, interleaved
from targets import TARGETS

import threadstore
from threadstore.model.ranking import ORDERS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


@pytest.fixture(scope="module")
def results() -> run.Results:
    """Return the results of all workloads at tiny sizes."""
    return run.run("tiny", run.small(run.QUICK, (60,)), None, with_peers=False)


def test_every_workload_gives_its_rows(results):
    """The quick form at tiny size fails nowhere, and has the rows that the targets are read from."""
    assert results.failures == []
    names = {row.row for row in results.rows}
    pages = ("cold page", "cold page after a post", "warm page, first", "warm page, repeated", "page after another's post")
    assert {f"{what}, {order}" for what in pages for order in ORDERS} <= names
    assert {f"{act}, {durability}" for act in ("post", "react", "posts in a row") for durability in ("FULL", "NORMAL")} <= names
    assert {
        "pages written, post",
        "pages written, react",
        "eight threads",
        "counts of many threads",
        "small thread, page",
    } <= names
    assert {"bulk append", "merge over many threads", "merge of two replicas", "file size", "memory after all orders"} <= names
    assert {"rebuild", *(f"longest post beside a rebuild, {where} process" for where in ("same", "another"))} <= names
    assert {"deep chain, page", "reaction storm, react and see", "moderation sweep, one decision"} <= names
    for row in results.rows:
        assert OURS in row.figures
        assert all(figure.runs > 0 and figure.low <= figure.median <= figure.high for figure in row.figures.values())


def test_results_survive_json_and_name_no_path(results):
    """What is kept for the repository reads back as it was, and says nothing of where it was measured."""
    data = msgspec.json.encode(results)
    assert msgspec.json.decode(data, type=run.Results) == results
    assert str(ROOT).encode() not in data
    assert str(Path.home()).encode() not in data


def test_the_report_shows_every_row(results, folder):
    """The page has the table of targets, every row, every plot, and each file's question; the plots are well formed."""
    from xml.dom.minidom import parse

    results.peers = {"60": {OURS: dict.fromkeys(("bulk", "page"), 2.0) | {"memory": 1, "peak": 1, "version": "", "notes": "n"}}}
    results.peers["60"] |= {
        "faster": {"bulk": 1.0, "memory": 1, "peak": 1, "version": "1", "notes": ""},
        "none": {"skipped": "gone"},
    }
    report.write(results, folder / "performance.md")
    text = (folder / "performance.md").read_text(encoding="utf-8")
    assert all(f"| {row.row} |" in text for row in results.rows)
    assert "load all comments in bulk, 60 comments: faster, 2 times as fast" in text
    assert "- none: gone" in text
    plots = re.findall(r"\]\((performance/[^)]+)\)", text)
    assert len(plots) == len(report.PLOTS)
    for plot in plots:
        assert parse(str(folder / plot)).documentElement.tagName == "svg"


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_every_file_opens_with_what_it_asks(path):
    """Each program says at its top what it is for; a workload asks a question and names its method and its caveats."""
    import ast

    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert text
    if path.stem in report.WORKLOADS:
        assert "?" in text.partition("\n\n")[0]
        assert "Method" in text
        assert "Caveats: " in text


def test_the_table_by_hand_shows_the_same_pages():
    """In every order, both ways of asking the table give the page that the library gives."""
    task = Task(400, 1)
    with (
        threadstore.open(content.settled(task)) as store,
        closing(sqlite3.connect(handwritten.table(task))) as connection,
    ):
        for order in ORDERS:
            for way in handwritten.WAYS.values():
                handwritten.same(content.page(store, order=order).comments, way(connection, order))
        with pytest.raises(AssertionError, match="the pages differ"):
            handwritten.same(content.page(store, order="newest").comments, handwritten.by_one_statement(connection, "oldest"))


def test_no_order_by_hand_sorts():
    """Each order of the table is read from its index: a rival that sorts would be too easy."""
    with closing(sqlite3.connect(handwritten.table(Task(400, 1)))) as connection:
        for order in ORDERS:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {handwritten._ROOTS[order]}", (50,)).fetchall()
            assert not any("TEMP B-TREE" in str(step) for step in plan), order


def test_stores_are_made_once_and_bare_ones_hold_the_log_alone():
    """A second request gives the file that is there; a bare one has no rows of the read model, and shows the same pages."""
    task = Task(60, 1)
    path = content.bare(task)
    made = path.stat().st_mtime_ns
    assert content.bare(task) == path
    assert path.stat().st_mtime_ns == made
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        derived = [name for name in tables - content.LOG_TABLES if not name.startswith("sqlite_")]
        assert sum(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in derived) == 0
    with content.copied(path) as [copy], threadstore.open(copy) as store, threadstore.open(content.settled(task)) as other:
        assert store.thread(content.KEY).view() == other.thread(content.KEY).view()
        assert list(store.verify()) == []


def test_a_trace_can_be_the_content(folder):
    """The comments of a trace become one thread, with the first of them when fewer are asked for."""
    lines = [
        f'{{"thread": {n % 3}, "id": {n}, "parent": null, "t": {1_600_000_000 + n}, "author": 1, "len": 20}}' for n in range(30)
    ]
    path = folder / "few.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    task = Task(20, 1, str(path))
    assert task.content == "few"
    thread = threadstore.fold(content.events(task))
    assert thread.counts().total == 20


def test_contenders_take_turns_and_keep_their_quartiles():
    """Each contender has one turn per round, in an order of its own each time."""
    seen: list[str] = []

    def turn(name: str, seconds: float) -> float:
        seen.append(name)
        return seconds

    figures = interleaved({"a": lambda: turn("a", 1.0), "b": lambda: turn("b", 2.0)}, 20)
    assert figures == {"a": Figure(1.0, 1.0, 1.0, 20), "b": Figure(2.0, 2.0, 2.0, 20)}
    rounds = [tuple(seen[place : place + 2]) for place in range(0, 40, 2)]
    assert set(rounds) == {("a", "b"), ("b", "a")}


def test_slow_contenders_have_three_rounds():
    """When the time is up, what was begun is brought to three rounds and no more."""
    assert interleaved({"a": lambda: 1.0}, 20, budget=0)["a"].runs == 3


def test_ratios_and_verdicts_are_read_from_rows():
    """A ratio is ours over theirs; a target is met, surpassed or missed by it, and growth is against 1,000 comments."""

    def row(name: str, size: int, ours: float, theirs: float) -> Row:
        return Row(name, size, "s", {OURS: Figure.of([ours]), "rival": Figure.of([theirs])}, against="rival")

    rows = [row("file size", 1_000, 3.0, 2.0), row("post, NORMAL", 1_000, 1.0, 1.0), row("post, NORMAL", 5_000, 1.1, 1.0)]
    rows += [
        row("cold page, top", 1_000, 1.0, 1.0),
        row("cold page, hot", 1_000, 3.0, 1.0),
        row("eight threads", 1_000, 1.0, 2.0),
    ]
    by_what = {(target.what, target.against): target for target in TARGETS}
    size = next(target for target in TARGETS if target.what.startswith("file"))
    assert rows[0].ratio == 1.5
    assert size.read(rows, 1_000) == 1.5
    assert [size.verdict(value) for value in (1.2, 1.3, 1.5)] == ["stretch", "met", "missed"]
    growth = by_what["one post, NORMAL", "itself at 1,000"]
    assert growth.read(rows, 5_000) == pytest.approx(1.1)
    assert growth.read(rows, 1_000) is None
    worst = next(target for target in TARGETS if target.what.startswith("cold page in"))
    assert worst.read(rows, 1_000) == 1.0
    hot = next(target for target in TARGETS if target.what == "cold page in a new connection, hot")
    assert hot.read(rows, 1_000) == 3.0
    crowd = by_what["posts of eight threads at once, FULL", "each alone"]
    assert crowd.read(rows, 1_000) == 2.0
    assert [crowd.verdict(value) for value in (0.9, 1.5, 2.5)] == ["missed", "met", "stretch"]


def test_each_target_is_read_from_a_row(results):
    """No target asks for a row that no workload gives; so few comments have no following page, and CRDTs may not be there."""
    grown = [msgspec.structs.replace(row, size=size) for row in results.rows for size in (1_000, 5_000)]
    unread = [target.what for target in TARGETS if target.read(grown, 5_000) is None]
    assert set(unread) <= {"following page, worst order", "following page, hot", "merge of two replicas, with a page"}


def test_the_report_opens_with_milliseconds(results):
    """The first table has each page and post at each size, ours and in brackets what it takes by hand."""
    lines = list(report.first(results))
    assert len(lines) == len(report.FIRST) - 1 + 3  # so few comments have no following page
    assert lines[0] == "| ms (by hand) | 60 comments |"
    assert all(re.fullmatch(r"\| [^|]+ \| [\d.e+-]+ \([\d.e+-]+\) \|", line) for line in lines[2:-1]), lines


@pytest.mark.parametrize(
    ("value", "unit", "text"), [(0.0012, "s", "1.2 ms"), (2e-9, "s", "2 ns"), (3 << 20, "B", "3 MiB"), (7, "B", "7 B")]
)
def test_amounts_are_shown_in_units_that_suit_them(value, unit, text):
    """A figure has three digits and a unit that a person reads."""
    assert amount(value, unit) == text
