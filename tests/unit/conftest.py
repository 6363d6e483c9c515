"""What the tests of the store share: where it lives, and what time it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from threadstore.testing.given import THREAD, moment

if TYPE_CHECKING:
    from threadstore import StoredThread, ThreadStore
    from threadstore.testing.places import Place, Wall


@pytest.fixture
def wall() -> Wall:
    """Return the clock on the wall."""
    from threadstore.testing.places import Wall

    return Wall()


@pytest.fixture(params=["memory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path, wall: Wall) -> Iterator[Place]:
    """Return where stores keep their events: in memory, in a file."""
    from threadstore.testing.places import Place

    path = None if request.param == "memory" else tmp_path / "comments.db"
    with Place(path, wall=wall) as place:
        yield place


@pytest.fixture
def later(place: Place) -> Place:
    """Return a place whose clock is past the whole story."""
    place.wall.ms = moment(10_000)
    return place


@pytest.fixture
def store(place: Place) -> ThreadStore:
    """Return a store without events."""
    return place.open()


@pytest.fixture
def article(store: ThreadStore) -> StoredThread:
    """Return a thread without events."""
    return store.thread(THREAD)
