"""Real regtest nodes under one clock, with blocks at the pace of that clock.

Every chain gets a block at each step of the world, BLOCK_SECONDS of its time apart. The time is handed to the
nodes and, by a file, to the parties, so a lock of minutes takes seconds and a test needs no sleep.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chains.evm.deploy import deploy_factory, deploy_token, mint
from chains.legs import NATIVE
from chains.testing.anvil import Anvil
from chains.testing.bitcoind import Bitcoind

BLOCK_SECONDS = 2  # of the world's time between two blocks of a chain
DEPTH = 3  # blocks until a transaction counts as final
OUTAGE_SECONDS = 20  # the outage that the parties' ladders allow for

# The world mines a block on every chain at every step, so its chains are slotted, whatever they are elsewhere.
TIMING: Mapping[str, Any] = {
    "interval": float(BLOCK_SECONDS),
    "inclusion": 3,
    "depth": DEPTH,
    "clock_error": BLOCK_SECONDS,
    "stale_after": 3600,
}

# What a party gets to trade with, in smallest units.
RICH_SATOSHIS = 10 * 10**8
RICH_WEI = 10 * 10**18
POOR_WEI = 10**17
RICH_TOKENS = 10_000 * 10**6

STALL_PRICE = 10**15  # wei per gas
CALM_PRICE = 10**8

EVM_NAMES = ("evm", "evm2")
UTXO_NAMES = ("bitcoin", "litecoin")

Node = Bitcoind | Anvil


class World:
    """Nodes by chain name, one clock. On EVM chains the vault factory and a test token are deployed."""

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self.folder = folder
        self.names = tuple(names)
        self.nodes: dict[str, Node] = {}
        self.tokens: dict[str, str] = {}
        self.factories: dict[str, str] = {}
        self.offset_file = folder / "clock-offset"
        self.time = int(time.time())

    # --- life

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.offset_file.write_text("0")
        try:
            await asyncio.gather(*(self._start(name) for name in self.names))
            clocks = await asyncio.gather(*(node.clock() for node in self.nodes.values()))
            self.time = max(int(time.time()), *clocks)
            await self.step()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End every node."""
        await asyncio.gather(*(node.stop() for node in self.nodes.values()))

    async def _start(self, name: str) -> None:
        if name in EVM_NAMES:
            node = self.nodes[name] = Anvil(folder=self.folder / name)
            await node.start()
            self.factories[name] = (await deploy_factory(node.url, _key(node))).address
            self.tokens[name] = (await deploy_token(node.url, _key(node), "Test Dollar", "TEST", 6)).address
            await node.rpc("evm_setAutomine", False)
        else:
            utxo = self.nodes[name] = Bitcoind(name, folder=self.folder / name)
            await utxo.start()

    def anvil(self, name: str) -> Anvil:
        """The node of an EVM chain."""
        node = self.nodes[name]
        assert isinstance(node, Anvil), name
        return node

    # --- time

    def clock(self) -> float:
        """The world's time; what in-process parties take for their local clock."""
        return float(self.time)

    async def step(self, seconds: int = BLOCK_SECONDS, stalled: Collection[str] = ()) -> None:
        """Let time pass and mine one block on every chain; on `stalled` ones a block that takes no transaction."""
        self.time += seconds
        self.offset_file.write_text(str(self.time - time.time()))
        await asyncio.gather(*(self._block(name, name in stalled) for name in self.nodes))

    async def _block(self, name: str, stalled: bool) -> None:
        node = self.nodes[name]
        await node.set_time(self.time)
        if not stalled:
            await node.mine()
        elif isinstance(node, Anvil):
            # A base fee that nothing in the pool pays; the next block's falls by an eighth (EIP-1559).
            await node.rpc("anvil_setNextBlockBaseFeePerGas", hex(STALL_PRICE))
            await node.mine()
            await node.rpc("anvil_setNextBlockBaseFeePerGas", hex(CALM_PRICE))
        else:
            await node.mine_empty()

    async def reorganise(self, chain: str, depth: int) -> None:
        """Replace the last `depth` blocks of a chain by others; what they held is in the pool again."""
        node = self.nodes[chain]
        if isinstance(node, Anvil):  # the real clock may be ahead of the world's
            await node.reorg(depth, self.time)
        else:
            await node.reorg(depth)
        self.time = max(self.time, await node.clock())

    async def restarted(self, chain: str) -> None:
        """A node is back: tell it what time it is and how it mines."""
        node = self.nodes[chain]
        self.time = max(self.time, await node.clock())
        if isinstance(node, Anvil):
            await node.rpc("evm_setAutomine", False)
        else:
            await node.set_time(self.time)

    # --- money and configuration

    async def pay(self, chain: str, asset: str, address: str, amount: int) -> None:
        """Give `amount` of an asset to an address, confirmed."""
        node = self.nodes[chain]
        if isinstance(node, Bitcoind):
            await node.fund(address, amount)
            return
        await node.rpc("evm_setAutomine", True)
        if asset == NATIVE:
            await node.fund(address, amount)
        else:
            await mint(node.url, _key(node), asset, address, amount)
        await node.rpc("evm_setAutomine", False)
        self.time = max(self.time, await node.clock())

    async def endow(self, chain: str, address: str, poor: bool = False) -> None:
        """Give a party what it trades with: coins and, where there is one, test tokens. A poor one gets nothing
        but money for gas."""
        if chain in self.tokens:
            await self.pay(chain, NATIVE, address, POOR_WEI if poor else RICH_WEI)
        if poor:
            return
        if chain in self.tokens:
            await self.pay(chain, self.tokens[chain], address, RICH_TOKENS)
        else:
            await self.pay(chain, NATIVE, address, RICH_SATOSHIS)

    def settings(self, name: str) -> dict[str, Any]:
        """The section of a party's configuration for one chain."""
        node = self.nodes[name]
        if isinstance(node, Bitcoind):
            return {
                "family": "bitcoin",
                "coin": name,
                "network": "regtest",
                "url": node.url,
                "timing": dict(TIMING),
            }
        return {
            "family": "evm",
            "url": node.url,
            "chain_id": node.chain_id,
            "factory": self.factories[name],
            "tokens": {"TEST": self.tokens[name]},
            "timing": dict(TIMING),
        }


def _key(node: Anvil) -> bytes:
    """The private key of the node's first account."""
    return bytes.fromhex(next(iter(node.accounts.values()))[2:])
