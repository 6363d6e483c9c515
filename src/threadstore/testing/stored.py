"""
The laws of a store: whatever it has taken in, in whatever order and portions, it shows and decides what a fold does.

`agree` holds one thread of a store against the fold of its events: the rows against rows that are made anew, and every way of
reading, page by page, for several readers. `STORE_LAWS` try it on a history, which an application may take from its own log::

    for law in STORE_LAWS:
        law(Case(events, policy=my_policy, random=Random(7)))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from threadstore.decide.decide import Decision, resolve
from threadstore.decide.questions import ask_hooks
from threadstore.errors import CommentNotFound, Rejected, ThreadStoreError
from threadstore.log.sqlite import SqliteLog, execute
from threadstore.model import commands as c
from threadstore.model import events as e
from threadstore.model.erasure import redact
from threadstore.model.policy import Policy
from threadstore.model.ranking import ORDERS
from threadstore.model.status import erasure_of
from threadstore.model.values import Actor
from threadstore.plans import run
from threadstore.readmodel.queries import thread_row
from threadstore.readmodel.rows import fingerprint
from threadstore.store.store import FeedItem, ThreadStore
from threadstore.store.verify import differences
from threadstore.testing.given import EPOCH
from threadstore.testing.laws import Case, Law
from threadstore.testing.places import Wall
from threadstore.testing.spec import Reader
from threadstore.views.history import as_seen
from threadstore.views.thread import Thread, fold

__all__ = [
    "STORE_LAWS",
    "agree",
    "as_command",
    "commands_are_decided_as_by_the_fold",
    "distinct",
    "is_decided_alike",
    "rows_are_those_of_a_rebuild",
    "the_store_shows_the_fold",
]

#: In how large portions a history is merged.
PORTIONS: Final = (1, 3, 50)
#: Small pages try the cursors hard.
_SHAPE: Final[dict[str, Any]] = {"replies": 2, "depth": 2, "rows": 6}
_MODERATOR: Final = Actor("some-moderator", "", "moderator")
#: The present of a store that takes in whatever comes, and the moment that "hot" is reckoned for.
_LATER: Final = 1 << 43
_NOW: Final = EPOCH + 500_000
_MOST: Final = 1_000


def distinct(events: Iterable[e.Event]) -> list[e.Event]:
    """Return the events without those that come again: of two facts under one id a log has the first."""
    return list({event.id: event for event in reversed(list(events))}.values())[::-1]


# --- a store and a fold -------------------------------------------------------------------------------------------------------


def agree(store: ThreadStore, key: str, events: Iterable[e.Event], *, readers: Iterable[Reader] = (None, _MODERATOR)) -> None:
    """
    Hold a thread of a store against the fold of its events.

    Args:
        store: The store.
        key: The thread.
        events: What the thread was given.
        readers: Who looks.

    Raises:
        AssertionError: Something differs; the message says what.
    """
    folded = fold(events, key=key)
    rows_agree(store, key)
    both = _Both(store, key, folded)
    both.same("counts")
    both.queues()
    for reader in readers:
        both.pages(reader)
        both.lists(reader)
        both.comments(reader)
        both.history(reader)
        feeds_agree(store, list(store.threads()), reader)
    _check(store.thread(key).digest() == folded.digest(), "the digests differ")


def rows_agree(store: ThreadStore, key: str) -> None:
    """
    Hold the rows of a thread against rows that are made anew.

    Raises:
        AssertionError: They differ, or cannot be used.
    """
    rules = store.policy.rules
    with store.log.database.reading() as connection:
        row = execute(connection, thread_row(key))
        _check(row is None or row.fits(fingerprint(rules)), "the rows cannot be used")
        found = list(differences(connection, key, rules))
    _check(not found, f"the rows are not those of a rebuild: {found[:5]}")


class _Both:
    """A thread of a store, and the fold of its events, asked the same."""

    def __init__(self, store: ThreadStore, key: str, folded: Thread) -> None:
        self._store = store
        self._stored = store.thread(key)
        self._folded = folded
        self._ids = [event.id for event in folded.facts() if isinstance(event, e.CommentPosted | e.CorrectionSuggested)]

    def same(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Ask both, and return the answer."""
        policy = self._store.policy
        found = _answer(partial(getattr(self._stored, method), *arguments, **options))
        expected = _answer(partial(getattr(self._folded, method), *arguments, policy=policy, **options))
        _check(
            msgspec.json.encode(found) == msgspec.json.encode(expected),
            f"{method}{arguments}, {options}:\n     saw {found}\nexpected {expected}",
        )
        return found

    def paged(self, method: str, *arguments: Any, **options: Any) -> None:
        """Ask both for all pages, one after the other."""
        after = None
        while True:
            page = self.same(method, *arguments, after=after, **options)
            after = getattr(page, "next", None)
            if after is None:
                return
            options.pop("now", None)

    def queues(self) -> None:
        """Hold the pages of the queue against one another."""
        self.paged("queue", limit=2)

    def pages(self, reader: Reader) -> None:
        """Hold the pages of every order against one another, with and without pins."""
        for order in ORDERS:
            for pinned in (False, True):
                self.paged("view", order=order, limit=2, reader=reader, pinned=pinned, now=_NOW, **_SHAPE)
        self.same("view", reader=reader, reveal="all")

    def lists(self, reader: Reader) -> None:
        """Hold the flat pages and the corrections against one another."""
        for order in ORDERS:
            self.paged("flat", order=order, limit=3, reader=reader, now=_NOW)
        self.same("corrections", reader=reader)

    def comments(self, reader: Reader) -> None:
        """Hold each comment against itself, in its context and with its replies."""
        for number, id in enumerate(self._ids):
            self.same("comment", id, context=number % 4, reader=reader, **_SHAPE)
            self.paged("replies", id, limit=1, reader=reader)

    def history(self, reader: Reader) -> None:
        """Hold what a reader may see of the facts against what the fold lets them see."""
        events = [record.event for record in self._store.log.read(self._stored.key)]
        source = self._folded.source(self._store.policy)
        expected = run(as_seen(source, events, reader=reader, reveal=()))
        _check(list(self._stored.history(reader=reader)) == expected, f"another history is shown to {reader}")


