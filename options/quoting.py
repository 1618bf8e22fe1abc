"""The premium of a deal's option, from the spot, the volatility and the deal's ladder of deadlines.

A pure function: what it is given is all it knows. The holder of a deal may exercise at any time until the
last moment its guard allows, so the option is American; without rates early exercise never pays and it is
priced as a European one. The writer activates the option, or doesn't, until the premium's deadline: that
free look is the writer's, is not in the premium, and is reported beside it.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Final, cast

import options
from options.amounts import premium_units, to_coins
from options.contracts import Amount, OptionContract
from options.errors import InvalidInputError
from options.lock import HOURS_PER_YEAR, lock_premium

_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Market:
    """The price of one whole underlying coin in whole strike coins, its volatility, and rates, all per
    year.

    `rate` is earned on the strike's asset, `dividend` on the underlying.
    """

    spot: float
    vol: float
    rate: float = 0.0
    dividend: float = 0.0

    def __post_init__(self) -> None:
        for name in ("spot", "vol", "rate", "dividend"):
            value = getattr(self, name)
            if not isfinite(value):
                raise InvalidInputError(name, value, "finite")
        if self.spot <= 0.0:
            raise InvalidInputError("spot", self.spot, "above zero")
        if self.vol < 0.0:
            raise InvalidInputError("vol", self.vol, "zero or more")


@dataclass(frozen=True, slots=True)
class Window:
    """The moments of the ladder that matter to the price, in UNIX seconds.

    `activate_by` is the premium's deadline, until which the writer may still walk away; `exercise_by` is
    the last moment at which the holder's guard lets it exercise, which is before the collateral's
    deadline.
    """

    now: int
    activate_by: int
    exercise_by: int

    def __post_init__(self) -> None:
        if not self.now <= self.activate_by < self.exercise_by:
            raise InvalidInputError(
                "window",
                (self.now, self.activate_by, self.exercise_by),
                "in order: now, activate_by, exercise_by",
            )


@dataclass(frozen=True, slots=True)
class Quote:
    """A premium and how it came about.

    `premium` is rounded up to whole units of the payment's asset; `fair` is the model's value before the
    spread, in whole coins of it, and so are `theta` (per day), `vega` (per volatility of 1) and
    `free_look`. `delta` is in underlying coins.
    """

    premium: Amount
    fair: float
    spread: float
    hours: float
    delta: float
    vega: float
    theta: float
    free_look: float

    @property
    def per_hour(self) -> float:
        """The fair premium for each hour of the option's life, in whole coins."""
        return self.fair / self.hours


def quote(contract: OptionContract, market: Market, window: Window, spread: float = 0.0) -> Quote:
    """Prices a contract as the writer should offer it: the fair value times 1 + `spread`, rounded up.

    The premium is in the asset that the holder pays with: the strike's for a call, the underlying for a put.
    """
    if not 0.0 <= spread < float("inf"):
        raise InvalidInputError("spread", spread, "zero or more")
    coins = to_coins(contract.underlying.units, contract.underlying.asset.decimals)
    strike = to_coins(contract.strike.units, contract.strike.asset.decimals) / coins
    hours = (window.exercise_by - window.now) / _HOUR
    years = hours / HOURS_PER_YEAR
    terms = (contract.kind, market.spot, strike, years, market.vol, market.rate, market.dividend)
    greeks = options.greeks(*terms)
    value = _value(terms, greeks.price)
    asset = contract.payment.asset
    unit = coins if contract.kind == "call" else coins / market.spot  # premium coins for a price of 1
    fair = value * unit
    look = cast(float, lock_premium(market.vol, (window.activate_by - window.now) / _HOUR, "black-scholes"))
    return Quote(
        premium=Amount(asset, premium_units(fair * (1.0 + spread), asset.decimals)),
        fair=fair,
        spread=spread,
        hours=hours,
        delta=float(greeks.delta) * coins,
        vega=float(greeks.vega) * unit,
        theta=float(greeks.theta) * unit / 365.0,
        free_look=abs(float(greeks.delta)) * market.spot * unit * look,
    )


def _value(terms: tuple[str, float, float, float, float, float, float], european: float) -> float:
    if terms[5] == 0.0 and terms[6] == 0.0:
        return european
    return max(european, float(options.american(*terms)))
