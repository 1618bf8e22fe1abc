"""The side that proposes: its offer, the acceptance it gets, its acknowledgement."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from chains.legs import Quorum
from htlc.errors import MalformedTerms
from htlc.protocols import protocol
from htlc.protocols.base import DealProtocol, Guards
from htlc.terms import LegTerms, Terms
from settlement.bodies import AcceptanceBody, AcknowledgementBody, ProposalBody
from settlement.desk import Desk, check_validity, new_deal, new_proposal, other_role, proposal_body
from settlement.errors import AlreadyAnswered, OwnIdentity, UnexpectedMessage
from settlement.messages import Kind, Message, read, seal
from settlement.proposal import Agreed, Offered, Proposal
from settlement.rebuild import compare_legs, compare_terms, leg_forms
from settlement.store.requests import RequestKey

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a user wants to propose. role: ours. legs: by leg name; an asset as the chain's configuration names
    it. times: absolute UNIX seconds by name. lasts: how long the proposal is good for, seconds. quorum: of an
    attested option. request: that it is made for, if any: one request makes one proposal."""

    protocol: str
    role: str
    legs: Mapping[str, LegTerms]
    times: Mapping[str, int]
    options: Mapping[str, str]
    lasts: int = 600
    quorum: Quorum | None = None
    request: RequestKey | None = None


class Proposer:
    """One party's side of the proposals it makes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def propose(self, offer: Offer, peer: str, url: str) -> Proposal:
        """Check and sign a proposal to the identity `peer`, reached at `url`; stored, not sent yet.

        Raises a TermsError or LegError if we would not enter the deal ourselves, OwnIdentity, BadValidity,
        UnknownProtocol, ChainUnavailable, StoreUnavailable.
        """
        proposal = await self.prepare(offer, peer, url)
        await self._desk.store.book.meet(peer, url, proposal.created_at)
        return await self._desk.store.book.add(
            proposal, proposal_body(proposal).terms.parties.values(), offer.request
        )

    async def prepare(self, offer: Offer, peer: str, url: str, of: str = "") -> Proposal:
        """A checked and signed proposal, neither stored nor sent. of: the quote it is made of, if any. Raises as
        `propose`."""
        if peer == self._desk.identity.public:
            raise OwnIdentity(peer)
        now = self._desk.now()
        check_validity(now + offer.lasts, now, self._desk.policies.accept.longest_validity)
        ours, guards = await self._checked(offer, now)
        terms = replace(ours, parties={offer.role: ours.parties[offer.role]})
        body = ProposalBody(terms, offer.role, self._desk.url, now + offer.lasts, of)
        message = seal(self._desk.identity, Kind.PROPOSAL, peer, body.to_json(), now)
        stage = Offered(guards, await self._desk.heights(terms))
        return new_proposal(message, body, offer.role, now, stage, peer, url)

    async def rehearse(self, offer: Offer) -> None:
        """Check what we would propose, or take. Raises as `propose`; nothing is kept."""
        await self._checked(offer, self._desk.now())

    async def _checked(self, offer: Offer, now: int) -> tuple[Terms, Guards]:
        """The terms of an offer with a fresh contribution of ours, and the guards they keep."""
        spoken = protocol(offer.protocol)
        ours = self._desk.contribute(spoken, offer.role, self._canonical(offer), self._desk.nonce())
        return ours, await self._rehearse(spoken, offer.role, ours, now)

    def _canonical(self, offer: Offer) -> Terms:
        """The offer as terms without parties. Raises WrongChain, BadAsset, MalformedTerms."""
        legs = {}
        for name, leg in offer.legs.items():
            if leg.chain not in self._desk.chains:
                raise MalformedTerms(f"legs.{name}.chain", f"there is no chain {leg.chain!r} in the configuration")
            legs[name] = replace(leg, asset=self._desk.chains[leg.chain].asset(leg.asset))
        networks = {leg.chain: self._desk.chains[leg.chain].identity for leg in legs.values()}
        return Terms(offer.protocol, networks, legs, dict(offer.times), dict(offer.options), {}, offer.quorum)

    async def _rehearse(self, spoken: DealProtocol, role: str, ours: Terms, now: int) -> Guards:
        """Check the terms as far as one can without the other party, which we play ourselves: nothing of it is
        ever used."""
        other = other_role(spoken, role)
        played = self._desk.contribute(spoken, other, ours, self._desk.nonce()).parties[other]
        stranger = replace(played, identity=hashlib.sha256(played.nonce).hexdigest())
        terms = replace(ours, parties={**ours.parties, other: stranger})
        guards = self._desk.policies.risk.guards(terms, self._desk.chains)
        await self._desk.examiner.rehearse(spoken, terms, role, guards, now)
        return guards

    async def receive_acceptance(self, message: Message) -> Message:
        """The acknowledgement of a good acceptance; the same again for the same acceptance."""
        body = AcceptanceBody.parse(message.body)
        proposal = await self._desk.exchange(body.proposal, message.sender)
        if not proposal.sent:
            raise UnexpectedMessage(message.kind.value, proposal.stage.name)
        if isinstance(proposal.stage, Agreed):
            if read(proposal.stage.answer.encode()).id != message.id:
                raise AlreadyAnswered(proposal.id, proposal.stage.name)
            return read(proposal.stage.acknowledgement.encode())
        if not isinstance(proposal.stage, Offered):
            raise AlreadyAnswered(proposal.id, proposal.stage.name)
        return await self._agree(proposal, proposal.stage, message, body)

    async def _agree(self, proposal: Proposal, stage: Offered, message: Message, body: AcceptanceBody) -> Message:
        """An acceptance of our proposal: check all of it, open the deal, acknowledge."""
        now = self._desk.now()
        self._desk.check_until(proposal.until, now)
        compare_terms(proposal_body(proposal).terms, body.terms, proposal.role)
        spoken = protocol(proposal.protocol)
        verified = await self._desk.verify(spoken, body.terms, proposal, now, stage.guards)
        forms = leg_forms(verified.legs, self._desk.chains)
        compare_legs(forms, body.legs)
        deal = new_deal(proposal, body.terms, stage, now, body.url or proposal.url)
        content = AcknowledgementBody(proposal.id, deal.id, forms).to_json()
        acknowledgement = seal(self._desk.identity, Kind.ACKNOWLEDGEMENT, proposal.peer, content, now)
        moved = await self._desk.store.book.move(
            proposal.id,
            Offered,
            Agreed(message.text, acknowledgement.text, deal.id),
            pending=True,
            at=now,
            parties=(body.terms.parties[other_role(spoken, proposal.role)],),
            deal=deal,
        )
        if not isinstance(moved.stage, Agreed) or moved.stage.deal != deal.id:
            raise AlreadyAnswered(proposal.id, moved.stage.name)
        log.info("agreed", proposal=proposal.id, deal=deal.id, peer=proposal.peer)
        return read(moved.stage.acknowledgement.encode())
