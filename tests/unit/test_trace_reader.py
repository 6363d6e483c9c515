"""Traces of discussions: how their lines are read, and which events they come to."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from threadstore import (
    SUPPORT,
    Actor,
    CommentDeleted,
    CommentEdited,
    CommentPosted,
    CommentRemoved,
    CommentView,
    Event,
    ReactionGiven,
    ReactionWithdrawn,
    Thread,
    fold,
)
from threadstore.model.ids import NIL, time_of
from threadstore.model.values import MAX_BODY
from threadstore.testing.traces import (
    DOWN,
    MODERATOR,
    TRACE_POLICY,
    UP,
    CommentRow,
    DeleteRow,
    EditRow,
    MalformedTrace,
    Row,
    VoteRow,
    events_of,
    read_trace,
    small_thread,
)

T = 1_136_074_029


def said(id: int, parent: int | None = None, **more: Any) -> CommentRow:
    """Return a comment of thread 1, posted *id* seconds into the story by author 7."""
    return CommentRow(**{"thread": 1, "id": id, "parent": parent, "t": T + id, "author": 7, "len": 20} | more)


def told(*rows: Row, voters: int = 50) -> list[Event]:
    """Return the events that rows come to."""
    return list(events_of(rows, voters=voters))


def posts(events: Iterable[Event]) -> list[CommentPosted]:
    """Return the comments among events."""
    return [event for event in events if isinstance(event, CommentPosted)]


def page(events: Iterable[Event]) -> tuple[CommentView, ...]:
    """Return the first page of the thread that events make."""
    return fold(events).view(policy=TRACE_POLICY).comments


def written(path: Path, *lines: dict[str, Any] | str) -> Path:
    """Write lines to a file and return it."""
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


# --- reading ------------------------------------------------------------------------------------------------------------------


COMMENT = {"thread": 1, "id": 2, "parent": 1, "t": T, "author": 3, "len": 4, "op": 1, "src": 9, "rx": {"heart": 5}}


def test_a_comment_is_read(tmp_path: Path):
    """Fields are read by name; those that are not known, and the mark of an opening post, are skipped."""
    [row] = read_trace(written(tmp_path / "trace.jsonl", COMMENT))
    assert row == CommentRow(thread=1, id=2, parent=1, t=T, author=3, len=4, rx={"heart": 5})


def test_a_vote_is_read(tmp_path: Path):
    """A line with a vote is a vote."""
    line = {"thread": 1, "at_ms": T * 1_000 + 5, "comment": 0, "author": 9, "vote": -1}
    assert list(read_trace(written(tmp_path / "trace.jsonl", line))) == [VoteRow(**line)]


def test_a_log_is_read(tmp_path: Path):
    """Of a log, comments, edits and deletions are read, in their order, and other words are skipped."""
    path = written(
        tmp_path / "log.jsonl",
        {"seq": 1, "at_ms": 5, "op": "create", **{name: COMMENT[name] for name in ("thread", "id", "t", "len")}},
        {"seq": 2, "at_ms": 6, "op": "touch", "id": 2},
        {"seq": 3, "at_ms": 7, "op": "edit", "id": 2, "len": 8},
        {"seq": 4, "at_ms": 9, "op": "delete", "id": 2},
    )
    expected = [CommentRow(thread=1, id=2, t=T, len=4), EditRow(at_ms=7, id=2, len=8), DeleteRow(at_ms=9, id=2)]
    assert list(read_trace(path)) == expected


def test_a_packed_trace_is_read(tmp_path: Path):
    """Whether a file is gzipped is told by its first bytes, not by its name; blank lines do not count."""
    path = tmp_path / "trace.jsonl"
    path.write_bytes(gzip.compress(json.dumps(COMMENT).encode() + b"\n\n"))
    assert len(list(read_trace(path))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        '{"id": 1}',
        '{"thread": 1, "id": "one"}',
        '{"thread": 1, "id": 1, "len": -1}',
        '{"thread": 1, "id": 1, "t": 1.5}',
        '{"thread": 1, "id": 1, "t": 99999999999999}',
        '{"thread": 1, "id": 1, "rx": {"": 1}}',
        '{"thread": 1, "at_ms": 1, "comment": 1, "author": 1, "vote": 2}',
        '{"op": "edit", "id": 1}',
    ],
)
def test_what_is_no_trace_is_refused(line: str, tmp_path: Path):
    """A line that can not be read is named; those before it were good."""
    rows = read_trace(written(tmp_path / "trace.jsonl", COMMENT, line))
    next(rows)
    with pytest.raises(MalformedTrace, match=r"line 2 of .*trace\.jsonl") as caught:
        next(rows)
    assert (caught.value.line, caught.value.path) == (2, str(tmp_path / "trace.jsonl"))
    assert caught.value.why


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: data[:2] + b"\7" + data[3:], lambda data: data[:12] + data]
)
def test_a_damaged_archive_is_refused(damage: Any, tmp_path: Path):
    """An archive that is cut off, of an unknown method, or garbled is no trace."""
    path = tmp_path / "trace.jsonl.gz"
    path.write_bytes(damage(gzip.compress(json.dumps(COMMENT).encode())))
    with pytest.raises(MalformedTrace):
        list(read_trace(path))


def test_a_missing_file_is_the_systems_error(tmp_path: Path):
    """What can not be opened is an OSError that names the file."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(read_trace(tmp_path / "nowhere.jsonl"))


