"""The binomial tree of Cox, Ross and Rubinstein (Journal of Financial Economics 7, 1979): slow, simple, and
independent of every formula here. It serves as the check on the American solver."""

from __future__ import annotations

from math import exp, isfinite, sqrt

import numpy as np

from options.errors import InvalidInputError, KindError

_NAMES = ("spot", "strike", "years", "vol", "rate", "dividend")


def crr(
    kind: str | int,
    spot: float,
    strike: float,
    years: float,
    vol: float,
    rate: float = 0.0,
    dividend: float = 0.0,
    *,
    steps: int = 501,
    exercise: str = "american",
) -> float:
    """Price of one option on a recombining tree of `steps` steps; its error falls as 1/steps and alternates.

    Raises InvalidInputError for terms outside the model, or when a step's drift exceeds its volatility, which
    leaves no probabilities: take more steps then.
    """
    if kind not in ("call", "put", 1, -1):
        raise KindError(kind)
    if exercise not in ("american", "european"):
        raise KindError(exercise, '"american" or "european"', "exercise")
    for i, (name, value) in enumerate(zip(_NAMES, (spot, strike, years, vol, rate, dividend), strict=True)):
        if not isfinite(value):
            raise InvalidInputError(name, value, "finite")
        if i < 4 and value <= 0.0:
            raise InvalidInputError(name, value, "more than zero")
    sign = 1.0 if kind in ("call", 1) else -1.0
    step = years / steps
    up = exp(vol * sqrt(step))
    chance = (exp((rate - dividend) * step) - 1.0 / up) / (up - 1.0 / up)
    if not 0.0 <= chance <= 1.0:
        raise InvalidInputError("steps", steps, f"at least {int(((rate - dividend) / vol) ** 2 * years) + 1}")
    rises, discount = np.arange(steps + 1), exp(-rate * step)
    prices = spot * up ** (2.0 * rises - steps)
    values = np.maximum(sign * (prices - strike), 0.0)
    for left in range(steps - 1, -1, -1):
        values = discount * (chance * values[1:] + (1.0 - chance) * values[:-1])
        if exercise == "american":
            prices = prices[:-1] * up
            np.maximum(values, sign * (prices[: left + 1] - strike), out=values)
    return float(values[0])
