"""
Text quotes and anchoring: where in the article a correction belongs.

A reader highlights a passage; `quote_of` records what it says, a little of what stands around it, and where it began. Later
the article may have been reflowed, extended or rewritten. `anchor` finds the passage again, or says that it cannot: a
correction at the wrong place is worse than an orphaned one, so there is no nearest guess and no likeness, only equality.

White space counts only as such: any run of it matches any run, and what lies around the passage is left out. A side of
the context is *recorded* if it holds more than white space. The rule, from the top:

================================================  ============  =========================================
context that matches                              at one place  at several places
================================================  ============  =========================================
all that was recorded, or nothing was             there         at the recorded offset exactly, or None
one of two recorded sides, and nowhere both       there         at the recorded offset exactly, or None
none, though some was recorded                    None          None
================================================  ============  =========================================

The last row is what others get wrong. A passage that has changed on all its sides cannot be told from a look-alike. In
hypothesis/h#2798 an editor did as an annotation asked and replaced "Robin", and the annotation moved to another "Robin" of
the same sentence; in hypothesis/client#7571 it moved to a paragraph that is worded alike. Here both are orphaned, even
where the look-alike is the only occurrence, or stands at the recorded offset. (The same was argued in
tilgovi/dom-anchor-text-quote#1: when prefix and suffix both fail, nothing tells what the right match would be.) Whoever
edits on one side of a passage leaves the other side, which is enough where it is unmistakable; both sides are looked at
before any is given up (hypothesis/product-backlog#1022: quotes that differ by their suffix alone piled up in one place).

The quote is the TextQuoteSelector of the W3C Web Annotation Data Model, section 4.2.4, whose prefix and suffix exist to
tell one occurrence from others. `start` is the offset of its TextPositionSelector (4.2.5), which any edit further up makes
wrong: so it decides between equals only, and only if it is exactly right.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from threadstore.model.values import TextQuote

__all__ = ["Article", "anchor", "quote_of"]

_words = re.compile(r"\S+").finditer


def quote_of(text: str, start: int, end: int, *, context: int = 32) -> TextQuote:
    """
    Return the quote of ``text[start:end]``, what an application records when a reader highlights a passage.

    White space at either end of the passage is left out.

    Args:
        text: The article as the reader saw it.
        start: Where the passage begins, in characters.
        end: Where it ends.
        context: How many characters to record on either side. More of them keep passages apart that are worded alike,
            but then more of the article must stay as it is.

    Raises:
        ValueError: The range does not lie in the text, or holds nothing but white space; *context* is negative; or a
            part of the quote is longer, or less safe, than `TextQuote` allows.

    Complexity: O(end - start + context).

    >>> quote_of("It rained at nite, all night.", 13, 17, context=5)
    TextQuote(exact='nite', prefix='d at ', suffix=', all', start=13)
    """
    if not 0 <= start < end <= len(text):
        raise ValueError(f"start and end must mark a passage of the text of {len(text)} characters, not {start}:{end}")
    if context < 0:
        raise ValueError(f"context must not be negative: {context}")
    passage = text[start:end]
    exact = passage.strip()
    if not exact:
        raise ValueError(f"the passage {start}:{end} holds nothing but white space")
    start += len(passage) - len(passage.lstrip())
    end = start + len(exact)
    return TextQuote(exact, text[max(start - context, 0) : start], text[end : end + context], start)


def anchor(quote: TextQuote, text: str) -> tuple[int, int] | None:
    """
    Return where the passage stands in *text*, as (start, end), or None if it is not there or not unmistakably.

    `Article` does the same for many quotes of one text.

    Complexity: O(len(text) + the length of the quote).

    >>> anchor(TextQuote("nite", "d at ", ", all", 13), "Look: it rained  at nite, all day.")
    (20, 24)
    """
    return Article(text).anchor(quote)


class _Needle(NamedTuple):
    """A text to look for, and how far into it the passage begins."""

    text: str
    skip: int


class Article:
    """
    A text made ready to find many quotes in.

    Args:
        text: The article as it is now.

    Complexity: O(len(text)), and as much memory again.
    """

    __slots__ = ("_collapsed", "_places", "_starts", "_text")

    def __init__(self, text: str) -> None:
        spans = [word.span() for word in _words(text)]
        self._text = text
        self._collapsed = _collapse(text)
        self._starts = [start for start, _ in spans]
        self._places = list(accumulate((end - start + 1 for start, end in spans), initial=0))

    def anchor(self, quote: TextQuote) -> tuple[int, int] | None:
        """
        Return where the passage stands, as (start, end), or None if it is not there or not unmistakably.

        Complexity: O(len(text) + the length of the quote), however often the passage occurs: two occurrences are enough
        to know that there are several, so none are listed.
        """
        passage = _collapse(quote.exact)
        if not passage:
            return None
        before = _collapse(quote.prefix + quote.exact).removesuffix(passage)
        after = _collapse(quote.exact + quote.suffix).removeprefix(passage)
        ladder: list[tuple[_Needle, ...]] = [(_Needle(before + passage + after, len(before)),)]
        if before and after:
            ladder.append((_Needle(before + passage, len(before)), _Needle(passage + after, 0)))
        for needles in ladder:
            places = [place for needle in needles for place in self._first_two(needle)]
            if places:
                place = places[0] if len(places) == 1 else self._recorded(quote, needles)
                return None if place is None else (self._index(place), self._index(place + len(passage)))
        return None

    def _first_two(self, needle: _Needle) -> Iterator[int]:
        """Yield where the passage stands in the first two occurrences of *needle*."""
        place = self._collapsed.find(needle.text)
        if place >= 0:
            yield place + needle.skip
            place = self._collapsed.find(needle.text, place + 1)
            if place >= 0:
                yield place + needle.skip

    def _recorded(self, quote: TextQuote, needles: Iterable[_Needle]) -> int | None:
        """Return where the passage stands if one of *needles* occurs just where the quote was taken."""
        start = quote.start + len(quote.exact) - len(quote.exact.lstrip())
        if start >= len(self._text) or self._text[start].isspace():
            return None
        word = bisect_right(self._starts, start) - 1
        place = self._places[word] + start - self._starts[word]
        for text, skip in needles:
            if place >= skip and self._collapsed.startswith(text, place - skip):
                return place
        return None

    def _index(self, place: int) -> int:
        """Return where a place of the collapsed text lies in the text; the space behind a word counts as the word's end."""
        word = bisect_right(self._places, place) - 1
        return self._starts[word] + place - self._places[word]


def _collapse(text: str) -> str:
    """Return *text* with one space for every run of white space, and none around. `str.split` goes by `str.isspace`."""
    return " ".join(text.split())
