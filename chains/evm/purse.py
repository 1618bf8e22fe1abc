"""An account's nonces, money and signature: what every transaction of a wallet needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import AccountBusy, FeeAboveCap, InsufficientFunds, WouldFail
from chains.evm.account import Account
from chains.evm.balances import read_balances
from chains.evm.client import Client
from chains.evm.errors import Reverted
from chains.evm.market import Market, bumped, read_market
from chains.evm.reserves import Reserves, reserves
from chains.evm.reverts import words_of
from chains.evm.settings import EvmSettings
from chains.evm.transaction import Transaction, claimed, read_transaction
from chains.legs import NATIVE
from chains.port import SignedTx

# Gas is estimated, never assumed. The limit leaves room for what may change before the transaction is mined,
# much of which a stranger can bring about: a unit of coin on a token's vault, which has to be passed on (41,500),
# to an account that does not exist yet (25,000); a balance of a token that must be written anew (17,100). A claim
# that runs out of gas has shown its preimage for nothing. What is not used is not paid; where cap or purse leave
# less, the least margin will do.
MARGIN = 90_000
LEAST_MARGIN = (103, 100)


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does: to whom, with how much wei and what data."""

    to: str
    value: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Standing:
    """The account and the market at the node's best block. used: nonces that are mined; queued: and those in the
    node's pool that follow on them. coin: wei."""

    used: int
    queued: int
    market: Market
    coin: int


@dataclass(frozen=True, slots=True)
class Slot:
    """The nonce of a transaction to be signed. used: nonces that are mined; queued: and those in the node's pool
    that follow on them. held: what other transactions of ours will take before it."""

    nonce: int
    used: int
    queued: int
    held: Reserves


class Purse:
    """Prices, checks and signs for one account."""

    def __init__(self, client: Client, settings: EvmSettings, account: Account) -> None:
        self.client = client
        self.settings = settings
        self.account = account
        self.chain = client.name
        self.address = account.address

    async def standing(self) -> Standing:
        """All that a transaction of ours depends on, asked for at once; for `slot` and `sign`."""
        used, queued, market, coin = await asyncio.gather(
            self._count("latest"),
            self._count("pending"),
            read_market(self.client, self.settings.min_tip),
            self.balance(NATIVE, self.address),
        )
        return Standing(used, queued, market, coin)

    # --- nonces

    async def slot(
        self, pending: Sequence[SignedTx], replacing: SignedTx | None, known: Standing | None = None
    ) -> Slot:
        """The nonce of what is replaced, or the lowest that neither the chain nor the node's pool nor a pending
        transaction of ours has taken. Raises WouldFail if it is too late for a replacement."""
        if known is None:
            used, queued = await asyncio.gather(self._count("latest"), self._count("pending"))
        else:
            used, queued = known.used, known.queued
        if replacing is None:
            nonce = max(used, queued)
            taken = reserves(pending, self.address, used, None).nonces
            while nonce in taken:
                nonce += 1
        else:
            _, nonce = claimed(replacing)
            if nonce < used:
                raise WouldFail(self.chain, f"nonce {nonce} was used by a mined transaction")
        return Slot(nonce, used, queued, reserves(pending, self.address, used, nonce))

    def refuse_busy(self, slot: Slot) -> None:
        """Raise AccountBusy if any other transaction of the account is in flight: a first reveal must not wait
        behind one."""
        flying = {nonce for nonce in slot.held.nonces if nonce >= slot.used} - {slot.nonce}
        if flying or slot.queued > slot.used + (slot.nonce == slot.used):
            raise AccountBusy(self.chain, self.address)

    async def _count(self, block: str) -> int:
        return int(await self.client.call("eth_getTransactionCount", self.address, block), 16)

    # --- money and code

    async def balance(self, asset: str, holder: str) -> int:
        """Units at the best block."""
        [held] = await read_balances(self.client, [(asset, holder)], "latest")
        return held or 0

    async def need(self, asset: str, amount: int, held: Reserves) -> None:
        """Raise InsufficientFunds unless the account has the amount besides what is reserved."""
        reserved = held.native if asset == NATIVE else held.tokens.get(asset, 0)
        available = await self.balance(asset, self.address) - reserved
        if available < amount:
            raise InsufficientFunds(self.chain, asset, amount, max(available, 0))

    async def refuse_code(self, vault: str) -> None:
        """A vault with code can't be deployed, so never be spent; an account with code (EIP-7702) may have its
        nonce and its money moved by others, so nothing signed for it is certain."""
        accounts = (vault, self.address)
        codes = await asyncio.gather(*(self.client.call("eth_getCode", one, "latest") for one in accounts))
        for account, code in zip(accounts, codes, strict=True):
            if code not in ("0x", None):
                raise WouldFail(self.chain, f"there is code at {account}")

    # --- simulation and signature

    async def simulate(self, call: Call) -> None:
        """Raise Reverted if it would fail at the best block."""
        await self.client.call("eth_call", self._request(call), "latest")

    async def estimate(self, call: Call) -> int:
        """Gas as the node estimates it at its best block. Raises WouldFail."""
        try:
            return int(await self.client.call("eth_estimateGas", self._request(call), "latest"), 16)
        except Reverted as error:
            raise WouldFail(self.chain, words_of(error)) from error

    async def sign(
        self,
        call: Call,
        gas: int,
        slot: Slot,
        price: int,
        cap: int | None,
        beaten: Sequence[SignedTx | None],
        known: Standing | None = None,
    ) -> SignedTx:
        """Price it, check that it can be paid for, sign it. It outbids every transaction in `beaten`."""
        market = known.market if known else await read_market(self.client, self.settings.min_tip)
        coin = known.coin if known else await self.balance(NATIVE, self.address)
        old = [read_transaction(tx) for tx in beaten if tx is not None]
        price = max([price, *(bumped(tx.price) for tx in old)])
        tip = max([market.tip(price), *(bumped(tx.tip) for tx in old)])
        transaction = Transaction(
            chain_id=self.settings.chain_id,
            nonce=slot.nonce,
            tip=min(tip, price),
            price=price,
            gas=self._limit(gas, price, call.value, cap, coin - slot.held.native),
            to=call.to,
            value=call.value,
            data=call.data,
        )
        return transaction.sign(self.chain, self.address, self.account.secret)

    def _request(self, call: Call) -> dict[str, str]:
        value, data = hex(call.value), "0x" + call.data.hex()
        return {"from": self.address, "to": call.to, "value": value, "data": data}

    def _limit(self, gas: int, price: int, value: int, cap: int | None, purse: int) -> int:
        """The gas limit: with the margin, or what cap and purse leave of it. Raises FeeAboveCap,
        InsufficientFunds."""
        least = -(-gas * LEAST_MARGIN[0] // LEAST_MARGIN[1])
        if cap is not None and least * price > cap:
            raise FeeAboveCap(self.chain, least * price, cap)
        if value + least * price > purse:
            raise InsufficientFunds(self.chain, NATIVE, value + least * price, max(purse, 0))
        affordable = purse - value if cap is None else min(cap, purse - value)
        return min(gas + MARGIN, affordable // price)
