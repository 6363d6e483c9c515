"""A thread of a store as an application uses it: each method writes one thing, or reads what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from msgspec.structs import replace

from threadstore import (
    SUPPORT,
    Actor,
    Changes,
    CommentApproved,
    CommentDeleted,
    CommentEdited,
    CommentErased,
    CommentHeld,
    CommentNotFound,
    CommentPinned,
    CommentPosted,
    CommentRemoved,
    CommentReported,
    CommentRestored,
    CommentUnpinned,
    ConflictingEvent,
    CorrectionDecided,
    CorrectionSuggested,
    Counts,
    Event,
    InvalidCursor,
    Policy,
    ReactionGiven,
    ReactionWithdrawn,
    Record,
    ReportsResolved,
    SpoilerCleared,
    SpoilerMarked,
    StoredThread,
    TextQuote,
    Thread,
    ThreadDescribed,
    ThreadLocked,
    ThreadStore,
    ThreadUnlocked,
    fold,
)
from threadstore.log.sqlite import SqliteLog
from threadstore.model.erasure import redact
from threadstore.model.ids import make_id
from threadstore.model.values import MAX_CANCELS
from threadstore.testing.given import ANN, AUTHOR, BOB, EDITOR, EPOCH, MODERATOR, THREAD, id_of, moment, posted, reacted
from threadstore.testing.places import Place, Wall

QUOTE = TextQuote("Febuary", prefix="in ", start=17)


class Given:
    """A thread in which there is one of everything: ids by what stands there."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.thread = thread = place.open().thread(THREAD)
        self.comment = thread.post("I was there.", by=ANN)
        self.spoiler = thread.post("The pilot did it.", by=ANN, spoiler=True)
        self.held = thread.post("Buy my book.", by=ANN, held=True)
        self.removed = thread.post("You fool.", by=ANN)
        self.removal = thread.remove(self.removed, by=MODERATOR)
        self.pin = thread.pin(self.comment, by=MODERATOR)
        self.reaction = thread.react(self.comment, by=BOB)
        self.report = thread.report(self.comment, by=BOB)
        self.correction = thread.suggest_correction(QUOTE, "February", by=BOB)
        place.wall.ms += 1_000


@pytest.fixture
def given(place: Place) -> Given:
    return Given(place)


Write = Callable[[StoredThread, Given, str], str]

