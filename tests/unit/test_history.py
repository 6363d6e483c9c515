"""What a reader may see of the facts themselves."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from threadstore.model.erasure import redact
from threadstore.model.events import Event, UnknownEvent
from threadstore.model.policy import Policy
from threadstore.model.values import Actor
from threadstore.plans import run
from threadstore.testing.given import (
    ANN,
    AUTHOR,
    BOB,
    CYD,
    EDITOR,
    MODERATOR,
    SYSTEM,
    THREAD,
    approved,
    decided,
    deleted,
    described,
    edited,
    erased,
    held,
    id_of,
    locked,
    marked,
    person_erased,
    pinned,
    posted,
    reacted,
    removed,
    reported,
    suggested,
)
from threadstore.views.history import as_seen
from threadstore.views.thread import fold

READERS: dict[str, Actor | str | None] = {
    "nobody": None,
    "stranger": CYD,
    "author": ANN,
    "author's id": "ann",
    "author of the article": AUTHOR,
    "moderator": MODERATOR,
    "system": SYSTEM,
    "moderator's id": "mo",
}
OWN = {"author", "author's id"}
HOUSE = {"moderator", "system"}
EVERYBODY = set(READERS)

CONCEALED: dict[str, tuple[tuple[Event, ...], str, set[str], set[str]]] = {
    # facts, the flag that conceals, to whom it opens, and to whom with the spoiler revealed
    "erased": ((erased(2, 1),), "erased", set(), set()),
    "person erased": ((person_erased(2, ANN),), "erased", set(), set()),
    "deleted": ((deleted(2, 1),), "deleted", set(), set()),
    "removed": ((removed(2, 1),), "removed", HOUSE, HOUSE),
    "held": ((held(2, 1),), "held", HOUSE | OWN, HOUSE | OWN),
    "stale": ((held(2, 1), approved(3, 1, cancels=[2]), edited(4, 1, "w1")), "held", HOUSE | OWN, HOUSE | OWN),
    "spoiler": ((marked(2, 1),), "spoiler", set(), EVERYBODY),
    "erased and deleted": ((erased(2, 1), deleted(3, 1)), "erased", set(), set()),
    "deleted and removed": ((deleted(2, 1), removed(3, 1)), "deleted", set(), set()),
    "removed and held": ((removed(2, 1), held(3, 1)), "removed", HOUSE, HOUSE),
    "held spoiler": ((held(2, 1), marked(3, 1)), "held", set(), HOUSE | OWN),
    "removed spoiler": ((removed(2, 1), marked(3, 1)), "removed", set(), HOUSE),
}


def history(*facts: Event, reader: Actor | str | None = None, reveal: Any = (), policy: Policy | None = None) -> list[Event]:
    """Return what a reader may see of each fact."""
    return run(as_seen(fold(facts, key=THREAD).source(policy), facts, reader=reader, reveal=reveal))


def readable(fact: Event, *facts: Event, **options: Any) -> bool:
    """Return whether a reader sees all of *fact*; what is withheld is its skeleton, at most with the actor's name."""
    [seen, *_] = history(fact, *facts, **options)
    if seen != fact:
        assert redact(seen) == redact(fact)
        assert msgspec.structs.replace(seen, actor=None) == msgspec.structs.replace(redact(fact), actor=None)
    return seen == fact


def who_reads(fact: Event, *facts: Event, **options: Any) -> set[str]:
    return {name for name, reader in READERS.items() if readable(fact, *facts, reader=reader, **options)}


def test_history_shows_what_pages_show():
    """The present text of a comment is for whoever sees the comment."""
    assert who_reads(posted(1)) == EVERYBODY
    assert who_reads(edited(2, 1), posted(1)) == EVERYBODY
    assert who_reads(edited(2, 1, by=MODERATOR), posted(1)) == EVERYBODY
    assert who_reads(posted(1, spoiler=True)) == set()
    assert who_reads(posted(1, spoiler=True), reveal="all") == EVERYBODY


@pytest.mark.parametrize("name", CONCEALED)
def test_history_withholds_what_pages_withhold(name: str):
    """A text that is concealed from a reader is in no event that they get, nor is any older text of that comment."""
    facts, _, opens, opens_revealed = CONCEALED[name]
    text = next((fact for fact in facts if fact.id == id_of(4)), posted(1))
    others = [fact for fact in (posted(1), *facts) if fact is not text]
    assert who_reads(text, *others) == opens
    assert who_reads(text, *others, reveal={id_of(1)}) == opens_revealed


def test_older_texts_are_for_their_author_and_moderators():
    """What was written over is no longer shown to the public, and a forged edit never is."""
    facts = (edited(2, 1), edited(3, 1, by=MODERATOR), edited(4, 1, by=BOB))
    assert who_reads(posted(1), *facts) == who_reads(edited(2, 1), posted(1), *facts[1:]) == OWN | HOUSE
    assert who_reads(edited(4, 1, by=BOB), posted(1), *facts[:2]) == set()
    assert who_reads(posted(1), edited(2, 1), held(3, 1)) == OWN | HOUSE
    assert who_reads(posted(1), edited(2, 1), removed(3, 1)) == HOUSE
    assert who_reads(posted(1, by=None), edited(2, 1, by=MODERATOR)) == HOUSE
    assert who_reads(edited(2, 1)) == set()
    assert who_reads(posted(1, "a"), posted(1, "a longer one", by=BOB)) == set()


