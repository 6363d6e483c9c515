"""The generator of large threads gives what the real ones look like, the same each time, and streams."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import generator
import pytest
from generator import CHAIN, HUB, REAL, Growth, Thread, disordered, many_threads, of_trace, quantile, shape, thread_size

import threadstore
from threadstore import CommentDeleted, CommentEdited, CommentPosted, CommentRemoved, Event, ReactionGiven, ReactionWithdrawn
from threadstore.model.ids import time_of

TRACES = Path(__file__).parents[3] / "shared" / "data" / "traces"


@pytest.fixture(scope="module")
def large() -> list[Event]:
    """Return the events of a thread of 20,000 comments by enough people."""
    return list(Thread(20_000, actors=20_000))


def posts(events: list[Event]) -> list[CommentPosted]:
    return [event for event in events if isinstance(event, CommentPosted)]


def parents(thread: Thread) -> list[int]:
    for _ in thread:
        pass
    return list(thread.tree.parents)


def test_equal_seeds_give_equal_events():
    """The same arguments give the same events, ids included; another seed gives others."""
    assert list(Thread(300, seed=5)) == list(Thread(300, seed=5))
    assert list(Thread(300, seed=5)) != list(Thread(300, seed=6))


def test_ids_increase_and_replies_are_above_their_parents(large):
    """Every event's id is above the one before, so a reply's is above its parent's, and no id comes twice."""
    ids = [event.id for event in large]
    assert ids == sorted(set(ids))
    assert all(post.parent is None or post.parent < post.id for post in posts(large))


def test_it_streams():
    """The first events of a thread of ten million comments come at once."""
    assert len(list(islice(Thread(10_000_000), 100))) == 100


def test_edits_deletions_orphans_and_reactions_are_as_frequent_as_asked(large):
    """3 % of the comments are edited, 1 % deleted, 2 % are orphans, and there is one reaction for each."""
    kinds = Counter(type(event) for event in large)
    comments = kinds[CommentPosted]
    assert comments == 20_000
    assert kinds[CommentEdited] / comments == pytest.approx(0.03, rel=0.15)
    assert kinds[CommentDeleted] / comments == pytest.approx(0.01, rel=0.3)
    assert kinds[ReactionGiven] / comments == pytest.approx(1.0, rel=0.02)
    ids = {post.id for post in posts(large)}
    orphans = sum(post.parent is not None and post.parent not in ids for post in posts(large))
    assert orphans / comments == pytest.approx(0.02, rel=0.15)


def test_edits_and_deletions_are_their_authors_own(large):
    """Whoever edits or deletes a comment has posted it, so that it has effect."""
    authors = {post.id: post.actor for post in posts(large)}
    later = [event for event in large if isinstance(event, CommentEdited | CommentDeleted)]
    assert all(event.actor == authors[event.comment] for event in later)


def test_most_reactions_are_on_few_comments(large):
    """More than three quarters of the reactions are on one comment in a hundred, hardly any of them twice by one actor."""
    given = [event for event in large if isinstance(event, ReactionGiven | ReactionWithdrawn)]
    by_comment = Counter(event.comment for event in given)
    assert sum(count for _, count in by_comment.most_common(200)) / len(given) > 0.75
    pairs = Counter((event.comment, event.actor and event.actor.id) for event in given)
    assert 1 - len(pairs) / len(given) == pytest.approx(0.008, abs=0.005)


def test_extremes_are_planted(large):
    """A large thread has the longest chain, the largest hub and the fullest minute that were seen; times before 1970 too."""
    thread = Thread(20_000)
    one = shape(parents(thread))
    assert max(one.depths) >= CHAIN - 1
    assert max(one.replies) >= HUB
    moments = [time_of(post.id) for post in posts(large)]
    assert any(after - before < 60_000 for before, after in zip(moments, moments[161:], strict=False))
    assert any(post.at is not None and post.at < 0 for post in posts(large))
    assert any(post.at is not None and 0 < post.at < time_of(post.id) for post in posts(large))
    assert any(not post.body for post in posts(large))


