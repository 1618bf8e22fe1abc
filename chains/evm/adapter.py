"""The EVM chain behind the port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from chains.errors import (
    BadAsset,
    BadKey,
    BadPolicy,
    ChainError,
    ChainUnavailable,
    Rejected,
    RpcError,
    StaleTip,
)
from chains.evm import vaults
from chains.evm.account import derive_account
from chains.evm.client import Client
from chains.evm.codec import address_bytes, checksum_address
from chains.evm.costs import claim_gas
from chains.evm.follower import Follower, Header
from chains.evm.market import read_market
from chains.evm.probe import check_factory, check_network, check_node, check_rules
from chains.evm.settings import EvmSettings
from chains.evm.tracer import Tracer
from chains.evm.wallet import EvmWallet
from chains.legs import NATIVE, Leg
from chains.port import FeeEstimate, LegAddress, SignedTx, Snapshot, Tip, TxState

Clock = Callable[[], float]

NATIVE_DECIMALS = 18
MOST_DECIMALS = 36
DECIMALS_CALL = "0x313ce567"  # decimals()


class EvmChain:
    """See `chains.port.Chain`. `clock` gives UNIX seconds: a tip is stale by it."""

    family = "evm"
    ordered = True
    price_unit = "wei"
    price_step = 1
    size_unit = "gas"
    usual_size = 100_000

    def __init__(self, name: str, settings: EvmSettings, clock: Clock = time.time) -> None:
        self.name = name
        self.settings = settings
        self.timing = settings.timings()
        self.identity = f"eip155:{settings.chain_id}/{settings.factory.lower()}"
        self.client = Client(name, settings.url, settings.timeout, settings.patience)
        self._clock = clock
        self._follower = Follower(self.client, settings.factory, settings.log_range, self.timing.depth)
        self._tracer = Tracer(self.client, self._follower)
        self._looking = asyncio.Lock()
        self._block = asyncio.Event()  # set, and replaced, when the node announces a block
        self._announces = False
        self.announced_at = 0.0  # monotonic seconds of the last announcement
        self._fit = False  # whether the node was probed since the connection was opened
        self._vetted = ""  # the block at which the node was last asked for its chain id

    # --- legs

    def check(self, leg: Leg) -> None:
        """Raise a LegError unless a vault of this chain can hold the leg and every path can pay."""
        if leg.chain != self.name:
            raise BadPolicy(f"the leg is for chain {leg.chain!r}, this is {self.name!r}")
        if self.asset(leg.asset) != leg.asset:
            raise BadAsset(self.name, leg.asset)
        vaults.check_leg(leg, self.settings.factory)
        tokens = set(self.settings.tokens.values())
        for path in leg.paths:
            if checksum_address(address_bytes(path.to)) in tokens:
                raise BadKey(path.to, "a token's contract would keep the money")

    def address(self, leg: Leg) -> LegAddress:
        """The leg's vault (EIP-55) and the hash of its terms."""
        chain_id, factory = self.settings.chain_id, self.settings.factory
        return LegAddress(
            chain=self.name,
            address=vaults.vault_address(leg, chain_id, factory),
            script=None,
            descriptor=None,
            terms_hash="0x" + vaults.terms_hash(leg, chain_id).hex(),
        )

    def asset(self, text: str) -> str:
        """`native`, or a token's address (EIP-55) from itself or from its name in the configuration."""
        if text == NATIVE or text in self.settings.tokens:
            return self.settings.tokens.get(text, NATIVE)
        try:
            raw = address_bytes(text)
        except BadKey as error:
            raise BadAsset(self.name, text) from error
        if int.from_bytes(raw, "big") <= vaults.LAST_PRECOMPILE or raw == address_bytes(self.settings.factory):
            raise BadAsset(self.name, text)
        return checksum_address(raw)

    async def decimals(self, asset: str) -> int:
        """See the port: 18 for the native coin (EIP-20 leaves it to tokens to say)."""
        name = self.asset(asset)
        if name == NATIVE:
            return NATIVE_DECIMALS
        answer = await self.client.call("eth_call", {"to": name, "data": DECIMALS_CALL}, "latest")
        if len(answer) != 66 or int(answer, 16) > MOST_DECIMALS:
            raise BadAsset(self.name, asset)
        return int(answer, 16)

    def fee(self, size: int, price: int) -> int:
        """See the port."""
        return size * price

    def claim_cost(self, leg: Leg, path: str, price: int) -> int:
        """Wei that pushing the path costs at `price`, to a recipient that exists."""
        return claim_gas(leg, path) * price

    # --- life

    async def open(self) -> None:
        """Connect and probe. Raises WrongNetwork, UnsupportedChain, ChainUnavailable."""
        try:
            await self.client.open()
            await check_network(self.client, self.settings.chain_id)
            await check_factory(self.client, self.settings)
            await check_node(self.client)
            await check_rules(self.client, self.settings)
        except BaseException:
            await self.close()
            raise
        self._announces = self.client.on_block(self._announced)
        self._fit = True

    async def close(self) -> None:
        self._fit = False
        await self.client.close()

    def wallet(self, seed: bytes) -> EvmWallet:
        """The wallet of the seed's first account. A follower need not watch it: nodes know its balance."""
        return EvmWallet(self.client, self.settings, derive_account(seed))

    # --- looking

    @property
    def tip(self) -> Header | None:
        """The best block of the last look."""
        return self._follower.tip

    async def watch(self, leg: Leg, since: int) -> None:
        self._follower.watch(leg, self.address(leg).address, since)

    async def unwatch(self, leg: Leg) -> None:
        self._follower.unwatch(self.address(leg).address)

    async def look(self) -> Snapshot:
        """Raises ChainUnavailable, StaleTip, WrongNetwork, RpcError."""
        if not self._fit:
            raise ChainUnavailable(self.name, "it is not open")
        async with self._looking, self._understood():
            tip = await self._follower.advance()
            if tip.hash != self._vetted:
                await check_network(self.client, self.settings.chain_id)
                self._vetted = tip.hash
            self._check_age(tip)
            return Snapshot(Tip(tip.height, tip.hash, tip.stamp, tip.stamp), self._follower.facts())

    @asynccontextmanager
    async def _understood(self) -> AsyncIterator[None]:
        """A node whose answers make no sense is as good as none."""
        try:
            yield
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ChainUnavailable(self.name, f"an answer of the node makes no sense: {error!r}") from error

    def _check_age(self, tip: Header) -> None:
        age = int(self._clock()) - tip.stamp
        if age > self.timing.stale_after:
            raise StaleTip(self.name, age, self.timing.stale_after)

    async def wait(self, seen: str, timeout: float) -> None:
        """See the port. An announcement only makes it look earlier: a node that falls silent delays it by the
        pause of a poll."""
        pause = self.timing.interval if self._announces else self.settings.pause()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            announced = self._block
            if await self._moved(seen, left):
                return
            with_limit = asyncio.wait_for(announced.wait(), max(0.0, min(pause, deadline - loop.time())))
            try:
                await with_limit
            except TimeoutError:
                continue

    async def _moved(self, seen: str, limit: float) -> bool:
        """Whether the best block is another one; a node that can't say leaves it at no."""
        try:
            async with asyncio.timeout(limit):
                latest = await self._follower.header("latest")
        except (TimeoutError, ChainError):
            return False
        return latest is not None and latest.hash != seen

    @property
    def announcement(self) -> asyncio.Event | None:
        """Set once the node announces its next block, or the connection ends; None where it announces nothing.
        Take it before a look, so that no block comes unnoticed between the look and the wait."""
        return self._block if self._announces else None

    def _announced(self) -> None:
        self.announced_at = time.monotonic()
        self._block.set()
        self._block = asyncio.Event()

    # --- acting

    async def fees(self) -> FeeEstimate:
        """maxFeePerGas in wei."""
        async with self._understood():
            market = await read_market(self.client, self.settings.min_tip)
        return market.estimate(self.settings.price_cap)

    async def broadcast(self, tx: SignedTx) -> None:
        """Send. What a node means by refusing is not read from its words: it is asked whether it has the
        transaction."""
        try:
            await self.client.call("eth_sendRawTransaction", "0x" + tx.raw.hex())
        except RpcError as error:
            if await self.client.call("eth_getTransactionByHash", tx.txid) is None:
                raise Rejected(self.name, tx.txid, error.message) from error

    async def trace(self, tx: SignedTx, since: int) -> TxState:
        """See the port. Raises ChainUnavailable, RpcError."""
        tip = self._follower.tip
        if tip is None:
            await self.look()
            tip = self._follower.tip
            assert tip is not None  # noqa: S101 - a look that returns has one
        async with self._understood():
            try:
                return await self._tracer.trace(tx, since, tip)
            except RpcError:
                async with self._looking:  # the node may have left that block behind
                    tip = await self._follower.advance()
                return await self._tracer.trace(tx, since, tip)
