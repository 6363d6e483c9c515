"""Equal events have equal bytes, bytes that are accepted come out again, and what is not understood is kept as it came."""

from __future__ import annotations

import math
import runpy
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Union

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from threadstore.errors import CorruptRecord, DataError, UnsupportedSchema, UpcastFailed
from threadstore.model import codec
from threadstore.model import events as e
from threadstore.model.codec import FIELDS, SCHEMA, UPCASTERS, decode, encode, glance, glances, shared_actor
from threadstore.model.ids import NIL, from_bytes, make_id, to_bytes
from threadstore.model.values import ROLES, SUPPORT, Actor, TextQuote
from threadstore.testing.given import id_of

DATA = Path(__file__).parents[1] / "data"


def nth(number: int) -> str:
    return make_id(1_700_000_000_000 + number, 0, number)


ID, COMMENT, MARK = nth(9), nth(1), nth(2)
ANN = Actor("u-17", "Ann Lee")
WIRE_ANN = ["u-17", "Ann Lee", "reader"]
HEAD = [to_bytes(ID), "t", WIRE_ANN]
TAGS = {kind.__struct_config__.tag for kind in FIELDS}
FREE_TEXT = {"body", "reason", "note", "quote", "suggestion", "title", "meta"}

pack = msgspec.msgpack.Encoder(order="deterministic").encode
unpack = msgspec.msgpack.decode


def posted(**fields: Any) -> e.CommentPosted:
    return e.CommentPosted(**{"id": ID, "thread": "t", "actor": ANN, "body": "words", **fields})


def record(tag: str, *fields: Any, schema: int = SCHEMA, head: list[Any] = HEAD) -> bytes:
    """Return a record of these values as MessagePack writes them."""
    return pack([tag, schema, *head, *fields])


def refused(data: bytes, why: str = "") -> None:
    """Demand that *data* is no record, for a reason that has *why* in it."""
    with pytest.raises(CorruptRecord) as raised:
        decode(data)
    assert why in raised.value.why


# --- the frozen corpus --------------------------------------------------------------------------------------------------------

from_json = msgspec.json.Decoder(Union[tuple(e.REGISTERS)])  # noqa: UP007 - the kinds come from a table


def golden(name: str) -> list[tuple[bytes, e.Event]]:
    """Return the records of a released file, each with the event that it stands for."""
    lines = (DATA / "v1" / name).read_text(encoding="utf-8").splitlines()
    return [(bytes.fromhex(record), from_json.decode(event)) for record, event in (line.split(" ", 1) for line in lines)]


GOLDEN = golden("schema-1.txt")
OLD = golden("schema-0.txt")
RECORDS = [data for data, _ in GOLDEN]
UNDERSTOOD = [data for data, event in GOLDEN if not event.extra]  # the whole of it
SHORTEST = {kind: min((data for data, event in GOLDEN if type(event) is kind), key=len) for kind in e.REGISTERS}


def called(value: object) -> str:
    """Name a parameter: an event by its kind, a record by what it begins with."""
    return value[2:20].decode(errors="ignore") if isinstance(value, bytes) else getattr(value, "kind_tag", "")


@pytest.mark.parametrize(("data", "event"), GOLDEN, ids=called)
def test_a_released_record_is_read_as_ever(data: bytes, event: e.Event):
    """What a release has written, every later one reads as the same event and writes as the same bytes."""
    assert decode(data) == event
    assert encode(event) == data


@pytest.mark.parametrize(("data", "event"), OLD, ids=called)
def test_an_old_record_is_lifted_as_ever(data: bytes, event: e.Event):
    """A record of schema 0 becomes the event of today that says the same."""
    assert decode(data) == event
    assert decode(encode(event)) == event


def test_the_corpus_holds_every_kind():
    """No kind escapes, and every step of every upcaster is taken."""
    assert {type(event) for _, event in GOLDEN} == set(e.REGISTERS)
    assert {kind for kind, _ in UPCASTERS} <= {event.kind_tag for _, event in OLD}


@pytest.mark.parametrize("file", ["schema-1.txt", "schema-0.txt"])
def test_the_corpus_cannot_be_written_again(file: str):
    """The program that wrote it refuses to touch what is there."""
    write = runpy.run_path(str(DATA / "make_v1.py"))["write"]
    with pytest.raises(FileExistsError):
        write(DATA / "v1" / file, [])


# --- the format ---------------------------------------------------------------------------------------------------------------


def test_a_record_is_what_the_docstring_says():
    """Kind, schema, 16 bytes of id, thread, actor, then the fields of the table."""
    event = posted(parent=COMMENT, spoiler=True, at=-5, meta={"b": "1", "a": "2"})
    expected = ["comment.posted", 1, *HEAD, to_bytes(COMMENT), True, False, -5, "words", {"a": "2", "b": "1"}]
    assert unpack(encode(event)) == expected
    assert encode(event) == pack(expected)


