"""An event that exists is well formed, never changes, and says by its class which registers it writes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Union

import msgspec
import pytest
from msgspec.structs import replace

from threadstore.errors import UnsafeText
from threadstore.model import events
from threadstore.model.erasure import Erasure, is_redacted, redact, same_fact, text_fields
from threadstore.model.events import (
    REGISTERS,
    CommentApproved,
    CommentDeleted,
    CommentEdited,
    CommentErased,
    CommentHeld,
    CommentPinned,
    CommentPosted,
    CommentRemoved,
    CommentReported,
    CommentRestored,
    CommentUnpinned,
    CorrectionDecided,
    CorrectionSuggested,
    Event,
    PersonErased,
    ReactionGiven,
    ReactionWithdrawn,
    ReportsResolved,
    Shape,
    SpoilerCleared,
    SpoilerMarked,
    ThreadDescribed,
    ThreadLocked,
    ThreadUnlocked,
    UnknownEvent,
)
from threadstore.model.ids import NIL, make_id
from threadstore.model.values import ROLES, SUPPORT, Actor, TextQuote


def nth(number: int) -> str:
    return make_id(1_700_000_000_000 + number, 0, number)


ANN = Actor("u-17", "Ann Lee")
ENVELOPE = {"id": nth(9), "thread": "2023/05/03/drones", "actor": ANN}
ON_COMMENT = {**ENVELOPE, "comment": nth(1)}
OPENING = {**ON_COMMENT, "cancels": (nth(2), nth(3)), "seen": nth(4)}
CANCEL = {**ON_COMMENT, "cancels": (nth(2), nth(3))}
WITH_REASON = {**ON_COMMENT, "reason": "why"}
QUOTE = TextQuote("the passage", "before ", " after", 120)

# Every kind with every field filled in; the tag is what is stored, so it is frozen here.
KINDS: dict[type[Event], tuple[str, dict[str, Any]]] = {
    CommentPosted: (
        "comment.posted",
        {**ENVELOPE, "parent": nth(1), "body": "words", "spoiler": True, "held": True, "at": -5, "meta": {"web": "x.example"}},
    ),
    CommentEdited: ("comment.edited", {**ON_COMMENT, "body": "words", "seen": nth(4)}),
    CommentDeleted: ("comment.deleted", ON_COMMENT),
    CommentErased: ("comment.erased", ON_COMMENT),
    PersonErased: ("person.erased", {**ENVELOPE, "person": "u-18"}),
    CommentRemoved: ("comment.removed", WITH_REASON),
    CommentRestored: ("comment.restored", OPENING),
    CommentHeld: ("comment.held", WITH_REASON),
    CommentApproved: ("comment.approved", OPENING),
    CommentReported: ("comment.reported", {**WITH_REASON, "seen": nth(4)}),
    ReportsResolved: ("reports.resolved", CANCEL),
    SpoilerMarked: ("spoiler.marked", ON_COMMENT),
    SpoilerCleared: ("spoiler.cleared", CANCEL),
    CommentPinned: ("comment.pinned", ON_COMMENT),
    CommentUnpinned: ("comment.unpinned", CANCEL),
    ReactionGiven: ("reaction.given", {**ON_COMMENT, "kind": "up"}),
    ReactionWithdrawn: ("reaction.withdrawn", {**ON_COMMENT, "kind": "up"}),
    ThreadLocked: ("thread.locked", {**ENVELOPE, "reason": "why"}),
    ThreadUnlocked: ("thread.unlocked", {**ENVELOPE, "cancels": (nth(2),)}),
    ThreadDescribed: (
        "thread.described",
        {**ENVELOPE, "title": "Drones", "url": "https://news.example/drones", "article_version": "v2"},
    ),
    CorrectionSuggested: (
        "correction.suggested",
        {**ENVELOPE, "quote": QUOTE, "suggestion": "that passage", "note": "a slip", "article_version": "v2"},
    ),
    CorrectionDecided: ("correction.decided", {**ENVELOPE, "correction": nth(1), "outcome": "accepted", "note": "thanks"}),
    UnknownEvent: ("unknown", {**ENVELOPE, "kind": "comment.boosted", "schema": 3}),
}

EVENTS = [kind(**fields) for kind, (_, fields) in KINDS.items()]
FREE_TEXT = {"body", "reason", "note", "quote", "suggestion", "title", "meta"}


def called(event: object) -> str:
    return type(event).__name__


every_event = pytest.mark.parametrize("event", EVENTS, ids=called)


# --- the registry -------------------------------------------------------------------------------------------------------------


def kinds(base: type[Event] = Event) -> Iterator[type[Event]]:
    """Yield every public kind of event that the module defines."""
    for child in base.__subclasses__():
        yield from kinds(child)
        if not child.__name__.startswith("_"):
            yield child


def test_the_tags_are_written_out_and_frozen():
    """What is stored under a tag today is read under it for ever, whatever the class is called then."""
    assert {kind: kind.__struct_config__.tag for kind in kinds()} == {kind: tag for kind, (tag, _) in KINDS.items()}


def test_no_two_kinds_share_a_tag():
    """A tag says which kind a record is."""
    assert len({tag for tag, _ in KINDS.values()}) == len(KINDS)


def test_the_table_covers_every_kind_exactly():
    """No kind is forgotten by the fold, and the table knows none that does not exist."""
    assert set(REGISTERS) == set(kinds()) == set(KINDS)


def test_every_public_name_is_exported():
    """`__all__` has every kind."""
    assert {kind.__name__ for kind in kinds()} < set(events.__all__)


@every_event
def test_every_field_is_filled_in_here(event: Event):
    """The table above leaves out nothing but `extra`, so the tests below try all there is."""
    assert {*KINDS[type(event)][1], "extra"} == set(event.__struct_fields__)


# --- bounds -------------------------------------------------------------------------------------------------------------------

Bad = tuple[object, type[Exception], str]

WRONG_TEXTS: list[Bad] = [
    (None, TypeError, "must be a str"),
    (7, TypeError, "must be a str"),
    (b"bytes", TypeError, "must be a str"),
    (["x"], TypeError, "must be a str"),
    (type("Markup", (str,), {})("<b>"), TypeError, "must be a str"),  # no codec writes a subclass
    ("a\0b", UnsafeText, "at 1"),
    ("\0", UnsafeText, "at 0"),
    ("ab\ud800", UnsafeText, "at 2"),
    ("é\udfff!", UnsafeText, "at 1"),
]

WRONG_IDS: list[Bad] = [
    (7, TypeError, "must be a str"),
    (b"0" * 16, TypeError, "must be a str"),
    ("c1", ValueError, "UUIDv7"),
    (NIL, ValueError, "UUIDv7"),
    (nth(1).upper(), ValueError, "UUIDv7"),
    (nth(1) + "\n", ValueError, "UUIDv7"),
]


def text(limit: int) -> list[Bad]:
    """Return what a free text of up to *limit* characters must not be."""
    return [*WRONG_TEXTS, ("x" * (limit + 1), ValueError, f"{limit + 1} characters where the format allows {limit}")]


def key(limit: int) -> list[Bad]:
    """Return what a text must not be that cannot be empty either."""
    return [*text(limit), ("", ValueError, "must not be empty")]


def id_or(*others: object) -> list[Bad]:
    """Return what an id must not be; *others* are refused as well."""
    return [*WRONG_IDS, *((other, TypeError if other is None else ValueError, "must be a") for other in others)]


BOOLS: list[Bad] = [(value, TypeError, "must be bools") for value in (0, 1, None, "yes")]
MARKS: list[Bad] = [
    (nth(1), TypeError, "several ids"),
    (None, TypeError, "not iterable"),
    (7, TypeError, "not iterable"),
    (b"0" * 16, TypeError, "must be a str"),
    (("c1",), ValueError, "UUIDv7"),
    ((nth(1), 7), TypeError, "must be a str"),
    ((nth(1), NIL), ValueError, "UUIDv7"),
    ([nth(n) for n in range(10_001)], ValueError, "10001 marks where the format allows 10000"),
]
METAS: list[Bad] = [
    ("web", TypeError, "must map"),
    ([("web", "x")], TypeError, "must map"),
    (7, TypeError, "must map"),
    ({f"k{n}": "" for n in range(33)}, ValueError, "33 items where the format allows 32"),
    *(({bad: "x"}, error, match) for bad, error, match in key(64) if not isinstance(bad, list)),
    *(({"web": bad}, error, match) for bad, error, match in text(2_000)),
]
EXTRAS: list[Bad] = [
    (None, TypeError, "tuple of bytes"),
    ([b"\x01"], TypeError, "tuple of bytes"),
    (b"\x01", TypeError, "tuple of bytes"),
    (("\x01",), TypeError, "tuple of bytes"),
    ((b"",), ValueError, "one MessagePack object"),
    ((b"\x01\x02",), ValueError, "one MessagePack object"),
    ((b"\xc1",), ValueError, "one MessagePack object"),
    ((b"\xa5abc",), ValueError, "one MessagePack object"),
    ((b"\x91" * 100_000 + b"\x01",), ValueError, "one MessagePack object"),
    ((b"\xc6\x00\x98\x96\x7c" + bytes(9_999_996),), ValueError, "more than the 10000000 bytes"),
]

# What each field must not be, in every kind that has it.
BAD: dict[str, list[Bad]] = {
    "id": id_or("", None),
    "thread": key(1_000),
    "actor": [(other, TypeError, "must be an Actor or None") for other in ("u-17", ("u-17", "", "reader"), 7, Actor)],
    "extra": EXTRAS,
    "comment": id_or("", None),
    "parent": id_or(""),
    "seen": id_or(None),
    "correction": id_or("", None),
    "cancels": MARKS,
    "body": text(1_000_000),
    "reason": text(10_000),
    "note": text(10_000),
    "title": text(10_000),
    "url": text(4_000),
    "article_version": text(200),
    "quote": [(other, TypeError, "must be a TextQuote") for other in (None, "words", ("words", "", "", 0), TextQuote)],
    "suggestion": text(10_000),
    "outcome": [
        (other, ValueError, "must be one of accepted, declined, reopened") for other in (None, "", "open", 7, ["accepted"])
    ],
    "person": key(200),
    "kind": key(64),
    "schema": [(-1, ValueError, "must be from 0"), (2**53 + 1, ValueError, "must be from 0"), (True, TypeError, "an int")],
    "spoiler": BOOLS,
    "held": BOOLS,
    "at": [
        (1.5, TypeError, "must be an int"),
        (True, TypeError, "must be an int"),
        ("5", TypeError, "must be an int"),
        (2**53 + 1, ValueError, "must be from"),
        (-(2**53) - 1, ValueError, "must be from"),
    ],
    "meta": METAS,
}

# The largest that each field may be.
LARGEST: dict[str, object] = {
    "thread": "\N{GRINNING FACE}" * 1_000,
    "extra": (b"\xc6\x00\x98\x96\x7b" + bytes(9_999_995),),
    "cancels": tuple(nth(n) for n in range(10_000)),
    "body": "\N{GRINNING FACE}" * 1_000_000,
    "reason": "é" * 10_000,
    "note": "é" * 10_000,
    "title": "é" * 10_000,
    "url": "é" * 4_000,
    "article_version": "é" * 200,
    "suggestion": "é" * 10_000,
    "person": "é" * 200,
    "kind": "é" * 64,
    "schema": 2**53,
    "at": 2**53,
    "meta": {f"{n:064}": "é" * 2_000 for n in range(32)},
}


def fields_of(kind: type[Event]) -> list[str]:
    return list(kind.__struct_fields__)


def largest(kind: type[Event], field: str) -> object:
    """Return the largest value of *field*; the tag of an unknown kind may be longer than the name of a reaction."""
    return "é" * 200 if kind is UnknownEvent and field == "kind" else LARGEST[field]


FIELDS_OF_KINDS = [(kind, field) for kind in KINDS for field in fields_of(kind)]
every_field = pytest.mark.parametrize(
    ("kind", "field"), FIELDS_OF_KINDS, ids=[f"{kind.__name__}.{field}" for kind, field in FIELDS_OF_KINDS]
)


@every_field
def test_a_field_out_of_bounds_is_refused(kind: type[Event], field: str):
    """Every field of every kind refuses what is too long, of the wrong type, or cannot be stored."""
    bad = key(200) if kind is UnknownEvent and field == "kind" else BAD[field]
    for value, error, match in bad:
        with pytest.raises(error, match=match):
            kind(**{**KINDS[kind][1], field: value})


@pytest.mark.parametrize(
    ("kind", "field"),
    [pair for pair in FIELDS_OF_KINDS if pair[1] in LARGEST],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_largest_value_fits(kind: type[Event], field: str):
    """A bound is the largest that is allowed, in characters and not in bytes."""
    value = largest(kind, field)
    assert getattr(kind(**{**KINDS[kind][1], field: value}), field) == value


@every_event
def test_a_field_that_is_missing_or_unknown_is_refused(event: Event):
    """What has no default must be said, and nothing else can be."""
    kind, fields = type(event), KINDS[type(event)][1]
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    for field in required:
        with pytest.raises(TypeError, match="Missing required argument"):
            kind(**{name: value for name, value in fields.items() if name != field})
    with pytest.raises(TypeError, match="Unexpected keyword argument"):
        kind(**fields, colour="red")


@every_event
def test_what_is_left_out_has_its_default(event: Event):
    """The least that can be said of a kind makes an event, by an anonymous actor."""
    kind, fields = type(event), KINDS[type(event)][1]
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    least = kind(**{name: fields[name] for name in required})
    assert least.actor is None
    assert least.extra == ()


@every_event
def test_fields_are_named(event: Event):
    """Nothing is positional, so a field can be added later."""
    with pytest.raises(TypeError):
        type(event)(*[getattr(event, field) for field in event.__struct_fields__])


def test_an_unknown_kind_is_not_a_known_one():
    """Else its bytes would be read as something that it is not."""
    for tag, _ in KINDS.values():
        if tag != "unknown":
            with pytest.raises(ValueError, match="a kind that this release knows"):
                UnknownEvent(**{**ENVELOPE, "kind": tag, "schema": 1})


def test_the_base_of_all_kinds_is_checked_as_well():
    """Even an event of no kind has an id, a thread and an actor."""
    assert Event(**ENVELOPE).target == ""
    with pytest.raises(ValueError, match="UUIDv7"):
        Event(id="c1", thread="t")


# --- actors and quotes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["id", "name"])
def test_an_actor_out_of_bounds_is_refused(field: str):
    """Ids have 1 to 200 characters, names up to 500."""
    for value, error, match in key(200) if field == "id" else text(500):
        with pytest.raises(error, match=match):
            Actor(**{"id": "u-17", field: value})
    assert Actor("é" * 200, "é" * 500).name == "é" * 500


@pytest.mark.parametrize("id", ["ann@news.example", "a.b+c@d.e.f", "ann@bücher.example"])
def test_an_e_mail_address_is_no_actor_id(id: str):
    """An id outlives erasure, so it must not say who somebody is (GDPR; sequent#222)."""
    with pytest.raises(ValueError, match="must be opaque"):
        Actor(id)


@pytest.mark.parametrize("id", ["@ann", "ann@", "ann@host", "u 17@x.y", "@@.@", "acct:ann"])
def test_what_merely_looks_a_little_like_one_is_allowed(id: str):
    """Only an address that mail could reach is refused."""
    assert Actor(id).id == id


def test_the_roles_are_closed():
    """An unknown role would be judged by nobody."""
    assert ROLES == ("reader", "author", "moderator", "editor", "system")
    assert [Actor("u", "", role).role for role in ROLES] == list(ROLES)
    for role in ("", "admin", None, 7, ["reader"], "Reader", type("Name", (str,), {})("reader")):
        with pytest.raises(ValueError, match="role must be one of reader, author, moderator, editor, system"):
            Actor("u", "", role)


def test_a_refusal_does_not_repeat_a_long_text():
    """What a stranger sent ends up in a log file, so it is cut."""
    with pytest.raises(ValueError, match="role must be one of") as raised:
        Actor("u", "", "x" * 1_000_000)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("field", ["exact", "prefix", "suffix"])
def test_a_quote_out_of_bounds_is_refused(field: str):
    """The passage and what stands around it have up to 10,000 characters each."""
    for value, error, match in text(10_000):
        with pytest.raises(error, match=match):
            TextQuote(**{"exact": "x", field: value})
    assert getattr(TextQuote(**{"exact": "x", field: "é" * 10_000}), field) == "é" * 10_000


@pytest.mark.parametrize(("start", "error"), [(-1, ValueError), (2**53 + 1, ValueError), (1.0, TypeError), (True, TypeError)])
def test_a_quote_starts_at_an_offset(start: object, error: type[Exception]):
    """An offset is a whole number that every format carries."""
    with pytest.raises(error, match="start must be"):
        TextQuote("x", start=start)


# --- immutable values ---------------------------------------------------------------------------------------------------------


@every_event
def test_an_event_never_changes(event: Event):
    """Fields cannot be set, and copies of all sorts are equal."""
    with pytest.raises(AttributeError):
        event.thread = "elsewhere"
    assert copy.copy(event) == copy.deepcopy(event) == pickle.loads(pickle.dumps(event)) == event


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (ANN, b'["u-17","Ann Lee","reader"]'),
        (Actor("u-17"), b'["u-17","","reader"]'),
        (QUOTE, b'["the passage","before "," after",120]'),
        (TextQuote("the passage"), b'["the passage","","",0]'),
    ],
)
def test_actors_and_quotes_never_change(value: Any, data: bytes):
    """They are values as well, which can be keys, and which JSON shows as short arrays."""
    with pytest.raises(AttributeError):
        setattr(value, value.__struct_fields__[0], "other")
    assert {value, copy.deepcopy(value)} == {value}
    assert msgspec.json.encode(value) == data
    assert msgspec.json.decode(data, type=type(value)) == value


