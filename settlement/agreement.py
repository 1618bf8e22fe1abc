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
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from chains.errors import StrikelockError
from chains.legs import Leg
from chains.port import Chain, Wallet
from htlc.errors import LegMismatch, MalformedTerms
from htlc.ports import Clock, Deal
from htlc.protocols import protocol
from htlc.protocols.base import DealProtocol, Guards
from htlc.terms import NONCE_BYTES, Contribution, LegTerms, Terms
from settlement.bodies import (
    AcceptanceBody,
    AcknowledgementBody,
    ProposalBody,
    ReceiptBody,
    RefusalBody,
    printable,
)
from settlement.errors import (
    AlreadyAnswered,
    BadValidity,
    DeclinedByUser,
    OwnIdentity,
    ProposalExpired,
    TermsMismatch,
    TooManyProposals,
    UnexpectedMessage,
    UnexpectedSender,
)
from settlement.examine import Examiner, check_distinct
from settlement.messages import Kind, Message, read, seal
from settlement.policy import Policies
from settlement.proposal import Accepted, Agreed, Lapsed, Offered, Proposal, Received, Refused, Stage
from settlement.rebuild import compare_legs, leg_forms
from settlement.seed import Seed
from settlement.store import Store

log = structlog.get_logger(__name__)

# Refusals that say nothing of the terms: the message is worth sending again later.
PASSING = frozenset({"ChainUnavailable", "StaleTip", "StoreUnavailable", "StoreBusy", "TooManyProposals"})


@dataclass(frozen=True, slots=True)
class Offer:
    """What a user wants to propose. role: ours. legs: by leg name; an asset as the chain's configuration names
    it. times: absolute UNIX seconds by name. lasts: how long the proposal is good for, seconds."""

    protocol: str
    role: str
    legs: Mapping[str, LegTerms]
    times: Mapping[str, int]
    options: Mapping[str, str]
    lasts: int = 600


