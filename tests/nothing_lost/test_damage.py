"""
Damage costs what it has hit, and nothing passes for what it is not.

Each byte of a file is turned over, in every column by way of SQL and in the raw pages, and the store is opened anew: `verify`
finds it, or nothing that the store holds has changed; no comment is shown that is not what its author wrote; all other comments
are; the view says how much is missing; posting goes on. The short form takes a sample, the long form every byte.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

import threadstore
from threadstore import Actor, Event, Policy, ThreadStore, ThreadStoreError, fold
from threadstore.errors import CorruptRecord
from threadstore.model.erasure import Erasure
from threadstore.model.events import CommentRemoved
from threadstore.model.ids import from_bytes, make_id

ANN, BOB, MOD = Actor("u-ann", "Ann Lee"), Actor("u-bob", "Bob Park"), Actor("u-mod", "Mo", "moderator")
KEYS = ("2023/05/03/drones", "2023/05/04/ships", "2023/05/05/owls")
EPOCH = 1_700_000_000_000

MUTANTS = {
    "a row is believed without its checksum": (
        "test_each_column_of_the_log",
        "log/_appending.py",
        "    if is_sound(mark, position, revision, data, crc):\n        return Record(",
        "    if True or is_sound(mark, position, revision, data, crc):\n        return Record(",
    ),
    "verify does not look at checksums": (
        "test_each_column_of_the_log",
        "log/_verify.py",
        "    if not is_sound(seed(key), position, revision, data, crc):",
        "    if False:",
    ),
    "nobody is told that something is missing": (
        "test_each_column_of_the_log",
        "readmodel/rebuild.py",
        "        row.unreadable, row.building = self.unreadable, 0",
        "        row.unreadable, row.building = 0, 0",
    ),
    "a row that is shown is believed": (
        "test_each_column_of_the_read_model",
        "readmodel/source.py",
        "        if not are_sound(rows):",
        "        if False:",
    ),
    "a row that is listed is believed": (
        "test_no_list_shows_what_is_withheld",
        "readmodel/rows.py",
        "    if crc32(_encode((id, parent, *said, active))) != crc:",
        "    if False:",
    ),
    "nobody misses a reply that is counted": (
        "test_a_comment_that_lost_its_place",
        "readmodel/source.py",
        "        if any(len(found.get(parent, ())) < min(kids.get(parent, 0), most) for parent in parents):",
        "        if False:",
    ),
    "nobody misses a comment that is counted": (
        "test_a_comment_that_lost_its_place",
        "readmodel/source.py",
        "        if len(found.rows) < min(walk.limit, found.behind):",
        "        if False:",
    ),
    "verify does not look at the rows": (
        "test_each_column_of_the_read_model",
        "store/verify.py",
        "    for why in found:\n",
        "    for why in ():\n",
    ),
    "a damaged number clears another thread's rows": (
        "test_a_thread_takes_no_rows_of_another",
        "readmodel/rebuild.py",
        "    model = own_model(row) or row.id\n",
        "    model = row.model or row.id\n",
    ),
    "a damaged counter gives a revision again": (
        "test_a_counter_that_was_set_back",
        "log/_appending.py",
        "(SELECT max(e.revision) FROM events AS e WHERE e.thread = t.id)",
        "0",
    ),
    "one damaged page costs the thread": (
        "test_a_ruined_page",
        "log/sqlite.py",
        "                    ranges += [(middle, upto), (after, middle)]\n",
        "                    pass\n",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_missing_guard_is_noticed(mutant: str, without: Any, passes: Any):
    """With one guard less, the test that is there for it fails."""
    test, *change = MUTANTS[mutant]
    assert not passes(f"test_damage.py::{test}", without(*change)), f"nobody notices that {mutant}"


# --- a store, and what it shows -----------------------------------------------------------------------------------------------

Shown = tuple[Any, Any]


class Sound(NamedTuple):
    """The file of a store before anything happened to it, what it shows, and what it would show without each event."""

    data: bytes
    events: list[Event]
    shown: dict[str, Shown]
    without: dict[int, Shown]
    texts: dict[str, set[str | None]]
    below: dict[str, set[str]]


@pytest.fixture
def sound(swift: Path) -> Sound:
    """Return a store of three threads with all that the tables can hold."""
    path, tick = swift / "sound.db", iter(range(1, 1_000))
    with threadstore.open(path, durability="off", now=lambda: EPOCH + next(tick)) as store:
        for key in KEYS:
            fill(store, key)
        store.log.redact(KEYS[0], [Erasure(person="u-gone", before=make_id(EPOCH, 0, 0))])
        assert list(store.verify()) == []
        events, keys = list(store.export()), [record.thread for record in store.log.read_all()]
        shown = {key: look(store.thread(key)) for key in KEYS}
    of = {key: [event for event in events if event.thread == key] for key in KEYS}
    assert all(look(fold(of[key])) == shown[key] for key in KEYS)
    without = {
        position: look(fold((event for event in of[key] if event is not events[position - 1]), key=key))
        for position, key in enumerate(keys, 1)
    }
    texts: dict[str, set[str | None]] = {}
    for event in events:
        texts.setdefault(event.target, {None}).add(getattr(event, "body", None))
    below = {
        comment.id: {each.id for each in shown_comments([comment])} for key in KEYS for comment in shown_comments(shown[key][0])
    }
    return Sound(path.read_bytes(), events, shown, without, texts, below)


SECRET = "what was taken down"


def fill(store: ThreadStore, key: str) -> None:
    article = store.thread(key)
    first = article.post(f"the first word on {key}", by=ANN)
    reply = article.reply(first, "@Ann Lee, same here", by=BOB)
    article.react(first, "support", by=BOB)
    article.edit(reply, "@Ann Lee, not at all", by=BOB)
    gone = article.post("what must go", by=BOB)
    article.post("a spoiler", by=ANN, spoiler=True)
    article.remove(article.post(SECRET, by=BOB), by=MOD, reason="rude")
    article.pin(first, by=MOD)
    article.describe(title="a title", by=Actor("system", "", "system"))
    article.remove(gone, by=MOD, reason="rude")
    article.erase(gone, by=MOD)
    article.post("the last word", by=BOB, meta={"site": "example.org"})


def look(thread: Any) -> Shown:
    """Return what a moderator sees, who sees all that anybody does."""
    view = thread.view(limit=100, reader=MOD, reveal="all")
    return view.comments, view.counts


def shown_comments(comments: Any) -> Iterator[Any]:
    for comment in comments:
        yield comment
        yield from shown_comments(comment.replies)


def check_nothing_is_misread(sound: Sound, comments: Any, what: object) -> None:
    """Each comment that is shown bears an id that was given, and a text that was written for it, or none."""
    for comment in shown_comments(comments):
        assert comment.concealed == "missing" or comment.id in sound.texts, what
        assert comment.body in sound.texts.get(comment.id, {None}), what


def check_nothing_is_given_away(store: ThreadStore, what: object) -> None:
    """Nobody but moderators and its author is shown what was taken down, on no page and in no list."""
    for reader in (None, "u-eve", ANN):
        for key in KEYS:
            article = store.thread(key)
            for order in ("oldest", "top", "active"):
                for comments in (article.view(limit=100, reader=reader, order=order), article.flat(reader=reader, order=order)):
                    assert SECRET not in {comment.body for comment in shown_comments(comments.comments)}, (what, reader)
        for items in (store.latest(limit=100, reader=reader), store.by_person(BOB.id, limit=100, reader=reader)):
            assert SECRET not in {item.comment.body for item in items}, (what, reader)


# --- every column -------------------------------------------------------------------------------------------------------------


def turned(value: int | bytes | str, index: int, mask: int) -> int | bytes | str:
    """Return the value with one byte turned over."""
    data = (
        value.to_bytes(8, "big", signed=True) if isinstance(value, int) else value.encode() if isinstance(value, str) else value
    )
    data = data[:index] + bytes([data[index] ^ mask]) + data[index + 1 :]
    return int.from_bytes(data, "big", signed=True) if isinstance(value, int) else data


class Byte(NamedTuple):
    """One byte of one column of one row, which its key names."""

    table: str
    column: str
    key: tuple[Any, ...]
    value: Any
    index: int


#: The columns that name a row of each table.
NAMED_BY = {
    "events": ("position",),
    "threads": ("id",),
    "erasures": ("rowid",),
    "comments": ("model", "parent", "dead", "id"),
    "reactions": ("model", "comment", "actor", "kind"),
    "facts": ("model", "target", "position"),
    "authors": ("author", "model", "id"),
    "names": ("model", "length", "name", "actor"),
}
LOG = ("events", "threads", "erasures")


def every_byte(data: bytes, folder: Path) -> dict[tuple[str, str], list[Byte]]:
    """Return each byte of each column of each row of each table, by column."""
    (folder / "look.db").write_bytes(data)
    found: dict[tuple[str, str], list[Byte]] = {}
    with closing(sqlite3.connect(folder / "look.db")) as file:
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert tables == NAMED_BY.keys()
        for table, names in NAMED_BY.items():
            for (column,) in file.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall():
                rows = file.execute(f"SELECT {column}, {', '.join(names)} FROM {table} WHERE {column} IS NOT NULL").fetchall()
                for value, *key in rows:
                    size = 8 if isinstance(value, int) else len(value.encode() if isinstance(value, str) else value)
                    places = found.setdefault((table, column), [])
                    places += (Byte(table, column, tuple(key), value, index) for index in range(size))
    return found


def damaged(sound: Sound, path: Path, byte: Byte, mask: int) -> bool:
    """Write the file with a byte turned over; return whether the file itself does not refuse it."""
    remove(path)
    path.write_bytes(sound.data)
    value = turned(byte.value, byte.index, mask)
    cast = "CAST(? AS TEXT)" if isinstance(byte.value, str) else "?"
    where = " AND ".join(f"{name} = ?" for name in NAMED_BY[byte.table])
    with closing(sqlite3.connect(path)) as file:
        try:
            with file:
                file.execute(f"UPDATE {byte.table} SET {byte.column} = {cast} WHERE {where}", (value, *byte.key))
        except sqlite3.IntegrityError:
            return False
    return True


def a_mask(random: Random) -> int:
    return random.choice([1 << random.randrange(8), 0xFF, random.randrange(1, 256)])


@pytest.mark.usefixtures("guard")
def test_each_column_of_the_log(sound: Sound, swift: Path, scale):
    """A byte of a row of the log that is turned over costs no more than that row, and `verify` tells of it."""
    random, outcomes = Random("columns"), Counter[str]()
    of = {column: places for column, places in every_byte(sound.data, swift).items() if is_of_log(*column)}
    if scale.is_long:
        chosen = [byte for places in of.values() for byte in places]
    else:  # some of each column, of the records, and of the last events' places, whose loss no later event tells of
        chosen = [byte for places in of.values() for byte in random.sample(places, min(len(places), 9))]
        chosen += random.sample(of["events", "data"], 60)
        ends = {event.thread: position for position, event in enumerate(sound.events, 1)}.values()
        chosen += [byte for byte in of["events", "revision"] if byte.key[0] in ends]
    for done, byte in enumerate(chosen, 1):
        mask = a_mask(random)
        what = (*byte, mask)
        if not damaged(sound, swift / "bad.db", byte, mask):
            outcomes["refused by the file"] += 1
            continue
        with threadstore.open(swift / "bad.db", durability="off") as store:
            assert list(store.verify()) != [], what
            check_log_column(sound, store, byte, what)
            if (byte.table, byte.column) != ("events", "position") or abs(turned(byte.value, byte.index, mask)) < 1 << 62:
                check_posting(store, what)
            outcomes["found"] += 1
        scale.progress(done, len(chosen), "bytes of columns")
    assert outcomes["found"] > 100
    for name, count in outcomes.items():
        scale.figure(f"bytes of columns turned over: {name}", count)


def is_of_log(table: str, column: str) -> bool:
    return table in ("events", "erasures") or (table == "threads" and column in {"id", "key", "revision", "latest", "earliest"})


def check_log_column(sound: Sound, store: ThreadStore, byte: Byte, what: object) -> None:
    """Check what each thread shows, and what is asked of all threads together."""
    table, place = byte.table, byte.key[0]
    for key in KEYS:
        view = store.thread(key).view(limit=100, reader=MOD, reveal="all")
        check_nothing_is_misread(sound, view.comments, what)
        shown = (view.comments, view.counts)
        if table == "events":
            hit = 1 <= place <= len(sound.events) and sound.events[place - 1].thread == key
            assert shown == sound.shown[key] or (hit and view.unreadable and shown == sound.without[place]), what
        elif table == "threads":
            assert shown == sound.shown[key] or not any(shown_comments(view.comments)), what
        else:
            assert (shown, view.unreadable) == (sound.shown[key], 0), what
        assert store.counts([key])[key] in (view.counts, sound.shown[key][1]), what
    assert set(store.threads()) >= set(KEYS) or table == "threads", what
    latest = store.latest(limit=100, reader=MOD, reveal="all")
    assert len(latest) >= 6 or table == "threads", what
    check_nothing_is_misread(sound, [item.comment for item in latest], what)
    is_removal = table == "events" and 1 <= place <= len(sound.events) and type(sound.events[place - 1]) is CommentRemoved
    if not is_removal:  # one that is lost takes down nothing any more
        check_nothing_is_given_away(store, what)
    assert len(store.queue()) == 0, what


@pytest.mark.usefixtures("guard")
def test_each_column_of_the_read_model(sound: Sound, swift: Path, scale):
    """A byte of a row that shows comments is found, or changes nothing; all other comments are shown, and a rebuild mends it."""
    random, outcomes = Random("rows"), Counter[str]()
    of = {column: places for column, places in every_byte(sound.data, swift).items() if not is_of_log(*column)}
    few = {column: places if scale.is_long else random.sample(places, min(len(places), 5)) for column, places in of.items()}
    chosen = [byte for places in few.values() for byte in places]
    for done, byte in enumerate(chosen, 1):
        mask = a_mask(random)
        what = (*byte, mask)
        if not damaged(sound, swift / "bad.db", byte, mask):
            outcomes["refused by the file"] += 1
            continue
        with threadstore.open(swift / "bad.db", durability="off") as store:
            found = list(store.verify())
            check_row(sound, store, byte, bool(found), what)
            for key in KEYS:
                store.rebuild_thread(key)
            assert {key: look(store.thread(key)) for key in KEYS} == sound.shown, what
            assert list(store.export()) == sound.events, what
            check_posting(store, what)
            outcomes["found" if found else "nothing is different"] += 1
        scale.progress(done, len(chosen), "bytes of rows")
    assert outcomes["found"] > 100
    for name, count in outcomes.items():
        scale.figure(f"bytes of rows turned over: {name}", count)


def check_row(sound: Sound, store: ThreadStore, byte: Byte, is_found: bool, what: object) -> None:
    """Check what each thread and each list shows where a row of the read model is damaged."""
    check_nothing_is_given_away(store, what)
    hit = sound.below.get(from_bytes(byte.key[3]), set()) if byte.table == "comments" else set()
    for key in KEYS:
        view = store.thread(key).view(limit=100, reader=MOD, reveal="all")
        check_nothing_is_misread(sound, view.comments, what)
        ids = {comment.id for comment in shown_comments(view.comments)}
        assert ids >= {comment.id for comment in shown_comments(sound.shown[key][0])} - hit, what
        assert is_found or (view.comments, view.counts) == sound.shown[key], what
        assert (view.counts, view.unreadable) == (sound.shown[key][1], 0), what
    assert store.counts(KEYS) == {key: sound.shown[key][1] for key in KEYS}, what
    assert len(store.overview().threads) == 3 or byte.column == "bucket", what
    check_nothing_is_misread(sound, [item.comment for item in store.latest(limit=100, reader=MOD, reveal="all")], what)
    assert len(store.queue()) == 0 or is_found, what


@pytest.mark.parametrize("damage", ["flags = 0", "flags = flags & ~4, crc = crc", "author = 7", "withheld = NULL, flags = 0"])
def test_no_list_shows_what_is_withheld(sound: Sound, swift: Path, damage: str):
    """Where a row no longer says that its comment was taken down, no list of many threads takes it at its word."""
    (swift / "bad.db").write_bytes(sound.data)
    with closing(sqlite3.connect(swift / "bad.db")) as file, file:
        file.execute(f"UPDATE comments SET {damage}")
    with threadstore.open(swift / "bad.db", durability="off") as store:
        assert list(store.verify()) != []
        for reader in (None, "u-eve", ANN):
            for items in (store.by_person(BOB.id, limit=100, reader=reader), store.latest(limit=100, reader=reader)):
                assert SECRET not in {item.comment.body for item in items}
        check_nothing_is_given_away(store, damage)


def test_a_thread_takes_no_rows_of_another(sound: Sound, swift: Path):
    """Where a thread's row names the rows of another one, it is made anew among its own, and the other keeps what it has."""
    (swift / "bad.db").write_bytes(sound.data)
    with closing(sqlite3.connect(swift / "bad.db")) as file, file:
        file.execute("UPDATE threads SET model = 2 WHERE id = 1")
        before = file.execute("SELECT * FROM comments WHERE model = 2").fetchall()
    with threadstore.open(swift / "bad.db", durability="off") as store:
        assert look(store.thread(KEYS[0])) == sound.shown[KEYS[0]]
        with store.log.database.reading() as reader:
            assert reader.execute("SELECT * FROM comments WHERE model = 2").fetchall() == before
        assert {key: look(store.thread(key)) for key in KEYS} == sound.shown
        assert list(store.verify()) == []


