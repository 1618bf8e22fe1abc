"""/v1/quotes: what an option would be worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from chains.errors import LegError
from htlc.terms import LegTerms
from options.errors import OptionsError
from options.quoting import Market
from relayer.api import models
from relayer.api.asks import LegBody, QuoteBody
from relayer.api.errors import NoPrice, NotKnownYet
from relayer.api.operation import AnyOperation, Call, NoQuery, Operation
from relayer.api.scopes import Scope
from relayer.dashboard.coins import coin_key
from relayer.errors import BadRequest
from settlement.premium import option_quote

if TYPE_CHECKING:
    from relayer.daemon import Daemon


class Quotes:
    """Prices; nothing is stored."""

    def __init__(self, daemon: Daemon) -> None:
        self._party = daemon.party
        self._coins = daemon.coins
        self._driver = daemon.driver

    def operations(self) -> tuple[AnyOperation, ...]:
        return (
            Operation(
                "POST",
                "/v1/quotes",
                "quote",
                "Price an option at a spot and a volatility.",
                Scope.READ,
                models.Quote,
                self.quote,
                body=TypeAdapter(QuoteBody),
                problems=(BadRequest, LegError, NoPrice, NotKnownYet),
            ),
        )

    async def quote(self, call: Call[NoQuery, QuoteBody]) -> models.Quote:
        body, party = call.body, self._party
        legs = {"collateral": self._leg(body.collateral), "strike": self._leg(body.strike)}
        chains = {name: leg.chain for name, leg in legs.items()}
        times = party.ladder("option", {**chains, "premium": legs["strike"].chain}, body.life)
        market = Market(body.spot, body.vol, body.rate, body.dividend)
        decimals = await self._decimals(legs)
        try:
            found = option_quote(body.kind, legs, decimals, times, int(party.clock.now()), market, body.spread)
        except (OptionsError, OverflowError, ZeroDivisionError) as error:
            raise NoPrice(str(error)) from error
        return models.Quote(
            coin=found.premium.asset.symbol,
            premium=str(found.premium.units),
            fair=found.fair,
            spread=found.spread,
            hours=found.hours,
            per_hour=found.per_hour,
            delta=found.delta,
            vega=found.vega,
            theta=found.theta,
            free_look=found.free_look,
            times=times,
        )

    def _leg(self, body: LegBody) -> LegTerms:
        if body.chain not in self._party.chains:
            raise BadRequest(f"there is no chain {body.chain!r} in the configuration")
        return LegTerms(body.chain, self._party.chains[body.chain].asset(body.asset), int(body.units))

    async def _decimals(self, legs: dict[str, LegTerms]) -> dict[str, int]:
        coins = await self._coins.learn([(leg.chain, leg.asset) for leg in legs.values()], self._driver.live)
        found = {}
        for name, leg in legs.items():
            decimals = coins[coin_key(leg.chain, leg.asset)].decimals
            if decimals is None:
                raise NotKnownYet(f"the decimals of {leg.chain}/{leg.asset} are")
            found[name] = decimals
        return found
