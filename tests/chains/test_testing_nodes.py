"""Each node for real: mining, time travel, reorganisation, restart, pause, kill; one set of verbs for all."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import time

import pytest

from chains.testing import processes
from chains.testing.anvil import Anvil
from chains.testing.bitcoind import Bitcoind, from_satoshi, to_satoshi
from chains.testing.errors import NodeFailed, NodeRefused, NodeSilent

pytestmark = pytest.mark.node

DAY = 86_400
CHAINS = ["bitcoin", "litecoin", "evm"]
EVM_ADDRESS = "0x00000000000000000000000000000000000a11ce"


@pytest.fixture(params=CHAINS)
async def node(request, bitcoind_factory, anvil_factory):
    """A node of each chain in turn; the EVM one mines when told."""
    if request.param == "evm":
        return await anvil_factory(mining="manual")
    return await bitcoind_factory(request.param)


async def fresh_address(node) -> str:
    """An address that nothing was paid to."""
    return EVM_ADDRESS if isinstance(node, Anvil) else await node.wallet("getnewaddress", "", "bech32")


async def test_starts_at_the_present_with_money_to_spend(node):
    assert abs(await node.clock() - time.time()) < 60
    address = await fresh_address(node)
    amount = 1_234_567_891
    await node.fund(address, amount)
    assert await node.balance(address) == amount


async def test_send_waits_for_a_block(node):
    address = await fresh_address(node)
    await node.send(address, 5_000_000)
    assert await node.balance(address) == 0
    height = await node.height()
    hashes = await node.mine(3)
    assert len(set(hashes)) == 3
    assert await node.height() == height + 3
    assert await node.balance(address) == 5_000_000


async def test_time_travel_moves_the_clock_that_timelocks_see(node):
    target = int(time.time()) + 30 * DAY
    await node.advance_to(target)
    assert target <= await node.clock() <= target + 60
    height = await node.height()
    await node.advance_to(target)  # already there: nothing to mine
    assert await node.height() == height


async def test_time_stays_advanced_over_a_restart(node):
    target = int(time.time()) + 30 * DAY
    await node.advance_to(target)
    url, height = node.url, await node.height()
    await node.restart()
    assert (node.url, await node.height()) == (url, height)
    await node.mine()
    assert await node.clock() >= target


async def test_reorganisation_takes_back_a_payment(node):
    await node.mine()
    address = await fresh_address(node)
    await node.fund(address, 7_000_000)
    await node.mine(2)
    height = await node.height()
    gone = await node.reorg(3)
    assert len(gone) == 3
    assert await node.height() >= height
    assert await node.balance(address) == 0
    await node.mine()  # the payment was only displaced
    assert await node.balance(address) == 7_000_000


async def test_reorganisation_does_not_turn_the_clock_back(node):
    await node.advance_to(int(time.time()) + DAY)
    await node.mine(3)
    before = await node.clock()
    await node.reorg(3)
    await node.mine(6)
    assert await node.clock() >= before


async def test_paused_node_is_silent_and_comes_back(node):
    node.pause()
    with pytest.raises(NodeSilent):
        await node.rpc("getblockcount" if isinstance(node, Bitcoind) else "eth_blockNumber", within=0.3)
    node.resume()
    assert await node.height() >= 0


async def test_killed_node_comes_back_with_what_was_on_disk(node):
    address = await fresh_address(node)
    await node.fund(address, 6_000_000)
    height = await node.height()
    if isinstance(node, Bitcoind):
        await node.flush()
    await node.kill()
    with pytest.raises(NodeSilent):
        await node.height()
    await node.start()
    assert await node.height() == height
    assert await node.balance(address) == 6_000_000


async def test_paused_node_can_be_killed(node):
    node.pause()
    await node.kill()
    await node.start()
    assert await node.height() >= 0


async def test_a_node_that_ended_by_itself_is_told_with_its_log(node):
    os.kill(node.pid, signal.SIGTERM)
    for _ in range(1000):
        if node.pid is None:
            break
        await asyncio.sleep(0.01)
    with pytest.raises(NodeFailed, match="ended by itself"):
        await node.height()


async def test_refused_call_says_why(node):
    with pytest.raises(NodeRefused) as caught:
        await node.rpc("no_such_method")
    assert caught.value.method == "no_such_method"
    assert caught.value.code == -32601


# --- UTXO chains


@pytest.mark.parametrize("params", ["bitcoin", "litecoin"])
async def test_median_time_past_is_what_locktimes_are_compared_with(params, bitcoind_factory):
    """BIP113: a transaction with locktime T enters the mempool only when median time past is above T."""
    node = await bitcoind_factory(params)
    address = await node.wallet("getnewaddress", "", "bech32")
    locktime = await node.clock() + DAY
    raw = await node.wallet("createrawtransaction", [], [{address: "0.5"}], locktime)
    funded = await node.wallet("fundrawtransaction", raw)
    signed = await node.wallet("signrawtransactionwithwallet", funded["hex"])
    await node.advance_to(locktime)
    if await node.clock() == locktime:
        with pytest.raises(NodeRefused, match="non-final"):
            await node.rpc("sendrawtransaction", signed["hex"])
    await node.advance_to(locktime + 1)
    await node.rpc("sendrawtransaction", signed["hex"])


async def test_litecoin_enforces_cltv(litecoind):
    """An output behind OP_CHECKLOCKTIMEVERIFY can't be spent early: blocks above 1350 enforce it."""
    assert await litecoind.height() > 1350
    await _cltv_is_enforced(litecoind)