def test_an_anonymous_actor_is_nil():
    """Nobody has no id, no name and no role."""
    assert unpack(encode(e.ThreadLocked(id=ID, thread="t"))) == ["thread.locked", 1, to_bytes(ID), "t", None]


@pytest.mark.parametrize(
    ("event", "length"),
    [
        (posted(), 10),
        (posted(meta={"a": "1"}), 11),
        (e.ReactionGiven(id=ID, thread="t", comment=COMMENT), 6),
        (e.ReactionGiven(id=ID, thread="t", comment=COMMENT, kind="up"), 7),
        (e.ThreadLocked(id=ID, thread="t"), 5),
        (e.ThreadUnlocked(id=ID, thread="t"), 5),
        (e.ThreadDescribed(id=ID, thread="t"), 5),
        (e.ThreadDescribed(id=ID, thread="t", title="Drones"), 8),
        (e.CommentApproved(id=ID, thread="t", comment=COMMENT), 8),
    ],
    ids=called,
)
def test_trailing_defaults_are_left_out(event: e.Event, length: int):
    """A field is written only if it, or one behind it, says something."""
    assert len(unpack(encode(event))) == length


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_the_table_has_every_field_of_every_kind(kind: type[e.Event]):
    """Nothing that an event says is lost on the way, and free text comes last, where it can be skipped or cut."""
    names = FIELDS[kind]
    assert {*names, "id", "thread", "actor", "extra"} == set(kind.__struct_fields__)
    assert len(set(names)) == len(names)
    assert [name in FREE_TEXT for name in names] == sorted(name in FREE_TEXT for name in names)


def test_the_table_has_every_kind():
    """All kinds but the unknown can be written under a tag of their own."""
    assert set(FIELDS) == set(e.REGISTERS) - {e.UnknownEvent}


def test_what_is_no_kind_of_event_is_not_written():
    """The base of all kinds has no tag under which it could be read again."""
    for other in (e.Event(id=ID, thread="t"), ANN, None):
        with pytest.raises(TypeError, match="is no kind of event"):
            encode(other)


# --- the laws -----------------------------------------------------------------------------------------------------------------


def texts(most: int = 20) -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=most)


def names(most: int = 20) -> st.SearchStrategy[str]:
    return texts(most).filter(bool)


# Whatever MessagePack can say, and more than one way to say it.
objects = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=20) | texts()
    | st.builds(Ext, st.integers(0, 127), st.binary(max_size=20)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(5) | st.integers(0, 9), inner, max_size=4),
    max_leaves=8,
).map(msgspec.msgpack.encode)  # fmt: skip
oddities = st.sampled_from(
    [
        b"\xcc\x01",  # an integer longer than it need be
        b"\xd9\x01a",  # a text likewise
        b"\xca\x7f\xc0\x00\x01",  # a float of 32 bits that is no number
        b"\xa1\xff",  # a text that is no UTF-8
        b"\x81\x91\x01\x02",  # a map with an array for a key
        b"\x81\x81\x01\x02\x03",  # a map with a map for a key
        b"\x82\x01\x02\x01\x03",  # a map with one key twice
        b"\xd6\xff\x00\x00\x00\x00",  # a timestamp
        b"\xc7\x03\xff123",  # a timestamp that is none
        b"\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff",  # a timestamp beyond the year 9999
    ]
)
ids = st.builds(make_id, st.integers(0, 2**48 - 1), st.integers(0, 4095), st.integers(0, 2**62 - 1))
quotes = st.builds(TextQuote, texts(), texts(), texts(), st.integers(0, 2**53))
extras = st.lists(objects | oddities, max_size=3).map(tuple)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": ids,
    "thread": names(),
    "actor": st.none() | st.builds(Actor, names().filter(lambda id: "@" not in id), texts(), st.sampled_from(ROLES)),
    "extra": st.just(()) | extras,
    "comment": ids,
    "parent": st.none() | ids,
    "seen": st.just("") | ids,
    "correction": ids,
    "cancels": st.lists(ids, max_size=20),
    "body": texts(300),
    "reason": texts(),
    "note": texts(),
    "title": texts(),
    "url": texts(),
    "article_version": texts(),
    "quote": quotes,
    "suggestion": texts(),
    "outcome": st.sampled_from(e.OUTCOMES),
    "person": names(),
    "kind": st.just(SUPPORT) | names(),
    "schema": st.integers(0, 2**53),
    "spoiler": st.booleans(),
    "held": st.booleans(),
    "at": st.none() | st.integers(-(2**53), 2**53),
    "meta": st.none() | st.dictionaries(names(), texts(), max_size=20),
}


