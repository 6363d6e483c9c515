"""A policy is data: each field is checked when the policy is made, and views see no more of it than the rules."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from threadstore.model.policy import Policy, Rules
from threadstore.model.values import MAX_BODY, MAX_NAME, MAX_NOTE, MAX_QUOTE, ROLES, SUPPORT, Actor

DEFAULTS: dict[str, Any] = {
    "max_body": 20_000,
    "max_name": 100,
    "max_reason": 2_000,
    "max_quote": 2_000,
    "anonymous": True,
    "premoderation": "none",
    "edit_window": None,
    "report_threshold": None,
    "flood_limit": None,
    "flood_window": 60_000,
    "duplicate_window": 0,
    "closes_after": None,
    "max_clock_skew": 300_000,
    "kinds": frozenset({SUPPORT}),
    "exclusive": (),
    "positive": frozenset({SUPPORT, "up"}),
    "negative": frozenset({"down"}),
    "moderators": frozenset({"moderator", "system"}),
    "editors": frozenset({"editor", "moderator", "system"}),
    "describers": frozenset({"author", "editor", "moderator", "system"}),
    "screen": None,
    "may": None,
}

# The least that each number may be, the most (None: no bound), and whether None is an answer.
NUMBERS: dict[str, tuple[int, int | None, bool]] = {
    "max_body": (1, MAX_BODY, False),
    "max_name": (1, MAX_NAME, False),
    "max_reason": (1, MAX_NOTE, False),
    "max_quote": (1, MAX_QUOTE, False),
    "edit_window": (0, None, True),
    "report_threshold": (1, None, True),
    "flood_limit": (1, None, True),
    "flood_window": (1, None, False),
    "duplicate_window": (0, None, False),
    "closes_after": (0, None, True),
    "max_clock_skew": (0, None, False),
}


def test_the_defaults_are_what_the_documentation_says():
    """An application that asks for nothing gets these limits."""
    fields = {field.name: getattr(Policy(), field.name) for field in attrs.fields(Policy) if field.init}
    assert fields == DEFAULTS


def test_every_field_is_documented():
    """Nothing can be set that is not explained."""
    explained = {line.strip().partition(":")[0] for line in (Policy.__doc__ or "").splitlines()}
    assert set(DEFAULTS) <= explained


def test_every_number_is_tried_here():
    """No limit or window escapes the table above."""
    assert set(NUMBERS) == {field.name for field in attrs.fields(Policy) if field.type in ("int", "int | None")}


@pytest.mark.parametrize("field", NUMBERS)
def test_a_number_has_its_bounds(field: str):
    """The bounds belong to the range, and no application allows what the format cannot hold."""
    least, most, _ = NUMBERS[field]
    assert getattr(Policy(**{field: least}), field) == least
    bounds = f"{field} must be at least {least}" + (f" and at most {most}" if most else "")
    with pytest.raises(ValueError, match=f"^{bounds}$"):
        Policy(**{field: least - 1})
    if most is None:
        assert getattr(Policy(**{field: 10**15}), field) == 10**15
    else:
        assert getattr(Policy(**{field: most}), field) == most
        with pytest.raises(ValueError, match=f"^{bounds}$"):
            Policy(**{field: most + 1})


@pytest.mark.parametrize("field", NUMBERS)
def test_a_number_is_an_int(field: str):
    """Neither a float, nor a text, nor a bool; None only where it means "no limit"."""
    for value in (1.5, "1", True, [1]):
        with pytest.raises(TypeError, match=f"{field} must be an int"):
            Policy(**{field: value})
    if NUMBERS[field][2]:
        assert getattr(Policy(**{field: None}), field) is None
    else:
        with pytest.raises(TypeError, match=f"{field} must be an int"):
            Policy(**{field: None})


@pytest.mark.parametrize("value", ["none", "anonymous", "newcomers", "all"])
def test_premoderation_is_one_of_four(value: Any):
    """Whose comments wait for a moderator is said in a word."""
    assert Policy(premoderation=value).premoderation == value


@pytest.mark.parametrize("value", ["everybody", "", None, True])
def test_another_word_for_premoderation_is_refused(value: Any):
    """A typing error does not open the gates."""
    with pytest.raises(ValueError, match="premoderation must be one of none, anonymous, newcomers, all"):
        Policy(premoderation=value)


@pytest.mark.parametrize("value", [None, 1, "yes"])
def test_anonymous_is_a_bool(value: Any):
    """What merely counts as true is not an answer."""
    with pytest.raises(TypeError, match="anonymous"):
        Policy(anonymous=value)


@pytest.mark.parametrize("field", ["screen", "may"])
def test_a_hook_is_called(field: str):
    """A hook that cannot be called is noticed when the policy is made, not when somebody posts."""
    assert getattr(Policy(**{field: print}), field) is print
    with pytest.raises(TypeError, match=f"'{field}' must be callable"):
        Policy(**{field: "hold"})


@pytest.mark.parametrize("field", ["kinds", "positive", "negative"])
def test_kinds_are_a_set_of_texts(field: str):
    """Any collection will do, and every kind can be stored."""
    assert getattr(Policy(**{"positive": (), "negative": (), field: ["+1", "+1", "\N{THUMBS UP SIGN}"]}), field) == {"+1", "👍"}
    assert getattr(Policy(**{field: ()}), field) == frozenset()
    for value, error in (
        ("up", TypeError),
        ([7], TypeError),
        ([""], ValueError),
        (["x" * 65], ValueError),
        (["a\0"], ValueError),
    ):
        with pytest.raises(error, match="kind"):
            Policy(**{field: value})


def test_groups_exclude_within_themselves_only():
    """A kind is in one group, so one reaction never cancels two."""
    groups = Policy(exclusive=[["up", "down"], {"+1", "-1"}]).exclusive
    assert groups == (frozenset({"up", "down"}), frozenset({"+1", "-1"}))
    with pytest.raises(ValueError, match="in one exclusive group only"):
        Policy(exclusive=[["up", "down"], ["down", "sideways"]])
    with pytest.raises(TypeError, match="several texts"):
        Policy(exclusive=("up", "down"))


def test_a_kind_counts_one_way():
    """What counts for a comment does not count against it."""
    with pytest.raises(ValueError, match=r"positive and negative at once: down, up$"):
        Policy(positive={"up", "down"}, negative={"down", "up", "boo"})


@pytest.mark.parametrize("field", ["moderators", "editors", "describers"])
def test_roles_are_known_roles(field: str):
    """Nobody can be given power by a role that no actor can have."""
    assert getattr(Policy(**{field: ["editor", "editor"]}), field) == frozenset({"editor"})
    assert getattr(Policy(**{field: ROLES}), field) == frozenset(ROLES)
    assert getattr(Policy(**{field: ()}), field) == frozenset()
    with pytest.raises(ValueError, match="unknown roles: admin, root; there are reader, author, moderator, editor, system"):
        Policy(**{field: ["root", "editor", "admin"]})
    with pytest.raises(TypeError, match="roles must be several texts, not one str"):
        Policy(**{field: "editor"})


def test_a_policy_never_changes():
    """A changed policy is another policy, and has other rules."""
    policy = Policy()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        policy.max_body = 5
    other = attrs.evolve(policy, kinds={"up", "down"})
    assert other.rules.kinds == {"up", "down"}
    assert policy.rules.kinds == {SUPPORT}


def test_equal_policies_are_equal():
    """Order and form do not matter, and a policy can be a key."""
    one, other = Policy(kinds=["up", "down"]), Policy(kinds={"down", "up"})
    assert one == other
    assert hash(one) == hash(other)
    assert one != Policy()


def test_positional_arguments_are_refused():
    """Twenty numbers in a row would be read by nobody."""
    with pytest.raises(TypeError):
        Policy(20_000)


# --- rules --------------------------------------------------------------------------------------------------------------------


def test_the_rules_are_what_views_depend_on():
    """Roles and kinds, and of the kinds that count only those that are offered."""
    policy = Policy(kinds={"up", "down"}, exclusive=[{"up", "down"}], positive={"up", "+1"}, negative={"down", "-1"})
    assert policy.rules == Rules(
        moderators=policy.moderators,
        editors=policy.editors,
        describers=policy.describers,
        kinds=frozenset({"up", "down"}),
        exclusive=(frozenset({"up", "down"}),),
        positive=frozenset({"up"}),
        negative=frozenset({"down"}),
    )


def test_limits_and_hooks_are_no_rules():
    """What was derived under one policy serves another with the same rules."""
    policy = Policy(max_body=5, screen=lambda _command, _thread: "hold", may=lambda _command, _thread: False)
    assert policy.rules == Policy().rules
    assert hash(policy.rules) == hash(Policy().rules)
    assert policy.rules != Policy(moderators={"moderator"}).rules


POWERS = {
    "reader": (False, False, False),
    "author": (False, False, True),
    "moderator": (True, True, True),
    "editor": (False, True, True),
    "system": (True, True, True),
}


@pytest.mark.parametrize("role", ROLES)
def test_who_may_what_by_default(role: Any):
    """Moderating, deciding corrections and describing the thread go by role alone."""
    rules, actor = Policy().rules, Actor("u-17", "Ann Lee", role)
    assert (rules.moderates(actor), rules.edits_article(actor), rules.describes(actor)) == POWERS[role]


def test_an_anonymous_actor_has_no_power():
    """Not even where every role has it."""
    rules = Policy(moderators=ROLES, editors=ROLES, describers=ROLES).rules
    assert rules.moderates(Actor("u-17"))
    assert not rules.moderates(None)
    assert not rules.edits_article(None)
    assert not rules.describes(None)


def test_powers_are_given_one_by_one():
    """An application decides which roles have which power."""
    rules = Policy(moderators=["author"], editors=["reader"], describers=()).rules
    author, reader = Actor("a", role="author"), Actor("r")
    assert (rules.moderates(author), rules.moderates(reader)) == (True, False)
    assert (rules.edits_article(author), rules.edits_article(reader)) == (False, True)
    assert (rules.describes(author), rules.describes(reader)) == (False, False)
