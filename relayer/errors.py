"""What can go wrong between a user and the daemon: configuration, and what the command line was asked to do."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

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
class NothingFound(StrikelockError):
    """There is no deal to recover. days: how far back the chains were read, None where they were not."""

    days: int | None
    template = "no deal was found: there is no descriptor, and no record in the last {days} days of the chains"


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
class CannotListen(StrikelockError):
    """An address or a socket of the configuration that can't be had: taken, not ours, too long."""

    section: str
    reason: str
    template = "[{section}] can't be listened at: {reason}"


@dataclass(eq=False)
class OpsUnreachable(StrikelockError):
    """The daemon's own address does not answer."""

    url: str
    reason: str
    template = "no daemon answers at {url} ({reason})"


@dataclass(eq=False)
class LaneError(StrikelockError):
    """Something is wrong with a lane of messages."""


@dataclass(eq=False)
class BadLane(LaneError):
    """A lane's section does not fit what stands on its chains."""

    lane: str
    reason: str
    template = "lane {lane}: {reason}"


@dataclass(eq=False)
class NoSuchLane(LaneError):
    """A lane that the configuration does not have."""

    lane: str
    template = "there is no lane {lane!r} in the configuration"


@dataclass(eq=False)
class BadFeed(LaneError):
    """A feed's section does not fit what stands on its chains."""

    feed: str
    reason: str
    template = "feed {feed}: {reason}"


@dataclass(eq=False)
class NoSuchFeed(LaneError):
    """A feed that the configuration does not have, or that has no registry where a proof is asked for."""

    feed: str
    template = "there is no feed {feed!r} with a registry in the configuration"


@dataclass(eq=False)
class FeedFails(LaneError):
    """A transaction with headers or a proof failed in its block, although it went well before."""

    feed: str
    txid: str
    template = "feed {feed}: transaction {txid} failed in its block; what it brought is brought again"


@dataclass(eq=False)
class NoSuchMessage(LaneError):
    """A message that is not known (yet)."""

    message: str
    template = "message {message} is not known; it may not be final yet"


@dataclass(eq=False)
class LogsContradict(LaneError):
    """The events that a node gave are not those of the tree that its outbox has: it lags, hides some, or lies."""

    lane: str
    reason: str
    template = "lane {lane}: {reason}; what was not proved is looked for again"


@dataclass(eq=False)
class NotYet(LaneError):
    """A validator does not see that many messages in final blocks."""

    lane: str
    count: int
    seen: int
    template = "lane {lane} has {seen} messages in final blocks, not {count}"


@dataclass(eq=False)
class NoAgreement(LaneError):
    """Too few endpoints of a chain say the same."""

    chain: str
    needed: int
    answers: tuple[str, ...]
    template = "{chain}: no {needed} endpoints agree: {answers}"


@dataclass(eq=False)
class Undeliverable(LaneError):
    """A delivery that its inbox would not take as things stand. error: the name of the contract's error, if it is
    one."""

    lane: str
    error: str
    reason: str
    template = "lane {lane}: the inbox would refuse it ({reason})"


@dataclass(eq=False)
class DealOver(StrikelockError):
    """Something was asked of a deal that is closed."""

    deal: str
    outcome: str
    template = "deal {deal} is over: {outcome}"


def error_fields(error: StrikelockError) -> dict[str, Any]:
    """What an error holds, for a document: numbers and words as they are, the rest as words."""
    values = {f.name: getattr(error, f.name) for f in fields(error)} if is_dataclass(error) else {}
    return {name: value if isinstance(value, int | float | str) else str(value) for name, value in values.items()}
