"""Where a quoted passage stands in an article that has changed since."""

from __future__ import annotations

import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from threadstore.errors import UnsafeText
from threadstore.model.corrections import Article, anchor, quote_of
from threadstore.model.values import MAX_QUOTE, TextQuote

STORY = "It rained at nite. We slept at nite, too, and woke up late."
NITE = quote_of(STORY, 31, 35, context=8)


def quote(text: str, passage: str, *, context: int = 32) -> TextQuote:
    """Return the quote of the one *passage* in *text*."""
    assert text.count(passage) == 1
    return quote_of(text, text.index(passage), text.index(passage) + len(passage), context=context)


def said(quote: TextQuote, text: str) -> str | None:
    """Return the passage that *quote* anchors to, with its neighbours in brackets, or None."""
    span = anchor(quote, text)
    return None if span is None else f"{text[: span[0]]}[{text[slice(*span)]}]{text[span[1] :]}"


# --- taking a quote ---------------------------------------------------------------------------------------------------------


def test_a_quote_says_what_and_where():
    """It holds the passage, what stands on either side, and where it began."""
    assert TextQuote("nite", "slept at ", ", too, an", 31) == quote_of(STORY, 31, 35, context=9)


def test_context_ends_with_the_text():
    """At either end of the article there is less to record, and around the whole of it nothing."""
    assert quote_of("abc", 0, 1) == TextQuote("a", "", "bc", 0)
    assert quote_of("abc", 2, 3) == TextQuote("c", "ab", "", 2)
    assert quote_of("abc", 0, 3) == TextQuote("abc", "", "", 0)
    assert quote_of("abc", 1, 2, context=0) == TextQuote("b", "", "", 1)
    assert quote_of("a" * 40 + "b", 2, 41, context=3).prefix == "aa"


def test_white_space_at_the_ends_is_left_out():
    """Whoever highlights a little too much means the words."""
    assert quote_of("one  two \n three", 3, 11, context=4) == TextQuote("two", "ne  ", " \n t", 5)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 2), (0, 4), (4, 5), (-3, -1)])
def test_a_range_outside_the_text_is_refused(start: int, end: int):
    """A passage has a beginning, an end behind it, and lies in the text; offsets do not count from the end."""
    with pytest.raises(ValueError, match="3 characters"):
        quote_of("abc", start, end)


def test_a_blank_passage_is_refused():
    """White space alone says nothing that could be found again."""
    with pytest.raises(ValueError, match="white space"):
        quote_of("a \n\u00a0b", 1, 4)


def test_negative_context_is_refused():
    """It would cut into the passage."""
    with pytest.raises(ValueError, match="-1"):
        quote_of("abc", 1, 2, context=-1)


def test_a_quote_keeps_to_the_bounds_of_the_format():
    """A passage or a context that is too long, or cannot be stored, is refused before an event exists."""
    with pytest.raises(ValueError, match="exact"):
        quote_of("a" * (MAX_QUOTE + 1), 0, MAX_QUOTE + 1)
    with pytest.raises(ValueError, match="suffix"):
        quote_of("a" * (MAX_QUOTE + 2), 0, 1, context=MAX_QUOTE + 1)
    with pytest.raises(UnsafeText):
        quote_of("a\0b", 0, 1)


# --- the rule, row by row -----------------------------------------------------------------------------------------------------


def test_one_place_where_all_matches():
    """Whatever was written before it, and whatever the offset says, the passage is there."""
    assert said(NITE, "Look. " + STORY) == "Look. It rained at nite. We slept at [nite], too, and woke up late."


def test_several_places_where_all_matches():
    """Where the words around do not tell two passages apart, the recorded offset does, if it is exact."""
    refrain = "row, row, row your boat; row, row, row your boat"
    second = TextQuote("row", "row, ", " your", 35)
    assert anchor(second, refrain) == (35, 38)
    assert anchor(second, refrain.replace("; ", ";  ")) is None, "one character off is a guess"
    assert anchor(TextQuote("row", "row, ", " your", 30), refrain) is None, "there, but without the context"


def test_one_place_where_one_side_matches():
    """An edit on one side of the passage leaves the other side to know it by."""
    assert said(NITE, "We slept at nite and all day.") == "We slept at [nite] and all day."
    assert said(NITE, "Tired, we lay down at nite, too, and slept.") == "Tired, we lay down at [nite], too, and slept."


def test_several_places_where_one_side_matches():
    """Of two halves none is better than the other, so again only the exact offset decides."""
    text = "We slept at nite; nobody was up at nite, too, and woke."
    assert anchor(NITE, text) is None
    assert anchor(TextQuote("nite", NITE.prefix, NITE.suffix, 12), text) == (12, 16)
    assert anchor(TextQuote("nite", NITE.prefix, NITE.suffix, 35), text) == (35, 39)