async def test_bitcoin_enforces_cltv(bitcoind):
    await _cltv_is_enforced(bitcoind)


async def _cltv_is_enforced(node: Bitcoind) -> None:
    """Spend an output `T CHECKLOCKTIMEVERIFY` with locktime T - 1: a consensus error, even in a block."""
    late = await node.clock() + DAY
    script = b"\x04" + late.to_bytes(4, "little") + b"\xb1"  # leaves T on the stack: true
    decoded = await node.rpc("decodescript", script.hex())
    address = decoded["segwit"].get("address") or decoded["segwit"]["addresses"][0]
    txid = await node.fund(address, 1_000_000)
    found = await node.rpc("scantxoutset", "start", [f"addr({address})"])
    vout = found["unspents"][0]["vout"]
    spend = _spend(txid, vout, script, bytes.fromhex(decoded["segwit"]["hex"]), late - 1)
    destination = await node.wallet("getnewaddress", "", "bech32")
    with pytest.raises(NodeRefused, match=r"Locktime requirement not satisfied|non-final"):
        await node.rpc("generateblock", destination, [spend.hex()])


def _spend(txid: str, vout: int, script: bytes, output_script: bytes, locktime: int) -> bytes:
    """A transaction that spends a P2WSH output to the same script (BIP141, BIP144)."""
    outpoint = bytes.fromhex(txid)[::-1] + vout.to_bytes(4, "little")
    value = (990_000).to_bytes(8, "little")
    return b"".join(
        [
            (2).to_bytes(4, "little") + b"\x00\x01",
            b"\x01" + outpoint + b"\x00" + (0xFFFFFFFE).to_bytes(4, "little"),
            b"\x01" + value + bytes([len(output_script)]) + output_script,
            b"\x01" + bytes([len(script)]) + script,
            locktime.to_bytes(4, "little"),
        ]
    )


@pytest.mark.parametrize("params", ["bitcoin", "litecoin"])
async def test_kill_without_flush_costs_recent_blocks_at_most(params, bitcoind_factory):
    node = await bitcoind_factory(params)
    height = await node.height()
    await node.mine(2)
    await node.kill()
    await node.start()
    assert height - 6 <= await node.height() <= height + 2


async def test_a_chain_is_mined_once_for_all_who_start_together(tmp_path, monkeypatch):
    monkeypatch.setenv("STRIKELOCK_NODES", str(tmp_path))
    async with Bitcoind() as one, Bitcoind() as two:
        await asyncio.gather(one.stop(), two.stop())
        for node in (one, two):
            shutil.rmtree(node.folder)
        shutil.rmtree(tmp_path / "cache")
        await asyncio.gather(one.start(), two.start())
        hashes = [await node.rpc("getblockhash", 200) for node in (one, two)]
        assert hashes[0] == hashes[1]
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 1


