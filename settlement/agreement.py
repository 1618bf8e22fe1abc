"""From a proposal to a deal: what this party proposes, accepts, acknowledges and refuses.

    proposer                      acceptor
    Offered    -- proposal -->    Received
               <-- acceptance --  Accepted      (both know the complete terms now)
    Agreed     -- acknowledge. -> Agreed        (each opens the deal when it reaches this stage)

Every message may be sent again at any time: it gives the same stage and the same answer. A stage is stored, in
one transaction with the deal it opens and the hashes it uses up, before the message that follows from it leaves
the machine. Nobody funds before its own deal is open, and whoever opens it holds the other's signature under the
complete terms; see docs/agreement.md for why no crash in between can cost money.

No network in here: messages go in and out as values; `settlement.post` carries them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import structlog

from chains.errors import StrikelockError
from chains.port import Chain, Wallet
from htlc.ports import Clock
from settlement.acceptor import Acceptor
from settlement.bodies import ReceiptBody, RefusalBody
from settlement.desk import Desk, proposal_body
from settlement.errors import AlreadyAnswered, DeclinedByUser, UnexpectedMessage
from settlement.messages import Kind, Message, read
from settlement.policy import Policies
from settlement.proposal import WITHDRAWN, Accepted, Agreed, Lapsed, Offered, Proposal, Received, Refused, Stage
from settlement.proposer import Offer, Proposer
from settlement.seed import Identity, Seed
from settlement.store import Store

__all__ = ["PASSING", "Agreement", "Offer"]

log = structlog.get_logger(__name__)

KEPT = 256  # messages of ours remembered as read

# Refusals that say nothing of the terms: the message is worth sending again later.
PASSING = frozenset({"ChainUnavailable", "StaleTip", "StoreUnavailable", "StoreBusy", "TooManyProposals"})


class Agreement:
    """One party's side of every exchange. `url` is where we are reached, or ""."""

    def __init__(
        self,
        store: Store,
        chains: Mapping[str, Chain],
        wallets: Mapping[str, Wallet],
        seed: Seed,
        policies: Policies,
        clock: Clock,
        url: str = "",
    ) -> None:
        self._desk = Desk(store, chains, wallets, seed, policies, clock, url)
        self._proposer = Proposer(self._desk)
        self._acceptor = Acceptor(self._desk)
        self._turn = asyncio.Lock()  # one decision at a time: checks and what they allow belong together

    @property
    def identity(self) -> Identity:
        return self._desk.identity

    @property
    def desk(self) -> Desk:
        """What this party works with."""
        return self._desk

    @property
    def url(self) -> str:
        return self._desk.url

    @url.setter
    def url(self, url: str) -> None:
        self._desk.url = url

    # --- deciding ----------------------------------------------------------------------------------------

    async def propose(self, offer: Offer, peer: str, url: str) -> Proposal:
        """Check and sign a proposal to the identity `peer`, reached at `url`; stored, not sent yet.

        Raises a TermsError or LegError if we would not enter the deal ourselves, OwnIdentity, BadValidity,
        UnknownProtocol, ChainUnavailable, StoreUnavailable.
        """
        return await self._proposer.propose(offer, peer, url)

    async def prepare(self, offer: Offer, peer: str, url: str, of: str) -> Proposal:
        """A proposal as `propose` makes it, made of a quote that the peer took; not stored yet. Raises as
        `propose`."""
        return await self._proposer.prepare(offer, peer, url, of)

    async def rehearse(self, offer: Offer) -> None:
        """Check terms in our role as far as one can without the other party. Raises as `propose`."""
        await self._proposer.rehearse(offer)

    async def accept(self, id_: str) -> Proposal:
        """Accept a proposal that waits for us; the signed acceptance is stored, not sent yet. Accepting again
        changes nothing. Raises NoSuchProposal, AlreadyAnswered, ProposalExpired, TermsError, LegError."""
        async with self._turn:
            return await self._acceptor.accept(await self._desk.store.book.proposal(id_))

    async def refuse(self, id_: str) -> Proposal:
        """Decline a proposal that waits for us, or withdraw one of ours that nobody accepted yet. Raises
        NoSuchProposal, AlreadyAnswered."""
        async with self._turn:
            proposal = await self._desk.store.book.proposal(id_)
            if isinstance(proposal.stage, Received):
                refusal = self._desk.refusal(proposal.peer, proposal.id, DeclinedByUser())
                stage: Stage = Refused(DeclinedByUser.__name__, str(DeclinedByUser()), refusal.text)
                return await self._desk.move(proposal, stage, pending=bool(proposal.url))
            if isinstance(proposal.stage, Offered):
                return await self._desk.move(proposal, Lapsed(WITHDRAWN))
            raise AlreadyAnswered(proposal.id, proposal.stage.name)

    async def lapse(self) -> None:
        """Put aside what nobody answered in time: proposals after their `until`, acceptances that were never
        acknowledged once the first deadline of the deal is past, too."""
        now = self._desk.now()
        async with self._turn:
            for state in (Offered, Received, Accepted):
                for proposal in await self._desk.store.book.overdue(state.name, now):
                    if now > _last_moment(proposal):
                        log.info("proposal lapsed", proposal=proposal.id, state=state.name)
                        await self._desk.move(proposal, Lapsed("nobody answered in time"))

    # --- receiving ---------------------------------------------------------------------------------------

    async def receive(self, message: Message) -> Message | None:
        """Act on a message of the exchange and give the signed answer: for a request always one, for an answer
        what it asks for in turn, or None.

        A refusal of ours is an answer too. Raises StoreUnavailable and other faults of this machine.
        """
        try:
            async with self._turn:
                return await self._dispatch(message)
        except StrikelockError as error:
            log.info("refused", sender=message.sender, kind=message.kind.value, reason=str(error))
            return (
                None
                if message.kind in (Kind.REFUSAL, Kind.RECEIPT)
                else self._desk.refusal(message.sender, message.id, error)
            )

    async def _dispatch(self, message: Message) -> Message | None:
        match message.kind:
            case Kind.PROPOSAL:
                return await self._acceptor.receive_proposal(message)
            case Kind.ACCEPTANCE:
                return await self._proposer.receive_acceptance(message)
            case Kind.ACKNOWLEDGEMENT:
                return await self._acceptor.receive_acknowledgement(message)
            case Kind.REFUSAL:
                return await self._receive_refusal(message)
            case Kind.RECEIPT:
                return await self._receive_receipt(message)
            case _:
                raise UnexpectedMessage(message.kind.value, "not an exchange")

    async def _receive_refusal(self, message: Message) -> Message:
        """The other side said no to a message of ours."""
        body = RefusalBody.parse(message.body)
        proposal = await self._about(body.of, message.sender)
        if proposal is not None and body.code not in PASSING:
            await self._refused(proposal, proposal.stage, message, body)
        return self._desk.receipt(message, "received")

    async def _refused(self, proposal: Proposal, stage: Stage, message: Message, body: RefusalBody) -> None:
        if isinstance(stage, Offered | Accepted):
            await self._desk.move(proposal, Refused(body.code, body.reason, message.text))
        elif isinstance(stage, Agreed) and proposal.sent and proposal.pending:
            # They do not have the deal: whatever we locked would only come back after its refund time.
            deal = await self._desk.store.deal(stage.deal)
            await self._desk.store.resolve(deal.id, replace(deal.will, stop=True))
            await self._desk.store.book.confirm(proposal.id)
        log.info("refused by peer", proposal=proposal.id, code=body.code, reason=body.reason)

    async def _receive_receipt(self, message: Message) -> Message | None:
        """Our last message has arrived. A proposal or acceptance stays pending: it wants more than a receipt."""
        body = ReceiptBody.parse(message.body)
        proposal = await self._about(body.of, message.sender)
        if proposal is not None and proposal.pending and isinstance(proposal.stage, Agreed | Refused):
            await self._desk.store.book.confirm(proposal.id)
        return None

    async def _about(self, message_id: str, sender: str) -> Proposal | None:
        """The exchange with `sender` whose current message of ours has that id."""
        for proposal in (await self._desk.store.book.find(message_id), *await self._desk.store.book.pending()):
            if proposal is not None and proposal.peer == sender:
                current = self.outgoing(proposal)
                if current is not None and current.id == message_id:
                    return proposal
        return None

    # --- what we say -------------------------------------------------------------------------------------

    def outgoing(self, proposal: Proposal) -> Message | None:
        """The message of ours that the exchange waits to have answered or confirmed, if any."""
        match proposal.stage:
            case Offered():
                return _ours(proposal.message)
            case Accepted(answer):
                return _ours(answer)
            case Agreed(_, acknowledgement) if proposal.sent:
                return _ours(acknowledgement)
            case Refused(_, _, answer) if not proposal.sent and answer:
                return _ours(answer)
            case _:
                return None


@lru_cache(maxsize=KEPT)
def _ours(text: str) -> Message:
    """A message of ours as it is stored: asked for at every answer that comes in, while it waits for its own."""
    return read(text.encode())


def _last_moment(proposal: Proposal) -> int:
    """Until when a proposal in this stage is kept alive."""
    if isinstance(proposal.stage, Accepted):
        return max(proposal.until, min(proposal_body(proposal).terms.times.values()))
    return proposal.until
