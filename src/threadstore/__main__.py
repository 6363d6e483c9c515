"""
The command line: ``python -m threadstore verify FILE``.

It prints a line for each damage found, and a last one that sums up. It exits with 0 if all is well, 1 if something is
damaged, and 2 if the file cannot be examined at all.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from threadstore.errors import ThreadStoreError
from threadstore.log.protocol import Damage
from threadstore.store.store import open as open_store

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments* (by default those of the process) ask for, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m threadstore", description="Look after a store.")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="check every record, thread and row of a store; repair nothing")
    verify.add_argument("file", help="the SQLite file of the store")
    given = parser.parse_args(arguments)
    try:
        return _verify(given.file)
    except ThreadStoreError as error:
        print(f"{given.file}: {error}", file=sys.stderr)
        return 2


def _verify(file: str) -> int:
    if not os.path.exists(file):  # opening would make it
        print(f"{file}: there is no such file", file=sys.stderr)
        return 2
    found = 0
    with open_store(file) as store:
        for damage in store.verify():
            found += 1
            print(_line(damage))
        events, threads = store.log.position(), sum(1 for _ in store.threads())
    print(f"{file}: {events} events in {threads} threads, {found or 'no'} damage found")
    return 1 if found else 0


def _line(damage: Damage) -> str:
    where = "" if damage.position is None else f" at position {damage.position}"
    whose = "" if damage.thread is None else f" in thread {damage.thread!r}"
    return f"{damage.kind}{where}{whose}: {damage.why}"


if __name__ == "__main__":
    sys.exit(main())
