"""
The intents: what somebody wants to happen. `decide` turns one into events, or says why not.

Commands are Structs with written tags, so a web layer can decode them from JSON::

    msgspec.json.decode(body, type=threadstore.commands.AnyCommand)

Such a layer sets `by` itself, from its own sign-in: what a stranger's JSON says of who they are is not to be believed.

A command is checked when it is decided, not when it is made: `decide` bounds its texts by the `Policy`, and the event that it
becomes bounds every field by the format (`threadstore.model.events`). Decoding from JSON checks types and refuses fields that no
command has: with a `ValueError`, as msgspec's errors are, or with a `RecursionError` for what is nested deeper than any command.
"""

from __future__ import annotations

from msgspec import Struct

from threadstore.model.events import Outcome
from threadstore.model.values import SUPPORT, Actor, TextQuote

__all__ = [
    "AnyCommand",
    "Approve",
    "ClearSpoiler",
    "Command",
    "DecideCorrection",
    "Delete",
    "Describe",
    "Edit",
    "Erase",
    "ErasePerson",
    "Hold",
    "Lock",
    "MarkSpoiler",
    "Pin",
    "Post",
    "React",
    "Remove",
    "Report",
    "ResolveReports",
    "Restore",
    "SuggestCorrection",
    "Unlock",
    "Unpin",
    "Unreact",
]


class Command(Struct, frozen=True, kw_only=True, tag_field="command", forbid_unknown_fields=True):
    """
    An intent. The base of all kinds; only its subclasses are made.

    Args:
        thread: The key of the conversation.
        by: Who asks; None for an anonymous actor.
        id: The id that the event shall bear, so that a repeated request is the same event; None lets one be minted.
    """

    thread: str
    by: Actor | None = None
    id: str | None = None

    @property
    def name(self) -> str:
        """The wire tag, such as ``"post"``."""
        return str(self.__struct_config__.tag)


class Post(Command, frozen=True, kw_only=True, tag="post"):
    """Say something: at the top level, or in answer to *parent*."""

    body: str
    parent: str | None = None
    spoiler: bool = False
    held: bool = False
    meta: dict[str, str] | None = None


class OnComment(Command, frozen=True, kw_only=True):
    """A command about one comment; some take a correction's id as well. A base."""

    comment: str


class WithReason(OnComment, frozen=True, kw_only=True):
    """A command that may say why. A base."""

    reason: str = ""


class Cancelling(OnComment, frozen=True, kw_only=True):
    """A command that takes marks down: those named in *cancels*, or by default all that the store holds. A base."""

    cancels: tuple[str, ...] | None = None


class Opening(Cancelling, frozen=True, kw_only=True):
    """A command that lets a text through: that of the event *seen*, by default the one that the store holds. A base."""

    seen: str | None = None


class Edit(OnComment, frozen=True, kw_only=True, tag="edit"):
    """Rewrite a comment, having *seen* the text of that event (by default the one that the store holds)."""

    body: str
    seen: str | None = None


class Delete(OnComment, frozen=True, kw_only=True, tag="delete"):
    """Take back one's own comment or correction, for good."""


class React(OnComment, frozen=True, kw_only=True, tag="react"):
    """React to a comment."""

    kind: str = SUPPORT


class Unreact(OnComment, frozen=True, kw_only=True, tag="unreact"):
    """Take a reaction back."""

    kind: str = SUPPORT


class MarkSpoiler(OnComment, frozen=True, kw_only=True, tag="mark_spoiler"):
    """Conceal a comment's body until a reader asks for it."""


class ClearSpoiler(Cancelling, frozen=True, kw_only=True, tag="clear_spoiler"):
    """Show the body again."""


class Report(WithReason, frozen=True, kw_only=True, tag="report"):
    """Ask a moderator to look at a comment or a correction, having *seen* the text of that event."""

    seen: str | None = None


class ResolveReports(Cancelling, frozen=True, kw_only=True, tag="resolve_reports"):
    """Answer the reports on a comment or a correction."""


class Hold(WithReason, frozen=True, kw_only=True, tag="hold"):
    """Withhold a comment until a moderator approves it."""


class Approve(Opening, frozen=True, kw_only=True, tag="approve"):
    """Let a held comment through; open reports on it are resolved as well."""


class Remove(WithReason, frozen=True, kw_only=True, tag="remove"):
    """Take a comment or a correction down."""


class Restore(Opening, frozen=True, kw_only=True, tag="restore"):
    """Put a removed comment or correction back."""


class Pin(OnComment, frozen=True, kw_only=True, tag="pin"):
    """Put a comment at the head of the thread."""


class Unpin(Cancelling, frozen=True, kw_only=True, tag="unpin"):
    """Let a pinned comment go back to its place."""


class Lock(Command, frozen=True, kw_only=True, tag="lock"):
    """End the conversation."""

    reason: str = ""


class Unlock(Command, frozen=True, kw_only=True, tag="unlock"):
    """Open a locked thread again."""

    cancels: tuple[str, ...] | None = None


class Describe(Command, frozen=True, kw_only=True, tag="describe"):
    """Say what the thread is about."""

    title: str = ""
    url: str = ""
    article_version: str = ""


class SuggestCorrection(Command, frozen=True, kw_only=True, tag="suggest_correction"):
    """Propose another wording for a passage of the article."""

    quote: TextQuote
    suggestion: str
    note: str = ""
    article_version: str = ""


class DecideCorrection(Command, frozen=True, kw_only=True, tag="decide_correction"):
    """Accept or decline a correction, or reopen it."""

    correction: str
    outcome: Outcome
    note: str = ""


class Erase(OnComment, frozen=True, kw_only=True, tag="erase"):
    """Forget every text of a comment or a correction, for good."""


class ErasePerson(Command, frozen=True, kw_only=True, tag="erase_person"):
    """Forget every text that a person wrote in the thread, for good."""

    person: str


AnyCommand = (
    Post
    | Edit
    | Delete
    | React
    | Unreact
    | MarkSpoiler
    | ClearSpoiler
    | Report
    | ResolveReports
    | Hold
    | Approve
    | Remove
    | Restore
    | Pin
    | Unpin
    | Lock
    | Unlock
    | Describe
    | SuggestCorrection
    | DecideCorrection
    | Erase
    | ErasePerson
)
