"""
`DenseThread`: a thread that takes its facts from a log, and holds most of them as columns.

It answers as a `Thread` of the same facts does, at a tenth of the memory and of the time to begin. What is plain is in the
columns (`threadstore.columns`); everything else is in cells as usual. A fact whose object somebody needs is read from the log by
its revision; those read last are at hand.

An event may come before the log has it: the writer's own, which the next decision must see. It is at hand until its revision is
known.

Law: whatever the order and the portions in which the facts come, the views are those of a `Thread` of the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain
from typing import Any, Final, Protocol

from threadstore.columns import TOP, Columns
from threadstore.dense_lens import DenseLens
from threadstore.dense_orders import shelved
from threadstore.dense_outline import DenseOutline
from threadstore.frozen import Frozen, freeze, thaw
from threadstore.heads import SIZE, Heads, ends, name_hash
from threadstore.model.codec import encode, glance, shared_actor
from threadstore.model.events import Actor, CommentPosted, Event, Key, ReactionGiven, ReactionWithdrawn
from threadstore.model.ids import from_bytes
from threadstore.model.outline import Outline
from threadstore.model.policy import Rules
from threadstore.model.registers import Cell
from threadstore.model.state import Cells, State, newest_first
from threadstore.views.lens import Lens
from threadstore.views.thread import T, Thread
from threadstore.views.types import ThreadView

__all__ = ["DenseThread", "Source"]

#: Numbers for the facts that the log has not numbered yet; no stream is as long.
_AHEAD: Final = 1 << 31
#: How many facts are kept at hand.
_AT_HAND: Final = 2_000
#: A text of so many letters is not kept at hand.
_LONG: Final = 2_000
#: How many facts that are not plain are taken in at once.
_AT_ONCE: Final = 400
#: How many pages are kept to be shown again.
_PAGES: Final = 64
#: How many letters there may be in them, and what a comment counts beside its own.
_LETTERS: Final = 2_000_000
_ROW: Final = 100
#: What these take in memory, roughly (measured with tracemalloc): the cells of a comment, a fact at hand, a name, a comment that
#: was shown, and lists and pages of a thread that was shown at all.
_CELLS_COST: Final = 3_000
_EVENT_COST: Final = 1_000
_NAME_COST: Final = 450
_VIEW_COST: Final = 850
_SHOWN_COST: Final = 2_500


#: What a plain comment says: its id, by whom, when if not by its id, its text, meta, and which edit by whom the text is of.
Said = tuple[str, Actor | None, int | None, str, dict[str, str], tuple[str, Actor | None] | None]


class Source(Protocol):
    """Where the facts of one thread are read."""

    def fetch(self, revisions: Sequence[int]) -> dict[int, Event]:
        """Return the facts with these revisions; those that can not be read are left out."""
        ...

    def heads(self) -> Heads:
        """Return the heads of all facts that can be read."""
        ...

    def glance(self, revisions: Sequence[int]) -> dict[int, list[Any]]:
        """Return the values of the records with these revisions; those that can not be read are left out."""
        ...

    def upto(self, revision: int) -> Iterator[Event]:
        """Yield all facts up to a revision that can be read."""
        ...

    def find(self, id: str, revision: int) -> Event | None:
        """Return the fact with this id if the thread has it up to a revision."""
        ...


class DenseThread(Thread):
    """
    One conversation, folded from a log.

    Args:
        key: The thread's key.
        rules: Whose roles have effect; asked for under other rules, it answers as slowly as it is large.
        source: The log.
    """

    __slots__ = (
        "_ahead",
        "_at_hand",
        "_dense",
        "_last_post",
        "_left_out",
        "_letters",
        "_next_number",
        "_numbers",
        "_others",
        "_pages",
        "_pages_of",
        "_rest",
        "_rules",
        "_source",
        "_unlogged",
        "columns",
    )

    def __init__(self, key: str, rules: Rules, source: Source) -> None:
        super().__init__(key)
        self._rules = rules
        self._source = source
        self._at_hand: dict[int, Event] = {}
        self._ahead: dict[int, Event] = {}
        #: The numbers of the facts that are ahead, by id.
        self._numbers: dict[str, int] = {}
        self._next_number = _AHEAD
        #: The revisions of facts whose heads are whole, and that can not be read all the same.
        self._left_out: set[int] = set()
        #: All facts that the log has not numbered yet, by id.
        self._unlogged: dict[str, Event] = {}
        self._others: tuple[int, Thread] | None = None
        self._complete = False
        #: The revisions of the facts that are not plain, while nothing has come beside what was read.
        self._rest: list[int] | None = None
        #: Pages that were asked for, of the thread as it stood then.
        self._pages: dict[tuple[Any, ...] | None, ThreadView] = {}
        self._pages_of: tuple[int, int, int] | None = None
        self._letters = 0
        self._begin_with(Columns(rules), [])

    def read(self) -> None:
        """
        Take in all that the log has, and nothing else but what the log does not have yet.

        Complexity: O(n log n), O(n) if the ids are in order.
        """
        self.despite_damage(self._read)

    def freeze(self) -> bytes | None:
        """Return the thread as bytes; None if it is not as it was read, or something is missing. Complexity: O(n), in C."""
        if self._rest is None or self.unreadable or self._unlogged:
            return None
        shelves = shelved(self.columns)
        self._dense.orders.begin_with(shelves)
        return freeze(self.key, Frozen(self.earliest, self.latest, self._rest, self.columns, shelves))

    def resume(self, revision: int, state: bytes) -> bool:
        """Begin with what `freeze` gave at a revision; return False if that can not be read. Complexity: O(n), in C."""
        frozen = thaw(self.key, self._rules, state)
        if frozen is None:
            return False
        self._begin_with(frozen.columns, frozen.rest)
        self._dense.orders.begin_with(frozen.shelves)
        self.earliest, self.latest, self.revision = frozen.earliest, frozen.latest, revision
        try:
            self._take_rest(frozen.rest)
        except Unreadable:
            return False  # whoever reads it from its heads leaves out what is damaged
        return True

    def let_go(self) -> None:
        """Take apart what refers to one another, so that its memory is free at once; nobody asks this thread again."""
        self._cells.clear()
        self._dense.let_go()

    def _read(self) -> None:
        unlogged = self._unlogged
        self._cells, self._facts = {}, {}
        self._at_hand, self._ahead, self._numbers, self._unlogged = {}, {}, {}, {}
        try:
            self._begin(_without(self._source.heads(), self._left_out))
            for event in unlogged.values():
                if self._source.find(event.id, self.revision) is None:
                    self._apply(event)
        except Unreadable:
            self._unlogged = unlogged  # it is begun once more
            raise

    def despite_damage(self, ask: Callable[[], T]) -> T:
        """Return the answer to a question; what turns out to be damaged is left out from then on."""
        while True:
            try:
                return ask()
            except Unreadable as error:
                self._left_out |= error.revisions
            self.read()

    def _begin(self, rows: Heads) -> None:
        columns, rest = Columns.build(self._rules, rows)
        self._begin_with(columns, rest)
        former, self.revision, self.unreadable = self.revision, 0, 0
        if rows.revisions:
            self.earliest, self.latest = ends(rows)
            self.revision = rows.revisions[-1]
            self.unreadable = self.revision - len(rows.revisions)
            self.changes += len(rows.revisions)
        self.miss(former)  # what was left out may have been the last
        self._take_rest(rest)

    def _begin_with(self, columns: Columns, rest: list[int]) -> None:
        self.columns = columns
        if hasattr(self, "_dense"):
            self._dense.let_go()
        self._dense: DenseOutline = DenseOutline(self, columns)
        self._last_post = columns.last_id()
        self._rest = rest
        self.changes += 1

    def _take_rest(self, rest: list[int]) -> None:
        with self._dense.judging_later():
            for start in range(0, len(rest), _AT_ONCE):
                events = self.at_all(rest[start : start + _AT_ONCE])
                for event in events:
                    self._dense.keep_for(event)
                self.at_all(list(chain.from_iterable(map(self._needed, events))))  # at hand, then
                for event in events:
                    self._apply_cells(event)

    def _needed(self, event: Event) -> Iterator[int]:
        """Yield the revisions of the facts that are needed to take in one that is not plain."""
        rank = self._uncelled(event.target)
        if rank is not None:
            yield self.columns.revision[rank]
            yield from self.columns.edits.get(rank, ())

    def miss(self, revision: int) -> None:
        """Count what could not be read up to a revision."""
        if revision > self.revision:
            self.unreadable += revision - self.revision
            self.revision = revision

    # --- facts ----------------------------------------------------------------------------------------------------------------

    def at(self, revision: int) -> Event:
        """
        Return the fact with this revision.

        Raises:
            Unreadable: It can not be read.
        """
        [event] = self.at_all([revision])
        return event

    def at_all(self, revisions: Sequence[int]) -> list[Event]:
        """Return several facts, at the cost of few statements; errors as for `at`."""
        at_hand = self._at_hand
        wanted = [revision for revision in revisions if revision < _AHEAD and revision not in at_hand]
        found = self._source.fetch(wanted) if wanted else {}
        known = found | self._ahead if self._ahead else found
        events = [known.get(revision) or at_hand.get(revision) for revision in revisions]
        if None in events:
            raise Unreadable({revision for revision, event in zip(revisions, events, strict=True) if event is None})
        if len(found) < _AT_HAND:
            if len(at_hand) + len(found) > _AT_HAND:
                at_hand.clear()
            at_hand.update((revision, fact) for revision, fact in found.items() if _is_short(fact))
        return events  # type: ignore[return-value]  # none is None

    def said(self, ranks: Sequence[int]) -> list[Said]:
        """
        Return what plain comments say, without making facts of the records; errors as for `at`.

        Complexity: O(comments), and few statements.
        """
        columns, edits = self.columns, self.columns.edits
        wanted = [columns.revision[rank] for rank in ranks]
        texts = {rank: edits[rank][-1] for rank in ranks if rank in edits} if edits else {}
        needed = [*wanted, *texts.values()]
        at_hand = self._at_hand.keys() & needed | self._ahead.keys() & needed
        found = self._source.glance([revision for revision in needed if revision not in at_hand] if at_hand else needed)
        found |= {revision: glance(encode(self.at(revision))) for revision in at_hand}
        if len(found) < len(needed):
            raise Unreadable(set(needed).difference(found))
        told: list[Said] = []
        for rank, revision in zip(ranks, wanted, strict=True):
            _, _, id, _, actor, _, _, _, at, body, *meta = found[revision]
            edited = None
            if rank in texts:
                _, _, edit, _, editor, _, _, body = found[texts[rank]]
                edited = from_bytes(edit), shared_actor(editor)
            told.append((from_bytes(id), shared_actor(actor), at, body, meta[0] or {} if meta else {}, edited))
        return told

    def fact(self, id: str) -> Event | None:
        """Return the fact with this id. Complexity: O(log n), and a statement for what is neither new nor at hand."""
        if id > self.latest:
            return None
        return self._unlogged.get(id) or self._facts.get(id) or self._source.find(id, self.revision)

    def facts(self) -> Iterator[Event]:
        """Yield the facts that the thread was given, from the log."""
        return chain(self._source.upto(self.revision), list(self._unlogged.values()))

    def bare_and_kept(self) -> tuple[Iterable[CommentPosted], Iterable[tuple[str, Cells]]]:
        """Return what makes up the state. Complexity: that of folding all facts."""
        return Thread.of(self.facts(), key=self.key).bare_and_kept()

    def targets(self) -> Iterator[str]:
        """Yield all that some fact is about."""
        columns, cells = self.columns, self._cells
        plain = (columns.id_of(rank) for rank, revision in enumerate(columns.revision) if revision)
        return chain(cells, (id for id in plain if id not in cells))

    def newest(self, below: str | None = None) -> Iterator[str]:
        """Yield what some fact is about; see `Thread.newest`. Complexity: O(c log c) for c in cells, and O(1) for each."""
        columns, cells = self.columns, self._cells
        last = len(columns) if below is None else columns.below(below)
        plain = (columns.id_of(rank) for rank in range(last - 1, -1, -1) if columns.revision[rank])
        return merge((id for id in plain if id not in cells), newest_first(cells, below), reverse=True)

    def cells(self, target: str) -> Cells:
        """Return the cells of a target; those of a plain comment are made of the log's facts."""
        cells = self._cells.get(target)
        if cells is not None:
            return cells
        rank = self.columns.comment(target)
        return {} if rank is None else self._cells_of(rank)

    def reactions(self, comment: str) -> Cell | None:
        """Return the reactions to a comment; those that the columns have are found by `get`, and not by looking through them."""
        cells = self._cells.get(comment)
        if cells is not None:
            return cells.get("reaction")
        rank = self.columns.find(comment)
        return None if rank is None else _Reactions(self, rank)

    def posted(self, rank: int) -> Event:
        """Return the fact that posted a comment; errors as for `at`."""
        id = self.columns.id_of(rank)
        cells = self._cells.get(id)
        return self.at(self.columns.revision[rank]) if cells is None else cells["posted"][id,]

    def _cells_of(self, rank: int) -> Cells:
        posted, *edits = self.at_all([self.columns.revision[rank], *self.columns.edits.get(rank, ())])
        cells: Cells = {"posted": {(posted.id,): posted}, "reaction": _Reactions(self, rank)}
        if edits:
            cells["edited"] = {(edit.writer,): edit for edit in edits}  # of several by one writer the last stays
        return cells

    # --- taking in ------------------------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> bool:
        """Let in a fact that the log does not have yet; see `Thread.apply`, and `admit`."""
        if event.id <= self.latest and self.fact(event.id) == event:
            return False
        return self.despite_damage(lambda: self._apply(event))

    def _apply(self, event: Event) -> bool:
        number = self._next_number
        if self._take(event, number):
            self._next_number += 1
            self._ahead[number] = event
            self._numbers[event.id] = number
            changed = True
        else:
            changed = self._apply_cells(event)
        self._unlogged[event.id] = event
        return changed

    def _let_in(self, other: State) -> None:
        for event in list(other.facts()):
            self.apply(event)

    def admit(self, event: Event, revision: int) -> None:
        """Let in the next fact of the log. Complexity: as for `apply`."""
        self.despite_damage(lambda: self._admit_next(event, revision) if revision > self.revision else None)

    def _admit_next(self, event: Event, revision: int) -> None:
        if self._unlogged.pop(event.id, None) is None:
            if not self._take(event, revision):
                self._apply_cells(event)
        elif (number := self._numbers.pop(event.id, None)) is not None:
            del self._ahead[number]
            self._renumber(event, number, revision)
        self.revision = revision

    def _renumber(self, event: Event, number: int, revision: int) -> None:
        columns = self.columns
        if isinstance(event, CommentPosted):
            rank = columns.find(event.id)
            assert rank is not None, event.id
            columns.revision[rank] = revision
        else:
            assert isinstance(event, ReactionGiven | ReactionWithdrawn), event
            rank = columns.find(event.comment)
            assert rank is not None, event.comment
            assert event.actor is not None, event
            last = columns.reaction(rank, event.actor.id, event.kind)
            if last is not None and last[1] == number:  # else there is a later one, which is ahead still
                columns.renumber(rank, event.actor.id, event.kind, given=isinstance(event, ReactionGiven), revision=revision)
        if len(self._at_hand) < _AT_HAND and _is_short(event):
            self._at_hand[revision] = event

    def _apply_cells(self, event: Event) -> bool:
        self._dense.keep_for(event)
        rank = self._uncelled(event.target)
        if rank is not None:
            self._cells[event.target] = self._cells_of(rank)
        elif isinstance(event, CommentPosted):
            self._cells.setdefault(event.target, {})  # what is bare is in the columns
        return super().apply(event)

    def _uncelled(self, target: str) -> int | None:
        """Return the rank of a comment that the columns alone hold."""
        return None if target in self._cells else self._dense.rank(target)

    def _changed(self, cell: str, event: Event, before: Event | None) -> None:
        if not self._dense.absorb(cell, event, before):
            raise ValueError(f"a log has no two facts under one id, {event.id}")

    def _take(self, event: Event, number: int) -> bool:
        """Take a plain fact into the columns; return whether it is one."""
        self._rest = None
        if event.extra or event.thread != self.key:
            return False
        if isinstance(event, CommentPosted):
            return self._take_post(event, number)
        if isinstance(event, ReactionGiven | ReactionWithdrawn):
            return self._take_reaction(event, number)
        return False

    def _take_post(self, event: CommentPosted, number: int) -> bool:
        outline, id, actor = self._dense, event.id, event.actor
        if event.spoiler or event.held or id <= self._last_post or not outline.is_new(id) or id in self._cells:
            return False
        if actor is not None and id < outline.horizons.get(actor.id, ""):
            return False
        above = TOP
        if event.parent is not None:
            rank = self.columns.find(event.parent) if event.parent < id else None
            if rank is None or not outline.is_live(rank):
                return False
            above = rank
        outline.add_plain(event, above, number, 0 if actor is None else name_hash(actor.name))
        self._last_post = id
        self._note(id)
        return True

    def _take_reaction(self, event: ReactionGiven | ReactionWithdrawn, number: int) -> bool:
        columns, actor = self.columns, event.actor
        if actor is None or not columns.is_plain(event.kind) or event.comment in self._cells:
            return False
        rank = columns.comment(event.comment)
        if rank is None or self._dense.is_kept(rank):
            return False
        former = columns.reaction(rank, actor.id, event.kind)
        if former is None or self.at(former[1]).id < event.id:
            self._dense.react(rank, event, number, None if former is None else former[0])
            self._note(event.id)
            return True
        return False

    def _note(self, id: str) -> None:
        self.changes += 1
        self.latest = max(self.latest, id)
        self.earliest = min(self.earliest or id, id)

    # --- reading --------------------------------------------------------------------------------------------------------------

    def outline(self, rules: Rules) -> Outline:
        """Return what is derived from the thread under *rules*. Complexity: O(1) under those that it was made for."""
        if rules is self._rules or rules == self._rules:
            return self._dense
        if self._others is None or self._others[0] != self.changes:
            self._others = self.changes, Thread.of(self.facts(), key=self.key)
        return self._others[1].outline(rules)

    def view(self, **how: Any) -> ThreadView:
        """Return one page; see `Thread.view`. One that was asked for before is at hand while the thread has not changed."""
        asked = _question(how)
        stamp = self.changes, self.revision, self.unreadable
        if self._pages_of != stamp:
            self._pages, self._pages_of, self._letters = {}, stamp, 0
        page = self._pages.get(asked)
        if page is None:
            page = super().view(**how)
            if asked is not None and self._pages_of == (self.changes, self.revision, self.unreadable):
                self._keep_page(asked, page)
        return page

    def _keep_page(self, asked: tuple[Any, ...], page: ThreadView) -> None:
        below, letters = list(page.comments), 0
        for comment in below:  # grows as it is walked
            letters += _ROW + len(comment.body or "")
            below.extend(comment.replies)
            if letters > _LETTERS:
                return
        if len(self._pages) >= _PAGES or self._letters + letters > _LETTERS:
            self._pages.clear()
            self._letters = 0
        self._pages[asked] = page
        self._letters += letters

    def past(self, events: Iterable[Event]) -> Thread:  # type: ignore[override]  # a past is small enough to be an ordinary thread
        """Return the thread that only *events* had made, with this one's texts and concealment."""
        thread = Thread.of(events, key=self.key)
        thread.revision, thread.unreadable = self.revision, self.unreadable
        thread.look_from(self)
        return thread

    @property
    def dense(self) -> DenseOutline:
        """The outline under the rules that the thread was made for."""
        return self._dense

    def lens(self, rules: Rules, reader: Actor | str | None, reveal: Collection[str] | str) -> Lens:
        """Return how a reader sees the thread under *rules*."""
        return DenseLens(self, rules, reader, reveal) if rules == self._rules else super().lens(rules, reader, reveal)

    @property
    def nbytes(self) -> int:
        """How much memory it takes, roughly."""
        shown = len(self._dense.views)
        held = _CELLS_COST * len(self._cells) + _EVENT_COST * len(self._at_hand) + _VIEW_COST * shown
        held += _NAME_COST * len(self._dense.names) + self._dense.letters + self._letters
        return self.columns.nbytes + self._dense.descent.nbytes + held + (_SHOWN_COST if shown else 0)


