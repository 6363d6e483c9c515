"""
Real discussions, recounted: whatever happened in them, nothing is lost and every figure is right.

The expectation is counted from the lines of a trace, by the plain code below, which knows nothing of events. It is compared
with what a reader gets who pages through the thread. The traces are no part of the project: `THREADSTORE_TRACES` names their
folder, by default ``../shared/data/traces``. Of the larger ones every n-th thread is looked at, under the profile "nightly"
every one.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

import threadstore
from threadstore import CommentPosted, CommentView, Counts, Event, Thread, fold
from threadstore.model.codec import decode, encode
from threadstore.model.ids import NIL
from threadstore.testing.traces import TRACE_POLICY, events_of, read_trace

TRACES = Path(os.environ.get("THREADSTORE_TRACES") or Path(__file__).parents[3] / "shared" / "data" / "traces")
NIGHTLY = os.environ.get("THREADSTORE_PROFILE") == "nightly"
VOTERS = 50
VOID = "void"

#: The files, and of how many of their threads one is looked at.
FILES = {
    "blog_comments": 1,
    "discourse_urho3d": 3,
    "polis_comments": 5,
    "polis_votes.events": 5,
    "reddit_2006q1": 3,
    "reddit_threads": 1,
    "slack_clojurians": 1,
    "slack_clojurians.events": 1,
    "telegram_hyperdbg": 1,
    "twisted_mail": 3,
    "usenet_cobol": 5,
    "weibo_ced": 61,
}

pytestmark = pytest.mark.skipif(not TRACES.is_dir(), reason="the traces are not here; THREADSTORE_TRACES names their folder")

Record = dict[str, Any]
#: A comment's number in the trace, "void", or "lost" and the number of a parent that the trace does not hold.
Place = int | str | None


# --- what the lines say -------------------------------------------------------------------------------------------------------


def path_of(name: str) -> Path:
    """Return the path of a trace."""
    return TRACES / f"{name}.jsonl.gz"


def sampled(name: str, folder: Path) -> tuple[Path, list[Record]]:
    """Return a file of the lines that are looked at, and what they say."""
    step = 1 if NIGHTLY else FILES[name]
    chosen: list[Record] = []
    sample = folder / "sample.jsonl"
    with gzip.open(path_of(name), "rb") as lines, sample.open("wb") as file:
        for line in lines:
            said = json.loads(line)
            if said.get("thread", 0) % step == 0:
                file.write(line)
                chosen.append(said)
    return sample, chosen


def from_log(lines: Iterable[Record]) -> list[Record]:
    """Return the comments that a log of creations, edits and deletions leaves behind."""
    comments: dict[int, Record] = {}
    for line in lines:
        if line["op"] == "create":
            comments[line["id"]] = {name: line[name] for name in ("thread", "id", "parent", "t", "author", "len")}
        elif line["op"] == "edit":
            comments[line["id"]]["len"] = line["len"]
        elif line["op"] == "delete":
            comments[line["id"]]["deleted"] = 1
    return list(comments.values())


def from_votes(lines: Iterable[Record]) -> list[Record]:
    """Return the comments that a sequence of votes is about, with what the last vote of everybody comes to."""
    last: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    first: dict[tuple[int, int], int] = {}
    for line in lines:
        place = (line["thread"], line["comment"])
        last[place][line["author"]] = line["vote"]
        first.setdefault(place, line["at_ms"] // 1_000)
    comments = []
    for (thread, id), votes in last.items():
        cast = Counter(votes.values())
        said = {"thread": thread, "id": id, "parent": None, "t": first[thread, id], "author": None, "len": 80}
        comments.append({**said, "votes": {"up": cast[1], "down": cast[-1]}})
    return comments


def without_repeats(lines: Iterable[Record]) -> list[Record]:
    """Return the comments without those that say again, in every respect, what the same comment of the source has said."""
    known: dict[int, Record] = {}
    for line in lines:
        said = {name: value for name, value in line.items() if name not in ("id", "dup_of")}
        if said != known.get(line.get("dup_of")):
            known[line["id"]] = said
    return [{**said, "id": id} for id, said in known.items()]


def records_of(lines: list[Record]) -> list[Record]:
    """Return the comments of a trace."""
    if "vote" in lines[0]:
        return from_votes(lines)
    return from_log(lines) if isinstance(lines[0].get("op"), str) else without_repeats(lines)


def concealment(record: Record) -> str | None:
    """Return why a comment is withheld: an author deletes, and what nobody is known to have written is removed."""
    if record.get("deleted") and record["author"] is not None:
        return "deleted"
    if record.get("deleted") or record.get("hidden"):
        return "removed"
    return "held" if record.get("pending") else None


def reactions(record: Record) -> dict[str, int]:
    """Return the votes for a comment, thinned out to the bound."""
    votes = record.get("votes")
    if votes is None:
        score = 0 if "reads" in record else record.get("score", 0)
        votes = {"up": record.get("up", 0) or max(score, 0), "down": record.get("down", 0) or max(-score, 0)}
        votes["support"] = record.get("likes", 0)
        total = max(sum(votes.values()), VOTERS)
        votes = {kind: count * VOTERS // total for kind, count in votes.items()}
    return {kind: count for kind, count in votes.items() if count}


class Recount:
    """One thread, counted from its records."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = {record["id"]: record for record in records}
        self.shown = {id: concealment(record) is None for id, record in self.records.items()}
        self.depths: dict[int, int] = {}
        self.below: dict[Place, list[int]] = defaultdict(list)
        for id in self.records:
            self.below[self.place(id)].append(id)

    def place(self, id: int) -> Place:
        """Return what a comment hangs below."""
        parent = self.records[id]["parent"]
        if parent is None or (parent != id and parent in self.records):
            return parent
        return VOID if parent == id else f"lost {parent}"

    def depth(self, id: int) -> int:
        """Return how many comments, lost ones included, are above a comment."""
        line = [id]
        while isinstance(place := self.place(line[-1]), int):
            line.append(place)
        return len(line) - 1 + (place is not None)

    def in_pages(self) -> dict[int, tuple[object, ...]]:
        """Return what the public sees of each comment that is on a page: what is shown, and what has something shown below it."""
        seen: set[int] = set()
        for id, shown in self.shown.items():
            climber: Place = id if shown else None
            while isinstance(climber, int) and climber not in seen:
                seen.add(climber)
                climber = self.place(climber)
        return {id: self._row(self.records[id]) for id in seen}

    def _row(self, record: Record) -> tuple[object, ...]:
        id, why = record["id"], concealment(record)
        return (
            self.place(id),
            self.depth(id),
            record["t"] * 1_000,
            sum(self.shown[child] for child in self.below[id]),
            why,
            None if why else record["len"],
            {} if why else reactions(record),
        )

    def counts(self) -> Counts:
        """Return how many comments there are."""
        shown = [record for id, record in self.records.items() if self.shown[id]]
        held = sum(concealment(record) == "held" for record in self.records.values())
        top = sum(record["parent"] is None for record in shown)
        return Counts(top, len(shown) - top, len(shown), held, len(self.records) - len(shown) - held)


