"""
A disk that can be watched, can fail, and can kill the process: SQLite's own file system with our steps in between.

SQLite does all its work on files through a table of functions (sqlite.org/vfs.html). `Disk.install` registers a copy of
the usual table in which four kinds of steps go through `Disk`: write, truncate, sync and delete. So a fault may be put
before, after or into the n-th step that reaches the operating system, whichever statement led to it; and what was
written, and when it was synced, can be recorded, from which `states_after_power_loss` makes what the disk may hold if
the power fails.

Only for child processes: the table stays in place until the process ends.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import random
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

OK, IOERR_READ, IOERR_WRITE, IOERR_SYNC, IOERR_TRUNCATE, IOERR_DELETE, FULL = 0, 266, 778, 1034, 1546, 2570, 13

_SECTOR = 512
#: Files whose first sync syncs their directory, too: journals that are created (SQLITE_OPEN_CREATE with a journal's kind).
_CREATE, _JOURNALS = 0x4, 0x800 | 0x4000 | 0x80000

_Open = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_Delete = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_Move = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)  # xRead and xWrite
_Truncate = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`."""

    _fields_ = (
        ("version", ctypes.c_int),
        *((name, ctypes.c_void_p) for name in ("close", "read", "write", "truncate", "sync")),
        ("rest", ctypes.c_void_p * 13),
    )


class _File(ctypes.Structure):
    """`sqlite3_file`."""

    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("max_path", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
        ("delete", ctypes.c_void_p),
        ("rest", ctypes.c_void_p * 14),
    )


class Step(NamedTuple):
    """
    One step on a file.

    Its kind is "write", "truncate" (to *offset*), "sync", "delete" (at once for certain if *offset*), "sync directory",
    which makes earlier deletions certain, or "mark" for a word of the program's own.
    """

    kind: str
    file: str
    offset: int = 0
    data: bytes = b""


class Fault(NamedTuple):
    """
    What befalls the disk at the step *at*, counted from 1.

    *how* is "kill before", "kill amid", "kill after", or an error: "full" befalls writes alone, "failed" any step. Half
    of a write is done, as a full device does. With *lasts* the steps that follow fail, too.
    """

    at: int
    how: str
    lasts: bool = False


