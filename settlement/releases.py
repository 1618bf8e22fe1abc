"""Release signatures on their way: ours signed and sealed, theirs checked before they are held."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from chains.errors import StrikelockError
from chains.port import Wallet
from htlc.errors import NoSuchDeal
from htlc.ports import Clock, Deal
from htlc.protocols import protocol
from settlement.bodies import ReceiptBody, RefusalBody, ReleaseBody, printable
from settlement.errors import BadConsent, UnexpectedSender
from settlement.messages import Kind, Message, seal
from settlement.seed import Identity
from settlement.store import Store

log = structlog.get_logger(__name__)


class Releases:
    """One party's side of handing over releases."""

    def __init__(self, store: Store, wallets: Mapping[str, Wallet], identity: Identity, clock: Clock) -> None:
        self._store = store
        self._wallets = wallets
        self._identity = identity
        self._clock = clock

    def seal(self, deal: Deal, leg: str, path: str, consent: str) -> Message:
        """The message that carries a release signature of ours, which the journal holds already."""
        body = ReleaseBody(deal.id, leg, path, consent)
        return seal(self._identity, Kind.RELEASE, counterparty(deal), body.to_json(), self._now())

    async def receive(self, message: Message) -> Message:
        """Hold a release signature if it is good; the signed receipt or refusal."""
        try:
            await self._hold(message.sender, ReleaseBody.parse(message.body))
        except StrikelockError as error:
            log.info("release refused", sender=message.sender, reason=str(error))
            refusal = RefusalBody(message.id, type(error).__name__, printable(str(error)))
            return self._reply(message, Kind.REFUSAL, refusal)
        return self._reply(message, Kind.RECEIPT, ReceiptBody(message.id, "held"))

    async def _hold(self, sender: str, body: ReleaseBody) -> None:
        """Raises NoSuchDeal, UnexpectedSender, BadConsent, ChainUnavailable, StoreUnavailable."""
        deal = await self._store.deal(body.deal)
        if counterparty(deal) != sender:
            raise UnexpectedSender(sender)
        if deal.outcome is not None or deal.consents_held.get((body.leg, body.path)) == body.consent:
            return  # nothing left to release, or sent again
        spoken = protocol(deal.terms.protocol)
        leg = spoken.legs(deal.terms).get(body.leg)
        if leg is None or body.path not in {path.name for path in leg.paths}:
            raise BadConsent(body.leg, body.path)
        signers = [key for role, key in spoken.signer_keys(body.leg, body.path) if role != deal.role]
        if spoken.recipient_key(body.leg, body.path)[0] != deal.role or len(signers) != 1:
            raise BadConsent(body.leg, body.path)
        other = next(role for role in deal.terms.parties if role != deal.role)
        signer = deal.terms.key(other, signers[0])
        wallet = self._wallets.get(leg.chain)
        if wallet is None or not await wallet.check_consent(leg, body.path, signer, body.consent):
            raise BadConsent(body.leg, body.path)
        await self._store.hold_consent(deal.id, body.leg, body.path, body.consent)

    def _reply(self, message: Message, kind: Kind, body: ReceiptBody | RefusalBody) -> Message:
        return seal(self._identity, kind, message.sender, body.to_json(), self._now())

    def _now(self) -> int:
        return int(self._clock.now())


def counterparty(deal: Deal) -> str:
    """The identity of the other party of a deal."""
    for role, party in deal.terms.parties.items():
        if role != deal.role:
            return party.identity
    raise NoSuchDeal(deal.id)
