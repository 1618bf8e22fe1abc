"""Prices of underlyings for our offers, from files that a feed of the operator's keeps.

A file holds one number. Its age is the file's: a feed that stops makes us stop quoting, instead of selling at
yesterday's price.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from chains.port import Chain
from relayer.errors import BadRequest
from relayer.settings import Settings
from settlement.errors import NoSpot
from settlement.offers import Place

MAX_BYTES: Final = 64


class FilePrices:
    """`settlement.shop.Prices` from the files of a configuration. chains: know what terms call their assets."""

    def __init__(self, settings: Settings, chains: Mapping[str, Chain]) -> None:
        self._age = settings.offers.spot_age
        self._files: dict[tuple[str, str], Path] = {}
        for pair, file in settings.offers.prices.items():
            underlying, _, money = pair.partition(":")
            self._files[str(place_of(underlying, chains)), str(place_of(money, chains))] = file

    def price(self, underlying: Place, money: Place) -> float | None:
        """Whole coins of money for a whole coin of the underlying; None where there is no file for the pair.
        Raises NoSpot for one that is old, gone or no number."""
        file = self._files.get((str(underlying), str(money)))
        if file is None:
            return None
        pair = f"{underlying}:{money}"
        try:
            age = time.time() - file.stat().st_mtime
            with file.open("rb") as opened:
                price = float(opened.read(MAX_BYTES))
        except (OSError, ValueError) as error:
            raise NoSpot(pair, f"{file.name} can't be read") from error
        if age > self._age:
            raise NoSpot(pair, f"{file.name} is {age:.0f} seconds old")
        if not 0 < price < math.inf:
            raise NoSpot(pair, f"{file.name} holds no price")
        return price


def place_of(text: str, chains: Mapping[str, Chain]) -> Place:
    """CHAIN/ASSET, the asset as terms name it. Raises BadRequest, BadAsset."""
    chain, slash, asset = text.partition("/")
    if not slash or chain not in chains:
        raise BadRequest(f"{text!r} is no CHAIN/ASSET of the configuration")
    return Place(chain, chains[chain].asset(asset))