@every_event
def test_an_event_hashes_by_its_id(event: Event):
    """Events can be collected in sets, although some hold a dict."""
    assert {event, copy.deepcopy(event)} == {event}


def test_meta_is_copied():
    """Whoever changes the dict that they passed does not change the event."""
    meta = {"web": "x.example"}
    event = CommentPosted(**ENVELOPE, body="words", meta=meta)
    meta["web"] = "evil.example"
    assert event.meta == {"web": "x.example"}


def test_meta_has_one_form():
    """Order does not matter, and nothing is None: equal events have equal bytes."""
    one = CommentPosted(**ENVELOPE, body="words", meta={"b": "1", "a": "2"})
    assert list(one.meta or ()) == ["a", "b"]
    assert CommentPosted(**ENVELOPE, body="words", meta={}).meta is None


def test_any_mapping_will_do_for_meta():
    """A mapping that is no dict becomes one."""
    meta = CommentPosted(**ENVELOPE, body="words", meta=MappingProxyType({"a": "1"})).meta
    assert (type(meta), meta) == (dict, {"a": "1"})


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "cancels" in fields_of(kind)], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("form", [list, tuple, set, frozenset, iter, reversed])
def test_cancels_have_one_form(kind: type[Event], form: Callable[[list[str]], Any]):
    """However the ids are given, the event has them sorted and once each."""
    marks = [nth(3), nth(2), nth(3)]
    assert kind(**{**KINDS[kind][1], "cancels": form(marks)}).cancels == (nth(2), nth(3))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "seen" in fields_of(kind)], ids=lambda kind: kind.__name__)