#: Each writing method once, with the event that it comes to; the id comes last, so that each can be asked twice.
WRITES: dict[str, tuple[type[Event], Write]] = {
    "post": (CommentPosted, lambda t, g, id: t.post("Me too.", by=ANN, spoiler=True, meta={"site": "x"}, id=id)),
    "post held": (CommentPosted, lambda t, g, id: t.post("Me too.", held=True, id=id)),
    "reply": (CommentPosted, lambda t, g, id: t.reply(g.comment, "Me too.", by=BOB, spoiler=True, meta={"a": "b"}, id=id)),
    "reply held": (CommentPosted, lambda t, g, id: t.reply(g.comment, "Me too.", by="bob", held=True, id=id)),
    "edit": (CommentEdited, lambda t, g, id: t.edit(g.comment, "I was not.", by=ANN, seen=g.comment, id=id)),
    "delete": (CommentDeleted, lambda t, g, id: t.delete(g.comment, by=ANN, id=id)),
    "delete correction": (CommentDeleted, lambda t, g, id: t.delete(g.correction, by=BOB, id=id)),
    "react": (ReactionGiven, lambda t, g, id: t.react(g.spoiler, SUPPORT, by="bob", id=id)),
    "unreact": (ReactionWithdrawn, lambda t, g, id: t.unreact(g.comment, by="bob", id=id)),
    "mark_spoiler": (SpoilerMarked, lambda t, g, id: t.mark_spoiler(g.comment, by=ANN, id=id)),
    "clear_spoiler": (SpoilerCleared, lambda t, g, id: t.clear_spoiler(g.spoiler, by=ANN, cancels=[g.spoiler], id=id)),
    "report": (CommentReported, lambda t, g, id: t.report(g.spoiler, reason="spam", seen=g.spoiler, id=id)),
    "resolve_reports": (ReportsResolved, lambda t, g, id: t.resolve_reports(g.comment, by=MODERATOR, cancels={g.report}, id=id)),
    "hold": (CommentHeld, lambda t, g, id: t.hold(g.comment, by=MODERATOR, reason="wait", id=id)),
    "approve": (CommentApproved, lambda t, g, id: t.approve(g.held, by=MODERATOR, cancels=[g.held], seen=g.held, id=id)),
    "remove": (CommentRemoved, lambda t, g, id: t.remove(g.comment, by=MODERATOR, reason="rude", id=id)),
    "restore": (
        CommentRestored,
        lambda t, g, id: t.restore(g.removed, by=MODERATOR, cancels=(g.removal,), seen=g.removed, id=id),
    ),
    "pin": (CommentPinned, lambda t, g, id: t.pin(g.spoiler, by=MODERATOR, id=id)),
    "unpin": (CommentUnpinned, lambda t, g, id: t.unpin(g.comment, by=MODERATOR, cancels=[g.pin], id=id)),
    "lock": (ThreadLocked, lambda t, g, id: t.lock(by=MODERATOR, reason="enough", id=id)),
    "describe": (ThreadDescribed, lambda t, g, id: t.describe(by=AUTHOR, title="Lights", url="/a", article_version="2", id=id)),
    "suggest_correction": (
        CorrectionSuggested,
        lambda t, g, id: t.suggest_correction(QUOTE, "Feb.", by=ANN, note="typo", article_version="1", id=id),
    ),
    "decide_correction": (
        CorrectionDecided,
        lambda t, g, id: t.decide_correction(g.correction, "accepted", by=EDITOR, note="thanks", id=id),
    ),
    "erase": (CommentErased, lambda t, g, id: t.erase(g.comment, by=MODERATOR, id=id)),
}


# --- writing ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "write"), WRITES.values(), ids=WRITES)
def test_a_method_writes_one_fact(kind: type[Event], write: Write, given: Given):
    """Each method writes the event that it is named after, under the id it returns, as `by` or as nobody."""
    before = given.thread.revision
    id = write(given.thread, given, None)
    [event] = given.thread.history(after=before)
    assert (type(event), event.id, event.thread) == (kind, id, THREAD)


@pytest.mark.parametrize(("kind", "write"), WRITES.values(), ids=WRITES)
def test_a_repeated_request_is_the_same_fact(kind: type[Event], write: Write, given: Given):
    """With an id of the caller's a request writes once, however often it is made and whoever has forgotten it."""
    before = given.thread.revision
    id = make_id(given.place.wall.ms, 0, 7)
    for thread in (given.thread, given.thread, given.place.open().thread(THREAD)):
        assert write(thread, given, id) == id
        assert [event.id for event in thread.history(after=before)] == [id]


@pytest.mark.parametrize(("kind", "write"), WRITES.values(), ids=WRITES)
def test_an_id_that_is_taken_is_refused(kind: type[Event], write: Write, given: Given):
    """No method answers with the id of a fact that it did not ask for."""
    with pytest.raises(ConflictingEvent):
        write(given.thread, given, given.report)


def test_what_a_post_says_is_kept(given: Given):
    """All that a post or a reply brings is in its event."""
    post = given.thread.post("Me too.", by=BOB, spoiler=True, meta={"site": "x"})
    reply = given.thread.reply(post, "And I.", held=True)
    found = {event.id: event for event in given.thread._store.export()}
    assert found[post] == CommentPosted(id=post, thread=THREAD, actor=BOB, body="Me too.", spoiler=True, meta={"site": "x"})
    assert found[reply] == CommentPosted(id=reply, thread=THREAD, parent=post, body="And I.", held=True)