# --- comments -----------------------------------------------------------------------------------------------------------------


def test_the_same_rows_give_the_same_events():
    """An import that is repeated adds nothing; under another name it is another one."""
    rows = small_thread(seed=3)
    events = list(events_of(rows))
    assert events == list(events_of(rows))
    assert not {event.id for event in events} & {event.id for event in events_of(rows, source="other")}
    assert {event.thread for event in events_of(rows, source="other")} == {"other/1"}


def test_a_comment_is_posted():
    """Time, author, parent and length are kept, and a pingback says that it is one."""
    first, second = posts(told(said(1), said(2, parent=1, kind="pingback", len=300)))
    assert (time_of(first.id), first.at, first.actor) == ((T + 1) * 1_000, None, Actor("reader-7", "Reader 7"))
    assert (second.parent, len(second.body), second.meta) == (first.id, 300, {"kind": "pingback"})


def test_texts_differ():
    """Two comments of equal length are not told apart by their length alone."""
    first, second = posts(told(said(1, len=900), said(2, len=900)))
    assert first.body != second.body


def test_a_text_ends_at_the_bound_of_the_format():
    """A length that no event can hold is cut."""
    [post] = posts(told(said(1, len=MAX_BODY + 1)))
    assert len(post.body) == MAX_BODY


def test_nobody_is_anonymous():
    """A comment without an author has no actor."""
    [post] = posts(told(said(1, author=None)))
    assert post.actor is None


def test_a_reply_may_stand_before_its_parent():
    """Where a parent stands in the file does not matter."""
    late, early = posts(told(said(2, parent=1), said(1)))
    assert late.parent == early.id < late.id


def test_a_reply_may_be_older_than_its_parent():
    """The id follows the parent's; the time that the source tells is shown."""
    first, second = posts(told(said(9), said(2, parent=9)))
    assert first.id < second.id
    assert (time_of(second.id), second.at) == (time_of(first.id), (T + 2) * 1_000)
    assert page([first, second])[0].replies[0].posted_at == (T + 2) * 1_000


def test_a_time_before_1970_is_kept():
    """Ids begin in 1970; what was said earlier says so."""
    [post] = posts(told(said(1, t=-5)))
    assert (time_of(post.id), post.at) == (0, -5_000)


def test_an_unknown_time_is_the_parents():
    """Without a time of its own a reply is as old as what it answers, and claims no other time."""
    parent, _, reply = posts(told(said(1), said(5), said(6, parent=1, t=None)))
    assert (time_of(reply.id), reply.at) == (time_of(parent.id), None)


def test_an_unknown_time_is_that_of_the_row_before():
    """Without a time and a parent a comment is as old as the row before it in the same thread."""
    _, _, post = posts(told(said(1), said(5, thread=2), said(6, t=None)))
    assert (time_of(post.id), post.at) == ((T + 1) * 1_000, None)


def test_times_that_are_all_unknown_are_the_first_of_all():
    """Where no time is known at all, 1970 it is."""
    assert [time_of(post.id) for post in posts(told(said(1, t=None), said(2, t=None)))] == [0, 0]


@pytest.mark.parametrize("order", [(4, 5), (5, 4)])
def test_a_lost_parent_is_one_placeholder(order: tuple[int, int]):
    """Children of one missing comment hang together under an id just below their own, whichever comes first."""
    events = told(*(said(number, parent=3) for number in order), said(6, parent=2))
    one, two, other = posts(events)
    assert one.parent == two.parent != other.parent
    assert one.parent is not None
    assert time_of(one.parent) == (T + 4) * 1_000 - 1
    both, single = page(events)
    assert [both.concealed, single.concealed] == ["missing", "missing"]
    assert [reply.id for reply in both.replies] == sorted([one.id, two.id])
    assert sorted(map(time_of, (one.id, two.id))) == [(T + 4) * 1_000, (T + 5) * 1_000]


