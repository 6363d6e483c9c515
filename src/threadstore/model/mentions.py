"""
Who is addressed: ``@Name`` in a body, matched against the names used in the thread.

The rules:

- A name is what an actor was called in a comment with a smaller id: nobody is addressed before they have spoken. Names are
  compared exactly, without folding case or normalising. They may hold anything: spaces, dots, commas, quotes, ``@``.
- A match starts after no letter or digit, so an e-mail address addresses nobody. It ends before no letter or digit, and before
  no combining mark: "@Ann Leeds" is not Ann Lee, and "@Rene" followed by an accent is not Rene.
- One name may be the start of another. The longest that ends properly wins.
- Of several actors with one name it is the parent's author, then that of the nearest ancestor (the views look at the thousand
  nearest), then the latest speaker.
- Matches do not overlap; the search goes on behind a match.

How it is done. The distinct names are one sorted list, and beside each name stands an integer: bit *k* is set when its
first *k* characters are a name, too. For the text behind an ``@``, every name that it starts with is also a start of
that name in the list which sorts last before the text (whatever sorts between a start and the text shares that start). So one
bisection finds a neighbour, and the neighbour's integer, cut where it departs from the text, holds the lengths of all
names that match, the longest in its highest bit. Mostly that one ends properly. If it does not, the places of the body where
a name may end are written down once, as a row of digits, and the stretch of it behind an ``@`` is an integer of the same kind:
so a body made of starts of names that all go on costs no more than another.

Cost, with n names and L the length of the longest: an ``@`` takes O(1) if no name begins with the character behind it, and else
O(L + log n); more names cost no more than the logarithm. A new name takes O(L + log n), a step for every longer
name that starts with it, and the shift of a list of n pointers. Memory: O(1) per comment whose author has a name, and a
short integer per name.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from operator import itemgetter
from typing import Final
from unicodedata import category

from threadstore.model.events import MAX_NAME, Actor
from threadstore.views.types import Mention

__all__ = ["Names", "Nearest", "starts_of_names"]

#: Yields the authors of a comment's ancestors, the parent's first.
Nearest = Callable[[], Iterable[Actor | None]]

#: What is neither a letter nor a digit.
_NO_WORD: Final = re.compile(r"[\W_]")


class _Uses:
    """
    The comments that use one name.

    `ids` are the comments' ids, and `first` maps each actor who uses the name to the first comment that does; both ascend.
    Comments mostly come in that order; when one does not, or one goes, the two are put in order at the next look. `told` has the
    first comment of each actor of whose comments the others are not noted here, see `Names.tell`.
    """

    __slots__ = ("first", "ids", "live", "settled", "told")

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.first: dict[str, str] = {}
        self.live = 0
        self.settled = True
        self.told: dict[str, str] = {}


class _Ancestors:
    """The authors above a comment, walked once and only as far as somebody asks."""

    __slots__ = ("_passed", "_rest")

    def __init__(self, nearest: Nearest) -> None:
        self._rest = self._walk(nearest)
        self._passed: dict[str, int] = {}

    @staticmethod
    def _walk(nearest: Nearest) -> Iterator[Actor | None]:
        yield from nearest()  # not before somebody asks

    def nearest(self, first: Mapping[str, str], before: str) -> str | None:
        """Return the nearest author who is in *first* with an id below *before*."""
        # Python walks the smaller of two key views, so that neither many actors nor many ancestors cost much.
        known = [actor for actor in self._passed.keys() & first.keys() if first[actor] < before]
        if known:
            return min(known, key=self._passed.__getitem__)
        for author in self._rest:
            if author is not None and author.id not in self._passed:
                self._passed[author.id] = len(self._passed)
                if first.get(author.id, before) < before:
                    return author.id
        return None


class _Ends:
    """The places of a body where a name may end, looked at once and only if somebody asks."""

    __slots__ = ("_body", "_digits")

    def __init__(self, body: str) -> None:
        self._body = body
        self._digits = ""

    def behind(self, start: int, most: int) -> int:
        """
        Return the lengths, up to *most*, of what stands at *start* and ends properly, as bits.

        Complexity: O(most), after O(len(body)) for the first time.
        """
        if not self._digits:
            table = {ord(character): "1" if _may_end(character) else "0" for character in set(self._body)}
            self._digits = self._body.translate(table) + "1"
        return int(self._digits[start : start + most + 1][::-1], 2)


class Names:
    """
    The names used in a thread, by the comments that use them.

    What `find` answers depends on the names that are in, never on the order in which they came.

    >>> names = Names()
    >>> names.add("01", Actor("u-17", "Ann Lee"))
    >>> names.find("@Ann Lee, same here.", comment="02", nearest=list)
    (Mention(start=0, end=8, actor='u-17'),)
    """

    __slots__ = ("_actors", "_heads", "_lengths", "_sorted", "_uses", "_width")

    def __init__(self) -> None:
        self._actors: dict[str, Actor] = {}
        self._uses: dict[str, _Uses] = {}
        self._sorted: list[str] = []
        self._lengths: dict[str, int] = {}
        # The first letters of all names, and the length of the longest, that ever were: they only spare needless work.
        self._heads: set[str] = set()
        self._width = 0

    def __len__(self) -> int:
        return len(self._uses)

    def add(self, id: str, actor: Actor | None) -> None:
        """
        Note that the comment *id* was written by *actor*, in place of whom it was noted for before.

        Anonymous actors, and names of nothing but white space, are not kept.

        Complexity: O(1) for a known name; for a new one see above.
        """
        if actor is not None and self._actors.get(id) == actor:
            return
        self.discard(id)
        if actor is None or not actor.name.strip():
            return
        uses = self._uses_of(actor.name)
        uses.settled = uses.settled and not uses.told and (not uses.ids or uses.ids[-1] < id)
        uses.ids.append(id)
        uses.first.setdefault(actor.id, id)
        uses.live += 1
        self._actors[id] = actor

    def add_all(self, comments: Iterable[tuple[str, Actor | None]]) -> None:
        """
        Note what `add` notes, of comments that are not noted yet, oldest first.

        Complexity: O(comments), and O(n log n) for the names where most are new.
        """
        ids_by: dict[Actor, list[str]] = {}
        for id, actor in comments:
            if actor is not None:
                ids_by.setdefault(actor, []).append(id)
        ids_by = {actor: ids for actor, ids in ids_by.items() if actor.name.strip()}
        self._expect({actor.name for actor in ids_by})
        for actor, ids in ids_by.items():
            uses = self._uses_of(actor.name)
            uses.settled = uses.settled and not uses.told and not uses.ids
            uses.ids += ids
            uses.first.setdefault(actor.id, ids[0])
            uses.live += len(ids)
            self._actors.update(dict.fromkeys(ids, actor))

    def discard(self, id: str) -> None:
        """
        Forget the name that the comment *id* used, if any: it was erased, or another post stands in its place.

        Complexity: O(1); when it was the name's last use, as for a new name.
        """
        actor = self._actors.pop(id, None)
        if actor is None:
            return
        self._lose_uses(actor.name, 1)

    def tell(self, actor: Actor, id: str) -> None:
        """
        Note that *actor* used their name in the comment *id* first, and maybe in later ones that are known elsewhere.

        Complexity: O(1) for a known name; for a new one see above.
        """
        uses = self._uses_of(actor.name)
        before = uses.told.get(actor.id)
        if before is None or before > id:
            uses.told[actor.id] = id
            uses.live += before is None
            uses.settled = False

    def tell_all(self, told: Iterable[tuple[Actor, str]]) -> None:
        """Note what `tell` notes, of many. Complexity: O(n log n), less than one by one where most names are new."""
        several = list(told)
        self._expect({actor.name for actor, _ in several})
        for actor, id in several:
            self.tell(actor, id)

    def forget_told(self) -> None:
        """Forget all that was told. Complexity: O(names)."""
        for name, uses in list(self._uses.items()):
            if uses.told:
                count = len(uses.told)
                uses.told = {}
                self._lose_uses(name, count)

    def _expect(self, names: set[str]) -> None:
        """Make room for the uses of *names*, if more are new than known: less work than one by one, as `_uses_of` does it."""
        new = names - self._uses.keys()
        if len(new) <= len(self._uses):
            return
        self._uses.update((name, _Uses()) for name in new)
        self._sorted = sorted(self._uses)
        self._heads.update(name[0] for name in new)
        self._width = max(self._width, *map(len, new))
        before, lengths = "", 0
        for name in self._sorted:  # what starts a name stands before it, and each tells the next
            lengths = 1 << len(name) | lengths & _up_to(_common(before, name))
            self._lengths[name] = lengths
            before = name

    def _uses_of(self, name: str) -> _Uses:
        uses = self._uses.get(name)
        if uses is None:
            uses = self._uses[name] = _Uses()
            self._insert(name)
        return uses

    def _lose_uses(self, name: str, count: int) -> None:
        uses = self._uses[name]
        uses.live -= count
        uses.settled = False
        if not uses.live:
            del self._uses[name]
            self._remove(name)

    def find(self, body: str, *, comment: str, nearest: Nearest) -> tuple[Mention, ...]:
        """
        Return the mentions in *body*, in their order; offsets are in characters (code points).

        Args:
            body: The text of the comment.
            comment: The id of the comment; only names used by smaller ids count.
            nearest: Called, once at most, where several actors have one name; walked no further than to the first of them.

        Complexity: O(len(body)), plus what each ``@`` costs, see above.
        """
        at = body.find("@")
        if at < 0:
            return ()
        found: list[Mention] = []
        actors: dict[str, str] = {}
        known: dict[str, int] = {}
        ends = _Ends(body)
        ancestors = _Ancestors(nearest)
        while at >= 0:
            end = at + 1
            if body[end : end + 1] in self._heads and not body[at - 1 : at].isalnum():
                end += self._match(body, end, comment, known, ends)
            if end > at + 1:
                name = body[at + 1 : end]
                if name not in actors:
                    actors[name] = self._speaker(name, comment, ancestors)
                found.append(Mention(at, end, actors[name]))
            at = body.find("@", end)
        return tuple(found)

    # --- matching ---------------------------------------------------------------------------------------------------------

    def _match(self, body: str, start: int, comment: str, known: dict[str, int], ends: _Ends) -> int:
        """Return the length of the longest name that stands at *start* and ends properly, or 0."""
        text = body[start : start + self._width]
        place = bisect_right(self._sorted, text)
        if not place:
            return 0
        neighbour = self._sorted[place - 1]
        if neighbour not in known:
            known[neighbour] = self._lengths_before(neighbour, comment)
        lengths = known[neighbour] & _up_to(_common(neighbour, text))
        length = max(lengths.bit_length() - 1, 0)
        if length and not _may_end(body[start + length : start + length + 1]):
            lengths &= ends.behind(start, length)
            length = max(lengths.bit_length() - 1, 0)
        return length

    def _lengths_before(self, name: str, comment: str) -> int:
        """Return the lengths of the names that *name* starts with, as bits, of which a comment below *comment* made use."""
        lengths = rest = self._lengths[name]
        while rest:
            length = rest.bit_length() - 1
            rest ^= 1 << length
            if next(iter(self._settled(name[:length]).first.values())) >= comment:
                lengths ^= 1 << length
        return lengths

    def _speaker(self, name: str, comment: str, ancestors: _Ancestors) -> str:
        """Return the id of the actor whom *name* means in *comment*."""
        uses = self._settled(name)
        second = next(islice(uses.first.values(), 1, None), comment)
        if second >= comment:
            return next(iter(uses.first))
        return ancestors.nearest(uses.first, comment) or self._last_speaker(name, comment)

    def _last_speaker(self, name: str, comment: str) -> str:
        """Return the id of the actor who used *name* last before *comment*."""
        uses = self._uses[name]
        place = bisect_left(uses.ids, comment)
        latest = uses.ids[place - 1] if place else ""
        told = self._last_told(name, comment, latest) if uses.told else None
        return self._actors[latest].id if told is None else told

    def _last_told(self, name: str, comment: str, above: str) -> str | None:
        """Return the id of the actor who used *name* last between two comments, as far as what was told says."""
        told = [(id, actor) for actor, id in self._uses[name].told.items() if above < id < comment]
        return max(told)[1] if told else None

    def _settled(self, name: str) -> _Uses:
        """Return the uses of *name* in order."""
        uses = self._uses[name]
        if not uses.settled:
            actors = self._actors
            ids = sorted(id for id in uses.ids if id in actors and actors[id].name == name)
            first: dict[str, str] = {}
            for id in ids:
                first.setdefault(actors[id].id, id)
            if uses.told:
                told = ((actor, min(id, first.get(actor, id))) for actor, id in uses.told.items())
                first = dict(sorted((first | dict(told)).items(), key=itemgetter(1)))
            uses.ids, uses.first, uses.settled = ids, first, True
        return uses

    # --- the sorted list ---------------------------------------------------------------------------------------------------

    def _insert(self, name: str) -> None:
        place = bisect_left(self._sorted, name)
        before = self._sorted[place - 1] if place else ""
        own = 1 << len(name)
        self._lengths[name] = own | (self._lengths.get(before, 0) & _up_to(_common(before, name)))
        for longer in self._starting_with(name, place):
            self._lengths[longer] |= own
        self._sorted.insert(place, name)
        self._heads.add(name[0])
        self._width = max(self._width, len(name))

    def _remove(self, name: str) -> None:
        place = bisect_left(self._sorted, name)
        del self._sorted[place], self._lengths[name]
        for longer in self._starting_with(name, place):
            self._lengths[longer] ^= 1 << len(name)

    def _starting_with(self, name: str, place: int) -> Iterator[str]:
        """Yield the names that start with *name*: they stand together, from *place* on."""
        while place < len(self._sorted) and self._sorted[place].startswith(name):
            yield self._sorted[place]
            place += 1


def starts_of_names(body: str) -> Iterator[str]:
    """
    Yield all that may be a name in *body*, whatever names there are.

    Complexity: O(`MAX_NAME`) for each ``@``, as long as somebody asks.
    """
    at = body.find("@")
    while at >= 0:
        if not body[at - 1 : at].isalnum():
            last = at + 1 + MAX_NAME
            for found in _NO_WORD.finditer(body, at + 2, last + 1):
                if _may_end(found[0]):
                    yield body[at + 1 : found.start()]
            if at + 2 <= len(body) <= last:
                yield body[at + 1 :]
        at = body.find("@", at + 1)


def _up_to(length: int) -> int:
    """Return the bits of all lengths up to *length*."""
    return (2 << length) - 1


def _common(one: str, other: str) -> int:
    """
    Return how many characters *one* and *other* share at the start.

    Complexity: O(the shorter), in log steps.
    """
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _may_end(following: str) -> bool:
    """Return whether a name may end before *following*: no letter, digit or combining mark, or the end of the body."""
    return not following or not (following.isalnum() or category(following).startswith("M"))
