"""
Write to a store until there is no room, then make room and go on: ``python child_full.py '{"folder": …, "limit": …}'``.

The limits: "device", a file system of 2 MB, which is mounted for this process alone and holds a ballast that is thrown
off in the end; "pages", of the file, which SQLite keeps to; "size", of any file, which the system keeps to.

Prints what was found, as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import threadstore
from threadstore import Actor, ThreadStore
from threadstore.errors import StoreError
from threadstore.model.ids import make_id

MODERATOR = Actor("m", "", "moderator")
NOW = 1_700_000_000_000


def opened(path: Path) -> ThreadStore:
    return threadstore.open(path, now=lambda: NOW)


def fill(store: ThreadStore) -> tuple[list[str], list[str]]:
    """Post until nothing goes, not even a word; return the ids that were answered, and the errors."""
    stored, errors = [], []
    for number in range(10_000):
        id = make_id(NOW, number // 4096, number)
        body = "x" * (10_000 >> min(len(errors), 13)) + f" {number}"
        try:
            stored.append(store.thread("t").post(body, by="u-1", id=id))
        except StoreError as error:
            errors.append(type(error).__name__)
            if len(errors) > 20:
                return stored, errors
    raise SystemExit("there was always room")


def outcome(call: Callable[[], object]) -> str:
    """Return "done", or the name of the store's error."""
    try:
        call()
    except StoreError as error:
        return type(error).__name__
    return "done"


def main() -> None:
    """Do what the command line asks for."""
    what = json.loads(sys.argv[1])
    folder, limit = Path(what["folder"]), what["limit"]
    if limit == "device":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], check=True)
        (folder / "ballast").write_bytes(bytes(1 << 20))
    store = opened(folder / "full.db")
    before = store.thread("before").post("before", by="u-1")
    if limit == "pages":
        with store.log.database.writing() as writer:
            writer.execute("PRAGMA max_page_count = 200")
    elif limit == "size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, resource.RLIM_INFINITY))
    stored, errors = fill(store)
    full = {
        "reading": len(list(store.log.read_all())) == len(stored) + 1,
        "viewing": store.thread("before").view().counts.total == 1,
        "verify": list(store.verify()) == [],
        "erasing": outcome(lambda: store.thread("before").erase(before, by=MODERATOR)),
        "opening": outcome(lambda: opened(folder / "full.db").close()),
        "making another": outcome(lambda: opened(folder / "another.db").close()),
        "backup": outcome(lambda: store.backup(folder / "backup.db")),
        "backup is left": (folder / "backup.db").exists(),
    }
    if limit == "device":
        (folder / "ballast").unlink()
    elif limit == "pages":
        with store.log.database.writing() as writer:
            writer.execute("PRAGMA max_page_count = 1000000")
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    places = {record.event.id: record.position for record in store.log.read_all()}
    store.thread("before").erase(before, by=MODERATOR)
    after = [store.thread("t").post(f"again {number}", by="u-1") for number in range(20)]
    store.close()
    store = opened(folder / "full.db")
    now = {record.event.id: record.position for record in store.log.read_all()}
    roomy = {
        "kept": {id: now.get(id) for id in [before, *stored]} == {id: places[id] for id in [before, *stored]},
        "nothing else came": len(now) == len(places) + 1 + len(after) or len(now) == len(places) + len(after),
        "goes on": set(after) <= set(now),
        "dense": sorted(now.values()) == [*range(1, len(now) + 1)],
        "verify": list(store.verify()) == [],
        "erased": store.thread("before").comment(before).concealed == "erased",
    }
    store.close()
    sys.stdout.write(json.dumps({"stored": len(stored), "errors": sorted(set(errors)), "full": full, "roomy": roomy}))


if __name__ == "__main__":
    main()
