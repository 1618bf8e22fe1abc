"""Implied volatility surfaces and realised volatility."""

from options.volatility.calibration import Fit, TooFewQuotesError, calibrate
from options.volatility.realised import (
    TooFewPricesError,
    close_to_close,
    garman_klass,
    parkinson,
    rogers_satchell,
    yang_zhang,
)
from options.volatility.surface import Arbitrage, Expiry, Surface
from options.volatility.svi import SVI, Butterfly, Calendar, butterfly, calendar

__all__ = [
    "SVI",
    "Arbitrage",
    "Butterfly",
    "Calendar",
    "Expiry",
    "Fit",
    "Surface",
    "TooFewPricesError",
    "TooFewQuotesError",
    "butterfly",
    "calendar",
    "calibrate",
    "close_to_close",
    "garman_klass",
    "parkinson",
    "rogers_satchell",
    "yang_zhang",
]