# --- what a reader sees -------------------------------------------------------------------------------------------------------


def bounds_for(size: int) -> dict[str, int]:
    """Return small pages for a small thread, so that most of it is behind cursors, and larger ones for a large thread."""
    if size <= 500:
        return {"limit": 7, "replies": 2, "depth": 3, "rows": 25}
    return {"limit": 100, "replies": 20, "depth": 5, "rows": 1_000}


def traversal(thread: Thread, bounds: dict[str, int]) -> Iterator[tuple[CommentView, CommentView | None]]:
    """Yield every comment that paging finds, each with the one that it hangs below."""
    after = None
    while True:
        page = thread.view(after=after, policy=TRACE_POLICY, **bounds)
        waiting: list[tuple[CommentView, CommentView | None]] = [(comment, None) for comment in reversed(page.comments)]
        while waiting:
            comment, above = waiting.pop()
            yield comment, above
            replies = list(all_replies(thread, comment, bounds))
            waiting += [(reply, comment) for reply in reversed(replies)]
        if page.next is None:
            assert page.left == 0
            return
        after = page.next


def all_replies(thread: Thread, comment: CommentView, bounds: dict[str, int]) -> Iterator[CommentView]:
    """Yield the replies on the page, and those behind its cursor."""
    yield from comment.replies
    more, left = comment.more, comment.left
    while more is not None:
        page = thread.replies(comment.id, after=more, policy=TRACE_POLICY, **bounds)
        assert len(page.comments) + page.left == left, "what a cut says is left is what the next page has"
        yield from page.comments
        more, left = page.next, page.left
    assert left == 0


