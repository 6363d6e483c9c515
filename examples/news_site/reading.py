"""The pages that anybody may read: the front page, an article with its thread, one comment, a person, feeds, and live events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from news_site import feeds
from news_site.articles import Article
from news_site.live import stream
from news_site.looking import ORDERS, PAGE, PAGE_OF_ONE, ArticleLook, Look, Revealed
from news_site.safety import Form
from threadstore import CommentNotFound, FeedItem
from threadstore.model.values import MAX_ACTOR_ID

if TYPE_CHECKING:
    from news_site.app import Site

__all__ = ["article_look", "look_of", "routes", "show_article", "show_comment"]

_MAX_PARTS = 50
_CONTEXT = 3


def look_of(request: Request) -> Look:
    look: Look = request.app.state.site.look(request)
    return look


def _article(request: Request) -> tuple[Site, Article]:
    site: Site = request.app.state.site
    found = site.by_slug.get(request.path_params["slug"])
    if found is None:
        raise HTTPException(404)
    return site, found


def article_look(request: Request) -> ArticleLook:
    """
    Return what a request under an article looks at.

    Raises:
        HTTPException: There is no such article. So nobody can start threads by making addresses up.
    """
    site, article = _article(request)
    look = site.look(request)
    thread = site.store.thread(article.key)
    revealed = Revealed.of(request)
    return ArticleLook(site=site, request=request, reader=look.reader, article=article, thread=thread, revealed=revealed)


# --- all articles -------------------------------------------------------------------------------------------------------------


def front(request: Request) -> Response:
    look = look_of(request)
    store = look.site.store
    counts = store.counts(look.site.by_key)  # one call for the whole page
    latest = _known(look.site, store.latest(limit=8, reader=look.reader.actor))
    return look.render("front.html", articles=look.site.articles, counts=counts, latest=latest)


def person(request: Request) -> Response:
    """What one person said, under all articles."""
    look = look_of(request)
    id, before = request.path_params["id"], _number(request, "before")
    # No id is longer, so nobody is called that.
    said = look.site.store.by_person(id, limit=20, before=before, reader=look.reader.actor) if len(id) <= MAX_ACTOR_ID else ()
    name = look.name(said[0].comment.author) if said else ""
    listed = _known(look.site, said)
    more = said[-1].position if len(said) == 20 else None
    return look.render("person.html", 200 if said or before else 404, id=id, name=name, said=listed, more=more)


def _known(site: Site, items: Sequence[FeedItem]) -> list[tuple[Article, FeedItem]]:
    """Return the comments with their articles; those of articles that were taken down are left out."""
    return [(site.by_key[item.thread], item) for item in items if item.thread in site.by_key]


def _number(request: Request, name: str) -> int | None:
    """Return a number from the query, or None."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


# --- an article ---------------------------------------------------------------------------------------------------------------


def article(request: Request) -> Response:
    return show_article(article_look(request))


def show_article(look: ArticleLook, *, form: Form | None = None, problem: object = None, status: int = 200) -> Response:
    """Return the article with a page of its thread or, for the page's script, the top-level comments that follow."""
    query = look.request.query_params
    order = query.get("order", "oldest")
    if order not in ORDERS:
        order = "oldest"
    page = look.thread.view(order=order, after=query.get("after") or None, pinned=True, **PAGE, **look.seeing)
    if look.fragment and form is None:
        return look.parts(
            look.part("comment.html", "items", page.comments, "comments"),
            look.part("comment.html", "more_roots", page),
            look.say(f"{len(page.comments)} more comments."),
            look.focus(f"b-{page.comments[0].id}" if page.comments else "comments"),
        )
    values = {"page": page, "order": order, "form": form or Form(), "problem": problem}
    return look.render("article.html", status, corrections=look.corrections(), **values)


def one_comment(request: Request) -> Response:
    return show_comment(article_look(request), str(request.path_params["id"]))


def show_comment(
    look: ArticleLook, id: str, *, slot: str = "", form: Form | None = None, problem: object = None, status: int = 200
) -> Response:
    """Return the page of one comment with its context; *slot* names a form that stands below it."""
    root = look.comment(id, context=_CONTEXT)
    return look.render(
        "one.html",
        status,
        root=root,
        id=id,
        slot=slot,
        form=form or Form(),
        problem=problem,
        counts=look.thread.counts(),
        revision=look.thread.revision,
    )


