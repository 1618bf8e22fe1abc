"""Calls a scalar pricing function over arrays: the twin's stand-in for the kernel's driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, isnan
from typing import Any

import numpy as np

from options._arrays import as_floats, as_signs
from options.errors import InputTypeError, InvalidInputError, KindError, NoLimitError, ShapeError

BOTH = 2
Point = Callable[..., Sequence[float]]


def kind_code(kind: Any) -> int | None:
    """+1, -1 or BOTH; None if kind is an array."""
    if isinstance(kind, str):
        try:
            return {"call": 1, "put": -1, "both": BOTH}[kind]
        except KeyError:
            raise KindError(kind) from None
    if is_scalar(kind):
        if kind in (1, -1):
            return int(kind)
        raise KindError(kind)
    return None


def is_scalar(value: Any) -> bool:
    """Whether the kernel would take it for a scalar: a float or an int, numpy's float64 included."""
    return isinstance(value, float | int)


def as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return inf


def reject(names: Sequence[str], values: Sequence[float], result: Sequence[float], fields: Sequence[str]) -> None:
    """Raises for the first scalar argument outside the model, or the first result without a finite value."""
    for i, (name, value) in enumerate(zip(names, values, strict=False)):
        if isnan(value) or value in (inf, -inf):
            raise InvalidInputError(name, value, "finite")
        if i < 4 and value < 0.0:
            raise InvalidInputError(name, value, "zero or more")
    for field, value in zip(fields, result, strict=False):
        if isnan(value):
            raise NoLimitError(field)


def over_arrays(point: Point, names: Sequence[str], values: Sequence[Any], outputs: int, out: Any) -> list[Any]:
    """One output array per result of point, over the broadcast values; the last value may be the kind."""
    arrays = [as_signs(v) if n == "kind" else as_floats(n, v) for n, v in zip(names, values, strict=True)]
    try:
        spread = np.broadcast_arrays(*arrays)
    except ValueError:
        raise ShapeError("arguments do not broadcast", tuple(a.shape for a in arrays)) from None
    shape = spread[0].shape
    results = [np.empty(shape) for _ in range(outputs)] if out is None else _given(out, outputs, shape)
    found = [point(*(float(v) for v in row)) for row in zip(*(a.flat for a in spread), strict=True)]
    for i, result in enumerate(results):
        result[...] = np.reshape([row[i] for row in found], shape)
    return results


def _given(out: Any, outputs: int, shape: tuple[int, ...]) -> list[Any]:
    arrays = [out] if outputs == 1 and not isinstance(out, tuple | list) else list(out)
    if len(arrays) != outputs:
        raise ShapeError("out needs one array for each result", ((len(arrays),), (outputs,)))
    for array in arrays:
        if type(array) is not np.ndarray or array.dtype != np.float64 or not array.flags.c_contiguous:
            raise InputTypeError("out", "anything but C-contiguous float64 arrays")
        if array.shape != shape:
            raise ShapeError("out does not fit the arguments", (array.shape, shape))
        if not array.flags.writeable:
            raise InputTypeError("out", "a read-only array")
    return arrays


__all__ = ["BOTH", "as_float", "is_scalar", "kind_code", "over_arrays", "reject"]
