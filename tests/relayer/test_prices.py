"""Prices for offers come from files that a feed keeps; an old or odd file is no price."""

from __future__ import annotations

import os
import time

import pytest

from relayer.errors import BadConfig, BadRequest
from relayer.loading import load
from relayer.prices import FilePrices, place_of
from relayer.shop import limits
from settlement.errors import NoSpot
from settlement.offers import Place
from tests.settlement.paper import PaperChain

BTC, TOKEN = Place("bitcoin", "native"), Place("evm", "token")
CHAINS = {name: PaperChain(name) for name in ("bitcoin", "evm")}
CONFIG = """
[party]
folder = "."
[chains.bitcoin]
family = "bitcoin"
coin = "bitcoin"
network = "regtest"
url = "http://127.0.0.1:18443"
[chains.evm]
family = "evm"
chain_id = 31337
url = "http://127.0.0.1:8545"
factory = "0xc1332995A2aBD87B5ec4Bd3221760b3cfDF9784a"
preset = "local"
[offers]
spot_age = 60
"""


def configured(folder, text: str):
    file = folder / "strikelock.toml"
    file.write_text(CONFIG + text)
    return load(file)


@pytest.fixture
def prices(tmp_path):
    (tmp_path / "spot").write_text("60000.5\n")
    settings = configured(tmp_path, '[offers.prices]\n"bitcoin/native:evm/token" = "spot"\n')
    return FilePrices(settings, CHAINS)


def test_a_fresh_file_is_the_price_and_another_pair_has_none(prices):
    assert prices.price(BTC, TOKEN) == 60_000.5
    assert prices.price(TOKEN, BTC) is None


def test_an_old_file_is_no_price(prices, tmp_path):
    then = time.time() - 61
    os.utime(tmp_path / "spot", (then, then))
    with pytest.raises(NoSpot, match="61 seconds old"):
        prices.price(BTC, TOKEN)


@pytest.mark.parametrize("text", ["", "sixty", "nan", "inf", "-1", "0", "1e999", "\xff"])
def test_what_is_no_number_is_no_price(prices, tmp_path, text):
    (tmp_path / "spot").write_text(text, encoding="latin-1")
    with pytest.raises(NoSpot):
        prices.price(BTC, TOKEN)


def test_a_file_that_is_gone_is_no_price(prices, tmp_path):
    (tmp_path / "spot").unlink()
    with pytest.raises(NoSpot, match="can't be read"):
        prices.price(BTC, TOKEN)


def test_limits_know_assets_by_what_terms_call_them(tmp_path):
    settings = configured(tmp_path, '[offers.locked_per_peer]\n"evm/token" = 5\n')
    assert limits(settings, CHAINS).locked_per_peer == {"evm/token": 5}
    assert limits(settings, CHAINS).peers is None
    for text in ("evm", "dogecoin/native"):
        with pytest.raises(BadRequest):
            place_of(text, CHAINS)


def test_every_odd_name_is_reported(tmp_path):
    odd = '[offers.prices]\n"bitcoin/native" = "x"\n"bitcoin/native:evn/t" = "y"\n'
    text = '[offers.locked]\n"bitcon/native" = 1\n' + odd
    with pytest.raises(BadConfig) as caught:
        configured(tmp_path, text)
    found = {problem.where: problem.nearest for problem in caught.value.problems}
    assert found == {
        "offers.locked.bitcon": "bitcoin",
        "offers.prices.bitcoin/native": None,
        "offers.prices.evn": "evm",
    }
