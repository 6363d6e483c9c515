"""
What bytes from a stranger may not do: one function for each way in.

A target takes any bytes. It fails if the library answers with an error outside its taxonomy, reads something that was not
written, or disagrees with a plain reading of the rules. It returns in a word what came of it, so that whoever drives it can see
that its bytes get anywhere. Some targets read the bytes as they come; others take them for a script of choices, so that few bytes
reach deep. ``make fuzz`` runs them under atheris (fuzz.py), the tests in tests/nothing_lost under Hypothesis and by the hundred
thousand.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args
from unicodedata import category

import msgspec

from threadstore.decide.decide import decide
from threadstore.errors import CommentNotFound, DataError, InvalidCursor, Rejected, StoreError
from threadstore.model import codec
from threadstore.model.commands import AnyCommand, Command
from threadstore.model.corrections import Article, anchor, quote_of
from threadstore.model.erasure import redact
from threadstore.model.events import CommentPosted, Event, UnknownEvent
from threadstore.model.ids import NIL, make_id
from threadstore.model.mentions import Names
from threadstore.model.policy import Policy
from threadstore.model.ranking import ORDERS, Order, Votes, key
from threadstore.model.values import Actor, TextQuote, actor_key
from threadstore.testing.given import (
    MODERATOR,
    THREAD,
    decided,
    id_of,
    moment,
    pinned,
    posted,
    reacted,
    removed,
    reported,
    suggested,
)
from threadstore.testing.histories import history
from threadstore.views import cursors
from threadstore.views.thread import Thread, fold

T = TypeVar("T")

DATA = Path(__file__).parents[1] / "data"
DEFAULT = Policy()
VOTES = Policy(
    kinds={"support", "up", "down"},
    exclusive=({"up", "down"},),
    report_threshold=2,
    edit_window=3_600_000,
    premoderation="newcomers",
    duplicate_window=60_000,
    flood_limit=3,
    closes_after=10_000_000,
)
NOBODY = Policy(moderators=(), editors=(), describers=(), anonymous=False, max_body=10, max_name=3, max_reason=5, max_quote=8)
POLICIES = (DEFAULT, VOTES, NOBODY)


class Choices:
    """Bytes as a script of choices; when they have run out, the first of everything is chosen."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self, below: int) -> int:
        """Return a number from 0 to below - 1, of one or two bytes."""
        size = 1 if below <= 256 else 2
        piece = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(piece, "big") % below

    def one_of(self, items: Sequence[T]) -> T:
        return items[self.number(len(items))]

    def some(self, items: Sequence[T], most: int) -> list[T]:
        return [self.one_of(items) for _ in range(self.number(most + 1))]

    def rest(self) -> bytes:
        at, self._at = self._at, len(self._data)
        return self._data[at:]

    def text(self) -> str:
        """Return the rest as a text, lone surrogates and all."""
        return self.rest().decode("utf-8", "surrogatepass" if self.number(2) else "replace")


# --- what there is to mutate --------------------------------------------------------------------------------------------------


def corpus(name: str = "schema-1.txt") -> list[bytes]:
    """Return the records of a released file."""
    lines = (DATA / "v1" / name).read_text(encoding="utf-8").splitlines()
    return [bytes.fromhex(line.split(" ", 1)[0]) for line in lines]


RECORDS = corpus() + corpus("schema-0.txt")

