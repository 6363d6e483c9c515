"""
One request, seen from a page: who looks, at which article, what they have revealed, and what the templates ask.

The body of a concealed comment never gets here: `CommentView.body` is None, so no template could show it by mistake.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from attrs import define, frozen
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from news_site.articles import Article
from news_site.once import new_token
from news_site.people import Reader
from news_site.safety import Problem
from threadstore import SUPPORT, Actor, CommentView, CorrectionView, StoredThread
from threadstore.model import ids

if TYPE_CHECKING:
    from news_site.app import Site

__all__ = ["ORDERS", "PAGE", "ArticleLook", "Look", "Passage", "Revealed", "moment_of"]

#: The orders that the page offers, as the library calls them and as a reader reads them.
ORDERS: Final = {"oldest": "Oldest", "newest": "Newest", "top": "Most supported", "best": "Best"}
#: How much of a thread one page shows; `rows` bounds it whatever the thread looks like.
PAGE: Final[dict[str, Any]] = {"limit": 20, "replies": 3, "depth": 4, "rows": 80}

_LAST_MS: Final = 253_402_300_799_000  # the end of the year 9999
_COOKIE: Final = "revealed"
_MAX_REVEALED: Final = 120  # so that the cookie stays below what browsers keep
_COOKIE_SECONDS: Final = 365 * 24 * 3600


def moment_of(ms: int) -> datetime:
    """Return the moment; imported comments may bear dates that no calendar here has, which become its first or last."""
    return datetime.fromtimestamp(min(max(ms, 0), _LAST_MS) / 1000, UTC)


class Piece(NamedTuple):
    """A part of a body; `actor` is the id of whom it addresses."""

    text: str
    actor: str | None


class Passage(NamedTuple):
    """A part of the article; `ends` says that the correction's passage ends with it."""

    text: str
    correction: CorrectionView | None
    ends: bool


@define(kw_only=True)
class Look:
    """What one request looks at."""

    site: Site
    request: Request
    reader: Reader

    @property
    def fragment(self) -> bool:
        """Whether the page's own script asks, which puts parts into the page that is open."""
        return self.request.headers.get("x-fragment") == "1"

    @property
    def here(self) -> str:
        """The page that is shown, as a path; a form goes back there."""
        if self.request.method != "GET" or self.fragment:
            return ""
        query = self.request.url.query
        return quote(self.request.url.path, safe="/-") + (f"?{query}" if query else "")

    def token(self) -> str:
        return new_token()

    def render(self, template: str, status: int = 200, /, **values: Any) -> Response:
        text = self.site.templates.get_template(template).render(look=self, **values)
        problem = values.get("problem")
        return HTMLResponse(text, status, headers=problem.headers if isinstance(problem, Problem) else None)

    def part(self, template: str, macro: str, *arguments: Any, **named: Any) -> Markup:
        """Return what one macro makes of its arguments: a part of a page, escaped."""
        made: Markup = getattr(self.site.templates.get_template(template).module, macro)(self, *arguments, **named)
        return made

    def parts(self, *parts: str, status: int = 200, problem: Problem | None = None) -> Response:
        """Answer the page's script; a page that had another session's token gets the right one."""
        if problem is not None and problem.status == 403:
            parts = (*parts, self.part("parts.html", "token"))
        return HTMLResponse(
            "\n".join(parts), status if problem is None else problem.status, headers=problem.headers if problem else None
        )

    def say(self, sentence: str, *, alert: bool = False) -> str:
        """Return the part that tells the reader something."""
        return self.part("parts.html", "say", sentence, alert)

    def focus(self, id: str) -> str:
        """Return the part that moves the focus."""
        return self.part("parts.html", "focus", id)

    def redirect(self, url: str) -> Response:
        return RedirectResponse(url, 303)

    # --- what templates ask ---------------------------------------------------------------------------------------------------

    def local(self, url: str) -> str:
        """Return the address in a thread's description if it is an article's of this site, else that of the front page."""
        return url if url.removeprefix("/a/") in self.site.by_slug else "/"

    @staticmethod
    def iso(ms: int) -> str:
        return moment_of(ms).strftime("%Y-%m-%dT%H:%M:%SZ")

    @staticmethod
    def when(ms: int) -> str:
        moment = moment_of(ms)
        return f"{moment.day} {moment:%B %Y, %H:%M} UTC"

    @staticmethod
    def time_of(id: str) -> int:
        return ids.time_of(id)

    @staticmethod
    def name(actor: Actor | None) -> str:
        return (actor.name.strip() if actor else "") or "Anonymous"

    @staticmethod
    def is_shown(comment: CommentView) -> bool:
        """Return whether pages show this comment to this reader: with its text, or for the sake of its replies."""
        return comment.concealed in (None, "spoiler") or comment.left > 0 or bool(comment.replies)

    @staticmethod
    def pieces(comment: CommentView) -> Iterator[Piece]:
        """Yield the body with its mentions apart."""
        body, end = comment.body or "", 0
        for mention in comment.mentions:
            if mention.start > end:
                yield Piece(body[end : mention.start], None)
            yield Piece(body[mention.start : mention.end], mention.actor)
            end = mention.end
        if end < len(body):
            yield Piece(body[end:], None)

    def is_mine(self, comment: CommentView) -> bool:
        return comment.author is not None and comment.author.id == self.reader.actor.id

    def support(self, comment: CommentView) -> tuple[int, bool]:
        """Return how many support the comment, and whether this reader does."""
        return comment.reactions.get(SUPPORT, 0), SUPPORT in comment.reacted

    def may_edit(self, comment: CommentView) -> bool:
        """Return whether "Edit" is worth offering; the library has the last word."""
        if comment.author is None or {"deleted", "erased"} & set(comment.flags):
            return False
        window = self.site.store.policy.edit_window
        in_time = window is None or self.site.store.now() <= comment.posted_at + window
        return self.reader.moderates or (self.is_mine(comment) and in_time)


