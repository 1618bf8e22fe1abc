"""The explorer's world: two chains, one honest party that runs the real protocol, and everything else against
it.

Time is a tick. In every tick the world moves first, in any way it likes within these limits, then the honest
party, unless it is out, looks and does what its plan says:

- A spend that the honest party published at p is in a block by p + d, unless another spend of the leg was first. A
  funding may be kept out for ever; its cancellation may not.
- The other party's transactions are in a block the moment it likes, before or after the honest party's.
- Once per chain, blocks of the last r ticks may be replaced: the other party's transactions in them may vanish,
  and its own spends may take the place of any that conflict. What does not conflict stays.
- A chain's clock is at most A ahead of true time for the other party, and as far behind as L allows, or ahead, for
  the honest one.
- The honest party is out whenever it hurts, up to R ticks at a time, and looks once between two outages.
- What it publishes for the first time may be lost by its node, and be known to the other party all the same; it
  may die before it notes that it did. It looks again R ticks later at the latest, and what it publishes then
  arrives.
- A quorum, where there is one, attests what it is asked for by anyone, when it is true and no reorganisation can
  change that; as late as it likes, or never.

Depth in blocks is ticks since inclusion plus one, so what no reorganisation can reach is r + 1 deep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from coincurve import PrivateKey

from chains.legs import Leg, Quorum
from chains.quorum import threshold_of
from htlc.protocols.base import ChainGuard, DealProtocol, Guards, Will
from htlc.terms import Contribution, LegTerms, Terms

AMOUNT = 1
ABSENT, FUNDED, SPENT = 0, 1, 2
NO_FUNDING, PENDING, CANCELLING, MINED, UNDONE = 0, 1, 2, 3, 4
EXERCISE, LET_GO, STOP = 1, 2, 4  # bits of what the user wants
HONEST, SHALLOW, BAD = "honest", "shallow", "bad"  # quorums: SHALLOW waits for a block less, BAD signs anything
RESTORED = 8  # beside them: the machine was lost, and runs again from the seed and the terms alone


class LegAt(NamedTuple):
    """A leg in the world. Ages are ticks since inclusion, up to just beyond the horizon."""

    status: int = ABSENT
    funded: int = 0
    path: int = -1
    spent: int = 0


class Flying(NamedTuple):
    """The honest party's funding of a leg. left: ticks within which a cancellation must be in; age: since it
    is."""

    code: int = NO_FUNDING
    ticks: int = 0


class State(NamedTuple):
    """Everything that matters of a world at one tick. Bit masks index the model's own tuples."""

    legs: tuple[LegAt, ...]
    pending: tuple[tuple[int, int] | None, ...]  # the honest party's spends: (path, ticks left)
    flying: tuple[Flying, ...]
    public: int = 0
    lost: int = (
        0  # secrets that the honest party published and no node kept: it does not know whether they are out
    )
    vows: int = 0
    given: int = 0
    held: int = 0
    will: int = 0
    reorgs: tuple[int, ...] = ()  # by chain: 0 to come, 1 now, 2 was
    out: int = 0
    closed: bool = False
    early: bool = False  # a release of the first leg was signed while another leg could still be taken
    asked: int = 0  # 0: the quorum was not asked; else one more than the ticks it has left, if it has to answer


@dataclass(frozen=True)
class Pace:
    """The limits of one chain, in ticks: d, r, A, L."""

    include: int = 1
    reorg: int = 1
    lead: int = 1
    lag: int = 1

    def guard(self) -> ChainGuard:
        return ChainGuard(self.include, self.reorg, self.reorg + 1, self.lead, self.lag)


