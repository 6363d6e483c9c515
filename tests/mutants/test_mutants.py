"""
Seeded mutants: the suite must see that each of these is wrong, so that the laws can not pass vacuously.

A mutant is one small change to the source, made in a copy of the package. It names what has to notice it: a tier of
``python -m threadstore.testing.prove``, the comparison of rows with a fold (`READ_MODEL`), or some tests of the suite. Where the
change is made is told by the module, by the function, method or constant in it, and by a text that occurs once in that.

Most of them are marked ``long``: `make test` tries one of each table, `make check` all.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).resolve().parents[1]
PACKAGE = TESTS.parent / "src" / "threadstore"

#: What is shown to mutants of the read model: a program, or tests ("laws/test_read_model.py").
READ_MODEL = "mutants/read_model.py"
DECIDE = "unit/test_decide.py"
COMMITS = "unit/test_shared_commits.py"
PAGES = "unit/test_finished_pages.py"


class Mutant(NamedTuple):
    """What is wrong, what must notice it, where it is, and how it is made."""

    says: str
    seen_by: str
    module: str
    where: str
    old: str
    new: str


#: What is said of a thread in memory.
FOLD = (
    # --- registers and keys ---
    Mutant("once keeps the largest id", "tier 2", "model.registers", "_smallest", "event.id < kept.id", "event.id > kept.id"),
    Mutant(
        "latest keeps the smallest id",
        "tier 1",
        "model.registers",
        "_largest",
        "event.id > kept.id",
        "event.id < kept.id",
    ),
    Mutant(
        "whoever comes last wins",
        "tier 1",
        "model.registers",
        "join",
        "(kept == event or not _WINS[shape](event, kept))",
        "kept == event",
    ),
    Mutant(
        "of two facts under one id the first to come stays",
        "tier 2",
        "model.registers",
        "_largest",
        "return _rank(event) > _rank(kept)",
        "return False",
    ),
    Mutant(
        "edits share one key",
        "tier 1",
        "model.events",
        "REGISTERS",
        'Write("edited", Shape.LATEST, _by_writer)',
        'Write("edited", Shape.LATEST, lambda event: ())',
    ),
    Mutant(
        "deletions share one key",
        "tier 2",
        "model.events",
        "REGISTERS",
        'Write("deleted", Shape.ONCE, _by_writer)',
        'Write("deleted", Shape.ONCE, lambda event: ())',
    ),
    Mutant(
        "erasures share one key",
        "tier 2",
        "model.events",
        "REGISTERS",
        'Write("erased", Shape.ONCE, _by_writer)',
        'Write("erased", Shape.ONCE, lambda event: ())',
    ),
    Mutant(
        "decisions share one key",
        "tier 1",
        "model.events",
        "REGISTERS",
        'Write("decided", Shape.LATEST, _by_writer)',
        'Write("decided", Shape.LATEST, lambda event: ())',
    ),
    Mutant(
        "descriptions share one key",
        "tier 1",
        "model.events",
        "REGISTERS",
        'Write("described", Shape.LATEST, _by_writer)',
        'Write("described", Shape.LATEST, lambda event: ())',
    ),
    Mutant(
        "a mark is keyed by its id alone",
        "tier 1",
        "model.events",
        "_own_by_writer",
        "return (event.id, event.writer)",
        "return (event.id,)",
    ),
    # --- authority ---
    Mutant("every role moderates", "tier 1", "model.status", "_by_moderators", " if rules.moderates(event.actor)", ""),
    Mutant(
        "anonymous equals anonymous",
        "tier 1",
        "model.status",
        "is_author",
        "return actor is not None and posted.actor is not None and actor.id == posted.actor.id",
        "return (actor and actor.id) == (posted.actor and posted.actor.id)",
    ),
    Mutant("anybody deletes", "tier 1", "model.status", "_is_deleted", "any(is_author(event.actor, posted) for", "any(True for"),
    Mutant("anybody edits", "tier 1", "model.status", "current_text", "if is_author(edit.actor, posted) and not", "if not"),
    Mutant(
        "anybody erases a person",
        "tier 1",
        "model.status",
        "_may_erase",
        "return actor is not None and (rules.moderates(actor) or actor.id == person)",
        "return True",
    ),
    Mutant(
        "anybody marks",
        "tier 1",
        "model.status",
        "_may_mark",
        'return rules.moderates(mark.actor) or (flag == "spoiler" and is_author(mark.actor, posted))',
        "return True",
    ),
    Mutant("anonymous reactions count", "tier 1", "model.index", "Index._begin", "if actor is not None:", "if True:"),
    # --- flags ---
    Mutant(
        "a cancel takes down marks that it had not seen",
        "tier 1",
        "model.status",
        "_split",
        "(lifted if mark.id in down else up)",
        "(lifted if down else up)",
    ),
    Mutant("a cancel reaches marks that come later", "tier 2", "model.status", "_lifted", " if id < cancel.id}", "}"),
    Mutant(
        "an author clears a moderator's spoiler mark",
        "tier 1",
        "model.status",
        "marks_up",
        "if not (is_author(mark.actor, posted) and own.get",
        "if not (own.get",
    ),
    Mutant(
        "a moderator can not clear a spoiler",
        "tier 1",
        "model.status",
        "marks_up",
        "_split(marks, _by_moderators(cancels, rules))",
        '_split(marks, [] if flag == "spoiler" else _by_moderators(cancels, rules))',
    ),
    Mutant(
        "a lock never ends",
        "tier 1",
        "model.status",
        "Locks.cover",
        "any(lock < id and (end is None or end > id) for",
        "any(lock < id for",
    ),
    # --- texts ---
    Mutant(
        "an approval opens every later text",
        "tier 1",
        "model.status",
        "_unopened",
        "reach = opened(cells, text.id, rules) if lifted else {}",
        "return []",
    ),
    Mutant("an approval opens whatever it saw", "tier 1", "model.status", "opened", " and event.seen == text", ""),
    Mutant(
        "an author's edit beats a moderator's unseen",
        "tier 1",
        "model.status",
        "current_text",
        " and by_author.seen >= by_moderator.id:",
        ":",
    ),
    Mutant(
        "a moderator's text needs approval",
        "tier 1",
        "model.status",
        "_unopened",
        "if isinstance(text, CommentEdited) and rules.moderates(text.actor):",
        "if False:",
    ),
    Mutant(
        "erasing a person takes what they said since",
        "tier 1",
        "model.status",
        "is_forgotten",
        'event.id < cutoffs.get(event.actor.id, "")',
        "event.actor.id in cutoffs",
    ),
    Mutant(
        "an edit survives the erasure of its writer", "tier 1", "model.status", "judge", " or is_forgotten(text, cutoffs)", ""
    ),
    Mutant(
        "a kind of an exclusive group counts beside the others",
        "tier 1",
        "model.status",
        "_is_last",
        "return all((offered[other][0], other) <= (id, kind) for other in rivals(kind, rules) if other in offered)",
        "return True",
    ),
    # --- the tree and the counts ---
    Mutant(
        "a void parent makes a root",
        "tier 1",
        "model.outline",
        "Outline._post",
        "if posted.parent is not None:",
        "if posted.parent is not None and posted.parent < posted.id:",
    ),
    Mutant(
        "an orphan becomes a root",
        "tier 1",
        "model.outline",
        "Outline._post",
        "if posted.parent is not None:",
        "if posted.parent is not None and self.nodes[posted.parent] is not None:",
    ),
    Mutant(
        "a reply to a correction is lost beside the tree",
        "tier 1",
        "model.outline",
        "Outline._home",
        "return self.at(NIL) if is_void else parent",
        "return parent",
    ),
    Mutant(
        "counts forget where a comment was", "tier 1", "model.outline", "Outline._judge", "self.tally.count(before, -1)", "pass"
    ),
    Mutant("reply counts only grow", "tier 1", "model.outline", "Outline._judge", ".replies += step", ".replies += abs(step)"),
    Mutant(
        "a changed vote is counted twice",
        "tier 1",
        "model.outline",
        "Outline._react",
        "kind, 1 if kind in now else -1)",
        "kind, 1 if kind in now else 0)",
    ),
    Mutant("a tombstone keeps its childless place", "tier 1", "model.outline", "Outline._judge", "self._lose(node)", "pass"),
    Mutant(
        "the activity of what is hidden stays", "tier 2", "model.outline", "Outline._judge", "self.quiet.add(root.id)", "pass"
    ),
    Mutant(
        "what was said below an orphan is forgotten when it comes home",
        "tier 2",
        "model.outline",
        "Outline._move_home",
        "self._speak(node, node.active)",
        "pass",
    ),
    Mutant(
        "a held comment is nobody's",
        "tier 1",
        "model.outline",
        "Node.withheld",
        "return bool(self.flags & _WITHHELD) and",
        "return False and",
    ),
    Mutant("erasing a person is not noticed", "tier 1", "model.outline", "Outline.take", "return False", "return True"),
    # --- what is looked up ---
    Mutant(
        "orders do not hear of votes",
        "tier 2",
        "model.index",
        "Index._list",
        "kept.put(id, sort_key(",
        "former == parent or kept.put(id, sort_key(",
    ),
    Mutant(
        "a comment that came home stays at the top level, too",
        "tier 1",
        "model.index",
        "Index._list",
        "del children[bisect_left(children, id)]",
        "pass",
    ),
    Mutant("what was decided goes on waiting", "tier 2", "model.index", "Index._list", "self._waiting.pop(id, None)", "pass"),
    Mutant(
        "replies begin one late",
        "tier 1",
        "model.index",
        "Index.children",
        "bisect_right(ids, after)",
        "bisect_right(ids, after) + bool(after)",
    ),
    # --- what readers see ---
    Mutant(
        "a spoiler opens to its author",
        "tier 1",
        "views.lens",
        "Lens._opens",
        "return self._reveal is None or node.id in self._reveal",
        "return self._reveal is None or node.id in self._reveal or self.is_author(node)",
    ),
    Mutant(
        "what is held opens to everybody",
        "tier 1",
        "views.lens",
        "Lens._opens",
        "return self.moderates or self.is_author(node)",
        "return True",
    ),
    Mutant(
        "what is removed opens to nobody",
        "tier 1",
        "views.lens",
        "Lens._opens",
        'return flag == "removed" and self.moderates',
        "return False",
    ),
    Mutant(
        "a spoiler's body is only marked",
        "tier 1",
        "views.lens",
        "Lens.comment",
        "None if concealed else said.body",
        "None if tombstone else said.body",
    ),
    Mutant(
        "a spoiler's mentions are told",
        "tier 1",
        "views.lens",
        "Lens.comment",
        "() if concealed else said.mentions",
        "said.mentions",
    ),
    Mutant(
        "a tombstone keeps its meta",
        "tier 1",
        "views.lens",
        "Lens.comment",
        "NO_META if tombstone or not said.meta",
        "NO_META if not said.meta",
    ),
    Mutant(
        "a tombstone keeps its reactions",
        "tier 1",
        "views.lens",
        "Lens.comment",
        "NO_COUNTS if tombstone or not votes",
        "NO_COUNTS if not votes",
    ),
    Mutant(
        "an erased comment keeps its author's name", "tier 1", "views.lens", "Lens.comment", "shown_actor(actor, erased)", "actor"
    ),
    Mutant(
        "a page repeats where the last one ended",
        "tier 1",
        "views.memory",
        "MemorySource.walk",
        "bisect_right(keys, walk.after)",
        "max(bisect_right(keys, walk.after) - 1, 0)",
    ),
    Mutant(
        "an author sees the place of what was removed",
        "tier 2",
        "views.pages",
        "_opened",
        'flags_in(node.flags)[0] == "held"',
        "True",
    ),
    Mutant(
        "a page ends where its replies are full",
        "tier 1",
        "views.pages",
        "_views",
        "left = node.kids - count",
        "left = min(node.kids - count, 0)",
    ),
    Mutant(
        "the history shows what a view conceals",
        "tier 2",
        "views.history",
        "_may_read_text",
        "if lens.concealment(node) is not None:",
        "if False:",
    ),
    Mutant("a past shows its own texts", "tier 1", "model.state", "State.past", "thread._today = self.today", "pass"),
    Mutant("the digest covers texts", "tier 2", "model.state", "State.digest", "encode(redact(event))", "encode(event)"),
)

#: What is decided.
DECISIONS = (
    Mutant(
        "a locked thread is open",
        DECIDE,
        "decide.rules",
        "Ruling._check_open",
        "if self.thread.is_locked(self.rules):",
        "if False:",
    ),
    Mutant(
        "anybody may edit",
        DECIDE,
        "decide.rules",
        "Ruling._edit",
        "if not self._moderates() and not is_author(self.by, posted):",
        "if False:",
    ),
    Mutant(
        "an edit need not have seen a moderator's",
        DECIDE,
        "decide.rules",
        "Ruling._edit",
        "if not self._moderates() and seen < by_moderators:",
        "if False:",
    ),
    Mutant(
        "one more than too many is allowed",
        DECIDE,
        "decide.rules",
        "Ruling._check_flood",
        "islice(self._own_posts(), limit - 1, limit)",
        "islice(self._own_posts(), limit, limit + 1)",
    ),
    Mutant("what was deleted counts as said before", DECIDE, "decide.rules", "Ruling._check_duplicate", "if not gone and", "if"),
    Mutant(
        "a second reaction is a second fact",
        DECIDE,
        "decide.rules",
        "Ruling._react",
        "if counts == isinstance(command, c.React):",
        "if False:",
    ),
    Mutant(
        "a restore needs no opening of the text",
        DECIDE,
        "decide.rules",
        "Ruling._opening",
        'id not in up and reach.get(id, "") > id',
        "id not in up",
    ),
    Mutant(
        "a request is repeated with other words",
        DECIDE,
        "decide.decide",
        "_repeated",
        "if not is_same_request(command, known):",
        "if False:",
    ),
    Mutant("an id may be older than what it answers", DECIDE, "decide.decide", "_check_given", "if id <= floor:", "if False:"),
    Mutant(
        "new ids stand below those that are there",
        DECIDE,
        "decide.decide",
        "_give_ids",
        "mint(max(floor, thread.latest))",
        "mint(floor)",
    ),
)

#: What logs keep.
LOGS = (
    Mutant(
        "a log takes two facts under one id", "tier 3", "log.batch", "check_same", "raise ConflictingEvent(event.id)", "return"
    ),
    Mutant(
        "a log does not care what is expected", "tier 3", "log.batch", "check_expected", "if revision != wanted:", "if False:"
    ),
    Mutant(
        "a retry must expect the right revision",
        "tier 3",
        "log._appending",
        "append",
        "if new:\n        check_expected(",
        "if True:\n        check_expected(",
    ),
    Mutant(
        "a redacted twin is a conflict",
        "tier 3",
        "log.batch",
        "check_same",
        " and not same_fact(decode(stored, position=position), event)",
        "",
    ),
    Mutant("an erasure is not remembered", "tier 3", "log._appending", "append", "if stream.erased or erasures:", "if erasures:"),
    Mutant("what is there already is not erased", "tier 3", "log._appending", "erased", "yield rewritten", "pass"),
    Mutant(
        "reading begins one late",
        "tier 3",
        "testing.memory_log",
        "MemoryLog.read",
        "start = check_place(after)",
        "start = check_place(after) + bool(after)",
    ),
    Mutant(
        "a batch that fails is half there",
        "tier 3",
        "log._appending",
        "append",
        "positions = yield from checked_known(facts)",
        "positions = {}\n    for id, event in facts.items():\n        found = yield from checked_known({id: event})\n        if not found:\n            yield from append(thread, [event], expected, ()) if len(facts) > 1 else ()\n        positions |= found",
    ),
)

#: How rows follow from events, and pages from rows.
ROWS = (
    # --- the projection ---
    Mutant(
        "a vote that is taken back is given",
        READ_MODEL,
        "readmodel.projection",
        "_appended",
        "given = int(isinstance(event, ReactionGiven))",
        "given = 1",
    ),
    Mutant(
        "what has to be judged is not noted",
        READ_MODEL,
        "readmodel.projection",
        "_appended",
        "yield Sql(_ADD_FACT,",
        "Sql(_ADD_FACT,",
    ),
    Mutant(
        "who wrote a comment is not noted",
        READ_MODEL,
        "readmodel.projection",
        "_appended",
        "yield Sql(_ADD_AUTHOR,",
        "Sql(_ADD_AUTHOR,",
    ),
    Mutant("nobody looks for what waits longest", READ_MODEL, "readmodel.projection", "projected", "if waits:", "if False:"),
    Mutant(
        "the row keeps the activity of what is hidden",
        READ_MODEL,
        "readmodel.projection",
        "projected",
        "node.active = _id_of(latest)",
        "pass",
    ),
    Mutant(
        "a person's words stay when they are erased",
        READ_MODEL,
        "readmodel.projection",
        "_folded",
        "if forgotten and not missing:",
        "if False:",
    ),
    Mutant(
        "counts of the thread are not taken over",
        READ_MODEL,
        "readmodel.projection",
        "projected",
        "row.take(part.outline.tally)",
        "pass",
    ),
    Mutant(
        "a live child at the top is not counted", READ_MODEL, "model.outline", "Outline._gain", "self.tally.live += 1", "pass"
    ),
    Mutant(
        "a comment about which there were facts is simple",
        READ_MODEL,
        "readmodel.part",
        "Part._stays_simple",
        " and (node is None or not node.flags & _COMPLEX)",
        "",
    ),
    Mutant(
        "what an actor did before is forgotten",
        READ_MODEL,
        "readmodel.part",
        "Part._apply_reaction",
        "if before is not None:",
        "if False:",
    ),
    # --- mentions at the write ---
    Mutant(
        "a name that comes late addresses nobody",
        READ_MODEL,
        "readmodel.projection",
        "_Mentions._note_names",
        "if posted.id < latest:",
        "if False:",
    ),
    Mutant(
        "who comes above a text later on is not heard",
        READ_MODEL,
        "readmodel.projection",
        "_Mentions._note_names",
        "above.append(posted.id)",
        "pass",
    ),
    Mutant(
        "a name that was erased together with the text is looked for",
        READ_MODEL,
        "readmodel.projection",
        "_Mentions._last_use",
        "max((id for id in ids if id < below), default=None)",
        "max(id for id in ids if id < below)",
    ),
    Mutant(
        "whoever spoke last later on is meant",
        READ_MODEL,
        "readmodel.projection",
        "_Mentions._resolved",
        "spoken = last if last < below else (yield from self._last_use(name, key, below))",
        "spoken = last",
    ),
    Mutant(
        "an erased name addresses somebody",
        READ_MODEL,
        "readmodel.projection",
        "_Mentions._note_names",
        "yield from self._unname(node)",
        "pass",
    ),
    Mutant(
        "an erased text still addresses somebody",
        READ_MODEL,
        "readmodel.projection",
        "_Mentions._new_texts",
        "if node.flags & _ERASED:\n                node.mentions = None\n                continue",
        "if node.flags & _ERASED:\n                continue",
    ),
    Mutant("edited texts are not looked at again", READ_MODEL, "readmodel.projection", "_CALLING", " OR text > 0", ""),
    Mutant(
        "names of the same batch are unknown",
        READ_MODEL,
        "readmodel.projection",
        "_Mentions.resolve",
        "if actor.name in used and not",
        "if False and not",
    ),
    Mutant(
        "the nearest above is not the one who is meant",
        READ_MODEL,
        "readmodel.projection",
        "_Mentions._authors_above",
        "authors += [] if above.flags & MISSING else [above.author]",
        "authors += [0]",
    ),
    # --- the walks ---
    Mutant(
        "what is in front is counted as left, oldest first",
        READ_MODEL,
        "readmodel.walks",
        "_walk",
        "AND c.id <= ?2",
        "AND c.id < ?2",
    ),
    Mutant(
        "a page repeats where the last one ended, newest first",
        READ_MODEL,
        "readmodel.walks",
        "_NEWEST_TOP",
        "c.id < ?2",
        "c.id <= ?2",
    ),
    Mutant(
        "a page repeats where the last one ended, active first",
        READ_MODEL,
        "readmodel.walks",
        "_LATEST",
        "c.active < ?3",
        "c.active <= ?3",
    ),
    Mutant("controversial is oldest", READ_MODEL, "readmodel.walks", "_walk", "and not row.downs:", "and True:"),
    Mutant(
        "fewer votes come first", READ_MODEL, "readmodel.walks", "_by_rank", "(same + below)[:limit]", "(below + same)[:limit]"
    ),
    Mutant(
        "the groups in front are not counted",
        READ_MODEL,
        "readmodel.walks",
        "_by_votes",
        "front += sum(count for [(count,)] in counts)",
        "pass",
    ),
    Mutant(
        "groups of one value follow one another",
        READ_MODEL,
        "readmodel.walks",
        "_by_votes",
        "rows += sorted((each for several in answers for each in several), key=lambda each: each[0])[: limit - len(rows)]",
        "rows += [each for several in answers for each in several][: limit - len(rows)]",
    ),
    Mutant("a group is skipped", READ_MODEL, "readmodel.walks", "_RANKS", "rank < ranks.rank)", "rank < ranks.rank - 1)"),
    Mutant("a group ends behind its two newest", READ_MODEL, "readmodel.walks", "_hot", "if more.get(rank) == []:", "if False:"),
    Mutant(
        "those as hot are on the next page again",
        READ_MODEL,
        "readmodel.walks",
        "_hot_start",
        "return min(hotter, max(id, as_hot))",
        "return hotter",
    ),
    Mutant(
        "pinned comments stand at their places, too",
        READ_MODEL,
        "readmodel.walks",
        "_with_pins",
        "if each[0] not in ids",
        "if True",
    ),
    Mutant("pinned comments are counted twice", READ_MODEL, "readmodel.walks", "_with_pins", " - again)", ")"),
    Mutant(
        "what is hidden is in the list",
        READ_MODEL,
        "readmodel.walks",
        "_EVERY",
        "{HIDES | FLAGS['correction']}",
        "{FLAGS['correction']}",
    ),
    # --- the source ---
    Mutant(
        "replies in front are counted as left",
        READ_MODEL,
        "readmodel.source",
        "TableSource.children_behind",
        "node_in(self.key, own).kids - front[0][0]",
        "node_in(self.key, own).kids",
    ),
    Mutant("a reply page repeats where the last one ended", READ_MODEL, "readmodel.source", "_BEHIND", "c.id > ?", "c.id >= ?"),
    Mutant(
        "everybody's held comments are mine",
        READ_MODEL,
        "readmodel.source",
        "TableSource.withheld",
        '(" AND withheld = ?2", (author,))',
        '(" AND withheld = withheld AND ?2", (author,))',
    ),
    Mutant(
        "the queue begins with what waits shortest",
        READ_MODEL,
        "readmodel.source",
        "TableSource.waiting",
        "ORDER BY since, id",
        "ORDER BY since DESC, id",
    ),
    Mutant("a reader reacted to nothing", READ_MODEL, "readmodel.source", "TableSource.reacted", "if rows:", "if False:"),
    Mutant(
        "nothing was said while the thread was locked",
        READ_MODEL,
        "readmodel.source",
        "TableSource.locks",
        "if self.row is None or not self.row.late:",
        "if True:",
    ),
    Mutant("corrections stand in no order", READ_MODEL, "readmodel.source", "_CORRECTIONS", "ORDER BY id", "ORDER BY id DESC"),
    # --- made anew ---
    Mutant(
        "what is made anew keeps an erased person's words",
        READ_MODEL,
        "readmodel.rebuild",
        "Builder.finish",
        "if self._forgotten:",
        "if False:",
    ),
    Mutant(
        "what is made anew waits for nothing",
        READ_MODEL,
        "readmodel.rebuild",
        "Builder.thread",
        "default=None)",
        "default=None) and None",
    ),
    Mutant(
        "former rows stay beside those made anew",
        READ_MODEL,
        "readmodel.rebuild",
        "built",
        "yield from cleared(each)",
        "yield []",
    ),
    Mutant(
        "what was made in portions is not shown",
        READ_MODEL,
        "readmodel.rebuild",
        "Builder.thread",
        "row.model, row.projected",
        "row.model, row.projected = row.model, self.revision\n        _, row.projected",
    ),
)

#: How writers share commits.
SHARING = (
    Mutant(
        "each writer commits alone",
        COMMITS,
        "store.writer",
        "Writer._lead",
        "for job in list(self._waiting) if",
        "for job in list(self._waiting)[:1] if",
    ),
    Mutant("what was refused stays", COMMITS, "store.writer", "Writer._run", 'connection.execute("ROLLBACK TO command")', "pass"),
    Mutant("who was refused is not told", COMMITS, "store.writer", "Writer._run", "job.error = error", "pass"),
    Mutant(
        "a failure of the database is told to nobody",
        COMMITS,
        "store.writer",
        "Writer._commit",
        "job.error = job.error or error",
        "pass",
    ),
    Mutant(
        "a failure of the database concerns one alone",
        COMMITS,
        "store.writer",
        "Writer._run",
        "except sqlite3.Error:  # the database's, of all of them\n            raise",
        "except ZeroDivisionError:\n            raise",
    ),
    Mutant("what was interrupted is done by the next", COMMITS, "store.writer", "Writer.write", "job.withdrawn = True", "pass"),
)

#: How finished pages are remembered.
CACHE = (
    Mutant("a page outlives its thread's revision", PAGES, "store.pages", "FinishedPages.find", " or kept[0] != revision", ""),
    Mutant(
        "all readers share a page", PAGES, "store.thread", "_Readable.view", '("view", self.key, request)', '("view", self.key)'
    ),
    Mutant(
        "no page is remembered",
        PAGES,
        "store.store",
        "ThreadStore._asked",
        "self._pages.keep(question, source.revision, known)",
        "pass",
    ),
    Mutant(
        "a page that was asked for goes first",
        PAGES,
        "store.pages",
        "FinishedPages.find",
        "self._pages.move_to_end(question)",
        "pass",
    ),
    Mutant("pages are not bounded", PAGES, "store.pages", "FinishedPages.keep", "len(self._pages) > MOST_PAGES or ", ""),
    Mutant("comments are not bounded", PAGES, "store.pages", "FinishedPages.keep", " or self._comments > MOST_COMMENTS", ""),
    Mutant("a page kept anew counts twice", PAGES, "store.pages", "FinishedPages.keep", "size - former", "size"),
    Mutant("forgotten pages take room", PAGES, "store.pages", "FinishedPages.clear", "self._comments = 0", "pass"),
)

TABLES = {"fold": FOLD, "decisions": DECISIONS, "logs": LOGS, "rows": ROWS, "sharing": SHARING, "cache": CACHE}


# --- making them --------------------------------------------------------------------------------------------------------------


def _named(body: Sequence[ast.stmt], name: str) -> Iterator[ast.stmt]:
    """Yield the functions, classes and assignments of one name."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.ClassDef() if node.name == name:
                yield node
            case ast.Assign(targets=[ast.Name(id=found)]) | ast.AnnAssign(target=ast.Name(id=found)) if found == name:
                yield node