def events_of(kind: type[e.Event]) -> st.SearchStrategy[e.Event]:
    """Draw any event of *kind*."""
    values = {field: VALUES[field] for field in kind.__struct_fields__}
    if kind is e.UnknownEvent:
        values["kind"] = names().filter(lambda tag: tag not in TAGS)
    return st.builds(kind, **values)


events = st.sampled_from(list(e.REGISTERS)).flatmap(events_of)


@pytest.mark.parametrize("kind", e.REGISTERS, ids=lambda kind: kind.__name__)
@given(st.data())
def test_an_event_comes_back_as_it_was(kind: type[e.Event], data: st.DataObject):
    """Whatever an event says, reading what was written gives the equal event, and the same bytes again."""
    event = data.draw(events_of(kind))
    written = encode(event)
    read = decode(written)
    assert read == event
    assert type(read) is type(event)
    assert encode(read) == written


@given(events, events)
def test_equal_bytes_are_equal_events_and_the_other_way_round(one: e.Event, other: e.Event):
    """Bytes can stand for an event wherever facts are compared."""
    assert (encode(one) == encode(other)) == (one == other)


def accepted_or_refused(data: bytes) -> bool:
    """Demand that *data* is either refused by name or comes out again, and return which."""
    try:
        event = decode(data)
    except DataError:
        return False
    written = encode(event)
    assert decode(written) == event
    assert written == data or schema_of(data) < SCHEMA
    return True


def schema_of(data: bytes) -> int:
    """Return the schema that *data* claims, whatever else it holds."""
    return unpack(unpack(data, type=list[msgspec.Raw])[1])


def edits(data: bytes) -> Iterator[bytes]:
    """Yield *data* with one byte missing, doubled, or another."""
    for at in range(len(data)):
        yield data[:at]
        yield data[:at] + data[at + 1 :]
        yield data[: at + 1] + data[at:]
        for byte in {data[at] ^ 1, data[at] ^ 0x80, (data[at] + 1) % 256, 0x00, 0x80, 0x90, 0xC0, 0xC3, 0xFF}:
            yield data[:at] + bytes([byte]) + data[at + 1 :]


@pytest.mark.parametrize("data", SHORTEST.values(), ids=called)
def test_a_record_with_one_byte_changed_is_refused_or_another_record(data: bytes):
    """No change of a byte goes unseen: what is still accepted is another event with exactly these bytes."""
    outcomes = [accepted_or_refused(changed) for changed in edits(data)]
    assert True in outcomes
    assert False in outcomes


OTHERS = [
    None,
    False,
    True,
    0,
    1,
    -1,
    1.0,
    "",
    "support",
    b"",
    to_bytes(NIL),
    bytes(range(16)),
    [],
    [None],
    {},
    {"a": "1"},
    Ext(1, b""),
]


@pytest.mark.parametrize("data", RECORDS, ids=called)
def test_a_record_with_one_value_changed_is_refused_or_another_record(data: bytes):
    """The same for whole values: left out, doubled, or another of any type."""
    values = unpack(data, type=list[msgspec.Raw])
    for at in range(len(values)):
        accepted_or_refused(pack([*values[:at], *values[at + 1 :]]))
        accepted_or_refused(pack([*values[: at + 1], *values[at:]]))
        accepted_or_refused(pack(values[:at]))
        for other in OTHERS:
            accepted_or_refused(pack([*values[:at], other, *values[at + 1 :]]))
            accepted_or_refused(pack([*values[:at], other, *values[at:]]))


@given(
    st.sampled_from(RECORDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 2), st.binary(max_size=4)), max_size=4),
)
def test_mutated_bytes_are_refused_or_come_out_again(data: bytes, mutations: list[tuple[float, int, bytes]]):
    """Whatever is overwritten, cut out or put in, the law holds and no foreign error escapes."""
    for where, cut, put in mutations:
        at = int(where * len(data))
        data = data[:at] + put + data[at + cut :]
    accepted_or_refused(data)


raws = (objects | oddities).map(msgspec.Raw)


@given(
    st.sampled_from(UNDERSTOOD),
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 1), st.lists(raws | st.just(msgspec.Raw(pack(None))), max_size=1)),
        max_size=2,
    ),
)
def test_mutated_values_are_refused_or_come_out_again(data: bytes, mutations: list[tuple[int, int, list[Any]]]):
    """The same with whole values replaced, left out and put in, which bytes at random hardly ever do."""
    values = [msgspec.Raw(pack(value)) for value in unpack(data)]
    for at, cut, put in mutations:
        values[at : at + cut] = put
    accepted_or_refused(pack(values))


