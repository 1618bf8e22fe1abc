"""Where a float becomes an amount: the only place in this package that turns one into integer units.

An amount is an int in the smallest unit of its asset. Every function here names its rounding direction
and whom it favours; a float is taken at its exact binary value, so nothing is lost before that one
rounding.
"""

from decimal import Decimal, InvalidOperation
from enum import Enum
from fractions import Fraction
from math import isfinite

from options.errors import InvalidInputError, OptionsError

MOST_DECIMALS = 77  # 10**77 is the last power of ten below 2**256


class Rounding(Enum):
    """The direction a fraction of a unit goes: UP to the next unit, DOWN to the one before."""

    UP = "up"
    DOWN = "down"


class AmountTextError(OptionsError, ValueError):
    """Text that is no amount of the asset: not a number, negative, or finer than its smallest unit."""

    def __init__(self, text: str, decimals: int, reason: str) -> None:
        self.text = text
        self.decimals = decimals
        self.reason = reason
        super().__init__(f"{text!r} is no amount with {decimals} decimals: {reason}")


def to_units(value: float | Fraction, decimals: int, rounding: Rounding) -> int:
    """`value` whole coins of an asset with so many decimals, in its smallest units.

    Raises InvalidInputError for a value that is negative or not finite.
    """
    if isinstance(value, float) and not isfinite(value):
        raise InvalidInputError("value", value, "finite")
    if value < 0:
        raise InvalidInputError("value", value, "zero or more")
    if not 0 <= decimals <= MOST_DECIMALS:
        raise InvalidInputError("decimals", decimals, f"from 0 to {MOST_DECIMALS}")
    exact = Fraction(value) * 10**decimals
    whole, rest = divmod(exact.numerator, exact.denominator)
    return int(whole) + (1 if rest and rounding is Rounding.UP else 0)


def premium_units(value: float | Fraction, decimals: int) -> int:
    """A premium, rounded UP: the writer, who takes the risk, is never paid less than the price."""
    return to_units(value, decimals, Rounding.UP)


def payout_units(value: float | Fraction, decimals: int) -> int:
    """A payout, rounded DOWN: what pays out never exceeds what was locked for it."""
    return to_units(value, decimals, Rounding.DOWN)


def to_coins(units: int, decimals: int) -> float:
    """An amount as a float of whole coins, correctly rounded: for pricing and display, never to be sent
    back.
    """
    return float(Fraction(units, 10**decimals))


def parse_units(text: str, decimals: int) -> int:
    """An amount written in whole coins, such as "0.05", exactly; digits below the smallest unit are
    refused.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise AmountTextError(text, decimals, "not a number") from None
    if not number.is_finite() or number.is_signed():
        raise AmountTextError(text, decimals, "not a finite number of zero or more")
    exact = Fraction(number) * 10**decimals
    if exact.denominator != 1:
        raise AmountTextError(text, decimals, "finer than the smallest unit")
    return int(exact.numerator)


def format_units(units: int, decimals: int) -> str:
    """An amount in whole coins, exactly, without trailing zeros."""
    sign, digits = "-" if units < 0 else "", str(abs(units)).rjust(decimals + 1, "0")
    whole, part = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"
