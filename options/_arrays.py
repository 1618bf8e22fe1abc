"""Arguments as arrays of float64: the one place where foreign dtypes are let in or turned away."""

from __future__ import annotations

from math import exp, isfinite
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from options.errors import InputTypeError, InvalidInputError, KindError, PriceOutsideBoundsError, ShapeError

FloatArray = npt.NDArray[np.float64]


def as_floats(name: str, value: Any) -> FloatArray:
    """An aligned float64 array of any strides, copied only if it must be; masked elements become NaN.

    Raises InputTypeError for text, complex numbers, dates and everything else that is no real number.
    """
    if type(value) is np.ndarray and value.dtype == np.float64 and value.dtype.isnative and value.flags.aligned:
        return value
    if isinstance(value, np.ma.MaskedArray):
        value = np.where(np.ma.getmaskarray(value), np.nan, np.ma.getdata(value))
    try:
        array = np.asarray(value)
    except ValueError:  # ragged nesting
        raise InputTypeError(name, "a ragged sequence") from None
    if array.dtype.kind == "O":
        array = _from_objects(name, array)
    elif array.dtype.kind not in "fiub":
        raise InputTypeError(name, f"{type(value).__name__} of {array.dtype}")
    return np.require(array, dtype=np.float64, requirements="A")


def _from_objects(name: str, array: npt.NDArray[Any]) -> FloatArray:
    for element in array.flat:
        if isinstance(element, str | bytes | complex) or not hasattr(element, "__float__"):
            raise InputTypeError(name, f"an array holding {type(element).__name__}")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputTypeError(name, "an array of objects that are no floats") from None


def as_signs(kind: Any) -> FloatArray:
    """Kinds as +1 and -1; an array of "call" and "put" is translated, any other number becomes NaN later."""
    if not isinstance(kind, np.ndarray):
        kind = np.asarray(kind)
    if kind.dtype.kind in "UO" and kind.size and isinstance(kind.flat[0], str):
        known = (kind == "call") | (kind == "put")
        if not np.all(known):
            raise KindError(kind[~known].flat[0])
        return np.where(kind == "call", 1.0, -1.0)
    try:
        return as_floats("kind", kind)
    except InputTypeError:
        raise KindError(kind) from None


def reject_implied(sign: int, price: float, forward: float, strike: float, years: float, rate: float) -> NoReturn:
    """Says why a scalar price has no implied volatility."""
    values = {"price": price, "forward": forward, "strike": strike, "years": years, "rate": rate}
    for name, value in values.items():
        if not isfinite(value):
            raise InvalidInputError(name, value, "finite")
        if name in ("forward", "strike", "years") and value <= 0.0:
            raise InvalidInputError(name, value, "more than zero")
    try:
        discount = exp(-rate * years)
    except OverflowError:
        raise InvalidInputError("rate", rate, "such that exp(-rate * years) is finite") from None
    lower, upper = discount * max(0.0, sign * (forward - strike)), discount * (forward if sign > 0 else strike)
    raise PriceOutsideBoundsError(price, lower, upper)


def paired_scenarios(spot_moves: Any, vol_moves: Any) -> tuple[FloatArray, FloatArray]:
    """Relative spot moves and vol moves as contiguous rows of equal length."""
    moves, shifts = as_floats("spot_moves", spot_moves), as_floats("vol_moves", vol_moves)
    if moves.shape != shifts.shape or moves.ndim != 1:
        try:
            moves, shifts = np.broadcast_arrays(np.atleast_1d(moves), shifts)
        except ValueError:
            raise ShapeError("scenarios do not pair up", (moves.shape, shifts.shape)) from None
        if moves.ndim != 1:
            raise ShapeError("scenarios must be one row", (moves.shape, shifts.shape))
    return np.ascontiguousarray(moves), np.ascontiguousarray(shifts)
