"""Digital options: a fixed amount of cash, or the asset itself, if they end in the money.

Cash: exp(-rT) cdf(+-d2), Reiner and Rubinstein 1991, Haug 2007 section 4.19.2. Asset: S exp(-qT)
cdf(+-d1), Cox and Rubinstein 1985, Haug section 4.19.3.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from options.exotics.arguments import Kind, Sheet, choose
from options.exotics.normal import Array, cdf
from options.exotics.vanilla import distances

_PAYS: Final = {"cash": 0.0, "asset": 1.0}


def digital(
    kind: Kind,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    vol: ArrayLike,
    rate: ArrayLike = 0.0,
    dividend: ArrayLike = 0.0,
    *,
    pays: str | ArrayLike = "cash",
    cash: ArrayLike = 1.0,
) -> float | Array:
    """A digital option that `pays` "cash" (the amount `cash`) or one unit of the "asset".

    At zero time or volatility: the discounted payoff of the certain outcome, and half of it exactly at
    the strike (the mean of both one-sided limits). Arguments broadcast; `NoPriceError` for a scalar call
    without a price, NaN in arrays. Relative error below 1e-14 wherever the probability is above 1e-300.
    """
    sheet = Sheet(
        kind,
        spot=spot,
        strike=strike,
        years=years,
        vol=vol,
        rate=rate,
        dividend=dividend,
        pays=choose("pays", pays, _PAYS),
        cash=cash,
    )
    spot_, strike_, years_, vol_ = (sheet[name] for name in ("spot", "strike", "years", "vol"))
    phi, rate_, dividend_, cash_ = (sheet[name] for name in ("kind", "rate", "dividend", "cash"))
    with np.errstate(all="ignore"):
        deviation = vol_ * np.sqrt(years_)
        d1, d2 = distances(spot_, strike_, rate_ - dividend_, years_, deviation)
        of_asset = spot_ * np.exp(-dividend_ * years_) * cdf(phi * d1)
        of_cash = cash_ * np.exp(-rate_ * years_) * cdf(phi * d2)
        value = np.where(sheet["pays"] == 1.0, of_asset, of_cash)
    sheet.require("finite", "rate", "dividend", "cash")
    sheet.require("zero or more", "spot", "strike", "years", "vol")
    sheet.demand((spot_ > 0.0) | (strike_ > 0.0), "spot", "above zero if the strike is zero")
    return sheet.price(value)
