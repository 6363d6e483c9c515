"""
A form that is sent twice posts once, however long it was open.

threadstore makes a repeated request the same event if it brings the same `id=`; but an id must be fresh (within
`Policy.max_clock_skew` of now), and a form may be open for an hour. So a form carries a random token, and the id is minted when
the token is first sent. Which id belongs to which token is kept in a small SQLite file beside the comments, so that it holds
between processes and after a restart. Whatever happens between the claim and the answer, the same token leads to the same id,
and the same id to one comment.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from threadstore import StaleId
from threadstore.model.ids import NIL, HybridClock

__all__ = ["Once", "new_token"]

_KEPT_SECONDS: Final = 7 * 24 * 3600


def new_token() -> str:
    """Return the token of a new form."""
    return secrets.token_hex(16)


def is_token(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


class Once:
    """Remembers which id a form's event bears."""

    def __init__(self, path: str, now: Callable[[], int]) -> None:
        self._lock = Lock()
        self._clock = HybridClock(now, secrets.randbits)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS sent (form TEXT PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL) STRICT")
        self._db.execute("DELETE FROM sent WHERE at < ?", (int(time.time()) - _KEPT_SECONDS,))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __call__(self, sender: str, token: str, do: Callable[[str], str], *, after: str = NIL) -> str:
        """
        Call *do* with the id for this form, and return what it returns.

        Args:
            sender: Whose form it is; nobody can claim another's token.
            token: What the form carried; anything that is no token counts as a new form.
            do: Writes an event under the id that it is given.
            after: An id that the event must follow, such as that of the comment replied to.
        """
        form = f"{sender} {token if is_token(token) else new_token()}"
        id = self._claim(form, after)
        try:
            return do(id)
        except StaleId:  # claimed a while ago, and never used: it was refused then, or the process died
            return do(self._claim(form, after, instead_of=id))

    def _claim(self, form: str, after: str, *, instead_of: str | None = None) -> str:
        with self._lock:
            fresh = (self._clock.mint(after=after), int(time.time()))
            if instead_of is None:
                self._db.execute("INSERT OR IGNORE INTO sent (id, at, form) VALUES (?, ?, ?)", (*fresh, form))
            else:
                self._db.execute("UPDATE sent SET id = ?, at = ? WHERE form = ? AND id = ?", (*fresh, form, instead_of))
            [(id,)] = self._db.execute("SELECT id FROM sent WHERE form = ?", (form,)).fetchall()
            return str(id)