def span(source: str, where: str) -> tuple[int, int]:
    """Return where a function, a method (``Class.method``) or a constant of a module begins and ends, in characters."""
    body: Sequence[ast.stmt] = ast.parse(source).body
    for name in where.split("."):
        found = list(_named(body, name))
        assert len(found) == 1, f"{where} is {len(found)} times in the module: name what it is called now"
        node = found[0]
        body = node.body if isinstance(node, ast.ClassDef) else []
    lines = source.splitlines(keepends=True)
    return sum(map(len, lines[: node.lineno - 1])), sum(map(len, lines[: node.end_lineno]))


def mutated(source: str, mutant: Mutant) -> str:
    """Return the source of a module with the one change in it."""
    start, end = span(source, mutant.where)
    part = source[start:end]
    assert part.count(mutant.old) == 1, f"{mutant.module}.{mutant.where} has changed: name the text that says it now"
    return source[:start] + part.replace(mutant.old, mutant.new) + source[end:]


def _path(mutant: Mutant, package: Path) -> Path:
    return package.joinpath(*mutant.module.split(".")).with_suffix(".py")


# --- trying them --------------------------------------------------------------------------------------------------------------


def attempt(package: Path, folder: Path, seen_by: str) -> subprocess.CompletedProcess[str]:
    """Run what has to notice a mutant against a copy of the package; code 1 says that it did."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment |= {"PYTHONPATH": str(package.parent), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    if seen_by.startswith("tier "):
        arguments, where = ["-m", "threadstore.testing.prove"], folder
    elif Path(seen_by).name.startswith("test_"):
        arguments, where = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(TESTS / seen_by)], TESTS.parent
    else:
        arguments, where = [str(TESTS / seen_by)], folder
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=where, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of the package, to be changed."""
    package = tmp_path / "mutated" / "threadstore"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


