"""What can go wrong with a deal's terms, before any money moves."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import ChainError, StrikelockError


@dataclass(eq=False)
class TermsError(StrikelockError):
    """Terms that we do not enter. Callers that refuse whatever the reason catch this."""


@dataclass(eq=False)
class MalformedTerms(TermsError):
    """A field that is missing, unknown or of the wrong shape."""

    field: str
    reason: str
    template = "terms refused: {field}: {reason}"


@dataclass(eq=False)
class UnknownProtocol(TermsError):
    """A protocol we do not speak."""

    protocol: str
    template = "there is no protocol {protocol!r} here"


@dataclass(eq=False)
class LegMismatch(TermsError):
    """The counterparty's leg is not the one that the terms give."""

    leg: str
    field: str
    expected: str
    found: str
    template = "leg {leg}: {field} is {found}, the terms give {expected}"


@dataclass(eq=False)
class UnsafeLadder(TermsError):
    """Deadlines too close for this party's own guards."""

    rule: str
    deadline: str
    needed: int
    found: int
    template = "unsafe ladder: {deadline} is {found}, {rule} needs at least {needed}"


@dataclass(eq=False)
class MissTooLikely(TermsError):
    """The ladder is in order, but the chance to miss a deadline is above what this party accepts."""

    probability: float
    limit: float
    template = "unsafe ladder: a deadline is missed with probability {probability:.3g}, the limit is {limit:.3g}"


@dataclass(eq=False)
class LadderTooLong(TermsError):
    """The ladder locks money for longer than this party accepts."""

    seconds: int
    limit: int
    template = "the ladder locks money for {seconds} s, the limit is {limit} s"


@dataclass(eq=False)
class UnknownAttester(TermsError):
    """A quorum with a member that this party has no reason to rely on."""

    member: str
    template = "attester {member} is not among those in our configuration"


@dataclass(eq=False)
class HashReused(TermsError):
    """A hash that was in an earlier deal: its preimage may be known."""

    value: str
    template = "hash {value} was used before: its preimage may be known"


@dataclass(eq=False)
class PreimageKnown(TermsError):
    """A hash whose preimage is public already."""

    value: str
    template = "the preimage of hash {value} is public already"


@dataclass(eq=False)
class NoSuchDeal(StrikelockError):
    """A deal id that the journal does not have."""

    deal: str
    template = "there is no deal {deal} here"


@dataclass(eq=False)
class PeerUnavailable(StrikelockError):
    """The counterparty could not be reached, or did not answer as it should."""

    peer: str
    reason: str
    template = "the counterparty at {peer} can't be reached ({reason})"


@dataclass(eq=False)
class QuorumShort(StrikelockError):
    """Fewer members of a quorum signed than must."""

    signed: int
    needed: int
    reasons: str
    template = "{signed} of the {needed} attesters that are needed signed ({reasons})"


@dataclass(eq=False)
class MalformedLeg(StrikelockError):
    """A leg file with a field that is missing, unknown or of the wrong shape."""

    field: str
    reason: str
    template = "leg refused: {field}: {reason}"


@dataclass(eq=False)
class StalePlan(ChainError):
    """A first reveal that was decided too long ago to be carried out: the process was stopped in between."""

    age: int
    template = "{chain}: the plan to show a secret is {age} s old, so it is made anew"


@dataclass(eq=False)
class LineageBusy(ChainError):
    """Another process of this party signs on the chain just now."""

    template = "{chain}: another process of ours is signing"


@dataclass(eq=False)
class LineageMoved(ChainError):
    """Another process of this party signed on the chain meanwhile: what we signed may claim the same nonce or
    coin, so it was not stored, and must not be sent."""

    template = "{chain}: another process of ours signed meanwhile, so this is made anew"


@dataclass(eq=False)
class Fenced(StrikelockError):
    """The deal, or lane, is another process's now. Nothing was stored, and nothing may be sent for it."""

    what: str
    template = "{what} is not ours to drive any more: another process holds it"
