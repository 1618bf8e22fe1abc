"""Configuration of a UTXO chain, and what a chain says of legs without a node."""

from __future__ import annotations

import hashlib
from pathlib import Path as File

import pytest
from pydantic import ValidationError

from chains.bitcoin.family import FAMILY
from chains.bitcoin.keys import public_key
from chains.bitcoin.params import NETWORKS
from chains.bitcoin.settings import UtxoSettings
from chains.errors import BadAmount, BadAsset, BadHash, BadKey, BadPolicy, BadTime, Dust, LegError
from chains.legs import MIN_TIME, Leg, Path
from chains.port import Chain

URL = "http://user:pa%3Ass@127.0.0.1:8332"
KEYS = [public_key(hashlib.sha256(bytes((index,))).digest()).hex() for index in range(4)]
HASH = hashlib.sha256(b"x").digest()
SWAP = (Path("claim", KEYS[0], (HASH,)), Path("refund", KEYS[1], after=MIN_TIME))


def chain(**changes):
    return FAMILY.make("here", {"network": "regtest", "url": URL} | changes)


def leg(amount: int = 100_000, paths: tuple[Path, ...] = SWAP, asset: str = "native", name: str = "here") -> Leg:
    return Leg(name, asset, amount, bytes(32), paths)


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"network": "lunar"},
        {"coin": "dogecoin"},
        {"coin": "litecoin", "network": "signet"},
        {"family": "evm"},
        {"url": "127.0.0.1:8332"},
        {"url": "ftp://127.0.0.1"},
        {"cookie": "/x"},
        {"timing": {"interval": 0}},
        {"timing": {"median_span": 3}},
        {"timeout": 0},
        {"fallback_urgent": 0},
        {"max_price": 10**9},
        {"gap_limit": 0},
    ],
)
def test_bad_settings_are_refused(changes) -> None:
    with pytest.raises(ValidationError):
        chain(**changes)


def test_credentials(tmp_path: File) -> None:
    settings = UtxoSettings(network="regtest", url=URL)
    assert settings.credentials() == ("user", "pa:ss")
    assert settings.endpoint == "http://127.0.0.1:8332/"
    bare = "http://127.0.0.1:1"
    assert UtxoSettings(network="regtest", url=bare).credentials() is None
    named = UtxoSettings(network="regtest", url=bare, user="u", password="secret")
    assert named.credentials() == ("u", "secret")
    assert "secret" not in repr(named)
    assert "Ass" not in repr(settings)
    with pytest.raises(ValidationError) as caught:
        chain(url="htp://user:hidden@x")
    assert "hidden" not in str(caught.value)
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:abc\n")
    assert UtxoSettings(network="regtest", url=bare, cookie=cookie).credentials() == ("__cookie__", "abc")


def test_timing_is_the_network_s_but_for_what_is_given() -> None:
    made = chain(network="mainnet", timing={"depth": 9})
    assert made.timing.depth == 9
    assert made.timing.interval == 600
    assert made.timing.median_span == 11
    assert chain(coin="litecoin", network="mainnet").timing.interval == 150


def test_identities() -> None:
    assert chain(network="mainnet").identity == "bip122:000000000019d6689c085ae165831e93"
    assert chain(coin="litecoin", network="mainnet").identity == "bip122:12a765e31ffd4059bada1e25190f6e98"
    assert len({network.identity for network in NETWORKS.values()}) == len(NETWORKS)
    assert isinstance(chain(), Chain)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (leg(name="there"), BadPolicy),
        (leg(asset="gold"), BadAsset),
        (leg(amount=0), BadAmount),
        (leg(amount=21 * 10**14 + 1), BadAmount),
        (leg(amount=329), Dust),
        (leg(amount=700), Dust),
        (leg(paths=(Path("a", KEYS[0], (bytes(32),)),)), BadHash),
        (leg(paths=(Path("a", KEYS[0], (HASH, HASH)),)), BadHash),
        (leg(paths=(Path("a", KEYS[0], after=MIN_TIME - 1),)), BadTime),
        (leg(paths=(Path("a", "0x" + "11" * 20),)), BadKey),
        (leg(paths=(Path("a", KEYS[0], signers=(KEYS[0],)),)), BadPolicy),
        (leg(paths=()), BadPolicy),
    ],
)
def test_legs_that_this_chain_cannot_hold(bad: Leg, error: type[LegError]) -> None:
    with pytest.raises(error):
        chain().check(bad)


def test_the_least_amount() -> None:
    made = chain()
    made.check(leg(amount=711))  # 139 vbytes at 3 sat/vB, and an output of 294
    with pytest.raises(Dust):
        made.check(leg(amount=710))
    litecoin = chain(coin="litecoin")  # whose nodes ask ten times as much
    litecoin.check(leg(amount=7110))
    with pytest.raises(Dust):
        litecoin.check(leg(amount=7109))


def test_addresses_differ_by_network_only_in_their_prefix() -> None:
    names = [name for coin, name in NETWORKS if coin == "bitcoin"]
    shown = {name: chain(network=name).address(leg()).address for name in names}
    assert shown["mainnet"].startswith("bc1q")
    assert shown["testnet"] == shown["testnet4"] == shown["signet"]
    assert chain(coin="litecoin", network="mainnet").address(leg()).address.startswith("ltc1q")


def test_the_cost_of_a_claim() -> None:
    made = chain()
    assert made.claim_cost(leg(), "claim", 1000) == 139
    assert made.claim_cost(leg(), "refund", 10_000) == 1310
    with pytest.raises(BadPolicy):
        made.claim_cost(leg(), "nothing", 1000)
