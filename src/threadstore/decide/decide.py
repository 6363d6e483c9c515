"""
Deciding: a command and a thread become events, or a rejection that says why not.

`decide` is a pure function of the command, the thread, the policy and the moment. It reads no clock and draws no random
number: an id that the command does not bring is derived from what it says, the moment and the thread.

The order of questions is the same for every command:

1. Was this very request made before? Then nothing happens, whatever has changed since.
2. Does what it is about exist, and may this actor do it?
3. Does the policy allow it: locks, windows, bounds, the application's own hooks?
4. Would it change anything? If not, nothing is written.
5. Does the new event's id follow all that it refers to or replaces? An event that could have no effect is never written.

Laws: an accepted event has effect; the same request twice changes nothing; what is refused leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from threadstore.decide.known import Known
from threadstore.decide.questions import Draft, Drafts, ask_hooks, check_skew
from threadstore.decide.rules import Ruling
from threadstore.errors import ConflictingEvent, StaleId
from threadstore.model import commands as c
from threadstore.model import events as e
from threadstore.model.codec import encode
from threadstore.model.erasure import is_redacted, text_fields
from threadstore.model.ids import NIL, check_id, id_for, make_id, time_of
from threadstore.model.policy import Policy, Verdict

__all__ = ["Decision", "Mint", "decide", "is_same_request", "resolve"]

#: Makes an id above the one it is given.
Mint = Callable[[str], str]


class Decision(NamedTuple):
    """
    What a command comes to.

    Args:
        id: The id of the event that the command is named after; of the fact that stands, if nothing was to be done.
        events: What is to be appended, the named event first; empty if nothing was to be done.
    """

    id: str
    events: tuple[e.Event, ...] = ()


def decide(command: c.Command, thread: Known, *, policy: Policy | None = None, now: int) -> tuple[e.Event, ...]:
    """
    Return the events that *command* comes to; none if it would change nothing.

    Args:
        command: Who wants what.
        thread: The conversation, all that is known of it; it is not changed.
        policy: What the application allows; by default what `Policy()` does.
        now: The moment, in Unix milliseconds.

    Raises:
        Rejected: The rules or the policy forbid it; the subclass and its `code` say why.
        ConflictingEvent: The thread holds another fact under the id that the command brings.
        ClockSkew: That id, or one that the command refers to, lies too far in the future.
        TypeError, ValueError: A field is of the wrong type, or cannot be part of any event; the command is for another thread.

    Complexity: O(facts about the comment + log n); O(n) to erase a person.
    """
    allowed = policy or Policy()
    return resolve(command, thread, policy=allowed, now=now, screened=lambda: ask_hooks(command, allowed, thread)).events


def resolve(
    command: c.Command,
    thread: Known,
    *,
    policy: Policy,
    now: int,
    screened: Callable[[], Verdict],
    mint: Mint | None = None,
) -> Decision:
    """
    Return what *command* comes to, with the id to answer the caller with; errors as for `decide`.

    Args:
        command: As for `decide`, like the next three.
        thread: The conversation.
        policy: What the application allows.
        now: The moment.
        screened: Tells what the application's hooks say; asked once the rules allow the command.
        mint: Where ids come from that the command does not bring; by default they are derived.
    """
    if thread.key and command.thread != thread.key:
        raise ValueError(f"the command is for thread {command.thread!r}, not for {thread.key!r}")
    if command.id is not None:
        known = thread.fact(check_id(command.id))
        if known is not None:
            return _repeated(command, known)
    ruling = Ruling(command, thread, policy, now)
    outcome = ruling.outcome()
    if isinstance(outcome, str):
        return Decision(outcome)
    ruling.heed(screened(), outcome)
    events = _give_ids(outcome, command, thread, policy, now, mint)
    return Decision(events[0].id, events)


# --- repeated requests --------------------------------------------------------------------------------------------------------

#: The event that each command is named after, and is answered with.
_NAMED_AFTER: Final[Mapping[type[c.Command], type[e.Event]]] = {
    c.Post: e.CommentPosted,
    c.Edit: e.CommentEdited,
    c.Delete: e.CommentDeleted,
    c.React: e.ReactionGiven,
    c.Unreact: e.ReactionWithdrawn,
    c.MarkSpoiler: e.SpoilerMarked,
    c.ClearSpoiler: e.SpoilerCleared,
    c.Report: e.CommentReported,
    c.ResolveReports: e.ReportsResolved,
    c.Hold: e.CommentHeld,
    c.Approve: e.CommentApproved,
    c.Remove: e.CommentRemoved,
    c.Restore: e.CommentRestored,
    c.Pin: e.CommentPinned,
    c.Unpin: e.CommentUnpinned,
    c.Lock: e.ThreadLocked,
    c.Unlock: e.ThreadUnlocked,
    c.Describe: e.ThreadDescribed,
    c.SuggestCorrection: e.CorrectionSuggested,
    c.DecideCorrection: e.CorrectionDecided,
    c.Erase: e.CommentErased,
    c.ErasePerson: e.PersonErased,
}


def _same(asked: Any, made: Any) -> bool:
    """Return whether two values are equal, where nothing (an empty text or mapping, say) equals None."""
    return (asked or None) == (made or None)


def _none_or_same(asked: Any, made: Any) -> bool:
    return not asked or asked == made


def _none_or_within(asked: Collection[str] | None, made: Collection[str]) -> bool:
    return asked is None or set(made) <= set(asked)


#: Fields that deciding fills in where the command leaves them open, with whether what was made answers what was asked.
_FILLED_IN: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "held": _none_or_same,
    "seen": _none_or_same,
    "cancels": _none_or_within,
}


def is_same_request(command: c.Command, event: e.Event) -> bool:
    """
    Return whether *event* is what *command* asked for when it was made first.

    A name may have changed since, and the texts may have been erased; what the actor did may not.

    Complexity: O(size of the command).
    """
    if type(event) is not _NAMED_AFTER[type(command)]:
        return False
    if event.writer != (None if command.by is None else (command.by.id, command.by.role)):
        return False
    forgotten = text_fields(type(event)) if is_redacted(event) else frozenset()
    asked = {name: getattr(command, name) for name in command.__struct_fields__ if name not in ("id", "by")}
    return all(_FILLED_IN.get(name, _same)(value, getattr(event, name)) for name, value in asked.items() if name not in forgotten)


def _repeated(command: c.Command, known: e.Event) -> Decision:
    if not is_same_request(command, known):
        raise ConflictingEvent(known.id)
    return Decision(known.id)


# --- ids ----------------------------------------------------------------------------------------------------------------------


def _give_ids(
    drafts: Drafts, command: c.Command, thread: Known, policy: Policy, now: int, mint: Mint | None
) -> tuple[e.Event, ...]:
    """Return the drafts as events: the first with the command's id or a new one, the others with ids that derive from it."""
    first = drafts[0]
    floor = _floor(first)
    if command.id is not None:
        _check_given(command.id, floor, policy, now)
        id = command.id
    elif mint is not None:
        id = mint(max(floor, thread.latest))
    else:
        id = id_for(now, encode(_make(first, _ANY_ID, command.thread)), after=max(floor, thread.latest))
    made = [_make(first, id, command.thread)]
    for number, draft in enumerate(drafts[1:], 1):
        after = max(made[-1].id, _floor(draft))
        made.append(_make(draft, id_for(time_of(id), f"{id} {number}", after=after), command.thread))
    return tuple(made)


_ANY_ID: Final = make_id(0, 0, 0)


def _make(draft: Draft, id: str, thread: str) -> e.Event:
    return draft.kind(id=id, thread=thread, actor=draft.actor, **draft.fields)


def _floor(draft: Draft) -> str:
    """Return the largest id that the draft refers to or replaces."""
    fields = draft.fields
    below: list[str] = [NIL, *draft.replaced, *fields.get("cancels", ())]
    below += [fields[name] for name in ("parent", "comment", "correction", "seen") if fields.get(name)]
    return max(below)


def _check_given(id: str, floor: str, policy: Policy, now: int) -> None:
    if id <= floor:
        raise StaleId(id, floor)
    check_skew(id, policy, now)
    if time_of(id) < now - policy.max_clock_skew:
        raise StaleId(id, make_id(max(now - policy.max_clock_skew, 0), 0, 0))
