"""Why an attester does not sign."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import StrikelockError


@dataclass(eq=False)
class NotAttested(StrikelockError):
    """Callers that pass on whatever the reason catch this."""


@dataclass(eq=False)
class NotOurQuorum(NotAttested):
    """A deal whose terms name no quorum, or one that this attester is not in."""

    deal: str
    member: str
    template = "deal {deal} has no quorum with {member} in it"


@dataclass(eq=False)
class NotYet(NotAttested):
    """A leg that is not as it must be, now; the same question may be answered later."""

    leg: str
    reason: str
    template = "the {leg} is not there: {reason}"


@dataclass(eq=False)
class TooLate(NotAttested):
    """The collateral can be taken back: a strike that is paid now is not attested any more."""

    deadline: int
    time: int
    template = "the collateral may be refunded since {deadline}, its chain's clock says {time}"
