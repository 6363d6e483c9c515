"""
What a large thread shows at first, ready-made: who asks a cold store for it need not wait for the thread.

A front is the answer to one question that anybody may ask, such as the first page in one order. It is of one revision of its
thread, and of one question, one fold and one set of rules, which its fingerprint names. Once the thread has another revision it
is not shown any more. Like a snapshot it is a shortcut and nothing more: one that can not be read is as good as none. It holds
words, which an erasure drops with it. It has no seal of its own, since a log hands out none that is damaged.

What one reader alone is shown is never kept, nor what only the present moment makes.

Law: a front is what the thread answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import fields

from threadstore.log.protocol import EventLog, Revision, Snapshot
from threadstore.model.events import Actor, TextQuote
from threadstore.model.policy import Policy, Rules
from threadstore.snapshots import FINGERPRINT, digest_of
from threadstore.summaries import fingerprint as fold_of
from threadstore.views.thread import Thread
from threadstore.views.types import CommentView, CorrectionView, Counts, ListView, Mention, ThreadView

__all__ = ["KINDS", "MAX_FRONT", "Front", "Question", "ask", "find", "fingerprint", "keep", "pack", "question", "unpack"]

#: A front of more bytes is not kept.
MAX_FRONT: Final = 1 << 20
#: Raised by hand when views say something else than before, in a way that neither their fields nor the fold show.
_FORM: Final = 1

#: The methods of a thread whose answers are kept, each with what it answers with.
KINDS: Final[Mapping[str, Any]] = {
    "view": ThreadView,
    "flat": ListView,
    "counts": Counts,
    "corrections": tuple[CorrectionView, ...],
}

_SHAPES: Final = [
    (shape.__name__, [(field.name, str(field.type)) for field in fields(shape)])
    for shape in (ThreadView, ListView, CommentView, CorrectionView, Counts, Mention, Actor, TextQuote)
]
_PLAIN: Final = frozenset({str, int, bool, type(None)})
_encode: Final = msgspec.msgpack.Encoder().encode
_decoders: Final = {kind: msgspec.msgpack.Decoder(shape).decode for kind, shape in KINDS.items()}


class Question(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    What anybody may ask of a thread.

    Args:
        kind: A method of the thread; one of `KINDS`.
        how: Its arguments by name, in the order of the names, without the policy.
    """

    kind: str
    how: tuple[tuple[str, str | int | bool | None], ...]

    @property
    def words(self) -> bytes:
        """The question as bytes, which tell True from 1 as equality does not."""
        return _encode(self)


class _Stored(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    asked: Question
    answer: msgspec.Raw


_decode: Final = msgspec.msgpack.Decoder(_Stored).decode


def question(kind: str, how: Mapping[str, Any]) -> Question | None:
    """Return the question that a method of a thread is asked; None for one whose answer is not kept."""
    if how.get("reader") is not None or how.get("after") is not None or how.get("order") == "hot":
        return None
    told = {name: None if value == () else value for name, value in how.items()}
    if told.get("reveal") not in (None, "all") or not all(type(value) in _PLAIN for value in told.values()):
        return None
    return Question(kind, tuple(sorted(told.items())))


def fingerprint(rules: Rules, asked: Question) -> str:
    """Name the question, the fold, the rules, and the shape of what is shown."""
    return digest_of(_FORM, FINGERPRINT, fold_of(rules), _SHAPES, asked.kind, asked.how)


def ask(thread: Thread, asked: Question, policy: Policy) -> Any:
    """Return what a thread answers."""
    how = {name: () if name == "reveal" and value is None else value for name, value in asked.how}
    return getattr(thread, asked.kind)(**how, policy=policy)


class Front(NamedTuple):
    """
    An answer that is ready to be shown.

    Args:
        revision: The thread's revision that it is of.
        size: How many bytes it came as.
        answer: What the thread answers.
    """

    revision: int
    size: int
    answer: Any


def find(log: EventLog, key: str, rules: Rules, asked: Question, revision: int) -> Front | None:
    """Return the front that the log keeps of a thread at this revision, if it has one. Complexity: O(answer)."""
    for kept in log.fronts(key, fingerprint(rules, asked)):
        found = unpack(kept.state)
        if kept.revision == revision and found is not None and found[0] == asked:
            return Front(revision, len(kept.state), found[1])
    return None


def keep(log: EventLog, key: str, rules: Rules, asked: Question, revision: int, answer: Any) -> None:
    """Let the log keep what a thread at this revision answers, unless that is too large. Complexity: O(answer)."""
    if (state := pack(asked, answer)) is not None:
        log.store_front(key, Snapshot(fingerprint(rules, asked), Revision(revision), state))


def pack(asked: Question, answer: Any) -> bytes | None:
    """Return the answer to a question as bytes; None if it is too large to be kept. Complexity: O(answer)."""
    state = _encode(_Stored(asked, msgspec.Raw(_encode(answer))))
    return state if len(state) <= MAX_FRONT else None


def unpack(state: bytes) -> tuple[Question, Any] | None:
    """Return what `pack` was given, or None if *state* can not be read. Complexity: O(answer)."""
    try:
        stored = _decode(state)
        return stored.asked, _decoders[stored.asked.kind](stored.answer)
    except (msgspec.MsgspecError, ValueError, RecursionError, KeyError):
        return None
