"""
The beginning of a comment, for feeds and notices: one line that fits, and that conceals what views conceal.

A text is cut where a reader would cut it: behind a word if there is one to keep, else behind a whole character as readers count
them (a letter with its accents, a flag, a family of emoji), never inside. The rules are those of Unicode's extended grapheme
clusters (UAX 29) as far as the standard library knows the classes; where it does not, a cut comes too early, not too late.

Laws: an excerpt of a text is no longer than its limit; it is the text with each run of white space as one space, or a
beginning of that with an ellipsis; a concealed comment's excerpt depends on nothing but why it is concealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from unicodedata import category

from threadstore.views.types import SPOILER_NOTICE, CommentView, Concealment

__all__ = ["ELLIPSIS", "NOTICES", "excerpt"]

#: What stands in place of a body that is withheld, by why it is.
NOTICES: Final[Mapping[Concealment, str]] = MappingProxyType(
    {
        "erased": "This comment was erased.",
        "deleted": "This comment was deleted by its author.",
        "removed": "This comment was removed by a moderator.",
        "held": "This comment waits for a moderator.",
        "spoiler": SPOILER_NOTICE,
        "missing": "This comment is not here.",
    }
)

#: What says that a text goes on.
ELLIPSIS: Final = "…"

_JOINER: Final = "\u200d"
_NON_JOINER: Final = "\u200c"


def excerpt(comment: CommentView | str, *, limit: int = 200) -> str:
    """
    Return the beginning of *comment* in one line, or the notice that stands in its place.

    Args:
        comment: A comment as its reader sees it, or a text that the caller knows to be for this reader's eyes.
        limit: The most characters of an excerpt, its ellipsis included. A notice is a sentence and is never cut.

    Raises:
        TypeError: *limit* is no int.
        ValueError: *limit* is less than 1.

    Complexity: O(length of the body).
    """
    if type(limit) is not int:
        raise TypeError(f"limit must be an int, not {type(limit).__name__}")
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    if isinstance(comment, str):
        return _cut(comment, limit)
    if comment.concealed is not None:
        return NOTICES[comment.concealed]
    return _cut(comment.body or "", limit)


def _cut(text: str, limit: int) -> str:
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    end = space = limit - len(ELLIPSIS)
    if not line[end].isspace():
        end = line.rfind(" ", 0, end)
        if end * 2 < space:  # half of the space would stay empty, as behind an address or in a script without spaces
            end = _boundary(line, space)
    return line[:end].rstrip() + ELLIPSIS


def _boundary(line: str, at: int) -> int:
    """Return the last place up to *at* that is inside of no character as readers count them."""
    while at > 0 and _is_inside(line, at):
        at -= 1
    return at


def _is_inside(line: str, at: int) -> bool:
    """Return whether *line* must not be cut before its character *at*."""
    before, behind = line[at - 1], line[at]
    if before == _JOINER or _extends(behind):
        return True
    if _is_regional(before) and _is_regional(behind):  # two of them are one flag, counted from where they begin
        start = at
        while start > 0 and _is_regional(line[start - 1]):
            start -= 1
        return (at - start) % 2 == 1
    return _continues_syllable(before, behind)


def _extends(char: str) -> bool:
    """Return whether *char* belongs to what stands before it: accents, vowel signs, joiners, tags, tones of skin."""
    return (
        category(char) in {"Mn", "Mc", "Me"}
        or char in {_JOINER, _NON_JOINER}
        or _is_tag(char)
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def _is_tag(char: str) -> bool:
    return "\U000e0020" <= char <= "\U000e007f"


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _continues_syllable(before: str, behind: str) -> bool:
    """Return whether two pieces of Hangul belong to one syllable: of a lead, a vowel and a tail."""
    if "\u1100" <= before <= "\u115f":
        return "\u1100" <= behind <= "\u11a7" or "\uac00" <= behind <= "\ud7a3"
    if "\u1160" <= before <= "\u11a7" or ("\uac00" <= before <= "\ud7a3" and (ord(before) - 0xAC00) % 28 == 0):
        return "\u1160" <= behind <= "\u11ff"
    return "\u11a8" <= behind <= "\u11ff" and ("\u11a8" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3")