#: Values of MessagePack that stand where others are expected: every type, every edge, and lengths that lie.
PIECES: tuple[bytes, ...] = (
    b"\xc0", b"\xc1", b"\xc2", b"\xc3", b"\x00", b"\x7f", b"\xff", b"\xcc\x01", b"\xcf" + b"\xff" * 8, b"\xd3\x80" + bytes(7),
    b"\xca\x7f\xc0\x00\x00", b"\xcb\x7f\xf8" + bytes(6), b"\xa0", b"\xa1\x00", b"\xa1\xff", b"\xa3\xed\xa0\x80", b"\xd9\x01a",
    b"\xdb\xff\xff\xff\xff", b"\xc4\x00", b"\xc4\x10" + bytes(16), b"\xc4\x10" + b"\xff" * 16, b"\xc6\xff\xff\xff\xff",
    b"\x90", b"\x91\xc0", b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\x80", b"\x81\xa0\xa0", b"\x81\x90\xc0",
    b"\x82\xa1a\xa1b\xa1a\xa1c", b"\xdf\xff\xff\xff\xff", b"\xd4\x01\x00", b"\xd6\xff" + bytes(4), b"\xd7\xff" + b"\xff" * 8,
    b"\xc7\x0c\xff" + b"\xff" * 12, b"\xc9\xff\xff\xff\xff\x01", b"\x91" * 600 + b"\xc0", b"\x81\xa0" * 600 + b"\xc0",
    b"\x91" * 5_000,
)  # fmt: skip


def mutated(data: bytes, choices: Choices) -> bytes:
    """Return *data* with a few changes: pieces put in, cut out, exchanged, moved, bits turned over."""
    changed = bytearray(data)
    for _ in range(1 + choices.number(4)):
        at = choices.number(len(changed) + 1)
        to = min(at + choices.number(20), len(changed))
        match choices.number(7):
            case 0 if at < len(changed):
                changed[at] ^= 1 << choices.number(8)
            case 1 if at < len(changed):
                changed[at] = choices.number(256)
            case 2:
                del changed[at:to]
            case 3:
                changed[at:to] = choices.one_of(PIECES)
            case 4:
                changed[at:at] = choices.one_of(PIECES)
            case 5:
                changed[at:at] = changed[choices.number(len(changed) + 1) :][: choices.number(40)]
            case _:
                del changed[at:]
    return bytes(changed)


def with_other_values(data: bytes, choices: Choices) -> bytes:
    """Return a record in which some values are others, put in, or left out; its frame is as it should be."""
    try:
        values = [bytes(raw) for raw in msgspec.msgpack.decode(data, type=list[msgspec.Raw])]
    except (msgspec.MsgspecError, RecursionError):
        return data
    for _ in range(1 + choices.number(3)):
        at = choices.number(len(values) + 1)
        piece = choices.one_of(PIECES) if choices.number(2) else choices.one_of(values or [b"\xc0"])
        match choices.number(3):
            case 0:
                values[at : at + 1] = [piece]
            case 1:
                values[at:at] = [piece]
            case _:
                del values[at : at + 1]
    head = bytes([0x90 | len(values)]) if len(values) < 16 else b"\xdc" + len(values).to_bytes(2, "big")
    return head + b"".join(values)


# --- the codec, and what becomes of an event that it lets in ------------------------------------------------------------------


def read(thread: Thread, policy: Policy = DEFAULT) -> None:
    """Look at a thread from all sides."""
    for order in ORDERS:
        page = thread.view(order=order, limit=2, reader=MODERATOR, reveal="all", pinned=order == "top", policy=policy)
        if page.next is not None:
            thread.view(order=order, limit=2, after=page.next, reader=MODERATOR, pinned=order == "top", policy=policy)
    thread.flat(order="newest", reader="ann", policy=policy)
    queue = thread.queue(policy=policy)
    corrections = thread.corrections(text="the the end", article_version="", reader=MODERATOR, policy=policy)
    msgspec.json.encode((thread.view(policy=policy), queue, corrections))
    thread.digest()


def record(data: bytes) -> str:
    """Any bytes are an event that comes out again as the same bytes, or an error that says so."""
    try:
        event = codec.decode(data)
    except DataError as error:
        return said(error)
    again = codec.encode(event)
    schema = msgspec.msgpack.decode(data, type=list[msgspec.Raw])[1]
    if isinstance(event, UnknownEvent) or bytes(schema) == bytes([codec.SCHEMA]):
        assert again == data, (data.hex(), again.hex())
    assert codec.decode(again) == event, data.hex()
    bare = redact(event)
    assert codec.decode(codec.encode(bare)) == bare
    msgspec.json.encode(event)
    thread = fold([event])
    read(thread)
    return event.kind_tag if event.kind_tag in codec._BY_TAG else "unknown"