@given(st.binary(max_size=60))
def test_bytes_at_random_are_refused_or_come_out_again(data: bytes):
    """Whatever is put before the decoder, it knows what to say."""
    accepted_or_refused(data)


# --- canonical form -----------------------------------------------------------------------------------------------------------


def long_heads(value: Any) -> Iterator[bytes]:
    """Yield the beginnings of *value* that MessagePack allows and a canonical record does not."""
    size = len(body(value)) if isinstance(value, (str, bytes)) else len(content(value)) // (1 + isinstance(value, dict))
    text, binary, array, mapping = [(0xD9, 0xDA, 0xDB), (0xC4, 0xC5, 0xC6), (None, 0xDC, 0xDD), (None, 0xDE, 0xDF)]
    codes = {str: text, bytes: binary, list: array, dict: mapping}.get(type(value), ())
    shortest = pack(value)
    for code, form in zip(codes, (">B", ">H", ">I"), strict=False):
        if code is not None and size < 256 ** struct.calcsize(form):
            head = bytes([code]) + struct.pack(form, size)
            if not shortest.startswith(head):
                yield head
    if type(value) is int:
        for code, form in (
            (0xCC, ">B"),
            (0xCD, ">H"),
            (0xCE, ">I"),
            (0xCF, ">Q"),
            (0xD0, ">b"),
            (0xD1, ">h"),
            (0xD2, ">i"),
            (0xD3, ">q"),
        ):
            try:
                spelled = bytes([code]) + struct.pack(form, value)
            except struct.error:
                continue
            if spelled != shortest:
                yield spelled


def content(value: Any) -> list[Any]:
    """Return what stands behind the beginning of *value*, in order."""
    if isinstance(value, dict):
        return [each for key in sorted(value) for each in (key, value[key])]
    return value if isinstance(value, list) else []


def body(value: Any) -> bytes:
    """Return the bytes behind the beginning of *value*."""
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else b"".join(map(pack, content(value)))


def spellings(value: Any) -> Iterator[bytes]:
    """Yield every way to write *value* that is longer than need be in one place."""
    for head in long_heads(value):
        yield head + body(value)
    parts = [pack(each) for each in content(value)]
    head = pack(value)[: len(pack(value)) - sum(map(len, parts))]
    for at, each in enumerate(content(value)):
        for spelled in spellings(each):
            yield b"".join([head, *parts[:at], spelled, *parts[at + 1 :]])


@pytest.mark.parametrize("data", [data for data in UNDERSTOOD if len(data) < 500], ids=called)
def test_a_record_has_one_spelling(data: bytes):
    """A number, text, id, list or map that is written longer than need be is refused, wherever it stands."""
    values = unpack(data)
    assert pack(values) == data
    forms = list(spellings(values))
    assert len(forms) > len(values)
    for form in forms:
        assert unpack(form) == values
        refused(form, "canonical")


def trailing_defaults() -> Iterator[tuple[str, bytes]]:
    """Yield for each kind its shortest record with one default more than need be, then two, and so on."""
    for kind, names in FIELDS.items():
        values = unpack(SHORTEST[kind])
        default = {field.name: field.default for field in msgspec.structs.fields(kind)}
        for name in names[len(values) - 5 :]:
            values = [*values, default[name]]
            yield f"{kind.__name__}.{name}", pack(values)


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in trailing_defaults()])
def test_defaults_at_the_end_are_refused(data: bytes):
    """What need not be said is not said, else one event had two forms."""
    refused(data, "canonical")


def test_every_optional_end_is_tried():
    """The test above tries each kind that may end early."""
    assert [name for name, _ in trailing_defaults()] == [
        "CommentPosted.meta",
        "CommentRemoved.reason",
        "CommentHeld.reason",
        "CommentReported.reason",
        "ReportsResolved.cancels",
        "SpoilerCleared.cancels",
        "CommentUnpinned.cancels",
        "ReactionGiven.kind",
        "ReactionWithdrawn.kind",
        "ThreadLocked.reason",
        "ThreadUnlocked.cancels",
        "ThreadDescribed.url",
        "ThreadDescribed.article_version",
        "ThreadDescribed.title",
        "CorrectionSuggested.note",
        "CorrectionDecided.note",
    ]


POST = [None, False, False, None, "words"]
A, B = b"\xa1a\xa11", b"\xa1b\xa12"  # two items of meta


def with_meta(meta: bytes, *more: bytes) -> bytes:
    """Return a post whose meta and further fields are these bytes."""
    return record("comment.posted", *POST, msgspec.Raw(meta), *map(msgspec.Raw, more))


def test_meta_is_sorted():
    """The keys of a map have one order."""
    assert decode(with_meta(b"\x82" + A + B)) == posted(meta={"a": "1", "b": "2"})
    refused(with_meta(b"\x82" + B + A), "canonical")