def test_a_withheld_post_keeps_its_authors_name():
    """A tombstone shows who wrote it, and so does history; of what is erased and of everything else the name is withheld."""
    [post, *_] = history(posted(1, meta={"site": "a.example"}), deleted(2, 1))
    assert (post.actor, post.body, post.meta) == (ANN, "", None)
    [post, removal] = history(posted(1), removed(2, 1))
    assert (post.actor, removal.actor, removal.reason) == (ANN, Actor("mo", "", "moderator"), "")
    for erasure in (erased(3, 1), person_erased(3, ANN)):
        post, reaction, *_ = history(posted(1), reacted(2, 1), erasure, reader=MODERATOR)
        assert (post.actor.name, reaction.actor.name) == ("", "")
    assert history(edited(2, 1), posted(1), edited(3, 1))[0].actor == Actor("ann", "")


def test_what_moderators_do_is_theirs_to_read():
    """Reasons of holds, removals and reports are for moderators; the reason of a lock is for all, if a moderator locked."""
    for fact in (removed(2, 1), held(2, 1), reported(2, 1), reacted(2, 1), pinned(2, 1)):
        assert who_reads(fact, posted(1)) == HOUSE
        assert who_reads(fact, posted(1), erased(3, 1)) == set()
    assert who_reads(removed(2, 9)) == HOUSE
    assert who_reads(locked(2)) == EVERYBODY
    assert who_reads(locked(2, by=BOB)) == set()
    assert who_reads(reported(2, 1), posted(1), person_erased(3, BOB)) == set()
    assert who_reads(UnknownEvent(id=id_of(2), thread=THREAD, actor=ANN, kind="comment.sung", schema=1)) == HOUSE


def test_titles_in_history():
    """A description by whoever may describe is for all; another's is for nobody, nor is an erased describer's."""
    assert who_reads(described(2)) == EVERYBODY
    assert who_reads(described(2, by=BOB)) == set()
    assert who_reads(described(2), person_erased(3, AUTHOR)) == set()


def test_corrections_in_history():
    """A correction and its decision are read by whoever sees the correction; what has no effect is read by nobody."""
    assert who_reads(suggested(1)) == who_reads(decided(2, 1), suggested(1)) == EVERYBODY
    assert who_reads(decided(2, 1, by=BOB), suggested(1)) == set()
    for gone in (deleted(3, 1), erased(3, 1)):
        assert who_reads(suggested(1), gone) == who_reads(decided(2, 1), suggested(1), gone) == set()
    assert who_reads(suggested(1), removed(3, 1)) == who_reads(decided(2, 1), suggested(1), removed(3, 1)) == HOUSE
    assert who_reads(suggested(1, by=None)) == who_reads(decided(2, 1)) == set()


def test_history_folds_to_the_same_thread():
    """Skeletons are whole, so what the public gets has the thread's digest, and it comes in the order that was asked for."""
    facts = [posted(1, held=True), edited(2, 1), posted(3, to=1), removed(4, 3), suggested(5), deleted(6, 5), reacted(7, 1)]
    seen = history(*facts)
    assert [fact.id for fact in seen] == [fact.id for fact in facts]
    assert fold(seen).digest() == fold(facts).digest()


def test_some_of_the_facts():
    """Of any part of them each is judged by all that the thread knows, and nothing is withheld of none."""
    source = fold([posted(1), edited(2, 1), removed(3, 1)]).source(None)
    [text] = run(as_seen(source, [edited(2, 1)], reader=None, reveal=()))
    assert text == redact(edited(2, 1))
    assert run(as_seen(source, [edited(2, 1)], reader=MODERATOR, reveal=())) == [edited(2, 1)]
    assert run(as_seen(source, [], reader=None, reveal=())) == []


def test_roles_are_the_policys():
    """Who may read a reason or an older text is for the application's rules to say."""
    policy = Policy(moderators={"editor"}, describers={"reader"})
    facts = [posted(1), edited(2, 1), held(3, 1, by=EDITOR), approved(4, 1, cancels=[3], seen=2, by=EDITOR), described(5, by=BOB)]
    assert history(*facts, reader=EDITOR, policy=policy) == facts
    assert [seen == fact for seen, fact in zip(history(*facts, reader=MODERATOR, policy=policy), facts, strict=True)] == [
        False, True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(("reader", "error"), [(7, TypeError), ("", ValueError), ("ann@example.org", ValueError)])
def test_who_can_be_no_reader(reader: Any, error: type[Exception]):
    """What can be nobody's id reads no history."""
    with pytest.raises(error):
        history(posted(1), reader=reader)