def test_both_sides_beat_one_side_and_the_offset():
    """Context comes first: a look-alike at the recorded offset loses to the passage whose neighbours are all there."""
    text = "We slept at nite again. We slept at nite, too, and on."
    assert anchor(TextQuote("nite", "slept at ", ", too", 12), text) == (36, 40)


@pytest.mark.parametrize("start", [0, 31, 13], ids=["elsewhere", "recorded", "its own"])
def test_a_lookalike_is_not_the_passage(start: int):
    """The only occurrence left, with other words on both sides, is another passage, whatever the offset says."""
    text = "It rained at nite. We slept until dawn."
    assert text.index("nite") == 13
    assert anchor(TextQuote("nite", NITE.prefix, NITE.suffix, start), text) is None


def test_without_context_one_place_is_enough():
    """A quote that never had any context is where its words are, if they are there once."""
    assert anchor(TextQuote("nite"), "all nite long") == (4, 8)
    assert anchor(TextQuote("nite", start=1), "nite, nite, nite") is None
    assert anchor(TextQuote("nite", start=6), "nite, nite, nite") == (6, 10)
    assert anchor(TextQuote("non non", start=1), "non non non") is None, "places may overlap"


@pytest.mark.parametrize("blank", ["", " ", "\n\t\u2003"])
def test_a_blank_side_was_not_recorded(blank: str):
    """White space is no context: it neither makes a passage known nor contradicts the other side."""
    assert anchor(TextQuote("nite", blank, ", too"), "at nite, too") == (3, 7)
    assert anchor(TextQuote("nite", blank, ", too"), "at nite, also") is None
    assert anchor(TextQuote("nite", "at ", blank), "at nite, also") == (3, 7)
    assert anchor(TextQuote("nite", "at ", blank), "by nite") is None


@pytest.mark.parametrize("exact", ["", " ", "\n\u00a0"])
def test_an_empty_quote_is_nowhere(exact: str):
    """A quote without words, such as an erased one, anchors nowhere."""
    assert anchor(TextQuote(exact, "a", "b"), "ab") is None
    assert anchor(TextQuote(exact), "") is None


@pytest.mark.parametrize("start", [0, 3, 99, 2**53])
def test_what_is_gone_is_orphaned(start: int):
    """Words that are not in the text are nowhere, whatever the offset says."""
    assert anchor(TextQuote("gone", "all ", " now", start), "all is now") is None
    assert anchor(TextQuote("gone", "all ", " now", start), "") is None


def test_likeness_is_not_equality():
    """A word with one letter changed is another word: an edited passage is orphaned."""
    assert anchor(NITE, STORY.replace("nite", "night")) is None
    assert anchor(NITE, STORY.upper()) is None


# --- what others got wrong ----------------------------------------------------------------------------------------------------


def test_a_correction_that_was_made_does_not_move_to_its_lookalike():
    """An editor follows the suggestion; the same name earlier in the sentence is not what it was about (hypothesis/h#2798)."""
    before = "As Robin wrote in the preface, the anthology that Robin edited grew out of a seminar."
    after = "As Robin wrote in the preface, the anthology that Elisa edited grew out of a seminar."
    assert anchor(quote_of(before, 50, 55), before) == (50, 55)
    assert anchor(quote_of(before, 50, 55), after) is None


def test_a_correction_at_the_start_does_not_move_to_its_lookalike():
    """Nothing was recorded before the first word; that nothing contradicts does not make another place the passage."""
    before = "Robin wrote the preface, and Robin edited the rest."
    assert anchor(quote_of(before, 0, 5), before.replace("Robin", "Elisa", 1)) is None


@pytest.mark.parametrize("passage", ["reduced latency by twelve percent", "the new deployment", "reported that"])
def test_a_rewritten_paragraph_does_not_lend_its_quotes_to_the_next(passage: str):
    """Two paragraphs are worded alike and one is rewritten: its quotes are orphaned (hypothesis/client#7571)."""
    alike = "reported that the new deployment reduced latency by twelve percent across all regions."
    before = f"Team Alpha {alike}\n\nTeam Beta {alike}\n\nOther teams have yet to report."
    after = f"Team Alpha withdrew its figures.\n\nTeam Beta {alike}\n\nOther teams have yet to report."
    start = before.index(passage)
    taken = quote_of(before, start, start + len(passage), context=80)
    assert anchor(taken, before) == (start, start + len(passage))
    assert anchor(taken, after) is None


def test_quotes_that_differ_by_their_suffix_alone_stay_apart():
    """Both sides are looked at before any is given up (hypothesis/product-backlog#1022)."""
    text = "strain WB-STRAIN (one); strain WB-STRAIN (two)"
    spans = {anchor(TextQuote("WB-STRAIN", "strain ", suffix), text) for suffix in (" (one)", " (two)")}
    assert spans == {(7, 16), (31, 40)}


