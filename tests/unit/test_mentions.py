"""Whom an ``@Name`` addresses."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple
from unicodedata import category, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadstore.model.events import MAX_NAME, Actor
from threadstore.model.ids import make_id
from threadstore.model.mentions import Names, starts_of_names
from threadstore.views.types import Mention

Use = tuple[int, str, str]

ANN = (1, "u-ann", "Ann Lee")
LIFE = (2, "u-life", "Thought.Life")
LEVEL = (3, "u-level", "Lee, Highest Level")
SUE = (4, "u-sue", 'Susan "Sue" Park-Holm')
PAGE = (ANN, LIFE, LEVEL, SUE)
LATE = 1_000_000


def id_of(n: int) -> str:
    """Return the id of the *n*-th comment."""
    return make_id(1_700_000_000_000 + n, 0, 0)


def thread(*uses: Use) -> Names:
    """Return the names of comments, each given as its number, its author's id and name."""
    names = Names()
    for n, actor, name in uses:
        names.add(id_of(n), Actor(actor, name))
    return names


def nobody_asks() -> Iterable[Actor | None]:
    """Stand in for the ancestors where one actor has the name, so that nobody needs to ask."""
    raise AssertionError("the ancestors were asked for without need")


def spans(names: Names, body: str, *, at: int = LATE, above: Sequence[str | None] | None = None) -> list[tuple[str, str]]:
    """Return each mention in comment *at*, below authors with the ids *above*: what it spans, and whom it means."""
    authors = [actor and Actor(actor) for actor in above or ()]
    found = names.find(body, comment=id_of(at), nearest=nobody_asks if above is None else lambda: authors)
    return [(body[mention.start : mention.end], mention.actor) for mention in found]


# --- names ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", PAGE, ids=lambda use: use[2])
@pytest.mark.parametrize("body", ["@{}, same here.", "I agree with @{}.", "(@{})", "\n@{}\n", "¿@{}?", "@@{}", "@{}"])
def test_names_as_people_have_them(use: Use, body: str):
    """Spaces, dots, commas, quotes and hyphens are parts of names, and a reply may consist of a mention only."""
    _, actor, name = use
    assert spans(thread(*PAGE), body.format(name)) == [(f"@{name}", actor)]


def test_offsets_are_in_code_points():
    """The span begins at the @ and ends behind the name, counted in characters whatever their width."""
    body = "👩‍👩‍👧 é: @Ann Lee!"
    [mention] = thread(ANN).find(body, comment=id_of(9), nearest=list)
    assert mention == Mention(body.index("@"), body.index("!"), "u-ann")


@pytest.mark.parametrize(
    "body",
    [
        "@Ann Leeds",
        "@Ann Lee2",
        "@Ann Leeé",
        "@Ann Lee٣",
        "joe@Ann Lee",
        "7@Ann Lee",
        "é@Ann Lee",
        "@ann lee",
        "@Ann  Lee",
        "@ Ann Lee",
        "@Ann",
        "Ann Lee",
        "@Ann Le",
        "@",
        "",
        "Ann Lee@",
        "\uff20Ann Lee",
    ],
)
def test_what_is_no_mention(body: str):
    """A name in a longer word, behind a letter or digit as in an e-mail address, or not exactly the name, is none."""
    assert spans(thread(ANN), body) == []


@pytest.mark.parametrize("body", ["@Ann Lee_", "@Ann Lee's", "@Ann Lee-Park", "@Ann Lee@example.org", "_@Ann Lee", "@Ann Lee🎉"])
def test_what_is_a_mention_all_the_same(body: str):
    """Only letters, digits and combining marks go on with a name."""
    assert spans(thread(ANN), body) == [("@Ann Lee", "u-ann")]


def test_the_longest_name_wins():
    """One name may be the start of another."""
    names = thread(ANN, (2, "u-ann-p", "Ann Lee Park"), (3, "u-a", "Ann"))
    assert spans(names, "@Ann Lee Park @Ann Lee Par @Ann Le") == [
        ("@Ann Lee Park", "u-ann-p"),
        ("@Ann Lee", "u-ann"),
        ("@Ann", "u-a"),
    ]


def test_the_longest_name_that_ends_properly_wins():
    """Where the longest runs on into a word, the next shorter is tried."""
    names = thread((1, "u-a", "Ann"), (2, "u-al", "Ann L"), (3, "u-ale", "Ann Le"), (4, "u-b", "Ann Lz"))
    assert spans(names, "@Ann Lee") == [("@Ann", "u-a")]
    assert spans(names, "@Ann Le!") == [("@Ann Le", "u-ale")]