def test_small_threads_have_no_extremes():
    """The longest body of all is for large threads: no text of a small one is longer than chance makes it."""
    bodies = [event.body for event in Thread(500) if isinstance(event, CommentPosted | CommentEdited)]
    assert max(map(len, bodies)) < 20_000


def test_bodies_can_be_left_out():
    """Without bodies a comment has one character, edited or not."""
    events = [event for event in Thread(500, bodies=False) if isinstance(event, CommentPosted | CommentEdited)]
    assert {event.body for event in events} == {"."}


def test_moderated_comments_are_removed_by_a_moderator():
    """The share of comments that is asked for is removed, with effect."""
    events = list(Thread(1_000, deleted=0, moderated=0.1))
    removed = sum(isinstance(event, CommentRemoved) for event in events)
    assert removed == pytest.approx(100, rel=0.4)
    assert threadstore.fold(events).counts().hidden == removed


def test_counts_are_those_of_the_events(large):
    """The library makes of it what was put in: so many comments, hidden where they were deleted."""
    counts = threadstore.fold(large).counts()
    deleted = len({event.comment for event in large if isinstance(event, CommentDeleted)})
    assert (counts.total, counts.hidden) == (20_000 - deleted, deleted)


def test_growth_can_be_of_another_kind():
    """A forum's threads are deeper and narrower than a microblog's, and stubs make hubs."""
    forum, microblog = (
        shape(parents(Thread(500, growth=growth, orphans=0))) for growth in (generator.FORUM, generator.MICROBLOG)
    )
    assert sum(forum.depths) > 2 * sum(microblog.depths)
    plain, stubs = (shape(parents(Thread(2_000, growth=Growth(stubs=exponent)))) for exponent in (0.0, 1.1))
    assert max(stubs.replies) != max(plain.replies)


def test_thread_sizes_follow_the_law():
    """Quantiles of the sizes of many threads are those of a whole site, within a third."""
    chance = Random(1)
    sizes = sorted(thread_size(chance) for _ in range(50_000))
    for name, real in REAL["thread size"].items():
        found = sizes[-1] if name == "max" else quantile(sizes, float(name[1:]) / 100)
        assert found == pytest.approx(real, rel=0.35), name


def test_many_threads_are_threads_of_their_own():
    """Each has its key and its size, and no two share an id."""
    threads = [list(thread) for thread in many_threads(20, most=50)]
    keys = [{event.thread for event in thread} for thread in threads]
    assert len(set().union(*keys)) == 20
    assert all(len(key) == 1 for key in keys)
    ids = [event.id for thread in threads for event in thread]
    assert len(ids) == len(set(ids))


def test_disorder_keeps_the_facts():
    """Shuffled and repeated, the events are another sequence and the same thread."""
    events = list(Thread(300))
    mixed = list(disordered(events, window=50, repeated=0.1))
    assert mixed != events
    assert len(mixed) > len(events)
    assert threadstore.fold(mixed).digest() == threadstore.fold(events).digest()


def test_the_check_prints_both_sides(capsys):
    """The check shows generated beside real figures, and says so where there are no traces."""
    generator.check(None)
    printed = capsys.readouterr()
    assert "thread size, p99.9" in printed.out
    assert "skipped" in printed.err


@pytest.mark.skipif(not TRACES.is_dir(), reason="the real traces are not here")
def test_depth_and_length_are_those_of_real_threads():
    """Threads of reddit and generated ones of a like size agree in how deep they are and how long their comments."""
    real = of_trace(TRACES / "reddit_threads.jsonl.gz")
    made = generator.generated(threads=2_000)
    assert made["depth"]["p99"] == pytest.approx(real["depth"]["p99"], abs=4)
    assert made["body length"]["p50"] == pytest.approx(real["body length"]["p50"], rel=0.3)