def test_a_lost_parent_may_be_older_than_ids_are():
    """Before 1970 all ids have one time, and still a child's is above its parent's."""
    events = told(*(said(number, parent=99, t=-number) for number in range(1, 9)))
    [placeholder] = page(events)
    assert placeholder.concealed == "missing"
    assert all(post.id > placeholder.id for post in posts(events))


def test_a_parent_in_another_thread_is_lost():
    """Threads share nothing, so what a comment of another thread would answer is not there."""
    elsewhere, here = posts(told(said(1), said(2, parent=1, thread=2)))
    assert elsewhere.id != here.parent
    assert page([here])[0].concealed == "missing"


def test_a_comment_that_answers_itself_is_kept():
    """Its parent is void, so it hangs under the placeholder for such."""
    events = told(said(1, parent=1))
    [placeholder] = page(events)
    assert (placeholder.id, placeholder.replies[0].id) == (NIL, posts(events)[0].id)


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3)])
def test_comments_in_a_circle_are_kept(order: tuple[int, ...]):
    """Of comments in a circle the smallest hangs under the placeholder and the others below it, in any order of rows."""
    rows = {1: said(1, parent=3), 2: said(2, parent=1), 3: said(3, parent=2), 4: said(4, parent=3, t=None)}
    events = told(*(rows[number] for number in order))
    ids = {number: post.id for number, post in zip(order, posts(events), strict=True)}
    [line] = page(events)
    assert line.id == NIL
    for number in (1, 2, 3, 4):
        [line] = line.replies
        assert line.id == ids[number]


# --- the same id twice --------------------------------------------------------------------------------------------------------


def test_a_row_told_twice_is_one_comment():
    """A row that repeats another, under the same number or with `dup_of`, is the same fact, and its replies find it."""
    events = told(said(1, likes=2), said(1, likes=2), said(2, t=T + 1, likes=2, dup_of=1), said(3, parent=2))
    first, again, twin, reply = posts(events)
    assert first == again == twin
    assert reply.parent == first.id
    assert Counter(map(type, events)) == {CommentPosted: 4, ReactionGiven: 2}


def test_two_comments_under_one_id_are_two():
    """What shares its id with another and differs is kept; replies belong to the first."""
    first, other, third, reply = posts(told(said(1), said(1, len=21), said(1, len=22), said(2, parent=1)))
    assert len({first.id, other.id, third.id}) == 3
    assert reply.parent == first.id


def test_a_copy_that_differs_is_a_comment():
    """What the source has twice under one id with another parent is two comments."""
    first, copy = posts(told(said(1), said(2, t=T + 1, parent=1, dup_of=1)))
    assert copy.parent == first.id


# --- what happened to comments ------------------------------------------------------------------------------------------------


def test_a_comment_is_held_or_removed():
    """What waits for a moderator is held, and what a moderator took down is removed."""
    thread = fold(told(said(1, pending=1), said(2, hidden=1), said(3)))
    counts = thread.counts()
    assert (counts.total, counts.pending, counts.hidden) == (1, 1, 1)


@pytest.mark.parametrize(("deleted", "at"), [(1, T + 4), (T + 60, T + 60)])
def test_an_author_deletes(deleted: int, at: int):
    """A deletion is the author's, at its time where that is known."""
    post, event = told(said(4, deleted=deleted))
    assert isinstance(event, CommentDeleted)
    assert (event.actor, event.comment, time_of(event.id)) == (post.actor, post.id, at * 1_000)


def test_what_nobody_wrote_is_removed():
    """Without an author, deleting is a moderator's removal: an anonymous actor equals nobody."""
    _, event = told(said(1, author=None, deleted=1))
    assert isinstance(event, CommentRemoved)
    assert event.actor == MODERATOR


def test_a_comment_is_edited():
    """Each edit had seen the text before; the last is dated, and its length is that of the row."""
    post, *edits = told(said(1, edits=3, edited=T + 60))
    assert [edit.seen for edit in edits if isinstance(edit, CommentEdited)] == [post.id, edits[0].id, edits[1].id]
    assert [time_of(edit.id) for edit in edits] == [(T + 1) * 1_000] * 2 + [(T + 60) * 1_000]
    [comment] = page([post, *edits])
    assert (comment.text_id, comment.edited_by) == (edits[-1].id, post.actor)
    assert comment.body is not None
    assert len(comment.body) == 20


def test_an_edit_without_a_number_is_one():
    """Where the source only says that there was an edit, there was one, by a moderator if nobody else could."""
    post, edit = told(said(1, edited=1, author=None))
    assert isinstance(edit, CommentEdited)
    assert (edit.actor, edit.seen) == (MODERATOR, post.id)