def said(error: Exception) -> str:
    """Return what kind of error it is, having made sure that it can say what is wrong."""
    assert str(error)
    return type(error).__name__


def codec_bytes(data: bytes) -> str:
    """The codec, on bytes as they come, and on records that were tampered with; also many of them in one thread."""
    choices = Choices(data)
    match choices.number(4):
        case 0:
            return record(choices.rest())
        case 1:
            return record(mutated(choices.one_of(RECORDS), choices))
        case 2:
            return record(with_other_values(choices.one_of(RECORDS), choices))
    return together(choices)


def together(choices: Choices) -> str:
    """Whatever the codec lets in can be folded, in any order, and the thread's index keeps up with it."""
    events: list[Event] = []
    while choices and len(events) < 8:
        try:
            events.append(codec.decode(with_other_values(choices.one_of(RECORDS), choices)))
        except DataError:
            continue
    first = Thread(THREAD)
    first.view()
    mine = [event for event in events if event.thread == THREAD]
    for event in mine:
        first.apply(event)
    first.index(DEFAULT.rules).check()
    read(first)
    assert fold(reversed(mine), key=THREAD).digest() == first.digest()
    return f"{len(mine)} together"


# --- cursors ------------------------------------------------------------------------------------------------------------------

FORUM: tuple[Event, ...] = (
    *(CommentPosted(id=id_of(n), thread=THREAD, actor=Actor(f"u{n % 4}", "Ann"), body="@Ann", held=n == 3) for n in range(1, 9)),
    *(CommentPosted(id=id_of(n), thread=THREAD, actor=None, parent=id_of(n % 5 + 1), body="re") for n in range(9, 20)),
    CommentPosted(id=id_of(30), thread=THREAD, parent=id_of(25), body="lost"),
)
PAGES = fold(FORUM)
NAMED = [id_of(n) for n in (1, 2, 9, 25, 30)] + [NIL, "", "x"]


def cursor(data: bytes) -> str:
    """A cursor from anywhere gives a page of the thread, or `InvalidCursor`."""
    choices = Choices(data)
    listing, shape, page = choices.one_of(LISTINGS)
    match choices.number(4):
        case 0:
            text = choices.rest().decode("latin-1")
        case 3:
            text = choices.one_of(ENDS)
        case 1:
            text = signed(choices.rest())
        case _:
            text = signed(_mark(listing, shape, choices))
    try:
        got = page(text)
    except (InvalidCursor, CommentNotFound) as error:
        return said(error)
    assert got.left >= 0
    assert (got.next is None) == (got.left == 0)
    return listing.partition(" ")[0]


def signed(payload: bytes) -> str:
    """Return a cursor of any payload with the right checksum, which is no secret."""
    return urlsafe_b64encode(cursors._checksum(THREAD, payload) + payload).rstrip(b"=").decode()


Page = Callable[[str], Any]


def _shape(order: Order) -> list[type]:
    """Return the types of the parts of a key."""
    return [type(part) for part in key(order, Votes(NIL, 0, 0, NIL), now=0)]


def _listings() -> Iterator[tuple[str, list[type], Page]]:
    """Yield every listing of the thread, with the types of its key and how to ask for a page of it."""
    yield "queue", [str, str], lambda text: PAGES.queue(after=text)
    for order in ORDERS:
        yield f"view {order}", _shape(order), lambda text, order=order: PAGES.view(order=order, limit=3, after=text)
        yield f"view {order} pinned", [int, *_shape(order)], lambda text, by=order: PAGES.view(order=by, after=text, pinned=True)
        yield f"flat {order}", _shape(order), lambda text, order=order: PAGES.flat(order=order, limit=3, after=text)
    for id in NAMED:
        yield f"replies {id}", [str], lambda text, id=id: PAGES.replies(id, after=text)


