"""
Let a disk fail under a writer, and look what it was told: ``python child_failing.py '{"folder": …, "seed": …, "how": …, "faults": …}'``.

The n-th step on the disk fails, once or until the writer has been told twice; *how* is "full" or "failed". The writer then tries the same
again, with success, and goes on to the end; or it gives up and is killed there and then. What is left is examined as after a kill.

Prints what `child_crash.py` prints.
"""

from __future__ import annotations

import json
import pickle
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import child_writer
from child_crash import Ledger, examine, run_forked
from child_disk import Disk, Fault, die
from child_power import dump
from child_writer import SCENARIO, Job, Writer

from threadstore.errors import StoreError, StoreFull, StoreUnavailable

#: How many times a writer is told of a failure that lasts before it is lifted.
_TELLINGS = 2


class Patient(Writer):
    """A writer that tries again what could not be done."""

    def __init__(self, job: Job, say: Callable[..., None], disk: Disk, gives_up: bool) -> None:
        self._disk, self._gives_up = disk, gives_up
        super().__init__(job, say)

    def _tried(self, call: Callable[[], Any]) -> Any:
        for telling in range(1, _TELLINGS + 1):
            try:
                return call()
            except StoreError as error:
                self.say("failed", self.number, type(error).__name__)
                if self._gives_up:
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
        """Fail at every step, once and for a while, with and without a writer that tries again; or at a sample of them."""
        steps = self._live(Fault(1 << 60, self.how), False)
        cases = [
            (Fault(at, self.how, lasts), gives_up) for at in range(1, steps + 1) for lasts in (False, True) for gives_up in (False, True)
        ]
        self.figures["cases"] = len(cases)
        for fault, gives_up in self.rng.sample(cases, min(self.faults, len(cases))):
            self._live(fault, gives_up)
            self.figures["faults"] += 1
            if self.figures["faults"] % 20 == 0:
                print(json.dumps({"done": self.figures["faults"], "of": min(self.faults, len(cases))}), flush=True)
            if self.complaints:
                break
        return {"complaints": self.complaints[:20], **self.figures}

    def _live(self, fault: Fault, gives_up: bool) -> int:
        """Let a writer live with a fault, look what is left, and return how many steps it took."""
        for file in self.folder.glob("*.db*"):
            file.unlink()
        path = self.folder / f"{self.figures['faults']}.db"
        job = Job(str(path), self.seed, 0, "full", fault, "disk", SCENARIO)
        life = run_forked(lambda pipe: self._write(job, pipe, gives_up))
        ledger = Ledger()
        ledger.hear(life.said)
        if life.end not in ("ended", "killed"):
            self.complaints.append(f"{fault}, {gives_up=}: the writer {life.end}")
        told = [error for error in (json.loads(line)[2] for line in life.said.splitlines() if line.startswith(b'["failed"'))]
        expected = {"full": StoreFull, "failed": StoreUnavailable}[self.how].__name__
        if set(told) - {expected}:
            self.complaints.append(f"{fault}, {gives_up=}: the writer was told {told}")
        self.figures[expected] += bool(told)
        looked = run_forked(lambda pipe: dump(examine(path, ledger).complaints, pipe))
        complaints = pickle.loads(looked.said) if looked.end == "ended" else [f"the examiner {looked.end}"]
        self.complaints += [f"{fault}, {gives_up=}: {complaint}" for complaint in complaints]
        return ledger.steps

    def _write(self, job: Job, pipe: int, gives_up: bool) -> None:
        disk = Disk()
        assert disk.install()
        disk.fault, disk.counts_reads = job.fault, self.how == "failed"
        say = child_writer.sayer(pipe)
        writer = Patient(job, say, disk, gives_up)
        writer.run()
        writer.close()
        say("steps", disk.steps)


if __name__ == "__main__":
    print(json.dumps(Failing(**json.loads(sys.argv[1])).run()), flush=True)
