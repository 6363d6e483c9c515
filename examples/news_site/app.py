"""
The application: one store, its routes, and what holds for every request.

Store calls block, so they run in Starlette's thread pool: a plain `def` page does so by itself, and forms are read first and then
written there (`form_of`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import jinja2
from attrs import define, field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from news_site import moderating, reading, writing
from news_site.articles import ARTICLES, Article
from news_site.live import Hub
from news_site.looking import ORDERS, Look
from news_site.once import Once
from news_site.people import ACCOUNTS, reader_of
from news_site.safety import Pace, Problem, SafetyHeaders, explain
from threadstore import SPOILER_NOTICE, Policy, Thread, ThreadStore, ThreadStoreError, excerpt
from threadstore.model.commands import Command, Edit, Post
from threadstore.model.policy import Verdict

__all__ = ["POLICY", "Site", "make_app"]

HERE: Final = Path(__file__).parent


def screen(command: Command, thread: Thread) -> Verdict:
    """Hold comments with links: what a spam filter is asked in a real site."""
    return "hold" if isinstance(command, Post | Edit) and "://" in command.body else "accept"


POLICY: Final = Policy(
    max_body=4_000,
    max_name=60,
    max_reason=500,
    max_quote=500,
    anonymous=False,  # every browser has an id, so that people can edit what they wrote; a name is not needed
    edit_window=15 * 60_000,
    report_threshold=3,
    flood_limit=5,
    flood_window=60_000,
    duplicate_window=10 * 60_000,
    screen=screen,
)


@cache
def _asset(name: str) -> str:
    """Return the address of a static file, which changes with its content."""
    return f"/static/{name}?{sha256((HERE / 'static' / name).read_bytes()).hexdigest()[:12]}"


#: Escapes everything, and refuses names that are not there.
TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals.update(ACCOUNTS=ACCOUNTS, ORDERS=ORDERS, SPOILER_NOTICE=SPOILER_NOTICE, asset=_asset, excerpt=excerpt)


@define(kw_only=True)
class Site:
    """
    What all requests share.

    Args:
        store: Where the comments are.
        once: Remembers forms that were sent.
        secret: Signs the session cookies.
        articles: What is published.
        hosts: The names that the site answers to.
        secure: It is served over HTTPS, so cookies are for HTTPS only.
        pace: How much one address may write.
        demo: Anybody may sign in as one of the demo accounts.
        templates: What pages are made of.
    """

    store: ThreadStore
    once: Once
    secret: str
    articles: Iterable[Article] = ARTICLES
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    secure: bool = False
    pace: Pace = field(factory=lambda: Pace(60))
    demo: bool = True
    templates: jinja2.Environment = TEMPLATES
    hub: Hub = field(init=False)
    by_slug: dict[str, Article] = field(init=False)
    by_key: dict[str, Article] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.hub = Hub(self.store)
        self.by_slug = {article.slug: article for article in self.articles}
        self.by_key = {article.key: article for article in self.articles}

    def look(self, request: Request) -> Look:
        return Look(site=self, request=request, reader=reader_of(request, self.store.policy))

    def now(self) -> int:
        return self.store.now()


class _Static(StaticFiles):
    def file_response(self, *args: object, **kwargs: object) -> Response:
        response: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


def make_app(site: Site) -> Starlette:
    """Return the application. It closes the store and all else that the site holds when it ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        site.hub.start(asyncio.get_running_loop())
        try:
            yield
        finally:
            site.hub.close()
            site.store.close()
            site.hub.join()
            site.once.close()

    def refuse(request: Request, error: Exception) -> Response:
        return _failure(site, request, explain(error, site.now()))

    def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        sentence = error.detail if error.status_code in (400, 413, 415) else _SENTENCES.get(error.status_code, error.detail)
        response = _failure(site, request, Problem(error.status_code, sentence))
        response.headers.update(error.headers or {})
        return response

    app = Starlette(
        routes=[
            *reading.routes(),
            *writing.routes(),
            *moderating.routes(),
            Mount("/static", _Static(directory=HERE / "static")),
        ],
        middleware=[
            Middleware(SafetyHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(site.hosts), www_redirect=False),
            Middleware(SessionMiddleware, secret_key=site.secret, same_site="lax", https_only=site.secure),
        ],
        exception_handlers={HTTPException: http_error, ThreadStoreError: refuse, 500: _broken},
        lifespan=lifespan,
    )
    app.state.site = site
    return app


_SENTENCES: Final = {
    404: "There is no such page here.",
    405: "This address takes no such request.",
}


def _failure(site: Site, request: Request, problem: Problem) -> Response:
    look = site.look(request)
    if look.fragment:
        return look.parts(look.say(problem.sentence, alert=True), problem=problem)
    return look.render("problem.html", problem.status, problem=problem)


def _broken(request: Request, error: Exception) -> Response:
    """Say that something broke, and nothing of what."""
    return Response("Something went wrong on our side. Nothing was stored.\n", 500, media_type="text/plain")