@pytest.mark.parametrize("where", ["parent = x'' AND dead = 0", "length(parent) = 16 AND dead = 0"], ids=["top", "reply"])
@pytest.mark.parametrize("damage", ["DELETE FROM comments", "UPDATE comments SET dead = 1", "UPDATE comments SET model = 99"])
def test_a_comment_that_lost_its_place(sound: Sound, swift: Path, damage: str, where: str):
    """A page on which one is missing that is counted is not shown; the rows are made anew, and it is there."""
    (swift / "bad.db").write_bytes(sound.data)
    with closing(sqlite3.connect(swift / "bad.db")) as file, file:
        file.execute(f"{damage} WHERE id = (SELECT min(id) FROM comments WHERE model = 1 AND {where})")
    with threadstore.open(swift / "bad.db", durability="off") as store:
        assert {key: look(store.thread(key)) for key in KEYS} == sound.shown
        assert list(store.verify()) == []


def test_rows_that_can_not_be_made_anew(sound: Sound, swift: Path, monkeypatch: pytest.MonkeyPatch):
    """Where a rebuild does not help, lists and writers are told instead of trying for ever, and pages come from the log."""
    (swift / "bad.db").write_bytes(sound.data)
    with closing(sqlite3.connect(swift / "bad.db")) as file, file:
        file.execute("UPDATE threads SET total = total + 1 WHERE id = 1")
    with threadstore.open(swift / "bad.db", durability="off") as store:
        monkeypatch.setattr(store, "mended", lambda key, wait=False: True)
        for call in (lambda: store.counts(KEYS), lambda: store.thread(KEYS[0]).post("more", by=ANN)):
            with pytest.raises(CorruptRecord, match="cannot be made anew"):
                call()
        assert {key: look(store.thread(key)) for key in KEYS} == sound.shown