def test_a_lock_is_opened(given: Given):
    """Unlocking takes down the locks that are named, by default all, and the conversation goes on."""
    for cancels in (None, True):
        lock = given.thread.lock(by=MODERATOR)
        assert given.thread.view().locked
        unlock = given.thread.unlock(by=MODERATOR, cancels=cancels and [lock])
        [*_, event] = given.thread.history(reader=MODERATOR)
        assert event == ThreadUnlocked(id=unlock, thread=THREAD, actor=MODERATOR, cancels=[lock])
        assert not given.thread.view().locked


def test_what_is_named_is_a_collection_of_ids(given: Given):
    """Of a single id the letters would be taken for ids, and one event can not name everything."""
    with pytest.raises(TypeError, match="cancels must be several ids, not one str"):
        given.thread.unpin(given.comment, by=MODERATOR, cancels=given.pin)
    with pytest.raises(ValueError, match=f"cancels names {MAX_CANCELS + 1} marks where one event can name {MAX_CANCELS}"):
        given.thread.unpin(given.comment, by=MODERATOR, cancels=[given.pin] * (MAX_CANCELS + 1))


#: What changes nothing, with the fact that stands.
NO_OPS: dict[str, tuple[Callable[[StoredThread, Given], str], Callable[[Given], str]]] = {
    "edit to the same text": (lambda t, g: t.edit(g.comment, "I was there.", by=ANN), lambda g: g.comment),
    "react again": (lambda t, g: t.react(g.comment, by=BOB), lambda g: g.reaction),
    "unreact what was not given": (lambda t, g: t.unreact(g.spoiler, by=BOB), lambda g: g.spoiler),
    "mark a spoiler again": (lambda t, g: t.mark_spoiler(g.spoiler, by=ANN), lambda g: g.spoiler),
    "clear no spoiler": (lambda t, g: t.clear_spoiler(g.comment, by=ANN), lambda g: g.comment),
    "report again": (lambda t, g: t.report(g.comment, by=BOB), lambda g: g.report),
    "resolve no reports": (lambda t, g: t.resolve_reports(g.spoiler, by=MODERATOR), lambda g: g.spoiler),
    "hold again": (lambda t, g: t.hold(g.held, by=MODERATOR), lambda g: g.held),
    "approve what is not held": (lambda t, g: t.approve(g.spoiler, by=MODERATOR), lambda g: g.spoiler),
    "remove again": (lambda t, g: t.remove(g.removed, by=MODERATOR), lambda g: g.removal),
    "restore what is not removed": (lambda t, g: t.restore(g.comment, by=MODERATOR), lambda g: g.comment),
    "pin again": (lambda t, g: t.pin(g.comment, by=MODERATOR), lambda g: g.pin),
    "unpin what is not pinned": (lambda t, g: t.unpin(g.spoiler, by=MODERATOR), lambda g: g.spoiler),
    "reopen an open correction": (lambda t, g: t.decide_correction(g.correction, "reopened", by=EDITOR), lambda g: g.correction),
}


@pytest.mark.parametrize(("write", "stands"), NO_OPS.values(), ids=NO_OPS)
def test_what_changes_nothing_writes_nothing(
    write: Callable[[StoredThread, Given], str], stands: Callable[[Given], str], given: Given
):
    """A request that would change nothing returns the id of the fact that stands."""
    before = given.thread.revision
    assert write(given.thread, given) == stands(given)
    assert given.thread.revision == before


def test_what_is_done_for_good_is_done_once(given: Given):
    """Deleting, erasing, locking or describing again returns the first fact."""
    thread = given.thread
    for write in (
        lambda: thread.lock(by=MODERATOR),
        lambda: thread.describe(by=AUTHOR, title="Lights"),
        lambda: thread.delete(given.comment, by=ANN),
        lambda: thread.erase(given.spoiler, by=MODERATOR),
    ):
        first, before = write(), thread.revision
        given.place.wall.ms += 1
        assert (write(), thread.revision) == (first, before)


@pytest.mark.parametrize(("by", "author"), [(ANN, ANN), ("ann", Actor("ann")), (None, None)])
def test_who_acts(by: Actor | str | None, author: Actor | None, article: StoredThread):
    """Who acts is an actor, the id of a reader without a name, or nobody."""
    assert article.comment(article.post("I was there.", by=by)).author == author


