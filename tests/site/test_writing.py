"""Writing, over HTTP and without a script: comments, replies, support, edits, reports, corrections, and what is refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest

WEIR, CLOCK, BEES = "/a/lights-over-the-weir", "/a/the-clock-that-ran-ahead", "/a/bees-on-the-council-roof"


def thread_of(site: Any, url: str = WEIR) -> Any:
    return site.store.thread(site.by_slug[url.removeprefix("/a/")].key)


def comment_of(site: Any, words: str, url: str = WEIR) -> Any:
    found = thread_of(site, url).flat(limit=100, reveal="all").comments
    return next(comment for comment in found if words in (comment.body or ""))


# --- comments and replies -----------------------------------------------------------------------------------------------------


def test_a_comment_is_posted(visitor: Any, visit: Any):
    """A comment sent by the form is there for its author and for everybody, under the name that was given."""
    id = visitor.say("The heron saw all of it.", name="Mara  Quist ")
    assert "Mara Quist" in visitor.get(f"{WEIR}/c/{id}").text
    page = visit().get(WEIR)
    assert "The heron saw all of it." in page.text
    assert "Comments (10)" in page.text
    assert visitor.get(WEIR).fields(f"{WEIR}/comments")["name"] == "Mara Quist", "the name is remembered"


def test_a_comment_without_a_name(visitor: Any):
    """The name may stay empty, and the comment can be edited all the same."""
    id = visitor.say("Nobody in particular.")
    page = visitor.get(f"{WEIR}/c/{id}")
    assert "Anonymous" in page.text
    assert page.offers(f"{WEIR}/c/{id}/edit")


def test_a_comment_with_spoilers(visitor: Any, visit: Any):
    """The box that is ticked covers the comment for everybody, its author too."""
    id = visitor.say("The butler had the kite.", spoiler="1")
    for reader in (visitor, visit()):
        assert "The butler" not in reader.get(f"{WEIR}/c/{id}").source


def test_a_reply_starts_with_a_name(visitor: Any, site: Any):
    """The form of a reply begins with whom it addresses, and names that hold anything are matched."""
    to = comment_of(site, "My bees would never")
    on = f"{WEIR}/c/{to.id}/reply"
    assert visitor.get(on).fields(on)["body"] == '@Susan "Sue" Park-Holm, '
    id = visitor.say('@Susan "Sue" Park-Holm, are you sure?', to=to.id, name="Mara")
    reply = thread_of(site).comment(id)
    assert (reply.parent, [mention.actor for mention in reply.mentions]) == (to.id, ["u-sue"])
    anonymous = comment_of(site, "The council has bought")
    on = f"{WEIR}/c/{anonymous.id}/reply"
    assert visitor.get(on).fields(on)["body"] == "", "there is no name to address"


def test_line_breaks_stay(visitor: Any, site: Any):
    """A browser sends two characters for a line break; one is kept."""
    id = visitor.say("One\r\nTwo\r\n\r\nThree\r\n")
    assert thread_of(site).comment(id).body == "One\nTwo\n\nThree"


@pytest.mark.parametrize(
    ("typed", "status", "sentence"),
    [
        ({"body": "   \n"}, 422, "Your comment is empty. Please write something."),
        ({"body": "x" * 4_001}, 422, "Your comment has 4,001 characters where 4,000 are allowed."),
        ({"body": "x" * 60_000}, 422, "Your comment has 60,000 characters where 4,000 are allowed."),
        ({"body": "Fine.", "name": "N" * 61}, 422, "The name has 61 characters where 60 are allowed."),
        ({"body": "Fine.", "name": "N" * 700}, 422, "The name has 700 characters where 60 are allowed."),
        ({"body": "NUL \0 byte"}, 422, "characters that can not be shown"),
    ],
)
def test_bad_input_comes_back(typed: dict[str, str], status: int, sentence: str, visitor: Any, site: Any):
    """What is refused comes back in its form with a sentence and all that was typed; nothing is stored."""
    before = thread_of(site).revision
    answer = visitor.send(WEIR, f"{WEIR}/comments", **{"name": "Mara", "spoiler": "1", **typed})
    page = type(visitor.get("/"))(answer.text)
    fields = page.fields(f"{WEIR}/comments")
    assert answer.status_code == status
    assert sentence in page.text
    assert fields["spoiler"] == "1"
    if "\0" not in typed["body"]:
        assert fields["body"] == typed["body"]
    assert thread_of(site).revision == before


def test_a_refused_reply_comes_back(visitor: Any, site: Any):
    """The form of a reply keeps what was typed, below the comment that it answers."""
    to = comment_of(site, "My bees would never")
    on = f"{WEIR}/c/{to.id}/reply"
    answer = visitor.send(on, on, body="y" * 4_001, name="Mara")
    page = type(visitor.get("/"))(answer.text)
    assert answer.status_code == 422
    assert page.fields(on)["body"] == "y" * 4_001
    assert "My bees would never" in page.text


def test_the_flood_limit(visitor: Any):
    """Whoever writes too fast is told for how long to wait, and keeps the text."""
    for number in range(5):
        visitor.say(f"Comment number {number}.")
    answer = visitor.send(WEIR, f"{WEIR}/comments", body="And one more.")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert "You are writing very fast. Please try again in" in answer.text
    assert "And one more.</textarea>" in answer.text


def test_the_same_again(visitor: Any):
    """The same words in another form are refused: they have just been said."""
    visitor.say("I saw a heron.")
    answer = visitor.send(WEIR, f"{WEIR}/comments", body="I saw a heron.")
    assert answer.status_code == 409
    assert "It has not been posted again" in answer.text


def test_a_link_waits_for_a_moderator(visitor: Any, visit: Any):
    """A comment that the screen holds is shown to its author, who is told, and to nobody else."""
    id = visitor.say("See https://herons.example for more.")
    assert "Waits for a moderator. Nobody else sees it yet." in visitor.get(WEIR).text
    for url in (WEIR, f"{WEIR}/c/{id}", f"{WEIR}/feed.atom", f"{WEIR}/thread.json", "/", "/feed.atom"):
        assert "herons.example" not in visit().get(url).source


def test_a_link_that_is_added_later(visitor: Any, visit: Any):
    """An edit is screened like a comment."""
    id = visitor.say("See my page.")
    on = f"{WEIR}/c/{id}/edit"
    assert visitor.send(on, on, body="See https://herons.example.").status_code == 303
    assert "herons.example" not in visit().get(WEIR).source
    assert "Waits for a moderator." in visitor.get(WEIR).text


# --- once ---------------------------------------------------------------------------------------------------------------------


def test_a_form_sent_twice_posts_once(visitor: Any, site: Any):
    """The same form leads to the same comment, however often it is sent."""
    fields = {**visitor.get(WEIR).fields(f"{WEIR}/comments"), "body": "Only once."}
    answers = [visitor.post(f"{WEIR}/comments", fields) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert thread_of(site).counts().top_level == 10


def test_a_form_sent_twice_at_the_same_moment(visitor: Any, site: Any):
    """Two requests that race lead to one comment."""
    fields = {**visitor.get(WEIR).fields(f"{WEIR}/comments"), "body": "Only once."}
    together = threading.Barrier(6)
    found: list[str] = []

    def send() -> None:
        together.wait()
        found.append(visitor.post(f"{WEIR}/comments", fields).headers.get("location", "refused"))

    senders = [threading.Thread(target=send) for _ in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(set(found)) == 1
    assert thread_of(site).counts().top_level == 10


def test_a_form_that_was_open_for_an_hour(visitor: Any, site: Any, clock: Any):
    """A form may be open for long: it posts, and posts once, and its retry an hour later is still the same comment."""
    fields = {**visitor.get(WEIR).fields(f"{WEIR}/comments"), "body": "Slowly written."}
    clock.forward(minutes=60)
    first = visitor.post(f"{WEIR}/comments", fields).headers["location"]
    clock.forward(minutes=60)
    assert visitor.post(f"{WEIR}/comments", fields).headers["location"] == first
    assert thread_of(site).counts().top_level == 10


def test_a_refused_form_is_mended_an_hour_later(visitor: Any, site: Any, clock: Any):
    """A form that was refused claims no id that has grown stale when it is sent again."""
    fields = visitor.get(WEIR).fields(f"{WEIR}/comments")
    assert visitor.post(f"{WEIR}/comments", {**fields, "body": ""}).status_code == 422
    clock.forward(minutes=60)
    assert visitor.post(f"{WEIR}/comments", {**fields, "body": "Mended."}).status_code == 303
    assert thread_of(site).counts().top_level == 10


def test_a_form_sent_again_with_other_words(visitor: Any, site: Any):
    """Going back, changing the text and sending the same form is told from a repeat; nothing is overwritten."""
    fields = visitor.get(WEIR).fields(f"{WEIR}/comments")
    assert visitor.post(f"{WEIR}/comments", {**fields, "body": "First."}).status_code == 303
    answer = visitor.post(f"{WEIR}/comments", {**fields, "body": "Second."})
    assert answer.status_code == 409
    assert "Second.</textarea>" in answer.text
    again = type(visitor.get("/"))(answer.text).fields(f"{WEIR}/comments")
    assert visitor.post(f"{WEIR}/comments", again).status_code == 303, "sent again, it is meant"
    assert thread_of(site).counts().top_level == 11


def test_nobody_claims_the_form_of_another(visitor: Any, visit: Any, site: Any):
    """The token of a form belongs to who has it: with another's, one posts one's own."""
    token = visitor.get(WEIR).fields(f"{WEIR}/comments")["once"]
    one = visitor.send(WEIR, f"{WEIR}/comments", once=token, body="Mine.").headers["location"]
    two = visit().send(WEIR, f"{WEIR}/comments", once=token, body="Mine.").headers["location"]
    assert one != two
    assert visitor.send(WEIR, f"{WEIR}/comments", once="no token", body="Also mine.").status_code == 303


def test_what_was_sent_is_known_after_a_restart(tmp_path: Any):
    """Which id a form has is kept in a file."""
    from news_site.once import Once, new_token

    token, given = new_token(), []
    for _ in range(2):
        once = Once(str(tmp_path / "forms"), lambda: 1_700_000_000_000)
        once("u-1", token, lambda id: given.append(id) or id)
        once.close()
    assert given[0] == given[1]


# --- support ------------------------------------------------------------------------------------------------------------------


def test_support_is_given_and_taken_back(visitor: Any, visit: Any, site: Any):
    """The button counts, shows one's own state, and takes it back; sent twice it does nothing more."""
    id = comment_of(site, "My bees would never").id
    button = f"{WEIR}/c/{id}/support"
    given = visitor.get(WEIR).fields(button)
    assert given["to"] == "give"
    for _ in range(2):
        assert visitor.post(button, given).status_code == 303
    assert thread_of(site).comment(id).reactions == {"support": 1}
    page = visitor.get(WEIR)
    assert page.fields(button)["to"] == "take"
    assert f'id="support-{id}" class="support" aria-pressed="true">I support <span class="count">1</span>' in page.source
    assert (
        f'id="support-{id}" class="support" aria-pressed="false">I support <span class="count">1</span>'
        in visit().get(WEIR).source
    )
    visitor.send(WEIR, button)
    assert thread_of(site).comment(id).reactions == {}


