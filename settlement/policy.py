"""What this party agrees to: its risk parameters, and which proposals it takes without asking its user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chains.port import Chain
from htlc import timelocks
from htlc.errors import UnknownAttester
from htlc.protocols.base import DealProtocol, Guards
from htlc.terms import Terms

LONGEST_LOCK = 7 * 24 * 3600
LONGEST_VALIDITY = 7 * 24 * 3600  # of a proposal, in seconds: what a peer may make us remember as undecided
MAX_WAITING = 1000  # proposals that wait for our user
MAX_WAITING_PER_PEER = 20


@dataclass(frozen=True, slots=True)
class Risk:
    """Our own parameters; the counterparty has its own. outage: our longest outage, seconds. miss: the highest
    chance of missing a deadline that we accept. longest: the longest time our money may be locked, seconds.
    attesters: the members of quorums that we rely on."""

    outage: int = 3600
    miss: float = timelocks.MISS
    longest: int = LONGEST_LOCK
    attesters: frozenset[str] = frozenset()

    def guards(self, terms: Terms, chains: Mapping[str, Chain]) -> Guards:
        """The guards for the chains of a deal."""
        return timelocks.guards({name: chains[name].timing for name in terms.networks}, self.outage, self.miss)

    def check(
        self,
        protocol: DealProtocol,
        terms: Terms,
        role: str,
        guards: Guards,
        chains: Mapping[str, Chain],
        now: int,
    ) -> None:
        """Raise UnknownAttester unless we know every member of the quorum; UnsafeLadder, MissTooLikely or
        LadderTooLong unless the deadlines are safe for `role` at `now`."""
        for member in terms.quorum.members if terms.quorum else ():
            if member not in self.attesters:
                raise UnknownAttester(member)
        timings = {name: chains[name].timing for name in terms.networks}
        timelocks.check_ladder(protocol, terms, role, guards, timings, now, self.miss, self.longest)


@dataclass(frozen=True, slots=True)
class AcceptPolicy:
    """Which safe proposals are accepted at once; the others wait for the user.

    auto: accept at all. peers: only from these identities (None: from anyone). limits: the most that a leg may be
    worth, by "chain/asset" (None: no limit; an asset that is not listed is not accepted).
    """

    auto: bool = False
    peers: frozenset[str] | None = None
    limits: Mapping[str, int] | None = None
    max_waiting: int = MAX_WAITING
    max_waiting_per_peer: int = MAX_WAITING_PER_PEER
    longest_validity: int = LONGEST_VALIDITY

    def takes(self, terms: Terms, peer: str) -> bool:
        """Whether a proposal that passed every check is accepted without asking."""
        if not self.auto or (self.peers is not None and peer not in self.peers):
            return False
        return self.limits is None or all(
            leg.amount <= self.limits.get(f"{leg.chain}/{leg.asset}", 0) for leg in terms.legs.values()
        )


@dataclass(frozen=True, slots=True)
class Policies:
    """Both, as the configuration gives them."""

    risk: Risk = field(default_factory=Risk)
    accept: AcceptPolicy = field(default_factory=AcceptPolicy)