def test_whoever_saw_no_edit_saw_the_comment(kind: type[Event]):
    """`seen` left out is the comment's own id: the text as it was posted."""
    fields = {name: value for name, value in KINDS[kind][1].items() if name != "seen"}
    assert kind(**fields).seen == kind(**fields, seen="").seen == nth(1)
    assert kind(**fields, seen=nth(4)).seen == nth(4)


def test_a_reaction_is_support_unless_said_otherwise():
    """A news page offers "I support"."""
    assert ReactionGiven(**ON_COMMENT).kind == ReactionWithdrawn(**ON_COMMENT).kind == SUPPORT == "support"


# --- what an event says of itself ---------------------------------------------------------------------------------------------


@every_event
def test_the_tag_is_known_without_the_codec(event: Event):
    """The tag of a kept, unknown kind is the one that it came with."""
    tag = KINDS[type(event)][0]
    assert event.kind_tag == ("comment.boosted" if tag == "unknown" else tag)


@every_event
def test_a_writer_is_an_actor_in_a_role(event: Event):
    """Authority is judged by both; an anonymous actor is no writer."""
    assert event.writer == ("u-17", "reader")
    assert replace(event, actor=Actor("u-17", "Ann", "moderator")).writer == ("u-17", "moderator")
    assert replace(event, actor=None).writer is None


