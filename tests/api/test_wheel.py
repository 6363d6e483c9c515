"""What is shipped works: the wheel is built, unpacked and used far from the sources."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POST = """
import threadstore
from threadstore import Actor

print(threadstore.__file__)
with threadstore.open(":memory:") as store:
    article = store.thread("2023/05/03/drones")
    article.post("I was there.", by=Actor("u-17", "Ann Lee"))
    print(*(comment.body for comment in article.view().comments))
"""


def run(*arguments: str, cwd: Path, **environment: str) -> str:
    """Run Python with *arguments* and return what it printed; what it complained of is the failure."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=inherited | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that holds the content of a freshly built wheel."""
    for module in ("build.__main__", "hatchling.build"):
        pytest.importorskip(module, reason=f"building a wheel without a network needs {module.partition('.')[0]}")
    dist = tmp_path_factory.mktemp("dist")
    run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), str(ROOT), cwd=dist)
    [wheel] = dist.glob("*.whl")
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_works_by_itself(unpacked: Path, tmp_path: Path):
    """A program that finds only the wheel can post a comment and read it back."""
    where, body = run("-c", POST, cwd=tmp_path, PYTHONPATH=str(unpacked)).splitlines()
    assert Path(where).is_relative_to(unpacked)
    assert body == "I was there."


def test_the_wheel_says_that_it_is_typed(unpacked: Path):
    """The marker that makes type checkers believe the annotations is shipped."""
    assert (unpacked / "threadstore" / "py.typed").is_file()


def test_the_wheel_holds_the_package_and_its_metadata_only(unpacked: Path):
    """Nothing but the package and its dist-info lands in the user's site-packages."""
    [metadata] = unpacked.glob("*.dist-info")
    assert {path.name for path in unpacked.iterdir()} == {"threadstore", metadata.name}


def test_the_wheel_needs_two_packages(unpacked: Path):
    """Without extras, attrs and msgspec are all that is installed beside it."""
    [metadata] = unpacked.glob("*.dist-info/METADATA")
    fields = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
    needed = [line for line in fields.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {re.split(r"[^\w-]", line)[0] for line in needed} == {"attrs", "msgspec"}