def _answer(ask: Callable[[], Any]) -> Any:
    try:
        answer = ask()
    except CommentNotFound as error:
        return str(error)
    return replace(answer, revision=0) if hasattr(answer, "revision") else answer


def _check(holds: object, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)


def feeds_agree(store: ThreadStore, keys: Sequence[str], reader: Reader) -> None:
    """
    Hold the feeds of a store against the lists of its threads, which are all that it has.

    Raises:
        AssertionError: They differ.
    """
    shown = []
    for key in keys:
        comments = store.thread(key).flat(order="newest", limit=_MOST, reader=reader).comments
        shown += [(view, key) for view in comments if view.concealed in (None, "spoiler")]
    shown.sort(key=lambda each: each[0].id, reverse=True)
    wanted = [(key, _said(view)) for view, key in shown]
    found = store.latest(limit=_MOST, reader=reader)
    _check(_told(found) == wanted, f"another feed is shown to {reader}:\n     saw {_told(found)}\nexpected {wanted}")
    _check(store.latest(limit=2, reader=reader) == found[:2], "a short feed is another than the beginning of a long one")
    for id in {view.author.id for view, _ in shown if view.author is not None}:
        theirs = [item for item in found if item.comment.author is not None and item.comment.author.id == id]
        listed = list(store.by_person(id, limit=_MOST, reader=reader))
        _check(
            listed == theirs, f"another list of what {id} said to {reader}:\n   found {_told(listed)}\nexpected {_told(theirs)}"
        )


#: What a feed tells of a comment.
_TOLD: Final = ("id", "parent", "author", "posted_at", "edited_at", "edited_by", "text_id", "body")
_JUDGED: Final = ("concealed", "flags", "stale", "spoiler", "meta")


def _said(view: Any) -> list[Any]:
    return [getattr(view, name) for name in (*_TOLD, *_JUDGED)]


def _told(items: Iterable[FeedItem]) -> list[tuple[str, list[Any]]]:
    return [(item.thread, _said(item.comment)) for item in items]


# --- what is merged -----------------------------------------------------------------------------------------------------------


def _stores(case: Case) -> Iterator[tuple[ThreadStore, list[e.Event], int]]:
    """Yield a store, what to merge into it, and in how large portions."""
    for size in PORTIONS:
        with ThreadStore(SqliteLog.open(":memory:"), policy=case.policy, now=Wall(_LATER)) as store:
            yield store, distinct(case.shuffled()), size


def _portions(events: Sequence[e.Event], size: int) -> Iterator[tuple[list[e.Event], list[e.Event]]]:
    """Yield each portion with all that has come by then."""
    for end in range(size, len(events) + size, size):
        yield list(events[end - size : end]), list(events[:end])


def rows_are_those_of_a_rebuild(case: Case) -> None:
    """After each portion of a merge the rows are those that a rebuild makes."""
    for store, events, size in _stores(case):
        for portion, _ in _portions(events, size):
            store.merge(portion)
            rows_agree(store, portion[0].thread)