def test_a_log_is_kept_in_order():
    """Edits and deletions of a log come where they stood, and those of comments that it does not have are left out."""
    log = (
        said(1),
        EditRow(T * 1_000, 9, 5),
        said(2),
        EditRow(T * 1_000, 1, 5),
        EditRow(T * 1_000, 1, 6),
        DeleteRow(T * 1_000, 2),
    )
    events = told(*log)
    assert [type(event) for event in events] == [CommentPosted, CommentPosted, CommentEdited, CommentEdited, CommentDeleted]
    [comment] = page(events)
    assert comment.text_id == events[3].id > events[2].id > events[0].id
    assert comment.body is not None
    assert len(comment.body) == 6


def test_a_log_speaks_of_the_first_of_two():
    """Where a log has two comments under one number, its edits are of the first."""
    first, _, edit = told(said(1), said(1, len=9), EditRow(T * 1_000, 1, 5))
    assert isinstance(edit, CommentEdited)
    assert edit.comment == first.id


# --- reactions ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"likes": 3}, {SUPPORT: 3}),
        ({"rx": {"heart": 2}}, {"heart": 2}),
        ({"likes": 1, "rx": {"heart": 2}}, {SUPPORT: 1, "heart": 2}),
        ({"up": 2, "down": 1}, {UP: 2, DOWN: 1}),
        ({"score": 4}, {UP: 4}),
        ({"score": -4}, {DOWN: 4}),
        ({"score": 298, "reads": 17}, {}),
        ({"score": 0}, {}),
        ({"likes": 500}, {SUPPORT: 50}),
        ({"up": 300, "down": 100}, {UP: 37, DOWN: 12}),
    ],
)
def test_reactions_are_made_up(fields: dict[str, Any], expected: dict[str, int]):
    """So many different people reacted as the source counts, thinned out in proportion beyond the bound."""
    _, *given = told(said(1, **fields))
    assert Counter(event.kind for event in given if isinstance(event, ReactionGiven)) == expected
    assert len({event.actor for event in given}) == len(given)
    assert sorted({event.id for event in given}) == [event.id for event in given]


def test_reactions_can_be_left_out():
    """Without voters there are no reactions."""
    assert len(told(said(1, likes=3), voters=0)) == 1


def test_votes_are_kept_in_order():
    """A changed mind counts once, a pass takes back what was given, and is nothing where nothing was given."""
    at = T * 1_000
    votes = [
        VoteRow(1, at + when, 1, voter, vote) for when, voter, vote in ((5, 1, 1), (6, 1, -1), (6, 2, 0), (7, 3, 1), (7, 3, 0))
    ]
    events = told(said(1, t=T), *votes, VoteRow(1, at + 8, 1, 3, 0))
    kinds = [type(event) for event in events]
    assert kinds == [CommentPosted, ReactionGiven, ReactionGiven, ReactionGiven, ReactionWithdrawn]
    assert len({event.id for event in events}) == 5
    [comment] = page(events)
    assert comment.reactions == {DOWN: 1}


def test_a_comment_is_made_up_for_its_votes():
    """Votes on a comment that the trace does not hold find one, posted by nobody when the first of them was cast."""
    events = told(VoteRow(1, T * 1_000 + 5, 0, 1, 1), VoteRow(1, T * 1_000 + 6, 0, 2, 1))
    post, *votes = events
    assert isinstance(post, CommentPosted)
    assert (post.actor, time_of(post.id), len(votes)) == (None, T * 1_000, 2)
    assert page(events)[0].reactions == {UP: 2}


def test_a_vote_may_stand_before_its_comment():
    """The comment is told with the first vote, once with all that happened to it."""
    events = told(VoteRow(1, T * 1_000, 1, 1, 1), said(1, likes=2))
    assert Counter(map(type, events)) == {CommentPosted: 2, ReactionGiven: 3}


# --- a trace without a file ---------------------------------------------------------------------------------------------------


def test_a_small_thread_has_the_oddities_of_large_ones():
    """The made-up thread has lost parents, unknown and early times, anonymous authors, likes, edits and deletions."""
    rows = small_thread(size=400)
    events = list(events_of(rows))
    thread: Thread = fold(events)
    counts = thread.counts()
    assert counts.total + counts.pending + counts.hidden == len(rows) == 400
    assert min(counts.top_level, counts.replies, counts.pending, counts.hidden) > 0
    assert any(row.t is None for row in rows)
    assert any(row.author is None for row in rows)
    assert any(row.parent is not None and row.parent > 400 for row in rows)
    assert any(post.at is not None for post in posts(events))
    assert {type(event) for event in events} >= {CommentPosted, CommentEdited, CommentDeleted, ReactionGiven}


def test_a_small_thread_is_chosen_by_its_seed():
    """Equal seeds give equal threads, others give others."""
    assert small_thread(1) == small_thread(1) != small_thread(2)
