"""Gas of locks and spends, measured on receipts of a real node."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable

import pytest

from chains.evm.measure import measure_costs
from chains.legs import Path
from chains.testing.anvil import Anvil
from tests.chains.evm_world import world

pytestmark = pytest.mark.node

MOST = {
    "lock_native_gas": 21_000,
    "lock_erc20_gas": 51_500,
    "spend_native_gas": 65_500,
    "spend_erc20_gas": 75_000,
    "batch_extra_native_gas": 43_000,
    "batch_extra_erc20_gas": 48_000,
}


async def test_locks_and_spends_cost_no_more_than_they_should(anvil: Anvil) -> None:
    found = await measure_costs(anvil.url, bytes.fromhex(next(iter(anvil.accounts.values()))[2:]))
    assert list(found) == [
        "lock_native_gas",
        "lock_erc20_gas",
        "spend_native_gas",
        "spend_erc20_gas",
        "batch_extra_native_gas",
        "batch_extra_erc20_gas",
    ]
    assert found["lock_native_gas"] == 21_000
    assert not {name: (gas, MOST[name]) for name, gas in found.items() if not 20_000 < gas <= MOST[name]}, found


async def test_what_a_claim_is_said_to_cost_is_what_it_costs(
    anvil_factory: Callable[..., Awaitable[Anvil]],
) -> None:
    """Every path of the swap's and the option's legs, pushed by a third party."""
    async with world(await anvil_factory()) as here:
        writer, holder, pusher = [await here.wallet() for _ in range(3)]
        a, e = secrets.token_bytes(32), secrets.token_bytes(32)
        hash_a, hash_e = (hashlib.sha256(secret).digest() for secret in (a, e))
        now = (await here.chain.look()).tip.time
        refund = Path("refund", writer.address, after=now)
        release = Path("release", writer.address, signers=(holder.address,))
        policies = {
            "swap": (Path("claim", holder.address, (hash_a,)), refund),
            "collateral": (Path("exercise", holder.address, (hash_a, hash_e)), refund, release),
            "strike": (Path("exercise", holder.address, (hash_e,)), refund, release),
        }
        shown = {hash_a: a, hash_e: e}
        misses = {}
        for asset in ("native", here.token):
            for name, paths in policies.items():
                for path in paths:
                    leg = here.leg(asset, 10**6, *paths)
                    await here.lock(writer, leg)
                    consents = [await holder.consent(leg, path.name, holder.key(b"", ""))] if path.signers else []
                    preimages = [shown[value] for value in path.hashes]
                    tx = await here.spend(pusher, leg, path.name, *preimages, consents=consents)
                    await here.node.mine()
                    paid, said = (await here.trace(tx)).size, here.chain.claim_cost(leg, path.name, 1)
                    if not 0.98 * paid <= said <= 1.02 * paid:
                        misses[asset, name, path.name] = (paid, said)
        assert not misses