# --- one's own ----------------------------------------------------------------------------------------------------------------


def test_editing_within_the_window(visitor: Any, site: Any, clock: Any):
    """The author edits in the first quarter of an hour; then the link is gone, and the form is refused with a sentence."""
    id = visitor.say("Teh heron.")
    on = f"{WEIR}/c/{id}/edit"
    assert visitor.send(on, on, body="The heron.").status_code == 303
    page = visitor.get(WEIR)
    assert "The heron." in page.text
    assert "changed" in page.text
    fields = visitor.get(on).fields(on)
    clock.forward(minutes=16)
    assert not visitor.get(WEIR).offers(on)
    answer = visitor.post(on, {**fields, "body": "Too late."})
    assert answer.status_code == 409
    assert "The time for changing this comment has passed" in answer.text
    assert "Too late.</textarea>" in answer.text
    assert "has passed" in visitor.get(on, status=409).text


def test_editing_sets_and_clears_the_cover(visitor: Any, site: Any):
    """The author may find later that a comment contains spoilers, or that it does not; the form shows its words."""
    id = visitor.say("The butler.")
    on = f"{WEIR}/c/{id}/edit"
    assert visitor.send(on, on, spoiler="1").status_code == 303
    assert "The butler." not in visitor.get(WEIR).source
    assert visitor.get(on).fields(on)["body"] == "The butler."
    assert visitor.send(on, on, spoiler=None).status_code == 303
    assert "The butler." in visitor.get(WEIR).text


