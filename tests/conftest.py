"""Hypothesis profiles, chosen by THREADSTORE_PROFILE: see tests/README.md."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: on a busy machine a slow example is no failure. The blob reproduces a failure found elsewhere.
settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
settings.register_profile("nightly", settings.get_profile("dev"), max_examples=5_000)

# Loaded before anything imports `hypothesis.stateful`: state machines keep the profile that they find at that moment.
settings.load_profile(os.environ.get("THREADSTORE_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