@pytest.mark.parametrize("by", [17, b"ann", {"id": "ann"}, ["ann"]])
def test_who_can_not_act(by: object, article: StoredThread):
    """What is neither an actor nor an id is misuse."""
    with pytest.raises(TypeError, match="by must be"):
        article.post("I was there.", by=by)
    assert article.counts() == Counts()


def test_an_address_is_no_id(article: StoredThread):
    """An id that erasure could not take back is refused, also as a mere string."""
    with pytest.raises(ValueError, match="opaque"):
        article.post("I was there.", by="ann@example.org")


# --- reading ------------------------------------------------------------------------------------------------------------------


def test_a_thread_says_what_it_is(article: StoredThread):
    """A thread of a store, and a past of it, show their key."""
    assert repr(article) == f"<StoredThread {THREAD!r}>"
    assert repr(article.as_of(0)) == f"<PastThread {THREAD!r}>"
    assert article.as_known_at(0).key == article.key == THREAD


def test_an_empty_thread(article: StoredThread):
    """A thread that nobody wrote to is empty in every way, and has no comments."""
    assert article.counts() == Counts()
    assert (article.view().comments, article.flat().comments, article.corrections(), article.queue().items) == ((), (), (), ())
    assert (article.revision, list(article.history()), article.digest()) == (0, [], fold([], key=THREAD).digest())
    for read in (article.comment, article.replies):
        with pytest.raises(CommentNotFound):
            read(id_of(1))


READERS = (None, "ann", ANN, BOB, MODERATOR)


class Pure:
    """A folded thread that answers with a revision, as a stored one does."""

    def __init__(self, thread: Thread, revision: int) -> None:
        self._thread = thread
        self._revision = revision

    def __getattr__(self, name: str) -> Callable[..., object]:
        def ask(*arguments: object, **options: object) -> object:
            answer = getattr(self._thread, name)(*arguments, **options)
            return replace(answer, revision=self._revision) if hasattr(answer, "revision") else answer

        return ask


@pytest.mark.parametrize("reader", READERS)
def test_reading_is_that_of_the_pure_thread(reader: Actor | str | None, given: Given):
    """Each reading method answers as the folded thread does with the same arguments and the store's policy."""
    stored, policy = given.thread, given.thread._store.policy
    for number in range(5):
        stored.reply(given.comment, f"again {number}", by=ANN)
    pure = Pure(fold(stored._store.export()), stored.revision)
    look = {"reader": reader, "reveal": {given.spoiler}}
    shape = {"replies": 2, "depth": 1, "rows": 7}
    first = {"order": "newest", "limit": 1, "pinned": True}
    page = stored.view(**first, **look, **shape)
    assert page == pure.view(**first, **look, **shape, policy=policy)
    assert page.next
    assert stored.view(**first, after=page.next, **look) == pure.view(**first, after=page.next, **look, policy=policy)
    flat = {"order": "top", "limit": 3}
    assert stored.flat(**flat, **look) == pure.flat(**flat, **look, policy=policy)
    replies = stored.replies(given.comment, limit=2, **look, **shape)
    assert replies == pure.replies(given.comment, limit=2, **look, **shape, policy=policy)
    rest = {"after": replies.next, **look}
    assert stored.replies(given.comment, **rest) == pure.replies(given.comment, **rest, policy=policy)
    last = stored.flat(order="newest", limit=1).comments[0].id
    assert stored.comment(last, context=1, **look, **shape) == pure.comment(last, context=1, **look, **shape, policy=policy)
    article = {"text": "It was cold in Febuary.", "article_version": "1", "reader": reader}
    assert stored.corrections(**article) == pure.corrections(**article, policy=policy)
    assert stored.counts() == pure.counts(policy=policy)
    queue = stored.queue(limit=1)
    assert queue == pure.queue(limit=1, policy=policy)
    assert stored.queue(after=queue.next) == pure.queue(after=queue.next, policy=policy)
    assert stored.digest() == pure.digest()