@pytest.mark.parametrize("act", ["edit", "delete"])
def test_others_do_not(act: str, visitor: Any, visit: Any, site: Any):
    """What belongs to its author is offered to nobody else, and refused to whoever asks."""
    id = visitor.say("Mine alone.")
    other = visit()
    page = other.get(f"{WEIR}/c/{id}")
    on = f"{WEIR}/c/{id}/{act}"
    assert not page.offers(on)
    assert "Only its author may do this." in other.get(on, status=403).text
    fields = other.get(WEIR).fields(f"{WEIR}/comments")
    assert other.post(on, {**fields, "body": "Not mine."}).status_code == 403
    assert thread_of(site).comment(id).body == "Mine alone."


def test_deleting(visitor: Any, visit: Any, site: Any):
    """A deleted comment is gone, with a replied one a tombstone stays; it can not be answered or deleted by others."""
    id = visitor.say("A slip of the tongue.")
    visit().say("Too late to unsay it.", to=id, name="Jo")
    on = f"{WEIR}/c/{id}/delete"
    assert "It can not be brought back." in visitor.get(on).text
    assert visitor.send(on, on).status_code == 303
    page = visitor.get(WEIR)
    assert "A slip" not in page.source
    assert "This comment was deleted by its author." in page.text
    assert "Too late to unsay it." in page.text
    assert "This comment is deleted by its author." in visit().get(f"{WEIR}/c/{id}/reply", status=410).text


