"""What may be asked for, and what is refused before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from threadstore.model.ranking import ORDERS
from threadstore.testing.given import ANN, MODERATOR, id_of
from threadstore.views.request import MAX_REVEAL, PageRequest, check_bounds, reader_of, revealed


def test_what_is_asked_for_by_default():
    """The first page of the oldest, as the public sees it."""
    request = PageRequest()
    assert (request.order, request.limit, request.after, request.reader, request.reveal) == (
        "oldest",
        20,
        None,
        None,
        frozenset(),
    )
    assert (request.replies, request.depth, request.rows, request.pinned, request.now, request.context) == (
        3,
        8,
        200,
        False,
        None,
        0,
    )


def test_equal_requests_are_one():
    """An answer can be remembered under a request: however the revealed are told, equal ones have one hash."""
    one = PageRequest(reveal=[id_of(2), id_of(1), id_of(2)], reader=ANN)
    other = PageRequest(reveal={id_of(1), id_of(2)}, reader=ANN)
    assert (one, hash(one)) == (other, hash(other))
    assert len({one, other, PageRequest(reader=ANN), PageRequest(reader="ann"), PageRequest()}) == 4


def test_a_request_stays_as_it_was_made():
    """It cannot be changed, nor can what it was made of change it."""
    opened = {id_of(1)}
    request = PageRequest(reveal=opened)
    opened.add(id_of(2))
    assert request.reveal == {id_of(1)}
    with pytest.raises(AttributeError):
        request.limit = 5


@pytest.mark.parametrize(
    ("field", "value", "error", "told"),
    [
        ("order", "random", ValueError, "order must be one of oldest, newest"),
        ("order", None, ValueError, "order must be one of"),
        ("order", "x" * 1_000, ValueError, r"not 'x{79}$"),
        ("limit", 0, ValueError, "limit must be from 1 to 10000, not 0"),
        ("limit", 10_001, ValueError, "limit must be from"),
        ("replies", -1, ValueError, "replies must be from 0 to 10000"),
        ("depth", 201, ValueError, "depth must be from 0 to 200"),
        ("rows", 0, ValueError, "rows must be from 1 to 100000"),
        ("context", 101, ValueError, "context must be from 0 to 100"),
        ("limit", True, TypeError, "limit must be an int, not bool"),
        ("rows", None, TypeError, "rows must be an int, not NoneType"),
        ("pinned", 1, TypeError, "pinned must be a bool, not int"),
        ("now", -1, ValueError, "now must be"),
        ("now", 1.5, TypeError, "now must be an int"),
        ("reader", 7, TypeError, "reader must be an Actor, an id or None, not int"),
        ("reader", "", ValueError, "an actor's id must not be empty"),
        ("reader", "ann@example.org", ValueError, "must be opaque"),
        ("reveal", id_of(1), ValueError, "reveal must be 'all' or a collection of ids, not '018bcfe5"),
        ("reveal", None, TypeError, "NoneType"),
        ("reveal", 7, TypeError, "int"),
        ("reveal", [[]], TypeError, "unhashable"),
    ],
)
def test_what_is_refused(field: str, value: Any, error: type[Exception], told: str):
    """A field of the wrong type or out of range is refused by its name when the request is made."""
    with pytest.raises(error, match=told):
        PageRequest(**{field: value})


@pytest.mark.parametrize(
    "fields",
    [
        *({"order": order} for order in ORDERS),
        {"limit": 1, "replies": 0, "depth": 0, "rows": 1, "context": 0, "now": 0},
        {"limit": 10_000, "replies": 10_000, "depth": 200, "rows": 100_000, "context": 100, "pinned": True},
    ],
)
def test_what_is_allowed(fields: dict[str, Any]):
    """Each bound belongs to what is allowed."""
    request = PageRequest(**fields)
    assert {name: getattr(request, name) for name in fields} == fields


def test_who_looks():
    """An actor with their role, or an id, for which an actor without a name stands; nobody is nobody."""
    assert reader_of(MODERATOR) is MODERATOR
    assert (reader_of("ann").id, reader_of("ann").name) == ("ann", "")
    assert reader_of(None) is None


def test_what_is_revealed():
    """Any collection of ids, up to so many, or everything, for which None stands."""
    assert revealed("all") is None
    assert revealed([]) == revealed(()) == frozenset()
    assert revealed({"a": 1, "b": 2}) == {"a", "b"}
    many = list(map(str, range(MAX_REVEAL)))
    assert len(revealed(many)) == MAX_REVEAL
    with pytest.raises(ValueError, match=f"names {MAX_REVEAL + 1} comments where {MAX_REVEAL} are allowed"):
        revealed([*many, "x"])


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (6, ValueError), (True, TypeError), ("3", TypeError)])
def test_a_bound(value: Any, error: type[Exception]):
    """It is an int between the least and the most, both allowed."""
    check_bounds("size", 1, 1, 5)
    check_bounds("size", 5, 1, 5)
    with pytest.raises(error, match="size must be"):
        check_bounds("size", value, 1, 5)