def test_hot_is_hot_now(place: Place):
    """What is hot is reckoned for the store's present, or for the moment asked for; the pages after keep to it."""
    thread = place.open().thread(THREAD)
    ids = [thread.post(f"w{number}", by=ANN) for number in range(3)]
    thread.react(ids[0], by=BOB)
    pure = Pure(fold(thread._store.export()), thread.revision)
    place.wall.ms += 3_600_000
    page = thread.view(order="hot", limit=1)
    assert page == pure.view(order="hot", limit=1, now=place.wall.ms)
    assert thread.view(order="hot", limit=1, now=EPOCH) == pure.view(order="hot", limit=1, now=EPOCH)
    flat = thread.flat(order="hot", limit=1)
    assert flat == pure.flat(order="hot", limit=1, now=place.wall.ms)
    assert thread.flat(order="hot", limit=1, now=EPOCH) == pure.flat(order="hot", limit=1, now=EPOCH)
    place.wall.ms += 3_600_000
    assert [*page.comments, *thread.view(order="hot", after=page.next).comments] == [*thread.view(order="hot").comments]
    assert [*flat.comments, *thread.flat(order="hot", after=flat.next).comments] == [*thread.flat(order="hot").comments]


def test_a_cursor_belongs_to_its_thread(given: Given):
    """A cursor of one thread leads nowhere in another."""
    page = given.thread.view(limit=1)
    with pytest.raises(InvalidCursor):
        given.place.open().thread("another").view(after=page.next)


# --- history ------------------------------------------------------------------------------------------------------------------


def test_a_history_is_in_the_order_of_the_log(later: Place):
    """Events come as this log took them in, whenever they happened; after a revision, those behind it."""
    thread = later.open().thread(THREAD)
    thread._store.merge([posted(5)])
    thread._store.merge([posted(3), reacted(4, 3)])
    assert [event.id for event in thread.history()] == [id_of(5), id_of(3), id_of(4)]
    assert [event.id for event in thread.history(after=2)] == [id_of(4)]


@pytest.mark.parametrize("reader", READERS)
def test_a_history_gives_the_digest(reader: Actor | str | None, given: Given):
    """Whatever is withheld from a reader, the skeletons are whole, so what they fold agrees with the store."""
    given.thread.erase(given.held, by=MODERATOR)
    history = list(given.thread.history(reader=reader))
    assert fold(history).digest() == given.thread.digest()
    assert [redact(event) for event in history] == [redact(event) for event in given.thread._store.export()]


def test_a_history_withholds_what_pages_withhold(given: Given):
    """What a reader may not see on a page is in no event of their history either; moderators and authors see what is theirs."""
    thread = given.thread
    thread.edit(given.comment, "I was not.", by=ANN)
    thread.remove(given.comment, by=MODERATOR, reason="between us")
    thread.restore(given.comment, by=MODERATOR)
    seen = {
        name: str(list(thread.history(reader=reader))) for name, reader in (("public", None), ("ann", ANN), ("mo", MODERATOR))
    }
    hidden = {"You fool.": "mo", "Buy my book.": "ann mo", "The pilot did it.": "", "between us": "mo", "I was there.": "ann mo"}
    assert {text: " ".join(name for name, told in seen.items() if text in told) for text in hidden} == hidden
    assert all("I was not." in told for told in seen.values())
    assert "The pilot did it." in str(list(thread.history(reveal={given.spoiler})))


@pytest.mark.parametrize("by", [ANN, MODERATOR])
def test_no_history_after_deletion_or_erasure(by: Actor, given: Given):
    """A text that was taken back or erased is in nobody's history, no former version of it either (Synapse filters for it)."""
    thread = given.thread
    thread.edit(given.comment, "I was not.", by=ANN)
    thread.delete(given.comment, by=ANN) if by is ANN else thread.erase(given.comment, by=by)
    for reader in READERS:
        told = str(
            [
                list(thread.history(reader=reader, reveal="all")),
                thread.changes(0, reader=reader),
                thread.as_of(EPOCH).view(reader=reader),
            ]
        )
        assert "I was" not in told


