"""
What waits to be judged: the corrections that were suggested, and the queue of what is held or reported.

Law: the queue holds each comment and correction that is held or has an open report, the one that waits longest first.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

from threadstore.model.corrections import Article
from threadstore.model.events import Actor, CommentReported, CorrectionDecided, CorrectionSuggested, Event
from threadstore.model.ids import time_of
from threadstore.model.policy import Rules
from threadstore.model.status import Standing, cancellable, current_decision, is_absorbed, marks_up
from threadstore.views.cursors import read_cursor, write_cursor
from threadstore.views.lens import Lens, Outlined, shown_actor
from threadstore.views.pages import alone, check_bounds
from threadstore.views.types import CorrectionView, QueueItem, QueueView, ReportView

__all__ = ["correction_list", "queue_page", "waits_since"]


def correction_list(
    thread: Outlined, *, text: str | None, article_version: str | None, reader: Actor | str | None, rules: Rules
) -> tuple[CorrectionView, ...]:
    """Return the suggested corrections; see `Thread.corrections`."""
    lens = Lens(thread, rules, reader, ())
    article = None if text is None else Article(text)
    return tuple(_correction(lens, id, article, article_version) for id in lens.outline.corrections)


def _correction(lens: Lens, id: str, article: Article | None = None, article_version: str | None = None) -> CorrectionView:
    standing = lens.outline.correction(id)
    assert standing is not None, id
    suggested = standing.text
    assert isinstance(suggested, CorrectionSuggested), id
    concealed = lens.concealment(standing, suggested)
    erased = "erased" in standing.flags
    decision = current_decision(lens.thread.cells(id), lens.rules)
    state: Literal["open", "accepted", "declined"] = "open"
    decided = decision if isinstance(decision, CorrectionDecided) and decision.outcome != "reopened" else None
    if decided is not None:
        state = "accepted" if decided.outcome == "accepted" else "declined"
    stays = decided is not None and article_version != suggested.article_version
    looked = article is not None and concealed is None and not stays
    span = article.anchor(suggested.quote) if article is not None and looked else None
    forgotten = decided is not None and (erased or is_absorbed(decided, lens.outline.horizons))
    return CorrectionView(
        id=id,
        author=shown_actor(suggested.actor, erased),
        suggested_at=time_of(id),
        article_version=suggested.article_version,
        quote=None if concealed else suggested.quote,
        suggestion=None if concealed else suggested.suggestion,
        note="" if concealed else suggested.note,
        state=state,
        decided_by=None if decided is None else shown_actor(decided.actor, forgotten),
        decided_at=None if decided is None else time_of(decided.id),
        decision_note="" if decided is None or forgotten or concealed else decided.note,
        concealed=concealed,
        standing=standing.flags,
        span=span,
        orphaned=looked and span is None,
        marks=_marks(lens, id, suggested) if lens.moderates else {},
    )


def _marks(lens: Lens, id: str, suggested: Event) -> dict[str, tuple[str, ...]]:
    """Return what a moderator's cancels should name, by flag."""
    cells = lens.thread.today.cells(id)
    named = ((flag, cancellable(cells, flag, suggested, lens.rules)) for flag in ("removed", "reported"))
    return {flag: ids for flag, ids in named if ids}


def queue_page(thread: Outlined, *, limit: int, after: str | None, rules: Rules) -> QueueView:
    """Return one page of what waits for a moderator; see `Thread.queue`."""
    check_bounds(limit)
    lens = Lens(thread, rules, None, "all", as_moderator=True)
    waiting = sorted((_since(lens, id, standing), id) for id, standing in lens.outline.waiting.items())
    start = 0
    if after is not None:
        mark = read_cursor(after, thread.key, "queue", (str, str))
        start = bisect_right(waiting, (str(mark.key[0]), str(mark.key[1])))
    page = waiting[start : start + limit]
    left = len(waiting) - start - len(page)
    return QueueView(
        thread=thread.key,
        revision=thread.revision,
        items=tuple(_queue_item(lens, since, id) for since, id in page),
        next=write_cursor(thread.key, "queue", page[-1]) if left else None,
        left=left,
    )


def waits_since(thread: Outlined, rules: Rules) -> str:
    """Return the oldest fact that something waits for; empty if nothing waits. Complexity: O(w) for w waiting."""
    if not thread.outline(rules).waiting:
        return ""
    lens = Lens(thread, rules, None, "all", as_moderator=True)
    return min(_since(lens, id, standing) for id, standing in lens.outline.waiting.items())


def _since(lens: Lens, id: str, standing: Standing) -> str:
    """Return the oldest fact that something waits for."""
    facts = [mark.id for mark in standing.reported]
    if "held" in standing.flags:
        held = marks_up(lens.thread.today.cells(id), "held", _said(lens, id), lens.rules)
        facts += [mark.id for mark in held]
        if standing.stale:
            facts.append(standing.text.id)
    return min(facts)


def _said(lens: Lens, id: str) -> Event:
    cells = lens.thread.today.cells(id)
    return (cells.get("posted") or cells["suggested"])[id,]


def _queue_item(lens: Lens, since: str, id: str) -> QueueItem:
    standing = lens.outline.waiting[id]
    node = lens.outline.comment(id)
    reasons = [("held" if not standing.stale else "stale")] if "held" in standing.flags else []
    if standing.reported:
        reasons.append("reported")
    return QueueItem(
        id=id,
        waiting=tuple(reasons),
        since=since,
        comment=None if node is None else alone(lens, node),
        correction=_correction(lens, id) if node is None else None,
        reports=tuple(
            _report(report, standing.text.id, lens.outline.horizons)
            for report in standing.reported
            if isinstance(report, CommentReported)
        ),
    )


def _report(report: CommentReported, text: str, horizons: dict[str, str]) -> ReportView:
    forgotten = is_absorbed(report, horizons)
    return ReportView(
        id=report.id,
        actor=shown_actor(report.actor, forgotten),
        reason="" if forgotten else report.reason,
        seen=report.seen,
        outdated=report.seen != text,
    )
