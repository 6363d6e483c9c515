"""
What moderators and editors do. Who they are says the session; what they may do says the library, which judges by the role.

A moderator decides about the text and the reports that were on their screen, not about those that came meanwhile: each form
carries what it had shown (`seen`, `cancels`), and what is newer stays in the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from news_site.looking import ArticleLook, Look
from news_site.reading import article_look, look_of
from news_site.safety import Form, Refused, way_back
from news_site.writing import Act, changed, comment_id, form_of, slot_form
from threadstore import Actor, StoredThread
from threadstore.model.erasure import text_fields
from threadstore.model.events import Outcome

__all__ = ["routes"]

_HISTORY = 200
_ITEMS = 20
_THREADS = 20


def _only_moderators(look: Look) -> None:
    if not look.reader.moderates:
        raise HTTPException(403, "This page is for moderators. Sign in as one.")


def queue(request: Request) -> Response:
    """What waits, over all articles; those that have waited longest first."""
    look = look_of(request)
    _only_moderators(look)
    known = look.site.by_key
    pages = look.site.store.queue(limit=_ITEMS, threads=_THREADS, after=request.query_params.get("after") or None)
    waiting = [(known[page.thread], page) for page in pages if page.thread in known]
    more = pages[-1].items[0].since if len(pages) == _THREADS else None
    return look.render("queue.html", waiting=waiting, more=more)


def overview(request: Request) -> Response:
    """All conversations, those first in which something has happened last."""
    look = look_of(request)
    _only_moderators(look)
    page = look.site.store.overview(limit=_THREADS, after=request.query_params.get("after") or None)
    return look.render("overview.html", page=page)


def history(request: Request) -> Response:
    """All that happened to one comment, or to the thread, as far as moderators may see it."""
    look = article_look(request)
    _only_moderators(look)
    id = str(request.path_params["id"]) if "id" in request.path_params else None
    told = look.thread.history(reader=look.reader.actor, reveal="all")
    events = [event for event in told if id is None or event.target == id][-_HISTORY:]
    if not events:
        raise HTTPException(404)
    rows = [
        (event, {name: text for name in sorted(text_fields(type(event))) if (text := getattr(event, name, None))})
        for event in islice(reversed(events), _HISTORY)
    ]
    return look.render("history.html", rows=rows, id=id)


def _marks(form: Form) -> tuple[str, ...] | None:
    """Return the marks that the page had shown; None if it did not say."""
    return form.ids("cancels") if "cancels" in form else None


def _on_comment(act: Callable[[StoredThread, str, Form, Actor], str], sentence: str, *, close: bool = False) -> Act:
    """Return a form that does one thing to a comment."""

    def do(look: ArticleLook, form: Form) -> Response:
        id = comment_id(look)
        act(look.thread, id, form, look.reader.actor)
        return changed(look, form, id, sentence, focus=f"b-{id}", close=close)

    return do


def _remove(thread: StoredThread, id: str, form: Form, by: Actor) -> str:
    if not form["reason"].strip():
        raise Refused(422, "Please give a reason: the history keeps it for those who come after you.")
    return thread.remove(id, by=by, reason=form["reason"].strip())


def lock(look: ArticleLook, form: Form) -> Response:
    look.thread.lock(by=look.reader.actor, reason=form["reason"].strip())
    return look.redirect(look.article.url + "#comments")


def unlock(look: ArticleLook, form: Form) -> Response:
    look.thread.unlock(by=look.reader.actor)
    return look.redirect(look.article.url + "#comments")


_OUTCOMES: Final[dict[str, Outcome]] = {"accepted": "accepted", "declined": "declined", "reopened": "reopened"}


def decide(look: ArticleLook, form: Form) -> Response:
    outcome = _OUTCOMES.get(form["outcome"])
    if outcome is None:
        raise Refused(422, "A correction is accepted, declined or reopened.")
    look.thread.decide_correction(comment_id(look), outcome, by=look.reader.actor, note=form["note"].strip())
    return look.redirect(way_back(form, look.article.url).partition("#")[0] + "#corrections")


def _correction(act: Callable[[StoredThread, str, Form, Actor], str]) -> Act:
    """Return a form that does one thing to a reported correction."""

    def do(look: ArticleLook, form: Form) -> Response:
        act(look.thread, comment_id(look), form, look.reader.actor)
        return look.redirect(way_back(form, look.article.url))

    return do


def routes() -> list[Route]:
    acts: dict[str, tuple[Callable[[StoredThread, str, Form, Actor], str], str]] = {
        "approve": (
            lambda thread, id, form, by: thread.approve(id, by=by, seen=form["seen"] or None, cancels=_marks(form)),
            "Approved.",
        ),
        "restore": (
            lambda thread, id, form, by: thread.restore(id, by=by, seen=form["seen"] or None, cancels=_marks(form)),
            "Restored.",
        ),
        "resolve": (lambda thread, id, form, by: thread.resolve_reports(id, by=by, cancels=_marks(form)), "Reports answered."),
        "hold": (lambda thread, id, form, by: thread.hold(id, by=by), "Held."),
        "pin": (lambda thread, id, form, by: thread.pin(id, by=by), "Pinned."),
        "unpin": (lambda thread, id, form, by: thread.unpin(id, by=by), "No longer pinned."),
        "cover": (lambda thread, id, form, by: thread.mark_spoiler(id, by=by), "Marked as a spoiler."),
    }
    found = [
        Route("/moderation", queue),
        Route("/moderation/conversations", overview),
        Route("/a/{slug}/history", history),
        Route("/a/{slug}/c/{id:uuid}/history", history),
        Route("/a/{slug}/lock", form_of(lock), methods=["POST"]),
        Route("/a/{slug}/unlock", form_of(unlock), methods=["POST"]),
        Route("/a/{slug}/corrections/{id:uuid}/decide", form_of(decide), methods=["POST"]),
    ]
    for name, (act, sentence) in acts.items():
        found.append(Route(f"/a/{{slug}}/c/{{id:uuid}}/{name}", form_of(_on_comment(act, sentence)), methods=["POST"]))
    for name, do in {"resolve": acts["resolve"][0], "restore": acts["restore"][0], "remove": _remove}.items():
        found.append(Route(f"/a/{{slug}}/corrections/{{id:uuid}}/{name}", form_of(_correction(do)), methods=["POST"]))
    page, show = slot_form("remove")
    found.append(Route("/a/{slug}/c/{id:uuid}/remove", page))
    found.append(
        Route("/a/{slug}/c/{id:uuid}/remove", form_of(_on_comment(_remove, "Removed.", close=True), show), methods=["POST"])
    )
    return found
