"""
Comments out of their threads: what was said last anywhere, or by one person, answered from summaries and from the log.

A summary tells how the newest comments of a thread stand, and the log has their words. So a feed looks at the threads in which
something has happened last, one after the other, until no other can have anything newer, and reads the comments that it shows by
their ids. It loads a thread only if more of its comments are asked for than its summary tells of.

Laws: a feed shows a comment if its thread shows it to this reader, with the same words or the same concealment; the newest come
first; nothing that a view withholds is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from heapq import nlargest
from itertools import islice
from operator import itemgetter
from typing import Final

import msgspec

from threadstore.log.protocol import EventLog, Record
from threadstore.model.events import CommentEdited, CommentPosted, is_redacted
from threadstore.model.ids import time_of
from threadstore.model.status import Standing
from threadstore.store.thread import find_readable, readable
from threadstore.summaries import Line, Summed, line_of, older_lines
from threadstore.views.lens import Lens
from threadstore.views.thread import Thread
from threadstore.views.types import CommentView

__all__ = ["Feed", "FeedItem"]

#: How many threads, or older comments of one, are looked at together.
_TOGETHER: Final = 32


class FeedItem(msgspec.Struct, frozen=True):
    """
    One comment in a list over all threads, as one reader sees it.

    Args:
        thread: The key of its thread.
        position: Where it is in the log: what `before=` takes.
        comment: The comment without its thread. Nobody has looked at the tree, so it has no replies and no counts, and
            reactions, mentions, depth, pin, lateness and marks are left out; `StoredThread.comment` has them.
    """

    thread: str
    position: int
    comment: CommentView


class Feed:
    """
    The newest comments of all threads, as one reader sees them.

    Args:
        log: Where the comments are.
        summed: Returns what the summary of each of some threads says, lazily.
        using: Lends a thread.
        lens: How the reader looks, at no thread in particular.
    """

    def __init__(
        self,
        log: EventLog,
        summed: Callable[[Sequence[str]], Iterable[tuple[str, Summed]]],
        using: Callable[[str], AbstractContextManager[Thread]],
        lens: Lens,
    ) -> None:
        self._log = log
        self._summed = summed
        self._using = using
        self._lens = lens

    def page(self, limit: int, below: str) -> Iterator[FeedItem]:
        """Yield the newest comments whose ids are *below*, or the newest of all if that is empty."""
        for id, _, line in self._newest(limit, below):
            if (record := self._log.find(id)) is not None:
                yield from self._item(record, line)

    def of(self, records: Iterator[Record]) -> Iterator[FeedItem]:
        """Yield those of the comments that these records posted that are shown."""
        while some := list(islice(records, _TOGETHER)):
            keys = list(dict.fromkeys(record.thread for record in some))
            summed = dict(self._summed(keys))
            for record in some:
                line = self._line(record.thread, summed[record.thread], record.event.id)
                if line is not None and self._shows(line):
                    yield from self._item(record, line)

    def _line(self, key: str, summed: Summed, id: str) -> Line | None:
        """Return how a comment stands; None if it is gone."""
        if summed.all_listed or id >= summed.newest[-1].id:
            return next((line for line in summed.newest if line.id == id), None)
        with self._using(key) as thread:
            return thread.despite_damage(lambda: line_of(thread, self._lens.rules, id))

    def _item(self, record: Record, line: Line) -> Iterator[FeedItem]:
        """Yield a comment, unless something of it can not be read."""
        posted = next((event for _, event in readable([record])), None)
        text = posted if line.text == line.id else find_readable(self._log, line.text)
        if not isinstance(posted, CommentPosted) or not isinstance(text, CommentPosted | CommentEdited):
            return  # one of them is damaged
        if not is_redacted(text):  # else it has been erased in this very moment
            yield FeedItem(record.thread, record.position, self._view(line, posted, text))

    def _newest(self, limit: int, below: str) -> list[tuple[str, str, Line]]:
        """Return the newest comments that are shown, each with its id and its thread."""
        found: list[tuple[str, str, Line]] = []
        before = ""
        while page := self._log.recent(before=before, limit=_TOGETHER):
            for (key, summed), (_, latest) in zip(self._summed([key for key, _ in page]), page, strict=True):
                if len(found) == limit and found[-1][0] > latest:
                    return found
                shown = (line for line in self._lines(key, summed, below) if self._shows(line))
                found = nlargest(limit, found + [(line.id, key, line) for line in islice(shown, limit)], key=itemgetter(0))
            before = page[-1][1]
        return found

    def _lines(self, key: str, summed: Summed, below: str) -> Iterator[Line]:
        """Yield how a thread's comments stand, the newest first."""
        yield from (line for line in summed.newest if not below or line.id < below)
        more = not summed.all_listed
        last = summed.newest[-1].id if more else ""
        bound = min(last, below) if below else last
        while more:
            with self._using(key) as thread:
                lines = older_lines(thread, self._lens.rules, bound, _TOGETHER)
            yield from lines
            more = len(lines) == _TOGETHER
            bound = lines[-1].id if lines else bound

    def _shows(self, line: Line) -> bool:
        """Return whether this reader is shown the comment, or the notice of its spoiler."""
        if line.flags in ((), ("spoiler",)):
            return True
        posted = find_readable(self._log, line.id)
        return isinstance(posted, CommentPosted) and self._lens.concealment(_standing(line, posted), posted) in (None, "spoiler")

    def _view(self, line: Line, posted: CommentPosted, text: CommentPosted | CommentEdited) -> CommentView:
        edit = text if text.id != posted.id else None
        concealed = self._lens.concealment(_standing(line, text), posted)
        return CommentView(
            id=posted.id,
            parent=posted.parent,
            author=posted.actor,
            posted_at=time_of(posted.id) if posted.at is None else posted.at,
            edited_at=None if edit is None else time_of(edit.id),
            edited_by=None if edit is None else edit.actor,
            text_id=text.id,
            body=None if concealed else text.body,
            concealed=concealed,
            standing=line.flags,
            stale=line.stale,
            spoiler="spoiler" in line.flags,
            reactions={},
            reacted=(),
            mentions=(),
            pinned=False,
            late=False,
            depth=0,
            replies=(),
            reply_count=0,
            left=0,
            more=None,
            meta=dict(posted.meta or {}),
            marks={},
        )


def _standing(line: Line, text: CommentPosted | CommentEdited) -> Standing:
    return Standing(text=text, flags=line.flags, stale=line.stale)