# --- changes ------------------------------------------------------------------------------------------------------------------


def test_changes_since_a_revision(given: Given):
    """A live page learns which comments to draw again, in the order in which they changed, each once; "" is the thread itself."""
    since = given.thread.revision
    assert given.thread.changes(since=since) == Changes(since, (), (), more=False)
    given.thread.react(given.spoiler, by=BOB)
    reply = given.thread.reply(given.comment, "Me too.", by=BOB)
    given.thread.lock(by=MODERATOR)
    given.thread.edit(reply, "Me too!", by=BOB)
    changes = given.thread.changes(since)
    assert changes.comments == (given.spoiler, reply, "")
    assert changes.events == tuple(given.thread.history(after=since))
    assert (changes.revision, changes.more) == (since + 4, False)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9, 10_000])
def test_changes_come_in_pages(limit: int, given: Given):
    """Asking again with the revision of the answer, until there is no more, tells everything once and in order."""
    pages, since, more = [], 0, True
    while more:
        page = given.thread.changes(since, limit=limit, reader=MODERATOR, reveal="all")
        pages.append(page)
        since, more = page.revision, page.more
    assert [event for page in pages for event in page.events] == list(given.thread.history(reader=MODERATOR, reveal="all"))
    assert all(len(page.events) == limit and page.revision < following.revision for page, following in pairwise(pages))
    assert since == given.thread.revision


@pytest.mark.parametrize(("since", "limit"), [(-1, 10), (0, 0), (0, 10_001)])
def test_changes_are_asked_for_within_bounds(since: int, limit: int, article: StoredThread):
    """A revision below nothing, or a page of no or too many events, is misuse."""
    with pytest.raises(ValueError, match="since must be"):
        article.changes(since, limit=limit)


class Busy(SqliteLog):
    """A log to which somebody else writes right after it was read."""

    meanwhile: tuple[Event, ...] = ()

    def read(self, thread: str, *, after: int = 0) -> Iterator[Record]:
        records = super().read(thread, after=after)
        events, self.meanwhile = self.meanwhile, ()
        self.append(thread, events)
        return records


@pytest.mark.parametrize(
    "tell",
    [
        lambda thread: thread.changes(1).events,
        lambda thread: tuple(thread.history(after=1)),
        lambda thread: tuple(thread.history())[1:],
        lambda thread: tuple(comment.id for comment in thread.as_of(moment(9)).view().comments[1:]),
        lambda thread: tuple(comment.id for comment in thread.as_known_at(9).view().comments[1:]),
    ],
)
def test_what_is_written_meanwhile_is_told_the_next_time(tell: Callable[[StoredThread], tuple[object, ...]]):
    """What is stored after the thread was brought up to date is told by the next call, when it is known who may see it."""
    log = Busy.open(":memory:")
    log.append(THREAD, [posted(1)])
    thread = ThreadStore(log, now=Wall()).thread(THREAD)
    assert thread.changes(0).revision == 1
    log.meanwhile = (posted(2),)
    assert tell(thread) == ()
    assert tell(thread) in [(posted(2),), (id_of(2),)]
    assert thread.changes(1).comments == (id_of(2),)


# --- the past -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def past(place: Place) -> StoredThread:
    """Return a thread whose facts happened one second after the other."""
    thread = place.open().thread(THREAD)
    write = [
        lambda: thread.post("first", by=ANN),
        lambda: thread.reply(ids[0], "second", by=BOB),
        lambda: thread.react(ids[0], by=BOB),
        lambda: thread.edit(ids[0], "first, edited", by=ANN),
        lambda: thread.pin(ids[0], by=MODERATOR),
        lambda: thread.lock(by=MODERATOR),
    ]
    ids: list[str] = []
    for number, each in enumerate(write, 1):
        place.wall.ms = moment(number)
        ids.append(each())
    return thread


