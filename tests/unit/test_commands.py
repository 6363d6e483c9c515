"""Commands are plain values that a web layer decodes from JSON, strictly."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from threadstore.model import commands
from threadstore.model.commands import (
    AnyCommand,
    Approve,
    ClearSpoiler,
    Command,
    DecideCorrection,
    Delete,
    Describe,
    Edit,
    Erase,
    ErasePerson,
    Hold,
    Lock,
    MarkSpoiler,
    Pin,
    Post,
    React,
    Remove,
    Report,
    ResolveReports,
    Restore,
    SuggestCorrection,
    Unlock,
    Unpin,
    Unreact,
)
from threadstore.model.values import SUPPORT, Actor, TextQuote

ANN = Actor("u-17", "Ann Lee")
C1, E1 = "018bcfe5-6801-7000-8000-000000000001", "018bcfe5-6801-7000-8000-000000000002"
ENVELOPE = {"thread": "t", "by": ANN, "id": E1}
QUOTE = TextQuote("teh", "in ", " end", 7)

# Every command with its tag, the fields that must be given, and the others with their defaults and another value.
COMMANDS: dict[type[Command], tuple[str, dict[str, Any], dict[str, tuple[Any, Any]]]] = {
    Post: (
        "post",
        {"body": "words"},
        {"parent": (None, C1), "spoiler": (False, True), "held": (False, True), "meta": (None, {"web": "x.example"})},
    ),
    Edit: ("edit", {"comment": C1, "body": "words"}, {"seen": (None, E1)}),
    Delete: ("delete", {"comment": C1}, {}),
    React: ("react", {"comment": C1}, {"kind": (SUPPORT, "up")}),
    Unreact: ("unreact", {"comment": C1}, {"kind": (SUPPORT, "up")}),
    MarkSpoiler: ("mark_spoiler", {"comment": C1}, {}),
    ClearSpoiler: ("clear_spoiler", {"comment": C1}, {"cancels": (None, (E1,))}),
    Report: ("report", {"comment": C1}, {"reason": ("", "rude"), "seen": (None, E1)}),
    ResolveReports: ("resolve_reports", {"comment": C1}, {"cancels": (None, ())}),
    Hold: ("hold", {"comment": C1}, {"reason": ("", "why")}),
    Approve: ("approve", {"comment": C1}, {"cancels": (None, (E1,)), "seen": (None, E1)}),
    Remove: ("remove", {"comment": C1}, {"reason": ("", "why")}),
    Restore: ("restore", {"comment": C1}, {"cancels": (None, (E1,)), "seen": (None, E1)}),
    Pin: ("pin", {"comment": C1}, {}),
    Unpin: ("unpin", {"comment": C1}, {"cancels": (None, (E1,))}),
    Lock: ("lock", {}, {"reason": ("", "why")}),
    Unlock: ("unlock", {}, {"cancels": (None, (E1,))}),
    Describe: ("describe", {}, {"title": ("", "Drones"), "url": ("", "https://x.example"), "article_version": ("", "v1")}),
    SuggestCorrection: (
        "suggest_correction",
        {"quote": QUOTE, "suggestion": "the"},
        {"note": ("", "a slip"), "article_version": ("", "v1")},
    ),
    DecideCorrection: ("decide_correction", {"correction": C1, "outcome": "accepted"}, {"note": ("", "thanks")}),
    Erase: ("erase", {"comment": C1}, {}),
    ErasePerson: ("erase_person", {"person": "u-17"}, {}),
}

LEAST = [kind(thread="t", **required) for kind, (_, required, _) in COMMANDS.items()]
MOST = [
    kind(**ENVELOPE, **required, **{name: other for name, (_, other) in optional.items()})
    for kind, (_, required, optional) in COMMANDS.items()
]

from_json = msgspec.json.Decoder(AnyCommand)
every_kind = pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
every_command = pytest.mark.parametrize("command", LEAST + MOST, ids=lambda command: type(command).__name__)


def as_json(command: Command, **changes: Any) -> bytes:
    """Return the JSON of *command*, with some fields changed or added."""
    return msgspec.json.encode(msgspec.to_builtins(command) | changes)


def kinds(base: type[Command] = Command) -> Iterator[type[Command]]:
    """Yield the commands that can be made: those that are no base of others."""
    children = base.__subclasses__()
    if not children:
        yield base
    for child in children:
        yield from kinds(child)


# --- the registry -------------------------------------------------------------------------------------------------------------


def test_the_union_has_every_command():
    """A web layer that decodes the union can take every command, and no other."""
    assert set(get_args(AnyCommand)) == set(kinds()) == set(COMMANDS)


def test_every_command_is_exported():
    """`__all__` has each of them, their base and their union, and nothing else."""
    assert set(commands.__all__) == {"AnyCommand", "Command", *(kind.__name__ for kind in kinds())}


@every_kind
def test_the_tags_are_written_out_and_frozen(kind: type[Command]):
    """Front ends send these words, whatever the classes are called."""
    tag, required, _ = COMMANDS[kind]
    assert kind(thread="t", **required).name == kind.__struct_config__.tag == tag


def test_no_two_commands_share_a_tag():
    """A tag says which command is meant."""
    assert len({tag for tag, _, _ in COMMANDS.values()}) == len(COMMANDS)


@every_kind
def test_every_field_is_tried_here(kind: type[Command]):
    """The table above leaves out no field."""
    _, required, optional = COMMANDS[kind]
    assert {*ENVELOPE, *required, *optional} == set(kind.__struct_fields__)


@every_kind
def test_what_is_left_out_has_its_default(kind: type[Command]):
    """None means "what the store holds", and nobody is anonymous by mistake only."""
    _, required, optional = COMMANDS[kind]
    least = kind(thread="t", **required)
    assert (least.by, least.id) == (None, None)
    assert {name: getattr(least, name) for name in optional} == {name: default for name, (default, _) in optional.items()}


# --- values -------------------------------------------------------------------------------------------------------------------


@every_command
def test_a_command_never_changes(command: Command):
    """What was checked is what is decided, and copies of all sorts are equal."""
    with pytest.raises(AttributeError):
        command.thread = "elsewhere"
    assert copy.copy(command) == pickle.loads(pickle.dumps(command)) == command
    assert replace(command, thread="other") != command


@every_command
def test_fields_are_named(command: Command):
    """Nothing is positional, so a field can be added later."""
    with pytest.raises(TypeError):
        type(command)("t")


# --- JSON ---------------------------------------------------------------------------------------------------------------------


@every_command
def test_a_command_goes_through_json(command: Command):
    """What a front end sends is the command that was meant, of the class that was meant."""
    decoded = from_json.decode(msgspec.json.encode(command))
    assert decoded == command
    assert type(decoded) is type(command)


def test_a_command_as_a_front_end_writes_it():
    """Only what has no default must be sent."""
    data = b'{"command": "post", "thread": "t", "body": "@Ann Lee, same here.", "parent": "%s"}' % C1.encode()
    assert from_json.decode(data) == Post(thread="t", body="@Ann Lee, same here.", parent=C1)
    data = b'{"command": "suggest_correction", "thread": "t", "quote": ["teh", "in ", " end", 7], "suggestion": "the"}'
    assert from_json.decode(data) == SuggestCorrection(thread="t", quote=QUOTE, suggestion="the")


@every_command
def test_a_field_that_no_command_has_is_refused(command: Command):
    """A misspelt "spolier" does not post a spoiler in the open."""
    with pytest.raises(msgspec.ValidationError, match="unknown field `spolier`"):
        from_json.decode(as_json(command, spolier=True))


@every_kind
def test_a_field_that_is_missing_is_refused(kind: type[Command]):
    """What must be said is not guessed."""
    tag, required, _ = COMMANDS[kind]
    fields = msgspec.to_builtins({"command": tag, "thread": "t", **required})
    for field in fields:
        with pytest.raises(msgspec.ValidationError, match=f"missing required field `{field}`"):
            from_json.decode(msgspec.json.encode({name: value for name, value in fields.items() if name != field}))


@every_command
def test_a_field_of_the_wrong_type_is_refused(command: Command):
    """The error says where; no number becomes a text, and no text a list."""
    for field in (name for name in command.__struct_fields__ if name != "by"):
        with pytest.raises(msgspec.ValidationError, match=rf"`\$\.{field}`"):
            from_json.decode(as_json(command, **{field: 7}))


@pytest.mark.parametrize("tag", ["Post", "Command", "OnComment", "opening", "os:system", "comment.posted", "", None, 7])
def test_a_command_that_nobody_knows_is_refused(tag: object):
    """Neither bases, nor events, nor names of code are commands."""
    with pytest.raises(msgspec.ValidationError):
        from_json.decode(msgspec.json.encode({"command": tag, "thread": "t", "comment": C1, "body": "words"}))


@pytest.mark.parametrize(
    ("command", "changes", "path"),
    [
        (MOST[0], {"by": ["ann@news.example"]}, "by"),
        (MOST[0], {"by": ["u-17", "Ann", "admin"]}, "by"),
        (MOST[0], {"by": []}, "by"),
        (MOST[0], {"by": "u-17"}, "by"),
        (MOST[0], {"meta": {"web": 7}}, "meta"),
        (SuggestCorrection(thread="t", quote=QUOTE, suggestion="the"), {"quote": ["teh", "", "", -1]}, "quote"),
        (SuggestCorrection(thread="t", quote=QUOTE, suggestion="the"), {"quote": []}, "quote"),
        (DecideCorrection(thread="t", correction=C1, outcome="accepted"), {"outcome": "maybe"}, "outcome"),
        (Unlock(thread="t"), {"cancels": E1}, "cancels"),
        (Unlock(thread="t"), {"cancels": [None]}, "cancels"),
    ],
)
def test_what_is_nested_is_checked_as_well(command: Command, changes: dict[str, Any], path: str):
    """Actors, quotes, marks and outcomes are what they must be, or the error says where they are not."""
    with pytest.raises(msgspec.ValidationError, match=rf"`\$\.{path}"):
        from_json.decode(as_json(command, **changes))


def test_a_command_is_bounded_when_it_is_decided():
    """Making or decoding one checks types alone: which limits hold is the policy's to say, and it says so by name."""
    command = Post(thread="", body="a\0" * 1_000_000, parent="no id")
    assert from_json.decode(msgspec.json.encode(command)) == command


def test_a_web_layer_says_who_asks():
    """Whoever the stranger's JSON claims to be, the sign-in has the last word."""
    claimed = from_json.decode(as_json(Lock(thread="t"), by=["m-1", "The Desk", "moderator"]))
    assert replace(claimed, by=ANN).by == ANN
    assert replace(claimed, by=None).by is None
