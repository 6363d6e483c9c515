"""Errors are one tree, drawn in the module's docstring; each carries data, survives pickling, and says what to do next."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable

import pytest

from threadstore import errors
from threadstore.errors import (
    BodyTooLong,
    ClockSkew,
    CommentIsGone,
    CommentNotFound,
    ConflictingEvent,
    CorrectionNotFound,
    CorruptRecord,
    DataError,
    DuplicateComment,
    EditWindowClosed,
    EmptyBody,
    InvalidCursor,
    MergeRefused,
    NotAllowed,
    NotTheAuthor,
    RefusedByScreen,
    Rejected,
    StaleId,
    StoreClosed,
    StoreError,
    StoreFull,
    StoreUnavailable,
    ThreadIsClosed,
    ThreadIsLocked,
    ThreadStoreError,
    TooManyPosts,
    UnknownReaction,
    UnsafeText,
    UnsupportedSchema,
    UpcastFailed,
    WrongRevision,
)

# One error of each kind, and those with a second thing to say: its fields, and its sentence.
ERRORS: list[tuple[ThreadStoreError, dict[str, object], str]] = [
    (
        CommentNotFound("t", "c1"),
        {"thread": "t", "comment": "c1"},
        "thread 't' has no comment 'c1'; check the id, it may belong to another thread",
    ),
    (
        CorrectionNotFound("t", "c1"),
        {"thread": "t", "correction": "c1"},
        "thread 't' has no correction 'c1'; list them with corrections()",
    ),
    (
        NotTheAuthor("c1", "u-1"),
        {"comment": "c1", "actor": "u-1"},
        "'u-1' did not write 'c1'; only its author or a moderator may do this",
    ),
    (
        NotTheAuthor("c1", None),
        {"comment": "c1", "actor": None},
        "an anonymous actor did not write 'c1'; only its author or a moderator may do this",
    ),
    (
        NotAllowed("lock", "u-1", "reader"),
        {"command": "lock", "actor": "u-1", "role": "reader"},
        "'lock' is not allowed to 'u-1' as reader; the application decides who has which role",
    ),
    (
        NotAllowed("lock", None, None),
        {"command": "lock", "actor": None, "role": None},
        "'lock' is not allowed to an anonymous actor; the application decides who has which role",
    ),
    (ThreadIsLocked("t"), {"thread": "t"}, "thread 't' is locked; a moderator may unlock it"),
    (
        ThreadIsClosed("t", 5),
        {"thread": "t", "closed_at": 5},
        "thread 't' closed at 5 ms; Policy.closes_after sets how long threads stay open",
    ),
    (
        EditWindowClosed("c1", 5),
        {"comment": "c1", "closed_at": 5},
        "comment 'c1' could be edited until 5 ms; reply to it instead",
    ),
    (
        CommentIsGone("c1", "deleted"),
        {"comment": "c1", "state": "deleted"},
        "comment 'c1' is deleted; post a new comment instead",
    ),
    (EmptyBody("body"), {"field": "body"}, "body is empty; write something"),
    (
        BodyTooLong("body", 7, 5),
        {"field": "body", "length": 7, "limit": 5},
        "body has 7 characters where 5 are allowed; shorten it",
    ),
    (
        UnsafeText("body", 3),
        {"field": "body", "index": 3},
        "body holds NUL or a lone surrogate at 3; send it as plain Unicode text",
    ),
    (
        TooManyPosts("u-1", 3, 5),
        {"actor": "u-1", "limit": 3, "retry_at": 5},
        "'u-1' has reached the limit of 3 posts in the window; try again at 5 ms",
    ),
    (
        TooManyPosts(None, 3, 5),
        {"actor": None, "limit": 3, "retry_at": 5},
        "anonymous actors have reached the limit of 3 posts in the window; try again at 5 ms",
    ),
    (DuplicateComment("c1"), {"comment": "c1"}, "the same text was just posted as 'c1'; edit that comment instead"),
    (
        UnknownReaction("+1", ["up", "down"]),
        {"kind": "+1", "offered": ("up", "down")},
        "reaction '+1' is not offered here; Policy.kinds offers up, down",
    ),
    (
        UnknownReaction("+1", []),
        {"kind": "+1", "offered": ()},
        "reaction '+1' is not offered here; Policy.kinds offers none",
    ),
    (RefusedByScreen("post"), {"command": "post"}, "the application's screen refused this 'post'; change the text"),
    (StaleId("i1", "i2"), {"id": "i1", "floor": "i2"}, "id 'i1' is not above 'i2'; mint a new id for a new event"),
    (
        WrongRevision("t", 0, 9),
        {"thread": "t", "expected": 0, "actual": 9},
        "thread 't' is at revision 9, not 0; read it again and decide anew",
    ),
    (ConflictingEvent("i1"), {"id": "i1"}, "another fact already bears the id 'i1'; mint a new id"),
    (
        ClockSkew("i1", 5),
        {"id": "i1", "retry_at": 5},
        "id 'i1' is too far in the future; check the clock of its writer, or offer it again at 5 ms",
    ),
    (
        MergeRefused(2, []),
        {"new": 2, "refused": ()},
        "events refused: 0, stored: 2",
    ),
    (StoreClosed("x.db"), {"target": "x.db"}, "the store 'x.db' is closed; open it again"),
    (
        StoreUnavailable("x.db", "no such folder"),
        {"target": "x.db", "why": "no such folder"},
        "the store 'x.db' is not available: no such folder",
    ),
    (StoreFull("x.db"), {"target": "x.db"}, "no room left for the store 'x.db'; make room and repeat the call"),
    (
        CorruptRecord(7, "it is empty"),
        {"position": 7, "why": "it is empty"},
        "the record at position 7 cannot be read: it is empty; run verify, and restore it from a backup",
    ),
    (
        CorruptRecord(None, "it is empty"),
        {"position": None, "why": "it is empty"},
        "a record cannot be read: it is empty; run verify, and restore it from a backup",
    ),
    (
        UnsupportedSchema("the store", 3, 1),
        {"what": "the store", "found": 3, "supported": 1},
        "the store has schema 3, this release reads up to 1; install a newer threadstore",
    ),
    (
        UpcastFailed("comment.posted", 0, "no body"),
        {"kind": "comment.posted", "schema": 0, "why": "no body"},
        "a 'comment.posted' of schema 0 cannot be lifted: no body; run verify to find such records",
    ),
    (
        InvalidCursor("it is empty"),
        {"why": "it is empty"},
        "the cursor does not fit: it is empty; start again from the first page",
    ),
]

# The codes are what programs compare: once released, a code is never changed or given to another error.
CODES = {
    "rejected": Rejected,
    "body_too_long": BodyTooLong,
    "comment_is_gone": CommentIsGone,
    "comment_not_found": CommentNotFound,
    "correction_not_found": CorrectionNotFound,
    "duplicate_comment": DuplicateComment,
    "edit_window_closed": EditWindowClosed,
    "empty_body": EmptyBody,
    "not_allowed": NotAllowed,
    "not_the_author": NotTheAuthor,
    "refused_by_screen": RefusedByScreen,
    "stale_id": StaleId,
    "thread_is_closed": ThreadIsClosed,
    "thread_is_locked": ThreadIsLocked,
    "too_many_posts": TooManyPosts,
    "unknown_reaction": UnknownReaction,
    "unsafe_text": UnsafeText,
}


def family(root: type[ThreadStoreError]) -> dict[str, str | None]:
    """Return the name of each class of the tree under *root*, and of its parent."""
    tree: dict[str, str | None] = {root.__name__: None}
    for child in root.__subclasses__():
        tree |= family(child) | {child.__name__: root.__name__}
    return tree


def drawn(picture: str) -> dict[str, str | None]:
    """Return the same, read from a drawing with one name per line."""
    tree: dict[str, str | None] = {}
    path: list[str] = []
    for line in picture.splitlines():
        if found := re.match(r"    ((?:[│├└ ][ ─] )*)([A-Z]\w+)", line):
            depth = len(found[1]) // 3
            path[depth:] = [found[2]]
            assert found[2] not in tree, f"{found[2]} is drawn twice"
            tree[found[2]] = path[depth - 1] if depth else None
    return tree


def test_the_drawing_shows_the_tree():
    """The docstring names every error once, under its parent, and nothing else."""
    assert drawn(errors.__doc__ or "") == family(ThreadStoreError)


def test_every_exported_error_is_in_the_tree_and_the_other_way_round():
    """`__all__` is complete and sorted."""
    assert errors.__all__ == sorted(family(ThreadStoreError))


def test_every_kind_of_error_is_tried_here():
    """Nothing that can be raised escapes the table above."""
    abstract = {ThreadStoreError, Rejected, StoreError, DataError}
    assert {type(error) for error, _, _ in ERRORS} == {vars(errors)[name] for name in errors.__all__} - abstract


@pytest.mark.parametrize(("error", "fields", "sentence"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_error_carries_data_and_says_it(error: ThreadStoreError, fields: dict[str, object], sentence: str):
    """The fields are attributes and positional arguments alike, and the text states them."""
    assert vars(error) == fields
    assert error.args == tuple(fields.values())
    assert str(error) == sentence


@pytest.mark.parametrize("twin", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("error", [error for error, _, _ in ERRORS], ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_and_copying(error: ThreadStoreError, twin: Callable[[ThreadStoreError], ThreadStoreError]):
    """An error that crosses a process boundary says the same on the other side."""
    other = twin(error)
    assert type(other) is type(error)
    assert (vars(other), other.args, str(other)) == (vars(error), error.args, str(error))


@pytest.mark.parametrize("twin", [lambda error: pickle.loads(pickle.dumps(error)), copy.deepcopy])
def test_a_refused_merge_brings_the_errors_along(twin: Callable[[MergeRefused], MergeRefused]):
    """Each refusal keeps its own error; the text names the first."""
    merge = MergeRefused(2, [("i1", ClockSkew("i1", 5)), ("i2", ConflictingEvent("i2"))])
    assert str(merge) == f"events refused: 2, stored: 2; the first is 'i1': {ClockSkew('i1', 5)}"
    other = twin(merge)
    assert str(other) == str(merge)
    assert [(id, type(error), error.args) for id, error in other.refused] == [
        ("i1", ClockSkew, ("i1", 5)),
        ("i2", ConflictingEvent, ("i2",)),
    ]


def test_the_codes_are_stable_and_unique():
    """Every rejection has a code of its own, and it is the one that it always had."""
    rejections = [vars(errors)[name] for name in family(Rejected)]
    assert {error.code: error for error in rejections} == CODES
    assert len(rejections) == len(CODES)


def test_blame_is_a_base_class():
    """Whoever catches one branch does not catch another, and all are of one root."""
    assert issubclass(ThreadStoreError, Exception)
    branches = [Rejected, StoreError, DataError, InvalidCursor]
    for error, _, _ in ERRORS:
        assert [isinstance(error, branch) for branch in branches].count(True) == 1


def test_unsafe_text_is_also_a_value_error():
    """A text that no event can hold is misuse where an event is made, and a rejection where a command is decided."""
    assert issubclass(UnsafeText, ValueError)
    assert not any(isinstance(error, ValueError) for error, _, _ in ERRORS if not isinstance(error, UnsafeText))