def test_names_may_hold_the_sign_itself():
    """A name with @ is a name, also one that begins or ends so."""
    names = thread((1, "u-1", "joe@home"), (2, "u-2", "@joe"), (3, "u-3", "joe@"), (4, "u-4", "@"))
    assert spans(names, "@joe@home") == [("@joe@home", "u-1")]
    assert spans(names, "@@joe @joe@ @@") == [("@@joe", "u-2"), ("@joe@", "u-3"), ("@@", "u-4")]


def test_mentions_do_not_overlap():
    """The search goes on behind a match: what lies in it is not looked at again."""
    names = thread((1, "u-1", "Ann @Bob"), (2, "u-2", "Bob"))
    assert spans(names, "@Ann @Bob @Bob") == [("@Ann @Bob", "u-1"), ("@Bob", "u-2")]
    assert spans(names, "@Bob@Bob") == [("@Bob", "u-2")], "the second follows a letter"


def test_composed_and_decomposed_names_are_two():
    """What looks alike is compared as it is written: neither form is found in the other, nor the bare letter in either."""
    composed, decomposed = normalize("NFC", "René"), normalize("NFD", "René")
    names = thread((1, "u-nfc", composed), (2, "u-nfd", decomposed), (3, "u-bare", "Rene"))
    assert spans(names, f"@{composed} @{decomposed} @Rene") == [
        (f"@{composed}", "u-nfc"),
        (f"@{decomposed}", "u-nfd"),
        ("@Rene", "u-bare"),
    ]
    assert spans(thread((3, "u-bare", "Rene")), f"@{composed} @{decomposed}") == []


def test_a_vowel_sign_belongs_to_the_word():
    """Marks that take space (category Mc) go on with a name as well: Ram is not Rama."""
    names = thread((1, "u-ram", "राम"))
    assert spans(names, "@रामा @राम।") == [("@राम", "u-ram")]


@pytest.mark.parametrize(
    "name",
    [
        "\u202eeeL nnA",  # shown as "Ann Lee" by its right-to-left override
        "Ann\u202e Lee",
        "\u2066Ann Lee\u2069",
        "Ann\u200bLee",
        "\uff21nn Lee",  # a full-width A
        "\ufdfa",
        "💜 Ann",
        "👩‍👩‍👧",
    ],
)
def test_names_with_invisible_or_unusual_characters(name: str):
    """Overrides, isolates, joiners and emoji are compared like everything else, and nobody is taken for Ann Lee."""
    names = thread(ANN, (2, "u-odd", name))
    assert spans(names, f"@{name} and @Ann Lee") == [(f"@{name}", "u-odd"), ("@Ann Lee", "u-ann")]


def test_the_longest_names_are_found():
    """Names as long as the format allows, which differ in their last character only, are told apart."""
    start = "a" * (MAX_NAME - 1)
    names = thread((1, "u-1", start + "!"), (2, "u-2", start + "?"), (3, "u-3", start))
    assert [actor for _, actor in spans(names, f"@{start}! @{start}? @{start} @{start}a")] == ["u-1", "u-2", "u-3"]


# --- who has spoken -----------------------------------------------------------------------------------------------------------


def test_nobody_is_addressed_before_they_have_spoken():
    """Only names used by smaller ids count: not the comment's own, and not those that come later."""
    names = thread((5, "u-ann", "Ann"), (7, "u-lee", "Ann Lee"))
    assert spans(names, "@Ann Lee", at=5) == []
    assert spans(names, "@Ann Lee", at=6) == [("@Ann", "u-ann")]
    assert spans(names, "@Ann Lee", at=7) == [("@Ann", "u-ann")]
    assert spans(names, "@Ann Lee", at=8) == [("@Ann Lee", "u-lee")]


@pytest.mark.parametrize("name", ["", " ", "\u00a0\t"])
def test_a_blank_name_is_no_name(name: str):
    """An actor without a visible name is never addressed, nor is an anonymous one."""
    names = thread(ANN, (2, "u-2", name))
    names.add(id_of(3), None)
    assert spans(names, f"@{name} @  @") == []


