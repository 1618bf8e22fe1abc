"""Whether a shared database is the newest state of it: what one daemon remembers, outside the database.

The database's id begins with the time at which it was given, so of two ids one is newer. Each daemon notes, in a
file of its own, the newest id it has met and how many changes the database had then. A database with an older id,
or with fewer changes, was restored. A daemon without such a file takes the database's word for it.

The count is written after the commit, and not flushed: it may lag behind, never run ahead.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from pathlib import Path

from settlement.store.errors import StoreUnavailable

FILE_MODE = 0o600
STAMP = 16  # hex digits of the time, milliseconds
WIDTH = 20  # digits of the count
DAMAGED = "~"  # sorts after every id: whatever is found counts as restored


class SharedEpoch:
    """The memory of one daemon, in the file `path`; nothing is remembered where that is None."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._known: tuple[str, int] | None = None

    def matches(self, id_: str, count: int) -> bool:
        if not id_:
            return False
        known = self._known or self._read()
        if known is None:
            return True
        return id_[:STAMP] > known[0][:STAMP] or (id_ == known[0] and count >= known[1])

    def renew(self) -> str:
        known = self._known or self._read()
        newest = 0 if known is None or known[0] == DAMAGED else int(known[0][:STAMP], 16)
        stamp = max(time.time_ns() // 1_000_000, newest + 1)
        fresh = f"{stamp:0{STAMP}x}{secrets.token_hex(8)}"
        self._note(fresh, 0, flush=True)
        return fresh

    def advance(self, id_: str, count: int) -> None:
        known = self._known
        if known is not None and id_ == known[0] and count <= known[1]:
            return
        try:
            self._note(id_, count, flush=known is None or known[0] != id_)
        except StoreUnavailable:
            return  # the count only lags

    def close(self) -> None:
        """Nothing is kept open."""

    def _read(self) -> tuple[str, int] | None:
        if self.path is None:
            return None
        try:
            found = json.loads(self.path.read_text())
            return str(found["id"]), int(found["count"])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(str(self.path), error.strerror or str(error)) from error
        except (ValueError, KeyError, TypeError):
            return DAMAGED, 0

    def _note(self, id_: str, count: int, *, flush: bool) -> None:
        self._known = (id_, count)
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE)
            try:
                text = json.dumps({"id": id_, "count": f"{count:0{WIDTH}d}"}) + "\n"
                os.ftruncate(file, os.pwrite(file, text.encode(), 0))
                if flush:
                    os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise StoreUnavailable(str(self.path), error.strerror or str(error)) from error
