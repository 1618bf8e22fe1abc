"""The Python twins against the contracts, on two nodes: what one side hashes and signs the other takes."""

from __future__ import annotations

import pytest

from chains.evm.messaging import calls
from chains.evm.messaging.quorum import SignerSet, rotation_digest
from tests.chains.messaging_world import KEYS, messaging_world

pytestmark = [pytest.mark.node, pytest.mark.timeout(120)]


@pytest.fixture
async def world(anvil_factory):
    here, there = await anvil_factory(), await anvil_factory()
    async with messaging_world(here, there) as world:
        yield world


async def test_messages_cross_and_each_is_delivered_once(world):
    for number in range(5):
        await world.send(bytes([number]) * (31 * number))
    checkpoint = await world.checkpoint()
    assert (checkpoint.count, checkpoint.root) == (5, world.tree.root())
    receipt = await world.transact(world.there, world.lane.inbox, world.delivery(checkpoint, 1, 4))
    assert receipt["status"] == "0x1"
    logs = [log for log in receipt["logs"] if log["topics"][0] == calls.DELIVERED]
    found = [calls.read_delivered(log) for log in logs]
    assert [(one.index, one.success, one.id) for one in found] == [
        (n, True, world.messages[n].id) for n in (1, 2, 3)
    ]
    receipt = await world.transact(world.there, world.lane.inbox, world.delivery(checkpoint, 0, 5, known=True))
    logs = [log for log in receipt["logs"] if log["topics"][0] == calls.DELIVERED]
    assert [calls.read_delivered(log).index for log in logs] == [0, 4]
    answer = await world.view(world.there, world.lane.inbox, calls.delivered_call(world.lane.id, 0))
    assert calls.read_number(answer) == 0b11111
    answer = await world.view(world.there, world.lane.inbox, calls.accepted_call(world.lane.id, checkpoint.root))
    assert calls.read_number(answer) == 5


async def test_what_nobody_took_is_tried_again(world):
    stranger = "0x" + "77" * 20
    message = await world.send(b"for nobody", recipient=stranger)
    receipt = await world.transact(world.there, world.lane.inbox, world.delivery(await world.checkpoint(), 0, 1))
    assert not calls.read_delivered(receipt["logs"][-1]).success
    failed = await world.view(world.there, world.lane.inbox, calls.failed_call(message.id))
    assert calls.read_number(failed) == 1
    again = await world.transact(world.there, world.lane.inbox, calls.retry(message))
    assert again["status"] == "0x0"
    await world.there.rpc("anvil_impersonateAccount", stranger)
    await world.there.rpc("anvil_setBalance", stranger, hex(10**18))
    opting = {"from": stranger, "to": world.lane.inbox, "data": "0x" + calls.opt(True).hex()}
    await world.there.rpc("eth_sendTransaction", opting)
    again = await world.transact(world.there, world.lane.inbox, calls.retry(message))
    assert again["status"] == "0x1"
    assert calls.read_delivered(again["logs"][-1]).success


async def test_sets_are_replaced(world):
    following = SignerSet.of(2, world.signers.members[1:])
    signatures = world.signatures(rotation_digest(world.there.chain_id, world.quorum, following))
    receipt = await world.transact(world.there, world.quorum, calls.rotate(following, world.signers, signatures))
    assert receipt["status"] == "0x1"
    assert calls.read_number(await world.view(world.there, world.quorum, calls.CURRENT_CALL)) == 2
    world.signers = following
    await world.send(b"by the new set")
    receipt = await world.transact(world.there, world.lane.inbox, world.delivery(await world.checkpoint(), 0, 1))
    assert receipt["status"] == "0x1"
    assert following.threshold == len(KEYS) - 1


async def test_a_batch_of_fifty_costs_less_than_its_figure(world):
    for number in range(100):
        await world.send(number.to_bytes(32, "big"))
    checkpoint = await world.checkpoint()
    first = await world.transact(world.there, world.lane.inbox, world.delivery(checkpoint, 0, 50))
    known = await world.transact(world.there, world.lane.inbox, world.delivery(checkpoint, 50, 100, known=True))
    gas = [int(receipt["gasUsed"], 16) // 50 for receipt in (first, known)]
    assert gas[0] <= 45_000, gas
    assert gas[1] < gas[0]
