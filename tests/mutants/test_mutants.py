"""
Seeded mutants: the suite must see that each of these is wrong, so that the laws can not pass vacuously.

A mutant is one small change to the source, made in a copy of the package, against which ``python -m threadstore.testing.prove`` then
runs. The tier that finds it is told, and the cheapest one that should find it is named with each mutant. Against mutants of the
form in which a store holds threads, the tests of that form run.
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
        "model/status.py",
        "if actor is None or kind not in rules.kinds",
        "if kind not in rules.kinds",
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
        'return event.actor is not None and event.id < horizons.get(event.actor.id, "")',
        "return event.actor is not None and event.actor.id in horizons",
    ),
    Mutant("an edit survives the erasure of its writer", 1, "model/status.py", " or is_absorbed(text, horizons)", ""),
    Mutant(
        "a kind of an exclusive group counts beside the others",
        1,
        "model/status.py",
        "    return all(fact is None or (fact.id, other) <= (mine.id, kind) for fact, other in others)",
        "    return bool(others)",
    ),
    # --- the tree and the counts ---
    Mutant(
        "a void parent makes a root",
        1,
        "model/outline.py",
        "        return self._place(posted.parent if posted.parent < posted.id else NIL)",
        "        return self._place(posted.parent) if posted.parent < posted.id else self._top",
    ),
    Mutant(
        "an orphan becomes a root",
        1,
        "model/outline.py",
        "        return self._place(posted.parent if",
        "        if posted.parent not in self._nodes:\n            return self._top\n        return self._place(posted.parent if",
    ),
    Mutant(
        "counts forget where a comment was",
        1,
        "model/outline.py",
        "            self._places[former.place] -= 1",
        "            pass",
    ),
    Mutant("reply counts only grow", 1, "model/outline.py", "        step = 1 if shown else -1", "        step = 1"),
    Mutant(
        "a changed vote is counted twice",
        1,
        "model/outline.py",
        "effective_reaction(cell, event.actor.id, kind, self.rules), -1)",
        "effective_reaction(cell, event.actor.id, kind, self.rules), 0)",
    ),
    Mutant(
        "orders do not hear of votes", 2, "model/outline.py", "self.rules), -1)\n        self._rerank(node)", "self.rules), -1)"
    ),
    Mutant(
        "a comment that came home stays at the top level, too",
        2,
        "model/outline.py",
        "        removed(self._top.children if node.live else self._top.buried, node.id)",
        "        pass",
    ),
    Mutant(
        "a tombstone keeps its childless place",
        1,
        "model/outline.py",
        "            self._lose(parent, node)",
        "            pass",
    ),
    Mutant(
        "the activity of what is hidden stays",
        2,
        "model/outline.py",
        "            self._forget_activity(root, node.id)",
        "            pass",
    ),
    Mutant(
        "a held comment is nobody's",
        1,
        "model/outline.py",
        '        if {"held", "removed"} & set(standing.flags) and',
        "        if False and",
    ),
    Mutant("erasing a person is not noticed", 1, "model/outline.py", 'if cell == "person" or', "if"),
    # --- what readers see ---
    Mutant(
        "a spoiler opens to its author",
        1,
        "views/lens.py",
        "            return self._reveal_all or posted.id in self._reveal",
        "            return self._reveal_all or posted.id in self._reveal or is_author(self.reader, posted)",
    ),
    Mutant(
        "what is held opens to everybody",
        1,
        "views/lens.py",
        "            return self.moderates or is_author(self.reader, posted)",
        "            return True",
    ),
    Mutant("what is removed opens to nobody", 1, "views/lens.py", 'return flag == "removed" and self.moderates', "return False"),
    Mutant(
        "a spoiler's body is only marked",
        1,
        "views/lens.py",
        "        body = None if concealed else text.body",
        "        body = None if tombstone else text.body",
    ),
    Mutant(
        "a tombstone keeps its meta",
        1,
        "views/lens.py",
        "            meta={} if tombstone else",
        "            meta={} if False else",
    ),
    Mutant(
        "a tombstone keeps its reactions",
        1,
        "views/lens.py",
        "            reactions={} if tombstone else",
        "            reactions={} if False else",
    ),
    Mutant(
        "an erased comment keeps its author's name",
        1,
        "views/lens.py",
        "author=shown_actor(said.actor, erased)",
        "author=said.actor",
    ),
    Mutant(
        "a page repeats where the last one ended",
        1,
        "model/outline.py",
        "start = 0 if after is None else bisect_right(keys, after)",
        "start = 0 if after is None else max(bisect_right(keys, after) - 1, 0)",
    ),
    Mutant(
        "replies begin one late",
        1,
        "model/outline.py",
        "        start = bisect_right(self.children, after)",
        "        start = bisect_right(self.children, after) + bool(after)",
    ),
    Mutant(
        "the history shows what a view conceals",
        2,
        "views/history.py",
        "    if lens.concealment(node.standing, posted) is not None:\n        return False",
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
    Mutant(
        "a snapshot is a prefix: it drops cancels",
        1,
        "snapshots.py",
        "for fact in thread.standing_facts()}",
        'for fact in thread.standing_facts() if not hasattr(fact, "cancels")}',
    ),
    Mutant(
        "a snapshot drops orphans' facts",
        1,
        "snapshots.py",
        "for fact in thread.standing_facts()}",
        'for fact in thread.standing_facts() if "posted" in thread.cells(fact.target)}',
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


class DenseMutant(NamedTuple):
    """What is wrong with the form that a store holds threads in, where, and how, and which tests must see it."""

    says: str
    seen_by: str
    path: str
    old: str
    new: str


#: The tests of one room, and those that hold the two forms against each other.
DENSE_MUTANTS = (
    # --- heads ---
    DenseMutant(
        "the checks of heads are ignored",
        "unit/test_heads.py",
        "heads.py",
        "len(heads) % SIZE == 0 and crc32(heads, _RESIDUE) == _RESIDUE",
        "len(heads) % SIZE == 0",
    ),
    DenseMutant(
        "a comment that raises a flag passes for a plain one",
        "unit/test_heads.py",
        "heads.py",
        "(OTHER if event.spoiler or event.held else POST)",
        "POST",
    ),
    # --- runs ---
    DenseMutant(
        "what has changed its key stands twice",
        "unit/test_runs.py",
        "runs.py",
        "                self._take(key)",
        "                pass",
    ),
    DenseMutant(
        "a full run is not cut",
        "unit/test_runs.py",
        "runs.py",
        "        run.insert(place, rank)\n        if len(run) > _FULL:",
        "        run.insert(place, rank)\n        if False:",
    ),
    DenseMutant(
        "a full run of ranks is not cut",
        "unit/test_runs.py",
        "runs.py",
        "        self._heads[number] = run[0]\n        if len(run) > _FULL:",
        "        self._heads[number] = run[0]\n        if False:",
    ),
    # --- columns ---
    DenseMutant(
        "a vote that comes later is not counted",
        "unit/test_columns.py",
        "columns.py",
        "        self._vote(rank, code, 1)",
        "        pass",
    ),
    DenseMutant(
        "the first word of an actor stays the last",
        "unit/test_columns.py",
        "columns.py",
        "winner = standing if id_of(places[place]) < id_of(places[standing]) else place",
        "winner = place if id_of(places[place]) < id_of(places[standing]) else standing",
    ),
    DenseMutant(
        "a moderator's edit of their own comment is an author's",
        "unit/test_columns.py",
        "columns.py",
        " or role_of(rows.role(place)) in self.rules.moderators:",
        ":",
    ),
    DenseMutant(
        "ids that begin alike stand in any order",
        "unit/test_columns.py",
        "columns.py",
        "        order = sorted(range(len(self.ids)), key=self.ids.__getitem__)",
        "        order = sorted(range(len(self.ids)), key=lambda place: self.ids[place][:8])",
    ),
    # --- the outline ---
    DenseMutant(
        "a kept node stays in the lists of the columns, too",
        "unit/test_dense_orders.py",
        "dense_outline.py",
        "        if columns.parent[rank] == TOP:\n            self.orders.leave(rank)\n",
        "",
    ),
    DenseMutant(
        "the orders of the top level do not hear of votes on plain comments",
        "unit/test_dense.py",
        "dense_outline.py",
        "            self.orders.move(rank, votes)",
        "            pass",
    ),
    DenseMutant(
        "orders of all comments do not hear of votes on plain ones",
        "unit/test_dense.py",
        "dense_outline.py",
        "        self._touch(rank)\n        self.views.pop(rank, None)\n",
        "        self.views.pop(rank, None)\n",
    ),
    DenseMutant(
        "a comment is shown as it was before somebody voted",
        "unit/test_dense.py",
        "dense_outline.py",
        "        self._touch(rank)\n        self.views.pop(rank, None)\n",
        "        self._touch(rank)\n",
    ),
    DenseMutant(
        "a reply that comes later hangs under another parent",
        "unit/test_dense.py",
        "dense_outline.py",
        "columns.add_kid(above, rank)",
        "columns.add_kid(max(above - 1, 0), rank)",
    ),
    DenseMutant(
        "placeholders are counted",
        "unit/test_dense.py",
        "dense_outline.py",
        '        self._places["total"] = len(columns) - missing',
        '        self._places["total"] = len(columns)',
    ),
    DenseMutant(
        "nobody notes that more than plain replies come and go",
        "laws/test_dense.py",
        "dense_outline.py",
        "        top = self._set_apart(node)\n        found = self._irregular[top.id]\n",
        "        top, found = node, None\n",
    ),
    DenseMutant(
        "an erased name is still told",
        "unit/test_dense.py",
        "dense_outline.py",
        "            self._silent.add(rank)",
        "            pass",
    ),
    # --- the orders ---
    DenseMutant(
        "what is hot is remembered when something has changed",
        "unit/test_dense_orders.py",
        "dense_orders.py",
        "        self._flow = None\n        self._take(rank, former)",
        "        self._take(rank, former)",
    ),
    DenseMutant(
        "a shelf stays when nothing is on it",
        "unit/test_dense_orders.py",
        "dense_orders.py",
        "            del self._shelves[votes]\n            self._ways.clear()",
        "            pass",
    ),
    DenseMutant(
        "a last word stays where a later one was said",
        "unit/test_dense_orders.py",
        "dense_orders.py",
        "            self._found.drop(self.last[root])",
        "            pass",
    ),
    DenseMutant(
        "somebody else's name is read in place of one that is meant",
        "unit/test_dense_orders.py",
        "dense_outline.py",
        "unread.pop(hash_of(name), ())",
        "unread.pop(hash_of(name[:-1]), ())",
    ),
    # --- the thread ---
    DenseMutant("a late comment is added at the end", "unit/test_dense.py", "dense.py", " or id <= self._last_post or", " or"),
    DenseMutant(
        "a comment that an erasure takes beforehand is plain",
        "unit/test_dense.py",
        "dense.py",
        'if actor is not None and id < outline.horizons.get(actor.id, ""):',
        "if False:",
    ),
    DenseMutant(
        "what the log has by now is not numbered",
        "unit/test_dense.py",
        "dense.py",
        "            self._renumber(event, number, revision)",
        "            pass",
    ),
    DenseMutant(
        "numbering a reaction brings it back",
        "unit/test_dense.py",
        "dense.py",
        "last is not None and last[1] == number:",
        "last is not None:",
    ),
    DenseMutant(
        "what is ahead of the log is lost with what is damaged",
        "unit/test_dense.py",
        "dense.py",
        "            self._unlogged = unlogged  # it is begun once more",
        "            pass",
    ),
    DenseMutant(
        "a thread goes back behind its lost end",
        "unit/test_dense.py",
        "dense.py",
        "        self.miss(former)  # what was left out may have been the last",
        "        pass",
    ),
    DenseMutant(
        "a past does not survive damage",
        "unit/test_dense.py",
        "views/thread.py",
        "return ask() if self._today is None else self._today.despite_damage(ask)",
        "return ask()",
    ),
    DenseMutant(
        "what is beyond the thread's end is found",
        "unit/test_streams.py",
        "streams.py",
        " or record.thread != self._key or record.revision > revision:",
        " or record.thread != self._key:",
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


def rerun(package: Path, folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run some tests of this suite against the package that lies there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment |= {"PYTHONPATH": str(package.parent), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(TESTS / tests)],
        env=environment,
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("tests", sorted({mutant.seen_by for mutant in DENSE_MUTANTS}))
def test_the_unchanged_package_passes_again(tests, copied, tmp_path):
    """What catches the mutants of the dense form finds nothing where nothing is wrong."""
    run = rerun(copied, tmp_path, tests)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("mutant", DENSE_MUTANTS, ids=lambda mutant: mutant.says)
def test_the_mutant_of_the_dense_form_is_caught(mutant, copied, tmp_path):
    """Each of these faults is found by the tests that are there for it, and not because nothing runs any longer."""
    path = copied / mutant.path
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, f"{mutant.path} has changed: name the line that says it now"
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    run = rerun(copied, tmp_path, mutant.seen_by)
    assert run.returncode == 1, f"nothing is found wrong though {mutant.says}\n{run.stdout}{run.stderr}"
    assert "1 failed" in run.stdout, run.stdout