def replies(request: Request) -> Response:
    """Further replies to a comment: by themselves for the page's script, else on a page below the comment."""
    look = article_look(request)
    id = str(request.path_params["id"])
    after = request.query_params.get("after") or None
    page = look.thread.replies(id, after=after, limit=PAGE["limit"], **PAGE_OF_ONE, **look.seeing)
    if look.fragment:
        return look.parts(
            look.part("comment.html", "items", page.comments, f"r-{id}"),
            look.part("comment.html", "more_replies", id, page.next, page.left),
            look.say(f"{len(page.comments)} more replies."),
            look.focus(f"b-{page.comments[0].id}" if page.comments else f"b-{id}"),
        )
    comment = look.comment(id, replies=0)
    return look.render("replies.html", comment=comment, page=page, id=id, counts=look.thread.counts())


def parts(request: Request) -> Response:
    """What some comments look like now to this reader: what the page's script asks for after an event."""
    look = article_look(request)
    wanted = list(dict.fromkeys(request.query_params.getlist("c")))[:_MAX_PARTS]
    found, text = [], False
    for id in wanted:
        try:
            comment = look.comment(id, replies=0)
        except (CommentNotFound, ValueError):
            text = True  # a correction, or the thread itself
            continue
        shown = look.is_shown(comment)
        found.append(look.part("comment.html", "arrived", comment) if shown else look.part("parts.html", "gone", f"c-{id}"))
    if text:
        locked = look.thread.view(limit=1, replies=0, rows=1, **look.seeing).locked
        found.append(look.part("article_parts.html", "text", look.corrections()))
        found.append(look.part("article_parts.html", "closed", locked))
    found.append(look.part("article_parts.html", "heading", look.thread.counts()))
    return look.parts(*found)


async def events(request: Request) -> Response:
    look = article_look(request)
    if look.site.hub.is_full:
        return PlainTextResponse("Too many readers at the moment.\n", 503, headers={"Retry-After": "30"})
    told = request.headers.get("last-event-id", "")
    since = int(told) if told.isascii() and told.isdigit() and len(told) <= 15 else _number(request, "since") or 0
    return StreamingResponse(
        stream(look.site.hub, look.thread, since, look.reader.actor),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


# --- for programs -------------------------------------------------------------------------------------------------------------


# The same for everybody: no session is begun here, so caches may keep the answers for a moment.


def thread_json(request: Request) -> Response:
    """A page of the thread as the library's own structs; `next` is the `after` of the next."""
    site, article = _article(request)
    query = request.query_params
    order = query.get("order", "oldest")
    if order not in ORDERS:
        raise HTTPException(400, f"The orders are {', '.join(ORDERS)}.")
    return feeds.json_view(site.store.thread(article.key).view(order=order, after=query.get("after") or None, **PAGE))


def thread_feed(request: Request) -> Response:
    site, article = _article(request)
    page = site.store.thread(article.key).flat(order="newest", limit=20)
    entries = [(article, comment) for comment in page.comments]
    return feeds.atom(f"Comments on “{article.title}”", _base(request), request.url.path, entries)


def latest_feed(request: Request) -> Response:
    site: Site = request.app.state.site
    entries = [(article, item.comment) for article, item in _known(site, site.store.latest(limit=20))]
    return feeds.atom("The Weir Courier: latest comments", _base(request), "/feed.atom", entries)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def routes() -> list[Route]:
    return [
        Route("/", front),
        Route("/feed.atom", latest_feed),
        Route("/people/{id}", person),
        Route("/a/{slug}", article),
        Route("/a/{slug}/thread.json", thread_json),
        Route("/a/{slug}/feed.atom", thread_feed),
        Route("/a/{slug}/events", events),
        Route("/a/{slug}/parts", parts),
        Route("/a/{slug}/c/{id:uuid}", one_comment, name="comment"),
        Route("/a/{slug}/c/{id:uuid}/replies", replies),
    ]
