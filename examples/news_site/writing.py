"""
What readers do. Every act is a plain form, answered with a redirect or, for the page's script, with the parts that changed.

What is refused comes back as the same form with a sentence above it, and with all that the reader had typed.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from news_site.looking import ArticleLook, Look, Revealed
from news_site.people import ACCOUNTS, remember_name, sign_in, sign_out
from news_site.reading import article_look, look_of, show_article, show_comment
from news_site.safety import Form, Problem, Refused, check_sender, explain, read_form, way_back
from threadstore import (
    Actor,
    BodyTooLong,
    CommentIsGone,
    CommentView,
    ConflictingEvent,
    NotTheAuthor,
    ThreadStoreError,
    anchor,
    quote_of,
)
from threadstore.model.values import TextQuote

__all__ = ["Act", "changed", "comment_id", "form_of", "routes", "show_problem", "slot_form"]

Act = Callable[[ArticleLook, Form], Response]
Show = Callable[[ArticleLook, Form, Problem], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def show_problem(look: Look, form: Form, problem: Problem) -> Response:
    """Answer a button that was refused: there is nothing typed to give back."""
    if look.fragment:
        return look.parts(look.say(problem.sentence, alert=True), problem=problem)
    return look.render("problem.html", problem.status, problem=problem)


def form_of(act: Act, show: Show = show_problem) -> Endpoint:
    """Return the endpoint of a form under an article: *act* does it, *show* shows it again when it was refused."""

    def sent(request: Request, form: Form) -> Response:
        look = article_look(request)
        try:
            check_sender(request, look.reader, form)
            look.site.pace.check(request.client.host if request.client else "", time.monotonic())
            return act(look, form)
        except (Refused, ThreadStoreError, ValueError) as error:
            if isinstance(error, ConflictingEvent):
                form.pop("once", None)  # what was sent before stands; sent once more, this is another
            return show(look, form, explain(error, look.site.now()))

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(sent, request, await read_form(request))

    return endpoint


def comment_id(look: ArticleLook) -> str:
    return str(look.request.path_params["id"])


def changed(look: ArticleLook, form: Form, id: str, sentence: str, *, focus: str = "", close: bool = False) -> Response:
    """Answer an act on a comment: with the comment as it is now, or with the way back to it; *close* the form below it."""
    if not look.fragment:
        return look.redirect(way_back(form, look.url(id)).partition("#")[0] + f"#b-{id}")
    comment = look.comment(id, replies=0)
    return look.parts(
        look.part("comment.html", "arrived", comment) if look.is_shown(comment) else look.part("parts.html", "gone", f"c-{id}"),
        look.part("forms.html", "empty", id) if close else "",
        look.part("article_parts.html", "heading", look.thread.counts()),
        look.say(sentence),
        look.focus(focus) if focus else "",
    )


# --- writing ------------------------------------------------------------------------------------------------------------------


def named(look: ArticleLook, form: Form) -> Actor:
    """
    Return who writes, under the name in the form.

    Raises:
        BodyTooLong: The name is too long.
    """
    if look.reader.account:
        return look.reader.actor
    name = " ".join(form["name"].split())
    longest = look.site.store.policy.max_name
    if len(name) > longest:
        raise BodyTooLong("name", len(name), longest)
    return Actor(look.reader.actor.id, name)


def post(look: ArticleLook, form: Form) -> Response:
    """A comment at the top level."""
    by = named(look, form)

    def write(id: str) -> str:
        return look.thread.post(form["body"].rstrip(), by=by, spoiler=bool(form["spoiler"]), id=id)

    return _posted(look, form, by, look.site.once(by.id, form["once"], write), "top")


def reply(look: ArticleLook, form: Form) -> Response:
    by, to = named(look, form), comment_id(look)

    def write(id: str) -> str:
        return look.thread.reply(to, form["body"].rstrip(), by=by, spoiler=bool(form["spoiler"]), id=id)

    return _posted(look, form, by, look.site.once(by.id, form["once"], write, after=to), to)


def _posted(look: ArticleLook, form: Form, by: Actor, id: str, slot: str) -> Response:
    if not look.reader.account:
        remember_name(look.request, by.name)
        look.reader = look.site.look(look.request).reader
    if not look.fragment:
        return look.redirect(f"{look.url(id)}#b-{id}")
    comment = look.comment(id, replies=0)
    waits = "held" in comment.flags
    return look.parts(
        look.part("comment.html", "arrived", comment, own=True),
        look.part("forms.html", "top", Form(), None) if slot == "top" else look.part("forms.html", "empty", slot),
        look.part("article_parts.html", "heading", look.thread.counts()),
        look.say("Your comment waits for a moderator." if waits else "Your comment is posted."),
        look.focus(f"b-{id}"),
    )


def show_post(look: ArticleLook, form: Form, problem: Problem) -> Response:
    if look.fragment:
        return look.parts(look.part("forms.html", "top", form, problem), look.focus("problem-top"), problem=problem)
    return show_article(look, form=form, problem=problem, status=problem.status)


# --- forms below a comment: reply, edit, delete, report, remove ---------------------------------------------------------------


def slot_form(kind: str) -> tuple[Callable[[Request], Response], Show]:
    """Return the page that offers a form below a comment, and what shows it again when it was refused."""

    def show(look: ArticleLook, form: Form, problem: Problem | None) -> Response:
        id = comment_id(look)
        comment = look.comment(id, replies=0, **({"reveal": {id}} if kind == "edit" else {}))
        if problem is None:
            _check_offer(look, kind, comment)
        if not look.fragment:
            slot = look.part("forms.html", kind, comment, form, problem)
            return show_comment(look, id, slot=slot, problem=problem, status=problem.status if problem else 200)
        focus = f"problem-{id}" if problem else f"first-{id}"
        return look.parts(look.part("forms.html", kind, comment, form, problem), look.focus(focus), problem=problem)

    def page(request: Request) -> Response:
        look = article_look(request)
        try:
            return show(look, Form(), None)
        except (Refused, NotTheAuthor, CommentIsGone) as error:
            return show_problem(look, Form(), explain(error, look.site.now()))

    return page, show


def _check_offer(look: ArticleLook, kind: str, comment: CommentView) -> None:
    """
    Check that it makes sense to offer a form; what is sent is checked by the library.

    Raises:
        Rejected, Refused: It does not.
    """
    for state in ("erased", "deleted", "removed"):
        if state in comment.flags and not (look.reader.moderates and state == "removed"):
            raise CommentIsGone(comment.id, state)
    if comment.concealed == "held":
        raise CommentIsGone(comment.id, "held")
    if kind == "edit" and not look.may_edit(comment):
        raise NotTheAuthor(comment.id, None) if not look.is_mine(comment) else Refused(409, _TOO_LATE)
    if kind == "delete" and not look.is_mine(comment):
        raise NotTheAuthor(comment.id, None)
    if kind == "remove" and not look.reader.moderates:
        raise Refused(403, "You are not signed in as somebody who may do this.")


_TOO_LATE = "The time for changing this comment has passed. You can reply to it instead."


def edit(look: ArticleLook, form: Form) -> Response:
    """New words, and whether they contain spoilers. A cover is put on before the words change, and taken off after."""
    id, by = comment_id(look), look.reader.actor
    now = look.thread.comment(id, reader=by, replies=0)
    if form["spoiler"] and not now.spoiler:
        _check_offer(look, "edit", now)
        look.thread.mark_spoiler(id, by=by)
    look.thread.edit(id, form["body"].rstrip(), by=by, seen=form["seen"] or None)
    if now.spoiler and not form["spoiler"]:
        look.thread.clear_spoiler(id, by=by)
    return changed(look, Form(), id, "Your comment is changed.", focus=f"b-{id}", close=True)


def delete(look: ArticleLook, form: Form) -> Response:
    id = comment_id(look)
    look.thread.delete(id, by=look.reader.actor)
    if look.fragment:
        return changed(look, form, id, "Your comment is deleted.", focus="heading", close=True)
    return look.redirect(f"{look.article.url}#comments")


def report(look: ArticleLook, form: Form) -> Response:
    id = comment_id(look)
    look.thread.report(id, by=look.reader.actor, reason=form["reason"].strip(), seen=form["seen"] or None)
    return changed(look, Form(), id, "Thank you. A moderator will look at it.", focus=f"b-{id}", close=True)


# --- buttons ------------------------------------------------------------------------------------------------------------------


def support(look: ArticleLook, form: Form) -> Response:
    """ "I support", or taking it back: the button says which, so sending it twice changes nothing."""
    id, by = comment_id(look), look.reader.actor
    if form["to"] == "take":
        look.thread.unreact(id, by=by)
        return changed(look, form, id, "You no longer support this comment.")
    look.thread.react(id, by=by)
    return changed(look, form, id, "You support this comment.")


def reveal(look: ArticleLook, form: Form) -> Response:
    """Uncover one spoiler, and remember it in this browser."""
    id = comment_id(look)
    look.comment(id, replies=0)
    look.revealed = look.revealed.and_also(id)
    response = changed(look, form, id, "", focus=f"t-{id}")
    look.revealed.write(response, look.article.url, secure=look.site.secure)
    return response


def reveal_all(look: ArticleLook, form: Form) -> Response:
    return _cover(look, form, Revealed(all=True), "All spoilers are shown.")


def cover_all(look: ArticleLook, form: Form) -> Response:
    return _cover(look, form, Revealed(), "Spoilers are covered again.")


def _cover(look: ArticleLook, form: Form, revealed: Revealed, sentence: str) -> Response:
    look.revealed = revealed
    if look.fragment:
        refreshed = look.part("parts.html", "refresh", "[data-spoiler]")
        response = look.parts(refreshed, look.part("article_parts.html", "covers"), look.say(sentence))
    else:
        response = look.redirect(way_back(form, look.article.url).partition("#")[0] + "#comments")
    revealed.write(response, look.article.url, secure=look.site.secure)
    return response


# --- corrections --------------------------------------------------------------------------------------------------------------


def passage_of(look: ArticleLook, form: Form) -> tuple[int, int] | None:
    """
    Return the passage that a reader marked, or wrote out; None if the form names none yet.

    Raises:
        Refused: The article has no such passage.
    """
    text = look.article.text
    if form["start"] or form["end"]:
        start, end = (int(form[name]) if form[name].isdecimal() and len(form[name]) < 9 else -1 for name in ("start", "end"))
        if form["version"] not in ("", look.article.version):
            raise Refused(409, "The article has changed since. Please mark the passage once more.")
        if not 0 <= start < end <= len(text) or not text[start:end].strip():
            raise Refused(422, "There is no such passage in the article.")
        return start, end
    if not form["passage"].strip():
        return None
    if len(form["passage"]) > look.site.store.policy.max_quote:
        raise Refused(422, "The passage is too long. Please choose a shorter one.")
    found = anchor(TextQuote(form["passage"]), text)
    if found is None:
        raise Refused(422, "The passage is not in the article, or more than once. Please add some of the words around it.")
    return found


def correct(request: Request) -> Response:
    """The form for a correction: below the passage that was marked, or with a field for it."""
    look = article_look(request)
    form = Form({name: request.query_params.get(name, "") for name in ("start", "end", "version")})
    try:
        passage_of(look, form)
    except Refused as error:
        return show_problem(look, form, explain(error, look.site.now()))
    return show_correct(look, form, None)


def show_correct(look: ArticleLook, form: Form, problem: Problem | None) -> Response:
    try:
        span = passage_of(look, form)
    except Refused:
        span = None
    passage = look.article.text[slice(*span)].strip() if span and not form["passage"] else ""
    if look.fragment:
        focus = look.focus("problem-correct" if problem else "first-correct")
        return look.parts(look.part("forms.html", "correct", passage, form, problem, True), focus, problem=problem)
    return look.render("correct.html", problem.status if problem else 200, passage=passage, form=form, problem=problem)


def suggest(look: ArticleLook, form: Form) -> Response:
    by, span = named(look, form), passage_of(look, form)
    if span is None:
        raise Refused(422, "Please say which passage you mean.")
    if span[1] - span[0] > look.site.store.policy.max_quote:
        raise Refused(422, "The passage is too long. Please choose a shorter one.")
    quote = quote_of(look.article.text, *span)

    def write(id: str) -> str:
        return look.thread.suggest_correction(
            quote, form["suggestion"].strip(), by=by, note=form["note"].strip(), article_version=look.article.version, id=id
        )

    look.site.once(by.id, form["once"], write)
    if not look.reader.account:
        remember_name(look.request, by.name)
    if not look.fragment:
        return look.redirect(f"{look.article.url}#corrections")
    return look.parts(
        look.part("forms.html", "no_dialog"),
        look.part("article_parts.html", "text", look.corrections()),
        look.say("Thank you. An editor will look at your correction."),
        look.focus("text"),
    )


# --- demo sign-in -------------------------------------------------------------------------------------------------------------


def sign_in_page(request: Request) -> Response:
    look = look_of(request)
    return look.render("sign_in.html", back=way_back(Form(request.query_params), "/"))


def _signing(act: Callable[[Look, Form], Response]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        look, form = look_of(request), await read_form(request)
        try:
            check_sender(request, look.reader, form)
            return act(look, form)
        except Refused as error:
            return show_problem(look, form, explain(error, look.site.now()))

    return endpoint


def _sign_in(look: Look, form: Form) -> Response:
    if not look.site.demo or form["account"] not in ACCOUNTS:
        raise Refused(422, "There is no such account.")
    sign_in(look.request, form["account"])
    return look.redirect(way_back(form, "/"))


def _sign_out(look: Look, form: Form) -> Response:
    sign_out(look.request)
    return look.redirect("/")


def routes() -> list[Route]:
    def under(path: str, act: Act, show: Show = show_problem) -> Route:
        return Route(f"/a/{{slug}}{path}", form_of(act, show), methods=["POST"])

    found = [
        Route("/sign-in", sign_in_page),
        Route("/sign-in", _signing(_sign_in), methods=["POST"]),
        Route("/sign-out", _signing(_sign_out), methods=["POST"]),
        under("/comments", post, show_post),
        under("/reveal", reveal_all),
        under("/cover", cover_all),
        under("/c/{id:uuid}/support", support),
        under("/c/{id:uuid}/reveal", reveal),
        Route("/a/{slug}/correct", correct),
        under("/correct", suggest, show_correct),
    ]
    for kind, act in {"reply": reply, "edit": edit, "delete": delete, "report": report}.items():
        page, show = slot_form(kind)
        path = f"/c/{{id:uuid}}/{kind}"
        found += [Route(f"/a/{{slug}}{path}", page), under(path, act, show)]
    return found