@dataclass(frozen=True, slots=True)
class Verified:
    """Terms that passed every check of ours, with what is stored of that."""

    terms: Terms
    legs: Mapping[str, Leg]
    guards: Guards


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
        self._store = store
        self._chains = chains
        self._wallets = wallets
        self._seed = seed
        self._policies = policies
        self._clock = clock
        self._examiner = Examiner(store, chains, policies.risk)
        self._turn = asyncio.Lock()  # one decision at a time: checks and what they allow belong together
        self.identity = seed.identity()
        self.url = url

    # --- proposing ---------------------------------------------------------------------------------------

    async def propose(self, offer: Offer, peer: str, url: str) -> Proposal:
        """Check and sign a proposal to the identity `peer`, reached at `url`; stored, not sent yet.

        Raises a TermsError or LegError if we would not enter the deal ourselves, OwnIdentity, BadValidity,
        UnknownProtocol, ChainUnavailable, StoreUnavailable.
        """
        if peer == self.identity.public:
            raise OwnIdentity(peer)
        now = self._now()
        if not 0 < offer.lasts <= self._policies.accept.longest_validity:
            raise BadValidity(now + offer.lasts, now + self._policies.accept.longest_validity)
        spoken = protocol(offer.protocol)
        ours = self._contribute(spoken, offer.role, self._canonical(offer), os.urandom(NONCE_BYTES))
        rehearsed = await self._rehearse(spoken, offer.role, ours, now)
        terms = replace(ours, parties={offer.role: ours.parties[offer.role]})
        body = ProposalBody(terms, offer.role, self.url, now + offer.lasts)
        message = seal(self.identity, Kind.PROPOSAL, peer, body.to_json(), now)
        stage = Offered(rehearsed, await self._heights(terms))
        proposal = Proposal(
            id=message.id,
            sent=True,
            protocol=spoken.name,
            role=offer.role,
            peer=peer,
            url=url,
            message=message.text,
            until=body.until,
            created_at=now,
            stage=stage,
            pending=True,
        )
        return await self._store.book.add(proposal, terms.parties.values())

    def _canonical(self, offer: Offer) -> Terms:
        """The offer as terms without parties. Raises WrongChain, BadAsset, MalformedTerms."""
        legs = {}
        for name, leg in offer.legs.items():
            if leg.chain not in self._chains:
                raise MalformedTerms(f"legs.{name}.chain", f"there is no chain {leg.chain!r} in the configuration")
            legs[name] = replace(leg, asset=self._chains[leg.chain].asset(leg.asset))
        networks = {leg.chain: self._chains[leg.chain].identity for leg in legs.values()}
        return Terms(offer.protocol, networks, legs, dict(offer.times), dict(offer.options), {})

    async def _rehearse(self, spoken: DealProtocol, role: str, ours: Terms, now: int) -> Guards:
        """Check the terms as far as one can without the other party, which we play ourselves: nothing of it is
        ever used."""
        other = other_role(spoken, role)
        played = self._contribute(spoken, other, ours, os.urandom(NONCE_BYTES)).parties[other]
        stranger = replace(played, identity=hashlib.sha256(played.nonce).hexdigest())
        terms = replace(ours, parties={**ours.parties, other: stranger})
        guards = self._policies.risk.guards(terms, self._chains)
        await self._examiner.rehearse(spoken, terms, role, guards, now)
        return guards

    def _contribute(self, spoken: DealProtocol, role: str, terms: Terms, nonce: bytes) -> Terms:
        """The terms with our contribution in `role`."""
        if role not in spoken.roles:
            raise MalformedTerms("role", f"it must be one of {', '.join(spoken.roles)}")
        hashes = {
            label: hashlib.sha256(self._seed.secret(nonce, label)).digest() for label in spoken.secrets(role)
        }
        keys = {
            label: self._wallets[_leg(terms, leg).chain].key(nonce, label).public
            for label, leg in spoken.keys(role).items()
        }
        party = Contribution(self.identity.public, nonce, hashes, keys)
        return replace(terms, parties={**terms.parties, role: party})

    async def _heights(self, terms: Terms) -> dict[str, int]:
        """By chain, a height before which no leg of a deal that does not exist yet can be funded, even after a
        reorganisation."""
        heights = {}
        for name in terms.networks:
            chain = self._chains[name]
            heights[name] = max(0, (await chain.look()).tip.height - chain.timing.depth)
        return heights

    # --- deciding ----------------------------------------------------------------------------------------

    async def accept(self, id_: str) -> Proposal:
        """Accept a proposal that waits for us; the signed acceptance is stored, not sent yet. Accepting again
        changes nothing. Raises NoSuchProposal, AlreadyAnswered, ProposalExpired, TermsError, LegError."""
        async with self._turn:
            return await self._accept(await self._store.book.proposal(id_))

    async def _accept(self, proposal: Proposal) -> Proposal:
        if isinstance(proposal.stage, Accepted | Agreed) and not proposal.sent:
            return proposal
        if proposal.sent or not isinstance(proposal.stage, Received):
            raise AlreadyAnswered(proposal.id, proposal.stage.name)
        now = self._now()
        self._check_until(proposal.until, now)
        verified = await self._examine_ours(proposal, now)
        since = await self._heights(verified.terms)
        forms = leg_forms(verified.legs, self._chains)
        body = AcceptanceBody(proposal.id, verified.terms, forms, self.url)
        answer = seal(self.identity, Kind.ACCEPTANCE, proposal.peer, body.to_json(), now)
        stage = Accepted(answer.text, verified.terms.id, verified.guards, since)
        parties = tuple(verified.terms.parties.values())
        return await self._store.book.move(proposal.id, Received, stage, pending=True, at=now, parties=parties)

    async def _examine_ours(self, proposal: Proposal, now: int) -> Verified:
        """The proposal completed by a fresh contribution of ours, and every check of it."""
        body = _proposal_body(proposal)
        spoken = protocol(proposal.protocol)
        terms = self._contribute(spoken, proposal.role, body.terms, os.urandom(NONCE_BYTES))
        return await self._verify(spoken, terms, proposal, now)

    async def _verify(
        self, spoken: DealProtocol, terms: Terms, proposal: Proposal, now: int, guards: Guards | None = None
    ) -> Verified:
        self._examiner.check_networks(terms)  # guards need the chains
        guards = guards or self._policies.risk.guards(terms, self._chains)
        parties = {proposal.role: self.identity.public, other_role(spoken, proposal.role): proposal.peer}
        legs = await self._examiner.examine(spoken, terms, proposal.role, parties, guards, now)
        return Verified(terms, legs, guards)

    async def refuse(self, id_: str) -> Proposal:
        """Decline a proposal that waits for us, or withdraw one of ours that nobody accepted yet. Raises
        NoSuchProposal, AlreadyAnswered."""
        async with self._turn:
            proposal = await self._store.book.proposal(id_)
            if isinstance(proposal.stage, Received):
                refusal = self._refusal(proposal.peer, proposal.id, DeclinedByUser())
                stage: Stage = Refused(DeclinedByUser.__name__, str(DeclinedByUser()), refusal.text)
                return await self._move(proposal, stage, pending=bool(proposal.url))
            if isinstance(proposal.stage, Offered):
                return await self._move(proposal, Lapsed("withdrawn"))
            raise AlreadyAnswered(proposal.id, proposal.stage.name)

    async def lapse(self) -> None:
        """Put aside what nobody answered in time: proposals after their `until`, acceptances that were never
        acknowledged once the first deadline of the deal is past."""
        now = self._now()
        async with self._turn:
            for state in (Offered, Received, Accepted):
                for proposal in await self._store.book.proposals(state.name, limit=1000):
                    if now > _last_moment(proposal):
                        log.info("proposal lapsed", proposal=proposal.id, state=state.name)
                        await self._move(proposal, Lapsed("nobody answered in time"))

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
            return None if message.kind in (Kind.REFUSAL, Kind.RECEIPT) else self.refusal(message, error)

    async def _dispatch(self, message: Message) -> Message | None:
        match message.kind:
            case Kind.PROPOSAL:
                return await self._receive_proposal(message)
            case Kind.ACCEPTANCE:
                return await self._receive_acceptance(message)
            case Kind.ACKNOWLEDGEMENT:
                return await self._receive_acknowledgement(message)
            case Kind.REFUSAL:
                return await self._receive_refusal(message)
            case Kind.RECEIPT:
                return await self._receive_receipt(message)
            case Kind.RELEASE:
                raise UnexpectedMessage(message.kind.value, "not an exchange")

    async def _receive_proposal(self, message: Message) -> Message:
        body = ProposalBody.parse(message.body)
        known = await self._store.book.find(message.id)
        if known is None:
            known = await self._admit(message, body)
        if isinstance(known.stage, Received) and self._policies.accept.takes(body.terms, message.sender):
            known = await self._accept(known)
        return self._answer(known, message)

    async def _admit(self, message: Message, body: ProposalBody) -> Proposal:
        """Check a new proposal against everything we know, and keep it for our user."""
        now = self._now()
        self._check_until(body.until, now)
        limit = now + self._policies.accept.longest_validity
        if body.until > limit:
            raise BadValidity(body.until, limit)
        await self._check_room(message.sender)
        spoken = protocol(body.terms.protocol)
        proposal = Proposal(
            id=message.id,
            sent=False,
            protocol=spoken.name,
            role=other_role(spoken, body.role),
            peer=message.sender,
            url=body.url,
            message=message.text,
            until=body.until,
            created_at=now,
            stage=Received(),
            pending=False,
        )
        check_distinct(body.terms)
        await self._examine_ours(proposal, now)
        await self._store.book.meet(message.sender, body.url, now)
        return await self._store.book.add(proposal)

    async def _check_room(self, peer: str) -> None:
        policy, book = self._policies.accept, self._store.book
        if await book.waiting(Received.name, peer) >= policy.max_waiting_per_peer:
            raise TooManyProposals(policy.max_waiting_per_peer)
        if await book.waiting(Received.name) >= policy.max_waiting:
            raise TooManyProposals(policy.max_waiting)

    async def _receive_acceptance(self, message: Message) -> Message:
        body = AcceptanceBody.parse(message.body)
        proposal = await self._exchange(body.proposal, message.sender)
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
        now = self._now()
        self._check_until(proposal.until, now)
        compare_terms(_proposal_body(proposal).terms, body.terms, proposal.role)
        spoken = protocol(proposal.protocol)
        verified = await self._verify(spoken, body.terms, proposal, now, stage.guards)
        forms = leg_forms(verified.legs, self._chains)
        compare_legs(forms, body.legs)
        deal = Deal(
            id=body.terms.id,
            terms=body.terms,
            role=proposal.role,
            guards=stage.guards,
            since=stage.since,
            agreed_at=now,
            peer=body.url or proposal.url,
        )
        content = AcknowledgementBody(proposal.id, deal.id, forms).to_json()
        acknowledgement = seal(self.identity, Kind.ACKNOWLEDGEMENT, proposal.peer, content, now)
        moved = await self._store.book.move(
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

    async def _receive_acknowledgement(self, message: Message) -> Message:
        body = AcknowledgementBody.parse(message.body)
        proposal = await self._exchange(body.proposal, message.sender)
        stage = proposal.stage
        if proposal.sent or not isinstance(stage, Accepted | Agreed):
            raise UnexpectedMessage(message.kind.value, stage.name)
        if body.deal != stage.deal:
            raise TermsMismatch("deal", stage.deal, body.deal)
        if isinstance(stage, Accepted):
            proposal = await self._open_acknowledged(proposal, stage, message, body)
        return self._receipt(message, proposal.stage.name)

    async def _open_acknowledged(
        self, proposal: Proposal, stage: Accepted, message: Message, body: AcknowledgementBody
    ) -> Proposal:
        """Our acceptance is acknowledged: open the deal. Whether there is still time for each step is for the
        plan to say, so an acknowledgement that comes late opens a deal that nobody funds."""
        now = self._now()
        accepted = AcceptanceBody.parse(read(stage.answer.encode()).body)
        legs = protocol(proposal.protocol).legs(accepted.terms)
        compare_legs(leg_forms(legs, self._chains), body.legs)
        deal = Deal(
            id=stage.deal,
            terms=accepted.terms,
            role=proposal.role,
            guards=stage.guards,
            since=stage.since,
            agreed_at=now,
            peer=proposal.url,
        )
        agreed = Agreed(stage.answer, message.text, deal.id)
        moved = await self._store.book.move(proposal.id, Accepted, agreed, pending=False, at=now, deal=deal)
        log.info("agreed", proposal=proposal.id, deal=deal.id, peer=proposal.peer)
        return moved

    async def _receive_refusal(self, message: Message) -> Message:
        """The other side said no to a message of ours."""
        body = RefusalBody.parse(message.body)
        proposal = await self._about(body.of, message.sender)
        if proposal is not None and body.code not in PASSING:
            await self._refused(proposal, proposal.stage, message, body)
        return self._receipt(message, "received")

    async def _refused(self, proposal: Proposal, stage: Stage, message: Message, body: RefusalBody) -> None:
        if isinstance(stage, Offered | Accepted):
            await self._move(proposal, Refused(body.code, body.reason, message.text))
        elif isinstance(stage, Agreed) and proposal.sent and proposal.pending:
            # They do not have the deal: whatever we locked would only come back after its refund time.
            deal = await self._store.deal(stage.deal)
            await self._store.resolve(deal.id, replace(deal.will, stop=True))
            await self._store.book.confirm(proposal.id)
        log.info("refused by peer", proposal=proposal.id, code=body.code, reason=body.reason)

    async def _receive_receipt(self, message: Message) -> Message | None:
        """Our last message has arrived. A proposal or acceptance stays pending: it wants more than a receipt."""
        body = ReceiptBody.parse(message.body)
        proposal = await self._about(body.of, message.sender)
        if proposal is not None and proposal.pending and isinstance(proposal.stage, Agreed | Refused):
            await self._store.book.confirm(proposal.id)
        return None

    async def _exchange(self, id_: str, sender: str) -> Proposal:
        proposal = await self._store.book.proposal(id_)
        if proposal.peer != sender:
            raise UnexpectedSender(sender)
        return proposal

    async def _about(self, message_id: str, sender: str) -> Proposal | None:
        """The exchange with `sender` whose current message of ours has that id."""
        for proposal in (await self._store.book.find(message_id), *await self._store.book.pending()):
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
                return read(proposal.message.encode())
            case Accepted(answer):
                return read(answer.encode())
            case Agreed(_, acknowledgement) if proposal.sent:
                return read(acknowledgement.encode())
            case Refused(_, _, answer) if not proposal.sent and answer:
                return read(answer.encode())
            case _:
                return None

    def refusal(self, message: Message, error: StrikelockError) -> Message:
        """The signed refusal of a message."""
        return self._refusal(message.sender, message.id, error)

    def _refusal(self, recipient: str, of: str, error: StrikelockError) -> Message:
        body = RefusalBody(of, type(error).__name__, printable(str(error)))
        return seal(self.identity, Kind.REFUSAL, recipient, body.to_json(), self._now())

    def _receipt(self, message: Message, state: str) -> Message:
        body = ReceiptBody(message.id, state)
        return seal(self.identity, Kind.RECEIPT, message.sender, body.to_json(), self._now())

    def _answer(self, proposal: Proposal, message: Message) -> Message:
        """Where a proposal that somebody sent us stands, as an answer to it."""
        match proposal.stage:
            case Accepted(answer) | Agreed(answer):
                return read(answer.encode())
            case Refused(_, _, answer) if answer:
                refusal = read(answer.encode())
                return refusal if refusal.sender == self.identity.public else self._receipt(message, "refused")
            case _:
                return self._receipt(message, proposal.stage.name)

    # --- small things ------------------------------------------------------------------------------------

    async def _move(self, proposal: Proposal, stage: Stage, pending: bool = False) -> Proposal:
        return await self._store.book.move(
            proposal.id, type(proposal.stage), stage, pending=pending, at=self._now()
        )

    def _now(self) -> int:
        return int(self._clock.now())

    def _check_until(self, until: int, now: int) -> None:
        if now > until:
            raise ProposalExpired(until, now)


def other_role(spoken: DealProtocol, role: str) -> str:
    """The role of a protocol that is not `role`. Raises MalformedTerms if `role` is none of them."""
    if role not in spoken.roles:
        raise MalformedTerms("role", f"it must be one of {', '.join(spoken.roles)}")
    first, second = spoken.roles
    return second if role == first else first


def compare_terms(proposed: Terms, found: Terms, role: str) -> None:
    """Raise LegMismatch or TermsMismatch where the accepted terms are not those we proposed as `role`."""
    for name in sorted(proposed.legs.keys() | found.legs.keys()):
        for field in ("chain", "asset", "amount"):
            ours = getattr(proposed.legs.get(name), field, "absent")
            theirs = getattr(found.legs.get(name), field, "absent")
            if ours != theirs:
                raise LegMismatch(name, field, str(ours), str(theirs))
    for part in ("protocol", "networks", "times", "options"):
        _compare(part, getattr(proposed, part), getattr(found, part))
    expected = proposed.to_json()["parties"][role]
    _compare(f"parties.{role}", expected, found.to_json()["parties"].get(role, {}))


def _compare(where: str, expected: object, found: object) -> None:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for name in sorted(expected.keys() | found.keys()):
            _compare(f"{where}.{name}", expected.get(name, "absent"), found.get(name, "absent"))
    elif expected != found:
        raise TermsMismatch(where, str(expected), str(found))


def _leg(terms: Terms, name: str) -> LegTerms:
    if name not in terms.legs:
        raise MalformedTerms(f"legs.{name}", "it is missing")
    return terms.legs[name]


def _proposal_body(proposal: Proposal) -> ProposalBody:
    return ProposalBody.parse(read(proposal.message.encode()).body)


def _last_moment(proposal: Proposal) -> int:
    """Until when a proposal in this stage is kept alive."""
    if isinstance(proposal.stage, Accepted):
        return min(_proposal_body(proposal).terms.times.values())
    return proposal.until
