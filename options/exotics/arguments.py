"""What every formula here shares: broadcasting its arguments, and what becomes of an input that has no
price.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from options.exotics.normal import Array

Kind = str | int | NDArray[np.generic]

_SIGNS: Final = {"call": 1.0, "put": -1.0}


class UnknownChoiceError(ValueError):
    """A word that is none of those an argument takes."""

    def __init__(self, argument: str, given: object, allowed: tuple[str, ...]) -> None:
        self.argument = argument
        self.given = given
        self.allowed = allowed
        super().__init__(f"{argument} is {given!r}; it must be one of {', '.join(allowed)}")


class NoPriceError(ValueError):
    """These scalar arguments have no price: something is NaN, infinite or of the wrong sign."""

    def __init__(self, function: str, arguments: Mapping[str, float]) -> None:
        self.function = function
        self.arguments = dict(arguments)
        listed = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        super().__init__(f"{function} has no price for {listed}")


class NotNumbersError(ValueError):
    """An argument that is not an array of real numbers, or arrays whose shapes do not fit together."""

    def __init__(self, function: str, reason: str) -> None:
        self.function = function
        self.reason = reason
        super().__init__(f"{function}: {reason}")


class Sheet:
    """The broadcast arguments of one call, by name; remembers whether all of them were scalars.

    Arrays come out as float64 of the common shape, possibly as read-only views of the caller's. A scalar
    call is computed as an array of one element.
    """

    __slots__ = ("_columns", "_shape", "function")

    def __init__(self, function: str, **values: ArrayLike) -> None:
        self.function = function
        try:
            columns = [np.asarray(value, dtype=np.float64) for value in values.values()]
            self._shape = np.broadcast_shapes(*(column.shape for column in columns))
        except (TypeError, ValueError) as error:
            raise NotNumbersError(function, str(error)) from error
        shape = self._shape or (1,)
        self._columns = {
            name: np.broadcast_to(column, shape) for name, column in zip(values, columns, strict=True)
        }

    def __getitem__(self, name: str) -> Array:
        return self._columns[name]

    def price(self, value: Array, *, valid: Array | NDArray[np.bool_]) -> float | Array:
        """`value` where `valid`, else NaN; for a scalar call a float, or `NoPriceError`."""
        priced = np.where(valid & np.isfinite(value), value, np.nan)
        if self._shape:
            return priced
        if np.isnan(priced[0]):
            raise NoPriceError(
                self.function, {name: float(column[0]) for name, column in self._columns.items()}
            )
        return float(priced[0])


def sign(function: str, kind: object) -> Array:
    """+1 for a call and -1 for a put, from the word, a sign, or an array of either; NaN for any other
    number.
    """
    if isinstance(kind, str):
        return np.asarray(choice("kind", kind, _SIGNS))
    given = np.asarray(kind)
    if given.dtype.kind in "UO":
        return choose("kind", given, _SIGNS)
    try:
        signs = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise NotNumbersError(function, f"kind: {error}") from error
    return np.where(np.abs(signs) == 1.0, signs, np.nan)


def choice(argument: str, given: object, table: Mapping[str, float]) -> float:
    """The number that a word stands for."""
    if isinstance(given, str) and given in table:
        return table[given]
    raise UnknownChoiceError(argument, given, tuple(table))


def choose(argument: str, given: object, table: Mapping[str, float]) -> Array:
    """`choice` over a word or an array of words."""
    words = np.asarray(given)
    return np.array([choice(argument, word, table) for word in words.ravel().tolist()]).reshape(words.shape)


def finite(*values: Array) -> NDArray[np.bool_]:
    """Where every one of them is a number."""
    return np.asarray(np.logical_and.reduce([np.isfinite(value) for value in values]))
