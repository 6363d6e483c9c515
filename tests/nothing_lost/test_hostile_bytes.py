"""
Bytes and JSON from a stranger, in every way in: the codec, cursors, commands, mentions, quotes, a log's file.

The targets are those of ``make fuzz`` (tests/fuzz/targets.py), which say what each may do. Here Hypothesis drives them, and
then chance does, by the thousand in ``make test`` and by the hundred thousand in ``make soak``. What came of the inputs is
counted, so that a target whose bytes get nowhere can not pass vacuously. test_hostile_guards.py takes each guard out and names
the test here that notices.
"""

from __future__ import annotations

import runpy
import sqlite3
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import threadstore
from threadstore import CorruptRecord, Policy, UnknownEvent, fold
from threadstore.errors import DataError, InvalidCursor
from threadstore.log._schema import event_checksum
from threadstore.log._schema import seed as checksum_seed
from threadstore.model.codec import decode, encode
from threadstore.model.ids import make_id
from threadstore.testing.given import ANN, BOB, EPOCH, MODERATOR, THREAD, held, id_of, posted, reacted

pytestmark = pytest.mark.usefixtures("guard")

FUZZ: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "fuzz" / "targets.py"))
TARGETS: dict[str, Callable[[bytes], str]] = FUZZ["TARGETS"]
SEEDS: dict[str, list[bytes]] = FUZZ["SEEDS"]

#: How many inputs the long form tries: about a minute's.
MANY = {"codec": 100_000, "cursor": 500_000, "command": 20_000, "mentions": 300_000, "quotes": 1_000_000}

#: What must come of a thousand inputs, at least once each, in whatever order.
REACHED = {
    "codec": {"CorruptRecord", "comment.posted", "unknown", "1 together"},
    "cursor": {"InvalidCursor", "CommentNotFound", "view", "flat", "replies", "queue"},
    "command": {"DecodeError", "ValidationError", "NotAllowed", "nothing to do", "post", "report", "describe"},
    "mentions": {"0 found", "1 found", "2 found", "3 found"},
    "quotes": {"found", "orphaned"},
}


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target: str):
    """What a search begins with gets far, and none of it does what it may not."""
    for seed in SEEDS[target]:
        assert TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.data())
def test_any_bytes(target: str, data: st.DataObject):
    """Whatever Hypothesis thinks of is refused with an error of the taxonomy, or does what it says."""
    seed = data.draw(st.sampled_from(SEEDS[target]))
    TARGETS[target](data.draw(st.binary(max_size=200) | st.binary(max_size=40).map(lambda tail: seed + tail)))


@pytest.mark.parametrize("target", TARGETS)
def test_chance(target: str, scale):
    """So is whatever chance puts together, and enough of it gets through to mean something."""
    count = scale(1_000, MANY[target])
    random, reached = Random(f"hostile {target}"), Counter[str]()
    for n in range(count):
        data = random.randbytes(random.randrange(1, 200))
        if random.random() < 0.3:
            data = random.choice(SEEDS[target]) + data[:20]
        try:
            reached[TARGETS[target](data)] += 1
        except Exception as error:
            raise AssertionError(f"{target}({data.hex()!r})") from error
        if n % 1_000 == 0:
            scale.progress(n, count, f"inputs to {target}")
    assert reached.keys() >= REACHED[target], reached
    scale.figure(f"inputs by chance to {target}", count)


# --- the codec ----------------------------------------------------------------------------------------------------------------

RECORDS: list[bytes] = FUZZ["corpus"]()


def accepted(data: bytes) -> bool:
    """Return whether *data* is read, having made sure that it is written again as it came."""
    try:
        event = decode(data)
    except DataError:
        return False
    assert encode(event) == data or data[len(event.kind_tag) + 2] == 0, data.hex()  # but for the bit that says "schema 0"
    return True


def test_no_bit_of_a_record_can_be_turned_over_unseen(scale):
    """With any one bit turned over, any byte left out or put in, a record is refused or is another record in its one form."""
    tried = 0
    for data in RECORDS:
        assert accepted(data)
        for place in range(len(data)):
            for bit in range(8):
                turned = bytearray(data)
                turned[place] ^= 1 << bit
                accepted(bytes(turned))
            accepted(data[:place] + data[place + 1 :])
            accepted(data[:place] + b"\xc0" + data[place:])
            assert not accepted(data[:place])
            tried += 11
        assert not accepted(data + b"\xc0")
    scale.figure("records with one change", tried)