def test_a_name_is_what_somebody_was_called():
    """Whoever changed their name is addressed by the one or the other."""
    names = thread((1, "u-1", "Ann"), (2, "u-1", "Ann Lee-Park"))
    assert spans(names, "@Ann @Ann Lee-Park") == [("@Ann", "u-1"), ("@Ann Lee-Park", "u-1")]


def test_adding_again_changes_nothing():
    """The same use twice is one use, and goes with one discard."""
    names = thread(ANN, ANN)
    names.discard(id_of(1))
    assert spans(names, "@Ann Lee") == []


def test_a_discarded_name_is_forgotten():
    """A name whose only use was erased addresses nobody; shorter and longer ones stay."""
    names = thread((1, "u-1", "Ann"), (2, "u-2", "Ann Lee"), (3, "u-3", "Ann Lee Park"), (4, "u-4", "Bob"))
    names.discard(id_of(2))
    assert spans(names, "@Ann Lee Park @Ann Lee @Bob") == [("@Ann Lee Park", "u-3"), ("@Ann", "u-1"), ("@Bob", "u-4")]
    names.discard(id_of(4))
    assert spans(names, "@Bob") == []


def test_when_all_names_are_forgotten_nobody_is_addressed():
    """A thread whose every name was erased is like one in which nobody had a name."""
    names = thread(ANN)
    names.discard(id_of(1))
    assert spans(names, "@Ann Lee") == spans(thread(), "@Ann Lee") == []


def test_a_name_with_another_use_stays():
    """Erasing one comment does not take the name from others, but from the time before them."""
    names = thread((1, "u-1", "Ann"), (3, "u-1", "Ann"))
    names.discard(id_of(1))
    assert spans(names, "@Ann", at=2) == []
    assert spans(names, "@Ann", at=4) == [("@Ann", "u-1")]


def test_discarding_what_is_not_there_changes_nothing():
    """An anonymous comment, or one never seen, has no name to forget."""
    names = thread(ANN)
    names.discard(id_of(2))
    assert spans(names, "@Ann Lee") == [("@Ann Lee", "u-ann")]


def test_another_post_in_its_place_takes_the_name_along():
    """A comment has one author: noting another replaces the first, also when that one has no name."""
    names = thread((1, "u-1", "Ann"), (1, "u-2", "Bob"))
    assert spans(names, "@Ann @Bob") == [("@Bob", "u-2")]
    names.add(id_of(1), None)
    assert spans(names, "@Bob") == []


# --- equal names --------------------------------------------------------------------------------------------------------------

ANNS: tuple[Use, ...] = tuple((n, f"u-{n}", "Ann") for n in range(1, 6))


@pytest.mark.parametrize(
    ("above", "meant"),
    [
        (["u-2"], "u-2"),
        (["u-4", "u-2"], "u-4"),
        (["u-x", None, "u-3", "u-1"], "u-3"),
        (["u-x", None], "u-5"),
        ([], "u-5"),
    ],
)
def test_of_equal_names(above: list[str | None], meant: str):
    """The parent's author is meant, then that of the nearest ancestor, then the latest speaker."""
    assert spans(thread(*ANNS), "@Ann, yes", above=above) == [("@Ann", meant)]


def test_the_latest_speaker_is_the_latest_before_the_comment():
    """What is said later does not change whom an older comment meant."""
    names = thread(*ANNS, (6, "u-1", "Ann"))
    assert spans(names, "@Ann", at=4, above=[]) == [("@Ann", "u-3")]
    assert spans(names, "@Ann", at=7, above=[]) == [("@Ann", "u-1")]


def test_an_ancestor_who_takes_the_name_later_is_not_meant():
    """Being above is not enough: the ancestor must have used the name before the comment."""
    names = thread((1, "u-1", "Ann"), (2, "u-2", "Ann"), (9, "u-3", "Ann"))
    assert spans(names, "@Ann", at=5, above=["u-3", "u-1"]) == [("@Ann", "u-1")]


def test_ancestors_are_not_asked_where_one_actor_has_the_name():
    """Also where others take the name later, and where one actor used it often."""
    names = thread((1, "u-1", "Ann"), (2, "u-1", "Ann"), (9, "u-2", "Ann"))
    assert spans(names, "@Ann", at=5) == [("@Ann", "u-1")]


