"""One driver per database: a lock on a side file, held by the process that drives the deals.

The kernel lets go of it when the process ends, however it ends; a process that is only paused keeps it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from settlement.store.errors import DatabaseInUse, StoreUnavailable

FILE_MODE = 0o600


class DriverLock:
    """The lock beside `database`. The side file is never removed: two files would be two locks."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.path = database.with_name(database.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock at once. Raises DatabaseInUse naming who has it, StoreUnavailable."""
        try:
            file = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise StoreUnavailable(str(self.path), error.strerror or str(error)) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = _holder(file)
            os.close(file)
            raise DatabaseInUse(str(self.database), holder) from error
        except OSError as error:
            os.close(file)
            raise StoreUnavailable(str(self.path), error.strerror or str(error)) from error
        self._file = file

    @property
    def held(self) -> bool:
        return self._file is not None

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _holder(file: int) -> int:
    """The pid written by the holder; 0 if it has not written it yet."""
    digits = os.pread(file, 20, 0).split(b"\n")[0]
    return int(digits) if digits.isdigit() else 0
