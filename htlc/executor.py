"""Carries out a plan's actions: price, sign, store, broadcast; in this order, for every transaction.

Every action says what shall be the case, not what to do, so carrying it out again is always safe: a lineage
that is in flight is broadcast again or replaced with a higher fee, never doubled.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import structlog

from chains.errors import AccountBusy, ChainError, NothingToSpend, Rejected
from chains.legs import NATIVE, Leg
from chains.port import Chain, FeeEstimate, SignedTx, TxPhase, Wallet
from htlc.errors import StalePlan
from htlc.fees import Climb, FeePolicy, Purpose, bid, climb
from htlc.lineage import Attempt, Attempts
from htlc.ports import CANCEL, FUND, Clock, Deal, Journal
from htlc.protocols.base import Action, Attest, Close, DealProtocol, Fund, GiveConsent, SpendLeg, Swear, Unfund

log = structlog.get_logger(__name__)

FRESH_SECONDS = 10  # that a plan to show a secret may be old when it is carried out


@dataclass(slots=True)
class Work:
    """One deal in one tick: what is known of it, and the lineages that this tick's plan wants."""

    deal: Deal
    protocol: DealProtocol
    legs: Mapping[str, Leg]
    attempts: Attempts
    now: int


@dataclass(slots=True)
class Sent:
    """What became of the last broadcast of a transaction. block: the tip then. seen: in the mempool since."""

    block: str
    taken: bool
    seen: bool = False


@dataclass(slots=True)
class Watched:
    """A chain was last seen at `last`, and since `since` without a pause. UNIX seconds."""

    since: int
    last: int