def test_a_thread_as_it_was(past: StoredThread):
    """The tree, reactions, pins and locks are those of the moment; texts are today's."""
    pages = [past.as_of(moment(number)).view() for number in range(7)]
    assert [page.counts.total for page in pages] == [0, 1, 2, 2, 2, 2, 2]
    assert [page.comments[0].reactions for page in pages[1:]] == [{}, {}, *[{SUPPORT: 1}] * 4]
    assert [page.comments[0].pinned for page in pages[1:]] == [False] * 4 + [True] * 2
    assert [page.locked for page in pages] == [False] * 6 + [True]
    assert {page.comments[0].body for page in pages[1:]} == {"first, edited"}
    assert replace(pages[6], revision=0) == replace(past.view(), revision=0)


def test_a_moment_is_inclusive(past: StoredThread):
    """What happened in the very millisecond had happened."""
    assert [past.as_of(moment(2) + by).counts().total for by in (-1, 0, 1)] == [1, 2, 2]


def test_a_thread_as_it_was_known(later: Place):
    """What this log held counts, whenever it had happened."""
    store = later.open()
    store.merge([replace(posted(1), thread="another")])
    store.merge([posted(5)])
    store.merge([posted(3), posted(4, to=3)])
    thread = store.thread(THREAD)
    assert [thread.as_known_at(position).counts().total for position in range(5)] == [0, 0, 1, 2, 3]
    assert [thread.as_of(moment(number)).counts().total for number in range(6)] == [0, 0, 0, 1, 2, 3]
    assert store.thread("another").as_known_at(1).counts().total == 1


def test_a_past_conceals_what_is_concealed_today(given: Given):
    """A past brings nothing back that was withheld since, not even while it is being looked at."""
    thread = given.thread
    past = thread.as_of(given.place.wall.ms)
    assert past.comment(given.comment).body == "I was there."
    thread.remove(given.comment, by=MODERATOR)
    assert (past.comment(given.comment).body, past.comment(given.comment).concealed) == (None, "removed")
    thread.restore(given.comment, by=MODERATOR)
    assert past.comment(given.comment).body == "I was there."
    given.place.open().thread(THREAD).erase(given.comment, by=MODERATOR)
    assert "I was there." not in str([past.view(reader=MODERATOR), past.flat(reader=ANN), past.comment(given.comment)])


def test_a_past_can_be_read_in_every_way(past: StoredThread):
    """Whatever can be asked of a thread as it is can be asked of it as it was, save what it became."""
    was = past.as_of(moment(2))
    top = was.view().comments[0].id
    assert [comment.body for comment in was.flat(order="newest").comments] == ["second", "first, edited"]
    assert [comment.body for comment in was.replies(top).comments] == ["second"]
    assert was.comment(top).reply_count == 1
    assert was.corrections() == ()
    assert was.view(order="hot").order == "hot"
    assert not hasattr(was, "post")
    assert not hasattr(was, "history")


# --- other rules --------------------------------------------------------------------------------------------------------------


def test_reading_goes_by_the_policy_of_the_store(later: Place):
    """Roles and kinds of reaction are those of the store's policy in every reading method."""
    later.open().merge([posted(1), reacted(2, 1, "up"), posted(3)])
    store: ThreadStore = later.open(policy=Policy(kinds={"up"}, positive={"up"}, moderators={"editor"}))
    thread = store.thread(THREAD)
    thread.remove(id_of(3), by=EDITOR)
    thread.post("wait", by=ANN, held=True)
    assert thread.counts() == Counts(1, 0, 1, 1, 1)
    assert thread.view().comments[0].reactions == thread.flat().comments[0].reactions == {"up": 1}
    assert thread.comment(id_of(3), reader=EDITOR).body == "w3"
    assert [item.waiting for item in thread.queue().items] == [("held",)]
    assert [event.body for event in thread.history(reader=EDITOR) if isinstance(event, CommentPosted)] == ["w1", "w3", "wait"]
    assert thread.as_of(moment(2)).counts() == Counts(1, 0, 1, 0, 0)
    assert later.open().thread(THREAD).counts() == Counts(2, 0, 2, 1, 0)