def check_thread(recount: Recount, thread: Thread, ids: dict[int, str], lost: dict[str, str]) -> None:
    """Compare what paging finds with the recount; *lost* says which missing parent of the trace an id stands for."""
    numbers = {id: number for number, id in ids.items()}
    found: dict[int, tuple[object, ...]] = {}
    siblings: dict[str, list[str]] = defaultdict(list)
    placeholders = []
    for comment, above in traversal(thread, bounds_for(len(ids))):
        siblings["" if above is None else above.id].append(comment.id)
        if comment.concealed == "missing":
            assert above is None
            placeholders.append(comment.id)
            continue
        number = numbers[comment.id]
        assert number not in found, "no comment is shown twice"
        place: Place = None if above is None else numbers.get(above.id) or lost[above.id]
        body = None if comment.body is None else len(comment.body)
        found[number] = (
            place,
            comment.depth,
            comment.posted_at,
            comment.reply_count,
            comment.concealed,
            body,
            comment.reactions,
        )
    assert found == recount.in_pages()
    assert thread.counts(policy=TRACE_POLICY) == recount.counts()
    assert all(order == sorted(order) for order in siblings.values()), "oldest first"
    assert {lost[id] for id in placeholders} == {row[0] for row in found.values() if isinstance(row[0], str)}
    for number in ids.keys() - found.keys():
        assert thread.comment(ids[number], policy=TRACE_POLICY).concealed == concealment(recount.records[number])


def grouped(events: Iterable[Event]) -> dict[int, list[Event]]:
    """Return the events of each thread, by its number."""
    threads: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        threads[int(event.thread.rpartition("/")[2])].append(event)
    return threads


def numbered(records: Iterable[Record], events: Iterable[Event]) -> dict[int, str]:
    """Return the id of each comment: the trace and its events tell of them in the same order."""
    posted = dict.fromkeys(event.id for event in events if isinstance(event, CommentPosted))
    return {record["id"]: id for record, id in zip(records, posted, strict=True)}


def kept_up(events: Sequence[Event]) -> Thread:
    """Return the thread of some events, the later half of which came while it was being read."""
    half = len(events) // 2
    thread = fold(events[:half])
    thread.view(order="active", policy=TRACE_POLICY)
    for event in events[half:]:
        thread.apply(event)
    return thread


def lost_parents(recount: Recount, events: Iterable[Event], ids: dict[int, str]) -> dict[str, str]:
    """Return which missing parent each id stands for that a comment answers and nobody has posted."""
    parents = {event.id: event.parent for event in events if isinstance(event, CommentPosted)}
    lost = {NIL: VOID}
    for number, id in ids.items():
        parent, place = parents[id], recount.place(number)
        if isinstance(place, str) and place != VOID:
            assert parent is not None
            assert parent < id
            assert lost.setdefault(parent, place) == place, "children of one missing parent stay together"
    assert len(set(lost.values())) == len(lost)
    return lost


@pytest.mark.parametrize("name", FILES)
def test_a_real_discussion_is_whole(name: str, tmp_path: Path):
    """No comment of a real thread is lost, moved, doubled or miscounted, and its events fold alike in any order."""
    sample, lines = sampled(name, tmp_path)
    records: dict[int, list[Record]] = defaultdict(list)
    for record in records_of(lines):
        records[record["thread"]].append(record)
    events = grouped(events_of(read_trace(sample), voters=VOTERS))
    assert events.keys() == records.keys()
    for number, told in events.items():
        recount = Recount(records[number])
        ids = numbered(records[number], told)
        thread = kept_up(told)
        check_thread(recount, thread, ids, lost_parents(recount, told, ids))
        assert [decode(encode(event)) for event in told] == told
        again = told[:]
        Random(number).shuffle(again)
        assert fold(again).digest() == thread.digest()


def test_every_trace_is_looked_at():
    """A trace that is added to the folder is added to the table above."""
    assert {path.name.removesuffix(".jsonl.gz") for path in TRACES.glob("*.jsonl.gz")} == set(FILES)


@pytest.mark.parametrize("order", ["oldest", "newest", "active"])
def test_a_store_shows_what_the_fold_shows(order: str, tmp_path: Path):
    """A real thread of ten thousand comments has the same pages from a SQLite file, opened anew, as from its events."""
    events = list(events_of(read_trace(path_of("telegram_hyperdbg"))))
    with threadstore.open(tmp_path / "trace.db", policy=TRACE_POLICY) as store:
        assert store.merge(events) == len(events)
    thread = fold(events)
    with threadstore.open(tmp_path / "trace.db", policy=TRACE_POLICY) as store:
        stored = store.thread(thread.key)
        assert stored.digest() == thread.digest()
        after = None
        for _ in range(20):
            page = stored.view(order=order, after=after, limit=100)
            assert replace(page, revision=0) == thread.view(order=order, after=after, limit=100, policy=TRACE_POLICY)
            after = page.next
        assert after is not None
