"""A leg funded on Bitcoin becomes known on an EVM chain: headers into the light client, a proof into the
registry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from chains.bitcoin.encoding import sha256
from chains.bitcoin.proofs import Inclusion, output_script
from chains.bitcoin.transaction import parse
from chains.errors import WouldFail
from chains.evm.light_client import Registry, register_calldata, register_spend_calldata
from chains.legs import Leg
from chains.testing.anvil import Anvil
from chains.testing.bitcoind import Bitcoind
from tests.chains.bitcoin_world import AMOUNT, COIN, PLENTY, PRICE, Party, World, preimage, world
from tests.chains.light_client_world import Bridge, bridge

pytestmark = pytest.mark.node

DEPTH = 3
BitcoindFactory = Callable[..., Awaitable[Bitcoind]]


def program_of(here: World, leg: Leg) -> bytes:
    """The witness program of the leg's address."""
    return sha256(bytes.fromhex(here.chain.address(leg).script or ""))


def output_of(proof: Inclusion, program: bytes) -> int:
    """Which of the transaction's outputs pays it."""
    scripts = [output.script for output in parse(proof.transaction).outputs]
    return scripts.index(output_script(program))


async def register(over: Bridge, registry: Registry, program: bytes, proof: Inclusion, least: int = AMOUNT) -> int:
    data = register_calldata(proof, program, least, output_of(proof, program))
    return await over.eth.send(registry.address, data)


async def funded(here: World, writer: Party, holder: Party) -> tuple[Leg, str, str]:
    """An option's collateral in the last block: the leg, the transaction, the block."""
    leg = await here.collateral(writer, holder)
    tx = await here.fund(writer, leg)
    return leg, tx.txid, await here.node.rpc("getbestblockhash")


async def test_a_funding_is_registered_once_it_is_deep_and_its_spend_when_it_is_mined(
    bitcoind_factory: BitcoindFactory, anvil: Anvil
) -> None:
    bitcoind = await bitcoind_factory()
    async with world(bitcoind) as here, bridge(bitcoind, anvil, 150) as over:
        writer, holder = await here.party(COIN), await here.party(COIN)
        registry = await over.eth.registry(over.client, DEPTH)
        leg, txid, block = await funded(here, writer, holder)
        program = program_of(here, leg)
        for missing in range(DEPTH - 1, 0, -1):
            await over.feed()
            with pytest.raises(WouldFail, match=rf"TooShallow\(confirmations={DEPTH - missing}, depth={DEPTH}\)"):
                await register(over, registry, program, await over.prove(block, txid))
            await bitcoind.mine()
        await over.feed()
        proof = await over.prove(block, txid)
        with pytest.raises(WouldFail, match=rf"TooLittle\(paid={AMOUNT}, least={AMOUNT + 1}\)"):
            await register(over, registry, program, proof, AMOUNT + 1)
        await register(over, registry, program, proof)
        output = output_of(proof, program)
        found = await registry.collateral(proof.txid, output)
        assert found is not None
        assert (found.program, found.amount, found.spent_height) == (program, AMOUNT, 0)
        assert found.height == await bitcoind.height() - DEPTH + 1
        assert await registry.stands(proof.txid, output)
        with pytest.raises(WouldFail, match="AlreadyRegistered"):
            await register(over, registry, program, proof)

        secrets = [preimage("a"), preimage("e")]
        spend = await holder.wallet.spend(leg, "exercise", holder.key("to"), secrets, [], PRICE, PLENTY, [])
        await here.mine(spend)
        await over.feed()
        spent = await over.prove(await bitcoind.rpc("getbestblockhash"), spend.txid)
        with pytest.raises(WouldFail, match="NotSpent"):
            await over.eth.send(registry.address, register_spend_calldata(proof, proof.txid, output))
        await over.eth.send(registry.address, register_spend_calldata(spent, proof.txid, output))
        assert await registry.confirmations(proof.txid, output) == (DEPTH + 1, 1)
        assert not await registry.stands(proof.txid, output)


async def test_a_reorganised_funding_stands_no_more_until_it_is_deep_again(
    bitcoind_factory: BitcoindFactory, anvil: Anvil
) -> None:
    bitcoind = await bitcoind_factory()
    async with world(bitcoind) as here, bridge(bitcoind, anvil, 195) as over:
        writer, holder = await here.party(COIN), await here.party(COIN)
        registry = await over.eth.registry(over.client, DEPTH)
        leg, txid, block = await funded(here, writer, holder)
        program = program_of(here, leg)
        await bitcoind.mine(DEPTH - 1)
        await over.feed()
        proof = await over.prove(block, txid)
        await register(over, registry, program, proof)
        output = output_of(proof, program)
        assert await registry.confirmations(proof.txid, output) == (DEPTH, 0)

        old = await over.client.tip()
        await bitcoind.reorg(DEPTH)
        await over.feed(2)  # in batches too small for the new branch: the first of them has less work
        new = await over.client.tip()
        assert (new.text, new.height) == (await bitcoind.rpc("getbestblockhash"), old.height + 1)
        assert await registry.confirmations(proof.txid, output) == (0, 0)
        assert not await registry.stands(proof.txid, output)
        with pytest.raises(WouldFail, match="NotOnBestChain"):
            await register(over, registry, program, proof)

        await bitcoind.mine()  # the funding is mined again, in another block
        again = await bitcoind.rpc("getbestblockhash")
        await bitcoind.mine(DEPTH - 1)
        await over.feed()
        await register(over, registry, program, await over.prove(again, txid))
        assert await registry.confirmations(proof.txid, output) == (DEPTH, 0)
        assert await registry.stands(proof.txid, output)


async def test_two_relayers_and_a_repeated_batch_do_no_harm(
    bitcoind_factory: BitcoindFactory, anvil: Anvil
) -> None:
    bitcoind = await bitcoind_factory()
    async with bridge(bitcoind, anvil, 0) as over:  # from the genesis block, with fewer than eleven before it
        assert len(await over.feed(7)) > 20
        assert await over.feed() == []
        async with bridge(bitcoind, anvil, 0) as other:
            other.client = over.client
            await bitcoind.mine(3)
            await over.feed()
            await bitcoind.mine(2)
            await other.feed(1)
            await over.feed()
            tip = await over.client.tip()
            assert (tip.text, tip.height) == (await bitcoind.rpc("getbestblockhash"), await bitcoind.height())
