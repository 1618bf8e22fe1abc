"""What can go wrong between a user and the daemon: configuration, and what the command line was asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import StrikelockError


@dataclass(eq=False)
class Problem:
    """One thing wrong in a configuration: where, what, and the nearest valid key if the key is unknown."""

    where: str
    what: str
    nearest: str | None = None

    def __str__(self) -> str:
        hint = f" (did you mean {self.nearest!r}?)" if self.nearest else ""
        return f"{self.where}: {self.what}{hint}"


@dataclass(eq=False)
class BadConfig(StrikelockError):
    """A configuration that is not used, with everything that is wrong in it."""

    file: str
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.file} can't be used:", *(f"  {problem}" for problem in self.problems)])


@dataclass(eq=False)
class NoConfig(StrikelockError):
    """No configuration file where one was named or expected."""

    file: str
    template = "there is no configuration at {file}; name one with --config or STRIKELOCK_CONFIG"


@dataclass(eq=False)
class BadRequest(StrikelockError):
    """Something the command line was asked for that makes no sense."""

    reason: str
    template = "{reason}"


@dataclass(eq=False)
class LiveDatabase(StrikelockError):
    """Recovery was asked for where the database is there, and knows more than descriptors do."""

    database: str
    template = (
        "database {database} holds open deals that need no recovery: `strikelock run` goes on with them. "
        "If it is damaged or too old, move it away first"
    )


@dataclass(eq=False)
class BadPackage(StrikelockError):
    """A watchtower's package that can't be what it says."""

    name: str
    reason: str
    template = "package {name} is not used: {reason}"


@dataclass(eq=False)
class AlreadyWatched(StrikelockError):
    """A tower was asked to watch both sides of one deal."""

    deal: str
    role: str
    template = "deal {deal} is watched for its {role} already; the other side needs a tower of its own"


@dataclass(eq=False)
class MissingExtra(StrikelockError):
    """Something is configured that an extra of the package brings."""

    extra: str
    reason: str
    template = "the extra {extra!r} is needed, pip install 'strikelock[{extra}]': {reason}"


@dataclass(eq=False)
class SafetyHalt(StrikelockError):
    """The daemon stopped because going on could lose money; a supervisor must not start it again by itself."""

    reason: str
    template = "stopped for safety, look before you start it again: {reason}"


@dataclass(eq=False)
class OpsUnreachable(StrikelockError):
    """The daemon's own address does not answer."""

    url: str
    reason: str
    template = "no daemon answers at {url} ({reason})"


@dataclass(eq=False)
class DealOver(StrikelockError):
    """Something was asked of a deal that is closed."""

    deal: str
    outcome: str
    template = "deal {deal} is over: {outcome}"