LISTINGS = list(_listings())
NUMBERS = (0, 1, -1, moment(5), (1 << 63) - 1, -(1 << 63), (1 << 64) - 1)
ENDS = ("", "0", "g", "\0", "\uffff", *NAMED, *[id_of(n) for n in range(1, 9)])


def _mark(listing: str, shape: list[type], choices: Choices) -> bytes:
    """Return what a cursor of the listing says, more or less."""
    parts = [choices.one_of(NUMBERS if part is int else ENDS) for part in shape]
    if choices.number(4) == 0:
        parts[choices.number(len(parts)) :] = [choices.one_of((*NUMBERS, *ENDS)) for _ in range(choices.number(4))]
    payload = msgspec.msgpack.encode([listing, choices.one_of(NUMBERS), parts])
    return mutated(payload, choices) if choices.number(4) == 0 else payload


# --- commands -----------------------------------------------------------------------------------------------------------------

from_json = msgspec.json.Decoder(AnyCommand)
COMMANDS: tuple[type[Command], ...] = get_args(AnyCommand)

#: A world with a bit of everything: every kind of event, by all kinds of actors.
WORLD: tuple[Event, ...] = (
    *history([(7 * n * n + n // 3) % 251 for n in range(400)]),
    *(posted(n, "words", by=Actor("a", "Ann"), spoiler=n == 2, held=n == 3) for n in range(1, 5)),
    *(posted(n, "more", to=n - 4, by=Actor("b", "Ann Lee")) for n in range(5, 9)),
    posted(9, "nobody's", by=None),
    suggested(11, by=Actor("a", "Ann")),
    suggested(12, by=Actor("b", "Ann Lee")),
    reported(13, 1),
    removed(14, 4),
    pinned(15, 1),
    reacted(16, 1, by=Actor("a", "Ann")),
    decided(17, 12, "accepted"),
)
NOW = moment(60)
IDS = sorted({event.id for event in WORLD} | {id_of(n) for n in range(1, 20)})
TARGETED = [id_of(n) for n in (*range(1, 10), 11, 12)]
STRINGS = (
    "", " ", "x", "support", "up", "down", "\0", "\u202e", "e\u0301", "a" * 101, "w" * 30_000, "accepted", "m", "a", THREAD, NIL,
    make_id((1 << 48) - 1, 4095, (1 << 62) - 1), make_id(0, 0, 0), make_id(NOW, 0, 7), make_id(NOW + 300_001, 0, 7),
    "'; DROP TABLE events;--",
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, False, 0, -1, 1 << 53, 1 << 70, 1.5, [], {}, [None], {"a": 1}, [[]], [""])
WHO: tuple[Any, ...] = (
    None, ["a", "Ann", "reader"], ["b", "Ann Lee", "reader"], ["m", "Mo", "moderator"], ["m", "Mo", "moderator"],
    ["e", "Eda", "editor"], ["j", "Joy", "author"], ["s", "", "system"], ["a", "Ann", "moderator"],
)  # fmt: skip
NOBODIES: tuple[Any, ...] = (
    ["", "", "reader"], ["a@b.c", "", "reader"], ["a", "x" * 501], ["a", "n", "king"], ["a", "\0"], ["a", "n" * 400], {}, "a",
    [1], ["a", None],
)  # fmt: skip
LEFT_OPEN = ("parent", "seen", "cancels", "reason", "note", "meta", "kind", "spoiler", "held", "title", "url", "article_version")


def command(data: bytes) -> str:
    """JSON from a stranger is a command or is refused; a command is decided or is refused; nothing else happens."""
    choices = Choices(data)
    policy = choices.one_of(POLICIES)
    text = choices.rest() if choices.number(3) == 0 else _json(choices)
    try:
        asked = from_json.decode(text)
    except ValueError as error:  # msgspec's errors, and UnicodeDecodeError
        return said(error)
    except RecursionError:  # msgspec's own, for JSON that is nested deeper than any command
        return "too deep"
    return attempt(asked, policy)


def attempt(asked: Command, policy: Policy) -> str:
    """Decide a command on the world; an event that is accepted has effect, and what is refused leaves no trace."""
    world = fold(WORLD, key=THREAD)
    before = world.changes, world.digest()
    try:
        events = decide(asked, world, policy=policy, now=NOW)
    except (Rejected, StoreError, ValueError) as error:
        assert (world.changes, world.digest()) == before
        return said(error)
    assert (world.changes, world.digest()) == before, "deciding has changed the thread"
    if not events:
        return "nothing to do"
    for event in events:
        assert codec.decode(codec.encode(event)) == event
        assert world.apply(event), "an accepted event has no effect"
    world.index(policy.rules).check()
    read(world, policy)
    assert decide(msgspec.structs.replace(asked, id=events[0].id), world, policy=policy, now=NOW) == ()
    return asked.name


def _json(choices: Choices) -> bytes:
    """Return the JSON of a command, most of whose fields are what they should be."""
    kind = choices.one_of(COMMANDS)
    fields: dict[str, Any] = {
        "command": kind.__struct_config__.tag,
        "thread": THREAD,
        "by": choices.one_of(WHO if choices.number(16) else NOBODIES),
    }
    for name in kind.__struct_fields__:
        match choices.number(40):
            case 0:
                fields[name] = choices.one_of(STRINGS)
            case 1:
                fields[name] = choices.one_of(OTHERS)
            case 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 if name in LEFT_OPEN:
                continue
            case _ if name != "id" or choices.number(4) == 0:
                fields.setdefault(name, _fitting(name, choices))
    return msgspec.json.encode(fields)


def _fitting(name: str, choices: Choices) -> Any:
    match name:
        case "comment" | "parent" | "correction" | "seen" | "id":
            if name == "id":
                return make_id(NOW, 1, choices.number(99)) if choices.number(4) else choices.one_of(IDS)
            return choices.one_of(TARGETED) if choices.number(8) else choices.one_of(IDS + list(STRINGS[-6:]))
        case "cancels":
            return choices.some(IDS, 5)
        case "spoiler" | "held":
            return bool(choices.number(2))
        case "meta":
            return dict.fromkeys(choices.some(STRINGS, 3), choices.one_of(STRINGS))
        case "quote":
            return [choices.one_of(STRINGS), choices.one_of(STRINGS), choices.one_of(STRINGS), choices.number(50)]
        case "outcome":
            return choices.one_of(("accepted", "declined", "reopened"))
    return choices.one_of(STRINGS)


# --- mentions -----------------------------------------------------------------------------------------------------------------

TOKENS = (
    "@",
    "a",
    "@a",
    "@",
    "a",
    " ",
    "b",
    "A",
    ".",
    "\u0301",
    "e\u0301",
    "é",
    "\u202e",
    "\u200d",
    "👩‍👩‍👧",
    "ß",
    "1",
    "²",
    "_",
    "\n",
    "ा",
    "र",
    "\u200b",
    "aa",
)
PEOPLE = ("u1", "u2", "u3")


def mentions(data: bytes) -> str:
    """Whoever is addressed is whom the rules, read plainly, name."""
    choices = Choices(data)
    uses: dict[int, Actor] = {}
    for n in range(1, 2 + choices.number(12)):
        name = choices.one_of(TOKENS[1:]) + "".join(choices.some(TOKENS, 3))
        uses[n] = Actor(choices.one_of(PEOPLE), name)
    at = choices.one_of((99, 14, 9, 5, 2, 0))
    above = [("", *PEOPLE)[choices.number(4)] for _ in range(choices.number(4))]
    gone = choices.some(range(1, 13), 3)
    body = "".join(choices.some((*TOKENS, *(f"@{actor.name}" for actor in uses.values())), 60))
    names = Names()
    for n in sorted(uses, key=lambda n: (n * 7) % 13):
        names.add(id_of(n), uses[n])
    for n in gone:
        names.discard(id_of(n))
        uses.pop(n, None)
    keys = [actor_key(author or None) for author in above]
    addressed = names.find(body, comment=id_of(at), above=lambda: keys)
    found = [(mention.start, mention.end, mention.actor) for mention in addressed]
    assert found == list(_plainly(uses, body, at, above)), (uses, body, at, above)
    return f"{min(len(found), 3)} found"


def _plainly(uses: dict[int, Actor], body: str, comment: int, above: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Try every name at every place, as the rules are written."""
    spoken = {n: actor for n, actor in uses.items() if n < comment and actor.name.strip()}
    at = 0
    while at < len(body):
        ends = []
        if body[at] == "@" and not (at and body[at - 1].isalnum()):
            ends = [
                at + 1 + len(actor.name)
                for actor in spoken.values()
                if body.startswith(actor.name, at + 1) and not _goes_on(body[at + 1 + len(actor.name) :][:1])
            ]
        if not ends:
            at += 1
            continue
        name = body[at + 1 : max(ends)]
        called = {n: actor.id for n, actor in spoken.items() if actor.name == name}
        nearest = [author for author in above if author in called.values()]
        yield at, max(ends), nearest[0] if nearest else called[max(called)]
        at = max(ends)


def _goes_on(character: str) -> bool:
    return bool(character) and (character.isalnum() or category(character)[0] == "M")


# --- quotes -------------------------------------------------------------------------------------------------------------------

WORDS = (
    "a",
    "b",
    "ab",
    " ",
    "  ",
    "\n",
    "\u00a0",
    "\u2003",
    "e\u0301",
    "é",
    "\u202e",
    "👩‍👩‍👧",
    "the ",
    "night ",
    ".",
    "\u200b",
    "\x1c",
    "\x85",
)


def quotes(data: bytes) -> str:
    """A passage is found where it was quoted, and nowhere but where its words stand."""
    choices = Choices(data)
    text = "".join(choices.some(WORDS, 40))
    start = choices.number(len(text) + 1)
    end = choices.number(len(text) + 2)
    try:
        quote = quote_of(text, start, end, context=choices.number(12))
    except ValueError:
        quote = TextQuote(*("".join(choices.some(WORDS, 6)) for _ in range(3)), choices.number(100))
    else:
        assert anchor(quote, text) == (quote.start, quote.start + len(quote.exact)), (text, quote)
        assert text[start:end].strip() == quote.exact
    if choices.number(2):
        quote = msgspec.structs.replace(quote, start=choices.one_of((0, 1, 5, len(text), 1 << 53)))
    other = (
        "".join(choices.some(WORDS, 60))
        if choices.number(2)
        else text[: choices.number(len(text) + 1)] + "".join(choices.some(WORDS, 9)) + text
    )
    span = Article(other).anchor(quote)
    if span is None:
        return "orphaned"
    begin, stop = span
    assert 0 <= begin < stop <= len(other)
    assert other[begin:stop].split() == quote.exact.split() != [], (other, quote, span)
    assert not other[begin].isspace()
    assert not other[stop - 1].isspace()
    return "found"


# --- all ----------------------------------------------------------------------------------------------------------------------

TARGETS: dict[str, Callable[[bytes], str]] = {
    "codec": codec_bytes,
    "cursor": cursor,
    "command": command,
    "mentions": mentions,
    "quotes": quotes,
}

#: Where a search begins: inputs that get far.
SEEDS: dict[str, list[bytes]] = {
    "codec": [b"\0" + data for data in RECORDS] + [bytes([1, n, 0, 9]) for n in range(40)] + [bytes(range(2, 60))],
    "cursor": [bytes([n, kind, *range(20)]) for n in range(30) for kind in (0, 1, 2)],
    "command": [bytes([policy, 1, kind, *[3] * 30]) for policy in range(3) for kind in range(len(COMMANDS))]
    + [b"\0\0" + msgspec.json.encode({"command": kind.__struct_config__.tag, "thread": THREAD}) for kind in COMMANDS],
    "mentions": [bytes(range(n, n + 60)) for n in range(0, 120, 10)],
    "quotes": [bytes(range(n, n + 60)) for n in range(0, 120, 10)],
}