class Executor:
    """The hands of the driver. `pending` is every unsettled transaction of ours by chain; the driver renews it
    each tick and the executor adds what it signs.

    What it remembers besides, it can do without: where it forgets, a transaction is sent once more, and a climb
    starts anew with one higher bid.
    """

    def __init__(
        self,
        journal: Journal,
        chains: Mapping[str, Chain],
        wallets: Mapping[str, Wallet],
        fees: Mapping[str, FeePolicy],
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._chains = chains
        self._wallets = wallets
        self._policies = fees
        self._estimates: dict[str, FeeEstimate] = {}
        self._busy: dict[str, str] = {}  # accounts with something in flight in this tick, by chain
        self._sent: dict[str, Sent] = {}
        self._watched: dict[str, Watched] = {}
        self._tips: Mapping[str, str] = {}
        self.pending: dict[str, list[SignedTx]] = {}

    def begin(self, pending: Mapping[str, Sequence[SignedTx]], tips: Mapping[str, str], now: int) -> None:
        """Start a tick: prices are asked for anew, reservations are the journal's. tips: the best block's hash of
        every chain that can be seen now."""
        self._estimates.clear()
        self._busy.clear()
        self.pending = {chain: list(pending.get(chain, ())) for chain in self._chains}
        self._tips = tips
        if self._sent:
            self._forget_settled()
        for chain in tips:
            seen = self._watched.get(chain)
            if seen is None or now - seen.last > self._policies[chain].pause:
                seen = self._watched[chain] = Watched(now, now)
            seen.last = now

    def _forget_settled(self) -> None:
        unsettled = [tx.txid for txs in self.pending.values() for tx in txs]
        if len(self._sent) > 2 * len(unsettled):
            self._sent = {txid: self._sent[txid] for txid in unsettled if txid in self._sent}

    async def perform(self, work: Work, action: Action) -> None:
        """Bring about what one action asks for, as far as that can be done now. Raises a ChainError
        that the next tick may cure."""
        match action:
            case Fund():
                await self._fund(work, action)
            case Unfund():
                await self._unfund(work, action)
            case SpendLeg():
                await self._spend(work, action)
            case GiveConsent():
                await self._consent(work, action)
            case Attest():
                pass  # the driver's collector asks, beside the ticks
            case Swear(vow):
                await self._journal.swear(work.deal.id, vow)
            case Close(outcome):
                await self._journal.close(work.deal.id, outcome, work.now)

    # --- transactions ------------------------------------------------------------------------------------

    async def _fund(self, work: Work, action: Fund) -> None:
        leg = work.legs[action.leg]
        ours = work.attempts.of(action.leg, FUND)
        if work.attempts.of(action.leg, CANCEL) or any(a.state.phase is TxPhase.MINED for a in ours):
            return  # on its way, or taken back: a second funding from other inputs would be a second payment
        alive = work.attempts.alive(action.leg, FUND)
        price, cap = await self._price(work, leg, Purpose.FUND, action.deadline, alive)
        if price is None:
            await self._again(work, alive)
            return
        replacing = alive[-1].tx if alive else None
        async with self._turn(leg.chain) as pending:
            signing = self._wallets[leg.chain].fund(leg, price, cap, pending, replacing)
            tx = await self._or_again(work, alive, signing)
            await self._sign(work, action.leg, FUND, tx, alive)

    async def _unfund(self, work: Work, action: Unfund) -> None:
        alive = work.attempts.alive(action.leg, FUND)
        if alive:
            await self.cancel(work, alive[-1])

    async def cancel(self, work: Work, attempt: Attempt) -> None:
        """Double-spend an attempt by a payment to ourselves."""
        leg = work.legs[attempt.intent.leg]
        cancels = work.attempts.cancels(attempt)
        price, _ = await self._price(work, leg, Purpose.CANCEL, None, cancels)
        if price is None:
            await self._again(work, cancels)
            return
        replacing = cancels[-1].tx if cancels else None
        wallet = self._wallets[leg.chain]
        price = max(price, attempt.tx.price)
        async with self._turn(leg.chain) as pending:
            signing = wallet.cancel(attempt.tx, price, pending, replacing)
            tx = await self._or_again(work, cancels, signing)
            await self._sign(work, attempt.intent.leg, CANCEL, tx, cancels)

    async def _spend(self, work: Work, action: SpendLeg) -> None:
        leg = work.legs[action.leg]
        alive = work.attempts.alive(action.leg, action.path)
        purpose = Purpose.CLAIM if action.preimages else Purpose.REFUND
        price, cap = await self._price(work, leg, purpose, action.deadline, alive)
        if price is None:
            self._refuse_stale(work, action)
            await self._shown(work, action, await self._again(work, alive))
            return
        async with self._turn(leg.chain):
            try:
                tx = await self._sign_spend(work, action, price, cap, alive)
            except ChainError:
                self._refuse_stale(work, action)
                await self._shown(work, action, await self._again(work, alive))
                raise
            self._refuse_stale(work, action)
            sent = await self._sign(work, action.leg, action.path, tx, alive)
        await self._shown(work, action, sent)

    async def _shown(self, work: Work, action: SpendLeg, sent: bool) -> None:
        """What was sent is in the world, whatever becomes of the transaction."""
        if sent and action.reveals:
            await self._journal.learn(work.deal.id, {sha256(p).digest(): p for p in action.preimages})

    @contextlib.asynccontextmanager
    async def _turn(self, chain: str) -> AsyncIterator[Sequence[SignedTx]]:
        """Our turn to sign on a chain: what is pending there is read anew, since others may have signed."""
        async with self._journal.turn(chain) as pending:
            self.pending[chain] = list(pending)
            yield self.pending[chain]

    def _refuse_stale(self, work: Work, action: SpendLeg) -> None:
        """A plan to show a secret holds for the moment it was made in. A process that was stopped since, or a
        machine that slept, may be past its guard: the next look decides anew. Raises StalePlan."""
        age = 0 if self._clock is None else int(self._clock.now()) - work.now
        if action.reveals and age > FRESH_SECONDS:
            raise StalePlan(work.legs[action.leg].chain, age)

    async def _sign_spend(
        self, work: Work, action: SpendLeg, price: int, cap: int, alive: Sequence[Attempt]
    ) -> SignedTx:
        """A spend in place of the newest attempt whose coin still stands. A reorganisation may have taken the coin
        of an attempt and left the leg another; then none is replaced."""
        leg = work.legs[action.leg]
        role, label = work.protocol.recipient_key(action.leg, action.path)
        wallet = self._wallets[leg.chain]
        key = wallet.key(work.deal.terms.parties[role].nonce, label)
        held = work.deal.consents_held.get((action.leg, action.path))
        consents = (held,) if held is not None else ()
        pending = self.pending[leg.chain]
        for attempt in reversed(alive):
            with contextlib.suppress(NothingToSpend):
                return await wallet.spend(
                    leg, action.path, key, action.preimages, consents, price, cap, pending, attempt.tx
                )
        idle = action.reveals and not alive
        if idle and leg.chain in self._busy:
            raise AccountBusy(leg.chain, self._busy[leg.chain])
        try:
            return await wallet.spend(
                leg, action.path, key, action.preimages, consents, price, cap, pending, idle=idle
            )
        except AccountBusy as busy:
            self._busy[leg.chain] = busy.account
            raise

    async def _price(
        self, work: Work, leg: Leg, purpose: Purpose, deadline: int | None, alive: Sequence[Attempt]
    ) -> tuple[int | None, int]:
        """(price to sign at now, or None to leave the lineage as it is; most that it may cost)."""
        estimate = self._estimates.get(leg.chain)
        if estimate is None:
            estimate = self._estimates[leg.chain] = await self._chains[leg.chain].fees()
        policy = self._policies[leg.chain]
        offer = bid(
            estimate,
            policy,
            purpose,
            now=work.now,
            started=self._climb(leg.chain, policy, alive, work.now),
            deadline=deadline,
            value=leg.amount if leg.asset == NATIVE else None,
            last_price=alive[-1].tx.price if alive else None,
        )
        return offer.price, offer.cap

    def _climb(self, chain: str, policy: FeePolicy, alive: Sequence[Attempt], now: int) -> Climb:
        watched = self._watched.get(chain)
        signed = [attempt.intent.signed_at for attempt in alive]
        return climb(signed, now if watched is None else watched.since, policy.pause, now)

    async def _sign(self, work: Work, leg: str, step: str, tx: SignedTx, lineage: Sequence[Attempt]) -> bool:
        await self._journal.sign(work.deal.id, leg, step, tx, work.now)
        self.pending[tx.chain].append(tx)
        attempt = len(lineage) + 1
        log.info("signed", deal=work.deal.id, leg=leg, step=step, txid=tx.txid, fee=tx.fee, attempt=attempt)
        return await self._send(work, tx)

    async def _or_again(
        self, work: Work, alive: Sequence[Attempt], signing: Coroutine[Any, Any, SignedTx]
    ) -> SignedTx:
        """What is being signed; where it can't be, the lineage goes out again as it is. It may never have been
        sent, and a bid that can't be raised is still a bid."""
        try:
            return await signing
        except ChainError:
            await self._again(work, alive)
            raise

    async def _again(self, work: Work, alive: Sequence[Attempt]) -> bool:
        """Broadcast what a node takes of a lineage, the newest first: nodes restart, mempools evict. Once a block,
        and at once where a mempool had it and has it no more: somebody may be cycling replacements. Whether the
        node has one of them."""
        for attempt in reversed(alive):
            sent = self._sent.get(attempt.tx.txid)
            if attempt.state.phase is TxPhase.PENDING:
                if sent is not None:
                    sent.seen = True
                return True
            if sent is None or sent.seen or sent.block != self._tips.get(attempt.tx.chain):
                taken = await self._send(work, attempt.tx)
            else:
                taken = sent.taken
            if taken:
                return True
        return False

    async def _send(self, work: Work, tx: SignedTx) -> bool:
        """Broadcast; whether the node took it."""
        taken = True
        try:
            await self._chains[tx.chain].broadcast(tx)
        except Rejected as error:
            log.warning("rejected", deal=work.deal.id, txid=tx.txid, reason=error.reason)
            taken = False
        self._sent[tx.txid] = Sent(self._tips.get(tx.chain, ""), taken)
        return taken

    async def _consent(self, work: Work, action: GiveConsent) -> None:
        leg = work.legs[action.leg]
        wallet = self._wallets[leg.chain]
        ((role, label),) = work.protocol.signer_keys(action.leg, action.path)
        key = wallet.key(work.deal.terms.parties[role].nonce, label)
        consent = await wallet.consent(leg, action.path, key)
        await self._journal.give_consent(work.deal.id, action.leg, action.path, consent)
