"""Tier 2: histories from small integers, a few kinds at a time, held against every law."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
