"""The examples run, and print what their pages promise."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import threadstore
from threadstore import SPOILER_NOTICE

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PROGRESS_HINT = "no progress bar: pip install 'threadstore[progress]'\n"


def run(name: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an example by itself, with warnings as errors, and return what it printed."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    return subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        env={**inherited, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def without_tqdm(folder: Path) -> dict[str, str]:
    """Return an environment in which tqdm can not be imported."""
    (folder / "tqdm.py").write_text("raise ImportError('not here')\n", encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


# --- the article --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def article() -> str:
    """Return what the article's page prints."""
    done = run("article.py")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def pages(article: str) -> tuple[list[str], list[str]]:
    """Return the lines of the page as everybody sees it, and of the page after a click."""
    parts = re.split(r"^--- (.+?) -+$", article, flags=re.MULTILINE)
    steps = dict(zip(parts[1::2], parts[2::2], strict=True))
    first, last = (text for title, text in steps.items() if title.startswith("The page"))
    return first.splitlines(), last.splitlines()


def test_the_article_tells_its_story(article: str):
    """The whole output is the one that is kept beside this file."""
    assert article == (Path(__file__).parent / "article.txt").read_text(encoding="utf-8")


def test_nine_comments_are_nine(pages: tuple[list[str], list[str]]):
    """The heading counts the top level, over twelve comments of which three are replies, before and after moderation."""
    for page in pages:
        assert page.count("Comments (9)") == 1
        assert "12 in all, 3 of them replies" in page


def test_every_comment_is_a_spoiler(pages: tuple[list[str], list[str]]):
    """Every comment is concealed with the notice until this reader opens one; the others stay as they were."""
    first, last = ([line.strip() for line in page] for page in pages)
    assert first.count(SPOILER_NOTICE) == 12
    assert last.count(SPOILER_NOTICE) == 11
    assert set(last) - set(first) >= {"I was there. The light swung like a lamp on a string.", "Ann Lee  [I support: 2]"}


@pytest.mark.parametrize("name", ["Thought.Life", "Lee, Highest Level", 'Susan "Sue" Park-Holm', "Anonymous"])
def test_names_are_shown_as_they_are(name: str, pages: tuple[list[str], list[str]]):
    """Dots, commas, quotes and spaces are part of a name, and nobody's name is Anonymous."""
    assert [name, "  " + SPOILER_NOTICE] in [pages[0][at : at + 2] for at in range(len(pages[0]))]


@pytest.mark.parametrize(
    "fact",
    [
        "Jo, Lee (twice) and Sue support Ann's comment: 3.\nJo takes it back: 2.",
        "nothing but @Thought.Life, which addresses\nThought.Life.",
        "In the queue, held and reported: You are all fools",
        "Noor removes it; 0 left in the queue. Comments (9)",
        '"Febuary" becomes "February",\nsuggested by Dr. M. Achterberg, retd., accepted by Wim.',
        "shuffled, a third of them twice:\nthe same digest.\nthe same page.",
    ],
)
def test_a_fact_of_the_story(fact: str, article: str):
    """What the story is told for happens in it."""
    assert fact in article


def test_the_correction_is_applied(pages: tuple[list[str], list[str]]):
    """The article of the last page has the wording that the editor accepted."""
    first, last = map("\n".join, pages)
    assert ("Febuary" in first, "February" in first) == (True, False)
    assert ("Febuary" in last, "February" in last) == (False, True)


def test_removed_words_are_nowhere(pages: tuple[list[str], list[str]]):
    """What a moderator removed is on neither page."""
    assert "fools" not in "\n".join(pages[0] + pages[1])


def test_the_article_keeps_a_file(tmp_path: Path):
    """Given a path, the comments are kept there; a file that exists is left alone."""
    path = tmp_path / "page.db"
    assert run("article.py", path).returncode == 0
    with threadstore.open(path) as store:
        [key] = store.threads()
        assert store.thread(key).counts().top_level == 9
    done = run("article.py", path)
    assert (done.returncode, done.stderr) == (1, f"{path} exists already; name a new file\n")


# --- a trace ------------------------------------------------------------------------------------------------------------------


def test_a_made_up_trace_is_replayed():
    """Without a file there is a small thread, and a page of it in the order asked for."""
    done = run("replay_trace.py", "--order", "top", "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^(\d+) events, \1 of them new, merged in ", done.stdout)
    assert "trace/1, order top, read in " in done.stdout
    assert re.search(r"^Comments \(\d+\)$", done.stdout, re.MULTILINE)
    assert re.search(r"^… \d+ more at the top level$", done.stdout, re.MULTILINE)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Return a file that holds a tiny trace."""
    rows = [
        {"thread": 4, "id": 1, "parent": None, "t": 1_136_074_029, "author": 1, "len": 11, "likes": 2},
        {"thread": 4, "id": 2, "parent": 1, "t": 1_136_074_030, "author": None, "len": 12},
        {"thread": 4, "id": 3, "parent": 99, "t": 1_136_074_031, "author": 2, "len": 13, "deleted": 1},
        {"thread": 4, "id": 4, "parent": 3, "t": 1_136_074_032, "author": 2, "len": 0},
    ]
    path = tmp_path / "tiny.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_a_trace_is_replayed(trace: Path, tmp_path: Path):
    """A file's thread is shown with its oddities, and loading it again into the same store adds nothing."""
    store = tmp_path / "kept.db"
    first, second = (run("replay_trace.py", trace, "--store", store, **without_tqdm(tmp_path)) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, PROGRESS_HINT)
    assert "7 events, 7 of them new" in first.stdout
    assert "7 events, 0 of them new" in second.stdout
    figures, _, *page = first.stdout.partition("Comments (1)\n")[2].splitlines()
    assert figures == "3 in all, 2 of them replies; 0 pending, 1 hidden"
    assert page[0] == "Reader 1  support 2"
    assert page[2:] == [
        "    Anonymous",
        page[3],
        "(lost)",
        "    Reader 2",
        "      [deleted]",
        "        Reader 2",
        "          ",
    ]
    assert first.stdout.splitlines()[3:] == second.stdout.splitlines()[3:]


def test_progress_is_drawn_on_stderr():
    """With tqdm, the bar goes where it can not get into the output."""
    pytest.importorskip("tqdm")
    done = run("replay_trace.py")
    assert "merging" in done.stderr
    assert "merging:" not in done.stdout


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("not a trace\n", "line 1 of .* is no line of a trace"),
        ('{"thread": 1, "id": 1, "t": "noon"}\n', "line 1 of .* is no line of a trace"),
        ("", "holds no comment"),
        (None, "No such file"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(content: str | None, why: str, tmp_path: Path):
    """A file that is missing or no trace ends the program with code 2 and one line that says why."""
    path = tmp_path / "bad.jsonl"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    done = run("replay_trace.py", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"replay_trace: .*{why}.*\n", done.stderr)


def test_a_store_that_is_none_is_refused(tmp_path: Path):
    """A file that is no store is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at as one" * 20, encoding="utf-8")
    done = run("replay_trace.py", "--store", path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is not available" in done.stderr


def test_a_limit_out_of_range_is_refused():
    """The bounds of a page are those of the library."""
    done = run("replay_trace.py", "--limit", "0")
    assert done.returncode == 2
    assert "--limit must be from 1 to 1000" in done.stderr