class Disk:
    """What the file system does: counts the steps, records them if asked, and fails when it is told to."""

    def __init__(self) -> None:
        self.steps = 0
        self.failed = 0
        self.fault: Fault | None = None
        self.failing: str | None = None
        """While set, every step fails in this way."""
        self.counts_reads = False
        """Whether reading a file is a step, too."""
        self.recorded: list[Step] | None = None
        self._names: dict[int, str] = {}
        self._created: set[int] = set()
        self._kept: list[Any] = []
        self._methods: dict[int, _Methods] = {}

    def install(self) -> bool:
        """Make it SQLite's file system; False if this Python's SQLite can not be reached."""
        try:
            library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
            library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
            [usual] = library.sqlite3_vfs_find(None)[:1]
        except (AttributeError, OSError, ValueError):
            return False
        if usual.version < 1 or usual.name != b"unix":
            return False
        self._vfs = _Vfs.from_buffer_copy(usual)
        self._vfs.name = b"watched"
        self._usual_open, self._usual_delete = _Open(usual.open), _Delete(usual.delete)
        self._vfs.open = self._keep(_Open(self._open))
        self._vfs.delete = self._keep(_Delete(self._delete))
        return library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1) == OK

    def mark(self, word: str) -> None:
        """Note in the record how far the program has come."""
        if self.recorded is not None:
            self.recorded.append(Step("mark", word))

    def _keep(self, function: Any) -> int | None:
        self._kept.append(function)
        return ctypes.cast(function, ctypes.c_void_p).value

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        code = self._usual_open(vfs, name, file, flags, out)
        handle = _File.from_address(file)
        if code == OK and handle.methods:
            self._names[file] = os.fsdecode(ctypes.string_at(name)) if name else ""
            self._created.discard(file)
            if flags & _CREATE and flags & _JOURNALS:
                self._created.add(file)
            address = ctypes.addressof(handle.methods.contents)
            if address not in self._methods:
                self._methods[address] = self._watched(handle.methods.contents)
            handle.methods = ctypes.pointer(self._methods[address])
        return code

    def _watched(self, usual: _Methods) -> _Methods:
        methods = _Methods.from_buffer_copy(usual)
        read, write, truncate, sync = _Move(usual.read), _Move(usual.write), _Truncate(usual.truncate), _Sync(usual.sync)

        def on_read(file: int, buffer: int, count: int, offset: int) -> int:
            if self.counts_reads:
                return self._step(Step("read", self._names[file]), lambda: read(file, buffer, count, offset), IOERR_READ)
            return read(file, buffer, count, offset)

        def on_write(file: int, buffer: int, count: int, offset: int) -> int:
            def half() -> int:
                return write(file, buffer, count // 2, offset)

            step = Step("write", self._names[file], offset, ctypes.string_at(buffer, count) if self.recorded is not None else b"")
            return self._step(step, lambda: write(file, buffer, count, offset), IOERR_WRITE, half)

        def on_truncate(file: int, size: int) -> int:
            return self._step(Step("truncate", self._names[file], size), lambda: truncate(file, size), IOERR_TRUNCATE)

        def on_sync(file: int, flags: int) -> int:
            code = self._step(Step("sync", self._names[file]), lambda: sync(file, flags), IOERR_SYNC)
            if code == OK and file in self._created and self.recorded is not None:
                self._created.discard(file)
                self.recorded.append(Step("sync directory", os.path.dirname(self._names[file])))
            return code

        methods.read, methods.write = self._keep(_Move(on_read)), self._keep(_Move(on_write))
        methods.truncate, methods.sync = self._keep(_Truncate(on_truncate)), self._keep(_Sync(on_sync))
        return methods

    def _delete(self, vfs: int, name: int, sync: int) -> int:
        step = Step("delete", os.fsdecode(ctypes.string_at(name)), sync)
        return self._step(step, lambda: self._usual_delete(vfs, name, sync), IOERR_DELETE)

    def _step(self, step: Step, do: Callable[[], int], error: int, half: Callable[[], int] | None = None) -> int:
        self.steps += 1
        fault = self.fault if self.fault and self.fault.at == self.steps else None
        how = fault.how if fault else self.failing
        if fault and fault.lasts:
            self.failing = fault.how
        if how == "kill before":
            die()
        if how == "kill amid":
            if half:
                half()
            die()
        if how == "full" and half is None:
            how = None  # what takes no room goes on
        if how in ("full", "failed"):
            self.failed += 1
            if half:
                half()
            return FULL if how == "full" else error
        code = do()
        if self.recorded is not None and code == OK:
            self.recorded.append(step)
        if how == "kill after":
            die()
        return code


def die() -> None:
    """End this process without a chance to clean up."""
    os.kill(os.getpid(), signal.SIGKILL)


# --- the loss of power --------------------------------------------------------------------------------------------------------


def states_after_power_loss(steps: list[Step], moment: int, rng: random.Random, count: int) -> Iterator[dict[str, bytes]]:
    """
    Yield *count* contents of the disk that are possible if the power fails after the first *moment* steps.

    What was synced is there. Of each later step on a file any may be done or not, since the system and the device write
    in any order; a write may be done sector by sector. The first state has none of them, the second has all.
    """
    done = [step for step in steps[:moment] if step.kind != "mark"]
    synced = {step.file: number for number, step in enumerate(done) if step.kind == "sync"}
    listed = max((number for number, step in enumerate(done) if step.kind == "sync directory"), default=-1)
    for number in range(count):
        likely = (0.0, 1.0)[number] if number < 2 else rng.random()
        files: dict[str, bytearray] = {}
        for place, step in enumerate(done):
            is_deleted = step.kind == "delete" and (step.offset or place < listed)
            is_certain = is_deleted or (step.kind != "delete" and place <= synced.get(step.file, -1))
            _redo(files, step, rng, 1.0 if is_certain else likely)
        yield {name: bytes(content) for name, content in files.items()}


def _redo(files: dict[str, bytearray], step: Step, rng: random.Random, likely: float) -> None:
    """Do a step again, as far as chance lets it."""
    if step.kind == "write":
        for start, sector in _sectors(step):
            if rng.random() < likely:
                content = files.setdefault(step.file, bytearray())
                content.extend(bytes(max(0, start + len(sector) - len(content))))
                content[start : start + len(sector)] = sector
    elif rng.random() < likely:
        if step.kind == "truncate":
            content = files.setdefault(step.file, bytearray())
            content.extend(bytes(max(0, step.offset - len(content))))
            del content[step.offset :]
        elif step.kind == "delete":
            files.pop(step.file, None)
        elif step.kind == "sync":
            files.setdefault(step.file, bytearray())


def _sectors(step: Step) -> Iterable[tuple[int, bytes]]:
    """Yield a write in the pieces that a device writes whole, with their places."""
    start, end = step.offset, step.offset + len(step.data)
    while start < end:
        stop = min(end, (start // _SECTOR + 1) * _SECTOR)
        yield start, step.data[start - step.offset : stop - step.offset]
        start = stop
