"""Tier 2: histories from small integers, a few kinds at a time, held against every law."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadstore.model.events import CommentPosted, CorrectionSuggested, Event
from threadstore.model.values import TextQuote
from threadstore.testing.histories import random_history
from threadstore.testing.laws import CONVERGENCE_LAWS, LAWS, Case, Law
from threadstore.testing.prove import histories_obey
from threadstore.testing.strategies import POLICIES, histories, policies


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_histories_obey(law: Law):
    """Every law holds for whatever Hypothesis finds, under every policy."""

    @given(history=histories(), policy=policies(), seed=st.integers(0, 2**16))
    def holds(history, policy, seed):
        law(Case(history, policy=policy, random=Random(seed)))

    holds()


@pytest.mark.parametrize("law", CONVERGENCE_LAWS, ids=lambda law: law.__name__)
def test_twins_do_not_break_convergence(law: Law):
    """Two facts under one id, which no honest writer makes, leave replicas in agreement all the same."""

    @given(history=histories(twins=True), policy=policies(), seed=st.integers(0, 2**16))
    def holds(history, policy, seed):
        law(Case(history, policy=policy, random=Random(seed)))

    holds()


@pytest.mark.parametrize("twins", [False, True], ids=["honest", "twins"])
def test_histories_of_fixed_seeds(twins):
    """The same histories in every run, so that a change of the code, not of chance, shows."""
    histories_obey(range(250), policies=POLICIES, twins=twins)


def with_corrections(seed: int) -> list[Event]:
    """Return a history in which every fourth comment, more or less, is a correction: so replies to corrections come about."""

    def other(event: Event) -> Event:
        if not isinstance(event, CommentPosted) or Random(f"{seed} {event.id}").random() >= 0.25:
            return event
        suggestion = "fix" if event.body else ""  # a repeat may be redacted
        return CorrectionSuggested(
            id=event.id, thread=event.thread, actor=event.actor, quote=TextQuote("teh"), suggestion=suggestion
        )

    return [other(event) for event in random_history(seed, 10 + seed % 40)]


def test_replies_to_corrections_obey():
    """What answers something that is no comment obeys every law, whatever comes first."""
    for seed in range(60):
        for law in LAWS:
            law(Case(with_corrections(seed), policy=POLICIES[seed % len(POLICIES)], random=Random(seed)))
