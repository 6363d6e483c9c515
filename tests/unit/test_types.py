"""The values that readers get: they go to JSON and into caches as they are, and nobody changes them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from typing import Any

import msgspec
import pytest

from threadstore.views.types import CONCEALMENTS, SPOILER_NOTICE, Counts, FrozenDict

FROZEN: FrozenDict[str, int] = FrozenDict({"support": 2, "joy": 1})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda counts: counts.__setitem__("support", 3), id="set"),
        pytest.param(lambda counts: counts.__delitem__("support"), id="delete"),
        pytest.param(lambda counts: counts.clear(), id="clear"),
        pytest.param(lambda counts: counts.pop("support"), id="pop"),
        pytest.param(lambda counts: counts.popitem(), id="popitem"),
        pytest.param(lambda counts: counts.setdefault("joy", 1), id="setdefault"),
        pytest.param(lambda counts: counts.update(joy=2), id="update"),
        pytest.param(lambda counts: counts.__ior__({"joy": 2}), id="or"),
    ],
)
def test_a_frozen_dict_cannot_be_changed(change: Callable[[dict[str, int]], Any]):
    """Every way in which a dict is changed is refused, and says what to do instead."""
    with pytest.raises(TypeError, match="views cannot be changed; make a dict of this one"):
        change(FROZEN)
    assert FROZEN == {"support": 2, "joy": 1}


def test_a_frozen_dict_is_a_dict():
    """It is read, compared, joined and encoded like one, and a dict that is made of it is the caller's own."""
    assert isinstance(FROZEN, dict)
    assert list(FROZEN) == ["support", "joy"]
    assert msgspec.json.encode(FROZEN) == b'{"support":2,"joy":1}'
    own = dict(FROZEN)
    own["support"] = 9
    assert FROZEN | {"joy": 5} == {"support": 2, "joy": 5}
    assert FROZEN["support"] == 2


def test_a_copy_of_a_frozen_dict_is_itself():
    """Nothing can tell them apart; what comes back from bytes is frozen as well."""
    assert copy(FROZEN) is FROZEN
    assert deepcopy({"a": FROZEN})["a"] is FROZEN
    back = pickle.loads(pickle.dumps(FROZEN))
    assert (type(back), back) == (FrozenDict, FROZEN)


def test_counts_of_nothing():
    """A thread without comments counts none of any kind."""
    assert Counts() == Counts(top_level=0, replies=0, total=0, pending=0, hidden=0)


def test_a_notice_for_spoilers():
    """The words of the page that this began with are what a reader is asked, and a spoiler conceals last of all."""
    assert SPOILER_NOTICE == "This comment contains spoilers. Click here if you want to read."
    assert CONCEALMENTS[-1] == "spoiler"