@pytest.mark.parametrize("second", [A, b"\xa1a\xa12"])
def test_a_key_that_comes_twice_is_seen(second: bytes):
    """msgspec drops all but the last silently: two records would be one event."""
    refused(with_meta(b"\x82" + A + second), "canonical")
    refused(with_meta(b"\x82" + A + second, b"\x01"), "canonical")


def test_a_meta_without_items_is_nil():
    """Nothing is said in one way, also when a newer release appended fields behind it."""
    refused(with_meta(b"\x80"), "must be nil")
    refused(with_meta(b"\x80", b"\x01"), "must be nil")
    assert decode(with_meta(b"\xc0", b"\x01")) == posted(extra=(b"\x01",))


COMMENT_BYTES, MARK_BYTES = to_bytes(COMMENT), to_bytes(MARK)
FOURTH = to_bytes(nth(4))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (record("comment.unpinned", COMMENT_BYTES, [FOURTH, MARK_BYTES]), "sorted"),
        (record("comment.unpinned", COMMENT_BYTES, [MARK_BYTES, MARK_BYTES]), "without repeats"),
        (record("comment.unpinned", COMMENT_BYTES, MARK_BYTES), "an array"),
        (record("comment.unpinned", COMMENT_BYTES, None), "an array"),
        (record("comment.unpinned", COMMENT_BYTES, {"a": MARK_BYTES}), "an array"),
        (record("comment.unpinned", COMMENT_BYTES, [MARK_BYTES, None]), "supported between"),
        (record("comment.unpinned", COMMENT_BYTES, [MARK_BYTES[:15]]), "16 bytes"),
        (record("comment.unpinned", COMMENT_BYTES, [bytes(16)]), "UUIDv7"),
        (record("comment.edited", COMMENT_BYTES, None, "words"), "16 bytes"),
        (record("comment.edited", COMMENT_BYTES, b"", "words"), "16 bytes"),
        (record("comment.edited", COMMENT_BYTES, to_bytes(NIL), "words"), "UUIDv7"),
        (record("comment.edited", COMMENT_BYTES, COMMENT, "words"), "16 bytes"),
        (record("comment.deleted", None), "16 bytes"),
        (record("comment.deleted"), "missing"),
        (record("reaction.given"), "missing"),
        (record("comment.posted"), "missing"),
        (record("comment.posted", *POST[:4]), "missing"),
        (record("comment.edited", COMMENT_BYTES), "missing"),
        (record("comment.approved", COMMENT_BYTES, []), "missing"),
        (record("comment.reported", COMMENT_BYTES), "missing"),
        (record("correction.decided", COMMENT_BYTES), "missing"),
        (record("comment.posted", b"short", False, False, None, "words"), "16 bytes"),
        (record("comment.posted", None, 0, False, None, "words"), "must be bools"),
        (record("comment.posted", None, False, False, 1.5, "words"), "must be an int"),
        (record("comment.posted", None, False, False, True, "words"), "must be an int"),
        (record("comment.posted", None, False, False, None, b"words"), "must be a str"),
        (record("comment.posted", None, False, False, None, "wor\0ds"), "NUL"),
        (record("comment.posted", *POST, ["a", "1"]), "meta must map"),
        (record("comment.posted", *POST, {"a": 1}), "must be a str"),
        (pack(["comment.posted", SCHEMA, *HEAD[:2], ["u-17"], *POST]), "id, name and role"),
        (pack(["comment.posted", SCHEMA, *HEAD[:2], [*WIRE_ANN, "x"], *POST]), "id, name and role"),
        (pack(["comment.posted", SCHEMA, *HEAD[:2], "abc", *POST]), "id, name and role"),
        (pack(["comment.posted", SCHEMA, *HEAD[:2], {"u": 1, "n": 2, "reader": 3}, *POST]), "id, name and role"),
        (pack(["comment.posted", SCHEMA, *HEAD[:2], ["u-17", "", "admin"], *POST]), "role must be one of"),
        (pack(["comment.posted", SCHEMA, *HEAD[:2], ["ann@news.example", "", "reader"], *POST]), "opaque"),
        (pack(["comment.posted", SCHEMA, *HEAD[:2], [["u"], "", "reader"], *POST]), "unhashable"),
        (pack(["comment.posted", SCHEMA, ID, "t", None, *POST]), "16 bytes"),
        (pack(["comment.posted", SCHEMA, bytes(16), "t", None, *POST]), "UUIDv7"),
        (pack(["comment.posted", SCHEMA, to_bytes(ID), "", None, *POST]), "must not be empty"),
        (pack(["comment.posted", SCHEMA, to_bytes(ID), 7, None, *POST]), "must be a str"),
        (record("correction.suggested", "", ["words"], "other"), "exact, prefix, suffix and start"),
        (record("correction.suggested", "", "abc", "other"), "exact, prefix, suffix and start"),
        (record("correction.suggested", "", ["a", "", "", 0, ""], "other"), "exact, prefix, suffix and start"),
        (record("correction.suggested", "", ["a", "", "", -1], "other"), "start must be"),
        (record("correction.decided", COMMENT_BYTES, "maybe"), "must be one of"),
        (record("correction.decided", COMMENT_BYTES, ["accepted"]), "must be one of"),
        (pack([]), "no array of kind"),
        (pack(["comment.posted", SCHEMA, *HEAD[:2]]), "no array of kind"),
        (pack({"kind": "comment.posted"}), "no array of kind"),
        (pack("comment.posted"), "no array of kind"),
        (pack([b"comment.posted", SCHEMA, *HEAD, *POST]), "no array of kind"),
        (pack([["comment.posted"], SCHEMA, *HEAD, *POST]), "no array of kind"),
        (pack(["comment.posted", "1", *HEAD, *POST]), "no array of kind"),
        (pack(["comment.posted", True, *HEAD, *POST]), "no array of kind"),
        (pack(["comment.posted", 1.0, *HEAD, *POST]), "no array of kind"),
        (b"", "truncated"),
        (pack(["comment.posted", SCHEMA, *HEAD, *POST]) + b"\x01", "trailing"),
        (b"\xdd\xff\xff\xff\xff", "truncated"),
        (b"\xc1", "malformed"),
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused_with_a_reason(data: bytes, why: str):
    """A field of the wrong type, shape or range makes a corrupt record; nothing is guessed or put right."""
    refused(data, why)


