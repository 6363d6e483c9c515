"""The beginning of a comment in one line: where it is cut, and what stands in place of what is withheld."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from threadstore.testing.given import MODERATOR, id_of, posted, removed
from threadstore.views.excerpts import ELLIPSIS, NOTICES, excerpt
from threadstore.views.thread import fold
from threadstore.views.types import CONCEALMENTS, SPOILER_NOTICE, CommentView

#: Characters as readers count them, of more than one code point each.
CLUSTERS = (
    "e\u0301",
    "o\u0323\u0302",
    "\u0928\u093f",  # a letter with the sign of its vowel
    "\U0001f1e9\U0001f1ea",  # two regional indicators
    "\U0001f44d\U0001f3fd",  # a thumb with a tone of skin
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",  # a family
    "\u2764\ufe0f",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # a flag of tags
    "\u1112\u1161\u11ab",  # one syllable in three pieces
    "\ud55c\u11ab",
    "\u1112\uac00",
    "3\ufe0f\u20e3",
)
TEXTS = st.lists(st.sampled_from(["a", "b", "漢", " ", "\n", *CLUSTERS, "\u0301", "\u200d", "\U0001f1e9"]), max_size=40).map(
    "".join
)


def shown(said: str, **more: Any) -> CommentView:
    """Return the view of a comment with this body."""
    return replace(fold([posted(1, said)]).comment(id_of(1)), **more)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("I was there.", 12, "I was there."),
        ("I was there.", 11, "I was…"),
        ("I was there.", 6, "I was…"),
        ("I was there.", 5, "I wa…"),
        ("I was there.", 3, "I…"),
        ("  I\n\n\twas \u2029 there.  ", 20, "I was there."),
        ("https://example.org/a/very/long/address", 10, "https://e…"),
        ("See https://example.org/a/very/long/address", 20, "See https://example…"),
        ("一二三四五六七", 4, "一二三…"),
        ("a", 1, "a"),
        ("ab", 1, "…"),
        ("   ", 1, ""),
        ("", 5, ""),
    ],
)
def test_a_text_is_cut_behind_a_word(text: str, limit: int, expected: str):
    """An excerpt is one line that fits, and ends behind a word unless half of it would stay empty."""
    assert excerpt(text, limit=limit) == expected


@pytest.mark.parametrize("cluster", CLUSTERS, ids=ascii)
def test_no_character_is_torn(cluster: str):
    """Wherever the limit falls, a run of one character is cut between two of them."""
    text = cluster * 5
    for limit in range(1, len(text)):
        kept = excerpt(text, limit=limit).removesuffix(ELLIPSIS)
        assert kept == cluster * ((limit - 1) // len(cluster))


@given(TEXTS, st.integers(1, 60))
def test_the_laws_of_excerpts(text: str, limit: int):
    """An excerpt is the line, or a beginning of it with an ellipsis, and is never longer than its limit."""
    line, short = " ".join(text.split()), excerpt(text, limit=limit)
    assert len(short) <= limit
    assert short == line if len(line) <= limit else short.endswith(ELLIPSIS) and line.startswith(short.removesuffix(ELLIPSIS))


def test_a_comment_that_is_shown_is_cut_like_its_body():
    """Of a view that holds a body, the excerpt is the body's."""
    comment = shown("I was there when it began.")
    assert excerpt(comment, limit=12) == excerpt("I was there when it began.", limit=12) == "I was there…"


@pytest.mark.parametrize("why", [*CONCEALMENTS, "missing"])
def test_what_is_withheld_has_a_notice(why: Any):
    """A concealed comment gives the sentence that says why, whole, whatever the limit."""
    assert excerpt(shown("secret", body=None, concealed=why), limit=1) == NOTICES[why]
    assert "secret" not in excerpt(shown("secret", concealed=why))


def test_a_spoiler_is_covered_until_it_is_revealed():
    """The excerpt of a spoiler is the notice of its page, and its text for the reader who has opened it."""
    thread = fold([posted(1, "The gardener did it.", spoiler=True)])
    assert excerpt(thread.comment(id_of(1))) == SPOILER_NOTICE
    assert excerpt(thread.comment(id_of(1), reveal={id_of(1)})) == "The gardener did it."


def test_a_removed_comment_opens_to_moderators_alone():
    """An excerpt shows a reader what the view shows them, and no more."""
    thread = fold([posted(1, "Buy my watches."), removed(2, 1)])
    assert excerpt(thread.comment(id_of(1))) == "This comment was removed by a moderator."
    assert excerpt(thread.comment(id_of(1), reader=MODERATOR)) == "Buy my watches."


@pytest.mark.parametrize(("limit", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), (2.5, TypeError)])
def test_a_limit_is_a_number_of_characters(limit: Any, error: type[Exception]):
    """A limit that leaves no room for the ellipsis, or is no int, is refused."""
    with pytest.raises(error, match="limit must be"):
        excerpt("text", limit=limit)
