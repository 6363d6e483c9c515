"""Tier 1: a small universe, exhausted. No chance is involved."""

from __future__ import annotations

import pytest

from threadstore.testing.examples import EXAMPLES
from threadstore.testing.laws import LAWS, Case, ThreadReading
from threadstore.testing.prove import universe_is_one
from threadstore.views.thread import fold


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_views_show_what_every_example_says(example):
    """What the examples demand of the specification, pages of the real thread show as well."""
    example.check(ThreadReading(fold(example.events), policy=example.policy))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_example_obeys_every_law(law):
    """The hand-written stories obey the laws, whoever looks."""
    for example in EXAMPLES:
        law(Case(example.events, policy=example.policy))


def test_every_subset_up_to_three_is_one_thread_in_every_order_and_at_every_cut():
    """Two facts, three facts: whatever comes first, and wherever they are parted and merged, the same thread comes out."""
    universe_is_one(3)
