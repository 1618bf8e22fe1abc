"""What can go wrong with the stored state. None of these leaves anything half-written."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import StrikelockError


@dataclass(eq=False)
class StoreError(StrikelockError):
    """The stored state can't be used as asked."""


@dataclass(eq=False)
class StoreUnavailable(StoreError):
    """The database can't be read or written now: disk full, read-only, gone. The call had no effect."""

    database: str
    reason: str
    template = "database {database} can't be used: {reason}"


@dataclass(eq=False)
class StoreBusy(StoreUnavailable):
    """Another process kept the database locked for longer than we wait. The call had no effect."""

    template = "database {database} is busy: {reason}"


@dataclass(eq=False)
class StoreDamaged(StoreUnavailable):
    """The file is no database, or its pages are broken. Restore a backup; deals become limited by that."""

    template = "database {database} is damaged: {reason}"


@dataclass(eq=False)
class StoreRolledBack(StoreDamaged):
    """The database has fewer changes than we have seen: somebody restored it while we used it. The call had no
    effect. Started anew, we find out and limit the open deals."""

    template = "database {database} was rolled back under us: {reason}"


@dataclass(eq=False)
class UnsupportedDatabase(StoreError):
    """A database URL that names no kind of database we know."""

    url: str
    template = "{url!r} names no database: give a path, sqlite:///PATH or postgresql://USER@HOST/NAME"


@dataclass(eq=False)
class MissingDriver(StoreError):
    """A database whose driver is not installed."""

    database: str
    template = "{database} needs asyncpg: install strikelock with the extra `postgres`"


@dataclass(eq=False)
class NotOurDatabase(StoreError):
    """A database with tables in it that we did not make."""

    database: str
    template = "database {database} belongs to another program: it has tables, but none of ours"


@dataclass(eq=False)
class SchemaTooNew(StoreError):
    """The database was written by a newer version of this software."""

    database: str
    found: str
    known: str
    template = "database {database} has schema {found}, this version knows up to {known}: install a newer one"


@dataclass(eq=False)
class SchemaTooOld(StoreError):
    """The database was written by an older version, and nobody asked to upgrade it."""

    database: str
    found: str
    needed: str
    template = "database {database} has schema {found}, this version needs {needed}: run `strikelock db upgrade`"


@dataclass(eq=False)
class NotEmpty(StoreError):
    """Something that a backup or a restore would write over."""

    place: str
    template = "{place} is there already, and is left as it is: name a new file, or an empty database"


@dataclass(eq=False)
class NoSuchBackup(StoreError):
    """A file that is no backup of ours."""

    file: str
    template = "{file} is no backup of a database of ours"


@dataclass(eq=False)
class DatabaseInUse(StoreError):
    """Another process drives the deals of this database. Two drivers would sign against each other."""

    database: str
    pid: int
    template = "database {database} is driven by process {pid}: stop it first"


@dataclass(eq=False)
class NotDriving(StoreError):
    """Only the process that holds the database's lock may sign or promise."""

    database: str
    template = "this process does not drive the deals of {database}: open it with drive=True"


@dataclass(eq=False)
class DamagedRecord(StoreError):
    """A stored record that does not read back, or must not be stored."""

    record: str
    reason: str
    template = "record {record}: {reason}"


@dataclass(eq=False)
class NoSuchIntent(StoreError):
    """A number under which no signed transaction is stored."""

    number: int
    template = "there is no signed transaction number {number} here"


@dataclass(eq=False)
class DealExists(StoreError):
    """A deal that is stored already."""

    deal: str
    template = "deal {deal} is stored already"


@dataclass(eq=False)
class NoSuchProposal(StoreError):
    """A proposal id that is not stored."""

    proposal: str
    template = "there is no proposal {proposal} here"


@dataclass(eq=False)
class AlreadyVoted(StoreError):
    """A validator was about to sign a second root for one count of a lane."""

    lane: str
    count: int
    signed: str
    refused: str
    template = "for {count} messages of lane {lane} root {signed} was signed; {refused} will not be"


@dataclass(eq=False)
class NoSuchToken(StoreError):
    """A token of the API that is not stored."""

    token: str
    template = "there is no token {token} here"