@every_event
def test_the_target_is_what_the_event_is_about(event: Event):
    """A comment or a correction bears its event's id; what is said of the thread has the target ""."""
    expected = {CommentPosted: nth(9), CorrectionSuggested: nth(9), CorrectionDecided: nth(1)}
    whole_thread = {PersonErased, ThreadLocked, ThreadUnlocked, ThreadDescribed, UnknownEvent}
    assert event.target == ("" if type(event) in whole_thread else expected.get(type(event), nth(1)))


MARK = (nth(9), ("u-17", "reader"))
OWN = (nth(9),)
WRITER = (("u-17", "reader"),)


@pytest.mark.parametrize(
    ("kind", "writes"),
    [
        (CommentPosted, {"posted": (Shape.ONCE, OWN), "spoiler": (Shape.FLAG, MARK), "held": (Shape.FLAG, MARK)}),
        (CommentEdited, {"edited": (Shape.LATEST, WRITER)}),
        (CommentDeleted, {"deleted": (Shape.ONCE, WRITER)}),
        (CommentErased, {"erased": (Shape.ONCE, WRITER)}),
        (PersonErased, {"person": (Shape.LATEST, ("u-18", ("u-17", "reader")))}),
        (CommentRemoved, {"removed": (Shape.FLAG, MARK)}),
        (CommentRestored, {"removed.cancel": (Shape.FLAG, MARK)}),
        (CommentHeld, {"held": (Shape.FLAG, MARK)}),
        (CommentApproved, {"held.cancel": (Shape.FLAG, MARK)}),
        (CommentReported, {"reported": (Shape.FLAG, MARK)}),
        (ReportsResolved, {"reported.cancel": (Shape.FLAG, MARK)}),
        (SpoilerMarked, {"spoiler": (Shape.FLAG, MARK)}),
        (SpoilerCleared, {"spoiler.cancel": (Shape.FLAG, MARK)}),
        (CommentPinned, {"pinned": (Shape.FLAG, MARK)}),
        (CommentUnpinned, {"pinned.cancel": (Shape.FLAG, MARK)}),
        (ReactionGiven, {"reaction": (Shape.LATEST, ("u-17", "up"))}),
        (ReactionWithdrawn, {"reaction": (Shape.LATEST, ("u-17", "up"))}),
        (ThreadLocked, {"locked": (Shape.FLAG, MARK)}),
        (ThreadUnlocked, {"locked.cancel": (Shape.FLAG, MARK)}),
        (ThreadDescribed, {"described": (Shape.LATEST, WRITER)}),
        (CorrectionSuggested, {"suggested": (Shape.ONCE, OWN)}),
        (CorrectionDecided, {"decided": (Shape.LATEST, WRITER)}),
        (UnknownEvent, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_table_says_which_registers_a_kind_writes(kind: type[Event], writes: dict[str, tuple[Shape, tuple[object, ...]]]):
    """Cell, shape and key of every register, as the design has them."""
    event = kind(**KINDS[kind][1])
    assert {write.cell: (write.shape, write.key(event)) for write in REGISTERS[kind]} == writes


@pytest.mark.parametrize("flag", ["spoiler", "held"])
def test_a_comment_raises_the_flags_that_it_carries(flag: str):
    """A mark of a post is written only if the post says so; all other registers are written always."""
    [write] = [write for write in REGISTERS[CommentPosted] if write.cell == flag]
    assert write.when is not None
    assert write.when(CommentPosted(**ENVELOPE, body="words", **{flag: True})) is True
    assert write.when(CommentPosted(**ENVELOPE, body="words")) is False
    assert [write.cell for writes in REGISTERS.values() for write in writes if write.when] == ["spoiler", "held"]


def test_an_anonymous_reaction_is_nobodys():
    """Its key has no actor, where the view looks for one."""
    [write] = REGISTERS[ReactionGiven]
    assert write.key(ReactionGiven(**{**ON_COMMENT, "actor": None})) == (None, SUPPORT)


# --- free text ----------------------------------------------------------------------------------------------------------------


@every_event
def test_redaction_takes_free_text_and_nothing_else(event: Event):
    """Ids, roles, times and flags are the skeleton, which is what happened; an actor loses the name and keeps the id."""
    bare = redact(event)
    assert bare.actor == Actor("u-17")
    for field in fields_of(type(event)):
        if field in FREE_TEXT:
            assert getattr(bare, field) in ("", None, TextQuote(""))
        elif field != "actor":
            assert getattr(bare, field) == getattr(event, field)


@every_event
def test_the_fields_of_free_text_are_named(event: Event):
    """Whoever compares skeletons must know which fields to leave out."""
    assert text_fields(type(event)) == FREE_TEXT & set(event.__struct_fields__)


@every_event
def test_redaction_is_idempotent(event: Event):
    """A skeleton has nothing left to lose."""
    assert redact(redact(event)) == redact(event)
    assert is_redacted(redact(event))
    assert not is_redacted(event)


def test_an_actor_without_a_name_is_kept_as_it_is():
    """Redacting what holds no text makes nothing new."""
    event = CommentDeleted(**{**ON_COMMENT, "actor": Actor("u-17", role="moderator")})
    assert redact(event) == event
    assert redact(event).actor is event.actor
    assert redact(replace(event, actor=None)).actor is None


def test_what_a_newer_release_appended_is_not_redacted():
    """Nobody here knows whether it is text."""
    event = CommentPosted(**ENVELOPE, body="words", extra=(b"\x01",))
    assert redact(event).extra == (b"\x01",)


@every_event
def test_a_fact_and_its_redacted_twin_are_the_same_fact(event: Event):
    """Otherwise a replica that erased and one that did not could never be merged."""
    assert same_fact(event, event)
    assert same_fact(event, redact(event))
    assert same_fact(redact(event), event)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if FREE_TEXT & set(fields_of(kind))], ids=lambda kind: kind.__name__)
def test_two_texts_under_one_id_are_two_facts(kind: type[Event]):
    """Nobody says two things with one id; a log refuses the second."""
    other = {"quote": TextQuote("another"), "meta": {"web": "other"}}
    event = kind(**KINDS[kind][1])
    for field in FREE_TEXT & set(fields_of(kind)):
        twin = replace(event, **{field: other.get(field, "another")})
        assert not same_fact(event, twin)
        assert same_fact(redact(event), twin)


@every_event
def test_another_skeleton_is_another_fact(event: Event):
    """Who did it, where and when cannot be changed under one id."""
    for change in ({"actor": Actor("u-18", "Ann Lee")}, {"actor": None}, {"thread": "other"}, {"extra": (b"\x01",)}):
        assert not same_fact(event, replace(event, **change))
        assert not same_fact(redact(event), replace(event, **change))


def test_another_kind_is_another_fact():
    """A reaction given is not a reaction withdrawn, all else being equal."""
    assert not same_fact(ReactionGiven(**ON_COMMENT), ReactionWithdrawn(**ON_COMMENT))


def test_another_name_is_another_text():
    """The name shown is free text: redaction takes it, and two names are two facts."""
    event = CommentDeleted(**ON_COMMENT)
    renamed = replace(event, actor=Actor("u-17", "Ann Other"))
    assert not same_fact(event, renamed)
    assert redact(event) == redact(renamed)


# --- erasure ------------------------------------------------------------------------------------------------------------------


def test_erasing_a_comment_covers_every_text_about_it():
    """The post, its edits, and the reasons given for removing or reporting it, whoever wrote them."""
    erasure = Erasure(comment=nth(1))
    assert erasure.covers(CommentPosted(id=nth(1), thread="t", body="words"))
    assert erasure.covers(CommentReported(**WITH_REASON))
    assert erasure.covers(CorrectionDecided(**KINDS[CorrectionDecided][1]))
    assert not erasure.covers(CommentPosted(id=nth(2), thread="t", parent=nth(1), body="words"))
    assert not erasure.covers(ThreadLocked(**ENVELOPE))


def test_erasing_a_person_covers_what_they_wrote_before():
    """All that this actor id wrote, in any role, with a smaller id than the erasure's."""
    erasure = Erasure(person="u-17", before=nth(9))
    event = CommentPosted(id=nth(8), thread="t", actor=ANN, body="words")
    assert erasure.covers(event)
    assert erasure.covers(replace(event, actor=Actor("u-17", role="moderator")))
    assert not erasure.covers(replace(event, id=nth(9)))
    assert not erasure.covers(replace(event, id=nth(10)))
    assert not erasure.covers(replace(event, actor=Actor("u-18", "Ann Lee")))


@pytest.mark.parametrize("erasure", [Erasure(), Erasure(person="u-17"), Erasure(before=nth(99))])
def test_an_erasure_of_nobody_covers_nothing(erasure: Erasure):
    """An anonymous actor is not the person that a half-made erasure leaves out."""
    assert not any(erasure.covers(each) for event in EVENTS for each in (event, replace(event, actor=None)))


# --- JSON ---------------------------------------------------------------------------------------------------------------------

from_json = msgspec.json.Decoder(Union[tuple(KINDS)])  # noqa: UP007 - the kinds come from a table


@every_event
def test_an_event_goes_through_json(event: Event):
    """`msgspec.json` writes an event with its tag, and a tagged union reads the same event again."""
    event = replace(event, extra=(b"\xca\x7f\xc0\x00\x00",))
    data = msgspec.json.encode(event)
    assert msgspec.json.decode(data)["type"] == KINDS[type(event)][0]
    assert from_json.decode(data) == event
    assert type(from_json.decode(data)) is type(event)


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"comment.posted","id":"c1","thread":"t","body":"words"}',
        b'{"type":"comment.posted","id":"%s","thread":"","body":"words"}',
        b'{"type":"comment.posted","id":"%s","thread":"t","body":"a\\u0000b"}',
        b'{"type":"comment.posted","id":"%s","thread":"t","body":5}',
        b'{"type":"comment.posted","id":"%s","thread":"t","body":"","actor":["ann@news.example"]}',
        b'{"type":"os:system","id":"%s","thread":"t"}',
        b'{"id":"%s","thread":"t"}',
    ],
)
def test_what_json_brings_is_checked_as_well(data: bytes):
    """There is no way into an event around its checks."""
    with pytest.raises(msgspec.ValidationError):
        from_json.decode(data.replace(b"%s", nth(1).encode()))