LYING = [
    bytes.fromhex(head) for head in ("dcffff", "ddffffffff", "deffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff01")
]


def peak(call: Callable[[], object]) -> int:
    """Return how many bytes were taken at most, in *call*."""
    tracemalloc.start()
    try:
        call()
    finally:
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return taken


@pytest.mark.parametrize("head", LYING, ids=bytes.hex)
def test_lengths_that_lie_take_no_memory(head: bytes):
    """
    A few bytes that promise four thousand million values are refused for what they are, and no room is made for the promise.
    """

    def everywhere() -> None:
        for data in (
            head,
            head + bytes(1_000),
            *(record[:at] + head + record[at:] for record in RECORDS[:3] for at in range(0, 80, 7)),
        ):
            with pytest.raises(DataError):
                decode(data)
            with pytest.raises(InvalidCursor):
                fold([posted(1)]).view(after=FUZZ["signed"](data[:1_000]))

    everywhere()
    assert peak(everywhere) < 4_000_000


@pytest.mark.parametrize("depth", [100, 990, 1_010, 100_000, 3_000_000])
def test_nesting_is_no_way_out(depth: int):
    """Nested as deep as may be, a record is refused or kept as it came; nothing overflows."""
    record = encode(posted(1))
    for deep in (b"\x91" * depth + b"\xc0", b"\x81\xa1a" * depth + b"\xc0", b"\x91" * depth):
        for data in (deep, b"\x91" + deep, record[:1] + deep + record[1:], b"\x9b" + record[1:] + deep):
            with suppress(DataError):
                decode(data)


def test_events_of_newer_releases_are_kept(tmp_path: Path, scale):
    """Whatever a newer release may write is kept in both logs byte for byte, skipped by the fold, and given on as it came."""
    random = Random("newer")
    pieces = [piece for piece in FUZZ["PIECES"] if _is_one(piece)]
    facts = [posted(1, by=ANN)]
    for n in range(scale(300, 20_000)):
        extra = tuple(random.choice(pieces) for _ in range(random.randrange(4)))
        kind = random.choice(["poll.opened", "x", "comment.posted.v2", "'; DROP TABLE events", "\u202e", "a" * 200])
        id = make_id(EPOCH + n, 1, n)
        facts.append(UnknownEvent(id=id, thread=THREAD, actor=random.choice([None, ANN]), kind=kind, schema=n % 9, extra=extra))
    with threadstore.open(":memory:") as one, threadstore.open(tmp_path / "one.db", durability="off") as other:
        one.merge(facts)
        other.merge(one.export())
        assert list(other.export()) == facts
        assert [record.data for record in other.log.read_all()] == [encode(fact) for fact in facts]
        assert other.thread(THREAD).counts().total == 1
        assert [encode(event) for event in other.thread(THREAD).history(reader=MODERATOR)] == [encode(fact) for fact in facts]
        assert list(other.verify()) == []
    scale.figure("events of newer releases", len(facts))


def _is_one(piece: bytes) -> bool:
    try:
        msgspec.msgpack.decode(piece, type=msgspec.Raw)
        UnknownEvent(id=id_of(1), thread=THREAD, kind="x", schema=1, extra=(piece,))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


# --- what stands in a log -----------------------------------------------------------------------------------------------------

FACTS = [
    posted(1, "the first words", by=ANN),
    posted(2, "other words", to=1, by=BOB, spoiler=True),
    reacted(3, 1, by=BOB),
    held(4, 2),
    posted(9, "lost", to=7),
]


