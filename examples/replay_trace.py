"""
Load a real discussion into a store, and read it back.

    python examples/replay_trace.py                                    a small made-up one
    python examples/replay_trace.py trace.jsonl.gz --order top         the format is told in threadstore.testing.traces
    python examples/replay_trace.py trace.jsonl --store kept.db        keep the file; loading again adds nothing

Shows a page of the thread with the most events, and how long each step took.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import shorten

import threadstore
from threadstore import CommentView, Event, StoredThread, ThreadStore, ThreadStoreError
from threadstore.model.ranking import ORDERS
from threadstore.testing.traces import TRACE_POLICY, MalformedTrace, events_of, read_trace, small_thread


def with_progress(events: list[Event]) -> Iterable[Event]:
    """Return the events with a progress bar on stderr, where tqdm is there to draw one."""
    try:
        from tqdm import tqdm
    except ImportError:
        print("no progress bar: pip install 'threadstore[progress]'", file=sys.stderr)
        return events
    bar: Iterable[Event] = tqdm(events, desc="merging", unit=" events", unit_scale=True)
    return bar


def load(store: ThreadStore, events: list[Event]) -> None:
    begin = time.perf_counter()
    new = store.merge(with_progress(events))
    took = time.perf_counter() - begin
    print(f"{len(events):,} events, {new:,} of them new, merged in {took:.2f} s")


def lines(comment: CommentView) -> Iterator[str]:
    """Yield a comment in two lines, then its replies on this page, and how many are not."""
    indent = "    " * comment.depth
    votes = "".join(f"  {kind} {count}" for kind, count in comment.reactions.items())
    author = "(lost)" if comment.concealed == "missing" else comment.author.name if comment.author else "Anonymous"
    yield f"{indent}{author}{votes}"
    if comment.concealed != "missing":
        text = f"[{comment.concealed}]" if comment.body is None else comment.body
        yield f"{indent}  {shorten(text, 70, placeholder=' …')}"
    for reply in comment.replies:
        yield from lines(reply)
    if comment.left:
        yield f"{indent}    … {comment.left} more"


def show(thread: StoredThread, order: str, limit: int) -> None:
    begin = time.perf_counter()
    page = thread.view(order=order, limit=limit)
    took = time.perf_counter() - begin
    print(f"{page.thread}, order {page.order}, read in {took * 1_000:.1f} ms\n")
    counts = page.counts
    print(f"Comments ({counts.top_level})")
    print(f"{counts.total:,} in all, {counts.replies:,} of them replies; {counts.pending:,} pending, {counts.hidden:,} hidden\n")
    for comment in page.comments:
        print(*lines(comment), sep="\n")
    if page.left:
        print(f"… {page.left:,} more at the top level")


def events_from(path: str | None) -> list[Event]:
    if path is None:
        return list(events_of(small_thread()))
    return list(events_of(read_trace(path), source=Path(path).name.partition(".")[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Load a trace of a discussion into a store and show a page of it.")
    parser.add_argument("trace", nargs="?", help="a file of JSON lines, plain or gzipped; by default a made-up thread")
    parser.add_argument("--store", metavar="PATH", help="the SQLite file to load into; by default one that is removed")
    parser.add_argument("--order", choices=ORDERS, default="oldest", help="how the top level is sorted (%(default)s)")
    parser.add_argument("--limit", type=int, default=5, help="how many top-level comments to show (%(default)s)")
    options = parser.parse_args()
    if not 1 <= options.limit <= 1_000:
        parser.error("--limit must be from 1 to 1000")
    events = events_from(options.trace)
    if not events:
        raise MalformedTrace(options.trace, 1, "the file holds no comment")
    with tempfile.TemporaryDirectory() as folder:
        target = options.store or Path(folder, "trace.db")
        with threadstore.open(target, policy=TRACE_POLICY, durability="normal") as store:
            load(store, events)
            [(largest, _)] = Counter(event.thread for event in events).most_common(1)
            show(store.thread(largest), options.order, options.limit)


if __name__ == "__main__":
    try:
        main()
    except (OSError, MalformedTrace, ThreadStoreError) as error:
        print(f"replay_trace: {error}", file=sys.stderr)
        sys.exit(2)