def _is_short(fact: Event) -> bool:
    """Return whether a fact is short enough to be kept at hand."""
    return len(getattr(fact, "body", "")) < _LONG


def _without(rows: Heads, revisions: set[int]) -> Heads:
    """Return the rows but for those with these revisions."""
    if not revisions or revisions.isdisjoint(rows.revisions):
        return rows
    kept = [place for place, revision in enumerate(rows.revisions) if revision not in revisions]
    heads = b"".join(rows.heads[SIZE * place : SIZE * (place + 1)] for place in kept)
    return Heads([rows.revisions[place] for place in kept], heads)


def _question(how: dict[str, Any]) -> tuple[Any, ...] | None:
    """Return what a page was asked for with, to know it again; None for what only one reader asks for."""
    policy = how.get("policy")
    if how.get("reveal", ()) not in ((), "all"):
        return None
    told = [(name, type(how[name]), how[name]) for name in sorted(how) if name not in ("policy", "reveal")]
    asked = (*told, how.get("reveal") == "all", None if policy is None else policy.rules)
    try:
        hash(asked)
    except TypeError:
        return None  # whoever answers says what is wrong with it
    return asked


class _Reactions(Cell):
    """The reactions to one comment: those that came as cells, above those that the columns have."""

    __slots__ = ("_rank", "_thread")

    def __init__(self, thread: DenseThread, rank: int) -> None:
        super().__init__()
        self._thread = thread
        self._rank = rank

    def __bool__(self) -> bool:
        return True

    def get(self, key: Key, default: Event | None = None) -> Event | None:  # type: ignore[override]
        """Return an actor's last word on a kind."""
        event = super().get(key)
        actor, kind = key
        if event is None and isinstance(actor, str) and isinstance(kind, str):
            found = self._thread.columns.reaction(self._rank, actor, kind)
            event = None if found is None else self._thread.at(found[1])
        return default if event is None else event


class Unreadable(Exception):
    """Facts that the columns know of can not be read."""

    def __init__(self, revisions: set[int]) -> None:
        super().__init__(revisions)
        self.revisions = revisions
