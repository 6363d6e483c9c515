"""
The tests of hostile input are good for something: each guard, taken out of a copy of the package, makes the test named here fail.

``make test`` takes out a few, ``make soak`` all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest


class Mutant(NamedTuple):
    """What is wrong, the test that shows it, and where and how it is wrong."""

    says: str
    test: str
    path: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "a comment that is held and approved often costs n³",
        "test_hostile_threads.py::test_holds_approvals_and_edits_in_turns",
        "model/status.py",
        "        if not waiting or cancel.id <= waiting[-1]:\n            break\n",
        "",
    ),
    Mutant(
        "roles are believed whatever the policy",
        "test_hostile_threads.py::test_a_claimed_erasure_takes_no_words",
        "model/status.py",
        "    return actor is not None and (rules.moderates(actor) or actor.id == person)",
        '    return actor is not None and (actor.role == "moderator" or rules.moderates(actor) or actor.id == person)',
    ),
    Mutant(
        "records have several forms",
        "test_hostile_bytes.py::test_no_bit_of_a_record_can_be_turned_over_unseen",
        "model/codec.py",
        "    if values[-1] == plan.defaults[len(values) - 1] or _encoder.encode(values) != data:",
        "    if values[-1] == plan.defaults[len(values) - 1]:",
    ),
    Mutant(
        "a record that is nested deep is an overflow",
        "test_hostile_bytes.py::test_nesting_is_no_way_out",
        "model/codec.py",
        "    except (MsgspecError, TypeError, ValueError, RecursionError) as error:\n        raise CorruptRecord(position",
        "    except (MsgspecError, TypeError, ValueError) as error:\n        raise CorruptRecord(position",
    ),
    Mutant(
        "cursors have several forms, and say anything",
        "test_hostile_bytes.py::test_chance[cursor]",
        "views/cursors.py",
        "    if [type(part) for part in mark.key] != list(shape) or write",
        "    if write",
    ),
    Mutant(
        "a quote is wherever its words are",
        "test_hostile_bytes.py::test_chance[quotes]",
        "model/corrections.py",
        "            ladder.append((_Needle(before + passage, len(before)), _Needle(passage + after, 0)))",
        "            ladder.append((_Needle(passage[:-1] + after, 0),))",
    ),
    Mutant(
        "a name ends before a combining mark",
        "test_hostile_bytes.py::test_chance[mentions]",
        "model/mentions.py",
        '    return not following or not (following.isalnum() or category(following).startswith("M"))',
        "    return not following or not following.isalnum()",
    ),
    Mutant(
        "every sign of a text is looked at",
        "test_hostile_text.py::test_names_that_go_on_cost_a_look_for_each_length",
        "model/mentions.py",
        "    while at >= 0 and looked < MAX_CALLS:",
        "    while at >= 0:",
    ),
    Mutant(
        "a comment that is not there is decided about",
        "test_hostile_bytes.py::test_chance[command]",
        "decide/questions.py",
        "        if node is None or not node.is_comment:",
        "        if False:",
    ),
    Mutant(
        "the order of a listing is kept for whatever `pinned` is",
        "test_hostile_arguments.py::test_an_order_is_kept_for_two_values",
        "views/request.py",
        "        if type(self.pinned) is not bool:",
        "        if False:",
    ),
    Mutant(
        "a place in a log is whatever SQLite makes of it",
        "test_hostile_arguments.py::test_any_value_is_answered_or_refused[history-after]",
        "log/batch.py",
        "    return min(max(after, 0), END)",
        "    return after",
    ),
    Mutant(
        "twins are compared each with each",
        "test_hostile_threads.py::test_twins_by_the_thousand",
        "model/state.py",
        "            self._duplicates[encode(event)] = event\n",
        "            if event not in self._duplicates.values():\n                self._duplicates[encode(event)] = event\n",
    ),
    Mutant(
        "the latest word below a root is looked for among all",
        "test_hostile_threads.py::test_posting_and_deleting_below_a_crowded_root",
        "model/index.py",
        "        if ids is None:\n            ids = self._spoken",
        "        if True:\n            ids = self._spoken",
    ),
    Mutant(
        "a name that several have is looked for up to the top",
        "test_hostile_threads.py::test_a_name_that_two_have_below_a_deep_chain",
        "views/memory.py",
        "islice(today.above(today.get(node.id)), MAX_ABOVE)",
        "today.above(today.get(node.id))",
    ),
    Mutant(
        "lone surrogates are texts",
        "test_hostile_text.py::test_unsafe_texts_are_refused_everywhere",
        "model/values.py",
        "            raise UnsafeText(field, error.start) from error",
        "            pass",
    ),
    Mutant(
        "thread keys are compared without case",
        "test_hostile_text.py::test_keys_that_look_alike_are_different_threads",
        "readmodel/queries.py",
        "WHERE t.key = ?1",
        "WHERE t.key = ?1 COLLATE NOCASE",
    ),
    Mutant(
        "errors repeat what they refuse",
        "test_hostile_text.py::test_an_error_does_not_repeat_what_it_refuses",
        "errors.py",
        "has no comment {self.comment!r:.80}",
        "has no comment {self.comment!r}",
    ),
    Mutant(
        "a record of another thread is misuse",
        "test_hostile_bytes.py::test_a_record_of_another_thread_is_damage",
        "log/protocol.py",
        "        if event.thread != self.thread:",
        "        if False:",
    ),
)

CHOSEN = MUTANTS if os.environ.get("THREADSTORE_SOAK") else MUTANTS[:3]


@pytest.mark.parametrize("mutant", CHOSEN, ids=lambda mutant: mutant.says)
def test_a_missing_guard_is_noticed(
    mutant: Mutant, without: Callable[[str, str, str], Path], passes: Callable[[str, Path], bool]
):
    """With one guard less, the test that is there for it fails."""
    package = without(mutant.path, mutant.old, mutant.new)
    assert not passes(mutant.test, package), f"nobody notices that {mutant.says}"
