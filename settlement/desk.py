"""What both sides of an exchange work with: who we are, our chains, our store, and the checks of terms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chains.errors import StrikelockError
from chains.legs import Leg
from chains.port import Chain, Wallet
from htlc.errors import MalformedTerms
from htlc.ports import Clock, Deal
from htlc.protocols.base import DealProtocol, Guards
from htlc.terms import Contribution, LegTerms, Terms
from settlement.bodies import ProposalBody, ReceiptBody, RefusalBody, printable
from settlement.errors import BadValidity, ProposalExpired, UnexpectedSender
from settlement.examine import Examiner
from settlement.messages import Kind, Message, read, seal
from settlement.policy import Policies
from settlement.proposal import Accepted, Offered, Proposal, Received, Stage
from settlement.seed import Seed
from settlement.store import Store

HEIGHT_SECONDS = 10  # that a chain's height may be old when a deal is agreed


@dataclass(frozen=True, slots=True)
class Verified:
    """Terms that passed every check of ours, with what is stored of that."""

    terms: Terms
    legs: Mapping[str, Leg]
    guards: Guards


class Desk:
    """One party's means. `url` is where it is reached, or ""."""

    def __init__(
        self,
        store: Store,
        chains: Mapping[str, Chain],
        wallets: Mapping[str, Wallet],
        seed: Seed,
        policies: Policies,
        clock: Clock,
        url: str,
    ) -> None:
        self.store = store
        self.chains = chains
        self.policies = policies
        self.examiner = Examiner(store, chains, policies.risk)
        self.identity = seed.identity()
        self.url = url
        self.wallets = wallets
        self._seed = seed
        self._clock = clock
        self._heights: dict[str, tuple[float, int]] = {}  # by chain: when it was looked at, and its height

    # terms

    def contribute(self, spoken: DealProtocol, role: str, terms: Terms, nonce: bytes) -> Terms:
        """The terms with our contribution in `role`."""
        if role not in spoken.roles:
            raise MalformedTerms("role", f"it must be one of {', '.join(spoken.roles)}")
        hashes = {
            label: hashlib.sha256(self._seed.secret(nonce, label)).digest() for label in spoken.secrets(role)
        }
        keys = {
            label: self.wallets[_leg(terms, leg).chain].key(nonce, label).public
            for label, leg in spoken.keys(role).items()
        }
        party = Contribution(self.identity.public, nonce, hashes, keys)
        return replace(terms, parties={**terms.parties, role: party})

    def nonce(self) -> bytes:
        """A fresh nonce of ours, for one deal."""
        return self._seed.nonce()

    async def verify(
        self, spoken: DealProtocol, terms: Terms, proposal: Proposal, now: int, guards: Guards | None = None
    ) -> Verified:
        self.examiner.check_networks(terms)  # guards need the chains
        guards = guards or self.policies.risk.guards(terms, self.chains)
        parties = {proposal.role: self.identity.public, other_role(spoken, proposal.role): proposal.peer}
        legs = await self.examiner.examine(spoken, terms, proposal.role, parties, guards, now, proposal.id)
        return Verified(terms, legs, guards)

    async def heights(self, terms: Terms) -> dict[str, int]:
        """By chain, a height before which no leg of a deal that does not exist yet can be funded, even after a
        reorganisation."""
        return {name: await self._height(name) for name in terms.networks}

    async def _height(self, name: str) -> int:
        """One seen a moment ago does as well, being lower: a look costs as much as there are deals."""
        now, chain = self._clock.now(), self.chains[name]
        at, height = self._heights.get(name, (now - HEIGHT_SECONDS - 1, 0))
        if not 0 <= now - at <= HEIGHT_SECONDS:
            height = (await chain.look()).tip.height
            self._heights[name] = (now, height)
        return max(0, height - chain.timing.depth)

    # the exchange

    async def exchange(self, id_: str, sender: str) -> Proposal:
        proposal = await self.store.book.proposal(id_)
        if proposal.peer != sender:
            raise UnexpectedSender(sender)
        return proposal

    async def move(self, proposal: Proposal, stage: Stage, pending: bool = False) -> Proposal:
        return await self.store.book.move(proposal.id, type(proposal.stage), stage, pending=pending, at=self.now())

    def check_until(self, until: int, now: int) -> None:
        if now > until:
            raise ProposalExpired(until, now)

    def now(self) -> int:
        return int(self._clock.now())

    # what we say

    def refusal(self, recipient: str, of: str, error: StrikelockError) -> Message:
        body = RefusalBody(of, type(error).__name__, printable(str(error)))
        return seal(self.identity, Kind.REFUSAL, recipient, body.to_json(), self.now())

    def receipt(self, message: Message, state: str) -> Message:
        body = ReceiptBody(message.id, state)
        return seal(self.identity, Kind.RECEIPT, message.sender, body.to_json(), self.now())


def other_role(spoken: DealProtocol, role: str) -> str:
    """The role of a protocol that is not `role`. Raises MalformedTerms if `role` is none of them."""
    if role not in spoken.roles:
        raise MalformedTerms("role", f"it must be one of {', '.join(spoken.roles)}")
    first, second = spoken.roles
    return second if role == first else first


def proposal_body(proposal: Proposal) -> ProposalBody:
    return ProposalBody.parse(read(proposal.message.encode()).body)


def _leg(terms: Terms, name: str) -> LegTerms:
    if name not in terms.legs:
        raise MalformedTerms(f"legs.{name}", "it is missing")
    return terms.legs[name]


def new_proposal(
    message: Message, body: ProposalBody, role: str, now: int, stage: Offered | Received, peer: str, url: str
) -> Proposal:
    """A proposal at its first stage; `role` is ours."""
    return Proposal(
        id=message.id,
        sent=isinstance(stage, Offered),
        protocol=body.terms.protocol,
        role=role,
        peer=peer,
        url=url,
        message=message.text,
        until=body.until,
        created_at=now,
        stage=stage,
        pending=isinstance(stage, Offered),
    )


def new_deal(proposal: Proposal, terms: Terms, stage: Offered | Accepted, now: int, url: str) -> Deal:
    """The deal that a proposal becomes, with what we noted when we agreed to it."""
    return Deal(
        id=terms.id,
        terms=terms,
        role=proposal.role,
        guards=stage.guards,
        since=stage.since,
        agreed_at=now,
        peer=url,
    )


def check_validity(until: int, now: int, longest: int) -> None:
    """Raise BadValidity unless a proposal is good for a time, and not for longer than we keep one."""
    if not now < until <= now + longest:
        raise BadValidity(until, now + longest)
