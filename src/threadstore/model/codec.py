"""
Events as bytes: no other module knows the format.

A record is one MessagePack array::

    [kind, schema, id, thread, actor, field, field, …]

Ids are 16 bytes, an actor is ``[id, name, role]`` or nil, and the fields follow in the order of `FIELDS`: skeleton first, free
text last. Trailing fields that have their default are left out. That makes the form canonical (equal events have equal bytes) and
lets a later release append a field with a default: this release keeps what it does not know as it came (`Event.extra`), and
writes it again byte for byte. A kind that is not in the closed registry becomes an `UnknownEvent`; a stored row can never name
code to run.

A change that is more than an appended field raises `SCHEMA` and adds a step to `UPCASTERS`, which lifts the fields of one kind
from one schema to the next. Old records are lifted here, at the edge, and never rewritten.

Laws: ``decode(encode(event)) == event``, and ``encode(decode(data)) == data`` for every record of this schema that `decode`
accepts. The second is kept without encoding the event anew: the values that MessagePack reads must give the same bytes again, the
last of them must not be its default, and each field is refused that is not in the one form in which it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from attrs import frozen
from msgspec import NODEFAULT, MsgspecError, Raw
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import fields

from threadstore.errors import CorruptRecord, UnsupportedSchema, UpcastFailed
from threadstore.model import events as e
from threadstore.model.ids import from_bytes, to_bytes
from threadstore.model.values import SUPPORT, Actor, TextQuote

__all__ = ["FIELDS", "SCHEMA", "UPCASTERS", "decode", "encode", "glance", "glances", "shared_actor"]

SCHEMA: Final = 1

#: The order of the fields on the wire. Only ever appended to; the frozen corpus of each release keeps it so.
FIELDS: Final[Mapping[type[e.Event], tuple[str, ...]]] = {
    e.CommentPosted: ("parent", "spoiler", "held", "at", "body", "meta"),
    e.CommentEdited: ("comment", "seen", "body"),
    e.CommentDeleted: ("comment",),
    e.CommentErased: ("comment",),
    e.PersonErased: ("person",),
    e.CommentRemoved: ("comment", "reason"),
    e.CommentRestored: ("comment", "cancels", "seen"),
    e.CommentHeld: ("comment", "reason"),
    e.CommentApproved: ("comment", "cancels", "seen"),
    e.CommentReported: ("comment", "seen", "reason"),
    e.ReportsResolved: ("comment", "cancels"),
    e.SpoilerMarked: ("comment",),
    e.SpoilerCleared: ("comment", "cancels"),
    e.CommentPinned: ("comment",),
    e.CommentUnpinned: ("comment", "cancels"),
    e.ReactionGiven: ("comment", "kind"),
    e.ReactionWithdrawn: ("comment", "kind"),
    e.ThreadLocked: ("reason",),
    e.ThreadUnlocked: ("cancels",),
    e.ThreadDescribed: ("url", "article_version", "title"),
    e.CorrectionSuggested: ("article_version", "quote", "suggestion", "note"),
    e.CorrectionDecided: ("correction", "outcome", "note"),
}

_encoder = Encoder(order="deterministic")
_decoder = Decoder()
_raw_decoder = Decoder(list[Raw])
_list_decoder = Decoder(list)
_lists_decoder = Decoder(list[list[Any]])

Values = list[Any]


# --- fields -------------------------------------------------------------------------------------------------------------------


def _bytes_or_nil(id: str | None) -> bytes | None:
    return None if id is None else to_bytes(id)


def _id_or_none(value: Any) -> str | None:
    return None if value is None else from_bytes(value)


def _several_bytes(ids: tuple[str, ...]) -> list[bytes]:
    return [to_bytes(id) for id in ids]


def _several_ids(value: Any) -> tuple[str, ...]:
    if type(value) is not list or value != sorted(set(value)):
        raise ValueError("several ids must be an array, sorted and without repeats")
    return tuple(map(from_bytes, value))


def _actor(value: Any) -> Actor | None:
    if value is None:
        return None
    if type(value) is not list or len(value) != 3:
        raise ValueError("an actor must be nil or an array of id, name and role")
    return _shared_actor(*value)


#: A thread has far fewer people than events, so most actors of a replay are shared.
_shared_actor = lru_cache(maxsize=4096)(Actor)


def _quote(value: Any) -> TextQuote:
    if type(value) is not list or len(value) != 4:
        raise ValueError("a quote must be an array of exact, prefix, suffix and start")
    return TextQuote(*value)


def _meta(value: Any) -> Any:
    if value == {}:
        raise ValueError("a meta without items must be nil")
    return value


#: What MessagePack cannot write as it is.
_TO_WIRE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "id": to_bytes,
    "comment": to_bytes,
    "parent": _bytes_or_nil,
    "seen": to_bytes,
    "correction": to_bytes,
    "cancels": _several_bytes,
}

#: What MessagePack cannot read as it is. Each refuses all but the one form in which the field is written.
_FROM_WIRE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "id": from_bytes,
    "actor": _actor,
    "comment": from_bytes,
    "parent": _id_or_none,
    "seen": from_bytes,
    "correction": from_bytes,
    "cancels": _several_ids,
    "quote": _quote,
    "meta": _meta,
}


@frozen
class _Plan:
    """
    How an event of one kind becomes the values of a record, and back: `FIELDS` and the two tables above, worked out once.

    Args:
        kind: The class.
        head: The values that come before the fields.
        names: The fields.
        get: Reads all of them from an event.
        write: Position in the record and conversion of the fields in `_TO_WIRE`.
        read: The conversion of each field; None if it has none.
        defaults: What is left out at the end of a record, by position; NODEFAULT for what is always written.
        least: How many values are always written.
    """

    kind: type[e.Event]
    head: tuple[Any, ...]
    names: tuple[str, ...]
    get: Callable[[e.Event], tuple[Any, ...]]
    write: tuple[tuple[int, Callable[[Any], Any]], ...]
    read: tuple[Callable[[Any], Any] | None, ...]
    defaults: tuple[Any, ...]
    least: int


def _plan(kind: type[e.Event], head: tuple[Any, ...], names: tuple[str, ...]) -> _Plan:
    # An event that exists has a `seen`, so its default is never written and never left out.
    default = {field.name: field.default for field in fields(kind)} | {"cancels": [], "seen": NODEFAULT}
    defaults = [NODEFAULT] * _ENVELOPE + [default[name] for name in names[_ENVELOPE - len(head) :]]
    return _Plan(
        kind=kind,
        head=head,
        names=names,
        get=attrgetter(*names),
        write=tuple((index, _TO_WIRE[name]) for index, name in enumerate(names, len(head)) if name in _TO_WIRE),
        read=tuple(map(_FROM_WIRE.get, names)),
        defaults=tuple(defaults),
        least=max(index for index, value in enumerate(defaults, 1) if value is NODEFAULT),
    )


_ENVELOPE: Final = 5  # kind, schema, id, thread, actor
_BY_TAG: Final[Mapping[str, _Plan]] = {
    tag: _plan(kind, (tag, SCHEMA), ("id", "thread", "actor", *names))
    for kind, names in FIELDS.items()
    for tag in [str(kind.__struct_config__.tag)]
}
_UNKNOWN: Final = _plan(e.UnknownEvent, (), ("kind", "schema", "id", "thread", "actor"))
_BY_KIND: Final[Mapping[type[e.Event], _Plan]] = {plan.kind: plan for plan in (*_BY_TAG.values(), _UNKNOWN)}


# --- encoding -----------------------------------------------------------------------------------------------------------------


def encode(event: e.Event) -> bytes:
    """
    Return the canonical bytes of *event*.

    Raises:
        TypeError: *event* is of no kind in the registry.

    Complexity: O(size of the event).
    """
    values_of = _QUICK_VALUES.get(type(event))
    if values_of is not None and not event.extra:
        return _encoder.encode(values_of(event))
    plan = _BY_KIND.get(type(event))
    if plan is None:
        raise TypeError(f"{type(event).__name__} is no kind of event")
    values = [*plan.head, *plan.get(event)]
    for index, to_wire in plan.write:
        values[index] = to_wire(values[index])
    if event.extra:
        values.extend(map(Raw, event.extra))
    else:
        while values[-1] == plan.defaults[len(values) - 1]:
            values.pop()
    return _encoder.encode(values)


# The values of the kinds that nearly all events are of, written out: it takes half of the time.


def _values_of_post(event: e.CommentPosted) -> Sequence[Any]:
    parent = None if event.parent is None else to_bytes(event.parent)
    values = (
        _POSTED,
        SCHEMA,
        to_bytes(event.id),
        event.thread,
        event.actor,
        parent,
        event.spoiler,
        event.held,
        event.at,
        event.body,
    )
    return values if event.meta is None else (*values, event.meta)


def _values_of_reaction(event: e.ReactionGiven) -> Sequence[Any]:
    values = (_GIVEN, SCHEMA, to_bytes(event.id), event.thread, event.actor, to_bytes(event.comment))
    return values if event.kind == SUPPORT else (*values, event.kind)


_POSTED: Final = "comment.posted"
_GIVEN: Final = "reaction.given"
_QUICK_VALUES: Final[Mapping[type[e.Event], Callable[[Any], Sequence[Any]]]] = {
    e.CommentPosted: _values_of_post,
    e.ReactionGiven: _values_of_reaction,
}


# --- decoding -----------------------------------------------------------------------------------------------------------------


def decode(data: bytes, *, position: int | None = None) -> e.Event:
    """
    Return the event that *data* encodes; *position* is named in errors.

    Raises:
        CorruptRecord: *data* is no canonical record.
        UnsupportedSchema: A newer release wrote it and changed the meaning of a known kind.
        UpcastFailed: It has an old schema and cannot be lifted.

    Complexity: O(len(data)).
    """
    try:
        return _decode(data)
    except (MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise CorruptRecord(position, _why(error)) from error


def glance(data: bytes) -> list[Any]:
    """
    Return the values of a record, unchecked: of one that has been decoded before, and has not changed since.

    Raises:
        CorruptRecord, UnsupportedSchema, UpcastFailed: as for `decode`, of what is no array, or of another schema.
    """
    try:
        values = _list_decoder.decode(data)
        return values if values[1:2] == [SCHEMA] else _list_decoder.decode(encode(decode(data)))
    except (MsgspecError, ValueError, RecursionError) as error:
        raise CorruptRecord(None, _why(error)) from error


def glances(several: Sequence[bytes]) -> list[list[Any]]:
    """Return the values of several records at once; as for `glance`."""
    try:
        joined = _lists_decoder.decode(b"\xdd" + len(several).to_bytes(4, "big") + b"".join(several))  # an array of arrays
    except (MsgspecError, ValueError, RecursionError):
        joined = []
    if all(values[1:2] == [SCHEMA] for values in joined) and len(joined) == len(several):
        return joined
    return list(map(glance, several))


def shared_actor(value: list[Any] | None) -> Actor | None:
    """Return the actor that a value of `glance` stands for."""
    return None if value is None else _shared_actor(*value)


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


def _decode(data: bytes) -> e.Event:
    values = _values(data)
    plan = _BY_TAG.get(values[0], _UNKNOWN)
    if values[1] != SCHEMA and plan is not _UNKNOWN:
        return _decode_old(plan, values, data)
    if len(values) < plan.least:
        raise ValueError(_MISSING)
    if len(values) > len(plan.defaults):
        return _decode_with_extra(plan, values, data)
    if values[-1] == plan.defaults[len(values) - 1] or _encoder.encode(values) != data:
        raise ValueError(_NOT_CANONICAL)
    quick = _QUICK.get(values[0])
    return _event(plan, values) if quick is None else quick(*values)


def _values(data: bytes) -> Values:
    try:
        values = _decoder.decode(data)
    except (MsgspecError, ValueError, RecursionError):
        values = [_readable(raw) for raw in _raw_decoder.decode(data)]
    if type(values) is not list or len(values) < _ENVELOPE or type(values[0]) is not str or type(values[1]) is not int:
        raise ValueError("it is no array of kind, schema, id, thread, actor and fields")
    return values


def _readable(raw: Raw) -> Any:
    """Leave what cannot be read as it came: a newer release may have written it."""
    try:
        return _decoder.decode(raw)
    except (MsgspecError, ValueError, RecursionError):
        return raw


def _event(plan: _Plan, values: Values, extra: tuple[bytes, ...] = ()) -> e.Event:
    fields: dict[str, Any] = {"extra": extra}
    for name, read, value in zip(plan.names, plan.read, values[len(plan.head) :], strict=False):
        fields[name] = value if read is None else read(value)
    return plan.kind(**fields)


def _decode_with_extra(plan: _Plan, values: Values, data: bytes) -> e.Event:
    known = len(plan.defaults)
    event = _event(plan, values[:known], tuple(map(bytes, _raw_decoder.decode(data)[known:])))
    if encode(event) != data:
        raise ValueError(_NOT_CANONICAL)
    return event


def _decode_old(plan: _Plan, values: Values, data: bytes) -> e.Event:
    tag, schema = values[0], values[1]
    if schema > SCHEMA:
        raise UnsupportedSchema(f"a {tag!r}", schema, SCHEMA)
    if _encoder.encode(values) != data:
        raise ValueError(_NOT_CANONICAL)
    lifted = [*values[:_ENVELOPE], *_lift(tag, schema, values[_ENVELOPE:])]
    if len(lifted) < plan.least:
        raise ValueError(_MISSING)
    if len(lifted) > len(plan.defaults):
        raise ValueError(f"it has more fields than a {tag!r} of schema {schema}")
    return _event(plan, lifted)


# What `_event` does, written out for the kinds that nearly all events are of: it takes a fifth off.


def _post(
    _tag: str, _schema: int, id: Any, thread: Any, actor: Any,
    parent: Any, spoiler: Any, held: Any, at: Any, body: Any, meta: Any = None,
) -> e.CommentPosted:  # fmt: skip
    return e.CommentPosted(
        id=from_bytes(id),
        thread=thread,
        actor=_actor(actor),
        parent=None if parent is None else from_bytes(parent),
        spoiler=spoiler,
        held=held,
        at=at,
        body=body,
        meta=None if meta is None else _meta(meta),
    )


def _reaction(_tag: str, _schema: int, id: Any, thread: Any, actor: Any, comment: Any, kind: Any = SUPPORT) -> e.ReactionGiven:
    return e.ReactionGiven(id=from_bytes(id), thread=thread, actor=_actor(actor), comment=from_bytes(comment), kind=kind)


_QUICK: Final[Mapping[str, Callable[..., e.Event]]] = {_POSTED: _post, _GIVEN: _reaction}
_NOT_CANONICAL: Final = "it is not in canonical form"
_MISSING: Final = "fields are missing"


# --- old schemas --------------------------------------------------------------------------------------------------------------


def _opened_before_seen(fields: Values) -> Values:
    """
    Add which text an approval or a restore was about, which schema 0 did not say.

    The safe reading is the comment as it was first posted: an edit made since then is not taken as approved.
    """
    comment, cancels = fields if len(fields) > 1 else [*fields, []]
    return [comment, cancels, comment]


def _reported_before_seen(fields: Values) -> Values:
    """Add which text a report was about, likewise."""
    comment, reason = fields if len(fields) > 1 else [*fields, ""]
    return [comment, comment, reason]


#: (kind, schema) -> the step that lifts the fields to schema + 1. A kind that is not named needed no change.
UPCASTERS: Final[Mapping[tuple[str, int], Callable[[Values], Values]]] = {
    ("comment.approved", 0): _opened_before_seen,
    ("comment.restored", 0): _opened_before_seen,
    ("comment.reported", 0): _reported_before_seen,
}


def _lift(kind: str, schema: int, fields: Values) -> Values:
    if schema < 0:
        raise ValueError(f"there is no schema {schema}")
    for step in range(schema, SCHEMA):
        upcast = UPCASTERS.get((kind, step))
        if upcast is None:
            continue
        try:
            fields = upcast(fields)
        except (TypeError, ValueError) as error:
            raise UpcastFailed(kind, step, _why(error)) from error
    return fields
