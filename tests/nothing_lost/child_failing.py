"""
Let a disk fail under a writer, and look what it was told: ``python child_failing.py '{"folder": …, "seed": …, "how": …,
"faults": …}'``.

The n-th step on the disk fails, once or until the writer has been told twice; *how* is "full" or "failed". The writer
then gives up and is killed there and then; or it tries the same again, with success, and is killed as soon as it has
its answer; or it goes on to the end. What is left is examined as after a kill.

Prints what `child_crash.py` prints.
"""

from __future__ import annotations

import json
import pickle
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import child_writer
from child_crash import Ledger, examine, main, run_forked, tell
from child_disk import Disk, Fault, die
from child_power import dump
from child_writer import SCENARIO, Job, Writer

from threadstore.errors import StoreError, StoreFull, StoreUnavailable

#: How many times a writer is told of a failure that lasts before it is lifted.
_TELLINGS = 2


class Patient(Writer):
    """A writer that tries again what could not be done; *then* says what comes of it."""

    def __init__(self, job: Job, pipe: int, disk: Disk, then: str) -> None:
        self._disk, self._then, self._was_told = disk, then, False
        self._say = child_writer.sayer(pipe)
        super().__init__(job, self._answer)

    def _answer(self, *words: Any) -> None:
        self._say(*words)
        if words[0] == "done" and self._was_told and self._then == "dies":
            die()

    def _tried(self, call: Callable[[], Any]) -> Any:
        for telling in range(1, _TELLINGS + 1):
            try:
                return call()
            except StoreError as error:
                self._say("failed", self.number, type(error).__name__)
                self._was_told = True
                if self._then == "gives up":
                    die()
                if not self._disk.fault or not self._disk.fault.lasts or telling == _TELLINGS:
                    self._disk.failing = self._disk.fault = None
        return call()


class Failing:
    """Lets the disk fail as often as is asked for, and adds up what was found."""

    def __init__(self, folder: str, seed: int, how: str, faults: int) -> None:
        self.folder, self.seed, self.how, self.faults = Path(folder), seed, how, faults
        self.rng = random.Random(seed)
        self.figures: Counter[str] = Counter(faults=0)
        self.complaints: list[str] = []

    def run(self) -> dict[str, Any]:
        """Fail at every step, once and for a while, whatever comes of it; or at a sample of them."""
        steps = self._live(Fault(1 << 60, self.how), "goes on")
        cases = [
            (Fault(at, self.how, lasts), then)
            for at in range(1, steps + 1)
            for lasts in (False, True)
            for then in ("gives up", "dies", "goes on")
        ]
        self.figures["cases"] = len(cases)
        for fault, then in self.rng.sample(cases, min(self.faults, len(cases))):
            self._live(fault, then)
            self.figures["faults"] += 1
            if self.figures["faults"] % 20 == 0:
                tell({"done": self.figures["faults"], "of": min(self.faults, len(cases))})
            if self.complaints:
                break
        return {"complaints": self.complaints[:20], **self.figures}

    def _live(self, fault: Fault, then: str) -> int:
        """Let a writer live with a fault, look what is left, and return how many steps it took."""
        for file in self.folder.glob("*.db*"):
            file.unlink()
        path = self.folder / f"{self.figures['faults']}.db"
        job = Job(str(path), self.seed, 0, "full", fault, "disk", SCENARIO)
        life = run_forked(lambda pipe: self._write(job, pipe, then))
        ledger = Ledger()
        ledger.hear(life.said)
        if life.end not in ("ended", "killed"):
            self.complaints.append(f"{fault}, {then=}: the writer {life.end}")
        told = [json.loads(line)[2] for line in life.said.splitlines() if line.startswith(b'["failed"')]
        expected = {"full": StoreFull, "failed": StoreUnavailable}[self.how].__name__
        if set(told) - {expected}:
            self.complaints.append(f"{fault}, {then=}: the writer was told {told}")
        self.figures[expected] += bool(told)
        looked = run_forked(lambda pipe: dump(examine(path, ledger).complaints, pipe))
        complaints = pickle.loads(looked.said) if looked.end == "ended" else [f"the examiner {looked.end}"]
        self.complaints += [f"{fault}, {then=}: {complaint}" for complaint in complaints]
        return ledger.steps

    def _write(self, job: Job, pipe: int, then: str) -> None:
        disk = Disk()
        assert disk.install(), "this Python's SQLite can not be reached"
        disk.fault, disk.counts_reads = job.fault, self.how == "failed"
        writer = Patient(job, pipe, disk, then)
        writer.run()
        writer.close()
        writer.say("steps", disk.steps)


if __name__ == "__main__":
    main(Failing)
