"""How assets are written: symbols from the configuration, decimals from their chains, asked for once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping

from chains.errors import ChainError
from chains.legs import NATIVE
from chains.port import Chain
from relayer.dashboard.models import Coin
from relayer.settings import Settings

ASK_SECONDS = 2.0  # a slow node must not hold up the page: it is asked again at the next look
COIN_SYMBOLS = {"bitcoin": "BTC", "litecoin": "LTC"}


def coin_key(chain: str, asset: str) -> str:
    """The name of a coin in the documents."""
    return f"{chain}/{asset}"


class Coins:
    """What is known of the assets so far."""

    def __init__(self, chains: Mapping[str, Chain], settings: Settings) -> None:
        self._chains = chains
        self._symbols = dict(_symbols(chains, settings))
        self._decimals: dict[str, int] = {}

    async def learn(self, wanted: Iterable[tuple[str, str]], live: Collection[str]) -> dict[str, Coin]:
        """Describe assets, given as (chain, asset). Only chains that are `live` are asked."""
        found = {}
        for chain, asset in sorted(set(wanted)):
            key = coin_key(chain, asset)
            if key not in self._decimals and chain in live:
                await self._ask(chain, asset)
            found[key] = Coin(symbol=self._symbols.get(key, asset), decimals=self._decimals.get(key))
        return found

    async def _ask(self, chain: str, asset: str) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                self._decimals[coin_key(chain, asset)] = await self._chains[chain].decimals(asset)
        except (ChainError, TimeoutError):
            return


def _symbols(chains: Mapping[str, Chain], settings: Settings) -> Iterator[tuple[str, str]]:
    for name, section in settings.chains.items():
        known = COIN_SYMBOLS.get(section.get("coin", ""))
        yield coin_key(name, NATIVE), known or f"{name} coin"
        for symbol in section.get("tokens", {}):
            yield coin_key(name, chains[name].asset(symbol)), symbol