@dataclass(frozen=True)
class Model:
    """One question: a protocol, who is honest, the world's limits, and the guards that the honest party
    keeps."""

    protocol: DealProtocol
    role: str
    terms: Terms
    paces: Mapping[str, Pace]
    guards: Guards
    outage: int
    will: int = 0  # what the user wants from the start
    whims: int = 0  # what the user may come to want at any time
    sweeps: bool = True  # a restored party first pays all it holds to itself: nothing forgotten can confirm
    clock_low: bool = True  # the honest party sees its chains' clocks as late as can be, or as early
    quorum: str = HONEST  # what the quorum attests, where the protocol has one; it is never bound to answer
    timely: bool = False  # but here it is, within d; and our fundings are mined within d
    last: int = 0

    @cached_property
    def legs(self) -> Mapping[str, Leg]:
        return self.protocol.legs(self.terms)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.terms.legs)

    @cached_property
    def chains(self) -> tuple[str, ...]:
        return tuple(sorted({leg.chain for leg in self.terms.legs.values()}))

    @cached_property
    def hashes(self) -> tuple[bytes, ...]:
        return tuple(value for party in self.terms.parties.values() for value in party.hashes.values())

    @cached_property
    def ours(self) -> tuple[bool, ...]:
        """Whether the honest party funds a leg."""
        return tuple(self.protocol.funder(name) == self.role for name in self.names)

    @cached_property
    def pace_of(self) -> tuple[Pace, ...]:
        return tuple(self.paces[self.terms.legs[name].chain] for name in self.names)

    @cached_property
    def chain_of(self) -> tuple[int, ...]:
        return tuple(self.chains.index(self.terms.legs[name].chain) for name in self.names)

    @cached_property
    def paths(self) -> tuple[tuple[PathAt, ...], ...]:
        """The paths of each leg."""
        return tuple(tuple(self._path(name, i) for i in range(len(self.legs[name].paths))) for name in self.names)

    def _path(self, leg: str, index: int) -> PathAt:
        path = self.legs[leg].paths[index]
        recipient, _ = self.protocol.recipient_key(leg, path.name)
        mask = sum(1 << self.hashes.index(value) for value in path.hashes)
        return PathAt(path.name, recipient == self.role, mask, path.after, path.needs_others)

    @cached_property
    def releases(self) -> tuple[tuple[str, str], ...]:
        """Paths that need others' signatures: the other party's, or the quorum's."""
        return tuple((leg, path.name) for leg in self.names for path in self.legs[leg].paths if path.needs_others)

    @cached_property
    def attested(self) -> int:
        """Which of them need the quorum's."""
        return sum(1 << i for i, one in enumerate(self.releases) if one in self.protocol.attested)

    @cached_property
    def their_secrets(self) -> int:
        ours = set(self.terms.parties[self.role].hashes.values())
        return sum(1 << i for i, value in enumerate(self.hashes) if value not in ours)

    @cached_property
    def preimages(self) -> Mapping[bytes, bytes]:
        return {hashlib.sha256(value).digest(): value for value in SECRETS.values()}

    def start(self) -> State:
        count = len(self.names)
        return State(
            legs=(LegAt(),) * count,
            pending=(None,) * count,
            flying=(Flying(),) * count,
            will=self.will,
            reorgs=(0,) * len(self.chains),
        )


class PathAt(NamedTuple):
    """A path as the world sees it. secrets: mask of the hashes it wants. signed: by the other side too, or by the
    quorum."""

    name: str
    ours: bool
    secrets: int
    after: int | None
    signed: bool


def will_of(mask: int) -> Will:
    return Will(bool(mask & EXERCISE), bool(mask & LET_GO), bool(mask & STOP))


# --- terms in ticks --------------------------------------------------------------------------------------

SECRETS = {label: label.encode() * 32 for label in ("a", "e", "s")}
MEMBERS = tuple(sorted(PrivateKey(bytes([i]) * 32).public_key.format().hex() for i in (1, 2, 3)))


def make_terms(
    protocol: DealProtocol, chains: Mapping[str, str], times: Mapping[str, int], options: Mapping[str, str]
) -> Terms:
    """Terms whose times are ticks. Nothing but the protocol's own functions reads them."""
    return Terms(
        protocol=protocol.name,
        networks={chain: chain for chain in chains.values()},
        legs={name: LegTerms(chain, "native", AMOUNT) for name, chain in chains.items()},
        times=times,
        options=options,
        parties={role: _party(protocol, role) for role in protocol.roles},
        quorum=Quorum(threshold_of(len(MEMBERS)), MEMBERS) if protocol.attested else None,
    )


def _party(protocol: DealProtocol, role: str) -> Contribution:
    return Contribution(
        identity=hashlib.sha256(role.encode()).hexdigest(),
        nonce=hashlib.sha256(role.encode()).digest()[:16],
        hashes={label: hashlib.sha256(SECRETS[label]).digest() for label in protocol.secrets(role)},
        keys={label: f"{role}.{label}" for label in protocol.keys(role)},
    )