def _short_and_long() -> Iterator[object]:
    for name, table in TABLES.items():
        for number, mutant in enumerate(table):
            yield pytest.param(mutant, id=f"{name}: {mutant.says}", marks=[pytest.mark.long] if number else [])


@pytest.mark.parametrize("mutant", list(_short_and_long()))
def test_the_mutant_is_caught(mutant: Mutant, copied: Path, tmp_path: Path):
    """Each seeded fault is found by what is there for it, and not because nothing runs any longer."""
    path = _path(mutant, copied)
    path.write_text(mutated(path.read_text(encoding="utf-8"), mutant), encoding="utf-8")
    done = attempt(copied, tmp_path, mutant.seen_by)
    assert done.returncode == 1, f"nothing is found wrong though {mutant.says}\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}"
    if mutant.seen_by.startswith("tier "):
        findings = [line for line in done.stdout.splitlines() if line.startswith("tier ") and not line.endswith(": holds")]
        assert findings, done.stdout + done.stderr
        assert findings[0].startswith(f"{mutant.seen_by}: "), done.stdout
    elif Path(mutant.seen_by).name.startswith("test_"):
        assert "1 failed" in done.stdout, done.stdout
    else:
        assert done.stdout.startswith("seed "), done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    "seen_by", sorted({mutant.seen_by for table in TABLES.values() for mutant in table} - {"tier 1", "tier 2"})
)
def test_nothing_is_found_where_nothing_is_wrong(seen_by: str, copied: Path, tmp_path: Path):
    """What catches the mutants passes the package as it is; the program that has tiers runs all of them."""
    done = attempt(copied, tmp_path, seen_by)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mutant", [mutant for table in TABLES.values() for mutant in table], ids=lambda mutant: mutant.says)
def test_each_mutant_is_a_change_to_the_source_as_it_is(mutant: Mutant):
    """Where each of them is made is there, once, and what comes of it can still be compiled."""
    source = _path(mutant, PACKAGE).read_text(encoding="utf-8")
    changed = mutated(source, mutant)
    assert changed != source
    compile(changed, mutant.module, "exec")


def test_a_text_is_looked_for_where_it_is_said_to_be():
    """A change is made in the method that is named, though others have the same text, and one that is not there is told."""
    source = "A = 1\nclass C:\n    def f(self):\n        return 1\n    def g(self):\n        return 1\n"
    assert mutated(source, Mutant("", "", "", "C.g", "return 1", "return 2")).count("return 1") == 1
    assert mutated(source, Mutant("", "", "", "A", "1", "2")).startswith("A = 2\nclass")
    with pytest.raises(AssertionError, match="0 times in the module"):
        mutated(source, Mutant("", "", "", "C.h", "return 1", "return 2"))
    with pytest.raises(AssertionError, match="has changed"):
        mutated(source, Mutant("", "", "", "C.f", "return 3", "return 2"))
