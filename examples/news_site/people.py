"""
Who is who. An application signs people in and vouches for their ids and roles; the library believes it.

A browser gets a signed cookie (`itsdangerous`, through Starlette's `SessionMiddleware`) with an opaque id, the name that its
reader chose, and the token that guards every form. A role is never read from the cookie: it belongs to an account, and the
cookie names the account. The accounts below have no passwords, since this is a demonstration; put your own sign-in here.
"""

from __future__ import annotations

import secrets
from typing import Final

from attrs import frozen
from starlette.requests import Request

from threadstore import Actor, Policy

__all__ = ["ACCOUNTS", "Reader", "reader_of", "remember_name", "sign_in", "sign_out"]

ACCOUNTS: Final = {
    "ann": Actor("u-ann", "Ann Lee"),
    "jo": Actor("u-jo", "Jo Park"),
    "noor": Actor("staff-noor", "Noor", "moderator"),
    "wim": Actor("staff-wim", "Wim", "editor"),
}


@frozen(kw_only=True)
class Reader:
    """
    Whoever looks at a page.

    Args:
        actor: What the library is told of them.
        account: The demo account that they signed in with, or "".
        csrf: The token that their forms must bring.
        moderates: They may moderate.
        edits: They may decide corrections.
    """

    actor: Actor
    account: str
    csrf: str
    moderates: bool
    edits: bool


def reader_of(request: Request, policy: Policy) -> Reader:
    """Return who sent the request; a browser that is seen for the first time gets an id and a token."""
    session = request.session
    if not isinstance(session.get("csrf"), str):
        session.update(id=f"u-{secrets.token_hex(8)}", csrf=secrets.token_urlsafe(24))
    account = session.get("account", "")
    actor = ACCOUNTS.get(account) or Actor(session["id"], session.get("name", ""))
    rules = policy.rules
    return Reader(
        actor=actor,
        account=account if account in ACCOUNTS else "",
        csrf=session["csrf"],
        moderates=rules.moderates(actor),
        edits=rules.edits_article(actor),
    )


def remember_name(request: Request, name: str) -> None:
    """Keep the name that a reader without an account has chosen."""
    if request.session.get("name", "") != name:
        request.session["name"] = name


def sign_in(request: Request, account: str) -> None:
    """Go on as a demo account, with a new token."""
    request.session.update(account=account, csrf=secrets.token_urlsafe(24))


def sign_out(request: Request) -> None:
    """Forget who this browser was, its own id and name included."""
    request.session.clear()
