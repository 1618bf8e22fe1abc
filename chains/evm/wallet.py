"""One party's account on an EVM chain: funds vaults, pushes spends, signs consents.

It keeps no state: the seed, the chain and the transactions the journal calls pending give everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chains.errors import AccountBusy, FeeAboveCap, InsufficientFunds, NothingToSpend, WouldFail
from chains.evm import vaults
from chains.evm.account import Account
from chains.evm.balances import read_balances
from chains.evm.client import Client
from chains.evm.errors import Reverted
from chains.evm.market import bumped, read_market
from chains.evm.reserves import Reserves, reserves
from chains.evm.reverts import is_empty, words_of
from chains.evm.settings import EvmSettings
from chains.evm.transaction import Transaction, claimed, read_transaction
from chains.legs import NATIVE, Leg
from chains.port import Key, SignedTx

# Gas is estimated, never assumed. The limit leaves room for what may change before the transaction is mined, such
# as the recipient's balance of a token that must be written anew (17,100); what is not used is not paid. Where cap
# or purse leave less, the least margin will do.
MARGIN = 20_000
LEAST_MARGIN = (103, 100)


@dataclass(frozen=True, slots=True)
class _Call:
    """What a transaction does: to whom, with how much wei and what data."""

    to: str
    value: int = 0
    data: bytes = b""


class EvmWallet:
    """See `chains.port.Wallet`. Prices are maxFeePerGas in wei; the tip is chosen here."""

    def __init__(self, client: Client, settings: EvmSettings, account: Account) -> None:
        self.address = account.address
        self._client = client
        self._settings = settings
        self._account = account
        self._chain = client.name

    def __repr__(self) -> str:
        return f"EvmWallet(address={self.address!r})"

    def key(self, nonce: bytes, label: str) -> Key:
        """The account itself: recipients are known by their address, and vaults are told apart by their salt."""
        return Key(self.address, self._account.secret)

    async def balance(self, asset: str) -> int:
        """Units of `asset` at the best block: `native` or a token's address."""
        return await self._balance(asset, self.address)

    # --- paying

    async def fund(
        self, leg: Leg, price: int, cap: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        """A plain payment to the leg's vault: a transfer of native coin, or a token's `transfer`."""
        vault = vaults.vault_address(leg, self._settings.chain_id, self._settings.factory)
        await self._refuse_code(vault)
        call = _payment(leg, vault)
        used, own = await self._nonce(pending, replacing)
        held = reserves(pending, self.address, used, own)
        await self._need(leg.asset, leg.amount, held)
        gas = await self._gas(call)
        return await self._sign(call, own, gas, price, cap, held, replacing)

    async def cancel(
        self, tx: SignedTx, price: int, pending: Sequence[SignedTx], replacing: SignedTx | None = None
    ) -> SignedTx:
        """Nothing, paid to ourselves with the nonce of `tx`."""
        used = await self._used("latest")
        nonce = self._unused(tx, used)
        call = _Call(self.address)
        gas = await self._gas(call)
        held = reserves(pending, self.address, used, nonce)
        return await self._sign(call, nonce, gas, price, None, held, tx, replacing)

    async def spend(
        self,
        leg: Leg,
        path: str,
        key: Key,
        preimages: Sequence[bytes],
        consents: Sequence[str],
        price: int,
        cap: int,
        pending: Sequence[SignedTx],
        replacing: SignedTx | None = None,
        idle: bool = False,
    ) -> SignedTx:
        """`Vaults.spend`, pushed by this account; the path's recipient gets what the vault holds."""
        return await self.recover(
            leg, path, leg.asset, preimages, consents, price, cap, pending, replacing, idle=idle
        )

    async def recover(
        self,
        leg: Leg,
        path: str,
        asset: str,
        preimages: Sequence[bytes],
        consents: Sequence[str],
        price: int,
        cap: int,
        pending: Sequence[SignedTx],
        replacing: SignedTx | None = None,
        idle: bool = False,
    ) -> SignedTx:
        """The same for any asset that stands at the vault, such as a token sent there by mistake."""
        vault = vaults.vault_address(leg, self._settings.chain_id, self._settings.factory)
        call = _Call(self._settings.factory, data=self._witness(leg, path, asset, preimages, consents))
        used, own = await self._nonce(pending, replacing)
        if idle:
            await self._refuse_busy(used, pending, replacing)
        if not await self._balance(asset, vault):
            raise NothingToSpend(self._chain, vault)
        gas = await self._simulate(call, vault)
        held = reserves(pending, self.address, used, own)
        return await self._sign(call, own, gas, price, cap, held, replacing)

    def gaps(self, used: int, pending: Sequence[SignedTx]) -> tuple[int, ...]:
        """Nonces from `used` on that no pending transaction has although a later one does: until they are used,
        the later ones can't be mined."""
        taken = reserves(pending, self.address, used, None).nonces
        return tuple(nonce for nonce in range(used, max(taken, default=used)) if nonce not in taken)

    # --- consenting

    async def consent(self, leg: Leg, path: str, key: Key) -> str:
        """Our EIP-712 signature, hex, good for whatever stands or will stand at the vault."""
        chain_id, factory = self._settings.chain_id, self._settings.factory
        return "0x" + vaults.sign_consent(leg, _index(leg, path), chain_id, factory, key.secret).hex()

    async def check_consent(self, leg: Leg, path: str, signer: str, consent: str) -> bool:
        """Whether the factory would take it as `signer`'s."""
        signature = _signature(consent)
        chain_id, factory = self._settings.chain_id, self._settings.factory
        index = _index(leg, path)
        return signature is not None and vaults.check_consent(leg, index, chain_id, factory, signer, signature)

    def _witness(
        self, leg: Leg, path: str, asset: str, preimages: Sequence[bytes], consents: Sequence[str]
    ) -> bytes:
        signatures = [_signature(consent) or b"" for consent in consents]
        try:
            return vaults.spend_calldata(
                leg, _index(leg, path), self._settings.chain_id, asset, preimages, signatures
            )
        except vaults.BadWitness as error:
            raise WouldFail(self._chain, str(error)) from error

    # --- what a transaction needs

    async def _used(self, block: str) -> int:
        return int(await self._client.call("eth_getTransactionCount", self.address, block), 16)

    async def _nonce(self, pending: Sequence[SignedTx], replacing: SignedTx | None) -> tuple[int, int]:
        """(nonces mined, the nonce to use): that of what is replaced, or the lowest that neither the chain nor
        the node's pool nor a pending transaction of ours has taken."""
        used, queued = await asyncio.gather(self._used("latest"), self._used("pending"))
        if replacing is not None:
            return used, self._unused(replacing, used)
        nonce = max(used, queued)
        taken = reserves(pending, self.address, used, None).nonces
        while nonce in taken:
            nonce += 1
        return used, nonce

    def _unused(self, tx: SignedTx, used: int) -> int:
        """The nonce of a transaction that is to be replaced. Raises WouldFail if it is too late for that."""
        _, nonce = claimed(tx)
        if nonce < used:
            raise WouldFail(self._chain, f"nonce {nonce} was used by a mined transaction")
        return nonce

    async def _refuse_busy(self, used: int, pending: Sequence[SignedTx], replacing: SignedTx | None) -> None:
        """A first reveal must not wait behind another transaction of the account."""
        own = None if replacing is None else claimed(replacing)[1]
        flying = {n for n in reserves(pending, self.address, used, None).nonces if n >= used} - {own}
        queued = await self._used("pending")
        if flying or queued > used + (own == used):
            raise AccountBusy(self._chain, self.address)

    async def _balance(self, asset: str, holder: str) -> int:
        [held] = await read_balances(self._client, [(asset, holder)], "latest")
        return held or 0

    async def _need(self, asset: str, amount: int, held: Reserves) -> None:
        """Raise InsufficientFunds unless the account has the amount besides what is reserved."""
        reserved = held.native if asset == NATIVE else held.tokens.get(asset, 0)
        available = await self._balance(asset, self.address) - reserved
        if available < amount:
            raise InsufficientFunds(self._chain, asset, amount, max(available, 0))

    async def _refuse_code(self, vault: str) -> None:
        """A vault with code can't be deployed, so never be spent; an account with code (EIP-7702) may have its
        nonce and its money moved by others, so nothing signed for it is certain."""
        codes = await asyncio.gather(
            *(self._client.call("eth_getCode", account, "latest") for account in (vault, self.address))
        )
        for account, code in zip((vault, self.address), codes, strict=True):
            if code not in ("0x", None):
                raise WouldFail(self._chain, f"there is code at {account}")

    async def _gas(self, call: _Call) -> int:
        """What the node estimates at its best block. Raises WouldFail."""
        try:
            return int(await self._client.call("eth_estimateGas", self._request(call), "latest"), 16)
        except Reverted as error:
            raise WouldFail(self._chain, words_of(error)) from error

    async def _simulate(self, call: _Call, vault: str) -> int:
        """The gas of a spend that succeeds at the best block. Raises NothingToSpend, WouldFail."""
        try:
            await self._client.call("eth_call", self._request(call), "latest")
        except Reverted as error:
            if is_empty(error):
                raise NothingToSpend(self._chain, vault) from error
            raise WouldFail(self._chain, words_of(error)) from error
        return await self._gas(call)

    def _request(self, call: _Call) -> dict[str, str]:
        value, data = hex(call.value), "0x" + call.data.hex()
        return {"from": self.address, "to": call.to, "value": value, "data": data}

    async def _sign(
        self,
        call: _Call,
        nonce: int,
        gas: int,
        price: int,
        cap: int | None,
        held: Reserves,
        *beaten: SignedTx | None,
    ) -> SignedTx:
        """Price it, check that it can be paid for, sign it. It outbids every transaction in `beaten`."""
        market = await read_market(self._client, self._settings.min_tip)
        old = [read_transaction(tx) for tx in beaten if tx is not None]
        price = max([price, *(bumped(tx.price) for tx in old)])
        tip = max([market.tip(price), *(bumped(tx.tip) for tx in old)])
        limit = await self._limit(gas, price, call.value, cap, held)
        chain_id = self._settings.chain_id
        transaction = Transaction(chain_id, nonce, min(tip, price), price, limit, call.to, call.value, call.data)
        return transaction.sign(self._chain, self.address, self._account.secret)

    async def _limit(self, gas: int, price: int, value: int, cap: int | None, held: Reserves) -> int:
        """The gas limit: with the margin, or what cap and purse leave of it. Raises FeeAboveCap,
        InsufficientFunds."""
        least = -(-gas * LEAST_MARGIN[0] // LEAST_MARGIN[1])
        if cap is not None and least * price > cap:
            raise FeeAboveCap(self._chain, least * price, cap)
        purse = await self._balance(NATIVE, self.address) - held.native
        if value + least * price > purse:
            raise InsufficientFunds(self._chain, NATIVE, value + least * price, max(purse, 0))
        affordable = purse - value if cap is None else min(cap, purse - value)
        return min(gas + MARGIN, affordable // price)


def _payment(leg: Leg, vault: str) -> _Call:
    if leg.asset == NATIVE:
        return _Call(vault, leg.amount)
    return _Call(leg.asset, data=vaults.transfer_calldata(vault, leg.amount))


def _index(leg: Leg, path: str) -> int:
    return leg.paths.index(leg.path(path))


def _signature(consent: str) -> bytes | None:
    try:
        return bytes.fromhex(consent.removeprefix("0x"))
    except ValueError:
        return None
