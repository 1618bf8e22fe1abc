"""Gas of Bitcoin's headers and proofs, measured on receipts of a real node."""

from __future__ import annotations

import pytest

from chains.evm.measure_light_client import measure_light_client
from chains.testing.anvil import Anvil
from tests.chains.light_client_world import secret_of

pytestmark = pytest.mark.node

MOST = {
    "headers_1_gas": 116_000,
    "headers_10_gas": 13_600,
    "headers_50_gas": 4_600,
    "headers_500_gas": 2_500,
    "prove_output_gas": 80_000,
    "register_gas": 155_000,
    "register_spend_gas": 122_000,
}


async def test_headers_and_proofs_cost_no_more_than_they_should(anvil: Anvil) -> None:
    found = await measure_light_client(anvil.url, secret_of(anvil))
    assert list(found) == list(MOST)
    assert not {name: (gas, MOST[name]) for name, gas in found.items() if not MOST[name] / 2 < gas <= MOST[name]}
