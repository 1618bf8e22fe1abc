"""Whether this database is the one we last wrote, or an older copy of it: a side file outside backups tells.

The file `NAME.epoch` beside the database holds a random id that the database holds too, the file's own inode,
and how many changes the database had when we last wrote. A database that comes back without the file, with
another file, with a copy of the file, or with fewer changes than the file has seen, was restored: signatures
and promises may be missing from it, so its open deals become limited.

The count may lag behind the database (it is written after the commit, and not flushed), never run ahead.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from settlement.store.errors import StoreUnavailable

FILE_MODE = 0o600
ID_BYTES = 16
WIDTH = 20  # digits of the count, so that it can be overwritten in place


class FileEpoch:
    """The side file of one database."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".epoch")
        self._file: int | None = None

    def matches(self, id_: str, count: int) -> bool:
        """Whether the file says that a database of this id and this many changes is the newest one."""
        try:
            with self.path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                found = json.loads(file.read(4096))
            return bool(found["id"] == id_ and found["inode"] == inode and int(found["count"]) <= count)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreUnavailable(str(self.path), error.strerror or str(error)) from error
        except (ValueError, KeyError, TypeError):
            return False  # damaged: as good as none

    def renew(self) -> str:
        """Write a new file, flushed, and give its id. The database takes it over next: if we crash before that
        they differ, which is the safe side."""
        fresh = secrets.token_hex(ID_BYTES)
        try:
            file = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
            try:
                os.pwrite(file, _render(fresh, os.fstat(file).st_ino, 0), 0)
                os.fsync(file)
            finally:
                os.close(file)
            _flush_folder(self.path.parent)
        except OSError as error:
            raise StoreUnavailable(str(self.path), error.strerror or str(error)) from error
        return fresh

    def advance(self, id_: str, count: int) -> None:
        """Note that the database has had `count` changes. Failing to is harmless: the count only lags."""
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            found = json.loads(os.pread(self._file, 4096, 0))
            if found["id"] == id_ and int(found["count"]) < count:
                os.pwrite(self._file, _render(id_, found["inode"], count), 0)
        except (OSError, ValueError, KeyError, TypeError):
            return

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _render(id_: str, inode: int, count: int) -> bytes:
    return json.dumps({"id": id_, "inode": inode, "count": f"{count:0{WIDTH}d}"}).encode() + b"\n"


def _flush_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
