"""
Made-up conversations under the made-up articles, written through the library as readers would, by a clock of the past two days.

`large` is 100,000 comments in one thread, merged like the events of another store; about a third of them are replies.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from random import Random

import threadstore
from news_site.articles import ARTICLES, LARGE
from news_site.people import ACCOUNTS
from threadstore import Actor, CommentPosted, Event, Policy, ReactionGiven, StoredThread, ThreadDescribed, id_for, quote_of

__all__ = ["large", "seed"]

ANN, JO, NOOR, WIM = (ACCOUNTS[account] for account in ("ann", "jo", "noor", "wim"))
LIFE = Actor("u-life", "Thought.Life")
LEE = Actor("u-lee", "Lee, Highest Level")
SUE = Actor("u-sue", 'Susan "Sue" Park-Holm')
LEEDS = Actor("u-leeds", "Ann Leeds")
DOC = Actor("u-doc", "Dr. M. Achterberg, retd.")
GRUMP = Actor("u-grump", "Grump")
NOBODY = Actor("u-nobody")
LAYLA = Actor("u-layla", "ليلى")
SAMI = Actor("u-sami", "سامي")

_POLICY = Policy(report_threshold=3)
_STEP = 15 * 60_000
_STEPS = 190


def seed(target: str | os.PathLike[str], now: int) -> None:
    """Fill a new store; *now* is in Unix milliseconds, and everything happens in the two days before."""
    clock = iter(range(now - _STEPS * _STEP, now, _STEP))  # each look at it takes a quarter of an hour, and none leads beyond now
    with threadstore.open(target, policy=_POLICY, durability="normal", now=clock.__next__) as store:
        for article in ARTICLES:
            thread = store.thread(article.key)
            thread.describe(by=WIM, title=article.title, url=article.url, article_version=article.version)
        weir, clocks, bees, rail = (store.thread(article.key) for article in ARTICLES)
        _weir(weir)
        _clock(clocks)
        _bees(bees)
        _rail(rail)


def _weir(thread: StoredThread) -> None:
    """Nine comments, and three replies."""
    ann = thread.post("I was there on the fifth night. The light swung like a lamp on a string.", by=ANN)
    life = thread.post("Nobody asks the farmer until the last paragraph.", by=LIFE)
    thread.post("It was the farmer. It is always the farmer.", by=LEE, spoiler=True)
    thread.post("My bees would never.", by=SUE)
    council = thread.post("The council has bought worse things. Does anybody remember the heated bridge?", by=NOBODY)
    kite = thread.post("The kite was mine. I am sorry about the searchlight.", by=JO, spoiler=True)
    thread.post("Denied by the club, confirmed by the kite.", by=LEEDS, spoiler=True)
    lamps = thread.post(
        "Bicycle lamps are visible for four kilometres.\n\nI have measured it, with a bicycle and a wife.", by=DOC
    )
    thread.post("Odile's list should be in a museum. Cake included.", by=SUE)
    first = thread.reply(ann, "@Ann Lee, it was a string.", by=JO)
    thread.reply(life, "@Thought.Life", by=SUE)
    thread.reply(first, "@Jo Park, and @Ann Lee: what colour was it? The string, I mean.", by=DOC)
    for comment, readers in {ann: (JO, LEE, SUE, DOC), council: (ANN, JO, LIFE), kite: (ANN, LEE), lamps: (SUE,)}.items():
        for reader in readers:
            thread.react(comment, by=reader)
    thread.pin(lamps, by=NOOR)
    heated = thread.post("You are all fools, and the farmer is the biggest!", by=GRUMP)
    for reader, reason in {SUE: "Rude.", LEE: "Rude, and wrong about the farmer.", ANN: ""}.items():
        thread.report(heated, by=reader, reason=reason)
    _correct(thread, ARTICLES[0].text, "Febuary", "February", DOC, note="A letter is missing.", outcome="accepted")
    _correct(thread, ARTICLES[0].text, "Two pilots", "Three pilots", LEEDS, outcome=None)


def _clock(thread: StoredThread) -> None:
    late = thread.post("I have lived here for forty years and have never once been early.", by=DOC)
    thread.reply(late, "@Dr. M. Achterberg, retd., you have been early every day since 1961.", by=ANN)
    thread.post("Cheap watches at https://watches.example, all four minutes slow!", by=GRUMP, held=True)
    gone = thread.post("The visitor was my brother-in-law.", by=LEE)
    thread.reply(gone, "@Lee, Highest Level, give him our regards, four minutes late.", by=JO)
    thread.delete(gone, by=LEE)
    rude = thread.post("Only an idiot sets a clock with a cold.", by=GRUMP)
    thread.remove(rude, by=NOOR, reason="Insults the dead.")
    watch = thread.post("Was it a good watch, though?", by=SUE)
    thread.report(watch, by=GRUMP, reason="Off topic.")


def _bees(thread: StoredThread) -> None:
    top = thread.post("They have done more for the planning department than anybody since the war.", by=LIFE)
    to = top
    for speaker, answer in zip((SUE, DOC, SUE, DOC, SUE, DOC), count(1), strict=False):
        to = thread.reply(
            to, f"{'Have' if answer % 2 else 'Have not'} they? (Letter {answer} of this correspondence.)", by=speaker
        )
    for number in range(1, 8):
        thread.reply(
            top, f"@Thought.Life, I second that, for the {number}. time.", by=Actor(f"u-second-{number}", f"Second {number}")
        )
    for number in range(1, 26):
        by = Actor(f"u-bee-{number}", f"Bee {number}")
        thread.post(f"Buzz, as the minutes of the {number}. meeting put it.", by=by, spoiler=number % 8 == 0)
    _correct(thread, ARTICLES[2].text, "pidgeons", "pigeons", SUE, outcome=None)
    thread.lock(by=NOOR, reason="The bees have asked for quiet.")


def _rail(thread: StoredThread) -> None:
    first = thread.post("استعرت منه كتابا عن البحر وأنا لم أر البحر قط.", by=LAYLA)
    thread.reply(first, "@ليلى، وهل أعدته؟", by=SAMI)
    thread.post("I took the train by mistake and finished a novel.", by=JO)


def _correct(
    thread: StoredThread, text: str, wrong: str, right: str, by: Actor, *, note: str = "", outcome: str | None = None
) -> None:
    start = text.index(wrong)
    quote = quote_of(text, start, start + len(wrong))
    suggested = thread.suggest_correction(quote, right, by=by, note=note, article_version="1")
    if outcome == "accepted":
        thread.decide_correction(suggested, "accepted", by=WIM)


def large(target: str | os.PathLike[str], now: int, comments: int = 100_000) -> int:
    """Write the long thread, and return how many events were new; writing it again adds nothing."""
    with threadstore.open(target, policy=_POLICY, durability="normal") as store:
        return store.merge(_many(now - now % 86_400_000 - 86_400_000, comments))


def _many(start: int, comments: int) -> Iterator[Event]:
    chance, posted = Random(9), list[str]()
    yield ThreadDescribed(
        id=id_for(start, "title"), thread=LARGE.key, actor=WIM, title=LARGE.title, url=LARGE.url, article_version="1"
    )
    for number in range(comments):
        by = Actor(f"u-queue-{number % 5_000}", f"Number {number % 5_000}")
        at = start + number * 500
        parent = posted[-chance.randint(1, min(len(posted), 400))] if posted and chance.random() < 0.35 else None
        id = id_for(at, f"comment {number}", after=parent)
        posted.append(id)
        body = f"I am number {number + 1:,} in the queue. " + "It moves. " * chance.randint(0, 12)
        yield CommentPosted(id=id, thread=LARGE.key, actor=by, parent=parent, body=body.strip(), spoiler=chance.random() < 0.01)
        if chance.random() < 0.2:
            support = id_for(at + 200, f"support {number}", after=id)
            yield ReactionGiven(id=support, thread=LARGE.key, actor=Actor(f"u-fan-{number % 900}"), comment=id, kind="support")
