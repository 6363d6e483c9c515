"""
What keeps the page safe, apart from escaping (which the templates do) and from withholding (which the library does).

Headers on every answer, bounded requests, forms that only this site's own pages can send, a pace for each address, and the
sentence and status that a reader gets when something is refused.
"""

from __future__ import annotations

import math
import re
import secrets
from collections import OrderedDict, deque
from threading import Lock
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from attrs import frozen
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import threadstore as t
from news_site.people import Reader

__all__ = [
    "MAX_REQUEST",
    "Form",
    "Pace",
    "Problem",
    "Refused",
    "SafetyHeaders",
    "check_sender",
    "explain",
    "read_form",
    "way_back",
]

#: The longest request body, in bytes. A comment that is too long by far still comes back to its reader with a sentence.
MAX_REQUEST: Final = 128 * 1024
_MAX_FIELDS: Final = 20
_LET_PASS: Final = 2 << 20

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SafetyHeaders:
    """Puts the headers on every answer, and refuses requests that say that they are too large."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > 12 or int(declared) > MAX_REQUEST:
            await _let_pass(receive)
            answer = PlainTextResponse(
                f"The request is too large: at most {MAX_REQUEST // 1024} KB are taken.\n", 413, headers={"Connection": "close"}
            )
            await answer(scope, receive, send_safely)
            return
        await self.app(scope, receive, send_safely)


async def _let_pass(receive: Receive) -> None:
    """Take some of what is being sent, and drop it: a browser that is cut off while it sends would not read the answer."""
    passed = 0
    while passed < _LET_PASS:
        message = await receive()
        passed += len(message.get("body", b"")) + 1
        if not message.get("more_body"):
            return


# --- forms --------------------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """The site itself refuses a request, with a status and a sentence for the reader."""

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(status, sentence, retry_after)
        self.status, self.sentence, self.retry_after = status, sentence, retry_after


class Form(dict[str, str]):
    """The fields of a form; one that is missing is an empty text."""

    def __missing__(self, name: str) -> str:
        return ""

    def ids(self, name: str) -> tuple[str, ...]:
        """Return a field that holds several ids."""
        return tuple(self[name].split())


async def read_form(request: Request) -> Form:
    """
    Return what a form sent, with its line breaks as the library keeps them.

    Raises:
        HTTPException: It is no form, or larger or stranger than any form of this site.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Only forms are taken here.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST:
            raise HTTPException(413, f"The request is too large: at most {MAX_REQUEST // 1024} KB are taken.")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise HTTPException(400, "The form could not be read: it is not UTF-8, or has too many fields.") from error
    return Form((name, value.replace("\r\n", "\n").replace("\r", "\n")) for name, value in fields)


def check_sender(request: Request, reader: Reader, form: Form) -> None:
    """
    Check that the form is from a page of this site, made for this browser.

    Raises:
        Refused: It brings another token, or comes from another site.
    """
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    token = form["csrf"].encode()
    if foreign or not secrets.compare_digest(token, reader.csrf.encode()):
        raise Refused(403, "This page had been open under another session, or cookies are off. Please send it once more.")


_LOCAL = re.compile(r"/(?![/\\])[\x21\x23-\x5b\x5d-\x7e]*", re.ASCII).fullmatch


def way_back(form: Form, otherwise: str) -> str:
    """Return the page that the form was on, if it is one of this site."""
    return form["back"] if len(form["back"]) <= 1_000 and _LOCAL(form["back"]) else otherwise


# --- pace ---------------------------------------------------------------------------------------------------------------------


class Pace:
    """
    How much one address may write within a minute, over all threads and names.

    `Policy.flood_limit` sees one thread and one actor, and an actor here is no more than a cookie.
    """

    def __init__(self, limit: int, *, window: float = 60.0, addresses: int = 10_000) -> None:
        self._limit = limit
        self._window = window
        self._addresses = addresses
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def check(self, address: str, now: float) -> None:
        """
        Count a write.

        Raises:
            Refused: There were too many within the window.
        """
        with self._lock:
            times = self._seen.setdefault(address, deque())
            self._seen.move_to_end(address)
            while len(self._seen) > self._addresses:
                self._seen.popitem(last=False)
            while times and times[0] <= now - self._window:
                times.popleft()
            if len(times) >= self._limit:
                wait = math.ceil(times[0] + self._window - now)
                raise Refused(429, f"Too much comes from your address. Please try again in {wait} seconds.", wait)
            times.append(now)


# --- what a reader is told ----------------------------------------------------------------------------------------------------


@frozen
class Problem:
    """A refusal, as a reader gets it."""

    status: int
    sentence: str
    retry_after: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


_FIELDS: Final = {"body": "Your comment", "reason": "The reason", "name": "The name", "note": "The note"}
_GONE: Final = {"deleted": "deleted by its author", "removed": "removed", "erased": "erased", "held": "not shown at present"}


def explain(error: Exception, now: int) -> Problem:
    """Return status and sentence for an error of the library, or of the site itself. *now* is in Unix milliseconds."""
    match error:
        case Refused():
            return Problem(error.status, error.sentence, error.retry_after)
        case t.EmptyBody(field=field):
            return Problem(422, f"{_FIELDS.get(field, 'The wording')} is empty. Please write something.")
        case t.BodyTooLong(field=field, length=length, limit=limit):
            what = _FIELDS.get(field, "The text")
            return Problem(422, f"{what} has {length:,} characters where {limit:,} are allowed. Please shorten it.")
        case t.UnsafeText():
            return Problem(422, "The text holds characters that can not be shown. Please type it anew.")
        case t.TooManyPosts(retry_at=retry_at):
            wait = max(1, math.ceil((retry_at - now) / 1000))
            return Problem(429, f"You are writing very fast. Please try again in {wait} seconds.", wait)
        case t.DuplicateComment():
            return Problem(409, "You have just said the same here. It has not been posted again.")
        case t.ThreadIsLocked() | t.ThreadIsClosed():
            return Problem(409, "This conversation has been closed; comments can no longer be written.")
        case t.EditWindowClosed():
            return Problem(409, "The time for changing this comment has passed. You can reply to it instead.")
        case t.CommentIsGone(state=state):
            return Problem(410, f"This comment is {_GONE.get(state, 'gone')}.")
        case t.CommentNotFound() | t.CorrectionNotFound():
            return Problem(404, "There is no such comment here.")
        case t.NotTheAuthor():
            return Problem(403, "Only its author may do this.")
        case t.NotAllowed():
            return Problem(403, "You are not signed in as somebody who may do this.")
        case t.RefusedByScreen():
            return Problem(422, "This text is not taken here. Please change it.")
        case t.ConflictingEvent():
            return Problem(409, "This form has been sent before, with other words. Send it again if both are meant.")
        case t.StaleId():
            return Problem(409, "Somebody has changed this meanwhile. Please look at it again.")
        case t.InvalidCursor():
            return Problem(400, "This link to further comments does not fit any more. Please start from the first page.")
        case t.Rejected():
            return Problem(422, "This could not be done.")
        case t.StoreError():
            return Problem(503, "The comments can not be reached at the moment. Please try again.", 5)
        case _:
            return Problem(400, "The request could not be understood.")
