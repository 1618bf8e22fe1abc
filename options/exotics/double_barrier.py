"""Double barrier options with a rebate, by the killed density of a corridor.

Value of the payoff: Ikeda and Kunitomo 1992 and Hui 1996 (Haug 2007, section 4.17.3), see `corridor`.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from options.exotics.arguments import Kind, Sheet, choose
from options.exotics.barrier import BETA, CERTAIN
from options.exotics.corridor import Corridor
from options.exotics.normal import Array
from options.exotics.vanilla import log_ratio, vanilla

_STYLES: Final = {"out": 0.0, "in": 1.0}


def double_barrier(
    kind: Kind,
    spot: ArrayLike,
    strike: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    rate: ArrayLike = 0.0,
    dividend: ArrayLike = 0.0,
    *,
    style: str | ArrayLike = "out",
    rebate: ArrayLike = 0.0,
    observations: ArrayLike = 0,
) -> float | Array:
    """A double barrier option, knocked "out" or "in" by the first touch of `lower` or `upper`.

    `rebate` is cash: of a knock-out paid when a barrier is touched, of a knock-in paid at expiry if none
    was. `observations` is as in `barrier`; the correction moves both barriers outwards. A spot at or
    beyond a barrier has touched it. Absolute error below 1e-13 (spot + strike + rebate) at every width,
    volatility and time.
    """
    sheet = Sheet(
        kind,
        spot=spot,
        strike=strike,
        lower=lower,
        upper=upper,
        years=years,
        vol=vol,
        rate=rate,
        dividend=dividend,
        style=choose("style", style, _STYLES),
        rebate=rebate,
        observations=observations,
    )
    with np.errstate(all="ignore"):
        touched = (sheet["spot"] <= sheet["lower"]) | (sheet["spot"] >= sheet["upper"])
        deviation = sheet["vol"] * np.sqrt(sheet["years"])
        value = np.where(deviation > CERTAIN, _random(sheet), _certain(sheet))
        value = np.where(touched, _after_touch(sheet), value)
    _require(sheet)
    return sheet.price(value)


def _require(sheet: Sheet) -> None:
    sheet.require("finite", "rate", "dividend")
    sheet.require("above zero", "spot", "lower", "upper")
    sheet.require("zero or more", "strike", "years", "vol", "rebate")
    sheet.require("a whole number, zero or more", "observations")
    sheet.demand(sheet["lower"] < sheet["upper"], "lower", "below the upper barrier")


def _corridor(sheet: Sheet) -> Corridor:
    dates = sheet["observations"]
    years, vol = sheet["years"], sheet["vol"]
    outward = BETA * vol * np.where(dates > 0.0, np.sqrt(years / np.where(dates > 0.0, dates, 1.0)), 0.0)
    return Corridor(
        low=log_ratio(sheet["lower"], sheet["spot"]) - outward,
        high=log_ratio(sheet["upper"], sheet["spot"]) + outward,
        drift=sheet["rate"] - sheet["dividend"] - 0.5 * vol * vol,
        years=years,
        vol=vol,
    )


def _plain(sheet: Sheet) -> Array:
    names = ("kind", "spot", "strike", "years", "vol", "rate", "dividend")
    return vanilla(*(sheet[name] for name in names))


def _random(sheet: Sheet) -> Array:
    corridor = _corridor(sheet)
    phi, spot, strike = sheet["kind"], sheet["spot"], sheet["strike"]
    discount = np.exp(-sheet["rate"] * sheet["years"])
    kink = np.where(strike > 0.0, log_ratio(strike, spot), -np.inf)
    kink = np.clip(kink, corridor.low, corridor.high)
    start = np.where(phi > 0.0, kink, corridor.low)
    end = np.where(phi > 0.0, corridor.high, kink)
    share = spot * corridor.integral(1.0, start, end)
    cash = strike * corridor.integral(0.0, start, end)
    out = np.maximum(discount * phi * (share - cash), 0.0)
    knocked_in, knocked_out = np.maximum(_plain(sheet) - out, 0.0), out
    if np.any(sheet["rebate"] > 0.0):
        knocked_in = knocked_in + sheet["rebate"] * discount * corridor.survival()
        knocked_out = knocked_out + sheet["rebate"] * corridor.exit_value(sheet["rate"])
    return np.where(sheet["style"] == 1.0, knocked_in, knocked_out)


def _certain(sheet: Sheet) -> Array:
    """The limit without volatility: the path is spot exp(carry t) and leaves by one end or never."""
    carry = sheet["rate"] - sheet["dividend"]
    years = sheet["years"]
    end = np.where(carry > 0.0, sheet["upper"], sheet["lower"])
    distance = log_ratio(end, sheet["spot"])
    leaves = (carry != 0.0) & (np.abs(distance) <= np.abs(carry) * years)
    moment = np.where(leaves, distance / carry, 0.0)
    discount = np.exp(-sheet["rate"] * years)
    final = sheet["spot"] * np.exp(-sheet["dividend"] * years)
    payoff = np.maximum(sheet["kind"] * (final - sheet["strike"] * discount), 0.0)
    knocked_in = np.where(leaves, payoff, sheet["rebate"] * discount)
    knocked_out = np.where(leaves, sheet["rebate"] * np.exp(-sheet["rate"] * moment), payoff)
    return np.where(sheet["style"] == 1.0, knocked_in, knocked_out)


def _after_touch(sheet: Sheet) -> Array:
    return np.where(sheet["style"] == 1.0, _plain(sheet), sheet["rebate"])
