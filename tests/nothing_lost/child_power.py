"""
Let the power fail, and look what is left: ``python child_power.py '{"folder": …, "seed": …, "way": …, "losses": …,
…}'``.

The ways:

- "cut": the write-ahead log (WAL) ends after any number of bytes. With *step*, after every so many.
- "torn": bytes of it are overwritten, with chance's bytes, zeros, or older frames.
- "lost": what a writer did to its files is recorded, and when it synced them. If the power fails, what was synced is
  there, and of what was not, any part; with *durability* "full" everything acknowledged must be there, with "normal" a
  beginning of whole batches.

Prints what `child_crash.py` prints.
"""

from __future__ import annotations

import os
import pickle
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from child_crash import Ledger, Look, examine, is_erasure, main, run_forked, tell
from child_disk import Step, die, states_after_power_loss
from child_writer import SCENARIO, Job, Writer, write

import threadstore
from threadstore.log.protocol import Record


class Power:
    """Fails in one way, as often as is asked for, and adds up what was found."""

    def __init__(self, folder: str, seed: int, way: str, losses: int = 1 << 30, step: int = 1, durability: str = "full") -> None:
        self.folder, self.seed, self.way, self.losses, self.step = Path(folder), seed, way, losses, step
        self.durability = durability
        self.rng = random.Random(seed)
        self.figures: Counter[str] = Counter(losses=0)
        self.complaints: list[str] = []

    def run(self) -> dict[str, Any]:
        """Let the power fail, until a promise is found broken."""
        ways: dict[str, Callable[[], Iterator[int]]] = {"cut": self._cut, "torn": self._tear, "lost": self._lose}
        for of in ways[self.way]():
            self.figures["losses"] += 1
            if self.figures["losses"] % 100 == 0:
                tell({"done": self.figures["losses"], "of": of})
            if self.complaints:
                break
        return {"complaints": self.complaints[:20], **self.figures}

    # --- a damaged WAL --------------------------------------------------------------------------------------------------------

    def _written(self) -> tuple[bytes, bytes, list[tuple[int, int]], list[Record]]:
        """
        Return a file and its WAL as a killed writer left them, where each commit in it ends with how many events, and
        all events.
        """
        path = self.folder / "written.db"

        def body(pipe: int) -> None:
            def say(*words: Any) -> None:
                if words[0] == "at":
                    print_to(pipe, os.stat(f"{path}-wal").st_size, max(words[2]))

            write(Job(str(path), self.seed, kinds=("post", "reply", "merge", "erase")), os.open(os.devnull, os.O_WRONLY))
            writer = Writer(Job(str(path), self.seed + 1, 0, "normal", kinds=("post", "moderate", "orphan", "edit")), say)
            print_to(pipe, 0, writer.store.log.position())
            writer.run()
            die()

        life = run_forked(body)
        assert life.end == "killed"
        file, wal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
        commits = [(int(size), int(count)) for size, count in (line.split() for line in life.said.splitlines())]
        assert commits[-1][0] <= len(wal)
        with threadstore.open(path) as store:
            records = list(store.log.read_all())
        return file, wal, commits, records

    def _cut(self) -> Iterator[int]:
        file, wal, commits, records = self._written()
        ends = {place for end, _ in commits for place in range(max(end - 2, 0), end + 3)}
        places = sorted({*range(0, len(wal) + 1, self.step), *ends} & {*range(len(wal) + 1)})
        self.figures["bytes of the WAL"], self.figures["commits in it"] = len(wal), len(commits) - 1
        for place in places:
            self._look(f"cut at {place}", file, wal[:place], place, commits, records, thoroughly=place in ends)
            yield len(places)

    def _tear(self) -> Iterator[int]:
        file, wal, commits, records = self._written()
        for _ in range(self.losses):
            start = self.rng.randrange(len(wal))
            length = min(self.rng.choice([1, 4, 24, 512, 4096, 10_000]), len(wal) - start)
            older = self.rng.randrange(len(wal) - length + 1)
            torn = self.rng.choice([self.rng.randbytes(length), bytes(length), wal[older : older + length]])
            damaged = wal[:start] + torn + wal[start + length :]
            first = next((place for place in range(start, start + length) if wal[place] != damaged[place]), len(wal))
            self._look(f"{length} bytes torn at {start}", file, damaged, first, commits, records, thoroughly=True)
            yield self.losses

    def _look(
        self,
        what: str,
        file: bytes,
        wal: bytes,
        sound: int,
        commits: list[tuple[int, int]],
        records: list[Record],
        *,
        thoroughly: bool,
    ) -> None:
        """The commits that end within the *sound* bytes are there, and no part of any other; and writing goes on."""
        path = self.folder / "left.db"
        for old in self.folder.glob("left.db*"):
            old.unlink()
        path.write_bytes(file)
        Path(f"{path}-wal").write_bytes(wal)
        expected = records[: max(count for end, count in commits if end <= sound)]
        with threadstore.open(path, durability="off") as store:
            found = list(store.log.read_all())
            self._expect(found == expected, f"{what}: {len(found)} events are there and not {len(expected)}")
            store.thread("new").post("It goes on.", by="u-1")
            self._expect(store.log.position() == len(expected) + 1, f"{what}: a new event is at {store.log.position()}")
            self._expect(not thoroughly or not list(store.verify()), f"{what}: verify finds damage")
        if thoroughly:
            with threadstore.open(path, durability="off") as store:
                self._expect(list(store.log.read_all())[:-1] == expected, f"{what}: opening again changes what is there")

    def _expect(self, holds: bool, complaint: str) -> None:
        if not holds:
            self.complaints.append(complaint)

    # --- what was not synced --------------------------------------------------------------------------------------------------

    def _lose(self) -> Iterator[int]:
        path = self.folder / "written.db"
        life = run_forked(lambda pipe: write(Job(str(path), self.seed, 0, self.durability, None, "recorded", SCENARIO), pipe))
        assert life.end == "ended", life.end
        steps: list[Step] = pickle.loads(Path(f"{path}.steps").read_bytes())
        whole = Ledger()
        whole.hear(life.said)
        moments = range(1, len(steps) + 1)
        self.figures["steps on the disk"] = len(steps)
        chosen = sorted(self.rng.choices(moments, k=self.losses // 3)) if self.losses // 3 < len(moments) else moments
        for moment in chosen:
            for files in states_after_power_loss(steps, moment, self.rng, 3):
                self._look_at_lost(f"power lost after step {moment}", steps[:moment], files, whole)
                yield 3 * len(chosen)

    def _look_at_lost(self, what: str, steps: list[Step], files: dict[str, bytes], whole: Ledger) -> None:
        for old in self.folder.glob("written.db*"):
            old.unlink()
        for name, content in files.items():
            Path(name).write_bytes(content)
        path = self.folder / "written.db"
        ledger = Ledger()
        ledger.hear("".join(step.file + "\n" for step in steps if step.kind == "mark").encode())
        if self.durability == "full":
            life = run_forked(lambda pipe: dump(examine(path, ledger, erased_when_killed=False).complaints, pipe))
        else:
            life = run_forked(lambda pipe: dump(self._beginning(path, ledger, whole), pipe))
        complaints = pickle.loads(life.said) if life.end == "ended" else [f"the examiner {life.end}"]
        self.complaints += [f"{what}: {complaint}" for complaint in complaints]

    def _beginning(self, path: Path, ledger: Ledger, whole: Ledger) -> list[str]:
        """What was written last may be lost, but only in whole batches, and what is left is sound."""
        look = Look(path, ledger)
        ids = {position: id for id, position in whole.promised.items()}
        ends = {max(batch.positions) for batch in whole.batches if batch.positions}
        ledger.promised.clear()
        with look.opened() as store:
            look.at_bytes("once opened", filter(is_erasure, store.export()))
            look.at_records(store)
            look.at_threads(store)
            look.expect(all(record.event.id == ids[record.position] for record in look.records), "there is something else")
            look.expect(len(look.records) in {0, *ends}, f"there are {len(look.records)} events: a part of a batch")
            store.thread("new").post("It goes on.", by="u-1")
            look.expect(store.log.position() == len(look.records) + 1, "a new event is not at the end")
        return look.complaints


def print_to(pipe: int, *words: object) -> None:
    """Write a line."""
    os.write(pipe, " ".join(map(str, words)).encode() + b"\n")


def dump(what: object, pipe: int) -> None:
    """Write an object."""
    with os.fdopen(pipe, "wb") as stream:
        pickle.dump(what, stream)


if __name__ == "__main__":
    main(Power)
