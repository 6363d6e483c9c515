"""Whom an ``@Name`` addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any
from unicodedata import category, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadstore.model.ids import make_id
from threadstore.model.mentions import MAX_ABOVE, MAX_CALLS, Call, Mention, Names, Use, calls, is_name, resolve
from threadstore.model.values import MAX_NAME, Actor, actor_key
from threadstore.testing.given import id_of as fact
from threadstore.testing.given import posted
from threadstore.views.thread import fold

Spoken = tuple[int, str, str]

ANN = (1, "u-ann", "Ann Lee")
LIFE = (2, "u-life", "Thought.Life")
LEVEL = (3, "u-level", "Lee, Highest Level")
SUE = (4, "u-sue", 'Susan "Sue" Park-Holm')
PAGE = (ANN, LIFE, LEVEL, SUE)
LATE = 1_000_000


def id_of(n: int) -> str:
    """Return the id of the *n*-th comment."""
    return make_id(1_700_000_000_000 + n, 0, 0)


def thread(*uses: Spoken) -> Names:
    """Return the names of comments, each given as its number, its author's id and name."""
    names = Names()
    for n, actor, name in uses:
        names.add(id_of(n), Actor(actor, name))
    return names


def nobody_asks() -> Iterable[int]:
    """Stand in for the ancestors where one actor has the name, so that nobody needs to ask."""
    raise AssertionError("the ancestors were asked for without need")


def keys_of(actors: Iterable[str]) -> list[int]:
    """Return the keys of some actors' ids; an empty id stands for an anonymous author."""
    return [actor_key(actor or None) for actor in actors]