def test_damaged_records_in_a_file_are_never_a_crash(tmp_path: Path, scale):
    """
    Whatever stands in a row, reading the thread gives an answer or an error of the taxonomy, and `verify` says where the damage
    is.
    """
    path = tmp_path / "one.db"
    with threadstore.open(path, durability="off") as store:
        store.merge(FACTS)
    with closing(sqlite3.connect(path)) as file:
        rows = file.execute("SELECT position, data FROM events ORDER BY position").fetchall()
    random, outcomes, count = Random("rows"), Counter[str](), scale(120, 3_000)
    for _ in range(count):
        position, data = random.choice(rows)
        choices = FUZZ["Choices"](random.randbytes(40))
        damaged = FUZZ["mutated"](data, choices) if random.random() < 0.5 else FUZZ["with_other_values"](data, choices)
        if damaged == data:
            continue
        places: set[int | None] = set()
        with closing(sqlite3.connect(path)) as file:
            file.execute("UPDATE events SET data = ? WHERE position = ?", (damaged, position))
            file.commit()
        with threadstore.open(path, durability="off") as store:
            assert position in {damage.position for damage in store.verify()}
            for ask in (store.thread(THREAD).view, lambda: list(store.export()), store.latest):
                try:
                    ask()
                    outcomes["answered"] += 1
                except DataError as error:
                    outcomes[type(error).__name__] += 1
                    places.add(error.position if isinstance(error, CorruptRecord) else position)
        assert places <= {position, None}
        with closing(sqlite3.connect(path)) as file:
            file.execute("UPDATE events SET data = ? WHERE position = ?", (data, position))
            file.commit()
    assert outcomes["CorruptRecord"] > count // 4
    with threadstore.open(path) as store:
        store.rebuild_thread(THREAD)  # its rows may be of when a record was damaged
        assert list(store.verify()) == []
    scale.figure("damaged records", count)


def test_a_record_of_another_thread_is_damage(tmp_path: Path):
    """A row that a program with a bug filed under the wrong thread, with the checksum that fits, is no event of that thread."""
    path = tmp_path / "one.db"
    with threadstore.open(path) as store:
        store.merge(FACTS)
    stray = encode(replace(FACTS[1], thread="another"))
    with closing(sqlite3.connect(path)) as file, file:
        row = (stray, event_checksum(checksum_seed(THREAD.encode()), 2, 2, stray))
        file.execute("UPDATE events SET data = ?, crc = ? WHERE position = 2", row)
    with threadstore.open(path) as store:
        assert store.thread(THREAD).view(reader=MODERATOR, reveal="all").unreadable == 1
        assert store.thread(THREAD).view().unreadable == 1
        assert store.thread(THREAD).digest() == fold(fact for fact in FACTS if fact.id != FACTS[1].id).digest()
        assert [(damage.kind, damage.position) for damage in store.verify()] == [("record", 2)]
        with pytest.raises(CorruptRecord):
            list(store.export())


# --- commands -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_commands_from_json_in_a_store(kind: str, tmp_path: Path, scale):
    """
    Commands as a stranger writes them are carried out or refused by a store on either log, which stays sound and loses nothing.
    """
    random, outcomes, count = Random("commands"), Counter[str](), scale(400, 10_000)
    path = ":memory:" if kind == "memory" else tmp_path / "one.db"
    policy = Policy(report_threshold=3, premoderation="anonymous")
    with threadstore.open(path, policy=policy, now=lambda: FUZZ["NOW"]) as store:
        store.merge(FUZZ["WORLD"])
        while outcomes.total() < count:
            try:
                asked = FUZZ["from_json"].decode(FUZZ["_json"](FUZZ["Choices"](random.randbytes(80))))
            except ValueError:
                continue
            before = store.log.position()
            try:
                id = store.execute(asked)
                outcomes[asked.name] += store.log.position() > before
                assert store.log.find(id) is not None or store.log.position() == before
            except (threadstore.Rejected, threadstore.StoreError, ValueError) as error:
                outcomes["refused" if str(error) else "refused without a word"] += 1
                assert store.log.position() == before
        assert "refused without a word" not in outcomes
        assert list(store.verify()) == []
        for key in store.threads():  # chance may have changed the key of a command
            again = fold((event for event in store.export() if event.thread == key), key=key)
            assert again.digest() == store.thread(key).digest()
        assert len([name for name, carried_out in outcomes.items() if carried_out]) > 8
    scale.figure(f"commands from JSON to a store in {kind}", count)


def test_json_that_is_nested_too_deep_is_msgspecs_to_refuse():
    """Decoding is the application's call: nested beyond Python's limit it may be a RecursionError, and is never a command."""
    for text in (b'{"x":' + b"[" * 100_000, b"[" * 100_000, b'{"command":"post","thread":"t","body":' + b"[" * 100_000):
        with pytest.raises((ValueError, RecursionError)):
            FUZZ["from_json"].decode(text)


def test_the_recursion_limit_is_as_it_was():
    """Nothing here, and nothing in the library, changes the interpreter's limits."""
    assert sys.getrecursionlimit() >= 1_000