def test_an_error_names_the_position():
    """Whoever reads a log learns which record is damaged, and from what it follows."""
    with pytest.raises(CorruptRecord, match="the record at position 41 cannot be read") as raised:
        decode(b"", position=41)
    assert raised.value.position == 41
    assert isinstance(raised.value.__cause__, msgspec.DecodeError)


def test_an_error_without_a_text_is_named():
    """A reason is never empty."""
    assert codec._why(ValueError()) == "ValueError"


# --- hostile input ------------------------------------------------------------------------------------------------------------

DEEP = 100_000


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\x01", b"\x81\x91", b"\xdd\x00\x00\x00\x01", b"\xdf\x00\x00\x00\x01\xc0"])
@pytest.mark.parametrize(
    "around",
    [
        lambda nest: nest,
        lambda nest: b"\x91" + nest,
        lambda nest: record("comment.posted", *POST, msgspec.Raw(nest)),
        lambda nest: record("comment.posted", *POST, None, msgspec.Raw(nest)),
        lambda nest: record("comment.posted", *POST[:4], msgspec.Raw(nest)),
        lambda nest: record("comment.boosted", msgspec.Raw(nest)),
        lambda nest: record("comment.approved", COMMENT_BYTES, msgspec.Raw(nest), schema=0),
        lambda nest: pack(["comment.posted", SCHEMA, to_bytes(ID), "t", msgspec.Raw(nest)]),
        lambda nest: pack([msgspec.Raw(nest), SCHEMA, *HEAD]),
    ],
)
def test_hostile_nesting_is_a_corrupt_record(around: Callable[[bytes], bytes], opening: bytes):
    """A bomb of brackets exhausts no stack, wherever it hides."""
    data = around(opening * DEEP + b"\x01")
    refused(data)


def test_a_record_names_no_code():
    """`resolve_topic("os:system")` returns os.system elsewhere; here it is a kind that nobody knows."""
    data = record("os:system", "echo pwned")
    event = decode(data)
    assert event == e.UnknownEvent(id=ID, thread="t", actor=ANN, kind="os:system", schema=1, extra=(pack("echo pwned"),))
    assert encode(event) == data


@pytest.mark.parametrize("tag", ["unknown", "CommentPosted", "_OnComment", "Event", "COMMENT.POSTED", "comment.posted "])
def test_only_the_written_tags_are_known(tag: str):
    """Names of classes, the tag of the unknown itself, and what merely looks like a tag are unknown kinds."""
    event = decode(record(tag))
    assert type(event) is e.UnknownEvent
    assert event.kind_tag == tag


# --- newer releases -----------------------------------------------------------------------------------------------------------


@given(st.sampled_from(list(e.REGISTERS)).flatmap(events_of), st.lists(objects | oddities, min_size=1, max_size=3))
def test_fields_of_a_newer_release_are_kept_byte_for_byte(event: e.Event, extra: list[bytes]):
    """Old code that meets new fields after a rollback loses nothing (AxonFramework#413), whatever they hold."""
    event = msgspec.structs.replace(event, extra=tuple(extra))
    data = encode(event)
    assert data.endswith(b"".join(extra))
    assert decode(data) == event
    assert encode(decode(data)) == data