def the_store_shows_the_fold(case: Case) -> None:
    """After a portion, and in the end, a store shows every reader what a fold of all that came shows them."""
    for store, events, size in _stores(case):
        stops = {case.random.randrange(len(events) // size + 1), (len(events) - 1) // size}
        for number, (portion, come) in enumerate(_portions(events, size)):
            store.merge(portion)
            if number in stops:
                agree(store, portion[0].thread, come, readers=_readers(events))
        _check(not list(store.verify()), "an examination finds damage")


def _readers(events: Sequence[e.Event]) -> list[Reader]:
    """Return nobody, a moderator, and an author with and without a role."""
    authors = [event.actor for event in events if isinstance(event, e.CommentPosted) and event.actor is not None]
    return [None, _MODERATOR, *[reader for author in islice(authors, 1) for reader in (author.id, author)]]


# --- what is decided ----------------------------------------------------------------------------------------------------------

#: The command that comes to an event, as far as its fields have the same names.
_COMMANDS: Final[dict[type[e.Event], type[c.Command]]] = {
    e.CommentPosted: c.Post,
    e.CommentEdited: c.Edit,
    e.CommentDeleted: c.Delete,
    e.CommentErased: c.Erase,
    e.PersonErased: c.ErasePerson,
    e.CommentRemoved: c.Remove,
    e.CommentRestored: c.Restore,
    e.CommentHeld: c.Hold,
    e.CommentApproved: c.Approve,
    e.CommentReported: c.Report,
    e.ReportsResolved: c.ResolveReports,
    e.SpoilerMarked: c.MarkSpoiler,
    e.SpoilerCleared: c.ClearSpoiler,
    e.CommentPinned: c.Pin,
    e.CommentUnpinned: c.Unpin,
    e.ReactionGiven: c.React,
    e.ReactionWithdrawn: c.Unreact,
    e.ThreadLocked: c.Lock,
    e.ThreadUnlocked: c.Unlock,
    e.ThreadDescribed: c.Describe,
    e.CorrectionSuggested: c.SuggestCorrection,
    e.CorrectionDecided: c.DecideCorrection,
}


def as_command(event: e.Event, *, named: bool = True) -> c.Command | None:
    """Return a command that asks for an event, with its id if it is to be *named*; None if there is none."""
    kind = _COMMANDS.get(type(event))
    if kind is None:
        return None
    fields = {name: getattr(event, name) for name in kind.__struct_fields__ if name not in ("by", "id")}
    return kind(by=event.actor, id=event.id if named else None, **fields)


def is_decided_alike(store: ThreadStore, command: c.Command, known: Sequence[e.Event]) -> bool:
    """
    Execute a command, and hold what comes of it against what `decide` says of the fold; return whether it was accepted.

    Args:
        store: The store.
        command: The command.
        known: All events of its thread.

    Raises:
        AssertionError: The store decides otherwise, or stores something else.
    """
    position, now, policy = store.log.position(), store.now(), store.policy
    thread = fold(known, key=command.thread)

    def decided() -> Decision:
        return resolve(command, thread, policy=policy, now=now, screened=lambda: ask_hooks(command, policy, thread))

    expected, refusal = _outcome(decided)
    id, refused = _outcome(lambda: store.execute(command))
    _check(refused == refusal, f"{command}:\n     saw {refused}\nexpected {refusal}")
    appended = [record.event for record in store.log.read_all(after=position)]
    events = [] if expected is None else list(_as_kept(expected.events, known, policy))
    _check(_plain(appended) == _plain(events), f"{command}:\nappended {appended}\nexpected {events}")
    if expected is not None:
        _check(id == (appended[0].id if appended else expected.id), f"{command} is answered with another id")
    return bool(appended)


def _as_kept(events: Sequence[e.Event], known: Sequence[e.Event], policy: Policy) -> Iterator[e.Event]:
    """Yield events as a log keeps them: without the words that are to be forgotten."""
    facts = [event for event in (*known, *events) if isinstance(event, e.CommentErased | e.PersonErased)]
    erasures = [erasure for fact in facts if (erasure := erasure_of(fact, policy.rules)) is not None]
    for event in events:
        yield redact(event) if any(erasure.covers(event) for erasure in erasures) else event


def _outcome(do: Callable[[], Any]) -> tuple[Any, str | None]:
    try:
        return do(), None
    except (Rejected, ThreadStoreError, ValueError) as error:
        return None, f"{type(error).__name__}: {error}"


def _plain(events: Sequence[e.Event]) -> str:
    """Return events without their ids."""
    text = msgspec.json.encode(events).decode()
    for number, event in enumerate(events):
        text = text.replace(event.id, f"#{number}")
    return text


def commands_are_decided_as_by_the_fold(case: Case) -> None:
    """Decide each command in a store as on a fold of what it holds: the same events, or refused with the same words."""
    wall = Wall(EPOCH)
    with ThreadStore(SqliteLog.open(":memory:"), policy=case.policy, now=wall) as store:
        for event in case.events:
            wall.ms += case.random.choice((0, 1, 40))
            command = as_command(event, named=case.random.random() < 0.8)
            if command is not None:
                is_decided_alike(store, command, [record.event for record in store.log.read(event.thread)])
                rows_agree(store, event.thread)
        for key in store.threads():
            agree(store, key, [record.event for record in store.log.read(key)], readers=_readers(case.events))


STORE_LAWS: Final[tuple[Law, ...]] = (
    rows_are_those_of_a_rebuild,
    the_store_shows_the_fold,
    commands_are_decided_as_by_the_fold,
)