# --- white space and Unicode ----------------------------------------------------------------------------------------------------


def test_a_reflowed_article_keeps_its_corrections():
    """Any run of white space matches any run, in the passage as in its context."""
    taken = quote(STORY, "We slept at nite", context=12)
    text = "It rained\r\nat  nite.\n\n\tWe\u00a0slept \u2028 at\nnite,  too,\x1fand woke up late."
    assert said(taken, text) == text.replace("We", "[We").replace("nite,", "nite],")


def test_white_space_is_not_nothing():
    """Where there was white space there must be some, and where there was none there may be none."""
    assert anchor(TextQuote("a b"), "ab") is None
    assert anchor(TextQuote("ab"), "a b") is None
    assert anchor(TextQuote("b", "a"), "a b") is None
    assert anchor(TextQuote("b", "a "), "ab") is None
    assert anchor(TextQuote(" b", "a"), "a\nb") == (2, 3)
    assert anchor(TextQuote("b ", "", "c"), "b\nc") == (0, 1)


def test_the_offset_may_count_the_white_space_of_the_passage():
    """A quote taken elsewhere may begin with white space: its offset is where that begins."""
    assert anchor(TextQuote("  b", start=1), "a  b  b") == (3, 4)
    assert anchor(TextQuote("b", start=4), "a  b  b") is None, "in white space begins no passage"
    assert anchor(TextQuote("b", start=7), "a  b  b") is None, "nor behind the end"
    assert anchor(TextQuote("b", "a", start=0), "b ab ab") is None, "nor before the text"


@pytest.mark.parametrize(
    ("text", "passage"),
    [
        ("Ça, c'est l'été à Besançon.", "été"),
        ("👩‍👩‍👧 waved 👋🏽 at 👩‍👧", "👋🏽"),
        ("他们在夜里下雨了。", "夜里"),
        ("قال إن المطر هطل ليلا", "المطر"),
        ("\u202etxet desrever\u202c", "desrever"),
        ("zero\u200bwidth", "width"),
        ("a\u0301 and \u00e1", "a\u0301"),
    ],
)
def test_offsets_are_in_code_points(text: str, passage: str):
    """Scripts, emoji and overrides are characters like any other, and normal forms are told apart."""
    taken = quote(text, passage, context=2)
    for changed in (text, f"\U0001d538\n{text}", f"{text} \U0001d538"):
        span = anchor(taken, changed)
        assert span is not None
        assert changed[slice(*span)] == passage


def test_every_kind_of_white_space_collapses():
    """What `str.isspace` calls white space, and nothing else, stands for any other white space."""
    for character in map(chr, range(sys.maxunicode + 1)):
        if 0xD800 <= ord(character) <= 0xDFFF:
            continue
        if character.isspace() or ord(character) < 0x3100:
            expected = (0, 3) if character.isspace() else None
            assert anchor(TextQuote("a b"), f"a{character}b") == expected, hex(ord(character))


# --- laws ---------------------------------------------------------------------------------------------------------------------