async def test_a_folder_can_be_used_again(tmp_path):
    async with Bitcoind(folder=tmp_path / "node") as node:
        height, best = await node.height(), (await node.mine())[0]
    async with Bitcoind(folder=tmp_path / "node") as node:
        assert await node.height() >= height + 1
        assert (await node.rpc("getblockheader", best))["confirmations"] > 0


async def test_a_taken_port_that_the_caller_insists_on_is_an_error(monkeypatch):
    monkeypatch.setattr(processes, "READY_TIMEOUT", 20)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        node = Bitcoind(port=taken.getsockname()[1])
        with pytest.raises(NodeFailed, match="ended at start"):
            await node.start()
        node.discard()


async def test_bitcoind_knows_taproot_and_miniscript(bitcoind):
    key = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
    descriptor = f"wsh(and_v(v:pk({key}),after(1800000000)))"
    checked = await bitcoind.rpc("getdescriptorinfo", descriptor)
    assert (await bitcoind.rpc("deriveaddresses", checked["descriptor"]))[0].startswith("bcrt1q")
    assert (await bitcoind.rpc("getdeploymentinfo"))["deployments"]["taproot"]["active"]


@pytest.mark.parametrize(
    ("coins", "amount"), [("0.00000001", 1), ("21000000", 2_100_000_000_000_000), ("1.10000000", 110_000_000)]
)
def test_amounts_are_exact(coins, amount):
    assert to_satoshi(coins) == amount
    assert to_satoshi(from_satoshi(amount)) == amount


def test_a_fraction_of_a_satoshi_is_an_error():
    with pytest.raises(ValueError, match="whole number"):
        to_satoshi("0.000000001")


# --- EVM


async def test_each_anvil_has_its_own_chain_id_and_the_pinned_fork(anvil, anvil_factory):
    other = await anvil_factory()
    assert anvil.chain_id != other.chain_id
    for each in (anvil, other):
        assert int(await each.rpc("eth_chainId"), 16) == each.chain_id
        assert (await each.rpc("anvil_nodeInfo"))["hardFork"].lower() == "osaka"


async def test_anvil_mines_at_once_or_at_intervals(anvil_factory):
    at_once = await anvil_factory()
    height = await at_once.height()
    await at_once.fund(EVM_ADDRESS, 1)
    assert await at_once.height() == height + 1
    clockwork = await anvil_factory(mining=1)
    deadline = time.monotonic() + 20
    while await clockwork.height() < 2:
        assert time.monotonic() < deadline
    assert await clockwork.balance(EVM_ADDRESS) == 0


async def test_anvil_forgets_a_displaced_receipt(anvil_factory):
    node = await anvil_factory(mining="manual")
    await node.mine()
    txid = await node.fund(EVM_ADDRESS, 1)
    await node.reorg(1)
    assert await node.rpc("eth_getTransactionReceipt", txid) is None
    await node.mine()
    assert (await node.receipt(txid))["status"] == "0x1"


async def test_deploy_puts_a_contract_with_its_argument_on_the_chain(anvil):
    """Creation code that returns its 32-byte argument as the contract's code."""
    artifact = {
        "abi": [{"type": "constructor", "inputs": [{"name": "value", "type": "uint256"}]}],
        "bytecode": {"object": "0x6020600c60003960206000f3"},  # codecopy(0, 12, 32); return(0, 32)
    }
    address = await anvil.deploy(artifact, 0xC0FFEE)
    assert int(await anvil.rpc("eth_getCode", address, "latest"), 16) == 0xC0FFEE
    with pytest.raises(ValueError, match="takes 1 arguments"):
        await anvil.deploy(artifact)
    with pytest.raises(NodeRefused):
        await anvil.deploy({"abi": [], "bytecode": "0xfe"})


async def test_anvil_tells_its_keys(anvil):
    accounts = anvil.accounts
    assert len(accounts) == 10
    assert {address.lower() for address in await anvil.rpc("eth_accounts")} == set(accounts)
