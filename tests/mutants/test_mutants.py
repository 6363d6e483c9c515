"""
Seeded mutants: the suite must see that each of these is wrong, so that the laws can not pass vacuously.

A mutant is one small change to the source, made in a copy of the package, against which ``python -m threadstore.testing.prove`` then
runs. The tier that finds it is told, and the cheapest one that should find it is named with each mutant.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).resolve().parents[1]
PACKAGE = TESTS.parent / "src" / "threadstore"


class Mutant(NamedTuple):
    """What is wrong, where, and how."""

    says: str
    tier: int
    path: str
    old: str
    new: str


MUTANTS = (
    # --- registers and keys ---
    Mutant(
        "once keeps the largest id", 2, "model/registers.py", "return event.id < standing.id", "return event.id > standing.id"
    ),
    Mutant(
        "latest keeps the smallest id", 1, "model/registers.py", "return event.id > standing.id", "return event.id < standing.id"
    ),
    Mutant(
        "whoever comes last wins",
        1,
        "model/registers.py",
        "(standing == event or not _WINS[shape](event, standing))",
        "standing == event",
    ),
    Mutant(
        "of two facts under one id the first to come stays",
        2,
        "model/registers.py",
        "        return event.id > standing.id\n    return _rank(event) > _rank(standing)",
        "        return event.id > standing.id\n    return False",
    ),
    Mutant(
        "edits share one key",
        1,
        "model/events.py",
        'Write("edited", Shape.LATEST, _by_writer)',
        'Write("edited", Shape.LATEST, lambda event: ())',
    ),
    Mutant(
        "deletions share one key",
        2,
        "model/events.py",
        'Write("deleted", Shape.ONCE, _by_writer)',
        'Write("deleted", Shape.ONCE, lambda event: ())',
    ),
    Mutant(
        "erasures share one key",
        2,
        "model/events.py",
        'Write("erased", Shape.ONCE, _by_writer)',
        'Write("erased", Shape.ONCE, lambda event: ())',
    ),
    Mutant(
        "decisions share one key",
        1,
        "model/events.py",
        'Write("decided", Shape.LATEST, _by_writer)',
        'Write("decided", Shape.LATEST, lambda event: ())',
    ),
    Mutant(
        "descriptions share one key",
        1,
        "model/events.py",
        'Write("described", Shape.LATEST, _by_writer)',
        'Write("described", Shape.LATEST, lambda event: ())',
    ),
    Mutant(
        "a mark is keyed by its id alone", 1, "model/events.py", "    return (event.id, event.writer)", "    return (event.id,)"
    ),
    # --- authority ---
    Mutant(
        "every role moderates",
        1,
        "model/status.py",
        "for event in cell.values() if rules.moderates(event.actor)]",
        "for event in cell.values()]",
    ),
    Mutant(
        "anonymous equals anonymous",
        1,
        "model/status.py",
        "    return actor is not None and posted.actor is not None and actor.id == posted.actor.id",
        "    return (actor and actor.id) == (posted.actor and posted.actor.id)",
    ),
    Mutant("anybody deletes", 1, "model/status.py", "any(is_author(event.actor, posted) for event in", "any(True for event in"),
    Mutant(
        "anybody edits",
        1,
        "model/status.py",
        "if is_author(edit.actor, posted) and not rules.moderates",
        "if not rules.moderates",
    ),
    Mutant(
        "anybody erases a person",
        1,
        "model/status.py",
        "    return actor is not None and (rules.moderates(actor) or actor.id == person)",
        "    return True",
    ),
    Mutant(
        "anybody marks",
        1,
        "model/status.py",
        'return rules.moderates(mark.actor) or (flag == "spoiler" and is_author(mark.actor, posted))',
        "return True",
    ),
    Mutant(
        "anonymous reactions count",
        1,
        "model/index.py",
        "            if actor is not None:\n",
        "            if True:\n",
    ),
    # --- flags ---
    Mutant(
        "a cancel takes down marks that it had not seen",
        1,
        "model/status.py",
        "(lifted if mark.id in down else up)",
        "(lifted if down else up)",
    ),
    Mutant(
        "a cancel reaches marks that come later",
        2,
        "model/status.py",
        "for id in marks.intersection(cancel.cancels) if id < cancel.id}",
        "for id in marks.intersection(cancel.cancels)}",
    ),
    Mutant(
        "an author clears a moderator's spoiler mark",
        1,
        "model/status.py",
        "if not (is_author(mark.actor, posted) and own.get",
        "if not (own.get",
    ),
    Mutant(
        "a moderator can not clear a spoiler",
        1,
        "model/status.py",
        "up, _ = _split(marks, _by_moderators(cancels, rules))",
        'up, _ = _split(marks, [] if flag == "spoiler" else _by_moderators(cancels, rules))',
    ),
    Mutant("a lock never ends", 1, "model/status.py", "any(lock < id and (end is None or end > id) for", "any(lock < id for"),
    # --- texts ---
    Mutant(
        "an approval opens every later text",
        1,
        "model/status.py",
        "    reach = opened(cells, text.id, rules) if lifted else {}",
        "    return []",
    ),
    Mutant("an approval opens whatever it saw", 1, "model/status.py", " and event.seen == text  # type", "  # type"),
    Mutant("an author's edit beats a moderator's unseen", 1, "model/status.py", " and by_author.seen >= by_moderator.id:", ":"),
    Mutant(
        "a moderator's text needs approval",
        1,
        "model/status.py",
        "    if isinstance(text, CommentEdited) and rules.moderates(text.actor):\n        return []",
        "    if False:\n        return []",
    ),
    Mutant(
        "erasing a person takes what they said since",
        1,
        "model/status.py",
        'return event.actor is not None and event.id < cutoffs.get(event.actor.id, "")',
        "return event.actor is not None and event.actor.id in cutoffs",
    ),
    Mutant(
        "an edit survives the erasure of its writer",
        1,
        "model/status.py",
        " or is_forgotten(text, cutoffs)",
        "",
    ),
    Mutant(
        "a kind of an exclusive group counts beside the others",
        1,
        "model/status.py",
        "    return all((offered[other][0], other) <= (id, kind) for other in rivals(kind, rules) if other in offered)",
        "    return True",
    ),
    # --- the tree and the counts ---
    Mutant(
        "a void parent makes a root",
        1,
        "model/outline.py",
        "        if posted.parent is not None:\n",
        "        if posted.parent is not None and posted.parent < posted.id:\n",
    ),
    Mutant(
        "a reply to a correction is lost beside the tree",
        1,
        "model/outline.py",
        "        return self.at(NIL) if is_void else parent",
        "        return parent",
    ),
    Mutant(
        "replies stay where a correction has come",
        1,
        "model/outline.py",
        "        if node.is_place:\n            return False",
        "        if False:\n            return False",
    ),
    Mutant(
        "who spoke is not heard any more",
        2,
        "model/index.py",
        "            _put_in(self._spoken[root.id], node.id)",
        "            pass",
    ),
    Mutant(
        "an orphan becomes a root",
        1,
        "model/outline.py",
        "        if posted.parent is not None:\n            parent",
        "        if posted.parent is not None and self.nodes[posted.parent] is not None:\n            parent",
    ),
    Mutant(
        "counts forget where a comment was",
        1,
        "model/outline.py",
        "        self.tally.count(before, -1)\n",
        "",
    ),
    Mutant(
        "reply counts only grow",
        1,
        "model/outline.py",
        "            self._above(node).replies += step",
        "            self._above(node).replies += abs(step)",
    ),
    Mutant(
        "a changed vote is counted twice",
        1,
        "model/outline.py",
        "kind, 1 if kind in now else -1)",
        "kind, 1 if kind in now else 0)",
    ),
    Mutant(
        "orders do not hear of votes",
        2,
        "model/index.py",
        "            kept.put(id, sort_key(",
        "            if former == parent:\n                continue\n            kept.put(id, sort_key(",
    ),
    Mutant(
        "a comment that came home stays at the top level, too",
        1,
        "model/index.py",
        "                del children[bisect_left(children, id)]\n",
        "",
    ),
    Mutant(
        "a tombstone keeps its childless place",
        1,
        "model/outline.py",
        "            self._lose(node)\n",
        "",
    ),
    Mutant(
        "the activity of what is hidden stays",
        2,
        "model/outline.py",
        "                self.quiet.add(root.id)",
        "                pass",
    ),
    Mutant(
        "a held comment is nobody's",
        1,
        "model/outline.py",
        "        return bool(self.flags & _WITHHELD) and",
        "        return False and",
    ),
    Mutant(
        "erasing a person is not noticed",
        1,
        "model/outline.py",
        "        tally.cutoffs, self._cutoffs = True, None\n        return False",
        "        tally.cutoffs, self._cutoffs = True, None\n        return True",
    ),
    # --- what readers see ---
    Mutant(
        "a spoiler opens to its author",
        1,
        "views/lens.py",
        "            return self._reveal is None or node.id in self._reveal",
        "            return self._reveal is None or node.id in self._reveal or self.reader == node.author",
    ),
    Mutant(
        "what is held opens to everybody",
        1,
        "views/lens.py",
        "            return self.moderates or (self.reader is not None and self.reader == node.author)",
        "            return True",
    ),
    Mutant("what is removed opens to nobody", 1, "views/lens.py", 'return flag == "removed" and self.moderates', "return False"),
    Mutant(
        "a spoiler's body is only marked",
        1,
        "views/lens.py",
        "            None if concealed else body,",
        "            None if tombstone else body,",
    ),
    Mutant(
        "a tombstone keeps its meta",
        1,
        "views/lens.py",
        "NO_META if tombstone or not meta",
        "NO_META if not meta",
    ),
    Mutant(
        "a tombstone keeps its reactions",
        1,
        "views/lens.py",
        "NO_COUNTS if tombstone or not votes",
        "NO_COUNTS if not votes",
    ),
    Mutant(
        "an erased comment keeps its author's name",
        1,
        "views/lens.py",
        "            shown_actor(actor, erased),\n",
        "            actor,\n",
    ),
    Mutant(
        "a page repeats where the last one ended",
        1,
        "views/memory.py",
        "start = 0 if walk.after is None else bisect_right(keys, walk.after)",
        "start = 0 if walk.after is None else max(bisect_right(keys, walk.after) - 1, 0)",
    ),
    Mutant(
        "replies begin one late",
        1,
        "model/index.py",
        "        start = bisect_right(ids, after)\n",
        "        start = bisect_right(ids, after) + bool(after)\n",
    ),
    Mutant(
        "the history shows what a view conceals",
        2,
        "views/history.py",
        "    if lens.concealment(node) is not None:\n        return False",
        "    if False:\n        return False",
    ),
    Mutant("a past shows its own texts", 1, "model/state.py", "        thread._today = self.today", "        pass"),
    # --- states and bytes ---
    Mutant(
        "the digest covers texts",
        2,
        "model/state.py",
        "encode(redact(event)) for event in self.standing_facts()",
        "encode(event) for event in self.standing_facts()",
    ),
    # --- logs ---
    Mutant(
        "a log takes two facts under one id",
        3,
        "log/batch.py",
        "        raise ConflictingEvent(event.id)\n\n\ndef check_expected",
        "        return\n\n\ndef check_expected",
    ),
    Mutant("a log does not care what is expected", 3, "log/batch.py", "    if revision != wanted:", "    if False:"),
    Mutant(
        "a retry must expect the right revision",
        3,
        "log/sqlite.py",
        "        if new:\n            check_expected(",
        "        if True:\n            check_expected(",
    ),
    Mutant(
        "a redacted twin is a conflict", 3, "log/batch.py", " and not same_fact(decode(stored, position=position), event)", ""
    ),
    Mutant(
        "an erasure is not remembered",
        3,
        "log/sqlite.py",
        "        if new and (standing.erased or erasures):",
        "        if new and erasures:",
    ),
    Mutant(
        "what is there already is not erased",
        3,
        "log/memory.py",
        "                self._records[position - 1] = replace(record, data=encode(redact(event)))",
        "                pass",
    ),
    Mutant("an older snapshot replaces a newer one", 3, "log/memory.py", "former.revision > snapshot.revision", "False"),
    Mutant(
        "a snapshot of another fold is served",
        3,
        "log/sqlite.py",
        "return snapshot if snapshot and snapshot.fingerprint == fingerprint else None",
        "return snapshot",
    ),
    Mutant(
        "an erased text comes back in a snapshot",
        3,
        "log/_sqlite_derived.py",
        "return not newer and snapshot.revision >= _shown(writer, thread)",
        "return not newer",
    ),
    Mutant(
        "reading begins one late",
        3,
        "log/memory.py",
        "        start = check_place(after)\n",
        "        start = check_place(after) + bool(after)\n",
    ),
    Mutant(
        "a batch that fails is half there",
        3,
        "log/sqlite.py",
        "            is_lone = len(events) == 1",
        "            first, *_ = facts.values()\n            if not _known(writer, {first.id: first}):\n                _insert(writer, [first], {thread: self._standing(writer, thread)}, {thread: None})\n        with self._database.writing() as writer:\n            is_lone = len(events) == 1",
    ),
)


def prove(package: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "threadstore.testing.prove"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def copied(tmp_path):
    package = tmp_path / "mutated" / "threadstore"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


def test_the_unchanged_package_is_proved_right(copied, tmp_path):
    """What catches the mutants finds nothing where nothing is wrong."""
    proof = prove(copied, tmp_path)
    assert (proof.returncode, proof.stdout) == (0, "tier 1: holds\ntier 2: holds\ntier 3: holds\n"), proof.stdout + proof.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_the_mutant_is_caught(mutant, copied, tmp_path):
    """Each seeded fault is found, and by the tier that is there for it."""
    path = copied / mutant.path
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, f"{mutant.path} has changed: name the line that says it now"
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    proof = prove(copied, tmp_path)
    assert proof.returncode == 1, f"nothing is found wrong though {mutant.says}"
    findings = [line for line in proof.stdout.splitlines() if line.startswith("tier ") and not line.endswith(": holds")]
    assert findings, proof.stdout + proof.stderr
    assert findings[0].startswith(f"tier {mutant.tier}: "), proof.stdout
