"""
Search for inputs that break something: atheris, which is libFuzzer for Python, over the targets of targets.py.

    python tests/fuzz/fuzz.py                  every target, one after the other
    python tests/fuzz/fuzz.py codec cursor     some of them
    python tests/fuzz/fuzz.py --one codec …    one target in this process, with libFuzzer's own options

FUZZ_SECONDS says how long each is searched (default 60). What was found interesting is kept in .fuzz/corpus/ and taken up by the
next run; an input that breaks something is written to .fuzz/found/ and printed, and the program ends with 1.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT = HERE.parents[1] / ".fuzz"
TARGETS = ("codec", "cursor", "command", "mentions", "quotes")

#: Bounds on one input: seconds, megabytes, and its own length. Beyond them libFuzzer reports it like a crash.
OPTIONS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1", "-report_slow_units=5")

_PROGRESS = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+)").search
_FINAL = re.compile(r"stat::number_of_executed_units:\s+(\d+)").search


def one(target: str, options: list[str]) -> None:
    """Search one target in this process, which libFuzzer ends."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed; `make fuzz` installs it, where there is a wheel for this Python")
    sys.path.insert(0, str(HERE))
    with atheris.instrument_imports(include=["threadstore", "targets"], enable_loader_override=False):
        import targets
    folder = KEPT / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(targets.SEEDS[target]):
        (folder / f"seed-{number:03}").write_bytes(seed)
    try_one = targets.TARGETS[target]

    def run(data: bytes) -> None:
        try_one(data)

    atheris.Setup([sys.argv[0], *options, str(folder)], run)
    atheris.Fuzz()


def search(target: str, seconds: int) -> tuple[int, bool]:
    """Search one target in a process of its own, and return how many inputs were tried and whether any broke something."""
    found = KEPT / "found"
    found.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        __file__,
        "--one",
        target,
        f"-max_total_time={seconds}",
        f"-artifact_prefix={found}/{target}-",
        *OPTIONS,
    ]
    tried, said, last = 0, 0.0, [""] * 40
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as child:
        assert child.stdout is not None
        for line in child.stdout:
            last = [*last[1:], line]
            if done := _PROGRESS(line):
                tried = int(done[1])
                if time.monotonic() - said > 1:
                    said = time.monotonic()
                    print(f"\r{target}: {tried} inputs, {done[2]} places reached in {done[3]} ways ", end="", flush=True)
            elif done := _FINAL(line):
                tried = int(done[1])
    print(f"\r{target}: {tried} inputs in {seconds} s, {'nothing found' if not child.returncode else 'BROKEN'}" + " " * 30)
    if child.returncode:
        print("".join(last))
    return tried, bool(child.returncode)


def main(arguments: list[str]) -> int:
    """Run the program and return its exit status."""
    if arguments[:1] == ["--one"]:
        one(arguments[1], arguments[2:])
    unknown = set(arguments) - set(TARGETS)
    if unknown:
        print(f"there is no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    seconds = int(os.environ.get("FUZZ_SECONDS") or 60)
    results = {target: search(target, seconds) for target in arguments or TARGETS}
    print(f"{sum(tried for tried, _ in results.values())} inputs to {len(results)} targets")
    return int(any(broken for _, broken in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
