"""What an append changes in rows: no more than what differs, and all that follows from it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from threadstore import Actor, Event, Policy, ThreadStore, fold
from threadstore.model.mentions import MAX_ABOVE
from threadstore.testing.given import (
    ANN,
    BOB,
    CYD,
    MODERATOR,
    THREAD,
    deleted,
    edited,
    erased,
    id_of,
    person_erased,
    posted,
    reacted,
    removed,
    restored,
    suggested,
    unreacted,
)
from threadstore.testing.places import Place
from threadstore.testing.stored import agree, rows_agree


@pytest.fixture
def store(later: Place) -> ThreadStore:
    return later.open()


def taken(store: ThreadStore, *facts: Event, at_once: bool = False) -> None:
    """Merge facts, one after the other or at once, and hold the rows against a rebuild after each."""
    for some in [list(facts)] if at_once else [[fact] for fact in facts]:
        store.merge(some)
        rows_agree(store, THREAD)


def writes(store: ThreadStore, *facts: Event) -> list[str]:
    """Return the statements by which facts reach the tables."""
    asked: list[str] = []
    store.log.database._writer.set_trace_callback(asked.append)
    store.merge(facts)
    store.log.database._writer.set_trace_callback(None)
    return [statement for statement in asked if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_reaction_changes_one_row_of_a_comment(store: ThreadStore):
    """Only columns that differ are named, so only the indexes of these are written."""
    taken(store, posted(1), posted(2, to=1), reacted(3, 2, by=CYD))
    [comment] = [write for write in writes(store, reacted(4, 2)) if "comments" in write]
    assert comment.startswith("UPDATE comments SET up = 2, crc = ")
    assert not [write for write in writes(store, reacted(5, 2)) if "UPDATE comments" in write]


def test_a_thread_is_brought_to_life_and_buried_from_below(store: ThreadStore):
    """What is gone is a placeholder while something is shown below it, however far, and the latest word is found anew."""
    chain = [posted(number, to=number - 1 or None) for number in range(1, 6)]
    taken(store, *chain, *(deleted(10 + number, number) for number in range(1, 5)))
    agree(store, THREAD, list(store.export()))
    taken(store, removed(20, 5), posted(21), restored(22, 5, cancels=[20]), removed(23, 5))
    agree(store, THREAD, list(store.export()))


def test_the_latest_word_goes_while_its_place_moves_home(store: ThreadStore):
    """In one portion a comment may lose its latest word and turn out to be a reply."""
    taken(store, posted(5, to=3), posted(6, to=5), posted(1))
    taken(store, removed(7, 6), posted(3, to=1), removed(8, 5), at_once=True)
    agree(store, THREAD, list(store.export()))


@pytest.mark.parametrize("at_once", [False, True])
def test_a_person_who_is_forgotten(at_once: bool, store: ThreadStore):
    """Their comments, edits and corrections are judged anew: those that were there, and those that come in the same portion."""
    facts = [
        posted(1, "@Bob", by=ANN),
        posted(2, "@Ann Lee", to=1, by=BOB),
        edited(3, 2, "changed", by=MODERATOR),
        suggested(4, by=BOB),
        person_erased(30, BOB),
        posted(5, "@Bob", to=9, by=BOB),
        edited(6, 5, by=BOB),
        suggested(8, by=BOB),
        suggested(18, by=None),
    ]
    taken(store, *facts, at_once=at_once)
    agree(store, THREAD, facts)
    more = [person_erased(31, ANN), posted(7, by=ANN), suggested(19, by=None)]
    taken(store, *more, at_once=at_once)
    agree(store, THREAD, [*facts, *more])


def test_a_person_who_is_forgotten_before_anything_is_said(store: ThreadStore):
    """In a thread that begins with the erasure of a person, their words that come later are gone."""
    taken(store, person_erased(30, BOB), posted(2, by=BOB), posted(1))
    agree(store, THREAD, [person_erased(30, BOB), posted(2, by=BOB), posted(1)])


def test_more_texts_than_are_looked_at_together(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """However many texts call a name that comes late, each is resolved anew."""
    monkeypatch.setattr("threadstore.readmodel.projection._AGAIN", 2)
    facts = [posted(number, "@Bob and @Ann Lee", by=CYD) for number in range(10, 17)]
    taken(store, *facts, posted(1, by=BOB), posted(2, by=ANN), erased(30, 1), posted(3, by=replace(BOB, id="bob-2")))
    agree(store, THREAD, list(store.export()))


def test_a_name_of_several_is_told_by_who_stands_above(store: ThreadStore):
    """Of those who share a name, who is answered is meant, however far above; placeholders and late parents are passed over."""
    twins = [replace(ANN, id=f"ann-{number}") for number in range(3)]
    facts = [
        posted(1, by=twins[0]),
        posted(2, by=twins[1], to=1),
        posted(3, by=twins[2]),
        posted(4, by=BOB, to=2),
        posted(5, "@Ann Lee", by=CYD, to=4),
        posted(6, "@Ann Lee", by=CYD, to=1),
        posted(8, "@Ann Lee", by=CYD, to=7),
        posted(9, "@Ann Lee", by=CYD),
        posted(10, "@Ann Lee", by=CYD, to=9),
    ]
    taken(store, *facts)
    taken(store, posted(7, to=2, by=BOB), edited(11, 10, "@Ann Lee!", by=CYD), edited(12, 5, "@Ann Lee?", by=CYD))
    agree(store, THREAD, list(store.export()))


def test_who_stands_far_above_does_not_matter(store: ThreadStore):
    """Only so many of those above are looked at, by rows and by a rebuild alike."""
    twins = [replace(ANN, id=f"ann-{number}") for number in range(2)]
    facts = [posted(1, by=twins[0]), posted(2, by=twins[1])]
    facts += [posted(number, to=1 if number == 3 else number - 1, by=BOB) for number in range(3, MAX_ABOVE + 6)]
    facts.append(posted(MAX_ABOVE + 6, "@Ann Lee", to=MAX_ABOVE + 5, by=CYD))
    taken(store, *facts[:-1], at_once=True)
    taken(store, facts[-1])
    stored, folded = (thread.comment(facts[-1].id) for thread in (store.thread(THREAD), fold(facts)))
    assert stored.mentions == folded.mentions != ()


def test_one_who_has_used_several_names(store: ThreadStore):
    """A text calls whoever used the name before it; who used it since, and what they are called now, does not matter."""
    one, later = Actor("u-1", "Ann"), Actor("u-1", "Ann Lee")
    facts = [posted(1, by=one), posted(5, by=later), posted(9, by=one), posted(3, "@Ann Lee @Ann", by=BOB)]
    taken(store, *facts, posted(7, "@Ann Lee", by=BOB), erased(20, 1), erased(21, 5))
    agree(store, THREAD, list(store.export()))


def test_reactions_to_what_is_not_there_wait_for_it(store: ThreadStore):
    """Votes count once the comment comes; an anonymous reaction counts for nobody."""
    taken(store, reacted(3, 2), reacted(4, 2, by=CYD), unreacted(5, 2), reacted(6, 2, by=None), reacted(7, 2, "laugh"), posted(2))
    agree(store, THREAD, list(store.export()))


def test_a_flood_is_counted_over_many_comments(later: Place):
    """Limits look as far back as they must, also where an author has more comments than are read at once."""
    store = later.open(policy=Policy(flood_limit=120, flood_window=1 << 40, premoderation="newcomers"))
    store.merge([posted(number, held=number > 1) for number in range(1, 121)])
    assert store.thread(THREAD).counts().pending == 119
    with pytest.raises(Exception, match="120"):
        store.thread(THREAD).post("one more", by=ANN)
    store.thread(THREAD).post("of mine", by=BOB)
    assert store.thread(THREAD).counts().pending == 120


def test_an_erasure_that_was_cut_short_is_finished(store: ThreadStore):
    """To erase again what was erased takes out words that a killed process left behind."""
    thread = store.thread(THREAD)
    comment = thread.post("unspeakable", by=ANN)
    record = store.log.find(comment)
    assert record is not None
    erasure = thread.erase(comment, by=MODERATOR)
    with store.log.database.writing() as connection:
        connection.execute("DELETE FROM erasures")
    assert thread.erase(comment, by=MODERATOR) == erasure
    with store.log.database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM erasures").fetchone() == (1,)
    store.erase_person(ANN.id, by=MODERATOR)
    assert store.erase_person(ANN.id, by=MODERATOR) != ()


def test_many_come_at_once(store: ThreadStore, monkeypatch: pytest.MonkeyPatch):
    """A merge that is larger than a portion, but no larger than what is there, is folded in portion by portion."""
    monkeypatch.setattr("threadstore.store.merging._PORTION", 3)
    facts = [posted(number) for number in range(1, 12)]
    taken(store, *facts, at_once=True)
    more = [posted(number, "@Ann Lee", to=number - 20, by=BOB) for number in range(21, 31)]
    taken(store, *more, at_once=True)
    most = [reacted(number, number - 100, by=CYD) for number in range(101, 130)]
    taken(store, *most, at_once=True)
    agree(store, THREAD, [*facts, *more, *most])
    assert store.thread(THREAD).comment(id_of(21)).mentions
