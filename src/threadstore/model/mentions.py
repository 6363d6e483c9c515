"""
Who is addressed: ``@Name`` in a body, matched against the names used in the thread.

The rules:

- A name is what an actor was called in a comment with a smaller id: nobody is addressed before
  they have spoken. Names are compared exactly, without folding case or normalising. They may
  hold anything: spaces, dots, commas, quotes, ``@``.
- A match starts after no letter or digit, so an e-mail address addresses nobody. It ends before
  no letter or digit, and before no combining mark: "@Ann Leeds" is not Ann Lee, and "@Rene"
  followed by an accent is not Rene.
- One name may be the start of another. The longest that ends properly wins.
- Of several actors with one name it is the parent's author, then that of the nearest ancestor
  (the thousand nearest are looked at), then the latest speaker.
- Matches do not overlap; the search goes on behind a match.
- The first thousand ``@`` of a text that could begin a mention are looked at.

How it is done. `calls` finds in a body all that could be a name, given the lengths of the names
in the thread: a handful for each ``@``. Whoever keeps the names (`Names` in memory, a table in a
database) says of each candidate who used it, as `Use`. `resolve` chooses. So names are looked up
by equality alone, a hash is enough to keep of each, and one algorithm serves every storage.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple
from unicodedata import category

from msgspec import Struct

from threadstore.model.values import Actor, actor_key

__all__ = ["MAX_ABOVE", "MAX_CALLS", "Call", "Mention", "Names", "Use", "calls", "is_name", "resolve"]

#: How many ``@`` of one text are looked at.
MAX_CALLS: Final = 1_000
#: How far up a name that several have is looked for. A page of a deep chain would else cost its rows times its depth.
MAX_ABOVE: Final = 1_000

#: Returns the keys (`Use.key`) of the authors above a comment, the parent's first.
Above = Callable[[], Iterable[int]]


class Mention(Struct, frozen=True):
    """``body[start:end]`` addresses the actor with this id; the span begins at the ``@``."""

    start: int
    end: int
    actor: str


class Call(NamedTuple):
    """An ``@`` and all that could be a name behind it, the longest first."""

    start: int
    names: tuple[str, ...]


class Use(NamedTuple):
    """That an actor used a name in comments below a text: their id and key, and the last of the comments."""

    actor: str
    key: int
    last: str


def is_name(name: str) -> bool:
    """Return whether somebody can be addressed by *name*: nobody can by white space."""
    return bool(name.strip())


def calls(body: str, lengths: Collection[int]) -> list[Call]:
    """
    Return what could be a mention in *body*.

    Args:
        body: The text.
        lengths: The lengths of the names in the thread.

    Complexity: O(len(body)), and O(lengths) for each ``@``.
    """
    found: list[Call] = []
    longest_first = sorted(lengths, reverse=True)
    looked, at = 0, body.find("@")
    while at >= 0 and looked < MAX_CALLS:
        if not body[at - 1 : at].isalnum():
            looked += 1
            start, most = at + 1, len(body) - at - 1
            names = tuple(
                body[start : start + length]
                for length in longest_first
                if length <= most and _may_end(body[start + length : start + length + 1])
            )
            if names:
                found.append(Call(at, names))
        at = body.find("@", at + 1)
    return found


def resolve(found: Iterable[Call], uses: Mapping[str, Collection[Use]], above: Above) -> tuple[Mention, ...]:
    """
    Return the mentions among *found*, in their order; offsets are in characters (code points).

    Args:
        found: What `calls` found in the text.
        uses: Who used each name in comments below the text; names that nobody used may be missing.
        above: Called, once at most, where several actors have one name.

    Complexity: O(candidates), and O(ancestors) where a name is several actors'.
    """
    mentions: list[Mention] = []
    speakers: dict[str, str] = {}
    authors: list[int] | None = None
    behind = 0
    for start, names in found:
        name = next((name for name in names if uses.get(name)), None)
        if start < behind or name is None:
            continue
        if name not in speakers:
            if authors is None and len(uses[name]) > 1:
                authors = list(above())
            speakers[name] = _speaker(uses[name], authors or ())
        behind = start + 1 + len(name)
        mentions.append(Mention(start, behind, speakers[name]))
    return tuple(mentions)


def _speaker(uses: Collection[Use], authors: Iterable[int]) -> str:
    """Return whom a name means: the nearest author above who used it, else whoever spoke last."""
    known = {use.key: use.actor for use in uses}
    nearest = next((known[author] for author in authors if author in known), None)
    return max(uses, key=lambda use: use.last).actor if nearest is None else nearest


def _may_end(following: str) -> bool:
    """Return whether a name may end before *following*: no letter, digit or combining mark, or the end of the body."""
    return not following or not (following.isalnum() or category(following).startswith("M"))


class Names:
    """
    The names used in a thread, by the comments that use them, in memory.

    What `find` answers depends on the names that are in, never on the order in which they came.

    >>> names = Names()
    >>> names.add("01", Actor("u-17", "Ann Lee"))
    >>> names.find("@Ann Lee, same here.", comment="02", above=list)
    (Mention(start=0, end=8, actor='u-17'),)
    """

    __slots__ = ("_actors", "_lengths", "_uses")

    def __init__(self) -> None:
        self._actors: dict[str, Actor] = {}
        #: For each name and each actor who used it, the comments, in order.
        self._uses: dict[str, dict[str, list[str]]] = {}
        self._lengths = Counter[int]()

    def __len__(self) -> int:
        return len(self._uses)

    def add(self, id: str, actor: Actor | None) -> None:
        """
        Note that the comment *id* was written by *actor*, in place of whom it was noted for before.

        Anonymous actors, and names of nothing but white space, are not kept.

        Complexity: O(1) for comments that come in order; O(log n) and a move of memory for others.
        """
        if actor is not None and self._actors.get(id) == actor:
            return
        self.discard(id)
        if actor is None or not is_name(actor.name):
            return
        self._actors[id] = actor
        users = self._uses.get(actor.name)
        if users is None:
            users = self._uses[actor.name] = {}
            self._lengths[len(actor.name)] += 1
        insort(users.setdefault(actor.id, []), id)

    def discard(self, id: str) -> None:
        """Forget the name that the comment *id* used, if any: it was erased. Complexity: O(log n), and a move of memory."""
        actor = self._actors.pop(id, None)
        if actor is None:
            return
        users = self._uses[actor.name]
        ids = users[actor.id]
        del ids[bisect_left(ids, id)]
        if not ids:
            del users[actor.id]
        if not users:
            del self._uses[actor.name]
            self._lengths -= Counter({len(actor.name): 1})

    def uses(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield each name with each actor who used it and the comments that did, in order; not to be changed."""
        for name, users in self._uses.items():
            for actor, ids in users.items():
                yield name, actor, ids

    def find(self, body: str, *, comment: str, above: Above) -> tuple[Mention, ...]:
        """
        Return the mentions in *body*, in their order.

        Args:
            body: The text.
            comment: The id of the text; only names used by smaller ids count.
            above: As for `resolve`.

        Complexity: O(len(body)), and O(lengths of names) for each ``@``.
        """
        found = calls(body, self._lengths) if "@" in body else []
        names = {name for call in found for name in call.names if name in self._uses}
        return resolve(found, {name: self._before(name, comment) for name in names}, above) if names else ()

    def _before(self, name: str, comment: str) -> list[Use]:
        uses = ((actor, ids, bisect_left(ids, comment)) for actor, ids in self._uses[name].items())
        return [Use(actor, actor_key(actor), ids[place - 1]) for actor, ids, place in uses if place]
