"""Option contracts, and what they pay in integers of the smallest unit.

A payoff is exact rational arithmetic on integers, then one rounding: down, so that nothing pays out more
than was locked for it (see `options.amounts`).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from options.amounts import MOST_DECIMALS
from options.errors import InvalidInputError, KindError

Kind = Literal["call", "put"]


@dataclass(frozen=True, slots=True)
class Asset:
    """A coin or token: its symbol and the decimals of its smallest unit."""

    symbol: str
    decimals: int

    def __post_init__(self) -> None:
        if not self.symbol:
            raise InvalidInputError("symbol", self.symbol, "not empty")
        _integer("decimals", self.decimals, 0)
        if self.decimals > MOST_DECIMALS:
            raise InvalidInputError("decimals", self.decimals, f"at most {MOST_DECIMALS}")


@dataclass(frozen=True, slots=True)
class Amount:
    """So many smallest units of an asset."""

    asset: Asset
    units: int

    def __post_init__(self) -> None:
        _integer("units", self.units, 0)


@dataclass(frozen=True, slots=True)
class Price:
    """An exact price: `quote_units` of one asset for `underlying_units` of another, both smallest units."""

    quote_units: int
    underlying_units: int

    def __post_init__(self) -> None:
        _integer("quote_units", self.quote_units, 0)
        _integer("underlying_units", self.underlying_units, 1)

    def worth(self, underlying_units: int) -> Fraction:
        """The exact worth of an amount of the underlying, in units of the quote asset."""
        return Fraction(underlying_units * self.quote_units, self.underlying_units)


@dataclass(frozen=True, slots=True)
class OptionContract:
    """The right to exchange `strike` for `underlying` (call), or `underlying` for `strike` (put), until
    `expiry`.

    Both amounts are totals, not per coin; `expiry` is in UNIX seconds.
    """

    kind: Kind
    underlying: Amount
    strike: Amount
    expiry: int

    def __post_init__(self) -> None:
        if self.kind not in ("call", "put"):
            raise KindError(self.kind, '"call" or "put"')
        _integer("underlying", self.underlying.units, 1)
        _integer("strike", self.strike.units, 1)
        _integer("expiry", self.expiry, 0)

    @property
    def collateral(self) -> Amount:
        """What the writer locks, and the holder receives at exercise."""
        return self.underlying if self.kind == "call" else self.strike

    @property
    def payment(self) -> Amount:
        """What the holder locks, and pays at exercise; the premium is paid in its asset."""
        return self.strike if self.kind == "call" else self.underlying

    def gain(self, price: Price) -> Fraction:
        """What exercise is worth at a price, in units of the strike's asset, exactly; negative out of the
        money.
        """
        difference = price.worth(self.underlying.units) - self.strike.units
        return difference if self.kind == "call" else -difference

    def payoff(self, price: Price) -> int:
        """What exercise is worth, in units of the strike's asset, rounded down; zero out of the money."""
        return max(0, self.gain(price).__floor__())

    def coin_payoff(self, price: Price) -> int:
        """The same settled in units of the underlying (an inverse option), rounded down.

        InvalidInputError at a price of zero, where a put would pay without bound; a call pays nothing there.
        """
        gain = self.gain(price)
        if gain <= 0:
            return 0
        if price.quote_units == 0:
            raise InvalidInputError("price", 0, "above zero for an option settled in its underlying")
        return (gain * price.underlying_units / price.quote_units).__floor__()


@dataclass(frozen=True, slots=True)
class DigitalContract:
    """The right to `payout` if the price at `expiry` is above (call) or below (put) `level`; nothing at
    it.
    """

    kind: Kind
    level: Price
    payout: Amount
    expiry: int

    def __post_init__(self) -> None:
        if self.kind not in ("call", "put"):
            raise KindError(self.kind, '"call" or "put"')
        _integer("expiry", self.expiry, 0)

    def payoff(self, price: Price) -> int:
        """The payout in its smallest units, or zero."""
        here, level = price.worth(1), self.level.worth(1)
        won = here > level if self.kind == "call" else here < level
        return self.payout.units if won else 0


def _integer(name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidInputError(name, value, f"a whole number of at least {least}")
