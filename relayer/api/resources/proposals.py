"""/v1/proposals: what is offered to us and by us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from chains.errors import ChainUnavailable, LegError
from htlc.errors import PeerUnavailable, TermsError
from htlc.terms import LegTerms
from relayer.api import models, views
from relayer.api.asks import (
    PROPOSE,
    DecisionBody,
    LegBody,
    ProposalsQuery,
    Propose,
    ProposeAttested,
    ProposeOption,
    ProposeSwap,
)
from relayer.api.operation import AnyOperation, Call, Keyed, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.errors import BadRequest
from settlement.errors import AlreadyAnswered, OwnIdentity, ProposalExpired
from settlement.store.errors import NoSuchProposal

if TYPE_CHECKING:
    from relayer.daemon import Daemon

PATH = "/v1/proposals"


class Proposals:
    """The book of proposals. What is decided is stored at once; the mailer carries it."""

    def __init__(self, daemon: Daemon) -> None:
        self._party = daemon.party
        self._book = daemon.party.store.book

    def operations(self) -> tuple[AnyOperation, ...]:
        one = PATH + "/{proposal}"
        return (
            Operation(
                "GET",
                PATH,
                "listProposals",
                "List proposals, the newest first.",
                Scope.READ,
                models.ProposalPage,
                self.all,
                query=ProposalsQuery,
            ),
            Operation(
                "GET",
                one,
                "showProposal",
                "Show a proposal.",
                Scope.READ,
                models.Proposal,
                self.one,
                problems=(NoSuchProposal,),
            ),
            Operation(
                "POST",
                PATH,
                "propose",
                "Propose a deal, with the shortest deadlines that are safe for both; it is stored, then sent.",
                Scope.TRADE,
                models.Proposal,
                self.propose,
                body=PROPOSE,
                status=201,
                keyed=Keyed.MUST,
                problems=(TermsError, LegError, BadRequest, OwnIdentity, PeerUnavailable, ChainUnavailable),
            ),
            Operation(
                "POST",
                one + "/decision",
                "decide",
                "Accept a proposal that was sent to us, refuse it, or withdraw one of ours.",
                Scope.TRADE,
                models.Proposal,
                self.decide,
                body=TypeAdapter(DecisionBody),
                keyed=Keyed.MAY,
                problems=(
                    NoSuchProposal,
                    AlreadyAnswered,
                    ProposalExpired,
                    TermsError,
                    LegError,
                    ChainUnavailable,
                ),
            ),
        )

    async def all(self, call: Call[ProposalsQuery, None]) -> models.ProposalPage:
        query = call.query
        found = await self._book.proposals(query.state or None, query.limit + 1, query.first)
        shown, place = views.part(found, query.first, query.limit)
        return models.ProposalPage(proposals=tuple(views.proposal(one) for one in shown), **place)

    async def one(self, call: Call[NoQuery, None]) -> models.Proposal:
        return await self.find(call.params["proposal"])

    async def find(self, id_: str) -> models.Proposal:
        """A proposal as it stands. Raises NoSuchProposal."""
        return views.proposal(await self._book.proposal(id_))

    async def propose(self, call: Call[NoQuery, Propose]) -> models.Proposal:
        if call.made is not None:  # by this request, before it was cut off
            self._party.mailer.poke()
            return views.proposal(await self._book.proposal(call.made))
        body, party = call.body, self._party
        legs, options, life, members = _terms(body)
        quorum = None if members is None else party.quorum(members)
        times = party.ladder(body.protocol, {name: leg.chain for name, leg in legs.items()}, life, body.backup)
        made = await party.draft(
            body.protocol, body.role, legs, options, times, body.peer, quorum, body.backup, call.key
        )
        party.mailer.poke()
        return views.proposal(made)

    async def decide(self, call: Call[NoQuery, DecisionBody]) -> models.Proposal:
        id_, body = call.params["proposal"], call.body
        if body.backup is not None:
            await self._book.back_up(id_, body.backup)
        agreement = self._party.agreement
        decided = await (agreement.accept(id_) if body.decision == "accept" else agreement.refuse(id_))
        self._party.mailer.poke()
        return views.proposal(decided)


def _terms(body: Propose) -> tuple[dict[str, LegTerms], dict[str, str], int, tuple[str, ...] | None]:
    """Legs, options, life and attesters of what is to be proposed."""
    match body:
        case ProposeOption():
            releases = "yes" if body.releases else "no"
            return _option_legs(body), {"kind": body.kind, "releases": releases}, body.life, None
        case ProposeAttested():
            return _option_legs(body), {"kind": body.kind}, body.life, body.quorum
        case ProposeSwap():
            return {"x": _leg(body.legs.x), "y": _leg(body.legs.y)}, {}, 0, None


def _option_legs(body: ProposeOption | ProposeAttested) -> dict[str, LegTerms]:
    legs = body.legs
    return {"collateral": _leg(legs.collateral), "premium": _leg(legs.premium), "strike": _leg(legs.strike)}


def _leg(body: LegBody) -> LegTerms:
    return LegTerms(body.chain, body.asset, int(body.units))
