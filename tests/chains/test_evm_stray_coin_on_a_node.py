"""A claim in flight, and what a stranger does to make it dearer before it is mined."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from chains.evm.codec import address_bytes, selector, word
from chains.evm.wallet import Push
from chains.testing.anvil import Anvil
from tests.chains.evm_world import PLENTY, world

pytestmark = pytest.mark.node


async def test_a_claim_in_flight_survives_what_makes_it_dearer(
    anvil_factory: Callable[..., Awaitable[Anvil]],
) -> None:
    """The claim shows the preimage: were it to run out of gas, a stranger could have it shown for nothing."""
    async with world(await anvil_factory()) as here:
        writer, pusher = [await here.wallet() for _ in range(2)]
        recipient = await here.wallet(ether=0, tokens=1)  # an account that does not exist but holds a unit
        secret = await here.swap_leg(here.token, 1000, recipient, writer)
        await here.lock(writer, secret.leg)
        claim = await here.spend(pusher, secret.leg, "claim", secret.preimage)
        vault = here.vault(secret.leg)
        empty = "0x" + "00" * 32
        await here.node.rpc("anvil_setBalance", vault, hex(1))  # mined before the claim, paid better
        slot = await _balance_slot(here.node, here.token, recipient.address)
        await here.node.rpc("anvil_setStorageAt", here.token, slot, empty)
        await here.node.mine()
        state = await here.trace(claim)
        assert state.succeeded
        assert state.size > 150_000  # the coin passed on, a new account, a new token balance
        assert await here.node.balance(recipient.address) == 1


async def _balance_slot(node: Anvil, token: str, holder: str) -> str:
    """The storage slot of a balance in our test token: the first that the node lists for a call of balanceOf."""
    data = "0x" + (selector("balanceOf(address)") + word(address_bytes(holder))).hex()
    listed = await node.rpc("eth_createAccessList", {"to": token, "data": data})
    [entry] = listed["accessList"]
    [slot] = entry["storageKeys"]
    return str(slot)


async def test_no_item_of_a_batch_in_flight_is_skipped_for_it(
    anvil_factory: Callable[..., Awaitable[Anvil]],
) -> None:
    async with world(await anvil_factory()) as here:
        writer, holder, pusher = [await here.wallet() for _ in range(3)]
        secrets = [await here.swap_leg(here.token, 1000, holder, writer) for _ in range(3)]
        for secret in secrets:
            await here.lock(writer, secret.leg)
        pushes = [Push(secret.leg, "claim", (secret.preimage,)) for secret in secrets]
        tx = await pusher.push_many(pushes, here.token, await here.price(), PLENTY, [])
        await here.chain.broadcast(tx)
        for secret in secrets[1:]:
            await here.node.rpc("anvil_setBalance", here.vault(secret.leg), hex(1))
        await here.node.mine()
        assert (await here.trace(tx)).succeeded
        assert [(await here.facts(secret.leg)).held for secret in secrets] == [0, 0, 0]