@pytest.mark.parametrize("tag", ["comment.boosted", "comment.posted"])
@pytest.mark.parametrize(
    "odd",
    [
        b"\xca\x7f\xc0\x00\x01",
        b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01",
        b"\xcc\x01",
        b"\xdc\x00\x01\x01",
        b"\x82\xa1a\x01\xa1a\x02",
        b"\x82\xa1b\x01\xa1a\x02",
        b"\xc7\x03\x0512\xff",
        b"\xd6\xff\x00\x00\x00\x00",
        b"\xc7\x03\xff123",
        b"\xa1\xff",
        b"\x81\x81\x01\x02\x03",
        b"\x91" * 200 + b"\x01",
    ],
)
def test_what_cannot_be_read_is_kept_all_the_same(tag: str, odd: bytes):
    """Not a number, extensions, keys that no dict can hold, broken text: what is not understood is not touched."""
    fields = [msgspec.Raw(field) for field in ((*map(pack, POST), b"\xc0", odd) if tag == "comment.posted" else (odd,))]
    data = record(tag, *fields)
    assert decode(data).extra == (odd,)
    assert encode(decode(data)) == data


@pytest.mark.parametrize("at", range(5, 10))
def test_what_this_release_knows_must_be_readable(at: int):
    """A field that cannot be read is kept only behind those that are known."""
    values = [msgspec.Raw(pack(value)) for value in unpack(encode(posted()))]
    values[at] = msgspec.Raw(b"\xa1\xff")
    refused(pack(values))


def test_a_known_part_that_is_not_canonical_is_refused_in_spite_of_new_fields():
    """New fields are no cover for a second spelling of the old ones."""
    canonical = with_meta(b"\xc0", b"\x01")
    assert encode(decode(canonical)) == canonical
    refused(canonical.replace(b"\xa5words", b"\xd9\x05words"), "canonical")
    refused(canonical.replace(b"\x9c\xae", b"\xdc\x00\x0c\xae"), "canonical")
    refused(record("comment.unpinned", COMMENT_BYTES, [FOURTH, MARK_BYTES], 1), "sorted")


@pytest.mark.parametrize("schema", [0, 1, 2, 127, 128, 2**53])
def test_an_unknown_kind_has_any_schema(schema: int):
    """Nobody here can say what its schema should be."""
    data = record("comment.boosted", 1, schema=schema)
    assert decode(data).schema == schema
    assert encode(decode(data)) == data


@pytest.mark.parametrize("schema", [-1, 2**53 + 1, 2**64 - 1])
def test_a_schema_is_a_small_number(schema: int):
    """A schema that no release will ever have is damage."""
    refused(record("comment.boosted", schema=schema), "schema must be from 0")


@pytest.mark.parametrize("tag", [kind.__struct_config__.tag for kind in FIELDS])
@pytest.mark.parametrize("schema", [2, 200, 2**64 - 1])
def test_a_newer_schema_of_a_known_kind_is_not_guessed_at(tag: str, schema: int):
    """Its fields may mean something else, so they are not read at all."""
    for field in (b"\xc0", b"\xa1\xff", b"\x90"):
        with pytest.raises(UnsupportedSchema) as raised:
            decode(record(tag, msgspec.Raw(field), schema=schema), position=3)
        assert raised.value.args == (f"a {tag!r}", schema, SCHEMA)


# --- older releases -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "fields", "lifted"),
    [
        ("comment.approved", [], {"cancels": ()}),
        ("comment.approved", [[MARK_BYTES]], {"cancels": (MARK,)}),
        ("comment.restored", [], {"cancels": ()}),
        ("comment.restored", [[MARK_BYTES]], {"cancels": (MARK,)}),
        ("comment.reported", [], {"reason": ""}),
        ("comment.reported", ["rude"], {"reason": "rude"}),
    ],
)
def test_schema_0_saw_the_comment_as_it_was_posted(tag: str, fields: list[Any], lifted: dict[str, Any]):
    """An approval that does not say of which text opens no edit made since."""
    event = decode(record(tag, COMMENT_BYTES, *fields, schema=0))
    assert event.kind_tag == tag
    assert (event.comment, event.seen) == (COMMENT, COMMENT)
    assert {name: getattr(event, name) for name in lifted} == lifted


@pytest.mark.parametrize(
    "data", [SHORTEST[kind] for kind in FIELDS if (kind.__struct_config__.tag, 0) not in UPCASTERS], ids=called
)
def test_a_kind_without_an_upcaster_has_not_changed(data: bytes):
    """Its record of schema 0 has the same fields."""
    values = unpack(data)
    assert decode(pack([values[0], 0, *values[2:]])) == decode(data)


