"""The public face: what other programs rely on is there, under the names and with the parameters that docs/design.md fixes."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from inspect import Parameter
from pathlib import Path
from types import ModuleType

import pytest

import threadstore
from threadstore import (
    Actor,
    CommentPosted,
    CommentView,
    CorrectionView,
    Counts,
    Mention,
    PastThread,
    Policy,
    StoredThread,
    Thread,
    ThreadStore,
    ThreadView,
    errors,
)
from threadstore.model import commands, events

CONSUMER = Path(__file__).with_name("consumer.py")
PUBLIC = {name: getattr(threadstore, name) for name in threadstore.__all__}
CLASSES = [each for each in PUBLIC.values() if inspect.isclass(each)]


# --- names --------------------------------------------------------------------------------------------------------------------


def test_all_is_sorted_and_without_repeats():
    """The list of public names is in the order in which `sorted` puts it."""
    assert threadstore.__all__ == sorted(set(threadstore.__all__))


def test_all_is_complete():
    """Whatever the package shows that is no module and not private is in the list."""
    shown = {name for name, value in vars(threadstore).items() if not name.startswith("_") and not isinstance(value, ModuleType)}
    assert shown | {"__version__"} == set(threadstore.__all__)


def test_every_fact_and_every_error_is_public():
    """An application can name all that it may be given and all that may be raised."""
    facts = {kind.__name__ for kind in events.REGISTERS}
    assert facts | {"Event", "Actor", "TextQuote", "Role", "SUPPORT"} <= set(threadstore.__all__)
    assert set(errors.__all__) <= set(threadstore.__all__)


def test_what_a_log_gives_and_takes_is_public():
    """Somebody who keeps events elsewhere, or reads them raw, can name the port, its records and what is wrong with one."""
    assert {"EventLog", "Record", "ANY", "NONE", "Damage"} <= set(threadstore.__all__)


def test_every_command_can_be_named():
    """The commands have a module of their own, each under the name of the method that makes it."""
    methods = {name for name, value in vars(StoredThread).items() if inspect.isfunction(value)}
    kinds = {kind.__struct_config__.tag for kind in commands.AnyCommand.__args__}
    assert kinds - methods == {"erase_person"}


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if inspect.isclass(value) or inspect.isfunction(value)])
def test_every_public_name_has_a_docstring(name: str):
    """A class says what it is and a function what it does, in words of their own."""
    sentence = vars(PUBLIC[name]).get("__doc__") if inspect.isclass(PUBLIC[name]) else PUBLIC[name].__doc__
    assert sentence
    assert not sentence.startswith(f"{name}(")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_public_method_has_a_docstring(kind: type):
    """Methods and properties say what they do, inherited ones too."""
    described = {name: value for name, value in inspect.getmembers(kind) if not name.startswith("_") and _is_ours(value)}
    assert [name for name, value in described.items() if not inspect.getdoc(value)] == []


def _is_ours(value: object) -> bool:
    function = value.fget if isinstance(value, property) else inspect.unwrap(getattr(value, "__func__", value))
    return inspect.isfunction(function) and function.__module__.startswith("threadstore")


def test_the_version_is_that_of_the_package():
    """A program can ask the package what it was installed as."""
    assert threadstore.__version__ == version("threadstore")


# --- parameters ---------------------------------------------------------------------------------------------------------------

REQUIRED = Parameter.empty
_POST = {"by": None, "spoiler": False, "held": False, "meta": None, "id": None}
_PAGE = {"limit": 20, "after": None, "reader": None, "reveal": ()}
_SHAPE = {"replies": 3, "depth": 8, "rows": 200}
_VIEW = {"order": "oldest", **_PAGE, **_SHAPE, "pinned": False, "now": None}
_BY = {"by": REQUIRED}
_ID = {"id": None}
_CANCELS = {**_BY, "cancels": None}
_REASON = {**_BY, "reason": ""}

#: For each function the parameters that may be given by position, and those that are given by name, with their defaults.
SIGNATURES: dict[Callable[..., object], tuple[dict[str, object], dict[str, object]]] = {
    threadstore.open: ({"target": REQUIRED}, {"policy": Policy(), "durability": "full", "timeout": 10.0}),
    threadstore.fold: ({"events": REQUIRED}, {}),
    threadstore.decide: ({"command": REQUIRED, "thread": REQUIRED}, {"policy": None, "now": REQUIRED}),
    ThreadStore.thread: ({"key": REQUIRED}, {}),
    ThreadStore.threads: ({}, {}),
    ThreadStore.counts: ({"keys": REQUIRED}, {}),
    ThreadStore.queue: ({}, {}),
    ThreadStore.latest: ({}, {}),
    ThreadStore.by_person: ({"id": REQUIRED}, {}),
    ThreadStore.subscribe: ({}, {"after": 0}),
    ThreadStore.merge: ({"events": REQUIRED}, {"progress": None, "on_refused": None}),
    ThreadStore.overview: ({}, {"limit": 20, "after": None}),
    ThreadStore.rebuild: ({}, {"progress": None}),
    ThreadStore.rebuild_thread: ({"key": REQUIRED}, {}),
    ThreadStore.export: ({}, {}),
    ThreadStore.verify: ({}, {}),
    ThreadStore.backup: ({"path": REQUIRED}, {}),
    ThreadStore.export_person: ({"actor_id": REQUIRED}, {}),
    ThreadStore.erase_person: ({"actor_id": REQUIRED}, _BY),
    ThreadStore.execute: ({"command": REQUIRED}, {}),
    StoredThread.post: ({"body": REQUIRED}, _POST),
    StoredThread.reply: ({"to": REQUIRED, "body": REQUIRED}, _POST),
    StoredThread.edit: ({"comment": REQUIRED, "body": REQUIRED}, {**_BY, "seen": None, **_ID}),
    StoredThread.delete: ({"comment": REQUIRED}, {**_BY, **_ID}),
    StoredThread.react: ({"comment": REQUIRED, "kind": threadstore.SUPPORT}, {**_BY, **_ID}),
    StoredThread.unreact: ({"comment": REQUIRED, "kind": threadstore.SUPPORT}, {**_BY, **_ID}),
    StoredThread.mark_spoiler: ({"comment": REQUIRED}, {**_BY, **_ID}),
    StoredThread.clear_spoiler: ({"comment": REQUIRED}, {**_CANCELS, **_ID}),
    StoredThread.report: ({"comment": REQUIRED}, {"by": None, "reason": "", "seen": None, **_ID}),
    StoredThread.resolve_reports: ({"comment": REQUIRED}, {**_CANCELS, **_ID}),
    StoredThread.hold: ({"comment": REQUIRED}, {**_REASON, **_ID}),
    StoredThread.approve: ({"comment": REQUIRED}, {**_CANCELS, "seen": None, **_ID}),
    StoredThread.remove: ({"comment": REQUIRED}, {**_REASON, **_ID}),
    StoredThread.restore: ({"comment": REQUIRED}, {**_CANCELS, "seen": None, **_ID}),
    StoredThread.pin: ({"comment": REQUIRED}, {**_BY, **_ID}),
    StoredThread.unpin: ({"comment": REQUIRED}, {**_CANCELS, **_ID}),
    StoredThread.lock: ({}, {**_REASON, **_ID}),
    StoredThread.unlock: ({}, {**_CANCELS, **_ID}),
    StoredThread.describe: ({}, {**_BY, "title": "", "url": "", "article_version": "", **_ID}),
    StoredThread.suggest_correction: (
        {"quote": REQUIRED, "suggestion": REQUIRED},
        {**_BY, "note": "", "article_version": "", **_ID},
    ),
    StoredThread.decide_correction: ({"correction": REQUIRED, "outcome": REQUIRED}, {**_BY, "note": "", **_ID}),
    StoredThread.erase: ({"comment": REQUIRED}, {**_BY, **_ID}),
    StoredThread.view: ({}, _VIEW),
    StoredThread.replies: ({"comment": REQUIRED}, {"after": None, "limit": 20, "reader": None, "reveal": (), **_SHAPE}),
    StoredThread.comment: ({"id": REQUIRED}, {"context": 0, "reader": None, "reveal": (), **_SHAPE}),
    StoredThread.counts: ({}, {}),
    StoredThread.corrections: ({}, {}),
    StoredThread.queue: ({}, {}),
    StoredThread.history: ({}, {}),
    StoredThread.changes: ({"since": REQUIRED}, {}),
    StoredThread.as_of: ({"moment": REQUIRED}, {}),
    StoredThread.as_known_at: ({"position": REQUIRED}, {}),
    Thread.view: ({}, {**_VIEW, "policy": None}),
    Thread.apply: ({"event": REQUIRED}, {}),
    Thread.merge: ({"other": REQUIRED}, {}),
    Thread.digest: ({}, {}),
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_a_signature_that_other_programs_rely_on(function: Callable[..., object]):
    """The parameters have the names, kinds and defaults of the design; what was added is optional and given by name."""
    by_position, by_name = SIGNATURES[function]
    parameters = [each for each in inspect.signature(function).parameters.values() if each.name != "self"]
    assert {each.name: each.default for each in parameters if each.kind is Parameter.POSITIONAL_OR_KEYWORD} == by_position
    named = {each.name: each.default for each in parameters if each.kind is Parameter.KEYWORD_ONLY}
    assert {name: named.get(name, "missing") for name in by_name} == by_name
    assert REQUIRED not in [default for name, default in named.items() if name not in by_name]
    assert len(by_position) + len(named) == len(parameters)


def test_the_parameters_of_a_page_come_in_the_order_of_the_design():
    """The signature of a page reads as it is written down: where, whose eyes, how much, when."""
    assert list(inspect.signature(StoredThread.view).parameters) == ["self", *_VIEW]
    assert list(inspect.signature(StoredThread.post).parameters) == ["self", "body", *_POST]
    assert list(inspect.signature(StoredThread.reply).parameters) == ["self", "to", "body", *_POST]


def test_a_past_is_read_as_the_present_is():
    """What reads a thread as it was has the parameters of what reads it as it is."""
    for name in ("view", "replies", "comment", "flat", "counts", "corrections"):
        assert inspect.signature(getattr(PastThread, name)) == inspect.signature(getattr(StoredThread, name))


# --- fields -------------------------------------------------------------------------------------------------------------------

COMMENT_FIELDS = """
    id parent author posted_at edited_at edited_by text_id body concealed flags stale spoiler reactions reacted mentions
    pinned late depth replies reply_count more meta marks
