"""
The rules, command by command: who may, what is asked of the thread, and what is to be written.

Each of them goes by the order that `threadstore.decide.decide` tells of, and answers with drafts of
events, or with the id of the fact that stands already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, assert_never

from threadstore.decide.questions import Drafts, Question
from threadstore.errors import (
    CorrectionNotFound,
    DuplicateComment,
    EditWindowClosed,
    NotTheAuthor,
    StaleId,
    ThreadIsClosed,
    ThreadIsLocked,
    TooManyPosts,
    UnknownReaction,
)
from threadstore.model import commands as c
from threadstore.model import events as e
from threadstore.model.ids import NIL, time_of
from threadstore.model.outline import Node, flags_in
from threadstore.model.status import (
    Locks,
    Status,
    cancellable,
    current_decision,
    description,
    effective_kinds,
    is_author,
    is_forgotten,
    marks_up,
    opened,
    rivals,
)
from threadstore.model.values import MAX_CANCELS, MAX_URL, TextQuote, actor_key

__all__ = ["Ruling"]


class Ruling(Question):
    """A question, and its answer."""

    def outcome(self) -> Drafts | str:
        """Return what is to be written, or the id of the fact that stands if nothing is."""
        command: c.AnyCommand = self.command  # type: ignore[assignment]  # the union names all subclasses
        self._check_name()
        match command:
            case c.Post():
                return self._post(command)
            case c.Edit():
                return self._edit(command)
            case c.Delete():
                return self._delete(command)
            case c.React() | c.Unreact():
                return self._react(command)
            case c.MarkSpoiler() | c.ClearSpoiler():
                return self._spoiler(command)
            case c.Report():
                return self._report(command)
            case c.ResolveReports():
                return self._resolve_reports(command)
            case c.Hold() | c.Remove() | c.Pin():
                return self._mark(command)
            case c.Approve():
                return self._approve(command)
            case c.Restore():
                return self._restore(command)
            case c.Unpin():
                return self._unpin(command)
            case c.Lock() | c.Unlock():
                return self._lock(command)
            case c.Describe():
                return self._describe(command)
            case c.SuggestCorrection():
                return self._suggest(command)
            case c.DecideCorrection():
                return self._decide_correction(command)
            case c.Erase():
                return self._erase(command)
            case c.ErasePerson():
                return self._erase_person(command)
            case _:
                assert_never(command)

    # --- comments -------------------------------------------------------------------------------------------------------------

    def _post(self, command: c.Post) -> Drafts:
        policy = self.policy
        self._require(self.by is not None or policy.anonymous)
        if command.parent is not None:
            self._place_allowing("reply", command.parent)
        self._check_open()
        self._said("body", command.body, policy.max_body)
        self._check_flood()
        self._check_duplicate(command)
        held = command.held or self._is_premoderated()
        return self._draft(
            e.CommentPosted,
            parent=command.parent,
            body=command.body,
            spoiler=command.spoiler,
            held=held,
            meta=command.meta,
        )

    def _check_open(self) -> None:
        if self.thread.is_locked(self.rules):
            raise ThreadIsLocked(self.command.thread)
        if self.policy.closes_after is not None and self.thread.earliest:
            closed_at = time_of(self.thread.earliest) + self.policy.closes_after
            if self.now > closed_at:
                raise ThreadIsClosed(self.command.thread, closed_at)

    def _check_flood(self) -> None:
        limit, window = self.policy.flood_limit, self.policy.flood_window
        if limit is None or self._moderates():
            return
        for node in islice(self._own_posts(), limit - 1, limit):
            if (oldest := time_of(node.id)) > self.now - window:
                raise TooManyPosts(self._actor_id(), limit, oldest + window)

    def _check_duplicate(self, command: c.Post) -> None:
        if not self.policy.duplicate_window:
            return
        since = self.now - self.policy.duplicate_window
        for node in self._own_posts():
            if time_of(node.id) <= since:
                return
            posted, status = self._comment(node.id)
            gone = {"erased", "deleted"} & set(status.flags)
            if not gone and posted.parent == command.parent and posted.body == command.body:
                raise DuplicateComment(node.id)

    def _own_posts(self) -> Iterator[Node]:
        """Yield the actor's comments, newest first."""
        return self.thread.posts_by(actor_key(self.by), self.rules)

    def _is_premoderated(self) -> bool:
        whose = self.policy.premoderation
        if whose == "none" or self._moderates():
            return False
        if whose == "all" or self.by is None:
            return True
        return whose == "newcomers" and not any(node.shown for node in self._own_posts())

    def _edit(self, command: c.Edit) -> Drafts | str:
        posted, status = self._comment(command.comment)
        if not self._moderates() and not is_author(self.by, posted):
            raise NotTheAuthor(command.comment, self._actor_id())
        self._must_allow("edit", command.comment, status.flags)
        self._check_edit_window(posted)
        self._said("body", command.body, self.policy.max_body)
        text = status.text
        if text.body == command.body:  # type: ignore[union-attr]  # a comment's text is a post or an edit
            return text.id
        seen = self._seen(command.seen, text.id)
        edits = self.thread.cells(command.comment).get("edited", {}).values()
        by_moderators = max((edit.id for edit in edits if self.rules.moderates(edit.actor)), default=NIL)
        if not self._moderates() and seen < by_moderators:
            raise StaleId(seen, by_moderators)
        replaced = [by_moderators, *(edit.id for edit in edits if is_author(edit.actor, posted))]
        return self._draft(e.CommentEdited, replaced=replaced, comment=command.comment, body=command.body, seen=seen)

    def _check_edit_window(self, posted: e.CommentPosted) -> None:
        if self.policy.edit_window is None or self._moderates():
            return
        closed_at = time_of(posted.id) + self.policy.edit_window
        if self.now > closed_at:
            raise EditWindowClosed(posted.id, closed_at)

    def _delete(self, command: c.Delete) -> Drafts | str:
        posted, status = self._target(command.comment)
        if not is_author(self.by, posted):
            raise NotTheAuthor(command.comment, self._actor_id())
        if "deleted" in status.flags:
            deleted = self.thread.cells(command.comment)["deleted"].values()
            return min(event.id for event in deleted if is_author(event.actor, posted))
        self._must_allow("delete", command.comment, status.flags)
        return self._draft(e.CommentDeleted, comment=command.comment)

    def _react(self, command: c.React | c.Unreact) -> Drafts | str:
        actor = self._identified()
        node = self._place(command.comment)
        if command.kind not in self.rules.kinds:
            raise UnknownReaction(command.kind, sorted(self.rules.kinds))
        kinds = rivals(command.kind, self.rules)
        found = ((kind, self.thread.reaction(command.comment, actor.id, kind)) for kind in kinds)
        mine = {kind: last for kind, last in found if last is not None}
        given = {kind: (last.id, isinstance(last, e.ReactionGiven)) for kind, last in mine.items()}
        counts = command.kind in effective_kinds(given, self.rules)
        if counts == isinstance(command, c.React):
            return mine[command.kind].id if command.kind in mine else command.comment
        replaced = [last.id for last in mine.values()]
        if isinstance(command, c.Unreact):
            return self._draft(e.ReactionWithdrawn, replaced=replaced, comment=command.comment, kind=command.kind)
        self._must_allow("react", command.comment, flags_in(node.flags))
        return self._draft(e.ReactionGiven, replaced=replaced, comment=command.comment, kind=command.kind)

    # --- spoilers and reports -------------------------------------------------------------------------------------------------

    def _spoiler(self, command: c.MarkSpoiler | c.ClearSpoiler) -> Drafts | str:
        posted, status = self._comment(command.comment)
        if not self._moderates() and not is_author(self.by, posted):
            raise NotTheAuthor(command.comment, self._actor_id())
        self._must_allow("spoiler", command.comment, status.flags)
        up = marks_up(self.thread.cells(command.comment), "spoiler", posted, self.rules)
        if isinstance(command, c.MarkSpoiler):
            return max(mark.id for mark in up) if up else self._draft(e.SpoilerMarked, comment=command.comment)
        within_reach = [mark.id for mark in up if self._moderates() or is_author(mark.actor, posted)]
        self._require(bool(within_reach) or not up)
        named = _chosen(command.cancels, within_reach)
        if not named:
            return self._last_cancel("spoiler", command.comment, command.comment, posted)
        return self._draft(e.SpoilerCleared, comment=command.comment, cancels=named)

    def _report(self, command: c.Report) -> Drafts | str:
        self._require(self.by is not None or self.policy.anonymous)
        posted, status = self._target(command.comment)
        self._must_allow("report", command.comment, status.flags)
        self._bounded("reason", command.reason, self.policy.max_reason)
        seen = self._seen(command.seen, status.text.id)
        reports = [mark for mark in status.reported if isinstance(mark, e.CommentReported)]
        for report in reports:
            if report.seen == seen and self._is_mine(report) and (self.by is not None or report.reason == command.reason):
                return report.id
        drafts = self._draft(e.CommentReported, comment=command.comment, reason=command.reason, seen=seen)
        reporters = {report.actor.id for report in reports if report.actor is not None}
        reporters |= {self.by.id} if self.by is not None else set()
        threshold = self.policy.report_threshold
        holds = isinstance(posted, e.CommentPosted) and "held" not in status.flags
        if holds and self.by is not None and threshold is not None and len(reporters) >= threshold:
            drafts.append(self._hold(command.comment))
        return drafts

    def _is_mine(self, event: e.Event) -> bool:
        return self._actor_id() == (None if event.actor is None else event.actor.id)

    def _resolve_reports(self, command: c.ResolveReports) -> Drafts | str:
        self._require(self._moderates())
        _, status = self._target(command.comment)
        named = _chosen(command.cancels, (mark.id for mark in status.reported))
        if not named:
            return self._last_cancel("reported", command.comment, command.comment)
        return self._draft(e.ReportsResolved, comment=command.comment, cancels=named)

    # --- moderation -----------------------------------------------------------------------------------------------------------

    def _mark(self, command: c.Hold | c.Remove | c.Pin) -> Drafts | str:
        self._require(self._moderates())
        flag, kind = _MARKS[type(command)]
        posted, status = self._target(command.comment) if flag == "removed" else self._comment(command.comment)
        self._must_allow(flag, command.comment, status.flags)
        up = marks_up(self.thread.cells(command.comment), flag, posted, self.rules)
        if up:
            return max(mark.id for mark in up)
        if isinstance(command, c.Pin):
            return self._draft(kind, comment=command.comment)
        self._bounded("reason", command.reason, self.policy.max_reason)
        return self._draft(kind, comment=command.comment, reason=command.reason)

    def _approve(self, command: c.Approve) -> Drafts | str:
        self._require(self._moderates())
        posted, status = self._comment(command.comment)
        self._must_allow("open", command.comment, status.flags)
        opening = self._opening(command, posted, status, "held")
        reports = _chosen(command.cancels, (mark.id for mark in status.reported))
        if opening is None and not reports:
            return self._last_cancel("held", command.comment, command.comment)
        seen = self._seen(command.seen, status.text.id)
        fields = opening or {"comment": command.comment, "cancels": (), "seen": seen}
        drafts = self._draft(e.CommentApproved, **fields)
        if reports:
            drafts += self._draft(e.ReportsResolved, comment=command.comment, cancels=reports)
        return drafts

    def _restore(self, command: c.Restore) -> Drafts | str:
        self._require(self._moderates())
        posted, status = self._target(command.comment)
        self._must_allow("open", command.comment, status.flags)
        opening = self._opening(command, posted, status, "removed")
        if opening is None:
            return self._last_cancel("removed", command.comment, command.comment)
        return self._draft(e.CommentRestored, **opening)

    def _opening(self, command: c.Opening, posted: e.Event, status: Status, flag: str) -> dict[str, Any] | None:
        """Return the fields of the approval or the restore; None if all that it names is down and open for the text seen."""
        if flag not in status.flags:
            return None
        cells = self.thread.cells(command.comment)
        named = _chosen(command.cancels, cancellable(cells, flag, posted, self.rules))
        seen = self._seen(command.seen, status.text.id)
        up = {mark.id for mark in marks_up(cells, flag, posted, self.rules)}
        reach = opened(cells, seen, self.rules)
        if all(id not in up and reach.get(id, "") > id for id in named):
            return None
        return {"comment": command.comment, "cancels": named, "seen": seen}

    def _unpin(self, command: c.Unpin) -> Drafts | str:
        self._require(self._moderates())
        posted, _ = self._comment(command.comment)
        named = _chosen(command.cancels, cancellable(self.thread.cells(command.comment), "pinned", posted, self.rules))
        if not named:
            return self._last_cancel("pinned", command.comment, command.comment)
        return self._draft(e.CommentUnpinned, comment=command.comment, cancels=named)

    def _lock(self, command: c.Lock | c.Unlock) -> Drafts | str:
        self._require(self._moderates())
        up = Locks(self.thread.cells(""), self.rules).up
        if isinstance(command, c.Lock):
            self._bounded("reason", command.reason, self.policy.max_reason)
            return up[-1] if up else self._draft(e.ThreadLocked, reason=command.reason)
        named = _chosen(command.cancels, up)
        if not named:
            return self._last_cancel("locked", "", NIL)
        return self._draft(e.ThreadUnlocked, cancels=named)

    def _describe(self, command: c.Describe) -> Drafts | str:
        self._require(self.rules.describes(self.by))
        self._bounded("title", command.title, self.policy.max_reason)
        self._bounded("url", command.url, MAX_URL)
        fields = {"title": command.title, "url": command.url, "article_version": command.article_version}
        return self._say_anew(e.ThreadDescribed, description(self.thread.cells(""), self.rules), fields)

    def _say_anew(self, kind: type[e.Event], former: e.Event | None, fields: Mapping[str, str]) -> Drafts | str:
        """Say something in the place of *former*, unless that says the same already."""
        if former is None:
            return self._draft(kind, **fields)
        forgotten = is_forgotten(former, self._cutoffs())
        if not forgotten and all(getattr(former, name) == value for name, value in fields.items()):
            return former.id
        return self._draft(kind, replaced=[former.id], **fields)

    # --- corrections ----------------------------------------------------------------------------------------------------------

    def _suggest(self, command: c.SuggestCorrection) -> Drafts:
        self._identified()
        limit = self.policy.max_quote
        if type(command.quote) is not TextQuote:
            raise TypeError(f"quote must be a TextQuote, not {type(command.quote).__name__}")
        self._said("quote", command.quote.exact, limit)
        self._bounded("suggestion", command.suggestion, limit)
        self._bounded("note", command.note, self.policy.max_reason)
        return self._draft(
            e.CorrectionSuggested,
            quote=command.quote,
            suggestion=command.suggestion,
            note=command.note,
            article_version=command.article_version,
        )

    def _decide_correction(self, command: c.DecideCorrection) -> Drafts | str:
        self._require(self.rules.edits_article(self.by))
        status = self._correction(command.correction)
        if status is None:
            raise CorrectionNotFound(command.thread, command.correction)
        self._must_allow("report", command.correction, status.flags)
        self._bounded("note", command.note, self.policy.max_reason)
        former = current_decision(self.thread.cells(command.correction), self.rules)
        if former is None and command.outcome == "reopened":
            return command.correction
        fields = {"correction": command.correction, "outcome": command.outcome, "note": command.note}
        return self._say_anew(e.CorrectionDecided, former, fields)

    # --- erasure --------------------------------------------------------------------------------------------------------------

    def _erase(self, command: c.Erase) -> Drafts | str:
        self._require(self._moderates())
        self._target(command.comment)
        erased = self.thread.cells(command.comment).get("erased", {})
        done = [event.id for event in erased.values() if self.rules.moderates(event.actor)]
        return min(done) if done else self._draft(e.CommentErased, comment=command.comment)

    def _erase_person(self, command: c.ErasePerson) -> Drafts | str:
        actor = self._identified()
        self._require(self._moderates() or actor.id == command.person)
        last = self.thread.last_act(command.person)
        cutoff = self._cutoffs().get(command.person, "")
        if cutoff >= last:
            return cutoff
        return self._draft(e.PersonErased, replaced=[last, cutoff], person=command.person)


def _chosen(named: tuple[str, ...] | None, known: Iterable[str]) -> tuple[str, ...]:
    """Return the known marks that the caller names; all of them if it names none, at most as many as one event may."""
    chosen = sorted(known) if named is None else sorted(set(known) & set(named))
    return tuple(chosen[:MAX_CANCELS])


_MARKS: Final[Mapping[type[c.Command], tuple[str, type[e.Event]]]] = {
    c.Hold: ("held", e.CommentHeld),
    c.Remove: ("removed", e.CommentRemoved),
    c.Pin: ("pinned", e.CommentPinned),
}
