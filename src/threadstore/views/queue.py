"""
What waits to be judged: the corrections that were suggested, and the queue of what is held or reported.

Law: the queue holds each comment and correction that is held or has an open report, the one that waits longest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from threadstore.model.corrections import Article
from threadstore.model.events import CommentReported, CorrectionDecided, CorrectionSuggested
from threadstore.model.ids import time_of
from threadstore.model.outline import FLAGS, Node, flags_in
from threadstore.model.state import Cells
from threadstore.model.status import current_decision, is_forgotten, marks_up
from threadstore.model.values import Actor
from threadstore.plans import Plan
from threadstore.views.cursors import read_cursor, write_cursor
from threadstore.views.lens import Lens, marks_of, shown_actor
from threadstore.views.pages import alone
from threadstore.views.request import PageRequest
from threadstore.views.source import Source
from threadstore.views.types import NO_MARKS, CommentView, CorrectionView, QueueItem, QueueView, ReportView

__all__ = ["Passage", "correction_list", "queue_page"]


class Passage(NamedTuple):
    """The article's text in which quotes are looked for, and which version it is."""

    text: str | None = None
    version: str | None = None


def correction_list(source: Source, passage: Passage, reader: Actor | str | None) -> Plan[tuple[CorrectionView, ...]]:
    """Return the suggested corrections; see `Thread.corrections`."""
    lens = Lens(source.rules, PageRequest(reader=reader))
    nodes = yield from source.corrections()
    cells = yield from source.cells([node.id for node in nodes])
    cutoffs = yield from source.cutoffs()
    article = None if passage.text is None else Article(passage.text)
    return tuple(_correction(lens, node, cells[node.id], cutoffs, article, passage.version) for node in nodes)


def _correction(
    lens: Lens,
    node: Node,
    cells: Cells,
    cutoffs: Mapping[str, str],
    article: Article | None = None,
    version: str | None = None,
) -> CorrectionView:
    suggested = cells["suggested"][node.id,]
    assert isinstance(suggested, CorrectionSuggested), node.id
    flags = flags_in(node.flags)
    concealed = lens.concealment(node)
    erased = "erased" in flags
    decision = current_decision(cells, lens.rules)
    state: Literal["open", "accepted", "declined"] = "open"
    decided = decision if isinstance(decision, CorrectionDecided) and decision.outcome != "reopened" else None
    if decided is not None:
        state = "accepted" if decided.outcome == "accepted" else "declined"
    stays = decided is not None and version != suggested.article_version
    looked = article is not None and concealed is None and not stays
    span = article.anchor(suggested.quote) if article is not None and looked else None
    forgotten = decided is not None and (erased or is_forgotten(decided, cutoffs))
    return CorrectionView(
        id=node.id,
        author=shown_actor(suggested.actor, erased),
        suggested_at=time_of(node.id),
        article_version=suggested.article_version,
        quote=None if concealed else suggested.quote,
        suggestion=None if concealed else suggested.suggestion,
        note="" if concealed else suggested.note,
        state=state,
        decided_by=None if decided is None else shown_actor(decided.actor, forgotten),
        decided_at=None if decided is None else time_of(decided.id),
        decision_note="" if decided is None or forgotten or concealed else decided.note,
        concealed=concealed,
        flags=flags,
        span=span,
        orphaned=looked and span is None,
        marks=marks_of(cells, ("removed", "reported"), suggested, lens.rules) if lens.moderates else NO_MARKS,
    )


def queue_page(source: Source, *, limit: int, after: str | None) -> Plan[QueueView]:
    """Return one page of what waits for a moderator; see `Thread.queue`."""
    request = PageRequest(limit=limit, reveal="all")
    head = yield from source.head()
    lens = Lens(source.rules, request, as_moderator=True)
    behind = None
    if after is not None:
        since, id = read_cursor(after, source.key, "queue", (str, str)).key
        behind = str(since), str(id)
    nodes, count = yield from source.waiting(behind, limit)
    left = count - len(nodes)
    cells = yield from source.cells([node.id for node in nodes])
    cutoffs = yield from source.cutoffs()
    comments = [node for node in nodes if not node.flags & FLAGS["correction"]]
    views = {view.id: view for view in (yield from alone(source, lens, comments))}
    return QueueView(
        thread=source.key,
        revision=head.revision,
        items=tuple(_item(lens, node, cells[node.id], cutoffs, views.get(node.id)) for node in nodes),
        next=write_cursor(source.key, "queue", (nodes[-1].since, nodes[-1].id)) if left else None,
        left=left,
    )


def _item(lens: Lens, node: Node, cells: Cells, cutoffs: Mapping[str, str], comment: CommentView | None) -> QueueItem:
    flags = flags_in(node.flags)
    reasons = ["stale" if node.flags & FLAGS["stale"] else "held"] if "held" in flags else []
    posted = (cells.get("posted") or cells["suggested"])[node.id,]
    reports = sorted(marks_up(cells, "reported", posted, lens.rules), key=lambda report: (report.id, report.writer or ("", "")))
    text = node.id if comment is None else comment.text_id
    return QueueItem(
        id=node.id,
        waiting=(*reasons, *(["reported"] if reports else [])),
        since=node.since,
        comment=comment,
        correction=_correction(lens, node, cells, cutoffs) if comment is None else None,
        reports=tuple(_report(report, text, cutoffs) for report in reports if isinstance(report, CommentReported)),
    )


def _report(report: CommentReported, text: str, cutoffs: Mapping[str, str]) -> ReportView:
    forgotten = is_forgotten(report, cutoffs)
    return ReportView(
        id=report.id,
        actor=shown_actor(report.actor, forgotten),
        reason="" if forgotten else report.reason,
        seen=report.seen,
        outdated=report.seen != text,
    )
