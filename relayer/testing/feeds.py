"""A bitcoind, and a light client of it with a registry on a local EVM chain; configurations of relayers that feed
them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomli_w

from chains.bitcoin.compiler import compile_policy
from chains.bitcoin.encoding import segwit_address
from chains.bitcoin.feeding import read_anchor
from chains.bitcoin.headers import RULES
from chains.bitcoin.keys import public_key
from chains.bitcoin.node import Node
from chains.bitcoin.params import NETWORKS
from chains.bitcoin.rpc import Rpc
from chains.bitcoin.settings import UtxoSettings
from chains.evm import deploy
from chains.evm.account import derive_account
from chains.evm.client import Client
from chains.evm.light_client import LightClient, Registry, deploy_light_client, deploy_registry
from chains.legs import Path as LegPath
from chains.testing.anvil import Anvil
from chains.testing.bitcoind import Bitcoind
from relayer.messages.pusher import ACCOUNT
from relayer.settings import SEED_FILE, Settings
from relayer.testing.lanes import ETHER, PASSPHRASE, TIMING, key
from settlement import seed as seeds

FEED: Final = "btc"
CONFIRMATIONS: Final = 3  # until the registry believes a funding
SECONDS: Final = 10.0  # for one call


@dataclass
class FeedWorld:
    """Both nodes, and what is deployed. anchor: height of the block from which the light client knows headers."""

    bitcoind: Bitcoind
    there: Anvil
    folder: Path
    anchor: int
    factory: str
    client: Client
    light: LightClient
    registry: Registry

    def sections(self, **changes: Any) -> dict[str, Any]:
        """The feed's section and its chains', as parts of a configuration."""
        bitcoin = {"family": "bitcoin", "network": "regtest", "url": self.bitcoind.url, "timing": {"depth": 6}}
        there = {
            "family": "evm",
            "chain_id": self.there.chain_id,
            "url": self.there.url,
            "factory": self.factory,
            "timing": dict(TIMING),
        }
        ends = {"source": "bitcoin", "destination": "there"}
        feed = {**ends, "client": self.light.address, "registry": self.registry.address, **changes}
        return {"chains": {"bitcoin": bitcoin, "there": there}, "feeds": {FEED: feed}}

    def relayer(self, name: str, **changes: Any) -> Path:
        """The configuration of a relayer with this feed; `changes` of the feed's section."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "passphrase").write_text(PASSPHRASE)
        if not (folder / SEED_FILE).exists():
            seeds.save(folder / SEED_FILE, seeds.new_words(), PASSPHRASE)
        party = {"folder": ".", "passphrase_file": "passphrase"}
        file = folder / "strikelock.toml"
        file.write_text(tomli_w.dumps({"party": party, **self.sections(**changes)}))
        return file

    async def endow(self, settings: Settings) -> None:
        """Give a relayer's account gas."""
        seed = seeds.load(settings.party.folder / SEED_FILE, PASSPHRASE)
        address = derive_account(seed.raw, ACCOUNT).address
        await self.there.rpc("anvil_setBalance", address, hex(1000 * ETHER))

    async def lock(self, amount: int) -> tuple[str, int]:
        """Lock satoshis in a collateral's leg, in the next block; txid and output."""
        program, address = await self._leg()
        txid = await self.bitcoind.send(address, amount)
        await self.bitcoind.mine()
        outputs = (await self.bitcoind.rpc("getrawtransaction", txid, True, await self.best()))["vout"]
        script = "0020" + program.hex()
        return txid, next(out["n"] for out in outputs if out["scriptPubKey"]["hex"] == script)

    async def best(self) -> str:
        """The hash of Bitcoin's best block."""
        return str(await self.bitcoind.rpc("getbestblockhash"))

    async def knows_best(self) -> bool:
        """Whether the light client's tip is the node's."""
        return (await self.light.tip()).text == await self.best()

    async def stands(self, txid: str, output: int) -> bool:
        """Whether an output is on record."""
        internal = bytes.fromhex(txid)[::-1]
        if await self.registry.collateral(internal, output) is None:
            return False
        return await self.registry.stands(internal, output)

    async def _leg(self) -> tuple[bytes, str]:
        """A collateral's witness program and address: two preimages, or back after a time."""
        keys = [public_key(secrets.token_bytes(32)).hex() for _ in range(2)]
        hashes = tuple(hashlib.sha256(secrets.token_bytes(32)).digest() for _ in range(2))
        after = await self.bitcoind.clock() + 3600
        paths = (LegPath("exercise", keys[0], hashes), LegPath("refund", keys[1], after=after))
        script = compile_policy(paths).output
        return script[2:], segwit_address(NETWORKS["bitcoin", "regtest"].hrp, script)


@asynccontextmanager
async def feed_world(bitcoind: Bitcoind, there: Anvil, folder: Path, back: int = 1) -> AsyncIterator[FeedWorld]:
    """Deploy a light client that knows the block `back` below the best one, and a registry."""
    rpc = Rpc("bitcoin", UtxoSettings(coin="bitcoin", network="regtest", url=bitcoind.url))
    client = Client("there", there.url, SECONDS, SECONDS)
    await rpc.open()
    await client.open()
    try:
        height = await bitcoind.height() - back
        anchor = await read_anchor(Node("bitcoin", rpc), height)
        light = (await deploy_light_client(there.url, key(there), RULES["regtest"], anchor, True)).address
        book = (await deploy_registry(there.url, key(there), light, CONFIRMATIONS)).address
        factory = (await deploy.deploy_factory(there.url, key(there))).address
        yield FeedWorld(
            bitcoind, there, folder, height, factory, client, LightClient(client, light), Registry(client, book)
        )
    finally:
        await client.close()
        await rpc.close()