texts = st.text("ab \n\u00a0", min_size=1, max_size=30)
marks = st.text("xyz ", min_size=1, max_size=6).filter(str.strip)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span without white space at its ends."""
    passage = text[start:end]
    return end - len(passage.lstrip()), start + len(passage.rstrip())


@st.composite
def highlights(draw: st.DrawFn, longest: int = 30) -> tuple[str, int, int]:
    """Draw a text and a passage of it that is not blank."""
    text = draw(st.text("ab \n\u00a0", min_size=1, max_size=longest))
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start + 1, len(text)))
    assume(not text[start:end].isspace())
    return text, start, end


@given(highlight=highlights(), context=st.integers(0, 8))
def test_in_the_unchanged_text_every_quote_is_where_it_was(highlight: tuple[str, int, int], context: int):
    """However often the passage occurs, in whatever context, the offset is right and decides."""
    text, start, end = highlight
    assert anchor(quote_of(text, start, end, context=context), text) == trimmed(text, start, end)


@given(highlight=highlights(), context=st.integers(0, 8), added=texts)
def test_where_the_offset_is_wrong_the_anchor_moves_along_or_is_lost(highlight: tuple[str, int, int], context: int, added: str):
    """After an addition in front, the passage is where it now is, or it cannot be told from an equal one."""
    text, start, end = highlight
    taken = quote_of(text, start, end, context=context)
    span, moved = anchor(taken, added + text), trimmed(text, start, end)[0] + len(added)
    assert span is None or span[0] in (moved, taken.start)
    if len(places(taken, added + text, sides=2)) == 1:
        assert span is not None
        assert span[0] == moved


def places(taken: TextQuote, text: str, *, sides: int) -> list[tuple[int, int]]:
    """Return where the passage of *taken* occurs with at least *sides* of its context, by trying every span."""

    def flat(part: str) -> str:
        return " ".join(part.split())

    before, after = flat(taken.prefix + taken.exact), flat(taken.exact + taken.suffix)
    return [
        (start, end)
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
        if flat(text[start:end]) == flat(taken.exact)
        and not (text[start].isspace() or text[end - 1].isspace())
        and flat(text[:end]).endswith(before) + flat(text[start:]).startswith(after) >= sides
    ]


@given(highlight=highlights(8), context=st.integers(0, 5), start=st.none() | st.integers(0, 16), data=st.data())
def test_the_table_read_plainly_gives_the_same(
    highlight: tuple[str, int, int], context: int, start: int | None, data: st.DataObject
):
    """In any text, counting the places that keep all context, then those that keep a recorded side, gives the same answer."""
    text, first, last = highlight
    pieces = st.sampled_from([text, text[:first], text[first:last], text[last:], "a", "b\n", "  "])
    changed = "".join(data.draw(st.lists(pieces, max_size=5), label="pieces"))
    taken = quote_of(text, first, last, context=context)
    if start is not None:
        taken = TextQuote(taken.exact, taken.prefix, taken.suffix, start)
    both = bool(taken.prefix.strip()) and bool(taken.suffix.strip())
    candidates = places(taken, changed, sides=2) or (places(taken, changed, sides=1) if both else [])
    recorded = [span for span in candidates if span[0] == taken.start]
    expected = candidates[0] if len(candidates) == 1 else recorded[0] if recorded else None
    assert anchor(taken, changed) == expected


@given(left=texts, passage=marks, right=texts, added=texts, cut=st.integers(0, 60), context=st.integers(0, 12))
def test_an_insertion_elsewhere_keeps_the_anchor(left: str, passage: str, right: str, added: str, cut: int, context: int):
    """A passage that occurs once is found again wherever else something is inserted: one side stays."""
    text = left + passage + right
    start, end = trimmed(text, len(left), len(left) + len(passage))
    taken = quote_of(text, start, end, context=context)
    cut = min(cut, len(text))
    assume(not start < cut < end)
    broken, whole = (taken.suffix, taken.prefix) if cut >= end else (taken.prefix, taken.suffix)
    assume(whole.strip() or not broken.strip())
    changed = text[:cut] + added + text[cut:]
    moved = len(added) if cut <= start else 0
    assert anchor(taken, changed) == (start + moved, end + moved)


@given(left=texts, passage=marks, right=texts, context=st.integers(0, 12))
def test_deleting_the_passage_orphans(left: str, passage: str, right: str, context: int):
    """When the words are gone, no other words are taken for them."""
    text = left + passage + right
    assert anchor(quote_of(text, len(left), len(left) + len(passage), context=context), left + right) is None


@given(left=texts, passage=marks, right=texts, context=st.integers(0, 12), width=st.integers(1, 3))
def test_reflowing_keeps_the_anchor(left: str, passage: str, right: str, context: int, width: int):
    """A passage that occurs once is found again when all white space is another and of another width."""
    text = left + passage + right
    start, end = trimmed(text, len(left), len(left) + len(passage))
    wide = ["\n" * width if character.isspace() else character for character in text]
    before, reflowed = "".join(wide[:start]), "".join(wide[start:end])
    span = anchor(quote_of(text, start, end, context=context), "".join(wide))
    assert span == (len(before), len(before) + len(reflowed))


# --- bounded work -----------------------------------------------------------------------------------------------------------


def test_an_article_anchors_many_quotes():
    """An article made ready once answers as `anchor` does for each."""
    article = Article(STORY)
    taken = [quote_of(STORY, start, start + 3) for start in range(len(STORY) - 3)]
    assert [article.anchor(each) for each in taken] == [anchor(each, STORY) for each in taken]


@pytest.mark.parametrize(
    ("unit", "exact", "side"),
    [("nite ", "nite", "nite "), ("a", "a" * 5_000, "a" * 9_999), ("ab ", "ab " * 3_000, "ab " * 3_000), ("a\n", "a", "")],
    ids=["100,000 words", "one letter", "long context", "no context"],
)
def test_a_passage_that_occurs_everywhere(unit: str, exact: str, side: str):
    """In a text of half a million characters that repeats itself, only the exact offset anchors, and soon."""
    text = unit * (500_000 // len(unit))
    article = Article(text)
    start = 60_000
    assert article.anchor(TextQuote(exact, side, side, start)) == (start, start + len(exact.rstrip()))
    assert article.anchor(TextQuote(exact, side, side, 2**53)) is None
    assert article.anchor(TextQuote(exact, side + "!", "!" + side, start)) is None