@pytest.mark.parametrize("tag", [kind for kind, _ in UPCASTERS])
@pytest.mark.parametrize("fields", [[], [COMMENT_BYTES, [], []]])
def test_an_old_record_that_cannot_be_lifted_is_named(tag: str, fields: list[Any]):
    """Too few or too many fields for its schema: which kind, which schema, and why."""
    with pytest.raises(UpcastFailed) as raised:
        decode(record(tag, *fields, schema=0))
    assert raised.value.args[:2] == (tag, 0)
    assert "values to unpack" in raised.value.why


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (record("comment.approved", COMMENT_BYTES, 7, schema=0), "an array"),
        (record("comment.approved", b"short", schema=0), "16 bytes"),
        (record("comment.reported", COMMENT_BYTES, 7, schema=0), "must be a str"),
        (record("comment.deleted", COMMENT_BYTES, 7, schema=0), "more fields than"),
        (record("comment.deleted", schema=0), "missing"),
        (record("comment.posted", *POST[:4], schema=0), "missing"),
        (record("comment.posted", *POST, None, 7, schema=0), "more fields than"),
        (record("comment.deleted", COMMENT_BYTES, schema=-1), "no schema -1"),
        (record("comment.approved", COMMENT_BYTES, schema=-(2**63)), "no schema"),
        (record("comment.deleted", COMMENT_BYTES, schema=0).replace(b"\x00", b"\xcc\x00", 1), "canonical"),
    ],
)
def test_a_damaged_old_record_is_refused(data: bytes, why: str):
    """What is lifted is checked like any other event, and was canonical in its own schema."""
    refused(data, why)


# --- short cuts ---------------------------------------------------------------------------------------------------------------


def test_actors_are_shared():
    """A thread has far fewer people than events."""
    assert decode(encode(posted())).actor is decode(encode(posted(id=nth(10)))).actor


@pytest.mark.parametrize("kind", [e.CommentPosted, e.ReactionGiven], ids=lambda kind: kind.__name__)
@given(st.data())
def test_the_short_cuts_change_nothing(kind: type[e.Event], data: st.DataObject):
    """The kinds that are read by functions of their own are read as the table would read them."""
    written = encode(data.draw(events_of(kind)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "_QUICK", {})
        slowly = decode(written)
    assert decode(written) == slowly
    assert decode(written).__struct_fields__ == slowly.__struct_fields__


def test_floats_are_no_numbers_of_ours():
    """No field is a float, so no NaN makes an event unequal to itself."""
    refused(record("comment.posted", None, False, False, math.nan, "words"), "must be an int")
    event = decode(record("comment.boosted", math.nan))
    assert event == decode(encode(event))


def test_an_id_in_a_record_is_the_id_in_the_event():
    """The bytes on disk and the text at the interface are two forms of one id."""
    assert from_bytes(unpack(encode(posted()))[2]) == ID


def test_a_glance_at_a_record():
    """A glance gives the values of this schema's form, whichever schema the record is of; what is no record is corrupt."""
    event = e.CommentApproved(id=id_of(2), thread="t", actor=None, comment=id_of(1), cancels=(), seen=id_of(1))
    values = glance(encode(event))
    assert values[:2] == ["comment.approved", SCHEMA]
    old = msgspec.msgpack.encode(["comment.approved", 0, to_bytes(id_of(2)), "t", None, to_bytes(id_of(1))])
    assert glance(old) == values
    for data in (b"", b"\xc1", b"\x01", encode(event)[:-1]):
        with pytest.raises(CorruptRecord):
            glance(data)


def test_a_glance_at_several_records():
    """It gives what a glance at each gives, whichever schemas they are of; one that is no record spoils all."""
    event = e.CommentApproved(id=id_of(2), thread="t", actor=None, comment=id_of(1), cancels=(), seen=id_of(1))
    old = msgspec.msgpack.encode(["comment.approved", 0, to_bytes(id_of(2)), "t", None, to_bytes(id_of(1))])
    for several in ([], [encode(event)], [encode(event), old, encode(posted())]):
        assert glances(several) == list(map(glance, several))
    for data in (b"", b"\xc1", encode(event) + encode(event), encode(event)[:-1]):
        with pytest.raises(CorruptRecord):
            glances([encode(event), data])


def test_the_actor_of_a_glance():
    """It is the one that decoding gives, and one object for however many records; nobody stays nobody."""
    record = encode(e.CommentDeleted(id=id_of(1), thread="t", actor=Actor("ann", "Ann Lee", "author"), comment=id_of(2)))
    actor = shared_actor(glance(record)[4])
    assert actor == decode(record).actor
    assert actor is shared_actor(glance(record)[4])
    assert shared_actor(None) is None
