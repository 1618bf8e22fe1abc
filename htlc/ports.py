"""What the driver needs from outside: a journal that survives a crash, a clock, a way to reach the peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from chains.port import SignedTx, TxState
from htlc.protocols.base import Guards, Vow, Will
from htlc.terms import Terms


@dataclass(frozen=True, slots=True)
class Deal:
    """One deal of ours as the journal holds it: what was agreed, what binds us, what was ever seen.

    since: by chain, a height before which no leg can have been funded. preimages: by hash, once seen on chain.
    consents_given, consents_held: serialised signatures by (leg, path). outcome: set once it is closed.
    limited: restored from seed or backup. agreed_at: UNIX seconds. peer: the counterparty's URL, or "".
    """

    id: str
    terms: Terms
    role: str
    guards: Guards
    since: Mapping[str, int]
    agreed_at: int
    peer: str = ""
    will: Will = field(default_factory=Will)
    vows: frozenset[Vow] = frozenset()
    consents_given: Mapping[tuple[str, str], str] = field(default_factory=dict)
    consents_held: Mapping[tuple[str, str], str] = field(default_factory=dict)
    preimages: Mapping[bytes, bytes] = field(default_factory=dict)
    outcome: str | None = None
    limited: bool = False

    @property
    def nonce(self) -> bytes:
        """Our own nonce: the salt of every secret and key we have in this deal."""
        return self.terms.parties[self.role].nonce


FUND = "fund"
CANCEL = "cancel"
RECORD = "record"  # of no leg: carries the deal's terms, encrypted to us; its leg is the part, such as "2/4"
PLAIN = (FUND, CANCEL, RECORD)  # steps that spend no leg; every other one is the name of the path that is spent


@dataclass(frozen=True, slots=True)
class Intent:
    """A transaction we signed, why, and what became of it. Its lineage is (deal, leg, step), in order of `number`.

    signed_at: UNIX seconds. final: what the chain said once that can't change any more.
    """

    number: int
    deal: str
    leg: str
    step: str
    tx: SignedTx
    signed_at: int
    final: TxState | None = None


class Journal(Protocol):
    """Durable state. Every call is one transaction, on disk (fsync) when it returns. What the driver writes for a
    deal raises Fenced where another process holds the deal: then nothing was stored."""

    async def deals(self) -> tuple[Deal, ...]:
        """Every deal that is not closed and ours to drive, oldest first."""
        ...

    async def deal(self, deal: str) -> Deal:
        """One deal, closed or not. Raises NoSuchDeal."""
        ...

    async def intents(self, deal: str) -> tuple[Intent, ...]:
        """Everything we signed for a deal, in order."""
        ...

    async def unsettled(self) -> tuple[Intent, ...]:
        """Everything we signed, for any deal, of which the chain's last word is not final; in order."""
        ...

    def turn(self, chain: str) -> AbstractAsyncContextManager[Sequence[SignedTx]]:
        """Our turn to sign on a chain; gives every transaction of ours there without a final word. What is signed
        within knows all that was stored before. Raises LineageBusy."""
        ...

    async def sign(self, deal: str, leg: str, step: str, tx: SignedTx, at: int) -> Intent:
        """Store a signed transaction, before it is broadcast. Raises LineageMoved where somebody else signed on
        the chain since our turn began."""
        ...

    async def settle(self, number: int, state: TxState) -> None:
        """Store the final word of the chain on a transaction we signed."""
        ...

    async def learn(self, deal: str, preimages: Mapping[bytes, bytes]) -> None:
        """Store preimages seen on a chain, by hash. They are never forgotten."""
        ...

    async def swear(self, deal: str, vow: Vow) -> None: ...

    async def give_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        """Store a release signature of ours, before it leaves the machine."""
        ...

    async def hold_consent(self, deal: str, leg: str, path: str, consent: str) -> None:
        """Store the other party's release signature, or those of the quorum."""
        ...

    async def resolve(self, deal: str, will: Will) -> None:
        """Store what the user wants."""
        ...

    async def close(self, deal: str, outcome: str, at: int) -> None: ...


class Clock(Protocol):
    """The local clock."""

    def now(self) -> float:
        """UNIX seconds."""
        ...


class Attesters(Protocol):
    """The way to the quorums that attest exercises."""

    async def attest(self, deal: Deal, leg: str, path: str) -> str:
        """The signatures of enough members, each checked, as one consent (`chains.quorum.pack`). Raises
        QuorumShort while there are too few."""
        ...


class Peer(Protocol):
    """The way to the counterparty, for releases. Losing a message costs time, never money."""

    async def send_consent(self, deal: Deal, leg: str, path: str, consent: str) -> None:
        """Deliver a release signature; raises PeerUnavailable if it can't be delivered now."""
        ...


class Spans(Protocol):
    """Notes what a step took and what it was for: a trace, where one is wanted."""

    def __call__(self, name: str, **attributes: str) -> AbstractContextManager[object]: ...


_NOTHING = nullcontext()


def no_spans(name: str, **attributes: str) -> AbstractContextManager[object]:
    """Notes nothing."""
    return _NOTHING