def check_posting(store: ThreadStore, what: object) -> None:
    for key in KEYS:
        id = store.thread(key).post("said afterwards", by=ANN)
        assert store.thread(key).comment(id).body == "said afterwards", what


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


# --- every byte of the file ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("guard")
def test_each_byte_of_the_file(sound: Sound, swift: Path, scale):
    """A byte that is turned over on the disk is found, or changes nothing of what the store holds; it is never a crash."""
    random, outcomes = Random("pages"), Counter[str]()
    filled = [index for index, byte in enumerate(sound.data) if byte]
    blank = [index for index, byte in enumerate(sound.data) if not byte]
    chosen = sorted(random.sample(filled, scale(250, len(filled))) + random.sample(blank, scale(50, len(blank) // 4)))
    for done, index in enumerate(chosen, 1):
        mask = random.choice([1 << random.randrange(8), 0xFF, random.randrange(1, 256)])
        bad = bytearray(sound.data)
        bad[index] ^= mask
        (swift / "bad.db").write_bytes(bad)
        outcomes[outcome(sound, swift / "bad.db", (index, mask))] += 1
        remove(swift / "bad.db")
        scale.progress(done, len(chosen), "bytes of the file")
    assert outcomes["found, and all threads shown"] > len(chosen) // 4
    assert outcomes["found, and a thread not shown"] < len(chosen) // 10
    for name, count in outcomes.items():
        scale.figure(f"bytes of the file turned over: {name}", count)


def outcome(sound: Sound, path: Path, what: object) -> str:
    """Open the damaged file, check what it shows, and name what the damage comes to."""
    try:
        store = threadstore.open(path, durability="off")
    except ThreadStoreError:
        return "the file is refused"
    with store:
        try:
            found = list(store.verify())
        except ThreadStoreError:
            found = [None]
        answers = [answer(sound, store, key, bool(found), what) for key in KEYS]
        if found:
            return "found, and all threads shown" if all(answers) else "found, and a thread not shown"
        assert [look(store.thread(key)) for key in KEYS] == list(sound.shown.values()), what
        assert list(store.export()) == sound.events, what
        return "not found, and nothing is different"


def answer(sound: Sound, store: ThreadStore, key: str, is_found: bool, what: object) -> bool:
    """
    Look at a thread; return whether it was shown, if only in part.

    A mark or a reaction may differ where that is found, and where an index is damaged, a moderator may miss what is withheld
    from others. Where the end of the log is damaged, an earlier revision may be shown.
    """
    try:
        view = store.thread(key).view(limit=100, reader=MOD, reveal="all")
    except ThreadStoreError:
        return False
    check_nothing_is_misread(sound, view.comments, what)
    if not view.unreadable and view.revision == sum(event.thread == key for event in sound.events):
        comments, counts = sound.shown[key]
        assert view.counts == counts, what
        assert view.comments == comments or (is_found and outline(view.comments) == outline(comments)), what
    return True


def outline(comments: Any) -> list[tuple[str, str | None, str | None]]:
    """Return what everybody may read."""
    everybodys = (each for each in shown_comments(comments) if not {"held", "removed"} & set(each.flags))
    return [(comment.id, comment.parent, comment.body) for comment in everybodys]


@pytest.mark.parametrize("seed", range(4))
def test_a_ruined_page(tmp_path: Path, seed: int):
    """A page of the disk that is lost costs the comments that stood on it."""
    random, path = Random(seed), tmp_path / "one.db"
    with threadstore.open(path, durability="off", now=lambda: EPOCH) as store:
        said = [store.thread("t").post(f"comment {number}. " + "and so on " * 20, by=f"u-{number}") for number in range(90)]
    data = path.read_bytes()
    page = data.index(b"comment %d." % random.randrange(90)) // 4096 * 4096
    gone = {id for number, id in enumerate(said) if b"comment %d." % number in data[page : page + 4096]}
    path.write_bytes(data[:page] + random.randbytes(4096) + data[page + 4096 :])
    with threadstore.open(path, durability="off", now=lambda: EPOCH) as store:
        view = store.thread("t").view(limit=100)
        assert [comment.id for comment in view.comments] == [id for id in said if id not in gone]
        assert 0 < view.unreadable == len(gone) < 30
        assert list(store.verify()) != []


@pytest.mark.parametrize(
    "damage",
    ["crc = x'00000000'", "data = CAST(substr(data, 2) AS BLOB)", "data = CAST(replace(data, 'words', 'swords') AS BLOB)"],
)
def test_a_damaged_thread_is_erased_from(tmp_path: Path, damage: str):
    """Damage is no refuge: what still reads as the person's, or as nothing at all, is taken out of the files with the rest."""
    path = tmp_path / "one.db"
    with threadstore.open(path) as store:
        article = store.thread("t")
        for number in range(6):
            article.post(f"words of {number % 2}, number {number}", by=f"u-{number % 2}")
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"UPDATE events SET {damage} WHERE position = 3")
    with threadstore.open(path) as store:
        assert len(store.erase_person("u-0", by=MOD)) == 1
        assert store.thread("t").view(reader=MOD).unreadable == 1
        assert [comment.body for comment in store.thread("t").view(reader=MOD).comments] == [
            f"words of 1, number {number}" for number in (1, 3, 5)
        ]
        assert not any(b"words of 0" in part.read_bytes() for part in tmp_path.iterdir())
        assert [damage.position for damage in store.verify()] == [3]


def test_a_counter_that_was_set_back(tmp_path: Path):
    """Neither hides what was said nor stands in the way of what is said next."""
    path = tmp_path / "one.db"
    with threadstore.open(path) as store:
        for number in range(9):
            store.thread("t").post(f"comment {number}", by=f"u-{number}")
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE threads SET revision = 3")
    with threadstore.open(path) as store:
        assert {damage.kind for damage in store.verify()} == {"revision"}
        store.thread("t").post("comment 9", by="u-9")
        assert [comment.body for comment in store.thread("t").view().comments] == [f"comment {number}" for number in range(10)]
        assert (store.thread("t").view().unreadable, list(store.verify())) == (0, [])


def test_damage_is_not_kept(tmp_path: Path):
    """Once a record is mended, `verify` says that its thread shows less than the log has, and a rebuild shows and counts all."""
    path, policy = tmp_path / "one.db", Policy(kinds={"nod"})  # for which nobody has made rows yet
    with threadstore.open(path) as store:
        for number in range(20):
            store.thread("t").post(f"comment {number}", by=f"u-{number}")
    shutil.copy(path, tmp_path / "sound.db")
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE events SET crc = x'00000000' WHERE position = 3")
    with threadstore.open(path, policy=policy) as store:
        assert store.thread("t").view(limit=100).unreadable == 1
        assert store.thread("t").counts() == store.counts(["t"])["t"]
        assert store.counts(["t"])["t"].total == 19
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"ATTACH '{tmp_path / 'sound.db'}' AS sound")
        file.execute("UPDATE events SET crc = (SELECT crc FROM sound.events WHERE position = 3) WHERE position = 3")
    with threadstore.open(path, policy=policy) as store:
        assert {(damage.kind, damage.thread) for damage in store.verify()} == {("model", "t")}
        store.rebuild_thread("t")
        assert store.counts(["t"])["t"].total == 20
        assert store.thread("t").view(limit=100).unreadable == 0
        assert list(store.verify()) == []
