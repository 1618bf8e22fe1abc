"""What the pricing functions return: named tuples of floats, or of arrays of one shape."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class CallPut(NamedTuple, Generic[T]):
    """Prices of the call and the put of the same terms."""

    call: T
    put: T


class Greeks(NamedTuple, Generic[T]):
    """A price and its derivatives; years and volatility are in units, not in percent or days.

    delta d/dS, gamma d2/dS2, vega d/dvol, theta d/dt (per year that passes), rho d/drate,
    vanna d2/dS dvol, volga d2/dvol2, charm d delta/dt (per year that passes).
    """

    price: T
    delta: T
    gamma: T
    vega: T
    theta: T
    rho: T
    vanna: T
    volga: T
    charm: T


class CallPutGreeks(NamedTuple, Generic[T]):
    """Both prices, and the Greeks of the call; gamma, vega, vanna and volga are the put's too
    (except gamma of an inverse option)."""

    call: T
    put: T
    delta: T
    gamma: T
    vega: T
    theta: T
    rho: T
    vanna: T
    volga: T
    charm: T
