"""
The page that threadstore is made for, in a terminal: an article, and what its readers make of it.

    python examples/article.py            keeps the comments in a file that is removed in the end
    python examples/article.py page.db    keeps the file

Read it from `main` at the bottom; each step is one short function.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from textwrap import fill, indent

import threadstore
from threadstore import SPOILER_NOTICE, SUPPORT, Actor, CommentView, Policy, StoredThread, ThreadStore, fold, quote_of

TITLE = "Lights over the weir"
VERSION = "1"
ARTICLE = (
    "For six nights in Febuary the people of Harrow Weir saw lights above the water. Two pilots reported them, a "
    "flying club denied them, and the council bought a searchlight. On the seventh night somebody thought of asking "
    "the farmer upstream, who keeps bees, a barn owl, and a kite with a bicycle lamp."
)

# Who is who is the application's business: it signs people in and vouches for ids and roles. Names may hold anything.
ANN = Actor("u-1", "Ann Lee")
LIFE = Actor("u-2", "Thought.Life")
LEE = Actor("u-3", "Lee, Highest Level")
SUE = Actor("u-4", 'Susan "Sue" Park-Holm')
JO = Actor("u-5", "Jo Park")
LEEDS = Actor("u-6", "Ann Leeds")
DOC = Actor("u-7", "Dr. M. Achterberg, retd.")
GRUMP = Actor("u-8", "Grump")
READER = Actor("u-9", "Yourself")
MODERATOR = Actor("staff-1", "Noor", "moderator")
EDITOR = Actor("staff-2", "Wim", "editor")

# Two identified readers who report a comment get it held until a moderator has looked.
POLICY = Policy(report_threshold=2)

# A clock on which every look takes a second, so that every run of this program tells the same story.
CLOCK = count(1_677_650_400_000, 1_000).__next__


def say(text: str = "", *, under: str = "") -> None:
    print(indent(fill(text, 90 - len(under)), under))


def step(title: str) -> None:
    print(f"\n--- {title} {'-' * (85 - len(title))}\n")


# --- what happens -------------------------------------------------------------------------------------------------------------


def converse(article: StoredThread) -> dict[str, str]:
    """Nine comments, and three replies. All may spoil the ending, so all are marked; return the ids that are needed later."""
    article.describe(by=EDITOR, title=TITLE, article_version=VERSION)
    ann = article.post("I was there. The light swung like a lamp on a string.", by=ANN, spoiler=True)
    life = article.post("Nobody asks the farmer until the last paragraph.", by=LIFE, spoiler=True)
    lee = article.post("A barn owl in a searchlight looks like two pilots.", by=LEE, spoiler=True)
    article.post("My bees would never.", by=SUE, spoiler=True)
    article.post("The council has bought worse things.", by=None, spoiler=True)
    article.post("The kite was mine. I am sorry about the searchlight.", by=JO, spoiler=True)
    article.post("Denied by the club, confirmed by the kite.", by=LEEDS, spoiler=True)
    article.post("Bicycle lamps are visible for four kilometres.", by=DOC, spoiler=True)
    article.post("So it was the farmer.", by=None, spoiler=True)
    # A reply says whom it addresses by name; "@Ann Leeds" would not be Ann Lee, and a mention may be all there is.
    article.reply(ann, "@Ann Lee, it was a string.", by=JO, spoiler=True)
    address = article.reply(life, "@Thought.Life", by=SUE, spoiler=True)
    article.reply(lee, '@Lee, Highest Level and @Susan "Sue" Park-Holm: owls eat no bees.', by=DOC, spoiler=True)
    return {"ann": ann, "address": address}


def support(article: StoredThread, comment: str) -> None:
    """Reactions belong to people: giving one twice counts once, and whoever gave it can take it back."""
    for reader in (JO, LEE, LEE, SUE):
        article.react(comment, SUPPORT, by=reader)
    say(f"Jo, Lee (twice) and Sue support Ann's comment: {article.comment(comment).reactions[SUPPORT]}.")
    article.unreact(comment, SUPPORT, by=JO)
    say(f"Jo takes it back: {article.comment(comment).reactions[SUPPORT]}.")


def mention(article: StoredThread, comment: str) -> None:
    """A view says where in a body somebody is addressed, and whom it means; names are matched against those in the thread."""
    reply = article.comment(comment, reveal={comment})
    [found] = reply.mentions
    assert (found.start, found.end, found.actor) == (0, len(reply.body or ""), LIFE.id)
    say(f"{name(reply.author)} answers with nothing but {reply.body}, which addresses {LIFE.name}.")


def moderate(article: StoredThread) -> None:
    """A heated comment is reported, held by the policy, looked at, and removed; the counts follow."""
    heated = article.post("You are all fools, and the farmer is the biggest!", by=GRUMP, spoiler=True)
    say(f"Grump posts. {heading(article)}")
    article.report(heated, by=SUE, reason="rude")
    article.report(heated, by=LEE, reason="rude, and wrong about the farmer")
    say(f"Two readers report it, which holds it. {heading(article)}")
    # The queue is for moderators: nothing is concealed there, and each report says why.
    [item] = article.queue().items
    say(f"In the queue, {' and '.join(item.waiting)}: {item.comment and item.comment.body}", under="  ")
    for report in item.reports:
        say(f"{name(report.actor)} says: {report.reason}", under="    ")
    article.remove(item.id, by=MODERATOR, reason="rude")
    say(f"Noor removes it; {len(article.queue().items)} left in the queue. {heading(article)}")


def correct(article: StoredThread, text: str) -> str:
    """A reader highlights a passage and suggests another wording; an editor accepts; return the text with it applied."""
    start = text.index("Febuary")
    quote = quote_of(text, start, start + len("Febuary"))  # what it says, and what stands around it
    suggested = article.suggest_correction(quote, "February", by=DOC, note="A letter is missing.", article_version=VERSION)
    article.decide_correction(suggested, "accepted", by=EDITOR)
    # Given the text as it stands, each correction says where its passage is now, or that it can not be told for sure.
    [correction] = article.corrections(text=text, article_version=VERSION)
    assert correction.span is not None
    start, end = correction.span
    say(f'"{text[start:end]}" becomes "{correction.suggestion}",')
    say(f"suggested by {name(correction.author)}, {correction.state} by {name(correction.decided_by)}.")
    return f"{text[:start]}{correction.suggestion}{text[end:]}"


def replay(store: ThreadStore, article: StoredThread) -> None:
    """The thread is a function of the set of its events: order and repetition do not matter."""
    events = list(store.export())
    shuffled = events + events[::3]
    Random(7).shuffle(shuffled)
    again = fold(shuffled)
    say(f"{len(events)} events, shuffled, a third of them twice:")
    say("the same digest." if again.digest() == article.digest() else "ANOTHER DIGEST!")
    same = again.view(reveal="all", policy=POLICY).comments == article.view(reveal="all").comments
    say("the same page." if same else "ANOTHER PAGE!")


# --- what a reader sees -------------------------------------------------------------------------------------------------------


def name(actor: Actor | None) -> str:
    return "Anonymous" if actor is None else actor.name


def heading(article: StoredThread) -> str:
    return f"Comments ({article.counts().top_level})"


def lines(comment: CommentView) -> Iterator[tuple[str, str]]:
    """Yield what a page shows of a comment and of its replies, each line with its indent."""
    under = "    " * comment.depth
    votes = f"  [I support: {comment.reactions[SUPPORT]}]" if SUPPORT in comment.reactions else ""
    yield under, name(comment.author) + votes
    # What is concealed is not in the view at all: body is None, so no template can leak it.
    yield under + "  ", SPOILER_NOTICE if comment.concealed == "spoiler" else comment.body or ""
    for reply in comment.replies:
        yield from lines(reply)


def show(article: StoredThread, text: str, *, reveal: set[str]) -> None:
    page = article.view(reader=READER, reveal=reveal)
    say(page.title.upper())
    say(text)
    say()
    say(heading(article))
    say(f"{page.counts.total} in all, {page.counts.replies} of them replies")
    say()
    for comment in page.comments:
        for under, line in lines(comment):
            say(line, under=under)


def main(path: Path) -> None:
    with threadstore.open(path, policy=POLICY, now=CLOCK) as store:
        article = store.thread("2023/03/01/lights-over-the-weir")
        ids = converse(article)
        step("The page, as everybody sees it")
        show(article, ARTICLE, reveal=set())
        step("I support")
        support(article, ids["ann"])
        step("A reply that is a mention")
        mention(article, ids["address"])
        step("Moderation")
        moderate(article)
        step("A correction")
        corrected = correct(article, ARTICLE)
        step("The page again, after a click on the first comment")
        show(article, corrected, reveal={ids["ann"]})
        step("From the log, in another order")
        replay(store, article)


if __name__ == "__main__":
    if len(sys.argv) > 1 and Path(sys.argv[1]).exists():
        sys.exit(f"{sys.argv[1]} exists already; name a new file")
    with tempfile.TemporaryDirectory() as folder:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else f"{folder}/page.db"))
