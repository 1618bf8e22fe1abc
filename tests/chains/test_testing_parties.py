"""Funded parties: wallets of ours on real nodes, with money that the nodes confirm."""

from __future__ import annotations

import pytest

from chains.legs import NATIVE
from chains.testing.parties import SATOSHIS, TOKENS, WEI

pytestmark = pytest.mark.node


async def test_a_party_has_money_on_every_node(party_factory, bitcoind, litecoind, anvil):
    party = await party_factory(bitcoind, litecoind, anvil)
    assert set(party.wallets) == {"bitcoin", "litecoin", "evm"}
    for node, name in ((bitcoind, "bitcoin"), (litecoind, "litecoin")):
        wallet = party.wallets[name]
        assert await wallet.balance(NATIVE) == SATOSHIS
        assert await node.balance(wallet.address) == SATOSHIS
    wallet = party.wallets["evm"]
    assert await wallet.balance(NATIVE) == WEI == await anvil.balance(wallet.address)
    assert await wallet.balance(party.tokens["evm"]) == TOKENS


async def test_two_parties_share_contracts_but_no_money(party_factory, anvil):
    one, two = await party_factory(anvil), await party_factory(anvil)
    assert one.seed != two.seed
    assert one.wallets["evm"].address != two.wallets["evm"].address
    assert one.tokens == two.tokens
    assert one.chains["evm"].identity == two.chains["evm"].identity