"""


def test_the_fields_of_a_post():
    """A post is made by keyword, and all but id, thread and body have their defaults."""
    defaults = {"actor": None, "parent": None, "spoiler": False, "held": False, "at": None, "meta": None}
    post = CommentPosted(id="018bcfe5-6800-7000-8000-000000000001", thread="a", body="I was there.")
    assert {name: getattr(post, name) for name in defaults} == defaults
    fields = ["id", "thread", "actor", "parent", "body", "spoiler", "held", "at", "meta"]
    assert [name for name in CommentPosted.__struct_fields__ if name in fields] == fields
    with pytest.raises(TypeError):
        CommentPosted(post.id, "a", None, "I was there.")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ThreadView, "thread title url revision counts locked order comments next"),
        (Counts, "top_level replies total pending hidden"),
        (CommentView, COMMENT_FIELDS),
        (Mention, "start end actor"),
        (Actor, "id name role"),
        (CorrectionView, "id author quote suggestion note state orphaned"),
    ],
)
def test_the_fields_of_what_is_read(kind: type, fields: str):
    """Views have the fields that the design lists, in its order."""
    assert [name for name in kind.__struct_fields__ if name in fields.split()] == fields.split()


@pytest.mark.parametrize("kind", [each for each in CLASSES if hasattr(each, "__struct_fields__")], ids=lambda kind: kind.__name__)
def test_what_crosses_the_wire_is_immutable(kind: type):
    """Events, commands and views are frozen."""
    assert kind.__struct_config__.frozen


# --- importing ----------------------------------------------------------------------------------------------------------------

IMPORTING = """
import sys

done = []
WRITES = ("w", "a", "x", "+")

def watch(event, arguments):
    if event in ("sqlite3.connect", "socket.connect", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename"):
        done.append(event)
    if event == "open" and any(letter in str(arguments[1]) for letter in WRITES):
        done.append(f"open {arguments[0]}")

sys.addaudithook(watch)
import threadstore
print(*done)
print(*[name for name in sys.modules if name.partition(".")[0] in ("hypothesis", "tqdm", "pytest", "unittest")])
print(*[name for name in sys.modules if name.startswith("threadstore.testing")])
import threading
print(threading.active_count())
"""


def test_importing_has_no_side_effects(tmp_path: Path):
    """`import threadstore` opens no database, writes no file, starts no thread, and loads nothing that only tests need."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORTING], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["", "", "", "1"]
    assert list(tmp_path.iterdir()) == []


def test_the_types_are_those_that_a_consumer_expects(tmp_path: Path):
    """A program that uses the whole face passes the strict type checker, and its deliberate mistakes do not."""
    pytest.importorskip("mypy", reason="checking types needs mypy")
    arguments = ["--strict", "--warn-unused-ignores", "--no-error-summary", "--config-file=", f"--cache-dir={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments, str(CONSUMER)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""
