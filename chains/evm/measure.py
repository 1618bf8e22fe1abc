"""What locks and spends cost, from the receipts of a local node that mines every transaction at once."""

from __future__ import annotations

import hashlib
import secrets

import coincurve

from chains.errors import WouldFail
from chains.evm.account import Account
from chains.evm.adapter import EvmChain
from chains.evm.client import Client
from chains.evm.codec import public_address
from chains.evm.deploy import deploy_factory, deploy_token, mint
from chains.evm.settings import EvmSettings
from chains.evm.wallet import EvmWallet, Push
from chains.legs import MAX_TIME, NATIVE, Leg, Path
from chains.port import SignedTx

BATCH = 5  # spends in the batch that one more spend is measured by
UNITS = 10**6
GENEROUS = 10**18  # wei a transaction may cost


async def measure_costs(url: str, secret: bytes) -> dict[str, int]:
    """Gas by name, as `strikelock bench costs` prints it. `secret` is the key of an account with native coin.

    The spends are of a two-path leg by the path with a preimage, to an account that exists, pushed by another.
    Raises what `Chain.open` and `Wallet` raise.
    """
    factory = await deploy_factory(url, secret)
    token = await deploy_token(url, secret, "Test dollar", "TUSD", 6)
    client = Client("evm", url, timeout=10.0, patience=10.0)
    await client.open()
    chain_id = int(await client.call("eth_chainId"), 16)
    await client.close()
    settings = EvmSettings(
        family="evm",
        chain_id=chain_id,
        url=url,
        factory=factory.address,
        tokens={"TUSD": token.address},
        preset="local",
    )
    chain = EvmChain("evm", settings)
    await chain.open()
    try:
        bench = _Bench(chain, Account(public_address(coincurve.PrivateKey(secret).public_key), secret))
        for account in (bench.pusher.address, bench.holder.address):
            await mint(url, secret, token.address, account, 100 * UNITS)
        return await bench.all(chain.asset(token.address))
    finally:
        await chain.close()


class _Bench:
    """A rich pusher and a recipient that exists."""

    def __init__(self, chain: EvmChain, rich: Account) -> None:
        self.chain = chain
        self.pusher = EvmWallet(chain.client, chain.settings, rich)
        self.holder = chain.wallet(secrets.token_bytes(64))

    async def all(self, token: str) -> dict[str, int]:
        costs: dict[str, int] = {}
        for name, asset in (("native", NATIVE), ("erc20", token)):
            await self._prepare(asset)
            lock, push = await self._lock(asset)
            costs[f"lock_{name}_gas"] = lock
            costs[f"spend_{name}_gas"] = await self._spend(push, asset)
            one, many = [await self._batch(asset, count) for count in (1, BATCH)]
            costs[f"batch_extra_{name}_gas"] = -(-(many - one) // (BATCH - 1))
        order = ("lock", "spend", "batch_extra")
        return {
            f"{what}_{name}_gas": costs[f"{what}_{name}_gas"] for what in order for name in ("native", "erc20")
        }

    async def _prepare(self, asset: str) -> None:
        """A first payment to the recipient: what it costs more to bring an account into being is not measured."""
        if asset == NATIVE:
            _, push = await self._lock(asset)
            await self._spend(push, asset)

    async def _batch(self, asset: str, count: int) -> int:
        pushes = [(await self._lock(asset))[1] for _ in range(count)]
        price = (await self.chain.fees()).urgent
        return await self._gas(await self.pusher.push_many(pushes, asset, price, GENEROUS, []))

    async def _lock(self, asset: str) -> tuple[int, Push]:
        preimage = secrets.token_bytes(32)
        hashes = (hashlib.sha256(preimage).digest(),)
        paths = (Path("claim", self.holder.address, hashes), Path("refund", self.pusher.address, after=MAX_TIME))
        leg = Leg(self.chain.name, asset, UNITS, secrets.token_bytes(32), paths)
        price = (await self.chain.fees()).urgent
        gas = await self._gas(await self.pusher.fund(leg, price, GENEROUS, []))
        return gas, Push(leg, "claim", (preimage,))

    async def _spend(self, push: Push, asset: str) -> int:
        price = (await self.chain.fees()).urgent
        return await self._gas(await self.pusher.push(push, asset, price, GENEROUS, []))

    async def _gas(self, tx: SignedTx) -> int:
        await self.chain.broadcast(tx)
        tip = (await self.chain.look()).tip
        state = await self.chain.trace(tx, 0)
        while not state.depth:
            await self.chain.wait(tip.hash, self.chain.timing.interval)
            tip = (await self.chain.look()).tip
            state = await self.chain.trace(tx, 0)
        if not state.succeeded:
            raise WouldFail(self.chain.name, f"{tx.txid} was mined and failed")
        return state.size
