"""An option of a deal as a position: what it pays at expiry, its worth and Greeks at a market the reader names.

The contract is priced as `options.quoting` prices it: without rates, where early exercise never pays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from htlc.ports import Deal
from htlc.protocols.option import COLLATERAL, EXPIRY, HOLDER, PREMIUM, STRIKE
from htlc.terms import LegTerms, Terms
from options.amounts import to_coins
from options.lock import HOURS_PER_YEAR
from options.quoting import Market
from relayer.dashboard.coins import coin_key
from relayer.dashboard.models import Coin, Point, Profile

POINTS = 80
REACH = 0.3  # of the strike, that the picture goes to either side
AROUND = 0.2  # of the spot, likewise, where that is farther out
YEAR_SECONDS = HOURS_PER_YEAR * 3600.0
PERCENT = 0.01
DAYS = 365.0


@dataclass(frozen=True, slots=True)
class Position:
    """One side of an option, in whole coins. total: what an exercise costs (call) or brings (put), in money.
    premium_in: what the premium is paid in; nothing else can be counted at a price of the underlying."""

    kind: Literal["call", "put"]
    sign: int
    size: float
    total: float
    premium: float
    premium_in: Literal["money", "underlying", "other"]
    years: float

    @property
    def strike(self) -> float:
        """Money for one whole underlying."""
        return self.total / self.size

    def paid(self, spot: float) -> float:
        """The premium in money, at a price of the underlying."""
        match self.premium_in:
            case "money":
                return self.premium
            case "underlying":
                return self.premium * spot
            case "other":
                return 0.0

    def at_expiry(self, spot: float) -> float:
        """Profit of our side at expiry, in money."""
        gain = self.size * spot - self.total
        return self.sign * (max(0.0, gain if self.kind == "call" else -gain) - self.paid(spot))

    def breakeven(self) -> float | None:
        """The price at which nobody gains at expiry, None where there is none."""
        up = 1 if self.kind == "call" else -1
        in_money = self.premium if self.premium_in == "money" else 0.0
        in_coins = self.premium if self.premium_in == "underlying" else 0.0
        size = self.size - up * in_coins
        price = (self.total + up * in_money) / size if size > 0 else -1.0
        return price if price > 0 else None


def is_option(terms: Terms) -> bool:
    """Whether a deal is a covered option, by whatever protocol: three legs, and called a call or a put."""
    return {COLLATERAL, PREMIUM, STRIKE} <= terms.legs.keys() and terms.options.get("kind") in ("call", "put")


def position(deal: Deal, coins: Mapping[str, Coin], now: int) -> Position:
    """Our side of an option deal. coins: of every leg's asset, with decimals."""
    terms = deal.terms
    call = terms.options["kind"] == "call"
    underlying, money = _sides(deal)
    premium = terms.legs[PREMIUM]
    paid_in: Literal["money", "underlying", "other"] = "other"
    if (premium.chain, premium.asset) == (money.chain, money.asset):
        paid_in = "money"
    elif (premium.chain, premium.asset) == (underlying.chain, underlying.asset):
        paid_in = "underlying"
    return Position(
        kind="call" if call else "put",
        sign=1 if deal.role == HOLDER else -1,
        size=_whole(underlying, coins),
        total=_whole(money, coins),
        premium=_whole(premium, coins),
        premium_in=paid_in,
        years=max(0.0, (terms.times[EXPIRY] - now) / YEAR_SECONDS),
    )


def _sides(deal: Deal) -> tuple[LegTerms, LegTerms]:
    """The legs of underlying and money."""
    collateral, strike = deal.terms.legs[COLLATERAL], deal.terms.legs[STRIKE]
    return (collateral, strike) if deal.terms.options["kind"] == "call" else (strike, collateral)


def _whole(leg: LegTerms, coins: Mapping[str, Coin]) -> float:
    return to_coins(leg.amount, coins[coin_key(leg.chain, leg.asset)].decimals or 0)


def profile(deal: Deal, coins: Mapping[str, Coin], now: int, market: Market | None) -> Profile:
    """The picture and the numbers. market: without one, only what is known at expiry."""
    held = position(deal, coins, now)
    underlying, money = _sides(deal)
    premium = deal.terms.legs[PREMIUM]
    known = market if held.years > 0 else None
    spots = _spots(held.strike, known.spot if known else held.strike)
    today = _today(held, spots, known.vol) if known else [None] * len(spots)
    return Profile(
        kind=held.kind,
        side="long" if held.sign > 0 else "short",
        underlying=coin_key(underlying.chain, underlying.asset),
        money=coin_key(money.chain, money.asset),
        size=held.size,
        strike=held.strike,
        premium=held.premium,
        premium_coin=coin_key(premium.chain, premium.asset),
        counted=held.premium_in != "other",
        years=held.years,
        breakeven=held.breakeven(),
        points=tuple(
            Point(spot=s, expiry=held.at_expiry(s), today=value) for s, value in zip(spots, today, strict=True)
        ),
        **(_greeks(held, known) if known else {}),
    )


def _spots(strike: float, spot: float) -> list[float]:
    """Prices that the picture shows; the strike, where it has its kink, is one of them."""
    low = min(strike * (1 - REACH), spot * (1 - AROUND))
    high = max(strike * (1 + REACH), spot * (1 + AROUND))
    return sorted({*(low + (high - low) * step / POINTS for step in range(POINTS + 1)), strike})


def _today(held: Position, spots: list[float], vol: float) -> list[float | None]:
    import numpy as np

    import options

    values = options.black_scholes(held.kind, np.array(spots), held.strike, held.years, vol, 0.0, 0.0)
    worth = (held.sign * (float(v) * held.size - held.paid(s)) for v, s in zip(values, spots, strict=True))
    return [_number(value) for value in worth]


def _greeks(held: Position, market: Market) -> dict[str, float | None]:
    import options

    found = options.greeks(held.kind, market.spot, held.strike, held.years, market.vol, 0.0, 0.0)
    whole = held.sign * held.size
    return {
        "value": _number(found.price * whole),
        "delta": _number(found.delta * whole),
        "gamma": _number(found.gamma * whole),
        "vega": _number(found.vega * whole * PERCENT),
        "theta": _number(found.theta * whole / DAYS),
        "rho": _number(found.rho * whole * PERCENT),
    }


def _number(value: float) -> float | None:
    """JSON has no infinities."""
    return float(value) if isfinite(value) else None
