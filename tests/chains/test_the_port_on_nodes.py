"""Our own adapters keep the port, on real nodes: the same checks that a third party's chain is put through."""

from __future__ import annotations

import pytest

from chains.evm.deploy import deploy_factory
from chains.port import Chain
from chains.registry import make_chain
from chains.testing.conformance import CHECKS

pytestmark = [pytest.mark.node, pytest.mark.slow]

TIMING = {"interval": 2.0, "inclusion": 3, "depth": 3, "clock_error": 2, "stale_after": 36_000}


class NodeGround:
    """A node, its chain, and who mines."""

    chain: Chain

    def __init__(self, node, section: dict, amount: int) -> None:
        self.node = node
        self.section = section
        self.amount = amount

    async def endow(self, address: str, amount: int) -> None:
        await self._by_itself(True)
        await self.node.fund(address, amount)
        await self._by_itself(False)

    async def _by_itself(self, mines: bool) -> None:
        """Whether an EVM node makes a block of each transaction at once, as no other node does."""
        if self.section["family"] == "evm":
            await self.node.rpc("evm_setAutomine", mines)

    async def mine(self, blocks: int = 1) -> None:
        await self.node.mine(blocks)

    async def pass_time(self, moment: int) -> None:
        await self.node.advance_to(moment + 1)

    async def reorganise(self, depth: int) -> None:
        await self.node.reorg(depth)

    async def again(self) -> Chain:
        chain = make_chain(self.section["name"], {k: v for k, v in self.section.items() if k != "name"})
        await chain.open()
        return chain


@pytest.fixture(scope="module", params=["bitcoin", "litecoin", "evm"])
async def ground(request, tmp_path_factory):
    """A node of each kind, for this file alone: its clock is moved and its blocks are replaced."""
    from chains.testing.anvil import Anvil
    from chains.testing.bitcoind import Bitcoind

    folder, name = tmp_path_factory.mktemp("ground"), request.param
    node = Anvil(folder=folder) if name == "evm" else Bitcoind(name, folder=folder)
    async with node:
        section = {"name": name, "url": node.url, "timing": TIMING}
        if name == "evm":
            factory = await deploy_factory(node.url, bytes.fromhex(next(iter(node.accounts.values()))[2:]))
            section |= {"family": "evm", "chain_id": node.chain_id, "factory": factory.address}
        else:
            section |= {"family": "bitcoin", "coin": name, "network": "regtest"}
        ground = NodeGround(node, section, 10**15 if name == "evm" else 10**6)
        ground.chain = await ground.again()
        yield ground
        await ground.chain.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_port(ground, check):
    await check(ground)