def spans(names: Names, body: str, *, at: int = LATE, above: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """Return each mention in comment *at*, below authors with the ids *above*: what it spans, and whom it means."""
    found = names.find(body, comment=id_of(at), above=nobody_asks if above is None else lambda: keys_of(above))
    return [(body[mention.start : mention.end], mention.actor) for mention in found]


# --- names ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", PAGE, ids=lambda use: use[2])
@pytest.mark.parametrize("body", ["@{}, same here.", "I agree with @{}.", "(@{})", "\n@{}\n", "¿@{}?", "@@{}", "@{}"])
def test_names_as_people_have_them(use: Spoken, body: str):
    """Spaces, dots, commas, quotes and hyphens are parts of names, and a reply may consist of a mention only."""
    _, actor, name = use
    assert spans(thread(*PAGE), body.format(name)) == [(f"@{name}", actor)]


def test_offsets_are_in_code_points():
    """The span begins at the @ and ends behind the name, counted in characters whatever their width."""
    body = "👩‍👩‍👧 é: @Ann Lee!"
    [mention] = thread(ANN).find(body, comment=id_of(9), above=list)
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

ANNS: tuple[Spoken, ...] = tuple((n, f"u-{n}", "Ann") for n in range(1, 6))


@pytest.mark.parametrize(
    ("above", "meant"),
    [
        (["u-2"], "u-2"),
        (["u-4", "u-2"], "u-4"),
        (["u-x", "", "u-3", "u-1"], "u-3"),
        (["u-x", ""], "u-5"),
        ([], "u-5"),
    ],
)
def test_of_equal_names(above: list[str], meant: str):
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


def test_ancestors_are_asked_for_once():
    """A thousand mentions of three ambiguous names look up once, for the first of them, and every name finds its nearest."""
    names = thread(*((n, f"u-{n}", ["Ann", "Bob", "Cy"][n // 3]) for n in range(9)), (9, "u-9", "Dee"))
    asked = 0

    def above() -> Iterable[int]:
        nonlocal asked
        asked += 1
        return iter(keys_of(["u-x", "", "u-4", "u-x", "u-7", "u-2", "u-1"]))

    found = names.find("@Dee @Ann @Bob @Cy " * 100, comment=id_of(10), above=above)
    assert [mention.actor for mention in found] == ["u-9", "u-2", "u-4", "u-7"] * 100
    assert asked == 1


def test_the_thousand_nearest_are_looked_at():
    """Of two with one name the one above is meant, unless so many stand between that the search has ended."""
    for between, meant in ((MAX_ABOVE - 1, "u-1"), (MAX_ABOVE, "u-2")):
        chain = [posted(1, by=Actor("u-1", "Ann")), posted(2, by=Actor("u-2", "Ann"))]
        chain += [posted(3 + n, "w", to=2 + n if n else 1, by=None) for n in range(between)]
        last = 3 + between
        [mention] = fold([*chain, posted(last, "@Ann", to=last - 1, by=None)]).comment(fact(last)).mentions
        assert mention.actor == meant


# --- against the plain reading of the rules ---------------------------------------------------------------------------------


def goes_on(character: str) -> bool:
    """Return whether *character* goes on with a name before it."""
    return character.isalnum() or category(character)[0] == "M"


def plainly(uses: dict[int, Actor], body: str, comment: int, above: Sequence[str]) -> list[Mention]:
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
                nearest = [author for author in above if author in called.values()]
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
ancestors = st.lists(st.just("") | people, max_size=4)
bodies = st.lists(st.builds("@{}".format, common | letters) | letters, max_size=8).map("".join)


@given(steps=steps, bodies=st.lists(bodies, min_size=1, max_size=4), above=ancestors)
def test_the_plain_reading_finds_the_same(steps: list[tuple[int, Actor | None]], bodies: list[str], above: list[str]):
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
            assert list(names.find(body, comment=id_of(comment), above=lambda: keys_of(above))) == plainly(
                uses, body, comment, above
            )


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
    assert [one.find(body, comment=id_of(n), above=list) for n in range(14)] == [
        other.find(body, comment=id_of(n), above=list) for n in range(14)
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
def test_work_is_bounded(called: list[str], unit: str, comment: int):
    """Hostile names and bodies cost, for each of a thousand @, the lengths of the names, whatever the number of names."""
    names = thread(*((n, f"u-{n}", name) for n, name in enumerate(called, start=1)))
    body = Body(unit * (20_000 // len(unit)))
    names.find(body, comment=id_of(comment), above=list)
    lengths = {len(name) for name in called}
    assert body.read <= body.count("@") + MAX_CALLS * sum(length + 1 for length in lengths)


def test_a_million_signs():
    """The longest body that the format allows, full of signs, holds no mention and is soon read."""
    body = Body("@" * 1_000_000)
    assert thread(ANN, SUE).find(body, comment=id_of(LATE), above=nobody_asks) == ()
    assert body.read <= 100 * MAX_CALLS


def test_the_first_thousand_signs_are_looked_at():
    """An @ that could begin a mention counts, whether it does or not and also within a match; one within a word does not."""
    names = thread((1, "u-1", "Ann"), (2, "u-2", "Ann @Bob"))
    for unit, heard in (("@Ann ", 1), ("@Zoe ", 0), ("@ ", 0)):
        assert len(spans(names, unit * (MAX_CALLS - 1) + "@Ann")) == heard * (MAX_CALLS - 1) + 1
        assert len(spans(names, unit * MAX_CALLS + "@Ann")) == heard * MAX_CALLS
    assert len(spans(names, "@Ann @Bob " * MAX_CALLS)) == MAX_CALLS // 2
    assert len(spans(names, "joe@Ann " * MAX_CALLS + "@Ann")) == 1


def test_a_thousand_mentions_among_fifty_thousand_names():
    """Every one is found, each with the right actor, though every name is the start of others."""
    called = [f"{'a' * (n % 100)}{n // 100}" for n in range(50_000)]
    assert len({*called}) == 50_000
    names = thread(*((n, f"u-{n}", name) for n, name in enumerate(called)))
    found = names.find(" ".join(f"@{name}" for name in called), comment=id_of(LATE), above=nobody_asks)
    assert [mention.actor for mention in found] == [f"u-{n}" for n in range(MAX_CALLS)]


def test_names_that_arrive_backwards_are_put_in_order():
    """A hundred thousand uses of one name by two actors, the latest first, still answer by bisection."""
    names = thread(*((n, f"u-{n % 2}", "Guest") for n in range(100_000, 0, -1)))
    assert len(names) == 1
    assert spans(names, "@Guest", at=50_001, above=[]) == [("@Guest", "u-0")]
    assert spans(names, "@Guest", at=2) == [("@Guest", "u-1")]


# --- in parts, for names that are kept elsewhere ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("", []),
        ("Ann", []),
        ("@", []),
        ("@Ann", [(0, ("Ann",))]),
        ("@An", []),
        ("@A", [(0, ("A",))]),
        ("@A n", [(0, ("A n", "A"))]),
        ("@A nn", [(0, ("A",))]),
        ("mail@Ann, @Bob", [(10, ("Bob",))]),
        ("@@Ann", [(1, ("Ann",))]),
        ("@Bo\u0301b @Bob\u0301", []),
    ],
)
def test_what_could_be_a_mention(body: str, found: list[tuple[int, tuple[str, ...]]]):
    """Behind each @ that begins a word stand texts as long as names are, the longest first, each of which ends with a word."""
    assert calls(body, {3, 1}) == found


def use(actor: str, last: str) -> Use:
    return Use(actor, actor_key(actor), last)


def test_the_answer_goes_by_the_uses_that_are_given():
    """A name that nobody used is no name, whether it is given without uses or not at all; of the others the rules choose."""
    found = [Call(0, ("Ann Lee", "Ann")), Call(8, ("Bob",)), Call(20, ("Cy",)), Call(30, ("Dee",))]
    uses = {"Ann Lee": [], "Ann": [use("u-1", "01"), use("u-2", "02")], "Bob": (use("u-3", "03"),), "Cy": []}
    assert resolve(found, uses, lambda: keys_of(["u-1"])) == (Mention(0, 4, "u-1"), Mention(8, 12, "u-3"))
    assert resolve(found, uses, list) == (Mention(0, 4, "u-2"), Mention(8, 12, "u-3"))
    assert resolve(found, {}, nobody_asks) == resolve([], uses, nobody_asks) == ()


def test_who_used_which_name_where():
    """Each name is given with each actor who used it and the comments that did, in order."""
    names = thread((3, "u-1", "Ann"), (1, "u-1", "Ann"), (2, "u-2", "Ann"), (4, "u-2", "Bob"), (5, "u-3", "Cy"))
    names.discard(id_of(5))
    assert sorted(names.uses()) == [
        ("Ann", "u-1", [id_of(1), id_of(3)]),
        ("Ann", "u-2", [id_of(2)]),
        ("Bob", "u-2", [id_of(4)]),
    ]


@pytest.mark.parametrize(("name", "expected"), [("Ann", True), (" a ", True), ("", False), (" \u2003", False)])
def test_which_names_there_are(name: str, expected: bool):
    """White space is no name."""
    assert is_name(name) is expected