def test_reporting(visitor: Any, site: Any, moderator: Any):
    """A report goes to the moderators, with its reason."""
    id = comment_of(site, "My bees would never").id
    on = f"{WEIR}/c/{id}/report"
    assert visitor.send(on, on, reason="Bees are off topic.").status_code == 303
    assert "Bees are off topic." in moderator.get("/moderation").text


def test_three_reports_hold_a_comment(visit: Any, site: Any):
    """The policy holds a comment that three readers have reported, until a moderator has looked."""
    id = comment_of(site, "My bees would never").id
    on = f"{WEIR}/c/{id}/report"
    for _ in range(3):
        visit().send(on, on, reason="")
    assert "My bees would never" not in visit().get(WEIR).source


def test_a_closed_conversation(visitor: Any, site: Any):
    """Where the conversation is closed there is no form, and a form that was open before is refused and keeps the text."""
    page = visitor.get(BEES)
    assert "This conversation has been closed." in page.text
    assert not page.offers(f"{BEES}/comments")
    fields = visitor.get(WEIR).fields(f"{WEIR}/comments")
    answer = visitor.post(f"{BEES}/comments", {**fields, "body": "Buzz."})
    assert answer.status_code == 409
    assert "has been closed" in answer.text


# --- corrections --------------------------------------------------------------------------------------------------------------


def test_a_correction_by_passage(visitor: Any, visit: Any, site: Any):
    """The passage that was marked is shown in the form; the suggestion is seen by who made it, and by editors."""
    start = site.by_slug["lights-over-the-weir"].text.index("searchlight")
    on = f"{WEIR}/correct?start={start}&end={start + 11}&version=1"
    page = visitor.get(on)
    assert '<blockquote class="passage" lang="en" dir="auto">searchlight</blockquote>' in page.source
    answer = visitor.send(on, f"{WEIR}/correct", suggestion="search light", note="Two words.", name="Mara")
    assert answer.status_code == 303
    page = visitor.get(WEIR)
    assert "<mark>searchlight</mark>" in page.source
    assert "search light" not in visit().get(WEIR).source
    assert "Two words." in visit().sign_in("wim").get(WEIR).text


def test_a_correction_by_words(visitor: Any, site: Any):
    """Without a script one writes the passage out; it must be in the article, and unmistakable."""
    on = f"{WEIR}/correct"
    for passage, sentence in {
        "not in there": "is not in the article",
        "searchlight": "more than once",
        " ": "which passage",
    }.items():
        answer = visitor.send(on, on, passage=passage, suggestion="A lamp", note="Kept.")
        assert answer.status_code == 422
        assert sentence in answer.text
        assert "A lamp</textarea>" in answer.text
        assert 'value="Kept."' in answer.text
    assert visitor.send(on, on, passage="a barn  owl", suggestion="an owl").status_code == 303
    [correction] = [one for one in thread_of(site).corrections() if one.suggestion == "an owl"]
    assert correction.quote.exact == "a barn owl"


def test_a_correction_sent_twice(visitor: Any, site: Any):
    """A suggestion is made once."""
    fields = {**visitor.get(f"{WEIR}/correct").fields(f"{WEIR}/correct"), "passage": "a barn owl", "suggestion": "an owl"}
    for _ in range(2):
        assert visitor.post(f"{WEIR}/correct", fields).status_code == 303
    assert len(thread_of(site).corrections()) == 3


@pytest.mark.parametrize("query", ["start=5&end=5", "start=9&end=2", "start=0&end=999999", "start=x&end=y", "start=-1&end=4"])
def test_no_such_passage(query: str, visitor: Any):
    """A passage that can not be is refused with a sentence."""
    assert "There is no such passage" in visitor.get(f"{WEIR}/correct?{query}", status=422).text


def test_an_older_version(visitor: Any):
    """Whoever marked a passage of an earlier text is told so."""
    assert "has changed since" in visitor.get(f"{WEIR}/correct?start=1&end=4&version=0", status=409).text


def test_too_long_a_passage(visitor: Any, site: Any):
    """A correction is about a passage, not about the article."""
    answer = visitor.send(f"{WEIR}/correct?start=0&end=700", f"{WEIR}/correct", suggestion="Nothing.")
    assert answer.status_code == 422
    assert "too long" in answer.text
