"""Packages and ladders without a node: damage is refused, and the rung fits price, cap and what was sent."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.bitcoin.blocks import Receipt
from chains.bitcoin.encoding import p2wpkh
from chains.bitcoin.family import FAMILY as BITCOIN
from chains.bitcoin.presigned import presign
from chains.errors import StrikelockError
from chains.evm.family import FAMILY as EVM
from chains.legs import Leg
from chains.port import Key
from htlc.ports import Deal
from htlc.protocols import protocol
from htlc.terms import Contribution, LegTerms, Terms
from relayer.errors import BadPackage
from relayer.package import Package, check_package, own_paths, read_package
from relayer.tower_wallets import LadderWallet, NotSigned, TowerCannot, TowerWallet
from settlement.backup import describe
from settlement.errors import BadDescriptor, WrongChain
from settlement.seed import Seed
from tests.htlc.deals import GUARDS, OPTION_TERMS

COIN = 1_000_000
URL = "http://127.0.0.1:1"  # nobody is there
FACTORY = "0xc1332995A2aBD87B5ec4Bd3221760b3cfDF9784a"
CHAINS = {
    "bitcoin": BITCOIN.make("bitcoin", {"coin": "bitcoin", "network": "regtest", "url": URL, "family": "bitcoin"}),
    "evm": EVM.make(
        "evm",
        {"chain_id": 31337, "url": "http://127.0.0.1:1", "factory": FACTORY, "preset": "local", "family": "evm"},
    ),
}
SEEDS = {"writer": Seed(bytes(range(64))), "holder": Seed(bytes(64))}
PRICES = [1000 << step for step in range(8)]


def wallet_key(role: str, chain: str, nonce: bytes, label: str) -> Key:
    return CHAINS[chain].wallet(SEEDS[role].raw).key(nonce, label)


def deal(role: str = "writer") -> Deal:
    spoken, bare = protocol("option"), OPTION_TERMS
    parties = {}
    for number, (name, seed) in enumerate(SEEDS.items()):
        nonce = bytes([number]) * 16
        keys = {
            label: wallet_key(name, bare.legs[leg].chain, nonce, label).public
            for label, leg in spoken.keys(name).items()
        }
        parties[name] = Contribution(seed.identity().public, nonce, bare.parties[name].hashes, keys)
    legs = {name: LegTerms(leg.chain, leg.asset, COIN) for name, leg in bare.legs.items()}
    networks = {name: chain.identity for name, chain in CHAINS.items()}
    terms: Terms = replace(bare, parties=parties, legs=legs, networks=networks)
    return Deal(terms.id, terms, role, GUARDS, {"bitcoin": 1, "evm": 0}, 0)


def package(role: str = "writer") -> Package:
    """All that the role can sign ahead, as if the collateral stood there."""
    one = deal(role)
    leg = legs(one)["collateral"]
    coin = Receipt(b"\x11" * 32 + bytes(4), b"", COIN, 1, 1)
    spends = []
    for name, path, label in own_paths(one):
        if name == "collateral":
            key = wallet_key(role, "bitcoin", one.nonce, label)
            script = p2wpkh(bytes.fromhex(key.public))
            spends += [(name, s) for s in presign(leg, leg.path(path), key, coin, script, 294, PRICES)]
    return Package(describe(one, SEEDS[role].identity()), tuple(spends))


def legs(one: Deal) -> dict[str, Leg]:
    return protocol("option").legs(one.terms)


PACKAGES = {role: package(role) for role in SEEDS}


@pytest.mark.parametrize(("role", "path"), [("writer", "refund"), ("holder", "exercise")])
def test_a_package_comes_out_as_it_went_in(role, path):
    made = read_package(PACKAGES[role].text().encode(), "x")
    assert made.spends == PACKAGES[role].spends
    assert made.deal == deal(role)
    rungs = check_package(made, CHAINS)
    assert list(rungs) == [("collateral", path)]
    assert [tx.price for tx, _ in rungs["collateral", path]] == sorted(
        tx.price for tx, _ in next(iter(rungs.values()))
    )


@given(st.sampled_from(sorted(SEEDS)), st.data())
def test_a_changed_byte_is_refused(role, data):
    text = PACKAGES[role].text().encode()
    place, change = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(1, 255))
    damaged = bytearray(text)
    damaged[place] ^= change
    try:
        same = json.loads(damaged) == json.loads(text)
    except ValueError:
        same = False
    if not same:
        with pytest.raises(StrikelockError):
            check_package(read_package(bytes(damaged), "x"), CHAINS)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_any_json_is_refused_in_words(data):
    with pytest.raises((BadPackage, BadDescriptor)):
        read_package(json.dumps(data).encode(), "x")


def test_spends_of_the_other_side_are_refused():
    """What the holder signed does not belong into the writer's package."""
    mixed = replace(PACKAGES["writer"], spends=PACKAGES["holder"].spends)
    with pytest.raises(BadPackage, match="does not pay the writer"):
        check_package(mixed, CHAINS)


def test_a_chain_that_the_tower_does_not_have_is_named():
    with pytest.raises(WrongChain):
        check_package(PACKAGES["writer"], {"bitcoin": CHAINS["bitcoin"]})


RUNGS = check_package(PACKAGES["writer"], CHAINS)["collateral", "refund"]


def ladder() -> tuple[LadderWallet, Leg]:
    wallet, leg = LadderWallet(CHAINS["bitcoin"], CHAINS["bitcoin"]), legs(PACKAGES["writer"].deal)["collateral"]
    wallet.learn(leg, "refund", RUNGS)
    return wallet, leg


NO_KEY = Key("", b"")


@given(price=st.integers(1, 10**6), cap=st.integers(1, COIN))
def test_the_cheapest_rung_that_will_do_is_sent(price, cap):
    wallet, leg = ladder()
    tx = asyncio.run(wallet.spend(leg, "refund", NO_KEY, (), (), price, cap, ()))
    rungs = [tx for tx, _ in RUNGS]
    fits = [one for one in rungs if one.price >= price and one.fee <= cap]
    allowed = [one for one in rungs if one.fee <= cap]
    assert tx == (fits[0] if fits else allowed[-1] if allowed else rungs[0])


async def test_a_replacement_is_the_next_rung_and_the_last_one_stays():
    wallet, leg = ladder()
    tx = await wallet.spend(leg, "refund", NO_KEY, (), (), 1000, COIN, ())
    seen = [tx]
    for _ in range(len(PRICES) + 1):
        tx = await wallet.spend(leg, "refund", NO_KEY, (), (), 1000, COIN, (), replacing=tx)
        seen.append(tx)
    prices = [one.price for one in seen]
    assert prices == sorted(prices)
    assert len(set(prices)) == len(PRICES)
    assert seen[-1] == seen[-2]


async def test_what_was_not_handed_over_is_named():
    wallet, leg = ladder()
    with pytest.raises(NotSigned, match="export it again"):
        await wallet.spend(leg, "exercise", NO_KEY, (b"a" * 32, b"e" * 32), (), 1000, COIN, ())


async def test_a_tower_does_nothing_that_only_a_party_may():
    wallet = TowerWallet(CHAINS["bitcoin"])
    leg = legs(deal())["collateral"]
    for refused in (wallet.fund(leg, 1, 1, ()), wallet.consent(leg, "release", NO_KEY)):
        with pytest.raises(TowerCannot):
            await refused
    assert wallet.key(bytes(16), "collateral.to").secret == b""
