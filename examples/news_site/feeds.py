"""
What other programs read: an Atom feed of all comments or of one article's, and a thread as JSON.

Both show what a reader sees who has revealed nothing, so the words of a spoiler or of a held comment are in neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as Xml

import msgspec
from starlette.responses import Response

from news_site.articles import Article
from news_site.looking import moment_of
from threadstore import CommentView, ThreadView, excerpt

__all__ = ["atom", "json_view"]

_ATOM = "http://www.w3.org/2005/Atom"
#: What XML 1.0 can not carry, not even escaped.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").sub


def json_view(page: ThreadView) -> Response:
    """Return a page of a thread as the library made it."""
    return Response(msgspec.json.encode(page), media_type="application/json", headers={"Cache-Control": "public, max-age=10"})


def atom(title: str, base: str, path: str, entries: Iterable[tuple[Article, CommentView]]) -> Response:
    """Return a feed of comments, newest first; *base* is the address of the site."""
    feed = Xml.Element("feed", xmlns=_ATOM)
    _add(feed, "id", f"{base}{path}")
    _add(feed, "title", title)
    Xml.SubElement(feed, "link", rel="self", href=f"{base}{path}")
    listed = list(entries)
    latest = max((comment.edited_at or comment.posted_at for _, comment in listed), default=0)
    _add(feed, "updated", _moment(latest))
    for article, comment in listed:
        name = (comment.author.name if comment.author else "").strip() or "Anonymous"
        entry = Xml.SubElement(feed, "entry")
        _add(entry, "id", f"urn:uuid:{comment.id}")
        _add(entry, "title", f"{name} on “{article.title}”")
        _add(Xml.SubElement(entry, "author"), "name", name)
        _add(entry, "published", _moment(comment.posted_at))
        _add(entry, "updated", _moment(comment.edited_at or comment.posted_at))
        Xml.SubElement(entry, "link", rel="alternate", href=f"{base}{article.url}/c/{comment.id}")
        _add(entry, "content", excerpt(comment))
    data = Xml.tostring(feed, encoding="utf-8", xml_declaration=True)
    return Response(data, media_type="application/atom+xml", headers={"Cache-Control": "public, max-age=10"})


def _add(parent: Xml.Element, tag: str, text: str) -> None:
    Xml.SubElement(parent, tag).text = _NO_XML("\N{REPLACEMENT CHARACTER}", text)


def _moment(ms: int) -> str:
    return moment_of(ms).strftime("%Y-%m-%dT%H:%M:%SZ")