def test_names_that_came_in_any_order_are_equal():
    """What arrives late by a merge counts by its id."""
    body, above = "@Ann", ["u-x"]
    for seed in range(20):
        uses = [*ANNS, (6, "u-1", "Ann"), (7, "u-x", "Ann Lee")]
        Random(seed).shuffle(uses)
        names = thread(*uses)
        assert [spans(names, body, at=at, above=above) for at in range(1, 8)] == [
            [],
            *[[("@Ann", f"u-{n}")] for n in (1, 2, 3, 4, 5, 1)],
        ]


def test_ancestors_already_passed_are_the_nearest_still():
    """One mention may have led far up: the next name is looked for from the parent on again, and among those before it."""
    names = thread(*[(1, "u-1", "Bob"), (2, "u-2", "Bob"), (3, "u-3", "Cy"), (4, "u-4", "Cy"), (9, "u-0", "Bob")])
    above = ["u-0", "u-2", "u-1", "u-3"]
    assert spans(names, "@Cy @Bob", at=8, above=above) == [("@Cy", "u-3"), ("@Bob", "u-2")]
    assert spans(names, "@Cy @Bob", at=10, above=above) == [("@Cy", "u-3"), ("@Bob", "u-0")]


def test_ancestors_are_walked_once_and_no_further_than_needed():
    """A thousand mentions of three ambiguous names walk to the first of each once, however long the chain."""
    names = thread(*((n, f"u-{n}", ["Ann", "Bob", "Cy"][n // 3]) for n in range(9)))
    chain = [Actor("u-x"), None, Actor("u-4"), Actor("u-x"), Actor("u-7"), Actor("u-2"), *[Actor("u-1")] * 10_000]
    asked, walked = 0, 0

    def nearest() -> Iterator[Actor | None]:
        nonlocal asked, walked
        asked += 1
        for author in chain:
            walked += 1
            yield author

    found = names.find("@Ann @Bob @Cy " * 1_000, comment=id_of(9), nearest=nearest)
    assert {mention.actor for mention in found} == {"u-2", "u-4", "u-7"}
    assert (asked, walked) == (1, 6)


# --- against the plain reading of the rules ---------------------------------------------------------------------------------


def goes_on(character: str) -> bool:
    """Return whether *character* goes on with a name before it."""
    return character.isalnum() or category(character)[0] == "M"


def plainly(uses: dict[int, Actor], body: str, comment: int, above: Sequence[Actor | None]) -> list[Mention]:
    """Return the mentions by trying every name at every place, as the rules are written."""
    spoken = {n: actor for n, actor in uses.items() if n < comment and actor.name.strip()}
    found: list[Mention] = []
    at = 0
    while at < len(body):
        end = at + 1
        if body[at] == "@" and not (at and body[at - 1].isalnum()):
            fits = {
                actor.name
                for actor in spoken.values()
                if body.startswith(actor.name, at + 1) and not any(map(goes_on, body[at + 1 + len(actor.name) :][:1]))
            }
            if fits:
                name = max(fits, key=len)
                called = {n: actor.id for n, actor in spoken.items() if actor.name == name}
                nearest = [author.id for author in above if author is not None and author.id in called.values()]
                end = at + 1 + len(name)
                found.append(Mention(at, end, nearest[0] if nearest else called[max(called)]))
        at = end
    return found


letters = st.text("aab@ .\u0301", min_size=1, max_size=4)
people = st.sampled_from(["u-1", "u-2", "u-3"])
common = st.sampled_from(["a", "a b", "ab", "b", "@"])
comments = st.integers(1, 9)
actors = st.builds(Actor, people, common | common | letters)
steps = st.lists(st.tuples(comments, st.none() | actors | actors), min_size=3, max_size=25)
ancestors = st.lists(st.none() | st.builds(Actor, people), max_size=4)
bodies = st.lists(st.builds("@{}".format, common | letters) | letters, max_size=8).map("".join)


@given(steps=steps, bodies=st.lists(bodies, min_size=1, max_size=4), above=ancestors)
def test_the_plain_reading_finds_the_same(steps: list[tuple[int, Actor | None]], bodies: list[str], above: list[Actor | None]):
    """After any adding and discarding, at every comment, trying every name at every place gives the same mentions."""
    names, uses = Names(), dict[int, Actor]()
    for i, (n, actor) in enumerate(steps):
        if actor is None:
            names.discard(id_of(n))
            uses.pop(n, None)
        else:
            names.add(id_of(n), actor)
            uses[n] = actor
        body = bodies[i % len(bodies)] + " @a @b @a b @ab"
        for comment in (n, 10):
            assert list(names.find(body, comment=id_of(comment), nearest=lambda: above)) == plainly(uses, body, comment, above)


@given(uses=st.dictionaries(comments, actors, min_size=2), body=bodies, seed=st.integers())
def test_the_order_of_adding_does_not_matter(uses: dict[int, Actor], body: str, seed: int):
    """Two threads with the same names answer alike, whatever came first, and however often."""
    shuffled = [*uses.items(), *uses.items()]
    Random(seed).shuffle(shuffled)
    one, other = Names(), Names()
    for n, actor in uses.items():
        one.add(id_of(n), actor)
    for n, actor in shuffled:
        other.add(id_of(n), actor)
    assert [one.find(body, comment=id_of(n), nearest=list) for n in range(14)] == [
        other.find(body, comment=id_of(n), nearest=list) for n in range(14)
    ]


# --- bounded work -----------------------------------------------------------------------------------------------------------


class Body(str):
    """A text that counts the characters read from it."""

    __slots__ = ("read",)

    def __init__(self, _text: str) -> None:
        self.read = 0

    def __getitem__(self, index: Any) -> str:
        """Return the slice, and count it."""
        part = super().__getitem__(index)
        self.read += len(part)
        return part


class Name(str):
    """A name; the class counts how often any name is compared with a text that is sought, and the characters read of names."""

    __slots__ = ()
    compared = 0
    read = 0

    def __getitem__(self, index: Any) -> str:
        """Return the slice, and count it."""
        part = super().__getitem__(index)
        Name.read += len(part)
        return part

    def __gt__(self, other: str) -> bool:
        """Answer the bisection, whose question ``text < name`` comes here since a Name is a str, too."""
        Name.compared += 1
        return str.__gt__(self, other)


class Speaker(NamedTuple):
    """An actor in all that matters here; a true one takes no Name."""

    id: str
    name: str


def test_names_count_what_bisection_compares():
    """The counter below counts: one comparison for each halving."""
    names = [Name(f"{n:03d}") for n in range(127)]
    Name.compared = 0
    assert bisect_right(names, "063") == 64
    assert Name.compared == 7


WORK: dict[str, tuple[list[str], str]] = {
    "nothing but signs": (["a", "b"], "@"),
    "names of signs, each just not there": (["@" * n + "!" for n in range(300)], "@"),
    "names in names, none of which ends": (["@@@a" * n + "@@@" for n in range(75)], "@@@a"),
    "names in names, each of which ends": (["!" * n for n in range(1, 300)], "@!"),
    "many names with one start": ([f"a{'b' * (n % 300)}{n}" for n in range(5_000)], "@ab "),
    "many names, all mentioned": ([f"n{n}" for n in range(5_000)], "@n17 @n4999 @n "),
}


@pytest.mark.parametrize("comment", [0, 99_999], ids=["before all names", "after all names"])
@pytest.mark.parametrize(("called", "unit"), WORK.values(), ids=WORK)
def test_work_is_linear_in_the_body(called: list[str], unit: str, comment: int):
    """Hostile names and bodies cost a name's length per @ and a bisection, whatever the number of names."""
    names = Names()
    for n, name in enumerate(called, start=1):
        names.add(id_of(n), Speaker(f"u-{n}", Name(name)))  # type: ignore[arg-type]
    body = Body(unit * (2_000 // len(unit)))
    Name.compared = Name.read = 0
    names.find(body, comment=id_of(comment), nearest=list)
    signs, longest = body.count("@"), max(map(len, called))
    assert Name.compared <= signs * (len(called).bit_length() + 1)
    assert body.read <= 2 * len(body) + signs * (3 * longest + 3)
    assert Name.read <= signs * 3 * longest + len(called) * longest


def test_a_million_signs():
    """The longest body that the format allows, full of signs, holds no mention and is soon read."""
    body = Body("@" * 1_000_000)
    assert thread(ANN, SUE).find(body, comment=id_of(LATE), nearest=nobody_asks) == ()
    assert body.read <= 2 * len(body)


def test_a_hundred_thousand_mentions_among_fifty_thousand_names():
    """Every one is found, each with the right actor, though every name is the start of others."""
    called = [f"{'a' * (n % 100)}{n // 100}" for n in range(50_000)]
    assert len({*called}) == 50_000
    names = thread(*((n, f"u-{n}", name) for n, name in enumerate(called)))
    body = " ".join(f"@{name}" for name in [*called, *called])
    found = names.find(body, comment=id_of(LATE), nearest=nobody_asks)
    assert [mention.actor for mention in found] == [f"u-{n}" for n in range(50_000)] * 2


def test_names_that_arrive_backwards_are_put_in_order_once():
    """A hundred thousand uses of one name by two actors, the latest first, still answer by bisection."""
    names = thread(*((n, f"u-{n % 2}", "Guest") for n in range(100_000, 0, -1)))
    assert spans(names, "@Guest", at=50_001, above=[]) == [("@Guest", "u-0")]
    assert spans(names, "@Guest", at=2) == [("@Guest", "u-1")]


def test_names_that_are_told():
    """What is told counts like what is added: the first use by each, and the last of those told where nobody is nearer."""
    names = Names()
    names.tell_all([(Actor("a", "Ann"), "05"), (Actor("b", "Ann"), "03"), (Actor("c", "Ann Lee"), "04")])
    names.tell(Actor("a", "Ann"), "02")
    names.tell(Actor("a", "Ann"), "07")
    names.add("06", Actor("d", "Ann"))
    assert len(names) == 2

    def called(comment: str) -> list[str]:
        return [each.actor for each in names.find("@Ann", comment=comment, nearest=list)]

    assert [called(comment) for comment in ("02", "03", "04", "08")] == [[], ["a"], ["b"], ["d"]]
    assert [each.actor for each in names.find("@Ann Lee", comment="05", nearest=list)] == ["c"]
    names.forget_told()
    assert names.find("@Ann Lee @Ann", comment="05", nearest=list) == ()
    assert len(names) == 1


def test_names_told_at_once_are_those_told_one_by_one():
    """However many are new, and whatever starts whatever."""
    called = ["Al", "Alan", "Ala", "Bo", "Al B", "Bob", "A"]
    told = [(Actor(f"u{number}", name), f"{number:02}") for number, name in enumerate(called)]
    one, other = Names(), Names()
    one.add("00", Actor("x", "Alan Bo"))
    other.add("00", Actor("x", "Alan Bo"))
    one.tell_all(told)
    for actor, id in told:
        other.tell(actor, id)
    body = "@Alan Bo @Alan @Ala @Al B @Al @A @Bob @Bo @Alan Bob"
    assert one.find(body, comment="50", nearest=list) == other.find(body, comment="50", nearest=list)
    assert len(one.find(body, comment="50", nearest=list)) == 9


@pytest.mark.parametrize("known", [[], [("00", Actor("x", "Al"))], [("99", Actor("a", "Al"))]])
def test_comments_noted_at_once_are_those_noted_one_by_one(known: list[tuple[str, Actor]]):
    """Whatever was noted before, several speak under one name, somebody changes role or name, and one is nobody."""
    speakers = [Actor("a", "Al"), Actor("b", "Al"), None, Actor("a", "Al", "moderator"), Actor("a", "Alan"), Actor("c", " ")]
    comments = [(f"{number:02}", actor) for number, actor in enumerate([*speakers, *reversed(speakers)], 1)]
    one, other = Names(), Names()
    for names in (one, other):
        for id, actor in known:
            names.add(id, actor)
    one.add_all(comments)
    for id, actor in comments:
        other.add(id, actor)
    for _ in range(2):
        for at in range(14):
            found = [names.find("@Al @Alan", comment=f"{at:02}", nearest=list) for names in (one, other)]
            assert found[0] == found[1]
        assert len(one) == len(other) == 2
        for names in (one, other):
            names.discard("01")
            names.discard("05")


def test_a_name_starts_behind_an_at_and_ends_with_a_word():
    """Within a word there is no name, before a combining mark none ends, and what is too long is none."""
    assert list(starts_of_names("mail@Ann, @Bo\u0301b_ Lee")) == ["Bo\u0301b", "Bo\u0301b_", "Bo\u0301b_ Lee"]
    assert list(starts_of_names("@x@y")) == ["x", "x@y"]
    assert list(starts_of_names("@" + "a" * MAX_NAME)) == ["a" * MAX_NAME]
    assert list(starts_of_names("@" + "a" * MAX_NAME + ".")) == ["a" * MAX_NAME]
    assert list(starts_of_names("@" + "a" * (MAX_NAME + 1))) == []
    assert list(starts_of_names("@")) == []
