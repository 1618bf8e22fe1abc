"""What every formula here shares: broadcasting its arguments, and what becomes of an input that has no
price.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from options._arrays import as_floats, as_signs
from options.errors import InvalidInputError, KindError, NoLimitError, OptionsError, ShapeError
from options.exotics.normal import Array

Kind = str | int | NDArray[Any]

_RULES: Final[Mapping[str, Callable[[Array], NDArray[np.bool_]]]] = {
    "finite": np.isfinite,
    "zero or more": lambda x: np.isfinite(x) & (x >= 0.0),
    "above zero": lambda x: np.isfinite(x) & (x > 0.0),
    "a whole number, zero or more": lambda x: np.isfinite(x) & (x >= 0.0) & (np.floor(x) == x),
}


class ChoiceError(OptionsError, ValueError):
    """A word that is none of those an argument takes."""

    def __init__(self, argument: str, given: object, allowed: tuple[str, ...]) -> None:
        self.argument = argument
        self.given = given
        self.allowed = allowed
        super().__init__(f"{argument} is {given!r}: it must be one of {', '.join(allowed)}")


class Sheet:
    """The broadcast arguments of one call, by name; remembers whether all of them were scalars.

    Arrays come out as float64 of the common shape, possibly as read-only views of the caller's. A scalar
    call is computed as an array of one element; its first bad argument raises. In arrays bad elements
    become NaN.
    """

    __slots__ = ("_columns", "_shape", "_valid")

    def __init__(self, kind: Kind, **values: ArrayLike | Array) -> None:
        columns = {"kind": as_signs(kind)}
        columns.update((name, as_floats(name, value)) for name, value in values.items())
        shapes = tuple(column.shape for column in columns.values())
        try:
            self._shape = np.broadcast_shapes(*shapes)
        except ValueError:
            raise ShapeError("arguments do not broadcast", shapes) from None
        shape = self._shape or (1,)
        self._columns = {name: np.broadcast_to(column, shape) for name, column in columns.items()}
        self._valid: NDArray[np.bool_] = np.abs(self["kind"]) == 1.0
        if not self._shape and not self._valid[0]:
            raise KindError(kind)

    def __getitem__(self, name: str) -> Array:
        return self._columns[name]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where everything required so far holds."""
        return self._valid

    def require(self, rule: str, *names: str) -> None:
        """Demands one of the rules of each named argument; InvalidInputError for a scalar that breaks it."""
        for name in names:
            self.demand(_RULES[rule](self[name]), name, rule)

    def demand(self, holds: NDArray[np.bool_], name: str, rule: str) -> None:
        """Demands any condition, `rule` being its words and `name` the argument to blame."""
        if not self._shape and not holds[0]:
            raise InvalidInputError(name, float(self[name][0]), rule)
        self._valid = self._valid & holds

    def price(self, value: Array) -> float | Array:
        """`value` where the arguments are valid, else NaN; of a scalar call a float, or NoLimitError."""
        priced = np.where(self._valid & np.isfinite(value), value, np.nan)
        if self._shape:
            return priced
        if np.isnan(priced[0]):
            raise NoLimitError("the price")
        return float(priced[0])


def choice(argument: str, given: object, table: Mapping[str, float]) -> float:
    """The number that a word stands for."""
    if isinstance(given, str) and given in table:
        return table[given]
    raise ChoiceError(argument, given, tuple(table))


def choose(argument: str, given: object, table: Mapping[str, float]) -> Array:
    """`choice` over a word or an array of words."""
    words = np.asarray(given)
    return np.array([choice(argument, word, table) for word in words.ravel().tolist()]).reshape(words.shape)
