"""Deploying the factory: at the same address for everyone where the chain has the deployment proxy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from chains.evm.artifact import factory_code_hash
from chains.evm.deploy import PROXY, deploy_factory
from chains.testing.anvil import Anvil

pytestmark = pytest.mark.node


async def test_the_factory_stands_at_an_address_that_its_code_decides(
    anvil_factory: Callable[..., Awaitable[Anvil]],
) -> None:
    nodes = [await anvil_factory(), await anvil_factory()]
    found = [
        await deploy_factory(node.url, bytes.fromhex(list(node.accounts.values())[index][2:]))
        for index, node in enumerate(nodes)
    ]
    assert found[0].address == found[1].address
    for node, deployed in zip(nodes, found, strict=True):
        assert deployed.code_hash == factory_code_hash(node.chain_id)
        assert deployed.txid is not None
        again = await deploy_factory(node.ws_url, bytes.fromhex(list(node.accounts.values())[5][2:]))
        assert (again.address, again.code_hash, again.txid) == (deployed.address, deployed.code_hash, None)


async def test_without_the_proxy_it_is_deployed_plainly(anvil_factory: Callable[..., Awaitable[Anvil]]) -> None:
    node = await anvil_factory()
    await node.rpc("anvil_setCode", PROXY, "0x")
    secret = bytes.fromhex(next(iter(node.accounts.values()))[2:])
    one, two = await deploy_factory(node.url, secret), await deploy_factory(node.url, secret)
    assert one.address != two.address
    assert one.code_hash == two.code_hash == factory_code_hash(node.chain_id)
