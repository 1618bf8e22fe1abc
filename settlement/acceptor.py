"""The side that is proposed to: what it lets in, its acceptance, the acknowledgement it gets."""

from __future__ import annotations

import structlog

from htlc.protocols import protocol
from settlement.bodies import AcceptanceBody, AcknowledgementBody, ProposalBody
from settlement.desk import Desk, Verified, check_validity, new_deal, new_proposal, other_role, proposal_body
from settlement.errors import AlreadyAnswered, NoSuchTaking, TermsMismatch, TooManyProposals, UnexpectedMessage
from settlement.examine import check_distinct
from settlement.messages import Kind, Message, read, seal
from settlement.proposal import Accepted, Agreed, Proposal, Received, Refused
from settlement.rebuild import compare_legs, leg_forms
from settlement.takings import check_answer

log = structlog.get_logger(__name__)


class Acceptor:
    """One party's side of the proposals it gets."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def receive_proposal(self, message: Message) -> Message:
        """Check a proposal, keep it, and say where it stands; one that we know already is only answered."""
        body = ProposalBody.parse(message.body)
        known = await self._desk.store.book.find(message.id)
        if known is None:
            known = await self._admit(message, body)
        if isinstance(known.stage, Received) and self._wanted(body, message.sender):
            known = await self.accept(known)
        return self._answer(known, message)

    def _wanted(self, body: ProposalBody, peer: str) -> bool:
        """Whether it is accepted without asking: by policy, or since our user took the quote it is made of."""
        return bool(body.of) or self._desk.policies.accept.takes(body.terms, peer)

    async def _admit(self, message: Message, body: ProposalBody) -> Proposal:
        """Check a new proposal against everything we know, and keep it for our user."""
        now = self._desk.now()
        self._desk.check_until(body.until, now)
        check_validity(body.until, now, self._desk.policies.accept.longest_validity)
        if body.of:
            await self._check_taken(message.sender, body, now)
        else:
            await self._check_room(message.sender)
        spoken = protocol(body.terms.protocol)
        role = other_role(spoken, body.role)
        proposal = new_proposal(message, body, role, now, Received(), message.sender, body.url)
        check_distinct(body.terms)
        await self._examine_ours(proposal, now)
        await self._desk.store.book.meet(message.sender, body.url, now)
        if body.of:
            return await self._desk.store.offers.admit(proposal, body.of, now)
        return await self._desk.store.book.add(proposal)

    async def _check_taken(self, peer: str, body: ProposalBody, now: int) -> None:
        """It answers a taking of ours, at exactly what was quoted. Raises NoSuchTaking, QuoteMismatch."""
        taking = (await self._desk.store.offers.taking(body.of, now)).taking
        if not taking.sent or taking.peer != peer:
            raise NoSuchTaking(body.of)
        check_answer(taking, body)

    async def _check_room(self, peer: str) -> None:
        policy, book = self._desk.policies.accept, self._desk.store.book
        if await book.waiting(Received.name, peer) >= policy.max_waiting_per_peer:
            raise TooManyProposals(policy.max_waiting_per_peer)
        if await book.waiting(Received.name) >= policy.max_waiting:
            raise TooManyProposals(policy.max_waiting)

    async def accept(self, proposal: Proposal) -> Proposal:
        """Complete the terms, check them as of now, and store our signed acceptance."""
        if isinstance(proposal.stage, Accepted | Agreed) and not proposal.sent:
            return proposal
        if proposal.sent or not isinstance(proposal.stage, Received):
            raise AlreadyAnswered(proposal.id, proposal.stage.name)
        now = self._desk.now()
        self._desk.check_until(proposal.until, now)
        verified = await self._examine_ours(proposal, now)
        since = await self._desk.heights(verified.terms)
        forms = leg_forms(verified.legs, self._desk.chains)
        body = AcceptanceBody(proposal.id, verified.terms, forms, self._desk.url)
        answer = seal(self._desk.identity, Kind.ACCEPTANCE, proposal.peer, body.to_json(), now)
        stage = Accepted(answer.text, verified.terms.id, verified.guards, since)
        parties = tuple(verified.terms.parties.values())
        book = self._desk.store.book
        return await book.move(proposal.id, Received, stage, pending=True, at=now, parties=parties)

    async def _examine_ours(self, proposal: Proposal, now: int) -> Verified:
        """The proposal completed by a fresh contribution of ours, and every check of it."""
        body = proposal_body(proposal)
        spoken = protocol(proposal.protocol)
        self._desk.examiner.check_networks(body.terms)
        terms = self._desk.contribute(spoken, proposal.role, body.terms, self._desk.nonce())
        return await self._desk.verify(spoken, terms, proposal, now)

    async def receive_acknowledgement(self, message: Message) -> Message:
        """The proposer has the complete terms: open the deal, if that was not done yet, and confirm."""
        body = AcknowledgementBody.parse(message.body)
        proposal = await self._desk.exchange(body.proposal, message.sender)
        stage = proposal.stage
        if proposal.sent or not isinstance(stage, Accepted | Agreed):
            raise UnexpectedMessage(message.kind.value, stage.name)
        if body.deal != stage.deal:
            raise TermsMismatch("deal", stage.deal, body.deal)
        if isinstance(stage, Accepted):
            proposal = await self._open_acknowledged(proposal, stage, message, body)
        return self._desk.receipt(message, proposal.stage.name)

    async def _open_acknowledged(
        self, proposal: Proposal, stage: Accepted, message: Message, body: AcknowledgementBody
    ) -> Proposal:
        """Our acceptance is acknowledged: open the deal. Whether there is still time for each step is for the
        plan to say, so an acknowledgement that comes late opens a deal that nobody funds."""
        now = self._desk.now()
        terms = AcceptanceBody.parse(read(stage.answer.encode()).body).terms
        legs = protocol(proposal.protocol).legs(terms)
        compare_legs(leg_forms(legs, self._desk.chains), body.legs)
        deal = new_deal(proposal, terms, stage, now, proposal.url)
        agreed = Agreed(stage.answer, message.text, deal.id)
        moved = await self._desk.store.book.move(proposal.id, Accepted, agreed, pending=False, at=now, deal=deal)
        if not isinstance(moved.stage, Agreed):
            raise UnexpectedMessage(message.kind.value, moved.stage.name)
        log.info("agreed", proposal=proposal.id, deal=deal.id, peer=proposal.peer)
        return moved

    def _answer(self, proposal: Proposal, message: Message) -> Message:
        """Where a proposal that somebody sent us stands, as an answer to it."""
        match proposal.stage:
            case Accepted(answer) | Agreed(answer):
                return read(answer.encode())
            case Refused(_, _, answer) if answer:
                refusal = read(answer.encode())
                ours = refusal.sender == self._desk.identity.public
                return refusal if ours else self._desk.receipt(message, proposal.stage.name)
            case _:
                return self._desk.receipt(message, proposal.stage.name)