@frozen(kw_only=True)
class Revealed:
    """What a reader has uncovered under one article; kept in a cookie of that article's path."""

    ids: tuple[str, ...] = ()
    all: bool = False

    @classmethod
    def of(cls, request: Request) -> Revealed:
        """Return what the cookie says; one that was tampered with says nothing."""
        text = request.cookies.get(_COOKIE, "")
        if text == "all":
            return cls(all=True)
        try:
            data = urlsafe_b64decode(text.encode("ascii"))[: 16 * _MAX_REVEALED]
            return cls(ids=tuple(ids.from_bytes(data[at : at + 16]) for at in range(0, len(data), 16)))
        except ValueError:
            return cls()

    def and_also(self, id: str) -> Revealed:
        """Return it with another comment; the one that was revealed longest ago is forgotten when there are many."""
        return self if self.all else Revealed(ids=(*[one for one in self.ids if one != id], id)[-_MAX_REVEALED:])

    def write(self, response: Response, path: str, *, secure: bool) -> None:
        packed = b"".join(map(ids.to_bytes, self.ids))
        value = "all" if self.all else urlsafe_b64encode(packed).decode()
        response.set_cookie(_COOKIE, value, max_age=_COOKIE_SECONDS, path=path, httponly=True, samesite="lax", secure=secure)

    @property
    def reveal(self) -> Iterable[str]:
        """What the library's `reveal=` takes."""
        return "all" if self.all else frozenset(self.ids)


@define(kw_only=True)
class ArticleLook(Look):
    """What one request looks at, under an article."""

    article: Article
    thread: StoredThread
    revealed: Revealed

    @property
    def seeing(self) -> dict[str, Any]:
        """Who looks, as every view of the library takes it."""
        return {"reader": self.reader.actor, "reveal": self.revealed.reveal}

    def url(self, comment: str = "") -> str:
        return f"{self.article.url}/c/{comment}" if comment else self.article.url

    def comment(self, id: str, **more: Any) -> CommentView:
        return self.thread.comment(id, **{**PAGE_OF_ONE, **self.seeing, **more})

    def corrections(self) -> tuple[CorrectionView, ...]:
        """Return what this reader sees of the suggested corrections: what was accepted and, if open or declined, their own."""
        found = self.thread.corrections(text=self.article.text, article_version=self.article.version, reader=self.reader.actor)
        return tuple(
            one
            for one in found
            if one.quote is not None
            and (one.state == "accepted" or self.reader.edits or (one.author and one.author.id == self.reader.actor.id))
        )

    def passages(self, corrections: tuple[CorrectionView, ...]) -> Iterator[tuple[int, list[Passage]]]:
        """Yield each paragraph, with where it begins, cut where corrections begin and end; of overlapping ones the first."""
        shown = (one for one in corrections if one.state != "declined" and not one.flags)
        spans = sorted((one.span, one.id, one) for one in shown if one.span is not None)
        for start, paragraph in self.article.offsets():
            cut, at = [], start
            for span, _, correction in spans:
                first, last = max(span[0], start), min(span[1], start + len(paragraph))
                if first < at or first >= last:
                    continue
                cut.append(Passage(self.article.text[at:first], None, False))
                cut.append(Passage(self.article.text[first:last], correction, span[1] == last))
                at = last
            cut.append(Passage(self.article.text[at : start + len(paragraph)], None, False))
            yield start, [passage for passage in cut if passage.text]


PAGE_OF_ONE: Final[dict[str, Any]] = {name: PAGE[name] for name in ("replies", "depth", "rows")}
