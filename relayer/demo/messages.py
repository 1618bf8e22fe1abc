"""Plays the relayer: a premium taken on one EVM chain, and a collateral on Bitcoin, become known on another."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chains.bitcoin.compiler import compile_policy
from chains.bitcoin.encoding import segwit_address
from chains.bitcoin.feeding import plan, prove_deep, read_anchor
from chains.bitcoin.headers import RULES
from chains.bitcoin.keys import public_key
from chains.bitcoin.node import Node
from chains.bitcoin.params import NETWORKS
from chains.bitcoin.proofs import output_script
from chains.bitcoin.rpc import Rpc
from chains.bitcoin.settings import UtxoSettings
from chains.bitcoin.transaction import parse
from chains.errors import StrikelockError
from chains.evm import deploy, vaults
from chains.evm.client import Client
from chains.evm.codec import keccak256, word
from chains.evm.light_client import (
    LightClient,
    Registry,
    deploy_light_client,
    deploy_registry,
    register_calldata,
    submit_calldata,
)
from chains.evm.messaging import calls
from chains.legs import MAX_TIME, NATIVE, Leg
from chains.legs import Path as LegPath
from chains.testing.anvil import Anvil
from chains.testing.bitcoind import Bitcoind
from relayer.loading import load
from relayer.messages.relayer import Relayer
from relayer.party import load_seed
from relayer.testing.lanes import ETHER, GAS, LaneWorld, key
from relayer.validator.service import Validator

SIGNERS: Final = 4
PATIENCE: Final = 120.0  # seconds for each thing that is waited for
DEPTH: Final = 3  # blocks until the registry believes a funding
PREMIUM: Final = ETHER // 100
COLLATERAL: Final = 10_000_000  # satoshis
TOLD: Final = "0x" + keccak256(b"Told(bytes32,uint256,address,uint256,bytes32)").hex()

Say = Callable[[str], None]


@dataclass(eq=False)
class RelayDemoFailed(StrikelockError):
    """Something that the demo waits for did not happen."""

    what: str
    template = "the demo failed: {what} did not happen"


async def play(folder: Path, say: Say) -> dict[str, Any]:
    """The whole demo, from starting nodes to reading off what contracts on the second chain know. Raises
    RelayDemoFailed, and what the nodes raise."""
    here, there = Anvil(folder=folder / "here"), Anvil(folder=folder / "there")
    bitcoind = Bitcoind("bitcoin", folder=folder / "bitcoin")
    say("starting bitcoind and two EVM chains")
    await asyncio.gather(here.start(), there.start(), bitcoind.start())
    try:
        world = await LaneWorld.make(here, there, folder, SIGNERS)
        say(f"outbox, inbox and a quorum of {world.signers.threshold} of {SIGNERS} signers are deployed")
        premium = await _premium(world, say)
        collateral = await _collateral(world, bitcoind, say)
    finally:
        await asyncio.gather(here.stop(), there.stop(), bitcoind.stop())
    return {"premium": premium, "collateral": collateral}


# --- a message -------------------------------------------------------------------------------------------


async def _premium(world: LaneWorld, say: Say) -> dict[str, Any]:
    """The writer takes a premium here; a contract there learns of it."""
    here, there = world.here, world.there
    herald = (await deploy.deploy_herald(here.url, key(here), world.factories["here"], world.outbox)).address
    deployed = await deploy.deploy_bulletin(there.url, key(there), world.inbox, here.chain_id, herald)
    bulletin = deployed.address
    preimage = secrets.token_bytes(32)
    writer, holder = list(here.accounts)[1], list(here.accounts)[2]
    activate = LegPath("activate", writer, (hashlib.sha256(preimage).digest(),))
    leg = Leg(
        "here", NATIVE, PREMIUM, secrets.token_bytes(32), (activate, LegPath("refund", holder, after=MAX_TIME))
    )
    vault = vaults.vault_address(leg, here.chain_id, world.factories["here"])
    await here.fund(vault, PREMIUM)
    say(f"the holder's premium stands at {vault}")
    spend = vaults.VaultSpend(leg, 0, here.chain_id, (preimage,), ())
    data = calls.herald(spend, NATIVE, world.lane, bulletin, GAS)
    receipt = await deploy.transact(here.url, key(here), herald, data)
    say(f"it is taken, by a herald that sends a message in the same transaction {receipt['transactionHash']}")
    async with _carried(world, say):
        await world.finalise(here)
        terms = "0x" + vaults.terms_hash(leg, here.chain_id).hex()
        query = {"address": bulletin, "topics": [TOLD, terms], "fromBlock": "0x0", "toBlock": "latest"}
        log = await _wait(lambda: _first(there, query), "the delivery of the message")
    say(f"an event on the second chain: the premium with terms {terms} was taken")
    amount = int(log["data"][66:130], 16)
    return {"terms": terms, "amount": amount, "bulletin": bulletin, "transaction": log["transactionHash"]}


@asynccontextmanager
async def _carried(world: LaneWorld, say: Say) -> AsyncIterator[None]:
    """Three validators and a relayer at work."""
    stop, urls = asyncio.Event(), []
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        opened = await stack.enter_async_context(AsyncExitStack())
        for place in range(SIGNERS - 1):
            port = _free_port()
            settings = load(world.validator(place, port))
            validator = await opened.enter_async_context(Validator.open(settings, load_seed(settings)))
            group.create_task(validator.run(stop))
            urls.append(f"http://127.0.0.1:{port}")
        settings = load(world.relayer("relayer", urls))
        await world.endow(settings)
        relayer = await opened.enter_async_context(Relayer.open(settings, load_seed(settings)))
        running = group.create_task(relayer.run(stop))
        say(f"{len(urls)} validators sign, a relayer carries; nobody has to trust it")
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait({running})


async def _first(node: Anvil, query: dict[str, Any]) -> Any:
    logs = await node.rpc("eth_getLogs", query)
    return logs[0] if logs else None


# --- a proof of Bitcoin ----------------------------------------------------------------------------------


async def _collateral(world: LaneWorld, bitcoind: Bitcoind, say: Say) -> dict[str, Any]:
    """A collateral is locked on Bitcoin; a registry on the second chain proves that it stands."""
    there = world.there
    rpc = Rpc("bitcoin", UtxoSettings(coin="bitcoin", network="regtest", url=bitcoind.url))
    client = Client("there", there.url, 10.0, 10.0)
    await rpc.open()
    await client.open()
    try:
        node = Node("bitcoin", rpc)
        anchor = await read_anchor(node, await bitcoind.height() - 1)
        made = await deploy_light_client(there.url, key(there), RULES["regtest"], anchor, True)
        light = LightClient(client, made.address)
        registry = Registry(client, (await deploy_registry(there.url, key(there), made.address, DEPTH)).address)
        say("a light client of Bitcoin and a registry are deployed; regtest's blocks cost nothing: no security")
        program, address = _locked(await bitcoind.clock() + 3600)
        txid = str(await bitcoind.rpc("sendtoaddress", address, COLLATERAL / 10**8))
        await bitcoind.mine()
        block = str(await bitcoind.rpc("getbestblockhash"))
        say(f"the collateral of {COLLATERAL:,} satoshis is locked at {address}")
        await bitcoind.mine(DEPTH - 1)
        for batch in await plan(node, light):
            await deploy.transact(there.url, key(there), light.address, submit_calldata(batch))
        proof = await prove_deep(node, light, block, txid)
        outputs = [output.script for output in parse(proof.transaction).outputs]
        output = outputs.index(output_script(program))
        data = register_calldata(proof, program, COLLATERAL, output)
        receipt = await deploy.transact(there.url, key(there), registry.address, data)
        if not await registry.stands(proof.txid, output):
            raise RelayDemoFailed("the registration of the collateral")
        say(f"headers and a proof are brought: the registry knows {txid}:{output}, {DEPTH} blocks deep")
        return {
            "outpoint": f"{txid}:{output}",
            "amount": COLLATERAL,
            "registry": registry.address,
            "gas": int(receipt["gasUsed"], 16),
        }
    finally:
        await client.close()
        await rpc.close()


def _locked(after: int) -> tuple[bytes, str]:
    """A collateral's witness program and address: two preimages, or back after a time."""
    keys = [public_key(secrets.token_bytes(32)).hex() for _ in range(2)]
    hashes = tuple(hashlib.sha256(word(secrets.randbits(256))).digest() for _ in range(2))
    paths = (LegPath("exercise", keys[0], hashes), LegPath("refund", keys[1], after=after))
    contract = compile_policy(paths)
    program = contract.output[2:]
    return program, segwit_address(NETWORKS["bitcoin", "regtest"].hrp, contract.output)


# --- waiting ---------------------------------------------------------------------------------------------


async def _wait(ask: Callable[[], Any], what: str) -> Any:
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                if (found := await ask()) is not None:
                    return found
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise RelayDemoFailed(what) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
