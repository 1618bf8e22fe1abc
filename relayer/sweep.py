"""Rules out fundings that a party signed and does not remember: it pays all it could pay with to itself.

A recovered party does not know what it signed. A funding of its own that is still on its way could be mined late
and be lost to the claimant (docs/explorer.md shows the course). Whatever such a transaction could be made of is
therefore used up, on every chain where a leg of ours is not full, before a deal may close.
"""

from __future__ import annotations

import structlog

from chains.errors import ChainError, InsufficientFunds, Rejected
from chains.extras import Sweeps
from chains.port import Chain, SignedTx, TxPhase, TxState, Wallet

log = structlog.get_logger(__name__)

STEEPER = 1.5  # of the last bid, for the next
MOST = 30  # times the urgent price, at most


class Sweeper:
    """The sweep of one wallet. since: a height before anything of ours was signed. depth: from which on it is
    final. patience: seconds until a higher bid is made."""

    def __init__(self, chain: Chain, wallet: Wallet, since: int, depth: int, patience: int) -> None:
        self._chain = chain
        self._wallet = wallet
        self._since = since
        self._depth = depth
        self._patience = patience
        self._sent: tuple[SignedTx, ...] = ()
        self._signed_at = 0.0
        self._bids = 0
        self.all: list[SignedTx] = []
        self.done = False
        self.trouble = ""

    @property
    def chain(self) -> str:
        return self._chain.name

    async def tick(self, count: int, pending: list[SignedTx], now: float) -> None:
        """Bring the sweep on, once the chain was looked at. count: transactions that we may have forgotten, at
        most. pending: what we know of, which is left alone."""
        if self.done:
            return
        try:
            await self._advance(count, pending, now)
            self.trouble = ""
        except InsufficientFunds as error:
            # Coins that can't pay for this can't be a funding either. A nonce is another thing: somebody could
            # give the account what a forgotten transaction needs.
            self.done = not self._chain.ordered
            self.trouble = str(error)
        except ChainError as error:
            self.trouble = str(error)
            log.warning("sweep waits", chain=self.chain, reason=self.trouble)

    async def _advance(self, count: int, pending: list[SignedTx], now: float) -> None:
        states = [await self._chain.trace(tx, self._since) for tx in self._sent]
        open_ = [state for state in states if not self._final(state)]
        if states and not open_:
            if self._chain.ordered or all(state.phase is TxPhase.MINED for state in states):
                self.done = True
                return
            self._sent = ()  # a coin was spent elsewhere first: sweep what is left
        if not self._sent or (open_ and now - self._signed_at >= self._patience):
            await self._sign(len(open_) or count, pending, now)
        elif any(state.phase is TxPhase.UNSEEN for state in states):
            await self._send()

    def _final(self, state: TxState) -> bool:
        return state.phase in (TxPhase.MINED, TxPhase.DISPLACED) and state.depth >= self._depth

    async def _sign(self, count: int, pending: list[SignedTx], now: float) -> None:
        if not isinstance(self._wallet, Sweeps):
            self.done = True
            log.warning("a wallet of this kind can't be swept", chain=self.chain)
            return
        urgent = (await self._chain.fees()).urgent
        price = int(urgent * min(STEEPER**self._bids, MOST))
        self._sent = await self._wallet.sweep(price, count, pending)
        self._signed_at = now
        self._bids += 1
        self.all += self._sent
        self.done = not self._sent
        await self._send()

    async def _send(self) -> None:
        for tx in self._sent:
            try:
                await self._chain.broadcast(tx)
            except Rejected as error:
                # Most likely a forgotten one bids more: the next attempt need not wait.
                self._signed_at = 0.0
                log.info("sweep rejected", chain=self.chain, txid=tx.txid, reason=error.reason)
            else:
                log.info("swept", chain=self.chain, txid=tx.txid, fee=tx.fee)
